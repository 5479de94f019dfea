"""Send a file to a page, piece by piece when the page asks for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from ..errors import InvalidRequest

#: How a file gets into a page: by a link or a small copy; as a whole; or later, when the page asks the kernel for it.
Way = Literal["link", "embed", "fetch"]

_PIECE = 1_500_000  # bytes: a notebook's websocket refuses messages over 10 MiB by dropping the connection


def piece_of(source: Path | bytes, at: object) -> dict[str, Any]:
    """Return some bytes of a file from a place on, and how many there are in all, as an answer to a page.

    Raises
    ------
    InvalidRequest
        That is no place in it, or it can't be read.
    """
    if type(at) is not int or at < 0:
        raise InvalidRequest("there is no such place in the file")
    if isinstance(source, bytes):
        return {"total": len(source), "bytes": source[at : at + _PIECE]}
    try:
        with source.open("rb") as file:
            total = file.seek(0, os.SEEK_END)
            file.seek(at)
            return {"total": total, "bytes": file.read(_PIECE)}
    except (OSError, ValueError) as error:  # the latter of a place that no file has
        problem = getattr(error, "strerror", None) or type(error).__name__
    raise InvalidRequest(f"{source.name} can't be read: {problem}")
