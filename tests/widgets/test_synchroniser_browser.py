"""Several clips in step, as a person sees and drives them: real JupyterLab, real Chromium, frames read back."""

from __future__ import annotations

import re
import shutil
import statistics

import nbformat
import numpy as np
import pytest
from browser import PATIENCE, jupyter_lab, open_instead, open_notebook, violations
from playwright.sync_api import expect

HOSTILE = '"><img src=x onerror=window.hacked=1><script>window.hacked=2</script>'
ONE_FRAME = 0.042  # s
SHADE, STEP = 8, 2  # frame n is grey, SHADE + STEP * n: what is on the screen tells which frame it is
CELL = f"""
import vidu_nb as vidu

clips = [vidu.load(name) for name in ("one.mp4", "two.mp4", "short.mp4")]
vidu.show(clips, labels=["one", {HOSTILE!r}, "short"])
"""

#: The frame that each clip shows, read from its pixels once no clip has sought for a while: a seek may follow another.
FRAMES = """async ([shade, step]) => {
    const shown = [], videos = [...document.querySelectorAll('.vidu-grid video')];
    const late = performance.now() + 10000;
    for (let calm = 0; calm < 4 && performance.now() < late; await new Promise(requestAnimationFrame))
        calm = videos.some(video => video.seeking) ? 0 : calm + 1;
    for (const video of videos) {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [8, 8];
        const brush = canvas.getContext('2d');
        brush.drawImage(video, 0, 0, 8, 8);
        const grey = brush.getImageData(0, 0, 8, 8).data.filter((_, i) => i % 4 === 1);
        shown.push(Math.round((grey.reduce((sum, one) => sum + one) / grey.length - shade) / step));
    }
    return shown;
}"""

#: While clips play, how far two of them are apart, each by the last frame that it presented; so many looks.
DRIFT = """async looks => {
    const videos = [...document.querySelectorAll('.vidu-grid video')].slice(0, 2);
    const shown = videos.map(() => null), apart = [];
    videos.forEach((video, i) => {
        const note = (_, {mediaTime}) => {
            shown[i] = mediaTime;
            if (apart.length < looks) video.requestVideoFrameCallback(note);
        };
        video.requestVideoFrameCallback(note);
    });
    while (apart.length < looks) {
        await new Promise(requestAnimationFrame);
        if (!videos.some(video => video.paused) && !shown.includes(null)) apart.push(Math.abs(shown[1] - shown[0]));
    }
    return apart;
}"""


MOVES = "document.querySelector('.vidu-grid video').currentTime > 0.3"

#: Runs some lines in a new cell.
RUN_BELOW = """async lines => {
    await jupyterapp.commands.execute('notebook:insert-cell-below');
    jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(lines);
    await jupyterapp.commands.execute('notebook:run-cell');
}"""


def grey(count, height, width, start=0):
    """Frames that tell their numbers by their shade."""
    return [np.full((height, width, 3), SHADE + STEP * (start + n), np.uint8) for n in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_clip):
    """A notebook beside three clips: two wide ones of five seconds, a square one of three."""
    folder = tmp_path_factory.mktemp("lab")
    for name, (count, height, width) in {
        "one.mp4": (120, 180, 320),
        "two.mp4": (120, 180, 320),
        "short.mp4": (72, 180, 180),
    }.items():
        shutil.copy(make_clip(name, grey(count, height, width), crf=8), folder / name)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL.strip())], metadata=kernel)
    nbformat.write(notebook, folder / "show.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(folder):
    """JupyterLab's URL."""
    with jupyter_lab(folder) as url:
        yield url


@pytest.fixture(scope="module")
def notebook(lab, browser):
    """The notebook's page, all cells run."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(PATIENCE)
    open_notebook(page, lab, "show.ipynb")
    menu(page, "Run", "Run All Cells")
    page.locator(".vidu-sync fieldset:enabled").wait_for()
    yield page
    page.close()


@pytest.fixture
def bar(notebook):
    """The bar, as it is before anybody touches it."""
    bar = notebook.locator(".vidu-sync")
    bar.get_by_role("button", name="First frame").click()
    bar.get_by_label("Speed").select_option("1")
    bar.get_by_label("Sound").select_option("-1")
    bar.get_by_label("View").select_option("side")
    if bar.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true":
        bar.get_by_role("button", name="Loop").click()
    return bar


def menu(page, *names):
    """Choose from JupyterLab's menus."""
    page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{names[0]}$")).click()
    for name in names[1:]:
        page.locator(".lm-Menu-item", has=page.get_by_text(name, exact=True)).click()


def press(bar, name):
    """Press one of the bar's buttons."""
    bar.get_by_role("button", name=name, exact=True).click()


def frames(page):
    """The frames on the screen."""
    return page.evaluate(FRAMES, [SHADE, STEP])


def videos(page, what):
    """A property of each clip."""
    return page.locator(".vidu-grid video").evaluate_all(f"videos => videos.map(video => video.{what})")


def at_frame(bar, frame):
    """Wait until the bar says a frame."""
    told = re.compile(rf"^\d\.\d\d s, frame {frame} of 120$")
    expect(bar.get_by_label("Timeline")).to_have_attribute("aria-valuetext", told)
    expect(bar.locator(".vidu-sync-position")).to_have_text(f"{frame / 24:.3f} s · frame {frame:\u2007>3}")


def test_clips_play_in_step(notebook, bar):
    """While they play, the frames on the screen are at most one frame apart, but where a busy machine drops some."""
    press(bar, "Loop")
    press(bar, "Play")
    apart = notebook.evaluate(DRIFT, 60)
    press(bar, "Pause")
    assert statistics.median(apart) <= ONE_FRAME


def test_a_clip_that_falls_behind_comes_back(notebook, bar):
    """Clips that were torn apart by a little or by a lot are in step again before long, without stopping."""
    press(bar, "Loop")  # a machine with other things to do may need longer than the clip lasts
    for torn in (0.1, 0.8):
        press(bar, "First frame")
        press(bar, "Play")
        notebook.wait_for_function(MOVES)
        notebook.evaluate(f"document.querySelectorAll('.vidu-grid video')[1].currentTime += {torn}")
        notebook.wait_for_function(
            """() => {
                const [one, two] = document.querySelectorAll('.vidu-grid video');
                const apart = Math.abs(two.currentTime - one.currentTime);
                return !one.paused && !one.seeking && !two.seeking && apart < 0.01;
            }"""
        )
        expect(bar.get_by_role("button", name="Pause")).to_be_visible()
        press(bar, "Pause")


def test_a_pause_shows_the_same_frame_of_each(notebook, bar):
    """Wherever a person stops, all clips show the very frame that the bar tells."""
    press(bar, "Play")
    notebook.wait_for_function("document.querySelector('.vidu-grid video').currentTime > 0.5")
    press(bar, "Pause")
    shown = frames(notebook)
    assert len(set(shown)) == 1
    at_frame(bar, shown[0])


def test_a_step_is_one_frame_of_each(notebook, bar):
    """Each press of a step button moves all clips by exactly one frame; the ends are ends."""
    for frame in (1, 2, 3):
        press(bar, "One frame on")
        assert frames(notebook) == [frame] * 3
        at_frame(bar, frame)
    press(bar, "One frame back")
    assert frames(notebook) == [2] * 3
    press(bar, "First frame")
    press(bar, "One frame back")
    assert frames(notebook) == [0] * 3


def test_the_keyboard_drives_all(notebook, bar):
    """Space, arrows, Home and End act while the bar has the focus, and JupyterLab leaves them alone."""
    line = bar.get_by_label("Timeline")
    line.focus()
    notebook.keyboard.press("End")
    at_frame(bar, 119)
    assert frames(notebook) == [119, 119, 71]  # a shorter clip holds its last frame
    for _ in range(3):
        notebook.keyboard.press("ArrowLeft")
    assert frames(notebook) == [116, 116, 71]
    notebook.keyboard.press("Home")
    notebook.keyboard.press("ArrowRight")
    assert frames(notebook) == [1] * 3
    notebook.keyboard.press("Space")
    expect(bar.get_by_role("button", name="Pause")).to_be_visible()
    notebook.keyboard.press("Space")
    expect(bar.get_by_role("button", name="Play")).to_be_visible()
    assert videos(notebook, "paused") == [True] * 3
    names = []
    bar.get_by_role("button", name="First frame").focus()
    for _ in range(9):
        names.append(
            notebook.evaluate("(e => e.ariaLabel || e.labels[0].firstChild.textContent)(document.activeElement)")
        )
        notebook.keyboard.press("Tab")
    assert names == [
        "First frame", "One frame back", "Play", "One frame on", "Timeline", "Speed", "Loop", "Sound", "View",
    ]  # fmt: skip


def test_speed_is_that_of_each(notebook, bar):
    """All clips play at the speed that was chosen, but for the little with which one catches up."""
    bar.get_by_label("Speed").select_option("0.5")
    press(bar, "Play")
    notebook.wait_for_function(MOVES)
    assert videos(notebook, "playbackRate") == pytest.approx([0.5] * 3, abs=0.13)
    press(bar, "Pause")


def test_the_end_is_the_end_or_the_beginning(notebook, bar):
    """Without the loop all rest on their last frames; with it all begin again together."""
    bar.get_by_label("Speed").select_option("2")
    bar.get_by_label("Timeline").fill("100")
    press(bar, "Play")
    at_frame(bar, 119)
    expect(bar.get_by_role("button", name="Play")).to_be_visible()
    assert frames(notebook) == [119, 119, 71]
    press(bar, "Loop")
    expect(bar.get_by_role("button", name="Loop")).to_have_attribute("aria-pressed", "true")
    bar.get_by_label("Timeline").fill("100")
    press(bar, "Play")
    notebook.wait_for_function(
        """() => [...document.querySelectorAll('.vidu-grid video')]
            .every(video => !video.paused && video.currentTime > 0.1 && video.currentTime < 1.5)"""
    )
    press(bar, "Pause")
    assert len(set(frames(notebook))) == 1


def test_one_clip_is_heard_or_none(notebook, bar):
    """The bar starts silent; a clip that is chosen by its label is the only one that is heard."""
    assert videos(notebook, "muted") == [True, True, True]
    for index, label in enumerate(["one", HOSTILE, "short"]):
        bar.get_by_label("Sound").select_option(label=label)
        assert videos(notebook, "muted") == [i != index for i in range(3)]
    bar.get_by_label("Sound").select_option(label="muted")
    assert videos(notebook, "muted") == [True, True, True]


def test_a_wipe_lays_one_clip_over_another(notebook, bar):
    """Two clips of the same shape share one place; the border between them follows hand and keyboard."""
    before = notebook.locator(".vidu-grid video").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().width)"
    )
    bar.get_by_label("View").select_option("wipe")
    over, under = (notebook.locator(f".vidu-wipe-{side}") for side in "ba")
    place = over.locator("video").bounding_box()
    assert place == under.locator("video").bounding_box()
    assert place["width"] > before[0]
    assert notebook.locator(".vidu-grid video >> visible=true").count() == 2
    assert notebook.locator(".vidu-wipe-name").all_inner_texts() == ["one", HOSTILE]
    disabled = "all => all.filter(one => one.disabled).map(one => one.textContent)"
    assert bar.get_by_label("Left").locator("option").evaluate_all(disabled) == ["short"]

    def cut():
        return over.evaluate("one => getComputedStyle(one).clipPath")

    assert cut() == "inset(0px 0px 0px 50%)"
    at = bar.get_by_label("Wipe position")
    at.focus()
    notebook.keyboard.press("Home")
    assert cut() == "inset(0px 0px 0px 0%)"
    middle = place["y"] + place["height"] / 2
    notebook.mouse.move(place["x"] + place["width"] * 0.1, middle)
    notebook.mouse.down()
    notebook.mouse.move(place["x"] + place["width"] * 0.25, middle, steps=3)
    notebook.mouse.up()
    assert cut() == "inset(0px 0px 0px 25%)"
    expect(at).to_have_attribute("aria-valuetext", "25 %")
    bar.get_by_label("View").select_option("side")
    widths = "all => all.map(one => one.getBoundingClientRect().width)"
    assert notebook.locator(".vidu-grid video").evaluate_all(widths) == before


def test_labels_stay_text(notebook, bar):
    """A label that looks like HTML is read as it was written, everywhere, and nothing of it runs."""
    bar.get_by_label("View").select_option("wipe")
    assert notebook.locator(".vidu-player").nth(1).text_content().startswith(HOSTILE)
    assert bar.get_by_label("Sound").locator("option").all_inner_texts() == ["muted", "one", HOSTILE, "short"]
    assert notebook.locator(".jp-OutputArea img, .jp-OutputArea script").count() == 0
    assert notebook.evaluate("window.hacked") is None


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_everybody_can_use_it(notebook, bar, theme):
    """A checker of accessibility, axe, finds nothing serious in the grid and the bar, in light and in dark."""
    menu(notebook, "Settings", "Theme", theme)
    expect(notebook.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    for view in ("side", "wipe"):
        bar.get_by_label("View").select_option(view)
        assert violations(notebook, ".jp-OutputArea") == []


@pytest.mark.usefixtures("bar")
def test_each_bar_drives_the_grid_beside_it(notebook):
    """Another view of the same outputs has a bar and a grid of its own, and closing it gives nothing away."""
    notebook.locator(".jp-OutputArea-output .vidu-player").first.click(button="right", position={"x": 5, "y": 5})
    notebook.locator(".lm-Menu-item", has_text="Create New View for Cell Output").click()
    bars = notebook.locator(".vidu-sync")
    expect(bars).to_have_count(2)
    expect(notebook.locator(".vidu-sync fieldset:enabled")).to_have_count(2)
    press(bars.nth(1), "One frame on")
    told = [bars.nth(i).get_by_label("Timeline").input_value() for i in range(2)]
    assert sorted(told) == ["0", "1"]
    notebook.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabCloseIcon").last.click()
    expect(bars).to_have_count(1)


def test_a_saved_notebook_plays_without_its_kernel(notebook, lab, browser, folder):
    """Opened again, each clip plays with controls of its own; where widget state was saved, the bar works as well."""
    notebook.evaluate("() => jupyterapp.commands.execute('docmanager:save')")  # done once it is written
    saved = nbformat.read(folder / "show.ipynb", as_version=4)
    nbformat.write(saved, folder / "with state.ipynb")  # under another name, as no kernel is left for that
    del saved.metadata["widgets"]
    nbformat.write(saved, folder / "without state.ipynb")
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(PATIENCE)
    open_notebook(page, lab, "with%20state.ipynb")
    press(page.locator(".vidu-sync"), "Play")
    page.wait_for_function(MOVES)
    open_instead(page, "without state.ipynb")
    assert videos(page, "controls") == [True] * 3
    page.locator(".vidu-grid video").first.evaluate("video => (video.muted = true, video.play())")
    page.wait_for_function(MOVES)
    page.close()


def test_players_get_their_controls_back(notebook, bar):
    """When the bar goes, each player is what it was: side by side, with controls of its own."""
    assert videos(notebook, "controls") == [False] * 3
    bar.get_by_label("View").select_option("wipe")
    notebook.evaluate(RUN_BELOW, "import ipywidgets\nipywidgets.Widget.close_all()")
    expect(bar).to_have_count(0)
    assert videos(notebook, "controls") == [True] * 3
    assert notebook.locator(".vidu-grid video >> visible=true").count() == 3
    assert notebook.locator(".vidu-wipe-layer").count() == 0
