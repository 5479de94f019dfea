"""The copy buttons in a real JupyterLab, with the browser's clipboard and without it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import command, jupyter_lab, open_notebook, write_notebook
from playwright.sync_api import expect

SNIPPETS = [
    ["Copy as Python", "print('<b>$HOME</b>')\n# \"it's\"\n"],
    ["Copy as curl", "curl --header \"x-api-key: $SEGMIND_API_KEY\" \\\n  -d '🎬'\n"],
    ["<i>Other</i>", "other"],
]
CELLS = [
    f"from vidu_nb.widgets.copier import Copier\ncopier = Copier(snippets={SNIPPETS})\ndisplay(copier, copier)",
    "copier.snippets = [['Copy all', 'all']]",
]
RUN = "notebook:run-cell-and-select-next"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "copy.ipynb", *CELLS)
    with jupyter_lab(folder) as url:
        yield url


@pytest.fixture
def page(browser):
    """A page that may read the clipboard, so that the test can; writing is up to each test."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, permissions=["clipboard-read"])
    yield context.new_page()
    context.close()


def allow(page, lab, setting):
    """Let the page write to the clipboard by script, or not."""
    permission = {"name": "clipboard-write"}
    told = {"permission": permission, "setting": setting, "origin": lab.rstrip("/")}
    page.context.new_cdp_session(page).send("Browser.setPermission", told)


def show(page, lab):
    """Open the notebook and run the cell that shows the buttons, in two places."""
    open_notebook(page, lab, "copy.ipynb")
    command(page, RUN)
    views = page.locator(".vidu-copier")
    expect(views).to_have_count(2, timeout=30_000)
    return views


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def test_a_click_copies_and_says_so_for_a_while(page, lab):
    """Each button of each view copies its own text; it says "Copied", as wide as before, and then its label again."""
    allow(page, lab, "granted")
    views = show(page, lab)
    for view in views.all():
        for label, text in SNIPPETS:
            button = view.get_by_role("button", name=label, exact=True)
            before = button.bounding_box()
            handle = button.element_handle()
            button.click()
            expect(view.get_by_role("status")).to_have_text(f"{label}: copied")
            assert clipboard(page) == text
            assert handle.inner_text().strip() == "Copied"
            assert handle.bounding_box() == before
    expect(views.last.get_by_role("status")).to_have_text("", timeout=5000)
    expect(views.last.get_by_role("button", name="Copied")).to_have_count(0)


def test_where_scripts_may_not_write_the_selection_is_copied(page, lab):
    """Refused by the browser, or on a page that is not https, a click still copies, and nothing moves."""
    allow(page, lab, "denied")
    view = show(page, lab).first
    for (label, text), way in zip(SNIPPETS, ("refused", "absent"), strict=False):
        if way == "absent":
            page.evaluate("Object.defineProperty(navigator.clipboard, 'writeText', {value: undefined})")
        else:
            told = page.evaluate("navigator.clipboard.writeText('x').then(() => 'copied', error => error.name)")
            assert told == "NotAllowedError"
        height = view.bounding_box()["height"]
        view.get_by_role("button", name=label).click()
        expect(view.get_by_role("status")).to_have_text(f"{label}: copied")
        assert clipboard(page) == text
        assert view.bounding_box()["height"] == height
        expect(view.get_by_role("textbox")).to_have_count(0)


def test_where_nothing_may_copy_a_person_can(page, lab):
    """The text is shown and selected, with the keys to press; they copy it, and Escape only closes."""
    allow(page, lab, "denied")
    page.add_init_script("document.execCommand = () => false")
    view = show(page, lab).first
    cells, text = page.locator(".jp-Notebook .jp-CodeCell").count(), SNIPPETS[1][1]
    button = view.get_by_role("button", name="Copy as curl")
    button.focus()
    page.keyboard.press("Enter")
    box = view.get_by_role("textbox", name="Copy as curl")
    expect(box).to_be_focused()
    expect(view.get_by_role("status")).to_have_text("Press Ctrl+C to copy the selected text.")
    for key in ("x", "d", "d"):  # to a notebook these would be commands
        page.keyboard.press(key)
    assert box.evaluate("({value, selectionStart, selectionEnd}) => value.slice(selectionStart, selectionEnd)") == text
    page.keyboard.press("Control+c")
    expect(view.get_by_role("status")).to_have_text("Copy as curl: copied")
    assert clipboard(page) == text
    expect(box).to_be_hidden()
    assert view.locator("button").nth(1).evaluate("one => one === document.activeElement")
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == cells
    view.get_by_role("button", name="Copy as Python").click()
    expect(view.get_by_role("textbox")).to_be_focused()  # the browser's refusal takes a moment
    page.keyboard.press("Escape")
    expect(view.get_by_role("textbox")).to_have_count(0)
    expect(view.get_by_role("button", name="Copy as Python")).to_be_focused()


def test_new_snippets_take_the_old_ones_places(page, lab):
    """Every view shows what the kernel says last."""
    views = show(page, lab)
    command(page, RUN)
    for view in views.all():
        expect(view.get_by_role("button")).to_have_text(["Copy allCopied"])


def test_everybody_can_use_it(page, lab):
    """Axe finds nothing with the box open and a button that says "Copied", in both of JupyterLab's themes."""
    allow(page, lab, "granted")
    view = show(page, lab).first
    for theme in ("Light", "Dark"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
        expect(page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']")).to_be_attached()
        view.get_by_role("button", name="Copy as Python").click()
        expect(view.get_by_role("status")).to_have_text("Copy as Python: copied")
        page.evaluate("() => { navigator.clipboard.writeText = undefined; document.execCommand = () => false; }")
        view.get_by_role("button", name="Copy as curl").click()
        expect(view.get_by_role("textbox")).to_be_focused()
        found = Axe().run(page, context=".vidu-copier").response["violations"]
        assert [(one["id"], one["impact"]) for one in found] == []
        page.evaluate("() => { delete navigator.clipboard.writeText; delete document.execCommand; }")
