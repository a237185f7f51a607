"""python-socketio on clients of this package: its own tests, and programs of its users."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import suites

PROGRAM = Path(__file__).parent / "dropin/socketio_program.py"
TRANSPORTS = ["polling", "websocket", "polling-websocket"]

#: The port that the tests of its admin interface use.
PORT = "8900"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_suite(tmp_path):
    """All of it passes, as it does with python-engineio."""
    folder = suites.source("python-socketio")
    with contextlib.ExitStack() as stack:
        runs = {}
        # One of its tests waits for 45 seconds; so they run side by side, each on a port of its own.
        for plugin in (None, "swap_clients", "install_all"):
            port, place = free_port(), tmp_path / str(plugin)
            run = suites.Run(folder, place, plugin, lambda text, port=port: text.replace(PORT, port))
            runs[plugin] = stack.enter_context(run)
        outcomes = {plugin: run.outcomes() for plugin, run in runs.items()}
    expected = outcomes[None]
    assert len(expected) > 600 and set(expected.values()) == {"passed"}, runs[None].printed()
    for plugin, run in runs.items():
        assert outcomes[plugin] == expected, run.printed()


@pytest.fixture(scope="module")
def start_server():
    """Starts python-socketio's server."""
    from conftest import Peer

    servers = []

    def start(*args):
        servers.append(Peer("socketio_server.py", *args))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def socketio_server(start_server):
    return start_server()


def program(*args):
    command = [sys.executable, "-X", "dev", "-m", "heartwire", "run", PROGRAM, *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize(
    "scenario",
    [
        "call_within_a_handler",
        "events_in_order",
        "emit_then_disconnect",
        "binary",
        "asynchronous",
        "simple_client",
    ],
)
def test_program(socketio_server, scenario, transports):
    with program(scenario, socketio_server.url, transports) as run:
        assert run.communicate(timeout=110)[0] == "done []\n"
    assert run.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize("scenario", ["reconnect", "asynchronous_reconnect"])
def test_server_is_killed_and_comes_back(start_server, scenario, transports):
    server = start_server()
    with program(scenario, server.url, transports) as run:
        assert run.stdout.readline() == "kill the server\n"
        server.kill()
        assert run.stdout.readline() == "start the server\n"
        start_server(str(server.port))
        assert run.communicate(timeout=110)[0] == "done []\n"
    assert run.returncode == 0
