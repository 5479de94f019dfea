"""What a piece of text means that names a picture: a URL, a path, a ``data:`` URI, or base64."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InvalidRequest
from ..files import expanded, reason
from .images import MAX_FILE_BYTES, media_type
from .signatures import shareable

_PNG_IN_BASE64 = "iVBORw0KGg"
_MAX_URL = 2048  # characters; what browsers and proxies agree on


def is_web_url(text: str) -> bool:
    """Return whether a text is meant as an address on the web."""
    return text[:8].lower().startswith(("http://", "https://"))


def checked_url(text: str) -> str:
    """Return the same URL, where it is one that a service can fetch; InvalidRequest where it is not."""
    shown = shorten(shareable(text))
    if len(text) > _MAX_URL:
        raise InvalidRequest(f"the URL {shown!r} is longer than {_MAX_URL} characters")
    if re.search(r"[\s\x00-\x1f\x7f\ud800-\udfff]", text):
        raise InvalidRequest(f"the URL {shown!r} holds spaces or control characters: percent-encode them")
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise InvalidRequest(f"the URL {shown!r} is not well formed") from error
    if not has_host:
        raise InvalidRequest(f"the URL {shown!r} names no host")
    return text


def as_path(text: str) -> Path | None:
    """Return the path that a text means, None where it is base64; other schemes and missing files are refused."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):(?=//)", text)
    if scheme:
        raise InvalidRequest(f"{scheme[1]!r} URLs are not taken: pass a path, an https:// URL or a data: URI")
    path = expanded(text)
    try:
        if path.exists():
            return path
    except OSError:
        pass  # longer than a file name can be: then it is base64, or nothing
    if len(text) >= 64 and re.fullmatch(r"[A-Za-z0-9+/\s]+={0,2}\s*", text):
        return None
    raise InvalidRequest(f"there is no file {shorten(text)!r}: check the path (looked in {shorten(str(Path.cwd()))})")


def read_file(path: Path) -> bytes:
    """Return a file's bytes; InvalidRequest where there is none, or one that is too large for a picture."""
    path = expanded(path)
    if "\0" in str(path):
        raise _unusable(path, "has a NUL character in its name")
    try:
        if path.is_dir():
            raise _unusable(path, "is a folder: pass the picture's file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _unusable(path, f"is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _unusable(path, "does not exist: check the path") from error
    except OSError as error:
        raise _unusable(path, f"can't be read ({reason(error)})") from error


def _unusable(path: Path, problem: str) -> InvalidRequest:
    return InvalidRequest(f"the file {shorten(str(path))!r} {problem}")


def decode_text(text: str) -> bytes:
    """Return the bytes in a ``data:`` URI or in bare base64 text."""
    body = text
    if text.startswith("data:"):
        head, comma, body = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise InvalidRequest("the data: URI must read data:image/png;base64,... (or jpeg, webp)")
    if len(body) > MAX_FILE_BYTES * 4 // 3 + 4:
        raise InvalidRequest(f"the picture is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except ValueError as error:
        kind = "data: URI's content" if body is not text else f"text {shorten(text)!r}"
        message = f"the {kind} is not base64: pass an https:// URL or a data: URI with base64 content"
        raise InvalidRequest(message) from error


def data_uri(data: bytes) -> str:
    """Return an encoded picture's bytes as a ``data:`` URI.

    >>> data_uri(b"GIF87a")
    'data:image/gif;base64,R0lGODdh'
    """
    return f"data:image/{media_type(data)};base64,{base64.b64encode(data).decode('ascii')}"


def is_png(uri: str) -> bool:
    """Return whether a ``data:`` URI holds a PNG, by its first bytes alone.

    >>> is_png("data:image/png;base64,iVBORw0KGgoAAAANSUhEUg")
    True
    """
    return "".join(uri.partition(",")[2][:32].split()).startswith(_PNG_IN_BASE64)


def shorten(text: str, limit: int = 80) -> str:
    """Return a long text's beginning and end, for an error's sentence."""
    return text if len(text) <= limit else f"{text[: limit - 10]}…{text[-9:]}"
