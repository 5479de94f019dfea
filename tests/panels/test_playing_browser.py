"""Clips in the panel in JupyterLab: by a link or by the kernel's bytes, whole, with sound; and what is saved."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import (
    KERNEL_IS_IDLE,
    PATIENCE,
    command,
    jupyter_lab,
    open_instead,
    open_lab,
    open_notebook,
    write_notebook,
)
from panels import keep
from playwright.sync_api import Browser, Locator, Page, expect

import vidu_nb as vidu
from vidu_nb.samples import sample_references

PROMPT = "The rocket starts, tilt up."
FIRST = f"""import os, ipywidgets, vidu_nb as vidu
from vidu_nb.samples import sample_references
def panel(archive, **more):
    client = vidu.Client.preview(archive=archive)
    return vidu.panel({PROMPT!r}, sample_references()[2:], client=client, **more)"""

#: Waits until a video moves by itself; gives what it is.
MOVES = """video => new Promise((done, failed) => {
    const stuck = () => failed(new Error(`stuck: ${video.readyState} ${video.currentSrc}`.slice(0, 99)));
    const late = setTimeout(stuck, 120000);
    const look = () => {
        if (video.paused || video.currentTime < 0.3) return;
        clearTimeout(late);
        video.removeEventListener('timeupdate', look);
        done({width: video.videoWidth, height: video.videoHeight, source: video.currentSrc.split(':')[0],
              muted: video.muted, sound: video.webkitAudioDecodedByteCount, duration: video.duration,
              poster: video.poster.split(':')[0]});
    };
    video.addEventListener('timeupdate', look);
    look();
})"""

#: Whether all pictures are shown at a width, not their posters.
WHOLE = """width => [...document.querySelectorAll('img.vidu-medium')].every(one => one.naturalWidth === width)"""

#: As a browser that lets no page sound by itself; what Playwright does counts as a person's doing.
STRICT = """
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
    return this.muted ? play.call(this) : Promise.reject(new DOMException('not yet', 'NotAllowedError'));
};"""

#: Throws the dice at the moment that a video stands in the panel; notes where its bytes are then, and at the answer.
DICE_AS_IT_COMES = """() => {
    const panel = document.querySelector('.vidu-panel');
    const seed = panel.querySelector('.vidu-seed input');
    new MutationObserver((_changes, observer) => {
        const video = panel.querySelector('video.vidu-medium');
        if (!video) return;
        observer.disconnect();
        const [before, source] = [seed.value, video.src];
        panel.querySelector('[aria-label=Dice]').click();
        const look = () => {
            if (seed.value === before) requestAnimationFrame(look);
            else window.sources = [source, video.src];
        };
        look();
    }).observe(panel, {childList: true, subtree: true});
}"""

SEEKS = """(video, to) => new Promise(done => {
    video.pause();
    video.addEventListener('seeked', () => done(video.currentTime), {once: true});
    video.currentTime = to;
})"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with two previews in 1080p and their sound, of two seeds."""
    folder = tmp_path_factory.mktemp("elsewhere") / "clips"
    client = vidu.Client.preview(archive=folder)
    for seed in (42, 43):
        client.generate(vidu.VideoRequest(prompt=PROMPT, references=sample_references()[2:], seed=seed))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """The folder that JupyterLab serves."""
    place = tmp_path_factory.mktemp("root")
    for folder in ("clips", ".clips", "change", "go"):
        shutil.copytree(made, place / "work" / folder)
    return place


@pytest.fixture(scope="module")
def lab(root: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VIDU_NB_ARCHIVE", raising=False)
        with jupyter_lab(root) as url:
            yield url


@pytest.fixture(scope="module")
def window(browser: Browser, lab: str) -> Iterator[Page]:
    """A page with JupyterLab, in which each test opens a notebook of its own."""
    page = open_lab(browser, lab)
    yield page
    page.close()


@pytest.fixture
def page(window: Page) -> Page:
    window.set_viewport_size({"width": 1200, "height": 1400})
    return window


def run(page: Page, path: Path, *cells: str) -> Locator:
    """Run a notebook with these cells; gives its panels."""
    write_notebook(path, FIRST, *cells)
    open_instead(page, f"work/{path.name}")
    command(page, "notebook:run-all-cells")
    return page.locator(".vidu-panel")


def preview(panel: Locator) -> Locator:
    """Ask for the preview, which is kept; gives the panel's video."""
    panel.get_by_role("button", name="Preview (kept").click()
    return panel.locator("video.vidu-medium")


def saved_output(page: Page) -> Locator:
    """The videos in cells' ordinary outputs."""
    return page.locator(".vidu-saved video")


#: Panels, and how their clips come: what stands in an ipywidgets' output, Jupyter never updates.
PLACES = {
    "linked": ("panel('clips')", "http"),
    "hidden folder": ("panel('.clips')", "blob"),
    "another disk": ("panel({made!r})", "blob"),
    "changed folder": ("%cd -q clips\npanel({work!r} + '/clips')", "http"),
    "VBox": ("ipywidgets.VBox([panel({work!r} + '/clips')])", "blob"),
    "Output": ("out = ipywidgets.Output()\nwith out:\n    display(panel({work!r} + '/clips'))\nout", "blob"),
    "interact": ("@ipywidgets.interact(n=(0, 3))\ndef shown(n=1):\n    display(panel({work!r} + '/clips'))", "blob"),
}


def test_a_clip_plays_in_the_panel_wherever_it_lies(page: Page, root: Path, made: Path):
    """By its link where one leads to it, by the kernel's bytes elsewhere: whole, with its sound, from any moment on."""
    work = root / "work"
    cells = [code.format(made=str(made), work=str(work)) for code, _ in PLACES.values()]
    page.set_viewport_size({"width": 1200, "height": 6000})  # JupyterLab draws only the cells in sight
    panels = run(page, work / "places.ipynb", *cells)
    expect(panels).to_have_count(len(PLACES))
    for number, (name, (_, source)) in enumerate(PLACES.items()):
        video = preview(panels.nth(number))
        told = video.evaluate(MOVES)
        assert (told["width"], told["height"]) == (1920, 1080), name
        assert told["source"] == source, name
        assert told["poster"] == "blob", name
        assert told["sound"] > 0, name
        assert not told["muted"], name
        assert video.evaluate(SEEKS, 3.5) == pytest.approx(3.5, abs=0.1), name
        expect(panels.nth(number).locator(".vidu-stage-note")).to_be_hidden()
    for output in saved_output(page).all():
        expect(output).to_be_hidden()


def grown(path: Path, before: int) -> int:
    """By how much a saved notebook has grown."""
    return path.stat().st_size - before


def save(page: Page) -> None:
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")


def test_without_links_the_whole_clip_plays_and_a_small_copy_is_saved(page: Page, root: Path):
    """Under VIDU_NB_PLAYER=embed the file grows by 150 kB at most, posters and history included."""
    path = root / "work" / "embed.ipynb"
    panel = run(page, path, "os.environ['VIDU_NB_PLAYER'] = 'embed'\npanel('clips')", "'a cell'")
    expect(panel).to_have_count(1)
    page.wait_for_function(KERNEL_IS_IDLE)
    save(page)
    before = path.stat().st_size
    told = preview(panel).evaluate(MOVES)
    assert (told["width"], told["source"]) == (1920, "blob")
    assert told["sound"] > 0
    expect(saved_output(page)).to_have_count(1)
    expect(saved_output(page)).to_be_hidden()
    panel.get_by_text("Kept clips").click()
    expect(panel.locator(".vidu-kept .vidu-card")).to_have_count(2)
    save(page)
    assert 50_000 < grown(path, before) <= 150_000
    command(page, "notebook:clear-all-cell-outputs")  # nothing live shows it, and nothing is left to show
    expect(page.locator("head style", has_text="vidu-saved-")).to_have_count(0)


def test_a_panel_shown_twice_plays_twice_and_in_another_tab(page: Page, browser: Browser, lab: str, root: Path):
    """Each plays, muted where a page may not sound yet; without a kernel's answer the cell's output shows instead."""
    path = root / "work" / "twice.ipynb"
    panels = run(page, path, "one = panel('clips')\none", "one")
    expect(panels).to_have_count(2)
    preview(panels.first)
    for number in range(2):
        assert panels.nth(number).locator("video").evaluate(MOVES)["width"] == 1920
    expect(page.locator(".vidu-card")).to_have_count(2)
    page.wait_for_function(KERNEL_IS_IDLE)
    save(page)
    other = browser.new_page(viewport={"width": 1200, "height": 1400})
    other.set_default_timeout(PATIENCE)
    other.add_init_script(STRICT)
    open_notebook(other, lab, "work/twice.ipynb")
    expect(other.locator(".vidu-panel")).to_have_count(2)
    for number in range(2):
        told = other.locator(".vidu-panel").nth(number).locator("video").evaluate(MOVES)
        assert (told["width"], told["muted"]) == (1920, True)
    expect(other.locator(".vidu-card")).to_have_count(2)
    expect(saved_output(other)).to_have_count(2)
    for output in saved_output(other).all():
        expect(output).to_be_hidden()
    other.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    for output in saved_output(other).all():
        expect(output).to_be_visible()
    expect(other.locator("video.vidu-medium")).to_have_count(0)
    other.close()


def padded(clip: bytes, megabytes: int) -> bytes:
    """A clip with a box at its end that players pass over."""
    return clip + (megabytes * 1_000_000).to_bytes(4, "big") + b"free" + bytes(megabytes * 1_000_000 - 8)


@pytest.fixture
def large(root: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with two clips, one of 40 MB."""
    folder = root / "work" / "large"
    monkeypatch.setenv("VIDU_NB_ARCHIVE", str(folder))
    data = next(made.glob("preview/*seed42*.mp4")).read_bytes()
    for seed, clip in ((42, padded(data, 40)), (43, padded(data, 1))):
        request = vidu.VideoRequest(prompt=PROMPT, references=sample_references()[2:], seed=seed)
        keep(request, clip, name=f"clip{seed}")
    return folder


def test_a_large_clip_blocks_nothing_and_its_memory_is_freed(page: Page, root: Path, large: Path):
    """While it comes the panel answers; the next clip frees it; a kernel or a file that goes meanwhile is told."""
    path = root / "work" / "large.ipynb"
    box = "one = panel('large')\nipywidgets.VBox([one])"
    panel = run(page, path, f"{box}", "print('pid', os.getpid())")
    expect(panel.get_by_role("button", name="Preview (kept")).to_be_visible()
    page.evaluate(DICE_AS_IT_COMES)
    video = preview(panel)
    page.wait_for_function("() => 'sources' in window")
    assert page.evaluate("sources") == ["", ""], "the panel answers while the clip is on its way"
    assert video.evaluate(MOVES)["source"] == "blob"
    first = video.evaluate("video => video.src")
    panel.locator(".vidu-seed input").fill("43")
    preview(panel)
    expect(panel.locator(".vidu-card")).to_have_count(2)
    assert panel.locator("video").evaluate(MOVES)["duration"] == pytest.approx(5, abs=0.2)
    freed = "url => fetch(url).then(() => 'held', () => 'freed')"
    assert page.evaluate(freed, first) == "freed"
    next(large.glob("preview/*clip43*.mp4")).unlink()
    panel.locator(".vidu-card-button").nth(0).click()
    expect(panel.locator(".vidu-status")).to_contain_text("can't be shown")
    pid = int(page.locator(".jp-OutputArea-output", has_text="pid ").inner_text().split()[1])
    panel.locator(".vidu-card-button").nth(1).click()
    expect(panel.locator(".vidu-caption")).to_contain_text("seed 42")
    os.kill(pid, signal.SIGKILL)
    expect(panel.locator(".vidu-shown")).to_contain_text("kernel")


def test_pictures_are_shown_whole_and_side_by_side(page: Page, root: Path):
    """Each picture of a call that made several, one of 4K, and two that are compared; two clips play in step."""
    code = """client = vidu.Client.preview(archive='pictures')
one = vidu.panel('A lighthouse', model='sdxl1.0-txt2img', samples=2, seed=7, client=client)
one"""
    panel = run(page, root / "work" / "pictures.ipynb", code, "panel('clips')")
    panel.first.get_by_role("button", name="Preview (free)").click()
    shown = panel.first.locator("img.vidu-medium")
    expect(shown).to_have_count(2)
    whole = """img => img.decode().then(() => img.naturalWidth)"""
    page.wait_for_function(
        "() => [...document.querySelectorAll('img.vidu-medium')].every(one => one.naturalWidth >= 1024)"
    )
    assert [one.evaluate(whole) for one in shown.all()] == [1024, 1024]
    expect(panel.first.locator(".vidu-card")).to_have_count(2)
    clips = panel.nth(1)
    preview(clips)
    expect(clips.locator(".vidu-card")).to_have_count(1)
    clips.locator(".vidu-seed input").fill("43")
    preview(clips)
    expect(clips.locator(".vidu-card")).to_have_count(2)
    for number in range(2):
        clips.get_by_role("checkbox", name="Compare").nth(number).check()
    expect(clips.locator("video.vidu-medium")).to_have_count(2)
    clips.get_by_role("button", name="Play", exact=True).click()
    for video in clips.locator("video.vidu-medium").all():
        assert video.evaluate(MOVES)["width"] == 1920
