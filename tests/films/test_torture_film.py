"""The short form of `make torture` for films: killed at random moments, each scene is paid for once."""

from __future__ import annotations

import re
import subprocess
import sys

from common import ROOT

KILLS = 10


def test_films_that_are_killed_at_random_moments_are_whole_in_the_end():
    """As many scenes are paid for as there are, as many clips are kept, and no call is left open."""
    command = [sys.executable, ROOT / "tests" / "torture_film.py", "--kills", str(KILLS), "--seconds", "500"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=570, check=False)
    figures = {name: int(value) for name, value in re.findall(r"^([a-z ]+?) {2,}(\d+)$", done.stdout, re.MULTILINE)}
    assert figures["kills"] == KILLS, done.stdout
    assert figures["scenes"] == figures["paid"] == figures["clips kept"] == 3 * figures["films whole"], done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
