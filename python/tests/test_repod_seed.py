"""The documented client, block by block, with nothing changed but where it is imported from: with our server,
with the original's, and with a peer that looks at each byte.

The blocks use port 5071. Where that is taken by somebody else, they are given another one.
"""

import builtins
import fcntl
import json
import socket
import sys

import pytest
from repod_support import PROGRAMS, ROOT, WATCHDOG, Peer, frame, free_port, kill_processes, python, until

from heartwire.repod import Client


@pytest.fixture(autouse=True)
def processes():
    """Nothing that a test starts outlives it."""
    yield
    kill_processes()


SETUP = 'from repod import Client\n\nclient = Client(host="localhost", port=5071)\nclient.start_background()'
ADDRESS = 'host, port = client.address\nprint(f"Connecting to {host}:{port}")'
START = 'client = Client("localhost", 5071)\nclient.start_background()'
SEND = (
    'bytes_sent = client.send({"action": "move", "x": 10, "y": 20})\n'
    "if bytes_sent == 0:\n"
    '    print("Client is disconnected")'
)
CLOSE = "client.close()"
EXAMPLE = """\
import time
from repod import Client

client = Client("localhost", 5071)
client.start_background()

# Send messages
client.send({"action": "login", "username": "alice"})
client.send({"action": "chat", "text": "Hello world!"})

# Keep the main thread alive
time.sleep(1.0)

# Close when done
client.close()
"""


@pytest.fixture
def port():
    """Tests that run at the same time have it one after the other."""
    (ROOT / "target").mkdir(exist_ok=True)
    with (ROOT / "target/port-5071.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            Peer(5071).__exit__()
        except OSError:
            yield free_port()
        else:
            yield 5071
        # Whoever has the port lets go of it before the next one comes.
        kill_processes()


@pytest.fixture
def peer(port):
    with Peer(port) as peer:
        yield peer


THEIRS = pytest.param(
    "repod", marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="repodnet wants Python 3.12")
)


@pytest.fixture(params=["heartwire.repod", THEIRS])
def server(request, port):
    """Our server, or the original's, on the port of the blocks. It tells what it receives."""
    run = [] if request.param == "repod" else ["-m", "heartwire", "run"]
    process = python(*run, PROGRAMS / "recording_server.py", port)
    assert process.stdout.readline() == f"{request.param}\n"
    return process


def changed(block, port):
    block = block.replace("from repod import", "from heartwire.repod import")
    return block if port == 5071 else block.replace("5071", str(port))


def test_every_block_in_order_with_a_server(server, port, capsys):
    def told():
        line = server.stdout.readline().strip()
        return json.loads(line) if line.startswith("{") else line

    names = {"__builtins__": builtins}
    for block in (SETUP, ADDRESS, SEND, CLOSE):
        exec(changed(block, port), names)
    assert [told() for _ in range(3)] == [
        "connected",
        {"action": "move", "x": 10, "y": 20},
        "disconnected",
    ]
    exec(changed(START, port), names)
    assert names["client"].recv(WATCHDOG) == {"action": "connected"}
    exec(CLOSE, names)
    exec(SEND, names)
    assert [told() for _ in range(2)] == ["connected", "disconnected"]
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"Connecting to localhost:{port}", "Client is disconnected"]


@pytest.mark.parametrize("how", ["own import", "heartwire run"])
def test_the_full_example_with_a_server(server, port, tmp_path, how):
    script = tmp_path / "example.py"
    script.write_text(changed(EXAMPLE, port) if how == "own import" else EXAMPLE.replace("5071", str(port)))
    process = python(*([] if how == "own import" else ["-m", "heartwire", "run"]), script)
    assert process.communicate(timeout=WATCHDOG) == ("", "")
    assert process.returncode == 0
    assert [server.stdout.readline() for _ in range(4)] == [
        "connected\n",
        '{"action": "login", "username": "alice"}\n',
        '{"action": "chat", "text": "Hello world!"}\n',
        "disconnected\n",
    ]


def test_every_block_in_order(peer, capsys):
    names = {"__builtins__": builtins}
    for block in (SETUP, ADDRESS, SEND):
        exec(changed(block, peer.port), names)
    with peer.accept() as connection:
        assert connection.read() == {"action": "move", "x": 10, "y": 20}
        exec(CLOSE, names)
        assert connection.read() is None
    exec(changed(START, peer.port), names)
    with peer.accept() as connection:
        assert names["client"].send({"action": "a"}) == 14
        exec(CLOSE, names)
        assert connection.read_to_end() == frame({"action": "a"})
    exec(SEND, names)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"Connecting to localhost:{peer.port}", "Client is disconnected"]


@pytest.mark.parametrize("patience", ["1.0", "0"])
def test_the_full_example_delivers_everything(peer, patience):
    program = changed(EXAMPLE, peer.port).replace("time.sleep(1.0)", f"time.sleep({patience})")
    process = python("-c", program)
    with peer.accept() as connection:
        assert connection.read_to_end() == frame({"action": "login", "username": "alice"}) + frame(
            {"action": "chat", "text": "Hello world!"}
        )
    assert process.communicate(timeout=WATCHDOG) == ("", "")
    assert process.returncode == 0


def test_localhost_is_found_on_either_kind_of_address():
    addresses = {found[4][0] for found in socket.getaddrinfo("localhost", None)}
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        if host not in addresses:
            continue  # here it does not stand for that one
        with socket.create_server((host, 0), family=family) as listener:
            listener.settimeout(WATCHDOG)
            client = Client("localhost", listener.getsockname()[1])
            client.start_background()
            connection, _ = listener.accept()
            connection.close()
            until(lambda at=client: at.state == "closed")
