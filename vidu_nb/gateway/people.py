"""The roster, and tokens: shown once in a file of mode 600, kept as hashes."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ViduError, one_line
from ..files import reason
from ..receipt import number
from .ledger import Ledger

TEACHER = "teacher"
MAX_ROSTER_BYTES = 1_000_000
_MAX_NAME = 100  # characters


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
    return f"vnb_{secrets.token_urlsafe(32)}"


def read_roster(path: Path) -> list[Enrolled]:
    """Read a CSV with a column ``name``, and ``usd`` where budgets differ.

    Raises
    ------
    ViduError
        It can't be read, or a line of it is wrong; the message names the line.
    """
    try:
        if path.stat().st_size > MAX_ROSTER_BYTES:
            raise ViduError(f"{path.name} is larger than {MAX_ROSTER_BYTES // 1_000_000} MB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = reason(error) if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ViduError(f"{one_line(str(path), 200)} can't be read ({problem})") from None
    delimiter = ";" if ";" in text.partition("\n")[0] and "," not in text.partition("\n")[0] else ","
    return list(_rows(csv.DictReader(io.StringIO(text), delimiter=delimiter), path.name))


def _rows(reader: csv.DictReader[str], where: str) -> Iterator[Enrolled]:
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if "name" not in columns:
        raise ViduError(f"{where}, line 1: there is no column called name")
    seen: set[str] = set()
    for row in reader:
        line = f"{where}, line {reader.line_num}"
        name = one_line(row.get(columns["name"]) or "", _MAX_NAME)
        if not name:
            continue
        if name.casefold() in seen or name == TEACHER:
            raise ViduError(f"{line}: {name!r} is there twice" if name != TEACHER else f"{line}: {name!r} is taken")
        seen.add(name.casefold())
        text = (row.get(columns["usd"]) or "").strip() if "usd" in columns else ""
        usd = number(text) if text else None
        if text and usd is None:
            raise ViduError(f"{line}: usd: {one_line(text, 40)!r} is no amount of US dollars")
        yield Enrolled(name, usd)


def enrol(ledger: Ledger, roster: list[Enrolled], tokens: Path) -> list[str]:
    """Put a roster into the ledger, with a token for each new name and for the teacher; return the new names.

    The tokens are appended to a file that only its owner can read: they are kept nowhere else.

    Raises
    ------
    ViduError
        The file can't be written; nobody was enrolled.
    """
    known = {row["name"] for row in ledger.everybody()}
    new = [one for one in (Enrolled(TEACHER, 0.0), *roster) if one.name not in known]
    made = [(one, new_token()) for one in new]
    if made:
        write_tokens(tokens, [(one.name, token) for one, token in made])
    for one, token in made:
        role = "teacher" if one.name == TEACHER else "person"
        ledger.enrol(one.name, token_hash=hash_of(token), usd=one.usd, role=role)
    for one in roster:
        if one.name in known:
            ledger.change(one.name, usd=one.usd)
    return [one.name for one in new]


def write_tokens(path: Path, made: list[tuple[str, str]]) -> None:
    """Append names and tokens to a CSV that only its owner can read.

    Raises
    ------
    ViduError
        It can't be written, or others can read it.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", newline="") as file:
            status = os.fstat(file.fileno())
            if os.name != "nt" and status.st_mode & 0o077:
                raise ViduError(f"{path.name} can be read by others", remedy="Set its mode to 600, or name another.")
            writer = csv.writer(file)
            if not status.st_size:
                writer.writerow(["name", "token"])
            writer.writerows((_plain(name), token) for name, token in made)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ViduError(f"{one_line(str(path), 200)} can't be written ({reason(error)})") from None


def _plain(text: str) -> str:
    """Return a text that a spreadsheet takes for no formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
