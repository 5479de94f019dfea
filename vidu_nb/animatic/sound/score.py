"""Write music, counted back from its end: the prompt's words decide tempo and mood, the seed all the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ..story.vocabulary import read_moods

# Moods of words, which ask for slower (-1) or faster (1), and for darker (-1) or brighter (1) music.
_MOODS = {
    "calm": (-1, 1),
    "slow": (-1, 0),
    "sad": (-1, -1),
    "warm": (0, 1),
    "happy": (1, 1),
    "fast": (1, 0),
    "epic": (1, -1),
}
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# A phrase is four chords of two beats, as degrees of the scale, the tonic being 0, to which they lead back.
_PHRASES = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (0, 5, 1, 4), (0, 3, 1, 4), (0, 2, 3, 4), (5, 3, 0, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 6), (0, 6, 5, 3), (0, 5, 3, 6), (0, 2, 5, 6), (5, 3, 0, 6)),
}
_FORM = "AABA"  # the order of the phrases; where there is time for one alone, it is the last
_RHYTHMS = ("x.x.x.x.", "x..xx.x.", "x.x.x.xx", "x.xxx...", "xx.xx.x.", "x.x.xx..", "x.x.x...")  # in eighths
_FIGURES = ((0, 1, 2, 1), (0, 2, 1, 2), (2, 1, 0, 1), (1, 0, 2, 0), (0, 1, 2, 0))  # the order of a chord's notes
_Chord = tuple[int, float, int]  # the beats where it begins and ends, and its degree


class Note(NamedTuple):
    """One note; times are in beats, the pitch is MIDI's (60 is middle C)."""

    start: float
    beats: float
    pitch: int
    voice: str  # "pad", "figure" or "bass"; for the melody "bell", "pluck" or "reed"


class Score(NamedTuple):
    """A piece on paper; its last chord begins on beat `end` and rings to the clip's end."""

    tempo: float  # beats a minute
    mood: str  # "major" or "minor"
    tonic: int  # the melody's last pitch
    end: int
    notes: list[Note]


def write(seed: int, seconds: float, prompt: str = "") -> Score:
    """Write the score that `music.compose` plays; the arguments are the same."""
    dice, pace, light = random.Random(f"music {seed}"), 0, 0
    for faster, brighter in (_MOODS[mood] for mood in read_moods(prompt)):
        pace, light = pace + faster, light + brighter
    tempo = (88 + 13 * max(-2, min(2, pace))) * dice.uniform(0.95, 1.05)
    mood = "major" if (light or dice.uniform(-1, 3)) > 0 else "minor"  # of four seeds three are bright
    tonic, beats = dice.randrange(62, 74), seconds * tempo / 60
    end = int(beats * (1 - min(0.3, 2.2 / seconds)))  # the last chord has time to ring
    scale = {degree: tonic + degree // 7 * 12 + _SCALES[mood][degree % 7] for degree in range(-5, 14)}
    chords = _write_chords(mood, end, beats, dice)
    strokes = 2 if tempo > 95 else 1
    notes = [*_write_melody(scale, chords, dice), *_accompany(scale, chords, strokes, dice)]
    return Score(tempo, mood, tonic, end, notes)


def _write_chords(mood: str, end: int, beats: float, dice: random.Random) -> list[_Chord]:
    """Write a chord for every two beats, the first for one where their number is odd; the tonic at both ends."""
    phrases = {letter: dice.choice(_PHRASES[mood]) for letter in "AB"}
    places = range(-end // 2, 0)  # counted from the last chord
    starts = [*(max(0, end + 2 * place) for place in places), end]
    degrees = [*(phrases[_FORM[place // 4 % 4]][place % 4] for place in places), 0]
    if len(degrees) > 2:
        degrees[0] = 0
    return list(zip(starts, [*starts[1:], beats], degrees, strict=True))


def _write_melody(scale: dict[int, int], chords: list[_Chord], dice: random.Random) -> Iterator[Note]:
    """Write chord tones on the beats and steps between them; each phrase is an arch with turns of its own."""
    end, stop, _ = chords[-1]
    voice, rhythm = dice.choice(("bell", "pluck", "reed")), dice.choice(_RHYTHMS) + dice.choice(_RHYTHMS)
    turns = {letter: [dice.uniform(-2.5, 2.5) for _ in rhythm] for letter in "AB"}
    height, degree = dice.uniform(2, 5), dice.choice((0, 2, 4))
    onsets = [at for at in range(-2 * end, 0) if at == -2 * end or rhythm[at % 16] == "x"]
    for at, after in pairwise([*onsets, 0]):  # in eighths, counted from the last chord
        place, chord = at % 16, chords[at // 4 - 1][-1]
        target = turns[_FORM[at // 16 % 4]][place] + height * place * (16 - place) / 64 if after else 2.4  # near home
        if at % 2 and after - at == 1:  # short and between two beats
            degree += 1 if target > degree else -1
        else:
            tones = (tone for tone in scale if (tone - chord) % 7 in {0, 2, 4} and tone != degree)
            _, degree = min((abs(tone - target) + 0.75 * abs(tone - degree), tone) for tone in tones)
        yield Note(end + at / 2, (after - at) / 2, scale[degree], voice)
    yield Note(end, stop - end, scale[0], voice)


def _accompany(scale: dict[int, int], chords: list[_Chord], strokes: int, dice: random.Random) -> Iterator[Note]:
    """Write each chord held, its notes one by one, its root in the bass; the last chord comes to rest."""
    order = dice.choice(_FIGURES)
    for start, stop, degree in chords:
        pitches = [scale[(degree + step) % 7] for step in (0, 2, 4)]
        triad = sorted(64 + (pitch - 64) % 12 for pitch in pitches)
        times, eighths = (1, 3) if stop == chords[-1][1] else (strokes, round(2 * (stop - start)))
        beats = (stop - start) / times
        yield from (Note(start + n * beats, beats, 36 + pitches[0] % 12, "bass") for n in range(times))
        yield from (Note(start, stop - start, pitch - 12, "pad") for pitch in triad)
        yield from (Note(start + n / 2, 0.5, triad[order[n % 4]], "figure") for n in range(eighths))
