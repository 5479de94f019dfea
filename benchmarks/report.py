"""How benchmarks measure and report: interleaved rounds, and each figure on a line beside its goal.

Figures are collected as they are printed: `table` prints all of them again, at the end of `python -m benchmarks`.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

_lines: list[str] = []


def timed(work: Callable[..., object], *args: object) -> float:
    """Seconds of wall clock."""
    begin = time.perf_counter()
    work(*args)
    return time.perf_counter() - begin


def worked(work: Callable[..., object], *args: object) -> float:
    """Seconds of processor of this process: what a busy machine stretches least."""
    begin = time.process_time()
    work(*args)
    return time.process_time() - begin


def rounds(count: int, **works: tuple) -> dict[str, float]:
    """The median seconds of each piece of work, all of them once in every round."""
    taken = [{name: timed(*work) for name, work in works.items()} for _ in range(count)]
    return {name: statistics.median(one[name] for one in taken) for name in works}


def verdict(what: str, value: float, bar: float, *, at_least: bool = False, unit: str = "") -> None:
    """One line of the report."""
    good = value >= bar if at_least else value <= bar
    goal = f"at {'least' if at_least else 'most'} {bar:g}"
    line = f"  {what:<58} {value:8.2f} {unit:<3} {goal:<14}{'' if good else ' MISSED'}".rstrip()
    _lines.append(line)
    print(line)


def load() -> str:
    """How busy the machine is: the load averages of 1, 5 and 15 minutes, beside the number of its processors."""
    averages = ", ".join(f"{one:.2f}" for one in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return f"load average {averages} on {os.cpu_count()} processors"


def table(begun: str) -> None:
    """Print every figure again; `begun` is the `load` at the start."""
    print(f"all figures; {begun} at the start, {load()} at the end:")
    print("\n".join(_lines))
