"""The routes of the preview server, and what they share."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, TypeVar
from urllib.parse import unquote, urlsplit

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ..._version import __version__
from ...errors import InvalidRequest
from ...net.connection import is_this_machine
from ...references.images import media_type
from ...references.reference import MAX_REFERENCES, Reference
from ...request import DRAFT, MAX_SEED, MODEL, NAMES_HEADER, VideoRequest
from ..cancellation import Question
from ..fetching import AddressRule
from .guard import HANDLERS, check_key, parse_json, read_body, status_and_message, wants_json
from .limits import FileStore, Limits, MemoryLimit, PlayMoney, Reservation
from .queue import Progress, RenderJob, RenderQueue
from .ranges import range_response
from .schemas import (
    ANY_ERROR,
    BODY_ERRORS,
    CLIP_ERRORS,
    JOB_FAILED,
    MP4,
    PART,
    PICTURE,
    UNFINISHED,
    UPLOAD_BODY,
    VIDEO_BODY,
    Balance,
    Clip,
    ClipFile,
    Health,
    Metrics,
    QueuedResponse,
    Result,
    Status,
    Uploaded,
    errors,
)

T = TypeVar("T")

#: The models that are served, each with whether it is a draft.
MODELS = {MODEL: False, DRAFT: True}


@dataclass(frozen=True)
class QueuedRequest:
    """A request in the queue: its job, whose result is the clip's name and size."""

    job: RenderJob[tuple[str, int]]
    seed: int
    made: float


@dataclass(eq=False)
class ServerState:
    """What the routes share: the key that callers send, the renderer, and what is held in memory."""

    key: str = field(repr=False)
    money: PlayMoney
    queue: RenderQueue
    limits: Limits
    allow: AddressRule
    render: Callable[..., bytes]

    def __post_init__(self) -> None:
        self.memory = MemoryLimit(self.limits.memory_bytes)
        self.clips = FileStore(count=self.limits.files, size=self.limits.file_bytes)
        self.uploads = FileStore(count=self.limits.files, size=self.limits.file_bytes)
        self.parsers = anyio.CapacityLimiter(2)
        self._requests: OrderedDict[str, QueuedRequest] = OrderedDict()

    def remember(self, request: QueuedRequest) -> str:
        """Keep a queued request for a while; returns the id that finds it."""
        request_id = secrets.token_hex(16)
        self._requests[request_id] = request
        while len(self._requests) > self.limits.requests:  # far more than the queue is long: the oldest has ended
            self._requests.popitem(last=False)
        return request_id

    def find(self, request_id: str) -> QueuedRequest:
        """Return a queued request; 404 where it is unknown or too old."""
        request = self._requests.get(request_id)
        if request is None or time.monotonic() - request.made > self.limits.request_seconds:
            self._requests.pop(request_id, None)
            raise HTTPException(404, "no such request; it may have expired")
        return request


async def _state_of(request: Request) -> ServerState:
    state: ServerState = request.app.state.shared
    return state


State = Annotated[ServerState, Depends(_state_of)]
ModelName = Annotated[
    str, Path(description="The model; the draft is quicker and smaller.", json_schema_extra={"enum": list(MODELS)})
]
RequestId = Annotated[str, Path(description="What the queue answered as `request_id`.")]
FileName = Annotated[str, Path(description="The last part of a URL that a response named.")]
Format = Annotated[str | None, Query(description="`json` for a URL in place of the clip.")]

keyed = APIRouter(dependencies=[Depends(check_key)], responses=errors(401) | ANY_ERROR)
public = APIRouter(responses=ANY_ERROR)


# Money: before the routes for models, one of which would take its name for a model's.


@keyed.get("/v1/get-user-credits")
async def balance(state: State) -> Balance:
    """Return the credits left."""
    return Balance(credits=state.money.balance)


@keyed.post("/v1/get-user-credits", include_in_schema=False)
async def no_model() -> None:
    """Refuse what the route for models would take for one."""
    raise HTTPException(405, headers={"allow": "GET"})


# Clips.


@keyed.post("/v1/{model}", response_model=Clip, responses=MP4 | CLIP_ERRORS, openapi_extra=VIDEO_BODY)
async def generate(request: Request, model: ModelName, state: State, format: Format = None) -> Response:
    """Make a clip and wait for it: its bytes, or its URL where JSON is asked for."""
    job, seed = await _submit(request, model, state, lambda clip: clip)
    clip = await _until_done(job, request, state.queue)
    headers = {
        "x-cost": f"{state.money.price:g}",
        "x-generation-time": f"{job.times['total_time']:.3f}",
        "x-seed-value": str(seed),
    }
    if not wants_json(format, request.headers.get("accept", "*/*")):
        return Response(clip, media_type="video/mp4", headers=headers)
    return _json(Clip(video=_clip_file(request, state.clips.add(clip, "mp4"), len(clip))), headers=headers)


@keyed.post("/v2/{model}", response_model=QueuedResponse, responses=CLIP_ERRORS, openapi_extra=VIDEO_BODY)
async def enqueue(request: Request, model: ModelName, state: State) -> Response:
    """Make a clip in the queue: the URLs of its status and of its result, at once."""
    job, seed = await _submit(request, model, state, lambda clip: (state.clips.add(clip, "mp4"), len(clip)))
    request_id = state.remember(QueuedRequest(job, seed, time.monotonic()))
    status_url, response_url = (str(request.url_for(name, request_id=request_id)) for name in ("status", "result"))
    ticket = QueuedResponse(
        request_id=request_id, poll_url=status_url, status_url=status_url, response_url=response_url
    )
    return _json(ticket, headers={"x-request-id": request_id})


async def _submit(
    request: Request, model: str, state: ServerState, finish: Callable[[bytes], T]
) -> tuple[RenderJob[T], int]:
    """Check a request and queue its render, return the job and the seed; `finish` makes the clip into the result."""
    if model not in MODELS:
        raise HTTPException(404, f"no model {model[:80]!r} here; there is {' and '.join(map(repr, MODELS))}")
    with ExitStack() as undo:
        reservation = Reservation(state.memory)
        undo.callback(reservation.release)
        body = await read_body(request, reservation, seconds=state.limits.body_seconds)
        # Twenty megabytes of JSON and base64 take a while: others are answered meanwhile.
        wanted = await anyio.to_thread.run_sync(_parse, request, body, state, reservation, limiter=state.parsers)
        seed = wanted.seed or secrets.randbelow(MAX_SEED) + 1
        if not state.money.charge():
            balance, price = state.money.balance, state.money.price
            raise HTTPException(406, f"Insufficient credits: {balance:g} left, a clip costs {price:g}")
        undo.callback(state.money.refund)

        def work(progress: Progress, cancelled: Question) -> T:
            draft, allow = MODELS[model], state.allow
            return finish(
                state.render(wanted, seed=seed, draft=draft, allow=allow, progress=progress, cancelled=cancelled)
            )

        def settle(succeeded: bool) -> None:
            reservation.release()
            if not succeeded:
                state.money.refund()

        job = state.queue.submit(work, settle)
        undo.pop_all()
    return job, seed


def _parse(request: Request, body: bytearray, state: ServerState, reservation: Reservation) -> VideoRequest:
    """Return the request in a body, with the pictures themselves in place of the URLs of uploads."""
    payload = parse_json(body)
    urls = payload.get("image_urls") if isinstance(payload, dict) else None
    for number, url in enumerate(urls[:MAX_REFERENCES] if isinstance(urls, list) else ()):
        name = _upload_name(request, url)
        if not name:
            continue
        data = state.uploads.get(name)
        if data is None:
            where = f"image_urls[{number}]"
            raise InvalidRequest(f"{where}: there is no such upload any more: upload it again", field=where)
        uri = f"data:image/{media_type(data)};base64,{base64.b64encode(data).decode()}"
        reservation.grow(len(uri))
        payload["image_urls"][number] = uri
    # Our own client sends the pictures' names beside the API's body: prompts refer to pictures by them.
    names = [unquote(name) for name in request.headers.get(NAMES_HEADER, "").split("/")]
    return VideoRequest.from_payload(payload, names=names)


def _upload_name(request: Request, url: object) -> str:
    """Return the name in a URL of an upload; empty for any other URL, which is then fetched under guard or refused."""
    if not isinstance(url, str) or "/v1/assets/" not in url[:256]:  # nearly all: megabytes are not taken apart
        return ""
    try:
        parts = urlsplit(url)
        ours = (
            parts.scheme == "http"
            and is_this_machine(parts.hostname or "")
            and (parts.port or 80) == (request.url.port or 80)
        )
    except ValueError:
        return ""
    return parts.path.removeprefix("/v1/assets/") if ours and parts.path.startswith("/v1/assets/") else ""


async def _until_done(job: RenderJob[T], request: Request, queue: RenderQueue) -> T:
    """Return a job's result, without a thread that waits for it; a caller who hangs up ends the work."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        queue.cancel(job)

    watcher = asyncio.create_task(watch())
    try:
        return await asyncio.wrap_future(job.done)
    finally:
        watcher.cancel()
        queue.cancel(job)


# The queue.


@keyed.get("/v2/requests/{request_id}/status", response_model=Status, responses=JOB_FAILED | errors(404))
async def status(request_id: RequestId, state: State) -> Response:
    """Return the status of a queued request."""
    report = _report(request_id, state)
    return _json(report, 422 if report.status == "FAILED" else 200)


@keyed.get("/v2/requests/{request_id}", response_model=Result, responses=UNFINISHED | JOB_FAILED | errors(404))
async def result(request: Request, request_id: RequestId, state: State) -> Response:
    """Return the result of a queued request, its status before it is made."""
    report = _report(request_id, state)
    if report.status != "COMPLETED":
        return _json(report, 422 if report.status == "FAILED" else 202)
    queued = state.find(request_id)
    name, size = queued.job.done.result()
    if state.clips.get(name) is None:
        raise HTTPException(404, "this clip was dropped for newer ones: ask for it again")
    video = _clip_file(request, name, size)
    return _json(Result(**report.model_dump(), output=video.url, video=video, seed=queued.seed))


def _report(request_id: str, state: ServerState) -> Status:
    job = state.find(request_id).job
    report = Status(request_id=request_id, status=job.status, progress=round(job.progress, 3))
    if report.status in ("COMPLETED", "FAILED"):
        problem = job.done.exception()
        report.error = status_and_message(problem)[1] if problem else None
        cost = 0.0 if problem else state.money.price
        report.metrics = Metrics(cost=cost, remaining_credits=state.money.balance, **job.times)
    return report


# Files, and what is answered about the whole.


@keyed.post("/upload-asset", responses=BODY_ERRORS, openapi_extra=UPLOAD_BODY)
async def upload(request: Request, state: State) -> Uploaded:
    """Store pictures to be named in requests."""
    reservation = Reservation(state.memory)
    try:
        body = await read_body(request, reservation, seconds=state.limits.body_seconds)
        names = await anyio.to_thread.run_sync(_store, body, state.uploads, limiter=state.parsers)
    finally:
        reservation.release()
    urls = [str(request.url_for("asset", name=name)) for name in names]
    return Uploaded(urls=urls, file_urls=urls, message=f"{len(urls)} stored, until newer ones need the space")


def _store(body: bytearray, store: FileStore) -> list[str]:
    """Store the pictures in a body, all of them or none, and return their names."""
    payload = parse_json(body)
    uris = payload.get("data_urls") if isinstance(payload, dict) and len(payload) == 1 else None
    if not isinstance(uris, list) or not 1 <= len(uris) <= MAX_REFERENCES:
        message = f'the body must read {{"data_urls": [...]}}, with one to {MAX_REFERENCES} data: URIs'
        raise InvalidRequest(message, field="data_urls")
    pictures = []
    for number, uri in enumerate(uris):
        problem = "must be a data: URI"
        if isinstance(uri, str) and uri.startswith("data:"):
            try:
                pictures.append(Reference.from_wire(uri).bytes)
                continue
            except InvalidRequest as error:
                problem = error.message
        raise InvalidRequest(f"data_urls[{number}]: {problem}", field=f"data_urls[{number}]")
    return [store.add(data, media_type(data)) for data in pictures]


@public.get("/v1/files/{name}", response_class=Response, responses=MP4 | PART | errors(404, 416))
async def file(request: Request, name: FileName, state: State) -> Response:
    """Return a clip's bytes, or a range of them."""
    return range_response(request, _found(state.clips.get(name)), "video/mp4")


@public.get("/v1/assets/{name}", response_class=Response, responses=PICTURE | PART | errors(404, 416))
async def asset(request: Request, name: FileName, state: State) -> Response:
    """Return an uploaded picture's bytes, or a range of them."""
    data = _found(state.uploads.get(name))
    return range_response(request, data, f"image/{media_type(data)}")


@public.get("/health")
async def health() -> Health:
    """Return that the server answers."""
    return Health()


def _found(data: bytes | None) -> bytes:
    if data is None:
        raise HTTPException(404, "no such file; it may have expired")
    return data


def _clip_file(request: Request, name: str, size: int) -> ClipFile:
    return ClipFile(url=str(request.url_for("file", name=name)), file_name=name, file_size=size)


def _json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(model.model_dump(exclude_none=True), status, headers=headers)


def build_app(state: ServerState, ready: threading.Event) -> FastAPI:
    """Return the application; `ready` is set once it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ready.set()
        yield

    app = FastAPI(
        title="vidu-nb preview server",
        version=__version__,
        description="A free stand-in on this machine for the service that makes clips: it answers with animatics, "
        "moving storyboards of the reference pictures.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # an address that is nearly right is an error, like any other
        exception_handlers=HANDLERS,
        lifespan=lifespan,
        # Whatever the process exports, prompts and keys are no part of it.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.shared = state
    app.include_router(public)
    app.include_router(keyed)
    return app
