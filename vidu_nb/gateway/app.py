"""The gateway's HTTP API: the service's own routes, for each person with a token."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from .._version import __version__
from ..animatic.server.bodies import put_files, type_of, uploads_in
from ..animatic.server.guard import HANDLERS, error_response, parse_json, read_body, wants_json
from ..animatic.server.limits import MemoryLimit, Reservation
from ..animatic.server.record import HistoryQuery, inputs_of, one_or_many
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import Request as Wanted
from ..client.client import Client
from ..errors import ArchiveError, BudgetExceeded, InvalidRequest
from ..files import read_regular
from ..request import TAKE_HEADER
from ..storage.archive import Entry
from .desk import Desk
from .endings import not_made
from .ledger import Asked, Ledger, LedgerAway, Person, TooMany
from .people import hash_of
from .uploads import Uploads

_TOO_MANY_S = "20"  # a queued clip takes minutes: a client that asks again six times gets its turn
_TAKE = re.compile(r"[0-9a-zA-Z_-]{4,64}")
#: The links that are handed out, at the end of whatever path a proxy puts before them.
_LINK = re.compile(
    r"/v1/(?:assets/(?P<asset>[0-9a-z.-]{1,80})|files/(?P<call>[0-9a-f]{32})/(?P<number>\d{1,3})/(?P<signature>[0-9a-z.]{1,60}))$"
)
_LONGEST_LINK = 2000  # characters


@dataclass(eq=False)
class GatewayState:
    """What the routes share.

    Attributes
    ----------
    client : Client
        Who is asked, with the key.
    ledger : Ledger
    people : callable
        Who has a token; by default, as the ledger has it.
    prefix : str
        Of every path, where another server stands before this one.
    at_once : int
        Calls that one person may have running.
    body_seconds : float
        For a request's body to arrive.
    memory : MemoryLimit
        Bytes of all bodies, each until its request has left.
    """

    client: Client
    ledger: Ledger
    people: Callable[[str], Person | None] | None = None
    prefix: str = ""
    at_once: int = 2
    body_seconds: float = 60.0
    memory: MemoryLimit = field(default_factory=lambda: MemoryLimit(160_000_000))

    def __post_init__(self) -> None:
        self.desk = Desk(self.client, self.ledger)
        self.person_of = self.people or (lambda token: self.ledger.person_of(hash_of(token)))
        self.secret = self.ledger.secret
        self.uploads = Uploads(self.client.archive.folder / "gateway" / "uploads", self.secret)
        self.parsers = anyio.CapacityLimiter(2)

    def model(self, name: str) -> Model:
        """Return the model of a name in the URL; 404 for any other."""
        if name not in models:
            raise HTTPException(404, f"no model {name[:80]!r} here; there is {', '.join(models)}")
        return models[name]

    def signature(self, call: str, number: int) -> str:
        """Return what makes a file's link one that nobody can guess."""
        return hmac.new(self.secret, f"{call}/{number}".encode(), hashlib.sha256).hexdigest()[:40]

    def linked(self, call: str, number: int, signature: str) -> Path | None:
        """Return the file behind a link, None where it is none that was handed out, or brings nothing any more."""
        stem = signature.partition(".")[0]
        if not hmac.compare_digest(stem.encode("utf-8", "replace"), self.signature(call, number).encode()):
            return None
        everybody = Person(0, "", is_teacher=True, usd=0.0, is_paused=False)  # the link is the permission
        row = self.ledger.call(call, everybody)
        entry = self.client.archive.entry(str(row["entry"])) if row and row["state"] == "done" else None
        return entry.files[number] if entry and number < len(entry.files) else None


async def _state_of(request: Request) -> GatewayState:
    state: GatewayState = request.app.state.shared
    return state


State = Annotated[GatewayState, Depends(_state_of)]


async def person_of(request: Request, state: State) -> Person:
    """Return who sends a token; 401 where nobody has it."""
    token = request.headers.get("x-api-key", "")
    if not token:
        hint = " (a Bearer token is not read)" if "authorization" in request.headers else ""
        raise HTTPException(401, f"token missing: send it as x-api-key{hint}")
    person = await state.desk.run(state.person_of, token)
    if person is None:
        raise HTTPException(401, "this token is not known here: ask your teacher for yours")
    return person


Caller = Annotated[Person, Depends(person_of)]
router = APIRouter()


@router.get("/v1/get-user-credits")
async def balance(state: State, person: Caller) -> dict[str, float]:
    """Return what is left of one's own budget."""
    return {"credits": await state.desk.run(state.ledger.left, person), "free-credits": 0.0}


# Clips and pictures.


@router.post("/v1/{model}")
async def generate(request: Request, model: str, state: State, person: Caller, format: str | None = None) -> Response:
    """Make a clip or pictures and wait for them, or replay what anybody has paid for."""
    asked, is_base64 = await _submit(request, model, state, person)
    row = asked.work if asked.decision == "replay" else await state.desk.until_ended(asked.work["id"])
    if row.get("state") != "done":
        raise HTTPException(int(row.get("status") or 500), str(row.get("error") or "it brought nothing: ask again"))
    made, left = await asyncio.gather(_made(state, row["entry"]), state.desk.insist(state.ledger.left, person))
    headers = {
        "x-request-id": asked.call,
        "x-cost": f"{row['usd'] if asked.pays else 0.0:g}",
        "x-remaining-credits": f"{left:g}",
        **({} if asked.pays else {"x-vidu-replayed": "true"}),
        **({} if made.seed is None else {"x-seed-value": str(made.seed)}),
    }
    is_json = wants_json(format, request.headers.get("accept", "*/*"))
    path = made.entry.clip
    if is_json and path.suffix == ".mp4":
        return JSONResponse({"video": _file_facts(request, state, asked.call, made)}, headers=headers)
    if is_json or is_base64 or len(made.files) > 1:
        body = await state.desk.run(_in_base64, made)
        return Response(body, media_type="application/json", headers=headers)
    return Response(made.files[0], media_type=type_of(path.name), headers=headers)


@router.post("/v2/{model}")
async def enqueue(request: Request, model: str, state: State, person: Caller) -> Response:
    """Make a clip or pictures in the queue: the URLs of its status and of its result, at once."""
    asked, _ = await _submit(request, model, state, person)
    name = asked.call
    status_url, response_url = (str(request.url_for(route, request_id=name)) for route in ("status", "result"))
    ticket = {
        "request_id": name, "status": "QUEUED", "poll_url": status_url, "status_url": status_url,
        "response_url": response_url,
    }  # fmt: skip
    return JSONResponse(ticket, headers={"x-request-id": name})


async def _submit(request: Request, name: str, state: GatewayState, person: Person) -> tuple[Asked, bool]:
    """Check a request, note the call, and start its work where nobody has; also whether base64 is asked for."""
    model = state.model(name)
    with contextlib.ExitStack() as undo:
        reservation = Reservation(state.memory)
        undo.callback(reservation.release)
        body = await read_body(request, reservation, seconds=state.body_seconds)
        inputs, wanted = await anyio.to_thread.run_sync(
            _parse, state, model, body, reservation, request.url.netloc, limiter=state.parsers
        )
        if person.is_paused:
            raise HTTPException(403, "the class is paused: ask your teacher")
        take = request.headers.get(TAKE_HEADER, "")
        if take and not _TAKE.fullmatch(take):
            raise HTTPException(400, f"{TAKE_HEADER}: must be 4 to 64 letters and digits")
        take = take or (secrets.token_hex(8) if wanted.is_random else "")
        try:
            asked = await state.desk.run(_ask, state, person, wanted, inputs, take)
        except BudgetExceeded as error:
            raise HTTPException(406, f"Insufficient credits: {error.message}; ask your teacher for more") from None
        except TooMany as error:
            raise HTTPException(429, error.message, headers={"retry-after": _TOO_MANY_S}) from None
        except ArchiveError as error:  # its text names folders of this machine
            ending = not_made(error)
            state.desk.report(str(ending.detail))
            raise HTTPException(500, ending.error) from None
        if asked.decision == "mine":
            state.desk.start(asked.work, wanted, reservation, fresh=bool(take))
            undo.pop_all()
        elif asked.decision == "look":
            state.desk.resume(asked.work)
    return asked, wanted.by_role("base64") is True


def _parse(
    state: GatewayState, model: Model, body: bytearray, reservation: Reservation, host: str
) -> tuple[dict[str, Any], Wanted]:
    """Return a body as the record keeps it, and its request, with files in the place of the gateway's own links."""
    payload = parse_json(body)
    put_files(payload, model, lambda url, where: _resolved(state, url, where, host), reservation)
    wanted = model.request_class.from_payload(payload)
    return inputs_of(payload, [one.name for one in model.media]), wanted


def _resolved(state: GatewayState, url: object, where: str, host: str) -> Any:
    """Return the file behind one of the gateway's own links as a data: URI, all else as it is.

    Raises
    ------
    InvalidRequest
        It is not there any more: the service could not fetch it either.
    """
    if not isinstance(url, str) or not url.startswith("http") or len(url) > _LONGEST_LINK:
        return url  # nearly all: megabytes are not taken apart
    parts = urlsplit(url)
    link = _LINK.search(parts.path)
    if not link:
        return url
    asset = link["asset"]
    path = state.uploads.path(asset) if asset else state.linked(link["call"], int(link["number"]), link["signature"])
    if path:
        return f"data:{type_of(path.name)};base64,{base64.b64encode(read_regular(path)).decode()}"
    if parts.netloc != host:
        return url
    what, cure = ("upload", "upload it again") if asset else ("file", "make it again")
    raise InvalidRequest(f"{where}: there is no such {what} any more: {cure}", field=where)


def _ask(state: GatewayState, person: Person, wanted: Wanted, inputs: dict[str, Any], take: str) -> Asked:
    """Note a call in the ledger; a take of one's own has a key that nobody else can ask for."""
    client, archive = state.client, state.client.archive
    recognised = archive.recognise(wanted)
    key = archive.key_of(recognised, engine=client.engine, model=client.name_of(wanted.model))
    price = client.price_of(wanted)
    if take:
        key = f"{key}-{hashlib.sha256(f'{person.id}/{take}'.encode()).hexdigest()[:24]}"
    else:
        with contextlib.suppress(ArchiveError):  # whoever makes it hears of that
            price = 0.0 if archive.find(key, engine=client.engine) else price  # paid for before there was a class
    return state.ledger.ask(person, key, model=wanted.model.slug, price_usd=price, inputs=inputs, at_once=state.at_once)


class Made(NamedTuple):
    """What a work brought: its entry in the archive, the files' bytes, and the seed that was used."""

    entry: Entry
    files: list[bytes]
    seed: int | None


async def _made(state: GatewayState, name: str) -> Made:
    """Return what a work brought, after a look at whether it is what was kept."""
    problem = "it is gone"
    try:
        made = await state.desk.run(_read, state, name)
        if made:
            return made
    except (ArchiveError, OSError) as error:
        problem = str(error)
    state.desk.report(f"{name}: {problem}")
    raise HTTPException(500, "a clip that was paid for can't be read any more: tell your teacher; it is not paid again")


def _read(state: GatewayState, name: str) -> Made | None:
    entry = state.client.archive.entry(name)
    if entry is None:
        return None
    files = [read_regular(path) for path in entry.files]
    if [hashlib.sha256(one).hexdigest() for one in files] != entry.hashes:
        raise ArchiveError(f"{entry.name}: its bytes have changed since they were kept")
    seed = entry.facts["receipt"].get("seed")
    return Made(entry, files, seed if isinstance(seed, int) else None)


def _in_base64(made: Made) -> bytes:
    pictures = b", ".join(b'"%s"' % base64.b64encode(one) for one in made.files)
    return b'{"image": %s}' % (pictures if len(made.files) == 1 else b"[%s]" % pictures)


# The queue.

#: One of unknown outcome may come yet.
_STATUSES = {"running": "PROCESSING", "unknown": "PROCESSING", "done": "COMPLETED", "failed": "FAILED"}


@router.get("/v2/requests/{request_id}/status")
async def status(request_id: str, state: State, person: Caller) -> Response:
    """Return the status of one's own queued request."""
    report = await _report(state, person, await _own(state, person, request_id))
    return JSONResponse(report, 422 if report["status"] == "FAILED" else 200)


@router.get("/v2/requests/{request_id}")
async def result(request: Request, request_id: str, state: State, person: Caller) -> Response:
    """Return the result of one's own queued request, its status before it is made."""
    row = await _own(state, person, request_id)
    report = await _report(state, person, row)
    if report["status"] != "COMPLETED":
        return JSONResponse(report, 422 if report["status"] == "FAILED" else 202)
    made = await _made(state, row["entry"])
    urls = [_url_of(request, state, request_id, made.entry, number) for number in range(len(made.files))]
    is_clip = made.entry.clip.suffix == ".mp4"
    more = {"video": _file_facts(request, state, request_id, made)} if is_clip else {}
    seed = {} if made.seed is None else {"seed": made.seed}
    headers = {} if row["pays"] else {"x-vidu-replayed": "true"}
    return JSONResponse({**report, "output": one_or_many(urls), **more, **seed}, headers=headers)


async def _own(state: GatewayState, person: Person, name: str) -> dict[str, Any]:
    row = await state.desk.run(state.ledger.call, name, person)
    if row is None:
        raise HTTPException(404, "no such request of yours")
    return row


async def _report(state: GatewayState, person: Person, row: dict[str, Any]) -> dict[str, Any]:
    kind = _STATUSES[row["state"]]
    report: dict[str, Any] = {"request_id": row["id"], "status": kind}
    if row["state"] == "unknown":
        report["detail"] = row["error"]
    if kind in ("COMPLETED", "FAILED"):
        cost = row["work_usd"] if row["pays"] else 0.0
        left = await state.desk.run(state.ledger.left, person)
        seconds = _seconds(row["created"], row["ended"])
        report["metrics"] = {"cost": cost, "remaining_credits": left, "total_time": seconds}
        if kind == "FAILED":
            report["error"] = row["error"] or "it brought nothing"
    return report


def _seconds(began: str, ended: str | None) -> float:
    end = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return round(max(0.0, (end - datetime.fromisoformat(began)).total_seconds()), 3)


# The record of one's own calls.


@router.get("/inference-request/request-history")
async def history(request: Request, state: State, person: Caller) -> Response:
    """Return one's own calls of some days, those that failed or still run as well."""
    query = HistoryQuery.from_text(request.query_params)

    def page() -> dict[str, Any]:
        rows, count = state.ledger.history(person, query)
        return query.page_of([_row(request, state, row) for row in rows], total=count)

    return JSONResponse(await state.desk.run(page))


@router.get("/inference-request/request-history/{request_id}")
async def one_call(request: Request, request_id: str, state: State, person: Caller) -> Response:
    """Return one's own call of any age."""
    row = await _own(state, person, request_id)
    return JSONResponse(await state.desk.run(_row, request, state, row))


def _row(request: Request, state: GatewayState, row: dict[str, Any]) -> dict[str, Any]:
    """Return a call as the record shows it; of one whose files can't be read, no URLs."""
    urls: list[str] = []
    if row["state"] == "done":
        with contextlib.suppress(ArchiveError):
            entry = state.client.archive.entry(str(row["entry"]))
            urls = [_url_of(request, state, row["id"], entry, i) for i in range(len(entry.files))] if entry else []
    is_over = row["state"] in ("done", "failed")
    return {
        "request_id": row["id"],
        "model_name": row["model"],
        "model_status": {"done": "COMPLETED", "failed": "FAILED"}.get(row["state"], "PENDING"),
        "credits_deduction": row["work_usd"] if is_over and row["pays"] else 0.0,
        "request_body": row["inputs"],
        "generation_url": one_or_many(urls) if urls else None,
        "latency_ms": round(1000 * _seconds(row["created"], row["ended"])),
        "model_created": row["created"],
        "error": row["error"],
    }


# Files.


@router.post("/upload-asset")
async def upload(request: Request, state: State, person: Caller) -> dict[str, Any]:
    """Store pictures, videos and sounds to be named in requests."""
    reservation = Reservation(state.memory)
    try:
        body = await read_body(request, reservation, seconds=state.body_seconds)
        names = await anyio.to_thread.run_sync(_store, state, person, body, limiter=state.parsers)
    finally:
        reservation.release()
    urls = [str(request.url_for("asset", name=name)) for name in names]
    return {"urls": urls, "file_urls": urls, "message": f"{len(urls)} stored, until newer ones need the space"}


def _store(state: GatewayState, person: Person, body: bytearray) -> list[str]:
    """Store the files in a body, all of them or none, and return their names."""
    files = uploads_in(body)
    try:
        state.client.archive.check_disk_space()
        return [state.uploads.add(person.id, data, suffix) for data, suffix in files]
    except (OSError, ArchiveError) as error:
        state.desk.report(f"an upload was not stored: {error}")
        raise HTTPException(500, "nothing was stored: the gateway's disk is full; tell your teacher") from None


@router.get("/v1/assets/{name}")
async def asset(name: str, state: State) -> Response:
    """Return an uploaded file to whoever has its link."""
    return _served(await state.desk.run(state.uploads.path, name))


@router.get("/v1/files/{call}/{number}/{signature}")
async def file(call: str, number: int, signature: str, state: State) -> Response:
    """Return a file of a call to whoever has its link."""
    with contextlib.suppress(ArchiveError):
        return _served(await state.desk.run(state.linked, call, number, signature))
    return _served(None)


def _served(path: Path | None) -> Response:
    if path is None:
        raise HTTPException(404, "no such file; it may have expired")
    return FileResponse(path, media_type=type_of(path.name), headers={"x-content-type-options": "nosniff"})


def _url_of(request: Request, state: GatewayState, call: str, entry: Entry, number: int) -> str:
    name = f"{state.signature(call, number)}{entry.files[number].suffix}"
    return str(request.url_for("file", call=call, number=number, signature=name))


def _file_facts(request: Request, state: GatewayState, call: str, made: Made) -> dict[str, Any]:
    return {
        "url": _url_of(request, state, call, made.entry, 0),
        "content_type": type_of(made.entry.clip.name),
        "file_name": made.entry.clip.name,
        "file_size": len(made.files[0]),
    }


@router.get("/health")
async def health() -> dict[str, str]:
    """Return that the gateway answers."""
    return {"status": "ok"}


async def _ledger_away(_request: Request, _error: Exception) -> Response:
    return error_response(500, "the gateway's ledger can't be reached: nothing was billed, ask again in a minute")


def build_app(state: GatewayState, ready: Callable[[], object]) -> FastAPI:
    """Return the application; `ready` is called once it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(state.desk.watch)
            tasks.start_soon(state.desk.search)
            ready()
            yield
            tasks.cancel_scope.cancel()
        await state.desk.close()

    app = FastAPI(
        title="vidu-nb gateway",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={**HANDLERS, LedgerAway: _ledger_away},
        lifespan=lifespan,
    )
    app.state.shared = state
    app.include_router(router, prefix=state.prefix)
    return app
