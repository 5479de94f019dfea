"""The same clip in moviepy 2, for `benchmarks.preview`: runs in an environment of its own, one clip for each line.

A line on standard input holds a form ("usual" or "expert"), a picture and a file to write, apart by tabs; the seconds
that the clip took come back as a line. moviepy wants an older Pillow than the rest here, hence the environment.

usual: `ImageClip`, `resized` by a function of time, cut to the frame: what its documentation and most answers show.
expert: a frame function of one's own, one OpenCV warp a frame from a picture that was shrunk once.
"""

from __future__ import annotations

import json
import sys
import time

import cv2
import numpy as np
from moviepy import CompositeVideoClip, ImageClip, VideoClip
from PIL import Image

SECONDS, FPS, WIDTH, HEIGHT, ZOOM = 5, 24, 1920, 1080, 1.2
OURS = json.loads(sys.argv[1])  # the settings of the encoder, the same on both sides
X264 = ["-crf", OURS["crf"], "-x264-params", OURS["x264-params"], "-g", "48"]


def usual(path):
    """A slow zoom, the picture resized for each frame."""
    clip = ImageClip(path).with_duration(SECONDS)
    cover = max(WIDTH / clip.w, HEIGHT / clip.h)
    zoomed = clip.resized(lambda t: cover * (1 + (ZOOM - 1) * t / SECONDS))
    return CompositeVideoClip([zoomed.with_position("center")], size=(WIDTH, HEIGHT))


def expert(path):
    """The same zoom by an affine warp."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    height, width = picture.shape[:2]
    cover = max(WIDTH / width, HEIGHT / height)
    if cover < 1:
        picture = cv2.resize(picture, None, fx=cover, fy=cover, interpolation=cv2.INTER_AREA)
        height, width = picture.shape[:2]
        cover = 1

    def frame(t):
        scale = cover * (1 + (ZOOM - 1) * t / SECONDS)
        matrix = np.array([[scale, 0, (WIDTH - scale * width) / 2], [0, scale, (HEIGHT - scale * height) / 2]])
        return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    return VideoClip(frame, duration=SECONDS)


print("ready", flush=True)
for line in sys.stdin:
    form, picture_path, target = line.rstrip("\n").split("\t")
    begin = time.perf_counter()
    clip = {"usual": usual, "expert": expert}[form](picture_path)
    clip.write_videofile(
        target, fps=FPS, codec="libx264", preset=OURS["preset"], threads=2, audio=False, logger=None, ffmpeg_params=X264
    )
    print(time.perf_counter() - begin, flush=True)
