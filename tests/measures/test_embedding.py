"""Any function from pictures to vectors can be the measure; DINO says what it misses."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from skimage import data

import vidu_nb as vidu
from vidu_nb.errors import ViduError
from vidu_nb.measures.consistency import consistency
from vidu_nb.measures.embedding import Embedded


def colours(pictures):
    """Mean colours, centred: a tiny embedding."""
    return np.array([picture.reshape(-1, 3).mean(axis=0) - 128 for picture in pictures])


def test_cosines_are_the_scores():
    """The same picture scores 1, opposite vectors count as 0 and never as less."""
    measure = Embedded(lambda pictures: [[1.0 if pictures[0].mean() > 128 else -1.0]])
    white, black = (measure.extract(np.full((8, 8, 3), value, np.uint8)) for value in (255, 0))
    assert measure.score(white, white) == 1
    assert measure.score(white, black) == 0


def test_a_clip_is_measured_with_any_function(make_clip):
    """Spans follow the given vectors: half a second of red, then half a second of blue."""
    red, blue = np.zeros((2, 128, 128, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 200
    found = consistency(make_clip("two.mp4", [red] * 12 + [blue] * 12), [red, blue], embed=colours, threshold=0.9)
    assert found.spans == (((0.0, 0.5),), ((0.5, 1.0),))
    assert [round(shot.consistency, 2) for shot in found.shots] == [1, 1]


@pytest.mark.parametrize("bad", [[1.0, 2.0], [[np.nan]], [[0.0, 0.0]], [[1.0], [2.0]]])
def test_what_is_no_vector_is_refused(bad):
    """Vectors of a wrong shape, not finite or all zeros are refused with what was expected."""
    with pytest.raises(ViduError, match="embed= gave"):
        Embedded(lambda _: bad).extract(data.cat())


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_dino_names_its_extra(monkeypatch, missing):
    """Without torch or transformers the error has the command that installs them."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ViduError, match=r"pip install 'vidu-nb\[dino\]'"):
        vidu.dino()
