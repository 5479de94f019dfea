"""What a service says is wrong reaches the user as a sentence about their own parameters, whatever JSON it came in."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from faults import KEY
from services import Service

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.messages import error_text

CAT = "references[1] (cat.jpg)"

NAMES = ["dog.jpg", "cat.jpg"]
FLAGGED = "references[1] (cat.jpg): flagged by a content checker"
MESSAGE = "flagged by a content checker"
#: JSON of a refusal → the sentence that it becomes.
SHAPES = {
    "FastAPI": ({"detail": [{"loc": ["body", "image_urls", 1], "msg": MESSAGE, "type": "policy"}]}, FLAGGED),
    "FastAPI, with a union's tag": ({"detail": [{"loc": ["body", "image_urls", 1, "str"], "msg": MESSAGE}]}, FLAGGED),
    "detail is a dict": ({"detail": {"loc": ["image_urls", 1], "msg": MESSAGE}}, FLAGGED),
    "detail is text": ({"detail": MESSAGE}, MESSAGE),
    "a list alone": ([{"loc": ["body", "image_urls", "1"], "msg": MESSAGE}], FLAGGED),
    "Flask": ({"message": {"image_urls": {"1": ["flagged by a content checker"]}}}, FLAGGED),
    "marshmallow": ({"errors": {"json": {"seed": ["Not a valid integer."]}}}, "seed: Not a valid integer."),
    "Django": ({"image_urls": ["Too many."], "seed": ["Too large."]}, "references: Too many.; seed: Too large."),
    "problem+json": (
        {"type": "about:blank", "title": "Not valid", "status": 422,
         "errors": [{"detail": MESSAGE, "pointer": "#/image_urls/1"}]},
        f"Not valid; {FLAGGED}",
    ),
    "ASP.NET": ({"title": "Not valid", "errors": {"image_urls[1]": [MESSAGE]}}, f"Not valid; {FLAGGED}"),
    "JSON:API": ({"errors": [{"source": {"pointer": "/data/attributes/image_urls/1"}, "detail": MESSAGE}]}, FLAGGED),
    "OpenAI": ({"error": {"message": MESSAGE, "type": "bad", "param": "seed", "code": None}}, f"seed: {MESSAGE}"),
    "Google": (
        {"error": {"code": 400, "message": "Bad", "details": [
            {"@type": "x", "fieldViolations": [{"field": "image_urls[1]", "description": MESSAGE}]}]}},
        f"Bad; {FLAGGED}",
    ),
    "JSON quoted in JSON": ({"error": json.dumps({"detail": [{"loc": ["image_urls", 1], "msg": MESSAGE}]})}, FLAGGED),
    "a sentence with the wire's name": ({"error": "image_urls[1] is too dark"}, "references[1] (cat.jpg) is too dark"),
    "the place said twice": ({"detail": [{"loc": ["image_urls", 1], "msg": f"image_urls[1]: {MESSAGE}"}]}, FLAGGED),
    "a picture that was not sent": ({"detail": [{"loc": ["image_urls", 9], "msg": "x"}]}, "references[9]: x"),
    "an index of nonsense": ({"detail": [{"loc": ["image_urls", "9" * 5000], "msg": "x"}]}, "references: x"),
    "another model's parameter": ({"detail": [{"loc": ["body", "resolution"], "msg": "x"}]}, "resolution: x"),
    "a route's path": ({"error": "Unprocessable", "path": "/v1/vidu", "status": 422}, "Unprocessable"),
    "two for one": ({"error": "Busy", "message": "Busy", "error_description": "All day"}, "Busy; All day"),
    "a flag": ({"error": True, "code": "too_dark"}, "code: too_dark"),
}  # fmt: skip


@pytest.mark.parametrize(("payload", "says"), SHAPES.values(), ids=SHAPES)
def test_a_refusal_is_a_sentence_about_the_users_parameters(payload, says):
    """No raw JSON where there is a message in it, and no parameter that the user hasn't written."""
    assert error_text(json.dumps(payload).encode(), NAMES) == says


@pytest.mark.parametrize(
    "payload", [{"code": 7, "trace": list(range(999))}, {"errors": [[7] * 999]}, [1] * 999, {"a": {"b": [None] * 999}}]
)
def test_json_without_a_message_is_shown_in_short(payload):
    """It may be all that there is to quote to the service's support."""
    text = error_text(json.dumps(payload).encode())
    assert text
    assert len(text) <= 120
    assert text[:2] == json.dumps(payload)[:2]


@pytest.mark.parametrize(
    "body", [b"[" * 900 + b"]" * 900, b'{"error":' * 900 + b'"x"' + b"}" * 900, b"\xff\xfe\x00", b""]
)
def test_whatever_is_answered_becomes_a_text(body):
    """Nested as deep as Python's stack, or no text at all."""
    assert len(error_text(body)) < 4000


@pytest.mark.parametrize(
    "body",
    [{"detail": [{"loc": ["body", "image_urls", 1], "msg": MESSAGE}]}, {"error": f"image_urls.1: {MESSAGE}"}],
    ids=["a list", "text"],
)
def test_the_error_of_a_call_names_the_picture(body, encoded, tmp_path):
    """By its place in `references` and the name of its file; and what comes from outside can't command a terminal."""
    paths = [tmp_path / name for name in ("dog.jpg", "cat.jpg")]
    for path in paths:
        path.write_bytes(encoded(kind="JPEG"))
    said = json.dumps(body).replace("content", "\\u001b[31mcontent").encode()
    with Service(lambda call: call.say(said, status=422)) as service:
        client = vidu.Client(KEY, service.url, archive="clips", notify=len)
        with pytest.raises(errors.JobFailed) as caught:
            client.generate(vidu.VideoRequest(prompt="A cat", references=paths))
    assert caught.value.message == FLAGGED.replace("content", "[31mcontent")
    assert caught.value.billed == "no"
    assert client.pending() == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": 'upstream 422: {"detail": [{"loc": ["image_urls", 1], "msg": "too dark"}]}'}, f"{CAT}: too dark"),
        ({"error": "the answer was {not JSON}"}, "the answer was {not JSON}"),
        ({"error": "use one of [1:1, 16:9]"}, "use one of [1:1, 16:9]"),
        ({"error": "sizes: [1, 2]"}, "sizes: [1, 2]"),
        ({"violations": [{"propertyPath": "image_urls[1]", "message": "too dark"}]}, f"{CAT}: too dark"),
        ({"details": [{"field": "image_urls[1]", "issue": "too dark"}]}, f"{CAT}: too dark"),
        ({"detail": [{"loc": ["body", "image_urls", -1], "msg": "too dark"}]}, "references: too dark"),
    ],
    ids=str,
)
def test_a_message_is_found_behind_words_and_in_other_frameworks_forms(body, says):
    """And what only looks like JSON stays a sentence."""
    assert error_text(json.dumps(body).encode(), ["a.jpg", "cat.jpg"]) == says


MINE = """slug = "painter"
title = "Painter"
returns = "image"
price_usd = 0.1

[fields.text]
type = "string"
role = "prompt"
required = true

[fields.prompt]
type = "picture"

[fields.image_urls]
type = "string"

[fields.image]
type = "pictures"
role = "references"
"""


def test_a_file_of_ones_own_changes_no_other_models_words(tmp_path):
    """Whatever it calls its parameters, the errors of this package's models name theirs."""
    (tmp_path / "painter.toml").write_text(MINE)
    code = """
from vidu_nb.client.messages import error_text
print(error_text(b'{"detail": [{"loc": ["body", "image_urls", 1], "msg": "is too dark"}]}', ["a.jpg", "cat.jpg"]))
print(error_text(b'{"detail": [{"loc": ["body", "prompt"], "msg": "is too long"}]}'))
print(error_text(b'{"error": "the image is too dark"}'))
"""
    environment = {**os.environ, "VIDU_NB_MODELS": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert ended.stdout.splitlines() == [
        "references[1] (cat.jpg): is too dark", "prompt: is too long", "the image is too dark",
    ]  # fmt: skip
