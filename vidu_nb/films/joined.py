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
from ..errors import ArchiveError, ViduError
from ..files import is_regular, reason, remove_parts, write_atomically
from ..receipt import Receipt
from ..recipe import append_pictures, recipe_tags
from ..video import Video
from .joining.plan import Part, plan_joined
from .joining.write import write_joined
from .recipe import film_media, film_recipe
from .scene import MUSIC

if TYPE_CHECKING:
    from .film import Film

_JOIN_TIMEOUT = 3600.0  # s; of another kernel that joins the same film
JOIN_VERSION = 2  # raised when joined clips change, so that none of an older version is taken for it


def joined_film(film: Film, clips: Mapping[int, Video], client: Client) -> Video:
    """Return the clips of all scenes as one; what was joined before is not joined again.

    Raises
    ------
    ViduError
        A clip or the music can't be read, or the archive can't be written; the message says which.
    """
    ordered = [clips[index] for index in range(len(film))]
    recipe = film_recipe(film, ordered)
    recipe["receipt"] = _receipt(film, ordered, client).to_dict()
    digest = _digest(film, ordered, recipe)
    path = client.archive.films / f"{_stem(film)}_{digest}.mp4"
    problem = ""
    try:
        if not is_regular(path):
            with client.archive.lock(f"film-{digest}", timeout=_JOIN_TIMEOUT):
                if not is_regular(path):  # else another kernel joined it meanwhile
                    remove_parts(path.parent)
                    write_atomically(path, lambda part: _write(film, ordered, recipe, part))
    except OSError as error:
        problem = f"the joined film can't be written to {path.parent}: {reason(error)}"
    if problem:
        raise ArchiveError(
            problem, remedy="The scenes' clips are kept: free disk space, or copy the archive to where you may write."
        )
    return Video(path, None, Receipt.from_dict(recipe["receipt"]))


def _write(film: Film, clips: list[Video], recipe: dict[str, Any], part: Path) -> None:
    plan = plan_joined(
        [Part(clip.path, scene.title) for clip, scene in zip(clips, film.scenes, strict=True)],
        music=film.music,
        dissolve=film.dissolve,
        seed=_seed(clips),
        prompt=" ".join(scene.prompt for scene in film.scenes),
    )
    told = {**recipe, "film": {**recipe["film"], "notes": list(plan.notes)}}
    write_joined(plan, part, recipe_tags(told))
    append_pictures(part, film_media(film))


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


def _digest(film: Film, clips: list[Video], recipe: Mapping[str, Any]) -> str:
    """Return a name for all that a joined clip is made of: its recipe, and the very bytes of clips and music."""
    files = [(clip.receipt and clip.receipt.sha256) or _sha256(clip.path) for clip in clips]
    music = film.music if film.music in MUSIC else _sha256(Path(film.music))
    counted = {name: value for name, value in recipe.items() if name != "made_with"}
    identity = json.dumps([JOIN_VERSION, music, files, counted], sort_keys=True, default=str)
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _sha256(path: Path) -> str:
    problem = ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        problem = reason(error)
    raise ViduError(f"{path} can't be read ({problem})", remedy="Check the path.")


def _stem(film: Film) -> str:
    text = film.title or film[0].title or film[0].prompt
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "film"


def _seed(clips: list[Video]) -> int:
    return next((clip.seed for clip in clips if clip.seed), 42)
