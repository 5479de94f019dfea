"""What a piece of text means that names a picture: a URL, a path, a ``data:`` URI, or base64."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InvalidRequest
from ..files import expanded
from .images import MAX_FILE_BYTES

_MAX_URL = 2048  # characters; what browsers and proxies agree on


def is_web_url(text: str) -> bool:
    """Whether a text is meant as an address on the web."""
    return text[:8].lower().startswith(("http://", "https://"))


def checked_url(text: str) -> str:
    """The same URL, where it is one that a service can fetch; InvalidRequest where it is not."""
    problem = ""
    try:
        parts = urlsplit(text)
        if not parts.hostname or parts.port == 0:
            problem = "names no host"
    except ValueError:
        problem = "is not well formed"
    if re.search(r"[\s\x00-\x1f\x7f\ud800-\udfff]", text):
        problem = "holds spaces or control characters: percent-encode them"
    if len(text) > _MAX_URL:
        problem = f"is longer than {_MAX_URL} characters"
    if problem:
        raise InvalidRequest(f"the URL {shorten(text)!r} {problem}")
    return text


def as_path(text: str) -> Path | None:
    """The path that a text means, None where it is base64; refuses other schemes and files that are not there."""
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
    """A file's bytes; InvalidRequest where there is none, or one that is too large for a picture."""
    path = expanded(path)
    problem = ""
    try:
        if path.is_dir():
            problem = "is a folder: pass the picture's file"
        elif path.stat().st_size > MAX_FILE_BYTES:
            problem = f"is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it"
        else:
            return path.read_bytes()
    except FileNotFoundError:
        problem = "does not exist: check the path"
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
    except ValueError:
        problem = "has a NUL character in its name"
    raise InvalidRequest(f"the file {shorten(str(path))!r} {problem}")


def decode_text(text: str) -> bytes:
    """The bytes in a ``data:`` URI or in bare base64 text."""
    body = text
    if text.startswith("data:"):
        head, comma, body = text.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise InvalidRequest("the data: URI must read data:image/png;base64,... (or jpeg, webp)")
    if len(body) > MAX_FILE_BYTES * 4 // 3 + 4:
        raise InvalidRequest(f"the picture is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        pass
    kind = "data: URI's content" if body is not text else f"text {shorten(text)!r}"
    raise InvalidRequest(f"the {kind} is not base64: pass an https:// URL or a data: URI with base64 content")


def shorten(text: str, limit: int = 80) -> str:
    """A long text's beginning and end, for an error's sentence."""
    return text if len(text) <= limit else f"{text[: limit - 10]}…{text[-9:]}"
