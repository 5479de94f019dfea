"""Cards in the place of painted pictures: any prompt is set in type, in any size, on a ground in its colours."""

from __future__ import annotations

import random

import numpy as np
import pytest

from vidu_nb.animatic.film.letters import Letters
from vidu_nb.animatic.stills.card import card
from vidu_nb.animatic.stills.palette import colours_in, palette_of
from vidu_nb.animatic.stills.typesetting import set_block


def drawn(prompt="A lighthouse", width=512, height=512, **changes):
    asked = {"style": "base", "seed": 7, "small_print": "seed 7"} | changes
    return card(width, height, prompt=prompt, **asked)


@pytest.mark.parametrize("size", [(512, 512), (2048, 512), (512, 2048), (64, 64)])
def test_a_card_has_the_size_that_is_asked(size):
    """Width and height are those of the request, down to a stamp's."""
    made = drawn("A lighthouse at dusk", *size)
    assert made.shape == (size[1], size[0], 3)
    assert made.std() > 5


@pytest.mark.parametrize(
    "prompt", ["word " * 5000, "x" * 5000, "一只猫在睡觉，" * 300, "😀🎉", "غروب الشمس", "a\nb\t c", ""]
)
def test_any_prompt_makes_a_card(prompt):
    """Absurdly long ones, other scripts, emoji and none at all: each makes a card, and none leaves its column."""
    block = set_block(prompt, width=300, height=200, largest=50, smallest=12, weight=500)
    letters = Letters(block.size, block.weight)
    assert block.height <= 200 + block.size
    assert all(letters.width(line) <= 310 for line in block.lines)
    assert drawn(prompt).std() > 5


def test_short_lines_are_about_as_long():
    """No last word stands alone where the words could be shared out."""
    lines = set_block("A lighthouse at dusk", width=320, height=300, largest=44, smallest=12, weight=500).lines
    widths = [Letters(44, 500).width(line) for line in lines]
    assert len(lines) == 2
    assert min(widths) > 0.5 * max(widths)


def test_the_prompts_colours_lead():
    """A blue prompt makes a bluer card than a red one, in each of the languages."""
    for red, blue in (("a red wall", "a blue wall"), ("eine rote Wand", "eine blaue Wand"), ("红墙", "蓝墙")):
        tones = [np.mean(palette_of(prompt, "", random.Random(1)), axis=0) for prompt in (red, blue)]
        assert tones[0][0] - tones[0][2] > 20 > -20 > tones[1][0] - tones[1][2]


def test_words_that_hold_a_colours_name_are_none():
    """Only whole words count: hundred, and evergreen."""
    assert colours_in("a hundred evergreen bluebells") == []


def test_seed_and_style_change_the_ground():
    """Not only the small print differs."""
    top = drawn()[40:200, :300].astype(int)
    for change in ({"seed": 8}, {"style": "hdr"}, {"style": "anime"}):
        assert np.abs(drawn(**change)[40:200, :300] - top).mean() > 3
