"""Picture files as bytes: which are whole, what stands in their metadata, how small a copy is."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import takewhile

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from vidu_nb import image_file
from vidu_nb.errors import ViduError

FORMATS = ["PNG", "JPEG", "GIF", "WEBP"]
NOISE = Image.fromarray(np.random.default_rng(7).integers(0, 255, (150, 200, 3), np.uint8))


def encoded(image=NOISE, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def animation(frames=6, kind="GIF", side=100, **options):
    """A picture that moves: a square that grows."""
    images = [Image.new("RGB", (side, side), "white") for _ in range(frames)]
    for number, image in enumerate(images):
        image.paste("navy", (0, 0, number % side + 1, number % side + 1))
    return encoded(images[0], kind, save_all=True, append_images=images[1:], duration=80, loop=0, **options)


FILES = {
    **{kind: encoded(kind=kind) for kind in FORMATS},
    "progressive JPEG": encoded(kind="JPEG", progressive=True),
    "lossless WebP": encoded(kind="WEBP", lossless=True),
    "transparent WebP": encoded(NOISE.convert("RGBA"), "WEBP"),
    "palette PNG": encoded(NOISE.quantize(16)),
    "moving GIF": animation(),
    "moving WebP": animation(kind="WEBP"),
    "grey JPEG": encoded(NOISE.convert("L"), "JPEG"),
}


@pytest.fixture(params=FILES.values(), ids=FILES.keys())
def data(request):
    return request.param


def pixels(data):
    """Every frame's pixels."""
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append(image.convert("RGBA").tobytes())
        return found


def test_a_whole_picture_is_taken_as_it_is(data):
    """Its bytes are those that came; what follows it takes nothing away."""
    assert image_file.what_is_wrong(data) == ""
    assert image_file.whole_picture(data) is data
    assert image_file.whole_picture(data + b"\r\n") == data + b"\r\n"


def test_what_transport_put_before_a_picture_is_left_out(data):
    """A multipart answer's head and tail."""
    body = b"--frontier\r\nContent-Type: image/png\r\n\r\n" + data + b"\r\n--frontier--\r\n"
    assert pixels(image_file.whole_picture(body)) == pixels(data)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, "last byte"])
def test_a_truncated_picture_is_not_whole(data, part):
    """Wherever it is cut, though a decoder may show some of it."""
    cut = data[:-1] if part == "last byte" else data[: int(len(data) * part)]
    assert image_file.whole_picture(cut) == b""


def test_a_global_of_pillow_makes_no_truncated_picture_whole(monkeypatch):
    """`LOAD_TRUNCATED_IMAGES` is other people's wish for other files."""
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    assert image_file.what_is_wrong(FILES["JPEG"][:-100])


@pytest.mark.parametrize(
    "data", [b"", b"<html>busy</html>", b'{"error": "busy"}', b"\x00" * 5000, b"GIF89a", PngImagePlugin._MAGIC]
)
def test_what_is_no_picture_is_none(data):
    """A page, an error, zeros, a bare signature."""
    assert image_file.what_is_wrong(data)
    with pytest.raises(ViduError):
        image_file.decode(data)


def test_damaged_pixels_are_found():
    """A checksum that is wrong, and data that no decoder takes."""
    flipped = bytearray(FILES["PNG"])
    flipped[len(flipped) // 2] ^= 0xFF
    assert image_file.what_is_wrong(bytes(flipped))
    body = zlib.compress(b"too short")
    chunk = struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))
    empty = FILES["PNG"][:33] + chunk + FILES["PNG"][-12:]
    assert image_file.what_is_wrong(empty).startswith("it is damaged")


def test_a_bomb_is_neither_decoded_nor_lost(bomb):
    """100000x100000 pixels: its structure is whole, so it stays; nothing tries to show it."""
    assert image_file.what_is_wrong(bomb) == ""
    assert image_file.size(bomb) == (100_000, 100_000)
    with pytest.raises(ViduError, match="more than 100 megapixels"):
        image_file.decode(bomb)


def test_the_size_is_read_from_the_header(data):
    """As Pillow reads it."""
    assert image_file.size(data) == Image.open(io.BytesIO(data)).size


# Texts.


def test_a_text_is_read_back_and_the_pixels_stay(data):
    """Written, replaced, read by this package and passed over by others; no pixel is touched."""
    first = image_file.write_text(data, "vidu_test", "x" * 40_000)
    second = image_file.write_text(first, "vidu_test", '{"a": 1}')
    assert image_file.read_text(first, "vidu_test") == "x" * 40_000
    assert image_file.read_text(second, "vidu_test") == '{"a": 1}'
    assert len(second) < len(data) + 1000
    assert image_file.what_is_wrong(second) == ""
    assert pixels(first) == pixels(second) == pixels(data)
    assert image_file.read_text(second, "another") == image_file.read_text(data, "vidu_test") == ""


def test_the_image_data_is_the_very_same(data):
    """A text is put between the file's parts; behind it and before it every byte is the old one's."""
    made = image_file.write_text(data, "vidu_test", "text")
    common = list(takewhile(lambda pair: pair[0] == pair[1], zip(data[::-1], made[::-1], strict=False)))
    assert len(common) > len(data) // 2 or image_file.format_of(data) == "WEBP"
    if image_file.format_of(data) == "WEBP":
        kinds = {kind: made[start:end] for kind, start, end in image_file._webp_chunks(made)}
        old = {kind: data[start:end] for kind, start, end in image_file._webp_chunks(data)}
        assert all(kinds[kind] == old[kind] for kind in old if kind != b"VP8X")


def test_other_tools_read_the_text():
    """PNG's text and XMP are where every tool looks for them."""
    png = Image.open(io.BytesIO(image_file.write_text(FILES["PNG"], "vidu_test", "text")))
    assert png.text["vidu_test"] == "text"
    for kind in ("JPEG", "WEBP"):
        image = Image.open(io.BytesIO(image_file.write_text(FILES[kind], "vidu_test", "text")))
        assert b">text</v:vidu_test>" in image.info["xmp"]
    gif = Image.open(io.BytesIO(image_file.write_text(FILES["GIF"], "vidu_test", "text")))
    assert gif.info["comment"] == b"vidu_test text"


def test_odd_metadata_is_passed_over():
    """A zip bomb in a text chunk, an XMP packet that never ends, a text chunk without a value."""
    info = PngImagePlugin.PngInfo()
    info.add_text("vidu_test", "a" * 5_000_000, zip=True)
    assert image_file.read_text(encoded(pnginfo=info), "vidu_test") == ""
    jpeg = encoded(kind="JPEG", xmp=b"<x:xmpmeta><v:vidu_test>")
    assert image_file.read_text(jpeg, "vidu_test") == ""
    assert image_file.read_text(image_file.write_text(jpeg, "vidu_test", "ours"), "vidu_test") == "ours"


@pytest.mark.parametrize("length", [3, 10, 13, 14, 30])
def test_a_stump_has_no_text(data, length):
    """A few bytes are read without an error."""
    assert image_file.read_text(data[:length], "vidu_test") == ""


# Several as one.


def test_several_pictures_are_one_piece_of_bytes():
    """And are the same afterwards; a single one is itself."""
    pictures = tuple(FILES[kind] for kind in FORMATS)
    assert image_file.unpacked(image_file.packed(pictures)) == pictures
    assert image_file.packed(pictures[:1]) == pictures[0]
    assert image_file.unpacked(pictures[0]) == pictures[:1]
    for other in (b"clip", b'{"image": [1]}', b'{"image": ["https://a.example/b.png"]}', b'{"image": [', b""):
        assert image_file.unpacked(other) == ()


# Small copies.


def test_a_small_copy_fits_into_a_notebook(data):
    """At most 60 kB; a file that is no larger is shown as it is."""
    made = image_file.thumbnail(data, side=480, most=60_000)
    assert len(made.data) <= 60_000
    assert made.is_whole == (len(data) <= 60_000)


def test_a_large_animation_moves_in_its_copy():
    """A GIF of megabytes becomes a small animation that lasts as long."""
    frames = [NOISE.resize((400, 300)).rotate(number) for number in range(40)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    assert len(data) > 1_000_000
    made = image_file.thumbnail(data, side=480, most=60_000)
    assert len(made.data) <= 60_000
    image = Image.open(io.BytesIO(made.data))
    assert image.n_frames > 1
    total = 0
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        total += image.info["duration"]
    assert total == 4000


def test_a_huge_count_of_frames_is_not_decoded():
    """Of two hundred thousand frames only the first are looked at."""
    data = animation(2)
    first = data.index(b"\x21\xf9")
    second = data.index(b"\x21\xf9", first + 1)
    huge = data[:second] + data[second:-1] * 200_000 + data[-1:]
    assert image_file.what_is_wrong(huge) == ""
    made = image_file.thumbnail(huge, side=480, most=60_000)
    assert len(made.data) <= 60_000
