"""Which row of the service's record is which call's: certain pairs alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vidu_nb.client.matching import fingerprint, match
from vidu_nb.client.record import Row
from vidu_nb.storage.journal import Attempt

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
INPUTS = {"prompt": "A cat on a wall. Push in.", "aspect_ratio": "16:9", "duration": 5, "seed": 7, "bgm": True}
PICTURE = "data:image/png;base64," + "QUJD" * 40


def attempt(name="a", *, state="unknown", minutes=0, inputs=INPUTS, pictures=(PICTURE,), urls=(None,), **details):
    """A call as the journal has it."""
    at = (NOON + timedelta(minutes=minutes)).isoformat()
    events = [{"state": "prepared", "at": at}, {"state": "sent", "at": at}, {"state": state, "at": at, **details}]
    notes = [{"name": "cat.png", "url": url} for url in urls]
    facts = {"id": name, "model": "m", "events": events, "request": {**inputs, "image_urls": notes}}
    return Attempt(Path(name), facts | {"pictures": list(map(fingerprint, pictures))})


def row(name="r", *, minutes=0.0, model="m", status="COMPLETED", **changes):
    """A row of the record; ``name=None`` takes a parameter out."""
    inputs = {name: value for name, value in {**INPUTS, **changes}.items() if value is not None}
    return Row(name, model, status, NOON + timedelta(minutes=minutes), inputs)


def pairs(attempts, rows):
    """The names of what was matched."""
    return sorted((one.id, found.request_id) for one, found in match(attempts, rows))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"minutes": 10},  # the two clocks differ
        {"minutes": -10},
        {"image_urls": [PICTURE]},
        {"image_urls": [PICTURE[:60]]},  # cut
        {"image_urls": ["https://storage.example/copy.png"]},  # stored by the service
        {"image_urls": None},
        {"image_urls": []},  # left out
        {"image_urls": [None]},
        {"seed": 7.0, "other": "a name that nobody knows"},
        {"status": "PENDING"},
        {"status": "FAILED"},
    ],
    ids=str,
)
def test_the_row_of_a_call_is_found(changes):
    """Model, time, prompt, seed and every other parameter agree; pictures are compared where the record has them."""
    assert pairs([attempt()], [row(**changes)]) == [("a", "r")]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "another"},
        {"prompt": "A dog on a wall. Push in."},
        {"prompt": "A cat on a wall."},  # cut
        {"prompt": "A cat on ..."},
        {"seed": 8},
        {"seed": "7"},
        {"seed": None},  # left out
        {"bgm": 1},
        {"duration": 10},
        {"aspect_ratio": "9:16"},
        {"image_urls": [PICTURE[:-4] + "QQQQ"]},
        {"image_urls": [PICTURE, PICTURE]},
    ],
    ids=str,
)
def test_a_row_that_differs_or_says_too_little_is_no_match(changes):
    """What isn't certain stays unknown."""
    assert pairs([attempt()], [row(**changes)]) == []


def test_a_row_of_another_hour_is_no_match():
    """Before or after, by more than clocks differ."""
    assert [pairs([attempt()], [row(minutes=minutes)]) for minutes in (-45, 45, 60 * 24)] == [[], [], []]


def test_a_link_is_compared_by_what_it_names():
    """Another file of the same host is another picture; another host may hold the service's own copy."""
    call = attempt(pictures=["https://pictures.example/a.png?token=1"], urls=["https://pictures.example/a.png?token=1"])
    assert pairs([call], [row(image_urls=["https://pictures.example/a.png?token=2"])]) == [("a", "r")]
    assert pairs([call], [row(image_urls=["https://storage.example/b.png"])]) == [("a", "r")]
    assert pairs([call], [row(image_urls=["https://pictures.example/b.png"])]) == []


def test_a_row_without_a_time_is_no_match_and_stands_in_the_way():
    """It may be the call's, or a second one's."""
    timeless = Row("s", "m", "COMPLETED", None, INPUTS)
    assert pairs([attempt()], [timeless]) == []
    assert pairs([attempt()], [row(), timeless]) == []


def test_two_candidates_are_no_match():
    """A team mate may have asked the same a second earlier."""
    assert pairs([attempt()], [row("r"), row("s", minutes=-1 / 60)]) == []


@pytest.mark.parametrize(
    "unsure",
    [{"prompt": "A cat on ..."}, {"prompt": "  A cat on a wall.\nPush in."}, {"seed": "7"}, {"bgm": "true"}],
    ids=str,
)
def test_a_row_that_may_be_the_calls_stands_in_the_way_of_another(unsure):
    """Its prompt was cut, or its values are written in another way, so nobody knows whose it is."""
    assert pairs([attempt()], [row("r"), row("s", **unsure)]) == []


def test_a_value_that_the_record_leaves_empty_may_be_any():
    """A row with ``"seed": null`` says nothing about the seed."""
    empty = Row("s", "m", "COMPLETED", NOON, {**INPUTS, "seed": None})
    assert pairs([attempt()], [empty]) == []
    assert pairs([attempt()], [row("r"), empty]) == []


def test_a_link_of_ours_is_not_compared_with_what_is_no_link():
    """The record names the picture in words of its own."""
    call = attempt(pictures=["https://a.example/a.png"], urls=["https://a.example/a.png"])
    assert pairs([call], [row(image_urls=["[a picture of 3 megabytes, left out here]"])]) == [("a", "r")]


def test_the_same_row_three_times_is_one():
    """The record has a row for each output."""
    assert pairs([attempt()], [row(), row(), row()]) == [("a", "r")]


def test_two_calls_for_one_row_are_no_match():
    """One of them never arrived, and nobody knows which."""
    assert pairs([attempt("a"), attempt("b", minutes=1)], [row()]) == []


def test_calls_apart_in_time_find_their_own_rows():
    """Two lost calls of one request, an hour apart."""
    calls = [attempt("a"), attempt("b", minutes=60)]
    assert pairs(calls, [row("r"), row("s", minutes=60)]) == [("a", "r"), ("b", "s")]


@pytest.mark.parametrize("state", ["stored", "settled", "queued", "linked", "not charged"])
def test_a_row_whose_id_another_call_knows_is_that_calls(state):
    """The other one got its answer, whatever became of it: its row is not the lost call's."""
    known = attempt("b", state=state, headers={"x-request-id": "s"})
    assert pairs([attempt("a"), known], [row("s")]) == [("b", "s")]
    assert pairs([attempt("a"), known], [row("s"), row("r")]) == [("a", "r"), ("b", "s")]


@pytest.mark.parametrize("state", ["stored", "settled", "sent"])
def test_a_call_whose_id_nobody_knows_may_own_the_row(state):
    """It was answered without an id, or closed by hand, or is still in flight."""
    assert pairs([attempt("a"), attempt("b", state=state)], [row()]) == []


@pytest.mark.parametrize("status", [404, 405, 429, None], ids=str)
def test_a_call_that_was_turned_away_owns_no_row(status):
    """The queue's address doesn't exist, there was a rate limit, or nothing had left: the next try was lost."""
    details = {} if status is None else {"status": status}
    refused = attempt("b", state="not charged", **details)
    assert pairs([refused, attempt("a")], [row()]) == [("a", "r")]
    assert pairs([refused, attempt("a")], [row(status="FAILED")]) == [("a", "r")]


def test_a_call_that_was_refused_may_own_the_row_of_a_failure():
    """And of nothing that was made."""
    refused = attempt("b", state="not charged", status=400)
    assert pairs([refused, attempt("a")], [row(status="FAILED")]) == []
    assert pairs([refused, attempt("a")], [row(status="PENDING")]) == [("a", "r")]


def test_an_id_decides_whatever_else_the_row_holds():
    """The service named it in its answer."""
    call = attempt(headers={"x-request-id": "r"})
    assert pairs([call], [row("r", prompt="A cat ..."), row("s")]) == [("a", "r")]


def test_a_row_of_another_id_than_the_tickets_is_no_match():
    """The queue named the job: its row may not be there yet, and another's of the same request is not it."""
    expired = attempt("b", ticket={"request_id": "job-1"})
    assert pairs([expired], [row()]) == []
    assert pairs([expired, attempt("a")], [row()]) == []
    assert pairs([expired, attempt("a")], [row(), row("job-1")]) == [("a", "r"), ("b", "job-1")]


def test_a_thousand_calls_find_their_thousand_rows():
    """All within a few minutes."""
    calls = [attempt(f"a{number}", inputs=INPUTS | {"seed": number}) for number in range(1000)]
    rows = [row(f"r{number}", seed=number) for number in range(1000)]
    assert len(pairs(calls, rows)) == 1000
