"""The test suites of the packages that this one replaces, and what it takes to run them.

They are downloaded below `target`, and run in processes of their own: with the original package, and with
a plugin that puts this one in its place.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent.parent
DROPIN = Path(__file__).parent / "dropin"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def source(name):
    """The folder of a package's source distribution."""
    line = next(
        line
        for line in (DROPIN / "requirements.txt").read_text().splitlines()
        if line.startswith(f"{name}==")
    )
    version = line.split()[0].partition("==")[2]
    folder = TARGET / "suites" / f"{name.replace('-', '_')}-{version}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as there:
            wanted = Path(there, "requirements.txt")
            wanted.write_text(line + "\n")
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
            # Only the archive is wanted: no build, and nothing else with it.
            download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            download += ["--require-hashes", "--dest", there, "--requirement", wanted]
            subprocess.run([*pip, *download], check=True)
            with tarfile.open(next(Path(there).glob("*.tar.gz"))) as archive:
                archive.extractall(there, filter="data")
            try:
                Path(there, folder.name).rename(folder)
            except OSError:
                # Another process was faster.
                assert folder.exists()
    return folder


class Run:
    """A run of a suite's tests, on a copy of its own in `place`. With a `plugin` of `dropin`."""

    def __init__(self, folder, place, plugin=None, edit=lambda text: text):
        self.place = place
        shutil.copytree(folder / "tests", place / "tests")
        shutil.copy(folder / "pyproject.toml", place)
        # Distributions may lack it.
        (place / "tests/__init__.py").touch()
        for path in (place / "tests").rglob("*.py"):
            path.write_text(edit(path.read_text()))
        environment = dict(os.environ)
        given = environment.get("PYTHONPATH", "").split(os.pathsep)
        paths = [DROPIN, folder / "src", *(os.path.abspath(path) for path in given if path)]
        environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
        for name in [name for name in environment if name.startswith("PYTEST_")]:
            del environment[name]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:logging"]
        command += ["-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=200", "--tb=short"]
        command += ["-o", "addopts=", "-o", "junit_family=xunit1", "--junit-xml", place / "report.xml"]
        for name in filter(None, ["without_green_threads", plugin]):
            command += ["-p", name]
        with (place / "printed").open("w") as printed:
            self._process = subprocess.Popen(
                [*command, "tests"],
                cwd=place,
                env=environment,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )

    def outcomes(self):
        """What has come of each test: "passed", "failed", "error" or "skipped". Waits for the end."""
        self._process.wait()
        report = ElementTree.parse(self.place / "report.xml")
        outcomes = {}
        for case in report.iter("testcase"):
            name = f"{case.get('file')}::{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
            bad = [part.tag for part in case if part.tag in ("failure", "error", "skipped")]
            outcome = {"failure": "failed"}.get(bad[0], bad[0]) if bad else "passed"
            # A test that passes and whose end does not is told twice.
            if outcomes.get(name, "passed") == "passed":
                outcomes[name] = outcome
        return outcomes

    def printed(self):
        """What pytest has printed."""
        return (self.place / "printed").read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
