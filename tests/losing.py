"""A proxy on 127.0.0.1 that carries each connection to a server, and on the way back loses what a test tells it to."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit


class Losing:
    """Carries connections to the server at a URL; ``lose`` says how many of the next answers to a POST are lost.

    The request arrives whole and the answer is read to its end, so the server has nothing to notice. Of those that are
    lost, so many as ``swallow`` says never arrive.
    """

    def __init__(self, url, *, lose=0):
        self._to = urlsplit(url).hostname, urlsplit(url).port
        self.lose, self.swallow, self.posts, self.gets = lose, 0, 0, []
        self.before = len  # called with each request's path
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(caller,), daemon=True).start()

    def _carry(self, caller):
        with caller:
            head, body = _read(caller)
            if not head:
                return
            method, path = head.decode().split(" ")[:2]
            self.before(path)
            if self._is_swallowed(method):
                return
            with socket.create_connection(self._to) as server:
                lines = [
                    line for line in head.split(b"\r\n") if not line.lower().startswith((b"host:", b"connection:"))
                ]
                host = b"Host: 127.0.0.1:%d" % self._to[1]
                server.sendall(b"\r\n".join([lines[0], host, b"Connection: close", *lines[1:]]) + b"\r\n\r\n" + body)
                answer = b"".join(iter(lambda: server.recv(65536), b""))
            if not self._is_lost(method, path):
                caller.sendall(answer)

    def _is_swallowed(self, method):
        with self._lock:
            if method != "POST" or not self.swallow:
                return False
            self.swallow, self.lose, self.posts = self.swallow - 1, self.lose - 1, self.posts + 1
            return True

    def _is_lost(self, method, path):
        with self._lock:
            if method != "POST":
                self.gets.append(path)
                return False
            self.posts += 1
            self.lose -= 1
            return self.lose >= 0


def _read(caller):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = caller.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    size = int(lengths[0]) if lengths else 0
    while len(body) < size:
        body += caller.recv(65536)
    return head, body
