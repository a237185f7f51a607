"""``python -m heartwire run SCRIPT``: runs a program that imports engineio or repod."""

import argparse
import runpy
import sys

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
    if given.is_module:
        sys.path.insert(0, "")
        runpy.run_module(given.script, run_name="__main__", alter_sys=True)
    else:
        import os

        sys.path.insert(0, os.path.dirname(os.path.abspath(given.script)))
        runpy.run_path(given.script, run_name="__main__")


if __name__ == "__main__":
    main()
