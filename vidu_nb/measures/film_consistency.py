"""How well a film's scenes show its cast: each member by scene, and what drifts from scene to scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..references.reference import Reference
from .consistency import RATE, Consistency, look_for, measure_of
from .embedding import Embed, Measure
from .matching import Picture, shrunk
from .plots import INK, new_plot, plot_html, shortened, table_html
from .scenes import SceneClip, draw_heat, heat_html, heat_text, missing_of, told_missing

if TYPE_CHECKING:
    from .figure import Plot

_MOST_PAIRS = 6  # of a reference and a frame below the heat map
_SIDE = 160  # px of the longer side of the pictures that a result holds


@dataclass(frozen=True, slots=True)
class Cell:
    """What a scene shows of a member of the cast.

    Attributes
    ----------
    name : str
        Who.
    index : int
        The scene's place in the film, from 0; ``.scene`` counts from 1.
    score : float
        How like themselves they look while they are on screen, 0 to 1; where they never are, the best that was found.
    share : float
        The share of the scene's time that they are on screen for, 0 to 1.
    picture : numpy.ndarray
        The frame that shows them best, uint8 RGB.
    """

    name: str
    index: int
    score: float
    share: float
    picture: Picture = field(repr=False, compare=False)

    @property
    def scene(self) -> int:
        """The scene's number, from 1."""
        return self.index + 1

    def __str__(self) -> str:
        return f"{self.name} in scene {self.scene} ({self.score:.2f})"


@dataclass(frozen=True, slots=True)
class Drift:
    """What changes of a member from one of their scenes to the next.

    Attributes
    ----------
    name : str
        Who.
    before, after : int
        The places of the two scenes, from 0.
    change : float
        The later score less the earlier one: below 0 they look less like their pictures than before.
    likeness : float
        How alike the two frames are that show them best, 0 to 1, by the measure that was given.
    """

    name: str
    before: int
    after: int
    change: float
    likeness: float

    def __str__(self) -> str:
        return f"{self.name} from scene {self.before + 1} to {self.after + 1} ({self.change:+.2f})"


@dataclass(frozen=True, slots=True, repr=False)
class FilmConsistency:
    """The result of `consistency` for a film: how well each scene shows those of the cast whom it mentions.

    Attributes
    ----------
    names : tuple of str
        The cast.
    titles : tuple of str
        One for each scene; may be empty.
    cells : tuple of Cell
        What was measured, by scene and then by name.
    drifts : tuple of Drift
        From scene to scene, in the same order.
    missing : tuple of int
        The places of scenes that have no clip.
    reports : mapping
        Each measured scene's `Consistency`, by its place.
    notes : tuple of str
        Who could not be measured, and why.
    of : str
        Whose clips these are: the service's name, ``"preview"`` or ``"preview, draft"``.
    pictures : mapping
        A small picture of each member, uint8 RGB.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> cast = vidu.Cast(cat=data.cat(), cup=data.coffee())
    >>> film = vidu.Film(["@cat naps.", "The @cup. Then @cat."], cast=cast, aspect_ratio="1:1", bgm=False)
    >>> film.preview(quality="draft").info.duration
    10.0
    >>> found = vidu.consistency(film)
    >>> found.scores.shape, found.weakest.name, found.weakest_of("cat").scene, found.missing, found.of
    ((2, 2), 'cup', 2, (), 'preview, draft')
    >>> found.table[1]["scenes"], found.steepest.name, found.facts()["weakest"]["scene"]
    ('2', 'cat', 2)
    >>> found.plot().savefig("cast.png")
    """

    names: tuple[str, ...]
    titles: tuple[str, ...]
    cells: tuple[Cell, ...]
    drifts: tuple[Drift, ...]
    missing: tuple[int, ...]
    reports: Mapping[int, Consistency]
    notes: tuple[str, ...]
    of: str
    pictures: Mapping[str, Picture]

    @property
    def scores(self) -> NDArray[np.float64]:
        """The scores, shape (cast, scenes); nan where nothing was measured."""
        found = np.full((len(self.names), len(self.titles)), np.nan)
        for cell in self.cells:
            found[self.names.index(cell.name), cell.index] = cell.score
        return found

    @property
    def weakest(self) -> Cell | None:
        """The lowest score of all."""
        return min(self.cells, key=_score, default=None)

    def weakest_of(self, name: str) -> Cell | None:
        """Return the lowest score of one of the cast, None where nothing was measured.

        Raises
        ------
        InvalidRequest
            Nobody has that name.
        """
        if name not in self.names:
            raise InvalidRequest(f"name: {name!r} is not in the cast: {', '.join(self.names)}", field="name")
        return min((cell for cell in self.cells if cell.name == name), key=_score, default=None)

    @property
    def steepest(self) -> Drift | None:
        """The largest fall from one scene to the next; None where nobody is measured twice."""
        return min(self.drifts, key=lambda one: one.change, default=None)

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each of the cast; ``pandas.DataFrame(result.table)`` works."""
        return [self._row(name) for name in self.names]

    def _row(self, name: str) -> dict[str, Any]:
        cells = [cell for cell in self.cells if cell.name == name]
        falls = [one for one in self.drifts if one.name == name]
        weakest, steepest = self.weakest_of(name), min(falls, key=lambda one: one.change, default=None)
        return {
            "name": name,
            "scenes": ", ".join(str(cell.scene) for cell in cells),
            "mean": round(float(np.mean([cell.score for cell in cells])), 2) if cells else None,
            "weakest scene": weakest.scene if weakest else None,
            "its score": round(weakest.score, 2) if weakest else None,
            "drifts most": f"scene {steepest.before + 1} to {steepest.after + 1}" if steepest else "",
            "by": round(steepest.change, 2) if steepest else None,
        }

    def facts(self) -> dict[str, Any]:
        """Return the measure as JSON-ready values; scenes are counted from 1."""
        return {
            "of": self.of,
            "scenes": len(self.titles),
            "missing": [index + 1 for index in self.missing],
            "cells": [
                {"name": cell.name, "scene": cell.scene, "score": round(cell.score, 3), "share": round(cell.share, 3)}
                for cell in self.cells
            ],
            "weakest": {"name": self.weakest.name, "scene": self.weakest.scene} if self.weakest else None,
            "drifts": [
                {
                    "name": one.name, "from": one.before + 1, "to": one.after + 1, "change": round(one.change, 3),
                    "likeness": round(one.likeness, 3),
                }
                for one in self.drifts
            ],
            "notes": list(self.notes),
        }  # fmt: skip

    def plot(self) -> Plot:
        """Draw the cast by scene as a heat map, above each one's picture beside the frame of their weakest scene.

        Returns
        -------
        matplotlib.figure.Figure
            Shows itself as a cell's last value, with a text alternative.

        Raises
        ------
        ViduError
            matplotlib is missing.
        """
        pairs = [cell for name in self.names if (cell := self.weakest_of(name))][:_MOST_PAIRS]
        heat, strip = 1.1 + 0.34 * len(self.names), 1.3 if pairs else 0.0
        figure = new_plot(6.6, heat + strip, f"The cast by scene. {self._told()}")
        parts: Any = figure.subfigures(2, 1, height_ratios=[heat, strip]) if pairs else [figure]
        weakest = self.weakest
        mark = (self.names.index(weakest.name), weakest.index) if weakest else None
        draw_heat(parts[0], self.names, self.titles, self.scores, what="score", mark=mark)
        for axes, cell in zip(parts[1].subplots(1, 2 * len(pairs)).reshape(-1, 2) if pairs else (), pairs, strict=True):
            for one, picture, title in zip(
                axes, (self.pictures[cell.name], cell.picture), (cell.name, f"scene {cell.scene}: {cell.score:.2f}"),
                strict=True,
            ):  # fmt: skip
                one.imshow(picture)
                one.set_title(shortened(title, 14), fontsize=8, color=INK, parse_math=False)
                one.axis("off")
        return figure

    def _told(self) -> str:
        parts = [f"weakest: {self.weakest}"] if self.weakest else ["nobody was measured"]
        parts += [f"drifts most: {self.steepest}"] if self.steepest and self.steepest.change < 0 else []
        parts += [told_missing(self.missing)] if self.missing else []
        return "; ".join((*parts, *self.notes))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        head = f"<p>{escape(self._told())}</p>"
        table = heat_html(self.names, self.titles, self.scores, self.missing)
        rows = self.table
        members = table_html(rows[0], map(dict.values, rows)) if rows else ""
        return {"text/plain": repr(self), "text/html": f"{head}{table}{members}{plot_html(self.plot)}"}

    def __repr__(self) -> str:
        head = f"FilmConsistency({len(self.titles)} scenes, {self.of}; {self._told()})"
        return "\n".join([head, *heat_text(self.names, self.scores, self.missing)])


def consistency_of_scenes(
    scenes: Sequence[SceneClip],
    cast: Mapping[str, Sequence[Reference]],
    *,
    of: str,
    embed: Embed | None = None,
    rate: float = RATE,
    threshold: float | None = None,
) -> FilmConsistency:
    """Look in each scene's clip for those of the cast whom it mentions.

    Parameters
    ----------
    scenes
        In the film's order.
    cast
        Pictures by name; those behind a URL can't be looked for.
    of
        Whose clips these are.
    embed, rate, threshold
        As for `consistency`.
    """
    measure = measure_of(embed)
    notes, seen = [], {}
    for name, pictures in cast.items():
        here = [one for one in pictures if not one.is_url]
        seen[name] = [one for one in here if not measure.is_plain(_extracted(measure, one))]
        if not seen[name]:
            notes.append(f"{name} is not measured: {'too plain to be found' if here else 'known by a URL alone'}")
    cells: list[Cell] = []
    reports = {}
    for index, scene in enumerate(scenes):
        wanted = [(name, one) for name in scene.names for one in seen[name]]
        if scene.clip is None or not wanted:
            continue
        pictures = tuple(one for _, one in wanted)
        reports[index] = look_for(scene.clip.path, pictures, embed=embed, rate=rate, threshold=threshold)
        cells += _cells(index, [name for name, _ in wanted], reports[index])
    return FilmConsistency(
        names=tuple(cast),
        titles=tuple(scene.title for scene in scenes),
        cells=tuple(cells),
        drifts=tuple(_drifts(cells, measure)),
        missing=missing_of(scenes),
        reports=reports,
        notes=tuple(notes),
        of=of,
        pictures={name: shrunk(np.asarray(many[0].open()), _SIDE) for name, many in seen.items() if many},
    )


def _extracted(measure: Measure, reference: Reference) -> Any:
    return measure.extract_reference(np.asarray(reference.open()))


def _cells(index: int, owners: Sequence[str], report: Consistency) -> Iterator[Cell]:
    """Sum a scene's report up for each of its members, who may have several pictures."""
    for name in dict.fromkeys(owners):
        rows = [row for row, owner in enumerate(owners) if owner == name]
        scores = report.scores[rows].max(axis=0)
        there = scores >= report.threshold
        best = max((report.best[row] for row in rows), key=lambda one: one.score)
        score = float(scores[there].mean()) if there.any() else best.score
        yield Cell(name, index, score, float(there.mean()), shrunk(best.picture, _SIDE))


def _drifts(cells: Sequence[Cell], measure: Measure) -> Iterator[Drift]:
    for name in dict.fromkeys(cell.name for cell in cells):
        for before, after in pairwise(cell for cell in cells if cell.name == name):
            alike = measure.likeness(measure.extract(before.picture), measure.extract(after.picture))
            yield Drift(name, before.index, after.index, after.score - before.score, alike)


def _score(cell: Cell) -> float:
    return cell.score
