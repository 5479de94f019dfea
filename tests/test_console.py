"""Texts from outside on a terminal: a person reads what stands in a file or an answer, and nothing acts on it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import types

import pytest

import vidu_nb as vidu
from vidu_nb import media
from vidu_nb.commands.cli import main
from vidu_nb.console import print_line, printable, write
from vidu_nb.recipe import PICTURES_BOX, RECIPE_TAG
from vidu_nb.sweeps.result import Rows

#: Texts that a terminal would act on, or that hide what stands there.
HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "eight-bit control": "\x9b2J",
    "line start": "harmless\rfree",
    "backspace": "$9\x08\x080",
    "text direction": "\u202egnp.exe",
    "invisible": "pass\u200bword\ufeff",
    "fake line": "cat\nsegmind/dog.mp4  ok",
    "line separator": "a\u2028b",
}
CONTROLS = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n", "\t"}


def acts(text):
    """The characters in a text that a terminal acts on, or that reorder or hide others."""
    return {one for one in text if one in CONTROLS or one in "\u202e\u200b\ufeff\u2028"}


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE.keys())
def hostile(request):
    """One text after the other."""
    return request.param


def strangers_clip(small_clip, photo, text):
    """An MP4 whose recipe holds a text wherever a recipe holds text."""
    recipe = {
        "format": 1,
        "request": {"prompt": f"A wave {text}", "image_urls": [{"name": text, "sha256": "0" * 64, "url": None}]},
        "receipt": {"engine": text, "model": text, "request_id": text, "created_at": text, "sha256": text},
    }
    media.write_tags(small_clip, clip := small_clip.with_name("stranger.mp4"), {RECIPE_TAG: json.dumps(recipe)})
    media.append_box(clip, PICTURES_BOX, json.dumps([vidu.Reference(photo).url]).encode())
    return clip


def test_nothing_in_a_strangers_clip_reaches_the_terminal(small_clip, photo, hostile, capsys):
    """`show` prints a recipe's texts with everything escaped that a terminal would act on."""
    assert main(["show", str(strangers_clip(small_clip, photo, hostile))]) == 0
    text = capsys.readouterr().out
    assert not acts(text)
    assert "dog.mp4  ok" not in text.splitlines()[-1]


def test_a_values_text_is_safe_to_show(small_clip, photo, hostile):
    """What a shell prints as a cell's value is escaped as well: clips, players, storyboards."""
    video = vidu.load(strangers_clip(small_clip, photo, hostile))
    shown = [repr(video), video.caption, repr(vidu.show([video, video]))]
    shown += [str(vidu.storyboard(video))] if video.request else []
    plan = vidu.Plan.of([f"A wave {hostile}", "calm"], "https://example.com/cat.png")
    shown += [repr(plan), repr(Rows([{"prompt": hostile}]))]
    assert not acts("".join(shown))


@pytest.mark.usefixtures("paid")
def test_an_archives_lists_are_safe_and_a_line_each(hostile, photo, capsys):
    """Prompts in the archive, and calls that are open, come out escaped and never as two lines."""
    client = vidu.Client.from_env()
    client.generate(vidu.VideoRequest(prompt=f"A {hostile}", references=photo))
    with pytest.raises(vidu.errors.OutcomeUnknown):
        client.generate(vidu.VideoRequest(prompt=f"B {hostile} [fault:reset_after_body]", references=photo))
    for command in (("archive", "list"), ("calls", "list")):
        main(command)
        listed = capsys.readouterr().out
        assert not acts(listed)
        assert len(listed.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
def test_what_a_terminal_can_not_write_is_replaced(encoding, small_clip, photo):
    """A prompt in any script is printed on a terminal of any encoding, and the command succeeds."""
    command = [sys.executable, "-m", "vidu_nb", "show", str(strangers_clip(small_clip, photo, "猫 🐈 é Ω"))]
    shown = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert "prompt: A wave " in shown.stdout.decode(encoding)


#: Runs several commands in one process; each one's status ends what it printed.
COMMANDS = """
import json, sys
from vidu_nb.commands.cli import main
for command in json.loads(sys.argv[1]):
    print(main(command), end="\\0")
"""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
@pytest.mark.usefixtures("paid")
def test_a_paid_calls_texts_are_printed_on_any_terminal(encoding, photo):
    """Each command ends well, whatever the prompt and the terminal; JSON keeps every character."""
    prompt = "猫 \x1b[31m \u202e 🐈 é"
    video = vidu.generate(prompt, photo)
    with pytest.raises(vidu.errors.OutcomeUnknown):
        vidu.generate(f"{prompt} [fault:reset_after_body]", photo)
    commands = [["archive", "list"], ["archive", "list", "--json"], ["show", str(video.save("copy.mp4"))], ["calls"]]
    shown = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)], capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert (shown.returncode, shown.stderr) == (0, b"")
    *texts, after = shown.stdout.decode(encoding).split("\0")
    assert after == ""
    for command, text in zip(commands, texts, strict=True):
        assert text.endswith("0"), command
        out = text[:-1]
        assert not acts(out), command
        if "--json" in command:
            assert json.loads(out)[0]["prompt"] == prompt
        else:
            assert "\\x1b[31m" in out, command


@pytest.mark.parametrize(
    "words", [["credits", "--x"], ["dance"], ["preview", "--seed", "x"], ["serve", "--port"]], ids=str
)
def test_what_was_typed_comes_back_safely(command, hostile, words):
    """A command pasted from elsewhere is refused without its control characters reaching the terminal."""
    *before, last = words
    ended = command(*before, *([last, hostile] if last in ("--seed", "--port") else [last + hostile]))
    assert ended.status == 2
    assert not acts(ended.err)


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("words", ["archive list", "show nothing.mp4", "--help", "dance"])
def test_a_stream_that_is_closed_or_that_nobody_reads_is_no_error(words, stream):
    """The status is the command's own, the other stream has its text, and nothing complains."""
    statuses = {"archive list": 0, "show nothing.mp4": 1, "--help": 0, "dance": 2}
    texts = {("--help", 2): "usage: ", ("show nothing.mp4", 1): "does not exist", ("dance", 1): "invalid choice"}
    read, gone = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "vidu_nb", *words.split()]
    name = {1: "stdout", 2: "stderr"}[stream]
    left = subprocess.run(program, check=False, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, name: gone})
    os.close(gone)
    closing = ["sh", "-c", f'exec "$@" {stream}>&-', "sh", *program]
    closed = subprocess.run(closing, check=False, capture_output=True)
    for ended in (left, closed):
        other = (ended.stdout if stream == 2 else ended.stderr).decode()
        assert ended.returncode == statuses[words], other
        assert "Traceback" not in other
        assert "Exception ignored" not in other
        assert texts.get((words, stream), "") in other


def test_a_note_that_nobody_reads_costs_no_result():
    """Where standard error has been left, what a command has to tell still comes out."""
    read, gone = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "vidu_nb", "sweep", "A cat", "-r", "https://example.com/cat.png", "--dry-run"]
    ended = subprocess.run(program, check=False, stdout=subprocess.PIPE, stderr=gone)
    os.close(gone)
    assert (ended.returncode, ended.stdout[:15]) == (0, b"Plan: 1 request")


def test_a_line_for_a_person_harms_no_paid_call(paid, monkeypatch, photo):
    """A call that has to tell of a retry goes on where standard error has been left."""
    read, gone = os.pipe()
    os.close(read)
    left = os.fdopen(gone, "w")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", left)
        video = vidu.generate("A cat [fault:rate_limited_once_zero]", photo)
    with contextlib.suppress(OSError):
        left.close()  # what could not be written is tried once more
    assert video.path.is_file()
    assert paid.posts()


@pytest.mark.parametrize("text", ["café Ω 猫 ก็ नमस्ते", "👩\u200d🚀 👍🏽 ⚠️", "a\u00a0b\u3000c", "می\u200cخواهم"])
def test_peoples_own_words_stay_as_they_are(text):
    """Letters, accents, emoji and spaces of all scripts are no control characters."""
    assert printable(text) == text


def test_a_stream_without_an_encoding_is_written_to():
    """A file object of any kind will do."""
    write("a\x1b\n\tb", stream := io.StringIO())
    assert stream.getvalue() == "a\\x1b\n\tb\n"


def test_a_module_that_another_thread_is_importing_harms_no_line(monkeypatch):
    """IPython is asked only once it is whole: before that, this is no notebook."""
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        print_line("a line for a person")
    assert printed.getvalue() == "a line for a person\n"
