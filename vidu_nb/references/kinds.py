"""What bytes are, by how they begin: a picture's format, or what a person took for a picture, and what helps."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD = 1024  # bytes that are looked at
#: What helps with most that can't be opened.
SAVE = "save it as PNG or JPEG and pass that file"
_ERROR = "it may be a server's error in the picture's place: look into it, and pass the picture itself"
_FRAME = "pass one frame of it as PNG or JPEG"


class Kind(NamedTuple):
    """A kind of content: its name, the formats under which Pillow may open it (none: no picture), and a cure."""

    name: str
    formats: tuple[str, ...]
    cure: str = SAVE


#: How content begins, the first match counts. A picture's name is its format's.
_BEGINNINGS: tuple[tuple[str, Kind], ...] = (
    (r"\x89PNG", Kind("a PNG picture", ("PNG",))),
    (r"\xff\xd8\xff", Kind("a JPEG picture", ("JPEG",))),
    (r"RIFF....WEBP", Kind("a WebP picture", ("WEBP",))),
    (r"GIF8", Kind("a GIF picture", ("GIF",))),
    (r"....ftyp(?:avi[fs]|m[is][fs]1.{4,40}?avi[fs])", Kind("an AVIF picture", ("AVIF",))),
    (
        r"....ftyp(?:hei[cxms]|hev[cxms]|m[is][fs]1)",
        Kind("a HEIC picture", ("HEIF",), "pip install pillow-heif, or save it as JPEG and pass that file"),
    ),
    (
        r"II\*\0\x10\0\0\0CR|....ftypcrx|FUJIFILMCCD-RAW|II[RU][OS\0]|MMOR",
        Kind("a camera's raw file", (), "develop it to JPEG and pass that file"),
    ),
    (r"II[*+]\0|MM\0[*+]", Kind("a TIFF picture", ("TIFF",))),
    (r"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", Kind("a BMP picture", ("BMP",))),
    (r"\0\0[\1\2]\0[^\0]\0", Kind("an icon", ("ICO", "CUR"))),
    (r"icns", Kind("an icon", ("ICNS",))),
    (r"8BPS", Kind("a Photoshop picture", ("PSD",))),
    (r"\0\0\0\x0cjP  |\xff\x4f\xff\x51", Kind("a JPEG 2000 picture", ("JPEG2000",))),
    (r"\0\0\0\x0cJXL |\xff\x0a", Kind("a JPEG XL picture", ("JXL", "JPEGXL"))),
    (r"P[1-7fFy][\s#]", Kind("a Netpbm picture", ("PPM",))),
    (r"DDS ", Kind("a DDS picture", ("DDS",))),
    (r"qoif", Kind("a QOI picture", ("QOI",))),
    (r"\x0a[\0-\5]\x01[\1\2\4\x08]", Kind("a PCX picture", ("PCX",))),
    (r"\x01\xda[\0\1][\1\2]", Kind("an SGI picture", ("SGI",))),
    (r"v/1\x01", Kind("an OpenEXR picture", ("EXR",))),
    (r"\#\?R", Kind("a Radiance picture", ("HDR",))),
    (
        r"(?i:\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg\b)",
        Kind("an SVG drawing", (), "convert it to PNG"),
    ),
    (
        r"(?i:\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|title|meta|script|div|h1|p)\b)",
        Kind("a web page", (), "open its URL in a browser, save the picture itself, and pass that file"),
    ),
    (r"\s*<[?!a-zA-Z]", Kind("XML text", (), _ERROR)),
    (r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]\d])", Kind("JSON text", (), _ERROR)),
    (r"%PDF", Kind("a PDF document", (), "convert the page with the picture to PNG")),
    (r"%!PS|\xc5\xd0\xd3\xc6", Kind("a PostScript drawing", (), "convert it to PNG")),
    (
        r"....(?:ftyp|moov|mdat|wide|free)|\x1aE\xdf\xa3|RIFF....AVI |FLV\x01|\0\0\x01[\xba\xb3]|OggS",
        Kind("a video", (), _FRAME),
    ),
    (r"RIFF....WAVE|ID3|\xff[\xfb\xf3]|fLaC", Kind("a sound file", (), "pass a picture's file")),
    (
        r"version https://git-lfs",
        Kind("a Git LFS pointer", (), "run `git lfs pull`, which puts the picture in its place"),
    ),
    (r"PK[\3\5][\4\6]", Kind("a ZIP archive", (), "unpack it and pass the picture that is in it")),
    (
        r"\x1f\x8b|7z\xbc\xaf|Rar!|BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd",
        Kind("a compressed file", (), "unpack it and pass the picture that is in it"),
    ),
    (r"\x93NUMPY", Kind("a NumPy file", (), "pass numpy.load(...) of it")),
    # Weak, so it comes last: kinds of palette and pixels, eight bytes behind that the size, then bits a pixel.
    (r".[\0\1][\1-\3\x09-\x0b].{13}[\x08\x0f\x10\x18\x20][\0-\x2f]", Kind("a TGA picture", ("TGA",))),
)
_KINDS = tuple((re.compile(pattern.encode("latin-1"), re.DOTALL), kind) for pattern, kind in _BEGINNINGS)
#: All formats that are known. Pillow has more, but those run other programs (EPS), or hold no picture that is shown.
FORMATS = frozenset(name for _, kind in _KINDS for name in kind.formats)
_EMPTY = Kind("an empty file", (), "was it still being written or downloaded? Pass the whole file")
TEXT = Kind(
    "text", (), "pass a path, an https:// URL or the picture's bytes; it may be a server's error in the picture's place"
)
_UNKNOWN = Kind("content of no known format", (), "convert it to PNG or JPEG and pass that file")


def identify(data: bytes) -> Kind:
    """Return what bytes are; what has no known beginning is text or unknown.

    >>> identify(b"GIF89a").name, identify(b"<!DOCTYPE html><p>404").name, identify(b"").name
    ('a GIF picture', 'a web page', 'an empty file')
    """
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf")
    if not head.strip(b"\0"):
        return _EMPTY
    for pattern, kind in _KINDS:
        if pattern.match(head):
            return kind
    printable = head.decode("utf-8", "ignore").replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    return TEXT if printable and b"\0" not in head else _UNKNOWN
