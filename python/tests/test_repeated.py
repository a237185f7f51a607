"""A hundred times each: forks, Ctrl-C, exceptions, garbage, the end of the program. Nothing hangs, crashes or
stays behind, with every check of Python."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "repeated"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]

#: In Python's development mode, every warning is an error, but for two. Python warns of any fork in a
#: program with threads: whether the child can go on is what is tested. And Ctrl-C may come between the
#: opening of a file and the `with` that would close it.
CHECKED = ["-X", "dev", "-W", "error", "-W", "ignore:This process:DeprecationWarning"]
CHECKED += ["-W", "ignore:unclosed file:ResourceWarning"]


def run(*args):
    """Runs a program to its end, which must be a good one."""
    command = [sys.executable, *CHECKED, *map(str, args)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as program:
        try:
            out, err = program.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGABRT)
            raise AssertionError(program.communicate()[1]) from None
    assert (out, err, program.returncode) == ("done\n", "", 0)


@pytest.mark.parametrize(
    "what",
    [
        "fork",
        "fork_from_an_event_loop",
        "multiprocess",
        "interrupt_connect",
        "interrupt_wait",
        "interrupt_disconnect",
        "interrupt_event_loop",
        "exceptions",
        "exceptions_in_an_event_loop",
        "collect",
    ],
)
def test_engineio(server, what):
    run(PROGRAMS / "engineio_program.py", what, server.url, server.process.pid)


@pytest.mark.parametrize(
    "what",
    [
        "idle",
        "sending",
        "handlers",
        "blocked",
        "computing",
        "waking",
        "starting",
        "asynchronous",
        "loop_ended",
    ],
)
def test_engineio_at_the_end_of_the_program(server, what):
    """Of nine ways, this is one."""
    for n in range(12):
        run(PROGRAMS / "engineio_end.py", what, server.url, n)


@pytest.mark.parametrize(
    "what",
    [
        "fork",
        "multiprocess",
        "interrupt_connect",
        "interrupt_wait",
        "interrupt_close",
        "interrupt_server",
        "exceptions",
        "exceptions_in_pump",
        "collect",
    ],
)
def test_repod(what):
    run(PROGRAMS / "repod_program.py", what)


@pytest.mark.parametrize("what", ["fresh", "busy", "closed", "served"])
def test_repod_at_the_end_of_the_program(what):
    """Of four ways, this is one."""
    for n in range(25):
        run(PROGRAMS / "repod_end.py", what, n)
