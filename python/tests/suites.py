"""The test suites of the packages that this one replaces, and what it takes to run them.

They are downloaded below `target`, and run in processes of their own.
"""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DROPIN = Path(__file__).parent / "dropin"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def source(name):
    """The folder of a package's source distribution."""
    home = TARGET / "suites"
    found = list(home.glob(f"{name}-*/setup.cfg"))
    if not found:
        line = next(
            line
            for line in (DROPIN / "requirements.txt").read_text().splitlines()
            if line.replace("-", "_").startswith(f"{name}==")
        )
        home.mkdir(parents=True, exist_ok=True)
        wanted = home / f"{name}.txt"
        wanted.write_text(line + "\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        # Only the archive is wanted: no build, and nothing else with it.
        download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
        download += ["--dest", home, "--requirement", wanted]
        subprocess.run([*pip, *download], check=True)
        with tarfile.open(next(home.glob(f"{name}-*.tar.gz"))) as archive:
            archive.extractall(home, filter="data")
        found = list(home.glob(f"{name}-*/setup.cfg"))
    return found[0].parent


def run(folder, *args, plugin=None):
    """Runs tests of a suite. Returns counts by outcome, and what pytest has printed."""
    environment = dict(os.environ)
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(DROPIN), str(folder / "src"), *(os.path.abspath(path) for path in given if path)]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:logging", "-p", "no:cacheprovider"]
    command += ["--timeout=200", "-o", "asyncio_mode=auto", "--rootdir", folder]
    if plugin:
        command += ["-p", plugin]
    done = subprocess.run(
        [*command, *args], cwd=folder, env=environment, capture_output=True, text=True
    )
    printed = done.stdout + done.stderr
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (\w+)(?:, | in )", printed)}
    return counts, printed
