"""Earlier calls that are not closed: whether the same may be sent again, what is listed, and who may close it."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.client.client import Client
from vidu_nb.client.recover import Action, verdict
from vidu_nb.locks import hold


@pytest.fixture
def client(faults):
    """A client of the fault server, whose prompts choose the faults."""
    return Client(KEY, faults.root, timeout=10, notify=len)


def asking(fault="good", **changes):
    return vidu.VideoRequest(
        **{"prompt": f"A cat [fault:{fault}]", "references": "https://example.com/cat.png", **changes}
    )


#: State → what to do while another makes it, where its clip can be had, and otherwise without and with consent.
TABLE = {
    "prepared": (Action.IGNORE, Action.IGNORE, Action.IGNORE, Action.IGNORE),
    "sent": (Action.IGNORE, Action.COLLECT, Action.REFUSE, Action.GO_ON),
    "received": (Action.WAIT, Action.COLLECT, Action.REFUSE, Action.GO_ON),
    "queued": (Action.IGNORE, Action.COLLECT, Action.REFUSE, Action.GO_ON),
    "linked": (Action.WAIT, Action.COLLECT, Action.REFUSE, Action.GO_ON),
    "stored": (Action.IGNORE, Action.IGNORE, Action.IGNORE, Action.IGNORE),
    "not charged": (Action.IGNORE, Action.IGNORE, Action.IGNORE, Action.IGNORE),
    "unknown": (Action.WAIT, Action.COLLECT, Action.REFUSE, Action.GO_ON),
    "settled": (Action.IGNORE, Action.IGNORE, Action.IGNORE, Action.IGNORE),
}


@pytest.mark.parametrize("state", TABLE)
def test_whether_a_request_may_be_sent_again(state):
    """In every situation: it is never sent beside a call that may have been billed, but with consent or for nothing."""
    while_running, fetchable_one, without, with_consent = TABLE[state]
    for fetchable, running, again, free in itertools.product([False, True], repeat=4):
        wanted = with_consent if again or free else without
        wanted = fetchable_one if fetchable else wanted
        wanted = while_running if running else wanted
        situation = {"fetchable": fetchable, "running": running, "again": again, "free": free}
        assert verdict(state, **situation) is wanted, situation


def test_only_a_closed_or_running_call_or_consent_lets_another_through():
    """Said the other way round: without consent and at a price, what goes on was closed, or is another's to finish."""
    for state, running in itertools.product(TABLE, [False, True]):
        action = verdict(state, fetchable=False, running=running, again=False, free=False)
        is_closed = state in ("prepared", "stored", "not charged", "settled")
        assert action in (Action.REFUSE, Action.WAIT) or is_closed or (running and state in ("sent", "queued"))


def test_a_call_that_ends_while_it_is_looked_at_is_not_written_off(client, faults):
    """Another take, in flight when the journal was read, that had its clip when its lock was looked at: it stays."""
    looking = client.archive.lock_path("look")  # which whoever looks at another's lock holds for a moment
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.generate, asking("good_slow", seed=0))
        faults.wait(lambda seen: any(one.reached == "body" for one in seen))
        with hold(looking, timeout=5):
            second = pool.submit(client.generate, asking("good_slow", seed=0))
            until(lambda: any("is_held" in line for line in stacks()))
            first.result(timeout=20)
        second.result(timeout=20)
    assert [attempt.state for attempt in client.archive.journal] == ["stored", "stored"]
    assert len(faults.posts()) == 2


def stacks():
    """Where every thread stands."""
    return ["".join(traceback.format_stack(frame)) for frame in sys._current_frames().values()]


def until(holds):
    pause = threading.Event()
    for _ in range(2000):
        if holds():
            return
        pause.wait(0.01)
    raise TimeoutError


def test_a_new_take_waits_for_the_fetch_of_an_open_one(faults):
    """With seed 0, too: while another kernel's `resume` has an unknown call in hand, nothing is paid for beside it."""
    waits = threading.Event()
    client = Client(KEY, faults.url("link_json"), timeout=5, notify=lambda _: waits.set())
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking(seed=0))
    [attempt] = client.archive.journal
    with ThreadPoolExecutor(1) as pool:
        with hold(client.archive.lock_path(str(attempt.facts["lock"])), timeout=5):
            asked = pool.submit(client.generate, asking(seed=0))
            assert waits.wait(10), "it never waited"
            assert not asked.done()
        assert isinstance(asked.exception(timeout=10), errors.OutcomeUnknown)
    assert len(faults.posts()) == 1


def test_nothing_is_paid_beside_an_unknown_call_that_another_has_in_hand(faults):
    """Another take waits while somebody looks for it, or settles it; then it is as unknown as before."""
    waits = threading.Event()
    client = Client(KEY, faults.root, timeout=10, notify=lambda line: "waiting" in line and waits.set())
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    [attempt] = client.archive.journal
    with ThreadPoolExecutor(1) as pool:
        with hold(client.archive.lock_path(str(attempt.facts["lock"])), timeout=5):
            asked = pool.submit(client.generate, asking("reset_after_body"), fresh=True)
            assert waits.wait(10), "it never waited"
        with pytest.raises(errors.OutcomeUnknown, match="brought no usable answer"):
            asked.result(timeout=20)
    assert len(faults.posts()) == 1


def test_again_pays_where_a_link_is_dead(faults):
    """`again=True` is the explicit consent also for a clip whose URL no longer answers."""
    dead, good = (Client(KEY, url, archive="here", notify=len) for url in (faults.url("link_404"), faults.root))
    for client in (dead, good):
        with pytest.raises(errors.OutcomeUnknown, match="could not be fetched"):
            client.generate(asking())
    assert good.generate(asking(), again=True).bytes[4:8] == b"ftyp"
    assert len(faults.posts()) == 2


def test_settle_closes_an_unknown_call(client, faults):
    """After a look at the bill a person closes the call; the same request may be made again."""
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    [one] = client.pending()
    client.settle(one, billed=False)
    assert client.pending() == []
    with pytest.raises(errors.InvalidRequest, match="not an open call"):
        client.settle(one, billed=False)
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    assert len(faults.posts()) == 2


def test_a_call_is_pending_though_the_locks_are_gone(client):
    """Somebody who tidies up the archive's locks hides no call."""
    with pytest.raises(errors.OutcomeUnknown):
        client.generate(asking("reset_after_body"))
    shutil.rmtree(client.archive.folder / "locks")
    assert [call.state for call in client.pending()] == ["unknown"]
