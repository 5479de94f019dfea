"""The archive: one folder of plain files where every clip, its papers and the journal of calls are kept.

    vidu_archive/
      segmind/WORDS_16x9_seed42_1a2b3c4d.mp4     the clip's untouched bytes
      segmind/WORDS_16x9_seed42_1a2b3c4d.json    beside it: request, receipt, sha256
      preview/...                                the same for each engine
      references/HASH.png                        the pictures that were sent
      journal/1a/KEY.ATTEMPT.json                what happened to each call
      incoming/  quarantine/  locks/             answers on their way; answers that are no clip; locks
      budgets/  uploads/  drafts/                what sweeps may spend; links of pictures; the panel's live drafts

Only names made here are ever opened: nothing that a file's content says is used as a path.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ArchiveError
from ..files import expanded, sync_folder, write_bytes
from ..locks import hold
from ..receipt import Receipt
from ..recipe import request_from
from ..request import VideoRequest
from ..video import Video
from .journal import Attempt, Journal

ENV_FOLDER = "VIDU_NB_ARCHIVE"
FOLDER = "vidu_archive"
FORMAT = 1
MIN_FREE_BYTES = 100_000_000  # a clip, its copy on the way, and the papers, with room to spare
_STORE_TIMEOUT = 60.0  # s; storing takes milliseconds
_ENTRY = re.compile(r"[a-z0-9.-]+/[a-z0-9-]+_\d+x\d+_seed\d+_[0-9a-f]{8}(_take\d+)?\.json")


@dataclass(frozen=True, slots=True)
class Entry:
    """One kept clip: its JSON file and what that says."""

    path: Path
    facts: dict[str, Any]

    @property
    def clip(self) -> Path:
        """The MP4 beside the JSON."""
        return self.path.with_suffix(".mp4")


class Archive:
    """Kept clips and the journal of calls, in one folder of plain files.

    Safe between threads, processes and kernels that share the folder.

    Parameters
    ----------
    folder
        Where; defaults to ``VIDU_NB_ARCHIVE``, else ``vidu_archive`` in the working folder, beside the notebook. Made
        at the first call.

    >>> archive = Archive("clips")
    >>> archive.find(64 * "0", engine="segmind") is None, [archive.open(entry) for entry in archive.entries()]
    (True, [])
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        chosen = folder if folder is not None else os.environ.get(ENV_FOLDER) or FOLDER
        self.folder = expanded(chosen).absolute()
        self.journal = Journal(self.folder / "journal")

    def lock_path(self, name: str) -> Path:
        """Where a lock's file lies."""
        return self.folder / "locks" / f"{name}.lock"

    def check_room(self) -> None:
        """Make sure that a clip can be kept, before it is paid for.

        Raises
        ------
        ArchiveError
            The folder can't be made, or less than `MIN_FREE_BYTES` are free.
        """
        problem = ""
        try:
            (self.folder / "incoming").mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            if free < MIN_FREE_BYTES:
                problem = f"has only {free // 1_000_000} MB left"
        except OSError as error:
            problem = f"can't be written ({error.strerror})"
        if problem:
            raise ArchiveError(
                f"nothing was sent, since the result could not be kept: {self.folder} {problem}",
                remedy="Free room, or set VIDU_NB_ARCHIVE to another folder.",
            )

    def keep_references(self, request: VideoRequest) -> None:
        """Store the pictures that are about to be sent, once each."""
        for reference in request.references:
            if not reference.is_url and self._picture(reference.sha256) is None:
                data = reference.bytes
                kind = "png" if data.startswith(b"\x89PNG") else "jpg"
                write_bytes(self.folder / "references" / f"{checked_hash(reference.sha256)}.{kind}", data)

    # An answer's way: received, then stored or put aside.

    def receive(self, attempt: Attempt, data: bytes) -> Path:
        """Put an answer's bytes on disk before anybody looks at them.

        Raises
        ------
        ArchiveError
            They could not be written here; they lie in a fallback folder that the message names, and in `.data`.
        """
        path = self._incoming(attempt)
        problem = ""
        try:
            write_bytes(path, data)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise _rescued(attempt, data, f"{self.folder} can't be written ({problem})")
        return path

    def received(self, attempt: Attempt) -> bytes | None:
        """The bytes that `receive` put on disk, None where there are none."""
        path = self._incoming(attempt)
        return path.read_bytes() if path.is_file() else None

    def drop_received(self, attempt: Attempt) -> None:
        """Remove an answer that was used up."""
        self._incoming(attempt).unlink(missing_ok=True)

    def quarantine(self, attempt: Attempt, data: bytes) -> Path:
        """Keep an answer that is no clip, for a person to look at."""
        path = self.folder / "quarantine" / f"{attempt.id}.bin"
        write_bytes(path, data)
        self.drop_received(attempt)
        return path

    def store(self, attempt: Attempt, data: bytes, receipt: Receipt) -> Entry:
        """Give a received clip its place and its papers; doing it twice changes nothing.

        Raises
        ------
        ArchiveError
            They could not be written; the bytes stay where `receive` put them, and in `.data`.
        """
        problem = ""
        try:
            with hold(
                self.lock_path(f"store-{receipt.sha256[:2]}"), timeout=_STORE_TIMEOUT
            ):  # equal bytes, equal names
                path = _free_name(self._stem(attempt), receipt.sha256)
                said = {
                    "format": FORMAT,
                    "key": attempt.facts["key"],
                    "sha256": receipt.sha256,
                    "request": attempt.facts["request"],
                    "receipt": receipt.to_dict(),
                }
                write_bytes(path, json.dumps(said, indent=1, ensure_ascii=False).encode(), sync_name=False)
                incoming = self._incoming(attempt)
                if not incoming.is_file():
                    write_bytes(incoming, data)
                incoming.replace(path.with_suffix(".mp4"))
                sync_folder(path.parent)
            attempt.add("stored", entry=f"{path.parent.name}/{path.name}")
        except (OSError, TimeoutError) as error:
            problem = getattr(error, "strerror", None) or type(error).__name__
        if problem:
            raise _rescued(attempt, data, f"{self.folder} can't be written ({problem})")
        self.drop_received(attempt)
        return Entry(path, said)

    # Finding and reading.

    def find(self, key: str, *, engine: str) -> Entry | None:
        """The newest kept clip for a request's key, None where there is none.

        Raises
        ------
        ArchiveError
            An entry is there and can't be used: damaged, or of a newer format.
        """
        return self.find_journalled(key) or self._find_by_name(key, engine)

    def find_journalled(self, key: str) -> Entry | None:
        """The same, of the clips that the journal knows: all but those brought here from elsewhere."""
        for attempt in reversed(self.journal.of(key)):
            name = attempt.latest("entry") if attempt.state == "stored" else None
            if isinstance(name, str) and _ENTRY.fullmatch(name) and (self.folder / name).is_file():
                return self._read(self.folder / name)
        return None

    def _find_by_name(self, key: str, engine: str) -> Entry | None:
        """Clips may have been brought here without their journal: their names hold a part of the key."""
        folder = self.folder / folder_name(engine)
        if not folder.is_dir():
            return None
        part, attempts = f"_{key[:8]}", self.journal.of(key)
        likely = [name for name in os.listdir(folder) if part in name and name.endswith(".json")]  # noqa: PTH208
        found = [
            entry
            for entry in map(self._read, (folder / name for name in sorted(likely)))
            if entry.facts["key"] == key and not self._is_being_stored(entry, attempts)
        ]
        return max(found, key=lambda entry: str(entry.facts["receipt"].get("created_at")), default=None)

    def entries(self, *, engine: str | None = None, newest: int | None = None) -> Iterator[Entry | ArchiveError]:
        """Every kept clip, in the order of their names; an error in place of one that can't be read.

        Parameters
        ----------
        engine
            Only this engine's.
        newest
            Only so many, the newest first.
        """
        found = self.folder.glob(f"{folder_name(engine) if engine else '*'}/*.json") if self.folder.is_dir() else ()
        paths = [path for path in found if _ENTRY.fullmatch(f"{path.parent.name}/{path.name}")]
        paths = sorted(paths) if newest is None else sorted(paths, key=_modified, reverse=True)[:newest]
        for path in paths:
            if path.is_symlink():
                continue
            try:
                yield self._read(path)
            except ArchiveError as error:
                yield error

    def open(self, entry: Entry, *, request: VideoRequest | None = None) -> Video:
        """A kept clip as a `Video`, after its bytes were checked against their hash.

        Parameters
        ----------
        entry
            From `find` or `entries`.
        request
            The request, where it is at hand; else it is put together from the papers and the kept pictures.

        Raises
        ------
        ArchiveError
            The clip is missing or its bytes have changed.
        """
        problem = ""
        try:
            if entry.clip.is_symlink():
                problem = "is a link, which is not followed"
            elif hashlib.sha256(entry.clip.read_bytes()).hexdigest() != entry.facts["sha256"]:
                problem = "has changed since it was kept"
        except OSError as error:
            problem = f"can't be read ({error.strerror})"
        if problem:
            raise ArchiveError(
                f"{entry.clip} {problem}",
                remedy="It is left as it is. Bring it back from a copy, or ask with fresh=True for another, paid take.",
            )
        made = Receipt.from_dict(entry.facts["receipt"])
        receipt = replace(made, replayed=True, cost_usd=0.0, original=made)
        return Video(entry.clip, request or self.request_of(entry), receipt)

    def request_of(self, entry: Entry) -> VideoRequest | None:
        """The request that an entry answers, with its pictures; None where one of them is gone."""
        said = entry.facts.get("request")
        notes = said.get("image_urls") if isinstance(said, dict) else None
        if not isinstance(notes, list):
            return None
        return request_from(said, [self._picture(str(note.get("sha256"))) for note in notes if isinstance(note, dict)])

    def _is_being_stored(self, entry: Entry, attempts: list[Attempt]) -> bool:
        """True between the two steps of `store`: the papers have their place, the clip is still among the incoming."""
        waiting = (self.received(attempt) for attempt in attempts if attempt.is_open)
        return not entry.clip.exists() and any(
            data is not None and hashlib.sha256(data).hexdigest() == entry.facts["sha256"] for data in waiting
        )

    def _read(self, path: Path) -> Entry:
        problem = "is a link, which is not followed" if path.is_symlink() else ""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            if problem:
                pass
            elif said["format"] > FORMAT:
                problem = f"has format {said['format']}: upgrade vidu-nb to read it"
            elif said["key"] and said["sha256"] and isinstance(said["receipt"], dict):
                return Entry(path, said)
        except OSError as error:
            problem = f"can't be read ({error.strerror})"
        except (ValueError, TypeError, KeyError, RecursionError):
            problem = "is damaged"
        raise ArchiveError(
            f"{path} {problem or 'is damaged'}",
            remedy="It stands for a clip that was paid for: mend it or move it elsewhere.",
        )

    def _picture(self, sha256: str) -> str | None:
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            return None
        for kind in ("png", "jpg"):
            path = self.folder / "references" / f"{sha256}.{kind}"
            if path.is_file() and not path.is_symlink():
                content = base64.b64encode(path.read_bytes()).decode("ascii")
                return f"data:image/{'png' if kind == 'png' else 'jpeg'};base64,{content}"
        return None

    def _incoming(self, attempt: Attempt) -> Path:
        return self.folder / "incoming" / f"{attempt.id}.body"

    def _stem(self, attempt: Attempt) -> Path:
        said = attempt.facts["request"]
        ratio = re.sub(r"[^0-9x]", "", str(said["aspect_ratio"]).replace(":", "x"))
        name = f"{_words(str(said['prompt']))}_{ratio}_seed{int(said['seed'])}_{attempt.facts['key'][:8]}"
        return self.folder / folder_name(str(attempt.facts["engine"])) / name

    def __repr__(self) -> str:
        return f"Archive({str(self.folder)!r})"


def _rescued(attempt: Attempt, data: bytes, problem: str) -> ArchiveError:
    """The error for bytes that were paid for and can't be kept where they should: they go wherever there is room."""
    where = "only in memory"
    for folder in (tempfile.gettempdir(), Path.home()):
        with contextlib.suppress(OSError):
            path = Path(folder) / f"vidu-nb-rescued-{attempt.id}.mp4"
            write_bytes(path, data)
            where = str(path)
            break
    error = ArchiveError(
        f"the answer came, but {problem}; its bytes are {where} and in this error's .data",
        remedy="Save them before you close the kernel: error.data is what was paid for.",
    )
    error.data, error.billed = data, "yes" if attempt.facts["price_usd"] else "no"
    return error


def checked_hash(text: str) -> str:
    """The text, where it is 64 hexadecimal digits; only then may it become a part of a file's name.

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


#: The folders that hold no engine's clips.
FOLDERS = frozenset({"budgets", "drafts", "incoming", "journal", "locks", "quarantine", "references", "uploads"})


def folder_name(engine: str) -> str:
    """Return an engine's name as a folder's; an archive's own folders belong to no engine.

    >>> folder_name("Api.Example:8000"), folder_name("journal")
    ('api.example-8000', 'journal-host')
    """
    name = re.sub(r"[^a-z0-9.-]+", "-", engine.lower()).strip(".-") or "other"
    return f"{name}-host" if name in FOLDERS else name


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0  # removed meanwhile


def _words(prompt: str, limit: int = 40) -> str:
    """The prompt's first words as part of a file name: lower-case ASCII letters, digits and hyphens.

    >>> _words("../A café, at night!")
    'a-cafe-at-night'
    """
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:limit].strip("-") or "clip"


def _free_name(stem: Path, sha256: str) -> Path:
    """The stem as a JSON path, numbered where another take has it; the same clip gets the same name again."""
    for take in range(1, 10_000):
        path = stem.with_name(f"{stem.name}{f'_take{take}' if take > 1 else ''}.json")
        if not path.exists() and not path.with_suffix(".mp4").exists():
            return path
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            if json.loads(path.read_text(encoding="utf-8"))["sha256"] == sha256:
                return path
    raise OSError(0, "it holds 9,999 takes of one request")
