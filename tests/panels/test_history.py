"""The panel's history and the archive's clips below it: what a card brings back, and what can't be shown."""

from __future__ import annotations

import json
import shutil

import ipywidgets
import pytest
from faults import clip
from panels import cards, filled, keep, open_archive, open_card, saved, send, shown, text, use

import vidu_nb as vidu
from vidu_nb.panels.history import Cards
from vidu_nb.request import VideoRequest
from vidu_nb.video import Video

pytestmark = pytest.mark.usefixtures("small_frames")


def compare(panel, *chosen):
    """Tick cards; gives the answer."""
    return send(panel, "compare", ids=[card["id"] for card in chosen])


@pytest.fixture
def panel(asked):
    """A panel with two clips in its history: seed 42, then seed 43."""
    for seed in (42, 43):
        keep(VideoRequest(**asked, seed=seed), clip(f"clip {seed}"))
    made = vidu.panel(**asked)
    made.preview()
    made.fill(seed=43)
    made.preview()
    return made


def test_history_brings_a_clip_and_its_parameters_back(panel):
    """A click on a card plays the clip, fills the controls, and offers what can be done with it."""
    first, second = panel.history
    newest, oldest = cards(panel)
    assert all(one["poster"].startswith("data:image/jpeg;base64,") for one in (newest, oldest))
    open_card(panel, oldest)
    assert panel.video == first
    assert panel.request.seed == 42
    [played] = shown(panel)
    assert "seed 42" in played["caption"]
    assert panel._tools["name"] == first.path.name
    open_card(panel, newest)
    assert panel.video == second
    assert panel.message == f"Brought back: {second.caption}"


def test_two_ticks_compare(panel):
    """Ticked clips stand side by side in the order of the cards, with a bar that plays them in step; one has none."""
    newest, oldest = cards(panel)
    assert not compare(panel, newest, oldest)["refused"]
    assert [("seed 43" in one["label"], "seed 42" in one["label"]) for one in shown(panel)] == [
        (True, False), (False, True),
    ]  # fmt: skip
    bar = panel._result["bar"]
    assert bar["labels"] == [one["label"] for one in shown(panel)]
    assert bar["frames"] > 1
    assert saved(panel).count("<video") == 2
    open_card(panel, newest)
    assert len(shown(panel)) == saved(panel).count("<video") == 1
    assert panel._result["bar"] is None


@pytest.mark.parametrize("count", [0, 1, 10])
def test_two_to_nine_can_be_compared(panel, count):
    """Fewer or more are refused in words, and what is shown stays."""
    open_card(panel, cards(panel)[0])
    before = panel._result
    answer = compare(panel, *(cards(panel) * 5)[:count])
    assert (answer["refused"], answer["message"]) == (True, "2 to 9 can be compared")
    assert panel._result == before


def test_a_clip_that_is_gone_is_compared_with_none(panel):
    """The panel says which one, and what is shown stays."""
    open_card(panel, cards(panel)[0])
    before = panel._result
    panel.history[0].path.unlink()
    answer = compare(panel, *cards(panel))
    assert panel.history[0].path.name in answer["message"] + text(panel)
    assert panel._result == before


def test_comparing_over_and_over_leaves_nothing_behind(panel):
    """Neither in the kernel nor in the saved notebook."""
    before = len(ipywidgets.Widget.get_manager_state()["state"])
    for _ in range(4):
        compare(panel, *cards(panel))
    assert len(ipywidgets.Widget.get_manager_state()["state"]) == before


def test_bringing_back_a_clip_that_is_gone_is_told_in_the_panel(panel):
    """Show says that a file has gone; nothing is raised into the kernel's log, and the clip before stays."""
    newest, oldest = panel.history[1], cards(panel)[1]
    panel.history[0].path.unlink()
    open_card(panel, oldest)
    assert panel._said["problem"]
    assert f"{panel.history[0].path.name} can't be shown" in panel.message
    assert panel.video == newest


def test_the_strip_lets_the_oldest_card_go(small_clip, tmp_path):
    """Beyond its length nothing piles up in the kernel or in the saved notebook; the newest stand first."""
    told = []
    strip = Cards(told.append)
    for number in range(25):
        strip.add(Video(shutil.copy(small_clip, tmp_path / f"{number}.mp4")))
    assert len(told[-1]) == 24
    assert strip.find(told[0][0]["id"]) is None
    assert told[-1][1:] == told[-2][:-1]
    assert len(json.dumps(told[-1])) < 150_000


# The archive's clips.


def test_the_archives_clips_are_read_only_when_asked_for(asked):
    """The list is empty until it is opened; then it holds what other panels made, too."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel()
    assert cards(panel) == []
    [card] = open_archive(panel)
    open_card(panel, card)
    assert panel.video.path.parent.name == "preview"
    assert panel.request == VideoRequest(**asked)


def test_a_card_keeps_its_id_and_stays_until_others_come(asked):
    """A page remembers ticks by it: read anew, and in the list of the panel's own results, a clip is the same."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel(**asked)
    panel.preview()
    before = open_archive(panel)
    assert [one["id"] for one in before] == [one["id"] for one in panel._strip]
    told = []
    panel.observe(lambda change: told.append([one["id"] for one in change.new["cards"]]), "_kept")
    assert open_archive(panel) == before
    assert told
    assert all(ids == [before[0]["id"]] for ids in told)


def test_the_archive_is_shown_a_page_at_a_time(asked):
    """Eight clips, and a button for the next ones while there are any."""
    for seed in range(1, 11):
        keep(VideoRequest(**asked, seed=seed), clip(f"clip {seed}"))
    panel = vidu.panel()
    assert len(open_archive(panel)) == 8
    assert panel._kept["more"]
    send(panel, "more")
    assert len(filled(panel)) == 10
    assert not panel._kept["more"]


def test_an_empty_list_fills_when_it_is_opened_again(asked):
    """What was made since it was opened stands in it the next time."""
    panel = vidu.panel()
    assert open_archive(panel) == []
    assert panel._kept["note"] == "Nothing is kept yet."
    keep(VideoRequest(**asked), clip("good"))
    assert len(open_archive(panel)) == 1
    assert panel._kept["note"] == ""
    assert len(open_archive(panel)) == 1, "opened again it holds each card once"


def test_what_can_not_be_read_is_counted_and_hides_no_other(asked):
    """A file that is no video, or whose entry is damaged, costs its own card, not those beside it."""
    keep(VideoRequest(**asked, seed=1), clip("good"))
    keep(VideoRequest(**asked, seed=2), b"no video at all")
    keep(VideoRequest(**asked, seed=3), clip("good as well")).write_text("[" * 100_000)
    panel = vidu.panel()
    assert len(open_archive(panel)) == 1
    assert panel._kept["note"] == "2 here can't be shown; vidu-nb archive verify names them."


def test_a_clip_whose_entry_holds_no_request_is_shown_alone(asked):
    """It stands under its file's name, and the controls stay."""
    path = keep(VideoRequest(**asked), clip("good"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"request": None}))
    panel = vidu.panel("Another wave", seed=9)
    [card] = open_archive(panel)
    assert path.stem in card["label"]
    open_card(panel, card)
    assert "Its pictures are gone, so the controls stay as they are" in panel.message
    assert panel.video.path == path.with_suffix(".mp4")
    assert panel._values["seed"] == "9"
    assert panel._tools["code"] == []
    assert use(panel, "code", language="curl")["refused"]
    assert use(panel, "film")["refused"]
