"""Connections whose beginning or end is interrupted, and clients that can be used again afterwards."""

import asyncio
import gc
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from heartwire import _native, engineio
from heartwire.engineio import _session, base_client, exceptions, packet


class Interrupted(BaseException):
    """As Ctrl-C is, for one thread alone."""


def threads_of_handlers():
    return [t for t in threading.enumerate() if t.name.startswith("heartwire-handlers")]


def echoes(client):
    """Whether the client can be used: it is connected again, and a message comes back."""
    before = client.handlers.copy()
    seen = queue.Queue()
    client.handlers.clear()
    client.on("message", seen.put)
    client.send("still here")
    result = seen.get(timeout=60)
    client.handlers.clear()
    client.handlers.update(before)
    return result == "still here"


def test_disconnect_that_is_interrupted_leaves_a_usable_client(server, monkeypatch):
    client = engineio.Client()
    client.connect(server.url)

    def interrupted(session):
        raise Interrupted

    monkeypatch.setattr(client, "_await_end", interrupted)
    with pytest.raises(Interrupted):
        client.disconnect()
    monkeypatch.undo()
    assert client.state == "disconnected" and client not in base_client.connected_clients
    client.connect(server.url)
    assert echoes(client)
    client.disconnect()


def test_async_disconnect_that_is_cancelled_leaves_a_usable_client(server):
    async def run():
        client = engineio.AsyncClient()
        await client.connect(server.url)
        reached = asyncio.Event()

        @client.on("disconnect")
        async def on_disconnect(reason):
            reached.set()
            await asyncio.sleep(60)

        ending = asyncio.ensure_future(client.disconnect())
        await reached.wait()
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        assert client.state == "disconnected" and client not in base_client.connected_clients
        client.handlers.clear()
        seen = asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(server.url)
        await client.send("again")
        assert await seen.get() == "again"
        await client.disconnect()

    asyncio.run(run())


@pytest.mark.parametrize("place", ["handler", "upgrade"])
def test_connect_that_is_interrupted_leaves_no_connection(server, monkeypatch, place):
    client, ends = engineio.Client(), []
    client.on("disconnect", ends.append)

    def interrupted(*_):
        raise Interrupted

    if place == "handler":
        client.on("connect", interrupted)
    else:
        monkeypatch.setattr(client, "_await_upgrade", interrupted)
    with pytest.raises(Interrupted):
        client.connect(server.url)
    monkeypatch.undo()
    client.handlers.pop("connect", None)
    assert client.state == "disconnected" and client not in base_client.connected_clients
    # Who was told of a connection is told of its end.
    assert ends == ([] if place == "handler" else ["client disconnect"])
    client.connect(server.url)
    assert echoes(client)
    client.disconnect()


@pytest.mark.parametrize("place", ["handler", "upgrade"])
def test_async_connect_that_is_cancelled_leaves_no_connection(server, place):
    async def run():
        client, reached = engineio.AsyncClient(), asyncio.Event()

        @client.on("connect")
        async def on_connect():
            reached.set()
            if place == "handler":
                await asyncio.sleep(60)

        for _ in range(200):
            connecting = asyncio.ensure_future(client.connect(server.url))
            await reached.wait()
            if place == "upgrade":
                while not client._session.begins:
                    await asyncio.sleep(0)
            if not connecting.done():
                break
            # The upgrade was quicker.
            await client.disconnect()
            reached.clear()
        else:
            pytest.fail("the upgrade is always quicker")
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert client.state == "disconnected" and client not in base_client.connected_clients
        client.handlers.clear()
        seen = asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(server.url)
        await client.send("again")
        assert await seen.get() == "again"
        await client.disconnect()

    asyncio.run(run())


def test_reconnection_waits_for_a_slow_disconnect_handler(start_peer, until):
    peer = start_peer("asgi")
    client, seen = engineio.Client(reconnection={"delay": 0.01, "randomization_factor": 0}), []

    @client.on("disconnect")
    def on_disconnect(reason):
        seen.append("disconnecting")
        time.sleep(1)
        seen.append("disconnected")

    client.on("connect", lambda: seen.append("connected"))
    client.connect(peer.url, transports=["websocket"])
    client.send("!exit")
    until(lambda: seen[1:] == ["disconnecting"])
    start_peer("asgi", "--port", peer.port)
    until(lambda: len(seen) == 4)
    assert seen == ["connected", "disconnecting", "disconnected", "connected"]
    until(lambda: client.state == "connected")
    assert client.sid is not None and client in base_client.connected_clients
    assert echoes(client)
    client.disconnect()


@pytest.mark.parametrize("slow", [False, True])
def test_async_reconnection_is_told_in_order(start_peer, slow):
    """Although everything has arrived before the event loop looks."""

    async def run():
        peer = start_peer("asgi")
        options = {"delay": 0.01, "randomization_factor": 0}
        client, seen = engineio.AsyncClient(reconnection=options, handle_sigint=False), []
        answered = asyncio.Event()

        @client.on("connect")
        async def on_connect():
            await client.send("!say hello")
            if len(seen) == 3:
                wait_for(lambda: session.native.pending() > 0)
            await asyncio.sleep(0.01)
            seen.append("connected")

        @client.on("message")
        async def on_message(data):
            seen.append(data)
            if len(seen) == 5:
                answered.set()

        @client.on("disconnect")
        async def on_disconnect(reason):
            if slow:
                await asyncio.sleep(0.5)
            seen.append(reason)

        def wait_for(condition):
            deadline = time.monotonic() + 60
            while not condition():
                assert time.monotonic() < deadline, "it did not happen"
                time.sleep(0.001)

        await client.connect(peer.url, transports=["websocket"])
        session, first = client._session, client.sid
        while len(seen) < 2:
            await asyncio.sleep(0.001)
        await client.send("!exit")
        wait_for(lambda: session.native.transport() is None)
        start_peer("asgi", "--port", peer.port)
        wait_for(lambda: session.native.transport() is not None)
        await asyncio.wait_for(answered.wait(), 60)
        assert seen == ["connected", "hello", "transport error", "connected", "hello"]
        assert client.state == "connected" and client.sid not in (None, first)
        await client.disconnect()
        assert seen[5:] == ["client disconnect"] and client.state == "disconnected"

    asyncio.run(run())


@pytest.mark.parametrize("options", [{"ordered": True}, {"reconnection": {"delay": 0.01}}], ids=str)
def test_async_disconnect_within_a_handler_that_others_wait_for(start_peer, options):
    async def run():
        peer = start_peer("asgi")
        client = engineio.AsyncClient(handle_sigint=False, close_timeout=1000, **options)
        ended, connects = asyncio.Event(), 0

        async def leave():
            await client.disconnect()
            ended.set()

        @client.on("connect")
        async def on_connect():
            nonlocal connects
            connects += 1
            if connects == 2:
                await leave()

        @client.on("message")
        async def on_message(data):
            await leave()

        await client.connect(peer.url, transports=["websocket"])
        if "ordered" in options:
            await client.send("!say leave")
        else:
            await client.send("!exit")
            start_again(peer)
        await asyncio.wait_for(ended.wait(), 60)
        await asyncio.wait_for(client.wait(), 60)
        assert client.state == "disconnected"

    def start_again(peer):
        peer.process.wait(60)
        start_peer("asgi", "--port", peer.port)

    asyncio.run(run())


@pytest.mark.parametrize("ending", ["client", "server"])
def test_http_session_that_cannot_be_closed(start_peer, caplog, until, ending):
    import requests

    class Session(requests.Session):
        def close(self):
            raise LookupError("not to be closed")

    peer, logger = start_peer("asgi"), logging.getLogger()
    client = engineio.Client(http_session=Session, logger=logger)
    for _ in range(2):
        client.connect(peer.url)
        session = client._session
        if ending == "client":
            client.disconnect()
        else:
            client.send("!close")
        client.wait()
        assert session.handled.wait(60)
        until(lambda: not threads_of_handlers())
        assert client.state == "disconnected"
    assert "LookupError: not to be closed" in caplog.text


@pytest.mark.parametrize("ending", ["client", "server"])
def test_async_http_session_that_cannot_take_cookies_or_be_closed(
    start_peer, caplog, monkeypatch, ending
):
    import aiohttp

    class Jar(aiohttp.DummyCookieJar):
        def update_cookies(self, *_):
            raise LookupError("not for cookies")

    close = aiohttp.ClientSession.close

    async def close_and_raise(session):
        await close(session)
        raise LookupError("not to be closed")

    async def make():
        return aiohttp.ClientSession(cookie_jar=Jar())

    monkeypatch.setattr(aiohttp.ClientSession, "close", close_and_raise)

    async def run():
        peer = start_peer("asgi", "--set-cookie")
        logger = logging.getLogger()
        client = engineio.AsyncClient(http_session=make, handle_sigint=False, logger=logger)
        for _ in range(2):
            await client.connect(peer.url, transports=["websocket"])
            if ending == "client":
                await client.disconnect()
            else:
                await client.send("!close")
            await asyncio.wait_for(client.wait(), 60)
            assert client.state == "disconnected"

    asyncio.run(run())
    assert "LookupError: not to be closed" in caplog.text
    assert "LookupError: not for cookies" in caplog.text


def test_async_connect_that_is_cancelled_as_it_succeeds_leaves_no_connection(server):
    async def run():
        client = engineio.AsyncClient(handle_sigint=False)
        connecting = asyncio.ensure_future(client.connect(server.url, transports=["websocket"]))
        deadline = time.monotonic() + 60

        def found():
            return [s for s in base_client.sessions if getattr(s, "client", None) is client]

        while not found():
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        native = found()[0].native
        while native.transport() is None:
            assert time.monotonic() < deadline
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert native.closed(60)

    asyncio.run(run())


def test_what_is_kept_back_is_sent_before_the_end():
    """Two threads send it, of whom the second then ends the connection."""
    session = _session.Session(None, None)
    session.hold_back()
    session.held.extend("abc")
    told = []
    begun, go_on = threading.Event(), threading.Event()

    def send(data):
        if data == "a":
            begun.set()
            go_on.wait(60)
        told.append(data)

    def end():
        session.release(told.append, 60)
        told.append("end")

    first = threading.Thread(target=session.release, args=(send, 60))
    first.start()
    assert begun.wait(60)
    second = threading.Thread(target=end)
    second.start()
    second.join(0.1)
    go_on.set()
    first.join(60)
    second.join(60)
    assert told == ["a", "b", "c", "end"]


def test_async_what_is_kept_back_is_sent_before_the_end(server, monkeypatch):
    async def run():
        client, results = engineio.AsyncClient(handle_sigint=False), []
        await client.connect(server.url, transports=["websocket"])
        session = client._session
        session.hold_back()
        session.held.extend("abc")

        async def send(session, data):
            await asyncio.sleep(0.01)
            results.append((data, session.native.send_text(data)))

        monkeypatch.setattr(client, "_send_encoded", send)
        releasing = asyncio.ensure_future(client._release(session))
        await asyncio.sleep(0)
        await client.disconnect()
        await releasing
        assert results == [(data, session.native.SENT) for data in "abc"]

    asyncio.run(run())


def test_disconnect_handlers_do_not_keep_a_client(server):
    class Game:
        def __init__(self):
            self.client = engineio.Client()
            self.client.on("disconnect", self.on_disconnect)

        def on_disconnect(self):
            pass

    game = Game()
    game.client.connect(server.url)
    game.client.disconnect()
    gone = weakref.ref(game.client)
    del game
    gc.collect()
    assert gone() is None


def test_the_class_of_a_session_is_a_function_that_makes_one(server):
    import requests

    class Session(requests.Session):
        made = []
        closed = 0

        def __init__(self):
            super().__init__()
            Session.made.append(self)

        def close(self):
            Session.closed += 1
            super().close()

    client = engineio.Client(http_session=Session)
    for count in (1, 2):
        client.connect(server.url, transports=["polling"])
        assert client.http is Session.made[-1] and len(Session.made) == count
        assert echoes(client)
        client.disconnect()
        assert client.http is None and Session.closed == count


def test_async_sessions_that_were_made_are_closed(server):
    import aiohttp

    made = []

    async def make():
        made.append(aiohttp.ClientSession())
        return made[-1]

    client = engineio.AsyncClient(http_session=make, handle_sigint=False)

    async def run():
        seen = asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(server.url, transports=["polling"])
        await client.send("x")
        assert await seen.get() == "x"
        await client.disconnect()
        assert made[-1].closed

    for count in (1, 2):
        asyncio.run(run())
        assert len(made) == count


def test_sessions_of_the_program_stay_open(server):
    import requests

    with requests.Session() as session:
        client = engineio.Client(http_session=session)
        for _ in range(2):
            client.connect(server.url)
            client.disconnect()
            assert client.http is session


def test_signal_handler_may_come_at_any_moment():
    """It runs on the thread that it interrupts, whatever lock that thread has."""
    session = _session.Session(None, None)
    assert session.claim_end()
    session.hold_back()
    sent = []
    with session._lock, session._releasing:
        assert session.hold("x")
        session.release(sent.append, 0)
    assert sent == ["x"] and not session.hold("y")
    moment = _session.Moment()
    assert not moment.wait(0)
    with moment._lock, moment._condition:
        moment.set()
        assert moment.wait(0)


def test_blocked_handlers_do_not_add_up_in_disconnect(server, until, monkeypatch):
    client, gate, started = engineio.Client(), threading.Event(), queue.Queue()

    @client.on("message")
    def on_message(data):
        started.put(data)
        client.create_event().wait(0)
        gate.wait(100)

    client.connect(server.url, transports=["websocket"])
    for i in range(30):
        client.send(f"n{i}")
    for _ in range(30):
        started.get(timeout=100)
    left = []
    monkeypatch.setattr("heartwire.engineio._threads.join", left.append)
    client.disconnect()
    # Waiting for the handlers has taken all the time that there is for threads.
    assert left == [0]
    assert len(threads_of_handlers()) >= 30
    gate.set()
    until(lambda: not threads_of_handlers())


def test_json_module_that_cannot_read(server, monkeypatch, capsys):
    """Each message is told as an error, and the connection goes on."""

    class Module:
        dumps = staticmethod(lambda data, **_: str(data))

    errors, seen = queue.Queue(), queue.Queue()
    monkeypatch.setattr(threading, "excepthook", errors.put)
    monkeypatch.setattr(packet.Packet, "json", Module)
    client = engineio.Client()
    client.on("message", seen.put)
    client.connect(server.url, transports=["websocket"])
    client.send("text")
    client.send(b"bytes")
    assert errors.get(timeout=60).exc_type is AttributeError
    assert seen.get(timeout=60) == b"bytes"
    client.disconnect()
    client.wait()


def test_wait_in_a_disconnect_handler_is_refused(start_peer):
    peer = start_peer("asgi")
    client, errors = engineio.Client(), []

    @client.on("disconnect")
    def on_disconnect(reason):
        with pytest.raises(RuntimeError, match="ends when the handler returns"):
            client.wait()
        errors.append(reason)

    client.connect(peer.url, transports=["websocket"])
    client.send("!close")
    client.wait()
    client.connect(peer.url, transports=["websocket"])
    client.disconnect()
    assert errors == ["server disconnect", "client disconnect"]


def test_async_wait_in_a_disconnect_handler_is_refused(server):
    async def run():
        client, errors = engineio.AsyncClient(), []

        @client.on("disconnect")
        async def on_disconnect(reason):
            with pytest.raises(RuntimeError, match="ends when the handler returns"):
                await client.wait()
            errors.append(reason)

        await client.connect(server.url)
        await client.disconnect()
        assert errors == ["client disconnect"]

    asyncio.run(run())


def test_connecting_again_within_the_handler_of_an_own_disconnect(server):
    client, reasons = engineio.Client(), []

    @client.on("disconnect")
    def on_disconnect(reason):
        reasons.append(reason)
        if len(reasons) == 1:
            client.connect(server.url)

    client.connect(server.url)
    first = client.sid
    client.disconnect()
    assert client.state == "connected" and client.sid not in (None, first)
    assert echoes(client)
    client.disconnect()
    assert client.state == "disconnected" and reasons == ["client disconnect"] * 2


def test_async_connecting_again_within_the_handler_of_an_own_disconnect(server):
    async def run():
        client, reasons = engineio.AsyncClient(), []

        @client.on("disconnect")
        async def on_disconnect(reason):
            reasons.append(reason)
            if len(reasons) == 1:
                await client.connect(server.url)

        await client.connect(server.url)
        await client.disconnect()
        assert client.state == "connected"
        await client.disconnect()
        assert client.state == "disconnected" and reasons == ["client disconnect"] * 2

    asyncio.run(run())


@pytest.mark.parametrize("ending", ["asyncio.run", "close"])
def test_async_connection_ends_with_its_event_loop(start_peer, until, ending):
    peer = start_peer("asgi")
    client = engineio.AsyncClient(handle_sigint=False)

    async def connect():
        await client.connect(peer.url, transports=["websocket"])
        await client.send("last words")

    async def again():
        seen = asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(peer.url, transports=["websocket"])
        # It travels while the loop is gone.
        async def arrive():
            while True:
                await client.send("!received last")
                if await seen.get() == ["last words"]:
                    break

        await asyncio.wait_for(arrive(), 60)
        await client.disconnect()

    if ending == "asyncio.run":
        asyncio.run(connect())
        assert client.state == "disconnected" and client not in base_client.connected_clients
    else:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(connect())
        # It may go on: that the loop rests says nothing.
        loop.run_until_complete(client.send("last words too"))
        loop.close()
        client.handlers.clear()
    if ending == "asyncio.run":
        asyncio.run(again())
    else:
        asyncio.run(client.disconnect())
        assert client.state == "disconnected" and client not in base_client.connected_clients


def test_handler_that_goes_on_and_then_blocks(server):
    """What waits behind it is handled, although somebody was on the way to take over before."""
    before = sys.getswitchinterval()
    client, gate, result = engineio.Client(), threading.Event(), queue.Queue()

    @client.on("message")
    def on_message(data):
        if data == "second":
            gate.set()
            return
        client.send("second")
        native = client._session.native
        while native.pending() == 0:
            time.sleep(0.001)
        # Another thread is called, and cannot come while this one has the interpreter.
        sys.setswitchinterval(1000)
        try:
            _native.handler_blocks()
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                pass
            _native.handler_goes_on()
        finally:
            sys.setswitchinterval(before)
        result.put(gate.wait(60))

    client.connect(server.url, transports=["websocket"])
    client.send("first")
    assert result.get(timeout=100)
    client.disconnect()


FORK_IN_HANDLER = """
import os, queue, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from heartwire import engineio

url = sys.argv[1]
client, results = engineio.Client(), queue.Queue()

@client.on("message")
def on_message(data):
    child = os.fork()
    if child == 0:
        # What waits here must not ask the parent's threads for anything.
        client.sleep(0.01)
        client.create_event().wait(0.01)
        assert client.state == "disconnected"
        other, seen = engineio.Client(handle_sigint=False), queue.Queue()
        other.on("message", seen.put)
        other.connect(url)
        other.send("child")
        assert seen.get(timeout=30) == "child"
        other.disconnect()
        if data == "exit":
            os._exit(7)
        return
    results.put(os.waitpid(child, 0)[1])

client.connect(url)
client.send("exit")
assert os.waitstatus_to_exitcode(results.get(timeout=60)) == 7
client.send("return")
assert os.waitstatus_to_exitcode(results.get(timeout=60)) == 0
client.disconnect()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_within_a_handler(server):
    program = [sys.executable, "-c", FORK_IN_HANDLER, server.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("done\n", "")


FORK_IN_BATCH = """
import asyncio, os, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from heartwire import engineio

async def main():
    client, seen = engineio.AsyncClient(), []
    done = asyncio.Event()

    @client.on("message")
    def on_message(data):
        seen.append(data)
        if data == "n0":
            if (child := os.fork()) == 0:
                # When everything was handled that was taken at once.
                loop.call_soon(lambda: os._exit(len(seen)))
                return
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        if data == "n9":
            done.set()

    loop = asyncio.get_running_loop()
    await client.connect(sys.argv[1], transports=["websocket"])
    for i in range(10):
        await client.send(f"n{i}")
    deadline = time.monotonic() + 60
    while client._session.native.pending() < 10 and time.monotonic() < deadline:
        time.sleep(0.001)
    await asyncio.wait_for(done.wait(), 60)
    await client.disconnect()

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_within_a_function_of_an_event_loop(server):
    """What was taken with the message stays with the parent: the child has seen one."""
    program = [sys.executable, "-c", FORK_IN_BATCH, server.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("1\n", "")


INTERRUPTED = """
import signal, sys, threading, time
from heartwire import engineio

client = engineio.Client()

@client.on("disconnect")
def on_disconnect(reason):
    print(reason, flush=True)

client.connect(sys.argv[1])
try:
    print("connected", flush=True)
    while True:
        client.send("x")
except KeyboardInterrupt:
    print(client.state, flush=True)
"""


def test_interrupt_while_sending(server):
    program = [sys.executable, "-c", INTERRUPTED, server.url]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "connected\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=100) == ("client disconnect\ndisconnected\n", "")


LAST_WORDS = {
    "threads": """
client = engineio.Client()
client.connect(url, transports=transports)
for i in range(20):
    client.send(f"last {i}")
""",
    "inline": """
client = engineio.Client(dispatch="inline")
client.on("disconnect", print)
client.connect(url, transports=transports)
for i in range(20):
    client.send(f"last {i}")
""",
    "async": """
import asyncio

async def main():
    client = engineio.AsyncClient()
    await client.connect(url, transports=transports)
    for i in range(20):
        await client.send(f"last {i}")

asyncio.run(main())
""",
    "error": """
client = engineio.Client()
client.connect(url, transports=transports)
for i in range(20):
    client.send(f"last {i}")
raise SystemExit(3)
""",
}


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("kind", LAST_WORDS)
def test_end_of_the_program_sends_what_was_sent(start_peer, kind, transport):
    peer = start_peer("wsgi")
    head = f"from heartwire import engineio\nurl, transports = {peer.url!r}, [{transport!r}]\n"
    program = [sys.executable, "-c", head + LAST_WORDS[kind]]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (3 if kind == "error" else 0, "", "")
    client, answers = engineio.Client(), queue.Queue()
    client.on("message", answers.put)
    client.connect(peer.url, transports=["websocket"])
    client.send("!received last")
    assert answers.get(timeout=60) == [f"last {i}" for i in range(20)]
    client.disconnect()


def test_end_of_the_program_does_not_wait_for_a_server_that_is_deaf():
    """It waits for a second; the watchdog gives it a hundred."""
    program = """
import socket, threading
from heartwire import engineio

listener = socket.create_server(("127.0.0.1", 0))
handshake = b'0{"sid":"abcdefghij","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'

def serve():
    connections = []
    while True:
        connection, _ = listener.accept()
        connections.append(connection)
        head = connection.recv(65536)
        if len(connections) == 1:
            text = f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(handshake)}\\r\\n\\r\\n"
            connection.sendall(text.encode() + handshake)

threading.Thread(target=serve, daemon=True).start()
client = engineio.Client(close_timeout=1000, request_timeout=1000)
client.connect(f"http://127.0.0.1:{listener.getsockname()[1]}", transports=["polling"])
client.send("x")
print("connected")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "connected\n", "")


def test_start_of_a_handler_thread_that_is_interrupted(server, until, monkeypatch):
    """Ctrl-C may come when the thread runs already."""
    client = engineio.Client()
    original = threading.Thread.start

    def start(thread):
        original(thread)
        if thread.name.startswith("heartwire-handlers"):
            raise Interrupted

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(Interrupted):
        client.connect(server.url)
    monkeypatch.undo()
    assert client.state == "disconnected"
    until(lambda: not threads_of_handlers())
    client.connect(server.url)
    assert echoes(client)
    client.disconnect()


def test_handler_thread_that_cannot_be_started(server, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    client = engineio.Client()
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        client.connect(server.url)
    monkeypatch.undo()
    assert client.state == "disconnected"
    client.connect(server.url)
    assert echoes(client)
    client.disconnect()


@pytest.mark.parametrize("abort", [False, True])
def test_async_disconnect_in_the_connect_handler(server, abort):
    """There is an end to wait for, though handlers of messages have not begun."""

    async def all_is_left():
        while base_client.watches:
            await asyncio.sleep(0.001)

    async def run():
        client = engineio.AsyncClient(close_timeout=1e6)

        @client.on("connect")
        async def on_connect():
            await client.send("x")
            await client.disconnect(abort)

        assert await asyncio.wait_for(client.connect(server.url, transports=["websocket"]), 60)
        assert client.state == "disconnected"
        await asyncio.wait_for(all_is_left(), 60)
        with pytest.raises(exceptions.SocketIsClosedError):
            await client.send("x")

    asyncio.run(run())


def test_ctrl_c_disconnects_async_clients_in_every_event_loop(server):
    async def run(ends):
        client = engineio.AsyncClient()
        client.on("disconnect", ends.append)
        await client.connect(server.url)
        os.kill(os.getpid(), signal.SIGINT)
        await client.wait()
        await asyncio.sleep(60)

    for _ in range(2):
        ends = []
        with pytest.raises((KeyboardInterrupt, asyncio.CancelledError, RuntimeError)):
            asyncio.run(run(ends))
        assert ends == ["client disconnect"]
