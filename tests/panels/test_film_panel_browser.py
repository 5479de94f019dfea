"""The film's panel and the completion of names as people meet them: in JupyterLab, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import KERNEL_IS_IDLE, command, jupyter_lab, open_notebook, write_notebook
from PIL import Image
from playwright.sync_api import Browser, Page, expect

SETUP = """import vidu_nb as vidu
cast = vidu.Cast(anna="red.png", annika="navy.png", cafe="navy.png")
film = vidu.Film(["@anna wakes up for $1.", vidu.Scene("The @cafe for $2.", continues=True)], cast=cast,
                 aspect_ratio="1:1")
panel = vidu.panel({})
panel"""
READ = "print([scene.prompt for scene in panel.film])"


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
    name = f"{''.join(filter(str.isalnum, argument))[:12]}.ipynb"
    write_notebook(place / name, SETUP.format(argument), READ)
    open_notebook(page, lab, name)
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
    command(page, "notebook:run-cell")
    page.locator(".vidu-panel").wait_for(timeout=60_000)
    page.wait_for_function(KERNEL_IS_IDLE)


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


def test_a_film_is_written_previewed_and_kept_in_the_notebook(page: Page, lab: str, place: Path):
    """Text, order and chains reach the film; what is wrong stands at its scene; the preview plays; axe is content."""
    open_panel(page, lab, place, "film")
    scenes, prompts = page.locator(".vidu-scene"), page.locator(".vidu-scene-prompt")
    expect(prompts).to_have_count(2)
    assert grave(page, ".vidu-panel") == []
    prompts.nth(1).fill("The @caffe for $2.")
    expect(scenes.nth(1).locator(".vidu-problem")).to_contain_text("did you mean @cafe?")
    expect(page.locator("button.mod-info", has_text="Preview (free)")).to_be_disabled()
    prompts.nth(1).fill("The @ca")
    page.locator(".vidu-mention").click()
    expect(prompts.nth(1)).to_have_value("The @cafe ")
    page.keyboard.type("is full.")
    page.get_by_role("button", name="Add a scene").click()
    expect(prompts).to_have_count(3)
    expect(prompts.nth(2)).to_be_focused()
    page.keyboard.type("@anna leaves.")
    page.get_by_role("button", name="Move up: scene 3").click()
    expect(prompts.nth(1)).to_have_value("@anna leaves.")
    page.get_by_role("button", name="Draft preview (free)").click()
    expect(page.locator(".vidu-actions")).to_contain_text("Here it is: 3 scenes, 15 s")
    expect(page.locator(".jp-OutputArea video")).to_be_visible()
    page.locator(".vidu-page summary").click()
    expect(page.locator(".vidu-page .vidu-film")).to_contain_text("@anna wakes up for $1.")
    expect(page.locator(".vidu-page mjx-container")).to_have_count(0)
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    command(page, "notebook:run-cell")
    told = "['@anna wakes up for $1.', '@anna leaves.', 'The @cafe is full.']"
    expect(page.locator(".jp-OutputArea-output", has_text=told)).to_be_visible()
