"""The bar of controls that plays a grid's clips in step; it holds no media, and finds the players by their group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import traitlets as t

from ..media import probe
from .front import FrontEnd

if TYPE_CHECKING:
    from ..player import Player


class Synchroniser(FrontEnd):
    """Play, pause, step, speed, loop, sound and wipe for all the clips of a grid on the same page.

    Attributes
    ----------
    group : str
        `Player.group` of the grid.
    labels : list of str
        One for each clip.
    fps : float
        Frames per second on the timeline, those of the first clip.
    frames : int
        Frames on the timeline, which is as long as the longest clip.
    """

    files = ("dom", "timeline", "synchroniser", "synchroniser_alone")

    group = t.Unicode().tag(sync=True)
    labels = t.List(t.Unicode()).tag(sync=True)
    fps = t.Float(24.0).tag(sync=True)
    frames = t.Int(1).tag(sync=True)

    @classmethod
    def from_player(cls, player: Player) -> Synchroniser:
        """Make the bar for a grid of players, which is to be shown beside it."""
        return cls(**timeline_of(player))

    def __repr__(self) -> str:
        return f"To play these {len(self.labels)} clips in step, run this cell in a notebook that shows widgets."


def timeline_of(player: Player) -> dict[str, Any]:
    """Return what a bar for a grid of players holds: its name, the clips' labels, and a timeline for all."""
    infos = [probe(video.path) for video in player.videos]
    fps = infos[0].fps or 24.0
    longest = max(info.frames / (info.fps or fps) for info in infos)
    labels = [label or f"clip {i}" for i, label in enumerate(player.labels, 1)]
    return {"group": player.group, "labels": labels, "fps": fps, "frames": max(1, math.ceil(round(longest * fps, 3)))}
