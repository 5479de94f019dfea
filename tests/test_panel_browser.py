"""The panel as people meet it: in JupyterLab, in a real Chromium, from the first click to the reopened notebook."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import FLAGS, command, find_chromium, install_kernel, jupyter_lab, open_notebook, write_notebook
from faults import FaultServer
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

KEY = "SG_not-a-real-key-for-tests"
PANEL = "import vidu_nb as vidu\npanel = vidu.panel()\npanel"
HOSTILE = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'

DROP = """(tray, files) => {
    const carried = new DataTransfer();
    for (const [name, text] of files) {
        const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
        carried.items.add(new File([bytes], name, {type: 'image/png'}));
    }
    for (const kind of ['dragenter', 'dragover', 'drop'])
        tray.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""

PLAYS = """async video => {
    video.muted = true;
    await video.play();
    const from = video.currentTime;
    await new Promise((done, failed) => {
        const late = setTimeout(() => failed(new Error(`stuck at ${video.currentTime} s`)), 10000);
        video.addEventListener('timeupdate', () => {
            if (video.currentTime > from + 0.3) { clearTimeout(late); done(); }
        });
    });
    video.pause();
    return {width: video.videoWidth, ready: video.readyState};
}"""

#: Milliseconds from a click on a button to a new video that moves.
CLICK_TO_PLAYING = """async button => {
    const before = new Set(document.querySelectorAll('.jp-OutputArea video'));
    const started = performance.now();
    button.click();
    const frame = () => new Promise(done => requestAnimationFrame(done));
    let video;
    while (!(video = [...document.querySelectorAll('.jp-OutputArea video')].find(one => !before.has(one)))) {
        await frame();
        if (performance.now() - started > 10000) throw new Error('no new video');
    }
    video.muted = true;
    await video.play();
    while (video.currentTime === 0) await frame();
    const took = performance.now() - started;
    video.pause();
    return took;
}"""

#: Milliseconds from Run All to a panel that is laid out.
RUN_TO_PANEL = """async () => {
    const started = performance.now();
    jupyterapp.commands.execute('notebook:run-all-cells');
    while (!document.querySelector('.vidu-panel textarea')?.getBoundingClientRect().height) {
        await new Promise(done => requestAnimationFrame(done));
        if (performance.now() - started > 30000) throw new Error('no panel');
    }
    return performance.now() - started;
}"""


@pytest.fixture(scope="module")
def browser() -> Browser:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    yield page
    page.close()


@pytest.fixture(scope="module")
def faults():
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(place, faults):
    """JupyterLab whose kernels have a key and a service that misbehaves as the prompt says."""
    settings = {"SEGMIND_API_KEY": KEY, "SEGMIND_BASE_URL": faults.root}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.delenv("VIDU_NB_ARCHIVE", raising=False)  # clips lie beside the notebook, as they do for people
        with jupyter_lab(place) as url:
            yield url


@pytest.fixture
def pictures(encoded):
    """Two pictures as a page's JavaScript takes them."""
    return [[name, base64.b64encode(encoded(320, 240, colour=name[:-4])).decode()] for name in ("red.png", "navy.png")]


def prompt_of(page: Page) -> Locator:
    return page.locator(".vidu-prompt textarea")


def button(page: Page, name: str) -> Locator:
    return page.locator(".vidu-panel").get_by_role("button", name=name)


def fill(page: Page, pictures: list, prompt: str) -> None:
    """Drop pictures and type a prompt."""
    page.locator(".vidu-tray").evaluate(DROP, pictures)
    expect(page.locator(".vidu-tray-card")).to_have_count(len(pictures))
    prompt_of(page).fill(prompt)


def start(page: Page, url: str, place: Path, name: str, *cells: str) -> None:
    write_notebook(place / name, *(cells or (PANEL,)))
    open_notebook(page, url, name.replace(" ", "%20"))


@pytest.mark.parametrize("base_url", ["/", "/user/x/"])
def test_from_an_empty_panel_to_a_reopened_notebook(
    page: Page, tmp_path: Path, faults: FaultServer, monkeypatch: pytest.MonkeyPatch, pictures: list, base_url: str
):
    """Drop, reorder, type, preview, cancel, save, and the clip still plays when the notebook is opened with no kernel."""
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    monkeypatch.delenv("VIDU_NB_ARCHIVE", raising=False)
    with jupyter_lab(tmp_path, base_url=base_url) as url:
        start(page, url, tmp_path, "sub folder/panel.ipynb", PANEL, "6 * 7")
        print(f"\nRun All to panel: {page.evaluate(RUN_TO_PANEL):.0f} ms")

        fill(page, pictures, "A wall. Then a zoom in.")
        cards = page.locator(".vidu-tray-card")
        expect(cards.first).to_contain_text("red.png")
        page.get_by_role("button", name="Move right").first.click()
        expect(cards.first).to_contain_text("navy.png")

        prompt_of(page).fill("wide " * 320)
        expect(page.locator(".vidu-counter")).to_have_text("1,600 / 1,500")
        expect(page.locator(".vidu-prompt .vidu-problem")).to_contain_text("Has 1,600 characters: the limit is 1,500")
        expect(button(page, "Preview")).to_be_disabled()
        prompt_of(page).fill("A wall. Then a zoom in.")
        page.locator(".vidu-aspect-ratio").get_by_label("1:1").check()

        button(page, "Preview (free)").click()
        video = page.locator(".jp-OutputArea video")
        video.wait_for(state="visible", timeout=30_000)
        assert video.evaluate(PLAYS) == {"width": 1080, "ready": 4}
        print(f"click to playing, kept: {button(page, 'Preview (kept').evaluate(CLICK_TO_PLAYING):.0f} ms")

        prompt_of(page).fill("A wall [fault:silence_after_body]")
        expect(button(page, "Generate (about $0.50, about 2 min)")).to_be_enabled()
        posts = len(faults.posts())
        button(page, "Generate").dblclick()
        expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
        expect(page.locator(".vidu-clock")).to_contain_text("of about 120 s (an estimate)")
        page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
        command(page, "notebook:run-cell")
        expect(page.locator(".jp-OutputArea-output", has_text="42").last).to_be_visible()
        started = time.monotonic()
        button(page, "Cancel").click()
        expect(page.locator(".vidu-note")).to_contain_text("may bill about $0.50")
        print(f"cancel to word: {time.monotonic() - started:.2f} s")
        assert len(faults.posts()) == posts + 1

        command(page, "docmanager:save")
        saved = tmp_path / "sub folder" / "panel.ipynb"
        expect(page.locator(".jp-mod-dirty")).to_have_count(0)
        page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
        text = saved.read_text(encoding="utf-8")
        assert KEY not in text
        assert "application/vnd.jupyter.widget-state+json" in text
        print(f"saved with widget state and one clip: {len(text) / 1000:.0f} kB")
        assert len(text) < 300_000

        notebook = nbformat.read(saved, as_version=4)
        del (
            notebook.metadata["kernelspec"],
            notebook.metadata["language_info"],
        )  # then JupyterLab asks, and starts none by itself
        nbformat.write(notebook, saved)
        page.goto(f"{url}lab/tree/sub%20folder/panel.ipynb?reset")
        page.locator(".jp-Dialog select").select_option(label="No Kernel")
        page.locator(".jp-Dialog").get_by_role("button", name="Select").click()
        video = page.locator(".jp-OutputArea video")
        video.wait_for(state="visible", timeout=30_000)
        assert video.evaluate(PLAYS)["width"] == 1080
        assert json.load(urlopen(f"{url}api/kernels")) == []


@pytest.mark.parametrize("version", ["6.31.0", "7.1.0", ""], ids=["6.31", "7.1", "newest"])
def test_the_notebook_stays_usable_while_a_call_runs(page: Page, lab: str, place: Path, pictures: list, version: str):
    """On old and new kernels: another cell runs during a call, Cancel ends it at once, and a clip comes after it."""
    kernel = install_kernel(version, place) if version else "python3"
    name = f"kernel-{version or 'newest'}.ipynb"
    write_notebook(place / name, PANEL, "import ipykernel\nprint('kernel', ipykernel.__version__)", kernel=kernel)
    open_notebook(page, lab, name)
    command(page, "notebook:run-all-cells")
    fill(page, pictures, f"A wall [fault:silence_after_body] {version}")
    button(page, "Generate (about").click()
    expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    command(page, "notebook:clear-cell-output")
    expect(page.locator(".jp-OutputArea-output", has_text="kernel")).to_have_count(0)
    command(page, "notebook:run-cell")
    expect(page.locator(".jp-OutputArea-output", has_text=f"kernel {version or '7.'}")).to_be_visible()
    expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
    button(page, "Cancel").click()
    expect(page.locator(".vidu-note")).to_contain_text("may bill", timeout=1000)
    prompt_of(page).fill(f"A wall {version}")
    button(page, "Preview (free)").click()
    video = page.locator(".jp-OutputArea video")
    video.wait_for(state="visible", timeout=30_000)
    assert video.evaluate(PLAYS)["ready"] >= 2
