"""A gateway as a service of a real JupyterHub: users' own servers, the hub's sign-in, and nothing else configured."""

from __future__ import annotations

import re
import sqlite3

import pytest
import requests
from browser import PLAYS, write_notebook
from faults import KEY, FaultServer
from hubs import PASSWORD, jupyter_hub
from PIL import Image
from playwright.sync_api import Browser, expect

import vidu_nb as vidu

SHARED = "somebody in your class has made this: $0.00"
_WALL = Image.effect_mandelbrot((320, 240), (-2, -1, 1, 1), 60).convert("RGB")
CELLS = (
    "import vidu_nb as vidu; from PIL import Image",
    "picture = Image.effect_mandelbrot((320, 240), (-2, -1, 1, 1), 60).convert('RGB')",
    "client = vidu.Client.from_env()\nprint(float(client.credits()))",
    "video = vidu.generate('A cat naps on a wall.', picture, seed=7)\nprint(video.receipt.cost_label)",
    "video = vidu.generate('{name} walks.', picture, seed=7)\nprint(video.receipt.cost_label, len(video.bytes) > 1000)",
    "print(float(client.credits()))",
)


@pytest.fixture(scope="module")
def upstream():
    with FaultServer() as faults:
        yield faults


@pytest.fixture(scope="module")
def hub(tmp_path_factory, upstream):
    folder = tmp_path_factory.mktemp("hub")
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text(KEY)
    (folder / "budgets.csv").write_text("name,usd\ncleo,0\ngroup:film,1.5\n")
    options = [
        "--each-usd", "1", "--total-usd", "10", "--key-file", str(key), "--budgets", str(folder / "budgets.csv"),
        "--upstream", upstream.root, "--archive", str(folder / "class"),
    ]  # fmt: skip
    with jupyter_hub(folder, options, users=["anna", "ben", "cleo"], admins=["teach"], film=["ben"]) as running:
        running.start_servers("anna", "ben")
        yield running


@pytest.fixture(scope="module")
def printed(hub, tmp_path_factory):
    """What a notebook printed in the servers of two users, cell by cell."""
    folder = tmp_path_factory.mktemp("notebooks")
    return {
        name: hub.run(name, write_notebook(folder / f"{name}.ipynb", *(cell.format(name=name) for cell in CELLS)))
        for name in ("anna", "ben")
    }


def test_users_generate_with_nothing_but_the_spawners_environment(printed, upstream):
    """Two users' notebooks make clips from their own budgets, and what one has paid for replays for the other."""
    assert printed["anna"] == ["", "", "1.0\n", "$0.50\n", "$0.50 True\n", "0.0\n"]
    assert printed["ben"] == ["", "", "1.5\n", f"{SHARED}\n", "$0.50 True\n", "1.0\n"]
    assert upstream.billed() == 3


@pytest.mark.usefixtures("printed")
def test_without_a_budget_a_user_is_told_whom_to_ask(hub, upstream, photo, monkeypatch):
    """The client takes the hub's own token; the error says what is left, that nothing was billed, and what to do."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", hub.token("cleo"))
    monkeypatch.setenv("JUPYTERHUB_API_URL", f"{hub.url}/hub/api")
    monkeypatch.setenv("JUPYTERHUB_BASE_URL", "/")
    monkeypatch.setenv("SEGMIND_BASE_URL", f"{hub.url}/services/vidu")
    with pytest.raises(vidu.errors.InsufficientCredits, match=r"\$0.00 of \$0.00 is left; ask your teacher") as caught:
        vidu.generate("A bird sings.", photo, seed=7)
    assert caught.value.billed == "no"
    assert vidu.generate("A cat naps on a wall.", _WALL, seed=7).receipt.cost_label == SHARED
    assert upstream.billed("A bird sings.") == 0


def test_the_hub_has_no_key_in_its_database(hub):
    """A managed service's environment stands there in plain; the key comes from a file that only its owner can read."""
    with sqlite3.connect(hub.database) as database:
        assert "tests" in "".join(database.iterdump())
        assert KEY not in "".join(database.iterdump())


def test_a_token_needs_the_services_scope(hub):
    """Somebody else's token, one without access to the service, and a service's own spend nothing."""
    balance = f"{hub.url}/services/vidu/v1/get-user-credits"
    statuses = [
        requests.get(balance, headers={"x-api-key": token}, timeout=60).status_code
        for token in (hub.token("anna"), hub.token("anna", "read:users!user"), "0" * 32)
    ]
    assert statuses == [200, 403, 401]


def sign_in(page, hub, name):
    page.goto(f"{hub.url}/services/vidu/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_an_admin_sees_the_class_through_the_hubs_sign_in(hub, browser: Browser):
    """The hub's admin gets the class's page without a token, changes it, and is out once the hub signs them out."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, hub, "teach")
    expect(page).to_have_url(f"{hub.url}/services/vidu/")
    expect(page.get_by_role("heading", name="Class")).to_be_visible()
    page.get_by_role("button", name="Pause the class").click()
    expect(page.get_by_role("button", name="Resume the class")).to_be_visible()
    page.get_by_role("button", name="Resume the class").click()
    expect(page.get_by_role("button", name="Pause the class")).to_be_visible()
    expect(page.get_by_role("button", name="Add a person")).to_be_hidden()
    cookie = next(one for one in context.cookies() if one["name"] == "vidu_nb_class")
    assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/services/vidu/", True, "Strict")
    context.close()


def test_a_user_sees_their_own_page_alone(hub, browser: Browser):
    """Anybody else who signs in at the hub gets their own page, and the class's figures stay closed to them."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, hub, "anna")
    expect(page.get_by_role("heading", name="anna")).to_be_visible()
    assert page.request.get(f"{hub.url}/services/vidu/class.json").status == 403
    context.close()


@pytest.mark.usefixtures("printed")
def test_the_panels_work_in_a_users_own_server(hub, browser: Browser, tmp_path):
    """In JupyterLab behind the hub's proxy a film's preview plays by its link, and what is left stands below."""
    film = "vidu.Film(['Look at the wall.', 'Zoom in.'], references=picture, aspect_ratio='1:1')"
    cell = f"{CELLS[0]}\n{CELLS[1]}\nvidu.panel({film})"
    hub.put("ben", write_notebook(tmp_path / "film.ipynb", cell))
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.goto(f"{hub.url}/user/ben/lab/tree/film.ipynb")
    page.get_by_label("Username").fill("ben")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator(".jp-Notebook-cell .cm-content").click(timeout=120_000)
    page.keyboard.press("Shift+Enter")
    panel = page.locator(".vidu-film-panel")
    expect(panel.locator(".vidu-reason")).to_contain_text("Credits left: $1.00", timeout=120_000)
    panel.get_by_role("button", name="Draft preview (free)").click()
    expect(panel.locator(".vidu-actions")).to_contain_text("Here it is: 2 scenes, 10 s", timeout=120_000)
    video = panel.locator("video")
    assert video.evaluate(PLAYS)["duration"] == pytest.approx(10, abs=0.2)
    assert "/user/ben/files/" in video.evaluate("video => video.currentSrc")
    context.close()


def test_a_sign_in_that_began_elsewhere_is_refused(hub, browser: Browser):
    """A callback with somebody else's code and state begins no session in this browser."""
    context = browser.new_context()
    answer = context.request.get(f"{hub.url}/services/vidu/oauth_callback?code=stolen&state=guessed")
    assert answer.status == 403
    assert not re.search("vidu_nb_class", str(context.cookies()))
    context.close()
