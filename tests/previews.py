"""A preview in few pixels, for tests that look at its frames: a tenth of the work of 1080p."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vidu_nb.animatic.film.render import render
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.catalogue.request import PREVIEW_VERSION
from vidu_nb.receipt import Receipt
from vidu_nb.video import Video


def small_preview(request, side, folder):
    """Render a request's preview into a folder, its longer side as given in pixels."""
    board = plan_of(request)
    longer = max(board.width, board.height)
    width, height = (2 * round(edge * side / longer / 2) for edge in (board.width, board.height))
    path = folder / "clip.mp4"
    pictures = [np.asarray(reference.open()) for reference in request.references]
    render(replace(board, width=width, height=height), pictures, path)
    return Video(path, request, Receipt("preview", seed=request.seed, engine_version=PREVIEW_VERSION))
