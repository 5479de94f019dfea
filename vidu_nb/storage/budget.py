"""A budget between threads and processes: the price is reserved before each call, not checked and spent later."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..catalogue.field import plain
from ..console import dollars
from ..errors import ArchiveError, BudgetExceeded, InvalidRequest
from ..files import read_regular, reason, write_bytes
from ..locks import hold

_TIMEOUT = 30.0  # s; a reservation takes milliseconds
_ROUNDING = 1e-9  # binary fractions: ten times 0.1 is not quite 1


class Budget:
    """An amount of US dollars that a number of calls may spend together.

    Each call reserves its expected price, then corrects it by what it really cost, or gives it back when it is certain
    that nothing was billed. A call whose outcome is unknown keeps its reservation.

    Parameters
    ----------
    limit_usd
        US dollars, 0 or more.
    file
        Where the amounts stand; every process that names the same file, by whatever name, shares the budget.

    Raises
    ------
    InvalidRequest
        The limit is not a price.

    >>> import tempfile
    >>> budget = Budget(1.0, Path(tempfile.mkdtemp()) / "class.json")
    >>> budget.check(0.75)  # raises where less is left
    >>> budget.reserve("call-1", 0.75)
    >>> budget.left
    0.25
    >>> budget.correct("call-1", 0.5)
    >>> budget.left, budget.spent
    (0.5, 0.5)
    >>> [one.left for one in Budget.kept_in(budget.file.parent)]
    [0.5]
    """

    def __init__(self, limit_usd: float, file: str | os.PathLike[str]) -> None:
        limit_usd = plain(limit_usd)
        if isinstance(limit_usd, bool) or not isinstance(limit_usd, int | float) or not 0 <= limit_usd < float("inf"):
            raise InvalidRequest(f"budget_usd: {limit_usd!r} is not an amount of US dollars", field="budget_usd")
        self.limit_usd = float(limit_usd)
        self.file = Path(file).resolve()

    @classmethod
    def kept_in(cls, folder: Path) -> Iterator[Budget]:
        """Return the budgets whose files lie in a folder; links and what is no budget are passed over."""
        for file in sorted(folder.glob("*.json")):
            with suppress(OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
                yield cls(json.loads(read_regular(file))["limit_usd"], file)

    def reserve(self, call: str, usd: float) -> None:
        """Set an amount aside for a call.

        Raises
        ------
        BudgetExceeded
            Less than that is left; nothing was set aside.
        ArchiveError
            The file can't be read or written; nothing was set aside.
        """
        with self._lock():
            amounts = self._read()
            self._check(usd, amounts)
            self._write({**amounts, call: usd})

    def check(self, usd: float) -> None:
        """Look whether an amount is left, and set nothing aside: by the time of `reserve` another call may have it.

        Raises
        ------
        BudgetExceeded, ArchiveError
            As for `reserve`.
        """
        self._check(usd, self._read())

    def correct(self, call: str, usd: float) -> None:
        """Replace a call's reservation by what it cost; 0 gives it back. Calls of another budget change nothing.

        Raises
        ------
        ArchiveError
            The file can't be read or written.
        """
        if call not in self._read():
            return
        with self._lock():
            current = self._read()
            if call in current:
                self._write({**current, call: usd})

    @property
    def spent(self) -> float:
        """US dollars spent, reserved, or of unknown outcome; ArchiveError where the file can't be read."""
        return round(sum(self._read().values()), 9)

    @property
    def left(self) -> float:
        """The US dollars that further calls may spend."""
        return round(max(0.0, self.limit_usd - self.spent), 9)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            with hold(self.file.with_suffix(".lock"), timeout=_TIMEOUT):
                yield
        except OSError as error:
            problem = "another kernel holds it" if isinstance(error, TimeoutError) else reason(error)
            raise ArchiveError(
                f"the budget's {self.file} can't be written: {problem}", remedy="Free disk space, or move the file."
            ) from error

    def _check(self, usd: float, amounts: dict[str, float]) -> None:
        left = self.limit_usd - sum(amounts.values())
        if usd > left + _ROUNDING:
            raise BudgetExceeded(
                f"the call would cost about {dollars(usd)}, and {dollars(max(left, 0))} of "
                f"{dollars(self.limit_usd)} is left",
                remedy="Raise the budget if you want to go on.",
            )

    def _read(self) -> dict[str, float]:
        try:
            amounts = json.loads(self.file.read_text())["amounts"]
            return {str(call): _checked_amount(usd) for call, usd in amounts.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise ArchiveError(f"the budget's {self.file} can't be read: {error}", remedy="Mend or move it.") from error

    def _write(self, amounts: dict[str, float]) -> None:
        write_bytes(self.file, json.dumps({"limit_usd": self.limit_usd, "amounts": amounts}, indent=1).encode())

    def __repr__(self) -> str:
        return f"Budget({dollars(self.spent)} of {dollars(self.limit_usd)} spent)"


def _checked_amount(usd: object) -> float:
    amount = float(usd)  # type: ignore[arg-type]
    if not 0 <= amount < math.inf:
        raise ValueError(f"{usd!r} is not an amount of US dollars")
    return amount
