"""Pixels: encoded bytes of a stranger to an upright 8-bit RGB picture, and back to bytes that the API takes.

The limits are those of Vidu's own documentation for reference-to-video: PNG, JPEG or WebP, at least 128 px a side,
between 1:4 and 4:1, at most 50 MB, and a request body of at most 20 MB.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidRequest
from .bare import PNG, bare, orientation
from .kinds import FORMATS, SAVE, identify

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

#: Formats that the API takes: in a request's body, and behind a URL.
API_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MIN_SIDE = 128  # px
MAX_RATIO = 4  # longer side to shorter side
MAX_PIXELS = 100_000_000  # a decoded picture takes 3 bytes a pixel
MAX_FILE_BYTES = 50_000_000
MAX_BODY_BYTES = 20_000_000
SENT_BYTES = 2_000_000  # seven of these, in base64, stay below MAX_BODY_BYTES
_RGB8 = b"\x08\x02"  # bits a channel and colour type, in a PNG's header
_LOSSLESS_PIXELS = 2_100_000  # beyond it a PNG of a photograph never fits in SENT_BYTES, and trying takes a second
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "TIFF")  # others' frames are layers, sizes or views of one picture
_TURNED = (5, 6, 7, 8)  # orientations with a quarter turn
_SCALES = (1, 255, 65535)  # what white is in an array: of floats, of bytes, of 16-bit numbers
_LIT = 0.9  # of an array's values above 0: as many are within twice the scale, or it is another one
_SAMPLE = 1_000_000  # values that are sorted to find the scale
_DARK = 0.1  # of the scale: a picture whose brightest value is below shows next to nothing

_INSTEAD = (
    "pass a path, an https:// URL, a data: URI, bytes, an open file, a PIL image or an array (H, W), (H, W, 3) or "
    "(H, W, 4)"
)


class Decoded(NamedTuple):
    """A picture upright, in 8-bit sRGB, on white and without metadata; and what its owner might want to know."""

    image: Image
    notes: tuple[str, ...] = ()


class _Opened(NamedTuple):
    """An image that is not decoded yet, and what its header tells beside it."""

    image: Any
    notes: tuple[str, ...]


def decode(data: bytes) -> Image:
    """Decode bytes in one of the API's formats to an upright, 8-bit RGB PIL image without metadata.

    Raises
    ------
    InvalidRequest
        As for `Reference`.
    """
    with _opened(data, API_FORMATS) as opened, _explained():
        return normalised(opened.image).image


def decode_any(data: bytes) -> Decoded:
    """Decode bytes in any format that browsers or Pillow show, for a picture that is then encoded anew.

    Raises
    ------
    InvalidRequest
        As for `Reference`.
    """
    with _opened(data, FORMATS) as opened, _explained():
        made = normalised(opened.image)
        return Decoded(made.image, (*opened.notes, *made.notes))


def encoded_size(data: bytes) -> tuple[int, int]:
    """Return width and height of an encoded picture as it stands upright, in pixels, without decoding it.

    Raises
    ------
    InvalidRequest
        As for `Reference`; damage behind the header is not found.
    """
    with _opened(data, API_FORMATS) as opened:
        width, height = opened.image.size
        return (height, width) if orientation(opened.image.info.get("exif", b"")) in _TURNED else (width, height)


def is_moving_gif(data: bytes) -> bool:
    """Return whether these are the bytes of a GIF with more than one frame."""
    if not data.startswith((b"GIF87a", b"GIF89a")):
        return False
    with _opened(data, API_FORMATS) as opened:
        return bool(_frames_left_out(opened.image, 1))


def encode(image: Image) -> tuple[bytes, tuple[int, int]]:
    """Encode an RGB image as PNG or JPEG of at most `SENT_BYTES`; returns the size in pixels that this left, too.

    PNG where it fits, else JPEG, shrunk only as far as needed.
    """
    if image.width * image.height <= _LOSSLESS_PIXELS:
        data = _save(image, "PNG", compress_level=6)
        if len(data) <= SENT_BYTES:
            return data, image.size
    data = _save(image, "JPEG", quality=95, subsampling=0)
    while len(data) > SENT_BYTES:
        scale = max(0.5, min(0.95, (SENT_BYTES / len(data)) ** 0.5 * 0.97))
        width, height = (max(MIN_SIDE, round(side * scale)) for side in image.size)
        size = min(width, MAX_RATIO * height), min(height, MAX_RATIO * width)  # rounding must not leave the limits
        image = image.resize(size, reducing_gap=2.0)
        data = _save(image, "JPEG", quality=92, subsampling=0)
    return data, image.size


def is_lossless(data: bytes) -> bool:
    """Return whether bytes are a PNG as `encode` makes it: its pixels are those that went in, for whoever reads it.

    Anything beside the pixels, such as a colour profile or a quarter turn, is heeded by some readers only.
    """
    at, kinds = len(PNG), set()
    while at + 8 <= len(data) <= SENT_BYTES:
        kinds.add(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
    return data.startswith(PNG) and data[24:26] == _RGB8 and kinds == {b"IHDR", b"IDAT", b"IEND"}


def media_type(data: bytes) -> str:
    """Return the subtype of ``image/...`` for a picture that is encoded in one of the API's formats."""
    return identify(data).formats[0].lower()


def check_size(width: int, height: int) -> None:
    """Raise `InvalidRequest` for a size outside the limits; sides in pixels."""
    if width * height > MAX_PIXELS:
        raise InvalidRequest(f"{width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels: shrink it")
    if min(width, height) < MIN_SIDE:
        raise InvalidRequest(f"{width}x{height} is too small: both sides need at least {MIN_SIDE} px")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InvalidRequest(f"{width}x{height} is too oblong: crop it to between 1:{MAX_RATIO} and {MAX_RATIO}:1")


def _save(image: Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# From bytes to a PIL image that is not decoded yet.


@contextlib.contextmanager
def _explained(problem: str = "is damaged", cure: str = "save it anew and pass that file") -> Iterator[None]:
    """Turn whatever a decoder raises of damaged data into our own error: each of them raises something else."""
    try:
        yield
    except InvalidRequest:
        raise
    except Exception as error:
        what = str(error) or type(error).__name__
        raise InvalidRequest(f"the picture {problem} ({what}): {cure}") from error


@contextlib.contextmanager
def _opened(data: bytes, formats: Collection[str]) -> Iterator[_Opened]:
    """Open a picture by its header, with every check that needs no pixels; closes it.

    Not by `PIL.Image.open`: it warns of large pictures, and what it warns goes through filters of the whole process.
    """
    from PIL.Image import DecompressionBombError

    if len(data) > MAX_FILE_BYTES:
        raise InvalidRequest(f"the picture is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
    pixels = bare(data)
    with _explained():
        try:
            image = identified(pixels.data, formats)
        except DecompressionBombError as error:
            raise InvalidRequest(f"more than {MAX_PIXELS // 1_000_000} megapixels: shrink it") from error
    if image is None:
        raise InvalidRequest(_refusal(data, formats))
    with image:
        check_size(*image.size)
        if image.format in ("PNG", "JPEG"):
            image.info |= {"exif": pixels.exif, "icc_profile": pixels.profile}
        if image.format == "PNG":
            _scale_transparency(image, depth=data[24])
        yield _Opened(image, _frames_left_out(image, pixels.frames))


def identified(data: bytes, formats: Collection[str]) -> Any:
    """Return an image by the first plugin of Pillow that takes the bytes, None where there is none."""
    for name in identify(data).formats:
        factory = _plugin(name) if name in formats else None
        if factory is not None:
            # What Pillow's own `open` takes for "it is another format after all".
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
                return factory(io.BytesIO(data), "")
    return None


def _plugin(name: str) -> Callable[[io.BytesIO, str], Any] | None:
    """Return what opens a format, None where it is not installed."""
    from PIL import Image

    for load in (Image.preinit, Image.init):  # the common ones, all
        if name not in Image.OPEN:
            load()
    if name in Image.OPEN:
        return Image.OPEN[name][0]
    if name == "HEIF" and importlib.util.find_spec("pillow_heif"):
        from pillow_heif import HeifImageFile  # to register it would change the whole process

        opener: Callable[[io.BytesIO, str], Any] = HeifImageFile
        return opener
    return None


def _refusal(data: bytes, formats: Collection[str]) -> str:
    """Say what bytes are that can't be opened, and what helps."""
    kind = identify(data)
    if not kind.formats:
        return f"{kind.name}, not a picture: {kind.cure}"
    if not set(kind.formats) & set(formats):
        return f"{kind.name}, which the API does not take: convert it to PNG, JPEG or WebP"
    if any(_plugin(name) for name in kind.formats):
        return f"{kind.name} that is damaged or of a rare kind: {SAVE}"
    return f"{kind.name}, which can't be opened here: {kind.cure}"


def _frames_left_out(image: Any, frames: int) -> tuple[str, ...]:
    """Say what follows the first frame of an animation, or the first page of a document."""
    if image.format in _ANIMATED:
        try:
            many = frames > 1 or (image.format != "PNG" and image.is_animated)
        except Exception:  # what is behind the first frame may be damaged
            many = False
        if many:
            return (f"only the first {'page' if image.format == 'TIFF' else 'frame of the animation'} is used",)
    return ()


def _scale_transparency(image: Image, depth: int) -> None:
    """Bring a PNG's transparent value to the 8 bits a channel that Pillow gives, but for 16-bit grey."""
    value = image.info.get("transparency")
    if image.mode == "L" and isinstance(value, int) and depth < 8:
        image.info["transparency"] = value * 255 // (2**depth - 1)
    elif image.mode == "RGB" and isinstance(value, tuple) and depth == 16:
        image.info["transparency"] = tuple(one >> 8 for one in value)


# From pixels of any kind to 8-bit RGB.


def from_pixels(source: Any) -> Decoded:
    """Make an upright RGB picture of a PIL image or an array; `InvalidRequest` for anything else.

    Parameters
    ----------
    source
        A PIL image, or an array (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or channels first, of booleans, integers or
        floats. White is 1, 255 or 65535, the first that fits nine tenths of the values; what lies outside is clipped.
    """
    from PIL import Image

    notes: tuple[str, ...] = ()
    if not isinstance(source, Image.Image):
        array = _array(source)
        check_size(array.shape[1], array.shape[0])
        levels, notes = (array, _darkness(array, 255)) if array.dtype == "uint8" else _to_bytes(array)
        source = Image.fromarray(levels)
    check_size(*source.size)
    with _explained("is damaged, or its file is closed", "pass its path or bytes"):
        made = normalised(source)
    return Decoded(made.image, (*made.notes, *notes))


def normalised(image: Image) -> Decoded:
    """Return an image upright, in 8-bit sRGB, with transparency on white and no metadata."""
    from PIL import Image as PILImage
    from PIL.Image import Transpose

    image.load()  # a PNG's metadata may stand behind its pixels
    turns = (
        Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE,
        Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90,
    )  # fmt: skip
    exif = image.info.get("exif")
    way = orientation(exif if isinstance(exif, bytes) else b"")
    profile = image.info.get("icc_profile")
    notes: tuple[str, ...] = ()
    if image.mode.startswith(("I", "F")):
        image, notes = _from_deep(image)
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = _on_white(image)
    if way > 1:
        image = image.transpose(turns[way - 2])
    if profile:
        image = _to_srgb(image, profile)
    image = image.convert("RGB")
    rgb = PILImage.new("RGB", image.size)  # a new one has no metadata
    rgb.paste(image)
    return Decoded(rgb, notes)


def _on_white(image: Image) -> Image:
    from PIL import Image as PILImage

    try:
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    except (ValueError, TypeError):
        return image.convert("RGB")  # a transparent value that another mode left behind
    white = PILImage.new("RGBA", image.size, "white")
    return PILImage.alpha_composite(white, image).convert("RGB")


def _from_deep(image: Image) -> tuple[Image, tuple[str, ...]]:
    """Scale integers and floats to 8 bits; Pillow's own conversion clips everything above 255 to white."""
    import numpy as np
    from PIL import Image as PILImage

    grey = np.asarray(image)
    scale = 65535 if image.format and image.mode.startswith("I;16") else None  # a file says how deep it is
    levels, notes = _to_bytes(grey, scale)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        levels[grey == transparent] = 255
    return PILImage.fromarray(levels), notes


def _to_bytes(values: NDArray[Any], white: int | None = None) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Scale numbers to 0..255, and say what was lost."""
    import numpy as np

    values = values.astype(np.float64)
    if not np.isfinite(values).any():
        raise InvalidRequest("an array without a single number is not a picture")
    white = white or _scale(values)
    _check_black(values, white)
    levels = np.clip(np.nan_to_num(values, nan=0.0, posinf=white, neginf=0.0) / white, 0, 1) * 255 + 0.5
    return levels.astype(np.uint8), (*_clipped(values, white), *_darkness(values, white))


def _scale(values: NDArray[np.float64]) -> int:
    """Return which value is white: one pixel that is too bright must not make all others black."""
    import numpy as np

    lit = values[(values > 0) & np.isfinite(values)]
    lit = np.sort(lit[:: lit.size // _SAMPLE + 1])
    bright = lit[int(_LIT * (lit.size - 1))] if lit.size else 0.0
    return next((white for white in _SCALES if bright <= 2 * white), _SCALES[-1])


def _check_black(values: NDArray[np.float64], white: int) -> None:
    """Refuse numbers around 0, as networks have them: half of the picture would be black."""
    import numpy as np

    below = float((values < -_DARK * white).mean())
    if below > 1 - _LIT:
        raise InvalidRequest(
            f"{below:.0%} of the values are below 0, down to {np.nanmin(values):g}, and 0 is black: bring them to 0 to "
            "1, for example (array + 1) / 2"
        )


def _clipped(values: NDArray[Any], white: int) -> tuple[str, ...]:
    lost = values.size - int(((values >= 0) & (values <= white)).sum())
    return (f"{lost:,} of {values.size:,} values are not within 0 to {white}: clipped",) if lost else ()


def _darkness(values: NDArray[Any], white: int) -> tuple[str, ...]:
    import numpy as np

    top = float(np.nanmax(values, initial=0))
    return (f"nearly black: no value is above {top:g}, and {white} is white",) if 0 < top < _DARK * white else ()


def _array(source: Any) -> NDArray[Any]:
    """Return an array of a picture's shape, channels last."""
    import numpy as np

    shape = getattr(source, "shape", None)
    if source is None:
        raise InvalidRequest("None is not a picture: was its file not found? cv2.imread gives None then")
    if isinstance(getattr(source, "value", None), tuple | list | Mapping):
        raise InvalidRequest(f"a {type(source).__name__} is not a picture: pass its .value")
    if shape is None:
        raise InvalidRequest(f"a {type(source).__name__} is not a picture: {_INSTEAD}")
    try:
        array = np.asarray(source)
    except Exception as error:  # each library's arrays raise their own: on a GPU, with a gradient, ...
        raise InvalidRequest(f"a {type(source).__name__} that is no NumPy array ({error}): pass one") from error
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if (
        array.dtype.kind in "biuf"
        and array.size
        and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    ):
        return np.ascontiguousarray(array)
    raise InvalidRequest(f"an array of {array.dtype} with shape {tuple(shape)} is not a picture: {_INSTEAD}")


def _to_srgb(image: Image, profile: bytes) -> Image:
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a broken or mismatched profile: the plain conversion is the best that is left
    return converted or image
