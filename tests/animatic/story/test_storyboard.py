"""A prompt becomes shots: read where it speaks, drawn from the seed where it is silent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pytest
from common import ROOT
from hypothesis import given
from hypothesis import strategies as st

from vidu_nb.animatic.story.moves import MOVES, PACES, SIZES
from vidu_nb.animatic.story.script import clauses
from vidu_nb.animatic.story.storyboard import FPS, MIN_SHOT, Shot, Storyboard, plan
from vidu_nb.animatic.story.vocabulary import read_move, read_pace, read_size

SAMPLE = (
    "A middle-aged man sits on a wooden bench in a sunny park, reading an open hardcover book titled "
    "'Vidu Q1 Reference'. The camera gently zooms in on the book’s cover and pages showing technical content, then "
    "back to the man turning pages thoughtfully. Soft sunlight filters through the trees, blending the three reference "
    "images naturally into one smooth scene."
)


def board(prompt, names=("", "", ""), seed=1, duration=5, amplitude="auto"):
    size = {"width": 1920, "height": 1080, "duration": duration}
    return plan(prompt, list(names), **size, seed=seed, movement_amplitude=amplitude, bgm=True)


def pictures(storyboard):
    return [shot.picture for shot in storyboard.shots]


@given(prompt=st.text(max_size=400), count=st.integers(1, 7), seed=st.integers(0, 2**31), duration=st.integers(1, 10))
def test_any_text_gives_a_sound_plan(prompt, count, seed, duration):
    """Shots follow one another without gaps, fill the clip, and none is too short to be seen."""
    result = board(prompt, [""] * count, seed, duration)
    assert sum(shot.frames for shot in result.shots) == result.frames == duration * FPS
    assert [shot.start for shot in result.shots[1:]] == [shot.start + shot.frames for shot in result.shots[:-1]]
    assert min(shot.frames for shot in result.shots) >= min(MIN_SHOT, result.frames)
    assert set(pictures(result)) <= set(range(count))


@given(count=st.integers(1, 7), seed=st.integers(0, 999), words=st.sampled_from(["", "a cat", SAMPLE, "Go. " * 20]))
def test_five_seconds_show_every_picture(count, seed, words):
    """Up to seven references all appear, whatever the words."""
    assert set(pictures(board(words, [""] * count, seed))) == set(range(count))


def test_the_sample_prompt_reads_as_its_author_meant_it():
    """Man, book (a slow zoom in), back to the man, and the park."""
    shots = board(SAMPLE, ["park.jpg", "book.png", "man.webp"]).shots
    assert [shot.picture for shot in shots] == [2, 1, 2, 0]
    assert (shots[1].move, shots[1].pace) == ("zoom in", "slow")
    assert shots[2].text.startswith("then back to the man")


def test_the_service_page_s_own_request_has_this_plan():
    """The example of the model's page, its pictures named by hashes: man, slow zoom on the book, man, blend."""
    names = [
        "62d98e27-8538-4953-95e6-e93d4a544fc1-39a80c5a-c4c4-405f-88f4-30fd1a45d6c9.jpeg",
        "ac3266d0-271e-4e31-96a9-d31f26d8c22f-a052d794-4300-478d-8d99-5a10daf5200c.png",
        "777c247c-8073-4d47-ac64-53b5fa088aae-d9afc6d7-d3ca-4baa-8920-cb41b56ff0b8.jpeg",
    ]
    shots = board(SAMPLE, names, seed=42).shots
    told = [(shot.picture, shot.move, shot.pace, shot.size, shot.transition) for shot in shots]
    assert told == [
        (1, "pan right", "normal", "medium", "start"),
        (2, "zoom in", "slow", "wide", "cut"),
        (1, "tilt up", "normal", "wide", "dissolve"),
        (0, "orbit left", "slow", "wide", "dissolve"),
    ]
    assert [shot.frames for shot in shots] == [32, 33, 24, 31]


def test_a_plan_says_which_shot_is_on_and_for_how_long():
    """Every frame has its shot, and one that is dissolved away is seen for eight frames of the next as well."""
    result = board("A cat. Dissolve to a cup. Cut to a dog.", seed=2)
    assert [shot.transition for shot in result.shots] == ["start", "dissolve", "cut"]
    on = [number for number, shot in enumerate(result.shots) for _ in range(shot.frames)]
    assert [result.at(index) for index in range(result.frames)] == on
    lengths = [shot.frames for shot in result.shots]
    assert [result.span(number) for number in range(3)] == [lengths[0] + 8, *lengths[1:]]


def test_back_to_returns_to_the_picture_that_shared_its_words():
    """Without names, "back to the man" is whatever picture stood for the man before."""
    shown = pictures(board(SAMPLE))
    assert shown[2] == shown[0]
    assert len(set(shown)) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The first image is on a table", [0]),
        ("The 2nd reference image is on a table", [1]),
        ("Start on the last picture", [2]),
        ("The dog of image 3 runs", [2]),
        ("The dog of reference image two runs", [1]),
        ("The dog of @3 runs", [2]),
        ("My Old_Dogs are asleep", [1]),
        ("一只猫在睡觉", [2]),
        ("[@2] looks at @1", [1, 0]),
        ("<<<image_3>>> turns", [2]),
        ("Images 3 and 1 meet", [2, 0]),
        ("Image 2 and 3 dogs", [1]),
        ("The last and the first picture", [2, 0]),
    ],
)
def test_a_clause_leads_with_the_picture_that_it_names(text, expected):
    """By order, by number, or by a word of the file's name."""
    shown = pictures(board(text, ["table-cloth.jpg", "IMG_dog-02.png", "猫.webp"]))
    assert shown[: len(expected)] == expected


@pytest.mark.parametrize("word", ["café", "Ångström", "パン屋", "한국"])
@pytest.mark.parametrize(("of_name", "of_prompt"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFD", "NFD"), ("NFC", "NFC")])
def test_a_name_is_known_in_either_form_of_unicode(word, of_name, of_prompt):
    """An accent that is a character of its own, as in names from macOS, makes no other word."""
    names = ["dog.jpg", unicodedata.normalize(of_name, f"{word}.jpg"), "tree.jpg"]
    prompt = unicodedata.normalize(of_prompt, f"We see {word} at night.")
    assert {pictures(board(prompt, names, seed))[0] for seed in range(6)} == {1}


def test_a_name_of_two_words_beats_one_of_which_only_one_fits():
    """The blue car is the picture of the blue car, and not of the red one; letters in a hash are no words."""
    assert pictures(board("The blue car", ["red-car.jpg", "blue-car.jpg"]))[0] == 1
    names = ["add5bed0.jpg", "62d98e27-8538-4953-add5-e93d4a544fc1.jpg"]
    assert {pictures(board("Add a bed", names, seed))[0] for seed in range(9)} == {0, 1}


def test_words_of_the_camera_alone_stay_with_what_was_seen():
    """Such as "then tilt up": it is about the cat that was just spoken of, as another shot of it."""
    shots = board("Push in on the cat, then tilt up. Cut to a close-up.", ["roofs.jpg", "cat.jpg"]).shots
    assert [(shot.picture, shot.move) for shot in shots[:2]] == [(1, "push in"), (1, "tilt up")]
    assert (shots[2].picture, shots[2].size, shots[2].transition) == (1, "close-up", "cut")
    assert shots[3].picture == 0


def test_a_clause_with_two_pictures_shows_both():
    """One after the other, in the order of the words."""
    assert pictures(board("The cup of image 2 beside the cat of image 1", ["", ""])) == [1, 0]


def test_a_number_beyond_the_references_is_no_mistake():
    """The seventh image of two is passed over."""
    assert set(pictures(board("image 7 and image 2", ["", ""]))) == {0, 1}


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("the camera zooms in", "zoom in"),
        ("zooms slowly out", "zoom out"),
        ("a slow push-in", "push in"),
        ("the camera pulls back to reveal the city", "pull out"),
        ("Dolly out", "dolly out"),
        ("truck left", "truck left"),
        ("pan from left to right", "pan right"),
        ("the camera pans slowly to the left", "pan left"),
        ("the camera tilts up along the rocket", "tilt up"),
        ("tilting down", "tilt down"),
        ("the camera orbits the statue", "orbit"),
        ("an arc shot", "orbit"),
        ("static shot", "static"),
        ("the camera is locked off", "static"),
        ("she tilts her head", None),
        ("a frying pan on a red truck", None),
        ("he pushes the door open", None),
        ("whip pan to the dog", "whip pan right"),
        ("a whip-pan left", "whip pan left"),
        ("pedestal down over the table", "pedestal down"),
        ("the camera booms up", "crane up"),
        ("a statue on a pedestal", None),
        ("arc around the statue", "orbit"),
        ("handheld shot of a cat", "handheld"),
        ("the footage is handheld", "handheld"),
        ("Handheld, close-up of a cat", "handheld"),
        ("a handheld console on a table", None),
        ("zoom in while panning left", "zoom in + pan left"),
        ("the camera pans right and tilts up", "pan right + tilt up"),
        ("crane up as it pushes in", "crane up + push in"),
        ("tracking shot, handheld", "truck right + handheld"),
        ("zoom in and out", "zoom in"),
        ("zooms in on the way back", "zoom in"),
    ],
)
def test_camera_words_are_read_and_everyday_words_are_not(text, move):
    """The camera's verbs mean moves; pans for frying and trucks that drive do not."""
    assert read_move(text) == move


def test_the_documented_vocabulary_is_read_as_it_says():
    """Each example of the document's tables means what its first column says; no move is left out."""
    text = (ROOT / "docs" / "preview-engine.md").read_text(encoding="utf-8")
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in text.splitlines() if line.startswith("| ")]
    moves = {name: example for name, example in rows if all(part in MOVES for part in name.split(" + "))}
    assert {name for name in moves if name in MOVES} == set(MOVES)
    assert {name: read_move(example) for name, example in moves.items()} == {name: name for name in moves}
    for known, reader in ((SIZES, read_size), (PACES, read_pace)):
        said = {name: example for name, example in rows if name in known}
        assert len(said) >= 2
        assert {name: reader(example) for name, example in said.items()} == {name: name for name in said}


def test_sizes_and_paces_are_read():
    """Close-up, wide shot, slow and fast; nothing where nothing is said."""
    texts = ["an extreme close-up of an eye", "wide establishing shot", "medium shot", "a wide river"]
    assert [read_size(text) for text in texts] == ["close-up", "wide", "medium", None]
    assert [read_pace(text) for text in ("gently", "a quick pan", "a pan")] == ["slow", "fast", "normal"]


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("One cat. Two dogs! Three birds?", 3),
        ("A cat sleeps, then wakes, and finally runs away", 3),
        ("A cat sleeps; cut to the garden", 2),
        ("Now and then a cat looks up", 1),
        ("The camera pulls back to reveal a city", 1),
        ("一只猫在睡觉。然后它醒了", 2),
        ("Then it rains", 1),
        ("A cat, followed by a dog", 2),
        ("A cat; next, a dog", 2),
        ("A cat next to a dog", 1),
        ("A cat. Switch to the garden", 2),
        ("...", 1),
    ],
)
def test_shots_begin_where_the_words_say_so(prompt, count):
    """Sentences and words of sequence begin a shot; look-alikes do not."""
    assert len(clauses(prompt)) == count


def test_transitions_are_taken_by_their_word():
    """Where it says "cut to" it cuts, where it says "dissolve" it dissolves, and the first shot just starts."""
    shots = board("A cat. Cut to a dog. Dissolve to the moon", ["", "", ""]).shots
    assert [shot.transition for shot in shots] == ["start", "cut", "dissolve"]


def test_the_seed_decides_what_is_left_open_and_nothing_else():
    """Seeds differ in casting and moves; a move that was asked for stays."""
    boards = [board("The camera zooms in on it. Something else", ["", "", "", ""], seed) for seed in range(8)]
    assert len({result.shots for result in boards}) == 8
    assert {result.shots[0].move for result in boards} == {"zoom in"}


def test_amplitude_changes_no_choice():
    """Shots are the same at every amplitude: only how far they go differs."""
    assert len({board(SAMPLE, amplitude=name).shots for name in ("auto", "small", "medium", "large")}) == 1


def test_a_long_still_picture_gets_another_angle():
    """One picture for five seconds is shown in two sizes, unless the words ask for one move."""
    assert len({shot.size for shot in board("a cat", [""]).shots}) == 2
    assert len(board("slow zoom in on a cat", [""]).shots) == 1


def test_the_same_inputs_give_the_same_plan_in_another_process():
    """Whatever the process's hash seed is."""
    code = f"""
from vidu_nb.animatic.story.storyboard import plan
print(plan({SAMPLE!r}, ["", "", ""], width=1920, height=1080, duration=5, seed=1, movement_amplitude="auto", bgm=True))
"""
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "5", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert printed == f"{board(SAMPLE)}\n"


def test_a_storyboard_prints_as_a_table():
    """A row for each shot, with its time, picture, move and words."""
    lines = str(board(SAMPLE)).splitlines()
    assert len(lines) == 5
    assert lines[0].split()[:3] == ["shot", "time", "picture"]
    assert "zoom in (slow)" in lines[2]


def test_a_plan_does_not_depend_on_the_size_of_the_frame():
    """What is seen in a small frame is what will be seen in a large one."""
    plans = [
        plan(SAMPLE, ["", ""], width=w, height=h, duration=5, seed=3, movement_amplitude="auto", bgm=True).shots
        for w, h in ((1920, 1080), (540, 960), (320, 320))
    ]
    assert plans[0] == plans[1] == plans[2]


@pytest.mark.parametrize(
    "changes",
    [{"width": 321}, {"frames": 25}, {"amplitude": "huge"}, {"shots": ()}],
)
def test_an_unsound_storyboard_is_refused_when_it_is_made(changes):
    """Odd sizes, shots that do not fill the clip, and unknown amplitudes."""
    fields = {
        "shots": (Shot(0, 24, 0, "static", "wide", ""),),
        "width": 320, "height": 180, "frames": 24, "seed": 1, "amplitude": "auto", "bgm": False, "prompt": "",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"\w"):
        Storyboard(**{**fields, **changes})


def test_an_unknown_move_is_refused_by_name():
    """The message shows the bad value and the known ones."""
    with pytest.raises(ValueError, match="move='wobble' is none of static, push in"):
        Shot(0, 24, 0, "wobble", "wide", "")


SHOT = Shot(0, 24, 0, "static", "wide", "")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(SHOT, size="huge"), "size='huge' is none of wide"),
        (lambda: replace(SHOT, frames=0), "a shot of 0 frames: it needs at least one"),
        (lambda: Storyboard((SHOT, replace(SHOT, start=30)), 320, 180, 54, 1, "auto", False, ""),
         "starts at frame 30: it should follow the last one at 24"),
        (lambda: plan("A cat", [], width=320, height=180, duration=5, seed=1, movement_amplitude="auto", bgm=False),
         "needs at least one picture"),
    ],
    ids=["size", "frames", "gap", "pictures"],
)  # fmt: skip
def test_a_storyboard_that_can_not_be_filmed_is_refused_with_the_value(make, said):
    """Made by hand, it is checked like one that was read from a prompt."""
    with pytest.raises(ValueError, match=re.escape(said)):
        make()
