"""The panel, players, comparisons and sweeps in marimo, as an app and in its editor: real marimo, real Chromium."""

from __future__ import annotations

import hashlib
import re
import shutil

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import PLAYS, marimo
from playwright.sync_api import expect

HOSTILE = '"><img src=x onerror=window.hacked=1><script>window.hacked=2</script>'
PROMPT = "A rocket. bb dd then a zoom in."
NOTEBOOK = f"""
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
    import vidu_nb as vidu

    clips = [vidu.load(name) for name in ("one.mp4", "two.mp4")]
    return clips, mo, vidu


@app.cell
def _(vidu):
    panel = vidu.panel()
    panel
    return (panel,)


@app.cell
def _(mo, vidu):
    wall = vidu.Cast(Wall="wall.png", Moon="moon.png")
    wrapped = mo.ui.anywidget(vidu.panel("", wall, aspect_ratio="1:1"))
    mo.vstack([mo.md("# Wrapped"), wrapped])
    return wall, wrapped


@app.cell
def _(mo, wrapped):
    mo.md(f"Seen by another cell: {{wrapped.video and wrapped.video.seed}}")
    return


@app.cell
def _(mo, vidu, wall):
    film = vidu.Film(["The @Wall.", vidu.Scene("The @Moon.", continues=True)], cast=wall, aspect_ratio="1:1")
    board = mo.ui.anywidget(vidu.panel(film))
    board
    return (board,)


@app.cell
def _(board, mo):
    seconds = board.video.info.duration if board.video else 0
    mo.md(f"{{len(board.film)}} scenes, {{seconds:.0f}} s, the last: {{board.film[-1].prompt}}")
    return


@app.cell
def _(clips):
    clips[0]
    return


@app.cell
def _(clips, vidu):
    vidu.show(clips, labels=["one", {HOSTILE!r}])
    return


@app.cell
def _(vidu):
    vidu.sweep("A wall.", "wall.png", seed=[1, 2], aspect_ratio="1:1", quality="draft")
    return


@app.cell
def _(vidu):
    vidu.preview("A fox", model="sdxl1.0-txt2img", img_width=1024, img_height=1024, samples=2, seed=7)
    return


if __name__ == "__main__":
    app.run()
"""

#: The SHA-256 of what a video or a picture shows.
SHOWN_HASH = """async medium => {
    const data = await (await fetch(medium.src)).arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
    return [...hash].map(one => one.toString(16).padStart(2, '0')).join('');
}"""


def grey(count, height, width):
    """Frames that tell their numbers by their shade."""
    return [np.full((height, width, 3), 8 + 2 * n, np.uint8) for n in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_clip):
    """A notebook beside two clips with sound and two pictures."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("marimo")
    for name in ("one.mp4", "two.mp4"):
        shutil.copy(make_clip(name, grey(96, 180, 320)), folder / name)
    Image.new("RGB", (256, 256), "navy").save(folder / "wall.png")
    Image.new("RGB", (256, 256), "silver").save(folder / "moon.png")
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
    Image.fromarray(noise).save(folder / "large.png")  # 5.8 MB
    (folder / "notebook.py").write_text(NOTEBOOK.lstrip())
    return folder


@pytest.fixture(scope="module", params=["run", "edit"])
def mode(request):
    """An app, then an editor."""
    return request.param


@pytest.fixture(scope="module")
def url(mode, folder):
    """Its address."""
    with marimo(folder, mode, "notebook.py") as url:
        yield url


@pytest.fixture(scope="module")
def notebook(url, browser):
    """The notebook's page, all cells run; it asks nobody but this machine."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.route(lambda address: not address.startswith(("http://127.0.0.1:", "data:", "blob:")), lambda one: one.abort())
    page.goto(url)
    expect(page.locator(".vidu-panel")).to_have_count(3, timeout=240_000)
    expect(page.locator(".vidu-live-player")).to_have_count(4, timeout=240_000)  # a sweep and pictures are made
    yield page
    page.close()


def player(notebook, place):
    """One of the players, in the order of the cells: a clip, a comparison, a sweep, pictures."""
    found = notebook.locator(".vidu-live-player").nth(place)
    found.scroll_into_view_if_needed()
    return found


def is_whole(medium, *paths):
    """Wait until a video or a picture shows one of these files, to the last byte."""
    expect(medium).to_have_attribute("src", re.compile("^blob:"))
    assert medium.evaluate(SHOWN_HASH) in {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def ask_for_a_preview(panel, prompt):
    """Type a prompt key by key, as a person does, and press Ctrl+Enter."""
    field = panel.get_by_label("Prompt", exact=True)
    field.fill("")
    field.press_sequentially(prompt)
    field.press("Control+Enter")
    told = panel.get_by_role("status").filter(has_text="Here it is")
    expect(told).to_be_visible(timeout=240_000)  # ms: a busy machine takes its time


def test_the_panel_makes_a_preview_and_plays_it(notebook, folder):
    """Sample pictures, a prompt and Ctrl+Enter: the whole clip plays in the panel, with what the kernel sent."""
    panel = notebook.locator(".vidu-panel").first
    panel.get_by_role("button", name="Sample pictures").click()
    expect(panel.locator(".vidu-tray-card")).to_have_count(3)
    ask_for_a_preview(panel, PROMPT)
    video = panel.locator(".vidu-stage-place video")
    told = video.evaluate(PLAYS)
    assert (told["width"], told["height"]) == (1920, 1080)
    is_whole(video, *folder.glob("clips/preview/*.mp4"))
    expect(panel.locator(".vidu-card")).to_have_count(1)
    expect(panel.get_by_role("button", name="Use this seed")).to_be_visible()


def test_buttons_follow_what_is_typed(notebook):
    """What is missing is said while it is missing, and the buttons are ready as soon as nothing is."""
    panel = notebook.locator(".vidu-panel").nth(1)
    preview = panel.get_by_role("button", name="Preview (free)")
    field = panel.get_by_label("Prompt", exact=True)
    field.fill("")
    expect(preview).to_have_attribute("aria-disabled", "true")
    field.fill("A @Wall.")
    expect(preview).to_have_attribute("aria-disabled", "false")
    expect(panel.locator(".vidu-reason")).not_to_contain_text("Say what happens")


def test_names_of_a_cast_are_completed(notebook):
    """The list of names stands at the caret and looks like one, though marimo keeps the page's styles out."""
    field = notebook.locator(".vidu-panel").nth(1).get_by_label("Prompt", exact=True)
    field.fill("")
    field.press_sequentially("Look, @mo")
    names = notebook.get_by_role("listbox", name="Names in the cast")
    expect(names.get_by_role("option")).to_have_count(1)
    assert names.evaluate("one => getComputedStyle(one).position") == "fixed"
    field.press("Enter")
    expect(field).to_have_value("Look, @Moon ")
    expect(names).to_have_count(0)


def test_a_wrapped_panel_tells_other_cells(notebook):
    """Inside of `mo.ui.anywidget` it does the same, and cells that read it run again once a clip has come."""
    panel = notebook.locator(".vidu-panel").nth(1)
    panel.get_by_label("Seed").fill("77")
    ask_for_a_preview(panel, "A @Wall.")
    assert panel.locator(".vidu-stage-place video").evaluate(PLAYS)["ready"] >= 2
    expect(notebook.get_by_text("Seen by another cell: 77")).to_be_visible()


def test_a_film_is_written_and_plays(notebook, folder):
    """Scenes are written and added, one is previewed by keys, the draft of all plays; cells that read it follow."""
    panel = notebook.locator(".vidu-film-panel")
    prompts = panel.locator(".vidu-scene-prompt")
    expect(prompts).to_have_count(2)
    panel.get_by_role("button", name="Add a scene").click()
    expect(prompts.nth(2)).to_be_focused()
    notebook.keyboard.type("The @wa")
    notebook.get_by_role("listbox", name="Names in the cast").get_by_role("option").click()
    notebook.keyboard.type("again.")
    expect(notebook.get_by_text("3 scenes, 0 s, the last: The @Wall again.")).to_be_visible()
    prompts.nth(2).press("Control+Enter")
    expect(panel.locator(".vidu-actions")).to_contain_text("Here it is: scene 3, 5 s", timeout=240_000)
    panel.get_by_role("button", name="Draft preview (free)").click()
    expect(panel.locator(".vidu-actions")).to_contain_text("Here it is: 3 scenes, 15 s", timeout=240_000)
    video = panel.locator(".vidu-stage-place video")
    assert video.evaluate(PLAYS)["duration"] == pytest.approx(15, abs=0.2)
    is_whole(video, *folder.glob("clips/films/*.mp4"))
    expect(notebook.get_by_text("3 scenes, 15 s, the last: The @Wall again.")).to_be_visible()


def test_own_pictures_reach_the_request(notebook, folder):
    """What a person uploads is shown as a card and counts, and a large one is made smaller on its way."""
    panel = notebook.locator(".vidu-panel").first
    before = panel.locator(".vidu-tray-card").count()
    panel.locator("input[type=file]").first.set_input_files([folder / "wall.png", folder / "large.png"])
    expect(panel.locator(".vidu-tray-card")).to_have_count(before + 2)
    expect(panel.locator(".vidu-tray-card img")).to_have_count(before + 2, timeout=60_000)
    expect(panel.locator(".vidu-tray-card").last).to_contain_text("large.png")
    for _ in range(2):
        panel.locator(".vidu-tray-card").last.get_by_role("button", name=re.compile("^Remove")).click()
    expect(panel.locator(".vidu-tray-card")).to_have_count(before)


def test_a_call_is_cancelled(notebook):
    """Cancel ends a preview that is being made, and the next one can be made."""
    panel = notebook.locator(".vidu-panel").first
    panel.get_by_role("radio", name="10 s").check()
    panel.get_by_label("Prompt", exact=True).fill("A long look. Then pan left. Then zoom in.")
    panel.get_by_label("Prompt", exact=True).press("Control+Enter")
    panel.get_by_role("button", name="Cancel").click()
    expect(panel.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(panel.locator(".vidu-status")).to_contain_text(re.compile("cancel", re.IGNORECASE))
    panel.get_by_role("radio", name="5 s").check()


def test_hostile_texts_stay_texts(notebook):
    """Prompts and labels that look like HTML are read as they were written, and nothing of them runs."""
    panel = notebook.locator(".vidu-panel").first
    ask_for_a_preview(panel, f"A rocket {HOSTILE}")
    expect(panel.locator(".vidu-card-button").first).to_have_attribute("title", re.compile(re.escape(HOSTILE[:12])))
    expect(player(notebook, 1)).to_contain_text(HOSTILE)
    assert notebook.locator("img[src=x]").count() == 0
    assert notebook.evaluate("window.hacked") is None


def test_a_clip_plays_with_its_sound(notebook, folder):
    """A clip as a cell's value is the whole file, sound included, and no note tells of a small copy."""
    shown = player(notebook, 0)
    video = shown.locator("video")
    is_whole(video, folder / "one.mp4")
    video.evaluate(PLAYS)
    assert video.evaluate("video => video.webkitAudioDecodedByteCount") > 0
    expect(shown).not_to_contain_text("copy")


def test_a_comparison_plays_in_step(notebook, folder):
    """The bar under clips side by side plays, pauses and steps all of them."""
    videos = player(notebook, 1).locator("video")
    for place, name in enumerate(["one.mp4", "two.mp4"]):
        is_whole(videos.nth(place), folder / name)
    bar = notebook.locator(".vidu-sync").first
    bar.get_by_role("button", name="Play").click()
    for place in range(2):
        videos.nth(place).evaluate(
            "video => new Promise(done => video.ontimeupdate = () => video.currentTime > 0.3 && done())"
        )
    bar.get_by_role("button", name="Pause").click()
    bar.get_by_role("button", name="First frame").click()
    bar.get_by_role("button", name="One frame on").click()
    expect(bar.get_by_label("Timeline")).to_have_value("1")
    times = videos.evaluate_all("all => all.map(one => one.currentTime)")
    assert times == pytest.approx([1.5 / 24] * 2, abs=0.01)
    expect(bar.get_by_label("Sound").locator("option")).to_have_text(["muted", "one", HOSTILE])


def test_a_sweep_is_a_grid_of_clips(notebook, folder):
    """Each clip of a sweep plays under its label."""
    grid = player(notebook, 2)
    expect(grid).to_contain_text("2 of 2 clips")
    expect(grid).to_contain_text("seed 1")
    videos = grid.locator("video")
    expect(videos).to_have_count(2)
    for place in range(2):
        videos.nth(place).scroll_into_view_if_needed()
        is_whole(videos.nth(place), *folder.glob("clips/preview/*.mp4"))
        assert videos.nth(place).evaluate(PLAYS)["duration"] == pytest.approx(5, abs=0.1)


def test_pictures_are_whole(notebook, folder):
    """Pictures that a call returned are shown as they are, not as small copies."""
    images = player(notebook, 3).locator("img")
    expect(images).to_have_count(2)
    for place in range(2):
        images.nth(place).scroll_into_view_if_needed()
        is_whole(images.nth(place), *folder.glob("clips/preview/*.jpg"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(notebook, scheme):
    """A checker of accessibility, axe, finds nothing serious in what is shown, in light and in dark."""
    notebook.emulate_media(color_scheme=scheme)
    expect(notebook.locator(".vidu-panel").first).to_have_css("color-scheme", scheme)
    found = Axe().run(notebook, options={"resultTypes": ["violations"]}).response["violations"]
    ours = [
        (one["id"], node["target"])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        if "vidu-" in str(node["target"])
    ]
    assert ours == []


def test_two_pages_and_a_reload(mode, url, notebook, browser):
    """An app gives each page a kernel of its own; an editor's second page follows the first, as does a reloaded one."""
    first = notebook.locator(".vidu-panel").first.get_by_label("Prompt", exact=True)
    for prompt, is_disabled in (("", "true"), ("Mine alone.", "false")):
        first.fill(prompt)
        button = notebook.locator(".vidu-panel").first.get_by_role("button", name=re.compile("^Preview"))
        expect(button).to_have_attribute("aria-disabled", is_disabled)  # the kernel has heard of it
    other = browser.new_page()
    other.goto(url)
    beside = other.locator(".vidu-panel").first
    expect(beside.get_by_label("Prompt", exact=True)).to_have_value(
        "Mine alone." if mode == "edit" else "", timeout=90_000
    )
    expect(first).to_have_value("Mine alone.")
    if mode == "edit":
        assert beside.locator(".vidu-stage-place video").evaluate(PLAYS)["ready"] >= 2
        notebook.reload()
        again = notebook.locator(".vidu-panel").first
        expect(again.get_by_label("Prompt", exact=True)).to_have_value("Mine alone.")
        assert again.locator(".vidu-stage-place video").evaluate(PLAYS)["ready"] >= 2
    other.close()
