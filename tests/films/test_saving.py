"""A film's copies: the whole recipe in a file, chapters, small animations, and a sheet of posters."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from faults import KEY
from PIL import Image

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.animated import WRITERS, _stretches, checked_side
from vidu_nb.errors import InvalidRequest, NotKept, ViduError
from vidu_nb.recipe import PICTURES_BOX, RECIPE_TAG


@pytest.fixture
def client(studio, tmp_path):
    """A client of a paid service with an archive of its own."""
    return vidu.Client(KEY, studio.root, tmp_path / "archive", notify=len)


@pytest.fixture
def cast(photo):
    """Two names with pictures, one with an address."""
    return vidu.Cast(anna=[photo, photo[::-1]], cafe=photo[:, ::-1], ben="https://example.com/ben.png")


@pytest.fixture
def plan(client, cast):
    """A film of three scenes that nobody has paid for."""
    scenes = ["@anna wakes up.", vidu.Scene("She walks to the @cafe.", title="Out", seed=7), "@ben waits."]
    return vidu.Film(scenes, cast=cast, title="A morning", seed=42, client=client)


@pytest.fixture
def film(plan):
    """The same, paid for."""
    return plan.shoot(confirm=True, budget_usd=5)


def chapters_of(path):
    shown = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", path]
    found = json.loads(subprocess.run(shown, capture_output=True, check=True).stdout)["chapters"]
    return [(float(one["start_time"]), float(one["end_time"]), one["tags"]["title"]) for one in found]


CHAPTERS = [(0, 1, "Scene 1"), (1, 2, "Out"), (2, 3, "Scene 3")]


# The file with its recipe.


def test_a_saved_film_comes_back_equal(film, client):
    """Scenes, cast and parameters are in the file alone; its clip is the file, its scenes' are the archive's."""
    path = film.save("out/morning.mp4")
    back = vidu.load(path)
    assert back == film
    assert (back.video.path, back.video.receipt.cost_usd) == (path, 1.5)
    assert [len(pictures) for pictures in back.cast.values()] == [2, 1, 1]
    back = back.replace(client=client)
    assert [clip.path for clip in back.videos] == [clip.path for clip in film.videos]
    assert back.video.path == film.video.path


def test_large_photographs_find_their_clips_again(client, studio):
    """Pictures that are sent with loss are known by the archive that sent them: nothing is paid for twice."""
    y, x = np.mgrid[:1200, :2000]
    noise = np.random.default_rng(3).integers(0, 99, (1200, 2000), np.uint8)
    large = np.stack([x // 9 + noise, y // 9 + noise, (x + y) // 17 + noise], -1).astype(np.uint8)
    film = vidu.Film(["@a waves.", "@a sits."], cast=vidu.Cast(a=large), client=client).shoot(confirm=True)
    assert film.cast["a"][0].url.startswith("data:image/jpeg")
    back = vidu.load(film.save("a.mp4")).replace(client=client)
    assert len(back.videos) == 2
    assert len(back.shoot(confirm=True).videos) == len(studio.posts) == 2


def test_chapters_and_recipe_are_in_every_copy(film):
    """Saved from the film or from its clip, and again from the copy: ffprobe shows the same."""
    copies = [film.save("a.mp4"), film.video.save("b.mp4"), vidu.load("a.mp4").video.save("c.mp4"),
              film.save("d.mp4", references=False)]  # fmt: skip
    for path in copies:
        assert chapters_of(path) == CHAPTERS
        recipe = json.loads(media.read_tags(path)[RECIPE_TAG])
        assert [scene["prompt"] for scene in recipe["film"]["scenes"]] == [scene.prompt for scene in film]
        assert recipe["film"]["scenes"][1]["clip"]["receipt"]["cost_usd"] == 0.5
        assert recipe["receipt"]["cost_usd"] == 1.5
    assert vidu.load("c.mp4") == film


def test_a_film_for_strangers_holds_no_pictures(film):
    """Without references no picture is in the file; what can't be made again loads as a clip that tells its scenes."""
    for save in (film.save, film.video.save):
        path = save("strangers.mp4", references=False)
        data = path.read_bytes()
        pictures = [one for many in film.cast.values() for one in many if not one.is_url]
        assert not any(one.url.partition(",")[2][:200].encode() in data for one in pictures)
        assert media.read_box(path, PICTURES_BOX) is None
        back = vidu.load(path)
        assert isinstance(back, vidu.Video)
        assert back.caption == "A morning · film of 3 scenes · 3 s · 127.0.0.1, $1.50".replace(
            "127.0.0.1", film.video.receipt.engine
        )
        assert back.recipe()["film"]["cast"]["anna"][0]["sha256"] == pictures[0].sha256
        assert "data:" not in json.dumps(back.recipe())


def test_a_cast_of_addresses_comes_back_without_its_box(client):
    """Where all pictures are behind addresses, a file for strangers gives the film back, without signatures."""
    cast = vidu.Cast(ben="https://example.com/ben.png?X-Amz-Signature=s3cret&X-Amz-Credential=c")
    film = vidu.Film(["@ben waits."], cast=cast, client=client).shoot(confirm=True)
    path = film.save("ben.mp4", references=False)
    assert b"s3cret" not in path.read_bytes()
    assert vidu.load(path).cast["ben"][0].url == "https://example.com/ben.png"


def test_numbers_of_other_libraries_can_be_saved(client, cast):
    """What NumPy made is written as JSON has it, and comes back equal."""
    seeds = np.array([3, 4])
    scenes = [vidu.Scene("@anna sits.", seed=seeds[1], bgm=np.bool_(False)), "@ben waits."]
    film = vidu.Film(
        scenes, cast=cast, seed=seeds[0], aspect_ratio=np.str_("1:1"), dissolve=np.float32(0), client=client
    )
    assert vidu.load(film.shoot(confirm=True).save("numbers.mp4")) == film


@pytest.mark.parametrize(
    "words", ["half of a letter \ud83d", "new\nlines\x00 and \x1b[31m", "猫 и кошка 🎬", '"}]' * 99]
)
def test_strange_words_can_be_saved(words, client, cast):
    """Whatever a person types as a title or a prompt is in the file, or refused before anything is paid for."""
    try:
        film = vidu.Film([vidu.Scene(f"@anna {words}", title=words)], cast=cast, title=words, client=client)
    except InvalidRequest:
        return
    film = film.shoot(confirm=True)
    for name in ("strange.mp4", "strange.png"):
        assert film.save(name).exists()
    assert vidu.load("strange.mp4") == film


def test_a_chain_has_a_step_for_each_scene(film):
    """How a film was made: what each scene asked, what it cost, and a request to make it again."""
    chain = film.video.chain()
    assert [step.prompt for step in chain] == [film.request(index).prompt for index in range(3)]
    assert chain.cost_usd == 1.5
    assert [step.request for step in chain] == [film.request(index) for index in range(3)]


def test_a_chain_of_continued_scenes_names_each_once(client, cast):
    """A last frame that another scene begins with remembers its clip: that is still one step."""
    scenes = ["@anna wakes up.", vidu.Scene("She leaves.", continues=True), vidu.Scene("And runs.", continues=True)]
    film = vidu.Film(scenes, cast=cast, client=client).shoot(confirm=True)
    assert vidu.load(film.save("chain.mp4")) == film
    assert len(film.video.chain()) == 3


# Where to.


@pytest.mark.parametrize("name", ["x.mov", "x.mp4.txt", "archive/x.mp4", "archive/films/x.png", "archive/x.otio"])
def test_a_wrong_place_is_refused_before_anything_is_joined(name, film, tmp_path):
    """Another ending, or a place inside the archive: nothing is joined and nothing written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidRequest) as caught:
        film.save(name)
    assert caught.value.field == "path"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("side", [0, -5, 15, 1921, 10**400, 20.5, "480", None, True, float("nan"), float("inf"), []])
def test_a_wrong_side_is_refused_before_anything_is_joined(side, film, tmp_path):
    """The sentence has the limits."""
    for save in (film.save, film.videos[0].save):
        with pytest.raises(InvalidRequest, match="pixels from 16 to 1920") as caught:
            save("x.gif", side=side)
        assert caught.value.field == "side"
    assert not (tmp_path / "x.gif").exists()
    assert not list((tmp_path / "archive" / "films").glob("*.mp4"))


def test_sides_of_other_libraries_are_numbers():
    """What is a whole number is one, whoever made it."""
    assert [checked_side(side) for side in (np.int64(320), np.float32(640), 16, 1920.0)] == [320, 640, 16, 1920]


def test_missing_scenes_are_named(plan):
    """A film that isn't paid for is saved in no form; the sentence says which scenes are missing."""
    for name in ("x.mp4", "x.gif", "x.png"):
        with pytest.raises(NotKept, match="3 of 3 scenes have no clip yet: 1, 2, 3"):
            plan.save(name)


def test_a_folder_and_an_old_file(film, tmp_path):
    """A folder gets the film under its name in the archive; an old file is replaced in one step."""
    assert film.save(f"{tmp_path}/new/") == (tmp_path / "new" / film.video.path.name).resolve()
    for name in ("old.mp4", "old.png", "old.gif"):
        Path(name).write_bytes(b"old")
        assert len(film.save(name).read_bytes()) > 1000
    assert not list(tmp_path.glob(".vidu-nb-*"))


def test_a_loaded_film_that_is_shot_again_has_its_new_clip(film, client, studio):
    """After another take the film's clip is joined anew: the file that it was loaded from has the old one."""
    back = vidu.load(film.save("old.mp4")).replace(client=client).shoot(fresh=[1], confirm=True)
    assert len(studio.posts) == 4
    assert back.video.path != Path("old.mp4").resolve()


# A joined clip among others.


def test_a_preview_of_a_film_says_what_it_is(plan):
    """Its caption reads as one, its badge shows, and it can be saved in every form that a clip can."""
    video = plan.replace(bgm=False, aspect_ratio="1:1").without(2).preview(quality="draft")
    assert video.caption == "A morning · film of 2 scenes · 10 s · draft preview, free"
    assert video.is_preview
    assert ">PREVIEW</span>" in video._repr_mimebundle_()["text/html"]
    assert [round(end) for _, end, _ in chapters_of(video.save("p.mp4"))] == [5, 10]
    assert isinstance(vidu.load("p.mp4"), vidu.Film)
    with Image.open(video.save("p.webp")) as picture:
        assert picture.size == (480, 480)


def test_a_caption_needs_no_file():
    """A clip that has gone, or never had a film's recipe, is called by its name."""
    assert vidu.Video(Path("gone.mp4")).caption == "gone.mp4"
    assert vidu.Video(Path("gone.mp4")).recipe() == {
        "format": 1,
        "made_with": vidu.Video(Path("x")).recipe()["made_with"],
    }


# Small animated pictures.


@pytest.mark.parametrize("ending", WRITERS)
def test_an_animated_film_lasts_as_long_and_tells_its_size(ending, film, capsys):
    """All scenes at 12 frames a second, 480 px at most; name, megabytes and pixels are printed."""
    path = film.save(f"film{ending}", side=100)
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.size) == (36, (100, 75))
    megabytes = path.stat().st_size / 1e6
    assert f"film{ending}: {megabytes:.1f} MB, 100x75 px, 12 frames a second" in capsys.readouterr().err


def test_every_scene_of_a_gif_has_its_own_colours(make_clip, tmp_path):
    """Scenes of one strong colour each stay as they are, however many others there are."""
    y, x = np.mgrid[:96, :128]
    hues = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1), (1, 0.5, 0), (0.5, 0, 1)])
    scenes = [[((x + y + 6 * i) % 224)[..., None] * hue for i in range(24)] for hue in hues]
    clip = make_clip("hues.mp4", [frame.astype(np.uint8) for scene in scenes for frame in scene], crf=4)
    alone = make_clip("hue.mp4", [frame.astype(np.uint8) for frame in scenes[3]], crf=4)
    chaptered = with_chapters(clip, tmp_path / "chaptered.mp4", len(hues))

    def error(path, first, original):
        found = []
        with Image.open(path) as picture:
            for number, frame in enumerate(list(vidu.Video(original).frames())[::2][:12]):
                picture.seek(first + number)
                found.append(np.abs(np.asarray(picture.convert("RGB"), int) - frame).mean())
        return np.mean(found)

    together = vidu.Video(chaptered).save("together.gif")
    single = vidu.Video(alone).save("single.gif")
    assert error(together, 36, alone) < error(single, 0, alone) + 1.5


def with_chapters(clip, target, count):
    """Copy a clip of one-second scenes with a chapter for each."""
    lines = [";FFMETADATA1"]
    lines += [f"[CHAPTER]\nTIMEBASE=1/1\nSTART={i}\nEND={i + 1}\ntitle=Hue {i}" for i in range(count)]
    notes = target.with_suffix(".txt")
    notes.write_text("\n".join(lines))
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", clip, "-i", notes, "-map_metadata", "1", "-c", "copy", target], check=True
    )
    return target


def test_a_long_film_takes_no_more_memory_than_a_short_one(make_clip, photo):
    """Frames are written as they come: of half a minute at most ten seconds are held at a time."""
    clip = make_clip("long.mp4", [np.roll(photo, 6 * i, axis=1) for i in range(6)] * 60, fps=12, sound=False)
    lengths = [len(stretch) for stretch in _stretches(clip, 480)]
    assert (sum(lengths), max(lengths)) == (360, 120)


# The sheet of posters.


def test_a_sheet_has_a_poster_for_each_scene(film):
    """A PNG with the scenes' own frames, in their order."""
    with Image.open(film.save("sheet.png")) as sheet:
        assert (sheet.format, sheet.width) == ("PNG", 1600)
        whole = np.asarray(sheet.convert("RGB"), int)
    poster = np.asarray(film.videos[0].poster(at=0.5), int)
    strip = poster.mean(axis=(0, 1))
    left, right = whole[300:500, 100:400].mean(axis=(0, 1)), whole[300:500, 800:1100].mean(axis=(0, 1))
    for found in (left, right):
        assert np.abs(found - strip).max() < 40


def test_a_loaded_film_makes_its_sheet_without_the_archive(film, monkeypatch, tmp_path):
    """Posters come from the film's own file, wherever it was brought."""
    back = vidu.load(film.save("film.mp4"))
    monkeypatch.setenv("VIDU_NB_ARCHIVE", str(tmp_path / "another"))
    assert back.save("sheet.png").exists()
    with pytest.raises(ViduError, match="3 of 3 scenes have no clip"):
        back.save("film.otio")
