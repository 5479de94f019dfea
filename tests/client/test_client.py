"""Promises about money: one POST for each request, replay, and who waits for whom. The server's count is the truth."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import errors, media
from vidu_nb.catalogue.request import PREVIEW_VERSION
from vidu_nb.client.client import Client
from vidu_nb.locks import hold

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture
def lines():
    """What the client reports while something takes its time."""
    return []


@pytest.fixture
def client(faults, lines):
    """A client of the fault server, whose prompts choose the faults."""
    return Client(KEY, faults.root, timeout=10, notify=lines.append)


def asking(fault="good", **changes):
    return vidu.VideoRequest(
        **{"prompt": f"A cat [fault:{fault}]", "references": "https://example.com/cat.png", **changes}
    )


# Replays.


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


def test_another_take_without_calling_out_is_a_contradiction(client, faults):
    """`fresh=True, offline=True` is refused with both names, whether or not something is kept."""
    client.generate(asking())
    for request in (asking(), asking(seed=43)):
        with pytest.raises(errors.InvalidRequest, match=r"fresh=True .* offline=True .* one of the two") as caught:
            client.generate(request, fresh=True, offline=True)
        assert caught.value.field == "offline"
    assert len(faults.posts()) == 1


def test_a_request_made_elsewhere_comes_back_from_the_archive(client, photo):
    """An archive's entry gives the whole request back, with the pictures that were sent."""
    request = asking(references=[photo, "https://example.com/cat.png"])
    video = client.generate(request)
    entry = client.archive.find(request.key(engine=client.engine), engine=client.engine)
    opened = client.archive.open(entry)
    assert opened.request == request
    assert opened.path == video.path


# Previews.


@pytest.fixture
def drafts():
    """A client of the preview engine's quick form."""
    return Client.preview(quality="draft")


def test_previews_never_answer_for_paid_clips(client, drafts, faults, photo):
    """The same request kept as a preview is still asked of the service."""
    request = asking(references=photo, aspect_ratio="1:1", bgm=False)
    preview = drafts.generate(request)
    paid = client.generate(request)
    assert preview.receipt.engine == "preview"
    assert len(faults.posts()) == 1
    assert preview.bytes != paid.bytes


def test_a_preview_is_never_paid_for(client, faults, photo):
    """Whoever hands `preview` a paying client is told, and nothing is sent; two qualities are one too many."""
    with pytest.raises(errors.InvalidRequest, match="it asks a paid service"):
        vidu.preview("A wall", photo, client=client)
    with pytest.raises(errors.InvalidRequest, match="quality"):
        vidu.preview("A wall", photo, client=Client.preview(), quality="draft")
    assert faults.posts() == []


def test_a_damaged_preview_is_made_again(drafts, photo):
    """It costs nothing, so nobody is asked to mend it."""
    request = asking(references=photo, aspect_ratio="1:1", bgm=False)
    first = drafts.generate(request)
    first.path.write_bytes(b"rot")
    again = drafts.generate(request)
    assert not again.receipt.replayed
    assert media.what_is_wrong(again.bytes) == ""


def test_a_preview_of_an_older_engine_is_listed_and_does_not_replay(drafts, photo, monkeypatch):
    """After an upgrade the same request is drawn anew; what the engine before had drawn stays where it is."""
    request = asking(references=photo, aspect_ratio="1:1", bgm=False)
    old = drafts.generate(request)
    monkeypatch.setattr("vidu_nb.catalogue.request.PREVIEW_VERSION", PREVIEW_VERSION + 1)
    new = drafts.generate(request)
    assert not new.receipt.replayed
    assert {entry.clip for entry in drafts.archive.entries(engine="preview")} == {old.path, new.path}
    assert drafts.generate(request).receipt.replayed


# Several at once.


def test_threads_that_ask_the_same_pay_once(client, faults, lines):
    """Eight threads with one request make one POST; the others wait, are told so, and replay."""
    with ThreadPoolExecutor(8) as pool:
        videos = list(pool.map(client.generate, [asking("good_slow")] * 8))
    assert len(faults.posts()) == 1
    assert len({video.bytes for video in videos}) == 1
    assert sum(video.receipt.replayed for video in videos) == 7
    assert any("waiting for its clip" in line for line in lines)


def test_waiting_for_anothers_call_ends(faults):
    """After twice the time that a call may take, whoever waits is told, and nothing is sent."""
    lines = []
    client = Client(KEY, faults.root, timeout=0.05, notify=lines.append)
    key = asking().key(engine=client.engine, model=client.model)
    with (
        hold(client.archive.lock_path(key), timeout=0),
        pytest.raises(errors.ArchiveError, match="nothing was sent: another thread or kernel has been making the same"),
    ):
        client.generate(asking())
    assert ["waiting for its clip" in line for line in lines] == [True]
    assert faults.posts() == []


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


# What a client is.


def test_a_client_is_made_of_what_a_person_knows():
    """Of a key and an address; the text that names who answers is no way to make another one."""
    assert Client(KEY, "http://127.0.0.1:8000").engine == "127.0.0.1:8000"
    with pytest.raises(TypeError, match="engine"):
        Client(engine=Client(KEY).engine)


def test_a_client_that_could_not_be_made_can_be_shown():
    """As a traceback does that prints each frame's variables."""
    assert "refused" in repr(Client.__new__(Client))
    with pytest.raises(errors.InvalidRequest) as caught:
        Client(KEY, price_usd="half")
    frames = [entry.frame.f_locals for entry in caught.traceback]
    assert [repr(made) for frame in frames for made in frame.values() if isinstance(made, Client)]


def test_a_random_seed_may_be_paid_for_once(client, faults):
    """Whoever asks for it so: many at a time get one clip, and later what is kept, of several the newest."""
    request = asking("good_slow", seed=0)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: client.make_once(request).receipt.sha256, range(8)))
    assert (len(set(made)), len(faults.posts())) == (1, 1)
    newest = client.generate(request).receipt.sha256
    assert client.make_once(request).receipt.sha256 == newest != made[0]
    assert [one.receipt.sha256 for one in client.takes(request)] == [made[0], newest]
    assert len(faults.posts()) == 2


def test_a_lost_call_with_a_random_seed_is_not_repeated_behind_anybodys_back(client, faults):
    """As for any other request: what may have been billed is asked for again only where somebody says so."""
    request = asking("reset_after_body", seed=0)
    for _ in range(2):
        with pytest.raises(errors.OutcomeUnknown):
            client.make_once(request)
    assert len(faults.posts()) == 1
