"""`show`: one clip as a player, several as a grid with one bar of controls for all."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidRequest
from ..player import Player
from ..video import Video


class PlayersInStep(Player):
    """Shows several players and, where the front end has widgets, the bar that plays them in step.

    The players are one output and the bar another: links to files work in ordinary outputs only, and a saved notebook
    shows its clips without a kernel.
    """

    def _ipython_display_(self) -> None:
        from IPython.display import display

        from .synchroniser import Synchroniser

        display(self.bundle(), raw=True)
        display(Synchroniser.from_player(self))


def show(videos: Video | Sequence[Video], labels: Sequence[str] | None = None, *, embed: bool = False) -> Player:
    """Show one clip as a player; several side by side, each under its label, with one timeline for all.

    The bar under several clips plays, pauses and steps them together, frame by frame if you like, and lays one over
    another with a wipe. Where there are no widgets, each player keeps controls of its own.

    Parameters
    ----------
    videos
        One to nine `Video`.
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
    chosen = [videos] if isinstance(videos, Video) else list(videos)
    if strange := [one for one in chosen if not isinstance(one, Video)]:
        raise InvalidRequest(f"videos: {strange[0]!r} is no Video; vidu.load(path) makes one of a file", field="videos")
    return (Player if len(chosen) == 1 else PlayersInStep)(chosen, labels=labels, embed=embed)
