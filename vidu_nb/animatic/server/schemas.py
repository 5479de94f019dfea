"""What the routes take and answer, for FastAPI to write the OpenAPI document from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..._version import __version__
from ...catalogue.field import MANY, VISIBLE
from ...catalogue.field import Field as FieldOfModel
from ...catalogue.model import Model
from ...catalogue.models import models
from ...references.images import MAX_BODY_BYTES, MAX_RATIO, MIN_SIDE
from ...references.reference import MAX_REFERENCES
from ...request import MODEL
from .queue import JobStatus

#: A list of faces, as `stills.faces.indices` reads it.
LIST = "^( *[0-9]{1,4} *(, *[0-9]{1,4} *){0,31})?$"
Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]
#: The format is our own word: no schema can describe what is a picture.
Picture = Annotated[str, Field(json_schema_extra={"format": "picture"})]


class ErrorMessage(BaseModel):
    """Any error: one line."""

    error: str


class ClipFile(BaseModel):
    """Where a clip can be fetched."""

    url: Url
    content_type: Literal["video/mp4"] = "video/mp4"
    file_name: str
    file_size: int


class Clip(BaseModel):
    """A clip that was waited for."""

    video: ClipFile


class Pictures(BaseModel):
    """Pictures in base64: a text for one, a list for several."""

    image: str | list[str]


class QueuedResponse(BaseModel):
    """Where a queued request can be followed."""

    request_id: str
    status: JobStatus = "QUEUED"
    poll_url: Url
    status_url: Url
    response_url: Url


class Metrics(BaseModel):
    """What a clip cost, in credits, and how long it took, in seconds."""

    cost: float
    remaining_credits: float
    inference_time: float
    queue_time: float
    total_time: float


class Status(BaseModel):
    """The status of a queued request."""

    request_id: str
    status: JobStatus
    progress: float = Field(ge=0, le=1)
    error: str | None = None
    metrics: Metrics | None = None


class Result(Status):
    """The result of a queued request."""

    output: Url | list[Url]
    video: ClipFile | None = None
    image: str | list[str] | None = None
    seed: int | None = None


class Upload(BaseModel):
    """Pictures to be named in requests, as data: URIs."""

    model_config = ConfigDict(extra="forbid")

    data_urls: Annotated[list[Picture], Field(min_length=1, max_length=MAX_REFERENCES)]


class Uploaded(BaseModel):
    """URLs of uploaded pictures, in their order."""

    urls: list[Url]
    file_urls: list[Url]
    message: str


class Balance(BaseModel):
    """Credits left."""

    credits: float
    free_credits: float = Field(default=0.0, alias="free-credits")


class Health(BaseModel):
    """That the server answers."""

    status: Literal["ok"] = "ok"
    engine: Literal["preview"] = "preview"
    version: str = __version__


def body_schema(model: Model) -> dict[str, Any]:
    """Return a request's body as JSON Schema: the model's fields, with files as the API takes them.

    >>> body_schema(models[MODEL])["properties"]["seed"]["maximum"]
    999999
    """
    schema = model.schema()
    return schema | {
        "properties": {name: _as_sent(one, schema["properties"][name]) for name, one in model.fields.items()}
    }


def _as_sent(field: FieldOfModel, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema with files as the API takes them, and null where that stands for nothing."""
    if field.type.startswith("picture"):
        sizes = f"at least {MIN_SIDE} px a side and between 1:{MAX_RATIO} and {MAX_RATIO}:1"
        told = f"URLs, data: URIs or base64 of PNG, JPEG, WebP or GIF pictures, each {sizes}."
        schema = schema | {"description": told if field.type == "pictures" else f"{field.help} {told}"}
    elif field.is_media:
        link = {"type": "string", "format": "link"}
        schema = schema | ({"type": "array", "items": link} if field.type == "links" else link)
    elif field.role == "prompt":
        schema = schema | {"pattern": VISIBLE}
    elif field.role in ("picture_faces", "face_faces") and field.sure:
        schema = schema | {"pattern": LIST}
    if field.type in MANY:
        schema = {"maxItems": MAX_REFERENCES, **schema}
    if "type" in schema and not field.required and field.sent_default is None:
        schema = schema | {"type": [schema["type"], "null"]}
        schema |= {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema


def described(document: dict[str, Any], served: Mapping[str, Model]) -> dict[str, Any]:
    """Return the OpenAPI document with paths for further models, each with its own body and answer.

    Parameters
    ----------
    document
        As FastAPI writes it, with a path for the default model.
    served
        Names in the URL → models.
    """
    paths = dict(document["paths"])
    for name, model in served.items():
        for version in ("v1", "v2"):
            route = copy.deepcopy(paths[f"/{version}/{{model}}"]["post"])
            route["parameters"] = [one for one in route.get("parameters", ()) if one["name"] != "model"]
            route |= body_of(body_schema(model))
            route |= {"summary": f"{model.title} ({version})", "operationId": f"{version}_{name}"}
            if version == "v1" and model.returns == "image":
                pictures = {f"image/{kind}": {"schema": _BINARY} for kind in ("jpeg", "png", "gif")}
                route["responses"]["200"]["content"] = pictures | {
                    "application/json": {"schema": Pictures.model_json_schema()}
                }
            paths[f"/{version}/{name}"] = {"post": route}
    return document | {"paths": paths}


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a body that the route reads by itself, under a memory limit, and parses beside the event loop."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


# Responses, as FastAPI's `responses=` takes them.

Responses = dict[int | str, dict[str, Any]]

_REASONS = {
    400: "The body is no JSON, or a field is missing or wrong; the text names it.",
    401: "The key is missing or wrong.",
    404: "There is no such model, request or file, or it has expired.",
    406: "Too few credits, or another content type than application/json.",
    408: "The body did not arrive in time.",
    413: f"The body is over {MAX_BODY_BYTES // 1_000_000} MB.",
    416: "The range begins behind the file's end; `content-range` tells its size.",
    429: "Too much is waiting: ask again after `retry-after` seconds, or at `x-rate-limit-reset-at-utc`.",
    500: "The preview could not be made.",
}


def errors(*statuses: int) -> Responses:
    """Describe errors by their statuses."""
    return {status: {"model": ErrorMessage, "description": _REASONS[status]} for status in statuses}


#: Also keeps FastAPI from describing a 422 of its own: it refuses nothing here, since every parameter is text.
ANY_ERROR: Responses = {"default": {"model": ErrorMessage, "description": "Any other error."}}
BODY_ERRORS = errors(400, 406, 408, 413, 429)
CLIP_ERRORS = BODY_ERRORS | errors(404, 500)
_BINARY = {"type": "string", "format": "binary"}
MP4: Responses = {200: {"content": {"video/mp4": {"schema": _BINARY}}}}
FILE: Responses = {200: {"content": {"video/mp4": {"schema": _BINARY}, "image/*": {"schema": {}}}}}
ASSET: Responses = {200: {"content": {"image/*": {"schema": {}}, "video/*": {"schema": {}}, "audio/*": {"schema": {}}}}}
PART: Responses = {206: {"description": "The part that the `Range` header names.", "content": {"*/*": {"schema": {}}}}}
JOB_FAILED: Responses = {422: {"model": Status, "description": "The job ran and failed; `error` says why."}}
UNFINISHED: Responses = {202: {"model": Status, "description": "It is not made yet."}}
VIDEO_BODY = body_of(body_schema(models[MODEL]))
UPLOAD_BODY = body_of(Upload.model_json_schema())
