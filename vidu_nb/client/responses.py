"""What an answer holds: a clip or pictures, links to them, or a ticket. Pure functions over bytes from outside."""

from __future__ import annotations

import base64
import binascii
import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args
from urllib.parse import quote, unquote_to_bytes, urlsplit

from .. import image_file, media
from ..catalogue.model_file import Returns
from ..catalogue.models import DEFAULT, models
from ..image_file import packed
from ..net.transport import Answer, origin
from ..receipt import REPLAYED, number
from ..recipe import MODEL_FACT
from ..storage.journal import Attempt
from .messages import as_json, parts_of, reported

#: Where services put a result: its URL, or the clip itself as text.
_PLACES = ("video", "output", "generation_url", "video_url", "url", "urls", "data", "b64_json", "base64")
#: What else a name may say that holds a result; and names under which answers repeat a request.
_RESULT = re.compile(
    r"(?:^|_)(?:(?:video|clip|mp4|file|download|media|asset)s?(?:_?(?:url|uri|link|href))?|result)$", re.IGNORECASE
)
_INPUTS = frozenset({
    "request_body", "parameters", "params", "input", "inputs", "request", "payload", "image_urls", "prompt",
})  # fmt: skip
_LONGEST = 10_000  # characters of a link
_FILMS = (".mp4", ".m4v", ".mov")
#: The same for pictures, of which an answer may bring several; and names that say that something is one.
_PICTURE_PLACES = (
    "output", "outputs", "image", "images", "generation_url", "image_url", "image_urls", "url", "urls", "data",
    "b64_json", "base64",
)  # fmt: skip
_PICTURE_RESULT = re.compile(
    r"(?:^|_)(?:(?:image|picture|photo|img|gif|file|download|media|asset)s?(?:_?(?:url|uri|link|href))?|results?)$",
    re.IGNORECASE,
)
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_MOST = 100  # pictures of one answer
#: What a model returns; empty where that isn't known, and whatever comes is taken.
Kind = Literal["video", "image", ""]
#: Up to the content of a ``data:`` URI; its parameters may hold commas: ``video/mp4;codecs=avc1.640028,mp4a;base64,``.
_DATA_HEAD = re.compile(r"data:.{0,1000}?;\s*base64\s*,|data:[^,]{0,1000},", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Content:
    """What an answer's body brings.

    Attributes
    ----------
    body : bytes
        The body itself.
    payload : object
        Its JSON, None where it is none.
    items : tuple of bytes and str
        The results in their order, each a whole medium, or the URL of one. Of a clip there is one; of pictures as many
        as the answer brings.
    problem : str
        Why there is no result, or what is wrong with one of several.
    """

    body: bytes = field(repr=False)
    payload: Any = field(default=None, repr=False)
    items: tuple[bytes | str, ...] = field(default=(), repr=False)
    problem: str = ""

    @property
    def is_result(self) -> bool:
        """Whether this leads to a clip or to pictures without another question to the service."""
        return bool(self.items)

    @property
    def clip(self) -> bytes:
        """What is to be stored: the clip, the picture, or several as one; empty where one of them is a URL."""
        return packed(self.items) if self.items and all(isinstance(one, bytes) for one in self.items) else b""

    @property
    def link(self) -> str:
        """The first URL of a result; empty where there is none."""
        return next((one for one in self.items if isinstance(one, str)), "")


def read(body: bytes, kind: Kind = "video") -> Content:
    """Read what an answer brings, in the places where services put it.

    Parameters
    ----------
    body
        As it came.
    kind
        What the model that was asked returns: the other is no result, but a cover or what was sent.

    >>> read(b'{"video": {"url": "https://cdn.example/clip.mp4"}}').link
    'https://cdn.example/clip.mp4'
    >>> read(b'{"image": ["https://cdn.example/a.png", "https://cdn.example/b.png"]}', "image").items
    ('https://cdn.example/a.png', 'https://cdn.example/b.png')
    >>> read(b'{"error": "busy"}').problem, read(b"<html>").problem
    ('the service reported: busy', 'it is not an MP4')
    """
    match kind:
        case "video":
            return _read_clip(body)
        case "image":
            return _read_pictures(body)
    clip, pictures = _read_clip(body), _read_pictures(body)
    return pictures if pictures.clip or not clip.is_result else clip


def _read_clip(body: bytes) -> Content:
    problem = media.what_is_wrong(body)
    if not problem:
        return Content(body, items=(media.whole_mp4(body),))
    payload = as_json(body)
    groups: list[list[str]] = [[], [], []]  # the surest places first
    with contextlib.suppress(RecursionError):  # of JSON that is nested as deep as Python's own stack
        groups = [list(_texts(payload)), list(_texts(report_in(payload))), list(_texts_elsewhere(payload))]
    if payload is None:
        groups = [[body.decode("latin-1")]]
    texts = dict.fromkeys(itertools.chain(*groups))  # megabytes long, and decoded once
    embedded = [data for text in texts if (data := _decoded(text))]
    if clip := next(filter(None, map(media.whole_mp4, embedded)), b""):
        return Content(body, payload, (clip,))
    if link := "" if _is_sentence(body, payload) else next(filter(None, map(_link_in, groups)), ""):
        return Content(body, payload, (link.strip(),))
    if message := reported(payload):
        problem = f"the service reported: {message}"
    elif embedded:
        problem = f"the clip is text in it, and {media.what_is_wrong(embedded[0])}"
    elif payload is not None:
        problem = "it is JSON that names no URL"
    return Content(body, payload, problem=problem)


def _is_sentence(body: bytes, payload: Any) -> bool:
    """Whether a body is a text that begins with a link, say."""
    return payload is None and len(body.split(maxsplit=1)) > 1


def _read_pictures(body: bytes) -> Content:
    """Read pictures: all those of the first place that holds some, since others hold the same ones again."""
    problem = image_file.what_is_wrong(body)
    if not problem:
        return Content(body, items=(image_file.whole_picture(body),))
    payload = as_json(body)
    alone = body.decode("latin-1") if payload is None else ""
    is_one = (len(alone) < _LONGEST and is_link(alone)) or _decoded_picture(alone)
    places: list[list[str]] = [[alone]] if is_one else []
    with contextlib.suppress(RecursionError):
        places += [*_picture_places(payload), *_picture_places(report_in(payload)), *_pictures_elsewhere(payload)]
    broken = ""
    for texts in places:  # bytes before links: these have to be fetched, and may have expired
        items, wrong = _pictures_in(texts)
        if any(isinstance(one, bytes) for one in items):
            return Content(body, payload, items, wrong)
        broken = broken or wrong
    if not _is_sentence(body, payload):
        for texts in places:
            links = tuple(dict.fromkeys(text.strip() for text in texts if len(text) < _LONGEST and is_link(text)))
            if links:
                return Content(body, payload, links[:_MOST])
    if message := reported(payload):
        problem = f"the service reported: {message}"
    elif broken:
        problem = f"the picture is text in it, and {broken}"
    elif payload is not None:
        problem = "it is JSON that names no URL"
    return Content(body, payload, problem=problem)


def _pictures_in(texts: list[str]) -> tuple[tuple[bytes | str, ...], str]:
    """Return the whole pictures and the links in a place, and what is wrong with the others."""
    items: list[bytes | str] = []
    problems = ["only so many are taken"] * (len(texts) - _MOST)
    for text in texts[:_MOST]:
        if len(text) < _LONGEST and is_link(text):
            items.append(text.strip())
            continue
        data = _decoded_picture(text)
        problem = image_file.what_is_wrong(data)
        if problem:
            problems.append(problem)
        else:
            items.append(image_file.whole_picture(data))
    count = f"{len(problems)} of {len(texts)} pictures: " if len(texts) > 1 else ""
    return tuple(items), f"{count}{problems[0]}" if problems else ""


def _decoded_picture(text: str) -> bytes:
    """Return what a ``data:`` URI or bare base64 holds."""
    text = text.lstrip()
    head = _DATA_HEAD.match(text)
    content = text[head.end() :] if head else text
    return _from_base64(content) or (unquote_to_bytes(content) if head else b"")


def _beginning(text: str) -> bytes:
    """Return the first bytes of what a ``data:`` URI or bare base64 holds: its text may have megabytes."""
    text = text[:2000].lstrip()
    head = _DATA_HEAD.match(text)
    content = unquote_to_bytes(text[head.end() if head else 0 :][:300])
    letters = b"".join(content.split())[:64]  # whole groups of four
    return _from_base64(letters.decode("latin-1")) or (content if head else b"")


def _picture_places(payload: Any) -> list[list[str]]:
    """Return the texts in the places where services put pictures, the surest place first; a list's together."""
    found: dict[tuple[str, ...], list[str]] = {}

    def look(part: Any, path: tuple[str, ...]) -> None:
        if isinstance(part, str):
            found.setdefault(path, []).append(part)
        elif isinstance(part, list):
            for one in part:
                look(one, path)
        elif isinstance(part, dict):
            for name in _PICTURE_PLACES:
                look(part.get(name), (*path, name))

    look(payload, ())
    return list(found.values())


def _pictures_elsewhere(payload: Any) -> list[list[str]]:
    """Return the texts under other names that may be pictures or their links, but for what repeats the request."""
    found: dict[str, list[str]] = {}
    sent = {field.name for model in models.values() for field in model.media}

    def look(part: Any, name: str) -> None:
        if isinstance(part, list):
            for one in part:
                look(one, name)
        elif isinstance(part, dict):
            for key, one in part.items():
                if key not in _INPUTS and key not in sent:
                    look(one, str(key))
        elif isinstance(part, str) and part.lstrip()[:1] in ("{", "["):  # gateways put an answer into a text
            inside = as_json(part)
            for number, texts in enumerate(_picture_places(inside)):
                found.setdefault(f"{name}[{number}]", []).extend(texts)
            look(inside if isinstance(inside, dict | list) else None, name)
        elif isinstance(part, str) and _may_be_picture(part, name):
            found.setdefault(name, []).append(part)

    look(payload, "")
    return list(found.values())


def _may_be_picture(text: str, name: str) -> bool:
    if len(text) < _LONGEST and is_link(text):
        return bool(_PICTURE_RESULT.search(name)) or urlsplit(text.strip()).path.lower().endswith(_PICTURES)
    return bool(image_file.format_of(_beginning(text)))


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
    def from_json(cls, payload: Any, *, base_url: str, record_url: str = "") -> Ticket | None:
        """Read the ticket in an answer or in the journal, None where there is none.

        The key goes to these addresses. So one that isn't the service's own is replaced by its documented route; its
        own are below its root, and, in a ticket that the journal has, below that of its record of calls.

        >>> payload = {"request_id": "a1", "status_url": "https://stranger.example/a1"}
        >>> Ticket.from_json(payload, base_url="https://api.example").status_url
        'https://api.example/v2/requests/a1/status'
        """
        name = payload.get("request_id") if isinstance(payload, dict) else None
        if not name or not isinstance(name, str) or "status_url" not in payload:
            return None
        route = f"{base_url}/v2/requests/{quote(name[:200], safe='')}"
        urls = {"status_url": f"{route}/status", "response_url": route}
        ours = [root for root in (base_url, record_url) if root]
        return cls(name, **{key: _own(payload.get(key), ours) or url for key, url in urls.items()})

    def to_dict(self) -> dict[str, str]:
        """Return the ticket as JSON-ready values, for the journal."""
        return {"request_id": self.request_id, "status_url": self.status_url, "response_url": self.response_url}


def holds_result(answer: Answer, base_url: str, kind: Kind = "video") -> bool:
    """Whether an answer brings what was paid for: a whole clip or picture, a link to one, or a ticket for one.

    >>> holds_result(Answer(200, {}, b'{"video": {"url": "https://cdn.example/clip.mp4"}}', 0.1), "https://api.example")
    True
    >>> holds_result(Answer(200, {}, b'{"error": "busy"}', 0.1), "https://api.example")
    False
    """
    found = read(answer.body, kind)
    return answer.status // 100 == 2 and bool(found.is_result or Ticket.from_json(found.payload, base_url=base_url))


def counts_though_broken(answer: Answer, base_url: str, kind: Kind = "video", *, interrupted: bool) -> bool:
    """Whether an answer that broke off is taken all the same.

    It is where all of the result has come, whatever is wrong with its wrapping. Also where its status says that there
    is none, whatever became of its text; but not a 429, since a call that was cancelled must not wait for another try,
    and not where a person interrupted the call, who then hears of the interrupt.
    """
    says_no = answer.status >= 300 and answer.status != 429 and not interrupted
    return says_no or holds_result(answer, base_url, kind)


def kind_of(attempt: Attempt) -> Kind:
    """Return what the model that an attempt asked returned when it was asked; empty where that isn't known."""
    if (returns := attempt.facts.get("returns")) in get_args(Returns):
        return cast("Returns", returns)
    model = models.get(str(attempt.facts.get(MODEL_FACT) or DEFAULT))
    return model.returns if model else ""


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
    payload = report_in(as_json(body))
    metrics = payload.get("metrics")
    metrics = metrics if isinstance(metrics, dict) else {}
    latency_ms = number(payload.get("latency_ms"))  # as the service's record of calls has it
    figures = {
        "x-cost": metrics.get("cost", payload.get("credits_deduction")),
        "x-remaining-credits": metrics.get("remaining_credits"),
        "x-generation-time": metrics.get("inference_time", latency_ms and latency_ms / 1000),
        "x-seed-value": payload.get("seed"),
    }
    return {name: str(value) for name, value in figures.items() if number(value) is not None}


def replay_mark(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header by which a class's gateway tells that somebody has paid for this before; empty without.

    >>> replay_mark({"x-vidu-replayed": "true", "x-cost": "0"}), replay_mark({})
    ({'x-vidu-replayed': 'true'}, {})
    """
    return {REPLAYED: "true"} if headers.get(REPLAYED) == "true" else {}


def report_in(payload: Any) -> dict[str, Any]:
    """Return the object that reports on a call: the one with its id and status, in whatever wrapper, else the whole.

    >>> report_in({"data": [{"request_id": "a1", "model_status": "PENDING"}]})["model_status"]
    'PENDING'
    """
    objects = (part for part in parts_of(payload) if isinstance(part, dict) and "request_id" in part)
    found = next((one for one in objects if "status" in one or "model_status" in one), payload)
    return found if isinstance(found, dict) else {}


def _texts(payload: Any) -> Iterator[str]:
    if isinstance(payload, str):
        yield payload
    elif isinstance(payload, list):
        for one in payload:
            yield from _texts(one)
    elif isinstance(payload, dict):
        for name in _PLACES:
            yield from _texts(payload.get(name))


def _texts_elsewhere(payload: Any, name: str = "") -> Iterator[str]:
    """Yield what may be a clip or its link, under any name but those for what an answer repeats of its request."""
    if isinstance(payload, list):
        for one in payload:
            yield from _texts_elsewhere(one, name)
    elif isinstance(payload, dict):
        for key, one in payload.items():
            if key not in _INPUTS:
                yield from _texts_elsewhere(one, str(key))
    elif isinstance(payload, str) and payload.lstrip()[:1] == "{":  # gateways put an answer into a text
        inside = as_json(payload)
        yield from list(_texts(inside)) or _texts_elsewhere(inside)
    elif isinstance(payload, str) and (_is_film(payload) or _RESULT.search(name) or _decoded(payload[:200])):
        yield payload


def _link_in(texts: list[str]) -> str:
    """Return the link among texts, of several a film's: a cover may stand beside it."""
    links = [text for text in texts if len(text) < _LONGEST and is_link(text)]
    return next(filter(_is_film, links), links[0] if links else "")


def _is_film(text: str) -> bool:
    return len(text) < _LONGEST and is_link(text) and urlsplit(text.strip()).path.lower().endswith(_FILMS)


def _decoded(text: str) -> bytes:
    """Return what a ``data:`` URI in any spelling holds, or bare base64 that begins as an MP4 does; else nothing."""
    text = text.lstrip()
    head = _DATA_HEAD.match(text)
    if not head and b"ftyp" not in _from_base64("".join(text[:80].split())[:64]):
        return b""
    content = text[head.end() :] if head else text
    return _from_base64(content) or unquote_to_bytes(content)


def _from_base64(text: str) -> bytes:
    """Decode either alphabet, with or without line breaks, padding and percent-encoding; nothing where it is none."""
    plain = unquote_to_bytes(text) if "%" in text else text.encode("ascii", "replace")
    plain = b"".join(plain.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    with contextlib.suppress(binascii.Error):
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    return b""


def _own(url: object, roots: list[str]) -> str:
    """The URL where it leads to the service itself, else nothing."""
    return url if isinstance(url, str) and origin(url) in map(origin, roots) else ""
