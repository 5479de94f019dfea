"""What stands between a connection and a route: who may call, bodies within limits, errors in the service's form.

A web page in the same person's browser can reach this machine's ports. Against that stand the key, the content type,
no CORS headers, and an allow-list for Host (DNS rebinding makes a stranger's page same-origin with us, but can't change
the Host that it sends).
"""

from __future__ import annotations

import hmac
import json
import math
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import InvalidRequest, ViduError
from ..references.images import MAX_BODY_BYTES
from ..request import PREVIEW_VERSION
from .cancellation import Cancelled
from .connections import CROWDED
from .holdings import Lease
from .jobs import LineFull

HOSTS = ("127.0.0.1", "localhost", "::1")
BODY_TIMEOUT = 60.0  # s for a request's body to arrive
_CLOSE = {"connection": "close"}


class Guard:
    """Refuses unknown hosts before anything is read, and signs every answer with the headers that the service sends.

    Parameters
    ----------
    app
        What is guarded.
    credits_left
        Asked for each answer's ``x-remaining-credits``.
    """

    def __init__(self, app: ASGIApp, credits_left: Callable[[], float]) -> None:
        self.app = app
        self.credits_left = credits_left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def signed(message: Any) -> None:
            if message["type"] == "http.response.start":
                said = {
                    b"x-request-id": secrets.token_hex(12).encode(),
                    b"x-vidu-engine": b"preview",
                    b"x-vidu-engine-version": b"%d" % PREVIEW_VERSION,
                    b"cache-control": b"no-store",
                    b"x-content-type-options": b"nosniff",
                    b"x-remaining-credits": f"{self.credits_left():g}".encode(),
                }
                message["headers"] = list((said | dict(message["headers"])).items())
            await send(message)

        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or _host_of(hosts[0]) not in HOSTS:
            answer: ASGIApp = error_answer(400, "this server answers to 127.0.0.1 and localhost only")
        elif scope.get("state", {}).get(CROWDED) and scope["path"] != "/health":
            answer = error_answer(429, "too many connections: ask again in 1 s", wait_headers(1) | _CLOSE)
        else:
            answer = self.app
        await answer(scope, receive, signed)


def _host_of(header: str) -> str:
    """The host in a Host header, empty for anything but a host and a port (a user name or a path, say)."""
    found = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", header)
    return found[1].strip("[]").lower() if found else ""


def check_key(request: Request, key: str) -> None:
    """Refuse a request that does not send the key."""
    given = request.headers.get("x-api-key")
    if given is None:
        hint = " (a Bearer token is not read)" if "authorization" in request.headers else ""
        raise HTTPException(401, f"API key missing: send it as x-api-key{hint}")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), key.encode()):
        raise HTTPException(401, "API key invalid")


# Bodies.


async def read_body(request: Request, lease: Lease) -> bytearray:
    """A JSON body's bytes, within the service's limits and ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(406, "wrong content type: send Content-Type: application/json")
    body = bytearray()
    too_large = f"the body is over the limit of {MAX_BODY_BYTES // 1_000_000} MB"
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, too_large, headers=_CLOSE)
    try:
        with anyio.fail_after(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, too_large, headers=_CLOSE)
                grow(lease, len(chunk))
    except ClientDisconnect:
        raise HTTPException(499, "the caller hung up") from None
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {BODY_TIMEOUT:g} s", headers=_CLOSE) from None
    return body


def grow(lease: Lease, count: int) -> None:
    """Reserve bytes for a request, or refuse it."""
    if not lease.grow(count):
        said = "the requests under way take all the memory that they may: ask again in 2 s"
        raise HTTPException(429, said, headers=wait_headers(2) | _CLOSE)


def parse(body: bytearray) -> Any:
    """Plain JSON (no NaN); a refusal for anything else."""
    try:
        return json.loads(body, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _NotJSON) else "it can't be parsed"
    raise HTTPException(400, f"the body is not JSON: {what}")


def _number(text: str) -> float:
    """JSON knows one kind of number: 7.0 is the whole number 7."""
    value = float(text)
    return int(value) if value.is_integer() else value


class _NotJSON(ValueError):
    pass


def _no_constant(name: str) -> None:
    raise _NotJSON(f"{name} is no JSON value")


def wants_json(request: Request) -> bool:
    """True for ?format=json, or an Accept header that takes JSON and neither MP4 nor anything."""
    if "format" in request.query_params:
        return request.query_params["format"] == "json"
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")}
    return "application/json" in accepted and not accepted & {"*/*", "video/*", "video/mp4"}


# Errors.


def error_answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error in the service's form: one line in `error`."""
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def wait_headers(seconds: float) -> dict[str, str]:
    """When to ask again, in the service's header and in HTTP's."""
    whole = math.ceil(seconds)
    reset = datetime.now(UTC) + timedelta(seconds=whole)
    return {"retry-after": str(whole), "x-rate-limit-reset-at-utc": reset.isoformat(timespec="seconds")}


def words_for(error: BaseException) -> tuple[int, str]:
    """The status and the line that tell an error of ours; of others only the kind is told."""
    if not isinstance(error, ViduError):
        return 500, f"internal error: {type(error).__name__}"
    if isinstance(error, InvalidRequest):
        return 400, error.message
    if isinstance(error, LineFull):
        return 429, error.message
    return 499 if isinstance(error, Cancelled) else 500, error.message  # 499: nobody is left to read it


async def _http_error(request: Request, error: HTTPException) -> Response:
    message = str(error.detail)
    if error.status_code == 404 and message == "Not Found":
        message = f"nothing at {request.url.path[:80]!r}"
    elif error.status_code == 405:
        message = f"{request.method} is not allowed here"
    return error_answer(error.status_code, message, dict(error.headers or {}))


async def _other_error(_request: Request, error: Exception) -> Response:
    return error_answer(*words_for(error), wait_headers(error.seconds) if isinstance(error, LineFull) else None)


HANDLERS: Any = {HTTPException: _http_error, ViduError: _other_error, Exception: _other_error}
