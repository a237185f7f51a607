"""python-engineio's own tests, with it and with this package in its place."""

import pytest
import suites


def left_out():
    """Names of the tests that are not for this package, which `engineio_left_out.txt` gives reasons for."""
    lines = (suites.DROPIN / "engineio_left_out.txt").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert len(names) == len(set(names))
    return set(names)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_suite(tmp_path):
    folder = suites.source("python-engineio")
    with (
        suites.Run(folder, tmp_path / "theirs") as theirs,
        suites.Run(folder, tmp_path / "ours", plugin="install_all") as ours,
    ):
        expected, outcomes = theirs.outcomes(), ours.outcomes()
    assert {name for name in expected if expected[name] != "passed"} <= left_out(), theirs.printed()
    assert outcomes.keys() == expected.keys()
    failed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    assert failed - left_out() == set(), ours.printed()
    # What passes, or is gone, is not to be left out.
    assert left_out() - failed == set()
