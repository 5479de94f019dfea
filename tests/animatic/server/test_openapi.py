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
from skimage import data

from vidu_nb import models
from vidu_nb.animatic.server.server import PreviewServer
from vidu_nb.request import DRAFT, MODEL, VideoRequest

PICTURE = Image.fromarray(data.astronaut()[20:212, 120:332])  # with a face in it

#: The servers have credits for a few calls: without them a good request gets a 406 and no preview, a bad one still a
#: 400. A list of faces may name one that isn't there, which no schema can say.
ACCEPTED = ["2xx", "404", "406"]
CONFIG = {
    "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}},
    "operations": [
        {
            "include-path": [f"/{version}/{name}" for version in ("v1", "v2")],
            "generation": {"max-examples": 5},
            "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED + ["400"] * ("face" in name)}},
        }
        for name in models
    ],
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
schemathesis.openapi.format("link", strategies.just("https://example.com/a.mp4"))
schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(CONFIG))


@pytest.fixture(scope="module")
def poor():
    """A server with credits for one clip, and one with credits for a few pictures."""
    with PreviewServer(key="K", credits=0.5) as clips, PreviewServer(key="K", credits=0.03) as pictures:
        yield lambda path: pictures if path.split("/")[-1] in models else clips


@schema.parametrize()
def test_what_is_made_up_from_the_document_is_answered_as_it_says(case, poor):
    """Good and bad requests of each route get the statuses, bodies and headers that the document promises."""
    server = poor(case.operation.path)
    answer = case.call_and_validate(base_url=server.base_url, headers={"x-api-key": server.key}, timeout=120)
    assert str(answer.status_code) in {
        *case.operation.definition.raw["responses"],
        "405",
    }  # no other falls to `default`


def test_each_model_has_a_path_with_its_own_body():
    """A model's fields, limits and media types stand in the document; video models have a draft beside them."""
    for version in ("v1", "v2"):
        for slug in list(models)[1:]:
            for name in [slug, *([f"{slug}-draft"] if models[slug].returns == "video" else [])]:
                route = DOCUMENT["paths"][f"/{version}/{name}"]["post"]
                body = route["requestBody"]["content"]["application/json"]["schema"]
                assert list(body["properties"]) == list(models[slug].fields)
                assert not [one for one in route.get("parameters", ()) if one["name"] == "model"]
    drawn = DOCUMENT["paths"]["/v1/sdxl1.0-txt2img"]["post"]
    assert set(drawn["responses"]["200"]["content"]) == {"image/jpeg", "image/png", "image/gif", "application/json"}
    width = drawn["requestBody"]["content"]["application/json"]["schema"]["properties"]["img_width"]
    assert (width["minimum"], width["maximum"], width["multipleOf"]) == (512, 2048, 8)


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
