"""The reference tray in a real JupyterLab: every way in, the order, what goes wrong in words, and who can use it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser import (
    PATIENCE,
    command,
    drag_from_the_file_browser,
    hand_over,
    in_kernel,
    jupyter_lab,
    open_notebook,
    violations,
    write_notebook,
)
from PIL import Image
from playwright.sync_api import expect

HOSTILE = '"><img src=x onerror=window.hacked=1>.png'
CELLS = [
    "from vidu_nb.widgets.tray import ReferenceTray\ntray = ReferenceTray()\ndisplay(tray, tray)",
    "print([(r.label, r.size) for r in tray.references], tray.problems)",
]


@pytest.fixture(scope="module")
def notebook(browser, tmp_path_factory):
    """One notebook with an empty tray, shown twice, for all tests; `tray` makes it empty again."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "tray.ipynb", *CELLS)
    with jupyter_lab(folder) as url:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.folder, page.errors = folder, []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        open_notebook(page, url, "tray.ipynb")
        command(page, "notebook:run-all-cells")
        expect(page.locator(".vidu-tray")).to_have_count(2)
        yield page
        page.close()


@pytest.fixture
def tray(notebook):
    """The tray, empty and at rest; afterwards nothing has gone wrong in the page."""
    in_kernel(notebook, "tray.references = (); tray.limits = tray.limits | {'answer_seconds': 20}")
    tray = notebook.locator(".vidu-tray").first
    expect(tray.locator(".vidu-tray-card")).to_have_count(0)
    yield tray
    assert notebook.errors == []
    assert notebook.evaluate("window.hacked") is None


def pictures(encoded, *names):
    return [(name, encoded(200 + 10 * i, colour=("navy", "teal", "gold")[i % 3])) for i, name in enumerate(names)]


def fill(tray, encoded, *names):
    """Drop pictures with these names onto the tray and wait for their cards."""
    hand_over(tray, "drop", pictures(encoded, *names))
    expect(tray.locator(".vidu-tray-good")).to_have_count(len(names))


def in_python(page):
    return in_kernel(page, "print(*(r.label for r in tray.references))")


def names(tray):
    return tray.locator(".vidu-tray-good .vidu-tray-name")


def test_dropped_files_become_numbered_cards_and_references(tray, notebook, encoded):
    """Two dropped files stand in the tray as in Python, and neither the page nor JupyterLab takes the drop."""
    height = tray.bounding_box()["height"]
    address = notebook.url
    assert hand_over(tray, "drop", pictures(encoded, "cat.png", "dog.png")) is False
    expect(names(tray)).to_have_text(["cat.png", "dog.png"])
    expect(tray.locator(".vidu-tray-number")).to_have_text(["1", "2"])
    expect(tray.locator(".vidu-tray-size")).to_have_text(["200x160", "210x160"])
    expect(tray.locator(".vidu-tray-count")).to_have_text("2 of 7")
    expect(tray.get_by_role("status")).to_have_text("dog.png added as picture 2")
    assert tray.locator("img").evaluate_all("all => all.every(each => each.naturalWidth === 160)")
    assert in_python(notebook) == "cat.png dog.png"
    assert tray.bounding_box()["height"] == height
    assert notebook.url == address
    assert not notebook.locator(".jp-DirListing-itemText", has_text="cat.png").count()


@pytest.mark.parametrize("name", ["cat.png", "a b#c%d é.png", "16:9.png"])
def test_a_file_dragged_from_jupyterlabs_file_browser_is_taken(tray, notebook, encoded, name):
    """It becomes a card and a reference, and nothing else in the page takes it."""
    (notebook.folder / name).write_bytes(encoded(230, 150))
    command(notebook, "filebrowser:refresh")
    cells = notebook.locator(".jp-Cell").count()
    drag_from_the_file_browser(notebook, name, tray)
    expect(names(tray)).to_have_text([name])
    expect(tray.locator(".vidu-tray-size")).to_have_text(["230x150"])
    assert in_python(notebook) == name
    assert notebook.locator(".jp-Cell").count() == cells
    (notebook.folder / name).unlink()


def test_a_dragged_file_that_is_no_picture_says_so(tray, notebook):
    """A notebook, and a folder: each keeps its card with the reason, and nothing is sent."""
    (notebook.folder / "a folder").mkdir()
    (notebook.folder / "notes.txt").write_text("hello")
    command(notebook, "filebrowser:refresh")
    drag_from_the_file_browser(notebook, "notes.txt", tray)
    expect(tray.locator(".vidu-tray-bad")).to_contain_text("not a picture")
    drag_from_the_file_browser(notebook, "a folder", tray)
    bad = tray.locator(".vidu-tray-bad", has_text="a folder")
    expect(bad).to_contain_text("Jupyter's server does not hand it out (403): give its path in Python")
    assert in_python(notebook) == ""


@pytest.mark.parametrize(
    "path", ["../api/status", "a/../../api/status", ".", "no/such.png", ".lab/secret.png", "s3:x/a.png"]
)
def test_a_path_that_leads_elsewhere_fetches_nothing(tray, notebook, encoded, path):
    """What a page says was dragged reaches no other address of the server, and no hidden file; the card says so."""
    (notebook.folder / ".lab" / "secret.png").write_bytes(encoded())
    asked = []
    notebook.on("request", lambda request: asked.append(request.url))
    tray.evaluate(
        """(tray, path) => {
            const mimeData = {hasData: type => type === 'application/x-jupyter-icontents', getData: () => [path]};
            const event = new MouseEvent('lm-drop', {bubbles: true, cancelable: true});
            tray.dispatchEvent(Object.assign(event, {mimeData, proposedAction: 'move'}));
        }""",
        path,
    )
    expect(tray.locator(".vidu-tray-bad")).to_contain_text("give its path in Python: references=[path]")
    assert not [url for url in asked if url.endswith("/api/status")]
    assert in_python(notebook) == ""


def test_the_file_chooser_takes_several_files(tray, notebook, encoded):
    """The button opens a chooser for many pictures; the same file can be chosen twice."""
    files = [
        {"name": name, "mimeType": "image/png", "buffer": data} for name, data in pictures(encoded, "a.png", "b.png")
    ]
    for _ in range(2):
        with notebook.expect_file_chooser() as chooser:
            tray.get_by_role("button", name="Add pictures...").click()
        assert chooser.value.is_multiple()
        chooser.value.set_files(files)
    expect(names(tray)).to_have_text(["a.png", "b.png", "a.png", "b.png"])
    assert in_python(notebook) == "a.png b.png a.png b.png"


def test_a_picture_and_a_url_are_pasted_where_the_tray_has_the_focus(tray, notebook, encoded):
    """A paste with the focus in the tray is taken, one with the focus elsewhere is not."""
    notebook.locator(".jp-Cell").last.click()
    hand_over(notebook.locator("body"), "paste", pictures(encoded, "no.png"))
    tray.locator(".vidu-tray-empty").click()
    assert tray.evaluate("tray => tray === document.activeElement")
    hand_over(notebook.locator("body"), "paste", pictures(encoded, "pasted.png"))
    expect(names(tray)).to_have_text(["pasted.png"])
    names(tray).first.click()
    hand_over(notebook.locator("body"), "paste", plain="https://example.com/cat.png")
    expect(names(tray)).to_have_text(["pasted.png", "cat.png"])
    hand_over(tray, "paste", plain="some words")
    expect(tray.get_by_role("alert")).to_contain_text("neither a picture nor a URL")


def test_urls_are_typed_or_dropped_and_never_fetched(tray, notebook):
    """A URL's card shows the host alone; a wrong one keeps what was typed and says why."""
    seen = []
    notebook.on("request", lambda request: seen.append(request.url))
    field = tray.get_by_label("Picture URL", exact=True)
    field.fill("https://pictures.example.com/cat.png")
    field.press("Enter")
    expect(names(tray)).to_have_text(["cat.png"])
    expect(field).to_have_value("")
    hand_over(tray, "drop", uri="# a comment\r\nhttps://example.com/dog.png\r\n", plain="dog")
    expect(names(tray)).to_have_text(["cat.png", "dog.png"])
    expect(tray.locator(".vidu-tray-words")).to_have_text(["pictures.example.com", "example.com"])
    expect(tray.locator(".vidu-tray-note")).to_have_text(["URL: fetched by the service"] * 2)
    field.fill("cat.png")
    tray.get_by_role("button", name="Add picture URL").click()
    expect(tray.get_by_role("alert")).to_have_text("a picture's URL begins with https://")
    expect(field).to_have_value("cat.png")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("")
    assert in_python(notebook) == "cat.png dog.png"
    assert not [url for url in seen if "example.com" in url]


def test_the_order_is_changed_by_keyboard_and_the_focus_stays(tray, notebook, encoded):
    """Alt and an arrow, or a card's buttons, move a picture; it keeps the focus, and the change is said."""
    fill(tray, encoded, "a.png", "b.png", "c.png")
    tray.locator(".vidu-tray-card").nth(2).focus()
    notebook.keyboard.press("Alt+ArrowLeft")
    notebook.keyboard.press("Alt+ArrowLeft")
    expect(names(tray)).to_have_text(["c.png", "a.png", "b.png"])
    expect(tray.get_by_role("status")).to_have_text("c.png moved to place 1 of 3")
    expect(tray.locator(".vidu-tray-card").nth(0)).to_be_focused()
    right = tray.get_by_role("button", name="Move right c.png")
    right.focus()
    for _ in range(3):
        notebook.keyboard.press("Enter")
    expect(names(tray)).to_have_text(["a.png", "b.png", "c.png"])
    expect(right).to_be_focused()
    expect(right).to_have_attribute("aria-disabled", "true")
    expect(tray.locator(".vidu-tray-number")).to_have_text(["1", "2", "3"])
    assert in_python(notebook) == "a.png b.png c.png"


def test_the_order_is_changed_by_mouse(tray, notebook, encoded):
    """A card is dragged to where a bar says that it will land."""
    fill(tray, encoded, "a.png", "b.png", "c.png")
    box = tray.locator(".vidu-tray-card").nth(2).bounding_box()
    names(tray).nth(0).hover()
    notebook.mouse.down()
    notebook.mouse.move(box["x"] + box["width"] / 2, box["y"] + 90, steps=4)
    notebook.mouse.move(box["x"] + box["width"] - 10, box["y"] + 90)
    expect(tray.locator(".vidu-tray-after .vidu-tray-name")).to_have_text("c.png")
    notebook.mouse.up()
    expect(names(tray)).to_have_text(["b.png", "c.png", "a.png"])
    expect(tray.locator(".vidu-tray-after, .vidu-tray-before, .vidu-tray-dragged, .vidu-tray-over")).to_have_count(0)
    names(tray).nth(2).drag_to(names(tray).nth(1), target_position={"x": 5, "y": 5})
    expect(names(tray)).to_have_text(["b.png", "a.png", "c.png"])
    assert in_python(notebook) == "b.png a.png c.png"


def test_removing_leaves_the_focus_in_the_tray_and_the_cell_alone(tray, notebook, encoded):
    """Delete and the button remove a picture; the focus goes to a neighbour, at last to the button for adding."""
    cells = notebook.locator(".jp-Cell").count()
    fill(tray, encoded, "a.png", "b.png", "c.png")
    cards = tray.locator(".vidu-tray-card")
    cards.nth(1).focus()
    notebook.keyboard.press("d")
    notebook.keyboard.press("d")
    notebook.keyboard.press("Delete")
    expect(names(tray)).to_have_text(["a.png", "c.png"])
    expect(cards.nth(1)).to_be_focused()
    tray.get_by_role("button", name="Remove c.png").click()
    expect(names(tray)).to_have_text(["a.png"])
    expect(cards.nth(0)).to_be_focused()
    notebook.keyboard.press("Delete")
    expect(tray.locator(".vidu-tray-empty")).to_be_visible()
    expect(tray.get_by_role("button", name="Add pictures...")).to_be_focused()
    expect(tray.get_by_role("status")).to_have_text("a.png removed, 0 of 7 pictures left")
    assert notebook.locator(".jp-Cell").count() == cells


def test_a_broken_picture_says_so_on_its_own_card(tray, notebook, encoded):
    """The problem stands on the card, is its description for a screen reader, and the picture is not sent."""
    hand_over(tray, "drop", [("bad.png", b"\x89PNG\r\n\x1a\n broken"), *pictures(encoded, "good.png")])
    expect(names(tray)).to_have_text(["good.png"])
    bad = tray.get_by_role("listitem", name="bad.png, not used")
    expect(bad).to_contain_text("a PNG picture that is damaged")
    expect(bad).to_have_accessible_description("""a PNG picture that is damaged or of a rare kind: save it as PNG or \
JPEG and pass that file Drag to reorder, or press Alt+Left and Alt+Right on a picture; Delete removes it.""")
    expect(bad.locator("svg").first).to_be_visible()
    assert in_python(notebook) == "good.png"


def test_a_large_picture_is_shrunk_on_its_way(tray, notebook):
    """A PNG of 12 MB, which a notebook's websocket would refuse, arrives smaller, upright and flattened on white."""
    noise = np.random.default_rng(1).integers(0, 256, (1500, 2000, 4), np.uint8)
    noise[:, :1000, 3], noise[:, 1000:, 3] = 0, 255
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", compress_level=1)
    assert len(buffer.getvalue()) > 9_000_000
    hand_over(tray, "drop", [("noise.png", buffer.getvalue())])
    expect(tray.locator(".vidu-tray-note")).to_contain_text("in the browser")
    told = in_kernel(
        notebook, "p = tray.references[0]; print(p.label, p.size[0] / p.size[1], p.open().getpixel((20, 20)))"
    )
    name, ratio, *pixel = told.split(" ", 2)
    assert name == "noise.png"
    assert float(ratio) == pytest.approx(4 / 3, abs=0.01)
    assert pixel == ["(255, 255, 255)"]


def test_a_large_file_that_cannot_be_shrunk_says_what_to_do(tray, notebook):
    """A large file that the browser can't decode never travels; its card names what always helps."""
    hand_over(tray, "drop", [("holiday.heic", b"ftypheic" * 400_000)])
    card = tray.get_by_role("listitem", name="holiday.heic, not used")
    expect(card).to_contain_text("3.2 MB that this browser can't decode and shrink: save it as JPEG")
    assert "holiday.heic: 3.2 MB" in in_kernel(notebook, "print(tray.problems)")


def test_an_eighth_picture_is_refused_and_the_seven_stay(tray, notebook, encoded):
    """Of nine files seven are taken; the others are named, and so is one that comes later."""
    hand_over(tray, "drop", pictures(encoded, *(f"{i}.png" for i in range(1, 10))))
    expect(names(tray)).to_have_count(7)
    expect(tray.get_by_role("alert")).to_have_text("at most 7 pictures: 2 not added (8.png, 9.png)")
    field = tray.get_by_label("Picture URL", exact=True)
    field.fill("https://example.com/8.png")
    field.press("Enter")
    expect(tray.get_by_role("alert")).to_contain_text("at most 7 pictures: 1 not added (https://example.com/8.png)")
    expect(field).to_have_value("https://example.com/8.png")
    field.fill("")
    assert in_python(notebook) == "1.png 2.png 3.png 4.png 5.png 6.png 7.png"


def test_a_hostile_name_stays_text(tray, notebook, encoded):
    """A file's name that is HTML is shown as it is, in the card, in its buttons and in what is said."""
    fill(tray, encoded, HOSTILE, "b.png")
    expect(names(tray).first).to_have_text(HOSTILE)
    tray.get_by_role("button", name=f"Move right {HOSTILE}").click()
    expect(tray.get_by_role("status")).to_have_text(f"{HOSTILE} moved to place 2 of 2")
    assert tray.locator("img").count() == 2
    assert in_python(notebook) == f"b.png {HOSTILE}"


def test_a_silent_kernel_is_told_and_the_picture_arrives_later(tray, notebook, encoded):
    """While a cell keeps Python busy a card says that it waits; the picture is there once the cell is done."""
    in_kernel(notebook, "import os, time; tray.limits = tray.limits | {'answer_seconds': 0.5}")
    busy = "j => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code: j}) && null"
    notebook.evaluate(busy, "for _ in range(3000):\n    if os.path.exists('go on'): break\n    time.sleep(0.02)")
    hand_over(tray, "drop", pictures(encoded, "late.png"))
    expect(tray.locator(".vidu-tray-pending")).to_contain_text("reading ...")
    expect(tray.locator(".vidu-tray-pending")).to_contain_text("no answer from Python for 0.5 s")
    (notebook.folder / "go on").touch()
    expect(names(tray)).to_have_text(["late.png"])
    expect(tray.locator(".vidu-tray-pending")).to_have_count(0)


def test_a_second_view_follows_and_speaks_for_itself(tray, notebook, encoded):
    """Two views of one tray show the same cards; only the one that was used says what it did."""
    other = notebook.locator(".vidu-tray").nth(1)
    fill(other, encoded, "a.png", "b.png")
    expect(names(tray)).to_have_text(["a.png", "b.png"])
    before = tray.get_by_role("status").text_content()
    other.get_by_role("button", name="Move left b.png").click()
    expect(other.get_by_role("status")).to_have_text("b.png moved to place 1 of 2")
    expect(names(tray)).to_have_text(["b.png", "a.png"])
    expect(tray.get_by_role("status")).to_have_text(before)


@pytest.mark.parametrize("width", [700, 1200])
def test_nothing_stands_in_the_way_of_screen_readers(tray, notebook, encoded, width):
    """Axe finds nothing in an empty tray nor in one with pictures, a URL and a problem, wide or narrow."""
    notebook.set_viewport_size({"width": width, "height": 900})
    in_kernel(notebook, "tray.references = ['https://example.com/cat.png']")
    hand_over(tray, "drop", [("bad.png", b"bad"), *pictures(encoded, "a.png", "b.png")])
    expect(tray.locator(".vidu-tray-card[data-id]")).to_have_count(4)
    full = violations(notebook, ".vidu-tray")
    assert tray.evaluate("tray => tray.scrollWidth <= tray.clientWidth")
    in_kernel(notebook, "tray.references = ()")
    expect(tray.locator(".vidu-tray-empty")).to_be_visible()
    empty = violations(notebook, ".vidu-tray")
    notebook.set_viewport_size({"width": 1200, "height": 900})
    assert full + empty == []


def test_a_notebook_opened_again_shows_the_pictures_and_says_that_python_is_gone(tray, notebook, encoded):
    """Without the kernel that made it a saved tray still shows its cards; a new picture is told to wait in vain."""
    fill(tray, encoded, "a.png", "b.png")
    in_kernel(notebook, "tray.limits = tray.limits | {'answer_seconds': 0.5}")
    notebook.evaluate("() => jupyterapp.commands.execute('docmanager:save')")  # done once it is written
    notebook.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    notebook.reload()
    again = notebook.locator(".vidu-tray").first
    expect(names(again)).to_have_text(["a.png", "b.png"])
    hand_over(again, "drop", pictures(encoded, "late.png"))
    expect(again.locator(".vidu-tray-pending")).to_contain_text("no answer from Python for 0.5 s")
    again.get_by_role("button", name="Dismiss late.png").click()
    expect(again.locator(".vidu-tray-card")).to_have_count(2)
