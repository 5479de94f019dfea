"""The gateway's HTTP API: the service's own routes, for each person with a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from .._version import __version__
from ..animatic.server.guard import HANDLERS, parse_json, read_body, wants_json
from ..animatic.server.limits import MemoryLimit, Reservation
from ..animatic.server.record import inputs_of, one_or_many
from ..catalogue.model import Model
from ..catalogue.models import models
from ..catalogue.request import Request as Wanted
from ..client.client import Client
from ..errors import BudgetExceeded, InvalidRequest
from ..storage.archive import Entry
from .desk import Desk
from .ledger import Decision, Ledger, Person, TooMany
from .people import hash_of

_TYPES = {".mp4": "video/mp4", ".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_SHOWN_DAYS = 7


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
        Bytes of all bodies in progress.
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
        self.parsers = anyio.CapacityLimiter(2)

    def model(self, name: str) -> Model:
        """Return the model of a name in the URL; 404 for any other."""
        if name not in models:
            raise HTTPException(404, f"no model {name[:80]!r} here; there is {', '.join(models)}")
        return models[name]

    def signature(self, call: str, number: int) -> str:
        """Return what makes a file's link one that nobody can guess."""
        return hmac.new(self.secret, f"{call}/{number}".encode(), hashlib.sha256).hexdigest()[:40]


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


@router.post("/v1/{model}")
async def generate(request: Request, model: str, state: State, person: Caller, format: str | None = None) -> Response:
    """Make a clip or pictures and wait for them, or replay what anybody has paid for."""
    call, decision, wanted = await _submit(request, model, state, person)
    row = await state.desk.until_ended(call["key"])
    entry = await _entry_of(state, row)
    headers = await _headers(state, person, call["id"], row, decision, wanted)
    is_json = wants_json(format, request.headers.get("accept", "*/*"))
    files = entry.files
    if is_json and files[0].suffix == ".mp4":
        return JSONResponse({"video": _file_facts(request, state, call["id"], entry)}, headers=headers)
    if is_json or wanted.by_role("base64") is True or len(files) > 1:
        pictures = [base64.b64encode(await anyio.Path(one).read_bytes()).decode() for one in files]
        return JSONResponse({"image": one_or_many(pictures)}, headers=headers)
    return FileResponse(files[0], media_type=_TYPES[files[0].suffix], headers=headers)


@router.post("/v2/{model}")
async def enqueue(request: Request, model: str, state: State, person: Caller) -> Response:
    """Make a clip or pictures in the queue: the URLs of its status and of its result, at once."""
    call, _, _ = await _submit(request, model, state, person)
    name = call["id"]
    status_url, response_url = (str(request.url_for(route, request_id=name)) for route in ("status", "result"))
    ticket = {
        "request_id": name, "status": "QUEUED", "poll_url": status_url, "status_url": status_url,
        "response_url": response_url,
    }  # fmt: skip
    return JSONResponse(ticket, headers={"x-request-id": name})


async def _submit(
    request: Request, name: str, state: GatewayState, person: Person
) -> tuple[dict[str, Any], Decision, Wanted]:
    """Check a request, note the call, and start its work where nobody has."""
    model = state.model(name)
    reservation = Reservation(state.memory)
    try:
        body = await read_body(request, reservation, seconds=state.body_seconds)
        inputs, wanted = await anyio.to_thread.run_sync(_parse, model, body, limiter=state.parsers)
    finally:
        reservation.release()
    key = await state.desk.run(_key_of, state.client, wanted)
    if wanted.is_random:
        key = f"{key}-{secrets.token_hex(4)}"
    if (person.is_paused or await state.desk.run(lambda: state.ledger.is_paused)) and not person.is_teacher:
        raise HTTPException(403, "the class is paused: ask your teacher")
    price = state.client.price_of(wanted)
    try:
        call, decision = await state.desk.run(
            lambda: state.ledger.ask(
                person, key, model=model.slug, price_usd=price, inputs=inputs, at_once=state.at_once
            )
        )
    except BudgetExceeded as error:
        raise HTTPException(406, f"Insufficient credits: {error.message}; ask your teacher for more") from None
    except TooMany as error:
        raise HTTPException(429, error.message, headers={"retry-after": "5"}) from None
    if decision == "mine":
        state.desk.start(key, wanted)
    return {"id": call, "key": key}, decision, wanted


def _parse(model: Model, body: bytearray) -> tuple[dict[str, Any], Wanted]:
    payload = parse_json(body)
    wanted = model.request_class.from_payload(payload)
    return inputs_of(payload, [one.name for one in model.media]), wanted


def _key_of(client: Client, wanted: Wanted) -> str:
    wanted = client.archive.recognise(wanted)
    return client.archive.key_of(wanted, engine=client.engine, model=client.name_of(wanted.model))


async def _entry_of(state: GatewayState, row: dict[str, Any]) -> Entry:
    """Return what a work brought; its error where it brought nothing."""
    if row.get("state") != "done":
        raise HTTPException(int(row.get("status") or 503), str(row.get("error") or "it brought nothing: ask again"))
    entry = await state.desk.run(state.client.archive.entry, str(row["entry"]))
    if entry is None:
        raise HTTPException(500, "the archive has lost a clip that was paid for: tell your teacher")
    return entry


async def _headers(
    state: GatewayState, person: Person, call: str, row: dict[str, Any], decision: Decision, wanted: Wanted
) -> dict[str, str]:
    pays = decision == "mine"
    left = await state.desk.run(state.ledger.left, person)
    return {
        "x-request-id": call,
        "x-cost": f"{row['usd'] if pays else 0.0:g}",
        "x-remaining-credits": f"{left:g}",
        **({} if pays else {"x-vidu-replayed": "true"}),
        **({} if wanted.seed_value is None else {"x-seed-value": str(wanted.seed_value)}),
    }


# The queue.

_STATUSES = {"running": "PROCESSING", "done": "COMPLETED", "failed": "FAILED", "unknown": "FAILED"}


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
    entry = await _entry_of(state, row)
    urls = [_url_of(request, state, request_id, entry, number) for number in range(len(entry.files))]
    is_clip = entry.clip.suffix == ".mp4"
    more = {"video": _file_facts(request, state, request_id, entry)} if is_clip else {}
    headers = {} if row["pays"] else {"x-vidu-replayed": "true"}
    return JSONResponse({**report, "output": one_or_many(urls), **more}, headers=headers)


async def _own(state: GatewayState, person: Person, name: str) -> dict[str, Any]:
    row = await state.desk.run(state.ledger.call, name, person)
    if row is None:
        raise HTTPException(404, "no such request of yours")
    return row


async def _report(state: GatewayState, person: Person, row: dict[str, Any]) -> dict[str, Any]:
    kind = _STATUSES[row["state"]]
    report: dict[str, Any] = {"request_id": row["id"], "status": kind}
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
    query = request.query_params
    last = _day(query.get("to_date")) or datetime.now(UTC).date()
    first = _day(query.get("from_date")) or last - timedelta(days=_SHOWN_DAYS - 1)
    page, count = _whole(query.get("page"), 1), min(100, _whole(query.get("per_page"), 20))
    rows = await state.desk.run(
        lambda: state.ledger.history(person, first=str(first), last=str(last + timedelta(days=1)))
    )
    wanted = query.get("model_name") or "", query.get("status") or ""
    shown = [one for one in (_row(request, state, row) for row in rows) if wanted[0] in one["model_name"]]
    shown = [one for one in shown if wanted[1] in ("", one["model_status"])]
    start = (page - 1) * count
    return JSONResponse({"page": page, "per_page": count, "total": len(shown), "data": shown[start : start + count]})


@router.get("/inference-request/request-history/{request_id}")
async def one_call(request: Request, request_id: str, state: State, person: Caller) -> Response:
    """Return one's own call of any age."""
    return JSONResponse(_row(request, state, await _own(state, person, request_id)))


def _row(request: Request, state: GatewayState, row: dict[str, Any]) -> dict[str, Any]:
    done = row["state"] == "done"
    entry = state.client.archive.entry(str(row["entry"])) if done else None
    urls = [_url_of(request, state, row["id"], entry, i) for i in range(len(entry.files))] if entry else None
    return {
        "request_id": row["id"],
        "model_name": row["model"],
        "model_status": {"done": "COMPLETED", "failed": "FAILED"}.get(row["state"], "PENDING"),
        "credits_deduction": row["work_usd"] if done and row["pays"] else 0.0,
        "request_body": row["inputs"],
        "generation_url": one_or_many(urls) if urls else None,
        "latency_ms": round(1000 * _seconds(row["created"], row["ended"])),
        "model_created": row["created"],
        "error": row["error"],
    }


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidRequest("from_date, to_date: must be days, YYYY-MM-DD", field="from_date") from None


def _whole(text: str | None, default: int) -> int:
    return int(text[:9]) or default if text and text.isascii() and text.isdigit() else default


# Files.


@router.get("/v1/files/{call}/{number}/{signature}")
async def file(call: str, number: int, signature: str, state: State) -> Response:
    """Return a file of a call to whoever has its link."""
    stem = signature.partition(".")[0]
    if not hmac.compare_digest(stem.encode("utf-8", "replace"), state.signature(call, number).encode()):
        raise HTTPException(404, "no such file")
    everybody = Person(0, "", is_teacher=True, usd=0.0, is_paused=False)  # the link is the permission
    row = await state.desk.run(state.ledger.call, call, everybody)
    if row is None:
        raise HTTPException(404, "no such file")
    entry = await _entry_of(state, row)
    if number >= len(entry.files):
        raise HTTPException(404, "no such file")
    path = entry.files[number]
    return FileResponse(path, media_type=_TYPES[path.suffix])


def _url_of(request: Request, state: GatewayState, call: str, entry: Entry, number: int) -> str:
    name = f"{state.signature(call, number)}{entry.files[number].suffix}"
    return str(request.url_for("file", call=call, number=number, signature=name))


def _file_facts(request: Request, state: GatewayState, call: str, entry: Entry) -> dict[str, Any]:
    path = entry.clip
    return {
        "url": _url_of(request, state, call, entry, 0),
        "content_type": _TYPES[path.suffix],
        "file_name": path.name,
        "file_size": path.stat().st_size,
    }


@router.get("/health")
async def health() -> dict[str, str]:
    """Return that the gateway answers."""
    return {"status": "ok"}


def build_app(state: GatewayState, ready: Callable[[], object]) -> FastAPI:
    """Return the application; `ready` is called once it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(state.desk.watch)
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
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.state.shared = state
    app.include_router(router, prefix=state.prefix)
    return app
