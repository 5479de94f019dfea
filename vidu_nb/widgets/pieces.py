"""`SentFile`: a file that goes to a page piece by piece."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from ..errors import InvalidRequest

#: How a file gets into a page: by a link or a small copy; as a whole; or later, when the page asks the kernel for it.
Way = Literal["link", "embed", "fetch"]

#: Bytes, so that most clips come whole with their result. A notebook's websocket refuses messages over 10 MiB by
#: dropping the connection.
_PIECE = 4_000_000


class SentFile:
    """A file, or bytes in memory, for pages; the same file from the first piece to the last.

    Parameters
    ----------
    source
        Where the file lies, or its bytes.
    """

    def __init__(self, source: Path | bytes) -> None:
        self._source = source
        self._stamp: tuple[int, int] | None = None  # its size and the time of its last change, at the first piece

    def piece(self, at: object) -> dict[str, Any]:
        """Return some bytes from a place on, and how many there are in all, as an answer to a page.

        Raises
        ------
        InvalidRequest
            That is no place in it, it can't be read, or it has changed since its first piece was sent.
        """
        if type(at) is not int or at < 0:
            raise InvalidRequest("that is no place in the file")
        source = self._source
        if isinstance(source, bytes):
            return {"total": len(source), "bytes": source[at : at + _PIECE]}
        problem = ""
        try:
            with source.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = status.st_size, status.st_mtime_ns
                if at == 0:
                    self._stamp = stamp
                file.seek(at)
                data = file.read(_PIECE)
        except (OSError, ValueError, OverflowError) as error:  # the last two of a place that no file has
            problem = getattr(error, "strerror", None) or type(error).__name__
        if problem:
            raise InvalidRequest(f"{source.name} can't be read: {problem}")
        if self._stamp != stamp or not data:
            raise InvalidRequest(f"{source.name} has changed while it was sent: show it again")
        return {"total": stamp[0], "bytes": data}
