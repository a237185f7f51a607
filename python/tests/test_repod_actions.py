"""What a peer can bring about by the actions that it chooses, and what it cannot."""

import io
import os
import re
import socket
import sys
import threading

import pytest
from repod_support import (
    GREETING,
    WATCHDOG,
    Connection,
    Peer,
    frame,
    kill_processes,
    pump_until,
    python,
    until,
)

from heartwire.repod import Channel, Client, ConnectionListener, Server, configure_logging
from heartwire.repod.logconfig import _root

RESERVED = ["connected", "disconnected", "error", "reconnecting", "socketConnect"]

#: Actions that are no names, and those of methods that are nobody's to call.
ODD = [
    "",
    "a b",
    "a\n",
    "ä",
    "x" * 129,
    "x" * 1_000_000,
    "__class__",
    "undefined",
    "constant",
    b"chat",
    1.5,
    -1,
    [1] * 1000,
    {"chat": 1},
]


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer
    kill_processes()


class Handlers:
    """Notes which of its methods are called."""

    Network_constant = 5

    def note(self, name, data):
        self.seen.append((name, data))

    def __getattr__(self, name):
        if name.startswith("Network_"):
            return lambda data: self.note("getattr", data)
        raise AttributeError(name)

    def network_received(self, data):
        self.note("other", data)

    def Network_chat(self, data):
        self.note("chat", data)


for action in RESERVED:
    setattr(Handlers, f"Network_{action}", lambda self, data, name=action: self.note(name, data))


class Game(Handlers, ConnectionListener):
    def __init__(self):
        self.seen = []


class Player(Handlers, Channel["Room"]):
    @property
    def seen(self):
        return self.server.seen


class Room(Server[Player]):
    channel_class = Player

    def __init__(self, **options):
        super().__init__("127.0.0.1", 0, **options)
        self.seen = []


def joined(peer, **options):
    """A listener, and the other end of its connection."""
    game = Game()
    game.connect("127.0.0.1", peer.port, **options)
    return game, peer.accept()


def test_a_servers_greeting_is_taken_once_and_first(peer):
    game, connection = joined(peer)
    connection.send(GREETING * 2 + frame({"action": "chat"}) + GREETING)
    pump_until(game.pump, lambda: len(game.seen) == 6)
    greeting = {"action": "connected"}
    assert game.seen == [
        ("connected", greeting),
        ("socketConnect", {"action": "socketConnect"}),
        ("connected", greeting),
        ("other", greeting),
        ("chat", {"action": "chat"}),
        ("other", greeting),
    ]
    connection.close()


def test_a_greeting_that_is_not_first_is_none(peer):
    game, connection = joined(peer)
    connection.send(frame({"action": "chat"}) + GREETING)
    pump_until(game.pump, lambda: len(game.seen) == 4)
    assert [name for name, _ in game.seen[2:]] == ["chat", "other"]
    connection.close()


def test_a_server_cannot_speak_for_the_connection(peer):
    game, connection = joined(peer)
    forged = [{"action": action, "reason": "x", "code": "closed", "error": "y"} for action in RESERVED]
    connection.send(GREETING + b"".join(map(frame, forged)))
    pump_until(game.pump, lambda: len(game.seen) == 3 + len(forged))
    assert game.seen[3:] == [("other", message) for message in forged]
    assert game.connection.is_connected
    # What the connection itself says is heard.
    game.connection.close()
    game.pump()
    assert [name for name, _ in game.seen[3 + len(forged) :]] == ["disconnected"]
    connection.close()


def test_a_client_cannot_speak_for_the_connection():
    room = Room()
    room.listen()
    with Connection.to(room.port) as connection:
        forged = [{"action": action} for action in RESERVED]
        connection.send(b"".join(map(frame, forged)) + frame({"action": "chat"}))
        pump_until(room.pump, lambda: len(room.seen) == len(forged) + 1)
        assert room.seen == [("other", message) for message in forged] + [
            ("chat", {"action": "chat"})
        ]
        assert room.channels[0].is_connected
    room.shutdown()


def test_actions_that_are_no_names_of_a_handler(peer):
    game, connection = joined(peer)
    connection.send(GREETING + b"".join(frame({"action": action}) for action in ODD))
    pump_until(game.pump, lambda: len(game.seen) == 3 + len(ODD))
    assert game.seen[3:] == [("other", {"action": action}) for action in ODD]
    connection.close()
    room = Room(max_frame=2_000_000)
    room.listen()
    with Connection.to(room.port) as connection:
        connection.send(b"".join(frame({"action": action}) for action in ODD))
        pump_until(room.pump, lambda: len(room.seen) == len(ODD))
        assert room.seen == [("other", {"action": action}) for action in ODD]
    room.shutdown()


def test_handlers_may_be_given_later(peer):
    game, connection = joined(peer)
    game.Network_own = lambda data: game.note("own", data)
    connection.send(GREETING + frame({"action": "own"}))
    pump_until(game.pump, lambda: len(game.seen) == 4)
    assert game.seen[3] == ("own", {"action": "own"})
    connection.close()


def test_reserved_actions_may_be_dropped(peer):
    game, connection = joined(peer, strip_reserved=True)
    forged = [{"action": action} for action in RESERVED]
    connection.send(GREETING + b"".join(map(frame, forged)) + frame({"action": "chat"}))
    pump_until(game.pump, lambda: len(game.seen) == 4)
    assert [name for name, _ in game.seen] == ["connected", "socketConnect", "connected", "chat"]
    connection.close()
    room = Room(strip_reserved=True)
    room.listen()
    with Connection.to(room.port) as connection:
        connection.send(b"".join(map(frame, forged)) + frame({"action": "chat"}))
        pump_until(room.pump, lambda: room.seen)
        assert room.seen == [("chat", {"action": "chat"})]
    room.shutdown()


def test_poll_does_not_wait(peer):
    client = Client("127.0.0.1", peer.port)
    assert client.poll() is None
    client.start_background()
    connection = peer.accept()
    assert client.poll() is None
    connection.send(GREETING + frame({"action": "a"}))
    assert until(client.poll) == {"action": "connected"}
    assert until(client.poll) == {"action": "a"}
    assert client.poll() is None
    client.close()
    connection.close()


def test_events_tell_once_that_a_connection_is_open(peer):
    client = Client("127.0.0.1", peer.port)
    client.start_background()
    with peer.accept() as connection:
        connection.send(GREETING + frame({"action": "a"}) + GREETING)
    found = [event["action"] for event in client.events(timeout=WATCHDOG)]
    assert found == ["open", "a", "connected", "disconnected"]


@pytest.fixture
def log():
    before = _root.handlers[:], _root.level
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    _root.handlers[:], _root.level = before


def test_logs_are_not_for_peers_to_write(peer, log):
    actions = ["a\nfake line", "\x1b[31mred", "\x9b31m", "\u2028", "x" * 100_000, b"\n" * 9]
    game, connection = joined(peer)
    connection.send(GREETING + b"".join(frame({"action": action}) for action in actions))
    pump_until(game.pump, lambda: len(game.seen) == 3 + len(actions))
    connection.close()
    room = Room()
    room.listen()
    with Connection.to(room.port) as connection:
        connection.send(b"".join(frame({"action": action}) for action in actions))
        pump_until(room.pump, lambda: len(room.seen) == len(actions))
    room.shutdown()
    lines = re.sub("\x1b\\[[0-9;]*m", "", log.getvalue()).split("\n")
    assert lines.pop() == ""
    assert sum("action=" in line for line in lines) == 3 + 2 * len(actions)
    for line in lines:
        assert line.isprintable() and len(line) < 300 and re.match(r"\d\d:\d\d:\d\d \[.\] \w", line)
    assert r"a\nfake line" in log.getvalue() and r"\x1b[31mred" in log.getvalue()


BLOCKED = """
import threading, sys
from heartwire.repod import Channel, Client, Server

class Player(Channel):
    def Network_block(self, data):
        print("blocked", flush=True)
        threading.Event().wait()

class Game(Server):
    channel_class = Player

game = Game("127.0.0.1", 0)
thread = game.start_background()
client = Client("127.0.0.1", game.port)
client.start_background()
client.send({"action": "block"})
sys.stdin.readline()
if sys.argv[1] == "stop":
    thread.stop(0.1)
    print(thread.is_alive())
"""


@pytest.mark.parametrize("ending", ["exit", "stop"])
def test_a_handler_that_blocks_does_not_keep_the_program(ending):
    process = python("-c", BLOCKED, ending)
    assert process.stdout.readline() == "blocked\n"
    out, err = process.communicate("\n", timeout=WATCHDOG)
    assert process.returncode == 0
    assert out == ("True\n" if ending == "stop" else "")
    kill_processes()


def test_a_handler_that_others_have_is_not_everybodys():
    class Seeing(Channel):
        seen = []

        def network_received(self, data):
            self.seen.append((type(self).__name__, data["action"]))

    class Has(Seeing):
        def Network_jump(self, data):
            self.seen.append("jump")

    class HasNot(Seeing):
        pass

    class Answers(Seeing):
        def __getattr__(self, name):
            raise AssertionError(f"asked for {name}")

    class Refuses(Seeing):
        def __getattribute__(self, name):
            assert not name.startswith("Network_"), name
            return super().__getattribute__(name)

    class Undefines(Has):
        Network_jump = None

    room = Server(port=0)
    room.channel_class = Seeing
    room.listen()
    for kind in [Has, HasNot, Answers, Refuses, Undefines, Has]:
        room.channel_class = kind
        with Connection.to(room.port) as connection:
            connection.send(frame({"action": "jump"}))
            before = len(Seeing.seen)
            pump_until(room.pump, lambda before=before: len(Seeing.seen) > before)
    del Has.Network_jump
    with Connection.to(room.port) as connection:
        connection.send(frame({"action": "jump"}))
        pump_until(room.pump, lambda: len(Seeing.seen) == 7)
    room.shutdown()
    others = [(kind, "jump") for kind in ["HasNot", "Answers", "Refuses", "Undefines"]]
    assert Seeing.seen == ["jump", *others, "jump", ("Has", "jump")]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for sockets where Linux has them")
def test_small_messages_do_not_wait_for_each_other():
    room = Room()
    room.listen()
    client = Client("127.0.0.1", room.port)
    client.start_background()
    pump_until(room.pump, lambda: room.channels and client.is_connected)
    ends = [end for end in sockets() if room.port in (end[0], end[1])]
    assert len(ends) == 2 and all(no_delay for _, _, no_delay in ends)
    client.close()
    room.shutdown()


def sockets():
    """The TCP connections of this process: their ports, and whether they have TCP_NODELAY."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            copy = os.dup(int(name))
        except OSError:
            continue
        try:
            end = socket.socket(fileno=copy)
        except OSError:
            os.close(copy)
            continue
        with end:
            try:
                ports = end.getsockname()[1], end.getpeername()[1]
                no_delay = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            except (OSError, IndexError, TypeError):
                continue
            found.append((*ports, bool(no_delay)))
    return found


def test_events_and_messages_of_several_threads(peer):
    """The greeting is told from others whoever takes it."""
    client = Client("127.0.0.1", peer.port)
    client.start_background()
    connection = peer.accept()
    connection.send(GREETING + frame({"action": "a"}) * 100)
    connection.close()
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(client.events(timeout=WATCHDOG)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG)
    actions = sorted(event["action"] for event in found)
    assert actions == ["a"] * 100 + ["disconnected", "open"]
