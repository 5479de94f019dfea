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
from ...catalogue.model import Model
from ...catalogue.models import models
from ...catalogue.request import Request as Wanted
from ...errors import InvalidRequest
from ...net.connection import is_this_machine
from ...request import DRAFT, DRAFT_ENDING, MAX_SEED, MODEL, NAMES_HEADER
from ..cancellation import Question
from ..engine import make_outputs
from ..fetching import AddressRule
from ..output import MP4_TYPE, Output, in_base64
from ..parameters import seed_of
from .bodies import put_files, type_of, uploads_in
from .guard import HANDLERS, check_key, parse_json, read_body, status_and_message, wants_json
from .limits import FileStore, Limits, MemoryLimit, PlayMoney, Reservation
from .queue import Progress, RenderJob, RenderQueue
from .ranges import range_response
from .record import Call, CallRecord, Row, StoredFile, inputs_of, one_or_many
from .schemas import (
    ANY_ERROR,
    ASSET,
    BODY_ERRORS,
    CLIP_ERRORS,
    FILE,
    JOB_FAILED,
    MP4,
    PART,
    UNFINISHED,
    UPLOAD_BODY,
    VIDEO_BODY,
    Balance,
    Clip,
    ClipFile,
    Health,
    Metrics,
    Pictures,
    QueuedResponse,
    Result,
    Status,
    Uploaded,
    described,
    errors,
)

T = TypeVar("T")

#: What the URL's pattern stands for in the document; further models have paths of their own there.
DEFAULTS = (MODEL, DRAFT)


def served() -> dict[str, tuple[Model, bool]]:
    """Return the models that are served, by their names in the URL, each with whether it is a draft."""
    known = [(model.slug, (model, False)) for model in models.values()]
    drafts = {f"{model.slug}{DRAFT_ENDING}": (model, True) for model in models.values() if model.returns == "video"}
    return dict(known[:1]) | drafts | dict(known)


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
        self.files = FileStore(count=self.limits.files, size=self.limits.file_bytes)
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
    str, Path(description="The model; the draft is quicker and smaller.", json_schema_extra={"enum": list(DEFAULTS)})
]
RequestId = Annotated[str, Path(description="What the queue answered as `request_id`.")]
FileName = Annotated[str, Path(description="The last part of a URL that a response named.")]
Format = Annotated[str | None, Query(description="`json` for a URL in place of the clip, base64 for a picture.")]

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


# Clips and pictures.


@keyed.post("/v1/{model}", response_model=Clip, responses=MP4 | CLIP_ERRORS, openapi_extra=VIDEO_BODY)
async def generate(request: Request, model: ModelName, state: State, format: Format = None) -> Response:
    """Make a clip or pictures and wait for them: a file's bytes, or JSON where that or base64 is asked for."""
    made: list[tuple[Output, ...]] = []
    call = await _submit(request, model, state, made.append)
    files = await _until_done(call.job, request, state.queue)
    headers = {
        "x-request-id": call.request_id,
        "x-cost": f"{call.price:g}",
        "x-generation-time": f"{call.job.times['total_time']:.3f}",
        **({} if call.seed is None else {"x-seed-value": str(call.seed)}),
    }
    is_json = wants_json(format, request.headers.get("accept", "*/*"))
    [outputs] = made
    if is_json and files[0].media_type == MP4_TYPE:
        return _json(Clip(video=_clip_file(request, files[0])), headers=headers)
    if is_json or call.is_base64 or len(outputs) > 1:
        return _json(Pictures(image=in_base64(outputs)), headers=headers)
    return Response(outputs[0].data, media_type=outputs[0].media_type, headers=headers)


@keyed.post("/v2/{model}", response_model=QueuedResponse, responses=CLIP_ERRORS, openapi_extra=VIDEO_BODY)
async def enqueue(request: Request, model: ModelName, state: State) -> Response:
    """Make a clip or pictures in the queue: the URLs of its status and of its result, at once."""
    name = (await _submit(request, model, state)).request_id
    status_url, response_url = (str(request.url_for(route, request_id=name)) for route in ("status", "result"))
    ticket = QueuedResponse(request_id=name, poll_url=status_url, status_url=status_url, response_url=response_url)
    return _json(ticket, headers={"x-request-id": name})


async def _submit(
    request: Request, name: str, state: ServerState, keep: Callable[[tuple[Output, ...]], object] = bool
) -> Call:
    """Check a request, queue its preview and note it in the record; `keep` gets the files as well."""
    known = served()
    if name not in known:
        *others, last = map(repr, known)
        raise HTTPException(404, f"no model {name[:80]!r} here; there is {', '.join(others)} and {last}")
    model, draft = known[name]
    with ExitStack() as undo:
        reservation = Reservation(state.memory)
        undo.callback(reservation.release)
        body = await read_body(request, reservation, seconds=state.limits.body_seconds)
        # Twenty megabytes of JSON and base64 take a while: others are answered meanwhile.
        inputs, wanted = await anyio.to_thread.run_sync(
            _parse, request, model, body, state, reservation, limiter=state.parsers
        )
        seed = secrets.randbelow(MAX_SEED) + 1 if wanted.is_random else seed_of(wanted)
        price = state.money.price_of(wanted)
        if not state.money.charge(price):
            balance, what = state.money.balance, "a clip" if model.returns == "video" else "this"
            raise HTTPException(406, f"Insufficient credits: {balance:g} left, {what} costs {price:g}")
        undo.callback(state.money.refund, price)

        def work(progress: Progress, cancelled: Question) -> tuple[StoredFile, ...]:
            outputs = make_outputs(
                wanted, seed=seed, draft=draft, allow=state.allow, progress=progress, cancelled=cancelled,
                clip=state.render,
            )  # fmt: skip
            keep(outputs)
            stored = [(state.files.add(one.data, one.suffix), one) for one in outputs]
            return tuple(StoredFile(name, one.media_type, len(one.data)) for name, one in stored)

        def settle(succeeded: bool) -> None:
            reservation.release()
            if not succeeded:
                state.money.refund(price)

        shown = seed if model.by_role("seed") else None
        is_base64 = wanted.by_role("base64") is True
        job = state.queue.submit(work, settle)
        call = Call(secrets.token_hex(16), name, inputs, shown, job, price, is_base64)
        undo.pop_all()
    state.record.add(call)
    return call


def _parse(
    request: Request, model: Model, body: bytearray, state: ServerState, reservation: Reservation
) -> tuple[dict[str, Any], Wanted]:
    """Return a body as the record keeps it, and its request, with files in the place of this server's own URLs."""
    payload = parse_json(body)
    put_files(payload, model, lambda url, where: _resolved(request, url, where, state), reservation)
    # Our own client sends the pictures' names beside the API's body: prompts refer to pictures by them.
    names = [unquote(name) for name in request.headers.get(NAMES_HEADER, "").split("/")]
    wanted = model.request_class.from_payload(payload, names=names)
    return inputs_of(payload, [one.name for one in model.media]), wanted


def _resolved(request: Request, url: object, where: str, state: ServerState) -> Any:
    """Return a file of this server as a data: URI in place of its URL, all else as it is.

    Raises
    ------
    InvalidRequest
        The file is not there any more.
    """
    for folder, store, cure in (("assets", state.uploads, "upload it again"), ("files", state.files, "make it again")):
        name = _name_in(request, url, f"/v1/{folder}/")
        if not name:
            continue
        data = store.get(name)
        if data is None:
            what = "upload" if folder == "assets" else "file"
            raise InvalidRequest(f"{where}: there is no such {what} any more: {cure}", field=where)
        return f"data:{type_of(name)};base64,{base64.b64encode(data).decode()}"
    return url


def _name_in(request: Request, url: object, folder: str) -> str:
    """Return the name in a URL of this server's; empty for any other, which is then fetched under guard or refused."""
    if not isinstance(url, str) or folder not in url[:256]:  # nearly all: megabytes are not taken apart
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
    return parts.path.removeprefix(folder) if ours and parts.path.startswith(folder) else ""


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
    files = queued.job.done.result()
    stored = [state.files.get(one.name) for one in files]
    if None in stored:
        raise HTTPException(404, "this clip was dropped for newer ones: ask for it again")
    outputs = [Output(data or b"", one.media_type) for data, one in zip(stored, files, strict=True)]
    is_clip = files[0].media_type == MP4_TYPE
    made = Result(
        **report.model_dump(),
        output=one_or_many([_url_of(request, one.name) for one in files]),
        video=_clip_file(request, files[0]) if is_clip else None,
        image=in_base64(outputs) if queued.is_base64 or len(files) > 1 else None,
        seed=queued.seed,
    )
    return _json(made)


def _report(request_id: str, state: ServerState) -> Status:
    call = state.find(request_id)
    job = call.job
    report = Status(request_id=request_id, status=job.status, progress=round(job.progress, 3))
    if report.status in ("COMPLETED", "FAILED"):
        problem = job.done.exception()
        report.error = status_and_message(problem)[1] if problem else None
        cost = 0.0 if problem else call.price
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
    names = row["generation_url"]
    if names is None:
        return row
    many = names if isinstance(names, list) else [names]
    return {**row, "generation_url": one_or_many([_url_of(request, name) for name in many])}


# Files, and what is answered about the whole.


@keyed.post("/upload-asset", responses=BODY_ERRORS, openapi_extra=UPLOAD_BODY)
async def upload(request: Request, state: State) -> Uploaded:
    """Store pictures, videos and sounds to be named in requests."""
    reservation = Reservation(state.memory)
    try:
        body = await read_body(request, reservation, seconds=state.limits.body_seconds)
        names = await anyio.to_thread.run_sync(_store, body, state.uploads, limiter=state.parsers)
    finally:
        reservation.release()
    urls = [str(request.url_for("asset", name=name)) for name in names]
    return Uploaded(urls=urls, file_urls=urls, message=f"{len(urls)} stored, until newer ones need the space")


def _store(body: bytearray, store: FileStore) -> list[str]:
    """Store the files in a body, all of them or none, and return their names."""
    return [store.add(data, suffix) for data, suffix in uploads_in(body)]


@public.get("/v1/files/{name}", response_class=Response, responses=FILE | PART | errors(404, 416))
async def file(request: Request, name: FileName, state: State) -> Response:
    """Return the bytes of a clip or a picture, or a range of them."""
    return range_response(request, _found(state.files.get(name)), type_of(name))


@public.get("/v1/assets/{name}", response_class=Response, responses=ASSET | PART | errors(404, 416))
async def asset(request: Request, name: FileName, state: State) -> Response:
    """Return an uploaded file's bytes, or a range of them."""
    return range_response(request, _found(state.uploads.get(name)), type_of(name))


@public.get("/health")
async def health() -> Health:
    """Return that the server answers."""
    return Health()


def _found(data: bytes | None) -> bytes:
    if data is None:
        raise HTTPException(404, "no such file; it may have expired")
    return data


def _url_of(request: Request, name: str) -> str:
    return str(request.url_for("file", name=name))


def _clip_file(request: Request, file: StoredFile) -> ClipFile:
    return ClipFile(url=_url_of(request, file.name), file_name=file.name, file_size=file.size)


def _json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(model.model_dump(exclude_none=True), status, headers=headers)


class _Documented(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the document, with the models that are known by now."""
        further = {name: model for name, (model, _) in served().items() if name not in DEFAULTS}
        return described(super().openapi(), further)


def build_app(state: ServerState, ready: threading.Event) -> FastAPI:
    """Return the application; `ready` is set once it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ready.set()
        yield

    app = _Documented(
        title="vidu-nb preview server",
        version=__version__,
        description="A free stand-in on this machine for the service that makes clips and pictures: it answers with "
        "animatics, moving storyboards of the reference pictures, and with cards and restyled pictures.",
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
