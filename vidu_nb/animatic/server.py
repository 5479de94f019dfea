"""The service's HTTP API on 127.0.0.1, answered by the preview engine.

    POST /v1/vidu-q1-reference-to-video   a clip: MP4 bytes; with ?format=json, or where only JSON is accepted, a URL
    GET  /v1/get-user-credits             {"credits": ..., "free-credits": ...}
    GET  /v1/files/NAME.mp4               a clip that a JSON answer named; no key, an unguessable name
    GET  /health                          {"status": "ok", ...}; no key

A web page in the same person's browser can reach this machine's ports. Against that stand the key, the content type,
no CORS headers, and an allow-list for Host (DNS rebinding makes a stranger's page same-origin with us, but can't change
the Host that it sends).
"""

from __future__ import annotations

import functools
import hmac
import json
import os
import re
import secrets
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import unquote

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..errors import InvalidRequest, ViduError
from ..pictures import MAX_BODY_BYTES
from ..request import MAX_SEED, MODEL, NAMES_HEADER, VideoRequest
from .engine import make_clip
from .images import AddressRule, is_public
from .render import Cancelled

HOSTS = ("127.0.0.1", "localhost", "::1")
BODY_TIMEOUT = 60.0  # s for a request's body to arrive
PRICE = 0.5  # play money a clip, where the server was given credits to run down
_RENDERS_AT_ONCE = 2
_KEPT_FILES = 16


class Credits:
    """A purse of play money; without a limit every clip is free.

    Parameters
    ----------
    amount
        Credits in the purse, None for no limit.
    """

    def __init__(self, amount: float | None) -> None:
        self.cost = 0.0 if amount is None else PRICE
        self._left = 100.0 if amount is None else float(amount)
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """What remains."""
        return round(self._left, 6)

    def take(self) -> bool:
        """Reserve one clip's cost; False where the purse holds too little."""
        with self._lock:
            if self._left < self.cost:
                return False
            self._left -= self.cost
            return True

    def give_back(self) -> None:
        """Return the cost of a clip that was not made."""
        with self._lock:
            self._left += self.cost


class API:
    """The routes, and what they share: the key, the purse, and the files that JSON answers named."""

    def __init__(self, key: str, *, credits: float | None = None, allow: AddressRule = is_public) -> None:
        self.key = key
        self.purse = Credits(credits)
        self.allow = allow
        self.files: OrderedDict[str, bytes] = OrderedDict()
        self.renders = anyio.CapacityLimiter(_RENDERS_AT_ONCE)

    async def generate(self, request: Request) -> Response:
        """POST /v1/{model}."""
        self._check_key(request)
        if request.path_params["model"] != MODEL:
            raise HTTPException(404, f"no model {request.path_params['model'][:80]!r} here; there is {MODEL!r}")
        wanted = VideoRequest.from_payload(await _json_body(request), names=_names(request))
        if not self.purse.take():
            raise HTTPException(
                406, f"Insufficient credits: {self.purse.left:g} left, a clip costs {self.purse.cost:g}"
            )
        started, made = time.monotonic(), False
        seed = wanted.seed or secrets.randbelow(MAX_SEED) + 1
        try:
            clip = await self._render(wanted, seed, request)
            made = True
        finally:
            if not made:
                self.purse.give_back()
        headers = {
            "x-cost": f"{self.purse.cost:g}",
            "x-generation-time": f"{time.monotonic() - started:.3f}",
            "x-seed-value": str(seed),
        }
        if not _wants_json(request):
            return Response(clip, media_type="video/mp4", headers=headers)
        name = f"{secrets.token_urlsafe(24)}.mp4"
        self.files[name] = clip
        while len(self.files) > _KEPT_FILES:
            self.files.popitem(last=False)
        url = str(request.url.replace(path=f"/v1/files/{name}", query=""))
        return JSONResponse(
            {"video": {"url": url, "content_type": "video/mp4", "file_size": len(clip)}}, headers=headers
        )

    async def _render(self, wanted: VideoRequest, seed: int, request: Request) -> bytes:
        """Render in a worker thread; a caller that hangs up ends the work."""
        gone = threading.Event()

        async def watch() -> None:
            while not gone.is_set():
                if (await request.receive())["type"] == "http.disconnect":
                    gone.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            work = functools.partial(make_clip, wanted, seed=seed, allow=self.allow, cancelled=gone.is_set)
            result, problem = b"", None
            try:
                result = await anyio.to_thread.run_sync(work, limiter=self.renders)
            except ViduError as error:
                problem = error  # raised below: a task group would wrap it
            tasks.cancel_scope.cancel()
        if problem:
            raise problem
        return result

    async def credits(self, request: Request) -> Response:
        """GET /v1/get-user-credits."""
        self._check_key(request)
        return JSONResponse({"credits": self.purse.left, "free-credits": 0.0})

    async def file(self, request: Request) -> Response:
        """GET /v1/files/{name}."""
        clip = self.files.get(request.path_params["name"])
        if clip is None:
            raise HTTPException(404, "no such file; it may have expired")
        return Response(clip, media_type="video/mp4")

    async def health(self, _request: Request) -> Response:
        """GET /health."""
        return JSONResponse({"status": "ok", "engine": "preview", "version": __version__})

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("x-api-key")
        if given is None:
            hint = " (a Bearer token is not read)" if "authorization" in request.headers else ""
            raise HTTPException(401, f"API key missing: send it as x-api-key{hint}")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.key.encode()):
            raise HTTPException(401, "API key invalid")

    def app(self, ready: threading.Event | None = None) -> ASGIApp:
        """The ASGI application; `ready` is set once it runs."""

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            if ready:
                ready.set()
            yield

        routes = [
            Route("/v1/get-user-credits", self.credits, methods=["GET"]),
            Route("/v1/files/{name}", self.file, methods=["GET"]),
            Route("/v1/{model}", self.generate, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
        ]
        handlers: Any = {HTTPException: _http_error, ViduError: _own_error, Exception: _bug}
        return _Guard(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), self)


class _Guard:
    """Refuses unknown hosts before anything is read, and signs every answer with the headers that the service sends."""

    def __init__(self, app: ASGIApp, api: API) -> None:
        self.app = app
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        signature = {
            "x-request-id": secrets.token_hex(12),
            "x-vidu-engine": "preview",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }

        async def signed(message: Any) -> None:
            if message["type"] == "http.response.start":
                said = {**signature, "x-remaining-credits": f"{self.api.purse.left:g}"}
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in said.items())]
            await send(message)

        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or _host_of(hosts[0]) not in HOSTS:
            refusal = _error(400, "this server answers to 127.0.0.1 and localhost only")
            await refusal(scope, receive, signed)
            return
        await self.app(scope, receive, signed)


def _host_of(header: str) -> str:
    """The host in a Host header, empty for anything but a host and a port (a user name or a path, say)."""
    found = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", header)
    return found[1].strip("[]").lower() if found else ""


async def _json_body(request: Request) -> Any:
    """The request's JSON, with the limits that the service has; plain JSON only (no NaN)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(406, "wrong content type: send Content-Type: application/json")
    body = bytearray()
    too_large = f"the body is over the limit of {MAX_BODY_BYTES // 1_000_000} MB"
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, too_large, headers={"connection": "close"})
    try:
        with anyio.fail_after(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, too_large, headers={"connection": "close"})
    except ClientDisconnect:
        raise HTTPException(499, "the caller hung up") from None
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {BODY_TIMEOUT:g} s") from None
    try:
        return json.loads(bytes(body), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _NotJSON) else "it can't be parsed"
    raise HTTPException(400, f"the body is not JSON: {what}")


class _NotJSON(ValueError):
    pass


def _no_constant(name: str) -> None:
    raise _NotJSON(f"{name} is no JSON value")


def _names(request: Request) -> list[str]:
    """The pictures' names, which our own client tells beside the API's body; prompts refer to pictures by them."""
    return [unquote(name) for name in request.headers.get(NAMES_HEADER, "").split("/")]


def _wants_json(request: Request) -> bool:
    """True for ?format=json, or an Accept header that takes JSON and neither MP4 nor anything."""
    if "format" in request.query_params:
        return request.query_params["format"] == "json"
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")}
    return "application/json" in accepted and not accepted & {"*/*", "video/*", "video/mp4"}


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status, headers=headers)


async def _http_error(request: Request, error: HTTPException) -> Response:
    message = str(error.detail)
    if error.status_code == 404 and message == "Not Found":
        message = f"nothing at {request.url.path[:80]!r}"
    elif error.status_code == 405:
        message = f"{request.method} is not allowed here"
    return _error(error.status_code, message, dict(error.headers or {}))


async def _own_error(_request: Request, error: ViduError) -> Response:
    if isinstance(error, InvalidRequest):
        return _error(400, error.message)
    return _error(499 if isinstance(error, Cancelled) else 500, error.message)  # 499: nobody is left to read it


async def _bug(_request: Request, error: Exception) -> Response:
    return _error(500, f"internal error: {type(error).__name__}")


class PreviewServer:
    """The API on a port of 127.0.0.1.

    Parameters
    ----------
    port
        0 takes a free one.
    key
        What callers must send as ``x-api-key``; a random one by default.
    credits
        Play money to run down, half a credit a clip; None for no limit.
    allow
        Which addresses a reference's URL may lead to.

    >>> with PreviewServer() as server:
    ...     server.base_url
    'http://127.0.0.1:...'
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        credits: float | None = None,
        allow: AddressRule = is_public,
    ) -> None:
        self.key = key or secrets.token_urlsafe(24)
        self.api = API(self.key, credits=credits, allow=allow)
        self.ready = threading.Event()
        # Bound and listening from here on: a caller who knows the address never meets a closed door.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self.api.app(self.ready), log_level="warning", access_log=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=2, lifespan="on",
            proxy_headers=False,  # a caller must not choose the scheme of the URLs that we hand out
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve in this thread until SIGINT or SIGTERM."""
        self._server.run(sockets=[self._socket])

    def start(self) -> Self:
        """Serve in a thread of its own; returns when it answers."""
        self._thread = threading.Thread(target=self.run, name="vidu-nb preview server", daemon=True)
        self._thread.start()
        if not self.ready.wait(timeout=30):
            raise ViduError("the preview server did not start", remedy="Restart the kernel.")
        return self

    def stop(self) -> None:
        """End the thread; a render in progress is cancelled with its connection."""
        self._server.should_exit = True
        if self._thread:
            self._thread.join(timeout=10)
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def embedded() -> PreviewServer:
    """The process's own server, started at the first call and shared from then on."""
    return _embedded(os.getpid())


@functools.lru_cache(maxsize=1)
def _embedded(_process: int) -> PreviewServer:
    # By process: a forked child has the parent's memory, but not its threads.
    return PreviewServer().start()
