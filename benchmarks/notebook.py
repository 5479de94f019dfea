"""What a displayed clip adds to a notebook, and how long its player takes to build, by ratio; then fifty clips."""

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import vidu_nb as vidu
from benchmarks.report import verdict, worked
from vidu_nb.player import Player
from vidu_nb.samples import PROMPT, sample_references

ROUNDS = 5
CLIPS = 50


def fifty(video: vidu.Video) -> None:
    """What the kernel does for a notebook that shows many clips, each another file, and how large its outputs are."""
    folder, videos = Path("many"), []
    folder.mkdir()
    for number in range(CLIPS):
        path = folder / f"{number}.mp4"
        shutil.copy(video.path, path)
        videos.append(vidu.Video(path, video.request, video.receipt))
    size = 0

    def show() -> None:
        nonlocal size
        size = sum(len(Player([one]).html()) for one in videos)

    seconds = worked(show)
    print(f"{CLIPS} clips shown, each in a cell of its own:")
    verdict("processor of the kernel for each", 1000 * seconds / CLIPS, 250, unit="ms")
    verdict("their outputs in the notebook", size / 1e6, 0.15 * CLIPS, unit="MB")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.pop("VIDU_NB_ARCHIVE", None)
        print(f"a displayed clip, medians of {ROUNDS} rounds:")
        for ratio in ("16:9", "1:1", "9:16"):
            video = vidu.preview(PROMPT, sample_references(), aspect_ratio=ratio)
            for kind in ("link", "copy"):
                os.environ.pop("VSCODE_PID", None)
                if kind == "copy":
                    os.environ["VSCODE_PID"] = "1"
                seconds, size = [], 0
                for _ in range(ROUNDS):
                    start = time.perf_counter()
                    size = len(Player([video]).html())
                    seconds.append(time.perf_counter() - start)
                median = statistics.median(seconds)
                verdict(f"{ratio}, {kind}, built in {median:.2f} s", size / 1000, 150, unit="kB")
        fifty(video)
        os.chdir("/")


if __name__ == "__main__":
    main()
