"""Models that tests make of a file's text."""

from __future__ import annotations

from pathlib import Path

import vidu_nb
from vidu_nb.catalogue.model import Model

FOLDER = Path(vidu_nb.__file__).parent / "catalogue"


def vidu_with(more: str) -> Model:
    """Vidu Q1 with more in its file."""
    return Model.from_toml(f"{(FOLDER / 'vidu-q1-reference-to-video.toml').read_text()}\n{more}")
