"""The six models: each fact of their pages, what is refused before it is sent, and what makes two requests the same."""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from catalogues import FOLDER, vidu_with

from vidu_nb.catalogue.model import Model
from vidu_nb.catalogue.models import DEFAULT, models
from vidu_nb.errors import InvalidRequest
from vidu_nb.references.reference import Reference

URL = "https://example.com/cat.png"
FACE = "https://example.com/anna.png"
CLIP = "https://example.com/walk.mp4"

VIDU, WAN, DRAW, CHANGE, SWAP, ANIMATED_SWAP = (
    "vidu-q1-reference-to-video", "wan2.7-r2v", "sdxl1.0-txt2img", "sdxl-img2img", "faceswap-v2", "sd2.1-faceswapper",
)  # fmt: skip

#: Returns, US dollars, seconds; and for each parameter its type, default and limits. A dict that is called unsure holds
#: what public code or a sibling model has, and the service's own page hasn't.
FACTS = {
    VIDU: (
        "video", 0.5, 120,
        {
            "prompt": ("string", "required", {"max_length": 1500}),
            "image_urls": ("pictures", "required", {"min_items": 1, "max_items": 7}),
            "aspect_ratio": ("string", "16:9", {"choices": ("16:9", "1:1", "9:16")}),
            "duration": ("integer", 5, {"choices": (5, 10)}),
            "seed": ("integer", 42, {"minimum": 0, "maximum": 999_999, "random": 0}),
            "bgm": ("boolean", True, {}),
            "movement_amplitude": ("string", "auto", {"choices": ("auto", "small", "medium", "large")}),
        },
    ),
    WAN: (
        "video", 0.94, 410,
        {
            "prompt": ("string", "required", {}),
            "negative_prompt": ("string", None, {}),
            "reference_images": ("pictures", None, {}),
            "reference_videos": ("links", None, {}),
            "reference_voice": ("link", None, {}),
            "duration": ("integer", 5, {"minimum": 2, "maximum": 15}),
            "resolution": ("string", None, {"choices": ("720P", "1080P")}),
            "seed": ("integer", None, {}),
        },
    ),
    DRAW: (
        "image", 0.008, 6,
        {
            "prompt": ("string", "required", {}),
            "negative_prompt": ("string", None, {}),
            "style": ("string", "base", "unsure", {"choices": ("base", "cinematic", "hdr")}),
            "samples": ("integer", 1, {"minimum": 1, "maximum": 4}),
            "scheduler": ("string", None, "unsure", {}),
            "num_inference_steps": ("integer", 25, "unsure", {"minimum": 20, "maximum": 100}),
            "guidance_scale": ("number", 7.5, {"minimum": 1, "maximum": 25}),
            "strength": ("number", 0.2, "unsure", {"minimum": 0, "maximum": 1}),
            "high_noise_fraction": ("number", 0.8, {"minimum": 0, "maximum": 1}),
            "seed": ("integer", None, "unsure", {"random": -1}),
            "img_width": ("integer", 1024, {"minimum": 512, "maximum": 2048, "multiple_of": 8}),
            "img_height": ("integer", 1024, {"minimum": 512, "maximum": 2048, "multiple_of": 8}),
            "refiner": ("boolean", True, "unsure", {}),
            "base64": ("boolean", False, {}),
        },
    ),
    CHANGE: (
        "image", 0.0195, 8,
        {
            "image": ("picture", "required", {}),
            "prompt": ("string", "required", {}),
            "negative_prompt": ("string", None, {}),
            "samples": ("integer", None, "unsure", {"minimum": 1, "maximum": 4}),
            "scheduler": ("string", None, "unsure", {}),
            "base_model": ("string", None, "unsure", {"choices": ("juggernaut",)}),
            "num_inference_steps": ("integer", None, "unsure", {"minimum": 20, "maximum": 100}),
            "guidance_scale": ("number", None, "unsure", {"minimum": 1, "maximum": 25}),
            "strength": ("number", None, "unsure", {"minimum": 0, "maximum": 1}),
            "seed": ("integer", None, "unsure", {"random": -1}),
            "base64": ("boolean", None, {}),
        },
    ),
    SWAP: (
        "image", 0.004, 3,
        {
            "source_img": ("picture", "required", {}),
            "target_img": ("picture", "required", {}),
            "face_restore": (
                "string", "codeformer-v0.1.0.pth",
                {"choices": ("codeformer-v0.1.0.pth", "GFPGANv1.4.pth", "GFPGANv1.3.pth")},
            ),
            "input_faces_index": ("string", "0", {}),
            "source_faces_index": ("string", "0", {}),
            "base64": ("boolean", False, {}),
        },
    ),
    ANIMATED_SWAP: (
        "image", 0.0225, 37,
        {
            "input_face_image": ("picture", "required", {}),
            "target_face_image": ("picture", "required", {"animated": True}),
            "file_type": ("string", None, "unsure", {"choices": ("gif", "png", "jpg", "jpeg")}),
            "face_restore": ("boolean", True, {}),
        },
    ),
}  # fmt: skip
LIMITS = (
    "minimum", "maximum", "multiple_of", "max_length", "min_items", "max_items", "choices", "random", "animated",
)  # fmt: skip
SCHEDULERS = "UniPC DDIM,DPM Multi,DPM Single,Euler a,Euler,Heun,DPM2 a Karras,DPM2 Karras"
SINGLE_PICTURES = {
    CHANGE: {"image": URL},
    SWAP: {"source_img": FACE, "target_img": URL},
    ANIMATED_SWAP: {"input_face_image": FACE, "target_face_image": URL},
}


def needed(slug):
    """The least that a model wants."""
    prompt = {} if slug in (SWAP, ANIMATED_SWAP) else {"prompt": "A cat"}
    return prompt | ({"references": URL} if slug == VIDU else SINGLE_PICTURES.get(slug, {}))


def request(slug, **more):
    return models[slug].request(**needed(slug) | more)


def described(field):
    """A field as the table above has it."""
    default = "required" if field.required else field.default
    limits = {name: getattr(field, name) for name in LIMITS if getattr(field, name) not in (None, ())}
    limits = {name: limit for name, limit in limits.items() if limit is not False}
    if field.name == "scheduler":
        assert ",".join(field.choices) == SCHEDULERS.replace(" ", ",", 1)
        limits.pop("choices")
    return (field.type, default, limits) if field.sure else (field.type, default, "unsure", limits)


ALL = [(slug, name) for slug, (*_, fields) in FACTS.items() for name in fields]


def named(value):
    return value if isinstance(value, str) else ""


# The facts.


def test_these_are_the_models_and_the_first_is_the_default():
    """Six come with the package; that which is asked where no other is named comes first."""
    assert list(models) == [VIDU, *sorted(set(FACTS) - {VIDU})]
    assert DEFAULT == VIDU
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(FACTS)


@pytest.mark.parametrize("slug", FACTS)
def test_a_model_is_what_its_page_says(slug):
    """What it returns, its price, its time, and its parameters in the page's order."""
    model = models[slug]
    returns, price, seconds, fields = FACTS[slug]
    assert (model.slug, model.returns, model.price_usd, model.seconds) == (slug, returns, price, seconds)
    assert sorted(model.fields) == sorted(fields)
    assert model.source
    assert model.title


@pytest.mark.parametrize(("slug", "name"), ALL, ids=named)
def test_a_parameter_is_what_its_page_says(slug, name):
    """Type, default, limits and choices are those of the page; what is not the page's says where it was read."""
    field = models[slug].fields[name]
    assert described(field) == FACTS[slug][-1][name]
    assert field.help.endswith(".")
    assert field.sure is not bool(field.mark), "what isn't sure says where it was read"


def test_each_model_has_the_frames_that_its_page_names():
    """A ratio, a resolution, or width and height in pixels give the frame; else that of the picture to change."""
    assert request(VIDU, aspect_ratio="9:16").frame_size == (1080, 1920)
    assert request(WAN, resolution="720P").frame_size == (1280, 720)
    assert request(WAN).frame_size == (1920, 1080)
    assert request(DRAW, img_width=512, img_height=768).frame_size == (512, 768)
    picture = np.zeros((160, 240, 3), np.uint8)
    assert request(CHANGE, image=picture).frame_size == (240, 160)
    assert request(SWAP, target_img=picture).frame_size == (240, 160)
    assert request(SWAP).frame_size == (1024, 1024)  # a URL's is not known


# What is sure is checked, before anything is sent.


def wrong_values():
    """Each sure limit of the table with values outside of it."""
    for slug, name in ALL:
        kind, default, *unsure, limits = FACTS[slug][-1][name]
        if unsure or kind in ("picture", "pictures", "link", "links"):
            continue
        wrong = {
            "string": [5, True, ["text"], {}, "half \ud83d"],
            "integer": [1.5, True, "7", math.nan, math.inf, [1], {}],
            "number": ["7", True, math.nan, math.inf, [1.0], {}],
            "boolean": [0, 1, "true", "no", []],
        }[kind]
        if default is not None:
            wrong.append(None)
        step = 1 if kind == "integer" else 0.01
        if "minimum" in limits:
            wrong += [limits["minimum"] - step, limits["maximum"] + step, -1e9, 10**400]
        if "multiple_of" in limits:
            wrong += [limits["minimum"] + 1, limits["minimum"] + limits["multiple_of"] // 2]
        if "choices" in limits:
            wrong += ["other"] if kind == "string" else [7]
            wrong += [choice.upper() for choice in limits["choices"] if kind == "string" and choice.upper() != choice]
        if "max_length" in limits:
            wrong.append("x" * (limits["max_length"] + 1))
        yield from ((slug, name, value) for value in wrong)


def short(value):
    return str(value)[:30].encode("ascii", "replace").decode()


@pytest.mark.parametrize(("slug", "name", "value"), list(wrong_values()), ids=short)
def test_what_is_surely_wrong_is_refused_in_words(slug, name, value):
    """The message names the parameter, is one line, and short."""
    with pytest.raises(InvalidRequest) as caught:
        request(slug, **{name: value})
    field = models[slug].fields[name]
    assert str(caught.value).startswith(f"{field.parameter}: ")
    assert caught.value.field == field.parameter
    assert len(str(caught.value)) < 200


def right_values():
    """Each sure limit itself, and each choice."""
    for slug, name in ALL:
        kind, _, *unsure, limits = FACTS[slug][-1][name]
        if unsure:
            continue
        right = [limits[end] for end in ("minimum", "maximum") if end in limits]
        right += limits.get("choices", ())
        right += ["x" * limits["max_length"]] if "max_length" in limits else []
        right += [True, False] if kind == "boolean" else []
        right += [limits["minimum"] + limits["multiple_of"]] if "multiple_of" in limits else []
        yield from ((slug, name, value) for value in right)


@pytest.mark.parametrize(("slug", "name", "value"), list(right_values()), ids=short)
@pytest.mark.filterwarnings("ignore:duration=10")
def test_the_limits_themselves_and_each_choice_are_sent(slug, name, value):
    """What is on the edge is inside, and stands in the body as it was given."""
    body = request(slug, **{name: value}).payload()
    assert body[name] == value
    assert type(body[name]) is type(value)


@pytest.mark.parametrize(
    ("slug", "name"), [(slug, name) for slug, name in ALL if FACTS[slug][-1][name][1] == "required"]
)
def test_what_is_required_must_be_there(slug, name):
    """A required parameter that isn't given, or is None, is missing; the message says so."""
    parameter = models[slug].fields[name].parameter
    wanted = needed(slug)
    wanted.pop(name if name in wanted else parameter)
    for parameters in (wanted, wanted | {name: None}):
        with pytest.raises(InvalidRequest) as caught:
            models[slug].request(**parameters)
        assert caught.value.field == parameter


@pytest.mark.parametrize("slug", FACTS)
def test_an_unknown_parameter_is_refused_with_the_known_ones(slug):
    """A misspelt name, and another model's, reach no service."""
    with pytest.raises(InvalidRequest, match="sed: unknown parameter; known are ") as caught:
        request(slug, sed=7)
    assert all(name in str(caught.value) for name in models[slug].by_parameter)


def test_pictures_are_counted_where_the_limit_is_known_and_only_there():
    """Vidu takes seven and says so; how many wan takes is not known, so that the service answers."""
    with pytest.raises(InvalidRequest, match="references: 8 given: pass at most 7"):
        request(VIDU, references=[URL] * 8)
    assert len(request(WAN, references=[URL] * 12).pictures) == 12
    body = request(WAN, references=[URL] * 12).payload()
    assert len(models[WAN].request_class.from_payload(body).pictures) == 12
    with pytest.raises(InvalidRequest, match="references: more than 100 given: pass at most 100"):
        request(WAN, references=iter(lambda: URL, None))


@pytest.mark.parametrize(
    ("slug", "name", "value", "says"),
    [
        (CHANGE, "image", "no/such.png", "image: there is no file 'no/such.png': check the path"),
        (CHANGE, "image", np.zeros((100, 200, 3), np.uint8), "image: 200x100 is too small"),
        (SWAP, "source_img", b"text" * 99, "source_img: .*not a picture"),
        (SWAP, "target_img", 5, "target_img: a int is not a picture"),
        (
            WAN,
            "reference_videos",
            [CLIP, "no/such.mp4"],
            r"reference_videos\[1\]: no file 'no/such.mp4': check the path",
        ),
        (WAN, "reference_videos", [CLIP, None], r"reference_videos\[1\]: a NoneType is not a video or a sound"),
        (WAN, "reference_voice", 5, "reference_voice: a int is not a video or a sound: pass a path"),
        (WAN, "reference_voice", "ftp://example.com/a.mp3", "reference_voice: "),
        (WAN, "references", [URL, 5], r"references\[1\]: a int is not a picture"),
    ],
)
def test_a_picture_or_clip_that_is_none_is_named_by_its_parameter(slug, name, value, says):
    """Whatever is wrong with a file, the message begins with the parameter that it was given for."""
    with pytest.raises(InvalidRequest, match=f"^{says}"):
        request(slug, **{name: value})


def test_references_stand_for_single_pictures_in_their_order():
    """Where a model has single pictures, `references` gives them in the order of its page."""
    swapped = models[SWAP].request(references=[FACE, URL])
    assert swapped == request(SWAP)
    assert models[SWAP].request(references=(one for one in [FACE, URL])) == swapped
    assert models[SWAP].request(references={"anna": FACE, "cat": URL}).pictures[0].name == "anna"
    assert models[CHANGE].request(prompt="A cat", references=URL) == request(CHANGE)
    with pytest.raises(InvalidRequest, match="references: 3 given: pass at most 2"):
        models[SWAP].request(references=[FACE, URL, URL])
    with pytest.raises(InvalidRequest, match=r"references\[1\]: there is no file"):
        models[SWAP].request(references=[FACE, "no/such.png"])
    with pytest.raises(InvalidRequest, match="target_img: is missing: pass a picture"):
        models[SWAP].request(references=FACE)


# What isn't sure is passed on.

ODD = [0, -3, 10**12, 0.5, -1e300, "", "anything at all", True, False, [1, "two", {"three": 3.5}], {"a": None}]
UNSURE = [(slug, name) for slug, name in ALL if "unsure" in FACTS[slug][-1][name][2:3]]


@pytest.mark.parametrize(("slug", "name"), UNSURE, ids=named)
def test_what_is_not_sure_is_passed_on_as_it_is(slug, name):
    """Any value that JSON can say is in the body, and a body with it gives the same request back."""
    for value in ODD:
        made = request(slug, **{name: value})
        body = json.loads(json.dumps(made.payload()))
        assert body[name] == value
        assert type(body[name]) is type(value)
        assert type(made).from_payload(body) == made
        assert pickle.loads(pickle.dumps(made)) == made
        assert hash(made.replace()) == hash(made)
        assert len(made.key()) == 64
        assert len(repr(made)) < 400
        assert models[slug].price_of(made) >= 0
        assert min(made.frame_size) > 0
        assert made.labels() is not None


@pytest.mark.parametrize(("slug", "name"), UNSURE, ids=named)
def test_what_json_cannot_say_is_refused_even_where_nothing_is_sure(slug, name):
    """It could not be sent."""
    for value in (math.nan, math.inf, object(), b"bytes", {1, 2}, "half \ud83d", ["half \ud83d"], 10**5000):
        with pytest.raises(InvalidRequest, match=f"^{name}: "):
            request(slug, **{name: value})


@pytest.mark.parametrize("slug", FACTS)
def test_the_least_request_sends_what_is_sure_and_nothing_else(slug):
    """A sure default stands in the body; one that isn't sure is the service's own matter."""
    sure = {
        name: default
        for name, (_, default, *unsure, _) in FACTS[slug][-1].items()
        if not unsure and default not in (None, "required")
    }
    media = {one.name for one in models[slug].media}
    body = {name: value for name, value in request(slug).payload().items() if name not in media}
    assert body == sure | ({"prompt": "A cat"} if "prompt" in FACTS[slug][-1] else {})


def test_a_list_that_is_passed_on_is_a_copy():
    """A request that exists never changes, whatever becomes of what it was made of."""
    value = [1, {"two": 2}]
    made = request(DRAW, style=value)
    key = made.key()
    value[1]["two"] = 3
    assert made.key() == key
    assert made.payload()["style"] == [1, {"two": 2}]


# Prices.


def test_each_sample_is_paid_for():
    """The price is for one picture; a number of samples that isn't known counts as one, never as none."""
    assert models[DRAW].price_of(request(DRAW)) == 0.008
    assert models[DRAW].price_of(request(DRAW, samples=4)) == pytest.approx(0.032)
    assert models[CHANGE].price_of(request(CHANGE)) == 0.0195
    assert models[CHANGE].price_of(request(CHANGE, samples=3)) == pytest.approx(0.0585)
    for odd in (0, -2, "many", True, [3]):
        assert models[CHANGE].price_of(request(CHANGE, samples=odd)) == 0.0195
    assert math.isfinite(models[CHANGE].price_of(request(CHANGE, samples=10**400)))


# Seeds.


@pytest.mark.parametrize(
    ("slug", "seed", "is_random", "used"),
    [
        (VIDU, 0, True, None), (VIDU, 42, False, 42), (VIDU, 0.0, True, None),
        (WAN, 0, False, 0), (WAN, 7, False, 7), (WAN, -1, False, -1), (WAN, None, False, None),
        (DRAW, -1, True, None), (DRAW, -1.0, True, None), (DRAW, 0, False, 0), (DRAW, None, False, None),
        (DRAW, "-1", False, None), (DRAW, 2**63, False, 2**63), (CHANGE, -1, True, None), (CHANGE, 7, False, 7),
    ],
)  # fmt: skip
def test_a_random_seed_is_known_by_the_models_own_value(slug, seed, is_random, used):
    """0 for Vidu, -1 for the SDXL models, none for wan; a seed that isn't given is not random: it replays."""
    made = request(slug, seed=seed)
    assert (made.is_random, made.seed_value) == (is_random, used)


def test_the_label_tells_the_seed():
    """The seed as far as it is known: given, drawn by the service, or random; for most models 0 is one, too."""
    assert request(VIDU, seed=0).labels() == ["16:9", "5 s", "random seed"]
    assert request(VIDU, seed=0).labels(seed=77) == ["16:9", "5 s", "seed 77"]
    assert request(VIDU, seed=0).labels(seed=0) == ["16:9", "5 s", "random seed"]
    assert request(WAN, seed=0).labels() == ["Wan 2.7 reference to video", "5 s", "seed 0"]
    assert request(DRAW).labels() == ["SDXL 1.0 text to image", "1024x1024"]
    assert request(SWAP).labels() == ["Face swap v2", "1024x1024"]


# Keys.


@pytest.mark.parametrize("slug", FACTS)
def test_a_default_that_is_given_is_the_one_that_is_left_out(slug):
    """Writing a sure default out asks for the same; the order of parameters doesn't count."""
    defaults = {name: one.default for name, one in models[slug].fields.items() if one.sure and one.default is not None}
    spelt_out = request(slug, **defaults)
    turned = models[slug].request(**dict(reversed((needed(slug) | defaults).items())))
    assert request(slug) == spelt_out == turned
    assert request(slug).key() == spelt_out.key() == turned.key()


@pytest.mark.parametrize(("slug", "name"), UNSURE, ids=named)
def test_a_default_that_is_not_sure_is_no_other_request_only_if_it_is_not_sent(slug, name):
    """What is sent is another body, and so another key: whether the service takes it for the same is not known."""
    default = models[slug].fields[name].default
    if default is not None:
        assert request(slug, **{name: default}).key() != request(slug).key()


def test_no_two_models_have_a_key_in_common():
    """Each model's requests are its own, for each engine."""
    keys = [request(slug).key(engine=engine) for slug in FACTS for engine in ("segmind", "preview")]
    assert len(set(keys)) == len(keys)
    twin = replace(models[WAN], slug="wan-other")
    asked = {"prompt": "A cat", "references": URL}
    assert twin.request(**asked).payload() == models[WAN].request(**asked).payload()
    assert twin.request(**asked).key() != models[WAN].request(**asked).key()


@pytest.mark.parametrize("slug", [slug for slug in FACTS if slug != VIDU])
def test_each_value_counts_in_a_key(slug):
    """Another value of any parameter is another request."""
    others = {"string": "other", "integer": 3, "number": 5.25, "boolean": True, "picture": CLIP + "#", "link": CLIP}
    keys = {request(slug).key()}
    for one in models[slug].fields.values():
        value = 0.25 if one.maximum == 1 else 640 if one.multiple_of else others.get(one.type, [CLIP])
        value = next((choice for choice in one.choices if choice != one.default), value)
        keys.add(request(slug, **{one.name: not one.default if one.type == "boolean" else value}).key())
    assert len(keys) == len(models[slug].fields) + 1


def test_a_parameter_that_was_added_counts_only_where_it_is_used():
    """A later parameter at its default changes no key; one whose default isn't sure does when it is sent."""
    later = """
        [fields.watermark]
        type = "boolean"
        default = false
        added = true
        [fields.level]
        type = "integer"
        default = 1
        added = true
        sure = false
    """
    model, asked = vidu_with(later), {"prompt": "A cat", "references": URL}
    before = models[VIDU].request(**asked).key()
    assert model.request(**asked).key() == model.request(**asked, watermark=False).key() == before
    keys = [
        model.request(**asked, **more).key()
        for more in ({"watermark": True}, {"level": 1}, {"level": True}, {"level": 2})
    ]
    assert len({before, *keys}) == 5


def test_the_address_of_a_clip_is_the_same_under_another_signature(tmp_path):
    """A storage's signature is no part of a clip's identity; a file's name isn't either, but its content is."""
    (tmp_path / "a.mp4").write_bytes(b"moving")
    (tmp_path / "b.mp4").write_bytes(b"moving")
    (tmp_path / "c.mp4").write_bytes(b"other")
    a, b, c = (request(WAN, reference_videos=f"{name}.mp4").key() for name in "abc")
    assert a == b != c
    signed = [f"https://b.s3.amazonaws.com/a.mp4?X-Amz-Signature={n}&X-Amz-Date=1&X-Amz-Credential=c" for n in "12"]
    assert len({request(WAN, reference_videos=one).key() for one in signed}) == 1


# Values that travel.


@pytest.mark.parametrize("slug", FACTS)
def test_a_request_is_a_value(slug, photo):
    """It copies, compares, hashes, pickles, and comes back from its body; its repr is short and holds no base64."""
    pictures = {one.name: photo for one in models[slug].media if one.type == "picture"}
    prompt = {"prompt": "long " * 200} if "prompt" in needed(slug) else {}
    made = request(slug, **(pictures or {"references": photo} if slug != DRAW else {}) | prompt)
    for other in (
        copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), made.replace(),
    ):  # fmt: skip
        assert other == made
        assert other.key() == made.key()
        assert hash(other) == hash(made)
        assert other.model is models[slug]
    answered = type(made).from_payload(json.loads(json.dumps(made.payload())))
    assert answered == made
    assert hash(answered) == hash(made)
    assert "base64," not in repr(made)
    assert len(repr(made)) < 600
    with pytest.raises(ValueError, match="frozen"):
        made.prompt = "Another"


@pytest.mark.parametrize("slug", [VIDU, WAN, *SINGLE_PICTURES])
def test_other_pictures_make_another_request(slug):
    """Each picture is exchanged in its place; videos, sounds and the request itself stay as they are."""
    more = {"references": [URL, FACE], "reference_videos": CLIP, "reference_voice": CLIP} if slug == WAN else {}
    made = request(slug, **more)
    other = made.with_pictures(lambda picture: Reference(picture.url + "?other"))
    assert [one.url for one in other.pictures] == [one.url + "?other" for one in made.pictures]
    assert made == request(slug, **more)
    assert other != made
    assert [one for one in other.media if one not in other.pictures] == [
        one for one in made.media if one not in made.pictures
    ]


def test_long_texts_are_cut_in_a_repr():
    """Whatever holds megabytes, a repr does not."""
    made = request(DRAW, negative_prompt="x" * 10**6, style=["y" * 10**6], scheduler="z" * 10**6)
    assert len(repr(made)) < 600


def test_requests_of_different_models_are_never_equal():
    """Even where every value is."""
    assert request(DRAW) != request(CHANGE)
    assert request(WAN) != models[VIDU].request(prompt="A cat", references=URL)


def test_a_request_of_a_users_model_arrives_in_a_process_that_has_no_such_file(tmp_path):
    """A worker elsewhere gets the model with the request."""
    path = tmp_path / "painter.toml"
    path.write_text(
        'slug = "painter"\ntitle = "P"\nreturns = "image"\nprice_usd = 1\n[fields.prompt]\ntype = "string"\n'
    )
    made = models.add(path).request(prompt="A cat")
    try:
        assert pickle.loads(pickle.dumps(made)) == made
        (tmp_path / "request").write_bytes(pickle.dumps(made))
    finally:
        models.remove("painter")
    code = "import pickle; r = pickle.load(open('request', 'rb')); print(r.model.slug, r.prompt, r.key())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.stdout.split(), ended.stderr) == (["painter", "A", "cat", made.key()], "")


def test_a_model_is_its_slug():
    """A model equals its slug, hashes like it, and pickles."""
    model = models[WAN]
    assert model == WAN == str(model)
    assert {model: 1}[WAN] == 1
    assert models[model] is model
    assert pickle.loads(pickle.dumps(model)) == model
    assert isinstance(model, Model)
    assert repr(model) == "Model('wan2.7-r2v', returns='video', price_usd=0.94)"


@pytest.mark.parametrize("slug", FACTS)
def test_the_schema_says_what_is_sure(slug):
    """JSON Schema holds the sure limits and nothing about what isn't sure."""
    schema = models[slug].schema()
    assert schema["required"] == [name for name, fact in FACTS[slug][-1].items() if fact[1] == "required"]
    for name, (kind, default, *unsure, limits) in FACTS[slug][-1].items():
        told = schema["properties"][name]
        if unsure:
            assert set(told) == {"title", "description"}
        elif kind in ("string", "integer", "number", "boolean"):
            assert told["type"] == kind
            assert told.get("default") == (None if default == "required" else default)
            assert told.get("maximum") == limits.get("maximum")
            assert tuple(told.get("enum", ())) == limits.get("choices", ())
    json.dumps(schema)
