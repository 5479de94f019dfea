"""Pixels: encoded bytes of a stranger to an upright 8-bit RGB picture, and back to bytes that the API takes.

The limits are those of Vidu's own documentation for reference-to-video: PNG, JPEG or WebP, at least 128 px a side,
between 1:4 and 4:1, at most 50 MB, and a request body of at most 20 MB.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image

#: Formats that are decoded; anything else that Pillow could open (EPS, PSD, ...) is refused by name.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MIN_SIDE = 128  # px
MAX_RATIO = 4  # longer side to shorter side
MAX_PIXELS = 100_000_000  # a decoded picture takes 3 bytes a pixel
MAX_FILE_BYTES = 50_000_000
MAX_BODY_BYTES = 20_000_000
SENT_BYTES = 2_000_000  # seven of these, in base64, stay below MAX_BODY_BYTES
_PNG = b"\x89PNG\r\n\x1a\n"
_RGB8 = b"\x08\x02"  # bits a channel and colour type, in a PNG's header
_LOSSLESS_PIXELS = 2_100_000  # beyond it a PNG of a photograph never fits in SENT_BYTES, and trying takes a second


def decode(data: bytes) -> Image:
    """Decode bytes to an upright, 8-bit RGB PIL image without metadata.

    Raises
    ------
    InvalidRequest
        As for `Reference`.
    """
    with opened(data) as image:
        try:
            return normalised(image)
        except (OSError, ValueError, SyntaxError, MemoryError, EOFError) as error:
            raise InvalidRequest(f"the picture is damaged ({error}): save it anew and pass that file") from error


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
    at, kinds = len(_PNG), set()
    while at + 8 <= len(data) <= SENT_BYTES:
        kinds.add(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
    return data.startswith(_PNG) and data[24:26] == _RGB8 and kinds == {b"IHDR", b"IDAT", b"IEND"}


def media_type(data: bytes) -> str:
    """Return the subtype of ``image/...`` for encoded bytes."""
    return {b"\x89PNG": "png", b"RIFF": "webp", b"GIF8": "gif"}.get(data[:4], "jpeg")


def _save(image: Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


class opened:  # noqa: N801
    """Open a picture by its header, with every check that needs no pixels; closes it."""

    def __init__(self, data: bytes) -> None:
        from PIL import Image, UnidentifiedImageError

        if len(data) > MAX_FILE_BYTES:
            raise InvalidRequest(f"the picture is larger than {MAX_FILE_BYTES // 1_000_000} MB: shrink it")
        try:
            with warnings.catch_warnings():
                # Bombs are refused below, by our own limit; what else Pillow says of odd EXIF or MPO helps nobody here.
                warnings.simplefilter("ignore")
                self.image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise InvalidRequest(f"more than {MAX_PIXELS // 1_000_000} megapixels: shrink it") from error
        except UnidentifiedImageError as error:
            formats = "PNG, JPEG, WebP or GIF"
            raise InvalidRequest(f"not a picture in {formats} format: convert it to one of these") from error
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InvalidRequest(f"damaged ({error}): save it anew and pass that file") from error
        check_size(*self.image.size)

    def __enter__(self) -> Image:
        return self.image

    def __exit__(self, *_: object) -> None:
        self.image.close()


def is_animated(image: Image) -> bool:
    """Return whether frames follow the first one; an MPO's are other views of the same moment, not an animation."""
    try:
        return bool(getattr(image, "is_animated", False)) and image.format != "MPO"
    except Exception:
        return False


def upright_size(image: Image) -> tuple[int, int]:
    """Return width and height as the camera held it, in pixels, without decoding."""
    if image.format == "PNG":
        return image.size  # a PNG's EXIF may stand behind its pixels: asking for it would decode them
    try:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # the Orientation tag's quarter turns
    except Exception:  # whatever damaged EXIF makes the parser raise: the picture itself may be fine
        turned = False
    return (image.height, image.width) if turned else (image.width, image.height)


def check_size(width: int, height: int) -> None:
    """Raise `InvalidRequest` for a size outside the limits; sides in pixels."""
    if width * height > MAX_PIXELS:
        raise InvalidRequest(f"{width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels: shrink it")
    if min(width, height) < MIN_SIDE:
        raise InvalidRequest(f"{width}x{height} is too small: both sides need at least {MIN_SIDE} px")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InvalidRequest(f"{width}x{height} is too oblong: crop it to between 1:{MAX_RATIO} and {MAX_RATIO}:1")


def normalised(image: Image) -> Image:
    """Return an image upright, in 8-bit sRGB, with transparency on white and no metadata."""
    from PIL import Image as PILImage
    from PIL import ImageOps

    profile = image.info.get("icc_profile")
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF again
        image = image.copy()
    if image.mode.startswith(("I", "F")):
        image = _from_deep(image)
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = PILImage.new("RGBA", image.size, "white")
        image = PILImage.alpha_composite(white, image).convert("RGB")
    if profile:
        image = _to_srgb(image, profile)
    image = image.convert("RGB")
    bare = PILImage.new("RGB", image.size)
    bare.paste(image)
    return bare


def _from_deep(image: Image) -> Image:
    """Scale 16-bit and float grey to 8 bits; Pillow's own conversion clips everything above 255 to white."""
    import numpy as np
    from PIL import Image as PILImage

    grey = np.asarray(image, dtype=np.float64)
    top = grey.max(initial=0.0)
    full = 1.0 if top <= 1.0 and image.mode == "F" else 255.0 if top <= 255 and image.mode != "I;16" else 65535.0
    return PILImage.fromarray((np.clip(grey / full, 0, 1) * 255 + 0.5).astype(np.uint8))


def _to_srgb(image: Image, profile: bytes) -> Image:
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a broken or mismatched profile: the plain conversion is the best that is left
    return converted or image


def from_array(source: Any) -> Image:
    """Make a PIL image of a uint8 array (H, W), (H, W, 3) or (H, W, 4); `InvalidRequest` for anything else."""
    from PIL import Image

    shape, kind = getattr(source, "shape", None), str(getattr(source, "dtype", ""))
    if kind == "uint8" and shape is not None and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))):
        return Image.fromarray(source)
    what = f"an array of {kind} with shape {shape}" if shape is not None else f"a {type(source).__name__}"
    raise InvalidRequest(
        f"{what} is not a picture: pass a path, an https:// URL, a data: URI, bytes, a PIL image or a uint8 array"
    )
