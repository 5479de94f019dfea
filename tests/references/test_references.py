"""References: whatever a person has at hand is the same picture, and nothing is fetched or read that was not named."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import pickle
import re
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from catalogues import painter_with
from PIL import Image

from vidu_nb import errors, models
from vidu_nb.errors import InvalidRequest, Unreachable
from vidu_nb.references.reference import (
    Reference,
    as_references,
    identify,
    image_file_to_base64,
    image_url_to_base64,
    image_urls_to_base64,
)
from vidu_nb.references.sources import is_png

HUGE = 50_000_001  # bytes; one more than a picture's file may have


@pytest.fixture
def png(photo):
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG")
    return buffer.getvalue()


def test_one_picture_is_one_reference_whatever_holds_it(photo, png, tmp_path):
    """Path, text, bytes, base64, data URI, PIL image and array of one picture are equal and have one hash."""
    path = tmp_path / "wave.png"
    path.write_bytes(png)
    text = base64.b64encode(png).decode()
    wrapped = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    forms = [
        path, str(path), "wave.png", png, bytearray(png), memoryview(png), text, wrapped,
        f"data:image/png;base64,{text}", Image.open(path), Image.fromarray(photo), photo, Reference(path),
    ]  # fmt: skip
    references = [Reference(form) for form in forms]
    assert len({reference.sha256 for reference in references}) == 1
    assert len(set(references)) == 1
    assert np.array_equal(np.asarray(references[0].open()), photo)


def test_other_pixels_are_another_reference(photo):
    """One changed pixel is another picture."""
    changed = photo.copy()
    changed[0, 0, 0] ^= 1
    assert Reference(changed) != Reference(photo)


@pytest.mark.parametrize("shape", [(140, 160), (140, 160, 3), (140, 160, 4)], ids=str)
def test_arrays_of_each_usual_shape_are_taken(shape):
    """Grey, RGB and RGBA arrays are pictures."""
    assert Reference(np.zeros(shape, np.uint8)).size == (160, 140)


@pytest.mark.parametrize(
    "array",
    [np.zeros((140, 160, 2), np.uint8), np.zeros((140, 160), complex), np.zeros((2, 140, 160, 3)), np.zeros((0, 0))],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_other_arrays_are_refused_by_shape_and_type(array):
    """An array that is no picture is refused with what it is."""
    with pytest.raises(InvalidRequest, match=f"an array of {array.dtype} with shape .* is not a picture: pass"):
        Reference(array)


def test_one_or_many_are_taken(photo, png):
    """A single reference needs no list; a generator and a tuple do as well as a list."""
    assert len(as_references(photo)) == len(as_references(png)) == 1
    assert len(as_references(one for one in (photo, png))) == 2


def test_the_wrong_one_of_many_is_named(photo):
    """Of several references the wrong one is told by its place."""
    with pytest.raises(InvalidRequest, match=r"references\[1\]: there is no file 'dog.png'") as caught:
        as_references([photo, "dog.png"])
    assert caught.value.field == "references[1]"


def test_too_many_are_refused_before_any_is_read():
    """A folder of thousands is refused at the eighth, without a single picture decoded."""
    taken = []

    def folder():
        for i in range(10_000):
            taken.append(i)
            yield f"{i}.png"

    with pytest.raises(InvalidRequest, match="more than 7 given"):
        as_references(folder())
    assert len(taken) == 8


def test_a_url_is_passed_on_untouched():
    """A web address goes to the service as it was written; nothing is fetched here."""
    url = "https://images.invalid/a%20cat.png?size=2&x=%C3%A9#top"
    reference = Reference(url)
    assert (reference.url, reference.is_url, reference.name) == (url, True, "a cat.png")
    with pytest.raises(InvalidRequest, match="not on this machine"):
        reference.open()


@pytest.mark.parametrize(
    "url",
    [
        "https://", "https:///cat.png", "https://[::1", "https://e.com:99999/", "http://e.com:0/a.png",
        "https://e.com/a b", "https://e.com/\nx", "https://e.com/\udcff", "https://e.com/" + "a" * 2048,
    ],
    ids=lambda url: ascii(url)[:40],
)  # fmt: skip
def test_a_malformed_url_is_refused(url):
    """An address that can't be one is refused in one short line."""
    for make in (Reference, Reference.from_wire):
        with pytest.raises(InvalidRequest, match="the URL") as caught:
            make(url)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "text",
    ["/etc/passwd", "file:///etc/passwd", "../secret.png", "~/secret.png", "data:text/plain,hello", "data:,", "", 5],
    ids=str,
)
def test_a_strangers_text_never_reads_a_file(text, tmp_path, png):
    """What stands in a request's image_urls is a URL or data; a path in it is refused, even if the picture is there."""
    (tmp_path.parent / "secret.png").write_bytes(png)
    with pytest.raises(InvalidRequest):
        Reference.from_wire(text)


def test_a_strangers_base64_is_not_taken_for_a_file(tmp_path, png):
    """Base64 on the wire is data even where a file of that very name lies in the working folder."""
    text = base64.b64encode(png[:48]).decode()
    path = tmp_path / text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png)
    assert Reference.from_wire(text).bytes == png[:48]


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"two\nlines.png", "雨 in Kyōto.png".encode()])
def test_a_strange_file_name_becomes_plain_text(name, tmp_path, png):
    """Whatever bytes a file's name holds, the reference's name is one line that can be written down."""
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))  # noqa: PTH118 - pathlib takes no bytes
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(png)
    reference = Reference(path)
    assert reference.name.endswith(".png")
    assert reference.name.isprintable()
    assert json.dumps(reference.name, ensure_ascii=False).encode()


def test_a_name_can_be_given(photo):
    """A given name is shown instead of the file's, and doesn't make it another picture."""
    assert Reference(photo, name="sea").label == "sea"
    assert Reference(photo, name="sea") == Reference(photo)


# The seed page's helpers.


def test_a_file_becomes_base64_unchanged(tmp_path, png):
    """image_file_to_base64 gives the file's very bytes."""
    (tmp_path / "wave.png").write_bytes(png)
    assert base64.b64decode(image_file_to_base64(tmp_path / "wave.png")) == png


def test_urls_become_base64_unchanged(web, png):
    """image_url_to_base64 and image_urls_to_base64 give the bytes behind each URL, in order, each fetched once."""
    urls = [web.url("/a.png", png), web.url("/b.png", b"other bytes")]
    assert base64.b64decode(image_url_to_base64(urls[0])) == png
    assert [base64.b64decode(text) for text in image_urls_to_base64(urls)] == [png, b"other bytes"]
    assert len(web.seen) == 3


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_page_never_becomes_a_picture(web, status):
    """A URL that answers with an error is told with its status, instead of the error page as base64."""
    with pytest.raises(Unreachable, match=f"the server answered {status}"):
        image_url_to_base64(web.url("/gone.png", (status, {}, b"<html>sorry</html>")))


def test_an_unreachable_url_is_our_own_error(web):
    """A URL where nobody listens gives one line of ours, not a stack of a library's."""
    url = web.url("/").replace(str(web.server_port), "1")
    started = time.monotonic()
    with pytest.raises(Unreachable, match="could not be fetched"):
        image_url_to_base64(url, timeout=2)
    assert time.monotonic() - started < 5


def test_a_helpers_text_is_a_reference(web, png, photo):
    """What the helpers return can be passed as a reference as it is."""
    assert Reference(image_url_to_base64(web.url("/a.png", png))) == Reference(photo)


def test_a_name_may_begin_like_a_home(encoded, tmp_path):
    """``~cat.png`` is a file like others; only a folder of nobody's home is refused, in our own words."""
    (tmp_path / "~cat.png").write_bytes(encoded())
    assert Reference("~cat.png").sha256 == Reference(Path("~cat.png")).sha256
    with pytest.raises(InvalidRequest, match="no such user: can't expand '~nobody-of-this-name'"):
        Reference("~nobody-of-this-name/cat.png")


@pytest.mark.parametrize("name", ["a\0b.png", Path("a\0b.png"), "~a\0b.png"])
def test_a_name_that_no_file_can_have_is_refused(name):
    """A NUL in a path is the caller's mistake, and told as that."""
    with pytest.raises(InvalidRequest):
        Reference(name)


@pytest.mark.parametrize(
    "claim", ["../../home/photo", "a" * 63, "A" * 64, "g" * 64, "", "a" * 64 + "\n", "/etc/passwd"]
)
def test_a_hash_from_outside_is_a_hash_or_refused(png, claim):
    """What a stranger's file calls a picture's hash becomes a part of file names, so it must be nothing but one."""
    with pytest.raises(InvalidRequest, match="sha256 is not 64 hexadecimal digits"):
        Reference.from_wire(base64.b64encode(png).decode(), sha256=claim)


# Hashes that files claim.


def chunk(kind, data):
    """A piece of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_claimed_hash_is_computed_where_it_can_be(photo):
    """A picture that is sent as its pixels are goes by their hash, whatever somebody calls it."""
    made = Reference(photo)
    for claim in (made.sha256, "a" * 64):
        again = Reference.from_wire(made.url, sha256=claim)
        assert (again.sha256, again.claim) == (made.sha256, "")
        assert again == made


def test_a_claimed_hash_that_can_not_be_computed_is_a_claim(encoded):
    """Encoded with loss, a picture goes by its bytes' own hash until an archive keeps it under the claimed one."""
    data = encoded(kind="JPEG")
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    made = Reference.from_wire(url, name="cat", sha256="a" * 64)
    own = hashlib.sha256(data).hexdigest()
    assert (made.sha256, made.claim) == (own, "a" * 64)
    known = identify(made, url)
    assert (known.sha256, known.claim, known.name, known.size) == ("a" * 64, "a" * 64, "cat", (200, 160))
    for other in (made, known):
        for kept in (None, "data:image/jpeg;base64,AAAA"):
            assert (identify(other, kept).sha256, identify(other, kept).claim) == (own, "")
    assert Reference.from_wire(url, sha256=own).claim == Reference.from_wire(url).claim == ""
    assert Reference(known).sha256 == pickle.loads(pickle.dumps(known)).sha256 == "a" * 64


@pytest.mark.parametrize("kind", [b"gAMA", b"eXIf", b"iCCP", b"tRNS", b"teXt"])
def test_a_png_that_not_everybody_reads_alike_is_not_known_by_its_pixels(photo, kind):
    """What stands beside the pixels may make them others' pixels for the service: that hash is only a claim."""
    made = Reference(photo)
    data = made.bytes[:-12] + chunk(kind, bytes(6)) + made.bytes[-12:]
    again = Reference.from_wire(base64.b64encode(data).decode(), sha256=made.sha256)
    assert (again.sha256, again.claim) == (hashlib.sha256(data).hexdigest(), made.sha256)


def test_a_damaged_picture_is_no_other_picture(photo):
    """Where the pixels can't be had, the bytes' own hash is left, and the request is still worth showing."""
    made = Reference(photo)
    data = made.bytes[:33] + chunk(b"IDAT", made.bytes[41:1000]) + made.bytes[-12:]
    again = Reference.from_wire(base64.b64encode(data).decode(), sha256=made.sha256)
    assert again.sha256 == hashlib.sha256(data).hexdigest()
    assert again != made


def test_a_url_is_known_by_its_text(photo):
    """A recipe that calls a URL by a picture's hash changes nothing."""
    claimed = Reference.from_wire("https://e.com/cat.png", sha256=Reference(photo).sha256)
    assert claimed.sha256 == Reference("https://e.com/cat.png").sha256


@pytest.mark.parametrize("shape", [(192, 256, 3), (1200, 2000, 3)])
def test_how_a_picture_is_sent_is_told_without_decoding_it(shape):
    """PNG or not, by its first bytes."""
    made = Reference(np.zeros(shape, np.uint8))
    assert is_png(made.url) == made.bytes.startswith(b"\x89PNG")
    assert not is_png("https://e.com/cat.png")


def sparse(path):
    """A file of many zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(HUGE)
    return path


def oversized(bomb, width, height):
    """A PNG's bytes whose header says so."""
    head = b"IHDR" + struct.pack(">II", width, height) + bomb[24:29]
    return bomb[:12] + head + struct.pack(">I", zlib.crc32(head)) + bomb[33:]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda *_: bytes(HUGE), "larger than 50 MB: shrink it"),
        (lambda *_: "data:image/png;base64," + "A" * (HUGE // 3 * 4 + 8), "larger than 50 MB: shrink it"),
        (lambda folder, _: sparse(folder / "huge.png"), "huge.png' is larger than 50 MB"),
        (lambda folder, _: folder / "gone.png", "gone.png' does not exist: check the path"),
        (lambda *_: Path("/dev/null/cat.png"), "can't be read (Not a directory)"),
        (lambda _, bomb: oversized(bomb, 12_000, 9_000), "12000x9000 is more than 100 megapixels"),
    ],
    ids=["bytes", "data", "file", "gone", "no-folder", "pixels"],
)
def test_what_can_be_no_reference_is_refused_by_its_reason(tmp_path, bomb, make, said):
    """Too many bytes, whichever way they come; too many pixels; a file that is not there or can't be."""
    with pytest.raises(errors.InvalidRequest, match=re.escape(said)):
        Reference(make(tmp_path, bomb))


def test_a_picture_behind_a_url_is_not_read_beyond_the_limit(web):
    """The download ends where it is too large, with a word."""
    with pytest.raises(errors.Unreachable, match="larger than 50 MB"):
        image_url_to_base64(web.url("/huge.png", bytes(HUGE + 10_000_000)))


@pytest.fixture
def gif(tmp_path):
    """A file of a GIF that moves."""
    frames = [Image.new("RGB", (256, 192), colour) for colour in ("red", "blue", "green")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=80)
    return tmp_path / "moving.gif"


def test_a_moving_picture_among_the_references_keeps_moving(gif):
    """Laid out over a model's places, or in a list that takes animations: the GIF is sent as it is, else as a still."""
    face = Image.new("RGB", (256, 192), "teal")
    swap = models["sd2.1-faceswapper"]
    for given in ([face, gif], {"face": face, "dance": gif}):
        made = swap.request(references=given)
        assert made.target_face_image == swap.request(input_face_image=face, target_face_image=gif).target_face_image
        assert made.target_face_image.bytes == gif.read_bytes()
    assert made.target_face_image.name == "dance"
    assert swap.request(references=[gif, face]).input_face_image.url.startswith("data:image/png")
    many = '[fields.stills]\ntype = "pictures"\n[fields.films]\ntype = "pictures"\nanimated = true\n'
    request = painter_with(many).request(prompt="Waves", stills=[gif, face], films=[face, gif])
    assert [one.url[:14] for one in request.pictures] == ["data:image/png"] * 3 + ["data:image/gif"]
