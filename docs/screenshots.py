"""The documentation's pictures, made from the real thing by ``python docs/screenshots.py [NAME ...]``.

Opens notebooks in JupyterLab in Chromium and takes the pictures. Clips come from the local preview engine; where a
picture shows a paid call, a server on this machine stands in for the service. ``tour`` is the one that moves.
"""

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "tests"))

from browser import chromium, command, jupyter_lab, open_notebook, write_notebook  # noqa: E402
from faults import FaultServer  # noqa: E402

PROMPT = (
    "A woman in an orange space suit smiles at the camera, slow push in. Then close-up on a cup of coffee, pan right. "
    "Finally a rocket starts, tilt up, wide."
)
FIRST_CLIP = f"""import vidu_nb as vidu
from vidu_nb.samples import sample_references

video = vidu.preview(
    "{PROMPT[:68]}"
    "{PROMPT[68:]}",
    sample_references(),
)
video"""
PANEL = "import vidu_nb as vidu\n\npanel = vidu.panel()\npanel"
COMPARISON = """import vidu_nb as vidu
from vidu_nb.samples import sample_references

clips = [vidu.preview("The rocket starts, tilt up.", sample_references()[2], seed=seed) for seed in (1, 2)]
vidu.show(clips, labels=["seed 1", "seed 2"])"""

FILM = """import vidu_nb as vidu
from vidu_nb.samples import sample_references

woman, cup, rocket = sample_references()
film = vidu.Film(
    [
        vidu.Scene("@anna wakes up and smiles, slow push in.", title="Waking"),
        vidu.Scene("She looks at her @cup, close-up.", title="Breakfast", continues=True),
        vidu.Scene("The @rocket starts, tilt up, wide.", title="The start"),
    ],
    cast=vidu.Cast(anna=woman, cup=cup, rocket=rocket),
    title="The morning of the start",
)"""
STORYBOARD = f"{FILM}\nfilm.priced()"
FILM_PANEL = f"{FILM}\npanel = vidu.panel(film)\npanel"
CAST_PANEL = """import vidu_nb as vidu
from vidu_nb.samples import sample_references

woman, cup, rocket = sample_references()
cast = vidu.Cast(anna=woman, cup=cup, rocket=rocket)
panel = vidu.panel("@anna drinks from her @cup, slow push in.", cast)
panel"""

SETTLE = """async (video, at) => {
    video.muted = true;
    video.currentTime = at ?? 1.2;
    await new Promise(done => video.addEventListener('seeked', done, {once: true}));
}"""

#: A panel's clip, once it has its file.
PLAYING = ".vidu-panel video[src]"

TOUR_WIDTH = 820  # pixels
TOUR_BYTES = 400_000  # what a tracked file may have
TOUR_RATE = 6  # pictures for a second of the clip


def fill(page: Page, prompt: str = PROMPT) -> None:
    """Three photographs and a prompt."""
    page.get_by_role("button", name="Sample pictures").click()
    page.locator(".vidu-prompt textarea").fill(prompt)
    page.locator(".vidu-tray-card").nth(2).wait_for()
    page.locator(".vidu-prompt textarea").blur()


def first_clip(page: Page) -> None:
    """A clip in a cell's output."""
    page.locator(".jp-OutputArea video").evaluate(SETTLE)


def filled(page: Page) -> None:
    """A panel ready to go."""
    fill(page)


def running(page: Page) -> None:
    """A paid call under way."""
    fill(page, f"{PROMPT} [fault:silence_after_body]")
    page.get_by_role("button", name="Generate").click()
    page.locator(".vidu-stage", has_text="The model is at work").wait_for()
    page.wait_for_timeout(3000)
    page.evaluate("""() => {
        const area = document.querySelector('.vidu-prompt textarea');
        area.value = area.value.replace(/ .fault:.*/, '');
    }""")


def result(page: Page) -> None:
    """A clip, what can be done with it, and a history."""
    fill(page)
    page.get_by_role("button", name="Preview").click()
    page.locator(".vidu-card").wait_for(timeout=30_000)
    page.get_by_role("button", name="Next seed").click()
    page.get_by_role("button", name="Preview (free)").click()
    page.locator(".vidu-card").nth(1).wait_for(timeout=30_000)
    page.locator(PLAYING).evaluate(SETTLE)


def error(page: Page) -> None:
    """A refusal, in words."""
    fill(page, f"{PROMPT} [fault:status_406_credits]")
    page.get_by_role("button", name="Generate").click()
    page.locator(".vidu-panel .vidu-status .vidu-problem").wait_for()
    page.evaluate("""() => {
        const area = document.querySelector('.vidu-prompt textarea');
        area.value = area.value.replace(/ .fault:.*/, '');
    }""")


def comparison(page: Page) -> None:
    """Two clips in step."""
    page.locator(".jp-OutputArea video").nth(1).wait_for(timeout=60_000)
    page.locator(".jp-OutputArea video").first.evaluate(SETTLE)
    page.wait_for_timeout(1500)


def name_the_service(page: Page, place: str) -> None:
    """Write the service's name where the stand-in's address, which is another each time, is told."""
    page.locator(place, has_text="127.0.0.1").first.wait_for()
    page.evaluate(
        """place => {
            const texts = document.createTreeWalker(document.querySelector(place), NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) {
                texts.currentNode.data = texts.currentNode.data.replace(/127.0.0.1:\\d+/, 'segmind');
            }
        }""",
        place,
    )


def storyboard(page: Page) -> None:
    """A film's storyboard."""
    page.locator(".vidu-film").wait_for()
    name_the_service(page, ".vidu-film")


def film_panel(page: Page) -> None:
    """A film to write in."""
    page.locator(".vidu-scene").nth(2).wait_for()
    name_the_service(page, ".vidu-panel")


def completion(page: Page) -> None:
    """Names that complete what is typed."""
    prompt = page.locator(".vidu-prompt textarea")
    prompt.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" Outside waits the @")
    page.locator(".vidu-mentions").wait_for()


#: Name → cells, whether there is a key, whether it is dark, the window's size, what to do before the picture is taken.
PICTURES: dict[str, tuple[str, bool, bool, tuple[int, int], Callable[[Page], None]]] = {
    "first-clip": (FIRST_CLIP, False, False, (1100, 760), first_clip),
    "panel-filled": (PANEL, True, False, (1200, 800), filled),
    "panel-running": (PANEL, True, False, (1200, 800), running),
    "panel-result": (PANEL, False, False, (1200, 860), result),
    "panel-error": (PANEL, True, False, (1200, 800), error),
    "panel-dark": (PANEL, False, True, (1200, 860), result),
    "storyboard": (STORYBOARD, True, False, (1100, 820), storyboard),
    "film-panel": (FILM_PANEL, True, False, (1200, 1020), film_panel),
    "panel-cast": (CAST_PANEL, True, False, (1200, 800), completion),
    "comparison": (COMPARISON, False, False, (1200, 700), comparison),
}


class Tour:
    """Pictures of one place on a page, and how long each of them stands."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pictures: list[Image.Image] = []
        self.stands: list[int] = []

    def look(self, milliseconds: int) -> None:
        """Take one more picture."""
        box = self.page.locator(".jp-WindowedPanel-outer").bounding_box()
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=box))).convert("RGB")
        size = (TOUR_WIDTH, TOUR_WIDTH * shot.height // shot.width)
        self.pictures.append(shot.resize(size, Image.Resampling.LANCZOS))
        self.stands.append(milliseconds)

    def save(self, path: Path) -> None:
        """Write the WebP, as finely as its size allows."""
        first, *rest = self.pictures
        for quality in (80, 70, 60, 50, 40, 30):
            first.save(path, save_all=True, append_images=rest, duration=self.stands, loop=0, quality=quality, method=6)
            if path.stat().st_size <= TOUR_BYTES:
                return
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes: take fewer pictures")


def walk(page: Page, tour: Tour) -> None:
    """From an empty panel to a clip that plays."""
    page.locator(".vidu-tray").wait_for()
    tour.look(900)
    page.get_by_role("button", name="Sample pictures").click()
    page.locator(".vidu-tray-card").nth(2).wait_for()
    page.wait_for_timeout(400)
    tour.look(700)
    words = PROMPT.split()
    for end in (6, 11, 19, len(words)):
        page.locator(".vidu-prompt textarea").fill(" ".join(words[:end]))
        tour.look(260)
    page.locator(".vidu-prompt textarea").blur()
    page.wait_for_timeout(400)
    tour.look(700)
    page.get_by_role("button", name="Preview").click()
    clip = page.locator(PLAYING)
    for _ in range(5):
        if not clip.count():
            tour.look(350)
    clip.wait_for(timeout=60_000)
    for number in range(5 * TOUR_RATE):
        clip.evaluate(SETTLE, number / TOUR_RATE)
        tour.look(1000 // TOUR_RATE)


def film(browser: Browser) -> None:
    """The picture that moves."""
    with notebook(browser, PANEL, (1180, 800)) as page:
        tour = Tour(page)
        walk(page, tour)
        tour.save(IMAGES / "tour.webp")


@contextmanager
def notebook(browser: Browser, cells: str, size: tuple[int, int], *, dark: bool = False) -> Iterator[Page]:
    """A page with a notebook that has been run."""
    with tempfile.TemporaryDirectory() as folder, jupyter_lab(Path(folder), dark=dark) as url:
        write_notebook(Path(folder) / "panel.ipynb", cells)
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        open_notebook(page, url, "panel.ipynb")
        page.keyboard.press("Control+b")  # fold the file browser away
        command(page, "notebook:run-all-cells")
        page.locator(".jp-OutputArea video, .vidu-panel, .vidu-film").first.wait_for(timeout=60_000)
        yield page
        page.close()


def take(browser: Browser, name: str, faults: FaultServer) -> None:
    """One picture."""
    cells, has_key, dark, size, act = PICTURES[name]
    paid = {"SEGMIND_API_KEY": "a-key-for-the-stand-in", "SEGMIND_BASE_URL": faults.root}
    for setting, value in paid.items():
        if has_key:
            os.environ[setting] = value
        else:
            os.environ.pop(setting, None)
    with notebook(browser, cells, size, dark=dark) as page:
        act(page)
        page.wait_for_timeout(700)
        shot = page.screenshot()
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(256).save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Make the pictures that are named, or all."""
    os.environ.pop("VIDU_NB_ARCHIVE", None)
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser, FaultServer() as faults:
        for name in sys.argv[1:] or [*PICTURES, "tour"]:
            if name == "tour":
                film(browser)
            else:
                take(browser, name, faults)


if __name__ == "__main__":
    main()
