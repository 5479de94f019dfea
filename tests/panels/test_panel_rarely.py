"""Panels, sweeps and the preview server on rare days: what is told when something went or stayed away."""

from __future__ import annotations

import json
import sys
import threading
import time

import pytest
from faults import KEY
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from panels import WAIT, button, fault, text, walk
from pydantic import Field

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.animatic.server.queue import RENDERS_AT_ONCE
from vidu_nb.animatic.server.server import embedded
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.panels import history
from vidu_nb.panels.panel import Panel
from vidu_nb.request import VideoRequest
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
    panel, queue, go = vidu.panel(**asked), embedded().state.queue, threading.Event()
    live = panel._live
    for _ in range(RENDERS_AT_ONCE):
        queue.submit(lambda *_: go.wait(WAIT))
    try:
        live.box.value = True
        until(lambda: queue.waiting)  # the draft waits for its turn
        button(panel, "Generate (needs a key)").click()  # tells how to set one; the request is the same
        panel.fill(seed=8)
        until(lambda: not queue.waiting)
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
