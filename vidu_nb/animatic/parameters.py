"""A request's parameters as previews use them, by their roles: usable numbers whatever was passed on unchecked."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Collection
from typing import Any

from ..catalogue.field import Role
from ..catalogue.request import Request

SEED = 42  # where none is given
_SECONDS = (1.0, 60.0)  # a preview's length at least and at most
_DEFAULT_SECONDS = 5.0
SAMPLES = 8  # pictures of one request at most
_SIDES = (64, 3840)  # px, of a preview's frame
_MOST_PIXELS = 3840 * 2160  # of a frame: a second of clip takes some 5 s then
_READ = 10_000  # characters of a prompt: more than any preview shows, and megabytes would take minutes
_LARGE = 10**1000  # a seed from which on arithmetic with it may pass Python's limit for writing a number
_PIXELS = 1280 * 720  # of a frame whose shape alone is known
_SHAPE = re.compile(r"\s*(\d{1,4})\s*[:/xX]\s*(\d{1,4})\s*")
_LINES = re.compile(r"\s*(\d{3,4})\s*[pP]?\s*")
_SHOWN = 60  # characters of a value


def seed_of(request: Request) -> int:
    """Return the seed that a preview goes by, where the request's own isn't random.

    The same for the same request: 42 where none is given; what is no whole number counts by its text.

    >>> from vidu_nb import models
    >>> model = models["sdxl1.0-txt2img"]
    >>> seed_of(model.request(prompt="A cat", seed=7)), seed_of(model.request(prompt="A cat"))
    (7, 42)
    """
    return usable_seed(request.by_role("seed"))


def usable_seed(seed: Any) -> int:
    """Return a seed as a whole number of at most a thousand digits, whatever was given."""
    if seed is None:
        return SEED
    is_usable = type(seed) is int and abs(seed) < _LARGE
    return seed if is_usable else zlib.crc32(text_of(seed).encode())


def prompt_of(request: Request) -> str:
    """Return the prompt as far as a preview reads it; empty for a model without one."""
    prompt = request.by_role("prompt")
    return prompt[:_READ] if isinstance(prompt, str) else ""


def seconds_of(request: Request) -> float:
    """Return a clip's length within a preview's limits, 1 to 60 s.

    >>> from vidu_nb import models
    >>> seconds_of(models["wan2.7-r2v"].request(prompt="A cat", duration=7))
    7.0
    """
    seconds = _number(request.by_role("duration"), _DEFAULT_SECONDS)
    return min(max(seconds, _SECONDS[0]), _SECONDS[1])


def strength_of(request: Request, default: float) -> float:
    """Return how far a picture is to change, 0 to 1."""
    return min(max(_number(request.by_role("strength"), default), 0.0), 1.0)


def samples_of(request: Request) -> int:
    """Return how many pictures are asked for, 1 to 8."""
    return int(min(max(_number(request.by_role("samples"), 1.0), 1.0), SAMPLES))


def frame_of(request: Request) -> tuple[int, int]:
    """Return a frame's width and height in pixels, even and of a size that can be drawn.

    Those of the model's file where it knows them; else what the texts of shape and resolution say, such as ``"4:3"``
    and ``"720p"``.

    >>> from vidu_nb import models
    >>> frame_of(models["wan2.7-r2v"].request(prompt="A cat", resolution="720P"))
    (1280, 720)
    """
    width, height = map(float, request.frame_size)
    if not any(field.sizes for field in request.model.fields.values()) and request.by_role("width") is None:
        width, height = _described_size(request) or (width, height)
    scale = min(1.0, _SIDES[1] / max(width, height, 1), math.sqrt(_MOST_PIXELS / max(width * height, 1)))
    even = [2 * round(min(max(side * scale, _SIDES[0]), _SIDES[1]) / 2) for side in (width, height)]
    return even[0], even[1]


def _described_size(request: Request) -> tuple[float, float] | None:
    shape = _SHAPE.fullmatch(str(request.by_role("aspect_ratio")))
    resolution = str(request.by_role("resolution"))
    if exact := _SHAPE.fullmatch(resolution):
        return float(exact[1]), float(exact[2])
    lines = _LINES.fullmatch(resolution)
    ratio = int(shape[1]) / int(shape[2]) if shape and int(shape[1]) and int(shape[2]) else 0
    if lines:
        ratio, short = ratio or 16 / 9, float(lines[1])
        return (short * ratio, short) if ratio >= 1 else (short, short / ratio)
    return (math.sqrt(_PIXELS * ratio), math.sqrt(_PIXELS / ratio)) if ratio else None


def details(request: Request, *, shown: Collection[Role]) -> str:
    """Return what differs from the defaults and a preview doesn't show otherwise, as one line for its small print.

    Parameters
    ----------
    request
        Whose.
    shown
        The roles that can be seen without words.

    >>> from vidu_nb import models
    >>> request = models["wan2.7-r2v"].request(prompt="A cat", negative_prompt="rain", duration=7)
    >>> details(request, shown=("prompt", "duration"))
    'without: rain'
    >>> details(models["sdxl1.0-txt2img"].request(prompt="A cat", guidance_scale=9, samples=1), shown=("prompt",))
    'guidance: 9'
    """
    parts = []
    for field in request.model.fields.values():
        value = request.value(field.name)
        if field.role in (*shown, "base64") or value in (None, (), "", field.sent_default):
            continue
        if field.is_media:
            text = ", ".join(one.label for one in (value if isinstance(value, tuple) else (value,)))
        else:
            text = text_of(value)
        name = "without" if field.role == "negative_prompt" else field.title.lower()
        parts.append(f"{name}: {_cut(text)}")
    return " · ".join(parts)


def text_of(value: Any) -> str:
    """Return a value as text for people, the same for the same value."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _number(value: Any, default: float) -> float:
    """Return a value as a finite number; the default for what is none."""
    if isinstance(value, bool):
        return default
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if math.isfinite(number) else default
