"""The documented client, block by block, with nothing changed but where it is imported from.

The blocks use port 5071. Where that is taken by somebody else, they are given another one.
"""

import builtins
import socket

import pytest
from repod_support import WATCHDOG, Peer, frame, kill_processes, python, until

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
def peer():
    try:
        peer = Peer(5071)
    except OSError:
        peer = Peer()
    with peer:
        yield peer


def changed(block, peer):
    block = block.replace("from repod import", "from heartwire.repod import")
    return block if peer.port == 5071 else block.replace("5071", str(peer.port))


def test_every_block_in_order(peer, capsys):
    names = {"__builtins__": builtins}
    for block in (SETUP, ADDRESS, SEND):
        exec(changed(block, peer), names)
    with peer.accept() as connection:
        assert connection.read() == {"action": "move", "x": 10, "y": 20}
        exec(CLOSE, names)
        assert connection.read() is None
    exec(changed(START, peer), names)
    with peer.accept() as connection:
        assert names["client"].send({"action": "a"}) == 14
        exec(CLOSE, names)
        assert connection.read_to_end() == frame({"action": "a"})
    exec(SEND, names)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"Connecting to localhost:{peer.port}", "Client is disconnected"]


@pytest.mark.parametrize("patience", ["1.0", "0"])
def test_the_full_example_delivers_everything(peer, patience):
    program = changed(EXAMPLE, peer).replace("time.sleep(1.0)", f"time.sleep({patience})")
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
