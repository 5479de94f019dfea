"""What a person would see on a contact sheet: whole faces, no edges, no jitter, larger moves on request."""

from __future__ import annotations

import itertools
import re
import runpy

import cv2
import numpy as np
import pytest
from common import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from vidu_nb.animatic.film.camera import Box, Scene, path
from vidu_nb.animatic.film.render import Film, new_frame, planes_of
from vidu_nb.animatic.film.stage import Stage
from vidu_nb.animatic.film.subject import find_subject, frame_subject
from vidu_nb.animatic.story.moves import AMPLITUDES, MOVES
from vidu_nb.animatic.story.storyboard import FPS, MIN_SHOT, Shot, Storyboard, plan, plan_of
from vidu_nb.catalogue.field import VISIBLE
from vidu_nb.references.reference import Reference
from vidu_nb.request import FRAME_SIZES, VideoRequest

SIZES = [(320, 180), (180, 180), (180, 320)]
ASTRONAUT = data.astronaut()
FACE = Box(177, 72, 270, 166)  # of the astronaut, from ear to ear and from brow to chin, measured by eye
CAMERAMAN = np.stack([data.camera()] * 3, axis=-1)
COFFEE = data.coffee()


def one_shot(move, size, *, frames=48, amplitude="large", pace="fast", out=(320, 180)):
    return Storyboard((Shot(0, frames, 0, move, size, "", pace),), *out, frames, 1, amplitude, False, "")


def film_of(board, pictures):
    """Every frame's planes, copied."""
    film, frame = Film(board, pictures), new_frame(board.width, board.height)
    for index in range(board.frames):
        film.draw(index, planes_of(frame))
        yield frame


def luma(frame):
    return planes_of(frame)[0].copy()


# ── Faces ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 9 / 16])
def test_the_astronaut_s_face_is_whole_in_every_frame(aspect):
    """In each ratio, move and size of shot, at the largest amplitude: only a whip comes from somewhere else."""
    framing = frame_subject(find_subject(ASTRONAUT), aspect)
    assert not framing.fill
    moves = [name for name in MOVES if "whip" not in name]
    for move, size in itertools.product([*moves, "zoom in + pan left + handheld"], ("wide", "medium", "close-up")):
        way = path(move, size, framing.scene, aspect=aspect, amplitude="large", pace="fast", seconds=5.0)
        for index in range(5 * FPS):
            view = way.at(index / (5 * FPS - 1))
            half_width, half_height = view.width / 2, view.width / aspect / 2
            inside = (
                view.x - half_width <= FACE.left,
                view.x + half_width >= FACE.right,
                view.y - half_height <= FACE.top,
                view.y + half_height >= FACE.bottom,
            )
            assert all(inside), f"{move}, {size}, frame {index}: {view}"


@pytest.mark.parametrize("out", SIZES)
def test_the_face_is_there_in_the_frames_themselves(out):
    """The detector finds it in drawn frames at the beginning, in the middle and at the end of a fast pan."""
    frames = []
    for index, frame in enumerate(film_of(one_shot("pan right", "medium", out=out), [ASTRONAUT])):
        if index in {0, 24, 47}:
            frames.append(frame.to_ndarray(format="rgb24"))
    for frame in frames:
        scene = find_subject(np.ascontiguousarray(frame))
        assert scene.face > 0.15 * out[1]
        assert 0.1 < scene.focus[0] / out[0] < 0.9


@pytest.mark.parametrize("aspect", [16 / 9, 1.0, 9 / 16])
def test_a_head_without_a_detected_face_stays_on(aspect):
    """The cameraman, in profile, is no face to the detector; a wide shot shows his head all the same."""
    framing = frame_subject(find_subject(CAMERAMAN), aspect)
    assert framing.scene.face == 0
    view = path("push in", "wide", framing.scene, aspect=aspect, amplitude="auto", pace="normal", seconds=2.0).begin
    assert view.y - view.width / aspect / 2 <= 60
    assert view.x - view.width / 2 <= 190
    assert view.x + view.width / 2 >= 280


# ── Edges ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("out", SIZES)
@pytest.mark.parametrize("move", [*sorted(MOVES), "push in + tilt up + handheld"])
def test_no_frame_looks_over_the_edge(move, out):
    """A picture that brightens evenly is shown brightening evenly: beyond an edge it would be flat."""
    width, height = 900, 760
    y, x = np.mgrid[0:height, 0:width]
    ramp = (20 + 110 * x / width + 110 * y / height).astype(np.float32)
    picture = np.repeat(np.rint(ramp).astype(np.uint8)[..., None], 3, axis=2)
    board = one_shot(move, "wide", frames=36, out=out)
    scene = Scene(width, height, Box(250, 200, 650, 560), (450, 380))
    stage, frame = Stage(picture, scene, board.shots[0], 36, board), new_frame(*out)
    y, x = np.mgrid[0 : out[1], 0 : out[0]]
    terms = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    for index in range(0, 36, 5):
        stage.draw(index, planes_of(frame))
        seen = luma(frame).astype(float).ravel()
        plane, *_ = np.linalg.lstsq(terms, seen, rcond=None)
        assert np.abs(terms @ plane - seen).max() < 2.0, f"frame {index}"


@pytest.mark.parametrize("picture", ["rocket", "cat", "coffee"])
def test_a_filled_frame_has_neither_black_bars_nor_hard_edges(picture):
    """Where more is shown than the picture holds, it melts into a blurred copy of itself."""
    photograph = getattr(data, picture)()
    out = (180, 320)
    framing = frame_subject(find_subject(photograph), out[0] / out[1])
    assert framing.fill
    frame = next(film_of(one_shot("static", "wide", out=out), [photograph]))
    rows = luma(frame)[:, 10:120].astype(float).mean(axis=1)
    bare = [index for index in range(320) if not 0.82 * 320 < index < 0.99 * 320]  # the caption's chip
    assert rows[bare].min() > 17.5  # black is 16
    joints = (framing.place[1], framing.place[1] + framing.crop.height)
    for joint in joints:
        at = round(joint / framing.canvas[1] * 320)
        steps = np.abs(np.diff(rows[max(0, at - 5) : min(320, at + 5)]))
        assert steps.size == 0 or steps.max() < 14


# ── Motion ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_crawling_pan_does_not_jitter():
    """A tenth of a pixel each frame: where the picture lies is off by at most 2 % of a step from an even way."""
    out, (height, width), period = (1280, 720), (1000, 1800), 32.0
    rng = np.random.default_rng(1)  # each row has a wave of its own, so that it is rounded in another way
    phase, least, most = (rng.uniform(low, low + 30, (height, 1)) for low in (0, 20, 200))
    wave = least + (most - least) * (0.5 + 0.5 * np.sin(2 * np.pi * np.arange(width) / period + phase))
    picture = np.repeat(np.rint(wave).astype(np.uint8)[..., None], 3, axis=2)
    board = one_shot("pan right", "medium", frames=960, amplitude="small", pace="slow", out=out)
    scene = Scene(width, height, Box(600, 300, 1000, 600), (900, 500))
    stage, frame = Stage(picture, scene, board.shots[0], 960, board), new_frame(*out)
    way = path("pan right", "medium", scene, aspect=16 / 9, amplitude="small", pace="slow", seconds=40.0)
    angle = 2 * np.pi * np.arange(1200) * way.begin.width / 1280 / period
    waves = np.stack([np.sin(angle), np.cos(angle), np.ones(1200)], axis=1)
    moments = range(100, 860, 40)
    wanted, seen = np.array([way.at(index / 959).x for index in moments]), []
    for index in moments:
        stage.draw(index, planes_of(frame))
        (sine, cosine, _), *_ = np.linalg.lstsq(waves, luma(frame)[20:700, 40:1240].T.astype(float), rcond=None)
        seen.append(sine + 1j * cosine)
    turned = np.unwrap([np.angle(np.vdot(seen[0], now)) for now in seen]) / (2 * np.pi) * period
    off = turned - np.polyval(np.polyfit(wanted, turned, 1), wanted)
    step = (way.end.x - way.begin.x) / 959
    assert 0.05 < step * 1280 / way.begin.width < 0.15
    assert np.std(off) < 0.02 * step


@pytest.mark.parametrize("move", ["push in", "tilt up", "orbit", "static", "zoom in + pan left", "handheld"])
def test_amplitude_shows_as_motion(move):
    """Optical flow over the same shot grows from small over auto and medium to large, in a static shot as well."""

    def flow(amplitude):
        board = one_shot(move, "medium", frames=30, amplitude=amplitude, pace="normal", out=(256, 144))
        frames = [luma(frame)[20:118] for frame in film_of(board, [COFFEE])][::2]
        pairs = itertools.pairwise(frames)
        fields = [cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 25, 3, 5, 1.1, 0) for a, b in pairs]
        return np.mean([np.linalg.norm(field, axis=2).mean() for field in fields])

    small, auto, medium, large = (flow(name) for name in ("small", "auto", "medium", "large"))
    assert small < auto < medium < large


# ── Any request ─────────────────────────────────────────────────────────────────────────────────────

requests = st.fixed_dictionaries(
    {
        "prompt": st.text(min_size=1, max_size=300).filter(re.compile(VISIBLE).search),
        "aspect_ratio": st.sampled_from(sorted(FRAME_SIZES)),
        "seed": st.integers(0, 999_999),
        "movement_amplitude": st.sampled_from(sorted(AMPLITUDES)),
        "bgm": st.booleans(),
    }
)


@pytest.fixture(scope="module")
def gallery():
    """Seven references of odd shapes."""
    shapes = [(512, 128), (128, 512), (128, 128), (300, 400), (640, 360), (360, 640), (200, 200)]
    return [Reference(Image.fromarray(cv2.resize(COFFEE, shape))) for shape in shapes]


@settings(max_examples=40)
@given(asked=requests, count=st.integers(1, 7))
def test_the_plan_of_any_valid_request_fills_its_clip(gallery, asked, count):
    """Shots tile the duration exactly, and the same request has the same plan."""
    request = VideoRequest(references=gallery[:count], **asked)
    board = plan_of(request)
    assert board == plan_of(request)
    assert str(board) == str(plan_of(request))
    assert board.shots[0].start == 0
    assert all(b.start == a.start + a.frames for a, b in itertools.pairwise(board.shots))
    assert board.shots[-1].start + board.shots[-1].frames == 5 * FPS
    assert min(shot.frames for shot in board.shots) >= MIN_SHOT
    assert {shot.picture for shot in board.shots} == set(range(count))


@settings(max_examples=6)
@given(asked=requests, count=st.integers(1, 3))
def test_any_valid_request_can_be_drawn(gallery, asked, count):
    """Each frame gets a picture, neither black nor white all over."""
    ratio = FRAME_SIZES[asked["aspect_ratio"]]
    board = plan(
        asked["prompt"], [""] * count, width=ratio[0] // 12 * 2, height=ratio[1] // 12 * 2, duration=1,
        seed=asked["seed"], movement_amplitude=asked["movement_amplitude"], bgm=False,
    )  # fmt: skip
    for frame in film_of(board, [cv2.resize(COFFEE, one.size) for one in gallery[:count]]):
        assert luma(frame).std() > 5


# ── The sheets ──────────────────────────────────────────────────────────────────────────────────────


def test_sheets_are_made(tmp_path):
    """One picture for a storyboard that is named, with all three ratios on it."""
    script = runpy.run_path(str(ROOT / "docs" / "sheets.py"))
    script["main"](str(tmp_path), "whip")
    (made,) = tmp_path.iterdir()
    assert made.name == "whip.png"
    with Image.open(made) as sheet:
        assert sheet.width == 2000
        assert sheet.height > 800
