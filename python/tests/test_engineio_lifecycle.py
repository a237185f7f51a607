"""Connections that end and begin again, and what happens to messages meanwhile."""

import asyncio
import contextlib
import os
import queue
import signal
import threading
import time

import pytest

from heartwire import engineio

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.fixture(params=TRANSPORTS, ids="-".join)
def transports(request):
    return request.param


def received(url, prefix, wanted):
    """Whether the server has received what it should from everybody, and nothing more. Its threads may come
    to a message after the connection has ended."""
    client, answers = engineio.Client(), queue.Queue()
    client.on("message", answers.put)
    client.connect(url, transports=["websocket"])
    deadline = time.monotonic() + 60
    while True:
        client.send(f"!received {prefix}")
        found = answers.get(timeout=60)
        if len(found) >= len(wanted) or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    client.disconnect()
    return found == wanted


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_disconnect_sends_what_waits(start_peer, transports, kind):
    peer = start_peer(kind)
    # uvicorn drops what the program has not read yet when it reads a close frame.
    for count in (1, 10) if kind == "asgi" and "websocket" in transports else (1, 10, 200):
        client = engineio.Client()
        client.connect(peer.url, transports=transports)
        sent = [f"{count}-{i}" for i in range(count)]
        for message in sent:
            client.send(message)
        client.disconnect()
        assert received(peer.url, f"{count}-", sent)


def test_async_disconnect_sends_what_waits(start_peer, transports):
    peer = start_peer("asgi")
    sent = [f"a{i}" for i in range(10)]

    async def run():
        client = engineio.AsyncClient()
        await client.connect(peer.url, transports=transports)
        for message in sent:
            await client.send(message)
        await client.disconnect()

    asyncio.run(run())
    assert received(peer.url, "a", sent)


def test_abort_does_not_wait(start_peer, transports):
    peer = start_peer("asgi")
    client = engineio.Client()
    client.connect(peer.url, transports=transports)
    client.disconnect(abort=True)
    assert client.state == "disconnected"
    client.wait()


def test_large_bursts_both_ways(asgi, transports):
    client, seen = engineio.Client(), queue.Queue()
    client.on("message", seen.put)
    client.connect(asgi.url, transports=transports)
    # An original client reads 16 packets of a payload, and an original server as many.
    client.send("!burst 200")
    assert [seen.get(timeout=60) for _ in range(200)] == [f"burst {i}" for i in range(200)]
    for i in range(200):
        client.send(f"n{i}")
    assert [seen.get(timeout=60) for _ in range(200)] == [f"n{i}" for i in range(200)]
    client.disconnect()


def test_connect_twice(server):
    client = engineio.Client()
    client.connect(server.url)
    with pytest.raises(ValueError, match="^Client is not in a disconnected state$"):
        client.connect(server.url)
    client.disconnect()


def test_reconnecting_within_the_disconnect_handler(start_peer, transports):
    first, second = start_peer("asgi"), start_peer("asgi")
    client, seen, again = engineio.Client(), queue.Queue(), threading.Event()
    client.on("message", seen.put)

    @client.on("disconnect")
    def on_disconnect(reason):
        seen.put(reason)
        if not again.is_set():
            again.set()
            assert client.state == "connected"
            client.connect(second.url, transports=transports)
            seen.put(client.state)

    client.connect(first.url, transports=transports)
    waiting = threading.Thread(target=client.wait)
    waiting.start()
    first.kill()
    assert seen.get(timeout=60) == "transport error"
    assert seen.get(timeout=60) == "connected"
    client.send("hello again")
    assert seen.get(timeout=60) == "hello again"
    assert waiting.is_alive()
    client.send("!close")
    assert seen.get(timeout=60) == "server disconnect"
    waiting.join(60)
    assert not waiting.is_alive() and client.state == "disconnected"


def test_wait_returns_after_the_disconnect_handler(start_peer):
    peer = start_peer("asgi")
    client, seen = engineio.Client(), []

    @client.on("disconnect")
    def on_disconnect():
        seen.append("called")
        # Other handlers could run meanwhile: there are none.
        client.sleep(0.2)
        seen.append("returned")

    for _ in range(5):
        client.connect(peer.url)
        client.send("!close")
        client.wait()
        assert seen == ["called", "returned"]
        seen.clear()


def test_reconnecting_after_the_server_disconnects(start_peer):
    peer = start_peer("asgi")
    client, states, count = engineio.Client(), [], 0

    @client.on("disconnect")
    def on_disconnect():
        nonlocal count
        states.append(client.state)
        count += 1
        if count < 4:
            client.connect(peer.url)
            client.send("!close")

    client.connect(peer.url)
    client.send("!close")
    client.wait()
    assert states == ["disconnecting"] * 4 and client.state == "disconnected"


def test_async_reconnecting_within_the_disconnect_handler(start_peer):
    first, second = start_peer("asgi"), start_peer("asgi")

    async def run():
        client, seen, tries = engineio.AsyncClient(), asyncio.Queue(), 0
        client.on("message", seen.put)

        @client.on("disconnect")
        async def on_disconnect(reason):
            nonlocal tries
            await seen.put(reason)
            tries += 1
            if tries == 1:
                await client.connect(second.url)

        await client.connect(first.url)
        waiting = asyncio.ensure_future(client.wait())
        first.kill()
        assert await seen.get() == "transport error"
        while client.state != "connected" or not client.sid:
            await asyncio.sleep(0.01)
        while tries and client.base_url is None or str(second.port) not in client.base_url:
            await asyncio.sleep(0.01)
        while client.transport() != "websocket":
            await asyncio.sleep(0.01)
        await client.send("hello again")
        assert await seen.get() == "hello again"
        assert not waiting.done()
        await client.send("!close")
        assert await seen.get() == "server disconnect"
        await waiting

    asyncio.run(run())


def test_reconnection_by_itself(start_peer, transports):
    peer = start_peer("asgi")
    backoff = {"delay": 0.05, "delay_max": 0.2}
    client, seen = engineio.Client(reconnection=backoff), queue.Queue()
    client.on("connect", lambda: seen.put("connect"))
    client.on("message", seen.put)
    client.on("disconnect", seen.put)
    client.connect(peer.url, transports=transports)
    assert seen.get(timeout=60) == "connect"
    sid = client.sid
    peer.kill()
    assert seen.get(timeout=60) == "transport error"
    start_peer("asgi", "--port", peer.port)
    assert seen.get(timeout=60) == "connect"
    assert client.state == "connected" and client.sid != sid
    client.send("hello again")
    assert seen.get(timeout=60) == "hello again"
    client.disconnect()
    client.wait()
    assert seen.get(timeout=60) == "client disconnect" and seen.empty()
    assert client.state == "disconnected"


def test_reconnection_gives_up(start_peer):
    peer = start_peer("asgi")
    client, seen = engineio.Client(reconnection={"delay": 0.01, "attempts": 2}), []
    client.on("disconnect", seen.append)
    client.connect(peer.url)
    peer.kill()
    client.wait()
    assert seen == ["transport error"] and client.state == "disconnected"
    with pytest.raises(engineio.exceptions.SocketIsClosedError):
        client.send("x")


def test_disconnect_while_reconnecting(start_peer):
    peer = start_peer("asgi")
    client, seen = engineio.Client(reconnection={"delay": 60}), queue.Queue()
    client.on("disconnect", seen.put)
    client.connect(peer.url)
    peer.kill()
    assert seen.get(timeout=60) == "transport error"
    client.disconnect()
    client.wait()
    assert client.state == "disconnected"
    assert seen.empty()


@pytest.mark.parametrize("dispatch", ["threads", "inline"])
def test_disconnect_handler_ends_reconnection(start_peer, dispatch):
    """It would be for ever: `wait()` returns because the handler has disconnected."""
    peer = start_peer("asgi")
    client, seen = engineio.Client(reconnection={"delay": 0.01}, dispatch=dispatch), []

    def on_disconnect(reason):
        seen.append((reason, client.state))
        client.disconnect()

    client.on("disconnect", on_disconnect)
    client.connect(peer.url)
    peer.kill()
    client.wait()
    assert (seen, client.state) == ([("transport error", "connected")], "disconnected")
    # The client goes on to be of use.
    peer = start_peer("asgi", "--port", peer.port)
    client.connect(peer.url)
    client.disconnect()
    assert seen[1:] == [("client disconnect", "disconnecting")]


def test_async_disconnect_handler_ends_reconnection(start_peer):
    peer = start_peer("asgi")

    async def run():
        client, seen = engineio.AsyncClient(reconnection={"delay": 0.01}), []

        @client.on("disconnect")
        async def on_disconnect(reason):
            seen.append((reason, client.state))
            await client.disconnect()

        await client.connect(peer.url)
        peer.kill()
        await client.wait()
        assert (seen, client.state) == ([("transport error", "connected")], "disconnected")
        await asyncio.to_thread(start_peer, "asgi", "--port", peer.port)
        await client.connect(peer.url)
        await client.disconnect()
        assert seen[1:] == [("client disconnect", "disconnecting")]

    asyncio.run(run())


def test_async_reconnection_by_itself(start_peer):
    peer = start_peer("asgi")

    async def run():
        client = engineio.AsyncClient(reconnection={"delay": 0.05, "delay_max": 0.2})
        seen = asyncio.Queue()
        client.on("connect", lambda: seen.put_nowait("connect"))
        client.on("message", seen.put)
        client.on("disconnect", seen.put)
        await client.connect(peer.url)
        assert await seen.get() == "connect"
        peer.kill()
        assert await seen.get() == "transport error"
        await asyncio.to_thread(start_peer, "asgi", "--port", peer.port)
        assert await seen.get() == "connect"
        await client.send("hello again")
        assert await seen.get() == "hello again"
        await client.disconnect()
        assert await seen.get() == "client disconnect"

    asyncio.run(run())


@pytest.fixture
def stopped():
    """Stops a server's process for a while: `with stopped(peer)`."""

    @contextlib.contextmanager
    def stop(peer):
        os.kill(peer.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(peer.process.pid, signal.SIGCONT)

    return stop


def test_send_raises_when_too_much_waits(start_peer, stopped):
    peer = start_peer("asgi")
    client = engineio.Client(send_limits=(5, 1 << 20), when_full="raise", close_timeout=60)
    client.connect(peer.url, transports=["polling"])
    sent = []
    with stopped(peer), pytest.raises(queue.Full):
        for i in range(10_000):
            client.send(f"n{i}")
            sent.append(f"n{i}")
    client.disconnect()
    assert received(peer.url, "n", sent)


def test_when_full_is_one_of_two():
    with pytest.raises(ValueError, match="when_full is 'wait' or 'raise', not 'drop'"):
        engineio.Client(when_full="drop")


def test_send_waits_when_too_much_waits(server):
    client, seen = engineio.Client(send_limits=(5, 1 << 20)), queue.Queue()
    client.on("message", seen.put)
    client.connect(server.url)
    for i in range(500):
        client.send(f"n{i}")
    assert [seen.get(timeout=60) for _ in range(500)] == [f"n{i}" for i in range(500)]
    client.disconnect()


def test_async_send_waits_when_too_much_waits(server):
    async def run():
        client, seen = engineio.AsyncClient(send_limits=(5, 1 << 20)), asyncio.Queue()
        client.on("message", seen.put_nowait)
        await client.connect(server.url)
        for i in range(200):
            await client.send(f"n{i}")
        assert [await seen.get() for _ in range(200)] == [f"n{i}" for i in range(200)]
        await client.disconnect()

    asyncio.run(run())


def test_message_larger_than_the_server_accepts(server, start_peer, transports):
    peer = start_peer("asgi", "--max-http-buffer-size", 1000)
    client, seen = engineio.Client(), queue.Queue()
    client.on("message", seen.put)
    client.connect(peer.url, transports=transports)
    with pytest.raises(engineio.exceptions.ContentTooLongError, match="1000"):
        client.send("x" * 2000)
    client.send("still connected")
    assert seen.get(timeout=60) == "still connected"
    client.disconnect()


def test_message_larger_than_the_client_accepts(asgi):
    client, reasons = engineio.Client(max_message=1000), []
    client.on("disconnect", reasons.append)
    client.connect(asgi.url, transports=["websocket"])
    client.send("!bytes 2000")
    client.wait()
    assert reasons == ["transport error"]


def test_slow_handlers_hold_the_server_back_and_lose_nothing(asgi):
    client = engineio.Client(receive_limit=10_000, ordered=True)
    seen, gate = queue.Queue(), threading.Event()

    @client.on("message")
    def on_message(data):
        gate.wait(60)
        seen.put(len(data))

    client.connect(asgi.url, transports=["websocket"])
    for _ in range(50):
        client.send("!bytes 5000")
    gate.set()
    assert [seen.get(timeout=60) for _ in range(50)] == [5000] * 50
    client.disconnect()
