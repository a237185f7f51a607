"""What the tests of the package share."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def heartwire_program():
    """The command line program, which the tests use as a server."""
    if program := os.environ.get("HEARTWIRE_PROGRAM"):
        return Path(program)
    subprocess.run(
        ["cargo", "build", "--quiet", "--package", "heartwire-cli"], cwd=ROOT, check=True
    )
    return ROOT / "target/debug/heartwire"


class Server:
    """`heartwire serve`, until the end of the test."""

    def __init__(self, program, *args):
        self.process = subprocess.Popen(
            [program, "serve", "--engineio", "127.0.0.1:0", *args],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)/", line)[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.process.stdout.close()


@pytest.fixture
def serve(heartwire_program):
    """Starts servers: `serve("--behaviour", "echo")`."""
    servers = []

    def start(*args):
        servers.append(Server(heartwire_program, *args))
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def server(serve):
    """An Engine.IO server that sends every message back."""
    return serve()


class Peer:
    """A program of `peers`, which prints its port, until the end of the test."""

    def __init__(self, script, *args, scheme="http"):
        path = Path(__file__).parent / "peers" / script
        command = [sys.executable, "-W", "ignore", path, *map(str, args)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start_peer():
    """Starts python-engineio's servers: `start_peer("asgi", "--ping-interval", 1)`."""
    peers = []

    def start(*args, script="server.py", **kwargs):
        peers.append(Peer(script, *args, **kwargs))
        return peers[-1]

    yield start
    for peer in peers:
        peer.kill()


@pytest.fixture(scope="module")
def asgi():
    """python-engineio's server on asyncio, one for the tests of a module."""
    peer = Peer("server.py", "asgi")
    yield peer
    peer.kill()


@pytest.fixture
def until():
    """Waits for a condition, as long as the watchdog lets it: `until(lambda: client.sid is None)`."""

    def wait(condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.005)

    return wait
