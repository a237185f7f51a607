"""Which method an action stands for.

The action of a message is the peer's choice. It leads to a method that the program has defined for that
purpose, and to no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["RESERVED", "handler_of", "is_reserved", "shown"]

RESERVED = frozenset({"connected", "disconnected", "error", "reconnecting", "socketConnect"})
"""What a connection says of itself. A peer cannot say it in its place."""

_known: dict[str, str] = {}
"""The names of methods that programs have, by their actions: there are as many as they have defined."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,128}")
_PREFIX = "Network_"
_SHOWN = 64


def handler_of(owner: object, action: Any, *, trusted: bool = False) -> Callable[[Any], Any] | None:
    """The method of `owner` for an action: one that it, or its class, defines as ``Network_ACTION``.
    None if there is none, or the action cannot be a part of a name. Those of `RESERVED` are only for
    who is `trusted`: what the connection itself says, or the program."""
    if type(action) is str:
        name = _known.get(action)
        if name is not None and (trusted or action not in RESERVED):
            kind = type(owner)
            # Without these two, it finds what is defined and nothing else.
            if kind.__getattribute__ is object.__getattribute__ and not hasattr(kind, "__getattr__"):
                handler = getattr(owner, name, None)
                if handler is not None:
                    return handler if callable(handler) else None
    else:
        # As numbers go, they have names; other kinds might be as large as a peer likes.
        if action is not None and type(action) not in (bool, int):
            return None
        action = str(action)
    if not _NAME.fullmatch(action) or action in RESERVED and not trusted:
        return None
    name = _PREFIX + action
    if name not in getattr(owner, "__dict__", ()) and not any(
        name in vars(kind) for kind in type(owner).__mro__
    ):
        return None
    _known[action] = name
    handler = getattr(owner, name)
    return handler if callable(handler) else None


def is_reserved(action: Any) -> bool:
    """Whether an action is one of `RESERVED`."""
    return type(action) is str and action in RESERVED


def shown(action: Any) -> str:
    """An action for a log."""
    text = action if type(action) is str else repr(action)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
