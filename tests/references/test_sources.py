"""Sources: whatever holds a picture is that picture, with the name that it bears; what holds none is told as it is."""

from __future__ import annotations

import array
import asyncio
import base64
import io
import os
import pickle
import tempfile
import threading
import unicodedata
import urllib.parse
import zipfile
from collections import UserDict, namedtuple
from pathlib import Path

import cv2
import ipywidgets
import numpy as np
import pytest
import requests
from IPython.display import Image as ShownImage

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.references.reference import Reference, as_references
from vidu_nb.request import VideoRequest

NFC, NFD = (unicodedata.normalize(form, "Café à Paris") for form in ("NFC", "NFD"))


@pytest.fixture
def png(encoded):
    return encoded()


# Files and uploads.


def at_end(data):
    stream = io.BytesIO()
    stream.write(data)
    return stream


class Upload:
    """An upload as web frameworks give them: a name, and a `read` that takes no number."""

    filename = "C:\\fakepath\\cat.png"

    def __init__(self, data):
        self._data = data

    def read(self):
        """Give it all."""
        return self._data


class Drip(io.RawIOBase):
    """A stream that can't seek, and gives a few bytes at a time."""

    def __init__(self, data):
        super().__init__()
        self._source = io.BytesIO(data)

    def readable(self):
        """Say yes."""
        return True

    def readinto(self, buffer):
        """Give ten bytes."""
        return self._source.readinto(memoryview(buffer)[:10])


def member(data, place):
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("pictures/cat.png", data)
    return zipfile.Path(zipfile.ZipFile(place), "pictures/cat.png")


def response(data):
    answer = requests.Response()
    answer._content, answer.status_code = data, 200
    return answer


def mapped(data, folder):
    import mmap

    path = folder / "cat.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


Marimo = namedtuple("Marimo", "name contents")  # noqa: PYI024 - so marimo gives them: a sequence as well

HOLDERS = {
    "BytesIO": (lambda data, _: io.BytesIO(data), ""),
    "BytesIO that was just written": (lambda data, _: at_end(data), ""),
    "upload": (lambda data, _: Upload(data), "cat.png"),
    "raw stream": (lambda data, _: Drip(data), ""),
    "member of an archive": (lambda data, folder: member(data, folder / "pictures.zip"), "cat.png"),
    "member of an archive in memory": (lambda data, _: member(data, io.BytesIO()), ""),
    "HTTP response": (lambda data, _: response(data), ""),
    "mmap": (mapped, ""),
    "ipywidgets 8 file": (
        lambda data, _: {"name": "cat.png", "size": len(data), "content": memoryview(data)},
        "cat.png",
    ),
    "ipywidgets 7 file": (lambda data, _: {"metadata": {"name": "cat.png"}, "content": data}, "cat.png"),
    "base64 as bytes": (lambda data, _: base64.b64encode(data), ""),
    "base64 of base64": (lambda data, _: base64.b64encode(base64.b64encode(data)).decode(), ""),
    "marimo file": (lambda data, _: Marimo("cat.png", data), "cat.png"),
    "IPython picture": (lambda data, _: ShownImage(data=data), ""),
    "ipywidgets picture": (lambda data, _: ipywidgets.Image(value=data), ""),
    "row of a Hugging Face dataset": (lambda data, _: {"bytes": data, "path": "pictures/cat.png"}, "cat.png"),
    "array of bytes": (lambda data, _: array.array("B", data), ""),
    "NumPy array of bytes": (lambda data, _: np.frombuffer(data, np.uint8), ""),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_can_be_read_is_one_picture(png, tmp_path, holder):
    """A file, an upload, a response: one picture with its name, though it could be iterated over."""
    make, name = HOLDERS[holder]
    (found,) = as_references(make(png, tmp_path))
    assert (found, found.name) == (Reference(png), name)
    assert VideoRequest(prompt="A cat", references=[make(png, tmp_path)]).references == (found,)


def test_what_opencv_encodes_is_the_picture(photo):
    """`cv2.imencode` gives a file's bytes as a row of numbers: one picture, not one for each number."""
    row = cv2.imencode(".png", photo[:, :, ::-1])[1]
    assert as_references(row) == as_references([row]) == (Reference(photo),)


def test_an_answer_that_breaks_off_is_our_own_error():
    """An HTTP response fetches its content when it is asked for it."""

    class Broken(requests.Response):
        @property
        def content(self):
            raise requests.ConnectionError("gone")

    with pytest.raises(InvalidRequest, match=r"references\[0\]: the file can't be read \(gone\)"):
        as_references(Broken())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")
def test_a_pipe_is_read_and_a_device_without_an_end_is_not(png, tmp_path):
    """What a shell puts in a file's place, such as <(curl ...), is taken; what never ends is too large."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[png], daemon=True)
    writer.start()
    assert Reference(tmp_path / "pipe") == Reference(png)
    writer.join()
    with pytest.raises(InvalidRequest, match="'/dev/zero' is larger than 50 MB"):
        Reference("/dev/zero")


def test_an_open_file_is_read_from_its_start_and_left_where_it_was(png, tmp_path):
    """Where somebody else has read to changes nothing, and is changed by nothing."""
    (tmp_path / "cat.png").write_bytes(png)
    with (tmp_path / "cat.png").open("rb") as file:
        file.seek(7)
        assert (Reference(file), Reference(file).name, file.tell()) == (Reference(png), "cat.png", 7)


def test_a_preview_takes_an_open_file(png, asked):
    """The public functions take what a reference takes."""
    assert vidu.storyboard(VideoRequest(prompt="A wall.", references=io.BytesIO(png))).shots
    assert vidu.preview(**asked | {"references": io.BytesIO(png)}, quality="draft").request.references == (
        Reference(png),
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.open(encoding="utf-8"), "open as text.*'rb'"),
        (lambda _: io.StringIO("cat.png"), "open as text.*'rb'"),
        (lambda path: close(path.open("rb")), "can't be read .*closed"),
        (lambda _: Upload("text"), "a str instead of bytes"),
        (lambda _: Awaited(), "must be awaited"),
        (lambda _: Upload(None), "a NoneType instead of bytes"),
        (lambda path: zipfile.Path(path.with_name("empty.zip"), "gone.png"), "can't be read .*gone.png"),
    ],
    ids=["text file", "StringIO", "closed", "text", "coroutine", "nothing", "no member"],
)
def test_a_file_that_gives_no_bytes_is_refused_with_the_cure(png, tmp_path, make, says):
    """What can't be read is told in one line, with the place among the pictures."""
    (tmp_path / "cat.png").write_bytes(png)
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    with pytest.raises(InvalidRequest, match=says) as caught:
        VideoRequest(prompt="A cat", references=[make(tmp_path / "cat.png")])
    assert caught.value.field == "references"


def close(file):
    file.close()
    return file


class Awaited:
    """An upload of an asynchronous framework."""

    async def read(self, _size=-1):
        """Give it later."""
        await asyncio.sleep(0)


# Several pictures with their names.


def test_an_upload_widgets_value_is_its_pictures(png, encoded):
    """Both forms that ipywidgets has given a FileUpload's value are taken, in their order and with their names."""
    red = encoded(colour="red")
    files = {"b": png, "a": red}
    new = tuple({"name": name, "type": "image/png", "content": memoryview(data)} for name, data in files.items())
    old = {name: {"metadata": {"name": name}, "content": data} for name, data in files.items()}
    for value in (new, old):
        found = as_references(value)
        assert [one.name for one in found] == ["b", "a"]
        assert found == (Reference(png), Reference(red))


def test_an_upload_widget_itself_is_told_from_its_value():
    """The pictures are in its value, which may still be empty."""
    with pytest.raises(InvalidRequest, match=r"references\[0\]: a FileUpload is not a picture: pass its \.value"):
        as_references(ipywidgets.FileUpload())


def test_pictures_may_be_given_by_name(png, encoded, tmp_path):
    """A mapping gives each picture its name, whatever kind of source it is; the order counts."""
    (tmp_path / "c.png").write_bytes(png)
    given = {"cat": "c.png", "dog": encoded(colour="red"), 3: "https://example.com/tree.png", "image": io.BytesIO(png)}
    assert [one.name for one in as_references(given)] == ["cat", "dog", "3", "image"]
    assert [one.name for one in as_references(UserDict(given))] == ["cat", "dog", "3", "image"]
    with pytest.raises(InvalidRequest, match=r"references\[1\]: there is no file 'gone.png'"):
        VideoRequest(prompt="A cat", references={"cat": "c.png", "dog": "gone.png"})
    with pytest.raises(InvalidRequest, match="8 given"):
        as_references(dict.fromkeys("abcdefgh", png))


def test_a_batch_of_arrays_is_its_pictures(photo):
    """An array with one dimension more is several pictures, as is an array of paths."""
    assert as_references(np.stack([photo, photo[::-1]])) == (Reference(photo), Reference(photo[::-1]))
    assert len(as_references(np.array(["https://example.com/a.png", "https://example.com/b.png"]))) == 2


# Texts.


def without_padding(text):
    return text.rstrip("=")


def url_safe(text):
    return text.replace("+", "-").replace("/", "_")


BASE64 = {
    "URL-safe": url_safe,
    "without padding": without_padding,
    "URL-safe without padding": lambda text: without_padding(url_safe(text)),
    "in lines": lambda text: "\r\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\r\n",
    "as Python shows it": lambda text: repr(text.encode()),
}


@pytest.mark.parametrize("size", [200, 201, 202])
@pytest.mark.parametrize("form", BASE64)
def test_base64_of_any_kind_is_the_picture(photo, form, size):
    """Both alphabets, with padding or without, in lines or in one, bare and in a data: URI."""
    made = Reference(np.ascontiguousarray(photo[:150, :size]))
    text = BASE64[form](base64.b64encode(made.bytes).decode())
    assert Reference(text) == made
    if not text.startswith("b'"):
        assert Reference(f"data:image/png;base64,{text}") == made
        assert Reference.from_wire(f"data:image/png;base64,{text}").bytes == made.bytes


@pytest.mark.parametrize(
    "write",
    [
        lambda data: "data:image/png;base64," + urllib.parse.quote(base64.b64encode(data)),
        lambda data: "data:image/png;base64," + urllib.parse.quote(base64.b64encode(data), safe=""),
        lambda data: "data:image/png," + urllib.parse.quote(data),
        lambda data: "DATA:Image/PNG;name=cat.png;BASE64," + base64.b64encode(data).decode(),
        lambda data: "data:;base64," + base64.b64encode(data).decode(),
        lambda data: '"data:image/png;base64,' + base64.b64encode(data).decode() + '"\n',
        lambda data: 'url("data:image/png;base64,' + base64.b64encode(data).decode() + '")',
        lambda data: "image/png;base64," + base64.b64encode(data).decode(),
        lambda data: "data:image/png," + base64.b64encode(data).decode(),
    ],
    ids=["percent", "all percent", "no base64", "capitals", "no type", "quoted", "CSS", "no data:", "not marked"],
)
def test_data_uris_are_read_as_browsers_read_them(png, write):
    """Percent signs, capitals and parameters change nothing."""
    assert Reference(write(png)) == Reference(png)


def test_what_is_sent_is_standard_base64(photo):
    """A request that came with URL-safe base64 goes on in the alphabet that every service reads; others stay."""
    made = Reference(photo)
    bare = base64.b64encode(made.bytes).decode()
    assert "+" in bare
    assert "/" in bare
    for text in (url_safe(bare), f"data:image/png;base64,{url_safe(bare)}", bare):
        assert Reference.from_wire(text).url == made.url
    odd = f"data:image/x-png;base64,{bare[:76]}\n{bare[76:]}"
    assert Reference.from_wire(odd).url == odd


COPIED = (
    "'c.png'", '"c.png"', " c.png\n", "“c.png”", "<c.png>", "./c.png\r\n", '" c.png "', "`c.png`", "«c.png»", "„c.png“",
    "r'c.png'", "'c.png',", "PosixPath('c.png')", 'Path("c.png")',
)  # fmt: skip


@pytest.mark.parametrize("text", COPIED)
def test_a_path_as_it_was_copied_is_found(png, tmp_path, text):
    """What a shell, Python or a text put around a path is no part of it."""
    (tmp_path / "c.png").write_bytes(png)
    assert (Reference(text), Reference(text).name) == (Reference(png), "c.png")


@pytest.mark.skipif(os.name == "nt", reason="a backslash parts a path there")
def test_a_path_as_a_terminal_escapes_it_is_found(png, tmp_path):
    """A file that was dragged onto a terminal comes with backslashes."""
    (tmp_path / "my cat (1).png").write_bytes(png)
    assert Reference(r"my\ cat\ \(1\).png").name == "my cat (1).png"


def test_a_quoted_url_is_the_url():
    """An address in quotation marks or angle brackets is that address."""
    for text in ('"https://example.com/c.png"', "<https://example.com/c.png>", " https://example.com/c.png\n"):
        assert Reference(text).url == "https://example.com/c.png"


def test_a_name_may_have_quotation_marks(png, encoded, tmp_path):
    """A file that is really called so comes first."""
    (tmp_path / '"c.png"').write_bytes(png)
    (tmp_path / "c.png").write_bytes(encoded(colour="red"))
    assert Reference('"c.png"') == Reference(png)


@pytest.mark.parametrize("host", ["file://", "file://localhost", "FILE://", "file:", '"file://'])
@pytest.mark.parametrize("name", ["c.png", "a cat, 100%.png", "雨?#1.png"])
def test_a_file_url_is_the_file(png, tmp_path, host, name):
    """What browsers and file managers copy is read, percent-encoded or not."""
    (tmp_path / name).write_bytes(png)
    end = '"' if host.startswith('"') else ""
    for path in (urllib.parse.quote(str(tmp_path / name)), *([str(tmp_path / name)] if "%" not in name else [])):
        made = Reference(host + path + end)
        assert (made, made.name) == (Reference(png), name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file://server/share/c.png", "of the machine 'server': pass a path on this one"),
        ("file:///gone/c.png", "'/gone/c.png' does not exist"),
        ("blob:https://example.com/5b2c", "'blob' URLs are not taken"),
        ("s3://bucket/c.png", "'s3' URLs are not taken"),
        ("", "an empty text is not a picture"),
        (" \n", "an empty text is not a picture"),
        ("'gone.png'", "there is no file \"'gone.png'\""),
        (Path("https://example.com/c.png"), "'https:/example.com/c.png' is a URL: pass it as text, not as a Path"),
        ("iVBORw0KGgo!" * 100, "is neither a path, a URL nor base64"),
        pytest.param(
            r"C:\Users\me\c.png",
            "of a Windows machine.*upload the file",
            marks=pytest.mark.skipif(os.name == "nt", reason="it is one there"),
        ),
    ],
)
def test_a_text_that_is_no_picture_is_refused_with_the_cure(text, says):
    """An address of another machine or of a browser's own is told as that."""
    with pytest.raises(InvalidRequest, match=says):
        Reference(text)


@pytest.mark.skipif(os.name == "nt", reason="a folder in use can't be removed there")
def test_a_working_folder_that_is_gone_hides_no_picture(png, tmp_path, monkeypatch):
    """After a temporary folder was left behind by `os.chdir`, absolute paths work and others are told as missing."""
    (tmp_path / "c.png").write_bytes(png)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Reference(str(tmp_path / "c.png")) == Reference(png)
    with pytest.raises(InvalidRequest, match=r"there is no file 'c.png': .*the working folder is gone"):
        Reference("c.png")


@pytest.mark.parametrize("made", [NFC, NFD], ids=["NFC", "NFD"])
@pytest.mark.parametrize("asked", [NFC, NFD], ids=["NFC", "NFD"])
@pytest.mark.parametrize("kind", [str, Path, lambda path: Path(path).absolute().as_uri()], ids=["str", "Path", "URL"])
def test_a_path_is_found_in_either_form(png, tmp_path, made, asked, kind):
    """An accented letter that the disk spells in two characters is the same letter."""
    (tmp_path / made).mkdir()
    (tmp_path / made / f"{made}.png").write_bytes(png)
    reference = Reference(kind(f"{asked}/{asked}.png"))
    assert (reference, reference.name) == (Reference(png), f"{asked}.png")


def test_a_path_that_exists_is_never_another(png, encoded, tmp_path):
    """Where both forms lie side by side, each is itself."""
    for name, data in ((NFC, png), (NFD, encoded(colour="red"))):
        (tmp_path / name).write_bytes(data)
    assert [Reference(name) for name in (NFC, NFD)] == [Reference(png), Reference(encoded(colour="red"))]


def test_a_temporary_file_without_a_name_has_none(png):
    """A file whose name is a number is no picture called 3."""
    with tempfile.TemporaryFile() as file:
        file.write(png)
        assert Reference(file).name == ""
        assert pickle.loads(pickle.dumps(Reference(file))) == Reference(png)
        with os.fdopen(os.dup(file.fileno()), "rb") as again:
            assert Reference(again).name == ""
