"""A film as plain text: paragraphs, titles, parameters, and every mistake told by its line."""

from __future__ import annotations

import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest

SEA = "https://example.com/sea.png"
STORY = """\
---
title: A morning   # of many
aspect_ratio: 9:16
bgm: off
seed: 7
music: film
dissolve: 0.5
---

# In the kitchen

@anna wakes up,
*slow* push in.

... She walks to the @cafe.

## Outside

… and the `rain` stops.
"""


@pytest.fixture
def cast():
    return vidu.Cast(anna=Image.new("RGB", (160, 160), "navy"), cafe=Image.new("RGB", (160, 160), "tan"))


def film_of(text, **parameters):
    return vidu.Film.from_text(text + "\n", **{"references": SEA, **parameters})


def prompts(text):
    return [scene.prompt for scene in film_of(text)]


def test_a_story_is_a_film(tmp_path, cast):
    """Paragraphs are scenes, headings their titles, dots go on from before; front matter has the film's parameters."""
    (tmp_path / "story.md").write_text(STORY)
    film = vidu.Film.from_text("story.md", cast=cast, references=SEA)
    assert film == vidu.Film(
        [
            vidu.Scene("@anna wakes up, slow push in.", title="In the kitchen"),
            vidu.Scene("She walks to the @cafe.", continues=True),
            vidu.Scene("and the rain stops.", title="Outside", continues=True),
        ],
        cast=cast, title="A morning", aspect_ratio="9:16", bgm=False, seed=7, music="film", dissolve=0.5,
        references=SEA,
    )  # fmt: skip
    assert vidu.Film.from_text(tmp_path / "story.md", cast=cast, references=SEA) == film
    assert vidu.Film.from_text(STORY, cast=cast, references=SEA) == film


def test_parameters_that_are_passed_count_instead(cast):
    """What a call says goes before what the text says, under whichever of its names, and unread there."""
    film = vidu.Film.from_text(STORY, cast=cast, references=SEA, title="Mine", seed=8, music="none")
    assert (film.title, film.parameters["seed"], film.music, film.dissolve) == ("Mine", 8, "none", 0.5)
    text = f"---\nimage_urls: {SEA}\nseed: wrong\n---\nA wave.\n"
    assert vidu.Film.from_text(text, references="https://example.com/b.png", seed=1)[0].prompt == "A wave."
    with pytest.raises(InvalidRequest, match=r"^scene 1: seed: -1"):
        vidu.Film.from_text("---\nseed: 5\n---\nA wave.\n", references=SEA, seed=-1)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_a_story_may_come_from_any_editor(tmp_path, cast, line_end, begin):
    """Windows' line ends, an old Mac's, and a mark of byte order change nothing."""
    (tmp_path / "story.md").write_bytes((begin + STORY.replace("\n", line_end)).encode())
    assert vidu.Film.from_text("story.md", cast=cast, references=SEA) == vidu.Film.from_text(
        STORY, cast=cast, references=SEA
    )


def test_toml_says_the_same():
    """Between +++ the same parameters are TOML; YAML's words and numbers are read by the model's file."""
    toml = film_of('+++\ntitle = "A day"\naspect_ratio = "1:1"\nbgm = false\nseed = 7\n+++\nA wave.')
    yaml = film_of("---\ntitle: A day\naspect_ratio: 1:1\nbgm: false\nseed: '7'\n---\nA wave.")
    assert toml == yaml
    assert film_of("---\ntitle: 16:9\n---\nA wave.").title == "16:9"
    wan = film_of("---\nmodel: wan2.7-r2v\nduration: 7\n---\nA wave.")
    assert (wan.model.slug, wan.parameters["duration"]) == ("wan2.7-r2v", 7)
    assert vidu.Film.from_text(f"---\nreferences:\n  - {SEA}\n  - {SEA}2\n---\nA wave.\n").request(0).media[1].is_url


@pytest.mark.parametrize(
    ("text", "scenes"),
    [
        ("A.\n\nB.\n\n\n\nC.", ["A.", "B.", "C."]),
        ("A  \nb\\\nc\n  d\n\td", ["A b c d d"]),
        ("    indented\n\n\ttabbed", ["indented", "tabbed"]),
        ("1. one\n2. two\n   more\n\n- three\n- four", ["one", "two more", "three", "four"]),
        ("A **bold** _move_, `code`, [link](https://x.org), 2 * 3 &amp; \\*", ["A bold move, code, link, 2 * 3 & *"]),
        ("A sign says <OPEN> & <b>x</b>.", ["A sign says <OPEN> & <b>x</b>."]),
        ("A.\n\n---\n\nB.\n\n***\n\nC.", ["A.", "B.", "C."]),
        ("A.\n---\nB.", ["A.", "B."]),
        ("A <!-- note --> b.\n\n<!-- alone -->\n\nB.", ["A b.", "B."]),
        ("A\n<!-- two\n\nlines -->\nb.\n<!-- end -->", ["A b."]),
        ("<!-- first --> A.\n\n<!-- a --> <!-- b -->\nB.", ["A.", "B."]),
        ("[x]: https://x.org\n\nA.", ["[x]: https://x.org", "A."]),
        ("@@home, me@example.com", ["@@home, me@example.com"]),
        ("A.\n\n...... and b", ["A.", "and b"]),
        ("雨が降る。\n\n…海へ。", ["雨が降る。", "海へ。"]),
    ],
    ids=range(15),
)  # fmt: skip
def test_markdown_is_read_as_people_mean_it(text, scenes):
    """Marks of emphasis go, words stay; lists are scenes, lines and comments are none."""
    assert prompts(text) == scenes


@pytest.mark.parametrize(
    ("text", "film", "titles"),
    [
        ("# The sea\n\nA.\n\nB.", "", ["The sea", ""]),
        ("# The sea\n\n## Dawn\n\nA.\n\n## Dusk\n\nB.", "The sea", ["Dawn", "Dusk"]),
        ("# The sea\n\n# Dawn\n\nA.", "The sea", ["Dawn"]),
        ("---\ntitle: Mine\n---\n# The sea\n## Dawn\nA.", "Mine", ["Dawn"]),
        ("## The sea\n\n### Dawn\n\nA.\n\n# Act 2\n\n## Dusk\n\nB.", "", ["Dawn", "Dusk"]),
        ("The sea\n===\n\nA.", "", ["The sea"]),
        ("# *The* sea #\n\nA.", "", ["The sea"]),
    ],
    ids=range(7),
)
def test_headings_are_titles(text, film, titles):
    """A heading names the next scene; the first one, of level 1 and before another, names the film."""
    made = film_of(text)
    assert made.title == film
    assert [scene.title for scene in made] == titles


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("---\naspect_ratio: 9:16\nsede: 7\n---\nA.", 3, "sede: unknown parameter; known are title, music"),
        ("---\nseed: -1\n---\nA.", 2, "seed: -1 is out of range"),
        ("---\nseed: seven\n---\nA.", 2, "seed: 'seven' is not a whole number"),
        ("---\nseed: 1\n\nseed: 2\n---\nA.", 4, "seed: is given twice: line 2"),
        ("---\nreferences: a.jpg\n---\nA.", 2, "a.jpg is no https:// address"),
        ("---\nimage_urls: [https://x.org/a.png, /etc/passwd]\n---\nA.", 2, "/etc/passwd is no https:// address"),
        ("---\nreferences: http://127.0.0.1/a.png\n---\nA.", 2, "is no https:// address"),
        ("---\nmusic: ../song.mp3\n---\nA.", 2, "music: ../song.mp3 is none of film, clips, none"),
        ("---\nseed: 1\nmusic:\n  - film\n---\nA.", 3, "is none of film"),
        ("---\ndissolve: 9\n---\nA.", 2, "dissolve: 9.0 is not between 0 and 2"),
        ("---\ndissolve: long\n---\nA.", 2, "dissolve: 'long' is not between"),
        ("---\nmodel: sora\n---\nA.", 2, "'sora' is not known"),
        ("---\nmodel: faceswap-v2\n---\nA.", 2, "returns no video"),
        ("---\ncast: people\n---\nA.", 2, "cast: is passed beside the text"),
        ("---\nprompt: A.\n---\nA.", 2, "prompt: unknown parameter"),
        ("---\nclient: me\n---\nA.", 2, "client: unknown parameter"),
        ("---\nbgm:\n---\nA.", 2, "bgm: has no value"),
        ("---\nbgm: maybe\n---\nA.", 2, "bgm: 'maybe' is"),
        ("---\nseed: [1, 2]\n---\nA.", 2, "seed: .* is no value of it"),
        ("---\ntitle: [a]\n---\nA.", 2, "title: .* is no text|title: has no value"),
        ("---\n- seed\n---\nA.", 2, "lines of NAME: VALUE"),
        ("---\nseed 7\n---\nA.", 2, "lines of NAME: VALUE"),
        ("---\nseed: 7\n  bgm: off\n---\nA.", 3, "is not YAML"),
        ("---\ntitle: 'a\n---\nA.", None, "is not YAML"),
        ("---\na: &a [x]\nb: [*a, *a]\n---\nA.", 2, "anchors and aliases"),
        ("---\ntitle: " + "[" * 9_000 + "\n---\nA.", 2, "is not YAML"),
        ("---\ntitle: !!python/object/apply:os.getcwd []\n---\nA.", 2, "title: .* is no text|title: has no value"),
        ("---\nseed: 7\n\nA.", 1, "no line of --- ends it"),
        ("\n \n---\nsede: 7\n---\nA.", 4, "sede: unknown parameter"),
        ("\n+++\nseed = 7\nbgm = 3\n+++\nA.", 4, "bgm: 3 is"),
        ("---\n#" + "x" * 20_000 + "\n---\nA.", 1, "larger than 20 kB"),
        ("+++\nbgm = false\nseed 7\n+++\nA.", 3, "is not TOML"),
        ("+++\nbgm = false\n\nseed = -7\n+++\nA.", 4, "seed: -7 is out of range"),
        ("+++\nseed = 7\n[cast]\nanna = 'a.png'\n+++\nA.", 3, "cast: is passed beside"),
        ("# A\n\n# B\n\n# C\n\nA.", 3, "'B' has no scene"),
        ("A.\n\n# The end", 3, "'The end' has no scene"),
        ("A.\n\n...\n\nB.", 3, "no words"),
        ("... A.", 1, "scene 1: continues: there is no scene before it"),
        ("---\nseed: 7\n---\n\nA.\n\n@anna waves.", 7, "scene 2: prompt: @anna: there is no cast"),
        ("A.\n\n<!-- one\ntwo -->\n\n@anna waves.", 6, "scene 2: prompt: @anna"),
        ("A.\n\nb " + "b" * 1500, 3, "scene 2: prompt: has 1,502 characters"),
        ("A.\n\n> a quote", 3, "a quote is no scene"),
        ("A.\n\n```\ncode\n```", 3, "code is no scene"),
        ("A.\n\n| a | b |\n|---|---|\n| c | d |", 3, "a table is no scene"),
        ("A.\n\nSee\n![anna](../anna.jpg)", 3, "pictures are passed as a cast"),
        ("A.\n\n1998. A summer.", 3, "a number and a dot begin a list"),
        ("A.\n\nB <!-- never ends\n\nC", 3, "no --> ends it"),
        ("A.\n\nB \x1b[31m", 3, "a control character, '.x1b'"),
        ("A.\n\nB \x00", 3, "a control character"),
    ],
    ids=range(49),
)  # fmt: skip
def test_a_mistake_is_told_by_its_line(text, line, problem):
    """Whatever is wrong in front matter or in a scene, the message begins with the line that it stands in."""
    with pytest.raises(InvalidRequest, match=problem) as caught:
        vidu.Film.from_text(
            text + "\n", **({} if "references" in text or "image_urls" in text else {"references": SEA})
        )
    assert caught.value.message.startswith("text, line " if line is None else f"text, line {line}: ")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("A wave.".encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        ("A wave.".encode("utf-16-le"), "is UTF-16 text"),
        (b"A wave.\n\nA caf\xe9.", r"is not UTF-8 text \(line 3\)"),
        (b"A wave. " * 1_500_000, "is larger than 500 kB"),
        (b"", "it has no paragraph"),
        (b"---\n---\n<!-- nothing -->\n", "it has no paragraph"),
        (b"A.\n\n" * 201, "201 given: pass 1 to 200"),
    ],
    ids=range(7),
)
def test_a_file_that_is_no_story_is_refused(tmp_path, data, problem):
    """Another encoding, too much and nothing at all are refused by the file's name."""
    (tmp_path / "story.md").write_bytes(data)
    with pytest.raises(InvalidRequest, match=rf"^story.md: .*{problem}"):
        vidu.Film.from_text("story.md", references=SEA)


@pytest.mark.parametrize("source", ["missing.md", "", ".", b"A wave.\n", None, 7, "a\0b", "/dev/zero"])
def test_what_is_no_story_is_refused(source):
    """One line that is no file, a folder, a device, bytes: the message says what is taken."""
    with pytest.raises(InvalidRequest, match=r"pass a path|is no file|NUL"):
        vidu.Film.from_text(source, references=SEA)


@pytest.mark.parametrize("source", ["", ".", "folder"])
def test_a_folder_is_no_story(source, tmp_path, monkeypatch):
    """The message says so, and nothing of characters that the path doesn't hold."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidRequest, match="it is no file") as caught:
        vidu.Film.from_text(source, references=SEA)
    assert "NUL" not in str(caught.value)


def test_pathological_markdown_ends():
    """A hundred thousand brackets are read like any other text, as one paragraph that is too long."""
    with pytest.raises(InvalidRequest, match="has 100,000 characters"):
        film_of("![" * 50_000)
