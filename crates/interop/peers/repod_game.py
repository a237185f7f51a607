"""What the repod peers have in common."""

from msgpack import ExtType, Timestamp


def nested(depth, wrap):
    value = 0
    for _ in range(depth):
        value = wrap(value)
    return value


# Every type, at the edges of its forms. The list stands in `tests/it/repod_game.rs`, too.
DATA = [
    None,
    [True, False],
    [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1],
    [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)],
    [0.0, -0.0, 1.5, 1e300, -5e-324, float("inf"), float("-inf"), float("nan")],
    ["a" * length for length in (0, 31, 32, 255, 256, 65535, 65536)],
    "ünïcödé 🎈 \u0000 \u2028 \ufeff",
    [b"", bytes(range(256)), b"\xfe" * 65536],
    [[], [7] * 15, [7] * 16, [7] * 65536],
    {},
    {str(number): number for number in range(16)},
    {number: -number for number in range(70_000)},
    {7: "int", -7: "negative", "7": "text", 2.5: "float", None: "nil", False: "bool", b"7": "bytes"},
    nested(200, lambda value: [value]),
    nested(100, lambda value: {"a": value}),
    [ExtType(length, b"x" * length) for length in (0, 1, 2, 3, 4, 8, 16, 17)],
    [ExtType(127, b"y" * 256), ExtType(3, b"z" * 65536)],
    [Timestamp(0, 0), Timestamp(1, 500), Timestamp(2**32, 0), Timestamp(2**34, 1), Timestamp(-1, 999_999_999)],
    "x" * 3_000_000,
    b"\xfe" * 3_000_000,
]

# Actions that have no handler: the message is sent back.
ACTIONS = ["ping", "", "ż 🎈", 5, None, True, 1.5, b"a"]


def same(one, other):
    """Whether two values are equal, in their types and the order of keys, too."""
    return repr(one) == repr(other)
