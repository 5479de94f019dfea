"""Pixels: whatever a camera or a program wrote becomes an upright 8-bit RGB picture, small enough to be sent."""

from __future__ import annotations

import base64
import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

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
