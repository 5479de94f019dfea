"""From a prompt to shots: who is seen when, how the camera moves, and where the cuts are.

Reading never fails: words that mean nothing here leave a choice open, and every open choice is drawn from the seed and
the prompt, so that the same inputs give the same storyboard in every process and on every machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .camera import AMPLITUDES, MOVES, PACES, SIZES
from .script import Beat, clauses, read, telling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FPS = 24
MIN_SHOT = 16  # frames: two thirds of a second, about as short as a picture can be and still be seen
LONG_SHOT = 84  # frames: beyond it a still picture wants another angle
TRANSITIONS = ("start", "cut", "dissolve")

_LEAST = 64  # px: below it there is no room for the badge

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Shot:
    """One camera move over one picture, `frames` long from frame `start` on."""

    start: int
    frames: int
    picture: int
    move: str
    size: str
    text: str
    pace: str = "normal"
    transition: str = "cut"  # how it begins

    def __post_init__(self) -> None:
        known = (("move", MOVES), ("size", SIZES), ("pace", PACES), ("transition", TRANSITIONS))
        for name, values in known:
            if getattr(self, name) not in values:
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {', '.join(values)}")
        if self.frames < 1:
            raise ValueError(f"a shot of {self.frames} frames: it needs at least one")


@dataclass(frozen=True, slots=True)
class Storyboard:
    """Everything that decides a clip, apart from the pictures themselves."""

    shots: tuple[Shot, ...]
    width: int
    height: int
    frames: int
    seed: int
    amplitude: str
    bgm: bool
    prompt: str

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < _LEAST:
            raise ValueError(
                f"{self.width}x{self.height}: H.264 wants even sizes, and the badge at least {_LEAST} pixels"
            )
        if self.amplitude not in AMPLITUDES:
            raise ValueError(f"amplitude={self.amplitude!r} is none of {', '.join(AMPLITUDES)}")
        end = 0
        for shot in self.shots:
            if shot.start != end:
                raise ValueError(f"a shot starts at frame {shot.start}: it should follow the last one at {end}")
            end += shot.frames
        if not self.shots or end != self.frames:
            raise ValueError(f"the shots end at frame {end}: they should fill {self.frames} frames")

    def __str__(self) -> str:
        rows = [("shot", "time", "picture", "move", "size", "begins with", "words")]
        for number, shot in enumerate(self.shots, 1):
            begin, end = shot.start / FPS, (shot.start + shot.frames) / FPS
            move = shot.move if shot.pace == "normal" else f"{shot.move} ({shot.pace})"
            time = f"{begin:.2f}-{end:.2f} s"
            words = " ".join(shot.text.split())
            rows.append((str(number), time, str(shot.picture + 1), move, shot.size, shot.transition, words))
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)


def plan(
    prompt: str,
    names: Sequence[str],
    *,
    width: int,
    height: int,
    duration: int,
    seed: int,
    movement_amplitude: str,
    bgm: bool,
) -> Storyboard:
    """Read a prompt as a storyboard of `duration` seconds at 24 frames a second.

    Parameters
    ----------
    prompt
        Any text. Sentences, and words such as "then", "cut to" or "back to", begin a shot.
    names
        One display name for each reference, such as "cat.jpg", or "". A clause gets the pictures that it names, by
        order ("the second image") or by the words of a name; the others are cast by the seed.
    width, height
        Size of the clip in pixels, even.
    seed
        Decides what the words leave open.
    movement_amplitude
        "auto", "small", "medium" or "large".
    bgm
        Whether there is music.

    >>> board = plan("A cat naps. Then the camera pans left over the roofs.", ["roofs.png", "cat.jpg"], width=1920,
    ...              height=1080, duration=5, seed=7, movement_amplitude="auto", bgm=True)
    >>> [(shot.picture, shot.move) for shot in board.shots][1:]
    [(0, 'pan left')]
    """
    if not names:
        raise ValueError("a storyboard needs at least one picture: pass one name, or an empty string, for each")
    rng = random.Random(
        f"{seed}\n{prompt}".encode("utf-8", "surrogatepass")
    )  # not hash(): it differs between processes
    frames = duration * FPS
    most = max(1, frames // MIN_SHOT)
    beats = _condense([read(text, names) for text in clauses(prompt)], most)
    takes = _fit(_cast(beats, _shuffled(rng, range(len(names)))), most, frames)
    lengths = _share(frames, [_weight(take, takes) for take in takes])
    shots = tuple(_direct(takes, lengths, rng))
    return Storyboard(shots, width, height, frames, seed, movement_amplitude, bgm, prompt)


# ── Casting ───────────────────────────────────────────────────────────────────────────────────────


class _Take(NamedTuple):
    """A beat as seen on one picture."""

    beat: Beat
    picture: int


def _condense(beats: list[Beat], most: int) -> list[Beat]:
    """At most `most` beats: the two neighbours with the fewest words become one until they fit."""
    beats = list(beats)
    while len(beats) > most:
        i = min(range(len(beats) - 1), key=lambda i: len(beats[i].text) + len(beats[i + 1].text))
        a, b = beats[i : i + 2]
        pictures, mentions = (tuple(dict.fromkeys(x)) for x in (a.pictures + b.pictures, a.mentions + b.mentions))
        pace = a.pace if a.pace != "normal" else b.pace
        beats[i : i + 2] = [
            a._replace(
                text=f"{a.text} {b.text}",
                pictures=pictures,
                mentions=mentions,
                move=a.move or b.move,
                size=a.size or b.size,
                pace=pace,
            )
        ]
    return beats


def _cast(beats: list[Beat], order: list[int]) -> list[_Take]:
    """Give each beat its pictures: those it names, the one it returns to, or the next that is still free."""
    named = {picture for beat in beats for picture in beat.pictures}
    free = [picture for picture in order if picture not in named]
    cast: list[list[int]] = []
    for number, beat in enumerate(beats):
        if beat.pictures:
            cast.append(list(beat.pictures))
        elif beat.back and cast:
            cast.append([cast[_returns_to(beat, beats[:number])][0]])
        elif free:
            cast.append([free.pop(0)])
        else:
            last = cast[-1][-1] if cast else -1
            cast.append([next((p for p in order[number % len(order) :] + order if p != last), order[0])])
    # Pictures that are left over go where there are words to look at them by, and not into the camera's own sentences.
    while free:
        picture = free.pop(0)
        i = max(range(len(beats)), key=lambda i: _room(beats[i], picture) / len(cast[i]))
        cast[i].append(picture)
    return [_Take(beat, picture) for beat, pictures in zip(beats, cast, strict=True) for picture in pictures]


def _room(beat: Beat, picture: int) -> float:
    """How well a beat can take in another picture."""
    if picture in beat.mentions:
        return 1e6
    return (len(beat.text) + 1) * (0.4 if beat.move else 1) * (0.3 if beat.pictures or beat.back else 1)


def _returns_to(beat: Beat, earlier: Sequence[Beat]) -> int:
    """Which earlier beat "back to ..." means: the one that shares the most words, or the one before the last."""
    words = telling(beat.text)
    shared = [len(words & telling(other.text)) for other in earlier]
    return shared.index(max(shared)) if any(shared) else max(0, len(earlier) - 2)


def _fit(takes: list[_Take], most: int, frames: int) -> list[_Take]:
    """Drop takes that there is no time for, repeats first; add angles where a take would stand for too long."""
    takes = list(takes)
    while len(takes) > most:
        pictures = [take.picture for take in takes]
        repeats = [i for i in range(len(takes)) if pictures.count(pictures[i]) > 1]
        takes.pop(repeats[-1] if repeats else -1)
    while len(takes) * LONG_SHOT < frames and len(takes) < most:
        open_takes = [i for i, take in enumerate(takes) if take.beat.move is None]
        if not open_takes:
            break
        i = max(open_takes, key=lambda i: _weight(takes[i], takes))
        takes.insert(i + 1, takes[i])
    return takes


# ── Directing ─────────────────────────────────────────────────────────────────────────────────────


def _weight(take: _Take, takes: Sequence[_Take]) -> float:
    """How much time a take deserves: by its words, but nobody reads four times as long as anybody else."""
    words = len(take.beat.text.split()) or 8
    share = min(16, max(6, words)) + (4 if take.beat.move else 0)
    return share / sum(other.beat is take.beat for other in takes)


def _share(frames: int, weights: Sequence[float]) -> list[int]:
    """`frames` shared out by weight (largest remainders), at least `MIN_SHOT` each where that is possible."""
    least = min(MIN_SHOT, frames // len(weights))
    rest = frames - least * len(weights)
    exact = [rest * weight / sum(weights) for weight in weights]
    shares = [int(x) for x in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: rest - sum(shares)]:
        shares[i] += 1
    return [least + share for share in shares]


_OPEN_MOVES = ("push in", "pull out", "pan left", "pan right", "tilt up", "tilt down", "orbit", "orbit left")
_DISSOLVED = 0.55  # the share of open transitions that are dissolves
_OPEN_SIZES = {"wide": ("medium", "close-up"), "medium": ("wide", "close-up"), "close-up": ("wide", "medium")}


def _direct(takes: Sequence[_Take], lengths: Sequence[int], rng: random.Random) -> Iterator[Shot]:
    """Draw what is left open. Each take draws the same number of times, so that a word changes only its own shot."""
    start, last = 0, None
    seen: dict[int, Shot] = {}  # how each picture was shown last
    for take, frames in zip(takes, lengths, strict=True):
        beat = take.beat
        used = [shot.move for shot in (last, seen.get(take.picture)) if shot is not None]
        moves = [move for move in _OPEN_MOVES if move not in used]
        move, shift, joint = _pick(rng, moves), rng.random(), rng.random()
        if beat.size:
            size = beat.size
        elif take.picture in seen:
            size = _OPEN_SIZES[seen[take.picture].size][int(shift * 2)]  # the same size again would look like a slip
        else:
            size = ("wide", "wide", "medium")[int(shift * 3)]
        transition = beat.transition or ("dissolve" if joint < _DISSOLVED else "cut")
        shot = Shot(start, frames, take.picture, beat.move or move, size, beat.text, beat.pace, transition)
        if last is None:
            shot = replace(shot, transition="start")
        elif last.picture == take.picture and last.text == beat.text:
            shot = replace(shot, transition="cut")  # to another angle one cuts
        yield shot
        start, last, seen[take.picture] = start + frames, shot, shot


def _pick(rng: random.Random, options: Sequence[_Item]) -> _Item:
    # Only random() is promised to stay the same from one Python to the next; choice() and shuffle() are not.
    return options[int(rng.random() * len(options))]


def _shuffled(rng: random.Random, items: Sequence[_Item]) -> list[_Item]:
    keys = [rng.random() for _ in items]
    return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]
