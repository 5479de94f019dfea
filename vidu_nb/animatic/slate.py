"""The slate that stands in for a picture behind a URL where no network is: numbered, so that its shots can be told."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import numpy as np

SIZE = (1280, 960)  # px
_NAME_SHOWN = 44  # characters


def slate(number: int, url: str) -> np.ndarray:
    """Draw a card with a reference's number and where its picture would have come from.

    Parameters
    ----------
    number
        1 for the first reference.
    url
        Its URL.

    Returns
    -------
    numpy.ndarray
        uint8 RGB of shape (960, 1280, 3).

    >>> slate(1, "https://example.com/cat.png").shape
    (960, 1280, 3)
    """
    import numpy as np

    width, height = SIZE
    dark, light = (_shade(number, value) for value in (0.22, 0.38))
    ramp = np.linspace(0, 1, height)[:, None, None]
    card = np.broadcast_to(np.array(dark) * (1 - ramp) + np.array(light) * ramp, (height, width, 3))
    image = Image.fromarray(card.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 40, width - 40, height - 40), outline=(255, 255, 255), width=3)
    parts = urlsplit(url)
    name = parts.path.rpartition("/")[2] or parts.hostname or ""
    lines = (
        (0.42, 360, str(number)),
        (0.72, 46, "picture not fetched: no network here"),
        (0.80, 34, name if len(name) <= _NAME_SHOWN else f"{name[:20]}...{name[-20:]}"),
    )
    for at, size, text in lines:
        font = ImageFont.load_default(size)
        draw.text(
            (width / 2, height * at), text.encode("ascii", "replace").decode(), font=font, fill="white", anchor="mm"
        )
    return np.asarray(image)


def _shade(number: int, value: float) -> tuple[float, float, float]:
    """Return a hue of its own for each reference, as RGB from 0 to 255."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + number * 0.381966) % 1, 0.45, value)  # golden angle: far apart
    return 255 * red, 255 * green, 255 * blue
