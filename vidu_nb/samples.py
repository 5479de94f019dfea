"""Samples to start from: three photographs, a prompt for them, and a prompt for each use of the model."""

from __future__ import annotations

from typing import Any

from .references.reference import Reference

PROMPT = (
    "A woman in an orange space suit smiles at the camera, slow push in. Then close-up on a cup of coffee, pan right. "
    "Finally a rocket starts, tilt up, wide."
)

#: Use → parameters; the prompts speak of pictures by their place, so that any pictures will do.
STARTERS: dict[str, dict[str, Any]] = {
    "Character animation": {
        "prompt": "The character in the first picture turns to the camera and smiles, close-up, slow push in. Then the "
        "character walks away through soft morning light, wide shot, the camera follows.",
        "aspect_ratio": "16:9",
        "movement_amplitude": "medium",
        "bgm": True,
    },
    "Marketing clip": {
        "prompt": "The product in the first picture on a clean table, studio light, slow orbit to the right. Then "
        "close-up on its surface, shallow depth of field. Finally the whole product, centred, zoom out.",
        "aspect_ratio": "16:9",
        "movement_amplitude": "small",
        "bgm": True,
    },
    "Storytelling": {
        "prompt": "Wide shot of the place in the last picture at dusk, slow pan right. Then the person in the first "
        "picture enters from the left and looks around, medium shot. Finally close-up on the face, push in.",
        "aspect_ratio": "16:9",
        "movement_amplitude": "auto",
        "bgm": True,
    },
    "Social media": {
        "prompt": "Quick cuts: the subject of the first picture, close-up, bright colours. Then a fast tilt up to the "
        "whole scene. Finally the subject again, facing the camera, playful mood.",
        "aspect_ratio": "9:16",
        "movement_amplitude": "large",
        "bgm": True,
    },
    "E-learning": {
        "prompt": "The diagram in the first picture, flat and evenly lit, the camera moves slowly from left to right "
        "along its parts. Then zoom in on the centre, and hold still.",
        "aspect_ratio": "16:9",
        "movement_amplitude": "small",
        "bgm": False,
    },
}


def sample_references() -> list[Reference]:
    """Return three photographs that scikit-image ships: astronaut, coffee and rocket (public domain, CC0)."""
    from skimage import data

    return [Reference(getattr(data, name)(), name=name) for name in ("astronaut", "coffee", "rocket")]
