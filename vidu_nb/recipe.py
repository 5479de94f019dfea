"""The recipe in a saved file: request and receipt in its metadata, the reference pictures in a box of their own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import media
from ._version import __version__
from .errors import ViduError
from .receipt import Receipt
from .references.reference import Reference
from .references.signatures import shareable
from .request import VideoRequest, quietly

RECIPE_TAG = "vidu_nb_recipe"
RECIPE_FORMAT = 1
PICTURES_BOX = uuid.UUID("6b6b1a5e-5d0c-4f0e-9d8a-0c6f0f9b7a31").bytes


def recipe_of(request: VideoRequest | None, receipt: Receipt | None) -> dict[str, Any]:
    """Return request and receipt as JSON-ready values; the pictures by name, size and hash, URLs as others may see."""
    recipe: dict[str, Any] = {"format": RECIPE_FORMAT, "made_with": f"vidu-nb {__version__}"}
    if request:
        described = describe(request)
        pictures = [note | {"url": note["url"] and shareable(note["url"])} for note in described["image_urls"]]
        recipe["request"] = {**described, "image_urls": pictures}
    if receipt:
        recipe["receipt"] = receipt.to_dict()
    return recipe


def write_recipe(source: Path, target: Path, recipe: dict[str, Any], pictures: Sequence[Reference]) -> None:
    """Copy an MP4 with a recipe in its metadata, and the pictures in a box of their own where there are any."""
    media.write_tags(source, target, {RECIPE_TAG: json.dumps(recipe, ensure_ascii=False)})
    if pictures:
        media.append_box(target, PICTURES_BOX, json.dumps([_for_others(picture) for picture in pictures]).encode())


def _for_others(picture: Reference) -> str:
    return shareable(picture.url) if picture.is_url else picture.url


def read_recipe(path: Path) -> tuple[VideoRequest | None, Receipt | None]:
    """Return the request and the receipt that a file's recipe holds; None for what it doesn't hold.

    Raises
    ------
    ViduError
        The file is missing or no video, or a newer version of this package wrote its recipe.
    """
    text = media.read_tags(path).get(RECIPE_TAG)
    try:
        recipe = json.loads(text or "")
        version = int(recipe["format"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None, None
    if version > RECIPE_FORMAT:
        raise ViduError(f"{path.name} has a recipe of format {version}", remedy="Upgrade vidu-nb to read it.")
    receipt = Receipt.from_dict(recipe["receipt"]) if isinstance(recipe.get("receipt"), dict) else None
    return request_from(recipe.get("request"), _pictures_in(path)), receipt


def describe(request: VideoRequest) -> dict[str, Any]:
    """Return a request as JSON-ready values for people and recipes: the pictures by name, size and hash."""
    pictures = [
        {"name": one.name, "size": one.size, "sha256": one.claim or one.sha256, "url": one.url if one.is_url else None}
        for one in request.references
    ]
    return {**request.payload(), "image_urls": pictures}


def request_from(payload: Any, pictures: Sequence[str | None] | None) -> VideoRequest | None:
    """Make a request of what `describe` wrote and its pictures as ``data:`` URIs.

    Parameters
    ----------
    payload
        What a file holds; it may be anything.
    pictures
        One for each reference, None for a URL's; None where all are URLs.

    Returns
    -------
    VideoRequest or None
        None where a picture is missing or the recipe makes no sense: a clip is worth showing without it.
    """
    try:
        notes = payload["image_urls"]
        urls = pictures or [None] * len(notes)
        references = [
            Reference.from_wire(str(note["url"] or url), name=str(note["name"]), sha256=str(note["sha256"]))
            for url, note in zip(urls, notes, strict=True)
        ]
        parameters = {name: value for name, value in payload.items() if name != "image_urls"}
        with quietly():  # it was made once, and warned of then
            # A recipe with "references" of its own makes no sense: they would be read as this machine's files.
            return VideoRequest(references=references, **parameters)
    except (ViduError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _pictures_in(path: Path) -> list[str] | None:
    box = media.read_box(path, PICTURES_BOX)
    try:
        pictures = json.loads(box) if box else None
    except (ValueError, RecursionError):
        return None
    return pictures if isinstance(pictures, list) else None
