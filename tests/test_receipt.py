"""Receipts: what a preview's says of its engine, and what is made of odd values."""

from __future__ import annotations

import pytest

from vidu_nb.receipt import Receipt

CALL = {"model": "m", "elapsed_s": 1.0, "sha256": "ab"}


@pytest.mark.parametrize(
    ("sent", "version"), [("2", 2), ("0", 0), (None, None), ("", None), ("two", None), ("2.5", None), ("inf", None)]
)
def test_a_preview_s_receipt_holds_the_version_of_its_engine(sent, version):
    """A whole number, or unknown; it outlives the way through a file."""
    headers = {} if sent is None else {"x-vidu-engine-version": sent}
    receipt = Receipt.from_headers(headers, engine="preview", **CALL)
    assert receipt.engine_version == version
    assert Receipt.from_dict(receipt.to_dict()) == receipt


def test_other_services_have_no_such_version():
    """Whatever they send, only the preview engine follows a plan of ours."""
    assert Receipt.from_headers({"x-vidu-engine-version": "2"}, engine="segmind", **CALL).engine_version is None


@pytest.mark.parametrize("odd", ["two", [], {}, 2.5, -1, float("nan"), None])
def test_an_odd_version_in_a_file_is_unknown(odd):
    """A receipt is worth reading without it; those of version 0.1 have none."""
    assert Receipt.from_dict({"engine": "preview", "seed": 7, "engine_version": odd}).engine_version is None
    assert Receipt.from_dict({"engine": "preview", "seed": 7}).engine_version is None


def test_a_model_that_takes_many_pictures_may_miss_any_of_them():
    """The numbers go as far as a request's pictures do."""
    told = {"engine": "preview", "pictures_missing": [2, 9, 100]}
    assert Receipt.from_dict(told).missing_label == "pictures 2, 9 and 100 not fetched"
    assert Receipt.from_dict({**told, "pictures_missing": [101]}).pictures_missing == ()
