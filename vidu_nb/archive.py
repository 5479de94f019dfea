"""The folder where every clip is kept: the untouched MP4 under a telling name, and its papers beside it as JSON."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

from .errors import ArchiveError
from .files import write_bytes
from .request import VideoRequest
from .video import Receipt, Video

ENV_FOLDER = "VIDU_NB_ARCHIVE"
FOLDER = "vidu_archive"


class Archive:
    """Kept clips in one folder of plain files.

    Parameters
    ----------
    folder
        Where; defaults to ``VIDU_NB_ARCHIVE``, else ``vidu_archive`` in the working folder, beside the notebook. Made
        when the first clip is kept.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        chosen = folder if folder is not None else os.environ.get(ENV_FOLDER) or FOLDER
        self.folder = Path(chosen).expanduser().absolute()

    def keep(self, data: bytes, request: VideoRequest, receipt: Receipt) -> Video:
        """Store a clip's bytes and papers; whole or not at all.

        The same request with other bytes (another take) is kept beside the first, never over it.

        Raises
        ------
        ArchiveError
            The folder can't be written; nothing half-written is left.
        """
        stem = self._stem(request, receipt.engine, request.key(engine=receipt.engine, model=receipt.model))
        problem = ""
        try:
            path = _free_name(stem, data)
            video = Video(path, request, receipt)
            write_bytes(path.with_suffix(".json"), json.dumps(video.recipe(), indent=1, ensure_ascii=False).encode())
            write_bytes(path, data)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise ArchiveError(f"{self.folder} can't be written: {problem}", remedy="Free room or set VIDU_NB_ARCHIVE.")
        return video

    def _stem(self, request: VideoRequest, engine: str, key: str) -> Path:
        ratio = request.aspect_ratio.replace(":", "x")
        name = f"{_words(request.prompt)}_{ratio}_seed{request.seed}_{key[:8]}"
        return self.folder / (re.sub(r"[^a-z0-9.-]+", "-", engine.lower()).strip(".-") or "other") / name

    def __repr__(self) -> str:
        return f"Archive({str(self.folder)!r})"


def _words(prompt: str, limit: int = 40) -> str:
    """The prompt's first words as part of a file name: lower-case ASCII letters, digits and hyphens.

    >>> _words("../A café, at night!")
    'a-cafe-at-night'
    """
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:limit].strip("-") or "clip"


def _free_name(stem: Path, data: bytes) -> Path:
    """The stem as an MP4's path, numbered where another take has it already."""
    for take in range(1, 10_000):
        path = stem.with_name(f"{stem.name}{f'_take{take}' if take > 1 else ''}.mp4")
        if not path.exists() or (path.stat().st_size == len(data) and path.read_bytes() == data):
            return path
    raise ArchiveError(f"{stem.parent} holds 9,999 takes of one request", remedy="Move some of them elsewhere.")
