"""Every model that is known is previewed: any valid request, the same bytes anywhere, each role to be seen."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from catalogues import painter_with
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from vidu_nb import models
from vidu_nb.animatic.cancellation import Cancelled
from vidu_nb.animatic.engine import make_outputs
from vidu_nb.animatic.fetching import load_pictures
from vidu_nb.animatic.parameters import frame_of
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.catalogue.models import DEFAULT
from vidu_nb.errors import InvalidRequest
from vidu_nb.media import probe, read_frames
from vidu_nb.references.reference import Reference

pytestmark = pytest.mark.usefixtures("small_frames")

FACE = data.astronaut()[20:212, 120:332]  # close: found in a hundredth of a second
OTHER = np.ascontiguousarray(np.roll(FACE[:, ::-1], 1, axis=-1))
FACES = (Reference(FACE, name="anna"), Reference(OTHER, name="berta"))
SLUGS = list(models)
#: What a parameter that is not checked may hold.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


#: Values by role: costly ones are kept small.
BY_ROLE = {
    "width": st.sampled_from([512, 520, 768]),
    "height": st.sampled_from([512, 520, 768]),
    "duration": st.sampled_from([5, 2]),
    "samples": st.integers(1, 2),
    "picture_faces": st.just("0"),
    "face_faces": st.just("0"),
    "prompt": _TEXT.map(lambda text: f"x{text}"),
}
BY_TYPE = {
    "pictures": st.lists(st.sampled_from(FACES), min_size=1, max_size=2),
    "picture": st.sampled_from(FACES),
    "links": st.just(()),
    "link": st.none(),
    "boolean": st.booleans(),
    "string": _TEXT,
}


def values_of(field):
    """A strategy for the valid values of a parameter."""
    found = BY_TYPE.get(field.type)
    if field.role in BY_ROLE:
        found = BY_ROLE[field.role]
    elif not field.sure:
        found = ANYTHING
    elif field.type == "number":
        found = st.floats(field.minimum, field.maximum)
    elif field.type == "integer":
        found = st.integers(*(None if limit is None else int(limit) for limit in (field.minimum, field.maximum)))
    if field.choices:
        known = [choice for choice in field.choices if choice not in field.remarks]
        found = st.sampled_from(known) if field.sure else found | st.sampled_from(known)
    return found


def requests_of(model):
    """A strategy for valid requests of a model."""
    fields = model.fields.values()
    needed = {field.parameter: values_of(field) for field in fields if field.required}
    free = {field.parameter: values_of(field) for field in fields if not field.required}
    return st.fixed_dictionaries(needed, optional=free).map(lambda parameters: model.request(**parameters))


@pytest.mark.parametrize("slug", SLUGS)
def test_any_valid_request_is_previewed(slug):
    """Whatever a model's file allows, or passes on unchecked, brings as many files as were asked for."""
    model = models[slug]

    @settings(max_examples=2 if model.returns == "video" else 6, database=None, derandomize=True)
    @given(requests_of(model))
    def holds(request):
        outputs = make_outputs(request, draft=True)
        assert outputs
        for one in outputs:
            assert one.media_type.startswith(f"{model.returns}/")
            assert one.data

    holds()


#: A small request of each model.
SMALL = {
    "vidu-q1-reference-to-video": {"prompt": "A wave", "references": [FACE], "aspect_ratio": "1:1", "bgm": False},
    "wan2.7-r2v": {"prompt": "Image1 waves", "references": [FACE], "duration": 2, "resolution": "720P"},
    "sdxl1.0-txt2img": {"prompt": "A red boat", "img_width": 512, "img_height": 512, "seed": 7},
    "sdxl-img2img": {"prompt": "A red boat", "image": FACE, "seed": 7},
    "faceswap-v2": {"source_img": OTHER, "target_img": FACE},
    "sd2.1-faceswapper": {"input_face_image": OTHER, "target_face_image": FACE},
}


def made(slug, **changes):
    """The files of a small request, with some parameters changed."""
    return make_outputs(models[slug].request(**(SMALL[slug] | changes)), draft=True)


def digests():
    """A digest of what each model brings, but the default one's clip: `test_determinism` holds that."""
    return [hashlib.sha256(made(slug)[0].data).hexdigest() for slug in SMALL if slug != DEFAULT]


@pytest.mark.usefixtures("true_frames")
def test_the_same_request_gives_the_same_bytes_in_another_process():
    """A preview of each model is a function of its request."""
    code = "import test_model_previews; print(*test_model_previews.digests())"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert set(SMALL) == set(SLUGS)
    assert ran.stdout.split() == digests()


CHANGES = [
    ("sdxl1.0-txt2img", {"prompt": "A blue boat"}),
    ("sdxl1.0-txt2img", {"negative_prompt": "people"}),
    ("sdxl1.0-txt2img", {"style": "hdr"}),
    ("sdxl1.0-txt2img", {"seed": 8}),
    ("sdxl1.0-txt2img", {"guidance_scale": 12}),
    ("sdxl1.0-txt2img", {"scheduler": "UniPC"}),
    ("sdxl1.0-txt2img", {"num_inference_steps": 30}),
    ("sdxl1.0-txt2img", {"img_width": 520}),
    ("sdxl1.0-txt2img", {"img_height": 520}),
    ("sdxl-img2img", {"prompt": "A blue boat"}),
    ("sdxl-img2img", {"image": OTHER}),
    ("sdxl-img2img", {"strength": 0.2}),
    ("sdxl-img2img", {"seed": 8}),
    ("sdxl-img2img", {"base_model": "juggernaut"}),
    ("sdxl-img2img", {"negative_prompt": "people"}),
    ("sdxl-img2img", {"guidance_scale": 6.5}),
    ("faceswap-v2", {"source_img": FACE}),
    ("faceswap-v2", {"target_img": OTHER}),
    ("faceswap-v2", {"face_restore": "GFPGANv1.4.pth"}),
    ("sd2.1-faceswapper", {"file_type": "png"}),
    ("sd2.1-faceswapper", {"face_restore": False}),
]


@pytest.mark.parametrize(("slug", "change"), CHANGES, ids=[f"{slug} {next(iter(change))}" for slug, change in CHANGES])
def test_a_parameter_can_be_seen(slug, change):
    """Another value of a parameter gives another picture."""
    assert made(slug)[0].data != made(slug, **change)[0].data


def test_several_samples_are_several_pictures():
    """Each sample differs from the others, and the first is not another one for that."""
    first, second = (np.asarray(Image.open(io.BytesIO(one.data)), int) for one in made("sdxl1.0-txt2img", samples=2))
    assert np.abs(first - second).mean() > 5


def frames(data, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(data)
    return path, list(read_frames(path, side=160))


@pytest.mark.parametrize(("resolution", "size"), [("720P", (1280, 720)), ("1080P", (1920, 1080))])
def test_a_clip_has_its_models_length_and_frame(resolution, size):
    """Duration and resolution are those of the request, within what the model's file allows."""
    board = plan_of(models["wan2.7-r2v"].request(prompt="A wave", duration=7, resolution=resolution))
    assert (board.width, board.height, board.frames) == (*size, 7 * 24)


@pytest.mark.usefixtures("true_frames")
def test_a_clip_without_pictures_shows_painted_scenes(tmp_path):
    """A prompt alone is previewed: silent, small print beside the badge, and what stands in is said in the notes."""
    request = models["wan2.7-r2v"].request(prompt="A red desert. Then a blue sea.", duration=2, negative_prompt="rain")
    plain = request.replace(negative_prompt=None)
    board = plan_of(request)
    assert any("no pictures" in note for note in board.notes)
    assert any("silent" in note for note in board.notes)
    path, shown = frames(make_outputs(request, draft=True)[0].data, tmp_path, "a.mp4")
    assert probe(path).audio_codec is None
    assert np.asarray(shown).std() > 20
    _, without = frames(make_outputs(plain, draft=True)[0].data, tmp_path, "b.mp4")
    corner = slice(0, 12), slice(0, 40)
    differs = np.abs(np.asarray(shown, int) - np.asarray(without, int))
    assert differs[(slice(None), *corner)].mean() > 4 * differs[:, 30:, 60:].mean()


def test_a_prompt_names_pictures_and_videos_in_the_models_words(small_clip):
    """Image2 and Video1 are the second picture and the first video, whatever stands before and after."""
    request = models["wan2.7-r2v"].request(
        prompt="Image2 waits. Then Video1 runs. 然后Image1挥手。", references=[FACE, OTHER],
        reference_videos=[small_clip], duration=6,
    )  # fmt: skip
    order = list(dict.fromkeys(shot.picture for shot in plan_of(request).shots))
    assert order == [1, 2, 3, 4, 0]


def test_a_reference_video_is_shown_by_its_frames(tmp_path, small_clip):
    """A file's own frames are seen in the clip."""
    request = models["wan2.7-r2v"].request(prompt="Video1 runs", reference_videos=[small_clip], duration=2)
    _, shown = frames(make_outputs(request, draft=True)[0].data, tmp_path, "a.mp4")
    first = next(read_frames(small_clip, side=160)).mean((0, 1))
    assert np.abs(np.asarray(shown[5]).mean((0, 1)) - first).max() < 60


@pytest.mark.parametrize(
    ("parameter", "says"),
    [("reference_videos", r"reference_videos\[0\]: the video"), ("reference_voice", "reference_voice: the sound")],
)
def test_a_damaged_file_is_named(parameter, says):
    """What can't be decoded is an error of the request that says which file it is."""
    uri = "data:video/mp4;base64,AAAAIGZ0eXBpc29tAAAAAGlzb20="
    value = [uri] if parameter.endswith("s") else uri
    request = models["wan2.7-r2v"].request(prompt="A wave", duration=2, **{parameter: value})
    with pytest.raises(InvalidRequest, match=says):
        make_outputs(request, draft=True)


def test_a_reference_video_is_given_up_between_its_frames(small_clip):
    """Who hangs up waits for no video to its end."""
    asked = []
    request = models["wan2.7-r2v"].request(prompt="Video1 waves", reference_videos=[small_clip])
    with pytest.raises(Cancelled):
        load_pictures(request, cancelled=lambda: asked.append(1) or len(asked) > 3)
    assert len(asked) == 4


def test_a_url_of_this_machine_is_refused_for_videos_too():
    """The guard that stands before pictures stands before videos and sounds."""
    for parameters in ({"reference_videos": ["http://127.0.0.1:9/a.mp4"]}, {"reference_voice": "http://127.0.0.1:9/a"}):
        request = models["wan2.7-r2v"].request(prompt="A wave", duration=2, **parameters)
        with pytest.raises(InvalidRequest, match="not a public address"):
            make_outputs(request, draft=True)


def test_a_reference_voice_is_heard(tmp_path, small_clip):
    """With a voice the clip has sound, as long as its picture."""
    request = models["wan2.7-r2v"].request(prompt="A wave", duration=2, reference_voice=small_clip)
    path, _ = frames(make_outputs(request, draft=True)[0].data, tmp_path, "a.mp4")
    info = probe(path)
    assert info.audio_codec == "aac"
    assert abs(info.duration - 2) < 0.1


OWN = """
slug = "sketcher"
title = "Sketcher"
returns = "video"
price_usd = 0.1

[fields.text]
type = "string"
role = "prompt"
required = true

[fields.ratio]
type = "string"
role = "aspect_ratio"
choices = ["4:3", "21:9"]

[fields.quality]
type = "string"
role = "resolution"
choices = ["480p"]

[fields.length]
type = "number"
role = "duration"
default = 1.5
"""


@pytest.fixture
def own(tmp_path):
    """A user's own model, known for the time of a test."""
    path = tmp_path / "sketcher.toml"
    path.write_text(OWN)
    yield models.add(path)
    models.remove("sketcher")


def test_a_users_own_model_is_previewed(own):
    """A model that nobody wrote code for has a frame by its words for shape and size, and any length."""
    request = own.request(text="A wave", ratio="4:3", quality="480p")
    board = plan_of(request)
    assert (board.width, board.height, board.frames) == (640, 480, 36)
    assert make_outputs(request, draft=True)[0].media_type == "video/mp4"


@pytest.mark.parametrize("seed", [-(10**4298), 10**1000, 10**4298])
def test_a_seed_of_thousands_of_digits_is_previewed(seed):
    """Each sample has a seed of its own, however large the request's is."""
    first, second = made("sdxl1.0-txt2img", seed=seed, samples=2)
    assert first != second


@pytest.mark.parametrize("slug", ["sdxl1.0-txt2img", "sdxl-img2img", "wan2.7-r2v"])
def test_a_prompt_of_megabytes_is_read_as_far_as_it_is_shown(slug):
    """Words behind the ten-thousandth character change no preview: reading them would take minutes."""
    model, long = models[slug], "wade. " * 2000
    short, other = (model.request(**SMALL[slug] | {"prompt": long + end}) for end in ("once", "run. " * 50_000))
    if model.returns == "video":
        assert plan_of(short) == plan_of(other)
    else:
        assert make_outputs(short) == make_outputs(other)


def test_a_frame_has_no_more_pixels_than_4k():
    """Both sides at their largest would take more than a gigabyte."""
    sides = "".join(f'[fields.{one}]\ntype = "integer"\nrole = "{one}"\nsure = false\n' for one in ("width", "height"))
    request = painter_with(sides).request(prompt="A wave", width=8192, height=8192)
    assert frame_of(request) == (2880, 2880)


@pytest.mark.parametrize("name", ["num_inference_steps", "guidance_scale", "scheduler", "negative_prompt"])
def test_every_parameter_is_seen_on_a_small_picture_beside_all_others(name):
    """What finds no place in one line of small print stands in the next one."""
    asked = {
        "prompt": "blue night", "image": Image.new("RGB", (256, 256), "peru"), "strength": 0.5, "seed": 3,
        "scheduler": "UniPC", "base_model": "juggernaut", "num_inference_steps": 40, "guidance_scale": 9,
        "negative_prompt": "hat",
    }  # fmt: skip
    other = {"num_inference_steps": 41, "guidance_scale": 10, "scheduler": "Euler", "negative_prompt": "dog"}[name]
    model = models["sdxl-img2img"]
    first, second = (make_outputs(model.request(**asked | change)) for change in ({}, {name: other}))
    assert first[0].data != second[0].data
