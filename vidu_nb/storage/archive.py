"""The archive: one folder of plain files with every clip, its metadata and the journal of calls.

    vidu_archive/
      .gitignore                                 keeps git out; where the folder was made for the archive
      segmind/WORDS_16x9_seed42_1a2b3c4d.mp4     the clip's own bytes, untouched
      segmind/WORDS_16x9_seed42_1a2b3c4d.json    beside it: request, receipt, sha256
      segmind/WORDS_768x512_seed7_2b3c4d5e.jpg   a picture: .png, .jpg, .gif, .webp; further ones of its call are _2, _3
      preview/...                                the same for each engine; previews with a CACHEDIR.TAG for backups
      references/HASH.png                        the pictures that were sent
      journal/1a/KEY.ATTEMPT.json                what happened to each call
      incoming/  quarantine/  locks/             answers on their way; answers that are no clip; locks
      budgets/  uploads/  drafts/                what sweeps may spend; links of pictures; the panel's live drafts
      films/  frames/                            joined clips; last frames that others begin with, as they are sent

Only names made here are ever opened: nothing that a file's content says is used as a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..catalogue.request import PREVIEW, Request
from ..environment import setting
from ..errors import ArchiveError
from ..files import (
    expanded,
    is_abandoned,
    is_regular,
    listed,
    make_folder,
    read_regular,
    reason,
    remove_parts,
    sync_folder,
    write_bytes,
)
from ..folders import (
    FOLDERS,
    KEY_DIGITS,
    PICTURE_ENDINGS,
    ClipName,
    checked_hash,
    entry_name,
    folder_name,
    holds_clips,
    is_entry,
    parse_clip_name,
)
from ..image_file import ENDINGS, format_of, packed, unpacked
from ..locks import hold, hold_once
from ..pictures import Picture, Pictures, made_of
from ..receipt import Receipt
from ..recipe import MODEL_FACT, media_noted, name_parts, request_from
from ..references.makers import MADE_BY
from ..references.reference import Reference, identify, with_maker, with_signature
from ..references.sources import data_uri, is_png
from ..video import Video
from .journal import Attempt, Journal

ENV_FOLDER = "VIDU_NB_ARCHIVE"
FOLDER = "vidu_archive"
FORMAT = 2
_CLIPS_FORMAT = 1  # of a clip's metadata, which versions before 0.3 read as well
_GITIGNORE = """\
# Made by vidu-nb: clips are large, and prompts and pictures may be private. git offers nothing of this folder.
# To put the archive under version control, delete this file: it is not written again.
*
"""
#: For previews alone: a backup that passes over paid clips would lose money.
_CACHEDIR_TAG = """\
Signature: 8a477f597d28d172789f06886806bc55
# Made by vidu-nb: free previews, which are made anew where they are missing. See https://bford.info/cachedir/
"""
MIN_FREE_BYTES = 100_000_000  # a clip, its copy on the way and its metadata, several times over
Made = Video | Picture | Pictures  # what one call brings
_STORE_TIMEOUT = 60.0  # s; storing takes milliseconds
_TAKE = re.compile(r"[0-9a-f]{64}-[0-9a-f]{8}")  # the lock of a take that nobody else asks for


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of an archive, or what one call brought of pictures: its JSON file and what that says."""

    path: Path
    facts: dict[str, Any]

    @property
    def clip(self) -> Path:
        """The MP4 or the first picture beside the JSON."""
        return self.files[0]

    @property
    def files(self) -> tuple[Path, ...]:
        """The MP4, or all pictures, beside the JSON."""
        endings = [ENDINGS[one["format"]] for one in self.facts.get("pictures", ())]
        return _files_beside(self.path, endings or ["mp4"])

    @property
    def hashes(self) -> list[str]:
        """The SHA-256 that each file had when it was stored."""
        return [one["sha256"] for one in self.facts.get("pictures", ())] or [self.facts["sha256"]]

    @property
    def request(self) -> dict[str, Any]:
        """What was asked, as `recipe.describe` wrote it; empty where the JSON doesn't hold it."""
        request = self.facts.get("request")
        return request if isinstance(request, dict) else {}

    @property
    def name(self) -> str:
        """The JSON file below the archive's folder, such as ``segmind/a-cat_16x9_seed42_1a2b3c4d.json``."""
        return f"{self.path.parent.name}/{self.path.name}"


class Archive:
    """Clips and the journal of calls, in one folder of plain files.

    Safe between threads, processes and kernels that share the folder.

    Parameters
    ----------
    folder
        Where; defaults to ``VIDU_NB_ARCHIVE``, else ``vidu_archive`` in the working folder, beside the notebook. Made
        at the first call.

    Attributes
    ----------
    folder : pathlib.Path
        The absolute path.
    journal : Journal
        What happened to each call.
    budgets, drafts, films, frames, incoming, locks, references, uploads : pathlib.Path
        Folders in it that hold no engine's clips.

    >>> archive = Archive("clips")
    >>> archive.find(64 * "0", engine="segmind") is None, [archive.open(entry) for entry in archive.entries()]
    (True, [])
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        chosen = folder if folder is not None else setting(ENV_FOLDER) or FOLDER
        self.folder = expanded(chosen).absolute()
        self.journal = Journal(self.folder / "journal")
        self.budgets = self.folder / "budgets"
        self.drafts = self.folder / "drafts"
        self.films = self.folder / "films"
        self.frames = self.folder / "frames"
        self.incoming = self.folder / "incoming"
        self.locks = self.folder / "locks"
        self.references = self.folder / "references"
        self.uploads = self.folder / "uploads"

    def lock_path(self, name: str) -> Path:
        """Return a lock's file."""
        return self.locks / f"{name}.lock"

    def lock(
        self, name: str, *, timeout: float, waiting: Callable[[], object] | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Hold a request's lock, or a single take's, whose file goes with it; the rest is as for `locks.hold`."""
        make_folder(self.folder, ".gitignore", _GITIGNORE)
        take = hold_once if _TAKE.fullmatch(name) else hold
        return take(self.lock_path(name), timeout=timeout, waiting=waiting)

    def check_disk_space(self) -> None:
        """Make sure that a clip can be kept, before it is paid for.

        Raises
        ------
        ArchiveError
            The folder can't be made, or less than `MIN_FREE_BYTES` are free.
        """
        try:
            self.incoming.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise self._cannot_keep(f"can't be written ({reason(error)})") from error
        if free < MIN_FREE_BYTES:
            raise self._cannot_keep(f"has only {free // 1_000_000} MB left")
        self._tidy_daily()

    def _cannot_keep(self, problem: str) -> ArchiveError:
        return ArchiveError(
            f"nothing was sent, since the result could not be kept: {self.folder} {problem}",
            remedy="Free disk space, or set VIDU_NB_ARCHIVE to another folder.",
        )

    def budget_file(self, name: str) -> Path:
        """Return the file of a sweep's own budget.

        Raises
        ------
        ArchiveError
            A link is in its place, and the amounts would be written elsewhere.
        """
        path = self.budgets / f"{name}.json"
        if path.is_symlink():
            raise ArchiveError(f"{path} is a link, which is not followed", remedy="Move it elsewhere.")
        return path

    def tidy(self) -> None:
        """Remove what killed processes left more than a day ago: parts of files, and the locks of single takes."""
        engines = (self.folder / name for name in listed(self.folder) if holds_clips(self.folder / name))
        own = (Path(found[0]) for name in FOLDERS for found in os.walk(self.folder / name))
        for folder in (*engines, *own):  # an archive may be the notebook's own folder: the rest is the user's
            remove_parts(folder, unsigned=True)
        for path in map(self.locks.joinpath, listed(self.locks)):
            if _TAKE.fullmatch(path.stem) and is_abandoned(path):
                with contextlib.suppress(OSError), hold_once(path, timeout=0):
                    pass  # nobody holds it: it goes

    def _tidy_daily(self) -> None:
        stamp = self.locks / "tidied"
        if not is_regular(stamp) or is_abandoned(stamp):
            with contextlib.suppress(OSError):  # it can wait
                write_bytes(stamp, b"")
                self.tidy()

    # Pictures.

    def reference_path(self, reference: Reference) -> Path:
        """Return the file in which a picture is stored once it was sent."""
        name = checked_hash(reference.sha256)
        return self._picture_file(name) or self.references / f"{name}.{_ending(reference.url)}"

    def keep_references(self, request: Request) -> None:
        """Store the pictures that are about to be sent, once each."""
        for reference in request.pictures:
            if not reference.is_url and not is_regular(path := self.reference_path(reference)):
                write_bytes(path, reference.bytes)

    def recognise(self, request: Request) -> Request:
        """Return the request with its pictures under the hashes that this archive knows them by.

        A saved clip claims a hash for each picture in it. Where that can't be computed from the picture, since it was
        encoded with loss, `load` doesn't believe it: somebody else's picture would be answered by a clip of yours. The
        claim is true where the very same bytes are kept here under that hash.

        Raises
        ------
        ArchiveError
            A picture is kept here and can't be read.
        """
        if not any(one.claim for one in request.pictures):
            return request
        try:
            return request.with_pictures(lambda one: identify(one, self._picture(one.claim)))
        except OSError as error:
            raise ArchiveError(
                f"a picture in {self.references} can't be read ({reason(error)})",
                remedy="It tells whether this request was paid for before: bring it back, or move it elsewhere.",
            ) from error

    def key_of(self, request: Request, *, engine: str, model: str) -> str:
        """Return a request's key in this archive: that of version 0.1 where nothing else is known of it.

        Parameters
        ----------
        request
            From `recognise`.
        engine, model
            As for `VideoRequest.key`.

        Raises
        ------
        ArchiveError
            The journal can't be read.
        """
        signed = request.with_pictures(with_signature)
        now, earlier = (one.key(engine=engine, model=model) for one in (request, signed))
        return now if now == earlier else next((key for key in (now, earlier) if self._knows(key, engine)), now)

    def _knows(self, key: str, engine: str) -> bool:
        attempts = self.journal.attempts_for(key)
        return any(one.is_open or one.state == "stored" for one in attempts) or bool(self._named_like(key, engine))

    def _picture_file(self, sha256: str) -> Path | None:
        paths = (self.references / f"{checked_hash(sha256)}.{kind}" for kind in PICTURE_ENDINGS)
        return next(filter(is_regular, paths), None)

    def _picture(self, sha256: str) -> str | None:
        """Return a stored picture as a ``data:`` URI, None where there is none."""
        path = self._picture_file(sha256) if sha256 else None
        return data_uri(read_regular(path)) if path else None

    # An answer's way: received, then stored or put aside.

    def receive(self, attempt: Attempt, data: bytes) -> Path:
        """Put an answer's bytes on disk before anybody looks at them.

        Raises
        ------
        ArchiveError
            They could not be written here; they lie in a fallback folder that the message names, and in `.data`.
        """
        path = self._incoming(attempt)
        try:
            write_bytes(path, data)
        except OSError as error:
            raise _rescued(attempt, data, f"{self.folder} can't be written ({reason(error)})") from error
        return path

    def has_received(self, attempt: Attempt) -> bool:
        """Return whether `received` has something to read."""
        return os.path.lexists(self._incoming(attempt)) or self._stored_by(attempt) is not None

    def received(self, attempt: Attempt) -> bytes | None:
        """Return the bytes that `receive` put on disk, None where there are none.

        They may have a clip's place already: of a process that ended, or could not write, just before the journal's
        last line. `store` then finds it there.

        Raises
        ------
        OSError
            They are there and can't be read.
        """
        if os.path.lexists(self._incoming(attempt)):
            return read_regular(self._incoming(attempt))
        entry = self._stored_by(attempt)
        found = list(map(read_regular, entry.files)) if entry else []
        return packed(found) if entry and list(map(_sha256, found)) == entry.hashes else None

    def drop_received(self, attempt: Attempt) -> None:
        """Remove an answer that was used up."""
        self._incoming(attempt).unlink(missing_ok=True)

    def quarantine(self, attempt: Attempt, data: bytes) -> Path:
        """Keep an answer that is no clip, for a person to look at."""
        path = self.put_aside(attempt, data)
        self.drop_received(attempt)
        return path

    def put_aside(self, attempt: Attempt, data: bytes) -> Path:
        """Keep an answer for a person to look at that brought less than it should; what came of it goes on."""
        path = self.folder / "quarantine" / f"{attempt.id}.bin"
        write_bytes(path, data)
        return path

    def store(self, attempt: Attempt, data: bytes, receipt: Receipt) -> Entry:
        """Give what was received its place, with its metadata beside it; doing it twice changes nothing.

        Parameters
        ----------
        attempt
            The call.
        data
            A clip, a picture, or several as `image_file.packed` makes one of them.
        receipt
            Of the call, with the hash of the clip or of the first picture.

        Raises
        ------
        ArchiveError
            They could not be written; the bytes stay where `receive` put them, and in `.data`.
        """
        asked, pictures = attempt.facts["request"], unpacked(data)
        facts = {
            "format": FORMAT if pictures else _CLIPS_FORMAT,
            "key": attempt.facts["key"],
            "attempt": attempt.id,
            "sha256": receipt.sha256,
            **(
                {"pictures": [{"format": format_of(one), "sha256": _sha256(one)} for one in pictures]}
                if pictures
                else {}
            ),
            **{name: attempt.facts[name] for name in (MODEL_FACT,) if name in attempt.facts},
            "request": asked,
            "receipt": receipt.to_dict(),
        }
        name = entry_name(name_parts(asked, model=attempt.facts.get(MODEL_FACT)), facts["key"])
        stem = self.folder / folder_name(attempt.facts["engine"]) / name
        lock = self.lock_path(f"store-{facts['key'][:2]}")  # takes of one request look for a free name one by one
        try:
            with hold(lock, timeout=_STORE_TIMEOUT):
                if stem.parent.name == PREVIEW:
                    make_folder(stem.parent, "CACHEDIR.TAG", _CACHEDIR_TAG)
                entry = Entry(_free_name(stem, facts), facts)
                write_bytes(entry.path, json.dumps(facts, indent=1, ensure_ascii=False).encode(), sync_name=False)
                if len(pictures) > 1:
                    self._place_each(attempt, entry, pictures)
                else:
                    self._place(attempt, entry, data)
        except OSError as error:
            raise _rescued(attempt, data, f"{self.folder} can't be written ({reason(error)})") from error
        with contextlib.suppress(OSError):  # the clip is kept, whatever the journal says: see `received`
            attempt.add("stored", entry=entry.name)
        return entry

    def _place(self, attempt: Attempt, entry: Entry, data: bytes) -> None:
        """Give one file its place: the very one that was received."""
        incoming = self._incoming(attempt)
        if not is_regular(incoming):
            write_bytes(incoming, data)
        incoming.replace(entry.clip)
        sync_folder(entry.path.parent)

    def _place_each(self, attempt: Attempt, entry: Entry, pictures: Sequence[bytes]) -> None:
        """Give each picture its place; what was received stays until all of them have it."""
        for path, picture in zip(entry.files, pictures, strict=True):
            write_bytes(path, picture, sync_name=False)
        sync_folder(entry.path.parent)
        self.drop_received(attempt)

    def _incoming(self, attempt: Attempt) -> Path:
        return self.incoming / f"{attempt.id}.body"

    def _stored_by(self, attempt: Attempt) -> Entry | None:
        """Return the clip that an open attempt has brought, as far as the clip itself says so."""
        for path in self._named_like(attempt.facts["key"], attempt.facts["engine"]) if attempt.is_open else ():
            with contextlib.suppress(ArchiveError):
                entry = self._read(path)
                if entry.facts.get("attempt") == attempt.id and all(map(os.path.lexists, entry.files)):
                    return entry
        return None

    # Finding and reading.

    def find(self, key: str, *, engine: str) -> Entry | None:
        """Return the newest clip for a request's key, None where there is none.

        Raises
        ------
        ArchiveError
            An entry is there and can't be used: damaged, or of a newer format.
        """
        return self.find_journalled(key) or self._find_by_name(key, engine)

    def find_journalled(self, key: str) -> Entry | None:
        """Find among the clips that the journal knows: all but those brought here from elsewhere."""
        for attempt in reversed(self.journal.attempts_for(key)):
            name = attempt.latest("entry") if attempt.state == "stored" else None
            if isinstance(name, str) and is_entry(name) and os.path.lexists(self.folder / name):
                entry = self._read(self.folder / name)
                if entry.facts["key"] == key:
                    return entry
        return None

    def takes(self, key: str, *, engine: str) -> list[Entry]:
        """Return every clip for a request's key, in the order in which they came.

        Raises
        ------
        ArchiveError
            As for `find`.
        """
        attempts = self.journal.attempts_for(key)
        found = [
            entry
            for entry in map(self._read, self._named_like(key, engine))
            if entry.facts["key"] == key and not self._is_being_stored(entry, attempts)
        ]
        return sorted(found, key=_arrival)

    def keys(self, engine: str) -> set[ClipName]:
        """Return what the names of an engine's clips hold of their requests, in one look at its folder.

        A name holds the beginning of a key: `find` says for certain.
        """
        return {known for name in listed(self.folder / folder_name(engine)) if (known := parse_clip_name(name))}

    def entries(self, *, engine: str | None = None, newest: int | None = None) -> Iterator[Entry | ArchiveError]:
        """Return every clip's entry, in the order of their names; an error in place of one that can't be read.

        Parameters
        ----------
        engine
            Only this engine's.
        newest
            Only so many, the newest first.
        """
        folders = [folder_name(engine)] if engine else filter(_is_an_engines, sorted(listed(self.folder)))
        places = (self.folder / folder for folder in folders)
        paths = [place / name for place in places for name in sorted(listed(place)) if parse_clip_name(name)]
        for path in paths if newest is None else sorted(paths, key=_modified, reverse=True)[:newest]:
            if path.is_symlink():
                continue
            try:
                yield self._read(path)
            except ArchiveError as error:
                yield error

    def entry(self, name: str) -> Entry | None:
        """Return the entry of a name such as `Entry.name`, None where there is none.

        Raises
        ------
        ArchiveError
            It is damaged, or of a newer format.
        """
        path = self.folder / name
        return self._read(path) if is_entry(name) and os.path.lexists(path) else None

    def open(self, entry: Entry, *, request: Request | None = None) -> Made:
        """Return what is kept as a `Video`, a `Picture` or `Pictures`, after its bytes were checked against their hash.

        Parameters
        ----------
        entry
            From `find` or `entries`.
        request
            The request, where it is at hand; else it is put together from the metadata and the kept pictures.

        Raises
        ------
        ArchiveError
            A file is missing or its bytes have changed.
        """
        for path, sha256 in zip(entry.files, entry.hashes, strict=True):
            try:
                is_whole = _sha256(read_regular(path)) == sha256
            except OSError as error:
                raise _unusable_clip(path, f"can't be read ({reason(error)})") from error
            if not is_whole:
                raise _unusable_clip(path, "has changed since it was kept")
        made = Receipt.from_dict(entry.facts["receipt"])
        return self.made(entry, request, replace(made, replayed=True, cost_usd=0.0, original=made))

    def made(self, entry: Entry, request: Request | None, receipt: Receipt) -> Made:
        """Return what an entry holds, without a look at its bytes; parameters as for `open`."""
        asked = _with_makers(request, entry) if request else self.request_of(entry)
        if "pictures" not in entry.facts:
            return Video(entry.clip, asked, receipt)
        return made_of(
            Picture(path, asked, _of_one(receipt, sha256))
            for path, sha256 in zip(entry.files, entry.hashes, strict=True)
        )

    def request_of(self, entry: Entry) -> Request | None:
        """Return the request that an entry answers, with its pictures; None where one of them is gone."""
        try:
            pictures = [self._picture(note["sha256"]) for note in _notes(entry)]
        except (OSError, ArchiveError, TypeError, KeyError):
            return None
        request = request_from(entry.request, pictures, model=entry.facts.get(MODEL_FACT))
        return self.recognise(request) if request else None

    def _find_by_name(self, key: str, engine: str) -> Entry | None:
        """Find a clip by the part of the key in its name: it may have been brought here without its journal."""
        found = self.takes(key, engine=engine)
        return max(found, key=lambda entry: str(entry.facts["receipt"].get("created_at")), default=None)

    def _named_like(self, key: str, engine: str) -> list[Path]:
        folder, part = self.folder / folder_name(engine), f"_{key[:KEY_DIGITS]}"
        return [folder / name for name in sorted(n for n in listed(folder) if part in n and n.endswith(".json"))]

    def _is_being_stored(self, entry: Entry, attempts: list[Attempt]) -> bool:
        """Return whether `store` is between its two steps: the metadata has its place, the clip is still incoming."""
        if all(path.exists() for path in entry.files):
            return False
        waiting = (self._incoming(attempt) for attempt in attempts if attempt.is_open)
        answers = (read_regular(path) for path in waiting if is_regular(path))
        return any(entry.hashes == list(map(_sha256, unpacked(one) or (one,))) for one in answers)

    def _read(self, path: Path) -> Entry:
        try:
            facts = json.loads(read_regular(path))
            if facts["format"] > FORMAT:
                raise _unusable_metadata(path, f"has format {facts['format']}: upgrade vidu-nb to read it")
            _check(facts)
        except OSError as error:
            raise _unusable_metadata(path, f"can't be read ({reason(error)})") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _unusable_metadata(path, "is damaged") from error
        return Entry(path, facts)

    def __repr__(self) -> str:
        return f"Archive({str(self.folder)!r})"


def _arrival(entry: Entry) -> tuple[str, int, str]:
    """Return what sorts takes in the order in which they came; within a second, by the numbers in their names."""
    return str(entry.facts["receipt"].get("created_at")), len(entry.path.name), entry.path.name


def _ending(uri: str) -> str:
    return "gif" if uri.startswith("data:image/gif") else "png" if is_png(uri) else "jpg"


def _notes(entry: Entry) -> list[Mapping[str, Any]]:
    return media_noted(entry.request, model=entry.facts.get(MODEL_FACT))


def _with_makers(request: Request, entry: Entry) -> Request:
    """Return the request with what an entry remembers of how its pictures were made."""
    makers = {str(note.get("sha256")): note[MADE_BY] for note in _notes(entry) if note.get(MADE_BY)}
    return request.with_pictures(lambda one: with_maker(one, makers.get(one.sha256))) if makers else request


def _check(facts: dict[str, Any]) -> None:
    """Raise one of the errors that `Archive._read` expects where this is not what `store` wrote."""
    pictures = facts.get("pictures", [])
    if not (facts["key"] and facts["sha256"] and isinstance(facts["receipt"], dict) and isinstance(pictures, list)):
        raise ValueError
    if not all(one["format"] in ENDINGS and isinstance(one["sha256"], str) for one in pictures):
        raise ValueError
    if "pictures" in facts and not pictures:
        raise ValueError


def _of_one(receipt: Receipt, sha256: str) -> Receipt:
    """Return a call's receipt for one of its pictures."""
    original = receipt.original and replace(receipt.original, sha256=sha256)
    return replace(receipt, sha256=sha256, original=original)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _files_beside(path: Path, endings: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of a JSON file: of its own name, further ones numbered."""
    return tuple(
        path.with_name(f"{path.stem}{f'_{number}' if number > 1 else ''}.{ending}")
        for number, ending in enumerate(endings, 1)
    )


def _unusable_metadata(path: Path, problem: str) -> ArchiveError:
    return ArchiveError(
        f"{path} {problem}", remedy="It stands for a clip that was paid for: mend it or move it elsewhere."
    )


def _unusable_clip(path: Path, problem: str) -> ArchiveError:
    return ArchiveError(
        f"{path} {problem}",
        remedy="It is left as it is. Bring it back from a copy, or ask with fresh=True for another, paid take.",
    )


def _rescued(attempt: Attempt, data: bytes, problem: str) -> ArchiveError:
    """Write bytes that were paid for, and can't be kept where they should, to wherever there is space; the error."""
    where = "only in memory"
    for folder in (tempfile.gettempdir, Path.home):
        with contextlib.suppress(OSError, RuntimeError):  # there may be neither of them
            path = Path(folder()) / f"vidu-nb-rescued-{attempt.id}.{_ending_of(data)}"
            write_bytes(path, data)
            where = str(path)
            break
    error = ArchiveError(
        f"the answer came, but {problem}; its bytes are {where} and in this error's .data",
        remedy="Save them before you close the kernel: error.data is what was paid for.",
    )
    error.data, error.billed = data, "no" if attempt.facts["engine"] == PREVIEW else "yes"
    return error


def _ending_of(data: bytes) -> str:
    if kind := format_of(data):
        return ENDINGS[kind]
    return "json" if data[:1] in (b"{", b"[") else "mp4"


def _is_an_engines(folder: str) -> bool:
    return folder == folder_name(folder)


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0  # removed meanwhile


def _free_name(stem: Path, facts: Mapping[str, Any]) -> Path:
    """Return the stem as a JSON path, numbered where another take has it; the same clip gets the same name again."""
    start = stem.name
    names = {name for name in listed(stem.parent) if name.startswith(start)}
    for take in range(1, 10_000):
        path = stem.with_name(f"{start}{f'_take{take}' if take > 1 else ''}.json")
        if path.name not in names and not any(_is_beside(name, path.stem) for name in names):
            return path
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(read_regular(path))
            if (known["sha256"], known.get("pictures")) == (facts["sha256"], facts.get("pictures")):
                return path
    raise OSError(0, "it holds 9,999 takes of one request")


def _is_beside(name: str, stem: str) -> bool:
    """Return whether a file has the place of a clip or a picture under that stem."""
    rest = name.removeprefix(stem) if name.startswith(stem) else ""
    return re.fullmatch(r"(?:_\d+)?\.(?:mp4|png|jpg|gif|webp)", rest) is not None
