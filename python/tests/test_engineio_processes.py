"""Forks, Ctrl-C, the end of the interpreter and of objects: nothing hangs, crashes or stays behind."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

#: How often each program is run. More: HEARTWIRE_TEST_RUNS=100.
RUNS = int(os.environ.get("HEARTWIRE_TEST_RUNS", 2))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + RUNS * 30)]

TRANSPORTS = ["polling", "websocket", "polling-websocket"]

START = """
import asyncio, gc, multiprocessing, os, signal, sys, threading, time, weakref
from heartwire import engineio

URL, TRANSPORTS = sys.argv[1], sys.argv[2].split("-")

def connected(**kwargs):
    client = engineio.Client(**kwargs)
    client.connect(URL, transports=TRANSPORTS)
    return client

def echo(client):
    seen = client.create_queue()
    client.on("message", seen.put)
    client.send("x")
    assert seen.get(timeout=60) == "x"

async def async_connected(**kwargs):
    client = engineio.AsyncClient(**kwargs)
    await client.connect(URL, transports=TRANSPORTS)
    return client
"""


def start(url, transports, text, strict=True):
    """Starts a program. With `strict` every warning is an error."""
    program = START + textwrap.dedent(text)
    checks = ["-X", "dev", "-W", "error"] if strict else ["-W", "ignore"]
    command = [sys.executable, *checks, "-c", program, url, transports]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def run(server, transports, text, strict=True):
    for _ in range(RUNS):
        with start(server.url, transports, text, strict) as program:
            try:
                out, err = program.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGABRT)
                raise AssertionError(program.communicate()[1]) from None
            assert (out, err, program.returncode) == ("done\n", "", 0)


@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize(
    "text",
    [
        """
        client = connected()
        print("done")
        """,
        """
        client = connected()
        echo(client)
        for _ in range(1000):
            client.send("x" * 100)
        print("done")
        """,
        """
        client = connected()
        client.on("message", lambda data: client.send(data))
        client.send("round and round")
        time.sleep(0.1)
        print("done")
        """,
        """
        client = connected()
        client.on("message", lambda data: threading.Event().wait())
        client.send("x")
        time.sleep(0.1)
        print("done")
        """,
        """
        async def main():
            client = await async_connected()
            await client.send("x")
        asyncio.run(main())
        print("done")
        """,
        """
        async def main():
            client = await async_connected()
            client.on("message", lambda data: None)
            for _ in range(1000):
                await client.send("x" * 100)
            return client
        client = asyncio.run(main())
        print("done")
        """,
    ],
    ids=["idle", "sending", "handlers", "blocked handler", "async", "async sending"],
)
def test_interpreter_ends_while_connected(server, transports, text):
    run(server, transports, text)


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_connected_client_is_not_collected_and_an_ended_one_is(server, transports):
    run(
        server,
        transports,
        """
        client = connected()
        seen, known = client.create_queue(), weakref.ref(client)
        client.on("message", seen.put)
        client.send("x")
        del client
        gc.collect()
        assert seen.get(timeout=60) == "x"
        known().disconnect()
        end = time.monotonic() + 30
        while known() is not None and time.monotonic() < end:
            gc.collect()
            time.sleep(0.01)
        assert known() is None
        names = [t.name for t in threading.enumerate() if t.name.startswith("heartwire")]
        assert names == [], names
        print("done")
        """,
    )


FORK = """
client = connected()
echo(client)
child = os.fork()
if child == 0:
    assert client.state == "disconnected" and client.sid is None
    try:
        client.send("x")
    except engineio.exceptions.SocketIsClosedError:
        pass
    client.disconnect()
    client.wait()
    client.connect(URL, transports=TRANSPORTS)
    echo(client)
    other = connected()
    echo(other)
    other.disconnect()
    client.disconnect()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
echo(client)
client.disconnect()
print("done")
"""


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_fork(server, transports):
    # Python warns of forks in programs with threads.
    run(server, transports, FORK, strict=False)


@pytest.mark.parametrize("transports", ["polling-websocket"])
def test_fork_with_an_event_loop(server, transports):
    text = """
    async def main():
        client = await async_connected()
        child = os.fork()
        if child == 0:
            assert client.state == "disconnected"
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        await client.send("x")
        await client.disconnect()
    asyncio.run(main())
    print("done")
    """
    run(server, transports, text, strict=False)


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_multiprocessing_fork(server, transports):
    text = """
    def work(number):
        client = connected(handle_sigint=False)
        echo(client)
        client.disconnect()
        return number

    client = connected()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, range(4)) == list(range(4))
    echo(client)
    client.disconnect()
    print("done")
    """
    run(server, transports, text, strict=False)


@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize(
    "text",
    [
        "client.wait()",
        "client.sleep(100)",
        "while True: client.send('x' * 1000)",
        "client.on('message', lambda data: threading.Event().wait()); client.send('x'); client.wait()",
    ],
    ids=["wait", "sleep", "send", "blocked handler"],
)
def test_interrupted(server, transports, text):
    """The disconnect handler runs, then KeyboardInterrupt arrives."""
    program = f"""
    client = connected()
    client.on("disconnect", lambda reason: print(reason, flush=True))
    try:
        print("ready", flush=True)
        {text}
    except KeyboardInterrupt:
        print("interrupted", client.state)
    """
    for _ in range(RUNS):
        with start(server.url, transports, program) as running:
            assert running.stdout.readline() == "ready\n"
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=60)
            assert (out, err) == ("client disconnect\ninterrupted disconnected\n", "")
            assert running.returncode == 0


def test_interrupted_while_connecting(server):
    import socket

    program = """
    client = engineio.Client(request_timeout=100)
    try:
        print("ready", flush=True)
        client.connect(URL, transports=TRANSPORTS)
    except KeyboardInterrupt:
        print("interrupted", client.state)
    """
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        for transports in TRANSPORTS:
            with start(url, transports, program) as running:
                assert running.stdout.readline() == "ready\n"
                accepted = deaf.accept()[0]
                running.send_signal(signal.SIGINT)
                assert running.communicate(timeout=60) == ("interrupted disconnected\n", "")
                accepted.close()


def test_interrupted_in_an_event_loop(server):
    program = """
    async def main():
        client = await async_connected()
        client.on("disconnect", lambda reason: print(reason, flush=True))
        print("ready", flush=True)
        await client.wait()
        await asyncio.sleep(100)
    try:
        asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError, RuntimeError):
        print("interrupted", flush=True)
    """
    for _ in range(RUNS):
        with start(server.url, "polling-websocket", program, strict=False) as running:
            assert running.stdout.readline() == "ready\n"
            running.send_signal(signal.SIGINT)
            out, _ = running.communicate(timeout=60)
            assert out == "client disconnect\ninterrupted\n"
