"""Picture files as bytes: whether one is whole, a text in its metadata, a small copy; image data is never changed.

Pillow decodes; its own limits and warnings, which are the whole process's, are not met: see `references.bare`.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .errors import ViduError
from .media import jpeg
from .references.bare import PNG, bare
from .references.images import MAX_PIXELS, identified, normalised

if TYPE_CHECKING:
    from PIL.Image import Image

#: Format → how a file's name ends.
ENDINGS = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
MAX_TEXT = 60_000  # bytes of ASCII: it fits into one segment of a JPEG
_START = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP", re.DOTALL)
_MAX_LEAD = 1024  # bytes before a picture: a byte order mark, line ends, the head of a multipart answer
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in a JPEG's entropy-coded data
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_NAMESPACE = "https://pypi.org/project/vidu-nb/ns/"
_FRAMES = 24  # of a moving copy
_SMALLER = ((480, 1), (360, 1), (256, 2), (192, 2), (128, 3))  # px of a moving copy, and every how many-th frame
_DECODED_PIXELS = 100_000_000  # of all frames that are decoded for a moving copy


# What bytes are, and whether they are whole.


def format_of(data: bytes) -> str:
    """Return ``"PNG"``, ``"JPEG"``, ``"GIF"`` or ``"WEBP"`` by the first bytes, empty for anything else.

    >>> format_of(b"GIF89a"), format_of(b"<html>")
    ('GIF', '')
    """
    found = _START.match(data)
    kinds = {b"\x89": "PNG", b"\xff": "JPEG", b"G": "GIF", b"R": "WEBP"}
    return kinds[found[0][:1]] if found else ""


def read(path: Path) -> bytes | None:
    """Return a file's bytes where they are a picture's by their beginning, None for any other or missing file."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            return head + file.read() if format_of(head) else None
    except OSError:
        return None


def what_is_wrong(data: bytes) -> str:
    """Say why bytes hold no whole picture; empty where they do.

    >>> what_is_wrong(b""), what_is_wrong(b"<html>"), what_is_wrong(b"GIF89a")
    ('it is empty', 'it is not a picture', 'it is cut off')
    """
    return _find(data)[1]


def whole_picture(data: bytes) -> bytes:
    """Return the whole picture in some bytes, without what transport put before it; empty where there is none."""
    where, problem = _find(data)
    return b"" if problem else data[where]


def _find(data: bytes) -> tuple[slice, str]:
    found = _START.search(data, 0, _MAX_LEAD)
    if not found:
        return slice(0), "it is not a picture" if data else "it is empty"
    picture = data[found.start() :] if found.start() else data
    end = _ends(picture)
    if not end:
        return slice(0), "it is cut off"
    if problem := _undecodable(picture):
        return slice(0), f"it is damaged ({problem})"
    return slice(found.start(), found.start() + end) if found.start() else slice(None), ""


def _ends(data: bytes) -> int:
    """Return where a picture ends by its own structure, 0 where it is cut off or its checksums are wrong."""
    walk = {"PNG": _png_end, "JPEG": _jpeg_end, "GIF": _gif_end, "WEBP": _webp_end}[format_of(data)]
    try:
        return walk(data)
    except (IndexError, struct.error):  # beyond the last byte
        return 0


def _png_end(data: bytes) -> int:
    for kind, start, end in _png_chunks(data):
        is_critical = not kind[0] & 0x20
        if is_critical and zlib.crc32(data[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return 0
        if kind == b"IEND":
            return end
    return 0


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield a PNG's whole chunks: kind, where it starts, where it ends."""
    at = len(PNG)
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            return
        yield kind, at, at + 12 + size
        at += 12 + size


def _jpeg_end(data: bytes) -> int:
    at = 2
    while True:
        if data[at] != 0xFF:
            return 0
        marker = data[at + 1]
        if marker == 0xD9:
            return at + 2
        if marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # fill bytes, and markers without a size
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
        if marker == 0xDA:
            found = _MARKER.search(data, at)
            if not found:
                return 0
            at = found.start()


def _gif_end(data: bytes) -> int:
    at = _gif_blocks(data)
    while True:
        kind = data[at]
        if kind == 0x3B:
            return at + 1
        if kind == 0x21:
            at = _gif_skip(data, at + 2)
        elif kind == 0x2C:
            table = 3 << (data[at + 9] % 8 + 1) if data[at + 9] & 0x80 else 0
            at = _gif_skip(data, at + 10 + table + 1)
        else:
            return 0


def _gif_blocks(data: bytes) -> int:
    """Return where a GIF's first block begins, behind its header and its colours."""
    return 13 + (3 << (data[10] % 8 + 1) if data[10] & 0x80 else 0)


def _gif_skip(data: bytes, at: int) -> int:
    """Return where a row of sub-blocks ends."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _webp_end(data: bytes) -> int:
    end = 8 + int.from_bytes(data[4:8], "little")
    kinds = {kind for kind, _, _ in _webp_chunks(data)}
    is_whole = end <= len(data) and kinds & {b"VP8 ", b"VP8L", b"ANMF"}
    return end if is_whole else 0


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, last = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= last:
        kind, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > last:
            return
        yield kind, at, at + 8 + size + size % 2
        at += 8 + size + size % 2


def size(data: bytes) -> tuple[int, int]:
    """Return a picture's width and height in pixels, by its header alone; ViduError where that is none."""
    read = {"PNG": _png_size, "JPEG": _jpeg_size, "GIF": _gif_size, "WEBP": _webp_size}.get(format_of(data))
    try:
        width, height = read(data) if read else (0, 0)
    except (IndexError, struct.error):
        width = height = 0
    if not width or not height:
        raise ViduError("it is damaged (it has no size)" if read else "it is not a picture")
    return width, height


def is_huge(data: bytes) -> bool:
    """Return whether a picture has more pixels than are ever decoded; ViduError where it has no size."""
    width, height = size(data)
    return width * height > MAX_PIXELS


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, start, _ in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, start + 5)
            return width, height
    return 0, 0


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case _:
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF


def _undecodable(data: bytes) -> str:
    """Say why a picture's pixels, of an animation the first ones, can't be decoded; those of a huge one are not."""
    try:
        if not is_huge(data):
            with _opened(bare(data).data) as image:
                image.load()
    except Exception as error:  # each decoder raises something else
        return str(error) or type(error).__name__
    return ""


def _opened(data: bytes) -> Image:
    """Open a picture by its format's plugin alone, without the checks of `PIL.Image.open`."""
    image: Image | None = identified(data, tuple(ENDINGS))
    if image is None:
        raise ViduError("it can't be opened")
    return image


def decode(data: bytes) -> Image:
    """Decode a picture, of an animation the first frame: upright, 8-bit RGB, on white where it is transparent.

    Raises
    ------
    ViduError
        It is no picture, is damaged, or has more than `MAX_PIXELS`.
    """
    width, height = size(data)
    if is_huge(data):
        raise ViduError(f"it has {width}x{height} pixels: more than {MAX_PIXELS // 1_000_000} megapixels")
    found = bare(data)
    try:
        with _opened(found.data) as image:
            if image.format in ("PNG", "JPEG"):
                image.info |= {"exif": found.exif, "icc_profile": found.profile}
            return normalised(image).image
    except Exception as error:  # each decoder raises something else
        raise ViduError(f"it is damaged ({str(error) or type(error).__name__})") from error


def frame_count(data: bytes, *, most: int = 2) -> int:
    """Return how many frames a picture has, counted as far as `most`, by the structure of a GIF or WebP."""
    match format_of(data):
        case "GIF":
            return sum(1 for _ in islice(_gif_images(data), most))
        case "WEBP":
            return min(most, sum(kind == b"ANMF" for kind, _, _ in _webp_chunks(data)) or 1)
    return 1


def _gif_images(data: bytes) -> Iterator[int]:
    try:
        at = _gif_blocks(data)
        while data[at] in (0x21, 0x2C):
            if data[at] == 0x21:
                at = _gif_skip(data, at + 2)
                continue
            yield at
            table = 3 << (data[at + 9] % 8 + 1) if data[at + 9] & 0x80 else 0
            at = _gif_skip(data, at + 10 + table + 1)
    except IndexError:
        return


# Several pictures as one: what the client keeps of an answer until each has its place.


def packed(items: Sequence[bytes | str]) -> bytes:
    """Return pictures as one piece of bytes: a single one as it is, several as JSON; links stand for missing ones.

    >>> packed([b"GIF89a"]), packed([b"GIF89a", "https://example.com/b.gif"])
    (b'GIF89a', b'{"image": ["R0lGODlh", "https://example.com/b.gif"]}')
    """
    if len(items) == 1 and isinstance(items[0], bytes):
        return items[0]
    texts = [base64.b64encode(one).decode("ascii") if isinstance(one, bytes) else one for one in items]
    return json.dumps({"image": texts}).encode()


def unpacked(data: bytes) -> tuple[bytes, ...]:
    """Return the pictures in what `packed` made, none for anything else."""
    if format_of(data):
        return (data,)
    if not data.startswith(b'{"image": ['):
        return ()
    try:
        texts = json.loads(data)["image"]
        pictures = tuple(base64.b64decode(text, validate=True) for text in texts)
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        return ()
    return pictures if all(map(format_of, pictures)) else ()


# A text in a picture's metadata.


def write_text(data: bytes, name: str, text: str) -> bytes:
    """Return a picture with a text in its metadata, in the place of an earlier one of that name.

    PNG: an iTXt chunk. JPEG and WebP: XMP. GIF: a comment.

    Parameters
    ----------
    data
        A whole picture.
    name
        ASCII letters, digits and underscores.
    text
        ASCII without ``<``, ``>`` and ``&``, at most `MAX_TEXT` long.
    """
    write = {"PNG": _write_png, "JPEG": _write_jpeg, "GIF": _write_gif, "WEBP": _write_webp}[format_of(data)]
    return write(data, name.encode("ascii"), text.encode("ascii"))


def read_text(data: bytes, name: str) -> str:
    """Return the text of that name in a picture's metadata; empty where there is none, or one that can't be read."""
    read: Callable[[bytes, bytes], bytes] | None
    read = {"PNG": _read_png, "JPEG": _read_jpeg, "GIF": _read_gif, "WEBP": _read_webp}.get(format_of(data))
    try:
        return read(data, name.encode("ascii")).decode("ascii", "replace")[:MAX_TEXT] if read else ""
    except (IndexError, struct.error):  # it is cut off
        return ""


def _write_png(data: bytes, name: bytes, text: bytes) -> bytes:
    content = b"iTXt" + _png_head(name) + text
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    pieces, end = [data[: len(PNG)]], len(PNG)
    for kind, start, end in _png_chunks(data):
        if kind != b"iTXt" or not data.startswith(_png_head(name), start + 8):
            pieces.append(data[start:end])
        if kind == b"IHDR":
            pieces.append(chunk)
    return b"".join([*pieces, data[end:]])


def _png_head(name: bytes) -> bytes:
    return name + b"\0\0\0\0\0"  # not compressed, of no language


def _read_png(data: bytes, name: bytes) -> bytes:
    head = _png_head(name)
    texts = (data[start + 8 + len(head) : end - 4] for kind, start, end in _png_chunks(data) if kind == b"iTXt"
             and data.startswith(head, start + 8))  # fmt: skip
    return next(texts, b"")


def _packet(name: bytes, text: bytes) -> bytes:
    """An XMP packet with a property of ours."""
    space = _NAMESPACE.encode()
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:v="' + space + b'"><v:' + name + b">" + text + b"</v:" + name + b"></rdf:Description></rdf:RDF>"
        b'</x:xmpmeta><?xpacket end="r"?>'
    )


def _in_packet(packet: bytes, name: bytes) -> bytes | None:
    """Return our property's text; by its tags alone, since a stranger's XML may hold anything."""
    head, _, rest = packet.partition(b"<v:" + name + b">")
    text, tag, _ = rest.partition(b"</v:" + name + b">")
    return text if tag and _NAMESPACE.encode() in head else None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield a JPEG's segments before its image data: marker, where it starts, where it ends."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        marker = data[at + 1]
        if marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
        yield marker, at, min(end, len(data))
        at = end


def _write_jpeg(data: bytes, name: bytes, text: bytes) -> bytes:
    content = _XMP + _packet(name, text)
    ours = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    dropped = [(start, end) for start, end in _jpeg_packets(data) if _in_packet(data[start:end], name) is not None]
    for start, end in reversed(dropped):
        data = data[:start] + data[end:]
    heads = [end for marker, _, end in _jpeg_segments(data) if marker in (0xE0, 0xE1)]  # JFIF and Exif come first
    at = heads[-1] if heads else 2
    return data[:at] + ours + data[at:]


def _jpeg_packets(data: bytes) -> list[tuple[int, int]]:
    return [
        (start, end)
        for marker, start, end in _jpeg_segments(data)
        if marker == 0xE1 and data.startswith(_XMP, start + 4)
    ]


def _read_jpeg(data: bytes, name: bytes) -> bytes:
    found = (_in_packet(data[start:end], name) for start, end in _jpeg_packets(data))
    return next((text for text in found if text is not None), b"")


def _write_gif(data: bytes, name: bytes, text: bytes) -> bytes:
    for start, end in reversed(_gif_comments(data, name)):
        data = data[:start] + data[end:]
    content = name + b" " + text
    blocks = [content[at : at + 255] for at in range(0, len(content), 255)]
    comment = b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    at = _gif_blocks(data)
    return data[:at] + comment + data[at:]


def _gif_comments(data: bytes, name: bytes) -> list[tuple[int, int]]:
    """Return where our comments are, among the blocks before the first picture."""
    found, at = [], _gif_blocks(data)
    while data[at] == 0x21:
        end = _gif_skip(data, at + 2)
        if data[at + 1] == 0xFE and data.startswith(name + b" ", at + 3):
            found.append((at, end))
        at = end
    return found


def _read_gif(data: bytes, name: bytes) -> bytes:
    for start, end in _gif_comments(data, name):
        at, pieces = start + 2, []
        while at < end - 1:
            pieces.append(data[at + 1 : at + 1 + data[at]])
            at += 1 + data[at]
        return b"".join(pieces).removeprefix(name + b" ")
    return b""


def _write_webp(data: bytes, name: bytes, text: bytes) -> bytes:
    content = _packet(name, text)
    chunks = [
        data[start:end]
        for kind, start, end in _webp_chunks(data)
        if kind != b"XMP " or _in_packet(data[start:end], name) is None
    ]
    if not chunks or chunks[0][:4] != b"VP8X":
        chunks.insert(0, _extended_header(data))
    flags = chunks[0][8] | 0x04  # there is XMP
    chunks[0] = chunks[0][:8] + bytes([flags]) + chunks[0][9:]
    chunks.append(struct.pack("<4sI", b"XMP ", len(content)) + content + bytes(len(content) % 2))
    body = b"WEBP" + b"".join(chunks)
    end = 8 + int.from_bytes(data[4:8], "little")
    return b"RIFF" + struct.pack("<I", len(body)) + body + data[end:]


def _extended_header(data: bytes) -> bytes:
    """Return the header that a simple WebP needs before anything may stand beside its picture."""
    width, height = size(data)
    is_lossless = data[12:16] == b"VP8L"
    flags = 0x10 if is_lossless and data[24] & 0x10 else 0  # the bit before the version says: with transparency
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return struct.pack("<4sI", b"VP8X", 10) + bytes([flags, 0, 0, 0]) + canvas


def _read_webp(data: bytes, name: bytes) -> bytes:
    packets = (data[start:end] for kind, start, end in _webp_chunks(data) if kind == b"XMP ")
    return next((text for packet in packets if (text := _in_packet(packet, name)) is not None), b"")


# A small copy for a notebook.


class Thumbnail(NamedTuple):
    """A small copy: its media type, its bytes, and whether it is the file itself."""

    kind: str
    data: bytes
    is_whole: bool


def thumbnail(data: bytes, *, side: int, most: int) -> Thumbnail:
    """Make a small copy of a picture; an animation moves in it, where that fits.

    Parameters
    ----------
    data
        The picture; it is its own copy where it is small enough.
    side
        The longer side in pixels.
    most
        The copy's bytes.

    Raises
    ------
    ViduError
        It can't be decoded.
    """
    image = decode(data)
    if len(data) <= most:
        return Thumbnail(f"image/{format_of(data).lower()}", data, is_whole=True)
    if frame_count(data) > 1 and (moving := _moving(data, side, most)):
        return Thumbnail("image/webp", moving, is_whole=False)
    image.thumbnail((side, side))
    copy = jpeg(image, max_bytes=most)
    while len(copy) > most and side > 1:
        side //= 2
        image.thumbnail((side, side))
        copy = jpeg(image, max_bytes=most)
    return Thumbnail("image/jpeg", copy, is_whole=False)


def _moving(data: bytes, side: int, most: int) -> bytes:
    """Return a small animated WebP of an animation, empty where there is none below the limit."""
    frames, lengths = _some_frames(data, side)
    for largest, step in _SMALLER:
        small = [frame.copy() for frame in frames[::step]]
        for frame in small:
            frame.thumbnail((min(side, largest), min(side, largest)))
        durations = [sum(lengths[at : at + step]) for at in range(0, len(lengths), step)]
        buffer = io.BytesIO()
        options = {"save_all": True, "append_images": small[1:], "duration": durations, "loop": 0, "quality": 50}
        small[0].save(buffer, "WEBP", **options)
        if buffer.tell() <= most:
            return buffer.getvalue()
    return b""


def _some_frames(data: bytes, side: int) -> tuple[list[Image], list[int]]:
    """Return frames that span an animation, shrunk, and how long each is shown in milliseconds.

    Of a huge one only the beginning is decoded.
    """
    width, height = size(data)
    most = max(1, min(1000, _DECODED_PIXELS // max(1, width * height)))
    count = frame_count(data, most=most)
    step = -(-count // _FRAMES)
    frames: list[Image] = []
    lengths: list[int] = []
    with _opened(data) as image:
        for number in range(count):
            try:
                image.seek(number)
                image.load()
            except Exception:  # damaged, or its end: what came before is shown
                break
            length = image.info.get("duration")
            length = int(length) if isinstance(length, int | float) and 0 < length < 60_000 else 100
            if number % step == 0:
                frame = image.convert("RGBA")
                frame.thumbnail((side, side))
                frames.append(frame)
                lengths.append(0)
            lengths[-1] += length
    return frames, lengths
