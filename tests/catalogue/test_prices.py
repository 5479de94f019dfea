"""What a call is expected to cost: never nothing, and never without an end, whatever its unchecked values are."""

from __future__ import annotations

import math

import pytest
from catalogues import painter_with

UNSURE = 'type = "number"\nsure = false\ndefault = 1\n'
BY_NUMBER = painter_with(f"[price_factors]\ncopies = 1\n[fields.copies]\n{UNSURE}")
BY_TEXT = painter_with('[price_factors.size]\n"720" = 1\n"1080" = 3\n[fields.size]\ntype = "string"\nsure = false\n')
BY_TABLE = painter_with(f"[price_factors.copies]\n1 = 1\n2 = 3\n[fields.copies]\n{UNSURE}")
STEEP = painter_with(f"[price_factors]\na = 1e-300\nb = 1e-300\n[fields.a]\n{UNSURE}[fields.b]\n{UNSURE}")


@pytest.mark.parametrize("model", [BY_NUMBER, BY_TABLE], ids=["number", "table"])
@pytest.mark.parametrize(
    "value", [0, -3, 1e308, 5e-324, 1e-200, 10**300, True, [1, 2], {"a": 1}, "", "four", "-4", "1e999", "nan", "0"]
)
def test_an_odd_value_reserves_an_amount(model, value):
    """At least a thousandth of the price, at most a million times it."""
    price = model.price_of(model.request(prompt="Waves", copies=value))
    assert model.price_usd / 1000 <= price <= model.price_usd * 1e6


def test_a_number_that_is_sent_as_text_counts():
    """The service reads it as a number, and so does the budget."""
    for value in (4, 4.0, "4", " 4.0 "):
        assert BY_NUMBER.price_of(BY_NUMBER.request(prompt="Waves", copies=value)) == pytest.approx(0.04)
        assert BY_TABLE.price_of(BY_TABLE.request(prompt="Waves", copies="1")) == pytest.approx(0.01)


def test_a_text_stays_one():
    """Where a parameter is text, so are the values of its table."""
    prices = [BY_TEXT.price_of(BY_TEXT.request(prompt="Waves", size=size)) for size in ("720", "1080", "4k", 720)]
    assert prices == pytest.approx([0.01, 0.03, 0.03, 0.03])


def test_steep_factors_have_an_end():
    """A price that is no number would make the journal unreadable."""
    assert math.isfinite(STEEP.price_of(STEEP.request(prompt="Waves", a=1e300, b=1e300)))
