"""The ledger: people, what was asked, and what it cost, in one SQL database that several gateways may share.

A *work* is a request that is paid for at most once: its row is claimed before the call, with its price reserved from
the budget of who asked first, and is closed with what it cost. A *call* is what one person asked; many calls may have
one work. All amounts are US dollars.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ..console import dollars
from ..errors import BudgetExceeded, ViduError

VERSION = 1
LEASE_S = 20.0  # s that a gateway's claim holds without a sign of life
_ROUNDING = 1e-9
WorkState = Literal["running", "done", "failed", "unknown"]
Decision = Literal["mine", "join", "replay"]

_tables = MetaData()
settings = Table("settings", _tables, Column("name", String(40), primary_key=True), Column("value", Text))
people = Table(
    "people", _tables,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("role", String(20), nullable=False, default="person"),
    Column("token_hash", String(64), unique=True),
    Column("usd", Float),
    Column("state", String(20), nullable=False, default="active"),
    Column("created", String(40), nullable=False),
)  # fmt: skip
works = Table(
    "works", _tables,
    Column("key", String(80), primary_key=True),
    Column("person", Integer, nullable=False, index=True),
    Column("model", String(200), nullable=False),
    Column("state", String(20), nullable=False),
    Column("usd", Float, nullable=False),
    Column("attempt", String(80)),
    Column("entry", String(300)),
    Column("error", Text),
    Column("status", Integer),
    Column("owner", String(40)),
    Column("lease", String(40)),
    Column("created", String(40), nullable=False),
    Column("ended", String(40)),
)  # fmt: skip
calls = Table(
    "calls", _tables,
    Column("id", String(40), primary_key=True),
    Column("person", Integer, nullable=False),
    Column("key", String(80), nullable=False, index=True),
    Column("model", String(200), nullable=False),
    Column("usd", Float, nullable=False, default=0.0),
    Column("pays", Integer, nullable=False, default=0),
    Column("inputs", JSON),
    Column("created", String(40), nullable=False),
    Index("calls_of_a_person", "person", "created"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a token.

    Attributes
    ----------
    id : int
    name : str
    is_teacher : bool
    usd : float
        What they may spend in all.
    is_paused : bool
    """

    id: int
    name: str
    is_teacher: bool
    usd: float
    is_paused: bool


class Ledger:
    """People, works and calls in a database.

    Parameters
    ----------
    url
        As SQLAlchemy has it: ``sqlite:///class.db``, ``postgresql+psycopg://...``.
    each_usd
        The budget of a person for whom nothing else is said.
    total_usd
        The budget of all together.

    Raises
    ------
    ViduError
        The database is of a newer version.
    """

    def __init__(self, url: str, *, each_usd: float, total_usd: float) -> None:
        self.each_usd, self.total_usd = each_usd, total_usd
        self.owner = secrets.token_hex(8)
        self._engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)  # they hold prompts
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        if self._is_sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        _tables.create_all(self._engine)
        with self._begin() as db:
            version = self._setting(db, "version")
            if version is None:
                db.execute(insert(settings).values(name="version", value=str(VERSION)))
                db.execute(insert(settings).values(name="secret", value=secrets.token_hex(32)))
            elif int(version) > VERSION:
                raise ViduError(f"the ledger has version {version}", remedy="Upgrade vidu-nb to use it.")

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._engine.begin() as db:
            yield db

    # Settings.

    @property
    def secret(self) -> bytes:
        """What links are signed with."""
        with self._begin() as db:
            return bytes.fromhex(str(self._setting(db, "secret")))

    @property
    def is_paused(self) -> bool:
        """Whether nobody may spend for now."""
        with self._begin() as db:
            return self._setting(db, "paused") == "yes"

    def pause(self, *, paused: bool) -> None:
        """Let nobody spend, or let them again."""
        with self._begin() as db:
            self._set(db, "paused", "yes" if paused else "no")

    def _setting(self, db: Connection, name: str) -> str | None:
        return db.execute(select(settings.c.value).where(settings.c.name == name)).scalar()

    def _set(self, db: Connection, name: str, value: str) -> None:
        changed = db.execute(update(settings).where(settings.c.name == name).values(value=value))
        if not changed.rowcount:
            db.execute(insert(settings).values(name=name, value=value))

    # People.

    def enrol(self, name: str, *, token_hash: str | None, usd: float | None = None, role: str = "person") -> int:
        """Add somebody, or give them another token or budget; return their id."""
        with self._begin() as db:
            known = db.execute(select(people).where(people.c.name == name)).mappings().first()
            values: dict[str, Any] = {"usd": usd, "role": role, **({"token_hash": token_hash} if token_hash else {})}
            if known:
                db.execute(update(people).where(people.c.id == known["id"]).values(**values))
                return int(known["id"])
            made = db.execute(insert(people).values(name=name, state="active", created=_now(), **values))
            return int(made.inserted_primary_key[0])  # type: ignore[index]

    def change(self, name: str, **values: Any) -> bool:
        """Change somebody's ``usd``, ``state`` or ``token_hash``; whether there is such a person."""
        with self._begin() as db:
            return bool(db.execute(update(people).where(people.c.name == name).values(**values)).rowcount)

    @property
    def roster(self) -> dict[str, float | None]:
        """The names and budgets of the roster that was applied last."""
        with self._begin() as db:
            found: dict[str, float | None] = json.loads(self._setting(db, "roster") or "{}")
        return found

    def apply_roster(
        self,
        roster: Mapping[str, float | None] | None,
        *,
        new: Sequence[Mapping[str, Any]],
        budgets: Mapping[str, float | None],
        before_commit: Callable[[], object],
    ) -> None:
        """Add people and change budgets in one transaction.

        Parameters
        ----------
        roster
            The names and budgets to remember as applied; None leaves what is remembered.
        new
            Rows of ``name``, ``role``, ``usd`` and ``token_hash``.
        budgets
            What some who are there may spend from now on; None for what each person may.
        before_commit
            Called when the database has taken everything; nothing is kept where it fails.

        Raises
        ------
        IntegrityError
            Another gateway has added one of the names.
        """
        with self._begin() as db:
            if new:
                db.execute(insert(people), [{**row, "state": "active", "created": _now()} for row in new])
            if budgets:
                change = update(people).where(people.c.name == bindparam("who")).values(usd=bindparam("budget"))
                db.execute(change, [{"who": name, "budget": usd} for name, usd in budgets.items()])
            if roster is not None:
                self._set(db, "roster", json.dumps(dict(roster)))
            before_commit()

    def top_up(self, name: str, usd: float) -> bool:
        """Add to what somebody may spend in all; whether there is such a person."""
        return self.change(name, usd=func.coalesce(people.c.usd, self.each_usd) + usd)

    def person_of(self, token_hash: str) -> Person | None:
        """Return who has a token, None where nobody has; a revoked one is nobody's."""
        with self._begin() as db:
            row = db.execute(select(people).where(people.c.token_hash == token_hash)).mappings().first()
        return self._person(row) if row and row["state"] != "revoked" else None

    def person_named(self, name: str) -> Person | None:
        """Return who has a name."""
        with self._begin() as db:
            row = db.execute(select(people).where(people.c.name == name)).mappings().first()
        return self._person(row) if row and row["state"] != "revoked" else None

    def is_revoked(self, name: str) -> bool:
        """Return whether somebody may not come back."""
        with self._begin() as db:
            return db.execute(select(people.c.state).where(people.c.name == name)).scalar() == "revoked"

    def _person(self, row: Any) -> Person:
        usd = self.each_usd if row["usd"] is None else row["usd"]
        return Person(row["id"], row["name"], row["role"] == "teacher", usd, row["state"] == "paused")

    def everybody(self) -> list[dict[str, Any]]:
        """Return a row for each person: name, role, state, budget, spent and reserved, left, calls, calls running."""
        with self._begin() as db:
            spent: dict[int, float] = dict(
                db.execute(select(works.c.person, func.sum(works.c.usd)).group_by(works.c.person)).all()
            )
            asked: dict[int, int] = dict(
                db.execute(select(calls.c.person, func.count()).group_by(calls.c.person)).all()
            )
            running: dict[int, int] = dict(
                db.execute(
                    select(works.c.person, func.count()).where(works.c.state == "running").group_by(works.c.person)
                ).all()
            )
            rows = db.execute(select(people).order_by(people.c.name)).mappings().all()
        table = []
        for row in rows:
            person, used = self._person(row), round(spent.get(row["id"]) or 0.0, 9)
            table.append({
                "name": person.name, "role": row["role"], "state": row["state"], "usd": person.usd, "spent_usd": used,
                "left_usd": round(max(0.0, person.usd - used), 9), "calls": asked.get(row["id"], 0),
                "running": running.get(row["id"], 0),
            })  # fmt: skip
        return table

    def left(self, person: Person) -> float:
        """Return what somebody may still spend, as the class's own budget allows."""
        with self._begin() as db:
            return self._left(db, person)

    def _left(self, db: Connection, person: Person) -> float:
        own = db.execute(select(func.sum(works.c.usd)).where(works.c.person == person.id)).scalar() or 0.0
        return round(max(0.0, min(person.usd - own, self.total_usd - self._spent(db))), 9)

    def _spent(self, db: Connection) -> float:
        return float(db.execute(select(func.sum(works.c.usd))).scalar() or 0.0)

    @property
    def spent_usd(self) -> float:
        """What all have spent, and what is reserved for them."""
        with self._begin() as db:
            return round(self._spent(db), 9)

    # Works and calls.

    def ask(
        self, person: Person, key: str, *, model: str, price_usd: float, inputs: Mapping[str, Any], at_once: int
    ) -> tuple[str, Decision]:
        """Note a call, and claim its work where nobody has, with its price reserved; one transaction.

        Parameters
        ----------
        person
            Who asks.
        key
            What makes two requests the same.
        model
            Its name in the URL.
        price_usd
            What it is expected to cost.
        inputs
            The body, with pictures shortened.
        at_once
            Works that one person may have running.

        Returns
        -------
        tuple of str and str
            The call's id, and ``"mine"`` for who has to make it, ``"join"`` where it is being made, ``"replay"``.

        Raises
        ------
        BudgetExceeded
            Less than the price is left; nothing was noted.
        TooMany
            So many of this person's are running; nothing was noted.
        """
        name = secrets.token_hex(16)
        with self._begin() as db:
            self._lock(db, person)
            decision = self._claim(db, person, key, model=model, price_usd=price_usd, at_once=at_once)
            db.execute(
                insert(calls).values(
                    id=name, person=person.id, key=key, model=model, inputs=dict(inputs), created=_now(),
                    pays=int(decision == "mine"), usd=0.0,
                )
            )  # fmt: skip
        return name, decision

    def _claim(
        self, db: Connection, person: Person, key: str, *, model: str, price_usd: float, at_once: int
    ) -> Decision:
        known = db.execute(select(works).where(works.c.key == key)).mappings().first()
        state = known["state"] if known else None
        if state in ("done", "running"):
            return "replay" if state == "done" else "join"
        ours = {"state": "running", "owner": self.owner, "lease": _later(LEASE_S)}
        if state == "unknown":  # it may have been paid for, by who asked first: it is only looked for again
            looked = db.execute(update(works).where(works.c.key == key, works.c.state == state).values(**ours))
            return "mine" if looked.rowcount else "join"
        self._check(db, person, price_usd, at_once)
        if state == "failed":  # it stays under a name of its own, with who asked for it
            past = f"{key[:70]}.{secrets.token_hex(4)}"
            for table in (works, calls):
                db.execute(update(table).where(table.c.key == key).values(key=past))
        try:
            with db.begin_nested():
                db.execute(
                    insert(works).values(
                        key=key, person=person.id, model=model, usd=price_usd, created=_now(), **ours
                    )
                )  # fmt: skip
        except IntegrityError:  # another gateway was faster
            return "join"
        return "mine"

    def _lock(self, db: Connection, person: Person) -> None:
        """Keep others of this person's, and of the class's budget, out until the transaction ends."""
        if not self._is_sqlite:  # where a transaction that writes is alone anyway
            db.execute(select(settings).where(settings.c.name == "secret").with_for_update())
            db.execute(select(people).where(people.c.id == person.id).with_for_update())

    def _check(self, db: Connection, person: Person, price_usd: float, at_once: int) -> None:
        left = self._left(db, person)
        if price_usd > left + _ROUNDING:
            raise BudgetExceeded(
                f"this costs about {dollars(price_usd)}, and {dollars(left)} of {dollars(person.usd)} is left"
            )
        running = db.execute(
            select(func.count()).select_from(works).where(works.c.person == person.id, works.c.state == "running")
        ).scalar()
        if (running or 0) >= at_once:
            raise TooMany(f"{running} of your calls are being made, and {at_once} may be at a time")

    def note_attempt(self, key: str, attempt: str) -> None:
        """Note which attempt of the journal makes a work."""
        with self._begin() as db:
            db.execute(update(works).where(works.c.key == key).values(attempt=attempt))

    def attempts(self, key: str) -> set[str]:
        """Return the attempts that are noted for the works of a request."""
        with self._begin() as db:
            found = db.execute(select(works.c.attempt).where(works.c.key.startswith(key)))
            return {one for one in found.scalars() if one}

    def finish(
        self,
        key: str,
        *,
        state: WorkState,
        usd: float,
        entry: str | None = None,
        error: str | None = None,
        status: int | None = None,
    ) -> None:
        """Close a work with what it cost: the reservation becomes that."""
        with self._begin() as db:
            db.execute(
                update(works)
                .where(works.c.key == key)
                .values(state=state, usd=usd, entry=entry, error=error, status=status, ended=_now(), lease=None)
            )

    def work(self, key: str) -> dict[str, Any] | None:
        """Return a work's row."""
        with self._begin() as db:
            row = db.execute(select(works).where(works.c.key == key)).mappings().first()
        return dict(row) if row else None

    def call(self, name: str, person: Person) -> dict[str, Any] | None:
        """Return one of somebody's own calls with its work, None where there is none; a teacher sees everybody's."""
        query = select(calls, *_of_work).join(works, works.c.key == calls.c.key).where(calls.c.id == name)
        with self._begin() as db:
            row = db.execute(query).mappings().first()
        if row is None or (row["person"] != person.id and not person.is_teacher):
            return None
        return dict(row)

    def history(self, person: Person, *, first: str, last: str) -> list[dict[str, Any]]:
        """Return somebody's own calls with their works, newest first, made between two times."""
        query = (
            select(calls, *_of_work)
            .join(works, works.c.key == calls.c.key)
            .where(calls.c.person == person.id, calls.c.created >= first, calls.c.created < last)
            .order_by(calls.c.created.desc())
        )
        with self._begin() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest works that were made, with who paid."""
        query = (
            select(works, people.c.name.label("name"))
            .join(people, people.c.id == works.c.person)
            .where(works.c.state == "done")
            .order_by(works.c.ended.desc())
            .limit(count)
        )
        with self._begin() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    # What a page shows.

    def clips(self, count: int, *, each: int | None = None) -> list[dict[str, Any]]:
        """Return the newest works that were made, with who paid; with `each`, that many of each person at most.

        Each row has the ``id`` and the ``inputs`` of the call that paid.
        """
        paid = select(func.min(calls.c.id)).where(calls.c.key == works.c.key, calls.c.person == works.c.person)
        rank = func.row_number().over(partition_by=works.c.person, order_by=works.c.ended.desc()).label("rank")
        made = (
            select(works.c.key, works.c.ended, people.c.name, paid.scalar_subquery().label("call"), rank)
            .join(people, people.c.id == works.c.person)
            .where(works.c.state == "done")
            .subquery()
        )
        query = select(made.c.name, made.c.ended, calls.c.id, calls.c.model, calls.c.inputs)
        query = query.join(calls, calls.c.id == made.c.call).order_by(made.c.ended.desc()).limit(count)
        with self._begin() as db:
            found = db.execute(query if each is None else query.where(made.c.rank <= each))
            return [dict(row) for row in found.mappings()]

    def latest_calls(self, person: Person, count: int) -> list[dict[str, Any]]:
        """Return somebody's own newest calls with their works."""
        query = select(calls, *_of_work).join(works, works.c.key == calls.c.key).where(calls.c.person == person.id)
        with self._begin() as db:
            found = db.execute(query.order_by(calls.c.created.desc()).limit(count))
            return [dict(row) for row in found.mappings()]

    def spent_by(self, person: Person) -> float:
        """Return what somebody has spent, and what is reserved for them."""
        with self._begin() as db:
            spent = db.execute(select(func.sum(works.c.usd)).where(works.c.person == person.id)).scalar()
        return round(spent or 0.0, 9)

    # Signs of life.

    def keep_alive(self) -> None:
        """Renew the lease of everything that this gateway makes."""
        with self._begin() as db:
            db.execute(
                update(works)
                .where(works.c.owner == self.owner, works.c.state == "running")
                .values(lease=_later(LEASE_S))
            )

    def take_over(self) -> list[dict[str, Any]]:
        """Claim the works whose gateway gave no sign of life, and return them."""
        with self._begin() as db:
            late = db.execute(
                select(works).where(works.c.state == "running", works.c.owner != self.owner, works.c.lease < _now())
            ).mappings()
            taken = []
            for row in late.all():
                won = db.execute(
                    update(works)
                    .where(works.c.key == row["key"], works.c.owner == row["owner"], works.c.lease == row["lease"])
                    .values(owner=self.owner, lease=_later(LEASE_S))
                )
                taken += [dict(row)] if won.rowcount else []
        return taken

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()


class TooMany(ViduError):
    """Somebody has as many calls running as they may."""


_of_work = (
    works.c.state.label("state"),
    works.c.usd.label("work_usd"),
    works.c.entry.label("entry"),
    works.c.error.label("error"),
    works.c.status.label("status"),
    works.c.ended.label("ended"),
    works.c.person.label("payer"),
)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=30000")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # one that may write waits here, and not in its middle


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
