"""A little background music, written and played from a seed.

A pad, a bass, a plucked figure and, in livelier pieces, a soft beat over one of a few chord progressions; then a short
stereo room. The notes are drawn with `random.Random`, the sound is sines and noise in numpy.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 48_000  # samples a second
_PEAK = 0.7  # of full scale, which leaves AAC room to overshoot

_Sound = NDArray[np.float32]

# Degrees of the scale that each bar's chord stands on.
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 0, 4), (5, 3, 0, 4), (0, 2, 3, 4), (3, 0, 4, 5))
_MOODS = (
    (
        "calm",
        r"\b(?:calm|gentl[ey]|slow(?:ly)?|soft(?:ly)?|quiet|peaceful|serene|dream\w*|night|sleep\w*|sunset|rain)\b",
    ),
    ("dark", r"\b(?:dark|sad|lonely|storm\w*|mysterious|tense|ghost\w*|horror|ruins?|abandoned|war)\b"),
    ("lively", r"\b(?:fast|quick(?:ly)?|energetic|danc\w+|run\w*|happy|party|play\w*|race|jump\w*|lively|epic)\b"),
)


@dataclass(frozen=True, slots=True)
class _Score:
    """What is played: `chords` holds the MIDI notes of each bar, lowest first."""

    beat: float  # seconds
    chords: tuple[tuple[int, ...], ...]
    figure: tuple[int, ...]  # which chord note sounds on each half beat; -1 is a rest
    bright: float  # 0 to 1: how strong the overtones are
    drums: bool


def compose(seed: int, seconds: float, prompt: str = "") -> NDArray[np.int16]:
    """Background music for a clip.

    Parameters
    ----------
    seed
        Decides the key, the chords, the tempo and the tune.
    seconds
        Length of the piece, above 0.
    prompt
        Words such as "calm", "dark" or "happy" choose the mood; otherwise the seed does.

    Returns
    -------
    Samples of shape (round(seconds * 48000), 2), left and right, 48 kHz. The same arguments give the same samples.
    """
    count = round(seconds * RATE)
    rng = random.Random(f"music {seed}")
    score = _write(rng, seconds, _mood(prompt, rng))
    mix = np.zeros((2, count), np.float32)
    _play_pad(mix, score)
    _play_bass(mix, score)
    _play_figure(mix, score)
    if score.drums:
        _play_drums(mix, score, rng)
    mix = _room(mix, rng)
    mix *= _PEAK / max(float(np.abs(mix).max()), 1e-6)
    mix *= _fades(count, score.beat)
    return np.ascontiguousarray(np.rint(mix.T * 32767).astype(np.int16))


def _mood(prompt: str, rng: random.Random) -> str:
    drawn = ("calm", "lively", "dark", "warm")[int(rng.random() * 4)]
    return next((mood for mood, words in _MOODS if re.search(words, prompt, re.IGNORECASE)), drawn)


def _write(rng: random.Random, seconds: float, mood: str) -> _Score:
    """Draw a score; each piece draws equally often, so that a mood changes the character and not the tune."""
    tempo = {"calm": 66, "dark": 72, "warm": 84, "lively": 108}[mood] + int(rng.random() * 12)
    key = 50 + int(rng.random() * 12)
    progression = _PROGRESSIONS[int(rng.random() * len(_PROGRESSIONS))]
    pattern = [int(rng.random() * 5) for _ in range(8)]
    rests = [rng.random() for _ in range(8)]
    scale = _MINOR if mood == "dark" else _MAJOR
    quiet = {"calm": 0.45, "dark": 0.5, "warm": 0.25, "lively": 0.1}[mood]
    rests[0] = 1.0  # each round of the figure begins with a note
    figure = tuple(-1 if rest < quiet else note for note, rest in zip(pattern, rests, strict=True))
    beat = 60 / tempo
    bars = int(seconds / (2 * beat)) + 2  # a chord every two beats: five seconds should hear a progression
    chords = tuple(_chord(key, scale, progression[bar % len(progression)]) for bar in range(bars))
    bright = {"calm": 0.35, "dark": 0.25, "warm": 0.5, "lively": 0.7}[mood]
    return _Score(beat, chords, figure, bright, drums=mood == "lively")


def _chord(key: int, scale: tuple[int, ...], degree: int) -> tuple[int, ...]:
    """A seventh chord with its octave, folded towards the key so that voices move by small steps."""
    notes = []
    for third in (0, 2, 4, 6, 7):
        octave, step = divmod(degree + third, 7)
        notes.append(key + 12 * octave + scale[step])
    return tuple(note - 12 if note > key + 14 else note for note in notes)


# ── Instruments: each adds itself to `mix`, of shape (2, samples) ─────────────────────────────────


def _hertz(note: float) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _tone(frequency: float, count: int, overtones: tuple[float, ...]) -> _Sound:
    """A sum of harmonics, each from the two before: sin((n+1)x) = 2 cos(x) sin(nx) - sin((n-1)x)."""
    turns = (np.arange(count) * (frequency / RATE)) % 1.0  # in double precision: single would hiss after a second
    phase = (2 * np.pi * turns).astype(np.float32)
    now, before = np.sin(phase), np.zeros(count, np.float32)
    twice_cos = 2 * np.cos(phase)
    sound = overtones[0] * now
    for level in overtones[1:]:
        now, before = twice_cos * now - before, now
        sound += np.float32(level) * now
    return sound.astype(np.float32)


def _add(mix: _Sound, start: int, sound: _Sound, pan: float, level: float) -> None:
    """Add a mono sound at sample `start`; `pan` runs from -1 (left) to 1 (right), at equal power."""
    room = min(len(sound), mix.shape[1] - start)
    if room <= 0:
        return
    angle = (pan + 1) * np.pi / 4
    mix[0, start : start + room] += np.float32(level * np.cos(angle)) * sound[:room]
    mix[1, start : start + room] += np.float32(level * np.sin(angle)) * sound[:room]


def _play_pad(mix: _Sound, score: _Score) -> None:
    """Long chords that overlap; each note sounds twice, a few cents apart, left and right."""
    length, tail = int(2 * score.beat * RATE), int(0.35 * RATE)
    envelope = np.ones(length + tail, np.float32)
    envelope[:tail] = np.sin(np.linspace(0, np.pi / 2, tail, dtype=np.float32)) ** 2
    envelope[-tail:] = envelope[:tail][::-1]
    overtones = (1.0, 0.4 * score.bright, 0.22 * score.bright, 0.1 * score.bright)
    for bar, chord in enumerate(score.chords):
        start = bar * length
        if start >= mix.shape[1]:
            break
        for note in chord[:4]:
            for cents, pan in ((-4, -0.7), (4, 0.7)):
                tone = _tone(_hertz(note + cents / 100), min(length + tail, mix.shape[1] - start), overtones)
                _add(mix, start, tone * envelope[: len(tone)], pan, 0.11)


def _play_bass(mix: _Sound, score: _Score) -> None:
    length = int(2 * score.beat * RATE)
    envelope = _decay(length, 0.9)
    for bar, chord in enumerate(score.chords):
        tone = _tone(_hertz(chord[0] - 12), length, (1.0, 0.35, 0.1)) * envelope
        _add(mix, bar * length, tone, 0.0, 0.3)


def _play_figure(mix: _Sound, score: _Score) -> None:
    """The plucked notes, wandering from left to right."""
    length = int(1.1 * RATE)
    envelope = _decay(length, 0.28)
    overtones = (1.0, 0.5 * score.bright, 0.3 * score.bright, 0.2 * score.bright, 0.1 * score.bright)
    for step in range(len(score.chords) * 4):
        which = score.figure[step % len(score.figure)]
        start = int(step * score.beat / 2 * RATE)
        if which < 0 or start >= mix.shape[1]:
            continue
        tone = _tone(_hertz(score.chords[step // 4][which] + 12), length, overtones) * envelope
        _add(mix, start, tone, 0.55 * float(np.sin(step * 0.9)), 0.2)


def _play_drums(mix: _Sound, score: _Score, rng: random.Random) -> None:
    """A soft kick on each beat and a brush between."""
    noise = np.random.Generator(np.random.PCG64(int(rng.random() * 2**32)))
    length = int(0.18 * RATE)
    time = np.arange(length, dtype=np.float32) / RATE
    kick = np.sin(2 * np.pi * (50 * time - 70 * 0.03 * np.exp(-time / 0.03))).astype(np.float32) * _decay(length, 0.07)
    brush = np.diff(noise.random(length + 1, dtype=np.float32) - np.float32(0.5)) * _decay(length, 0.025)
    for beat in range(int(mix.shape[1] / RATE / score.beat) + 1):
        start = int(beat * score.beat * RATE)
        _add(mix, start, kick, 0.0, 0.35)
        _add(mix, start + int(score.beat / 2 * RATE), brush.astype(np.float32), 0.3, 0.12)


def _decay(count: int, seconds: float) -> _Sound:
    """A quick attack and an exponential fall, down to nothing at the end."""
    time = np.arange(count, dtype=np.float32) / RATE
    fall = np.exp(-time / np.float32(seconds)) * np.minimum(1, time / np.float32(0.006))
    fall[-480:] *= np.linspace(1, 0, 480, dtype=np.float32)
    return fall.astype(np.float32)


def _room(mix: _Sound, rng: random.Random) -> _Sound:
    """The sound with a few echoes of it, different left and right: a room without the cost of a real one."""
    wet = np.zeros_like(mix)
    for bounce in range(7):
        for side in (0, 1):
            delay = int((0.023 + 0.031 * bounce + 0.014 * rng.random()) * RATE)
            if delay < mix.shape[1]:
                wet[side, delay:] += np.float32(0.22 * 0.8**bounce) * mix[(side + bounce) % 2, :-delay]
    return mix + wet


def _fades(count: int, beat: float) -> _Sound:
    """Up within a moment, down over the last two beats or the last third."""
    fade = np.ones(count, np.float32)
    rise, fall = min(count // 8, int(0.04 * RATE)), min(count // 3, int(2 * beat * RATE))
    if rise and fall:
        fade[:rise] = np.linspace(0, 1, rise, dtype=np.float32)
        fade[-fall:] = np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    return fade
