"""`%%vidu` in a real IPython shell: the cell's text is the prompt, the line holds the options."""

from __future__ import annotations

import numpy as np
import pytest
from IPython.core.error import UsageError
from PIL import Image

import vidu_nb as vidu
from vidu_nb import Reference, Video
from vidu_nb.errors import InvalidRequest

pytestmark = pytest.mark.usefixtures("small_frames")

CHEAP = "--aspect-ratio 1:1 --no-bgm"
PROMPT = "A wave. Zoom in."


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One archive for all tests here: a request that was answered once is replayed."""
    return tmp_path_factory.mktemp("magic")


@pytest.fixture
def shell(ipython, place, photo, tmp_path, monkeypatch):
    """The shell with fresh variables, beside a picture ``wave.png``."""
    monkeypatch.setenv("VIDU_NB_ARCHIVE", str(place / "archive"))
    Image.fromarray(photo).save(tmp_path / "wave.png")
    before = dict(ipython.user_ns)
    yield ipython
    ipython.user_ns.clear()  # `reset` would also look for garbage, which takes far longer than a test
    ipython.user_ns.update(before)


def run(shell, line, cell=PROMPT):
    """The value of a cell; raises what the cell raised."""
    told = shell.run_cell(f"%%vidu {line}\n{cell}")
    told.raise_error()
    return told.result


def test_a_cell_becomes_a_clip_that_shows_itself(shell, capsys):
    """The cell's text is the prompt, the line's options are the parameters, and the value is a Video."""
    video = run(shell, f"-r wave.png {CHEAP} --seed 7 --as wave", f"\n{PROMPT}\n\n")
    request = video.request
    assert (request.prompt, request.aspect_ratio, request.bgm, request.seed) == (PROMPT, "1:1", False, 7)
    assert [reference.name for reference in request.references] == ["wave.png"]
    assert shell.user_ns["wave"] is video
    assert "Video(1:1 · 5 s · seed 7 · preview, free" in capsys.readouterr().out


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("kind", ["path", "text", "bytes", "image", "array", "reference", "list"])
def test_a_variable_as_a_picture_is_passed_as_itself(shell, photo, tmp_path, kind):
    """`-r $name` takes whatever `vidu.generate` takes, not its text."""
    path = tmp_path / "wave.png"
    shell.user_ns["wave"] = {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "image": Image.fromarray(photo),
        "array": photo,
        "reference": Reference(path),
        "list": [photo],
    }[kind]
    video = run(shell, f"-r $wave {CHEAP}")
    assert np.array_equal(np.asarray(video.request.references[0].open()), photo)


@pytest.mark.usefixtures("paid")
def test_a_list_of_pictures_is_spliced_in(shell, photo):
    """A list in the middle of other pictures keeps its place; a text beside a variable is expanded as text."""
    shell.user_ns.update(two=(photo[::-1], photo[:, ::-1]), kind="png")
    request = run(shell, f"-r wave.png -r $two --reference=wave.${{kind}} {CHEAP}").request
    assert [reference.name for reference in request.references] == ["wave.png", "", "", "wave.png"]


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("kind", ["cast", "mapping", "folder", "path"])
def test_a_cast_is_named_by_its_variable_or_its_folder(shell, photo, tmp_path, kind):
    """`--cast` takes what a variable holds, or a folder; the cell's text mentions names, and `-r` follows them."""
    cast = vidu.Cast(wave=photo)
    folder = cast.save(tmp_path / "people")
    shell.user_ns["people"] = {"cast": cast, "mapping": {"wave": photo}, "folder": str(folder), "path": folder}[kind]
    for line in ("--cast $people", "--cast people", "--cast=$people -r wave.png"):
        request = run(shell, f"{line} {CHEAP}", "A @wave, zoom in.").request
        assert request.prompt == "A wave (image 1), zoom in."
        assert [one.name for one in request.references] == ["wave", "wave.png"][: 2 if "-r" in line else 1]
    with pytest.raises(InvalidRequest, match="@boat: nobody in the cast"):
        run(shell, f"--cast $people {CHEAP}", "A @boat.")
    with pytest.raises(UsageError, match=r"--cast \$nobody: there is no variable nobody"):
        run(shell, "--cast $nobody", "A @wave.")


@pytest.mark.usefixtures("paid")
def test_names_are_expanded_and_nothing_is_evaluated(shell):
    """Variables give their text, in the prompt and in options; prices, braces and unknown names stay as they are."""
    shell.user_ns.update(what="wave", number=3, ratio="1:1")
    cell = "A $what for $5, {1 + 1} and {what}; $$what, $nobody, ${number}rd.\n"
    request = run(shell, "-r wave.png --aspect-ratio $ratio --no-bgm --seed $number", cell).request
    assert request.prompt == "A wave for $5, {1 + 1} and {what}; $what, $nobody, 3rd."
    assert request.seed == 3


def test_preview_asks_the_local_engine_whatever_the_environment_says(shell, paid):
    """Without `--preview` the environment's service answers, as for `vidu.generate`; with it never."""
    asked = {words: run(shell, f"-r wave.png {CHEAP} --seed 7 {words}").path.parent.name for words in ("", "--preview")}
    assert asked == {"": paid.root.removeprefix("http://").replace(":", "-"), "--preview": "preview"}


@pytest.mark.usefixtures("paid")
def test_fresh_makes_another_take_and_output_saves_a_copy(shell, tmp_path):
    """The same cell is replayed when it runs again, and made again with `--fresh`; `-o` leaves a copy."""
    first = run(shell, f"-r wave.png {CHEAP}")
    again = run(shell, f'-r wave.png {CHEAP} -o "a copy.mp4"')
    other = run(shell, f"-r wave.png {CHEAP} --fresh -o bare.mp4 --no-pictures")
    assert (again.receipt.replayed, again.path) == (True, first.path)
    assert other.receipt.replayed is False
    assert vidu.load(tmp_path / "a copy.mp4").request == again.request
    assert vidu.load(tmp_path / "bare.mp4").request is None  # without its pictures it is no whole request


@pytest.mark.parametrize(
    ("line", "cell", "word"),
    [
        ("-r wave.png", "  \n\n", "the cell is empty: write what happens in the clip below"),
        ("-r wave.png --frames 3", PROMPT, "unrecognized arguments: --frames 3"),
        ("-r wave.png --seed soon", PROMPT, "argument --seed: invalid int value: 'soon'"),
        ("-r wave.png --seed $nobody", PROMPT, "invalid int value: '$nobody'"),
        ("-r wave.png --as for", PROMPT, "'for' can't be a variable's name"),
        ("-r wave.png --as 'a b'", PROMPT, "'a b' can't be a variable's name"),
        ("-r $nobody", PROMPT, "there is no variable nobody"),
        ("-r 'wave.png", PROMPT, "no closing quotation"),
        ("-r", PROMPT, "argument -r/--reference: expected one argument"),
    ],
)
def test_wrong_usage_is_told_in_words(shell, place, line, cell, word):
    """What can't be understood is IPython's UsageError, which shows as one message; nothing is made."""
    before = sorted(place.rglob("*.mp4"))
    with pytest.raises(UsageError) as caught:
        run(shell, line, cell)
    assert word in str(caught.value)
    assert sorted(place.rglob("*.mp4")) == before


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("", "references: is empty"),
        ("-r missing.png", "there is no file 'missing.png'"),
        (r"-r C:\pictures\wave.png", r"C:\\pictures\\wave.png"),
        ("-r wave.png --seed 1000000", "seed: 1000000 is out of range"),
        ("-r $many", "references: 8 given"),
        ("-r $$many", "there is no file '$many'"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_as_everywhere(shell, photo, line, word):
    """The request model's own errors pass through as they are."""
    shell.user_ns["many"] = [photo] * 8
    with pytest.raises(InvalidRequest) as caught:
        run(shell, line)
    assert word in str(caught.value)


@pytest.mark.parametrize("cell", ["%vidu", "%vidu --seed 7", "%%vidu --help", f"%%vidu -h\n{PROMPT}"])
def test_help_is_printed_without_an_error(shell, capsys, cell):
    """The line magic and `--help`, also in a cell of that line alone, tell every option."""
    told = shell.run_cell(cell)
    assert told.success
    assert told.result is None
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("usage: %%vidu", "-r PICTURE", "--seed", "--no-bgm", "--as NAME", "$name"))


def test_a_line_alone_says_what_to_do(shell):
    """A cell of nothing but `%%vidu` is answered with the cure and an example."""
    with pytest.raises(UsageError, match=r"(?s)the cell is empty.*%%vidu -r cat.jpg"):
        shell.run_cell("%%vidu -r wave.png").raise_error()


def test_a_terminal_waits_for_the_prompt(shell):
    """A first line alone is an unfinished cell, so that the prompt can be typed below it."""
    assert shell.check_complete("%%vidu -r wave.png")[0] == "incomplete"


def test_loading_twice_changes_nothing(shell):
    """`%reload_ext` leaves one magic, which still works."""
    before = len(shell.input_transformers_cleanup)
    shell.run_line_magic("reload_ext", "vidu_nb")
    assert len(shell.input_transformers_cleanup) == before
    assert isinstance(run(shell, f"-r wave.png {CHEAP} --seed 7"), Video)


def test_a_copy_into_the_archive_is_refused_before_anything_is_made(shell, place):
    """`-o` names a place outside: the clips in there stay as they came."""
    before = sorted(place.rglob("*.mp4"))
    for name in ("incoming", "locks"):
        (place / "archive" / name).mkdir(parents=True, exist_ok=True)
    with pytest.raises(InvalidRequest, match="save the copy outside of the archive"):
        run(shell, f"-r wave.png {CHEAP} --seed 99 -o {place}/archive/preview/x.mp4")
    assert sorted(place.rglob("*.mp4")) == before
