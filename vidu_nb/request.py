"""`VideoRequest`: the parameters of a call, their limits, and the key that identifies a request.

This is the one place that knows the limits. The panel, the command line, the preview server and the documentation
read them from here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from .errors import InvalidRequest
from .references.reference import MAX_REFERENCES, Reference, as_references

MODEL = "vidu-q1-reference-to-video"
DRAFT = f"{MODEL}-draft"  # the preview engine's quicker, smaller sibling; no other service has it
PREVIEW = "preview"  # the local engine's name in keys, receipts and the archive
PREVIEW_VERSION = 3  # of the local engine's clips: raised when they change, so that none of an older engine replays
MISSING_BOX = b"vidu-nb:missing."  # of a preview's file: as JSON, the numbers of the pictures that were not fetched
NAMES_HEADER = "x-reference-names"  # what the preview engine is told beside the API's body: the pictures' names

AspectRatio = Literal["16:9", "1:1", "9:16"]
Quality = Literal["full", "draft"]  # of a preview
MovementAmplitude = Literal["auto", "small", "medium", "large"]

#: Exact frame sizes in pixels (width, height), from Vidu's documentation of Q1 at 1080p.
FRAME_SIZES: dict[str, tuple[int, int]] = {"16:9": (1920, 1080), "1:1": (1080, 1080), "9:16": (1080, 1920)}
MAX_PROMPT = 1500  # characters, Vidu's own limit
MAX_SEED = 999_999
DURATIONS = (5, 10)  # seconds
PUBLISHED_DURATIONS = (5,)
#: A character that leaves a mark. Those that don't are white space, controls, and what Unicode lists as ignorable by
#: default (DerivedCoreProperties.txt): joiners, marks of direction, fillers of Hangul; and the empty Braille pattern.
VISIBLE = (
    "[^\\s\\x00-\\x1f\\x7f-\\xa0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
#: The parameters of version 0.1, which stand in every key.
_FIRST = {"prompt", "references", "image_urls", "aspect_ratio", "duration", "seed", "bgm", "movement_amplitude"}
_SHOWN = 40  # characters of a bad value that an error shows
_warns = ContextVar("_warns", default=True)


def plain(value: Any) -> Any:
    """Return a NumPy number or truth value, or another library's single one, as Python's own; all else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def whole(value: Any) -> Any:
    """Return a number without a fraction, of whatever type, as an int; all else as it is.

    >>> whole(7.0), whole(7.5), whole(True)
    (7, 7.5, True)
    """
    value = plain(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _stripped(prompt: Any) -> Any:
    return prompt.strip() if isinstance(prompt, str) else prompt


class VideoRequest(BaseModel):
    """One request to Vidu Q1 Reference to Video: frozen, and valid once it exists.

    Parameters
    ----------
    **parameters
        As for `vidu_nb.generate`, all as keywords: ``prompt``, ``references`` (or ``image_urls``), ``aspect_ratio``,
        ``duration``, ``seed``, ``bgm``, ``movement_amplitude``.

    Raises
    ------
    InvalidRequest
        Names the field, the bad value and what to pass instead; ``.problems`` lists every wrong field.

    >>> request = VideoRequest(prompt="A cat in the rain", references="https://example.com/cat.png")
    >>> request.seed, request.frame_size, request.remarks()
    (42, (1920, 1080), ())
    >>> VideoRequest(prompt="A cat", references=[], seed=-1)
    Traceback (most recent call last):
    ...
    vidu_nb.errors.InvalidRequest: references: is empty: pass one to 7 pictures; seed: -1 is out of range: ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=False)

    prompt: Annotated[StrictStr, Field(max_length=MAX_PROMPT), BeforeValidator(_stripped)] = Field(
        title="Prompt",
        description="What happens in the clip: subjects, action, camera, style. At most 1500 characters.",
    )
    references: Annotated[
        tuple[Reference, ...], BeforeValidator(as_references), Field(min_length=1, max_length=MAX_REFERENCES)
    ] = Field(
        title="Reference pictures",
        validation_alias=AliasChoices("references", "image_urls"),
        description="One to seven pictures of what is shown: paths, https:// URLs, data: URIs, bytes or PIL images.",
    )
    aspect_ratio: AspectRatio = Field(
        title="Aspect ratio",
        default="16:9",
        description="The frame: 16:9 is 1920x1080 pixels, 1:1 is 1080x1080, 9:16 is 1080x1920.",
    )
    duration: Annotated[StrictInt, BeforeValidator(whole)] = Field(
        title="Duration",
        default=5,
        description="Length in seconds: 5. The service also mentions 10, but does not list it.",
        json_schema_extra={"enum": list(DURATIONS)},
    )
    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED), BeforeValidator(whole)] = Field(
        title="Seed",
        default=42,
        description="0 to 999999. The same seed asks for the same clip; 0 means a random one, not reproducible.",
    )
    bgm: Annotated[StrictBool, BeforeValidator(plain)] = Field(
        title="Background music",
        default=True,
        description="Adds music to the clip; without it the clip is silent.",
    )
    movement_amplitude: MovementAmplitude = Field(
        title="Movement",
        default="auto",
        description="How far things and the camera move: auto, small, medium or large.",
    )

    def __init__(self, /, **parameters: Any) -> None:
        # Our own error is raised outside the except block, so that no traceback carries pydantic's.
        problems: tuple[tuple[str, str], ...]
        try:
            super().__init__(**parameters)
            problems = ()
        except ValidationError as error:
            problems = tuple(_problems(error.errors(include_url=False)))
        if not problems:
            for name, remark in self.remarks() if _warns.get() else ():
                warnings.warn(f"{name}={getattr(self, name)}: {remark}", stacklevel=2)
            return
        raise InvalidRequest("; ".join(text for _, text in problems), field=problems[0][0], problems=problems)

    @field_validator("prompt")
    @classmethod
    def _prompt_says_something(cls, prompt: str) -> str:
        if not re.search(VISIBLE, prompt):
            raise ValueError("is empty: say what happens in the clip")
        return prompt

    @field_validator("duration")
    @classmethod
    def _duration_is_offered(cls, duration: int) -> int:
        if duration not in DURATIONS:
            raise ValueError(f"{duration} is not offered: pass 5")
        return duration

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """Return parameter and sentence for what is allowed and yet worth a warning; making a request warns of each."""
        if self.duration in PUBLISHED_DURATIONS:
            return ()
        return (("duration", "the service's published list holds only 5; it may refuse this."),)

    @classmethod
    def from_payload(cls, body: object, *, names: Sequence[str] = ()) -> VideoRequest:
        """Make a request from the API's JSON body: only text in ``image_urls``, no file is ever read.

        Parameters
        ----------
        body
            The parsed JSON.
        names
            The pictures' names, where they are known.

        Raises
        ------
        InvalidRequest
            As for the constructor; also for a body that is not an object.

        >>> VideoRequest.from_payload({"prompt": "A cat", "image_urls": ["https://example.com/cat.png"]}).duration
        5
        """
        if not isinstance(body, Mapping):
            raise InvalidRequest(f"the body must be a JSON object, not {type(body).__name__}", field="body")
        known = ["image_urls" if name == "references" else name for name in cls.model_fields]
        strange = next((str(name) for name in body if name not in known), None)
        if strange is not None:  # only one is told: a stranger's body may hold a million of them
            told = f"{strange[:80]}: unknown parameter; known are {', '.join(known)}"
            raise InvalidRequest(told, field=strange[:80])
        fields = dict(body)
        urls = fields.pop("image_urls", None)
        if urls is None or urls == []:
            raise InvalidRequest("image_urls: is missing: pass one to seven pictures", field="image_urls")
        with quietly():  # the caller made the same request, and was warned
            return cls(references=tuple(_from_wire(urls, names)), **fields)

    def payload(self) -> dict[str, Any]:
        """Return the API's JSON body.

        >>> request = VideoRequest(prompt="A cat", references="https://example.com/cat.png")
        >>> request.payload()["image_urls"]
        ['https://example.com/cat.png']
        """
        body = {name: getattr(self, name) for name in type(self).model_fields if name != "references"}
        return {"prompt": body.pop("prompt"), "image_urls": [reference.url for reference in self.references], **body}

    def key(self, *, engine: str = "segmind", model: str = MODEL) -> str:
        """Return what makes two requests the same: a hash of engine, model, parameters and the references' contents.

        For the preview engine its version and the pictures' names count as well.

        Parameters
        ----------
        engine
            Who answers: ``"segmind"``, ``"preview"`` or another service's host.
        model
            The model's name in the URL.

        Returns
        -------
        str
            64 hex digits. Equal for the same pictures from a path, bytes or a PIL image, and for the same URL under
            another signature; order counts.

        >>> request = VideoRequest(prompt="A cat", references="https://example.com/cat.png")
        >>> len(request.key()), request.key() == request.replace(seed=7).key()
        (64, False)
        """
        said = {name: value for name, value in self.payload().items() if identifies(name, value, type(self))} | {
            "prompt": unicodedata.normalize("NFC", self.prompt),
            "image_urls": [reference.sha256 for reference in self.references],
        }
        if engine == PREVIEW:
            said["names"] = [reference.name for reference in self.references]  # the preview engine reads them
            said["engine_version"] = PREVIEW_VERSION
        canonical = json.dumps({"engine": engine, "model": model, "request": said, "version": 1}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def replace(self, **changes: Any) -> VideoRequest:
        """Return a copy with some parameters changed, checked anew: InvalidRequest as for a new one.

        >>> request = VideoRequest(prompt="A cat", references="https://example.com/cat.png")
        >>> request.replace(seed=7).seed
        7
        """
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | changes)

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of the clip in pixels."""
        return FRAME_SIZES[self.aspect_ratio]

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in type(self).model_fields} | {"references": list(self.references)}
        prompt = shown.pop("prompt")
        prompt = prompt if len(prompt) <= 60 else prompt[:59] + "…"
        rest = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({prompt!r}, {rest})"

    __str__ = __repr__


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Make requests without warnings, in this thread alone: `warnings.catch_warnings` would change all threads'."""
    token = _warns.set(False)
    try:
        yield
    finally:
        _warns.reset(token)


def _from_wire(urls: object, names: Sequence[str]) -> Iterator[Reference]:
    if not isinstance(urls, list):
        raise InvalidRequest("image_urls: must be a list of strings", field="image_urls")
    if len(urls) > MAX_REFERENCES:
        raise InvalidRequest(f"image_urls: {len(urls)} given, at most {MAX_REFERENCES} are taken", field="image_urls")
    for i, text in enumerate(urls):
        try:
            yield Reference.from_wire(text, name=names[i] if i < len(names) else "")
        except InvalidRequest as error:
            message = error.message
        else:
            continue
        raise InvalidRequest(f"image_urls[{i}]: {message}", field=f"image_urls[{i}]")


def _problems(errors: list[ErrorDetails]) -> Iterator[tuple[str, str]]:
    for error in errors:
        field = str(error["loc"][0]) if error["loc"] else "request"
        own = error.get("ctx", {}).get("error")
        yield field, own.message if isinstance(own, InvalidRequest) else f"{field}: {_sentence(field, error)}"


def _sentence(field: str, error: ErrorDetails) -> str:  # noqa: C901, PLR0911, PLR0912  # a table of sentences
    """Say what is wrong with one field, and what to pass instead."""
    value, context = error["input"], error.get("ctx", {})
    shown = repr(value) if len(repr(value)) <= _SHOWN else repr(value)[: _SHOWN - 1] + "…"
    match error["type"], field:
        case "missing", "prompt":
            return "is missing: say what happens in the clip"
        case "missing", "references":
            return f"is missing: pass one to {MAX_REFERENCES} pictures"
        case "missing", _:
            return "is missing"
        case "too_short", "references":
            return f"is empty: pass one to {MAX_REFERENCES} pictures"
        case "too_long", "references":
            return f"{context['actual_length']} given: pass at most {MAX_REFERENCES}"
        case "string_too_long", _:
            return f"has {len(value):,} characters: the limit is {context['max_length']:,}"
        case "string_type", _:
            return f"{shown} is not text"
        case "string_unicode", _:
            return "holds half a character (a lone surrogate): delete it"
        case "bool_type", _:
            return f"{shown} is not True or False"
        case "int_type", "seed":
            return f"{shown} is not a whole number: pass one from 0 to {MAX_SEED}"
        case (("greater_than_equal" | "less_than_equal"), "seed"):
            return f"{shown} is out of range: pass a whole number from 0 to {MAX_SEED}"
        case "int_type", "duration":
            return f"{shown} is not offered: pass the whole number 5"
        case "literal_error", _:
            return f"{shown} is not one of {', '.join(str(choice) for choice in choices(field))}"
        case "extra_forbidden", _:
            return f"unknown parameter; known are {', '.join(VideoRequest.model_fields)}"
        case "value_error", _:
            return str(context["error"])
        case _:
            return error["msg"]


def identifies(field: str, value: Any, model: type[VideoRequest] = VideoRequest) -> bool:
    """Return whether a parameter's value stands in a request's key.

    A parameter that version 0.1 did not have does only where it isn't its default: what was paid for before it came
    still replays.

    >>> identifies("bgm", True)
    True
    """
    return field in _FIRST or value != model.model_fields[field].default


def choices(field: str, model: type[VideoRequest] = VideoRequest) -> tuple[Any, ...]:
    """Return the values that a parameter may take, empty where it has a range or takes any.

    >>> choices("aspect_ratio")
    ('16:9', '1:1', '9:16')
    """
    if field == "duration":
        return DURATIONS
    annotation = model.model_fields[field].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()
