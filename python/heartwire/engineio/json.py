"""The standard library's `json`, which refuses numbers that are made to keep a computer busy."""

from __future__ import annotations

from json import JSONDecodeError, JSONDecoder, JSONEncoder, dump, dumps, load
from json import loads as original_loads
from typing import Any

__all__ = ["JSONDecodeError", "JSONDecoder", "JSONEncoder", "dump", "dumps", "load", "loads"]

#: Digits of the largest integer that is read.
MAX_DIGITS = 100


def _safe_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; at most {MAX_DIGITS} are read")
    return int(text)


def loads(*args: Any, **kwargs: Any) -> Any:
    """As `json.loads`, but an integer of more than 100 digits is a `ValueError`.

    >>> loads('{"score": 12}')
    {'score': 12}
    """
    kwargs.setdefault("parse_int", _safe_int)
    return original_loads(*args, **kwargs)
