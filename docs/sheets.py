"""Contact sheets of previews, for a person to look at: ``make sheets``, ``python docs/sheets.py [FOLDER [NAME ...]]``.

Thirteen prompts over scikit-image's own photographs, each in the three ratios: twelve moments of a clip, and its plan.
Then what stands in for pictures that models make: cards, restyled pictures, swapped faces.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image
from skimage import data

from vidu_nb.animatic.film.render import Film, new_frame, planes_of
from vidu_nb.animatic.stills.card import card
from vidu_nb.animatic.stills.faces import faces_in, swap
from vidu_nb.animatic.stills.restyle import restyle
from vidu_nb.animatic.story.storyboard import Storyboard, plan
from vidu_nb.request import FRAME_SIZES

MOMENTS = 12
WIDTH, GAP, LINE = 2000, 6, 22  # px
DRAWN = 3  # frames are drawn at a third of their size

#: Name → prompt, pictures, seed, amplitude.
BOARDS: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "portrait": ("A woman in an orange space suit smiles at the camera.", ("astronaut",), 1, "auto"),
    "three": (
        (
            "A woman in an orange space suit smiles at the camera, slow push in. Then close-up on a cup of coffee, pan "
            "right. Finally a rocket starts, tilt up, wide."
        ),
        ("astronaut", "coffee", "rocket"),
        42,
        "auto",
    ),
    "bench": (
        (
            "A middle-aged man sits on a wooden bench in a sunny park, reading an open hardcover book titled 'Vidu Q1 "
            "Reference'. The camera gently zooms in on the book's cover and pages showing technical content, then back "
            "to the man turning pages thoughtfully. Soft sunlight filters through the trees, blending the three "
            "reference images naturally into one smooth scene."
        ),
        ("man_on_bench:camera", "book:page", "park:coffee"),
        42,
        "auto",
    ),
    "handheld": (
        ("Handheld shot of a cat. Whip pan right to the motorcycle. Static wide shot of the rocket."),
        ("cat", "motorcycle", "rocket"),
        3,
        "auto",
    ),
    "both": (
        ("Zoom in on the cat while panning left, then tilt up. Pedestal down over image 2."),
        ("cat", "coffee"),
        5,
        "large",
    ),
    "faces": (
        ("Close-up of the astronaut. Wide shot of the cameraman, orbit left. Back to the astronaut, pull out."),
        ("astronaut", "cameraman:camera"),
        8,
        "large",
    ),
    "seven": (
        ("A dream of many things."),
        ("astronaut", "coffee", "cat", "rocket", "hubble", "retina", "motorcycle"),
        7,
        "medium",
    ),
    "tall": (
        ("The rocket stands ready. Crane up along the rocket, fast."),
        ("tall:rocket", "broad:motorcycle"),
        9,
        "large",
    ),
    "small": ("Slow dolly in on the moon. Cut to the horse, arc around it.", ("moon:moon", "horse"), 4, "medium"),
    "whip": ("Whip pan left across the coffee. Whip pan right to the cat.", ("coffee", "cat"), 6, "large"),
    "foreign": ("一只猫在睡觉。然后它醒了。Кошка и чашка кофе… Café très bon.", ("猫:cat", "coffee"), 2, "small"),
    "chinese": (
        "镜头缓慢推近，图2的猫抬头。然后镜头向左摇。切到第一张图的咖啡特写，最后火箭升空，镜头快速上摇，全景。",
        ("coffee", "cat", "火箭:rocket"),
        12,
        "large",
    ),
    "ten": (
        (
            "The astronaut looks up. Truck left past the coffee; dissolve to the stars. The cat waits, handheld, "
            "close-up. Cut to the rocket, crane up."
        ),
        ("astronaut", "coffee", "stars:hubble", "cat", "rocket"),
        11,
        "auto",
    ),
}


def photograph(name: str) -> np.ndarray:
    """One of scikit-image's own photographs as uint8 RGB; ``tall`` and ``broad`` are made four times as long."""
    kind, _, name = name.rpartition(":")
    if name == "motorcycle":
        picture = data.stereo_motorcycle()[0]
    else:
        picture = getattr(data, {"hubble": "hubble_deep_field"}.get(name, name))()
    if picture.dtype == bool:
        picture = np.where(picture, np.uint8(235), np.uint8(25))
    if picture.ndim == 2:
        picture = np.stack([picture] * 3, axis=-1)
    height, width = picture.shape[:2]
    if kind == "tall":
        picture = picture[:, width // 2 - height // 8 : width // 2 + height // 8]
    if kind == "broad":
        picture = picture[height // 2 - width // 8 : height // 2 + width // 8]
    return np.ascontiguousarray(picture[..., :3])


def board_of(name: str, ratio: str) -> tuple[Storyboard, list[np.ndarray]]:
    """A storyboard at a third of its size, with its pictures."""
    prompt, pictures, seed, amplitude = BOARDS[name]
    width, height = (side // DRAWN // 2 * 2 for side in FRAME_SIZES[ratio])
    board = plan(
        prompt,
        [f"{picture.partition(':')[0]}.jpg" for picture in pictures],
        width=width,
        height=height,
        duration=10 if name == "ten" else 5,
        seed=seed,
        movement_amplitude=amplitude,
        bgm=False,
    )
    return board, [photograph(picture) for picture in pictures]


def moments(board: Storyboard, pictures: list[np.ndarray]) -> Iterator[Image.Image]:
    """Frames spread over the clip, the first and the last among them."""
    film, frame = Film(board, pictures), new_frame(board.width, board.height)
    wanted = {round(i * (board.frames - 1) / (MOMENTS - 1)) for i in range(MOMENTS)}
    for index in range(board.frames):
        film.draw(index, planes_of(frame))
        if index in wanted:
            yield to_image(frame)


def to_image(frame: av.VideoFrame) -> Image.Image:
    """A drawn frame as RGB."""
    return Image.fromarray(frame.to_ndarray(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU709"))


def sheet(name: str) -> Image.Image:
    """One storyboard's contact sheet."""
    bands: list[Image.Image] = []
    for ratio in FRAME_SIZES:
        columns = 6 if ratio == "16:9" else MOMENTS
        width = (WIDTH - GAP * (columns + 1)) // columns
        for number, image in enumerate(moments(*board_of(name, ratio))):
            if number % columns == 0:
                bands.append(Image.new("RGB", (WIDTH, width * image.height // image.width + GAP), "white"))
            small = image.resize((width, width * image.height // image.width), Image.Resampling.BOX)
            bands[-1].paste(small, (GAP + number % columns * (width + GAP), 0))
    board = board_of(name, "16:9")[0]
    rows = [(f"{name}: {BOARDS[name][0]}",), *board.rows()]
    y = LINE * len(rows) + 2 * GAP
    head, letters = np.full((y, WIDTH, 3), 255, np.uint8), cv2.FontFace("sans")
    for line, row in enumerate(rows, 1):
        for x, cell in zip((8, 60, 200, 280, 560, 680, 800), row, strict=False):
            cv2.putText(head, cell[:220], (x, line * LINE), (0, 0, 0), letters, 15, 400)
    page = Image.new("RGB", (WIDTH, y + sum(band.height for band in bands)), "white")
    page.paste(Image.fromarray(head))
    for band in bands:
        page.paste(band, (0, y))
        y += band.height
    return page


#: Prompt, style, width and height of a card.
CARDS: tuple[tuple[str, str, int, int], ...] = (
    ("A lighthouse at dusk", "base", 1024, 1024),
    ("A red boat on a blue lake, morning mist", "cinematic", 1344, 768),
    ("一只橘猫坐在雪地里，远处是群山，晚霞满天。", "base", 768, 1344),
    (
        "A sprawling harbour at dusk, a thousand lanterns in oily water, fishermen in raincoats; " * 30,
        "hdr",
        1024,
        1024,
    ),
    ("😀🎉🚀", "base", 1024, 1024),
    ("Кошка в зелёном саду and a golden retriever 😀", "anime", 1024, 1024),
    ("غروب الشمس فوق البحر", "base", 1024, 1024),
    ("a black cat at night", "hdr", 2048, 1024),
    ("green forest, white snow", "base", 512, 1024),
    ("A lighthouse at dusk", "base", 512, 512),
)
#: Picture, prompt, style of a restyled picture; in each of the strengths.
RESTYLES = (
    ("astronaut", "an oil painting", "juggernaut"),
    ("coffee", "a blue morning", "ink"),
    ("cat", "a golden cat", ""),
    ("rocket", "green and pink", "anime"),
    ("motorcycle", "im Stil von Klimt", "x"),
)
STRENGTHS = (0.0, 0.2, 0.45, 0.7, 1.0)
TALL = 330  # px, of a picture on these sheets


def cards() -> Iterator[list[np.ndarray]]:
    """Cards, four seeds of each."""
    for prompt, style, width, height in CARDS:
        print_ = f"{width}×{height} · style: {style} · guidance: 7.5 · without: people"
        made = functools.partial(card, width, height, prompt=prompt, style=style, small_print=print_)
        yield [made(seed=seed) for seed in range(1, 5)]


def restyles() -> Iterator[list[np.ndarray]]:
    """Restyled pictures, weak to strong with one seed, then strong with two others."""
    for name, prompt, style in RESTYLES:
        made = functools.partial(restyle, photograph(name), prompt=prompt, style=style)
        yield [
            *(made(seed=1, strength=strength) for strength in STRENGTHS),
            *(made(seed=s, strength=0.7) for s in (2, 3)),
        ]


def swaps() -> Iterator[list[np.ndarray]]:
    """Two faces, each beside it with the other's, and both in one picture."""
    one = photograph("astronaut")
    tinted = np.ascontiguousarray((one[:, ::-1].astype(int) * (200, 230, 255) // 255).astype(np.uint8))
    both = np.full((512, 900, 3), 96, np.uint8)
    both[:, :512], both[100:452, 548:] = one, cv2.resize(tinted, (352, 352))
    for picture, face in ((one, tinted), (tinted, one), (both, tinted), (both, one)):
        yield [face, picture, swap(picture, faces_in(picture), face, faces_in(face)[:1])]


def gallery(rows: Iterable[list[np.ndarray]]) -> Image.Image:
    """Rows of pictures of one height."""
    images = [[Image.fromarray(one).resize((one.shape[1] * TALL // one.shape[0], TALL)) for one in row] for row in rows]
    width = max(sum(image.width + GAP for image in row) for row in images)
    page = Image.new("RGB", (width + GAP, (TALL + GAP) * len(images) + GAP), "white")
    for number, row in enumerate(images):
        x = GAP
        for image in row:
            page.paste(image, (x, GAP + number * (TALL + GAP)))
            x += image.width + GAP
    return page


GALLERIES = {"cards": cards, "restyles": restyles, "swaps": swaps}


def main(folder: str = "sheets", *names: str) -> None:
    """Make the sheets that are named, or all."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names or [*BOARDS, *GALLERIES]:
        page = gallery(GALLERIES[name]()) if name in GALLERIES else sheet(name)
        page.save(Path(folder) / f"{name}.png")
        sys.stdout.write(f"{folder}/{name}.png\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
