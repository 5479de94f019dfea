"""Is each reference still there? When it is on screen, how like itself it looks, and how steady the clip is."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..files import expanded
from ..media import probe
from ..references.reference import Reference, Source, as_references
from ..video import Video
from .embedding import Embed, Embedded, Measure
from .matching import Likeness, Picture, shrunk
from .plots import INK, new_plot, plot_html, shortened, table_html
from .tracking import Track, decoded, track

if TYPE_CHECKING:
    from .figure import Plot

RATE = 3.0  # samples a second: a preview's shortest shot lasts two thirds of a second
THRESHOLD = 0.5  # of the default measure, see `likeness`
EMBEDDED_THRESHOLD = 0.6  # of a cosine; every network has its own scale, so this is only where to begin

_JOINT = 8  # frames: what comes and goes within this time of each other is one change of shots, such as a dissolve
_STRIP = 8  # pictures below the heat map
_STRIP_SIDE = 160  # px of the longer side of the pictures that a result holds of every sample

_Likeness = Callable[[int, int], float]


class Span(NamedTuple):
    """From `start` to `end`, in seconds."""

    start: float
    end: float

    def __str__(self) -> str:
        return f"{self.start:.2f}-{self.end:.2f} s"


@dataclass(frozen=True, slots=True)
class Best:
    """The sample that shows a reference best: its time in seconds, its score, and the picture (uint8 RGB)."""

    time: float
    score: float
    picture: Picture = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Shot:
    """A part of a clip between two cuts or dissolves.

    Attributes
    ----------
    span : Span
        When.
    means : tuple of float
        Each reference's mean score over the shot's samples, 0 to 1; nan in a shot so short that no sample lies in it.
    consistency : float or None
        The shot's own frame-to-frame consistency; None where it has a single sample or none.
    """

    span: Span
    means: tuple[float, ...]
    consistency: float | None


@dataclass(frozen=True, slots=True, repr=False)
class Consistency:
    """The result of `consistency`: when each reference is on screen, how well it is shown, and how steady the clip is.

    Attributes
    ----------
    names : tuple of str
        The references' labels, in order.
    plain : tuple of bool
        True for a reference with too little detail to be found by the default measure.
    times : tuple of float
        When samples were taken, in seconds.
    scores : numpy.ndarray
        Shape (references, samples), 0 to 1.
    threshold : float
        The score from which on a reference counts as on screen.
    spans : tuple of tuple of Span
        For each reference when it is on screen, exact to a frame.
    best : tuple of Best
        For each reference the sample that shows it best.
    shots : tuple of Shot
        What lies between cuts.
    frame_to_frame : float or None
        Subject consistency as VBench defines it, over the whole clip, 0 to 1; None for a single frame.
    strip : tuple of numpy.ndarray
        Each sample as a small picture, uint8 RGB.
    duration : float
        Seconds.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> clip = vidu.preview("The cat looks up.", data.cat(), aspect_ratio="1:1", quality="draft")
    >>> result = vidu.consistency(clip)
    >>> result.table[0]["on screen"], result.scores.shape, len(result.shots)
    ('0.00-5.00 s', (1, 16), 2)
    >>> result.plot().savefig("cat.png")
    """

    names: tuple[str, ...]
    plain: tuple[bool, ...]
    times: tuple[float, ...]
    scores: NDArray[np.float64]
    threshold: float
    spans: tuple[tuple[Span, ...], ...]
    best: tuple[Best, ...]
    shots: tuple[Shot, ...]
    frame_to_frame: float | None
    strip: tuple[Picture, ...]
    duration: float

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each reference; ``pandas.DataFrame(result.table)`` works."""
        return [
            {
                "reference": name,
                "on screen": ", ".join(map(str, spans)) or "never",
                "share": round(sum(end - start for start, end in spans) / self.duration, 2),
                "best score": round(best.score, 2),
                "best at": round(best.time, 2),
                "note": "too plain to be found" if plain else "",
            }
            for name, plain, spans, best in zip(self.names, self.plain, self.spans, self.best, strict=True)
        ]

    def plot(self) -> Plot:
        """Draw references by time as a heat map above a strip of frames; a line marks when each is on screen.

        Returns
        -------
        matplotlib.figure.Figure
            Shows itself as a cell's last value, with a text alternative.

        Raises
        ------
        ViduError
            matplotlib is missing.
        """
        return _plot(self)

    def _repr_html_(self) -> str:
        rows = self.table
        steady = f"Frame to frame: {_figure(self.frame_to_frame)} over {len(self.shots)} shots."
        return f"{table_html(rows[0], map(dict.values, rows))}<p>{steady}</p>{plot_html(self.plot)}"

    def __repr__(self) -> str:
        rows = "; ".join(f"{row['reference']} {row['on screen']} (best {row['best score']:.2f})" for row in self.table)
        return f"Consistency({rows}; frame to frame {_figure(self.frame_to_frame)})"


def consistency(
    video: Video | str | os.PathLike[str],
    references: Source = None,
    *,
    embed: Embed | None = None,
    rate: float = RATE,
    threshold: float | None = None,
) -> Consistency:
    """Look for each reference in a clip; parameters, result and errors are those of `vidu_nb.consistency`."""
    path = _path_of(video)
    return look_for(path, _references(video, references), embed=embed, rate=rate, threshold=threshold)


def look_for(
    path: Path, references: Sequence[Reference], *, embed: Embed | None, rate: float, threshold: float | None
) -> Consistency:
    """Look for any number of pictures in a file; parameters and errors are those of `consistency`."""
    if not rate > 0:
        raise InvalidRequest(f"rate={rate} should be more than 0 samples a second", field="rate")
    measure = measure_of(embed)
    if threshold is None:
        threshold = THRESHOLD if embed is None else EMBEDDED_THRESHOLD
    fps = probe(path).fps or 24.0
    found = track(
        decoded(path),
        measure,
        [measure.extract_reference(np.asarray(reference.open())) for reference in references],
        threshold=threshold,
        step=max(1, round(fps / rate)),
    )
    return _result(found, tuple(reference.label for reference in references), fps)


def measure_of(embed: Embed | None) -> Measure:
    """Return the default measure, or one of vectors."""
    return Likeness() if embed is None else Embedded(embed)


def _path_of(video: Video | str | os.PathLike[str]) -> Path:
    if isinstance(video, Video):
        return video.path
    if isinstance(video, str | os.PathLike):
        return expanded(video)
    problem = f"video: {type(video).__name__} is no clip: it has no moments to compare; pass a Video or a file's path"
    raise InvalidRequest(problem, field="video")


def _references(video: object, given: Source) -> tuple[Reference, ...]:
    if given is None and isinstance(video, Video) and video.request:
        references = video.request.pictures
    else:
        references = as_references(given)
    if not references:
        raise InvalidRequest("there is no reference to look for: pass references=", field="references")
    return references


def _result(track: Track, names: tuple[str, ...], fps: float) -> Consistency:
    samples = track.samples
    scores = np.array([sample.scores for sample in samples]).T
    joints, edges = _changes(track)

    @functools.cache  # shots and the clip as a whole ask for many of the same pairs
    def likeness(one: int, other: int) -> float:
        return track.measure.likeness(samples[one].features, samples[other].features)

    def best(number: int) -> Best:
        found = max(samples, key=lambda sample: sample.scores[number])
        return Best(found.frame / fps, found.scores[number], found.picture)

    return Consistency(
        names=names,
        plain=tuple(map(track.measure.is_plain, track.references)),
        times=tuple(sample.frame / fps for sample in samples),
        scores=scores,
        threshold=track.threshold,
        spans=tuple(tuple(_spans(own, track.frames, fps)) for own in edges),
        best=tuple(map(best, range(len(names)))),
        shots=tuple(_shot(track, scores, *ends, fps, likeness) for ends in pairwise([0, *joints, track.frames])),
        frame_to_frame=_frame_to_frame(likeness, range(len(samples))),
        strip=tuple(shrunk(sample.picture, _STRIP_SIDE) for sample in samples),
        duration=track.frames / fps,
    )


def _changes(track: Track) -> tuple[list[int], list[dict[int, bool]]]:
    """Return the frames that shots begin with, and each reference's edges.

    In a dissolve both pictures are found for some frames, the richer one for longer. So the change is placed where the
    frame as a whole turns from one to the other, for all who come and go.
    """
    cuts = set(track.luma.cuts())
    groups: list[list[int]] = []
    for frame in sorted(cuts.union(*track.edges) - {0}):
        if groups and frame - groups[-1][-1] <= _JOINT:
            groups[-1].append(frame)
        else:
            groups.append([frame])
    joints = [
        next((frame for frame in group if frame in cuts), track.luma.turn(group[0] - _JOINT, group[-1] + _JOINT))
        for group in groups
    ]
    moved = {frame: joint for group, joint in zip(groups, joints, strict=True) for frame in group}
    edges = []
    for own in track.edges:
        snapped = {moved.get(frame, frame): there for frame, there in own.items()}
        edges.append(snapped if len(snapped) == len(own) else own)  # not where it came and went within that time
    return joints, edges


def _spans(edges: dict[int, bool], frames: int, fps: float) -> Iterator[Span]:
    for start, end in pairwise([*sorted(edges), frames]):
        if edges[start]:
            yield Span(start / fps, end / fps)


def _shot(track: Track, scores: NDArray[np.float64], start: int, end: int, fps: float, likeness: _Likeness) -> Shot:
    inside = [i for i, sample in enumerate(track.samples) if start <= sample.frame < end]
    means = tuple(float(row[inside].mean()) if inside else math.nan for row in scores)
    return Shot(Span(start / fps, end / fps), means, _frame_to_frame(likeness, inside))


def _frame_to_frame(likeness: _Likeness, samples: Sequence[int]) -> float | None:
    """Compute VBench's subject consistency over samples, first to last."""
    if len(samples) < 2:
        return None
    halves = [(likeness(samples[0], now) + likeness(before, now)) / 2 for before, now in pairwise(samples)]
    return float(np.mean(halves))


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _plot(found: Consistency) -> Plot:
    count = len(found.names)
    step = found.times[1] - found.times[0] if len(found.times) > 1 else found.duration
    edges = [max(0.0, time - step / 2) for time in found.times] + [found.duration]
    chosen = sorted({round(i) for i in np.linspace(0, len(found.strip) - 1, min(_STRIP, len(found.strip)))})
    tall = found.strip[0].shape[0] / found.strip[0].shape[1]
    width = 6.6
    strip_height = min(1.2, width / len(chosen) * tall)
    alt = f"References by time, frames below. {found}"
    figure = new_plot(width, 1.0 + 0.34 * count + strip_height, alt)
    rows: Any = figure.subfigures(2, 1, height_ratios=[1.0 + 0.34 * count, strip_height])
    heat = rows[0].subplots()
    mesh = heat.pcolormesh(edges, range(count + 1), found.scores, vmin=0, vmax=1, cmap="Blues")
    for row, spans in enumerate(found.spans):
        heat.hlines([row + 0.88] * len(spans), [a for a, _ in spans], [b for _, b in spans], color="#e65100", lw=3)
    for shot in found.shots[1:]:
        heat.axvline(shot.span.start, color=INK, lw=0.8, ls=":")
    heat.set_yticks(
        [row + 0.5 for row in range(count)], [shortened(name, 18) for name in found.names], parse_math=False
    )
    heat.invert_yaxis()
    heat.set_xlim(0, found.duration)
    heat.set_xlabel("seconds (orange: on screen; dotted: a new shot)", color=INK)
    rows[0].colorbar(mesh, ax=heat, label="score", pad=0.01)
    for axes, index in zip(rows[1].subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
        axes.imshow(found.strip[index])
        axes.set_title(f"{found.times[index]:.2f} s", fontsize=8, color=INK)
        axes.axis("off")
    return figure
