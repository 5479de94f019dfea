"""A cast's folder: its pictures, and beside them ``cast.toml``, which tells whose they are."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, one_line
from ..files import is_regular, listed, read_regular, reason, write_bytes
from ..folders import check_outside
from .images import SENT_BYTES, media_type
from .mentions import MAX_NAMES, fold, is_name
from .reference import Reference
from .sources import as_stored, data_uri

FILE = "cast.toml"
MAX_FILE_BYTES = 100_000
#: Of pictures that are found by their names, where there is no such file.
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
#: What Windows takes for a device, whatever its ending.
_DEVICE = re.compile("con|prn|aux|nul|(?:com|lpt)[0-9¹²³]", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*[^-_0-9])[-_]?([0-9]{1,2})")
_HEAD = """\
# A cast: each name with its pictures. They lie beside this file, or are https:// addresses.
# A picture with hashes is sent as it lies here, so that what was paid for with it is found again.
"""


def save_folder(folder: Path, members: Mapping[str, Sequence[Reference]]) -> None:
    """Write the pictures, and what tells whose they are; parameters and errors are those of `Cast.save`."""
    check_outside(folder)
    named = {
        name: [(_file_name(name, i, many), one) for i, one in enumerate(many, 1)] for name, many in members.items()
    }
    todo = {file: one for many in named.values() for file, one in many if not _is_there(folder / file, one)}
    own = {fold(file) for file in _listed_files(folder)}
    if strange := next((file for file in todo if fold(file) not in own and (folder / file).exists()), None):
        message = f"{one_line(str(folder / strange), 200)} is there already and holds something else"
        raise InvalidRequest(f"cast: {message}: choose another folder", field="cast")
    folder.mkdir(parents=True, exist_ok=True)
    for file, picture in todo.items():
        if not picture.is_url:
            write_bytes(folder / file, picture.bytes)
    lines = [
        f"{_quoted(name)} = [{', '.join(_entry(folder / file, one) for file, one in many)}]"
        for name, many in named.items()
    ]
    write_bytes(folder / FILE, (_HEAD + "\n".join(lines) + "\n").encode())


def read_folder(folder: Path) -> dict[str, list[Reference]]:
    """Read the pictures of each name; parameters and errors are those of `Cast.load`."""
    if not folder.is_dir():
        raise InvalidRequest(f"cast: {one_line(str(folder), 200)} is no folder", field="cast")
    found = _listed(folder) if FILE in listed(folder) else _by_names(folder)
    if len(found) > MAX_NAMES:
        raise InvalidRequest(f"cast: {len(found):,} names: at most {MAX_NAMES} are taken", field="cast")
    if strange := [name for name in found if not is_name(name)]:
        problem = f"{one_line(repr(strange[0]), 60)} can't be written after an @"
        raise InvalidRequest(f"cast: {one_line(str(folder), 200)}: {problem}", field="cast")
    return {name: [_picture_in(folder, name, one) for one in many] for name, many in found.items()}


# Writing.


def _file_name(name: str, number: int, many: Sequence[Reference]) -> str:
    """Return a picture's file name: no two names share one, since a name holds no spaces."""
    picture = many[number - 1]
    ending = "" if picture.is_url else media_type(picture.bytes).replace("jpeg", "jpg")
    is_plain = len(many) == 1 and not _DEVICE.fullmatch(name)
    return f"{name}.{ending}" if is_plain else f"{name} {number}.{ending}"


def _is_there(path: Path, picture: Reference) -> bool:
    """Return whether a file holds a picture, as it is sent or as somebody had it: that one stays as it is."""
    if picture.is_url:
        return True
    if not is_regular(path):
        return False
    try:
        sent = picture.bytes
        return (path.stat().st_size == len(sent) and path.read_bytes() == sent) or Reference(path) == picture
    except (InvalidRequest, OSError):
        return False


def _entry(path: Path, picture: Reference) -> str:
    """Return what stands for a picture in ``cast.toml``: text where reading the file gives the same picture again."""
    if picture.is_url:
        return _quoted(picture.url)
    try:
        if Reference(path) == picture:
            return _quoted(path.name)
    except InvalidRequest:
        pass  # it is damaged, and stays so
    sent = hashlib.sha256(picture.bytes).hexdigest()
    return f'{{file = {_quoted(path.name)}, sent = "{sent}", sha256 = "{picture.claim or picture.sha256}"}}'


def _quoted(text: str) -> str:
    """Return a text as a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


# Reading.


def _listed_files(folder: Path) -> list[str]:
    """Return the files that a folder's ``cast.toml`` names, none where it can't be read."""
    try:
        found = _listed(folder) if FILE in listed(folder) else {}
    except InvalidRequest:
        return []
    return [_file_of(one) for many in found.values() for one in many]


def _file_of(entry: Any) -> str:
    return str(entry["file"] if isinstance(entry, dict) else entry)


def _listed(folder: Path) -> dict[str, list[Any]]:
    """Return what a folder's ``cast.toml`` says, as far as its form is right."""
    problem, found = "", {}
    try:
        if (folder / FILE).lstat().st_size > MAX_FILE_BYTES:
            problem = f"is larger than {MAX_FILE_BYTES // 1000} kB"
        else:
            found = tomllib.loads(read_regular(folder / FILE).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # of tomllib; a number of thousands of digits is one of Python's own
        problem = f"can't be read ({one_line(str(error), 120)})"
    except OSError as error:
        problem = reason(error)
    entries = {name: many if isinstance(many, list) else [many] for name, many in found.items()}
    if strange := [name for name, many in entries.items() if not all(map(_is_entry, many))]:
        problem = f"{one_line(strange[0], 60)} must be the name of a picture, or a list of them"
    if problem:
        raise InvalidRequest(f"cast: {one_line(str(folder / FILE), 200)}: {problem}", field="cast")
    return entries


def _is_entry(one: object) -> bool:
    texts = one.values() if isinstance(one, dict) and "file" in one else [one]
    return all(isinstance(text, str) for text in texts)


def _picture_in(folder: Path, name: str, entry: Any) -> Reference:
    """Return a picture that lies in the folder itself, or is an address; nothing else is opened."""
    text = _file_of(entry)
    problem = ""
    try:
        if text.startswith("https://"):
            return Reference(text)
        is_plain = text.isprintable() and text == Path(text).name and "\\" not in text
        path = as_stored(folder / text) if is_plain and text not in ("", ".", "..") else None
        if path is None or not is_regular(path):
            problem = "is no picture in the folder, and no https:// address"
        else:
            return (_as_sent(path, entry) if isinstance(entry, dict) else None) or Reference(path)
    except InvalidRequest as error:
        problem = error.message
    except OSError as error:  # a name that is longer than a file's can be
        problem = reason(error)
    raise InvalidRequest(f"cast: {name}: {one_line(repr(text), 80)}: {problem}", field="cast")


def _as_sent(path: Path, entry: Mapping[str, str]) -> Reference | None:
    """Return a picture whose encoding changed its pixels, under the hash that these had; None where it is another."""
    if path.stat().st_size > SENT_BYTES:
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.get("sent"):
        return None
    return Reference.from_wire(data_uri(data), sha256=entry.get("sha256"))


def _by_names(folder: Path) -> dict[str, list[Any]]:
    """Return the pictures in a folder by their names: ``anna1.jpg`` and ``anna2.jpg`` are two of anna."""
    stems: dict[str, str] = {}
    for file in sorted(listed(folder)):
        stem, dot, ending = file.rpartition(".")
        if f"{dot}{ending}".lower() in ENDINGS and stem and not stem.startswith(".") and is_regular(folder / file):
            stems[file] = _as_name(stem)
    if not stems:
        problem = f"has neither {FILE} nor pictures"
        raise InvalidRequest(f"cast: {one_line(str(folder), 200)} {problem}", field="cast")
    numbered = {file: _NUMBERED.fullmatch(stem) for file, stem in stems.items()}
    bases = [fold(stem) for stem in stems.values()] + [fold(found[1]) for found in numbered.values() if found]
    found: dict[str, tuple[str, list[tuple[int, str]]]] = {}
    for file, stem in stems.items():
        match = numbered[file]
        name, number = (match[1], int(match[2])) if match and bases.count(fold(match[1])) > 1 else (stem, 0)
        found.setdefault(fold(name), (name, []))[1].append((number, file))
    return {name: [file for _, file in sorted(many)] for name, many in found.values()}


def _as_name(stem: str) -> str:
    """Return a file's name as one that can be written after an @: what can't becomes a hyphen."""
    text = "".join(c if is_name(f"a{c}") else "-" for c in unicodedata.normalize("NFC", stem))
    return re.sub("-+", "-", text).strip("-") or stem
