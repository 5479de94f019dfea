"""What the tests of the panel share: how to find its buttons and read its words."""

from __future__ import annotations

import ipywidgets

WAIT = 20  # s; far more than anything here takes


def walk(widget):
    """A widget and everything in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def button(panel, name):
    """The button whose words begin like this."""
    return next(
        one for one in walk(panel) if isinstance(one, ipywidgets.Button) and str(one.description).startswith(name)
    )


def text(panel):
    """Everything that the panel says in HTML."""
    return "\n".join(
        one.value for one in walk(panel) if isinstance(one, ipywidgets.HTML) and "<style>" not in one.value
    )


def fault(name):
    """A prompt that tells the fault server what to do."""
    return f"A wall [fault:{name}]"
