"""What a person sees: clips that play, in a page and in JupyterLab, in a real Chromium."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from browser import PLAYS, jupyter_lab
from playwright.sync_api import Browser, Page

import vidu_nb as vidu
from vidu_nb.demo import sample_references
from vidu_nb.player import Player


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    yield page
    page.close()


@pytest.mark.parametrize(
    ("ratio", "bgm", "size"),
    [
        ("16:9", True, (1920, 1080)),
        ("1:1", True, (1080, 1080)),
        ("9:16", True, (1080, 1920)),
        ("16:9", False, (1920, 1080)),
    ],
)
def test_every_kind_of_clip_plays_in_chromium(page: Page, tmp_path: Path, ratio: str, bgm: bool, size: tuple[int, int]):
    """A preview in each ratio, with music and without, satisfies ffprobe and plays at its exact size."""
    video = vidu.preview("The rocket starts, tilt up.", sample_references()[2:], aspect_ratio=ratio, bgm=bgm)
    told = subprocess.run(
        ["ffprobe", "-v", "warning", "-show_streams", video.path], capture_output=True, check=True, text=True
    )
    assert told.stderr == ""
    assert told.stdout.count("[STREAM]") == 1 + bgm
    (tmp_path / "page.html").write_text(f"<!doctype html>{Player([video]).html()}", encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    told = page.locator("video").evaluate(PLAYS)
    assert (told["width"], told["height"]) == size
    assert told["duration"] == pytest.approx(5.0, abs=0.05)


def test_an_embedded_clip_and_a_small_copy_play_from_the_page_alone(page: Page, monkeypatch: pytest.MonkeyPatch):
    """Where no link can play, both the whole file and the small silent copy play from inside the page."""
    video = vidu.preview("The rocket starts, tilt up.", sample_references()[2:])
    whole = video.embed().html()
    monkeypatch.setenv("VSCODE_PID", "1")
    small = Player([video]).html()
    page.set_content(f"<!doctype html>{whole}{small}")
    assert page.locator("video").nth(0).evaluate(PLAYS)["width"] == 1920
    assert page.locator("video").nth(1).evaluate(PLAYS)["width"] == 480
    assert "small silent copy" in page.locator(".vidu-player").nth(1).inner_text()


@pytest.mark.parametrize("base_url", ["/", "/user/x/"])
def test_a_saved_notebook_plays_in_jupyterlab_without_its_kernel(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base_url: str
):
    """A notebook that was executed and saved, in a sub-folder, shows its clip when it is opened again."""
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path / "sub folder"
    folder.mkdir()
    monkeypatch.delenv("VIDU_NB_ARCHIVE", raising=False)  # the clip lies beside the notebook, as it does for people
    lines = [
        "import vidu_nb as vidu",
        "from vidu_nb.demo import sample_references",
        "vidu.preview('The rocket starts. <script>alert(1)</script>', sample_references()[2])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, folder / "clip.ipynb")
    with jupyter_lab(tmp_path, base_url=base_url) as url:
        page.goto(f"{url}lab/tree/sub%20folder/clip.ipynb?reset")
        video = page.locator(".jp-OutputArea video")
        video.wait_for(state="attached", timeout=60_000)
        told = video.evaluate(PLAYS)
        text = page.locator(".vidu-player").inner_text()
    assert told["width"] == 1920
    assert told["ready"] >= 2
    assert "preview, free" in text
    assert "<script>alert(1)</script>" in text
