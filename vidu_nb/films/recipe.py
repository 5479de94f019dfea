"""A film's recipe: scenes, cast and clips as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..catalogue.models import DEFAULT
from ..catalogue.request import Medium
from ..recipe import RECIPE_FORMAT, describe, named_model, note_of
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
            "parameters": _described(scene.parameters),
            "clip": _clip_facts(clip),
        }
        for index, (scene, clip) in enumerate(zip(film.scenes, clips, strict=True))
    ]
    facts = {
        "title": film.title,
        "music": film.music if film.music in MUSIC else "file",
        "dissolve": film.dissolve,
        **({} if film.model == DEFAULT else {"model": film.model.slug}),
        "parameters": _described(film.parameters),
        "cast": {name: [note_of(one, shown=shareable) for one in pictures] for name, pictures in film.cast.items()},
        "scenes": scenes,
    }
    return {"format": RECIPE_FORMAT, "made_with": f"vidu-nb {__version__}", "film": facts}


def film_media(film: Film) -> list[Medium]:
    """Return the pictures, videos and sounds that a film's recipe notes, in their order."""
    found: list[Medium] = [one for pictures in film.cast.values() for one in pictures]
    for parameters in (film.parameters, *(scene.parameters for scene in film.scenes)):
        for value in parameters.values():
            found += [one for one in (value if isinstance(value, tuple) else [value]) if isinstance(one, Medium)]
    return found


def _described(parameters: Mapping[str, Any]) -> dict[str, Any]:
    def noted(value: Any) -> Any:
        if isinstance(value, tuple):
            return [noted(one) for one in value]
        return note_of(value, shown=shareable) if isinstance(value, Medium) else value

    return {name: noted(value) for name, value in parameters.items()}


def _clip_facts(clip: Video) -> dict[str, Any]:
    original = (clip.receipt and clip.receipt.original) or clip.receipt
    asked = {**named_model(clip.request), "request": describe(clip.request, shown=shareable)} if clip.request else {}
    return {**asked, **({"receipt": original.to_dict()} if original else {})}
