"""Each safeguard is guarded: taking any single one out of a copy of the package turns a test red."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from common import ROOT

SYNC = "    os.fsync(file.fileno())\n"
RESERVE = "        call = session.call("
RESERVE_EARLY = f"        session.reserve(attempt)\n{RESERVE}"
RESERVED = "            self._write({**amounts, call: usd})\n"
UNDER_LOCK = "        with self._lock():\n            amounts"
UNWRITTEN = """return (lambda one, state, **more: Attempt(one.path, {
            **one.facts, "events": [*one.facts["events"], {**one.facts["events"][-1], "state": state, **more}]
        }))(attempt, "queued","""
NOT_FOUND = "            wait = min(wait * _SLOWER, _MAX_WAIT)\n        return attempt\n"
NOT_BILLED = NOT_FOUND.replace("return attempt", 'return self._session.record(attempt, "not charged")')
CRASH = "storage/test_crash.py::test"
GUARDS = {
    "sync": f"{CRASH}_every_file_is_on_the_disk_before_it_gets_its_name",
    "rename": f"{CRASH}_a_disk_that_fails_at_any_step_leaves_the_old_or_the_new_state[write-good-once]",
    "lock": f"{CRASH}_two_kernels_on_one_folder_pay_once",
    "budget": f"{CRASH}_threads_cannot_spend_a_budget_twice",
    "redirect": "net/test_transport.py::test_redirects_are_answers_and_nothing_goes_there[redirect_307_port]",
    "origin": "client/test_results.py::test_a_redirect_back_to_the_service_gets_the_key_and_one_away_from_it_does_not",
    "order": "client/test_budgets.py::test_a_kernel_that_is_killed_while_it_connects_leaves_the_budget_whole",
    "time": "client/test_rows.py::test_a_row_of_another_hour_is_no_match",
    "claim": "client/test_reconcile.py::test_the_claim_is_on_disk_before_it_is_used",
    "no row": "client/test_reconcile.py::test_no_row_is_never_not_billed",
    "mate": "client/test_reconcile.py::test_a_team_mates_row_alone_is_no_match",
    "owner": "gateway/test_desk.py::test_a_gateway_that_was_taken_for_dead_sends_nothing",
    "others": "gateway/test_desk.py::test_a_lost_call_with_a_random_seed_holds_nobody_up",
    "verdict": "client/test_recover.py::test_whether_a_request_may_be_sent_again[sent]",
}
#: What is taken out: the file, its text, what stands there instead, and the test that must notice.
MUTATIONS = {
    "no fsync": ("files.py", SYNC, "", "sync"),
    "plain write": ("files.py", "part.replace(target)", "target.write_bytes(part.read_bytes())", "rename"),
    "no lock": ("locks.py", "            lock.acquire(timeout=0)\n", "            pass\n", "lock"),
    "check, then spend": (
        "storage/budget.py",
        UNDER_LOCK,
        UNDER_LOCK.replace("with self._lock()", "if True"),
        "budget",
    ),
    "no reservation": ("storage/budget.py", RESERVED, "", "budget"),
    "redirects followed": ("net/transport.py", "allow_redirects=False", "allow_redirects=True", "redirect"),
    "a key for every place": ("client/session.py", "origin(url) == origin(self.engine.base_url)", "True", "origin"),
    "reserved before it leaves": ("client/submit.py", RESERVE, RESERVE_EARLY, "order"),
    "matched at any time": (
        "client/matching.py",
        "return row.created is None or time[0] <= row.created <= time[1]",
        "return True",
        "time",
    ),
    "claimed after use": ("client/reconcile.py", 'return self._session.record(attempt, "queued",', UNWRITTEN, "claim"),
    "no row is not billed": ("client/reconcile.py", NOT_FOUND, NOT_BILLED, "no row"),
    "anybody's row": ("client/reconcile.py", "self._record.find(row.request_id)", "row", "mate"),
    "sent by whoever wakes up": ("client/submit.py", "session.errand.confirm(attempt.id)", "pass", "owner"),
    "everybody's calls are one's own": (
        "client/recover.py",
        "if ours and attempt.mark not in ours",
        "if False",
        "others",
    ),
    "sent again after a crash": ("client/recover.py", "if again or free else Action.REFUSE", "", "verdict"),
}
NEEDED = {
    "catalogues.py",
    "common.py",
    "previews.py",
    "faults.py",
    "gateways.py",
    "losing.py",
    "services.py",
    "torture.py",
    "upstream.py",
    *(name.partition("::")[0] for name in GUARDS.values()),
}
WHERE = """
from pathlib import Path
from common import ROOT
import vidu_nb

def test_this_copy_is_what_is_tested():
    assert Path(vidu_nb.__file__).is_relative_to(ROOT)
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and of the tests that guard it, to be spoilt."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT / "vidu_nb", folder / "vidu_nb", ignore=shutil.ignore_patterns("__pycache__", "notebooks"))
    for name in NEEDED:
        (folder / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
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
    """Whichever safeguard of the table goes, its guard fails, and only that."""
    file, text, instead, guard = MUTATIONS[name]
    path = copy / "vidu_nb" / file
    before = path.read_text()
    assert before.count(text) == 1, f"{file} no longer reads as this mutation expects"
    path.write_text(before.replace(text, instead))
    done = run(copy, guard)
    assert (done.returncode, "1 failed, 1 passed" in done.stdout) == (1, True), done.stdout + done.stderr
