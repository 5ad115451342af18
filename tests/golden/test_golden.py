"""Whole runs are what they were: a change of one is an event (``python -m tests.golden`` says what differs)."""

import pytest

from .runs import found, kept

#: quick enough for the slow tier
QUICK = ("lenet5", "lenet_300_100")
ROWS = kept()


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=pytest.mark.slow if each.startswith(QUICK) else pytest.mark.long) for each in ROWS],
)
def test_a_run_is_what_it_was(command):
    assert found(command) == ROWS[command]
