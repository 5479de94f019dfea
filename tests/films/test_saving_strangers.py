"""Films that strangers send: whatever stands in a file's recipe, it loads as a film or as a clip, and opens nothing."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.errors import ViduError
from vidu_nb.films.loading import film_from
from vidu_nb.recipe import PICTURES_BOX, RECIPE_TAG

URL = "https://example.com/a.png"
NOTE = {"name": "a", "size": None, "sha256": "0" * 64, "url": URL}
SCENE = {"prompt": "@a waves.", "title": "One", "continues": False, "parameters": {}}
FILM = {
    "title": "A film", "music": "clips", "dissolve": 0.0, "parameters": {"seed": 3}, "cast": {"a": [NOTE]},
    "scenes": [SCENE, {**SCENE, "continues": True, "take": 2}],
}  # fmt: skip
WAN = {**FILM, "model": "wan2.7-r2v", "parameters": {}}


def file_of(clip, facts, *, name="film.mp4", box=None, version=1):
    path = Path(name).absolute()
    text = facts if isinstance(facts, str) else json.dumps({"format": version, "film": facts})
    media.write_tags(clip, path, {RECIPE_TAG: text})
    if box is not None:
        media.append_box(path, PICTURES_BOX, box if isinstance(box, bytes) else json.dumps(box).encode())
    return path


def changed(facts, *path, value):
    """The same facts with one of them changed."""
    copy = json.loads(json.dumps(facts))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copy


def test_what_the_others_are_made_of_is_a_film(small_clip):
    """The facts that these tests spoil are good ones."""
    film = vidu.load(file_of(small_clip, FILM))
    assert isinstance(film, vidu.Film)
    assert (film.title, len(film), film[1].take, film.parameters) == ("A film", 2, 2, {"seed": 3})
    assert isinstance(film_from(WAN, None), vidu.Film)


DEEP = "[" * 100_000
MANGLED = {
    "no facts": None, "a list": [], "a text": "film", "no scenes": {**FILM, "scenes": []},
    "scenes of text": {**FILM, "scenes": "abc"}, "scenes as a mapping": {**FILM, "scenes": {"0": SCENE}},
    "a million scenes": json.dumps({"format": 1, "film": FILM}).replace(json.dumps(SCENE), ",".join(["0"] * 1_000_000)),
    "201 scenes": {**FILM, "scenes": [SCENE] * 201},
    "nested": '{"format": 1, "film": ' + DEEP,
    "nested parameters": json.dumps({"format": 1, "film": FILM}).replace("3}", DEEP + "}"),
    "prompt of the wrong type": changed(FILM, "scenes", 0, "prompt", value=["@a"]),
    "huge prompt": changed(FILM, "scenes", 0, "prompt", value="@a " * 1_000_000),
    "prompt of many names": {**FILM, "cast": {f"n{i}": [NOTE] for i in range(9_000)},
                             "scenes": [{**SCENE, "prompt": "@n1 " * 9_000}] * 200},
    "a first scene that continues": changed(FILM, "scenes", 0, "continues", value=True),
    "continues of the wrong type": changed(FILM, "scenes", 1, "continues", value="yes"),
    "an unknown model": {**FILM, "model": "nobody's"}, "a model's path": {**FILM, "model": "/etc/passwd"},
    "a model of pictures": {**FILM, "model": "sdxl1.0-txt2img"},
    "a scene's unknown model": changed(FILM, "scenes", 0, "model", value="nobody's"),
    "dissolve as a text": {**FILM, "dissolve": "1"}, "a long dissolve": {**FILM, "dissolve": 1e9},
    "NaN": json.dumps({"format": 1, "film": {**FILM, "dissolve": float("nan")}}),
    "take 0": changed(FILM, "scenes", 0, "take", value=0),
    "take NaN": changed(FILM, "scenes", 0, "take", value=float("nan")),
    "a client": changed(FILM, "parameters", "client", value={"is_free": True}),
    "a strange parameter": changed(FILM, "parameters", "surprise", value=1),
    "a scene's client": changed(FILM, "scenes", 0, "parameters", value={"client": 5}),
    "nobody's name": {**FILM, "cast": {}}, "a cast as a list": {**FILM, "cast": [NOTE]},
    "a cast of text": {**FILM, "cast": {"a": "/etc/passwd"}}, "a name with spaces": {**FILM, "cast": {"a b": [NOTE]}},
    "a path as a picture": {**FILM, "cast": {"a": [{**NOTE, "url": "/etc/passwd"}]}},
    "a file address": {**FILM, "cast": {"a": [{**NOTE, "url": "file:///etc/passwd"}]}},
    "a path as references": changed(FILM, "parameters", "references", value="/etc/passwd"),
    "paths as references": changed(FILM, "scenes", 0, "parameters", value={"references": ["/etc/passwd"]}),
    "paths by the API's name": changed(FILM, "scenes", 0, "parameters", value={"image_urls": ["/etc/passwd"]}),
    "half a letter": changed(FILM, "scenes", 0, "prompt", value="@a \ud83d"),
}  # fmt: skip


@pytest.mark.parametrize("what", MANGLED)
def test_a_mangled_film_loads_as_a_clip(what, small_clip):
    """The clip plays, shows and captions itself, within a moment, and its recipe can be looked at."""
    started = time.monotonic()
    video = vidu.load(file_of(small_clip, MANGLED[what]))
    assert isinstance(video, vidu.Video)
    assert video.caption
    assert video._repr_mimebundle_()["text/html"]
    assert isinstance(video.recipe(), dict)
    assert list(video.chain()) == []
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    "box", [b"", b"{}", b"[1]", b'["/etc/passwd"]', b"[" * 100_000, ["data:image/png;base64,AAAA"], [None] * 9, [[]]]
)
def test_mangled_pictures_make_no_film(box, small_clip):
    """Whatever stands where the cast's pictures should be, the clip loads."""
    facts = {**FILM, "cast": {"a": [{**NOTE, "url": None}]}}
    assert isinstance(vidu.load(file_of(small_clip, facts, box=box)), vidu.Video)


def test_a_newer_film_says_upgrade(small_clip):
    """A film that a later version wrote is not half understood."""
    with pytest.raises(ViduError, match=r"film\.mp4 has a recipe of format 2\. Upgrade vidu-nb"):
        vidu.load(file_of(small_clip, FILM, version=2))


def test_music_of_another_machine_is_not_looked_for(small_clip):
    """A path as music is no path here: such a film has its clips' own sound."""
    assert vidu.load(file_of(small_clip, {**FILM, "music": "/etc/passwd"})).music == "clips"
    assert vidu.load(file_of(small_clip, {**FILM, "music": "file"})).music == "clips"


def test_a_take_that_nobody_has_is_told_when_it_is_asked_for(small_clip):
    """An absurd take makes a film; its clips are simply not there."""
    film = vidu.load(file_of(small_clip, changed(FILM, "scenes", 1, "take", value=10**9)))
    assert film[1].take == 10**9
    assert film.videos == []


def test_a_picture_with_a_films_recipe_is_a_picture(encoded, tmp_path):
    """A film needs a video's file."""
    from vidu_nb.image_file import write_text

    path = tmp_path / "a.png"
    path.write_bytes(write_text(encoded(256, 192), RECIPE_TAG, json.dumps({"format": 1, "film": FILM})))
    assert isinstance(vidu.load(path), vidu.Picture)


# Nothing is opened.


class Watch:
    """Which files were opened and which hosts were asked for while it watches; a hook can't be taken off again."""

    def __init__(self):
        self.seen = None
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        """Note what is opened."""
        if self.seen is not None and event in (
            "open",
            "socket.connect",
            "socket.getaddrinfo",
            "os.listdir",
            "subprocess.Popen",
        ):
            self.seen.append(str(arguments[0]))

    def __enter__(self):
        self.seen = []
        return self.seen

    def __exit__(self, *_):
        self.seen = None


@pytest.fixture(scope="module")
def watch():
    """See `Watch`."""
    return Watch()


SECRET = __file__  # it is there, and would be opened to see what it holds
PLACES = [
    (WAN, ("parameters", "reference_videos"), [SECRET]), (WAN, ("parameters", "reference_images"), [SECRET]),
    (FILM, ("parameters", "references"), SECRET), (FILM, ("parameters", "image_urls"), [SECRET]),
    (FILM, ("music",), SECRET), (FILM, ("model",), SECRET), (FILM, ("title",), SECRET),
    (FILM, ("scenes", 0, "model"), SECRET), (FILM, ("cast", "a"), [{**NOTE, "url": SECRET}]),
    (FILM, ("cast", "a"), [{**NOTE, "name": SECRET}]), (FILM, ("cast", "a"), SECRET),
    (FILM, ("cast", "a"), [{**NOTE, "made_by": {"request": {"prompt": SECRET}}}]),
]  # fmt: skip


def every_media_parameter():
    """Facts in which a scene of each model gets a path for each of its pictures, from the film or for itself."""
    for slug, model in vidu.models.items():
        for field in model.media:
            for name in {field.name, field.parameter}:
                for value in (SECRET, [SECRET], {"url": SECRET}, [{**NOTE, "url": SECRET}]):
                    scene = {**SCENE, "model": slug}
                    yield {**FILM, "scenes": [scene], "parameters": {name: value}}
                    yield {**FILM, "scenes": [{**scene, "parameters": {name: value}}], "parameters": {}}


def test_no_path_and_no_address_is_opened(watch):
    """Wherever a path or an address may stand, it stays a text."""
    vidu.models.get("none")
    film_from(FILM, None)
    for facts in [*(changed(facts, *place, value=value) for facts, place, value in PLACES), *every_media_parameter()]:
        with watch as seen:
            film_from(facts, [SECRET] * 9)
        assert not [one for one in seen if SECRET in one or "example.com" in one], facts


# Any JSON.

TEXTS = st.sampled_from(
    ["", "@a", "@", "/etc/passwd", URL, "data:image/png;base64,AAAA", "NaN", "\ud83d", "prompt", "client"]
)
KEYS = TEXTS | st.sampled_from(sorted({**FILM, **SCENE, **NOTE}))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=9,
)


@st.composite
def spoilt(draw):
    """A film's facts with a few of them replaced by any JSON, at any depth."""
    facts = json.loads(json.dumps(draw(st.sampled_from([FILM, WAN]))))
    for _ in range(draw(st.integers(1, 3))):
        inner = facts
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], dict | list) and draw(st.booleans()):
                inner = inner[key]
                continue
            inner[key] = draw(JSON)
            break
        if isinstance(inner, dict) and draw(st.booleans()):
            inner[draw(TEXTS)] = draw(JSON)
    return facts


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(facts=JSON | spoilt(), box=JSON)
def test_any_json_is_a_film_or_none(facts, box):
    """Nothing that a file may hold raises, and a film that is made of it shows itself and makes its requests."""
    film = film_from(facts, box if isinstance(box, list) else None)
    if film is not None:
        assert repr(film)
        assert [film.request(index).key() for index in range(len(film))]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(facts=JSON | spoilt())
def test_any_recipe_loads(facts, small_clip):
    """A file with any recipe loads, captions itself and tells what it holds, or says our own error."""
    media_file = file_of(small_clip, json.dumps({"format": 1, "film": facts}))
    loaded = vidu.load(media_file)
    video = loaded.video if isinstance(loaded, vidu.Film) else loaded
    assert video.caption
    assert isinstance(video.recipe(), dict)
    assert isinstance(list(video.chain()), list)
    json.dumps(video.recipe())
    assert video.save("again.mp4").exists()
