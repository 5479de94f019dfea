"""A gateway as a service of a JupyterHub: people are the hub's users, and admins are teachers."""

from __future__ import annotations

import csv
import fnmatch
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..environment import setting
from ..errors import ViduError, one_line
from ..receipt import number
from .ledger import Ledger, Person
from .people import TEACHER, hash_of

_KNOWN_S = 60.0  # s that the hub's answer about a token is believed
_MOST_KNOWN = 10_000


class HubPeople:
    """Whose token it is, as the hub says; each of its users has a line in the ledger from their first call on.

    Parameters
    ----------
    ledger
        Where they stand.
    budgets
        US dollars by the name of a user, or of a group as ``group:NAME``; those that neither names have the usual.
    auth
        JupyterHub's `HubOAuth`, or its like.
    """

    def __init__(self, ledger: Ledger, budgets: dict[str, float], auth: Any = None) -> None:
        self._ledger = ledger
        self._budgets = budgets
        self.auth = auth or _hub_auth()
        self._known: OrderedDict[str, tuple[float, Person | None]] = OrderedDict()

    def person_of(self, token: str) -> Person | None:
        """Return who has a token of the hub, None where nobody has; asks the hub at most once a minute for each."""
        name, now = hash_of(token), time.monotonic()
        known = self._known.get(name)
        if known and now - known[0] < _KNOWN_S:
            return self._fresh(known[1])
        user = self.auth.user_for_token(token, use_cache=False, sync=True)
        person = self._person(user) if isinstance(user, dict) and user.get("kind", "user") == "user" else None
        self._known[name] = (now, person)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return person

    def _fresh(self, person: Person | None) -> Person | None:
        """Return the same person as the ledger has them now: paused, say, or revoked."""
        return self._ledger.person_named(person.name) if person else None

    def _person(self, user: dict[str, Any]) -> Person | None:
        name = one_line(str(user.get("name") or ""), 100)
        if not name:
            return None
        known = self._ledger.person_named(name)
        role = TEACHER if user.get("admin") is True else "person"
        usd = self._usd(name, [str(group) for group in user.get("groups") or ()])
        if known is None or (known.is_teacher, known.usd) != (role == TEACHER, usd):
            if known is None and self._ledger.is_revoked(name):
                return None
            # Nobody knows this token: it only fills the column. Whoever comes here comes by the hub's.
            self._ledger.enrol(name, token_hash=hash_of(secrets.token_hex(32)), usd=usd, role=role)
        return self._ledger.person_named(name)

    def _usd(self, name: str, groups: list[str]) -> float:
        of_groups = [self._budgets[f"group:{one}"] for one in groups if f"group:{one}" in self._budgets]
        return self._budgets.get(name, max(of_groups, default=self._ledger.each_usd))


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


def _hub_auth() -> Any:
    problem = ""
    try:
        from jupyterhub.services.auth import HubOAuth
    except ImportError:
        problem = "jupyterhub is not installed"
    if problem:
        raise ViduError(problem, remedy="Install it with: pip install 'vidu-nb[hub]'")
    return HubOAuth.instance(cache_max_age=1)
