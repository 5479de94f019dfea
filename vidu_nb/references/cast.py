"""`Cast`: names with pictures, and the prompts that mention them with an @."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, one_line
from ..files import expanded
from ..thumbnails import MAX_SHEET, Card, grey, opened, sheet_jpeg, small_jpeg, thumbnail_uri
from .cast_folder import FILE, read_folder, save_folder
from .mentions import MAX_NAME, MAX_NAMES, fold, is_name, rewrite
from .reference import Reference, Source, as_references, of_cast

MAX_PICTURES = 20  # of one name; each model has its own limit for a request
_SMALL = 240  # px, the longer side of the small copies that cards and storyboards are made of
_FACE, _MORE = (132, 110), (30, 30)  # px, a card's first picture, and those below it
_SHOWN, _BESIDE = 24, 4  # members that are shown with pictures, and further pictures of each
_BYTES = 80_000  # in base64, for all pictures of all cards
_CARD = "width:132px;text-align:left"
_BOX = "display:block;border-radius:6px;background:var(--jp-layout-color2,#eee)"
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
        self._small: dict[str, bytes] = {}  # small copies, once they were asked for
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

        >>> Cast(anna="https://example.com/anna.png", ben="https://example.com/ben.png").without("ben")
        Cast(anna)
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

    def small(self, name: str) -> list[bytes]:
        """Return a small copy as JPEG of each of somebody's pictures that are not behind URLs; made once."""
        return [self._small_copy(one) for one in self[name] if not one.is_url]

    def _small_copy(self, picture: Reference) -> bytes:
        if picture.sha256 not in self._small:
            try:
                image = picture.open()
            except InvalidRequest:  # a header was all that was looked at so far, and what follows is damaged
                image = grey(_SMALL)
            self._small[picture.sha256] = small_jpeg(image, side=_SMALL)
        return self._small[picture.sha256]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        still = {"image/jpeg": self._still()} if self._members else {}
        return {"text/plain": repr(self), "text/html": self._html(), **still}

    def _html(self) -> str:
        first, others = dict(islice(self._members.items(), _SHOWN)), [*self._members][_SHOWN:]
        weight = sum(4 + min(len(many) - 1, _BESIDE) for many in first.values())  # a first picture counts four times
        most = _BYTES // max(weight, 1)
        cards = "".join(self._card(name, most) for name in first)
        more = f'<div style="{_MUTED}">and {_named(others)}</div>' if others else ""
        return (
            f'<div class="vidu-cast tex2jax_ignore" style="line-height:1.4;margin:4px 0">'
            f'<div style="display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start">'
            f"{cards or 'An empty cast.'}</div>{more}</div>"
        )

    def _card(self, name: str, most: int) -> str:
        """Return somebody's card; `most` is what one of the lesser pictures may have, in bytes of base64."""
        pictures = self._members[name]
        first, *more = pictures[: _BESIDE + 1]
        face = _picture_html(self, first, most * 4, _FACE)
        others = [_picture_html(self, one, most, _MORE) for one in more]
        hidden = len(pictures) - 1 - len(others)
        rest = f'<span style="{_MUTED}">+{hidden}</span>' if hidden else ""
        row = f'<div style="display:flex;gap:3px;align-items:center;margin-top:3px">{"".join(others)}{rest}</div>'
        return (
            f'<div style="{_CARD}">{face}{row if others else ""}'
            f'<div style="font-weight:600;margin-top:4px;overflow-wrap:anywhere">@{escape(name)}</div>'
            f'<div style="{_MUTED};overflow-wrap:anywhere">{escape(_count(pictures))}</div></div>'
        )

    def _still(self) -> str:
        cards = []
        for name, pictures in islice(self._members.items(), MAX_SHEET):
            copies = self.small(name)
            cards.append(Card(opened(copies[0]) if copies else None, (f"@{name}", _count(pictures))))
        others = len(self._members) - len(cards)
        return sheet_jpeg("", cards, shape=_FACE, more=f"and {others} more" if others else "")

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
    return tuple(of_cast(one, name, f"{name} {i}" if many else name) for i, one in enumerate(found, 1))


def _picture_html(cast: Cast, picture: Reference, most: int, shape: tuple[int, int]) -> str:
    """Return one picture of a card; nothing is fetched for one behind a URL."""
    width, height = shape
    size, label = f"width:{width}px;height:{height}px", escape(one_line(picture.label, 80))
    if picture.is_url:
        words = "URL" if shape == _MORE else f"By URL: {label}"
        look = f"{_MUTED};{_BOX};{size};box-sizing:border-box;padding:{2 if shape == _MORE else 8}px;overflow:hidden"
        return f'<div style="{look};overflow-wrap:anywhere" title="{label}">{words}</div>'
    box = (round(width * 1.5), round(height * 1.5))
    uri = thumbnail_uri(cast._small_copy(picture), box, most, fills=True)  # noqa: SLF001 - one of our own kind
    return f'<img src="{uri}" alt="{label}" width="{width}" height="{height}" style="{_BOX};{size};margin:0">'


def _count(pictures: Sequence[Reference]) -> str:
    """Say how many pictures there are, and how many of them are behind URLs."""
    linked = sum(one.is_url for one in pictures)
    many = f"{len(pictures)} picture{'s' if len(pictures) > 1 else ''}"
    if linked == len(pictures):
        return f"{many} by URL"
    return f"{many}, {linked} of them by URL" if linked else many


def _named(names: Sequence[str]) -> str:
    """Return names in a line, as HTML; of very many the first."""
    shown = ", ".join(f"@{escape(name)}" for name in names[:200])
    return f"{shown} and {len(names) - 200:,} more" if len(names) > 200 else shown


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
