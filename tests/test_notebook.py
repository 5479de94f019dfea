"""Where the notebook is: a link where it plays, the small copy everywhere else, whatever the process did before."""

from __future__ import annotations

import json
import os
import shutil
import sys
import types
from html import unescape
from pathlib import Path, PurePosixPath, PureWindowsPath

import nbformat
import pytest
from nbclient import NotebookClient

from vidu_nb.notebook import Place, current_place, deliver, spellings
from vidu_nb.player import Player
from vidu_nb.video import Video

HIDDEN = "it is in a hidden folder, which Jupyter does not serve"
OUTSIDE = "it lies outside of the notebook's folder"
LED_OUT = "a symbolic link leads out of the folder that Jupyter serves"
UNKNOWN = "the notebook's folder is unknown"
HOSTED = (
    "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "DATABRICKS_RUNTIME_VERSION", "DEEPNOTE_PROJECT_ID",
    "DATALORE_USER", "HEX_PROJECT_ID", "NTERACT_EXE",
)  # fmt: skip


def posix(*paths):
    return tuple(map(PurePosixPath, paths))


def windows(*paths):
    return tuple(map(PureWindowsPath, paths))


WORK = Place(folders=posix("/me/work"))
ROOT = Place(folders=posix("/me/work/day 1"), roots=posix("/me"))
LINKED = Place(folders=posix("/me/work", "/data/7/lab"))
SERVED = Place(folders=posix("/me/work", "/me/work"), roots=posix("/me", "/me"))


@pytest.mark.parametrize(
    ("clip", "place", "link"),
    [
        (posix("/me/work/a b?c#d%e.mp4"), WORK, "a%20b%3Fc%23d%25e.mp4"),
        (posix("/me/work/vidu_archive/x/雨.mp4"), WORK, "vidu_archive/x/%E9%9B%A8.mp4"),
        (posix("/me/work/16:9.mp4"), WORK, "16%3A9.mp4"),
        (posix("/me/.cache/work/clips/a.mp4"), Place(folders=posix("/me/.cache/work")), "clips/a.mp4"),
        (posix("/me/clips/a.mp4"), ROOT, "../../clips/a.mp4"),
        (posix("/me/work/clips/a.mp4"), ROOT, "../clips/a.mp4"),
        (posix("/me/work/clips/a.mp4", "/srv/.store/a.mp4"), WORK, "clips/a.mp4"),
        (posix("/me/work/clips/a.mp4", "/me/.store/a.mp4"), WORK, "clips/a.mp4"),
        (posix("/me/work/clips/a.mp4", "/me/big/a.mp4"), SERVED, "clips/a.mp4"),
        (posix("/data/7/lab/clips/a.mp4"), LINKED, "clips/a.mp4"),
        (posix("/me/work/x/../clips/a.mp4", "/me/work/clips/a.mp4"), WORK, "clips/a.mp4"),
        (windows(r"c:\ME\Work\clips\a.mp4"), Place(folders=windows(r"C:\me\work")), "clips/a.mp4"),
    ],
)
def test_a_clip_in_reach_is_linked(clip, place, link):
    """Below the notebook, or elsewhere below the server's root, by whichever spelling needs no resolving."""
    assert deliver(clip, place) == (link, "")


@pytest.mark.parametrize(
    ("clip", "place", "reason"),
    [
        (posix("/me/work/.clips/a.mp4"), WORK, HIDDEN),
        (posix("/me/work/clips/.cache/deep/a.mp4"), WORK, HIDDEN),
        (posix("/me/work/.a.mp4"), WORK, HIDDEN),
        (posix("/me/.clips/a.mp4"), ROOT, HIDDEN),
        (posix("/me/clips/a.mp4"), WORK, OUTSIDE),
        (posix("/srv/clips/a.mp4"), ROOT, OUTSIDE),
        (posix("/me/work/../clips/a.mp4", "/me/clips/a.mp4"), WORK, OUTSIDE),
        (posix("/data/7/clips/a.mp4"), LINKED, OUTSIDE),
        (posix("/me/work/clips/a.mp4", "/srv/a.mp4"), SERVED, LED_OUT),
        (posix("/me/clips/a.mp4", "/srv/.clips/a.mp4"), SERVED, LED_OUT),
        (posix("/me/work/clips/a.mp4", "/me/work/.store/a.mp4"), SERVED, HIDDEN),
        (posix("/me/work/clips/a.mp4", "/me/.store/a.mp4"), SERVED, HIDDEN),
        (windows(r"D:\clips\a.mp4"), Place(folders=windows(r"C:\work"), roots=windows("C:\\")), OUTSIDE),
        (posix("/me/work/a.mp4"), Place(), UNKNOWN),
        (posix("/me/work/a.mp4"), Place(front_end="Kaggle", folders=WORK.folders), "Kaggle plays no links to files"),
    ],
)
def test_a_clip_out_of_reach_is_copied_and_says_why(clip, place, reason):
    """Hidden on any level, outside of the root, on another drive, or where no folder or no server is known."""
    assert deliver(clip, place) == ("", reason)


@pytest.mark.parametrize(
    ("clip", "link"),
    [
        (posix("/me/work/.clips/a.mp4"), ".clips/a.mp4"),
        (posix("/srv/clips/a.mp4"), "../../srv/clips/a.mp4"),
        (posix("/me/work/a.mp4"), "a.mp4"),
    ],
)
def test_the_setting_decides_anywhere(clip, link):
    """`link` links even what looks out of reach, `embed` copies even what isn't."""
    assert deliver(clip, Place("link", "Kaggle", WORK.folders)) == (link, "")
    assert deliver(clip, Place("embed", "", WORK.folders)) == ("", "VIDU_NB_PLAYER=embed")


def test_even_the_setting_links_to_no_other_drive():
    """A relative link can't leave a drive: the copy plays."""
    place = Place("link", "", windows(r"C:\work"))
    assert deliver(windows(r"D:\a.mp4"), place) == ("", OUTSIDE)


# What is known of the place.


@pytest.fixture
def clip(small_clip, tmp_path):
    """A clip in an archive beside the notebook."""
    path = tmp_path / "vidu_archive" / "x" / "clip.mp4"
    path.parent.mkdir(parents=True)
    shutil.copy(small_clip, path)
    return path


def source(path):
    """The src of a clip's player, cut."""
    return Player([Video(path)]).html().partition(' src="')[2].partition('"')[0][:40]


@pytest.mark.parametrize("variable", HOSTED)
def test_a_hosted_notebook_gets_the_copy(variable, clip, monkeypatch):
    """Each is known by a variable that it sets, and the caption names it."""
    assert source(clip) == "vidu_archive/x/clip.mp4"
    monkeypatch.setenv(variable, "1")
    assert source(clip).startswith("data:video/mp4;base64,")
    assert "plays no links to files)" in Player([Video(clip)]).html()
    monkeypatch.setenv("VIDU_NB_PLAYER", "LINK")
    assert source(clip) == "vidu_archive/x/clip.mp4"


@pytest.mark.parametrize(("running", "copied"), [(True, True), (False, False)])
def test_marimo_is_known_where_it_runs(running, copied, clip, monkeypatch):
    """A program that only imports marimo is no marimo notebook."""
    marimo = types.ModuleType("marimo")
    marimo.running_in_notebook = lambda: running
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    assert source(clip).startswith("data:") == copied


def test_a_wrong_setting_is_told_once_and_hides_no_clip(clip, monkeypatch, capsys):
    """The sentence names the value and the choices; the clip shows as it would without."""
    monkeypatch.setenv("VIDU_NB_PLAYER", "lnik")
    assert [source(clip), source(clip)] == ["vidu_archive/x/clip.mp4"] * 2
    told = capsys.readouterr()
    assert told.out + told.err == "VIDU_NB_PLAYER is 'lnik': it can be auto, link, embed; auto is used.\n"


@pytest.mark.parametrize("to", ["vidu_archive", "vidu_archive/x", "..", "/"])
def test_a_session_that_jupyter_names_outlives_a_change_of_folder(to, clip, tmp_path, monkeypatch):
    """Links stay relative to the notebook, wherever the process went."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a notebook.ipynb"))
    monkeypatch.chdir(to)
    assert source(clip) == "vidu_archive/x/clip.mp4"


@pytest.mark.parametrize("inside", ["vidu_archive", "vidu_archive/x"])
def test_no_link_is_made_from_inside_an_archive(inside, clip, monkeypatch):
    """Nobody's notebook stands there: whoever works there has changed the folder, and a link would lead nowhere."""
    for name in ("incoming", "journal"):
        (clip.parents[1] / name).mkdir()
    monkeypatch.chdir(inside)
    assert source(clip).startswith("data:")
    assert f"({UNKNOWN})" in unescape(Player([Video(clip)]).html())


@pytest.mark.parametrize("session", ["console-1-6f1d", "/no/such/folder/a.ipynb", "sub/a.ipynb"])
def test_a_session_without_a_place_is_no_help(session, clip, monkeypatch):
    """A console's name, another machine's path, a path below an unknown root: the working folder is a better guess."""
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    assert source(clip) == "vidu_archive/x/clip.mp4"


def test_the_kernel_is_asked_before_vs_codes_leftovers(clip, tmp_path, monkeypatch):
    """A server that was started in VS Code's terminal passes its variables on; VS Code itself names no such session."""
    monkeypatch.setenv("VSCODE_PID", "1")
    assert source(clip).startswith("data:")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    assert source(clip) == "vidu_archive/x/clip.mp4"
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a-jvsc-1a2b.ipynb"))
    assert source(clip).startswith("data:")


@pytest.mark.parametrize("name", ["vidu_archive", "x"])
def test_a_symbolic_link_is_linked_as_it_is_spelled(name, clip, tmp_path, monkeypatch):
    """An archive on another disk, or one engine's folder of it, behind a symbolic link beside the notebook."""
    here = tmp_path / "notebooks"
    (here / "clips").mkdir(parents=True)
    monkeypatch.chdir(here)
    link = here / "clips" / name
    link.symlink_to(next(folder for folder in clip.parents if folder.name == name))
    spelled = next(link.rglob("clip.mp4")) if name == "x" else link / "x" / "clip.mp4"
    assert source(spelled) == spelled.relative_to(here).as_posix()


def test_a_notebook_behind_a_symbolic_link_links_to_what_lies_beside_it(clip, tmp_path, monkeypatch):
    """The folder has two names then; the clip may be spelled by either."""
    (tmp_path.parent / "shortcut").symlink_to(tmp_path)
    shortcut = tmp_path.parent / "shortcut"
    monkeypatch.setenv("JPY_SESSION_NAME", str(shortcut / "a.ipynb"))
    try:
        assert source(clip) == source(shortcut / "vidu_archive" / "x" / "clip.mp4") == "vidu_archive/x/clip.mp4"
    finally:
        shortcut.unlink()


# In kernels.


def run(folder, *cells):
    """Execute cells in a folder; gives each one's output as a MIME bundle."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs[0].data if cell.outputs else {} for cell in notebook.cells]


SHOW = "import vidu_nb as vidu\nvidu.load({!r})"


def test_a_kernel_that_changed_its_folder_links_from_where_it_started(clip, tmp_path):
    """`%cd` and `os.chdir`, before the import as well, don't move the notebook."""
    *_, first, _, second = run(tmp_path, "%cd -q vidu_archive", SHOW.format(str(clip)), "import os; os.chdir('/')", "_")
    assert 'src="vidu_archive/x/clip.mp4"' in first["text/html"]
    assert 'src="vidu_archive/x/clip.mp4"' in second["text/html"]


def test_vs_codes_own_name_of_the_notebook_means_vs_code(clip, tmp_path, monkeypatch):
    """Whatever the environment says, a kernel with `__vsc_ipynb_file__` is VS Code's."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "a.ipynb"))
    (shown,) = run(tmp_path, "__vsc_ipynb_file__ = 'a.ipynb'\n" + SHOW.format(str(clip)))
    assert "(VS Code plays no links to files)" in shown["text/html"]


def test_a_session_of_another_notebook_is_not_believed(clip, tmp_path, monkeypatch):
    """A notebook that is executed from another one's kernel inherits its name: no link is better than a wrong one."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.setenv("JPY_SESSION_NAME", str(other / "other.ipynb"))
    (shown,) = run(tmp_path, SHOW.format(str(clip)))
    assert 'src="data:' in shown["text/html"]
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "this.ipynb"))
    (shown,) = run(tmp_path, SHOW.format(str(clip)))
    assert 'src="vidu_archive/x/clip.mp4"' in shown["text/html"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"root_dir": 7}', '{"root_dir": "relative"}', "{"])
def test_a_servers_file_that_can_t_be_read_is_no_server(text, clip, tmp_path, monkeypatch):
    """What another program wrote there breaks no player."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    (tmp_path / f"jpserver-{os.getppid()}.json").write_text(text)
    assert current_place().roots == ()
    assert source(clip) == "vidu_archive/x/clip.mp4"


def test_the_servers_root_lets_a_link_go_up(clip, tmp_path, monkeypatch):
    """An archive above the notebooks that share it is reached, where the server that started the kernel serves it."""
    (tmp_path / "day 1").mkdir()
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "day 1" / "a.ipynb"))
    assert source(clip).startswith("data:")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    facts = {"root_dir": str(tmp_path), "token": "secret"}
    (tmp_path / f"jpserver-{os.getppid()}.json").write_text(json.dumps(facts))
    assert source(clip) == "../vidu_archive/x/clip.mp4"


@pytest.mark.skipif(os.name == "nt", reason="a folder in use can't be removed there")
def test_a_working_folder_that_is_gone_hides_no_clip(clip, tmp_path, monkeypatch):
    """A clip is shown, named and saved after its program's working folder was removed."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for setting in ("auto", "link"):
        monkeypatch.setenv("VIDU_NB_PLAYER", setting)
        assert f"is {clip} ({UNKNOWN})" in unescape(Player([Video(clip)]).html())
    assert repr(Video(clip)) == f"Video(clip.mp4, {str(clip)!r})"
    assert Video(clip).save(tmp_path / "copy.mp4").is_file()


def test_spellings_are_absolute(tmp_path):
    """A relative path is spelled from the working folder."""
    (tmp_path / "b").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    assert spellings(Path("a") / "x.mp4") == (tmp_path / "a" / "x.mp4", tmp_path.resolve() / "b" / "x.mp4")
