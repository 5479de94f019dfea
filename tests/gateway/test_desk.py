"""How works are made: a gateway that ends between any two steps, costs, lost answers, a service that refuses."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests
from catalogues import PAINTER
from gateways import PICTURE, body_of, classroom, wanted
from upstream import KEY, Upstream

from vidu_nb import models
from vidu_nb.client.client import Client, begin
from vidu_nb.client.session import Errand
from vidu_nb.errors import Unreachable
from vidu_nb.gateway.ledger import Ledger
from vidu_nb.request import MODEL
from vidu_nb.storage import archive as archive_module


@pytest.fixture
def service():
    """A service whose jobs are done at once."""
    with Upstream() as server:
        yield server


@pytest.fixture
def school(service, tmp_path):
    """A class before it."""
    with classroom(tmp_path / "class", service.url) as school:
        yield school


def error_of(response):
    return response.json()["error"]


# A gateway that ends between two steps, and another one that takes over.


class Unfinished:
    """A gateway that claims a work for anna and ends without a word when a test says so."""

    def __init__(self, folder, url):
        with classroom(folder, url):
            pass  # its people and its ledger
        self.client = Client(KEY, url, folder / "archive", notify=len)
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}", each_usd=5, total_usd=50)
        self.folder, self.url = folder, url

    def claim(self, request):
        """Claim it."""
        archive, client = self.client.archive, self.client
        key = archive.key_of(request, engine=client.engine, model=client.model)
        anna, inputs = self.ledger.person_named("anna"), {**request.payload()}
        asked = self.ledger.ask(anna, key, model=MODEL, price_usd=0.5, inputs=inputs, at_once=9)
        assert asked.decision == "mine"
        return asked

    def begin(self, asked, request):
        """Send it."""
        name = asked.work["id"]
        begin(self.client, request, Errand(name, bool, partial(self.ledger.confirm, name)))

    def journal(self, asked, request):
        """Journal that it is about to be sent."""
        archive, client = self.client.archive, self.client
        return archive.journal.open(
            asked.work["key"], engine=client.engine, model=MODEL, lock=asked.work["key"], price_usd=0.5,
            request={**request.payload(), "image_urls": [{"url": PICTURE}]}, mark=asked.work["id"],
        ).add("sent")  # fmt: skip

    def end(self):
        """End, long ago."""
        self.ledger.close()
        self.age()

    def age(self):
        """Give no sign of life for long."""
        with contextlib.closing(sqlite3.connect(self.folder / "ledger.db")) as db, db:
            db.execute("UPDATE works SET lease = '2000'")


def nothing_sent(gone, asked, request):
    """It was claimed."""


def only_journalled(gone, asked, request):
    """It was claimed and journalled, and the owner had not confirmed that it leaves."""
    gone.journal(asked, request)


def sent_unheard(gone, asked, request):
    """It was sent, and the answer came when nobody was left."""
    attempt = gone.journal(asked, request)
    gone.ledger.confirm(asked.work["id"], attempt.id)
    requests.post(f"{gone.url}/v2/{MODEL}", json=request.payload(), timeout=30)


def queued(gone, asked, request):
    """Its ticket is in the journal."""
    gone.begin(asked, request)


@pytest.mark.parametrize(
    ("leave", "is_paid", "has_queue"),
    [
        (nothing_sent, False, True),
        (nothing_sent, False, False),
        (only_journalled, False, True),
        (only_journalled, False, False),
        (sent_unheard, True, True),  # the answer to a direct call is the clip: see the calls that are cut off
        (queued, True, True),
        (queued, True, False),
    ],
)
def test_a_gateway_that_ended_between_two_steps_is_taken_over(tmp_path, leave, is_paid, has_queue):
    """Whatever was sent is found and paid for once; what had not left costs nothing and is made when somebody asks."""
    with Upstream(has_queue=has_queue) as service:
        request = wanted("A cat crosses a street")
        gone = Unfinished(tmp_path / "class", service.url)
        asked = gone.claim(request)
        leave(gone, asked, request)
        gone.end()
        with classroom(tmp_path / "class", service.url, patience_s=30) as school:
            answers = [school.post("ben", request.payload()) for _ in range(2)]  # the first may have joined hers
            assert answers[1].status_code == 200
            row = school.ledger.call(asked.call, school.ledger.person_named("anna"))
            assert (row["state"], row["work_usd"]) == (("done", 0.5) if is_paid else ("failed", 0))
            assert is_paid or "before this was sent: nothing was billed" in row["error"]
            assert (school.spent("anna"), school.spent("ben")) == ((0.5, 0) if is_paid else (0, 0.5))
            assert [job.usd for job in service.jobs.values()] == [0.5]
            assert school.client.pending() == []


def test_a_gateway_that_was_taken_for_dead_sends_nothing(tmp_path):
    """One that wakes up after another has taken its work over ends before the first byte, and leaves no trace."""
    with Upstream() as service:
        request = wanted("A cat")
        gone = Unfinished(tmp_path / "class", service.url)
        asked = gone.claim(request)
        gone.age()
        other = Ledger(f"sqlite:///{tmp_path / 'class' / 'ledger.db'}", each_usd=5, total_usd=50)
        assert [row["id"] for row in other.take_over()] == [asked.work["id"]]
        with pytest.raises(Unreachable, match="another gateway has taken this call over"):
            gone.begin(asked, request)
        assert (service.posts, gone.client.pending()) == (0, [])
        for one in (gone.ledger, other):
            one.close()


def test_what_is_stored_and_not_closed_is_closed(tmp_path):
    """A gateway that ended after the clip was in the archive: whoever asked first has paid, and all get it."""
    with Upstream(has_queue=False) as service:
        request = wanted("A cat [costs 0.7]")
        gone = Unfinished(tmp_path / "class", service.url)
        gone.begin(gone.claim(request), request)
        gone.end()
        with classroom(tmp_path / "class", service.url) as school:
            assert school.post("ben", request.payload()).headers["x-cost"] == "0"
            assert school.spent("anna") == 0.7


def test_a_gateway_that_is_stopped_loses_nothing(tmp_path):
    """Calls that wait in the queue when a gateway is stopped are there after its next start, for whoever asked."""
    with Upstream(seconds=60) as service:
        with classroom(tmp_path / "class", service.url) as school:
            tickets = [school.post("anna", body_of(f"A cat, {n}"), version="v2").json() for n in range(3)]
            service.wait_for_posts(3)
        for job in service.jobs.values():
            job.ready = 0
        with classroom(tmp_path / "class", service.url) as school:
            for ticket in tickets:  # their work is the one that this waits for
                number = tickets.index(ticket)
                assert school.post("ben", body_of(f"A cat, {number}")).status_code == 200
                report = school.get("anna", f"/v2/requests/{ticket['request_id']}").json()
                assert (report["status"], report["metrics"]["cost"]) == ("COMPLETED", 0.5)
            assert service.usd == school.spent("anna") == 1.5


# What it costs.


@pytest.mark.parametrize(
    ("prompt", "usd", "status"),
    [
        ("A cat", 0.5, "COMPLETED"),
        ("A cat [costs 0.7]", 0.7, "COMPLETED"),
        ("A cat [costs nothing told]", 0.5, "COMPLETED"),
        ("A cat [fails]", 0.0, "FAILED"),
        ("A cat [fails at 0.2]", 0.2, "FAILED"),
    ],
)
def test_a_work_costs_what_the_service_said(school, prompt, usd, status):
    """The person's ledger has the service's own figure; where it named none, the price; a failure's cost as well."""
    ticket = school.post("anna", body_of(prompt), version="v2").json()
    school.post("ben", body_of(prompt))  # waits for the same
    report = school.get("anna", f"/v2/requests/{ticket['request_id']}/status").json()
    assert (report["status"], report["metrics"]["cost"]) == (status, usd)
    assert report["metrics"]["remaining_credits"] == round(5 - school.spent("anna"), 9)
    row = school.get("anna", f"/inference-request/request-history/{ticket['request_id']}").json()
    assert (row["model_status"], row["credits_deduction"]) == (status, usd)
    assert school.spent("anna") == usd
    assert school.spent("ben") == 0 if status == "COMPLETED" else school.spent("ben") in (0, usd)


def test_what_all_ask_for_at_once_is_paid_once(tmp_path, service):
    """Thirty people who ask the same at the same moment get one clip, which one of them pays."""
    names = [f"p{n}" for n in range(30)]
    with classroom(tmp_path / "class", service.url, names) as school, ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda name: school.post(name, body_of("The same")), names))
        assert len({answer.content for answer in answers}) == 1
        assert sorted(answer.headers["x-cost"] for answer in answers) == ["0"] * 29 + ["0.5"]
        assert sum("x-vidu-replayed" in answer.headers for answer in answers) == 29
        assert service.posts == 1
        assert school.ledger.spent_usd == 0.5


def test_random_seeds_are_everybodys_own(school, service):
    """Two people who ask for a random seed at the same moment get two clips, each their own, and pay one each."""
    service.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(school.post, name, body_of("By chance", seed=0)) for name in ("anna", "ben") * 2]
        service.wait_for_posts(4)
        service.gate.set()
        answers = [call.result() for call in calls]
    assert len({answer.content for answer in answers}) == 4
    assert [answer.headers["x-cost"] for answer in answers] == ["0.5"] * 4
    assert school.spent("anna") == school.spent("ben") == 1.0
    assert service.usd == 2.0
    for answer in answers:
        stored = school.client.archive.entry(school.work_of(answer)["entry"])
        assert stored.hashes == [hashlib.sha256(answer.content).hexdigest()]


def test_a_lost_call_with_a_random_seed_holds_nobody_up(school):
    """After anna's call was lost for good, ben's for the same words and a random seed is made and paid for once."""
    lost = school.post("anna", body_of("By chance [once swallowed]", seed=0))
    assert lost.status_code == 504
    assert school.post("ben", body_of("By chance [once swallowed]", seed=0)).status_code == 200
    assert school.spent("anna") == school.spent("ben") == 0.5  # hers is reserved until more is known


def test_what_the_teacher_has_made_before_costs_nobody_anything(school):
    """A clip that lies in the archive already answers whoever asks, with an empty budget as well."""
    made = school.client.generate(wanted("Made before"))
    school.ledger.change("anna", usd=0.0)
    answer = school.post("anna", body_of("Made before"))
    assert (answer.content, answer.headers["x-cost"]) == (made.bytes, "0")
    assert school.ledger.spent_usd == 0


# Another take.


def test_another_take_is_paid_for_by_who_asks(school, service):
    """`fresh=True` of a person's own client is a take of their own, at their cost; all others get the first."""
    anna, ben = school.client_of("anna"), school.client_of("ben")
    first = anna.generate(wanted("A cat"))
    take = ben.generate(wanted("A cat"), fresh=True)
    assert take.bytes != first.bytes
    assert (take.receipt.cost_usd, school.spent("ben"), service.posts) == (0.5, 0.5, 2)
    assert school.post("anna", body_of("A cat")).content == first.bytes


def test_a_take_that_is_asked_for_twice_is_one(school, service):
    """The same take's name of the same person is the same work, and of another person another one."""
    first, same = (school.post("anna", body_of("A cat"), headers={"x-vidu-take": "1a2b3c4d"}) for _ in range(2))
    assert same.content == first.content
    assert (first.headers["x-cost"], same.headers["x-cost"]) == ("0.5", "0")
    other = school.post("ben", body_of("A cat"), headers={"x-vidu-take": "1a2b3c4d"})
    assert other.content != first.content
    assert service.posts == 2
    assert school.post("ben", body_of("A cat"), headers={"x-vidu-take": "../" * 9}).status_code == 400


# Answers that are lost.


@pytest.mark.parametrize("has_queue", [True, False])
@pytest.mark.parametrize("word", ["503", "lost"])
def test_a_lost_answer_is_found_in_the_services_record(tmp_path, word, has_queue):
    """Whoever waits gets the clip, which is paid for once, though the service's answer never came."""
    with Upstream(has_queue=has_queue) as service, classroom(tmp_path / "c", service.url, patience_s=60) as school:
        answer = school.post("anna", body_of(f"A cat [{word}]"))
        assert (answer.status_code, answer.headers["x-cost"]) == (200, "0.5")
        assert (service.posts, school.spent("anna")) == (1, 0.5)


def test_what_is_not_found_stays_reserved_is_never_sent_again_and_is_found_later(school, service):
    """A lost call that the record doesn't hold yet: 504 for all who ask, its price reserved; then it is found."""
    body = body_of("A cat [lost] [never listed]")
    for name in ("anna", "ben", "anna"):
        answer = school.post(name, body)
        assert answer.status_code == 504
        assert "it is not paid twice" in error_of(answer)
    assert service.posts == 1
    assert (school.spent("anna"), school.spent("ben")) == (0.5, 0)
    [trouble] = school.ledger.troubles(5)
    assert (trouble["name"], trouble["state"]) == ("anna", "unknown")
    ticket = school.post("ben", body, version="v2").json()
    assert school.post("anna", body).status_code == 504  # waits until it was looked for
    report = school.get("ben", f"/v2/requests/{ticket['request_id']}/status").json()
    assert (report["status"], "lost" in report["detail"]) == ("PROCESSING", True)
    next(iter(service.jobs.values())).is_lost = False
    school.state.desk.patience_s = 60
    assert school.post("ben", body).headers["x-cost"] == "0"
    assert (service.posts, school.spent("anna"), school.spent("ben")) == (1, 0.5, 0)


def test_what_a_teacher_settles_is_closed(school, service):
    """A call that is settled as not billed costs nobody anything, and whoever asks again has it made."""
    body = body_of("A cat [once swallowed]")
    assert school.post("anna", body).status_code == 504
    [call] = school.client.pending()
    school.client.settle(call, billed=False)
    assert "nothing was billed" in error_of(school.post("ben", body))
    assert school.spent("anna") == 0
    assert school.post("ben", body).headers["x-cost"] == "0.5"
    assert service.usd == school.ledger.spent_usd == 0.5


def test_a_connection_that_ends_in_the_middle_stops_nothing(school, service):
    """A person who hangs up while a clip is made finds it made when they ask again, and has paid once."""
    service.gate.clear()
    body = requests.Request("POST", school.url, json=body_of("A cat")).prepare().body
    head = (
        f"POST /v1/{MODEL} HTTP/1.1\r\nHost: {school.url[7:]}\r\nx-api-key: {school.tokens['anna']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, port = school.url[7:].split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(head.encode() + body)
        service.wait_for_posts(1)
    service.gate.set()
    again = school.post("anna", body_of("A cat"))
    assert (again.status_code, again.headers["x-cost"]) == (200, "0")
    rows = school.get("anna", "/inference-request/request-history").json()["data"]
    assert [row["credits_deduction"] for row in rows] == [0.0, 0.5]
    assert service.posts == 1


# A service, a disk and a ledger that refuse.


@pytest.mark.parametrize(
    ("word", "status", "sentence", "is_teachers"),
    [
        ("401", 403, "refuses the class's key", True),
        ("403", 403, "refuses the class's key", True),
        ("406", 403, "the class's own account", True),
        ("404", 404, "no such model", False),
        ("500", 500, "it broke", False),
    ],
)
def test_a_person_reads_what_is_true_for_them(school, service, word, status, sentence, is_teachers):
    """What is wrong with the class's account is told to the person as the teacher's matter, and to the teacher."""
    answer = school.post("anna", body_of(f"A cat [{word}]"))
    assert answer.status_code == status
    assert sentence in error_of(answer)
    assert "nothing was billed" in error_of(answer)
    assert ("tell your teacher" in error_of(answer)) == is_teachers
    assert "top up" not in error_of(answer).lower()
    assert len(school.ledger.troubles(5)) == is_teachers
    assert school.ledger.spent_usd == service.usd == 0


def test_a_service_that_asks_to_wait_is_asked_again(school, service):
    """After a 429 the request is sent again, once, and paid for once."""
    answer = school.post("anna", body_of("A cat [once 429]"))
    assert (answer.status_code, service.posts, school.spent("anna")) == (200, 2, 0.5)


def test_a_service_that_can_not_be_reached_costs_nothing(tmp_path):
    """With nobody at the service's address the person is told so, and that nothing was billed."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with classroom(tmp_path / "class", f"http://127.0.0.1:{nobody.getsockname()[1]}") as school:
            answer = school.post("anna", body_of("A cat"))
            assert answer.status_code == 500
            assert "can't reach the service: nothing was billed" in error_of(answer)
            assert school.ledger.spent_usd == 0


def test_a_full_archive_sends_nothing(school, service, monkeypatch):
    """Where a clip could not be kept nothing is sent; the person is told whom to tell, and the teacher what it is."""
    monkeypatch.setattr(archive_module, "MIN_FREE_BYTES", 10**18)
    answer = school.post("anna", body_of("A cat"))
    assert answer.status_code == 500
    assert "tell your teacher" in error_of(answer)
    assert (service.posts, school.ledger.spent_usd) == (0, 0)
    assert "MB left" in school.ledger.troubles(1)[0]["detail"]


def test_a_clip_that_was_damaged_is_not_handed_out_and_not_paid_again(school, service):
    """Bytes that changed in the archive answer nobody; the sentence says that it is not paid again."""
    first = school.post("anna", body_of("A cat"))
    entry = school.client.archive.entry(school.work_of(first)["entry"])
    entry.clip.write_bytes(entry.clip.read_bytes()[:-1] + b"?")
    answer = school.post("ben", body_of("A cat"))
    assert answer.status_code == 500
    assert "not paid again" in error_of(answer)
    entry.path.write_text("{")
    assert school.post("ben", body_of("A cat")).status_code == 500
    rows = school.get("anna", "/inference-request/request-history").json()["data"]
    assert [row["generation_url"] for row in rows] == [None]
    assert service.posts == 1


def test_a_journal_that_is_damaged_sends_nothing_and_gives_the_price_back_once_it_is_mended(school, service):
    """A call whose journal can't be read is reserved until somebody looks, names no folder, and then costs nothing."""
    school.post("anna", body_of("A cat"))
    [file] = (school.client.archive.folder / "journal").glob("*/*.json")
    whole = file.read_bytes()
    file.write_bytes(b"{")
    take = {"x-vidu-take": "1a2b3c4d"}
    answer = school.post("ben", body_of("A cat"), headers=take)
    assert answer.status_code == 504
    assert str(school.folder) not in error_of(answer)
    assert "is damaged" in school.ledger.troubles(1)[0]["detail"]
    assert (service.posts, school.spent("ben")) == (1, 0.5)
    file.write_bytes(whole)
    assert "nothing was billed" in error_of(school.post("ben", body_of("A cat"), headers=take))
    assert school.spent("ben") == 0
    assert school.post("ben", body_of("A cat"), headers=take).headers["x-cost"] == "0.5"


def test_a_ledger_that_is_locked_for_a_while_delays_and_loses_nothing(school, service):
    """While another program holds the ledger's file a call waits; then it is made, and paid for once."""
    other = sqlite3.connect(school.folder / "ledger.db", isolation_level=None)
    service.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(school.post, "anna", body_of("A cat"))
        service.wait_for_posts(1)
        other.execute("BEGIN IMMEDIATE")
        service.gate.set()  # its answer comes while nothing can be written
        assert school.get("ben", "/v1/get-user-credits").json()["credits"] == 5
        other.execute("ROLLBACK")
        other.close()
        assert call.result().headers["x-cost"] == "0.5"
    assert school.spent("anna") == 0.5


def test_a_model_that_was_removed_meanwhile_is_brought_in(tmp_path):
    """A job of a model whose file is gone after a restart is fetched, and is there for whoever asked for it."""
    (tmp_path / "painter.toml").write_text(PAINTER.replace('"image"', '"video"'))
    models.add(tmp_path / "painter.toml")
    try:
        with Upstream(seconds=60) as service:
            with classroom(tmp_path / "class", service.url) as school:
                ticket = school.post("anna", {"text": "A hill"}, model="painter", version="v2").json()
                service.wait_for_posts(1)
            for job in service.jobs.values():
                job.ready = 0
            models.remove("painter")  # as a process without the file has them
            with classroom(tmp_path / "class", service.url) as school:
                report = {"status": ""}
                end = threading.Event()
                for _ in range(300):
                    report = school.get("anna", f"/v2/requests/{ticket['request_id']}").json()
                    if report["status"] == "COMPLETED" or end.wait(0.1):
                        break
                assert requests.get(report["output"], timeout=30).status_code == 200
                assert school.spent("anna") == service.usd
                assert school.post("anna", {"text": "A hill"}, model="painter").status_code == 404
    finally:
        models.remove("painter")


# Waiting.


def test_a_service_that_lets_everybody_wait_holds_up_nobody_else(tmp_path):
    """While a hundred calls wait for the service's answer, a replay, a status and a balance are told at once."""
    with (
        Upstream() as service,
        classroom(tmp_path / "c", service.url, each_usd=90, total_usd=90, at_once=200) as school,
    ):
        school.post("anna", body_of("Made"))
        service.gate.clear()
        tickets = [school.post("anna", body_of(f"A cat, {n}"), version="v2").json() for n in range(100)]
        service.wait_for_posts(60)
        assert school.post("ben", body_of("Made")).headers["x-cost"] == "0"
        assert school.get("anna", f"/v2/requests/{tickets[-1]['request_id']}/status").json()["status"] == "PROCESSING"
        assert school.get("anna", "/v1/get-user-credits").json()["credits"] == 39.5
        service.gate.set()
        answers = [school.post("ben", body_of(f"A cat, {n}")) for n in range(100)]
        assert {answer.status_code for answer in answers} == {200}
        assert service.usd == school.spent("anna") == 50.5


def test_a_request_is_in_memory_until_it_has_left(tmp_path, encoded):
    """The room for bodies is free again while a job waits in the service's queue, and taken while one is being sent."""
    picture = wanted("x").replace(references=encoded(1200, 900)).payload()["image_urls"]
    with Upstream(seconds=60) as service, classroom(tmp_path / "class", service.url) as school:
        before = school.state.memory.free
        service.gate.clear()
        school.post("anna", body_of("A cat") | {"image_urls": picture}, version="v2")
        service.wait_for_posts(1)
        assert school.state.memory.free < before - len(picture[0])
        service.gate.set()
        name = next(iter(school.state.desk._sending), None)
        if name:
            name.result(30)
        school.get("anna", "/health")  # a turn of the loop later
        assert school.state.memory.free == before
