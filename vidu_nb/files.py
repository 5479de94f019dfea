"""Files that are either whole or not there: write, fsync, rename, fsync the folder."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from .errors import InvalidRequest


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with its ``~`` resolved; a single name that only begins so stays as it is.

    Raises
    ------
    InvalidRequest
        A folder of nobody's home, or a NUL character.

    >>> expanded("~cat.png").name
    '~cat.png'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        if len(Path(path).parts) == 1:
            return Path(path)
    except ValueError:
        raise InvalidRequest("a path can't hold a NUL character") from None
    raise InvalidRequest(f"{os.fspath(path)!r}: nobody of that name has a home here; write the path in full")


def write_atomically(target: Path, write: Callable[[Path], object], *, sync_name: bool = True) -> None:
    """Let `write` fill a neighbouring file and put it in `target`'s place in one step.

    A crash at any moment leaves the old file or the new one, never a torn one.

    Parameters
    ----------
    target
        The path to fill; its folder is made if missing.
    write
        Gets the path to write to.
    sync_name
        Wait for the folder as well; without, a power failure may bring the old file back.

    Raises
    ------
    OSError
        As the file system said it; `target` is untouched and nothing is left beside it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    if sync_name:
        sync_folder(target.parent)


def write_bytes(target: Path, data: bytes, *, sync_name: bool = True) -> None:
    """`write_atomically` for bytes at hand."""
    write_atomically(target, lambda part: part.write_bytes(data), sync_name=sync_name)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable, where the system can (Windows can't open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def shown_path(path: Path) -> str:
    """A path as people write it: relative to the working folder, absolute where it lies outside."""
    here, target = Path.cwd().resolve(), Path(path).resolve()
    return str(target.relative_to(here)) if target.is_relative_to(here) else str(target)
