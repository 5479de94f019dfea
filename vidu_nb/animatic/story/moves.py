"""What the camera knows: moves, how far they go, how fast, and from how near."""

from __future__ import annotations

import math
from dataclasses import dataclass

AMPLITUDES = {"auto": 0.85, "small": 0.45, "medium": 1.0, "large": 1.9}
PACES = {"slow": 0.75, "normal": 1.0, "fast": 1.45}
SIZES = {"wide": 1.0, "medium": 0.76, "close-up": 0.52}


@dataclass(frozen=True, slots=True)
class Move:
    """What a move does at medium amplitude over a full-length shot.

    `zoom` is first width / last width (above 1 goes in); `x` and `y` are travel in view widths and heights (right and
    down); `roll` is the whole turn in degrees; `sway` is how much of a hand's unrest there is; `whip` puts all of the
    travel into half a second.
    """

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    sway: float = 0.0
    whip: bool = False


MOVES = {
    # A locked camera still breathes: a picture that stands entirely still reads as a player that hangs.
    "static": Move(zoom=1.015),
    "push in": Move(zoom=1.26),
    "pull out": Move(zoom=1 / 1.26),
    "zoom in": Move(zoom=1.42),
    "zoom out": Move(zoom=1 / 1.42),
    "dolly in": Move(zoom=1.3, y=-0.02),
    "dolly out": Move(zoom=1 / 1.3, y=0.02),
    "pan left": Move(x=-0.22),
    "pan right": Move(x=0.22),
    "whip pan left": Move(x=-0.24, whip=True),
    "whip pan right": Move(x=0.24, whip=True),
    "tilt up": Move(y=-0.22),
    "tilt down": Move(y=0.22),
    "truck left": Move(x=-0.16, zoom=1.08),
    "truck right": Move(x=0.16, zoom=1.08),
    "crane up": Move(y=-0.16, zoom=1 / 1.12),
    "crane down": Move(y=0.16, zoom=1.12),
    "pedestal up": Move(y=-0.18, zoom=1.03),
    "pedestal down": Move(y=0.18, zoom=1.03),
    "orbit": Move(x=0.13, zoom=1.12, roll=3.2),
    "orbit left": Move(x=-0.13, zoom=1.12, roll=-3.2),
    "handheld": Move(zoom=1.04, sway=1.0),
}


def move_of(name: str) -> Move:
    """Look a move up, or several that go on together, joined by " + ".

    Raises
    ------
    ValueError
        The camera doesn't know one of them.

    >>> move_of("zoom in + pan left")
    Move(zoom=1.42, x=-0.22, y=0.0, roll=0.0, sway=0.0, whip=False)
    """
    parts = name.split(" + ")
    if strange := [part for part in parts if part not in MOVES]:
        raise ValueError(f"move={strange[0]!r} is none of {', '.join(MOVES)}")
    moves = [MOVES[part] for part in parts]
    return Move(
        math.prod(move.zoom for move in moves),
        sum(move.x for move in moves),
        sum(move.y for move in moves),
        sum(move.roll for move in moves),
        max(move.sway for move in moves),
        any(move.whip for move in moves),
    )
