"""Background music for a clip: the seed's score, played by a few small instruments in a room.

Each instrument reads one cycle of its wave from a table; then the loudness is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .score import MOODS, Dice, Score, write

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE = 48_000  # samples a second
LOUDNESS = -16.0  # LUFS

_Sound = NDArray[np.float32]

# ── Instruments ───────────────────────────────────────────────────────────────────────────────────


class _Voice(NamedTuple):
    """An instrument: levels of its harmonics, of which the edge fades twice as fast, and times in seconds."""

    body: tuple[float, ...]
    edge: tuple[float, ...]
    attack: float
    decay: float
    release: float
    vibrato: float = 0.0  # cents


_PAD = _Voice((1, 0.25, 0.1, 0.05), (0, 0.3, 0.25, 0.15, 0.1), 0.25, 4.0, 0.4)
_BASS = _Voice((1, 0.4, 0.15, 0.05), (0, 0.5, 0.4, 0.2, 0.1), 0.008, 1.2, 0.08)
_HARP = _Voice((1, 0.2, 0.08), (0, 0.5, 0.35, 0.25, 0.15, 0.1), 0.004, 0.5, 0.3)
_LEADS = {
    "reed": _Voice((1, 0.25, 0.08, 0.03), (0, 0.4, 0.4, 0.25, 0.2, 0.1, 0.05), 0.05, 3.0, 0.15, 12),
    "pluck": _Voice((1, 0.3, 0.1, 0.05), (0, 0.6, 0.5, 0.35, 0.25, 0.15, 0.1), 0.004, 0.6, 0.2),
    "bell": _Voice((1, 0.05, 0, 0.12), (0, 0.1, 0.1, 0.5, 0, 0, 0.1, 0, 0.12), 0.003, 1.1, 0.6),
}
_TABLE = 14  # bits of a wave's table


def compose(seed: int, seconds: float, prompt: str = "") -> NDArray[np.int16]:
    """Background music for a clip, faded in and out.

    Parameters
    ----------
    seed
        Decides the key, the chords, the rhythm and the tune, and the tempo within its mood.
    seconds
        Length of the piece, above 0.
    prompt
        Words such as "calm", "sad", "epic" or "happy" choose the mood (`MOODS`); otherwise the seed does.

    Returns
    -------
    Samples of shape (round(seconds * 48000), 2), left and right, 48 kHz, at -16 LUFS (ITU-R BS.1770-4), no peak above
    -1 dBFS. The same arguments give the same samples.

    Examples
    --------
    >>> compose(7, 0.5, "a calm lake").shape
    (24000, 2)
    """
    count = round(seconds * RATE)
    score = write(seed, seconds, prompt)
    mix = np.zeros((2, count), np.float32)
    _play(mix, score)
    _play_drums(mix, score, Dice(seed, "drums"))
    mix = _room(mix) * _fades(count, seconds - score.end * 60 / score.tempo)
    for _ in range(2):  # rounding off the peaks takes a little away
        mix = _limit(mix * np.float32(10 ** ((LOUDNESS - loudness(mix)) / 20)))
    return np.ascontiguousarray(np.rint(mix.T * 32767).astype(np.int16))


def _play(mix: _Sound, score: Score) -> None:
    mood, beat = MOODS[score.mood], 60 / score.tempo
    pad = _waves(_PAD, mood.bright)
    for chord in score.chords:
        for pitch in chord.voices:
            for cents, pan in ((-4, -0.9), (4, 0.9)):  # two that disagree a little, far apart
                tone = _tone(_PAD, pad, pitch + cents / 100, chord.beats * beat)
                _add(mix, chord.start * beat, tone, pan, 0.08)
    for voice, notes, level, pans in (
        (_BASS, score.bass, 0.24, (0.0,)),
        (_HARP, score.figure, 0.16, (-0.8, 0.4, 0.8, -0.4)),
        (_LEADS[mood.lead], score.melody, 0.25, (0.1,)),
    ):
        waves = _waves(voice, mood.bright)
        played: dict[tuple[int, float], _Sound] = {}
        for number, note in enumerate(notes):
            key = (note.pitch, note.beats)
            if key not in played:
                played[key] = _tone(voice, waves, note.pitch, note.beats * beat)
            _add(mix, note.start * beat, played[key], pans[number % len(pans)], level * note.accent)


def _waves(voice: _Voice, bright: float) -> tuple[_Sound, _Sound]:
    """A cycle of the body and one of the edge."""
    return _wave(voice.body), _wave([bright * level for level in voice.edge])


def _wave(levels: Sequence[float]) -> _Sound:
    """A cycle of a sum of harmonics."""
    spectrum = np.zeros(2 ** (_TABLE - 1) + 1, np.complex64)
    spectrum[1 : len(levels) + 1] = np.array(levels) * -0.5j * 2**_TABLE
    return np.fft.irfft(spectrum).astype(np.float32)


def _tone(voice: _Voice, waves: tuple[_Sound, _Sound], pitch: float, seconds: float) -> _Sound:
    """A note of an instrument, its release included.

    The phase is counted in 2**-32 of a cycle: integers wrap round by themselves, and never drift.
    """
    held = max(1, round(seconds * RATE))
    count = held + round(voice.release * RATE)
    time = np.arange(count, dtype=np.float32) / np.float32(RATE)
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    phase = np.arange(count, dtype=np.uint32) * np.uint32(round(hertz / RATE * 2**32))
    if voice.vibrato:
        turns = hertz * (2 ** (voice.vibrato / 1200) - 1) / (2 * np.pi * 5.2)
        sway = np.sin(time * np.float32(2 * np.pi * 5.2)) * np.minimum(1, time / np.float32(0.6)) ** 2
        phase += (sway * np.float32(turns * 2**32)).astype(np.int64).astype(np.uint32)
    phase >>= 32 - _TABLE
    fade: _Sound = np.exp(time * np.float32(-1 / voice.decay))
    rise = min(count, round(voice.attack * RATE))
    fade[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    fade[held:] *= np.cos(np.linspace(0, np.pi / 2, count - held, dtype=np.float32)) ** 2
    body, edge = waves
    sound: _Sound = (body[phase] + edge[phase] * fade) * fade
    return sound


def _add(mix: _Sound, start: float, sound: _Sound, pan: float, level: float) -> None:
    """Add a mono sound at a second; `pan` runs from -1 (left) to 1 (right), at equal power."""
    first = round(start * RATE)
    room = max(0, min(len(sound), mix.shape[1] - first))
    angle = (pan + 1) * np.pi / 4
    for side, share in enumerate((np.cos(angle), np.sin(angle))):
        mix[side, first : first + room] += np.float32(level * share) * sound[:room]


def _play_drums(mix: _Sound, score: Score, dice: Dice) -> None:
    """The mood's pattern, so laid that it begins anew on each strong beat and stops with the last chord."""
    pattern = MOODS[score.mood].drums
    if not pattern:
        return
    time = np.arange(round(0.5 * RATE), dtype=np.float32) / np.float32(RATE)
    close = np.minimum(1, (time[-1] - time) / np.float32(0.1))  # nothing is cut off at the end
    noise = np.random.Generator(np.random.PCG64(int(dice.random() * 2**32))).random(len(time) + 1, np.float32)
    sweep = 2 * np.pi * (48 * time + 2.1 - 2.1 * np.exp(time / np.float32(-0.03)))
    drums = {
        "K": 0.5 * np.sin(sweep) * np.exp(time / np.float32(-0.09)) * close,
        "T": 0.45 * np.sin(sweep * np.float32(1.6)) * np.exp(time / np.float32(-0.16)) * close,
        "S": 0.2 * np.diff(noise) * np.minimum(1, time / np.float32(0.01)) * np.exp(time / np.float32(-0.04)) * close,
    }
    for eighth in range(2 * score.end + 1):
        hit = pattern[(eighth - 2 * score.end) % len(pattern)]
        if hit in drums:
            accent = 0.8 if eighth % 2 else 1.0
            _add(mix, eighth * 30 / score.tempo, drums[hit], 0.35 if hit == "S" else 0.0, accent)


def _room(mix: _Sound) -> _Sound:
    """A hall: four delays that feed each other (Jot and Chaigne, AES 1991), duller with each round."""
    delays, count = (1447, 1699, 1949, 2311), mix.shape[1]
    step, before = min(delays), max(delays) + 1
    lines = np.zeros((4, before + count), np.float32)
    lines[0::2, before:], lines[1::2, before:] = mix[0], mix[1]
    taps = np.empty((4, step), np.float32)
    for start in range(before, before + count, step):  # as far as the shortest delay, nothing needs what is not there
        size = min(step, before + count - start)
        for line, delay in enumerate(delays):
            past = lines[line, start - delay - 1 : start - delay + size]
            taps[line, :size] = past[1:] + past[:-1]
        sound = taps[:, :size] - np.float32(0.5) * taps[:, :size].sum(axis=0)
        lines[:, start : start + size] += np.float32(0.41) * sound
    wet = lines[:, before:]
    mix += np.float32(0.14) * (wet[:2] + wet[2:])
    return mix


def _fades(count: int, ring: float) -> _Sound:
    """Up within a moment, down while the last chord rings."""
    fade: _Sound = np.ones(count, np.float32)
    rise, fall = min(count // 8, round(0.01 * RATE)), min(count // 2, round(0.7 * ring * RATE))
    fade[:rise] = np.linspace(0, 1, rise, dtype=np.float32)
    fade[count - fall :] = np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    return fade


# ── Loudness ──────────────────────────────────────────────────────────────────────────────────────


def loudness(sound: _Sound) -> float:
    """Integrated loudness of stereo sound of shape (2, samples) at 48 kHz, in LUFS (ITU-R BS.1770-4).

    The K filter is applied to the spectra of tenths of a second, which is cheap and right to a tenth of a unit.
    """
    tenth = RATE // 10
    whole = np.pad(sound, ((0, 0), (0, -sound.shape[1] % tenth))).reshape(2, -1, tenth)
    spectra = np.abs(np.fft.rfft(whole)) ** 2
    tenths = (spectra * _k_weights(tenth)).sum(axis=(0, 2)) * (2 / tenth**2)
    blocks = np.convolve(tenths, np.full(4, 0.25), "valid") if len(tenths) > 3 else tenths  # 400 ms
    loud = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    loud = loud[loud > 0.1 * loud.mean()] if len(loud) else np.array([1e-7])
    return float(-0.691 + 10 * np.log10(loud.mean()))


def _k_weights(size: int) -> _Sound:
    """The K filter's power response: its two biquads at 48 kHz, from the Recommendation's tables 1 and 2."""
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    shelf = np.polyval((1.19839281085285, -2.69169618940638, 1.53512485958697), delay)
    shelf /= np.polyval((0.73248077421585, -1.69065929318241, 1), delay)
    high = np.polyval((1, -2, 1), delay) / np.polyval((0.99007225036621, -1.99004745483398, 1), delay)
    return (np.abs(shelf * high) ** 2).astype(np.float32)


def _limit(mix: _Sound) -> _Sound:
    """Peaks above half of full scale are rounded off; none comes near -1 dBFS."""
    knee, span = np.float32(0.5), np.float32(0.33)
    peaks = np.abs(mix) > knee
    over = np.abs(mix[peaks]) - knee
    mix[peaks] = np.sign(mix[peaks]) * (knee + span * np.tanh(over / span))
    return mix
