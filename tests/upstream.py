"""A paid service on 127.0.0.1 that costs next to nothing to run: v1, v2, its record of calls, and the truth.

    with Upstream(seconds=0.1) as service: ...            # in this process
    with spawned("--seconds", "20") as service: ...       # as a process of its own: `python tests/upstream.py`

Each call for a clip costs `PRICE_USD` and brings an MP4 of its own. A word in brackets in a prompt decides what becomes
of it: ``[fails]``, ``[fails at 0.2]`` (dollars), ``[costs 0.7]``, ``[costs nothing told]``, ``[never listed]`` in the
record; see `Handler.do_POST` for those that strike the answer, each time or ``[once 500]``. What is not in the prompt
comes from `faults`: a share of the calls for each word.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import io
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from faults import clip
from PIL import Image

from vidu_nb import models

PRICE_USD = 0.5
KEY = "SG_not-a-real-key-for-tests"
MOST_CALLS = 100_000


class Job:
    """One call that was taken."""

    def __init__(self, name, model, inputs, seconds):
        self.name, self.model, self.inputs = name, model, inputs
        self.prompt = str(inputs.get("prompt"))
        self.created = datetime.now(UTC)
        self.ready = time.monotonic() + seconds
        told = re.search(r"\[(?:costs|fails at) ([0-9.]+)\]", self.prompt)
        self.fails = "[fails" in self.prompt
        self.usd = float(told[1]) if told else 0.0 if self.fails else PRICE_USD
        self.tells = "[costs nothing told]" not in self.prompt
        self.is_picture = models[model].returns == "image" if model in models else False
        self.is_lost = "[never listed]" in self.prompt

    @property
    def status(self):
        """How far it is."""
        return "PROCESSING" if time.monotonic() < self.ready else "FAILED" if self.fails else "COMPLETED"

    @functools.cached_property
    def file(self):
        """Its MP4 or PNG, unlike that of any other call."""
        if not self.is_picture:
            return clip(f"{self.name} {self.prompt}")
        colour = int(hashlib.sha256(self.name.encode()).hexdigest()[:6], 16)
        buffer = io.BytesIO()
        Image.new("RGB", (512, 512), f"#{colour:06x}").save(buffer, "PNG")
        return buffer.getvalue()

    @property
    def link(self):
        """Where it lies."""
        return f"/v1/files/{self.name}.{'png' if self.is_picture else 'mp4'}"


class Upstream(ThreadingHTTPServer):
    """The service; `jobs` holds what was taken, `posts` counts what arrived."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, *, port=0, seconds=0.0, faults=None, seed=0, has_queue=True):
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seconds, self.has_queue = seconds, has_queue
        self.faults, self.dice = faults or {}, random.Random(seed)
        self.jobs, self.posts, self.struck = {}, 0, {}
        self.headers = []  # of the calls for clips
        self._seen = set()
        self.gate = threading.Event()  # closed: calls for a clip wait before they are taken
        self.gate.set()
        self.lock = threading.Lock()
        self.arrived = threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def usd(self):
        """What was billed."""
        return round(sum(job.usd for job in list(self.jobs.values())), 6)

    def truth(self):
        """What happened, as JSON has it."""
        jobs = list(self.jobs.values())
        return {
            "posts": self.posts,
            "usd": self.usd,
            "struck": dict(self.struck),
            "prompts": [job.prompt for job in jobs],
            "names": [job.name for job in jobs],
        }

    def take(self, model, inputs):
        """Take a call."""
        with self.lock:
            assert len(self.jobs) < MOST_CALLS
            job = Job(f"job-{len(self.jobs) + 1:05d}", model, inputs, self.seconds)
            self.jobs[job.name] = job
        return job

    def count(self, prompt):
        """Note a call that arrived, and choose what strikes it."""
        with self.lock:
            self.posts += 1
            word = self._word(prompt)
            self.struck[word] = self.struck.get(word, 0) + 1
        with self.arrived:
            self.arrived.notify_all()
        return word

    def wait_for_posts(self, count, timeout=30):
        """Wait until so many calls for a clip have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.posts >= count, timeout)

    def _word(self, prompt):
        asked = re.search(r"\[(once )?(429|500|503|401|403|404|406|lost|swallowed)\]", prompt)
        if asked:
            is_first = prompt not in self._seen
            self._seen.add(prompt)
            return asked[2] if is_first or not asked[1] else ""
        throw = self.dice.random()
        for word, share in self.faults.items():
            throw -= share
            if throw < 0:
                return word
        return ""

    def handle_error(self, *_):
        """Callers that hang up are what the tests are about."""


REFUSED = {
    "429": (429, "slow down"), "500": (500, "it broke"), "401": (401, "API key invalid"),
    "403": (403, "not for this team"), "404": (404, "no such model"), "406": (406, "Insufficient credits"),
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    server: Upstream

    def do_POST(self):
        """Take a call for a clip, or do as a word says.

        A status takes nothing, but for ``503``, which takes it, as ``lost`` does, where no answer comes; ``swallowed``
        takes nothing and answers nothing.
        """
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            self.server.faults = body
            self.say(200, {})
            return
        _, version, model = self.path.split("/")
        if version == "v2" and not self.server.has_queue:
            self.say(404, {"error": "no such route"})
            return
        word = self.server.count(str(body.get("prompt")))
        self.server.headers.append(dict(self.headers))
        self.server.gate.wait(60)
        if word in REFUSED:
            status, message = REFUSED[word]
            self.say(status, {"error": message}, {"retry-after": "0"} if status == 429 else {})
            return
        if word == "swallowed":
            self.hang_up()
            return
        job = self.server.take(model, body)
        if word == "lost":
            self.hang_up()
        elif word == "503":
            self.say(503, {"error": "upstream request timeout"})
        elif version == "v2":
            root = f"{self.server.url}/v2/requests/{job.name}"
            ticket = {"request_id": job.name, "status": "QUEUED", "poll_url": root, "response_url": root}
            self.say(200, {**ticket, "status_url": f"{root}/status"})
        else:
            self.wait_and_say(job)

    def wait_and_say(self, job):
        """Answer a direct call when it is done."""
        time.sleep(max(0.0, job.ready - time.monotonic()))
        if job.fails:
            self.say(422, {"error": "the job failed"})
        else:
            cost = {"x-cost": str(job.usd)} if job.tells else {}
            self.say(200, job.file, {"x-request-id": job.name, **cost})

    def do_GET(self):
        """Tell of a job, of all of them, or hand out a clip."""
        parts = urlsplit(self.path)
        match parts.path.strip("/").split("/"):
            case ["truth"]:
                self.say(200, self.server.truth())
            case ["v1", "get-user-credits"]:
                self.say(200, {"credits": 1000.0 - self.server.usd, "free-credits": 0})
            case ["v1", "files", name] if name[:-4] in self.server.jobs:
                self.say(200, self.server.jobs[name[:-4]].file)
            case ["v2", "requests", name, "status"] if name in self.server.jobs:
                self.tell(self.server.jobs[name])
            case ["v2", "requests", name] if name in self.server.jobs:
                self.tell(self.server.jobs[name])
            case ["inference-request", "request-history", name] if name in self.server.jobs:
                self.say(200, self.row(self.server.jobs[name]))
            case ["inference-request", "request-history"]:
                self.history(parse_qs(parts.query))
            case _:
                self.say(404, {"error": "no such thing"})

    def tell(self, job):
        """Answer what became of a job."""
        metrics = {"cost": job.usd} if job.tells else {}
        report = {"request_id": job.name, "status": job.status, "metrics": metrics}
        if job.status == "COMPLETED":
            report |= {"output": f"{self.server.url}{job.link}", "seed": 7}
        elif job.status == "FAILED":
            report |= {"error": "the job failed"}
        self.say(422 if job.status == "FAILED" else 200, report)

    def history(self, query):
        """Answer a page of the record."""
        page, count = int(query["page"][0]), int(query.get("per_page", ["20"])[0])
        jobs = [job for job in reversed(list(self.server.jobs.values())) if not job.is_lost]
        rows = [self.row(job) for job in jobs[(page - 1) * count : page * count]]
        self.say(200, {"page": page, "per_page": count, "total": len(jobs), "data": rows})

    def row(self, job):
        """A job as the record has it."""
        link = f"{self.server.url}{job.link}" if job.status == "COMPLETED" else None
        return {
            "request_id": job.name,
            "model_name": job.model,
            "model_status": job.status.replace("PROCESSING", "PENDING"),
            "credits_deduction": 0.0 if job.status == "PROCESSING" else job.usd,
            "request_body": job.inputs,
            "generation_url": link,
            "model_created": job.created.isoformat(timespec="milliseconds"),
            "error": "the job failed" if job.status == "FAILED" else None,
        }

    def hang_up(self):
        """Answer nothing."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def say(self, status, body, headers=()):
        """Answer with JSON, or with bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for header in {"Content-Length": str(len(data)), **dict(headers)}.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


class Spawned:
    """The service as a process of its own."""

    def __init__(self, process):
        self.process = process
        self.url = process.stdout.readline().strip()

    def truth(self):
        """What happened."""
        with urlopen(f"{self.url}/truth", timeout=60) as answer:
            return json.load(answer)

    def control(self, **faults):
        """Choose the faults: a share of the calls for each word."""
        asked = Request(f"{self.url}/control", json.dumps(faults).encode(), {"Content-Type": "application/json"})
        urlopen(asked, timeout=60).close()


@contextlib.contextmanager
def spawned(*options):
    """A service that ends with the block."""
    command = [sys.executable, __file__, *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Spawned(process)
        finally:
            process.terminate()


def main():
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--direct", action="store_true", help="no queue")
    asked = parser.parse_args()
    server = Upstream(seconds=asked.seconds, seed=asked.seed, has_queue=not asked.direct)
    print(server.url, flush=True)  # noqa: T201
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
