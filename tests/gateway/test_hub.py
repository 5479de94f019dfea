"""People of a JupyterHub, with its own `HubOAuth` against a hub's API that this file plays."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from classrooms import Classroom
from faults import KEY, FaultServer
from jupyterhub.services.auth import HubOAuth

import vidu_nb as vidu
from vidu_nb.errors import ViduError
from vidu_nb.gateway.app import GatewayState
from vidu_nb.gateway.hub import HubPeople, read_budgets, service_place
from vidu_nb.gateway.ledger import Ledger
from vidu_nb.gateway.server import GatewayServer

ACCESS = "access:services!service=vidu"
PREFIX = "/services/vidu"


class PlayedHub:
    """What a hub's API answers about tokens, and how often it was asked."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, tuple[str, str]] = {}
        self.asked: list[str] = []
        self.status = 200

    def add(self, token: str, name: str, *, kind: str = "user", scopes: tuple[str, ...] = (ACCESS,), **facts: Any):
        """Let a token be somebody's."""
        user = {"kind": kind, "name": name, "admin": False, "groups": [], "scopes": list(scopes), **facts}
        self.users[token] = user


@contextmanager
def served(hub: PlayedHub) -> Iterator[str]:
    """The hub's API on a port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            token = self.headers["Authorization"].removeprefix("token ")
            hub.asked.append(token)
            self.answer(hub.status if hub.status != 200 or token in hub.users else 403, hub.users.get(token, {}))

        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            token, challenge = hub.codes.pop(form["code"][0], ("", ""))
            is_good = bool(token) and HubOAuth.pkce_enabled and bool(challenge) and form.get("code_verifier")
            self.answer(200 if is_good else 400, {"access_token": token, "token_type": "Bearer"})

        def answer(self, status, payload):
            body = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hub/api"
        server.shutdown()


def auth_of(url: str) -> HubOAuth:
    """What JupyterHub gives its services, as its environment would have set it."""
    return HubOAuth(
        api_url=url, api_token="token-of-the-service", base_url=f"{PREFIX}/", hub_prefix="/hub/",
        oauth_client_id="service-vidu", access_scopes={ACCESS}, oauth_redirect_uri=f"{PREFIX}/oauth_callback",
    )  # fmt: skip


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self):
        """Tell the time."""
        return self.now


@pytest.fixture
def hub():
    return PlayedHub()


@pytest.fixture
def auth(hub):
    with served(hub) as url:
        yield auth_of(url)


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(f"sqlite:///{tmp_path / 'class.db'}", each_usd=2, total_usd=10)
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def people(ledger, auth, clock):
    return HubPeople(ledger, {"cleo": 0.0, "group:film": 5.0, "group:seminar": 3.0}, auth, clock=clock)


def test_a_user_of_the_hub_has_a_line_from_the_first_call_on(hub, people, ledger):
    """Name and role are the hub's; the budget is the usual one, their own, or the largest of their groups'."""
    for name, facts in (("anna", {}), ("ben", {"groups": ["seminar", "film", "x"]}), ("cleo", {"groups": ["film"]})):
        hub.add(f"token-of-{name}", name, **facts)
    hub.add("token-of-teach", "teach", admin=True)
    found = {name: people.person_of(f"token-of-{name}") for name in ("anna", "ben", "cleo", "teach")}
    assert {name: (one.usd, one.is_teacher) for name, one in found.items()} == {
        "anna": (2.0, False), "ben": (5.0, False), "cleo": (0.0, False), "teach": (2.0, True),
    }  # fmt: skip
    assert [row["name"] for row in ledger.everybody()] == ["anna", "ben", "cleo", "teach"]


@pytest.mark.parametrize("status", [500, 502, 404, 429, None])
def test_a_hub_that_is_away_is_no_wrong_token(hub, ledger, status):
    """Whoever asks is told that nothing was billed: a 500 for the client, and never the 401 of a wrong token."""
    hub.add("token-of-anna", "anna")
    hub.status = status or 200
    with served(hub) as url:
        people = HubPeople(ledger, {}, auth_of(url))
        if status:
            refused(people, "token-of-anna", 500, "nothing was billed")
    if status is None:  # nobody listens there any more
        refused(people, "token-of-anna", 500, "nothing was billed")


def refused(people, token, status, words):
    with pytest.raises(Exception, match=words) as caught:
        people.person_of(token)
    assert caught.value.status_code == status
    assert token not in str(caught.value.__dict__)


def test_what_the_hub_said_is_believed_for_a_minute_and_longer_while_it_is_away(hub, people, clock):
    """It is asked once a minute for each token; a hub that restarts stops no class, and for ten minutes only."""
    hub.add("token-of-anna", "anna")
    for _ in range(20):
        assert people.person_of("token-of-anna").name == "anna"
    assert hub.asked == ["token-of-anna"]
    clock.now += 61
    hub.status = 503
    assert people.person_of("token-of-anna").name == "anna"
    clock.now += 600
    refused(people, "token-of-anna", 500, "nothing was billed")
    hub.status = 200
    clock.now += 5
    assert people.person_of("token-of-anna").name == "anna"


def test_a_hub_that_is_away_is_left_alone_for_a_moment(hub, people, clock):
    """However many ask meanwhile: one that starts again is not met with all of their questions."""
    hub.add("token-of-anna", "anna")
    hub.status = 503
    for _ in range(20):
        refused(people, "token-of-anna", 500, "nothing was billed")
    assert len(hub.asked) == 1
    hub.status = 200
    clock.now += 5
    assert people.person_of("token-of-anna").name == "anna"


def test_a_token_that_the_hub_took_back_is_nobodys(hub, people, clock):
    """At the latest a minute later, also where the hub goes away afterwards."""
    hub.add("token-of-anna", "anna")
    assert people.person_of("token-of-anna")
    del hub.users["token-of-anna"]
    clock.now += 61
    assert people.person_of("token-of-anna") is None
    hub.status = 503
    clock.now += 61
    refused(people, "token-of-anna", 500, "nothing was billed")


def test_a_service_is_no_person(hub, people, ledger):
    """A token of a service, of nobody, or with an answer that names nobody: none spends anything."""
    hub.add("token-of-a-service", "grader", kind="service")
    hub.add("token-of-no-name", "")
    hub.users["token-of-a-list"] = []
    for token in ("token-of-a-service", "token-of-no-name", "token-of-a-list", "token-of-nobody"):
        assert people.person_of(token) is None
    assert ledger.everybody() == []


def test_a_token_without_access_to_the_service_is_refused(hub, people, ledger):
    """A token of a narrower use, a shared server's for one, spends nobody's money."""
    hub.add("token-of-anna", "anna", scopes=("read:users!user=anna", "access:services!service=other"))
    refused(people, "token-of-anna", 403, "no access to the service")
    hub.add("token-of-ben", "ben", scopes=("access:services",))
    assert people.person_of("token-of-ben").name == "ben"
    assert [row["name"] for row in ledger.everybody()] == ["ben"]


def test_a_top_up_stays_until_the_budget_itself_changes(hub, people, ledger, auth, clock):
    """What the teacher gives on the page is not taken back by the next look at the hub, nor by a restart."""
    hub.add("token-of-anna", "anna", groups=["film"])
    assert people.person_of("token-of-anna").usd == 5.0
    ledger.top_up("anna", 1.5)
    clock.now += 61
    assert people.person_of("token-of-anna").usd == 6.5
    again = HubPeople(ledger, {"group:film": 5.0}, auth, clock=clock)
    assert again.person_of("token-of-anna").usd == 6.5
    changed = HubPeople(ledger, {"group:film": 8.0}, auth, clock=clock)
    assert changed.person_of("token-of-anna").usd == 8.0


def test_an_admin_who_is_none_any_more_is_no_teacher(hub, people, clock):
    """The role is the hub's, as of a minute ago."""
    hub.add("token-of-teach", "teach", admin=True)
    assert people.person_of("token-of-teach").is_teacher
    hub.add("token-of-teach", "teach", admin=False)
    clock.now += 61
    assert not people.person_of("token-of-teach").is_teacher


def test_many_first_calls_at_once_make_one_line(hub, people, ledger):
    """However many calls of a person come first, from however many threads."""
    for number in range(16):
        hub.add(f"token-{number}", f"person-{number % 2}")
    threads = [threading.Thread(target=people.person_of, args=(f"token-{number}",)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [row["name"] for row in ledger.everybody()] == ["person-0", "person-1"]


@pytest.mark.parametrize("text", ["name,usd\nanna,lots\n", "name,usd\n,1\n", "name,usd\nanna,-1\n", "anna,1\nben,1\n"])
def test_wrong_budgets_are_refused(tmp_path, text):
    """A line that is no name and amount starts no gateway."""
    (tmp_path / "budgets.csv").write_text(text)
    with pytest.raises(ViduError, match="no name and amount"):
        read_budgets(tmp_path / "budgets.csv")


def test_a_gateway_that_no_hub_started_says_so(monkeypatch):
    """`--jupyterhub` on a terminal tells where it belongs."""
    monkeypatch.delenv("JUPYTERHUB_SERVICE_URL", raising=False)
    with pytest.raises(ViduError, match=r"docs/jupyterhub\.md"):
        service_place()


# The pages, signed in through the hub.


@pytest.fixture
def school(hub, people, ledger, tmp_path):
    hub.add("token-of-teach", "teach", admin=True)
    hub.add("token-of-anna", "anna")
    with FaultServer() as faults:
        client = vidu.Client(KEY, faults.root, archive=tmp_path / "archive-of-the-class", notify=lambda _: None)
        state = GatewayState(client, ledger, people=people.person_of, prefix=PREFIX)
        with GatewayServer(state, hub=people, proxies="127.0.0.1") as server:
            tokens = {"teach": "token-of-teach", "anna": "token-of-anna"}
            yield Classroom(server.base_url + PREFIX, tokens, ledger, server)


def begin(school: Classroom, session: requests.Session) -> dict[str, str]:
    """Open the page, and return what the hub is asked."""
    answer = session.get(f"{school.url}/", allow_redirects=False, timeout=60)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/hub/api/oauth2/authorize?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def come_back(school: Classroom, hub: PlayedHub, session: requests.Session, who: str, **more: str) -> requests.Response:
    """Come back from the hub with a code for somebody."""
    asked = begin(school, session)
    hub.codes["code-of-the-hub"] = (f"token-of-{who}", asked["code_challenge"])
    query = {"code": "code-of-the-hub", "state": asked["state"], **more}
    return session.get(f"{school.url}/oauth_callback", params=query, timeout=60)


def test_the_hub_signs_people_in(school, hub):
    """State and PKCE go along; the teacher gets the class, others their own page, strangers the hub."""
    asked = begin(school, requests.Session())
    assert (asked["client_id"], asked["response_type"]) == ("service-vidu", "code")
    assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", f"{PREFIX}/oauth_callback")
    for who, title in (("teach", "Class"), ("anna", "anna")):
        session = requests.Session()
        answer = come_back(school, hub, session, who)
        assert (answer.status_code, answer.headers["refresh"]) == (200, "0;url=./")
        assert {one.path for one in session.cookies} == {f"{PREFIX}/"}
        assert f"<h1>{title}</h1>" in session.get(f"{school.url}/", timeout=60).text
        assert f"token-of-{who}" not in str(session.cookies.get_dict())


@pytest.mark.parametrize(
    "wrong", [{"state": "guessed"}, {"state": ""}, {"code": ""}, {"code": "guessed"}, {"state": "ü" * 2000}]
)
def test_a_wrong_way_back_signs_nobody_in(school, hub, wrong):
    """Another state than this browser's, none, or a code that the hub doesn't know: no session, and no 500."""
    session = requests.Session()
    assert come_back(school, hub, session, "teach", **wrong).status_code == 403
    assert "vidu_nb_class" not in session.cookies


def test_a_state_counts_once_and_in_its_own_browser(school, hub):
    """A link that somebody else prepared signs nobody in as them; the same way back is no use twice."""
    mine, theirs = requests.Session(), requests.Session()
    asked = begin(school, theirs)
    hub.codes["code-of-the-hub"] = ("token-of-teach", asked["code_challenge"])
    query = {"code": "code-of-the-hub", "state": asked["state"]}
    assert mine.get(f"{school.url}/oauth_callback", params=query, timeout=60).status_code == 403
    assert theirs.get(f"{school.url}/oauth_callback", params=query, timeout=60).status_code == 200
    assert theirs.get(f"{school.url}/oauth_callback", params=query, timeout=60).status_code == 403


def test_who_leaves_the_hub_leaves_the_page(school, hub, clock):
    """The session ends with the hub's own, at the latest a minute later."""
    session = requests.Session()
    come_back(school, hub, session, "teach")
    assert session.get(f"{school.url}/class.json", timeout=60).status_code == 200
    del hub.users["token-of-teach"]
    clock.now += 61
    assert session.get(f"{school.url}/class.json", timeout=60).status_code == 401
    begin(school, session)


def test_people_are_the_hubs_and_money_is_the_teachers(school):
    """Budgets and pauses are changed on the page; names and tokens are not made, changed or taken there."""
    assert school.ask("GET", "/v1/get-user-credits", "anna").json()["credits"] == 2.0
    change = {"name": "anna", "action": "top_up", "usd": 1}
    assert school.ask("POST", "/class/people", "teach", json=change).status_code == 200
    assert school.ask("GET", "/v1/get-user-credits", "anna").json()["credits"] == 3.0
    for refused_one in ({"name": "dora"}, {"name": "anna", "action": "token"}, {"name": "anna", "action": "revoke"}):
        answer = school.ask("POST", "/class/people", "teach", json=refused_one)
        assert (answer.status_code, "the hub" in answer.text) == (409, True), refused_one


def test_behind_tls_the_hubs_proxy_says_so(school):
    """Cookies are for https only where the hub's proxy ends TLS, under whatever name the hub has."""
    headers = {"host": "hub.example.edu", "x-forwarded-proto": "https"}
    answer = requests.get(f"{school.url}/", headers=headers, allow_redirects=False, timeout=60)
    assert re.search(r"; Path=/services/vidu/;.* Secure", answer.headers["set-cookie"], re.IGNORECASE)
    assert "HttpOnly" in answer.headers["set-cookie"]
