"""What became of a work, from an error or from the archive's journal: what it cost, and a sentence for whoever asked.

The journal has the last word on what was paid. A person reads what is true for them: that their budget is untouched,
that the teacher has to do something; never advice for whoever holds the key.
"""

from __future__ import annotations

from ..console import dollars
from ..errors import (
    APIError,
    ArchiveError,
    Forbidden,
    InsufficientCredits,
    RateLimited,
    Unauthorized,
    Unreachable,
    ViduError,
    api_error,
    one_line,
)
from ..receipt import Receipt
from ..storage.archive import Entry, Made
from ..storage.journal import Attempt
from .ledger import Ending

_FREE = "nothing was billed"
_ACCOUNT = f"the class's own account at the service can't pay for this: {_FREE}; tell your teacher"
_KEY = f"the service refuses the class's key: {_FREE}; tell your teacher"
_DISK = f"the gateway's archive has a problem: {_FREE}; tell your teacher"
_BUSY = f"the service asks the whole class to wait: {_FREE}; ask again in a minute"
_AWAY = f"the gateway can't reach the service: {_FREE}; ask again later"
_BROKEN = f"the gateway has a problem of its own: {_FREE}; tell your teacher"
NOT_SENT = Ending(
    "failed", 0.0, error=f"the gateway was restarted before this was sent: {_FREE}; ask again", status=500
)
LOST = (
    "the service's answer was lost, and this may be billed to whoever asked first: the gateway looks for it from time "
    "to time. Ask again later, it is not paid twice"
)


def not_made(error: BaseException) -> Ending:
    """Return the ending of a work for which nothing was paid, by the error that ended it.

    >>> not_made(InsufficientCredits("Insufficient credits", status=406)).status
    403
    """
    shown = error.message if isinstance(error, ViduError) else type(error).__name__
    match error:
        case InsufficientCredits():
            status, sentence = 403, _ACCOUNT
        case Unauthorized() | Forbidden():
            status, sentence = 403, _KEY
        case RateLimited():
            return Ending("failed", 0.0, error=_BUSY, status=429)
        case APIError():  # what the service says of the request itself
            status = error.status if 400 <= error.status < 500 else 500
            return Ending("failed", 0.0, error=f"{one_line(shown)}: {_FREE}", status=status)
        case Unreachable():
            return Ending("failed", 0.0, error=_AWAY, detail=_for_teacher(error, shown), status=500)
        case ArchiveError():
            status, sentence = 500, _DISK
        case _:
            status, sentence = 500, _BROKEN
    return Ending("failed", 0.0, error=sentence, detail=_for_teacher(error, shown), status=status)


def of_closed(attempt: Attempt, price_usd: float) -> Ending:
    """Return the ending of a work whose attempt is closed without a clip, as far as the journal tells."""
    reason = one_line(str(attempt.latest("reason") or "it was closed without a clip"))
    if attempt.latest("billed"):
        cost = attempt.latest("cost_usd")
        paid = price_usd if cost is None else float(cost)
        return Ending("failed", paid, error=f"{reason}: {dollars(paid)} were billed for it", status=422)
    status = attempt.facts["events"][-1].get("status")
    if status is not None:
        return not_made(api_error(int(status), reason))
    if attempt.latest("ticket") or attempt.state == "settled":
        return Ending("failed", 0.0, error=f"{reason}: {_FREE}", status=422)
    return NOT_SENT


def of_entry(entry: Entry, price_usd: float) -> Ending:
    """Return the ending of a work whose clip is in the archive: it cost what the service said, else its price."""
    receipt = Receipt.from_dict(entry.facts["receipt"])
    return Ending("done", price_usd if receipt.cost_usd is None else receipt.cost_usd, entry=entry.name)


def of_made(made: Made) -> Ending:
    """Return the ending of a work for which nothing had to be paid, since what it asks for was there."""
    path = (made[0] if isinstance(made, tuple) else made).path
    return Ending("done", 0.0, entry=f"{path.parent.name}/{path.stem}.json")


def unknown(price_usd: float, detail: str) -> Ending:
    """Return what a work of unknown outcome has for an ending meanwhile: its price stays reserved."""
    return Ending("unknown", price_usd, error=LOST, detail=one_line(detail), status=504)


def _for_teacher(error: BaseException, shown: str) -> str:
    remedy = error.remedy if isinstance(error, ViduError) else ""
    return one_line(f"{type(error).__name__}: {shown}. {remedy}".strip())
