"""What a displayed clip adds to a notebook, and how long its player takes to build; medians over the three ratios."""

import os
import statistics
import tempfile
import time

import vidu_nb as vidu
from vidu_nb.player import Player
from vidu_nb.samples import PROMPT, sample_references

ROUNDS = 5


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
                print(f"  {ratio:5} {kind}: {size / 1000:6.1f} kB (limit 150), built in {median:.2f} s")
        os.chdir("/")


if __name__ == "__main__":
    main()
