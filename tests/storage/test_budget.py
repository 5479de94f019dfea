"""A budget's file: shared by whatever name, believed only where it makes sense."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from vidu_nb.errors import ArchiveError, BudgetExceeded, InvalidRequest
from vidu_nb.storage.budget import Budget


def test_one_file_is_one_budget_by_any_name(tmp_path, monkeypatch):
    """A link to the file, and a way around, spend from the same purse."""
    purse = Budget(1.0, tmp_path / "class.json")
    purse.reserve("call-1", 0.25)
    (tmp_path / "link.json").symlink_to(purse.file)
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("link.json", "sub/../class.json", Path("./class.json")), 2):
        Path("sub").mkdir(exist_ok=True)
        Budget(1.0, name).reserve(f"call-{number}", 0.25)
    assert purse.left == 0
    assert Path("link.json").is_symlink()
    with pytest.raises(BudgetExceeded):
        Budget(1.0, "link.json").reserve("call-5", 0.25)


@pytest.mark.parametrize(
    "amount", [math.nan, -5, math.inf, "much", None, [1], 10**400], ids=lambda value: repr(value)[:9]
)
def test_an_amount_that_can_be_none_spends_nothing(tmp_path, amount):
    """Neither a negative amount nor one that compares with nothing makes more out of a budget."""
    file = tmp_path / "class.json"
    file.write_text(json.dumps({"limit_usd": 1, "amounts": {"call-1": amount}}))
    with pytest.raises(ArchiveError, match=r"class\.json can't be read"):
        Budget(1.0, file).reserve("call-2", 0.5)


@pytest.mark.parametrize("limit", [-1, math.nan, math.inf, True, "1", None])
def test_a_limit_that_is_no_amount_is_refused(tmp_path, limit):
    """Before anything is written."""
    with pytest.raises(InvalidRequest, match="budget_usd"):
        Budget(limit, tmp_path / "class.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_budgets_holds_nothing_else(tmp_path):
    """What is no budget, and what is a link to somewhere else, is passed over."""
    Budget(1.0, tmp_path / "budgets" / "one.json").reserve("call-1", 0.5)
    outside = Budget(2.0, tmp_path / "outside.json")
    outside.reserve("call-1", 0.5)
    (tmp_path / "budgets" / "link.json").symlink_to(outside.file)
    (tmp_path / "budgets" / "bad.json").write_text('{"limit_usd": NaN}')
    for number, text in enumerate(("[]", "{", "[" * 100_000, '{"limit_usd": 1' + "0" * 400 + "}", "\xff")):
        (tmp_path / "budgets" / f"{number}.json").write_text(text)
    assert [one.limit_usd for one in Budget.kept_in(tmp_path / "budgets")] == [1.0]
