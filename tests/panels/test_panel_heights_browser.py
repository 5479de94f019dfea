"""How high the panel is, and what of it is in view, measured in JupyterLab: sizes, models, states, both themes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from browser import KERNEL_IS_IDLE, command, in_kernel, jupyter_lab, open_notebook, write_notebook
from faults import KEY, FaultServer
from playwright.sync_api import Browser, Page, expect

from vidu_nb import models

DEFAULT = next(iter(models))
PANEL = "panel = vidu.panel(model={slug!r})\npanel"
START = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import vidu_nb as vidu
from panels import keep
from vidu_nb.samples import sample_references

three = sample_references()
seven = [*three, *three, three[0]]
prompt = "A red fox walks through a snowy birch forest at dawn. Slow push in. " * 22

def fill():
    trays = [one for one in panel.model.media if one.type.startswith("picture")]
    given = {{"references": seven if trays[0].type == "pictures" else three[:1] * len(trays)}} if trays else {{}}
    field = panel.model.by_role("prompt")
    panel.fill(**given, **({{field.parameter: prompt[:field.max_length or 1500]}} if field else {{}}))

def keep_previews(*seeds):
    # So that none is rendered: what a call then shows is measured, not how it comes.
    if panel.model.returns == "video":
        with open("small.mp4", "rb") as file:
            data = file.read()
        for seed in seeds:
            keep(panel.request.replace(seed=seed), data, name=f"clip-{{seed}}")
        panel.fill(seed=seeds[-1])

{PANEL.format(slug=DEFAULT)}"""

#: Window, and between which widths the panel then is, with JupyterLab's side bar closed.
SIZES = {
    "1280x800": (1000, 1130),
    "1440x900": (1150, 1170),
    "1024x768": (770, 900),
    "700x900": (400, 640),
}
SIDE_BY_SIDE = ("1280x800", "1440x900")  # with the strip of results below both
BESIDE, STACKED = (*SIDE_BY_SIDE, "1024x768"), "700x900"
THEMES = ("JupyterLab Light", "JupyterLab Dark")
HIGHEST = 620  # px
HOSTILE = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'

#: Where the panel's parts are from its top, how much of a notebook can be seen, and what sticks out of the panel.
MEASURE = """() => {
    const panel = document.querySelector('.vidu-panel');
    const whole = panel.getBoundingClientRect();
    const place = name => {
        const box = [...panel.querySelectorAll(name)].map(one => one.getBoundingClientRect()).find(box => box.height);
        return box ? {top: Math.round(box.top - whole.top), bottom: Math.round(box.bottom - whole.top)} : null;
    };
    const scrolling = '.vidu-strip, .vidu-members, .vidu-words, .vidu-label-row, '
        + '.vidu-dials:has([aria-expanded=true])';
    const out = [...panel.querySelectorAll('*')].filter(one => {
        const box = one.getBoundingClientRect();
        return one.checkVisibility() && box.width > 1 && !one.parentElement.closest(scrolling)
            && !one.matches('.vidu-unseen') && (
                box.right > whole.right + 1 || box.left < whole.left - 1 || box.bottom > whole.bottom + 1);
    }).map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
    const names = {prompt: '.vidu-role-prompt textarea', pictures: '.vidu-tray', buttons: '.vidu-actions .vidu-row',
        clip: '.vidu-stage-place', status: '.vidu-status', dials: '.vidu-dials'};
    return {height: Math.ceil(whole.height), seen: document.querySelector('.jp-WindowedPanel-outer').clientHeight, out,
        ...Object.fromEntries(Object.entries(names).map(([name, at]) => [name, place(at)]))};
}"""


@pytest.fixture(scope="module")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory, small_clip: Path):
    """A notebook with a panel, the side bar closed, and a service in which every paid call hangs."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "panel.ipynb", START)
    shutil.copy(small_clip, folder / "small.mp4")
    with FaultServer() as faults, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMIND_API_KEY", KEY)
        patch.setenv("SEGMIND_BASE_URL", faults.url("silence_after_body"))
        patch.delenv("VIDU_NB_ARCHIVE", raising=False)
        with jupyter_lab(folder) as url:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            open_notebook(page, url, "panel.ipynb")
            command(page, "application:toggle-left-area")
            command(page, "notebook:run-all-cells")
            page.locator(".vidu-panel").wait_for()
            page.wait_for_function(KERNEL_IS_IDLE)
            yield page
            page.close()


def new_panel(page: Page, code: str) -> None:
    """Put a new panel in the place of the one that is shown."""
    page.evaluate("code => jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(code)", code)
    command(page, "notebook:clear-all-cell-outputs")
    expect(page.locator(".vidu-panel")).to_have_count(0)
    command(page, "notebook:run-all-cells")
    page.locator(".vidu-panel").wait_for()
    page.wait_for_function(KERNEL_IS_IDLE)


def measure(page: Page, sizes: Iterable[str] = SIZES) -> dict[str, dict[str, Any]]:
    """What `MEASURE` tells, by the window's size."""
    found = {}
    for size in sizes:
        width, height = map(int, size.split("x"))
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(
            "([low, high]) => { const {clientWidth} = document.querySelector('.vidu-panel');"
            " return low < clientWidth && clientWidth < high; }",
            arg=SIZES[size],
        )
        found[size] = page.evaluate(MEASURE)
    return found


def measure_in_both_themes(page: Page) -> dict[str, dict[str, dict[str, Any]]]:
    """The same in the theme that is on, and then in the other, by theme; from the widest window to that again."""
    themes = {}
    for sizes in (list(SIZES), list(SIZES)[::-1]):
        themes[page.evaluate("() => document.body.dataset.jpThemeName")] = measure(page, sizes)
        if len(themes) < len(THEMES):
            [other] = {*THEMES} - {*themes}
            page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", other)
            page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=other)
    return {theme: themes[theme] for theme in THEMES}


def ask(page: Page) -> None:
    """Press Ctrl+Enter in the panel."""
    page.locator(".vidu-models select").press("Control+Enter")


@pytest.fixture(scope="module", params=list(models))
def measured(lab: Page, request: pytest.FixtureRequest) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """A model's measures by state, theme and size; the states follow from each other."""
    new_panel(lab, PANEL.format(slug=request.param))
    found = {"empty": measure_in_both_themes(lab)}
    ask(lab)
    expect(lab.locator(".vidu-status .vidu-problem")).to_be_visible()
    found["error"] = measure_in_both_themes(lab)
    assert in_kernel(lab, "fill(); keep_previews(42)") == ""
    expect(lab.locator(".vidu-actions .vidu-info")).to_have_attribute("aria-disabled", "false")
    found["filled"] = measure_in_both_themes(lab)
    fold = lab.locator(".vidu-more")
    if fold.count():
        fold.click()
        found["unfolded"] = measure_in_both_themes(lab)
        fold.click()
    lab.locator(".vidu-actions .vidu-strong").click()
    expect(lab.locator(".vidu-clock")).to_contain_text(" of about ")
    found["running"] = measure_in_both_themes(lab)
    lab.locator(".vidu-status").get_by_role("button", name="Cancel").click()
    expect(lab.locator(".vidu-status .vidu-note")).to_contain_text("may bill")
    ask(lab)
    expect(lab.locator(".vidu-status")).to_contain_text("Here ")
    expect(lab.locator(".vidu-card").first).to_be_visible()
    found["made"] = measure_in_both_themes(lab)
    return found


def wrong(measures: dict[str, dict[str, Any]]) -> list[str]:
    """What is wrong with a panel, measured in windows of several sizes."""
    return [f"{size}: {fault}" for size, found in measures.items() for fault in faults_of(size, found)]


def faults_of(size: str, found: dict[str, Any]) -> list[str]:
    """What is wrong with it in a window of a size."""
    faults = [f"sticks out: {one}" for one in found["out"]]
    parts = {name: found[name] for name in ("prompt", "pictures", "buttons", "clip", "status") if found[name]}
    if size in BESIDE and found["height"] > HIGHEST:
        faults.append(f"{found['height']} px high")
    if size == STACKED:
        first = parts.get("prompt") or parts["pictures"]
        return faults + ([] if parts["clip"]["bottom"] <= first["top"] else ["the clip is not first"])
    return faults + [
        f"{name} is out of sight: {part}" for name, part in parts.items() if part["bottom"] > found["seen"]
    ]


def test_all_is_in_view_and_nothing_sticks_out(measured):
    """Side by side at most 620 px; on a small screen the buttons are in view; on a narrow one the clip comes first."""
    faults = {
        f"{state}, {theme}": found
        for state, themes in measured.items()
        for theme, measures in themes.items()
        if (found := wrong(measures))
    }
    assert faults == {}


def test_a_problem_and_a_call_move_nothing(measured):
    """Why nothing was done, and how far a call is, have their place before they come."""
    assert measured["error"] == measured["empty"]
    assert measured["running"] == measured["filled"]


def test_a_theme_moves_nothing(measured):
    """Light and dark, each part stands in the same place."""
    for themes in measured.values():
        assert themes[THEMES[0]] == themes[THEMES[1]]


def test_a_cancelled_call_and_hostile_texts_move_nothing(lab: Page):
    """What comes of a call, and a long prompt's problem, have their place before they come."""
    new_panel(lab, PANEL.format(slug=DEFAULT))
    in_kernel(lab, "fill()\npanel.fill(prompt='A wall')")
    generate = lab.locator(".vidu-actions .vidu-strong")
    expect(generate).to_have_text("Generate (about $0.50, about 2 min)")
    before = measure(lab)
    generate.click()
    expect(lab.locator(".vidu-clock")).to_contain_text("of about 120 s")
    lab.locator(".vidu-status").get_by_role("button", name="Cancel").click()
    expect(lab.locator(".vidu-status .vidu-note")).to_contain_text("may bill about $0.50")
    assert measure(lab) == before
    lab.locator(".vidu-role-prompt textarea").fill(f"{HOSTILE} {'A' * 5000} {'words ' * 500}")
    expect(lab.locator(".vidu-role-prompt .vidu-problem")).to_contain_text("the limit is 1,500")
    assert measure(lab) == before
    assert lab.evaluate("() => window.hacked") is None


def test_a_cast_many_results_and_a_comparison_fit(lab: Page):
    """Chips of a cast of twelve, the bar over nine clips and 24 posters leave the panel below 620 px."""
    new_panel(lab, PANEL.format(slug=DEFAULT))
    code = "fill(); keep_previews(*range(9))\nfor seed in range(9): panel.fill(seed=seed), panel.preview()"
    assert in_kernel(lab, code) == ""
    ticks = lab.locator(".vidu-strip .vidu-card input")
    expect(ticks).to_have_count(9)
    names = "{**{f'Person_number_{i}_of_the_cast': three[i % 3] for i in range(12)}}"
    assert in_kernel(lab, f"panel.fill(references=vidu.Cast({names}), prompt='@Person_number_1_of_the_cast')") == ""
    expect(lab.locator(".vidu-member")).to_have_count(12)
    lab.locator(".vidu-kept summary").click()
    expect(lab.locator(".vidu-kept .vidu-card")).to_have_count(8)
    assert wrong(measure(lab, SIDE_BY_SIDE)) == []
    lab.locator(".vidu-kept summary").click()
    for clips in (2, 9):
        for tick in ticks.all()[:clips]:
            tick.check()
        expect(lab.locator(".vidu-stage-place video")).to_have_count(clips)
        assert wrong(measure(lab)) == []
    lab.locator(".vidu-strip").first.evaluate(
        "strip => { while (strip.children.length < 24) strip.append(strip.firstChild.cloneNode(true)); }"
    )
    assert wrong(measure(lab)) == []
