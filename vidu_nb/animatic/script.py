"""Reading a prompt: its clauses, and what each says about pictures, camera and cuts."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


# ── Clauses ───────────────────────────────────────────────────────────────────────────────────────


class Beat(NamedTuple):
    """What one clause says."""

    text: str
    pictures: tuple[int, ...]  # those it is about: named by number, or else the first whose name's words it has
    mentions: tuple[int, ...]  # others whose name's words it has
    move: str | None
    size: str | None
    pace: str
    transition: str | None
    back: bool  # returns to what was seen before


_SENTENCE = re.compile(r"(?<=[.!?;…])[\"'”’)]*\s+|(?<=[。！？；])|\n+")
# "now and then", "pulls back to", "looks back to" are no new shots.
_MARKER = re.compile(
    r"(?<!\bnow )(?<!\bnow and )(?<!\bsince )(?<!\bby )(?<!\buntil )(?<!\bback )\b(?:and\s+)?then\b"
    r"|\b(?:and\s+)?(?:finally|lastly|afterwards|after\s+that|meanwhile|suddenly)\b"
    r"|\b(?:and\s+)?(?:hard\s+|smash\s+)?cut(?:s|ting)?\s+(?:back\s+)?to\b"
    r"|\b(?:and\s+)?(?:dissolv|fad|cross-?fad)(?:es?|ing)\s+(?:back\s+)?(?:to|into)\b"
    r"|(?:(?<=[,;:]\s)|(?<=\band\s))back\s+(?:to|on)\b",
    re.IGNORECASE,
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven")
_PICTURE = r"(?:reference|image|picture|photo|photograph|ref|img|pic|subject)"
_BY_ORDINAL = re.compile(
    rf"\b(?:({'|'.join(_ORDINALS)}|last)|([1-7])(?:st|nd|rd|th))\s+(?:{_PICTURE}\s+)?{_PICTURE}\b", re.IGNORECASE
)
_BY_NUMBER = re.compile(
    rf"(?:\b|@|\[)(?:{_PICTURE}[\s_]+)?{_PICTURE}[\s_]*(?:no\.?|number|\#|nr\.?)?\s*([1-7]|{'|'.join(_NUMBERS)})\b"
    r"|@([1-7])\b",
    re.IGNORECASE,
)
_TELLING = 3  # letters: shorter words are "of" and "my"
# Words of file names, and of sentences, that tell nothing about a picture.
_DULL = frozenset(
    """img image images dsc dscn pic picture photo photos ref reference references final copy new old edit edited scan
    screenshot untitled file download jpg jpeg png webp gif the and with for from""".split()  # noqa: SIM905 - readable
)
_FILLER = frozenset(
    """the and with from into back then camera shot that this his her their its over onto for""".split()  # noqa: SIM905
)


def clauses(prompt: str) -> list[str]:
    """The prompt cut where a new shot may begin; at least one clause, if only an empty one."""
    found = []
    for sentence in _SENTENCE.split(prompt):
        cuts = [0]
        for hit in _MARKER.finditer(sentence):
            # Two markers in a row ("then back to", "and finally, cut to") are one, and a leading one cuts nothing off.
            if len(re.findall(r"\w+", sentence[cuts[-1] : hit.start()])) > (1 if cuts[-1] else 0):
                cuts.append(hit.start())
        found += [sentence[a:b].strip(" \t\r,;:-–—") for a, b in zip(cuts, [*cuts[1:], len(sentence)], strict=True)]
    return [clause for clause in found if re.search(r"\w", clause)] or [prompt.strip()]


def read(text: str, names: Sequence[str]) -> Beat:
    """One clause as a beat."""
    head = text[:40].lower()
    transition = None
    if re.search(r"\bcut(?:s|ting)?\s+(?:back\s+)?to\b", head):
        transition = "cut"
    elif re.search(r"\b(?:dissolv|fad|cross-?fad|blend|melt)(?:es?|s|ing)\b", text.lower()):
        transition = "dissolve"
    back = bool(re.match(r"(?:and\s+)?(?:then\W+|finally\W+)?(?:\w+\s+)?back\s+(?:to|on)\b", head))
    numbered = [index for index in _numbered(text, len(names)) if index < len(names)]
    worded = [index for index in _worded(text, names) if index not in numbered]
    about = numbered or worded[:1]
    mentions = tuple(index for index in worded if index not in about)
    return Beat(text, tuple(about), mentions, read_move(text), read_size(text), read_pace(text), transition, back)


def _numbered(text: str, count: int) -> list[int]:
    """Indices of the pictures that a clause names by their place, in the order of its words."""
    found: list[tuple[int, int]] = []
    for hit in _BY_ORDINAL.finditer(text):
        word = (hit[1] or "").lower()
        index = count - 1 if word == "last" else _ORDINALS.index(word) if word else int(hit[2]) - 1
        found.append((hit.start(), index))
    for hit in _BY_NUMBER.finditer(text):
        word = (hit[1] or hit[2]).lower()
        found.append((hit.start(), _NUMBERS.index(word) if word in _NUMBERS else int(word) - 1))
    return list(dict.fromkeys(index for _, index in sorted(found)))


def _worded(text: str, names: Sequence[str]) -> list[int]:
    """Indices of the pictures of whose names a clause has a word, in the order of its words."""
    found: list[tuple[int, int]] = []
    words = {stem(hit[0]): hit.start() for hit in reversed(list(re.finditer(r"[^\W\d_]+", text)))}
    for index, name in enumerate(names):
        # Scripts without spaces have no words to compare: there, a name is found wherever it stands.
        tells = _name_words(name)
        places = [words[word] for word in tells if word in words]
        places += [text.index(word) for word in tells if not word.isascii() and word in text]
        if places:
            found.append((min(places), index))
    return [index for _, index in sorted(found)]


def _name_words(name: str) -> list[str]:
    """The telling words of a file's name: "my_Cat-02.final.jpg" gives "cat" (and "my" is too short to tell)."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", PurePath(name).stem)
    words = (word.lower() for word in re.findall(r"[^\W\d_]+", spaced))
    return [stem(word) for word in words if word not in _DULL and (len(word) >= _TELLING or not word.isascii())]


def stem(word: str) -> str:
    """Lower case, and one plural "s" less."""
    word = word.lower()
    return word[:-1] if len(word) > _TELLING and word.endswith("s") and not word.endswith("ss") else word


def telling(text: str) -> set[str]:
    """Those words of a text that say what it is about."""
    return {stem(word) for word in re.findall(r"[^\W\d_]{3,}", text)} - _FILLER


# ── The camera's vocabulary ───────────────────────────────────────────────────────────────────────

# Between a verb and its direction people put adverbs and the like: "pans slowly to the left", "zooms gently in".
_GAP = r"(?:\W+(?!and\b|then\b)\w+){0,3}?\W+"
# Trucks drive and tracks lead to the left by themselves: there, the direction has to follow closely.
_ADVERB = r"(?:\W+\w+ly)?(?:\W+to\W+the|\W+from)?\W+"
_TRUCK = r"(?:doll(?:y|ies|ying)|truck(?:s|ing)?|track(?:s|ing)?|slid(?:e|es|ing))"
_LEFT = r"(?:left\b(?!\W+to\b)|leftwards?\b|right\W+to\W+left\b)"
_RIGHT = r"(?:right\b(?!\W+to\b)|rightwards?\b|left\W+to\W+right\b)"
_IN = r"(?:in|into|inwards?|forwards?|closer|towards?)\b"
_OUT = r"(?:out|back|outwards?|backwards?|away)\b"
_UP, _DOWN = r"(?:up|upwards?)\b", r"(?:down|downwards?)\b"
# "pan", "truck", "arc", "tilt" and "track" are also everyday words: alone they count only as the camera's own verb.
# `verb` marks where the verb stands, so that the row with a direction, which stands above, wins over the one without.
_CAMERA = r"\b(?:camera|shot|lens|view)\b(?:\W+\w+ly)?\W+(?:\w+\W+)?(?P<verb>)"

_MOVE_PATTERNS: Sequence[tuple[str, str]] = (
    (
        "static",
        (
            r"\bstatic\W+(?:camera|shot|frame|view)\b|\b(?:camera|shot)\b\W+(?:\w+\W+){0,2}?(?:static|still|fixed)\b"
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
            r"|\b(?:arcs|circles|arcing|circling)\W+around\b|\barc\W+shot\b|\b360\b"
        ),
    ),
    ("crane up", rf"\bcran(?:e|es|ing)\b{_GAP}{_UP}|{_CAMERA}ris(?:es|ing)\b"),
    ("crane down", rf"\bcran(?:e|es|ing)\b{_GAP}{_DOWN}|{_CAMERA}(?:descends|descending|lowers)\b"),
    ("tilt up", rf"\b(?:tilt(?:s|ing)?|pan(?:s|ning)?)\b{_GAP}{_UP}"),
    ("tilt down", rf"\b(?:tilt(?:s|ing)?|pan(?:s|ning)?)\b{_GAP}{_DOWN}|{_CAMERA}tilts\b"),
    ("pan left", rf"\bpan(?:s|ned|ning)?\b{_GAP}{_LEFT}"),
    (
        "pan right",
        (
            rf"\bpan(?:s|ned|ning)?\b{_GAP}{_RIGHT}|\b(?:pans|panning)\b|{_CAMERA}pan\b"
            r"|\bpan\W+(?:across|over|to|shot|around|along)\b"
        ),
    ),
    ("truck right", rf"{_CAMERA}(?:trucks|tracks|follows)\b|\btracking\W+shot\b"),
)

_SIZE_PATTERNS: Sequence[tuple[str, str]] = (
    ("close-up", r"\bclose\W?ups?\b|\bmacro\b|\btight\W+(?:shot|on)\b|\bextreme\W+close\b|\bdetail\W+shot\b"),
    ("medium", r"\b(?:medium|mid)\W+(?:shot|close)\b|\bwaist\W+up\b|\bhalf\W+body\b"),
    (
        "wide",
        (
            r"\bwide(?:\W?angle)?\W+(?:\w+\W+)?(?:shot|view|angle|lens|frame)\b|\bwide-angle\b|\bestablishing\b"
            r"|\b(?:full|long|aerial|panoramic|bird'?s.eye)\W+(?:body\W+)?(?:shot|view)\b"
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


def _first(patterns: Sequence[tuple[str, str]], text: str) -> str | None:
    """The name whose pattern stands earliest in the text; of two at the same place, the earlier row."""
    found = []
    for row, (name, pattern) in enumerate(patterns):
        if hit := re.search(pattern, text, re.IGNORECASE):
            place = hit.start() if hit.groupdict().get("verb") is None else hit.start("verb")
            found.append((place, row, name))
    return min(found)[2] if found else None


def read_move(text: str) -> str | None:
    """The camera move that the words ask for, one of `MOVES`, or None where they leave it open.

    >>> read_move("The camera gently zooms in on the cover")
    'zoom in'
    >>> read_move("pans slowly from right to left") , read_move("a frying pan on a red truck")
    ('pan left', None)
    """
    return _first(_MOVE_PATTERNS, text)


def read_size(text: str) -> str | None:
    """The size of shot that the words ask for, one of `SIZES`, or None."""
    return _first(_SIZE_PATTERNS, text)


def read_pace(text: str) -> str:
    """Read the pace that the words ask for: "slow", "fast", or "normal" where they say nothing of it."""
    return _first(_PACE_PATTERNS, text) or "normal"
