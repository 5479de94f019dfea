"""The camera: where it looks at each moment of a shot.

Everything here is arithmetic on small value objects. A `View` is what the camera sees: a rectangle of the output's
shape that may be rolled a little, laid on a picture. A `Path` leads from one view to another and never leaves the
picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..story.moves import AMPLITUDES, PACES, SIZES, move_of

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]

_ABOVE = 0.2  # subject heights that are left above it: saliency sees a dark coat before the head on it
_LOW = 0.26  # of the view's height: the focus never lies further below its middle
_FOREHEAD = 1.7  # face heights in view: closer than this, hair may be cut
# No view is narrower than this share of the widest one: further in there is more blur than picture.
NARROWEST = 0.26
_FACE = 1.2  # face heights that every view has to hold
_WHIP = 0.55  # s
_WHIPPED = 0.6  # how much a whip may narrow the view for its way: what it lands on should be seen
_SWAY = 0.014  # of the view's shorter side, at medium amplitude
_SWAY_ROLL = 0.3  # radians for a sway of a whole side


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

    def scaled(self, scale: float) -> Box:
        """The same box in pixels of another size."""
        return Box(self.left * scale, self.top * scale, self.right * scale, self.bottom * scale)


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to film: a picture's size, and where its subject is.

    `subject` holds everything that should stay in sight; `focus` is the point that the eye goes to (between the eyes of
    a face); `face` is the height of that face in pixels, 0 where none was found. `picture` is where the picture itself
    lies on a canvas that is larger than it; None where there is nothing else.
    """

    width: float
    height: float
    subject: Box
    focus: tuple[float, float]
    face: float = 0.0
    picture: Box | None = None

    def scaled(self, scale: float) -> Scene:
        """The same scene in pixels of another size."""
        focus = (self.focus[0] * scale, self.focus[1] * scale)
        picture = self.picture and self.picture.scaled(scale)
        return Scene(
            self.width * scale, self.height * scale, self.subject.scaled(scale), focus, self.face * scale, picture
        )


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees: centre and width in picture pixels, roll in radians."""

    x: float
    y: float
    width: float
    roll: float = 0.0

    def extent(self, aspect: float) -> tuple[float, float]:
        """Return half the width and half the height of the upright box around this view."""
        cos, sin = math.cos(self.roll), abs(math.sin(self.roll))
        height = self.width / aspect
        return (self.width * cos + height * sin) / 2, (self.width * sin + height * cos) / 2

    def inside(self, scene: Scene, aspect: float) -> View:
        """Return the nearest view that shows nothing but picture."""
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
        """Map an output pixel's index to the index of the pixel it shows, as `cv2.warpAffine` takes it inverted.

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
    """A camera move from `begin` to `end`, both inside the scene, within `seconds`.

    `sway` is how far a hand leads it astray, as a share of the view's shorter side; with `whip` it rests, turns within
    half a second, and rests again.
    """

    begin: View
    end: View
    scene: Scene
    aspect: float
    seconds: float = 5.0
    sway: float = 0.0
    whip: bool = False

    def at(self, time: float) -> View:
        """Return the view at `time`, 0 to 1."""
        time = _clamp(time, 0.0, 1.0)
        ease = _snap(time, self.seconds) if self.whip else _ease(time)
        a, b = self.begin, self.end
        # Widths move by equal ratios, so that a zoom looks as fast at its end as at its beginning.
        width = a.width * (b.width / a.width) ** ease
        # What is being zoomed at should stay put, which takes the centre along with the width and not with the time.
        along = (a.width - width) / (a.width - b.width) if abs(a.width - b.width) > 1e-3 * a.width else ease
        view = View(a.x + (b.x - a.x) * along, a.y + (b.y - a.y) * along, width, a.roll + (b.roll - a.roll) * ease)
        if self.sway:
            view = self._swayed(view, time * self.seconds)
        return view.inside(self.scene, self.aspect)

    def _swayed(self, view: View, second: float) -> View:
        reach = self.sway * min(view.width, view.width / self.aspect)
        x, y, roll = (_unrest(second, phase) for phase in (0.0, 2.1, 4.4))
        return View(view.x + reach * x, view.y + reach * y, view.width, view.roll + _SWAY_ROLL * self.sway * roll)

    def bounds(self) -> Box:
        """Return the part of the picture that is ever seen."""
        views = [self.at(i / 8) for i in range(9)] if not self.sway else [self.begin, self.end]
        # A hand goes astray anywhere: what it may reach counts, seen or not.
        room = 1 + _room(self.sway, self.aspect)
        boxes = [(v.x, v.y, *(room * half for half in v.extent(self.aspect))) for v in views]
        return Box(
            max(0.0, min(x - w for x, _, w, _ in boxes)),
            max(0.0, min(y - h for _, y, _, h in boxes)),
            min(self.scene.width, max(x + w for x, _, w, _ in boxes)),
            min(self.scene.height, max(y + h for _, y, _, h in boxes)),
        )


def widest(scene: Scene, aspect: float) -> float:
    """Return the width of the largest upright view of this aspect (width / height) that the scene holds."""
    return min(scene.width, scene.height * aspect)


def aim(scene: Scene, width: float, aspect: float) -> View:
    """Place a view of this width where it shows the subject best: a face on the upper third, with head-room."""
    height = width / aspect
    x, y = scene.focus
    if scene.face:
        y += 0.12 * height
    box = scene.subject
    x = _hold(x, width, box.left, box.right)
    y = _hold(y, height, box.top, box.bottom)
    if not scene.face:  # heads, roofs and rims are on top: where not all of it fits in, the upper part does
        upper = _clamp(2 * height / max(box.height, 1.0) - 0.4, 0.0, 1.0)
        top = max(0.0, box.top - _ABOVE * box.height)
        y += upper * (min(y, max(top + height / 2, scene.focus[1] - _LOW * height)) - y)
    if scene.face and height > _FOREHEAD * scene.face:
        y = min(y, box.top + height / 2)  # closer in, a cut forehead is a close-up; further out it is a mistake
    return View(x, y, width).inside(scene, aspect)


def path(move: str, size: str, scene: Scene, *, aspect: float, amplitude: str, pace: str, seconds: float) -> Path:
    """Plan the camera's way through a shot of `seconds`; `move`, `size`, `amplitude` and `pace` by their names.

    A short shot travels less than a long one, though not in proportion: below a second a full move is a jerk.
    """
    way = move_of(move)
    strength = AMPLITUDES[amplitude] * PACES[pace] * min(1.0, 0.45 + 0.22 * seconds)
    ratio = way.zoom**strength
    sway = _SWAY * way.sway * strength
    room = 1 + _room(sway, aspect)
    full = widest(scene, aspect)
    base = _base(size, scene, aspect)
    # Nor is any so narrow that it cuts the face that it is about.
    floor = min(full, max(NARROWEST * full, _FACE * room * scene.face * max(1.0, aspect)))
    if base / max(ratio, 1 / ratio) < floor:
        base = min(full, floor * max(ratio, 1 / ratio))
        ratio = _clamp(ratio, floor / base, base / floor)
    first, last = (base, base / ratio) if ratio >= 1 else (base * ratio, base)
    dx, dy, roll = way.x * strength, way.y * strength, math.radians(way.roll * strength) / 2
    sides = 2 if way.whip else 1  # a whip lands on its subject, so that all of its way lies on one side of it
    shrink = _shrink(max(first, last), sides * dx, dy, roll, scene, aspect)
    shrink = max(shrink, _WHIPPED) if way.whip else max(shrink, min(1.0, floor / min(first, last)))
    first, last = first * shrink, last * shrink
    begin, end = aim(scene, first, aspect), aim(scene, last, aspect)
    mid = min(first, last)
    before, after = (1.0, 0.0) if way.whip else (0.5, 0.5)
    begin = View(begin.x - dx * mid * before, begin.y - dy * mid / aspect * before, first, -roll)
    end = View(end.x + dx * mid * after, end.y + dy * mid / aspect * after, last, roll)
    if way.whip and abs(begin.inside(scene, aspect).x - end.x) > 0.4 * mid * abs(dx):
        begin = begin.inside(scene, aspect)
    views = _slide(begin, end, scene, aspect)
    begin, end = views if way.whip else (_kept(view, scene, aspect, room) for view in views)
    # A hand's unrest gets its room from the view, which narrows around its own middle.
    begin, end = replace(begin, width=begin.width / room), replace(end, width=end.width / room)
    return Path(begin, end, scene, aspect, seconds, sway, way.whip)


def _shrink(width: float, dx: float, dy: float, roll: float, scene: Scene, aspect: float) -> float:
    """Return how much a view has to narrow for its travel of `dx` widths and `dy` heights to fit.

    On a canvas a view either shows all of the picture, moving as far as that allows, or nothing beside it.
    """
    half_width, half_height = View(0, 0, width, roll).extent(aspect)
    wide, high = width * abs(dx), width / aspect * abs(dy)
    shrink = min(1.0, scene.width / (2 * half_width + wide), scene.height / (2 * half_height + high))
    if (picture := scene.picture) is not None:
        spans = (
            (picture.width, scene.width, 2 * half_width, wide),
            (picture.height, scene.height, 2 * half_height, high),
        )
        for span, whole, length, travel in spans:
            if span < 0.99 * whole and travel * shrink > abs(length * shrink - span):
                shrink = min(shrink, span / (length + travel))
    return shrink


def _kept(view: View, scene: Scene, aspect: float, room: float) -> View:
    """Move the view until a face is whole in it, or it shows as much picture and as little else as it can."""
    half_width, half_height = view.extent(aspect)
    x, y = view.x, view.y
    if scene.face:
        middle, top = scene.focus[0], scene.focus[1] - 0.58 * scene.face
        turn, height = abs(math.sin(view.roll)), view.width / aspect
        steady = (2 - room) / room  # the share that is seen however the hand sways
        x = _hold(x, (view.width - height * turn) * steady, middle - 0.53 * scene.face, middle + 0.53 * scene.face)
        y = _hold(y, (height - view.width * turn) * steady, max(top, 0.0), min(top + 1.15 * scene.face, scene.height))
    if scene.picture:
        x = _hold(x, 2 * half_width, scene.picture.left, scene.picture.right)
        y = _hold(y, 2 * half_height, scene.picture.top, scene.picture.bottom)
    return View(x, y, view.width, view.roll).inside(scene, aspect)


def _base(size: str, scene: Scene, aspect: float) -> float:
    """Return how wide a shot of this size is at its widest."""
    full = widest(scene, aspect)
    if size == "close-up" and scene.face:
        return _clamp(scene.face / 0.4 * aspect, 0.34 * full, 0.66 * full)
    if size == "close-up":  # in a narrow frame half of its width would be a strip of what it is about
        return _clamp(0.62 * scene.subject.width, SIZES[size] * full, 0.7 * full)
    return full * SIZES[size]


def _slide(begin: View, end: View, scene: Scene, aspect: float) -> tuple[View, View]:
    """Move both views by the same amount until neither looks over the edge: the travel stays as long as it was."""
    shifts = []
    for axis, size in enumerate((scene.width, scene.height)):
        low = max((v.extent(aspect)[axis] - (v.x, v.y)[axis]) for v in (begin, end))
        high = min((size - v.extent(aspect)[axis] - (v.x, v.y)[axis]) for v in (begin, end))
        shifts.append(_clamp(0.0, low, high))
    x, y = shifts
    begin = View(begin.x + x, begin.y + y, begin.width, begin.roll).inside(scene, aspect)
    end = View(end.x + x, end.y + y, end.width, end.roll).inside(scene, aspect)
    return begin, end


def _hold(centre: float, length: float, low: float, high: float) -> float:
    """Move `centre` until the span holds [low, high] or, where it is too short for that, lies within it."""
    edges = sorted((high - length / 2, low + length / 2))
    return _clamp(centre, *edges)


def _clamp(value: float, low: float, high: float) -> float:
    """Limit `value` to [low, high]; the middle where the two have crossed."""
    return (low + high) / 2 if low > high else min(max(value, low), high)


def _ease(time: float) -> float:
    """Ease in and out, moving throughout: a shot is already under way when a dissolve uncovers it."""
    return 0.4 * time + 0.6 * time * time * (3 - 2 * time)


def _snap(time: float, seconds: float) -> float:
    """Ease a whip: all but a little of the way lies in half a second around the middle."""
    half = min(0.4, _WHIP / 2 / max(seconds, 1e-6))
    into = _clamp((time - 0.5 + half) / (2 * half), 0.0, 1.0)
    return 0.06 * time + 0.94 * into * into * (3 - 2 * into)


def _unrest(second: float, phase: float) -> float:
    """Return a hand's shake, -1 to 1: a slow drift with a little of a breath and of a tremble in it."""
    parts = ((0.6, 0.31), (0.3, 0.74), (0.1, 1.7))  # share, Hz
    return sum(share * math.sin(math.tau * rate * second + phase * (1 + rate)) for share, rate in parts)


def _room(sway: float, aspect: float) -> float:
    """Return how much wider than a view the area is that it may reach when it sways."""
    return 2 * sway + _SWAY_ROLL * sway * max(aspect, 1 / aspect) if sway else 0.0
