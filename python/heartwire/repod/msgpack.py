"""Types for what msgpack has and Python has not.

They are those of the package msgpack where that is installed. Where it is not, they are equivalents, and
`encode` accepts either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

__all__ = ["ExtType", "ExtraData", "FormatError", "StackError", "Timestamp"]


class _ExtType(NamedTuple):
    """A value of a kind that the application has defined: a code from 0 to 127, and bytes."""

    code: int
    data: bytes


class _Timestamp:
    """A moment: seconds since the beginning of 1970 in UTC, and nanoseconds beyond."""

    __slots__ = ("nanoseconds", "seconds")

    def __init__(self, seconds: int, nanoseconds: int = 0) -> None:
        if not 0 <= nanoseconds < 10**9:
            raise ValueError(f"{nanoseconds} nanoseconds, expected 0 to 999999999")
        self.seconds = seconds
        self.nanoseconds = nanoseconds

    def __repr__(self) -> str:
        return f"Timestamp(seconds={self.seconds}, nanoseconds={self.nanoseconds})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Timestamp):
            return (self.seconds, self.nanoseconds) == (other.seconds, other.nanoseconds)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.seconds, self.nanoseconds))


_ExtType.__name__ = "ExtType"
_Timestamp.__name__ = "Timestamp"


class _FormatError(ValueError):
    """A byte that msgpack does not use."""


class _StackError(ValueError):
    """Arrays and maps are nested too deep."""


class _ExtraData(ValueError):
    """Bytes follow the value."""

    def __init__(self, unpacked: Any, extra: bytes) -> None:
        super().__init__(unpacked, extra)
        self.unpacked = unpacked
        self.extra = extra

    def __str__(self) -> str:
        return "unpack(b) received extra data."


if TYPE_CHECKING:
    ExtType = _ExtType
    Timestamp = _Timestamp
    ExtraData, FormatError, StackError = _ExtraData, _FormatError, _StackError
else:
    try:
        from msgpack import ExtType, Timestamp
        from msgpack.exceptions import ExtraData, FormatError, StackError
    except ImportError:
        ExtType, Timestamp = _ExtType, _Timestamp
        ExtraData, FormatError, StackError = _ExtraData, _FormatError, _StackError
