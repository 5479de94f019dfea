"""The panel outside JupyterLab: in Notebook 7 and under Voilà, from the empty panel to a clip that moves."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from browser import KERNEL_IS_IDLE, PLAYS, command, write_notebook
from playwright.sync_api import Browser, Locator, Page, expect

PANEL = "import vidu_nb as vidu\npanel = vidu.panel()\npanel"
PROMPT = "A rocket. bb dd then a zoom in."  # outside a text box, bb makes cells and dd deletes one
#: What sticks out of the window to the right.
STICKS_OUT = """() => [...document.querySelectorAll('.vidu-panel, .vidu-panel *, .vidu-player')]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
    .filter(one => !one.closest('.vidu-strip'))
    .map(one => one.className)"""


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())  # Voilà's icon font
    yield page
    page.close()


@pytest.fixture(autouse=True)
def _archive_beside_the_notebook(monkeypatch: pytest.MonkeyPatch):
    """As it is for people; the clean place of all tests has taken the key away."""
    monkeypatch.delenv("VIDU_NB_ARCHIVE")


@contextmanager
def server(folder: Path, *arguments: str, answers: str) -> Iterator[str]:
    """``python -m`` a server on a folder, with settings of its own; gives its URL, ended by its own process id."""
    own = folder / ".jupyter"
    home = {
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = [sys.executable, "-m", *arguments, "--no-browser", f"--port={port}"]
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(told, cwd=folder, env=os.environ | home, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for(url + answers, process)
        yield url
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)  # it ends its kernels first
        process.kill()
        process.wait()
        log.close()


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended by itself; see server.log"
        with contextlib.suppress(URLError, OSError), urlopen(url, timeout=2):
            return
        time.sleep(0.1)  # between two looks at a bounded wait
    raise AssertionError(f"the server did not answer within {seconds} s; see server.log")


def notebook_7(folder: Path) -> contextlib.AbstractContextManager[str]:
    return server(
        folder, "notebook", "--allow-root", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=", "--ServerApp.password=", "--JupyterNotebookApp.expose_app_in_browser=True",
        answers="api/status",
    )  # fmt: skip


def voila(folder: Path, *options: str) -> contextlib.AbstractContextManager[str]:
    """Voilà on a folder, or on the notebook that is named first."""
    return server(folder, "voila", *options, "--Voila.ip=127.0.0.1", answers="voila/static/voila.js")


def preview_by_hand(page: Page) -> Locator:
    """Take the sample pictures, type a prompt key by key, ask for a preview and its code; gives the panel's video."""
    panel = page.locator(".vidu-panel")
    panel.get_by_role("button", name="Sample pictures").click(timeout=60_000)
    expect(page.locator(".vidu-tray-card")).to_have_count(3)
    panel.get_by_label("Prompt", exact=True).press_sequentially(PROMPT)
    expect(page.locator(".vidu-counter")).to_have_text(f"{len(PROMPT)} / 1,500")
    panel.get_by_role("button", name="Preview (free)").click()
    video = panel.locator("video.vidu-medium")
    video.wait_for(timeout=60_000)
    expect(page.locator(".vidu-card")).to_have_count(1)
    expect(video).to_have_attribute("aria-label", re.compile(re.escape(PROMPT)))
    expect(panel.get_by_label("Prompt", exact=True)).to_have_value(PROMPT)
    panel.get_by_label("Copy as").select_option("curl")
    expect(page.get_by_label("As curl: select all and copy")).to_be_focused()
    expect(page.get_by_label("As curl: select all and copy")).to_have_value(re.compile(PROMPT))
    return video


def fits(page: Page) -> None:
    for width in (700, 1600):
        page.set_viewport_size({"width": width, "height": 1400})
        page.wait_for_function("width => document.querySelector('.vidu-panel').clientWidth < width", arg=width)
        assert page.evaluate(STICKS_OUT) == [], width


def test_notebook_7_shows_the_panel_and_plays_its_clip(page: Page, tmp_path: Path):
    """The keys typed stay in the prompt, and the clip plays in full by its link; the cell's output is there, hidden."""
    write_notebook(tmp_path / "sub folder" / "panel.ipynb", PANEL)
    with notebook_7(tmp_path) as url:
        page.goto(f"{url}notebooks/sub%20folder/panel.ipynb")
        page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)
        command(page, "notebook:run-all-cells")
        video = preview_by_hand(page)
        told = video.evaluate(PLAYS)
        assert (told["width"], told["height"]) == (1920, 1080)
        assert video.evaluate("video => video.currentSrc").startswith("http")
        expect(page.locator(".vidu-saved video")).to_be_hidden()
        assert page.locator(".jp-CodeCell").count() == 1
        fits(page)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ([], "voila/render/sub%20folder/panel.ipynb"),
        (["sub folder/panel.ipynb", "--preheat_kernel=True"], ""),
    ],
    ids=["folder", "one notebook, kernels started ahead"],
)
def test_voila_shows_the_panel_and_plays_its_clip(page: Page, tmp_path: Path, options: list[str], path: str):
    """The clip plays in full inside the panel, from the kernel's bytes: Voilà serves no clip where nobody lists mp4."""
    write_notebook(tmp_path / "sub folder" / "panel.ipynb", PANEL)
    with voila(tmp_path, *options) as url:
        page.goto(url + path)
        video = preview_by_hand(page)
        told = video.evaluate(PLAYS)
        assert (told["width"], told["height"]) == (1920, 1080)
        assert video.evaluate("video => video.currentSrc").startswith("blob:")
        assert page.locator(".vidu-player").count() == 0
        fits(page)
