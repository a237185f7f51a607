"""Options that repod does not have."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["TLS", "Backoff", "RoundTrip", "Statistics"]


@dataclass(frozen=True)
class Backoff:
    """When to connect again after a connection was lost: waits that grow, with chance in them so that
    clients which lost the same server do not come back all at once.

    >>> Backoff(initial=0.1, max=5.0, max_attempts=20)
    Backoff(initial=0.1, max=5.0, factor=2.0, jitter=0.5, max_attempts=20)
    """

    initial: float = 0.5
    """Seconds before the first attempt."""
    max: float = 30.0
    """The longest wait in seconds, before chance is added."""
    factor: float = 2.0
    """How much longer each wait is than the one before."""
    jitter: float = 0.5
    """By which part of itself each wait is shortened or lengthened at most."""
    max_attempts: int | None = None
    """How often to try before giving up; None is for ever."""

    def _native(self) -> tuple[float, float, float, float, int | None]:
        return self.initial, self.max, self.factor, self.jitter, self.max_attempts


@dataclass(frozen=True)
class TLS:
    """Certificates, in files in PEM.

    A client trusts whom the system trusts, or whom `ca_file` has signed, and shows a certificate if it
    has one. A server needs `cert_file` and `key_file`.
    """

    ca_file: str | os.PathLike[str] | None = None
    """Authorities that a client trusts, and no others; None is those of the system."""
    cert_file: str | os.PathLike[str] | None = None
    """The own certificate, and those between it and its authority."""
    key_file: str | os.PathLike[str] | None = None
    """The key of the own certificate."""
    verify: bool = True
    """Whether a client looks at the server's certificate at all. Without, anybody on the way can read
    and change everything."""

    def _client(self) -> tuple[bytes | None, bytes | None, bool]:
        identity = b"\n".join(
            _read(path) for path in (self.cert_file, self.key_file) if path is not None
        )
        authorities = _read(self.ca_file) if self.ca_file is not None else None
        return authorities, identity or None, self.verify

    def _server(self) -> tuple[bytes, bytes]:
        if self.cert_file is None or self.key_file is None:
            raise ValueError("TLS of a server needs cert_file and key_file")
        return _read(self.cert_file), _read(self.key_file)


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class Statistics(NamedTuple):
    """What went over a connection so far."""

    messages_sent: int
    """Messages that were given to the network."""
    bytes_sent: int
    """Bytes of their frames."""
    messages_received: int
    """Messages that have arrived."""
    bytes_received: int
    """Bytes that have arrived."""
    ignored: int
    """Frames that have arrived, and are no messages: something else than a dict with an action."""


class RoundTrip(NamedTuple):
    """How long the way to the peer and back takes, as the kernel has measured it."""

    time: float
    """Seconds, as an average."""
    variation: float
    """By how many seconds it varies."""
