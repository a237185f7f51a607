"""The codec: the bytes of msgpack, the values of msgpack, the errors of msgpack."""

import collections
import doctest
import enum
import json
import math

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repod_support import ROOT, frame, run

from heartwire.repod import msgpack as own_msgpack
from heartwire.repod import protocol
from heartwire.repod.protocol import decode, encode, read_message

VECTORS = json.loads((ROOT / "spec/repod.json").read_text())
MODULES = {"msgpack": msgpack}


@pytest.mark.parametrize("vector", VECTORS["encode"], ids=lambda vector: vector["py"][:40])
def test_encode(vector):
    frame = encode(eval(vector["py"], MODULES))
    assert frame.hex() == vector["hex"]
    assert len(frame) == vector["send_returns"]


@pytest.mark.parametrize("vector", VECTORS["encode_errors"], ids=lambda vector: vector["py"])
def test_encode_errors(vector):
    with pytest.raises(Exception) as raised:
        encode(eval(vector["py"], MODULES))
    assert type(raised.value).__name__ == vector["error"]
    assert str(raised.value).startswith(vector["msg"])


@pytest.mark.parametrize("vector", VECTORS["decode"], ids=lambda vector: vector["case"])
def test_decode(vector):
    stream = bytes.fromhex(vector["frame"])
    if vector["consumed"] is not None:
        message, consumed = read_message(stream + b"\x00")
        assert repr(message) == vector["repod_read_message"]
        assert consumed == vector["consumed"]
    else:
        name, _, text = vector["repod_read_message"].partition(": ")
        with pytest.raises(Exception) as raised:
            read_message(stream)
        assert type(raised.value).__name__ == name
        assert str(raised.value).startswith(text)


def test_read_message_wants_whole_frames():
    stream = frame({"action": "a"})
    for cut in range(len(stream)):
        assert read_message(stream[:cut]) == (None, 0)
    assert read_message(stream) == ({"action": "a"}, len(stream))
    assert read_message(bytearray(stream)) == ({"action": "a"}, len(stream))
    assert read_message(memoryview(stream)[::1]) == ({"action": "a"}, len(stream))
    with pytest.raises(TypeError):
        read_message("text")


def test_extra_data_says_what_it_is():
    with pytest.raises(msgpack.ExtraData) as raised:
        decode(b"\x81\xa1a\x01rest")
    assert raised.value.unpacked == {"a": 1}
    assert raised.value.extra == b"rest"


def test_subclasses_are_what_they_derive_from():
    class Level(enum.IntEnum):
        LOW = 1

    class Name(str):
        pass

    class Doubling(dict):
        def items(self):
            return [(key, 2 * value) for key, value in super().items()]

    point = collections.namedtuple("Point", "x y")
    values = [
        Level.LOW,
        Name("n"),
        point(1, 2),
        collections.OrderedDict(b=1, a=2),
        collections.defaultdict(int, z=1),
        Doubling(a=4),
        memoryview(b"abc")[1:],
        True,
        type("Float", (float,), {})(1.5),
        type("Bytes", (bytes,), {})(b"b"),
        type("List", (list,), {})([1]),
    ]
    for value in values:
        assert encode({"v": value}) == frame({"v": value}), value
    with pytest.raises(BufferError, match="not C-contiguous"):
        encode({"v": memoryview(b"abcd")[::2]})


def test_a_list_that_contains_itself():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="recursion limit exceeded"):
        encode(endless)


@pytest.mark.parametrize("depth", [1, 100, 512])
def test_depth(depth):
    value = None
    for _ in range(depth):
        value = [value]
    payload = b"\x91" * depth + b"\xc0"
    assert encode(value)[4:] == payload
    assert decode(payload) == value


def test_too_deep():
    value = None
    for _ in range(513):
        value = [value]
    with pytest.raises(ValueError, match="recursion limit exceeded"):
        encode(value)
    with pytest.raises(own_msgpack.StackError):
        decode(b"\x91" * 513 + b"\xc0")
    with pytest.raises(own_msgpack.StackError):
        decode(b"\x91" * 1_000_000)


def test_counts_that_lie_cost_nothing():
    for bomb in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"):
        with pytest.raises(ValueError, match="incomplete"):
            decode(bomb)


def test_keys_collide_as_in_python():
    message = decode(b"\x83\x01\xa1a\xc3\xa1b\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa1c")
    assert message == {1: "c"}
    assert [type(key) for key in message] == [int]


def test_without_msgpack():
    program = """
import sys
sys.modules["msgpack"] = None
from heartwire.repod import decode, encode, msgpack
ext, moment = decode(b"\\x92\\xd4\\x05\\x01\\xd6\\xff\\x00\\x00\\x00\\x09")
print(ext, moment, ext == (5, b"\\x01"), hash(moment) == hash(msgpack.Timestamp(9)))
print(encode([ext, moment]).hex())
for payload in (b"\\xc1", b"\\x01\\x02", b"\\x91" * 600):
    try:
        decode(payload)
    except ValueError as error:
        print(type(error).__name__, error.__class__.__module__)
"""
    assert run("-c", program).splitlines() == [
        "ExtType(code=5, data=b'\\x01') Timestamp(seconds=9, nanoseconds=0) True True",
        frame([msgpack.ExtType(5, b"\x01"), msgpack.Timestamp(9)]).hex(),
        "_FormatError heartwire.repod.msgpack",
        "_ExtraData heartwire.repod.msgpack",
        "_StackError heartwire.repod.msgpack",
    ]


def test_own_types_are_accepted_beside_msgpacks():
    own = [own_msgpack._ExtType(5, b"x"), own_msgpack._Timestamp(9, 1)]
    assert encode(own) == frame([msgpack.ExtType(5, b"x"), msgpack.Timestamp(9, 1)])


#: A busy machine is slow, and that is no fault.
BUSY = settings(deadline=None, suppress_health_check=list(HealthCheck))

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([2**k + d for k in range(64) for d in (-1, 0)])
    | st.floats()
    | TEXT
    | st.binary()
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=300))
    | st.builds(
        msgpack.Timestamp, st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**9 - 1)
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(SCALARS, inner, max_size=5)
    ),
    max_leaves=10,
)


@settings(BUSY, max_examples=100)
@given(VALUES)
def test_encodes_as_msgpack(value):
    assert encode(value) == frame(value)


@settings(BUSY, max_examples=100)
@given(VALUES)
def test_decodes_as_msgpack(value):
    payload = frame(value)[4:]
    assert repr(decode(payload)) == repr(unpack(payload))


@settings(BUSY, max_examples=150)
@given(st.binary(max_size=60) | VALUES.flatmap(lambda value: st.builds(
    lambda at, byte: bytes(
        byte if i == at else old for i, old in enumerate(frame(value)[4:])
    ),
    st.integers(0, 40),
    st.integers(0, 255),
)))
def test_refuses_what_msgpack_refuses(payload):
    try:
        expected = unpack(payload)
    except (ValueError, TypeError, msgpack.UnpackException):
        with pytest.raises((ValueError, TypeError)):
            decode(payload)
    else:
        assert repr(decode(payload)) == repr(expected)


def unpack(payload):
    return msgpack.unpackb(payload, raw=False, strict_map_key=False)


def test_floats_keep_their_bits():
    assert math.isnan(decode(frame(math.nan)[4:]))
    assert math.copysign(1, decode(frame(-0.0)[4:])) == -1


def test_examples():
    assert doctest.testmod(protocol).failed == 0
