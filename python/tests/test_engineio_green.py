"""Programs in which gevent or eventlet has replaced threads: no client stops the others."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from heartwire.engineio import _green

HERE = Path(__file__).parent

#: What runs on every version of Python.
FIRST = ["others_run_while_it_waits", "messages_in_order"]

REST = [
    "handlers_that_wait",
    "ordered_handlers",
    "connecting_again",
    "requests_of_a_session",
    "pumped",
    "forked",
]


def run(*command):
    # The libraries' own warnings are not ours.
    command = [sys.executable, "-W", "ignore", *map(str, command)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110)


@pytest.mark.parametrize(
    "library, scenarios",
    [
        ("gevent", FIRST),
        pytest.param("gevent", REST, marks=pytest.mark.slow),
        pytest.param("gevent", ["imported_before"], marks=pytest.mark.slow),
        pytest.param("eventlet", FIRST + REST, marks=pytest.mark.slow),
        pytest.param("eventlet", ["imported_before"], marks=pytest.mark.slow),
    ],
)
def test_green_threads(server, library, scenarios):
    done = run(HERE / "green/program.py", library, server.url, *scenarios)
    assert (done.stdout.split(), done.stderr) == (scenarios, "")


@pytest.mark.slow
def test_ctrl_c_among_green_threads(server):
    done = run(HERE / "green/program.py", "gevent", server.url, "interrupted")
    # gevent tells on its own that a thread was interrupted.
    assert done.stdout == "interrupted\n", done.stderr


@pytest.fixture(scope="module")
def socketio_url():
    from conftest import Peer

    peer = Peer("socketio_server.py")
    yield peer.url
    peer.kill()


@pytest.mark.slow
@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize("scenario", ["call_within_a_handler", "emit_then_disconnect"])
def test_socketio_on_green_threads(socketio_url, library, scenario):
    # The server's notes are told apart by their transports.
    transports = "polling-websocket" if library == "gevent" else "polling"
    program = HERE / "green/socketio_program.py"
    done = run("-m", "heartwire", "run", program, library, scenario, socketio_url, transports)
    assert (done.stdout, done.stderr) == ("done []\n", "")


def test_greenlets_beside_threads(server):
    """gevent has replaced everything but threads."""
    done = run(HERE / "green/beside_threads.py", server.url)
    assert (done.stdout, done.stderr) == ("hello\ndisconnected\n", "")


def test_threads_of_an_unknown_library_are_refused(monkeypatch):
    def get_ident():
        raise AssertionError("it is only looked at")

    get_ident.__module__ = "macaroni.thread"
    with monkeypatch.context() as patch:
        patch.setattr(threading, "get_ident", get_ident)
        with pytest.raises(RuntimeError, match="macaroni has replaced threads"):
            _green.library()


def test_requests_of_a_session_that_nobody_would_send_are_refused():
    program = """
from gevent import monkey
monkey.patch_all()
import requests
from heartwire import engineio
session = requests.Session()
session.hooks["response"].append(print)
engineio.Client(http_session=session, dispatch="inline").connect("http://localhost:1")
"""
    done = run("-c", program)
    assert done.returncode == 1
    assert "RuntimeError: nobody would send requests between two calls of pump()" in done.stderr
