"""What is written on a preview: any prompt's words as far as they can be drawn, small, and never as boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vidu_nb.animatic.film import fonts, letters
from vidu_nb.animatic.film.lettering import badge, caption
from vidu_nb.animatic.film.letters import Letters, drawable, elide, missing
from vidu_nb.animatic.story.storyboard import plan_of
from vidu_nb.request import VideoRequest


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


@pytest.fixture
def no_fonts(monkeypatch, tmp_path):
    """A machine without fontconfig and without any font of its own."""
    for name in ("PATH", "HOME", "XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(name, str(tmp_path))
    for found in (fonts.font_for, letters._fonts, letters._runs):
        found.cache_clear()
    yield
    for found in (fonts.font_for, letters._fonts, letters._runs):
        found.cache_clear()


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("مرحبا بالعالم", ["Arabic"]),
        ("שלום עולם", ["Hebrew"]),
        ("नमस्ते दुनिया", ["Devanagari"]),
        ("สวัสดีชาวโลก", ["Thai"]),
        ("😀😀", []),
        ("", []),
    ],
)
def test_words_that_no_font_has_are_left_out_and_named(text, scripts):
    """Question marks and boxes are worse than nothing: the shot's number stands alone, and the plan's notes tell it."""
    assert (drawable(text), missing(text)) == ("", scripts)
    number, words = (caption(480, 270, "1/2", told) for told in ("", text))
    assert np.array_equal(number.colours[0], words.colours[0])
    board = plan_of(VideoRequest(prompt=text or "-", references="https://example.com/cat.png"))
    assert [note for note in board.notes if "No font" in note] == [
        f"No font on this machine has the letters for {name}: captions leave them out. Noto Sans has them."
        for name in scripts
    ]


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "שלום עולם", "ქართული", "Հայերեն", "नमस्ते दुनिया", "สวัสดีชาวโลก"])
def test_words_are_drawn_with_a_font_of_the_machine_where_one_has_their_letters(text):
    """Each letter has a glyph of its own, and the same text gives the same pixels; where none fits, a note says so."""
    if scripts := missing(text):
        pytest.skip(f"no font here has {scripts[0]}")
    assert drawable(text) == text
    one, two, other = (caption(480, 270, "1/2", told).colours[0] for told in (text, text, text[:4]))
    assert np.array_equal(one, two)
    assert one.shape[1] > other.shape[1]
    letters = Letters(16, 400)
    assert letters.drawn(text, (32, 200), 4, 22).max() > 200


def test_right_to_left_words_are_put_in_order():
    """The first letter of a Hebrew line stands at its right end, also beside a Latin word."""
    if missing("שלום"):
        pytest.skip("no font here has Hebrew")
    letters = Letters(32, 400)
    line = letters.drawn("שלום", (48, 200), 4, 34)
    first = letters.drawn("ש", (48, 200), 4 + letters.width("שלום") - letters.width("ש"), 34)
    right = slice(4 + letters.width("שלום") - letters.width("ש") + 2, 4 + letters.width("שלום"))
    assert cv2.absdiff(line[:, right], first[:, right]).mean() < 10


@pytest.mark.parametrize("text", ["A cat naps. “Café très bon”", "一只猫在睡觉。鏡頭 图２！", "Кошка и Γάτα 😀"])
def test_no_font_is_looked_for_where_opencv_has_the_letters(text):
    """Latin, Greek, Cyrillic and Chinese cost no call of fontconfig, and look alike on every machine."""
    before = fonts.font_for.cache_info()
    caption(480, 270, "1/2", text)
    assert fonts.font_for.cache_info() == before


def test_a_text_without_spaces_is_cut_where_nothing_hangs():
    """No comma and no opening bracket stands before the dots, and what fits is filled."""
    letters = Letters(20, 400)
    text = "一只猫，在睡觉。「然后它醒了，看着窗外的雪。" * 9
    for room in range(100, 400, 7):
        line = elide(text, letters, room)
        assert line.endswith(" …")
        assert line[-3] not in "，。、「"
        assert room - 66 <= letters.width(line) <= room


def test_no_text_becomes_a_row_of_question_marks():
    """No letter that is kept comes out as the sign for a missing one."""
    kept = drawable("".join(map(chr, range(0x20, 0x3000, 7))) + "abc" * 2000)
    letters = Letters(16, 400)
    mark = letters.drawn("?", (32, 32), 4, 22)
    for letter in set(kept) - {"?", " "}:
        assert not np.array_equal(letters.drawn(letter, (32, 32), 4, 22), mark), letter


def test_what_is_too_long_ends_in_dots():
    """After a whole word where there is one, and within its room."""
    letters = Letters(20, 400)
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
