"""The pictures of scenes that are encoded: each at the film's rate and size, one dissolving into the next."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

import av
import cv2
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from ...animatic.film.render import planes_of
from ...errors import ViduError
from ...media import decode
from .clip import Clip
from .plan import Plan, has_same_shape

_SOFT = 24  # the ground beside a picture is blurred in a copy so many times smaller
_DARK = 0.55  # of its light, and of its colours
#: Of matrices, by the numbers of ISO/IEC 23091-2, those that pictures can be converted between.
MATRICES = (1, 4, 5, 6, 7, 9)
_REMEDY = "Make or fetch the clip again."


def drawn(plan: Plan) -> Iterator[av.VideoFrame]:
    """Yield the film's frames in yuv420p, in limited range; where a scene has fewer, one comes several times.

    Raises
    ------
    ViduError
        A clip is damaged; the message names the scene.
    """
    scenes = [
        (number, clip, end - start)
        for number, (clip, (start, end)) in enumerate(zip(plan.clips, plan.spans, strict=True), 1)
    ]
    frames, done = _scene(plan, *scenes[0]), 0
    for scene, ((_, end), (start, _)) in zip(scenes[1:], pairwise(plan.spans), strict=True):
        yield from islice(frames, start - done)
        after, shared = _scene(plan, *scene), end - start
        for place in range(shared):
            yield _mixed(next(frames), next(after), (place + 1) / (shared + 1))
        frames, done = after, end
    yield from frames


def _scene(plan: Plan, number: int, clip: Clip, count: int) -> Iterator[av.VideoFrame]:
    """Yield so many frames of a clip at the film's rate: each the one that is seen in the middle of its time."""
    problem, remedy = "", _REMEDY
    try:
        yield from _retimed(clip, _Frame(plan, clip), plan.rate, count)
    except ViduError as error:
        problem, remedy = error.message, error.remedy
    except (av.FFmpegError, ValueError, cv2.error) as error:
        problem = f"{clip.path.name} can't be decoded ({error})"
    if problem:
        raise ViduError(f"scene {number}: {problem}", remedy=remedy)


def _retimed(clip: Clip, frame: _Frame, rate: Fraction, count: int) -> Iterator[av.VideoFrame]:
    done, seen, start = 0, None, None
    for number, one in enumerate(decode(clip.path)):
        time = number / clip.rate if one.pts is None or one.time_base is None else one.pts * one.time_base
        start = time if start is None else start
        while seen is not None and done < count and (done + Fraction(1, 2)) / rate < time - start:
            yield frame.of(seen)
            done += 1
        if done == count:
            return
        seen = one
    if seen is None:
        raise ViduError(f"{clip.path.name} holds no picture", remedy=_REMEDY)
    for _ in range(count - done):  # the last one lasts
        yield frame.of(seen)


def _mixed(before: av.VideoFrame, after: av.VideoFrame, share: float) -> av.VideoFrame:
    mix = av.VideoFrame(before.width, before.height, "yuv420p")
    for target, old, new in zip(*map(planes_of, (mix, before, after)), strict=True):
        cv2.addWeighted(old, 1 - share, new, share, 0, dst=target)
    return mix


class _Frame:
    """Makes a clip's frames the film's: in its size, before a blurred and darker ground where the shape is another."""

    def __init__(self, plan: Plan, clip: Clip) -> None:
        self._size = plan.size
        self._inner = plan.size if has_same_shape(clip.size, plan.size) else _fitted(clip.size, plan.size)
        self._kernel = Interpolation.BICUBIC if self._inner[0] >= clip.size[0] else Interpolation.AREA
        film, own = plan.clips[0].colours[0], clip.colours[0]
        self._to = film if film in MATRICES else None
        self._from = own if own in MATRICES else self._to  # what isn't told is taken for the film's
        self._reformatter = VideoReformatter()
        self._last: tuple[Any, av.VideoFrame] | None = None

    def of(self, source: av.VideoFrame) -> av.VideoFrame:
        """Return the film's frame for one of the clip's."""
        if self._last is None or self._last[0] is not source:
            is_full = source.color_range == ColorRange.JPEG or source.format.name.startswith("yuvj")
            given = ColorRange.JPEG if is_full else ColorRange.MPEG
            scaled = self._reformatter.reformat(
                source,
                *self._inner,
                "yuv420p",
                src_colorspace=self._from,
                dst_colorspace=self._to,
                interpolation=self._kernel,
                src_color_range=given,
                dst_color_range=ColorRange.MPEG,
            )
            self._last = source, scaled if self._inner == self._size else self._on_ground(scaled)
        return self._last[1]

    def _on_ground(self, picture: av.VideoFrame) -> av.VideoFrame:
        frame = av.VideoFrame(*self._size, "yuv420p")
        neutral = (16, 128, 128)
        for target, plane, grey in zip(planes_of(frame), planes_of(picture), neutral, strict=True):
            _lay_ground(target, plane, grey)
            top, left = ((whole - part) // 2 for whole, part in zip(target.shape, plane.shape, strict=True))
            target[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        return frame


def _fitted(size: tuple[int, int], into: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of the same shape that fits into another, in whole pairs of pixels."""
    scale = min(into[0] / size[0], into[1] / size[1])
    return max(2, round(size[0] * scale / 2) * 2), max(2, round(size[1] * scale / 2) * 2)


def _lay_ground(target: Any, plane: Any, grey: int) -> None:
    """Fill a plane with what covers it of a smaller one, blurred and darker."""
    (height, width), (rows, columns) = target.shape, plane.shape
    scale = max(height / rows, width / columns)
    down, across = (max(1, round(side / scale)) for side in (height, width))
    top, left = (rows - down) // 2, (columns - across) // 2
    small = (max(2, width // _SOFT), max(2, height // _SOFT))
    ground = cv2.resize(plane[top : top + down, left : left + across], small, interpolation=cv2.INTER_AREA)
    ground = cv2.convertScaleAbs(cv2.GaussianBlur(ground, (0, 0), 2), alpha=_DARK, beta=grey * (1 - _DARK))
    cv2.resize(ground, (width, height), dst=target, interpolation=cv2.INTER_CUBIC)
