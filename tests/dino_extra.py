"""DINO on a small network with random weights; needs torch, so pytest runs it only by name (`make dino`)."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from vidu_nb import dino
from vidu_nb.measures.consistency import consistency


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same class of network as DINO's, small, its weights drawn at random."""
    import torch
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(7)
    place = tmp_path_factory.mktemp("vit")
    small = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=16
    )
    ViTModel(small, add_pooling_layer=False).save_pretrained(place)
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(place)
    return str(place)


def test_each_picture_becomes_a_vector(folder):
    """Pictures of any size give finite vectors, the same picture the same one and another picture another."""
    vectors = dino(folder)([data.cat(), data.coffee(), data.cat()])
    assert vectors.shape == (3, 32)
    assert np.isfinite(vectors).all()
    assert np.allclose(vectors[0], vectors[2], atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_a_clip_is_measured_with_it(folder, make_clip):
    """`consistency` takes DINO as its measure: a clip that shows nothing but the reference scores 1."""
    still = np.ascontiguousarray(data.cat()[:256, :256])
    found = consistency(make_clip("still.mp4", [still] * 24, crf=10), still, embed=dino(folder))
    assert found.scores.min() > 0.99
    assert found.frame_to_frame > 0.999
