"""python-engineio's own tests, those that do not look below its surface, on this package."""

import re

import pytest
import suites


def left_out():
    lines = (suites.DROPIN / "engineio_left_out.txt").read_text().splitlines()
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_own_suite():
    folder = suites.source("python_engineio")
    # The distribution lacks it.
    (folder / "tests/__init__.py").touch()
    patterns = left_out()
    counts, printed = suites.run(folder, "tests", "--tb=short", "-rA", plugin="install_all")
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", printed, re.MULTILINE)
    passed = re.findall(r"^PASSED (\S+)", printed, re.MULTILINE)
    unexpected = [name for name in failed if not any(p.search(name) for p in patterns)]
    assert unexpected == [], printed
    assert len(passed) >= 370 and len(passed) + len(failed) == 522
    # A line that leaves out nothing has had its day.
    assert [p.pattern for p in patterns if not any(map(p.search, failed))] == []
