"""The panel as people meet it: in JupyterLab, in a real Chromium, from the first click to the reopened notebook."""

from __future__ import annotations

import io
import json
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest
from browser import (
    KERNEL_IS_IDLE,
    PLAYS,
    command,
    hand_over,
    in_kernel,
    install_kernel,
    jupyter_lab,
    open_instead,
    open_lab,
    violations,
    write_notebook,
)
from faults import KEY, FaultServer
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

PANEL = "import vidu_nb as vidu\npanel = vidu.panel()\npanel"
SQUARE = 'import vidu_nb as vidu\npanel = vidu.panel(aspect_ratio="1:1", bgm=False)\npanel'  # quicker to render
OTHERS = (
    "6 * 7",
    "import ipykernel\nprint('kernel', ipykernel.__version__)",
    """import os, time
print('busy')
for _ in range(3000):  # a minute at most
    if os.path.exists('go on'):
        os.remove('go on')
        break
    time.sleep(0.02)""",
)
VERSIONS = ("6.31.0", "7.1.0", "")  # of ipykernel; the environment's own has no name
AWAITED = "A wall [fault:silence_after_body] awaited "
HOSTILE = '</textarea>"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


@pytest.fixture(scope="module")
def faults():
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(place, faults):
    """JupyterLab as on a hub, whose kernels have a key and a service that misbehaves as the prompt says."""
    settings = {"SEGMIND_API_KEY": KEY, "SEGMIND_BASE_URL": faults.root}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.delenv("VIDU_NB_ARCHIVE", raising=False)  # clips lie beside the notebook, as they do for people
        for version in filter(None, VERSIONS):
            install_kernel(version, place)
        with jupyter_lab(place, base_url="/user/x/") as url:
            yield url


@pytest.fixture(scope="module")
def window(browser: Browser, lab: str):
    """A page with JupyterLab, in which each test opens a notebook of its own."""
    page = open_lab(browser, lab)
    yield page
    page.close()


@pytest.fixture
def page(window: Page) -> Page:
    window.set_viewport_size({"width": 1200, "height": 1400})
    return window


@pytest.fixture
def pictures(encoded):
    """Two pictures, as files."""
    return [(f"{colour}.png", encoded(320, 240, colour=colour)) for colour in ("red", "navy")]


@pytest.fixture(scope="module", params=VERSIONS, ids=["6.31", "7.1", "newest"])
def version(request: pytest.FixtureRequest) -> str:
    """A version of ipykernel; the environment's own has no name."""
    return request.param


@pytest.fixture(scope="module")
def notebook(window: Page, place: Path, version: str) -> Page:
    """A notebook on a kernel of that version, for `panel_on`."""
    kernel = f"ipykernel-{version}" if version else "python3"
    name = f"kernel-{version or 'newest'}.ipynb"
    awaited = f"panel.fill(prompt={AWAITED + version!r}, references=sample_references()[:1])\nawait panel.run()"
    cells = [SQUARE, *OTHERS, f"from vidu_nb.samples import sample_references\n{awaited}"]
    write_notebook(place / name, *cells, kernel=kernel)
    window.set_viewport_size({"width": 1200, "height": 1400})
    open_instead(window, name)
    return window


@pytest.fixture
def panel_on(notebook: Page) -> Page:
    """A notebook's page with a new panel and no other output."""
    command(notebook, "notebook:clear-all-cell-outputs")
    expect(notebook.locator(".jp-OutputArea-output")).to_have_count(0)
    run_cell(notebook, 0)
    notebook.locator(".vidu-tray").wait_for()
    notebook.wait_for_function(KERNEL_IS_IDLE)
    return notebook


def prompt_of(page: Page) -> Locator:
    return page.locator(".vidu-role-prompt textarea")


def button(page: Page, name: str) -> Locator:
    return page.locator(".vidu-panel").get_by_role("button", name=name)


def fill(page: Page, pictures: list, prompt: str) -> None:
    """Drop pictures and type a prompt."""
    hand_over(page.locator(".vidu-tray"), "drop", pictures)
    expect(page.locator(".vidu-tray-card")).to_have_count(len(pictures))
    prompt_of(page).fill(prompt)


def test_from_an_empty_panel_to_a_reopened_notebook(
    page: Page, lab: str, place: Path, faults: FaultServer, pictures: list
):
    """Drop, reorder, type, preview, cancel, save; and the clip plays when the notebook is opened with no kernel."""
    saved = write_notebook(place / "sub folder" / "panel.ipynb", PANEL, OTHERS[0])
    open_instead(page, "sub folder/panel.ipynb")
    command(page, "notebook:run-all-cells")
    drop_reorder_and_type(page, pictures)
    preview_and_see_it_play(page)
    cancel_a_call_that_never_answers(page, faults)
    save_and_close(page, saved)
    reopen_without_a_kernel(page, lab, saved)


def drop_reorder_and_type(page: Page, pictures: list) -> None:
    fill(page, pictures, "A wall. Then a zoom in.")
    cards = page.locator(".vidu-tray-card")
    expect(cards.first).to_contain_text("red.png")
    page.get_by_role("button", name="Move right").first.click()
    expect(cards.first).to_contain_text("navy.png")
    prompt_of(page).fill("wider " * 266 + "wide")
    expect(page.locator(".vidu-counter")).to_have_text("1,600 / 1,500")
    expect(page.locator(".vidu-role-prompt .vidu-problem")).to_contain_text("Has 1,600 characters: the limit is 1,500")
    expect(button(page, "Preview")).to_be_disabled()


def preview_and_see_it_play(page: Page) -> None:
    prompt_of(page).fill("A wall. Then a zoom in.")
    page.locator(".vidu-aspect-ratio").get_by_label("1:1").check()
    button(page, "Preview (free)").click()
    video = page.locator(".vidu-panel video")
    video.wait_for(state="visible")
    told = video.evaluate(PLAYS)
    assert (told["width"], told["height"], told["ready"]) == (1080, 1080, 4)


def cancel_a_call_that_never_answers(page: Page, faults: FaultServer) -> None:
    prompt_of(page).fill("A wall [fault:silence_after_body]")
    expect(button(page, "Generate (about $0.50, about 2 min)")).to_be_enabled()
    posts = len(faults.posts())
    button(page, "Generate").dblclick()
    expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
    expect(page.locator(".vidu-clock")).to_contain_text("of about 120 s (an estimate)")
    run_another_cell(page, 1, "42")
    button(page, "Cancel").click()
    expect(page.locator(".vidu-status .vidu-note")).to_contain_text("may bill about $0.50")
    assert len(faults.posts()) == posts + 1


def run_cell(page: Page, cell: int) -> None:
    """Run a cell that shows nothing yet, without waiting for it."""
    page.evaluate("cell => { jupyterapp.shell.currentWidget.content.activeCellIndex = cell; }", cell)
    command(page, "notebook:clear-cell-output")
    expect(page.locator(".jp-Notebook-cell").nth(cell).locator(".jp-OutputArea-output")).to_have_count(0)
    command(page, "notebook:run-cell")


def run_another_cell(page: Page, cell: int, output: str) -> None:
    """Run a cell and see what it prints come."""
    run_cell(page, cell)
    told = page.locator(".jp-Notebook-cell").nth(cell).locator(".jp-OutputArea-output", has_text=output)
    expect(told).to_be_visible()


def save_and_close(page: Page, saved: Path) -> None:
    """Save with the widgets' state, and end the kernel."""
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    text = saved.read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget-state+json" in text
    assert KEY not in text
    assert len(text) < 150_000, "one clip and the state of a panel"


def reopen_without_a_kernel(page: Page, url: str, saved: Path) -> None:
    notebook = nbformat.read(saved, as_version=4)
    del notebook.metadata["kernelspec"], notebook.metadata["language_info"]  # else JupyterLab starts one by itself
    nbformat.write(notebook, saved)
    page.goto(f"{url}lab/tree/sub%20folder/panel.ipynb?reset")
    page.locator(".jp-Dialog select").select_option(label="No Kernel")
    page.locator(".jp-Dialog").get_by_role("button", name="Select").click()
    video = page.locator(".vidu-saved video")
    video.wait_for(state="visible")
    assert video.evaluate(PLAYS)["width"] == 1080
    assert json.load(urlopen(f"{url}api/kernels")) == []


def large(name: str) -> tuple[str, bytes]:
    """A picture that is shrunk in the page before it travels."""
    buffer = io.BytesIO()
    Image.new("RGB", (1100, 1100), name[:-4]).save(buffer, "PNG", compress_level=0)
    assert len(buffer.getvalue()) > 3_000_000
    return name, buffer.getvalue()


def test_three_actions_make_a_clip_of_two_pictures(page: Page, place: Path):
    """Drop, type, Ctrl+Enter, with nothing to click: the prompt has the focus, pictures that travel are awaited."""
    write_notebook(place / "three.ipynb", PANEL)
    open_instead(page, "three.ipynb")
    command(page, "notebook:run-all-cells")
    hand_over(page.locator(".vidu-tray"), "drop", [large("red.png"), large("navy.png")])
    page.keyboard.type("A wall.")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.querySelector('.vidu-panel video')?.currentTime > 0.3")
    told = "print(panel.video.request.prompt, *(one.label for one in panel.video.request.references))"
    assert in_kernel(page, told) == "A wall. red.png navy.png"


def test_the_notebook_stays_usable_while_a_call_runs(panel_on: Page, pictures: list, version: str):
    """On old and new kernels: another cell runs during a call, Cancel ends it at once, and a clip comes after it."""
    page = panel_on
    fill(page, pictures, f"A wall [fault:silence_after_body] {version}")
    button(page, "Generate (about").click()
    expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
    run_another_cell(page, 2, f"kernel {version or '7.'}")
    expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
    button(page, "Cancel").click()
    expect(page.locator(".vidu-status .vidu-note")).to_contain_text("may bill")
    prompt_of(page).fill(f"A wall {version}")
    button(page, "Preview (free)").click()
    video = page.locator(".vidu-panel video")
    video.wait_for(state="visible")
    assert video.evaluate(PLAYS)["ready"] >= 2


def test_a_click_never_overtakes_what_was_typed_before_it(panel_on: Page, place: Path, pictures: list, version: str):
    """While the kernel is busy, a page holds changes back but not clicks: still the whole prompt is asked for."""
    page = panel_on
    fill(page, pictures, f"An old prompt {version}")
    expect(button(page, "Preview (free)")).to_be_enabled()
    run_another_cell(page, 3, "busy")
    words = f"A new prompt, wholly typed {version or 4}"
    prompt_of(page).click()
    page.keyboard.press("Control+a")
    page.keyboard.type(words)
    button(page, "Preview (free)").click()
    (place / "go on").touch()
    expect(page.locator(".vidu-status .vidu-note")).to_contain_text("Here it is")
    assert in_kernel(page, "print(panel.video.request.prompt)") == words


def test_a_cell_that_awaits_the_panel_can_be_cancelled(panel_on: Page, version: str):
    """While a cell awaits `panel.run()` the panel follows; Cancel ends both, on an old kernel the stop button does."""
    page = panel_on
    run_cell(page, 4)
    expect(page.locator(".vidu-stage")).to_contain_text("The model is at work")
    if version.startswith("6"):  # its messages wait for the cell
        command(page, "notebook:interrupt-kernel")
    else:
        button(page, "Cancel").click()
    expect(page.locator(".vidu-status .vidu-note")).to_contain_text("may bill")
    told = "CancelledError" if version.startswith("6") else "May be billed"
    expect(page.locator(".jp-OutputArea-output", has_text=told).first).to_be_visible()


#: The panel's parts that are wider than the panel, as people see them: what is cut off or needs sideways scrolling.
STICKS_OUT = """() => {
    const right = document.querySelector('.vidu-panel').getBoundingClientRect().right;
    return [...document.querySelectorAll('.vidu-panel *')]
        .filter(one => one.getBoundingClientRect().width && !one.closest('.vidu-strip'))
        .filter(one => one.getBoundingClientRect().right > right + 1)
        .map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
}"""


def check_with_axe(page: Page) -> None:
    """In both themes the checker finds nothing serious in the panel."""
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        assert violations(page, ".vidu-panel") == [], theme


def test_the_panel_is_accessible_and_fits(page: Page, place: Path, pictures: list):
    """Empty and with a clip, in both themes, axe finds nothing; nothing runs, jumps or sticks out."""
    write_notebook(place / "accessible.ipynb", SQUARE)
    open_instead(page, "accessible.ipynb")
    command(page, "notebook:run-all-cells")
    page.locator(".vidu-tray").wait_for()
    check_with_axe(page)
    fill(page, pictures, f"A wall. {HOSTILE} {'Very long indeed. ' * 70}")
    button(page, "Preview (free)").click()
    page.locator(".vidu-panel video").wait_for(state="visible")
    expect(page.locator(".vidu-card")).to_have_count(1)  # the clip has fully arrived
    page.locator(".vidu-kept summary").click()
    expect(page.locator(".vidu-kept .vidu-card").first).to_be_visible()
    copy_as_python_by_keyboard(page)
    check_with_axe(page)
    assert page.evaluate("() => window.hacked") is None
    top = page.locator(".vidu-actions").bounding_box()["y"]
    prompt_of(page).fill("too long " * 200)
    expect(page.locator(".vidu-role-prompt .vidu-problem")).to_be_visible()
    assert page.locator(".vidu-actions").bounding_box()["y"] == top, "the page jumped"
    for width in (700, 1600):
        page.set_viewport_size({"width": width, "height": 1400})
        page.wait_for_function("width => document.querySelector('.vidu-panel').clientWidth < width", arg=width)
        assert page.evaluate(STICKS_OUT) == []


def test_every_model_can_be_chosen_on_the_page(page: Page, place: Path):
    """The list changes the controls: what was typed stays, axe finds nothing serious, nothing sticks out or stays."""
    write_notebook(place / "models.ipynb", PANEL)
    open_instead(page, "models.ipynb")
    command(page, "notebook:run-all-cells")
    prompt_of(page).fill("A lighthouse")
    models = page.locator(".vidu-models select")
    labels = models.locator("option").all_inner_texts()
    assert len(labels) > 5
    assert labels[0] == "Vidu Q1 reference to video · $0.50 · 2 min"
    for label in [*labels[1:], labels[0]]:
        models.select_option(label)
        title, price, _ = label.split(" · ")
        expect(page.locator(".vidu-status .vidu-note")).to_contain_text(f"{title}: {price}")
        for more in page.locator(".vidu-more").all():
            more.click()
        assert violations(page, ".vidu-panel") == []
        assert page.evaluate(STICKS_OUT) == []
    expect(prompt_of(page)).to_have_value("A lighthouse")
    expect(page.locator(".vidu-tray")).to_have_count(1)
    expect(page.locator(".vidu-seed input")).to_have_value("42")


def copy_as_python_by_keyboard(page: Page) -> None:
    """The clip's request as code, asked for, selected and copied without a mouse; the cell takes no key."""
    page.context.grant_permissions(["clipboard-read"])
    cells = page.locator(".jp-Cell").count()
    page.get_by_label("Copy as").focus()
    page.keyboard.press("p")
    code = page.get_by_label("As Python: select all and copy")
    expect(code).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    copied = code.input_value()
    page.wait_for_function("async text => (await navigator.clipboard.readText()) === text", arg=copied)
    assert "vidu.generate" in copied
    assert "onerror" in copied
    assert page.locator(".jp-Cell").count() == cells


def test_two_ticked_clips_play_in_step_and_a_poster_brings_one_back(page: Page, place: Path, pictures: list):
    """Ticking two posters opens them with one bar of controls; Show brings a clip and its seed back."""
    write_notebook(place / "history.ipynb", SQUARE)
    open_instead(page, "history.ipynb")
    command(page, "notebook:run-all-cells")
    fill(page, pictures, "A wall. Then a pan right.")
    cards = page.locator(".vidu-card")
    for i in range(2):
        button(page, "Preview (free)").click()
        expect(cards).to_have_count(i + 1)
        button(page, "Next seed").click()
    for i in range(2):
        cards.nth(i).get_by_role("checkbox", name="Compare").check()
    expect(page.locator(".vidu-panel video")).to_have_count(2)
    page.locator(".vidu-panel").get_by_role("button", name="Play").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.vidu-panel video')].every(one => one.currentTime > 0.3)"
    )
    cards.nth(1).get_by_role("button", name="Show").click()
    expect(page.locator(".vidu-panel video")).to_have_count(1)
    expect(page.locator(".vidu-seed input")).to_have_value("42")
    expect(page.locator(".vidu-panel").get_by_role("button", name="Play")).to_have_count(0)


def test_a_draft_follows_and_plays_by_itself(page: Page, place: Path, pictures: list):
    """With live drafts on, each change is soon seen moving in the panel, with nothing to press."""
    write_notebook(place / "live.ipynb", PANEL)
    open_instead(page, "live.ipynb")
    command(page, "notebook:run-all-cells")
    fill(page, pictures, "A wall. Then a pan right.")
    page.get_by_label("Live draft").check()
    expect(page.locator(".vidu-caption")).to_contain_text("16:9 · 5 s · seed 42 · draft preview, free")
    page.locator(".vidu-aspect-ratio").get_by_label("1:1").check()
    expect(page.locator(".vidu-caption")).to_contain_text("1:1 · 5 s · seed 42 · draft preview, free")
    page.wait_for_function("() => document.querySelector('.vidu-panel video').currentTime > 0.3")
