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
            packets = _Packets(container)
            if packets.shown:
                return _clip(path, container, packets)
        except av.FFmpegError as error:
            problem = error.strerror or type(error).__name__
    raise ViduError(f"{path.name} can't be joined ({problem})", remedy="Make or fetch the clip again.")


class _Packets:
    """What a clip's packets tell, read one after another in the order in which they are decoded."""

    def __init__(self, container: Any) -> None:
        self.shown: list[int] = []  # when each frame is seen, by the file's clock
        self.last = (0, 0)  # the last one's time, and how long it is seen
        self.are_whole = True  # none is damaged, hidden by an edit list, or without a time
        self.first: tuple[int, bytes] | None = None  # the first one's time, if it is a key frame, and its bytes
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                self._read(packet)

    def _read(self, packet: Any) -> None:
        if packet.pts is None or packet.is_discard or packet.is_corrupt:
            self.are_whole = False
        if packet.pts is None or packet.is_discard:
            return
        if not self.shown and packet.is_keyframe:
            self.first = packet.pts, bytes(packet)
        self.last = max(self.last, (packet.pts, packet.duration or 0)) if self.shown else (packet.pts, packet.duration)
        self.shown.append(packet.pts)


def _clip(path: Path, container: Any, packets: _Packets) -> Clip:
    video = container.streams.video[0]
    context, unit, turns = video.codec_context, video.time_base, turns_of(path)
    times, last = sorted(packets.shown), max(1, packets.last[1] or 0)
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
        start=times[0] * unit,
        seconds=len(times) / rate if is_even else (times[-1] - times[0] + last) * unit,
        ahead=max(place - places[one] for place, one in enumerate(packets.shown)),
        is_even=is_even,
        is_turned=bool(turns),
        can_be_copied=(
            is_even
            and not turns
            and "mp4" in container.format.name
            and context.name in _COPIED
            and packets.are_whole
            and len(places) == len(times)
            and packets.first is not None
            and packets.first[0] == times[0]
            and _stands_alone(context.name, extradata, packets.first[1])
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


def _stands_alone(codec: str, extradata: bytes, first: bytes) -> bool:
    """Return whether a stream that begins with this key frame needs nothing of what another left in the decoder."""
    if codec != "h264":
        return bool(extradata)
    return len(extradata) > 4 and extradata[0] == 1 and _IDR in _kinds(first, (extradata[4] & 3) + 1)


def _kinds(packet: bytes, size: int) -> set[int]:
    """Return the kinds of the units that an H.264 packet consists of, each behind its length of so many bytes."""
    kinds, at = set(), 0
    while at + size < len(packet):
        kinds.add(packet[at + size] & 31)
        at += size + int.from_bytes(packet[at : at + size], "big")
    return kinds
