"""What can be done with a clip: its place, its seed, its request as code, a copy of it, what goes on from it."""

from __future__ import annotations

import json

import pytest
from faults import clip
from panels import cards, fetched, keep, open_card, press, saved, send, shown, use
from PIL import Image

import vidu_nb as vidu
from vidu_nb.client.client import Client
from vidu_nb.films.clips import frame_after
from vidu_nb.panels.snippets import as_curl, as_python, as_requests
from vidu_nb.references.last_frame import LAST_FRAME
from vidu_nb.request import VideoRequest

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture
def panel(asked):
    """A panel with a clip, of the last seed that there is."""
    keep(VideoRequest(**asked, seed=999_999), clip("good"))
    made = vidu.panel(**asked, seed=999_999)
    made.preview()
    return made


def save_as(panel, name):
    """Ask for a copy under a name; gives the answer."""
    return use(panel, "save", name=name)


def test_a_click_plays_its_clip_and_the_cells_output_holds_it_too(asked):
    """The page gets size, texts and the whole file; the saved notebook has a player of its own."""
    keep(VideoRequest(**asked), clip("good"))
    panel = press(vidu.panel(**asked), "Preview")
    [played] = shown(panel)
    assert played["kind"] == "video"
    assert played["prompt"] == asked["prompt"]
    assert fetched(panel) == clip("good")
    assert "<video" in saved(panel)
    assert len(json.dumps(panel.get_state())) < 150_000


def test_pieces_are_of_what_is_shown_and_of_nothing_else(panel):
    """What was shown before, another place or another start is refused, and so is a file that has gone."""
    name = press(panel, "Preview")._result["id"]
    good = {"shown": name, "item": 0, "at": 0}
    assert not send(panel, "piece", **good)["refused"]
    for odd in (
        {"shown": "shown-0"}, {"shown": [name]}, {"item": 1}, {"item": -1}, {"item": "0"}, {"item": False},
        {"at": -1}, {"at": 0.5}, {"at": True}, {"at": None},
    ):  # fmt: skip
        answer = send(panel, "piece", **good | odd)
        assert answer["refused"], odd
        assert "bytes" not in answer
    assert send(panel, "piece", **good | {"at": 10**9})["refused"]
    assert send(panel, "piece", **good | {"at": 10**30})["refused"]
    panel.video.path.unlink()
    answer = send(panel, "piece", **good)
    assert answer["refused"]
    assert panel.video.path.name in answer["message"]


def test_the_next_seed_and_this_seed_go_into_the_form(panel):
    """The result's seed can be taken over, or the one after it."""
    panel.fill(seed=5)
    use(panel, "seed")
    assert panel.request.seed == 999_999
    use(panel, "next seed")
    assert panel.request.seed == 1


def test_before_there_is_a_clip_nothing_is_done_with_it(asked):
    """Each tool says so."""
    panel = vidu.panel(**asked)
    for tool in ("code", "save", "seed", "next seed", "continue", "film", "reference"):
        answer = use(panel, tool)
        assert (answer["refused"], answer["message"]) == (True, "nothing is shown yet")


# The request as code.


def test_code_is_written_when_it_is_asked_for(panel):
    """Nothing of the page holds any before; then the one that was chosen is in the answer, to be copied."""
    assert "SEGMIND_API_KEY" not in json.dumps(panel.get_state())
    [picture] = panel.request.references
    path = f"archive/references/{picture.sha256}.png"
    assert panel._tools["code"] == ["Python", "curl", "requests"]
    for language, make in {"Python": as_python, "curl": as_curl, "requests": as_requests}.items():
        code = use(panel, "code", language=language)["code"]
        assert code == make(panel.video.request, lambda _: path)
        assert path in code
    assert "SEGMIND_API_KEY" not in json.dumps(panel.get_state())


@pytest.mark.parametrize("language", [None, "COBOL", ["Python"], {}, 1])
def test_code_in_no_language_that_is_offered_is_refused(panel, language):
    """The answer says so and holds none."""
    answer = use(panel, "code", language=language)
    assert answer["refused"]
    assert "code" not in answer


def test_the_code_is_of_the_clip_that_is_shown(panel, asked):
    """After another clip has come, it is that one's."""
    keep(VideoRequest(**asked, seed=7), clip("another"))
    panel.fill(seed=7)
    panel.preview()
    assert '"seed": 7' in use(panel, "code", language="curl")["code"]
    open_card(panel, cards(panel)[1])
    assert '"seed": 999999' in use(panel, "code", language="curl")["code"]


# A copy.


def test_a_copy_is_saved_and_nothing_is_overwritten(panel, tmp_path):
    """Saving writes the recipe into the copy; a name that is taken is refused, files and folders stay as they are."""
    assert save_as(panel, "mine")["message"] == "Saved as mine.mp4"
    assert vidu.load(tmp_path / "mine.mp4").request == panel.request
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.mp4").write_text("mine")
    for name in ("mine", "folder.mp4", "file"):
        answer = save_as(panel, name)
        assert answer["refused"]
        assert "is there already" in answer["message"], name
    assert (tmp_path / "file.mp4").read_text() == "mine"
    assert list((tmp_path / "folder.mp4").iterdir()) == []


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_a_clip_is_saved_as_an_animated_picture_by_its_ending(asked, studio, monkeypatch, tmp_path, ending):
    """What the page offers can be written, and moves."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_key-for-a-studio")
    monkeypatch.setenv("SEGMIND_BASE_URL", studio.root)
    panel = press(vidu.panel(**asked), "Generate")
    assert ending in panel._tools["endings"]
    assert save_as(panel, f"wave{ending}")["message"] == f"Saved as wave{ending}"
    assert Image.open(tmp_path / f"wave{ending}").n_frames > 5


@pytest.mark.parametrize("name", ["", " ", None, 7, ["mine"]])
def test_a_copy_needs_a_name(panel, tmp_path, name):
    """What is none is asked for, and nothing is written."""
    assert save_as(panel, name)["message"] == "name a file first"
    assert list(tmp_path.glob("*.mp4")) == []


@pytest.mark.parametrize(
    "name",
    ["/", ".", "..", "~nobody-of-this-name/x", "a\0b", "x" * 5000, "/dev/null/x", "no/such/folder/x.mp4", "a\ud83c"],
    ids=lambda name: name[:24].replace("\0", "NUL").encode("ascii", "replace").decode(),
)
def test_an_odd_name_for_a_copy_is_answered(panel, name):
    """Whatever stands in "Save as", the panel says what came of it."""
    answer = save_as(panel, name)
    assert answer["message"].startswith("Saved as ") != answer["refused"]
    assert "an error in Python" not in answer["message"]


@pytest.mark.usefixtures("paid")
def test_a_saved_copy_tells_what_its_clip_cost(asked):
    """A copy of a clip that was brought back carries the receipt of its making, not that of a replay for nothing."""
    panel = vidu.panel(**asked)
    made = panel.generate().receipt
    panel.generate()
    save_as(panel, "copy")
    assert vidu.load("copy.mp4").receipt == made


# What goes on from it.


def test_going_on_from_the_last_frame_is_what_a_films_continuing_scene_asks_for(asked, photo):
    """The frame is the very one: what either of them has paid for, the other finds."""
    panel = press(vidu.panel(**asked), "Preview")
    client = Client.preview()
    film = vidu.Film(
        [asked["prompt"], vidu.Scene("It ends.", continues=True)],
        references=photo, aspect_ratio="1:1", bgm=False, client=client,
    )  # fmt: skip
    frame = frame_after(panel.video, client)
    use(panel, "continue")
    assert panel.message == "The last frame is the first reference picture: write what happens next."
    assert [one.label for one in panel.request.references] == [LAST_FRAME, "picture"]
    panel.fill(prompt=panel.request.prompt.replace(asked["prompt"], "It ends."))
    assert panel.request == film.request(1, frame=frame)
    assert panel.request.references[0].sha256 == frame.sha256
    use(panel, "continue")
    assert len(panel.request.references) == 2, "it is there already"
    assert panel.request.prompt == "Begin with the last frame (image 1). It ends."


def test_a_paid_clips_last_frame_is_its_own_whoever_is_asked_next(asked, studio, monkeypatch):
    """Also in a panel that has no key any more, the frame is taken from the clip's file, never drawn by the preview."""
    monkeypatch.setenv("SEGMIND_API_KEY", "SG_key-for-a-studio")
    monkeypatch.setenv("SEGMIND_BASE_URL", studio.root)
    paid_for = vidu.panel(**asked).generate()
    expected = frame_after(paid_for, Client())
    monkeypatch.delenv("SEGMIND_API_KEY")
    monkeypatch.delenv("SEGMIND_BASE_URL")
    for client in (None, Client.preview()):
        panel = vidu.panel(**asked, client=client)
        panel._open(paid_for)
        use(panel, "continue")
        assert panel.request.references[0].sha256 == expected.sha256


def test_a_model_without_pictures_says_that_nothing_goes_on_from_a_frame(panel):
    """The form stays as it is."""
    panel.model = "sdxl1.0-txt2img"
    before = panel.request
    use(panel, "continue")
    assert "takes no reference pictures to continue from" in panel.message
    assert panel.request == before


def test_a_full_tray_makes_place_for_the_frame(panel):
    """The last picture goes: a model takes no more."""
    panel.fill(references=[f"https://example.com/{number}.png" for number in range(7)])
    use(panel, "continue")
    assert [one.label for one in panel.request.references][:2] == [LAST_FRAME, "0.png"]
    assert len(panel.request.references) == 7


def test_a_damaged_clip_has_no_last_frame_and_the_panel_says_so(panel):
    """The answer names what is wrong, and the form stays."""
    keep(panel.request.replace(seed=5), b"no video", engine="segmind", name="broken")
    broken = vidu.Video(next((panel.video.path.parents[1] / "segmind").glob("*.mp4")), panel.request)
    before = panel.request
    panel._seen = broken
    answer = use(panel, "continue")
    assert answer["refused"]
    assert "an error in Python" not in answer["message"]
    assert panel.request == before


# A film of them.


def test_clips_become_scenes_of_a_film(asked):
    """`panel.film` asks for the very same, finds what is kept, and its storyboard opens; no mention is read into it."""
    panel = vidu.panel(**asked)
    assert panel.film is None
    made = []
    for prompt, seed in (("Write to me@example.com.", 1), ("@home alone.", 2)):
        panel.fill(prompt=prompt, seed=seed)
        made.append(panel.preview())
        use(panel, "film")
    assert panel.message == "Scene 2 of panel.film: vidu.panel(panel.film) opens it."
    assert [panel.film.request(place) for place in range(2)] == [one.request for one in made]
    assert len(panel.film) == 2
    opened = vidu.panel(panel.film)
    assert opened.film == panel.film


def test_a_clip_with_a_cast_becomes_a_scene_with_its_pictures(photo):
    """Who was mentioned is in the scene as the pictures that were sent, so that its clip is found again."""
    cast = vidu.Cast(anna=[photo, photo[::-1].copy()], cafe=photo[:, ::-1].copy())
    panel = vidu.panel("@anna in the @cafe.", cast, aspect_ratio="1:1", bgm=False)
    made = panel.preview()
    use(panel, "film")
    assert panel.film.request(0) == made.request


def test_a_film_that_was_changed_gets_the_next_scene(panel):
    """Title, cast and parameters that a person has given it stay."""
    use(panel, "film")
    panel.film = panel.film.replace(title="Waves", dissolve=0.5)
    use(panel, "film")
    assert (panel.film.title, panel.film.dissolve, len(panel.film)) == ("Waves", 0.5, 2)


def test_scenes_of_several_models_stand_in_one_film(panel):
    """Each asks its own model."""
    use(panel, "film")
    panel.model = "wan2.7-r2v"
    panel.preview()
    use(panel, "film")
    assert panel.film.request(1) == panel.request
    assert panel.film.request(0).model != panel.film.request(1).model


def test_pictures_make_no_film():
    """The tool says so."""
    panel = vidu.panel("A cat", model="sdxl1.0-txt2img", img_width=512, img_height=512)
    panel.preview()
    assert use(panel, "film")["message"] == "only clips make a film"
    assert panel.film is None
