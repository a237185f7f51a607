"""Ctrl-C, in whatever the main thread does. What is done a hundred times stands in `test_repeated.py`."""

import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow

TRANSPORTS = ["polling", "websocket", "polling-websocket"]

START = """
import asyncio, os, sys, threading
from heartwire import engineio

URL, TRANSPORTS = sys.argv[1], sys.argv[2].split("-")

def connected(**kwargs):
    client = engineio.Client(**kwargs)
    client.connect(URL, transports=TRANSPORTS)
    return client

async def async_connected(**kwargs):
    client = engineio.AsyncClient(**kwargs)
    await client.connect(URL, transports=TRANSPORTS)
    return client
"""


def start(url, transports, text):
    """Starts a program, with every check of Python, in which every warning is an error."""
    program = START + textwrap.dedent(text)
    checks = ["-X", "dev", "-W", "error"]
    command = [sys.executable, *checks, "-c", program, url, transports]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


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
    with start(server.url, "polling-websocket", program) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        assert (out, err) == ("client disconnect\ninterrupted\n", "")
