"""The film's panel and the completion of names as people meet them: in JupyterLab, in a real Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import KERNEL_IS_IDLE, PLAYS, command, jupyter_lab, open_notebook, write_notebook
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

SETUP = """import vidu_nb as vidu
cast = vidu.Cast(anna="red.png", annika="navy.png", cafe="navy.png")
film = vidu.Film(["@anna wakes up for $1.", vidu.Scene("The @cafe for $2.", continues=True)], cast=cast,
                 aspect_ratio="1:1")
words = "@anna walks on. " + "She looks at the houses, one after the other. " * 30
long = vidu.Film([vidu.Scene(words, continues=n % 3 > 0) for n in range(20)], cast=cast, aspect_ratio="1:1")
panel = vidu.panel({})
panel"""
READ = "print([scene.prompt for scene in panel.film])"
HOSTILE = '</textarea>"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lab")
    for name in ("red", "navy"):
        Image.new("RGB", (320, 240), name).save(place / f"{name}.png")
    return place


@pytest.fixture(scope="module")
def lab(place: Path):
    """JupyterLab whose kernels have no key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VIDU_NB_ARCHIVE", raising=False)
        with jupyter_lab(place) as url:
            yield url


@pytest.fixture
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    yield page
    page.close()


def grave(page: Page, place: str) -> list:
    """What axe finds that is serious."""
    found = Axe().run(page, context=place).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]


def open_panel(page: Page, lab: str, place: Path, argument: str) -> None:
    """A notebook whose first cell has shown a panel."""
    name = f"{''.join(filter(str.isalnum, argument))}.ipynb"
    write_notebook(place / name, SETUP.format(argument), READ)
    open_notebook(page, lab, name)
    run_cell(page, 0)
    page.locator(".vidu-panel").wait_for(timeout=60_000)
    page.wait_for_function(KERNEL_IS_IDLE)


def run_cell(page: Page, cell: int) -> None:
    page.evaluate("cell => { jupyterapp.shell.currentWidget.content.activeCellIndex = cell; }", cell)
    command(page, "notebook:run-cell")


def read(page: Page) -> Locator:
    """What the second cell prints: the prompts of the film that Python has."""
    run_cell(page, 1)
    return page.locator(".jp-Notebook-cell").nth(1).locator(".jp-OutputArea-output")


def test_names_are_completed_as_they_are_typed(page: Page, lab: str, place: Path):
    """Keyboard, mouse and Escape; nothing that was typed is lost, undo takes a name back, and a card inserts one."""
    open_panel(page, lab, place, "'A day.', cast")
    prompt, names = page.locator(".vidu-role-prompt textarea"), page.locator(".vidu-mention")
    expect(page.locator(".vidu-member")).to_have_count(3)
    prompt.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" With @an")
    expect(names).to_have_text(["@anna1 picture", "@annika1 picture"])
    expect(names.first).to_have_attribute("aria-selected", "true")
    assert grave(page, ".vidu-mentions") == []
    assert grave(page, ".vidu-panel") == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(prompt).to_have_value("A day. With @annika ")
    page.keyboard.type("in @c")
    page.keyboard.press("Escape")
    expect(names).to_have_count(0)
    page.keyboard.type("a")
    names.first.click()
    expect(prompt).to_have_value("A day. With @annika in @cafe ")
    page.keyboard.press("Control+z")
    expect(prompt).to_have_value("A day. With @annika in @ca")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+y")
    page.locator(".vidu-member", has_text="@anna").first.click()
    expect(prompt).to_have_value("A day. With @annika in @cafe @anna ")
    expect(page.locator(".vidu-member[data-mentioned=true]")).to_have_count(3)
    page.keyboard.type("me@an")
    expect(names).to_have_count(0)


def prompts(page: Page) -> Locator:
    return page.locator(".vidu-scene-prompt")


def test_a_film_is_written_and_previewed(page: Page, lab: str, place: Path):
    """Text, order and chains reach the film; what is wrong stands at its scene; the preview plays; axe is content."""
    open_panel(page, lab, place, "film")
    expect(prompts(page)).to_have_count(2)
    assert grave(page, ".vidu-panel") == []
    preview = page.get_by_role("button", name="Preview (free)", exact=True)
    prompts(page).nth(1).fill("The @caffe for $2.")
    expect(page.locator(".vidu-scene").nth(1).locator(".vidu-problem")).to_contain_text("did you mean @cafe?")
    expect(preview).to_have_attribute("aria-disabled", "true")
    assert grave(page, ".vidu-panel") == []
    prompts(page).nth(1).fill("The @ca")
    page.locator(".vidu-mention").click()
    expect(prompts(page).nth(1)).to_have_value("The @cafe ")
    page.keyboard.type("is full.")
    page.get_by_role("button", name="Add a scene").click()
    expect(prompts(page)).to_have_count(3)
    expect(prompts(page).nth(2)).to_be_focused()
    page.keyboard.type("@anna leaves.")
    page.get_by_role("button", name="Move up: scene 3").click()
    expect(prompts(page).nth(1)).to_have_value("@anna leaves.")
    page.get_by_role("button", name="Draft preview (free)").click()
    expect(page.locator(".vidu-actions")).to_contain_text("Here it is: 3 scenes, 15 s")
    assert page.locator(".vidu-panel video").evaluate(PLAYS)["width"] == 960
    expect(page.locator(".jp-OutputArea-child video")).to_have_count(2)
    expect(page.locator(".vidu-saved")).to_be_hidden()
    expect(read(page)).to_have_text("['@anna wakes up for $1.', '@anna leaves.', 'The @cafe is full.']")


def test_scenes_are_moved_by_keys_and_by_the_mouse(page: Page, lab: str, place: Path):
    """Alt and arrows from a field, which keeps the focus and the caret; arrows on the handle; drag and drop."""
    open_panel(page, lab, place, "film.append('Night falls on @anna.')")
    prompts(page).first.click()
    page.keyboard.press("Home")
    page.keyboard.press("Alt+ArrowDown")
    expect(prompts(page).nth(1)).to_have_value("@anna wakes up for $1.")
    expect(prompts(page).nth(1)).to_be_focused()
    page.keyboard.type("Now ")
    page.keyboard.press("Alt+ArrowDown")
    expect(prompts(page).nth(2)).to_have_value("Now @anna wakes up for $1.")
    expect(page.locator(".vidu-scenes-box > [role=status]")).to_have_text("Scene 3 of 3")
    grips = page.locator(".vidu-scene-grip")
    grips.nth(2).focus()
    page.keyboard.press("ArrowUp")
    expect(prompts(page).nth(1)).to_have_value("Now @anna wakes up for $1.")
    expect(grips.nth(1)).to_be_focused()
    scenes = page.locator(".vidu-scene")
    grips.nth(1).drag_to(scenes.first, target_position={"x": 200, "y": 5})
    expect(prompts(page).first).to_have_value("Now @anna wakes up for $1.")
    grips.first.drag_to(scenes.nth(2), target_position={"x": 200, "y": scenes.nth(2).bounding_box()["height"] - 5})
    expect(prompts(page).nth(2)).to_have_value("Now @anna wakes up for $1.")
    expect(page.locator(".vidu-scene-target, .vidu-scene-last, .vidu-scene-dragged")).to_have_count(0)
    expect(read(page)).to_have_text("['The @cafe for $2.', 'Night falls on @anna.', 'Now @anna wakes up for $1.']")
    page.get_by_role("button", name="Remove: scene 1").click()
    expect(prompts(page)).to_have_count(2)
    expect(prompts(page).first).to_be_focused()
    page.get_by_role("button", name="Bring the removed scene back").click()
    expect(prompts(page).first).to_have_value("The @cafe for $2.")


def test_one_scene_is_previewed_with_the_words_that_were_just_typed(page: Page, lab: str, place: Path):
    """Ctrl+Enter in its text, or its button: what was typed a moment ago is in it, and the focus stays."""
    open_panel(page, lab, place, "film.replace(1, title='Two')")
    prompts(page).nth(1).fill("The @cafe is shut.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".vidu-actions")).to_contain_text("Here it is: scene 2, 5 s")
    expect(page.locator(".vidu-caption")).to_contain_text("Scene 2: ")
    assert page.locator(".vidu-panel video").evaluate(PLAYS)["duration"] == pytest.approx(5, abs=0.2)
    expect(prompts(page).nth(1)).to_be_focused()
    page.keyboard.press("Control+z")
    expect(prompts(page).nth(1)).to_have_value("The @cafe for $2.")
    page.get_by_role("button", name="Draft of scene 1").click()
    expect(page.locator(".vidu-actions")).to_contain_text("Here it is: scene 1, 5 s")


def test_parameters_are_set_for_one_scene_and_for_all(page: Page, lab: str, place: Path):
    """Folded away, named where one is set; what counts for all is found above and told in each scene."""
    open_panel(page, lab, place, "film.replace(0, title='One')")
    second = page.locator(".vidu-scene").nth(1)
    second.locator("summary").click()
    second.get_by_label("Seed").fill("77")
    expect(second.locator("summary")).to_have_text("Seed: 77")
    page.get_by_text("All scenes: format").click()
    page.locator(".vidu-film-sheet").get_by_label("Duration").select_option("5 s")
    page.locator(".vidu-film-sheet").get_by_label("Dissolve, seconds").fill("1")
    expect(page.locator(".vidu-film-headline")).to_contain_text("dissolves of 1 s")
    assert grave(page, ".vidu-panel") == []
    page.keyboard.press("Escape")
    expect(page.locator(".vidu-film-sheet")).to_be_hidden()
    page.locator(".vidu-film-title").fill("A new title")
    expect(page.locator(".vidu-film-title")).to_have_value("A new title")


def test_two_pages_show_one_film(page: Page, lab: str, place: Path, browser: Browser):
    """What is written on one is seen on the other; a text in progress there is left alone."""
    open_panel(page, lab, place, "film.replace(title='Shared')")
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    other = browser.new_page(viewport={"width": 1200, "height": 1000})
    try:
        other.goto(page.url)
        expect(prompts(other)).to_have_count(2, timeout=60_000)
        prompts(page).first.fill("@anna sleeps.")
        expect(prompts(other).first).to_have_value("@anna sleeps.")
        prompts(other).nth(1).fill("The @cafe opens.")
        other.get_by_role("button", name="Draft preview (free)").click()
        expect(prompts(page).nth(1)).to_have_value("The @cafe opens.")
        for one in (page, other):
            expect(one.locator(".vidu-actions")).to_contain_text("Here it is: 2 scenes, 10 s")
            assert one.locator(".vidu-panel video").evaluate(PLAYS)["width"] == 960
    finally:
        other.close()


def test_a_view_of_the_output_shows_the_same_panel(page: Page, lab: str, place: Path):
    """In "New View for Output" it is written in and plays; after a reload the notebook's own is there with its clip."""
    open_panel(page, lab, place, "film.replace(title='Viewed')")
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
    command(page, "notebook:create-output-view")
    panels = page.locator(".vidu-panel")
    expect(panels).to_have_count(2)
    prompts(page).last.fill("The @cafe, seen twice.")
    expect(prompts(page).nth(1)).to_have_value("The @cafe, seen twice.")
    panels.last.get_by_role("button", name="Draft preview (free)").click()
    expect(panels.locator("video")).to_have_count(2, timeout=60_000)
    for video in panels.locator("video").all():
        assert video.evaluate(PLAYS)["width"] == 960
    expect(page.locator(".vidu-saved:visible")).to_have_count(0)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    expect(prompts(page).nth(1)).to_have_value("The @cafe, seen twice.", timeout=60_000)
    assert panels.first.locator("video").evaluate(PLAYS)["width"] == 960
    expect(page.locator(".vidu-saved:visible")).to_have_count(0)


def test_the_notebook_shows_clip_and_storyboard_without_a_kernel(page: Page, lab: str, place: Path):
    """The cell's output holds both, of what was written last though the focus is still there; the file stays small."""
    open_panel(page, lab, place, "film.replace(title='Saved')")
    page.get_by_role("button", name="Draft preview (free)").click()
    expect(page.locator(".vidu-actions")).to_contain_text("Here it is: 2 scenes, 10 s")
    prompts(page).nth(1).fill("The @cafe at last.")
    page.wait_for_function("() => document.querySelector('.vidu-saved')?.textContent.includes('at last')")
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    name = page.url.rpartition("/")[2].partition("?")[0]
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    saved = place / name
    assert saved.stat().st_size < 250_000, "two scenes, a clip, and the state of a panel with its code"
    notebook = nbformat.read(saved, as_version=4)
    outputs = notebook.cells[0].outputs
    assert sum(len(json.dumps(one)) for one in outputs) < 150_000
    del notebook.metadata["kernelspec"], notebook.metadata["language_info"]  # else JupyterLab starts one by itself
    nbformat.write(notebook, saved)
    page.goto(f"{lab}lab/tree/{name}?reset")
    page.locator(".jp-Dialog select").select_option(label="No Kernel")
    page.locator(".jp-Dialog").get_by_role("button", name="Select").click()
    shown = page.locator(".vidu-saved")
    expect(shown.locator(".vidu-film")).to_contain_text("@anna wakes up for $1.")
    expect(shown.locator("mjx-container")).to_have_count(0)
    assert shown.locator("video").evaluate(PLAYS)["width"] == 960
    assert json.load(urlopen(f"{lab}api/kernels")) == []


@pytest.mark.parametrize("width", [1280, 700])
def test_twenty_long_scenes_scroll_beside_what_is_made(browser: Browser, lab: str, place: Path, width: int):
    """Panel, clip and buttons fit the window whatever is scrolled; at 700 px they stand above the scenes."""
    page = browser.new_page(viewport={"width": width, "height": {1280: 800, 700: 1000}[width]})
    try:
        open_panel(page, lab, place, f"long.replace(title='At {width} px')")
        expect(prompts(page)).to_have_count(20)
        panel = page.locator(".vidu-panel")
        panel.scroll_into_view_if_needed()
        assert panel.bounding_box()["height"] <= {1280: 620, 700: 920}[width]
        panel.evaluate("panel => panel.scrollIntoView({block: 'center'})")
        prompts(page).nth(15).scroll_into_view_if_needed()
        for seen in (
            prompts(page).nth(15),
            page.locator(".vidu-stage-place"),
            page.get_by_role("button", name="Shoot"),
        ):
            expect(seen).to_be_in_viewport(ratio=0.9)
        boxes = [page.locator(one).bounding_box() for one in (".vidu-stage-place", ".vidu-scenes")]
        assert (boxes[0]["x"] > boxes[1]["x"] + 200) == (width == 1280)
        assert (boxes[0]["y"] + 200 < boxes[1]["y"]) == (width == 700)
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        assert grave(page, ".vidu-panel") == []
    finally:
        page.close()


def test_hostile_texts_stay_texts(page: Page, lab: str, place: Path):
    """In titles, prompts, names of cast members' problems and the storyboard: none of it becomes HTML."""
    hostile = f"vidu.Film([vidu.Scene('@anna ' + {HOSTILE!r}, title={HOSTILE!r})], cast=cast, title={HOSTILE!r})"
    open_panel(page, lab, place, hostile)
    expect(prompts(page).first).to_have_value(f"@anna {HOSTILE}")
    prompts(page).first.fill(f"@nobody {HOSTILE}")
    expect(page.locator(".vidu-scene .vidu-problem")).to_contain_text("nobody")
    prompts(page).first.fill(f"@anna {HOSTILE} again")
    page.get_by_role("button", name="Draft preview (free)").click()
    expect(page.locator(".vidu-actions")).to_contain_text("Here it is: 1 scene, 5 s")
    assert page.evaluate("() => window.hacked") is None
    assert page.locator(".vidu-panel img[src=x]").count() == 0
