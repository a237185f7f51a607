"""Programs in which gevent or eventlet has replaced threads by green ones, all of which share one thread.

Who waits for the native part there stops every one of them. So nothing of a connection waits for it: it rings
a bell, a file descriptor, and the library waits for that as for any other.

```text
listen ──(the bell has rung)──► dispatch ──(one event at a time)──► handle, handle, ...
```

The handlers of messages start in the order of arrival, and one that blocks does not keep the others from
running: its thread goes on with it, and another thread takes what comes next.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from heartwire.engineio import _sending, _session

if TYPE_CHECKING:
    from heartwire import _native

#: Libraries that replace threads, and where each has its `select`.
_SELECTS = {"gevent": "gevent.select", "eventlet": "eventlet.green.select"}

#: Seconds for which a handler may run while something waits behind it, unless it says that it waits itself.
_PATIENCE = 0.05

#: Seconds between two looks at what rings no bell.
_STEP = 0.005

#: Seconds for which a thread sleeps that has nothing to do any more.
_LONG = 3600

#: What has arrived: its name, and the rest.
Event = tuple[str, Any]


def library() -> str | None:
    """What has replaced threads; `None` where they are the system's. Raises `RuntimeError` for a library that
    is not known here."""
    name = _origin()
    if name == "_thread":
        return None
    if name not in _SELECTS:
        raise RuntimeError(
            f"{name} has replaced threads, and what waits for the network would wait for ever: "
            f"of such libraries, {' and '.join(_SELECTS)} are known"
        )
    return name


def run_beside(function: Callable[..., Any], *args: Any) -> bool:
    """Calls a function on a green thread of its own, if threads are green and the calling one, which a signal
    has interrupted, may not be one that can wait. Says whether it does. What interrupts the program is raised
    in its main thread from there."""
    if _origin() == "_thread" or threading.get_ident() == threading.main_thread().ident:
        return False
    import _thread

    _thread.start_new_thread(function, args)
    return True


def _origin() -> str:
    return threading.get_ident.__module__.partition(".")[0]


class Green:
    """What a connection of `Client` does instead where threads are green."""

    def __init__(self, client: Any, session: _session.Session, library: str) -> None:
        self._client = client
        self._session = session
        self._native: _native.Connection = session.native
        self._select = importlib.import_module(_SELECTS[library]).select
        self._sleep = importlib.import_module(library).sleep
        self._keeper = _session.Waiting(client, session)
        self._process = os.getpid()
        #: Threads of the connection, and how many there were.
        self._threads: list[threading.Thread] = []
        self._numbers = itertools.count(1)
        #: What follows has changed.
        self._changed = threading.Condition()
        self._has_rung = False
        self._is_over = False
        #: What waits for a thread, which handles it at this turn.
        self._given: tuple[Event, Turn] | None = None
        #: Whose handler the next waits for.
        self._turn: Turn | None = None
        #: Threads that have nothing to do.
        self._spares = 0
        #: The thread that hears the bell.
        self._listener: threading.Thread
        if not isinstance(_session.serving, threading.local):
            # The package was imported before threads were replaced.
            _session.serving = threading.local()

    # In the place of the native part's own waits.

    def opened(self) -> _native.Handshake:
        """What the handshake has told, when there was one."""
        while True:
            self._hear()
            facts = self._native.opened(0)
            if facts is not None:
                return facts
            self._await_bell()

    def closed(self, seconds: float) -> bool:
        """Waits for the end of the connection. Says whether it has ended."""
        deadline = time.monotonic() + seconds
        while not self._native.closed(0):
            if time.monotonic() >= deadline:
                return False
            self._sleep(_STEP)
        return True

    def has_threads(self) -> bool:
        """Whether there is a thread that handles what comes, and finds the end."""
        return bool(self._threads)

    def join(self, seconds: float) -> None:
        """Waits for the other threads, as `join()` of all libraries does not."""
        deadline = time.monotonic() + seconds
        me = threading.current_thread()
        others = [thread for thread in self._threads if thread is not me]
        while any(thread.is_alive() for thread in others) and time.monotonic() < deadline:
            self._sleep(_STEP)

    def send_patiently(self, data: Any) -> int:
        """Waits for room in the queue, and sends."""
        send = self._native.send_text if isinstance(data, str) else self._native.send_binary
        while (result := send(data)) == self._native.FULL:
            self._sleep(_STEP)
        return result

    # Threads.

    def listen(self) -> None:
        """Begins to hear the bell. For clients that are pumped, `pump()` does."""
        self._listener = threading.Thread(target=self._listen, name="heartwire-bell", daemon=True)
        self._listener.start()

    def begin(self) -> None:
        """Handlers are called from now on."""
        self._start(self._dispatch, "dispatcher")
        # That it has gone is waited for from now on.
        self._threads.append(self._listener)

    def is_mine(self) -> bool:
        """Whether the calling thread runs a handler of the connection."""
        turn = getattr(_session.serving, "turn", None)
        return isinstance(turn, Turn) and turn.green is self

    def end(self) -> None:
        """Nothing more is to be handled: the threads go when they have nothing left to do."""
        self._is_over = True
        self._native.ring()
        with self._changed:
            self._changed.notify_all()

    def goes_on(self, turn: Turn, blocks: bool) -> None:
        """A handler is about to wait for something, or has waited for it."""
        with self._changed:
            if blocks and self._turn is turn and not (turn.parts or self._client.ordered):
                self._turn = None
            elif not blocks and self._turn is None:
                self._turn = turn
            self._changed.notify_all()

    def _start(self, target: Callable[[], None], name: str) -> None:
        def run() -> None:
            try:
                target()
                if self._is_elsewhere() and threading.current_thread() is not thread:
                    self._stay()
            finally:
                self._forget(thread)

        number = next(self._numbers)
        thread = threading.Thread(target=run, name=f"heartwire-{name}-{number}", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except BaseException:
            self._forget(thread)
            raise

    def _forget(self, thread: threading.Thread) -> None:
        with contextlib.suppress(ValueError):
            self._threads.remove(thread)

    def _is_elsewhere(self) -> bool:
        """Whether this is the child of a fork, which has none of its parent's connections."""
        return self._process != os.getpid()

    def _await_bell(self) -> None:
        self._select([self._session.bell.descriptor()], [], [])

    def _hear(self) -> None:
        self._session.bell.heard()
        requests = self._native.requests
        while requests is not None and (exchange := requests.take_now()) is not None:
            _sending.send_in_thread(self._client, self._session.http, exchange)

    def _listen(self) -> None:
        while not self._is_over:
            self._await_bell()
            if self._is_elsewhere():
                self._stay()
            self._hear()
            with self._changed:
                self._has_rung = True
                self._changed.notify_all()

    def _stay(self) -> NoReturn:
        """The child of a fork has the green threads of its parent, but `threading` knows only the one that has
        forked, and complains of another that ends."""
        while True:
            self._sleep(_LONG)

    def _dispatch(self) -> None:
        try:
            while (event := self._next()) is not None:
                self._await_handler()
                self._hand_over(event)
            self._await_handler()
        finally:
            if not self._is_elsewhere():
                self._session.end(self._client)

    def _next(self) -> Event | None:
        """The next event, when it has arrived; `None` when there will be none."""
        early = self._session.early
        while not early:
            outcome = self._native.drain(self._keeper, 1)
            if early:
                break
            if outcome == self._native.ENDED:
                return None
            with self._changed:
                while outcome == self._native.REST and not self._has_rung:
                    if self._is_over or self._is_elsewhere():
                        return None
                    self._changed.wait()
                self._has_rung = False
        return early.pop(0)

    def _await_handler(self) -> None:
        """Waits for the handler before, as long as the next waits for it."""
        with self._changed:
            turn = self._turn
            waits = turn is not None and (turn.parts or self._client.ordered)
            seconds = None if waits else _PATIENCE
            self._changed.wait_for(lambda: self._turn is not turn or turn is None, seconds)

    def _hand_over(self, event: Event) -> None:
        with self._changed:
            self._turn = Turn(self, event[0] == "disconnected")
            self._given = event, self._turn
            starts = self._spares == 0
            self._changed.notify_all()
        if starts:
            self._start(self._handle, "handlers")
        with self._changed:
            self._changed.wait_for(lambda: self._given is None or self._is_over)

    def _handle(self) -> None:
        """What a thread that calls handlers does."""
        while (taken := self._take()) is not None:
            (name, what), turn = taken
            _session.serving.turn = turn
            try:
                self._client._handle_arrived(self._session, name, what)
            finally:
                _session.serving.turn = None
                with self._changed:
                    if self._turn is turn:
                        self._turn = None
                    self._changed.notify_all()

    def _take(self) -> tuple[Event, Turn] | None:
        with self._changed:
            self._spares += 1
            self._changed.wait_for(lambda: self._given is not None or self._is_over or self._is_elsewhere())
            self._spares -= 1
            taken, self._given = self._given, None
            self._changed.notify_all()
            return taken


class Turn:
    """One call of a handler. It is what the thread serves meanwhile, as `_session.waiting()` has it."""

    __slots__ = ("green", "parts")

    def __init__(self, green: Green, parts: bool) -> None:
        self.green = green
        #: Whether it is the disconnect handler. What follows it, where a client connects again, is of another
        #: session: it waits for this one.
        self.parts = parts

    def handler_blocks(self) -> None:
        self.green.goes_on(self, True)

    def handler_goes_on(self) -> None:
        self.green.goes_on(self, False)
