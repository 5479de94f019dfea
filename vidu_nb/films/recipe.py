"""A film's recipe: scenes, cast and clips as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..catalogue.field import Field, plain
from ..catalogue.model import Model
from ..catalogue.models import DEFAULT
from ..catalogue.request import Medium
from ..recipe import FILM_FACT, RECIPE_FORMAT, describe, named_model, note_of
from ..references.signatures import shareable
from ..video import Video
from .scene import MUSIC

if TYPE_CHECKING:
    from .film import Film


def film_recipe(film: Film, clips: Sequence[Video]) -> dict[str, Any]:
    """Return a film as JSON-ready values: the pictures by name, size and hash; of each scene what its clip says."""
    scenes = [
        {
            "prompt": scene.prompt,
            "title": scene.title,
            "continues": scene.continues,
            **({"take": scene.take} if scene.take else {}),
            **({"model": scene.model.slug} if scene.model else {}),
            "parameters": _described(scene.model or film.model, scene.parameters),
            "clip": clip_facts(clip),
        }
        for scene, clip in zip(film.scenes, clips, strict=True)
    ]
    facts = {
        "title": film.title,
        "music": film.music if film.music in MUSIC else "file",
        "dissolve": film.dissolve,
        **({} if film.model == DEFAULT else {"model": film.model.slug}),
        "parameters": _described(film.model, film.parameters),
        "cast": {name: [note_of(one, shown=shareable) for one in pictures] for name, pictures in film.cast.items()},
        "scenes": scenes,
    }
    return {"format": RECIPE_FORMAT, "made_with": f"vidu-nb {__version__}", FILM_FACT: facts}


def film_media(film: Film) -> list[Medium]:
    """Return the pictures, videos and sounds that a film's recipe notes, in their order."""
    found: list[Medium] = [one for pictures in film.cast.values() for one in pictures]
    for parameters in (film.parameters, *(scene.parameters for scene in film.scenes)):
        for value in parameters.values():
            found += [one for one in (value if isinstance(value, list | tuple) else [value]) if isinstance(one, Medium)]
    return found


def clip_facts(clip: Video) -> dict[str, Any]:
    """Return what was asked for a scene's clip, and the receipt of the call that made it, as JSON-ready values."""
    original = (clip.receipt and clip.receipt.original) or clip.receipt
    asked = {**named_model(clip.request), "request": describe(clip.request, shown=shareable)} if clip.request else {}
    return {**asked, **({"receipt": original.to_dict()} if original else {})}


def _described(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _noted(value, model.by_parameter.get(name) or model.fields.get(name))
        for name, value in parameters.items()
    }


def _noted(value: Any, field: Field | None) -> Any:
    """Return a parameter's value as JSON has it: as it was given where that is possible, else as it is sent."""
    value = plain(value)
    if isinstance(value, list | tuple):
        return [_noted(one, None) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _noted(one, None) for name, one in value.items()}
    if isinstance(value, Medium):
        return note_of(value, shown=shareable)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _noted(field.check(value), None) if field else str(value)
