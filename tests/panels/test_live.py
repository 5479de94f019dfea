"""Live drafts: small previews follow the controls, leave nothing behind, and give way to everything else."""

from __future__ import annotations

import json
import tempfile
import threading
import time

import pytest
from panels import WAIT, fetched, saved, send, shown, wait_until

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.storage.archive import Archive

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture
def panel(asked):
    """A panel that has all it needs."""
    return vidu.panel(**asked)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder for temporary files, with nothing in it."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def switch(panel, is_on):
    """Turn live drafts on or off."""
    send(panel, "switch", switch="live", on=is_on)


def wait_for(panel, says):
    """Wait until these words stand beside what is played; gives its items."""
    wait_until(panel, "_result", lambda result: says in str(result))
    return shown(panel)


def every(panel):
    """A list that takes what is shown from now on."""
    seen = []
    panel.observe(lambda change: seen.append(change["new"]), "_result")
    return seen


def until(holds):
    """Wait until something is so of which nobody is told."""
    end = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        threading.Event().wait(0.01)


def no_draft_is_made():
    """Wait until none is under way, and none waits."""
    for thread in threading.enumerate():
        if thread.name == "vidu-nb draft":
            thread.join(WAIT)


def test_a_draft_follows_a_change(panel):
    """Once switched on, a small preview of what the controls say plays by itself; it is no part of the history."""
    assert shown(panel) == []
    switch(panel, True)
    assert panel._switches["live"]
    wait_for(panel, "seed 42 · draft preview, free")
    assert (panel._result["loops"], panel._result["link"]) == (True, False)
    panel.fill(seed=7)
    wait_for(panel, "seed 7 · draft preview, free")
    assert (panel.video, panel.history, panel.state) == (None, (), "ready")


def test_a_draft_of_pictures_follows_a_change(panel, scratch):
    """A model of pictures is drawn as well, every sample of it, and leaves no file."""
    panel.model = "sdxl1.0-txt2img"
    switch(panel, True)
    panel.fill(prompt="A lighthouse", img_width=512, img_height=512, samples=2, seed=7)
    items = wait_for(panel, "512x512 · seed 7 · preview, free")
    assert [one["kind"] for one in items] == ["image", "image"]
    assert fetched(panel, 0) != fetched(panel, 1)
    assert list(scratch.iterdir()) == []


def test_drafts_leave_nothing_behind(panel, scratch):
    """After forty changes there is nothing in the archive, not even the archive, and no file anywhere else."""
    switch(panel, True)
    for turn in range(1, 5):
        for change in range(10):
            panel.fill(prompt=f"A wave, and {'more ' * change}of turn {turn}.")
        wait_for(panel, f"of turn {turn}.")
    no_draft_is_made()
    assert not Archive().folder.exists()
    assert list(scratch.rglob("*")) == []


def test_a_draft_plays_from_memory_and_leaves_the_notebook_as_it_was(panel):
    """The kernel sends the clip; neither the notebook's outputs nor a path of this machine tell of it."""
    before = saved(panel)
    switch(panel, True)
    wait_for(panel, "seed 42 · draft preview")
    assert media.what_is_wrong(fetched(panel)) == ""
    assert saved(panel) == before
    assert len(json.dumps(panel.get_state())) < 150_000
    assert tempfile.gettempdir() not in json.dumps(panel._result)


def test_a_drafts_bytes_are_gone_with_it(panel):
    """What is asked for of an earlier draft is refused."""
    switch(panel, True)
    wait_for(panel, "seed 42 · draft")
    earlier = panel._result["id"]
    panel.fill(seed=7)
    wait_for(panel, "seed 7 · draft")
    assert send(panel, "piece", shown=earlier, item=0, at=0)["refused"]


def test_only_the_last_of_quick_changes_is_drawn(panel):
    """Somebody who drags a slider gets one draft, of where it was let go."""
    seen = every(panel)
    switch(panel, True)
    for seed in range(1, 30):
        panel.fill(seed=seed)
    wait_for(panel, "seed 29 · draft")
    assert len(seen) == 1


def test_a_change_gives_up_the_draft_that_is_made(panel, scratch):
    """It is never shown, and the next one does not wait for it."""
    seen = every(panel)
    switch(panel, True)
    until(lambda: list(scratch.iterdir()))  # it has begun
    panel.fill(seed=8)
    wait_for(panel, "seed 8 · draft")
    no_draft_is_made()
    assert len(seen) == 1


def test_a_preview_stays_until_something_changes(panel):
    """A whole preview is not replaced by a draft of the same."""
    switch(panel, True)
    wait_for(panel, "seed 42 · draft")
    seen = every(panel)
    panel.preview()
    no_draft_is_made()
    assert seen == []
    panel.fill(seed=8)
    wait_for(panel, "seed 8 · draft")


def test_switched_off_nothing_is_drawn(panel):
    """Turning it off ends what is under way."""
    seen = every(panel)
    switch(panel, True)
    switch(panel, False)
    panel.fill(seed=9)
    no_draft_is_made()
    assert seen == []


def test_what_can_not_be_drawn_is_reported(panel, photo):
    """A draft that fails says so below the buttons, and the next change is drawn again."""
    switch(panel, True)
    panel.fill(references="http://127.0.0.1:9/cat.png")  # no address of this machine is ever asked
    wait_until(panel, "message", lambda message: message.startswith("No draft: image_urls[0]"))
    panel.fill(references=photo, seed=3)
    wait_for(panel, "seed 3 · draft")
