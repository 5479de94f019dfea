"""A service on 127.0.0.1 whose answers a test writes."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vidu_nb.request import MODEL


class Service(ThreadingHTTPServer):
    """Answers each call as `answer` does, which gets the call: ``call.command``, ``call.path``, ``call.say(bytes)``."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Call)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answer = answer
        self.calls = []  # their paths
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def posts(self):
        """The calls for a clip."""
        return [path for path in self.calls if path.endswith(MODEL)]

    def handle_error(self, *_):
        """Callers that hang up are what the tests are about."""


class Call(BaseHTTPRequestHandler):
    """One call of a `Service`."""

    def do_POST(self):
        """Take the body, and answer."""
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self):
        """Answer."""
        self.server.calls.append(self.path)
        self.server.answer(self)

    def say(self, data, *, status=200, promised=0, cost=None):
        """Answer with these bytes, and so many more promised."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) + promised))
        if cost is not None:
            self.send_header("x-cost", str(cost))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""
