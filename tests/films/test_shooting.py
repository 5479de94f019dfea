"""`Film.shoot`: each scene is paid for once, whatever changes, and each budget holds."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from takes import PRICE_USD, Takes, plain_clip

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene
from vidu_nb.storage.budget import Budget

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"


@pytest.fixture
def stand_in():
    """A paid service with play money; see `Takes`."""
    with Takes() as server:
        yield server


@pytest.fixture
def short_of_money():
    """The same with money for two calls."""
    with Takes(credits=1.0) as server:
        yield server


def shots(server, *scenes, **parameters):
    """A film that asks this server."""
    return Film(list(scenes), **{"references": CAT, "client": server.client(), "seed": 7} | parameters)


def chain_of_six(server, **parameters):
    """Six scenes, each of which continues the one before."""
    return shots(server, "Shot 1.", *(Scene(f"Shot {n}.", continues=True) for n in range(2, 7)), **parameters)


def row_of_six(server, **parameters):
    """Six scenes, none of which continues another."""
    return shots(server, *(f"Shot {n}." for n in range(1, 7)), **parameters)


def asked(server):
    """The shots that the server was asked for since the last look."""
    found = sorted(prompt.partition("Shot ")[2].rstrip(".") for prompt in server.prompts[server.looked :])
    server.looked = len(server.prompts)
    return "".join(found)


@pytest.mark.parametrize("of_six", [row_of_six, chain_of_six])
def test_a_film_is_paid_for_once(stand_in, of_six):
    """One POST a scene; the same film written down again finds its clips, and costs nothing."""
    film = of_six(stand_in).shoot(budget_usd=3, confirm=True)
    assert (asked(stand_in), film.missing, film.failed, film.spent_usd) == ("123456", (), {}, 3.0)
    again = of_six(stand_in).shoot()
    assert (asked(stand_in), again.spent_usd) == ("", 0)
    assert [clip.receipt.sha256 for clip in again.videos] == [clip.receipt.sha256 for clip in film.videos]
    priced = of_six(stand_in).priced()
    assert (priced.kept, priced.price_usd, priced.seconds) == (6, 0, 0)


def test_a_changed_scene_is_made_anew_with_those_that_continue_from_it_and_no_other(stand_in):
    """Two chains and a scene of its own: only what the change reaches is asked for again."""
    film = shots(stand_in, "Shot 1.", *(Scene(f"Shot {n}.", continues=n not in (4, 6)) for n in range(2, 7)))
    film = film.shoot(confirm=True)
    assert asked(stand_in) == "123456"
    changed = film.replace(1, seed=8)
    assert [changed.priced().kept, changed.priced().price_usd] == [4, 1.0]
    changed = changed.shoot(confirm=True)
    assert (asked(stand_in), changed.missing) == ("23", ())
    film.replace(2, title="Three").replace(music="none", dissolve=1, title="A film").shoot()
    assert asked(stand_in) == ""
    assert film.shoot().videos[2].receipt.sha256 != changed.videos[2].receipt.sha256
    moved = film.move(5, 0)  # another order asks for nothing new, where it breaks no chain
    assert (moved.shoot().missing, asked(stand_in)) == ((), "")


def test_another_take_is_kept_beside_the_first_and_either_can_be_chosen(stand_in):
    """Those that continue are made for each of the two, once; choosing costs nothing after that."""
    film = shots(stand_in, "Shot 1.", "Shot 2.", Scene("Shot 3.", continues=True)).shoot(confirm=True)
    assert asked(stand_in) == "123"
    first = [clip.receipt.sha256 for clip in film.videos]
    fresh = film.shoot(confirm=True, fresh=[1])
    assert asked(stand_in) == "23"
    newest = [clip.receipt.sha256 for clip in fresh.videos]
    assert [clip.receipt.sha256 for clip in fresh.takes(1)] == [first[1], newest[1]]
    assert newest[0] == first[0]
    assert newest[2] != first[2]
    chosen = fresh.replace(1, take=1)
    assert [clip.receipt.sha256 for clip in chosen.videos] == first
    assert [clip.receipt.sha256 for clip in chosen.replace(1, take=2).videos] == newest
    assert chosen.shoot().spent_usd == 0
    again = chosen.shoot(confirm=True, fresh=[-2])  # what is paid for is what the film has then
    assert (asked(stand_in), again[1].take, len(again.takes(1)), again.missing) == ("23", None, 3, ())


def test_choosing_another_take_makes_what_continues_anew(stand_in):
    """The last frame is another one, and so is the clip that begins with it."""
    film = shots(stand_in, "Shot 1.").shoot(confirm=True).shoot(confirm=True, fresh=[0])
    film = film.append(Scene("Shot 2.", continues=True)).shoot(confirm=True)
    assert asked(stand_in) == "112"
    chosen = film.replace(0, take=1)
    assert chosen.missing == (1,)
    assert chosen.shoot(confirm=True).missing == ()
    assert asked(stand_in) == "2"
    assert film.shoot().spent_usd == chosen.shoot().spent_usd == 0


@pytest.mark.parametrize("fresh", [[3], [-4], [True], ["x"], [0.5], "x", 1, None])
def test_a_take_of_no_scene_is_refused_before_anything_is_sent(stand_in, fresh):
    """The message names the parameter."""
    with pytest.raises(errors.InvalidRequest, match="fresh: "):
        shots(stand_in, "Shot 1.", "Shot 2.", "Shot 3.").shoot(confirm=True, fresh=fresh)
    assert asked(stand_in) == ""


def test_a_take_that_is_not_kept_is_told_and_not_paid_for(stand_in):
    """Nor is what continues from it, in the price and when it is shot."""
    film = shots(stand_in, Scene("Shot 1.", take=2), Scene("Shot 2.", continues=True), "Shot 3.")
    assert (film.priced().kept, film.priced().price_usd) == (0, 0.5)
    film = film.shoot(confirm=True)
    assert "take 2 of this scene is not kept: there are 0" in film.failed[0].message
    assert (asked(stand_in), film.missing, list(film.failed)) == ("3", (0, 1), [0])


def test_a_random_seed_is_paid_for_once_in_a_film(stand_in):
    """What is kept counts as kept; another take is asked for by name."""
    film = shots(stand_in, "Shot 1.", Scene("Shot 2.", continues=True), seed=0).shoot(confirm=True)
    again = film.shoot()
    assert (asked(stand_in), again.spent_usd, again.priced().kept) == ("12", 0, 2)
    assert len(film.shoot(confirm=True, fresh=[1]).takes(1)) == 2
    assert asked(stand_in) == "2"


@pytest.mark.parametrize("of_six", [row_of_six, chain_of_six])
def test_a_budget_that_ends_in_the_middle_leaves_what_was_paid_for(stand_in, of_six):
    """Four POSTs, four clips, and a film that says what is missing; with more money it goes on where it stood."""
    film = of_six(stand_in).shoot(budget_usd=2, confirm=True)
    assert len(stand_in.prompts) == len(film.videos) == 4
    gone = [str(index + 1) for index in film.missing]
    assert len(gone) == 2
    assert f"4 of 6 scenes · $2.00 spent · missing: {', '.join(gone)}. Stopped: " in repr(film)
    assert "$0.00 of $2.00 is left" in film.stopped
    with pytest.raises(errors.NotKept, match=f"2 of 6 scenes have no clip yet: {', '.join(gone)}"):
        _ = film.video
    again = of_six(stand_in).shoot(budget_usd=2, confirm=True)  # its own budget, over all runs
    assert (len(stand_in.prompts), len(again.videos), again.missing) == (4, 4, film.missing)
    assert (
        of_six(stand_in).replace(title="Six", music="none").shoot(budget_usd=2.4, confirm=True).missing == film.missing
    )
    whole = of_six(stand_in).shoot(budget_usd=3, confirm=True)
    assert (len(stand_in.prompts), whole.missing, whole.spent_usd) == (6, (), 1.0)


def test_a_fresh_take_draws_from_the_films_budget(stand_in):
    """And where that is used up, it is not made."""
    film = shots(stand_in, "Shot 1.").shoot(budget_usd=1)
    film = film.shoot(budget_usd=1, fresh=[0])
    assert "is left" in film.shoot(budget_usd=1, fresh=[0]).stopped
    assert (asked(stand_in), len(film.takes(0))) == ("11", 2)


def test_every_budget_that_applies_is_asked(stand_in, tmp_path):
    """The client's own and one that films share."""
    ours, shared = Budget(5, tmp_path / "ours.json"), Budget(1.2, tmp_path / "films.json")
    client = stand_in.client(budget=ours)
    first = shots(stand_in, "Shot 1.", client=client).shoot(budget_usd=shared, confirm=True)
    second = shots(stand_in, "Shot 2.", "Shot 3.", client=client).shoot(budget_usd=shared, confirm=True)
    assert (len(first.videos), len(second.videos), ours.spent, shared.spent) == (1, 1, 1.0, 1.0)


def test_nothing_is_paid_for_without_a_budget_or_a_word(stand_in):
    """More than a dollar wants one as well; the error holds the film with its price."""
    film = row_of_six(stand_in)
    for budget in (None, 3, 1.5):
        with pytest.raises(
            errors.ConfirmationNeeded, match=r"this film would cost about \$3.00.*nothing was sent"
        ) as caught:
            film.shoot(budget_usd=budget)
        assert (caught.value.plan.price_usd, caught.value.plan) == (3.0, film)
    assert len(film.shoot(budget_usd=1).videos) == 2
    assert len(stand_in.prompts) == 2


def test_money_that_runs_out_stops_the_film(short_of_money):
    """The service refuses, nothing more is asked for, and what landed is kept."""
    film = row_of_six(short_of_money).shoot(confirm=True, max_workers=1)
    assert (len(film.videos), len(short_of_money.prompts), film.spent_usd) == (2, 2, 1.0)
    assert "Insufficient credits" in film.stopped
    assert isinstance(film.failed[2], errors.InsufficientCredits)
    assert film.missing == (2, 3, 4, 5)


def test_a_failed_scene_holds_up_only_what_continues_from_it(stand_in):
    """The others go on; the error is told by the scene's place, and shooting again asks for it again."""
    film = shots(stand_in, "Shot 1.", Scene("Shot 2.", continues=True), Scene("Shot 3.", continues=True), "Shot 4.")

    def refuse_the_second(prompt):
        if "Shot 2." in prompt:
            raise errors.InvalidRequest("no such shot")

    stand_in.before = refuse_the_second
    film = film.shoot(confirm=True)
    assert (list(film.failed), film.missing, film.spent_usd) == ([1], (1, 2), 1.0)
    stand_in.before = len
    assert film.shoot(confirm=True).missing == ()
    assert asked(stand_in) == "12234"


def test_prices_and_times_of_what_is_left(stand_in):
    """Chains take their time one after another, others side by side; each model has its price."""
    client = stand_in.client(price_usd=0.5)
    row, chain = row_of_six(stand_in).priced(client, workers=3), chain_of_six(stand_in).priced(client)
    assert [row.price_usd, row.seconds, chain.price_usd, chain.seconds] == [3.0, 240.0, 3.0, 720.0]
    other = row_of_six(stand_in).replace(5, model="wan2.7-r2v").priced(client)
    assert other.price_usd == 2.5 + client.price_of(other.request(5)) != 3.0
    free = row_of_six(stand_in).priced(vidu.Client.preview())
    assert (free.price_usd, free.quote.is_free) == (0, True)
    with pytest.raises(errors.InvalidRequest, match="max_workers"):
        row_of_six(stand_in).priced(workers=0)


def test_scenes_that_continue_wait_and_others_do_not(stand_in):
    """Two chains run side by side, and within one each call comes after the clip before it."""
    film = shots(stand_in, "Shot 1.", Scene("Shot 2.", continues=True), "Shot 3.", Scene("Shot 4.", continues=True))
    both = threading.Barrier(2, timeout=20)
    stand_in.before = lambda _: both.wait()  # never fewer than two at a time
    assert film.shoot(confirm=True).missing == ()
    order = [prompt[-2] for prompt in stand_in.prompts]
    assert order.index("1") < order.index("2")
    assert order.index("3") < order.index("4")


def test_what_continues_begins_with_the_last_frame_of_the_clip_before(stand_in):
    """The picture that is sent has the clip's colour, and the same picture is sent whoever shoots."""
    film = shots(stand_in, "Shot 1.", Scene("Shot 2.", continues=True)).shoot(confirm=True)
    sent = film.videos[1].request.references[0]
    shown = np.asarray(next(iter(reversed(list(film.videos[0].frames())))))
    assert np.abs(np.asarray(sent.open()).astype(int) - shown).max() <= 2
    assert sent.made_by is not None


def test_a_film_that_was_shot_with_a_client_shows_what_it_brought(stand_in):
    """Though it has none of its own, and the environment names another."""
    film = shots(stand_in, "Shot 1.", client=None).shoot(confirm=True, client=stand_in.client())
    assert (film.missing, film.videos[0].receipt.original.cost_usd) == ((), PRICE_USD)


def test_a_joined_film_is_made_once(stand_in):
    """`video` has the same file each time, and its receipt the sum of what was paid."""
    film = shots(stand_in, "Shot 1.", "Shot 2.").shoot(confirm=True)
    assert film.video.path == film.video.path
    assert film.video.receipt.cost_usd == 2 * PRICE_USD


def test_a_film_that_was_loaded_finds_its_clips(stand_in, tmp_path):
    """Its pictures are known again, though they were encoded with loss: nothing is paid for, and its budget stays."""
    noise = np.random.default_rng(0).integers(0, 256, (1100, 1100, 3), np.uint8)
    film = shots(stand_in, "@anna. Shot 1.", Scene("Shot 2.", continues=True), cast={"anna": noise}).shoot(confirm=True)
    loaded = vidu.load(film.save(tmp_path / "film.mp4"))
    again = loaded.shoot(client=film.client)
    assert (again.missing, again.spent_usd, asked(stand_in)) == ((), 0, "12")
    assert again.digest(film.client) == film.digest(film.client)


def test_clips_of_play_are_told_apart():
    """The stand-in's clips differ, and so do their last frames: a test that mixes them up fails."""
    assert len({plain_clip(number) for number in range(1, 20)}) == 19
