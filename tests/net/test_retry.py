"""The retry rule, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from vidu_nb.errors import api_error
from vidu_nb.net.retry import CONNECT_TRIES, MAX_WAIT, RATE_LIMIT_TRIES, Decision, asked_wait, decide

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STATUSES = [*range(100, 104), 204, *range(300, 309), *range(400, 432), 451, *range(500, 512), 520, 524, 599]


@pytest.mark.parametrize("tries", range(1, 5))
def test_what_was_not_sent_is_tried_three_times(tries):
    """A trouble that may pass is retried with growing waits, three tries in all; another one is not."""
    expected = Decision("yes", 0.5 * 2 ** (tries - 1)) if tries < CONNECT_TRIES else Decision("no")
    assert decide(sent=False, transient=True, tries=tries, jitter=0) == expected
    assert decide(sent=False, transient=False, tries=tries) == Decision("no")


def test_no_answer_after_sending_is_unknown():
    """Anything after a byte may have left is a person's decision, whatever the number of tries."""
    for tries in range(1, 10):
        assert decide(sent=True, transient=True, tries=tries) == Decision("unknown")


@pytest.mark.parametrize("status", STATUSES)
def test_only_429_is_ever_sent_again(status):
    """No other status is repeated, and the rule agrees with the error about what may have been billed."""
    decision = decide(sent=True, status=status, tries=1)
    assert (decision.again == "yes") == (status == 429)
    assert (decision.again == "unknown") == (api_error(status, "").billed == "unknown")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"retry-after": format_datetime(NOW - timedelta(hours=1), usegmt=True)}, 0.0),
        ({"x-rate-limit-reset-at-utc": "2026-01-02T03:04:15Z"}, 10.0),
        ({"x-rate-limit-reset-at-utc": "2026-01-02 03:04:15"}, 10.0),
        ({"x-rate-limit-reset-at-utc": "2026-01-02T04:04:15+01:00"}, 10.0),
        ({"x-rate-limit-reset-at-utc": str(NOW.timestamp() + 20)}, 20.0),
        ({"retry-after": "soon", "x-rate-limit-reset-at-utc": "2026-01-02T03:04:15Z"}, 10.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_how_long_a_429_asks_to_wait(headers, seconds):
    """Seconds or a date, in either header, in any zone; nonsense counts as no word."""
    assert asked_wait(headers, now=NOW) == pytest.approx(seconds)


def test_a_429_without_a_word_waits_longer_each_time_and_ends():
    """2, 4, 8, ... seconds, with up to a quarter of jitter, and after six tries it is the person's turn."""
    waits = [decide(sent=True, status=429, tries=tries, jitter=0).after_s for tries in range(1, RATE_LIMIT_TRIES)]
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert decide(sent=True, status=429, tries=RATE_LIMIT_TRIES) == Decision("no")
    assert 2.0 <= decide(sent=True, status=429).after_s <= 2.5


@pytest.mark.parametrize("text", ["1e9", "99999999", str(MAX_WAIT + 1)])
def test_an_absurd_wait_is_not_waited_for(text):
    """Who is told to wait for longer than two minutes gets the error instead."""
    assert decide(sent=True, status=429, headers={"retry-after": text}, now=NOW) == Decision("no")
