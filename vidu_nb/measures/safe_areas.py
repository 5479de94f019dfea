"""Where the usual targets leave a frame clear, and how much of a subject's box lies there: arithmetic on rectangles."""

from __future__ import annotations

from dataclasses import dataclass

from ..animatic.film.camera import Box
from ..request import FRAME_SIZES

#: A safe area holds a subject of which it has nine tenths at every moment.
ENOUGH = 0.9


@dataclass(frozen=True, slots=True)
class SafeArea:
    """The part of a ratio's frame that a target leaves clear; `margins` are left, top, right and bottom in pixels."""

    name: str
    ratio: str
    margins: tuple[int, int, int, int]
    source: str

    @property
    def box(self) -> Box:
        """The clear rectangle in pixels of the full frame."""
        (left, top, right, bottom), (width, height) = self.margins, FRAME_SIZES[self.ratio]
        return Box(left, top, width - right, height - bottom)


#: Apps move their controls often: docs/measures.md has the sources, and what could not be checked.
SAFE_AREAS = (
    SafeArea("TV action", "16:9", (67, 38, 67, 38), "SMPTE ST 2046-1 and EBU R 95: 93 % each way"),
    SafeArea("TV title", "16:9", (96, 54, 96, 54), "SMPTE ST 2046-1 and EBU R 95: 90 % each way"),
    SafeArea("Instagram feed", "1:1", (0, 0, 0, 0), "a square post is shown whole"),
    SafeArea("Instagram grid", "1:1", (135, 0, 135, 0), "a profile's grid shows the middle 3:4 (since 2025)"),
    SafeArea("Instagram Stories", "9:16", (0, 250, 0, 340), "Meta ads guide: 250 px above, 340 px below"),
    SafeArea("Instagram Reels", "9:16", (65, 269, 65, 672), "Meta ads guide: 14 % above, 35 % below, 6 % aside"),
    SafeArea("YouTube Shorts", "9:16", (48, 288, 192, 672), "Google Ads help: 15 % above, 35 % below"),
    SafeArea("TikTok", "9:16", (60, 130, 140, 484), "TikTok ads help, in-feed; moves with the caption's length"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the subject is at one time, in pixels of the delivered frame.

    `subject` may reach beyond the frame; `seen` is the part of the frame that shows the picture (a preview fills the
    rest, where a crop would lose the subject).
    """

    seconds: float
    subject: Box
    seen: Box

    def inside(self, area: Box | None = None) -> float:
        """Return the share of the subject's box that is seen, 0 to 1; with an area, that is seen within it.

        >>> Moment(0.0, Box(0, 0, 100, 100), Box(0, 0, 100, 100)).inside(Box(25, 0, 100, 100))
        0.75
        """
        part = common(self.subject, self.seen)
        return size_of(common(part, area) if area else part) / max(size_of(self.subject), 1e-9)


def moved(box: Box, x: float, y: float, scale: float) -> Box:
    """Shift a box, then scale it about the origin."""
    return Box((box.left + x) * scale, (box.top + y) * scale, (box.right + x) * scale, (box.bottom + y) * scale)


def common(a: Box, b: Box) -> Box:
    """Intersect two boxes; the result is empty where they are apart."""
    left, top = max(a.left, b.left), max(a.top, b.top)
    return Box(left, top, max(left, min(a.right, b.right)), max(top, min(a.bottom, b.bottom)))


def size_of(box: Box) -> float:
    """Return a box's area in square pixels."""
    return box.width * box.height
