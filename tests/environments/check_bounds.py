"""The lower bounds in pyproject.toml: every direct dependency in the oldest version that is allowed, and the tests run.

python tests/environments/check_bounds.py [TEST ...]: what pytest is given; a fast part by default.
Needs a package index; takes about six minutes on two cores.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from places import CORE, clean, copy_clone, environment, run, say

#: Old versions of some packages use what newer versions of others speak ill of; elsewhere a warning is an error.
QUIET = ("-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning")


def main(tests: list[str]) -> None:
    """Install the oldest, check, test."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        uv = environment(place / "tools", "uv") / "uv"
        programs = environment(place / "venv")
        checkout = copy_clone(place / "checkout")
        oldest = ("pip", "install", "--python", programs / "python", "--resolution", "lowest-direct")
        run(uv, *oldest, f"{checkout}[test]", cwd=place)
        say(run(programs / "pip", "check", cwd=place).strip())
        pytest = ("-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", *QUIET, *tests)
        env = clean(programs, CI="true")  # what is installed is no checkout
        told = run(programs / "pytest", *pytest, cwd=checkout, env=env)
        say(told.strip().splitlines()[-1])


if __name__ == "__main__":
    main(sys.argv[1:] or CORE)
