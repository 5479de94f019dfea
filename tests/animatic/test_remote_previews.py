"""Previews of any model on an executor's workers: the same bytes as here, for models of the caller alone as well."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from vidu_nb import models
from vidu_nb.animatic.engine import make_outputs
from vidu_nb.client.client import Client
from vidu_nb.sweeps.remote import PreviewWorkers, RemotePreview

OWN = """
slug = "own-painter"
title = "Own painter"
returns = "image"
price_usd = 0.1

[fields.words]
type = "string"
role = "prompt"
required = true

[fields.dice]
type = "integer"
role = "seed"
random = -1
"""


@pytest.fixture
def own(tmp_path):
    """A model that only this process knows."""
    (tmp_path / "own.toml").write_text(OWN)
    yield models.add(tmp_path / "own.toml")
    models.remove("own-painter")


def answered(executor, request, name):
    """What a worker answers to a request."""
    call = RemotePreview(PreviewWorkers(executor, Client.preview()), timeout=120)
    url = f"http://127.0.0.1/v1/{name}"
    return call.request("POST", url, body=json.dumps(request.payload()).encode())


def test_a_process_that_does_not_know_the_model_previews_it(own):
    """The model's definition travels with the request."""
    request = own.request(words="A wave", dice=3)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        answer = answered(executor, request, "own-painter")
    assert (answer.status, answer.headers["content-type"], answer.headers["x-seed-value"]) == (200, "image/jpeg", "3")
    assert answer.body == make_outputs(request)[0].data


def test_a_random_seed_is_drawn_and_told(own):
    """The seed that a worker used makes the same picture again."""
    with ThreadPoolExecutor(1) as executor:
        answer = answered(executor, own.request(words="A wave", dice=-1), "own-painter")
    seed = int(answer.headers["x-seed-value"])
    assert answer.body == make_outputs(own.request(words="A wave", dice=seed))[0].data


def test_drafts_and_single_pictures_travel(photo):
    """A draft's name in the URL makes a small clip; a model's single picture is filled in where it belongs."""
    clip = models["wan2.7-r2v"].request(prompt="Image1", references=photo, duration=2)
    picture = models["sdxl-img2img"].request(prompt="A wave", image=photo, base64=True)
    with ThreadPoolExecutor(1) as executor:
        assert answered(executor, clip, "wan2.7-r2v-draft").body == make_outputs(clip, draft=True)[0].data
        answer = answered(executor, picture, "sdxl-img2img")
    assert answer.headers["content-type"] == "application/json"
    assert list(json.loads(answer.body)) == ["image"]
