"""A program of python-socketio's users, run by `python -m heartwire run`. Says on standard output what
came of it."""

import asyncio
import queue
import sys
import threading

import engineio
import socketio

assert engineio.Client.__module__ == "heartwire.engineio.client"


def call_within_a_handler(url, transports):
    client, answers = socketio.Client(), queue.Queue()

    @client.on("question")
    def on_question(data):
        answers.put(list(client.call("echo", (data, 42), timeout=60)))

    client.connect(url, transports=transports)
    client.emit("ask")
    assert answers.get(timeout=60) == ["why?", 42]
    client.disconnect()


def events_in_order(url, transports):
    client, numbers = socketio.Client(), queue.Queue()
    client.on("number", numbers.put)
    client.connect(url, transports=transports)
    client.emit("count", 500)
    assert [numbers.get(timeout=60) for _ in range(500)] == list(range(500))
    client.disconnect()


def emit_then_disconnect(url, transports):
    name = "-".join(transports)
    client = socketio.Client()
    client.connect(url, transports=transports)
    for i in range(20):
        client.emit("note", f"{name} {i}")
    client.disconnect()
    client.connect(url)
    assert client.call("notes", f"{name} ", timeout=60) == [f"{name} {i}" for i in range(20)]
    client.disconnect()


def binary(url, transports):
    client = socketio.Client()
    client.connect(url, transports=transports)
    data = {"a": b"\x00\xff" * 50_000, "b": [b"y", b"x"]}
    assert list(client.call("echo", (data, 1), timeout=60)) == [data, 1]
    client.disconnect()


def reconnect(url, transports):
    client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.3)
    connected, lost = queue.Queue(), queue.Queue()
    client.on("connect", lambda: connected.put(client.sid))
    client.on("disconnect", lambda reason: lost.put(reason))
    client.connect(url, headers={"X-Program": "kept"}, transports=transports)
    first = connected.get(timeout=60)
    print("kill the server", flush=True)
    assert lost.get(timeout=60) == "transport error"
    print("start the server", flush=True)
    assert connected.get(timeout=100) != first
    assert client.call("header", "HTTP_X_PROGRAM", timeout=60) == "kept"
    client.disconnect()


def asynchronous(url, transports):
    async def run():
        client, answers = socketio.AsyncClient(), asyncio.Queue()
        numbers = []

        @client.on("question")
        async def on_question(data):
            await answers.put(list(await client.call("echo", (data, 42), timeout=60)))

        @client.on("number")
        def on_number(number):
            numbers.append(number)

        await client.connect(url, transports=transports)
        await client.emit("ask")
        assert await answers.get() == ["why?", 42]
        await client.emit("count", 500)
        while len(numbers) < 500:
            await asyncio.sleep(0.01)
        assert numbers == list(range(500))
        for i in range(20):
            await client.emit("note", f"async {transports} {i}")
        await client.disconnect()
        await client.connect(url)
        notes = await client.call("notes", f"async {transports} ", timeout=60)
        assert notes == [f"async {transports} {i}" for i in range(20)]
        await client.disconnect()

    asyncio.run(run())


def asynchronous_reconnect(url, transports):
    async def run():
        client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.3)
        connected, lost = asyncio.Queue(), asyncio.Queue()
        client.on("connect", lambda: connected.put_nowait(client.sid))
        client.on("disconnect", lost.put)
        await client.connect(url, headers={"X-Program": "kept"}, transports=transports)
        first = await connected.get()
        print("kill the server", flush=True)
        assert await lost.get() == "transport error"
        print("start the server", flush=True)
        assert await connected.get() != first
        assert await client.call("header", "HTTP_X_PROGRAM", timeout=60) == "kept"
        await client.disconnect()

    asyncio.run(run())


def simple_client(url, transports):
    with socketio.SimpleClient() as client:
        client.connect(url, transports=transports)
        client.emit("count", 3)
        assert [client.receive(timeout=60) for _ in range(3)] == [["number", i] for i in range(3)]


globals()[sys.argv[1]](sys.argv[2], sys.argv[3].split("-"))
left = [t.name for t in threading.enumerate() if t.name.startswith("heartwire")]
print("done", left, flush=True)
