"""In which order handlers run, and that none keeps the others from running."""

import asyncio
import os
import queue
import subprocess
import sys
import threading
import time

import pytest

from heartwire import engineio
from heartwire.engineio import _threads


def connected(server, **kwargs):
    client = engineio.Client(**kwargs)
    client.connect(server.url, transports=["websocket"])
    return client


def names_of_threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("heartwire")]


def await_end_of_threads():
    """A handler that has said what the test waits for has yet to return, and so has its thread:
    `disconnect()` waits for that, but not for long."""
    deadline = time.monotonic() + 60
    while names_of_threads():
        assert time.monotonic() < deadline, f"{names_of_threads()} are still there"
        time.sleep(0.005)


@pytest.fixture
def no_switches():
    """A thread keeps the interpreter until it waits for something."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


def test_quick_handlers_run_in_order_and_one_at_a_time(server, no_switches):
    client, running, most, seen, done = engineio.Client(), 0, 0, [], threading.Event()

    @client.on("message")
    def on_message(data):
        nonlocal running, most
        running += 1
        most = max(most, running)
        seen.append(data)
        running -= 1
        if data == "n4999":
            done.set()

    client.connect(server.url)
    for i in range(5000):
        client.send(f"n{i}")
    assert done.wait(100)
    assert seen == [f"n{i}" for i in range(5000)]
    assert most == 1
    client.disconnect()


@pytest.mark.parametrize("wait", ["create_event", "create_queue", "sleep", "time.sleep", "wait"])
def test_handler_that_waits_for_another_message_gets_it(server, wait):
    client = engineio.Client()
    event, box = client.create_event(), client.create_queue()
    plain, result = threading.Event(), queue.Queue()

    @client.on("message")
    def on_message(data):
        if data == "answer":
            event.set()
            plain.set()
            box.put(data)
            return
        client.send("answer")
        if wait == "create_event":
            result.put(event.wait(60))
        elif wait == "create_queue":
            result.put(box.get(timeout=60))
        elif wait == "sleep":
            while not plain.is_set():
                client.sleep(0.01)
            result.put(True)
        elif wait == "time.sleep":
            while not plain.is_set():
                time.sleep(0.01)
            result.put(True)
        else:
            result.put(plain.wait(60))

    client.connect(server.url)
    client.send("question")
    assert result.get(timeout=100)
    client.disconnect()
    await_end_of_threads()


def test_handlers_that_all_block(server):
    client, barrier, count = engineio.Client(), threading.Barrier(20), queue.Queue()

    @client.on("message")
    def on_message(data):
        barrier.wait(100)
        count.put(data)

    client.connect(server.url)
    for i in range(20):
        client.send(f"n{i}")
    assert len({count.get(timeout=100) for _ in range(20)}) == 20
    client.disconnect()
    await_end_of_threads()


@pytest.fixture
def taken_at_once(server):
    """A client whose first handlers find messages that were taken at once: `taken_at_once(handler, 2)`."""
    clients = []

    def connect(handler, count):
        client = engineio.Client()
        clients.append(client)
        client.on("message", lambda data: handler(client, data))

        @client.on("connect")
        def on_connect():
            # Handlers of messages run when this has returned.
            for i in range(count):
                client.send(f"n{i}")
            wait_for_pending(client, count)

        client.connect(server.url, transports=["websocket"])

    yield connect
    for client in clients:
        client.disconnect()


def wait_for_pending(client, least):
    deadline = time.monotonic() + 60
    while client._session.native.pending() < least:
        assert time.monotonic() < deadline, "nothing has arrived"
        time.sleep(0.001)


def test_message_that_came_while_the_thread_changed_is_not_left(taken_at_once):
    """The last handler of what was taken before waits for it, and does not say so."""
    second, last, result = threading.Event(), threading.Event(), queue.Queue()

    def on_message(client, data):
        if data == "n0":
            client.send("last")
            wait_for_pending(client, 1)
            second.wait(60)
        elif data == "n1":
            second.set()
            result.put(last.wait(60))
        else:
            last.set()

    taken_at_once(on_message, 2)
    assert result.get(timeout=100)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 512])
def test_message_behind_a_batch_of_any_size_is_not_left(taken_at_once, count):
    """The last handler of what was taken at once waits for what is sent later, and does not say so."""
    last, result = threading.Event(), queue.Queue()

    def on_message(client, data):
        if data == f"n{count - 1}":
            # Nobody watches any more, as nothing has waited for long.
            time.sleep(0.2)
            client.send("last")
            result.put(last.wait(60))
        elif data == "last":
            last.set()

    taken_at_once(on_message, count)
    assert result.get(timeout=100)


def test_order_of_starts_when_handlers_block(server):
    client, started, gate, done = engineio.Client(), [], threading.Event(), queue.Queue()

    @client.on("message")
    def on_message(data):
        started.append(data)
        if len(started) == 30:
            gate.set()
        gate.wait(100)
        done.put(data)

    client.connect(server.url)
    for i in range(30):
        client.send(f"n{i}")
    for _ in range(30):
        done.get(timeout=100)
    assert started == [f"n{i}" for i in range(30)]
    client.disconnect()


def test_ordered_handlers_never_overlap(server):
    client, running, most, seen = engineio.Client(ordered=True), 0, 0, queue.Queue()

    @client.on("message")
    def on_message(data):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1
        seen.put((data, threading.current_thread()))

    client.connect(server.url)
    for i in range(30):
        client.send(f"n{i}")
    results = [seen.get(timeout=100) for _ in range(30)]
    assert [data for data, _ in results] == [f"n{i}" for i in range(30)]
    assert len({thread for _, thread in results}) == 1
    assert most == 1
    client.disconnect()
    await_end_of_threads()


def test_ordered_client_may_disconnect_within_a_handler(server):
    client, ended = engineio.Client(ordered=True), threading.Event()

    @client.on("message")
    def on_message(data):
        client.disconnect()
        ended.set()

    client.connect(server.url)
    client.send("x")
    assert ended.wait(60)
    client.wait()
    assert client.state == "disconnected"


def test_wait_within_a_handler(server):
    """`wait()` in a handler returns when another one disconnects."""
    client, returned = engineio.Client(), threading.Event()

    @client.on("message")
    def on_message(data):
        if data == "wait":
            client.send("disconnect")
            client.wait()
            returned.set()
        else:
            client.disconnect()

    client.connect(server.url)
    client.send("wait")
    assert returned.wait(60)
    client.wait()


def test_disconnect_is_handled_after_every_message_has_started(start_peer):
    peer = start_peer("asgi")
    client, seen = engineio.Client(), []
    client.on("message", seen.append)
    client.on("disconnect", lambda reason: seen.append("disconnected"))
    client.connect(peer.url, transports=["websocket"])
    client.send("!burst 500")
    client.send("!close")
    client.wait()
    assert seen == [f"burst {i}" for i in range(500)] + ["disconnected"]


def test_handler_replaced_while_connected(server, until):
    client, first, second = connected(server), [], []
    client.on("message", first.append)
    client.send("a")
    until(lambda: first == ["a"])
    client.on("message", second.append)
    client.send("b")
    until(lambda: second == ["b"])
    client.disconnect()
    assert first == ["a"]


def test_handlers_stay_between_connections(server, until):
    client, seen = engineio.Client(), []
    client.on("message", seen.append)
    for i in range(3):
        client.connect(server.url)
        client.send(f"n{i}")
        until(lambda i=i: seen == [f"n{k}" for k in range(i + 1)])
        client.disconnect()
    await_end_of_threads()


def test_threads_are_gone_after_disconnect(server, until):
    client = connected(server)
    assert len(names_of_threads()) == 1
    client.disconnect()
    await_end_of_threads()


def test_threads_are_gone_after_wait(start_peer):
    client = connected(start_peer("asgi"))
    client.send("!close")
    client.wait()
    client.read_loop_task.join(60)
    await_end_of_threads()


def test_many_clients_at_once(server):
    clients, seen = [engineio.Client() for _ in range(20)], queue.Queue()
    for place, client in enumerate(clients):
        client.on("message", lambda data, place=place: seen.put((place, data)))
        client.connect(server.url)
    for place, client in enumerate(clients):
        client.send(f"for {place}")
    results = {seen.get(timeout=100) for _ in clients}
    assert results == {(place, f"for {place}") for place in range(20)}
    for client in clients:
        client.disconnect()
    await_end_of_threads()


def test_two_threads_send(server):
    client, seen = engineio.Client(), queue.Queue()
    client.on("message", seen.put)
    client.connect(server.url)

    def send(letter):
        for i in range(500):
            client.send(f"{letter}{i}")

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    results = [seen.get(timeout=100) for _ in range(1000)]
    for thread in threads:
        thread.join()
    for letter in "ab":
        own = [data for data in results if data.startswith(letter)]
        assert own == [f"{letter}{i}" for i in range(500)]
    client.disconnect()


def test_async_functions_run_in_order(server):
    async def run():
        client, seen, done = engineio.AsyncClient(), [], asyncio.Event()

        @client.on("message")
        def on_message(data):
            seen.append(data)
            if data == "n2999":
                done.set()

        await client.connect(server.url)
        for i in range(3000):
            await client.send(f"n{i}")
        await done.wait()
        assert seen == [f"n{i}" for i in range(3000)]
        await client.disconnect()

    asyncio.run(run())


def test_async_coroutines_start_in_order_and_may_wait_for_each_other(server):
    async def run():
        client, started, gate = engineio.AsyncClient(), [], asyncio.Event()
        finished = asyncio.Semaphore(0)

        @client.on("message")
        async def on_message(data):
            started.append(data)
            if data == "n49":
                gate.set()
            await gate.wait()
            finished.release()

        await client.connect(server.url)
        for i in range(50):
            await client.send(f"n{i}")
        for _ in range(50):
            await finished.acquire()
        assert started == [f"n{i}" for i in range(50)]
        await client.disconnect()

    asyncio.run(run())


def test_async_wait_may_be_cancelled(server):
    async def run():
        client, seen = engineio.AsyncClient(), asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(server.url)
        waiting = asyncio.ensure_future(client.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await client.send("still here")
        assert await seen.get() == "still here"
        await client.disconnect()

    asyncio.run(run())


def test_async_clients_of_two_loops(server):
    async def run():
        client, seen = engineio.AsyncClient(handle_sigint=False), asyncio.Queue()
        client.on("message", seen.put)
        await client.connect(server.url)
        await client.send("x")
        assert await seen.get() == "x"
        await client.disconnect()

    asyncio.run(run())
    asyncio.run(run())
    threads = [threading.Thread(target=asyncio.run, args=(run(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def impatient(monkeypatch):
    """A thread without work stays only if it is the last one."""
    monkeypatch.setattr("heartwire.engineio._threads.PATIENCE", 0.0)


#: Counts threads of the package, file descriptors, and threads as the system sees them.
COUNTS = """
import asyncio, os, queue, sys, threading, time
from heartwire import engineio

def count():
    threads = sum(t.name.startswith("heartwire") for t in threading.enumerate())
    return [threads, *(len(os.listdir(f"/proc/self/{what}")) for what in ("fd", "task"))]

def tell(before, after):
    names = ("threads", "descriptors", "tasks")
    print(*(f"{name} {b - a}" for name, a, b in zip(names, before, after)), sep=", ")
"""

FURTHER_CLIENTS = {
    "threads": """
def connected(place):
    client = engineio.Client()
    client.on("message", lambda data: seen.put((place, data)))
    client.connect(sys.argv[1], transports=["websocket"])
    return client

seen, before = queue.Queue(), count()
clients = [connected(0)]
first = count()
tell(before, first)
clients += [connected(place) for place in range(1, 101)]
tell(first, count())
for client in clients:
    client.send("x")
assert {seen.get(timeout=60) for _ in clients} == {(place, "x") for place in range(101)}
for client in clients:
    client.disconnect()
deadline = time.monotonic() + 60
while count()[0] > 0 and time.monotonic() < deadline:
    time.sleep(0.001)
print("threads", count()[0])
""",
    "asyncio": """
async def connected(place, seen):
    client = engineio.AsyncClient()
    client.on("message", lambda data: seen.put_nowait((place, data)))
    await client.connect(sys.argv[1], transports=["websocket"])
    return client

async def main():
    seen, before = asyncio.Queue(), count()
    clients = [await connected(0, seen)]
    first = count()
    tell(before, first)
    clients += [await connected(place, seen) for place in range(1, 101)]
    tell(first, count())
    for client in clients:
        await client.send("x")
    found = {await asyncio.wait_for(seen.get(), 60) for _ in clients}
    assert found == {(place, "x") for place in range(101)}
    for client in clients:
        await client.disconnect()
    print("threads", count()[0])

asyncio.run(main())
""",
}


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system does not count")
@pytest.mark.parametrize("kind", FURTHER_CLIENTS)
def test_further_client_has_a_socket_and_no_thread(server, kind):
    program = [sys.executable, "-c", COUNTS + FURTHER_CLIENTS[kind], server.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    first, further, last = done.stdout.splitlines()
    assert further == "threads 0, descriptors 100, tasks 0"
    assert first.startswith("threads 1, " if kind == "threads" else "threads 0, ")
    assert (last, done.stderr, done.returncode) == ("threads 0", "", 0)


ENDED_CLIENTS = {
    "pumped": """
def once():
    client = engineio.Client(dispatch="inline")
    client.connect(sys.argv[1], transports=["websocket"])
    client.send("x")
    client.pump()
    client.disconnect()
""",
    "threads": """
def once():
    client = engineio.Client()
    client.connect(sys.argv[1])
    client.send("x")
    client.disconnect()
""",
    "asyncio": """
async def main():
    client = engineio.AsyncClient()
    await client.connect(sys.argv[1], transports=["websocket"])
    await client.send("x")
    await client.disconnect()

def once():
    asyncio.run(main())
""",
    "left": """
async def main():
    client = engineio.AsyncClient()
    await client.connect(sys.argv[1], transports=["websocket"])
    await client.send("x")

def once():
    asyncio.run(main())
""",
}


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system does not count")
@pytest.mark.parametrize("kind", ENDED_CLIENTS)
def test_client_that_has_ended_leaves_no_descriptor(server, kind):
    counted = """
import gc
for _ in range(3):
    once()
gc.collect()
before = count()
for _ in range(20):
    once()
deadline = time.monotonic() + 60
# The network lets go of a socket a little later.
while count()[1] > before[1] and time.monotonic() < deadline:
    gc.collect()
    time.sleep(0.01)
print(count()[1] - before[1])
"""
    program = [sys.executable, "-c", COUNTS + ENDED_CLIENTS[kind] + counted, server.url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_client_that_fails_keeps_no_other_of_its_event_loop_from_being_heard(server):
    async def run():
        failed, clients, done = [], [], asyncio.Event()

        def fail(loop, context):
            failed.append(str(context["exception"]))
            if len(failed) == 10:
                done.set()

        def refuse(result):
            raise LookupError(result)

        asyncio.get_running_loop().set_exception_handler(fail)
        for _ in range(10):
            client = engineio.AsyncClient()
            client.on("message", lambda data: data)
            client._handle_result = refuse
            await client.connect(server.url, transports=["websocket"])
            clients.append(client)
        for place, client in enumerate(clients):
            await client.send(f"n{place}")
        # All have rung when the loop looks.
        deadline = time.monotonic() + 60
        while any(client._session.native.pending() == 0 for client in clients):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        await asyncio.wait_for(done.wait(), 60)
        assert sorted(failed) == [f"n{place}" for place in range(10)]
        for client in clients:
            await client.disconnect()

    asyncio.run(run())


def test_handlers_that_block_keep_no_other_client_waiting(server, impatient, until):
    gate, started, seen = threading.Event(), queue.Queue(), queue.Queue()

    def block(data):
        started.put(data)
        gate.wait(60)

    clients = [connected(server) for _ in range(20)]
    for client in clients[:-1]:
        client.on("message", block)
        client.send("x")
    clients[-1].on("message", seen.put)
    for _ in clients[:-1]:
        started.get(timeout=60)
    clients[-1].send("y")
    assert seen.get(timeout=60) == "y"
    # Those that have something to do, and one more.
    until(lambda: len(names_of_threads()) == len(clients))
    gate.set()
    until(lambda: len(names_of_threads()) == 1)
    for client in clients:
        client.disconnect()
    await_end_of_threads()


def test_idle_client_is_served_again_and_again(server, impatient):
    client, seen = engineio.Client(), queue.Queue()
    client.on("message", seen.put)
    client.on("disconnect", seen.put)
    client.connect(server.url)
    for number in range(20):
        client.send(str(number))
        assert seen.get(timeout=60) == str(number)
    client.disconnect()
    assert seen.get_nowait() == "client disconnect"
    client.wait()


def test_idle_clients_hear_of_the_end(start_peer):
    peer = start_peer("asgi")
    client, seen = engineio.Client(), queue.Queue()
    client.on("disconnect", seen.put)
    client.connect(peer.url)
    peer.kill()
    client.wait()
    assert seen.get_nowait() == "transport error"


def test_idle_client_with_a_blocked_handler_hears_of_the_end(server, impatient, until):
    """The handler's thread leads no more, and nobody else does."""
    client, seen, goes_on = engineio.Client(), queue.Queue(), threading.Event()

    @client.on("message")
    def on_message(data):
        seen.put(data)
        if data == "block":
            goes_on.wait(60)

    client.connect(server.url)
    client.send("block")
    client.send("other")
    assert {seen.get(timeout=60), seen.get(timeout=60)} == {"block", "other"}
    until(lambda: len(names_of_threads()) == 2)
    client.send("third")
    assert seen.get(timeout=60) == "third"
    until(lambda: len(names_of_threads()) == 2)
    # For as long as that it would wait for somebody to find the end.
    client.close_timeout = 1e6
    client.disconnect()
    client.wait()
    goes_on.set()
    until(lambda: not names_of_threads())


def test_thread_that_could_not_be_started_is_asked_for_again(server, monkeypatch):
    blocked, other, seen = connected(server), connected(server), queue.Queue()
    gate, start, refusals = threading.Event(), _threads.start, []

    @blocked.on("message")
    def on_message(data):
        seen.put(data)
        gate.wait(60)

    def refuse():
        if len(refusals) < 2:
            refusals.append(1)
            raise RuntimeError("can't start new thread")
        start()

    blocked.send("block")
    assert seen.get(timeout=60) == "block"
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    monkeypatch.setattr(_threads, "start", refuse)
    other.on("message", seen.put)
    other.send("after all")
    assert seen.get(timeout=60) == "after all"
    assert len(refusals) == 2
    assert [str(unraisable.exc_value) for unraisable in told] == ["can't start new thread"] * 2
    gate.set()
    for client in (blocked, other):
        client.disconnect()
    await_end_of_threads()
