"""What the preview server answers, as an OpenAPI document; the request's part is the request model's own schema."""

from __future__ import annotations

from typing import Any

from .._version import __version__
from ..references.images import MAX_BODY_BYTES, MAX_RATIO, MIN_SIDE
from ..references.reference import MAX_REFERENCES
from ..request import DRAFT, MODEL, VideoRequest

_Schema = dict[str, Any]

_NUMBER: _Schema = {"type": "number", "minimum": 0}
_URL: _Schema = {"type": "string", "format": "uri"}
_TEXT: _Schema = {"type": "string"}
_PICTURE: _Schema = {"type": "string", "format": "picture"}  # our own word: no schema can say what is a picture
_ERRORS = {
    400: "The body is no JSON, or a field is missing or wrong; the text names it.",
    401: "The key is missing or wrong.",
    404: "There is no such model, request or file, or it has expired.",
    406: "Too few credits, or another content type than application/json.",
    408: "The body did not arrive in time.",
    413: f"The body is over {MAX_BODY_BYTES // 1_000_000} MB.",
    422: "The job ran and failed; `error` says why.",
    429: "Too much is waiting: ask again when the headers say.",
    500: "The preview could not be made.",
}


def document(base_url: str) -> _Schema:
    """The OpenAPI document.

    Parameters
    ----------
    base_url
        Where the server is reached.

    >>> list(document("http://127.0.0.1:8000")["paths"])[0]
    '/v1/{model}'
    """
    about = (
        "A free stand-in on this machine for the service that makes clips: it answers with animatics, moving "
        "storyboards of the reference pictures."
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "vidu-nb preview server", "version": __version__, "description": about},
        "servers": [{"url": base_url}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": _schemas(),
        },
    }


def _paths() -> _Schema:
    model = _in_path(
        "model", {"type": "string", "enum": [MODEL, DRAFT]}, "The model; the draft is quicker and smaller."
    )
    form = {"name": "format", "in": "query", "schema": _TEXT, "description": "`json` for a URL in place of the clip."}
    clip = {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}
    request_id = _in_path("id", _TEXT, "What the queue answered as `request_id`.")
    name = _in_path("name", _TEXT, "The last part of a URL that an answer named.")
    refused = (400, 401, 404, 406, 408, 413, 429, 500)
    return {
        "/v1/{model}": _route(
            "post",
            "Make a clip and wait for it",
            clip | _json("Told"),
            refused,
            parameters=[model, form],
            body="Request",
        ),
        "/v2/{model}": _route(
            "post", "Make a clip in the queue", _json("Ticket"), refused, parameters=[model], body="Request"
        ),
        "/v2/requests/{id}/status": _route(
            "get", "How far a queued clip is", _json("Status"), (401, 404), parameters=[request_id], failed=True
        ),
        "/v2/requests/{id}": _route(
            "get", "A queued clip", _json("Result"), (401, 404), parameters=[request_id], failed=True, unfinished=True
        ),
        "/upload-asset": _route(
            "post",
            "Keep pictures to be named in requests",
            _json("Uploaded"),
            (400, 401, 406, 408, 413, 429),
            body="Upload",
        ),
        "/v1/get-user-credits": _route("get", "The balance", _json("Credits"), (401,)),
        "/v1/files/{name}": _route("get", "A clip", clip, (404,), parameters=[name], key=False),
        "/v1/assets/{name}": _route(
            "get", "An uploaded picture", {"image/*": {"schema": {}}}, (404,), parameters=[name], key=False
        ),
        "/openapi.json": _route(
            "get", "This document", {"application/json": {"schema": {"type": "object"}}}, (), key=False
        ),
        "/health": _route("get", "Whether the server answers", _json("Health"), (), key=False),
    }


def _route(
    method: str,
    summary: str,
    content: _Schema,
    refused: tuple[int, ...],
    *,
    parameters: list[_Schema] | None = None,
    body: str = "",
    key: bool = True,
    failed: bool = False,
    unfinished: bool = False,
) -> _Schema:
    answers = {"200": {"description": summary + ".", "content": content}}
    answers |= {str(status): {"description": _ERRORS[status], "content": _json("Error")} for status in refused}
    if failed:
        answers["422"] = {"description": _ERRORS[422], "content": _json("Status")}
    if unfinished:
        answers["202"] = {"description": "It is not made yet.", "content": _json("Status")}
    if 429 in refused:
        answers["429"]["headers"] = {
            "retry-after": {"schema": {"type": "integer"}, "description": "Seconds to wait."},
            "x-rate-limit-reset-at-utc": {"schema": _TEXT, "description": "The same as a time."},
        }
    route: _Schema = {"summary": summary, "responses": answers, "security": [{"key": []}] if key else []}
    if parameters:
        route["parameters"] = parameters
    if body:
        route["requestBody"] = {"required": True, "content": _json(body)}
    return {method: route}


def _in_path(name: str, schema: _Schema, description: str) -> _Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def _json(schema: str) -> _Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _object(required: _Schema, **more: _Schema) -> _Schema:
    return {"type": "object", "properties": required | more, "required": list(required)}


def request_schema() -> _Schema:
    """A request's body as JSON Schema: the request model's fields, with pictures as a wire takes them.

    >>> request_schema()["properties"]["seed"]["maximum"]
    999999
    """
    fields = VideoRequest.model_json_schema()["properties"]
    del fields["references"]
    pictures = {
        "title": VideoRequest.model_fields["references"].title,
        "description": "URLs, data: URIs or base64 of PNG, JPEG, WebP or GIF pictures, each at least "
        f"{MIN_SIDE} px a side and between 1:{MAX_RATIO} and {MAX_RATIO}:1.",
        "type": "array",
        "items": _PICTURE,
        "minItems": 1,
        "maxItems": MAX_REFERENCES,
    }
    return {
        "type": "object",
        "properties": {"prompt": fields.pop("prompt") | {"pattern": r"\S"}, "image_urls": pictures, **fields},
        "required": ["prompt", "image_urls"],
        "additionalProperties": False,
    }


def _schemas() -> _Schema:
    status = {"type": "string", "enum": ["QUEUED", "PROCESSING", "COMPLETED", "FAILED"]}
    told = {"request_id": _TEXT, "status": status, "progress": {"type": "number", "minimum": 0, "maximum": 1}}
    metrics = _object(
        dict.fromkeys(("cost", "remaining_credits", "inference_time", "queue_time", "total_time"), _NUMBER)
    )
    size = {"type": "integer", "minimum": 1}
    video = _object({"url": _URL, "content_type": {"const": "video/mp4"}, "file_name": _TEXT, "file_size": size})
    urls = {"type": "array", "items": _URL}
    uris = {
        "type": "array",
        "items": _PICTURE,
        "minItems": 1,
        "maxItems": MAX_REFERENCES,
    }
    return {
        "Request": request_schema(),
        "Upload": _object({"data_urls": uris}) | {"additionalProperties": False},
        "Error": _object({"error": _TEXT}),
        "Told": _object({"video": video}),
        "Ticket": _object(
            {"request_id": _TEXT, "status": status, "poll_url": _URL, "status_url": _URL, "response_url": _URL}
        ),
        "Status": _object(told, error=_TEXT, metrics=metrics),
        "Result": _object(told | {"output": _URL, "video": video, "seed": {"type": "integer"}, "metrics": metrics}),
        "Uploaded": _object({"urls": urls, "file_urls": urls, "message": _TEXT}),
        "Credits": _object({"credits": _NUMBER, "free-credits": _NUMBER}),
        "Health": _object({"status": {"const": "ok"}, "engine": {"const": "preview"}, "version": _TEXT}),
    }
