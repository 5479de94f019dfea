"""The journal: one damaged file hides no other call, and nothing that a file says becomes a path or a lie."""

from __future__ import annotations

import json
import os

import pytest
from faults import KEY

from vidu_nb.client.client import Client
from vidu_nb.errors import ArchiveError, InvalidRequest, OutcomeUnknown
from vidu_nb.request import VideoRequest
from vidu_nb.storage.journal import Attempt, Journal

CAT = "https://example.com/cat.png"


def asking(fault="reset_after_body", **changes):
    return VideoRequest(**{"prompt": f"A cat [fault:{fault}]", "references": CAT, **changes})


@pytest.fixture
def told():
    return []


@pytest.fixture
def client(faults, told):
    """A paying client of the service whose prompts choose the faults."""
    return Client(KEY, faults.root, timeout=10, notify=told.append)


def lost(client, **changes):
    """Make a call of unknown outcome; returns its attempt."""
    before = {attempt.id for attempt in client.archive.journal}
    with pytest.raises(OutcomeUnknown):
        client.generate(asking(**changes))
    [attempt] = [attempt for attempt in client.archive.journal if attempt.id not in before]
    return attempt


def changed(**facts):
    """Make what a file says something else."""
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def asked(**changes):
    """The same of the request in it."""

    def change(path):
        facts = json.loads(path.read_text())
        path.write_text(json.dumps(facts | {"request": facts["request"] | changes}))

    return change


def without(name):
    def change(path):
        facts = json.loads(path.read_text())
        del facts[name]
        path.write_text(json.dumps(facts))

    return change


def replaced(make):
    """Put something else in the file's place."""

    def change(path):
        path.unlink()
        make(path)

    return change


BEGUN = {"state": "sent", "at": "2026-01-02T03:04:05+00:00"}
#: What may have become of a journal's file, or stand in one that somebody sent.
DAMAGE = {
    "garbage": lambda path: path.write_bytes(b"\xff{not json"),
    "empty": lambda path: path.write_bytes(b""),
    "a list": lambda path: path.write_bytes(b"[]"),
    "too deep": lambda path: path.write_bytes(b"[" * 100_000),
    "newer": changed(format=2),
    "a folder": replaced(lambda path: path.mkdir()),
    "a link": lambda path: path.symlink_to(path.rename(path.with_name("elsewhere"))),
    "a pipe": replaced(os.mkfifo),
    "no events": changed(events=[]),
    "odd events": changed(events=[1, {"state": "unknown"}]),
    "no time": changed(events=[{"state": "unknown"}]),
    "an odd time": changed(events=[{"state": "unknown", "at": "yesterday"}]),
    "a time without a zone": changed(events=[{"state": "unknown", "at": "2026-01-02T03:04:05"}]),
    "a later time that is none": changed(events=[BEGUN, {"state": "unknown"}]),
    "a later time without a zone": changed(events=[BEGUN, {"state": "unknown", "at": "2026-01-02T03:04:05"}]),
    "an odd ticket": changed(events=[BEGUN, {**BEGUN, "state": "unknown", "ticket": "job-1"}]),
    "odd headers": changed(events=[{"state": "received", "at": "2026-01-02T03:04:05+00:00", "headers": ["x-cost"]}]),
    "an odd header": changed(events=[{"state": "received", "at": "2026-01-02T03:04:05+00:00", "headers": {"a": 1}}]),
    "an odd duration": changed(events=[{"state": "received", "at": "2026-01-02T03:04:05+00:00", "elapsed_s": "x"}]),
    "an odd state": changed(events=[{"state": ["unknown"], "at": "2026-01-02T03:04:05+00:00"}]),
    "another's key": changed(key="0" * 64),
    "a path as lock": changed(lock="../../.bashrc"),
    "a number as lock": changed(lock=7),
    "a price that is none": changed(price_usd="much"),
    "an endless price": changed(price_usd=float("inf")),
    "a price beyond all measure": changed(price_usd=10**400),
    "no price": without("price_usd"),
    "an odd engine": changed(engine={"name": "segmind"}),
    "no request": without("request"),
    "an odd request": changed(request=[1]),
    "an odd prompt": asked(prompt=None),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_one_damaged_file_hides_no_other_call(client, faults, told, damage):
    """The others are pending, resumed and settled; the damaged one is named, and its own request is not paid again."""
    bad, good = lost(client, seed=1), lost(client, seed=2)
    DAMAGE[damage](bad.path)
    posts = len(faults.posts())
    told.clear()
    assert [call.id for call in client.pending()] == [good.id]
    assert [str(bad.path) in line for line in told] == [True]
    assert "check the credit balance" in told[0]
    assert client.resume() == []
    with pytest.raises(InvalidRequest, match="not an open call"):
        client.settle(bad.id, billed=False)
    client.settle(good.id, billed=False)
    assert client.pending() == []
    with pytest.raises(ArchiveError, match=r"damaged|upgrade|can't be read"):
        client.generate(asking(seed=1))
    assert len(faults.posts()) == posts
    assert os.path.lexists(bad.path)


def test_a_damaged_file_does_not_keep_a_clip_from_being_fetched(faults, told):
    """Paid and not fetched, it comes in though another call's file can't be read."""
    client = Client(KEY, faults.url("link_404"), timeout=10, notify=told.append)
    with pytest.raises(OutcomeUnknown):
        client.generate(asking())
    [attempt] = client.archive.journal
    beside = attempt.path.with_name(f"{attempt.facts['key']}.20200102T030405.678901Z-1f2e3d4c.json")
    beside.write_text("{")
    attempt.add("linked", link=f"{faults.url('good')}/v1/clip.mp4")
    assert [call.state for call in client.pending()] == ["fetchable"]
    del told[:]
    client.resume()
    assert str(beside) in told[0]


def test_a_folder_that_can_not_be_listed_is_told(tmp_path, monkeypatch):
    """A part of the journal that the disk doesn't give is an error in its place, and refuses its own keys alone."""
    journal = Journal(tmp_path)
    attempts = [
        journal.open(
            digit * 64, engine="segmind", model="m", lock=digit * 64, price_usd=0.5, request={"prompt": "a", "seed": 1}
        ).add("sent")
        for digit in "ab"
    ]
    listdir = os.listdir

    def refuse(path):
        if str(path).endswith("aa"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    problem, attempt = journal
    assert isinstance(problem, ArchiveError)
    assert "Permission denied" in str(problem)
    assert isinstance(attempt, Attempt)
    assert journal.attempts_for("b" * 64) == [attempts[1]] == [attempt]
    with pytest.raises(ArchiveError, match="Permission denied"):
        journal.attempts_for("a" * 64)


def test_files_of_others_are_passed_over(tmp_path):
    """What is not named like an attempt is none, wherever it lies."""
    for name in ("notes.txt", "aa/notes.txt", f"aa/.{'a' * 12}.part", f"aa/{'a' * 64}.json", f"b/{'a' * 64}.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{")
    journal = Journal(tmp_path)
    assert list(journal) == journal.attempts_for("a" * 64) == []


def test_a_file_in_the_journals_place_is_no_journal(tmp_path, monkeypatch):
    """There is none then; a folder that the disk doesn't give is told of instead of passing for an empty one."""
    (tmp_path / "file").touch()
    assert list(Journal(tmp_path / "file")) == list(Journal(tmp_path / "nowhere")) == []

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    [problem] = Journal(tmp_path)
    assert "Permission denied" in str(problem)
