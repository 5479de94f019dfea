"""A gateway as a service of a JupyterHub: people are the hub's users, and admins are teachers."""

from __future__ import annotations

import csv
import fnmatch
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException

from ..environment import setting
from ..errors import ViduError, one_line
from ..receipt import number
from .ledger import Ledger, Person
from .people import TEACHER, hash_of, new_token

_KNOWN_S = 60.0  # s that the hub's answer about a token is believed
_AWAY_S = 600.0  # s that it is believed where the hub doesn't answer: a hub that restarts stops no class
_PAUSE_S = 5.0  # s for which a hub that did not answer is asked nothing
_PATIENCE_S = 10.0  # s for the question of somebody else to be answered
_MOST_KNOWN = 10_000
_MAX_NAME = 100  # characters
#: A 500, by which clients know that nothing was billed; after a 503 they would have to doubt it.
_HUB_AWAY = "the hub can't be asked whose token this is: nothing was billed, ask again in a minute"
_NO_ACCESS = "the hub grants this token no access to the service: ask whoever runs the hub for its access scope"

_log = logging.getLogger(__name__)


class HubPeople:
    """Whose token it is, as the hub says; each of its users has a line in the ledger from their first call on.

    Parameters
    ----------
    ledger
        Where they stand.
    budgets
        US dollars by the name of a user, or of a group as ``group:NAME``; those that neither names have the usual.
    auth
        JupyterHub's `HubOAuth`.
    clock
        Seconds that never go back.
    """

    def __init__(
        self, ledger: Ledger, budgets: dict[str, float], auth: Any, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.auth = auth
        self._ledger = ledger
        self._budgets = budgets
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, str | None]] = OrderedDict()
        self._visits: OrderedDict[str, str] = OrderedDict()
        self._asking = threading.Lock()  # HubAuth has one event loop for all threads that wait for it
        self._away_until = -math.inf
        self._lock = threading.Lock()  # one line in the ledger for each name, whoever asks first

    def person_of(self, token: str) -> Person | None:
        """Return who has a token of the hub, None where nobody has; asks the hub at most once a minute for each.

        Raises
        ------
        HTTPException
            The hub doesn't answer, and did not vouch for the token lately; or it grants the token no access to this
            service.
        """
        key, now = hash_of(token), self._clock()
        asked, name = self._known.get(key, (-math.inf, None))
        if now - asked > _KNOWN_S:
            try:
                name = self._name_of(self._ask(lambda: self.auth.user_for_token(token, use_cache=False)))
            except HTTPException:
                raise
            except Exception as error:  # whatever tornado and the HTTP client in it raise
                if name is None or now - asked > _AWAY_S:
                    _log.warning("the hub can't be asked whose a token is (%s)", type(error).__name__)
                    raise HTTPException(500, _HUB_AWAY) from None
            else:
                self._known[key] = (now, name)
                _forget_oldest(self._known)
        return self._ledger.person_named(name) if name else None

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Ask the hub something; one that doesn't answer keeps nobody but the first who finds that out."""
        if self._clock() < self._away_until or not self._asking.acquire(timeout=_PATIENCE_S):
            raise TimeoutError
        try:
            return question()
        except Exception:
            self._away_until = self._clock() + _PAUSE_S
            raise
        finally:
            self._asking.release()

    def _name_of(self, user: Any) -> str | None:
        """Return the name of a user as the hub describes them, with a line in the ledger as it says."""
        if not isinstance(user, dict) or user.get("kind") != "user":
            return None
        if not self.auth.check_scopes(self.auth.access_scopes, user):
            raise HTTPException(403, _NO_ACCESS)
        name = one_line(str(user.get("name") or ""), _MAX_NAME)
        if not name:
            return None
        role = TEACHER if user.get("admin") is True else "person"
        usd = self._usd(name, [str(group) for group in user.get("groups") or ()])
        with self._lock:
            self._note(name, role, usd)
        return name

    def _note(self, name: str, role: str, usd: float | None) -> None:
        """Have a person stand in the ledger; a budget counts when it changes, so that top-ups stay."""
        ledger, person = self._ledger, self._ledger.person_named(name)
        before = ledger.roster
        if person is None:
            if not ledger.is_revoked(name):
                # Nobody knows this token: it only fills the column. Whoever comes here comes by the hub's.
                row = {"name": name, "role": role, "usd": usd, "token_hash": hash_of(new_token())}
                ledger.apply_roster(before | {name: usd}, new=[row], budgets={}, before_commit=bool)
            return
        if name not in before or before[name] != usd:
            ledger.apply_roster(before | {name: usd}, new=[], budgets={name: usd}, before_commit=bool)
        if person.is_teacher != (role == TEACHER):
            ledger.change(name, role=role)

    def _usd(self, name: str, groups: list[str]) -> float | None:
        named = (self._budgets.get(f"group:{one}") for one in groups)
        return self._budgets.get(name, max((usd for usd in named if usd is not None), default=None))

    # Visits of the pages.

    def begin_visit(self, code: str, **more: str) -> str | None:
        """Return what a session of the pages holds, for the code that a visitor brought from the hub; None for nobody.

        Parameters
        ----------
        code
            From the hub, through the visitor's browser.
        more
            The code's verifier, where there is one.
        """
        with self._asking:  # a wrong code is an error as well, and says nothing about the hub
            token: str = self.auth.token_for_code(code, **more)
        if self.person_of(token) is None:
            return None
        self._visits[hash_of(token)] = token
        _forget_oldest(self._visits)
        return hash_of(token)

    def visitor_of(self, token_hash: str) -> Person | None:
        """Return who visits, as the hub says now; None from when they leave the hub, or the gateway starts again."""
        token = self._visits.get(token_hash)
        return self.person_of(token) if token else None


def _forget_oldest(known: OrderedDict[str, Any]) -> None:
    while len(known) > _MOST_KNOWN:
        known.popitem(last=False)


def read_budgets(path: Path) -> dict[str, float]:
    """Read a CSV with columns ``name`` (a user, or ``group:NAME``) and ``usd``.

    Raises
    ------
    ViduError
        It can't be read, or a line of it is wrong.
    """
    problem, found = "", {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                usd = number(row.get("usd"))
                if not row.get("name") or usd is None:
                    problem = f"a line is no name and amount: {one_line(str(dict(row)), 80)}"
                    break
                found[str(row["name"]).strip()] = usd
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"it can't be read ({type(error).__name__})"
    if problem:
        raise ViduError(f"{one_line(str(path), 200)}: {problem}")
    return found


def service_place() -> tuple[str, int, str]:
    """Return host, port and URL prefix, where the hub wants this service.

    Raises
    ------
    ViduError
        No JupyterHub started this process as a service.
    """
    parts, prefix = urlsplit(setting("JUPYTERHUB_SERVICE_URL")), setting("JUPYTERHUB_SERVICE_PREFIX")
    if not parts.hostname or not parts.port or not fnmatch.fnmatch(prefix, "/*/"):
        raise ViduError(
            "no JupyterHub started this as a service with a url",
            remedy="Add it to c.JupyterHub.services: docs/jupyterhub.md has a configuration.",
        )
    return parts.hostname, parts.port, prefix.rstrip("/")


def hub_auth() -> Any:
    """Return JupyterHub's `HubOAuth`, with the settings that the hub put into the environment.

    Raises
    ------
    ViduError
        JupyterHub is not installed here, or did not start this process.
    """
    problem = ""
    try:
        from jupyterhub.services.auth import HubOAuth
    except ImportError:
        problem = "jupyterhub is not installed"
    if problem:
        raise ViduError(problem, remedy="Install it with: pip install 'vidu-nb[hub]'")
    if not (setting("JUPYTERHUB_API_TOKEN") and setting("JUPYTERHUB_CLIENT_ID")):
        raise ViduError("no JupyterHub started this", remedy="Start it as the hub's service: docs/jupyterhub.md.")
    return HubOAuth.instance()
