"""``python -m heartwire run SCRIPT``: runs a program that imports engineio or repod."""

from __future__ import annotations

import argparse
import builtins
import importlib.machinery
import importlib.util
import io
import os
import runpy
import sys
import types
from types import TracebackType
from typing import NoReturn

import heartwire


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heartwire", description=heartwire.__doc__)
    parser.add_argument("--version", action="version", version=f"heartwire {heartwire.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="run a program in which `import engineio` and `import repod` mean heartwire",
        description="Runs a program in which `import engineio` and `import repod` mean heartwire.",
    )
    run.add_argument(
        "--strict",
        action="store_true",
        help="let send() and transport() of Engine.IO clients raise without a connection",
    )
    run.add_argument("-m", dest="is_module", action="store_true", help="SCRIPT names a module")
    run.add_argument("script", metavar="SCRIPT", help="the program")
    run.add_argument("args", nargs=argparse.REMAINDER, metavar="...", help="its arguments")
    given = parser.parse_args()
    heartwire.install(strict=given.strict)
    sys.argv = [given.script, *given.args]
    sys.excepthook = _report
    if given.is_module:
        _run_module(given.script)
    else:
        _run_script(given.script)


def _run_module(name: str) -> None:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        # A package that is to hold it is not there. Others have a module of their own to blame.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        found = None
    if found is None:
        _give_up(f"No module named {name}", 1)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_script(path: str) -> None:
    # The first place for imports is that of the program, not the one that `-m heartwire` stands for.
    is_safe = getattr(sys.flags, "safe_path", False) or sys.flags.isolated
    if not is_safe:
        del sys.path[0]
    if os.path.isdir(path) or path.endswith((".pyc", ".pyz", ".zip")):
        runpy.run_path(path, run_name="__main__")
        return
    place = os.path.join(os.getcwd(), path)
    try:
        io.open_code(place).close()
    except OSError as error:
        _give_up(f"can't open file {place!r}: [Errno {error.errno}] {error.strerror}", 2)
    if not is_safe:
        sys.path.insert(0, os.path.dirname(os.path.realpath(place)))
    program = types.ModuleType("__main__")
    loader = _Loader("__main__", place)
    vars(program).update(__builtins__=builtins, __file__=place, __cached__=None, __loader__=loader)
    # It stays there: threads of the program may run for longer than this.
    sys.modules["__main__"] = program
    loader.exec_module(program)


class _Loader(importlib.machinery.SourceFileLoader):
    """What a program is loaded by: unlike modules, it leaves nothing behind."""

    def path_stats(self, path: object) -> NoReturn:
        raise OSError("programs are compiled each time")


def _give_up(message: str, code: int) -> NoReturn:
    print(f"python -m heartwire run: {message}", file=sys.stderr)
    sys.exit(code)


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tells of an exception as Python does when it runs the program itself."""
    loading = vars(sys.modules["importlib._bootstrap"]), vars(sys.modules["importlib._bootstrap_external"])
    ours = (globals(), vars(runpy), *loading)
    while trace is not None and any(trace.tb_frame.f_globals is names for names in ours):
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    main()
