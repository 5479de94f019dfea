"""The command line and the magic with any model: what they list, take, refuse, and send."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from services import Service

import vidu_nb as vidu

pytestmark = pytest.mark.usefixtures("small_frames")

CAT = "https://example.com/cat.png"
WAN, PAINTER, SWAPPER = "wan2.7-r2v", "sdxl1.0-txt2img", "faceswap-v2"
OWN = """\
slug = "own-model"
title = "A model \\u001b[31mof one's own"
returns = "video"
price_usd = 1.08

[fields.prompt]
type = "string"
role = "prompt"
required = true

[fields.quality]
type = "string"
choices = ["fine\\u202e", "rough"]
sure = false
"""


@pytest.fixture
def service(small_clip, monkeypatch):
    """A service that makes a clip of whatever it is asked, as the environment's; `bodies` holds what was asked."""
    bodies = []

    def answer(call):
        bodies.append((call.path, json.loads(call.body)))
        if call.path.startswith("/v2/"):
            call.say(b"{}", status=404)
        else:
            call.say(small_clip.read_bytes(), cost=0.8)

    with Service(answer) as running:
        running.bodies = bodies
        monkeypatch.setenv("SEGMIND_API_KEY", "SG_not-a-real-key")
        monkeypatch.setenv("SEGMIND_BASE_URL", running.url)
        yield running


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a model of one's own."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "own.toml").write_text(OWN)
    monkeypatch.setenv("VIDU_NB_MODELS", str(folder))


def test_models_are_listed_with_what_they_return_and_cost(command):
    """A line each, the default first; with `--json` the same facts."""
    lines = command("models").out.splitlines()
    assert len(lines) == 1 + len(vidu.models)
    assert lines[1].split()[0] == next(iter(vidu.models))
    assert "$0.008" in next(line for line in lines if line.startswith(PAINTER))
    facts = json.loads(command("models", "--json").out)
    assert [one["slug"] for one in facts] == list(vidu.models)
    assert set(facts[0]) == {"slug", "title", "returns", "price_usd", "seconds"}


@pytest.mark.parametrize("slug", vidu.models)
def test_a_model_is_listed_with_all_that_can_be_asked(command, slug):
    """Every parameter with its limits; what isn't sure is marked as not documented, in text and JSON."""
    text, facts = command("models", slug).out, json.loads(command("models", slug, "--json").out)
    fields = vidu.models[slug].fields
    assert [one["name"] for one in facts["fields"]] == list(fields)
    for field in fields.values():
        [line] = [one for one in text.splitlines() if one.split()[:1] == [field.parameter]]
        assert ("not documented" in line) == (not field.sure)
    assert [one["documented"] for one in facts["fields"]] == [one.sure for one in fields.values()]


def test_limits_are_told(command):
    """Ranges, multiples, choices, counts, lengths and the seed that is random."""
    text = command("models", PAINTER).out
    assert "512 to 2048, multiples of 8" in text
    assert "-1 is random" in text
    text = command("models", "vidu-q1-reference-to-video").out
    assert "16:9 | 1:1 | 9:16" in text
    assert "at most 1,500 characters" in text
    assert "1 to 7" in text


def test_an_unknown_model_is_told_with_those_that_are(command):
    """One line, status 2, wherever a model is named."""
    for words in (["models", "pixies"], ["generate", "A", "--model", "pixies"], ["sweep", "A", "--model", "pixies"]):
        ended = command(*words)
        assert (ended.status, len(ended.err.splitlines())) == (2, 1)
        assert "'pixies' is not known; known are vidu-q1" in ended.err


@pytest.mark.parametrize("name", ["generate", "preview", "picture", "sweep"])
def test_an_empty_name_is_no_model(command, name):
    """What a script's empty variable leaves is refused, and does not stand for a default that may cost money."""
    ended = command(name, "A boat", "--model", "")
    assert (ended.status, len(ended.err.splitlines())) == (2, 1)
    assert "model: '' is not known" in ended.err


@pytest.mark.usefixtures("own")
def test_a_file_of_one_s_own_is_listed_and_reaches_no_terminal_as_it_is(command):
    """What it holds is printed without its control characters."""
    for words in (["models"], ["models", "own-model"], ["generate", "A", "--model", "own-model", "--set", "x=1"]):
        ended = command(*words)
        assert not {"\x1b", "\u202e"} & set(ended.out + ended.err)
    assert "of one's own" in command("models").out


def test_values_are_sent_as_their_field_s_type(command, service):
    """Numbers, switches and texts by name; what isn't given, the default model's defaults too, isn't sent."""
    made = command(
        "generate", "Image1 waves", "-r", CAT, "--model", WAN, "--set", "duration=7", "--set", "resolution=720P",
        "--set", "reference_videos=https://example.com/a.mp4", "--set", "reference_videos=https://example.com/b.mp4",
        "--seed", "3", "--json",
    )  # fmt: skip
    assert made.status == 0, made.err
    path, body = service.bodies[-1]
    assert path == f"/v1/{WAN}"
    assert body == {
        "prompt": "Image1 waves", "reference_images": [CAT], "duration": 7, "resolution": "720P", "seed": 3,
        "reference_videos": ["https://example.com/a.mp4", "https://example.com/b.mp4"],
    }  # fmt: skip
    assert json.loads(made.out)["request_model"] == WAN


@pytest.mark.usefixtures("own")
def test_names_that_the_tool_has_itself_are_still_the_model_s(command, service):
    """A parameter called like an option of ours is passed on."""
    asked = ("A cat", "--model", "own-model", "--set", "quality=fine")
    assert command("generate", *asked).status == 0
    assert service.bodies[-1][1] == {"prompt": "A cat", "quality": "fine"}
    swept = command("sweep", *asked, "--set", "quality=rough", "--yes")
    assert swept.status == 0, swept.err
    assert service.bodies[-1][1]["quality"] == "rough"
    assert "2 of 2 clips · $0.80 spent" in swept.out  # the first is cached


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--set", "tempo=slow"], "'tempo' is no parameter of wan2.7-r2v; known are prompt, negative_prompt"),
        (["--set", "a\nb=slow"], "'a b' is no parameter"),
        (["--set", "duration=99"], "duration: 99 is out of range"),
        (["--set", "duration=soon"], "duration: 'soon' is not a whole number"),
        (["--set", "duration=2.5"], "duration: '2.5' is not a whole number"),
        (["--set", "duration=3", "--set", "duration=4"], "duration is given twice"),
        (["--set", "seed=3", "--seed", "4"], "seed is given twice"),
        (["--set", "prompt=B"], "prompt is given twice"),
        (["--set", "duration"], "'duration' is no NAME=VALUE"),
        (["--set", "=3"], "'=3' is no NAME=VALUE"),
        (["--aspect-ratio", "1:1"], "aspect_ratio: unknown parameter"),
        (["--set", "reference_images=missing.png"], "there is no file 'missing.png'"),
        (["--set", "reference_voice=missing.wav"], "missing.wav"),
    ],
)
def test_a_wrong_name_or_value_is_one_line(command, service, words, problem):
    """Status 2, the reason on the last line, and nothing sent."""
    ended = command("generate", "Image1 waves", "--model", WAN, *words)
    assert ended.status == 2
    assert problem in ended.err.splitlines()[-1]
    assert not service.calls


def test_switches_are_read_as_words(command):
    """on, off, true, false; another word is left to the model's file, which refuses it where it is sure."""
    dry = ("sweep", "A lighthouse", "--model", PAINTER, "--dry-run", "--json")
    facts = json.loads(command(*dry, "--set", "base64=on", "--set", "base64=off").out)
    assert facts["axes"] == {"base64": [True, False]}
    assert "base64: 'maybe' is not True or False" in command(*dry, "--set", "base64=maybe").err


def test_a_sweep_takes_a_name_again_as_another_value(command):
    """Values may hold commas; the price is the model's own."""
    ended = command(
        "sweep", "A lighthouse", "--model", PAINTER, "--set", "style=a, b", "--set", "style=c", "--set", "samples=1",
        "--set", "samples=4", "--dry-run", "--json",
    )  # fmt: skip
    facts = json.loads(ended.out)
    assert facts["axes"] == {"style": ["a, b", "c"], "samples": [1, 4]}
    assert facts["model"] == PAINTER


def test_a_sweep_of_another_model_is_run(command, service):
    """Its rows are printed, and each is paid once."""
    words = ("sweep", "Image1 waves", "-r", CAT, "--model", WAN, "--set", "duration=2", "--set", "duration=3", "--yes")
    ended = command(*words)
    assert ended.status == 0, ended.err
    assert "2 of 2 clips · $1.60 spent" in ended.out
    assert command(*words).status == 0
    assert len([path for path, _ in service.bodies if path.startswith("/v1/")]) == 2


def test_a_picture_is_not_asked_of_a_model_of_videos(command, service):
    """The cure names the command; nothing is sent."""
    ended = command("picture", "A lighthouse", "--model", WAN)
    assert (ended.status, len(ended.err.splitlines())) == (2, 1)
    assert "returns a video: ask it with generate" in ended.err
    assert not service.calls


def test_a_model_without_a_prompt_needs_none(command, encoded):
    """Pictures by `-r` are laid out over its single ones; a prompt is refused in words."""
    Path("face.png").write_bytes(encoded())
    ended = command("picture", "A prompt", "--model", SWAPPER, "-r", "face.png", "-r", "face.png")
    assert ended.status == 2
    assert "prompt: unknown parameter; known are source_img" in ended.err
    ended = command("picture", "--model", SWAPPER, "-r", "face.png")
    assert "target_img: is missing" in ended.err


@pytest.mark.parametrize("name", ["clip.mp4", "-"])
def test_a_place_that_is_none_for_a_picture_is_refused_first(command, service, name):
    """Before anything is paid for."""
    ended = command("picture", "A lighthouse", "-o", name)
    assert ended.status == 2
    assert not service.calls


def test_the_magic_asks_any_model(ipython, service):
    """`--model`, `--set` with a variable's value, and `--as`."""
    ipython.user_ns.update(seconds=4, clips=["https://example.com/a.mp4"])
    line = f"-r {CAT} --model {WAN} --set duration=$seconds --set reference_videos=https://example.com/a.mp4 --as made"
    made = ipython.run_cell(f"%%vidu {line}\nImage1 waves").result
    assert ipython.user_ns["made"] is made
    assert service.bodies[-1][1]["duration"] == 4
    assert made.request.model == WAN


@pytest.mark.parametrize(
    ("line", "error", "problem"),
    [
        ("--set duration=$nobody", UsageError, "--set duration=$nobody: there is no variable nobody"),
        ("--set duration", UsageError, "'duration' is no NAME=VALUE"),
        ("--set tempo=3", vidu.errors.InvalidRequest, "'tempo' is no parameter"),
    ],
)
def test_the_magic_refuses_in_words(ipython, line, error, problem):
    """As the command line does."""
    with pytest.raises(error, match=problem.replace("$", r"\$")):
        ipython.run_cell(f"%%vidu --model {WAN} {line}\nImage1 waves").raise_error()
