"""The short form of `make torture`'s last part: a class behind a gateway, all of it real processes, and the sums."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from common import ROOT
from torture_gateway import NEVER


def run(*options):
    command = [
        sys.executable,
        ROOT / "tests" / "torture_gateway.py",
        "--people",
        "6",
        "--calls",
        "36",
        "--distinct",
        "12",
    ]
    done = subprocess.run([*map(str, command), *options], capture_output=True, text=True, timeout=560, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(re.findall(r"^  ([a-z, ]+?) {2,}(\S.*)$", done.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    "options",
    [
        ("--phases", "quiet", "--seconds", "0.1"),
        ("--phases", "faulty", "--kills", "1", "--swallowed", "0", "--timeout", "4", "--seconds", "0.1"),
    ],
    ids=["all is well", "cut, killed and refused"],
)
def test_each_request_is_paid_once_and_each_ledger_equals_what_came(options):
    """Twelve requests of six people are paid twelve times, whatever happens, and every sum is right to the cent."""
    figures = run(*options)
    assert figures["paid"] == "12"
    assert {float(figures[name]) for name in NEVER} == {0.0}
