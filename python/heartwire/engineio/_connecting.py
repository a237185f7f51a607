"""From what an attempt to connect has come to, to what the caller is told."""

from __future__ import annotations

from typing import Any

from heartwire.engineio import exceptions, packet


class ConnectFailed(Exception):
    """What the native part raises: the kind, in words, and the server's answer, if there was one."""

    def __init__(self, kind: str, message: str, status: int | None, body: str | None) -> None:
        super().__init__(message)
        self.kind, self.message, self.status, self.body = kind, message, status, body


def explain(failure: ConnectFailed) -> Exception:
    """The exception for the caller."""
    kind, message = failure.kind, failure.message
    if kind == "timeout":
        return exceptions.TimeoutError(f"Connection timed out: {message}")
    if kind == "url":
        return exceptions.InvalidURL(message)
    if kind == "option":
        return ValueError(message)
    if kind == "refused":
        text = f"Unexpected status code {failure.status} in server response"
        return exceptions.ConnectionError(text, _read(failure.body))
    if kind == "tls" and "InvalidContentType" in message:
        message += "; if the server does not speak TLS, its address begins with http://"
    if kind in ("host", "tls", "proxy"):
        return exceptions.ConnectionError(f"{message[:1].upper()}{message[1:]}")
    if kind == "protocol":
        return exceptions.ConnectionError(f"Unexpected response from server: {message}")
    return exceptions.ConnectionError(f"Connection refused by the server: {message}")


def _read(body: str | None) -> Any:
    if body is None:
        return None
    try:
        return packet.Packet.json.loads(body)
    except ValueError:
        return None
