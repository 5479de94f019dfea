"""The clips' own sound, one after another: of one rate, as long as their pictures, faded where one ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import av
import numpy as np

from ...animatic.sound.loudness import RATE, Samples
from ...errors import ViduError
from ...media import open_packets
from .clip import Clip
from .samples import Reader, crossfaded, resampled, rising

_FADE = round(0.015 * RATE)  # samples: no click is heard, and nothing is missing
_GAP = round(0.03 * RATE)  # samples; a shorter one is a clock's rounding


def mixed(clips: Sequence[Clip], spans: Sequence[tuple[int, int]]) -> Iterator[Samples]:
    """Yield the sound of all clips.

    Parameters
    ----------
    clips
        One without sound is silent.
    spans
        First sample and end of each; where two overlap, one fades into the other.

    Raises
    ------
    ViduError
        A sound is damaged.
    """
    numbered = enumerate(zip(clips, spans, strict=True), 1)
    scenes = [(number, clip, end - start) for number, (clip, (start, end)) in numbered]
    reader, done = Reader(_scene(*scenes[0])), 0
    for scene, ((_, end), (start, _)) in zip(scenes[1:], pairwise(spans), strict=True):
        yield from reader.pieces(start - done)
        after = Reader(_scene(*scene))
        if end > start:
            yield crossfaded(reader.take(end - start), after.take(end - start))
        reader, done = after, end
    yield from reader.pieces(spans[-1][1] - done)


def _scene(number: int, clip: Clip, count: int) -> Iterator[Samples]:
    """Yield so many samples of a clip, from its first frame on: silence where it has no sound."""
    done = 0
    for start, samples in _faded(_heard(number, clip, count)) if clip.has_sound else ():
        if start > done:
            yield np.zeros((2, start - done), np.float32)
        yield samples
        done = start + samples.shape[1]
    yield np.zeros((2, count - done), np.float32)


def _faded(pieces: Iterable[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """Fade a sound in where it begins and out where it ends: there it may be cut off, and a click be heard."""
    place, waiting, is_begun = 0, np.zeros((2, 0), np.float32), False
    for start, samples in pieces:
        place = place if waiting.size else start
        waiting = np.concatenate([waiting, samples], 1)
        if waiting.shape[1] < 2 * _FADE:
            continue
        if not is_begun:
            waiting[:, :_FADE] *= rising(_FADE)
            is_begun = True
        yield place, waiting[:, :-_FADE]
        place, waiting = place + waiting.shape[1] - _FADE, waiting[:, -_FADE:]
    fade = min(_FADE, waiting.shape[1] // (1 if is_begun else 2))
    if not is_begun:
        waiting[:, :fade] *= rising(fade)
    waiting[:, waiting.shape[1] - fade :] *= rising(fade)[:, ::-1]
    yield place, waiting


def _heard(number: int, clip: Clip, count: int) -> Iterator[tuple[int, Samples]]:
    """Yield a clip's sound and where it is, counted from the first frame: what lies before or after is left out."""
    problem = ""
    with open_packets(clip.path) as container:
        try:
            place: int | None = None
            for time, samples in resampled(container.decode(container.streams.audio[0])):
                begins = None if time is None else round((time - clip.start) * RATE)
                if place is None:
                    place = begins or 0
                elif begins is not None and begins - place > _GAP:
                    samples = np.concatenate([np.zeros((2, begins - place), np.float32), samples], 1)  # noqa: PLW2901
                inside = samples[:, max(0, -place) : max(0, count - place)]
                if inside.size:
                    yield max(place, 0), inside
                place += samples.shape[1]
                if place >= count:
                    return
        except (av.FFmpegError, ValueError) as error:
            problem = getattr(error, "strerror", None) or type(error).__name__
        else:
            return
    raise ViduError(
        f"scene {number}: the sound of {clip.path.name} can't be decoded ({problem})",
        remedy='Make or fetch the clip again, or join without its sound: music="none".',
    )
