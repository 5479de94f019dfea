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
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import anyio
from fastapi import HTTPException, Request, Security
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException as AnyHTTPException  # the router's own as well
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from ...catalogue.request import PREVIEW_VERSION
from ...errors import InvalidRequest, ViduError
from ...net.connection import is_this_machine
from ...references.images import MAX_BODY_BYTES
from ..cancellation import Cancelled
from .limits import PlayMoney, Reservation, TooBusy

_CLOSE = {"connection": "close"}


class Guard:
    """Refuses unknown hosts before anything is read, and adds the headers that the service sends to every answer.

    Parameters
    ----------
    app
        What is guarded.
    money
        Whose balance is sent as ``x-remaining-credits``.
    """

    def __init__(self, app: ASGIApp, money: PlayMoney) -> None:
        self.app = app
        self.money = money

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = {
                    b"x-request-id": secrets.token_hex(12).encode(),
                    b"x-vidu-engine": b"preview",
                    b"x-vidu-engine-version": b"%d" % PREVIEW_VERSION,
                    b"cache-control": b"no-store",
                    b"x-content-type-options": b"nosniff",
                    b"x-remaining-credits": f"{self.money.balance:g}".encode(),
                }
                message["headers"] = list((headers | dict(message["headers"])).items())
            await send(message)

        app = self.app
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not is_this_machine(_host_of(hosts[0])):
            app = error_response(400, "this server answers to 127.0.0.1 and localhost only")
        elif scope["method"] == "HEAD":  # FastAPI routes none; uvicorn, which knows of it, sends no body
            scope = {**scope, "method": "GET"}
        await app(scope, receive, send_with_headers)


def _host_of(header: str) -> str:
    """Return the host in a Host header, empty for anything but a host and a port (a user name or a path, say)."""
    found = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", header)
    return found[1].strip("[]").lower() if found else ""


async def check_key(
    request: Request,
    given: Annotated[str | None, Security(APIKeyHeader(name="x-api-key", auto_error=False))],
) -> None:
    """Refuse a request that does not send the key."""
    if not given:
        hint = " (a Bearer token is not read)" if "authorization" in request.headers else ""
        raise HTTPException(401, f"API key missing: send it as x-api-key{hint}")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), request.app.state.shared.key.encode()):
        raise HTTPException(401, "API key invalid")


# Bodies.


async def read_body(request: Request, reservation: Reservation, *, seconds: float) -> bytearray:
    """Read a JSON body's bytes, which have to arrive in time and within the service's limits and ours.

    FastAPI would read any number of bytes and parse them on the event loop.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(406, "wrong content type: send Content-Type: application/json")
    body = bytearray()
    too_large = f"the body is over the limit of {MAX_BODY_BYTES // 1_000_000} MB"
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise HTTPException(413, too_large, headers=_CLOSE)
    try:
        with anyio.fail_after(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise HTTPException(413, too_large, headers=_CLOSE)
                reservation.grow(len(chunk))
    except ClientDisconnect:
        raise HTTPException(499, "the caller hung up") from None
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive within {seconds:g} s", headers=_CLOSE) from None
    return body


def parse_json(body: bytearray) -> Any:
    """Parse plain JSON (no NaN); HTTPException for anything else."""
    try:
        return json.loads(body, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON: it can't be parsed") from None


def _number(text: str) -> float:
    """JSON knows one kind of number: 7.0 is the whole number 7."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _no_constant(name: str) -> None:
    raise HTTPException(400, f"the body is not JSON: {name} is no JSON value")


def wants_json(form: str | None, accept: str) -> bool:
    """Return True for ?format=json; without it, for an Accept header that takes JSON and no clip, picture or anything.

    >>> wants_json(None, "application/json"), wants_json(None, "application/json, */*"), wants_json("json", "*/*")
    (True, False, True)
    """
    if form is not None:
        return form == "json"
    accepted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    files = any(kind == "*/*" or kind.startswith(("video/", "image/")) for kind in accepted)
    return "application/json" in accepted and not files


# Errors.


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error in the service's form: one line in `error`."""
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def status_and_message(error: BaseException) -> tuple[int, str]:
    """Return the status and the line for an error of ours; of others only the kind is shown."""
    if not isinstance(error, ViduError):
        return 500, f"internal error: {type(error).__name__}"
    if isinstance(error, InvalidRequest):
        return 400, error.message
    if isinstance(error, TooBusy):
        return 429, error.message
    return 499 if isinstance(error, Cancelled) else 500, error.message  # 499: nobody is left to read it


def _wait_headers(seconds: float) -> dict[str, str]:
    """Say when to ask again, in the service's header and in HTTP's."""
    whole = math.ceil(seconds)
    reset = datetime.now(UTC) + timedelta(seconds=whole)
    return {"retry-after": str(whole), "x-rate-limit-reset-at-utc": reset.isoformat(timespec="seconds")}


async def _http_error(request: Request, error: AnyHTTPException) -> Response:
    message = str(error.detail)
    if error.status_code == 404 and message == "Not Found":
        message = f"nothing at {request.url.path[:80]!r}"
    elif error.status_code == 405:
        message = f"{request.method} is not allowed here"
    return error_response(error.status_code, message, dict(error.headers or {}))


async def _other_error(_request: Request, error: Exception) -> Response:
    headers = _wait_headers(error.seconds) | _CLOSE if isinstance(error, TooBusy) else None
    return error_response(*status_and_message(error), headers)


HANDLERS: Any = {AnyHTTPException: _http_error, ViduError: _other_error, Exception: _other_error}
