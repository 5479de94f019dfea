"""The camera: what moves it knows, and where it looks at each moment of a shot.

Everything here is arithmetic on small value objects. A `View` is what the camera sees: a rectangle of the output's
shape that may be rolled a little, laid on a picture. A `Path` leads from one view to another and never leaves the
picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]

AMPLITUDES = {"auto": 0.85, "small": 0.45, "medium": 1.0, "large": 1.9}
PACES = {"slow": 0.75, "normal": 1.0, "fast": 1.45}
SIZES = {"wide": 1.0, "medium": 0.76, "close-up": 0.52}
_FOREHEAD = 1.7  # face heights in view: closer than this, hair may be cut
# No view is narrower than this share of the widest one: further in there is more blur than picture.
NARROWEST = 0.26


@dataclass(frozen=True, slots=True)
class Move:
    """What a move does at medium amplitude over a full-length shot.

    `zoom` is first width / last width (above 1 goes in); `x` and `y` are travel in view widths and heights (right and
    down); `roll` is the whole turn in degrees.
    """

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0


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
    "tilt up": Move(y=-0.22),
    "tilt down": Move(y=0.22),
    "truck left": Move(x=-0.16, zoom=1.08),
    "truck right": Move(x=0.16, zoom=1.08),
    "crane up": Move(y=-0.16, zoom=1 / 1.12),
    "crane down": Move(y=0.16, zoom=1.12),
    "orbit": Move(x=0.13, zoom=1.12, roll=3.2),
    "orbit left": Move(x=-0.13, zoom=1.12, roll=-3.2),
    "drift left": Move(x=-0.1, zoom=1.1),
    "drift right": Move(x=0.1, zoom=1.1),
}


# ── Geometry ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to film: a picture's size, and where its subject is.

    `subject` holds everything that should stay in sight; `focus` is the point that the eye goes to (between the eyes of
    a face); `face` is the height of that face in pixels, 0 where none was found.
    """

    width: float
    height: float
    subject: Box
    focus: tuple[float, float]
    face: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees: centre and width in picture pixels, roll in radians."""

    x: float
    y: float
    width: float
    roll: float = 0.0

    def extent(self, aspect: float) -> tuple[float, float]:
        """Half the width and half the height of the upright box around this view."""
        cos, sin = math.cos(self.roll), abs(math.sin(self.roll))
        height = self.width / aspect
        return (self.width * cos + height * sin) / 2, (self.width * sin + height * cos) / 2

    def inside(self, scene: Scene, aspect: float) -> View:
        """The nearest view that shows nothing but picture."""
        half_width, half_height = self.extent(aspect)
        shrink = min(1.0, scene.width / 2 / half_width, scene.height / 2 / half_height)
        half_width, half_height = half_width * shrink, half_height * shrink
        return View(
            _clamp(self.x, half_width, scene.width - half_width),
            _clamp(self.y, half_height, scene.height - half_height),
            self.width * shrink,
            self.roll,
        )

    def matrix(self, out: tuple[int, int], origin: tuple[float, float], scale: float) -> Matrix:
        """Maps an output pixel's index to the index of the pixel it shows, as `cv2.warpAffine` takes it inverted.

        `out` is the output's width and height; `origin` and `scale` tell how the picture was cut and resized before
        (pixel = (point - origin) * scale). Points lie at the middle of pixels, hence the halves.
        """
        step = self.width / out[0] * scale
        cos, sin = step * math.cos(self.roll), step * math.sin(self.roll)
        half_x, half_y = (out[0] - 1) / 2, (out[1] - 1) / 2
        x = (self.x - origin[0]) * scale - 0.5 - cos * half_x + sin * half_y
        y = (self.y - origin[1]) * scale - 0.5 - sin * half_x - cos * half_y
        return (cos, -sin, x), (sin, cos, y)


@dataclass(frozen=True, slots=True)
class Path:
    """A camera move from `begin` to `end`, both inside the scene."""

    begin: View
    end: View
    scene: Scene
    aspect: float

    def at(self, time: float) -> View:
        """The view at `time`, 0 to 1."""
        ease = _ease(_clamp(time, 0.0, 1.0))
        a, b = self.begin, self.end
        # Widths move by equal ratios, so that a zoom looks as fast at its end as at its beginning.
        width = a.width * (b.width / a.width) ** ease
        # What is being zoomed at should stay put, which takes the centre along with the width and not with the time.
        along = (a.width - width) / (a.width - b.width) if abs(a.width - b.width) > 1e-3 * a.width else ease
        view = View(a.x + (b.x - a.x) * along, a.y + (b.y - a.y) * along, width, a.roll + (b.roll - a.roll) * ease)
        return view.inside(self.scene, self.aspect)

    def bounds(self) -> Box:
        """The part of the picture that is ever seen."""
        views = [self.at(i / 8) for i in range(9)]
        boxes = [(v.x, v.y, *v.extent(self.aspect)) for v in views]
        return Box(
            min(x - w for x, _, w, _ in boxes),
            min(y - h for _, y, _, h in boxes),
            max(x + w for x, _, w, _ in boxes),
            max(y + h for _, y, _, h in boxes),
        )


def widest(scene: Scene, aspect: float) -> float:
    """The width of the largest upright view of this aspect (width / height) that the scene holds."""
    return min(scene.width, scene.height * aspect)


def aim(scene: Scene, width: float, aspect: float) -> View:
    """The view of this width that shows the subject best: a face on the upper third, with room above the hair."""
    height = width / aspect
    x, y = scene.focus
    if scene.face:
        y += 0.12 * height
    box = scene.subject
    x = _hold(x, width, box.left, box.right)
    y = _hold(y, height, box.top, box.bottom)
    if scene.face and height > _FOREHEAD * scene.face:
        y = min(y, box.top + height / 2)  # closer in, a cut forehead is a close-up; further out it is a mistake
    return View(x, y, width).inside(scene, aspect)


def path(move: str, size: str, scene: Scene, *, aspect: float, amplitude: str, pace: str, seconds: float) -> Path:
    """Where the camera goes in a shot of `seconds`: `move`, `size`, `amplitude` and `pace` by their names.

    A short shot travels less than a long one, though not in proportion: below a second a full move is a jerk.
    """
    way = MOVES[move]
    strength = AMPLITUDES[amplitude] * PACES[pace] * min(1.0, 0.45 + 0.22 * seconds)
    ratio = way.zoom**strength
    full = widest(scene, aspect)
    base = _base(size, scene, aspect)
    floor = NARROWEST * full
    if base / max(ratio, 1 / ratio) < floor:
        base = min(full, floor * max(ratio, 1 / ratio))
    first, last = (base, base / ratio) if ratio >= 1 else (base * ratio, base)
    dx, dy, roll = way.x * strength, way.y * strength, math.radians(way.roll * strength) / 2
    # Travel needs room: where the picture has none to spare, the view narrows until there is some.
    half_width, half_height = View(0, 0, max(first, last), roll).extent(aspect)
    wide, high = max(first, last) * abs(dx), max(first, last) / aspect * abs(dy)
    shrink = min(1.0, scene.width / (2 * half_width + wide), scene.height / (2 * half_height + high))
    first, last = first * shrink, last * shrink
    begin, end = aim(scene, first, aspect), aim(scene, last, aspect)
    mid = min(first, last)
    begin = View(begin.x - dx * mid / 2, begin.y - dy * mid / aspect / 2, first, -roll)
    end = View(end.x + dx * mid / 2, end.y + dy * mid / aspect / 2, last, roll)
    return _slide(begin, end, scene, aspect)


def _base(size: str, scene: Scene, aspect: float) -> float:
    """How wide a shot of this size is at its widest."""
    full = widest(scene, aspect)
    if size == "close-up" and scene.face:
        return _clamp(scene.face / 0.4 * aspect, 0.34 * full, 0.66 * full)
    return full * SIZES[size]


def _slide(begin: View, end: View, scene: Scene, aspect: float) -> Path:
    """Both views moved by the same amount until neither looks over the edge: the travel stays as long as it was."""
    shifts = []
    for axis, size in enumerate((scene.width, scene.height)):
        low = max((v.extent(aspect)[axis] - (v.x, v.y)[axis]) for v in (begin, end))
        high = min((size - v.extent(aspect)[axis] - (v.x, v.y)[axis]) for v in (begin, end))
        shifts.append(_clamp(0.0, low, high))
    x, y = shifts
    begin = View(begin.x + x, begin.y + y, begin.width, begin.roll).inside(scene, aspect)
    end = View(end.x + x, end.y + y, end.width, end.roll).inside(scene, aspect)
    return Path(begin, end, scene, aspect)


def _hold(centre: float, length: float, low: float, high: float) -> float:
    """`centre` moved until the span holds [low, high] or, where it is too short for that, lies within it."""
    edges = sorted((high - length / 2, low + length / 2))
    return _clamp(centre, *edges)


def _clamp(value: float, low: float, high: float) -> float:
    """`value` within [low, high]; the middle where the two have crossed."""
    return (low + high) / 2 if low > high else min(max(value, low), high)


def _ease(time: float) -> float:
    """Slow start and stop, but moving throughout: a shot is already under way when a dissolve uncovers it."""
    return 0.4 * time + 0.6 * time * time * (3 - 2 * time)
