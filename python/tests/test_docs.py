"""The documentation: examples are run, and everything public has some."""

import doctest
import importlib
import inspect
import pkgutil
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import heartwire
from heartwire.engineio import base_client

ROOT = Path(__file__).parent.parent.parent

#: Lines that a terminal shows.
SCREEN = 24

#: The address in the examples.
ADDRESS = "http://localhost:5000"


def modules():
    found = pkgutil.walk_packages(heartwire.__path__, "heartwire.")
    names = ["heartwire", *(module.name for module in found)]
    private = [name for name in names if re.search(r"\._", name)]
    assert "heartwire.engineio._session" in private
    return [importlib.import_module(name) for name in names if name not in private]


@pytest.fixture
def forgetful():
    """Clients of examples leave nothing behind."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
    base_client.original_signal_handler = None


@pytest.mark.parametrize(
    "name", ["", ".base_client", ".client", ".async_client", ".json", ".packet", ".payload"]
)
def test_examples_of_engineio_run(name, server, forgetful):
    module = importlib.import_module(f"heartwire.engineio{name}")
    runner = doctest.DocTestRunner()
    tried = 0
    for test in doctest.DocTestFinder().find(module):
        for example in test.examples:
            example.source = example.source.replace(ADDRESS, server.url)
        tried += runner.run(test).attempted
    assert runner.summarize().failed == 0 and tried > 0


def test_install_runs_as_documented(tmp_path):
    # It changes what imports mean, for the whole process.
    program = "import doctest, heartwire._install as m; r = doctest.testmod(m); print(r)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("TestResults(failed=0, attempted=4)\n", "")


def test_readme_example_runs(server, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    text = blocks[0]
    assert len(text.splitlines()) <= SCREEN and ADDRESS in text
    script = tmp_path / "example.py"
    script.write_text(text.replace(ADDRESS, server.url))
    command = [sys.executable, "-u", "-X", "dev", "-W", "error", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout.readline() == "hello\n"
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
    assert err.endswith("KeyboardInterrupt\n")


def public(owner):
    """What a module or class has that is its own, by name."""
    listed = getattr(owner, "__all__", None) if inspect.ismodule(owner) else None
    for name, value in vars(owner).items():
        if name.startswith("_") or listed is not None and name not in listed:
            continue
        value = getattr(value, "__func__", value)
        if isinstance(value, property) or inspect.isroutine(value) or inspect.isclass(value):
            module = value.fget.__module__ if isinstance(value, property) else value.__module__
            home = owner.__name__ if inspect.ismodule(owner) else owner.__module__
            if module == home:
                yield name, value


def undocumented(owner, path):
    for name, value in public(owner):
        if not (value.__doc__ or "").strip():
            yield f"{path}.{name}"
        if inspect.isclass(value):
            yield from undocumented(value, f"{path}.{name}")


def test_everything_public_is_documented():
    found = [name for module in modules() for name in undocumented(module, module.__name__)]
    assert found == []
    missing = [module.__name__ for module in modules() if not module.__doc__]
    assert missing == []


def test_arguments_are_documented():
    for kind in (heartwire.engineio.Client, heartwire.repod.Client, heartwire.repod.Server):
        named = re.findall(r":param (\w+):", kind.__doc__)
        assert named == list(inspect.signature(kind).parameters)
