"""What measuring clips costs beyond decoding them: `python -m benchmarks.measures`.

Rounds are interleaved, so that a busy machine slows all sides down alike; clips of 5 s in 1080p:

(a) bare: the decoder alone, frames thrown away as they come;
(b) decode: every frame in full as RGB, what anybody does who measures with numpy;
(c) consistency: the whole way from the file and three references to scores, spans and shots;
(d) framing: what each ratio would keep of it;
(e) reproduction: two clips beside each other, so of twice (b).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av

import vidu_nb as vidu
from benchmarks.report import rounds, verdict
from vidu_nb import media
from vidu_nb.measures.consistency import consistency
from vidu_nb.measures.framing import framing
from vidu_nb.measures.reproduction import reproduces
from vidu_nb.samples import PROMPT, sample_references

ROUNDS = 7


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


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        client = vidu.Client.preview(archive=folder)
        video, other = (
            client.generate(vidu.VideoRequest(prompt=PROMPT, references=sample_references(), seed=seed))
            for seed in (42, 43)
        )
        for warm in (consistency, framing):
            warm(video)  # imports and caches
        reproduces(video, other)
        took = rounds(
            ROUNDS,
            bare=(bare, video.path),
            decode=(decode, video.path),
            consistency=(consistency, video),
            framing=(framing, video),
            reproduction=(reproduces, video, other),
        )
    print(f"measures of 5 s in 1080p, of decoding to arrays, medians of {ROUNDS} interleaved rounds:")
    print(f"  decoder alone {took['bare']:.2f} s, decoded to arrays {took['decode']:.2f} s")
    verdict("consistency with three references", took["consistency"] / took["decode"], 1.3)
    verdict("framing", took["framing"] / took["decode"], 1.3)
    verdict("reproduction, of decoding both clips", took["reproduction"] / (2 * took["decode"]), 1.3)


if __name__ == "__main__":
    main()
