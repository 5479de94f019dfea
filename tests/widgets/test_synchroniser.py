"""`show` and the bar that plays several clips in step: what is sent to the notebook, and what is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.capture import capture_output
from traitlets.config import Config

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.player import Player
from vidu_nb.video import Video
from vidu_nb.widgets.synchroniser import Synchroniser

VIEW = "application/vnd.jupyter.widget-view+json"
CONTROLS_BYTES = 50_000  # what the bar's program may add where widget state is saved
HOSTILE = ['"><img src=x onerror=alert(1)>', "<script>alert(1)</script>"]


@pytest.fixture
def clips(small_clip, tmp_path):
    """Nine clips beside the notebook."""
    for i in range(9):
        shutil.copy(small_clip, tmp_path / f"{i}.mp4")
    return [Video(tmp_path / f"{i}.mp4") for i in range(9)]


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Gives what a notebook gets when a value is displayed."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))

    def displayed(value):
        with capture_output() as captured:
            display(value)
        return [output.data for output in captured.outputs]

    yield displayed
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("count", [2, 3, 9])
def test_several_clips_are_players_and_a_bar(clips, count, outputs):
    """The grid is ordinary HTML, which needs no kernel; the bar is an output of its own, and finds it by its group."""
    shown = vidu.show(clips[:count])
    grid, bar = outputs(shown)
    assert grid == shown.bundle()
    assert grid["text/html"].startswith(f'<div class="vidu-grid vidu-group-{shown.group}"')
    assert grid["text/html"].count("<video controls ") == count
    assert set(bar) == {VIEW, "text/plain"}
    assert bar["text/plain"].startswith(f"To play these {count} clips in step, run")


def test_one_clip_needs_no_widgets(clips):
    """One clip is shown as it ever was, by itself or in a list, and no widget library is imported for it."""
    for shown in (vidu.show(clips[0]), vidu.show([clips[0]])):
        assert not hasattr(shown, "_ipython_display_")
        assert shown._repr_mimebundle_() == clips[0]._repr_mimebundle_()
    code = f"""
import sys
import vidu_nb as vidu
vidu.show(vidu.load({str(clips[0].path)!r})).html()
print(sorted({{"anywidget", "ipywidgets", "IPython"}} & set(sys.modules)))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_several_clips_are_text_in_plain_python(clips):
    """Outside of notebooks each clip is a line under its label."""
    assert repr(vidu.show(clips[:2], labels=["a", "b"])) == "a: Video(0.mp4, '0.mp4')\nb: Video(1.mp4, '1.mp4')"


def test_outputs_are_the_same_in_every_run(clips, outputs):
    """Neither the group's name nor any text differs between two runs, so that notebooks can be compared."""
    once, again = (outputs(vidu.show(clips[:2], labels=["a", "b"])) for _ in range(2))
    assert len(once) == 2
    assert [{**data, VIEW: None} for data in once] == [{**data, VIEW: None} for data in again]


def test_a_group_is_its_files_and_labels(clips):
    """Other files, other labels and another order are other groups."""
    groups = [
        Player(clips[:2]).group,
        Player(clips[1::-1]).group,
        Player(clips[1:3]).group,
        Player(clips[:2], labels=["a", "b"]).group,
        Player(clips[:2], labels=["a", "c"]).group,
    ]
    assert len(set(groups)) == len(groups)
    assert all(group.isalnum() for group in groups)


def test_the_bar_holds_no_media(clips):
    """The bar's state is names and numbers; with its program it stays small where widget state is saved."""
    bar = Synchroniser.from_player(vidu.show(clips, embed=True))
    state = bar.get_state()
    assert (bar.fps, bar.frames, len(bar.labels)) == (24.0, 24, 9)
    assert "base64" not in json.dumps({name: value for name, value in state.items() if name != "_esm"}, default=str)
    assert sum(len(str(value)) for value in state.values()) < CONTROLS_BYTES


def test_the_timeline_is_as_long_as_the_longest_clip(clips, make_clip, photo):
    """Clips of other lengths and rates are measured in frames of the first clip."""
    slow = Video(make_clip("slow.mp4", [photo] * 26, fps=12, sound=False))
    bar = Synchroniser.from_player(Player([clips[0], slow]))
    assert (bar.fps, bar.frames) == (24, 52)
    assert Synchroniser.from_player(Player([slow, clips[0]])).frames == 26


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_are_carried_as_text(clips, text):
    """The grid's HTML escapes a label; the bar carries it as it is, and names the clips that have none."""
    shown = vidu.show(clips[:2], labels=[text, ""])
    assert text not in shown.html()
    assert Synchroniser.from_player(shown).labels == [text, "clip 2"]


@pytest.mark.parametrize(("count", "labels"), [(0, None), (10, None), (2, ["a"])])
def test_a_wrong_number_is_refused_at_once(clips, count, labels):
    """Nothing is displayed before the number of clips and labels is right."""
    with pytest.raises(InvalidRequest, match=r"pass (1 to 9|one for each)"):
        vidu.show((clips * 2)[:count], labels=labels)


def test_a_path_is_no_video():
    """A file's name is refused with the way to make a video of it, not shown as eight one-letter clips."""
    with pytest.raises(InvalidRequest, match=r"vidu\.load"):
        vidu.show("clip.mp4")
