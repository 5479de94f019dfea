"""Mentions: names after an @ in a prompt, in any script. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

MAX_NAMES = 100  # in a cast
MAX_NAME = 40  # characters
_LONGEST = 3 * MAX_NAME  # characters of a mention that may be a name: folding makes some letters several
_MENTION = re.compile(r"@@|@([^\s@]+)")
#: Scripts that put no space after a name: Thai, Lao, Khmer, Japanese, Chinese, and Korean, whose particles follow it.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)


def fold(name: str) -> str:
    """Return what two names have in common that are the same but for case and the way that accents are written.

    >>> fold("ANNÁ") == fold("anna\u0301")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def is_name(text: str) -> bool:
    """Return whether a text can be written after an @: words of letters, digits and _, with a hyphen between two.

    >>> is_name("anna"), is_name("red-car"), is_name("अन्ना"), is_name("a b"), is_name("-a")
    (True, True, True, False, False)
    """
    return 0 < len(text) <= MAX_NAME and len(_leading_name(text)) == len(text)


def rewrite(
    prompt: str, names: Mapping[str, str], phrase: Callable[[str], str], unknown: Callable[[str], Exception]
) -> str:
    """Return a prompt with a phrase in the place of each mention, and a plain @ for ``@@``.

    An @ in the middle of a word, as in an address of e-mail, is none, nor is one without a name behind it.

    Parameters
    ----------
    prompt
        In any normal form; the result is composed (NFC) where there is an @ in it.
    names
        Of each name that there is: what `fold` makes of it → the name.
    phrase
        What to write for a name.
    unknown
        Makes the error for a mention of somebody else.
    """
    if "@" not in prompt:
        return prompt
    text = unicodedata.normalize("NFC", prompt)

    def written(found: re.Match[str]) -> str:
        if found[0] == "@@":
            return "@"
        word = _leading_name(found[1])
        if not word or _is_within_word(text[max(0, found.start() - 1) : found.start()]):
            return found[0]
        end = _end_of_name(word, names)
        if not end:
            raise unknown(word)
        return phrase(names[fold(word[:end])]) + found[1][end:]

    return _MENTION.sub(written, text)


def _end_of_name(word: str, names: Mapping[str, str]) -> int:
    """Return where the longest name ends that a word begins with; 0 for none."""
    for end in range(min(len(word), _LONGEST), 0, -1):
        if fold(word[:end]) in names and _ends(word[end - 1], word[end : end + 1]):
            return end
    return 0


def _ends(last: str, following: str) -> bool:
    """Return whether a name may end between two characters of a word."""
    if following in ("", "-"):
        return True
    return not _is_mark(following) and bool(_UNSPACED.match(last) or _UNSPACED.match(following))


def _leading_name(text: str) -> str:
    """Return the longest text that could be a name of any length, from the beginning on."""
    if not text or _is_mark(text[0]):
        return ""
    end = 0
    while end < len(text):
        is_hyphen = text[end] == "-" and end > 0 and text[end - 1] != "-" and _is_letter(text[end + 1 : end + 2])
        if not (is_hyphen or _is_letter(text[end])):
            break
        end += 1
    return text[:end]


def _is_within_word(before: str) -> bool:
    return _is_letter(before) and not _UNSPACED.match(before)


def _is_letter(character: str) -> bool:
    """Return whether a character is a part of a word, vowel signs included, which a pattern's word characters lack."""
    return character == "_" or (character != "" and unicodedata.category(character)[0] in "LMN")


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def number_phrase(mention: str, name: str, numbers: Sequence[int]) -> str:
    """Return what a prompt calls somebody by the numbers of their pictures.

    Parameters
    ----------
    mention
        How the model's file names one picture, with ``{name}`` and ``{number}`` in it.
    name
        Whose pictures they are.
    numbers
        Of the pictures, counted from 1.

    >>> number_phrase("{name} (image {number})", "anna", [1, 2])
    'anna (image 1, image 2)'
    >>> number_phrase("Image{number}", "anna", [3])
    'Image3'
    """
    counted = re.compile(r"(?:[^\W\d_]+[ _-]?)?\{number\}")

    def each(found: re.Match[str]) -> str:
        return ", ".join(found[0].replace("{number}", str(number)) for number in numbers)

    return counted.sub(each, mention).replace("{name}", name)
