"""`show`: one clip or picture, or several as a grid; several clips with one bar of controls for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import InvalidRequest
from .pictures import Picture, Pictures
from .player import Player
from .video import Video


class PlayersInStep(Player):
    """Shows several players and, where the front end has widgets, the bar that plays them in step.

    The players are one output and the bar another: links to files work in ordinary outputs only, and a saved notebook
    shows its clips without a kernel.
    """

    def _ipython_display_(self) -> None:
        from IPython.display import display

        from .widgets.synchroniser import Synchroniser

        display(self.bundle(), raw=True)
        display(Synchroniser.from_player(self))

    def _bar(self) -> Mapping[str, Any]:
        from .widgets.synchroniser import timeline_of

        return timeline_of(self)


def show(
    videos: Video | Picture | Sequence[Video | Picture], labels: Sequence[str] | None = None, *, embed: bool = False
) -> Player:
    """Show one clip or picture; several side by side, each under its label, clips with one timeline for all.

    The bar under several clips plays, pauses and steps them together, frame by frame if you like, and lays one over
    another with a wipe. Where there are no widgets, or pictures among them, each player keeps controls of its own.

    Parameters
    ----------
    videos
        One to nine `Video` or `Picture`, in any order; `Pictures` count as their pictures.
    labels
        One text for each.
    embed
        Put the whole files into the notebook instead of links.

    Returns
    -------
    Player
        Shows itself as a cell's last value, or with IPython's `display`.

    Raises
    ------
    InvalidRequest
        No video, something else, more than nine, or a different number of labels.

    >>> from pathlib import Path
    >>> clips = [Video(Path("first.mp4")), Video(Path("second.mp4"))]  # from generate, preview, sweep or load
    >>> show(clips, labels=["seed 1", "seed 2"])
    seed 1: Video(first.mp4, 'first.mp4')
    seed 2: Video(second.mp4, 'second.mp4')
    """
    given = [videos] if isinstance(videos, Video | Picture) else list(videos)
    chosen = [part for one in given for part in (one if isinstance(one, Pictures) else [one])]
    if strange := [one for one in chosen if not isinstance(one, Video | Picture)]:
        message = f"videos: {strange[0]!r} is no Video or Picture; vidu.load(path) makes one of a file"
        raise InvalidRequest(message, field="videos")
    clips = [one for one in chosen if isinstance(one, Video)]
    in_step = len(clips) == len(chosen) > 1
    return (PlayersInStep if in_step else Player)(chosen, labels=labels, embed=embed)
