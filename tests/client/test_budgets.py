"""A client's budgets: asked before each call, right whenever the process dies, and corrected by what a call cost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading

import pytest
from faults import KEY
from torture import STEPS

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.locks import hold
from vidu_nb.storage.archive import Archive
from vidu_nb.storage.budget import Budget

FORK = multiprocessing.get_context("fork")
CAT = "https://example.com/cat.png"


def asking(fault="good", **changes):
    return vidu.VideoRequest(**{"prompt": f"A cat [fault:{fault}]", "references": CAT, **changes})


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
