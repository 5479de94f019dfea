"""What the tests of the panel share: how to find its controls, read its texts, and wait for what it does."""

from __future__ import annotations

import hashlib
import json
import threading
from html.parser import HTMLParser

import ipywidgets

from vidu_nb.receipt import Receipt
from vidu_nb.recipe import describe
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive

WAIT = 20  # s; far more than anything here takes


# Finding.


def walk(widget):
    """A widget and everything in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def find(widget, kind):
    """The first widget of a kind."""
    return next(one for one in walk(widget) if isinstance(one, kind))


def button(panel, name):
    """The button whose label begins like this."""
    return next(
        one for one in walk(panel) if isinstance(one, ipywidgets.Button) and str(one.description).startswith(name)
    )


def control(panel, name):
    """The control with this label, or the one of the parameter of this name."""
    label = getattr(VideoRequest.model_fields.get(name), "title", name)
    return next(one for one in walk(panel) if str(getattr(one, "description", "")).startswith(label))


def part(panel, name):
    """The part of a panel that has this class in the page."""
    return next(one for one in walk(panel) if name in getattr(one, "_dom_classes", ()))


def cards(panel):
    """The cards of clips, in the history and in the archive's list."""
    return [one for one in walk(panel) if "vidu-card" in getattr(one, "_dom_classes", ())]


def is_visible(widget):
    """Whether a widget is not hidden."""
    return widget.layout.display != "none"


def is_offered(panel, name):
    """Whether a button can be seen and pressed."""
    found = button(panel, name)
    return is_visible(found) and not found.disabled


# Reading.


def text(panel):
    """All the HTML that a panel shows in itself."""
    return "\n".join(
        one.value for one in walk(panel) if isinstance(one, ipywidgets.HTML) and "<style>" not in one.value
    )


def shown(panel):
    """The HTML in the clip's place, of a panel that is in no cell's output."""
    outputs = find(panel, ipywidgets.Output).outputs
    return outputs[0]["data"]["text/html"] if outputs else ""


class Page(HTMLParser):
    """What a browser makes of HTML: the elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Note an element; the text that its attributes show counts as text."""
        self.elements.append((tag, dict(attrs)))
        self.text += "".join(f" {value}" for name, value in attrs if name in ("alt", "title", "aria-label") and value)

    def handle_data(self, data):
        """Note a text."""
        self.text += data


# Waiting.


def wait_until(widget, trait, holds):
    """Wait for a change of a trait after which `holds` says yes of its value; gives the value."""
    came_true = threading.Event()

    def look(change):
        if holds(change["new"]):
            came_true.set()

    widget.observe(look, trait)
    try:
        assert holds(getattr(widget, trait)) or came_true.wait(WAIT), f"{trait}: {getattr(widget, trait)!r}"
    finally:
        widget.unobserve(look, trait)
    return getattr(widget, trait)


def ended(panel):
    """The panel, once its call has ended."""
    assert panel.wait(WAIT), "the call did not end"
    return panel


def press(panel, name):
    """Click a button and wait for what comes of it."""
    button(panel, name).click()
    return ended(panel)


def open_archive(panel):
    """Open the archive's list, anew where it is open, and wait for its page; gives the list."""
    listed = part(panel, "vidu-archive")
    toggle = find(listed, ipywidgets.ToggleButton)
    toggle.value = False
    toggle.value = True
    return filled(listed)


def filled(listed):
    """The archive's list, once a page of it was read."""
    wait_until(find(listed, ipywidgets.HTML), "value", lambda html: "Reading" not in html)
    return listed


# Making.


def fault(name):
    """A prompt that tells the fault server what to do."""
    return f"A wall [fault:{name}]"


def keep(request, data, *, engine="preview", name="a-wave"):
    """Put a clip into the archive as if it had been brought from elsewhere; any bytes."""
    key, sha256 = request.key(engine=engine), hashlib.sha256(data).hexdigest()
    archive = Archive()
    archive.keep_references(request)
    path = archive.folder / engine / f"{name}_1x1_seed{request.seed}_{key[:8]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    receipt = Receipt(engine, created_at="2026-01-02T03:04:05+00:00", sha256=sha256).to_dict()
    entry = {"format": 1, "key": key, "sha256": sha256, "request": describe(request), "receipt": receipt}
    path.write_text(json.dumps(entry))
    path.with_suffix(".mp4").write_bytes(data)
    return path
