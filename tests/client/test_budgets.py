"""A client's budgets: asked before each call, right whenever the process dies, and corrected by what a call cost."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import KEY, clip
from services import Service
from torture import STEPS

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget

FORK = multiprocessing.get_context("fork")
CAT = "https://example.com/cat.png"
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def asking(fault="good", **changes):
    return vidu.VideoRequest(**{"prompt": f"A cat [fault:{fault}]", "references": CAT, **changes})


# What is set aside, and what becomes of it.


def test_a_budget_counts_unknown_outcomes_in_full(faults, tmp_path):
    """An unknown call keeps its reservation, a refused one gives it back, a paid one is corrected by x-cost."""
    budget = Budget(1.0, tmp_path / "budget.json")
    client = Client(KEY, faults.root, price_usd=0.6, budget=budget, timeout=5)
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    assert budget.spent == 0.6
    with pytest.raises(errors.BudgetExceeded, match=r"\$0\.60, and \$0\.40 of \$1\.00 is left"):
        client.generate(asking())
    assert len(faults.posts()) == 1
    client.settle(client.pending()[0], billed=False)
    with pytest.raises(errors.APIError):
        client.generate(asking("status_400"))
    assert budget.spent == 0.0
    client.generate(asking())
    assert budget.spent == 0.5


def test_a_used_up_budget_refuses_before_anybody_is_asked(faults, tmp_path):
    """No connection, no journal, no reservation: the refusal costs nothing at all."""
    budget = Budget(0.3, tmp_path / "budget.json")
    client = Client(KEY, faults.root, price_usd=0.6, budget=budget)
    with pytest.raises(errors.BudgetExceeded):
        client.generate(asking())
    assert faults.seen() == []
    assert list(client.archive.journal) == []
    assert not budget.file.exists()


def test_what_another_call_took_meanwhile_is_not_spent_twice(faults, tmp_path):
    """A budget that had enough before connecting and has not when the bytes are to leave: nothing is sent."""
    both = [Budget(1.0, tmp_path / name) for name in ("client.json", "sweep.json")]
    client = Client(KEY, faults.root, price_usd=0.6, budget=both[0], notify=len)
    asked = client.sibling(budget=both[1])
    with ThreadPoolExecutor(1) as pool:
        with hold(both[0].file.with_suffix(".lock"), timeout=5):
            call = pool.submit(asked.generate, asking())
            wait_for(lambda: [attempt.state for attempt in client.archive.journal] == ["sent"])
            both[1].reserve("another call", 0.6)
        with pytest.raises(errors.BudgetExceeded):
            call.result(timeout=20)
    assert faults.posts() == []
    assert ([one.spent for one in both], client.pending()) == ([0.0, 0.6], [])
    assert [attempt.state for attempt in client.archive.journal] == ["not charged"]


def test_a_call_that_is_late_before_it_begins_is_not_sent(faults, tmp_path):
    """Its deadline passes while another holds the budget: nothing left, so nothing can have been billed."""
    budget = Budget(5, tmp_path / "class.json")
    client = Client(KEY, faults.root, budget=budget, timeout=0.5, notify=len)
    with ThreadPoolExecutor(1) as pool:
        with hold(budget.file.with_suffix(".lock"), timeout=5):
            call = pool.submit(client.generate, asking())
            faults.wait(lambda seen: seen and seen[0].ended)  # it hung up
        with pytest.raises(errors.Unreachable) as caught:
            call.result(timeout=20)
    assert caught.value.billed == "no"
    assert (faults.posts(), budget.spent, client.pending()) == ([], 0.0, [])


def test_a_budget_that_is_named_twice_is_asked_once(faults, tmp_path):
    """A sweep may be given the client's own: a call is no dearer for that."""
    budget = Budget(0.5, tmp_path / "class.json")
    client = Client(KEY, faults.root, budget=budget, price_usd=0.5)
    client.sibling(budget=Budget(0.5, tmp_path / "class.json")).generate(asking())
    assert budget.spent == 0.5


def test_a_price_of_nothing_hides_no_cost_from_a_budget(faults, tmp_path):
    """Somebody who says that clips are free still sees in the budget what the service took for one."""
    budget = Budget(1.0, tmp_path / "budget.json")
    video = Client(KEY, faults.root, price_usd=0, budget=budget, timeout=5).generate(asking())
    assert budget.spent == video.receipt.cost_usd > 0


def test_a_budget_holds_its_own_calls_only(faults, tmp_path):
    """What another client left open is brought in, and this one's budget has no part in it."""
    with pytest.raises(errors.OutcomeUnknown):
        Client(KEY, faults.url("link_500"), timeout=5).generate(asking("link_500"))
    budget = Budget(1.0, tmp_path / "budget.json")
    other = Client(KEY, faults.root, timeout=5, budget=budget, notify=len)
    other.resume()
    budget.correct("a call of another budget", 0.9)
    assert budget.spent == 0.0


@pytest.mark.parametrize("content", ["half a li", "[]", '{"amounts": 3}', '{"limit_usd": 1}', None])
def test_a_budget_that_can_not_be_read_spends_nothing(faults, tmp_path, content):
    """Whatever stands in its file, it is no reason to believe that nothing was spent."""
    file = tmp_path / "class.json"
    file.write_text(content) if content else file.mkdir()
    with pytest.raises(errors.ArchiveError, match=r"class\.json can't be read: .*Mend or move it"):
        Client(KEY, faults.root, budget=Budget(5, file)).generate(asking())
    assert faults.seen() == []


def test_a_clip_that_is_fetched_later_corrects_the_sweeps_budget():
    """What it really cost replaces what was reserved, whoever brings it in."""
    status = [404]

    def answer(call):
        if call.command == "POST":
            call.say(json.dumps({"video": {"url": f"{service.url}/clip.mp4"}}).encode(), cost=0.25)
        else:
            call.say(clip("whole"), status=status[0])

    with Service(answer) as service:
        swept = vidu.sweep("A cat", CAT, client=Client(KEY, service.url, price_usd=0.5, notify=len), budget_usd=1)
        assert (swept.budget.spent, len(swept.failed)) == (0.5, 1)
        status[0] = 200
        assert len(Client(KEY, service.url).resume()) == 1
        assert swept.budget.spent == 0.25
        assert len(service.posts) == 1


# A kernel that is killed.


def ask(url, folder, purse, *, timeout=20):
    client = Client(KEY, url, folder, timeout=timeout, notify=len, budget=Budget(1.0, purse))
    return client.generate(asking())


def killed(process):
    """End it the hard way; whether that was needed."""
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    return process.exitcode == -signal.SIGKILL


def wait_for(holds):
    pause = threading.Event()
    for _ in range(2000):
        if found := holds():
            return found
        pause.wait(0.01)
    raise TimeoutError


def test_a_kernel_that_is_killed_while_it_connects_leaves_the_budget_whole(faults, tmp_path):
    """Nothing has left, so nothing is set aside, and nothing stands open."""
    folder, purse = tmp_path / "archive", tmp_path / "class.json"
    kernel = FORK.Process(target=ask, args=(faults.url("tls_silence"), folder, purse))
    kernel.start()
    faults.wait(lambda seen: seen and seen[0].bytes_in)  # the TLS greeting: the request itself comes after it
    assert killed(kernel)
    assert Budget(1.0, purse).spent == 0.0
    assert Client(KEY, faults.root, folder).pending() == []


def test_a_kernel_that_is_killed_before_its_reservation_leaves_a_call_to_settle(faults, tmp_path):
    """Between the journal's "sent" and the reservation: the call is listed, and closing it leaves the budget whole."""
    folder, purse = tmp_path / "archive", tmp_path / "class.json"
    with hold(purse.with_suffix(".lock"), timeout=1):
        kernel = FORK.Process(target=ask, args=(faults.root, folder, purse))
        kernel.start()
        wait_for(lambda: [attempt.state for attempt in Archive(folder).journal] == ["sent"])
        assert killed(kernel)
    client = Client(KEY, faults.root, folder, budget=Budget(1.0, purse))
    [call] = client.pending()
    client.settle(call, billed=False)
    assert (client.pending(), Budget(1.0, purse).spent, faults.posts()) == ([], 0.0, [])


def die_before(step, *call):
    """Make a call, and die before its `step`-th step at the file system or network."""
    steps = [0]

    def hook(event, _args):
        if event in STEPS:
            steps[0] += 1
            if steps[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    ask(*call)


@pytest.mark.parametrize("fault", ["good", "html_200"])
def test_whenever_a_kernel_dies_what_is_set_aside_belongs_to_a_call_that_is_known(faults, tmp_path, fault):
    """Before each step in turn: no reservation is left of which neither the journal nor the archive knows."""
    for step in range(1, 400):
        folder, purse = tmp_path / f"{step}", tmp_path / f"{step}" / "purse" / "class.json"
        kernel = FORK.Process(target=die_before, args=(step, faults.url(fault), folder, purse))
        kernel.start()
        kernel.join(30)
        client = Client(KEY, faults.root, folder, budget=Budget(1.0, purse), notify=len)
        stored = {attempt.id for attempt in client.archive.journal if attempt.state == "stored"}
        known = stored | {call.id for call in client.pending()}
        assert set(Budget(1.0, purse)._read()) <= known, step
        for call in client.pending():
            client.settle(call, billed=False)
        if kernel.exitcode != -signal.SIGKILL:
            assert step > 10
            return
    pytest.fail("it never passed")
