"""The camera's vocabulary: which move, size and pace the words of a text ask for, in any of the languages."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from .language import Language, composed, readings, spoken

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

# Two moves go together where each has an axis of its own.
_AXES = dict.fromkeys(("zoom", "push", "pull", "dolly"), "depth") | dict.fromkeys(("crane", "tilt", "pedestal"), "up")
_AXES |= {"static": "static", "handheld": ""}

_Rows = tuple[tuple[str, "re.Pattern[str]"], ...]
_MOVES: Callable[[Language], _Rows] = attrgetter("moves")
_SIZES: Callable[[Language], _Rows] = attrgetter("sizes")
_PACES: Callable[[Language], _Rows] = attrgetter("paces")


class _Hit(NamedTuple):
    """Words of a text that ask for something."""

    begin: int
    end: int
    row: int
    name: str
    language: Language


def _hits(table: Callable[[Language], _Rows], text: str) -> list[_Hit]:
    """Find each row's first match in each language, earliest first; of two at one place, the upper row.

    Where words mean something in two languages, the longer match counts; of two as long, that in the language of the
    text, and then English.
    """
    found: list[_Hit] = []
    for language, view in readings(text):
        for row, (name, pattern) in enumerate(table(language)):
            if match := pattern.search(view):
                begin = match.start(match.lastindex) if match.lastindex else match.start()
                found.append(_Hit(begin, match.end(), row, name, language))
    if len({hit.language for hit in found}) > 1:
        own = spoken(text)
        found.sort(key=lambda hit: (hit.begin - hit.end, hit.language is not own))
        for hit in list(found):
            if hit in found:
                found = [other for other in found if other.language is hit.language or not _overlap(hit, other)]
    # Without spaces a word may be the beginning of another: there, the longest is meant.
    return sorted(found, key=lambda hit: (hit.begin, 0 if hit.language.spaces else -hit.end, hit.row))


def _overlap(hit: _Hit, other: _Hit) -> bool:
    return hit.begin < other.end and other.begin < hit.end


def read_move(text: str) -> str | None:
    """Read the camera move that the words ask for, one of `MOVES`, or None where they leave it open.

    Two moves at a time are joined by a plus, where they don't fight over the same axis.

    >>> read_move("The camera gently zooms in on the cover")
    'zoom in'
    >>> read_move("pans slowly from right to left") , read_move("a frying pan on a red truck")
    ('pan left', None)
    >>> read_move("handheld camera, zoom in while panning left")
    'zoom in + pan left + handheld'
    >>> read_move("镜头缓慢推近"), read_move("Die Kamera schwenkt nach links")
    ('push in', 'pan left')
    """
    hits = _hits(_MOVES, text)
    held = ["handheld"] if any(hit.name == "handheld" for hit in hits) else []
    chosen: dict[str, str] = {}
    done = 0
    for hit in hits:
        axis = _AXES.get(hit.name.split()[0], "across")
        if hit.begin >= done and axis and axis not in chosen:
            chosen[axis] = hit.name
            done = hit.end
    if "static" in chosen:  # who says that the camera stands means it, unless a hand holds it
        return (held or ["static"])[0]
    return " + ".join([*list(chosen.values())[:2], *held]) or None


def read_size(text: str) -> str | None:
    """Read the size of shot that the words ask for, one of `SIZES`, or None."""
    return next((hit.name for hit in _hits(_SIZES, text)), None)


def read_pace(text: str) -> str:
    """Read the pace that the words ask for: "slow", "fast", or "normal" where they say nothing of it."""
    return next((hit.name for hit in _hits(_PACES, text)), "normal")


def read_moods(text: str) -> list[str]:
    """Read the moods that the words ask the music for, each of `MOODS` as often as different words do.

    >>> read_moods("A calm, quiet lake, and children who dance")
    ['calm', 'calm', 'happy']
    """
    found = {
        language.moods[hit.lastindex - 1]
        for language, view in readings(composed(text))
        for hit in language.music.finditer(view)
        if hit.lastindex
    }
    return [mood for mood, _ in sorted(found)]


def without_camera(text: str) -> str | None:
    """Blank the words that `read_move`, `read_size` and `read_pace` go by; None where the text has none."""
    hits = [hit for table in (_MOVES, _SIZES, _PACES) for hit in _hits(table, text)]
    rest = (" " if any(hit.begin <= place < hit.end for hit in hits) else letter for place, letter in enumerate(text))
    return "".join(rest) if hits else None
