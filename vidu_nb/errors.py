"""Everything that can go wrong, as one tree.

    ViduError
    ├── InvalidRequest (ValueError)   a parameter is wrong; nothing was sent
    ├── Unreachable                   the service could not be reached; nothing was sent
    ├── APIError                      the service answered with an error status
    │   ├── BadRequest                400, 413, 415
    │   │   └── MethodNotAllowed      405
    │   ├── Unauthorized              401
    │   ├── Forbidden                 403
    │   ├── NotFound                  404
    │   ├── InsufficientCredits       406 about credits or a spend limit
    │   ├── Rejected                  406 about anything else
    │   │   └── JobFailed             422
    │   ├── RateLimited               429
    │   ├── Retired                   410
    │   ├── ServerError               500
    │   └── Unavailable               502, 503, 504 (also an OutcomeUnknown)
    ├── OutcomeUnknown                sent, but no usable answer: may be billed
    ├── BudgetExceeded                the next call would cost more than allowed
    ├── ConfirmationNeeded            a sweep or a film would cost more than is spent without confirmation
    └── ArchiveError                  a kept result can't be read or written
        └── NotKept                   nothing kept for this request, and calling out was not allowed
    KeyboardInterrupt                 no ViduError and no Exception: ``except Exception`` must not swallow Ctrl-C
    ├── CallInterrupted               a call was interrupted after it was sent: may be billed
    └── SweepInterrupted              a sweep was interrupted; what landed is kept
        └── FilmInterrupted           the same of a film

Each error, and each interrupt, says what happened, whether it was billed and what to do next: ``.message``, ``.billed``
and ``.remedy``; ``str()`` joins the three in one line.
"""

from __future__ import annotations

import re
from typing import Any, Literal

Billed = Literal["no", "yes", "unknown"]

_BILLED_WORDS: dict[Billed, str] = {
    "no": "Not billed.",
    "yes": "Probably billed.",
    "unknown": "May be billed.",
}


class _Explained(BaseException):
    """What errors and interrupts have in common: a message, the bill, a remedy, one line of text, and a pickle."""

    #: Only errors of a call speak of the bill in their text.
    _speaks_of_bill = False

    def __init__(self, message: str, *, remedy: str = "", billed: Billed = "no") -> None:
        super().__init__(message)
        self.message = one_line(message)
        self.remedy = remedy
        self.billed: Billed = billed

    def __str__(self) -> str:
        parts = [self.message.rstrip(".") + "."] if self._speaks_of_bill or self.remedy else [self.message]
        if self._speaks_of_bill:
            parts.append(_BILLED_WORDS[self.billed])
        return " ".join([*parts, self.remedy]).strip()

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments don't survive Exception's own pickling, and sweeps send errors between processes.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[_Explained], args: tuple[Any, ...], state: dict[str, Any]) -> _Explained:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ViduError(_Explained, Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    message
        What happened, in one line.
    remedy
        What to do next, in one line; may be empty.
    billed
        ``"no"``, ``"yes"`` or ``"unknown"``.

    >>> raise_ = ViduError("the disk is full", remedy="Free disk space.")
    >>> str(raise_)
    'the disk is full. Free disk space.'
    """


class InvalidRequest(ViduError, ValueError):
    """A parameter is wrong. Nothing was sent and nothing was written.

    ``.field`` names the first wrong parameter, ``.problems`` lists all of them as ``(field, sentence)``.
    """

    def __init__(self, message: str, *, field: str = "", problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.field = field
        self.problems = problems or ((field, message),)


class Unreachable(ViduError):
    """Nothing was sent: the call may safely be repeated. ``.transient`` is True where another try may succeed."""

    _speaks_of_bill = True

    def __init__(self, message: str, *, remedy: str = "", transient: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.transient = transient


class OutcomeUnknown(ViduError):
    """The request left this machine and no usable answer came back: it may have been billed.

    ``.fetchable`` is True where the clip is made, and `Client.resume` fetches it at no cost.
    """

    _speaks_of_bill = True
    fetchable: bool = False  # for those that are an `APIError` as well

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        billed: Billed = "unknown",
        request_id: str | None = None,
        fetchable: bool = False,
    ) -> None:
        super().__init__(message, remedy=remedy, billed=billed)
        self.fetchable = fetchable
        self.request_id = request_id


class CallInterrupted(_Explained, KeyboardInterrupt):
    """A person interrupted a call that had been sent: it goes on at the service and may be billed.

    ``.answer`` holds what had arrived, an `Answer` of the transport; None where nothing had.
    """

    _speaks_of_bill = True

    def __init__(self, message: str, *, remedy: str = "", billed: Billed = "unknown", answer: Any = None) -> None:
        super().__init__(message, remedy=remedy, billed=billed)
        self.answer = answer


class APIError(ViduError):
    """The service answered with an error status.

    Attributes
    ----------
    status : int
        The HTTP status.
    message : str
        The service's message, in one line of at most 300 characters.
    request_id : str or None
        The service's id of this call, worth quoting to its support.
    billed : {"no", "yes", "unknown"}
    remedy : str
        What to do next.
    """

    _speaks_of_bill = True

    def __init__(
        self,
        message: str,
        *,
        status: int,
        request_id: str | None = None,
        billed: Billed = "no",
        remedy: str = "",
        retry_after: float | None = None,
    ) -> None:
        ViduError.__init__(self, message, remedy=remedy, billed=billed)
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.status}: {super().__str__()}"


class BadRequest(APIError):
    """400: the body is malformed, or a field is missing or invalid."""


class MethodNotAllowed(BadRequest):
    """405: the route exists, but not for this HTTP method."""


class Unauthorized(APIError):
    """401: the key is missing, wrong or expired."""


class Forbidden(APIError):
    """403: this account or team may not use the model."""


class NotFound(APIError):
    """404: no such model, or a request id that has expired."""


class InsufficientCredits(APIError):
    """406 about money: the account or the team's spend limit is used up."""


class Rejected(APIError):
    """406 about anything else: the service refused a value or the content type."""


class JobFailed(Rejected):
    """422: the job was accepted, ran and failed."""


class RateLimited(APIError):
    """429: too many requests; ``.retry_after`` is in seconds where the service names a time."""


class Retired(APIError):
    """410: the model was taken out of service."""


class ServerError(APIError):
    """500: the service broke; often a parameter it can't digest."""


class Unavailable(APIError, OutcomeUnknown):
    """502, 503, 504: a gateway gave up, but the worker behind it may go on and bill."""


class BudgetExceeded(ViduError):
    """The next call would cost more than was allowed; it was not made."""


class ConfirmationNeeded(ViduError):
    """A sweep or a film would cost more than is spent without confirmation; nothing was sent.

    ``.plan`` holds the priced plan, or the film.
    """

    plan: Any = None


class SweepInterrupted(_Explained, KeyboardInterrupt):
    """A person interrupted a sweep: what landed is kept, and in ``.sweep``; the same sweep again goes on from there."""

    sweep: Any = None

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # in a notebook: where the code stood when somebody pressed a button tells nothing


class FilmInterrupted(SweepInterrupted):
    """A person interrupted a film: what landed is kept, and in ``.film``; shooting it again goes on from there."""

    film: Any = None


class ArchiveError(ViduError):
    """A kept result can't be read or written; the message names the file.

    ``.data`` holds the bytes of a clip that was paid for and could not be kept, else None.
    """

    data: bytes | None = None


class NotKept(ArchiveError):
    """The archive holds no clip for a request that may not call out; the message names the nearest one."""


_REMEDIES: dict[type[APIError], tuple[Billed, str]] = {
    BadRequest: ("no", "Fix the named parameter and call again."),
    MethodNotAllowed: ("no", "Check base_url: it must be the service's root, with or without /v1."),
    Unauthorized: ("no", "Set SEGMIND_API_KEY or call vidu.login(); keys are made in the Segmind console."),
    Forbidden: ("no", "Ask the owner of the account or team to permit this model."),
    NotFound: ("no", "Check base_url and the model's name; the model may have left the catalogue."),
    Rejected: ("no", "Change the value that the service names; credits are not the problem."),
    JobFailed: ("no", "Change the prompt or the references; the same job would fail again."),
    RateLimited: ("no", "Wait, then call again."),
    Retired: ("no", "Name another model: this one is no longer served."),
    ServerError: ("no", "Check the parameters and the credit balance before calling again."),
    Unavailable: (
        "unknown",
        "Check the credit balance: the clip may still be made and billed. Don't pay twice blindly.",
    ),
}

_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: MethodNotAllowed, 406: Rejected,
    410: Retired, 413: BadRequest, 415: BadRequest, 422: JobFailed, 429: RateLimited, 500: ServerError,
    502: Unavailable, 503: Unavailable, 504: Unavailable,
}  # fmt: skip

#: One status for several causes: only the text distinguishes them, and each needs other advice.
_BY_TEXT_OF_406: tuple[tuple[str, type[APIError], str], ...] = (
    (r"your teacher", InsufficientCredits, "Previews are free, and so is what somebody in your class has made."),
    (r"spend|quota|budget", InsufficientCredits, "Ask the team's owner to raise its spend limit."),
    (r"credit|balance|billing|payment", InsufficientCredits, "Top up the account, then call again."),
    (r"content.?type|json|media type", Rejected, "Send the body as Content-Type: application/json."),
)


def api_error(
    status: int, message: str, *, request_id: str | None = None, retry_after: float | None = None
) -> APIError:
    """Return the exception for an error status, with its advice.

    Parameters
    ----------
    status
        HTTP status, 300 to 599.
    message
        The service's own message; may be empty.
    request_id
        The service's id of the call.
    retry_after
        Seconds to wait, where the service names a time.

    >>> api_error(406, "Insufficient credits").billed
    'no'
    >>> api_error(503, "").billed
    'unknown'
    """
    message = one_line(message) or f"the service answered {status} with an empty body"
    kind = _BY_STATUS.get(status, APIError)
    billed, remedy = _REMEDIES.get(kind) or _unlisted(status)
    if status == 406:
        for pattern, better, advice in _BY_TEXT_OF_406:
            if re.search(pattern, message, re.IGNORECASE):
                kind, remedy = better, advice
                break
    return kind(message, status=status, request_id=request_id, billed=billed, remedy=remedy, retry_after=retry_after)


def _unlisted(status: int) -> tuple[Billed, str]:
    if 300 <= status < 400:
        # 301, 307 and 308 say "ask elsewhere"; 302 and 303 may follow work that was done.
        billed: Billed = "no" if status in (301, 307, 308) else "unknown"
        return billed, "Redirects are refused: they would carry the key to another place. Check base_url."
    if 400 <= status < 500 and status != 408:
        return "no", "The service refused the request: check it and call again."
    return "unknown", "Check the credit balance before calling again."


def one_line(text: str, limit: int = 300) -> str:
    r"""Return a text on one line without control characters, cut at `limit` characters.

    >>> one_line("two\nlines")
    'two lines'
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
