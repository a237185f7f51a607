"""A client for programs without an event loop."""

import contextlib
import queue
import sys
import threading
import time

from heartwire import _native
from heartwire.engineio import _connecting, _sending, _settings, base_client, exceptions, packet

_SENT, _CLOSED, _FULL = (
    _native.Connection.SENT,
    _native.Connection.CLOSED,
    _native.Connection.FULL,
)

#: What the thread runs handlers for.
_thread = threading.local()


class _Session:
    """A connection, from the moment when it is open, with the threads that run its handlers."""

    def __init__(self, native):
        self.native = native
        #: What the native part sees of the client.
        self.handlers = None
        self.threads = []
        #: The upgrade has succeeded or failed, or there is none to wait for.
        self.settled = threading.Event()
        #: Nothing is left to handle, and the disconnect handler has returned.
        self.ended = threading.Event()
        self._claim = threading.Lock()
        self._claimed = False
        #: What is sent before the upgrade waits for it, so that the server sees one transport only.
        self.held = None
        #: The disconnect handler runs, and the state is not final yet.
        self.is_ending = False

    def claim_end(self):
        """Whether the caller is the one to run the disconnect handler."""
        with self._claim:
            first = not self._claimed
            self._claimed = True
            return first

    def end(self):
        """Nothing more is to be handled."""
        if self.native.requests is not None:
            self.native.requests.close()
        if self.handlers is not None:
            self.handlers.release()
        self.settled.set()
        self.ended.set()

    def begin_again(self):
        with self._claim:
            self._claimed = False

    def hold(self, data):
        """Whether a message is kept back."""
        with self._claim:
            if self.held is None:
                return False
            self.held.append(data)
            return True

    def release(self):
        """What was kept back, a part at a time; nothing is kept back after the last."""
        while True:
            with self._claim:
                held = self.held
                if not held:
                    self.held = None
                    return
                self.held = []
            yield from held


@contextlib.contextmanager
def _waiting():
    """What happens within waits, perhaps for another handler of the client that this thread serves."""
    native = getattr(_thread, "native", None)
    if native is None:
        yield
        return
    native.handler_blocks()
    try:
        yield
    finally:
        native.handler_goes_on()


class _Event(threading.Event):
    """An event that a handler may wait for, though other handlers set it."""

    def wait(self, timeout=None):
        if self.is_set() or getattr(_thread, "native", None) is None:
            return super().wait(timeout)
        with _waiting():
            return super().wait(timeout)


class Queue(queue.Queue):
    """A queue that a handler may read from, though other handlers fill it."""

    def get(self, block=True, timeout=None):
        if not block or getattr(_thread, "native", None) is None:
            return super().get(block, timeout)
        with _waiting():
            return super().get(block, timeout)


class Client(base_client.BaseClient):
    """An Engine.IO client for programs without an event loop.

    The network runs on a thread of its own, outside of Python: heartbeats are answered while the program
    computes. Handlers run one after the other in the order of arrival, on a thread of the client; one
    that blocks does not keep the others from running.

    :param logger: ``True`` to log to the logger ``engineio.client``, ``False`` to log errors only, or a
        logger.
    :param json: a module with `dumps` and `loads` to use for all clients of the process.
    :param request_timeout: seconds for the server to answer a request.
    :param http_session: a `requests.Session`, or a function that makes one, whose headers, cookies,
        authentication, certificates and proxies are used.
    :param ssl_verify: ``False`` to accept any server, or the path of certificates to trust.
    :param handle_sigint: whether Ctrl-C disconnects the client.
    :param websocket_extra_options: options in the words of websocket-client's `create_connection`.
    :param timestamp_requests: whether each request has a parameter that no cache has seen before.

    What follows is not in python-engineio, and by keyword only:

    :param reconnection: ``True`` to connect again when a connection breaks, or a dictionary with any of
        ``delay``, ``delay_max`` (seconds), ``randomization_factor``, ``attempts``, ``retry_first``.
    :param send_limits: messages and bytes that may wait to be sent.
    :param when_full: what `send()` does beyond that: ``'wait'``, or ``'raise'`` `queue.Full`.
    :param receive_limit: bytes that may wait for handlers before the client stops reading.
    :param max_message: bytes of a message that are accepted.
    :param close_timeout: seconds for `disconnect()` to send what waits; `request_timeout` by default.
    :param ordered: whether a handler is never started before the one before it has returned. A handler
        that waits for another one then waits for ever.

    ::

        client = Client()

        @client.on('message')
        def on_message(data):
            print(data)

        client.connect('http://localhost:5000')
        client.send('hello')
        client.wait()
    """

    def __init__(self, *args, ordered=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.ordered = ordered

    def _base(self):
        return Client

    def connect(self, url, headers=None, transports=None, engineio_path="engine.io"):
        """Connects to a server, and returns when the connection is open and has the transport that it
        will have.

        :param url: the server's address, with query parameters for every request.
        :param headers: headers for every request.
        :param transports: ``['polling', 'websocket']``, or one of the two.
        :param engineio_path: the path of the endpoint.

        Raises `ConnectionError`, or `ValueError` for arguments that cannot be used and for a client
        that is connected.
        """
        self._leave_ended_session()
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        self.transports = self._choose_transports(transports)
        self.queue = self.create_queue()
        if self.http_factory is not None and self.http is None:
            self.http = self.http_factory()
        url, options = _settings.options(self, url, headers, engineio_path)
        way = self.transports[0]
        self.base_url = self._get_engineio_url(url, engineio_path, way)
        name = "polling connection" if way == "polling" else "WebSocket connection"
        self.logger.info(f"Attempting {name} to {self.base_url}")
        left = _settings.is_left_to_session(self.http)
        native = _native.Connection(url, options, False, left)
        try:
            if left:
                _sending.give_cookies(self.http, headers)
                _sending.send_in_threads(self, native.requests)
            with _waiting():
                facts = native.opened(float("inf"))
        except BaseException as error:
            native.abort()
            if left:
                native.requests.close()
            self._reset()
            if isinstance(error, _connecting.ConnectFailed):
                raise _connecting.explain(error) from error
            raise
        name = name[0].upper() + name[1:]
        self.logger.info(f"{name} accepted with {facts}")
        self._enter(_Session(native), facts)
        return True

    def _enter(self, session, facts):
        """A connection is open: the handlers begin to work."""
        self._session = session
        self._note_handshake(facts)
        upgrades = (
            self.current_transport == "polling"
            and "websocket" in self.upgrades
            and "websocket" in self.transports
        )
        if upgrades:
            session.held = []
        self.state = "connected"
        base_client.connected_clients.append(self)
        try:
            self._trigger_event("connect", run_async=False)
        except Exception as error:
            self.logger.exception("connect handler error")
            session.claim_end()
            session.native.close(False)
            session.end()
            self._forget()
            self._reset()
            raise exceptions.ConnectionError(f"Connect handler failed: {error}") from error
        if self._session is not session:
            return
        if upgrades:
            url = self.base_url
            self.logger.info(f"Attempting WebSocket upgrade to {url}")
        self._start_dispatcher(session)
        if upgrades:
            with _waiting():
                session.settled.wait(2 * self.request_timeout + 1)
            self._release(session)

    def wait(self):
        """Waits until the connection has ended: the last one, if a handler connects again."""
        session = self._session
        while session is not None:
            with _waiting():
                session.ended.wait()
            if session is self._session:
                return
            session = self._session

    def send(self, data):
        """Sends a message: a string, bytes, or a dictionary or list, which travels as JSON; anything
        else as `str(data)`.

        It is delivered once and in order. Raises `SocketIsClosedError` if there is no connection.
        """
        if self._replaces("_send_packet"):
            self._send_packet(packet.Packet(packet.MESSAGE, data=data))
            return
        if self._logs():
            self._log_packet("Sending packet %s data %s", packet.MESSAGE, data)
        self._send_message(data)

    def _send_message(self, data):
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

    def _release(self, session):
        for data in session.release():
            try:
                self._send_encoded(session, data)
            except Exception:
                self.logger.exception("a message of the connect handler was not sent")

    def _send_encoded(self, session, data):
        native = session.native
        send = native.send_text if isinstance(data, str) else native.send_binary
        result = send(data)
        if result == _SENT:
            return
        if result == _FULL:
            if self.when_full == "raise":
                raise queue.Full(f"{native.waiting()[0]} messages wait to be sent")
            send = native.send_text_patiently if isinstance(data, str) else native.send_binary_patiently
            with _waiting():
                result = send(data)
        if result == _CLOSED and self.strict:
            raise self._closed_error()

    def disconnect(self, abort=False, reason=None):
        """Ends the connection.

        :param abort: drop what waits to be sent, and return at once. Otherwise it is sent first, for
            `close_timeout` seconds at most.
        :param reason: what the disconnect handler is told.
        """
        session = self._session
        if session is None or self.state == "disconnected":
            if session is not None:
                # It may still try to connect again.
                session.native.close(not abort)
            self._reset()
            return
        if not session.claim_end():
            # Another thread ends it, or this is its disconnect handler.
            if not session.is_ending:
                session.native.close(not abort)
            return
        self.state = "disconnecting"
        session.native.silence()
        try:
            self._run_disconnect_handler(reason or self.reason.CLIENT_DISCONNECT)
        finally:
            if not abort:
                self._release(session)
            session.native.close(not abort)
            if not abort:
                self._await_end(session)
            if self._session is session:
                self._forget()
                self._reset()

    def _await_end(self, session):
        """Waits until what waited is sent, and the threads are gone that have nothing left to do."""
        with _waiting():
            session.native.closed(self.close_timeout + 1)
            if not session.threads:
                session.end()
            if not (self.ordered and session.native.is_dispatching()):
                session.ended.wait(self.close_timeout + 1)
        me = threading.current_thread()
        for thread in session.threads:
            if thread is not me and thread.is_alive():
                thread.join(0.1)

    def start_background_task(self, target, *args, **kwargs):
        """Starts a thread, and returns it. The program does not wait for it when it ends."""
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def sleep(self, seconds=0):
        """Sleeps. Other handlers run meanwhile."""
        with _waiting():
            time.sleep(seconds)

    def create_queue(self, *args, **kwargs):
        """A `queue.Queue`, for whose items a handler may wait."""
        made = Queue(*args, **kwargs)
        made.Empty = queue.Empty
        return made

    def get_queue_empty_exception(self):
        """`queue.Empty`."""
        return queue.Empty

    def create_event(self, *args, **kwargs):
        """A `threading.Event`, for which a handler may wait."""
        return _Event(*args, **kwargs)

    # Handlers.

    def _trigger_event(self, event, *args, run_async=False):
        """Calls a handler. `run_async` has no meaning here: handlers of messages always run on the
        client's own threads."""
        handler = self.handlers.get(event)
        if handler is None:
            return None
        if event == "disconnect":
            return self._call_disconnect_handler(handler, *args)
        return handler(*args)

    def _run_disconnect_handler(self, reason):
        try:
            self._trigger_event("disconnect", reason, run_async=False)
        except Exception:
            self.logger.exception("disconnect handler error")

    def _start_dispatcher(self, session=None):
        """Starts a thread that runs handlers. The native part asks for more when one blocks."""
        session = session or self._session
        if session.handlers is None:
            session.handlers = _Handlers(self, session)
        number = len(session.threads) + 1
        thread = threading.Thread(
            target=self._dispatch,
            args=(session,),
            name=f"heartwire-handlers-{number}",
            daemon=True,
        )
        session.threads.append(thread)
        if number == 1:
            self.read_loop_task = thread
        thread.start()

    def _dispatch(self, session):
        native = _thread.native = session.native
        _thread.session = session
        try:
            native.dispatch(session.handlers, self.ordered)
        finally:
            _thread.native = None
            if native.has_ended():
                session.end()

    def _handle_error(self, error):
        """A handler of messages has raised: it is reported as an error of the thread."""
        _report_error(error)

    def _handle_event(self, session, name, facts):
        if name == "upgraded":
            self.current_transport = "websocket"
            self.logger.info("WebSocket upgrade was successful")
            session.settled.set()
        elif name == "upgrade_failed":
            detail = facts["detail"] or "no connection"
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

    def _handle_disconnected(self, session, facts):
        session.settled.set()
        reason = self._reason_of(facts)
        if not session.claim_end():
            return
        if facts["unsent"]:
            self.logger.warning("%s messages may not have been delivered", facts["unsent"])
        if reason == self.reason.TRANSPORT_ERROR:
            self._log_loss(facts)
        else:
            self.state = "disconnecting"
        session.is_ending = True
        try:
            self._run_disconnect_handler(reason)
        finally:
            session.is_ending = False
            if self._session is session:
                self._forget()
                self._reset()

    def _handle_reconnected(self, session, facts):
        session.begin_again()
        self._note_handshake(facts)
        self.state = "connected"
        base_client.connected_clients.append(self)
        try:
            self._trigger_event("connect", run_async=False)
        except Exception:
            self.logger.exception("connect handler error")
            self.disconnect(abort=True)

    # For subclasses that look at packets.

    def _send_packet(self, pkt):
        """Sends a packet. Only messages are sent this way; the rest of the protocol runs elsewhere."""
        if self._logs():
            self._log_packet("Sending packet %s data %s", pkt.packet_type, pkt.data)
        if pkt.packet_type == packet.MESSAGE:
            self._send_message(pkt.data)


def _report_error(error):
    if not isinstance(error, SystemExit):
        thread = threading.current_thread()
        arguments = (type(error), error, error.__traceback__, thread)
        threading.excepthook(threading.ExceptHookArgs(arguments))


def _no_sink():
    return None


class _Handlers:
    """What the native part sees of a client: its handlers, for one session."""

    __slots__ = ("_client", "_handle_error", "_session", "_sink")

    def __init__(self, client, session):
        self._client = client
        self._session = session
        self._sink = client._sink
        self._handle_error = client._handle_error

    @property
    def handlers(self):
        client = self._client
        return {} if client is None else client.handlers

    def release(self):
        """Lets go of the client, which the native part would keep for ever."""
        self._handle_error = _report_error
        self._sink = _no_sink
        self._client = self._session = None

    def _handle_event(self, name, facts):
        client = self._client
        if client is not None:
            client._handle_event(self._session, name, facts)

    def _start_dispatcher(self):
        client = self._client
        if client is not None and not sys.is_finalizing():
            client._start_dispatcher(self._session)
