"""The folders and file names of an archive, and recognising a folder that is one.

Nothing that a file's content says becomes a path but by way of this module, and each such text is checked here.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .errors import ArchiveError, InvalidRequest
from .files import copy_path, listed, working_folder

#: The folders that hold no engine's clips.
FOLDERS = frozenset({
    "budgets", "drafts", "films", "frames", "incoming", "journal", "locks", "quarantine", "references", "uploads",
})  # fmt: skip
PICTURE_ENDINGS = ("png", "jpg", "gif")  # of the pictures that were sent
_CLIP_NAME = re.compile(r"[a-z0-9-]+_(\d+)x(\d+)_seed(\d+)_([0-9a-f]{8})(?:_take\d+)?\.json")
_RATIO = re.compile(r"(\d{1,4}):(\d{1,4})")
_MAX_SEED = 10**12  # larger ones are nobody's, and a name has an end
KEY_DIGITS = 8  # of a request's key, in its clip's name


class ClipName(NamedTuple):
    """What a clip's file name holds of its request.

    Attributes
    ----------
    aspect_ratio : str
        Such as ``"16:9"``.
    seed : int
    start : str
        The first 8 digits of the request's key.
    """

    aspect_ratio: str
    seed: int
    start: str


def parse_clip_name(name: str) -> ClipName | None:
    """Return what the name of a clip's JSON file holds, None for any other name.

    >>> parse_clip_name("a-cat_16x9_seed42_1a2b3c4d_take2.json")
    ClipName(aspect_ratio='16:9', seed=42, start='1a2b3c4d')
    """
    found = _CLIP_NAME.fullmatch(name)
    return ClipName(f"{found[1]}:{found[2]}", int(found[3]), found[4]) if found else None


def is_entry(name: str) -> bool:
    """Return whether a text names a clip's JSON file below its archive: ``ENGINE/NAME.json``, and no other place.

    >>> is_entry("segmind/a-cat_16x9_seed42_1a2b3c4d.json"), is_entry("../a-cat_16x9_seed42_1a2b3c4d.json")
    (True, False)
    """
    folder, _, file = name.partition("/")
    return folder == folder_name(folder) and parse_clip_name(file) is not None


def entry_name(request: Mapping[str, Any], key: str) -> str:
    """Return the beginning of a clip's file names, whatever a journal says of its request.

    >>> entry_name({"prompt": "../A café, at night!", "aspect_ratio": "16:9", "seed": 7}, 64 * "a")
    'a-cafe-at-night_16x9_seed7_aaaaaaaa'
    """
    plain = unicodedata.normalize("NFKD", str(request.get("prompt"))).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "clip"
    ratio, seed = _RATIO.fullmatch(str(request.get("aspect_ratio"))), request.get("seed")
    number = int(seed) if isinstance(seed, int) and 0 <= seed < _MAX_SEED else 0
    size = f"{ratio[1]}x{ratio[2]}" if ratio else "0x0"
    return f"{words}_{size}_seed{number}_{key[:KEY_DIGITS]}"


def folder_name(engine: str) -> str:
    """Return an engine's name as a folder's; an archive's own folders belong to no engine.

    >>> folder_name("Api.Example:8000"), folder_name("../journal")
    ('api.example-8000', 'journal-host')
    """
    name = re.sub(r"[^a-z0-9.-]+", "-", engine.lower()).strip(".-") or "other"
    return f"{name}-host" if name in FOLDERS else name


def checked_hash(text: str) -> str:
    """Return the text, where it is 64 hexadecimal digits; only then may it become a part of a file's name.

    Raises
    ------
    ArchiveError
        It is anything else.

    >>> checked_hash("../../home/photo")
    Traceback (most recent call last):
    ...
    vidu_nb.errors.ArchiveError: '../../home/photo' is not a SHA-256 hash; nothing was written
    """
    if re.fullmatch("[0-9a-f]{64}", text):
        return text
    raise ArchiveError(f"{text[:80]!r} is not a SHA-256 hash; nothing was written")


def copy_target(path: str | os.PathLike[str], endings: Collection[str], *, made: Path | None = None) -> Path:
    """Return where a copy goes; refuse a place that can't be meant, best before something is made or paid for.

    Parameters
    ----------
    path
        A file to write, or a folder.
    endings
        How the names of such copies end; the first one is the usual one.
    made
        What is to be copied, where there is something; in a folder the copy has its name.

    Raises
    ------
    InvalidRequest
        The name ends in none of them, or the place is inside an archive.

    >>> copy_target("clip.mov", (".mp4", ".gif", ".webp"))
    Traceback (most recent call last):
    ...
    vidu_nb.errors.InvalidRequest: path: 'clip.mov' can't be written: a copy's name ends in .mp4, .gif or .webp
    """
    *others, last = endings
    target = copy_path(path, made.name if made else f"copy{next(iter(endings))}")
    check_outside(target, clip=made)
    if target.suffix.lower() not in (*endings, ""):  # a name without an ending has always been the usual kind's
        message = f"path: {target.name!r} can't be written: a copy's name ends in {', '.join(others)} or {last}"
        raise InvalidRequest(message, field="path")
    return target


def check_outside(target: Path, *, clip: Path | None = None) -> None:
    """Refuse a place for a copy that is inside an archive: best before a clip is made or paid for.

    An archive that is the working folder itself, or holds it, keeps its own folders; the rest is the user's.

    Parameters
    ----------
    target
        The file to be written, or the folder to write into.
    clip
        What would be copied: another name of the very same file is refused where it is an archive's.

    Raises
    ------
    InvalidRequest
        A kept clip's bytes would change, or a strange file lie where the archive looks for its own.
    """
    target = (target / "copy.mp4" if target.is_dir() else target).resolve()
    same = clip is not None and target.exists() and target.samefile(clip)
    if archive := _archive_around(target) or (_archive_around(clip.resolve()) if clip and same else None):
        raise InvalidRequest(
            f"path: save the copy outside of the archive, for example as {target.name!r} beside your notebook: "
            f"what lies in {archive} stays as it came",  # the cure first: paths may be long, and a message ends
            field="path",
        )


def _archive_around(target: Path) -> Path | None:
    here = working_folder()
    if holds_clips(target.parent):
        return target.parent
    for folder in target.parents:
        if is_archive(folder):
            first = target.relative_to(folder).parts[0].casefold()
            if first in FOLDERS or not (here and here.is_relative_to(folder)):
                return folder
    return None


def archive_of(path: Path) -> Path | None:
    """Return the archive whose engine's folder a file lies in, None for any other file."""
    folder = path.absolute().parent.parent
    return folder if is_archive(folder) else None


def is_archive(folder: Path) -> bool:
    """Return whether a folder has what every archive has had since its first call, with or without the journal."""
    return (folder / "incoming").is_dir() and any((folder / name).is_dir() for name in ("journal", "locks"))


def holds_clips(folder: Path) -> bool:
    """Return whether a folder is an engine's: a clip's metadata lies in it."""
    try:
        return any(map(parse_clip_name, listed(folder)))
    except OSError:
        return False  # then nothing can be written there either
