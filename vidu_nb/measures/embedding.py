"""Measures from vectors: any function from pictures to vectors, and DINO as VBench uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ViduError

Picture = NDArray[np.uint8]
Embed = Callable[[list[Picture]], Any]
"""From uint8 RGB pictures to one vector each: an array of shape (pictures, dimensions)."""


class Measure(Protocol):
    """What `consistency` asks of a measure: features of each picture, extracted once, and comparisons of any two."""

    def extract(self, picture: Picture) -> Any:
        """Extract a frame's features."""

    def extract_reference(self, picture: Picture) -> Any:
        """Extract a reference's features."""

    def is_plain(self, reference: Any) -> bool:
        """Tell whether a reference has too few features to be found."""

    def score(self, reference: Any, frame: Any) -> float:
        """Compare a reference with a frame: 0 to 1."""

    def likeness(self, one: Any, other: Any) -> float:
        """Compare a frame with another: 0 to 1."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A measure from any function that makes vectors of pictures: cosines, those below 0 counted as 0."""

    embed: Embed

    def extract(self, picture: Picture) -> NDArray[np.float64]:
        """Embed a picture as a unit vector."""
        vectors = np.asarray(self.embed([picture]), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != 1 or not np.isfinite(vectors).all() or not vectors.any():
            raise ViduError(
                f"embed= gave an array of shape {vectors.shape} for one picture",
                remedy="It should take a list of pictures and return a finite vector, not all zeros, for each.",
            )
        return np.asarray(vectors[0] / np.linalg.norm(vectors[0]))

    extract_reference = extract

    def is_plain(self, reference: NDArray[np.float64]) -> bool:  # noqa: ARG002 - a measure is asked so
        """Return False: a vector doesn't tell."""
        return False

    def score(self, reference: NDArray[np.float64], frame: NDArray[np.float64]) -> float:
        """Compute the cosine."""
        return float(np.clip(reference @ frame, 0, 1))

    likeness = score


def dino(model: str = "facebook/dino-vitb16", *, device: str = "cpu") -> Embed:
    """Load DINO (Caron et al., ICCV 2021), whose vectors VBench measures subject consistency with.

    Parameters
    ----------
    model
        A name in the hub's cache on this machine, or a folder. Nothing is downloaded: fetch the weights first.
    device
        Where torch computes: ``"cpu"``, ``"cuda"``, ...

    Returns
    -------
    callable
        For `consistency`'s ``embed=``: a list of uint8 RGB pictures to an array (pictures, dimensions), the last
        layer's class token.

    Raises
    ------
    ViduError
        torch or transformers is missing, or the weights are not on this machine.

    >>> import vidu_nb as vidu
    >>> found = vidu.consistency(video, embed=vidu.dino())  # doctest: +SKIP
    """
    try:
        import torch
        from transformers import AutoImageProcessor, AutoModel
    except ImportError as error:
        raise ViduError("DINO needs torch and transformers", remedy="Install: pip install 'vidu-nb[dino]'") from error
    try:
        prepare = AutoImageProcessor.from_pretrained(model, local_files_only=True)
        network = AutoModel.from_pretrained(model, local_files_only=True).eval().to(device)
    except (OSError, ValueError) as error:
        raise ViduError(
            f"the weights of {model!r} are not on this machine", remedy=f"Fetch them once: hf download {model}"
        ) from error

    def embed(pictures: list[Picture]) -> NDArray[np.float32]:
        inputs = prepare(images=list(pictures), return_tensors="pt", input_data_format="channels_last").to(device)
        with torch.inference_mode():
            tokens = network(**inputs).last_hidden_state
        return np.asarray(tokens[:, 0].cpu().numpy(), np.float32)

    return embed
