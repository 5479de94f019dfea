"""The ledger: one claim for each request, budgets that are exact, whoever races; older files, copies, leases."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from vidu_nb.animatic.server.record import HistoryQuery
from vidu_nb.errors import BudgetExceeded, Unreachable, ViduError
from vidu_nb.gateway import ledger as module
from vidu_nb.gateway.ledger import VERSION, Ending, Ledger, TooMany

FIXTURES = Path(__file__).parents[1] / "fixtures"


def url_of(folder):
    return f"sqlite:///{folder / 'ledger.db'}"


@pytest.fixture
def ledger(tmp_path):
    """A ledger with anna and ben, five dollars each and eight for both."""
    with_people = Ledger(url_of(tmp_path), each_usd=5, total_usd=8)
    for name in ("anna", "ben"):
        with_people.enrol(name, token_hash=name)
    yield with_people
    with_people.close()


def ask(ledger, name, key, *, price=0.5, at_once=100, model="m"):
    person = ledger.person_named(name)
    return ledger.ask(person, key, model=model, price_usd=price, inputs={"prompt": key}, at_once=at_once)


def done(ledger, asked, usd=0.5):
    ledger.finish(asked.work["id"], Ending("done", usd, entry="e/x.json"))


def all_rows(ledger, name, **query):
    return ledger.history(ledger.person_named(name), HistoryQuery.from_text(query))


# Claims.


def test_the_first_makes_it_the_next_joins_and_the_last_gets_it(ledger):
    """One of those who ask the same has to make it; while it is made others join, and later it is there."""
    first = ask(ledger, "anna", "k")
    assert (first.decision, first.pays) == ("mine", True)
    second = ask(ledger, "ben", "k")
    assert (second.decision, second.pays, second.work["id"]) == ("join", False, first.work["id"])
    done(ledger, first)
    assert ask(ledger, "ben", "k").decision == "replay"
    assert ledger.left(ledger.person_named("ben")) == 5


def test_what_failed_is_made_anew_and_its_cost_stays_with_who_asked(ledger):
    """After a failure that cost something the same request is a new work, on the budget of who asks then."""
    first = ask(ledger, "anna", "k")
    ledger.finish(first.work["id"], Ending("failed", 0.2, error="it broke"))
    again = ask(ledger, "ben", "k")
    assert again.decision == "mine"
    assert again.work["id"] != first.work["id"]
    done(ledger, again)
    spent = {row["name"]: row["spent_usd"] for row in ledger.everybody()}
    assert spent == {"anna": 0.2, "ben": 0.5}
    assert ledger.call(first.call, ledger.person_named("anna"))["state"] == "failed"


def test_what_is_unknown_is_looked_for_and_not_made_again(ledger):
    """Whoever asks for a work of unknown outcome looks for it, and pays nothing; its price stays reserved."""
    first = ask(ledger, "anna", "k")
    ledger.finish(first.work["id"], Ending("unknown", 0.5, error="lost"))
    again = ask(ledger, "ben", "k")
    assert (again.decision, again.pays, again.work["id"]) == ("look", False, first.work["id"])
    assert ask(ledger, "ben", "k").decision == "join"
    assert ledger.left(ledger.person_named("anna")) == 4.5


def test_a_teacher_is_told_of_what_is_unknown_and_of_what_has_a_detail_newest_first(ledger):
    """What ended well, or failed by its own fault, is nobody's trouble."""
    endings = (
        Ending("unknown", 0.5),
        Ending("done", 0.5, entry="a/b.json"),
        Ending("failed", 0.0, error="a wrong size"),
        Ending("failed", 0.0, error="it was refused", detail="the key is wrong"),
    )
    for number, ending in enumerate(endings):
        ledger.finish(ask(ledger, "anna", f"{number}").work["id"], ending)
    assert [(row["name"], row["state"], row["detail"]) for row in ledger.troubles(9)] == [
        ("anna", "failed", "the key is wrong"),
        ("anna", "unknown", None),
    ]
    assert len(ledger.troubles(1)) == 1


def test_what_is_closed_for_certain_stays_so(ledger):
    """A late word about a work that is done changes neither its state nor its cost."""
    asked = ask(ledger, "anna", "k")
    done(ledger, asked, 0.4)
    ledger.finish(asked.work["id"], Ending("failed", 0.0, error="late"))
    assert ledger.work(asked.work["id"])["state"] == "done"
    assert ledger.spent_usd == 0.4


def test_at_once_counts_what_is_being_made(ledger):
    """More than so many of one person's at a time are refused; joining others' and replays are not counted."""
    mine = [ask(ledger, "anna", key, at_once=2) for key in "ab"]
    with pytest.raises(TooMany):
        ask(ledger, "anna", "c", at_once=2)
    ask(ledger, "ben", "d")
    assert ask(ledger, "anna", "d", at_once=2).decision == "join"
    done(ledger, mine[0])
    assert ask(ledger, "anna", "c", at_once=2).decision == "mine"


# Races.


def _race(url, number, queue):
    ledger = Ledger(url, each_usd=5, total_usd=8)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda i: _try(ledger, ("anna", "ben")[i % 2], f"key {(i + number) % 40}"), range(60)))
    queue.put([one for one in made if one])
    ledger.close()


def _try(ledger, name, key):
    try:
        asked = ask(ledger, name, key)
    except BudgetExceeded:
        return None
    if asked.decision != "mine":
        return None
    ledger.confirm(asked.work["id"], f"attempt of {key}")
    done(ledger, asked, 0.45)  # less than was reserved
    return name, key


def test_processes_and_threads_that_race_claim_each_request_once_and_stay_within_budget(tmp_path, ledger):
    """Three processes of four threads ask for forty requests: each is claimed once, and no budget is overdrawn."""
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    racers = [spawn.Process(target=_race, args=(url_of(tmp_path), number, queue)) for number in (0, 7, 23)]
    for racer in racers:
        racer.start()
    made = [one for _ in racers for one in queue.get(timeout=120)]
    for racer in racers:
        racer.join()
    assert len({key for _, key in made}) == len(made)
    spent = {row["name"]: row["spent_usd"] for row in ledger.everybody()}
    for name in ("anna", "ben"):
        assert spent[name] == round(0.45 * sum(one == name for one, _ in made), 9) <= 5
    assert round(sum(spent.values()), 9) == ledger.spent_usd <= 8
    assert ledger.spent_usd > 8 - 0.5  # and it was used up


def test_the_last_half_dollar_is_spent_once(ledger):
    """Of thirty who ask at the same moment for different things, as many get one as the class's budget holds."""
    start = threading.Barrier(30)

    def one(number):
        start.wait()
        try:
            return ask(ledger, ("anna", "ben")[number % 2], f"k{number}").decision
        except BudgetExceeded:
            return "refused"

    with ThreadPoolExecutor(30) as pool:
        decisions = list(pool.map(one, range(30)))
    assert decisions.count("mine") == 16
    assert decisions.count("refused") == 14
    assert ledger.spent_usd == 8


def test_small_sums_add_up(tmp_path):
    """A budget of 0.3 holds three calls of 0.1, whatever floating point makes of the sum."""
    ledger = Ledger(url_of(tmp_path), each_usd=0.3, total_usd=0.3)
    ledger.enrol("anna", token_hash="t")
    for key in "abc":
        ask(ledger, "anna", key, price=0.1)
    with pytest.raises(BudgetExceeded):
        ask(ledger, "anna", "d", price=0.1)
    assert ledger.left(ledger.person_named("anna")) == 0
    ledger.close()


def test_readers_wait_for_nobody(tmp_path, ledger):
    """While another holds a transaction that writes, a person is found and their balance is told."""
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE people SET usd = 1")
    assert ledger.left(ledger.person_of("anna")) == 5
    other.execute("ROLLBACK")
    other.close()


# Owners and leases.


def turn_clock(monkeypatch, **time):
    """Turn this process's clock, as the ledger sees it."""
    for name in ("_now", "_later"):
        before = getattr(module, name)

        def turned(*seconds, before=before):
            return (datetime.fromisoformat(before(*seconds)) + timedelta(**time)).isoformat()

        monkeypatch.setattr(module, name, turned)


def test_only_its_owner_may_send_for_a_work(tmp_path, ledger, monkeypatch):
    """A gateway that was taken for dead, and wasn't, is stopped in the moment before the first byte leaves."""
    asked = ask(ledger, "anna", "k")
    turn_clock(monkeypatch, seconds=9)
    other = Ledger(url_of(tmp_path), each_usd=5, total_usd=8)
    [row] = other.take_over()
    assert row["id"] == asked.work["id"]
    with pytest.raises(Unreachable):
        ledger.confirm(asked.work["id"], "attempt")
    other.confirm(asked.work["id"], "another attempt")
    assert ledger.work(asked.work["id"])["attempt"] == "another attempt"
    other.close()


def test_a_lease_is_renewed_and_only_late_ones_are_taken_over(tmp_path, ledger, monkeypatch):
    """A work whose owner gives signs of life is nobody else's; one is taken over by one of two who look."""
    asked = ask(ledger, "anna", "k")
    others = [Ledger(url_of(tmp_path), each_usd=5, total_usd=8) for _ in range(2)]
    assert others[0].take_over() == []
    turn_clock(monkeypatch, seconds=7)
    ledger.keep_alive([asked.work["id"]])
    turn_clock(monkeypatch, seconds=7)
    assert others[0].take_over() == []
    turn_clock(monkeypatch, seconds=7)
    assert [len(one.take_over()) for one in others] == [1, 0]
    for one in others:
        one.close()


def test_a_clock_that_goes_back_strands_nothing(tmp_path, ledger, monkeypatch):
    """A lease from before the clock was set back by an hour is over, though it seems to end in an hour."""
    asked = ask(ledger, "anna", "k")
    turn_clock(monkeypatch, hours=-1)
    other = Ledger(url_of(tmp_path), each_usd=5, total_usd=8)
    assert [row["id"] for row in other.take_over()] == [asked.work["id"]]
    other.close()


# The record.


def test_the_record_is_paged_sorted_and_filtered_in_the_database(ledger):
    """Pages of one's own calls follow each other without gaps, by date, name or cost, and only those asked for."""
    for number in range(7):
        asked = ask(ledger, "anna", f"k{number}", model=f"model-{number % 2}")
        if number < 5:
            done(ledger, asked, 0.1 * number)
    ask(ledger, "ben", "other")
    pages = [all_rows(ledger, "anna", page=str(number), per_page="3") for number in (1, 2, 3, 4)]
    assert [total for _, total in pages] == [7] * 4
    assert [row["inputs"]["prompt"] for rows, _ in pages for row in rows] == [f"k{n}" for n in reversed(range(7))]
    by_cost, _ = all_rows(ledger, "anna", sort_by="credits_deduction", sort_order="desc", per_page="2")
    assert [row["work_usd"] for row in by_cost] == [0.4, pytest.approx(0.3)]
    assert all_rows(ledger, "anna", status="PENDING")[1] == 2
    assert all_rows(ledger, "anna", status="COMPLETED", model_name="model-1")[1] == 2
    assert all_rows(ledger, "anna", status="NONSENSE")[1] == 0
    assert all_rows(ledger, "anna", model_name="%")[1] == 0
    tomorrow = str(datetime.now(UTC).date() + timedelta(days=1))
    assert all_rows(ledger, "anna", from_date=tomorrow, to_date=tomorrow)[1] == 0


# Its file.


def test_an_older_ledger_is_brought_up_with_all_that_it_holds(tmp_path):
    """A ledger of version 1 opens as one of today, tables and all, with its people, their calls and what they spent."""
    with sqlite3.connect(tmp_path / "ledger.db") as old:
        old.executescript((FIXTURES / "ledger_1.sql").read_text())
    old.close()
    ledger = Ledger(url_of(tmp_path), each_usd=5, total_usd=8)
    assert {row["name"]: (row["spent_usd"], row["calls"]) for row in ledger.everybody()} == {
        "anna": (0.7, 2), "ben": (0.0, 1), "teacher": (0.0, 0),
    }  # fmt: skip
    rows, _ = ledger.history(ledger.person_named("anna"), HistoryQuery.from_text({"to_date": "2026-11-27"}))
    assert [(row["state"], row["inputs"]["prompt"]) for row in rows] == [("done", "A cat"), ("failed", "A cat")]
    assert ask(ledger, "ben", 64 * "a").decision == "replay"
    assert ledger.secret == bytes.fromhex("5e" * 32)
    fresh = Ledger(f"sqlite:///{tmp_path / 'fresh.db'}", each_usd=5, total_usd=8)
    assert _shape(tmp_path / "ledger.db") == _shape(tmp_path / "fresh.db")
    for one in (ledger, fresh):
        one.close()


def _shape(path):
    engine = create_engine(f"sqlite:///{path}")
    looked = inspect(engine)
    with engine.connect() as db:
        version = db.execute(text("SELECT value FROM settings WHERE name = 'version'")).scalar()
    shape = {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in looked.get_columns(name)],
            looked.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (
                    index["name"],
                    index["column_names"],
                    index["unique"],
                    str(index["dialect_options"].get("sqlite_where")),
                )
                for index in looked.get_indexes(name)
            ),
        )
        for name in looked.get_table_names()
    }
    engine.dispose()
    return version, shape


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path, ledger):
    """A ledger of a version that is not known yet is not opened."""
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("UPDATE settings SET value = ? WHERE name = 'version'", [str(VERSION + 1)])
    db.close()
    with pytest.raises(ViduError, match=f"version {VERSION + 1}.*Upgrade"):
        Ledger(url_of(tmp_path), each_usd=5, total_usd=8)


@pytest.mark.parametrize(
    "url",
    ["nonsense", "oracle://a:a-secret@b/c", "postgresql+psycopg://a:a-secret@127.0.0.1:1/c", "sqlite:////proc/x/y"],
)
def test_a_ledger_that_can_not_be_opened_is_told_in_one_line(url):
    """Whatever is wrong with its URL or its database, the error says what to look at, and no password."""
    with pytest.raises(ViduError, match=r"the ledger can't be opened \(\w+\)\. Check its URL") as caught:
        Ledger(url, each_usd=5, total_usd=8)
    assert "a-secret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_only_its_owner_can_read_it(tmp_path, ledger):
    """The database, what SQLite puts beside it, and a copy are files of mode 600; an open one is closed."""
    ask(ledger, "anna", "k")
    ledger.backup(tmp_path / "copy.db")
    names = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "copy.db")
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names] == [0o600] * 4
    (tmp_path / "open.db").touch(mode=0o644)
    Ledger(f"sqlite:///{tmp_path / 'open.db'}", each_usd=5, total_usd=8).close()
    assert stat.S_IMODE((tmp_path / "open.db").stat().st_mode) == 0o600


def test_it_is_copied_while_others_write(tmp_path, ledger):
    """A copy that is made while people ask holds a whole ledger of one moment; a file that is there is not replaced."""
    stop = threading.Event()

    def busy():
        number = 0
        while not stop.is_set():
            done(ledger, ask(ledger, "anna", f"k{number}", price=0.001), 0.001)
            number += 1

    thread = threading.Thread(target=busy)
    thread.start()
    ledger.backup(tmp_path / "copy.db")
    stop.set()
    thread.join()
    copy = Ledger(f"sqlite:///{tmp_path / 'copy.db'}", each_usd=5, total_usd=8)
    rows, total = all_rows(copy, "anna", per_page="100")
    assert copy.spent_usd <= ledger.spent_usd
    assert total == len(copy.newest(1000)) + sum(row["state"] == "running" for row in rows)
    copy.close()
    with pytest.raises(ViduError, match="exists"):
        ledger.backup(tmp_path / "copy.db")
