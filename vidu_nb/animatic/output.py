"""`Output`: a file that a model brings, and the body in which several of them travel."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import NamedTuple

from ..catalogue.request import Request

MP4_TYPE = "video/mp4"
_SUFFIXES = {MP4_TYPE: "mp4", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif"}


class Output(NamedTuple):
    """A file's bytes and its media type."""

    data: bytes
    media_type: str

    @property
    def suffix(self) -> str:
        """The ending of a file's name, without the dot."""
        return _SUFFIXES[self.media_type]


def answers_with_json(request: Request, outputs: Sequence[Output]) -> bool:
    """Return whether the API answers a request with base64 in JSON: where that is asked for, and for several files."""
    return len(outputs) > 1 or request.by_role("base64") is True


def in_base64(outputs: Sequence[Output]) -> str | list[str]:
    """Return files as base64 text, one alone without a list.

    >>> in_base64([Output(b"abc", "image/png")])
    'YWJj'
    """
    texts = [base64.b64encode(output.data).decode() for output in outputs]
    return texts[0] if len(texts) == 1 else texts


def body_of(request: Request, outputs: Sequence[Output]) -> Output:
    """Return the body with which the API answers, and its media type: the file itself, or JSON with base64 in it."""
    if answers_with_json(request, outputs):
        return Output(json.dumps({"image": in_base64(outputs)}).encode(), "application/json")
    return outputs[0]
