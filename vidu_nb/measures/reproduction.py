"""Does a clip reproduce another? A verdict with its evidence, for one pair or for every pair of two lists.

From strongest to weakest: same bytes, same pictures (decoded frames equal), alike (each frame close), different.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..errors import InvalidRequest, ViduError
from ..files import expanded
from ..video import Video
from .differences import Pictures, Sound, compare_pictures, compare_sound, equal_pictures, equal_sound
from .plots import ACCENT, INK, MUTED, WARN, new_plot, shortened
from .thresholds import (
    MIN_SSIM,
    PicturesVerdict,
    SoundVerdict,
    decisive_frame,
    judge_pictures,
    judge_sound,
    why_pictures,
    why_sound,
)

if TYPE_CHECKING:
    from .figure import Plot

Clip = Video | str | os.PathLike[str]
Clips = Sequence[Video | os.PathLike[str]] | list[str] | Mapping[str, Clip]

_SIDE = 640  # px, of frames in plots
_AREA = 3.6  # square inches for a frame in a plot, of any ratio: photographs make most of a plot's bytes


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """A verdict on whether the second of two clips reproduces the first, with its evidence.

    True in an ``if`` where neither the pictures nor the sound are different. Made by `reproduces`.

    Attributes
    ----------
    word : str
        Of the files and their pictures: ``"same bytes"``, ``"same pictures"``, ``"alike"`` or ``"different"``.
    names : tuple of str
        What the clips are called here.
    pictures : Pictures
        SSIM and PSNR of each pair of frames, and how the clips run beside each other.
    sound : Sound
        What the two sounds share.
    clips : tuple of Video
        The first and the second.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> clips = vidu.sweep("Coffee, push in.", data.coffee(), seed=[1, 2], aspect_ratio="1:1", quality="draft").videos
    >>> verdict = vidu.reproduces(*clips)
    >>> bool(verdict), verdict.word, verdict.sound_word
    (False, 'different', 'different')
    >>> verdict.row["verdict"], verdict.table[0]["frame"], verdict.flipped().names == verdict.names[::-1]
    ('different', 0, True)
    >>> verdict.plot().savefig("verdict.png")
    >>> print(verdict.alt)
    SSIM of coffee... over time, from 0... Verdict: different.
    >>> print(verdict.why)
    120 of 120 frames are too far apart, frame ... most: SSIM 0... (threshold 0.88), ...; the sound differs: ...
    """

    word: PicturesVerdict
    names: tuple[str, str]
    pictures: Pictures
    sound: Sound
    clips: tuple[Video, Video]

    def __bool__(self) -> bool:
        return self.word != "different" and self.sound_word != "different"

    @property
    def sound_word(self) -> SoundVerdict:
        """Of the sound alone: ``"same"``, ``"alike"``, ``"different"``, or ``"none"`` where both are silent files."""
        return judge_sound(self.sound)

    @property
    def why(self) -> str:
        """The verdict's reason in a sentence, with the figures and the thresholds that decided."""
        return f"{why_pictures(self.word, self.pictures)}; {why_sound(self.sound)}."

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each pair of frames: frame (from 0), seconds, ssim and psnr_db."""
        fps = self.clips[0].info.fps
        pairs = zip(self.pictures.ssim, self.pictures.psnr_db, strict=True)
        return [
            {"frame": i, "seconds": round(i / fps, 3), "ssim": ssim, "psnr_db": psnr}
            for i, (ssim, psnr) in enumerate(pairs)
        ]

    @property
    def row(self) -> dict[str, Any]:
        """The verdict as a row of a table; figures are None where frames or sounds can't be compared."""
        pictures = self.pictures
        worst = decisive_frame(pictures) if pictures.ssim else None
        return {
            "first": self.names[0],
            "second": self.names[1],
            "verdict": self.word,
            "worst_frame": worst,
            "ssim": None if worst is None else pictures.ssim[worst],
            "psnr_db": None if worst is None else pictures.psnr_db[worst],
            "late_frames": pictures.lag,
            "sound": self.sound_word,
            "sdr_db": self.sound.sdr_db if all(self.sound.present) else None,
            "why": self.why,
        }

    @property
    def alt(self) -> str:
        """The plot in words, for those who can't see it; `why`, where there is nothing to plot."""
        if not self.pictures.ssim:
            return self.why
        worst = decisive_frame(self.pictures)
        return (
            f"SSIM of {self.names[0]} and {self.names[1]} over time, from {min(self.pictures.ssim):.3f} to "
            f"{max(self.pictures.ssim):.3f}; below it frame {worst} of both, where they differ most, and how. "
            f"Verdict: {self.word}."
        )

    def plot(self) -> Plot:
        """Draw SSIM over time with its threshold, above the pair of frames that differs most and their difference.

        Returns
        -------
        matplotlib.figure.Figure
            Shows itself as a cell's last value, with `alt` as its text alternative.

        Raises
        ------
        InvalidRequest
            The frames can't be compared: shape or frame rate differ.
        ViduError
            matplotlib is missing.
        """
        if not self.pictures.ssim:
            raise InvalidRequest(f"clips: there is nothing to plot, {self.pictures.obstacle}", field="clips")
        return _plot(self)

    def flipped(self) -> Verdict:
        """Exchange first and second."""
        return replace(
            self,
            names=self.names[::-1],
            clips=self.clips[::-1],
            pictures=self.pictures.flipped(),
            sound=self.sound.flipped(),
        )

    def __repr__(self) -> str:
        return f"Verdict({self.word!r}: {self.why})"

    def _repr_html_(self) -> str:
        return (
            f'<div class="vidu-verdict"><strong>{escape(self.word)}</strong>: '
            f"{escape(self.names[0])} | {escape(self.names[1])}<br>{escape(self.why)}</div>"
        )


@dataclass(frozen=True, slots=True, repr=False)
class Verdicts:
    """Verdicts on every pair of two lists of clips; ``verdicts[row, column]`` is one, by place from 0 or by name.

    Any other place raises IndexError, any other name KeyError. Made by `reproduces`.

    Attributes
    ----------
    rows, columns : tuple of str
        What the clips are called.
    cells : tuple of tuple of Verdict
        Row by row.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> clip = vidu.preview("Coffee, push in.", data.coffee(), aspect_ratio="1:1", quality="draft")
    >>> verdicts = vidu.reproduces({"first": clip, "copy": clip.save("copy.mp4")})
    >>> verdicts
           first          copy
    first  same bytes     same pictures
    copy   same pictures  same bytes
    >>> verdicts["first", "copy"].word, verdicts[0, 0].word, len(verdicts.table)
    ('same pictures', 'same bytes', 4)
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Verdict, ...], ...]

    def __getitem__(self, at: tuple[int | str, int | str]) -> Verdict:
        row, column = (_place(one, names) for one, names in zip(at, (self.rows, self.columns), strict=True))
        return self.cells[row][column]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each pair, as `Verdict.row` has it."""
        return [verdict.row for line in self.cells for verdict in line]

    def __repr__(self) -> str:
        lines = [["", *self.columns]] + [
            [name, *(_cell(one) for one in line)] for name, line in zip(self.rows, self.cells, strict=True)
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(f'<td title="{escape(one.why)}">{escape(_cell(one))}</td>' for one in line)
            + "</tr>"
            for name, line in zip(self.rows, self.cells, strict=True)
        )
        return f'<table class="vidu-verdicts"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


@overload
def reproduces(a: Clip, b: Clip) -> Verdict: ...
@overload
def reproduces(a: Clips, b: Clip | Clips | None = None) -> Verdicts: ...
@overload
def reproduces(a: Clip, b: Clips) -> Verdicts: ...
def reproduces(a: Clip | Clips, b: Clip | Clips | None = None) -> Verdict | Verdicts:
    """Say whether `b` reproduces `a`, from strongest to weakest: same bytes, same pictures, alike, different.

    *Same pictures*: every decoded sample of every frame is equal. *Alike*: as many frames, not shifted in time, each
    with an SSIM of at least 0.88 and a PSNR of at least 27.4 dB, from where viewers call a coded picture reasonable
    (Zinner and others, QoMEX 2010); the worst frame decides, for a mean would hide a shot that went
    another way. The sound is judged by itself. Frames are paired by their order.

    Parameters
    ----------
    a, b
        Clips (`Video` or path) for one verdict; a list, or a dict of name to clip, for a matrix of verdicts. A list
        alone is compared with itself.

    Returns
    -------
    Verdict or Verdicts
        Verdicts where either is a list.

    Raises
    ------
    InvalidRequest
        A single clip with nothing to compare it with, or an empty list.
    ViduError
        A file is missing or can't be decoded.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> video = vidu.preview("Coffee, slow push in.", data.coffee(), aspect_ratio="1:1", bgm=False)
    >>> verdict = reproduces(video, video.save("copy.mp4"))  # the copy's file also holds its recipe
    >>> verdict.word, verdict.sound_word
    ('same pictures', 'none')
    >>> print(verdict.why)
    all 120 decoded frames are equal, the files' bytes are not; neither has sound.
    """
    if _is_one(a) and _is_one(b):
        return _judge(*_named([a, b]).items())
    if b is None and _is_one(a):
        raise InvalidRequest("b: one clip alone has nothing to be compared with: pass a second one", field="b")
    rows = _named(a)
    columns = rows if b is None else _named(b)
    if not rows or not columns:
        raise InvalidRequest("clips: a list is empty: pass at least one clip in each", field="clips")
    known: dict[tuple[Path, Path], Verdict] = {}
    cells = tuple(tuple(_judge_once(known, row, column) for column in columns.items()) for row in rows.items())
    return Verdicts(tuple(rows), tuple(columns), cells)


def _is_one(clips: object) -> bool:
    return isinstance(clips, Video | str | os.PathLike)


def _named(clips: Any) -> dict[str, Video]:
    """Map names to clips; files of one name get a number."""
    if _is_one(clips):
        clips = [clips]
    if isinstance(clips, Mapping):
        return {str(name): _video(clip) for name, clip in clips.items()}
    found: dict[str, Video] = {}
    for clip in map(_video, clips):
        name, count = clip.path.name, 2
        while name in found:
            name, count = f"{clip.path.name} ({count})", count + 1
        found[name] = clip
    return found


def _video(clip: Clip) -> Video:
    return clip if isinstance(clip, Video) else Video(expanded(clip))


def _judge_once(
    known: dict[tuple[Path, Path], Verdict], first: tuple[str, Video], second: tuple[str, Video]
) -> Verdict:
    """Judge a pair, or take the verdict of one met before, either way round."""
    (a, one), (b, other) = first, second
    if there := known.get((one.path, other.path)):
        return replace(there, names=(a, b))
    if back := known.get((other.path, one.path)):
        return replace(back.flipped(), names=(a, b))
    verdict = known[one.path, other.path] = _judge(first, second)
    return verdict


def _judge(first: tuple[str, Video], second: tuple[str, Video]) -> Verdict:
    (a, one), (b, other) = first, second
    if _digest(one.path) == _digest(other.path):
        return Verdict("same bytes", (a, b), equal_pictures(one.path), equal_sound(one.path), (one, other))
    pictures = compare_pictures(one.path, other.path)
    return Verdict(judge_pictures(pictures), (a, b), pictures, compare_sound(one.path, other.path), clips=(one, other))


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ViduError(f"{path} can't be read ({error.strerror})", remedy="Check the path.") from error


def _place(at: int | str, names: tuple[str, ...]) -> int:
    if isinstance(at, str) and at not in names:
        raise KeyError(at)
    return names.index(at) if isinstance(at, str) else at


def _cell(verdict: Verdict) -> str:
    """Return a verdict for a matrix: the pictures', and the sound's where that is another one."""
    sound = verdict.sound_word
    agrees = sound in {"none", "same"} or sound == verdict.word
    return verdict.word if agrees else f"{verdict.word}, sound {sound}"


def _plot(verdict: Verdict) -> Plot:
    pictures, fps = verdict.pictures, verdict.clips[0].info.fps
    worst = decisive_frame(pictures)
    pair = _frames(verdict.clips, worst)
    height, width = pair[0].shape[:2]
    tall = min(_AREA**0.5 * (height / width) ** 0.5, 2.7 * height / width)
    figure = new_plot(9, 2.6 + tall, verdict.alt)
    grid = figure.add_gridspec(2, 3, height_ratios=[2.0, tall])
    line = figure.add_subplot(grid[0, :])
    seconds = np.arange(len(pictures.ssim)) / fps
    line.plot(seconds, pictures.ssim, color=ACCENT, label="SSIM of two frames")
    line.axhline(MIN_SSIM, color=MUTED, linestyle="--", linewidth=1, label=f"threshold of alike: {MIN_SSIM}")
    line.plot(seconds[worst], pictures.ssim[worst], "v", color=WARN, markersize=9, label=f"worst: frame {worst}")
    line.set(
        xlabel="seconds", ylabel="SSIM", ylim=(min(0.8, *pictures.ssim) - 0.03, 1.01), xlim=(0, len(seconds) / fps)
    )
    line.set_title(verdict.word, color=INK, fontsize=11, fontweight="bold", loc="left")
    line.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=8)
    gap = np.abs(pair[0].astype(np.int16) - pair[1]).max(axis=2)
    at = f"{worst / fps:.2f} s"
    titles = [*(f"{shortened(name, 32)}, {at}" for name in verdict.names), f"difference, up to {gap.max()} of 255"]
    for i, (picture, title) in enumerate(zip([*pair, gap], titles, strict=True)):
        axes = figure.add_subplot(grid[1, i])
        axes.imshow(picture, cmap="gray", vmin=0, vmax=max(int(gap.max()), 1))
        axes.set_title(title, color=INK, fontsize=8, parse_math=False)
        axes.set_axis_off()
    return figure


def _frames(clips: tuple[Video, Video], number: int) -> list[np.ndarray]:
    """Decode a frame of each as uint8 RGB of one shape."""
    infos = [clip.info for clip in clips]
    side = min(_SIDE, *(max(info.width, info.height) for info in infos))
    pair = [next(islice(clip.frames(side=side), number, None)) for clip in clips]
    height, width = (min(one.shape[axis] for one in pair) for axis in (0, 1))
    return [one[:height, :width] for one in pair]  # two sizes of one ratio may round to sides two pixels apart
