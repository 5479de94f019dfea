"""`VideoRequest`: a request to Vidu Q1 reference to video, the model that is asked where no other is named.

Its parameters and their limits stand in its file in the catalogue; here they get names for type checkers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from .catalogue.models import DEFAULT, models
from .catalogue.request import DRAFT_ENDING as DRAFT_ENDING  # noqa: PLC0414  # others have it from here
from .catalogue.request import Request

if TYPE_CHECKING:
    from .references.reference import Reference

MODEL = DEFAULT
DRAFT = f"{MODEL}{DRAFT_ENDING}"
MISSING_BOX = b"vidu-nb:missing."  # of a preview's file: as JSON, the numbers of the pictures that were not fetched
NAMES_HEADER = "x-reference-names"  # what the preview engine is told beside the API's body: the pictures' names
TAKE_HEADER = "x-vidu-take"  # what a gateway is told of a take that must not be answered by another one: its name

AspectRatio = Literal["16:9", "1:1", "9:16"]
Quality = Literal["full", "draft"]  # of a preview
MovementAmplitude = Literal["auto", "small", "medium", "large"]

_FIELDS = models[MODEL].fields
#: Exact frame sizes in pixels (width, height).
FRAME_SIZES: dict[str, tuple[int, int]] = dict(_FIELDS["aspect_ratio"].sizes)
MAX_SEED = 999_999  # of seeds that are drawn: every model takes it


class _NotGiven:
    """Stands in a signature for what is left to the model's file, and shows as the default model's value."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value)


#: What stands in signatures for the default model's values: another model that is asked has its own.
DEFAULTS: Any = SimpleNamespace(**{one.parameter: _NotGiven(one.default) for one in _FIELDS.values()})


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a caller gave.

    >>> DEFAULTS.seed, given({"seed": DEFAULTS.seed, "duration": 7})
    (42, {'duration': 7})
    """
    return {name: value for name, value in parameters.items() if not isinstance(value, _NotGiven)}


if TYPE_CHECKING:

    class VideoRequest(Request):
        """A request to Vidu Q1 reference to video."""

        prompt: str
        references: tuple[Reference, ...]
        aspect_ratio: AspectRatio
        duration: int
        seed: int
        bgm: bool
        movement_amplitude: MovementAmplitude

        def __init__(self, /, **parameters: Any) -> None: ...

else:
    VideoRequest = models[MODEL].request_class
    VideoRequest.__module__ = __name__
    VideoRequest.__doc__ = """One request to Vidu Q1 Reference to Video: frozen, and valid once it exists.

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
