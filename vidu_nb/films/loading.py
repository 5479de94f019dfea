"""Load what was saved: a clip, a picture, or a film of its recipe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import image_file
from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..catalogue.request import quietly
from ..errors import ViduError
from ..files import expanded
from ..pictures import Picture
from ..recipe import FILM_FACT, media_in, read_medium, recipe_in
from ..references.cast import Cast
from ..video import Video
from ..video import load as load_clip
from .film import MAX_SCENES, Film
from .scene import MUSIC, Scene

_MAX_PROMPT = 50_000  # characters
_MAX_LOOKED_UP = 1_000_000  # mentions times names
_OWN = frozenset({"cast", "client", "dissolve", "model", "music", "scenes", "title"})  # a film's, and no parameters


def load(path: str | os.PathLike[str]) -> Video | Picture | Film:
    """Read a `Video`, a `Picture` or a `Film` from a file, with what its recipe holds.

    Files from elsewhere load as well; their `.request` and `.receipt` are None. A film's `.video` is that file, and its
    `.videos` are those of its scenes' clips that the archive has. One that was saved with ``references=False``, and
    whose pictures aren't all behind addresses, can't be made again: it loads as a `Video` whose `.recipe()` tells the
    scenes. A sound file under a film isn't in it either; such a film has its clips' own sound when it is joined again.

    Parameters
    ----------
    path
        An MP4, PNG, JPEG, GIF or WebP, for instance one that `save` wrote; its content decides, not its name.

    Raises
    ------
    ViduError
        The file is missing or none of them, or a newer version of this package wrote its recipe.

    >>> load("holiday.mp4")
    Traceback (most recent call last):
    ...
    vidu_nb.errors.ViduError: holiday.mp4 ...
    """
    place = expanded(path)
    recipe = recipe_in(place)
    if FILM_FACT in recipe and image_file.read(place) is None:
        film = film_from(recipe[FILM_FACT], media_in(place))
        if film is not None:
            return film.saved_as(place.absolute())
    return load_clip(place)


def film_from(facts: Any, media: Sequence[Any] | None) -> Film | None:
    """Make a film of what `film_recipe` wrote and its pictures as ``data:`` URIs; None where it makes no sense.

    Nothing that it says is opened, be it a path or an address.

    Parameters
    ----------
    facts
        What a file holds; it may be anything.
    media
        One for each picture, video and sound; None where they were left out.
    """
    try:
        with quietly():
            return _film(facts, iter(media or ()))
    except (ViduError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError):
        return None


def _film(facts: Mapping[str, Any], urls: Iterator[Any]) -> Film:
    described = facts["scenes"]
    _check_size(described, facts["cast"])
    model = models[str(facts.get("model", DEFAULT))]
    own = [models[str(one["model"])] if "model" in one else None for one in described]
    asked = [model, *(one for one in own if one)]
    cast = Cast({name: [read_medium(one, next(urls, None), is_link=False) for one in many]
                 for name, many in facts["cast"].items()})  # fmt: skip
    shared = _parameters(facts["parameters"], asked, urls)
    if strange := _OWN & shared.keys():
        raise ValueError(strange)
    scenes = [
        Scene(
            one["prompt"],
            title=one["title"],
            continues=one["continues"],
            take=one.get("take"),
            model=of,
            **_parameters(one["parameters"], [of or model], urls),
        )
        for one, of in zip(described, own, strict=True)
    ]
    music = facts["music"] if facts["music"] in MUSIC else "clips"  # a file of the maker's isn't in it
    return Film(scenes, cast=cast, title=facts["title"], music=music, dissolve=facts["dissolve"], model=model, **shared)


def _check_size(scenes: Any, cast: Mapping[str, Any]) -> None:
    """Refuse more than any film has, before time and memory go into it."""
    if not isinstance(scenes, list) or not 1 <= len(scenes) <= MAX_SCENES:
        raise ValueError("scenes")
    prompts = [one["prompt"] for one in scenes]
    if any(not isinstance(one, str) or len(one) > _MAX_PROMPT for one in prompts):
        raise ValueError("prompt")
    if sum(one.count("@") for one in prompts) * len(cast) > _MAX_LOOKED_UP:
        raise ValueError("cast")


def _parameters(described: Mapping[str, Any], asked: Sequence[Model], urls: Iterator[Any]) -> dict[str, Any]:
    """Return parameters with pictures, videos and sounds in the place of their notes.

    What is one for any of the models that are asked must be a note: its text would be read as this machine's file.
    """
    found = {}
    for name, value in described.items():
        fields = [field for model in asked if (field := model.by_parameter.get(name) or model.fields.get(name))]
        kinds = [field for field in fields if field.is_media]
        found[name] = value
        if value is not None and (name == "references" or kinds):
            is_link = bool(kinds) and not kinds[0].type.startswith("picture")
            notes = value if isinstance(value, list) else [value]
            made = tuple(read_medium(one, next(urls, None), is_link=is_link) for one in notes)
            found[name] = made if isinstance(value, list) else made[0]
    return found
