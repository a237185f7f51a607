"""The server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any, Generic, Literal, TypeVar

from heartwire._native import repod as _native
from heartwire.repod import lifetime
from heartwire.repod.actions import is_reserved
from heartwire.repod.channel import Channel, Link, _text
from heartwire.repod.channel import log as channel_log
from heartwire.repod.constants import DEFAULT_HOST, DEFAULT_PORT
from heartwire.repod.logconfig import get_logger
from heartwire.repod.options import TLS

__all__ = ["Server", "ServerThread"]

log = get_logger("repod.server")

C = TypeVar("C", bound="Channel[Any]")

_BATCH = 256
"""Messages that are handled before a loop's other work has its turn."""


_GRACE = 0.25
"""Seconds for the thread of a server to end when its connections have."""


class Listeners:
    """The listening sockets of a server."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.sockets: tuple[socket.socket, ...] = tuple(sockets)
        """The sockets, for `getsockname`."""

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return bool(self.sockets)

    def close(self) -> None:
        """Closes the sockets. `Server.stop` does that, and more."""
        sockets, self.sockets = self.sockets, ()
        for listener in sockets:
            listener.close()

    def __del__(self) -> None:
        self.close()


class Server(Generic[C]):
    """A server that makes a channel for each client: the base of a game's server.

    >>> class Player(Channel["Game"]):
    ...     def Network_chat(self, data):
    ...         self.server.send_to_all(data)
    >>> class Game(Server[Player]):
    ...     channel_class = Player
    ...
    ...     def on_connect(self, channel, addr):
    ...         print("welcome", addr)
    >>> game = Game(port=0)
    >>> thread = game.start_background()
    >>> game.port > 0
    True
    >>> thread.stop()

    There are four ways to run it. `launch` blocks until Ctrl-C. `start_background` runs it on a thread.
    ``await start()`` runs it on the caller's loop. `pump` runs it whenever the program wants, on the
    caller's thread, for games that must not see two threads. Handlers run there and nowhere else, one
    after the other; the network has a thread of its own.

    :param host: the address to listen on; an empty one is all addresses.
    :param port: the port; 0 lets the system choose, and `port` says which after the start.
    :param handler_error: what an exception of a handler does to its channel, after
        `Channel.on_error` was called: ``"continue"`` or ``"close"``.
    :param tls: a `TLS`, or None.
    :param linger: seconds to send what waits when a connection is closed.
    :param max_frame: bytes of a message that are accepted from a client.
    :param frame_timeout: seconds that a message may take to arrive.
    :param stall_timeout: seconds that a client has to take what is sent to it, in steps of 16 KiB.
    :param keep_alive: seconds without traffic before the kernel asks whether a client is still there,
        or None.
    :param dead_peer_timeout: seconds without an answer of a client's kernel after which it is gone.
    :param max_rate: messages a second that are accepted from a client, and as many at once, or None.
    :param send_limits: messages, and bytes, that may wait to be sent to one client.
    :param slow_client: what happens beyond: ``"disconnect"`` it, or ``"refuse"`` the message, which
        makes `Channel.send` raise BufferError.
    :param receive_limit: bytes of one client that may wait to be handled before it is slowed down.
    :param strip_reserved: drop messages of clients that have an action of `Client`'s events, as
        ``disconnected``, instead of giving them to `Channel.network_received`.
    :param max_connections: connections that are let in, or None.
    :param max_connections_per_address: connections that are let in from one address, or None.
    """

    channel_class: type[C]

    def __init__(
        self,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        *,
        handler_error: Literal["continue", "close"] = "continue",
        tls: TLS | None = None,
        linger: float = 1.0,
        max_frame: int = 16 << 20,
        frame_timeout: float = 30.0,
        stall_timeout: float = 10.0,
        keep_alive: float | None = 15.0,
        dead_peer_timeout: float = 30.0,
        max_rate: int | None = None,
        send_limits: tuple[int, int] = (100_000, 64 << 20),
        slow_client: Literal["disconnect", "refuse"] = "disconnect",
        receive_limit: int = 1 << 20,
        strip_reserved: bool = False,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
    ) -> None:
        if handler_error not in ("continue", "close"):
            raise ValueError(f"handler_error is {handler_error!r}, expected 'continue' or 'close'")
        if slow_client not in ("disconnect", "refuse"):
            raise ValueError(f"slow_client is {slow_client!r}, expected 'disconnect' or 'refuse'")
        self.host = host
        self.port = port
        self.channels: list[C] = []
        self.handler_error = handler_error
        self.strip_reserved = strip_reserved
        self._tcp_server: Listeners | None = None
        self._options: dict[str, Any] = {
            "linger": linger,
            "max_frame": max_frame,
            "frame_timeout": frame_timeout,
            "stall_timeout": stall_timeout,
            "keep_alive": keep_alive,
            "dead_peer_timeout": dead_peer_timeout,
            "max_rate": max_rate,
            "send_limits": send_limits,
            "receive_limit": receive_limit,
            "max_connections": max_connections,
            "max_connections_per_address": max_connections_per_address,
            "disconnect_slow": slow_client == "disconnect",
            "tls": None if tls is None else tls._server(),
        }
        self._native: _native.Server | None = None
        self._descriptors: list[int] = []
        self._by_number: dict[int, C] = {}
        self._news: deque[tuple[int, Any]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signal: int | None = None
        self._stopped: asyncio.Event | None = None
        self._thread: ServerThread | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        lifetime.servers.add(self)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    # Running on a loop.

    async def start(self) -> None:
        """Listens, and serves on this loop from now on. Raises OSError if it cannot listen."""
        if self._native is not None:
            raise RuntimeError("the server runs already")
        self._open()
        self._attach(asyncio.get_running_loop())

    async def run(self) -> None:
        """Waits until the server is stopped; starts it first if it does not run. When the wait is
        cancelled, stops the server."""
        if self._native is None:
            await self.start()
        stopped = self._stopped
        if stopped is None:
            raise RuntimeError("the server does not run on this loop")
        try:
            await stopped.wait()
        finally:
            await self.stop()

    async def stop(self, timeout: float = 5.0) -> None:
        """Stops: no new clients, and those that there are get what waits for them and are closed. Those
        that have not gone after `timeout` seconds are cut off. Returns when all `on_close` and
        `on_disconnect` were called. Does nothing where the server does not run."""
        loop, stopped = self._loop, self._stopped
        if loop is None or stopped is None:
            self._stop_pumping(timeout)
        elif loop is asyncio.get_running_loop():
            self._begin_to_stop(timeout)
            await stopped.wait()
        else:
            there = asyncio.run_coroutine_threadsafe(self.stop(timeout), loop)
            await asyncio.wrap_future(there)

    # Running on a thread.

    def launch(self) -> None:
        """Runs the server until Ctrl-C, or until it is stopped."""

        async def main() -> None:
            await self.start()
            try:
                await self.run()
            finally:
                await self.stop()

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            pass

    def start_background(self) -> ServerThread:
        """Runs the server on a thread. Returns when it listens: `port` is the real one. Raises OSError
        if it cannot listen."""
        if self._native is not None:
            raise RuntimeError("the server runs already")
        thread = ServerThread(self)
        thread.start()
        thread._wait_until_started()
        self._thread = thread
        return thread

    # Running by hand.

    def listen(self) -> None:
        """Listens, for `pump`. Raises OSError if it cannot. Until the first `pump` clients wait."""
        if self._native is None:
            self._open()

    def pump(self, *, max_ms: float | None = None, max_messages: int | None = None) -> int:
        """Runs the handlers of everything that waits when it is called, on this thread, but stops after
        `max_ms` milliseconds or `max_messages`: the rest waits for the next call. Returns how much it
        has handled. Listens when it is called first.

        >>> game = Server[Channel](port=0)
        >>> game.channel_class = Channel
        >>> game.pump()
        0
        >>> game.shutdown()
        """
        if self._loop is not None:
            raise RuntimeError("the server runs on a loop: its handlers run there")
        self.listen()
        native = self._native
        assert native is not None
        left = native.pending() + len(self._news)
        if max_messages is not None:
            left = min(left, max_messages)
        until = None if max_ms is None else time.monotonic() + max_ms / 1000
        count = 0
        while count < left:
            step = 1 if until is not None else left - count
            handled = self._handle_some(step)
            if handled == 0:
                break
            count += handled
            if until is not None and time.monotonic() >= until:
                break
        return count

    def shutdown(self, timeout: float = 5.0) -> None:
        """Stops a server that runs by `pump`, or on a thread, as `stop` does."""
        thread = self._thread
        if thread is not None:
            thread.stop(timeout)
        elif self._loop is not None:
            raise RuntimeError("the server runs on a loop: await stop()")
        else:
            self._stop_pumping(timeout)

    # What a game's server does.

    def send_to_all(self, data: dict[Any, Any]) -> None:
        """Sends a message to every client. It is encoded once."""
        frame, native = None, self._native
        if native is not None:
            native.gather()
        try:
            for channel in self.channels.copy():
                send_frame = getattr(channel._link, "send_frame", None)
                if send_frame is None or type(channel).send is not Channel.send:
                    channel.send(data)
                    continue
                if frame is None:
                    frame = _native.Frame(data)
                try:
                    send_frame(frame)
                except BufferError as error:
                    addr = _text(channel.addr)
                    log.warning("slow_client", addr=addr, bytes=channel.waiting[1], error=error)
        finally:
            if native is not None:
                native.release()

    def on_connect(self, channel: C, addr: tuple[str, int]) -> None:
        """Is called when a client has connected, after `Channel.on_connect`. Does nothing."""

    def on_disconnect(self, channel: C) -> None:
        """Is called once when a connection has ended and its channel was removed. Does nothing."""

    # The way from the network to the handlers.

    def _open(self) -> None:
        if getattr(self, "channel_class", None) is None:
            raise TypeError(f"{type(self).__name__} has no channel_class")
        sockets = _listen(self.host, self.port)
        native = _native.Server(**self._options)
        self._descriptors = [listener.dup().detach() for listener in sockets]
        for descriptor in self._descriptors:
            native.listen(descriptor)
        self._native = native
        self._tcp_server = Listeners(sockets)
        self.port = sockets[0].getsockname()[1]
        log.info("server_started", host=self.host, port=self.port)

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        native = self._native
        assert native is not None
        self._loop = loop
        self._stopped = asyncio.Event()
        signal = None
        # Windows' usual loop cannot wait for sockets this way.
        if sys.platform != "win32":
            signal = native.signal()
        if signal is not None:
            loop.add_reader(signal, self._drain)
            self._signal = signal
        else:
            bridge = threading.Thread(target=self._carry, args=(native, loop), daemon=True)
            bridge.name = "heartwire-server"
            bridge.start()

    def _carry(self, native: _native.Server, loop: asyncio.AbstractEventLoop) -> None:
        """Wakes the loop when there is something to take."""
        drained = threading.Event()

        def drain() -> None:
            self._drain()
            drained.set()

        while self._native is native and native.wait():
            drained.clear()
            try:
                loop.call_soon_threadsafe(drain)
            except RuntimeError:
                return
            drained.wait()

    def _drain(self) -> None:
        loop = self._loop
        if loop is None or self._native is None:
            return
        try:
            self._handle_some(_BATCH)
        finally:
            # Also where a handler raises what is no `Exception`, which the loop may get over.
            if self._native is not None and (self._news or self._native.pending()):
                loop.call_soon(self._drain)

    def _handle_some(self, limit: int) -> int:
        """Handles up to `limit` of what waits, and says how much it was."""
        news, native = self._news, self._native
        if native is None:
            return 0
        # What a handler's exception leaves stays for the next time.
        if not news:
            news.extend(native.take(min(limit, _BATCH)))
        by_number = self._by_number
        count = 0
        is_debugging = channel_log._is_debugging()
        native.gather()
        try:
            while news and count < limit:
                number, what = news.popleft()
                count += 1
                if type(what) is dict:
                    channel = by_number.get(number)
                    if channel is None or self.strip_reserved and is_reserved(what["action"]):
                        continue
                    try:
                        channel._dispatch(what, is_debugging)
                    except Exception as error:
                        self._handler_failed(channel, error)
                elif type(what) is _native.Channel:
                    self._connected(number, what)
                elif what is None:
                    self._has_stopped()
                else:
                    self._disconnected(number, what.how)
        finally:
            native.release()
        return count

    def _connected(self, number: int, link: _native.Channel) -> None:
        end = Link(link)
        try:
            channel = self.channel_class(end, end, server=self)
        except Exception as error:
            log._report("channel_error", error, addr=_text(link.addr))
            link.kick("its channel could not be made")
            return
        self._by_number[number] = channel
        self.channels.append(channel)
        log.info("client_connected", addr=_text(channel.addr), clients=len(self.channels))
        try:
            channel.on_connect()
            self.on_connect(channel, channel.addr)
        except Exception as error:
            self._report(channel, error)
            channel.kick("on_connect failed")

    def _disconnected(self, number: int, how: _native.How) -> None:
        channel = self._by_number.pop(number, None)
        if channel is None:
            return
        channel._how = how
        try:
            channel.on_close()
        except Exception as error:
            self._report(channel, error)
        if channel in self.channels:
            self.channels.remove(channel)
        addr, clients = _text(channel.addr), len(self.channels)
        if how["code"] == "slow_peer":
            log.warning("slow_client", addr=addr, bytes=channel.waiting[1], reason=how["reason"])
        if how["code"] in ("closed", "peer_closed"):
            log.info("client_disconnected", addr=addr, clients=clients)
        else:
            log.info("client_disconnected", addr=addr, clients=clients, reason=how["reason"])
        try:
            self.on_disconnect(channel)
        except Exception as error:
            log._report("on_disconnect_failed", error, addr=addr)

    def _handler_failed(self, channel: C, error: Exception) -> None:
        self._report(channel, error)
        if self.handler_error == "close":
            channel.kick("a handler failed")

    def _report(self, channel: C, error: Exception) -> None:
        try:
            channel.on_error(error)
        except Exception as another:
            log._report("on_error_failed", another, addr=_text(channel.addr))

    def _run_handler(self, channel: C, coroutine: Coroutine[Any, Any, Any]) -> None:
        if self._loop is None:
            coroutine.close()
            raise RuntimeError("a handler that is a coroutine needs a loop: use start() or launch()")

        async def guarded() -> None:
            try:
                await coroutine
            except Exception as error:
                self._handler_failed(channel, error)

        self._start_task(self._loop, guarded())

    def _start_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        task = loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The end.

    def _begin_to_stop(self, timeout: float) -> None:
        if self._native is not None and self._tcp_server is not None:
            self._tcp_server.close()
            self._tcp_server = None
            self._native.stop(timeout)

    def _has_stopped(self) -> None:
        if self._signal is not None and self._loop is not None:
            self._loop.remove_reader(self._signal)
        stopped = self._stopped
        self._native = self._loop = self._signal = self._stopped = None
        self._descriptors = []
        log.info("server_stopped")
        if stopped is not None:
            stopped.set()

    def _stop_pumping(self, timeout: float) -> None:
        self._begin_to_stop(timeout)
        while self._native is not None:
            if not self._news:
                self._native.wait()
            self._handle_some(_BATCH)

    def _finish(self) -> None:
        """The process ends."""
        try:
            if self._thread is not None:
                self._thread.stop(1.0)
            elif self._native is not None and self._loop is None:
                self._stop_pumping(1.0)
        except Exception as error:
            log._report("background_server_error", error)

    def _forget(self) -> None:
        """The process is a child: everything belongs to its parent."""
        if self._native is None:
            return
        if self._tcp_server is not None:
            self._tcp_server.close()
            for descriptor in self._descriptors:
                os.close(descriptor)
        self._native = self._tcp_server = self._loop = self._signal = None
        self._stopped = self._thread = None
        self._descriptors = []
        self._by_number.clear()
        self._news.clear()
        self.channels.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.host}:{self.port} {len(self.channels)} clients>"


class ServerThread(threading.Thread):
    """The thread that runs a server in the background."""

    def __init__(self, server: Server[Any]) -> None:
        super().__init__(name="heartwire-server", daemon=True)
        self._server = server
        self._started_or_failed = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Runs the server until it is stopped."""
        try:
            asyncio.run(self._main())
        except BaseException as error:
            log.error("background_server_error", error=error)
            if self._started_or_failed.is_set():
                raise
            self._error = error
        finally:
            self._started_or_failed.set()
            if self._server._thread is self:
                self._server._thread = None

    def stop(self, timeout: float = 5.0) -> None:
        """Stops the server, as `Server.stop` does, and waits until it has, or a handler has not returned
        in time."""
        server = self._server
        loop = server._loop
        if loop is not None and self.is_alive():
            # The loop may end, or have ended, before it comes to this.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(lambda: server._start_task(loop, server.stop(timeout)))
        if threading.current_thread() is not self:
            # A handler that blocks is not waited for longer than the network is.
            self.join(timeout + _GRACE)
            if self.is_alive():
                log.error("server_not_stopped", error=f"a handler runs for more than {timeout} s")

    async def _main(self) -> None:
        await self._server.start()
        self._started_or_failed.set()
        await self._server.run()

    def _wait_until_started(self) -> None:
        self._started_or_failed.wait()
        if self._error is not None:
            self.join()
            raise self._error


def _listen(host: str | None, port: int) -> list[socket.socket]:
    """Listens on every address of a host, on the same port."""
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    found = socket.getaddrinfo(host or None, port, type=kind, flags=flags)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, addr in dict.fromkeys(found):
            try:
                listener = socket.socket(family, kind, protocol)
            except OSError:
                continue  # a kind of address that the system does not have
            sockets.append(listener)
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == getattr(socket, "AF_INET6", None) and hasattr(socket, "IPPROTO_IPV6"):
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if port == 0 and len(sockets) > 1:
                addr = (addr[0], sockets[0].getsockname()[1], *addr[2:])
            try:
                listener.bind(addr)
            except OSError as error:
                # Names like localhost stand for addresses that a machine may not have.
                if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                    sockets.remove(listener)
                    listener.close()
                    continue
                text = f"cannot listen on {_text(addr)}: {error.strerror}"
                raise OSError(error.errno, text) from None
            # Whoever finds no room tries again after a second.
            listener.listen(4096)
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"{host!r} has no address to listen on")
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    return sockets
