"""One track over a whole film: composed for it, or a sound file, looped or cut and brought to one loudness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from ...animatic.sound.loudness import RATE, SILENCE, Samples, amplified, find_gain
from ...errors import ViduError
from ...media import open_sound
from .samples import Reader, crossfaded, resampled, rising

_KEPT = 30 * RATE  # samples of a file that is looped without being read again
_LOOP = round(0.25 * RATE)  # samples of the cross-fade from a file's end to its beginning
_SHORTEST = RATE // 10  # samples; a shorter sound is repeated first, not to be joined ten thousand times
_BEGIN = round(0.015 * RATE)  # samples of the fade at the film's beginning
_END = 2 * RATE  # samples of the fade at the film's end
_MAX_DAMAGED = 8  # packets; some files have a torn one at an end, or a label in the middle

_REMEDY = 'Pass another sound file, or one of "film", "clips" and "none".'

_Sound = Callable[[], Iterator[Samples]]


def composed(seed: int, prompt: str, count: int) -> _Sound:
    """Return what makes music for a film of so many samples."""

    def play() -> Iterator[Samples]:
        from ...animatic.sound.music import compose

        music = compose(seed, count / RATE, prompt)
        for start in range(0, len(music), RATE):
            yield music[start : start + RATE].T.astype(np.float32) / np.float32(32767)

    return play


def from_file(path: Path, count: int) -> tuple[_Sound, tuple[str, ...]]:
    """Return what plays a sound file for so many samples, at -16 LUFS, and notes about it.

    Raises
    ------
    ViduError
        The file is missing, damaged, or holds no sound.
    """
    make = partial(_cut, _repeated(path), count)
    gain, loudness = find_gain(make)
    notes = (f"{path.name} is silent",) if loudness <= SILENCE and count > RATE else ()
    return lambda: amplified(make(), gain), notes


def _cut(sound: _Sound, count: int) -> Iterator[Samples]:
    """Yield so many samples, with a short fade at the beginning and a longer one at the end."""
    reader, begin, fade = Reader(sound()), min(_BEGIN, count // 4), min(_END, count // 4)
    yield reader.take(begin) * rising(begin)
    yield from reader.pieces(count - begin - fade)
    yield reader.take(fade) * rising(fade)[:, ::-1]


def _repeated(path: Path) -> _Sound:
    """Return what plays a file over and over."""
    kept, length = [], 0
    for samples in _decoded(path):
        kept.append(samples)
        length += samples.shape[1]
        if length > _KEPT:
            return partial(_looped, partial(_decoded, path), _LOOP)
    if not length:
        raise ViduError(f"{path} holds no sound", remedy=_REMEDY)
    sound = np.concatenate(kept, 1)
    sound = np.tile(sound, (1, -(-_SHORTEST // length)))
    return partial(_looped, lambda: iter([sound]), min(_LOOP, sound.shape[1] // 4))


def _looped(sound: _Sound, fade: int) -> Iterator[Samples]:
    """Yield a sound for ever, the last samples of each turn cross-faded with the first of the next."""
    end: Samples | None = None
    while True:
        waiting = np.zeros((2, 0), np.float32)
        for samples in sound():
            waiting = np.concatenate([waiting, samples], 1)
            if end is not None and waiting.shape[1] >= fade:
                waiting[:, :fade] = crossfaded(end, waiting[:, :fade])
                end = None
            if end is None and waiting.shape[1] > fade:
                yield waiting[:, :-fade]
                waiting = waiting[:, -fade:]
        end = waiting


def _decoded(path: Path) -> Iterator[Samples]:
    problem = ""
    with open_sound(path) as container:
        try:
            for _, samples in resampled(_frames(container)):
                yield samples
        except (av.FFmpegError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
        else:
            return
    raise ViduError(f"{path} can't be played ({problem})", remedy=_REMEDY)


def _frames(container: Any) -> Iterator[Any]:
    """Decode a file's sound, without packets that are torn, if they are few."""
    damaged = 0
    for packet in container.demux(container.streams.audio[0]):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            damaged += 1
            if damaged > _MAX_DAMAGED:
                raise
