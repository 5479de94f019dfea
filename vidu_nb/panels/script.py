"""A film as it is being written: its scenes as a person has them, right or wrong, and the film that they make."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from ..catalogue.model import Model
from ..errors import InvalidRequest
from ..films.film import Film
from ..films.scene import MAX_TITLE, MUSIC, Scene
from .controls import Control

FILM = "film"  # in the place of a scene's id: what is written about all scenes
_MAX_PROMPT = 20_000  # characters; what a page sends is bounded
_MAX_WORD = 40
_PLACE = re.compile(r"^scene \d+: (prompt: )?")


@dataclass
class Draft:
    """One scene as it is being written.

    Attributes
    ----------
    id : str
        The same as long as it is in the film, wherever it stands.
    scene : Scene
        What it was made of; parameters that are not written here stay as they are.
    prompt, title : str
        What the fields hold.
    continues : bool
    take : int or None
    controls : dict of str to Control
        For each parameter but pictures and links; an empty one leaves it to the film.
    problem : str
        What is wrong with it, as a sentence.
    """

    id: str
    scene: Scene
    prompt: str
    title: str
    continues: bool
    take: int | None
    controls: dict[str, Control]
    problem: str = ""

    def put(self, name: str, value: object) -> None:
        """Put into a field what a page holds of it; what no page of ours sends is left alone.

        Takes are counted for each request: where that changes, the newest one is meant again.
        """
        before = (self.prompt, self.continues)
        is_other = name in self.controls and self.controls[name].take(value)
        match name, value:
            case ("prompt", str(text)):
                self.prompt = text[:_MAX_PROMPT]
            case ("title", str(text)):
                self.title = text[:MAX_TITLE]
            case ("continues", bool(continues)):
                self.continues = continues
            case ("take", int(take)) if not isinstance(value, bool):
                self.take = take if take > 0 else None
        if is_other or before != (self.prompt, self.continues):
            self.take = None

    def written(self, place: int) -> Scene:
        """Return the scene that this makes at a place; the first one continues nothing.

        Raises
        ------
        InvalidRequest
            A field holds no value of its kind.
        """
        return self.scene.replace(
            prompt=self.prompt, title=self.title, take=self.take, continues=self.continues and place > 0,
            **_values(self.controls, self.scene.parameters),
        )  # fmt: skip


@dataclass
class Heading:
    """What is written about all scenes.

    Attributes
    ----------
    title, music, dissolve : str
        What the fields hold.
    controls : dict of str to Control
        For each parameter but pictures and links; an empty one leaves it to the model.
    problem : str
    """

    title: str
    music: str
    dissolve: str
    controls: dict[str, Control] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def of(cls, film: Film) -> Heading:
        """Return what a film says."""
        return cls(film.title, film.music, f"{film.dissolve:g}", _controls(film.model, film.parameters))

    def put(self, name: str, value: object) -> None:
        """Put into a field what a page holds of it; what no page of ours sends is left alone."""
        match name, value:
            case ("title", str(text)):
                self.title = text[:MAX_TITLE]
            case ("music", str(text)) if text in MUSIC:  # a page names no file
                self.music = text
            case ("dissolve", str(text)):
                self.dissolve = text[:_MAX_WORD]
            case _ if name in self.controls:
                self.controls[name].take(value)

    def changes(self, film: Film) -> dict[str, Any]:
        """Return what `Film.replace` takes of it.

        Raises
        ------
        InvalidRequest
            A field holds no value of its kind.
        """
        own = {"title": self.title, "music": self.music, "dissolve": _amount(self.dissolve)}
        return own | _values(self.controls, film.parameters)


def _controls(model: Model, values: Mapping[str, Any]) -> dict[str, Control]:
    """Return a control for each parameter that may be left out here, with what it is; but those that it can't show."""
    made: dict[str, Control] = {}
    for name, one in model.by_parameter.items():
        if one.role == "prompt" or one.is_media:
            continue
        control = Control(dataclasses.replace(one, default=None, required=False), noun="clip")
        value = values.get(name, values.get(one.name))
        if control.can_show(value):
            control.value = value
            made[name] = control
    return made


def _values(controls: Mapping[str, Control], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what controls hold, by the names under which it was given."""
    values: dict[str, Any] = {}
    problem = ""
    for name, control in controls.items():
        try:
            values[control.field.name if control.field.name in given else name] = control.value
        except ValueError as error:
            problem = problem or f"{name}: {error}"
    if problem:
        raise InvalidRequest(problem, field=problem.partition(":")[0])
    return values


def _amount(text: str) -> float:
    try:
        return float(text.strip() or 0)
    except ValueError:
        pass
    raise InvalidRequest(f"dissolve: {text!r} is no number of seconds: write one, such as 0.5", field="dissolve")


class Script:
    """The scenes of a film, to be edited one by one.

    Attributes
    ----------
    film : Film
        The last whole film that they made.
    drafts : list of Draft
    heading : Heading
    placed : tuple of str
        The ids of the drafts that `film` was made of, in its order.
    """

    def __init__(self, film: Film) -> None:
        self._ids = count(1)
        self._removed: list[tuple[int, Draft]] = []
        self.drafts: list[Draft] = []
        self.follow(film)

    def follow(self, film: Film) -> None:
        """Take a film from code."""
        ids = [draft.id for draft in self.drafts[: len(film)]]
        ids += [self._id() for _ in range(len(film) - len(ids))]
        self.film = film
        self.heading = Heading.of(film)
        self.drafts = [self._draft(name, scene) for name, scene in zip(ids, film.scenes, strict=True)]
        self.placed = tuple(ids)
        self._removed.clear()

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """What is wrong, as ``("scene 2", sentence)``; ``"film"`` where it is not a scene's."""
        own = [(FILM, self.heading.problem)] if self.heading.problem else []
        return (*own, *((f"scene {n}", one.problem) for n, one in enumerate(self.drafts, 1) if one.problem))

    def take(self, edits: Mapping[str, object]) -> None:
        """Take what a page holds of some fields, by scene; what no page of ours sends is left alone."""
        written: dict[str, Heading | Draft] = {FILM: self.heading, **{one.id: one for one in self.drafts}}
        for name, values in edits.items():
            if name in written and isinstance(values, Mapping):
                for field_name, value in values.items():
                    written[name].put(field_name, value)
        self._make()

    def move(self, name: object, by: int) -> None:
        """Move a draft by a number of places, as far as there are any."""
        draft = self.find(name)
        place = min(max(self.drafts.index(draft) + by, 0), len(self.drafts) - 1)
        self.drafts.remove(draft)
        self.drafts.insert(place, draft)
        self._make()

    def put_before(self, name: object, other: str | None) -> None:
        """Move a draft to the place before another one, or, before None, to the end."""
        draft, following = self.find(name), self.find(other) if other is not None else None
        if draft is following:
            return
        self.drafts.remove(draft)
        self.drafts.insert(self.drafts.index(following) if following else len(self.drafts), draft)
        self._make()

    def remove(self, name: object) -> None:
        """Take a draft away, unless it is the only one; `restore` brings it back."""
        if len(self.drafts) == 1:
            raise InvalidRequest("a film has one scene at least", field="scenes")
        draft = self.find(name)
        self._removed.append((self.drafts.index(draft), draft))
        self.drafts.remove(draft)
        self._make()

    @property
    def can_restore(self) -> bool:
        """Whether a draft was taken away."""
        return bool(self._removed)

    def restore(self) -> str:
        """Bring the draft back that was taken away last, and return its id."""
        if not self._removed:
            raise InvalidRequest("no scene was removed", field="scenes")
        place, draft = self._removed.pop()
        self.drafts.insert(place, draft)
        self._make()
        return draft.id

    def add(self) -> str:
        """Put an empty draft at the end, and return its id."""
        self.drafts.append(self._draft(self._id(), Scene("")))
        self._make()
        return self.drafts[-1].id

    def find(self, name: object) -> Draft:
        """Return a draft by its id."""
        found = next((draft for draft in self.drafts if draft.id == name), None)
        if found is None:
            raise InvalidRequest("that scene is no longer in the film", field="scenes")
        return found

    def part(self, name: object) -> Film:
        """Return the film of one scene, with those before it that it continues; whatever the others are like.

        Raises
        ------
        InvalidRequest
            Something is wrong with one of these.
        """
        last = self.drafts.index(self.find(name))
        first = last
        while first and self.drafts[first].continues:
            first -= 1
        chain = self.drafts[first : last + 1]
        if empty := next((n for n, one in enumerate(chain, first + 1) if not one.prompt.strip()), None):
            raise InvalidRequest(f"scene {empty}: write what happens", field="prompt")
        return self.film.replace(
            scenes=[one.written(place) for place, one in enumerate(chain)], **self.heading.changes(self.film)
        )

    def _id(self) -> str:
        return f"scene-{next(self._ids)}"

    def _draft(self, name: str, scene: Scene) -> Draft:
        controls = _controls(scene.model or self.film.model, scene.parameters)
        return Draft(name, scene, scene.prompt, scene.title, scene.continues, scene.take, controls)

    def _make(self) -> None:
        """Make the film anew; where that is not possible it stays, and the drafts say why."""
        self.heading.problem = ""
        for draft in self.drafts:
            draft.problem = "" if draft.prompt.strip() else "write what happens"
        if self.problems:
            self.heading.problem = self._problem_of_all()
            return
        try:
            scenes = [one.written(place) for place, one in enumerate(self.drafts)]
            film = self.film.replace(scenes=scenes, **self.heading.changes(self.film))
        except InvalidRequest as error:
            self.heading.problem = self._problem_of_all()
            for place, draft in enumerate(self.drafts):
                draft.problem = "" if self.heading.problem else self._problem(place, draft)
            if not self.problems:  # not one scene's, but the whole film's
                self.drafts[-1].problem = error.message
        else:
            self.film, self.placed = film, tuple(draft.id for draft in self.drafts)

    def _problem_of_all(self) -> str:
        """Return what is wrong with what is written about all scenes."""
        try:
            self.film.replace(**self.heading.changes(self.film))
        except InvalidRequest as error:
            return _PLACE.sub("", error.message)
        return ""

    def _problem(self, place: int, draft: Draft) -> str:
        """Return what is wrong with a draft by itself."""
        try:
            scene = draft.written(place)
            self.film.replace(scenes=[*([self.film[0]] if scene.continues else []), scene])
        except InvalidRequest as error:
            return _PLACE.sub("", error.message)
        return ""
