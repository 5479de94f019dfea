"""What joining has to know of a clip, read from its packets: nothing is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...errors import ViduError
from ...media import open_packets, turns_of, upright

#: Codecs whose extradata tells all that the packets of one stream have in common.
_COPIED = {"h264", "hevc", "av1"}
_IDR = 5  # the kind of an H.264 picture that needs none before it


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a film: its size in pixels as it is shown; times in seconds."""

    path: Path
    size: tuple[int, int]
    rate: Fraction  # frames a second
    frames: int
    start: Fraction  # of the first frame, in the file's own time
    seconds: Fraction
    ahead: int  # frames by which decoding runs ahead of showing
    is_even: bool  # each frame lasts as long as the next
    is_turned: bool  # by the file's own word: its frames lie otherwise
    can_be_copied: bool
    codec: str
    colours: tuple[int, ...]  # matrix, range, primaries, transfer: the numbers of ISO/IEC 23091-2
    stream: tuple[Any, ...]  # what packets need to have in common that one decoder is to read
    has_sound: bool


def read_clip(path: Path) -> Clip:
    """Read a clip's facts.

    Raises
    ------
    ViduError
        The file is missing, damaged, or holds no video.
    """
    import av

    problem = "it holds no picture"
    with open_packets(path) as container:
        try:
            packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
            if any(packet.pts is not None and not packet.is_discard for packet in packets):
                return _clip(path, container, packets)
        except av.FFmpegError as error:
            problem = error.strerror or type(error).__name__
    raise ViduError(f"{path.name} can't be joined ({problem})", remedy="Make or fetch the clip again.")


def _clip(path: Path, container: Any, packets: Sequence[Any]) -> Clip:
    video = container.streams.video[0]
    context, unit, turns = video.codec_context, video.time_base, turns_of(path)
    shown = [packet.pts for packet in packets if packet.pts is not None and not packet.is_discard]
    times = sorted(shown)
    last = max(1, next(packet.duration or 0 for packet in packets if packet.pts == times[-1]))
    rate = _rate(times, last, unit, video.average_rate)
    is_even = all(abs(one - times[0] - place / (rate * unit)) <= 1 for place, one in enumerate(times))
    places = {one: place for place, one in enumerate(times)}
    aspect = context.sample_aspect_ratio or Fraction(1)
    colours = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
    extradata = bytes(context.extradata or b"")
    return Clip(
        path=path,
        size=upright(turns, round(context.width * aspect), context.height),
        rate=rate,
        frames=len(times),
        start=times[0] * unit,
        seconds=len(times) / rate if is_even else (times[-1] - times[0] + last) * unit,
        ahead=max(place - places[one] for place, one in enumerate(shown)),
        is_even=is_even,
        is_turned=bool(turns),
        can_be_copied=(
            is_even
            and not turns
            and "mp4" in container.format.name
            and context.name in _COPIED
            and len(places) == len(packets)  # none is hidden by an edit list, none has no time of its own
            and not any(packet.is_corrupt for packet in packets)
            and _stands_alone(context.name, extradata, packets[0], times[0])
        ),
        codec=context.name,
        colours=tuple(map(int, colours)),
        stream=(context.name, context.codec_tag, context.width, context.height, aspect, extradata, colours),
        has_sound=bool(container.streams.audio),
    )


def _rate(times: Sequence[int], last: int, unit: Fraction, average: Fraction | None) -> Fraction:
    """Return frames a second: exactly, or on the average where a file's clock is coarse."""
    steps = {later - earlier for earlier, later in pairwise(times)} or {last}
    if len(steps) == 1 and (step := steps.pop()) > 0:
        return 1 / (step * unit)
    return Fraction(average or len(times) / ((times[-1] - times[0] + last) * unit))


def _stands_alone(codec: str, extradata: bytes, first: Any, start: int) -> bool:
    """Return whether a stream that begins with this packet needs nothing of what another left in the decoder."""
    if not (first.is_keyframe and first.pts == start and extradata):
        return False
    return codec != "h264" or (extradata[0] == 1 and _IDR in _kinds(bytes(first), (extradata[4] & 3) + 1))


def _kinds(packet: bytes, size: int) -> set[int]:
    """Return the kinds of the units that an H.264 packet consists of, each behind its length of so many bytes."""
    kinds, at = set(), 0
    while at + size < len(packet):
        kinds.add(packet[at + size] & 31)
        at += size + int.from_bytes(packet[at : at + size], "big")
    return kinds
