"""What can be done with a clip: its place, its seed, its request as code, a copy of it."""

from __future__ import annotations

import ipywidgets
import pytest
from faults import clip
from ipywidgets.embed import dependency_state
from panels import button, find, is_visible, keep, part, press, shown, text

import vidu_nb as vidu
from vidu_nb.panels.snippets import as_curl, as_python, as_requests
from vidu_nb.request import VideoRequest


@pytest.fixture
def panel(asked):
    """A panel with a clip, of the last seed that there is."""
    keep(VideoRequest(**asked, seed=999_999), clip("good"))
    made = vidu.panel(**asked, seed=999_999)
    made.preview()
    return made


def save_as(panel, name):
    """Ask for a copy under a name; gives what the panel says of it."""
    part(panel, "vidu-save-name").value = name
    button(panel, "Save a copy").click()
    return text(part(panel, "vidu-tools"))


def test_the_clip_stands_in_the_panel_where_no_cells_output_can_be_updated(asked):
    """A panel inside another widget shows its clip itself."""
    keep(VideoRequest(**asked), clip("good"))
    panel = vidu.panel(**asked)
    place = find(panel, ipywidgets.Output)
    assert not is_visible(place)
    press(panel, "Preview")
    assert is_visible(place)
    assert "<video" in shown(panel)


def test_the_next_seed_and_this_seed_go_into_the_form(panel):
    """The result's seed can be taken over, or the one after it."""
    panel.fill(seed=5)
    button(panel, "Use this seed").click()
    assert panel.request.seed == 999_999
    button(panel, "Next seed").click()
    assert panel.request.seed == 1


# The request as code.


def test_code_is_written_when_it_is_asked_for(panel):
    """No widget holds any before; then the one that was chosen stands there, to be selected and copied."""
    written = "SEGMIND_API_KEY" in str(dependency_state([panel]))  # of this panel alone: a process may have others
    assert not written
    snippet, [picture] = part(panel, "vidu-snippet"), panel.request.references
    path = f"archive/references/{picture.sha256}.png"
    for language, make in {"Python": as_python, "curl": as_curl, "requests": as_requests}.items():
        button(panel, f"Copy as {language}").click()
        assert is_visible(snippet)
        assert snippet.description == f"As {language}: select all and copy"
        assert snippet.value == make(panel.video.request, lambda _: path)
        assert path in snippet.value
        assert snippet.rows == snippet.value.count("\n") + 1, "all of it is in sight"


def test_the_code_of_one_clip_is_not_left_beside_another(panel, asked):
    """The next clip's code is written when it is asked for, too."""
    button(panel, "Copy as curl").click()
    keep(VideoRequest(**asked, seed=7), clip("another"))
    panel.fill(seed=7)
    panel.preview()
    snippet = part(panel, "vidu-snippet")
    assert snippet.value == ""
    assert not is_visible(snippet)


# A copy.


def test_a_copy_is_saved_and_nothing_is_overwritten(panel, tmp_path):
    """Saving writes the recipe into the copy; a name that is taken is refused, files and folders stay as they are."""
    assert "Saved as mine.mp4" in save_as(panel, "mine")
    assert vidu.load(tmp_path / "mine.mp4").request == panel.request
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.mp4").write_text("mine")
    for name in ("mine", "folder.mp4", "file"):
        assert "is there already" in save_as(panel, name), name
    assert (tmp_path / "file.mp4").read_text() == "mine"
    assert list((tmp_path / "folder.mp4").iterdir()) == []


def test_a_copy_needs_a_name(panel, tmp_path):
    """An emptied name is asked for, and nothing is written."""
    assert "Name a file first." in save_as(panel, " ")
    assert list(tmp_path.glob("*.mp4")) == []


@pytest.mark.parametrize(
    "name",
    ["/", ".", "..", "~nobody-of-this-name/x", "a\0b", "x" * 5000, "/dev/null/x", "no/such/folder/x.mp4"],
    ids=lambda name: name[:24].replace("\0", "NUL"),
)
def test_an_odd_name_for_a_copy_is_answered(panel, name):
    """Whatever stands in "Save as", the panel says what came of it."""
    said = save_as(panel, name)
    assert ("⚠" in said) != ("✓" in said)


@pytest.mark.usefixtures("paid")
def test_a_saved_copy_tells_what_its_clip_cost(asked):
    """A copy of a clip that was brought back carries the receipt of its making, not that of a replay for nothing."""
    panel = vidu.panel(**asked)
    made = panel.generate().receipt
    panel.generate()
    save_as(panel, "copy")
    assert vidu.load("copy.mp4").receipt == made
