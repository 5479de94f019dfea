"""What a preview costs: `python -m benchmarks.preview`.

Everything is a ratio of medians; rounds are interleaved, so that a busy machine slows all sides down alike:

(a) the whole way from decoded pictures to the file (subjects, drawing, captions, music), against x264's `veryfast`
    alone on the very same frames, ready-made in memory, and against our own settings on them;
(b) a draft against the full clip, and ten seconds against five;
(c) a slow zoom into one picture, from its file, against moviepy 2 doing the same (see `benchmarks.moviepy_clip`);
(d) the first preview of a process against its second, the server in it, over HTTP;

then how true and how large the file is, and how much memory seven large pictures, and four previews at once, take in
a process of their own. `python -m benchmarks.preview settings` prints what other settings of the encoder would give.
"""

from __future__ import annotations

import base64
import io
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
from PIL import Image
from skimage import data

from benchmarks.report import rounds, verdict
from vidu_nb.animatic.fetching import load_pictures
from vidu_nb.animatic.film.render import _X264, Film, new_frame, open_video, planes_of, render
from vidu_nb.animatic.story.storyboard import Shot, Storyboard, plan
from vidu_nb.request import VideoRequest

ROUNDS = 9
MOVIEPY_ROUNDS = 5
MOVIEPY = Path(".venv-moviepy/bin/python")
PROMPT = (
    "An astronaut smiles. The camera slowly zooms in on a cup of coffee, then back to the astronaut. "
    "A cat looks up while the camera pans left."
)
NAMES = ["astronaut.png", "coffee.png", "cat.png"]
PLAIN = {"preset": "veryfast", "crf": "22", "flags": "+bitexact"}
PROCESSES = 5
FIRST = """
import tempfile, time
from pathlib import Path
import vidu_nb as vidu
from vidu_nb.samples import sample_references
with tempfile.TemporaryDirectory() as folder:
    client = vidu.Client.preview(archive=Path(folder))
    request = vidu.VideoRequest(prompt="An astronaut smiles. Slow push in. Pan left.", references=sample_references())
    for seed in (1, 2):
        begin = time.perf_counter()
        client.generate(request.replace(seed=seed))
        print(time.perf_counter() - begin)
"""
AT_ONCE = """
from threading import Thread
from vidu_nb import VideoRequest
from vidu_nb.animatic.engine import make_clip
from vidu_nb.samples import sample_references
request = VideoRequest(prompt="An astronaut smiles. Slow push in. Pan left.", references=sample_references())
threads = [Thread(target=make_clip, args=(request.replace(seed=seed),)) for seed in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""
LARGE = """
import json, sys
from vidu_nb.animatic.engine import make_clip
from vidu_nb.request import VideoRequest
make_clip(VideoRequest.from_payload(json.load(open(sys.argv[1]))))
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def encode(frames: list[av.VideoFrame], path: Path, settings: dict[str, str] = _X264) -> None:
    """Encode frames that are ready in memory."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = open_video(container, frames[0].width, frames[0].height, settings)
        for frame in frames:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def drawn(board: Storyboard, pictures: list[np.ndarray]) -> list[av.VideoFrame]:
    """Every frame of a clip, ready to be encoded (375 MB for five seconds)."""
    film = Film(board, pictures)
    frames = [new_frame(board.width, board.height) for _ in range(board.frames)]
    for index, frame in enumerate(frames):
        film.draw(index, planes_of(frame))
        frame.pts = index
    return frames


# ── Against the encoder ───────────────────────────────────────────────────────────────────────────


def against_the_encoder(folder: Path) -> None:
    """Whole clips against their own frames, drafts against whole clips, long ones against short ones."""
    pictures = [data.astronaut(), data.coffee(), data.cat()]
    size = {"width": 1920, "height": 1080, "seed": 42, "movement_amplitude": "auto", "bgm": True}
    board = plan(PROMPT, NAMES, duration=5, **size)
    twice = plan(PROMPT, NAMES, duration=10, **size)
    single = Storyboard((Shot(0, 120, 0, "push in", "wide", "An astronaut"),), 1920, 1080, 120, 42, "auto", True, "")
    draft = replace(board, width=960, height=540)
    clip, other = folder / "clip.mp4", folder / "other.mp4"
    frames, single_frames = drawn(board, pictures), drawn(single, pictures)
    render(board, pictures, clip)  # imports and caches
    took = rounds(
        ROUNDS,
        plain=(encode, frames, other, PLAIN),
        encode=(encode, frames, other),
        full=(render, board, pictures, clip),
        encode_one=(encode, single_frames, other),
        one=(render, single, pictures[:1], other),
        draft=(render, draft, pictures, other),
        twice=(render, twice, pictures, other),
    )
    print(f"previews in 1080p, medians of {ROUNDS} interleaved rounds (full clip {took['full']:.2f} s):")
    verdict("three pictures and music, of its own frames in plain veryfast", took["full"] / took["plain"], 0.75)
    verdict("three pictures and music, of encoding its own frames", took["full"] / took["encode"], 1.5)
    verdict("one picture and music, of encoding its own frames", took["one"] / took["encode_one"], 1.5)
    verdict("a draft, of the full clip", took["draft"] / took["full"], 0.35)
    verdict("ten seconds, of five", took["twice"] / took["full"], 2.1)
    verdict("megabytes of the full clip", clip.stat().st_size / 1e6, 3)
    verdict("its fidelity to the frames drawn, dB PSNR over Y, U and V", fidelity(frames, clip), 43, at_least=True)


def fidelity(frames: list[av.VideoFrame], clip: Path) -> float:
    """PSNR over all samples of a clip, in dB."""
    error = samples = 0.0
    with av.open(str(clip)) as container:
        for wanted, got in zip(frames, container.decode(video=0), strict=True):
            for one, two in zip(planes_of(wanted), planes_of(got), strict=True):
                error += cv2.norm(np.ascontiguousarray(one), np.ascontiguousarray(two), cv2.NORM_L2SQR)
                samples += one.size
    return float(10 * np.log10(255**2 * samples / error))


# ── Against moviepy ───────────────────────────────────────────────────────────────────────────────


def jpeg(picture: np.ndarray, size: tuple[int, int]) -> bytes:
    """A picture at this size, as a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def request_for(*pictures: bytes, bgm: bool) -> VideoRequest:
    """A request as it comes over the wire."""
    urls = ["data:image/jpeg;base64," + base64.b64encode(one).decode() for one in pictures]
    return VideoRequest.from_payload({"prompt": "The camera zooms in", "image_urls": urls, "seed": 1, "bgm": bgm})


class Moviepy:
    """moviepy in a process of its own, its start not counted."""

    def __init__(self) -> None:
        command = [str(MOVIEPY), str(Path(__file__).with_name("moviepy_clip.py")), json.dumps(_X264)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError("moviepy didn't start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def clip(self, form: str, picture: Path, target: Path) -> None:
        """One clip, in one of the two forms."""
        self._process.stdin.write(f"{form}\t{picture}\t{target}\n")
        float(self._process.stdout.readline())


def zoom(request: VideoRequest, target: Path) -> None:
    """One slow zoom into a request's picture, from its bytes to the file."""
    board = Storyboard((Shot(0, 120, 0, "push in", "wide", "A cup"),), 1920, 1080, 120, 1, "auto", False, "A cup")
    render(board, load_pictures(request), target)


def against_moviepy(folder: Path) -> None:
    """The same slow zoom from the same file, in silence on both sides."""
    if not MOVIEPY.exists():
        print(f"moviepy left out: no {MOVIEPY.parent.parent}, which `make bench` makes")
        return
    photo = data.coffee()
    files = {"small": jpeg(photo, (600, 400)), "large": jpeg(photo, (4000, 3000))}
    target = folder / "moviepy.mp4"
    with Moviepy() as moviepy:
        works = {}
        for name, content in files.items():
            path = folder / f"{name}.jpg"
            path.write_bytes(content)
            works[f"{name}_ours"] = (zoom, request_for(content, bgm=False), target)
            works[f"{name}_usual"] = (moviepy.clip, "usual", path, target)
            works[f"{name}_expert"] = (moviepy.clip, "expert", path, target)
        took = rounds(MOVIEPY_ROUNDS, **works)
    print(f"a zoom into one picture, moviepy's seconds by ours, medians of {MOVIEPY_ROUNDS} interleaved rounds:")
    verdict("usual form, photograph of 600x400", took["small_usual"] / took["small_ours"], 14, at_least=True)
    verdict("usual form, photograph of 4000x3000", took["large_usual"] / took["large_ours"], 28, at_least=True)
    verdict("expert's form, photograph of 600x400", took["small_expert"] / took["small_ours"], 1.8, at_least=True)
    verdict("expert's form, photograph of 4000x3000", took["large_expert"] / took["large_ours"], 1.8, at_least=True)


# ── The first one ─────────────────────────────────────────────────────────────────────────────────


def first() -> None:
    """The first preview of a process, imports and the server's start in it, against the second."""
    command = [sys.executable, "-c", FIRST]
    runs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(PROCESSES)
    ]
    one, two = (statistics.median(float(run[place]) for run in runs) for place in (0, 1))
    print(f"previews in a fresh process, medians of {PROCESSES} (the second takes {two:.2f} s):")
    verdict("the first, of the second", one / two, 1.15)


# ── Memory ────────────────────────────────────────────────────────────────────────────────────────


def memory(folder: Path) -> None:
    """The most that a process ever held which rendered seven pictures of 12 megapixels."""
    photos = [data.astronaut(), data.coffee(), data.cat(), data.rocket()]
    large = [jpeg(np.roll(photos[i % 4], 40 * i, axis=1), (4000, 3000)) for i in range(7)]
    body = folder / "body.json"
    body.write_text(json.dumps(request_for(*large, bgm=True).payload()))
    done = subprocess.run([sys.executable, "-c", LARGE, str(body)], check=True, capture_output=True, text=True)
    print("seven pictures of 12 megapixels, a process of their own:")
    verdict("its peak in megabytes", int(done.stdout) / 1024, 350)
    done = subprocess.run([sys.executable, "-c", AT_ONCE], check=True, capture_output=True, text=True)
    print("four previews at once, a process of their own:")
    verdict("its peak in megabytes", int(done.stdout) / 1024, 600)


# ── Settings of the encoder ───────────────────────────────────────────────────────────────────────

_PARAMS = _X264["x264-params"]
SETTINGS = {
    "x264 veryfast, crf 22": PLAIN,
    "veryfast, tuned": PLAIN | {"x264-params": "ref=1:subme=1:weightp=1:rc-lookahead=5:cpu-independent=1"},
    "superfast, crf 23": PLAIN | {"preset": "superfast", "crf": "23"},
    "ultrafast with CABAC, crf 25": PLAIN | {"preset": "ultrafast", "crf": "25", "x264-params": "cabac=1"},
    "ours": _X264,
    "ours, no B-frames, crf 25": _X264 | {"crf": "25", "x264-params": _PARAMS.replace("bframes=3", "bframes=0")},
    "ours, one B-frame, crf 25": _X264 | {"crf": "25", "x264-params": _PARAMS.replace("bframes=3", "bframes=1")},
    "ours, fractions of a pixel (subme=1)": _X264 | {"x264-params": f"{_PARAMS}:subme=1"},
    "ours, no deblocking": _X264 | {"x264-params": _PARAMS.replace("deblock=0,0", "no-deblock=1")},
    "ours, CAVLC": _X264 | {"x264-params": _PARAMS.replace("cabac=1", "cabac=0")},
    "ours, no 8x8 transform": _X264 | {"x264-params": _PARAMS.replace("8x8dct=1:partitions=i8x8:", "")},
    "ours, adaptive quantisation": _X264 | {"x264-params": f"{_PARAMS}:aq-mode=1"},
    "ours, sliced threads": _X264 | {"x264-params": f"{_PARAMS}:sliced-threads=1"},
}


def grainy(seed: int) -> np.ndarray:
    """A picture of 12 megapixels, sharp and grainy: the hardest kind."""
    dice = np.random.default_rng(seed)
    picture = cv2.resize(data.coffee() if seed % 2 else data.rocket(), (4000, 3000), interpolation=cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(dice.normal(0, 60, (3000, 4000)).astype(np.float32), (0, 0), 1.6)
    return np.clip(picture + grain[..., None], 0, 255).astype(np.uint8)


def settings(folder: Path) -> None:
    """Other settings on frames of three kinds of pictures: time of plain `veryfast`, size and fidelity."""
    page = np.repeat(data.page()[..., None], 3, axis=2)
    kinds = {
        "photographs": [data.astronaut(), data.coffee(), data.cat()],
        "grain": [grainy(seed) for seed in range(3)],
        "print": [page, np.full_like(page, 235), page[::-1].copy()],
    }
    target = folder / "settings.mp4"
    for kind, pictures in kinds.items():
        board = plan(PROMPT, NAMES, duration=5, width=1920, height=1080, seed=42, movement_amplitude="auto", bgm=False)
        frames = drawn(board, pictures)
        took = rounds(3, **{name: (encode, frames, target, each) for name, each in SETTINGS.items()})
        for name, each in SETTINGS.items():
            encode(frames, target, each)
            ratio = took[name] / took[next(iter(SETTINGS))]
            size = target.stat().st_size / 1e6
            print(f"| {kind} | {name} | {ratio:.2f} | {size:.2f} MB | {fidelity(frames, target):.1f} dB |", flush=True)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:] == ["settings"]:
            settings(Path(folder))
            return
        against_the_encoder(Path(folder))
        against_moviepy(Path(folder))
        first()
        memory(Path(folder))


if __name__ == "__main__":
    main()
