"""What a person sees: clips that play, in a page and in JupyterLab, in a real Chromium."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browser import PLAYS, jupyter_lab, open_instead, open_lab
from nbclient import NotebookClient
from playwright.sync_api import Browser, Page

import vidu_nb as vidu
from vidu_nb.player import Player
from vidu_nb.samples import sample_references

PROMPT = "The rocket starts, tilt up."


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    yield page
    page.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder that outlives a test."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture
def kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> vidu.Client:
    """The preview engine in that folder, so that a clip which two tests show is made once."""
    monkeypatch.chdir(place)
    return vidu.Client.preview(archive="archive")


@pytest.mark.parametrize(
    ("ratio", "bgm", "size"),
    [
        ("16:9", True, (1920, 1080)),
        ("1:1", False, (1080, 1080)),
        ("9:16", True, (1080, 1920)),
    ],
)
def test_every_kind_of_clip_plays_in_chromium(
    page: Page, kept: vidu.Client, place: Path, ratio: str, bgm: bool, size: tuple[int, int]
):
    """A preview in each ratio, with music and without, satisfies ffprobe and plays at its exact size."""
    request = vidu.VideoRequest(prompt=PROMPT, references=sample_references()[2:], aspect_ratio=ratio, bgm=bgm)
    video = kept.generate(request)
    told = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_streams", video.path], capture_output=True, check=True, text=True
    )
    assert told.stderr == ""
    assert told.stdout.count("[STREAM]") == 1 + bgm
    (place / "page.html").write_text(f"<!doctype html>{Player([video]).html()}", encoding="utf-8")
    page.goto((place / "page.html").as_uri())
    told = page.locator("video").evaluate(PLAYS)
    assert (told["width"], told["height"]) == size
    assert told["duration"] == pytest.approx(5.0, abs=0.05)


def test_an_embedded_clip_and_a_small_copy_play_from_the_page_alone(
    page: Page, kept: vidu.Client, monkeypatch: pytest.MonkeyPatch
):
    """Where no link can play, both the whole file and the small silent copy play from inside the page."""
    video = kept.generate(vidu.VideoRequest(prompt=PROMPT, references=sample_references()[2:]))
    whole = video.embed().html()
    monkeypatch.setenv("VSCODE_PID", "1")
    small = Player([video]).html()
    page.set_content(f"<!doctype html>{whole}{small}")
    assert page.locator("video").nth(0).evaluate(PLAYS)["width"] == 1920
    assert page.locator("video").nth(1).evaluate(PLAYS)["width"] == 480
    assert "small silent copy" in page.locator(".vidu-player").nth(1).inner_text()


@pytest.fixture(scope="module")
def lab(browser: Browser, place: Path) -> Iterator[Page]:
    """A page with JupyterLab on that folder, as on a hub, in which each test opens a notebook of its own."""
    with jupyter_lab(place, base_url="/user/x/") as url:
        page = open_lab(browser, url)
        yield page
        page.close()


@pytest.fixture
def saved(place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A notebook in a folder with a space; it was executed and saved, and its clip lies beside it."""
    folder = place / "sub folder"
    folder.mkdir()
    monkeypatch.delenv("VIDU_NB_ARCHIVE")  # the clip lies beside the notebook, as it does for people
    lines = [
        "import vidu_nb as vidu",
        "from vidu_nb.samples import sample_references",
        "vidu.preview('The rocket starts. <script>alert(1)</script>', sample_references()[2])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, folder / "clip.ipynb")
    return "sub folder/clip.ipynb"


def test_a_saved_notebook_plays_in_jupyterlab_without_its_kernel(lab: Page, saved: str):
    """A notebook that was executed and saved, in a sub-folder, shows its clip when it is opened again, as on a hub."""
    open_instead(lab, saved)
    video = lab.locator(".jp-OutputArea video")
    video.wait_for(state="attached")
    told = video.evaluate(PLAYS)
    text = lab.locator(".vidu-player").inner_text()
    assert told["width"] == 1920
    assert told["ready"] >= 2
    assert "preview, free" in text
    assert "<script>alert(1)</script>" in text


def test_a_notebook_that_is_not_trusted_shows_a_storyboard(lab: Page, kept: vidu.Client, place: Path):
    """JupyterLab's sanitizer leaves the table, the frames and their words in place."""
    evil = "Whip pan right to the coffee. <img src=x onerror=alert(1)> & the rocket, orbit left."
    asked = vidu.VideoRequest(prompt=evil, references=sample_references(), aspect_ratio="1:1", bgm=False)
    board = kept.generate(asked).storyboard
    output = nbformat.v4.new_output("execute_result", {"text/html": board._repr_html_()}, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("video.storyboard", outputs=[output])])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}  # or JupyterLab asks for one
    nbformat.write(notebook, place / "plan.ipynb")
    open_instead(lab, "plan.ipynb")
    frames = lab.locator(".jp-OutputArea img")
    frames.nth(len(board.shots) - 1).wait_for()
    assert frames.evaluate_all("all => all.map(one => one.naturalWidth > 0)") == [True] * len(board.shots)
    text = lab.locator(".jp-OutputArea").inner_text()
    assert "whip pan right (fast)" in text
    assert "<img src=x onerror=alert(1)> & the rocket" in text
