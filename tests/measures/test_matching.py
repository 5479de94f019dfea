"""A reference is known again when it is cropped, turned, mirrored, tinted, blurred or compressed, and no other is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.stats import rankdata
from skimage import data

from vidu_nb.measures.matching import Likeness, extract, likeness, mirrored, shrunk
from vidu_nb.measures.tracking import SIDE


def crop(picture, share, x, y):
    """A part of a picture, `share` of its sides long, placed by x and y from 0 to 1."""
    height, width = (int(side * share) for side in picture.shape[:2])
    top, left = int((picture.shape[0] - height) * y), int((picture.shape[1] - width) * x)
    return picture[top : top + height, left : left + width]


def turned(picture, degrees):
    """A picture turned round its middle."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)


def tinted(picture, *gains):
    """A picture whose red, green and blue are multiplied."""
    return np.clip(picture * np.array(gains), 0, 255).astype(np.uint8)


def compressed(picture):
    """A picture at 384 px after JPEG of quality 8."""
    return cv2.imdecode(cv2.imencode(".jpg", shrunk(picture, 384), [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)


DISTORTIONS = {
    "crop to 65 %": lambda picture: crop(picture, 0.65, 0.2, 0.3),
    "crop to 50 %": lambda picture: crop(picture, 0.5, 0.5, 0.4),
    "crop to 40 %": lambda picture: crop(picture, 0.4, 0.6, 0.3),
    "turned by 15 degrees": lambda picture: turned(picture, 15),
    "turned by 40 degrees": lambda picture: turned(picture, 40),
    "warm": lambda picture: tinted(picture, 1.25, 1, 0.7),
    "cold and dark": lambda picture: tinted(picture, 0.45, 0.55, 0.75),
    "grey": lambda picture: np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    "mirrored": lambda picture: picture[:, ::-1],
    "mirrored, crop to 60 %": lambda picture: crop(picture[:, ::-1], 0.6, 0.4, 0.5),
    "blurred": lambda picture: cv2.GaussianBlur(shrunk(picture, 384), (0, 0), 3.5),
    "compressed": compressed,
}


@pytest.fixture(scope="module")
def pictures():
    """Eight photographs, in colour or with grey in all three channels."""
    photographs = {
        "astronaut": data.astronaut(), "camera": data.camera(), "cat": data.cat(), "coffee": data.coffee(),
        "coins": data.coins(), "hubble": data.hubble_deep_field(), "motorcycle": data.stereo_motorcycle()[0],
        "rocket": data.rocket(),
    }  # fmt: skip
    return {
        name: picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
        for name, picture in photographs.items()
    }


@pytest.fixture(scope="module")
def scores(pictures):
    """Every photograph against every distorted one, at the size of a sample: (reference, shown, distortion) → score."""
    measure = Likeness()
    wanted = {name: measure.extract_reference(picture) for name, picture in pictures.items()}
    found = {}
    for shown, picture in pictures.items():
        for distortion, distort in DISTORTIONS.items():
            frame = measure.extract(shrunk(np.ascontiguousarray(distort(picture)), SIDE))
            for reference, features in wanted.items():
                found[reference, shown, distortion] = measure.score(features, frame)
    return found


def auc(same, other):
    """How often a true pair scores above a false one (Mann and Whitney's U over all pairs; ties count half)."""
    ranks = rankdata([*same, *other])[: len(same)]
    return (ranks.sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(other))


def test_true_pairs_score_above_false_ones(scores):
    """Over eight photographs and twelve distortions the area under the ROC curve is at least 0.98."""
    same = [score for (reference, shown, _), score in scores.items() if reference == shown]
    other = [score for (reference, shown, _), score in scores.items() if reference != shown]
    assert (len(same), len(other)) == (96, 672)
    assert auc(same, other) >= 0.98


def test_the_threshold_parts_them(scores):
    """No false pair reaches 0.5, and only one of 96 true ones stays below: galaxies, blurred until they are specks."""
    assert [pair for pair, score in scores.items() if score >= 0.5 and pair[0] != pair[1]] == []
    missed = [pair for pair, score in scores.items() if score < 0.5 and pair[0] == pair[1]]
    assert set(missed) <= {("hubble", "hubble", "blurred")}


def test_colours_alone_are_not_enough():
    """Two plain pictures of one colour are marked as plain, and never count as the same."""
    one, other = (extract(np.full((200, 300, 3), (200, 30, 30), np.uint8)) for _ in range(2))
    assert one.is_plain
    assert likeness(one, other) == pytest.approx(0.3, abs=0.01)


def test_features_are_mirrored_without_looking_again(pictures):
    """Mirrored features fit the mirrored picture about as well as those found in it."""
    cat = pictures["cat"]
    turned_round = extract(np.ascontiguousarray(cat[:, ::-1]))
    assert likeness(mirrored(extract(cat)), turned_round) > 0.9
    assert likeness(extract(cat), turned_round) < 0.5


def test_scores_lie_between_0_and_1(scores):
    """No score leaves its range."""
    assert min(scores.values()) >= 0
    assert max(scores.values()) <= 1
