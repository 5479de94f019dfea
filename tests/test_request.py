"""The seven parameters: what is taken, and what is refused before anything is sent or written."""

from __future__ import annotations

import json
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from catalogues import vidu_with

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.request import FRAME_SIZES, MODEL, VideoRequest

URL = "https://example.com/cat.png"


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 300 300\n%%EndComments\nshowpage\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"/>'

REFUSED = [
    ("no prompt", {"prompt": ""}, "prompt", "is empty: say what happens"),
    ("a blank prompt", {"prompt": " \n\t"}, "prompt", "is empty"),
    ("prompt of another kind", {"prompt": 5}, "prompt", "5 is not text"),
    ("half a character", {"prompt": "a \ud83d cat"}, "prompt", "holds half a character .*: delete it"),
    ("1501 characters", {"prompt": "x" * 1501}, "prompt", "1,501 characters: the limit is 1,500"),
    ("no references", {"references": []}, "references", "pass one to 7 pictures"),
    ("None for references", {"references": None}, "references", "pass one to 7 pictures"),
    ("eight references", {"references": [URL] * 8}, "references", "8 given: pass at most 7"),
    ("endless references", {"references": iter(lambda: URL, 0)}, "references", "more than 7 given"),
    ("127 px", {"references": np.zeros((200, 127, 3), np.uint8)}, "references", "127x200 is too small.*128 px"),
    ("5:1", {"references": np.zeros((128, 640, 3), np.uint8)}, "references", "640x128 is too oblong: crop it"),
    ("no picture", {"references": b"hello" * 100}, "references", "text, not a picture: pass a path"),
    ("an EPS named .png", {"references": ("a.png", EPS)}, "references", "not a picture.*convert it"),
    ("an SVG named .png", {"references": ("a.png", SVG)}, "references", "not a picture.*convert it"),
    ("an empty file", {"references": ("a.png", b"")}, "references", "not a picture"),
    ("a missing file", {"references": "cats/nero.png"}, "references", "no file 'cats/nero.png': check the path"),
    ("a folder", {"references": "."}, "references", "is a folder: pass the picture's file"),
    ("an FTP URL", {"references": "ftp://example.com/a.png"}, "references", "'ftp' URLs are not taken"),
    ("a URL with half a character", {"references": "https://e.com/\ud800"}, "references", "control characters"),
    ("text that is nothing", {"references": "data:image/png;base64,%%%"}, "references", "not base64"),
    ("a number", {"references": 3}, "references", "a int is not a picture: pass a path"),
    ("ratio 4:3", {"aspect_ratio": "4:3"}, "aspect_ratio", "'4:3' is not one of 16:9, 1:1, 9:16"),
    ("seed -1", {"seed": -1}, "seed", "-1 is out of range: pass a whole number from 0 to 999999"),
    ("seed 1000000", {"seed": 1_000_000}, "seed", "1000000 is out of range"),
    ("seed 1.5", {"seed": 1.5}, "seed", "1.5 is not a whole number"),
    ("seed True", {"seed": True}, "seed", "True is not a whole number"),
    ("seed as text", {"seed": "7"}, "seed", "'7' is not a whole number"),
    ("duration 7", {"duration": 7}, "duration", "7 is not offered: pass 5"),
    ("duration as text", {"duration": "5"}, "duration", "'5' is not offered: pass the whole number 5"),
    ("amplitude huge", {"movement_amplitude": "huge"}, "movement_amplitude", "'huge' is not one of auto, small"),
    ("bgm as text", {"bgm": "no"}, "bgm", "'no' is not True or False"),
]


@pytest.mark.parametrize(("wrong", "field", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_wrong_parameter_is_refused_before_anything_happens(wrong, field, says, tmp_path):
    """A wrong parameter is told in one line that names it and the cure; nothing is sent and nothing is written."""
    if isinstance(wrong.get("references"), tuple):
        name, data = wrong["references"]
        (tmp_path / name).write_bytes(data)
        wrong = {"references": name}
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidRequest, match=says) as caught:
        vidu.preview(**{"prompt": "A cat", "references": URL} | wrong)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_parameter_is_refused_with_the_known_ones():
    """A misspelt parameter is named, and so are those that exist."""
    with pytest.raises(InvalidRequest, match=r"steps: unknown parameter; known are prompt, .*seed") as caught:
        VideoRequest(prompt="A cat", references=URL, steps=30)
    assert caught.value.field == "steps"


def test_all_problems_are_told_at_once():
    """Whoever got three things wrong learns of all three."""
    with pytest.raises(InvalidRequest) as caught:
        VideoRequest(prompt="", references=URL, seed=-1, bgm=1)
    assert [field for field, _ in caught.value.problems] == ["prompt", "seed", "bgm"]


def test_a_bomb_costs_neither_time_nor_memory(bomb, tmp_path):
    """A small file that claims ten gigapixels is refused by its header."""
    (tmp_path / "a.png").write_bytes(bomb)
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(InvalidRequest, match=r"references\[0\]: .*megapixels: shrink it"):
        vidu.preview("A cat", "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - started < 0.5
    assert peak < 10_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    "right",
    [
        {"prompt": "x" * 1500},
        {"prompt": "雨" * 1500},
        {"references": [URL] * 7},
        {"references": np.zeros((128, 512, 3), np.uint8)},
        {"seed": 0},
        {"seed": 999_999},
    ],
    ids=["1500 characters", "1500 wide characters", "7 references", "4:1", "seed 0", "seed 999999"],
)
def test_the_limits_themselves_are_allowed(right):
    """Each limit belongs to what is allowed."""
    assert VideoRequest(**{"prompt": "A cat", "references": URL} | right)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"seed": np.int64(7)}, 7),
        ({"seed": np.uint16(7)}, 7),
        ({"seed": np.float32(7)}, 7),
        ({"seed": 7.0}, 7),
        ({"seed": np.array(7)}, 7),
        ({"duration": np.int8(5)}, 5),
        ({"duration": np.float64(5)}, 5),
        ({"bgm": np.bool_(False)}, False),
        ({"bgm": np.array([1, 2]).max() == 2}, True),
    ],
    ids=lambda value: repr(value) if isinstance(value, dict) else "",
)
def test_numbers_of_numpy_are_numbers(given, taken):
    """A whole number is one whatever computed it, and so is a truth value; the request holds Python's own."""
    (name, _), = given.items()  # fmt: skip
    request = VideoRequest(prompt="A cat", references=URL, **given)
    assert (getattr(request, name), type(getattr(request, name))) == (taken, type(taken))
    assert json.loads(json.dumps(request.payload()))[name] == taken
    assert request == request.replace(**{name: taken})
    assert request.key() == VideoRequest(prompt="A cat", references=URL, **{name: taken}).key()


@pytest.mark.parametrize(
    "seed", [7.5, np.float32(7.5), np.bool_(True), True, np.nan, np.inf, np.array([7]), "7"], ids=repr
)
def test_what_is_no_whole_number_is_no_seed(seed):
    """A fraction, a truth value and a list are refused as before."""
    with pytest.raises(InvalidRequest, match=r"seed: .* is not a whole number: pass one from 0 to 999999"):
        VideoRequest(prompt="A cat", references=URL, seed=seed)


def test_prices_budgets_and_times_of_numpy_are_numbers(tmp_path):
    """Amounts that were computed are amounts, too."""
    budget = vidu.Budget(np.float32(1.5), tmp_path / "class.json")
    assert (budget.limit_usd, vidu.Budget(np.int64(2), tmp_path / "b.json").limit_usd) == (1.5, 2.0)
    client = vidu.Client("k" * 20, price_usd=np.float32(0.5), timeout=np.float32(60), budget=budget)
    assert (client.price_usd, client.timeout, type(client.timeout)) == (0.5, 60.0, float)
    assert vidu.Credits(2.0) > np.float32(1.5)
    assert vidu.Credits(2.0) == np.int64(2)
    with pytest.raises(InvalidRequest, match="not an amount"):
        vidu.Budget(np.bool_(True), tmp_path / "class.json")


@pytest.mark.parametrize("around", ["{}\n", "\r\n{}\r\n", "  {}\t", "\u3000{}\u2028"], ids=ascii)
def test_the_characters_that_are_sent_are_those_that_count(around):
    """White space around a prompt is neither sent nor counted."""
    prompt = around.format("x" * 1500)
    assert VideoRequest(prompt=prompt, references=URL).payload()["prompt"] == "x" * 1500
    body = {"prompt": prompt, "image_urls": [URL]}
    assert VideoRequest.from_payload(body).prompt == "x" * 1500
    with pytest.raises(InvalidRequest, match="has 1,501 characters: the limit is 1,500"):
        VideoRequest(prompt=around.format("x" * 1501), references=URL)


@pytest.mark.parametrize(
    "prompt",
    [
        "\u200b\ufeff", "\u2060", "\u00a0 \u202f", "\u2800\u2800", "\u3164", "\u115f\u1160\uffa0", "\u00ad",
        "\x00\x1b\x7f",
        "\u200e\u202a\u2069", "\ufe0f", "\u180e", "\U000e0020\U000e007f", "\u2028\u2029\x85", "\u034f \u200d",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_prompt_that_shows_nothing_is_empty(prompt):
    """What a screen shows as blank is refused before it is paid for, wherever it comes from."""
    for make in (
        lambda: VideoRequest(prompt=prompt, references=URL),
        lambda: VideoRequest.from_payload({"prompt": prompt, "image_urls": [URL]}),
    ):
        with pytest.raises(InvalidRequest, match="prompt: is empty: say what happens"):
            make()


@pytest.mark.parametrize(
    "prompt", ["…", "雨", "🌧", "👩‍👩‍👧", "é", "\u200bcat\u200b", "नमस्ते", "\u0600", "\ue000", "?"], ids=ascii
)
def test_a_prompt_that_shows_anything_is_taken_as_it_is(prompt):
    """Joiners inside of words and emoji belong to them, and are sent."""
    assert VideoRequest(prompt=prompt, references=URL).payload()["prompt"] == prompt


def test_ten_seconds_are_allowed_with_a_warning():
    """The documents disagree about ten seconds, so they are sent, and the doubt is told."""
    with pytest.warns(UserWarning, match="duration=10: .*only 5"):
        request = VideoRequest(prompt="A cat", references=URL, duration=10)
    assert request.payload()["duration"] == 10


def test_five_seconds_are_asked_without_a_warning():
    """The ordinary request says nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        VideoRequest(prompt="A cat", references=URL)


def test_the_body_is_what_the_api_documents():
    """The JSON body has the API's names, its defaults and nothing else."""
    assert VideoRequest(prompt=" A cat ", references=URL).payload() == {
        "prompt": "A cat",
        "image_urls": [URL],
        "aspect_ratio": "16:9",
        "duration": 5,
        "seed": 42,
        "bgm": True,
        "movement_amplitude": "auto",
    }


def test_a_body_gives_its_request_back(photo):
    """What the client sends is what a server reads, whichever kinds of references there are."""
    request = VideoRequest(prompt="A cat", image_urls=[photo, URL], seed=3, aspect_ratio="9:16")
    body = json.loads(json.dumps(request.payload()))
    assert VideoRequest.from_payload(body).payload() == request.payload()


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"prompt": " A café "}, True),
        ({"prompt": "A cafe\u0301"}, True),
        ({"prompt": "A cafe"}, False),
        ({"references": ["https://example.com/dog.png", URL]}, False),
        ({"references": [URL]}, False),
        ({"aspect_ratio": "1:1"}, False),
        ({"seed": 43}, False),
        ({"bgm": False}, False),
        ({"movement_amplitude": "small"}, False),
    ],
    ids=repr,
)
def test_a_key_tells_requests_apart(change, same):
    """Two requests have the same key exactly when they ask for the same clip."""
    first = VideoRequest(prompt="A café", references=[URL, "https://example.com/dog.png"])
    assert (first.replace(**change).key() == first.key()) is same


def test_a_key_tells_engines_apart():
    """A preview never has the key of a paid clip, nor one model's clip another's."""
    request = VideoRequest(prompt="A cat", references=URL)
    assert len({request.key(), request.key(engine="preview"), request.key(model="vidu-q2")}) == 3


STYLED = vidu_with("""
[fields.style]
type = "string"
default = "none"
choices = ["none", "noir"]
added = true
""")


def test_a_later_parameter_changes_no_key_until_it_is_used():
    """What was paid for before a parameter was there still replays; another value of it is another clip."""
    before = VideoRequest(prompt="A cat", references=URL)
    after = STYLED.request(prompt="A cat", references=URL)
    for engine in ("segmind", "preview"):
        assert after.key(engine=engine) == before.key(engine=engine)
        assert after.replace(style="noir").key(engine=engine) != after.key(engine=engine)
    assert after.payload()["style"] == "none"


def test_a_request_never_changes():
    """A request that exists stays as it was checked."""
    request = VideoRequest(prompt="A cat", references=URL)
    with pytest.raises(ValueError, match="frozen"):
        request.seed = -5
    with pytest.raises(InvalidRequest, match="seed: -5"):
        request.replace(seed=-5)


def test_the_frame_size_follows_the_ratio():
    """Each ratio that may be asked for has its frame in pixels."""
    assert set(vidu.models[MODEL].fields["aspect_ratio"].choices) == set(FRAME_SIZES)
    assert VideoRequest(prompt="A cat", references=URL, aspect_ratio="9:16").frame_size == (1080, 1920)


def test_a_repr_stays_short(photo):
    """A request shows what is asked, never megabytes of base64."""
    shown = repr(VideoRequest(prompt="long " * 200, references=[photo] * 7))
    assert "base64" not in shown
    assert len(shown) < 600


def test_a_repr_shows_every_parameter():
    """Requests that differ look different, whichever parameter it is."""
    shown = repr(STYLED.request(prompt="A cat", references=URL, style="noir"))
    assert shown.startswith("VideoRequest('A cat', references=[Reference('cat.png'")
    assert shown.endswith("movement_amplitude='auto', style='noir')")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "the body must be a JSON object, not list"),
        ({"prompt": "x"}, "image_urls: is missing"),
        ({"prompt": "x", "image_urls": []}, "image_urls: is missing"),
        ({"prompt": "x", "image_urls": URL}, "image_urls: must be a list of strings"),
        ({"prompt": "x", "image_urls": [URL, 5]}, r"image_urls\[1\]: must be text, not int"),
        ({"prompt": "x", "image_urls": ["/etc/passwd"]}, r"image_urls\[0\]: .* is not base64"),
        ({"prompt": "x", "image_urls": ["file:///etc/passwd"]}, r"image_urls\[0\]: .* is not base64"),
        ({"prompt": "x", "references": [URL]}, "references: unknown parameter; known are prompt, image_urls"),
        ({"prompt": "x", "image_urls": [URL], "self": 1}, "self: unknown parameter"),
        ({"prompt": "x", "image_urls": [URL], "seed": 10**4000}, "seed: 1000.* is out of range"),
        ({"prompt": "x", "image_urls": [URL], "seed": float("inf")}, "seed: inf is not a whole number"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_strangers_body_is_refused_in_the_apis_words(body, says):
    """A server refuses a body with one line that uses the names in the API."""
    with pytest.raises(InvalidRequest, match=says):
        VideoRequest.from_payload(body)


def test_a_million_unknown_parameters_are_refused_at_once():
    """A body made to be expensive is refused at its first unknown name, in one line."""
    body = {"prompt": "x", "image_urls": [URL], **{f"k{i}": 0 for i in range(1_000_000)}}
    started = time.monotonic()
    with pytest.raises(InvalidRequest, match="k0: unknown parameter") as caught:
        VideoRequest.from_payload(body)
    assert time.monotonic() - started < 1
    assert len(str(caught.value)) < 300


def test_a_required_field_of_a_larger_request_is_told_as_itself():
    """What is missing is named in its own words, not in those of the pictures."""
    demanding = vidu_with('[fields.style]\ntype = "string"\nrequired = true')
    with pytest.raises(InvalidRequest) as caught:
        demanding.request(prompt="A cat", references="https://example.com/cat.png")
    assert caught.value.problems == (("style", "style: is missing"),)
