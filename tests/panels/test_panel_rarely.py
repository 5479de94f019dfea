"""Panels, sweeps and the preview server on rare days: what is told when something went or stayed away."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
import requests
from faults import KEY
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from panels import WAIT, button, fault, text, walk
from PIL import Image
from pydantic import Field

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.animatic import api, connections
from vidu_nb.animatic.holdings import Shelf
from vidu_nb.animatic.jobs import RENDERS_AT_ONCE
from vidu_nb.animatic.server import PreviewServer, embedded
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.panels import history
from vidu_nb.panels.panel import Panel
from vidu_nb.request import DRAFT, MODEL, VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget
from vidu_nb.widgets.tray import ReferenceTray

CAT = "https://example.com/cat.png"


@pytest.fixture
def client(paid):
    """A paying client of that service."""
    return Client(KEY, paid.root, price_usd=0.5, timeout=10, notify=len)


def until(holds):
    """Wait until something is so."""
    end = time.monotonic() + WAIT
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come true"
        threading.Event().wait(0.01)
    return found


def press(panel, name):
    """Click a button and wait for what comes of it."""
    button(panel, name).click()
    assert panel._job is None or panel._job.wait(WAIT), "the call did not end"
    return panel


def cards(widget):
    """The cards of clips in something."""
    return [one for one in walk(widget) if "vidu-card" in getattr(one, "_dom_classes", ())]


def papers_of(video):
    """The JSON beside a kept clip, and what it says."""
    path = video.path.with_suffix(".json")
    return path, json.loads(path.read_text())


# The panel.


def test_a_new_parameter_of_words_gets_a_line_of_text(asked):
    """A text that the model gains is typed, and stands in the request."""

    class Styled(VideoRequest):
        style: str = Field(default="plain", title="Style", description="In a word or two.")

    panel = Panel(asked, model=Styled)
    assert panel.request.style == "plain"
    next(one for one in walk(panel) if getattr(one, "description", "") == "Style").value = "noir"
    assert panel.request.style == "noir"


def test_words_that_vanish_after_the_click_are_told(asked):
    """A prompt that was emptied while the click was on its way is no call: what is missing is said."""
    panel = vidu.panel(**asked)

    def late(then):
        panel._form.fields["prompt"].control.value = ""
        then(True)

    panel._roundtrip.ask = late
    press(panel, "Preview")
    assert "prompt: is empty" in panel._actions._stage.value
    assert (panel.state, panel.video) == ("ready", None)


def test_the_strip_forgets_the_oldest_card_and_the_panel_no_clip(asked, paid, monkeypatch):
    """Beyond its length the strip closes cards with all that is in them; the history keeps the clips."""
    monkeypatch.setattr(history, "_MAX_SHOWN", 2)
    panel = vidu.panel(**asked)
    panel.generate()
    [oldest] = cards(panel)
    inside = list(walk(oldest))
    for seed in (1, 2):
        panel.fill(seed=seed)
        panel.generate()
    assert len(cards(panel)) == 2
    assert [one.comm for one in inside] == [None] * len(inside)
    assert len(panel.history) == len(paid.posts()) == 3


def test_a_shelf_shows_a_clip_whose_papers_tell_no_request(asked, client):
    """Opened again it holds each card once; the clip is shown under its file's name, and the controls stay."""
    path, said = papers_of(client.generate(VideoRequest(**asked)))
    path.write_text(json.dumps(said | {"request": None}))
    panel = vidu.panel("Another wave", seed=9)
    toggle = panel._shelf._toggle
    for is_open in (True, False, True):
        before = cards(panel)
        toggle.value = is_open
        until(lambda now=is_open, old=before: not now or (cards(panel) and cards(panel) != old))
    [card] = cards(panel)
    assert path.stem in text(card)
    button(card, "Show").click()
    assert "Its pictures are gone, so the controls stay as they are" in text(panel)
    assert panel.video.path == path.with_suffix(".mp4")
    assert panel._form.values()["seed"] == 9


@pytest.mark.usefixtures("paid")
def test_a_copy_needs_a_name(asked, tmp_path):
    """An emptied name is asked for, and nothing is written."""
    panel = vidu.panel(**asked)
    panel.generate()
    panel._tools._name.value = " "
    button(panel, "Save a copy").click()
    assert "Name a file first." in text(panel)
    assert list(tmp_path.glob("*.mp4")) == []


def test_a_kept_clip_with_damaged_papers_is_never_paid_for_by_a_click(asked, paid):
    """The button no longer says that it is kept; a click tells what is damaged, and sends nothing."""
    panel = press(vidu.panel(**asked), "Generate (about $")
    path, _ = papers_of(panel.video)
    path.write_text("half a li")
    panel.fill(seed=1)
    panel.fill(seed=42)
    press(panel, "Generate (about $")
    assert f"{path} is damaged" in text(panel)
    assert len(paid.posts()) == 1


def test_a_journal_that_breaks_meanwhile_takes_the_stage_and_not_the_call(asked, paid):
    """While the call goes on, the line tells what it can; the call ends as it would have."""
    panel = vidu.panel(**asked | {"prompt": fault("silence_after_body")})
    button(panel, "Generate").click()
    until(lambda: "The model is at work" in text(panel))
    [attempt] = Archive().journal
    attempt.path.write_text("half a li")
    until(lambda: "Starting" in text(panel))
    press(panel, "Cancel")
    assert isinstance(panel.error, errors.OutcomeUnknown)
    assert [len(paid.posts()), *(one.state for one in Archive().journal)] == [1, "unknown"]


def test_a_cancelled_call_that_is_still_held_up_stays_cancelled(asked, paid, tmp_path):
    """However long it takes until the call can hear of it, nothing is sent afterwards."""
    budget = Budget(5, tmp_path / "budget.json")
    panel = vidu.panel(**asked, client=Client(budget=budget))
    with hold(budget.file.with_suffix(".lock"), timeout=0):
        button(panel, "Generate").click()
        until((panel._service.archive.folder / "incoming").is_dir)
        button(panel, "Cancel").click()
        before = panel._actions._bar.value
        until(lambda: panel._actions._bar.value != before)  # the clock has looked at it once more
    assert panel._job.wait(WAIT)
    assert "Cancelled. Nothing is billed." in text(panel)
    assert paid.posts() == []


def test_live_drafts_start_once_and_give_way(asked, tmp_path):
    """A look at the same request draws nothing anew; a change ends the draft that is being made."""
    panel, jobs, go = vidu.panel(**asked), embedded().api.jobs, threading.Event()
    live = panel._live
    for _ in range(RENDERS_AT_ONCE):
        jobs.submit(lambda **_hooks: go.wait(WAIT))
    try:
        live.box.value = True
        until(lambda: jobs._line)  # the draft waits for its turn
        button(panel, "Generate (needs a key)").click()  # tells how to set one; the request is the same
        panel.fill(seed=8)
        until(lambda: not jobs._line)
    finally:
        go.set()
    until(lambda: any("seed 8 · draft" in one["data"]["text/html"] for one in panel._screen.slot.output.outputs))
    live.box.value = False
    until(lambda: not live._is_working)
    drafts = list(Archive(tmp_path / "archive" / "drafts").entries())
    assert [entry.facts["request"]["seed"] for entry in drafts] == [8]


def test_a_picture_that_is_not_sent_has_no_place(encoded):
    """Moving a card with a problem is refused by its name, and the others stay where they are."""
    tray, said = ReferenceTray(encoded()), []
    tray.send = said.append
    tray._receive(tray, {"do": "file", "name": "broken.png", "token": "a"}, [memoryview(b"rubbish")])
    tray._receive(tray, {"do": "move", "id": tray.items[1]["id"], "by": -1, "token": "b"}, [])
    assert said[-1] == {
        "token": "b",
        "said": "broken.png is not sent: it has no place among the pictures",
        "refused": True,
    }
    assert [item["label"] for item in tray.items] == ["picture", "broken.png"]


# Sweeps.


@pytest.fixture
def shell(tmp_path):
    """An IPython shell that believes to be a notebook's."""
    main = sys.modules["__main__"]  # a shell takes its place, and other tests start processes from it
    made = InteractiveShell.instance(ipython_dir=str(tmp_path / "ipython"))
    made.history_manager.enabled = False
    made.kernel = object()
    yield made
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


@pytest.mark.usefixtures("shell")
def test_a_notebook_is_shown_the_plan_before_the_word_and_the_money_meanwhile(client):
    """What waits for a word is seen with its price; while it runs, what is spent, what is left, and why it waits."""
    with capture_output() as shown, pytest.raises(errors.ConfirmationNeeded):
        vidu.sweep("A cat", CAT, seed=[1, 2, 3], client=client)
    assert "Plan: 3 requests" in shown.outputs[0].data["text/html"]
    with capture_output() as shown:
        vidu.sweep("A cat [fault:rate_limited_once_seconds]", CAT, client=client, budget_usd=1.0)
    lines = [one.data["text/html"] for one in shown.outputs if "progressbar" in one.data.get("text/html", "")]
    assert any("$0.00 spent · $1.00 left of the budget" in line and "the next try is in" in line for line in lines)


def test_an_interrupted_sweep_shows_no_traceback_in_a_notebook(shell, capsys):
    """Where the code stood when somebody pressed a button tells nothing: one line does."""
    shell.user_ns["told"] = errors.SweepInterrupted("2 of 6 clips", remedy="Run it again.")
    shell.run_cell("raise told")
    said = "".join(capsys.readouterr())
    assert "2 of 6 clips. Run it again." in said
    assert "Traceback" not in said


def test_a_clip_that_has_gone_leaves_its_place_in_the_grid(client):
    """The others are shown, and the place says what is missing; rows can be taken out of a table."""
    swept = vidu.sweep("A cat", CAT, seed=[1, 2], client=client, confirm=True)
    swept[0].path.unlink()
    html = swept.show().html()
    assert html.count("<video") == 1
    assert f"{swept[0].path} does not exist" in html
    rows = swept.rows()
    rows.clear()
    assert repr(rows) == "no rows"
    with pytest.raises(errors.InvalidRequest, match="colour: no such parameter"):
        swept.at(seed=1, colour="red")


def test_an_answer_that_the_disk_gives_no_more_is_one_requests_trouble(client, paid):
    """Bytes of an earlier call that can't be read are that request's error: it is not paid for again, others go on."""
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(VideoRequest(prompt=fault("reset_after_body"), references=CAT))
    [attempt] = client.archive.journal
    said = json.loads(attempt.path.read_text())
    attempt.path.write_text(json.dumps(said | {"events": said["events"][:2]}))  # as a process leaves it that was killed
    (client.archive.folder / "incoming" / f"{attempt.id}.body").symlink_to("/proc/self/mem")  # which is never followed
    swept = vidu.sweep([fault("reset_after_body"), "A cat"], CAT, client=client, confirm=True)
    assert [str(one) for one in swept.failed] == ["the archive: it is a link, which is not followed"]
    assert (len(swept.videos), len(paid.posts())) == (1, 2)


class Odd(Executor):
    """An executor that leaves each call to its fate."""

    def __init__(self, fate):
        self.fate, self.futures = fate, []

    def submit(self, *_):
        """Take a call, and make it nowhere."""
        self.futures.append(Future())
        self.fate(self.futures[-1])
        return self.futures[-1]


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        (lambda future: future.set_exception(LookupError("gone")), "the worker was lost (LookupError)"),
        (lambda future: future.cancel(), "the executor cancelled the call"),
    ],
    ids=["lost", "cancelled"],
)
def test_a_call_that_an_executor_loses_is_of_unknown_outcome(client, fate, said):
    """It may have been made: it counts in full, stays pending, and is not made again by itself."""
    swept = vidu.sweep("A cat", CAT, client=client, confirm=True, executor=Odd(fate), share_key=True)
    [error] = swept.failed
    assert said in str(error)
    assert (error.billed, swept.spent_usd, len(client.pending())) == ("unknown", 0.5, 1)


def test_an_interrupt_leaves_no_free_call_with_an_executor(photo):
    """What waits for a worker that never comes is called off, and counts as no failure."""
    executor = Odd(lambda _: threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start())
    with pytest.raises(errors.SweepInterrupted, match="0 of 1 clips") as caught:
        vidu.sweep("A cat", photo, client=Client.preview(quality="draft"), executor=executor)
    until(lambda: not caught.value.sweep._run.flying)
    assert [future.cancelled() for future in executor.futures] == [True]
    assert caught.value.sweep.failed == []


def test_dask_that_is_only_imported_changes_no_call(client, paid):
    """In a process that is no worker of a cluster, a pool's threads make their calls."""
    import distributed

    with pytest.raises(ValueError, match="No worker"):
        distributed.get_worker()
    with ThreadPoolExecutor(2) as pool:
        swept = vidu.sweep("A cat", CAT, seed=[1, 2], client=client, confirm=True, executor=pool)
    assert len(swept.videos) == len(paid.posts()) == 2


# The preview server.


@pytest.fixture
def own():
    """A preview server of the test's own."""
    with PreviewServer(key=KEY) as server:
        yield server


def ask(server, path, body=None, **options):
    """A call with the server's key: a POST where there is a body."""
    url = path if path.startswith("http") else server.base_url + path
    method = "POST" if body else "GET"
    return requests.request(method, url, json=body, headers={"x-api-key": KEY}, timeout=30, **options)


def test_the_queue_forgets_its_oldest_requests_and_its_oldest_clips(own, body, monkeypatch):
    """A clip that newer ones pushed out, and a request of long ago, are told apart, both 404."""
    own.api.files = Shelf(count=1, size=10_000_000)
    first, second = (ask(own, f"/v2/{DRAFT}", body | {"seed": seed}).json() for seed in (1, 2))
    for one in (first, second):
        until(lambda url=one["status_url"]: ask(own, url).json()["status"] == "COMPLETED")
    told = [ask(own, one["response_url"]) for one in (first, second)]
    assert [one.status_code for one in told] == [404, 200]
    assert "given up for newer ones: ask for it anew" in told[0].text
    monkeypatch.setattr(api, "_RECORDS", 2)
    ask(own, f"/v2/{DRAFT}", body)
    assert "no such request" in ask(own, first["response_url"]).text


def test_who_waits_for_a_clip_is_answered_when_the_server_stops(own, body):
    """Nobody is left without a word, and no render begins any more."""
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ask(own, f"/v1/{MODEL}", body)))
    waiting.start()
    until(lambda: own.api.jobs.running)
    assert own.stop()
    waiting.join(WAIT)
    assert [(one.status_code, one.json()) for one in answers] == [(499, {"error": "the preview was cancelled"})]
    with pytest.raises(errors.ViduError, match="the server is stopping"):
        own.api.jobs.submit(lambda **_hooks: "a clip")


def test_who_still_reads_an_answer_is_never_cut_off(own, monkeypatch):
    """A slow reader gets every byte: it makes no room for newcomers, who are told to come back, nor for the end."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(connections, "GRACE", -1.0)
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (2000, 2000, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    [url] = ask(own, "/upload-asset", {"data_urls": [uri]}).json()["urls"]
    until(lambda: own.connections == 0)
    with socket.create_connection(("127.0.0.1", own._socket.getsockname()[1]), timeout=WAIT) as slow:
        slow.sendall(f"GET {url.removeprefix(own.base_url)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        [held] = until(lambda: [one.transport for one in own._server.server_state.connections])
        until(held.get_write_buffer_size)
        assert ask(own, "/v1/get-user-credits").status_code == 429
        stopping = threading.Thread(target=own.stop)
        stopping.start()
        until(held.is_closing)
        read = b"".join(iter(lambda: slow.recv(1 << 20), b""))
        stopping.join(WAIT)
    assert read.endswith(buffer.getvalue())
