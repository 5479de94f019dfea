"""The panel's history and the archive's clips below it: what a card brings back, and what can't be shown."""

from __future__ import annotations

import json

import ipywidgets
import pytest
from faults import clip
from panels import button, cards, control, filled, find, keep, open_archive, shown, text, walk

import vidu_nb as vidu
from vidu_nb.panels.history import HistoryStrip
from vidu_nb.request import VideoRequest
from vidu_nb.video import Video


def compare(card):
    """The tick of a card."""
    return find(card, ipywidgets.Checkbox)


def bars():
    """The models of bars that play clips in step, as a saved notebook would hold them."""
    models = ipywidgets.Widget.get_manager_state()["state"]
    return {name for name, model in models.items() if "frames" in model["state"] and "group" in model["state"]}


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
    """A click on a card shows the clip and fills the controls."""
    first, second = panel.history
    newest, oldest = cards(panel)
    button(oldest, "Show").click()
    assert panel.video == first
    assert panel.request.seed == 42
    assert "seed 42" in shown(panel)
    button(newest, "Show").click()
    assert panel.video == second
    assert panel.message == f"Brought back: {second.caption}"


def test_two_ticks_compare(panel):
    """Ticked clips stand side by side, with a bar that plays them in step; a single clip has none."""
    before = bars()
    for card in cards(panel):
        compare(card).value = True
    assert shown(panel).count("<video") == 2
    assert len(bars() - before) == 1
    button(panel, "Show").click()
    assert shown(panel).count("<video") == 1
    assert bars() == before


def test_comparing_over_and_over_leaves_one_bar(panel):
    """In the kernel and in the saved notebook, not one for each time."""
    before = bars()
    for _ in range(4):
        for card in cards(panel):
            compare(card).value = not compare(card).value
    assert len(bars() - before) == 1


def test_bringing_back_a_clip_that_is_gone_is_told_in_the_panel(panel):
    """Show says that a file has gone; nothing is raised into the kernel's log, and the clip before stays."""
    newest, oldest = panel.history[1], cards(panel)[1]
    panel.history[0].path.unlink()
    button(oldest, "Show").click()
    assert "vidu-problem" in text(panel)
    assert f"{panel.history[0].path.name} can't be shown" in panel.message
    assert panel.video == newest


def test_the_strip_closes_the_oldest_card_with_all_that_is_in_it(small_clip):
    """Beyond its length nothing piles up in the kernel or in the saved notebook."""
    strip = HistoryStrip(print, print)
    strip.add(Video(small_clip))
    inside = list(walk(cards(strip.box)[0]))
    for _ in range(24):
        strip.add(Video(small_clip))
    assert len(cards(strip.box)) == 24
    assert [one.comm for one in inside] == [None] * len(inside)


# The archive's clips.


def test_the_archives_clips_are_read_only_when_asked_for(asked):
    """The list is empty until it is opened; then it holds what other panels made, too."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel()
    assert cards(panel) == []
    button(open_archive(panel), "Show").click()
    assert panel.video.path.parent.name == "preview"
    assert panel.request == VideoRequest(**asked)


def test_the_archive_is_shown_a_page_at_a_time(asked):
    """Eight clips, and a button for the next ones while there are any."""
    for seed in range(1, 11):
        keep(VideoRequest(**asked, seed=seed), clip(f"clip {seed}"))
    listed = open_archive(vidu.panel())
    assert len(cards(listed)) == 8
    button(listed, "More").click()
    assert len(cards(filled(listed))) == 10
    assert button(listed, "More").layout.display == "none"


def test_an_empty_list_fills_when_it_is_opened_again(asked):
    """What was made since it was opened stands in it the next time."""
    panel = vidu.panel()
    assert "Nothing is kept yet" in text(open_archive(panel))
    keep(VideoRequest(**asked), clip("good"))
    listed = open_archive(panel)
    assert len(cards(listed)) == 1
    assert "Nothing is kept yet" not in text(listed)
    assert len(cards(open_archive(panel))) == 1, "opened again it holds each card once"


def test_what_can_not_be_read_is_counted_and_hides_no_other(asked):
    """A file that is no video, or whose entry is damaged, costs its own card, not those beside it."""
    keep(VideoRequest(**asked, seed=1), clip("good"))
    keep(VideoRequest(**asked, seed=2), b"no video at all")
    keep(VideoRequest(**asked, seed=3), clip("good as well")).write_text("[" * 100_000)
    listed = open_archive(vidu.panel())
    assert len(cards(listed)) == 1
    assert "2 here can't be shown; vidu-nb archive verify names them." in text(listed)


def test_a_clip_whose_entry_holds_no_request_is_shown_alone(asked):
    """It stands under its file's name, and the controls stay."""
    path = keep(VideoRequest(**asked), clip("good"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"request": None}))
    panel = vidu.panel("Another wave", seed=9)
    [card] = cards(open_archive(panel))
    assert path.stem in text(card)
    button(card, "Show").click()
    assert "Its pictures are gone, so the controls stay as they are" in panel.message
    assert panel.video.path == path.with_suffix(".mp4")
    assert control(panel, "seed").value == 9
    assert button(panel, "Copy as curl").disabled
