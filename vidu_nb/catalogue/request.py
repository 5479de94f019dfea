"""`Request`: what is asked of a model, checked by the model's file; and the key that identifies it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, ValidationError, create_model
from pydantic import Field as PydanticField
from pydantic_core import ErrorDetails

from ..errors import InvalidRequest
from ..references.attachment import Attachment
from ..references.cast import holds_cast, spread_cast
from ..references.reference import Reference, as_references, of_cast
from .field import MANY, Field, Role, entry

if TYPE_CHECKING:
    from .model import Model

PREVIEW = "preview"  # the local engine's name in keys, receipts and the archive
PREVIEW_VERSION = 3  # of the local engine's clips: raised when they look different, so that no older one replays
Medium = Reference | Attachment
DRAFT_ENDING = "-draft"  # of the preview engine's quicker, smaller siblings; no other service has them
_MEMBER = re.compile(r"@([^\s.]+?)(?: \d+)?")  # as a cast names its pictures; a file's name has a dot
_SHOWN = 60  # characters of a text that a repr shows
_warns = ContextVar("_warns", default=True)


class Request(BaseModel):
    """What is asked of a model: frozen, and valid once it exists. Each model has a class of its own, made of its file.

    Parameters
    ----------
    **parameters
        By the API's names; ``references`` stands for its pictures.

    Raises
    ------
    InvalidRequest
        Names the field, the bad value and what to pass instead; ``.problems`` lists every wrong field.

    >>> from vidu_nb import models
    >>> request = models["wan2.7-r2v"].request(prompt="Image1 waves", references="https://example.com/cat.png")
    >>> request.model.slug, request.value("duration"), request.pictures
    ('wan2.7-r2v', 5, (Reference('cat.png', url, ...),))
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=False, protected_namespaces=()
    )
    of: ClassVar[Model]
    default_model: ClassVar[str] = "vidu-q1-reference-to-video"
    restored: ClassVar[Any]  # a function that unpickles one

    def __init__(self, /, **parameters: Any) -> None:
        # Our own error is raised outside the except block, so that no traceback carries pydantic's.
        problems: tuple[tuple[str, str], ...]
        try:
            super().__init__(**spread(self.of, with_cast(self.of, parameters)))
            problems = ()
        except ValidationError as error:
            problems = tuple(_problems(self.of, error.errors(include_url=False)))
        if not problems:
            for name, remark in self.remarks() if _warns.get() else ():
                warnings.warn(f"{name}={getattr(self, name)}: {remark}", stacklevel=2)
            return
        raise InvalidRequest("; ".join(text for _, text in problems), field=problems[0][0], problems=problems)

    @property
    def model(self) -> Model:
        """The model that is asked."""
        return self.of

    def value(self, name: str) -> Any:
        """Return a parameter's value by the API's name, None where it isn't given."""
        return getattr(self, self.of.fields[name].parameter)

    def by_role(self, role: Role) -> Any:
        """Return the value of the parameter with a role, None where there is none."""
        field = self.of.by_role(role)
        return getattr(self, field.parameter) if field else None

    def values(self) -> dict[str, Any]:
        """Return every parameter's value by its name in Python."""
        return {field.parameter: getattr(self, field.parameter) for field in self.of.fields.values()}

    @property
    def media(self) -> tuple[Medium, ...]:
        """Pictures, videos and sounds, in the order of the parameters."""
        return tuple(one for field in self.of.media for one in _many(getattr(self, field.parameter)))

    @property
    def pictures(self) -> tuple[Reference, ...]:
        """The pictures among them."""
        return tuple(one for one in self.media if isinstance(one, Reference))

    @property
    def seed_value(self) -> int | None:
        """The seed; None where there is none, where it is random, and where it is no whole number."""
        seed = self.by_role("seed")
        return seed if type(seed) is int and not self.is_random else None

    @property
    def is_random(self) -> bool:
        """Whether a random seed is asked for: the same request is then another clip each time."""
        field = self.of.by_role("seed")
        return field is not None and field.random is not None and getattr(self, field.parameter) == field.random

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height in pixels of what comes back, as far as the model's file knows."""
        return self.of.size_of(self)

    def labels(self, *, seed: int | None = None) -> list[str]:
        """Return the shape, the length and the seed as texts, as far as the model has them; `seed` is the one used."""
        shape = self.by_role("aspect_ratio") or self.by_role("resolution")
        duration = self.by_role("duration")
        parts: list[str] = [] if self.of.slug == self.default_model else [self.of.title]
        parts += [str(shape)] if shape else []
        parts += ["x".join(map(str, self.frame_size))] if not shape and self.of.returns == "image" else []
        parts += [f"{duration} s"] if duration is not None else []
        if field := self.of.by_role("seed"):
            seed = self.seed_value if seed is None or seed == field.random else seed
            parts += [f"seed {seed}"] if seed is not None else ["random seed"] if self.is_random else []
        return parts

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """Return parameter and sentence for what is allowed and yet worth a warning; making a request warns of each."""
        return tuple(
            (field.parameter, remark)
            for field in self.of.fields.values()
            if (remark := entry(field.remarks, getattr(self, field.parameter)))
        )

    @classmethod
    def from_payload(cls, body: object, *, names: Sequence[str] = ()) -> Self:
        """Make a request from the API's JSON body: only text stands for pictures, no file is ever read.

        Parameters
        ----------
        body
            The parsed JSON.
        names
            The pictures' names, where they are known, as `media_names` tells them.

        Raises
        ------
        InvalidRequest
            As for the constructor; also for a body that is not an object.

        >>> from vidu_nb import VideoRequest
        >>> VideoRequest.from_payload({"prompt": "A cat", "image_urls": ["https://example.com/cat.png"]}).duration
        5
        """
        if not isinstance(body, Mapping):
            raise InvalidRequest(f"the body must be a JSON object, not {type(body).__name__}", field="body")
        known = cls.of.fields
        strange = next((str(name) for name in body if name not in known), None)
        if strange is not None:  # only one is told: a stranger's body may hold a million of them
            told = f"{strange[:80]}: unknown parameter; known are {', '.join(known)}"
            raise InvalidRequest(told, field=strange[:80])
        parameters = {known[name].parameter: value for name, value in body.items()}
        taken = iter(names)
        for field in cls.of.media:
            given = body.get(field.name)
            if given is None or given == []:
                if field.required:
                    raise InvalidRequest(f"{field.name}: {field.missing}", field=field.name)
                parameters.pop(field.parameter, None)
                continue
            parameters[field.parameter] = _from_wire(field, given, taken)
        with quietly():  # the caller made the same request, and was warned
            return cls(**parameters)

    def payload(self, *, url_of: Callable[[Medium], str] = lambda medium: medium.url) -> dict[str, Any]:
        """Return the API's JSON body.

        Parameters
        ----------
        url_of
            What stands for a picture, a video or a sound; by default its address or a ``data:`` URI.

        >>> from vidu_nb import VideoRequest
        >>> request = VideoRequest(prompt="A cat", references="https://example.com/cat.png")
        >>> request.payload()["image_urls"]
        ['https://example.com/cat.png']
        """
        return self.each_medium(url_of)

    def each_medium(self, change: Callable[[Medium], Any]) -> dict[str, Any]:
        """Return the API's body with something else in the place of each picture, video and sound."""
        body = {}
        for name, field in self.of.fields.items():
            value = getattr(self, field.parameter)
            if value is None or (field.type in MANY and not value):
                continue
            if field.is_media:
                value = [change(one) for one in value] if field.type in MANY else change(value)
            body[name] = value
        return body

    def with_pictures(self, change: Callable[[Reference], Reference]) -> Self:
        """Return the request with other pictures in the place of its own; they are not checked again."""
        changed: dict[str, Any] = {}
        for field in self.of.media:
            value = getattr(self, field.parameter)
            if field.type == "pictures":
                changed[field.parameter] = tuple(map(change, value))
            elif isinstance(value, Reference):
                changed[field.parameter] = change(value)
        return self.model_copy(update=changed)

    def key(self, *, engine: str = "segmind", model: str | None = None) -> str:
        """Return what makes two requests the same: a hash of engine, model, parameters and the pictures' contents.

        For the preview engine its version and the pictures' names count as well.

        Parameters
        ----------
        engine
            Who answers: ``"segmind"``, ``"preview"`` or another service's host.
        model
            The model's name in the URL; its slug by default.

        Returns
        -------
        str
            64 hex digits. Equal for the same pictures from a path, bytes or a PIL image, and for the same URL under
            another signature; order counts.

        >>> from vidu_nb import VideoRequest
        >>> request = VideoRequest(prompt="A cat", references="https://example.com/cat.png")
        >>> len(request.key()), request.key() == request.replace(seed=7).key()
        (64, False)
        """
        asked = {
            name: unicodedata.normalize("NFC", value) if self.of.fields[name].role == "prompt" else value
            for name, value in self.each_medium(lambda medium: medium.sha256).items()
            if identifies(self.of.fields[name], value)
        }
        if engine == PREVIEW:
            asked["names"] = media_names(self)
            asked["engine_version"] = PREVIEW_VERSION
        model = self.of.slug if model is None else model
        canonical = json.dumps({"engine": engine, "model": model, "request": asked, "version": 1}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def replace(self, /, **changes: Any) -> Self:
        """Return a copy with some parameters changed, checked anew: InvalidRequest as for a new one.

        >>> from vidu_nb import VideoRequest
        >>> request = VideoRequest(prompt="A cat", references="https://example.com/cat.png")
        >>> request.replace(seed=7).seed
        7
        """
        fields, parameters = self.of.fields, self.of.by_parameter
        by_api = {name: fields[name].parameter for name in changes if name in fields and name not in parameters}
        return type(self)(**self.values() | {by_api.get(name, name): value for name, value in changes.items()})

    if TYPE_CHECKING:  # the parameters are the file's

        def __getattr__(self, name: str) -> Any: ...

    def __reduce__(self) -> tuple[Any, ...]:
        return self.restored, (self.of, self.values())

    def __hash__(self) -> int:
        return hash(
            (self.of.slug, *((None if isinstance(one, list | dict) else one) for one in self.values().values()))
        )

    def __repr__(self) -> str:
        shown = self.values()
        prompt = shown.pop("prompt", None)
        parts = [] if prompt is None else [_short(prompt)]
        parts += [f"{name}={_short(value)}" for name, value in shown.items() if value is not None]
        return f"{type(self).__name__}({', '.join(parts)})"

    __str__ = __repr__


def _short(value: Any) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…")
    if isinstance(value, tuple):
        return repr(list(value))  # pictures, videos or sounds, which are short by themselves
    shown = repr(value)
    return shown if len(shown) <= _SHOWN or isinstance(value, Medium) else shown[: _SHOWN - 1] + "…"


def request_class(model: Model) -> type[Request]:
    """Make the class of a model's requests."""
    fields: dict[str, Any] = {}
    for field in model.fields.values():
        names = [field.parameter] if field.name in model.by_parameter else [field.parameter, field.name]
        aliases = AliasChoices(*names)
        info: dict[str, Any] = {"title": field.title, "description": field.help, "validation_alias": aliases}
        default: dict[str, Any] = (
            {} if field.required else {"default": () if field.type in MANY else field.sent_default}
        )
        fields[field.parameter] = (Annotated[Any, BeforeValidator(field.check)], PydanticField(**info, **default))
    name = "VideoRequest" if model.returns == "video" else "PictureRequest"
    made: type[Request] = create_model(name, __base__=Request, __module__=__name__, **fields)
    made.of = model
    made.__doc__ = Request.__doc__
    return made


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Make requests without warnings, in this thread alone: `warnings.catch_warnings` would change all threads'."""
    token = _warns.set(False)
    try:
        yield
    finally:
        _warns.reset(token)


def identifies(field: Field, value: Any) -> bool:
    """Return whether a parameter's value stands in a request's key.

    A parameter that was added to a model's file later does only where it isn't its default: what was paid for before
    it came still replays.
    """
    return not field.added or value != field.sent_default


def media_names(request: Request) -> list[str]:
    """Return the names that the preview engine reads beside the API's body; those of a cast have an @ before them."""
    return [f"@{one.name}" if isinstance(one, Reference) and one.member else one.name for one in request.media]


def _many(value: Any) -> tuple[Medium, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def spread(model: Model, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with ``references`` laid out over a model's single pictures, where it has no list."""
    if "references" not in parameters or "references" in model.by_parameter:
        return parameters
    free = [one for one in model.media if one.type == "picture" and one.parameter not in parameters]
    rest = {name: value for name, value in parameters.items() if name != "references"}
    if not free:  # what there is, is an unknown parameter, and refused as such
        return rest if parameters["references"] == [] else parameters
    found = as_references(parameters["references"], most=len(free), animated=[one.animated for one in free])
    return rest | {one.parameter: picture for one, picture in zip(free, found, strict=False)}


def with_cast(model: Model, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with pictures and names in the place of a `Cast`.

    Raises
    ------
    InvalidRequest
        The model has no prompt, a name is unknown, or there are more pictures than the model takes.
    """
    field = model.by_role("references")
    names = {"references", *((field.name, field.parameter) if field else ())}
    given = next((name for name in parameters if name in names and holds_cast(parameters[name])), None)
    if given is None:
        return parameters
    prompt = model.by_role("prompt")
    if prompt is None:
        message = f"{given}: a prompt mentions a cast, and {model.slug} takes none: pass the pictures themselves"
        raise InvalidRequest(message, field=given)
    singles = [one for one in model.media if one.type == "picture" and one.parameter not in parameters]
    most = field.most if field else len(singles)
    least = int(field.required if field else any(one.required for one in singles))
    asked = prompt.name if prompt.name in parameters else prompt.parameter
    written = spread_cast(
        parameters, prompt=asked, references=given, name_pictures=model.name_pictures, least=least, most=most
    )
    _check_grown(prompt, parameters.get(asked), written.get(asked))
    return written


def _check_grown(field: Field, before: Any, after: Any) -> None:
    """Say that a prompt is too long only since the cast's names are written out."""
    most = field.max_length if field.sure else None
    if most is not None and isinstance(before, str) and len(before.strip()) <= most < len(after.strip()):
        grown = (
            f"{len(before.strip()):,} characters become {len(after.strip()):,} with the cast's names as they are sent"
        )
        message = f"{field.parameter}: {grown}, as 'anna (image 1)': the limit is {most:,}"
        raise InvalidRequest(message, field=field.parameter)


def _from_wire(field: Field, given: object, names: Iterator[str]) -> Any:
    """Return the pictures, videos or sounds that a body names, without reading any file."""
    if field.type in MANY and not isinstance(given, list):
        raise InvalidRequest(f"{field.name}: must be a list of strings", field=field.name)
    texts = given if isinstance(given, list) else [given]
    if len(texts) > field.most:
        raise InvalidRequest(f"{field.name}: {len(texts)} given, at most {field.most} are taken", field=field.name)
    make = Reference.from_wire if field.type.startswith("picture") else Attachment.from_wire
    found = []
    for i, text in enumerate(texts):
        where = f"{field.name}[{i}]" if field.type in MANY else field.name
        try:
            name = next(names, "")
            made: Any = make(text, name=name)
            member = _MEMBER.fullmatch(name) if isinstance(made, Reference) else None
            found.append(of_cast(made, member[1], name[1:]) if member else made)
        except InvalidRequest as error:
            message = error.message
        else:
            continue
        raise InvalidRequest(f"{where}: {message}", field=where)
    return tuple(found) if field.type in MANY else found[0]


def _problems(model: Model, errors: list[ErrorDetails]) -> Iterator[tuple[str, str]]:
    for error in errors:
        name = str(error["loc"][0]) if error["loc"] else "request"
        field = model.by_parameter.get(name) or model.fields.get(name)
        name = field.parameter if field else name
        own = error.get("ctx", {}).get("error")
        yield name, own.message if isinstance(own, InvalidRequest) else f"{name}: {_sentence(model, field, error)}"


def _sentence(model: Model, field: Field | None, error: ErrorDetails) -> str:
    """Say what is wrong with one field, and what to pass instead."""
    match error["type"]:
        case "missing":
            return field.missing if field else "is missing"
        case "extra_forbidden":
            return f"unknown parameter; known are {', '.join(model.by_parameter)}"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return error["msg"]
