"""A film's joined clip: made of its scenes' clips once, and kept beside the archive's own."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client.client import Client
from ..files import is_regular, write_atomically
from ..receipt import Receipt
from ..recipe import write_film
from ..video import Video
from .joining import Part, join
from .recipe import film_media, film_recipe

if TYPE_CHECKING:
    from .film import Film

JOIN_VERSION = 1  # raised when joined clips change, so that none of an older version is taken for it


def joined_film(film: Film, clips: Mapping[int, Video], client: Client) -> Video:
    """Return the clips of all scenes as one; what was joined before is not joined again.

    Raises
    ------
    ViduError
        A clip or the music can't be read.
    OSError
        The result can't be written.
    """
    ordered = [clips[index] for index in range(len(film))]
    recipe = film_recipe(film, ordered)
    recipe["receipt"] = _receipt(film, ordered, client).to_dict()
    path = client.archive.films / f"{_stem(film)}_{_digest(film, recipe)}.mp4"
    if not is_regular(path):
        parts = [Part(clip.path, scene.title) for clip, scene in zip(ordered, film.scenes, strict=True)]

        def write(part: Path) -> None:
            words = " ".join(scene.prompt for scene in film.scenes)
            notes = join(parts, part, music=film.music, dissolve=film.dissolve, seed=_seed(ordered), prompt=words)
            write_film(part, {**recipe, "film": {**recipe["film"], "notes": list(notes)}}, film_media(film))

        write_atomically(path, write)
    return Video(path, None, Receipt.from_dict(recipe["receipt"]))


def _receipt(film: Film, clips: list[Video], client: Client) -> Receipt:
    """Sum up the receipts of the scenes' clips."""
    receipts = [(clip.receipt.original or clip.receipt) for clip in clips if clip.receipt]
    costs = [one.cost_usd for one in receipts if one.cost_usd is not None]
    return Receipt(
        engine=client.engine,
        model=client.name_of(film.model),
        cost_usd=round(sum(costs), 9) if len(costs) == len(clips) else None,
        elapsed_s=round(sum(one.elapsed_s or 0.0 for one in receipts), 3),
        created_at=max((one.created_at for one in receipts), default=""),
        engine_version=receipts[0].engine_version if receipts else None,
    )


def _digest(film: Film, recipe: Mapping[str, Any]) -> str:
    music = hashlib.sha256(Path(film.music).read_bytes()).hexdigest() if "/" in film.music else film.music
    counted = {name: value for name, value in recipe.items() if name != "made_with"}
    identity = json.dumps([JOIN_VERSION, music, counted], sort_keys=True, default=str)
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _stem(film: Film) -> str:
    text = film.title or film[0].title or film[0].prompt
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "film"


def _seed(clips: list[Video]) -> int:
    return next((clip.seed for clip in clips if clip.seed), 42)
