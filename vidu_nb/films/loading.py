"""Load what was saved: a clip, a picture, or a film of its recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..catalogue.model import Model
from ..catalogue.models import DEFAULT, models
from ..catalogue.request import Medium, quietly
from ..errors import ViduError
from ..files import expanded
from ..pictures import Picture
from ..recipe import media_in, read_medium, recipe_in
from ..references.cast import Cast
from ..video import Video
from ..video import load as load_clip
from .film import Film
from .scene import MUSIC, Scene


def load(path: str | os.PathLike[str]) -> Video | Picture | Film:
    """Read a `Video`, a `Picture` or a `Film` from a file, with what its recipe holds.

    Files from elsewhere load as well; their `.request` and `.receipt` are None.

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
    recipe: Any = recipe_in(place)
    if "film" in recipe and (film := film_from(recipe["film"], media_in(place))):
        return film.saved_as(place.absolute())
    return load_clip(place)


def film_from(facts: Any, media: Sequence[str] | None) -> Film | None:
    """Make a film of what `film_recipe` wrote and its pictures as ``data:`` URIs; None where it makes no sense.

    Parameters
    ----------
    facts
        What a file holds; it may be anything.
    media
        One for each picture, video and sound; None where they were left out.
    """
    try:
        model = models[str(facts.get("model", DEFAULT))]
        urls = iter(media or ())

        def read(note: Any, *, is_link: bool = False) -> Medium:
            return read_medium(note, next(urls, None), is_link=is_link)

        def parameters(of: Model, described: Mapping[str, Any]) -> dict[str, Any]:
            found = {}
            for name, value in described.items():
                field = of.by_parameter.get(name) or of.fields.get(name)
                is_link = field is not None and field.type.startswith("link")
                found[name] = value
                if name == "references" or (field and field.is_media):
                    made = tuple(read(one, is_link=is_link) for one in (value if isinstance(value, list) else [value]))
                    found[name] = made if isinstance(value, list) else made[0]
            return found

        cast = Cast({str(name): [read(one) for one in many] for name, many in facts["cast"].items()})
        shared = parameters(model, facts["parameters"])
        scenes = []
        for one in facts["scenes"]:
            own = models[str(one["model"])] if "model" in one else None
            scenes.append(
                Scene(
                    str(one["prompt"]),
                    title=str(one["title"]),
                    continues=one["continues"] is True,
                    take=one.get("take"),
                    model=own,
                    **parameters(own or model, one["parameters"]),
                )
            )
        music = facts["music"] if facts["music"] in MUSIC else "clips"  # a file of the maker's isn't in it
        with quietly():
            return Film(
                scenes,
                cast=cast,
                title=str(facts["title"]),
                music=music,
                dissolve=facts["dissolve"],
                model=model,
                **shared,
            )
    except (ViduError, ValueError, TypeError, KeyError, AttributeError, RuntimeError):
        return None
