"""Each safeguard is guarded: taking any single one out of a copy of the package turns a test red."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from common import ROOT

SYNC = """        with part.open("rb+") as file:
            os.fsync(file.fileno())
"""
RESERVED = "            self._write({**amounts, call: usd})\n"
UNDER_LOCK = "        with self._lock():\n            amounts"
GUARDS = {
    "sync": "test_crash.py::test_every_file_is_on_the_disk_before_it_gets_its_name",
    "rename": "test_crash.py::test_a_disk_that_fails_at_any_step_leaves_the_old_or_the_new_state[write-good-once]",
    "lock": "test_crash.py::test_two_kernels_on_one_folder_pay_once",
    "budget": "test_crash.py::test_threads_cannot_spend_a_budget_twice",
    "redirect": "test_transport.py::test_redirects_are_answers_and_nothing_goes_there[redirect_307_port]",
}
#: What is taken out: the file, its text, what stands there instead, and the test that must notice.
MUTATIONS = {
    "no fsync": ("files.py", SYNC, "", "sync"),
    "plain write": ("files.py", "part.replace(target)", "target.write_bytes(part.read_bytes())", "rename"),
    "no lock": ("locks.py", "            lock.acquire(timeout=0)\n", "            pass\n", "lock"),
    "check, then spend": ("budget.py", UNDER_LOCK, UNDER_LOCK.replace("with self._lock()", "if True"), "budget"),
    "no reservation": ("budget.py", RESERVED, "", "budget"),
    "redirects followed": ("transport.py", "allow_redirects=False", "allow_redirects=True", "redirect"),
}  # fmt: skip


NEEDED = ("common.py", "faults.py", "torture.py", "test_crash.py", "test_transport.py")
WHERE = """
from pathlib import Path
import vidu_nb

def test_this_copy_is_what_is_tested():
    assert Path(vidu_nb.__file__).is_relative_to(ROOT)
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and of the tests that guard it, to be spoilt."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT / "vidu_nb", folder / "vidu_nb", ignore=shutil.ignore_patterns("__pycache__", "notebooks"))
    (folder / "tests").mkdir()
    for name in NEEDED:
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "tests" / "test_where.py").write_text(WHERE)
    return folder


def run(folder: Path, *guards: str) -> subprocess.CompletedProcess[str]:
    """Run the guarding tests of a copy against the package in it."""
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:nbval",
        "--tb=line",
        "tests/test_where.py",
    ]
    tests = [f"tests/{GUARDS[name]}" for name in guards]
    return subprocess.run(
        [*command, *tests], env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_guards_are_green_without_a_mutation(copy):
    """The tests that must notice pass on an untouched copy: red below means the mutation."""
    done = run(copy, *GUARDS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", MUTATIONS)
def test_taking_a_safeguard_out_turns_a_test_red(copy, name):
    """fsync, rename, lock, reservation, refused redirects: without any one of them its guard fails, and only that."""
    file, text, instead, guard = MUTATIONS[name]
    path = copy / "vidu_nb" / file
    before = path.read_text()
    assert before.count(text) == 1, f"{file} no longer reads as this mutation expects"
    path.write_text(before.replace(text, instead))
    done = run(copy, guard)
    assert (done.returncode, "1 failed, 1 passed" in done.stdout) == (1, True), done.stdout + done.stderr
