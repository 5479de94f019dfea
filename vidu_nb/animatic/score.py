"""A little piece of music on paper: the prompt decides its mood, the seed all the rest.

It is written backwards from its end, so that it closes on its tonic when the clip does.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_T = TypeVar("_T")
_MAJOR, _MINOR, _RISING = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 11)

# ── Moods ─────────────────────────────────────────────────────────────────────────────────────────

_LONG = ((2,), (1, 1), (1.5, 0.5))  # ways to cut two beats of melody
_EVEN = ((1, 1), (1.5, 0.5), (1, 0.5, 0.5))
_QUICK = ((0.5, 0.5, 1), (1, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5))


class Mood(NamedTuple):
    """What the prompt decides; the rest is the seed's."""

    tempo: int  # beats a minute, at the least: the seed adds up to an eighth
    scale: tuple[int, ...]
    bright: float  # 0 to 1: how strong the overtones are
    cells: tuple[tuple[float, ...], ...]
    lead: str  # who plays the melody: "bell", "reed" or "pluck"
    figure: int  # notes of the accompaniment in a beat
    colour: bool  # sevenths and ninths
    drums: str  # the eighths of two beats: Kick, Tom, Shaker or none
    words: str


# Of two moods with as many words in a prompt the upper one is heard: "slow" may be the camera's, "epic" never is.
MOODS = {
    "epic": Mood(90, _MINOR, 0.7, _EVEN, "reed", 2, False, "T..TT.T.",
        r"epic|hero\w*|battles?|war|warriors?|majestic|dragons?|triumph\w*|dramatic|armies|army"),
    "stormy": Mood(126, _MINOR, 0.6, _QUICK, "pluck", 2, False, "KSTSKSTS",
        r"storm\w*|chas(?:e[sd]?|ing)|thunder\w*|lightning|explo\w+|rush\w*|escap\w+|attack\w*"),
    "tense": Mood(76, _MINOR, 0.4, _EVEN, "bell", 2, False, "T.......",
        r"dark\w*|tense|myster\w+|ghost\w*|horror|scary|ruins?|abandoned|haunt\w*|danger\w*"),
    "sad": Mood(58, _MINOR, 0.2, _LONG, "reed", 1, False, "",
        r"sad(?:ly|ness)?|lonel\w+|alone|melanchol\w+|cr(?:y|ies|ying)|tears?|grief|griev\w+|farewell|goodbye"),
    "joyful": Mood(110, _MAJOR, 0.8, _QUICK, "pluck", 2, False, "K.S.K.SS",
        r"joy\w*|happ(?:y|ily)|danc\w+|party|play(?:s|ing|ful\w*)?|jump\w*|fun|funny|laugh\w*|celebrat\w+|lively"
        r"|fast(?:er)?|quick(?:ly|er)?|energetic|run(?:s|ning)?|rac(?:e[sd]?|ing)"),
    "dreamy": Mood(64, _MAJOR, 0.4, _EVEN, "bell", 2, True, "",
        r"dream\w*|magic\w*|stars?|starry|moon\w*|nights?|space|float\w*|snow\w*|fairy|underwater"),
    "calm": Mood(60, _MAJOR, 0.2, _LONG, "reed", 2, True, "",
        r"calm\w*|gent(?:le|ly)|soft(?:ly)?|quiet\w*|peace\w*|serene\w*|sleep\w*|sunset|sunrise|rain\w*|slow\w*"),
    "warm": Mood(82, _MAJOR, 0.5, _EVEN, "pluck", 2, True, "..S...S.",
        r"warm\w*|cozy|cosy|home|lov(?:e[sd]?|ing|ely)|smil\w+|friend\w*|famil\w+|sunny|summer|mornings?"),
}  # fmt: skip


def find_mood(prompt: str, seed: int) -> str:
    """The mood with most of its words in the prompt; where there are none, a friendly one that the seed draws."""
    hits = {name: len(set(re.findall(rf"\b(?:{mood.words})\b", prompt.lower()))) for name, mood in MOODS.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else Dice(seed, "mood").pick(("warm", "joyful", "calm", "dreamy"))


class Dice(random.Random):
    """A seed's draws for one purpose, so that a change in one part of a piece leaves the others as they are."""

    def __init__(self, seed: int, purpose: str) -> None:
        super().__init__(f"music {seed} {purpose}")

    def pick(self, options: Sequence[_T]) -> _T:
        """One of the options."""
        return options[int(self.random() * len(options))]  # choice() is not promised to stay as it is


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────


class Note(NamedTuple):
    """One note; times are in beats, the pitch is MIDI's (60 is the middle C)."""

    start: float
    beats: float
    pitch: int
    accent: float = 1.0


class Chord(NamedTuple):
    """A chord and how it is laid out."""

    start: float
    beats: float
    triad: tuple[int, ...]  # pitch classes, the root first
    scale: tuple[int, ...]  # pitch classes that may pass over it
    bass: int
    voices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """A piece on paper. Its last chord begins on beat `end` and rings to the clip's end."""

    mood: str
    tempo: float  # beats a minute
    tonic: int  # pitch class
    end: int
    chords: tuple[Chord, ...]
    melody: tuple[Note, ...]
    figure: tuple[Note, ...]
    bass: tuple[Note, ...]


_DOMINANT = 4
# Which degrees lead well to a degree (0 is the tonic): the strongest cadence stands twice.
_BEFORE: dict[tuple[int, ...], dict[int, tuple[int, ...]]] = {
    _MAJOR: {0: (4, 4, 3), 4: (3, 1, 5), 3: (5, 2, 0), 1: (5, 3, 0), 5: (2, 0, 4), 2: (5, 0)},
    _MINOR: {0: (4, 4, 6), 4: (3, 5, 0), 3: (5, 0, 2), 5: (0, 2, 6), 6: (5, 3), 2: (6, 0)},
}


def write(seed: int, seconds: float, prompt: str = "") -> Score:
    """The score that `music.compose` plays; the arguments are the same.

    Examples
    --------
    >>> write(1, 5, "a calm night by the sea").mood
    'dreamy'
    """
    name = find_mood(prompt, seed)
    mood, dice = MOODS[name], Dice(seed, "key")
    tonic = int(dice.random() * 12)
    tempo = mood.tempo * (1 + dice.random() / 8)
    end = max(0, round((seconds - 1.6) * tempo / 60))
    chords = _write_chords(mood, tonic, end, seconds * tempo / 60, Dice(seed, "chords"))
    melody = _write_melody(mood, chords, tonic, Dice(seed, "melody"))
    figure = tuple(_write_figure(mood, chords, Dice(seed, "figure")))
    return Score(name, tempo, tonic, end, chords, melody, figure, tuple(_write_bass(mood, chords)))


def _write_chords(mood: Mood, tonic: int, end: int, length: float, dice: Dice) -> tuple[Chord, ...]:
    """Two beats to a chord, counted from the end; a beat that is left over becomes an upbeat."""
    spans = [1.0] * (end % 2) + [2.0] * (end // 2)
    if end in {2, 3, 4}:  # too few chords to go anywhere: the last two beats get one each
        spans[-1:] = [1, 1]
    chords: list[Chord] = []
    start = 0.0
    for degree, span in zip(_progression(mood, len(spans), dice), [*spans, length - end], strict=True):
        rising = mood.scale is _MINOR and degree == _DOMINANT  # minor borrows the leading tone
        scale = tuple((tonic + step) % 12 for step in (_RISING if rising else mood.scale))
        triad = (scale[degree], scale[(degree + 2) % 7], scale[(degree + 4) % 7])
        tones = triad + _colour(triad, scale, degree) if mood.colour and start < end else triad
        bass = 36 + triad[0] % 12
        chords.append(Chord(start, span, triad, scale, bass, _lay_out(tones, bass, chords)))
        start += span
    return tuple(chords)


def _progression(mood: Mood, count: int, dice: Dice) -> list[int]:
    """Degrees of `count` chords and the last one, each drawn from those that lead to the one after it."""
    degrees = [0]
    for place in reversed(range(count)):
        leading = _BEFORE[mood.scale][degrees[-1]]
        if place == 0:
            leading = (0,) if count > 1 else (_DOMINANT,)
        elif place == 1:
            leading = tuple(degree for degree in leading if degree)  # the first chord is the tonic already
        degrees.append(dice.pick(leading))
    return degrees[::-1]


def _colour(triad: tuple[int, ...], scale: tuple[int, ...], degree: int) -> tuple[int, ...]:
    """The seventh or the ninth, whichever rubs against no note of the chord."""
    for tone in (scale[(degree + 6) % 7], scale[(degree + 1) % 7]):
        if all(2 <= (tone - other) % 12 <= 10 for other in triad):  # no semitones
            return (tone,)
    return ()


def _lay_out(tones: tuple[int, ...], bass: int, before: Sequence[Chord]) -> tuple[int, ...]:
    """The close position that is the shortest way from the last chord without moving in parallel fifths or octaves."""
    last = before[-1] if before else Chord(0, 0, (), (), bass, (54, 58, 62))

    def cost(voices: tuple[int, ...]) -> int:
        way = sum(min(abs(note - other) for other in last.voices) for note in voices)
        old, new = (last.bass, *last.voices), (bass, *voices)
        held = min(len(old), len(new))
        parallel = sum(
            (old[j] - old[i]) % 12 == (new[j] - new[i]) % 12 in {0, 7} and old[i] != new[i]
            for i, j in combinations(range(held), 2)
        )
        return way + 20 * parallel

    lowest = (note for note in range(48, 64) if note % 12 in tones)
    return min((tuple(sorted(low + (tone - low) % 12 for tone in tones)) for low in lowest), key=cost)


def _write_melody(mood: Mood, chords: Sequence[Chord], tonic: int, dice: Dice) -> tuple[Note, ...]:
    """An arch that comes home to the tonic: chord tones on the beats, steps of the scale between them."""
    home, end = 64 + (tonic - 64) % 12, chords[-1].start
    height, opening = 3 + 6 * dice.random(), dice.pick((0, 4, 7))
    slots = list(_rhythm(mood, chords, dice))
    anchors: list[int | None] = []
    last = home + opening
    for number, (start, beats, chord) in enumerate(slots[:-1]):
        if start % 1 and beats < 1:
            anchors.append(None)
            continue
        way = start / end
        arch = opening * (1 - way) + height * math.sin(math.pi * way) + 6 * dice.random() - 3
        closing = all(later % 1 for later, *_ in slots[number + 1 : -1])
        target = home + (2 if closing else arch)
        tones = [note for note in range(home - 5, home + 13) if note % 12 in chord.triad]
        moves = [note for note in tones if note != last and not (closing and note == home)]
        last = min(moves, key=partial(_strain, last, target))
        anchors.append(last)
    anchors.append(home)
    notes: list[Note] = []
    for number, (start, beats, chord) in enumerate(slots):
        pitch = anchors[number]
        if pitch is None:
            pitch = _between(notes[-1].pitch, anchors[number + 1] or home, chord.scale, dice)
        notes.append(Note(start, beats, pitch, 0.8 if start % 1 else 1.0))
    return tuple(notes)


def _strain(last: int, target: float, note: int) -> float:
    """How badly a note follows another on the way to a target: beyond a fifth, leaps are dear."""
    return abs(note - target) + 4 * max(0, abs(note - last) - 7)


def _rhythm(mood: Mood, chords: Sequence[Chord], dice: Dice) -> Iterator[tuple[float, float, Chord]]:
    """Start and length of each note of the melody, and the chord below it; two patterns take turns."""
    cells = (dice.pick(mood.cells), dice.pick(mood.cells))
    short = dice.pick(((1.0,), (0.5, 0.5)))
    for number, chord in enumerate(chords):
        start = chord.start
        cell = (chord.beats,) if chord is chords[-1] else cells[number % 2] if chord.beats > 1 else short
        for beats in cell:
            yield start, beats, chord
            start += beats


def _between(here: int, there: int, scale: tuple[int, ...], dice: Dice) -> int:
    """A note to pass through, or where the two are neighbours, a step beyond."""
    steps = [note for note in range(min(here, there) - 2, max(here, there) + 3) if note % 12 in scale]
    passing = [note for note in steps if min(here, there) < note < max(here, there)]
    return dice.pick(passing or [note for note in steps if note not in {here, there} and abs(note - there) <= 2])


def _write_figure(mood: Mood, chords: Sequence[Chord], dice: Dice) -> Iterator[Note]:
    """The chords' notes one by one, in major an octave above them; the last chord is rolled."""
    up = 12 if mood.scale is _MAJOR else 0
    order = dice.pick(((0, 1, 2, 1), (0, 2, 1, 2), (2, 1, 0, 1), (0, 1, 2, 3), (1, 0, 2, 0)))
    for chord in chords[:-1]:
        for number in range(round(chord.beats * mood.figure)):
            start = chord.start + number / mood.figure
            pitch = up + chord.voices[order[number % 4] % len(chord.voices)]
            yield Note(start, 1 / mood.figure, pitch, 1.0 if number == 0 else 0.75)
    last = chords[-1]
    for number, pitch in enumerate(last.voices):  # where they are: above it, they would hide the tonic
        yield Note(last.start + 0.12 * number, last.beats - 0.12 * number, pitch)


def _write_bass(mood: Mood, chords: Sequence[Chord]) -> Iterator[Note]:
    """Held, or in pieces with drums root and fifth in turns."""
    for chord in chords:
        if not mood.drums or chord is chords[-1]:
            yield Note(chord.start, chord.beats, chord.bass)
            continue
        for beat in range(round(chord.beats)):
            fifth = chord.bass + 7 if chord.bass < 41 else chord.bass - 5  # F2: the bass stays low
            yield Note(chord.start + beat, 1, fifth if beat % 2 else chord.bass)
