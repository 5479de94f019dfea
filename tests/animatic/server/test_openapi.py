"""The preview server's OpenAPI document: it tells the truth, as far as hundreds of made-up requests can find out."""

from __future__ import annotations

import base64
import io

import pytest
import schemathesis
from callers import ask
from hypothesis import strategies
from PIL import Image
from schemathesis.config import SchemathesisConfig

from vidu_nb.animatic.server.server import PreviewServer
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


with PreviewServer() as server:
    DOCUMENT = ask(server, "GET", "/openapi.json", key=False).json()
schemathesis.openapi.format("picture", strategies.just(picture_uri()))
schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(CONFIG))


@pytest.fixture(scope="module")
def poor():
    """A server with credits for one clip."""
    with PreviewServer(key="K", credits=0.5) as server:
        yield server


@schema.parametrize()
def test_what_is_made_up_from_the_document_is_answered_as_it_says(case, poor):
    """Good and bad requests of each route get the statuses, bodies and headers that the document promises."""
    answer = case.call_and_validate(base_url=poor.base_url, headers={"x-api-key": poor.key})
    assert str(answer.status_code) in {
        *case.operation.definition.raw["responses"],
        "405",
    }  # no other falls to `default`


def test_a_requests_body_is_the_request_models_own():
    """Each field of a request stands in the document with the model's limits and defaults, for each model served."""
    for path in ("/v1/{model}", "/v2/{model}"):
        route = DOCUMENT["paths"][path]["post"]
        fields = route["requestBody"]["content"]["application/json"]["schema"]["properties"]
        assert list(fields) == ["prompt", "image_urls", *list(VideoRequest.model_fields)[2:]]
        assert fields["prompt"]["maxLength"] == 1500
        assert (fields["seed"]["minimum"], fields["seed"]["maximum"], fields["seed"]["default"]) == (0, 999_999, 42)
        assert fields["aspect_ratio"]["enum"] == ["16:9", "1:1", "9:16"]
        assert fields["image_urls"]["maxItems"] == 7
        assert route["parameters"][0]["schema"]["enum"] == [MODEL, DRAFT]
        assert "422" not in route["responses"]  # FastAPI's own: here a wrong field is a 400
    clip = DOCUMENT["paths"]["/v1/{model}"]["post"]["responses"]["200"]["content"]
    assert set(clip) == {"video/mp4", "application/json"}


def test_the_document_says_where_the_key_goes():
    """Every route of the service wants the key as x-api-key; files, under names that can't be guessed, want none."""
    [(name, scheme)] = DOCUMENT["components"]["securitySchemes"].items()
    assert scheme == {"type": "apiKey", "in": "header", "name": "x-api-key"}
    routes = {path: route for path, methods in DOCUMENT["paths"].items() for route in methods.values()}
    keyed = {path for path, route in routes.items() if route.get("security") == [{name: []}]}
    assert set(routes) - keyed == {"/v1/files/{name}", "/v1/assets/{name}", "/health"}
