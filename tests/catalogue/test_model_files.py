"""A model's file: what is wrong with one is told by file, line and field; and a folder of them is watched."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import threading
import warnings

import pytest
from catalogues import FOLDER, PAINTER, painter_with
from common import ROOT
from hypothesis import example, given
from hypothesis import strategies as st

import vidu_nb as vidu
from vidu_nb.catalogue.model import MAX_FILE_BYTES, Model, read_model
from vidu_nb.catalogue.models import DEFAULT, Models, models
from vidu_nb.errors import InvalidRequest

HEAD = PAINTER.count("\n") + 1  # the line after which `painter_with` puts more


def refusal(make):
    with pytest.raises(InvalidRequest) as caught:
        make()
    assert caught.value.field == "model"
    assert "\n" not in caught.value.message
    return caught.value.message


# One wrong file.


@pytest.mark.parametrize(
    ("line", "by", "says"),
    [
        (1, 'slug = "a b"', "line 1: slug: 'a b' must be letters, digits, dots, dashes and underscores"),
        (1, 'slug = "../up"', "line 1: slug: '../up' must be letters, digits, dots, dashes and underscores"),
        (1, "slug = 5", "line 1: slug: must be text"),
        (1, 'slug = "x-draft"', "line 1: slug: 'x-draft' ends in -draft, which asks for a draft of a preview"),
        (1, "", "line 1: slug: is missing"),
        (2, "", "line 1: title: is missing"),
        (2, 'title = ["P"]', "line 2: title: must be text"),
        (2, 'title = " "', "line 2: title: is empty"),
        (3, 'returns = "music"', "line 3: returns: 'music' is not one of video, image"),
        (3, "", "line 1: returns: is missing"),
        (4, "", "line 1: price_usd: is missing"),
        (4, "price_usd = true", "line 4: price_usd: must be a number"),
        (4, 'price_usd = "0.01"', "line 4: price_usd: must be a number"),
        (4, "price_usd = -1", "line 4: price_usd: -1 is not an amount"),
        (4, "price_usd = nan", "line 4: price_usd: nan is not an amount"),
        (4, "price_usd = inf", "line 4: price_usd: inf is not an amount"),
        (4, "price_usd = 1\nseconds = -3", "line 5: seconds: -3 is not an amount"),
        (4, "price_usd = 1\nprice = 2", "line 5: price: is not known; known are slug, title, returns, price_usd"),
        (4, "price_usd = 1\nfields = 3\n[other]", "line 8: is not TOML: Cannot overwrite a value"),
        (4, 'price_usd = 1\nmention = "{nam}"', "line 5: mention: may hold {name} and {number}, and no other braces"),
        (4, 'price_usd = 1\nmention = "{name.real}"', "line 5: mention: may hold {name} and {number}, and no other"),
        (4, 'price_usd = 1\nmention = "{number:>999999999}"', "line 5: mention: may hold {name} and {number}, and no"),
        (4, 'price_usd = 1\nmention = "{"', "line 5: mention: may hold {name} and {number}, and no other braces"),
        (4, 'price_usd = 1\nmention = "{0}"', "line 5: mention: may hold {name} and {number}, and no other braces"),
        (4, "price_usd = 1\nprice_factors = { no = 1 }", "line 5: price_factors.no: there is no such parameter"),
        (4, "price_usd = 1 2", "line 4: is not TOML: .*column 15"),
        (4, "price_usd = [1,", "line 6: is not TOML: "),
        (4, "slug = 2", "line 4: is not TOML: Cannot overwrite a value"),
        (4, f"price_usd = {'9' * 5000}", "line 9: is not TOML: Exceeds the limit"),
        (7, "type = 5", "line 7: fields.text.type: must be text"),
        (7, 'type = "text"', "line 7: fields.text.type: 'text' is not one of string, integer, number"),
        (7, "", "line 6: fields.text.type: is missing"),
        (7, 'type = "pictures"', "line 7: fields.text.type: with the role 'prompt' it must be string"),
        (8, 'role = "title"', "line 8: fields.text.role: 'title' is not one of prompt, negative_prompt"),
        (9, 'required = "yes"', "line 9: fields.text.required: must be true or false"),
        (9, 'required = true\ndefault = "A cat"', "line 10: fields.text.default: what is required has no default"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(line, by, says):
    """The message names the file, the line and the key, and says what is wrong."""
    lines = PAINTER.splitlines()
    lines[line - 1] = by
    message = refusal(lambda: Model.from_toml("\n".join(lines), where="painter.toml"))
    assert re.match(f"painter.toml, {says}".replace("{", r"\{"), message), message


@pytest.mark.parametrize(
    ("more", "line", "says"),
    [
        ('[fields."a b"]\ntype = "string"', 1, 'fields."a b": a parameter\'s name is made of letters, digits and'),
        ('[fields."1a"]\ntype = "string"', 1, "fields.1a: a parameter's name is made of letters"),
        ('[fields.größe]\ntype = "string"', 1, "is not TOML"),
        ('[fields.a]\ntype = "integer"\nmin = 3', 3, "fields.a.min: is not known; known are type, role"),
        ('[fields.a]\ntype = "string"\nrole = "prompt"', 3, "fields.a.role: 'prompt' is text's role already"),
        ('[fields.a]\ntype = "number"\nrole = "seed"', 2, "fields.a.type: with the role 'seed' it must be integer"),
        ('[fields.a]\ntype = "picture"\nrole = "references"', 2, "fields.a.type: with the role 'references' it must"),
        ('[fields.a]\ntype = "link"\nrole = "videos"', 2, "fields.a.type: with the role 'videos' it must be links"),
        ('[fields.a]\ntype = "string"\nrole = "base64"', 2, "fields.a.type: with the role 'base64' it must be boolean"),
        ('[fields.a]\ntype = "string"\nrole = "width"', 2, "fields.a.type: with the role 'width' it must be integer"),
        ('[fields.a]\ntype = "integer"\nminimum = 3\nmaximum = 2', 4, "fields.a.maximum: 2 is below minimum, 3"),
        ('[fields.a]\ntype = "integer"\nminimum = nan', 3, "fields.a.minimum: nan is no limit"),
        ('[fields.a]\ntype = "number"\nmaximum = inf', 3, "fields.a.maximum: inf is no limit"),
        ('[fields.a]\ntype = "integer"\nmultiple_of = 0', 3, "fields.a.multiple_of: must be above 0"),
        ('[fields.a]\ntype = "integer"\nmultiple_of = -8', 3, "fields.a.multiple_of: must be above 0"),
        ('[fields.a]\ntype = "string"\nmaximum = 2', 3, "fields.a.maximum: is for integer or number"),
        ('[fields.a]\ntype = "integer"\nmax_length = 2', 3, "fields.a.max_length: is for string"),
        ('[fields.a]\ntype = "string"\nmax_length = -1', 3, "fields.a.max_length: must be above 0"),
        ('[fields.a]\ntype = "string"\nmax_items = 2', 3, "fields.a.max_items: is for pictures or links"),
        ('[fields.a]\ntype = "picture"\nmin_items = 2', 3, "fields.a.min_items: is for pictures or links"),
        ('[fields.a]\ntype = "links"\nmax_items = 0', 3, "fields.a.max_items: must be above 0"),
        ('[fields.a]\ntype = "links"\nmin_items = 3\nmax_items = 2', 4, "fields.a.max_items: 2 is below min_items, 3"),
        ('[fields.a]\ntype = "boolean"\nanimated = true', 3, "fields.a.animated: is for picture or pictures"),
        ('[fields.a]\ntype = "boolean"\nchoices = [true]', 3, "fields.a.choices: is for string, integer or number"),
        ('[fields.a]\ntype = "string"\nchoices = []', 3, "fields.a.choices: is empty"),
        ('[fields.a]\ntype = "string"\nchoices = [\n  "a",\n  2,\n]', 3, "fields.a.choices: 2 is not text"),
        ('[fields.a]\ntype = "integer"\nchoices = [1, true]', 3, "fields.a.choices: True is not a whole number"),
        ('[fields.a]\ntype = "integer"\nchoices = [1, 2.5]', 3, "fields.a.choices: 2.5 is not a whole number"),
        ('[fields.a]\ntype = "string"\nchoices = [["a"]]', 3, r"fields.a.choices: \['a'\] is not text"),
        ('[fields.a]\ntype = "integer"\ndefault = 7\nmaximum = 5', 3, "fields.a.default: 7 is out of range"),
        ('[fields.a]\ntype = "string"\ndefault = "c"\nchoices = ["a"]', 3, "fields.a.default: 'c' is not one of a"),
        ('[fields.a]\ntype = "integer"\ndefault = "7"', 3, "fields.a.default: '7' is not a whole number"),
        ('[fields.a]\ntype = "integer"\nsure = false\ndefault = "7"', 4, "fields.a.default: '7' is not a whole number"),
        ('[fields.a]\ntype = "integer"\ndefault = [7]', 3, "fields.a.default: must be text, a number or true"),
        ('[fields.a]\ntype = "integer"\ndefault = 2026-01-01', 3, "fields.a.default: must be text, a number or true"),
        ('[fields.a]\ntype = "picture"\ndefault = "cat.png"', 3, "fields.a.default: what is required has no default"),
        ('[fields.a]\ntype = "integer"\nrandom = -1\nminimum = 0', 3, "fields.a.random: -1 is out of range"),
        ('[fields.a]\ntype = "integer"\nrandom = "no"', 3, "fields.a.random: 'no' is not a whole number"),
        ('[fields.a]\ntype = "integer"\nsizes = { a = [1, 2] }', 3, "fields.a.sizes: 'a' is not a whole number"),
        ('[fields.a]\ntype = "string"\nchoices = ["a"]\nsizes = { a = [0, 2] }', 4, "fields.a.sizes: each must be"),
        ('[fields.a]\ntype = "string"\nchoices = ["a"]\nsizes = { a = 5 }', 4, "fields.a.sizes: each must be"),
        ('[fields.a]\ntype = "string"\nchoices = ["a"]\nsizes = { a = [1, 9999] }', 4, "fields.a.sizes: each must be"),
        ('[fields.a]\ntype = "string"\nchoices = ["a"]\nsizes = { a = [1, true] }', 4, "fields.a.sizes: each must be"),
        ('[fields.a]\ntype = "string"\nchoices = ["a"]\nremarks = { b = "no" }', 4, "fields.a.remarks: 'b' is not one"),
        ('[fields.a]\ntype = "string"\nchoices = ["a"]\nremarks = { a = 5 }', 4, "fields.a.remarks: each must be text"),
        ("fields.a = 5", 1, "fields.text.fields: is not known"),
        ('[[fields.a]]\ntype = "string"', 1, "fields.a: must be a table"),
        ('[fields.a]\ntype = "string"\n[price_factors]\na = 0', 4, "price_factors.a: must be a number above 0"),
        ('[fields.a]\ntype = "integer"\n[price_factors]\na = true', 4, "price_factors.a: must be a number above 0"),
        ('[fields.a]\ntype = "integer"\n[price_factors]\na = inf', 4, "price_factors.a: must be a number above 0"),
        ('[fields.a]\ntype = "integer"\n[price_factors]\na = "2"', 4, "price_factors.a: must be a number above 0"),
        ('[fields.a]\ntype = "string"\n[price_factors]\na = 2', 4, "price_factors.a: only a number's value multiplies"),
        ('[fields.a]\ntype = "integer"\n[price_factors]\na = {}', 4, "price_factors.a: must be a number above 0"),
        ('[fields.a]\ntype = "integer"\n[price_factors.a]\nfive = 2', 3, "price_factors.a: 'five' is not a whole"),
        ('[fields.a]\ntype = "boolean"\n[price_factors.a]\nyes = 2', 3, "price_factors.a: 'yes' is not True or False"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(more, line, says):
    """So it is for each rule about a parameter, wherever its table stands."""
    message = refusal(lambda: painter_with(more))
    assert re.match(rf"painter\.toml, line {HEAD + line}: {says}", message), message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{}[fields.a]\ntype = "integer"\nhelp = """\n[fields.b]\nminimum = 1\n"""\nminimum = "x"\n', 7),
        ('{}[fields.b]\ntype = "integer"\n[fields.a]\n  type = "integer"\n  "minimum"  =  "x"\n', 5),
        ('{}[fields]\na.type = "integer"\na.minimum = "x"\n', 3),
        ('{}[fields]\na = {{ type = "integer", minimum = "x" }}\n', 2),
        ('{}[ fields . "a" ]  # the a\ntype = "integer"\n\n# minimum = 3\nminimum = "x"', 5),
        ('fields.a.type = "integer"\nfields.a.minimum = "x"\n{}', 2),
        ('{}[fields.a]\r\ntype = "integer"\r\nminimum = "x"\r\n', 3),
        ("{}[fields.a]\ntype = 'integer'\nhelp = 'x\x0by\u2028z'\nminimum = 'x'".replace("\x0b", ""), 4),
    ],
    ids=["after a text of lines", "indented", "dotted", "in a row", "quoted", "at the top", "Windows", "separators"],
)
def test_the_line_is_found_however_the_file_is_written(text, line):
    """TOML has several ways to write a table; the message names the line of the wrong key in each."""
    head = 'slug = "a"\ntitle = "A"\nreturns = "image"\nprice_usd = 1\n'
    before = 0 if text.startswith("fields") else head.count("\n")
    message = refusal(lambda: Model.from_toml(text.format(head), where="a.toml"))
    assert message == f"a.toml, line {before + line}: fields.a.minimum: must be a number"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing"])
def test_an_empty_file_lacks_its_slug(text):
    """Whatever is missing is told as missing."""
    assert refusal(lambda: Model.from_toml(text, where="a.toml")) == "a.toml, line 1: slug: is missing"


def test_a_file_that_is_nested_without_end_is_refused():
    """Neither an error of Python's own nor a crash."""
    text = PAINTER + "x = " + "[" * 20_000 + "]" * 20_000
    assert refusal(lambda: Model.from_toml(text, where="a.toml")).startswith("a.toml")
    text = PAINTER + "x = " + "{a=" * 20_000 + "1" + "}" * 20_000
    assert refusal(lambda: Model.from_toml(text, where="a.toml")).startswith("a.toml")


def test_texts_of_a_file_are_on_one_line():
    """A title of many lines, or with a terminal's control sequences, is shown in tables and terminals."""
    text = PAINTER.replace('"Painter"', r'"Pa\u001b[31min\nter"') + 'help = "One\\ntwo"\n'
    model = Model.from_toml(text)
    assert model.title == "Pa [31min ter"
    assert model.fields["text"].help == "One two"


KEYS = [
    "type", "role", "title", "help", "hint", "mark", "required", "sure", "added", "animated", "minimum", "maximum",
    "multiple_of", "max_length", "min_items", "max_items", "choices", "sizes", "remarks", "default", "random",
    "minimun",
]  # fmt: skip
TYPES = ["string", "integer", "number", "boolean", "picture", "pictures", "link", "links", "text"]
ROLES = ["prompt", "references", "picture", "seed", "duration", "width", "samples", "base64", "style", ""]
scalars = (
    st.booleans()
    | st.integers(-5, 3000)
    | st.integers()
    | st.floats()
    | st.sampled_from(TYPES + ROLES)
    | st.text(max_size=9)
)
values = scalars | st.lists(scalars | st.lists(st.integers(0, 9), max_size=2), max_size=3)
values |= st.dictionaries(st.text(max_size=3), values, max_size=2)


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        escaped = (c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value)
        return f'"{"".join(escaped)}"'
    return str(value)


def check_message(message, text):
    """It names a line, and the key that stands there or is missing."""
    found = re.match(r"random\.toml, line (\d+): ([\w.-]+|\w+\.\".*\"): .", message)
    assert found, message
    key, line = found[2].split(".")[-1], text.splitlines()[int(found[1]) - 1]
    assert key in line or "is missing" in message or '"' in key, (message, line)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True)
        | st.sampled_from(["prompt", "references", "class", "copy", "text"]),
        st.dictionaries(st.sampled_from(KEYS), values, max_size=6).flatmap(
            lambda table: st.tuples(st.sampled_from(TYPES), st.sampled_from(ROLES)).map(
                lambda both: {"type": both[0], "role": both[1]} | table
            )
        ),
        max_size=4,
    ),
    st.dictionaries(st.sampled_from(["price_factors", "mention", "seconds", "source", "colour"]), values, max_size=2),
)
@example({"a": {"type": "integer", "multiple_of": 10**400}}, {})
@example({"a": {"type": "number", "minimum": -(10**400), "maximum": 10**400, "default": 5}}, {})
def test_any_file_is_read_or_refused_by_file_line_and_field(tables, top):
    """Random fields make a model whose requests can be made, or a message that names line and field; nothing else."""
    text = f"{PAINTER.partition('[')[0]}" + "".join(f"{key} = {toml(value)}\n" for key, value in top.items())
    text += "[fields]\n" + "".join(
        f"[fields.{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )
    try:
        model = Model.from_toml(text, where="random.toml")
    except InvalidRequest as error:
        check_message(error.message, text)
        return
    assert list(model.fields) == list(tables)
    model.schema()
    pictures = {one.parameter: "https://example.com/cat.png" for one in model.media}
    given = {name: value for name, value in (("prompt", "A cat"),) if name in model.by_parameter}
    try:
        made = model.request(**pictures | given)
    except InvalidRequest:
        return
    assert type(made).from_payload(made.payload()) == made
    assert model.price_of(made) >= 0
    assert min(made.frame_size) > 0
    assert len(made.key()) == 64


# A file on disk.


def written(path, slug="painter", **facts):
    """A small model's file."""
    facts = {"title": "Painter", "returns": "image", "price_usd": 0.01} | facts
    lines = [f"{name} = {toml(value)}" for name, value in {"slug": slug, **facts}.items()]
    path.write_text("\n".join([*lines, "[fields.text]", 'type = "string"', 'role = "prompt"', ""]), encoding="utf-8")
    return path


def test_a_file_from_windows_is_read(tmp_path):
    """With carriage returns and the mark that Notepad puts before UTF-8."""
    path = tmp_path / "painter.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PAINTER.replace("\n", "\r\n").encode())
    assert read_model(path).slug == "painter"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b'slug = "\xff"'), "is not UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * (MAX_FILE_BYTES + 1)), "is larger than 100 kB"),
        (lambda path: path.mkdir(), "is a directory"),
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
        (lambda path: path.symlink_to(path), "[Ss]ymbolic link"),
        (lambda path: path.symlink_to("gone"), "no such file"),
        (lambda _: None, "no such file"),
    ],
    ids=["not UTF-8", "huge", "a folder", "a pipe", "a device", "a link to itself", "a link to nothing", "missing"],
)
def test_what_is_no_file_of_text_is_refused(make, says, tmp_path):
    """Nothing is waited for and nothing is read without end."""
    path = tmp_path / "painter.toml"
    make(path)
    message = refusal(lambda: models.add(path))
    assert message.startswith("painter.toml: ")
    assert re.search(says, message, re.IGNORECASE), message


def test_a_path_that_is_none_is_refused():
    """As for any path: no such user, a NUL character."""
    assert "NUL" in refusal(lambda: models.add("a\0b"))
    with pytest.raises(InvalidRequest, match="no such user"):
        models.add("~nobody-of-that-name/a.toml")


def test_the_files_of_this_package_are_as_long_as_files_may_be():
    """The limit on a file's size is far from what a model needs."""
    assert max(path.stat().st_size for path in FOLDER.glob("*.toml")) < MAX_FILE_BYTES / 10


# Adding, removing, finding.


@pytest.fixture
def painter(tmp_path):
    """A model that was added, and is removed afterwards."""
    yield vidu.models.add(written(tmp_path / "painter.toml"))
    models.remove("painter")


def test_a_model_is_added_and_removed(painter, tmp_path):
    """From then on it is found by its slug, comes last, and can be asked; the same again replaces it."""
    assert vidu.models["painter"] is painter
    assert list(models)[-1] == "painter"
    assert len(models) == len(list(models))
    assert "painter" in models
    assert painter.request(prompt="A cat").payload() == {"text": "A cat"}
    again = models.add(str(written(tmp_path / "painter.toml", price_usd=2)))
    assert (models["painter"], models["painter"].price_usd) == (again, 2)
    models.remove(painter)
    assert "painter" not in models
    models.remove("painter")
    assert painter.request(prompt="A cat").model is painter


def test_a_model_of_this_package_stays_what_it_is(tmp_path):
    """No file takes the slug of one that came with the package, and none of these is removed."""
    message = refusal(lambda: models.add(written(tmp_path / "a.toml", slug=DEFAULT)))
    assert message == f"a.toml: slug: {DEFAULT!r} is a model of this package"
    models.remove(DEFAULT)
    assert DEFAULT in models


@pytest.mark.usefixtures("painter")
def test_a_model_is_found_by_whatever_names_it():
    """A slug, a model, None for the default; another name is refused with those that are known and what to do."""
    assert models.find(None).slug == DEFAULT
    assert models.find("painter") is models.find(models["painter"])
    for name in ("sdxl", "", "x" * 10**6, 5, b"painter", ["painter"], "a\nb"):
        message = refusal(lambda name=name: models.find(name))
        assert f"known are {DEFAULT}, " in message or len(message) == 300
        assert name not in models
    assert "models.add() takes a file for another" in refusal(lambda: models.find("sdxl"))


# A folder of files.


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that VIDU_NB_MODELS names, and a fresh set of models."""
    monkeypatch.setenv("VIDU_NB_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def own(known):
    """Slugs beyond the package's, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        slugs = [slug for slug in known if known[slug].slug not in PACKAGE]
    return slugs, [str(one.message) for one in caught]


PACKAGE = {path.stem for path in FOLDER.glob("*.toml")}


def test_the_models_of_a_folder_are_known(folder):
    """Each TOML file of the folder is a model; hidden files, which editors and systems leave, are not looked at."""
    written(folder / "b.toml", "b")
    written(folder / "a.toml", "a")
    (folder / "notes.txt").write_text("nothing")
    (folder / "._a.toml").write_bytes(b"\xff\xfe")
    (folder / ".#a.toml").symlink_to("somebody@host.1234")
    assert own(Models()) == (["a", "b"], [])


def test_changes_of_a_folder_are_seen(folder):
    """A file that comes, changes or goes does so at the next look; what has not changed stays the same object."""
    known = Models()
    written(folder / "a.toml", "a")
    a = known["a"]
    written(folder / "b.toml", "b")
    assert own(known)[0] == ["a", "b"]
    assert known["a"] is a
    written(folder / "a.toml", "a", price_usd=7, title="Another")
    assert known["a"].price_usd == 7
    written(folder / "new", "b", price_usd=8).replace(folder / "b.toml")
    assert known["b"].price_usd == 8
    (folder / "a.toml").unlink()
    assert own(known)[0] == ["b"]
    assert "a" not in known


def test_a_wrong_file_is_warned_of_once_and_hides_no_other(folder):
    """It is told when it is read, not at every look, and again when it is another; the other models are there."""
    written(folder / "b.toml", "b")
    (folder / "a.toml").write_text('slug = "a"\n')
    known = Models()
    assert own(known) == (["b"], ["VIDU_NB_MODELS: a.toml, line 1: title: is missing"])
    assert own(known) == (["b"], [])
    written(folder / "c.toml", "c")
    assert own(known) == (["b", "c"], [])
    (folder / "a.toml").write_text('slug = "a"\ntitle = 5\n')
    assert own(known) == (["b", "c"], ["VIDU_NB_MODELS: a.toml, line 2: title: must be text"])
    written(folder / "a.toml", "a")
    assert own(known) == (["a", "b", "c"], [])


def test_of_two_files_with_one_slug_the_first_counts(folder):
    """By name; the other is warned of, and so is one with the slug of a model of the package."""
    written(folder / "a.toml", "same", title="First")
    written(folder / "b.toml", "same", title="Second")
    written(folder / "c.toml", DEFAULT)
    known = Models()
    slugs, told = own(known)
    assert slugs == ["same"]
    assert known["same"].title == "First"
    assert told == [
        "VIDU_NB_MODELS: b.toml: slug: 'same' is that of another file in the folder",
        f"VIDU_NB_MODELS: c.toml: slug: {DEFAULT!r} is a model of this package",
    ]
    (folder / "a.toml").unlink()
    assert known["same"].title == "Second"


def test_a_model_that_was_added_comes_before_the_folders(folder, tmp_path):
    """Whoever adds a file means it."""
    written(folder / "a.toml", "a", title="The folder's")
    known = Models()
    added = known.add(written(tmp_path / "mine.toml", "a", title="Mine"))
    assert known["a"] is added
    assert [known[slug].title for slug in known if slug == "a"] == ["Mine"]
    known.remove("a")
    assert known["a"].title == "The folder's"


def test_links_in_a_folder_are_followed(folder, tmp_path):
    """To a file elsewhere, and to another folder in the folder's place; one that leads nowhere is warned of."""
    (folder / "a.toml").symlink_to(written(tmp_path / "elsewhere", "a"))
    (folder / "gone.toml").symlink_to(tmp_path / "nowhere")
    known = Models()
    slugs, told = own(known)
    assert slugs == ["a"]
    assert [re.match("VIDU_NB_MODELS: gone.toml: no such file", one, re.IGNORECASE) is not None for one in told] == [
        True
    ]
    written(tmp_path / "elsewhere", "a", title="Another")
    assert known["a"].title == "Another"


def test_a_folder_that_is_not_there_is_warned_of_once(folder):
    """So is one that went; the package's models are there all the same, and the folder's when it comes back."""
    written(folder / "a.toml", "a")
    known = Models()
    assert own(known) == (["a"], [])
    shutil.rmtree(folder)
    slugs, told = own(known)
    assert slugs == []
    assert told == [f"VIDU_NB_MODELS: {folder}: No such file or directory"]
    assert own(known) == ([], [])
    folder.mkdir()
    written(folder / "a.toml", "a")
    assert own(known) == (["a"], [])


@pytest.mark.parametrize("value", ["~nobody-of-that-name/models", "a.toml", "no/such"])
def test_a_folder_that_is_none_hides_no_model(value, tmp_path, monkeypatch):
    """Whatever the setting holds, the package's models are there."""
    written(tmp_path / "a.toml", "a")
    monkeypatch.setenv("VIDU_NB_MODELS", value)
    slugs, told = own(Models())
    assert (slugs, len(told)) == ([], 1)
    assert told[0].startswith("VIDU_NB_MODELS: ")


def test_threads_see_whole_models(folder, tmp_path):
    """While files come and go in one thread, others find models and list them, and no error escapes."""
    written(folder / "a.toml", "a")
    known, stop, problems = Models(), threading.Event(), []

    def look():
        while not stop.is_set():
            try:
                assert known["a"].request(prompt="A cat").payload() == {"text": "A cat"}
                assert set(known) >= PACKAGE | {"a"}
            except Exception as error:  # whatever it is, it is told below
                problems.append(error)
                return

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(60):
        known.add(written(tmp_path / "own.toml", f"own-{number}"))
        written(tmp_path / "new", f"b-{number}").replace(folder / "b.toml")
        known.remove(f"own-{number - 1}")
        (folder / "b.toml").unlink()
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_an_example_of_the_documents_is_a_model(tmp_path):
    """The page on models shows a whole file; it loads, and says what it says."""
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    shown = [textwrap.dedent(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    path = tmp_path / "grok.toml"
    path.write_text(next(block for block in shown if block.startswith("slug")), encoding="utf-8")
    model = read_model(path)
    assert (model.price_usd, model.returns, model.by_role("references").max_items) == (1.08, "video", 7)
