"""What a service says is wrong, in one sentence that names the user's own parameters. Pure functions."""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..catalogue.models import models
from ..errors import one_line
from ..references.signatures import shareable

#: Where services put a message, or a list or an object of messages: those of FastAPI, Flask, problem+json (RFC 9457),
#: JSON:API, Google and OpenAI.
_MESSAGES = (
    "error", "error_description", "title", "message", "msg", "detail", "description", "reason", "details", "errors",
    "fieldViolations", "invalid-params", "invalid_params", "violations", "issues", "issue",
)  # fmt: skip
#: Where they put what a message is about; the second group often holds something else, such as the route's path.
_PLACES = ("loc", "param", "parameter", "field", "pointer", "property", "propertyPath", "source")
_PLACES_OR_NOT = ("path", "instancePath", "name")
#: Steps before a parameter's name that tell nobody anything.
_AROUND = frozenset({"body", "json", "query", "data", "attributes", "input", "inputs", "params", "payload", "request"})
#: Their parameters by the name that the wire has for them, and by the user's; the default model's count first.
_PARAMETERS = {
    field.name: field.parameter for model in reversed(list(models.values())) for field in model.fields.values()
}
_PICTURES = [name for name, parameter in _PARAMETERS.items() if parameter == "references"]
_WIRE_NAME = re.compile(rf"\b(?:{'|'.join(_PICTURES)})\b(?:\[(\d{{1,3}})\]|\.(\d{{1,3}})\b)?")
_JSON = re.compile(r"[{\[].*[}\]]\s*\Z", re.DOTALL)
_URL = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_MOST = 20  # messages
_SHOWN = 120  # characters of a JSON that holds no message

Path = tuple[str, ...]


def error_text(body: bytes, names: Sequence[str] = ()) -> str:
    """Return an error answer's message: the JSON's texts, an HTML page's title, or nothing.

    Parameters
    ----------
    body
        As it came.
    names
        What the user calls the pictures, in order.

    >>> error_text(b'{"error": "Insufficient credits"}')
    'Insufficient credits'
    >>> error_text(b'{"detail": [{"loc": ["body", "image_urls", 1], "msg": "is too dark"}]}', ["a.jpg", "cat.jpg"])
    'references[1] (cat.jpg): is too dark'
    >>> error_text(b"<html><title>502 Bad Gateway</title></html>")
    '502 Bad Gateway'
    """
    payload = as_json(body)
    if isinstance(payload, dict | list):
        return _sentence(payload, names) or one_line(json.dumps(payload), _SHOWN)
    text = body[:4000].decode("utf-8", "replace")
    if "<" not in text:
        return _in_the_users_words(text, names)
    start = text.lower().find("<title>")
    return text[start + 7 :].split("<")[0] if start >= 0 else ""


def reported(payload: Any) -> str:
    """Return the message in the JSON of an answer that is no error by its status, empty where it holds none."""
    has_message = isinstance(payload, dict) and any(payload.get(name) for name in _MESSAGES)
    return _sentence(payload, ()) if has_message else ""


def as_json(body: bytes | str) -> Any:
    """Parse a body as JSON, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def parts_of(payload: Any) -> Iterator[Any]:
    """Yield what JSON holds, outermost first: itself, its objects' values and its lists' elements, and so on."""
    waiting = deque([payload])
    while waiting:
        part = waiting.popleft()
        yield part
        if isinstance(part, dict | list):
            waiting.extend(part.values() if isinstance(part, dict) else part)


def _sentence(payload: Any, names: Sequence[str]) -> str:
    sentences: dict[str, None] = {}  # each once, in order
    try:
        for path, message in itertools.islice(_messages(payload, ()), _MOST):
            text, place = _in_the_users_words(message, names), _place(path, names)
            sentences[text if not place or text.startswith(place) else f"{place}: {text}"] = None
    except RecursionError:
        pass  # nested as deep as Python's own stack
    return "; ".join(sentences)


def _messages(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each message and the way to what it is about, whatever the JSON's shape."""
    if isinstance(value, str) and value.strip():
        quoted = _JSON.search(value)  # gateways quote what the service said, behind words of their own
        inside = list(_messages(as_json(quoted[0]), path)) if quoted else []
        yield from inside or [(path, value.strip())]
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from _messages(one, (*path, str(i)) if isinstance(one, list) else path)
    elif isinstance(value, dict):
        found = [value[name] for name in _MESSAGES if isinstance(value.get(name), str | list | dict)]
        for one in found:
            yield from _messages(one, (*path, *_about(value)))
        for name, one in () if found else value.items():  # fields, each with what is wrong about it
            yield from _messages(one, (*path, *_parts(name)))


def _about(value: Mapping[str, Any]) -> list[str]:
    parts = [part for name in _PLACES for part in _parts(value.get(name))]
    unsure = [part for name in _PLACES_OR_NOT for part in _parts(value.get(name))]
    return parts or (unsure if _PARAMETERS.keys() & set(unsure) else [])


def _parts(place: Any) -> Iterator[str]:
    """Yield the steps of ``["body", "image_urls", 1]``, ``"body.image_urls[1]"``, ``"#/image_urls/1"`` and the like."""
    if isinstance(place, int):
        yield str(place)
    elif isinstance(place, str):
        yield from re.findall(r"\w+", place)
    elif isinstance(place, list):
        for one in place:
            yield from _parts(one)
    elif isinstance(place, Mapping):
        for name in _PLACES:
            yield from _parts(place.get(name))


def _place(path: Path, names: Sequence[str]) -> str:
    """Return what a message is about as the user calls it: the parameter, and which of its values."""
    at = next((i for i, part in enumerate(path) if part in _PARAMETERS), None)
    if at is None:
        return ".".join(itertools.dropwhile(_AROUND.__contains__, path))
    name, index = _PARAMETERS[path[at]], path[at + 1] if len(path) > at + 1 else ""
    return _picture(int(index), names) if name == "references" and re.fullmatch(r"\d{1,3}", index) else name


def _in_the_users_words(message: str, names: Sequence[str]) -> str:
    def replaced(found: re.Match[str]) -> str:
        index = found[1] or found[2]
        return _picture(int(index), names) if index else "references"

    return _URL.sub(lambda found: shareable(found[0]), _WIRE_NAME.sub(replaced, message))


def _picture(index: int, names: Sequence[str]) -> str:
    name = names[index] if index < len(names) else ""
    return f"references[{index}] ({name})" if name else f"references[{index}]"
