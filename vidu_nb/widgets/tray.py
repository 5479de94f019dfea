"""The reference tray: pictures dropped, pasted, browsed or named by URL, made into `Reference`, in the user's order.

The browser shows cards and asks; what is in the tray is decided here. Pictures travel one way, from the browser to
Python: what goes back, and into a saved notebook, is a thumbnail of a few kB.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import traitlets

from ..catalogue.field import MOST_MEDIA
from ..errors import InvalidRequest, one_line
from ..references.reference import MAX_REFERENCES, Reference, Source, as_references
from .front import Answer, FrontEnd

_THUMBNAIL_SIDE = 160  # px
_THUMBNAIL_BYTES = 5_000  # seven of them, in base64, must not swell a saved notebook
_QUALITIES = (75, 60, 45, 30, 15)  # JPEG; only noise needs more than the second

#: What the browser must know. A notebook's websocket refuses messages over 10 MiB by dropping the connection, and
#: Python then sees nothing at all: so a picture travels in one message of well below that.
_LIMITS = {
    "message_bytes": 3_000_000,
    "file_bytes": 100_000_000,  # more than this is no picture, and could take the browser's memory
    "side": 4096,  # px, of a picture that was shrunk
    "answer_seconds": 20,
}


_numbers = count(1)


@dataclass(frozen=True)
class _Picture:
    """One card: a picture that is sent, or one that can't be and says why."""

    id: str
    label: str
    reference: Reference | None = None
    note: str = ""
    problem: str = ""
    thumbnail: str = ""
    turn: tuple[str, int] = ("", 0)  # which page sent it, and that page's number for it

    @property
    def item(self) -> dict[str, str]:
        """What the browser gets to show."""
        size = host = ""
        if self.reference and self.reference.size:
            size = "{}x{}".format(*self.reference.size)
        elif self.reference:
            size, host = "URL", urlsplit(self.reference.url).hostname or ""
        return {
            "id": self.id,
            "label": self.label,
            "size": size,
            "host": host,
            "thumbnail": self.thumbnail,
            "note": self.note,
            "problem": self.problem,
        }


class _References(traitlets.Tuple):
    """A tuple that takes whatever `as_references` takes, and whose assignment lays out the tray anew.

    An observer would not do: it hears nothing of an equal value, which still has to remove the cards with problems.
    """

    def set(self, obj: Any, value: Source) -> None:
        obj._lay_out(as_references(value, most=obj.most, name=obj.parameter))  # noqa: SLF001

    def store(self, obj: Any, value: tuple[Reference, ...]) -> None:
        """Keep the value and tell observers, without touching the cards."""
        super().set(obj, value)


class Tray(traitlets.HasTraits):
    """Takes reference pictures: drop, paste, browse or give URLs; reorder; remove.

    It is shown as a part of a panel, or by itself as a `ReferenceTray`.

    Parameters
    ----------
    references
        The pictures to begin with: whatever `as_references` takes.
    most
        How many it takes.
    title
        What stands above it.
    about
        What the pictures are for, as the end of a sentence.
    parameter
        What the pictures are called in Python, for errors.

    Attributes
    ----------
    most : int
    parameter : str
    references : tuple of Reference
        The good pictures in their order. Observable; assigning replaces what is in the tray.
    problems : tuple of str
        A sentence for each picture that can't be sent. Observable; set before `references` is.

    Raises
    ------
    InvalidRequest
        More than `most`, or one of `references` is no reference picture.

    >>> from PIL import Image
    >>> tray = Tray(Image.new("RGB", (256, 128), "navy"))
    >>> tray.references
    (Reference('picture', 256x128, ...),)
    """

    items = traitlets.List(traitlets.Dict()).tag(sync=True)
    limits = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    references = _References()
    problems = traitlets.Tuple()

    def __init__(
        self,
        references: Source = (),
        *,
        most: int = MAX_REFERENCES,
        title: str = "Reference pictures",
        about: str = f"1 to {MAX_REFERENCES} pictures of what the clip shows",
        parameter: str = "references",
    ) -> None:
        self.most, self.parameter = most, parameter
        self._pictures: tuple[_Picture, ...] = ()
        self._lock = threading.RLock()  # some kernels handle messages in a thread beside the running cell
        self._actions = {"file": self._add_file, "url": self._add_url, "move": self._move, "remove": self._remove}
        limits = {**_LIMITS, "pictures": most, "open": most >= MOST_MEDIA}  # then nobody knows how many are taken
        super().__init__(limits=limits, words={"title": title, "about": about})
        self.references = references

    # What is in the tray.

    def _lay_out(self, references: Sequence[Reference]) -> None:
        with self._lock:
            kept = {(picture.reference, picture.label): picture for picture in self._pictures}
            pictures = []
            for one in references:
                known = kept.pop((one, one.label), None)  # the same card: the browser keeps the focus on it
                pictures.append(known or self._picture(one))
            self._show(pictures)

    def _show(self, pictures: Sequence[_Picture]) -> None:
        good = [picture for picture in pictures if picture.reference]
        # Those with problems stand behind the others: a card's number is then the picture's place in the request.
        bad = [picture for picture in pictures if not picture.reference][-self.most :]
        self._pictures = (*good, *bad)
        self.items = [picture.item for picture in self._pictures]
        self.problems = tuple(f"{picture.label}: {picture.problem}" for picture in bad)
        type(self).references.store(self, tuple(picture.reference for picture in good if picture.reference))

    def _picture(self, reference: Reference, note: str = "") -> _Picture:
        label = reference.label
        if reference.is_url:
            return _Picture(self._id(), label, reference, note="URL: fetched by the service")
        try:
            thumbnail = _thumbnail(reference)
        except InvalidRequest as error:  # made from a request's text, of which only the header was looked at
            return self._broken(label, error.message)
        return _Picture(self._id(), label, reference, note="; ".join(filter(None, (note, *reference.notes))),
                        thumbnail=thumbnail)  # fmt: skip

    def _broken(self, label: str, problem: str) -> _Picture:
        return _Picture(self._id(), label, problem=problem)

    def _id(self) -> str:
        return f"picture-{next(_numbers)}"  # one that no other tray has: a message may come after the model changed

    # What the browser asks for. Nothing in a message is trusted.

    def answer(self, do: str, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Answer:
        """Do what a page asks, and return what its answer says.

        Raises
        ------
        InvalidRequest
            It is not done.
        """
        action = self._actions.get(do)
        if action is None:
            raise InvalidRequest("that is not something the tray can do")
        return {"message": action(content, list(buffers))}

    def _add_file(self, content: Mapping[str, Any], buffers: list[memoryview]) -> str:
        label = _line(content.get("name")) or "picture"
        self._check_count(label)
        note, problem = _line(content.get("note")), _line(content.get("problem"))
        if problem:  # found by the browser, which could not read or shrink the file
            return self._add(self._broken(label, problem))
        if len(buffers) != 1:
            raise InvalidRequest(f"{label} came without its content: add it once more")
        try:
            reference = Reference(bytes(buffers[0]), name=label)
        except InvalidRequest as error:
            return self._add(self._broken(label, error.message))
        return self._add(replace(self._picture(reference, note), turn=_turn(content.get("turn"))))

    def _add_url(self, content: Mapping[str, Any], _buffers: list[memoryview]) -> str:
        url = content.get("url")
        url = url.strip() if isinstance(url, str) else ""
        # Other text would be taken for a path: what a browser sends must never read a file of this machine.
        if not url.lower().startswith(("https://", "http://")):
            raise InvalidRequest("a picture's URL begins with https://")
        reference = Reference(url)
        self._check_count(reference.label)
        return self._add(self._picture(reference))

    def _add(self, picture: _Picture) -> str:
        with self._lock:
            self._check_count(picture.label)
            # Messages may be handled in two threads: the page says which file came first.
            later = [one.turn[0] == picture.turn[0] and one.turn[1] > picture.turn[1] for one in self._pictures]
            place = later.index(True) if True in later else len(later)
            self._show([*self._pictures[:place], picture, *self._pictures[place:]])
            if picture.problem:
                return f"{picture.label} is not used: {picture.problem}"
            return f"{picture.label} added as picture {len(self.references)}"

    def _move(self, content: Mapping[str, Any], _buffers: list[memoryview]) -> str:
        by = content.get("by")
        if type(by) is not int:
            raise InvalidRequest("a picture is moved by a number of places")
        with self._lock:
            picture, good = self._find(content), [one for one in self._pictures if one.reference]
            if picture not in good:
                raise InvalidRequest(f"{picture.label} is not sent: it has no place among the pictures")
            last = len(good) - 1
            place = min(max(good.index(picture) + by, 0), last)
            good.remove(picture)
            good.insert(place, picture)
            self._show([*good, *(one for one in self._pictures if not one.reference)])
        return f"{picture.label} moved to place {place + 1} of {last + 1}"

    def _remove(self, content: Mapping[str, Any], _buffers: list[memoryview]) -> str:
        with self._lock:
            picture = self._find(content)
            self._show([one for one in self._pictures if one is not picture])
            limit = "" if self.most >= MOST_MEDIA else f" of {_pictures(self.most)}"
            return f"{picture.label} removed, {len(self.references)}{limit} left"

    def _find(self, content: Mapping[str, Any]) -> _Picture:
        found = next((one for one in self._pictures if one.id == content.get("id")), None)
        if found is None:
            raise InvalidRequest("that picture is no longer in the tray")
        return found

    def _check_count(self, label: str) -> None:
        if len(self.references) >= self.most:
            raise InvalidRequest(f"at most {_pictures(self.most)}: remove one to add {label}")


class ReferenceTray(Tray, FrontEnd):
    """A tray by itself. Parameters and attributes are those of `Tray`."""

    files = ("dom", "tray", "tray_alone")

    def _answer(self, do: str, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Answer:
        return self.answer(do, content, buffers)


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def _line(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _turn(value: object) -> tuple[str, int]:
    match value:
        case [str(page), int(number)]:
            return page, number
    return "", 0


def _thumbnail(reference: Reference) -> str:
    """Return a JPEG data: URI of at most `_THUMBNAIL_BYTES` before base64."""
    image = reference.open()
    image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), reducing_gap=2.0)
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= _THUMBNAIL_BYTES:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
