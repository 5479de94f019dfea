"""How fast the panel is on a page: `python -m benchmarks.panel`; wants a Chromium and JupyterLab.

(a) from running a cell to a panel that can be used: in a new kernel, where the cell imports the library, and where an
    earlier cell has;
(b) from a click on the button of a preview that is kept to a clip that moves, by a link and by the kernel's bytes;
(c) what a pause in typing costs the kernel, with an archive of ten thousand clips and without one.

(a) and (b) are measured by the page's own clock, medians; a page's round trip to the kernel is measured beside them, in
the same session, since a busy machine slows both down.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import vidu_nb as vidu
from benchmarks.report import verdict
from vidu_nb.receipt import Receipt
from vidu_nb.recipe import describe
from vidu_nb.samples import PROMPT, sample_references

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the browser and the JupyterLab of the tests

STARTS, CLICKS, ENTRIES, LETTERS = 3, 5, 10_000, 1_500
PANEL = f"panel = vidu.panel({PROMPT!r}, vidu.samples.sample_references(), client=vidu.Client.preview(archive='clips'))"
SETTING = "import os\nos.environ['VIDU_NB_PLAYER'] = {!r}"

#: Runs the selected cell; seconds until there is a panel more that has been answered by its kernel.
SHOWS = """() => new Promise(done => {
    const count = () => [...document.querySelectorAll('.vidu-panel')].filter(one => one.offsetHeight > 100).length;
    const [before, begin] = [count(), performance.now()];
    const look = () => count() > before ? done((performance.now() - begin) / 1000) : requestAnimationFrame(look);
    jupyterapp.commands.execute('notebook:run-cell-and-select-next');
    look();
})"""

#: Clicks a card or a button; seconds until a clip is moving that was not there before.
PLAYS = """button => new Promise(done => {
    const panel = button.closest('.vidu-panel');
    const old = panel.querySelector('video');
    let begin = 0;
    const press = () => { // once the call before has ended
        if (button.getAttribute('aria-disabled') === 'true') return requestAnimationFrame(press);
        begin = performance.now();
        button.click();
        look();
    };
    const look = () => {
        const video = panel.querySelector('video');
        if (video && video !== old && video.currentTime > 0) done((performance.now() - begin) / 1000);
        else requestAnimationFrame(look);
    };
    press();
})"""

#: Seconds of a round trip between page and kernel.
ANSWERS = """async () => {
    const begin = performance.now();
    await jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestKernelInfo();
    return (performance.now() - begin) / 1000;
}"""


def on_a_page() -> None:
    """Measure in JupyterLab."""
    from browser import chromium, command, jupyter_lab, open_notebook, write_notebook

    shown: dict[str, list[float]] = {"new": [], "imported": []}
    played: dict[str, list[float]] = {"link": [], "embed": []}
    answered: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        client = vidu.Client.preview(archive=folder / "clips")
        client.generate(vidu.VideoRequest(prompt=PROMPT, references=sample_references()))
        os.environ.pop("VIDU_NB_ARCHIVE", None)
        with jupyter_lab(folder) as url, chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 1600})
            for kind, cells in (
                ("new", ["import vidu_nb as vidu\n\npanel = vidu.panel()\npanel"]),
                ("imported", ["import vidu_nb as vidu\nvidu.panel", "panel = vidu.panel()\npanel"]),
            ):
                for number in range(STARTS):
                    notebook = f"{kind}{number}.ipynb"
                    write_notebook(folder / notebook, *cells)
                    open_notebook(page, url, notebook)
                    answered += [page.evaluate(ANSWERS) for _ in range(5)]
                    if kind == "imported":
                        command(page, "notebook:run-cell-and-select-next")
                        page.locator(".jp-OutputArea-executeResult").wait_for()
                    shown[kind].append(page.evaluate(SHOWS))
            for player, seconds in played.items():
                write_notebook(folder / f"{player}.ipynb", f"import vidu_nb as vidu, vidu_nb.samples\n"
                               f"{SETTING.format(player)}\n{PANEL}\npanel")  # fmt: skip
                open_notebook(page, url, f"{player}.ipynb")
                page.evaluate(SHOWS)
                button = page.locator(".vidu-panel").get_by_role("button", name="Preview (kept")
                for _ in range(CLICKS + 1):
                    seconds.append(button.evaluate(PLAYS))
                    answered.append(page.evaluate(ANSWERS))
    print(f"the panel on a page; a round trip to the kernel takes {1000 * statistics.median(answered):.0f} ms:")
    verdict("from running its cell in a new kernel to the panel", statistics.median(shown["new"]), 0.8, unit="s")
    verdict("the same, in a kernel that has imported the library", statistics.median(shown["imported"]), 0.5, unit="s")
    for player, what in (("link", "by a link"), ("embed", "by the kernel's bytes")):
        verdict(f"first click to a kept clip that plays, {what}", played[player][0], 0.4, unit="s")
        verdict(f"further clicks, {what}", statistics.median(played[player][1:]), 0.4, unit="s")


def fill(archive: Path, entries: int) -> None:
    """Put many previews into an archive, as far as a look at their names goes."""
    request = describe(vidu.VideoRequest(prompt=PROMPT, references=sample_references()))
    folder = archive / "preview"
    folder.mkdir(parents=True)
    for number in range(entries):
        key = hashlib.sha256(str(number).encode()).hexdigest()
        receipt = Receipt("preview", sha256=key, created_at="2026-01-02T03:04:05+00:00").to_dict()
        path = folder / f"a-clip_16x9_seed{number}_{key[:8]}.json"
        path.write_text(json.dumps({"format": 1, "key": key, "sha256": key, "request": request, "receipt": receipt}))
        path.with_suffix(".mp4").touch()


def typed(archive: Path) -> float:
    """Milliseconds of processor that a message with a changed prompt takes; the median."""
    panel = vidu.panel("", sample_references(), client=vidu.Client.preview(archive=archive))
    send: Callable[..., object] = panel._receive  # noqa: SLF001 - what a page's message comes to
    took = []
    for length in range(1, LETTERS, 5):
        begin = time.process_time()
        send(panel, {"do": "values", "token": "t", "values": {"prompt": "word " * (length // 5)}}, [])
        took.append(time.process_time() - begin)
    return 1000 * statistics.median(took)


def in_the_kernel() -> None:
    """Measure what typing costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "full", ENTRIES)
        empty, full = typed(folder / "none"), typed(folder / "full")
    print(f"a pause in typing {LETTERS:,} characters, processor time, medians:")
    verdict("with an empty archive", empty, 10, unit="ms")
    verdict(f"with {ENTRIES:,} clips kept", full, 10, unit="ms")


def main() -> None:
    """Measure and print."""
    in_the_kernel()
    on_a_page()


if __name__ == "__main__":
    main()
