"""`Film`: an immutable value of scenes, and what it asks for."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.films.film import Film
from vidu_nb.films.scene import Scene

CAT = "https://example.com/cat.png"
DOG = "https://example.com/dog.png"


def walls(*scenes, **parameters):
    """A film over one picture."""
    return Film(list(scenes) or ["A wall.", "A door.", "A roof."], **{"references": CAT} | parameters)


def words(film):
    """The scenes' prompts."""
    return [scene.prompt for scene in film]


def test_a_film_does_not_change():
    """Nothing of it can be set or removed, and its caller's lists and mappings are not held by it."""
    scenes = ["A wall."]
    film = walls(*scenes)
    scenes.append("A door.")
    film.parameters["seed"] = 7
    assert (len(film), list(film.parameters)) == (1, ["references"])
    for change in (lambda: setattr(film, "title", "x"), lambda: delattr(film, "title")):
        with pytest.raises(AttributeError, match="doesn't change"):
            change()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_film_survives_copies(again):
    """Copied, copied deeply and pickled it is the same film; a pickle holds no client, and with it no key."""
    client = vidu.Client("SG_invented-key-0123", "http://127.0.0.1:9")
    film = walls("A wall.", Scene("A door.", continues=True), title="Two", seed=7, client=client)
    assert again(film) == film
    assert hash(again(film)) == hash(film)
    assert b"SG_invented" not in pickle.dumps(film)


def test_equal_films_ask_for_the_same():
    """Words, order, sound and parameters count; who is asked, and what is known of clips, doesn't."""
    film = walls(seed=7)
    client = vidu.Client("SG_invented-key-0123", "http://127.0.0.1:9")
    assert film == walls(seed=7, client=client) == film.priced(client)
    others = [film.replace(0, prompt="A"), film.move(0, 1), film.replace(music="none"), film.replace(seed=8), "a film"]
    assert all(film != other for other in others)


def test_scenes_are_changed_by_place_and_the_film_by_name():
    """A changed film is a new one; None takes a parameter away, and gives what is the film's own its default."""
    film = walls(title="Three", seed=7, dissolve=1, music="none", cast={"anna": CAT})
    assert words(film.replace(-1, prompt="A sky.")) == ["A wall.", "A door.", "A sky."]
    assert film.replace(1, seed=8)[1].parameters == {"seed": 8}
    assert film.replace(1, seed=8).replace(1, seed=None) == film
    plain = film.replace(title=None, seed=None, dissolve=None, music=None, cast=None, model=None, client=None)
    assert plain == walls()
    assert film.replace(scenes=["A sky."]) == film.replace(scenes="A sky.")
    with pytest.raises(errors.InvalidRequest, match="scene 2: "):
        film.replace(1, prompt=None)


def test_scenes_are_inserted_moved_and_taken_out_as_in_a_list():
    """Places count from 0, negative ones from the end."""
    film = walls("A", "B", "C")
    assert words(film.insert(1, "X")) == ["A", "X", "B", "C"]
    assert words(film.insert(-1, Scene("X"))) == ["A", "B", "X", "C"]
    assert words(film.insert(99, "X")) == words(film.append("X")) == ["A", "B", "C", "X"]
    assert words(film.move(0, -1)) == ["B", "C", "A"]
    assert words(film.move(-1, 0)) == ["C", "A", "B"]
    assert words(film.without(0, -1)) == ["B"]
    assert words(film.without(np.int64(1))) == ["A", "C"]
    assert film.without() == film


def test_a_part_of_a_film_is_a_film():
    """A slice has the same cast, parameters and client, and so the same clips."""
    client = vidu.Client("SG_invented-key-0123", "http://127.0.0.1:9")
    film = walls("A", "B", Scene("C", continues=True), seed=7, title="Three", client=client)
    assert film[1:] == film.without(0)
    assert film[1:].client is client
    assert words(film[:2]) == ["A", "B"]
    with pytest.raises(errors.InvalidRequest, match="continues"):
        film[2:]
    with pytest.raises(errors.InvalidRequest, match="scenes: 0 given"):
        film[3:]


@pytest.mark.parametrize("act", [
    lambda film: film[3], lambda film: film[-4], lambda film: film.replace(3, seed=1), lambda film: film.move(3, 0),
    lambda film: film.move(0, 3), lambda film: film.without(3), lambda film: film.request(3),
    lambda film: film.model_of(3), lambda film: film.takes(3),
])  # fmt: skip
def test_a_place_that_is_not_there_is_told(act):
    """As Python's own sequences do, with the film's length."""
    with pytest.raises(IndexError, match="the film has 3 scenes"):
        act(walls())


@pytest.mark.parametrize("act", [
    lambda film: film.without(0), lambda film: film.move(0, 1), lambda film: film.insert(0, Scene("X", continues=True)),
    lambda film: film.replace(0, continues=True),
])  # fmt: skip
def test_the_first_scene_continues_nothing(act):
    """The message says what to do."""
    film = walls("A", Scene("B", continues=True))
    with pytest.raises(
        errors.InvalidRequest, match=r"scene 1: continues: there is no scene before it.*continues=False"
    ):
        act(film)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"scenes": None}, "scenes: NoneType is no list of scenes"),
        ({"scenes": []}, "scenes: 0 given"),
        ({"scenes": ("A wall." for _ in iter(int, 1))}, "scenes: more than 200 given"),
        ({"scenes": ["A wall.", 7]}, "scene 2: prompt: int is no text"),
        ({"scenes": ["A wall.", ["A"]]}, "scene 2: prompt: list is no text"),
        ({"scenes": ["A wall.", ""]}, "scene 2: prompt: "),
        ({"scenes": ["A wall.", Scene("A", seed="x")]}, "scene 2: seed: "),
        ({"scenes": ["A wall.", Scene("A", references=7)]}, "scene 2: references"),
        ({"scenes": ["A wall.", Scene("A", references="no such.png")]}, "scene 2: references"),
        ({"scenes": ["A wall.", Scene("A", colour=1)]}, "scene 2: colour: unknown parameter"),
        ({"scenes": ["A wall.", "@anna waves."]}, "scene 2: .*anna"),
        ({"scenes": ["A wall.", Scene("A", model="sdxl1.0-txt2img")]}, "scene 2: model: .*returns no video"),
        ({"references": None}, "scene 1: references"),
        ({"seed": "x"}, "seed: "),
        ({"colour": 1}, "^colour: unknown parameter"),
        ({"prompt": "A"}, "^prompt: each scene has its own"),
        ({"title": 7}, "title: int is no text"),
        ({"music": 7}, "music: 7 is no sound file"),
        ({"music": ""}, "music: '' is no sound file"),
        ({"music": "no\0such.mp3"}, "music: "),
        ({"dissolve": "x"}, "dissolve: 'x' is not between"),
        ({"dissolve": float("nan")}, "dissolve: nan is not between"),
        ({"dissolve": -1}, "dissolve: -1 is not between"),
        ({"cast": 7}, "cast: "),
        ({"cast": {"an na": CAT}}, "cast: 'an na'"),
        ({"client": "x"}, "client: str is no Client"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(arguments, says):
    """The message names the scene and the parameter."""
    with pytest.raises(errors.InvalidRequest, match=says):
        Film(**{"scenes": ["A wall."], "references": CAT} | arguments)


def test_numbers_and_lists_of_any_kind_are_taken():
    """NumPy's numbers and arrays, generators and mappings."""
    picture = np.zeros((200, 200, 3), np.uint8)
    film = Film(
        (f"Shot {n}." for n in range(3)),
        references=(one for one in [picture]),
        seed=np.int64(7),
        dissolve=np.float32(0.5),
    )
    assert (len(film), film.dissolve, film.request(0).seed, len(film.request(2).references)) == (3, 0.5, 7, 1)
    assert film == Film([f"Shot {n}." for n in range(3)], references={"a": picture}, seed=7, dissolve=0.5)


def test_a_scene_s_own_pictures_take_the_place_of_the_film_s(photo):
    """Under whichever of the parameter's two names they were given."""
    film = walls(
        "A",
        Scene("B", image_urls=[DOG]),
        Scene("C", references=DOG),
        Scene("@anna", references=[]),
        cast={"anna": photo},
    )
    assert [[one.label for one in film.request(index).references] for index in range(4)] == [
        ["cat.png"], ["dog.png"], ["dog.png"], ["anna"],
    ]  # fmt: skip


def test_what_a_scene_continues_comes_before_its_cast(photo):
    """The frame is the first picture, the cast's come next, then those of all scenes."""
    film = walls("@anna waves.", Scene("@anna leaves.", continues=True), cast={"anna": photo})
    request = film.request(1)
    assert [one.label for one in request.references] == ["the last frame", "anna", "cat.png"]
    assert request.prompt == "Begin with the last frame (image 1). anna (image 2) leaves."


def test_a_scene_of_another_model_takes_what_that_knows():
    """The film's other parameters are left out there; what no model of it knows is refused."""
    film = walls("A wall.", Scene("A door.", model="wan2.7-r2v", resolution="720P"), movement_amplitude="small", seed=7)
    assert [film.request(index).model.slug for index in (0, 1)] == ["vidu-q1-reference-to-video", "wan2.7-r2v"]
    assert (film.request(0).movement_amplitude, film.request(1).seed) == ("small", 7)
    assert film.replace(resolution="720P").request(1).resolution == "720P"
    with pytest.raises(errors.InvalidRequest, match="resolution: unknown parameter"):
        film.without(1).replace(resolution="720P")


def test_a_parameter_of_another_models_is_read_once_as_well(tmp_path, encoded):
    """Though the film's own model doesn't know it."""
    path = tmp_path / "cat.png"
    path.write_bytes(encoded())
    film = walls("A wall.", Scene("A door.", first_frame=DOG, model=vidu.Model.from_toml(ONE_PICTURE)))
    film = film.replace(1, first_frame=None).replace(first_frame=path)
    path.unlink()
    assert film.append("A roof.").request(1).pictures[0].label == "cat.png"


WORDS_ALONE = """
slug = "words-alone"
title = "Words alone"
returns = "video"
price_usd = 0.2
source = "a test"
[fields.text]
type = "string"
role = "prompt"
required = true
[fields.length]
type = "integer"
role = "duration"
sure = false
"""

ONE_PICTURE = """
slug = "one-picture"
title = "One picture"
returns = "video"
price_usd = 0.2
source = "a test"
[fields.prompt]
type = "string"
role = "prompt"
required = true
[fields.first_frame]
type = "picture"
role = "picture"
required = true
"""


def test_a_model_without_pictures_makes_a_film_of_words():
    """Whatever it calls its prompt; what continues needs a picture, and that is told with the scene."""
    model = vidu.Model.from_toml(WORDS_ALONE)
    film = Film(["A wall.", "A door."], model=model, length="a while")
    assert [film.request(index).payload()["text"] for index in (0, 1)] == ["A wall.", "A door."]
    assert film.duration == 10
    with pytest.raises(errors.InvalidRequest, match="scene 2: continues: words-alone takes no picture"):
        film.replace(1, continues=True)


def test_a_model_of_one_picture_begins_with_it():
    """The frame goes where the picture goes."""
    model = vidu.Model.from_toml(ONE_PICTURE)
    film = Film([Scene("A wall.", first_frame=CAT), Scene("A door.", continues=True)], model=model)
    assert [film.request(index).pictures[0].label for index in (0, 1)] == ["cat.png", "the last frame"]
    assert film.replace(references=DOG).request(1) == film.request(1)
    with pytest.raises(errors.InvalidRequest, match="scene 2: continues: has all its pictures"):
        film.replace(1, first_frame=DOG)


def test_pictures_are_read_when_a_film_is_made_and_never_again(tmp_path, encoded):
    """A file that changes or goes changes no film that was made of it, nor those that are made of that one."""
    path = tmp_path / "cat.png"
    path.write_bytes(encoded())
    film = Film(["A wall.", Scene("A cat.", references=path)], references=path, cast={"cat": path})
    keys = [film.request(index).key() for index in (0, 1)]
    path.unlink()
    changed = film.replace(title="Two").append("A roof.").insert(0, "@cat.").without(0)
    assert [changed.request(index).key() for index in (0, 1)] == keys


def test_fifty_scenes_read_no_picture_twice(photo, monkeypatch):
    """Their number costs checks of words alone: not one more picture is decoded for fifty scenes than for two."""
    from vidu_nb.references import reference

    read = []
    monkeypatch.setattr(reference, "find", lambda source, find=reference.find: read.append(source) or find(source))
    scenes = [Scene(f"@anna, shot {number}.", continues=number > 0) for number in range(50)]
    film = Film(scenes, cast={"anna": photo}, references=photo)
    film.replace(7, seed=7).move(3, 4)
    assert len(read) <= 3  # the two, and the grey one that stands in for frames


def test_a_name_for_what_is_asked_counts_what_is_sent():
    """Words, order and pictures change it; music, titles and the choice of a take don't."""
    client = vidu.Client("SG_invented-key-0123", "http://127.0.0.1:9")
    film = walls("A", Scene("B", continues=True))
    same = [
        film.replace(music="none", title="Two", dissolve=1),
        film.replace(0, title="One", take=1),
        film.priced(client),
    ]
    other = [film.replace(0, prompt="X"), film.replace(1, continues=False), film.without(1), film.replace(seed=7)]
    assert {one.digest(client) for one in [film, *same]} == {film.digest(client)}
    assert len({one.digest(client) for one in [film, *other]}) == 5
    assert film.digest(client) != film.digest(vidu.Client.preview())
