"""The class over HTTP: what the teacher's routes and pages do, and what everybody else is shown."""

from __future__ import annotations

import csv
import io

import pytest
from classrooms import classroom

import vidu_nb as vidu
from vidu_nb.gateway.ledger import Ending

PROMPT = 'A wall. <script>window.hacked=1</script><img src=x onerror="window.hacked=1">'


@pytest.fixture
def school(tmp_path, faults):
    with classroom(tmp_path, faults) as running:
        yield running


@pytest.fixture
def wanted(photo):
    return vidu.VideoRequest(prompt=PROMPT, references=photo, aspect_ratio="1:1")


def test_the_class_is_told_in_figures_and_clips(school, wanted):
    """class.json names everybody with what is left, what runs, and their newest clips with a poster each."""
    school.make("anna", wanted)
    school.make("ben", wanted)
    facts = school.facts()
    assert {"total_usd", "spent_usd", "left_usd", "paused", "people", "notice", "wrong_tokens"} <= facts.keys()
    assert (facts["total_usd"], facts["spent_usd"], facts["left_usd"], facts["paused"]) == (10, 0.5, 9.5, False)
    anna, ben = facts["people"]
    (clip,) = anna["clips"]
    assert {"name", "usd", "spent_usd", "left_usd", "calls", "running", "state"} <= anna.keys()
    assert (anna["name"], anna["left_usd"], ben["left_usd"], ben["calls"]) == ("anna", 1.5, 2, 1)
    assert (ben["clips"], clip["kind"], clip["prompt"]) == ([], "video", PROMPT)
    poster = school.ask("GET", f"/{clip['poster']}", "teacher")
    assert (poster.headers["content-type"], poster.content[:2]) == ("image/jpeg", b"\xff\xd8")
    part = school.ask("GET", f"/{clip['url']}", "teacher", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")


def test_calls_that_need_the_teacher_are_named(school):
    """class.json tells of calls that the class's account failed; those of unknown outcome belong to the ledger's tests.

    The gateway looks for those by itself, and would close one that nothing was sent for.
    """
    anna, facts = school.ledger.person_named("anna"), {"price_usd": 0.5, "inputs": {}, "at_once": 2}
    model = "vidu-q1-reference-to-video"
    failed = school.ledger.ask(anna, "a" * 64, model=model, **facts)
    school.ledger.finish(failed.work["id"], Ending("failed", 0.0, error="it was refused", detail="two\nlines"))
    good = school.ledger.ask(anna, "b" * 64, model=model, **facts)
    school.ledger.finish(good.work["id"], Ending("done", 0.5, entry="x/y.json"))
    (trouble,) = school.facts()["troubles"]
    assert (trouble["name"], trouble["state"], trouble["usd"], trouble["detail"]) == (
        "anna",
        "failed",
        0.0,
        "two lines",
    )
    assert "anna · vidu-q1-reference-to-video · failed, nothing billed: two lines" in trouble["text"]
    page = school.ask("GET", "/", "teacher").text
    assert "nothing billed: two lines" in page


def test_people_are_added_topped_up_paused_and_revoked(school, wanted):
    """Every change shows at once in what the person may do; a new token is in the answer once and nowhere else."""
    added = school.people(name="  Zoë\n<b> ", usd=1)
    assert (added.status_code, added.json()["person"]["name"]) == (201, "Zoë <b>")
    school.tokens["zoe"] = token = added.json()["token"]
    left = lambda: school.ask("GET", "/v1/get-user-credits", "zoe")  # noqa: E731
    assert left().json()["credits"] == 1
    assert school.people(name="zoë <B>", action="top_up", usd=0.25).json()["person"]["left_usd"] == 1.25
    assert school.people(name="Zoë <b>", usd=3).json()["person"]["usd"] == 3
    assert left().json()["credits"] == 3
    assert school.people(name="Zoë <b>", action="pause").json()["person"]["state"] == "paused"
    refused = school.ask("POST", "/v1/vidu-q1-reference-to-video", "zoe", json=wanted.payload())
    assert (refused.status_code, "paused" in refused.json()["error"]) == (403, True)
    assert school.people(name="Zoë <b>", action="resume").json()["person"]["state"] == "active"
    school.make("zoe", wanted)
    renewed = school.people(name="Zoë <b>", action="token")
    assert left().status_code == 401
    school.tokens["zoe"] = renewed.json()["token"]
    assert left().json()["credits"] == 2.5
    assert school.people(name="Zoë <b>", action="revoke").json()["person"]["state"] == "revoked"
    assert left().status_code == 401
    assert school.people(name="Zoë <b>", action="pause").status_code == 409
    assert school.row("Zoë <b>")["spent_usd"] == 0.5
    assert token not in school.ask("GET", "/class.json", "teacher").text


@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        ({"name": "anna", "action": "add"}, 409, "is there already"),
        ({"name": "anna"}, 400, "usd: say how many"),
        ({"name": "anna", "action": "top_up"}, 400, "usd: say how many"),
        ({"name": "carl", "action": "pause"}, 404, "nobody called 'carl'"),
        ({"name": "TEACHER", "action": "revoke"}, 400, "the teacher can only"),
        ({"name": "teacher", "usd": 5}, 400, "the teacher can only"),
        ({"name": ""}, 400, "a name is missing"),
        ({"name": "x" * 101}, 400, "longer than 100"),
        ({"name": "carl", "usd": -1}, 400, "usd: "),
        ({"name": "carl", "usd": "1"}, 400, "usd: "),
        ({"name": "carl", "usd": True}, 400, "usd: "),
        ({"name": ["carl"]}, 400, "name: "),
        ({"name": "carl", "admin": True}, 400, "admin: "),
        ({"name": "carl", "action": "delete"}, 400, "action: "),
        ([], 400, ""),
    ],
)
def test_a_wrong_change_changes_nobody(school, change, status, problem):
    """It is refused with the field's name, in the service's form of an error."""
    before = school.facts()["people"]
    answer = school.ask("POST", "/class/people", "teacher", json=change)
    assert (answer.status_code, problem in answer.json()["error"]) == (status, True), answer.text
    assert school.facts()["people"] == before


def test_the_class_pauses_and_goes_on(school, wanted):
    """Nobody spends while the class is paused, the page says so, and after it everybody may again."""
    assert school.ask("POST", "/class/pause", "teacher").json() == {"paused": True}
    assert school.ask("POST", "/v1/vidu-q1-reference-to-video", "anna", json=wanted.payload()).status_code == 403
    assert (school.facts()["paused"], "paused" in school.facts()["notice"]) == (True, True)
    assert "Resume the class" in school.ask("GET", "/", "teacher").text
    assert school.ask("POST", "/class/resume", "teacher").json() == {"paused": False}
    school.make("anna", wanted)


def test_who_spent_what_opens_safely_in_a_spreadsheet(school):
    """class.csv has a line for each person, and no cell that a spreadsheet would compute."""
    school.people(name="=HYPERLINK(1)")
    answer = school.ask("GET", "/class.csv", "teacher")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["name"] for row in rows] == ["'=HYPERLINK(1)", "anna", "ben"]
    assert (rows[1]["left_usd"], rows[1]["state"]) == ("2.0", "active")
    assert answer.headers["content-disposition"] == 'attachment; filename="class.csv"'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/class.json"),
        ("GET", "/class.csv"),
        ("POST", "/class/pause"),
        ("POST", "/class/resume"),
        ("POST", "/class/people"),
        ("GET", "/wall"),
    ],
)
def test_the_class_is_for_its_teacher(school, method, path):
    """Nobody without a token, and nobody with a student's, reads or changes the class, by token or by cookie."""
    assert school.ask(method, path).status_code == 401
    assert school.ask(method, path, "anna").status_code == 403
    session = school.sign_in("anna")
    assert session.request(method, school.url + path, headers={"x-vidu-page": "1"}, timeout=60).status_code == 403


def test_each_sees_their_own_page(school, wanted):
    """The teacher sees everybody, a student what is left and their own clips and calls, a stranger the sign-in."""
    school.make("anna", wanted)
    stranger, anna, ben = (school.ask("GET", "/", who).text for who in (None, "anna", "ben"))
    teacher = school.ask("GET", "/", "teacher").text
    assert 'name="token"' in stranger
    assert all(name in teacher for name in ("anna", "ben", "$9.50", "poster.jpg"))
    assert [text for text in ("$1.50", "poster.jpg", "A wall.", "ben") if text in anna] == [
        "$1.50",
        "poster.jpg",
        "A wall.",
    ]
    assert [text for text in ("$2.00", "poster.jpg", "A wall.", "anna") if text in ben] == ["$2.00"]
    assert not [page for page in (anna, teacher) if "<script>w" in page or "<img src=x" in page]


def test_an_open_wall_shows_clips_and_names_but_no_prompts(tmp_path, faults, wanted):
    """With --open-wall everybody in the class sees whose clips there are, and nobody else's prompts."""
    with classroom(tmp_path, faults, open_wall=True) as school:
        for who in ("anna", "anna", "ben"):
            school.make(who, wanted)
        (clip,) = school.row("anna")["clips"]
        wall = school.ask("GET", "/wall", "ben")
        assert [text for text in ("anna", clip["poster"], "A wall.") if text in wall.text] == ["anna", clip["poster"]]
        assert school.ask("GET", f"/{clip['url']}", "ben").content[4:8] == b"ftyp"
        assert school.ask("GET", f"/{clip['poster']}", "ben").status_code == 200
        assert school.ask("GET", f"/{clip['url']}").status_code == 401
        assert school.ask("GET", f"/v2/requests/{clip['id']}", "ben").status_code == 404
        (replay,) = (row["id"] for row in school.ledger.latest_calls(school.ledger.person_named("ben"), 9))
        assert school.ask("GET", f"/clips/{replay}", "anna").status_code == 404


def test_a_session_begins_with_a_token_and_ends_with_it(school):
    """The cookie holds no token and is closed to scripts; signing out, or another token, ends the session."""
    session = school.sign_in("teacher")
    (cookie,) = session.cookies
    written = school.ask("POST", "/sign-in", data={"token": school.tokens["teacher"]}).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(written.split("; "))
    assert school.tokens["teacher"] not in written
    facts = lambda: session.get(f"{school.url}/class.json", timeout=60).status_code  # noqa: E731
    assert facts() == 200
    assert session.post(f"{school.url}/sign-out", headers={"x-vidu-page": "1"}, timeout=60).status_code == 200
    assert not session.cookies
    session.cookies.set_cookie(cookie)  # somebody copied it
    assert facts() == 401
    session = school.sign_in("teacher")
    assert facts() == 200
    school.tokens["teacher"] = school.people(name="teacher", action="token").json()["token"]
    assert facts() == 401


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1] + "0", lambda text: "A" + text[1:], lambda _: "x.y", str.upper]
)
def test_a_changed_cookie_is_no_session(school, change):
    """Whatever is altered in it, it opens nothing, and breaks nothing."""
    session = school.sign_in("teacher")
    (cookie,) = session.cookies
    cookie.value = change(cookie.value)
    assert session.get(f"{school.url}/class.json", timeout=60).status_code == 401
    assert 'name="token"' in session.get(f"{school.url}/", timeout=60).text


def test_a_wrong_token_is_told_on_the_sign_in_page(school):
    """The form comes back with what is wrong, and with nothing of what was typed."""
    answer = school.ask("POST", "/sign-in", data={"token": "vnb_typed-wrong"})
    assert (answer.status_code, "not known here" in answer.text, "typed-wrong" in answer.text) == (401, True, False)
    assert "set-cookie" not in answer.headers
