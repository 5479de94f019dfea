"""The routes of the preview server, and what they share.

POST /v1/{model}                 a clip: MP4 bytes; with ?format=json, or where only JSON is accepted, a URL
POST /v2/{model}                 the same in a queue: where to ask how far it is, and for the clip
GET  /v2/requests/{id}/status    how far it is
GET  /v2/requests/{id}           the clip's URL, once it is made
POST /upload-asset               pictures to be named in requests
GET  /v1/get-user-credits        {"credits": ..., "free-credits": ...}
GET  /v1/files/NAME.mp4          a clip that an answer named; no key, an unguessable name
GET  /v1/assets/NAME             a picture that was uploaded; likewise
GET  /openapi.json, /health      what there is, and that it is there; no key
"""

from __future__ import annotations

import asyncio
import base64
import functools
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .._version import __version__
from ..errors import InvalidRequest
from ..references.images import media_type
from ..references.reference import MAX_REFERENCES, Reference
from ..request import DRAFT, MAX_SEED, MODEL, NAMES_HEADER, VideoRequest
from .engine import make_clip
from .fetching import AddressRule, is_public
from .holdings import Credits, Lease, Room, Shelf
from .jobs import WAITING, Job, Jobs
from .openapi import document
from .wire import HANDLERS, HOSTS, Guard, check_key, grow, parse, read_body, wants_json, words_for

T = TypeVar("T")

RECORD_SECONDS = 3600.0  # a queued request is remembered for
_RECORDS = 256
_MB = 1_000_000


@dataclass(frozen=True)
class Record:
    """A request in the queue: its job, whose result is the clip's name and size."""

    job: Job[tuple[str, int]]
    seed: int
    made: float


class API:
    """The routes, and what they share: the key, the purse, the line of renders, and the files that answers named.

    Parameters
    ----------
    key
        What callers must send as ``x-api-key``.
    credits
        Play money to run down, half a credit a clip; None for no limit.
    allow
        Which addresses a reference's URL may lead to.
    waiting
        Renders that may wait for their turn.
    """

    def __init__(
        self, key: str, *, credits: float | None = None, allow: AddressRule = is_public, waiting: int = WAITING
    ) -> None:
        self.key = key
        self.purse = Credits(credits)
        self.allow = allow
        self.jobs = Jobs(waiting=waiting)
        self.files = Shelf(count=64, size=128 * _MB)
        self.assets = Shelf(count=64, size=128 * _MB)
        self.room = Room(160 * _MB)
        self.records: OrderedDict[str, Record] = OrderedDict()
        self._readers = anyio.CapacityLimiter(2)

    # Clips.

    async def generate(self, request: Request) -> Response:
        """POST /v1/{model}."""
        job, seed = await self._accept(request, lambda clip: clip)
        clip = await self._until_done(job, request)
        headers = {
            "x-cost": f"{self.purse.cost:g}",
            "x-generation-time": f"{job.times['total_time']:.3f}",
            "x-seed-value": str(seed),
        }
        if not wants_json(request):
            return Response(clip, media_type="video/mp4", headers=headers)
        name = self.files.keep(clip, "mp4")
        return JSONResponse({"video": _video(request, name, len(clip))}, headers=headers)

    async def enqueue(self, request: Request) -> Response:
        """POST /v2/{model}."""
        job, seed = await self._accept(request, lambda clip: (self.files.keep(clip, "mp4"), len(clip)))
        name = secrets.token_hex(16)
        self.records[name] = Record(job, seed, time.monotonic())
        while len(self.records) > _RECORDS:  # far more than the line is long: the oldest has ended
            self.records.popitem(last=False)
        response_url = _here(request, f"/v2/requests/{name}")
        status_url = f"{response_url}/status"
        told = {"request_id": name, "status": "QUEUED", "poll_url": status_url, "status_url": status_url}
        return JSONResponse(told | {"response_url": response_url}, headers={"x-request-id": name})

    async def _accept(self, request: Request, finish: Callable[[bytes], T]) -> tuple[Job[T], int]:
        """A job for a request, and its seed; `finish` makes the clip's bytes into the job's result."""
        check_key(request, self.key)
        model = request.path_params["model"]
        if model not in (MODEL, DRAFT):
            raise HTTPException(404, f"no model {model[:80]!r} here; there is {MODEL!r} and its preview's {DRAFT!r}")
        with ExitStack() as undo:
            lease = Lease(self.room)
            undo.callback(lease.end)
            body = await read_body(request, lease)
            # Twenty megabytes of JSON and base64 take a while: others are answered meanwhile.
            wanted = await anyio.to_thread.run_sync(self._wanted, request, body, lease, limiter=self._readers)
            seed = wanted.seed or secrets.randbelow(MAX_SEED) + 1
            if not self.purse.take():
                left, cost = self.purse.left, self.purse.cost
                raise HTTPException(406, f"Insufficient credits: {left:g} left, a clip costs {cost:g}")
            undo.callback(self.purse.give_back)
            make = functools.partial(make_clip, wanted, seed=seed, allow=self.allow, draft=model == DRAFT)

            def settle(went_well: bool) -> None:
                lease.end()
                if not went_well:
                    self.purse.give_back()

            job = self.jobs.submit(lambda **hooks: finish(make(**hooks)), settle)
            undo.pop_all()
        return job, seed

    def _wanted(self, request: Request, body: bytearray, lease: Lease) -> VideoRequest:
        """The request in a body, with the pictures themselves in place of the URLs that `upload` gave."""
        said = parse(body)
        urls = said.get("image_urls") if isinstance(said, dict) else None
        for number, url in enumerate(urls[:MAX_REFERENCES] if isinstance(urls, list) else ()):
            name = _asset_name(request, url)
            if not name:
                continue
            data = self.assets.get(name)
            if data is None:
                where = f"image_urls[{number}]"
                raise InvalidRequest(f"{where}: there is no such upload any more: upload it anew", field=where)
            text = f"data:image/{media_type(data)};base64,{base64.b64encode(data).decode()}"
            grow(lease, len(text))
            said["image_urls"][number] = text
        return VideoRequest.from_payload(said, names=_names(request))

    async def _until_done(self, job: Job[T], request: Request) -> T:
        """What came of a job; a caller who hangs up ends the work."""

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            self.jobs.cancel(job)

        watcher = asyncio.create_task(watch())
        try:
            return await asyncio.wrap_future(job.done)
        finally:
            watcher.cancel()
            self.jobs.cancel(job)

    # The queue.

    async def status(self, request: Request) -> Response:
        """GET /v2/requests/{id}/status."""
        return self._tell(request, self._record(request))

    async def result(self, request: Request) -> Response:
        """GET /v2/requests/{id}."""
        record = self._record(request)
        if record.job.status != "COMPLETED":
            return self._tell(request, record, unfinished=202)
        name, size = record.job.done.result()
        if self.files.get(name) is None:
            raise HTTPException(404, "this clip was given up for newer ones: ask for it anew")
        video = _video(request, name, size)
        return self._tell(request, record, output=video["url"], video=video, seed=record.seed)

    def _tell(self, request: Request, record: Record, *, unfinished: int = 200, **more: Any) -> Response:
        job = record.job
        told = {"request_id": request.path_params["id"], "status": job.status, "progress": round(job.progress, 3)}
        if not job.done.done():
            return JSONResponse(told, unfinished)
        problem = job.done.exception()
        cost = 0.0 if problem else self.purse.cost
        told |= more | {"metrics": {"cost": cost, "remaining_credits": self.purse.left, **job.times}}
        return JSONResponse(told | {"error": words_for(problem)[1]}, 422) if problem else JSONResponse(told)

    def _record(self, request: Request) -> Record:
        check_key(request, self.key)
        record = self.records.get(request.path_params["id"])
        if record is None or time.monotonic() - record.made > RECORD_SECONDS:
            self.records.pop(request.path_params["id"], None)
            raise HTTPException(404, "no such request; it may have expired")
        return record

    # Files, and what is told of the whole.

    async def upload(self, request: Request) -> Response:
        """POST /upload-asset."""
        check_key(request, self.key)
        lease = Lease(self.room)
        try:
            body = await read_body(request, lease)
            names = await anyio.to_thread.run_sync(self._keep_uploads, body, limiter=self._readers)
        finally:
            lease.end()
        urls = [_here(request, f"/v1/assets/{name}") for name in names]
        return JSONResponse(
            {"urls": urls, "file_urls": urls, "message": f"{len(urls)} kept, until newer ones need the room"}
        )

    def _keep_uploads(self, body: bytearray) -> list[str]:
        said = parse(body)
        uris = said.get("data_urls") if isinstance(said, dict) and len(said) == 1 else None
        if not isinstance(uris, list) or not 1 <= len(uris) <= MAX_REFERENCES:
            told = f'the body must read {{"data_urls": [...]}}, with one to {MAX_REFERENCES} data: URIs'
            raise InvalidRequest(told, field="data_urls")
        checked = []
        for number, uri in enumerate(uris):
            problem = "must be a data: URI"
            if isinstance(uri, str) and uri.startswith("data:"):
                try:
                    checked.append(Reference.from_wire(uri).bytes)
                    continue
                except InvalidRequest as error:
                    problem = error.message
            raise InvalidRequest(f"data_urls[{number}]: {problem}", field=f"data_urls[{number}]")
        return [self.assets.keep(data, media_type(data)) for data in checked]  # all of them or none

    async def file(self, request: Request) -> Response:
        """GET /v1/files/{name}."""
        return _served(self.files.get(request.path_params["name"]), lambda _data: "video/mp4")

    async def asset(self, request: Request) -> Response:
        """GET /v1/assets/{name}."""
        return _served(self.assets.get(request.path_params["name"]), lambda data: f"image/{media_type(data)}")

    async def credits(self, request: Request) -> Response:
        """GET /v1/get-user-credits."""
        check_key(request, self.key)
        return JSONResponse({"credits": self.purse.left, "free-credits": 0.0})

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        return JSONResponse(document(_here(request, "")))

    async def health(self, _request: Request) -> Response:
        """GET /health."""
        return JSONResponse({"status": "ok", "engine": "preview", "version": __version__})

    def app(self, ready: threading.Event | None = None) -> ASGIApp:
        """The ASGI application; `ready` is set once it runs."""

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            if ready:
                ready.set()
            yield

        routes = [
            Route("/v1/get-user-credits", self.credits, methods=["GET"]),
            Route("/v1/get-user-credits", _no_model, methods=["POST"]),
            Route("/v1/files/{name}", self.file, methods=["GET"]),
            Route("/v1/assets/{name}", self.asset, methods=["GET"]),
            Route("/v1/{model}", self.generate, methods=["POST"]),
            Route("/v2/requests/{id}/status", self.status, methods=["GET"]),
            Route("/v2/requests/{id}", self.result, methods=["GET"]),
            Route("/v2/{model}", self.enqueue, methods=["POST"]),
            Route("/upload-asset", self.upload, methods=["POST"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
        ]
        app = Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=lifespan)
        app.router.redirect_slashes = False  # an address that is nearly right is told to be wrong, like any other
        return Guard(app, lambda: self.purse.left)


async def _no_model(_request: Request) -> Response:
    # Without this, the route for models would take it for one.
    raise HTTPException(405, headers={"allow": "GET, HEAD"})


def _served(data: bytes | None, kind: Callable[[bytes], str]) -> Response:
    if data is None:
        raise HTTPException(404, "no such file; it may have expired")
    return Response(data, media_type=kind(data))


def _here(request: Request, path: str) -> str:
    """The absolute URL of a path, under the name that the caller knows us by."""
    return str(request.url.replace(path=path, query=""))


def _video(request: Request, name: str, size: int) -> dict[str, Any]:
    url = _here(request, f"/v1/files/{name}")
    return {"url": url, "content_type": "video/mp4", "file_name": name, "file_size": size}


def _asset_name(request: Request, url: object) -> str:
    """The name in a URL that `upload` gave; empty for any other, which is then fetched under guard or refused."""
    if not isinstance(url, str) or "/v1/assets/" not in url[:256]:  # nearly all: megabytes are not taken apart
        return ""
    try:
        parts = urlsplit(url)
        ours = parts.scheme == "http" and parts.hostname in HOSTS and (parts.port or 80) == _port(request)
    except ValueError:
        return ""
    return parts.path.removeprefix("/v1/assets/") if ours and parts.path.startswith("/v1/assets/") else ""


def _port(request: Request) -> int:
    """The port that the caller knows us by, and that our URLs name."""
    return request.url.port or 80


def _names(request: Request) -> list[str]:
    """The pictures' names, which our own client tells beside the API's body; prompts refer to pictures by them."""
    return [unquote(name) for name in request.headers.get(NAMES_HEADER, "").split("/")]
