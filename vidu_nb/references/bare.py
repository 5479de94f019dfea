"""Encoded pictures without the metadata beside their pixels.

Pillow limits a PNG's text by globals, warns of odd EXIF through the process's filters, and turns pictures by rules that
browsers don't share. So it gets the pixels alone; what is needed of the metadata is read here.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

#: How a PNG begins.
PNG = b"\x89PNG\r\n\x1a\n"
_MAX_PROFILE = 16_000_000  # bytes; the largest profiles of printers have some 3 MB
_MAX_FRAMES = 0x8000_0000  # in an APNG's header; more is not valid


class Bare(NamedTuple):
    """An encoded picture without metadata, and what was taken from it."""

    data: bytes
    exif: bytes = b""
    profile: bytes = b""
    frames: int = 1  # of an APNG, whose first one is `data`


def bare(data: bytes) -> Bare:
    """Take the metadata out of a PNG or JPEG; other formats are returned as they are."""
    if data.startswith(PNG):
        return _bare_png(data)
    return _bare_jpeg(data) if data.startswith(b"\xff\xd8") else Bare(data)


def _bare_png(data: bytes) -> Bare:
    view, chunks, at = memoryview(data), [memoryview(PNG)], len(PNG)
    exif, profile, frames = b"", b"", 1
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", view, at)
        chunk, content = view[at : at + 12 + size], view[at + 8 : at + 8 + size]
        at += 12 + size
        if not kind[0] & 0x20:  # critical: damage there is for the decoder to find
            chunks.append(chunk)
        elif at > len(data) or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            continue  # a damaged chunk that is no pixels' is passed over, as browsers do
        elif kind == b"tRNS":
            chunks.append(chunk)
        elif kind == b"eXIf":
            exif = exif or bytes(content)
        elif kind == b"iCCP":
            profile = profile or _inflated(bytes(content).partition(b"\0")[2][1:])
        elif kind == b"acTL" and size == 8:
            frames = int.from_bytes(content[:4])
    chunks.append(view[at:])
    return Bare(b"".join(chunks), exif, profile, frames if frames < _MAX_FRAMES else 1)


def _inflated(data: bytes) -> bytes:
    machine = zlib.decompressobj()
    try:
        profile = machine.decompress(data, _MAX_PROFILE)
    except zlib.error:
        return b""
    return b"" if machine.unconsumed_tail else profile


def _bare_jpeg(data: bytes) -> Bare:
    view, segments, at = memoryview(data), [memoryview(data)[:2]], 2
    exif, pieces = b"", []
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        marker, size = data[at + 1], int.from_bytes(view[at + 2 : at + 4])
        if marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # fill bytes, and markers without a size
            at += 1 if marker == 0xFF else 2
            continue
        segment = view[at : at + 2 + size]
        content = bytes(segment[4:])
        if marker == 0xE1 and content.startswith(b"Exif\0"):
            exif = exif or content
        elif marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"):
            pieces.append(content[12:])
        elif not 0xE1 <= marker <= 0xED and marker not in (0xEF, 0xFE):  # JFIF and Adobe say how to read the pixels
            segments.append(segment)
        at += 2 + max(2, size)
    segments.append(view[at:])
    return Bare(b"".join(segments), exif, _joined(pieces))


def _joined(pieces: list[bytes]) -> bytes:
    """Put a JPEG's profile together, of pieces that begin with their number and their count."""
    pieces = sorted(piece for piece in pieces if len(piece) > 2)
    return b"".join(piece[2:] for piece in pieces) if pieces and pieces[0][1] == len(pieces) else b""


def orientation(exif: bytes) -> int:
    """Return the Orientation tag of EXIF data as browsers read it, 1 (upright) where it has none that is valid.

    >>> orientation(bytes.fromhex("4d4d002a00000008 0001 0112 0003 00000001 0006 0000"))
    6
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for i in range(count):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * i)
            if tag == 0x0112:
                return int(value) if kind == 3 and values == 1 and 1 <= value <= 8 else 1
    except struct.error:
        pass  # damaged, or none
    return 1
