"""A cast in a folder: written so that it comes back, and read as what a stranger may have sent."""

from __future__ import annotations

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest

URL = "https://example.com/ben.png"


@pytest.fixture(scope="session")
def grainy():
    """A picture that only fits as JPEG."""
    return np.random.default_rng(7).integers(0, 255, (1300, 1300, 3), dtype=np.uint8)


def wall(colour="navy"):
    return Image.new("RGB", (160, 160), colour)


def written(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "cast.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_a_cast_comes_back_from_its_folder(tmp_path, grainy):
    """Names, order and pictures are equal: PNG, JPEG and addresses, one or several, in any script."""
    cast = vidu.Cast({"anna": [wall(), grainy], "安-2": wall("tan"), "Élodie": grainy[::-1], "ben": [URL, wall("red")]})
    assert cast.save(tmp_path / "people") == tmp_path / "people"
    back = vidu.Cast.load("people")
    assert back == cast
    assert list(back) == list(cast)
    assert [one.label for one in back["anna"]] == ["anna 1", "anna 2"]
    assert back.save(tmp_path / "copies").name == "copies"
    assert vidu.Cast.load(tmp_path / "copies" / "cast.toml") == cast


def test_what_was_paid_for_is_found_after_a_cast_came_back(paid, grainy):
    """A picture that only fits as JPEG counts as the same one, so that nothing is paid for twice."""
    cast = vidu.Cast(anna=grainy)
    client = vidu.Client.from_env()
    client.generate(vidu.VideoRequest(prompt="@anna waves", references=cast))
    cast.save("people")
    again = client.generate(vidu.VideoRequest(prompt="@anna waves", references=vidu.Cast.load("people")))
    assert again.receipt.replayed
    assert len(paid.posts()) == 1


def test_a_picture_that_was_replaced_by_hand_is_read_anew(tmp_path, grainy):
    """Hashes in the file hold for the very file they were written for; another one in its place is just a picture."""
    vidu.Cast(anna=grainy).save("people")
    Image.fromarray(grainy[::-1]).save("people/anna.jpg")
    assert vidu.Cast.load("people")["anna"] == (vidu.Reference(tmp_path / "people" / "anna.jpg"),)
    with Image.open("people/anna.jpg") as picture:
        assert picture.size == (1300, 1300)


def test_no_two_names_share_a_file(tmp_path):
    """Names that look like a number behind another's, and those that Windows forbids, have files of their own."""
    names = ["anna", "anna-1", "anna1", "con", "NUL", "com1", "a_b"]
    colours = ["red", "tan", "navy", "pink", "gold", "cyan", "lime"]
    cast = vidu.Cast({name: wall(colour) for name, colour in zip(names, colours, strict=True)})
    cast = cast.replace(anna=[wall("black"), wall("white")])
    cast.save("people")
    assert vidu.Cast.load("people") == cast
    files = [path.name for path in (tmp_path / "people").iterdir()]
    assert len({name.casefold() for name in files}) == len(files)
    assert not {"con", "nul", "com1"} & {name.partition(".")[0].casefold() for name in files}


def test_saving_again_replaces_the_cast_and_nothing_else(tmp_path, grainy):
    """Pictures of the cast before are replaced; those that somebody put there under such a name stay, untouched."""
    folder = tmp_path / "people"
    vidu.Cast(anna=wall(), ben=wall("tan")).save(folder)
    newer = vidu.Cast(anna=wall("red"))
    newer.save(folder)
    assert vidu.Cast.load(folder) == newer
    (folder / "carl.png").write_bytes(b"a diary")
    with pytest.raises(InvalidRequest, match=r"carl.png is there already and holds something else"):
        vidu.Cast(anna=wall("pink"), carl=wall()).save(folder)
    assert (folder / "carl.png").read_bytes() == b"a diary"
    assert vidu.Cast.load(folder) == newer
    mine = tmp_path / "mine"
    mine.mkdir()
    Image.fromarray(grainy).save(mine / "anna.jpg", quality=97)
    before = (mine / "anna.jpg").read_bytes()
    vidu.Cast(anna=mine / "anna.jpg").save(mine)
    assert (mine / "anna.jpg").read_bytes() == before
    assert vidu.Cast.load(mine) == vidu.Cast(anna=mine / "anna.jpg")


def test_an_archive_is_no_place_for_a_cast(asked):
    """An archive's folders hold what was paid for; a cast in them is refused, and nothing is written."""
    kept = vidu.preview(**asked).path.parent
    with pytest.raises(InvalidRequest, match="outside of the archive"):
        vidu.Cast(anna=wall()).save(kept / "people")
    assert not (kept / "people").exists()


@pytest.mark.parametrize(
    "text",
    [
        'anna = "../secret.png"', 'anna = "people/../../secret.png"', 'anna = "sub/secret.png"',
        'anna = "..\\\\secret.png"',
        'anna = "/etc/passwd"', 'anna = "link.png"', 'anna = "pipe.png"', 'anna = "/dev/zero"', 'anna = "sub"',
        'anna = "."', 'anna = ""', 'anna = "~"', 'anna = "missing.png"', 'anna = "a\\u0000.png"', 'anna = "C:x.png"',
        'anna = "file:///etc/passwd"', 'anna = "http://127.0.0.1/x.png"', 'anna = "data:image/png;base64,AAAA"',
        'anna = ["ok.png", "../secret.png"]', 'anna = {file = "../secret.png", sent = "", sha256 = ""}',
        f'anna = "{"a" * 5000}.png"', 'anna = "https://"', 'anna = "notes.png"', "anna = []",
    ],
)  # fmt: skip
def test_only_pictures_in_the_folder_itself_are_read(tmp_path, text):
    """Whatever a stranger's file names, nothing outside the folder is opened, and no link or device in it."""
    folder = written(tmp_path / "people", text)
    wall().save(tmp_path / "secret.png")
    wall().save(folder / "ok.png")
    (folder / "sub").mkdir()
    wall().save(folder / "sub" / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "notes.png").write_text("no picture")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(InvalidRequest, match="cast: anna") as caught:
        vidu.Cast.load(folder)
    assert caught.value.field == "cast"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("anna = 7", "anna must be the name of a picture"),
        ("[anna]\npicture = 'a.png'", "anna must be"),
        ("anna = [['a.png']]", "anna must be"),
        ("a.b = 'a.png'", "a must be"),
        ("anna = 'a.png'\nanna = 'b.png'", "can't be read"),
        ("anna", "can't be read"),
        (b"\xff\xfea\0", "can't be read"),
        ("a = " + "[" * 40_000, "can't be read"),
        ("a = 1" + "0" * 9_000, "can't be read"),
        ("#" * 100_001, "larger than 100 kB"),
        ("\n".join(f"a{i}=''" for i in range(9_000)), "9,000 names: at most 100"),
        ('"a b" = "a.png"', "can't be written after an @"),
        ('"\\u001b[31m" = "a.png"', "can't be written after an @"),
        ('"" = "a.png"', "can't be written after an @"),
    ],
    ids=range(14),
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path, text, problem):
    """A file that is no cast, or no text at all, is told with what is wrong in it, in plain characters."""
    folder = written(tmp_path / "people", text)
    with pytest.raises(InvalidRequest, match=problem) as caught:
        vidu.Cast.load(folder)
    assert str(folder) in caught.value.message or "names: at most" in caught.value.message
    assert caught.value.message.isprintable()


def test_a_file_that_is_a_link_or_a_pipe_is_not_followed(tmp_path):
    """`cast.toml` itself may be anything: a link to another file or a pipe is refused at once."""
    wall().save(tmp_path / "a.png")
    (tmp_path / "real.toml").write_text('a = "a.png"')
    (tmp_path / "cast.toml").symlink_to(tmp_path / "real.toml")
    with pytest.raises(InvalidRequest, match="it is a link"):
        vidu.Cast.load(tmp_path)
    (tmp_path / "cast.toml").unlink()
    os.mkfifo(tmp_path / "cast.toml")
    with pytest.raises(InvalidRequest, match="it is no regular file"):
        vidu.Cast.load(tmp_path)


def test_accents_in_file_names_may_be_written_either_way(tmp_path):
    """A folder that came from a Mac spells é in two characters, and its pictures are found."""
    folder = written(tmp_path / "people", '"élodie" = "élodie.png"')
    wall().save(folder / unicodedata.normalize("NFD", "élodie.png"))
    assert list(vidu.Cast.load(folder)) == ["élodie"]


def test_a_folder_of_pictures_is_a_cast_by_their_names(tmp_path):
    """Without the file the pictures' names are the names; numbers behind one tell several pictures of it."""
    for file in (
        "anna1.png", "anna2.png", "Anna10.png", "ben.png", "ben-2.png", "red car.png", "cat (1).png", "cat (2).png",
        "r2.png", "IMG_2034.png", "IMG_2035.png", "7.png", "8.png", ".hidden.png",
    ):  # fmt: skip
        wall().save(tmp_path / file)
    (tmp_path / "notes.txt").write_text("none of them")
    (tmp_path / "link.png").symlink_to(tmp_path / "ben.png")
    (tmp_path / "sub.png").mkdir()
    cast = vidu.Cast.load(tmp_path)
    assert {name: len(pictures) for name, pictures in cast.items()} == {
        "Anna": 3, "ben": 2, "red-car": 1, "cat": 2, "r2": 1, "IMG_2034": 1, "IMG_2035": 1, "7": 1, "8": 1
    }  # fmt: skip
    assert cast["anna"][2] == vidu.Reference(tmp_path / "Anna10.png")
    cast.save(tmp_path / "cast")
    assert vidu.Cast.load(tmp_path / "cast") == cast


def test_a_folder_without_pictures_is_no_cast(tmp_path):
    """No folder, an empty one, and one with too many pictures are refused, each in a sentence."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    for i in range(101):
        (tmp_path / "full" / f"IMG_{i + 1000}.jpg").write_bytes(b"never read")
    for folder, problem in (
        ("nowhere", "is no folder"),
        ("empty", "neither cast.toml nor pictures"),
        ("full", "101 names"),
    ):
        with pytest.raises(InvalidRequest, match=problem):
            vidu.Cast.load(folder)
