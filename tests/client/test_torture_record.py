"""The short form of `make torture`'s second half: faulted calls beside a record of them, right or lying."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from common import ROOT
from faults import RECORDS
from torture_record import CERTAIN

NEVER = ("second posts", "wrong clips", "wrong budgets", "worse than without")


@pytest.mark.parametrize(("record", "calls"), [(record, 160 if record == "on" else 30) for record in RECORDS])
def test_what_was_lost_is_found_in_a_record_and_nothing_else_is(record, calls):
    """Of the calls that arrived 99 in 100 end with their clip or their failure; where the record lies, as without."""
    torture = ROOT / "tests" / "torture_record.py"
    command = [sys.executable, torture, "--calls", str(calls), "--record", record]
    done = subprocess.run(command, capture_output=True, text=True, timeout=560, check=False)
    figures = dict(re.findall(r"^([a-z ]+?) {2,}([0-9.]+)$", done.stdout, re.MULTILINE))
    assert int(figures["arrived"]) >= calls // 4, done.stdout
    assert [figures[name] for name in NEVER] == ["0"] * len(NEVER), done.stdout
    assert float(figures["share"]) >= (0.99 if record in CERTAIN else 0.2), done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
