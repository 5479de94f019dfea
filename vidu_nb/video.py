"""`Video`: a clip on disk with the request it answers and its receipt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import image_file, media
from .animated import FPS, SIDE, WRITERS, checked_side
from .catalogue.request import PREVIEW_VERSION, Request
from .chain import Chain, chain_of
from .console import print_line
from .files import expanded, remove_parts, shown_path, write_atomically
from .folders import copy_target
from .pictures import Picture
from .player import Player
from .receipt import Receipt
from .recipe import (
    caption_of,
    film_in,
    is_preview,
    media_in,
    read_recipe,
    recipe_of,
    seed_of,
    texts_of,
    write_recipe,
)

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from .animatic.story.storyboard import Storyboard

#: How the names of copies end.
COPIES = (".mp4", *WRITERS)

_OTHER_VERSION = "Another version of the preview engine made this clip: its shots may differ from this plan."


@dataclass(frozen=True, slots=True, repr=False)
class Video:
    """A clip on disk with the request it answers and its receipt; shows itself as a notebook cell's last value.

    Attributes
    ----------
    path : pathlib.Path
        The MP4.
    request : Request or None
        What was asked; None where the file has no recipe, and for a film's joined clip.
    receipt : Receipt or None
        What the service reported; None where the file has no recipe.

    Raises
    ------
    ViduError
        From whatever reads the file: it has gone, or is no video any more.

    >>> import vidu_nb as vidu
    >>> from PIL import Image
    >>> wall = Image.new("RGB", (256, 256), "navy")
    >>> video = vidu.preview("A wall, zoom in.", wall, aspect_ratio="1:1", quality="draft")
    >>> video.is_preview, video.seed, video.info.duration, len(video.bytes) > 10_000
    (True, 42, 5.0, True)
    >>> video.caption
    '1:1 · 5 s · seed 42 · draft preview, free'
    >>> video.poster(at=2.0, side=320).size, next(video.frames(side=320)).shape
    ((320, 320), (320, 320, 3))
    >>> video.storyboard.shots[0].move
    'zoom in'
    >>> video.save("wall.mp4").name, video.recipe()["request"]["prompt"]
    ('wall.mp4', 'A wall, zoom in.')
    >>> [step.prompt for step in video.chain()]
    ['A wall, zoom in.']
    >>> video.embed()  # the player, with the whole file in the notebook
    Video(1:1 · 5 s · seed 42 · draft preview, free, ...)
    """

    path: Path
    request: Request | None = None
    receipt: Receipt | None = None

    @property
    def bytes(self) -> bytes:
        """The file's bytes, untouched; OSError where it has gone."""
        return self.path.read_bytes()

    @property
    def info(self) -> media.VideoInfo:
        """Size, rate, length and codecs, read from the file."""
        return media.probe(self.path)

    @property
    def is_preview(self) -> bool:
        """True for an animatic of the local engine, which is never the model's work."""
        return is_preview(self.receipt)

    @property
    def seed(self) -> int | None:
        """The seed that the clip was made with; None where it was random and the service reported none."""
        return seed_of(self.request, self.receipt)

    @property
    def caption(self) -> str:
        """Ratio, length, seed, engine and cost in one line of plain text, and which pictures a preview could not fetch.

        >>> Video(Path("clip.mp4")).caption
        'clip.mp4'
        """
        return caption_of(self.path, self.request, self.receipt)

    @property
    def storyboard(self) -> Storyboard | None:
        """The plan of this request's preview, shown with this clip's frames; None where no request is known.

        For a paid clip it is what a preview of the same request would do: the model goes its own ways. So it is for a
        preview that another version of the engine made, and a note says so.
        """
        from .animatic.story.storyboard import plan_of

        if self.request is None:
            return None
        plan = plan_of(self.request, seed=self.seed, clip=self.path)
        if self.receipt and self.is_preview and self.receipt.engine_version != PREVIEW_VERSION:
            return replace(plan, notes=(*plan.notes, _OTHER_VERSION))
        return plan

    def frames(self, *, side: int | None = None) -> Iterator[np.ndarray]:
        """Decode frame by frame: uint8 RGB arrays (height, width, 3), of at most `side` px on the longer side."""
        return media.read_frames(self.path, side=side)

    def poster(self, *, at: float = 1.0, side: int = media.POSTER_SIDE) -> Image:
        """Return the frame at `at` seconds, or the last, as a PIL image of at most `side` px on the longer side."""
        return media.poster(self.path, at=at, side=side)

    def save(self, path: str | os.PathLike[str], *, references: bool = True, side: int = SIDE) -> Path:
        """Save a copy: an MP4 that carries its recipe, or a small animated picture without one.

        An MP4 is the whole clip, with request and receipt as a metadata tag that ffprobe shows; a film's has its scenes
        there, and its chapters. GIF and WebP are for slides and README files: silent, 12 frames a second; how many
        pixels and bytes one has is printed.

        Parameters
        ----------
        path
            Where to: a name that ends in .mp4, .gif or .webp; an existing file is replaced in one step, or not at all.
            A folder, there already or written with a slash at its end, gets the clip under its name in the archive;
            folders are made where they are missing.
        references
            Put the reference pictures into an MP4 as well, so that `load` gives the whole request or film back. False
            leaves them out, for a clip that goes to strangers.
        side
            Longer side of a GIF or WebP in pixels at most, 16 to 1920.

        Returns
        -------
        pathlib.Path
            The absolute path of the copy.

        Raises
        ------
        InvalidRequest
            The name has another ending, the place is inside an archive, whose files stay as they came, or `side` is
            wrong.
        ViduError
            The clip's own file has gone or is damaged.
        OSError
            The copy can't be written there.
        """
        side = checked_side(side)
        target = copy_target(path, COPIES, made=self.path)
        remove_parts(target.parent)
        if animated := WRITERS.get(target.suffix.lower()):
            sizes: list[tuple[int, int]] = []
            write_atomically(target, lambda part: sizes.append(animated(self.path, part, side=side)))
            width, height = sizes[0]
            megabytes = target.stat().st_size / 1e6
            print_line(f"{target.name}: {megabytes:.1f} MB, {width}x{height} px, {FPS} frames a second")
        else:
            write_atomically(target, lambda part: self._write_copy(part, references=references))
        return target.resolve()

    def _write_copy(self, target: Path, *, references: bool) -> None:
        original = (self.receipt and self.receipt.original) or self.receipt
        film = {} if self.request else film_in(self.path)
        pictures = (media_in(self.path) if film else self.request and texts_of(self.request.media)) or ()
        write_recipe(self.path, target, recipe_of(self.request, original) | film, pictures if references else ())

    def recipe(self) -> dict[str, Any]:
        """Return request and receipt, or a film's scenes, as JSON-ready values; the pictures by name, size and hash."""
        return recipe_of(self.request, self.receipt) | ({} if self.request else film_in(self.path))

    def chain(self) -> Chain:
        """Return how this clip was made, with the pictures that models made for it: the steps from first to last.

        Raises
        ------
        ViduError
            The file has gone, where only it tells.
        """
        return chain_of(self.path, self.request, self.receipt)

    def embed(self) -> Player:
        """Return the player with the whole file inside the notebook, for places where a link can't play.

        Costs four thirds of the file's size in the notebook.
        """
        return Player([self], embed=True)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return Player([self]).bundle()

    def _display_(self) -> Player:
        """Return what marimo shows."""
        return Player([self])

    def __repr__(self) -> str:
        return f"Video({self.caption}, {shown_path(self.path)!r})"


def load(path: str | os.PathLike[str]) -> Video | Picture:
    """Read a `Video` or a `Picture` from a file, with the request and the receipt that its recipe holds.

    Files from elsewhere load as well; their `.request` and `.receipt` are None.

    Parameters
    ----------
    path
        An MP4, PNG, JPEG, GIF or WebP, for instance one that `save` wrote; its content decides, not its name.

    Raises
    ------
    ViduError
        The file is missing or neither of them, or a newer version of this package wrote its recipe.

    >>> load("holiday.mp4")
    Traceback (most recent call last):
    ...
    vidu_nb.errors.ViduError: holiday.mp4 ...
    """
    path = expanded(path)
    request, receipt = read_recipe(path)
    made = Video if image_file.read(path) is None else Picture
    return made(path.absolute(), request, receipt)  # as it is spelled: a link to a symbolic link plays
