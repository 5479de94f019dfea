"""Signing in to the page: a signed cookie that holds no token, and what keeps other pages from using it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response

COOKIE = "vidu_nb_class"
SESSION_S = 12 * 3600  # a day of teaching
PAGE_HEADER = "x-vidu-page"  # a page elsewhere can't send it without asking first, which is never allowed


class Sessions:
    """Cookies for people who have shown their token.

    A cookie holds when it ends, a random number, and the hash by which the ledger knows the token: so a revoked token,
    or another one for the same person, ends every session at once, at every gateway of a ledger.

    Parameters
    ----------
    secret
        What cookies are signed with.
    path
        Below which they are sent.
    clock
        Seconds since 1970.
    """

    def __init__(self, secret: bytes, *, path: str = "/", clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._secret = hmac.new(secret, b"sessions", hashlib.sha256).digest()
        self._clock = clock
        self._ended: dict[str, float] = {}  # signed out before their time, at this gateway

    def begin(self, request: Request, response: Response, token_hash: str) -> None:
        """Set the cookie of a new session."""
        facts = json.dumps([int(self._clock()) + SESSION_S, secrets.token_hex(16), token_hash]).encode()
        value = f"{base64.urlsafe_b64encode(facts).decode()}.{self._signature(facts)}"
        response.set_cookie(
            COOKIE,
            value,
            max_age=SESSION_S,
            path=self.path,
            httponly=True,
            samesite="strict",
            secure=_is_secure(request),
        )

    def token_hash(self, request: Request) -> str | None:
        """Return whose session a request belongs to, as the ledger knows them; None without a good cookie."""
        facts = self._facts(request)
        return facts[2] if facts else None

    def end(self, request: Request, response: Response) -> None:
        """Delete the cookie, and refuse it from now on."""
        now = self._clock()
        self._ended = {number: until for number, until in self._ended.items() if until > now}
        facts = self._facts(request)
        if facts:
            self._ended[facts[1]] = facts[0]
        response.delete_cookie(COOKIE, path=self.path, httponly=True, samesite="strict", secure=_is_secure(request))

    def _facts(self, request: Request) -> tuple[float, str, str] | None:
        text, _, signature = request.cookies.get(COOKIE, "").partition(".")
        try:
            facts = base64.urlsafe_b64decode(text)
        except ValueError:
            return None
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(facts).encode()):
            return None
        until, number, token_hash = json.loads(facts)
        return (until, number, token_hash) if until > self._clock() and number not in self._ended else None

    def _signature(self, facts: bytes) -> str:
        return hmac.new(self._secret, facts, hashlib.sha256).hexdigest()


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def check_origin(request: Request) -> None:
    """Refuse what a page from elsewhere sends; 403.

    SameSite lets pages of other ports of this machine through: they are the same site, and another origin.
    """
    fetched, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = (request.url.scheme, request.url.netloc)
    if fetched not in (None, "same-origin", "none") or (origin is not None and urlsplit(origin)[:2] != own):
        raise HTTPException(403, "this was sent by another page: use the gateway's own")


def check_page(request: Request) -> None:
    """Refuse what the gateway's own script didn't send; 403."""
    check_origin(request)
    if PAGE_HEADER not in request.headers:
        raise HTTPException(403, f"send {PAGE_HEADER}: 1 with this, or a token as x-api-key instead of a cookie")
