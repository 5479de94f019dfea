"""What each aspect ratio keeps of the subject, and whether that lies clear of what players and apps lay over a clip.

The subject is a box: around faces with hair and shoulders, else around what stands out (see `animatic.film.subject`).
It is found by geometry and colour and means nothing to the finder, so look at the plot before you trust the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..animatic.fetching import load_pictures
from ..animatic.film.camera import Box, path
from ..animatic.film.subject import find_subject, frame_subject
from ..animatic.story.storyboard import FPS, plan_of
from ..catalogue.field import Role
from ..catalogue.request import Request
from ..client.client import Client
from ..errors import InvalidRequest, ViduError
from ..request import FRAME_SIZES
from ..storage.archive import Archive
from ..video import Video
from .plots import ACCENT, INK, MUTED, WARN, new_plot, plot_html, table_html
from .safe_areas import ENOUGH, SAFE_AREAS, Moment, SafeArea, common, moved, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

    from .figure import Plot

DRAWN_SEED = 42  # what a request with seed 0 is previewed with: its own would be another for each ratio
_STEP = 0.25  # s between the moments that are looked at in a preview; a shot lasts two thirds of a second at least
_CLIP_STEP = 0.5  # s between them in a clip, where each costs a look at the picture
_MOST = 40  # moments of a clip
_SIDE = 512  # px: the finder works on 256 and less
_SAME = 0.01  # two aspects that differ by less are the same ratio
_POSTER_SIDE = 640  # px

Crop = tuple[int, int, int, int]  # left, top, width and height in a video's pixels


@dataclass(frozen=True, slots=True, repr=False)
class Cut:
    """One way to a ratio: what was rendered for it, the clip's own frame, or a crop of that.

    Attributes
    ----------
    ratio, way : str
        `way` is ``"preview"``, ``"own frame"``, ``"centre crop"`` or ``"best crop"``.
    video : Video
        Whose frames these are.
    crop : tuple of int or None
        Left, top, width and height in the video's pixels; None for all of it.
    moments : tuple of Moment
        The same times in each cut of a report.
    enlarged : float
        Pixels of the delivered frame for one of the source, each way.
    """

    ratio: str
    way: str
    video: Video
    crop: Crop | None
    moments: tuple[Moment, ...]
    enlarged: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the delivered frame in pixels."""
        return FRAME_SIZES[self.ratio]

    @property
    def share_in_frame(self) -> float:
        """The share of the subject's box that stays in frame, 0 to 1, as a mean over the moments."""
        return fmean(moment.inside() for moment in self.moments)

    @property
    def kept(self) -> float:
        """The same as `share_in_frame`, under its older name."""
        return self.share_in_frame

    @property
    def least(self) -> float:
        """The same at the worst moment."""
        return min(moment.inside() for moment in self.moments)

    @property
    def filled(self) -> float:
        """The share of the frame's area that is a preview's blurred fill, 0 to 1, as a mean."""
        return fmean(1 - size_of(moment.seen) / (self.size[0] * self.size[1]) for moment in self.moments)

    @property
    def areas(self) -> list[tuple[SafeArea, float, float]]:
        """Each safe area of this ratio with the share of the subject's box in it: mean, and at the worst moment."""
        own = [area for area in SAFE_AREAS if area.ratio == self.ratio]
        shares = [[moment.inside(area.box) for moment in self.moments] for area in own]
        return [(area, fmean(found), min(found)) for area, found in zip(own, shares, strict=True)]

    def poster(self, seconds: float) -> Image:
        """Decode the delivered frame at a time as a PIL image of at most 640 px on the longer side."""
        # Half a frame early: a frame's time is a fraction that a float may overshoot.
        image = self.video.poster(at=seconds - 0.5 / (self.video.info.fps or FPS), side=2 * _POSTER_SIDE)
        if self.crop:
            left, top, width, height = (edge * image.width / self.video.info.width for edge in self.crop)
            image = image.crop((round(left), round(top), round(left + width), round(top + height)))
        image.thumbnail((_POSTER_SIDE, _POSTER_SIDE))
        return image

    def __repr__(self) -> str:
        return f"Cut({self.ratio} {self.way} keeps {self.share_in_frame:.0%}, at worst {self.least:.0%})"


@dataclass(frozen=True, slots=True, repr=False)
class Framing:
    """The result of `framing`: one or two cuts for each ratio; ``report["9:16"]`` is the better one of a ratio.

    Any other ratio in the brackets raises InvalidRequest.

    Attributes
    ----------
    of : str
        What was judged: ``"request"`` or ``"clip"``.
    cuts : tuple of Cut
        For a request one for each ratio; for a clip, and for a request to a model that can't be asked for the three
        ratios, its own frame, and two crops for each of the others.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> report = vidu.framing(vidu.preview("A cat.", data.cat(), aspect_ratio="1:1", quality="draft"))
    >>> report["9:16"].way, len(report.table), list(report.areas[0])[:3]
    ('best crop', 5, ['ratio', 'way', 'area'])
    >>> report.plot().savefig("ratios.png")
    """

    of: str
    cuts: tuple[Cut, ...]

    def __getitem__(self, ratio: str) -> Cut:
        found = [cut for cut in self.cuts if cut.ratio == ratio]
        if not found:
            raise InvalidRequest(f"ratio: {ratio!r} is not one of {', '.join(FRAME_SIZES)}", field="ratio")
        return found[-1]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each cut: ratio, way, pixels, crop, enlargement, shares of the subject and of fill."""
        return [
            {
                "ratio": cut.ratio, "way": cut.way, "width": cut.size[0], "height": cut.size[1], "crop": cut.crop,
                "enlarged": round(cut.enlarged, 3), "kept": round(cut.share_in_frame, 3),
                "kept_least": round(cut.least, 3), "filled": round(cut.filled, 3),
            }
            for cut in self.cuts
        ]  # fmt: skip

    @property
    def areas(self) -> list[dict[str, Any]]:
        """One row for each cut and safe area: its edges in pixels, the subject's share in it, and a verdict."""
        return [
            {
                "ratio": cut.ratio, "way": cut.way, "area": area.name, "left": area.box.left, "top": area.box.top,
                "right": area.box.right, "bottom": area.box.bottom, "inside": round(mean, 3),
                "inside_least": round(least, 3), "fits": least >= ENOUGH, "source": area.source,
            }
            for cut in self.cuts
            for area, mean, least in cut.areas
        ]  # fmt: skip

    def plot(self) -> Plot:
        """Draw a poster for each ratio with the subject's box and the safe areas, of the moment when they differ most.

        Returns
        -------
        matplotlib.figure.Figure
            Shows itself as a cell's last value, with a text alternative.

        Raises
        ------
        ViduError
            matplotlib is missing.
        """
        figure = new_plot(9.5, 4.9, f"The subject's box and the safe areas on a poster. {self!r}")
        cuts = [self[ratio] for ratio in FRAME_SIZES]
        shares = np.array([[moment.inside() for moment in cut.moments] for cut in cuts])
        shown = int(np.argmax(np.ptp(shares, axis=0).round(6)))
        for axes, cut in zip(figure.subplots(1, 3, width_ratios=[1.75, 1.1, 0.85]), cuts, strict=True):
            _draw(axes, cut, cut.moments[shown])
        return figure

    def __repr__(self) -> str:
        return f"Framing({self.of}: {', '.join(repr(cut)[4:-1] for cut in self.cuts)})"

    def _repr_html_(self) -> str:
        return table_html(_COLUMNS, map(_row, self.cuts)) + plot_html(self.plot)


def framing(source: Video | Request, *, archive: Archive | None = None) -> Framing:
    """Measure a request or a clip; parameters, result and errors are those of `vidu_nb.framing`."""
    if isinstance(source, Video):
        return Framing("clip", tuple(_cropped(source)))
    if isinstance(source, Request) and source.model.returns == "video":
        return Framing("request", tuple(_previewed(source, Client.preview(archive=archive))))
    kind = type(source).__name__
    message = f"source: {kind} is neither a clip nor a request for one: pass a VideoRequest, or a Video (vidu.load)"
    raise InvalidRequest(message, field="source")


# ── A request: its storyboard says where the camera is ────────────────────────────────────────────


def _previewed(request: Request, client: Client) -> Iterator[Cut]:
    if request.is_random:
        request = _with(request, "seed", DRAWN_SEED)
    shape = request.model.by_role("aspect_ratio")
    if shape is None or not shape.sizes.keys() >= FRAME_SIZES.keys():
        made: Any = client.generate(request)
        yield from _cropped(made)
        return
    pictures = load_pictures(request)
    for ratio in FRAME_SIZES:
        asked = _with(request, "aspect_ratio", ratio)
        clip: Any = client.generate(asked)
        yield Cut(ratio, "preview", clip, None, tuple(_planned(asked, pictures)))


def _with(request: Request, role: Role, value: Any) -> Request:
    field = request.model.by_role(role)
    return request.replace(**{field.name: value}) if field else request


def _planned(request: Request, pictures: list[np.ndarray]) -> Iterator[Moment]:
    """Follow a preview's subject by the arithmetic that its camera goes by (`animatic.film.stage`)."""
    board = plan_of(request)
    width, height = FRAME_SIZES[
        request.by_role("aspect_ratio")
    ]  # which the model's own frame, of the same shape, is scaled to
    aspect, step = board.width / board.height, round(_STEP * FPS)
    layouts = [(scene := find_subject(picture), frame_subject(scene, aspect)) for picture in pictures]
    for index in range(step // 2, board.frames, step):
        number = board.at(index)
        shot = board.shots[number]
        scene, layout = layouts[shot.picture]
        way = path(
            shot.move, shot.size, layout.scene, aspect=aspect, amplitude=board.amplitude, pace=shot.pace,
            seconds=shot.frames / FPS,
        )  # fmt: skip
        view = way.at((index - shot.start) / max(1, board.span(number) - 1))
        # From the picture to the canvas that it was laid on, from there to what the camera sees.
        x = layout.place[0] - layout.crop.left - (view.x - view.width / 2)
        y = layout.place[1] - layout.crop.top - (view.y - view.width / aspect / 2)
        subject, picture = (moved(box, x, y, width / view.width) for box in (scene.subject, layout.crop))
        yield Moment(index / FPS, subject, common(picture, Box(0, 0, width, height)))


# ── A clip: its frames are looked at ──────────────────────────────────────────────────────────────


def _cropped(video: Video) -> Iterator[Cut]:
    info = video.info
    found = list(_looked_at(video))
    if not found:
        raise ViduError(f"{video.path.name} holds no picture", remedy="Check the path.")
    for ratio, (width, height) in FRAME_SIZES.items():
        crops = _crops((info.width, info.height), width / height, [subject for _, subject in found])
        for way, crop in crops.items():
            place = crop or (0, 0, info.width, info.height)
            scale, frame = width / place[2], Box(0, 0, width, height)
            moments = (Moment(at, moved(box, -place[0], -place[1], scale), frame) for at, box in found)
            yield Cut(ratio, way, video, crop, tuple(moments), scale)


def _looked_at(video: Video) -> Iterator[tuple[float, Box]]:
    """Find the subject in the frames: time in seconds and its box in the video's pixels, twice a second."""
    info = video.info
    fps = info.fps or FPS
    step = max(1, round(max(_CLIP_STEP, info.duration / _MOST) * fps))
    for index, frame in enumerate(video.frames(side=_SIDE)):
        if index % step == min(step // 2, max(0, info.frames - 1)):
            yield index / fps, moved(find_subject(frame).subject, 0, 0, info.width / frame.shape[1])


def _crops(frame: tuple[int, int], aspect: float, subjects: Sequence[Box]) -> dict[str, Crop | None]:
    """Return the whole frame where it has the shape; else the middle, and the place that keeps most of the subject.

    One place for the whole clip: a crop that moves would be another camera.
    """
    if abs(frame[0] / frame[1] / aspect - 1) < _SAME:
        return {"own frame": None}
    wanted = min(frame[0], frame[1] * aspect), min(frame[1], frame[0] / aspect)
    width, height = (2 * min(round(x / 2), limit // 2) for x, limit in zip(wanted, frame, strict=True))  # H.264: even
    spare_x, spare_y = frame[0] - width, frame[1] - height
    places = [(x, y) for x in range(0, spare_x + 1, 2) for y in range(0, spare_y + 1, 2)]

    def worth(place: tuple[int, int]) -> tuple[float, int]:
        x, y = place
        seen = Box(x, y, x + width, y + height)
        share = fmean(Moment(0, subject, seen).inside() for subject in subjects)
        return round(share, 6), -abs(2 * x - spare_x) - abs(2 * y - spare_y)  # of equals the one nearest to the middle

    return {
        "centre crop": (spare_x // 4 * 2, spare_y // 4 * 2, width, height),
        "best crop": (*max(places, key=worth), width, height),
    }


# ── Shown ─────────────────────────────────────────────────────────────────────────────────────────

_COLUMNS = ("ratio", "pixels", "way", "subject kept", "at worst", "fill", "of the subject inside, at worst")
_LINES: tuple[tuple[str, Any], ...] = ((WARN, "--"), ("#6a1b9a", ":"), ("#2e7d32", "-."), ("#ef6c00", (0, (6, 1))))


def _row(cut: Cut) -> Iterator[str]:
    crop = " {2}x{3} from {0}, {1}".format(*cut.crop) if cut.crop else ""
    yield from (cut.ratio, "{}x{}".format(*cut.size), cut.way + crop)
    yield from (f"{share:.0%}" for share in (cut.share_in_frame, cut.least, cut.filled))
    yield "\n".join(f"{area.name} {least:.0%} ({'fits' if least >= ENOUGH else 'cut'})" for area, _, least in cut.areas)


def _draw(axes: Axes, cut: Cut, moment: Moment) -> None:
    from matplotlib.patches import Rectangle

    width, height = cut.size
    axes.imshow(np.asarray(cut.poster(moment.seconds)), extent=(0, width, height, 0))
    lines = [("subject", moment.subject, ACCENT, "-")]
    lines += [(area.name, area.box, *line) for (area, _, _), line in zip(cut.areas, _LINES, strict=False)]
    for name, box, colour, style in lines:
        corner, size = (box.left, box.top), (box.width, box.height)
        axes.add_patch(Rectangle(corner, *size, fill=False, ec="white", lw=3.5, alpha=0.6))  # seen on any picture
        axes.add_patch(Rectangle(corner, *size, fill=False, ec=colour, ls=style, lw=2, label=name))
    corner = (moment.subject.left, moment.subject.top)
    axes.add_patch(Rectangle(corner, moment.subject.width, moment.subject.height, fc=ACCENT, alpha=0.15))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=(0, width), yticks=(0, height))
    axes.set_anchor("N")
    axes.tick_params(colors=MUTED, labelsize=8)
    axes.set_title(f"{cut.ratio} · {cut.way}\nat {moment.seconds:.1f} s: {moment.inside():.0%}", color=INK, fontsize=9)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), frameon=False, fontsize=8, handlelength=2.6)
