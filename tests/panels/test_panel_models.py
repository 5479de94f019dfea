"""The panel of any model: its controls, its price, and what is carried over from one model to another."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import get_args

import pytest
from faults import KEY
from panels import choose, held, item, label, remark, send, text, type_in
from PIL import Image

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.catalogue.model import Model, Returns
from vidu_nb.client.client import Client
from vidu_nb.client.estimates import recent_receipts
from vidu_nb.panels import panel as module
from vidu_nb.receipt import Receipt
from vidu_nb.storage.archive import Archive

pytestmark = pytest.mark.usefixtures("small_frames")

CLIP, WAN, DRAW, CHANGE, SWAP = next(iter(vidu.models)), "wan2.7-r2v", "sdxl1.0-txt2img", "sdxl-img2img", "faceswap-v2"
VIDEO = "https://example.com/walk.mp4"


def choose_model(panel, slug):
    """Choose from the list of models."""
    return send(panel, "model", slug=slug)


@pytest.mark.parametrize("slug", list(vidu.models))
def test_every_model_has_a_control_for_each_of_its_parameters(slug, photo):
    """What a model needs is filled in, and the request is the one that its file makes."""
    model = vidu.models[slug]
    needed = {"string": "A cat", "picture": photo, "pictures": [photo]}
    asked = {one.parameter: needed[one.type] for one in model.fields.values() if one.required}
    panel = vidu.panel(model=slug, **asked)
    assert panel.model is model
    assert panel.request == model.request(**asked)
    for field in model.fields.values():
        shown = item(panel, field.parameter)
        assert (shown["title"], shown["kind"] == "tray") == (field.title, field.type.startswith("picture"))
        assert bool(shown["mark"]) != field.sure
        assert (field.parameter in panel._trays) != (field.parameter in panel._values)
    assert panel._controls[0]["role"] == "prompt" or not model.by_role("prompt")


def test_models_are_chosen_by_their_titles():
    """A list shows the titles; a choice by hand and an assignment do the same, and an unknown model is refused."""
    panel = vidu.panel()
    assert [one[:2] for one in panel._head["models"]] == [[slug, one.title] for slug, one in vidu.models.items()]
    assert panel._head["models"][0][2] == "$0.50 · 2 min"
    choose_model(panel, WAN)
    assert panel.model == WAN
    assert "Wan 2.7 reference to video: $0.94 a clip" in panel.message
    panel.model = DRAW
    assert panel._head["model"] == DRAW
    assert repr(panel) == "Panel(SDXL 1.0 text to image · seed 42 · ready)"
    with pytest.raises(errors.InvalidRequest, match="pixies"):
        panel.model = "pixies"
    assert "'pixies' is not known" in choose_model(panel, "pixies")["message"]
    assert (panel.model, panel._head["model"]) == (DRAW, DRAW)


def test_a_model_that_was_added_can_be_chosen(tmp_path):
    """A user's own file is all that it takes."""
    (tmp_path / "own.toml").write_text(
        'slug = "own-1"\ntitle = "My own"\nreturns = "image"\nprice_usd = 0.05\n'
        '[fields.words]\ntype = "string"\nrole = "prompt"\nrequired = true\ntitle = "Words"\nmax_length = 20\n'
        '[fields.looks]\ntype = "string"\nrequired = true\nchoices = ["a", "b", "c", "d", "e"]\n'
        '[fields.sharp]\ntype = "boolean"\n'
        '[fields.name]\ntype = "string"\nrequired = true\nsure = false\n'
    )
    vidu.models.add(tmp_path / "own.toml")
    try:
        panel = vidu.panel("A cat", model="own-1", name="x")
        assert panel.request.values() == {"prompt": "A cat", "looks": "a", "sharp": None, "name": "x"}
        assert item(panel, "looks")["kind"] == "select"
        assert item(panel, "prompt")["limit"] == 20
        choose(panel, "sharp", "yes")
        assert panel.request.payload() == {"words": "A cat", "looks": "a", "sharp": True, "name": "x"}
        panel.fill(sharp=None, looks="e")
        assert panel.request.payload() == {"words": "A cat", "looks": "e", "name": "x"}
        assert held(panel, "sharp") == "not sent", "something is always chosen"
        type_in(panel, name=" ")
        assert panel.request is None, "what is required is not sent empty"
    finally:
        vidu.models.remove("own-1")


# From one model to another.


def test_what_two_models_share_stays(asked):
    """Prompt, pictures, seed and duration go along; what has no place is named, and is there again on the way back."""
    panel = vidu.panel(**asked, seed=7)
    before = panel.request
    panel.model = WAN
    assert panel.request.payload()["prompt"] == asked["prompt"]
    assert (panel.request.seed, panel.request.duration, panel.request.pictures) == (7, 5, before.references)
    assert "Not for it: Aspect ratio, Background music; that comes back with Vidu Q1" in panel.message
    panel.fill(duration=7, seed=8)
    panel.model = CHANGE
    assert (panel.request.image, panel.request.seed) == (before.references[0], 8)
    panel.model = CLIP
    assert panel.request == before.replace(seed=8)


def test_more_pictures_than_fit_are_named_and_come_back(asked, encoded):
    """The first goes along; the others are there again with the model that takes them."""
    pictures = [encoded(colour=name) for name in ("red", "green", "blue")]
    panel = vidu.panel(**asked | {"references": pictures})
    before = panel.request.references
    panel.model = CHANGE
    assert panel.request.image == before[0]
    assert "2 pictures" in panel.message
    panel.model = SWAP
    assert panel.request is None, "the picture to change is there, the face is not"
    assert panel._form.values()["target_img"] == before[0]
    panel.model = CLIP
    assert panel.request.references == before


@pytest.mark.parametrize(("given", "slug", "seed"), [(0, DRAW, -1), (7, DRAW, 7), (0, WAN, None)])
def test_a_random_seed_stays_random(asked, given, slug, seed):
    """Each model has its own value for it; where one has none, no seed is sent."""
    panel = vidu.panel(**asked, seed=given)
    panel.model = slug
    assert panel.request.seed == seed


def test_a_request_of_another_model_chooses_it(asked):
    """What was made with another model comes back with its own controls."""
    panel = vidu.panel(**asked)
    request = vidu.models[DRAW].request(prompt="A lighthouse", seed=5, samples=3, refiner=False, scheduler="Euler a")
    panel.request = request
    assert panel.request == request
    assert (panel.model, panel._head["model"]) == (DRAW, DRAW)
    assert held(panel, "scheduler") == "Euler a"


def test_pictures_are_laid_out_over_the_places_that_there_are(encoded):
    """`references` stands for the pictures of any model; one too many is refused."""
    face, picture = encoded(colour="red"), encoded(colour="blue")
    panel = vidu.panel(references=[face, picture], model=SWAP)
    assert panel.request == vidu.models[SWAP].request(source_img=face, target_img=picture)
    with pytest.raises(errors.InvalidRequest, match="references: 3 given: pass at most 2"):
        vidu.panel(references=[face, picture, face], model=SWAP)


# Controls.


def test_a_face_swap_has_a_tray_for_each_picture():
    """Each has its title and takes one; samples fill both; nothing there is needs a prompt or a seed."""
    panel = vidu.panel(model=SWAP)
    trays = panel._trays.values()
    assert [(one["words"]["title"], one["limits"]["pictures"]) for one in trays] == [("Face", 1), ("Picture", 1)]
    assert "Face: add a picture. Picture: add a picture." in text(panel)
    send(panel, "samples")
    assert panel.request is not None
    assert {one["role"] for one in panel._controls}.isdisjoint({"prompt", "seed"})
    with pytest.raises(errors.InvalidRequest, match="source_img"):
        panel.fill(source_img=[VIDEO, VIDEO])


def test_an_empty_control_sends_nothing():
    """What is optional and left empty is not in the body; what is not documented is sent as it was written."""
    panel = vidu.panel("A cat", model=CHANGE, image="https://example.com/cat.png")
    assert panel.request.payload() == {"image": "https://example.com/cat.png", "prompt": "A cat"}
    type_in(panel, strength="0.65", samples="9", scheduler="PNDM", seed="8")
    sent = {"strength": 0.65, "samples": 9, "scheduler": "PNDM", "seed": 8}
    assert {name: panel.request.payload()[name] for name in sent} == sent
    type_in(panel, strength="")
    assert "strength" not in panel.request.payload()


def test_a_choice_without_a_default_can_be_left_to_the_service():
    """The first of the choices sends nothing; code can go back to it."""
    panel = vidu.panel("A cat", model=WAN)
    assert (held(panel, "resolution"), list(panel.request.payload())) == ("not sent", ["prompt", "duration"])
    choose(panel, "resolution", "1080P")
    assert panel.request.payload()["resolution"] == "1080P"
    panel.fill(resolution=None)
    assert (held(panel, "resolution"), panel.request.resolution) == ("not sent", None)
    with pytest.raises(errors.InvalidRequest, match="resolution"):
        panel.fill(resolution="4K")


def test_what_is_no_number_stands_below_its_control():
    """Words where a number goes are explained there, and nothing can be asked until they are gone."""
    panel = vidu.panel("A cat", model=DRAW)
    for wrong in ("many", "1,5", "nan", "1e999"):
        type_in(panel, num_inference_steps=wrong)
        assert panel.request is None
        assert "is not a whole number: write one, or leave it empty" in remark(panel, "num_inference_steps")
    type_in(panel, num_inference_steps="30")
    assert remark(panel, "num_inference_steps") == ""
    assert panel.request.num_inference_steps == 30


def test_values_that_no_control_can_show_are_refused_from_code():
    """The error names the parameter, and nothing changes; what is out of range is shown, with what is wrong."""
    panel = vidu.panel(model=DRAW)
    for wrong in ({"samples": 1.5}, {"img_width": 1000.5}, {"guidance_scale": "much"}, {"refiner": "yes"}):
        with pytest.raises(errors.InvalidRequest, match=next(iter(wrong))):
            panel.fill(**wrong)
    assert held(panel, "samples") == "1"
    type_in(panel, samples="5")
    assert "5 is out of range: pass a whole number from 1 to 4" in remark(panel, "samples")
    assert item(panel, "img_width")["step"] == 8


def test_rare_parameters_are_folded_away_where_there_are_many():
    """They are a click away, and hold their values while they can't be seen."""
    panel = vidu.panel("A cat", model=DRAW, scheduler="Euler")
    assert item(panel, "scheduler")["place"] == "folded"
    assert item(panel, "samples")["place"] == "dials"
    assert panel.request.scheduler == "Euler"
    assert held(panel, "refiner") == "not sent (probably yes)"
    assert "folded" not in [one["place"] for one in vidu.panel()._controls]


def test_a_message_for_a_tray_of_the_model_before_moves_no_other_picture(encoded):
    """Its cards have numbers that no other tray has; a tray that is gone is named as such."""
    panel = vidu.panel(references=[encoded(colour="red"), encoded(colour="blue")], model=SWAP)
    [card] = panel._trays["source_img"]["items"]
    panel.model = CLIP
    before = panel._trays
    assert send(panel, "remove", tray="source_img", id=card["id"])["message"] == "there is no such tray any more"
    assert send(panel, "remove", tray="references", id=card["id"])["refused"]
    assert panel._trays == before


def test_links_are_typed_and_files_come_from_code(small_clip):
    """One address on a line; a path from the page is refused and not read, a file from code stays beside the others."""
    panel = vidu.panel("Video1 waves", model=WAN)
    type_in(panel, reference_videos=f"{VIDEO}\n\n https://example.com/run.mp4 \n")
    assert panel.request.payload()["reference_videos"] == [VIDEO, "https://example.com/run.mp4"]
    type_in(panel, reference_videos="/etc/passwd")
    assert panel.request is None
    assert "is not a link" in remark(panel, "reference_videos")
    panel.fill(reference_videos=[small_clip], reference_voice=VIDEO)
    type_in(panel, reference_videos=panel._values["reference_videos"] + f"\n{VIDEO}")
    assert [one.is_url for one in panel.request.reference_videos] == [False, True]
    assert panel.request.reference_voice.url == VIDEO
    assert len(json.dumps(panel._values)) < 500
    assert str(small_clip.parent) not in json.dumps(panel.get_state())


@pytest.mark.parametrize("slug", [CLIP, WAN, DRAW, CHANGE])
def test_seeds_are_drawn_as_the_model_takes_them(slug):
    """Dice draws within the range, and never the value that means a random one."""
    panel = vidu.panel(model=slug)
    for _ in range(20):
        send(panel, "roll")
        seed = panel._form.values()["seed"]
        assert 1 <= seed <= 999_999


# Price, time and what was seen before.


@pytest.mark.usefixtures("paid")
def test_the_button_names_the_models_price():
    """A model's price and time stand on the button, and samples multiply the price."""
    panel = vidu.panel("A cat", model=DRAW)
    assert label(panel, "Generate") == "Generate (about $0.008, about 6 s)"
    panel.fill(samples=3)
    assert label(panel, "Generate") == "Generate (about $0.024, about 6 s)"
    panel.model = WAN
    assert label(panel, "Generate") == "Generate (about $0.94, about 7 min)"
    panel.model = CLIP
    assert label(panel, "Generate") == "Generate (about $0.50, about 2 min)"


def keep_receipt(number, model, *, cost, seconds):
    """Put an entry into the archive of which only the receipt matters."""
    folder = Archive().folder / "segmind"
    folder.mkdir(parents=True, exist_ok=True)
    receipt = Receipt("segmind", model, cost_usd=cost, elapsed_s=seconds).to_dict()
    entry = {"format": 1, "key": f"{number:064x}", "sha256": "0" * 64, "request": None, "receipt": receipt}
    (folder / f"a-wave_1x1_seed{number}_{number:08x}.json").write_text(json.dumps(entry))


def test_one_models_calls_tell_nothing_of_anothers(monkeypatch):
    """What the archive holds of one model corrects that model's estimate alone."""
    for number in range(1, 4):
        keep_receipt(number, WAN, cost=0.7, seconds=200.0)
    for number in range(4, 40):
        keep_receipt(number, CLIP, cost=0.4, seconds=60.0)
    assert [one.cost_usd for one in recent_receipts(Archive(), "segmind", WAN)] == [0.7] * 3
    assert len(recent_receipts(Archive(), "segmind", CLIP)) == 20
    monkeypatch.setenv("SEGMIND_API_KEY", KEY)
    panel = vidu.panel("A cat", model=WAN)
    assert label(panel, "Generate") == "Generate (about $0.70, about 3 min)"
    panel.model = CLIP
    assert label(panel, "Generate") == "Generate (about $0.40, about 60 s)"
    panel.model = DRAW
    assert label(panel, "Generate") == "Generate (about $0.008, about 6 s)"


def test_a_limit_that_nobody_knows_is_none():
    """A model whose page names no number of pictures gets as many as are given, and its tray names no limit."""
    urls = [f"https://example.com/{number}.png" for number in range(9)]
    panel = vidu.panel("Image9 waves", urls, model=WAN)
    assert len(panel.request.pictures) == 9
    assert [tray["limits"]["open"] for tray in panel._trays.values()] == [True]
    panel.model = next(iter(vidu.models))
    assert len(panel.request.pictures) == 7


def test_ideas_fit_the_model():
    """A starting point fills what a model of videos has of it; models of pictures have none."""
    panel = vidu.panel(model=WAN)
    send(panel, "idea", idea=panel._head["ideas"][1])
    assert "studio light" in panel.request.payload()["prompt"]
    send(panel, "idea", idea="")
    assert panel._values["prompt"] == ""
    panel.model = DRAW
    assert panel._head["ideas"] == []


def test_the_panels_code_names_no_model():
    """Another model takes a file alone: no slug stands in the code, and no API's own name of a role's parameter."""
    roles = {one.role for model in vidu.models.values() for one in model.fields.values()}
    names = {
        one.name
        for model in vidu.models.values()
        for one in model.fields.values()
        if one.role and one.name not in {*roles, *get_args(Returns)}
    }
    for path in Path(module.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip
        makers = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "panel"]
        inside = {node for one in makers for node in ast.walk(one)}  # its signatures are the default model's
        told = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and one not in inside]
        assert not {one for one in told if isinstance(one, str) and one not in docs} & ({*vidu.models} | names), path


def test_a_given_model_need_not_be_listed():
    """A `Model` that stands in no list is taken as it is, and can be chosen again."""
    model = Model.from_toml(
        'slug = "mine"\ntitle = "Mine"\nreturns = "video"\nprice_usd = 1\n'
        '[fields.text]\ntype = "string"\nrole = "prompt"\nrequired = true\n'
    )
    panel = vidu.panel("A cat", model=model, client=Client.preview())
    assert panel.request.payload() == {"text": "A cat"}
    assert panel._head["model"] == "mine"
    assert ["mine", "Mine"] in [one[:2] for one in panel._head["models"]]


def test_a_moving_picture_from_code_keeps_moving(photo, tmp_path):
    """A GIF for a place that takes animations is the one that a request has, named by its place or among references."""
    frames = [Image.new("RGB", (256, 192), colour) for colour in ("red", "blue", "green")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=80)
    swap = vidu.models["sd2.1-faceswapper"]
    wanted = swap.request(input_face_image=photo, target_face_image=tmp_path / "moving.gif")
    for given in (
        {"input_face_image": photo, "target_face_image": tmp_path / "moving.gif"},
        {"references": [photo, tmp_path / "moving.gif"]},
    ):
        assert vidu.panel(model=swap, **given).request == wanted
