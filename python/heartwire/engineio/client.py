"""A client for programs without an event loop."""

from __future__ import annotations

import queue
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from heartwire import _native
from heartwire.engineio import (
    _connecting,
    _green,
    _sending,
    _session,
    _settings,
    base_client,
    exceptions,
    packet,
)
from heartwire.engineio._session import Queue, waiting

_SENT, _CLOSED, _FULL = (
    _native.Connection.SENT,
    _native.Connection.CLOSED,
    _native.Connection.FULL,
)
_MORE, _REST, _ENDED = (
    _native.Connection.MORE,
    _native.Connection.REST,
    _native.Connection.ENDED,
)

#: Seconds after which `wait()` looks again, in case another thread has ended the connection.
_GLANCE = 1

#: Seconds for threads that have nothing left to do to be gone.
_JOINING = 0.25


class Client(base_client.BaseClient):
    """An Engine.IO client for programs without an event loop.

    The network runs on a thread of its own, outside of Python: heartbeats are answered while the program
    computes. Handlers run one after the other in the order of arrival, on a thread that serves all clients
    of the process; one that blocks does not keep the others from running, nor those of other clients.
    Where gevent or eventlet has replaced threads, they are the library's, and whatever waits here lets the
    others run.

    :param logger: ``True`` to log to the logger ``engineio.client``, ``False`` to log errors only, or a
        logger. ``False`` by default.
    :param json: a module with `dumps` and `loads` to use for all clients of the process; that of the
        standard library by default.
    :param request_timeout: seconds for the server to answer a request, 5 by default.
    :param http_session: a `requests.Session`, or a function that makes one for each connection, whose
        headers, cookies, authentication, certificates and proxies are used.
    :param ssl_verify: ``True`` to trust whom the system trusts, ``False`` to accept any server, or the
        path of certificates to trust.
    :param handle_sigint: whether Ctrl-C disconnects the client.
    :param websocket_extra_options: options for WebSockets, in the words of websocket-client's
        `create_connection`. One that cannot be had is a `TypeError` of `connect()` that says why.
    :param timestamp_requests: whether each request has a parameter that no cache has seen before.

    What follows is not in python-engineio, and by keyword only:

    :param reconnection: ``True`` to connect again when a connection breaks, or a dictionary with any of
        ``delay`` and ``delay_max`` (seconds, 0.5 and 30 by default), ``randomization_factor`` (0.5),
        ``attempts`` (no limit), and ``retry_first``, whether the attempt of `connect()` is repeated too
        (it is not). Off by default. `disconnect()` ends it, within the disconnect handler as well.
    :param send_limits: messages and bytes that may wait to be sent; 100 000 and 64 MiB by default.
    :param when_full: what `send()` does beyond that: ``'wait'``, or ``'raise'`` `queue.Full`.
    :param receive_limit: bytes that may wait for handlers before the client stops reading, 64 MiB by
        default.
    :param max_message: bytes of a message that are accepted, 64 MiB by default. A larger one breaks the
        connection.
    :param close_timeout: seconds for `disconnect()` to send what waits; `request_timeout` by default.
    :param ordered: whether a handler is never started before the one before it has returned. A handler
        that waits for another one then waits for ever.
    :param dispatch: where handlers of messages and of the end of a connection run: ``'threads'``, on
        threads of the client, or ``'inline'``, on the thread that calls `pump()` or `wait()`, for
        programs whose objects belong to one thread, as those of Qt and pygame do.

    What can be read from a client: `state` (``'connected'``, ``'disconnecting'`` or ``'disconnected'``),
    `sid` (the id of the session, `None` without one), `base_url` (the address of the last attempt),
    `transports` (those that are wanted), `upgrades` (those that the server offers), `ping_interval` and
    `ping_timeout` (seconds, as the server has said), and the arguments, under their names.

    >>> client = Client()
    >>> arrived = client.create_queue()
    >>> @client.on("message")
    ... def on_message(data):
    ...     arrived.put(data)
    >>> client.connect("http://localhost:5000")
    True
    >>> client.send("hello")
    >>> arrived.get()
    'hello'
    >>> client.disconnect()
    """

    def _base(self) -> type[base_client.BaseClient]:
        return Client

    def _choose_dispatch(self, dispatch: str | None) -> str:
        dispatch = "threads" if dispatch is None else dispatch
        if dispatch not in ("threads", "inline"):
            raise ValueError(f"dispatch is 'threads' or 'inline', not {dispatch!r}")
        return dispatch

    def connect(
        self,
        url: str,
        headers: Mapping[str, Any] | None = None,
        transports: list[str] | str | None = None,
        engineio_path: str = "engine.io",
    ) -> bool | None:
        """Connects to a server, and returns when the connection is open and has the transport that it
        will have.

        The connect handler is called before; where it raises, there is no connection. A handler of
        `disconnect` may call this.

        :param url: the server's address, with query parameters for every request. Its path is left out.
        :param headers: headers for every request.
        :param transports: ``['polling', 'websocket']``, the default: begin by polling, and upgrade where
            that works; or one of the two. What comes first in the list is begun with.
        :param engineio_path: the path of the endpoint.

        Raises `ConnectionError` where there is no connection: its kinds are `TimeoutError` and
        `InvalidURL`. Raises `ValueError` for arguments that cannot be used and for a client that is
        connected, `TypeError` for an option of `websocket_extra_options` that is not available, and
        `RuntimeError` where a library other than gevent and eventlet has replaced threads.

        >>> from heartwire.engineio import exceptions
        >>> try:
        ...     Client().connect("http://localhost:5000", engineio_path="elsewhere")
        ... except exceptions.ConnectionError as error:
        ...     print(error)
        Unexpected status code 404 in server response
        """
        self._leave_ended_session()
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        self.transports = self._choose_transports(transports)
        connect = getattr(self, f"_connect_{self.transports[0]}")
        opened: bool | None = connect(url, headers or {}, engineio_path)
        return opened

    def _connect_polling(self, url: str, headers: Mapping[str, Any], engineio_path: str) -> bool | None:
        """Opens a session by polling, and upgrades it where that is wanted."""
        return self._open(url, headers, engineio_path, "polling")

    def _connect_websocket(self, url: str, headers: Mapping[str, Any], engineio_path: str) -> bool | None:
        """Opens a session with a WebSocket."""
        return self._open(url, headers, engineio_path, "websocket")

    def _open(self, url: str, headers: Mapping[str, Any], engineio_path: str, way: str) -> bool:
        self._renew_queue()
        left = self._make_http()
        http = self.http
        try:
            url, options, cookies = _settings.options(self, url, headers, engineio_path)
            self.base_url = self._get_engineio_url(url, engineio_path, way)
            name = "polling connection" if way == "polling" else "WebSocket connection"
            self.logger.info(f"Attempting {name} to {self.base_url}")
            green = _green.library()
            if green and left and self.dispatch == "inline":
                raise RuntimeError(
                    "nobody would send requests between two calls of pump() where threads are green: "
                    "use dispatch='threads', or an http_session without adapters, hooks and so on"
                )
            needs_bell = green is not None or self.dispatch == "inline"
            bell = _native.Bell() if needs_bell else None
            native = _native.Connection(url, options, bell, left, cookies)
        except BaseException:
            self._drop_http(http)
            raise
        session = _session.Session(native, http, bell)
        base_client.sessions.add(session)
        try:
            if native.requests is not None:
                _sending.check(http)
                _sending.give_cookies(http, headers)
            if green is not None:
                session.green = _green.Green(self, session, green)
            elif native.requests is not None:
                _sending.send_in_threads(self, http, native.requests)
            with waiting():
                facts = session.green.opened() if session.green else native.opened(float("inf"))
            assert facts is not None
            if session.green is not None and self.dispatch == "threads":
                session.green.listen()
        except BaseException as error:
            native.close(False)
            session.end(self)
            self._reset()
            if isinstance(error, _connecting.ConnectFailed):
                raise _connecting.explain(error) from error
            raise
        name = name[0].upper() + name[1:]
        self.logger.info(f"{name} accepted with {base_client.shown(facts)}")
        self._keep_cookies(session)
        upgrade_url = self._get_engineio_url(url, engineio_path, "websocket")
        self._enter(session, facts, upgrade_url)
        return True

    def _drop_http(self, http: Any) -> None:
        """An HTTP session that the client has made itself is for one connection."""
        if http is None or self.external_http:
            return
        if self.http is http:
            self.http = None
        with self._reporting("the HTTP session was not closed"):
            close = getattr(http, "close", None)
            if close is not None:
                close()

    def _make_http(self) -> bool:
        """Makes the HTTP session, if it is left to a function. Says whether it sends requests itself."""
        if self.http is None and self.http_factory is not None:
            self.http = self.http_factory()
        wanted = self._sends_requests()
        if self.http is None and wanted:
            import requests  # type: ignore[import-untyped,unused-ignore]

            self.http = requests.Session()
        return wanted or _settings.is_left_to_session(self.http)

    def _enter(
        self, session: _session.Session, facts: _native.Handshake, upgrade_url: str
    ) -> None:
        """A connection is open: the handlers begin to work."""
        self._session = session
        self.read_loop_task = _session.Loop(session)
        self._note_handshake(facts)
        upgrades = self._awaits_upgrade(facts)
        if upgrades:
            session.hold_back()
        self.state = "connected"
        base_client.connected_clients.append(self)
        try:
            self._trigger_event("connect", run_async=False)
        except BaseException as error:
            if session.claim_end():
                session.native.close(False)
                session.end(self)
                self._forget()
                self._reset()
            if not isinstance(error, Exception):
                raise
            self.logger.exception("connect handler error")
            raise exceptions.ConnectionError(f"Connect handler failed: {error}") from error
        if self._session is not session:
            return
        if upgrades:
            self.logger.info(f"Attempting WebSocket upgrade to {upgrade_url}")
        try:
            session.handlers = _session.Handlers(self, session)
            if session.green is not None and self.dispatch == "threads":
                session.green.begin()
            elif self.dispatch == "threads":
                session.native.begin(session.handlers, self.ordered)
            if upgrades:
                self._await_upgrade(session)
        except BaseException:
            # Who is interrupted here has no connection.
            if self._session is session:
                self.disconnect(abort=True)
            raise
        finally:
            self._release(session)

    def _await_upgrade(self, session: _session.Session) -> None:
        limit = 2 * self.request_timeout + 1
        if self.dispatch == "threads":
            with waiting():
                session.settled.wait(limit)
        else:
            keeper = _session.Waiting(self, session)
            deadline = time.monotonic() + limit
            while not session.settled.is_set() and (left := deadline - time.monotonic()) > 0:
                if session.native.drain(keeper, 1) == _REST:
                    self._await_bell(session, left)
            # The first `pump()` is to look, whatever has come by now.
            session.native.ring()
        self._keep_cookies(session)

    def _await_bell(self, session: _session.Session, seconds: float) -> None:
        """Waits until something has arrived for `pump()`."""
        with selectors.DefaultSelector() as selector:
            selector.register(session.bell.descriptor(), selectors.EVENT_READ)
            selector.select(seconds)
        session.bell.heard()

    def wait(self) -> None:
        """Waits until the connection has ended: the last one, if a handler connects again. With
        ``dispatch='inline'``, the handlers run meanwhile. Returns at once where there is none.

        Ctrl-C ends it with a `KeyboardInterrupt`. Raises `RuntimeError` in a disconnect handler, whose
        return is what ends the connection."""
        session = self._session
        while session is not None:
            session.check_wait()
            if self.dispatch == "threads":
                with waiting():
                    session.ended.wait()
            else:
                while self._session is session and not session.handled.is_set():
                    if self.pump() == 0 and not session.handled.is_set():
                        self._await_bell(session, _GLANCE)
                if self._session is session:
                    session.ended.wait()
            if session is self._session:
                return
            session = self._session

    def pump(self, *, max_ms: float | None = None, max_messages: int | None = None) -> int:
        """Runs the handlers of everything that waits when it is called, on this thread, but stops after
        `max_ms` milliseconds or `max_messages`: the rest waits for the next call. Returns how much it
        has handled. For clients with ``dispatch='inline'``.

        An exception of a handler of messages comes out of here; what is behind that message still waits.
        Raises `RuntimeError` if the client has threads for its handlers.

        >>> client = Client(dispatch="inline")
        >>> client.on("message", print)
        <built-in function print>
        >>> client.connect("http://localhost:5000")
        True
        >>> client.send("hello")
        >>> while client.pump() == 0:
        ...     pass
        hello
        >>> client.disconnect()
        """
        if self.dispatch != "inline":
            raise RuntimeError("the client has threads for its handlers: use dispatch='inline'")
        session = self._session
        if session is None or session.handled.is_set() or session.handlers is None:
            return 0
        if max_messages == 0:
            return 0
        native = session.native
        session.bell.heard()
        # Where nothing waits, a look says whether the connection has ended.
        left = max(len(session.early) + native.pending(), 1)
        if max_messages is not None:
            left = min(left, max_messages)
        until = None if max_ms is None else time.monotonic() + max_ms / 1000
        count = 0
        outcome = _MORE
        try:
            while count < left:
                if session.early:
                    self._handle_early(session)
                else:
                    outcome = native.drain(session.handlers, 1)
                    if outcome != _MORE:
                        break
                count += 1
                error, self._pumped_error = self._pumped_error, None
                if error is not None:
                    raise error
                if until is not None and time.monotonic() >= until:
                    break
        finally:
            if outcome == _ENDED:
                session.end(self)
            elif outcome == _MORE:
                # There may be more, and nobody else would say so.
                native.ring()
        return count

    def _handle_early(self, session: _session.Session) -> None:
        self._handle_arrived(session, *session.early.pop(0))

    def _handle_arrived(self, session: _session.Session, name: str, what: Any) -> None:
        if name == "message":
            try:
                self._receive_message(what)
            except Exception as error:
                self._handle_error(error)
        else:
            self._handle_event(session, name, what)

    def fileno(self) -> int:
        """A file descriptor that is readable when there may be something to `pump()`, for the event
        loops of other libraries. Raises `RuntimeError` if the client has threads for its handlers, or
        no connection."""
        session: _session.Session | None = self._session
        if self.dispatch != "inline" or session is None:
            raise RuntimeError("only a connected client with dispatch='inline' has one")
        descriptor: int = session.bell.descriptor()
        return descriptor

    def send(self, data: Any) -> None:
        """Sends a message: a string, bytes, or a dictionary or list, which travels as JSON; anything
        else as `str(data)`.

        It is delivered once and in order. Returns when it waits to be sent; where too much waits already,
        `when_full` says what happens. May be called from any thread, and by handlers.

        Raises `SocketIsClosedError` if there is no connection, `ContentTooLongError` if the server takes
        no message of that size, `queue.Full` if `when_full` says so, and what `json.dumps` raises.
        """
        if type(self)._send_packet is not Client._send_packet or "_send_packet" in self.__dict__:
            self._send_packet(packet.Packet(packet.MESSAGE, data=data))
            return
        if self._logs():
            self._log_packet("Sending packet %s data %s", packet.MESSAGE, data)
        # Nearly everything is text over a connection that is open: one call of Python less for each step.
        session = self._session
        if (
            type(data) is str
            and session is not None
            and session.held is None
            and self.state == "connected"
            and session.native.send_text(data) == _SENT
        ):
            return
        self._send_message(data)

    def _send_message(self, data: Any) -> None:
        session = self._session
        if session is None or self.state == "disconnected" and not self.reconnection:
            if self.strict:
                raise self._closed_error()
            return
        if not isinstance(data, (str, bytes)):
            data = self._encode(data)
        if session.held is not None and session.hold(data if isinstance(data, str) else bytes(data)):
            return
        self._send_encoded(session, data)

    def _release(self, session: _session.Session) -> None:
        def send(data: str | bytes) -> None:
            try:
                self._send_encoded(session, data)
            except Exception:
                self.logger.exception("a message of the connect handler was not sent")

        session.release(send, self.close_timeout + 1)

    def _send_encoded(self, session: _session.Session, data: Any) -> None:
        native = session.native
        send: Callable[[Any], int]
        send = native.send_text if isinstance(data, str) else native.send_binary
        result = send(data)
        if result == _SENT:
            return
        if result == _FULL:
            if self.when_full == "raise":
                raise queue.Full(f"{native.waiting()[0]} messages wait to be sent")
            send = native.send_text_patiently if isinstance(data, str) else native.send_binary_patiently
            with waiting():
                result = session.green.send_patiently(data) if session.green else send(data)
        if result == _CLOSED and self.strict:
            raise self._closed_error()

    def disconnect(self, abort: bool = False, reason: str | None = None) -> None:
        """Ends the connection, and calls the disconnect handler. Does nothing where there is none, but that
        no attempt to connect again follows. May be called from any thread, and by handlers.

        :param abort: drop what waits to be sent, and return at once. Otherwise it is sent first, for
            `close_timeout` seconds at most.
        :param reason: what the disconnect handler is told; `reason.CLIENT_DISCONNECT` by default.
        """
        session = self._session
        if session is None or self.state == "disconnected":
            if session is not None:
                # It may still try to connect again.
                session.is_over = True
                session.native.close(not abort)
            self._reset()
            return
        if not session.claim_end():
            # Another thread ends it, or this is the disconnect handler. That of a connection which has
            # broken may say so that no other follows.
            if not (session.is_ending and session.is_over):
                session.is_over = True
                session.native.close(not abort)
            return
        session.is_left = session.is_over = True
        self.state = "disconnecting"
        session.rests = session.silence()
        try:
            self._log_packet("Sending packet %s data %s", packet.CLOSE, None)
            with session.ending():
                self._run_disconnect_handler(reason or self.reason.CLIENT_DISCONNECT)
        finally:
            # Whatever interrupts this, the client can connect again afterwards.
            try:
                if not abort:
                    self._release(session)
                session.native.close(not abort)
                if not abort:
                    self._await_end(session)
            finally:
                if session.rests:
                    session.end(self)
                if self._session is session:
                    self._forget()
                    self._reset()
                session.leave()

    def _await_end(self, session: _session.Session) -> None:
        """Waits until what waited is sent, and the threads are gone that have nothing left to do."""
        with waiting():
            session.closed(self.close_timeout + 1)
            if session.rests:
                session.end(self)
            if not (self.ordered and session.is_dispatching()):
                session.handled.wait(self.close_timeout + 1)
        session.join_threads(_JOINING)

    def start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> threading.Thread:
        """Starts a thread that calls `target` with the other arguments, and returns it. The program does
        not wait for it when it ends.

        >>> task = Client().start_background_task(print, "working")
        working
        >>> task.join()
        """
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def sleep(self, seconds: float = 0) -> None:
        """Sleeps for some seconds. Other handlers run meanwhile."""
        with waiting():
            time.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> Queue:
        """A `queue.Queue`, with the arguments of one, for whose items a handler may wait while other
        handlers run."""
        return Queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """What a queue of `create_queue()` raises when it is empty: `queue.Empty`."""
        return queue.Empty

    def create_event(self, *args: Any, **kwargs: Any) -> threading.Event:
        """A `threading.Event` for which a handler may wait while other handlers run."""
        return _session.Event(*args, **kwargs)

    # Handlers.

    def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        """Calls a handler. `run_async` has no meaning here: handlers of messages always run on the
        client's own threads."""
        handler = self.handlers.get(event)
        if handler is None:
            return None
        if event == "disconnect":
            return self._call_disconnect_handler(handler, *args)
        return handler(*args)

    def _run_disconnect_handler(self, reason: str) -> None:
        try:
            self._trigger_event("disconnect", reason, run_async=False)
        except Exception:
            self.logger.exception("disconnect handler error")

    def _handle_error(self, error: BaseException) -> None:
        """A handler of messages has raised: it is reported as an error of the thread, or raised where
        the program has called `pump()`."""
        if self.dispatch == "inline":
            self._pumped_error = error
        else:
            _session.report_error(error)

    #: What a handler that `pump()` has called has raised.
    _pumped_error: BaseException | None = None

    def _handle_event(self, session: _session.Session, name: str, facts: Any) -> None:
        if name == "upgraded":
            self.current_transport = "websocket"
            self.logger.info("WebSocket upgrade was successful")
            session.settled.set()
        elif name == "upgrade_failed":
            detail = base_client.printable(facts["detail"] or "no connection")
            self.logger.warning(f"WebSocket upgrade failed: {detail}")
            session.settled.set()
        elif name == "disconnected":
            self._handle_disconnected(session, facts)
        elif name == "connected":
            self._handle_reconnected(session, facts)
        elif name == "reconnecting":
            self.logger.info("Reconnecting in %s seconds", facts["delay"])
        elif name == "reconnect_failed":
            self.logger.info("Reconnection failed: %s", facts["error"])
        elif name == "gave_up" and facts["unsent"]:
            self.logger.warning("%s messages were not sent", facts["unsent"])

    def _handle_disconnected(self, session: _session.Session, facts: dict[str, Any]) -> None:
        session.settled.set()
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
                self._run_disconnect_handler(reason)
        finally:
            if self._session is session:
                self._forget()
                self._reset()
            if self.dispatch == "inline" and not self.reconnection:
                session.end(self)

    def _handle_reconnected(self, session: _session.Session, facts: _native.Handshake) -> None:
        if session.is_over or self._session is not session:
            return
        session.begin_again()
        self._note_handshake(facts)
        self.state = "connected"
        base_client.connected_clients.append(self)
        try:
            self._trigger_event("connect", run_async=False)
        except BaseException as error:
            self.logger.exception("connect handler error")
            self.disconnect(abort=True)
            if not isinstance(error, Exception):
                raise

    # For subclasses that look at packets and requests.

    def _send_packet(self, pkt: packet.Packet) -> None:
        """Sends a packet. Only messages are sent this way; the rest of the protocol runs elsewhere."""
        if self._logs():
            self._log_packet("Sending packet %s data %s", pkt.packet_type, pkt.data)
        if pkt.packet_type == packet.MESSAGE:
            self._send_message(pkt.data)

    def _receive_packet(self, pkt: packet.Packet) -> Any:
        """Handles a packet. Only messages come this way."""
        if self._logs():
            self._log_packet("Received packet %s data %s", pkt.packet_type, pkt.data)
        if pkt.packet_type == packet.MESSAGE:
            return self._trigger_event("message", pkt.data, run_async=True)
        return None

    def _send_request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Sends a request of a polling session, where that is left to an HTTP session of Python. Returns
        the answer, or a string that says why there is none."""
        return _sending.send(self, self.http, method, url, headers, body, timeout)
