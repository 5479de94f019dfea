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
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..errors import ArchiveError
from ..files import write_bytes

State = Literal["prepared", "sent", "received", "queued", "linked", "stored", "not charged", "unknown", "settled"]
FORMAT = 1

#: States after which nothing is left to do; a "prepared" one never sent a byte.
CLOSED: frozenset[State] = frozenset({"prepared", "stored", "not charged", "settled"})
_NAME = re.compile(r"(?P<key>[0-9a-f]{64})\.(?P<id>[0-9TZ.]{23}-[0-9a-f]{8})\.json")
_LOCK = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{8})?")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call on paper.

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
        """True while something is left to do or to find out."""
        return self.state not in CLOSED

    @property
    def age_s(self) -> float:
        """Seconds since it was begun, by this machine's clock."""
        begun = datetime.fromisoformat(self.facts["events"][0]["at"])
        return max(0.0, (datetime.now(UTC) - begun).total_seconds())

    def latest(self, name: str) -> Any:
        """The latest event's value of a detail, None where no event has one."""
        return next((event[name] for event in reversed(self.facts["events"]) if name in event), None)

    def add(self, state: State, **details: Any) -> Attempt:
        """The attempt with one more event, on disk when this returns, whatever becomes of this process.

        Raises
        ------
        OSError
            The file system refused; the file still tells the state before.
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

    def open(self, key: str, **facts: Any) -> Attempt:
        """A new attempt in state ``prepared``; nothing is at stake yet, and its file comes with its next state."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"
        events = [{"state": "prepared", "at": _now()}]
        said = {"format": FORMAT, "id": name, "key": key, **facts, "events": events}
        return Attempt(self.folder / key[:2] / f"{key}.{name}.json", said)

    def of(self, key: str) -> list[Attempt]:
        """A request's attempts, oldest first."""
        shard = self.folder / key[:2]
        if not shard.is_dir():
            return []
        return [
            _read(path) for path in sorted(shard.iterdir()) if path.name.startswith(key) and _NAME.fullmatch(path.name)
        ]

    def read_again(self, attempt: Attempt) -> Attempt:
        """The attempt as it stands on disk now."""
        return _read(attempt.path)

    def __iter__(self) -> Iterator[Attempt]:
        if self.folder.is_dir():
            for shard in sorted(self.folder.iterdir()):
                if re.fullmatch("[0-9a-f]{2}", shard.name) and shard.is_dir():
                    yield from (_read(path) for path in sorted(shard.iterdir()) if _NAME.fullmatch(path.name))


def _read(path: Path) -> Attempt:
    problem = ""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] > FORMAT:
            problem = f"has format {facts['format']}: upgrade vidu-nb to read it"
        elif facts["events"][-1]["state"] and _is_ours(path, facts):
            return Attempt(path, facts)
    except OSError as error:
        problem = f"can't be read ({error.strerror})"
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        problem = "is damaged"
    raise ArchiveError(
        f"the journal's {path} {problem or 'is damaged'}",
        remedy="It may stand for a paid call: look at it, check the credit balance, then move it elsewhere.",
    )


def _is_ours(path: Path, facts: dict[str, Any]) -> bool:
    """Whether a file says of itself what its name says: its id and its lock become parts of other files' names."""
    asked = isinstance(facts["request"], dict) and float(facts["price_usd"]) >= 0 and facts["engine"] and facts["model"]
    return bool(asked and path.name == f"{facts['key']}.{facts['id']}.json" and _LOCK.fullmatch(facts["lock"]))


def _write(attempt: Attempt) -> Attempt:
    said = json.dumps(attempt.facts, ensure_ascii=False).encode()  # on one line: four times as fast
    # With "received" lie the bytes themselves: should a power failure bring "sent" back, they are found beside it.
    write_bytes(attempt.path, said, sync_name=attempt.state != "received")
    return attempt


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
