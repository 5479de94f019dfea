"""Reading a prompt: its clauses, and what each says about pictures, camera and cuts."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from .vocabulary import read_move, read_pace, read_size, without_camera

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
    stays: bool = False  # speaks of the camera alone: "then tilt up" is about what was seen last


_SENTENCE = re.compile(r"(?<=[.!?;…])[\"'”’)]*\s+|(?<=[。！？；])|\n+")
# "now and then", "pulls back to", "looks back to" are no new shots.
_MARKER = re.compile(
    r"(?<!\bnow )(?<!\bnow and )(?<!\bsince )(?<!\bby )(?<!\buntil )(?<!\bback )\b(?:and\s+)?then\b"
    r"|\b(?:and\s+)?(?:finally|lastly|afterwards|after\s+that|meanwhile|suddenly)\b"
    r"|\b(?:and\s+)?(?:hard\s+|smash\s+)?cut(?:s|ting)?\s+(?:back\s+)?to\b"
    r"|\b(?:and\s+)?(?:switch|jump)(?:es|s|ing)?\s+(?:back\s+)?to\b"
    r"|\b(?:and\s+)?(?:dissolv|fad|cross-?fad|transition)(?:es?|s|ing)?\s+(?:back\s+)?(?:to|into)\b"
    r"|\bfollowed\s+by\b|(?<=[,;:]\s)next\b(?=,)"
    r"|(?:(?<=[,;:]\s)|(?<=\band\s))back\s+(?:to|on)\b",
    re.IGNORECASE,
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven")
_PICTURE = r"(?:reference|image|picture|photo|photograph|ref|img|pic|subject)s?"
_ORDINAL = rf"(?:{'|'.join(_ORDINALS)}|last|[1-7](?:st|nd|rd|th))"
_LISTED = r"\s*(?:,|&|and)+\s*"
# "the first picture", and "the second and the third picture" as well.
_BY_ORDINAL = re.compile(
    rf"\b({_ORDINAL})(?=(?:{_LISTED}(?:the\s+)?{_ORDINAL})*\s+(?:{_PICTURE}\s+)?{_PICTURE}\b)", re.IGNORECASE
)
_BY_NUMBER = re.compile(
    rf"(?:\b|@|\[)(?:{_PICTURE}[\s_]+)?{_PICTURE}[\s_]*(?:no\.?|number|\#|nr\.?)?\s*([1-7]|{'|'.join(_NUMBERS)})\b"
    rf"((?:{_LISTED}[1-7]\b)*)|@([1-7])\b",
    re.IGNORECASE,
)
_TELLING = 3  # letters: shorter words are "of" and "my"
# A file's name may be an identifier, or hold one: its letters are no words.
_HASH = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b"
)  # "bed", "add" in it
# Words of file names that tell nothing about a picture.
_DULL = frozenset(
    """img image images dsc dscn pic picture photo photos ref reference references final copy new old edit edited scan
    screenshot untitled file download jpg jpeg png webp gif the and with for from""".split()  # noqa: SIM905 - readable
)
# Words of sentences that tell nothing about one.
_FILLER = frozenset(
    """the and with from into back then camera shot that this his her their its over onto for""".split()  # noqa: SIM905
)


_CAMERA_WORDS = frozenset(
    """left right down inwards outwards forward forwards backward backwards closer away toward towards around along
    while move movement motion view angle frame lens then finally lastly next cut dissolve fade slightly little bit
    again more whole scene subject him them very""".split()  # noqa: SIM905
)


def clauses(prompt: str) -> list[str]:
    """Cut the prompt where a new shot may begin; at least one clause, if only an empty one."""
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
    """Read one clause as a beat."""
    head = text[:40].lower()
    transition = None
    if re.search(r"\b(?:cut|switch|jump)(?:s|es|ting|ing)?\s+(?:back\s+)?to\b", head):
        transition = "cut"
    elif re.search(
        r"\b(?:dissolv|fad|cross-?fad|blend|melt|transition)(?:es?|s|ing)\b|\btransition\s+(?:in)?to\b", text.lower()
    ):
        transition = "dissolve"
    back = bool(re.match(r"(?:and\s+)?(?:then\W+|finally\W+)?(?:\w+\s+)?back\s+(?:to|on)\b", head))
    numbered = [index for index in _numbered(text, len(names)) if index < len(names)]
    worded = [index for index in _worded(text, names) if index not in numbered]
    about = numbered or worded[:1]
    mentions = tuple(index for index in worded if index not in about)
    stays = not about and not back and _is_all_camera(text)
    return Beat(
        text, tuple(about), mentions, read_move(text), read_size(text), read_pace(text), transition, back, stays
    )


def _numbered(text: str, count: int) -> list[int]:
    """Find the pictures that a clause names by their place, as indices in the order of its words."""
    found: list[tuple[int, int]] = []
    for hit in _BY_ORDINAL.finditer(text):
        word = hit[1].lower()
        index = count - 1 if word == "last" else _ORDINALS.index(word) if word in _ORDINALS else int(word[0]) - 1
        found.append((hit.start(), index))
    for hit in _BY_NUMBER.finditer(text):
        word = (hit[1] or hit[3]).lower()
        found.append((hit.start(), _NUMBERS.index(word) if word in _NUMBERS else int(word) - 1))
        if re.search(
            r"s[\s_]*\w+$", hit[0][: len(hit[0]) - len(hit[2] or "")]
        ):  # "images 1 and 2", but "image 1 and 2 dogs"
            found += [(hit.start(2) + i, int(digit) - 1) for i, digit in enumerate(hit[2] or "") if digit.isdigit()]
    return list(dict.fromkeys(index for _, index in sorted(found)))


def _worded(text: str, names: Sequence[str]) -> list[int]:
    """Find the pictures of whose names a clause has a word, as indices in the order of its words."""
    found: dict[int, set[int]] = {}
    text = unicodedata.normalize("NFC", text)  # macOS spells the accents in file names as characters of their own
    words = {stem(hit[0]): hit.start() for hit in reversed(list(re.finditer(r"[^\W\d_]+", text)))}
    for index, name in enumerate(names):
        # Scripts without spaces have no words to compare: there, a name is found wherever it stands.
        tells = _name_words(name)
        places = {words[word] for word in tells if word in words}
        places |= {text.index(word) for word in tells if not word.isascii() and word in text}
        if places:
            found[index] = places
    # "The blue car" is blue-car.jpg and not red-car.jpg, though both have its second word.
    best = [index for index, places in found.items() if not any(places < others for others in found.values())]
    return sorted(best, key=lambda index: (min(found[index]), index))


def _name_words(name: str) -> list[str]:
    """Return the telling words of a file's name: "my_Cat-02.final.jpg" gives "cat" ("my" is too short to tell)."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _HASH.sub(" ", PurePath(unicodedata.normalize("NFC", name)).stem))
    words = (word.lower() for word in re.findall(r"[^\W\d_]+", spaced))
    return [stem(word) for word in words if word not in _DULL and (len(word) >= _TELLING or not word.isascii())]


def stem(word: str) -> str:
    """Return a word in lower case, without one plural "s"."""
    word = word.lower()
    return word[:-1] if len(word) > _TELLING and word.endswith("s") and not word.endswith("ss") else word


def telling(text: str) -> set[str]:
    """Return those words of a text that say what it is about."""
    return {stem(word) for word in re.findall(r"[^\W\d_]{3,}", text)} - _FILLER


def _is_all_camera(text: str) -> bool:
    """Return whether a clause only says how to film, and nothing of what."""
    rest = without_camera(text)
    return rest is not None and not telling(rest) - _CAMERA_WORDS
