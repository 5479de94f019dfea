"""`Picture`: a picture on disk that a model made, with the request it answers and its receipt; `Pictures`: several."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from . import image_file
from .catalogue.request import Request
from .chain import Chain, chain_of
from .errors import InvalidRequest, ViduError
from .files import reason, remove_parts, shown_path, write_bytes
from .folders import copy_target
from .player import MAX_SHOWN, Player
from .receipt import Receipt
from .recipe import caption_of, is_preview, recipe_of, seed_of, with_recipe

if TYPE_CHECKING:
    from PIL.Image import Image

#: How the names of copies end, and the format of each.
PICTURE_COPIES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}
_Data = bytes  # inside of the class that is the name of a property
_Read = TypeVar("_Read")
_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """A picture on disk with the request it answers and its receipt; shows itself as a notebook cell's last value.

    It is a reference wherever one is taken, and what is made of it remembers how it was made: see `chain`.

    Attributes
    ----------
    path : pathlib.Path
        A PNG, JPEG, GIF or WebP.
    request : Request or None
        What was asked; None where the file has no recipe, or was made of pictures that are not at hand.
    receipt : Receipt or None
        What the service reported of the call, which may have brought several pictures; None where it isn't known.

    Raises
    ------
    ViduError
        From whatever reads the file: it has gone, or is no picture any more.

    >>> from PIL import Image
    >>> from vidu_nb import load
    >>> Image.new("RGB", (256, 256), "navy").save("wall.png")
    >>> picture = load("wall.png")
    >>> picture, picture.size, picture.is_preview, picture.open().getpixel((0, 0))
    (Picture(wall.png, 'wall.png'), (256, 256), False, (0, 0, 128))

    One that a model returned knows how it was made.

    >>> import vidu_nb as vidu
    >>> fox = vidu.preview("A fox", model="sdxl1.0-txt2img", img_width=512, img_height=512, seed=7)
    >>> fox.caption, fox.seed, fox.is_animated, len(fox.bytes) > 1000
    ('SDXL 1.0 text to image · 512x512 · seed 7 · preview, free', 7, False, True)
    >>> fox.recipe()["request"]["prompt"], [step.prompt for step in fox.chain()]
    ('A fox', ['A fox'])
    >>> fox.embed()  # the whole file in the notebook
    Picture(SDXL 1.0 text to image · 512x512 · seed 7 · preview, free, ...)
    """

    path: Path
    request: Request | None = None
    receipt: Receipt | None = None

    @property
    def bytes(self) -> bytes:
        """The file's bytes, untouched; OSError where it has gone."""
        return self.path.read_bytes()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._reading(image_file.size)

    @property
    def is_animated(self) -> bool:
        """True for a GIF or WebP that moves."""
        return self._reading(image_file.frame_count) > 1

    @property
    def is_preview(self) -> bool:
        """True for a placeholder of the local engine, which is never the model's work."""
        return is_preview(self.receipt)

    @property
    def seed(self) -> int | None:
        """The seed that the picture was made with; None where it was random and the service reported none."""
        return seed_of(self.request, self.receipt)

    @property
    def caption(self) -> str:
        """Model, size, seed, engine and cost in one line of plain text."""
        return caption_of(self.path, self.request, self.receipt)

    def open(self) -> Image:
        """Return the picture as a PIL image: upright, 8-bit RGB, of an animation the first frame."""
        return self._reading(image_file.decode)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save a copy that carries its recipe; where its name has the file's own ending, the pixels stay as they are.

        Parameters
        ----------
        path
            Where to: a name that ends in .png, .jpg, .gif or .webp, or has no ending and gets the file's own; an
            existing file is replaced in one step, or not at all. Another ending than the file's converts a picture. A
            folder, there already or written with a slash at its end, gets the picture under its name in the archive.

        Returns
        -------
        pathlib.Path
            The absolute path of the copy.

        Raises
        ------
        InvalidRequest
            The name has another ending, the place is inside an archive, or an animation would stand still.
        ViduError
            The picture's own file has gone or is damaged.
        OSError
            The copy can't be written there.
        """
        target = copy_target(path, PICTURE_COPIES, made=self.path)
        data = self._reading(lambda data: data)
        own = image_file.format_of(data)
        if problem := image_file.what_is_wrong(data) if own else "it is not a picture":
            raise self._unusable(problem)
        if not target.suffix:
            target = target.with_name(f"{target.name}.{image_file.ENDINGS[own]}")
        kind = PICTURE_COPIES[target.suffix.lower()]
        original = (self.receipt and self.receipt.original) or self.receipt
        remove_parts(target.parent)
        copy = data if kind == own else self._converted(kind)
        write_bytes(target, with_recipe(copy, recipe_of(self.request, original)))
        return target.resolve()

    def recipe(self) -> dict[str, Any]:
        """Return request and receipt as JSON-ready values; the pictures by name, size and hash."""
        return recipe_of(self.request, (self.receipt and self.receipt.original) or self.receipt)

    def chain(self) -> Chain:
        """Return how this picture was made, with the pictures that models made for it: the steps from first to last.

        Raises
        ------
        ViduError
            The file has gone, where only it tells.
        """
        return chain_of(self.path, self.request, self.receipt)

    def embed(self) -> Player:
        """Return the picture with the whole file inside the notebook."""
        return Player([self], embed=True)

    def _converted(self, kind: str) -> _Data:
        if self.is_animated:
            raise InvalidRequest(f"path: it moves: name the copy as {self.path.suffix}", field="path")
        buffer = io.BytesIO()
        self.open().save(buffer, kind, **_OPTIONS.get(kind, {}))
        return buffer.getvalue()

    def _reading(self, read: Callable[[_Data], _Read]) -> _Read:
        try:
            return read(self.path.read_bytes())
        except FileNotFoundError:
            raise ViduError(f"{shown_path(self.path)} does not exist", remedy="Check the path.") from None
        except OSError as error:
            raise self._unusable(reason(error)) from None
        except ViduError as error:
            raise self._unusable(error.message) from None

    def _unusable(self, problem: str) -> ViduError:
        return ViduError(f"{shown_path(self.path)} can't be read as a picture ({problem})", remedy="Check the path.")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return Player([self]).bundle()

    def _display_(self) -> Player:
        """Return what marimo shows."""
        return Player([self])

    def __repr__(self) -> str:
        return f"Picture({self.caption}, {shown_path(self.path)!r})"


class Pictures(tuple[Picture, ...]):
    """The pictures that one call brought, in their order; shows itself as a row of them.

    >>> Pictures([Picture(Path("a.png")), Picture(Path("b.png"))])
    Picture(a.png, 'a.png')
    Picture(b.png, 'b.png')

    >>> import vidu_nb as vidu
    >>> two = vidu.preview("A fox", model="sdxl1.0-txt2img", img_width=512, img_height=512, samples=2, seed=7)
    >>> two.caption, two.seed, two.is_preview, two.path == two[0].path
    ('SDXL 1.0 text to image · 512x512 · seed 7 · preview, free · 2 pictures', 7, True, True)
    >>> two.request.samples, two.receipt.engine, len(two.save("foxes/"))
    (2, 'preview', 2)
    """

    __slots__ = ()

    @property
    def request(self) -> Request | None:
        """What was asked."""
        return self[0].request if self else None

    @property
    def receipt(self) -> Receipt | None:
        """What the service reported of the call, with the first picture's hash."""
        return self[0].receipt if self else None

    @property
    def path(self) -> Path:
        """The first picture's file."""
        return self[0].path

    @property
    def caption(self) -> str:
        """The first picture's caption, and how many there are."""
        return f"{self[0].caption} · {len(self)} pictures" if self else "no pictures"

    @property
    def is_preview(self) -> bool:
        """True for placeholders of the local engine."""
        return any(one.is_preview for one in self)

    @property
    def seed(self) -> int | None:
        """The seed of the call."""
        return self[0].seed if self else None

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Save a copy of each, as `Picture.save` does: into a folder, or as a name, ``name_2``, ``name_3``.

        Raises
        ------
        InvalidRequest, ViduError, OSError
            As for `Picture.save`.
        """
        targets = [copy_target(path, PICTURE_COPIES, made=one.path) for one in self]
        if len(set(targets)) < len(targets):  # one name for all of them
            targets = [
                one if number == 1 else one.with_name(f"{one.stem}_{number}{one.suffix}")
                for number, one in enumerate(targets, 1)
            ]
        return [one.save(target) for one, target in zip(self, targets, strict=True)]

    @overload
    def __getitem__(self, index: SupportsIndex) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Pictures: ...
    def __getitem__(self, index: Any) -> Any:
        """Return one of them, or some as `Pictures`."""
        found = super().__getitem__(index)
        return Pictures(found) if isinstance(index, slice) else found

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        if not self:
            return {"text/plain": repr(self)}
        return {**Player(self[:MAX_SHOWN]).bundle(), "text/plain": repr(self)}

    def _display_(self) -> Player | str:
        """Return what marimo shows."""
        return Player(self[:MAX_SHOWN]) if self else repr(self)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "Pictures()"


def made_of(pictures: Iterable[Picture]) -> Picture | Pictures:
    """Return the one picture there is, or all of them."""
    found = Pictures(pictures)
    return found[0] if len(found) == 1 else found
