"""What the tests of the panel share: what a page shows of it, what a page can do with it, and waiting for that."""

from __future__ import annotations

import hashlib
import json
import threading
from html.parser import HTMLParser

from vidu_nb.receipt import Receipt
from vidu_nb.recipe import describe
from vidu_nb.storage.archive import Archive

WAIT = 300  # s; far more than anything here takes, on a busy machine too
BUTTONS = {"Preview": "preview", "Generate": "generate", "Pay again": "again", "Cancel": "cancel"}


# What a page does.


def send(panel, do, *buffers, **content):
    """Send a message as a page does; gives the answer."""
    answers = []
    panel.send, before = (lambda content, buffers=None: answers.append((content, buffers))), panel.send
    try:
        whose = getattr(panel, "_words", {}).get("model")
        panel._receive(panel, {"do": do, "token": "t", "of": whose, **content}, [memoryview(one) for one in buffers])
    finally:
        panel.send = before
    [(answer, sent)] = [(one, sent) for one, sent in answers if one.get("token") == "t"]
    return {**answer, **({"bytes": sent[0]} if sent else {})}


def type_in(panel, **values):
    """Put into controls what a page holds of them: a text, a truth value, or the place of a choice."""
    return send(panel, "values", values=values)


def click(panel, name, **values):
    """Press a button, with what was typed before it."""
    named = {"Generate": "price", "Pay again": "again_price"}.get(name)
    return send(panel, "press", button=BUTTONS[name], price=panel._offer[named] if named else None, values=values)


def press(panel, name, **values):
    """Click a button and wait for what comes of it."""
    click(panel, name, **values)
    return ended(panel)


def open_card(panel, card):
    """Click a card."""
    return send(panel, "open", id=card["id"])


def use(panel, tool, **more):
    """Do something with the result that is shown; gives the answer."""
    return send(panel, "tool", tool=tool, **more)


def open_archive(panel):
    """Open the archive's list, anew where it is open, and wait for its page; gives its cards."""
    send(panel, "kept")
    return filled(panel)


def filled(panel):
    """The cards of the archive's list, once a page of it was read."""
    wait_until(panel, "_kept", lambda kept: "Reading" not in kept["note"])
    return panel._kept["cards"]


# What a page shows.


def label(panel, name):
    """A button's text."""
    return panel._offer[BUTTONS[name]]


def held(panel, name):
    """What a control holds, as a person reads it: a choice by its text."""
    value, options = panel._values[name], item(panel, name).get("options")
    return options[value] if options else value


def choose(panel, name, label):
    """Choose by its text."""
    return type_in(panel, **{name: item(panel, name)["options"].index(label)})


def is_offered(panel, name):
    """Whether a button can be seen and pressed."""
    if name == "Pay again":
        return panel._offer["can_pay_again"]
    return panel._running_call if name == "Cancel" else not panel._offer["is_blocked"]


def item(panel, name):
    """What the page shows of a parameter's control beside its value."""
    return next(one for one in panel._controls if one["name"] == name)


def remark(panel, name):
    """What stands beside a control: a problem or a note; empty where there is none."""
    return panel._remarks.get(name, {}).get("text", "")


def text(panel):
    """All the sentences that a panel shows: remarks, the reason, the progress, and what was said last."""
    said = [one["text"] for one in panel._remarks.values()]
    progress = panel._progress_item
    return "\n".join([*said, panel._offer["reason"], panel._said.get("text", ""), *map(str, progress.values()),
                      panel._kept.get("note", "")])  # fmt: skip


def shown(panel):
    """What is played: an item for each clip or picture."""
    return panel._result.get("items", [])


def cards(panel):
    """The cards of clips, in the history and in the archive's list."""
    return [*panel._strip, *panel._kept.get("cards", [])]


def fetched(panel, place=0):
    """The bytes of what is played, as a page gets them piece by piece."""
    data, total = b"", 1
    while len(data) < total:
        answer = send(panel, "piece", shown=panel._result["id"], item=place, at=len(data))
        assert not answer["refused"], answer
        data, total = data + answer["bytes"], answer["total"]
    return data


def saved(panel):
    """The HTML that stands in the cell's output, and in the saved notebook."""
    return panel._view._bundle["text/html"]


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
