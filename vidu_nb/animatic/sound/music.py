"""Play a score: a note is a sum of harmonics, of which the higher ones fade sooner, as on a string."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .loudness import LOUDNESS, PEAK, RATE, Samples, measure
from .score import write

_RELEASE = 0.3  # seconds
_PIECE = RATE  # samples that are worked on at a time
# Levels of the harmonics; attack and decay in seconds; semitones by which left and right are out of tune, or both.
_VOICES: dict[str, tuple[tuple[float, ...], float, float, tuple[float, ...]]] = {
    "pad": ((0.09, 0.04, 0.015, 0.012), 0.2, 5, (-0.04, 0.04)),
    "bass": ((0.22, 0.12, 0.06, 0.03), 0.012, 1.6, (0,)),
    "figure": ((0.11, 0.06, 0.04, 0.025, 0.015, 0.01, 0.005), 0.005, 0.7, (-0.015, 0.015)),
    "bell": ((0.28, 0.03, 0.015, 0.09, 0, 0.03, 0, 0, 0.02), 0.004, 1.2, (0,)),
    "pluck": ((0.25, 0.16, 0.11, 0.08, 0.05, 0.04, 0.03, 0.02, 0.01), 0.004, 0.8, (0,)),
    "reed": ((0.2, 0.06, 0.08, 0.02, 0.03, 0.01, 0.01), 0.05, 3, (0,)),
}


def compose(seed: int, seconds: float, prompt: str = "") -> NDArray[np.int16]:
    """Compose background music of a length above 0, which fades out while its last chord rings.

    Words such as "calm", "fast", "sad" or "happy" in the prompt choose tempo and mood, the seed all the rest. The same
    arguments give the same samples: 48 kHz, left and right, of shape (round(seconds * 48000), 2), at -16 LUFS (EBU
    R 128, which measures 0.4 seconds and more), no peak above -1 dBFS.

    Examples
    --------
    >>> compose(7, 0.5, "a calm lake").shape
    (24000, 2)
    """
    score = write(seed, seconds, prompt)
    beat, count = RATE * 60 / score.tempo, round(seconds * RATE)
    mix = np.zeros((2, count), np.float32)
    play = cache(_play)  # a note that comes again is the same
    for start, beats, pitch, voice in score.notes:
        sound = play(voice, pitch, round(beats * beat))
        place = mix[:, round(start * beat) :][:, : sound.shape[1]]
        place += sound[:, : place.shape[1]] * np.float32(0.8 if start % 1 else 1)
    for delay in (round(beat / 2), round(beat * 0.75)):  # echoes from the other side
        for start in reversed(range(delay, count, _PIECE)):  # what is still to be read has no echo yet
            piece = mix[:, start : start + _PIECE]
            piece += np.float32(0.2) * mix[::-1, start - delay :][:, : piece.shape[1]]
    fall = max(1, round(0.7 * (count - score.end * beat)))
    mix[:, -fall:] *= np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    loudness, peak = measure(_pieces(mix))
    mix *= np.float32(min(10 ** ((LOUDNESS - loudness) / 20), float(PEAK / np.float32(peak))))
    return _as_int16(mix)


def _pieces(mix: Samples) -> Iterator[Samples]:
    """Yield a long sound in pieces: of minutes, each copy of the whole would take a hundred megabytes."""
    return (mix[:, start : start + _PIECE] for start in range(0, mix.shape[1], _PIECE))


def _as_int16(mix: Samples) -> NDArray[np.int16]:
    played, done = np.empty((mix.shape[1], 2), np.int16), 0
    for piece in _pieces(mix):
        played[done : done + piece.shape[1]] = np.rint(piece.T * 32767)
        done += piece.shape[1]
    return played


def _play(voice: str, pitch: int, held: int) -> Samples:
    """Play a note for a number of samples, and its release; one row of samples stands for both sides."""
    harmonics, attack, decay, detuned = _VOICES[voice]
    count, rise = held + round(_RELEASE * RATE), round(attack * RATE)
    hertz = 440 * 2 ** ((pitch + np.array(detuned)[:, None] - 69) / 12)
    turn = (2j * np.pi * hertz - 1 / decay) / RATE  # its exponential, to the power of n, is sample n
    blocks, steps = np.exp(turn * np.arange(0, count, 512)), np.exp(turn * np.arange(512))
    string = (blocks[:, :, None] * steps[:, None]).reshape(len(detuned), -1)[:, :count].astype(np.complex64)
    sound: Samples = np.polyval(np.array((*harmonics[::-1], 0), np.complex64), string).imag
    sound[:, :rise] *= np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    sound[:, held:] *= np.cos(np.linspace(0, np.pi / 2, count - held, dtype=np.float32)) ** 2
    return sound
