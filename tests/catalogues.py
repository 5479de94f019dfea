"""Models that tests make of a file's text."""

from __future__ import annotations

from pathlib import Path

import vidu_nb
from vidu_nb.catalogue.model import Model

FOLDER = Path(vidu_nb.__file__).parent / "catalogue"
PAINTER = """slug = "painter"
title = "Painter"
returns = "image"
price_usd = 0.01

[fields.text]
type = "string"
role = "prompt"
required = true
"""


def vidu_with(more: str) -> Model:
    """Vidu Q1 with more in its file."""
    return Model.from_toml(f"{(FOLDER / 'vidu-q1-reference-to-video.toml').read_text()}\n{more}")


def painter_with(more: str) -> Model:
    """A small model of pictures, whose prompt the API calls `text`, with more in its file."""
    return Model.from_toml(f"{PAINTER}\n{more}", where="painter.toml")
