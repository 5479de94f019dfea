"""`Scene`: one shot of a film: its words, and what it asks for differently from the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Self

from ..catalogue.field import plain, whole
from ..catalogue.model import Model
from ..catalogue.models import models
from ..errors import InvalidRequest, one_line
from ..references.reference import MAX_REFERENCES, as_references
from ..references.sources import is_single

MAX_TITLE = 200  # characters
MUSIC = ("film", "clips", "none")  # of a film, beside a sound file
_OWN = ("prompt", "title", "continues", "take", "model")
_MOST_LISTED = 1000  # values of a generator; no parameter takes as many


class Scene:
    """One scene of a `Film`: an immutable value.

    Parameters
    ----------
    prompt
        What happens; ``@name`` mentions somebody of the film's cast.
    title
        For people: the storyboard, and the film's chapters.
    continues
        Begin with the last frame of the scene before.
    take
        Which of the kept takes of this scene the film has, counted from 1; None for the newest.
    model
        A `Model` or its slug, where the film's isn't the one to ask.
    **parameters
        Any parameter of the model, where the film's own value isn't the one.

    Raises
    ------
    InvalidRequest
        Something has the wrong type; what the parameters say is checked by the `Film`.

    >>> scene = Scene("She walks to the @cafe.", seed=7, continues=True)
    >>> scene.prompt, scene.continues, scene.parameters, scene.replace(seed=8).parameters["seed"]
    ('She walks to the @cafe.', True, {'seed': 7}, 8)
    """

    __slots__ = ("_parameters", "continues", "model", "prompt", "take", "title")

    prompt: str
    title: str
    continues: bool
    take: int | None
    model: Model | None
    _parameters: dict[str, Any]

    def __init__(
        self,
        prompt: str,
        *,
        title: str = "",
        continues: bool = False,
        take: int | None = None,
        model: Model | str | None = None,
        **parameters: Any,
    ) -> None:
        if not isinstance(prompt, str):
            raise InvalidRequest(f"prompt: {type(prompt).__name__} is no text", field="prompt")
        if not isinstance(title, str):
            raise InvalidRequest(f"title: {type(title).__name__} is no text", field="title")
        if not isinstance(continues, bool):
            shown = one_line(repr(continues), 60)
            raise InvalidRequest(f"continues: {shown} is neither True nor False", field="continues")
        take = whole(take)
        if take is not None and (type(take) is not int or take < 1):
            shown = one_line(repr(take), 60)
            raise InvalidRequest(f"take: {shown} is no number of a take: pass 1 or more, or None", field="take")
        values = {
            "prompt": prompt,
            "title": one_line(title, MAX_TITLE),
            "continues": continues,
            "take": take,
            "model": None if model is None else models.find(model),
            "_parameters": {name: held(value) for name, value in parameters.items()},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What this scene asks for differently from its film, by name."""
        return dict(self._parameters)

    def replace(self, **changes: Any) -> Self:
        """Return a scene with some things changed; a parameter that becomes None is the film's again.

        Takes are counted for each request: with other words or parameters, the newest one is meant again.

        Raises
        ------
        InvalidRequest
            As for a new one.
        """
        take = self.take if changes.keys() <= {"title"} else None
        own = {name: getattr(self, name) for name in _OWN} | self._parameters | {"take": take} | changes
        return type(self)(**{name: value for name, value in own.items() if value is not None or name == "prompt"})

    def with_parameters(self, parameters: Mapping[str, Any]) -> Self:
        """Return the scene with these parameters in the place of its own: the same ones, as a request holds them."""
        return type(self)(**{name: getattr(self, name) for name in _OWN}, **parameters)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a scene doesn't change: scene.replace({name}=...) gives a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a scene doesn't change: scene.replace({name}=None) gives a new one")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, ({name: getattr(self, name) for name in _OWN} | self._parameters,)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Scene)
            and all(getattr(self, name) == getattr(other, name) for name in _OWN)
            and same_values(self._parameters, other._parameters)
        )

    def __hash__(self) -> int:
        return hash((self.prompt, self.title, self.continues, self.take))

    def __repr__(self) -> str:
        shown = [repr(one_line(self.prompt, 60))]
        shown += [f"title={self.title!r}"] if self.title else []
        shown += ["continues=True"] if self.continues else []
        shown += [f"take={self.take}"] if self.take else []
        shown += [f"model={self.model.slug!r}"] if self.model else []
        shown += [f"{name}={one_line(repr(value), 60)}" for name, value in self._parameters.items()]
        return f"Scene({', '.join(shown)})"


def held(value: Any) -> Any:
    """Return a parameter's value that nobody else changes: a copy of a list, all that a generator brings."""
    if isinstance(value, Iterator) and not is_single(value):  # an open file iterates as well
        return tuple(islice(value, _MOST_LISTED))
    return value.copy() if type(value) in (list, dict) else plain(value)


def same_values(one: Any, other: Any) -> bool:
    """Return whether two parameters' values are equal, which for arrays means in each of their elements."""
    if one is other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_values(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_values, one, other))
    if getattr(one, "shape", None) != getattr(other, "shape", None):
        return False
    equal = one == other
    return bool(equal.all() if hasattr(equal, "all") else equal)


def read_media(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by their names in Python, pictures, videos and sounds as a request holds them: read once.

    Raises
    ------
    InvalidRequest
        One of them can't be read, or is given under both of its names.
    """
    taken: dict[str, Any] = {}
    for name, given in parameters.items():
        field = model.by_parameter.get(name) or model.fields.get(name)
        value, problem, place = held(given), "", field.parameter if field else name
        if place in taken:
            raise InvalidRequest(f"{place}: it is given twice, as {name} as well", field=place)
        try:
            if place == "references":  # how many are needed says the scene's request, with the cast and the frame
                value = as_references(value, most=field.most if field else MAX_REFERENCES)
            elif field and field.is_media:
                value = field.check(value)
        except InvalidRequest as error:
            problem = error.message
        except ValueError as error:
            problem = f"{name}: {error}"
        if problem:
            raise InvalidRequest(problem, field=name)
        taken[place] = value
    return taken


def _restored(values: dict[str, Any]) -> Scene:
    return Scene(**values)
