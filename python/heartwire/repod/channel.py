"""One client of a server."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Generic, TypeVar, cast

from heartwire._native import repod as _native
from heartwire.repod.actions import handler_of, shown
from heartwire.repod.logconfig import get_logger
from heartwire.repod.options import RoundTrip, Statistics
from heartwire.repod.protocol import encode

__all__ = ["Channel"]

log = get_logger("repod.channel")

S = TypeVar("S")


class Link:
    """A connection that the network serves, in the place of asyncio's reader and writer."""

    __slots__ = ("native",)

    def __init__(self, native: _native.Channel) -> None:
        self.native = native

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The client's address, for ``peername``."""
        return self.native.addr if name == "peername" else default

    def is_closing(self) -> bool:
        """Whether messages are refused."""
        return self.native.is_closed

    def close(self) -> None:
        """Ends the connection when everything that was sent is on its way."""
        self.native.close()


class StreamLink:
    """A connection of asyncio, with what a channel needs of the network's."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def send(self, data: object) -> int:
        if self.is_closed:
            return 0
        frame = encode(cast("dict[Any, Any]", data))
        self._call(self._writer.write, frame)
        return len(frame)

    def close(self) -> None:
        self._call(self._writer.close)

    def kick(self, reason: str) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        return self._writer.is_closing()

    @property
    def addr(self) -> Any:
        return self._writer.get_extra_info("peername")

    @property
    def statistics(self) -> tuple[int, int, int, int, int]:
        return 0, 0, 0, 0, 0

    @property
    def round_trip(self) -> tuple[float, float] | None:
        return None

    @property
    def waiting(self) -> tuple[int, int]:
        return 0, 0

    def _call(self, function: Any, *args: Any) -> None:
        loop = self._loop
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if loop is None or loop is running:
            function(*args)
        else:
            loop.call_soon_threadsafe(function, *args)


class Channel(Generic[S]):
    """One client, as its server sees it: the base of a game's player.

    Define ``Network_ACTION`` for each action, but ``connected``, ``disconnected``, ``error``,
    ``reconnecting`` and ``socketConnect``: what a client says of a connection is no more than a message, and
    goes to `network_received`, as all others without a method do. The methods run one after the other, on the thread or loop
    that runs the server; they may be coroutine functions where that is a loop.

    >>> class Player(Channel["Game"]):
    ...     def on_connect(self):
    ...         self.name = "anonymous"
    ...
    ...     def Network_chat(self, data):
    ...         self.server.send_to_all({"action": "chat", "who": self.name, "text": data["text"]})

    A server makes it, and passes all arguments: a subclass that has an ``__init__`` passes them on.
    """

    def __init__(self, reader: Any, writer: Any, server: S | None = None) -> None:
        self._reader = reader
        self._writer = writer
        self._server = server
        self._link: _native.Channel = (
            writer.native
            if isinstance(writer, Link)
            else cast("_native.Channel", StreamLink(writer))
        )
        self._addr: Any = self._link.addr
        self._how: _native.How | None = None

    @property
    def addr(self) -> tuple[str, int]:
        """The client's address."""
        return cast("tuple[str, int]", self._addr)

    @property
    def is_connected(self) -> bool:
        """Whether messages can be sent."""
        return self._how is None and not self._link.is_closed

    @property
    def server(self) -> S:
        """The server. Raises RuntimeError for a channel that was made without one."""
        if self._server is None:
            raise RuntimeError("Channel is not connected to a server")
        return self._server

    @property
    def disconnected(self) -> _native.How | None:
        """How the connection has ended: reason, code, and how many messages were not sent. None while
        it has not."""
        return self._how

    @property
    def stats(self) -> Statistics:
        """What went over the connection so far."""
        return Statistics(*self._link.statistics)

    @property
    def round_trip(self) -> RoundTrip | None:
        """How long the way to the client and back takes. None where the system does not tell: only
        Linux does."""
        trip = self._link.round_trip
        return None if trip is None else RoundTrip(*trip)

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages, and bytes of their frames, that wait to be sent."""
        return self._link.waiting

    def send(self, data: dict[Any, Any]) -> int:
        """Queues a message for the client, from any thread. Returns the bytes queued; 0 if the
        connection has ended.

        Raises TypeError, OverflowError or ValueError for what cannot be sent (see `encode`).
        """
        return self._link.send(data)

    def kick(self, reason: str = "kicked") -> None:
        """Ends the connection when everything that was sent is on its way. The reason is for this
        side's records: send the client a message first if it is to know."""
        self._link.kick(reason)

    def on_connect(self) -> None:
        """Is called when the client has connected, before `Server.on_connect`. Does nothing."""

    def on_close(self) -> None:
        """Is called once when the connection has ended, after all messages, before
        `Server.on_disconnect`. Does nothing."""

    def on_error(self, error: Exception) -> None:
        """Is called with an exception of one of this channel's methods. Logs it; the connection goes
        on, unless the server's `handler_error` says otherwise."""
        log._report("channel_error", error, addr=_text(self._addr))

    def network_received(self, data: dict[Any, Any]) -> None:
        """Is called for each message that has no method of its own. Does nothing."""

    def _dispatch(self, data: dict[Any, Any], is_debugging: bool) -> None:
        action = data.get("action")
        handler = handler_of(self, action)
        if is_debugging:
            event = "message_unhandled" if handler is None else "message_dispatched"
            log.debug(event, action=shown(action))
        result = self.network_received(data) if handler is None else handler(data)  # type: ignore[func-returns-value]
        if result is not None and inspect.iscoroutine(result):
            self._run(result)

    def _run(self, coroutine: Any) -> None:
        """Runs a handler that is a coroutine."""
        server = cast(Any, self._server)
        server._run_handler(self, coroutine)


def _text(addr: Any) -> str:
    """An address for people."""
    if isinstance(addr, tuple) and len(addr) >= 2:
        host, port = addr[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return str(addr)
