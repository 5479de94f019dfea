"""What is seen while a film is shot, and what a notebook keeps of it."""

from __future__ import annotations

import io
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from takes import Takes
from traitlets.config import Config

from vidu_nb import errors
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"


@pytest.fixture
def film():
    """Two paid scenes."""
    with Takes() as server:
        yield Film(["Shot 1.", Scene("Shot 2.", continues=True)], references=CAT, client=server.client())


@pytest.fixture
def shell(tmp_path):
    """An IPython shell that believes to be a notebook's."""
    main = sys.modules["__main__"]  # a shell takes its place, and other tests start processes from it
    quiet = Config(HistoryManager={"enabled": False})
    made = InteractiveShell.instance(config=quiet, ipython_dir=str(tmp_path / "ipython"))
    made.kernel = object()
    yield made
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


def boards(outputs):
    """The storyboards among a cell's outputs, without those that took the place of others meanwhile."""
    pages = [one.data.get("text/html", "") for one in outputs if not getattr(one, "update", False)]
    return [page for page in pages if "Shot 1." in page and "Shot 2." in page]


def test_a_cell_shows_the_storyboard_once_whether_its_film_has_a_name_or_not(shell, film):
    """The cell that shoots shows it in the end; its value is text there, and a storyboard in later cells."""
    with capture_output() as shown:
        shot = film.shoot(confirm=True)
    assert len(boards(shown.outputs)) == 1
    updates = [one.data["text/html"] for one in shown.outputs if getattr(one, "update", False)]
    assert updates[-3:] == ["<div></div>"] * 3  # nothing stale is left in their places
    assert list(shot._repr_mimebundle_()) == ["text/plain"]
    shell.execution_count += 1
    assert "Shot 2." in shot._repr_mimebundle_()["text/html"]


@pytest.mark.usefixtures("shell")
def test_what_waits_for_a_word_is_seen_with_its_price(film):
    """Once, and a changed film of the same cell shows itself as ever."""
    with capture_output() as shown, pytest.raises(errors.ConfirmationNeeded):
        film.shoot()
    assert len(boards(shown.outputs)) == 1
    assert "$0.50" in boards(shown.outputs)[0]
    with capture_output():
        shot = film.shoot(budget_usd=1)
    assert "text/html" in shot.replace(0, title="One")._repr_mimebundle_()


@pytest.mark.usefixtures("shell")
def test_a_preview_shows_nothing_but_itself(photo):
    """The clip is the cell's value: what was shown meanwhile has gone."""
    film = Film(["Shot 1. Zoom in.", "Shot 2."], references=photo, aspect_ratio="1:1", bgm=False)
    with capture_output() as shown:
        clip = film.preview(quality="draft")
    assert (boards(shown.outputs), clip.info.duration) == ([], 10.0)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self):
        """It is one."""
        return True


def test_a_terminal_shows_a_bar_and_then_nothing(film, monkeypatch):
    """Scenes and dollars while it runs; what came of it is the film's text."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    shot = film.shoot(confirm=True)
    assert "scene" in screen.getvalue()
    assert screen.getvalue().endswith("\r")
    assert repr(shot).endswith("2 of 2 scenes · $1.00 spent")
    assert "2 of 2 scenes kept · nothing to pay" in repr(shot.priced())
    assert "about $1.00 and 4 min for the others" in repr(film.replace(seed=9).priced())
