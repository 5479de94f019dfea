"""What an answer holds: a clip, a link, a ticket, or an error's message. Pure functions over bytes from outside."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from .. import media
from ..net.transport import Answer
from ..receipt import number

_LINK_PLACES = ("video", "output", "video_url", "url", "urls", "data")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a queue gives for a job.

    Attributes
    ----------
    request_id : str
        The job's name.
    status_url, response_url : str
        Where the service reports how far it is, and what came of it.
    """

    request_id: str
    status_url: str
    response_url: str

    @classmethod
    def from_json(cls, payload: Any, *, base_url: str) -> Ticket | None:
        """Read the ticket in an answer or in the journal, None where there is none.

        The key goes to these addresses. So one that isn't the service's own is replaced by its documented route.

        >>> payload = {"request_id": "a1", "status_url": "https://stranger.example/a1"}
        >>> Ticket.from_json(payload, base_url="https://api.example").status_url
        'https://api.example/v2/requests/a1/status'
        """
        name = payload.get("request_id") if isinstance(payload, dict) else None
        if not name or not isinstance(name, str) or "status_url" not in payload:
            return None
        route = f"{base_url}/v2/requests/{quote(name[:200], safe='')}"
        urls = {"status_url": f"{route}/status", "response_url": route}
        return cls(name, **{key: _own(payload.get(key), base_url) or url for key, url in urls.items()})

    def to_dict(self) -> dict[str, str]:
        """Return the ticket as JSON-ready values, for the journal."""
        return {"request_id": self.request_id, "status_url": self.status_url, "response_url": self.response_url}


def holds_result(answer: Answer, base_url: str) -> bool:
    """Whether an answer brings what was paid for: a whole clip, a link to one, or a ticket for one.

    >>> holds_result(Answer(200, {}, b'{"video": {"url": "https://cdn.example/clip.mp4"}}', 0.1), "https://api.example")
    True
    >>> holds_result(Answer(200, {}, b'{"error": "busy"}', 0.1), "https://api.example")
    False
    """
    body = answer.body
    found = not what_is_wrong(body) or link_in(body) or Ticket.from_json(as_json(body), base_url=base_url)
    return answer.status // 100 == 2 and bool(found)


def counts_though_broken(answer: Answer, base_url: str, *, interrupted: bool) -> bool:
    """Whether an answer that broke off is taken all the same.

    It is where all of the result has come, whatever is wrong with its wrapping. Also where its status says that there
    is none, whatever became of its text; but not a 429, since a call that was cancelled must not wait for another try,
    and not where a person interrupted the call, who then hears of the interrupt.
    """
    says_no = answer.status >= 300 and answer.status != 429 and not interrupted
    return says_no or holds_result(answer, base_url)


def what_is_wrong(body: bytes) -> str:
    """Tell why an answer's bytes are no whole clip, empty where they are."""
    problem = media.what_is_wrong(body)
    if problem and as_json(body) is not None:
        message = error_text(body)
        return f"the service reported: {message}" if message else "it is JSON that names no URL"
    return problem


def link_in(body: bytes) -> str:
    """Find the clip's URL in a JSON answer, in the places where services put it; empty where there is none.

    >>> link_in(b'{"video": {"url": "https://cdn.example/clip.mp4"}}')
    'https://cdn.example/clip.mp4'
    """
    with contextlib.suppress(RecursionError):  # of JSON that is nested as deep as Python's own stack
        return next(filter(is_link, _links(as_json(body))), "")
    return ""


def is_link(text: object) -> bool:
    """Whether a value is a web address that names a host.

    >>> is_link("https://cdn.example/clip.mp4"), is_link("javascript:alert(1)"), is_link("http://[oops"), is_link(5)
    (True, False, False, False)
    """
    with contextlib.suppress(ValueError):  # such as a broken IPv6 address
        return isinstance(text, str) and urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).hostname)
    return False


def metrics_in(body: bytes) -> dict[str, str]:
    """Read what a job's result reports beside the clip, under the names that the headers of a direct answer have.

    >>> metrics_in(b'{"seed": 7, "metrics": {"cost": 0.5, "inference_time": 118.2}}')
    {'x-cost': '0.5', 'x-generation-time': '118.2', 'x-seed-value': '7'}
    """
    payload = as_json(body)
    payload = payload if isinstance(payload, dict) else {}
    metrics = payload.get("metrics")
    metrics = metrics if isinstance(metrics, dict) else {}
    figures = {
        "x-cost": metrics.get("cost"),
        "x-remaining-credits": metrics.get("remaining_credits"),
        "x-generation-time": metrics.get("inference_time"),
        "x-seed-value": payload.get("seed"),
    }
    return {name: str(value) for name, value in figures.items() if number(value) is not None}


def error_text(body: bytes) -> str:
    """Return an error answer's message: the JSON's texts, an HTML page's title, or nothing.

    >>> error_text(b'{"error": "Insufficient credits"}')
    'Insufficient credits'
    >>> error_text(b"<html><title>502 Bad Gateway</title></html>")
    '502 Bad Gateway'
    """
    payload = as_json(body)
    if isinstance(payload, dict):
        found = [payload.get(name) for name in ("error", "error_description", "message", "detail")]
        texts = [text if isinstance(text, str) else json.dumps(text) for text in found if text]
        return ": ".join(dict.fromkeys(texts))
    text = body[:4000].decode("utf-8", "replace")
    if "<" not in text:
        return text
    start = text.lower().find("<title>")
    return text[start + 7 :].split("<")[0] if start >= 0 else ""


def as_json(body: bytes) -> Any:
    """Parse a body as JSON, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _links(payload: Any) -> Iterator[str]:
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, list):
        for one in payload:
            yield from _links(one)
    elif isinstance(payload, dict):
        for name in _LINK_PLACES:
            yield from _links(payload.get(name))


def _own(url: object, base_url: str) -> str:
    """The URL where it leads to the service itself, else nothing."""
    try:
        return url if isinstance(url, str) and urlsplit(url)[:2] == urlsplit(base_url)[:2] else ""
    except ValueError:  # such as a broken IPv6 address
        return ""
