"""Every model on the preview server: clips, pictures, several of them, in base64, and as references of one another."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
import requests
from callers import ask, data_uri, refused, wait_for
from PIL import Image
from skimage import data

from vidu_nb import media, models
from vidu_nb.animatic.server.server import PreviewServer

FACE = data.astronaut()[20:212, 120:332]
CARD = {"prompt": "A red boat", "img_width": 512, "img_height": 512, "seed": 7}


@pytest.fixture(scope="module")
def served():
    """A server with play money."""
    with PreviewServer(key="K", credits=20) as server:
        yield server


@pytest.fixture(scope="module")
def face():
    """A picture of a face as a data: URI."""
    buffer = io.BytesIO()
    Image.fromarray(FACE).save(buffer, "PNG")
    return data_uri(buffer.getvalue())


def result(server, ticket):
    """A queued request's result, once it is there."""
    wait_for(lambda: ask(server, "GET", ticket["status_url"]).json()["status"] == "COMPLETED")
    return ask(server, "GET", ticket["response_url"]).json()


def test_one_picture_is_its_bytes(served):
    """The answer is the picture itself, at the model's price, with the seed that was used."""
    before = float(ask(served, "GET", "/v1/get-user-credits").json()["credits"])
    answer = ask(served, "POST", "/v1/sdxl1.0-txt2img", CARD)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), answer.text[:300]
    assert Image.open(io.BytesIO(answer.content)).size == (512, 512)
    assert (answer.headers["x-cost"], answer.headers["x-seed-value"]) == ("0.008", "7")
    assert float(answer.headers["x-remaining-credits"]) == pytest.approx(before - 0.008)


def test_base64_and_samples_are_json(served):
    """Asked for base64 it is a text; several samples are a list, each paid for."""
    one = ask(served, "POST", "/v1/sdxl1.0-txt2img", CARD | {"base64": True})
    assert list(one.json()) == ["image"]
    assert base64.b64decode(one.json()["image"])[:2] == b"\xff\xd8"
    two = ask(served, "POST", "/v1/sdxl1.0-txt2img", CARD | {"samples": 2})
    assert two.headers["x-cost"] == "0.016"
    first, second = two.json()["image"]
    assert first != second


def test_the_queue_and_the_record_name_each_picture(served):
    """A queued request's result has a URL for each sample, and so has its row in the record."""
    ticket = ask(served, "POST", "/v2/sdxl1.0-txt2img", CARD | {"samples": 2}).json()
    made = result(served, ticket)
    assert len(made["output"]) == len(made["image"]) == 2
    for url, text in zip(made["output"], made["image"], strict=True):
        got = requests.get(url, timeout=60)
        assert got.headers["content-type"] == "image/jpeg"
        assert got.content == base64.b64decode(text)
    row = ask(served, "GET", f"/inference-request/request-history/{made['request_id']}").json()
    assert (row["generation_url"], row["credits_deduction"]) == (made["output"], 0.016)
    assert row["request_body"]["prompt"] == "A red boat"


def test_a_model_without_a_seed_tells_none(served, face):
    """No seed is made up, in the headers and in the queue."""
    body = {"source_img": face, "target_img": face}
    answer = ask(served, "POST", "/v1/faceswap-v2", body)
    assert answer.status_code == 200, answer.text[:300]
    assert "x-seed-value" not in answer.headers
    made = result(served, ask(served, "POST", "/v2/faceswap-v2", body).json())
    assert "seed" not in made
    assert isinstance(made["output"], str)
    assert "image" not in made
    row = ask(served, "GET", f"/inference-request/request-history/{made['request_id']}").json()
    assert len(row["request_body"]["source_img"]) < 60


def test_a_face_that_is_not_there_is_a_400_and_costs_nothing(served, face):
    """The sentence names the parameter."""
    answer = ask(served, "POST", "/v1/faceswap-v2", {"source_img": face, "target_img": face, "input_faces_index": "5"})
    refused(answer, 400, "input_faces_index: there is no face 5")
    before = answer.headers["x-remaining-credits"]
    assert ask(served, "GET", "/v1/get-user-credits").headers["x-remaining-credits"] == before


def test_what_was_made_here_is_a_reference_here(served, tmp_path):
    """A card's URL is a picture of a clip, and the clip's URL is a video of the next one."""
    card = result(served, ask(served, "POST", "/v2/sdxl1.0-txt2img", CARD).json())["output"]
    body = {"prompt": "Image1 sails", "duration": 2, "resolution": "720P", "reference_images": [card]}
    first = result(served, ask(served, "POST", "/v2/wan2.7-r2v-draft", body).json())
    body = {"prompt": "Video1 sails", "duration": 2, "resolution": "720P", "reference_videos": [first["output"]]}
    second = ask(served, "POST", "/v1/wan2.7-r2v-draft", body)
    assert second.status_code == 200, second.text[:300]
    (tmp_path / "clip.mp4").write_bytes(second.content)
    info = media.probe("clip.mp4")
    assert (info.width, info.height, info.frames) == (960, 540, 48)
    gone = card.replace(card.rpartition("/")[2], "0" * 40 + ".jpg")
    refused(ask(served, "POST", "/v1/wan2.7-r2v-draft", body | {"reference_videos": [gone]}), 400, "make it again")


def test_an_uploaded_video_can_be_named(served, small_clip):
    """Uploads take videos as well, and serve them as such."""
    uri = f"data:video/mp4;base64,{base64.b64encode(small_clip.read_bytes()).decode()}"
    [url] = ask(served, "POST", "/upload-asset", {"data_urls": [uri]}).json()["urls"]
    got = requests.get(url, timeout=60)
    assert (got.headers["content-type"], got.content) == ("video/mp4", small_clip.read_bytes())
    body = {"prompt": "Video1 runs", "duration": 2, "resolution": "720P", "reference_videos": [url]}
    assert ask(served, "POST", "/v1/wan2.7-r2v-draft", body).status_code == 200


def test_too_few_credits_tell_the_models_price():
    """A dear model is refused where a cheap one would be made."""
    with PreviewServer(key="K", credits=0.01) as poor:
        refused(ask(poor, "POST", "/v1/wan2.7-r2v", {"prompt": "A wave"}), 406, "0.01 left, a clip costs 0.94")
        assert ask(poor, "POST", "/v1/sdxl1.0-txt2img", CARD).status_code == 200


def test_a_users_own_model_is_served(served, tmp_path):
    """What is added while the server runs is there, in the document as well."""
    (tmp_path / "own.toml").write_text(
        'slug = "own-painter"\ntitle = "Own"\nreturns = "image"\nprice_usd = 0.1\n'
        '[fields.words]\ntype = "string"\nrole = "prompt"\nrequired = true\n'
    )
    refused(ask(served, "POST", "/v1/own-painter", {"words": "A wave"}), 404, "no model 'own-painter' here")
    models.add(tmp_path / "own.toml")
    try:
        assert ask(served, "POST", "/v1/own-painter", {"words": "A wave"}).headers["content-type"] == "image/jpeg"
        assert "/v1/own-painter" in ask(served, "GET", "/openapi.json", key=False).json()["paths"]
    finally:
        models.remove("own-painter")


def test_a_wrong_parameter_is_named(served):
    """Limits are those of the model's file."""
    refused(ask(served, "POST", "/v1/sdxl1.0-txt2img", CARD | {"img_width": 513}), 400, "img_width: 513 is not")
    refused(ask(served, "POST", "/v1/wan2.7-r2v", {"prompt": "A", "duration": 99}), 400, "duration: 99 is out of range")
    refused(ask(served, "POST", "/v1/wan2.7-r2v", json.dumps({"prompt": "A", "x": 1})), 400, "x: unknown parameter")


def test_a_picture_shows_what_was_asked(served, face):
    """The picture that comes back is the one that was sent, restyled: of its size and like it."""
    answer = ask(served, "POST", "/v1/sdxl-img2img", {"prompt": "A wave", "image": face, "strength": 0.1, "samples": 1})
    picture = np.asarray(Image.open(io.BytesIO(answer.content)), int)
    assert picture.shape == FACE.shape
    assert np.abs(picture - FACE)[40:160].mean() < 30
