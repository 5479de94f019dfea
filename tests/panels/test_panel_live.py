"""Live drafts: small previews follow the controls, and stay out of everybody's way."""

from __future__ import annotations

import time

import pytest
from panels import WAIT, walk

import vidu_nb as vidu
from vidu_nb.panels import live
from vidu_nb.storage.archive import Archive


@pytest.fixture
def panel(photo):
    """A panel that has all it needs, and its switch."""
    made = vidu.panel("A wave. Zoom in.", photo, aspect_ratio="1:1", bgm=False)
    made.switch = next(one for one in walk(made) if str(getattr(one, "description", "")).startswith("Live draft"))
    return made


def shown(panel):
    """What stands in the clip's place."""
    outputs = panel._screen.slot.output.outputs
    return outputs[0]["data"]["text/html"] if outputs else ""


def until(says, panel):
    """Wait for words in the clip's place."""
    end = time.monotonic() + WAIT
    while says not in shown(panel) and time.monotonic() < end:
        time.sleep(0.02)
    assert says in shown(panel)
    return shown(panel)


def drafts(tmp_path):
    """The drafts that are kept."""
    return list(Archive(tmp_path / "archive" / "drafts").entries())


def test_a_draft_follows_a_change(panel, tmp_path):
    """Once switched on, a small preview of what the controls say plays by itself; it is no part of the history."""
    assert shown(panel) == ""
    panel.switch.value = True
    assert "autoplay muted loop" in until("seed 42 · draft preview, free", panel)
    panel.fill(seed=7)
    until("seed 7 · draft preview, free", panel)
    assert (panel.video, panel.history, panel.state) == (None, (), "ready")
    assert [list(Archive().entries()), len(drafts(tmp_path))] == [[], 2]


def test_only_the_last_of_quick_changes_is_drawn(panel, tmp_path):
    """Somebody who drags a slider gets one draft, of where it was let go."""
    panel.switch.value = True
    for seed in range(1, 30):
        panel.fill(seed=seed)
    until("seed 29 · draft", panel)
    assert len(drafts(tmp_path)) == 1


def test_a_preview_stays_until_something_changes(panel):
    """A whole preview is not replaced by a draft of the same."""
    panel.switch.value = True
    panel.preview()
    assert "seed 42 · preview, free" in shown(panel) or shown(panel) == ""
    panel.fill(seed=8)
    until("seed 8 · draft", panel)


def test_switched_off_nothing_is_drawn(panel, tmp_path):
    """Turning it off ends what is under way."""
    panel.switch.value = True
    panel.switch.value = False
    panel.fill(seed=9)
    end = time.monotonic() + WAIT
    while panel._live._is_working and time.monotonic() < end:
        time.sleep(0.02)
    assert (shown(panel), drafts(tmp_path)) == ("", [])


def test_only_the_last_drafts_are_kept(panel, tmp_path, monkeypatch):
    """They come and go: the folder does not grow with every turn of a knob."""
    monkeypatch.setattr(live, "_KEPT", 1)
    panel.switch.value = True
    for seed in (1, 2, 3):
        panel.fill(seed=seed)
        until(f"seed {seed} · draft", panel)
    panel.switch.value = False
    assert len(drafts(tmp_path)) <= 2  # the one that was being put away may still be there


def test_what_can_not_be_drawn_is_told(panel, tmp_path):
    """A draft that fails says so where words go, and the next change is drawn again."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "drafts").write_text("in the way")
    panel.switch.value = True
    end = time.monotonic() + WAIT
    while "No draft" not in panel._actions._stage.value and time.monotonic() < end:
        time.sleep(0.02)
    assert "No draft" in panel._actions._stage.value
    (folder / "drafts").unlink()
    panel.fill(seed=3)
    until("seed 3 · draft", panel)
