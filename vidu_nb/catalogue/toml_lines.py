"""TOML of a person's own hand: parsed, and wrong places told by their lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

_DEPTH = 3  # of tables that are looked through: [fields], a parameter, its sizes
_LONGEST = 100  # lines of one statement, beyond which a file's lines are not told apart


class TomlError(ValueError):
    """A text is no TOML; `.line` says where, counted from 1."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


def parse(text: str) -> dict[str, Any]:
    """Return what a text says.

    Raises
    ------
    TomlError
        It is no TOML.

    >>> parse("seed = 7")
    {'seed': 7}
    >>> parse("b 2")
    Traceback (most recent call last):
    ...
    vidu_nb.catalogue.toml_lines.TomlError: is not TOML: Expected '=' after a key in a key/value pair (column 3)
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        line, problem = 1, "is nested too deeply"
    except ValueError as error:  # of tomllib; a number of thousands of digits is one of Python's own
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        what, at, column = found.groups() if found else (str(error), None, None)
        line = int(at) if at else text.count("\n") + 1
        problem = f"is not TOML: {what}{f' (column {column})' if column else ''}"
    raise TomlError(problem, line)


def line_of(text: str, where: tuple[str, ...]) -> int:
    """Return the number of the line that a key stands in; where it is missing, its table's, or else the first.

    Parameters
    ----------
    text
        Valid TOML.
    where
        The key, after the tables that it stands in.
    """
    found: dict[tuple[str, ...], int] = {(): 1}
    for line, path in _keys(text):
        found.setdefault(path, line)
    return next(found[where[:depth]] for depth in range(len(where), -1, -1) if where[:depth] in found)


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each key of a valid file with the tables that it stands in, and the line where its statement begins.

    A statement is the fewest lines that are TOML by themselves.
    """
    table: tuple[str, ...] = ()
    lines, begin = text.split("\n"), 0
    for end in range(1, len(lines) + 1):
        statement = "\n".join(lines[begin:end])
        try:
            parsed = tomllib.loads(statement)
        except (ValueError, RecursionError):
            if end - begin > _LONGEST:
                return
            continue
        is_header = statement.lstrip().startswith("[")
        paths = list(_paths(parsed, () if is_header else table))
        yield from ((begin + 1, path) for path in paths)
        table = paths[-1] if is_header else table
        begin = end


def _paths(tables: dict[str, Any], within: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, value in tables.items():
        yield (*within, key)
        if isinstance(value, dict) and len(within) < _DEPTH:
            yield from _paths(value, (*within, key))
