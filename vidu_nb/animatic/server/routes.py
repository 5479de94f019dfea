"""The routes of the preview server, and what they share."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
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
from .record import Call, CallRecord, Row, inputs_of
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
        self.record = CallRecord(count=self.limits.calls, message_of=lambda error: status_and_message(error)[1])

    def find(self, request_id: str) -> Call:
        """Return a call that can be asked about in the queue; 404 where it is unknown or too old."""
        call = self.record.get(request_id)
        if call is None or call.age_s > self.limits.request_seconds:
            raise HTTPException(404, "no such request; it may have expired")
        return call


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
    made: list[bytes] = []
    call = await _submit(request, model, state, made.append)
    name, size = await _until_done(call.job, request, state.queue)
    headers = {
        "x-request-id": call.request_id,
        "x-cost": f"{state.money.price:g}",
        "x-generation-time": f"{call.job.times['total_time']:.3f}",
        "x-seed-value": str(call.seed),
    }
    if not wants_json(format, request.headers.get("accept", "*/*")):
        return Response(made[0], media_type="video/mp4", headers=headers)
    return _json(Clip(video=_clip_file(request, name, size)), headers=headers)


@keyed.post("/v2/{model}", response_model=QueuedResponse, responses=CLIP_ERRORS, openapi_extra=VIDEO_BODY)
async def enqueue(request: Request, model: ModelName, state: State) -> Response:
    """Make a clip in the queue: the URLs of its status and of its result, at once."""
    name = (await _submit(request, model, state)).request_id
    status_url, response_url = (str(request.url_for(route, request_id=name)) for route in ("status", "result"))
    ticket = QueuedResponse(request_id=name, poll_url=status_url, status_url=status_url, response_url=response_url)
    return _json(ticket, headers={"x-request-id": name})


async def _submit(request: Request, model: str, state: ServerState, keep: Callable[[bytes], object] = bool) -> Call:
    """Check a request, queue its render and note it in the record; `keep` gets the clip as well."""
    if model not in MODELS:
        raise HTTPException(404, f"no model {model[:80]!r} here; there is {' and '.join(map(repr, MODELS))}")
    with ExitStack() as undo:
        reservation = Reservation(state.memory)
        undo.callback(reservation.release)
        body = await read_body(request, reservation, seconds=state.limits.body_seconds)
        # Twenty megabytes of JSON and base64 take a while: others are answered meanwhile.
        inputs, wanted = await anyio.to_thread.run_sync(
            _parse, request, body, state, reservation, limiter=state.parsers
        )
        seed = wanted.seed or secrets.randbelow(MAX_SEED) + 1
        if not state.money.charge():
            balance, price = state.money.balance, state.money.price
            raise HTTPException(406, f"Insufficient credits: {balance:g} left, a clip costs {price:g}")
        undo.callback(state.money.refund)

        def work(progress: Progress, cancelled: Question) -> tuple[str, int]:
            draft, allow = MODELS[model], state.allow
            clip = state.render(wanted, seed=seed, draft=draft, allow=allow, progress=progress, cancelled=cancelled)
            keep(clip)
            return state.clips.add(clip, "mp4"), len(clip)

        def settle(succeeded: bool) -> None:
            reservation.release()
            if not succeeded:
                state.money.refund()

        call = Call(secrets.token_hex(16), model, inputs, seed, state.queue.submit(work, settle), state.money.price)
        undo.pop_all()
    state.record.add(call)
    return call


def _parse(
    request: Request, body: bytearray, state: ServerState, reservation: Reservation
) -> tuple[dict[str, Any], VideoRequest]:
    """Return a body as the record keeps it, and its request, with the pictures themselves in place of uploads' URLs."""
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
    wanted = VideoRequest.from_payload(payload, names=names)
    return inputs_of(payload), wanted


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


# The record of calls, as the hosted service has it on a host of its own.


# Not in the document: a schema can't say that two days may be at most a month apart.
@keyed.get("/inference-request/request-history", include_in_schema=False)
async def history(request: Request, state: State) -> Response:
    """Return the calls of some days, those that failed or still run as well."""
    found = state.record.history(request.query_params)
    return JSONResponse({**found, "data": [_with_link(request, row) for row in found["data"]]})


@keyed.get("/inference-request/request-history/{request_id}", response_class=JSONResponse, responses=errors(404))
async def one_call(request: Request, request_id: RequestId, state: State) -> Response:
    """Return one's own call of any age."""
    row = state.record.find(request_id)
    if row is None:
        raise HTTPException(404, "no such request of yours")
    return JSONResponse(_with_link(request, row))


def _with_link(request: Request, row: Row) -> Row:
    name = row["generation_url"]
    return {**row, "generation_url": name and str(request.url_for("file", name=name))}


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
