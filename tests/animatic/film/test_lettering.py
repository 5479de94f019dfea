"""What is written on a preview: any prompt's words as far as they can be drawn, small, and never as boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidu_nb.animatic.film.lettering import _Letters, badge, caption, drawable, elide


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Café “très\nbon”, Łódź", "Café “très bon”, Łódź"),
        ("一只猫在睡觉。", "一只猫在睡觉。"),
        ("Кошка и Γάτα", "Кошка и Γάτα"),
        ("a cat 😀, asleep?", "a cat, asleep?"),
        ("a \ud800cat\x00", "a cat"),
        ("e\u0301", "é"),
    ],
)
def test_words_are_drawn_in_their_own_letters(text, drawn):
    """Accents, Greek, Cyrillic and Chinese stay; what no letter exists for goes."""
    assert drawable(text) == drawn


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "😀😀", ""])
def test_words_that_would_come_out_wrong_are_left_out(text):
    """Backwards, unjoined or as question marks is worse than not at all: the shot's number stands alone."""
    assert drawable(text) == ""
    number, words = (caption(480, 270, "1/2", told) for told in ("", text))
    assert np.array_equal(number.colours[0], words.colours[0])


def test_no_text_becomes_a_row_of_question_marks():
    """No letter that is kept comes out as the sign for a missing one."""
    kept = drawable("".join(map(chr, range(0x20, 0x3000, 7))) + "abc" * 2000)
    letters = _Letters(16, 400)
    mark = letters.drawn("?", (32, 32), 4, 22)
    for letter in set(kept) - {"?", " "}:
        assert not np.array_equal(letters.drawn(letter, (32, 32), 4, 22), mark), letter


def test_what_is_too_long_ends_in_dots():
    """After a whole word where there is one, and within its room."""
    letters = _Letters(20, 400)
    line = elide("word " * 200, letters, 300)
    assert line.endswith("word …")
    assert letters.width(line) <= 300
    assert elide("w" * 500, letters, 100).endswith(" …")
    for text in ("", "猫", "\ud800", "x" * 5000):
        assert caption(64, 64, "1/1", text).colours[0].shape[1] <= 64


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1080), (1080, 1920), (540, 960)])
def test_badge_and_caption_are_small_and_apart(size):
    """Together they take less than a twentieth of the frame, in opposite corners; a caption stays one line."""
    chips = [badge(*size), caption(*size, "1/4", "A long sentence about a cat that sleeps. " * 9)]
    areas = [chip.colours[0].shape for chip in chips]
    assert sum(height * width for height, width in areas) < 0.05 * size[0] * size[1]
    assert chips[0].y + areas[0][0] < 0.2 * size[1]
    assert chips[1].y > 0.85 * size[1]
    assert chips[1].x + areas[1][1] < size[0]


def test_letters_fill_their_chip_without_touching_its_edge():
    """The words stand in the middle of the chip's height, descenders included."""
    chip = caption(960, 540, "2/3", "Typography, gj")
    bright = chip.colours[0] > 120
    rows = np.flatnonzero(bright.any(axis=1))
    above, below = rows[0], chip.colours[0].shape[0] - 1 - rows[-1]
    assert min(above, below) >= 2
    assert abs(int(above) - int(below)) <= 0.2 * chip.colours[0].shape[0]


def test_captions_differ_by_their_words():
    """Two texts of one length still differ in what is written."""
    one, two = (caption(480, 270, "1/1", text).colours[0] for text in ("猫在睡觉", "狗在跑步"))
    assert one.shape == two.shape
    assert cv2.absdiff(one, two).max() > 60
