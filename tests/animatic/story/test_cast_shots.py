"""Who is seen in a preview of a prompt that mentions a cast, and what is written there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vidu_nb.animatic.engine import make_clip
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.catalogue.models import models
from vidu_nb.client.client import Client
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene
from vidu_nb.references.cast import Cast
from vidu_nb.references.reference import Reference
from vidu_nb.request import VideoRequest

pytestmark = pytest.mark.usefixtures("small_frames")

COLOURS = ("navy", "tan", "olive", "maroon", "teal")
MODELS = ("vidu-q1-reference-to-video", "wan2.7-r2v")


def picture(colour: str) -> Image.Image:
    return Image.new("RGB", (256, 256), colour)


@pytest.fixture
def cast() -> Cast:
    anna, tom, cat, cafe, _ = map(picture, COLOURS)
    return Cast(anna=anna, tom=[tom, cat], cafe=cafe)


def shown(request) -> list[tuple[str, str]]:
    """Who is seen in each shot, and what its caption says."""
    board = plan_of(request)
    return [(request.pictures[shot.picture].name, shot.text) for shot in board.shots]


@pytest.mark.parametrize("slug", MODELS)
def test_captions_say_names_in_the_place_of_numbers(cast, slug):
    """A caption says what the person wrote, without the numbers that the model wants."""
    request = models[slug].request(prompt="@anna meets @tom at the @cafe. Then @tom's hand, close-up.", references=cast)
    texts = {text for _, text in shown(request)}
    assert texts == {"anna meets tom at the cafe.", "Then tom's hand, close-up."}


@pytest.mark.parametrize("slug", MODELS)
def test_each_shot_shows_those_whom_it_mentions(cast, slug):
    """Shots show the pictures of those in their sentence, several of one who has several, and say who it is."""
    request = models[slug].request(prompt="@anna waits. Then @tom sits in the @cafe.", references=cast)
    board = plan_of(request)
    assert [(shot.who, request.pictures[shot.picture].name) for shot in board.shots] == [
        ("anna", "anna"), ("tom", "tom 1"), ("tom", "tom 2"), ("cafe", "cafe"),
    ]  # fmt: skip


def test_a_number_is_read_as_a_whole(cast):
    """Image1 is no part of Image12."""
    request = models["wan2.7-r2v"].request(
        prompt="@anna holds Image12.", references=[cast, *map(picture, COLOURS), *map(picture, COLOURS)]
    )
    assert "Image12" in shown(request)[0][1]


@pytest.mark.parametrize("slug", MODELS)
def test_prompts_without_a_cast_stay_as_they_are(slug):
    """Pictures that bear a name by themselves change no caption, so that kept previews stay what they are."""
    names = [Reference(picture("navy"), name="anna"), Reference(picture("tan"), name="cafe")]
    prompt = "anna (image 1) waits. Image1 leaves."
    request = models[slug].request(prompt=prompt, references=names)
    board = plan_of(request)
    assert {shot.text for shot in board.shots} == {"anna (image 1) waits.", "Image1 leaves."}
    assert {shot.who for shot in board.shots} == {""}


def test_a_cast_is_another_preview_but_no_other_clip(cast):
    """What is paid for is the same with names of one's own; the preview, whose captions differ, is not."""
    asked = VideoRequest(prompt="@anna waits.", references=cast)
    plain = VideoRequest(prompt=asked.prompt, references=Reference(picture("navy"), name="anna"))
    assert asked.key() == plain.key()
    assert asked.key(engine="preview") != plain.key(engine="preview")


@pytest.mark.parametrize("slug", MODELS)
def test_a_scene_that_continues_opens_on_the_last_frame(cast, slug):
    """The frame stands for less than a second, without words about it, and the rest is told by the others."""
    film = Film(["@anna waits.", Scene("@tom comes in.", continues=True)], cast=cast, model=slug)
    board = plan_of(film.request(1))
    first, *rest = board.shots
    assert (first.picture, first.text, first.move, first.size, first.transition) == (0, "", "static", "wide", "start")
    assert first.frames <= 24
    assert [(shot.who, shot.text) for shot in rest] == [("tom", "tom comes in.")] * 2
    assert rest[0].transition == "dissolve"


def test_a_scene_that_continues_and_mentions_nobody_goes_on_with_the_frame(cast):
    """Where there is no other picture, the words are told over the frame."""
    film = Film(["@anna waits.", Scene("She leaves. Pan left.", continues=True)], cast=cast)
    board = plan_of(film.request(1))
    assert {shot.picture for shot in board.shots} == {0}
    assert [shot.text for shot in board.shots] == ["", "She leaves.", "Pan left."]
    assert board.notes == ()
    assert sum(shot.frames for shot in board.shots) == board.frames == 120


def test_a_scene_begins_where_the_one_before_ended(tmp_path):
    """The first frame of a scene that continues is the last one of the scene before, but for what is written on it."""
    cast = Cast(anna=Image.effect_mandelbrot((640, 360), (-2, -1, 1, 1), 60).convert("RGB"))
    client = Client.preview(quality="draft", archive=tmp_path)
    film = Film(["@anna waits. Push in.", Scene("@anna leaves.", continues=True)], cast=cast, client=client)
    film.preview(client=client)
    clips = film.clips()
    (*_, last), first = (list(clips[index].frames(side=240)) for index in (0, 1))
    middle = slice(30, 110)  # between badge and caption
    assert np.abs(last[middle].astype(int) - first[0][middle]).mean() < 6


def test_the_server_shows_what_the_engine_does(cast, tmp_path):
    """A preview by way of HTTP has the same captions: the server knows who is of the cast."""
    request = models["wan2.7-r2v"].request(prompt="@anna meets @tom.", references=cast, duration=2, resolution="720P")
    clip = Client.preview(quality="draft", archive=tmp_path).generate(request)
    assert clip.bytes == make_clip(request, draft=True)
