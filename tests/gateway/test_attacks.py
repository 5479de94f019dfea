"""Attacks on a gateway, one test each: what a stranger, a classmate or another web page tries."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
import time

import pytest
import requests
from callers import connect, exchange, head, read_answer, refused
from classrooms import MODEL_PATH, classroom
from faults import KEY, FaultServer

import vidu_nb as vidu
from vidu_nb.gateway import server as server_module
from vidu_nb.gateway.guard import Hosts
from vidu_nb.gateway.guesses import Guesses
from vidu_nb.gateway.sessions import SESSION_S, Sessions

NOBODY = "0" * 32
GUESS = "vnb_" + "A" * 43


@pytest.fixture
def school(tmp_path, faults):
    with classroom(tmp_path, faults) as running:
        yield running


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """A class for tests that leave it as it is."""
    patient = Guesses(per_address=10**6, overall=10**6)
    with FaultServer() as faults, classroom(tmp_path_factory.mktemp("class"), faults, guesses=patient) as running:
        yield running


@pytest.fixture
def wanted(photo):
    return vidu.VideoRequest(prompt="A wall", references=photo, aspect_ratio="1:1")


# Tokens.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", MODEL_PATH),
        ("GET", "/v1/get-user-credits"),
        ("GET", f"/v2/requests/{NOBODY}"),
        ("GET", "/inference-request/request-history"),
        ("GET", "/class.json"),
        ("POST", "/class/people"),
        ("GET", f"/clips/{NOBODY}"),
        ("GET", "/"),
    ],
)
def test_what_is_no_token_opens_nothing(lasting, method, path):
    """A guess, the service's own key, SQL and bytes get a 401, before a body is looked at."""
    body = {"name": "mallory"} if method == "POST" else None
    for token in ("", GUESS, "teacher", KEY, "vnb_", "' OR 1=1 --", b"\xff\xfe", "x" * 8000):
        refused(lasting.ask(method, path, headers={"x-api-key": token}, json=body), 401)
    assert [row["name"] for row in lasting.facts()["people"]] == ["anna", "ben"]


def test_a_revoked_token_is_a_strangers(school, wanted):
    """Everything that it opened is closed at once: calls, own clips, and the page that is signed in with it."""
    made = school.make("anna", wanted).headers["x-request-id"]
    session = school.sign_in("anna")
    school.people(name="anna", action="revoke")
    for path in ("/v1/get-user-credits", f"/v2/requests/{made}", f"/clips/{made}", "/"):
        assert school.ask("GET", path, "anna").status_code == 401
    assert session.get(f"{school.url}/clips/{made}", timeout=60).status_code == 401
    assert 'name="token"' in session.get(f"{school.url}/", timeout=60).text


def test_nobody_reads_what_another_asked(school, wanted):
    """A request's id, known or guessed, is worth nothing with another person's token; the teacher's opens it."""
    made = school.make("anna", wanted).headers["x-request-id"]
    paths = [
        f"/v2/requests/{made}", f"/v2/requests/{made}/status", f"/inference-request/request-history/{made}",
        f"/clips/{made}", f"/clips/{made}/poster.jpg",
    ]  # fmt: skip
    assert {school.ask("GET", path, "ben").status_code for path in paths} == {404}
    assert {school.ask("GET", path, "anna").status_code for path in paths} == {200}
    assert {school.ask("GET", path, "teacher").status_code for path in paths} == {200}
    mine = school.ask("GET", "/inference-request/request-history", "ben").json()
    assert (mine["total"], "A wall" in json.dumps(mine)) == (0, False)


def test_a_clips_link_is_not_guessed(school, wanted):
    """Only the signature that was handed out opens a file: no other, no shorter, no other number, and no path."""
    made = school.make("anna", wanted).headers["x-request-id"]
    link = school.ask("GET", f"/v2/requests/{made}", "anna").json()["output"]
    assert requests.get(link, timeout=60).content[4:8] == b"ftyp"
    before, _, name = link.rpartition("/")
    signature = name.partition(".")[0]
    wrong = [
        signature[:-1], signature[:-1] + ("0" if signature[-1] != "0" else "1"), "", signature.upper(), f"{signature}0",
        "../../../../etc/passwd", "%2e%2e%2f%2e%2e%2fkey", "%00", "é",
    ]  # fmt: skip
    links = [f"{before}/{one}.mp4" for one in wrong] + [link.replace(f"{made}/0", f"{made}/{n}") for n in ("1", "-1")]
    links += [link.replace(made, NOBODY)]
    answers = {one: requests.get(one, timeout=60) for one in links}
    assert not [
        one for one, answer in answers.items() if answer.status_code not in (404, 422) or b"ftyp" in answer.content
    ]


def test_ten_thousand_guesses_are_told_and_lock_nobody_out(tmp_path, faults):
    """Each wrong token counts, for its address and in all; who has a right one is served all the while."""
    tries, lines = 10_000, 250
    with classroom(tmp_path, faults, guesses=Guesses(delay_s=0)) as school:
        statuses, honest = [], []

        def guess(number):
            with connect(school.server) as connection:
                reader = connection.makefile("rb")
                for start in range(number, tries, 4 * lines):
                    asked = [head(method="GET", path="/class.json", key=f"vnb_{start + one}") for one in range(lines)]
                    connection.sendall(b"".join(asked))
                    statuses.extend(_read(reader)[0] for _ in asked)

        threads = [threading.Thread(target=guess, args=(number * lines,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            honest.append(school.ask("GET", "/v1/get-user-credits", "anna").status_code)
        assert (len(statuses), set(statuses)) == (tries, {401, 429})
        assert statuses.count(401) < 1000, "it slowed nobody down"
        assert set(honest) == {200}
        facts = school.facts()
        assert facts["wrong_tokens"] == {"count": tries, "addresses": [{"address": "127.0.0.1", "count": tries}]}
        assert "10,000 wrong tokens were tried" in facts["notice"]
        assert "10,000 wrong tokens were tried" in school.ask("GET", "/", "teacher").text


def _read(reader):
    """(status, body) of the next answer of a connection."""
    status, length = int(reader.readline().split()[1]), 0
    while line := reader.readline().strip().lower():
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return status, reader.read(length)


@pytest.mark.parametrize("path", ["/class.json", "/sign-in"])
def test_guessing_becomes_slow(tmp_path, faults, path):
    """After some slips each further wrong token waits, sent by header or by the page's form; no right one does."""
    with classroom(tmp_path, faults, guesses=Guesses(per_address=3, delay_s=0.1)) as school:
        guess = {"data": {"token": GUESS}} if path == "/sign-in" else {"headers": {"x-api-key": GUESS}}
        method, begun = "POST" if path == "/sign-in" else "GET", time.monotonic()
        answers = [school.ask(method, path, **guess) for _ in range(13)]
        assert time.monotonic() - begun >= 1.0
        assert [one.status_code for one in answers] == [401] * 3 + [429] * 10
        assert answers[-1].headers["retry-after"] == "6"
        refused(answers[-1], 429, "too many wrong tokens")
        assert school.ask("GET", "/v1/get-user-credits", "ben").status_code == 200
        school.sign_in("ben")


def test_slips_are_forgiven_and_addresses_kept_apart():
    """What one address tried does not slow another down, until all together are too many; time gives tries back."""
    now = [0.0]
    guesses = Guesses(per_address=2, overall=4, delay_s=0, forget_s=10, clock=lambda: now[0])

    def refuse(address):
        step = guesses.refuse(address)
        try:
            while True:
                step.send(None)
        except StopIteration as ended:
            return ended.value

    assert [refuse("a") for _ in range(3)] == [0, 0, 10]
    assert [refuse("b"), refuse("c")] == [0, 10]
    now[0] = 10
    assert [refuse("a"), refuse("a")] == [0, 10]
    for number in range(2000):
        refuse(f"address {number}")
    assert len(guesses._addresses) == 1000


def test_a_session_ends_by_itself():
    """A cookie is good for a day of teaching, whoever has copied it."""
    now = [1000.0]
    sessions = Sessions(b"secret", clock=lambda: now[0])
    cookies = {}

    class Response:
        def set_cookie(self, name, value, **_):
            cookies[name] = value

    request = type("Request", (), {"cookies": cookies, "url": type("URL", (), {"scheme": "http"})})()
    sessions.begin(request, Response(), "hash")
    assert sessions.token_hash(request) == "hash"
    assert Sessions(b"other", clock=lambda: now[0]).token_hash(request) is None
    now[0] += SESSION_S
    assert sessions.token_hash(request) is None


# Other pages.


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example", "x-vidu-page": "1"},
        {"origin": "null", "x-vidu-page": "1"},
        {"origin": "http://127.0.0.1:1", "x-vidu-page": "1", "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "x-vidu-page": "1"},
        {"sec-fetch-site": "same-site", "x-vidu-page": "1"},
        {"content-type": "text/plain"},
    ],
)
def test_another_page_cannot_use_the_teachers_session(school, headers):
    """With the cookie alone nothing is changed: not from another origin, not from another port, not by a form."""
    session = school.sign_in("teacher")
    for path, body in (("/class/pause", {}), ("/class/people", {"name": "mallory"}), ("/sign-out", {})):
        answer = session.post(school.url + path, json=body, headers=headers, timeout=60)
        refused(answer, 403)
    facts = school.facts()
    assert (facts["paused"], len(facts["people"])) == (False, 2)
    own = {"origin": school.url, "x-vidu-page": "1", "sec-fetch-site": "same-origin"}
    assert session.post(f"{school.url}/class/pause", headers=own, timeout=60).status_code == 200


def test_another_page_cannot_sign_somebody_in(lasting):
    """A form elsewhere that sends its own token here starts no session."""
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = lasting.ask("POST", "/sign-in", headers=headers, data={"token": lasting.tokens["anna"]})
        refused(answer, 403)
        assert "set-cookie" not in answer.headers


def test_a_cookie_is_no_token(lasting, wanted):
    """The service's routes take no cookie, so that no page can spend anything with it."""
    session = lasting.sign_in("anna")
    for method, path in (("POST", MODEL_PATH), ("GET", "/v1/get-user-credits")):
        refused(session.request(method, lasting.url + path, json=wanted.payload(), timeout=60), 401)


HOSTS = [
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "a@127.0.0.1",
    "",
    "[",
    "127.0.0.1/x",
    "127.0.0.1 x",
]


@pytest.mark.parametrize("host", [*HOSTS, "10.0.0.7", "class.example.org"])
def test_a_strangers_name_for_this_machine_is_refused(lasting, host):
    """DNS rebinding brings a page here under its own name: it gets nothing, not even with a token."""
    for path in ("/class.json", "/", "/health", "/static/page.js"):
        status, _, text = exchange(
            lasting.server, head(method="GET", path=path, key=lasting.tokens["teacher"], host=host)
        )
        assert (status, b"anna" in text) == (400, False)


@pytest.mark.parametrize(
    ("hosts", "good", "bad"),
    [
        (Hosts(public_url="https://Class.example.org/x"), ["class.example.org", "[::1]:80"], ["10.0.0.7", *HOSTS]),
        (Hosts("class.example.org"), ["CLASS.example.org.:80", "10.0.0.7", "localhost"], ["example.org", *HOSTS]),
        (Hosts("0.0.0.0"), ["10.0.0.7:80", "[2001:db8::1]:80", "127.0.0.1"], ["class.example.org", *HOSTS]),
    ],
)
def test_names_that_were_given_are_served(hosts, good, bad):
    """A public URL and an address add their host; an open address adds those in figures; other names stay refused."""
    assert [one for one in good if not hosts.accepts(one)] == []
    assert [one for one in bad if hosts.accepts(one)] == []


def test_links_name_the_public_url(tmp_path, faults, wanted):
    """Where people come by the public URL, links have its scheme, though a proxy has taken the TLS away."""
    with classroom(tmp_path, faults, public_url="https://class.example.org") as school:
        ask = lambda host: school.ask(  # noqa: E731
            "POST", MODEL_PATH.replace("v1", "v2"), "anna", json=wanted.payload(), headers={"host": host}
        )
        assert ask("class.example.org").json()["status_url"].startswith("https://class.example.org/v2/")
        assert ask("localhost").json()["status_url"].startswith("http://localhost/v2/")
    for wrong in ("class.example.org", "ftp://x", "https://a@b", "https://x/?y"):
        with pytest.raises(vidu.errors.InvalidRequest, match="public URL"):
            Hosts(public_url=wrong)


# Connections and bodies.


def test_a_huge_body_is_refused_before_it_is_read(lasting):
    """Announced or not, more than a request may hold is refused; a token's form is shorter still."""
    key = lasting.tokens["teacher"]
    for path in (MODEL_PATH, "/class/people"):
        status, headers, _ = exchange(lasting.server, head(path=path, key=key, length=30_000_000))
        assert (status, headers["connection"]) == (413, "close")
    chunked = head("Content-Type: application/json", "Transfer-Encoding: chunked", path="/class/people", key=key)
    assert exchange(lasting.server, chunked + (b"100000\r\n" + b" " * 0x100000 + b"\r\n") * 20)[0] == 413
    form = lasting.ask("POST", "/sign-in", data={"token": "x" * 5000})
    assert form.status_code == 413
    assert exchange(lasting.server, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 100_000)[0] == 400
    assert lasting.facts()["people"]


def test_half_open_connections_keep_nobody_out(school, wanted):
    """Three hundred that say nothing, half a head or half a body wait for themselves; a good request is answered."""
    with contextlib.ExitStack() as stack:
        halves = [b"", b"POST /v1/x HTTP/1.1\r\nHost: 127.", head(path="/sign-in", length=100) + b"token="]
        for half in halves * 100:
            connection = stack.enter_context(connect(school.server))
            connection.sendall(half)
        school.make("anna", wanted)


def test_a_connection_that_says_nothing_is_closed(school, monkeypatch):
    """Where no whole head arrives in time, the connection ends; one with a request goes on."""
    monkeypatch.setattr(server_module, "_HEAD_S", 0.3)
    with connect(school.server) as silent, connect(school.server) as half, connect(school.server) as good:
        half.sendall(b"GET /health HTTP/1.1\r\nHost: ")
        good.sendall(head(method="GET", path="/health"))
        assert read_answer(good)[0] == 200
        for one in (silent, half):
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(100) == b""
        good.sendall(head(method="GET", path="/health"))
        assert read_answer(good)[0] == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["x-api-key: {anna}", "x-api-key: {teacher}"],
        ["x-api-key: nobody", "X-API-Key: {teacher}"],
        ["x-api-key: {teacher}", "Host: evil.example"],
        ["x-api-key: {teacher}", "Content-Length: 0", "Transfer-Encoding: chunked"],
        ["x-api-key: {teacher}", "Transfer-Encoding: chunked", "Content-Length: 4"],
        ["x-api-key: {teacher}", "Content-Length: 4", "Content-Length: 5"],
        ["x-api-key: {teacher}", "Transfer-Encoding: identity, chunked"],
        ["x-api-key: {teacher}", "Transfer-Encoding: xchunked"],
        ["x-api-key : {teacher}"],
        ["x-api-key: nobody\n x: y", " x-api-key: {teacher}"],
        ["x-api-key: nobody\x00{teacher}"],
        ["x-api-key: a,{teacher}"],
        ["x_api_key: {teacher}"],
    ],
)
def test_ambiguous_headers_are_refused(lasting, lines):
    """Two tokens, two lengths, folded lines, NUL, or names that look alike: refused, and nothing behind is read."""
    lines = [line.format(**lasting.tokens) for line in lines]
    behind = b"0\r\n\r\nGET /class.json HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: x\r\n\r\n"
    with connect(lasting.server) as connection:
        connection.sendall(head(*lines, method="POST", path="/class/pause") + behind)
        status, headers, _ = read_answer(connection)
        assert status in (400, 401, 501)
        if status == 400:
            assert headers["connection"] == "close"
    assert lasting.facts()["paused"] is False


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/class.json", "/class/people", "/v1/get-user-credits", "/nothing", "/sign-in"])
def test_unknown_methods_are_answered_in_the_services_form(lasting, method, path):
    """Nothing but an error in one line, and no permission for other pages."""
    answer = lasting.ask(method, path, "teacher", headers={"origin": "https://evil.example"})
    refused(answer, answer.status_code)
    assert answer.status_code in (404, 405)


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/../people.py", "/static/page.css.map", "/static/%2e%2e/app.py", "/class", "/docs"]
)
def test_what_is_not_there_is_told_so(lasting, path):
    """404 in the service's form, for HEAD without a body; no file of the package is served by its name."""
    connection_path = head(method="GET", path=path)
    status, headers, text = exchange(lasting.server, connection_path)
    assert (status, list(json.loads(text)), headers["content-type"]) == (404, ["error"], "application/json")
    assert lasting.ask("HEAD", "/nothing").status_code == 404
    assert lasting.ask("HEAD", "/class.json", "teacher").status_code == 200


@pytest.mark.parametrize("path", ["/", "/class.json", "/nothing", "/static/page.js", "/v1/get-user-credits", "/health"])
def test_every_answer_carries_the_security_headers(lasting, path):
    """No sniffing, no cache, no frame, no script but our own, whatever the answer."""
    for answer in (
        lasting.ask("GET", path),
        lasting.ask("GET", path, "teacher"),
        lasting.ask("GET", path, headers={"host": "x"}),
    ):
        headers = answer.headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert headers["referrer-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


# Proxies and TLS.


def test_forwarded_headers_are_believed_from_named_proxies_only(tmp_path, faults, wanted):
    """A named proxy tells the caller's address and https; from anybody else both are ignored."""
    told = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}

    def seen(**options):
        folder = tmp_path / str(len(options))
        folder.mkdir()
        with classroom(folder, faults, **options) as school:
            school.ask("GET", "/class.json", headers={**told, "x-api-key": GUESS})
            answer = school.ask("POST", MODEL_PATH.replace("v1", "v2"), "anna", json=wanted.payload(), headers=told)
            cookie = school.ask("POST", "/sign-in", data={"token": school.tokens["anna"]}, headers=told)
            address = school.facts()["wrong_tokens"]["addresses"][0]["address"]
            return address, answer.json()["status_url"].partition(":")[0], "Secure" in cookie.headers["set-cookie"]

    assert seen() == ("127.0.0.1", "http", False)
    assert seen(proxies="127.0.0.1,10.0.0.1") == ("203.0.113.9", "https", True)
    assert seen(proxies="10.0.0.1", open_wall=False) == ("127.0.0.1", "http", False)
    with pytest.raises(vidu.errors.ViduError, match="by their addresses"), classroom(tmp_path, faults, proxies="*"):
        pass


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_a_gateway_speaks_tls_with_a_certificate(tmp_path, faults):
    """With a certificate links and cookies are those of https; a wrong file is refused in a line."""
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem]
    subprocess.run(command, check=True, capture_output=True)
    with classroom(tmp_path, faults, certfile=pem, keyfile=key) as school:
        assert school.url.startswith("https://127.0.0.1:")
        answer = school.ask("POST", "/sign-in", data={"token": school.tokens["anna"]}, verify=str(pem))
        assert "Secure" in answer.headers["set-cookie"]
    with pytest.raises(vidu.errors.ViduError, match="certificate or its key can't be used"):
        classroom(tmp_path, faults, certfile=key).__enter__()
