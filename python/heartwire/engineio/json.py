"""The standard library's `json`, which refuses numbers that are made to keep a computer busy."""

import json as _json
from json import *  # noqa: F403

from json import loads as original_loads

#: Digits of the largest integer that is read.
MAX_DIGITS = 100


def _safe_int(text):
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; at most {MAX_DIGITS} are read")
    return int(text)


def loads(*args, **kwargs):
    """As `json.loads`, but an integer of more than 100 digits is a `ValueError`."""
    kwargs.setdefault("parse_int", _safe_int)
    return original_loads(*args, **kwargs)


__all__ = _json.__all__
