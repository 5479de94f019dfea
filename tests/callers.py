"""Callers of a preview server: with its key, byte by byte, or waiting for something to come about."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time

import requests

from vidu_nb.request import MODEL

ROUTE = f"/v1/{MODEL}"
CORS = {"access-control-allow-origin", "access-control-allow-headers", "access-control-allow-methods"}


def ask(server, method, path, body=None, *, headers=None, key=True):
    """The answer to a request with the server's key; `path` may be a whole URL, `body` is JSON or bytes of it."""
    url = path if path.startswith("http") else server.base_url + path
    headers = ({"x-api-key": server.key} if key else {}) | (headers or {})
    if isinstance(body, bytes | str):
        headers = {"content-type": "application/json"} | headers
        return requests.request(method, url, data=body, headers=headers, timeout=120)
    return requests.request(method, url, json=body, headers=headers, timeout=120)


def refused(answer, status, says=""):
    """Asserts an error in the service's form: JSON with one line in `error`, and nothing for other web pages."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/json"
    payload = answer.json()
    assert list(payload) == ["error"]
    assert says in payload["error"]
    assert "\n" not in payload["error"]
    assert len(payload["error"]) <= 300
    assert not CORS & {name.lower() for name in answer.headers}


def connect(server):
    """A socket that is connected to the server."""
    return socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=120)


def head(*lines, method="POST", path=ROUTE, key="", host="127.0.0.1", length=None):
    """The bytes of a request's head."""
    begin = [f"{method} {path} HTTP/1.1"]
    begin += [f"Host: {host}"] if host is not None else []
    begin += [f"x-api-key: {key}"] if key else []
    begin += ["Content-Type: application/json", f"Content-Length: {length}"] if length is not None else []
    return "\r\n".join([*begin, *lines, "", ""]).encode()


def post(server, body):
    """The bytes of a good request with the server's key."""
    data = json.dumps(body).encode()
    return head(key=server.key, length=len(data)) + data


def exchange(server, data):
    """(status, headers, body) of what comes back for some bytes."""
    with connect(server) as connection:
        with contextlib.suppress(OSError):  # refused before all of it was read: the answer is there all the same
            connection.sendall(data)
        return read_answer(connection)


def read_answer(connection):
    """(status, headers, body) of the next answer on a connection."""
    reader = connection.makefile("rb")
    status = int(reader.readline().split()[1])
    headers = {}
    while line := reader.readline().strip().decode("latin-1"):
        headers[line.partition(":")[0].lower()] = line.partition(":")[2].strip()
    return status, headers, reader.read(int(headers.get("content-length", 0)))


def data_uri(data):
    """A picture's bytes as they stand in a request."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def wait_for(condition, *, seconds=120.0):
    """What a condition gives, as soon as it is true; fails when it never is."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, "it never came about"
        pause.wait(0.02)
    return found
