"""Maintenance of an archive: list, search, verify, export, prune. No clip is removed but those that are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..catalogue.request import Request
from ..errors import ArchiveError, InvalidRequest
from ..files import sync_folder
from ..folders import check_outside
from ..pictures import Picture, Pictures
from ..recipe import MODEL_FACT, describe, named_model, prompt_noted
from .archive import Archive, Entry

Row = dict[str, Any]


def listing(archive: Archive) -> list[Row]:
    """List every clip: its file, time, cost in US dollars and prompt; ``problem`` where it can't be read."""
    rows: list[Row] = []
    for entry in archive.entries():
        if isinstance(entry, ArchiveError):
            rows.append({"file": "", "problem": entry.message})
            continue
        receipt = entry.facts["receipt"]
        rows.append(
            {
                "file": _name(entry),
                "created_at": receipt.get("created_at"),
                "cost_usd": receipt.get("cost_usd"),
                "prompt": prompt_noted(entry.request, model=entry.facts.get(MODEL_FACT)) or None,
            }
        )
    return rows


def nearest(archive: Archive, request: Request, *, engine: str) -> str:
    """Say which of an engine's requests comes closest to one that is not in the archive, and in what it differs."""
    wanted, model = describe(request), named_model(request).get(MODEL_FACT)
    best: tuple[tuple[bool, int], str] | None = None
    for entry in archive.entries(engine=engine):
        if isinstance(entry, Entry) and (known := entry.request):
            differing = [name for name in wanted if _comparable(known.get(name)) != _comparable(wanted[name])]
            is_other = entry.facts.get(MODEL_FACT) != model
            differing = ["model", *differing] if is_other else differing
            rank = is_other, len(differing)
            if best is None or rank < best[0]:
                best = rank, f"{entry.clip.name} differs in {', '.join(differing) or 'nothing'}"
    return f"nothing is kept for this request; the nearest is: {best[1]}" if best else "nothing is kept here"


def verify(archive: Archive) -> list[Row]:
    """Compare every clip's bytes with the hash they were stored with; ``problem`` is empty where they agree."""
    return [_verified(archive, entry) for entry in archive.entries()]


def _verified(archive: Archive, entry: Entry | ArchiveError) -> Row:
    if isinstance(entry, ArchiveError):
        return {"file": "", "problem": entry.message}
    try:
        archive.open(entry)
    except ArchiveError as error:
        return {"file": _name(entry), "state": "damaged", "problem": error.message}
    return {"file": _name(entry), "state": "ok", "problem": ""}


def export(archive: Archive, folder: Path, names: Sequence[str] = (), *, references: bool = True) -> list[Row]:
    """Copy clips to another folder, with their recipes inside.

    Parameters
    ----------
    archive
        From where.
    folder
        To where; made if missing, and outside of every archive.
    names
        Clips as `listing` names them; all of them by default.
    references
        As for `Video.save`.

    Raises
    ------
    InvalidRequest
        The folder is inside an archive, or a name is not in this one.
    ArchiveError
        One of them is damaged.
    """
    check_outside(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for entry in _named(archive, names):
        made = archive.open(entry)
        for one in made if isinstance(made, Pictures) else (made,):
            target = folder / f"{entry.path.parent.name}-{one.path.name}"
            copy = one.save(target) if isinstance(one, Picture) else one.save(target, references=references)
            rows.append({"file": f"{entry.path.parent.name}/{one.path.name}", "copy": str(copy)})
    return rows


def prune(archive: Archive, names: Sequence[str]) -> list[Row]:
    """Remove the named clips with their metadata; the journal still holds that they were paid for.

    What killed processes left behind goes as well, see `Archive.tidy`.

    Raises
    ------
    InvalidRequest
        No name, or one that is not in the archive.
    """
    if not names:
        raise InvalidRequest("names: name each clip to remove, as the list prints them", field="names")
    rows = []
    for entry in list(_named(archive, names)):
        for path in entry.files:
            path.unlink(missing_ok=True)
        entry.path.unlink()
        sync_folder(entry.path.parent)
        rows.append({"file": _name(entry), "state": "removed"})
    archive.tidy()
    return rows


def _named(archive: Archive, names: Sequence[str]) -> Iterator[Entry]:
    found: dict[str, Entry] = {}
    for entry in archive.entries():
        if isinstance(entry, Entry):
            found[_name(entry)] = entry
        elif not names:  # all of them were asked for, and this is one
            raise entry
    unknown = [name for name in names if name not in found]
    if unknown:
        raise InvalidRequest(f"names: {unknown[0]!r} is not in this archive; list it first", field="names")
    yield from (found[name] for name in names or found)


def _name(entry: Entry) -> str:
    return f"{entry.path.parent.name}/{entry.clip.name}"


def _comparable(value: Any) -> Any:
    """Return a described value, and for a picture what tells it from others: not its name."""
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    return value["sha256"] if isinstance(value, dict) and "sha256" in value else value
