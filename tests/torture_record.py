"""Thousands of faulted calls against a service that keeps a record of them: what of them ends in doubt.

    python tests/torture_record.py [--calls 10000] [--record "on"] [--seed N]

The fault server runs as a process of its own and keeps the truth; a call of each case comes through its own path. The
figures at the end: of the calls that arrived, how many ended with their clip or their true outcome; and what must be
nought, whatever the record shows: second POSTs, clips under a wrong request, budgets that are off by a cent.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from faults import RECORDS, TABLE, Remote, Seen, clip, is_post, spawn

from vidu_nb.client.client import Client
from vidu_nb.errors import ViduError
from vidu_nb.receipt import number
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget
from vidu_nb.storage.journal import Attempt

EXPECTED_USD = 0.45  # a clip, where the service doesn't say what it cost
ARCHIVE_OF = 40  # calls share an archive and a budget
TIMEOUT = {"quick": 10.0, "deadline": 0.4}  # s
BRIEF = 1.5  # s, where the record is no help: a call is looked for until its deadline
CERTAIN = ("on", "threefold")  # records from which every call can be told
#: Faults that wait out the client's patience with a rate limit or a connection, or move hundreds of megabytes.
KINDS = [one.name for one in TABLE.values() if one.pace != "heavy" and not one.name.startswith("status_429")]


@dataclass
class Figures:
    """What became of the calls."""

    calls: int = 0
    kinds: int = 0
    arrived: int = 0
    concluded: int = 0
    second_posts: int = 0
    wrong_clips: int = 0
    wrong_budgets: int = 0
    worse_than_without: int = 0
    left_unknown: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Of the calls that arrived, those that ended with their clip or their true outcome."""
        return self.concluded / max(1, self.arrived)

    @property
    def is_safe(self) -> bool:
        """Whether nothing happened that must not."""
        return not (self.second_posts or self.wrong_clips or self.wrong_budgets or self.worse_than_without)


def run(folder: Path, *, calls: int, record: str, seed: int) -> Figures:
    """Make the calls and judge them."""
    dice = random.Random(seed)
    kinds = [*dice.sample(KINDS, len(KINDS)), *dice.choices(KINDS, k=max(0, calls - len(KINDS)))][:calls]
    longest = TIMEOUT["quick"] if record in CERTAIN else BRIEF
    with spawn(folder / "truth.jsonl", record=record, seconds=3600) as server:
        with ThreadPoolExecutor(6) as workers:
            for number, kind in enumerate(kinds):
                workers.submit(call, folder, server, number, kind, longest)
        with ThreadPoolExecutor(4) as workers:
            list(workers.map(lambda part: look(folder, server, part), range(-(-calls // ARCHIVE_OF))))
        seen = server.seen()
    figures = Figures(calls=calls, kinds=len(set(kinds)))
    judge(figures, folder, seen)
    return figures


def call(folder: Path, server: Remote, number: int, kind: str, longest: float) -> None:
    """One call; what it raised is in the journal."""
    part, case = f"a{number // ARCHIVE_OF}x", f"a{number // ARCHIVE_OF}x{number}"
    client = client_of(
        folder, part, f"{server.url(kind)}/{case}/first", timeout=min(longest, TIMEOUT[TABLE[kind].pace])
    )
    request = VideoRequest(prompt=f"{case}: a cat", references="https://example.com/cat.png", seed=7)
    with contextlib.suppress(ViduError):
        client.generate(request)


def look(folder: Path, server: Remote, part: int) -> None:
    """Reconcile an archive, as a person does at the end of the day."""
    with contextlib.suppress(ViduError):
        client_of(folder, f"a{part}x", f"{server.url('good')}/a{part}x/later", timeout=10).resume()


def client_of(folder: Path, part: str, url: str, *, timeout: float) -> Client:
    budget = Budget(1e6, folder / f"{part}.budget.json")
    key = os.environ["SEGMIND_API_KEY"]
    return Client(key, url, folder / part, EXPECTED_USD, timeout, budget=budget, notify=len)


def judge(figures: Figures, folder: Path, seen: list[Seen]) -> None:
    """Lay what lies on disk beside what the server knows."""
    taken = [one for one in seen if is_post(one) and TABLE[one.fault].concludes in ("unknown", "video kept")]
    by_case: dict[str, list[Seen]] = defaultdict(list)
    for one in taken:
        by_case[one.path.split("/")[3]].append(one)
    figures.arrived = len(by_case)
    figures.second_posts = sum(len(posts) - 1 for posts in by_case.values())
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        archive = Archive(part)
        spent = 0.0
        for attempt in archive.journal:
            assert isinstance(attempt, Attempt)
            case = str(attempt.facts["request"]["prompt"]).partition(":")[0]
            spent += judge_one(figures, archive, attempt, by_case.get(case, []))
        if abs(spent - Budget(1e6, folder / f"{part.name}.budget.json").spent) > 0.005:
            figures.wrong_budgets += 1


def judge_one(figures: Figures, archive: Archive, attempt: Attempt, posts: list[Seen]) -> float:
    """Judge a call of the journal; returns what its budget should have for it."""
    if attempt.state == "stored":
        entry = archive.find_journalled(str(attempt.facts["key"]))
        video = archive.open(entry)  # type: ignore[arg-type]
        ours = {hashlib.sha256(clip(f"{one.id}-{one.body_sha256[:12]}")).hexdigest() for one in posts}
        is_ours = hashlib.sha256(video.bytes).hexdigest() in ours
        figures.wrong_clips += not is_ours
        figures.concluded += is_ours
        cost = number((attempt.latest("headers") or {}).get("x-cost"))
        return EXPECTED_USD if cost is None else cost
    if not attempt.is_open:
        if posts and attempt.latest("ticket"):
            figures.concluded += not posts[0].billed
            figures.wrong_clips += posts[0].billed
        return 0.0
    if posts:
        figures.left_unknown[posts[0].fault] += 1
        figures.worse_than_without += TABLE[posts[0].fault].concludes == "video kept"
    return EXPECTED_USD


def lines(figures: Figures) -> Iterator[str]:
    """The figures, one a line."""
    for name, value in vars(figures).items():
        if name != "left_unknown":
            yield f"{name.replace('_', ' '):24}{value}"
    yield f"{'share':24}{figures.share:.4f}"
    yield from (f"  unknown: {kind:24}{times}" for kind, times in figures.left_unknown.most_common(20))


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description="Faulted calls beside a record of them; what ends in doubt.")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--record", choices=RECORDS, default="on")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    asked = parser.parse_args()
    os.environ["SEGMIND_API_KEY"] = "SG_not-a-real-key-for-tests"
    print(f"seed {asked.seed}, record {asked.record}", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        figures = run(Path(name), calls=asked.calls, record=asked.record, seed=asked.seed)
    print("\n".join(lines(figures)))  # noqa: T201
    enough = asked.record not in CERTAIN or figures.share >= 0.99
    return 0 if enough and figures.is_safe else 1


if __name__ == "__main__":
    sys.exit(main())
