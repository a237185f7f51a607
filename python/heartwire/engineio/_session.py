"""A connection of a client without an event loop, and what its handlers may wait for."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from heartwire import _native
from heartwire.engineio import _threads

if TYPE_CHECKING:
    from heartwire.engineio import _green

#: What a green thread runs handlers for: the `turn` of a `_green.Green`.
serving = threading.local()

#: Seconds after which a wait looks again, in case a signal handler has come in between.
_GLANCE = 5.0


class Moment:
    """Something that happens once. Unlike `threading.Event`, it may be set or waited for by a signal
    handler that interrupts another wait for it. Several may share a lock; what is larger than all the rest
    is there when somebody waits."""

    __slots__ = ("_condition", "_is_set", "_lock")

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self._lock = lock or threading.RLock()
        self._condition: threading.Condition | None = None
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._lock:
            self._is_set = True
            if self._condition is not None:
                self._condition.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        if self._is_set:
            return True
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            if self._condition is None:
                self._condition = threading.Condition(self._lock)
            while not self._is_set:
                left = _GLANCE if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(min(left, _GLANCE))
            return self._is_set


class Session:
    """A connection, from the moment when it is open."""

    __slots__ = (
        "__weakref__",
        "_claims",
        "_lock",
        "_releasing",
        "bell",
        "early",
        "ended",
        "ender",
        "green",
        "handled",
        "handlers",
        "held",
        "http",
        "is_left",
        "is_over",
        "native",
        "rests",
        "settled",
    )

    def __init__(
        self, native: _native.Connection, http: Any, bell: _native.Bell | None = None
    ) -> None:
        self.native = native
        #: What tells that something is to be pumped.
        self.bell: Any = bell
        #: The HTTP session that it uses.
        self.http = http
        #: What the native part sees of the client.
        self.handlers: Handlers | None = None
        #: What waits for the native part, where threads are green.
        self.green: _green.Green | None = None
        lock = threading.RLock()
        #: The upgrade has succeeded or failed, or there is none to wait for.
        self.settled = Moment(lock)
        #: Nothing is left to handle, and the disconnect handler has returned.
        self.handled = Moment(lock)
        #: The same, and the client says so.
        self.ended = Moment(lock)
        #: Whether `disconnect()` runs, after which the client is disconnected.
        self.is_left = False
        #: Whether no thread will find the end.
        self.rests = False
        #: Whether the client has left it: it does not connect again.
        self.is_over = False
        self._claims = itertools.count()
        #: What is sent before the upgrade waits for it, so that the server sees one transport only.
        self.held: deque[str | bytes] | None = None
        # A signal handler may come between any two steps of the thread that it interrupts: who looks at it
        # has the one lock, and who sends it the other.
        self._lock: threading.RLock | None = None
        self._releasing: threading.RLock | None = None
        #: What has come and is for `pump()`.
        self.early: list[tuple[str, Any]] = []
        #: The thread that runs the disconnect handler, while the state is not final yet.
        self.ender: int | None = None

    @property
    def is_ending(self) -> bool:
        """Whether the disconnect handler runs."""
        return self.ender is not None

    def claim_end(self) -> bool:
        """Whether the caller is the one to run the disconnect handler."""
        return next(self._claims) == 0

    def begin_again(self) -> None:
        self._claims = itertools.count()

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """The calling thread runs the disconnect handler."""
        self.ender = threading.get_ident()
        try:
            yield
        finally:
            self.ender = None

    def check_wait(self) -> None:
        """Refuses to wait for what the calling thread itself has to bring about."""
        if self.ender == threading.get_ident():
            raise RuntimeError(
                "wait() in a disconnect handler: the connection ends when the handler returns"
            )

    def end(self, client: Any) -> None:
        """Nothing more is to be handled."""
        try:
            was_open = self.handlers is not None
            client._keep_cookies(self)
            if self.native.requests is not None:
                self.native.requests.close()
            if self.handlers is not None:
                self.handlers.release()
            if self.green is not None:
                self.green.end()
            http, self.http = self.http, None
            client._drop_http(http)
            if was_open and not self.handled.is_set():
                client.logger.info("Exiting write loop task")
                client.logger.info("Exiting read loop task")
        finally:
            self.settled.set()
            self.handled.set()
            if not self.is_left:
                self.ended.set()

    def leave(self) -> None:
        """The client is disconnected."""
        self.is_left = False
        if self.handled.is_set():
            self.ended.set()

    def hold_back(self) -> None:
        """What is sent waits for the upgrade, from now on."""
        self._lock, self._releasing = threading.RLock(), threading.RLock()
        self.held = deque()

    def hold(self, data: str | bytes) -> bool:
        """Whether a message is kept back."""
        if self._lock is None:
            return False
        with self._lock:
            if self.held is None:
                return False
            self.held.append(data)
            return True

    def release(self, send: Callable[[str | bytes], None], seconds: float) -> None:
        """Sends what was kept back; nothing is kept back after the last. Where another thread does so,
        waits for it, for some seconds at most. A signal handler goes on where its thread was."""
        lock, releasing = self._lock, self._releasing
        if lock is None or releasing is None:
            return
        if not releasing.acquire(blocking=False):
            with waiting():
                if not releasing.acquire(timeout=seconds):
                    return
        try:
            while True:
                with lock:
                    if not self.held:
                        self.held = None
                        return
                    data = self.held.popleft()
                send(data)
        finally:
            releasing.release()

    def closed(self, seconds: float) -> bool:
        """Waits for the end of the connection. Says whether it has ended."""
        return (self.green or self.native).closed(seconds)

    def is_dispatching(self) -> bool:
        """Whether the calling thread runs a handler of the connection."""
        return self.native.is_dispatching() if self.green is None else self.green.is_mine()

    def silence(self) -> bool:
        """Drops messages from now on. Says whether no thread will find the end."""
        return self.native.silence() and (self.green is None or not self.green.has_threads())

    def join_threads(self, seconds: float) -> None:
        """Waits for threads that have nothing left to do; those in handlers that block may stay."""
        if self.green is not None:
            self.green.join(seconds)
            return
        deadline = time.monotonic() + seconds
        self.native.await_handlers(seconds)
        _threads.join(max(deadline - time.monotonic(), 0))


class Loop:
    """What takes the place of python-engineio's thread: it lasts as long as the connection, whichever
    threads run handlers."""

    __slots__ = ("_ended",)

    def __init__(self, session: Session) -> None:
        self._ended = session.ended

    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def join(self, timeout: float | None = None) -> None:
        with waiting():
            self._ended.wait(timeout)


class Handlers:
    """What the native part sees of a client: its handlers, for one session."""

    __slots__ = ("_client", "_handle_error", "_session", "_sink")

    def __init__(self, client: Any, session: Session) -> None:
        self._client = client
        self._session: Session | None = session
        self._sink: Callable[[], Callable[[Any], Any] | None] = client._sink
        self._handle_error: Callable[[BaseException], None] = client._handle_error

    @property
    def handlers(self) -> Any:
        client = self._client
        return {} if client is None else client.handlers

    def release(self) -> None:
        """Lets go of the client, which the native part would keep for ever."""
        self._handle_error = report_error
        self._sink = _no_sink
        self._client = self._session = None

    def _handle_result(self, result: Any) -> None:
        pass

    def _handle_event(self, name: str, facts: dict[str, Any]) -> None:
        client = self._client
        if client is not None:
            client._handle_event(self._session, name, facts)

    def _handle_end(self) -> None:
        client, session = self._client, self._session
        if session is not None:
            try:
                session.end(client)
            except BaseException as error:
                report_error(error)


class Waiting:
    """What the native part sees instead while `connect()` waits for the upgrade and there is no thread
    that runs handlers: everything else is kept for `pump()`."""

    handlers: dict[str, Any] = {}

    def __init__(self, client: Any, session: Session) -> None:
        self._client = client
        self._session = session

    def _sink(self) -> Callable[[Any], None]:
        return self._keep

    def _keep(self, data: Any) -> None:
        self._session.early.append(("message", data))

    def _handle_result(self, result: Any) -> None:
        pass

    def _handle_error(self, error: BaseException) -> None:
        self._client._handle_error(error)

    def _handle_event(self, name: str, facts: dict[str, Any]) -> None:
        if name in ("upgraded", "upgrade_failed"):
            self._client._handle_event(self._session, name, facts)
            return
        self._session.early.append((name, facts))
        if name == "disconnected":
            self._session.settled.set()


def report_error(error: BaseException) -> None:
    """An exception that nobody else hears of is the thread's."""
    if not isinstance(error, SystemExit):
        thread = threading.current_thread()
        arguments = (type(error), error, error.__traceback__, thread)
        threading.excepthook(threading.ExceptHookArgs(arguments))


def _no_sink() -> None:
    return None


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """What happens within waits, perhaps for another handler of the client that this thread serves."""
    turn = getattr(serving, "turn", None)
    if turn is not None:
        turn.handler_blocks()
    elif _native.runs_handlers():
        _native.handler_blocks()
    else:
        yield
        return
    try:
        yield
    finally:
        if turn is not None:
            turn.handler_goes_on()
        else:
            _native.handler_goes_on()


def runs_handlers() -> bool:
    """Whether the calling thread runs a handler."""
    return getattr(serving, "turn", None) is not None or _native.runs_handlers()


class Event(threading.Event):
    """An event that a handler may wait for, though other handlers set it."""

    def wait(self, timeout: float | None = None) -> bool:
        if self.is_set() or not runs_handlers():
            return super().wait(timeout)
        with waiting():
            return super().wait(timeout)


class Queue(queue.Queue[Any]):
    """A queue that a handler may read from, though other handlers fill it."""

    #: What it raises when it is empty.
    Empty = queue.Empty

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block or not runs_handlers():
            return super().get(block, timeout)
        with waiting():
            return super().get(block, timeout)
