"""The class over HTTP: who spent what, people and their tokens, pause and resume, and the clips that a page shows."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import IntegrityError

from .. import media
from ..animatic.server.guard import parse_json, read_body
from ..animatic.server.limits import Reservation
from ..catalogue.models import models
from ..console import dollars
from ..errors import one_line
from .app import GatewayState, State, person_of
from .guesses import Guesses
from .hub import HubPeople
from .ledger import Ledger, Person
from .people import as_csv, checked_name, fold, hash_of, new_token
from .sessions import Sessions, check_page

POSTER_SIDE = 480  # pixels
_CLIPS_EACH = 3
_MOST_CLIPS = 1000
_MAX_PROMPT = 400  # characters that a page shows
_TYPES = {".mp4": "video/mp4", ".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_TROUBLES = 10  # of the newest, that are told
_MANY_WRONG = 20  # tokens: fewer are slips of the hand
_COLUMNS = ["name", "state", "usd", "spent_usd", "left_usd", "calls", "running"]


@dataclass(eq=False)
class Front:
    """What the pages share, beside what the service's routes do.

    Attributes
    ----------
    sessions : Sessions
    guesses : Guesses
    open_wall : bool
        Whether everybody in the class sees everybody's clips.
    hub : HubPeople or None
        The users of the JupyterHub that started this: it has their names and tokens, and signs them in.
    """

    sessions: Sessions
    guesses: Guesses
    open_wall: bool = False
    hub: HubPeople | None = None
    drawing: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(2))


async def _front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


Shared = Annotated[Front, Depends(_front_of)]


async def visitor_of(request: Request, state: State, front: Shared) -> Person | None:
    """Return who sends a token or a session's cookie, None for nobody; 401 for a wrong token."""
    if "x-api-key" in request.headers:
        return await person_of(request, state)
    token_hash = front.sessions.token_hash(request)
    person_of_hash = front.hub.visitor_of if front.hub else state.ledger.person_of
    person = await state.desk.run(person_of_hash, token_hash) if token_hash else None
    if person and request.method != "GET":
        check_page(request)
    return person


Visitor = Annotated[Person | None, Depends(visitor_of)]


async def member_of(visitor: Visitor) -> Person:
    """Return who visits; 401 for nobody."""
    if visitor is None:
        raise HTTPException(401, "sign in, or send your token as x-api-key")
    return visitor


Member = Annotated[Person, Depends(member_of)]


async def teacher_of(member: Member) -> Person:
    """Return the teacher; 403 for anybody else."""
    if not member.is_teacher:
        raise HTTPException(403, "only the teacher's token opens this")
    return member


only_teachers = [Depends(teacher_of)]
router = APIRouter()


# Who spent what.


@router.get("/class.json", dependencies=only_teachers)
async def class_facts(state: State, front: Shared) -> dict[str, Any]:
    """Return who spent what, and the newest clips of each."""
    return await state.desk.run(facts_of, state.ledger, front)


def facts_of(ledger: Ledger, front: Front) -> dict[str, Any]:
    """Return what the teacher's page shows."""
    spent = ledger.spent_usd
    clips: dict[str, list[dict[str, Any]]] = {}
    for row in ledger.clips(_MOST_CLIPS, each=_CLIPS_EACH):
        clips.setdefault(row["name"], []).append(clip_facts(row))
    people = [row | {"clips": clips.get(row["name"], [])} for row in _students(ledger)]
    paused, wrong = ledger.is_paused, front.guesses.facts()
    return {
        "total_usd": ledger.total_usd, "spent_usd": spent, "left_usd": round(max(0.0, ledger.total_usd - spent), 9),
        "paused": paused, "people": people, "summary": f"{dollars(spent)} of {dollars(ledger.total_usd)}",
        "wrong_tokens": wrong, "notice": _notice(wrong, is_paused=paused), "troubles": _troubles(ledger),
    }  # fmt: skip


def _troubles(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the newest calls that the teacher has to know of: of unknown outcome, or failed by the class's account."""
    return [_trouble(row) for row in ledger.troubles(_TROUBLES)]


def _trouble(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call that is in trouble, with the line that the page shows."""
    detail = one_line(str(row["detail"] or row["error"] or ""))
    is_unknown = row["state"] == "unknown"
    what = f"outcome not known yet, {dollars(row['usd'])} reserved" if is_unknown else "failed, nothing billed"
    if not is_unknown and row["usd"]:
        what = f"failed, {dollars(row['usd'])} billed"
    text = f"{row['created'][:16].replace('T', ' ')} · {row['name']} · {row['model']} · {what}: {detail}"
    return {
        **{name: row[name] for name in ("name", "model", "state", "usd", "created")},
        "detail": detail,
        "text": text,
    }


def _notice(wrong: dict[str, Any], *, is_paused: bool) -> str:
    """Return what the teacher should know, empty for nothing."""
    notes = ["The class is paused: nobody can spend."] if is_paused else []
    if wrong["count"] >= _MANY_WRONG:
        most = wrong["addresses"][0]
        source = f"{most['count']:,} of them from {most['address']}"
        notes.append(f"{wrong['count']:,} wrong tokens were tried since the start, {source}.")
    return " ".join(notes)


def _students(ledger: Ledger) -> list[dict[str, Any]]:
    return [row for row in ledger.everybody() if row["role"] != "teacher"]


def clip_facts(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a page shows of a call's clip; URLs are relative to the gateway's root."""
    model = models.get(row["model"])
    inputs = row["inputs"] or {}
    return {
        "id": row["id"],
        "kind": model.returns if model else "video",
        "model": row["model"],
        "prompt": one_line(str(inputs.get("prompt") or ""), _MAX_PROMPT),
        "poster": f"clips/{row['id']}/poster.jpg",
        "url": f"clips/{row['id']}",
    }


@router.get("/class.csv", dependencies=only_teachers)
async def class_csv(state: State) -> Response:
    """Return who spent what, for a spreadsheet."""
    text = as_csv(await state.desk.run(_students, state.ledger), _COLUMNS)
    headers = {"content-disposition": 'attachment; filename="class.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


# Pause and resume.


@router.post("/class/pause", dependencies=only_teachers)
async def pause(state: State) -> dict[str, bool]:
    """Let nobody spend for now."""
    await state.desk.run(lambda: state.ledger.pause(paused=True))
    return {"paused": True}


@router.post("/class/resume", dependencies=only_teachers)
async def resume(state: State) -> dict[str, bool]:
    """Let people spend again."""
    await state.desk.run(lambda: state.ledger.pause(paused=False))
    return {"paused": False}


# People.


class PersonChange(BaseModel):
    """What is asked about one person.

    Attributes
    ----------
    name : str
    action : str
        ``add``, ``top_up`` (by `usd`), ``token`` (another one), ``revoke``, ``pause`` or ``resume``. Left out, somebody
        new is added, and the budget of somebody who is there becomes `usd`.
    usd : float or None
        US dollars.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    action: Literal["add", "top_up", "token", "revoke", "pause", "resume"] | None = None
    usd: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None


@router.post("/class/people", dependencies=only_teachers)
async def change_person(request: Request, state: State, front: Shared) -> Response:
    """Add somebody, or change their budget, token or state; a new token is in this answer and nowhere else."""
    reservation = Reservation(state.memory)
    try:
        payload = parse_json(await read_body(request, reservation, seconds=state.body_seconds))
    finally:
        reservation.release()
    try:
        change = PersonChange.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise HTTPException(400, one_line(f"{where}: {first['msg']}".lstrip(": "))) from None
    is_new = change.action is None and await state.desk.run(_found, state.ledger, change.name) is None
    if front.hub and (is_new or change.action in ("add", "token", "revoke")):
        raise HTTPException(409, "people and their tokens are the hub's: add and remove them there")
    token = await state.desk.run(_apply, state.ledger, change)
    row = await state.desk.run(_found, state.ledger, change.name)
    return JSONResponse({"person": row} | ({"token": token} if token else {}), 201 if token else 200)


def _found(ledger: Ledger, name: str) -> dict[str, Any] | None:
    return next((row for row in ledger.everybody() if fold(row["name"]) == fold(one_line(name, 200))), None)


def _apply(ledger: Ledger, change: PersonChange) -> str | None:
    """Do what is asked about a person; return the new token where there is one."""
    row, action = _found(ledger, change.name), change.action
    if action == "add" or (action is None and row is None):
        if row is not None:
            raise HTTPException(409, f"{row['name']!r} is there already")
        return _add(ledger, change)
    if row is None:
        raise HTTPException(404, f"there is nobody called {one_line(change.name, 100)!r}")
    if row["role"] == "teacher" and action != "token":
        raise HTTPException(400, "the teacher can only be given another token")
    if action == "token":
        token = new_token()
        ledger.change(row["name"], token_hash=hash_of(token), state="active")
        return token
    if action in ("top_up", None):
        if change.usd is None:
            raise HTTPException(400, "usd: say how many US dollars")
        if action == "top_up":
            ledger.top_up(row["name"], change.usd)
        else:
            ledger.change(row["name"], usd=change.usd)
    elif row["state"] == "revoked" and action != "revoke":
        raise HTTPException(409, f"the token of {row['name']!r} is revoked: give another one first")
    else:
        ledger.change(row["name"], state={"pause": "paused", "resume": "active", "revoke": "revoked"}[str(action)])
    return None


def _add(ledger: Ledger, change: PersonChange) -> str:
    token = new_token()
    row = {"name": checked_name(change.name), "role": "person", "usd": change.usd, "token_hash": hash_of(token)}
    try:
        ledger.apply_roster(None, new=[row], budgets={}, before_commit=bool)
    except IntegrityError:
        raise HTTPException(409, f"{row['name']!r} is there already") from None
    return token


# Clips.


@router.get("/clips/{call}")
async def clip(call: str, state: State, front: Shared, member: Member) -> Response:
    """Return the clip or picture of a call to who may see it."""
    path = await state.desk.run(_file_of, state, front, member, call)
    return FileResponse(path, media_type=_TYPES[path.suffix])


@router.get("/clips/{call}/poster.jpg")
async def poster(call: str, state: State, front: Shared, member: Member) -> Response:
    """Return a small picture of a call's clip to who may see it."""
    path = await state.desk.run(_file_of, state, front, member, call)
    data = await anyio.to_thread.run_sync(_poster, path, path.stat().st_mtime_ns, limiter=front.drawing)
    return Response(data, media_type="image/jpeg")


def _file_of(state: GatewayState, front: Front, member: Person, call: str) -> Path:
    """Return the file of a call: one's own, any for the teacher, and what is on an open wall."""
    row = state.ledger.call(call, member)
    if row is None and front.open_wall:
        row = state.ledger.call(call, Person(0, "", is_teacher=True, usd=0.0, is_paused=False))
        row = row if row and row["person"] == row["payer"] else None  # not who else asked for the same
    entry = state.client.archive.entry(str(row["entry"])) if row and row["state"] == "done" else None
    if entry is None or not entry.clip.is_file():
        raise HTTPException(404, "no such clip of yours")
    return entry.clip


@functools.lru_cache(maxsize=1024)  # some 30 MB
def _poster(path: Path, _modified: int) -> bytes:
    if path.suffix == ".mp4":
        return media.poster_jpeg(path, side=POSTER_SIDE)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        image.thumbnail((POSTER_SIDE, POSTER_SIDE))
        return media.jpeg(image.convert("RGB"))
