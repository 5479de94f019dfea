"""A cast in a sweep: each prompt takes its own pictures, and people read the words that they wrote."""

from __future__ import annotations

import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb.errors import ConfirmationNeeded, InvalidRequest

pytestmark = pytest.mark.usefixtures("small_frames")

SEA = "https://example.com/sea.png"


def wall(colour):
    return Image.new("RGB", (160, 160), colour)


@pytest.fixture
def cast():
    return vidu.Cast(anna=wall("navy"), ben=[wall("tan"), wall("red")])


def test_each_prompt_takes_its_own_pictures(cast):
    """Requests are as if made one by one; axes, labels and places hold the prompts as they were written."""
    prompts = ["@anna waves ", "@ben and @anna wave"]
    plan = vidu.Plan.of(prompts, cast, seed=[1, 2])
    by_hand = [vidu.VideoRequest(prompt=prompt, references=cast, seed=seed) for prompt in prompts for seed in (1, 2)]
    assert list(plan) == by_hand == [plan.unchecked(index) for index in range(4)]
    assert [len(one.references) for one in plan] == [1, 1, 3, 3]
    assert plan.axes == {"prompt": ("@anna waves", "@ben and @anna wave"), "seed": (1, 2)}
    assert plan.label(2) == "@ben and @anna wave · seed 1"
    assert plan.position(prompt="@ben and @anna wave", seed=2) == 3
    assert plan.facts()["axes"]["prompt"] == ["@anna waves", "@ben and @anna wave"]
    assert "@anna waves" in plan._repr_mimebundle_()["text/html"]


def test_a_cast_may_stand_beside_pictures_and_in_several_sets(cast):
    """A list is one set, with casts and pictures in it; a list of lists sweeps over sets, such as two looks."""
    plan = vidu.Plan.of("@anna waves", [[cast, SEA], vidu.Cast(anna=wall("pink")), [cast["ben"][0]]], seed=7)
    assert [len(one.references) for one in plan] == [2, 1, 1]
    assert [one.prompt for one in plan] == ["anna (image 1) waves", "anna (image 1) waves", "@anna waves"]
    assert plan.label(0) == "anna, ben, sea.png"
    assert plan.position(references=1) == 1
    one = vidu.Plan.of("@anna in the @cafe", [cast, vidu.Cast(cafe=wall("gold"))])
    assert (len(one), [picture.name for picture in one[0].references]) == (1, ["anna", "cafe"])


@pytest.mark.parametrize(
    ("prompts", "references", "problem"),
    [
        (["@anna", "@carl"], ["cast"], "@carl: nobody in the cast"),
        (["@anna", "A wave"], ["cast"], "mentions nobody of the cast"),
        (["@anna", "@ben"], [["cast"], ["other"]], "@ben: nobody in the cast"),
        (["@anna", "@anna" + "." * 1490], ["cast"], "become 1,504"),
        (["@anna", "@ANNA", "@anna"], ["cast"], "given twice"),
        (["@anna"], ["cast", "missing.png"], r"references\[1\]: there is no file"),
        (["@anna", 7], ["cast"], "7 is not text"),
    ],
)
def test_every_prompt_is_checked_with_every_set_before_anything_runs(cast, prompts, references, problem):
    """Whoever is missing in any combination is named when the plan is made."""
    known = {"cast": cast, "other": vidu.Cast(anna=wall("pink"))}

    def filled(sources):
        return [filled(one) if isinstance(one, list) else known.get(one, one) for one in sources]

    with pytest.raises(InvalidRequest, match=problem):
        vidu.Plan.of(prompts, filled(references))


def test_other_models_take_a_cast_or_say_why_not(cast):
    """A model with a list of pictures has its own words; one with single pictures wants them by name in a sweep."""
    plan = vidu.Plan.of(["@anna waves", "@ben"], cast, model="wan2.7-r2v")
    assert [one.prompt for one in plan] == ["Image1 waves", "Image1, Image2"]
    with pytest.raises(InvalidRequest, match=r"takes single pictures: .*image=cast\['anna'\]\[0\]"):
        vidu.Plan.of("@anna in oil", cast, model="sdxl-img2img", strength=[0.3, 0.6])


def test_the_same_requests_have_the_same_name(cast):
    """A sweep's budget goes by what is asked for: who else is in the cast does not count, another picture does."""
    client = vidu.Client.preview()
    digest = vidu.Plan.of(["@anna waves", "@anna runs"], cast).digest(client)
    assert vidu.Plan.of(["@anna waves", "@anna runs"], cast.without("ben")).digest(client) == digest
    assert vidu.Plan.of(["@anna waves", "@anna runs"], cast.replace(anna=wall("pink"))).digest(client) != digest
    assert vidu.Plan.of(["@anna waves", "@anna walks"], cast).digest(client) != digest


def test_a_paid_sweep_of_a_cast_is_priced_kept_and_found(paid, cast):
    """What is kept costs nothing, also where it was made one by one; results are found by the words as written."""
    prompts = ["@anna waves", "@ben waves"]
    client = vidu.Client.from_env()
    vidu.generate("@anna waves", cast, seed=2)
    plan = vidu.Plan.of(prompts, cast, seed=[1, 2]).priced(client)
    assert (plan.kept, plan.price_usd, plan.quote.kept) == (1, 1.5, {1})
    with pytest.raises(ConfirmationNeeded):
        vidu.sweep(prompts, cast, seed=[1, 2])
    grid = vidu.sweep(prompts, cast, seed=[1, 2], budget_usd=2, confirm=True)
    assert len(grid.videos) == 4
    assert len(paid.posts()) == 4
    assert grid.at(prompt="@ben waves", seed=1).request.prompt == "ben (image 1, image 2) waves"
    assert [row["prompt"] for row in grid.rows()] == ["@anna waves"] * 2 + ["@ben waves"] * 2
    assert vidu.Plan.of(prompts, cast, seed=[1, 2]).priced(client).kept == 4
    assert "@ben waves" in grid.show().html()


def test_previews_of_a_cast_go_wide(cast):
    """Drafts of a sweep with a cast are free and land like any others."""
    grid = vidu.sweep(["@anna waves", "@ben waves"], cast, aspect_ratio="1:1", quality="draft")
    assert [len(video.request.references) for video in grid.videos] == [1, 2]
