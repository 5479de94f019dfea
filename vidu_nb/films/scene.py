"""`Scene`: one shot of a film: its words, and what it asks for differently from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..catalogue.field import whole
from ..catalogue.model import Model
from ..catalogue.models import models
from ..errors import InvalidRequest, one_line
from ..references.reference import as_references

MAX_TITLE = 200  # characters
MUSIC = ("film", "clips", "none")  # of a film, beside a sound file
_OWN = ("prompt", "title", "continues", "take", "model")


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
            raise InvalidRequest(f"continues: {continues!r} is neither True nor False", field="continues")
        take = whole(take)
        if take is not None and (type(take) is not int or take < 1):
            raise InvalidRequest(f"take: {take!r} is no number of a take: pass 1 or more, or None", field="take")
        values = {
            "prompt": prompt,
            "title": one_line(title, MAX_TITLE),
            "continues": continues,
            "take": take,
            "model": None if model is None else models.find(model),
            "_parameters": dict(parameters),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What this scene asks for differently from its film, by name."""
        return dict(self._parameters)

    def replace(self, **changes: Any) -> Self:
        """Return a scene with some things changed; a parameter that becomes None is the film's again.

        Raises
        ------
        InvalidRequest
            As for a new one.
        """
        own = {name: getattr(self, name) for name in _OWN} | self._parameters | changes
        return type(self)(**{name: value for name, value in own.items() if value is not None or name in _OWN})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a scene doesn't change: scene.replace({name}=...) gives a new one")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, ({name: getattr(self, name) for name in _OWN} | self._parameters,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scene) and self._own() == other._own()

    def _own(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _OWN} | {"parameters": self._parameters}

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


def read_media(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with pictures, videos and sounds as a request holds them, so that they are read once.

    Raises
    ------
    InvalidRequest
        One of them can't be read.
    """
    taken = dict(parameters)
    for name, value in parameters.items():
        field = model.by_parameter.get(name) or model.fields.get(name)
        problem = ""
        try:
            if name == "references" and not field:
                taken[name] = as_references(value)
            elif field and field.is_media:
                taken[name] = field.check(value)
        except InvalidRequest as error:
            problem = error.message
        except ValueError as error:
            problem = f"{name}: {error}"
        if problem:
            raise InvalidRequest(problem, field=name)
    return taken


def _restored(values: dict[str, Any]) -> Scene:
    return Scene(**values)
