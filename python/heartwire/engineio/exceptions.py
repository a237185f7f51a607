"""What can go wrong.

Every class here is also the built-in one that a program would expect: a timeout is a `TimeoutError`, a
failed connection a `ConnectionError`, an address that cannot be used a `ValueError`.
"""

import builtins


class EngineIOError(Exception):
    """The base of all exceptions of this package."""


class ContentTooLongError(EngineIOError):
    """A message is larger than the other side accepts. The message names both sizes."""


class UnknownPacketError(EngineIOError):
    """A packet of a kind that does not exist."""


class QueueEmpty(EngineIOError):
    """Nothing is in the queue."""


class SocketIsClosedError(EngineIOError):
    """Something was to be sent, and there is no connection."""


class ConnectionError(EngineIOError, builtins.ConnectionError):
    """A connection could not be opened, or was lost.

    `args[0]` says why. `args[1]`, where it exists, is what the server has answered, read as JSON, or
    `None` if that was no JSON.
    """

    def __str__(self) -> str:
        # The built-in class would take two arguments for an error number and its text.
        return str(self.args[0]) if self.args else ""


class TimeoutError(ConnectionError, builtins.TimeoutError):
    """The server did not answer in time."""


class InvalidURL(ConnectionError, ValueError):
    """An address cannot be used."""
