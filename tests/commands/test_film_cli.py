"""`vidu-nb film`: a text becomes a film, previewed for free or paid for scene by scene; and `--cast` elsewhere."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb.commands.cli import main

pytestmark = pytest.mark.usefixtures("small_frames")

STORY = """\
---
title: A morning
aspect_ratio: 1:1
bgm: off
---
# Kitchen

@anna wakes up.

... She walks to the @cafe.

@anna and @anna wave.
"""


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A story with three scenes, one that continues another, and a folder with its cast."""
    (tmp_path / "story.md").write_text(STORY)
    (tmp_path / "people").mkdir()
    for name, colour in (("anna", "navy"), ("cafe", "tan")):
        Image.new("RGB", (160, 160), colour).save(tmp_path / "people" / f"{name}.png")
    return tmp_path / "story.md"


def test_a_story_becomes_a_preview(command, story, tmp_path):
    """Without `--shoot` the film is previewed for free, after its plan with prices; the last lines tell where it is."""
    made = command("film", story, "--cast", "people", "--draft", "-o", "film.mp4")
    assert made.status == 0, made.err
    lines = made.out.splitlines()
    assert lines[0].startswith("A morning: 3 scenes, 15 s · 3 to make with preview: free (with a key")
    assert "about $1.50)" in lines[0]
    assert [line.split()[:1] for line in lines[2:5]] == [["1"], ["2"], ["3"]]
    assert lines[5] == str(tmp_path / "film.mp4")
    assert "preview, free" in lines[6]
    film = vidu.load("film.mp4")
    assert (len(film), film[0].title, film.cast) == (3, "Kitchen", vidu.Cast.load("people"))


@pytest.mark.usefixtures("true_frames")
@pytest.mark.usefixtures("story")
def test_a_film_s_file_is_shown(command):
    """`show` tells of a film what its file holds, as text and as facts."""
    assert command("film", "story.md", "--cast", "people", "--draft", "-o", "film.mp4").status == 0
    shown = command("show", "film.mp4")
    assert shown.status == 0, shown.err
    assert "3 scenes: A morning" in shown.out
    assert "scene 1: Kitchen: @anna wakes up." in shown.out
    assert "scene 2: … She walks to the @cafe." in shown.out
    facts = json.loads(command("show", "film.mp4", "--json").out)
    assert (facts["film"]["title"], facts["info"]["width"]) == ("A morning", 960)


def test_prices_are_told_before_anything_is_made(command, paid, story):
    """`--dry-run` sends nothing and tells what is cached and what the rest costs, as text and as facts."""
    vidu.generate("@anna wakes up.", vidu.Cast.load("people"), aspect_ratio="1:1", bgm=False)
    told = command("film", story, "--cast", "people", "--dry-run")
    assert told.status == 0, told.err
    assert "1 cached · 2 to shoot" in told.out
    assert "about $1.00" in told.out
    facts = json.loads(command("film", story, "--cast", "people", "--dry-run", "--json").out)
    assert [one["state"] for one in facts["scenes"]] == ["cached", "to shoot", "to shoot"]
    assert (facts["cached"], facts["price_usd"], facts["scenes"][1]["continues"]) == (1, 1.0, True)
    assert len(paid.posts()) == 1


def test_what_cannot_be_shot_has_no_price(command, paid, story):
    """A clip that is cached and damaged blocks its scene and what continues it: counted and explained, not priced."""
    made = vidu.generate("@anna wakes up.", vidu.Cast.load("people"), aspect_ratio="1:1", bgm=False)
    made.path.write_bytes(b"no clip")
    told = command("film", story, "--cast", "people", "--dry-run")
    assert told.status == 0, told.err
    assert "1 to shoot" in told.out.splitlines()[0]
    assert "about $0.50" in told.out.splitlines()[0]
    assert "2 blocked" in told.out.splitlines()[0]
    facts = json.loads(command("film", story, "--cast", "people", "--dry-run", "--json").out)
    assert [one["state"] for one in facts["scenes"]] == ["blocked", "blocked", "to shoot"]
    assert facts["price_usd"] == sum(one["price_usd"] for one in facts["scenes"] if one["state"] == "to shoot")
    assert [bool(one["error"]) for one in facts["scenes"]] == [True, True, False]
    assert len(paid.posts()) == 1


def test_another_take_is_priced_before_it_is_paid(command, paid, story):
    """The plan of `--fresh` counts what another take is wanted of as not cached, and so does its outcome."""
    story.write_text(STORY.replace("... ", ""))
    asked = ("film", story, "--cast", "people", "--shoot", "--budget-usd", "5", "--yes")
    assert command(*asked).status == 0
    told = command(*asked, "--fresh", "2", "--dry-run")
    assert "2 cached · 1 to shoot" in told.out
    assert "about $0.50" in told.out
    assert len(paid.posts()) == 3
    facts = json.loads(command(*asked, "--fresh", "2", "--json").out)
    assert [one["state"] for one in facts["scenes"]] == ["cached", "made", "cached"]
    assert (facts["price_usd"], facts["spent_usd"]) == (0.5, 0.5)


def test_what_was_paid_is_told_where_it_cannot_be_joined(command, paid, story):
    """The facts name each scene's clip, and the error says that they are kept."""
    films = vidu.Client.from_env().archive.films
    films.parent.mkdir(parents=True, exist_ok=True)
    films.write_bytes(b"something else")
    made = command("film", story, "--cast", "people", "--shoot", "--budget-usd", "5", "--yes", "--json")
    assert made.status == 1
    assert "clips are kept" in made.err
    facts = json.loads(made.out)
    assert (facts["path"], facts["spent_usd"], len(paid.posts())) == (None, 1.5, 3)
    assert all(Path(one["file"]).is_file() for one in facts["scenes"])


def test_shooting_wants_a_budget_or_a_word(command, paid, story):
    """What costs more than a dollar, or has no budget, is refused with its price; nothing is sent."""
    for options in ((), ("--budget-usd", "5")):
        refused = command("film", story, "--cast", "people", "--shoot", *options)
        assert refused.status == 1
        assert "would cost about $1.50" in refused.err
        assert "--yes" in refused.err
    assert not paid.posts()


def test_a_film_is_shot_and_goes_on_where_it_stood(command, paid, story, tmp_path):
    """Each scene is paid once, however often the command runs; `--fresh` pays for another take of the one it names."""
    story.write_text(STORY.replace("... ", ""))
    asked = ("film", story, "--cast", "people", "--shoot", "--budget-usd", "5", "--yes")
    made = command(*asked, "-o", "out.mp4", "--json")
    assert made.status == 0, made.err
    facts = json.loads(made.out)
    assert facts["path"] == str(tmp_path / "out.mp4")
    assert (facts["spent_usd"], facts["stopped"]) == (1.5, "")
    assert [one["state"] for one in facts["scenes"]] == ["made"] * 3
    assert all(Path(one["file"]).is_file() for one in facts["scenes"])
    assert len(paid.posts()) == 3
    again = command(*asked)
    assert (again.status, len(paid.posts())) == (0, 3)
    assert "3 cached" in again.out
    assert command(*asked, "--fresh", "3").status == 0
    assert len(paid.posts()) == 4


def test_what_is_missing_in_the_end_is_told(command, paid, story):
    """A budget that ends in the middle leaves what landed, names the missing scenes, and ends with 1."""
    story.write_text(STORY.replace("... ", ""))
    made = command("film", story, "--cast", "people", "--shoot", "--budget-usd", "1", "--max-workers", "1", "--json")
    assert made.status == 1
    assert "1 of 3 scenes" in made.err
    facts = json.loads(made.out)
    assert facts["path"] is None
    assert sorted(one["state"] for one in facts["scenes"]) == ["made", "made", "missing"]
    assert facts["stopped"]
    assert len(paid.posts()) == 2


def test_a_scene_that_continues_is_shot_after_the_one_before(command, story, monkeypatch):
    """A stand-in with play money is paid for each of the scenes, the last frame of one in the next one's request."""
    with vidu.PreviewServer(key="a-key", credits=5) as server:
        monkeypatch.setenv("SEGMIND_API_KEY", "a-key")
        monkeypatch.setenv("SEGMIND_BASE_URL", server.base_url)
        made = command("film", story, "--cast", "people", "--shoot", "--budget-usd", "5", "--yes", "--json")
        assert made.status == 0, made.err
        assert vidu.Client.from_env().credits() == 3.5
    facts = json.loads(made.out)
    assert facts["spent_usd"] == 1.5
    kept = json.loads(Path(facts["scenes"][1]["file"]).with_suffix(".json").read_text())
    assert [one["name"] for one in kept["request"]["image_urls"]] == ["the last frame", "cafe"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("-o", "film.mov"), "a copy's name ends in .mp4, .gif"),
        (("-o", "-"), "not written to standard output"),
        (("--shoot", "--draft"), "a draft is a preview"),
        (("--fresh", "1"), "--fresh: add --shoot"),
        (("--budget-usd", "3"), "--budget-usd: add --shoot"),
        (("--yes",), "--yes: add --shoot"),
        (("--shoot", "--fresh", "4"), "--fresh: 4 is no scene: pass 1 to 3"),
        (("--shoot", "--fresh", "0"), "--fresh: 0 is no scene"),
        (("--shoot", "--yes", "--max-workers", "0"), "max_workers: 0"),
        (("--cast", "nowhere"), "nowhere is no folder"),
        (("--fresh", "two", "--shoot"), "invalid int value"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_made(command, paid, story, tmp_path, options, problem):
    """Options that contradict each other, a place that can't be written, a scene that isn't there."""
    refused = command("film", story, "--cast", "people", *options)
    assert refused.status == 2
    assert problem in refused.err
    assert "Traceback" not in refused.err
    assert not paid.posts()
    assert not list((tmp_path / "archive").rglob("*.mp4"))


def test_a_story_s_mistake_is_told_by_its_line(command, story):
    """A wrong text ends with 2 and one line that names the place; a missing one as well."""
    story.write_text(STORY + "\n@bob waves.\n")
    refused = command("film", story, "--cast", "people")
    assert (refused.status, refused.err.count("\n")) == (2, 1 + refused.err.count("No SEGMIND"))
    assert "story.md, line 14: scene 4: prompt: @bob: nobody in the cast" in refused.err
    assert command("film", "missing.md").status == 2


def test_an_interrupt_ends_with_130_and_the_way_on(paid, story, capsys):
    """Ctrl-C while a film is shot waits for the paid call, keeps its clip, and the line says how to go on."""
    story.write_text("@anna waves [fault:good_slow].\n\n@anna runs.\n\n@anna sits.\n")

    def interrupt():
        paid.wait(lambda seen: any(one.reached == "body" for one in seen))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    asked = ["film", str(story), "--cast", "people", "--shoot", "--yes"]
    assert main([*asked, "--max-workers", "1"]) == 130
    assert "1 of 3 scenes" in (said := capsys.readouterr().err)
    assert "again to go on" in said
    assert len(paid.posts()) == 1


def test_a_cast_stands_beside_pictures_in_every_command(command, paid, story):
    """`--cast` for `generate` and `sweep`: prompts mention names, and other pictures follow them."""
    Image.new("RGB", (160, 160), "red").save("sea.png")
    made = command("generate", "@anna waves", "--cast", "people", "-r", "sea.png", "-o", "made.mp4")
    assert made.status == 0, made.err
    request = vidu.load("made.mp4").request
    assert request.prompt == "anna (image 1) waves"
    assert [one.name for one in request.references] == ["anna", "sea.png"]
    planned = command("sweep", "@anna waves", "@cafe", "--cast", story.parent / "people", "--dry-run", "--json")
    assert json.loads(planned.out)["axes"]["prompt"] == ["@anna waves", "@cafe"]
    refused = command("preview", "@carl waves", "--cast", "people")
    assert (refused.status, len(paid.posts())) == (2, 1)
    assert "@carl: nobody in the cast" in refused.err
    picture = command("picture", "@anna and @cafe in oil", "--cast", "people", "--model", "sdxl-img2img")
    assert (picture.status, len(paid.posts())) == (2, 1)
    assert "asks for 2: anna 1, cafe 1" in picture.err
