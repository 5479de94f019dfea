"""A plan is known in full before anything runs: its order, its length, its price, and what is kept of it."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
import tracemalloc

import numpy as np
import pytest
from faults import FaultServer

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.request import VideoRequest
from vidu_nb.storage.archive import folder_name

CAT, DOG = "https://example.com/cat.png", "https://example.com/dog.png"


@pytest.fixture
def client():
    """A client of a service that nobody asks anything."""
    return vidu.Client("SG_not-a-real-key", "http://127.0.0.1:9", price_usd=0.5)


def test_the_order_is_that_of_a_nested_loop():
    """Parameters stand in the request's order, and the rightmost swept one changes fastest."""
    plan = vidu.Plan.of("A cat", CAT, bgm=[True, False], seed=[3, 1], aspect_ratio=["9:16", "16:9"])
    expected = list(itertools.product(["9:16", "16:9"], [3, 1], [True, False]))
    assert [(one.aspect_ratio, one.seed, one.bgm) for one in plan] == expected
    assert list(plan.axes) == ["aspect_ratio", "seed", "bgm"]
    assert (len(plan), plan[-1]) == (8, plan[7])


@pytest.mark.parametrize(
    ("references", "sets"),
    [(CAT, 1), ([CAT, DOG], 1), ([[CAT], [DOG]], 2), ([[CAT, DOG], DOG], 2), (((CAT,), (DOG,), (DOG, CAT)), 3)],
)
def test_a_list_of_lists_sweeps_over_sets_of_pictures(references, sets):
    """One source and a flat list are one set, as everywhere; lists inside a list are many."""
    plan = vidu.Plan.of("A cat", references)
    assert len(plan) == sets
    assert len(plan[0].references) == len(plan.parameters["references"][0])


@pytest.mark.parametrize("seeds", [range(1, 4), (1, 2, 3), np.arange(1, 4), (n for n in (1, 2, 3))])
def test_many_values_come_in_any_ordered_form(seeds):
    """Ranges, tuples, arrays and generators are lists, too."""
    assert [one.seed for one in vidu.Plan.of("A cat", CAT, seed=seeds)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("seed", [1, 1_000_000], "1000000 is out of range"),
        ("seed", [1, True], "not a whole number"),
        ("seed", [], "the list is empty"),
        ("seed", [4, 5, 4], "4 is given twice"),
        ("seed", {1, 2}, "a set has no order"),
        ("aspect_ratio", ["16:9", "4:3"], "'4:3' is not one of"),
        ("prompt", ["A cat", " "], "is empty"),
        ("prompt", ["A cat", "A cat "], "given twice"),
        ("duration", [5, 7], "7 is not offered"),
        ("bgm", [True, "yes"], "not True or False"),
        ("references", [[CAT], ["nowhere.png"]], "there is no file"),
        ("references", [[CAT], []], "is empty"),
    ],
)
def test_a_bad_value_fails_at_once_and_is_named(field, value, word):
    """Wherever it stands in its list: no sweep gets half-way before it finds out."""
    with pytest.raises(InvalidRequest, match=word) as caught:
        vidu.Plan.of(**{"prompt": "A cat", "references": CAT, field: value})
    assert caught.value.field.startswith(field)


def test_a_plan_of_more_than_a_million_is_refused():
    """A slip of the hand is told before memory is spent on it."""
    with pytest.raises(InvalidRequest, match="2,000,000 requests: at most 1,000,000"):
        vidu.Plan.of([f"Cat {n}" for n in range(20)], CAT, seed=range(1, 100_001))


def test_a_published_list_without_10_seconds_is_warned_of_once():
    """As `VideoRequest` warns: once for the plan, and not again for each request in it."""
    with pytest.warns(UserWarning, match="published list") as told:
        plan = vidu.Plan.of("A cat", CAT, duration=[5, 10], seed=[1, 2, 3])
    assert [one.duration for one in plan] == [5, 5, 5, 10, 10, 10]
    assert len(told) == 1


@pytest.mark.parametrize("wanted", [{"seed": 2}, {"seed": 2, "references": 7}, {"seed": 9, "references": 0}, {"x": 1}])
def test_a_position_needs_every_swept_parameter_and_a_known_value(wanted):
    """What is missing or unknown is told by name."""
    plan = vidu.Plan.of("A cat", [[CAT], [DOG]], seed=[1, 2, 3])
    with pytest.raises(InvalidRequest):
        plan.position(**wanted)
    assert plan.position(seed=2, references=1) == 4


def test_a_plan_is_a_value():
    """Plans of the same requests are equal, hash alike, and can't be changed."""
    one, same, other = (vidu.Plan.of("A cat", CAT, seed=seeds) for seeds in ([1, 2], (1, 2), [2, 1]))
    assert one == same != other
    assert len({one, same, other}) == 2
    with pytest.raises(AttributeError):
        one.parameters = {}


def test_what_is_kept_is_not_priced():
    """The archive's clips cost nothing; what was refused, of unknown outcome or random costs what it did."""
    with FaultServer() as server:
        client = vidu.Client("SG_not-a-real-key", server.root, price_usd=0.5, notify=len)
        plan = vidu.Plan.of(["A cat", "A [fault:status_400] cat", "A dog"], CAT, seed=[0, 1, 2], bgm=[True, False])
        for index in (2, 3, 4, 12):
            client.generate(plan[index])
        with pytest.raises(vidu.errors.BadRequest):
            client.generate(plan[8])
        client.generate(plan[0])  # seed 0
        priced = plan.priced(client, workers=9)
        assert priced.quote.kept == {2, 3, 4}
        assert (priced.kept, priced.price_usd) == (3, 7.5)
        assert priced == plan
        assert "18 requests · 3 cached · 15 to make" in repr(priced)


def test_what_is_kept_is_what_the_client_would_replay(client):
    """The quick look at names agrees with a key for each request, over plans of every shape."""
    dice = random.Random(1)
    for _ in range(20):
        plan = vidu.Plan.of(
            ["A cat", "Ein Bär", "犬"][: dice.randint(1, 3)], [[CAT], [DOG], [CAT, DOG]][: dice.randint(1, 3)],
            seed=range(dice.randint(1, 3)), bgm=[True, False][: dice.randint(1, 2)], aspect_ratio=["1:1", "9:16"],
        )  # fmt: skip
        kept = {index for index in range(len(plan)) if dice.random() < 0.4}
        names = [
            f"a-cat_{one.aspect_ratio.replace(':', 'x')}_seed{one.seed}_"
            f"{one.key(engine=client.engine, model=client.model)[:8]}{dice.choice(['', '_take2'])}.json"
            for one in (plan[index] for index in kept)
        ]
        folder = client.archive.folder / folder_name(client.engine)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
        assert plan.priced(client).quote.kept == {index for index in kept if plan[index].seed}


def test_a_plan_of_100_000_takes_little_memory_and_one_page(client):
    """No request is made before it is asked for, and a repr is for reading."""
    tracemalloc.start()
    try:
        plan = vidu.Plan.of([f"Cat {n}" for n in range(100)], CAT, seed=range(1, 1001)).priced(client)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6
    assert (len(plan), plan.price_usd) == (100_000, 50_000.0)
    assert "… and 99,996 more" in repr(plan)
    bundle = plan._repr_mimebundle_()
    assert len(repr(plan).splitlines()) < 30
    assert len(bundle["text/html"]) < 5000


def test_a_plan_makes_no_thread_and_sends_nothing(client):
    """Planning and pricing only look at the archive's folder."""
    before = threading.active_count()
    assert vidu.Plan.of("A cat", CAT, seed=[1, 2, 3]).priced(client).price_usd == 1.5
    assert threading.active_count() == before
    assert not client.archive.folder.exists()


def test_a_request_of_a_plan_is_as_if_made_by_hand(photo):
    """With real pictures, too."""
    plan = vidu.Plan.of("A cat", photo, seed=[1, 2])
    assert plan[1] == VideoRequest(prompt="A cat", references=photo, seed=2)
