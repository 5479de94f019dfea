"""The recipe in a saved file: request and receipt in its metadata, the reference pictures in a box of their own."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from . import image_file, media
from ._version import __version__
from .catalogue.field import Field, Role
from .catalogue.models import DEFAULT, models
from .catalogue.request import PREVIEW, Medium, Request, quietly
from .console import printable
from .errors import ViduError, one_line
from .receipt import Receipt
from .references.attachment import Attachment
from .references.makers import MADE_BY
from .references.reference import Reference
from .references.signatures import shareable
from .request import DRAFT_ENDING

RECIPE_TAG = "vidu_nb_recipe"
RECIPE_FORMAT = 1
MODEL_FACT = "request_model"  # beside a request's description, where it isn't the default model's
FILM_FACT = "film"  # of a joined film, in a request's place
PICTURES_BOX = uuid.UUID("6b6b1a5e-5d0c-4f0e-9d8a-0c6f0f9b7a31").bytes
_MAX_READ = 20_000_000  # characters of JSON: many times what the longest film has
_HALVES = re.compile("[\ud800-\udfff]")
MAX_TITLE = 80  # characters of a caption


def recipe_of(request: Request | None, receipt: Receipt | None) -> dict[str, Any]:
    """Return request and receipt as JSON-ready values; the pictures by name, size and hash, URLs as others may see."""
    recipe: dict[str, Any] = {"format": RECIPE_FORMAT, "made_with": f"vidu-nb {__version__}"}
    if request:
        recipe |= {**named_model(request), "request": describe(request, shown=shareable)}
    if receipt:
        recipe["receipt"] = receipt.to_dict()
    return recipe


def write_recipe(source: Path, target: Path, recipe: dict[str, Any], pictures: Sequence[Any]) -> None:
    """Copy an MP4 with a recipe in its metadata, and the pictures, as `texts_of` gives them, in a box of their own."""
    media.write_tags(source, target, recipe_tags(recipe))
    _append_texts(target, pictures)


def recipe_tags(recipe: dict[str, Any]) -> dict[str, str]:
    """Return the metadata that holds a recipe."""
    text = json.dumps(recipe, ensure_ascii=False)
    return {RECIPE_TAG: _HALVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)}  # no metadata takes half a letter


def append_pictures(path: Path, pictures: Iterable[Medium]) -> None:
    """Append the box with a recipe's pictures to an MP4, where there are any."""
    _append_texts(path, texts_of(pictures))


def _append_texts(path: Path, pictures: Sequence[Any]) -> None:
    if pictures:
        media.append_box(path, PICTURES_BOX, json.dumps(list(pictures)).encode())


def texts_of(pictures: Iterable[Medium]) -> list[str]:
    """Return pictures, videos and sounds as texts that a file may carry to others."""
    return [shareable(one.url) if one.is_url else one.url for one in pictures]


def with_recipe(picture: bytes, recipe: dict[str, Any]) -> bytes:
    """Return a picture's file with a recipe in its metadata: as much of it as fits there, its pixels untouched."""
    request = recipe.get("request", {})
    alone = {name: without_makers(value) for name, value in request.items()}
    without = {name: value for name, value in recipe.items() if name != "request"}
    for one in (recipe, {**recipe, "request": alone}, without):
        text = _in_ascii(one)
        if len(text) <= image_file.MAX_TEXT:
            return image_file.write_text(picture, RECIPE_TAG, text)
    return picture


def without_makers(value: Any) -> Any:
    """Return a described parameter without what it remembers of how its pictures were made."""
    if isinstance(value, list):
        return [without_makers(one) for one in value]
    return {name: one for name, one in value.items() if name != MADE_BY} if isinstance(value, dict) else value


def _in_ascii(recipe: dict[str, Any]) -> str:
    """Return JSON in the characters that all metadata and XML take."""
    text = json.dumps(recipe)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\x7f", "\\u007f")


def recipe_in(path: Path) -> dict[str, Any]:
    """Return what stands as a recipe in a video's or picture's file; empty for none, and it may hold anything.

    Raises
    ------
    ViduError
        The file is missing or neither of the two, or a newer version of this package wrote its recipe.
    """
    picture = image_file.read(path)
    text = media.read_tags(path).get(RECIPE_TAG) if picture is None else image_file.read_text(picture, RECIPE_TAG)
    try:
        recipe: Any = json.loads(text or "") if len(text or "") <= _MAX_READ else None
        version = int(recipe["format"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {}
    if version > RECIPE_FORMAT:
        raise ViduError(f"{path.name} has a recipe of format {version}", remedy="Upgrade vidu-nb to read it.")
    return dict(recipe)


def read_recipe(path: Path) -> tuple[Request | None, Receipt | None]:
    """Return the request and the receipt that a file's recipe holds; None for what it doesn't hold.

    Raises
    ------
    ViduError
        As for `recipe_in`.
    """
    recipe = recipe_in(path)
    receipt = Receipt.from_dict(recipe["receipt"]) if isinstance(recipe.get("receipt"), dict) else None
    if "request" not in recipe:
        return None, receipt
    pictures = media_in(path) if image_file.read(path) is None else None
    return request_from(recipe["request"], pictures, model=recipe.get(MODEL_FACT)), receipt


def film_in(path: Path) -> dict[str, Any]:
    """Return what the recipe of a joined film's file tells of the film, under its name; empty for any other file."""
    with contextlib.suppress(ViduError):
        facts = recipe_in(path).get(FILM_FACT)
        if isinstance(facts, dict) and isinstance(facts.get("scenes"), list):
            return {FILM_FACT: facts}
    return {}


def _film_labels(path: Path) -> list[str]:
    """Return a joined film's title, how many scenes it has, and its length; nothing for any other file."""
    with contextlib.suppress(ViduError):
        if facts := film_in(path).get(FILM_FACT):
            many, title = len(facts["scenes"]), facts.get("title")
            titled = [one_line(title, MAX_TITLE)] if title and isinstance(title, str) else []
            length = f"{media.probe(path).duration:.1f}".removesuffix(".0")
            return [*titled, f"film of {many} scene{'s' if many != 1 else ''}", f"{length} s"]
    return []


def caption_of(path: Path, request: Request | None, receipt: Receipt | None) -> str:
    """Return what a clip or a picture is called in a line of plain text: its shape, seed, engine and cost."""
    parts = request.labels(seed=seed_of(request, receipt)) if request else _film_labels(path) or [path.name]
    if receipt:
        what = "draft preview" if receipt.model.endswith(DRAFT_ENDING) else "preview"
        parts.append(f"{what}, free" if is_preview(receipt) else f"{receipt.engine}, {receipt.cost_label}")
        parts += filter(None, [receipt.missing_label])
    return printable(" · ".join(parts))


def is_preview(receipt: Receipt | None) -> bool:
    """Return whether a receipt is the local engine's, whose work is never the model's."""
    return receipt is not None and receipt.engine == PREVIEW


def seed_of(request: Request | None, receipt: Receipt | None) -> int | None:
    """Return the seed that something was made with; None where it was random and the service reported none."""
    requested = request.seed_value if request else None
    return requested or (receipt.seed if receipt else None) or None


def describe(request: Request, *, shown: Callable[[str], str] = str) -> dict[str, Any]:
    """Return a request as JSON-ready values for people and recipes: pictures, videos and sounds by name, size and hash.

    Parameters
    ----------
    request
        Of any model; `named_model` tells which.
    shown
        What becomes of an address.
    """
    return request.each_medium(lambda one: note_of(one, shown=shown))


def note_of(one: Medium, *, shown: Callable[[str], str] = str) -> dict[str, Any]:
    """Return a picture, a video or a sound as JSON-ready values: name, size, hash, and what becomes of its address."""
    claim, size = (one.claim, one.size) if isinstance(one, Reference) else ("", None)
    url = shown(one.url) if one.is_url else None
    made = {MADE_BY: one.made_by} if isinstance(one, Reference) and one.made_by else {}
    return {"name": one.name, "size": size, "sha256": claim or one.sha256, "url": url, **made}


def named_model(request: Request) -> dict[str, str]:
    """Return the model that is asked, as a fact to be kept beside `describe`; nothing for the default."""
    return {} if request.model == DEFAULT else {MODEL_FACT: request.model.slug}


def value_noted(payload: Mapping[str, Any], role: Role, *, model: object = None) -> Any:
    """Return a described request's value of a role, None where there is none; of an unknown model, the one so named."""
    asked = models.get(DEFAULT if model is None else str(model))
    field = asked.by_role(role) if asked else None
    return payload.get(field.name if field else role) if field or asked is None else None


def prompt_noted(payload: Mapping[str, Any], *, model: object = None) -> str:
    """Return a described request's prompt, empty where there is none."""
    prompt = value_noted(payload, "prompt", model=model)
    return prompt if isinstance(prompt, str) else ""


def media_noted(payload: Mapping[str, Any], *, model: object = None) -> list[Mapping[str, Any]]:
    """Return a described request's notes of pictures, videos and sounds, in their order; a payload may hold anything.

    Of a model that isn't known, all that may be such notes.
    """
    asked = models.get(DEFAULT if model is None else str(model))
    values = payload.values() if asked is None else (payload.get(field.name) for field in asked.media)
    several = (value if isinstance(value, list) else [value] for value in values)
    return [note for some in several for note in some if isinstance(note, Mapping)]


def name_parts(payload: Any, *, model: object = None) -> dict[str, Any]:
    """Return what a file's name tells of a described request: its prompt, shape and seed, whatever the model.

    Parameters
    ----------
    payload
        What `describe` wrote.
    model
        The slug that `named_model` wrote; without one, the request is the default model's.

    Returns
    -------
    dict
        ``"prompt"``, ``"aspect_ratio"`` and ``"seed"``, as the default model calls them: the slug where there is no
        prompt, and width and height in pixels where there is no ratio.
    """
    if model is None:
        return dict(payload)
    parts = {
        "prompt": payload.get("prompt") or str(model),
        "aspect_ratio": payload.get("aspect_ratio"),
        "seed": payload.get("seed"),
    }
    asked = models.get(str(model))
    if asked is None:
        return parts
    stands_for = {field.parameter: _stand_in(field, payload.get(field.name)) for field in asked.fields.values()}
    request = asked.request_class.model_construct(None, **stands_for)
    parts |= {"prompt": prompt_noted(payload, model=model) or str(model), "seed": request.seed_value}
    ratio = request.by_role("aspect_ratio")
    with contextlib.suppress(ValueError, TypeError, AttributeError, LookupError, OverflowError):  # it may be anything
        parts["aspect_ratio"] = ratio or "{}:{}".format(*request.frame_size)
    return parts


def _stand_in(field: Field, value: Any) -> Any:
    """Return a described value, and for a picture what has its size; the default where there is none."""
    if field.is_media:
        size = value.get("size") if isinstance(value, dict) else None
        return SimpleNamespace(size=size) if size else None
    return field.sent_default if value is None else value


def request_from(payload: Any, media: Sequence[str | None] | None, *, model: object = None) -> Request | None:
    """Make a request of what `describe` wrote and its pictures as ``data:`` URIs.

    Parameters
    ----------
    payload
        What a file holds; it may be anything.
    media
        One for each picture, video and sound, None for a URL's; None where all are URLs.
    model
        The slug that `named_model` wrote.

    Returns
    -------
    Request or None
        None where a picture is missing, the model isn't known or the recipe makes no sense: a clip is worth showing
        without it.
    """
    try:
        asked = models[DEFAULT if model is None else str(model)]
        notes = {field.name: payload[field.name] for field in asked.media if field.name in payload}
        count = sum(len(note) if isinstance(note, list) else 1 for note in notes.values())
        urls = iter([None] * count if media is None else media)
        made = {
            name: tuple(_medium(asked.fields[name], one, next(urls)) for one in note)
            if isinstance(note, list)
            else _medium(asked.fields[name], note, next(urls))
            for name, note in notes.items()
        }
        # A recipe with "references" of its own makes no sense: they would be read as this machine's files.
        parameters = {asked.fields[name].parameter: value for name, value in {**payload, **made}.items()}
        if next(urls, None) is None:
            with quietly():  # it was made once, and warned of then
                return asked.request(**parameters)
    except (ViduError, ValueError, TypeError, KeyError, AttributeError, StopIteration, RuntimeError):
        pass
    return None


def _medium(field: Field, note: Any, url: str | None) -> Medium:
    return read_medium(note, url, is_link=not field.type.startswith("picture"))


def read_medium(note: Any, url: str | None, *, is_link: bool) -> Medium:
    """Make a picture, or a video or sound, of what `note_of` wrote and its ``data:`` URI."""
    text, name = str(note["url"] or url), str(note["name"])
    if not is_link:
        return Reference.from_wire(text, name=name, sha256=str(note["sha256"]), made_by=note.get(MADE_BY))
    return Attachment.from_wire(text, name=name)


def media_in(path: Path) -> list[str] | None:
    """Return the pictures, videos and sounds that a saved file carries as ``data:`` URIs, None where it has none."""
    box = media.read_box(path, PICTURES_BOX)
    try:
        pictures = json.loads(box) if box else None
    except (ValueError, RecursionError):
        return None
    return pictures if isinstance(pictures, list) else None
