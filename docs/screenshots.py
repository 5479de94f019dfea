"""The documentation's pictures, made from the real thing by ``python docs/screenshots.py``.

Runs a small notebook, opens it in JupyterLab in Chromium, and takes the pictures.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser import FLAGS, find_chromium, jupyter_lab  # noqa: E402

CELLS = [
    """import vidu_nb as vidu
from vidu_nb.demo import sample_references

video = vidu.generate(
    "A woman in an orange space suit smiles at the camera, slow push in. "
    "Then close-up on a cup of coffee, pan right. Finally a rocket starts, tilt up, wide.",
    sample_references(),
)
video""",
]


def make_notebook(folder: Path) -> None:
    """Execute the cells in a folder of their own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(notebook, folder / "a-first-clip.ipynb")


def take(page: Page, url: str, target: Path) -> None:
    """Open the notebook, play a moment into the clip, and save what is seen."""
    page.goto(f"{url}lab/tree/a-first-clip.ipynb?reset")
    video = page.locator(".jp-OutputArea video")
    video.wait_for(state="visible", timeout=60_000)
    video.evaluate("""async video => {
        video.muted = true;
        video.currentTime = 1.2;
        await new Promise(done => video.addEventListener('seeked', done, {once: true}));
    }""")
    page.keyboard.press("Control+b")  # fold the file browser away
    page.wait_for_timeout(500)
    shot = target.with_suffix(".full.png")
    page.screenshot(path=shot)
    with Image.open(shot) as image:
        image.convert("RGB").quantize(256).save(target, optimize=True)
    shot.unlink()


def main() -> None:
    """Make every picture."""
    for name in ("SEGMIND_API_KEY", "SEGMIND_BASE_URL", "VIDU_NB_ARCHIVE"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        make_notebook(Path(folder))
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        with jupyter_lab(Path(folder)) as url:
            page = chromium.new_page(viewport={"width": 1100, "height": 760})
            take(page, url, ROOT / "docs" / "images" / "first-clip.png")
        chromium.close()


if __name__ == "__main__":
    main()
