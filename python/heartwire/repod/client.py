"""The client, and a listener that calls handlers."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

from heartwire._native import repod as _native
from heartwire.repod import lifetime
from heartwire.repod.actions import handler_of, is_reserved, shown
from heartwire.repod.constants import DEFAULT_HOST, DEFAULT_PORT, READ_BUFFER_SIZE
from heartwire.repod.logconfig import get_logger
from heartwire.repod.options import TLS, Backoff, RoundTrip, Statistics

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "READ_BUFFER_SIZE", "Client", "ConnectionListener"]

log = get_logger("repod.client")


class ReceiveQueue:
    """What a client has received and the program has not taken, in order, with the methods of
    `queue.Queue`."""

    __slots__ = ("_address", "_native", "_strips")

    def __init__(self, native: _native.Client, address: tuple[str, int], strips: bool) -> None:
        self._native = native
        self._address = address
        self._strips = strips

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._native.pending() == 0

    def qsize(self) -> int:
        """How much waits."""
        return self._native.pending()

    def full(self) -> bool:
        """Whether nothing more fits: never. The server is slowed down before that."""
        return False

    def get_nowait(self) -> dict[Any, Any]:
        """Takes what waits longest. Raises `queue.Empty` if nothing waits."""
        item = self._take()
        if item is None:
            raise queue.Empty
        return item[0]

    def get(self, block: bool = True, timeout: float | None = None) -> dict[Any, Any]:
        """Takes what waits longest. Waits for it if `block`, but no longer than `timeout` seconds.
        Raises `queue.Empty` if nothing has come, or nothing can come any more."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while block and self._native.pending() == 0:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            if not self._native.wait(left):
                break
        return self.get_nowait()

    def put(self, item: dict[Any, Any], block: bool = True, timeout: float | None = None) -> None:
        """Adds something behind what waits."""
        self._native.put(item)

    def put_nowait(self, item: dict[Any, Any]) -> None:
        """Adds something behind what waits."""
        self._native.put(item)

    def _take(self) -> tuple[dict[Any, Any], str] | None:
        """Takes what waits longest, and says what it is: an ``event`` of the connection, what the program
        has ``put`` there, the server's ``greeting``, or a ``message``."""
        while (item := self._native.take()) is not None:
            name = "message"
            if type(item) is tuple:
                item, name = item
                if name == "put":
                    return item, name
                if name == "event":
                    return self._event(item), name
                # The first thing that a server says is that the client is connected.
                name = "greeting" if item["action"] == "connected" else "message"
            if name == "greeting" or not (self._strips and is_reserved(item["action"])):
                return item, name
        return None

    def _next_message(self) -> dict[Any, Any] | None:
        """Takes the next message, and drops the events of the connection before it."""
        while (item := self._take()) is not None:
            if item[1] != "event":
                return item[0]
        return None

    def _event(self, event: dict[Any, Any]) -> dict[Any, Any]:
        host, port = self._address
        if event["action"] == "connected":
            log.info("connected", host=host, port=port)
        elif event["action"] == "error":
            log.error("connection_failed", host=host, port=port, error=event["error"])
        elif event["action"] == "disconnected" and event["code"] not in ("closed", "peer_closed"):
            log.warning("connection_lost", host=host, port=port, error=event["reason"])
        return event


class Client:
    """A client whose network runs in the background.

    ``start_background()`` connects, and returns at once. What is sent meanwhile waits, and is delivered
    in order. `close` sends what waits, for `linger` seconds at most, also while the program goes on or
    ends.

    >>> client = Client("localhost", 5071)
    >>> client.start_background()
    >>> client.send({"action": "login", "username": "alice"})
    33
    >>> client.close()

    What the server sends is taken with `recv` or `events`, or by a `ConnectionListener`. Beside the
    server's messages, three events tell of the connection: ``connected`` (and ``socketConnect`` with it),
    ``disconnected`` with a ``reason``, a ``code`` and how many messages were ``unsent``, and ``error``.
    The methods can be called from any thread.

    :param host: the server's name or address.
    :param port: its port.
    :param reconnect: whether to connect again after a connection was lost or could not be opened:
        False, True, or a `Backoff`. Each attempt is told as ``reconnecting``.
    :param connect_timeout: seconds for an attempt to connect.
    :param tls: False, True to trust whom the system trusts, or a `TLS`.
    :param linger: seconds to send what waits when the client is closed.
    :param max_frame: bytes of a message that are accepted.
    :param frame_timeout: seconds that a message may take to arrive, from its first byte to its last.
    :param stall_timeout: seconds that the server has to take what is sent, in steps of 16 KiB.
    :param keep_alive: seconds without traffic before the kernel asks whether the server is still there,
        or None.
    :param dead_peer_timeout: seconds without an answer of the server's kernel after which it is gone.
    :param send_limits: messages, and bytes, that may wait to be sent; `send` raises BufferError beyond.
    :param receive_limit: bytes that may wait to be taken before the server is slowed down.
    :param strip_reserved: drop messages of the server that have an event's action, as ``disconnected``.
        Without, they are messages as others are, which do not reach an event's handler.
    """

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        *,
        reconnect: bool | Backoff = False,
        connect_timeout: float = 10.0,
        tls: bool | TLS = False,
        linger: float = 1.0,
        max_frame: int = 16 << 20,
        frame_timeout: float = 30.0,
        stall_timeout: float = 30.0,
        keep_alive: float | None = 15.0,
        dead_peer_timeout: float = 30.0,
        send_limits: tuple[int, int] = (100_000, 64 << 20),
        receive_limit: int = 64 << 20,
        strip_reserved: bool = False,
    ) -> None:
        if reconnect is True:
            reconnect = Backoff()
        if tls is True:
            tls = TLS()
        self.address: tuple[str, int] = (host, port)
        self._native = _native.Client(
            host,
            port,
            connect_timeout=connect_timeout,
            linger=linger,
            max_frame=max_frame,
            frame_timeout=frame_timeout,
            stall_timeout=stall_timeout,
            keep_alive=keep_alive,
            dead_peer_timeout=dead_peer_timeout,
            send_limits=send_limits,
            receive_limit=receive_limit,
            backoff=reconnect._native() if reconnect else None,
            tls=tls._client() if tls else None,
        )
        self._receive_queue = ReceiveQueue(self._native, self.address, strip_reserved)
        lifetime.clients.add(self)
        lifetime.linger(linger)

    def start_background(self) -> None:
        """Starts to connect, in the background. Does nothing while the client is connected or connects;
        after that has ended, connects anew."""
        if self._native.start():
            host, port = self.address
            log.info("connecting", host=host, port=port)

    def send(self, data: dict[Any, Any]) -> int:
        """Queues a message for the server. Returns the bytes queued: 0 when the client was never
        started, could not connect, or is closed.

        Raises TypeError, OverflowError or ValueError for what cannot be sent (see `encode`), and
        BufferError when too much waits already.
        """
        return self._native.send(data)

    def close(self) -> None:
        """Closes the connection, or gives up to connect. What was sent before is sent in the
        background. Does nothing where there is nothing to close."""
        self._native.close()

    def recv(self, timeout: float | None = None) -> dict[Any, Any] | None:
        """Waits for the next message of the server, for `timeout` seconds at most. None when none has
        come, or the connection has ended and everything was taken. Events of the connection before it
        are dropped.

        >>> client = Client("localhost", 5071)
        >>> client.start_background()
        >>> client.recv()
        {'action': 'connected'}
        >>> client.close()
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (message := self._receive_queue._next_message()) is None:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            if not self._native.wait(left):
                return None
        return message

    def poll(self) -> dict[Any, Any] | None:
        """The next message of the server, if one has come, as `recv` gives it. Does not wait."""
        return self._receive_queue._next_message()

    def events(self, timeout: float | None = None) -> Iterator[dict[Any, Any]]:
        """Messages and events of the connection, waiting for each, until the connection has ended and
        everything was taken, or nothing has come for `timeout` seconds. That a connection is open is
        told once, as ``open``: the three ways in which repod tells it are left out."""
        waiting = self._receive_queue
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            item = waiting._take()
            if item is None:
                left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
                if not self._native.wait(left):
                    return
                continue
            data, kind = item
            if kind == "event" and data["action"] == "connected":
                data = {"action": "open"}
            elif kind == "greeting" or kind == "event" and data["action"] == "socketConnect":
                continue
            yield data
            deadline = None if timeout is None else time.monotonic() + timeout

    @property
    def state(self) -> str:
        """Where the client stands: ``idle`` before its first start, ``connecting``, ``open``,
        ``closed``, or ``failed`` when it could not connect."""
        return self._native.state

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open."""
        return self._native.state == "open"

    @property
    def disconnected(self) -> _native.How | None:
        """How the last connection has ended: reason, code, and how many messages were not sent. None if
        none has."""
        return self._native.disconnected

    @property
    def stats(self) -> Statistics:
        """What went over the client's connections since it was last started."""
        return Statistics(*self._native.statistics)

    @property
    def round_trip(self) -> RoundTrip | None:
        """How long the way to the server and back takes. None where the system does not tell: only
        Linux does."""
        trip = self._native.round_trip
        return None if trip is None else RoundTrip(*trip)

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages, and bytes of their frames, that wait to be sent."""
        return self._native.waiting

    @property
    def _closed(self) -> bool:
        return self._native.state != "open"

    def __repr__(self) -> str:
        host, port = self.address
        return f"<{type(self).__name__} {host}:{port} {self.state}>"


class ConnectionListener:
    """Calls a method for each message, when the program wants it: the base of a game's client.

    Define ``Network_ACTION`` for each action, and call `pump` once a frame. The methods run in `pump`, on
    its thread, one after the other. Those for the events of the connection, as ``Network_disconnected``,
    are called by the connection alone: a message of the server that looks like one goes to
    `network_received`.

    >>> class Game(ConnectionListener):
    ...     def Network_chat(self, data):
    ...         print(data["text"])
    ...
    ...     def Network_disconnected(self, data):
    ...         print("gone:", data["reason"])
    >>> game = Game()
    >>> game.connect("localhost", 5071)
    >>> game.pump()
    """

    _connection: Client | None = None

    def connect(self, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, **options: Any) -> None:
        """Connects in the background; options are those of `Client`. A connection from before is
        closed."""
        before = self._connection
        self._connection = Client(host, port, **options)
        if before is not None:
            before.close()
        self._connection.start_background()

    @property
    def connection(self) -> Client | None:
        """The client, once `connect` was called."""
        return self._connection

    def pump(self, *, max_ms: float | None = None, max_messages: int | None = None) -> None:
        """Calls the handlers of everything that waits when it is called, but stops after `max_ms`
        milliseconds or `max_messages`: the rest waits for the next call.

        An exception of a handler comes out of here; that message is gone, those behind it still wait.
        """
        connection = self._connection
        if connection is None:
            return
        waiting = connection._receive_queue
        debugging = log._is_debugging()
        left = waiting.qsize()
        until = None if max_ms is None else time.monotonic() + max_ms / 1000
        count = 0
        # A connection that has ended brings nothing more: what it has left can be told to its end.
        while count < left or connection._native.state in ("closed", "failed"):
            if count == max_messages:
                return
            try:
                data, trusted = self._take(waiting)
            except queue.Empty:
                return
            count += 1
            action = data.get("action")
            handler = handler_of(self, action, trusted=trusted)
            if debugging:
                event = "message_unhandled" if handler is None else "message_dispatched"
                log.debug(event, action=shown(action))
            if handler is None:
                self.network_received(data)
            else:
                handler(data)
            if until is not None and time.monotonic() >= until:
                return

    @staticmethod
    def _take(waiting: Any) -> tuple[dict[Any, Any], bool]:
        """What waits longest, and whether it may tell of the connection: what a server says may not, but
        for its greeting."""
        if type(waiting) is not ReceiveQueue:
            return waiting.get_nowait(), True
        item = waiting._take()
        if item is None:
            raise queue.Empty
        return item[0], item[1] != "message"

    def send(self, data: dict[Any, Any]) -> int:
        """Queues a message for the server. Returns the bytes queued; 0 if there is no connection."""
        return 0 if self._connection is None else self._connection.send(data)

    def network_received(self, data: dict[Any, Any]) -> None:
        """Is called for each message that has no method of its own. Does nothing."""
