"""`Model`: what can be asked of one model of a service, read from its TOML file."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..files import read_regular, reason
from ..references.mentions import number_phrase
from . import model_file
from .field import Field, Role, entry, whole
from .model_file import FRAME_SIDE, MOST, Returns
from .request import Request, request_class

MAX_FILE_BYTES = 100_000
_LEAST = 0.001  # of the price, whatever a value is divided by: a reservation is never nothing
_PLAYED = (1920, 1080)
_DRAWN = (1024, 1024)


@dataclass(frozen=True, eq=False)
class Model:
    """What can be asked of one model: its parameters, what it returns, what it costs.

    Equal to its slug, so that either names a model.

    Attributes
    ----------
    slug : str
        Its name in the API's URL.
    title : str
        Its name for people.
    returns : str
        ``"video"`` or ``"image"``.
    price_usd : float
        Expected US dollars for a call with every default.
    seconds : float
        Expected seconds for a call.
    fields : mapping of str to Field
        The parameters, by the API's names and in its order.
    source : str
        Where all this was read.
    mention : str
        How a prompt names a picture, with ``{name}`` and ``{number}`` in it.
    price_factors : mapping
        A parameter → what the price is multiplied by: a number, by the value over that number; a mapping, by what it
        has for the value.

    >>> from vidu_nb import models
    >>> model = models["sdxl1.0-txt2img"]
    >>> model.returns, model.price_usd, model.fields["samples"].maximum, model == "sdxl1.0-txt2img"
    ('image', 0.008, 4, True)
    >>> request = model.request(prompt="A lighthouse at dusk", samples=3)
    >>> request.frame_size, round(model.price_of(request), 3)
    ((1024, 1024), 0.024)
    >>> model.schema()["required"]
    ['prompt']
    """

    slug: str
    title: str
    returns: Returns
    price_usd: float
    fields: Mapping[str, Field]
    seconds: float = 60
    source: str = ""
    mention: str = "{name} (image {number})"
    price_factors: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_toml(cls, text: str, *, where: str = "model") -> Model:
        """Read a model's file.

        Parameters
        ----------
        text
            The file's content.
        where
            The file's name, for errors.

        Raises
        ------
        InvalidRequest
            Something in it is wrong; the message names the line and the field.

        >>> Model.from_toml('slug = "painter"', where="painter.toml")
        Traceback (most recent call last):
        ...
        vidu_nb.errors.InvalidRequest: painter.toml, line 1: title: is missing
        """
        return cls(**model_file.read(text, where))

    def request(self, /, **parameters: Any) -> Request:
        """Make a checked request.

        Parameters
        ----------
        **parameters
            By the API's names. ``references`` stands for the pictures, whatever the API calls them.

        Raises
        ------
        InvalidRequest
            Names the parameter, the bad value and what to pass instead.
        """
        return self.request_class(**parameters)

    @cached_property
    def request_class(self) -> type[Request]:
        """The class of its requests."""
        return request_class(self)

    def name_pictures(self, name: str, numbers: Sequence[int]) -> str:
        """Return what a prompt calls somebody by the numbers of their pictures, counted from 1.

        >>> from vidu_nb import models
        >>> models["vidu-q1-reference-to-video"].name_pictures("anna", [1, 2])
        'anna (image 1, image 2)'
        """
        return number_phrase(self.mention, name, numbers)

    def by_role(self, role: Role) -> Field | None:
        """Return the parameter with a role, None where there is none."""
        return next((one for one in self.fields.values() if one.role == role), None)

    @cached_property
    def by_parameter(self) -> Mapping[str, Field]:
        """The parameters by their names in Python."""
        return {one.parameter: one for one in self.fields.values()}

    @property
    def media(self) -> tuple[Field, ...]:
        """The parameters that are made of pictures and links."""
        return tuple(one for one in self.fields.values() if one.is_media)

    def price_of(self, request: Request) -> float:
        """Return the expected US dollars for a request."""
        price = self.price_usd
        for name, factor in self.price_factors.items():
            value = request.value(name)
            one = self.fields[name]
            value = one.default if value is None else value
            price *= _factor(factor, value if one.type == "string" else _as_number(value))
        return min(price, self.price_usd * MOST)

    def size_of(self, request: Request) -> tuple[int, int]:
        """Return width and height in pixels of what a request brings, as far as that is known."""
        for one in self.fields.values():
            if one.sizes:
                found = entry(one.sizes, request.value(one.name)) or entry(one.sizes, one.default)
                return found or list(one.sizes.values())[-1]
        width, height = self._side(request, "width"), self._side(request, "height")
        if width and height:
            return width, height
        changed = request.by_role("picture")
        if self.returns == "image" and changed is not None and changed.size:
            return int(changed.size[0]), int(changed.size[1])
        return _PLAYED if self.returns == "video" else _DRAWN

    def _side(self, request: Request, role: Role) -> int | None:
        one, value = self.by_role(role), request.by_role(role)
        if value is None and one:
            value = one.default
        return value if type(value) is int and 0 < value <= FRAME_SIDE else None

    def schema(self) -> dict[str, Any]:
        """Return a request's body as JSON Schema."""
        return {
            "type": "object",
            "properties": {name: one.schema() for name, one in self.fields.items()},
            "required": [name for name, one in self.fields.items() if one.required],
            "additionalProperties": False,
        }

    def __eq__(self, other: object) -> bool:
        return self.slug == (other.slug if isinstance(other, Model) else other)

    def __hash__(self) -> int:
        return hash(self.slug)

    def __getstate__(self) -> dict[str, Any]:  # without the class of its requests, which can't be pickled
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}

    def __str__(self) -> str:
        return self.slug

    def __repr__(self) -> str:
        return f"Model({self.slug!r}, returns={self.returns!r}, price_usd={self.price_usd:g})"


def _factor(factor: Any, value: Any) -> float:
    if value is None:
        return 1.0  # the price is that of the defaults
    if isinstance(factor, Mapping):
        return float(entry(factor, value) or max(factor.values()))  # of a value that nobody knows, the dearest
    is_amount = type(value) in (int, float) and value > 0
    return max(_LEAST, min(value, MOST) / float(factor)) if is_amount else 1.0


def _as_number(value: Any) -> Any:
    """Return a number that is sent as text as one; all else as it is."""
    try:
        read = whole(float(value)) if isinstance(value, str) else value
    except ValueError:
        return value
    return read if type(read) is int or (type(read) is float and math.isfinite(read)) else value


def read_model(path: Path) -> Model:
    """Read a model from a file.

    Raises
    ------
    InvalidRequest
        It is not there, no text, too large, or wrong: the message names the line and the field.
    """
    text, problem = "", ""
    try:
        if path.stat().st_size <= MAX_FILE_BYTES:
            text = read_regular(path.resolve()).decode("utf-8-sig")  # Notepad begins a file with a mark
        else:
            problem = f"is larger than {MAX_FILE_BYTES // 1000} kB"
    except UnicodeDecodeError:
        problem = "is not UTF-8 text"
    except OSError as error:
        problem = reason(error)
    except ValueError:
        problem = "a path can't hold a NUL character"
    if problem:
        raise InvalidRequest(f"{path.name}: {problem}", field="model")
    return Model.from_toml(text, where=path.name)
