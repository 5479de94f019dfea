"""The tree of errors: what each one says, survives, and is no kind of."""

from __future__ import annotations

import pickle
import signal
import threading

import pytest
from faults import KEY, FaultServer

import vidu_nb as vidu
from vidu_nb import errors

CAT = "https://example.com/cat.png"
#: One of each, with what makes it special.
MADE = {
    "error": errors.ViduError("the disk is full", remedy="Free disk space."),
    "request": errors.InvalidRequest("seed: must be a number", field="seed"),
    "status": errors.api_error(503, "gone", request_id="r"),
    "unreachable": errors.Unreachable("no such host", transient=True),
    "unknown": errors.OutcomeUnknown("cut off", request_id="r", fetchable=True),
    "call": errors.CallInterrupted("you interrupted the call", remedy="Look.", answer={"status": 200}),
    "sweep": errors.SweepInterrupted("2 of 6 clips", remedy="Run it again."),
    "film": errors.FilmInterrupted("2 of 6 scenes", remedy="Shoot it again."),
}


@pytest.mark.parametrize("name", MADE)
def test_every_error_survives_a_trip_between_processes(name):
    """An error that is pickled comes back with its text, its bill, its advice and all else that it carries."""
    error = MADE[name]
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("name", MADE)
def test_every_error_is_one_line(name):
    """What happened, whether it was billed where that is in question, and what to do next."""
    error = MADE[name]
    assert "\n" not in str(error)
    assert error.message in str(error)
    assert str(error).endswith(error.remedy)


@pytest.mark.parametrize("name", ["call", "sweep", "film"])
def test_an_interrupt_is_nothing_else(name):
    """A loop that goes on after `except Exception` does not go on after Ctrl-C."""
    assert type(MADE[name]).__mro__[-3:] == (KeyboardInterrupt, BaseException, object)
    assert not isinstance(MADE[name], Exception)


def test_an_interrupt_says_what_it_may_cost():
    """A call that had been sent may be billed; a sweep's interrupt speaks of no bill of its own."""
    assert str(MADE["call"]) == "you interrupted the call. May be billed. Look."
    assert (MADE["call"].billed, MADE["call"].answer) == ("unknown", {"status": 200})
    assert str(MADE["sweep"]) == "2 of 6 clips. Run it again."
    assert (MADE["sweep"].billed, MADE["sweep"].sweep) == ("no", None)


def test_ctrl_c_ends_a_loop_that_shrugs_off_errors():
    """The call in flight is told as interrupted and may be billed; the next one of the loop is not paid for."""
    main, ended = threading.main_thread().ident, threading.Event()

    def interrupt():
        server.wait(lambda seen: any(one.reached == "body" for one in seen))
        for _ in range(3):  # a signal just before Python blocks is noticed after it: a person presses again
            signal.pthread_kill(main, signal.SIGINT)
            if ended.wait(1):
                return

    def loop():
        for seed in (1, 2, 3):
            try:
                client.generate(vidu.VideoRequest(prompt="A cat", references=CAT, seed=seed))
            except Exception:
                continue

    with FaultServer() as server:
        client = vidu.Client(KEY, server.url("silence_after_body"), timeout=20, notify=len)
        presser = threading.Thread(target=interrupt)
        presser.start()
        with pytest.raises(errors.CallInterrupted, match="May be billed") as caught:
            loop()
        ended.set()
        presser.join()
        assert len(server.posts()) == 1
    assert caught.value.billed == "unknown"
    assert [one.state for one in client.pending()] == ["unknown"]
