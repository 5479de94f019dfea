"""The class's pages as people meet them: in a real Chromium, with keyboard and checker, on a projector and a phone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import PLAYS
from classrooms import Classroom, classroom
from faults import FaultServer
from playwright.sync_api import Browser, Page, expect

import vidu_nb as vidu
from vidu_nb.samples import sample_references

HOSTILE = '<img src=x onerror="window.hacked=1"></button><script>window.hacked=1</script> " wall'
STICKS_OUT = "() => document.documentElement.scrollWidth - innerWidth"
ATTACK = """<form method=post enctype=text/plain action="{url}/class/pause"><input name='{{"a":"' value='"}}'></form>
<script>
(async () => {{
  const asked = [
    fetch('{url}/class/pause', {{method: 'POST', mode: 'no-cors', credentials: 'include'}}),
    fetch('{url}/class/pause', {{method: 'POST', credentials: 'include', headers: {{'x-vidu-page': '1'}}}}),
    fetch('{url}/class.json', {{credentials: 'include'}})
      .then(answer => answer.text()).then(text => {{ window.stolen = text; }}),
  ];
  window.image = new Image();
  window.image.src = '{url}/{poster}';
  await Promise.allSettled([...asked, window.image.decode()]);
  window.done = true;
}})();
</script>"""


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    with FaultServer() as faults, classroom(folder, faults, names=("anna", "ben", HOSTILE)) as running:
        yield running


@pytest.fixture(scope="module")
def clip(school):
    """A clip of Anna's whose prompt is markup."""
    picture = sample_references()[0]
    wanted = vidu.VideoRequest(prompt=HOSTILE, references=picture, aspect_ratio="16:9")
    return school.make("anna", wanted).headers["x-request-id"]


@contextmanager
def opened(browser: Browser, **options):
    """A page of its own browser profile, on which no script of the class's may fail."""
    context = browser.new_context(**options)
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    yield page
    assert page.evaluate("window.hacked") is None
    context.close()
    assert problems == []


def sign_in(page: Page, school: Classroom, who: str) -> None:
    """As a person does: type the token and press Enter."""
    page.goto(school.url)
    page.get_by_label("Your token").fill(school.tokens[who])
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()


def check_with_axe(page: Page) -> None:
    """The checker finds nothing serious, and nothing sticks out of the page."""
    found = Axe().run(page).response["violations"]
    grave = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found
             if one["impact"] in ("serious", "critical")]  # fmt: skip
    assert grave == []
    assert page.evaluate(STICKS_OUT) <= 0


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_pages_are_accessible_and_fit(browser: Browser, school: Classroom, scheme: str, width: int):
    """On a projector and on a phone, light and dark, axe finds nothing serious on any page or in any dialog."""
    with opened(browser, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        page.goto(school.url)
        check_with_axe(page)
        sign_in(page, school, "teacher")
        check_with_axe(page)
        page.get_by_role("button", name="Manage anna").click()
        check_with_axe(page)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Add a person").click()
        check_with_axe(page)
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Wall").click()
        expect(page.locator(".tile")).to_have_count(1)
        check_with_axe(page)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Your token").wait_for()
        sign_in(page, school, "anna")
        check_with_axe(page)


@pytest.mark.usefixtures("clip")
def test_a_class_is_run_from_the_page(browser: Browser, school: Classroom):
    """Add, top up, a new token, pause and resume: by keyboard, each seen at once and each true in the ledger."""
    with opened(browser) as page:
        sign_in(page, school, "teacher")
        page.get_by_role("button", name="Add a person").press("Enter")
        page.get_by_label("Name", exact=True).fill("<b>Dora</b>")
        page.get_by_label("Budget in US dollars").fill("1.5")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Done").wait_for()
        token = page.locator("#token-text").inner_text()
        school.tokens["dora"] = token
        assert school.ask("GET", "/v1/get-user-credits", "dora").json()["credits"] == 1.5
        page.get_by_role("button", name="Done").click()
        expect(page.locator("#token-text")).to_have_text("")
        assert token not in page.content()
        row = page.get_by_role("row", name="<b>Dora</b>")
        page.get_by_role("button", name="Manage <b>Dora</b>").press("Enter")
        page.get_by_label("Top up by US dollars").fill("0.5")
        page.keyboard.press("Enter")
        expect(row).to_contain_text("$2.00")
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(row).to_contain_text("paused")
        assert school.row("<b>Dora</b>")["state"] == "paused"
        page.get_by_role("button", name="Resume", exact=True).click()
        page.get_by_role("button", name="New token").click()
        page.get_by_role("button", name="Done").wait_for()
        assert school.ask("GET", "/v1/get-user-credits", "dora").status_code == 401
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Pause the class").click()
        expect(page.get_by_role("status").first).to_contain_text("The class is paused")
        page.get_by_role("button", name="Resume the class").click()
        expect(page.get_by_role("button", name="Pause the class")).to_be_visible()
        assert school.facts()["paused"] is False
        with page.expect_download() as download:
            page.get_by_role("link", name="Download CSV").click()
        assert "anna" in download.value.path().read_text()


@pytest.mark.usefixtures("clip")
def test_what_happens_shows_by_itself(browser: Browser, school: Classroom, photo):
    """A clip that is made appears while the page is open; hostile names and prompts stay the texts that they are."""
    with opened(browser) as page:
        sign_in(page, school, "teacher")
        row = page.get_by_role("row", name="ben")
        expect(row.locator(".clip")).to_have_count(0)
        school.make("ben", vidu.VideoRequest(prompt="Another wall", references=photo, aspect_ratio="16:9"))
        expect(row.locator(".clip")).to_have_count(1)
        expect(page.locator("tbody th").filter(has_text=HOSTILE)).to_have_count(1)
        page.get_by_label("Find").fill("ANN")
        expect(page.locator("tbody tr:visible")).to_have_count(1)
        page.locator(".clip:visible").first.click()
        expect(page.locator("#player-prompt")).to_have_text(HOSTILE)
        assert page.locator("#player video").evaluate(PLAYS)["width"] > 0
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Wall").click()
        page.locator(".tile").last.hover()
        page.locator(".tile video").wait_for()


class _Elsewhere(BaseHTTPRequestHandler):
    page = ""

    def do_GET(self):
        """The attacking page."""
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, *_):
        """Say nothing."""


def test_a_page_on_another_port_gets_nothing_with_the_teachers_cookie(browser: Browser, school: Classroom, clip: str):
    """The browser sends the cookie from another port of this machine: nothing is paused, read or shown."""
    handler = type(
        "Elsewhere", (_Elsewhere,), {"page": ATTACK.format(url=school.url, poster=f"clips/{clip}/poster.jpg")}
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        context = browser.new_context()
        page = context.new_page()
        sign_in(page, school, "teacher")
        for host in ("127.0.0.1", "localhost"):
            page.goto(f"http://{host}:{elsewhere.server_port}/")
            page.wait_for_function("window.done")
            assert page.evaluate("[window.stolen, window.image.naturalWidth]") == [None, 0]
            page.evaluate("document.forms[0].submit()")
            page.wait_for_url("**/class/pause")
            assert "error" in page.content()
        page.goto(school.url)
        expect(page.get_by_role("button", name="Pause the class")).to_be_visible()  # still signed in
        context.close()
        elsewhere.shutdown()
    assert school.facts()["paused"] is False
