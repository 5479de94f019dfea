"""Five colours that go together, drawn from a seed, a style and the colour words of a prompt."""

from __future__ import annotations

import math
import random
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..story.language import composed

Colour = tuple[float, float, float]

#: A colour → its words, in the languages that prompts are read in; as lightness, chroma and hue in degrees of OKLCH.
#: Words in the Latin alphabet stand for themselves, the German and Spanish ones for their endings as well.
_WORDS: tuple[tuple[Colour, str, str], ...] = (
    ((0.60, 0.20, 27), r"red|crimson|scarlet|ruby|rot(?:e[mnrs]?)?|roj[oa]s?", "红"),
    ((0.72, 0.17, 55), r"orange|amber|rust|copper|anaranjad[oa]s?|naranja", "橙|橘"),
    ((0.85, 0.16, 95), r"yellow|gold(?:en)?|lemon|gelb(?:e[mnrs]?)?|amarill[oa]s?|dorad[oa]s?", "黄|金色"),
    ((0.65, 0.17, 145), r"green|emerald|jade|olive|mint|grün(?:e[mnrs]?)?|verdes?", "绿|翠"),
    ((0.72, 0.11, 195), r"teal|turquoise|cyan|aqua|türkis|turquesa", "青"),
    ((0.55, 0.18, 258), r"blue|azure|navy|indigo|cobalt|blau(?:e[mnrs]?)?|azul(?:es)?", "蓝"),
    ((0.52, 0.20, 300), r"purple|violet|lavender|lilac|lila|violett(?:e[mnrs]?)?|morad[oa]s?|púrpura", "紫"),
    ((0.74, 0.15, 355), r"pink|magenta|rose|rosa|rosad[oa]s?", "粉红|粉色|玫瑰色"),
    ((0.48, 0.08, 60), r"brown|sepia|chocolate|braun(?:e[mnrs]?)?|marr[oó]n(?:es)?", "棕|褐"),
    ((0.18, 0.01, 270), r"black|night|noir|schwarz(?:e[mnrs]?)?|nacht|negr[oa]s?|noche", "黑|夜"),
    ((0.95, 0.01, 90), r"white|snow(?:y)?|ivory|weiß(?:e[mnrs]?)?|schnee|blanc[oa]s?|nieve", "白|雪"),
    ((0.65, 0.01, 250), r"gr[ae]y|silver|grau(?:e[mnrs]?)?|gris(?:es)?|plata", "灰|银"),
)
_PATTERNS = tuple((colour, re.compile(rf"\b(?:{latin})\b|{han}", re.IGNORECASE)) for colour, latin, han in _WORDS)
_SICKLY = (92, 138)  # degrees: hues that nobody wants to see unasked
_TURNS = (38.0, -42.0, 60.0, -64.0, 28.0, 172.0)  # degrees from a hue to its accent: mostly neighbours
_COLOURFUL = 0.04  # chroma: below it a colour has no hue to speak of


class Palette(NamedTuple):
    """Five colours from dark to light, each as red, green and blue from 0 to 255; the fourth is the accent."""

    ink: Colour
    deep: Colour
    middle: Colour
    accent: Colour
    light: Colour

    def ramp(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the colours of values from 0 (the ink) to 1 (the light), as float32 with a last axis of three."""
        places = np.linspace(0, 1, len(self))
        channels = [np.interp(values, places, [colour[channel] for colour in self]) for channel in range(3)]
        return np.stack(channels, axis=-1).astype(np.float32)


def colours_in(prompt: str) -> list[Colour]:
    """Return the colours that a prompt names, in the order of their words, as lightness, chroma and hue of OKLCH.

    >>> [round(hue) for _, _, hue in colours_in("a red boat on a blue lake")], colours_in("a boat")
    ([27, 258], [])
    >>> colours_in("ein grünes Haus") == colours_in("una casa verde") == colours_in("绿色的房子")
    True
    """
    text = composed(prompt)
    found = [(hit.start(), colour) for colour, pattern in _PATTERNS for hit in pattern.finditer(text)]
    return list(dict.fromkeys(colour for _, colour in sorted(found)))


def palette_of(prompt: str, style: str, rng: random.Random) -> Palette:
    """Draw a palette: the named colours lead, the style bends it, and the seed decides the rest."""
    named = colours_in(prompt)
    hues = [hue for _, chroma, hue in named if chroma >= _COLOURFUL]
    dark = any(light < 0.3 for light, chroma, _ in named if chroma < _COLOURFUL)
    pale = any(light > 0.9 for light, chroma, _ in named if chroma < _COLOURFUL)
    drawn = (_SICKLY[1] + (360 - _SICKLY[1] + _SICKLY[0]) * rng.random()) % 360
    turn = _TURNS[int(rng.random() * len(_TURNS))]
    first = hues[0] if hues else drawn
    accent = hues[1] if len(hues) > 1 else (first if named and hues else first + turn)
    vivid, lift, bend = _bent(style)
    if named and not hues:
        vivid *= 0.35
    lift += 0.07 * pale - 0.12 * dark
    # A little of the next hue in shadows and lights: nature has no palette of one hue.
    steps = (
        (0.17, 0.035, first + bend - 18),
        (0.36, 0.085, first + bend - 8),
        (0.58, 0.125, first + bend),
        (0.74, 0.165, accent + bend),
        (0.93, 0.045, (accent + bend) + 14),
    )
    made = [rgb(min(0.97, max(0.08, light + lift)), chroma * vivid, hue) for light, chroma, hue in steps]
    return Palette(*made)


def _bent(style: str) -> tuple[float, float, float]:
    """Return how vivid a style is, how much lighter, and by how many degrees it turns the hues."""
    word = style.strip().lower()
    if word in ("", "base"):
        return 1.0, 0.0, 0.0
    if "cinema" in word or "film" in word:
        return 0.75, -0.06, 12.0
    if "hdr" in word or "vivid" in word:
        return 1.45, 0.03, 0.0
    dice = random.Random(f"style {word}")
    return 0.7 + 0.8 * dice.random(), 0.1 * dice.random() - 0.05, 90 * dice.random() - 45


def rgb(light: float, chroma: float, hue: float) -> Colour:
    """Return a colour of OKLCH as sRGB from 0 to 255, clipped (B. Ottosson, "A perceptual color space", 2020).

    >>> rgb(1, 0, 0), rgb(0, 0, 0)
    ((255.0, 255.0, 255.0), (0.0, 0.0, 0.0))
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (round(255 * _gamma(min(1.0, max(0.0, one))), 3) for one in linear)
    return red, green, blue


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
