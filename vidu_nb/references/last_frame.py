"""How a prompt begins that goes on from the last frame of another clip: a film writes it, a preview reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

LAST_FRAME = "the last frame"  # what the picture is called


def opening(name_pictures: Callable[[str, Sequence[int]], str]) -> str:
    """Return the sentence before the prompt of a request whose first picture is the last frame of another clip.

    Parameters
    ----------
    name_pictures
        `Model.name_pictures`.

    >>> from vidu_nb import models
    >>> opening(models["vidu-q1-reference-to-video"].name_pictures)
    'Begin with the last frame (image 1). '
    """
    return f"Begin with {name_pictures(LAST_FRAME, [1])}. "
