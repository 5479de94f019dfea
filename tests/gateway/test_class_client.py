"""A class's gateway as its people's own client meets it: replays, budgets, and what is told of both."""

from __future__ import annotations

import socket

import pytest
from classrooms import classroom
from faults import FaultServer
from panels import WAIT, wait_until

import vidu_nb as vidu
from vidu_nb.client.estimates import Estimate, recent_receipts

SHARED = "somebody in your class has made this: $0.00"


@pytest.fixture
def faults():
    with FaultServer() as running:
        yield running


@pytest.fixture
def school(tmp_path, faults):
    with classroom(tmp_path, faults) as running:
        yield running


@pytest.fixture
def client_of(school, tmp_path):
    return lambda who, mode="auto": vidu.Client(
        school.tokens[who], school.url, archive=tmp_path / f"archive-of-{who}", mode=mode
    )


@pytest.mark.parametrize("mode", ["queue", "sync"])
def test_what_somebody_else_paid_for_is_told_as_such_and_is_ones_own(faults, client_of, photo, mode):
    """It costs nothing, the receipt says why, and from then on it replays without the gateway."""
    wanted = vidu.VideoRequest(prompt="A wall", references=photo, seed=3)
    assert client_of("anna", mode).generate(wanted).receipt.cost_label == "$0.50"
    ben = client_of("ben", mode)
    shared = ben.generate(wanted)
    assert (shared.receipt.shared, shared.receipt.cost_usd, shared.receipt.cost_label) == (True, 0.0, SHARED)
    assert SHARED in shared.caption
    assert shared.receipt.credits_remaining == 2.0
    again = ben.generate(wanted, offline=True)
    assert (again.receipt.cost_label, again.receipt.original.shared) == ("replayed, $0.00", True)
    assert faults.billed() == 1


@pytest.mark.parametrize("mode", ["queue", "sync"])
def test_an_estimate_never_says_free(client_of, photo, mode):
    """What others have paid for teaches nothing about what one's own next clip costs, or how long it takes."""
    wanted = vidu.VideoRequest(prompt="A wall", references=photo, seed=3)
    client_of("anna").generate(wanted)
    ben = client_of("ben", mode)
    ben.generate(wanted)
    estimate = Estimate(0.5)
    estimate.learn(recent_receipts(ben.archive, ben.engine, ben.model))
    assert (estimate.price_usd(ben.engine), estimate.seconds(ben.engine)) == (0.5, Estimate(0.5).seconds(ben.engine))
    panel = vidu.panel("Another wall", photo, client=ben)
    assert panel._service.price_usd(panel.model, panel.request) == 0.5
    with pytest.raises(vidu.errors.ConfirmationNeeded, match=r"would cost about \$1.00"):
        vidu.sweep("Another wall", photo, seed=[1, 2], client=ben)


def test_without_money_the_error_says_what_is_left_and_whom_to_ask(school, faults, client_of, photo):
    """Nothing is sent upstream, nothing was billed, and what the class has paid for is still there."""
    wanted = vidu.VideoRequest(prompt="A wall", references=photo, seed=3)
    client_of("anna").generate(wanted)
    school.people(name="ben", usd=0.25)
    with pytest.raises(vidu.errors.InsufficientCredits) as caught:
        client_of("ben").generate(wanted.replace(prompt="Another wall"))
    assert caught.value.billed == "no"
    assert "$0.50" in caught.value.message
    assert "$0.25 of $0.25 is left; ask your teacher for more" in caught.value.message
    assert "Previews are free" in str(caught.value)
    assert client_of("ben").generate(wanted).receipt.shared
    assert faults.billed() == 1


def test_a_panel_tells_what_is_left_before_the_first_call(client_of, photo):
    """The budget is asked for in the background, and stands below the buttons."""
    panel = vidu.panel("A wall", photo, client=client_of("anna"))
    wait_until(panel, "_offer", lambda offer: "$2.00" in offer["reason"])


def test_a_panel_waits_for_no_balance(photo):
    """It is there at once where a service takes the question and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = vidu.Client("a-key", f"http://127.0.0.1:{silent.getsockname()[1]}")
        panel = vidu.panel("A wall", photo, client=client)
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(WAIT)
            assert connection.recv(4096).startswith(b"GET /v1/get-user-credits")
            assert panel._offer["reason"] == ""


def test_a_balance_that_is_refused_breaks_no_panel(school, photo):
    """A wrong token is told at the first call, as ever; the panel says nothing of it before."""
    panel = vidu.panel("A wall", photo, client=vidu.Client("a-token-that-nobody-has", school.url))
    with pytest.raises(vidu.errors.Unauthorized, match="ask your teacher"):
        panel.generate()
    assert panel._offer["reason"] == ""


def test_the_balance_reads_well_on_the_command_line(school, command, monkeypatch):
    """One amount, without words of an account that a person in a class doesn't have."""
    monkeypatch.setenv("SEGMIND_BASE_URL", school.url)
    monkeypatch.setenv("SEGMIND_API_KEY", school.tokens["anna"])
    assert command("credits") == (0, "$2.00 left\n", "")
