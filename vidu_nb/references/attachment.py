"""A video or a sound that a request names: an address, or a file whose bytes are sent as they are."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import os
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import InvalidRequest, one_line
from ..files import expanded
from .images import MAX_BODY_BYTES
from .signatures import shareable, unsigned
from .sources import checked_url, decode_text, is_data_uri, is_web_url, shorten

_MOST_BYTES = MAX_BODY_BYTES * 3 // 4  # base64 makes four characters of three bytes


@dataclass(frozen=True, repr=False, init=False)
class Attachment:
    """A video or a sound beside a request's pictures.

    Parameters
    ----------
    source
        An ``https://`` URL, a ``data:`` URI, a path, or whatever has a ``path``, such as a `Video`.
    name
        What to call it; defaults to the file's name.

    Attributes
    ----------
    url : str
        What is sent.
    name : str
    sha256 : str
        Of the bytes; of the address, without a storage's signature.

    Raises
    ------
    InvalidRequest
        Not found, neither a URL nor a file, or too large to be sent.

    >>> Attachment("https://example.com/walk.mp4").label
    'walk.mp4'
    """

    url: str
    name: str = field(compare=False)
    sha256: str = field(compare=False)

    def __init__(self, source: Any, *, name: str | None = None) -> None:
        made = vars(source) if isinstance(source, Attachment) else _read(getattr(source, "path", source))
        vars(self).update(made)
        vars(self).update(name=one_line(self.name if name is None else name))

    @classmethod
    def from_wire(cls, text: object, *, name: str = "") -> Attachment:
        """Make one of what stands in a request's body; never reads a file.

        Raises
        ------
        InvalidRequest
            Not text, or neither a web address nor a ``data:`` URI.
        """
        if not isinstance(text, str):
            raise InvalidRequest(f"must be text, not {type(text).__name__}")
        if not is_web_url(text) and not is_data_uri(text):
            raise InvalidRequest("must be an http(s):// URL or a data: URI")
        return cls(text, name=name or None)

    @property
    def is_url(self) -> bool:
        """True when the service is to fetch it itself."""
        return not is_data_uri(self.url)

    @property
    def bytes(self) -> bytes:
        """The file's bytes (empty for a URL)."""
        return b"" if self.is_url else decode_text(self.url)

    @property
    def label(self) -> str:
        """A short name for people."""
        return self.name or (shorten(shareable(self.url)) if self.is_url else "file")

    def __repr__(self) -> str:
        return f"Attachment({self.label!r}, {self.sha256[:8]})"


def as_attachments(value: Any, *, most: int, name: str) -> tuple[Attachment, ...]:
    """Return one or many sources as a tuple of attachments.

    Parameters
    ----------
    value
        One source as for `Attachment`; several in a list or other iterable, or a mapping of names to sources.
    most
        How many are taken.
    name
        What the parameter is called, for errors.

    Raises
    ------
    InvalidRequest
        With ``.field`` naming the one, such as ``reference_videos[1]``.

    >>> as_attachments("https://example.com/walk.mp4", most=2, name="videos")
    (Attachment('walk.mp4', ...),)
    """
    if value is None:
        return ()
    if (
        isinstance(value, str | bytes | os.PathLike | Attachment)
        or hasattr(value, "path")
        or not isinstance(value, Iterable)
    ):
        value = [value]
    named = value.items() if isinstance(value, Mapping) else ((None, source) for source in value)
    sources = list(islice(named, most + 1))
    if len(sources) > most:
        given = len(value) if isinstance(value, Sized) else f"more than {most}"
        raise InvalidRequest(f"{name}: {given} given: pass at most {most}", field=name)
    found = []
    for i, (label, source) in enumerate(sources):
        try:
            found.append(Attachment(source, name=None if label is None else str(label)))
        except InvalidRequest as error:
            where = f"{name}[{i}]"
            raise InvalidRequest(f"{where}: {error.message}", field=where) from None
    return tuple(found)


def _read(source: Any) -> dict[str, Any]:
    if isinstance(source, str) and is_web_url(source):
        url = checked_url(source)
        name = PurePosixPath(unquote(urlsplit(url).path)).name
        return {"url": url, "name": name, "sha256": hashlib.sha256(unsigned(url).encode()).hexdigest()}
    if isinstance(source, str) and is_data_uri(source):
        return {"url": source, "name": "", "sha256": hashlib.sha256(decode_text(source)).hexdigest()}
    if not isinstance(source, str | os.PathLike):
        raise InvalidRequest(f"a {type(source).__name__} is not a video or a sound: pass a path or an https:// URL")
    path = expanded(source)
    try:
        is_file, size = path.is_file(), path.stat().st_size  # neither a folder, nor a pipe that never ends
        data = path.read_bytes() if is_file and size <= _MOST_BYTES else b""
    except (OSError, ValueError):
        is_file, size, data = False, 0, b""
    if not is_file:
        raise InvalidRequest(f"no file {str(source)[:200]!r}: check the path")
    if size > _MOST_BYTES:
        raise InvalidRequest(f"{path.name} has {size / 1e6:.1f} MB: at most {_MOST_BYTES / 1e6:.0f} MB can be sent")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"url": uri, "name": path.name, "sha256": hashlib.sha256(data).hexdigest()}
