"""Who is seen in which clause: pictures given to a prompt's beats, and as many takes as there is time for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .script import Beat, telling, words_in

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG_SHOT = 84  # frames: beyond it a still picture wants another angle


class Take(NamedTuple):
    """A beat as seen on one picture."""

    beat: Beat
    picture: int


def condense(beats: list[Beat], most: int) -> list[Beat]:
    """Merge the two neighbours with the fewest words until there are at most `most` beats."""
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
                stays=a.stays and b.stays,
            )
        ]
    return beats


def cast(beats: list[Beat], order: list[int]) -> list[Take]:
    """Give each beat its pictures: those it names, the one it returns to, or the next that is still free."""
    named = {picture for beat in beats for picture in beat.pictures}
    free = [picture for picture in order if picture not in named]
    cast: list[list[int]] = []
    spoken_of = False  # whether what is seen was named, and not just drawn
    for number, beat in enumerate(beats):
        if beat.pictures:
            cast.append(list(beat.pictures))
        elif beat.back and cast:
            cast.append([cast[_returns_to(beat, beats[:number])][0]])
        elif beat.stays and cast and (spoken_of or not free):
            cast.append([cast[-1][-1]])
        elif free:
            cast.append([free.pop(0)])
        else:
            last = cast[-1][-1] if cast else -1
            cast.append([next((p for p in order[number % len(order) :] + order if p != last), order[0])])
        spoken_of = bool(beat.pictures) or (spoken_of and beat.stays)
    # Pictures that are left over go where there are words to look at them by, and not into the camera's own sentences.
    while free:
        picture = free.pop(0)
        i = max(range(len(beats)), key=lambda i: _room(beats[i], picture) / len(cast[i]))
        cast[i].append(picture)
    return [Take(beat, picture) for beat, pictures in zip(beats, cast, strict=True) for picture in pictures]


def _room(beat: Beat, picture: int) -> float:
    """Score how well a beat can take in another picture."""
    if picture in beat.mentions:
        return 1e6
    return (len(beat.text) + 1) * (0.4 if beat.move else 1) * (0.3 if beat.pictures or beat.back or beat.stays else 1)


def _returns_to(beat: Beat, earlier: Sequence[Beat]) -> int:
    """Find the earlier beat that "back to ..." means: the one that shares most words, or the last but one."""
    words = telling(beat.text)
    shared = [len(words & telling(other.text)) for other in earlier]
    return shared.index(max(shared)) if any(shared) else max(0, len(earlier) - 2)


def fit(takes: list[Take], most: int, frames: int) -> list[Take]:
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
        i = max(open_takes, key=lambda i: weight(takes[i], takes))
        takes.insert(i + 1, takes[i])
    return takes


def weight(take: Take, takes: Sequence[Take]) -> float:
    """Return how much time a take deserves: by its words, but nobody reads four times as long as anybody else."""
    words = words_in(take.beat.text) or 8
    share = min(16, max(6, words)) + (4 if take.beat.move else 0)
    return share / sum(other.beat is take.beat for other in takes)
