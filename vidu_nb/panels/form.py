"""The form: a control for each parameter; labels, help, limits and defaults come from the request model."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets as widgets

from ..catalogue.field import whole
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import Request, quietly
from ..errors import InvalidRequest
from ..references.reference import as_references
from ..request import MAX_SEED, MODEL
from ..widgets.tray import ReferenceTray

_MAX_PROMPT = models[MODEL].fields["prompt"].max_length or 0
_TIPS = (
    "Say who or what is seen, what happens, where, in which light and style; concrete words work best.",
    "Say how the camera moves: slow push in, pan right, tilt up, close-up, wide shot.",
    "Pictures of high resolution give more texture and detail; one clear subject in each.",
    "Choose the ratio for the place where it will be seen: 16:9 wide screens, 9:16 phones, 1:1 feeds.",
    "Keep the seed to get the same clip again; change only the seed to see another take.",
    "Automatic movement suits most; small keeps faces and products calm.",
)
_TIPS_HTML = (
    '<details class="vidu-tips"><summary>Prompt tips</summary><ul>'
    + "".join(f"<li>{tip}</li>" for tip in _TIPS)
    + "</ul></details>"
)


class Field:
    """Shows a parameter's control with a line below it: help, or what is wrong.

    Parameters
    ----------
    name
        The parameter.
    control
        What holds its value.
    help_text
        The line below while nothing is wrong; plain text.
    around
        What is shown in the control's place, where that is more than the control.
    """

    def __init__(
        self, name: str, control: widgets.Widget, help_text: str, around: widgets.Widget | None = None
    ) -> None:
        self.name = name
        self.control = control
        self.help_text = help_text
        self.is_touched = False  # nobody is blamed for a field that they have not come to yet
        self.line = widgets.HTML()
        self.line.add_class("vidu-line")
        self.box = widgets.VBox([around or control, self.line])
        self.box.add_class("vidu-field")
        self.box.add_class(f"vidu-{name.replace('_', '-')}")
        self.say()

    @property
    def value(self) -> Any:
        """The value that the control holds."""
        return getattr(self.control, self.trait)

    @value.setter
    def value(self, value: Any) -> None:
        setattr(self.control, self.trait, value)

    def can_show(self, value: Any) -> bool:
        """Return whether the control can hold a value that the model refuses, for a person to correct."""
        if isinstance(self.control, widgets.IntText):
            return type(value) is int
        is_text = isinstance(self.control, widgets.Textarea | widgets.Text) and isinstance(value, str)
        return is_text or isinstance(self.control, ReferenceTray)

    @property
    def trait(self) -> str:
        """The control's trait that holds the value."""
        return "references" if isinstance(self.control, ReferenceTray) else "value"

    def say(self, problem: str = "", *, note: str = "", extra: str = "") -> None:
        """Show a problem, else a note, else the help; `extra` is HTML beside it."""
        text = problem.removeprefix(f"{self.name}: ") or note or self.help_text
        text = f"{text[:1].upper()}{text[1:]}"
        kind = "problem" if problem else "note" if note else "help"
        sign = '<span aria-hidden="true">⚠ </span>' if problem or note else ""
        alert = ' role="alert"' if problem else ""
        self.line.layout.display = "none" if not text and not extra else ""
        self.line.value = f'<div class="vidu-{kind}"><span{alert}>{sign}{escape(text)}</span>{extra}</div>'


class Form:
    """Holds a control for every parameter of a request, and makes the request of them.

    Parameters
    ----------
    values
        First values; the model's defaults stand for the rest.
    model
        Whose parameters they are.

    Attributes
    ----------
    on_change : callable
        Called after each change, when `request` and `problems` are up to date.
    request : Request or None
        What the controls make together, None while something is missing or wrong.
    problems : tuple of (str, str)
        Parameter and sentence for each thing that is missing or wrong.
    """

    def __init__(self, values: Mapping[str, Any], *, model: Model) -> None:
        self._model = model
        self.on_change: Callable[[], object] = lambda: None
        self._is_filling = False
        self.request: Request | None = None
        self.problems: tuple[tuple[str, str], ...] = ()
        self._lock = widgets.ToggleButton(
            value=True, icon="lock", description="Keep", tooltip="Keep the seed after a run"
        )
        self._dice = widgets.Button(icon="random", description="Dice", tooltip="Another random seed")
        self.fields = {name: self._field(name, info) for name, info in model.by_parameter.items()}
        self.fill(values)
        for field in self.fields.values():
            field.control.observe(self._changed, field.trait)
        self._lock.observe(self._lock_changed, "value")
        self._dice.on_click(lambda _: self.roll())

    @property
    def box(self) -> Any:
        """All controls: prompt and pictures beside the others."""
        boxes = {name: field.box for name, field in self.fields.items()}
        content = widgets.VBox([boxes.pop("prompt"), boxes.pop("references")])
        content.add_class("vidu-content")
        dials = widgets.VBox(list(boxes.values()))
        dials.add_class("vidu-dials")
        columns = widgets.HBox([content, dials])
        columns.add_class("vidu-columns")
        return columns

    def values(self) -> dict[str, Any]:
        """Return what the controls hold, right or wrong."""
        return {name: field.value for name, field in self.fields.items()}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Put values into the controls, in one change.

        Raises
        ------
        InvalidRequest
            A value that its control can't show, such as a ratio that is not offered; nothing was changed.
        """
        wanted = {name: whole(value) for name, value in values.items()}  # a widget takes Python's own numbers alone
        if "references" in wanted:
            wanted["references"] = as_references(wanted["references"])
        _, problems, _ = _checked(self._model, {**self.values(), **wanted})
        strange = [name for name in wanted if name not in self.fields]
        problems += tuple((name, f"{name}: this panel has no such control") for name in strange)
        unshown = tuple(
            (name, sentence)
            for name, sentence in problems
            if name not in self.fields or (name in wanted and not self.fields[name].can_show(wanted[name]))
        )
        if unshown:
            raise InvalidRequest("; ".join(text for _, text in unshown), field=unshown[0][0], problems=unshown)
        self._is_filling = True
        try:
            for name, value in wanted.items():
                self.fields[name].value = value
        finally:
            self._is_filling = False
        self._check()

    def roll(self) -> None:
        """Draw another random seed."""
        self.fields["seed"].value = random.randint(1, MAX_SEED)

    def after_a_run(self) -> None:
        """Draw another seed for the next run, unless it is to stay."""
        if not self._lock.value:
            self.roll()

    # From parameters to controls.

    def _field(self, name: str, info: Any) -> Field:
        label, help_text, default = info.title, info.help, info.default
        if name == "references":
            return Field(name, ReferenceTray(), "")  # the tray explains itself
        if name == "prompt":
            area = widgets.Textarea(
                description=label, placeholder="Who or what is seen, what happens, how the camera moves"
            )
            return Field(name, area, help_text, widgets.VBox([area, widgets.HTML(_TIPS_HTML)]))
        if options := info.choices:
            shown = [(f"{option} s" if name == "duration" else str(option), option) for option in options]
            radio = widgets.RadioButtons(description=label, options=shown, value=default, orientation="horizontal")
            return Field(name, radio, help_text)
        if isinstance(default, bool):
            return Field(name, widgets.Checkbox(description=label, value=default, indent=False), help_text)
        if isinstance(default, int):
            number = widgets.IntText(description=label, value=default)
            row = widgets.HBox([number, self._lock, self._dice]) if name == "seed" else None
            return Field(name, number, help_text, row)
        return Field(name, widgets.Text(description=label, value=default or ""), help_text)

    def _lock_changed(self, change: dict[str, Any]) -> None:
        self._lock.icon = "lock" if change["new"] else "unlock"
        self._lock.description = "Keep" if change["new"] else "Vary"
        self._lock.tooltip = "Keep the seed after a run" if change["new"] else "Draw another seed after each run"

    def _changed(self, change: dict[str, Any]) -> None:
        for field in self.fields.values():
            if field.control is change["owner"]:
                field.is_touched = True
        if not self._is_filling:
            self._check()

    def _check(self) -> None:
        """Make the request anew, and show beside each control what is wrong with it."""
        self.request, self.problems, notes = _checked(self._model, self.values())
        wrong: dict[str, str] = {}
        for name, sentence in self.problems:
            wrong.setdefault(name, sentence)
        for name, field in self.fields.items():
            problem = wrong.get(name, "") if field.is_touched and (field.value or name == "prompt") else ""
            field.say(problem, note=notes.get(name, ""), extra=_counter(field.value) if name == "prompt" else "")
        self.on_change()


def _counter(prompt: str) -> str:
    """Format a prompt's length and its limit."""
    length = len(prompt.strip())  # as it is sent
    over = " vidu-over" if length > _MAX_PROMPT else ""
    return f'<span class="vidu-counter{over}">{length:,} / {_MAX_PROMPT:,}</span>'


def _checked(
    model: Model, values: Mapping[str, Any]
) -> tuple[Request | None, tuple[tuple[str, str], ...], dict[str, str]]:
    """Return the request, what is wrong, and notes on what is allowed and yet unusual."""
    try:
        with quietly():
            request = model.request(**values)
    except InvalidRequest as error:
        return None, error.problems, {}
    return request, (), dict(request.remarks())
