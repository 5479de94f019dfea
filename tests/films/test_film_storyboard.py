"""Promises of a film's storyboard: what it tells of each scene, its size, and that looking at it does nothing else."""

from __future__ import annotations

import base64
import html.parser
import io
import json
import re
import threading
import time

import numpy as np
import pytest
from faults import KEY
from PIL import Image

import vidu_nb as vidu
from vidu_nb.client.client import Client
from vidu_nb.errors import NotKept
from vidu_nb.films.board import find_clips, look, make_board
from vidu_nb.films.storyboard import FilmPage, storyboard_html, storyboard_jpeg
from vidu_nb.samples import sample_references
from vidu_nb.storage.archive import Archive

pytestmark = pytest.mark.usefixtures("small_frames")

HOSTILE = '"><img src=x onerror="hacked()"><script>hacked()</script>\x1b[31m\u202e'


@pytest.fixture
def cast(photo):
    return vidu.Cast(anna=[photo, photo[::-1].copy()], cafe=photo[:, ::-1].copy())


@pytest.fixture
def client(studio):
    """A paid service that answers with a real clip."""
    return Client(KEY, studio.root, notify=len)


@pytest.fixture
def film(cast, client):
    """Four scenes, of which the second and the third continue what is before them."""
    return vidu.Film(
        [
            vidu.Scene("@anna wakes up.", title="Waking"),
            vidu.Scene("She walks to the @cafe.", continues=True),
            vidu.Scene("@anna drinks.", continues=True),
            "The @cafe is empty.",
        ],
        cast=cast,
        title="A morning",
        music="film",
        client=client,
    )


def held(bundle):
    """How many bytes a notebook holds of a MIME bundle."""
    return len(json.dumps(dict(bundle), ensure_ascii=False).encode())


def words(markup):
    """The text that people read, in one line."""
    parts = []
    reader = html.parser.HTMLParser()
    reader.handle_data = parts.append
    reader.feed(markup)
    return " ".join(" ".join(parts).split())


def pictures(markup):
    """The pictures in HTML, opened."""
    found = re.findall(r'src="data:image/[a-z]+;base64,([^"]+)"', markup)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def test_it_tells_state_price_and_chain_before_anything_is_made(film):
    """Each scene that is priced says what it costs, what it continues, and that it waits."""
    shown = film.priced()._repr_mimebundle_()
    told = words(shown["text/html"])
    assert "4 to make with" in told
    assert "about $2.00" in told
    assert "one track over all" in told
    assert "↳ continues scene 1" in told
    assert told.count("waits for scene") == 2
    assert told.count("$0.50") == 4
    lines = shown["text/plain"].splitlines()
    assert lines[2].strip() == "1. [to shoot · $0.50] Waking: @anna wakes up."
    assert "[waits for scene 1 · $0.50] ↳ continues 1 She walks to the @cafe." in lines[3]
    assert Image.open(io.BytesIO(base64.b64decode(shown["image/jpeg"]))).format == "JPEG"


def test_what_is_kept_has_its_poster_and_no_price(film, client):
    """After shooting, every scene is kept; a changed one and those that continue from it are to shoot again."""
    shot = film.shoot(confirm=True)
    told = words(shot._repr_mimebundle_()["text/html"])
    assert "4 kept" in told
    assert "$2.00 spent" in told
    changed = shot.replace(1, prompt="She runs to the @cafe.").priced()
    states = [row.kind for row in make_board(changed, find_clips(changed, client), client).rows]
    assert states == ["kept", "to shoot", "waits", "kept"]
    assert "about $1.00" in words(changed._repr_mimebundle_()["text/html"])


def test_an_error_of_the_last_run_and_why_it_stopped_are_told(cast):
    """A refusal stands at its scene with its message, and the reason to stop stands above."""
    with vidu.PreviewServer(key=KEY, credits=0.1) as poor:
        film = vidu.Film(["@anna wakes up.", "@anna sleeps."], cast=cast, client=Client(KEY, poor.base_url, notify=len))
        told = film.shoot(confirm=True, max_workers=1)._repr_mimebundle_()
    for text in (words(told["text/html"]), told["text/plain"]):
        assert "Stopped: Insufficient credits" in text
        assert "failed" in text
        assert "Not billed" in text


def test_an_unknown_outcome_is_told_also_later(cast):
    """A call whose answer was lost is a state of its own, from the last run and from the journal alone."""
    from faults import FaultServer

    with FaultServer() as service:
        client = Client(KEY, service.root, notify=len, mode="sync", timeout=5)
        film = vidu.Film(["@anna [fault:close_after_body] wakes up."], cast=cast, client=client)
        shot = film.shoot(confirm=True)
        assert "unknown outcome" in repr(shot)
        assert "unknown outcome" in repr(film)


def test_what_cannot_be_shot_has_no_price(film):
    """Neither has what continues from it: rows, headline, `priced` and its text tell the same sum."""
    priced = film.shoot(budget_usd=3, confirm=True).replace(0, take=9).append("@anna waves.").priced()
    board = look(priced)
    assert [row.kind for row in board.rows] == ["failed", "waits", "waits", "kept", "to shoot"]
    assert [row.price_usd for row in board.rows] == [None, None, None, None, 0.5]
    assert (priced.price_usd, priced.quote.left, sorted(priced.quote.blocked)) == (0.5, (4,), [0, 1, 2])
    assert "1 to make with" in board.headline
    assert "3 blocked" in board.headline
    assert "1 of 5 scenes kept · 3 blocked · about $0.50" in priced.summary


def test_a_clip_that_cannot_be_used_is_not_called_missing(film):
    """Nobody is told to shoot again what shooting doesn't make: the error says what is wrong with which clip."""
    shot = film.shoot(budget_usd=3, confirm=True)
    path = shot.clips()[3].path
    path.unlink()
    with pytest.raises(NotKept, match=r"can be used: 4\. scene 4: .*can't be read") as caught:
        _ = shot.video
    assert "film.shoot()" not in str(caught.value)


def test_it_shows_what_the_client_keeps_that_priced_it(film, client, studio, tmp_path):
    """A film that is priced with another client than its own tells in rows and headline what its price counts."""
    film.shoot(budget_usd=3, confirm=True)
    elsewhere = film.replace(client=Client(KEY, studio.root, archive=tmp_path / "elsewhere", notify=len))
    assert "4 of 4 scenes kept" in elsewhere.priced(client).summary
    assert [row.kind for row in look(elsewhere.priced(client)).rows] == ["kept"] * 4
    assert [row.kind for row in look(elsewhere.priced()).rows] == ["to shoot", "waits", "waits", "to shoot"]
    assert "4 kept" not in look(elsewhere.replace(title="Another")).headline


def test_a_damaged_clip_is_a_state(film):
    """Whatever has become of the archive's files, the storyboard shows itself and says which scene can't be used."""
    shot = film.shoot(confirm=True)
    clip = shot.clips()[0]
    clip.path.write_bytes(b"no clip any more")
    told = words(shot._repr_mimebundle_()["text/html"])
    assert "damaged" in told or "failed" in told
    clip.path.with_suffix(".json").write_text("{")
    assert "Waking" in repr(shot)
    clip.path.unlink()
    assert "Waking" in words(shot._repr_mimebundle_()["text/html"])


def test_looking_prints_nothing_starts_nothing_and_writes_nothing(film, capsys):
    """Without a client and a key, a film that is shown leaves the process and the disk as they were."""
    lonely = film.replace(client=None)
    threads = threading.active_count()
    lonely._repr_mimebundle_()
    assert "to preview" in repr(lonely)
    assert capsys.readouterr() == ("", "")
    assert threading.active_count() == threads
    assert not Archive().folder.exists()


def test_a_preview_stands_in_for_a_clip(film):
    """Where a scene is to be shot and its preview is kept, that is the picture."""
    one = film.without(1, 2, 3)
    before = pictures(one._repr_mimebundle_()["text/html"])[0]
    one.preview()
    after = pictures(one._repr_mimebundle_()["text/html"])[0]
    assert before.height == after.height
    assert before.tobytes() != after.tobytes()
    assert "to shoot" in repr(one)
    assert "opacity:.6" in one._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("is_paid", [True, False])
def test_a_draft_stands_in_where_there_is_nothing_better(film, is_paid, monkeypatch):
    """After a quick preview the storyboard shows it, whoever is asked: a paid service, or, without a key, nobody."""
    one = film.without(1, 2, 3)
    if not is_paid:
        monkeypatch.delenv("SEGMIND_API_KEY", raising=False)
        one = one.replace(client=None)
    one.preview(quality="draft")
    assert "opacity:.6" in one._repr_mimebundle_()["text/html"]
    assert ("to shoot" if is_paid else "to preview") in repr(one)


def still(film):
    """The picture that viewers without HTML show."""
    return Image.open(io.BytesIO(base64.b64decode(film._repr_mimebundle_()["image/jpeg"])))


def test_the_picture_of_many_scenes_has_their_titles_and_is_sharp():
    """Each of 24 scenes has its title in it, and who is seen is no blur."""
    astronaut = sample_references()[0]
    films = [
        vidu.Film([vidu.Scene("@anna smiles.", title=f"{word} {i}") for i in range(24)], cast={"anna": astronaut})
        for word in ("One", "Two")
    ]
    one, other = (np.asarray(still(film).convert("L"), int) for film in films)
    titles = (np.abs(one - other) > 60).any(axis=1)
    assert np.count_nonzero(titles[1:] & ~titles[:-1]) >= 4, "a line of titles in each row"
    assert (np.abs(np.diff(one[40:88], axis=1)) > 16).mean() > 0.1


@pytest.mark.parametrize("letter", ["a", "字", '"', "&", "\U0001f600"])
def test_twenty_scenes_with_long_prompts_stay_below_150_kb(letter, photo):
    """Whatever the prompts are made of; nothing is lost of short ones, long ones are folded."""
    noise = [photo, photo[::-1].copy(), photo[:, ::-1].copy()]
    cast = vidu.Cast(anna=noise[0], cafe=noise[1], rocket=noise[2])
    prompt = f"@anna @cafe @rocket {letter * 1380}"
    scenes = [vidu.Scene(prompt, title=f"Scene {i}", continues=i % 3 == 2) for i in range(20)]
    film = vidu.Film(scenes, cast=cast, client=Client(KEY, "http://127.0.0.1:9"))
    shown = film.priced()._repr_mimebundle_()
    assert held(shown) <= 150_000
    assert ("<details" in shown["text/html"]) is (letter in "a字")  # folded, or cut
    assert "<script" not in shown["text/html"]


def test_two_hundred_scenes_stay_below_150_kb(cast):
    """The first are shown with pictures, the others in a line each."""
    film = vidu.Film(["@anna and the @cafe. " + 60 * "wide " for _ in range(200)], cast=cast)
    shown = film._repr_mimebundle_()
    assert held(shown) <= 150_000
    assert "176 more scenes" in words(shown["text/html"])
    assert "… and 140 more" in shown["text/plain"]


def test_everything_is_escaped(photo, client):
    """Titles, prompts and pictures' names become text in HTML, and harmless in a terminal."""
    cast = vidu.Cast(anna=vidu.Reference(photo, name=HOSTILE))
    film = vidu.Film([vidu.Scene(f"@anna {HOSTILE}", title=HOSTILE)], cast=cast, title=HOSTILE, client=client)
    for shown in (film._repr_mimebundle_(), cast._repr_mimebundle_()):
        assert "<script" not in shown["text/html"]
        assert 'onerror="' not in shown["text/html"]
        assert not re.search("[\x1b\u202e]", shown["text/plain"])
    assert not re.search("[\x1b\u202e]", repr(film))


def test_while_it_runs_what_was_kept_before_and_what_is_being_made_are_told(film, client):
    """The page of a run shows clips of earlier runs, those that landed, and those in flight."""
    film.without(1, 2).shoot(confirm=True)
    page = FilmPage(film.priced(), client)
    told = words(page.grid_html({}, {1}))
    assert "2 kept" in told
    assert "being made" in told
    assert storyboard_html(page.board({}, ())) == page.grid_html({}, ())


def test_mentions_are_set_off_and_a_plain_at_is_none(cast, client):
    """``@anna`` stands out as it is written; ``@@`` is shown as what it means."""
    film = vidu.Film(["@Anna is @@home at the @cafe."], cast=cast, client=client)
    markup = film._repr_mimebundle_()["text/html"]
    assert markup.count(">@anna</span>") == 1
    assert "@anna is @home at the @cafe." in repr(film)
    assert ">@home<" not in markup


@pytest.mark.parametrize("many", [1, 20])
def test_a_cast_of_many_stays_below_150_kb(many, photo):
    """Twenty members of five pictures each show all of them, with names and counts, and a still."""
    flips = [photo, photo[::-1], photo[:, ::-1], photo[::-1, ::-1], photo[:, 10:]]
    cast = vidu.Cast({f"member-{i}": [one.copy() for one in flips] for i in range(many)})
    shown = cast._repr_mimebundle_()
    assert held(shown) <= 150_000
    assert len(pictures(shown["text/html"])) == 5 * many
    assert words(shown["text/html"]).count("5 pictures") == many
    assert Image.open(io.BytesIO(base64.b64decode(shown["image/jpeg"]))).format == "JPEG"
    assert "member-0: 5 pictures" in shown["text/plain"]


def test_a_cast_of_addresses_fetches_nothing(photo):
    """Somebody whose pictures are behind URLs has a card without a picture; an empty cast shows itself as well."""
    cast = vidu.Cast(ben=["https://example.com/ben.png", photo], cat="https://example.com/<b>.png")
    shown = cast._repr_mimebundle_()
    assert "2 pictures, 1 of them by URL" in words(shown["text/html"])
    assert "<b>" not in shown["text/html"]
    assert len(pictures(shown["text/html"])) == 1
    assert "empty" in vidu.Cast()._repr_mimebundle_()["text/html"]


def test_a_storyboard_of_long_prompts_is_drawn_as_soon_as_one_of_short_ones(photo):
    """The picture's lines are cut to their width without measuring a whole prompt for each letter that goes."""

    def drawn(words):
        film = vidu.Film([f"{words} {place}" for place in range(12)], references=photo, aspect_ratio="1:1")
        board = look(film)
        began = time.process_time()
        storyboard_jpeg(board)
        return time.process_time() - began

    drawn("A wall.")
    assert drawn("She looks at the houses, one after the other. " * 30) < 5 * drawn("She looks at the houses.")
