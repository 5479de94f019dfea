"""The account's balance: its two parts, and what one may do with their sum."""

from __future__ import annotations

import pytest
from faults import KEY

import vidu_nb as vidu
from vidu_nb.client.client import Client
from vidu_nb.errors import ViduError


def test_a_balance_compares_and_prints_like_its_total():
    """With numbers and with another balance; `float` gives the total for everything else."""
    balance = vidu.Credits(2.0, 0.5)
    assert (balance.paid, balance.free, balance.total, float(balance)) == (2.0, 0.5, 2.5, 2.5)
    assert 2 < balance <= 2.5 < vidu.Credits(3.0)
    assert balance == 2.5 == vidu.Credits(2.5)
    assert len({balance, vidu.Credits(2.5), 2.5}) == 1
    assert f"{balance:.2f} of {balance}" == "2.50 of Credits(2.50 USD: 2.00 paid, 0.50 free)"
    assert min(vidu.Credits(3.0), balance, vidu.Credits(0.0)) == 0
    assert balance != "2.5"


def test_a_balance_never_changes():
    """What was reported is a value."""
    with pytest.raises(AttributeError):
        vidu.Credits(2.0).paid = 3.0


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b'{"credits": 3, "free-credits": 0.5}', (3.0, 0.5)),
        (b'{"credits": "3.25"}', (3.25, 0.0)),
        (b'{"free-credits": 1, "credits": null}', (0.0, 1.0)),
    ],
)
def test_both_parts_of_a_balance_are_read(web, body, parts):
    """The service's names, as numbers or as text; a part that is missing is none."""
    web.pages["/v1/get-user-credits"] = body
    balance = Client(KEY, web.url("")).credits()
    assert (balance.paid, balance.free) == parts


@pytest.mark.parametrize("body", [b'{"left": "enough"}', b"[]", b"", b'{"credits": "NaN"}'])
def test_a_balance_that_names_no_credits_is_no_balance(web, body):
    """The error says where to look."""
    web.pages["/v1/get-user-credits"] = body
    with pytest.raises(ViduError, match=r"names no credits.*Segmind console"):
        Client(KEY, web.url("")).credits()
