"""The form: a control for each parameter of a model; labels, help, limits and defaults come from the model's file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from ..catalogue.field import Field, Role
from ..catalogue.model import Model
from ..catalogue.request import Request, quietly
from ..errors import InvalidRequest
from ..references.cast import Cast
from ..references.reference import as_references
from .carry import carry, lay_out
from .casting import mentioned, part_with_cast, with_members
from .controls import Control
from .seeds import draw_seed

_FEW = 5  # controls beside the prompt; where there are more, the unusual ones are folded away
_UNUSUAL: tuple[Role, ...] = ("", "base64", "voice")
_IDEAS = {
    "video": "Who or what is seen, what happens, how the camera moves",
    "image": "Who or what is seen, where, in which light and style",
}
_CONCRETE = "where, in which light and style; concrete words work best."
#: Role → advice, for models that have such a parameter.
_TIPS: tuple[tuple[Role, str, str], ...] = (
    ("prompt", "video", f"Say who or what is seen, what happens, {_CONCRETE}"),
    ("prompt", "image", f"Say who or what is seen, {_CONCRETE}"),
    ("prompt", "video", "Say how the camera moves: slow push in, pan right, tilt up, close-up, wide shot."),
    ("negative_prompt", "image", "Name what is to be left out in the negative prompt: blur, text, extra fingers."),
    ("references", "", "Pictures of high resolution give more texture and detail; one clear subject in each."),
    (
        "aspect_ratio",
        "",
        "Choose the ratio for the place where it will be seen: 16:9 wide screens, 9:16 phones, 1:1 feeds.",
    ),
    ("seed", "", "Keep the seed to get the same {noun} again; change only the seed to see another take."),
    ("movement", "", "Automatic movement suits most; small keeps faces and products calm."),
)


class Form:
    """Holds a control for every parameter of a model, and makes the request of them.

    Parameters
    ----------
    values
        First values; the model's defaults stand for the rest.
    model
        Whose parameters they are; `use` changes to another's.

    Attributes
    ----------
    model : Model
    cast : Cast or None
        Whom the prompt may mention as ``@name``.
    controls : dict of str to Control
        By the parameters' names in Python.
    keeps_seed : bool
        Whether a run leaves the seed as it is.
    notes : dict of str to str
        By parameter, what is allowed and yet unusual.
    on_change : callable
        Called after each change, when `request` and `problems` are up to date.
    on_cards : callable
        Called after each change of what a tray shows.
    turn : int
        Grows with each change. Messages may be handled in a thread beside the cell that runs.
    request : Request or None
        What the controls make together, None while something is missing or wrong.
    problems : tuple of (str, str)
        Parameter and sentence for each thing that is missing or wrong.
    """

    def __init__(self, values: Mapping[str, Any], *, model: Model) -> None:
        self.on_change: Callable[[], object] = lambda: None
        self.on_cards: Callable[[], object] = lambda: None
        self.turn = 0
        self._turns, self._lock = count(1), threading.Lock()
        self._is_filling = False
        self.keeps_seed = True
        self._left: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.cast: Cast | None = None
        self.request: Request | None = None
        self.problems: tuple[tuple[str, str], ...] = ()
        self.notes: dict[str, str] = {}
        self._show(model)
        self.fill(values)

    def by_role(self, role: Role) -> Control | None:
        """Return the control of the parameter with a role, None where the model has none."""
        field = self.model.by_role(role)
        return self.controls[field.parameter] if field else None

    def values(self) -> dict[str, Any]:
        """Return what the controls hold, right or wrong; what is empty or can't be read is left out."""
        return self._read()[0]

    def fill(self, values: Mapping[str, Any]) -> None:
        """Put values into the controls, in one change; ``references`` stands for the pictures of any model.

        A `Cast` among them becomes the form's.

        Raises
        ------
        InvalidRequest
            A value that its control can't show, such as a ratio that is not offered; nothing was changed.
        """
        values, found = part_with_cast(self.model, values)
        cast = self.cast if found is None else found
        wanted = self._wanted(values)
        _, problems, _ = _checked(self.model, {**self.values(), **wanted}, cast)
        unshown = tuple((name, text) for name, text in problems if name in wanted and not self._can_show(name, wanted))
        named = {name for name, _ in unshown}
        unshown += tuple(
            (name, f"{name}: {str(value)[:80]!r} can't be shown in this panel" if name in self.controls else
             f"{name}: this panel has no such control")
            for name, value in wanted.items()
            if name not in named and not self._can_show(name, wanted)
        )  # fmt: skip
        if unshown:
            raise InvalidRequest("; ".join(text for _, text in unshown), field=unshown[0][0], problems=unshown)
        self.cast = cast
        self._put(wanted)
        self._check()

    def use(self, model: Model, values: Mapping[str, Any] | None = None) -> list[str]:
        """Show another model's controls, and return the titles of what it has no place for.

        Parameters
        ----------
        model
            Whose.
        values
            What they are to show; by default what both models have, by role, and what this one was left with before.
        """
        old, before = self.model, self.values()
        self._show(model)
        carried, dropped = carry(before, old, model) if values is None else (self._wanted(values), [])
        earlier, brought = self._left.get(model.slug, ({}, {})) if values is None else ({}, {})
        fitting = {name: value for name, value in carried.items() if self._can_show(name, carried)}
        dropped += [model.by_parameter[name].title for name in carried if name not in fitting]
        changed = {name: value for name, value in fitting.items() if name not in brought or brought[name] != value}
        self._put({**earlier, **changed} if earlier else fitting)
        self._left[old.slug] = before, carry(self.values(), model, old)[0]
        self._check()
        return dropped

    def take(self, values: Mapping[str, object], *, of: object) -> None:
        """Take what a page holds of some controls, by their parameters; what no page of ours sends is left alone.

        Parameters
        ----------
        values
            A text, a truth value, or the place of a choice.
        of
            The slug of the model whose controls the page shows: another model's places mean something else.

        Raises
        ------
        InvalidRequest
            A text that is far longer than any model takes.
        """
        known = {name: one for name, one in self.controls.items() if name in values}
        if of != self.model.slug:
            known = {name: one for name, one in known.items() if not one.holds_place}
        is_news, refusal = False, None
        for name, one in known.items():
            try:
                is_news = one.take(values[name]) or is_news
            except InvalidRequest as error:
                refusal = error
        if is_news:
            self._check()
        if refusal:
            raise refusal

    def roll(self) -> None:
        """Draw another random seed, where the model has one."""
        if (seed := self.by_role("seed")) is not None:
            self.fill({seed.field.parameter: draw_seed(seed.field)})

    def after_a_run(self) -> None:
        """Draw another seed for the next run, unless it is to stay."""
        if not self.keeps_seed:
            self.roll()

    def labels(self) -> list[str]:
        """Return what the controls say of shape, length and seed as texts."""
        values = self.values()
        held = {role: self._held(role, values) for role in ("aspect_ratio", "resolution", "duration", "seed")}
        shape = held["aspect_ratio"] or held["resolution"]
        parts = [str(shape)] if shape else []
        parts += [f"{held['duration']} s"] if held["duration"] is not None else []
        return parts + ([f"seed {held['seed']}"] if held["seed"] is not None else [])

    def _held(self, role: Role, values: Mapping[str, Any]) -> Any:
        field = self.model.by_role(role)
        return values.get(field.parameter) if field else None

    # Values in and out.

    def _read(self) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
        values: dict[str, Any] = {}
        problems = []
        for name, control in self.controls.items():
            try:
                value = control.value
            except ValueError as error:
                problems.append((name, f"{name}: {error}"))
            else:
                values |= {} if value is None else {name: value}
        return values, tuple(problems)

    def _wanted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values from code by the controls that take them, each as its control does."""
        values = dict(values)
        if "references" in values and "references" not in self.controls and self._trays():
            animated = [tray.animated for tray in self._trays()]
            pictures = as_references(values.pop("references"), most=len(animated), animated=animated)
            values = lay_out(pictures, self.model) | values
        names = {field.name: field.parameter for field in self.model.fields.values() if field.role != "references"}
        named = {names.get(name, name) if name not in self.controls else name: value for name, value in values.items()}
        return {name: self.controls[name].taken(one) if name in self.controls else one for name, one in named.items()}

    def _trays(self) -> list[Field]:
        return [field for field in self.model.media if field.type == "picture"]

    def _can_show(self, name: str, wanted: Mapping[str, Any]) -> bool:
        return name in self.controls and self.controls[name].can_show(wanted[name])

    def _put(self, values: Mapping[str, Any]) -> None:
        self._is_filling = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._is_filling = False

    def _pictures_changed(self, control: Control) -> None:
        control.is_touched = True
        if not self._is_filling:
            self._check()

    def _check(self) -> None:
        """Make the request anew."""
        turn = next(self._turns)  # whoever has the highest reads all that was changed before
        values, unread = self._read()
        request, problems, notes = _checked(self.model, values, self.cast)
        problems = (*unread, *(one for one in problems if one[0] not in dict(unread)))
        with self._lock:
            if turn > self.turn:
                self.turn, self.problems, self.notes = turn, problems, notes
                self.request = None if problems else request
        self.on_change()

    # What is seen.

    def items(self) -> list[dict[str, Any]]:
        """Return what the page shows of each control beside its value: the prompt first, the unusual ones folded."""
        ordered = sorted(self.controls.values(), key=lambda one: one.field.role != "prompt")
        dials = [one for one in ordered if not self._is_content(one.field)]
        folded = [one for one in dials if one.field.role in _UNUSUAL and not one.field.required]
        folded = folded if len(dials) > _FEW else []
        places = {True: "content", False: "dials"}
        return [
            {**one.item(), "place": "folded" if one in folded else places[one not in dials]} for one in ordered
        ]  # fmt: skip

    def said(self) -> dict[str, dict[str, str]]:
        """Return what is wrong or unusual, by the parameter of the control that it stands beside."""
        wrong: dict[str, str] = {}
        for name, sentence in self.problems:
            wrong.setdefault(name, sentence)
        prompt, tray = self.by_role("prompt"), self.by_role("references")
        if self.cast and prompt and tray and not tray.raw and tray.field.parameter in wrong:
            wrong.setdefault(prompt.field.parameter, wrong[tray.field.parameter])  # the prompt chooses the pictures
        said: dict[str, dict[str, str]] = {}
        for name, control in self.controls.items():
            is_blamed = control.is_touched and (control.raw not in ("", ()) or control.field.role == "prompt")
            found = control.said(wrong.get(name, "") if is_blamed else "", self.notes.get(name, ""))
            said |= {name: found} if found else {}
        return said

    def raws(self) -> dict[str, Any]:
        """Return what the page holds of each control but the trays."""
        return {name: _sendable(control.raw) for name, control in self.controls.items() if not control.tray}

    def trays(self) -> dict[str, dict[str, Any]]:
        """Return what the page shows of each tray."""
        trays = {name: control.tray for name, control in self.controls.items() if control.tray}
        return {name: {"items": one.items, "limits": one.limits, "words": one.words} for name, one in trays.items()}

    def mentioned(self) -> list[str]:
        """Return the names of the cast that the prompt mentions."""
        prompt = self.by_role("prompt")
        return list(mentioned(self.cast, prompt.raw if prompt else "")) if self.cast else []

    @property
    def idea(self) -> str:
        """What stands in an empty prompt."""
        return _IDEAS[self.model.returns]

    @property
    def tips(self) -> list[str]:
        """Advice for writing what this model takes."""
        return [
            tip.format(noun=noun_of(self.model))
            for role, returns, tip in _TIPS
            if self.model.by_role(role) and returns in ("", self.model.returns)
        ]

    def _show(self, model: Model) -> None:
        """Put a model's controls in the place of those before."""
        self.model = model
        self.controls = {name: Control(one, noun=noun_of(model)) for name, one in model.by_parameter.items()}
        for control in self.controls.values():
            if control.tray:
                control.tray.observe(lambda _: self.on_cards(), "items")  # also of one that is no picture
                control.tray.observe(lambda _, one=control: self._pictures_changed(one), "references")

    def _is_content(self, field: Field) -> bool:
        """Return whether a control stands in the wide column: what is told and shown, as far as that fits a screen."""
        has_tray = any(one.type.startswith("picture") for one in self.model.media)
        is_told = field.role == "prompt" or (field.role == "negative_prompt" and not has_tray)
        return is_told or field.type.startswith("picture")


def _sendable(raw: Any) -> Any:
    """Return what a page holds without half characters, which no message can carry."""
    return raw.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(raw, str) else raw


def noun_of(model: Model) -> str:
    """Return what a model makes, in a word."""
    return "clip" if model.returns == "video" else "picture"


def _checked(
    model: Model, values: Mapping[str, Any], cast: Cast | None
) -> tuple[Request | None, tuple[tuple[str, str], ...], dict[str, str]]:
    """Return the request, what is wrong, and notes on what is allowed and yet unusual."""
    try:
        with quietly():
            request = model.request(**with_members(model, values, cast))
    except InvalidRequest as error:
        return None, error.problems, {}
    return request, (), dict(request.remarks())
