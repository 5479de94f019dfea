"""What an answer holds: a clip, a link to one, or an error's words. Pure functions over bytes from outside."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .. import media

_LINK_PLACES = ("video", "output", "video_url", "url", "urls", "data")


def error_text(body: bytes) -> str:
    """What an error answer says: the JSON's words, an HTML page's title, or nothing.

    >>> error_text(b'{"error": "Insufficient credits"}')
    'Insufficient credits'
    >>> error_text(b"<html><title>502 Bad Gateway</title></html>")
    '502 Bad Gateway'
    """
    said = as_json(body)
    if isinstance(said, dict):
        words = [said.get(name) for name in ("error", "error_description", "message", "detail")]
        flat = [word if isinstance(word, str) else json.dumps(word) for word in words if word]
        return ": ".join(dict.fromkeys(flat))
    text = body[:4000].decode("utf-8", "replace")
    if "<" not in text:
        return text
    start = text.lower().find("<title>")
    return text[start + 7 :].split("<")[0] if start >= 0 else ""


def link_in(body: bytes) -> str:
    """The clip's URL in a JSON answer, in the places where services put it; empty where there is none.

    >>> link_in(b'{"video": {"url": "https://cdn.example/clip.mp4"}}')
    'https://cdn.example/clip.mp4'
    """
    for link in _links(as_json(body)):
        with contextlib.suppress(ValueError):  # such as a broken IPv6 address
            if urlsplit(link).hostname:
                return link
    return ""


def what_is_wrong(body: bytes) -> str:
    """Why an answer's bytes are no whole clip, in words; empty where they are."""
    problem = media.what_is_wrong(body)
    if problem and as_json(body) is not None:
        said = error_text(body)
        return f"the service said: {said}" if said else "it is JSON that names no URL"
    return problem


def as_json(body: bytes) -> Any:
    """The value that a body holds as JSON, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _links(said: Any) -> Iterator[str]:
    if isinstance(said, str) and said.startswith(("http://", "https://")):
        yield said
    elif isinstance(said, list):
        for one in said:
            yield from _links(one)
    elif isinstance(said, dict):
        for name in _LINK_PLACES:
            yield from _links(said.get(name))
