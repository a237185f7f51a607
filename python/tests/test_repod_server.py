"""Servers, against clients that do what the test says."""

import asyncio
import contextlib
import doctest
import gc
import io
import logging
import os
import socket
import threading
import time
import warnings
import weakref

import pytest
import trustme
from repod_support import (
    GREETING,
    WATCHDOG,
    Connection,
    frame,
    interrupt,
    kill_processes,
    pump_until,
    python,
    run,
    until,
)
from test_repod_codec import VECTORS

import heartwire.repod
from heartwire.repod import TLS, Channel, Client, ConnectionListener, Server


@pytest.fixture(autouse=True)
def processes():
    """Nothing that a test starts outlives it."""
    yield
    kill_processes()


class Player(Channel["Game"]):
    """Notes what it is told, in its server's list."""

    def on_connect(self):
        self.note("channel.on_connect")

    def Network_echo(self, data):
        self.send(data)

    def Network_all(self, data):
        self.server.send_to_all({"action": "all", "text": data["text"]})

    def Network_kick(self, data):
        self.send({"action": "goodbye"})
        self.kick(data["why"])

    def Network_fail(self, data):
        raise LookupError("a handler's own")

    def on_close(self):
        self.note("channel.on_close")

    def on_error(self, error):
        self.note(f"channel.on_error {error!r}")

    def network_received(self, data):
        self.note(data)

    def note(self, what):
        self.server.notes.append((what, self in self.server.channels, self.is_connected))


class Game(Server[Player]):
    channel_class = Player

    def __init__(self, host="127.0.0.1", port=0, **options):
        super().__init__(host, port, **options)
        self.notes = []

    def on_connect(self, channel, addr):
        assert addr == channel.addr
        channel.note("server.on_connect")

    def on_disconnect(self, channel):
        channel.note("server.on_disconnect")
        assert channel.send({"action": "too late"}) == 0

    def noted(self):
        return [what for what, _, _ in self.notes]


@contextlib.contextmanager
def running(make=Game, **options):
    game = make(**options)
    thread = game.start_background()
    try:
        yield game
    finally:
        thread.stop()


def connect(game):
    """A client, greeted."""
    connection = Connection.to(game.port)
    assert connection.read() == {"action": "connected"}
    return connection


# What a server does.


def test_the_greeting_is_the_first_frame():
    class Eager(Player):
        def on_connect(self):
            self.send({"action": "welcome"})

    class Hall(Game):
        channel_class = Eager

        def on_connect(self, channel, addr):
            channel.send({"action": "hello"})

    with running(Hall) as game, Connection.to(game.port) as connection:
        assert connection.read() == {"action": "connected"}
        assert connection.read() == {"action": "welcome"}
        assert connection.read() == {"action": "hello"}
    with running() as game, Connection.to(game.port) as connection:
        assert connection.socket.recv(22, socket.MSG_WAITALL) == GREETING


def test_hooks_come_in_repods_order():
    with running() as game:
        with connect(game) as connection:
            connection.send(frame({"action": "other"}))
            until(lambda: len(game.notes) == 3)
            assert len(game.channels) == 1
        until(lambda: len(game.notes) == 5)
        assert game.channels == []
    assert game.notes == [
        ("channel.on_connect", True, True),
        ("server.on_connect", True, True),
        ({"action": "other"}, True, True),
        ("channel.on_close", True, False),
        ("server.on_disconnect", False, False),
    ]


def test_what_was_sent_before_the_end_is_handled_before_it():
    with running() as game:
        for _ in range(100):
            game.notes.clear()
            with Connection.to(game.port) as connection:
                connection.send(b"".join(frame({"action": "n", "n": n}) for n in range(10)))
            until(lambda: len(game.notes) == 14)
            assert game.noted()[2:12] == [{"action": "n", "n": n} for n in range(10)]


def test_each_end_is_told_once_however_it_comes():
    with running() as game:
        for reset in [True, False] * 10:
            connection = connect(game)
            for _ in range(5):
                game.send_to_all({"action": "tick", "data": bytes(10_000)})
            connection.reset() if reset else connection.close()
        until(lambda: game.noted().count("server.on_disconnect") == 20)
        assert game.noted().count("channel.on_close") == 20
        assert game.channels == []


@pytest.mark.parametrize("vector", VECTORS["decode"], ids=lambda vector: vector["case"])
def test_what_is_received(vector):
    with running() as game, connect(game) as connection:
        connection.send(bytes.fromhex(vector["frame"]) + frame({"action": "next"}))
        if vector["effect"] == "close":
            assert connection.is_ended()
            until(lambda: len(game.notes) == 4)
            assert game.noted()[2:] == ["channel.on_close", "server.on_disconnect"]
        else:
            until(lambda: {"action": "next"} in game.noted())
            expected = [vector["repod_read_message"]] * vector["effect"].startswith("dispatched")
            assert [repr(what) for what in game.noted()[2:-1]] == expected


def test_everybody_gets_what_is_sent_to_all():
    with running() as game, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(game)) for _ in range(10)]
        until(lambda: len(game.channels) == 10)
        connections[3].send(frame({"action": "all", "text": "hi"}))
        for connection in connections:
            assert connection.read() == {"action": "all", "text": "hi"}
        with pytest.raises(TypeError, match="can not serialize 'set' object"):
            game.send_to_all({"action": {1}})


def test_send_to_all_goes_through_a_channels_own_send():
    class Loud(Player):
        def send(self, data):
            return super().send({**data, "loud": True})

    class Hall(Game):
        channel_class = Loud

    with running(Hall) as game, connect(game) as connection:
        until(lambda: game.channels)
        game.send_to_all({"action": "a"})
        assert connection.read() == {"action": "a", "loud": True}


def test_send_says_how_much():
    with running() as game, connect(game) as connection:
        (channel,) = until(lambda: list(game.channels))
        assert channel.send({"action": "a"}) == 14
        with pytest.raises(OverflowError):
            channel.send({"n": 2**64})
        assert connection.read() == {"action": "a"}
        assert channel.addr == connection.socket.getsockname()
        until(lambda: channel.stats.messages_sent == 1)
        assert channel.waiting == (0, 0)


@pytest.mark.parametrize("way", ["send", "send_to_all"])
def test_what_a_handler_has_sent_does_not_wait_for_its_end(way):
    arrived = threading.Semaphore(0)

    class Slow(Player):
        def Network_work(self, data):
            send = self.send if way == "send" else self.server.send_to_all
            for step in range(3):
                send({"action": "step", "step": step})
                # The client gets it while this handler runs.
                assert arrived.acquire(timeout=WATCHDOG)

    class Hall(Game):
        channel_class = Slow

    with running(Hall) as game, connect(game) as connection:
        connection.send(frame({"action": "work"}) * 2)
        for step in [0, 1, 2] * 2:
            assert connection.read() == {"action": "step", "step": step}
            arrived.release()
        connection.send(frame({"action": "echo"}))
        assert connection.read() == {"action": "echo"}
        assert not [what for what in game.noted() if "on_error" in str(what)]


def test_kicking_delivers_what_was_sent():
    with running() as game, connect(game) as connection:
        connection.send(frame({"action": "kick", "why": "full"}))
        assert connection.read() == {"action": "goodbye"}
        assert connection.read() is None
        until(lambda: len(game.notes) == 4)


def test_how_a_channel_ended():
    ended = []

    class Hall(Game):
        def on_disconnect(self, channel):
            ended.append(channel.disconnected)

    with running(Hall, max_frame=1000) as game:
        with connect(game) as connection:
            connection.send(frame({"action": "kick", "why": "full"}))
            connection.is_ended()
        with connect(game) as connection:
            connection.send(b"\xff\xff\xff\xff")
            connection.is_ended()
        until(lambda: len(ended) == 2)
    assert ended[0]["code"] == "closed"
    assert "full" in ended[0]["reason"]
    assert ended[1]["code"] == "too_large"


# What goes wrong.


def test_a_handler_that_fails_ends_nothing():
    with running() as game, connect(game) as connection:
        connection.send(frame({"action": "fail"}) + frame({"action": "echo", "n": 1}))
        assert connection.read() == {"action": "echo", "n": 1}
    assert "channel.on_error LookupError(\"a handler's own\")" in game.noted()


def test_a_handler_that_fails_may_end_its_channel():
    with running(handler_error="close") as game, connect(game) as connection:
        connection.send(frame({"action": "fail"}))
        assert connection.read() is None


def test_an_exception_is_never_swallowed():
    program = """
import sys, socket
from heartwire.repod import Channel, Client, Server, encode
class Player(Channel):
    def Network_fail(self, data):
        raise LookupError("a handler's own")
    def Network_done(self, data):
        self.send({"action": "done"})
class Game(Server[Player]):
    channel_class = Player
game = Game(port=0)
game.start_background()
client = Client("127.0.0.1", game.port)
client.start_background()
client.send({"action": "fail"})
client.send({"action": "done"})
while client.recv() != {"action": "done"}:
    pass
"""
    process = python("-c", program)
    out, err = process.communicate(timeout=WATCHDOG)
    assert (process.returncode, out) == (0, "")
    assert err.startswith("channel_error\nTraceback")
    assert err.endswith("LookupError: a handler's own\n")


@pytest.mark.parametrize("place", ["__init__", "on_connect", "server.on_connect"])
def test_a_client_that_cannot_be_welcomed_is_sent_away(place):
    def fail(*_, **__):
        raise LookupError(place)

    class Hall(Game):
        channel_class = type("Guest", (Player,), {} if "server" in place else {place: fail})

    if "server" in place:
        Hall.on_connect = fail
    reports = io.StringIO()
    handler = logging.StreamHandler(reports)
    logging.getLogger("repod").addHandler(handler)
    try:
        with running(Hall) as game, connect(game) as connection:
            assert connection.read() is None
            until(lambda: not game.channels)
        ends = [what for what in game.noted() if "clos" in what or "disc" in what]
        assert ends == ([] if place == "__init__" else ["channel.on_close", "server.on_disconnect"])
        told = reports.getvalue() + repr(game.noted())
        assert f"LookupError('{place}')" in told or f"LookupError: {place}" in told
    finally:
        logging.getLogger("repod").removeHandler(handler)


def test_hooks_that_fail_do_not_stop_the_others():
    class Clumsy(Player):
        def on_close(self):
            super().on_close()
            raise LookupError("on_close")

    class Hall(Game):
        channel_class = Clumsy

    with running(Hall) as game:
        connect(game).close()
        until(lambda: "server.on_disconnect" in game.noted())
        assert "channel.on_error LookupError('on_close')" in game.noted()
        assert game.channels == []


def test_a_slow_client_is_sent_away():
    with running(send_limits=(10, 1 << 20)) as game:
        with connect(game):  # it never reads
            (channel,) = until(lambda: list(game.channels))
            pump_until(
                lambda: game.send_to_all({"action": "tick", "data": bytes(100_000)}),
                lambda: not channel.is_connected,
            )
            until(lambda: not game.channels)
        assert channel.disconnected["code"] == "slow_peer"
        assert channel.disconnected["unsent"] > 0


def test_a_slow_client_may_be_the_programs_matter():
    with running(send_limits=(10, 1 << 20), slow_client="refuse") as game:
        with connect(game):
            (channel,) = until(lambda: list(game.channels))
            with pytest.raises(BufferError, match="at most 10 messages"):
                while True:
                    channel.send({"action": "tick", "data": bytes(100_000)})
            assert channel.is_connected


def test_a_flood_is_slowed_down():
    class Slow(Player):
        def network_received(self, data):
            self.server.gate.wait(WATCHDOG)
            super().network_received(data)

    class Hall(Game):
        channel_class = Slow
        gate = threading.Event()

    count = 300
    with running(Hall, receive_limit=100_000) as game, connect(game) as connection:
        flood = frame({"action": "flood", "data": bytes(100_000)})
        sender = threading.Thread(target=lambda: connection.send(flood * count))
        sender.start()
        until(lambda: game.channels)
        # What was read and not handled stays bounded while nothing is handled.
        (channel,) = game.channels
        received = until(lambda: channel.stats.bytes_received > 100_000 and channel.stats.bytes_received)
        with pytest.raises(TimeoutError):
            connection.socket.settimeout(0.2)
            connection.socket.recv(1)
        assert channel.stats.bytes_received < received + 20 * len(flood)
        game.gate.set()
        sender.join(WATCHDOG)
        until(lambda: sum(type(what) is dict for what in game.noted()) == count)


# Starting and stopping.


def test_a_port_that_is_taken():
    with running() as game:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{game.port}") as raised:
            Game(port=game.port).start_background()
        assert raised.value.errno
        with pytest.raises(OSError, match="cannot listen"):
            asyncio.run(Game(port=game.port).start())
        with pytest.raises(OSError, match="cannot listen"):
            Game(port=game.port).listen()


def test_a_server_without_a_channel_class():
    class Empty(Server):
        pass

    with pytest.raises(TypeError, match="Empty has no channel_class"):
        Empty(port=0).start_background()


def test_where_a_server_listens():
    game = Game("localhost", 0)
    assert (game.address, game._tcp_server) == (("localhost", 0), None)
    thread = game.start_background()
    names = [listener.getsockname() for listener in game._tcp_server.sockets]
    assert {name[1] for name in names} == {game.port}
    assert game.port > 0
    for name in names:
        with socket.create_connection(name[:2], timeout=WATCHDOG) as connection:
            assert connection.recv(22, socket.MSG_WAITALL) == GREETING
    thread.stop()
    assert game._tcp_server is None


def test_a_server_can_be_started_again():
    game = Game()
    for _ in range(3):
        thread = game.start_background()
        with pytest.raises(RuntimeError, match="runs already"):
            game.start_background()
        with connect(game) as connection:
            connection.send(frame({"action": "echo"}))
            assert connection.read() == {"action": "echo"}
            thread.stop()
            assert connection.read() is None
        assert not thread.is_alive()
        with pytest.raises(ConnectionRefusedError):
            Connection.to(game.port)
    assert game.noted().count("server.on_disconnect") == 3


def test_stopping_delivers_what_was_sent():
    with running() as game:
        connection = connect(game)
        until(lambda: game.channels)
        for n in range(100):
            game.send_to_all({"action": "n", "n": n, "data": bytes(1000)})
    assert [connection.read()["n"] for _ in range(100)] == list(range(100))
    assert connection.read() is None
    connection.close()


def test_stopping_does_not_wait_for_who_does_not_read():
    with running() as game:
        connection = connect(game)
        until(lambda: game.channels)
        for _ in range(30):
            game.send_to_all({"action": "big", "data": bytes(1 << 20)})
        game.shutdown(timeout=0.1)
    assert game.noted()[-1] == "server.on_disconnect"
    connection.close()


def test_on_a_loop():
    async def main():
        game = Game()
        await game.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", game.port)
        assert await reader.readexactly(22) == GREETING
        writer.write(frame({"action": "echo", "n": 1}))
        assert await reader.readexactly(len(frame({"action": "echo", "n": 1})))
        running = asyncio.create_task(game.run())
        await asyncio.sleep(0)
        await game.stop()
        await running
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await game.stop()
        return game

    game = asyncio.run(main())
    assert game.noted()[-1] == "server.on_disconnect"


def test_handlers_run_on_the_loop_and_may_be_coroutines():
    class Async(Player):
        async def Network_wait(self, data):
            await asyncio.sleep(0)
            self.send({"action": "waited"})
            raise LookupError("in a coroutine")

        def Network_task(self, data):
            asyncio.get_running_loop().call_soon(self.send, {"action": "soon"})

    class Hall(Game):
        channel_class = Async

    with running(Hall) as game, connect(game) as connection:
        connection.send(frame({"action": "wait"}))
        assert connection.read() == {"action": "waited"}
        connection.send(frame({"action": "task"}))
        assert connection.read() == {"action": "soon"}
        until(lambda: "channel.on_error LookupError('in a coroutine')" in game.noted())


def test_what_asyncio_gets_over_does_not_stop_the_server():
    class Cancelled(Player):
        def Network_cancelled(self, data):
            raise asyncio.CancelledError

    class Hall(Game):
        channel_class = Cancelled

    with running(Hall) as game, connect(game) as connection:
        # More than one turn of the loop handles.
        burst = [frame({"action": "cancelled"}), *[frame({"action": "echo"})] * 499]
        connection.send(b"".join(burst * 4))
        for _ in range(4 * 499):
            assert connection.read() == {"action": "echo"}
        connection.send(frame({"action": "echo", "last": True}))
        assert connection.read() == {"action": "echo", "last": True}


def test_a_run_that_is_cancelled_stops_the_server():
    async def main():
        game = Game()
        running = asyncio.create_task(game.run())
        while game._tcp_server is None:
            await asyncio.sleep(0.001)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert game._tcp_server is None
        with pytest.raises(ConnectionRefusedError):
            Connection.to(game.port)

    asyncio.run(main())


def test_stopping_from_another_loop():
    with running() as game:
        asyncio.run(game.stop())
        assert game._tcp_server is None


def test_stopping_from_a_handler():
    class Last(Player):
        def Network_stop(self, data):
            self.server.shutdown()

    class Hall(Game):
        channel_class = Last

    game = Hall()
    thread = game.start_background()
    with connect(game) as connection:
        connection.send(frame({"action": "stop"}))
        assert connection.read() is None
    thread.join(WATCHDOG)
    assert not thread.is_alive()


def test_by_hand():
    game = Game()
    assert game.pump() == 0
    me = threading.get_ident()

    class Local(Player):
        def Network_where(self, data):
            assert threading.get_ident() == me
            self.send({"action": "here"})

    game.channel_class = Local
    with connect(game) as connection:
        pump_until(game.pump, lambda: game.channels)
        connection.send(frame({"action": "where"}))
        until(lambda: game._native.pending())
        assert game.pump() == 1
        assert connection.read() == {"action": "here"}
        connection.send(frame({"action": "n"}) * 1000)
        until(lambda: game._native.pending() == 1000)
        assert game.pump(max_messages=10) == 10
        assert game.pump(max_ms=0) == 1
        assert game.pump() == 989
        assert game.pump() == 0
    pump_until(game.pump, lambda: not game.channels)
    with connect(game) as connection:
        pump_until(game.pump, lambda: game.channels)
        game.shutdown()
        assert connection.read() is None
    assert game.noted()[-2:] == ["channel.on_close", "server.on_disconnect"]
    game.shutdown()


def test_by_hand_and_on_a_loop_exclude_each_other():
    with running() as game, pytest.raises(RuntimeError, match="runs on a loop"):
        game.pump()


def test_a_channel_without_a_server():
    async def main():
        made = asyncio.Queue()
        server = await asyncio.start_server(lambda *ends: made.put_nowait(ends), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        channel = Player(*await made.get())
        with pytest.raises(RuntimeError, match="not connected to a server"):
            _ = channel.server
        assert channel.addr == writer.get_extra_info("sockname")
        assert channel.is_connected
        assert channel.send({"action": "a"}) == 14
        assert await reader.readexactly(14) == frame({"action": "a"})
        await asyncio.to_thread(channel.send, {"action": "b"})
        assert await reader.readexactly(14) == frame({"action": "b"})
        channel.kick()
        assert await reader.read() == b""
        assert not channel.is_connected
        assert channel.send({"action": "c"}) == 0
        writer.close()
        await writer.wait_closed()
        server.close()

    asyncio.run(main())


def test_generic_classes():
    assert Channel["Game"] is not None
    assert Server[Player](port=0).port == 0
    assert hash(Channel) is not None


def test_limits_of_connections():
    with running(max_connections=2) as game:
        first, second = connect(game), connect(game)
        with Connection.to(game.port) as third:
            assert third.is_ended()
        first.close()
        until(lambda: len(game.channels) == 1)
        second.close()


def test_options_that_are_none():
    with pytest.raises(ValueError, match="handler_error is 'ignore'"):
        Server(handler_error="ignore")
    with pytest.raises(ValueError, match="slow_client is 'wait'"):
        Server(slow_client="wait")
    with pytest.raises(ValueError, match="needs cert_file and key_file"):
        Server(tls=TLS())


def test_over_tls(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    server = TLS(cert_file=tmp_path / "cert.pem", key_file=tmp_path / "key.pem")
    with running(host="localhost", tls=server) as game:
        client = Client("localhost", game.port, tls=TLS(ca_file=tmp_path / "ca.pem"))
        client.start_background()
        client.send({"action": "echo", "data": bytes(100_000)})
        assert client.recv(WATCHDOG) == {"action": "connected"}
        assert client.recv(WATCHDOG) == {"action": "echo", "data": bytes(100_000)}
        client.close()
        for tls in (True, TLS(ca_file=tmp_path / "cert.pem")):
            other = Client("localhost", game.port, tls=tls)
            other.start_background()
            (event,) = other.events(timeout=WATCHDOG)
            assert (event["action"], event["code"]) == ("error", "tls")
        trusting = Client("localhost", game.port, tls=TLS(verify=False))
        trusting.start_background()
        assert trusting.recv(WATCHDOG) == {"action": "connected"}
        trusting.close()


def test_a_server_thread_may_end_before_it_hears_that_it_should():
    class Ending:
        """An event loop that does not come to what it is given."""

        def call_soon_threadsafe(self, *_, **__):
            pass

    game = Game(port=0)
    thread = game.start_background()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        game._loop, loop = Ending(), game._loop
        thread.stop(0)
        game._loop = loop
        # A coroutine that nobody has awaited says so when it is collected.
        gc.collect()
    assert told == []
    thread.stop()
    assert not thread.is_alive()


def test_a_server_that_nobody_holds_stops():
    game = Game()
    game.listen()
    connection = Connection.to(game.port)
    assert connection.read() == {"action": "connected"}
    reference = weakref.ref(game)
    del game
    gc.collect()
    assert reference() is None
    assert connection.read() is None
    connection.close()


# Both ends.


def test_many_clients():
    class Counter(ConnectionListener):
        count = 0

        def Network_echo(self, data):
            assert data["n"] == self.count
            self.count += 1

    with running() as game:
        listeners = [Counter() for _ in range(50)]
        for listener in listeners:
            listener.connect("127.0.0.1", game.port)
            for n in range(50):
                assert listener.send({"action": "echo", "n": n}) > 0
        pump_until(
            lambda: [listener.pump() for listener in listeners],
            lambda: all(listener.count == 50 for listener in listeners),
        )
        for listener in listeners:
            listener.connection.close()
        until(lambda: not game.channels)


# The process.

SERVER = """
import sys
from heartwire.repod import Channel, Server
class Player(Channel):
    def on_close(self):
        print("on_close", flush=True)
class Game(Server[Player]):
    channel_class = Player
    async def start(self):
        await super().start()
        print(self.port, flush=True)
game = Game(port=0)
"""


@pytest.mark.parametrize("loop", ["launch", "pump"])
def test_ctrl_c_ends_a_server(loop):
    ends = {
        "launch": "game.launch()",
        "pump": (
            "game.listen()\n"
            "try:\n    print(game.port, flush=True)\n    while True: game.pump()\n"
            "except KeyboardInterrupt: game.shutdown()"
        ),
    }
    process = python("-c", SERVER + ends[loop] + "\nprint('launched', game._tcp_server)")
    port = int(process.stdout.readline())
    with Connection.to(port) as connection:
        assert connection.read() == {"action": "connected"}
        time.sleep(0)
        interrupt(process)
        assert connection.read() is None
    out, err = process.communicate(timeout=WATCHDOG)
    assert err == ""
    assert out in ("on_close\nlaunched None\n", "launched None\n")
    assert process.returncode == 0


def test_the_end_of_the_program_ends_its_server():
    process = python("-c", SERVER + "game.start_background()\nsys.stdin.read()")
    port = int(process.stdout.readline())
    with Connection.to(port) as connection:
        assert connection.read() == {"action": "connected"}
        process.stdin.close()
        assert connection.read() is None
    assert process.wait(WATCHDOG) == 0
    assert process.stdout.read() in ("", "on_close\n")
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_has_servers_of_its_own():
    program = """
import os, socket, sys
from heartwire.repod import Channel, Client, Server
class Player(Channel):
    def network_received(self, data):
        self.send({"action": "pid", "pid": os.getpid()})
class Game(Server[Player]):
    channel_class = Player
def ask(port):
    client = Client("127.0.0.1", port)
    client.start_background()
    client.send({"action": "who"})
    assert client.recv() == {"action": "connected"}
    pid = client.recv()["pid"]
    client.close()
    return pid
game = Game(port=0)
game.start_background()
port = game.port
assert ask(port) == os.getpid()
channel = game.channels[0] if game.channels else None
child = os.fork()
if child == 0:
    assert game.channels == []
    assert game._tcp_server is None
    assert channel is None or channel.send({"action": "a"}) == 0
    game.port = 0
    game.start_background()
    assert ask(game.port) == os.getpid()
    game.shutdown()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert ask(port) == os.getpid()
game.shutdown()
"""
    assert run("-W", "ignore::DeprecationWarning", "-c", program) == ""


def test_examples():
    with running() as game:

        def near(host="localhost", port=0, **options):
            return Client("127.0.0.1", game.port, **options)

        for name in ("client", "channel", "server", "logconfig", "options"):
            module = getattr(heartwire.repod, name)
            globals_ = {**vars(heartwire.repod), **vars(module), "Client": near}
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            for test in doctest.DocTestFinder().find(module, globs=globals_):
                runner.run(test)
            assert runner.summarize().failed == 0, name
    root = logging.getLogger("repod")
    root.handlers[:] = [logging.NullHandler()]
    root.setLevel(logging.NOTSET)
