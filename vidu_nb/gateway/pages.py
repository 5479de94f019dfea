"""The pages: sign in, the class for its teacher, one's own for everybody else, and the wall for the projector.

The server writes each page whole, and one small script keeps it up to date. Every text is escaped here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from ..console import dollars
from .app import State
from .classroom import Front, Member, Shared, Visitor, clip_facts, facts_of
from .ledger import Ledger, Person
from .oauth import to_hub
from .people import hash_of
from .sessions import check_origin, check_page

_FOLDER = Path(__file__).with_name("static")
_STATIC = {"page.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}
_MAX_FORM_BYTES = 2000
_ON_WALL = 48  # clips
_OWN_CALLS = 60
_EMPTY = '<p class="empty">No clips yet.</p>'
router = APIRouter()


@functools.cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.html").read_text(encoding="utf-8"))


def _fill(name: str, /, **values: object) -> str:
    """Return a template with texts escaped; what is HTML already is given by `_Html`."""
    shown = {key: value if isinstance(value, _Html) else escape(str(value)) for key, value in values.items()}
    return _template(name).substitute(shown)


class _Html(str):
    """A text that is HTML."""

    __slots__ = ()


def _page(front: Front, title: str, page: str, body: str, status: int = 200) -> Response:
    kind = f"{page} hub" if front.hub else page  # where the hub has the people, the page offers to change none
    return HTMLResponse(_fill("frame", title=title, page=kind, body=_Html(body)), status)


# Signing in.


@router.get("/")
async def start(request: Request, state: State, front: Shared, visitor: Visitor) -> Response:
    """Show the class to its teacher, their own page to others, and the sign-in to strangers."""
    if visitor is None:
        return to_hub(request, front.hub, front.sessions.path) if front.hub else _sign_in_page(front, "")
    if visitor.is_teacher:
        return _page(front, "Class", "class-page", await state.desk.run(_class_page, state.ledger, front))
    return _page(front, visitor.name, "mine-page", await state.desk.run(_own_page, state.ledger, front, visitor))


def _sign_in_page(front: Front, problem: str, status: int = 200) -> Response:
    return _page(front, "Sign in", "sign-in", _fill("sign-in", problem=problem), status)


@router.post("/sign-in")
async def sign_in(request: Request, state: State, front: Shared) -> Response:
    """Begin a session for who sends their token in the page's form."""
    check_origin(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise HTTPException(413, "a token is shorter", headers={"connection": "close"})
    token_hash = hash_of(parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip())
    if await state.desk.run(state.ledger.person_of, token_hash) is None:
        return _sign_in_page(front, "This token is not known here: ask your teacher for yours.", 401)
    response = RedirectResponse("./", 303)
    front.sessions.begin(request, response, token_hash)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, front: Shared) -> Response:
    """End the session."""
    check_page(request)
    response = JSONResponse({"signed_out": True})
    front.sessions.end(request, response)
    return response


# The class.


def _class_page(ledger: Ledger, front: Front) -> str:
    facts = facts_of(ledger, front)
    running = sum(row["running"] for row in facts["people"])
    return _fill(
        "class",
        left=dollars(facts["left_usd"]), total=dollars(facts["total_usd"]),
        left_usd=facts["left_usd"], total_usd=facts["total_usd"] or 1,
        count=f"{len(facts['people'])} people · {running} {'call' if running == 1 else 'calls'} running",
        paused=str(facts["paused"]).lower(), pause="Resume the class" if facts["paused"] else "Pause the class",
        notice=facts["notice"], each=f"{ledger.each_usd:.2f}",
        troubles=_Html("".join(_fill("trouble", text=one["text"]) for one in facts["troubles"])),
        rows=_Html("".join(map(_row, facts["people"]))), row=_Html(_row(_NOBODY)),
    ) + _fill("player")  # fmt: skip


_NOBODY = {"name": "", "state": "active", "usd": 1.0, "left_usd": 0.0, "spent_usd": 0.0, "calls": 0, "running": 0,
           "clips": []}  # fmt: skip


def _row(person: Mapping[str, Any]) -> str:
    return _fill(
        "row",
        name=person["name"], state=person["state"],
        shown_state="" if person["state"] == "active" else person["state"],
        usd=person["usd"] or 1, left_usd=person["left_usd"],
        left=dollars(person["left_usd"]), budget=dollars(person["usd"]), spent=dollars(person["spent_usd"]),
        calls=person["calls"], running=person["running"] or "–",
        clips=_Html("".join(_clip("clip", one, person["name"], one["prompt"]).strip() for one in person["clips"])),
    )  # fmt: skip


def _clip(template: str, clip: Mapping[str, Any], title: str, prompt: str, **more: str) -> str:
    return _fill(
        template, id=clip["id"], url=clip["url"], kind=clip["kind"], poster=clip["poster"], title=title, prompt=prompt,
        label=f"{title}: {prompt or clip['kind']}", **more,
    )  # fmt: skip


# One's own.


def _own_page(ledger: Ledger, front: Front, person: Person) -> str:
    calls = ledger.latest_calls(person, _OWN_CALLS)
    left = ledger.left(person)
    clips = {row["work"]: clip_facts(row) for row in reversed(calls) if row["state"] == "done"}
    tiles = [_clip("tile", one, "Your clip", one["prompt"], under=one["prompt"]) for one in reversed(clips.values())]
    paused = person.is_paused or ledger.is_paused
    return _fill(
        "mine",
        name=person.name, left=dollars(left), budget=dollars(person.usd), left_usd=left, usd=person.usd or 1,
        spent=dollars(ledger.spent_by(person)), notice="Paused: ask your teacher." if paused else "",
        wall=_Html('<a href="wall">Wall</a>' if front.open_wall else ""),
        tiles=_Html("".join(tiles)), empty=_Html("" if tiles else _EMPTY),
        calls=_Html("".join(map(_call, calls))),
    ) + _fill("player")  # fmt: skip


_STATES = {"running": "running", "done": "done", "failed": "failed", "unknown": "not known yet"}


def _call(row: Mapping[str, Any]) -> str:
    cost = row["work_usd"] if row["pays"] and row["state"] != "running" else 0.0
    state = _STATES[row["state"]] + (f": {row['error']}" if row["error"] else "")
    return _fill(
        "call", when=row["created"][:16].replace("T", " "), prompt=clip_facts(dict(row))["prompt"], model=row["model"],
        state=state, cost="–" if row["state"] == "running" else dollars(cost),
    )  # fmt: skip


# The wall.


@router.get("/wall")
async def wall(state: State, front: Shared, member: Member) -> Response:
    """Show the class's newest clips: to the teacher, and to everybody in the class where the wall is open."""
    if not (member.is_teacher or front.open_wall):
        raise HTTPException(403, "only the teacher's token opens this")
    rows = await state.desk.run(state.ledger.clips, _ON_WALL)
    tiles = [_clip("tile", clip_facts(row), row["name"], "", under=row["name"]) for row in rows]
    body = _fill(
        "wall", back="Class" if member.is_teacher else "Your page", tiles=_Html("".join(tiles)),
        empty=_Html("" if tiles else _EMPTY),
    )  # fmt: skip
    return _page(front, "Wall", "wall-page", body + _fill("player"))


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Return the script, the styles or the icon."""
    if name not in _STATIC:
        raise HTTPException(404, "no such file")
    return Response(_static(name), media_type=_STATIC[name])


@functools.cache
def _static(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()
