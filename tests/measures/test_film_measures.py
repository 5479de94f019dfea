"""What a film's scenes show of its cast, and what a ratio keeps of each scene."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from previews import small_preview
from services import Service
from skimage import data

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest, NotKept
from vidu_nb.measures.film_consistency import consistency_of_scenes
from vidu_nb.measures.matching import shrunk
from vidu_nb.measures.scenes import SceneClip

SIDE = 480  # px, of the clips
CAST = vidu.Cast(
    anna=shrunk(data.astronaut(), SIDE),
    cup=[shrunk(data.coffee(), SIDE), shrunk(data.coffee()[:, ::-1], SIDE)],
    wall=np.full((256, 256, 3), 90, np.uint8),
)
PROMPTS = (
    "@anna smiles at @cup.",
    vidu.Scene("@cup steams. Then @anna.", title="At the <b>bar</b>"),
    "@anna and @cup again.",
    "@anna leaves the @wall.",
    "@anna waves.",
)
WRONG = 2  # the place of the scene whose clip shows somebody else


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    """A film that was paid for, but for its last scene; the third one shows another picture than it should."""
    folder = tmp_path_factory.mktemp("film")
    film = vidu.Film(PROMPTS, cast=CAST, bgm=False)
    clips = {}
    for index in range(len(film) - 1):
        request = film.request(index)
        shown = request.replace(references=[shrunk(data.rocket(), SIDE)] * 2) if index == WRONG else request
        (folder / str(index)).mkdir()
        clips[request.prompt] = small_preview(shown, SIDE, folder / str(index)).bytes

    def answer(call):
        clip = clips.get(json.loads(call.body)["prompt"]) if call.command == "POST" else None
        if clip is None:
            call.say(b'{"error": "not made"}', status=400)
        else:
            call.say(clip, cost=0.5)

    with Service(answer) as service:
        client = vidu.Client("a-key", service.url, archive=folder / "archive", mode="sync")
        return film.replace(client=client).shoot(budget_usd=5, confirm=True, max_workers=1)


@pytest.fixture(scope="module")
def found(shot):
    """What was measured of it."""
    return vidu.consistency(shot)


def test_the_scene_that_shows_somebody_else_is_the_weakest(found):
    """A scene whose clip shows another picture than its prompt says has the lowest score, of each member and of all."""
    assert found.weakest.index == WRONG
    assert found.weakest.scene == WRONG + 1
    assert [found.weakest_of(name).index for name in ("anna", "cup")] == [WRONG, WRONG]
    others = [cell.score for cell in found.cells if cell.index != WRONG]
    assert found.weakest.score < 0.5 < min(others)


def test_a_member_is_measured_only_where_a_scene_mentions_them(found):
    """Who is not mentioned has no score there, and neither has anybody where there is no clip."""
    there = ~np.isnan(found.scores)
    assert there.tolist() == [
        [True, True, True, True, False],
        [True, True, True, False, False],
        [False] * 5,
    ]


def test_missing_clips_are_told(found):
    """A scene without a clip is named, in the text and in the facts."""
    assert found.missing == (4,)
    assert "no clip yet: scene 5" in repr(found)
    assert found.facts()["missing"] == [5]


def test_who_is_too_plain_is_told_and_not_called_weakest(found):
    """A wall has nothing to be known by: it is left out, with the reason."""
    assert found.notes == ("wall is not measured: too plain to be found",)
    assert found.weakest_of("wall") is None
    assert "too plain" in repr(found)


def test_drift_is_named_from_scene_to_scene(found):
    """The largest fall is that into the wrong scene; each step says how alike the two scenes show somebody."""
    assert (found.steepest.before, found.steepest.after) == (WRONG - 1, WRONG)
    assert found.steepest.change < -0.3
    steps = [(one.before, one.after) for one in found.drifts if one.name == "anna"]
    assert steps == [(0, 1), (1, 2), (2, 3)]
    alike = {(one.before, one.after): one.likeness for one in found.drifts if one.name == "anna"}
    assert alike[0, 1] > alike[1, 2]


def test_a_row_sums_up_each_member(found):
    """The table has a row for each of the cast, with the weakest scene and the steepest fall."""
    row = {row["name"]: row for row in found.table}["cup"]
    assert (row["scenes"], row["weakest scene"], row["drifts most"]) == ("1, 2, 3", 3, "scene 2 to 3")
    assert {row["name"]: row for row in found.table}["wall"]["mean"] is None


class Texts(HTMLParser):
    """The tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):  # noqa: ARG002, D102
        self.tags.append(tag)

    def handle_data(self, data):  # noqa: D102
        self.text += data


def test_it_shows_itself_within_limits(found, shot):
    """As a cell's value: figures and a plot, every text escaped, no script, at most 150 kB."""
    for one in (found, vidu.framing(shot)):
        bundle = one._repr_mimebundle_()
        page = Texts()
        page.feed(bundle["text/html"])
        assert len(bundle["text/html"]) <= 150_000
        assert "At the <b>bar</b>" in page.text
        assert not {"b", "script"} & set(page.tags)
        assert bundle["text/plain"] == repr(one)
        assert "img" in page.tags
        assert json.loads(json.dumps(one.facts())) == one.facts()


def test_two_hundred_scenes_show_themselves_within_limits(found):
    """The largest film stays as small: its table gives way to the plot."""
    cells = tuple(type(one)(one.name, 199, one.score, one.share, one.picture) for one in found.cells)
    many = type(found)(
        names=found.names, titles=("A title that is long, and longer than it need be",) * 200, cells=cells,
        drifts=found.drifts, missing=tuple(range(190)), reports={}, notes=(), of=found.of, pictures=found.pictures,
    )  # fmt: skip
    html = many._repr_mimebundle_()["text/html"]
    assert len(html) <= 150_000
    assert "weakest: " in html


def test_a_plot_names_what_it_shows(found):
    """The heat map has the cast and the scenes at its edges, and its text says which scene is the weakest."""
    figure = found.plot()
    heat = figure.subfigs[0].axes[0]
    assert [label.get_text() for label in heat.get_yticklabels()] == ["anna", "cup", "wall"]
    assert [label.get_text()[0] for label in heat.get_xticklabels()] == list("12345")
    assert "in scene 3" in figure.alt


def test_framing_of_a_film_is_that_of_its_scenes(shot):
    """Each scene's clip is judged like any clip; what is missing is told, and asking for it says so."""
    frames = vidu.framing(shot)
    alone = vidu.framing(shot.videos[1])
    assert frames[1].table == alone.table
    assert frames.missing == (4,)
    assert np.isnan(frames.least[:, 4]).all()
    assert not np.isnan(frames.least[:, :4]).any()
    with pytest.raises(InvalidRequest, match="scene 5 has no clip yet"):
        frames[4]
    with pytest.raises(InvalidRequest, match="'4:3' is none of 16:9, TV action"):
        frames.weakest("4:3")


def test_a_safe_area_names_its_weakest_scene(shot):
    """The scene that loses most in an area is the one whose own report says the least."""
    frames = vidu.framing(shot)
    shares = {row["scene"] - 1: row["TikTok"] for row in frames.facts()["least"]}
    assert frames.weakest("TikTok") == min(shares, key=shares.get)


@pytest.fixture
def unpaid(tmp_path):
    """A film that nobody paid for."""
    return vidu.Film(
        ["@anna waits.", "@cup."],
        cast=CAST,
        aspect_ratio="1:1",
        bgm=False,
        client=vidu.Client("a-key", archive=tmp_path),
    )


def test_a_film_that_was_only_previewed_is_measured_by_its_previews(unpaid):
    """Drafts do where there is nothing better, and the full previews count before them; the result says which."""
    with pytest.raises(NotKept, match="no scene of the film has a clip yet"):
        vidu.consistency(unpaid)
    unpaid.preview(quality="draft")
    drafts = vidu.consistency(unpaid)
    assert (drafts.of, drafts.missing, len(drafts.cells)) == ("preview, draft", (), 2)
    full = vidu.Client.preview(archive=unpaid.client.archive)
    full.generate(unpaid.request(0))
    better = vidu.consistency(unpaid)
    assert (better.of, better.missing) == ("preview", (1,))


def test_clips_that_were_paid_for_count_before_previews(shot, tmp_path):
    """One paid clip is enough: previews are not mixed with it."""
    shutil.copytree(shot.client.archive.folder, tmp_path / "archive")
    client = vidu.Client("a-key", shot.client.base_url, archive=tmp_path / "archive")
    film = shot.replace(client=client).without(0, 1, 2)
    film.preview(quality="draft")
    assert not vidu.consistency(film).of.startswith("preview")
    assert vidu.consistency(film).missing == (1,)


def test_a_film_has_its_cast_to_be_looked_for(unpaid):
    """Other pictures belong to a clip, and without a cast there is nobody to look for."""
    with pytest.raises(InvalidRequest, match="a film is measured by its cast"):
        vidu.consistency(unpaid, data.cat())
    with pytest.raises(InvalidRequest, match="nobody to look for"):
        vidu.consistency(vidu.Film("A wall.", references=data.cat()))


def test_pictures_behind_a_url_are_told(shot):
    """They are not fetched: who has no other picture is left out, with the reason."""
    cast = CAST.replace(cup="https://example.com/cup.png")
    found = consistency_of_scenes([SceneClip("", ("anna", "cup"), shot.videos[0])], cast, of="")
    assert "cup is not measured: known by a URL alone" in found.notes
