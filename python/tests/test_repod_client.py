"""Clients, against servers that do what the test says."""

import gc
import io
import logging
import re
import threading
import time
import weakref

import pytest
from repod_support import (
    GREETING,
    WATCHDOG,
    Peer,
    frame,
    free_port,
    interrupt,
    kill_processes,
    pump_until,
    python,
    run,
    until,
)
from test_repod_codec import VECTORS

from heartwire.repod import Backoff, Client, ConnectionListener, configure_logging

OPENING = [{"action": "connected"}, {"action": "socketConnect"}, {"action": "connected"}]
CLOSED = {"action": "disconnected", "reason": "closed", "code": "closed", "unsent": 0}


@pytest.fixture(autouse=True)
def processes():
    """Nothing that a test starts outlives it."""
    yield
    kill_processes()


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


def started(peer, **options):
    client = Client("127.0.0.1", peer.port, **options)
    client.start_background()
    return client


def opened(peer, **options):
    """A client and the other end of its connection, greeted."""
    client = started(peer, **options)
    connection = peer.accept()
    connection.send(GREETING)
    assert [next_event(client) for _ in OPENING] == OPENING
    return client, connection


def next_event(client):
    return client._receive_queue.get(timeout=WATCHDOG)


def all_events(client):
    return list(client.events(timeout=WATCHDOG))


class Recorder(ConnectionListener):
    """Notes what it is told."""

    def __init__(self):
        self.seen = []

    def network_received(self, data):
        self.seen.append(data)


# Sending.


def test_what_is_sent_while_connecting_arrives_in_order(peer):
    client = started(peer)
    messages = [{"action": "n", "n": n} for n in range(1000)]
    assert [client.send(message) for message in messages] == [len(frame(m)) for m in messages]
    client.close()
    with peer.accept() as connection:
        assert connection.read_to_end() == b"".join(map(frame, messages))


def test_close_sends_what_waits(peer):
    client, connection = opened(peer)
    sent = [{"action": "big", "data": bytes(100_000)} for _ in range(20)]
    for message in sent:
        assert client.send(message) > 100_000
    client.close()
    assert client.send({"action": "late"}) == 0
    with connection:
        assert connection.read_to_end() == b"".join(map(frame, sent))


def test_send_returns_0_where_nothing_can_be_sent(peer):
    client = Client("127.0.0.1", peer.port)
    assert client.send({"action": "a"}) == 0
    assert client.send(object()) == 0, "it is not looked at"
    assert client.state == "idle"
    client.start_background()
    assert client.send({"action": "a"}) == 14
    client.close()
    assert client.send({"action": "a"}) == 0
    assert client.send(object()) == 0
    nowhere = Client("127.0.0.1", free_port())
    nowhere.start_background()
    assert [event["action"] for event in all_events(nowhere)] == ["error"]
    assert nowhere.send({"action": "a"}) == 0
    assert nowhere.state == "failed"


@pytest.mark.parametrize("vector", VECTORS["encode_errors"], ids=lambda vector: vector["py"])
def test_send_raises_what_encode_raises(peer, vector):
    client, connection = opened(peer)
    with pytest.raises(Exception) as raised:
        client.send(eval(vector["py"]))
    assert type(raised.value).__name__ == vector["error"]
    assert client.send({"action": "fine"}) == len(frame({"action": "fine"}))
    assert connection.read() == {"action": "fine"}
    connection.close()


def test_a_full_queue_is_an_error(peer):
    client = started(peer, send_limits=(10, 1 << 20))
    connection = peer.accept()
    with pytest.raises(BufferError, match="at most 10 messages or 1048576 bytes"):
        while True:
            client.send({"action": "big", "data": bytes(50_000)})
    client.close()
    connection.close()


@pytest.mark.parametrize("root", [[1, 2], None, "s", 5, {}])
def test_any_value_can_be_sent(peer, root):
    client, connection = opened(peer)
    assert client.send(root) == len(frame(root))
    client.close()
    assert connection.read_to_end() == frame(root)
    connection.close()


# Events.


def test_events_come_in_repods_order(peer):
    client, connection = opened(peer)
    connection.send(frame({"action": "a", "n": 1}))
    assert next_event(client) == {"action": "a", "n": 1}
    connection.close()
    assert all_events(client) == [
        {
            "action": "disconnected",
            "reason": "closed by peer",
            "code": "peer_closed",
            "unsent": 0,
        }
    ]
    assert client.state == "closed"
    assert client.disconnected["code"] == "peer_closed"


def test_a_failure_is_told_once_and_alone():
    client = Client("127.0.0.1", free_port())
    client.start_background()
    (error,) = all_events(client)
    assert error["action"] == "error"
    assert "refused" in error["error"]
    assert error["code"] == "unreachable"
    client.close()
    assert all_events(client) == []


def test_a_name_that_nobody_has():
    client = Client("nobody.invalid", 1)
    client.start_background()
    # It may have failed by then, and says so.
    is_lost = client.send({"action": "lost"}) > 0
    (error,) = all_events(client)
    assert (error["action"], error["unsent"]) == ("error", int(is_lost))


def test_close_tells_before_it_returns(peer):
    client, connection = opened(peer)
    client.close()
    assert client._receive_queue.get_nowait() == CLOSED
    client.close()
    assert client._receive_queue.empty()
    assert connection.read() is None
    connection.close()


def test_close_keeps_what_has_arrived_before(peer):
    client, connection = opened(peer)
    connection.send(frame({"action": "a"}) * 500)
    until(lambda: client._receive_queue.qsize() == 500)
    client.close()
    connection.send(frame({"action": "late"}))
    assert all_events(client) == [{"action": "a"}] * 500 + [CLOSED]
    connection.close()


def test_close_while_connecting_gives_it_up(peer):
    for _ in range(20):
        client = started(peer)
        client.close()
        assert all_events(client)[-1] == CLOSED
        assert client.state == "closed"
    peer.listener.settimeout(0.2)
    while True:
        try:
            connection = peer.accept()
        except TimeoutError:
            break
        connection.socket.settimeout(WATCHDOG)
        with connection:
            assert connection.read_to_end() == b""


def test_disconnected_is_told_once_whoever_is_first(peer):
    for _ in range(50):
        client, connection = opened(peer)
        closing = threading.Thread(target=connection.close)
        closing.start()
        client.close()
        closing.join()
        assert [event["action"] for event in all_events(client)] == ["disconnected"]


def test_a_client_can_be_started_again(peer):
    client, connection = opened(peer)
    client.start_background()
    client.start_background()
    # The end comes within a frame, of which the next connection must not see anything.
    connection.send(frame({"action": "half"})[:7])
    connection.close()
    assert "in the middle of a frame" in next_event(client)["reason"]
    for message in ({"action": "b"}, {"action": "c"}):
        client.start_background()
        assert client.send({"action": "hello"}) > 0
        connection = peer.accept()
        connection.send(GREETING + frame(message))
        assert [next_event(client) for _ in range(4)] == [*OPENING, message]
        assert connection.read() == {"action": "hello"}
        connection.close()
        assert next_event(client)["action"] == "disconnected"


def test_unread_events_of_an_earlier_start_stay(peer):
    client = started(peer)
    connection = peer.accept()
    connection.send(GREETING + frame({"action": "first"}))
    connection.close()
    until(lambda: client.state == "closed")
    client.start_background()
    connection = peer.accept()
    connection.send(GREETING)
    actions = [next_event(client)["action"] for _ in range(8)]
    opening = ["connected", "socketConnect", "connected"]
    assert actions == [*opening, "first", "disconnected", *opening]
    client.close()
    connection.close()


# Receiving.


@pytest.mark.parametrize("vector", VECTORS["decode"], ids=lambda vector: vector["case"])
def test_what_is_received(peer, vector):
    client, connection = opened(peer)
    connection.send(bytes.fromhex(vector["frame"]))
    connection.send(frame({"action": "next"}))
    effect = vector["effect"]
    if effect.startswith("dispatched"):
        assert repr(next_event(client)) == vector["repod_read_message"]
    if effect == "close":
        assert next_event(client)["code"] == "protocol_error"
        assert connection.is_ended()
    else:
        assert next_event(client) == {"action": "next"}
    connection.close()


def test_frames_may_be_cut_anywhere(peer):
    messages = [{"action": "a", "text": "x" * n} for n in (0, 1, 40)]
    stream = b"".join(map(frame, messages))
    client, connection = opened(peer)
    for cut in range(len(stream)):
        connection.send(stream[:cut])
        if cut:
            time.sleep(0)  # others may run: whether the cut is seen is up to the network
        connection.send(stream[cut:])
        assert [next_event(client) for _ in messages] == messages
    connection.close()


def test_a_server_cannot_forge_events(peer):
    client, connection = opened(peer)
    forged = [{"action": name} for name in ("disconnected", "error", "socketConnect")]
    connection.send(b"".join(map(frame, forged)))
    assert [next_event(client) for _ in forged] == forged
    assert client.is_connected
    assert client.send({"action": "still here"}) > 0
    assert connection.read() == {"action": "still here"}
    connection.close()


def test_too_large_a_frame_ends_the_connection(peer):
    client, connection = opened(peer, max_frame=1000)
    connection.send(b"\xff\xff\xff\xff")
    event = next_event(client)
    assert event["code"] == "too_large"
    assert "at most 1000" in event["reason"]
    assert connection.is_ended()
    connection.close()


def test_recv_gives_messages_alone(peer):
    client = started(peer)
    connection = peer.accept()
    assert client.recv(timeout=0.01) is None
    connection.send(GREETING + frame({"action": "a"}))
    assert client.recv(timeout=WATCHDOG) == {"action": "connected"}
    assert client.recv(timeout=WATCHDOG) == {"action": "a"}
    connection.close()
    assert client.recv() is None
    assert Client().recv() is None


def test_many_threads_may_receive(peer):
    client, connection = opened(peer)
    seen = []
    threads = [
        threading.Thread(target=lambda: seen.extend(client.events())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for n in range(2000):
        connection.send(frame({"action": "n", "n": n}))
    connection.close()
    for thread in threads:
        thread.join(WATCHDOG)
    assert sorted(data["n"] for data in seen if "n" in data) == list(range(2000))
    assert sum(data["action"] == "disconnected" for data in seen) == 1


def test_a_program_may_put_messages_into_the_queue(peer):
    client, connection = opened(peer)
    client._receive_queue.put({"action": "own"})
    assert client._receive_queue.qsize() == 1
    assert next_event(client) == {"action": "own"}
    client.close()
    connection.close()


# A listener.


def test_nothing_happens_before_connect():
    class Game(ConnectionListener):
        def __init__(self):
            pass

    game = Game()
    game.pump()
    assert game.connection is None
    assert game.send({"action": "a"}) == 0
    assert ConnectionListener._connection is None


def test_handlers_go_by_action(peer):
    class Game(Recorder):
        def Network_a(self, data):
            self.seen.append(("a", data))

        def Network_5(self, data):
            self.seen.append(("5", data))

        def Network_None(self, data):
            self.seen.append(("None", data))

    setattr(Game, "Network_b'x'", lambda self, data: self.seen.append(("b'x'", data)))
    game = Game()
    game.connect("127.0.0.1", peer.port)
    connection = peer.accept()
    messages = [{"action": action} for action in ("a", 5, None, b"x", 1.5)]
    connection.send(GREETING + b"".join(map(frame, messages)))
    pump_until(game.pump, lambda: len(game.seen) == 8)
    names = [seen[0] if type(seen) is tuple else seen["action"] for seen in game.seen[3:]]
    # What is no name leads nowhere, whatever a class has.
    assert names == ["a", "5", "None", b"x", 1.5]
    game.connection.close()
    connection.close()


def test_each_message_is_a_dict_of_its_own(peer):
    game = Recorder()
    game.connect("127.0.0.1", peer.port)
    connection = peer.accept()
    connection.send(frame({"action": "a", "list": [1]}) * 2)
    pump_until(game.pump, lambda: len(game.seen) == 4)
    first, second = game.seen[2:]
    first["list"].append(2)
    first["id"] = 7
    assert game.send(first) == len(frame(first))
    assert connection.read() == {"action": "a", "list": [1, 2], "id": 7}
    assert second == {"action": "a", "list": [1]}
    connection.close()


def test_an_exception_leaves_the_rest(peer):
    class Game(Recorder):
        def Network_bad(self, data):
            raise LookupError(data["n"])

    game = Game()
    game.connect("127.0.0.1", peer.port)
    connection = peer.accept()
    for n in range(3):
        connection.send(frame({"action": "bad", "n": n}) + frame({"action": "good", "n": n}))
    waiting = game.connection._receive_queue
    until(lambda: waiting.qsize() == 8)
    for n in range(3):
        with pytest.raises(LookupError, match=str(n)):
            game.pump()
    game.pump()
    assert [data["n"] for data in game.seen[2:]] == [0, 1, 2]
    connection.close()


def test_pump_is_bounded(peer):
    class Game(Recorder):
        def network_received(self, data):
            super().network_received(data)
            waiting.put({"action": "more"})  # a server that answers at once

    game = Game()
    game.connect("127.0.0.1", peer.port)
    waiting = game.connection._receive_queue
    connection = peer.accept()
    connection.send(frame({"action": "a"}) * 98)
    until(lambda: waiting.qsize() == 100)
    game.pump(max_messages=30)
    assert len(game.seen) == 30
    game.pump(max_ms=0)
    assert len(game.seen) == 31
    game.pump(max_messages=0)
    assert len(game.seen) == 31
    game.pump()
    assert len(game.seen) == 131, "what comes while it runs waits for the next call"
    connection.close()


def test_pump_after_close_tells_everything(peer):
    class Game(Recorder):
        def Network_stop(self, data):
            self.connection.close()

    game = Game()
    game.connect("127.0.0.1", peer.port)
    connection = peer.accept()
    connection.send(frame({"action": "stop"}))
    pump_until(game.pump, lambda: len(game.seen) == 3)
    assert game.seen[-1] == CLOSED
    connection.close()


def test_connect_again_closes_the_connection_before(peer):
    game = Recorder()
    game.connect("127.0.0.1", peer.port)
    first = peer.accept()
    before = game.connection
    game.connect("127.0.0.1", peer.port)
    second = peer.accept()
    assert first.read() is None
    assert before.state == "closed"
    assert game.send({"action": "hello"}) > 0
    assert second.read() == {"action": "hello"}
    first.close()
    second.close()


# Added to what repod has.


def test_reconnecting(peer):
    client = started(peer, reconnect=Backoff(initial=0.01, max=0.05))
    first = peer.accept()
    first.send(GREETING)
    assert [next_event(client) for _ in OPENING] == OPENING
    first.close()
    assert next_event(client)["code"] == "peer_closed"
    assert next_event(client)["action"] == "reconnecting"
    assert client.send({"action": "meanwhile"}) > 0
    second = peer.accept()
    second.send(GREETING)
    assert [next_event(client) for _ in OPENING] == OPENING
    assert second.read() == {"action": "meanwhile"}
    client.close()
    assert all_events(client) == [CLOSED]
    assert second.read() is None
    second.close()


def test_reconnecting_ends():
    backoff = Backoff(initial=0.001, max=0.001, max_attempts=3)
    client = Client("127.0.0.1", free_port(), reconnect=backoff)
    client.start_background()
    client.send({"action": "lost"})
    events = all_events(client)
    assert [event["action"] for event in events] == ["reconnecting"] * 3 + ["error"]
    assert [event["attempt"] for event in events[:3]] == [1, 2, 3]
    assert all("refused" in event["error"] for event in events)
    assert events[-1]["unsent"] == 1
    assert client.state == "failed"


def test_close_ends_reconnecting():
    client = Client("127.0.0.1", free_port(), reconnect=Backoff(initial=1000, max=1000))
    client.start_background()
    assert next_event(client)["action"] == "reconnecting"
    client.close()
    assert all_events(client) == [CLOSED]


def test_statistics(peer):
    client, connection = opened(peer)
    assert client.is_connected
    assert client.waiting == (0, 0)
    client.send({"action": "a"})
    assert connection.read() == {"action": "a"}
    connection.send(frame([1]) + frame({"action": "b"}))
    assert next_event(client) == {"action": "b"}
    # What is counted is counted after it was told.
    until(lambda: client.stats == (1, 14, 2, len(GREETING) + 6 + 14, 1))
    assert client.stats.ignored == 1
    trip = client.round_trip
    assert trip is None or (0 < trip.time < WATCHDOG and trip.variation >= 0)
    assert repr(client) == f"<Client 127.0.0.1:{peer.port} open>"
    assert client.address == ("127.0.0.1", peer.port)
    connection.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [("connect_timeout", -1.0), ("linger", float("nan")), ("frame_timeout", float("inf"))],
)
def test_times_that_are_none(option, value):
    with pytest.raises(ValueError, match=f"{option} is .*, expected seconds"):
        Client(**{option: value})


def test_a_client_that_nobody_holds_closes_its_connection(peer):
    client, connection = opened(peer)
    client.send({"action": "last words"})
    reference = weakref.ref(client)
    del client
    gc.collect()
    assert reference() is None
    assert connection.read() == {"action": "last words"}
    assert connection.read() is None
    connection.close()


def test_a_listener_in_a_circle_is_collected(peer):
    game = Recorder()
    game.itself = game
    game.connect("127.0.0.1", peer.port)
    connection = peer.accept()
    del game
    gc.collect()
    assert connection.read() is None
    connection.close()


# Logging.


@pytest.fixture
def written():
    stream = io.StringIO()
    configure_logging("DEBUG", stream=stream)
    yield stream
    root = logging.getLogger("repod")
    root.handlers[:] = [logging.NullHandler()]
    root.setLevel(logging.NOTSET)


def test_what_is_logged(peer, written):
    class Game(Recorder):
        def Network_a(self, data):
            pass

    game = Game()
    game.connect("127.0.0.1", peer.port)
    connection = peer.accept()
    connection.send(GREETING + frame({"action": "a"}))
    connection.close()
    pump_until(game.pump, lambda: len(game.seen) == 4)
    nowhere = Client("127.0.0.1", free_port())
    nowhere.start_background()
    all_events(nowhere)
    lines = re.sub("\x1b\\[[0-9;]*m", "", written.getvalue()).splitlines()
    assert [line.split()[2] for line in lines] == [
        "connecting",
        "connected",
        "message_unhandled",
        "message_unhandled",
        "message_unhandled",
        "message_dispatched",
        "message_unhandled",
        "connecting",
        "connection_failed",
    ]


def test_nothing_is_written_unasked(peer):
    program = f"""
from heartwire.repod import Client
client = Client("127.0.0.1", {peer.port})
client.start_background()
client.send({{"action": "a"}})
for _ in client.events():
    pass
"""
    process = python("-c", program)
    with peer.accept() as connection:
        assert connection.read() == {"action": "a"}
    assert process.communicate(timeout=WATCHDOG) == ("", "")


# The process.


def test_the_end_of_the_program_sends_what_was_sent(peer):
    for ending in ("", "client.close()", "raise SystemExit", "del client"):
        program = f"""
from heartwire.repod import Client
client = Client("127.0.0.1", {peer.port})
client.start_background()
for n in range(1000):
    client.send({{"action": "n", "n": n}})
{ending}
"""
        process = python("-c", program)
        with peer.accept() as connection:
            assert [connection.read() for _ in range(1000)] == [
                {"action": "n", "n": n} for n in range(1000)
            ]
            assert connection.read() is None
        assert process.communicate(timeout=WATCHDOG) == ("", "")
        assert process.returncode == 0


def test_the_end_of_the_program_does_not_wait_for_ever(peer):
    program = f"""
from heartwire.repod import Client
client = Client("127.0.0.1", {peer.port})
client.start_background()
for _ in range(30):
    client.send({{"action": "big", "data": bytes(1 << 20)}})
"""
    # The peer never reads.
    assert run("-c", program) == ""


@pytest.mark.parametrize(
    "call",
    ["client.recv()", "list(client.events())", "client._receive_queue.get()", "client.recv(1e9)"],
)
def test_ctrl_c_ends_what_waits(peer, call):
    program = f"""
from heartwire.repod import Client
client = Client("127.0.0.1", {peer.port})
client.start_background()
client.recv()
try:
    print("waiting")
    while True:
        {call}
except KeyboardInterrupt:
    print("interrupted", client.is_connected)
"""
    process = python("-c", program)
    connection = peer.accept()
    connection.send(GREETING)
    assert process.stdout.readline() == "waiting\n"
    interrupt(process)
    assert process.communicate(timeout=WATCHDOG) == ("interrupted True\n", "")
    connection.close()


FORK = """
import os, sys
from heartwire.repod import Client
client = Client("127.0.0.1", {port})
client.start_background()
assert client.recv() == {{"action": "connected"}}
child = os.fork()
if child == 0:
    assert client.state == "closed", client.state
    assert client.send({{"action": "from the child"}}) == 0
    assert client.recv() is None
    assert client.disconnected is None
    client.close()
    client.start_background()
    client.send({{"action": "started again in the child"}})
    assert client.recv() == {{"action": "connected"}}
    other = Client("127.0.0.1", {port})
    other.start_background()
    other.send({{"action": "new in the child"}})
    assert other.recv() == {{"action": "connected"}}
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
client.send({{"action": "from the parent"}})
client.close()
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system has no fork")
def test_a_child_has_clients_of_its_own(peer):
    process = python("-W", "ignore::DeprecationWarning", "-c", FORK.format(port=peer.port))
    said = []

    def listen(connection):
        with connection:
            said.append(list(iter(connection.read, None)))

    for _ in range(3):
        connection = peer.accept()
        connection.send(GREETING)
        threading.Thread(target=listen, args=[connection]).start()
    assert process.communicate(timeout=WATCHDOG) == ("", "")
    assert process.returncode == 0
    until(lambda: len(said) == 3)
    assert sorted(message["action"] for messages in said for message in messages) == [
        "from the parent",
        "new in the child",
        "started again in the child",
    ]
