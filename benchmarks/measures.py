"""What measuring a clip costs beyond decoding it: `python -m benchmarks.measures`.

Rounds are interleaved, so that a busy machine slows all sides down alike; 5 s in 1080p against three references:

(a) bare: the decoder alone, frames thrown away as they come;
(b) decode: every frame in full as RGB, what anybody does who measures with numpy;
(c) consistency: the whole way from the file and the references to scores, spans and shots.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import av

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.measures.consistency import consistency
from vidu_nb.samples import PROMPT, sample_references

ROUNDS = 7
LIMIT = 2.5


def bare(path: Path) -> None:
    """Decode, and nothing else."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for _ in container.decode(stream):
            pass


def decode(path: Path) -> None:
    """Every frame as an array."""
    for _ in media.read_frames(path):
        pass


def timed(work, *args) -> float:
    """Seconds of wall clock."""
    begin = time.perf_counter()
    work(*args)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        video = vidu.Client.preview(archive=folder).generate(
            vidu.VideoRequest(prompt=PROMPT, references=sample_references(), seed=42)
        )
        consistency(video)  # imports and caches
        rounds = [
            (timed(bare, video.path), timed(decode, video.path), timed(consistency, video)) for _ in range(ROUNDS)
        ]
    a, b, c = map(statistics.median, zip(*rounds, strict=True))
    print(f"consistency of 5 s in 1080p with 3 references, medians of {ROUNDS} interleaved rounds:")
    print(f"  decoder alone {a:.2f} s, decoded to arrays {b:.2f} s, consistency {c:.2f} s")
    print(f"  {c / b:.2f} times decoding (limit {LIMIT}), {c / a:.2f} times the decoder alone")


if __name__ == "__main__":
    main()
