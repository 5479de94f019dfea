"""Reading the service's record: pages, days, rate limits, and rows in whatever form they come."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from services import Service

import vidu_nb as vidu
from vidu_nb.client.client import Client
from vidu_nb.client.record import Row, spans
from vidu_nb.locks import is_held
from vidu_nb.request import MODEL

KEY = "an-invented-key-for-tests"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "created"),
    [
        ({"model_created": "2026-03-01T12:00:00Z"}, NOON),
        ({"created_at": "2026-03-01T13:00:00+01:00"}, NOON),
        ({"created_at": "2026-03-01 12:00:00"}, NOON),
        ({"timestamp": NOON.timestamp()}, NOON),
        ({"timestamp": NOON.timestamp() * 1000}, NOON),
        ({"created_at": "Sun, 01 Mar 2026 12:00:00 GMT"}, NOON),
        ({"created_at": "2026-03-01 12:00:00 +0000 UTC"}, NOON),
        ({"created_at": "2026-03-01T12:00:00.000000000Z"}, NOON),
        ({"timestamp": str(int(NOON.timestamp()))}, NOON),
        ({"timestamp": str(int(NOON.timestamp() * 1000))}, NOON),
        ({"date": "2026-03-01"}, None),  # a day is no moment
        ({"date": "20260301"}, None),
        ({"model_created": "yesterday", "created_at": "2026-03-01T12:00:00Z"}, NOON),
        ({"model_created": None}, None),
        ({"model_created": [2026]}, None),
        ({"model_created": 1e300}, None),
        ({}, None),
    ],
    ids=str,
)
def test_a_rows_time_is_read_in_every_usual_form(payload, created):
    """UTC where it names no zone; None where it can't be read."""
    assert Row.from_json({"request_id": "r", **payload}).created == created


@pytest.mark.parametrize("body", [{"seed": 7}, '{"seed": 7}'], ids=["object", "text"])
@pytest.mark.parametrize("name", ["request_body", "parameters"])
def test_a_rows_inputs_are_read_in_every_usual_form(body, name):
    """As an object or as JSON in a text, under either route's name."""
    assert Row.from_json({"request_id": "r", name: body}).inputs == {"seed": 7}


@pytest.mark.parametrize("payload", [None, [], "r", {}, {"request_id": ""}, {"request_id": 5}, {"request_id": None}])
def test_what_names_no_call_is_no_row(payload):
    """It can't be claimed."""
    assert Row.from_json(payload) is None


def test_days_that_no_call_touches_are_not_asked_for():
    """Calls of three times of the year, one of them over more days than one question may span."""
    hour = timedelta(hours=1)
    summer = [(NOON + timedelta(days=150 + day), NOON + timedelta(days=150 + day) + hour) for day in range(40)]
    days = spans([(NOON, NOON + hour), *summer])
    assert [first.isoformat() for first, _ in days] == ["2026-02-28", "2026-07-28", "2026-08-28"]
    assert all((last - first).days < 31 for first, last in days)


class Book:
    """A service's record of calls; of so many questions, ``limit``, one is refused with 429."""

    def __init__(self, *, limit=0):
        self.rows, self.pages, self.looked, self.limit = [], [], [], limit
        self.refused = []  # what `seen` returned at each 429
        self.seen = str

    def __call__(self, call):
        """Answer."""
        path = urlsplit(call.path)
        if "request-history" not in path.path:
            call.say(b'{"credits": 1}')
        elif self.limit and (len(self.pages) + len(self.looked)) // self.limit > len(self.refused):
            self.refused.append(self.seen())
            call.send_response(429)
            call.send_header("Retry-After", "0.1")
            call.send_header("Content-Length", "0")
            call.end_headers()
        elif path.path.endswith("request-history"):
            query = {name: values[0] for name, values in parse_qs(path.query).items()}
            self.pages.append(query)
            page, count = int(query["page"]), int(query["per_page"])
            found = [row for row in self.rows if query["from_date"] <= row["model_created"][:10] <= query["to_date"]]
            call.say(json.dumps({"data": found[(page - 1) * count : page * count]}).encode())
        else:
            self.looked.append(path.path.rpartition("/")[2])
            [row] = [row for row in self.rows if row["request_id"] == self.looked[-1]]
            call.say(json.dumps(row).encode())


def lost(client, count):
    """So many calls of unknown outcome in a client's journal, as a process leaves them that dies."""
    for number in range(count):
        request = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png", seed=number + 1)
        key = request.key(engine=client.engine, model=client.model)
        attempt = client.archive.journal.open(
            key,
            engine=client.engine,
            model=client.model,
            lock=key,
            price_usd=0.5,
            request={**request.payload(), "image_urls": [{"name": "cat.png", "url": "https://example.com/cat.png"}]},
        )
        yield attempt.add("sent")


def as_failed(attempt, number):
    """The row of a call that failed."""
    inputs = {**attempt.facts["request"], "image_urls": ["https://example.com/cat.png"]}
    return {
        "request_id": f"r{number}", "model_name": MODEL, "model_status": "FAILED", "request_body": inputs,
        "model_created": attempt.facts["events"][-1]["at"], "credits_deduction": 0, "error": "nobody to be seen",
    }  # fmt: skip


def test_a_thousand_open_calls_take_no_more_pages_than_their_days_need():
    """Eleven pages of a hundred; the rate limit is kept, and while it is waited for no call's lock is held."""
    book = Book(limit=50)
    with Service(book) as service:
        client = Client(KEY, service.url, archive="here", notify=len)
        calls = list(lost(client, 1000))
        book.rows = [as_failed(attempt, number) for number, attempt in enumerate(calls)]
        for row in book.rows[100:]:  # somebody else's, of the same hours
            row["request_body"]["prompt"] = "A dog"
        locks = [client.archive.lock_path(attempt.facts["lock"]) for attempt in calls[::50]]
        book.seen = lambda: [lock for lock in locks if is_held(lock)] if len(book.pages) < 11 else []
        client.reconcile()
        assert len(book.pages) == 11
        assert book.refused
        assert not any(book.refused)
        states = [attempt.state for attempt in client.archive.journal]
        assert (states.count("not charged"), states.count("sent")) == (100, 900)
