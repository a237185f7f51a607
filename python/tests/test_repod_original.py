"""The original: its own tests and examples on this package, and this package against it.

It is downloaded when the tests run, and wants Python 3.12.
"""

import re
import sys

import pytest
import suites
from repod_support import (
    PROGRAMS,
    WATCHDOG,
    Connection,
    Peer,
    free_port,
    frame,
    interrupt,
    kill_processes,
    python,
    pump_until,
    until,
)

from heartwire.repod import Channel, Client, ConnectionListener, Server

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="repodnet 0.1.2 wants Python 3.12 or newer"
)

@pytest.fixture(autouse=True)
def processes():
    """Nothing that a test starts outlives it."""
    yield
    kill_processes()


@pytest.fixture(scope="session")
def original():
    """The folder with the original's source distribution."""
    return suites.source("repodnet")


@pytest.mark.timeout(300)
def test_its_own_tests(original, tmp_path):
    with (
        suites.Run(original, tmp_path / "theirs") as theirs,
        suites.Run(original, tmp_path / "ours", plugin="install_all") as ours,
    ):
        expected, outcomes = theirs.outcomes(), ours.outcomes()
    assert len(expected) >= 48 and set(expected.values()) == {"passed"}, theirs.printed()
    assert outcomes == expected, ours.printed()


# Their end of a connection, in a process of its own.


def theirs(script, *args):
    return python(PROGRAMS / script, *args)


class Player(Channel):
    def Network_echo(self, data):
        self.send(data)

    def Network_all(self, data):
        self.server.send_to_all(data)


class Game(Server[Player]):
    channel_class = Player

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.gone = 0

    def on_disconnect(self, channel):
        self.gone += 1


VALUES = [
    {"v": value}
    for value in (
        0, -1, 2**63, -(2**63), 1.5, "ünïcödé 🎈", b"\x00\xff", None, True, [1, [2]], {"a": {"b": 1}},
        {1: "a", 2.5: "b", b"c": "d", None: "e"}, "x" * 100_000, list(range(5000)),
    )
]


def test_their_client_on_our_server():
    game = Game(port=0)
    thread = game.start_background()
    process = theirs("original_client.py", game.port)
    out, err = process.communicate(timeout=WATCHDOG)
    assert (process.returncode, err) == (0, "")
    assert out == "500 in order\ndisconnected\n"
    until(lambda: game.gone == 1)
    thread.stop()


def test_our_client_on_their_server():
    port = free_port()
    process = theirs("original_server.py", port)
    assert process.stdout.readline() == "listening\n"
    client = Client("127.0.0.1", port)
    client.start_background()
    sent = [{"action": "echo", "n": n, **VALUES[n % len(VALUES)]} for n in range(500)]
    for message in sent:
        assert client.send(message) == len(frame(message))
    assert client.recv(WATCHDOG) == {"action": "connected"}
    assert [client.recv(WATCHDOG) for _ in sent] == sent
    client.send({"action": "count"})
    client.close()
    assert process.stdout.readline() == "connected\n"
    assert process.stdout.readline() == "counted 500\n"
    assert process.stdout.readline() == "disconnected\n"
    process.kill()
    process.communicate()


# Their examples, unchanged.


def example(original, name, *args, runs_on="ours"):
    script = original / "examples" / name
    if runs_on == "ours":
        return python("-m", "heartwire", "run", script, *args)
    # The folder of their source is not on the path: this is the package as it is installed.
    return python(script, *args)


def lines_until(process, pattern):
    """Reads lines of a program until one matches."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return seen
    raise AssertionError(f"{pattern} was not among {seen}: {process.stderr.read()}")


SIDES = [("ours", "ours"), ("ours", "theirs"), ("theirs", "ours")]


def wait_for(port):
    def reached():
        try:
            Connection.to(port).close()
        except OSError:
            return False
        return True

    until(reached)


@pytest.mark.parametrize(("server_on", "client_on"), SIDES)
def test_the_lag_time_example(original, server_on, client_on):
    port = free_port()
    server = example(original, "lag_time/server.py", "127.0.0.1", port, runs_on=server_on)
    wait_for(port)
    client = example(original, "lag_time/client.py", "127.0.0.1", port, runs_on=client_on)
    out, err = client.communicate(timeout=WATCHDOG)
    assert (client.returncode, err) == (0, "")
    assert out.count("Got ping") == 10
    assert out.endswith("Received 10 pings, closing connection...\nDisconnected from server\n")
    seen = lines_until(server, r"ping 8 RTT")
    assert sum("RTT was" in line for line in seen) == 9
    interrupt(server)
    server.communicate(timeout=WATCHDOG)
    assert server.returncode == 0


@pytest.mark.parametrize(("server_on", "client_on"), SIDES)
def test_the_chat_example(original, server_on, client_on):
    port = free_port()
    server = example(original, "chat/server.py", "127.0.0.1", port, runs_on=server_on)
    wait_for(port)
    alice, bob = [
        example(original, "chat/client.py", "127.0.0.1", port, runs_on=client_on) for _ in "ab"
    ]
    for client, name in ((alice, "alice"), (bob, "bob")):
        lines_until(client, "Players: .*Anonymous")
        client.stdin.write(f"{name}\n")
        client.stdin.flush()
        lines_until(client, f"Players: .*{name}")
    alice.stdin.write("hello there\n")
    alice.stdin.flush()
    for client in (alice, bob):
        lines_until(client, "^alice: hello there$")
    # What a name was before it was chosen is what the example says when somebody leaves.
    alice.stdin.close()
    assert alice.wait(WATCHDOG) == 0
    lines_until(bob, "SYSTEM: Anonymous left the chat")
    bob.stdin.close()
    assert bob.wait(WATCHDOG) == 0
    interrupt(server)
    server.communicate(timeout=WATCHDOG)
    assert server.returncode == 0


def test_the_tag_example(original):
    port = free_port()
    server = example(original, "tag/server.py", "127.0.0.1", port)
    wait_for(port)
    players = [theirs("drawn_client.py", original, "tag", port) for _ in "ab"]
    for process in players:
        out, err = process.communicate(timeout=WATCHDOG)
        assert (process.returncode, err) == (0, "")
        assert out == "joined and moved\n"
    interrupt(server)
    server.communicate(timeout=WATCHDOG)
    assert server.returncode == 0


def test_the_whiteboard_example(original):
    port = free_port()
    server = example(original, "whiteboard/server.py", "127.0.0.1", port)
    wait_for(port)
    process = theirs("drawn_client.py", original, "whiteboard", port)
    out, err = process.communicate(timeout=WATCHDOG)
    assert (process.returncode, err) == (0, "")
    assert out == "drawn by both\n"
    interrupt(server)
    server.communicate(timeout=WATCHDOG)
    assert server.returncode == 0
