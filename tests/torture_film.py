"""Films whose process is killed at a random moment of `shoot`, and the ledger of what became of them.

    python tests/torture_film.py [--kills 50] [--seed N] [--seconds 600]

The paid stand-in runs as a process of its own and outlives what is killed. Each film is shot by a fork of this warm
process, which dies by SIGKILL after a random time or before a random step at the file system or network; then the same
film is shot again. Ends with 1 where a scene was paid for twice, a clip was lost, or a film is not whole.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from faults import KEY
from takes import PRICE_USD, Takes
from torture import die_at, fork, gather, pipe, what_is_torn

from vidu_nb.client.client import Client
from vidu_nb.errors import OutcomeUnknown
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene

CAT = "https://example.com/cat.png"
LATENCY = 0.08  # s that a clip takes
#: Which of the three scenes continue the one before.
KINDS = {"row": (False, False, False), "chain": (False, True, True), "pair": (False, True, False)}


@dataclass
class Ledger:
    """What became of the films; `findings` holds what should not have happened."""

    kills: int = 0
    lived: int = 0
    clips_at_death: int = 0
    settled: int = 0
    resumed: int = 0
    scenes: int = 0
    paid: int = 0
    clips_kept: int = 0
    films_whole: int = 0
    findings: list[str] = field(default_factory=list)

    def told(self) -> str:
        """The figures, one a line, and the findings."""
        figures = [f"{name.replace('_', ' '):24}{value}" for name, value in vars(self).items() if name != "findings"]
        return "\n".join([*figures, *(f"! {told[:600]}" for told in self.findings[:40])])


def serve(seconds: float) -> None:
    """Be the paid stand-in until SIGTERM, or so long; the first line on standard output is the URL."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with Takes(credits=1e6) as server:
        server.before = lambda _: stopping.wait(LATENCY)
        print(server.base_url, flush=True)  # noqa: T201
        stopping.wait(seconds)


@contextlib.contextmanager
def spawned(seconds: float) -> Iterator[str]:
    """Run the stand-in as its own process until the block ends; its URL."""
    command = [sys.executable, __file__, "--serve", "--seconds", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()  # type: ignore[union-attr]
        finally:
            process.terminate()


def film_of(case: str, kind: str, client: Client, seed: int) -> Film:
    """Three scenes that no other case asks for."""
    scenes = [Scene(f"{case}: shot {n}.", continues=follows) for n, follows in enumerate(KINDS[kind], 1)]
    return Film(scenes, references=CAT, seed=seed, client=client)


def one_film(ledger: Ledger, url: str, case: str, dice: random.Random, life: tuple[float, int], folder: Path) -> None:
    """Fork, kill, look, shoot again, judge."""
    kind, seed = dice.choice(list(KINDS)), dice.choice([0, 7])
    mode = dice.choice(["auto", "auto", "sync"])
    archive = folder / case
    client = Client(KEY, url, archive, price_usd=PRICE_USD, timeout=20, notify=len, mode=mode)
    film = film_of(case, kind, client, seed)
    before = client.credits().total
    step = dice.randint(1, life[1]) if dice.random() < 0.5 else 0

    def work() -> str:
        if step:
            die_at(step)
        film.shoot(budget_usd=9, confirm=True)
        return "done"

    with pipe() as (ears, mouth):
        pid = fork(work, mouth, folder / "stdio.log")
        if not step:
            time.sleep(life[0] * dice.random())
            os.kill(pid, signal.SIGKILL)
        done = gather([pid], ears)
    if "escaped" in done:
        ledger.findings.append(f"{case} {kind}: {done}")
    ledger.kills += not done
    ledger.lived += bool(done)
    ledger.clips_at_death += len(list(archive.glob("127*/*.mp4")))
    told = f"{case} {kind} seed {seed} {mode} step {step}"
    judge(ledger, film, client, before, told)


def judge(ledger: Ledger, film: Film, client: Client, before: float, told: str) -> None:
    """Shoot again until it is whole; what the service never had may be asked for again, once somebody says so."""
    for _ in range(4):
        shot = film.shoot(budget_usd=9, confirm=True)
        if not shot.missing:
            break
        for call in client.pending():  # nothing came through: the service's balance tells
            if isinstance(next(iter(shot.failed.values()), None), OutcomeUnknown) and call.record == "not found":
                ledger.settled += 1
                client.settle(call, billed=False)
    ledger.resumed += len(client.resume())  # of clips that got their place just before the journal could say so
    paid = round((before - client.credits().total) / PRICE_USD)
    kept = list(client.archive.folder.glob("127*/*.mp4"))
    torn = [
        f"{path.name} {why}"
        for path in client.archive.folder.rglob("*")
        if path.is_file() and path.name[0] != "." and path.suffix in (".json", ".mp4")
        if (why := what_is_torn(path, client.archive.folder))
    ]
    ledger.scenes += len(film)
    ledger.paid += paid
    ledger.clips_kept += len(kept)
    ledger.films_whole += not shot.missing
    left = client.pending()
    if shot.missing or paid != len(film) or len(kept) != len(film) or torn or left:
        problem = f"missing {shot.missing}, paid {paid}, kept {len(kept)}, torn {torn}, open {left}"
        ledger.findings.append(f"{told}: {problem}, failed {shot.failed}")


def life_of(url: str, folder: Path) -> tuple[float, int]:
    """Seconds and steps that shooting a chain takes when nobody kills it."""
    client = Client(KEY, url, folder / "life", price_usd=PRICE_USD, timeout=20, notify=len)
    film, begin = film_of("life", "chain", client, 7), time.monotonic()

    def work() -> str:
        steps = die_at(0)
        film.shoot(budget_usd=9, confirm=True)
        return str(steps[0])

    with pipe() as (ears, mouth):
        steps = gather([fork(work, mouth, folder / "stdio.log")], ears)
    return time.monotonic() - begin, int(steps)


def main() -> int:
    """Run the whole; the exit status."""
    parser = argparse.ArgumentParser(description="Kill films while they are shot.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--serve", action="store_true", help="be the stand-in")
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.seconds)
        return 0
    ledger, dice, end = Ledger(), random.Random(asked.seed), time.monotonic() + asked.seconds
    with tempfile.TemporaryDirectory() as place, spawned(asked.seconds + 60) as url:
        folder = Path(place)
        life = life_of(url, folder)
        for number in range(3 * asked.kills):  # some live through it
            if ledger.kills == asked.kills or time.monotonic() > end:
                break
            one_film(ledger, url, f"f{number}", dice, life, folder)
    print(ledger.told())  # noqa: T201
    return 1 if ledger.findings or ledger.kills < asked.kills else 0


if __name__ == "__main__":
    sys.exit(main())
