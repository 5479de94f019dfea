"""Video files through PyAV: probe, frames, poster, small copy, recipe tags, and a look at the file's boxes.

Nothing here knows of requests or receipts; paths go in, values or files come out.
"""

from __future__ import annotations

import functools
import io
import os
import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .errors import ViduError
from .libraries import check_library

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

POSTER_SIDE = 640  # px, the longer side
PROXY_SIDE = 480  # px, the longer side
#: FFmpeg also opens pictures, playlists that name other files, and URLs; a clip is none of these.
_ONLY_FILES = {"format_whitelist": "mov,matroska,webm", "protocol_whitelist": "file"}
#: To learn the pixel format, opening decodes a picture: 40 ms in 1080p, of which packets and sound have no need.
_NO_PICTURE = {**_ONLY_FILES, "skip_frame": "all"}
_SOUND_FILES = {
    "format_whitelist": "aac,ac3,aiff,amr,ape,asf,au,caf,eac3,flac,matroska,webm,mov,mp3,mpegts,ogg,tta,w64,wav,wv",
    "protocol_whitelist": "file",
}
#: What stands at an MP4's top level (ISO/IEC 14496-12; free, skip and wide are QuickTime's, too).
_TOP_LEVEL = (
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"free", b"skip", b"wide", b"uuid", b"udta", b"meta", b"sidx",
    b"ssix", b"prft", b"pdin", b"emsg",
)  # fmt: skip
_MAX_BOX = 1_000_000_000  # bytes of a box that is read: pictures of a film with a cast of hundreds
_MAX_LEAD = 1024  # bytes before the first box: a byte order mark, line ends, the head of a multipart answer
PROXY_BYTES = 72_000  # in base64, with its poster and a panel's small pictures of it, it stays below 150 kB of notebook


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file holds: sizes in pixels, times in seconds, rates in Hz; `audio_codec` is None for a silent file."""

    width: int
    height: int
    fps: float
    frames: int
    duration: float
    video_codec: str
    pix_fmt: str
    audio_codec: str | None
    sample_rate: int | None
    channels: int | None
    size_bytes: int


class Chapter(NamedTuple):
    """A part of a file, from and to which second, and its title."""

    start: float
    end: float
    title: str


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Read a video file's facts from its headers, once while the file stays as it is.

    Raises
    ------
    ViduError
        The file is missing or holds no video.
    """
    return _probe(Path(path), _stamp(path))


@functools.lru_cache(maxsize=256)
def _probe(path: Path, _stamp: tuple[int, ...]) -> VideoInfo:
    with open_media(path) as container:
        stream = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        width, height = upright(turns_of(path), stream.codec_context.width, stream.codec_context.height)
        duration = float(container.duration or 0) / 1_000_000
        fps = float(stream.average_rate or 0)
        return VideoInfo(
            width=width,
            height=height,
            fps=fps,
            frames=stream.frames or round(duration * fps),
            duration=duration,
            video_codec=stream.codec_context.name,
            pix_fmt=str(stream.codec_context.pix_fmt),
            audio_codec=audio.codec_context.name if audio else None,
            sample_rate=audio.codec_context.sample_rate if audio else None,
            channels=audio.codec_context.channels if audio else None,
            size_bytes=path.stat().st_size,
        )


def _stamp(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return what changes with a file, as a part of a cache's key; nothing for a file that is missing."""
    try:
        found = Path(path).stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def decode(path: str | os.PathLike[str], *, sound: bool = False, start: float = 0.0) -> Iterator[Any]:
    """Decode the picture's frames, upright, or the sound's, as PyAV gives them: the one way to read what a file holds.

    Parameters
    ----------
    path
        The file.
    sound
        The sound's, not the picture's.
    start
        Seconds; the first frame is that of the last key frame before.

    Raises
    ------
    ViduError
        The file is missing, holds no video, or is damaged.
    """
    import av

    with open_media(path) as container:
        stream = container.streams.audio[0] if sound else container.streams.video[0]
        stream.thread_type = "AUTO"
        turns = [] if sound else turns_of(path)
        try:
            if start > 0:
                container.seek(round(start * 1_000_000))
            frames = container.decode(stream)
            yield from _turned(frames, stream, turns) if turns else frames
        except av.FFmpegError as error:
            problem = error.strerror or type(error).__name__
        else:
            return
    raise ViduError(f"{Path(path).name} can't be decoded ({problem})", remedy="Make or fetch the clip again.")


def read_frames(path: str | os.PathLike[str], *, side: int | None = None) -> Iterator[np.ndarray]:
    """Decode frame by frame.

    Parameters
    ----------
    path
        The file.
    side
        Longer side in pixels to shrink to; None keeps the size.

    Yields
    ------
    numpy.ndarray
        uint8 RGB of shape (height, width, 3).

    Raises
    ------
    ViduError
        The file is missing, holds no video, or is damaged.
    """
    for frame in decode(path):
        width, height = _fit(frame.width, frame.height, side)
        yield frame.to_ndarray(format="rgb24", width=width, height=height)


def poster(path: str | os.PathLike[str], *, at: float = 1.0, side: int = POSTER_SIDE) -> Image:
    """Decode one frame as a PIL image.

    Parameters
    ----------
    path
        The file.
    at
        Seconds from the start; the last frame where the clip is shorter.
    side
        Longer side in pixels at most.

    Raises
    ------
    ViduError
        The file is missing, holds no picture, or is damaged before that moment.
    """
    found = None
    for found in decode(path, start=at):
        if found.time is not None and found.time >= at:
            break
    if found is None:
        raise ViduError(f"{Path(path).name} holds no picture")
    width, height = _fit(found.width, found.height, side)
    image: Image = found.to_image(width=width, height=height, interpolation="AREA")
    return image


def last_frame(path: str | os.PathLike[str]) -> Image:
    """Decode the last frame as a PIL image of the clip's own size.

    Raises
    ------
    ViduError
        As for `poster`.
    """
    found = next(iter(deque(decode(path), maxlen=1)), None)
    if found is None:
        raise ViduError(f"{Path(path).name} holds no picture")
    image: Image = found.to_image()
    return image


def poster_jpeg(path: str | os.PathLike[str], *, side: int = POSTER_SIDE) -> bytes:
    """Make a poster as JPEG, cached while the file stays as it is: a notebook shows the same clip often."""
    return _poster_jpeg(Path(path), side, _stamp(path))


@functools.lru_cache(maxsize=64)  # some 2 MB
def _poster_jpeg(path: Path, side: int, stamp: tuple[int, ...]) -> bytes:
    if side > POSTER_SIDE:
        return jpeg(poster(path, side=side))
    image = _poster(path, stamp)  # decoding takes most of the time, and a page wants several sizes
    size = _fit(image.width, image.height, side)
    return jpeg(image if size == image.size else image.resize(size))


@functools.lru_cache(maxsize=8)  # some 7 MB
def _poster(path: Path, _stamp: tuple[int, ...]) -> Image:
    return poster(path)


def jpeg(image: Image, *, max_bytes: int = 60_000) -> bytes:
    """Encode a PIL image as JPEG of at most `max_bytes`, at the best quality that fits."""
    for quality in (82, 74, 64, 52, 40, 28, 16):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= max_bytes:
            break
    return buffer.getvalue()


def proxy(path: str | os.PathLike[str], *, side: int = PROXY_SIDE, max_bytes: int = PROXY_BYTES) -> bytes:
    """Encode a small silent copy for places where a link can't play: H.264 MP4 of at most `max_bytes`.

    Every second frame is kept; the bit rate follows from the clip's length. Cached while the file stays as it is.
    """
    return _proxy(Path(path), side, max_bytes, _stamp(path))


@functools.lru_cache(maxsize=16)  # some 2 MB; encoding takes seconds, and a panel shows the same clips again
def _proxy(path: Path, side: int, max_bytes: int, _stamp: tuple[int, ...]) -> bytes:
    info = probe(path)
    rate = max_bytes * 8 / max(info.duration, 0.5) * 0.85
    for _ in range(4):
        data = _encode_proxy(path, info, side, round(rate))
        if len(data) <= max_bytes:
            return data
        rate *= max_bytes / len(data) * 0.9
    raise ViduError(f"{path.name} can't be brought below {max_bytes} bytes")


def _encode_proxy(path: Path, info: VideoInfo, side: int, rate: int) -> bytes:
    import av

    buffer = io.BytesIO()
    width, height = _fit(info.width, info.height, side)
    fps = max(Fraction(1), Fraction(info.fps).limit_denominator(1001) / 2)
    with av.open(buffer, "w", format="mp4") as target:
        options = {"preset": "veryfast", "crf": "28", "maxrate": str(rate), "bufsize": str(rate)}
        stream = target.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i, frame in enumerate(decode(path)):
            if i % 2:
                continue
            small = frame.reformat(width=width, height=height, format="yuv420p", interpolation="AREA")
            small.pts, small.time_base = i // 2, 1 / fps
            target.mux(stream.encode(small))
        target.mux(stream.encode(None))
    return buffer.getvalue()


# Recipe tags: text beside the streams, which ffprobe shows, and one box for what is no text for people.


def write_tags(source: str | os.PathLike[str], target: str | os.PathLike[str], tags: Mapping[str, str]) -> None:
    """Copy an MP4 without re-encoding, with its chapters, and with metadata tags added.

    Parameters
    ----------
    source, target
        Two different paths; `target` is overwritten.
    tags
        Names and texts, shown by ``ffprobe -show_format`` as ``TAG:name=text``.
    """
    with open_media(source) as old, open_mp4(target, unit=old.streams.video[0].time_base) as new:
        new.metadata.update({**old.metadata, **tags})
        new.set_chapters(_whole_chapters(old))
        streams = {
            stream.index: new.add_stream_from_template(stream) for stream in (*old.streams.video, *old.streams.audio)
        }
        for packet in old.demux(list(old.streams.video) + list(old.streams.audio)):
            if packet.dts is None:
                continue
            packet.stream = streams[packet.stream.index]
            new.mux(packet)


def chapters(path: str | os.PathLike[str]) -> list[Chapter]:
    """Read a file's chapters, in their order.

    Raises
    ------
    ViduError
        The file is missing or holds no video.
    """
    with open_media(path) as container:
        return [
            Chapter(
                float(one["start"] * one["time_base"]),
                float(one["end"] * one["time_base"]),
                one["metadata"].get("title", ""),
            )
            for one in _whole_chapters(container)
        ]


def _whole_chapters(container: Any) -> list[Any]:
    """Return the chapters as PyAV has them, without those that end before they begin, which no file can be given."""
    return [one for one in container.chapters() if one["time_base"] and 0 <= one["start"] <= one["end"]]


def open_mp4(path: str | os.PathLike[str], *, unit: Fraction) -> Any:
    """Open an MP4 for writing, ready to be streamed, whose tags may have any name; the same bytes for the same packets.

    Parameters
    ----------
    path
        Where to; it is overwritten.
    unit
        What chapters are measured in, in seconds: with FFmpeg's own, a millisecond, none begins on its frame.
    """
    check_library("av")
    import av

    movflags = "+faststart+use_metadata_tags"
    options = {"movflags": movflags, "fflags": "+bitexact", "movie_timescale": str(unit.denominator)}
    return av.open(str(Path(path).absolute()), "w", format="mp4", options=options)


def read_tags(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read an MP4's metadata tags."""
    with open_media(path) as container:
        return dict(container.metadata)


def append_box(path: str | os.PathLike[str], name: bytes, payload: bytes) -> None:
    """Append a ``uuid`` box to an MP4; players skip boxes that they don't know (ISO/IEC 14496-12, 4.2).

    Parameters
    ----------
    path
        The file.
    name
        16 bytes that tell this kind of box from others.
    payload
        At most 4 GB.
    """
    with Path(path).open("ab") as file:
        file.write(struct.pack(">I4s", 24 + len(payload), b"uuid") + name + payload)


def read_box(path: str | os.PathLike[str], name: bytes) -> bytes | None:
    """Read the payload of the last ``uuid`` box of this name, None where there is none of a size that can be read."""
    with Path(path).open("rb") as file:
        return _find_box(file, os.fstat(file.fileno()).st_size, name)


def box_in(data: bytes, name: bytes) -> bytes | None:
    """Read the same from an MP4's bytes."""
    return _find_box(io.BytesIO(data), len(data), name)


def _find_box(file: Any, size: int, name: bytes) -> bytes | None:
    found = None
    for kind, start, end in _boxes(file, size):
        if kind == b"uuid" and 16 <= end - start <= _MAX_BOX:
            file.seek(start)
            if file.read(16) == name:
                found = file.read(end - start - 16)
    return found


def what_is_wrong(data: bytes) -> str:
    """Say why bytes hold no whole MP4; empty where they do.

    A look at the first bytes accepts nearly every truncated file. A whole one consists of boxes that tile it, with
    ``ftyp``, ``moov`` and ``mdat`` among them. What transport puts around them takes nothing away: see `whole_mp4`.

    >>> what_is_wrong(b"")
    'it is empty'
    >>> what_is_wrong(b"<html>")
    'it is not an MP4'
    """
    return _find_mp4(data)[1]


def whole_mp4(data: bytes) -> bytes:
    """Return the whole MP4 in some bytes, without what lies around its boxes; empty where there is none.

    Line ends, padding, a multipart answer's head and tail: before the first box they would shift all that the index
    points to, and no player would find it.
    """
    where, problem = _find_mp4(data)
    return b"" if problem else data[where]


def _find_mp4(data: bytes) -> tuple[slice, str]:
    """Return where the boxes of an MP4 lie, and what is wrong with them."""
    start = data.find(b"ftyp", 4, _MAX_LEAD) - 4
    if start < 0:
        return slice(0), "it is not an MP4" if data else "it is empty"
    boxes = list(_boxes(io.BytesIO(data), len(data), start))
    end = boxes[-1][2] if boxes else start
    missing = sorted(kind.decode() for kind in {b"moov", b"mdat"} - {kind for kind, _, _ in boxes})
    if _begins_a_box(data[end : end + 8]) or (missing and end < len(data)):
        return slice(0), "it is cut off"
    return slice(start, end), f"it has no {' and no '.join(missing)} box" if missing else ""


def _begins_a_box(rest: bytes) -> bool:
    """Return whether what follows the last whole box is a cut one; of less than a byte of its name nobody can tell."""
    return len(rest) > 4 and any(kind.startswith(rest[4:]) for kind in _TOP_LEVEL)


def _boxes(file: Any, size: int, at: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Yield top-level boxes as (kind, payload start, end); stops at the first that doesn't fit in `size` bytes."""
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if not any(kind):
            return  # zeros that fill a block up
        start = at + 8
        if length == 1:
            length, start = int.from_bytes(file.read(8), "big"), at + 16
        elif length == 0:
            length = size - at
        if at + length < start or at + length > size:
            return
        yield kind, start, at + length
        at += length


# Which way up: players obey the matrix in a track's header, FFmpeg leaves that to its callers.

_QUARTER = ("transpose", "cclock_flip")  # along the diagonal from the top left: x becomes y
_MAX_HEADER = 50_000_000  # bytes; of an hour's film it has some 2 MB


def upright(turns: Sequence[tuple[str, str]], width: int, height: int) -> tuple[int, int]:
    """Return the size that frames have once they are turned."""
    return (height, width) if _QUARTER in turns else (width, height)


def turns_of(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Return the filters, with their arguments, that put a file's frames upright: none for most."""
    matrix = _display_matrix(Path(path))
    if matrix is None:
        return []
    a, b, c, d = matrix  # x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 6.2.2)
    swaps = abs(b) > abs(a)
    across, down = (c, b) if swaps else (a, d)
    return [
        *([_QUARTER] if swaps else []),
        *([("hflip", "")] if across < 0 else []),
        *([("vflip", "")] if down < 0 else []),
    ]


def _turned(frames: Iterator[Any], stream: Any, turns: list[tuple[str, str]]) -> Iterator[Any]:
    import av.filter

    graph = av.filter.Graph()
    nodes = [graph.add_buffer(template=stream), *(graph.add(*turn) for turn in turns), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    for frame in frames:
        graph.push(frame)
        yield graph.pull()


def _display_matrix(path: Path) -> tuple[int, ...] | None:
    """Return the four numbers of an MP4's first video track that say how it is turned."""
    with path.open("rb") as file:
        spans = [span for span in _boxes(file, os.fstat(file.fileno()).st_size) if span[0] == b"moov"]
        if not spans or spans[0][2] - spans[0][1] > _MAX_HEADER:
            return None
        file.seek(spans[0][1])
        header = file.read(spans[0][2] - spans[0][1])
    for track in _inside(header, b"trak"):
        if next(_inside(track, b"mdia", b"hdlr"), b"")[8:12] == b"vide":
            head = next(_inside(track, b"tkhd"), b"")
            at = 52 if head[:1] == b"\1" else 40  # its times have 64 bits in version 1
            if len(head) >= at + 36:
                a, b, _, c, d = struct.unpack_from(">5i", head, at)
                return a, b, c, d
    return None


def _inside(box: bytes, kind: bytes, *deeper: bytes) -> Iterator[bytes]:
    """Yield the payloads of the boxes of a kind that lie in another one's payload."""
    for found, start, end in _boxes(io.BytesIO(box), len(box)):
        if found == kind:
            payload = box[start:end]
            yield from _inside(payload, *deeper) if deeper else (payload,)


def open_media(path: str | os.PathLike[str]) -> Any:
    """Open a video's file with PyAV for reading; one error for all that can be wrong with it."""
    return _opened(path, "video", _ONLY_FILES)


def open_packets(path: str | os.PathLike[str]) -> Any:
    """Open a video's file as `open_media` does, but quickly, for its packets and its sound: `pix_fmt` isn't known."""
    return _opened(path, "video", _NO_PICTURE)


def open_sound(path: str | os.PathLike[str]) -> Any:
    """Open a file with sound in it, of any kind that is no list of other files; its errors are those of `open_media`.

    A pipe or a device, on which one could wait for ever, is no such file.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ViduError(f"{os.fspath(path)} is no regular file", remedy="Check the path.")
    return _opened(path, "audio", _SOUND_FILES)


def _opened(path: str | os.PathLike[str], kind: Literal["video", "audio"], options: Mapping[str, str]) -> Any:
    check_library("av")
    import av

    what, problem = {"video": "video", "audio": "sound"}[kind], ""
    try:
        container = av.open(str(Path(path).absolute()), options=dict(options))
        if getattr(container.streams, kind):
            return container
        container.close()
        problem = f"holds no {what}"
    except FileNotFoundError:
        problem = "does not exist"
    except (av.FFmpegError, OSError) as error:
        problem = f"can't be read as a {what} ({error.strerror or type(error).__name__})"
    raise ViduError(f"{os.fspath(path)} {problem}", remedy="Check the path.")


def _fit(width: int, height: int, side: int | None) -> tuple[int, int]:
    """Return a size with even sides whose longer one is at most `side`, in pixels."""
    scale = min(1.0, side / max(width, height)) if side else 1.0
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
