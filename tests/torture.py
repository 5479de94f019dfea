"""Thousands of faulted calls, kills, races and budgets against the fault server, and the ledger of what became of them.

    python tests/torture.py [--seed N] [--calls 5000] [--kills 500] [--races 200] [--budgets 100] [--seconds 600]

The server runs as a process of its own and keeps the truth: each ask of a case comes through its own path
(``/fault/KIND/CASE/ASK/...``), so that every POST is laid to the ask that made it. Processes are forked from this warm
one and killed by their own pid. Ends with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import logging
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

from faults import PRICE_USD, TABLE, Remote, Seen, kinds, spawn

from vidu_nb.client.client import Client
from vidu_nb.errors import BudgetExceeded, OutcomeUnknown, Unreachable, ViduError
from vidu_nb.net.retry import CONNECT_TRIES
from vidu_nb.request import VideoRequest
from vidu_nb.storage.budget import Budget

PICTURE = "https://example.com/cat.png"  # only its text is sent
PATIENCE = 10.0  # s a call
DEADLINE = 0.4  # s, for faults that only the client's own deadline ends
ARCHIVE_OF = 40  # cases share an archive
BOUND = ("unknown", "video kept")  # after these, only an explicit word may send the same request again
#: These wait out the client's own patience with 429: a minute each, which sleeps beside the others.
SLEEPY = (
    "status_429_none",
    "status_429_soon",
    "status_429_minus_one",
    "status_429_digits",
    "status_429_reset_at_nonsense",
)
WAITING = (
    "refuse", "connect_silence", "status_429_seconds", "status_429_fraction", "status_429_date", "status_429_reset_at",
    "status_429_html", "status_429_empty", "status_429_binary", "rate_limited_once_seconds", "slow_upload",
)  # fmt: skip


class Needles:
    """A key in all the forms in which it could turn up; no frame of this module shows them."""

    def __init__(self, key: str) -> None:
        raw = key.encode()
        forms = {raw, raw.hex().encode(), raw.hex().upper().encode()}
        forms |= {quote(key, safe="").encode(), quote_plus(key).encode(), quote(key, safe="").lower().encode()}
        for shift, spoilt in ((0, 0), (1, 2), (2, 3)):  # the first characters also hold bits of what stands before
            coded = base64.b64encode(bytes(shift) + raw)[spoilt:].rstrip(b"=")[:-1]
            forms |= {coded, coded.replace(b"+", b"-").replace(b"/", b"_")}
        self._forms = forms

    def __repr__(self) -> str:
        return "Needles(hidden)"

    def count(self, data: bytes) -> int:
        """How often a form turns up."""
        return sum(data.count(form) for form in self._forms)


@dataclass
class Ledger:
    """What became of everything; the server's count where it knows, the disk's where it doesn't."""

    calls: int = 0
    kinds: int = 0
    kills: int = 0
    races: int = 0
    budgets: int = 0
    posts_seen: int = 0
    billed: int = 0
    results_received: int = 0
    results_kept: int = 0
    results_aside: int = 0
    died_with_the_process: int = 0
    unconsented_posts: int = 0
    results_lost: int = 0
    torn_files: int = 0
    races_lost: int = 0
    budgets_overspent: int = 0
    misjudged: int = 0
    searched_for_keys: int = 0
    key_sightings: int = 0
    findings: list[str] = field(default_factory=list)

    MUST_BE_ZERO = (
        "unconsented_posts", "results_lost", "torn_files", "races_lost", "budgets_overspent", "misjudged",
        "key_sightings",
    )  # fmt: skip

    def blame(self, name: str, what: str, times: int = 1) -> None:
        """Count a broken promise and say where."""
        setattr(self, name, getattr(self, name) + times)
        self.findings.append(f"{name}: {what}")

    @property
    def is_clean(self) -> bool:
        """True while every promise is kept."""
        return not any(getattr(self, name) for name in self.MUST_BE_ZERO)

    def told(self) -> str:
        """The figures, one a line, and the first findings."""
        figures = [f"{name.replace('_', ' '):24}{value}" for name, value in vars(self).items() if name != "findings"]
        return "\n".join([*figures, *(f"! {told[:600]}" for told in self.findings[:40])])


class Torture:
    """One run: a folder, a seeded dice, a key, and the ledger."""

    def __init__(self, folder: Path, seed: int, seconds: float, *, short: bool) -> None:
        self.folder = folder
        self.every = 8 if short else 1  # how many kinds to one traceback in Verbose mode, which takes a while
        self.dice = random.Random(seed)
        self.end = time.monotonic() + seconds
        self.ledger = Ledger()
        self.lock = threading.Lock()
        self.shown_kinds: set[str] = set()
        os.environ.pop("VIDU_NB_PRICE_USD", None)
        os.environ["VIDU_NB_HISTORY_URL"] = "off"  # what a record changes is in torture_record.py
        os.environ["SEGMIND_API_KEY"] = "SG_" + self.dice.randbytes(15).hex() + "+/~" + self.dice.randbytes(6).hex()
        self.needles = Needles(os.environ["SEGMIND_API_KEY"])

    def out_of_time(self, share: float = 1.0) -> bool:
        """True once less than `share` of a second is left of the whole run's time."""
        return time.monotonic() + share > self.end

    # Asking and judging.

    def ask(
        self, server: Remote, kind: str, case: str, verb: str, request: VideoRequest, archive: Path,
        *, budget: Budget | None = None, search: bool = True,
    ) -> object:  # fmt: skip
        """One ask: the clip's sha256, or the error's words after they were searched for the key."""
        client = Client(
            base_url=f"{server.url(kind)}/{case}/{verb}", archive=archive, timeout=_patience(kind), budget=budget
        )
        with self.lock:
            self.ledger.calls += 1
        try:
            video = client.generate(request, again=verb.startswith("again"), fresh=verb.startswith("fresh"))
        except Exception as error:
            if search:
                self.search_error(error, kind)
            return error.with_traceback(None)
        return hashlib.sha256(video.path.read_bytes()).hexdigest()

    def judge(self, kind: str, said: object, case: str) -> None:
        """Whether a first ask concluded what the table says an honest client must."""
        wanted = TABLE[kind].concludes
        if TABLE[kind].strikes == "accept" and isinstance(said, Unreachable):
            return  # the reset overtook the first byte: then nothing was sent indeed
        billed = getattr(said, "billed", None) if isinstance(said, ViduError) else None
        right = {
            "nothing sent": billed == "no",
            "not billed": billed == "no",
            "unknown": billed in ("unknown", "yes"),
            "video kept": isinstance(said, str),
        }[wanted]
        if not right:
            with self.lock:
                self.ledger.blame("misjudged", f"{case} {kind} must conclude {wanted!r}, said {said!r}")

    # Keys.

    def search(self, data: bytes, where: str) -> None:
        """Count a text or file that was searched, and what was found."""
        found = self.needles.count(data)
        with self.lock:
            self.ledger.searched_for_keys += 1
            if found:
                self.ledger.blame("key_sightings", where, found)

    def search_error(self, error: BaseException, kind: str) -> None:
        """An exception in every form that a person or a tool could see, once per kind as IPython's Verbose mode."""
        if TABLE.get(kind) and TABLE[kind].pace == "heavy":
            return
        self.search("\n".join(all_of(error)).encode(), f"an error of {kind}: {type(error).__name__}")
        with self.lock:
            new = kind not in self.shown_kinds
            self.shown_kinds.add(kind)
            new = new and len(self.shown_kinds) % self.every == 0
        if new:
            with self.lock:
                text = verbose(error)
            self.search(text.encode(), f"Verbose mode's traceback of {kind}")

    def search_files(self, folder: Path) -> None:
        """Everything that was written."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.search(path.read_bytes(), str(path.relative_to(self.folder)))
                self.search(path.name.encode(), f"the name {path.name}")

    # What lies on disk.

    def scan(self, archive: Path, case: str) -> set[str]:
        """Look for torn files; returns the sha256 of each clip that is kept with its papers."""
        kept = set()
        for path in archive.rglob("*"):
            if not path.is_file() or path.name.startswith(".") or path.suffix == ".lock":
                continue
            problem = what_is_torn(path, archive)
            if problem:
                with self.lock:
                    self.ledger.blame("torn_files", f"{case}: {path.relative_to(archive)} {problem}")
            elif path.suffix == ".mp4":
                kept.add(hashlib.sha256(path.read_bytes()).hexdigest())
        return kept

    def aside(self, archive: Path) -> set[str]:
        """The sha256 of everything in quarantine, on its way, or in the fallback folder."""
        places = [archive / "quarantine", archive / "incoming", Path(tempfile.gettempdir())]
        files = [
            path
            for place in places
            if place.is_dir()
            for path in place.iterdir()
            if path.is_file() and path.name[0] != "."
        ]
        return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _patience(kind: str) -> float:
    return DEADLINE if TABLE[kind].pace == "deadline" else PATIENCE


def what_is_torn(path: Path, archive: Path) -> str:
    """Why a visible file is torn, empty where it is whole. Papers may wait for a clip that is still on its way."""
    data = path.read_bytes()
    if path.suffix == ".json":
        try:
            said = json.loads(data)
        except ValueError:
            return "is no JSON"
        if path.parent.parent.name == "journal" or "sha256" not in said or path.with_suffix(".mp4").exists():
            return ""
        incoming = (archive / "incoming").glob("*.body")
        waiting = any(hashlib.sha256(one.read_bytes()).hexdigest() == said["sha256"] for one in incoming)
        return "" if waiting else "has no clip"
    if path.suffix == ".mp4":
        papers = path.with_suffix(".json")
        told = json.loads(papers.read_bytes())["sha256"] if papers.exists() else ""
        return "" if told == hashlib.sha256(data).hexdigest() else "disagrees with its papers"
    return ""


def all_of(error: BaseException) -> Iterator[str]:
    """Texts, arguments, attributes and every frame's variables of an error and of all that it carries."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
        trace = one.__traceback__
        while trace:
            yield from (f"{name}={value!r}" for name, value in list(trace.tb_frame.f_locals.items()))
            trace = trace.tb_next
        waiting += [inner for inner in (one.__cause__, one.__context__) if inner]
        waiting += [inner for inner in one.args if isinstance(inner, BaseException)]


def verbose(error: BaseException) -> str:
    """What IPython prints with ``%xmode Verbose``."""
    from IPython.core.ultratb import VerboseTB

    lines = VerboseTB(include_vars=True).text(type(error), error, error.__traceback__)
    return re.sub(r"\x1b\[[0-9;]*m", "", lines)


# (a) Faulted calls.


def plan_calls(torture: Torture, count: int, *, short: bool) -> list[tuple[str, str]]:
    """(case, kind) pairs: every kind once, then by weight; few of those that wait or move hundreds of megabytes."""
    quick = [name for name in TABLE if name not in SLEEPY + WAITING and TABLE[name].pace == "quick"]
    rare = [name for name in TABLE if name in WAITING or TABLE[name].pace == "deadline"]
    heavy = kinds(pace="heavy")
    once = quick + torture.dice.sample(rare, len(rare) // 4 if short else len(rare))
    once += heavy[:1] if short else heavy + list(SLEEPY)
    torture.dice.shuffle(once)
    once = once[:count]
    weights = [quick, quick, quick, kinds(concludes="video kept"), kinds(concludes="unknown")]
    pools = [[name for name in pool if name in quick] for pool in weights]
    rest = [torture.dice.choice(torture.dice.choice(pools)) for _ in range(count - len(once))]
    every = [kind for kind in once if kind in SLEEPY] + [kind for kind in once if kind not in SLEEPY] + rest
    return [(f"c{number}", kind) for number, kind in enumerate(every)]


def faulted_calls(torture: Torture, count: int, *, short: bool = False) -> None:
    """Random faults with random follow-ups, from several threads on shared archives."""
    todo = plan_calls(torture, count, short=short)
    folder = torture.folder / "calls"
    torture.ledger.kinds = len({kind for _, kind in todo})
    dice = {case: random.Random(torture.dice.random()) for case, _ in todo}
    asked: dict[str, int] = Counter()  # asks that may have sent, for doors where the server reads nothing
    with spawn(folder_made(folder) / "truth.jsonl") as server, ThreadPoolExecutor(len(SLEEPY)) as sleepers:
        with ThreadPoolExecutor(6) as workers:
            for number, (case, kind) in enumerate(todo):
                pool = sleepers if kind in SLEEPY else workers
                pool.submit(guarded, torture, one_case, torture, server, case, kind, dice[case],
                            folder / f"archive{number // ARCHIVE_OF}", asked)  # fmt: skip
        sleepers.shutdown()
        seen = server.seen()
    judge_posts(torture, seen, asked)
    judge_results(torture, seen, sorted(folder.glob("archive*")))


def guarded(torture: Torture, work: Callable[..., object], *args: object) -> None:
    """Run a piece of work in a pool; what escapes it is a finding, and nothing starts after the time is over."""
    if torture.out_of_time():
        return
    try:
        work(*args)
    except Exception as error:
        with torture.lock:
            told = f"{args[2:4]}: {type(error).__name__} escaped: {error} {error.__traceback__.tb_next}"
            torture.ledger.blame("misjudged", told)


def one_case(
    torture: Torture, server: Remote, case: str, kind: str, dice: random.Random, archive: Path, asked: dict[str, int]
) -> None:
    """A first ask, then up to three follow-ups."""
    seed = 0 if dice.random() < 0.1 else dice.randint(1, 999_999)
    request = VideoRequest(prompt=f"{case}: a cat [fault:{kind}]", references=PICTURE, seed=seed)
    said = torture.ask(server, kind, case, "first", request, archive)
    torture.judge(kind, said, case)
    unsent = isinstance(said, Unreachable)
    consents, settled = 3 if unsent else 1, unsent
    slow = kind in SLEEPY + WAITING or TABLE[kind].pace != "quick"
    verbs = dice.choices(
        ["plain", "again", "fresh", "resume", "pending", "settle"], [8, 2, 2, 1, 1, 1], k=dice.randint(0, 2)
    )
    for number, verb in enumerate([] if slow and (kind in SLEEPY or dice.random() < 0.7) else verbs):
        if verb in ("resume", "pending", "settle"):
            client = Client(base_url=f"{server.url('good')}/{case}/{verb}{number}", archive=archive, notify=len)
            settled |= look_after(client, verb, case, kind)
            continue
        free = settled or (seed == 0 and TABLE[kind].concludes == "video kept")
        consents += free or verb != "plain"
        told = f"{'free' if free and verb == 'plain' else verb}{number}"
        later = torture.ask(server, kind, case, told, request, archive)
        if verb == "plain" and not free and TABLE[kind].concludes in BOUND:
            check_follow_up(torture, case, kind, said, later)
    with torture.lock:
        asked[kind] += consents


def check_follow_up(torture: Torture, case: str, kind: str, said: object, later: object) -> None:
    """A plain second ask replays the clip that was kept (or a later take), or refuses what is unknown."""
    kept = TABLE[kind].concludes == "video kept"
    if isinstance(said, str) and not isinstance(later, str):
        with torture.lock:
            torture.ledger.blame("misjudged", f"{case} {kind} was kept, and then: {later!r}")
    if not kept and not isinstance(later, OutcomeUnknown):
        with torture.lock:
            torture.ledger.blame("misjudged", f"{case} {kind} is unknown, and then: {later!r}")


def look_after(client: Client, verb: str, case: str, kind: str) -> bool:
    """resume(), pending() or settle(); True where the case was settled."""
    if verb == "resume":
        client.resume()
        return False
    mine = [call for call in client.pending() if call.prompt.startswith(f"{case}:")]
    if verb == "pending":
        return False
    for call in mine:
        client.settle(call, billed=TABLE[kind].billed)
    return bool(mine)


def judge_posts(torture: Torture, seen: list[Seen], asked: dict[str, int]) -> None:
    """Lay every POST to its ask, and blame those that nobody consented to."""
    ledger = torture.ledger
    count_posts(ledger, seen)
    bound: dict[str, str] = {}
    for one in seen:
        parts = one.path.split("/")
        if one.method != "POST" or len(parts) < 5 or parts[1] != "fault":
            continue
        case, verb = parts[3], parts[4]
        if case in bound and not verb.startswith(("again", "fresh", "free")):
            first_try = verb == "first" and bound[case] == "first" and one.fault.startswith("status_429")
            if not first_try:
                ledger.blame("unconsented_posts", f"{case} {one.fault} was sent by {verb}, after {bound[case]}")
        if TABLE[one.fault].concludes in BOUND:
            bound[case] = verb
        if verb.startswith(("resume", "pending", "settle")):
            ledger.blame("unconsented_posts", f"{case} {one.fault} was sent by {verb}")
    judge_doors(ledger, seen, asked)


def judge_doors(ledger: Ledger, seen: list[Seen], asked: dict[str, int]) -> None:
    """Doors where nothing is read are counted in all; and where redirects point to, nothing may arrive."""
    doors = Counter(one.door for one in seen if one.door in TABLE and TABLE[one.door].concludes == "unknown")
    for door, times in doors.items():
        # A reset that beats the first byte is "nothing sent", and tried again like any such connection.
        tries = CONNECT_TRIES if door == "reset_at_accept" else 1
        if times > tries * asked[door]:
            ledger.blame(
                "unconsented_posts", f"{door}: {times} connections for {asked[door]} asks", times - asked[door]
            )
    for one in seen:
        if one.door == "trap":
            ledger.blame("key_sightings", f"something followed a redirect: {one.method} keyed={one.keyed}")


def count_posts(ledger: Ledger, seen: list[Seen]) -> None:
    """POSTs and bills, as the server saw them."""
    ledger.posts_seen += sum(one.method == "POST" for one in seen)
    ledger.billed += sum(one.billed for one in seen)


def judge_results(torture: Torture, seen: list[Seen], archives: list[Path]) -> None:
    """Every clip that the server handed over whole must lie somewhere."""
    received = {one.delivered for one in seen if one.delivered}
    kept = set().union(*(torture.scan(archive, archive.name) for archive in archives))
    aside = set().union(*(torture.aside(archive) for archive in archives)) - kept
    torture.ledger.results_received += len(received)
    torture.ledger.results_kept += len(received & kept)
    torture.ledger.results_aside += len(received & aside)
    for sha256 in received - kept - aside:
        of = next(one for one in seen if one.delivered == sha256)
        torture.ledger.blame("results_lost", f"{of.prompt or of.path} {of.fault}")


# Forked processes


def folder_made(folder: Path) -> Path:
    """The folder, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, closed at the end."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def fork(work: Callable[[], str], said: int, log: Path) -> int:
    """Run `work` in a child of this warm process: its word goes to the pipe `said`, what it prints to `log`."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        handle = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout = sys.stderr = open(1, "w", closefd=False, buffering=1)  # noqa: SIM115
        signal.alarm(60)  # whatever happens here, it ends
        os.write(said, work().encode())
    except BaseException as error:
        os.write(said, f"escaped {type(error).__name__}: {error}".encode()[:500])
    finally:
        os._exit(0)


def gather(pids: list[int], said: int) -> str:
    """Wait for the children; what they said."""
    for pid in pids:
        os.waitpid(pid, 0)
    os.set_blocking(said, False)
    with contextlib.suppress(BlockingIOError):
        return os.read(said, 1 << 16).decode()
    return ""


# (b) Kills.

KILLED_IN = (
    "good",
    "good",
    "good",
    "good_slow",
    "good_link_video",
    "html_200",
    "cut_mdat_length",
    "status_401",
    "good_chunked",
)


STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "socket.connect", "fcntl.flock")


def die_at(step: int) -> list[int]:
    """Let this process die by SIGKILL just before its `step`-th step at the file system or network; counts them."""
    done = [0]

    def hook(event: str, _args: object) -> None:
        if event in STEPS:
            done[0] += 1
            if done[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return done


def kills(torture: Torture, count: int) -> None:
    """Kill a process at a random moment of its call, look at the disk, then ask again from a live one."""
    folder = folder_made(torture.folder / "kills")
    rows = []
    with spawn(folder / "truth.jsonl") as server:
        lives = [life_of(torture, server, kind, folder) for kind in KILLED_IN]
        for number in range(3 * count):  # some live through it
            if torture.out_of_time() or torture.ledger.kills == count:
                break
            which = torture.dice.randrange(len(KILLED_IN))
            rows.append(one_kill(torture, server, f"k{number}", KILLED_IN[which], lives[which], folder))
        seen = server.seen()
    judge_kills(torture, rows, seen)


def life_of(torture: Torture, server: Remote, kind: str, folder: Path) -> tuple[float, int]:
    """Seconds and steps that a call takes when nobody kills it: the shortest of three."""
    lives = []
    for number in range(3):
        case, begin = f"life{number}-{kind}", time.monotonic()
        request = VideoRequest(prompt=f"{case}: a cat", references=PICTURE, seed=1)

        def work(case: str = case, request: VideoRequest = request) -> str:
            steps = die_at(0)
            torture.ask(server, kind, case, "first", request, folder / case, search=False)
            return str(steps[0])

        with pipe() as (ears, mouth):
            steps = gather([fork(work, mouth, folder / "stdio.log")], ears)
        lives.append((time.monotonic() - begin, int(steps)))
    return min(lives)


@dataclass
class Killed:
    """What was found around one kill."""

    case: str
    kind: str
    done: bool
    on_disk: bool  # whole bytes of the answer lay there, under whatever name
    first: object
    second: object
    kept: set[str]
    aside: set[str]


def one_kill(torture: Torture, server: Remote, case: str, kind: str, life: tuple[float, int], folder: Path) -> Killed:
    """Fork, kill, look, ask twice."""
    dice, archive = torture.dice, folder / case
    request = VideoRequest(prompt=f"{case}: a cat", references=PICTURE, seed=dice.randint(1, 999_999))
    step = dice.randint(1, life[1]) if dice.random() < 0.5 else 0
    delay = life[0] * (dice.random() if dice.random() < 0.3 else dice.triangular(0.2, 1.0, 0.75))

    def work() -> str:
        if step:
            die_at(step)
        return str(torture.ask(server, kind, case, "first", request, archive, search=False))

    with pipe() as (ears, mouth):
        pid = fork(work, mouth, folder / "stdio.log")
        if not step:
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
        done = bool(gather([pid], ears))
    torture.ledger.kills += not done
    torture.ledger.calls += 1
    torture.scan(archive, case)
    on_disk = any(archive.glob("incoming/*.body")) or any(archive.glob("*/*.mp4"))
    first = torture.ask(server, kind, case, "plain1", request, archive)
    second = torture.ask(server, kind, case, "plain2", request, archive)
    return Killed(case, kind, done, on_disk, first, second, torture.scan(archive, case), torture.aside(archive))


def judge_kills(torture: Torture, rows: list[Killed], seen: list[Seen]) -> None:
    """No second POST after a first that arrived, what lay on disk is brought in, and both later asks agree."""
    ledger = torture.ledger
    count_posts(ledger, seen)
    by_case: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        parts = one.path.split("/")
        if one.method == "POST" and len(parts) > 4:
            by_case[parts[3]].append(one)
    for row in rows:
        posts = by_case[row.case]
        verbs = [one.path.split("/")[4] for one in posts]
        if TABLE[row.kind].concludes in BOUND and len(posts) > 1:
            ledger.blame("unconsented_posts", f"{row.case} {row.kind}: sent by {verbs}, then {row.first!r}")
        if TABLE[row.kind].concludes == "video kept":
            judge_kept(torture, row, verbs)
        received = {one.delivered for one in posts if one.delivered}
        ledger.results_received += len(received)
        ledger.results_kept += len(received & row.kept)
        ledger.results_aside += len(received & row.aside - row.kept)
        gone = received - row.kept - row.aside
        if gone and verbs == ["first"] and not row.on_disk and isinstance(row.first, OutcomeUnknown):
            ledger.died_with_the_process += len(gone)
        elif gone:
            ledger.blame("results_lost", f"{row.case} {row.kind}: done={row.done}, then {row.first!r}")


def judge_kept(torture: Torture, row: Killed, verbs: list[str]) -> None:
    """After a kill in a good call: a clip, or a plain refusal where the bytes died with the process."""
    fetched = isinstance(row.first, str)
    if not fetched and (row.on_disk or row.done or not isinstance(row.first, OutcomeUnknown)):
        torture.ledger.blame("results_lost", f"{row.case} {row.kind} lay on disk, then {row.first!r} ({verbs})")
    if fetched and row.second != row.first:
        torture.ledger.blame("misjudged", f"{row.case} {row.kind}: {row.first!r}, then {row.second!r}")


# (c) Races.


def races(torture: Torture, count: int) -> None:
    """Two processes ask the same at the same moment: one POST, one clip for both (or one refusal for both)."""
    folder = folder_made(torture.folder / "races")
    with spawn(folder / "truth.jsonl") as server:
        rows = []
        for number in range(count):
            if torture.out_of_time():
                break
            kind = torture.dice.choice(["good"] * 6 + ["good_slow", "good_link_video", "html_200"])
            rows.append((f"r{number}", kind, one_race(torture, server, f"r{number}", kind, folder)))
        seen = server.seen()
    count_posts(torture.ledger, seen)
    posts = Counter(one.path.split("/")[3] for one in seen if one.method == "POST")
    for case, kind, said in rows:
        torture.ledger.races += 1
        good = TABLE[kind].concludes == "video kept"
        agreed = len(set(said)) == 1 and len(said[0]) == 64 if good else set(said) <= {"yes", "unknown"}
        if posts[case] != 1 or len(said) != 2 or not agreed:
            torture.ledger.blame("races_lost", f"{case} {kind}: {posts[case]} POSTs, they said {said}")
    judge_results(torture, [one for one in seen if one.delivered], [folder / "archive"])


def one_race(torture: Torture, server: Remote, case: str, kind: str, folder: Path) -> list[str]:
    """Both wait at a gate; what each one said."""
    request = VideoRequest(prompt=f"{case}: a cat", references=PICTURE, seed=torture.dice.randint(1, 999_999))
    gate, opener = os.pipe()
    late = torture.dice.random() * 0.02

    def work(wait: float) -> str:
        os.close(opener)
        os.read(gate, 1)
        time.sleep(wait)
        said = torture.ask(server, kind, case, "first", request, folder / "archive")
        return f"{said if isinstance(said, str) else said.billed}\n"

    waits = (0.0, torture.dice.choice([0, late]))
    torture.ledger.calls += 2
    with pipe() as (ears, mouth):
        pids = [fork(lambda w=wait: work(w), mouth, folder / "stdio.log") for wait in waits]
        os.close(opener)
        os.close(gate)
        return gather(pids, ears).split()


# (d) Budgets.

SPENDING = (
    "good",
    "good",
    "good",
    "good_link_url",
    "html_200",
    "reset_after_body",
    "status_502",
    "status_401",
    "cut_moov_length",
    "status_406_credits",
)


def budgets(torture: Torture, count: int, *, calls: int = 12) -> None:
    """Budgets that threads of two processes share; what the server billed never exceeds them."""
    folder = folder_made(torture.folder / "budgets")
    rows = []
    with spawn(folder / "truth.jsonl") as server:
        for number in range(count):
            if torture.out_of_time():
                break
            limit = torture.dice.choice([0.0, 0.5, 1.0, 1.5, 2.0, 2.6])
            rows.append((f"b{number}", Budget(limit, folder / f"b{number}.json")))
            spend(torture, server, *rows[-1], folder, calls)
        seen = server.seen()
    count_posts(torture.ledger, seen)
    billed: dict[str, float] = Counter()
    counted: dict[str, float] = Counter()
    for one in seen:
        if one.method == "POST":
            case = one.path.split("/")[3]
            billed[case] += one.billed * PRICE_USD
            counted[case] += (TABLE[one.fault].concludes in BOUND) * PRICE_USD
    for case, budget in rows:
        torture.ledger.budgets += 1
        if billed[case] > budget.limit_usd + 1e-9 or budget.spent + 1e-9 < counted[case]:
            told = f"{case}: limit {budget.limit_usd}, billed {billed[case]}, to be counted {counted[case]}, {budget!r}"
            torture.ledger.blame("budgets_overspent", told)
    judge_results(torture, seen, [folder / "archive"])


def spend(torture: Torture, server: Remote, case: str, budget: Budget, folder: Path, calls: int) -> None:
    """Two processes of three threads each, a call after another."""
    todo = [(number, torture.dice.choice(SPENDING)) for number in range(calls)]

    def ask(number: int, kind: str) -> None:
        request = VideoRequest(prompt=f"{case}-{number}: a cat", references=PICTURE, seed=1 + number)
        said = torture.ask(server, kind, case, f"first{number}", request, folder / "archive", budget=budget)
        if not isinstance(said, BudgetExceeded):
            torture.judge(kind, said, case)

    def work(mine: list[tuple[int, str]]) -> str:
        with ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(ask, *one) for one in mine]:
                done.result()
        return "".join(f"{told}\n" for told in torture.ledger.findings)

    torture.ledger.calls += calls
    with pipe() as (ears, mouth):
        pids = [fork(lambda m=todo[part::2]: work(m), mouth, folder / "stdio.log") for part in (0, 1)]
        said = gather(pids, ears)
    for told in said.splitlines():
        torture.ledger.blame("misjudged", told)


# (e) Keys.


class Echo(BaseHTTPRequestHandler):
    """Answers with the key that it got, and with the status that the path names: ``/STATUS/v1/...``."""

    def do_POST(self) -> None:
        """Quote the key in body and headers."""
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        _, status, *_ = self.path.split("/")
        said = self.headers["x-api-key"]
        body = json.dumps({"error": f"bad key {said}", "url": "" if status != "200" else f"http://127.0.0.1:1/{said}"})
        self.send_response(200 if status == "cut" else int(status))
        self.send_header("x-request-id", said)
        self.send_header("x-cost", said)
        self.send_header("x-other", said)
        self.send_header("Content-Length", str(len(body) + (100 if status == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self) -> None:
        """Quote it for the balance as well."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


#: The forms of a key that are searched for in everything that is written or shown.
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64-user": lambda key: base64.b64encode(f"u:{key}".encode()).decode(),
    "base64-one": lambda key: base64.b64encode(f":{key}!".encode()).decode(),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "url": lambda key: quote(key, safe=""),
}


def echoes(torture: Torture) -> None:
    """A server that quotes the key: it appears in no error, no traceback and no file."""
    archive = folder_made(torture.folder / "echoes")
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for status in ("200", "400", "401", "406", "500", "502", "303", "cut"):
            client = Client(base_url=f"http://127.0.0.1:{server.server_port}/{status}", archive=archive, timeout=5)
            request = VideoRequest(prompt=f"An echo {status}", references=PICTURE)
            torture.ledger.calls += 1
            for ask in (lambda c=client, r=request: c.generate(r), client.credits, client.pending, client.resume):
                try:
                    ask()
                except Exception as error:
                    torture.search_error(error, f"echo {status}")
        server.shutdown()
        thread.join()


NOTEBOOK = (
    "%xmode Verbose\nimport logging\nlogging.basicConfig(level=logging.DEBUG)",
    "import ipywidgets, vidu_nb as vidu\nfrom IPython.display import display\ndisplay(ipywidgets.IntSlider())",
    "client = vidu.Client(timeout=5)\ndisplay(client)\nclient",
    "request = vidu.VideoRequest(prompt='a cat [fault:KIND]', references='PICTURE')\nclient.generate(request)",
    "client.generate(request)",
    "try:\n    client.generate(request)\nexcept Exception as error:\n    1 / 0",
    "display(client.pending())\nvars(client)",
    "try:\n    client.generate(request, again=True)\nexcept Exception as error:\n    display(error.args, vars(error))",
)


def notebooks(torture: Torture, *, short: bool) -> None:
    """A notebook whose calls fail, executed with widget state on: the key is in none of it."""
    import nbformat
    from nbclient import NotebookClient

    folder = folder_made(torture.folder / "notebook")
    told = ("good", "status_401_quotes_key", "html_200", "reset_after_body", "close_after_headers", "redirect_307_port")
    with spawn(folder / "truth.jsonl") as server:
        sources = list(NOTEBOOK[:3])
        for kind in told[1:3] if short else told:
            sources += [text.replace("KIND", kind).replace("PICTURE", PICTURE) for text in NOTEBOOK[3:]]
        note = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources])
        settings = {"SEGMIND_BASE_URL": server.root, "VIDU_NB_ARCHIVE": str(folder / "archive")}
        env = {**os.environ, **settings, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        runner = NotebookClient(note, allow_errors=True, store_widget_state=True, timeout=60, kernel_name="python3")
        runner.execute(env=env, cwd=str(folder))
        torture.ledger.calls += (len(sources) - 3) * 4 // 5
        count_posts(torture.ledger, server.seen())
    (folder / "executed.ipynb").write_text(nbformat.writes(note))
    outputs = json.dumps(note)
    if "widgets" not in note.metadata or "Traceback" not in outputs or "OutcomeUnknown" not in outputs:
        torture.ledger.blame("misjudged", "the notebook did not fail as it should, or kept no widget state")
    torture.scan(folder / "archive", "notebook")


# The run.


@contextlib.contextmanager
def logged(folder: Path) -> Iterator[None]:
    """Everything logged at DEBUG and all that is printed goes to files."""
    handler = logging.FileHandler(folder_made(folder) / "debug.log")
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with (folder / "stdio.log").open("w") as file, contextlib.redirect_stderr(file):
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


def run(seed: int, *, calls: int, kill: int, race: int, budget: int, seconds: float) -> Ledger:
    """All parts, one after another; each says how long it took."""
    short = calls < 2000
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        folder = Path(name)
        tempfile.tempdir = str(folder_made(folder / "tmp"))
        torture = Torture(folder, seed, seconds, short=short)
        parts: list[tuple[str, Callable[[], None]]] = [
            ("kills", lambda: kills(torture, kill)),
            ("races", lambda: races(torture, race)),
            ("budgets", lambda: budgets(torture, budget)),
            ("calls", lambda: faulted_calls(torture, calls, short=short)),
            ("echoes", lambda: echoes(torture)),
            ("notebook", lambda: notebooks(torture, short=short)),
            ("search", lambda: torture.search_files(folder)),
        ]
        for part, work in parts:
            begin = time.monotonic()
            with logged(folder / "logs" / part):
                work()
            print(f"{part:10} {time.monotonic() - begin:6.1f} s", flush=True)  # noqa: T201
        tempfile.tempdir = None
    return torture.ledger


def main() -> int:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description="Torture the client; the ledger at the end must be clean.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    for name, number in (("calls", 5000), ("kills", 500), ("races", 200), ("budgets", 100)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seconds", type=float, default=540.0, help="start nothing new after this time")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)  # noqa: T201
    begin = time.monotonic()
    ledger = run(
        asked.seed, calls=asked.calls, kill=asked.kills, race=asked.races, budget=asked.budgets, seconds=asked.seconds
    )
    print(ledger.told())  # noqa: T201
    print(f"{'clean' if ledger.is_clean else 'NOT CLEAN'} after {time.monotonic() - begin:.0f} s, seed {asked.seed}")  # noqa: T201
    return 0 if ledger.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
