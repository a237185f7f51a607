"""Lets programs that were written for the original packages run on this one.

What the originals have and this package has not, the Engine.IO servers and web framework glue of
python-engineio, comes from the original package if it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

_ENGINEIO = (
    "async_client",
    "base_client",
    "client",
    "exceptions",
    "json",
    "packet",
    "payload",
)
_REPOD = ("channel", "client", "constants", "logconfig", "protocol", "server")

#: Names of the package `engineio` that are not this package's own, and where they stand.
_ELSEWHERE = {
    "ASGIApp": "async_drivers.asgi",
    "AsyncServer": "async_server",
    "Middleware": "middleware",
    "Server": "server",
    "WSGIApp": "middleware",
    "get_tornado_handler": "async_drivers.tornado",
}


def install(*, strict: bool = False) -> None:
    """Makes ``import engineio`` and ``import repod`` mean this package, in this process.

    With `strict`, `send()` and `transport()` of Engine.IO clients raise where there is no connection, as
    `heartwire.engineio` does; otherwise they are silent, as python-engineio is.

    It has to be called before anything else imports one of the two: `ImportError` otherwise.

    >>> import heartwire
    >>> heartwire.install()
    >>> import engineio
    >>> engineio.Client is heartwire.engineio.Client
    True
    """
    _install_engineio(strict)
    _install_repod()


def _install_engineio(strict: bool) -> None:
    from heartwire import engineio
    from heartwire.engineio import base_client

    present = sys.modules.get("engineio")
    if present is engineio:
        base_client.BaseClient.strict = strict
        return
    if present is not None:
        raise ImportError("engineio is imported already: call heartwire.install() before")
    original = importlib.util.find_spec("engineio")
    base_client.BaseClient.strict = strict
    sys.modules["engineio"] = engineio
    for name in _ENGINEIO:
        sys.modules[f"engineio.{name}"] = importlib.import_module(f"heartwire.engineio.{name}")
    if original is not None and original.submodule_search_locations:
        # Modules that this package does not have are found in the original's folder.
        engineio.__path__.extend(original.submodule_search_locations)
        vars(engineio)["__getattr__"] = _find_elsewhere


def _find_elsewhere(name: str) -> Any:
    if name not in _ELSEWHERE:
        # `from engineio import server` would otherwise look for a module of this package's name.
        if not name.startswith("_") and importlib.util.find_spec(f"engineio.{name}") is not None:
            return importlib.import_module(f"engineio.{name}")
        raise AttributeError(f"module 'engineio' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"engineio.{_ELSEWHERE[name]}"), name)
    setattr(sys.modules["engineio"], name, found)
    return found


def _install_repod() -> None:
    from heartwire import repod

    present = sys.modules.get("repod")
    if present is repod:
        return
    if present is not None:
        raise ImportError("repod is imported already: call heartwire.install() before")
    sys.modules["repod"] = repod
    for name in _REPOD:
        module = importlib.util.find_spec(f"heartwire.repod.{name}")
        if module is not None:
            sys.modules[f"repod.{name}"] = importlib.import_module(f"heartwire.repod.{name}")
