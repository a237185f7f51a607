"""What happens to connections when the process ends, or is forked."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any

from heartwire._native import repod as _native

clients: weakref.WeakSet[Any] = weakref.WeakSet()
"""Every client that lives."""

servers: weakref.WeakSet[Any] = weakref.WeakSet()
"""Every server that lives."""

_longest_linger = 0.0


def linger(seconds: float) -> None:
    """Notes how long a client may take to send what waits."""
    global _longest_linger
    _longest_linger = max(_longest_linger, seconds)


def _finish() -> None:
    """Sends what was sent and not delivered yet, within the clients' linger time."""
    for server in list(servers):
        server._finish()
    for client in list(clients):
        client.close()
    # A little more than the network allows itself, so that it is the network that decides.
    _native.wait_for_farewells(_longest_linger + 0.25)


def _forked() -> None:
    """A child has none of the threads that its parent's connections belong to."""
    _native.forked()
    for server in list(servers):
        server._forget()


atexit.register(_finish)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
