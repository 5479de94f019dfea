"""Animated GIFs: their frames, upright and whole, and back to a file with the same timing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from ...errors import InvalidRequest
from ..cancellation import Question, check
from ..fetching import fitted

Picture = NDArray[np.uint8]
_MOST_FRAMES = 240
_PIXELS = 40_000_000  # of all frames together; more are made smaller
_DEFAULT_MS = 100


class Animation(NamedTuple):
    """Frames, for how many milliseconds each is seen, and how often all of them are: 0 for ever, None once."""

    frames: tuple[Picture, ...]
    durations: tuple[int, ...]
    loop: int | None


def is_animated(data: bytes) -> bool:
    """Return whether bytes are a GIF of more than one frame."""
    if data[:3] != b"GIF":
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            return bool(getattr(image, "is_animated", False))
    except Exception:  # each decoder raises something else of damaged data; whoever decodes it says what is wrong
        return False


def read_animation(data: bytes, *, cancelled: Question | None = None) -> Animation:
    """Decode an animated GIF.

    Raises
    ------
    InvalidRequest
        It is damaged, or has too many frames.
    """
    problem = ""
    try:
        with Image.open(io.BytesIO(data)) as image:
            count = int(getattr(image, "n_frames", 1))
            if count > _MOST_FRAMES:
                raise InvalidRequest(f"the animation has {count} frames: a preview takes at most {_MOST_FRAMES}")
            frames, durations = [], []
            for frame in ImageSequence.Iterator(image):
                check(cancelled)
                durations.append(int(frame.info.get("duration") or _DEFAULT_MS))
                frames.append(np.asarray(fitted(_on_white(frame), _PIXELS // count)))
            return Animation(tuple(frames), tuple(durations), image.info.get("loop"))
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, Image.DecompressionBombError) as error:
        if isinstance(error, InvalidRequest):
            raise
        problem = str(error) or type(error).__name__
    raise InvalidRequest(f"the animation is damaged ({problem}): save it anew and pass that file")


def _on_white(frame: Image.Image) -> Image.Image:
    whole = frame.convert("RGBA")
    ground = Image.new("RGBA", whole.size, "white")
    return Image.alpha_composite(ground, whole).convert("RGB")


def write_gif(pictures: Sequence[Picture], durations: Sequence[int] = (), loop: int | None = 0) -> bytes:
    """Encode frames as a GIF; each is seen for so many milliseconds."""
    images = [Image.fromarray(picture).quantize(256, dither=Image.Dither.NONE) for picture in pictures]
    # Pillow makes one of frames that are the same, and adds up their times: nothing is seen of it.
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    if len(images) > 1:
        options |= {"save_all": True, "append_images": images[1:], "duration": list(durations), "disposal": 1}
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", optimize=False, **options)
    return buffer.getvalue()
