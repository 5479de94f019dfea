"""Previews in few pixels, for tests that look at their frames or at none: a tenth of the work of 1080p."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from vidu_nb.animatic import engine
from vidu_nb.animatic.film.render import render
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.catalogue.request import PREVIEW_VERSION
from vidu_nb.commands.cli import main
from vidu_nb.receipt import Receipt
from vidu_nb.video import Video


def small_plan(request, side=320, **how):
    """Plan a request's preview, its longer side as given in pixels; everything else is `plan_of`'s."""
    board = plan_of(request, **how)
    longer = max(board.width, board.height)
    width, height = (2 * round(edge * side / longer / 2) for edge in (board.width, board.height))
    return replace(board, width=width, height=height)


def small_preview(request, side, folder):
    """Render a request's preview into a folder, its longer side as given in pixels."""
    path = folder / "clip.mp4"
    pictures = [np.asarray(reference.open()) for reference in request.references]
    render(small_plan(request, side), pictures, path)
    return Video(path, request, Receipt("preview", seed=request.seed, engine_version=PREVIEW_VERSION))


if __name__ == "__main__":  # the command line, with previews in few pixels
    engine.plan_of = small_plan
    sys.exit(main())
