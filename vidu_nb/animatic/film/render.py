"""From a storyboard and its pictures to an MP4.

A maker thread fills pooled frames while this thread encodes them, and a third writes the music. Pictures are cut,
resized and converted to Y, U and V once for each shot; after that a frame costs three affine warps. The same inputs
give the same bytes: thread counts are pinned and every writer is told to be bit-exact.
"""

from __future__ import annotations

import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Self

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from ..cancellation import Question, check
from ..sound.loudness import RATE
from ..sound.music import compose
from ..story.storyboard import DISSOLVE, FPS, Storyboard
from .layout import lay_out
from .lettering import Overlay, badge, caption, small_print
from .stage import Picture, Planes, Stage, make_lenses
from .subject import find_subject, frame_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from .camera import Scene

_POOL = 4  # frames under way between the maker and the encoder
_X264 = {
    # What frames that pan and zoom over stills need, and no more (docs/preview-engine.md has the table): motion is
    # found without a search for fractions, and B-frames cost less than they save.
    "preset": "ultrafast",
    "crf": "24",
    "flags": "+bitexact",
    "x264-params": "cabac=1:8x8dct=1:partitions=i8x8:deblock=0,0:bframes=3:b-adapt=0:weightb=0:cpu-independent=1",
}
_AAC = {"aac_coder": "fast", "flags": "+bitexact"}


def render(
    storyboard: Storyboard,
    pictures: Sequence[Picture],
    path: str | os.PathLike[str],
    *,
    captions: bool = True,
    details: str = "",
    voice: NDArray[np.int16] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Question | None = None,
) -> None:
    """Render a storyboard as an H.264/AAC MP4, 24 frames a second, ready to be streamed.

    Parameters
    ----------
    storyboard
        What happens when.
    pictures
        The references, each uint8 RGB of shape (height, width, 3), in the order that the shots count them in.
    path
        Where to write. When anything goes wrong no file is left there.
    captions
        Whether each shot's number and words are written on it. The word PREVIEW always is.
    details
        Small print for all of it, such as parameters that can't be seen otherwise.
    voice
        Samples as `compose` gives them, which are heard over the music or in its place.
    progress
        Called in this thread with (frames done, frames in all) after each frame.
    cancelled
        Asked in this thread before each frame.

    Raises
    ------
    Cancelled
        When `cancelled()` returned True.
    ValueError
        When the storyboard asks for a picture that is not there.
    """
    highest = max(shot.picture for shot in storyboard.shots)
    if highest >= len(pictures) or min(shot.picture for shot in storyboard.shots) < 0:
        raise ValueError(f"the storyboard shows picture {highest + 1} of {len(pictures)}: pass every reference")
    film = Film(storyboard, pictures, captions=captions, details=details)
    done = False
    try:
        # The pool's exit waits for both threads, so that none outlives this call, whatever happens in it.
        with ThreadPoolExecutor(2, thread_name_prefix="animatic") as pool, _Belt(storyboard) as belt:
            pool.submit(belt.fill, film.draw)
            _encode(storyboard, belt, pool, os.fspath(path), progress=progress, cancelled=cancelled, voice=voice)
        done = True
    finally:
        if not done:
            with suppress(OSError):
                FilePath(path).unlink()


def last_frame(storyboard: Storyboard, pictures: Sequence[Picture]) -> Image:
    """Draw a storyboard's last frame without captions and badge, as a PIL image."""
    film = Film(storyboard, pictures, captions=False)
    frame = new_frame(storyboard.width, storyboard.height)
    film.draw(storyboard.frames - 1, planes_of(frame), marked=False)
    image: Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image


# ── The belt: frames go round between the maker and the encoder ───────────────────────────────────


class _Belt:
    """A few frames that are filled by one thread and emptied by another.

    Only the maker ever waits for an empty frame and only the encoder for a full one; leaving the `with` block, or the
    maker's failure, wakes the other side up. So neither can wait for somebody who has gone.
    """

    def __init__(self, storyboard: Storyboard) -> None:
        self._count = storyboard.frames
        self._empty: queue.SimpleQueue[av.VideoFrame | None] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[av.VideoFrame | BaseException] = queue.SimpleQueue()
        self._stopped = threading.Event()
        for _ in range(min(_POOL, self._count)):
            self._empty.put(new_frame(storyboard.width, storyboard.height))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._empty.put(None)

    def fill(self, draw: Callable[[int, Planes], None]) -> None:
        """Runs in the maker's thread until every frame was drawn."""
        try:
            for index in range(self._count):
                frame = self._empty.get()
                if frame is None or self._stopped.is_set():
                    return
                draw(index, planes_of(frame))
                frame.pts = index
                self._full.put(frame)
        except BaseException as error:  # raised again where somebody waits for the frame
            self._full.put(error)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield each frame in its turn; it goes back to the maker when the next one is asked for."""
        for _ in range(self._count):
            frame = self._full.get()
            if isinstance(frame, BaseException):
                raise frame
            yield frame
            self._empty.put(frame)


def new_frame(width: int, height: int) -> av.VideoFrame:
    """Return an empty frame for an encoder that `open_video` opened."""
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.time_base = Fraction(1, FPS)
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
    return frame


def planes_of(frame: av.VideoFrame) -> Planes:
    """Return the frame's own memory as three arrays, without the padding at the end of each line."""
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]  # type: ignore[call-overload]
        for plane in frame.planes
    )
    return y, u, v


# ── Encoding ──────────────────────────────────────────────────────────────────────────────────────


def _encode(
    board: Storyboard,
    belt: _Belt,
    pool: ThreadPoolExecutor,
    path: str,
    *,
    progress: Callable[[int, int], None] | None,
    cancelled: Question | None,
    voice: NDArray[np.int16] | None,
) -> None:
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(path, "w", format="mp4", options=options) as container:
        video = open_video(container, board.width, board.height)
        # A stream is opened before the header is written, so the other threads find it ready.
        audio = (
            container.add_stream("aac", rate=RATE, options=_AAC, layout="stereo", bit_rate=160_000)
            if board.bgm or voice is not None
            else None
        )
        container.start_encoding()
        sound = pool.submit(_play, board, voice, audio) if audio is not None else None
        for done, frame in enumerate(belt.frames(), 1):
            check(cancelled)
            container.mux(video.encode(frame))
            if progress is not None:
                progress(done, board.frames)
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.result())


def _heard(music: NDArray[np.int16] | None, voice: NDArray[np.int16] | None) -> NDArray[np.int16]:
    """Return music, a voice, or the voice over softer music."""
    if music is None or voice is None:
        found = voice if music is None else music
        return np.zeros((0, 2), np.int16) if found is None else found
    mixed = np.clip(voice.astype(np.int32) + music // 3, -32768, 32767)
    return np.ascontiguousarray(mixed.astype(np.int16))


def open_video(container: Any, width: int, height: int, settings: Mapping[str, str] = _X264) -> Any:
    """Add an H.264 stream to a container that is being written, its colours tagged as BT.709 in limited range."""
    stream = container.add_stream("libx264", rate=FPS, options=dict(settings))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.thread_count = 2  # pinned: the number of threads changes the bytes
    context.gop_size = 2 * FPS  # a seek then decodes at most two seconds
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _play(board: Storyboard, voice: NDArray[np.int16] | None, stream: Any) -> list[Any]:
    """Runs aside: the whole of the sound, encoded."""
    samples = _heard(compose(board.seed, board.frames / FPS, board.prompt) if board.bgm else None, voice)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    return [*stream.encode(frame), *stream.encode(None)]


# ── Drawing ───────────────────────────────────────────────────────────────────────────────────────


class Film:
    """Draws any frame of a storyboard; frames have to be asked for in order, in one thread."""

    def __init__(
        self, board: Storyboard, pictures: Sequence[Picture], *, captions: bool = True, details: str = ""
    ) -> None:
        self._board, self._captioned = board, captions
        self._pictures = pictures
        self._out = (board.width, board.height)
        self._scenes: dict[int, tuple[Picture, Scene]] = {}
        self._stages: dict[int, Stage] = {}
        self._captions: dict[int, Overlay] = {}
        self._always = [badge(*self._out), *([small_print(*self._out, details).overlay()] if details else [])]
        self._lenses = make_lenses(*self._out)
        self._spare = planes_of(new_frame(*self._out))

    def draw(self, index: int, planes: Planes, *, marked: bool = True) -> None:
        """Draw frame `index` into `planes`, marked as a preview."""
        board = self._board
        number = board.at(index)
        shot = board.shots[number]
        self._stage(number).draw(index, planes)
        into = index - shot.start
        mixing = shot.transition == "dissolve" and number > 0 and into < DISSOLVE
        if mixing:
            self._stage(number - 1).draw(index, self._spare)
            share = (into + 1) / (DISSOLVE + 1)
            for plane, old in zip(planes, self._spare, strict=True):
                cv2.addWeighted(plane, share, old, 1 - share, 0, dst=plane)
            self._write(number - 1, 1 - share, planes)
            self._write(number, share, planes)
        else:
            self._stages.pop(number - 1, None)
            self._write(number, 1, planes)
        for chip in self._always if marked else ():
            chip.onto(planes)

    def _write(self, number: int, opacity: float, planes: Planes) -> None:
        """A shot's caption onto a frame."""
        if not self._captioned:
            return
        if number not in self._captions:
            shots = self._board.shots
            place = f"{number + 1}/{len(shots)} {shots[number].who}".rstrip()
            self._captions[number] = caption(*self._out, place, shots[number].text)
        chip = self._captions[number]
        (chip if opacity == 1 else chip.faded(opacity)).onto(planes)

    def _stage(self, number: int) -> Stage:
        if number not in self._stages:
            shot = self._board.shots[number]
            picture, scene = self._scene(shot.picture)
            self._stages[number] = Stage(picture, scene, shot, self._board.span(number), self._board, self._lenses)
        return self._stages[number]

    def _scene(self, index: int) -> tuple[Picture, Scene]:
        """Lay the picture into the frame's shape where it has to be, and find what there is to see in it."""
        if index not in self._scenes:
            picture = self._pictures[index]
            framing = frame_subject(find_subject(picture), self._out[0] / self._out[1])
            self._scenes[index] = lay_out(picture, framing, self._out) if framing.fill else (picture, framing.scene)
        return self._scenes[index]
