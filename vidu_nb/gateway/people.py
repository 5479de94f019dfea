"""The roster, and tokens: shown once in a file of mode 600, kept as hashes."""

from __future__ import annotations

import codecs
import contextlib
import csv
import errno
import hashlib
import io
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sqlalchemy.exc import IntegrityError

from ..errors import InvalidRequest, ViduError, one_line
from ..files import reason
from ..receipt import number
from .ledger import Ledger

TEACHER = "teacher"
MAX_ROSTER_BYTES = 1_000_000
_MAX_NAME = 100  # characters
_PREFIX = "vnb_"
_WHOLE = re.compile(_PREFIX + "[A-Za-z0-9_-]{43}")  # one that was cut would be easier to guess
_RACES = 5  # gateways that start with the same roster at the same moment
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A line of a roster: a name, and a budget in US dollars where it says one."""

    name: str
    usd: float | None


def hash_of(token: str) -> str:
    """Return what is kept of a token: 32 random bytes need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def new_token() -> str:
    """Make a token."""
    return f"{_PREFIX}{secrets.token_urlsafe(32)}"


def fold(name: str) -> str:
    """Return what two spellings of a name have in common.

    >>> fold("Zoë") == fold("ZOË")
    True
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def checked_name(text: str) -> str:
    r"""Return a name on one line, without control characters.

    Raises
    ------
    InvalidRequest
        It is empty, too long, or the teacher's.

    >>> checked_name(" Anna\x1b[31m\nSmith ")
    'Anna [31m Smith'
    """
    name = one_line(text, _MAX_NAME + 1)
    if not name:
        raise InvalidRequest("a name is missing", field="name")
    if len(name) > _MAX_NAME:
        raise InvalidRequest(
            f"{name[:20]!r}... is longer than {_MAX_NAME} characters: is a quotation mark left open?", field="name"
        )
    if fold(name) == TEACHER:
        raise InvalidRequest(f"{name!r} is taken: it is the name of who holds the teacher's token", field="name")
    return name


# The roster.


def read_roster(path: Path) -> list[Enrolled]:
    """Read a CSV with a column ``name``, and ``usd`` where budgets differ.

    Raises
    ------
    ViduError
        It can't be read, or a line of it is wrong; the message names the line.
    """
    text = _text_of(path)
    heading = text.partition("\n")[0]
    delimiter = next((one for one in ",;\t" if one in heading), ",")
    try:
        return list(_rows(csv.DictReader(io.StringIO(text), delimiter=delimiter), one_line(path.name, 100)))
    except csv.Error as error:
        raise ViduError(f"{one_line(path.name, 100)} is no CSV ({error})") from None


def _text_of(path: Path) -> str:
    where = one_line(str(path), 200)
    try:
        if not path.is_file():
            raise ViduError(f"{where} is no file" if path.exists() else f"{where}: there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_ROSTER_BYTES + 1)
    except OSError as error:
        raise ViduError(f"{where} can't be read ({reason(error)})") from None
    if len(data) > MAX_ROSTER_BYTES:
        raise ViduError(f"{where} is larger than {MAX_ROSTER_BYTES // 1_000_000} MB")
    try:
        if data.startswith(_WIDE) or b"\0" in data:
            raise ViduError(f"{where} is UTF-16 text", remedy="Save it as CSV UTF-8.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ViduError(f"{where} is no UTF-8 text", remedy="Save it as CSV UTF-8.") from None


def _rows(reader: csv.DictReader[str], where: str) -> Iterator[Enrolled]:
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if "name" not in columns:
        raise ViduError(f"{where}, line 1: there is no column called name")
    decimal = "," if reader.reader.dialect.delimiter == ";" else "."  # spreadsheets that need the comma for it
    seen: set[str] = set()
    for row in reader:
        line = f"{where}, line {reader.line_num}"
        if not one_line(row[columns["name"]] or "", _MAX_NAME):
            continue
        try:
            name = checked_name(row[columns["name"]])
        except ViduError as error:
            raise ViduError(f"{line}: {error.message}") from None
        if fold(name) in seen:
            raise ViduError(f"{line}: {name!r} is there twice")
        seen.add(fold(name))
        text = (row.get(columns["usd"]) or "").strip() if "usd" in columns else ""
        usd = number(text.replace(decimal, ".")) if text else None
        if text and usd is None:
            raise ViduError(f"{line}: usd: {one_line(text, 40)!r} is no amount of US dollars")
        yield Enrolled(name, usd)


# Enrolling.


def enrol(ledger: Ledger, roster: list[Enrolled], tokens: Path) -> list[str]:
    """Put a roster into the ledger, with a token for each new name and for the teacher; return the new names.

    The tokens are appended to a file that only its owner can read: they are kept nowhere else. Who has one there, and
    is not in the ledger, gets that one: an earlier start ended in between. A budget counts when it differs from the
    roster before, so that a restart takes back no top-up. Who is no longer in the roster stays as they are.

    Raises
    ------
    ViduError
        The file can't be written, or others can read it; nobody was enrolled.
    """
    for _ in range(_RACES):
        with contextlib.suppress(IntegrityError):
            return _enrol(ledger, roster, tokens)
    raise ViduError("other gateways are changing the people in this ledger", remedy="Start again.")


def _enrol(ledger: Ledger, roster: list[Enrolled], tokens: Path) -> list[str]:
    there = {fold(row["name"]): row["name"] for row in ledger.everybody()}
    new = [one for one in (Enrolled(TEACHER, 0.0), *roster) if fold(one.name) not in there]
    before = ledger.roster
    now = {there.get(fold(one.name), one.name): one.usd for one in roster}
    budgets = {name: usd for name, usd in now.items() if fold(name) in there and usd != before.get(name)}
    if not new and not budgets and now == before:
        return []
    written = read_tokens(tokens) if new else {}
    made = {one.name: written.get(plain(one.name)) or new_token() for one in new}
    missing = [(name, token) for name, token in made.items() if plain(name) not in written]
    rows = [
        {
            "name": one.name, "role": "teacher" if one.name == TEACHER else "person", "usd": one.usd,
            "token_hash": hash_of(made[one.name]),
        }
        for one in new
    ]  # fmt: skip
    ledger.apply_roster(before | now, new=rows, budgets=budgets, before_commit=lambda: write_tokens(tokens, missing))
    return [one.name for one in new]


def renew(ledger: Ledger, name: str, tokens: Path) -> None:
    """Write another token for somebody; the one before, and its sessions, end.

    Raises
    ------
    ViduError
        There is no such person, or the file can't be written; the token before is still good.
    """
    found = next((row["name"] for row in ledger.everybody() if fold(row["name"]) == fold(name)), None)
    if found is None:
        raise ViduError(f"there is nobody called {one_line(name, _MAX_NAME)!r}")
    token = new_token()
    write_tokens(tokens, [(found, token)])
    ledger.change(found, token_hash=hash_of(token), state="active")


# Files of tokens.


def read_tokens(path: Path) -> dict[str, str]:
    """Return the last token of each name in a file of tokens, by the name as it is written there.

    Raises
    ------
    ViduError
        It can't be read, or others can read it.
    """
    with _opened(path, os.O_RDONLY) as file:
        rows = [row for row in csv.reader(file) if len(row) == 2] if file else []
    return {name: token for name, token in rows if _WHOLE.fullmatch(token)}


def write_tokens(path: Path, made: list[tuple[str, str]]) -> None:
    """Append names and tokens to a CSV that only its owner can read.

    Raises
    ------
    ViduError
        It can't be written, or others can read it.
    """
    if not made:
        return
    with _opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
        assert file is not None  # noqa: S101 - it was created
        before = file.read()
        writer = csv.writer(file)
        if not before:
            writer.writerow(["name", "token"])
        elif not before.endswith("\n"):  # a process ended in the middle of a line
            file.write("\r\n")
        writer.writerows((plain(name), token) for name, token in made)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[TextIO | None]:
    """Open a regular file that nobody else can read; None where there is none to read."""
    where = one_line(str(path), 200)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)
        with os.fdopen(descriptor, "r+" if flags & os.O_RDWR else "r", encoding="utf-8", newline="") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ViduError(f"{where} is no file")
            if os.name != "nt" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
                raise ViduError(f"{where} can be read by others", remedy="Set its mode to 600, or name another.")
            yield file
    except FileNotFoundError as error:
        if flags & os.O_CREAT:
            raise ViduError(f"{where} can't be written ({reason(error)})") from None
        yield None
    except OSError as error:
        problem = "it is a link" if error.errno == errno.ELOOP else reason(error)
        raise ViduError(f"{where} can't be used for tokens ({problem})") from None
    except (UnicodeDecodeError, csv.Error):
        raise ViduError(f"{where} holds something else than tokens", remedy="Name another file.") from None


# Lists of who spent what.


def plain(text: str) -> str:
    """Return a text that a spreadsheet takes for no formula.

    >>> plain("=1+1"), plain("anna")
    ("'=1+1", 'anna')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def as_csv(rows: Iterable[Mapping[str, object]], columns: list[str]) -> str:
    """Return rows as a CSV with a heading, safe to open in a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows([plain(str(row[name])) for name in columns] for row in rows)
    return file.getvalue()
