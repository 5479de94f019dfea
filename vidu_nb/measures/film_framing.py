"""What each ratio and each safe area keeps of a film's scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidRequest
from ..request import FRAME_SIZES
from .framing import Framing, framing
from .plots import new_plot, plot_html
from .scenes import SceneClip, draw_heat, heat_html, heat_text, missing_of, told_missing

if TYPE_CHECKING:
    from .figure import Plot


@dataclass(frozen=True, slots=True, repr=False)
class FilmFraming:
    """The result of `framing` for a film: what each ratio and each safe area keeps of each scene's subject.

    ``found[2]`` is the `Framing` of the scene at that place, from 0.

    Attributes
    ----------
    titles : tuple of str
        One for each scene; may be empty.
    reports : mapping
        Each scene's `Framing`, by its place.
    missing : tuple of int
        The places of scenes that have no clip.
    of : str
        Whose clips these are: the service's name, ``"preview"`` or ``"preview, draft"``.

    >>> import vidu_nb as vidu
    >>> from skimage import data
    >>> film = vidu.Film(["@cat naps.", "@cat wakes up. Pan left."], cast={"cat": data.cat()}, bgm=False)
    >>> clip = film.preview(quality="draft")
    >>> found = vidu.framing(film)
    >>> found.names[:2], found.least.shape, found[1].of, found.missing
    (('16:9', 'TV action'), (11, 2), 'clip', ())
    >>> found.weakest("9:16") in (0, 1), found.table[0]["scene"], found.facts()["of"], found.titles, len(found.reports)
    (True, 1, 'preview, draft', ('', ''), 2)
    >>> found.plot().savefig("frames.png")
    """

    titles: tuple[str, ...]
    reports: Mapping[int, Framing]
    missing: tuple[int, ...]
    of: str

    def __getitem__(self, index: int) -> Framing:
        place = range(len(self.titles))[index]
        if place not in self.reports:
            raise InvalidRequest(f"scene {place + 1} has no clip yet", field="index")
        return self.reports[place]

    @property
    def names(self) -> tuple[str, ...]:
        """Each ratio, followed by its safe areas."""
        some = next(iter(self.reports.values()))
        return tuple(
            name for ratio in FRAME_SIZES for name in (ratio, *(area.name for area, _, _ in some[ratio].areas))
        )

    @property
    def least(self) -> NDArray[np.float64]:
        """The share of the subject that is kept at the worst moment, shape (names, scenes); nan for missing scenes."""
        found = np.full((len(self.names), len(self.titles)), np.nan)
        for index, report in self.reports.items():
            found[:, index] = [
                share
                for ratio in FRAME_SIZES
                for share in (report[ratio].least, *(least for _, _, least in report[ratio].areas))
            ]
        return found

    def weakest(self, name: str) -> int:
        """Return the place of the scene that loses most of its subject in a ratio or in a safe area.

        Raises
        ------
        InvalidRequest
            There is no such ratio or area.
        """
        if name not in self.names:
            raise InvalidRequest(f"name: {name!r} is none of {', '.join(self.names)}", field="name")
        return int(np.nanargmin(self.least[self.names.index(name)]))

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each scene and cut, as `Framing.table` has them; scenes are counted from 1."""
        return [
            {"scene": index + 1, "title": self.titles[index], **row}
            for index, report in sorted(self.reports.items())
            for row in report.table
        ]

    def facts(self) -> dict[str, Any]:
        """Return the measure as JSON-ready values; scenes are counted from 1."""
        least = self.least.round(3).tolist()
        rows = [
            {"scene": index + 1, **{name: row[index] for name, row in zip(self.names, least, strict=True)}}
            for index in sorted(self.reports)
        ]
        missing = [index + 1 for index in self.missing]
        return {"of": self.of, "scenes": len(self.titles), "missing": missing, "least": rows}

    def plot(self) -> Plot:
        """Draw ratios and safe areas by scene as a heat map: how much of the subject they keep at the worst moment.

        Returns
        -------
        matplotlib.figure.Figure
            Shows itself as a cell's last value, with a text alternative.

        Raises
        ------
        ViduError
            matplotlib is missing.
        """
        figure = new_plot(6.6, 1.1 + 0.28 * len(self.names), f"What each ratio keeps, by scene. {self._told()}")
        draw_heat(figure, self.names, self.titles, self.least, what="kept, at worst", mark=None)
        return figure

    def _told(self) -> str:
        parts = [
            f"{ratio} keeps least in scene {self.weakest(ratio) + 1}" for ratio in FRAME_SIZES if self._loses(ratio)
        ]
        parts = parts or ["every ratio keeps the subject in every scene"]
        return "; ".join([*parts, *([told_missing(self.missing)] if self.missing else [])])

    def _loses(self, ratio: str) -> bool:
        return bool(np.nanmin(self.least[self.names.index(ratio)]) < 1)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002
        table = heat_html(self.names, self.titles, self.least, self.missing)
        html = f"<p>{escape(self._told())}</p>{table}{plot_html(self.plot)}"
        return {"text/plain": repr(self), "text/html": html}

    def __repr__(self) -> str:
        head = f"FilmFraming({len(self.titles)} scenes, {self.of}; {self._told()})"
        return "\n".join([head, *heat_text(self.names, self.least, self.missing)])


def framing_of_scenes(scenes: Sequence[SceneClip], *, of: str) -> FilmFraming:
    """Measure what each ratio keeps of the scenes that have a clip; parameters as for `consistency_of_scenes`."""
    reports = {index: framing(scene.clip) for index, scene in enumerate(scenes) if scene.clip is not None}
    return FilmFraming(tuple(scene.title for scene in scenes), reports, missing_of(scenes), of)
