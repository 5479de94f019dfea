"""A budget is never exceeded, however many threads and processes share it. The server's count is the truth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from common import ROOT
from faults import KEY, PRICE_USD, FaultServer, spawn

import vidu_nb as vidu
from vidu_nb.storage.budget import Budget

CAT = "https://example.com/cat.png"

#: Calls of one sweep in five end in a way that leaves the bill open, or that costs nothing.
FAULTS = ("good", "good", "reset_after_body", "good", "status_400")


def prompts(name, many):
    """Prompts that are answered in every way."""
    return [f"{name} {number} [fault:{FAULTS[number % len(FAULTS)]}]" for number in range(many)]


def test_64_threads_never_exceed_a_budget():
    """Each reserves before it asks, and calls of unknown outcome count in full."""
    with FaultServer() as server:
        client = vidu.Client(KEY, server.root, price_usd=PRICE_USD, timeout=20, notify=len)
        swept = vidu.sweep(prompts("A", 90), CAT, client=client, budget_usd=6, confirm=True, max_workers=64)
        assert 8 <= server.billed() <= 12
        assert server.billed() * PRICE_USD <= swept.budget.spent == swept.spent_usd <= 6
    assert "of $6.00 is left" in swept.stopped or "in a row" in swept.stopped
    assert len(swept.videos) == sum(one.receipt is not None for one in swept)


def test_4_processes_with_16_threads_each_never_exceed_a_shared_budget(tmp_path):
    """One file is the purse of all; what they spent together stays within it."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1].split(':')\n"
        "import vidu_nb as vidu; from test_sweep_budget import *\n"
        "client = vidu.Client(KEY, sys.argv[2], archive=sys.argv[3], price_usd=PRICE_USD, timeout=20, notify=len)\n"
        "swept = vidu.sweep(prompts(sys.argv[5], 40), CAT, client=client, budget_usd=Budget(8, sys.argv[4]),\n"
        "                   confirm=True, max_workers=16)\n"
        "print(swept.spent_usd)\n"
    )
    here, purse = f"{Path(__file__).parent}:{ROOT / 'tests'}", tmp_path / "purse.json"
    with spawn(tmp_path / "truth.jsonl") as server:
        command = [sys.executable, "-c", code, here, server.root, str(tmp_path / "kept"), str(purse)]
        runs = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ABCD"]
        told = [float(run.communicate(timeout=90)[0]) for run in runs]
        billed = server.billed()
    assert [run.returncode for run in runs] == [0] * 4
    assert 8 <= billed <= 16
    assert billed * PRICE_USD <= sum(told) == Budget(8, purse).spent <= 8


def test_an_interrupted_sweep_goes_on_within_the_same_total():
    """A number is the limit of the plan, not of one run of it; another plan has a purse of its own."""
    with FaultServer() as server:
        client = vidu.Client(KEY, server.root, price_usd=PRICE_USD, notify=len)
        first = vidu.sweep("A cat", CAT, seed=range(1, 9), client=client, budget_usd=1, max_workers=2)
        again = vidu.sweep("A cat", CAT, seed=range(1, 9), client=client, budget_usd=1, max_workers=2)
        assert [len(first.videos), len(again.videos), server.billed()] == [2, 2, 2]
        more = vidu.sweep("A cat", CAT, seed=range(1, 9), client=client, budget_usd=2, confirm=True)
        assert [len(more.videos), server.billed()] == [4, 4]
        vidu.sweep("A dog", CAT, seed=range(1, 9), client=client, budget_usd=1)
        assert server.billed() == 6


def test_a_settled_call_gives_its_reservation_back_to_the_sweep(faults):
    """The plan's own purse, though the client that closes the call knows nothing of it; a billed one stays counted."""
    client = vidu.Client(KEY, faults.root, price_usd=PRICE_USD, notify=len)
    lost = ["A [fault:reset_after_body]", "B [fault:reset_after_body]"]
    first = vidu.sweep(lost, CAT, client=client, budget_usd=1)
    assert [first.budget.left, len(first.failed)] == [0, 2]
    for call in client.pending():
        client.settle(call, billed=call.prompt.startswith("B"))
    assert Budget(1, first.budget.file).left == PRICE_USD


@pytest.mark.parametrize(("client_usd", "sweep_usd", "made"), [(1, 5, 2), (5, 1, 2), (1.2, 0.6, 1)])
def test_a_sweep_asks_every_budget_that_applies(faults, tmp_path, client_usd, sweep_usd, made):
    """The client's own and the sweep's: the smaller one ends it, and both are told what was spent."""
    ours, theirs = Budget(client_usd, tmp_path / "class.json"), Budget(sweep_usd, tmp_path / "sweep.json")
    client = vidu.Client(KEY, faults.root, price_usd=PRICE_USD, budget=ours, notify=len)
    swept = vidu.sweep("A cat", CAT, seed=range(1, 7), client=client, budget_usd=theirs, confirm=True)
    assert [len(swept.videos), faults.billed()] == [made, made]
    assert ours.spent == theirs.spent == made * PRICE_USD
    assert "is left" in swept.stopped


def test_a_call_that_one_budget_refuses_takes_nothing_from_another(faults, tmp_path):
    """What was set aside before the refusal is given back; a file that is named twice is asked once."""
    ours, small = Budget(2, tmp_path / "class.json"), Budget(0.1, tmp_path / "small.json")
    client = vidu.Client(KEY, faults.root, price_usd=PRICE_USD, budget=ours, notify=len)
    request = vidu.VideoRequest(prompt="A cat", references=CAT)
    with pytest.raises(vidu.errors.BudgetExceeded):
        client.sibling(budget=small).generate(request)
    assert (ours.spent, small.spent, faults.billed()) == (0, 0, 0)
    client.sibling(budget=Budget(2, ours.file)).generate(request)
    assert ours.spent == PRICE_USD


def test_a_damaged_purse_stops_no_call(faults, tmp_path):
    """One that can't be read is passed over, and stays as it is."""
    purse = tmp_path / "archive" / "budgets" / "0123456789abcdef.json"
    purse.parent.mkdir(parents=True)
    purse.write_text("{torn")
    client = vidu.Client(KEY, faults.root, price_usd=PRICE_USD, notify=len)
    assert client.generate(vidu.VideoRequest(prompt="A cat", references=CAT)).receipt.cost_usd == PRICE_USD
    assert purse.read_text() == "{torn"


def test_what_is_kept_is_shown_though_the_budget_is_used_up():
    """Replays come first and cost nothing."""
    with FaultServer() as server:
        client = vidu.Client(KEY, server.root, price_usd=PRICE_USD, notify=len)
        client.generate(vidu.VideoRequest(prompt="A cat", references=CAT, seed=7))
        swept = vidu.sweep("A cat", CAT, seed=range(1, 9), client=client, budget_usd=0)
        assert [one.request.seed for one in swept] == [7]
        assert server.billed() == 1
        assert swept.failed == []
        with pytest.raises(vidu.errors.NotKept, match="seed 1 was not asked for"):
            swept.at(seed=1)
