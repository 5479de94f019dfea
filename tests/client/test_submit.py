"""From a request to the answer's bytes on disk: what is sent once, what is sent again, and what is concluded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import KEY, clip, kinds

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.client.submit import Submission
from vidu_nb.net.transport import Answer


@pytest.fixture
def client(faults):
    """A client of the fault server, whose prompts choose the faults."""
    return Client(KEY, faults.root, timeout=10, notify=len)


@pytest.fixture
def client_of(faults):
    """Makes a client that meets one fault at each call."""
    return lambda fault: Client(KEY, faults.url(fault), timeout=10, notify=len)


def asking(fault="good", **changes):
    return vidu.VideoRequest(
        **{"prompt": f"A cat [fault:{fault}]", "references": "https://example.com/cat.png", **changes}
    )


def interrupt(once):
    """Press Ctrl-C in this process as soon as something has come about."""

    def press():
        once()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()


# What is concluded.

#: The wrapping is broken, but a whole clip is in it.
EARLY = {"reset_at_accept"}  # the reset may come before or after the first byte leaves: either is told truly
RESCUED = {
    "length_too_long", "gzip_that_is_none", "encoding_unasked", "chunk_size_minus_one", "chunk_size_minus_five",
    "chunk_size_huge",
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(RESCUED))
def test_a_whole_clip_in_a_broken_wrapping_is_kept(client_of, fault):
    """Bytes that are a whole MP4 are what was paid for, whatever the headers around them say."""
    client = client_of(fault)
    assert client.generate(asking(fault)).bytes[4:8] == b"ftyp"
    assert client.generate(asking(fault)).receipt.replayed
    assert client.pending() == []


@pytest.mark.parametrize("fault", sorted({*kinds(concludes="unknown", pace="quick")} - RESCUED - EARLY))
def test_an_unknown_outcome_is_never_paid_again_by_itself(client_of, faults, monkeypatch, fault):
    """Without a record: the same request is refused without a POST, is pending, and paid again only on request."""
    monkeypatch.setenv("VIDU_NB_HISTORY_URL", "off")  # at some doors a question could not be told from a call
    client = client_of(fault)
    with pytest.raises((errors.OutcomeUnknown, errors.APIError)) as first:
        client.generate(asking(fault))
    assert first.value.billed in ("unknown", "yes")
    assert len(faults.posts()) <= 1
    pending = client.pending()
    assert [one.prompt for one in pending] == [f"A cat [fault:{fault}]"]
    met = len(faults.settle())
    with pytest.raises(errors.OutcomeUnknown) as second:
        client.generate(asking(fault))
    assert second.value.remedy
    if pending[0].state == "unknown":
        assert len(faults.settle()) == met
        with pytest.raises((errors.OutcomeUnknown, errors.APIError)):
            client.generate(asking(fault), again=True)
        assert len(faults.settle()) == met + 1
    else:
        assert len(faults.posts()) == 1


@pytest.mark.parametrize("fault", [name for name in kinds(concludes="not billed", pace="quick") if "429" not in name])
def test_a_refusal_is_not_pending(client_of, faults, fault):
    """Where the service says that nothing was billed, the error says so, and the next call is free to try."""
    client = client_of(fault)
    with pytest.raises(errors.APIError) as caught:
        client.generate(asking(fault))
    assert caught.value.billed == "no"
    assert caught.value.remedy
    assert client.pending() == []
    assert faults.billed() == 0


@pytest.mark.parametrize("fault", kinds(concludes="video kept", pace="quick"))
def test_every_whole_answer_is_kept(client_of, faults, fault):
    """Whatever form a whole clip comes in, it is kept, and the next call replays it."""
    client = client_of(fault)
    video = client.generate(asking(fault))
    assert video.bytes[4:8] == b"ftyp"
    posts = len(faults.posts())
    assert client.generate(asking(fault)).receipt.replayed
    assert len(faults.posts()) == posts
    assert faults.billed() == 1
    assert not list(client.archive.folder.glob("incoming/*"))


def test_the_journal_tells_every_step(client):
    """Each attempt's file tells what was asked, of whom, at which price, and each state in order."""
    client.generate(asking())
    [path] = client.archive.folder.glob("journal/*/*.json")
    facts = json.loads(path.read_text())
    assert [event["state"] for event in facts["events"]] == ["prepared", "sent", "received", "stored"]
    assert facts["request"]["prompt"] == "A cat [fault:good]"
    assert facts["price_usd"] == 0.5


def test_a_take_has_a_name_for_services_that_replay_and_none_for_the_hosted_one(faults):
    """A gateway is told that a take is one of its own, the same for each try; the hosted service is not."""
    takes = []
    for url in (faults.root, "https://api.segmind.com"):
        session = Client(KEY, url, notify=len)._session
        submission = Submission(session, asking(), 64 * "a", f"{64 * 'a'}-1a2b3c4d", bool)
        takes.append(submission._headers())
    assert takes == [{"x-vidu-take": "1a2b3c4d"}, {}]
    assert Submission(session, asking(), 64 * "a", 64 * "a", bool)._headers() == {}


def test_siblings_know_one_balance(client):
    """What one learned of the account, the others journal: it is how a bill can be looked up later."""
    reported = client.sibling().generate(asking()).receipt.credits_remaining
    client.sibling().generate(asking(seed=2))
    first, second = (attempt.facts["credits_before"] for attempt in sorted(client.archive.journal, key=by_time))
    assert (first, second) == (None, reported)


def by_time(attempt):
    return attempt.id


# Nothing was sent.


def test_nothing_sent_is_tried_three_times_and_told(faults):
    """A refused connection is retried twice, each time told, stays unbilled, and leaves nothing in the journal."""
    lines = []
    client = Client(KEY, faults.root, timeout=10, notify=lines.append)
    faults.down()
    with pytest.raises(errors.Unreachable) as caught:
        client.generate(asking())
    assert caught.value.billed == "no"
    assert len(lines) == 2
    assert client.pending() == []
    assert list(client.archive.journal) == []
    faults.up()
    assert client.generate(asking()).bytes


@pytest.mark.parametrize("name", ["incoming", "references"])
def test_nothing_is_sent_where_the_answer_could_not_be_kept(client, faults, photo, name):
    """A file where the archive needs a folder is found before the call is paid for."""
    client.archive.folder.mkdir()
    (client.archive.folder / name).write_text("in the way")
    with pytest.raises(errors.ArchiveError, match=r"nothing was sent.*can't be written \(.*File exists"):
        client.generate(asking(references=photo))
    assert faults.posts() == []


def test_a_full_disk_is_noticed_before_the_call(client, faults, monkeypatch):
    """Without disk space for the result nothing is sent."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 5_000_000))
    with pytest.raises(errors.ArchiveError, match="nothing was sent"):
        client.generate(asking())
    assert faults.posts() == []


def test_a_journal_that_can_not_be_written_sends_nothing(client, faults):
    """It is the first thing that is written once connected, and nothing leaves before."""
    key = asking().key(engine=client.engine, model=client.model)
    client.archive.folder.mkdir()
    (client.archive.folder / "journal").mkdir()
    (client.archive.folder / "journal" / key[:2]).write_text("in the way")
    with pytest.raises(errors.ArchiveError, match="nothing was sent: the journal can't be written"):
        client.generate(asking())
    assert faults.posts() == []


# Waiting, and being told to stop.


def test_waiting_for_a_rate_limit_ends_within_a_second_of_an_interrupt(faults):
    """Ctrl-C during the wait after a 429 stops the call, and nothing is pending."""
    patient = Client(KEY, faults.root, notify=lambda _line: interrupt(lambda: None))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        patient.generate(asking("status_429_none"))
    assert time.monotonic() - started < 1.5
    assert patient.pending() == []


def test_cancel_ends_a_wait_for_the_next_try(client_of):
    """A call that waits out a rate limit is called off at once; nothing is billed, and nothing is sent any more."""
    waits = threading.Event()
    client = client_of("rate_limited_once_seconds").sibling(notify=lambda _: waits.set())
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.generate, asking())
        assert waits.wait(5), "it never waited"
        client.cancel()
        with pytest.raises(errors.Unreachable, match="cancelled") as caught:
            call.result(timeout=0.9)
    assert caught.value.billed == "no"
    assert client.pending() == []


def test_an_interrupt_while_waiting_for_the_answer_is_an_unknown_outcome(client, faults):
    """Ctrl-C on a sent call says that it may be billed, and it is journalled."""
    interrupt(lambda: faults.wait(lambda seen: any(one.reached == "body" for one in seen)))
    with pytest.raises(KeyboardInterrupt) as caught:
        client.generate(asking("silence_after_body"))
    assert caught.value.billed == "unknown"
    assert [one.state for one in client.pending()] == ["unknown"]


class Stopped:
    """A transport whose answer had come when somebody pressed Ctrl-C, though its end had not."""

    def __init__(self, body, on_send):
        self.sent = False
        self._body, self._on_send = body, on_send

    def abort(self, reason=""):
        """There is nothing to end."""

    def request(self, *_, **__):
        """Send nothing, and be stopped."""
        self._on_send()
        self.sent = True
        interrupt = errors.CallInterrupted("interrupted")
        interrupt.answer = Answer(200, {}, self._body, 0.1)
        raise interrupt


@pytest.mark.parametrize("kind", ["clip", "link", "ticket"])
def test_an_interrupt_of_an_answer_that_had_come_keeps_it(web, kind):
    """The interrupt counts, what came is on disk, and the same call again brings the clip at no cost."""
    web.pages["/clip.mp4"] = clip("whole")
    link = json.dumps({"video": {"url": web.url("/clip.mp4")}}).encode()
    web.pages["/v2/requests/job-1/status"] = b'{"status": "COMPLETED"}'
    web.pages["/v2/requests/job-1"] = link
    ticket = json.dumps({"request_id": "job-1", "status_url": web.url("/v2/requests/job-1/status")}).encode()
    body = {"clip": clip("whole"), "link": link, "ticket": ticket}[kind]
    client = Client(KEY, web.url(""), timeout=20, notify=len)  # which answers no POST
    with pytest.raises(KeyboardInterrupt):
        client.sibling(call=lambda **how: Stopped(body, how["on_send"])).generate(asking())
    assert [call.state for call in client.pending()] == ["fetchable"]
    assert client.generate(asking()).bytes == clip("whole")
    assert client.pending() == []


def test_an_interrupt_while_an_answer_is_written_waits_for_the_disk(client, faults, monkeypatch):
    """The clip in hand is on disk before the interrupt counts; asked for again, it costs nothing."""
    interrupts, sync = [], os.fsync

    def interrupted(file):
        if faults.posts() and not interrupts:
            interrupts.append(os.kill(os.getpid(), signal.SIGINT))
        sync(file)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.generate(asking())
    assert client.generate(asking()).bytes[4:8] == b"ftyp"
    assert len(faults.posts()) == len(interrupts) == 1


def test_an_interrupted_look_at_the_balance_speaks_of_no_bill(faults):
    """Ctrl-C in a free call is no more than that."""
    interrupt(lambda: faults.wait(lambda seen: any(one.reached == "headers" for one in seen)))
    with pytest.raises(KeyboardInterrupt) as caught:
        Client(KEY, faults.url("silence_after_headers")).credits()
    assert type(caught.value) is KeyboardInterrupt
