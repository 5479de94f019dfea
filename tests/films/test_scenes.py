"""`Scene`: an immutable value that is told from others, copied and changed."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.films.scene import Scene

CAT = "https://example.com/cat.png"


def test_a_scene_does_not_change():
    """Its attributes can be neither set nor removed, and what its caller holds is not held by it."""
    pictures = [CAT]
    scene = Scene("A cat.", references=pictures, seed=7)
    pictures.append("https://example.com/dog.png")
    scene.parameters["seed"] = 8
    assert scene.parameters == {"references": [CAT], "seed": 7}
    for change in (lambda: setattr(scene, "prompt", "A dog."), lambda: delattr(scene, "prompt")):
        with pytest.raises(AttributeError, match="doesn't change"):
            change()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_scene_survives_copies(again):
    """Copied, copied deeply and pickled it is the same."""
    scene = Scene("A cat.", title="One", continues=True, take=2, model="wan2.7-r2v", seed=7)
    assert again(scene) == scene
    assert hash(again(scene)) == hash(scene)


def test_scenes_with_arrays_can_be_compared():
    """Arrays are told from one another, and numbers of NumPy count as what they are."""
    picture = np.zeros((200, 200, 3), np.uint8)
    assert Scene("A", references=picture) == Scene("A", references=picture)
    assert Scene("A", references=picture) != Scene("A", references=picture + 1)
    assert Scene("A", seed=np.int64(7)) == Scene("A", seed=7)
    assert repr(Scene("A", seed=np.int64(7))) == "Scene('A', seed=7)"


def test_pictures_that_come_once_are_kept():
    """A generator can be read once, and the scene may go into two films."""
    scene = Scene("A cat.", references=(one for one in [CAT]))
    films = [vidu.Film([scene]), vidu.Film([scene])]
    assert films[0] == films[1]


def test_a_changed_scene_is_made_of_the_newest_take_again():
    """A take's number counts the takes of one request; a title asks for nothing else."""
    scene = Scene("A cat.", take=2)
    assert [scene.replace(**change).take for change in ({"title": "One"}, {"seed": 7}, {"seed": 7, "take": 1})] == [
        2,
        None,
        1,
    ]


def test_none_gives_a_default_back():
    """Parameters become the film's again, and a scene's own things what they are without a word."""
    scene = Scene("A cat.", title="One", continues=True, take=2, model="wan2.7-r2v", seed=7)
    assert scene.replace(title=None, continues=None, take=None, model=None, seed=None) == Scene("A cat.")
    with pytest.raises(errors.InvalidRequest, match="prompt: NoneType is no text"):
        scene.replace(prompt=None)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"prompt": 7}, "prompt: int is no text"),
        ({"title": b"x"}, "title: bytes is no text"),
        ({"continues": 1}, "continues: 1 is neither True nor False"),
        ({"take": 0}, "take: 0 is no number of a take"),
        ({"take": True}, "take: True is no number of a take"),
        ({"take": "x" * 5000}, "take: 'xxx"),
        ({"model": "no-such-model"}, "no-such-model"),
    ],
)
def test_what_is_wrong_is_named(parameters, says):
    """The message names the parameter and the value, and is one short line."""
    with pytest.raises(errors.InvalidRequest) as caught:
        Scene(**{"prompt": "A cat."} | parameters)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400
