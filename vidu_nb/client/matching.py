"""Which row of the service's record belongs to which call. Pure: from the journal's attempts and rows to pairs.

A pair has to be certain, since a wrong one would give somebody another call's clip and close a bill that is still open.
So a row that may or may not be a call's stands in the way of a match as a second one would, and where two calls could
have made one row, neither gets it.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from ..references.makers import MADE_BY
from ..storage.journal import Attempt
from .record import Row

#: How far the service's clock may be from this machine's, and how long a request's way to the record may take.
CLOCKS_DIFFER = timedelta(minutes=15)
Agreement = Literal["yes", "perhaps", "no"]
_OF_A_NOTE = {"name", "size", "sha256", "url", MADE_BY}  # a parameter's own tables may have a URL as well
#: Answers after which a call stands in no record: there is no such address, or a rate limit turned it away.
_TURNED_AWAY = (404, 405, 429)


def match(attempts: Sequence[Attempt], rows: Iterable[Row]) -> list[tuple[Attempt, Row]]:
    """Return the pairs of an attempt and its row that are certain.

    Parameters
    ----------
    attempts
        All that were sent, not only those whose outcome is unknown: the others own rows as well.
    rows
        Everything that the record holds for the time of the attempts; a call's rows may stand there several times.

    Returns
    -------
    list of tuple
        Each attempt and each row at most once.
    """
    by_id = {row.request_id: row for row in rows}
    owners = {name: attempt for attempt in attempts if (name := known_id(attempt)) in by_id}
    owned = [(attempt, by_id[name]) for name, attempt in owners.items()]
    free = [row for name, row in by_id.items() if name not in owners]
    calls = [attempt for attempt in attempts if known_id(attempt) not in owners]
    return owned + _certain(calls, free)


def _certain(calls: Sequence[Attempt], rows: Iterable[Row]) -> list[tuple[Attempt, Row]]:
    """Return the pairs in which the call can be the row's alone, and the row the call's."""
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[row.model].append(row)
    rivals: dict[str, int] = defaultdict(int)  # for each row, how many calls may have made it
    pairs = []
    for call in calls:
        time = window(call)
        near = [row for row in by_model[str(call.facts["model"])] if _is_within(time, row)]
        possible = [(row, how) for row in near if (how := _compare(call, row)) != "no"]
        for row, _ in possible:
            rivals[row.request_id] += 1
        # A ticket's row is found by its id; without that, it may not be there yet.
        if len(possible) == 1 and possible[0][1] == "yes" and not call.latest("ticket"):
            pairs.append((call, possible[0][0]))
    return [(call, row) for call, row in pairs if rivals[row.request_id] == 1]


def known_id(attempt: Attempt) -> str:
    """Return the service's id of a call, as its answer, its ticket or an earlier look at the record named it."""
    headers, ticket = attempt.latest("headers") or {}, attempt.latest("ticket") or {}
    return str(attempt.latest("request_id") or headers.get("x-request-id") or ticket.get("request_id") or "")


def window(attempt: Attempt) -> tuple[datetime, datetime]:
    """Return the first and the last moment at which the record may have noted an attempt's beginning."""
    events = [(event["state"], datetime.fromisoformat(event["at"])) for event in attempt.facts["events"]]
    sent = next((at for state, at in events if state == "sent"), events[0][1])
    ended = next((at for state, at in events if state not in ("prepared", "sent")), sent)
    # Of one whose process died, "unknown" may have been written days later.
    return sent - CLOCKS_DIFFER, min(ended, sent + CLOCKS_DIFFER) + CLOCKS_DIFFER


def agreement(attempt: Attempt, row: Row) -> Agreement:
    """Return whether a row can be an attempt's; ``"perhaps"`` where the row doesn't hold enough to tell."""
    is_possible = row.model == attempt.facts["model"] and _is_within(window(attempt), row)
    return _compare(attempt, row) if is_possible else "no"


def _is_within(time: tuple[datetime, datetime], row: Row) -> bool:
    return row.created is None or time[0] <= row.created <= time[1]


def _compare(attempt: Attempt, row: Row) -> Agreement:
    """Compare what was asked for with what the record says was sent."""
    if attempt.state == "not charged" and not _may_be_refusal(attempt, row):
        return "no"
    is_sure = row.created is not None
    for name, value in attempt.facts["request"].items():
        if not _is_of_pictures(value):
            answer = _compare_values(value, row.inputs[name]) if name in row.inputs else "perhaps"
            if answer == "no":
                return "no"
            is_sure = is_sure and answer == "yes"
    if _has_other_pictures(attempt, row):
        return "no"
    return "yes" if is_sure else "perhaps"


def _may_be_refusal(refused: Attempt, row: Row) -> bool:
    """Whether a row can be that of a call that was refused, or of which nothing had left."""
    is_known = refused.latest("status") not in (None, *_TURNED_AWAY)
    return is_known and row.status not in ("COMPLETED", "PENDING")


def _compare_values(ours: Any, theirs: Any) -> Agreement:
    if theirs == ours and isinstance(theirs, bool) == isinstance(ours, bool):
        return "yes"
    if theirs is None or _written(theirs) == _written(ours):
        return "perhaps"
    if isinstance(theirs, str) and isinstance(ours, str) and _is_cut(_written(theirs), _written(ours)):
        return "perhaps"
    return "no"


def _written(value: Any) -> str:
    """Return a value as text, as records may write it in several ways: 7 and "7", spaces, accents."""
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _is_cut(theirs: str, whole: str) -> bool:
    start = theirs.removesuffix("...").removesuffix("…").rstrip()
    return len(start) < len(whole) and whole.startswith(start)


def fingerprint(picture: str) -> dict[str, Any]:
    """Return what the journal notes of a picture as it is sent, to compare it with the record's later.

    >>> fingerprint("data:image/png;base64,AAAA")["length"]
    4
    """
    text = picture.rpartition(",")[2] if picture.startswith("data:") else picture
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "length": len(text)}


def _is_of_pictures(value: Any) -> bool:
    """Whether a described parameter holds notes of pictures, or of other files."""
    values = value if isinstance(value, list) else [value]
    return isinstance(value, list | dict) and all(
        isinstance(one, dict) and "url" in one and one.keys() <= _OF_A_NOTE for one in values
    )


def _has_other_pictures(attempt: Attempt, row: Row) -> bool:
    """Whether a row surely has other pictures; the record may also cut them, leave them out or store links."""
    asked = {name: value for name, value in attempt.facts["request"].items() if _is_of_pictures(value)}
    notes = {name: value if isinstance(value, list) else [value] for name, value in asked.items()}
    count, prints = sum(map(len, notes.values())), attempt.facts.get("pictures")
    left = iter(prints if isinstance(prints, list) and len(prints) == count else [None] * count)
    for name, some in notes.items():
        ours, theirs = [next(left) for _ in some], row.inputs.get(name)
        theirs = [theirs] if isinstance(theirs, str) and not isinstance(asked[name], list) else theirs
        if not isinstance(theirs, list) or not theirs:
            continue
        if len(theirs) != len(some) or any(map(_is_another, some, ours, theirs)):
            return True
    return False


def _is_another(note: Any, ours: Any, theirs: Any) -> bool:
    """Whether a picture is surely not the one that was sent."""
    if not isinstance(theirs, str):
        return False
    link = note.get("url") if isinstance(note, dict) else None
    if link or theirs.startswith(("http://", "https://")):
        return _leads_elsewhere(link, theirs)
    found = fingerprint(theirs)
    return isinstance(ours, dict) and found["length"] >= ours.get("length", 0) and found["sha256"] != ours.get("sha256")


def _leads_elsewhere(ours: Any, theirs: str) -> bool:
    """Whether a link is another picture's; one on another host may be the service's own copy of ours."""
    try:
        one, other = urlsplit(ours if isinstance(ours, str) else ""), urlsplit(theirs)
    except ValueError:
        return False
    return one.netloc == other.netloc and one.path != other.path
