"""How much a preview costs beyond encoding its frames: `python -m benchmarks.preview`.

Rounds are interleaved, so that a busy machine slows both sides down alike:

(a) encode: the same ready-made frames, with the same settings, and nothing else;
(b) render: the whole way from decoded pictures to the file, with music, finding subjects, drawing and captions.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from skimage import data

from vidu_nb.animatic.render import Film, new_frame, open_video, planes_of, render
from vidu_nb.animatic.storyboard import Storyboard, plan

ROUNDS = 7
PROMPT = (
    "An astronaut smiles. The camera slowly zooms in on a cup of coffee, then back to the astronaut. "
    "A cat looks up while the camera pans left."
)


def encode(frames: list[av.VideoFrame], path: Path) -> None:
    """Encode frames that are ready in memory."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = open_video(container, frames[0].width, frames[0].height)
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def drawn(board: Storyboard, pictures: list[np.ndarray]) -> list[av.VideoFrame]:
    """Every frame of a clip, ready to be encoded (375 MB for five seconds)."""
    film = Film(board, pictures)
    frames = [new_frame(board.width, board.height) for _ in range(board.frames)]
    for index, frame in enumerate(frames):
        film.draw(index, planes_of(frame))
        frame.pts = index
    return frames


def timed(work, *args) -> float:
    """Seconds of wall clock."""
    begin = time.perf_counter()
    work(*args)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    pictures = [np.asarray(picture) for picture in (data.astronaut(), data.coffee(), data.cat())]
    board = plan(
        PROMPT, ["astronaut.png", "coffee.png", "cat.png"],
        width=1920, height=1080, duration=5, seed=42, movement_amplitude="auto", bgm=True,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        clip, again = Path(folder, "render.mp4"), Path(folder, "encode.mp4")
        render(board, pictures, clip)  # imports and caches
        frames = drawn(board, pictures)
        alone, whole = [], []
        for number in range(ROUNDS):
            alone.append(timed(encode, frames, again))
            whole.append(timed(render, board, pictures, clip))
            print(f"round {number + 1}: encode {alone[-1]:.2f} s, render {whole[-1]:.2f} s")
        print(f"{board.width}x{board.height}, {board.frames} frames, {clip.stat().st_size / 1e6:.1f} MB")
    a, b = statistics.median(alone), statistics.median(whole)
    print(f"median of {ROUNDS}: encode {a:.2f} s, render {b:.2f} s, ratio {b / a:.2f}")


if __name__ == "__main__":
    main()
