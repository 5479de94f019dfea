"""Plan how clips are joined: what is copied or encoded, how long each is to be seen, what is heard, what to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ViduError, one_line
from .clip import Clip, read_clip

if TYPE_CHECKING:
    from ...animatic.sound.loudness import Samples

    Sound = Callable[[], Iterator[Samples]]  # 48 kHz, left and right

MAX_TITLE_BYTES = 255  # what an MP4's list of chapters has for a title, in UTF-8
_RATES = (24_000 / 1001, 24, 25, 30_000 / 1001, 30, 48, 50, 60_000 / 1001, 60)
_SLOWEST, _FASTEST = 1, 120  # frames a second
_FINEST = 1_000_000  # parts of a second
RATE = 48_000  # samples a second


@dataclass(frozen=True, slots=True)
class Part:
    """A clip of the joined one, and its chapter's title."""

    path: Path
    title: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How clips are joined; the size is in pixels."""

    clips: tuple[Clip, ...]
    titles: tuple[str, ...]
    rate: Fraction  # frames a second
    size: tuple[int, int]
    spans: tuple[tuple[int, int], ...]  # first frame and end of each scene; where they dissolve, they overlap
    is_copied: bool
    sound: Sound | None
    notes: tuple[str, ...]  # what a person might want to know

    @property
    def frames(self) -> int:
        """How many frames the joined clip has."""
        return self.spans[-1][1]


def plan_joined(
    parts: Sequence[Part],
    *,
    music: str = "clips",
    dissolve: float = 0.0,
    seed: int = 42,
    prompt: str = "",
) -> Plan:
    """Plan how several clips become one with a chapter each.

    Parameters
    ----------
    parts
        The clips, in their order.
    music
        ``"film"``, ``"clips"``, ``"none"``, or the path of a sound file, as for `Film`.
    dissolve
        Seconds from one clip to the next; 0 cuts. A clip that is too short for it gets shorter ones.
    seed, prompt
        What the composer of ``"film"`` goes by.

    Raises
    ------
    ViduError
        A clip or the music can't be read; the message names the scene.
    """
    clips = tuple(_read(number, part.path) for number, part in enumerate(parts, 1))
    rate, size = _rate_of(clips[0]), _size_of(clips[0])
    lengths = tuple(max(1, round(clip.seconds * rate)) for clip in clips)
    dissolves = tuple(min(round(dissolve * rate), *(one // 2 for one in pair)) for pair in pairwise(lengths))
    is_copied = not any(dissolves) and all(
        clip.can_be_copied and clip.stream == clips[0].stream and clip.rate == rate for clip in clips
    )
    spans = _spans(lengths, dissolves)
    sound, heard = _sound(clips, spans, rate, music, seed, prompt)
    changed = [] if is_copied else _changed(clips, rate, size, dissolves)
    return Plan(
        clips=clips,
        titles=tuple(_title(part.title, number) for number, part in enumerate(parts, 1)),
        rate=rate,
        size=size,
        spans=spans,
        is_copied=is_copied,
        sound=sound,
        notes=(*changed, *_shortened(dissolves, round(dissolve * rate), rate), *heard),
    )


def _read(number: int, path: Path) -> Clip:
    try:
        return read_clip(path)
    except ViduError as error:
        message, remedy = error.message, error.remedy
    raise ViduError(f"scene {number}: {message}", remedy=remedy)


def _rate_of(clip: Clip) -> Fraction:
    """Return a clip's frames a second; where they come as it happens, the usual rate that is nearest."""
    rate = min(max(clip.rate, Fraction(_SLOWEST)), Fraction(_FASTEST))
    if clip.is_even:
        return rate if rate.numerator <= _FINEST else rate.limit_denominator(1001)
    usual = min(_RATES, key=lambda one: abs(one - rate))
    return Fraction(usual if abs(usual - rate) < 0.05 * rate else max(1, round(rate))).limit_denominator(1001)


def _size_of(clip: Clip) -> tuple[int, int]:
    """Return a clip's size in whole pairs of pixels, as its colours have half of them."""
    width, height = clip.size
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _spans(lengths: Sequence[int], dissolves: Sequence[int]) -> tuple[tuple[int, int], ...]:
    steps = (length - shared for length, shared in zip(lengths, dissolves, strict=False))
    starts = accumulate(steps, initial=0)
    return tuple((start, start + length) for start, length in zip(starts, lengths, strict=True))


def _title(title: str, number: int) -> str:
    """Return a chapter's title on one line, cut where a list of chapters would cut it, but between two characters."""
    text = one_line(title).encode("utf-8", "ignore")[:MAX_TITLE_BYTES].decode("utf-8", "ignore").strip()
    return text or f"Scene {number}"


# Notes.


def _shortened(dissolves: Sequence[int], wanted: int, rate: Fraction) -> Iterator[str]:
    """Yield where a scene is too short for what was wanted: it can give away half of itself at each of its ends."""
    for number, shared in enumerate(dissolves, 1):
        if shared < wanted:
            became = f"{float(shared / rate):.2g} s" if shared else "a cut"
            asked = f"{float(wanted / rate):.2g} s"
            yield f"scenes {number} and {number + 1}: too short for a dissolve of {asked}, which became {became}"


def _changed(clips: Sequence[Clip], rate: Fraction, size: tuple[int, int], dissolves: Sequence[int]) -> Iterator[str]:
    why = "they dissolve" if any(dissolves) else "not all of them have the same stream, fit to be copied"
    yield f"the scenes' pictures were encoded anew, since {why}"
    for number, clip in enumerate(clips, 1):
        if changes := list(_changes(clip, clips[0], rate, size)):
            yield f"scene {number}: {', '.join(changes)}"


def _changes(clip: Clip, first: Clip, rate: Fraction, size: tuple[int, int]) -> Iterator[str]:
    old, new = ("{}x{}".format(*one) for one in (clip.size, size))
    if clip.is_turned:
        yield "turned upright"
    if clip.size != size:
        yield f"{old} was {'scaled to' if has_same_shape(clip.size, size) else 'fitted into'} {new}"
    if not clip.is_even:
        yield f"uneven frames became {float(rate):.5g} a second"
    elif clip.rate != rate:
        yield f"{float(clip.rate):.5g} frames a second became {float(rate):.5g}"
    if clip.codec != first.codec:
        yield f"{clip.codec} where the first has {first.codec}"


def has_same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether a picture fills another's frame with less of a distortion than can be seen, one in a hundred."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= 0.01


# Sound.


def _sound(
    clips: Sequence[Clip], spans: Sequence[tuple[int, int]], rate: Fraction, music: str, seed: int, prompt: str
) -> tuple[Sound | None, tuple[str, ...]]:
    """Return what makes the sound, None for a silent film, and notes."""
    if music == "none" or (music == "clips" and not any(clip.has_sound for clip in clips)):
        return None, ()
    from . import own_sound, track

    heard = [(round(start * RATE / rate), round(end * RATE / rate)) for start, end in spans]
    if music == "clips":
        return partial(own_sound.mixed, clips, heard), ()
    count = heard[-1][1]
    return (track.composed(seed, prompt, count), ()) if music == "film" else track.from_file(Path(music), count)
