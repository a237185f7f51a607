"""Packets, payloads and JSON as python-engineio reads and writes them, for whatever comes."""

import json
import math
import queue

import engineio.packet
import engineio.payload
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from heartwire.engineio import Client, packet, payload

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
LIVE = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=10,
)
#: Text that is JSON, or almost.
almost_json = st.one_of(
    st.text(max_size=30),
    values.map(json.dumps),
    values.map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.builds(
        lambda text, place, what: text[:place] + what + text[place:],
        values.map(json.dumps),
        st.integers(0, 20),
        st.text(max_size=2),
    ),
    st.text(alphabet=' \t\n\r{}[]",:-+.eE0123456789truefalsnINifity\\u٣²', max_size=20),
    st.integers(min_value=10**95, max_value=10**110).map(lambda number: f"[{number}]"),
)


def same(a, b):
    """Equal, of the same types, and not a number where the other is none."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or a != a and b != b
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


def outcome(function):
    """What comes of it: a value, or the kind of error."""
    try:
        return function()
    except Exception as error:
        return type(error).__name__


def decoded(module, encoded):
    def read():
        read = module.Packet(encoded_packet=encoded)
        return [read.packet_type, read.binary, read.data]

    return outcome(read)


@FUZZ
@given(almost_json | st.binary(max_size=20), st.sampled_from(["", "4", "0", "b", "6", "x", "²"]))
@example('"x"', "4")
@example(" 5", "4")
@example("[" * 100_000, "4")
@example("NaN", "4")
@example("-Infinity", "4")
@example("1" * 101, "4")
@example(f"[{'1' * 101}]", "4")
@example(f"[{'1' * 100}]", "4")
@example('{"a":1,"a":2}', "4")
@example('"\\ud800"', "4")
@example("AAE=", "b")
@example("A", "b")
def test_packets_are_read_alike(data, start):
    encoded = data if isinstance(data, bytes) else start + data
    assert same(decoded(packet, encoded), decoded(engineio.packet, encoded))


@FUZZ
@given(
    st.integers(0, 6),
    values | st.binary(max_size=20) | st.binary(max_size=20).map(bytearray) | st.tuples(values),
    st.booleans(),
)
def test_packets_are_written_alike(kind, data, b64):
    def written(module):
        return outcome(lambda: module.Packet(kind, data).encode(b64))

    assert same(written(packet), written(engineio.packet))


@FUZZ
@given(st.lists(almost_json | st.binary(max_size=9), max_size=20), st.none() | st.integers(0, 9))
def test_payloads_are_written_alike(messages, index):
    def written(packets, payloads, index=None):
        made = [packets.Packet(packets.MESSAGE, message) for message in messages]
        return payloads.Payload(packets=made).encode(index)

    theirs = written(engineio.packet, engineio.payload)
    assert written(packet, payload) == theirs
    if index is not None:
        # The original leaves some characters unescaped that end a string of a script.
        script = written(packet, payload, index)
        start, end = f"___eio[{index}](", ");"
        assert script.startswith(start) and script.endswith(end)
        assert json.loads(script[len(start) : -len(end)]) == theirs


@FUZZ
@given(st.lists(almost_json.map(lambda text: "4" + text), max_size=18).map("\x1e".join))
def test_payloads_are_read_alike(encoded):
    def read(packets, payloads):
        def packets_of():
            read = payloads.Payload(encoded_payload=encoded)
            return [[p.packet_type, p.binary, p.data] for p in read.packets]

        return outcome(packets_of)

    assert same(read(packet, payload), read(engineio.packet, engineio.payload))


@pytest.fixture(scope="module")
def echo(asgi):
    """Sends messages, and returns what the client makes of them when they come back."""
    client, seen = Client(), queue.Queue()
    client.on("message", seen.put)
    client.connect(asgi.url, transports=["websocket"])

    def send(text):
        # The server makes what it reads into a packet again; "!say" keeps it text.
        client.send("!say " + text)
        return seen.get(timeout=60)

    yield send
    client.disconnect()


@pytest.mark.slow
@LIVE
@given(almost_json.filter(lambda text: text.isprintable() or text.isascii()))
@example("")
@example("[" * 10_000)
@example(" 5")
@example("٣")
@example('\t{"a": NaN}\n')
@example(f"[{'1' * 101}]")
@example(f"[0.{'1' * 101}]")
@example(f"[-{'1' * 100}]")
@example("1" * 101)
@example("-" + "1" * 101)
@example('{"a":1,"a":2}')
@example("[1] 2")
@example('"\\ud800"')
@example("-")
@example("tru")
@example("\u00a0[]")
@example("\ufeff[]")
def test_messages_arrive_as_the_original_reads_them(echo, text):
    try:
        expected = engineio.packet.Packet(encoded_packet="4" + text).data
    except RecursionError:
        # There it ends the connection; here it is text.
        expected = text
    assert same(echo(text), expected)
