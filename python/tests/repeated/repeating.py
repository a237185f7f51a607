"""What the programs share that do something a hundred times."""

import faulthandler
import os
import queue
import random
import signal
import sys
import threading
import time
import traceback

TIMES = 100

#: Seconds for one time. A program that hangs ends, and says where it was.
WATCHDOG = 60

#: Where the system counts the threads of a process, those of the native part included.
_TASKS = "/proc/self/task"


def times():
    """Counts. No thread may stay behind of what is done a hundred times."""
    threads, tasks = set(threading.enumerate()), None
    for n in range(TIMES):
        faulthandler.dump_traceback_later(WATCHDOG, exit=True)
        yield n
        if tasks is None:
            tasks = _tasks()
    until(lambda: set(threading.enumerate()) <= threads, lambda: threading.enumerate())
    # The native part has a few threads for the whole process, which may start at any time.
    until(lambda: _tasks() < tasks + TIMES / 10, _tasks)
    faulthandler.cancel_dump_traceback_later()


def _tasks():
    return len(os.listdir(_TASKS)) if os.path.exists(_TASKS) else 0


def until(condition, told=lambda: "it did not happen"):
    """Waits for a condition, almost as long as the watchdog lets it."""
    deadline = time.monotonic() + WATCHDOG / 2
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.001)


def run_child(function, *args):
    """Forks, and runs a function in the child, which must return."""
    # A child that inherits a watchdog would wait for the thread of it, which it has not.
    faulthandler.cancel_dump_traceback_later()
    child = os.fork()
    faulthandler.dump_traceback_later(WATCHDOG / 2 if child == 0 else WATCHDOG, exit=True)
    if child == 0:
        try:
            function(*args)
            os._exit(7)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


class Keyboard:
    """Presses Ctrl-C, while the main thread does something else."""

    def __init__(self):
        self._wanted = queue.Queue()
        threading.Thread(target=self._press, daemon=True).start()

    def soon(self, least, most):
        """Presses after some seconds, or fractions of one."""
        self._wanted.put(random.uniform(least, most))

    def _press(self):
        while True:
            time.sleep(self._wanted.get())
            os.kill(os.getpid(), signal.SIGINT)


def wait_for_interrupt():
    """Waits for Ctrl-C. A signal that comes just before a sleep does not end it, so they are short."""
    while True:
        time.sleep(0.01)
