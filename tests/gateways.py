"""A gateway for tests: two or more people with tokens before an upstream, in this process."""

from __future__ import annotations

import contextlib
from typing import Any

import requests
import upstream

from vidu_nb.client.client import Client
from vidu_nb.gateway.app import GatewayState
from vidu_nb.gateway.ledger import Ledger
from vidu_nb.gateway.people import Enrolled, enrol
from vidu_nb.gateway.server import GatewayServer
from vidu_nb.request import MODEL, VideoRequest

PICTURE = "https://example.com/cat.png"


def wanted(prompt, **parameters):
    """A request for a clip whose picture lies somewhere."""
    return VideoRequest(prompt=prompt, references=PICTURE, **parameters)


class Class:
    """A gateway that serves, and its people."""

    def __init__(self, folder, state, server, tokens):
        self.folder, self.state, self.server, self.tokens = folder, state, server, tokens
        self.ledger, self.client, self.url = state.ledger, state.client, server.base_url

    def client_of(self, name, **options):
        """Somebody's own client, with an archive of their own."""
        return Client(self.tokens[name], self.url, self.folder / f"archive of {name}", notify=len, **options)

    def post(self, name, body, *, version="v1", headers=None, model=MODEL, timeout=30) -> requests.Response:
        """Send a body as somebody."""
        headers = {"x-api-key": self.tokens[name], **(headers or {})}
        return requests.post(f"{self.url}/{version}/{model}", headers=headers, json=body, timeout=timeout)

    def get(self, name, path, **query) -> requests.Response:
        """Ask for something as somebody."""
        return requests.get(f"{self.url}{path}", headers={"x-api-key": self.tokens[name]}, params=query, timeout=30)

    def spent(self, name) -> float:
        """What the ledger has for somebody."""
        return next(row["spent_usd"] for row in self.ledger.everybody() if row["name"] == name)

    def work_of(self, response) -> dict[str, Any]:
        """The row of the work behind an answer."""
        call = response.headers["x-request-id"]
        return self.ledger.call(call, self.ledger.person_named("teacher"))


def body_of(prompt, **parameters):
    """The API's body for the same."""
    return wanted(prompt, **parameters).payload()


def tokens_in(path):
    """The tokens of a class, by name."""
    return dict(line.split(",") for line in path.read_text().split()[1:])


@contextlib.contextmanager
def classroom(
    folder,
    url,
    people=("anna", "ben"),
    *,
    each_usd=5.0,
    total_usd=50.0,
    ledger=None,
    patience_s=0.0,
    at_once=4,
    **client,
):
    """A class before the service at a URL; started again in the same folder it goes on where it stood.

    A lost answer is looked for so long before whoever asked is told: at once, unless a test says otherwise.
    """
    folder.mkdir(exist_ok=True)
    asking = Client(upstream.KEY, url, folder / "archive", notify=len, **client)
    url = ledger or f"sqlite:///{folder / 'ledger.db'}"
    book = Ledger(url, each_usd=each_usd, total_usd=total_usd)
    enrol(book, [Enrolled(name, None) for name in people], folder / "tokens.csv")
    state = GatewayState(asking, book, at_once=at_once)
    state.desk.patience_s = patience_s
    with GatewayServer(state) as server:
        yield Class(folder, state, server, tokens_in(folder / "tokens.csv"))
    book.close()
