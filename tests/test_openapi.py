"""The preview server's OpenAPI document: it tells the truth, as far as thousands of made-up requests can find out."""

from __future__ import annotations

import base64
import io

import pytest
import requests
import schemathesis
from hypothesis import strategies
from PIL import Image
from schemathesis.config import SchemathesisConfig

from vidu_nb.animatic.openapi import document, request_schema
from vidu_nb.animatic.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL, VideoRequest

PICTURE = Image.effect_mandelbrot((160, 160), (-2, -1, 1, 1), 20)

#: The server has credits for one clip: without them a good request gets a 406 and no render, a bad one still a 400.
CONFIG = {
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "406"]}},
    "generation": {"max-examples": 12, "database": "none", "deterministic": True},
}


def picture_uri():
    """A picture as the document's format for it, which only its own reader can tell from other text."""
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


schemathesis.openapi.format("picture", strategies.just(picture_uri()))
schema = schemathesis.openapi.from_dict(document("http://127.0.0.1"), config=SchemathesisConfig.from_dict(CONFIG))


@pytest.fixture(scope="module")
def poor():
    """A server with credits for one clip."""
    with PreviewServer(key="K", credits=0.5) as server:
        yield server


@schema.parametrize()
def test_what_is_made_up_from_the_document_is_answered_as_it_says(case, poor):
    """Good and bad requests of each route get the statuses, bodies and headers that the document promises."""
    case.call_and_validate(base_url=poor.base_url, headers={"x-api-key": poor.key})


def test_the_document_is_the_request_models_own():
    """Each field of a request stands in it with the model's limits and defaults."""
    fields = request_schema()["properties"]
    assert list(fields) == ["prompt", "image_urls", *list(VideoRequest.model_fields)[2:]]
    assert fields["prompt"]["maxLength"] == 1500
    assert (fields["seed"]["minimum"], fields["seed"]["maximum"], fields["seed"]["default"]) == (0, 999_999, 42)
    assert fields["aspect_ratio"]["enum"] == ["16:9", "1:1", "9:16"]
    assert fields["image_urls"]["maxItems"] == 7


def test_the_document_names_every_route(poor):
    """What the server routes and what the document lists is the same, and it is told without the key."""
    told = requests.get(f"{poor.base_url}/openapi.json", timeout=9).json()
    assert told == document(poor.base_url)
    listed = {(path, method.upper()) for path, methods in told["paths"].items() for method in methods}
    routed = {
        (route.path, method)
        for route in poor.api.app().app.routes
        for method in route.methods - {"HEAD"}
        if route.endpoint.__name__ != "_no_model"
    }
    assert listed == routed
    models = told["paths"]["/v1/{model}"]["post"]["parameters"][0]["schema"]["enum"]
    assert models == [MODEL, DRAFT]
