"""A service with a durable queue on 127.0.0.1: counts what was submitted, and does as it is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vidu_nb.request import MODEL


class QueueStub(ThreadingHTTPServer):
    """Takes jobs; `looks` says what the looks at a job's status bring, one after another, the last one for ever.

    A look is (status, JSON or bytes), ``"cut"`` for a connection that is closed without a word, or a word such as
    ``"PROCESSING"``.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, clip, looks=("QUEUED", "PROCESSING", "COMPLETED"), result=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.clip, self.looks, self.result = clip, list(looks), result
        self.ticket = None  # what a job is answered with, instead of its ticket
        self.strangers = ""  # the host that the ticket's addresses lead to, instead of our own
        self.jobs = {}  # request id: looks so far
        self.keys = []  # (path, whether a key came)
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def submitted(self):
        """How many jobs were taken."""
        return len(self.jobs)

    def handle_error(self, request, client_address):
        """Callers that hang up are what the tests are about."""


class Handler(BaseHTTPRequestHandler):
    """The routes of v2."""

    server: QueueStub

    def do_POST(self):
        """Take a job."""
        stub = self.server
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != f"/v2/{MODEL}":
            self.say(404, {"error": "no such model"})
            return
        with stub.lock:
            name = f"job-{len(stub.jobs) + 1}"
            stub.jobs[name] = 0
        root = f"{stub.strangers or stub.url}/v2/requests/{name}"
        ticket = {"request_id": name, "status": "QUEUED", "poll_url": root, "status_url": f"{root}/status"}
        self.say(200, stub.ticket or {**ticket, "response_url": root})

    def do_GET(self):
        """Tell about a job, or hand out its clip."""
        stub = self.server
        stub.keys.append((self.path, "x-api-key" in self.headers))
        if self.path == "/clip.mp4":
            self.say(200, stub.clip)
            return
        name = self.path.split("/")[3] if self.path.startswith("/v2/requests/") else ""
        if name not in stub.jobs:
            self.say(404, {"error": "no such request"})
        elif self.path.endswith("/status"):
            with stub.lock:
                look = stub.looks[min(stub.jobs[name], len(stub.looks) - 1)]
                stub.jobs[name] += 1
            self.look(look, name)
        else:
            video = {"url": f"{stub.url}/clip.mp4", "content_type": "video/mp4"}
            metrics = {"cost": 0.4, "remaining_credits": 9.6, "inference_time": 118.2}
            told = {"request_id": name, "status": "COMPLETED", "video": video, "seed": 4711, "metrics": metrics}
            self.say(*(stub.result or (200, told)))

    def look(self, look, name):
        """Answer as the script says."""
        if look == "cut":
            self.close_connection = True
            self.connection.close()
        elif isinstance(look, str):
            self.say(200, {"request_id": name, "status": look, "progress": 0.5})
        else:
            self.say(*look)

    def say(self, status, body, headers=()):
        """Answer with JSON, or with bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for header in ("Content-Length", str(len(data))), *headers:
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""
