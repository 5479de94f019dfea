"""Clips in JupyterLab wherever the archive lies and whatever shows them: each plays, linked or as the small copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browser import (
    KERNEL_IS_IDLE,
    LAB_IS_READY,
    PLAYS,
    command,
    jupyter_lab,
    open_instead,
    open_lab,
    write_notebook,
)
from playwright.sync_api import Browser, Locator, Page, expect

import vidu_nb as vidu
from vidu_nb.samples import sample_references

PROMPT = "The rocket starts, tilt up."
WHOLE, COPY = 1080, 480  # px, the widths of the clip and of its small copy

LOADED = """video => new Promise((done, failed) => {
    if (video.readyState) return done();
    setTimeout(() => failed(new Error(`not loaded: ${video.src.slice(0, 200)}`)), 120000);
    video.addEventListener('loadedmetadata', () => done(), {once: true});
})"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One preview, for all tests."""
    request = vidu.VideoRequest(prompt=PROMPT, references=sample_references()[2:], aspect_ratio="1:1", bgm=False)
    return vidu.Client.preview(archive=tmp_path_factory.mktemp("made")).generate(request).path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The folder that JupyterLab serves: `work` with the notebooks, and clips in many places."""
    place = tmp_path_factory.mktemp("root")
    for folder in ("work/clips", "work/.clips", "work/in/.deep/clips", "shared", ".shared"):
        (place / folder).mkdir(parents=True)
        shutil.copy(clip, place / folder / "a clip.mp4")
    (place / "work" / "linked").symlink_to(place / "shared")
    (place / "work" / "led out").symlink_to(clip.parent)
    (place / "work" / "unhidden").symlink_to(place / "work" / ".clips")
    (place / "shortcut").symlink_to(place / "work")
    return place


@pytest.fixture(scope="module")
def lab(root: Path) -> Iterator[str]:
    """JupyterLab as a terminal in VS Code starts it, under a base URL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VSCODE_PID", "1")
        patch.setenv("VSCODE_CWD", str(root))
        with jupyter_lab(root, base_url="/user/x/") as url:
            yield url


@pytest.fixture(scope="module")
def page(browser: Browser, lab: str) -> Iterator[Page]:
    """A page with JupyterLab, in which each test opens a notebook of its own."""
    page = open_lab(browser, lab)
    page.set_viewport_size({"width": 1000, "height": 900})
    yield page
    page.close()


def plays(video: Locator) -> dict[str, float]:
    """Wait until a video has loaded, since JupyterLab resolves links a moment after it has drawn them, and play it."""
    video.evaluate(LOADED)
    told: dict[str, float] = video.evaluate(PLAYS)
    return told


def run(page: Page, path: Path, *cells: str) -> Locator:
    """Run a notebook with these cells; gives the videos in its outputs."""
    write_notebook(path, *cells)
    open_instead(page, path.relative_to(path.parents[1]).as_posix())
    command(page, "notebook:run-all-cells")
    videos = page.locator(".jp-OutputArea video")
    videos.first.wait_for(state="attached")
    page.wait_for_function(KERNEL_IS_IDLE)
    return videos


def load(path: Path | str) -> str:
    return f"vidu.load({str(path)!r})"


def test_a_clip_plays_wherever_it_lies(page: Page, root: Path, clip: Path):
    """Hidden, behind a symbolic link, above the notebook, outside of the root, and after a change of folder."""
    work = root / "work"
    shown = [
        ("clips/a clip.mp4", WHOLE),
        (".clips/a clip.mp4", COPY),
        (work / "in/.deep/clips/a clip.mp4", COPY),
        ("unhidden/a clip.mp4", COPY),
        ("linked/a clip.mp4", WHOLE),
        (f"led out/{clip.name}", COPY),
        ("../shared/a clip.mp4", WHOLE),
        (root / ".shared/a clip.mp4", COPY),
        (clip, COPY),
    ]
    moved = [f"%cd -q clips\n{load('a clip.mp4')}", f"import os; os.chdir('/')\n{load(work / 'clips/a clip.mp4')}"]
    cells = ["import vidu_nb as vidu", *(load(path) for path, _ in shown), *moved]
    videos = run(page, work / "a.ipynb", *cells)
    expect(videos).to_have_count(len(shown) + len(moved))
    for number, width in enumerate([*(width for _, width in shown), WHOLE, WHOLE]):
        told = plays(videos.nth(number))
        assert told["width"] == width, cells[number + 1]
        assert videos.nth(number).get_attribute("src").startswith("data:") == (width == COPY), cells[number + 1]
        text = page.locator(".vidu-player").nth(number).text_content()
        assert ("A small silent copy" in text) == (width == COPY), cells[number + 1]


def test_a_notebook_opened_through_a_symbolic_link_plays(page: Page, root: Path):
    """The folder has two names, and the clip is linked from either."""
    cells = [load("clips/a clip.mp4"), load(root / "work" / "clips" / "a clip.mp4")]
    videos = run(page, root / "shortcut" / "b.ipynb", "import vidu_nb as vidu", *cells)
    for number in range(2):
        assert plays(videos.nth(number))["width"] == WHOLE


OUTPUTS = {
    "interact": "@ipywidgets.interact(turn=(0, 3))\ndef shown(turn=1):\n    display(video)",
    "Output": "out = ipywidgets.Output()\nwith out:\n    display(video)\nout",
    "Output in a tab": "out = ipywidgets.Output()\nout.append_display_data(video)\nipywidgets.Tab([out])",
    "display handle": "handle = display(display_id=True)\nhandle.update(video)",
}


@pytest.mark.parametrize(("place", "width"), [("clips", WHOLE), (".clips", COPY)])
def test_a_clip_plays_inside_other_outputs(page: Page, root: Path, place: str, width: int):
    """In ipywidgets' outputs as in a cell's own, by its link or as the small copy, and after `interact` drew anew."""
    first = f"import ipywidgets, vidu_nb as vidu\nvideo = {load(f'{place}/a clip.mp4')}"
    videos = run(page, root / "work" / "c.ipynb", first, *OUTPUTS.values())
    expect(videos).to_have_count(len(OUTPUTS))
    for number, kind in enumerate(OUTPUTS):
        assert plays(videos.nth(number))["width"] == width, kind
    videos.first.evaluate("video => { video.dataset.old = 'yes'; }")
    page.locator(".jp-OutputArea .widget-readout").first.fill("2")
    page.keyboard.press("Enter")
    expect(videos.first).not_to_have_attribute("data-old", "yes")
    assert plays(videos.first)["width"] == width


def test_html_wins_over_the_picture_trusted_or_not(page: Page, root: Path):
    """JupyterLab shows the player and no second picture, in a notebook from elsewhere as well."""
    data = dict(vidu.load(root / "work" / "clips" / "a clip.mp4")._repr_mimebundle_())
    data["text/html"] = data["text/html"].replace(
        data["text/html"].partition(' src="')[2].partition('"')[0], "clips/a%20clip.mp4"
    )
    assert set(data) == {"text/plain", "text/html", "image/jpeg"}
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("video", outputs=[output])])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}  # or JupyterLab asks for one
    nbformat.write(notebook, root / "work" / "strange.ipynb")
    open_instead(page, "work/strange.ipynb")
    video = page.locator(".jp-OutputArea video")
    video.wait_for(state="attached")
    assert plays(video)["width"] == WHOLE
    assert page.locator(".jp-OutputArea img").count() == 0


@pytest.fixture(scope="module")
def _windowed(page: Page, lab: str) -> None:
    """From here on JupyterLab draws only the cells in sight."""
    page.evaluate(
        """() => jupyterapp.serviceManager.settings.save(
            '@jupyterlab/notebook-extension:tracker', '{"windowingMode": "full"}')"""
    )
    page.goto(f"{lab}lab?reset")
    page.wait_for_function(LAB_IS_READY)


@pytest.mark.usefixtures("_windowed")
@pytest.mark.parametrize(("place", "width"), [("clips", WHOLE), (".clips", COPY)])
def test_a_clip_that_was_scrolled_away_plays_when_it_is_back(page: Page, root: Path, place: str, width: int):
    """Where JupyterLab draws only the cells in sight (`windowingMode: full`), a clip comes back and plays."""
    lines = [f"print('line\\n' * 20)  # {number}" for number in range(30)]
    first = f"import vidu_nb as vidu\n{load(f'{place}/a clip.mp4')}"
    videos = run(page, root / "work" / "d.ipynb", first, *lines)
    assert plays(videos)["width"] == width
    page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(30)")
    expect(videos).to_be_hidden()
    page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(0)")
    expect(videos).to_be_visible()
    assert plays(videos)["width"] == width
