"""The ledger: people, what was asked, and what it cost, in one SQL database that several gateways may share.

A *work* is a request that is paid for at most once: its row is claimed before the call, with its price reserved from
the budget of who asked first, and is closed with what it cost. A *call* is what one person asked; many calls may have
one work. All amounts are US dollars.

    running ──► done       it has a clip: whoever asks the same gets that
       │  ▲ ──► failed     it brought nothing, and what it cost is certain: whoever asks the same begins a new work
       ▼  │
     unknown               it may have been billed: looked for from time to time, and when somebody asks again

A running work has an owner, the gateway that makes it, and a lease that the owner renews. Where the lease is over,
another gateway, or the same one started again, takes the work over. Nothing is sent for a work but by its owner:
`confirm` says so in the last moment before the first byte leaves, and notes the attempt that leaves.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    JSON,
    URL,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from ..animatic.server.record import HistoryQuery
from ..console import dollars
from ..errors import BudgetExceeded, Unreachable, ViduError

VERSION = 2
LEASE_S = 8.0  # s that a gateway's claim holds without a sign of life; it gives one four times as often
_CONNECTIONS = 16
_ROUNDING = 1e-9
_STARTING = 7_100_417  # any number: the lock on PostgreSQL that gateways hold while they look at the tables
WorkState = Literal["running", "done", "failed", "unknown"]
Decision = Literal["mine", "look", "join", "replay"]
#: What a ledger that is away for a while raises.
LedgerAway = SQLAlchemyError

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
    Column("id", String(80), primary_key=True),  # the mark of its attempts in the archive's journal
    Column("key", String(100), nullable=False, index=True),
    Column("person", Integer, nullable=False, index=True),  # who pays
    Column("model", String(200), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("usd", Float, nullable=False),
    Column("attempt", String(80)),  # the latest one of which a byte may have left
    Column("entry", String(300)),
    Column("error", Text),  # for whoever asked
    Column("detail", Text),  # for the teacher
    Column("status", Integer),
    Column("owner", String(40)),
    Column("lease", String(40)),
    Column("created", String(40), nullable=False),
    Column("ended", String(40)),
)  # fmt: skip
#: The promise that a request is paid for at most once, should the code above it ever fail to hold it.
Index(
    "one_work_at_a_time", works.c.key, unique=True,
    sqlite_where=works.c.state != "failed", postgresql_where=works.c.state != "failed",
)  # fmt: skip
calls = Table(
    "calls", _tables,
    Column("id", String(40), primary_key=True),
    Column("person", Integer, nullable=False),
    Column("work", String(80), nullable=False, index=True),
    Column("model", String(200), nullable=False),
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
        They, or the whole class.
    """

    id: int
    name: str
    is_teacher: bool
    usd: float
    is_paused: bool


class Asked(NamedTuple):
    """A call that was noted.

    Attributes
    ----------
    call : str
        Its id.
    decision : str
        ``"mine"``: whoever asked has to make it, and pays. ``"look"``: its outcome is unknown, and whoever asked has
        to look for it. ``"join"``: it is being made. ``"replay"``: it is there.
    work : dict
        Its row.
    """

    call: str
    decision: Decision
    work: dict[str, Any]

    @property
    def pays(self) -> bool:
        """Whether this call is the one that the work's cost belongs to."""
        return self.decision == "mine"


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a work.

    Attributes
    ----------
    state : str
    usd : float
        What it cost; of an unknown one, what stays reserved.
    entry : str or None
        Its name in the archive.
    error, detail : str or None
        What went wrong, for whoever asked and for the teacher.
    status : int or None
        The HTTP status for whoever asked.
    """

    state: WorkState
    usd: float
    entry: str | None = None
    error: str | None = None
    detail: str | None = None
    status: int | None = None


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
        The database can't be opened, or is of a newer version.
    """

    def __init__(self, url: str | URL, *, each_usd: float, total_usd: float) -> None:
        self.each_usd, self.total_usd = each_usd, total_usd
        self.owner = secrets.token_hex(8)
        problem = ""
        try:
            self._open(url)
        except (SQLAlchemyError, ImportError, OSError) as error:  # their texts may hold the password of a URL
            problem = type(error).__name__
        if problem:
            raise ViduError(
                f"the ledger can't be opened ({problem})",
                remedy="Check its URL; PostgreSQL needs: pip install 'psycopg[binary]'.",
            )

    def _open(self, url: str | URL) -> None:
        is_file = make_url(url).get_backend_name() == "sqlite"  # which no server and no network takes away
        self._engine = create_engine(
            url,
            pool_pre_ping=not is_file,
            pool_size=_CONNECTIONS,
            max_overflow=_CONNECTIONS,
            pool_timeout=30,
            hide_parameters=True,  # they hold prompts
        )
        self._is_sqlite = is_file
        self._file = Path(self._engine.url.database or "") if self._is_sqlite else None
        if self._is_sqlite:
            _make_private(self._file)
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._reading = self._engine.execution_options(only_reads=True)
        self._quick = self._engine.execution_options(is_quick=True)
        with self._begin() as db:
            self._prepare(db)

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """Hold a transaction that writes: on the disk, with all before it, once it is over."""
        with self._engine.begin() as db:
            yield db

    @contextmanager
    def _begin_quickly(self) -> Iterator[Connection]:
        """Hold a transaction that writes what a power failure may take back, but the end of no process.

        That is a claim, before `confirm` puts it on the disk with itself: nothing has left until then. And a work's
        end, which is found in the archive's journal again.
        """
        with self._quick.begin() as db:
            yield db

    @contextmanager
    def _look(self) -> Iterator[Connection]:
        """Hold a transaction that only reads, and that waits for nobody who writes."""
        with self._reading.begin() as db:
            yield db

    def _prepare(self, db: Connection) -> None:
        """Make the tables, or bring those of an older version up to this one."""
        if not self._is_sqlite:  # where a transaction that writes is alone anyway
            db.execute(select(func.pg_advisory_xact_lock(_STARTING)))
        known = inspect(db).has_table("settings")
        version = int(self._setting(db, "version") or VERSION) if known else VERSION
        if version > VERSION:
            raise ViduError(f"the ledger has version {version}", remedy="Upgrade vidu-nb to use it.")
        for number in range(version, VERSION):
            UPGRADES[number](db)
        _tables.create_all(db)
        self._set(db, "version", str(VERSION))
        if self._setting(db, "secret") is None:
            self._set(db, "secret", secrets.token_hex(32))

    def backup(self, target: Path) -> None:
        """Write a copy of a SQLite ledger as it stands at one moment, while gateways use it, for its owner alone.

        Raises
        ------
        ViduError
            It is another database, which has tools of its own for that, or there is such a file already.
        """
        if self._file is None:
            raise ViduError("only a SQLite ledger is copied here", remedy="Use the database's own tool, say pg_dump.")
        if target.exists():
            raise ViduError(f"{target.name} exists already", remedy="Name another file.")
        _make_private(target)
        with closing(sqlite3.connect(self._file)) as ours, closing(sqlite3.connect(target)) as copy:
            ours.backup(copy)

    # Settings.

    @property
    def secret(self) -> bytes:
        """What links are signed with."""
        with self._look() as db:
            return bytes.fromhex(str(self._setting(db, "secret")))

    @property
    def is_paused(self) -> bool:
        """Whether nobody may spend for now."""
        with self._look() as db:
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
        return self._found(_PERSON_OF, token_hash)

    def person_named(self, name: str) -> Person | None:
        """Return who has a name."""
        return self._found(_PERSON_NAMED, name)

    def _found(self, query: Select[Any], wanted: str) -> Person | None:
        with self._look() as db:
            row = db.execute(query, {"wanted": wanted}).mappings().first()
        if row is None or row["state"] == "revoked":
            return None
        person = self._person(row)
        return replace(person, is_paused=person.is_paused or (row["paused"] == "yes" and not person.is_teacher))

    def is_revoked(self, name: str) -> bool:
        """Return whether somebody may not come back."""
        with self._begin() as db:
            return db.execute(select(people.c.state).where(people.c.name == name)).scalar() == "revoked"

    def _person(self, row: Any) -> Person:
        usd = self.each_usd if row["usd"] is None else row["usd"]
        return Person(row["id"], row["name"], row["role"] == "teacher", usd, row["state"] == "paused")

    def everybody(self) -> list[dict[str, Any]]:
        """Return a row for each person: name, role, state, budget, spent and reserved, left, calls, calls running."""
        with self._look() as db:
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
        with self._look() as db:
            return self._left(db, person)

    def _left(self, db: Connection, person: Person) -> float:
        spent, all_spent = db.execute(_SPENT, {"wanted": person.id}).one()
        return round(max(0.0, min(person.usd - (spent or 0.0), self.total_usd - (all_spent or 0.0))), 9)

    def _spent(self, db: Connection) -> float:
        return float(db.execute(select(func.sum(works.c.usd))).scalar() or 0.0)

    @property
    def spent_usd(self) -> float:
        """What all have spent, and what is reserved for them."""
        with self._look() as db:
            return round(self._spent(db), 9)

    # Works and calls.

    def ask(
        self, person: Person, key: str, *, model: str, price_usd: float, inputs: Mapping[str, Any], at_once: int
    ) -> Asked:
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

        Raises
        ------
        BudgetExceeded
            Less than the price is left; nothing was noted.
        TooMany
            So many of this person's are running; nothing was noted.
        """
        name = secrets.token_hex(16)
        with self._begin_quickly() as db:
            self._lock(db, person)
            decision, work = self._claim(db, person, key, model=model, price_usd=price_usd, at_once=at_once)
            row = {
                "id": name, "person": person.id, "work": work["id"], "model": model, "inputs": dict(inputs),
                "created": _now(), "pays": int(decision == "mine"),
            }  # fmt: skip
            db.execute(_NOTE_CALL, row)
        return Asked(name, decision, work)

    def _claim(
        self, db: Connection, person: Person, key: str, *, model: str, price_usd: float, at_once: int
    ) -> tuple[Decision, dict[str, Any]]:
        ours = {"state": "running", "owner": self.owner, "lease": _later(LEASE_S)}
        known = self._current(db, key)
        if known and known["state"] == "unknown":  # whoever asked first has paid for it, if anybody has
            db.execute(update(works).where(works.c.id == known["id"]).values(**ours))
            return "look", {**known, **ours}
        if known:
            return "replay" if known["state"] == "done" else "join", known
        self._check(db, person, price_usd, at_once)
        work = {
            "id": secrets.token_hex(16), "key": key, "person": person.id, "model": model, "usd": price_usd,
            "attempt": None, "created": _now(), **ours,
        }  # fmt: skip
        db.execute(_NOTE_WORK, work)
        return "mine", work

    def _current(self, db: Connection, key: str) -> dict[str, Any] | None:
        row = db.execute(_CURRENT, {"wanted": key}).mappings().first()
        return dict(row) if row else None

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
        running = db.execute(_RUNNING, {"wanted": person.id}).scalar()
        if (running or 0) >= at_once:
            raise TooMany(f"{running} of your calls are being made, and {at_once} may be at a time")

    def confirm(self, work: str, attempt: str) -> None:
        """Note the attempt that is about to leave for a work, which has to be this gateway's still.

        Raises
        ------
        Unreachable
            Another gateway has taken the work over, since this one gave no sign of life for so long.
        """
        with self._begin() as db:
            values = {"attempt": attempt, "lease": _later(LEASE_S)}
            noted = db.execute(_CONFIRM, {"wanted": work, "ours": self.owner, **values})
        if not noted.rowcount:
            raise Unreachable("another gateway has taken this call over")

    def finish(self, work: str, ending: Ending) -> dict[str, Any] | None:
        """Close a work with what it cost: the reservation becomes that. One that is closed for certain stays so.

        Returns its row as it is now, as `work` does.
        """
        with self._begin_quickly() as db:
            values = {
                "state": ending.state, "usd": ending.usd, "entry": ending.entry, "error": ending.error,
                "detail": ending.detail, "status": ending.status, "ended": _now(), "lease": None,
            }  # fmt: skip
            db.execute(_FINISH, {"wanted": work, **values})
            return self._work(db, work)

    def work(self, name: str) -> dict[str, Any] | None:
        """Return a work's row."""
        with self._look() as db:
            return self._work(db, name)

    def _work(self, db: Connection, name: str) -> dict[str, Any] | None:
        row = db.execute(_WORK, {"wanted": name}).mappings().first()
        return dict(row) if row else None

    def call(self, name: str, person: Person) -> dict[str, Any] | None:
        """Return one of somebody's own calls with its work, None where there is none; a teacher sees everybody's."""
        with self._look() as db:
            row = db.execute(_calls_with_works.where(calls.c.id == name)).mappings().first()
        if row is None or (row["person"] != person.id and not person.is_teacher):
            return None
        return dict(row)

    def history(self, person: Person, query: HistoryQuery) -> tuple[list[dict[str, Any]], int]:
        """Return a page of somebody's own calls with their works, and how many there are in all."""
        wanted = and_(
            calls.c.person == person.id,
            calls.c.created >= query.first.isoformat(),
            calls.c.created < (query.last + timedelta(days=1)).isoformat(),
            calls.c.model.contains(query.model, autoescape=True),
            *(() if not query.status else (works.c.state.in_(_STATES.get(query.status, ())),)),
        )
        column = _SORTED[query.sort_by]
        order = [column.desc() if query.is_descending else column.asc(), calls.c.created.desc(), calls.c.id]
        page = _calls_with_works.where(wanted).order_by(*order).limit(query.count).offset(query.start)
        with self._look() as db:
            count = db.execute(select(func.count()).select_from(_both).where(wanted)).scalar() or 0
            return [dict(row) for row in db.execute(page).mappings()], count

    def newest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest works that were made, with who paid."""
        return self._works(works.c.state == "done", count)

    def troubles(self, count: int) -> list[dict[str, Any]]:
        """Return the newest works that a teacher has to know of: of unknown outcome, or with a ``detail``."""
        return self._works(or_(works.c.state == "unknown", works.c.detail.is_not(None)), count)

    def _works(self, wanted: ColumnElement[bool], count: int) -> list[dict[str, Any]]:
        query = (
            select(works, people.c.name.label("name"))
            .join(people, people.c.id == works.c.person)
            .where(wanted)
            .order_by(works.c.ended.desc())
            .limit(count)
        )
        with self._look() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    # What a page shows.

    def clips(self, count: int, *, each: int | None = None) -> list[dict[str, Any]]:
        """Return the newest works that were made, with who paid; with `each`, that many of each person at most.

        Each row has the ``id`` and the ``inputs`` of the call that paid.
        """
        paid = select(func.min(calls.c.id)).where(calls.c.work == works.c.id, calls.c.person == works.c.person)
        rank = func.row_number().over(partition_by=works.c.person, order_by=works.c.ended.desc()).label("rank")
        made = (
            select(works.c.ended, people.c.name, paid.scalar_subquery().label("call"), rank)
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
        query = _calls_with_works.where(calls.c.person == person.id)
        with self._look() as db:
            found = db.execute(query.order_by(calls.c.created.desc()).limit(count))
            return [dict(row) for row in found.mappings()]

    def spent_by(self, person: Person) -> float:
        """Return what somebody has spent, and what is reserved for them."""
        with self._begin() as db:
            spent = db.execute(select(func.sum(works.c.usd)).where(works.c.person == person.id)).scalar()
        return round(spent or 0.0, 9)

    def unknown(self) -> list[dict[str, Any]]:
        """Return the works of unknown outcome."""
        return [row for row in self.in_progress() if row["state"] == "unknown"]

    def in_progress(self) -> list[dict[str, Any]]:
        """Return the works that are not closed for certain: those that are being made, and of unknown outcome."""
        with self._look() as db:
            rows = db.execute(select(works).where(works.c.state.in_(("running", "unknown")))).mappings()
            return [dict(row) for row in rows]

    # Signs of life.

    def keep_alive(self, names: Collection[str]) -> None:
        """Renew the leases of the works that this gateway makes."""
        if names:
            with self._begin_quickly() as db:
                db.execute(
                    update(works)
                    .where(works.c.id.in_(names), works.c.owner == self.owner, works.c.state == "running")
                    .values(lease=_later(LEASE_S))
                )

    def let_go(self, names: Collection[str]) -> None:
        """End the leases of works that this gateway makes: the next one need not wait for that."""
        if names:
            with self._begin() as db:
                db.execute(
                    update(works)
                    .where(works.c.id.in_(names), works.c.owner == self.owner, works.c.state == "running")
                    .values(lease=_now())
                )

    def take_over(self) -> list[dict[str, Any]]:
        """Claim the works whose gateway gave no sign of life, and return them.

        A lease that ends later than any that is given now was written before a clock was set back, and is over too.
        """
        over = or_(works.c.lease < _now(), works.c.lease > _later(3 * LEASE_S))
        with self._look() as db:
            late = [dict(row) for row in db.execute(select(works).where(works.c.state == "running", over)).mappings()]
        if not late:
            return []
        with self._begin() as db:
            return [row for row in late if self._take(db, row)]

    def _take(self, db: Connection, row: dict[str, Any]) -> bool:
        taken = db.execute(
            update(works)
            .where(works.c.id == row["id"], works.c.owner == row["owner"], works.c.lease == row["lease"])
            .values(owner=self.owner, lease=_later(LEASE_S))
        )
        return bool(taken.rowcount)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()


class TooMany(ViduError):
    """Somebody has as many calls running as they may."""


# What each call takes, made once.

_WANTED: BindParameter[Any] = bindparam("wanted")
_PAUSED = select(settings.c.value).where(settings.c.name == "paused").scalar_subquery()
_PERSON = select(people, _PAUSED.label("paused"))
_PERSON_OF, _PERSON_NAMED = _PERSON.where(people.c.token_hash == _WANTED), _PERSON.where(people.c.name == _WANTED)
_OWN = select(func.sum(works.c.usd)).where(works.c.person == _WANTED)
_SPENT = select(_OWN.scalar_subquery(), select(func.sum(works.c.usd)).scalar_subquery())
_RUNNING = select(func.count()).select_from(works).where(works.c.person == _WANTED, works.c.state == "running")
_CURRENT = select(works).where(works.c.key == _WANTED, works.c.state != "failed")
_WORK = select(works).where(works.c.id == _WANTED)
_NOTE_CALL, _NOTE_WORK = insert(calls), insert(works)
_CONFIRM = update(works).where(works.c.id == _WANTED, works.c.owner == bindparam("ours"), works.c.state == "running")
_FINISH = update(works).where(works.c.id == _WANTED, works.c.state.in_(("running", "unknown")))

_both = calls.join(works, works.c.id == calls.c.work)
_calls_with_works = select(
    calls,
    works.c.state.label("state"),
    works.c.usd.label("work_usd"),
    works.c.entry.label("entry"),
    works.c.error.label("error"),
    works.c.status.label("status"),
    works.c.ended.label("ended"),
    works.c.person.label("payer"),
).select_from(_both)
#: The record's statuses, and what it may be sorted by.
_STATES: Mapping[str, tuple[WorkState, ...]] = {
    "COMPLETED": ("done",), "FAILED": ("failed",), "PENDING": ("running", "unknown"),
}  # fmt: skip
_SORTED: Mapping[str, ColumnElement[Any]] = {
    "model_created": calls.c.created,
    "model_name": calls.c.model,
    "credits_deduction": case((and_(calls.c.pays == 1, works.c.state.in_(("done", "failed"))), works.c.usd), else_=0.0),
}


# Older versions.


def _upgrade_1(db: Connection) -> None:
    """Give each work an id of its own: a request that failed and was asked for again has several works."""
    for statement in _INTO_2[:4]:
        db.execute(text(statement))
    _tables.create_all(db)
    for statement in _INTO_2[4:]:
        db.execute(text(statement))


_INTO_2 = (
    "CREATE TABLE works_1 AS SELECT * FROM works",
    "CREATE TABLE calls_1 AS SELECT * FROM calls",
    "DROP TABLE works",
    "DROP TABLE calls",
    """
    INSERT INTO works
        (id, key, person, model, state, usd, attempt, entry, error, status, owner, lease, created, ended)
    SELECT key, key, person, model, state, usd, attempt, entry, error, status, owner, lease, created, ended
    FROM works_1
    """,
    """
    INSERT INTO calls (id, work, person, model, pays, inputs, created)
    SELECT id, key, person, model, pays, inputs, created FROM calls_1
    """,
    "DROP TABLE works_1",
    "DROP TABLE calls_1",
)
#: From each version to the next.
UPGRADES: Mapping[int, Callable[[Connection], None]] = {1: _upgrade_1}


# SQLite.


def _make_private(file: Path | None) -> None:
    """Make a database's file, or one that is there, readable for its owner alone; SQLite gives its others that mode."""
    if file is None or not file.name:
        return
    for path in (file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))):
        if path == file or path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    # One that may write waits here, and not in its middle; one that reads waits for nobody.
    options = connection.get_execution_options()
    if options.get("only_reads"):
        connection.exec_driver_sql("BEGIN")
    else:
        driver: Any = connection.connection.dbapi_connection
        driver.execute(f"PRAGMA synchronous={'NORMAL' if options.get('is_quick') else 'FULL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
