"""A class on a gateway, with real HTTP on both sides: people, their tokens, and what they ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from faults import KEY, FaultServer

import vidu_nb as vidu
from vidu_nb.gateway import people
from vidu_nb.gateway.app import GatewayState
from vidu_nb.gateway.ledger import Ledger
from vidu_nb.gateway.server import GatewayServer

MODEL_PATH = "/v1/vidu-q1-reference-to-video"


@dataclass(frozen=True)
class Classroom:
    """A gateway, and what its teacher knows."""

    url: str
    tokens: dict[str, str]
    ledger: Ledger
    server: GatewayServer

    def ask(self, method: str, path: str, who: str | None = None, **more: Any) -> requests.Response:
        """Send a request with somebody's token."""
        headers = dict(more.pop("headers", {})) | ({"x-api-key": self.tokens[who]} if who else {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, allow_redirects=False, **more)

    def people(self, **change: Any) -> requests.Response:
        """Change a person, as the teacher."""
        return self.ask("POST", "/class/people", "teacher", json=change)

    def row(self, name: str) -> dict[str, Any]:
        """What the teacher sees of a person."""
        return next(one for one in self.facts()["people"] if one["name"] == name)

    def facts(self) -> dict[str, Any]:
        """What the teacher sees."""
        answer = self.ask("GET", "/class.json", "teacher")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make(self, who: str, request: vidu.VideoRequest) -> requests.Response:
        """Make a clip as somebody; it has to succeed."""
        answer = self.ask("POST", MODEL_PATH, who, json=request.payload())
        assert answer.status_code == 200, answer.text
        return answer

    def sign_in(self, who: str) -> requests.Session:
        """Sign in on the page, as a browser does."""
        session = requests.Session()
        answer = session.post(self.url + "/sign-in", {"token": self.tokens[who]}, timeout=60, allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "./"), answer.text
        return session


@contextmanager
def classroom(
    folder: Path, faults: FaultServer, *, names: tuple[str, ...] = ("anna", "ben"), **options: Any
) -> Iterator[Classroom]:
    """A gateway of a class with two dollars each."""
    ledger = Ledger(f"sqlite:///{folder / 'class.db'}", each_usd=2, total_usd=10)
    tokens = folder / "class-tokens.csv"
    people.enrol(ledger, [people.Enrolled(name, None) for name in names], tokens)
    client = vidu.Client(KEY, faults.root, archive=folder / "archive-of-the-class", notify=lambda _: None)
    with GatewayServer(GatewayState(client, ledger), **options) as server:
        yield Classroom(server.base_url, people.read_tokens(tokens), ledger, server)
