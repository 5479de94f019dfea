"""The camera stays inside the picture, and goes where its moves say."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu_nb.animatic.film.camera import Box, Scene, View, aim, path, widest
from vidu_nb.animatic.story.moves import AMPLITUDES, MOVES, PACES, SIZES, move_of

HD = 16 / 9
NAMES = [
    *sorted(MOVES),
    "zoom in + pan left",
    "push in + tilt up + handheld",
    "orbit left + crane down",
    "pan right + handheld",
]


def make_scene(width=1200.0, height=900.0, x=0.5, y=0.5, face=0.0):
    """A scene with a subject a third of the picture wide around a point given in shares of it."""
    box = Box(max(0, x - 1 / 6) * width, max(0, y - 1 / 6) * height, (x + 1 / 6) * width, (y + 1 / 6) * height)
    box = Box(box.left, box.top, min(box.right, width), min(box.bottom, height))
    return Scene(width, height, box, (x * width, y * height), face)


def make_path(move, scene=None, size="medium", aspect=HD, amplitude="medium", pace="normal", seconds=2.0):
    scene = scene or make_scene()
    return path(move, size, scene, aspect=aspect, amplitude=amplitude, pace=pace, seconds=seconds)


def corners(view, aspect):
    """The four corners of a view."""
    cos, sin, half = math.cos(view.roll), math.sin(view.roll), view.width / 2
    for x, y in itertools.product((-half, half), (-half / aspect, half / aspect)):
        yield view.x + cos * x - sin * y, view.y + sin * x + cos * y


@given(
    move=st.sampled_from(NAMES),
    size=st.sampled_from(sorted(SIZES)),
    amplitude=st.sampled_from(sorted(AMPLITUDES)),
    pace=st.sampled_from(sorted(PACES)),
    aspect=st.sampled_from([HD, 1.0, 9 / 16]),
    ratio=st.floats(0.25, 4),
    side=st.floats(128, 6000),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    face=st.sampled_from([0.0, 30.0, 400.0]),
    seconds=st.floats(1 / 24, 10),
    time=st.floats(0, 1),
)
def test_no_move_ever_leaves_the_picture(move, size, amplitude, pace, aspect, ratio, side, x, y, face, seconds, time):
    """Each corner of each view lies on the picture, and within what the path says that it will see."""
    scene = make_scene(side, side / ratio, x, y, face)
    way = make_path(move, scene, size, aspect, amplitude, pace, seconds)
    seen = way.bounds()
    for left, top in corners(way.at(time), aspect):
        assert -1e-6 * side <= left <= scene.width + 1e-6 * side
        assert -1e-6 * side <= top <= scene.height + 1e-6 * side
        assert seen.left - 1 <= left <= seen.right + 1
        assert seen.top - 1 <= top <= seen.bottom + 1


@pytest.mark.parametrize(
    ("move", "sign"),
    [("push in", -1), ("zoom in", -1), ("dolly in", -1), ("pull out", 1), ("zoom out", 1), ("dolly out", 1)],
)
def test_going_in_narrows_the_view_and_going_out_widens_it(move, sign):
    """In is in, and out is out."""
    way = make_path(move)
    assert sign * (way.end.width - way.begin.width) > 0.1 * way.end.width


@pytest.mark.parametrize(
    ("move", "x", "y"),
    [
        ("pan left", -1, 0),
        ("pan right", 1, 0),
        ("tilt up", 0, -1),
        ("tilt down", 0, 1),
        ("truck left", -1, 0),
        ("truck right", 1, 0),
        ("orbit", 1, 0),
        ("orbit left", -1, 0),
        ("pedestal up", 0, -1),
        ("pedestal down", 0, 1),
        ("whip pan left", -1, 0),
        ("whip pan right", 1, 0),
        ("zoom out + pan left", -1, 0),
    ],
)
def test_travel_goes_where_its_name_says(move, x, y):
    """Left is left and up is up, by a good part of the view, even where there is no room to spare at first."""
    scene = make_scene(1600, 900)
    way = make_path(move, scene, size="wide")
    travel = (way.end.x - way.begin.x, (way.end.y - way.begin.y) * HD)
    assert x * travel[0] + y * travel[1] > 0.08 * way.end.width


def test_a_static_camera_all_but_stands():
    """A locked shot changes by less than two per cent."""
    way = make_path("static")
    assert 1 < way.begin.width / way.end.width < 1.02


@pytest.mark.parametrize("move", NAMES)
def test_amplitude_orders_the_moves(move):
    """Every move is larger at a larger amplitude; auto lies between them, nearest to medium."""

    def strength(amplitude):
        way = make_path(move, amplitude=amplitude)
        zoom = abs(math.log(way.end.width / way.begin.width))
        roll = abs(way.end.roll - way.begin.roll)
        return zoom + roll + math.hypot(way.end.x - way.begin.x, way.end.y - way.begin.y) / way.begin.width

    small, auto, medium, large = (strength(name) for name in ("small", "auto", "medium", "large"))
    assert small < auto < medium < large
    assert medium - auto < min(auto - small, large - medium)


def test_two_moves_go_on_together():
    """Zooming in while panning left does both, each as far as it would alone."""
    both, zoom, pan = (make_path(name) for name in ("zoom in + pan left", "zoom in", "pan left"))
    assert both.begin.width / both.end.width == pytest.approx(zoom.begin.width / zoom.end.width)
    assert (both.end.x - both.begin.x) / both.end.width == pytest.approx(
        (pan.end.x - pan.begin.x) / pan.end.width, rel=0.2
    )


def test_an_unknown_part_of_a_move_is_told():
    """By its name, with all that are known."""
    with pytest.raises(ValueError, match="move='wobble' is none of static, push in"):
        move_of("zoom in + wobble")


def test_only_a_hand_held_camera_sways():
    """It wanders to both sides of the way that it would go on a tripod, gently, and the same way each time."""

    def wander(move):
        ways = [make_path(move, seconds=5.0) for _ in range(2)]
        assert ways[0] == ways[1]
        centre = [(way.x, way.y, way.roll) for way in (ways[0].at(i / 120) for i in range(121))]
        lines = zip(*centre, strict=True)
        return [max(abs(b - (a + c) / 2) for a, b, c in zip(line, line[1:], line[2:], strict=False)) for line in lines]

    still, hand = wander("static"), wander("handheld")
    assert max(still) < 1e-3
    assert min(hand[:2]) > 0.01
    assert max(hand[:2]) < 0.005 * make_path("handheld").begin.width
    assert hand[2] > 1e-6


def test_a_whip_rests_turns_within_half_a_second_and_lands_on_its_subject():
    """Nearly all of the way lies in the middle, and the last view is the one that a still camera would take."""
    scene = make_scene(1600, 900)
    way = make_path("whip pan left", scene, seconds=3.0)
    places = [way.at(i / 72).x for i in range(73)]
    whole = places[0] - places[-1]
    assert whole > 0.15 * way.end.width
    assert places[29] - places[43] > 0.9 * whole
    assert way.end.x == pytest.approx(scene.focus[0])


@pytest.mark.parametrize("aspect", [HD, 1.0, 9 / 16])
@pytest.mark.parametrize("move", [name for name in NAMES if "whip" not in name])
@pytest.mark.parametrize("size", sorted(SIZES))
def test_no_move_cuts_a_face(move, size, aspect):
    """Chin, ears and brow stay in sight, however far and fast the camera goes."""
    scene = Scene(1000, 800, Box(180, 60, 480, 420), (330, 200), face=160)
    way = make_path(move, scene, size, aspect, "large", "fast", 5.0)
    for view in (way.at(i / 60) for i in range(61)):
        half_width, half_height = view.width / 2, view.width / aspect / 2
        assert view.x - half_width <= 330 - 80 + 2
        assert view.x + half_width >= 330 + 80 - 2
        assert view.y - half_height <= 200 - 0.45 * 160 + 2
        assert view.y + half_height >= 200 + 0.55 * 160 - 2


@pytest.mark.parametrize("move", ["tilt up", "tilt down", "crane up", "pan left", "orbit"])
@pytest.mark.parametrize("size", sorted(SIZES))
def test_on_a_canvas_the_camera_shows_all_of_the_picture_or_nothing_beside_it(move, size):
    """A tilt over a filled frame never leaves half of it to the fill."""
    picture = Box(0, 300, 900, 1000)
    scene = Scene(900, 1600, Box(100, 400, 800, 900), (450, 650), picture=picture)
    way = make_path(move, scene, size, 9 / 16, "large", "fast", 4.0)
    for view in (way.begin, way.end):
        top, bottom = view.y - view.extent(9 / 16)[1], view.y + view.extent(9 / 16)[1]
        assert (top <= 301 and bottom >= 999) or (top >= 299 and bottom <= 1001)


def test_what_does_not_fit_in_is_cut_at_its_feet():
    """Of a subject without a face that is higher than the view, the upper part is shown."""
    scene = Scene(900, 900, Box(200, 60, 700, 880), (450, 400))
    view = aim(scene, 900, HD)
    assert view.y - 900 / HD / 2 < 110


def test_pace_and_length_change_how_far_a_move_goes():
    """A fast move goes further than a slow one, and a long shot further than a short one."""

    def zoom(pace, seconds):
        way = make_path("push in", pace=pace, seconds=seconds)
        return way.begin.width / way.end.width

    assert zoom("slow", 2) < zoom("normal", 2) < zoom("fast", 2)
    assert zoom("normal", 0.7) < zoom("normal", 2)


def test_moves_are_eased_but_never_stand():
    """A move is slower at its ends than in its middle, and moves from the first frame on."""
    way = make_path("pan right")
    places = [way.at(i / 48).x for i in range(49)]
    steps = [b - a for a, b in itertools.pairwise(places)]
    assert 0 < steps[0] < 0.7 * steps[24]
    assert 0 < steps[-1] < 0.7 * steps[24]


def test_a_face_sits_high_with_room_above_the_hair():
    """The eyes are above the middle, and the top of the hair is inside the view."""
    scene = Scene(1000, 1000, Box(350, 250, 650, 700), (500, 400), face=200)
    view = aim(scene, 800, HD)
    top = view.y - 800 / HD / 2
    assert top <= 250
    assert (400 - top) / (800 / HD) < 0.45


def test_sizes_are_ordered():
    """A close-up shows less than a medium shot, and that less than a wide one."""
    close, medium, wide = (make_path("static", size=size).begin.width for size in ("close-up", "medium", "wide"))
    assert close < 0.8 * medium < 0.8 * wide
    assert wide == pytest.approx(widest(make_scene(), HD))


def test_the_matrix_maps_output_corners_to_view_corners():
    """What lies half a pixel beyond the first and the last output pixel is the view's edge, in resized pixels."""
    out, scale, origin = (192, 108), 0.5, (10.0, 20.0)
    view = View(500, 400, 384, roll=0.05)
    rows = view.matrix(out, origin, scale)

    def mapped(x, y):
        return tuple((a * x + b * y + c + 0.5) / scale + o for (a, b, c), o in zip(rows, origin, strict=True))

    ends = itertools.product((-0.5, out[0] - 0.5), (-0.5, out[1] - 0.5))
    for (x, y), corner in zip(ends, corners(view, HD), strict=True):
        assert mapped(x, y) == pytest.approx(corner)
