"""From a gateway's options to what it serves: its key, its ledger, its roster."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from ..client.client import Client
from ..errors import ViduError, one_line
from ..files import expanded, reason
from ..net.credentials import Secret, find_key
from .app import GatewayState
from .hub import HubPeople, hub_auth, read_budgets, service_place
from .ledger import Ledger
from .people import enrol, read_roster

TOKENS = "class-tokens.csv"
_MAX_KEY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Options:
    """How a gateway is started.

    Attributes
    ----------
    roster : Path or None
        A CSV with a column ``name``, and ``usd`` where budgets differ.
    each_usd, total_usd : float
        US dollars for each person, and for all together.
    archive : Path or None
        Where clips are kept; as for `Client`.
    upstream : str or None
        The service's root; as for `Client`.
    key_file : Path or None
        A file of mode 600 with the key; otherwise it comes from the environment or a keyring.
    ledger : str or None
        A database's URL, as SQLAlchemy has it; by default a file in the archive.
    tokens : Path
        Where new tokens are written.
    at_once : int
        Calls that one person may have running.
    budgets : Path or None
        For a JupyterHub's users: a CSV of names, or ``group:NAME``, and US dollars.
    """

    each_usd: float
    total_usd: float
    roster: Path | None = None
    archive: Path | None = None
    upstream: str | None = None
    key_file: Path | None = None
    ledger: str | None = None
    tokens: Path = Path(TOKENS)
    at_once: int = 2
    budgets: Path | None = None


def read_key(path: Path) -> Secret:
    """Read a key from a file that only its owner can read.

    Raises
    ------
    ViduError
        It can't be read, others can read it, or it holds no key; nothing shows what it holds.
    """
    problem, secret = "", None
    try:
        descriptor = os.open(expanded(path), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                problem = "is no file"
            elif os.name != "nt" and status.st_mode & 0o077:
                problem = "can be read by others: set its mode to 600"
            else:
                secret = Secret(file.read(_MAX_KEY_BYTES).decode("utf-8", "replace"))
    except OSError as error:
        problem = f"can't be read ({reason(error)})"
    if problem or secret is None:
        raise ViduError(f"the key's file {one_line(str(path), 200)} {problem}")
    return secret.checked()


@dataclass(frozen=True, slots=True)
class HubService:
    """A gateway that a JupyterHub starts: what it serves, to whom, and on which host and port the hub wants it."""

    state: GatewayState
    people: HubPeople
    host: str
    port: int


def hub_service(options: Options) -> HubService:
    """Return a gateway as a JupyterHub's service.

    Raises
    ------
    ViduError
        There is no key or no hub, or a file can't be used.
    """
    host, port, prefix = service_place()
    auth = hub_auth()
    budgets = read_budgets(options.budgets) if options.budgets else {}
    client, ledger = _opened(options)
    people = HubPeople(ledger, budgets, auth)
    state = GatewayState(client, ledger, people=people.person_of, prefix=prefix, at_once=options.at_once)
    return HubService(state, people, host, port)


def gateway_state(options: Options) -> tuple[GatewayState, list[str]]:
    """Return what a gateway serves, and the names that got a token.

    Raises
    ------
    ViduError
        There is no key, or the roster or the ledger can't be used.
    """
    roster = read_roster(options.roster) if options.roster else []
    client, ledger = _opened(options)
    new = enrol(ledger, roster, options.tokens)
    return GatewayState(client, ledger, at_once=options.at_once), new


def _opened(options: Options) -> tuple[Client, Ledger]:
    key = read_key(options.key_file) if options.key_file else find_key()
    if key is None:
        raise ViduError(
            "there is no key to share", remedy="Set SEGMIND_API_KEY, keep it in a keyring, or name a --key-file."
        )
    client = Client(key, options.upstream, archive=options.archive, notify=lambda _: None)  # type: ignore[arg-type]
    folder = client.archive.folder / "gateway"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # it may have been there
    url = options.ledger or URL.create("sqlite", database=str(folder / "ledger.db"))
    return client, Ledger(url, each_usd=options.each_usd, total_usd=options.total_usd)
