"""The panel without a mouse, and beside other pages: keys, focus, what screen readers hear, two tabs, reloads."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

import pytest
from browser import (
    KERNEL_IS_IDLE,
    PATIENCE,
    command,
    drag_from_the_file_browser,
    hand_over,
    in_kernel,
    jupyter_lab,
    open_instead,
    open_lab,
    open_notebook,
    violations,
    write_notebook,
)
from faults import KEY, FaultServer
from playwright.sync_api import Browser, Locator, Page, expect

import vidu_nb

CAST = """import vidu_nb as vidu
from PIL import Image
cast = vidu.Cast(anna=Image.new("RGB", (320, 240), "teal"), ben=Image.new("RGB", (320, 240), "gold"))
panel = vidu.panel(references=cast, aspect_ratio="1:1", bgm=True)
panel"""
PANEL = 'import vidu_nb as vidu\npanel = vidu.panel(aspect_ratio="1:1")\npanel'
OTHERS = ("1 + 1", "2 + 2")

#: From here on notes, frame by frame, where the focus was outside the panel, as long as there is one.
WATCH = """() => {
    const panel = document.querySelector('.vidu-panel');
    window.lost = [];
    const look = () => {
        const one = document.activeElement;
        if (!one?.closest('.vidu-panel')) window.lost.push(one?.tagName ?? 'nothing');
        if (panel.isConnected) requestAnimationFrame(look);
    };
    look();
}"""

#: From here on notes what the live regions say, as a screen reader would hear it.
LISTEN = """() => {
    window.heard = [];
    const live = '[role=status], [role=alert], [aria-live]';
    new MutationObserver(changes => {
        const places = changes.map(one => one.target.closest ? one.target : one.target.parentElement);
        for (const one of new Set(places.map(place => place.closest(live))))
            if (one && one.checkVisibility() && one.textContent.trim())
                window.heard.push([one.getAttribute('role'), one.textContent.trim()]);
    }).observe(document.querySelector('.vidu-panel'), {childList: true, characterData: true, subtree: true});
}"""

#: Every focusable thing in the panel that can be seen, in the order of the document.
FOCUSABLE = """() => [...document.querySelectorAll('.vidu-panel *')]
    .filter(one => one.tabIndex >= 0 && one.checkVisibility() && !one.closest('[hidden]'))"""

#: An element as a person would name it; what has the focus.
NAMED = """one => one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim()
    || one.textContent.trim().slice(0, 60) || `${one.tagName} ${one.className}`"""
FOCUSED = f"() => ({NAMED})(document.activeElement)"

#: How far below the panel's edge the thing with the focus stands.
TOP = """() => document.activeElement.getBoundingClientRect().top
    - document.querySelector('.vidu-panel').getBoundingClientRect().top"""

#: The notebook as JupyterLab has it: a shortcut that got through changes something here.
NOTEBOOK = """() => {
    const shown = jupyterapp.shell.currentWidget;
    const cells = shown.content.widgets.map(cell => {
        const {cell_type, source, execution_count, id} = cell.model.toJSON();
        return [cell_type, source, execution_count, id];
    });
    const dialogs = document.querySelectorAll('.jp-Dialog').length;
    return JSON.stringify([cells, shown.content.activeCellIndex, shown.content.mode, dialogs, shown.id]);
}"""

#: The parts of the panel in which things can have the focus, in the order of the document.
PARTS = f"""() => {{
    const parts = ['vidu-head', 'vidu-prompt', 'vidu-tray', 'vidu-dials', 'vidu-actions', 'vidu-shown', 'vidu-tools',
                   'vidu-history'];
    const partOf = one => parts.find(part => one.closest('.' + part));
    return ({FOCUSABLE})().map(one => [partOf(one), one.getBoundingClientRect().toJSON()]);
}}"""

#: Ids that are named and do not exist, groups without a name, and invalid values of attributes.
DANGLING = """() => [...document.querySelectorAll('.vidu-panel *')].flatMap(one => [
    ...['aria-describedby', 'aria-labelledby', 'aria-controls', 'for', 'list']
        .flatMap(name => (one.getAttribute(name) ?? '').split(' ').filter(Boolean))
        .filter(id => !document.getElementById(id)),
    ...(['group', 'radiogroup'].includes(one.getAttribute('role')) && !one.getAttribute('aria-label')
        && !one.getAttribute('aria-labelledby') ? [one.className] : []),
])"""


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMIND_API_KEY", KEY)
        patch.setenv("SEGMIND_BASE_URL", faults.root)
        patch.delenv("VIDU_NB_ARCHIVE", raising=False)
        with jupyter_lab(place) as url:
            yield url


@pytest.fixture(scope="module")
def window(browser: Browser, lab: str):
    """A page with JupyterLab, in which each test opens a notebook of its own."""
    page = open_lab(browser, lab)
    yield page
    page.close()


@pytest.fixture
def page(window: Page) -> Page:
    """The page with JupyterLab, as large as a laptop's; afterwards nothing has gone wrong in it."""
    window.set_viewport_size({"width": 1280, "height": 800})
    errors = []
    window.on("pageerror", note := lambda error: errors.append(str(error)))
    yield window
    window.remove_listener("pageerror", note)
    assert errors == []


@pytest.fixture
def pictures(encoded):
    """Three pictures, as files."""
    return [(f"{colour}.png", encoded(320, 240, colour=colour)) for colour in ("red", "navy", "teal")]


def open_panel(page: Page, place: Path, name: str, *cells: str) -> Locator:
    """A notebook with a panel that has been shown; gives the panel."""
    write_notebook(place / name, *(cells or (PANEL, *OTHERS)))
    open_instead(page, name)
    command(page, "notebook:run-all-cells")
    page.locator(".vidu-tray").first.wait_for()
    page.wait_for_function(KERNEL_IS_IDLE)
    return page.locator(".vidu-panel")


def prompt_of(panel: Locator) -> Locator:
    return panel.locator(".vidu-prompt textarea")


def button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=re.compile(f"^{name}"))


def with_a_clip(page: Page, panel: Locator, pictures: list, prompt: str = "A wall. Zoom in.") -> None:
    """Three pictures, a prompt and a preview of both."""
    hand_over(panel.locator(".vidu-tray"), "drop", pictures)
    expect(panel.locator(".vidu-tray-good")).to_have_count(len(pictures))
    prompt_of(panel).fill(prompt)
    button(panel, "Preview").click()
    expect(panel.locator(".vidu-card")).to_have_count(1)
    page.wait_for_function("() => document.querySelector('.vidu-panel video')?.currentTime > 0")


KEYS = ["d", "d", "a", "b", "m", "x", "y", "z", "0", "0", "i", "i", "Shift+Enter", "Alt+Enter", "Shift+M", "Enter",
        "Escape", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Shift+ArrowDown", "Space"]  # fmt: skip

#: What the keys do to a control is not of interest here: no click, choice or text comes of them.
NEUTRAL = """() => {
    for (const type of ['click', 'change', 'input', 'toggle'])
        document.querySelector('.vidu-panel').addEventListener(type, event => {
            event.stopImmediatePropagation();
            if (type === 'click') event.preventDefault();
        }, {capture: true});
}"""


#: Gives a thing in the panel the focus, and gives it back after each key.
HOLD_FOCUS = f"""i => {{
    window.held = ({FOCUSABLE})()[i];
    window.held.focus();
    window.onkeyup = () => window.held.focus();
}}"""


def press_all_keys(page: Page) -> list[str]:
    """Press every key on everything in the panel that can have the focus; gives what the notebook changed at."""
    page.evaluate(NEUTRAL)
    before = page.evaluate(NOTEBOOK)
    changed, count = [], page.evaluate(f"() => ({FOCUSABLE})().length")
    assert count > 40
    for i in range(count):
        page.evaluate(HOLD_FOCUS, i)
        for key in KEYS:
            page.keyboard.press(key)
        now = page.evaluate(NOTEBOOK)
        if now != before:
            changed.append(page.evaluate(f"() => ({NAMED})(window.held)"))
            before = now
    page.evaluate("() => { window.onkeyup = null; }")
    return changed


def test_no_key_reaches_the_notebook(page: Page, place: Path, pictures: list):
    """On every control, and beside them, JupyterLab's shortcuts change no cell; the video has its own keys."""
    panel = open_panel(page, place, "shortcuts.ipynb", CAST, *OTHERS)
    with_a_clip(page, panel, pictures)
    panel.locator(".vidu-kept summary").click()
    expect(panel.locator(".vidu-card")).to_have_count(2)
    panel.locator(".vidu-tips summary").click()
    before = page.evaluate(NOTEBOOK)
    panel.locator(".vidu-columns").click(position={"x": 2, "y": 2})
    for key in KEYS:
        page.keyboard.press(key)
    assert page.evaluate(NOTEBOOK) == before
    video = panel.locator("video")
    video.evaluate("async one => { one.loop = true; await one.play(); one.focus(); }")
    page.keyboard.press("Space")
    expect(video).to_have_js_property("paused", True)
    video.evaluate("one => (one.currentTime = 0)")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.vidu-panel video').currentTime > 0")
    assert press_all_keys(page) == []


def test_saving_saves_the_notebook_from_everywhere(page: Page, place: Path, pictures: list):
    """Ctrl+S is JupyterLab's from every control and beside them; its other combinations stay out."""
    panel = open_panel(page, place, "saving.ipynb", CAST, *OTHERS)
    with_a_clip(page, panel, pictures)
    page.evaluate(NEUTRAL)
    places = [".vidu-models select", ".vidu-prompt textarea", ".vidu-tray-good", ".vidu-tray-url", ".vidu-seed input",
              ".vidu-aspect-ratio input:checked", ".vidu-actions .vidu-strong", ".vidu-shown video",
              ".vidu-card-button", ".vidu-card input", ".vidu-kept summary", "root"]  # fmt: skip
    for selector in places:
        one = panel if selector == "root" else panel.locator(selector).first
        page.evaluate(DIRTY)
        one.evaluate("one => one.focus()")
        page.keyboard.press("Control+s")
        page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
        expect(one).to_be_focused()
        before = page.evaluate(NOTEBOOK)
        for other in ("Control+Shift+s", "Control+b", "Control+Shift+c", "Control+Shift+d", "d", "d", "x"):
            page.keyboard.press(other)
        assert page.evaluate(NOTEBOOK) == before, selector
        expect(page.locator(".jp-FileBrowser")).to_be_visible()


#: Makes the notebook one that has to be saved.
DIRTY = """() => {
    const {model} = jupyterapp.shell.currentWidget.context;
    model.setMetadata('touched', Math.random());
    model.dirty = true;
}"""


def test_everything_is_reached_by_keyboard_in_the_order_of_the_eye(page: Page, place: Path, pictures: list):
    """Tab goes through head, prompt, tray, dials, buttons, clip, tools, history; narrow, it leaves none out."""
    panel = open_panel(page, place, "order.ipynb", CAST, *OTHERS)
    with_a_clip(page, panel, pictures)
    found = page.evaluate(PARTS)
    parts = ["vidu-head", "vidu-prompt", "vidu-tray", "vidu-dials", "vidu-actions", "vidu-shown", "vidu-tools",
             "vidu-history"]  # fmt: skip
    assert list(dict.fromkeys(part for part, _ in found)) == parts
    for (part, one), (other, next_one) in itertools.pairwise(found):
        assert part != other or next_one["bottom"] > one["top"] - 30, (part, one, next_one)
    reached = tab_through(page, panel)
    order = ["Model", "Idea", "Live draft", "Prompt tips", "Prompt", "Add pictures", "1:1", "5 s", "Seed", "Keep",
             "Dice", "Background music", "auto", "Preview", "Generate", "Kept clips"]  # fmt: skip
    known = [max(filter(name.startswith, order), key=len, default="") for name, _ in reached]
    assert list(dict.fromkeys(filter(None, known))) == order, reached
    names = page.evaluate(f"() => ({FOCUSABLE})().filter(one => one.type !== 'radio').map({NAMED})")
    walked = [name for name, _ in reached if not name.startswith("1:1 ")]  # the video has keys inside
    assert [name for name in names if name not in [found for found, _ in reached]] == []
    assert len(set(walked)) == len(walked), walked
    page.set_viewport_size({"width": 900, "height": 800})  # beside the file browser
    page.wait_for_function(IS_FIRST, arg=["vidu-got", "vidu-ask"])
    narrow = [name for name, _ in tab_through(page, panel)]
    assert [name for name in walked if name not in narrow] == []
    found = page.evaluate(PARTS)
    order = ["vidu-head", "vidu-shown", "vidu-tools", "vidu-prompt", "vidu-tray", "vidu-dials", "vidu-actions",
             "vidu-history"]  # fmt: skip
    assert list(dict.fromkeys(part for part, _ in found)) == order
    for (part, one), (other, next_one) in itertools.pairwise(found):
        assert part == other or next_one["top"] > one["top"], (part, one, other, next_one)


#: Whether a part stands in the document before another.
IS_FIRST = """([one, other]) => Boolean(document.querySelector(`.${one}`)
    .compareDocumentPosition(document.querySelector(`.${other}`)) & Node.DOCUMENT_POSITION_FOLLOWING)"""


@pytest.mark.parametrize("held", [".vidu-prompt textarea", ".vidu-shown video", ".vidu-card-button"])
def test_a_window_that_gets_narrow_moves_no_focus_and_stops_no_clip(page: Page, place: Path, pictures: list, held: str):
    """What has the focus keeps it, with its caret, and the clip plays on, while one part is put before the other."""
    panel = open_panel(page, place, "narrow.ipynb", PANEL, *OTHERS)
    with_a_clip(page, panel, pictures)
    video = panel.locator("video")
    video.evaluate("""one => {
        one.loop = true;
        window.ended = [];
        for (const type of ['pause', 'emptied', 'abort']) one.addEventListener(type, () => window.ended.push(type));
    }""")
    one = panel.locator(held).first
    one.focus()
    page.keyboard.press("Home")
    page.evaluate(WATCH)
    for width, order in ((900, ["vidu-got", "vidu-ask"]), (1280, ["vidu-ask", "vidu-got"])):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(IS_FIRST, arg=order)
        expect(one).to_be_focused()
        video.evaluate("one => new Promise(done => one.addEventListener('timeupdate', done, {once: true}))")
    assert prompt_of(panel).evaluate("one => one.selectionStart") in (0, len(prompt_of(panel).input_value()))
    assert page.evaluate("() => [window.ended, window.lost]") == [[], []]


def test_ticks_outlive_the_list_that_they_stand_in(page: Page, place: Path, pictures: list):
    """Kept clips that are chosen for a comparison stay so while the list is closed, and when a clip comes into it."""
    panel = open_panel(page, place, "ticks.ipynb", PANEL, *OTHERS)
    with_a_clip(page, panel, pictures)
    kept, ticks = panel.locator(".vidu-kept summary"), panel.locator(".vidu-kept .vidu-card input")
    kept.click()
    expect(ticks.first).to_be_visible()
    ticks.first.check()
    expect(panel.locator(".vidu-history > .vidu-strip input")).to_be_checked()  # the same clip
    kept.click()
    expect(ticks.first).to_be_hidden()
    before = ticks.count()
    prompt_of(panel).fill("A clip that comes while the list is closed.")
    button(panel, "Preview").click()
    expect(panel.locator(".vidu-history > .vidu-strip .vidu-card")).to_have_count(2)
    kept.click()
    expect(ticks).to_have_count(min(8, before + 1))
    expect(panel.locator(".vidu-kept .vidu-card input:checked")).to_have_count(1)
    ticks.first.check()
    expect(panel.locator(".vidu-stage-place video")).to_have_count(2)


def tab_through(page: Page, panel: Locator) -> list[tuple[str, float]]:
    """What gets the focus from the panel's first control on, and where it stands in the panel."""
    panel.locator("select").first.focus()
    reached = []
    for _ in range(80):
        reached.append((page.evaluate(FOCUSED), page.evaluate(TOP)))
        page.keyboard.press("Tab")
        if not page.evaluate("() => document.activeElement.closest('.vidu-panel')"):
            break
    return reached


#: How many calls have begun, once as many have as are expected, and ended: a page's messages may overtake cells.
COUNT = """import time
began = []
panel.observe(lambda change: change.new == 'running' and began.append(1), 'state')
def count(expected):
    for _ in range(3000):
        if len(began) >= expected:
            break
        time.sleep(0.02)
    panel.wait()
    return len(began)"""


def test_ctrl_enter_previews_from_anywhere_and_escape_closes(page: Page, place: Path, pictures: list):
    """From each kind of control it makes one preview, and nothing else comes of it; no cell runs."""
    panel = open_panel(page, place, "preview.ipynb", PANEL, *OTHERS)
    with_a_clip(page, panel, pictures)
    before = page.evaluate(NOTEBOOK)
    in_kernel(page, COUNT)
    places = [".vidu-models select", ".vidu-live input", ".vidu-prompt textarea", ".vidu-tips summary",
              ".vidu-tray-good", ".vidu-tray-url", ".vidu-tray-button", ".vidu-aspect-ratio input:checked",
              ".vidu-seed input", ".vidu-keep", ".vidu-role-sound input", ".vidu-actions .vidu-strong",
              ".vidu-shown video", ".vidu-tools button", ".vidu-card-button", ".vidu-card input",
              ".vidu-kept summary"]  # fmt: skip
    for number, (selector, key) in enumerate(zip(places, ["Control+Enter", "Meta+Enter"] * 9, strict=False), 1):
        panel.locator(selector).first.evaluate("one => one.focus()")
        page.keyboard.press(key)
        assert in_kernel(page, f"print(count({number}))") == str(number), selector
        expect(panel.locator(selector).first).to_be_focused()
    button(panel, "Save a copy").press("Enter")
    expect(panel.get_by_label("Save as")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button(panel, "Save a copy")).to_be_focused()
    expect(panel.locator(".vidu-sheet")).to_be_hidden()
    panel.locator(".vidu-tips summary").press("Enter")
    expect(panel.locator(".vidu-tips ul")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel.locator(".vidu-tips ul")).to_be_hidden()
    expect(panel.locator(".vidu-tips summary")).to_be_focused()
    assert page.evaluate(NOTEBOOK) == before


def test_the_focus_is_never_lost(page: Page, place: Path, pictures: list):
    """Buttons that hide, cards that move and controls that are drawn anew leave it where it was, or near."""
    panel = open_panel(page, place, "focus.ipynb", PANEL, *OTHERS)
    with_a_clip(page, panel, pictures)
    button(panel, "Preview").focus()
    page.evaluate(WATCH)
    page.keyboard.press("Enter")
    expect(panel.locator(".vidu-note")).to_contain_text("Here it is")
    expect(button(panel, "Preview")).to_be_focused()
    cancel_from_itself(page, panel)
    choose_models(page, panel)
    change_the_tray(page, panel, pictures)
    open_cards(page, panel)
    for name in ("Dice", "Keep"):
        button(panel, name).press("Enter")
        in_kernel(page, "panel.wait()")
        expect(button(panel, name)).to_be_focused()
    close_the_sheet(page, panel)
    assert page.evaluate("window.lost") == []


def cancel_from_itself(page: Page, panel: Locator) -> None:
    prompt_of(panel).fill("A wall [fault:silence_after_body]")
    button(panel, "Generate").press("Enter")
    expect(panel.locator(".vidu-stage")).to_contain_text("The model is at work")
    expect(button(panel, "Generate")).to_be_focused()
    button(panel, "Cancel").press("Enter")
    expect(button(panel, "Cancel")).to_be_hidden()
    expect(button(panel, "Preview")).to_be_focused()
    expect(panel.locator(".vidu-note")).to_contain_text("may bill")
    again = button(panel, "Pay again")
    expect(again).to_be_visible()
    again.focus()
    in_kernel(page, "panel.fill(prompt='Another.')")  # nothing to pay again
    expect(again).to_be_hidden()


def choose_models(page: Page, panel: Locator) -> None:
    models = panel.locator(".vidu-models select")
    models.focus()
    first = models.input_value()
    for slug in ("sdxl1.0-txt2img", first):
        models.select_option(value=slug)
        page.wait_for_function("slug => document.querySelector('.vidu-models select').value === slug", arg=slug)
        in_kernel(page, "panel.wait()")
        expect(models).to_be_focused()
    prompt_of(panel).focus()
    page.keyboard.press("Home")
    in_kernel(page, "panel.model = 'sdxl1.0-txt2img'")  # from another cell
    expect(panel.locator(".vidu-tray")).to_have_count(0)
    expect(prompt_of(panel)).to_be_focused()
    assert prompt_of(panel).evaluate("one => one.selectionStart") == 0
    in_kernel(page, f"panel.model = {first!r}")
    panel.locator(".vidu-tray-good").nth(1).focus()
    in_kernel(page, "panel.model = 'sdxl1.0-txt2img'")
    expect(panel.locator(".vidu-tray")).to_have_count(0)
    in_kernel(page, f"panel.model = {first!r}")
    expect(panel.locator(".vidu-tray-good")).to_have_count(3)


def change_the_tray(page: Page, panel: Locator, pictures: list) -> None:
    cards = panel.locator(".vidu-tray-good")
    button(panel, "Add pictures").focus()
    hand_over(panel.locator(".vidu-tray"), "drop", [("blue.png", pictures[0][1])])
    expect(cards).to_have_count(4)
    expect(button(panel, "Add pictures")).to_be_focused()
    cards.nth(3).focus()
    page.keyboard.press("Alt+ArrowLeft")
    expect(cards.nth(2)).to_contain_text("blue.png")
    expect(cards.nth(2)).to_be_focused()
    page.keyboard.press("Delete")
    expect(cards).to_have_count(3)
    expect(cards.nth(2)).to_be_focused()


def open_cards(page: Page, panel: Locator) -> None:
    prompt_of(panel).fill("Two walls. Zoom in.")
    button(panel, "Preview").press("Enter")
    cards = panel.locator(".vidu-card")
    expect(cards).to_have_count(2)
    show = cards.nth(1).get_by_role("button", name="Show")
    show.press("Enter")
    expect(panel.locator(".vidu-note")).to_contain_text("Brought back")
    expect(show).to_be_focused()
    prompt_of(panel).fill("Three walls. Zoom in.")
    cards.nth(1).get_by_role("checkbox").focus()
    page.keyboard.press("Control+Enter")
    expect(cards).to_have_count(3)
    expect(cards.nth(2).get_by_role("checkbox")).to_be_focused()  # the strip was drawn anew
    panel.locator("video").focus()
    prompt_of(panel).evaluate("one => { one.value = 'Four.'; one.dispatchEvent(new Event('input', {bubbles: true})); }")
    page.keyboard.press("Control+Enter")
    expect(cards).to_have_count(4)
    expect(panel.locator("video")).to_be_focused()  # another clip
    panel.locator(".vidu-kept summary").press("Enter")
    expect(panel.locator(".vidu-kept .vidu-card").nth(3)).to_be_visible()
    button(panel, "Continue from the last frame").focus()
    in_kernel(page, "panel.preview()")


def close_the_sheet(page: Page, panel: Locator) -> None:
    language = panel.get_by_label("Copy as", exact=True)
    language.focus()
    language.select_option("curl")
    expect(panel.get_by_label("As curl")).to_be_focused()
    button(panel, "Close").press("Enter")
    expect(language).to_be_focused()
    button(panel, "Save a copy").press("Enter")
    expect(panel.get_by_label("Save as")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("kept copy.mp4")
    page.keyboard.press("Enter")
    expect(panel.locator(".vidu-note")).to_contain_text("Saved as")
    expect(button(panel, "Save a copy")).to_be_focused()
    button(panel, "Save a copy").press("Enter")
    in_kernel(page, "panel.fill(prompt='Five.'); panel.preview()")


def test_what_is_typed_while_another_model_comes_stays(page: Page, place: Path):
    """On a busy kernel the controls come late: what was typed meanwhile is in the new ones, and so is the caret."""
    panel = open_panel(page, place, "typed.ipynb", PANEL, *OTHERS)
    prompt_of(panel).fill("A boat")
    in_kernel(page, f"{HELD}{ONCE}")  # the new controls come after the request
    panel.locator(".vidu-models select").select_option(value="sdxl1.0-txt2img")
    prompt_of(panel).focus()
    page.keyboard.press("End")
    page.keyboard.type(", red.")
    page.keyboard.press("ArrowLeft")
    let_go(place)
    expect(panel.locator(".vidu-tray")).to_have_count(0)
    expect(prompt_of(panel)).to_be_focused()
    page.keyboard.type("!")
    expect(prompt_of(panel)).to_have_value("A boat, red!.")
    page.wait_for_function(KERNEL_IS_IDLE)
    button(panel, "Preview").press("Enter")
    expect(panel.locator(".vidu-card")).to_have_count(1)
    assert in_kernel(page, "print(panel.request.prompt)") == "A boat, red!."


HELD = """def held():
    import os, time
    for _ in range(3000):  # a minute at most
        if os.path.exists('go on'):
            os.remove('go on')
            break
        time.sleep(0.02)
"""


ONCE = """
def once(change):
    panel.unobserve(once, 'request')
    held()
panel.observe(once, 'request')"""


def hold(page: Page) -> None:
    """Keep the kernel busy until `let_go`."""
    page.evaluate(
        """code => {
            jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code});
        }""",
        f"{HELD}\nheld()",
    )


def let_go(place: Path) -> None:
    (place / "go on").touch()


def test_screen_readers_hear_each_stage_once(page: Page, place: Path, pictures: list):
    """The stages and the result, problems as alerts, and pictures; never the clock. Every control has its name."""
    panel = open_panel(page, place, "heard.ipynb", CAST, *OTHERS)
    page.evaluate(LISTEN)
    hand_over(panel.locator(".vidu-tray"), "drop", pictures[:1])
    expect(panel.locator(".vidu-tray-good")).to_have_count(1)
    hand_over(panel.locator(".vidu-tray"), "drop", pictures[1:2])
    expect(panel.locator(".vidu-tray-good")).to_have_count(2)
    panel.locator(".vidu-tray-good").nth(1).press("Alt+ArrowLeft")
    expect(panel.locator(".vidu-tray-status")).to_contain_text("moved")
    panel.locator(".vidu-tray-good").nth(1).press("Delete")
    expect(panel.locator(".vidu-tray-status")).to_contain_text("removed")
    assert heard(page) == [
        ["status", "red.png added as picture 1"], ["status", "navy.png added as picture 2"],
        ["status", "navy.png moved to place 1 of 2"], ["status", "red.png removed, 1 of 7 pictures left"],
    ]  # fmt: skip
    for words in ("in", "out"):  # the second time an old result is there, which is not heard again
        prompt_of(panel).fill(f"A wall. Zoom {words}.")
        button(panel, "Preview").press("Enter")
        expect(panel.locator(".vidu-card")).to_have_count(1 if words == "in" else 2)
        expect(panel.locator(".vidu-note")).to_contain_text("Here it is")
        expect(button(panel, "Preview")).to_be_enabled()
        stages = heard(page)
        assert stages[0] == ["status", "Starting ..."], stages
        assert ["status", "Rendering the preview ..."] in stages, stages
        assert stages[-1][1].startswith("Here it is: 1:1"), stages
        assert len({text for _, text in stages}) == len(stages), stages
        assert not any(text[0] in "0123456789" for _, text in stages)
    prompt_of(panel).focus()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("x" * 1490)
    expect(panel.locator(".vidu-prompt .vidu-problem")).to_contain_text("1,507")
    page.keyboard.type("yz")
    expect(panel.locator(".vidu-prompt .vidu-problem")).to_contain_text("1,509")
    expect(prompt_of(panel)).to_have_accessible_description(re.compile("1,509"))
    expect(prompt_of(panel)).to_have_attribute("aria-invalid", "true")
    told = [text for role, text in heard(page) if role == "alert"]
    assert told == ["Prompt: Has 1,507 characters: the limit is 1,500"]
    assert page.evaluate(DANGLING) == []
    for group in ("Aspect ratio", "Duration"):
        expect(panel.get_by_role("radiogroup", name=group)).to_be_visible()
    assert violations(page, ".vidu-panel") == []


def heard(page: Page) -> list[list[str]]:
    """What was heard since the last look, in its order; what one frame replaced by the next counts, too."""
    return page.evaluate("() => window.heard.splice(0)")


def test_pictures_are_dropped_and_pasted_anywhere_on_the_panel(page: Page, place: Path, pictures: list, encoded):
    """The first tray with a place left takes them; text that is pasted with its picture stays with the field."""
    panel = open_panel(page, place, "drops.ipynb", PANEL, *OTHERS)
    cards = panel.locator(".vidu-tray-good")
    for number, target in enumerate((".vidu-head", ".vidu-prompt textarea", ".vidu-shown"), 1):
        hand_over(panel.locator(target), "drop", pictures[:1])
        expect(cards).to_have_count(number)
    expect(panel.locator(".vidu-tray-over")).to_have_count(0)
    for number, target in enumerate((".vidu-prompt textarea", ".vidu-seed input", ".vidu-actions .vidu-info"), 4):
        panel.locator(target).focus()
        hand_over(panel.locator(target), "paste", pictures[1:2])
        expect(cards).to_have_count(number)
    hand_over(prompt_of(panel), "paste", pictures[1:2], plain="words with their picture")
    (place / "from the list.png").write_bytes(encoded(230, 150))
    command(page, "filebrowser:refresh")
    drag_from_the_file_browser(page, "from the list.png", panel.locator(".vidu-shown"))
    expect(cards).to_have_count(7)
    hand_over(panel.locator(".vidu-shown"), "drop", pictures[:1])
    expect(panel.locator(".vidu-tray-notice")).to_contain_text("at most 7 pictures")
    in_kernel(page, "panel.model = 'sdxl1.0-txt2img'")
    expect(panel.locator(".vidu-tray")).to_have_count(0)
    hand_over(panel.locator(".vidu-shown"), "drop", pictures[:1])
    expect(panel.get_by_role("alert").filter(has_text="takes no pictures")).to_be_visible()
    trays = "[one.slug for one in vidu.models.values() if sum(f.type == 'picture' for f in one.media) > 1]"
    slugs = in_kernel(page, f"print(*{trays})").split()
    if slugs:
        in_kernel(page, f"panel.model = {slugs[0]!r}")
        expect(panel.locator(".vidu-tray")).not_to_have_count(0)
        in_kernel(page, "panel.fill(**{f.parameter: None for f in panel.model.media if f.type == 'picture'})")
        expect(cards).to_have_count(0)
        hand_over(panel.locator(".vidu-shown"), "drop", pictures[:1])
        expect(cards).to_have_count(1)
        hand_over(panel.locator(".vidu-shown"), "drop", pictures[1:2])
        expect(cards).to_have_count(2)
        expect(panel.locator(".vidu-tray").nth(1).locator(".vidu-tray-good")).to_have_count(1)


def test_two_tabs_on_one_kernel_and_a_page_that_is_loaded_again(
    page: Page, browser: Browser, lab: str, place: Path, pictures: list
):
    """What one writes the other shows, but not over what is being written there; a click carries its own values."""
    panel = open_panel(page, place, "tabs.ipynb", PANEL, *OTHERS)
    with_a_clip(page, panel, pictures)
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    other_page = browser.new_page(viewport={"width": 1280, "height": 800})
    other_page.set_default_timeout(PATIENCE)
    try:
        open_notebook(other_page, lab, "tabs.ipynb")
        other = other_page.locator(".vidu-panel")
        expect(prompt_of(other)).to_have_value("A wall. Zoom in.")
        expect(other.locator(".vidu-card")).to_have_count(1)
        plays(other_page)
        prompt_of(panel).fill("A wall seen by two.")
        expect(prompt_of(other)).to_have_value("A wall seen by two.")
        write_at_once_in_both(page, panel, other, place)
        button(other, "Preview").click()
        for one in (panel, other):
            expect(one.locator(".vidu-card")).to_have_count(2)
            expect(one.locator(".vidu-note")).to_contain_text("Here it is")
        assert (
            in_kernel(page, "print(panel.video.request.prompt, panel.video.request.seed)")
            == "Written in the second. 77"
        )
        plays(page)
        plays(other_page)
    finally:
        other_page.close()
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function(KERNEL_IS_IDLE)
    expect(prompt_of(panel)).to_have_value("Written in the second.")
    expect(panel.locator(".vidu-seed input")).to_have_value("77")
    expect(panel.locator(".vidu-tray-good")).to_have_count(3)
    expect(panel.locator(".vidu-card")).to_have_count(2)
    plays(page)
    restart_the_kernel(page, panel)


def plays(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('.vidu-panel video')?.currentTime > 0.1")


def write_at_once_in_both(page: Page, panel: Locator, other: Locator, place: Path) -> None:
    """While Python is busy, one page writes a seed and the other a prompt; then both have both."""
    hold(page)
    prompt_of(other).fill("Written in the second.")
    panel.locator(".vidu-seed input").fill("77")
    let_go(place)
    expect(prompt_of(panel)).to_have_value("Written in the second.")
    expect(other.locator(".vidu-seed input")).to_have_value("77")
    expect(prompt_of(other)).to_have_value("Written in the second.")


def restart_the_kernel(page: Page, panel: Locator) -> None:
    """The panel of a kernel that is gone says so, and holds what is typed."""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_function(KERNEL_IS_IDLE)
    prompt_of(panel).fill("Written to nobody.")
    button(panel, "Preview").press("Enter")
    expect(panel.get_by_role("alert").filter(has_text="No answer from Python")).to_be_visible()
    expect(prompt_of(panel)).to_have_value("Written to nobody.")
    expect(prompt_of(panel)).to_be_visible()


HMR = "import os, sys\nos.environ['ANYWIDGET_HMR'] = '1'\nsys.path.insert(0, 'source')\n"


def test_a_change_of_a_file_is_shown_in_the_running_page(page: Page, place: Path):
    """With ANYWIDGET_HMR=1 a changed, or replaced, JavaScript or CSS file shows at once; what was written stays."""
    source = place / "source" / "vidu_nb"
    shutil.copytree(Path(vidu_nb.__file__).parent, source, ignore=shutil.ignore_patterns("__pycache__"))
    panel = open_panel(page, place, "files.ipynb", HMR + PANEL, "print(vidu.__file__)")
    assert "source/vidu_nb" in in_kernel(page, "print(vidu.__file__)")
    prompt_of(panel).fill("A wall.")
    in_kernel(page, "panel.wait()")
    for number, words in enumerate(("Spark", "Flare")):
        script = source / "widgets" / "panel.js"
        change(script, '"Live draft"', f'"{words}"') if number == 0 else change(script, '"Spark"', f'"{words}"')
        expect(panel.get_by_label(words)).to_be_visible()
        expect(page.locator(".vidu-panel")).to_have_count(1)
        expect(prompt_of(panel)).to_have_value("A wall.")
    style = source / "widgets" / "panel.css"
    style.write_text(
        style.read_text("utf-8") + "\n.vidu-panel { outline: 3px solid rgb(1, 2, 3) !important; }", "utf-8"
    )
    expect(panel).to_have_css("outline-color", "rgb(1, 2, 3)")


def change(path: Path, old: str, new: str) -> None:
    """Replace a text in a file as many editors do, by another file of its name."""
    text = path.read_text("utf-8")
    assert old in text
    fresh = path.with_suffix(".new")
    fresh.write_text(text.replace(old, new), "utf-8")
    fresh.replace(path)
