"""Signing in to the pages through a JupyterHub: OAuth with a state, a code, and PKCE where the hub has it."""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from .app import State
from .classroom import Front, Shared
from .hub import HubPeople

_COOKIE = "vidu_nb_hub_state"
_STATE_S = 600  # for whoever has to sign in at the hub first
_MAX_PARAMETER = 500  # characters
_DONE = '<!doctype html><html lang="en"><title>Signed in</title><main><a href="./">Go on</a></main></html>'
router = APIRouter()


def to_hub(request: Request, people: HubPeople, path: str) -> Response:
    """Send a visitor to the hub, which sends them back to `/oauth_callback`.

    Parameters
    ----------
    request
        The visit.
    people
        The hub's users.
    path
        Below which the cookie of this round trip counts.
    """
    auth, more, verifier = people.auth, {}, None
    if getattr(auth, "pkce_enabled", False):  # JupyterHub 6
        verifier, more["code_challenge"], more["code_challenge_method"] = auth.generate_pkce_code_challenge()
    more["state"] = auth.generate_state(**({"code_verifier": verifier} if verifier else {}))
    joint = "&" if "?" in auth.login_url else "?"
    response = RedirectResponse(f"{auth.login_url}{joint}{urlencode(more)}", 302)
    response.set_cookie(
        _COOKIE, more["state"], max_age=_STATE_S, path=path, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.get("/oauth_callback")
async def callback(request: Request, state: State, front: Shared) -> Response:
    """Begin a session for who comes back from the hub with a code."""
    people = _people_of(front)
    auth, query, own = people.auth, request.query_params, request.cookies.get(_COOKIE, "")
    code, sent = query.get("code", "")[:_MAX_PARAMETER], query.get("state", "")[:_MAX_PARAMETER]
    if not sent or not hmac.compare_digest(sent.encode("utf-8", "replace"), own.encode("utf-8", "replace")):
        raise HTTPException(403, "this sign-in was not begun in this browser, or long ago: open the page again")
    verifier = auth.get_code_verifier(sent) if getattr(auth, "pkce_enabled", False) else None
    auth.clear_oauth_state(sent)
    if not code:
        raise HTTPException(403, "the hub did not let you in")
    more = {"code_verifier": verifier} if verifier else {}
    try:
        token_hash = await state.desk.run(lambda: people.begin_visit(code, **more))
    except HTTPException:
        raise
    except Exception:  # whatever tornado and the HTTP client in it raise
        token_hash = None
    if token_hash is None:
        raise HTTPException(403, "the hub did not accept this sign-in: open the page again")
    # A page instead of a redirect: after one that began elsewhere, a strict cookie would not be sent.
    response = HTMLResponse(_DONE, headers={"refresh": "0;url=./"})
    front.sessions.begin(request, response, token_hash)
    response.delete_cookie(_COOKIE, path=front.sessions.path)
    return response


def _people_of(front: Front) -> HubPeople:
    if front.hub is None:
        raise HTTPException(404, "no hub stands before this gateway")
    return front.hub
