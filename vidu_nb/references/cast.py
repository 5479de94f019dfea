"""`Cast`: names with pictures, and the prompts that mention them with an @."""

from __future__ import annotations

import difflib
import os
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, one_line
from ..files import expanded
from .cast_folder import FILE, read_folder, save_folder
from .mentions import MAX_NAME, MAX_NAMES, fold, is_name, rewrite
from .reference import Reference, Source, as_references

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PICTURES = 20  # of one name; each model has its own limit for a request
_SHOWN = 24  # members in a repr
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
    >>> Cast.load(cast.save("people")) == cast, cast.label
    (True, 'anna, cafe')
    >>> from vidu_nb import VideoRequest
    >>> request = VideoRequest(prompt="In the @cafe sits @anna.", references=cast)
    >>> request.prompt, [one.name for one in request.references]
    ('In the cafe (image 1) sits anna (image 2).', ['cafe', 'anna'])
    """

    #: Why a cast is refused where a single picture is wanted.
    no_picture = "a Cast holds pictures of several: pass it as references, or one picture of it, as in cast['anna'][0]"

    def __init__(self, members: Mapping[str, Source] | None = None, /, **named: Source) -> None:
        if not isinstance(members, Mapping | None):
            message = f"cast: {one_line(repr(members), 60)} holds no names: pass anna='anna.jpg', or Cast.load(folder)"
            raise InvalidRequest(message, field="cast")
        given = {**(members or {}), **named}
        if len(given) > MAX_NAMES:
            raise InvalidRequest(f"cast: {len(given):,} names: at most {MAX_NAMES} are taken", field="cast")
        self._members: dict[str, tuple[Reference, ...]] = {}
        self._names: dict[str, str] = {}
        for one, source in given.items():
            name = _checked_name(one)
            if (other := self._names.setdefault(fold(name), name)) != name or name in self._members:
                raise InvalidRequest(f"cast: {other!r} and {one!r} are the same name: choose another", field="cast")
            self._members[name] = _pictures(name, source)

    def replace(self, **named: Source) -> Cast:
        """Return a cast with other pictures for some names, or with more names.

        >>> Cast(anna="https://example.com/anna.png").replace(ben="https://example.com/ben.png")
        Cast(anna, ben)
        """
        changed = {self._names.get(fold(name), name): source for name, source in named.items()}
        return Cast({**self._members, **changed})

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

        >>> Cast(anna="https://example.com/a.png").write("@anna waves", str.upper)
        'ANNA waves'
        """
        return rewrite(prompt, self._names, phrase, self._unknown)

    def _find(self, name: object) -> str:
        found = self._names.get(fold(str(name)))
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
        near = difflib.get_close_matches(fold(name[:MAX_NAME]), self._names, n=1)
        meant = f" (did you mean @{self._names[near[0]]}?)" if near else ""
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
            Made where it is missing. A cast that is there is replaced; another file of a picture's name is not.

        Returns
        -------
        pathlib.Path
            The folder, absolute.

        Raises
        ------
        InvalidRequest
            The folder is inside an archive, or holds something else under a picture's name; nothing was written.
        OSError
            It can't be written.
        """
        place = expanded(folder).absolute()
        save_folder(place, self._members)
        return place

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Cast:
        """Read a cast from a folder that `save` wrote, that has the same shape, or that holds nothing but pictures.

        Only files that lie in the folder itself are read, whatever ``cast.toml`` says. Without that file the pictures'
        names are the names: ``anna1.jpg`` and ``anna2.jpg`` are two of anna, ``red car.png`` is ``@red-car``.

        Raises
        ------
        InvalidRequest
            There is no such folder, ``cast.toml`` is wrong, or names a picture that is not there; the message says
            which.
        """
        place = expanded(folder)
        return cls(read_folder(place.parent if place.name == FILE else place))

    # Shown.

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        cards = "".join(map(_card, self._members, self._members.values()))
        return f'<div class="vidu-cast" style="line-height:1.4">{cards or "An empty cast."}</div>'

    @property
    def label(self) -> str:
        """Its names in one line, for people."""
        return one_line(", ".join(self._members), 200)

    def __repr__(self) -> str:
        many = [f"{name}: {len(one)} pictures" if len(one) > 1 else name for name, one in self._members.items()]
        more = [f"and {len(many) - _SHOWN} more"] if len(many) > _SHOWN else []
        return f"Cast({', '.join([*many[:_SHOWN], *more])})"


def holds_cast(source: object) -> bool:
    """Return whether a source of references is a cast, or a list with one in it."""
    return isinstance(source, Cast) or (isinstance(source, list | tuple) and any(isinstance(x, Cast) for x in source))


def _checked_name(given: object) -> str:
    name = unicodedata.normalize("NFC", given) if isinstance(given, str) else ""
    if is_name(name):
        return name
    problem = (
        f"cast: {one_line(repr(given), 60)} can't be written after an @: use letters, digits, _ and single hyphens"
    )
    raise InvalidRequest(f"{problem}, at most {MAX_NAME} characters", field="cast")


def _pictures(name: str, source: Source) -> tuple[Reference, ...]:
    try:
        found = as_references(source, most=MAX_PICTURES, name=f"cast: {name}")
    except InvalidRequest as error:
        raise InvalidRequest(error.message, field="cast") from None
    if not found:
        raise InvalidRequest(f"cast: {name}: pass one picture at least", field="cast")
    many = len(found) > 1
    return tuple(Reference(one, name=f"{name} {i}" if many else name) for i, one in enumerate(found, 1))


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


def spread_cast(
    parameters: dict[str, Any],
    *,
    prompt: str,
    references: str,
    name_pictures: Callable[[str, Sequence[int]], str],
    least: int,
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
    least, most
        How many pictures the model needs, and takes.

    Raises
    ------
    InvalidRequest
        A name is unknown or in two casts, or those that are mentioned have more pictures than the model takes, or
        nobody is mentioned where it needs one.
    """
    given = parameters[references]
    sources: list[Any] = [given] if isinstance(given, Cast) else list(given)
    cast = _merged([one for one in sources if isinstance(one, Cast)], references)
    at = next(i for i, one in enumerate(sources) if isinstance(one, Cast))
    first = sources[:at]
    others = [one for one in sources[at:] if not isinstance(one, Cast)]
    text = parameters.get(prompt)
    if not isinstance(text, str):
        return {**parameters, references: first + others}
    mentioned = cast.mentioned(text)
    _check_count(cast, mentioned, len(first) + len(others), references, least=least, most=most)
    pictures = first
    numbers: dict[str, list[int]] = {}
    for name in mentioned:
        numbers[name] = [len(pictures) + i for i, _ in enumerate(cast[name], 1)]
        pictures = [*pictures, *cast[name]]
    written = cast.write(text, lambda name: name_pictures(name, numbers[name]))
    return {**parameters, prompt: written, references: pictures + others}


def _merged(casts: Sequence[Cast], field: str) -> Cast:
    """Return several casts as one."""
    members: dict[str, tuple[Reference, ...]] = {}
    for cast in casts:
        for name, pictures in cast.items():
            if members.setdefault(name, pictures) != pictures:
                raise InvalidRequest(f"{field}: two casts have {name}, with other pictures: rename one", field=field)
    return casts[0] if len(casts) == 1 else Cast(members)


def _check_count(cast: Cast, mentioned: Sequence[str], others: int, field: str, *, least: int, most: int) -> None:
    counts = [f"{name} {len(cast[name])}" for name in mentioned] + ([f"others {others}"] if others else [])
    total = others + sum(len(cast[name]) for name in mentioned)
    if total > most:
        asked = f"this prompt asks for {total}: {', '.join(counts)}"
        raise InvalidRequest(f"{field}: at most {most} pictures are taken, and {asked}", field=field)
    if total < least and cast and not mentioned:
        names = one_line(", ".join(f"@{name}" for name in cast), 200)
        message = f"{field}: the prompt mentions nobody of the cast, and a picture is needed: write {names}"
        raise InvalidRequest(message, field=field)
