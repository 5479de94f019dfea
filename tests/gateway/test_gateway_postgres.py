"""Several gateways on one PostgreSQL: the same promises as on one SQLite file."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from common import ROOT
from gateways import body_of, classroom
from postgres import Postgres, programs
from upstream import Upstream

from vidu_nb.errors import BudgetExceeded
from vidu_nb.gateway.ledger import Ledger

pytestmark = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed: apt-get install postgresql")


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL."""
    with Postgres() as server:
        yield server


def test_gateways_that_start_at_once_make_one_ledger(database):
    """Eight that open an empty database at the same moment find the same tables and the same secret."""
    url = database.url("at_once")
    with ThreadPoolExecutor(8) as pool:
        ledgers = list(pool.map(lambda _: Ledger(url, each_usd=5, total_usd=8), range(8)))
    assert len({ledger.secret for ledger in ledgers}) == 1
    for ledger in ledgers:
        ledger.close()


def test_claims_are_made_once_and_budgets_hold(database):
    """Four ledgers with four threads each ask for forty requests: each is claimed once, no budget is overdrawn."""
    url = database.url("claims")
    ledgers = [Ledger(url, each_usd=5, total_usd=8) for _ in range(4)]
    for name in ("anna", "ben"):
        ledgers[0].enrol(name, token_hash=name)
    people = [ledgers[0].person_named(name) for name in ("anna", "ben")]

    def one(number):
        with contextlib.suppress(BudgetExceeded):
            asked = ledgers[number % 4].ask(
                people[number % 2], f"key {number % 40}", model="m", price_usd=0.5, inputs={}, at_once=99
            )
            return asked.decision
        return "refused"

    with ThreadPoolExecutor(16) as pool:
        decisions = list(pool.map(one, range(320)))
    assert decisions.count("mine") == 16
    assert "join" in decisions
    spent = {row["name"]: row["spent_usd"] for row in ledgers[0].everybody()}
    assert sum(spent.values()) == ledgers[1].spent_usd == 8
    assert max(spent.values()) <= 5
    for ledger in ledgers:
        ledger.close()


def test_a_database_that_goes_away_delays_and_loses_nothing(database, tmp_path):
    """The database ends while a clip is being made and comes back: the call ends with its clip, paid for once."""
    with Upstream() as service, classroom(tmp_path / "class", service.url, ledger=database.url("away")) as school:
        service.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(school.post, "anna", body_of("A cat"))
            service.wait_for_posts(1)
            database.stop()
            service.gate.set()
            assert "ledger can't be reached" in school.post("ben", body_of("A dog")).json()["error"]
            database.start()
            assert call.result().headers["x-cost"] == "0.5"
        assert school.spent("anna") == service.usd == 0.5


def test_two_gateways_pay_once(database, tmp_path):
    """Thirty people on two gateways who ask for the same at the same moment get one clip, which one of them pays."""
    names = [f"p{n}" for n in range(30)]
    with Upstream(seconds=0.3) as service, contextlib.ExitStack() as stack:
        url = database.url("twice")
        rooms = [
            stack.enter_context(classroom(tmp_path / "class", service.url, names, ledger=url, total_usd=9))
            for _ in range(2)
        ]
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda at: rooms[at % 2].post(names[at], body_of("The same")), range(30)))
        assert len({answer.content for answer in answers}) == 1
        assert sorted(answer.headers["x-cost"] for answer in answers) == ["0"] * 29 + ["0.5"]
        assert service.posts == 1


def test_the_sums_are_right_on_two_gateways():
    """Two gateways as processes, and people on both: paid once, and each person's ledger equals what they got."""
    command = [
        sys.executable, ROOT / "tests" / "torture_gateway.py", "--postgres", "--gateways", "2", "--people", "6",
        "--calls", "36", "--distinct", "12", "--phases", "quiet", "--seconds", "0.1",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=560, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
