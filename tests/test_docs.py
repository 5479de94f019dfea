"""The documentation: its links lead somewhere, its code runs, and nothing that it lists is missing."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import inspect
import itertools
import re
import shlex
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from common import ROOT
from faults import FaultServer
from PIL import Image

import vidu_nb as vidu
from vidu_nb import errors
from vidu_nb.commands import cli

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob(".github/**/*.md")),
]
GUIDES = [page for page in PAGES if page.parent == DOCS]
WAIT_FOR_A_PERSON = {"serve", "gateway", "lab"}
TESTED_BY_ITSELF = {"demo", "picture"}  # their own tests run them: the service here answers with clips alone

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_in(page: Path, *languages: str) -> list[str]:
    return [code for _, language, code in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def links_in(page: Path) -> list[str]:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    found = re.findall(r"\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"", text)
    return [unquote(link) for link in map("".join, found) if not link.startswith(("http", "mailto:"))]


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    found: dict[str, int] = {}
    for title in re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower().strip()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {slug if not again else f"{slug}-{again}" for slug, times in found.items() for again in range(times + 1)}


def targets_of(page: Path) -> set[Path]:
    return {(page.parent / link.partition("#")[0]).resolve() if link[0] != "#" else page for link in links_in(page)}


# Links.


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    """Each relative link names a file that is there, and a heading that is in it."""
    for link in links_in(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)}: {link}"
        assert not anchor or anchor in anchors_of(target), f"{name_of(page)}: {link} is none of {anchors_of(target)}"


def test_everything_is_reached_in_two_clicks():
    """Page and notebook, each is at most two links away from the front page: none is an orphan."""
    reached = {ROOT / "README.md"}
    for _ in range(2):
        reached |= set(itertools.chain.from_iterable(targets_of(page) for page in reached if page.suffix == ".md"))
    wanted = {*GUIDES, *DOCS.glob("transcripts/*.md"), *ROOT.glob("notebooks/[0-9]*.ipynb"), ROOT / "CONTRIBUTING.md"}
    assert sorted(map(name_of, wanted - reached)) == []


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_every_page_ends_with_where_to_go_next(page):
    """Nobody stands at the end of a page without a link."""
    last = page.read_text(encoding="utf-8").rstrip().split("\n\n")[-1]
    assert "](" in last, f"{name_of(page)} ends with: {last}"


def test_every_picture_is_shown():
    """No picture lies about unused."""
    shown = set(itertools.chain.from_iterable(targets_of(page) for page in PAGES))
    assert sorted(path.name for path in DOCS.glob("images/*") if path not in shown) == []


def test_no_picture_is_too_heavy_for_the_repository():
    """Each has at most 400 KiB."""
    assert {path.name: size for path in DOCS.glob("images/*") if (size := path.stat().st_size) > 400 * 1024} == {}


# Code.


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the pictures that the documentation names, and a service that answers in no time."""
    folder = tmp_path_factory.mktemp("docs")
    for name, colour in (("cat", "peru"), ("sofa", "teal")):
        noise = Image.effect_mandelbrot((320, 240), (-2, -1, 1, 1), 60).convert("RGB")
        Image.blend(noise, Image.new("RGB", noise.size, colour), 0.5).save(folder / f"{name}.jpg")
    vidu.Cast({name: folder / f"{name}.jpg" for name in ("cat", "sofa")}).save(folder / "cast")
    (folder / "story.md").write_text(code_in(DOCS / "films.md", "markdown")[0], encoding="utf-8")
    with FaultServer() as service:
        yield folder, service


@pytest.fixture(scope="module")
def clips(place):
    """Two small previews, for pages that speak of clips which are there already."""
    folder, _ = place
    client = vidu.Client.preview(quality="draft", archive=folder / "archive")
    asked = vidu.VideoRequest(prompt="A cat. Zoom in.", references=folder / "cat.jpg", bgm=False)
    a, b = (client.generate(asked.replace(seed=seed)) for seed in (1, 2))
    return {"a": a, "b": b, "video": a, "request": asked}


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    """A reader's working folder, with a key for that service."""
    folder, service = place
    for file in (*folder.glob("*.jpg"), folder / "story.md"):
        shutil.copy(file, tmp_path)
    shutil.copytree(folder / "cast", tmp_path / "cast")
    monkeypatch.setenv("SEGMIND_API_KEY", "key-of-a-reader")
    monkeypatch.setenv("SEGMIND_BASE_URL", service.root)
    monkeypatch.delenv("VIDU_NB_ARCHIVE")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if code_in(page, "python")], ids=name_of)
def test_python_in_the_documentation_parses(page):
    """Every Python block is Python."""
    for code in code_in(page, "python"):
        examples = [one.source for one in doctest.DocTestParser().get_examples(code)]
        compile("".join(examples) or code, name_of(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def runnable(page: Path) -> list[str]:
    return [code for code in code_in(page, "python") if code.startswith("import vidu_nb as vidu\n")]


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name_of)
@pytest.mark.usefixtures("here")
def test_python_in_the_documentation_runs(page, clips):
    """A page's blocks that begin with the import run one after another, as a reader would run them."""
    names = dict(clips)
    for code in runnable(page):
        exec(compile(code, name_of(page), "exec"), names)


def commands_in(page: Path) -> list[list[str]]:
    lines = "\n".join(code_in(page, "sh", "bash", "console")).replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:^|[/ ])vidu-nb (.+)", line.removeprefix("$ ")) for line in lines]
    return [shlex.split(hit[1], comments=True) for hit in found if hit]


@pytest.mark.parametrize("page", [page for page in GUIDES if commands_in(page)], ids=name_of)
@pytest.mark.usefixtures("here")
def test_commands_in_the_documentation_run(page, capsys):
    """A page's `vidu-nb` lines run in their order; those that wait for a person are at least understood."""
    for words in commands_in(page):
        if words[0] in WAIT_FOR_A_PERSON | TESTED_BY_ITSELF:
            cli._parser().parse_args(words)
            continue
        assert cli.main(words) == 0, f"vidu-nb {shlex.join(words)}: {capsys.readouterr().err}"


def test_every_command_is_shown():
    """Each command of `vidu-nb` stands in a page as one would type it."""
    shown = {words[0] for page in GUIDES for words in commands_in(page)}
    assert set(cli._parser()._subparsers._group_actions[0].choices) - shown == set()


def test_a_class_replays_what_its_teacher_bought(here, place):
    """With the teacher's archive and the service's name, but without a key, kept clips replay and nothing is sent."""
    _, service = place
    asked = vidu.VideoRequest(prompt="A lesson.", references=here / "cat.jpg")
    bought = vidu.Client(archive=here / "shared").generate(asked)
    with pytest.MonkeyPatch.context() as student:
        student.delenv("SEGMIND_API_KEY")
        client = vidu.Client.from_env(archive=here / "shared")
        assert client.generate(asked).bytes == bought.bytes
    assert len(service.posts("A lesson.")) == 1


def test_paths_in_pages_exist():
    """Each file of this repository that a page or the Makefile names is there."""
    pages = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "Makefile", *DOCS.glob("*.md")]
    named = {
        (page.name, path)
        for page in pages
        for path in re.findall(
            r"\b(?:tests|vidu_nb|docs|benchmarks|notebooks)/[a-z0-9_][\w./]+\.\w+", page.read_text(encoding="utf-8")
        )
    }
    assert [(page, path) for page, path in sorted(named) if not (ROOT / path).exists()] == []


# Completeness.


@pytest.fixture(scope="module")
def reference():
    """The script that makes the page of Python names."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_names_is_up_to_date(reference):
    """What the docstrings say now is what the page says."""
    assert reference.page() == reference.PAGE.read_text(encoding="utf-8"), "run: make docs"


def test_the_page_of_models_is_up_to_date(reference):
    """Its tables say what the models' files say."""
    assert reference.models_page() == reference.MODELS_PAGE.read_text(encoding="utf-8"), "run: make docs"


@pytest.mark.parametrize("name", vidu.__all__)
def test_every_public_name_is_told_with_an_example(name, reference):
    """Each public name stands on the page of names, and its docstring has an example that the tests run."""
    told = getattr(vidu, name)
    assert name == "errors" or reference.heading(told) in re.findall(r"^### (.+)$", reference.page(), re.MULTILINE)
    assert ">>> " in (inspect.getdoc(errors.ViduError if told is errors else told) or "")


def test_every_entry_on_the_page_of_names_has_an_example(reference):
    """So do the classes that no public name stands for: a panel, a verdict, a sweep."""
    told = [thing for things in reference.CHAPTERS.values() for thing in things]
    assert [thing.__name__ for thing in told if ">>> " not in (inspect.getdoc(thing) or "")] == []


def test_every_method_is_used_in_an_example(reference):
    """On the page of names each class's properties and methods occur in an example of that class."""
    missing = []
    for entry in re.findall(r"^### class (.+?)(?=^###? |\Z)", reference.page(), re.MULTILINE | re.DOTALL):
        told = re.findall(r"^#### \w+\.(\w+)\(\)$|^- `\.(\w+)`:", entry, re.MULTILINE)
        used = "".join(re.findall(r"^(?:>>>|\.\.\.) .+$", entry, re.MULTILINE))
        missing += [f"{entry.split()[0]}.{a or b}" for a, b in told if not re.search(rf"\.{a or b}\b", used)]
    assert missing == []


def test_every_error_is_told_with_its_remedy():
    """Each error class has a row that names its status and whether it is billed, as the code has them."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| ([\d, ]*|others) ?\| ([\w ]+) \| .+ \| .+ \|$", text, re.MULTILINE)
    rows = {name: (status, billed) for name, status, billed in told}
    kinds = (errors.ViduError, KeyboardInterrupt)
    known = {name for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, kinds)}
    assert known - {"ViduError"} == set(rows)
    for status, kind in errors._BY_STATUS.items():
        assert str(status) in rows[kind.__name__][0]
        assert rows[kind.__name__][1] == errors._REMEDIES[kind][0]


def test_every_setting_is_told():
    """Each environment variable that the code reads stands in the table of settings."""
    read = {
        name
        for path in (ROOT / "vidu_nb").rglob("*.py")
        for name in re.findall(r"\"((?:SEGMIND|VIDU_NB)_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
    told = re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "money-and-keys.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert read == set(told)
