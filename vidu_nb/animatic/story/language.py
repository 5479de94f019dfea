"""The languages that prompts are read in: a file of words for each, checked, compiled, and shown what it may read."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .moves import MOVES, PACES, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FOLDER = Path(__file__).parent / "languages"
PLACES = 7  # pictures that a request can have
_DEPTH = 8  # parts may hold parts
_PART = re.compile(r"\{([^\W\d]\w*)\}")  # and no count, as in \w{0,3}
MOODS = ("calm", "slow", "sad", "warm", "happy", "fast", "epic")

#: What stands in each table of a file.
_KEYS: dict[str, tuple[str, ...]] = {
    "moves": tuple(MOVES),
    "sizes": tuple(SIZES),
    "paces": tuple(pace for pace in PACES if pace != "normal"),
    "shots": ("begin", "cut", "dissolve", "back"),
    "pictures": ("numbers", "ordinals", "last", "named"),
    "words": ("fill", "camera", "names"),
    "music": ("endings", *MOODS),
    "examples": (*MOVES, *SIZES, *(pace for pace in PACES if pace != "normal")),
}
_TOP = {"name": str, "spaces": bool, "everyday": str, "lookalikes": str, "spellings": str, "parts": dict}
# Han, kana and Thai, Lao, Burmese, Khmer: no spaces part their words.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)

_Rows = tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """The words of one language, compiled.

    Attributes
    ----------
    name : str
        What it is called in English.
    spaces : bool
        Whether spaces part its words.
    everyday, lookalikes : Pattern
        Find words by which its sentences are known, and such as other languages would take for theirs.
    moves, sizes, paces : tuple of (str, Pattern)
        What asks for which one, in the file's order. What is asked for begins at a pattern's group, if it has one.
    begin, cut, dissolve, back : Pattern
        Find where a shot begins, and how.
    named, places : Pattern
        Find pictures that are named by their place, and each place in that: group 1 to 7 an ordinal, 8 to 14 a number,
        15 the last.
    fill, camera, names : frozenset of str
        Words that tell nothing: in a sentence, in one that only says how to film, in a file's name.
    music : Pattern
        Finds words of `moods`, each as a group of its own.
    moods : tuple of (str, str)
        The mood of each group of `music`, and its word.
    examples : dict
        Words for each move, size and pace, to test the file by.
    """

    name: str
    spaces: bool
    everyday: re.Pattern[str]
    lookalikes: re.Pattern[str]
    moves: _Rows
    sizes: _Rows
    paces: _Rows
    begin: re.Pattern[str]
    cut: re.Pattern[str]
    dissolve: re.Pattern[str]
    back: re.Pattern[str]
    named: tuple[re.Pattern[str], ...]
    places: re.Pattern[str]
    fill: frozenset[str]
    camera: frozenset[str]
    names: frozenset[str]
    music: re.Pattern[str]
    moods: tuple[tuple[str, str], ...]
    examples: Mapping[str, str]


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


@cache
def languages() -> tuple[Language, ...]:
    """Return all languages that have a file, English first."""
    files = sorted(FOLDER.glob("*.toml"), key=lambda file: (file.stem != "en", file.stem))
    return tuple(read_language(file.read_text(encoding="utf-8"), file.name) for file in files)


def read_language(text: str, file: str) -> Language:
    """Check a language's file and compile its patterns.

    Raises
    ------
    ValueError
        The file is no TOML, a key is missing, unknown or of the wrong type, a pattern is none, or a word stands in two
        rows. The message names file and key.
    """
    try:
        return _compile(_checked(tomllib.loads(text)))
    except ValueError as error:  # tomllib's errors are such too
        raise ValueError(f"{file}: {error}") from error


def _checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse what a file can't hold, or lacks."""
    wanted = {**_TOP, **dict.fromkeys(_KEYS, dict)}
    _compare("the file", data, wanted)
    for key, kind in wanted.items():
        _typed(key, data[key], kind)
    for table, keys in _KEYS.items():
        _compare(f"[{table}]", data[table], keys)
        kind = str if table in {"words", "music", "examples"} else list
        for key in keys:
            _typed(f"{table}.{key}", data[table][key], kind)
    for table in ("moves", "sizes", "paces"):
        _unique(table, {key: data[table][key] for key in _KEYS[table]})
    _unique("music", {mood: data["music"][mood].split() for mood in MOODS})
    if both := sorted({*data["everyday"].split()} & {*data["lookalikes"].split()}):
        raise ValueError(f"{both[0]!r} is a lookalike, so no language can be known by it: take it out of everyday")
    for key in ("numbers", "ordinals"):
        if len(data["pictures"][key]) != PLACES:
            raise ValueError(f"pictures.{key} has {len(data['pictures'][key])} rows: one for each place up to {PLACES}")
    return data


def _compare(place: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    """Refuse keys that are missing or unknown."""
    if unknown := sorted(set(found) - set(wanted)):
        raise ValueError(f"{place} has the unknown key {unknown[0]!r}: it takes {', '.join(wanted)}")
    if missing := sorted(set(wanted) - set(found)):
        raise ValueError(f"{place} lacks the key {missing[0]!r}")


def _typed(place: str, value: object, kind: type) -> None:
    """Refuse a value of another type."""
    if not isinstance(value, kind):
        raise ValueError(f"{place} is {value!r}: it should be a {kind.__name__}")  # noqa: TRY004 - a file is wrong


def _unique(table: str, rows: Mapping[str, Sequence[str]]) -> None:
    """Refuse a word that would mean two things."""
    seen: dict[str, str] = {}
    for key, words in rows.items():
        for word in words:
            if seen.setdefault(word.lower(), key) != key:
                raise ValueError(f"{table}: {word!r} stands under {seen[word.lower()]!r} and under {key!r}")


# ── Patterns ──────────────────────────────────────────────────────────────────────────────────────


class _Patterns:
    """Turn a file's patterns into regular expressions.

    A space stands for what is between two words, ``{part}`` for a part, groups don't capture, and a pattern begins and
    ends where words do. In a language without spaces a space stands for nothing or a space, and longer patterns come
    first.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._spaces: bool = data["spaces"]
        self._spellings = [pair.partition("=")[::2] for pair in data["spellings"].split()]
        # Not \b: a pattern may begin or end with what is no part of a word.
        self._begin, self._end = (r"(?:\b(?=\w)|(?!\w))", r"(?:(?<=\w)\b|(?<!\w))") if self._spaces else ("", "")
        rows = data["pictures"]
        ordinals = [*rows["ordinals"], *rows["last"]]
        self._parts: dict[str, str] = {
            **data["parts"],
            "number": _either(rows["numbers"]),
            "ordinal": _either(ordinals),
        }

    def compile(self, place: str, patterns: Sequence[str]) -> re.Pattern[str]:
        """Compile alternatives; of none, what is never found."""
        try:
            return re.compile(self.source(patterns), re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"{place} = {list(patterns)} is no pattern: {error}") from error

    def source(self, patterns: Sequence[str]) -> str:
        """Return the regular expression of alternatives."""
        if not patterns:
            return r"(?!)"
        if not self._spaces:
            patterns = sorted(patterns, key=len, reverse=True)
        return f"{self._begin}(?:{'|'.join(map(self.expanded, patterns))}){self._end}"

    def places(self, rows: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
        """Compile what finds places: group 1 is the first ordinal, 8 the first number, 15 the last."""
        words = [*rows["ordinals"], *rows["numbers"], _either(rows["last"])]
        whole = "|".join(f"({self.expanded(word)})" for word in words)
        begin = r"(?<!\d)(?=\d)|(?<![^\W\d_])(?=[^\W\d_])" if self._spaces else ""  # "image2" and "image_2" as well
        return re.compile(rf"(?:{begin})(?:{whole}){self._end}", re.IGNORECASE)

    def music(self, words: Sequence[str], endings: str) -> re.Pattern[str]:
        """Compile what finds words with an ending or none: group 1 is the first word."""
        whole = "|".join(f"({self.expanded(word)})" for word in words)
        return re.compile(rf"{self._begin}(?:{whole})(?:{endings})?{self._end}", re.IGNORECASE)

    def expanded(self, pattern: str) -> str:
        """Return a pattern with its parts, spellings and spaces written out."""
        whole = pattern
        for _ in range(_DEPTH):
            whole = _PART.sub(self._part, whole)
        if left := _PART.search(whole):
            raise ValueError(f"{pattern!r}: {left[0]} is a part of itself")
        for letter, other in self._spellings:
            if letter in whole:
                if re.search(rf"(?<!\\)\[(?:[^\]\\]|\\.)*{letter}", whole):
                    raise ValueError(f"{pattern!r}: {letter!r} has two spellings, so it can't stand in brackets")
                whole = whole.replace(letter, _either([letter, other]))
        whole = whole.replace(" ", r"\W+" if self._spaces else r"\s*")
        return re.sub(r"(?<!\\)\((?![?)])", "(?:", whole)

    def _part(self, hit: re.Match[str]) -> str:
        if hit[1] not in self._parts:
            raise ValueError(f"{hit[0]} is none of [parts]: {', '.join(self._parts)}")
        return f"({self._parts[hit[1]]})"  # so that a "?" behind it is meant for all of it

    def words(self, text: str) -> frozenset[str]:
        """Return words in all their spellings."""
        found = {*text.lower().split()}
        for letter, other in self._spellings:
            found |= {word.replace(letter, other) for word in found}
        return frozenset(found)


def _either(patterns: Sequence[str]) -> str:
    return f"({'|'.join(patterns)})"


def _compile(data: Mapping[str, Any]) -> Language:
    """Compile a file that was checked."""
    patterns = _Patterns(data)
    rows = {
        table: tuple((key, patterns.compile(f"{table}.{key}", words)) for key, words in data[table].items())
        for table in ("moves", "sizes", "paces")
    }
    shots = {key: patterns.compile(f"shots.{key}", data["shots"][key]) for key in _KEYS["shots"]}
    pictures = data["pictures"]
    moods = sorted(
        ((mood, word) for mood in MOODS for word in data["music"][mood].split()), key=lambda item: -len(item[1])
    )
    return Language(
        name=data["name"],
        spaces=data["spaces"],
        everyday=patterns.compile("everyday", data["everyday"].split()),
        lookalikes=patterns.compile("lookalikes", data["lookalikes"].split()),
        named=tuple(patterns.compile("pictures.named", [pattern]) for pattern in pictures["named"]),
        places=patterns.places(pictures),
        music=patterns.music([word for _, word in moods], data["music"]["endings"]),
        moods=tuple(moods),
        examples=data["examples"],
        moves=rows["moves"],
        sizes=rows["sizes"],
        paces=rows["paces"],
        begin=shots["begin"],
        cut=shots["cut"],
        dissolve=shots["dissolve"],
        back=shots["back"],
        fill=patterns.words(data["words"]["fill"]),
        camera=patterns.words(data["words"]["camera"]),
        names=patterns.words(data["words"]["names"]),
    )


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def composed(text: str) -> str:
    """Return the text with its accents in their letters."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Return the text with plain letters, digits and stops in place of full-width ones, letter by letter.

    >>> folded("图２，再近！")
    '图2,再近!'
    """
    if text.isascii():
        return text
    plain = (unicodedata.normalize("NFKC", letter) for letter in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, plain, strict=True))


@lru_cache(maxsize=256)  # a clause is asked for moves, sizes, paces, pictures
def readings(text: str) -> tuple[tuple[Language, str], ...]:
    """Return the text as each language may read it, letter by letter in the same places.

    Languages with spaces don't see scripts without, which part words as a space does. Where a sentence is in one
    language, the others don't see its lookalikes.

    >>> dict((language.name, view) for language, view in readings("Die Katze ist fast da"))["English"]
    'Die Katze ist      da'
    """
    whole = folded(text)
    spaced = UNSPACED.sub(_blank, whole)
    views = {language: spaced if language.spaces else whole for language in languages()}
    if spaced == whole:
        views = {language: view for language, view in views.items() if language.spaces}
    for sentence in re.finditer(r"[^.!?;。…\n]+", whole):
        for language in list(views):
            if language.lookalikes.search(sentence[0]) and spoken(sentence[0]) is language:
                clear = language.lookalikes.sub(_blank, sentence[0])
                for other in views.keys() - {language}:
                    views[other] = _without(views[other], sentence.start(), clear)
    return tuple(views.items())


def spoken(text: str) -> Language | None:
    """Return the language of which a text has most everyday words, or None where two have as many."""
    counts = sorted(((len(language.everyday.findall(text)), language) for language in languages()), key=_count)
    (second, _), (first, language) = [(0, None), *counts][-2:]
    return language if first > second else None


def _count(item: tuple[int, Language]) -> int:
    return item[0]


def _blank(hit: re.Match[str]) -> str:
    return " " * len(hit[0])


def _without(view: str, start: int, clear: str) -> str:
    """Blank what is blank in `clear`, which begins at `start`."""
    part = "".join(" " if new == " " else old for old, new in zip(view[start:], clear, strict=False))
    return view[:start] + part + view[start + len(part) :]
