"""Plans and sweeps of other models than the default: every field is swept, priced, labelled and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogues import painter_with
from PIL import Image
from services import Service

import vidu_nb as vidu
from vidu_nb.errors import ConfirmationNeeded, InvalidRequest
from vidu_nb.sweeps.grid import Grid

pytestmark = pytest.mark.usefixtures("small_frames")

KEY = "SG_not-a-real-key"
CAT, DOG = "https://example.com/cat.png", "https://example.com/dog.png"
WAN, PAINTER, SWAPPER = "wan2.7-r2v", "sdxl1.0-txt2img", "faceswap-v2"


@pytest.fixture
def client():
    """A client of a service that nobody asks anything."""
    return vidu.Client(KEY, "http://127.0.0.1:9", price_usd=0.5)


@pytest.fixture
def service(small_clip):
    """A service that makes a clip of whatever it is asked."""
    with Service(lambda call: call.say(small_clip.read_bytes(), cost=0.8)) as running:
        yield running


def test_any_field_of_any_model_is_swept_in_its_order():
    """Parameters stand in the model's order, the rightmost fastest; what isn't given is left to the model's file."""
    plan = vidu.Plan.of("Image1 waves", CAT, model=WAN, resolution=["1080P", "720P"], duration=[3, 7])
    assert [(one.duration, one.resolution) for one in plan] == [
        (3, "1080P"), (3, "720P"), (7, "1080P"), (7, "720P"),
    ]  # fmt: skip
    assert list(plan.axes) == ["duration", "resolution"]
    assert plan[0].payload() == {
        "prompt": "Image1 waves", "reference_images": [CAT], "duration": 3, "resolution": "1080P",
    }  # fmt: skip
    assert plan.label(1) == "3 s · resolution 720P"
    assert plan.position(duration=7, resolution="720P") == 3


def test_a_default_of_the_default_model_is_not_given_to_another():
    """A seed that nobody passed is not sent to a model whose file has none; one that is passed is."""
    assert "seed" not in vidu.Plan.of("Image1 waves", CAT, model=WAN)[0].payload()
    assert vidu.Plan.of("Image1 waves", CAT, model=WAN, seed=42)[0].payload()["seed"] == 42


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({"references": [CAT, DOG]}, 1),
        ({"references": [[CAT], [DOG], [CAT, DOG]]}, 3),
        ({"reference_images": [[CAT], [DOG]]}, 2),
        ({"reference_videos": ["https://example.com/a.mp4", "https://example.com/b.mp4"]}, 1),
        ({"reference_videos": [["https://example.com/a.mp4"], ["https://example.com/b.mp4"]]}, 2),
        ({"reference_voice": ["https://example.com/a.wav", "https://example.com/b.wav"]}, 2),
    ],
)
def test_a_flat_list_of_what_is_a_list_is_one_set(parameters, count):
    """Lists of pictures and of links are values; a list of lists sweeps, and a list of what is single does."""
    plan = vidu.Plan.of("Image1 waves", model=WAN, **parameters)
    assert len(plan) == count
    assert len({one.key() for one in plan}) == count


def test_single_pictures_are_swept_by_their_names(photo):
    """An array is one picture; references are laid out over single pictures, and sets of them are refused in words."""
    faces = [photo, Image.fromarray(photo[::-1])]
    plan = vidu.Plan.of(source_img=faces, target_img=photo, model=SWAPPER)
    assert (len(plan), list(plan.axes)) == (2, ["source_img"])
    assert len(vidu.Plan.of(references=[photo, photo], model=SWAPPER)) == 1
    with pytest.raises(InvalidRequest, match=r"takes single pictures: list them for each of source_img, target_img"):
        vidu.Plan.of(references=[faces, faces], model=SWAPPER)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"duration": [5, 99]}, "duration: 99 is out of range"),
        ({"tempo": [1, 2]}, "tempo: unknown parameter; known are prompt, negative_prompt"),
        ({"aspect_ratio": "16:9"}, "aspect_ratio: unknown parameter"),
        ({"duration": []}, "duration: the list is empty"),
        ({"seed": [1, 1]}, "seed: 1 is given twice"),
        ({"negative_prompt": [["a"], ["b"]]}, "negative_prompt: .* is not text"),
    ],
)
def test_a_bad_value_of_another_model_fails_at_once(parameters, problem):
    """As of the default model."""
    with pytest.raises(InvalidRequest, match=problem):
        vidu.Plan.of("Image1 waves", CAT, model=WAN, **parameters)


def test_a_name_in_python_goes_before_the_api_s():
    """Where the API calls something else `prompt`, that name is still the prompt's, as in a request."""
    model = painter_with('[fields.prompt]\ntype = "string"')
    plan = vidu.Plan.of("A boat", model=model, prompt_=["small", "large"])
    assert [one.payload() for one in plan] == [
        {"text": "A boat", "prompt": "small"}, {"text": "A boat", "prompt": "large"},
    ]  # fmt: skip


def test_a_parameter_under_both_of_its_names_is_refused():
    """Neither of two values is dropped in silence."""
    with pytest.raises(InvalidRequest, match="text: is another name of prompt: pass one of the two"):
        vidu.Plan.of("A boat", model=painter_with(""), text=["A cat", "A dog"])


def test_what_is_missing_is_told():
    """A required parameter that is not given."""
    with pytest.raises(InvalidRequest, match="prompt: is missing"):
        vidu.Plan.of(model=WAN)


def test_each_request_is_priced_by_its_model(client):
    """By the file's price, and by what multiplies it; the client's own price is the default model's."""
    assert vidu.Plan.of("A cat", CAT, seed=[1, 2]).priced(client).price_usd == 1.0
    assert vidu.Plan.of("Image1", CAT, model=WAN, seed=[1, 2]).priced(client).price_usd == pytest.approx(2 * 0.94)
    plan = vidu.Plan.of("A lighthouse", model=PAINTER, samples=[1, 4], seed=[1, 2]).priced(client)
    assert plan.price_usd == pytest.approx(2 * 0.008 * (1 + 4))
    assert plan.seconds == pytest.approx(6.0)


def test_a_plan_tells_its_model_and_what_is_not_set():
    """In facts and labels; the default model's facts are as ever."""
    plan = vidu.Plan.of("A lighthouse", model=PAINTER, guidance_scale=[3, 7.5], refiner=[True, None])
    assert plan.facts()["model"] == PAINTER
    assert plan.label(1) == "guidance scale 3 · refiner not set"
    assert plan.label(2) == "guidance scale 7.5 · refiner on"
    assert "model" not in vidu.Plan.of("A cat", CAT).facts()


def test_budgets_of_plans_stay_the_same_files(client):
    """The digest of a plan of the default model is what it was when there was no other; others have their own."""
    assert vidu.Plan.of("A cat", CAT, seed=[1, 2]).digest(vidu.Client.preview()) == "3503d5342aa19273"
    assert vidu.Plan.of("A cat", [CAT, DOG]).digest(vidu.Client.preview(quality="draft")) == "4299c038bce78a18"
    plans = [vidu.Plan.of("A cat", CAT, model=WAN, seed=seeds) for seeds in ([1, 2], [1, 3], [1])]
    plans.append(vidu.Plan.of("A cat", CAT, seed=[1, 2]))
    plans.append(vidu.Plan.of("A cat", DOG, model=WAN, seed=[1, 2]))
    assert len({plan.digest(client) for plan in plans}) == 5
    assert plans[0] != plans[3]


def test_a_sweep_of_another_model_lands_replays_and_is_shown(service):
    """One paid call for each, none when it runs again; rows, labels and the grid go by the model's own fields."""
    client = vidu.Client(KEY, service.url, mode="sync", notify=len)
    asked = {"model": WAN, "duration": [2, 3], "resolution": ["720P", "1080P"], "confirm": True, "client": client}
    swept = vidu.sweep("Image1 waves", CAT, budget_usd=5, **asked)
    assert repr(swept) == "Sweep(4 of 4 clips · $3.20 spent)"
    assert service.calls == [f"/v1/{WAN}"] * 4
    assert swept.at(duration=3, resolution="720P").request.duration == 3
    assert list(swept.rows()[0])[:4] == ["duration", "resolution", "seed", "state"]
    html = swept.show().html()
    assert "resolution 720P" in html
    assert "2 s" in html
    again = vidu.sweep("Image1 waves", CAT, **asked)
    assert (again.plan.kept, again.spent_usd, len(service.calls)) == (4, 0.0, 4)
    json.dumps(swept.facts())


@pytest.mark.parametrize("seed", [None, -1, 3, 10**13])
def test_a_clip_of_whatever_seed_is_known_to_be_kept(service, seed):
    """With none, a negative, an ordinary and a huge one: what the client would replay is not priced."""
    client = vidu.Client(KEY, service.url, mode="sync", notify=len)
    plan = vidu.Plan.of("Image1 waves", CAT, model=WAN, seed=seed)
    client.generate(plan[0])
    assert plan.priced(client).kept == 1


def test_money_needs_a_word_by_the_model_s_own_price(client):
    """Two clips at 94 cents are asked about, and the plan is in the error."""
    with pytest.raises(ConfirmationNeeded, match=r"about \$1\.88") as caught:
        vidu.sweep("Image1 waves", CAT, model=WAN, seed=[1, 2], budget_usd=5, client=client)
    assert caught.value.plan.price_usd == pytest.approx(1.88)


def test_what_is_not_made_yet_has_the_model_s_shape(client):
    """A place in the grid is as wide and high as what will come."""
    plan = vidu.Plan.of("A lighthouse", model=PAINTER, img_width=512, img_height=[512, 1024])
    assert "aspect-ratio:512/1024" in Grid(plan, {}).html()
    assert not Path(client.archive.folder).exists()
