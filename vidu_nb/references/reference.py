"""Reference pictures: whatever a person has at hand, made into what the API takes.

A local picture is sent as a ``data:`` URI of at most `images.SENT_BYTES`, so that seven of them always fit in one
body.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..environment import user_agent
from ..errors import InvalidRequest, Unreachable, one_line
from .images import (
    MAX_FILE_BYTES,
    decode,
    decode_any,
    encode,
    encoded_size,
    from_pixels,
    is_lossless,
    is_moving_gif,
    media_type,
)
from .makers import bounded
from .signatures import shareable, unsigned
from .sources import (
    Found,
    checked_url,
    data_uri,
    decode_text,
    find,
    is_canonical,
    is_data_uri,
    is_single,
    is_web_url,
    shorten,
)

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_REFERENCES = 7
MAX_MOVING_BYTES = 6_000_000  # of a GIF that is sent as it is: two of them fit into one body
_SHA256 = re.compile("[0-9a-f]{64}")

Source = Any
"""A path, a URL, a ``data:`` URI, base64, bytes, an open file, a PIL image, an array; a `Picture`, a `Reference`."""


@dataclass(frozen=True, repr=False, init=False)
class Reference:
    """One reference picture, checked and ready to be sent.

    Local pictures are decoded, turned upright as browsers show them, stripped of metadata such as GPS, brought to 8-bit
    sRGB (transparency on white) and encoded anew: PNG where that fits in `SENT_BYTES`, else JPEG, shrunk only as far as
    needed. A URL is passed on as it is; the service fetches it.

    Taken are a path or ``file:`` URL, bytes, base64 text, a ``data:`` URI, whatever has ``read()`` or ``read_bytes()``
    (from its start, where it can seek), a file of an upload widget, an HTTP response, a picture of IPython or
    ipywidgets, a `Picture` that a model made, a PIL image, and an array: a file's bytes in a row, as OpenCV encodes
    them, or pixels (H, W), (H, W, 3), (H, W, 4) or channels first. Their white is 1, 255 or 65535, the first that fits
    nine tenths of the values; what lies outside is clipped, and where a tenth is far below 0, the array is refused.
    Besides PNG, JPEG, WebP and GIF whatever Pillow opens by itself is opened: AVIF, TIFF, BMP, ...; HEIC where
    pillow-heif is installed.

    Two references are equal where they send the same.

    Parameters
    ----------
    source
        Any of the above.
    name
        What to call the picture in captions; defaults to the file's name.

    Attributes
    ----------
    url : str
        What goes into ``image_urls``: a ``data:`` URI or the URL as given.
    name : str
        File name or given name; may be empty.
    size : (int, int) or None
        Width and height in pixels as sent; None for a URL.
    sha256 : str
        Hash of the upright 8-bit pixels, so that the same picture counts as the same whatever its container; of the
        text for a URL, without a storage's signature.
    claim : str
        The hash that a file claims for a picture whose pixels were changed by its encoding, so that it can't be
        computed any more. `sha256` is then that of the bytes, until an archive knows better; empty for most.
    notes : tuple of str
        What was done to the picture that its owner might want to know.
    made_by : dict or None
        The recipe of a `Picture` that a model made, see `makers.bounded`; None for all others. It says nothing of what
        is sent.
    member : str
        Whom of a `Cast` it shows; empty for all others. The preview engine goes by it.

    Raises
    ------
    InvalidRequest
        Not found, not a picture (the message names what it is), smaller than 128 px, more oblong than 4:1, too large or
        damaged.

    >>> from PIL import Image
    >>> night = Reference(Image.new("RGB", (256, 128), "navy"), name="night")
    >>> night.size, night.label, night.is_url, night.bytes[1:4], night.open().getpixel((0, 0))
    ((256, 128), 'night', False, b'PNG', (0, 0, 128))
    """

    url: str
    name: str = field(compare=False)
    size: tuple[int, int] | None = field(compare=False)
    claim: str = field(compare=False)
    notes: tuple[str, ...] = field(compare=False)
    made_by: dict[str, Any] | None = field(default=None, compare=False)
    member: str = field(default="", compare=False)

    def __init__(self, source: Source, *, name: str | None = None) -> None:
        vars(self).update(vars(source) if isinstance(source, Reference) else _read(source))
        if name is not None:
            vars(self).update(name=name)
        # A file's name may hold line breaks, or bytes that are no text: neither can go into a recipe or a header.
        vars(self).update(name=one_line(self.name))

    @classmethod
    def from_wire(cls, text: str, *, name: str = "", sha256: str | None = None, made_by: object = None) -> Reference:
        """Make a reference of what stands in a request's ``image_urls``, kept as it is.

        Never reads a file: the text may come from a stranger. Data is checked by its header; the pixels are decoded by
        `open`.

        Parameters
        ----------
        text
            A URL, a ``data:`` URI or base64.
        name
            What to call the picture.
        sha256
            The hash that somebody claims for it. It is never believed: where the pixels are sent as they are it is
            computed, else it stands in `claim`, for an archive to recognise.
        made_by
            How somebody says that it was made; it may be anything.

        Raises
        ------
        InvalidRequest
            Not text, neither a URL nor base64 of a picture, or a picture of a size that is not taken.

        >>> Reference.from_wire("https://example.com/cat.png").is_url
        True
        """
        if not isinstance(text, str):
            raise InvalidRequest(f"must be text, not {type(text).__name__}")
        if sha256 is not None and not _SHA256.fullmatch(sha256):
            raise InvalidRequest("the picture's sha256 is not 64 hexadecimal digits")
        if is_web_url(text):
            return cls._made({**_for_url(text), "made_by": bounded(made_by)}, name=name)
        data = decode_text(text)
        made: dict[str, Any] = {"url": text, "size": encoded_size(data), "claim": "", "notes": ()}
        made["made_by"] = bounded(made_by)
        if not is_canonical(text):
            made["url"] = data_uri(data)
        elif not is_data_uri(text):
            made["url"] = f"data:image/{media_type(data)};base64,{text}"
        of_bytes = hashlib.sha256(data).hexdigest()
        if sha256 in (None, of_bytes):
            made["sha256"] = of_bytes
        elif not is_lossless(data):
            made |= {"sha256": of_bytes, "claim": sha256}
        return cls._made(made, name=name)

    @classmethod
    def moving(cls, source: Source) -> Reference:
        """Make a reference for a place that takes animations: a GIF that moves stays as it is, all else is as ever.

        Raises
        ------
        InvalidRequest
            As for the class; also for a moving GIF that is larger than `MAX_MOVING_BYTES`.

        >>> from PIL import Image
        >>> Reference.moving(Image.new("RGB", (256, 128))).url[:15]
        'data:image/png;'
        """
        found = Found() if isinstance(source, Reference) else find(source)
        data = found.data or b""
        if not is_moving_gif(data):
            return cls(source)
        if len(data) > MAX_MOVING_BYTES:
            raise InvalidRequest(f"the GIF has {len(data) / 1e6:.1f} MB: at most {MAX_MOVING_BYTES / 1e6:.0f} are sent")
        made = cls._made({"url": data_uri(data), "size": encoded_size(data), "claim": "", "notes": ()}, name=found.name)
        vars(made).update(sha256=hashlib.sha256(data).hexdigest(), made_by=bounded(found.made_by))
        return made

    @classmethod
    def _made(cls, parts: dict[str, Any], *, name: str) -> Reference:
        self = cls.__new__(cls)
        vars(self).update(parts, name=one_line(name))
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of the pixels, computed here where a file claims one that can be checked; see the class."""
        try:
            return _hash_pixels(self.open())
        except InvalidRequest:  # it is damaged
            return hashlib.sha256(self.bytes).hexdigest()

    @property
    def is_url(self) -> bool:
        """True when the service is to fetch the picture itself."""
        return self.size is None

    @property
    def bytes(self) -> bytes:
        """The encoded picture as it is sent (empty for a URL)."""
        return b"" if self.is_url else decode_text(self.url)

    def open(self) -> Image:
        """Return the picture as a PIL image: upright, 8-bit RGB.

        Raises
        ------
        InvalidRequest
            The data is damaged, or the reference is a URL, which is never fetched here.
        """
        if self.is_url:
            raise InvalidRequest(f"{self.label} is a URL: its picture is not on this machine")
        return decode(self.bytes)

    @property
    def label(self) -> str:
        """A short name for people: the given name, or where the picture came from."""
        if self.name:
            return self.name
        return shorten(shareable(self.url)) if self.is_url else "picture"

    def __repr__(self) -> str:
        size = "url" if self.size is None else f"{self.size[0]}x{self.size[1]}"
        return f"Reference({self.label!r}, {size}, {self.sha256[:8]})"


def identify(reference: Reference, stored: str | None) -> Reference:
    """Return a reference under the hash that is claimed for it, where that is true, else under its bytes' own.

    Parameters
    ----------
    reference
        Any; most have no claim and are returned as they are.
    stored
        What an archive has under that hash, as a ``data:`` URI; None for nothing.
    """
    if not reference.claim:
        return reference
    known = Reference(reference)
    if stored == reference.url:
        vars(known).update(sha256=reference.claim)
    else:
        vars(known).update(sha256=hashlib.sha256(reference.bytes).hexdigest(), claim="")
    return known


def restored(data: bytes, sha256: str, *, name: str) -> Reference:
    """Return the reference whose `bytes` these were, under the hash that it had; the caller vouches for both.

    Raises
    ------
    InvalidRequest
        They are no picture.
    """
    known = Reference.from_wire(data_uri(data), name=name)
    vars(known).update(sha256=sha256)
    return known


def with_maker(reference: Reference, recipe: object) -> Reference:
    """Return a reference that knows how it was made, where it doesn't yet."""
    if reference.made_by or not (made_by := bounded(recipe)):
        return reference
    known = Reference(reference)
    vars(known).update(made_by=made_by)
    return known


def of_cast(reference: Reference, member: str, name: str) -> Reference:
    """Return a reference as the picture of somebody in a cast, under a name."""
    known = Reference(reference, name=name)
    vars(known).update(member=member)
    return known


def with_signature(reference: Reference) -> Reference:
    """Return a reference under the hash that version 0.1 had for it: a URL's signature counted there."""
    if not reference.is_url:
        return reference
    earlier = Reference(reference)
    vars(earlier).update(sha256=hashlib.sha256(reference.url.encode()).hexdigest())
    return earlier


def as_references(
    value: Source, *, most: int = MAX_REFERENCES, name: str = "references", animated: Sequence[bool] = ()
) -> tuple[Reference, ...]:
    """Return one or many sources as a tuple of references.

    Parameters
    ----------
    value
        One source as for `Reference`; several in a list or other iterable, such as an upload widget's value; or a
        mapping of names to sources.
    most
        How many are taken.
    name
        What the parameter is called, for errors.
    animated
        Which places take a GIF that moves, in their order; none by default.

    Raises
    ------
    InvalidRequest
        With ``.field`` naming the picture, such as ``references[1]``.

    >>> as_references("https://example.com/cat.png")
    (Reference('cat.png', url, ...),)
    """
    if value is None:
        return ()
    if isinstance(value, Reference) or is_single(value):
        value = [value]
    named = value.items() if isinstance(value, Mapping) else ((None, source) for source in value)
    sources = list(islice(named, most + 1))
    if len(sources) > most:  # refused before any is read: it may be a folder of thousands
        given = len(value) if isinstance(value, Sized) else f"more than {most}"
        raise InvalidRequest(f"{name}: {given} given: pass at most {most}", field=name)
    found = []
    for i, (label, source) in enumerate(sources):
        try:
            made = Reference.moving(source) if any(animated[i : i + 1]) else Reference(source)
            found.append(made if label is None else Reference(made, name=str(label)))
        except InvalidRequest as error:
            where = f"{name}[{i}]"
            raise InvalidRequest(f"{where}: {error.message}", field=where) from None
    return tuple(found)


# The seed page's three helpers, under its names.


def image_file_to_base64(image_path: str | os.PathLike[str]) -> str:
    """Return a file's bytes as base64 text, unchanged.

    >>> image_file_to_base64(__file__)[:4]
    'IiIi'
    """
    return base64.b64encode(Path(image_path).read_bytes()).decode("ascii")


def image_url_to_base64(image_url: str, *, timeout: float = 30.0) -> str:
    """Fetch the bytes behind a URL, once, and return them as base64 text.

    Parameters
    ----------
    image_url
        An ``http(s)://`` URL.
    timeout
        Seconds to wait for the connection and between two pieces of the answer.

    Raises
    ------
    Unreachable
        No answer, an error status, or more than `MAX_FILE_BYTES`.
    """
    import requests  # ~90 ms, and only this helper of the module needs it

    data = bytearray()
    try:
        headers = {"User-Agent": user_agent()}
        with requests.get(checked_url(image_url), headers=headers, timeout=timeout, stream=True) as response:
            response.raise_for_status()
            for chunk in response.iter_content(1 << 16):
                data += chunk
                if len(data) > MAX_FILE_BYTES:
                    raise _not_fetched(image_url, f"it is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    except requests.RequestException as error:
        answered = "" if error.response is None else f"the server answered {error.response.status_code}"
        raise _not_fetched(image_url, answered or type(error).__name__) from error
    return base64.b64encode(data).decode("ascii")


def _not_fetched(url: str, problem: str) -> Unreachable:
    remedy = "Check the URL; where the host refuses programs, download the picture and pass the file."
    return Unreachable(f"{shorten(shareable(url))} could not be fetched: {problem}", remedy=remedy)


def image_urls_to_base64(image_urls: Iterable[str]) -> list[str]:
    """Fetch a list of URLs in order, each as `image_url_to_base64` does."""
    return [image_url_to_base64(url) for url in image_urls]


# From a source to a reference's attributes.


def _read(source: Source) -> dict[str, Any]:
    found = find(source)
    if found.url:
        return _for_url(found.url) | {"name": found.name}
    image, notes = from_pixels(found.pixels) if found.data is None else decode_any(found.data)
    digest = _hash_pixels(image)
    data, size = encode(image)
    if size != image.size:
        before, after = (f"{width}x{height}" for width, height in (image.size, size))
        notes += (f"shrunk from {before} to {after} for the API's size limit",)
    made = {"url": data_uri(data), "sha256": digest, "name": found.name, "size": size, "claim": "", "notes": notes}
    return {**made, "made_by": bounded(found.made_by)}


def _for_url(text: str) -> dict[str, Any]:
    digest = hashlib.sha256(unsigned(checked_url(text)).encode()).hexdigest()
    return {"url": text, "sha256": digest, "size": None, "claim": "", "notes": ()}


def _hash_pixels(image: Image) -> str:
    return hashlib.sha256(f"RGB {image.width}x{image.height} ".encode() + image.tobytes()).hexdigest()
