"""Pixels: whatever a camera or a program wrote becomes an upright 8-bit RGB picture, small enough to be sent."""

from __future__ import annotations

import base64
import functools
import io
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import vidu_nb as vidu
from vidu_nb.errors import InvalidRequest
from vidu_nb.references.images import MAX_BODY_BYTES, SENT_BYTES, decode, encode, media_type
from vidu_nb.references.reference import Reference
from vidu_nb.request import VideoRequest


def save(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width, height):
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8))


def corners(image):
    """Names of the four corners' colours, from the top left clockwise."""
    right, bottom = image.width - 1, image.height - 1
    named = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    places = [(0, 0), (right, 0), (right, bottom), (0, bottom)]
    return [named.get(tuple(int(v > 127) for v in image.getpixel(place)), "?") for place in places]


def four_corners():
    """Red, green, blue and white quarters, from the top left clockwise, 320x160."""
    image = Image.new("RGB", (320, 160), "red")
    image.paste("green", (160, 0, 320, 80))
    image.paste((0, 255, 0), (160, 0, 320, 80))
    image.paste("blue", (160, 80, 320, 160))
    image.paste("white", (0, 80, 160, 160))
    return image


TURNS = [
    None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright(orientation, kind):
    """Whichever way the camera was held, the picture that is sent stands upright and says so in its size."""
    turn = TURNS[orientation - 1]
    image = four_corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    reference = Reference(save(image.transpose(turn) if turn is not None else image, kind, exif=exif))
    assert corners(reference.open()) == ["red", "green", "blue", "white"]
    assert reference.size == reference.open().size == (320, 160)


def private(kind):
    """A picture that tells where it was taken, in every way that its format has."""
    exif = Image.Exif()
    exif[0x010E] = "SECRET exif"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 33.0), 29: "SECRET gps"})
    options = {"exif": exif}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">SECRET xmp</x:xmpmeta>'
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", "SECRET text")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    else:
        options["xmp"] = xmp
    if kind == "JPEG":
        options["comment"] = b"SECRET comment"
    return save(four_corners(), kind, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("as_image", [False, True], ids=["bytes", "PIL image"])
def test_metadata_stays_at_home(kind, as_image):
    """What is sent holds neither place, nor comment, nor any other metadata of the file."""
    data = private(kind)
    assert b"SECRET" in data, "the test's own picture lacks what it is to test"
    sent = Reference(Image.open(io.BytesIO(data)) if as_image else data).bytes
    assert b"SECRET" not in sent
    image = Image.open(io.BytesIO(sent))
    assert not image.getexif()
    assert not {"exif", "xmp", "comment", "Comment", "icc_profile"} & set(image.info)


def transparent(mode):
    """A red picture whose left half is transparent."""
    image = Image.new("RGBA", (200, 160), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (0, 0, 100, 160))
    if mode == "P":
        image = image.convert("RGB").quantize(4)
        image.info["transparency"] = image.getpixel((0, 0))
    elif mode == "LA":
        image = image.convert("LA")
    return image


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("RGBA", "WEBP"), ("LA", "PNG"), ("P", "PNG"), ("P", "GIF")]
)
def test_transparency_becomes_white(mode, kind):
    """What shows through is white, whatever colour hides below it; the rest keeps its own."""
    options = {"lossless": True} if kind == "WEBP" else {}
    image = decode(save(transparent(mode), kind, **options))
    assert image.getpixel((10, 10)) == (255, 255, 255)
    assert image.getpixel((190, 10)) == ((76, 76, 76) if mode == "LA" else (255, 0, 0))


def test_16_bit_grey_is_scaled_not_clipped():
    """A 16-bit ramp becomes an 8-bit ramp; the plain conversion would turn nearly all of it white."""
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)
    image = decode(save(Image.fromarray(np.tile(ramp, (160, 1))), "PNG"))
    row = np.asarray(image)[0, :, 0].astype(int)
    assert np.abs(row - np.arange(256)).max() <= 1


@pytest.mark.parametrize(
    ("made", "kind", "expected"),
    [
        (Image.new("CMYK", (160, 160), (0, 255, 255, 0)), "JPEG", (255, 0, 0)),
        (Image.new("L", (160, 160), 100), "JPEG", (100, 100, 100)),
        (Image.new("L", (160, 160), 100), "PNG", (100, 100, 100)),
        (Image.new("1", (160, 160), 1), "PNG", (255, 255, 255)),
        (Image.new("P", (160, 160), 0), "PNG", (0, 0, 0)),
        (Image.new("YCbCr", (160, 160), (76, 85, 255)), "JPEG", (255, 0, 0)),
    ],
    ids=["CMYK JPEG", "grey JPEG", "grey PNG", "1-bit PNG", "palette PNG", "YCbCr JPEG"],
)
def test_every_kind_of_pixel_becomes_rgb(made, kind, expected):
    """Print colours, grey, single bits and palettes all arrive as the RGB that a viewer shows."""
    image = decode(save(made, kind))
    assert image.mode == "RGB"
    assert np.abs(np.subtract(image.getpixel((80, 80)), expected)).max() <= 3


def test_a_colour_profile_is_applied():
    """A picture in another colour space is brought to sRGB; a broken profile costs the conversion, not the picture."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    image = four_corners()
    assert decode(save(image, "PNG", icc_profile=lab)).size == image.size
    assert corners(decode(save(image, "PNG", icc_profile=b"not a profile"))) == corners(image)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame_and_says_so(kind):
    """Of an animation the first frame is used, and its owner is told."""
    frames = [Image.new("RGB", (200, 160), colour) for colour in ("red", "lime", "blue")]
    reference = Reference(save(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(np.subtract(reference.open().getpixel((5, 5)), (255, 0, 0))).max() <= 3
    assert reference.notes == ("only the first frame of the animation is used",)


def test_a_stereo_photograph_is_no_animation():
    """An MPO, as phones and 3D cameras write it, gives its first view without a note."""
    views = [Image.new("RGB", (200, 160), colour) for colour in ("red", "blue")]
    reference = Reference(save(views[0], "MPO", save_all=True, append_images=views[1:]))
    assert reference.open().getpixel((5, 5))[0] > 250
    assert reference.notes == ()


@pytest.mark.parametrize("size", [(3000, 3000), (4800, 1200), (1200, 4800), (4100, 1026)], ids=str)
def test_a_large_picture_is_shrunk_within_the_limits(size):
    """The noisiest large picture is sent in under 2 MB, still within 4:1, and its owner is told the new size."""
    reference = Reference(noise(*size))
    width, height = reference.size
    assert len(reference.bytes) <= SENT_BYTES
    assert max(width, height) <= 4 * min(width, height)
    assert abs(width / height - size[0] / size[1]) < 0.02
    assert reference.notes == (f"shrunk from {size[0]}x{size[1]} to {width}x{height} for the API's size limit",)
    assert reference.open().size == reference.size


def test_seven_of_the_largest_fit_in_one_body():
    """Seven pictures, each as heavy as one may be, stay below the service's limit for a body."""
    heaviest = max((Reference(noise(side, side)) for side in (815, 816, 1100)), key=lambda one: len(one.bytes))
    assert len(heaviest.bytes) > 0.8 * SENT_BYTES, "the test's pictures are too light to test anything"
    request = VideoRequest(prompt="雨" * 1500, references=[heaviest] * 7)
    assert len(repr(request.payload()).encode()) < MAX_BODY_BYTES


def test_a_small_picture_is_sent_without_loss():
    """Where a PNG fits, no pixel changes."""
    image = noise(400, 300)
    data, size = encode(image)
    assert (media_type(data), size) == ("png", (400, 300))
    assert np.array_equal(np.asarray(decode(data)), np.asarray(image))


DAMAGED = {kind: save(noise(160, 140), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_cut_off_picture_is_refused(kind):
    """A picture that ends too early is refused with the cure, wherever the cut is."""
    data = DAMAGED[kind]
    for end in range(0, len(data) - len(data) // 8, len(data) // 23):
        with pytest.raises(InvalidRequest, match=r"not a picture|damaged"):
            decode(data[:end])


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_picture_is_refused_or_read_but_never_crashes(kind):
    """Flipped bytes give either a picture or our own error; no warning and no other exception gets out."""
    rng = np.random.default_rng(8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(150):
            data = np.frombuffer(DAMAGED[kind], np.uint8).copy()
            data[rng.integers(0, min(len(data), 700), 5)] = rng.integers(0, 256, 5)
            try:
                assert Reference(data.tobytes()).size
            except InvalidRequest as error:
                assert "\n" not in str(error)  # noqa: PT017


def test_damage_behind_the_first_frame_does_not_matter():
    """An animation that breaks off after its first frame still gives that frame."""
    frames = [noise(160, 140).quantize(16).rotate(7 * i) for i in range(3)]
    data = save(frames[0], "GIF", save_all=True, append_images=frames[1:])
    second = data.index(b"\x21\xf9\x04", data.index(b"\x2c\0\0\0\0\xa0\0\x8c\0"))  # its graphic control extension
    for end in range(second, second + 40):
        assert Reference(data[:end]).size == (160, 140)


def test_odd_exif_is_passed_over_in_silence():
    """Broken EXIF costs the orientation at most; the picture is taken and no warning is printed."""
    data = save(four_corners(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff\xff\xff")
    assert Reference(data).size == (320, 160)


def test_damaged_exif_spoils_no_picture(encoded):
    """What the camera wrote can't be read; the picture can."""
    data = encoded(kind="WEBP", exif=b"rubbish, and more of it")
    made = Reference.from_wire(f"data:image/webp;base64,{base64.b64encode(data).decode()}")
    assert (made.size, made.open().size) == ((200, 160), (200, 160))


# Metadata: none of it decides whether a picture is taken.


def chunk(kind, data):
    """A piece of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def spliced(png, *pieces, behind=False):
    """A PNG with more chunks before or behind its pixels."""
    at = png.index(b"IEND") - 4 if behind else 33
    return png[:at] + b"".join(pieces) + png[at:]


@functools.cache
def of_generators():
    """PNGs as programs that make pictures leave them, with their settings inside, by name."""
    image, text = noise(200, 160), PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 2_000_000, zip=True)
    text.add_text("prompt", "y" * 3_000_000)
    international = PngImagePlugin.PngInfo()
    international.add_itxt("parameters", "雨" * 1_000_000, zip=True)
    many = PngImagePlugin.PngInfo()
    for i in range(80):
        many.add_text(f"node {i}", "z" * 1_000_000, zip=True)
    plain = save(image, "PNG")
    profile = zlib.compress(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(2_000_000))
    return {
        "zTXt": save(image, "PNG", pnginfo=text),
        "iTXt": save(image, "PNG", pnginfo=international),
        "eighty of them": save(image, "PNG", pnginfo=many),
        "behind the pixels": spliced(plain, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000))), behind=True),
        "large profile": spliced(plain, chunk(b"iCCP", b"sRGB\0\0" + profile)),
        "profile that never ends": spliced(plain, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(60_000_000)))),
        "damaged text": spliced(plain, chunk(b"zTXt", b"a\0\0rubbish")),
        "wrong checksum": spliced(plain, chunk(b"tEXt", b"a\0b")[:-4] + b"oops"),
        "large EXIF": spliced(plain, chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0" + bytes(3_000_000))),
        "unknown chunk": spliced(plain, chunk(b"caBX", bytes(2_000_000)), chunk(b"prVt", b"")),
    }


@pytest.mark.parametrize("kind", of_generators())
def test_what_a_generator_wrote_beside_the_pixels_does_not_matter(kind):
    """Workflows, prompts and profiles of any size cost the picture nothing, and Pillow's limits stay what they are."""
    limits = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    assert Reference(of_generators()[kind]) == Reference(noise(200, 160))
    assert limits == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)


def test_metadata_hides_no_bomb(bomb):
    """Too many pixels are refused whatever stands beside them."""
    with pytest.raises(InvalidRequest, match="megapixels: shrink it"):
        Reference(spliced(bomb, chunk(b"tEXt", b"a\0" + b"b" * 2_000_000)))


def test_a_jpegs_metadata_is_as_large_as_it_likes():
    """Segments of EXIF, XMP, captions and other views leave the picture as it is."""
    image = four_corners()
    plain = save(image, "JPEG", quality=95)
    segment = b"\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0" + b"\xff\xff" * 32_759 + b"\0"
    assert len(segment) == 2 + 0xFFFF
    more = b"".join([segment, b"\xff\xed\x00\x06abcd", b"\xff\xe2\x00\x0aMPF\0oops", b"\xff\xff\xfe\x00\x04hm"])
    assert Reference(plain[:2] + more + plain[2:]) == Reference(plain)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_profile_survives_that_metadata_is_taken_out(kind):
    """Colours in another space are brought to sRGB as before, from one piece or from several."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"tmpZ").replace(b"bXYZ", b"rXYZ").replace(b"tmpZ", b"bXYZ")
    large = swapped + bytes(200_000)  # a JPEG has room for 64 kB in one piece
    red = Image.new("RGB", (200, 160), "red")
    for icc in (swapped, large):
        assert np.abs(np.subtract(decode(save(red, kind, icc_profile=icc)).getpixel((5, 5)), (0, 0, 255))).max() < 6


# Turned or not, as browsers show it.


def in_xmp(kind):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    if kind != "PNG":
        return {"xmp": xmp}
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return {"pnginfo": info}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("as_image", [False, True], ids=["bytes", "PIL image"])
def test_an_orientation_in_xmp_turns_nothing(kind, as_image):
    """Browsers don't read it: a picture is sent as its owner sees it."""
    data = save(four_corners(), kind, **in_xmp(kind))
    reference = Reference(Image.open(io.BytesIO(data)) if as_image else data)
    assert corners(reference.open()) == ["red", "green", "blue", "white"]


def exif_of(content):
    """EXIF with one entry: type, count and value of Orientation."""
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12" + content + bytes(4)


@pytest.mark.parametrize(
    "content",
    ["0003000000010000", "0003000000010009", "00030000000100ff", "0003000000020006", "0002000000010006"],
)
def test_an_orientation_that_can_not_be_turns_nothing(content):
    """A value beyond 1 to 8, or of another kind, is passed over as browsers do."""
    data = save(four_corners(), "JPEG", quality=95, exif=exif_of(bytes.fromhex(content)))
    assert corners(Reference(data).open()) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("behind", [False, True], ids=["before the pixels", "behind them"])
def test_a_turned_png_says_its_size_upright(behind):
    """A PNG's EXIF counts wherever it stands, and the size of what came over the wire is that of the shown picture."""
    exif = exif_of(bytes.fromhex("0003000000010006"))[6:]
    data = spliced(save(four_corners(), "PNG"), chunk(b"eXIf", exif), behind=behind)
    wire = Reference.from_wire(base64.b64encode(data).decode())
    assert wire.size == wire.open().size == Reference(data).size == (160, 320)


@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
def test_pictures_of_other_formats_are_turned_once(kind):
    """Where the decoder turns a picture itself, nobody turns it again."""
    image = four_corners().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if kind == "AVIF" else {"tiffinfo": exif}
    data = save(image, kind, **options)
    for source in (data, Image.open(io.BytesIO(data))):
        assert corners(Reference(source).open()) == ["red", "green", "blue", "white"]


def test_exif_that_is_no_bytes_turns_nothing():
    """What a program put into an image's `info` is its own affair."""
    image = four_corners()
    image.info["exif"] = Image.Exif()
    assert corners(Reference(image).open()) == ["red", "green", "blue", "white"]


# What shows through.


@pytest.mark.parametrize(
    ("bits", "colour", "value"), [(16, 0, 0), (16, 0, 777), (8, 0, 9), (4, 0, 3), (2, 0, 1), (1, 0, 1)]
)
def test_a_transparent_grey_is_white(bits, colour, value):
    """A PNG's transparent value counts at each depth of grey."""
    row = np.full(160, value, np.uint16)
    row[80:] = 5 if bits > 2 else 0
    if bits == 16:
        packed = row.astype(">u2").tobytes()
    else:
        packed = np.packbits(np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].ravel()).tobytes()
    head = struct.pack(">IIBBBBB", 160, 160, bits, colour, 0, 0, 0)
    pixels = zlib.compress((b"\0" + packed) * 160)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tRNS", struct.pack(">H", value))
    data += chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    shown = Reference(data).open()
    assert shown.getpixel((10, 10)) == (255, 255, 255)
    assert shown.getpixel((150, 10))[0] < 90


@pytest.mark.parametrize(("bits", "value"), [(8, (1, 2, 3)), (16, (0x1122, 0x2233, 0x3344))])
def test_a_transparent_colour_is_white(bits, value):
    """A PNG's transparent colour counts in both depths."""
    kind = ">u2" if bits == 16 else ">u1"
    row = np.array([value] * 80 + [(0x40, 0x50, 0x60)] * 80).astype(kind).tobytes()
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 160, 160, bits, 2, 0, 0, 0))
    data += chunk(b"tRNS", struct.pack(">HHH", *value)) + chunk(b"IDAT", zlib.compress((b"\0" + row) * 160))
    shown = Reference(data + chunk(b"IEND", b"")).open()
    assert shown.getpixel((10, 10)) == (255, 255, 255)
    assert max(shown.getpixel((150, 10))) <= 0x60


def test_odd_transparency_of_an_image_in_memory_costs_nothing():
    """Premultiplied modes are taken, and a value that another mode left behind is passed over."""
    red = Image.new("RGBA", (160, 160), (255, 0, 0, 0))
    assert Reference(red.convert("RGBa")).open().getpixel((5, 5)) == (255, 255, 255)
    assert Reference(red.convert("LA").convert("La")).open().getpixel((5, 5)) == (255, 255, 255)
    for odd in (b"\0", "white", 7, (1, 2)):
        image = Image.new("RGB", (160, 160), "blue")
        image.info["transparency"] = odd
        assert Reference(image).open().getpixel((5, 5)) == (0, 0, 255)


# Numbers of any kind.


def ramp(low, high, kind=np.float32):
    return np.tile(np.linspace(low, high, 256), (160, 1)).astype(kind)


def as_colour(values):
    return np.stack([values] * 3, -1)


def greys(source):
    """The first row of greys that a source becomes."""
    return np.asarray(Reference(source).open())[0, :, 0].astype(int)


RAMPS = {
    "0 to 1": (ramp(0, 1), 1),
    "0 to 1, float16": (ramp(0, 1, np.float16), 2),
    "0 to 1, float64": (ramp(0, 1, np.float64), 1),
    "0 to 255": (ramp(0, 255), 1),
    "int16": (ramp(0, 255, np.int16), 1),
    "int64": (ramp(0, 255, np.int64), 1),
    "uint16 of 8 bits": (ramp(0, 255, np.uint16), 1),
    "uint16": (ramp(0, 65_535, np.uint16), 1),
    "int32 of 16 bits": (ramp(0, 65_535, np.int32), 1),
    "0 to 65535": (ramp(0, 65_535), 1),
}


@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize(
    "form",
    [lambda a: a, as_colour, lambda a: a[:, :, None], lambda a: a[None]],
    ids=["grey", "RGB", "one channel", "channel first"],
)
def test_numbers_of_any_kind_and_scale_become_the_same_ramp(name, form):
    """Floats and integers of 8 or 16 bits are scaled by what they hold; nothing is black by their type."""
    values, tolerance = RAMPS[name]
    assert np.abs(greys(form(values)) - np.arange(256)).max() <= tolerance
    assert Reference(form(values)).notes == ()


OUTSIDE = {
    "a little": 1.02,
    "much": 40.0,
    "infinite": np.inf,
    "no number": np.nan,
    "below": -3.0,
    "minus infinite": -np.inf,
}


@pytest.mark.parametrize("scale", [1, 255, 65_535])
@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("form", [lambda a: a, as_colour, Image.fromarray], ids=["grey", "RGB", "PIL image"])
def test_a_value_out_of_its_scale_is_clipped_and_spoils_no_other(scale, outside, form):
    """One pixel that is too bright makes no picture black: it is clipped, and its owner is told."""
    values = ramp(0, scale)
    values[0, 7] = OUTSIDE[outside] * scale
    source = form(values)
    rest = np.delete(np.abs(greys(source) - np.arange(256)), 7)
    assert rest.max() <= 1
    assert greys(source)[7] == (255 if OUTSIDE[outside] > 1 else 0)
    count = "3 of 122,880" if form is as_colour else "1 of 40,960"
    assert Reference(source).notes == (f"{count} values are not within 0 to {scale}: clipped",)


@pytest.mark.parametrize("low", [-0.1, 0])
@pytest.mark.parametrize("high", [1.05, 1.3, 0.5])
@pytest.mark.parametrize("scale", [1, 255])
def test_a_picture_that_was_sharpened_beyond_its_scale_keeps_its_brightness(low, high, scale):
    """Filters leave values on both sides of the scale."""
    shown = greys(ramp(low * scale, high * scale))
    assert np.abs(shown - np.clip(np.linspace(low, high, 256), 0, 1) * 255).max() <= 1.5


def test_lights_far_brighter_than_white_leave_the_rest_visible():
    """A rendering with lamps in it is clipped where the lamps are."""
    values = ramp(0, 1)
    values[:, :12] = 50
    assert np.abs(greys(values)[12:] - np.arange(256)[12:]).max() <= 1


def test_masks_are_black_and_white():
    """True is white."""
    mask = np.zeros((160, 200), bool)
    mask[:, 100:] = True
    for one in (mask, mask.astype(np.int32), mask.astype(np.float32), Image.fromarray(mask)):
        assert greys(one)[[5, 150]].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.full((160, 200), 1, np.uint8), "nearly black: no value is above 1, and 255 is white"),
        (ramp(0, 4095, np.uint16), "nearly black: no value is above 4095, and 65535 is white"),
    ],
)
def test_what_turns_out_nearly_black_is_told(array, says):
    """Where no scale is right, the owner learns it before paying."""
    assert Reference(array).notes == (says,)


@pytest.mark.parametrize("low", [-1, -2.1, -255])
@pytest.mark.parametrize("form", [lambda a: a, as_colour, lambda a: a.astype(np.float16)], ids=["grey", "RGB", "half"])
def test_numbers_around_zero_are_refused_with_the_cure(low, form):
    """A network's own scale, such as -1 to 1, is not guessed: its darker half would be black, and paid for."""
    with pytest.raises(InvalidRequest, match=r"of the values are below 0, down to -\d.*for example \(array \+ 1\) / 2"):
        Reference(form(ramp(low, -low)))


def test_dark_values_a_little_below_zero_are_black():
    """What a filter leaves around black is no other scale."""
    values = ramp(0, 1)
    values[:, :150] = -0.02
    assert greys(values)[[0, 149, 255]].tolist() == [0, 0, 255]


def test_nothing_is_told_as_a_file_that_was_not_found():
    """OpenCV gives None for a file that is not there."""
    with pytest.raises(InvalidRequest, match=r"references\[0\]: None is not a picture.*cv2\.imread"):
        VideoRequest(prompt="A cat", references=[None])


def test_an_array_without_numbers_is_refused():
    """All NaN is no picture."""
    with pytest.raises(InvalidRequest, match="without a single number"):
        Reference(np.full((160, 200), np.nan))


def test_arrays_of_other_libraries_are_taken_or_refused_in_our_words():
    """Whatever becomes a NumPy array is one picture, and what does not says why."""

    class Tensor:
        shape, ndim, dtype = (3, 160, 200), 3, "float32"

        def __init__(self, values):
            self.values = values

        def __array__(self, *_, **__):
            if self.values is None:
                raise TypeError("can't convert a tensor on a GPU")
            return self.values

        def __iter__(self):
            return iter(self.values)

    assert VideoRequest(prompt="A cat", references=Tensor(np.ones((3, 160, 200), np.float32))).references[0].size
    with pytest.raises(InvalidRequest, match=r"references\[0\]: a Tensor that is no NumPy array .*on a GPU"):
        VideoRequest(prompt="A cat", references=Tensor(None))


# PIL images that fail late.


def cut(kind, **options):
    data = save(noise(200, 160), kind, **options)
    return data[: len(data) * 2 // 3]


def left(kind):
    """An image after its `with`."""
    with Image.open(io.BytesIO(save(noise(200, 160), kind))) as image:
        return image


def closed(kind):
    image = Image.open(io.BytesIO(save(noise(200, 160), kind)))
    image.fp.close()
    return image


@pytest.mark.parametrize(
    "make",
    [
        lambda: Image.open(io.BytesIO(cut("JPEG"))),
        lambda: Image.open(io.BytesIO(cut("PNG"))),
        lambda: Image.open(io.BytesIO(cut("GIF"))),
        lambda: Image.open(io.BytesIO(cut("BMP"))),
        lambda: Image.open(io.BytesIO(cut("TIFF"))),
        lambda: closed("JPEG"),
        lambda: closed("PNG"),
        lambda: left("PNG"),
    ],
    ids=["JPEG", "PNG", "GIF", "BMP", "TIFF", "closed JPEG", "closed PNG", "after its with"],
)
def test_a_lazily_opened_image_that_can_not_be_decoded_is_our_own_error(make):
    """Pillow decodes late: what it finds then is told as for a damaged file, at its place."""
    with pytest.raises(
        InvalidRequest, match=r"^the picture is damaged, or its file is closed .*pass its path or bytes"
    ):
        Reference(make())
    with pytest.raises(InvalidRequest, match=r"^references\[1\]: the picture is damaged") as caught:
        VideoRequest(prompt="A cat", references=[noise(200, 160), make()])
    assert caught.value.field == "references"
    with pytest.raises(InvalidRequest) as caught:
        vidu.preview("A cat", make())
    assert caught.value.field == "references"


@pytest.mark.parametrize("mode", "1 L P LA PA La RGB RGBA RGBX RGBa CMYK YCbCr LAB HSV I F I;16 I;16B I;16L".split())  # noqa: SIM905
def test_an_image_of_any_mode_is_taken(mode):
    """Whatever Pillow holds in memory is a picture."""
    assert Reference(Image.new(mode, (160, 160))).size == (160, 160)


# Formats.


def photoshop(image):
    """A Photoshop file without layers, which Pillow reads and doesn't write."""
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, image.height, image.width, 8, 3)
    return head + bytes(12) + b"\0\0" + b"".join(band.tobytes() for band in image.split())


@pytest.mark.parametrize("kind", "AVIF TIFF BMP PSD JPEG2000 PPM TGA ICO ICNS PCX SGI DDS WEBP GIF".split())  # noqa: SIM905
@pytest.mark.parametrize("how", ["bytes", "path", "data URI", "file"])
def test_every_format_that_others_show_is_taken(kind, how, tmp_path):
    """What the API doesn't take is made into what it takes, however it is given."""
    options = {"quality": 100} if kind == "AVIF" else {"sizes": [(256, 256)]} if kind == "ICO" else {}
    image = Image.new("RGB", (256, 256), (10, 200, 30))
    data = photoshop(image) if kind == "PSD" else save(image, kind, **options)
    (tmp_path / "a.picture").write_bytes(data)
    source = {
        "bytes": data,
        "path": tmp_path / "a.picture",
        "data URI": f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}",
        "file": io.BytesIO(data),
    }[how]
    reference = Reference(source)
    assert reference.bytes.startswith(b"\x89PNG")
    assert np.abs(np.subtract(reference.open().getpixel((128, 128)), (10, 200, 30))).max() <= 4


def test_layers_pages_and_sizes_give_the_picture_that_is_shown():
    """Of an icon the largest size counts, of a TIFF the first page, and its owner is told of the others."""
    pages = [Image.new("RGB", (200, 160), colour) for colour in ("red", "blue")]
    reference = Reference(save(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert (reference.open().getpixel((5, 5)), reference.notes) == ((255, 0, 0), ("only the first page is used",))
    reference = Reference(save(pages[0], "AVIF", save_all=True, append_images=pages[1:]))
    assert reference.notes == ("only the first frame of the animation is used",)
    assert Reference(save(noise(256, 256), "ICO", sizes=[(16, 16), (256, 256), (64, 64)])).size == (256, 256)


def test_what_the_api_does_not_take_is_named_on_the_wire():
    """A body with another format is refused as the service would refuse it, in words that name it."""
    for kind, name in (("AVIF", "an AVIF"), ("TIFF", "a TIFF"), ("BMP", "a BMP")):
        text = base64.b64encode(save(noise(200, 160), kind)).decode()
        with pytest.raises(InvalidRequest, match=f"{name} picture, which the API does not take: convert it to PNG"):
            Reference.from_wire(f"data:image/png;base64,{text}")


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


def test_heic_is_opened_where_its_package_is_installed():
    """A phone's picture is taken, and no opener is registered for the whole process."""
    pillow_heif = pytest.importorskip("pillow_heif")
    was_registered = "HEIF" in Image.OPEN  # by another package
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (200, 160), "red")).save(buffer)
    assert np.abs(np.subtract(Reference(buffer.getvalue()).open().getpixel((5, 5)), (255, 0, 0))).max() <= 3
    assert ("HEIF" in Image.OPEN) == was_registered
    with pytest.raises(InvalidRequest, match="a HEIC picture that is damaged"):
        Reference(HEIC)


def test_heic_without_its_package_names_the_pip_command(tmp_path):
    """Where the package is missing, the sentence says how to get it."""
    script = f"import sys\nsys.modules['pillow_heif'] = None\nimport vidu_nb as vidu\nvidu.Reference({HEIC!r})\n"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "a HEIC picture, which can't be opened here: pip install pillow-heif, or save it as JPEG" in ended.stderr


# What is no picture.

OTHERS = {
    "": "an empty file, not a picture: was it still being written",
    "<!DOCTYPE html><html><body>404": "a web page, not a picture: open its URL in a browser",
    "\n  <HTML lang=en>": "a web page, not a picture",
    "<!-- saved from --><html>": "a web page, not a picture",
    "\ufeff<!doctype html>": "a web page, not a picture",
    '<?xml version="1.0"?><html xmlns="x">': "a web page, not a picture",
    '<?xml version="1.0"?><Error><Code>AccessDenied</Code>': "XML text, not a picture: it may be a server's error",
    '{"error": "not found"}': "JSON text, not a picture: it may be a server's error",
    '[{"detail": "not found"}]': "JSON text, not a picture",
    '<svg xmlns="http://www.w3.org/2000/svg"/>': "an SVG drawing, not a picture: convert it to PNG",
    '<?xml version="1.0"?>\n<!-- Inkscape -->\n<svg width="3">': "an SVG drawing, not a picture",
    "%PDF-1.7": "a PDF document, not a picture: convert the page",
    "%!PS-Adobe-3.0": "a PostScript drawing, not a picture",
    "\0\0\0\x20ftypisom\0\0\2\0isomiso2": "a video, not a picture: pass one frame",
    "\x1aE\xdf\xa3\x01\0": "a video, not a picture",
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a": "a Git LFS pointer, not a picture: run `git",
    "PK\x03\x04\x14\0": "a ZIP archive, not a picture: unpack it",
    "\x1f\x8b\x08\0": "a compressed file, not a picture",
    "\x93NUMPY\x01\0": "a NumPy file, not a picture: pass numpy.load",
    "II*\0\x10\0\0\0CR\2\0": "a camera's raw file, not a picture: develop it",
    "\0\0\0\x18ftypcrx \0": "a camera's raw file, not a picture",
    "\xff\x0a\0\0": "a JPEG XL picture, which can't be opened here: save it as PNG",
    "\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL picture, which can't be opened here",
    "v/1\x01\2\0": "an OpenEXR picture, which can't be opened here",
    "hello, picture": "text, not a picture: pass a path",
    "404: Not Found": "text, not a picture: pass a path, an https:// URL or the picture's bytes; it may be a",
    "\x80\4\x95\1\2\3": "content of no known format, not a picture: convert it",
    "\x89PNG\r\n\x1a\n broken": "a PNG picture that is damaged or of a rare kind: save it as PNG or JPEG",
    "\xff\xd8\xff\xe0": "a JPEG picture that is damaged",
}


@pytest.mark.parametrize("content", OTHERS, ids=ascii)
@pytest.mark.parametrize("how", ["bytes", "path", "data URI", "file"])
def test_what_is_no_picture_is_told_as_what_it_is(content, how, tmp_path):
    """The refusal names what came in a picture's place and what helps, however it came."""
    data = content.encode("utf-8" if content.startswith("\ufeff") else "latin-1")
    path = tmp_path / "cat.png"
    path.write_bytes(data)
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    source = {"bytes": data, "path": path, "data URI": text, "file": io.BytesIO(data)}[how]
    with pytest.raises(InvalidRequest) as caught:
        VideoRequest(prompt="A cat", references=source)
    assert f"references[0]: {OTHERS[content]}" in caught.value.message
    assert len(str(caught.value)) < 250


# Threads.


def test_reading_pictures_leaves_the_process_as_it_was(encoded):
    """Warning filters, Pillow's openers and limits stay the user's own, whatever other threads do meanwhile."""
    large = encoded(9_500, 9_500, "JPEG")  # of which Pillow warns
    odd = save(four_corners(), "JPEG", exif=exif_of(bytes.fromhex("00030000000200060006"))[:-2])
    sources = [large, odd, encoded(kind="WEBP"), encoded(kind="GIF"), of_generators()["zTXt"], encoded()]
    filters, start = list(warnings.filters), threading.Barrier(8)
    seen = []

    def read(number):
        start.wait()
        for turn in range(12):
            Reference.from_wire(base64.b64encode(sources[(number + turn) % 4]).decode())
            Reference(sources[4 + turn % 2])
            seen.append(warnings.filters == filters)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(read, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert all(seen)
    assert warnings.filters == filters
