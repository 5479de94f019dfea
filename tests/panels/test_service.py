"""Who makes a panel's clips: the service of the key that was set last, a client that was given, or nobody."""

from __future__ import annotations

import hashlib

import pytest
from faults import KEY, clip
from panels import click, ended, keep, label, press, text

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture(autouse=True)
def _logged_out():
    """No test leaves a key behind."""
    yield
    vidu.logout()


def test_from_code_and_without_a_key_the_preview_engine_answers(asked):
    """`panel.generate()` does what `vidu.generate` does."""
    assert vidu.panel(**asked).generate().is_preview


def test_a_key_that_can_not_be_used_is_reported_and_never_shown(asked, monkeypatch):
    """A malformed key in the environment stops nothing but the paying."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_two words")
    panel = vidu.panel(**asked)
    click(panel, "Generate")
    assert "key" in panel.message
    assert "two words" not in panel.message
    assert panel.preview().is_preview


def test_a_kept_clip_shows_without_a_key(asked):
    """What was paid for with a key is shown to people who have none; another take would need one."""
    keep(VideoRequest(**asked), clip("good"), engine="segmind")
    panel = vidu.panel(**asked)
    assert label(panel, "Generate") == "Generate (kept: shows at no cost)"
    press(panel, "Generate")
    assert panel.video.receipt.engine == "segmind"
    assert panel.generate().receipt.replayed
    assert panel.generate(fresh=True).is_preview


def test_the_key_of_the_last_login_pays(asked, faults, monkeypatch):
    """A login counts for panels that are open already, the last one; after a logout nobody is paid."""
    panel = vidu.panel(**asked)
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    for seed, key in enumerate(["SG_first-key-for-tests", "SG_second-key-for-tests"], 1):
        vidu.login(key)
        panel.fill(seed=seed)
        assert not panel.generate().is_preview
        assert faults.posts()[-1].key_sha256 == hashlib.sha256(key.encode()).hexdigest()
    vidu.logout()
    monkeypatch.delenv("SEGMIND_BASE_URL")
    panel.fill(seed=3)
    press(panel, "Generate")
    assert len(faults.posts()) == 2
    assert "vidu.login()" in panel.message


def test_another_accounts_credits_are_not_shown(asked, faults, monkeypatch):
    """What one account had left says nothing of the next one's."""
    monkeypatch.setenv("SEGMIND_BASE_URL", faults.root)
    vidu.login(KEY)
    panel = press(vidu.panel(**asked), "Generate")
    assert "Credits left" in text(panel)
    vidu.login("SG_second-key-for-tests")
    press(panel, "Generate")
    assert "Credits left" not in text(panel)


def test_a_given_preview_client_pays_nobody_and_asks_for_no_key(asked, paid):
    """A panel that was given the preview engine makes previews, whatever key the environment holds."""
    panel = vidu.panel(**asked, client=Client.preview())
    click(panel, "Generate")
    assert "vidu.login()" not in panel.message
    assert panel.generate().is_preview
    assert paid.posts() == []


def test_a_given_clients_budget_holds(asked, paid, tmp_path):
    """Its refusal stands in the panel, and nothing is sent."""
    panel = vidu.panel(**asked, client=Client(budget=Budget(0.6, tmp_path / "budget.json")))
    press(panel, "Generate")
    panel.fill(seed=208)
    press(panel, "Generate")
    assert isinstance(panel.error, errors.BudgetExceeded)
    assert "Raise the budget" in panel.message
    assert len(paid.posts()) == 1


def test_an_archive_that_can_not_be_written_costs_nothing(asked, paid):
    """A file in the folder's place: the panel opens, the call is refused before it is sent, and says why."""
    Archive().folder.write_text("no folder")
    panel = press(vidu.panel(**asked), "Generate")
    assert isinstance(panel.error, errors.ArchiveError)
    assert "nothing was sent" in panel.message
    assert paid.posts() == []


def test_two_panels_pay_once_for_one_request(asked, paid):
    """The same request from two panels at once is one call; both show its clip."""
    panels = [vidu.panel(**asked | {"prompt": "A wall [fault:good_slow]"}) for _ in range(2)]
    for panel in panels:
        click(panel, "Generate")
    assert [ended(panel).state for panel in panels] == ["done", "done"]
    assert len(paid.posts()) == 1
