"""Where a picture's subject is, and how much of the picture a frame of another shape can show without losing it.

Faces come from scikit-image's bundled LBP cascade. Everything else goes by saliency: what differs from the picture's
mean colour (Achanta et al., "Frequency-tuned Salient Region Detection", CVPR 2009) together with what the log spectrum
does not expect (Hou and Zhang, "Saliency Detection: A Spectral Residual Approach", CVPR 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Box, Scene

Picture = NDArray[np.uint8]

_FACE_SIDE = 256  # px: faces are looked for on a picture of this longer side
_SALIENCY_SIDE = 96
# A filled frame shows at most this many times the plain crop: with more, it is more fill than picture.
_MOST = 1.9
_FACE = 28  # px: the smallest face on that picture
_FLAT = 1.0  # levels of Lab: a picture that varies less has nothing in it
# How much of the subject a plain crop has to keep, each way, to be preferred to a filled frame.
_KEEP = 0.9


@dataclass(frozen=True, slots=True)
class Composition:
    """How a picture is laid into a frame.

    `crop` is the part of the picture that is used, in its pixels. Without `fill` that part is filmed as it is; with
    it, the part is set into a larger canvas of the output's shape, `canvas` pixels wide and high, its corner at
    `place`, and a blurred copy fills the rest. `scene` is what there is to film then, in the pixels of the picture or
    of the canvas.
    """

    crop: Box
    scene: Scene
    fill: bool = False
    canvas: tuple[float, float] = (0.0, 0.0)
    place: tuple[float, float] = (0.0, 0.0)


def find_subject(picture: Picture) -> Scene:
    """Find the subject of a picture of shape (height, width, 3), RGB, as a scene in its pixels."""
    height, width = picture.shape[:2]
    faces = find_faces(picture)
    if not faces:
        return _salient(picture)
    main = faces[0]
    # Hair above, shoulders below: a head alone is no portrait.
    boxes = [
        Box(f.left - 0.45 * f.width, f.top - 0.5 * f.height, f.right + 0.45 * f.width, f.bottom + 0.9 * f.height)
        for f in faces
    ]
    subject = Box(
        max(0.0, min(box.left for box in boxes)),
        max(0.0, min(box.top for box in boxes)),
        min(float(width), max(box.right for box in boxes)),
        min(float(height), max(box.bottom for box in boxes)),
    )
    return Scene(width, height, subject, ((main.left + main.right) / 2, main.top + 0.45 * main.height), main.height)


def frame_subject(scene: Scene, aspect: float) -> Composition:
    """Decide between a crop and a filled frame for an output of this aspect (width / height).

    A crop is taken where it keeps nine tenths of the subject, each way. Otherwise the part of the picture that holds
    the subject, as near to the output's shape as that allows, is set over a blurred copy of itself.
    """
    whole = Box(0, 0, scene.width, scene.height)
    width, height = min(scene.width, scene.height * aspect), min(scene.height, scene.width / aspect)
    box = scene.subject
    if width >= _KEEP * box.width and height >= _KEEP * box.height:
        return Composition(whole, scene)
    x, y = min(max(width, box.width * 1.08), _MOST * width), min(max(height, box.height * 1.08), _MOST * height)
    left, right = _span(x, scene.width, (box.left + box.right) / 2)
    top, bottom = _span(y, scene.height, (box.top + box.bottom) / 2)
    return _filled(Box(left, top, right, bottom), scene, aspect)


def _filled(crop: Box, scene: Scene, aspect: float) -> Composition:
    """Put the crop on a canvas of the output's shape: as wide or as high as the crop, a little above the middle."""
    canvas = (max(crop.width, crop.height * aspect), max(crop.height, crop.width / aspect))
    place = ((canvas[0] - crop.width) / 2, (canvas[1] - crop.height) * 0.46)
    x, y = place[0] - crop.left, place[1] - crop.top
    box, focus = scene.subject, scene.focus
    subject = Box(
        max(box.left + x, 0), max(box.top + y, 0), min(box.right + x, canvas[0]), min(box.bottom + y, canvas[1])
    )
    # The eye goes to the middle of the laid-in part: aiming at a point near its edge would show mostly fill.
    middle = (place[0] + crop.width / 2, place[1] + crop.height / 2)
    picture = Box(place[0], place[1], place[0] + crop.width, place[1] + crop.height)
    aim = ((focus[0] + x + middle[0]) / 2, (focus[1] + y + middle[1]) / 2)
    filled = Scene(*canvas, subject, aim, picture=picture)
    return Composition(crop, filled, fill=True, canvas=canvas, place=place)


def _span(length: float, limit: float, centre: float) -> tuple[float, float]:
    """Return a span (low, high) of this length around `centre`, moved into [0, limit]."""
    length = min(length, limit)
    low = min(max(centre - length / 2, 0.0), limit - length)
    return low, low + length


# ── Faces ─────────────────────────────────────────────────────────────────────────────────────────


@cache
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename  # a third of a second: not before it is needed
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())  # type: ignore[no-untyped-call]


def find_faces(picture: Picture, *, side: int = _FACE_SIDE, smallest: float = 0.6) -> list[Box]:
    """Find faces, the largest first.

    Parameters
    ----------
    picture
        uint8 RGB of shape (height, width, 3).
    side
        The longer side in pixels that they are looked for on: on a larger one smaller faces are found.
    smallest
        Of the largest face's width: smaller ones are left out, since most of them are no faces.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    if min(small.shape[:2]) < 2 * _FACE:
        return []
    boxes = _detected(small.tobytes(), small.shape)
    large = [box for box in boxes if box.width >= smallest * boxes[0].width]
    return [Box(b.left / scale, b.top / scale, b.right / scale, b.bottom / scale) for b in large]


@lru_cache(maxsize=32)  # the same references come in scene after scene; one takes 60 ms, or 200 kB to remember
def _detected(pixels: bytes, shape: tuple[int, ...]) -> list[Box]:
    """Detect faces in the pixels of a small picture, the largest first."""
    shorter = min(shape[:2])
    found = _cascade().detect_multi_scale(
        img=np.frombuffer(pixels, np.uint8).reshape(shape), scale_factor=1.2, step_ratio=1, min_size=(_FACE, _FACE),
        max_size=(shorter, shorter),
    )  # fmt: skip
    boxes = [Box(f["c"], f["r"], f["c"] + f["width"], f["r"] + f["height"]) for f in found]
    return sorted(boxes, key=lambda box: (-box.width, box.left, box.top))


# ── Saliency ──────────────────────────────────────────────────────────────────────────────────────


def _salient(picture: Picture) -> Scene:
    """Find the scene of a picture without faces: the box around most of what stands out, and its centre of mass."""
    height, width = picture.shape[:2]
    saliency = _saliency(picture)
    rows, columns = saliency.sum(axis=1), saliency.sum(axis=0)
    left, right = _middle(columns)
    top, bottom = _middle(rows)
    x, y = width / saliency.shape[1], height / saliency.shape[0]
    focus = (_centre(columns) * x, _centre(rows) * y)
    return Scene(width, height, Box(left * x, top * y, right * x, bottom * y), focus)


def _saliency(picture: Picture) -> NDArray[np.float32]:
    """Measure how much each place stands out: non-negative, about 96 px on the longer side."""
    height, width = picture.shape[:2]
    scale = _SALIENCY_SIDE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    lab = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float32)
    colour = np.linalg.norm(cv2.GaussianBlur(lab, (0, 0), 2) - lab.mean(axis=(0, 1)), axis=2)
    spectrum = np.fft.fft2(lab[..., 0])
    log = np.log(np.abs(spectrum) + 1e-6).astype(np.float32)
    residual = np.exp(log - cv2.blur(log, (3, 3)))
    surprise = np.abs(np.fft.ifft2(residual * np.exp(1j * np.angle(spectrum)))).astype(np.float32) ** 2
    total = _unit(colour) + _unit(cv2.GaussianBlur(surprise, (0, 0), 4))
    if lab.std(axis=(0, 1)).max() < _FLAT:
        total = np.zeros_like(total)  # the spectrum of nothing is full of surprises
    # People put what matters near the middle; a flat picture then has its subject there, and nowhere else.
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    near = np.exp(-2.5 * (((x + 0.5) / size[0] - 0.5) ** 2 + ((y + 0.5) / size[1] - 0.5) ** 2))
    weight: NDArray[np.float32] = (np.maximum(total - 0.6 * total.mean(), 0) ** 2 * near + 1e-4).astype(np.float32)
    return weight


def _unit(values: NDArray[Any]) -> NDArray[Any]:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _middle(profile: NDArray[np.float32], share: float = 0.84) -> tuple[float, float]:
    """Return the indices at which the middle `share` of the mass begins and ends."""
    mass = np.cumsum(profile, dtype=np.float64)
    mass /= mass[-1]
    edge = (1 - share) / 2
    return float(np.searchsorted(mass, edge)), float(np.searchsorted(mass, 1 - edge) + 1)


def _centre(profile: NDArray[np.float32]) -> float:
    return float(np.average(np.arange(len(profile)) + 0.5, weights=profile))
