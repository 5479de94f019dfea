"""A clip and its papers: `Video` is the file and what was asked, `Receipt` what the service said of it."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, media
from .errors import ViduError
from .files import expanded, shown_path, write_atomically
from .references import Reference
from .request import DRAFT, MODEL, VideoRequest, quietly

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from .animatic.storyboard import Storyboard

RECIPE_TAG = "vidu_nb_recipe"
RECIPE_FORMAT = 1
_FIGURES = ("cost_usd", "credits_remaining", "elapsed_s")
_PICTURES_BOX = uuid.UUID("6b6b1a5e-5d0c-4f0e-9d8a-0c6f0f9b7a31").bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of one call. Figures that the service didn't tell are None, which means unknown.

    Attributes
    ----------
    engine : str
        ``"segmind"``, ``"preview"``, or another service's host.
    model : str
        The model's name in the URL.
    request_id : str or None
        The service's name for the call.
    cost_usd : float or None
        US dollars.
    credits_remaining : float or None
        US dollars left on the account after the call.
    seed : int or None
        The seed that was used, where the service told it (telling for a request with seed 0).
    elapsed_s : float or None
        Seconds from sending to the last byte.
    created_at : str
        UTC, ISO 8601.
    sha256 : str
        Of the clip's bytes as received.
    replayed : bool
        True when the clip came from the archive at no cost.
    original : Receipt or None
        For a replay, the receipt of the call that made the clip; saved copies carry that one.

    >>> receipt = Receipt.from_dict({"engine": "segmind", "cost_usd": 0.5, "seed": 7})
    >>> receipt.cost_usd, receipt.to_dict()["seed"]
    (0.5, 7)
    """

    engine: str
    model: str = MODEL
    request_id: str | None = None
    cost_usd: float | None = None
    credits_remaining: float | None = None
    seed: int | None = None
    elapsed_s: float | None = None
    created_at: str = ""
    sha256: str = ""
    replayed: bool = False
    original: Receipt | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_headers(
        cls, headers: Mapping[str, str], *, engine: str, model: str, elapsed_s: float, sha256: str
    ) -> Receipt:
        """A receipt from an answer's headers; anything missing, not a number or negative counts as unknown."""
        seed = number(headers.get("x-seed-value"))
        return cls(
            engine=engine,
            model=model,
            request_id=(headers.get("x-request-id") or "")[:200] or None,
            cost_usd=number(headers.get("x-cost")),
            credits_remaining=number(headers.get("x-remaining-credits")),
            seed=int(seed) if seed is not None and seed == int(seed) else None,
            elapsed_s=round(elapsed_s, 3),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=sha256,
        )

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Receipt:
        """A receipt from JSON; unknown names and values of a wrong kind are passed over."""
        words: dict[str, Any] = {name: str(said[name]) for name in ("model", "created_at", "sha256") if name in said}
        figures: dict[str, Any] = {name: number(said.get(name)) for name in _FIGURES}
        seed, request_id = said.get("seed"), said.get("request_id")
        return cls(
            engine=str(said.get("engine") or "unknown"),
            request_id=None if request_id is None else str(request_id),
            seed=seed if isinstance(seed, int) else None,
            replayed=said.get("replayed") is True,
            **words,
            **figures,
        )

    def to_dict(self) -> dict[str, Any]:
        """The receipt as JSON-ready values."""
        said = asdict(self)
        del said["original"]
        return said


@dataclass(frozen=True, slots=True, repr=False)
class Video:
    """A clip on disk with the request it answers and its receipt; shows itself as a notebook cell's last value.

    Attributes
    ----------
    path : pathlib.Path
        The MP4.
    request : VideoRequest or None
        What was asked; None for a file that doesn't tell.
    receipt : Receipt or None
        What the service said; None for a file that doesn't tell.

    Raises
    ------
    ViduError
        From whatever reads the file: it has gone, or is no video any more.

    >>> import vidu_nb as vidu
    >>> from PIL import Image
    >>> wall = Image.new("RGB", (256, 256), "navy")
    >>> video = vidu.preview("A wall, zoom in.", wall, aspect_ratio="1:1", quality="draft")
    >>> video.is_preview, video.info.duration, len(video.bytes) > 10_000
    (True, 5.0, True)
    >>> video.poster(at=2.0, side=320).size, next(video.frames(side=320)).shape
    ((320, 320), (320, 320, 3))
    >>> video.storyboard.shots[0].move
    'zoom in'
    >>> video.save("wall.mp4").name, video.recipe()["request"]["prompt"]
    ('wall.mp4', 'A wall, zoom in.')
    >>> video.embed()  # the player, with the whole file in the notebook
    Video(1:1 · 5 s · seed 42 · draft preview, free, ...)
    """

    path: Path
    request: VideoRequest | None = None
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
        return self.receipt is not None and self.receipt.engine == "preview"

    @property
    def storyboard(self) -> Storyboard | None:
        """The plan of this request's preview, shown with this clip's own frames; None where no request is known.

        For a paid clip it is what a preview of the same request would do: the model goes its own ways.
        """
        from .animatic.storyboard import plan_of

        return plan_of(self.request, seed=seed_of(self), clip=self.path) if self.request else None

    def frames(self, *, side: int | None = None) -> Iterator[np.ndarray]:
        """Decode frame by frame: uint8 RGB arrays (height, width, 3), of at most `side` px on the longer side."""
        return media.read_frames(self.path, side=side)

    def poster(self, *, at: float = 1.0, side: int = media.POSTER_SIDE) -> Image:
        """The picture at `at` seconds, the last one at most, as a PIL image of at most `side` px on the longer side."""
        return media.poster(self.path, at=at, side=side)

    def save(self, path: str | os.PathLike[str], *, references: bool = True) -> Path:
        """Save a copy that carries its recipe: request and receipt as a metadata tag that ffprobe shows.

        Parameters
        ----------
        path
            Where to; an existing file is replaced in one step, or not at all.
        references
            Put the reference pictures into the file as well, so that `load` gives the whole request back. False leaves
            them out, for a clip that goes to strangers.

        Returns
        -------
        pathlib.Path
            The absolute path of the copy.

        Raises
        ------
        ViduError
            The clip's own file has gone or is damaged.
        OSError
            The copy can't be written there.
        """
        target = expanded(path)
        if target.is_dir():
            target /= self.path.name

        def write(part: Path) -> None:
            made = replace(self, receipt=(self.receipt and self.receipt.original) or self.receipt)
            media.write_tags(self.path, part, {RECIPE_TAG: json.dumps(made.recipe(), ensure_ascii=False)})
            if references and self.request:
                pictures = json.dumps([reference.url for reference in self.request.references])
                media.append_box(part, _PICTURES_BOX, pictures.encode())

        write_atomically(target, write)
        return target.resolve()

    def recipe(self) -> dict[str, Any]:
        """Request and receipt as JSON-ready values; the pictures by name, size and hash."""
        said: dict[str, Any] = {"format": RECIPE_FORMAT, "made_with": f"vidu-nb {__version__}"}
        if self.request:
            said["request"] = describe(self.request)
        if self.receipt:
            said["receipt"] = self.receipt.to_dict()
        return said

    def embed(self) -> Any:
        """The player with the whole file inside the notebook, for places where a link can't play.

        Costs four thirds of the file's size in the notebook.
        """
        from .player import Player

        return Player([self], embed=True)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from .player import Player

        return Player([self]).bundle()

    def __repr__(self) -> str:
        return f"Video({caption(self)}, {shown_path(self.path)!r})"


def caption(video: Video) -> str:
    """Ratio, length, seed, engine and cost in one line of plain text.

    >>> caption(Video(Path("clip.mp4")))
    'clip.mp4'
    """
    request, receipt = video.request, video.receipt
    seed = seed_of(video)
    parts = (
        [video.path.name]
        if request is None
        else [request.aspect_ratio, f"{request.duration} s", f"seed {seed}" if seed else "random seed"]
    )
    if receipt:
        what = "draft preview" if receipt.model == DRAFT else "preview"
        parts.append(f"{what}, free" if video.is_preview else f"{receipt.engine}, {price(receipt)}")
    return " · ".join(parts)


def price(receipt: Receipt) -> str:
    """What a clip cost, in words."""
    if receipt.replayed:
        return "replayed, $0.00"
    return "cost unknown" if receipt.cost_usd is None else f"${receipt.cost_usd:.2f}"


def seed_of(video: Video) -> int | None:
    """The seed that a clip was made with; None where it was random and nobody told."""
    asked = video.request.seed if video.request else None
    told = video.receipt.seed if video.receipt else None
    return asked or told or None


def load(path: str | os.PathLike[str]) -> Video:
    """A `Video` from a file, with the request and the receipt that its recipe tells.

    Files from elsewhere load as well; their `.request` and `.receipt` are None.

    Parameters
    ----------
    path
        An MP4, for instance one that `Video.save` wrote.

    Raises
    ------
    ViduError
        The file is missing or no video, or a newer version of this package wrote its recipe.

    >>> load("holiday.mp4")
    Traceback (most recent call last):
    ...
    vidu_nb.errors.ViduError: holiday.mp4 ...
    """
    path = expanded(path)
    text = media.read_tags(path).get(RECIPE_TAG)
    if text is None:
        return Video(path.resolve())
    try:
        said = json.loads(text)
        version = int(said["format"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Video(path.resolve())
    if version > RECIPE_FORMAT:
        raise ViduError(f"{path.name} has a recipe of format {version}", remedy="Upgrade vidu-nb to read it.")
    receipt = Receipt.from_dict(said["receipt"]) if isinstance(said.get("receipt"), dict) else None
    return Video(path.resolve(), request_from(said.get("request"), _pictures_in(path)), receipt)


def describe(request: VideoRequest) -> dict[str, Any]:
    """A request as JSON-ready values for people and recipes: the pictures by name, size and hash, not by content."""
    pictures = [
        {"name": one.name, "size": one.size, "sha256": one.sha256, "url": one.url if one.is_url else None}
        for one in request.references
    ]
    return {**request.payload(), "image_urls": pictures}


def request_from(said: Any, pictures: Sequence[str | None] | None) -> VideoRequest | None:
    """A request from what `describe` wrote and its pictures as ``data:`` URIs.

    Parameters
    ----------
    said
        What a file tells; it may be anything.
    pictures
        One for each reference, None for a URL's; None where all are URLs.

    Returns
    -------
    VideoRequest or None
        None where a picture is missing or the recipe makes no sense: a clip is worth showing without it.
    """
    try:
        notes = said["image_urls"]
        urls = pictures or [None] * len(notes)
        references = [
            Reference.from_wire(str(note["url"] or url), name=str(note["name"]), sha256=str(note["sha256"]))
            for url, note in zip(urls, notes, strict=True)
        ]
        with quietly():  # it was made once, and warned of then
            return VideoRequest(**{**said, "image_urls": references})
    except (ViduError, ValueError, TypeError, KeyError):
        return None


def _pictures_in(path: Path) -> list[str] | None:
    box = media.read_box(path, _PICTURES_BOX)
    try:
        said = json.loads(box) if box else None
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, list) else None


def number(text: object) -> float | None:
    """A figure that a service told; None (unknown) where it is missing, not a number, infinite or negative."""
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value >= 0 else None
