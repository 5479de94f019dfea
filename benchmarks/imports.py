"""What `import vidu_nb` costs above `import requests`: fresh interpreters, interleaved, medians."""

import statistics
import subprocess
import sys

from benchmarks.report import verdict

ROUNDS = 15
CLOCK = "import time; start = time.perf_counter(); import {}; print(1000 * (time.perf_counter() - start))"


def import_ms(name: str) -> float:
    """Milliseconds of one import in a fresh interpreter."""
    command = [sys.executable, "-c", CLOCK.format(name)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    """Measure and print."""
    names = ("requests", "vidu_nb", "vidu_nb.client.client")
    rounds = [[import_ms(name) for name in names] for _ in range(ROUNDS)]
    medians = dict(zip(names, map(statistics.median, zip(*rounds, strict=True)), strict=True))
    print(f"imports, medians of {ROUNDS} interleaved rounds:")
    for name, ms in medians.items():
        print(f"  import {name:15} {ms:6.1f} ms")
    verdict("vidu_nb above requests", medians["vidu_nb"] - medians["requests"], 60, unit="ms")


if __name__ == "__main__":
    main()
