"""The threads that run the handlers of clients without an event loop. They belong to the process: each serves
whichever client has something to handle."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time

from heartwire import _native

#: Seconds without anything to do after which a thread ends. The last one that is idle stays while there are
#: clients; when there are none, none stays.
PATIENCE = 10.0

_numbers = itertools.count(1)

_threads: set[threading.Thread] = set()


def start() -> None:
    """Starts a thread. The native part asks for that, when all that there are have something to do."""
    if sys.is_finalizing():
        return
    name = f"heartwire-handlers-{next(_numbers)}"
    thread = threading.Thread(target=_serve, name=name, daemon=True)
    _threads.add(thread)
    try:
        thread.start()
    except BaseException:
        # Ctrl-C may come when it runs already; then it is not waited for.
        _threads.discard(thread)
        raise


def _serve() -> None:
    process = os.getpid()
    try:
        _native.serve(threading.current_thread(), PATIENCE)
    finally:
        _threads.discard(threading.current_thread())
    if process != os.getpid():
        _leave_child()


def _leave_child() -> None:
    """A handler has forked, and has returned in the child. As wherever a thread forks, the child ends with its
    last thread; that there is a thread of the network does not count."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    os._exit(0)


def join(seconds: float) -> None:
    """Waits for threads that nobody needs any more, as there are no clients."""
    busy = _native.busy_threads()
    if busy is None:
        return
    deadline = time.monotonic() + seconds
    for thread in list(_threads):
        if thread is not threading.current_thread() and thread.is_alive() and thread not in busy:
            thread.join(max(deadline - time.monotonic(), 0))
