"""A class behind a gateway, all of it real processes over real HTTP, and what became of the money.

    python tests/torture_gateway.py [--people 30] [--calls 600] [--distinct 200] [--kills 10] [--gateways 2]
                                    [--postgres] [--seed N]

First everything works; then the service answers 429, 500 and 503, loses answers, takes calls that it never heard of;
connections are cut at random on both sides of the gateway, which is killed and started again. All but one of the people
are real clients of ours, one uses the official SDK. At the end the figures: what must be nought is nought, or the last
line says NOT CLEAN.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
import upstream
from gateways import body_of, tokens_in, wanted
from postgres import Postgres
from segmind import SegmindClient

from vidu_nb.client.client import Client
from vidu_nb.errors import ViduError
from vidu_nb.gateway.ledger import Ledger
from vidu_nb.receipt import number
from vidu_nb.request import MODEL
from vidu_nb.storage.archive import Entry

FAULTS = {"429": 0.08, "500": 0.05, "503": 0.08, "lost": 0.1, "swallowed": 0.01}
CUTS = 0.03  # of the connections
LONGEST_S = 60.0  # before a person goes on to the next clip, and asks for this one again in the end
PATIENCE_S = 240.0  # for whatever is still being looked for at the end
LOOKS = 3  # that a client takes for a lost call before its person agrees to ask again
CHUNK = 4096


class Cutting:
    """A proxy on 127.0.0.1 that cuts a share of the connections, at any byte of either way."""

    def __init__(self, seed):
        self.share, self.to, self.cut = 0.0, None, 0
        self._dice, self._lock = random.Random(seed), threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller):
        with self._lock:
            is_cut = self._dice.random() < self.share
            left = [self._dice.choice([0, 100, 400, 1500, 4000]) if is_cut else 1 << 40 for _ in range(2)]
            self.cut += is_cut
        with contextlib.suppress(OSError), caller, socket.create_connection(("127.0.0.1", self.to), 5) as server:
            back = threading.Thread(target=_pump, args=(server, caller, left[1]), daemon=True)
            back.start()
            _pump(caller, server, left[0])
            back.join(120)

    def close(self):
        """Take no more."""
        self._listener.close()


def _pump(source, target, left):
    with contextlib.suppress(OSError):
        while left > 0 and (data := source.recv(CHUNK)):
            target.sendall(data[:left])
            left -= len(data)
    how = socket.SHUT_WR if left > 0 else socket.SHUT_RDWR
    for one in (target,) if left > 0 else (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(how)


class Gateway:
    """A `vidu-nb gateway`, which can be killed and started again on the same port."""

    def __init__(self, folder, url, ledger, *, number=0):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = (folder / f"gateway-{number}.log").open("w")
        self.command = [
            sys.executable, "-m", "vidu_nb", "gateway", "--roster", folder / "class.csv", "--each-usd", "1000",
            "--total-usd", "100000", "--archive", folder / "archive", "--port", str(self.port), "--upstream", url,
            "--key-file", folder / "key", "--tokens", folder / "tokens.csv", "--at-once", "50",
            *(["--ledger", ledger] if ledger else []),
        ]  # fmt: skip
        self.starts = 0
        self.start()

    def start(self):
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(list(map(str, self.command)), stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        assert line.startswith(b"serving"), Path(self.log.name).read_text()
        self.starts += 1

    def kill(self):
        """End it at once, whatever it is doing."""
        self.process.kill()
        self.process.communicate()

    def stop(self):
        """End it as a machine that shuts down does."""
        self.process.terminate()
        self.process.communicate(timeout=60)
        self.log.close()


class Person:
    """Somebody who asks for clips, and asks again until they have them."""

    def __init__(self, name, token, url, folder, prompts, *, timeout):
        self.name, self.token, self.url, self.prompts = name, token, url, prompts
        self.client = Client(token, url, folder / name, timeout=timeout, notify=len)
        self.clips, self.errors = {}, Counter()

    def work(self, done):
        """Get every clip."""
        for prompt in self.prompts:
            end, tries = time.monotonic() + LONGEST_S, 0
            while time.monotonic() < end:
                tries += 1
                try:
                    self.clips[prompt] = self.get(prompt, again=tries > LOOKS)
                    break
                except Exception as error:  # the SDK lets those of what is below it through
                    self.errors[f"{type(error).__name__}: {str(error)[:70]}"] += 1
                    time.sleep(0.2)
            done()

    def get(self, prompt, *, again):
        """Get one; `again` where it was looked for in the gateway's record, and had never arrived there."""
        return self.client.generate(wanted(prompt), again=again).bytes

    def settle(self):
        """Bring in what is open, as a person does at the end of the day."""
        with contextlib.suppress(ViduError):
            self.client.resume()
        for prompt in self.prompts * 3:
            if prompt not in self.clips:
                with contextlib.suppress(Exception):
                    self.clips[prompt] = self.get(prompt, again=True)

    @property
    def receipts(self):
        """What each of their own receipts says that a call cost, by the call's id."""
        entries = [entry for entry in self.client.archive.entries() if isinstance(entry, Entry)]
        notes = [entry.facts["receipt"] for entry in entries]
        return {note["request_id"]: number(note.get("cost_usd")) or 0.0 for note in notes}

    @property
    def record(self):
        """What the gateway's record says that each of their calls cost."""
        costs, page, total = {}, 1, 1
        while (page - 1) * 100 < total:
            answer = requests.get(
                f"{self.url}/inference-request/request-history", headers={"x-api-key": self.token},
                params={"page": page, "per_page": 100}, timeout=60,
            ).json()  # fmt: skip
            costs |= {row["request_id"]: row["credits_deduction"] for row in answer["data"]}
            page, total = page + 1, answer["total"]
        return costs


class SdkPerson(Person):
    """The same with the official SDK."""

    def get(self, prompt, *, again):  # noqa: ARG002 - it always asks again
        """Get one."""
        sdk = SegmindClient(api_key=self.token, base_url=f"{self.url}/v1", timeout=60)
        made = sdk.submit_async(MODEL, **body_of(prompt)).wait(timeout=60, interval=0.3)
        answer = requests.get(made["output"], timeout=60)
        answer.raise_for_status()
        if len(answer.content) != made["video"]["file_size"]:
            raise requests.ConnectionError
        return answer.content


class School:
    """Everything together."""

    def __init__(self, folder, asked, database):
        self.folder, self.asked, self.database = folder, asked, database
        self.names = [f"person-{number:02d}" for number in range(asked.people)]
        (folder / "class.csv").write_text("name\n" + "\n".join(self.names) + "\n")
        (folder / "key").write_text(upstream.KEY)
        (folder / "key").chmod(0o600)
        self.finished, self.changed = 0, threading.Condition()

    def run(self, service, phase, *, faulty):
        """One phase, from an empty archive; returns its figures."""
        folder = self.folder / phase
        folder.mkdir()
        for name in ("class.csv", "key"):
            shutil.copy2(self.folder / name, folder / name)
        inner = Cutting(self.asked.seed)
        inner.to = int(service.url.rpartition(":")[2])
        ledger = self.database.url(phase) if self.database else None
        gateways = [Gateway(folder, inner.url, ledger, number=n) for n in range(self.asked.gateways)]
        try:
            return self.run_with(gateways, inner, service, folder, ledger, phase, faulty=faulty)
        finally:
            for gateway in gateways:
                gateway.stop()

    def run_with(self, gateways, inner, service, folder, ledger, phase, *, faulty):
        """The phase, with gateways that serve."""
        before = service.truth()
        outers = [Cutting(self.asked.seed + 1 + n) for n in range(len(gateways))]
        for proxy, gateway in zip(outers, gateways, strict=True):
            proxy.to = gateway.port
        people = self.people(folder, [proxy.url for proxy in outers], phase)
        if faulty:
            service.control(**{**FAULTS, "swallowed": self.asked.swallowed})
            for proxy in outers:
                proxy.share = CUTS
            inner.share = CUTS if self.asked.swallowed else 0.0  # the service may never hear of what is cut here
        began = time.monotonic()
        with ThreadPoolExecutor(len(people)) as pool:
            working = [pool.submit(person.work, self.one_more) for person in people]
            kills = self.kill(gateways, self.asked.kills if faulty else 0, sum(len(one.prompts) for one in people))
            for one in working:
                one.result()
        took = time.monotonic() - began
        service.control()
        for proxy in (inner, *outers):
            proxy.share = 0.0
        book = Ledger(ledger or f"sqlite:///{folder / 'archive' / 'gateway' / 'ledger.db'}", each_usd=1, total_usd=1)
        settled = self.settle_lost(folder, inner.url) if self.wait_until_closed(book) else 0
        with ThreadPoolExecutor(len(people)) as pool:
            list(pool.map(Person.settle, people))
        self.wait_until_closed(book)
        figures = self.figures(book, people, before, service.truth())
        figures |= {"kills": kills, "connections cut": inner.cut + sum(proxy.cut for proxy in outers)}
        figures |= {"settled by the teacher": settled}
        for proxy in (inner, *outers):
            proxy.close()
        book.close()
        return {**figures, "seconds": round(took, 1)}

    def people(self, folder, urls, phase):
        """Each with a share of the prompts, every prompt with several of them."""
        dice = random.Random(self.asked.seed)
        prompts = [f"{phase} {number}: a cat crosses a street" for number in range(self.asked.distinct)]
        size = self.asked.calls // len(self.names)
        tokens, made = tokens_in(folder / "tokens.csv"), []
        for at, name in enumerate(self.names):
            hand = [prompts[(at * size + number) % len(prompts)] for number in range(size)]
            dice.shuffle(hand)
            kind = SdkPerson if at == 0 else Person
            url = urls[at % len(urls)]
            made.append(kind(name, tokens[name], url, folder / "people", hand, timeout=self.asked.timeout))
        return made

    def one_more(self):
        """Somebody has a clip."""
        with self.changed:
            self.finished += 1
            self.changed.notify_all()

    def kill(self, gateways, count, calls):
        """Kill a gateway again and again, evenly over the calls, and start it again."""
        start = self.finished
        for at in range(count):
            with self.changed:
                self.changed.wait_for(lambda at=at: self.finished - start >= calls * (at + 1) // (count + 2), 300)
            victim = gateways[at % len(gateways)]
            victim.kill()
            victim.start()
        return count

    def wait_until_closed(self, book):
        """Wait until no work is being made or looked for; how many stay unknown."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            rows = book.in_progress()
            if not rows:
                return 0
            if all(row["state"] == "unknown" for row in rows) and time.monotonic() > end - PATIENCE_S + 130:
                return len(rows)
            time.sleep(0.5)
        return len(book.in_progress())

    def settle_lost(self, folder, url):
        """Close what the service never heard of, as a teacher does who has looked at the bill."""
        client = Client(upstream.KEY, url, folder / "archive", notify=len)
        lost = [call for call in client.pending() if call.record == "not found"]
        for call in lost:
            client.settle(call, billed=False)
        return len(lost)

    def figures(self, book, people, before, after):
        """Lay what everybody has beside what the service knows."""
        prompts = after["prompts"][len(before["prompts"]) :]
        spent = {row["name"]: row["spent_usd"] for row in book.everybody()}
        usd = round(after["usd"] - before["usd"], 6)
        clips = [(prompt, clip) for person in people for prompt, clip in person.clips.items()]
        contents = {prompt: {clip for one, clip in clips if one == prompt} for prompt, _ in clips}
        records = {person.name: person.record for person in people}
        receipts = {person.name: person.receipts for person in people}
        ours = [person.name for person in people if not isinstance(person, SdkPerson)]  # who keep receipts
        return {
            "calls": sum(len(person.prompts) for person in people),
            "paid": len(prompts),
            "paid twice": sum(count - 1 for count in Counter(prompts).values()),
            "more than the distinct ones": max(0, len(prompts) - self.asked.distinct),
            "without a clip": sum(len(set(person.prompts) - set(person.clips)) for person in people),
            "wrong clips": sum(len(found) - 1 for found in contents.values())
            + sum(prompt.encode() not in clip for prompt, clip in clips),
            "the service billed": usd,
            "the ledger has": round(book.spent_usd, 6),
            "off by, in dollars": round(abs(usd - book.spent_usd), 6),
            "ledgers unlike the record": sum(abs(spent[one] - sum(records[one].values())) > 1e-6 for one in records),
            "receipts unlike the record": sum(
                cost != records[name].get(call) for name, costs in receipts.items() for call, cost in costs.items()
            ),
            "paid, and asked for again": round(sum(spent[one] - sum(receipts[one].values()) for one in ours), 6),
            "errors that people met": sum(sum(person.errors.values()) for person in people),
            "most often": sum((person.errors for person in people), Counter()).most_common(3),
            "struck": {word: n for word, n in after["struck"].items() if word and not before["struck"].get(word)},
        }


NEVER = ("paid twice", "more than the distinct ones", "without a clip", "wrong clips", "off by, in dollars",
         "ledgers unlike the record", "receipts unlike the record")  # fmt: skip


def main():
    """Run both phases and print the figures."""
    parser = argparse.ArgumentParser(description="A class behind a gateway; the sums at the end must be right.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    for name, count in (("people", 30), ("calls", 600), ("distinct", 200), ("kills", 10), ("gateways", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--postgres", action="store_true", help="the ledger is in a PostgreSQL that is started for it")
    parser.add_argument("--swallowed", type=float, default=FAULTS["swallowed"], help="the share of these")
    parser.add_argument("--phases", nargs="+", default=["quiet", "faulty"])
    parser.add_argument("--timeout", type=float, default=20.0, help="of a person's client")
    parser.add_argument("--seconds", type=float, default=0.5, help="that a clip takes")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)  # noqa: T201
    clean = True
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-"))
        service = stack.enter_context(upstream.spawned("--seconds", asked.seconds))
        school = School(Path(name), asked, stack.enter_context(Postgres()) if asked.postgres else None)
        for phase in asked.phases:
            figures = school.run(service, phase, faulty=phase == "faulty")
            clean = clean and not any(figures[one] for one in NEVER)
            print(phase, *(f"  {label:28} {value}" for label, value in figures.items()), sep="\n", flush=True)  # noqa: T201
    print("clean" if clean else "NOT CLEAN", f"seed {asked.seed}")  # noqa: T201
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
