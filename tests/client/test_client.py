"""Promises about money: one POST for each call, replay, and what may be repeated. The server's count is the truth."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from faults import KEY, kinds

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.storage.budget import Budget


@pytest.fixture
def told():
    return []


@pytest.fixture
def client(faults, told):
    """A client of the fault server, whose prompts choose the faults."""
    return Client(KEY, faults.root, timeout=10, notify=told.append)


@pytest.fixture
def client_of(faults, told):
    """Makes a client that meets one fault at each call."""
    return lambda fault: Client(KEY, faults.url(fault), timeout=10, notify=told.append)


def asking(fault="good", **changes):
    parameters = {"prompt": f"A cat [fault:{fault}]", "references": "https://example.com/cat.png", **changes}
    return vidu.VideoRequest(**parameters)


def test_the_same_request_is_paid_for_once(client, faults):
    """A second call replays the first one's bytes, says so, and sends nothing."""
    first = client.generate(asking())
    again = client.generate(asking())
    assert len(faults.posts()) == 1
    assert again.bytes == first.bytes
    assert (first.receipt.replayed, again.receipt.replayed) == (False, True)
    assert again.receipt.cost_usd == 0.0
    assert "replayed, $0.00" in repr(again)


def test_another_client_on_the_same_folder_replays(client, faults):
    """What one kernel paid for, another one replays, also with its own key and from a folder brought elsewhere."""
    clip = client.generate(asking()).bytes
    other = Client("another-key", faults.root)
    assert other.generate(asking()).bytes == clip
    moved = client.archive.folder.rename(client.archive.folder.with_name("moved"))
    (moved / "journal").rename(moved.with_name("left-behind"))
    assert Client(KEY, faults.root, archive=moved).generate(asking()).bytes == clip
    assert len(faults.posts()) == 1


def test_fresh_pays_for_another_take_and_keeps_both(client, faults):
    """`fresh=True` calls again; both takes stay, and the newest one replays."""
    first = client.generate(asking())
    second = client.generate(asking(), fresh=True)
    assert len(faults.posts()) == 2
    assert first.path != second.path
    assert first.path.exists()
    assert client.generate(asking()).path == second.path


def test_seed_0_never_replays_unless_offline(client, faults):
    """A random take is asked for anew each time; `offline=True` shows the one that is kept."""
    client.generate(asking(seed=0))
    second = client.generate(asking(seed=0))
    assert len(faults.posts()) == 2
    assert client.generate(asking(seed=0), offline=True).path == second.path
    assert len(faults.posts()) == 2


def test_offline_never_calls_out_and_names_the_nearest(client, faults):
    """A miss fails with the nearest kept request and what differs."""
    client.generate(asking())
    with pytest.raises(errors.NotKept, match=r"nearest is: .*\.mp4 differs in seed") as caught:
        client.generate(asking(seed=43), offline=True)
    assert caught.value.billed == "no"
    assert len(faults.posts()) == 1


#: The wrapping is broken, but a whole clip is in it.
EARLY = {"reset_at_accept"}  # the reset may come before or after the first byte leaves: either is told truly
RESCUED = {"length_too_long", "gzip_that_is_none", "encoding_unasked"}


@pytest.mark.parametrize("fault", sorted(RESCUED))
def test_a_whole_clip_in_a_broken_wrapping_is_kept(client_of, fault):
    """Bytes that are a whole MP4 are what was paid for, whatever the headers around them say."""
    client = client_of(fault)
    assert client.generate(asking(fault)).bytes[4:8] == b"ftyp"
    assert client.generate(asking(fault)).receipt.replayed
    assert client.pending() == []


@pytest.mark.parametrize("fault", sorted({*kinds(concludes="unknown", pace="quick")} - RESCUED - EARLY))
def test_an_unknown_outcome_is_never_paid_again_by_itself(client_of, faults, fault):
    """After no usable answer the same request is refused without a POST, is pending, and paid again only on request."""
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


def test_nothing_sent_is_tried_three_times_and_told(client, faults, told):
    """A refused connection is retried twice, each time told, and stays unbilled."""
    faults.down()
    with pytest.raises(errors.Unreachable) as caught:
        client.generate(asking())
    assert caught.value.billed == "no"
    assert len(told) == 2
    assert client.pending() == []
    faults.up()
    assert client.generate(asking()).bytes


def test_waiting_for_a_rate_limit_ends_within_a_second_of_an_interrupt(faults):
    """Ctrl-C during the wait after a 429 stops the call, and nothing is pending."""

    def interrupt_soon(_line):
        timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()

    patient = Client(KEY, faults.root, notify=interrupt_soon)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        patient.generate(asking("status_429_none"))
    assert time.monotonic() - started < 1.5
    assert patient.pending() == []


def test_an_interrupt_while_waiting_for_the_answer_is_an_unknown_outcome(client):
    """Ctrl-C on a sent call is a KeyboardInterrupt and an OutcomeUnknown, and it is journalled."""
    timer = threading.Timer(0.4, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        client.generate(asking("silence_after_body"))
    assert isinstance(caught.value, errors.OutcomeUnknown)
    assert [one.state for one in client.pending()] == ["unknown"]


def test_cancel_ends_the_call_at_once(client, faults):
    """`cancel` from another thread ends a silent call; it may be billed, so it is pending."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.generate, asking("silence_after_body"))
        faults.wait(lambda seen: any(one.reached == "body" for one in seen))
        started = time.monotonic()
        client.cancel()
        with pytest.raises(errors.OutcomeUnknown, match="cancelled"):
            call.result(timeout=5)
    assert time.monotonic() - started < 1
    assert len(client.pending()) == 1


def test_cancel_ends_a_wait_for_the_next_try(client_of):
    """A call that waits out a rate limit is called off at once; nothing is billed, and nothing is sent any more."""
    told, waits = [], threading.Event()
    client = client_of("rate_limited_once_seconds").sibling(notify=lambda line: (told.append(line), waits.set()))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.generate, asking())
        assert waits.wait(5), "it never waited"
        client.cancel()
        with pytest.raises(errors.Unreachable, match="cancelled") as caught:
            call.result(timeout=0.9)
    assert caught.value.billed == "no"
    assert client.pending() == []


def test_cancel_ends_a_wait_for_anothers_call(client, faults):
    """Who waits for the same request's clip can give up, and the one who made the call goes on undisturbed."""
    waits = threading.Event()
    second = client.sibling(notify=lambda _: waits.set())
    with ThreadPoolExecutor(2) as pool:
        first_call = pool.submit(client.generate, asking("silence_after_body"))
        faults.wait(lambda seen: any(one.reached == "body" for one in seen))
        second_call = pool.submit(second.generate, asking("silence_after_body"))
        assert waits.wait(5), "it never waited"
        second.cancel()
        with pytest.raises(errors.Unreachable, match="cancelled"):
            second_call.result(timeout=2)
        assert not first_call.done()
        client.cancel()
        with pytest.raises(errors.OutcomeUnknown):
            first_call.result(timeout=5)
    assert len(faults.posts()) == 1


def test_threads_that_ask_the_same_pay_once(client, faults, told):
    """Eight threads with one request make one POST; the others wait, are told so, and replay."""
    with ThreadPoolExecutor(8) as pool:
        videos = list(pool.map(client.generate, [asking("good_slow")] * 8))
    assert len(faults.posts()) == 1
    assert len({video.bytes for video in videos}) == 1
    assert sum(video.receipt.replayed for video in videos) == 7
    assert any("waiting for its clip" in line for line in told)


def test_a_clip_behind_a_failing_url_is_fetched_later_for_nothing(client, faults):
    """The URL is journalled before it is fetched: `resume` brings the clip once the URL answers, without a POST."""
    with pytest.raises(errors.OutcomeUnknown, match="could not be fetched") as caught:
        client.generate(asking("link_403"))
    assert "resume" in caught.value.remedy
    assert [one.state for one in client.pending()] == ["fetchable"]
    assert client.resume() == []
    assert len(faults.posts()) == 1


def test_settle_closes_an_unknown_call(client, faults):
    """After a look at the bill a person closes the call; the same request may be made again."""
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    [one] = client.pending()
    client.settle(one, billed=False)
    assert client.pending() == []
    with pytest.raises(errors.InvalidRequest, match="not an open call"):
        client.settle(one, billed=False)
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    assert len(faults.posts()) == 2


def test_a_budget_counts_unknown_outcomes_in_full(faults, tmp_path):
    """An unknown call keeps its reservation, a refused one gives it back, a paid one is corrected by x-cost."""
    budget = Budget(1.0, tmp_path / "budget.json")
    client = Client(KEY, faults.root, price_usd=0.6, budget=budget, timeout=5)
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    assert budget.spent == 0.6
    with pytest.raises(errors.BudgetExceeded, match=r"\$0\.60, and \$0\.40 of \$1\.00 is left"):
        client.generate(asking())
    assert len(faults.posts()) == 1
    client.settle(client.pending()[0], billed=False)
    with pytest.raises(errors.APIError):
        client.generate(asking("status_400"))
    assert budget.spent == 0.0
    client.generate(asking())
    assert budget.spent == 0.5


def test_a_full_disk_is_noticed_before_the_call(client, faults, monkeypatch):
    """Without room for the result nothing is sent."""
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 5_000_000))
    with pytest.raises(errors.ArchiveError, match="nothing was sent"):
        client.generate(asking())
    assert faults.posts() == []


def test_the_journal_tells_every_step(client):
    """Each attempt's file tells what was asked, of whom, at which price, and each state in order."""
    client.generate(asking())
    [path] = client.archive.folder.glob("journal/*/*.json")
    said = json.loads(path.read_text())
    assert [event["state"] for event in said["events"]] == ["prepared", "sent", "received", "stored"]
    assert said["request"]["prompt"] == "A cat [fault:good]"
    assert said["price_usd"] == 0.5


def test_a_request_made_elsewhere_comes_back_from_the_papers(client, photo):
    """An archive entry gives the whole request back, with the pictures that were sent."""
    request = asking(references=[photo, "https://example.com/cat.png"])
    video = client.generate(request)
    entry = client.archive.find(request.key(engine=client.engine), engine=client.engine)
    opened = client.archive.open(entry)
    assert opened.request == request
    assert opened.path == video.path


def test_the_key_is_told_by_no_part_of_the_client(client):
    """Neither the client, nor its parts, nor their variables show the key."""
    shown = repr(client) + repr(vars(client)) + repr(vars(client._session)) + repr(client._session.engine)
    assert KEY not in shown


@pytest.mark.parametrize("url", ["http://api.example.com", "http://10.0.0.1:8000"])
def test_a_key_never_travels_over_plain_http(url):
    """A base URL with plain http is refused for any host but this machine."""
    with pytest.raises(errors.InvalidRequest, match="plain http"):
        Client(KEY, url)


def test_previews_never_answer_for_paid_clips(client, faults, photo):
    """The same request kept as a preview is still asked of the service."""
    request = asking(references=photo, aspect_ratio="1:1", bgm=False)
    preview = Client.preview(archive=client.archive).generate(request)
    paid = client.generate(request)
    assert preview.receipt.engine == "preview"
    assert len(faults.posts()) == 1
    assert preview.bytes != paid.bytes


def test_again_pays_where_a_link_is_dead(faults):
    """`again=True` is the explicit word also for a clip whose URL no longer answers."""
    with pytest.raises(errors.OutcomeUnknown, match="could not be fetched"):
        Client(KEY, faults.url("link_404"), archive="here").generate(asking())
    [attempt] = Client(KEY, faults.url("link_404"), archive="here").archive.journal
    engine = attempt.facts["engine"]
    assert engine == Client(KEY, faults.root, archive="here").engine
    with pytest.raises(errors.OutcomeUnknown, match="could not be fetched"):
        Client(KEY, faults.root, archive="here").generate(asking())
    paid = Client(KEY, faults.root, archive="here").generate(asking(), again=True)
    assert paid.bytes[4:8] == b"ftyp"
    assert len(faults.posts()) == 2


def test_a_price_of_nothing_hides_no_cost_from_a_budget(faults, tmp_path):
    """Somebody who says that clips are free still sees in the budget what the service took for one."""
    budget = Budget(1.0, tmp_path / "budget.json")
    video = Client(KEY, faults.root, price_usd=0, budget=budget, timeout=5).generate(asking())
    assert budget.spent == video.receipt.cost_usd > 0


def test_a_budget_holds_its_own_calls_only(faults, tmp_path):
    """What another client left open is brought in without a word in this one's budget."""
    with pytest.raises(errors.OutcomeUnknown):
        Client(KEY, faults.url("link_500"), timeout=5).generate(asking("link_500"))
    budget = Budget(1.0, tmp_path / "budget.json")
    other = Client(KEY, faults.root, timeout=5, budget=budget, notify=len)
    other.resume()
    budget.correct("a call of another budget", 0.9)
    assert budget.spent == 0.0


def test_siblings_know_one_balance(client):
    """What one was told of the account, the others tell in their journals: it is how a bill can be looked up later."""
    sibling = client.sibling()
    sibling.generate(asking())
    assert client._session.account.balance is not None
    assert client.sibling()._session.account.balance == client._session.account.balance


def test_an_interrupted_look_at_the_balance_speaks_of_no_bill(faults, monkeypatch):
    """Ctrl-C in a free call is no more than that."""

    def request(*_, **__):
        raise errors.CallInterrupted("the call was interrupted")

    monkeypatch.setattr("vidu_nb.net.transport.Call.request", request)
    with pytest.raises(KeyboardInterrupt) as caught:
        Client(KEY, faults.root).credits()
    assert not isinstance(caught.value, errors.ViduError)


@pytest.mark.parametrize("wrong", ["http://[::1", "https://service.example:abc", "ftp://service.example", "nowhere"])
def test_a_base_url_that_is_none_is_refused(wrong):
    """Each is an error about `base_url`, before anything is sent."""
    with pytest.raises(errors.InvalidRequest, match=r"^base_url: must be an http\(s\):// URL"):
        Client(KEY, wrong)


def test_an_empty_setting_is_none(monkeypatch):
    """``SEGMIND_BASE_URL=`` with no key is the preview engine, as if it were not there."""
    monkeypatch.setenv("SEGMIND_BASE_URL", "")
    assert Client.from_env().is_free


def test_a_preview_is_never_paid_for(client, faults, photo):
    """Whoever hands `preview` a paying client is told, and nothing is sent; two qualities are one too many."""
    with pytest.raises(errors.InvalidRequest, match="it asks a paid service"):
        vidu.preview("A wall", photo, client=client)
    with pytest.raises(errors.InvalidRequest, match="quality"):
        vidu.preview("A wall", photo, client=Client.preview(), quality="draft")
    assert faults.posts() == []


def test_a_new_take_waits_for_the_fetch_of_an_open_one(faults):
    """With seed 0, too: while another kernel's `resume` has an unknown call in hand, nothing is paid for beside it."""
    client = Client(KEY, faults.url("link_json"), timeout=5, notify=len)
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking(seed=0))
    [attempt] = client.archive.journal
    with ThreadPoolExecutor(1) as pool:
        with hold(client.archive.lock_path(str(attempt.facts["lock"])), timeout=5):
            asked = pool.submit(client.generate, asking(seed=0))
            assert not wait([asked], timeout=0.3).done
        assert isinstance(asked.exception(timeout=10), errors.OutcomeUnknown)
    assert len(faults.posts()) == 1
