"""Sources: whatever a person has at hand, as a URL, encoded bytes or pixels, with its name."""

from __future__ import annotations

import base64
import contextlib
import inspect
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from ..errors import InvalidRequest
from ..files import expanded, reason, working_folder
from .images import MAX_FILE_BYTES, media_type
from .kinds import TEXT, identify
from .signatures import shareable

_PNG_IN_BASE64 = "iVBORw0KGg"
_MAX_URL = 2048  # characters; what browsers and proxies agree on
_AS_BYTES = "open it with mode 'rb', or pass the bytes"
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{64,}={0,2}\s*")
_CHUNK = 1_000_000  # bytes that are read at a time
_MAX_PATH = 1024  # characters; a longer text is meant as something else
#: What a shell, Python, CSS or a text puts around what is meant.
_WRAPPED = re.compile(r"""^(?:[br]|(?:Posix|Windows)?Path\(|url\()?(["'“„‘<`«])(.*)["'“”’>`»]\)?,?$""", re.DOTALL)
_NO_SCHEME = re.compile(r"image/[\w.+-]+;base64,", re.IGNORECASE)
#: Where others keep an encoded picture: HTTP responses, marimo's uploads, the pictures of IPython and ipywidgets.
_ATTRIBUTES = ("content", "contents", "data", "value")
#: The same in mappings: a file of an ipywidgets FileUpload, version 7 or 8; a row of a Hugging Face dataset.
_KEYS = ("content", "bytes")


class Found(NamedTuple):
    """What a source holds, one of three, and its name: a URL, an encoded picture, a PIL image or array.

    And how it was made, where it is a `Picture`.
    """

    name: str = ""
    url: str = ""
    data: bytes | None = None
    pixels: Any = None
    made_by: object = None

    def named(self, path: object) -> Found:
        """Return the same under the last part of a path."""
        if not isinstance(path, str | PurePath):
            return self
        kind = PureWindowsPath if re.match(r"[A-Za-z]:\\", str(path)) else Path  # browsers tell of C:\\fakepath
        return self._replace(name=kind(path).name)


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


def is_single(value: object) -> bool:
    """Return whether a value is one picture, though it may be iterable as well: a path, a file, an array, an upload."""
    if isinstance(value, str | os.PathLike) or not isinstance(value, Iterable) or _refusal(value):
        return True
    if getattr(value, "ndim", None) in (2, 3) or any(hasattr(value, name) for name in ("read", "read_bytes")):
        return True
    try:
        return _buffer(value) is not None or _held(value) is not None
    except InvalidRequest:
        return True  # told where it is read


def find(source: Any) -> Found:
    """Return what a source holds: a URL, encoded bytes, or else pixels, with the name that it bears.

    Raises
    ------
    InvalidRequest
        A file that is missing, too large or can't be read, a text that means nothing, or a URL that can't be one.
    """
    if refusal := _refusal(source):
        raise InvalidRequest(refusal)
    if isinstance(source, str):
        found = _from_text(source.strip())
    elif isinstance(source, os.PathLike):
        found = _from_path(Path(source))
    elif _is_made(source):
        found = _from_path(source.path)._replace(made_by=source.recipe())
    else:
        data = _bytes_in(source)
        found = Found(data=data, pixels=source if data is None else None).named(_name_of(source))
    return found if found.data is None else found._replace(data=_unwrapped(found.data))


def _refusal(source: Any) -> str:
    """Return why one of our own objects is no picture, by the type alone; empty for all others."""
    refusal = getattr(type(source), "no_picture", "")
    return refusal if isinstance(refusal, str) else ""


def _is_made(source: Any) -> bool:
    """Return whether a source is one of our own pictures or clips, by the type alone: others compute attributes."""
    return callable(getattr(type(source), "recipe", None)) and isinstance(getattr(source, "path", None), Path)


def _name_of(source: Any) -> object:
    with contextlib.suppress(Exception):  # a property may raise anything, and a picture needs no name
        if isinstance(source, Mapping):
            return source.get("name") or source.get("path") or source["metadata"]["name"]
        return getattr(source, "filename", None) or getattr(source, "name", None)
    return None


def _bytes_in(source: Any) -> bytes | None:
    """Return the bytes that are in an object, None where it holds no encoded picture."""
    if hasattr(source, "read"):
        return _read_stream(source)
    with _readable():
        data = source.read_bytes() if hasattr(source, "read_bytes") else source  # a member of an archive or package
    view = _buffer(data)
    view = _held(data) if view is None else view
    return None if view is None else bytes(view)


def _buffer(value: Any) -> memoryview | None:
    """Return what holds bytes in a row as a view of them, such as what OpenCV encodes; None for anything else."""
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError):  # each library's arrays have types that no view has
        return None
    return view if view.ndim == 1 and view.itemsize == 1 else None


def _held(value: Any) -> memoryview | None:
    """Return the encoded picture that is a part of another library's object, None where there is none."""
    with _readable():
        is_mapping = isinstance(value, Mapping)
        parts = map(value.get, _KEYS) if is_mapping else (getattr(value, name, None) for name in _ATTRIBUTES)
        return next((view for view in map(_buffer, parts) if view is not None), None)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Turn whatever a stranger's `read` raises into our own error."""
    try:
        yield
    except Exception as error:
        what = str(error) or type(error).__name__
        raise InvalidRequest(f"the file can't be read ({what}): pass its path or bytes") from error


def _read_stream(stream: Any) -> bytes:
    """Read a file from its start, wherever its position is, and leave that as it was; what can't seek, from here on."""
    if isinstance(stream, io.TextIOBase):
        raise InvalidRequest(f"a file that is open as text is not a picture: {_AS_BYTES}")
    with _readable():
        at = stream.tell() if hasattr(stream, "seek") and getattr(stream, "seekable", lambda: True)() else None
        if at is not None:
            stream.seek(0)
        data = _all_of(stream)
        if at is not None:
            stream.seek(at)
    if inspect.iscoroutine(data):
        data.close()
        raise InvalidRequest("read() of an upload must be awaited: pass the bytes, `await upload.read()`")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidRequest(f"read() gave a {type(data).__name__} instead of bytes: {_AS_BYTES}")
    return bytes(data)


def _all_of(stream: Any) -> Any:
    """Read up to a byte more than a picture may have; some raw streams give less at a time than was asked for."""
    try:
        data = stream.read(MAX_FILE_BYTES + 1)
    except TypeError:  # it takes no number
        return stream.read()
    if isinstance(data, bytes):
        while len(data) <= MAX_FILE_BYTES and (more := stream.read(MAX_FILE_BYTES + 1 - len(data))):
            data += more
    return data


def _from_text(text: str) -> Found:
    if not text:
        raise InvalidRequest("an empty text is not a picture: pass a path, an https:// URL or a data: URI")
    plain = _WRAPPED.sub(r"\2", text).strip()
    unescaped = plain if os.name == "nt" else re.sub(r"\\(.)", r"\1", plain)  # as a terminal writes a dragged file
    for meant in dict.fromkeys((text, plain, unescaped)):  # a file's name may have quotation marks
        if is_web_url(meant):
            url = checked_url(meant)
            return Found(url=url).named(unquote(urlsplit(url).path))
        if is_data_uri(meant) or _NO_SCHEME.match(meant):
            return Found(data=decode_text(meant if is_data_uri(meant) else f"data:{meant}"))
        if meant[:5].lower() == "file:":
            return _from_path(_file_of(meant))
        if _exists(meant):
            return _from_path(Path(meant))
    if _BASE64.fullmatch(plain):
        return Found(data=decode_text(plain))
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):(?=//|https?:)", plain):
        raise InvalidRequest(f"{scheme[1]!r} URLs are not taken: pass a path, an https:// URL or a data: URI")
    if len(plain) > _MAX_PATH:
        raise InvalidRequest(
            f"the text {shorten(plain)!r} is neither a path, a URL nor base64: copy it anew, or pass the picture's file"
        )
    raise InvalidRequest(f"there is no file {shorten(text)!r}: {_where_to_look(plain)}")


def _where_to_look(path: str) -> str:
    """Say what helps where a path leads to no file."""
    if os.name != "nt" and re.match(r"[A-Za-z]:[\\/]", path):
        return "it is a path of a Windows machine, and Python runs on another: upload the file, and pass its path there"
    here = working_folder()
    looked = f"looked in {shorten(str(here))}" if here else "the working folder is gone"
    return f"check the path ({looked})"


def _file_of(url: str) -> Path:
    """Return the path in a ``file:`` URL, percent-encoded or not."""
    path = url[len("file:") :]
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            raise InvalidRequest(
                f"the URL {shorten(url)!r} names a file of the machine {host!r}: pass a path on this one"
            )
        path = slash + path
    return Path(url2pathname(path))


def _exists(text: str) -> bool:
    try:
        return as_stored(expanded(text)).exists()
    except OSError:
        return False  # longer than a file's name can be


def as_stored(path: Path) -> Path:
    """Return a path as the disk spells it: an accented letter is one character, or two, and to a disk these differ."""
    if path.exists() or str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        forms = (part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))
        found /= next((form for form in forms if (found / form).exists()), part)
    return found


def _unwrapped(data: bytes) -> bytes:
    """Return the bytes of a picture, where they are those of its base64 text or of a ``data:`` URI."""
    text = data.strip() if data[:5].lower() == b"data:" or identify(data) is TEXT else b""
    try:
        decoded = decode_text(text.decode("ascii"))
    except (InvalidRequest, UnicodeDecodeError):
        return data
    return decoded if identify(decoded).formats else data


def _from_path(path: Path) -> Found:
    """Read a file; InvalidRequest where there is none, or one that is too large for a picture."""
    path = expanded(path)
    if "\0" in str(path):
        raise _unusable(path, "has a NUL character in its name")
    try:
        stored = as_stored(path)
        if stored.is_dir():
            raise _unusable(path, "is a folder: pass the picture's file")
        with stored.open("rb") as file:
            chunks = iter(lambda: file.read(_CHUNK), b"")
            data = b"".join(islice(chunks, MAX_FILE_BYTES // _CHUNK + 1))  # a device may have no end
    except FileNotFoundError as error:
        is_url = re.match(r"[A-Za-z]{2,}:/", str(path))
        raise _unusable(
            path, "is a URL: pass it as text, not as a Path" if is_url else "does not exist: check the path"
        ) from error
    except OSError as error:
        raise _unusable(path, f"can't be read ({reason(error)})") from error
    if len(data) > MAX_FILE_BYTES:
        raise _unusable(path, f"is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
    return Found(path.name, data=data)


def _unusable(path: Path, problem: str) -> InvalidRequest:
    return InvalidRequest(f"the file {shorten(str(path))!r} {problem}")


def is_data_uri(text: str) -> bool:
    """Return whether a text is meant as a ``data:`` URI."""
    return text[:5].lower() == "data:"


def is_canonical(text: str) -> bool:
    """Return whether a text that `decode_text` takes is standard base64, which every service reads."""
    body = text.partition(",")[2] if is_data_uri(text) else text
    head = text[: -len(body)] if body else text
    letters = len(body) - sum(body.count(space) for space in " \n\r\t" if space in body)
    plain = not any(sign in body for sign in "-_%") and letters % 4 == 0  # it may have megabytes
    return plain and (not is_data_uri(text) or (text.startswith("data:") and head.lower().endswith(";base64,")))


def decode_text(text: str) -> bytes:
    """Return the bytes in a ``data:`` URI or in bare base64 text, standard or URL-safe, with its padding or without."""
    body, is_base64 = text, True
    if is_data_uri(text):
        head, comma, body = text.partition(",")
        is_base64 = re.search(r";\s*base64\s*$", head, re.IGNORECASE) is not None
        if not comma:
            raise InvalidRequest("the data: URI must read data:image/png;base64,... (or jpeg, webp)")
    if len(body) > (MAX_FILE_BYTES * 4 // 3 + 4) * (1 if is_base64 else 3):
        raise InvalidRequest(f"the picture is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
    if not is_base64:
        return unquote_to_bytes(body)
    in_uri = body is not text
    if in_uri or _BASE64.fullmatch(body):
        with contextlib.suppress(ValueError):
            return base64.b64decode(body, validate=True)  # as nearly all are; the rest takes three times as long
        bare = "".join((unquote(body) if in_uri else body).split()).replace("-", "+").replace("_", "/").rstrip("=")
        with contextlib.suppress(ValueError):
            return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    kind = "data: URI's content" if in_uri else f"text {shorten(text)!r}"
    raise InvalidRequest(f"the {kind} is not base64: pass an https:// URL or a data: URI with base64 content")


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
