"""Reading a prompt: its clauses, and what each says about pictures, camera and cuts."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from ..subjects import mentioned
from .language import PLACES, UNSPACED, Language, composed, folded, languages, readings
from .vocabulary import read_move, read_pace, read_size, without_camera

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


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


_SENTENCE = re.compile(r"(?<=[.!?;…])[\"'”’)]*\s+|(?<=[。！？；])[\"'”’」』）)]*\s*|\n+")
_EDGES = " \t\r,;:-–—，、；：\u3000"  # of a clause: what parts it from the next
_HEAD = 40  # letters, in which a clause says how it begins
_TELLING = 3  # letters: shorter words are "of" and "my"
# A file's name may be an identifier, or hold one: its letters are no words.
_HASH = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b"
)  # "bed", "add" in it


def clauses(prompt: str) -> list[str]:
    """Cut the prompt where a new shot may begin; at least one clause, if only an empty one."""
    prompt = composed(prompt)
    found = []
    for sentence in _sentences(prompt):
        cuts, done, words = [0], 0, 1  # where the last marker ends, and how many words it has
        for start, end in _markers(sentence):
            # Two markers in a row ("then back to") are one, and a leading one cuts nothing off.
            if words + len(re.findall(r"\w+", sentence[done:start])) > 1:
                cuts.append(start)
                done, words = end, len(re.findall(r"\w+", sentence[start:end]))
        found += [sentence[a:b].strip(_EDGES) for a, b in zip(cuts, [*cuts[1:], len(sentence)], strict=True)]
    return [clause for clause in found if re.search(r"\w", clause)] or [prompt.strip()]


def _sentences(prompt: str) -> Iterator[str]:
    """Cut the prompt after each sentence; the stop of a numeral, as in "das 2. Bild", ends none."""
    inside = {start + len(place) for _, start, place in _places(prompt)}
    begin = 0
    for hit in _SENTENCE.finditer(prompt):
        if hit.start() not in inside:
            yield prompt[begin : hit.start()]
            begin = hit.end()
    yield prompt[begin:]


def _markers(sentence: str) -> list[tuple[int, int]]:
    """Find the words that begin a shot, in all languages, as pairs of begin and end that don't overlap."""
    found = sorted(hit.span() for language, view in readings(sentence) for hit in language.begin.finditer(view))
    apart = found[:1]
    for begin, end in found[1:]:
        if begin >= apart[-1][1]:
            apart.append((begin, end))
    return apart


def read(text: str, names: Sequence[str], mentions: tuple[str, ...] = (), videos: int = 0) -> Beat:
    """Read one clause as a beat; the arguments are those of `storyboard.plan`."""
    transition = None
    if any(language.cut.search(view[:_HEAD]) for language, view in readings(text)):
        transition = "cut"
    elif any(language.dissolve.search(view) for language, view in readings(text)):
        transition = "dissolve"
    back = any(language.back.match(view[:_HEAD]) for language, view in readings(text))
    places = [(place, -1, index) for place, index in mentioned(text, mentions)]
    places += _numbered(text, len(names) - videos)
    numbered = list(dict.fromkeys(index for _, _, index in sorted(places)))
    worded = [index for index in _worded(text, names) if index not in numbered]
    about = numbered or worded[:1]
    others = tuple(index for index in worded if index not in about)
    stays = not about and not back and _is_all_camera(text)
    return Beat(text, tuple(about), others, read_move(text), read_size(text), read_pace(text), transition, back, stays)


def _numbered(text: str, count: int) -> Iterator[tuple[int, int, int]]:
    """Find the pictures, of so many, that a clause names by their place: where, in which group, and which one."""
    for group, start, _ in _places(text):
        index = count - 1 if group == 2 * PLACES else group % PLACES
        if 0 <= index < count:
            yield start, group, index


def _places(text: str) -> Iterator[tuple[int, int, str]]:
    """Find where a text names pictures by their place: the group of `Language.places` from 0, where it is, and it."""
    for language, view in readings(text):
        for hit in (hit for pattern in language.named for hit in pattern.finditer(view)):
            for place in language.places.finditer(view, *hit.span()):
                yield (place.lastindex or 1) - 1, place.start(), place[0]


def _worded(text: str, names: Sequence[str]) -> list[int]:
    """Find the pictures of whose names a clause has a word, as indices in the order of its words."""
    found: dict[int, set[int]] = {}
    text = unicodedata.normalize("NFC", text)  # macOS spells the accents in file names as characters of their own
    # Scripts without spaces have no words to compare: there, a name is found wherever it stands.
    spaced = UNSPACED.sub(lambda hit: " " * len(hit[0]), text)
    words = {stem(hit[0]): hit.start() for hit in reversed(list(re.finditer(r"[^\W\d_]+", spaced)))}
    for index, name in enumerate(names):
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
    dull = frozenset[str]().union(*(language.names for language in languages()))
    return [stem(word) for word in words if word not in dull and (len(word) >= _TELLING or not word.isascii())]


def stem(word: str) -> str:
    """Return a word in lower case, without one plural "s"."""
    word = word.lower()
    return word[:-1] if len(word) > _TELLING and word.endswith("s") and not word.endswith("ss") else word


def words_in(text: str) -> int:
    """Count the words of a text; where no spaces part them, two letters are about one.

    >>> words_in("a cat naps"), words_in("一只猫在睡觉")
    (3, 3)
    """
    spaced, letters = UNSPACED.subn(" ", text)
    return len(spaced.split()) + (sum(map(len, UNSPACED.findall(text))) + 1) // 2 * bool(letters)


def telling(text: str) -> set[str]:
    """Return those words of a text that say what it is about; where no spaces part them, pairs of letters."""
    return _telling(text, lambda language: language.fill)


def _is_all_camera(text: str) -> bool:
    """Return whether a clause only says how to film, and nothing of what."""
    rest = without_camera(text)
    return rest is not None and not _telling(rest, lambda language: language.fill | language.camera)


def _telling(text: str, dull: Callable[[Language], frozenset[str]]) -> set[str]:
    """Return the words of a text but for dull ones."""
    whole = folded(text).lower()
    spaced = {word for language in languages() if language.spaces for word in dull(language)}
    words = {(word, stem(word)) for word in re.findall(r"[^\W\d_]{3,}", UNSPACED.sub(" ", whole))}
    found = {stemmed for word, stemmed in words if not {word, stemmed} & spaced}
    if UNSPACED.search(whole):
        unspaced = {word for language in languages() if not language.spaces for word in dull(language)}
        known = re.compile("|".join(sorted(map(re.escape, unspaced), key=len, reverse=True)) or "(?!)")
        for run in UNSPACED.findall(known.sub(" ", whole)):
            found |= {run[place : place + 2] for place in range(max(1, len(run) - 1))}
    return found
