"""`Cast`: names with pictures, and the prompts that mention them with an @."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, one_line
from ..files import expanded, is_regular, read_regular, reason, write_bytes
from .reference import Reference, Source, as_references, of_cast

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PICTURES = 20  # of one name; each model has its own limit for a request
FILE = "cast.toml"
MAX_FILE_BYTES = 100_000
_MAX_NAME = 40  # characters
_NAME = re.compile(r"\w+(?:-\w+)*")
#: A mention, or a plain @; one in the middle of a word, as in an address of e-mail, is neither.
_MENTION = re.compile(r"@@|(?<![A-Za-z0-9_])@(\w+(?:-\w+)*)")
#: Scripts that put no spaces between words: Thai, Lao, Khmer, Japanese and Chinese.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_THUMB = 120  # px, the longer side of a card's picture
_CARD = "display:inline-block;vertical-align:top;margin:0 12px 12px 0;text-align:left"
_MUTED = "color:var(--jp-ui-font-color2,#616161);font-size:12px"


class Cast(Mapping[str, tuple[Reference, ...]]):
    """Names, each with one or more reference pictures; a prompt mentions them as ``@name``.

    Wherever ``references`` are taken, a cast is as well: the request then takes the pictures of those that its prompt
    mentions, in the order of their first mention, and the prompt is sent in the model's own words for them.

    Parameters
    ----------
    members
        A mapping of names to pictures, for names that are no Python identifiers.
    **named
        The same as keywords. Each value is a source as for `Reference`, or a list of them.

    Raises
    ------
    InvalidRequest
        A name can't be written in a prompt, or is there twice but for its case; or a picture is wrong.

    >>> from PIL import Image
    >>> cast = Cast(anna=Image.new("RGB", (256, 256), "navy"), cafe=Image.new("RGB", (256, 256), "tan"))
    >>> cast
    Cast(anna, cafe)
    >>> cast["anna"]
    (Reference('anna', 256x256, ...),)
    >>> from vidu_nb import VideoRequest
    >>> request = VideoRequest(prompt="In the @cafe sits @anna.", references=cast)
    >>> request.prompt, [one.name for one in request.references]
    ('In the cafe (image 1) sits anna (image 2).', ['cafe', 'anna'])
    """

    def __init__(self, members: Mapping[str, Source] | None = None, /, **named: Source) -> None:
        self._members: dict[str, tuple[Reference, ...]] = {}
        taken: dict[str, str] = {}
        for given, source in {**(members or {}), **named}.items():
            name = _checked_name(given)
            if (other := taken.setdefault(name.casefold(), name)) != name or name in self._members:
                raise InvalidRequest(f"cast: {other!r} and {given!r} are the same name: choose another", field="cast")
            self._members[name] = _pictures(name, source)

    def replace(self, **named: Source) -> Cast:
        """Return a cast with other pictures for some names, or with more names.

        >>> Cast(anna="https://example.com/anna.png").replace(ben="https://example.com/ben.png")
        Cast(anna, ben)
        """
        return Cast({**self._members, **named})

    def without(self, *names: str) -> Cast:
        """Return a cast without some names.

        Raises
        ------
        InvalidRequest
            Nobody has such a name.
        """
        gone = [self._find(name) for name in names]
        return Cast({name: pictures for name, pictures in self._members.items() if name not in gone})

    def mentioned(self, prompt: str) -> tuple[str, ...]:
        """Return the names that a prompt mentions, in the order of their first mention.

        Raises
        ------
        InvalidRequest
            It mentions a name that nobody has.

        >>> Cast(anna="https://example.com/a.png").mentioned("@Anna, @anna and me@example.com, at @@home")
        ('anna',)
        """
        found: dict[str, str] = {}
        self.write(prompt, lambda name: found.setdefault(name, ""))
        return tuple(found)

    def write(self, prompt: str, phrase: Callable[[str], str]) -> str:
        """Return a prompt with a phrase in the place of each mention, and a plain @ for ``@@``.

        Raises
        ------
        InvalidRequest
            It mentions a name that nobody has.
        """

        def written(found: re.Match[str]) -> str:
            if found[0] == "@@":
                return "@"
            name, rest = self._split(found[1])
            return phrase(name) + rest

        return _MENTION.sub(written, unicodedata.normalize("NFC", prompt) if "@" in prompt else prompt)

    def _split(self, text: str) -> tuple[str, str]:
        """Return the name that a mention begins with, and what follows it: the longest that ends where a word may."""
        for name in sorted(self._members, key=len, reverse=True):
            start, rest = text[: len(name)], text[len(name) :]
            if start.casefold() == name.casefold() and (not rest or rest[0] == "-" or _is_end(start[-1], rest[0])):
                return name, rest
        raise self._unknown(text)

    def _find(self, name: str) -> str:
        wanted = unicodedata.normalize("NFC", str(name)).casefold()
        found = next((one for one in self._members if one.casefold() == wanted), None)
        if found is None:
            raise self._unknown(str(name))
        return found

    def _unknown(self, name: str) -> InvalidRequest:
        shown = one_line(name, 60)
        if not self._members:
            return InvalidRequest(
                f"prompt: @{shown}: there is no cast: pass one with that name, or write @@ for a plain @",
                field="prompt",
            )
        near = difflib.get_close_matches(name.casefold(), self._members, n=1)
        meant = f" (did you mean @{near[0]}?)" if near else ""
        names = one_line(", ".join(self._members), 200)
        return InvalidRequest(
            f"prompt: @{shown}: nobody in the cast has that name{meant}; it has {names}. Write @@ for a plain @",
            field="prompt",
        )

    def __getitem__(self, name: str) -> tuple[Reference, ...]:
        try:
            return self._members[self._find(name)]
        except InvalidRequest as error:
            raise KeyError(error.message.removeprefix("prompt: @")) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cast) and list(self._members.items()) == list(other._members.items())

    def __hash__(self) -> int:
        return hash(tuple(self._members.items()))

    # A folder of its own.

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the pictures into a folder, and beside them ``cast.toml``, which tells whose they are.

        Parameters
        ----------
        folder
            Made where it is missing. Files of the same names are replaced.

        Returns
        -------
        pathlib.Path
            The folder, absolute.

        Raises
        ------
        OSError
            It can't be written.
        """
        place = expanded(folder).absolute()
        place.mkdir(parents=True, exist_ok=True)
        lines = ["# A cast: each name with its pictures. They lie beside this file, or are https:// addresses."]
        for name, pictures in self._members.items():
            written = [self._write_picture(place, name, number, one) for number, one in enumerate(pictures, 1)]
            lines.append(f"{_quoted(name)} = [{', '.join(map(_quoted, written))}]")
        write_bytes(place / FILE, ("\n".join(lines) + "\n").encode())
        return place

    def _write_picture(self, folder: Path, name: str, number: int, picture: Reference) -> str:
        if picture.is_url:
            return picture.url
        ending = "png" if picture.url.startswith("data:image/png") else "jpg"
        file = f"{name}{f'-{number}' if len(self._members[name]) > 1 else ''}.{ending}"
        write_bytes(folder / file, picture.bytes)
        return file

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Cast:
        """Read a cast from a folder that `save` wrote, or that has the same shape.

        Only files that lie in the folder itself are read, whatever ``cast.toml`` says.

        Raises
        ------
        InvalidRequest
            ``cast.toml`` is missing or wrong, or names a picture that is not there; the message says which.
        """
        place = expanded(folder)
        return cls({name: [_picture_in(place, name, one) for one in many] for name, many in _listed(place).items()})

    # Shown.

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        cards = "".join(map(_card, self._members, self._members.values()))
        return f'<div class="vidu-cast" style="line-height:1.4">{cards or "An empty cast."}</div>'

    def __repr__(self) -> str:
        many = (f"{name}: {len(one)} pictures" if len(one) > 1 else name for name, one in self._members.items())
        return f"Cast({', '.join(many)})"


def holds_cast(source: object) -> bool:
    """Return whether a source of references is a cast, or a list with one in it."""
    return isinstance(source, Cast) or (isinstance(source, list | tuple) and any(isinstance(x, Cast) for x in source))


def _checked_name(given: object) -> str:
    name = unicodedata.normalize("NFC", given) if isinstance(given, str) else ""
    if _NAME.fullmatch(name) and len(name) <= _MAX_NAME:
        return name
    problem = (
        f"cast: {one_line(repr(given), 60)} can't be written after an @: use letters, digits, _ and single hyphens"
    )
    raise InvalidRequest(f"{problem}, at most {_MAX_NAME} characters", field="cast")


def _pictures(name: str, source: Source) -> tuple[Reference, ...]:
    try:
        found = as_references(source, most=MAX_PICTURES, name=f"cast: {name}")
    except InvalidRequest as error:
        raise InvalidRequest(error.message, field="cast") from None
    if not found:
        raise InvalidRequest(f"cast: {name}: pass one picture at least", field="cast")
    many = len(found) > 1
    return tuple(of_cast(one, name, f"{name} {i}" if many else name) for i, one in enumerate(found, 1))


def _is_end(last: str, following: str) -> bool:
    """Return whether a word may end between two characters of one row of letters."""
    return bool(_UNSPACED.match(last) or _UNSPACED.match(following))


def _quoted(text: str) -> str:
    """Return a text as a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


def _listed(folder: Path) -> dict[str, list[str]]:
    """Return what a folder's ``cast.toml`` says, as far as its form is right."""
    problem, found = "", {}
    try:
        if (folder / FILE).stat().st_size > MAX_FILE_BYTES:
            problem = f"is larger than {MAX_FILE_BYTES // 1000} kB"
        else:
            found = tomllib.loads(read_regular(folder / FILE).decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = f"can't be read ({one_line(str(error), 120)})"
    except OSError as error:
        problem = reason(error)
    listed = {name: [many] if isinstance(many, str) else many for name, many in found.items()}
    for name, many in () if problem else listed.items():
        if not (isinstance(many, list) and all(isinstance(one, str) for one in many)):
            problem = f"{one_line(name, 60)} must be the name of a picture, or a list of them"
    if problem:
        raise InvalidRequest(f"{one_line(str(folder / FILE), 200)}: {problem}", field="cast")
    return listed


def _picture_in(folder: Path, name: str, text: str) -> str | Path:
    if text.startswith("https://"):
        return text
    if text != Path(text).name or "\\" in text or text in ("", ".", "..") or not is_regular(folder / text):
        problem = f"cast: {name}: {one_line(text, 80)!r} is no picture in the folder, and no https:// address"
        raise InvalidRequest(problem, field="cast")
    return folder / text


def _card(name: str, pictures: tuple[Reference, ...]) -> str:
    shown = "".join(map(_thumb, pictures))
    return (
        f'<div style="{_CARD}"><div>{shown}</div><div style="font-weight:600">@{escape(name)}</div>'
        f'<div style="{_MUTED}">{len(pictures)} picture{"s" if len(pictures) > 1 else ""}</div></div>'
    )


def _thumb(picture: Reference) -> str:
    if picture.is_url:
        return f'<span style="{_MUTED}">{escape(one_line(picture.label, 40))}</span>'
    data = b64encode(thumbnail(picture.open())).decode()
    return (
        f'<img src="data:image/jpeg;base64,{data}" alt="{escape(picture.label)}" height="{_THUMB}" '
        'style="border-radius:6px;margin:0 4px 4px 0">'
    )


def thumbnail(image: Image, *, side: int = _THUMB) -> bytes:
    """Return a picture's small copy as JPEG, some 4 kB."""
    from io import BytesIO

    small = image.convert("RGB")
    small.thumbnail((4 * side, side))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=78, optimize=True)
    return buffer.getvalue()


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


def spread_cast(
    parameters: dict[str, Any],
    *,
    prompt: str,
    references: str,
    name_pictures: Callable[[str, Sequence[int]], str],
    most: int,
) -> dict[str, Any]:
    """Return a request's parameters with the cast's pictures and names in the place of the cast.

    Parameters
    ----------
    parameters
        As they were given; one of them holds a `Cast`.
    prompt, references
        The names of those two.
    name_pictures
        `Model.name_pictures`.
    most
        How many pictures the model takes.

    Raises
    ------
    InvalidRequest
        A name is unknown, or those that are mentioned have more pictures than the model takes.
    """
    given = parameters[references]
    sources = [given] if isinstance(given, Cast) else list(given)
    cast = Cast({name: pictures for one in sources if isinstance(one, Cast) for name, pictures in one.items()})
    text = parameters.get(prompt)
    if not isinstance(text, str):
        return {**parameters, references: [one for one in sources if not isinstance(one, Cast)]}
    mentioned = cast.mentioned(text)
    counts = [f"{name} {len(cast[name])}" for name in mentioned]
    others = sum(not isinstance(one, Cast) for one in sources)
    total = others + sum(len(cast[name]) for name in mentioned)
    if total > most:
        counts += [f"others {others}"] if others else []
        raise InvalidRequest(
            f"{references}: at most {most} pictures are taken, and this prompt asks for {total}: {', '.join(counts)}",
            field=references,
        )
    pictures: list[Any] = []
    numbers: dict[str, list[int]] = {}
    for one in sources:
        if not isinstance(one, Cast):
            pictures.append(one)
            continue
        for name in (name for name in mentioned if name in one):
            numbers[name] = [len(pictures) + i for i, _ in enumerate(cast[name], 1)]
            pictures += cast[name]
    written = cast.write(text, lambda name: name_pictures(name, numbers[name]))
    return {**parameters, prompt: written, references: pictures}
