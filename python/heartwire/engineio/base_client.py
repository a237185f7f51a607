"""What the clients of both kinds have in common."""

import atexit
import contextlib
import inspect
import logging
import os
import signal
import threading
import time
import urllib.parse
import weakref

from heartwire.engineio import _cookies, _session, exceptions, packet

default_logger = logging.getLogger("engineio.client")

#: Clients that are connected. They stay here, and so exist, until they are not.
connected_clients = []

#: Connections that somebody holds, whatever has become of them.
sessions = weakref.WeakSet()

#: Seconds for the end of the program to send what was sent.
_LAST_WORDS = 1.0

#: What handled Ctrl-C before the first client did.
original_signal_handler = None


def signal_handler(sig, frame):
    """Disconnects every client at Ctrl-C, and leaves the rest to what handled it before."""
    for client in connected_clients[:]:
        if not client.is_asyncio_based():
            client.disconnect()
    if callable(original_signal_handler):
        return original_signal_handler(sig, frame)
    return signal.default_int_handler(sig, frame)


def _finish():
    """The program ends: what was sent is delivered, and servers are told. Handlers are not called."""
    deadline = time.monotonic() + _LAST_WORDS
    left = list(sessions)
    for session in left:
        session.native.silence()
        session.native.close(True)
    for session in left:
        # Connections that were never open have nothing to say.
        with contextlib.suppress(RuntimeError):
            session.native.closed(max(deadline - time.monotonic(), 0))


def _after_fork():
    """The child of a fork has none of its parent's connections. Their handlers are not called."""
    # The thread that has forked may have been within a handler.
    _session.serving.native = None
    for client in connected_clients:
        client._session = None
        client._reset()
    connected_clients.clear()
    sessions.clear()


atexit.register(_finish)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class BaseClient:
    """What the clients of both kinds have in common."""

    event_names = ["connect", "disconnect", "message"]

    class reason:
        """Why a connection has ended, as the disconnect handler is told."""

        #: `disconnect()` was called.
        CLIENT_DISCONNECT = "client disconnect"
        #: The server has ended it.
        SERVER_DISCONNECT = "server disconnect"
        #: It broke.
        TRANSPORT_ERROR = "transport error"

    #: Whether `send()` and `transport()` raise where there is no connection. python-engineio does not.
    strict = True

    def __init__(
        self,
        logger=False,
        json=None,
        request_timeout=5,
        http_session=None,
        ssl_verify=True,
        handle_sigint=True,
        websocket_extra_options=None,
        timestamp_requests=True,
        *,
        reconnection=False,
        send_limits=(100_000, 64 << 20),
        when_full="wait",
        receive_limit=64 << 20,
        max_message=64 << 20,
        close_timeout=None,
        ordered=False,
    ):
        if when_full not in ("wait", "raise"):
            raise ValueError(f"when_full is 'wait' or 'raise', not {when_full!r}")
        if json is not None:
            packet.Packet.json = json
        self.handlers = {}
        self.base_url = None
        self.transports = None
        self.current_transport = None
        self.sid = None
        self.upgrades = None
        self.ping_interval = None
        self.ping_timeout = None
        self.http_factory = None
        self.http = None
        if callable(http_session):
            self.http_factory = http_session
        else:
            self.http = http_session
        self.external_http = self.http is not None
        self.ws = None
        self.read_loop_task = None
        self.write_loop_task = None
        self.queue = self.create_queue()
        self.queue_empty = self.get_queue_empty_exception()
        self.state = "disconnected"
        self.ssl_verify = ssl_verify
        self.websocket_extra_options = websocket_extra_options or {}
        self.timestamp_requests = timestamp_requests
        self.request_timeout = request_timeout
        self.handle_sigint = handle_sigint
        self.reconnection = reconnection
        self.send_limits = send_limits
        self.when_full = when_full
        self.receive_limit = receive_limit
        self.max_message = max_message
        self.close_timeout = request_timeout if close_timeout is None else close_timeout
        self.ordered = ordered
        self.logger = self._find_logger(logger)
        #: The connection of the moment, or the last one.
        self._session = None
        self._install_signal_handler()

    def is_asyncio_based(self):
        """Whether this is an asyncio client."""
        return False

    def on(self, event, handler=None):
        """Registers a handler for ``'connect'``, ``'message'`` or ``'disconnect'``.

        Without `handler` it returns a decorator::

            @client.on('message')
            def on_message(data):
                print(data)
        """
        if event not in self.event_names:
            raise ValueError("Invalid event")

        def register(handler):
            self.handlers[event] = handler
            return handler

        return register if handler is None else register(handler)

    def transport(self):
        """The name of the transport: ``'polling'`` or ``'websocket'``.

        Raises `ValueError` if there is no connection.
        """
        if self.strict and self.state == "disconnected":
            raise ValueError("Client is not connected")
        return self.current_transport

    def get_queue_empty_exception(self):
        """What a queue of `create_queue()` raises when it is empty."""
        raise NotImplementedError

    # What subclasses and tests of others replace.

    def _reset(self):
        self.state = "disconnected"
        self.sid = None

    def _get_engineio_url(self, url, engineio_path, transport):
        """The address of the endpoint, for a transport."""
        parsed = urllib.parse.urlparse(url)
        secure = parsed.scheme in ("https", "wss")
        if transport not in ("polling", "websocket"):
            raise ValueError("invalid transport")
        scheme = ("http" if transport == "polling" else "ws") + ("s" if secure else "")
        path = engineio_path.strip("/")
        query = parsed.query + "&" if parsed.query else ""
        return f"{scheme}://{parsed.netloc}/{path}/?{query}transport={transport}&EIO=4"

    def _get_url_timestamp(self):
        return f"&t={time.time()}" if self.timestamp_requests else ""

    # Settings.

    def _find_logger(self, logger):
        if not isinstance(logger, bool):
            return logger
        default = default_logger
        if default.level == logging.NOTSET:
            default.setLevel(logging.INFO if logger else logging.ERROR)
            default.addHandler(logging.StreamHandler())
        return default

    def _install_signal_handler(self):
        global original_signal_handler
        if (
            self.handle_sigint
            and not self.is_asyncio_based()
            and original_signal_handler is None
            and threading.current_thread() is threading.main_thread()
        ):
            original_signal_handler = signal.signal(signal.SIGINT, signal_handler)

    def _choose_transports(self, transports):
        known = ["polling", "websocket"]
        if transports is None:
            return known
        if isinstance(transports, str):
            transports = [transports]
        chosen = [transport for transport in transports if transport in known]
        if not chosen:
            raise ValueError("No valid transports provided")
        return chosen

    # Messages on their way out.

    def _encode(self, data):
        """Text or bytes for what a program sends."""
        if isinstance(data, (str, bytes, bytearray, memoryview)):
            return data
        if isinstance(data, (dict, list)):
            return packet.Packet.json.dumps(data, separators=(",", ":"))
        return "" if data is None else str(data)

    def _logs(self):
        logger = self.logger
        enabled = getattr(logger, "isEnabledFor", None)
        return enabled is None or enabled(logging.INFO)

    def _log_packet(self, text, kind, data):
        if isinstance(data, (bytes, bytearray, memoryview)):
            data = "<binary>"
        elif isinstance(data, str):
            data = printable(data)
        self.logger.info(text, packet.packet_names[kind], data)

    # Messages on their way in.

    def _sink(self):
        """What the native part gives messages to; `None` for the message handler itself."""
        replaced = self._replaces("_trigger_event") or self._replaces("_receive_packet")
        return self._receive_message if replaced or self._logs() else None

    def _receive_message(self, data):
        if self._replaces("_receive_packet"):
            return self._receive_packet(packet.Packet(packet.MESSAGE, data=data))
        if self._logs():
            self._log_packet("Received packet %s data %s", packet.MESSAGE, data)
        # Where handlers run one after the other, whoever calls this waits for each.
        run_async = not (self.ordered and self.is_asyncio_based())
        return self._trigger_event("message", data, run_async=run_async)

    def _replaces(self, name):
        """Whether a method is not the one of this package."""
        own = getattr(self._base(), name)
        return name in self.__dict__ or getattr(type(self), name) is not own

    def _base(self):
        raise NotImplementedError

    def _call_disconnect_handler(self, handler, reason):
        """Calls the handler, which may leave out the reason."""
        return handler(reason) if _accepts_one(handler) else handler()

    def _note_handshake(self, facts):
        self.sid = facts["sid"]
        self.upgrades = facts["upgrades"]
        self.ping_interval = facts["ping_interval"]
        self.ping_timeout = facts["ping_timeout"]
        self.current_transport = facts["transport"]

    def _reason_of(self, facts):
        """The reason for a disconnection, in python-engineio's words."""
        if facts["reason"] == "server disconnect":
            return self.reason.SERVER_DISCONNECT
        if facts["reason"] == "client disconnect":
            return self.reason.CLIENT_DISCONNECT
        return self.reason.TRANSPORT_ERROR

    def _leave_ended_session(self):
        """Within the disconnect handler the client is, in deed, disconnected already."""
        session = self._session
        if session is None or self.state != "disconnected" and not session.is_ending:
            return
        # What it has sent is still delivered; but it does not connect again.
        session.native.close(True)
        if self.state != "disconnected":
            self._forget()
            self._reset()

    def _sends_requests(self):
        """Whether a program has replaced what concerns requests, which Python sends then."""
        return self._replaces("_send_request") or self._replaces("_get_url_timestamp")

    def _keep_cookies(self, session):
        """The HTTP session learns what the server has set."""
        with self._reporting("the HTTP session has not taken the server's cookies"):
            if session.http is not None:
                _cookies.keep(session.http, session.native.take_cookies())

    @contextlib.contextmanager
    def _reporting(self, text):
        """What an HTTP session raises is logged: a connection begins and ends without it."""
        try:
            yield
        except Exception:
            self.logger.exception(text)

    def _forget(self):
        with contextlib.suppress(ValueError):
            connected_clients.remove(self)

    def _log_loss(self, facts):
        """A connection has broken."""
        if facts["reason"] == "ping timeout":
            text = "Server has stopped communicating"
        elif facts["status"] is not None:
            text = f"Unexpected status code {facts['status']} in server response"
        elif facts["transport"] == "websocket":
            text = "WebSocket connection was closed"
        else:
            text = "Connection refused by the server"
        self.logger.warning(f"{text}, aborting")
        if facts["detail"]:
            self.logger.info("Transport error: %s", printable(facts["detail"]))

    def __repr__(self):
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.state}>"

    def _closed_error(self):
        return exceptions.SocketIsClosedError("Socket is closed")


def _accepts_one(handler):
    """Whether a handler can be called with one argument."""
    try:
        inspect.signature(handler).bind("reason")
    except TypeError:
        return False
    except ValueError:
        # It does not say: builtins take what they are given.
        return True
    return True


def printable(text):
    """Text for a log: nobody else writes lines or colours into it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(facts):
    """What a handshake has told, for a log. Who knows the whole id of a session can speak in it."""
    return {**facts, "sid": f"{facts['sid'][:6]}…"}
