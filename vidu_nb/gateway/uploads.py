"""Pictures, videos and sounds that people upload to be named in requests: files under names that nobody can guess."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

from ..files import is_regular, listed, remove_parts, write_bytes

MOST, MOST_BYTES = 64, 128_000_000  # of one person; the oldest go for new ones
_NAME = re.compile(r"(?P<person>[0-9]{1,9})-[0-9a-f]{40}\.[a-z0-9]{1,5}")


class Uploads:
    """What people uploaded, in a folder that gateways may share.

    A name is a keyed hash of the content: the same file of the same person has the same name, which only those know
    who were given it.

    Parameters
    ----------
    folder
        Where; a folder in it for each person.
    secret
        What names are made with.
    """

    def __init__(self, folder: Path, secret: bytes) -> None:
        self.folder = folder
        self._secret = secret

    def add(self, person: int, data: bytes, suffix: str) -> str:
        """Store a file and return its name.

        Raises
        ------
        OSError
            The disk refused.
        """
        digest = hmac.new(self._secret, b"%d/%s" % (person, hashlib.sha256(data).digest()), hashlib.sha256).hexdigest()
        name = f"{person}-{digest[:40]}.{suffix}"
        folder = self.folder / str(person)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes(folder / name, data)
        self._drop_oldest(folder)
        return name

    def path(self, name: str) -> Path | None:
        """Return a file's path, None where there is none of that name any more."""
        found = _NAME.fullmatch(name)
        path = self.folder / found["person"] / name if found else None
        return path if path and is_regular(path) else None

    def _drop_oldest(self, folder: Path) -> None:
        remove_parts(folder)
        paths = [folder / name for name in listed(folder) if _NAME.fullmatch(name)]
        sizes = {path: path.stat() for path in paths if is_regular(path)}
        newest = sorted(sizes, key=lambda path: sizes[path].st_mtime_ns, reverse=True)
        total = 0
        for number, path in enumerate(newest, 1):
            total += sizes[path].st_size
            if number > MOST or (total > MOST_BYTES and number > 1):
                path.unlink(missing_ok=True)
