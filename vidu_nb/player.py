"""Videos and pictures to HTML: one or a labelled grid, small enough to live in a notebook.

A link to the file and a JPEG poster is what JupyterLab plays best (82 kB a clip against 11.7 MB for the whole file as
a data URI). Where a relative link can't play, a small silent copy is embedded instead, and the caption says so.
Beside the HTML stands a picture, for viewers that show no HTML or no `<video>`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, cast

from . import image_file, media
from .catalogue.request import Request
from .errors import InvalidRequest, ViduError
from .files import shown_path
from .notebook import current_place, deliver, spellings
from .receipt import Receipt
from .widgets.pieces import Way

if TYPE_CHECKING:
    from PIL.Image import Image

_WIDTH, _HEIGHT = 640, 480  # px, the box that one player fits into
_STILL_SIDE = 480  # px, the longer side of the picture beside the HTML
_COPY_BYTES = 60_000  # of a picture inside the HTML
_STILL_BYTES = 28_000  # with the small copy, in base64 both, below 150 kB of notebook
_SHEET_WIDTH, _SHEET_BYTES = 720, 28_000  # px and bytes, of a picture for several clips
MAX_SHOWN = 9
_PROMPT_SHOWN = 160  # characters

_MUTED = "color:var(--jp-ui-font-color2,#616161);font-size:12px;line-height:1.5"
_BADGE = (
    "display:inline-block;padding:0 6px;margin-right:6px;border-radius:3px;font-size:11px;font-weight:600;"
    "letter-spacing:.04em;color:#1f1300;background:#ffc857"
)


class _Shown(Protocol):
    """What a player reads of a `Video` and of a `Picture`."""

    @property
    def path(self) -> Path: ...
    @property
    def request(self) -> Request | None: ...
    @property
    def receipt(self) -> Receipt | None: ...
    @property
    def bytes(self) -> bytes: ...
    @property
    def is_preview(self) -> bool: ...
    @property
    def caption(self) -> str: ...


class _Clip(_Shown, Protocol):
    """What it reads of a `Video` alone."""

    @property
    def info(self) -> media.VideoInfo: ...


class _Still(_Shown, Protocol):
    """What it reads of a `Picture` alone."""

    @property
    def size(self) -> tuple[int, int]: ...
    def open(self) -> Image: ...


class Player:
    """One or more videos or pictures as HTML and as text.

    Parameters
    ----------
    videos
        One to nine `Video` or `Picture`.
    labels
        One text for each, shown above it.
    embed
        Put the whole files into the notebook.
    loops
        Play by themselves, silently, again and again.

    Raises
    ------
    InvalidRequest
        No video, more than nine, or a different number of labels.

    >>> from vidu_nb import Video
    >>> Player([Video(Path("a.mp4")), Video(Path("b.mp4"))], labels=["seed 1", "seed 2"])
    seed 1: Video(a.mp4, 'a.mp4')
    seed 2: Video(b.mp4, 'b.mp4')
    """

    def __init__(
        self,
        videos: Sequence[_Clip | _Still],
        *,
        labels: Sequence[str] | None = None,
        embed: bool = False,
        loops: bool = False,
    ) -> None:
        self.videos = tuple(videos)
        self.labels = tuple(str(label) for label in labels) if labels is not None else ("",) * len(self.videos)
        self.embed = embed
        self.loops = loops
        if not 1 <= len(self.videos) <= MAX_SHOWN:
            raise InvalidRequest(f"videos: {len(self.videos)} given: pass 1 to {MAX_SHOWN}", field="videos")
        if len(self.labels) != len(self.videos):
            message = f"labels: {len(self.labels)} given for {len(self.videos)} videos: pass one for each"
            raise InvalidRequest(message, field="labels")

    @property
    def group(self) -> str:
        """The name by which a bar of controls finds these players: the same for the same files and labels."""
        shown = [[Path(shown_path(video.path)).as_posix() for video in self.videos], self.labels]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:12]

    def html(self) -> str:
        """Return the player's HTML; every text in it is escaped and it holds no script."""
        return self._html("link")

    def _html(self, way: Way) -> str:
        cells = [
            figure(video, label, way="embed" if self.embed else way, loops=self.loops, many=len(self.videos) > 1)
            for video, label in zip(self.videos, self.labels, strict=True)
        ]
        if len(cells) == 1:
            return cells[0]
        return (
            f'<div class="vidu-grid vidu-group-{self.group}" '
            f'style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">{"".join(cells)}</div>'
        )

    def bundle(self) -> dict[str, str]:
        """Return the MIME bundle that Jupyter shows."""
        return {"text/plain": repr(self), "text/html": self.html(), "image/jpeg": still(self.videos)}

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.bundle()

    def _display_(self) -> Any:
        """Return what marimo shows."""
        from .widgets.live_player import shown_in_marimo

        return shown_in_marimo(self._html, sources(self.videos), self._bar())

    def _bar(self) -> Mapping[str, Any]:
        """Return what a bar of controls under the players would hold; empty for none."""
        return {}

    def __repr__(self) -> str:
        named = (
            f"{label}: {video!r}" if label else repr(video)
            for video, label in zip(self.videos, self.labels, strict=True)
        )
        return "\n".join(named)


def still(videos: Sequence[_Clip | _Still]) -> str:
    """Return a JPEG of the clips' posters in base64, as Jupyter wants it; several stand in rows, in their order."""
    from PIL import Image

    many = len(videos) > 1
    posters = [_poster(one, many=many) for one in videos]
    if not many:
        posters[0].thumbnail((_STILL_SIDE, _STILL_SIDE))
        return _base64(media.jpeg(posters[0], max_bytes=_STILL_BYTES))
    columns = math.ceil(math.sqrt(len(posters)))
    side = _SHEET_WIDTH // columns
    for poster in posters:
        poster.thumbnail((side, side))
    height = max(poster.height for poster in posters)
    sheet = Image.new("RGB", (side * columns, height * math.ceil(len(posters) / columns)), "white")
    for place, poster in enumerate(posters):
        sheet.paste(poster, (place % columns * side, place // columns * height))
    return _base64(media.jpeg(sheet, max_bytes=_SHEET_BYTES))


def _is_still(one: _Clip | _Still) -> TypeGuard[_Still]:
    """Whether it is a picture; by its type, since a look at its attributes would read the file."""
    return callable(getattr(type(one), "open", None))


def _poster(one: _Clip | _Still, *, many: bool) -> Image:
    from PIL import Image

    if not _is_still(one):
        side = _poster_side(cast("_Clip", one), many=many)
        return Image.open(io.BytesIO(media.poster_jpeg(one.path, side=side)))
    try:
        return one.open()
    except ViduError:
        if not image_file.is_huge(one.bytes):
            raise
        return Image.new("RGB", (_STILL_SIDE, _STILL_SIDE), "grey")


def figure(video: _Clip | _Still, label: str = "", *, way: Way = "link", loops: bool = False, many: bool = True) -> str:
    """Show one clip or picture as HTML, half as wide where there are many; every text in it is escaped."""
    if _is_still(video):
        return _picture(video, label, way=way, many=many)
    clip = cast("_Clip", video)
    width, height = _size(clip, many=many)
    source, poster, note = _source(clip, way=way, side=_poster_side(clip, many=many))
    poster = f' poster="{poster}"' if poster else ""
    shown = (
        f'<video controls{" autoplay muted loop" if loops else ""} preload="metadata" '
        f'width="{width}" height="{height}" {source}{poster} '
        f'aria-label="{escape(f"{video.caption}. {_prompt(video)}")}" '
        f'style="width:100%;height:auto;border-radius:6px;background-color:#000"></video>'
    )
    return _framed(video, shown, label, note, width=width, many=many)


def _picture(picture: _Still, label: str, *, way: Way, many: bool) -> str:
    """Show one picture: a small copy inside the notebook, which a link leads from to the file."""
    scale = min(_WIDTH / picture.size[0], _HEIGHT / picture.size[1], 1) * (0.5 if many else 1)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    data = picture.bytes
    link, why = deliver(spellings(picture.path), current_place()) if way == "link" else ("", "")
    where = shown_path(picture.path)
    if image_file.is_huge(data):
        shown, note = "", f"It has too many pixels to be shown here: {where}"
    else:
        copy = image_file.thumbnail(data, side=max(width, height), most=_COPY_BYTES // (3 if many else 1))
        if way == "embed":
            copy = image_file.Thumbnail(copy.kind if copy.is_whole else _kind_of(data), data, is_whole=True)
        note = f"A small copy: the picture itself is {where} ({why})" if why and not copy.is_whole else ""
        later = "" if copy.is_whole or way != "fetch" else f"{_fetched(picture, _kind_of(data))} "
        shown = (
            f'<img width="{width}" height="{height}" {later}src="{_data_uri(copy.kind, copy.data)}" '
            f'alt="{escape(f"{picture.caption}. {_prompt(picture)}")}" '
            f'style="width:100%;height:auto;border-radius:6px;margin:0">'
        )
    shown = f'<a href="{escape(link)}" target="_blank" rel="noopener">{shown or escape(where)}</a>' if link else shown
    return _framed(picture, shown, label, note, width=width, many=many)


def _kind_of(picture: bytes) -> str:
    return f"image/{image_file.format_of(picture).lower()}"


def _prompt(one: _Shown) -> str:
    prompt = str((one.request.by_role("prompt") if one.request else None) or "")
    return prompt if len(prompt) <= _PROMPT_SHOWN else prompt[: _PROMPT_SHOWN - 1] + "…"


def _framed(one: _Shown, shown: str, label: str, note: str, *, width: int, many: bool) -> str:
    """Put the label above what is shown, and below it badge, caption, prompt and note."""
    text = "" if many else _prompt(one)  # beside each other, labels tell them apart; the prompt would repeat itself
    head = (
        f'<div style="font-weight:600;margin-bottom:4px;overflow-wrap:anywhere">{escape(label)}</div>' if label else ""
    )
    badge = f'<span style="{_BADGE}">PREVIEW</span>' if one.is_preview else ""
    lines = [f"{badge}{escape(one.caption)}", *map(escape, filter(None, (text, note)))]
    return (
        f'<div class="vidu-player" style="width:{width}px;max-width:100%;margin:4px 0">{head}{shown}'
        f'<div style="{_MUTED};overflow-wrap:anywhere">{"<br>".join(lines)}</div></div>'
    )


def _size(video: _Clip, *, many: bool) -> tuple[int, int]:
    """Return a player's width and height in pixels."""
    info = video.info
    scale = min(_WIDTH / info.width, _HEIGHT / info.height) * (0.5 if many else 1)
    return round(info.width * scale), round(info.height * scale)


def _poster_side(video: _Clip, *, many: bool) -> int:
    return min(max(_size(video, many=many)), media.POSTER_SIDE)


def _source(video: _Clip, *, way: Way, side: int) -> tuple[str, str, str]:
    """Return the video's source as an attribute, its poster's src, and a note where that is not the whole file."""
    if way == "embed":
        return f'src="{_data_uri("video/mp4", video.bytes)}"', "", ""
    link, reason = deliver(spellings(video.path), current_place()) if way == "link" else ("", "")
    if link or way == "fetch":
        source = f'src="{escape(link)}"' if link else _fetched(video, "video/mp4")
        return source, _data_uri("image/jpeg", media.poster_jpeg(video.path, side=side)), ""
    note = f"A small silent copy: the clip itself, with sound where it has some, is {shown_path(video.path)} ({reason})"
    return f'src="{_data_uri("video/mp4", media.proxy(video.path))}"', "", note


def _fetched(one: _Shown, kind: str) -> str:
    """Return the attributes by which a page asks for a file; `sources` has its name."""
    return f'data-vidu-file="{escape(shown_path(one.path))}" data-vidu-type="{kind}"'


def sources(made: Iterable[_Shown]) -> dict[str, Path]:
    """Return the files of clips and pictures by the names under which a page asks for them."""
    return {shown_path(one.path): one.path for one in made}


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{_base64(data)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
