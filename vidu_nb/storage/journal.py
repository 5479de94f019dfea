"""The journal of calls: one small file an attempt, rewritten whole and never shortened. It begins with "sent".

    prepared ──► sent ──► received ──► stored         the usual way
        │         │          ├──► linked ──► stored   the answer named a URL, which is fetched next
        │         │          └──► queued ──► received  the answer was a ticket: the clip is made meanwhile
        │         ├──► not charged                    the service refused, or nothing had left
        │         └──► unknown ──► settled            no usable answer; a person closed it
        └──► not charged

An attempt whose last state is ``sent`` while nobody holds its lock belongs to a process that died: unknown.
"""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..errors import ArchiveError
from ..files import listed, read_regular, reason, write_bytes

State = Literal["prepared", "sent", "received", "queued", "linked", "stored", "not charged", "unknown", "settled"]
FORMAT = 1

#: States after which nothing is left to do; a "prepared" one never sent a byte.
CLOSED: frozenset[State] = frozenset({"prepared", "stored", "not charged", "settled"})
_NAME = re.compile(r"(?P<key>[0-9a-f]{64})\.(?P<id>[0-9TZ.]{23}-[0-9a-f]{8})\.json")
_LOCK = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{8})?")
_SHARD = re.compile("[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call, as the journal has it.

    Attributes
    ----------
    path : pathlib.Path
        Its file in the journal.
    facts : dict
        JSON-ready: what was asked of whom at which price, and ``events`` in order.
    """

    path: Path
    facts: dict[str, Any]

    @property
    def id(self) -> str:
        """Time and a random part, such as ``20260102T030405.678901Z-1f2e3d4c``."""
        return str(self.facts["id"])

    @property
    def state(self) -> State:
        """Where the attempt stands."""
        state: State = self.facts["events"][-1]["state"]
        return state

    @property
    def is_open(self) -> bool:
        """True when something is left to do or to find out."""
        return self.state not in CLOSED

    @property
    def age_s(self) -> float:
        """The seconds since it was begun, by this machine's clock."""
        begun = datetime.fromisoformat(self.facts["events"][0]["at"])
        return max(0.0, (datetime.now(UTC) - begun).total_seconds())

    @property
    def mark(self) -> str:
        """What it was made for, in the caller's own terms; empty where nobody said so."""
        return str(self.facts.get("mark") or "")

    def latest(self, name: str) -> Any:
        """Return the latest event's value of a name, None where no event has one."""
        return next((event[name] for event in reversed(self.facts["events"]) if name in event), None)

    def add(self, state: State, **details: Any) -> Attempt:
        """Write one more event and return the attempt with it: on disk, whatever becomes of this process.

        Raises
        ------
        OSError
            The file system refused; the file still holds the state before.
        """
        event = {"state": state, "at": _now(), **details}
        return _write(Attempt(self.path, {**self.facts, "events": [*self.facts["events"], event]}))


class Journal:
    """All attempts of an archive.

    Parameters
    ----------
    folder
        Where the files lie, spread over sub-folders by the first two digits of the request's key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(
        self,
        key: str,
        *,
        engine: str,
        model: str,
        lock: str,
        price_usd: float,
        request: dict[str, Any],
        request_model: str = "",
        returns: str = "",
        pictures: list[dict[str, Any]] | None = None,
        credits_before: float | None = None,
        mark: str = "",
    ) -> Attempt:
        """Begin an attempt in state ``prepared``; nothing is at stake yet, and its file comes with its next state."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"
        facts = {
            "format": FORMAT,
            "id": name,
            "key": key,
            "engine": engine,
            "model": model,
            "lock": lock,
            "price_usd": price_usd,
            "credits_before": credits_before,
            **({"request_model": request_model, "returns": returns} if request_model else {}),
            **({"mark": mark} if mark else {}),
            "request": request,
            "pictures": pictures or [],
            "events": [{"state": "prepared", "at": _now()}],
        }
        return Attempt(self.folder / key[:2] / f"{key}.{name}.json", facts)

    def attempts_for(self, key: str) -> list[Attempt]:
        """Return a request's attempts, oldest first.

        Raises
        ------
        ArchiveError
            One of them can't be read: it may stand for a paid call, so nothing is known of the request.
        """
        return [_read(path) for path in _files(self.folder / key[:2], key)]

    def read_again(self, attempt: Attempt) -> Attempt:
        """Return the attempt as it stands on disk now."""
        return _read(attempt.path)

    def __iter__(self) -> Iterator[Attempt | ArchiveError]:
        """Go through all attempts; an error in place of one that can't be read, so that it hides none of the others."""
        try:
            shards = sorted(filter(_SHARD.fullmatch, listed(self.folder)))
        except OSError as error:
            yield _unusable(self.folder, f"can't be read ({reason(error)})")
            return
        for shard in shards:
            try:
                paths = _files(self.folder / shard)
            except ArchiveError as error:
                yield error
                continue
            for path in paths:
                try:
                    yield _read(path)
                except ArchiveError as error:
                    yield error


def _files(shard: Path, key: str = "") -> list[Path]:
    """Return the attempts' files in a sub-folder, of a key or of all, oldest first for each key."""
    try:
        names = sorted(name for name in listed(shard) if name.startswith(key))
        return [shard / name for name in names if _NAME.fullmatch(name)]
    except OSError as error:
        raise _unusable(shard, f"can't be read ({reason(error)})") from error


def _read(path: Path) -> Attempt:
    try:
        facts = json.loads(read_regular(path))
        if facts["format"] > FORMAT:
            raise _unusable(path, f"has format {facts['format']}: upgrade vidu-nb to read it")
        _check(path, facts)
    except OSError as error:
        raise _unusable(path, f"can't be read ({reason(error)})") from error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise _unusable(path, "is damaged") from error
    return Attempt(path, facts)


def _check(path: Path, facts: dict[str, Any]) -> None:
    """Raise one of the errors of `_read` unless a file's content is an attempt, and the one that its name says.

    The id and the lock become parts of other files' names; of the rest, what every call that looks at the journal uses.
    """
    request, events = facts["request"], facts["events"]
    headers = [event.get("headers", {}) for event in events]
    tickets = [event.get("ticket", {}) for event in events]
    texts = [facts[name] for name in ("key", "id", "lock", "engine", "model")]
    texts += [] if "request_model" in facts else [request.get("prompt", "")]  # another model's may be anything
    texts += [event["state"] for event in events] + [value for some in headers for value in some.values()]
    figures = [facts["price_usd"], *(event.get("elapsed_s", 0) for event in events)]
    is_whole = (
        all(isinstance(text, str) for text in texts)
        and all(math.isfinite(figure) and figure >= 0 for figure in figures)
        and isinstance(request, dict)
        and path.name == f"{facts['key']}.{facts['id']}.json"
        and _LOCK.fullmatch(facts["lock"])
        and facts["engine"]
        and all(isinstance(ticket, dict) for ticket in tickets)
        and all(datetime.fromisoformat(event["at"]).tzinfo for event in events)
        and events
    )
    if not is_whole:
        raise ValueError


def _unusable(path: Path, problem: str) -> ArchiveError:
    return ArchiveError(
        f"the journal's {path} {problem}",
        remedy="It may stand for a paid call: look at it, check the credit balance, then move it elsewhere.",
    )


def _write(attempt: Attempt) -> Attempt:
    data = json.dumps(attempt.facts, ensure_ascii=False).encode()  # on one line: four times as fast
    # With "received" lie the bytes themselves: should a power failure bring "sent" back, they are found beside it.
    write_bytes(attempt.path, data, sync_name=attempt.state != "received")
    return attempt


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
