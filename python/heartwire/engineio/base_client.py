"""What the clients of both kinds have in common."""

from __future__ import annotations

import atexit
import contextlib
import functools
import inspect
import logging
import os
import signal
import threading
import time
import urllib.parse
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, ClassVar, Literal, TypedDict, TypeVar, Union, overload

from heartwire import _native
from heartwire.engineio import _cookies, _green, _session, exceptions, packet

#: What a program gives to `on()`.
Handler = TypeVar("Handler", bound=Callable[..., Any])

#: What there are handlers for.
EventName = Literal["connect", "disconnect", "message"]

#: Where a client writes what happens.
Logger = Union[bool, logging.Logger, "logging.LoggerAdapter[Any]"]


class Reconnection(TypedDict, total=False):
    """When a client connects again after a connection has broken."""

    #: Seconds before the first attempt, 0.5 by default. Each wait is twice the one before.
    delay: float
    #: The longest wait in seconds, 30 by default.
    delay_max: float
    #: By which part of itself each wait is shortened or lengthened at most, 0.5 by default.
    randomization_factor: float
    #: How often to try before giving up; `None`, the default, is for ever.
    attempts: int | None
    #: Whether the attempt of `connect()` is repeated as well. By default it is not.
    retry_first: bool

default_logger = logging.getLogger("engineio.client")

#: Clients that are connected. They stay here, and so exist, until they are not.
connected_clients: list[Any] = []

#: Connections that somebody holds, whatever has become of them.
sessions: weakref.WeakSet[Any] = weakref.WeakSet()

#: What connections of an event loop share, by event loop.
watches: dict[Any, Any] = {}

#: Seconds for the end of the program to send what was sent.
_LAST_WORDS = 1.0

#: What handled Ctrl-C before the first client did.
original_signal_handler: Any = None


def signal_handler(sig: int, frame: FrameType | None) -> Any:
    """Disconnects every client at Ctrl-C, and leaves the rest to what handled it before."""
    if _green.run_beside(_handle_signal, sig, frame):
        return None
    return _handle_signal(sig, frame)


def _handle_signal(sig: int, frame: FrameType | None) -> Any:
    for client in connected_clients[:]:
        if not client.is_asyncio_based():
            client.disconnect()
    if callable(original_signal_handler):
        return original_signal_handler(sig, frame)
    return signal.default_int_handler(sig, frame)


def _finish() -> None:
    """The program ends: what was sent is delivered, and servers are told. Handlers are not called."""
    deadline = time.monotonic() + _LAST_WORDS
    left = list(sessions)
    for session in left:
        session.native.silence()
        session.native.close(True)
    for session in left:
        # Connections that were never open have nothing to say.
        with contextlib.suppress(RuntimeError):
            session.closed(max(deadline - time.monotonic(), 0))


def _after_fork() -> None:
    """The child of a fork has none of its parent's connections. Their handlers are not called."""
    # The green thread that has forked may have been within a handler.
    _session.serving.turn = None
    for client in connected_clients:
        client._session = None
        client._reset()
    connected_clients.clear()
    sessions.clear()
    watches.clear()


atexit.register(_finish)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class BaseClient:
    """What the clients of both kinds have in common."""

    event_names: ClassVar[list[str]] = ["connect", "disconnect", "message"]

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

    # What few clients have is no attribute of each: an object with no more than thirty costs a kilobyte
    # less.

    #: What makes the HTTP session of a connection.
    http_factory: Callable[[], Any] | None = None
    #: What can be joined until the connection has ended.
    read_loop_task: Any = None
    # The network runs elsewhere: these are here for who looks.
    write_loop_task: Any = None
    ws: Any = None

    def __init__(
        self,
        logger: Logger = False,
        json: Any = None,
        request_timeout: float = 5,
        http_session: Any = None,
        ssl_verify: bool | str | os.PathLike[str] = True,
        handle_sigint: bool = True,
        websocket_extra_options: Mapping[str, Any] | None = None,
        timestamp_requests: bool = True,
        *,
        reconnection: bool | Reconnection = False,
        send_limits: tuple[int, int] = (100_000, 64 << 20),
        when_full: Literal["wait", "raise"] = "wait",
        receive_limit: int = 64 << 20,
        max_message: int = 64 << 20,
        close_timeout: float | None = None,
        ordered: bool = False,
        dispatch: Literal["threads", "inline"] | None = None,
    ) -> None:
        self.dispatch = self._choose_dispatch(dispatch)
        if when_full not in ("wait", "raise"):
            raise ValueError(f"when_full is 'wait' or 'raise', not {when_full!r}")
        if json is not None:
            packet.Packet.json = json
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.base_url: str | None = None
        self.transports: list[str] | None = None
        self.current_transport: str | None = None
        self.sid: str | None = None
        self.upgrades: list[str] | None = None
        self.ping_interval: float | None = None
        self.ping_timeout: float | None = None
        self.http: Any = None
        if callable(http_session):
            self.http_factory = http_session
        else:
            self.http = http_session
        self.external_http = self.http is not None
        self.queue_empty = self.get_queue_empty_exception()
        self.state: Literal["connected", "disconnecting", "disconnected"] = "disconnected"
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
        self.logger: Any = self._find_logger(logger)
        #: The connection of the moment, or the last one.
        self._session: Any = None
        self._install_signal_handler()

    def is_asyncio_based(self) -> bool:
        """Whether this is an asyncio client."""
        return False

    @overload
    def on(self, event: EventName, handler: None = None) -> Callable[[Handler], Handler]: ...

    @overload
    def on(self, event: EventName, handler: Handler) -> Handler: ...

    def on(self, event: EventName, handler: Any = None) -> Any:
        """Registers a handler, in the place of the one before, and returns it. Without `handler` it
        returns a decorator.

        ``'connect'`` is called without arguments, within `connect()`; ``'message'`` with what has
        arrived, a string, bytes, or what JSON stood for; ``'disconnect'`` with one of `reason`, or
        without arguments if it takes none. Raises `ValueError` for other events.

        >>> from heartwire import engineio
        >>> client = engineio.Client()
        >>> @client.on("message")
        ... def on_message(data):
        ...     print(data)
        """
        if event not in self.event_names:
            names = ", ".join(map(repr, self.event_names))
            raise ValueError(f"Invalid event {event!r}: known are {names}")

        def register(handler: Handler) -> Handler:
            self.handlers[event] = handler
            return handler

        return register if handler is None else register(handler)

    def transport(self) -> str | None:
        """The name of the transport: ``'polling'`` or ``'websocket'``.

        Raises `ValueError` if there is no connection, but not under `heartwire.install()`, where it is
        the last one, or `None` if there was none.
        """
        if self.strict and self.state == "disconnected":
            raise ValueError("Client is not connected")
        return self.current_transport

    @functools.cached_property
    def queue(self) -> Any:
        """A queue of `create_queue()`, another one for each connection. Nothing of ours goes through it."""
        return self.create_queue()

    def create_queue(self, *args: Any, **kwargs: Any) -> Any:
        """A queue, of the kind that fits the client."""
        raise NotImplementedError

    def get_queue_empty_exception(self) -> type[Exception]:
        """What a queue of `create_queue()` raises when it is empty."""
        raise NotImplementedError

    # What subclasses and tests of others replace.

    def _reset(self) -> None:
        self.state = "disconnected"
        self.sid = None

    def _get_engineio_url(self, url: str, engineio_path: str, transport: str) -> str:
        """The address of the endpoint, for a transport."""
        parsed = urllib.parse.urlparse(url)
        secure = parsed.scheme in ("https", "wss")
        if transport not in ("polling", "websocket"):
            raise ValueError("invalid transport")
        scheme = ("http" if transport == "polling" else "ws") + ("s" if secure else "")
        path = engineio_path.strip("/")
        query = parsed.query + "&" if parsed.query else ""
        return f"{scheme}://{parsed.netloc}/{path}/?{query}transport={transport}&EIO=4"

    def _get_url_timestamp(self) -> str:
        return f"&t={time.time()}" if self.timestamp_requests else ""

    # Settings.

    def _renew_queue(self) -> None:
        self.__dict__.pop("queue", None)

    def _choose_dispatch(self, dispatch: str | None) -> str:
        raise NotImplementedError

    def _find_logger(self, logger: Any) -> Any:
        if not isinstance(logger, bool):
            return logger
        default = default_logger
        if default.level == logging.NOTSET:
            default.setLevel(logging.INFO if logger else logging.ERROR)
            default.addHandler(logging.StreamHandler())
        return default

    def _install_signal_handler(self) -> None:
        global original_signal_handler
        if (
            self.handle_sigint
            and not self.is_asyncio_based()
            and original_signal_handler is None
            and threading.current_thread() is threading.main_thread()
        ):
            original_signal_handler = signal.signal(signal.SIGINT, signal_handler)

    def _choose_transports(self, transports: list[str] | str | None) -> list[str]:
        known = ["polling", "websocket"]
        if transports is None:
            return known
        if isinstance(transports, str):
            transports = [transports]
        chosen = [transport for transport in transports if transport in known]
        if not chosen:
            names = " and ".join(map(repr, known))
            raise ValueError(f"No valid transports provided: known are {names}")
        return chosen

    # Messages on their way out.

    def _encode(self, data: Any) -> Any:
        """Text or bytes for what a program sends."""
        if isinstance(data, (str, bytes, bytearray, memoryview)):
            return data
        if isinstance(data, (dict, list)):
            return packet.Packet.json.dumps(data, separators=(",", ":"))
        return "" if data is None else str(data)

    def _logs(self) -> bool:
        logger = self.logger
        enabled = getattr(logger, "isEnabledFor", None)
        return enabled is None or bool(enabled(logging.INFO))

    def _log_packet(self, text: str, kind: int, data: Any) -> None:
        if isinstance(data, (bytes, bytearray, memoryview)):
            data = "<binary>"
        elif isinstance(data, str):
            data = printable(data)
        self.logger.info(text, packet.packet_names[kind], data)

    # Messages on their way in.

    def _sink(self) -> Callable[[Any], Any] | None:
        """What the native part gives messages to; `None` for the message handler itself."""
        replaced = self._replaces("_trigger_event") or self._replaces("_receive_packet")
        return self._receive_message if replaced or self._logs() else None

    def _receive_message(self, data: Any) -> Any:
        if self._replaces("_receive_packet"):
            return self._receive_packet(packet.Packet(packet.MESSAGE, data=data))
        if self._logs():
            self._log_packet("Received packet %s data %s", packet.MESSAGE, data)
        # Where handlers run one after the other, whoever calls this waits for each.
        run_async = not (self.ordered and self.is_asyncio_based())
        return self._trigger_event("message", data, run_async=run_async)

    def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        """Calls a handler."""
        raise NotImplementedError

    def _receive_packet(self, pkt: packet.Packet) -> Any:
        """Handles a packet."""
        raise NotImplementedError

    def _replaces(self, name: str) -> bool:
        """Whether a method is not the one of this package."""
        own = getattr(self._base(), name)
        return name in self.__dict__ or getattr(type(self), name) is not own

    def _base(self) -> type[BaseClient]:
        raise NotImplementedError

    def _call_disconnect_handler(self, handler: Callable[..., Any], reason: str) -> Any:
        """Calls the handler, which may leave out the reason."""
        return handler(reason) if _accepts_one(handler) else handler()

    def _note_handshake(self, facts: _native.Handshake) -> None:
        self.sid = facts["sid"]
        self.upgrades = facts["upgrades"]
        self.ping_interval = facts["ping_interval"]
        self.ping_timeout = facts["ping_timeout"]
        self.current_transport = facts["transport"]

    def _awaits_upgrade(self, facts: _native.Handshake) -> bool:
        """Whether a session that polls is to become a WebSocket."""
        return (
            facts["transport"] == "polling"
            and "websocket" in facts["upgrades"]
            and self.transports is not None
            and "websocket" in self.transports
        )

    def _reason_of(self, facts: dict[str, Any]) -> str:
        """The reason for a disconnection, in python-engineio's words."""
        if facts["reason"] == "server disconnect":
            return self.reason.SERVER_DISCONNECT
        if facts["reason"] == "client disconnect":
            return self.reason.CLIENT_DISCONNECT
        return self.reason.TRANSPORT_ERROR

    def _leave_ended_session(self) -> None:
        """Within the disconnect handler the client is, in deed, disconnected already."""
        session = self._session
        if session is None or self.state != "disconnected" and not session.is_ending:
            return
        # What it has sent is still delivered; but it does not connect again.
        session.native.close(True)
        if self.state != "disconnected":
            self._forget()
            self._reset()

    def _sends_requests(self) -> bool:
        """Whether a program has replaced what concerns requests, which Python sends then."""
        return self._replaces("_send_request") or self._replaces("_get_url_timestamp")

    def _keep_cookies(self, session: Any) -> None:
        """The HTTP session learns what the server has set."""
        with self._reporting("the HTTP session has not taken the server's cookies"):
            if session.http is not None:
                _cookies.keep(session.http, session.native.take_cookies())

    @contextlib.contextmanager
    def _reporting(self, text: str) -> Iterator[None]:
        """What an HTTP session raises is logged: a connection begins and ends without it."""
        try:
            yield
        except Exception:
            self.logger.exception(text)

    def _forget(self) -> None:
        with contextlib.suppress(ValueError):
            connected_clients.remove(self)

    def _log_loss(self, facts: dict[str, Any]) -> None:
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

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.state}>"

    def _closed_error(self) -> exceptions.SocketIsClosedError:
        return exceptions.SocketIsClosedError("Socket is closed")


def _accepts_one(handler: Callable[..., Any]) -> bool:
    """Whether a handler can be called with one argument."""
    try:
        inspect.signature(handler).bind("reason")
    except TypeError:
        return False
    except ValueError:
        # It does not say: builtins take what they are given.
        return True
    return True


def printable(text: str) -> str:
    """Text for a log: nobody else writes lines or colours into it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(facts: _native.Handshake) -> dict[str, Any]:
    """What a handshake has told, for a log. Who knows the whole id of a session can speak in it."""
    return {
        "sid": f"{facts['sid'][:6]}…",
        "upgrades": facts["upgrades"],
        "pingTimeout": round(facts["ping_timeout"] * 1000),
        "pingInterval": round(facts["ping_interval"] * 1000),
        "maxPayload": facts["max_payload"],
    }
