"""Logging: names of events, and what belongs to them.

Nothing is written unless the program asks for it, with `configure_logging` or with handlers of its own.
The one exception are exceptions of handlers that the program has forgotten to look at: with no handler
anywhere, Python writes them to standard error, as it does everywhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["RepodFormatter", "StructuredLogger", "configure_logging", "get_logger"]

_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
_BOLD = "\x1b[1m"
_RED = "\x1b[91m"
_YELLOW = "\x1b[93m"
_BLUE = "\x1b[94m"
_CYAN = "\x1b[96m"
_WHITE = "\x1b[97m"

_TAGS = {
    "DEBUG": ("\x1b[90m", "[*]"),
    "INFO": ("\x1b[92m", "[+]"),
    "WARNING": (_YELLOW, "[!]"),
    "ERROR": (_RED, "[-]"),
    "CRITICAL": ("\x1b[91;1m", "[x]"),
}
_COLOURS = {
    "error": _RED,
    "host": _CYAN,
    "port": _CYAN,
    "addr": _CYAN,
    "action": _BLUE,
    "channel": _BLUE,
    "bytes": _YELLOW,
    "clients": _YELLOW,
}
_EVENT_WIDTH = 38

_root = logging.getLogger("repod")
_root.addHandler(logging.NullHandler())


class RepodFormatter(logging.Formatter):
    """Writes time, level, event, and what belongs to it, in colour and on one line.

    A traceback follows on lines of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The text for a record."""
        colour, tag = _TAGS.get(record.levelname, ("\x1b[37m", "[?]"))
        clock = self.formatTime(record, "%H:%M:%S")
        event = record.getMessage().ljust(_EVENT_WIDTH)
        line = f"{_DIM}{clock}{_RESET} {_BOLD}{colour}{tag}{_RESET} {_WHITE}{event}{_RESET}"
        details: Mapping[str, Any] = getattr(record, "_structured", {})
        if details:
            pairs = (
                f"{_DIM}{key}{_RESET}={_COLOURS.get(key, _WHITE)}{_printable(value)}{_RESET}"
                for key, value in details.items()
            )
            line += f"  {_DIM}|{_RESET}  " + "  ".join(pairs)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _printable(value: object) -> str:
    """A value on one line: what a peer has chosen writes neither lines nor colours of its own."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class StructuredLogger:
    """Logs an event under its name, and what belongs to it as keywords.

    >>> log = get_logger("repod.game")
    >>> log.info("round_started", players=4)
    """

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **kwargs: Any) -> None:
        """Logs an event that only developers want to see."""
        self._log(logging.DEBUG, event, kwargs)

    def info(self, event: str, **kwargs: Any) -> None:
        """Logs an event of the ordinary course."""
        self._log(logging.INFO, event, kwargs)

    def warning(self, event: str, **kwargs: Any) -> None:
        """Logs an event that somebody should look at."""
        self._log(logging.WARNING, event, kwargs)

    def error(self, event: str, **kwargs: Any) -> None:
        """Logs a failure."""
        self._log(logging.ERROR, event, kwargs)

    def critical(self, event: str, **kwargs: Any) -> None:
        """Logs a failure that ends something."""
        self._log(logging.CRITICAL, event, kwargs)

    def _log(self, level: int, event: str, structured: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"_structured": structured}, stacklevel=3)

    def _is_debugging(self) -> bool:
        return self._logger.isEnabledFor(logging.DEBUG)

    def _report(self, event: str, error: BaseException, **kwargs: Any) -> None:
        """Logs an exception of the program. Where nobody listens to any logger, it goes to standard
        error: it is never swallowed."""
        logger = self._logger
        record = logger.makeRecord(
            logger.name,
            logging.ERROR,
            __file__,
            0,
            event,
            (),
            (type(error), error, error.__traceback__),
            extra={"_structured": {"error": error, **kwargs}},
        )
        if _is_heard(logger):
            if logger.isEnabledFor(logging.ERROR):
                logger.handle(record)
        elif logging.lastResort is not None:
            logging.lastResort.handle(record)


def _is_heard(logger: logging.Logger | None) -> bool:
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def get_logger(name: str) -> StructuredLogger:
    """The logger with this name. Those of the library are `repod.client`, `repod.server` and
    `repod.channel`."""
    return StructuredLogger(name)


def configure_logging(level: int | str = logging.INFO, stream: Any = None) -> None:
    """Writes events from `level` upwards to `stream`, which is standard error by default. Called again,
    it replaces what it has set up before.

    >>> import sys
    >>> configure_logging("DEBUG", stream=sys.stdout)
    """
    if isinstance(level, str):
        number = logging.getLevelName(level.upper())
        level = number if isinstance(number, int) else logging.INFO
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RepodFormatter())
    _root.handlers.clear()
    _root.addHandler(handler)
    _root.setLevel(level)
