"""The camera's vocabulary: which words ask for which move, size and pace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Between a verb and its direction people put adverbs and the like: "pans slowly to the left", "zooms gently in".
_GAP = r"(?:\W+(?!and\b|then\b|while\b|as\b|in\b|out\b)\w+){0,3}?\W+"
# Trucks drive and tracks lead to the left by themselves: there, the direction has to follow closely.
_ADVERB = r"(?:\W+\w+ly)?(?:\W+to\W+the|\W+from)?\W+"
_TRUCK = r"(?:doll(?:y|ies|ying)|truck(?:s|ing)?|track(?:s|ing)?|slid(?:e|es|ing))"
_PAN = r"pan(?:s|ned|ning)?"
_LEFT = r"(?:left\b(?!\W+to\b)|leftwards?\b|right\W+to\W+left\b)"
_RIGHT = r"(?:right\b(?!\W+to\b)|rightwards?\b|left\W+to\W+right\b)"
_IN = r"(?:in|into|inwards?|forwards?|closer|towards?)\b"
_OUT = r"(?:out|back|outwards?|backwards?|away)\b"
_UP, _DOWN = r"(?:up|upwards?)\b", r"(?:down|downwards?)\b"
# "pan", "truck", "arc", "tilt" and "track" are also everyday words: alone they count only as the camera's own verb.
# `verb` marks where the verb stands, so that the row with a direction, which stands above, wins over the one without.
_CAMERA = r"\b(?:camera|shot|lens|view)\b(?:\W+\w+ly)?\W+(?:\w+\W+)?(?P<verb>)"

_HAND = r"hand\W?held"
_MOVE_PATTERNS: Sequence[tuple[str, str]] = (
    (
        "static",
        (
            r"\bstatic\W+(?:\w+\W+)?(?:camera|shot|frame|view)\b|\b(?:camera|shot)\b\W+(?:\w+\W+){0,2}?(?:static|still|fixed)\b"
            r"|\blocked\W+(?:off|down|camera|shot)\b|\bfixed\W+camera\b|\btripod\b|\bno\W+camera\W+movement\b"
        ),
    ),
    ("zoom out", rf"\bzoom(?:s|ed|ing)?\b{_GAP}{_OUT}"),
    ("zoom in", r"\bzoom(?:s|ed|ing)?\b"),
    ("dolly out", rf"\bdoll(?:y|ies|ied|ying)\b{_GAP}{_OUT}"),
    ("truck left", rf"\b{_TRUCK}\b{_ADVERB}{_LEFT}"),
    ("truck right", rf"\b{_TRUCK}\b{_ADVERB}{_RIGHT}"),
    ("dolly in", r"\bdoll(?:y|ies|ied|ying)\b"),
    ("push in", rf"\bpush(?:es|ed|ing)?\b{_GAP}{_IN}|{_CAMERA}(?:moves?|glides?|comes?|flies|creeps?)\b{_GAP}{_IN}"),
    ("pull out", rf"\bpull(?:s|ed|ing)?\b{_GAP}{_OUT}|{_CAMERA}(?:moves?|glides?|flies|draws?)\b{_GAP}{_OUT}"),
    ("orbit left", rf"\b(?:orbit(?:s|ing)?|arc(?:s|ing)?|circl(?:es|ing))\b{_GAP}{_LEFT}"),
    (
        "orbit",
        (
            rf"\borbit(?:s|ing)?\b|{_CAMERA}(?:arcs?|arcing|circl(?:es|ing)|rotates?|revolves?)\b"
            r"|\b(?:arc|arcs|circles|arcing|circling)\W+around\b|\barc\W+(?:shot|right)\b|\b360\b"
        ),
    ),
    ("pedestal up", rf"\bpedestal(?:s|ing)?\b{_GAP}{_UP}"),
    ("pedestal down", rf"\bpedestal(?:s|ing)?\b{_GAP}{_DOWN}"),
    ("crane up", rf"\b(?:cran(?:e|es|ing)|boom(?:s|ing)?|jib(?:s|bing)?)\b{_GAP}{_UP}|{_CAMERA}ris(?:es|ing)\b"),
    (
        "crane down",
        rf"\b(?:cran(?:e|es|ing)|boom(?:s|ing)?|jib(?:s|bing)?)\b{_GAP}{_DOWN}|{_CAMERA}(?:descends|descending|lowers)\b",
    ),
    ("tilt up", rf"\b(?:tilt(?:s|ing)?|{_PAN})\b{_GAP}{_UP}"),
    ("tilt down", rf"\b(?:tilt(?:s|ing)?|{_PAN})\b{_GAP}{_DOWN}|{_CAMERA}tilts\b"),
    ("whip pan left", rf"\b(?:whip|swish)\W?{_PAN}\b{_GAP}{_LEFT}|{_CAMERA}whips\b{_GAP}{_LEFT}"),
    ("whip pan right", rf"\b(?:whip|swish)\W?{_PAN}\b|{_CAMERA}whips\b"),
    ("pan left", rf"\b{_PAN}\b{_GAP}{_LEFT}"),
    (
        "pan right",
        (
            rf"\b{_PAN}\b{_GAP}{_RIGHT}|\b(?:pans|panning)\b|{_CAMERA}pan\b"
            r"|\bpan\W+(?:across|over|to|shot|around|along)\b"
        ),
    ),
    ("truck right", rf"{_CAMERA}(?:trucks|tracks|follows)\b|\btracking\W+shot\b"),
    # Consoles and mixers are handheld as well: the word has to be said of the camera, or by itself.
    (
        "handheld",
        (
            rf"\b{_HAND}\W+(?:\w+\W+){{0,2}}?(?:cam(?:era)?|shot|footage|style|look|feel|mo(?:vement|tion)|sway|view|tracking|close)\b"
            rf"|\b(?:camera|shot|filmed|footage|captured|moves?)\W+(?:\w+\W+){{0,2}}?{_HAND}\b"
            rf"|(?:^|[,;(])\s*(?:then\s+)?{_HAND}\s*(?:$|[,;.)])|\bshak(?:y|ing)\W+cam(?:era)?\b|{_CAMERA}(?:sways|shakes|trembles)\b"
        ),
    ),
)
# Two moves go together where each has an axis of its own.
_AXES = dict.fromkeys(("zoom", "push", "pull", "dolly"), "depth") | dict.fromkeys(("crane", "tilt", "pedestal"), "up")
_AXES |= {"static": "static", "handheld": ""}

_SIZE_PATTERNS: Sequence[tuple[str, str]] = (
    ("close-up", r"\bclose\W?ups?\b|\bmacro\b|\btight\W+(?:shot|on)\b|\bextreme\W+close\b|\bdetail\W+shot\b"),
    ("medium", r"\b(?:medium|mid)\W+(?:shot|close)\b|\bwaist\W+up\b|\bhalf\W+body\b"),
    (
        "wide",
        (
            r"\bwide(?:\W?angle)?\W+(?:\w+\W+)?(?:shot|view|angle|lens|frame)\b|\bwide-angle\b|\bestablishing\b"
            r"|\b(?:full|long|aerial|panoramic|bird'?s.eye)\W+(?:body\W+)?(?:shot|view)\b|[,;]\s*wide\W*$"
        ),
    ),
)

_PACE_PATTERNS: Sequence[tuple[str, str]] = (
    (
        "fast",
        r"\b(?:fast|quick|quickly|rapid|rapidly|swift|swiftly|sudden|suddenly|whip|crash|dramatic|dramatically)\b",
    ),
    (
        "slow",
        r"\b(?:slow|slowly|gentle|gently|subtle|subtly|gradual|gradually|smooth|smoothly|leisurely|calm|calmly)\b",
    ),
)


def _hits(patterns: Sequence[tuple[str, str]], text: str) -> list[tuple[int, int, str]]:
    """Find (begin, end, name) of each pattern's first match, earliest first; of two at one place, the upper row."""
    found = []
    for row, (name, pattern) in enumerate(patterns):
        if hit := re.search(pattern, text, re.IGNORECASE):
            begin = hit.start() if hit.groupdict().get("verb") is None else hit.start("verb")
            found.append((begin, row, hit.end(), name))
    return [(begin, end, name) for begin, _, end, name in sorted(found)]


def _first(patterns: Sequence[tuple[str, str]], text: str) -> str | None:
    hits = _hits(patterns, text)
    return hits[0][2] if hits else None


def read_move(text: str) -> str | None:
    """Read the camera move that the words ask for, one of `MOVES`, or None where they leave it open.

    Two moves at a time are joined by a plus, where they don't fight over the same axis.

    >>> read_move("The camera gently zooms in on the cover")
    'zoom in'
    >>> read_move("pans slowly from right to left") , read_move("a frying pan on a red truck")
    ('pan left', None)
    >>> read_move("handheld camera, zoom in while panning left")
    'zoom in + pan left + handheld'
    """
    hits = _hits(_MOVE_PATTERNS, text)
    held = [name for _, _, name in hits if name == "handheld"]
    chosen: dict[str, str] = {}
    done = 0
    for begin, end, name in hits:
        axis = _AXES.get(name.split()[0], "across")
        if begin >= done and axis and axis not in chosen:
            chosen[axis] = name
            done = end
    if "static" in chosen:  # who says that the camera stands means it, unless a hand holds it
        return (held or ["static"])[0]
    return " + ".join([*list(chosen.values())[:2], *held]) or None


def read_size(text: str) -> str | None:
    """Read the size of shot that the words ask for, one of `SIZES`, or None."""
    return _first(_SIZE_PATTERNS, text)


def read_pace(text: str) -> str:
    """Read the pace that the words ask for: "slow", "fast", or "normal" where they say nothing of it."""
    return _first(_PACE_PATTERNS, text) or "normal"


def without_camera(text: str) -> str | None:
    """Drop the words that `read_move`, `read_size` and `read_pace` go by; None where the text has none."""
    hits = [hit for patterns in (_MOVE_PATTERNS, _SIZE_PATTERNS, _PACE_PATTERNS) for hit in _hits(patterns, text)]
    rest = (letter for place, letter in enumerate(text) if not any(begin <= place < end for begin, end, _ in hits))
    return "".join(rest) if hits else None
