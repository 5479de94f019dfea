"""Files that are either whole or not there: write, fsync, rename, fsync the folder."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .errors import InvalidRequest

#: How the files are called that are not whole yet; before 0.2 without our name in it.
_PART = re.compile(r"\.vidu-nb-[0-9a-f]{12}\.part")
_OLD_PART = re.compile(r"\.[0-9a-f]{12}\.part")
ABANDONED_S = 86_400.0  # a file takes seconds to write: whoever has not gone on for a day was killed


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with its ``~`` resolved; a single name that only begins so stays as it is.

    Raises
    ------
    InvalidRequest
        No such user, or a NUL character.

    >>> expanded("~cat.png").name
    '~cat.png'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user, *rest = Path(path).parts
        if not rest:
            return Path(path)
        raise InvalidRequest(f"no such user: can't expand {user!r}; write the path in full") from error
    except ValueError as error:
        raise InvalidRequest("a path can't hold a NUL character") from error


def copy_path(path: str | os.PathLike[str], name: str) -> Path:
    """Return the file that a copy goes to: the path, or `name` in it where it is a folder or is written like one.

    >>> copy_path("films/", "cat.mp4").as_posix(), copy_path("films/dog.mp4", "cat.mp4").as_posix()
    ('films/cat.mp4', 'films/dog.mp4')
    """
    target = expanded(path)
    is_folder = os.path.basename(os.fspath(path)) in {"", ".", ".."} or target.is_dir()  # noqa: PTH119 - Path drops "/"
    return target / name if is_folder else target


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
        From the file system; `target` is untouched and nothing is left beside it.
    """

    def write_and_sync(part: Path) -> None:
        write(part)
        with part.open("rb+") as file:
            _sync(file)

    _replace(target, write_and_sync, sync_name=sync_name)


def write_bytes(target: Path, data: bytes, *, sync_name: bool = True) -> None:
    """Write bytes at hand as `write_atomically` does."""

    def write(part: Path) -> None:
        with part.open("xb") as file:  # opened once: on some disks that takes as long as the rest
            file.write(data)
            _sync(file)

    _replace(target, write, sync_name=sync_name)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _replace(target: Path, write: Callable[[Path], object], *, sync_name: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".vidu-nb-{secrets.token_hex(6)}.part")
    try:
        write(part)
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    if sync_name:
        sync_folder(target.parent)


def make_folder(folder: Path, note: str, text: str) -> None:
    """Make a folder with a note in it for other tools; one that is there already may be a person's, and gets none.

    Never fails: whoever writes there next meets the same trouble, and reports it.
    """
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        write_bytes(folder / note, text.encode())


def read_regular(path: Path) -> bytes:
    """Return a file's bytes; a link, a pipe or a device in its place is neither followed nor waited for.

    Raises
    ------
    OSError
        There is no such file, it is no regular one, or the disk fails.
    """
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "it is a link, which is not followed", str(path))
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # the system itself says what is wrong with a folder
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path.read_bytes()


def is_regular(path: Path) -> bool:
    """Return whether `read_regular` would find a file there."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def listed(folder: Path) -> list[str]:
    """Return the names in a folder, none where there is no such folder."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - an archive's folder may hold ten thousand
    except (FileNotFoundError, NotADirectoryError):
        return []


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable, where the system can (Windows can't open folders)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_abandoned(path: Path) -> bool:
    """Return whether nobody has written to a file for a day."""
    try:
        return time.time() - path.lstat().st_mtime > ABANDONED_S
    except OSError:
        return False  # it is gone


def remove_parts(folder: Path, *, unsigned: bool = False) -> None:
    """Remove what killed writers left in a folder: files that are not whole, and that nobody has touched for a day.

    Parameters
    ----------
    folder
        Itself, without those in it.
    unsigned
        Those of before version 0.2, too, whose names don't tell that they are ours: in folders that hold nothing else.
    """
    with contextlib.suppress(OSError):
        for name in listed(folder):
            if _PART.fullmatch(name) or (unsigned and _OLD_PART.fullmatch(name)):
                part = folder / name
                if is_abandoned(part):
                    with contextlib.suppress(OSError):
                        part.unlink()


def reason(error: OSError) -> str:
    """Return what went wrong with a file in a few words, for an error's sentence."""
    return error.strerror or type(error).__name__


def working_folder() -> Path | None:
    """Return the working folder with its symbolic links resolved, None where somebody has removed it."""
    try:
        return Path.cwd().resolve()
    except OSError:
        return None


def shown_path(path: Path) -> str:
    """Return a path as people write it: relative to the working folder, absolute where it lies outside."""
    here, target = working_folder(), Path(path).resolve()
    return str(target.relative_to(here)) if here and target.is_relative_to(here) else str(target)
