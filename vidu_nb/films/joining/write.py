"""Write a joined clip: packets in the order of their time, chapters and tags; streaming, never the whole in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import ViduError
from ...media import open_mp4, open_packets
from .plan import RATE, Plan

#: Once more encoded is once more worn: finer than a preview, and quick.
_X264 = {"preset": "superfast", "crf": "18", "flags": "+bitexact", "x264-params": "cpu-independent=1"}
#: The quick coder makes loud tones softer where it looks for what two sides have in common, and it takes time.
_AAC = {"aac_coder": "fast", "aac_ms": "0", "aac_is": "0", "aac_pns": "0", "aac_tns": "0", "flags": "+bitexact"}
_AUDIO_BITS = 160_000  # a second
_GOP = 2  # s; a seek decodes no more than that
_LARGEST = 2**31 - 1  # a unit of time is so fine at most


def write_joined(plan: Plan, target: Path, tags: Mapping[str, str]) -> None:
    """Write what was planned as an MP4.

    Parameters
    ----------
    plan
        What to join, and how.
    target
        Where to; it is overwritten.
    tags
        Metadata: names and texts.

    Raises
    ------
    ViduError
        A clip or the music is damaged.
    OSError
        The file can't be written.
    """
    import av

    problem: av.FFmpegError | None = None
    try:
        with open_mp4(target, unit=_unit(plan.rate)) as out:
            _write(plan, out, tags)
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        problem = error
    if problem:
        raise ViduError(f"the scenes can't be joined ({problem.strerror or type(problem).__name__})")


def _write(plan: Plan, out: Any, tags: Mapping[str, str]) -> None:
    out.metadata.update(tags)
    out.set_chapters(_chapters(plan))
    pictures = _copied(plan, _add_copy(plan, out)) if plan.is_copied else _encoded(plan, _add_video(plan, out))
    sound = _coded(_add_sound(out), plan.sound()) if plan.sound else iter(())
    out.start_encoding()
    for packet in _in_order(pictures, sound):
        out.mux(packet)


def _unit(rate: Fraction) -> Fraction:
    """Return a unit of time in which both frames and samples begin at whole numbers, where there is such a one."""
    both = math.lcm(rate.numerator, RATE)
    return Fraction(1, both if both <= _LARGEST else rate.numerator)


def _chapters(plan: Plan) -> list[dict[str, Any]]:
    starts = [start for start, _ in plan.spans]
    ends = [*starts[1:], plan.frames]
    unit = Fraction(1, plan.rate.numerator)
    return [
        {
            "id": number,
            "start": start * plan.rate.denominator,
            "end": end * plan.rate.denominator,
            "time_base": unit,
            "metadata": {"title": title},
        }
        for number, (start, end, title) in enumerate(zip(starts, ends, plan.titles, strict=True))
    ]


def _add_copy(plan: Plan, out: Any) -> Any:
    with open_packets(plan.clips[0].path) as first:
        stream = out.add_stream_from_template(first.streams.video[0])
    stream.time_base = Fraction(1, plan.rate.numerator)
    return stream


def _copied(plan: Plan, stream: Any) -> Iterator[Any]:
    """Yield the clips' own packets, at the film's times: frames are counted, since clocks differ."""
    unit, step = Fraction(1, plan.rate.numerator), plan.rate.denominator
    ahead_of_showing = max(clip.ahead for clip in plan.clips)
    decoded = 0
    for clip, (start, _) in zip(plan.clips, plan.spans, strict=True):
        with open_packets(clip.path) as source:
            for packet in source.demux(source.streams.video[0]):
                if not packet.size:
                    continue
                place = start + round((packet.pts * packet.time_base - clip.start) * plan.rate)
                packet.pts, packet.dts, packet.duration = place * step, (decoded - ahead_of_showing) * step, step
                packet.time_base, packet.stream = unit, stream
                decoded += 1
                yield packet


def _add_video(plan: Plan, out: Any) -> Any:
    from av.video.reformatter import ColorRange

    from .pictures import MATRICES

    stream = out.add_stream("libx264", rate=plan.rate, options=_X264)
    stream.width, stream.height = plan.size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 2  # pinned: the number of threads changes the bytes
    context.gop_size = max(1, round(_GOP * plan.rate))
    matrix, _, primaries, transfer = plan.clips[0].colours
    if matrix in MATRICES:
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
    context.color_range = ColorRange.MPEG
    return stream


def _encoded(plan: Plan, stream: Any) -> Iterator[Any]:
    from .pictures import drawn

    for index, frame in enumerate(drawn(plan)):
        frame.pts, frame.time_base = index, 1 / plan.rate
        frame.pict_type = 0  # what it was in its clip is not what it has to be here
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _add_sound(out: Any) -> Any:
    return out.add_stream("aac", rate=RATE, options=_AAC, layout="stereo", bit_rate=_AUDIO_BITS)


def _coded(stream: Any, pieces: Iterable[Any]) -> Iterator[Any]:
    import av
    import numpy as np

    done = 0
    for piece in pieces:
        if not piece.shape[1]:
            continue
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, done, Fraction(1, RATE)
        done += piece.shape[1]
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _in_order(pictures: Iterable[Any], sound: Iterator[Any]) -> Iterator[Any]:
    """Yield both streams' packets by their time, as players read them."""
    waiting = next(sound, None)
    for picture in pictures:
        while waiting is not None and waiting.dts * waiting.time_base <= picture.dts * picture.time_base:
            yield waiting
            waiting = next(sound, None)
        yield picture
    while waiting is not None:
        yield waiting
        waiting = next(sound, None)
