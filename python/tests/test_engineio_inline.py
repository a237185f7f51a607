"""Handlers on the program's own thread, and one after the other on an event loop."""

import asyncio
import os
import select
import threading
import time

import pytest

from heartwire import engineio

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.fixture(params=TRANSPORTS, ids="-".join)
def transports(request):
    return request.param


def pump_until(client, condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        client.pump()
        time.sleep(0.001)


def test_handlers_run_in_pump_alone(server, transports):
    client, seen = engineio.Client(dispatch="inline"), []
    client.on("connect", lambda: client.send("from connect"))
    client.on("message", lambda data: seen.append((data, threading.current_thread())))
    client.connect(server.url, transports=transports)
    assert client.transport() == transports[-1]
    for i in range(100):
        client.send(f"n{i}")
    select.select([client.fileno()], [], [], 60)
    time.sleep(0.2)
    assert seen == []
    pump_until(client, lambda: len(seen) == 101)
    me = threading.current_thread()
    assert seen == [("from connect", me)] + [(f"n{i}", me) for i in range(100)]
    assert [t for t in threading.enumerate() if t.name.startswith("heartwire")] == []
    client.disconnect()
    assert client.state == "disconnected" and client.pump() == 0


def test_file_descriptor_tells_of_what_waits(server):
    client, seen = engineio.Client(dispatch="inline"), []
    client.on("message", seen.append)
    client.connect(server.url, transports=["websocket"])

    def is_readable(seconds):
        return bool(select.select([client.fileno()], [], [], seconds)[0])

    pump_until(client, lambda: not is_readable(0))
    assert not is_readable(0.05)
    client.send("a")
    assert is_readable(60)
    while seen != ["a"]:
        client.pump()
    for i in range(3):
        client.send(f"n{i}")
    # What a limit leaves is told, too.
    while len(seen) < 4:
        assert is_readable(60)
        client.pump(max_messages=1)
    client.disconnect()


def test_wait_with_many_open_files(server):
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 2000:
        pytest.skip("the system allows too few files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, before[1]))
    files = []
    try:
        while not files or files[-1] < 1024:
            files.append(os.open(os.devnull, os.O_RDONLY))
        client = engineio.Client(dispatch="inline")
        client.on("message", lambda _: client.disconnect())
        client.connect(server.url)
        assert client.fileno() > 1024
        client.send("x")
        client.wait()
        assert client.state == "disconnected"
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_limits_of_pump(server):
    client, seen = engineio.Client(dispatch="inline"), []
    client.connect(server.url, transports=["websocket"])
    client.on("message", seen.append)
    for i in range(10):
        client.send(f"n{i}")
    deadline = time.monotonic() + 60
    while client._session.native.pending() < 10:
        assert time.monotonic() < deadline
    assert client.pump(max_messages=0) == 0
    assert client.pump(max_messages=3) == 3 and len(seen) == 3
    client.on("message", lambda data: (seen.append(data), time.sleep(0.02)))
    assert client.pump(max_ms=1) == 1 and len(seen) == 4
    assert client.pump() == 6 and seen == [f"n{i}" for i in range(10)]
    client.disconnect()


def test_exception_comes_out_of_pump(server):
    client, seen = engineio.Client(dispatch="inline"), []

    @client.on("message")
    def on_message(data):
        seen.append(data)
        if data == "bad":
            raise LookupError(data)

    client.connect(server.url)
    for data in ("good", "bad", "behind"):
        client.send(data)
    with pytest.raises(LookupError):
        pump_until(client, lambda: "behind" in seen)
    assert seen == ["good", "bad"]
    pump_until(client, lambda: seen == ["good", "bad", "behind"])
    client.disconnect()


@pytest.mark.parametrize("ending", ["server", "transport", "handler", "thread"])
def test_wait_runs_handlers_to_the_end(start_peer, ending):
    peer = start_peer("asgi")
    client, seen = engineio.Client(dispatch="inline"), []

    @client.on("message")
    def on_message(data):
        seen.append(data)
        if data == "burst 9" and ending == "handler":
            client.disconnect()
        elif data == "burst 9" and ending == "thread":
            threading.Thread(target=client.disconnect).start()

    client.on("disconnect", seen.append)
    client.connect(peer.url)
    client.send("!burst 10")
    if ending == "server":
        client.send("!close")
    elif ending == "transport":
        client.send("!exit")
    client.wait()
    reasons = {"server": "server disconnect", "transport": "transport error"}
    burst = [f"burst {i}" for i in range(10)]
    assert seen[-1] == reasons.get(ending, "client disconnect")
    assert seen[:-1] == burst if ending != "transport" else seen[:-1] == burst[: len(seen) - 1]
    assert client.state == "disconnected"


def test_messages_before_the_end_of_an_upgrade_are_kept(start_peer):
    peer = start_peer("asgi")
    client, seen = engineio.Client(dispatch="inline"), []
    client.on("message", seen.append)
    client.on("disconnect", seen.append)
    client.connect(peer.url)
    session = client._session
    session.early.extend([("message", "early"), ("message", "second")])
    client.send("!say third")
    pump_until(client, lambda: len(seen) == 3)
    assert seen == ["early", "second", "third"]
    client.disconnect()


def test_reconnection_inline(start_peer):
    peer = start_peer("asgi")
    options = {"delay": 0.01, "randomization_factor": 0}
    client, seen = engineio.Client(dispatch="inline", reconnection=options), []
    client.on("connect", lambda: seen.append("connect"))
    client.on("disconnect", seen.append)
    client.connect(peer.url)
    client.send("!exit")
    pump_until(client, lambda: seen == ["connect", "transport error"])
    start_peer("asgi", "--port", peer.port)
    pump_until(client, lambda: seen == ["connect", "transport error", "connect"])
    client.disconnect()


def test_pump_is_for_clients_without_threads(server):
    client = engineio.Client()
    client.connect(server.url)
    with pytest.raises(RuntimeError):
        client.pump()
    with pytest.raises(RuntimeError):
        client.fileno()
    client.disconnect()
    with pytest.raises(RuntimeError):
        engineio.Client(dispatch="inline").fileno()
    with pytest.raises(ValueError, match="'threads' or 'inline', not 'magic'"):
        engineio.Client(dispatch="magic")
    with pytest.raises(TypeError):
        engineio.AsyncClient(dispatch="threads")


def test_async_ordered_coroutines_never_overlap(server):
    async def run():
        client = engineio.AsyncClient(ordered=True, handle_sigint=False)
        running, most, seen, done = 0, 0, [], asyncio.Event()

        @client.on("message")
        async def on_message(data):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01 if len(seen) % 2 else 0)
            running -= 1
            seen.append(data)
            if data == "n9":
                raise LookupError
            if data == "n49":
                done.set()

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await client.connect(server.url)
        for i in range(50):
            await client.send(f"n{i}")
        await asyncio.wait_for(done.wait(), 60)
        assert seen == [f"n{i}" for i in range(50)] and most == 1
        await client.disconnect()

    asyncio.run(run())


def test_async_ordered_and_logged(server):
    """A handler is not started before the one before has returned, whoever calls it."""

    class Client(engineio.AsyncClient):
        async def _trigger_event(self, event, *args, run_async=False):
            return await super()._trigger_event(event, *args, run_async=run_async)

    async def run():
        client = Client(ordered=True, handle_sigint=False)
        running, most, done = 0, 0, asyncio.Event()

        @client.on("message")
        async def on_message(data):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.005)
            running -= 1
            if data == "n9":
                done.set()

        await client.connect(server.url)
        for i in range(10):
            await client.send(f"n{i}")
        await asyncio.wait_for(done.wait(), 60)
        assert most == 1
        await client.disconnect()

    asyncio.run(run())
