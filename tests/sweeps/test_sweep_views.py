"""What a sweep shows: its plan and its money in a notebook, and what is no longer there."""

from __future__ import annotations

import json
import sys

import pytest
from faults import KEY
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from panels import fault
from traitlets.config import Config

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.request import VideoRequest

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"


@pytest.fixture
def client(paid):
    """A paying client of that service."""
    return Client(KEY, paid.root, price_usd=0.5, timeout=10, notify=len)


@pytest.fixture
def shell(tmp_path):
    """An IPython shell that believes to be a notebook's."""
    main = sys.modules["__main__"]  # a shell takes its place, and other tests start processes from it
    quiet = Config(HistoryManager={"enabled": False})
    made = InteractiveShell.instance(config=quiet, ipython_dir=str(tmp_path / "ipython"))
    made.kernel = object()
    yield made
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


@pytest.mark.usefixtures("shell")
def test_a_notebook_is_shown_the_plan_before_the_word_and_the_money_meanwhile(client):
    """What waits for a word is seen with its price; while it runs, what is spent, what is left, and why it waits."""
    with capture_output() as shown, pytest.raises(errors.ConfirmationNeeded):
        vidu.sweep("A cat", CAT, seed=[1, 2, 3], client=client)
    assert "Plan: 3 requests" in shown.outputs[0].data["text/html"]
    with capture_output() as shown:
        vidu.sweep("A cat [fault:rate_limited_once_seconds]", CAT, client=client, budget_usd=1.0)
    lines = [one.data["text/html"] for one in shown.outputs if "progressbar" in one.data.get("text/html", "")]
    assert any("$0.00 spent · $1.00 left of the budget" in line and "the next try is in" in line for line in lines)


def test_an_interrupted_sweep_shows_no_traceback_in_a_notebook(shell, capsys):
    """Where the code stood when somebody pressed a button tells nothing: one line does."""
    shell.user_ns["told"] = errors.SweepInterrupted("2 of 6 clips", remedy="Run it again.")
    shell.run_cell("raise told")
    said = "".join(capsys.readouterr())
    assert "2 of 6 clips. Run it again." in said
    assert "Traceback" not in said


def test_a_clip_that_has_gone_leaves_its_place_in_the_grid(client):
    """The others are shown, and the place says what is missing; rows can be taken out of a table."""
    swept = vidu.sweep("A cat", CAT, seed=[1, 2], client=client, confirm=True)
    swept[0].path.unlink()
    html = swept.show().html()
    assert html.count("<video") == 1
    assert f"{swept[0].path} does not exist" in html
    rows = swept.rows()
    rows.clear()
    assert repr(rows) == "no rows"
    with pytest.raises(errors.InvalidRequest, match="colour: no such parameter"):
        swept.at(seed=1, colour="red")


def test_an_answer_that_the_disk_gives_no_more_is_one_requests_trouble(client, paid):
    """Bytes of an earlier call that can't be read are that request's error: it is not paid for again, others go on."""
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(VideoRequest(prompt=fault("reset_after_body"), references=CAT))
    [attempt] = client.archive.journal
    said = json.loads(attempt.path.read_text())
    attempt.path.write_text(json.dumps(said | {"events": said["events"][:2]}))  # as a process leaves it that was killed
    (client.archive.folder / "incoming" / f"{attempt.id}.body").symlink_to("/proc/self/mem")  # reading it is an error
    swept = vidu.sweep([fault("reset_after_body"), "A cat"], CAT, client=client, confirm=True)
    assert ["can't be read" in str(one) for one in swept.failed] == [True]
    assert (len(swept.videos), len(paid.posts())) == (1, 2)
