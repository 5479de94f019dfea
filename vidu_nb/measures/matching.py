"""How alike a reference and a frame are, without weights: local features that agree on one place, and colours.

A frame may show a reference cropped, turned, mirrored, tinted or blurred, which measures pixel by pixel can't see. So
corners and blobs are matched one by one (SIFT; Lowe, IJCV 2004, with Hellinger distances; Arandjelović and Zisserman,
CVPR 2012), and only those count that agree on one shift, turn and zoom (RANSAC; Fischler and Bolles, 1981).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

SIDE = 384  # px, the longer side of a reference: a frame may show a small part of it, enlarged
FEATURES = 300  # at most; each costs time in every comparison, and 500 find no more
PLAIN = 25  # features: a picture with fewer can hardly be found again

_HALF = 8  # agreeing features that make 0.5; unrelated photographs reach 4 in 1,920 pairs
_COLOUR = 0.3  # what equal colours alone are worth: too little to count as on screen
_CERTAIN = 0.9  # 72 features that agree, or fewer with the same colours
_RATIO = 0.8  # Lowe's: the best match must be that much nearer than the second
_NEAR = 6.0  # px that a match may lie beside its place
_ZOOMS = (0.2, 5.0)
_BINS = (4, 12, 12)  # L, a, b: light changes more easily than colour


@dataclass(frozen=True, slots=True)
class Features:
    """A picture's features: their places (n, 2) in px, their descriptors (n, 128), and the picture's colours."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    colours: NDArray[np.float32]

    @property
    def is_plain(self) -> bool:
        """True where there is too little to hold on to: a logo, a wall, the sky."""
        return len(self.points) < PLAIN


@dataclass(frozen=True, slots=True)
class Likeness:
    """The default measure of `consistency`: features of each picture, extracted once, then compared."""

    def extract(self, picture: Picture) -> Features:
        """Extract the features of a picture, uint8 RGB (height, width, 3)."""
        return extract(picture)

    def extract_reference(self, picture: Picture) -> tuple[Features, ...]:
        """Extract a reference's features, as it is and mirrored: generators like to turn faces round."""
        features = extract(picture)
        return features, mirrored(features)

    def is_plain(self, reference: tuple[Features, ...]) -> bool:
        """Tell whether a reference has too few features to be found."""
        return reference[0].is_plain

    def score(self, reference: tuple[Features, ...], frame: Features) -> float:
        """Return the better score of both; nothing that is certainly there is looked for in the mirror as well."""
        best = 0.0
        for one in reference:
            best = max(best, likeness(one, frame))
            if best >= _CERTAIN:
                break
        return best

    def likeness(self, one: Features, other: Features) -> float:
        """Compare two frames of one clip: here a mirrored face would be a change."""
        return likeness(one, other)


def extract(picture: Picture) -> Features:
    """Extract the features of a picture.

    Parameters
    ----------
    picture
        uint8 RGB of shape (height, width, 3); larger ones are shrunk to `SIDE` px.

    >>> from skimage import data
    >>> extract(data.cat()).descriptors.shape[1], extract(np.zeros((64, 64, 3), np.uint8)).is_plain
    (128, True)
    """
    small = shrunk(picture, SIDE)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    # A lower contrast than OpenCV's 0.04: dark and blurred frames have hardly any feature above that.
    sift: Any = cv2.SIFT_create(nfeatures=FEATURES, contrastThreshold=0.02)  # type: ignore[attr-defined]
    found, raw = sift.detectAndCompute(grey, None)
    points = np.array([one.pt for one in found], np.float32).reshape(-1, 2)
    descriptors = np.zeros((0, 128), np.float32) if raw is None else np.asarray(raw, np.float32)
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
    return Features(points, np.sqrt(descriptors / total), _colours(small))


def mirrored(features: Features) -> Features:
    """Turn a picture's features into those of the mirrored picture, without looking again.

    A descriptor is 4 rows of 4 cells with 8 directions each, laid along the feature's own direction. Mirrored, the rows
    are in reverse order and the directions turn the other way; places only need to agree with each other.
    """
    cells = features.descriptors.reshape(-1, 4, 4, 8)[:, ::-1][..., -np.arange(8) % 8]
    return Features(features.points * np.array([-1, 1], np.float32), cells.reshape(-1, 128), features.colours)


def likeness(reference: Features, frame: Features) -> float:
    """Score how likely a frame shows a reference, from 0 to 1; from 0.5 on it counts as on screen.

    With n features that agree and colours alike by c (Bhattacharyya's coefficient of two Lab histograms):
    ``1 - (1 - n / (n + 8)) * (1 - 0.3 * c**2)``. Colours lift a weak match, and can't make one.

    >>> from skimage import data
    >>> cat, crop = extract(data.cat()), extract(data.cat()[40:240, 100:350])
    >>> likeness(cat, crop) > 0.9, likeness(cat, extract(data.coffee())) < 0.4
    (True, True)
    """
    agreeing = _agreeing(reference, frame)
    colour = float(reference.colours @ frame.colours)
    return 1 - (1 - agreeing / (agreeing + _HALF)) * (1 - _COLOUR * min(1.0, colour) ** 2)


def shrunk(picture: Picture, side: int) -> Picture:
    """Shrink a picture to at most `side` px on the longer side."""
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _agreeing(reference: Features, frame: Features) -> int:
    """Count the features that lie where one shift, turn and zoom of the reference would put them."""
    if min(len(reference.points), len(frame.points)) < 4:
        return 0
    # Cosines, 1 is the same. OpenCV's product stays on this thread: numpy's would fight the decoder for the cores.
    near = cv2.gemm(frame.descriptors, reference.descriptors, 1, None, 0, flags=cv2.GEMM_2_T)  # type: ignore[call-overload]
    rows = np.arange(len(near))
    best = near.argmax(axis=1)
    first = near[rows, best]
    near[rows, best] = -1
    second = near.max(axis=1)
    sure = 1 - first < _RATIO**2 * (1 - second)  # squared distances are 2 - 2 * cosine
    if sure.sum() < 4:
        return 0
    source, target = reference.points[best[sure]], frame.points[sure]
    matrix, agree = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=_NEAR, maxIters=500
    )
    if matrix is None or not _ZOOMS[0] < float(np.hypot(matrix[0, 0], matrix[1, 0])) < _ZOOMS[1]:
        return 0
    # Many features of a pattern may match the same one of the reference: that is no more evidence than one match.
    return len(np.unique(source[agree.ravel().astype(bool)].round(), axis=0))


def _colours(picture: Picture) -> NDArray[np.float32]:
    """Compute a smoothed Lab histogram's square roots: the dot product of two is Bhattacharyya's coefficient."""
    lab: Any = cv2.cvtColor(shrunk(picture, 96), cv2.COLOR_RGB2LAB)
    counts = cv2.calcHist([lab], [0, 1, 2], None, list(_BINS), [0, 256] * 3)
    soft = cv2.GaussianBlur(np.moveaxis(counts, 0, 2), (3, 3), 0.8)
    return np.asarray(np.sqrt(soft / soft.sum()).ravel(), np.float32)
