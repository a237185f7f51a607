"""A client for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import signal
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, TypeVar

from heartwire import _native
from heartwire.engineio import _connecting, _sending, _settings, base_client, exceptions, packet

_SENT, _CLOSED, _FULL = (
    _native.Connection.SENT,
    _native.Connection.CLOSED,
    _native.Connection.FULL,
)
_MORE, _ENDED = _native.Connection.MORE, _native.Connection.ENDED

T = TypeVar("T", bound="asyncio.Future[Any]")

#: Events that are handled before other tasks have their turn.
_BATCH = 256

#: Whether Ctrl-C is handled.
async_signal_handler_set = False

#: The event loop in which it is, or `None`.
_handling_loop = None

#: Tasks that nobody else holds.
task_reference_holder: set[asyncio.Future[Any]] = set()


def async_signal_handler() -> None:
    """Disconnects every client at Ctrl-C, and cancels what runs."""

    async def _stop() -> None:
        running = asyncio.current_task()
        for client in base_client.connected_clients[:]:
            if client.is_asyncio_based():
                await client.disconnect()
        tasks = [task for task in asyncio.all_tasks() if task is not running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.get_running_loop().stop()

    _hold(asyncio.ensure_future(_stop()))


def _hold(task: T) -> T:
    task_reference_holder.add(task)
    task.add_done_callback(task_reference_holder.discard)
    return task


class _Moment:
    """Something that happens once, as an `asyncio.Event` that is small until somebody waits for it."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        if self._is_set:
            return
        if self._event is None:
            self._event = asyncio.Event()
        await self._event.wait()


class _Watch:
    """What the connections of an event loop share: the bell that tells it of them, and what ends when it
    does. Is there as long as there are any."""

    __slots__ = ("_guard", "bell", "loop", "sessions")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.bell = _native.Bell()
        #: Connections, by what the bell calls them.
        self.sessions: dict[int | None, _Session] = {}
        self._guard: Any = None
        loop.add_reader(self.bell.descriptor(), self._hear)

    @classmethod
    def of_running_loop(cls) -> _Watch:
        loop = asyncio.get_running_loop()
        watch = base_client.watches.get(loop)
        if watch is None:
            watch = base_client.watches[loop] = cls(loop)
        found: _Watch = watch
        return found

    async def begin(self) -> None:
        """Connections are told when the event loop ends, from now on."""
        if self._guard is None:
            self._guard = _guard_loop(self)
            await self._guard.__anext__()

    def remove(self, session: _Session) -> None:
        """Nothing more is to be told of a connection."""
        if self.sessions.pop(session.native.number, None) is not None:
            self.end_unless_used()

    def end_unless_used(self) -> None:
        """Is there no longer, if there are no connections."""
        if self.sessions:
            return
        if base_client.watches.get(self.loop) is self:
            del base_client.watches[self.loop]
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
            self.loop.remove_reader(self.bell.descriptor())
        guard, self._guard = self._guard, None
        if guard is not None and not self.loop.is_closed():
            _hold(self.loop.create_task(guard.aclose()))

    async def abandon(self) -> None:
        """The event loop ends."""
        self._guard = None
        for session in list(self.sessions.values()):
            if session.begins:
                session.abandon()
                await session.close_http()

    def _hear(self) -> None:
        rung = self.bell.heard()
        while rung:
            session = self.sessions.get(rung.pop(0))
            if session is None:
                continue
            try:
                session.look()
            except BaseException:
                # The others have not been looked after, and do not ring again by themselves.
                for number in rung:
                    if number in self.sessions:
                        self.sessions[number].native.ring()
                raise


class _Session:
    """A connection, from the attempt to its end, and its place in an event loop."""

    __slots__ = (
        "__weakref__",
        "begins",
        "client",
        "ended",
        "ender",
        "farewell",
        "held",
        "http",
        "is_claimed",
        "is_left",
        "is_over",
        "loop",
        "native",
        "opened",
        "releasing",
        "requests",
        "running",
        "settled",
        "watch",
    )

    def __init__(
        self, client: AsyncClient, native: _native.Connection, watch: _Watch, http: Any
    ) -> None:
        self.client = client
        self.native = native
        self.watch = watch
        #: The HTTP session that it uses.
        self.http = http
        self.loop = watch.loop
        #: What the handshake has told, until it is known.
        self.opened: asyncio.Future[_native.Handshake] | None = self.loop.create_future()
        #: The upgrade has succeeded or failed, or there is none to wait for.
        self.settled = _Moment()
        #: The last handler has returned.
        self.ended = _Moment()
        self.is_claimed = False
        #: Whether nothing more comes of it.
        self.is_left = False
        #: Whether the client has left it: it does not connect again.
        self.is_over = False
        #: What is sent before the upgrade waits for it, so that the server sees one transport only.
        self.held: deque[str | bytes] | None = None
        #: Who sends it has this.
        self.releasing: asyncio.Lock | None = None
        #: The task that runs the disconnect handler, while the state is not final yet.
        self.ender: asyncio.Task[Any] | None = None
        self.begins = False
        #: The handler that others wait for: where they run one after the other, and at the end and the
        #: beginning of a connection that is one of several.
        self.running: asyncio.Future[Any] | None = None
        #: The disconnect handler of a connection that has broken, while it runs.
        self.farewell: asyncio.Task[None] | None = None
        self.requests = native.requests
        watch.sessions[native.number] = self

    @property
    def is_ending(self) -> bool:
        """Whether the disconnect handler runs."""
        return self.ender is not None

    def claim_end(self) -> bool:
        """Whether the caller is the one to run the disconnect handler."""
        first = not self.is_claimed
        self.is_claimed = True
        return first

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """The current task runs the disconnect handler."""
        self.ender = asyncio.current_task()
        try:
            yield
        finally:
            self.ender = None

    def check_wait(self) -> None:
        """Refuses to wait for what the current task itself has to bring about."""
        if self.ender is not None and self.ender is asyncio.current_task():
            raise RuntimeError(
                "wait() in a disconnect handler: the connection ends when the handler returns"
            )

    def hold_back(self) -> None:
        """What is sent waits for the upgrade, from now on."""
        self.held, self.releasing = deque(), asyncio.Lock()

    async def begin(self) -> None:
        """Handlers are called from now on."""
        self.begins = True
        await self.watch.begin()
        self.look()

    def closed(self, seconds: float) -> bool:
        """Waits for the end of the connection, as nothing else can be done. Says whether it has ended."""
        return self.native.closed(seconds)

    def await_end(self) -> None:
        """Looks for the end, though handlers may not have begun: that of connecting may disconnect."""
        if not self.begins:
            self.begins = True
            self.look()

    def leave(self) -> None:
        """Nothing more is wanted of the connection."""
        self.is_left = True
        if self.requests is not None:
            self.requests.close()
        try:
            self.client._keep_cookies(self)
        finally:
            self.settled.set()

    def end(self) -> None:
        """Nothing more is to be done for it."""
        self.ended.set()
        self.watch.remove(self)

    async def close_http(self) -> None:
        """An HTTP session that the client has made itself is for one connection."""
        http, self.http = self.http, None
        client = self.client
        if http is None or client.external_http:
            return
        if client.http is http:
            client.http = None
        with client._reporting("the HTTP session was not closed"):
            close = getattr(http, "close", None)
            if close is not None:
                closing = close()
                if asyncio.iscoroutine(closing):
                    await closing

    def abandon(self) -> None:
        """The event loop ends, and nobody has disconnected. What was sent is still delivered; handlers
        are not called any more."""
        if self.ended.is_set():
            return
        client = self.client
        self.claim_end()
        self.native.silence()
        self.native.close(True)
        self.leave()
        self.end()
        if client._session is self:
            client._forget()
            client._reset()

    def look(self) -> None:
        """There may be something to do."""
        if self.is_left:
            return
        if self.requests is not None:
            while (exchange := self.requests.take_now()) is not None:
                request = _sending.send_in_task(self.client, self.http, exchange)
                _hold(self.loop.create_task(request))
        if not self.begins:
            self._look_for_handshake()
            return
        if self.running is not None:
            return
        one_by_one = self.client.ordered or self.client.reconnection
        limit = 1 if one_by_one else _BATCH
        outcome = self.native.drain(self, limit)
        if outcome == _MORE:
            if self.running is None:
                self.loop.call_soon(self.look)
        elif outcome == _ENDED and not self.ended.is_set():
            try:
                self.leave()
            finally:
                if self.farewell is None:
                    self._finish()
                else:
                    self.farewell.add_done_callback(lambda _: self._finish())

    def _finish(self) -> None:
        if self.ended.is_set():
            return
        self.end()
        self.client.logger.info("Exiting write loop task")
        self.client.logger.info("Exiting read loop task")
        if not self.client.external_http and self.http is not None:
            _hold(self.loop.create_task(self.close_http()))

    def _look_for_handshake(self) -> None:
        if self.opened is None or self.opened.done():
            return
        try:
            facts = self.native.opened(0)
        except Exception as error:
            self.opened.set_exception(error)
            return
        if facts is not None:
            self.opened.set_result(facts)

    # What the native part calls.

    @property
    def handlers(self) -> Any:
        return self.client.handlers

    def _sink(self) -> Callable[[Any], Any] | None:
        return self.client._sink()

    def _handle_result(self, result: Any) -> None:
        task = self.client._handle_result(result)
        if task is not None and self.client.ordered:
            self.await_first(task)

    def await_first(self, task: asyncio.Future[Any]) -> None:
        """Handles nothing else before the task is done."""
        self.running = task
        task.add_done_callback(self._go_on)

    def await_no_more(self) -> None:
        """Handles what is left, though the current task is not done: it ends the connection."""
        if self.running is not None and self.running is asyncio.current_task():
            self.running.remove_done_callback(self._go_on)
            self._go_on(self.running)

    def _go_on(self, _: object) -> None:
        self.running = None
        if not self.ended.is_set():
            self.look()

    def _handle_error(self, error: BaseException) -> None:
        self.client._handle_error(error)

    def _handle_event(self, name: str, facts: Any) -> None:
        self.client._handle_event(self, name, facts)


async def _guard_loop(watch: _Watch) -> AsyncIterator[None]:
    """Event loops that end close the asynchronous generators that they have begun: this one tells the
    connections."""
    try:
        yield
    finally:
        await watch.abandon()


class AsyncClient(base_client.BaseClient):
    """An Engine.IO client for asyncio. See `Client` for the arguments and for what can be read;
    `http_session` is an `aiohttp.ClientSession`, or a function or coroutine function that makes one, and
    `websocket_extra_options` are in the words of aiohttp's `ClientSession.ws_connect`, and `sslopt` as
    `Client` has it.

    A session of aiohttp sends the requests of polling itself. WebSockets are opened with what can be read
    from it: headers, cookies, login, proxy, and of an `ssl.SSLContext` whom it trusts and which ciphers it
    has; the certificate that it shows cannot be read, and has to be named by `sslopt`. A session that would
    open them in other ways, as by a connector or a resolver of the program's own, is a `TypeError` of
    `connect()`, unless `transports` is ``['polling']``.

    Handlers may be functions or coroutine functions. Functions run one after the other in the order of
    arrival; coroutines start in that order, each as a task, and with `ordered` none before the one before
    it has returned. `dispatch` is not for this client: its handlers run on the event loop.

    >>> import asyncio
    >>> async def main():
    ...     client = AsyncClient()
    ...     arrived = client.create_queue()
    ...
    ...     @client.on("message")
    ...     async def on_message(data):
    ...         await arrived.put(data)
    ...
    ...     await client.connect("http://localhost:5000")
    ...     await client.send("hello")
    ...     print(await arrived.get())
    ...     await client.disconnect()
    >>> asyncio.run(main())
    hello
    """

    def _base(self) -> type[base_client.BaseClient]:
        return AsyncClient

    def _choose_dispatch(self, dispatch: str | None) -> str:
        if dispatch is not None:
            raise TypeError("dispatch: the handlers of an AsyncClient run on its event loop")
        return "loop"

    def is_asyncio_based(self) -> bool:
        """Whether this is an asyncio client."""
        return True

    async def connect(
        self,
        url: str,
        headers: Mapping[str, Any] | None = None,
        transports: list[str] | str | None = None,
        engineio_path: str = "engine.io",
    ) -> bool | None:
        """Connects to a server, and returns when the connection is open and has the transport that it will
        have. Arguments and errors are those of `Client.connect`. Who is cancelled here has no
        connection."""
        self._handle_signals()
        self._leave_dead_loop()
        self._leave_ended_session()
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        self.transports = self._choose_transports(transports)
        connect = getattr(self, f"_connect_{self.transports[0]}")
        opened: bool | None = await connect(url, headers or {}, engineio_path)
        return opened

    async def _connect_polling(
        self, url: str, headers: Mapping[str, Any], engineio_path: str
    ) -> bool | None:
        """Opens a session by polling, and upgrades it where that is wanted."""
        return await self._open(url, headers, engineio_path, "polling")

    async def _connect_websocket(
        self, url: str, headers: Mapping[str, Any], engineio_path: str
    ) -> bool | None:
        """Opens a session with a WebSocket."""
        return await self._open(url, headers, engineio_path, "websocket")

    async def _open(
        self, url: str, headers: Mapping[str, Any], engineio_path: str, way: str
    ) -> bool:
        self._renew_queue()
        left = await self._make_http()
        try:
            url, options, cookies = _settings.options(self, url, headers, engineio_path)
            self.base_url = self._get_engineio_url(url, engineio_path, way)
            name = "polling connection" if way == "polling" else "WebSocket connection"
            self.logger.info(f"Attempting {name} to {self.base_url}")
            if left:
                _sending.check(self.http)
                _sending.give_cookies(self.http, headers)
            watch = _Watch.of_running_loop()
            try:
                native = _native.Connection(url, options, watch.bell, left, cookies)
            except BaseException:
                watch.end_unless_used()
                raise
        except BaseException:
            await self._drop_http()
            raise
        session = _Session(self, native, watch, self.http)
        base_client.sessions.add(session)
        try:
            assert session.opened is not None
            facts = await session.opened
            session.opened = None
        except BaseException as error:
            session.leave()
            session.end()
            native.close(False)
            self._reset()
            await session.close_http()
            if isinstance(error, _connecting.ConnectFailed):
                raise _connecting.explain(error) from error
            raise
        name = name[0].upper() + name[1:]
        self.logger.info(f"{name} accepted with {base_client.shown(facts)}")
        self._keep_cookies(session)
        upgrade_url = self._get_engineio_url(url, engineio_path, "websocket")
        await self._enter(session, facts, upgrade_url)
        return True

    async def _make_http(self) -> bool:
        """Makes the HTTP session, if it is left to a function. Says whether it sends requests itself."""
        if self.http_factory is not None and (self.http is None or _is_closed(self.http)):
            made = self.http_factory()
            self.http = await made if asyncio.iscoroutine(made) else made
        wanted = self._sends_requests()
        if self.http is None and wanted:
            import aiohttp

            self.http = aiohttp.ClientSession()
        return wanted or _settings.is_left_to_session(self.http)

    async def _drop_http(self) -> None:
        http = self.http
        if http is not None and not self.external_http:
            self.http = None
            with self._reporting("the HTTP session was not closed"):
                closing = http.close() if hasattr(http, "close") else None
                if asyncio.iscoroutine(closing):
                    await closing

    async def _enter(
        self, session: _Session, facts: _native.Handshake, upgrade_url: str
    ) -> None:
        """A connection is open: the handlers begin to work."""
        self._session = session
        self._note_handshake(facts)
        upgrades = self._awaits_upgrade(facts)
        if upgrades:
            session.hold_back()
        self.state = "connected"
        base_client.connected_clients.append(self)
        try:
            await self._trigger_event("connect", run_async=False)
        except BaseException as error:
            if session.claim_end():
                session.native.close(False)
                session.leave()
                session.end()
                self._forget()
                self._reset()
                await session.close_http()
            if not isinstance(error, Exception):
                raise
            self.logger.exception("connect handler error")
            raise exceptions.ConnectionError(f"Connect handler failed: {error}") from error
        if self._session is not session:
            return
        if upgrades:
            self.logger.info(f"Attempting WebSocket upgrade to {upgrade_url}")
        try:
            await session.begin()
            if upgrades:
                with contextlib.suppress(asyncio.TimeoutError):
                    limit = 2 * self.request_timeout + 1
                    await asyncio.wait_for(session.settled.wait(), limit)
                self._keep_cookies(session)
        except BaseException:
            # Who is cancelled here has no connection.
            if self._session is session:
                await self.disconnect(abort=True)
            raise
        finally:
            await self._release(session)

    async def wait(self) -> None:
        """Waits until the connection has ended: the last one, if a handler connects again. Returns at once
        where there is none. Cancelling this leaves the connection alone.

        Raises `RuntimeError` in a disconnect handler, whose return is what ends the connection."""
        self._leave_dead_loop()
        session = self._session
        while session is not None:
            session.check_wait()
            await session.ended.wait()
            if session is self._session:
                return
            session = self._session

    async def send(self, data: Any) -> None:
        """Sends a message, as `Client.send` does. Waits only where too much waits already."""
        own = AsyncClient._send_packet
        if type(self)._send_packet is not own or "_send_packet" in self.__dict__:
            await self._send_packet(packet.Packet(packet.MESSAGE, data=data))
            return
        if self._logs():
            self._log_packet("Sending packet %s data %s", packet.MESSAGE, data)
        # As in `Client`: nearly everything is text over a connection that is open.
        session = self._session
        if (
            type(data) is str
            and session is not None
            and session.held is None
            and self.state == "connected"
            and session.native.send_text(data) == _SENT
        ):
            return
        await self._send_message(data)

    async def _send_message(self, data: Any) -> None:
        session = self._session
        if session is None or self.state == "disconnected" and not self.reconnection:
            if self.strict:
                raise self._closed_error()
            return
        if not isinstance(data, (str, bytes)):
            data = self._encode(data)
        if session.held is not None:
            session.held.append(data if isinstance(data, str) else bytes(data))
            return
        await self._send_encoded(session, data)

    async def _release(self, session: _Session) -> None:
        if session.releasing is None:
            return
        # Whoever comes second goes on where the first is cancelled.
        async with session.releasing:
            while session.held:
                try:
                    await self._send_encoded(session, session.held[0])
                except Exception:
                    self.logger.exception("a message of the connect handler was not sent")
                session.held.popleft()
            session.held = None

    async def _send_encoded(self, session: _Session, data: Any) -> None:
        native = session.native
        send: Callable[[Any], int]
        send = native.send_text if isinstance(data, str) else native.send_binary
        result = send(data)
        if result == _SENT:
            return
        if result == _FULL:
            if self.when_full == "raise":
                raise queue.Full(f"{native.waiting()[0]} messages wait to be sent")
            while result == _FULL:
                await asyncio.sleep(0.005)
                result = send(data)
        if result == _CLOSED and self.strict:
            raise self._closed_error()

    async def disconnect(self, abort: bool = False, reason: str | None = None) -> None:
        """Ends the connection, and calls the disconnect handler. Arguments are those of
        `Client.disconnect`."""
        self._leave_dead_loop()
        session = self._session
        if session is None or self.state == "disconnected":
            if session is not None:
                # It may still try to connect again.
                session.is_over = True
                session.native.close(not abort)
            self._reset()
            return
        if not session.claim_end():
            # Another task ends it, or this is the disconnect handler. That of a connection which has
            # broken may say so that no other follows.
            if not (session.is_ending and session.is_over):
                session.is_over = True
                session.native.close(not abort)
            return
        session.is_over = True
        self.state = "disconnecting"
        session.native.silence()
        try:
            self._log_packet("Sending packet %s data %s", packet.CLOSE, None)
            with session.ending():
                await self._run_disconnect_handler(reason or self.reason.CLIENT_DISCONNECT)
        finally:
            # Whatever cancels this, the client can connect again afterwards.
            try:
                if not abort and session.held is not None:
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._release(session), self.close_timeout + 1)
                session.native.close(not abort)
                session.await_end()
                if not abort:
                    session.await_no_more()
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(session.ended.wait(), self.close_timeout + 1)
            finally:
                if self._session is session:
                    self._forget()
                    self._reset()
                if not abort:
                    await session.close_http()

    def start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Starts a task for the coroutine that `target` returns for the other arguments, and returns
        it."""
        return _hold(asyncio.ensure_future(target(*args, **kwargs)))

    async def sleep(self, seconds: float = 0) -> None:
        """Sleeps for some seconds."""
        return await asyncio.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> asyncio.Queue[Any]:
        """An `asyncio.Queue`, with the arguments of one."""
        made: Any = asyncio.Queue(*args, **kwargs)
        made.Empty = asyncio.QueueEmpty
        queue: asyncio.Queue[Any] = made
        return queue

    def get_queue_empty_exception(self) -> type[Exception]:
        """What a queue of `create_queue()` raises when it is empty: `asyncio.QueueEmpty`."""
        return asyncio.QueueEmpty

    def create_event(self) -> asyncio.Event:
        """An `asyncio.Event`."""
        return asyncio.Event()

    # Handlers.

    async def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        """Calls a handler; with `run_async`, a coroutine function's coroutine becomes a task."""
        handler = self.handlers.get(event)
        if handler is None:
            return None
        if event == "disconnect":
            result = self._call_disconnect_handler(handler, *args)
        else:
            result = handler(*args)
        if not asyncio.iscoroutine(result):
            return result
        if run_async:
            return _hold(asyncio.ensure_future(result))
        return await result

    async def _run_disconnect_handler(self, reason: str) -> None:
        try:
            await self._trigger_event("disconnect", reason, run_async=False)
        except asyncio.CancelledError:
            raise
        except Exception:
            self.logger.exception("disconnect handler error")

    def _handle_result(self, result: Any) -> asyncio.Future[Any] | None:
        """A handler of messages has returned something: if it is to be awaited, a task does."""
        if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
            return _hold(asyncio.ensure_future(result))
        return None

    def _handle_error(self, error: BaseException) -> None:
        """A handler of messages has raised: it is reported as an error of the event loop."""
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        loop = asyncio.get_running_loop()
        context = {"message": "message handler error", "exception": error}
        loop.call_exception_handler(context)

    def _handle_event(self, session: _Session, name: str, facts: Any) -> None:
        if name == "upgraded":
            self.current_transport = "websocket"
            self.logger.info("WebSocket upgrade was successful")
            session.settled.set()
        elif name == "upgrade_failed":
            detail = base_client.printable(facts["detail"] or "no connection")
            self.logger.warning(f"WebSocket upgrade failed: {detail}")
            session.settled.set()
        elif name == "disconnected":
            session.settled.set()
            session.farewell = _hold(asyncio.ensure_future(self._say_farewell(session, facts)))
            if self.reconnection:
                session.await_first(session.farewell)
        elif name == "connected":
            session.await_first(_hold(asyncio.ensure_future(self._greet_again(session, facts))))
        elif name == "reconnecting":
            self.logger.info("Reconnecting in %s seconds", facts["delay"])
        elif name == "reconnect_failed":
            self.logger.info("Reconnection failed: %s", facts["error"])
        elif name == "gave_up" and facts["unsent"]:
            self.logger.warning("%s messages were not sent", facts["unsent"])

    async def _say_farewell(self, session: _Session, facts: dict[str, Any]) -> None:
        reason = self._reason_of(facts)
        if not session.claim_end():
            return
        if facts["unsent"]:
            self.logger.warning("%s messages may not have been delivered", facts["unsent"])
        if reason == self.reason.TRANSPORT_ERROR:
            self._log_loss(facts)
        else:
            if reason == self.reason.SERVER_DISCONNECT:
                self._log_packet("Received packet %s data %s", packet.CLOSE, "")
            self.state = "disconnecting"
        try:
            with session.ending():
                await self._run_disconnect_handler(reason)
        finally:
            if self._session is session:
                self._forget()
                self._reset()

    async def _greet_again(self, session: _Session, facts: _native.Handshake) -> None:
        if session.is_over or self._session is not session:
            return
        session.farewell = None
        session.is_claimed = False
        self._note_handshake(facts)
        self.state = "connected"
        base_client.connected_clients.append(self)
        try:
            await self._trigger_event("connect", run_async=False)
        except BaseException as error:
            self.logger.exception("connect handler error")
            await self.disconnect(abort=True)
            if not isinstance(error, Exception):
                raise

    def _leave_dead_loop(self) -> None:
        """An event loop that was closed takes its connection with it."""
        session = self._session
        if session is not None and session.loop.is_closed():
            session.abandon()

    def _handle_signals(self) -> None:
        global _handling_loop, async_signal_handler_set
        loop = asyncio.get_running_loop()
        is_handled = async_signal_handler_set and _handling_loop in (None, weakref.ref(loop))
        if (
            self.handle_sigint
            and not is_handled
            and threading.current_thread() is threading.main_thread()
        ):
            try:
                loop.add_signal_handler(signal.SIGINT, async_signal_handler)
            except NotImplementedError:
                self.logger.warning("Signal handler is unsupported")
            async_signal_handler_set, _handling_loop = True, weakref.ref(loop)

    # For subclasses that look at packets and requests.

    async def _send_packet(self, pkt: packet.Packet) -> None:
        """Sends a packet. Only messages are sent this way; the rest of the protocol runs elsewhere."""
        if self._logs():
            self._log_packet("Sending packet %s data %s", pkt.packet_type, pkt.data)
        if pkt.packet_type == packet.MESSAGE:
            await self._send_message(pkt.data)

    async def _receive_packet(self, pkt: packet.Packet) -> Any:
        """Handles a packet. Only messages come this way."""
        if self._logs():
            self._log_packet("Received packet %s data %s", pkt.packet_type, pkt.data)
        if pkt.packet_type == packet.MESSAGE:
            return await self._trigger_event("message", pkt.data, run_async=not self.ordered)
        return None

    async def _send_request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Sends a request of a polling session, where that is left to an HTTP session of Python. Returns
        the answer, or a string that says why there is none."""
        return await _sending.send_async(self, self.http, method, url, headers, body, timeout)


def _is_closed(http: Any) -> bool:
    return bool(getattr(http, "closed", False))
