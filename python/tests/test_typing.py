"""What type checkers say of the package, and of programs that use it."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

#: A type checker compares with the standard library of one version, and its words change with that.
pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="the package is the same for all versions"
)


def run(module, *args, cwd):
    settings = ROOT / "pyproject.toml"
    command = [sys.executable, "-m", module, *args]
    option = "--config-file" if module == "mypy" else "--mypy-config-file"
    done = subprocess.run([*command, option, settings], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(*args, cwd):
    return run("mypy", "--strict", "--cache-dir", ROOT / "target/mypy", *args, cwd=cwd)


def test_package_is_typed():
    check("--package", "heartwire", cwd=HERE.parent)


@pytest.mark.parametrize("program", ["engineio", "engineio_async", "repod"])
def test_programs_are_typed(program, tmp_path):
    # Elsewhere, so that it is the installed package.
    check(HERE / f"typed/{program}_program.py", cwd=tmp_path)


def test_stubs_tell_what_there_is(tmp_path):
    allowed = HERE / "typed/allowlist.txt"
    run("mypy.stubtest", "heartwire", "--allowlist", allowed, cwd=tmp_path)
