"""A film as it is being written: its scenes as a person has them, right or wrong, and the film that they make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count
from typing import Any

from ..errors import InvalidRequest
from ..films.film import Film
from ..films.scene import MAX_TITLE, Scene

_MAX_PROMPT = 20_000  # characters; what a page sends is bounded
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
    prompt, title, seed : str
        What the fields hold.
    continues : bool
    take : int or None
    problem : str
        What is wrong with it, as a sentence.
    """

    id: str
    scene: Scene
    prompt: str
    title: str
    seed: str
    continues: bool
    take: int | None
    problem: str = ""


class Script:
    """The scenes of a film, to be edited one by one.

    Attributes
    ----------
    film : Film
        The last whole film that they made.
    drafts : list of Draft
    placed : tuple of str
        The ids of the drafts that `film` was made of, in its order.
    """

    def __init__(self, film: Film) -> None:
        self._ids = count(1)
        self.drafts: list[Draft] = []
        self.follow(film)

    def follow(self, film: Film) -> None:
        """Take a film from code."""
        ids = [draft.id for draft in self.drafts[: len(film)]]
        ids += [self._id() for _ in range(len(film) - len(ids))]
        self.film = film
        self.drafts = [self._draft(name, scene) for name, scene in zip(ids, film.scenes, strict=True)]
        self.placed = tuple(ids)

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """The scenes with something wrong, as ``("scene 2", sentence)``."""
        return tuple((f"scene {n}", one.problem) for n, one in enumerate(self.drafts, 1) if one.problem)

    def edit(self, name: str, field: str, value: object) -> None:
        """Put a value into a draft, right or wrong.

        Raises
        ------
        InvalidRequest
            No such draft or field, or a value of another kind.
        """
        draft = self.find(name)
        match field, value:
            case ("prompt", str(text)):
                draft.prompt = text[:_MAX_PROMPT]
            case ("title", str(text)):
                draft.title = text[:MAX_TITLE]
            case ("seed", str(text)):
                draft.seed = text[:40]
            case ("continues", bool(continues)):
                draft.continues = continues
            case ("take", int(take)) if not isinstance(value, bool):
                draft.take = take if take > 0 else None
            case _:
                raise InvalidRequest(f"{field[:40]}: a scene takes no such value", field=field)
        self._make()

    def move(self, name: str, by: int) -> None:
        """Move a draft by a number of places, as far as there are any."""
        draft = self.find(name)
        place = min(max(self.drafts.index(draft) + by, 0), len(self.drafts) - 1)
        self.drafts.remove(draft)
        self.drafts.insert(place, draft)
        self._make()

    def remove(self, name: str) -> None:
        """Take a draft away, unless it is the only one."""
        if len(self.drafts) == 1:
            raise InvalidRequest("a film has one scene at least", field="scenes")
        self.drafts.remove(self.find(name))
        self._make()

    def add(self) -> None:
        """Put an empty draft at the end."""
        self.drafts.append(self._draft(self._id(), Scene("")))
        self._make()

    def find(self, name: str) -> Draft:
        """Return a draft by its id."""
        found = next((draft for draft in self.drafts if draft.id == name), None)
        if found is None:
            raise InvalidRequest("that scene is no longer in the film", field="scenes")
        return found

    def _id(self) -> str:
        return f"scene-{next(self._ids)}"

    def _draft(self, name: str, scene: Scene) -> Draft:
        field = (scene.model or self.film.model).by_role("seed")
        seed = scene.parameters.get(field.parameter) if field else None
        written = "" if seed is None else str(seed)
        return Draft(name, scene, scene.prompt, scene.title, written, scene.continues, scene.take)

    def _make(self) -> None:
        """Make the film anew; where that is not possible it stays, and the drafts say why."""
        for draft in self.drafts:
            draft.problem = "" if draft.prompt.strip() else "write what happens"
        if self.problems:
            return
        try:
            film = self.film.replace(scenes=[self._scene(place, one) for place, one in enumerate(self.drafts)])
        except InvalidRequest as error:
            for place, draft in enumerate(self.drafts):
                draft.problem = self._problem(place, draft)
            if not self.problems:  # not one scene's, but the whole film's
                self.drafts[-1].problem = error.message
        else:
            self.film, self.placed = film, tuple(draft.id for draft in self.drafts)

    def _scene(self, place: int, draft: Draft) -> Scene:
        changes: dict[str, Any] = {
            "prompt": draft.prompt, "title": draft.title, "take": draft.take,
            "continues": draft.continues and place > 0,
        }  # fmt: skip
        if field := (draft.scene.model or self.film.model).by_role("seed"):
            changes[field.parameter] = _seed(draft.seed)
        return draft.scene.replace(**changes)

    def _problem(self, place: int, draft: Draft) -> str:
        """Return what is wrong with a draft by itself."""
        try:
            scene = self._scene(place, draft)
            self.film.replace(scenes=[*([self.film[0]] if scene.continues else []), scene])
        except InvalidRequest as error:
            return _PLACE.sub("", error.message)
        return ""


def _seed(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    raise InvalidRequest(f"seed: {text!r} is not a whole number: write one, or leave it empty", field="seed")
