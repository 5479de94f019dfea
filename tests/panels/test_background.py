"""A call in the background: it ends when its work has ended, and its clock harms nothing."""

from __future__ import annotations

import threading

import pytest
from panels import WAIT

from vidu_nb.panels.background import BackgroundCall

pytestmark = pytest.mark.usefixtures("small_frames")


def test_a_clock_that_stumbles_ends_no_call():
    """The call ends when its work has ended, not when reporting on it failed, and the clock goes on."""
    ticks, ticked, done = [], threading.Event(), []

    def tick(elapsed):
        ticks.append(elapsed)
        if len(ticks) == 2:
            ticked.set()
        raise LookupError("no front end")

    def work():
        assert ticked.wait(WAIT)
        return "the clip"

    call = BackgroundCall(work, tick=tick, done=lambda call: done.append(call.made))
    call.start()
    assert call.wait(WAIT)
    assert call.result() == "the clip"
    assert done == ["the clip"]
    assert 0 < ticks[0] < ticks[1]


def test_an_error_of_the_work_is_raised_where_the_call_is_waited_for():
    """Whatever the work raises, `done` hears of it and `result` raises it."""

    def work():
        raise KeyboardInterrupt

    done = []
    call = BackgroundCall(work, tick=print, done=lambda call: done.append(type(call.error)))
    call.start()
    assert call.wait(WAIT)
    assert done == [KeyboardInterrupt]
    with pytest.raises(KeyboardInterrupt):
        call.result()
