"""Reading the service's record: pages, days, rate limits, and rows in whatever form they come."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from services import Service

import vidu_nb as vidu
from vidu_nb import errors
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
        book.seen = lambda: [lock for lock in locks if is_held(lock)]
        client.reconcile()
        assert len(book.pages) == 11
        assert book.refused
        assert not any(book.refused)
        states = [attempt.state for attempt in client.archive.journal]
        assert (states.count("not charged"), states.count("sent")) == (100, 900)


class Losing:
    """A service that takes calls, loses its answers, and shows what came of them in its record.

    ``wrapped`` makes a page of rows, ``wrapped_one`` the answer about one, of all rows; ``sizes`` gets each page's.
    """

    def __init__(self, clip, **changes):
        self.clip, self.changes, self.rows, self.own = clip, changes, [], []
        self.wrapped, self.wrapped_one = (lambda rows: {"data": rows}), (lambda row: row)
        self.statuses = {}  # of a path's beginning

    def __call__(self, call):
        """Answer."""
        path = urlsplit(call.path).path
        if status := next((status for start, status in self.statuses.items() if path.startswith(start)), None):
            call.say(b"", status=status)
        elif call.command == "POST":
            name = f"call-{len(self.rows)}"
            self.rows.append(self._row(name, json.loads(call.body), call.server.url))
            call.close_connection = True
        elif path.endswith("request-history"):
            self._list(call, {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()})
        elif "request-history" in path:
            rows = [row for row in self.rows if row["request_id"] == path.rpartition("/")[2]]
            self.own.append(path)
            call.say(json.dumps(self.wrapped_one(rows[0])).encode()) if rows else call.say(b"", status=404)
        else:
            call.say(self.clip if path == "/clip.mp4" else b'{"credits": 1}')

    def _row(self, name, body, root):
        return {
            "request_id": name, "model_name": MODEL, "model_status": "COMPLETED", "request_body": body, "latency_ms": 5,
            "model_created": datetime.now(UTC).isoformat(), "credits_deduction": 0.3, "error": None,
            "generation_url": f"{root}/clip.mp4", **self.changes,
        }  # fmt: skip

    def _list(self, call, query):
        count, page = int(query["per_page"]), int(query["page"])
        call.say(json.dumps(self.wrapped(self.rows[::-1][(page - 1) * count : page * count])).encode())


@pytest.fixture
def losing(small_clip):
    """What answers as the paid service."""
    return Losing(small_clip.read_bytes())


@pytest.fixture
def service(losing):
    """The paid service."""
    with Service(losing) as made:
        yield made


REQUEST = vidu.VideoRequest(prompt="A cat", references="https://example.com/cat.png")
PAGES = {
    "a bare list": lambda rows: rows,
    "items in data": lambda rows: {"status": "success", "data": {"items": rows, "total": len(rows)}},
    "requests": lambda rows: {"requests": rows, "page": 1},
    "filters first": lambda rows: {"filters": [{"name": "status"}], "tags": ["a"], "rows": rows},
    "JSON in texts": lambda rows: {"data": [{**row, "request_body": json.dumps(row["request_body"])} for row in rows]},
}
ONES = {
    "in data": lambda row: {"status": "success", "data": row},
    "in a list": lambda row: [row, row],
    "a list in data": lambda row: {"data": [row], "total": 1},
    "under a name": lambda row: {"request": row},
}


@pytest.mark.parametrize("one", ONES.values(), ids=ONES)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_lost_call_is_found_whatever_the_record_wraps_it_in(losing, service, page, one):
    """Its clip comes, and its real cost is booked."""
    losing.wrapped, losing.wrapped_one = page, one
    budget = vidu.Budget(5, "budget.json")
    video = Client(KEY, service.url, archive="here", timeout=10, budget=budget, notify=len).generate(REQUEST)
    assert (video.receipt.cost_usd, budget.spent) == (0.3, 0.3)
    assert len(service.posts) == 1


@pytest.mark.parametrize("one", ONES.values(), ids=ONES)
def test_a_lost_call_that_failed_is_closed_whatever_the_record_wraps_it_in(losing, service, one):
    """With the service's own reason."""
    losing.changes = {
        "model_status": "FAILED", "error": "nobody to be seen", "generation_url": None, "credits_deduction": 0
    }  # fmt: skip
    losing.wrapped_one = one
    client = Client(KEY, service.url, archive="here", timeout=10, notify=len)
    with pytest.raises(errors.JobFailed, match="nobody to be seen"):
        client.generate(REQUEST)
    assert client.pending() == []


def lose_one(service):
    """A client whose call of `REQUEST` was lost, and not looked for."""
    client = Client(KEY, service.url, archive="here", timeout=1, mode="sync", notify=len)
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(REQUEST)
    return client


@pytest.mark.parametrize("total", [{"total": 100}, {"total_pages": 1}, {"pagination": {"total": 0}}, {}], ids=str)
def test_a_total_that_is_too_low_hides_no_second_candidate(losing, service, total):
    """It stands on the next page, so the first one is no certain match."""
    losing.statuses["/inference"] = 500
    client = lose_one(service)
    mine = losing.rows.pop()
    others = [{**mine, "request_id": f"other-{n}", "request_body": {"prompt": "A dog"}} for n in range(99)]
    losing.rows = [{**mine, "request_id": "a-mates"}, *others, mine]
    losing.wrapped = lambda rows: {"data": rows, **total}
    losing.statuses.clear()
    assert client.reconcile() == []
    assert [(call.state, call.record) for call in client.pending()] == [("unknown", "not found")]


@pytest.mark.parametrize("more", [{"per_page": 20}, {"total": 41}, {"meta": {"total_pages": 3}}], ids=str)
def test_a_record_that_gives_less_at_once_is_read_to_its_end(losing, service, more):
    """It has pages of twenty, whatever it was asked for."""
    losing.statuses["/inference"] = 500
    client = lose_one(service)
    mine = losing.rows.pop()
    others = [{**mine, "request_id": f"other-{n}", "request_body": {"prompt": "A dog"}} for n in range(40)]
    losing.rows, losing.wrapped = [mine, *others], lambda rows: {"data": rows, **more}
    losing._list = lambda call, query: Losing._list(losing, call, {**query, "per_page": "20"})
    losing.statuses.clear()
    assert [video.receipt.cost_usd for video in client.reconcile()] == [0.3]


def test_a_record_that_gives_the_same_page_for_each_number_tells_nothing(losing, service):
    """What stands on its other pages can't be known."""
    losing.statuses["/inference"] = 500
    client = lose_one(service)
    mine = losing.rows.pop()
    losing.rows = [{**mine, "request_id": f"other-{n}", "request_body": {"prompt": "A dog"}} for n in range(99)] + [
        mine
    ]
    losing._list = lambda call, query: Losing._list(losing, call, {**query, "page": "1"})
    losing.statuses.clear()
    with pytest.raises(errors.ViduError, match="same page"):
        client.reconcile()


def test_a_message_in_place_of_rows_is_no_empty_record(losing, service):
    """That it isn't there can't be said of a record that can't be read."""
    losing.wrapped = lambda _: {"error": "the database is down"}
    client = lose_one(service)
    assert [call.record for call in client.pending()] == [""]
    with pytest.raises(errors.ViduError, match="the database is down"):
        client.reconcile()


@pytest.mark.parametrize("status", [400, 403, 410, 422, 500])
def test_an_id_that_the_record_trips_over_hides_no_other_call(losing, service, status):
    """One was answered with a gateway's id, which is no call's; the other is found all the same."""
    losing.statuses["/inference"] = 500
    answer = service.answer
    client = Client(KEY, service.url, archive="here", timeout=1, mode="sync", notify=len)
    service.answer = lambda call: say_with_id(call) if call.command == "POST" else answer(call)
    with pytest.raises(errors.APIError):
        client.generate(vidu.VideoRequest(prompt="A dog", references="https://example.com/cat.png"))
    service.answer = answer
    lose_one(service)
    losing.statuses.clear()
    losing.statuses["/inference-request/request-history/a-gateways-id"] = status
    assert [video.receipt.cost_usd for video in client.reconcile()] == [0.3]
    assert [call.record for call in client.pending()] == ["not found"]


def say_with_id(call):
    """Answer 502 with an id."""
    call.send_response(502)
    call.send_header("x-request-id", "a-gateways-id")
    call.send_header("Content-Length", "0")
    call.end_headers()


def test_a_call_whose_error_names_an_id_is_looked_up_by_it(losing, service):
    """Though its row shows nothing else of it."""
    losing.changes = {"request_body": None}
    answer = service.answer

    def says(call):
        if call.command == "POST":
            losing.rows.append(losing._row("a-gateways-id", None, service.url))
            say_with_id(call)
        else:
            answer(call)

    service.answer = says
    video = Client(KEY, service.url, archive="here", timeout=10, mode="sync", notify=len).generate(REQUEST)
    assert (video.receipt.cost_usd, video.receipt.request_id) == (0.3, "a-gateways-id")
    assert len(service.posts) == 1


@pytest.mark.parametrize("status", [404, 405])
def test_an_answer_lost_after_the_queue_turned_out_missing_is_found(losing, service, status):
    """The first try was turned away, so the row is the second's."""
    losing.statuses["/v2"] = status
    client = Client(KEY, service.url, archive="here", timeout=10, notify=len)
    assert client.generate(REQUEST).receipt.cost_usd == 0.3
    assert [path[:3] for path in service.posts] == ["/v2", "/v1"]


def test_a_call_that_was_paid_again_and_lost_again_is_found(losing, service):
    """Not the older one, which the record doesn't have."""
    losing.statuses["/inference"] = 500
    client = lose_one(service)
    [old] = client.archive.journal
    day_before = [{**event, "at": (datetime.now(UTC) - timedelta(days=1)).isoformat()} for event in old.facts["events"]]
    old.path.write_text(json.dumps({**old.facts, "events": day_before}))
    losing.rows.clear()
    losing.statuses.clear()
    client = Client(KEY, service.url, archive="here", timeout=10, mode="sync", notify=len)
    assert client.generate(REQUEST, again=True).receipt.cost_usd == 0.3
    assert len(service.posts) == 2
    assert sorted(attempt.state for attempt in client.archive.journal) == ["stored", "unknown"]


def test_a_refusal_beside_an_older_lost_call_asks_no_record(losing, service):
    """What was refused is known; the older one's turn comes at `reconcile`."""
    losing.statuses["/inference"] = 500
    lose_one(service)
    losing.statuses |= {"/v1": 401}
    service.calls.clear()
    client = Client(KEY, service.url, archive="here", timeout=10, mode="sync", notify=len)
    with pytest.raises(errors.Unauthorized):
        client.generate(REQUEST, again=True)
    assert [path for path in service.calls if "request-history" in path] == []


def test_a_record_that_never_answers_holds_a_call_up_for_a_moment_only(service):
    """The deadline passed: one look is left, and no more than seconds for it."""
    over, answer = threading.Event(), service.answer
    service.answer = lambda call: over.wait(60) if "request-history" in call.path else answer(call)
    client = Client(KEY, service.url, archive="here", timeout=0.5, mode="sync", notify=len)
    started = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(REQUEST)
    assert time.monotonic() - started < 25
    over.set()


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"error": "busy"}'], ids=str)
def test_an_answer_that_is_no_clip_is_looked_up_as_a_lost_one_is(losing, service, body):
    """It said 200, so it was probably billed, and the record has the clip."""
    answer = service.answer

    def says(call):
        if call.command == "POST":
            losing.rows.append(losing._row("call-1", json.loads(call.body), service.url))
            call.say(body)
        else:
            answer(call)

    service.answer = says
    client = Client(KEY, service.url, archive="here", timeout=10, mode="sync", notify=len)
    assert client.generate(REQUEST).receipt.cost_usd == 0.3
    assert len(service.posts) == 1
