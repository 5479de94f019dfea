"""A lost answer is found in the service's own record: a slow answer, and not a doubtful one."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from losing import Losing
from services import Service

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.client.client import Client
from vidu_nb.client.engines import choose_engine, preview_engine
from vidu_nb.client.matching import known_id
from vidu_nb.net.credentials import Secret

KEY = "an-invented-key-for-tests"


class Work:
    """What the server's renderer does in place of a preview, told by the prompt."""

    def __init__(self, clip):
        self._clip, self.may_end = clip.read_bytes(), threading.Event()

    def __call__(self, request, **_):
        """Return the clip."""
        if "slow" in request.prompt:
            assert self.may_end.wait(60)
        if "fails" in request.prompt:
            raise errors.ViduError("the picture shows nobody")
        return self._clip


@pytest.fixture
def work(small_clip):
    """The renderer; its end can be held up."""
    made = Work(small_clip)
    yield made
    made.may_end.set()


@pytest.fixture
def service(work):
    """A service with a record of calls, that takes half a dollar a clip."""
    with PreviewServer(key=KEY, credits=100.0, render=work) as server:
        yield server


@pytest.fixture
def wire(service):
    """The way to it, on which answers can be lost."""
    with Losing(service.base_url) as proxy:
        yield proxy


@pytest.fixture
def client_of(wire):
    """Makes clients of the service behind the wire."""

    def make(**options):
        return Client(KEY, wire.url, archive="here", **{"timeout": 30, "notify": len, **options})

    return make


def asking(prompt="A cat", **changes):
    return vidu.VideoRequest(**{"prompt": prompt, "references": "https://example.com/cat.png", **changes})


def shifted(row, minutes):
    """A row's time by a clock that goes wrong."""
    return (datetime.fromisoformat(row["model_created"]) + timedelta(minutes=minutes)).isoformat()


def states(client):
    return [attempt.state for attempt in client.archive.journal]


@pytest.mark.parametrize("mode", ["auto", "queue", "sync"])
@pytest.mark.parametrize("prompt", ["A cat", "A slow cat"])
def test_a_lost_answer_is_found_and_the_clip_comes_as_if_nothing_had_happened(client_of, wire, work, mode, prompt):
    """By either route, made or still being made: one POST, the clip, its real cost in the budget, nothing open."""
    budget, lines = vidu.Budget(5, "budget.json"), []
    wire.lose = 1
    if mode != "sync":
        wire.before = lambda path: "request-history/" in path and work.may_end.set()
    else:  # its answer is lost when it has come
        work.may_end.set()
    client = client_of(mode=mode, budget=budget, price_usd=0.9, notify=lines.append)
    video = client.generate(asking(prompt))
    assert video.receipt.cost_usd == budget.spent == 0.5
    assert video.receipt.request_id
    assert wire.posts == 1
    assert client.pending() == []
    assert states(client) == ["stored"]
    assert any("service's record" in line for line in lines)
    assert client.generate(asking(prompt)).receipt.replayed


def test_a_lost_call_that_failed_ends_with_its_failure(client_of, wire):
    """Not billed, the reservation comes back, and the same may be asked again at once."""
    budget = vidu.Budget(5, "budget.json")
    wire.lose, client = 1, client_of(budget=budget)
    with pytest.raises(errors.JobFailed, match="shows nobody") as caught:
        client.generate(asking("It fails"))
    assert caught.value.billed == "no"
    assert (budget.spent, client.pending(), states(client)) == (0, [], ["not charged"])


def test_a_lost_call_that_runs_and_then_fails_ends_with_its_failure(client_of, wire, work):
    """Its row turns from PENDING to FAILED while it is waited for."""
    wire.lose, looks = 1, []
    wire.before = lambda path: (
        "request-history/" in path and (looks.append(path), len(looks) > 3 and work.may_end.set())
    )
    with pytest.raises(errors.JobFailed):
        client_of().generate(asking("A slow one that fails"))
    assert len(looks) > 3


def test_a_cancelled_search_leaves_the_call_unknown(client_of, wire, service):
    """The panel's Cancel ends the wait for the record, and not what is known."""
    searched = threading.Event()
    service.state.record.shown = lambda _: searched.set() or []
    wire.lose, client = 1, client_of(timeout=60)
    threading.Thread(target=lambda: searched.wait(60) and client.cancel()).start()
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking())
    assert states(client) == ["unknown"]


def test_a_record_that_comes_late_is_waited_for(client_of, wire, service):
    """The first looks find nothing, which isn't yet an outcome."""
    looks = []
    service.state.record.shown = lambda rows: rows if len(looks) > 3 else looks.append(rows) or []
    wire.lose = 1
    assert client_of().generate(asking()).receipt.cost_usd == 0.5
    assert wire.posts == 1
    assert len(looks) == 4


def test_no_row_is_never_not_billed(client_of, wire, service):
    """It stays unknown, the same is not sent again, and a row that comes later brings the clip."""
    service.state.record.shown = lambda _: []
    wire.lose, client = 1, client_of(timeout=1)
    for _ in range(2):
        with pytest.raises(errors.OutcomeUnknown) as caught:
            client.generate(asking())
        assert caught.value.billed == "unknown"
    assert client.reconcile() == []
    assert [(call.state, call.record) for call in client.pending()] == [("unknown", "not found")]
    service.state.record.shown = list
    assert [call.record for call in client.pending()] == ["completed"]
    assert [video.receipt.cost_usd for video in client.reconcile()] == [0.5]
    assert (wire.posts, client.pending(), states(client)) == (1, [], ["stored"])


@pytest.mark.parametrize("is_found", [True, False])
def test_an_answer_that_is_gone_from_the_disk_is_looked_for_as_well(client_of, wire, service, is_found):
    """Its journal says "received", and the bytes are nowhere: a person deleted them, or the disk lost them."""
    wire.lose, client = 1, client_of(timeout=2)
    service.state.record.shown = lambda _: []
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking())
    [attempt] = client.archive.journal
    attempt.add("received", headers={}, elapsed_s=0.1)
    if is_found:
        service.state.record.shown = list
        assert client.generate(asking()).path.exists()
    else:
        with pytest.raises(errors.OutcomeUnknown, match="brought no usable answer"):
            client.generate(asking())
    assert wire.posts == 1


@pytest.mark.parametrize("way", ["reconcile", "resume", "generate"])
def test_another_kernel_finds_what_was_lost(client_of, wire, monkeypatch, way):
    """By every way that asks for open calls."""
    monkeypatch.setenv("VIDU_NB_HISTORY_URL", "off")
    wire.lose, client = 1, client_of()
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking())
    assert [call.record for call in client.pending()] == [""]
    monkeypatch.delenv("VIDU_NB_HISTORY_URL")
    later = client_of()
    found = later.generate(asking()) if way == "generate" else getattr(later, way)()[0]
    assert found.receipt.cost_usd == 0.5
    assert (wire.posts, later.pending()) == (1, [])


def test_a_call_that_still_runs_stays_pending_and_is_waited_for_later(client_of, wire, work):
    """`reconcile` doesn't wait; the same call again does."""
    wire.lose, client = 1, client_of(timeout=1)
    with pytest.raises(errors.OutcomeUnknown) as caught:
        client.generate(asking("A slow cat"))
    assert caught.value.fetchable
    assert client.reconcile() == []
    assert [(call.state, call.record) for call in client.pending()] == [("fetchable", "pending")]
    work.may_end.set()
    assert client_of().generate(asking("A slow cat")).receipt.cost_usd == 0.5
    assert wire.posts == 1


def test_the_claim_is_on_disk_before_it_is_used(client_of, wire):
    """When the job is polled, the journal has its ticket: nobody else can take the row meanwhile."""
    wire.lose, client, seen = 1, client_of(), []

    def look(path):
        if "request-history/" in path:
            seen.extend((attempt.state, path.endswith(known_id(attempt) or "?")) for attempt in client.archive.journal)

    wire.before = look
    client.generate(asking())
    assert seen[0] == ("unknown", False)
    assert set(seen[1:]) == {("queued", True)}


def test_a_team_mates_row_alone_is_no_match(client_of, wire, service):
    """The same request a second earlier, while one's own never arrived: its id answers nobody else."""
    service.state.record.shown = lambda rows: [{**row, "request_id": "a-mates"} for row in rows]
    wire.lose, client = 1, client_of(timeout=1)
    with pytest.raises(errors.OutcomeUnknown) as caught:
        client.generate(asking())
    assert caught.value.billed == "unknown"
    assert states(client) == ["unknown"]


@pytest.mark.parametrize(
    ("mischief", "is_found"),
    [
        (lambda rows: rows * 3, True),
        (lambda rows: [*rows, *({**row, "request_id": "a-mates"} for row in rows)], False),
        (lambda rows: [{**row, "request_body": {**row["request_body"], "prompt": "A c..."}} for row in rows], False),
        (lambda rows: [{**row, "request_body": None} for row in rows], False),
        (lambda rows: [{**row, "model_name": "another"} for row in rows], False),
        (lambda rows: [{**row, "request_id": None} for row in rows], False),
        (lambda rows: [{**row, "model_created": shifted(row, 10)} for row in rows], True),
        (lambda rows: [{**row, "model_created": shifted(row, -10)} for row in rows], True),
        (lambda rows: [{**row, "model_created": shifted(row, -60)} for row in rows], False),
        (lambda rows: [{**row, "unknown": {"names": [1]}, "latency_ms": "soon"} for row in rows], True),
    ],
    ids=[
        "three times",
        "a mate's too",
        "cut",
        "without inputs",
        "another model",
        "without ids",
        "clock ahead",
        "clock behind",
        "an hour before",
        "unknown names",
    ],
)
def test_a_record_that_lies_gives_no_wrong_match(client_of, wire, service, mischief, is_found):
    """Found where it is certain, else as unknown as before."""
    service.state.record.shown = mischief
    wire.lose, client = 1, client_of(timeout=1 if not is_found else 30)
    if is_found:
        assert client.generate(asking()).receipt.cost_usd == 0.5
    else:
        with pytest.raises(errors.OutcomeUnknown):
            client.generate(asking())
        assert states(client) == ["unknown"]
    assert wire.posts == 1


@pytest.mark.parametrize(
    "answer",
    [(401, b'{"error": "key"}'), (404, b"<html>"), (500, b""), (200, b"<html><title>Login"), (200, b"[1]")],
    ids=str,
)
def test_a_record_that_cannot_be_read_changes_nothing(client_of, wire, monkeypatch, answer):
    """The call is as unknown as before, and the error is the one of the lost answer."""
    status, body = answer
    with Service(lambda call: call.say(body, status=status)) as record:
        monkeypatch.setenv("VIDU_NB_HISTORY_URL", record.url)
        wire.lose, client = 1, client_of(timeout=2)
        with pytest.raises(errors.OutcomeUnknown):
            client.generate(asking())
        assert states(client) == ["unknown"]
        assert [call.state for call in client.pending()] == ["unknown"]
        assert record.calls, "it was never asked"
    assert wire.posts == 1


def test_a_record_that_asks_for_a_long_pause_is_not_waited_for(client_of, wire, monkeypatch):
    """The call is as unknown as before, and a person hears of it at once."""

    def later(call):
        call.send_response(429)
        call.send_header("Retry-After", "300")
        call.send_header("Content-Length", "0")
        call.end_headers()

    with Service(later) as record:
        monkeypatch.setenv("VIDU_NB_HISTORY_URL", record.url)
        wire.lose, client = 1, client_of(timeout=2)
        with pytest.raises(errors.OutcomeUnknown):
            client.generate(asking())
        assert states(client) == ["unknown"]
        assert record.calls, "it was never asked"


def test_a_queue_that_does_not_exist_is_left_for_good(small_clip):
    """404 and 405 say that nothing was taken; the model's direct address is asked, and from then on at once."""
    clip = small_clip.read_bytes()
    with Service(lambda call: call.say(clip) if "/v1/" in call.path else call.say(b"", status=405)) as service:
        client = Client(KEY, service.url, archive="here", notify=len)
        client.generate(asking())
        client.generate(asking("A dog"))
        assert [path[:3] for path in service.posts] == ["/v2", "/v1", "/v1"]
    assert states(client).count("stored") == 2
    assert client.pending() == []


@pytest.mark.parametrize("mode", ["queue", "sync"])
def test_a_chosen_route_is_never_left(mode):
    """With `mode` given, a 404 is a 404."""
    with Service(lambda call: call.say(b"", status=404)) as service:
        with pytest.raises(errors.NotFound):
            Client(KEY, service.url, archive="here", mode=mode, notify=len).generate(asking())
        assert len(service.posts) == 1


def hosts(engine):
    """Every host that an engine's addresses name: to these the key goes."""
    names = [name for name, kind in vars(type(engine)).items() if isinstance(kind, property)]
    return {urlsplit(url).hostname for url in (*(getattr(engine, name) for name in names), engine.call_url("a"))}


def test_the_key_goes_to_the_service_and_to_its_record_alone():
    """The hosted service's storage and record have hosts of their own; any other service's are where the service is."""
    key = Secret.from_text(KEY)
    assert hosts(choose_engine(key)) == {"api.segmind.com", "workflows-api.segmind.com", "api.spotprod.segmind.com"}
    assert hosts(choose_engine(key, "https://api.example/v1")) == {"api.example"}
    assert not preview_engine().record_url


@pytest.mark.parametrize(
    "url", ["https://API.segmind.com", "https://api.segmind.com:443/v1", "https://api.segmind.com/"]
)
def test_the_hosted_services_record_is_known_however_its_address_is_spelled(url):
    """So is its storage."""
    engine = Client(KEY, url, archive="here")._session.engine
    assert engine.record_url == "https://api.spotprod.segmind.com"
    assert engine.upload_url == "https://workflows-api.segmind.com/upload-asset"


@pytest.mark.parametrize("path", ["", "/", "/inference-request/request-history", "/inference-request/request-history/"])
def test_a_records_address_may_be_given_with_its_route(monkeypatch, path):
    """As it is copied from a page or a script."""
    monkeypatch.setenv("VIDU_NB_HISTORY_URL", f" https://record.example{path} ")
    engine = Client(KEY, "https://api.example", archive="here")._session.engine
    assert engine.history_url == "https://record.example/inference-request/request-history"


@pytest.mark.parametrize("off", ["off", "OFF", " Off "])
def test_a_record_is_switched_off_in_any_case_of_letters(monkeypatch, off):
    """And then nobody is asked."""
    monkeypatch.setenv("VIDU_NB_HISTORY_URL", off)
    assert Client(KEY, "https://api.example", archive="here")._session.engine.record_url == ""


@pytest.mark.parametrize("url", ["https://api.example?team=1", "https://api.example/#record"])
@pytest.mark.parametrize("setting", ["VIDU_NB_HISTORY_URL", "SEGMIND_BASE_URL"])
def test_an_address_with_a_query_is_no_root(monkeypatch, setting, url):
    """A route that is appended to it would end in the query."""
    monkeypatch.setenv("SEGMIND_BASE_URL", "https://api.example")
    monkeypatch.setenv(setting, url)
    with pytest.raises(errors.InvalidRequest, match="a query or a fragment"):
        Client(KEY, archive="here")


@pytest.mark.parametrize("url", ["http://stranger.example", "ftp://api.example", "https://name:word@api.example", "x"])
def test_a_records_address_is_checked_as_the_services_is(monkeypatch, url):
    """The key travels there."""
    monkeypatch.setenv("VIDU_NB_HISTORY_URL", url)
    with pytest.raises(errors.InvalidRequest, match="VIDU_NB_HISTORY_URL"):
        Client(KEY, "https://api.example", archive="here")
