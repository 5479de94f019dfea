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
    """What `consistency` needs to know of pictures: look at each one once, then compare any two."""

    def look(self, picture: Picture) -> Any:
        """What is to be remembered of a frame."""

    def look_for(self, picture: Picture) -> Any:
        """What is to be remembered of a reference."""

    def is_plain(self, wanted: Any) -> bool:
        """Whether a reference has too little to be found by."""

    def compare(self, wanted: Any, seen: Any) -> float:
        """A reference with a frame, 0 to 1."""

    def between(self, one: Any, other: Any) -> float:
        """A frame with another, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A measure from any function that makes vectors of pictures: cosines, those below 0 counted as 0."""

    embed: Embed

    def look(self, picture: Picture) -> NDArray[np.float64]:
        """A unit vector."""
        vectors = np.asarray(self.embed([picture]), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != 1 or not np.isfinite(vectors).all() or not vectors.any():
            raise ViduError(
                f"embed= gave an array of shape {vectors.shape} for one picture",
                remedy="It should take a list of pictures and return a finite vector, not all zeros, for each.",
            )
        return np.asarray(vectors[0] / np.linalg.norm(vectors[0]))

    look_for = look

    def is_plain(self, wanted: NDArray[np.float64]) -> bool:  # noqa: ARG002 - a measure is asked so
        """Never: a vector doesn't tell."""
        return False

    def compare(self, wanted: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
        """The cosine."""
        return float(np.clip(wanted @ seen, 0, 1))

    between = compare


def dino(model: str = "facebook/dino-vitb16", *, device: str = "cpu") -> Embed:
    """DINO's vectors (Caron et al., ICCV 2021), the ones that VBench measures subject consistency with.

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
    >>> found = vidu.consistency(video, embed=vidu.compare.dino())  # doctest: +SKIP
    """
    try:
        import torch
        from transformers import AutoImageProcessor, AutoModel
    except ImportError:
        raise ViduError("DINO needs torch and transformers", remedy="Install: pip install 'vidu-nb[dino]'") from None
    try:
        prepare = AutoImageProcessor.from_pretrained(model, local_files_only=True)
        network = AutoModel.from_pretrained(model, local_files_only=True).eval().to(device)
    except (OSError, ValueError):
        raise ViduError(
            f"the weights of {model!r} are not on this machine", remedy=f"Fetch them once: hf download {model}"
        ) from None

    def embed(pictures: list[Picture]) -> NDArray[np.float32]:
        inputs = prepare(images=list(pictures), return_tensors="pt", input_data_format="channels_last").to(device)
        with torch.inference_mode():
            tokens = network(**inputs).last_hidden_state
        return np.asarray(tokens[:, 0].cpu().numpy(), np.float32)

    return embed
