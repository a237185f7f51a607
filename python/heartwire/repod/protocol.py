"""Frames: a length, and a value in msgpack."""

from __future__ import annotations

from typing import Any

from heartwire._native import repod as _native
from heartwire.repod.constants import HEADER_FORMAT, HEADER_SIZE

__all__ = ["HEADER_FORMAT", "HEADER_SIZE", "decode", "encode", "read_message"]


def encode(data: dict[Any, Any]) -> bytes:
    """Makes a frame of a message.

    >>> encode({"action": "ping", "count": 1})
    b'\\x00\\x00\\x00\\x14\\x82\\xa6action\\xa4ping\\xa5count\\x01'

    Raises TypeError for what msgpack has no form for, OverflowError for integers below -2**63 or from
    2**64 upwards, and ValueError for what is nested deeper than 512.
    """
    return _native.encode_frame(data)


def decode(data: bytes) -> dict[Any, Any]:
    """Reads the payload of a frame.

    >>> decode(b"\\x81\\xa6action\\xa4ping")
    {'action': 'ping'}

    Raises ValueError for what is not one value in msgpack.
    """
    message: dict[Any, Any] = _native.decode_payload(data)
    return message


def read_message(stream: bytes) -> tuple[dict[Any, Any] | None, int]:
    """Reads the first frame of a stream. Returns the message and the bytes that it took, or None and 0
    if it is not complete.

    >>> stream = encode({"action": "ping"}) + b"\\x00\\x00"
    >>> message, consumed = read_message(stream)
    >>> message, stream[consumed:]
    ({'action': 'ping'}, b'\\x00\\x00')
    >>> read_message(stream[consumed:])
    (None, 0)
    """
    return _native.read_message(stream)
