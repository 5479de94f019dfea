"""The videos and the sounds that a request names: frames and samples of a stranger's bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from ..libraries import check_library
from ..references.images import MAX_PIXELS
from .cancellation import Question, check

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FRAMES = 3  # that a reference video is shown by
VOICE_SECONDS = 10.0  # of a reference sound that are played
RATE = 48_000  # samples a second
_LONGEST_SIDE = 1920  # px; a larger frame is shrunk
_DECODED_PIXELS = 600 * 1920 * 1080  # between two places in a video, at most

_VIDEO = {"format_whitelist": "mov,mp4,matroska,webm,avi,gif,mpegts", "protocol_whitelist": "file"}
_SOUND = {
    "format_whitelist": "mov,mp4,matroska,webm,wav,mp3,ogg,flac,aac,aiff,amr,caf",
    "protocol_whitelist": "file",
}


def frames_of(data: bytes, *, count: int = FRAMES, cancelled: Question | None = None) -> list[NDArray[np.uint8]]:
    """Return frames that are spread over a video, as uint8 RGB of shape (height, width, 3).

    Parameters
    ----------
    data
        A file with a video in it.
    count
        How many frames.
    cancelled
        Asked between frames: where a video has one key frame, hundreds of them lie before the one that is wanted.

    Raises
    ------
    InvalidRequest
        It is no video, or damaged.
    Cancelled
        When `cancelled()` returned True.
    """
    with _opened(data, _VIDEO, "video") as container:
        if not container.streams.video:
            raise InvalidRequest("the video holds no picture")
        stream = container.streams.video[0]
        if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
            raise InvalidRequest(f"the video's frames have more than {MAX_PIXELS // 1_000_000} megapixels: shrink it")
        seconds = float(container.duration or 0) / 1_000_000
        found: list[NDArray[np.uint8]] = []
        for number in range(count):
            frame = _frame_at(container, stream, seconds * (number + 0.5) / count, cancelled)
            if frame is not None:
                found.append(frame)
        if not found:
            raise InvalidRequest("the video holds no picture")
        return [found[min(number, len(found) - 1)] for number in range(count)]


def most_decoded(width: int, height: int) -> int:
    """Return how many frames of a size are decoded on the way to a place in a video.

    >>> most_decoded(1920, 1080), most_decoded(3840, 2160), most_decoded(10, 10)
    (600, 150, 600)
    """
    return min(600, max(1, _DECODED_PIXELS // (width * height)))


def _frame_at(container: Any, stream: Any, seconds: float, cancelled: Question | None) -> NDArray[np.uint8] | None:
    most = most_decoded(stream.codec_context.width or 1, stream.codec_context.height or 1)
    container.seek(round(seconds * 1_000_000), backward=True)
    last = None
    for number, last in enumerate(container.decode(stream)):
        check(cancelled)
        if (last.time is not None and last.time >= seconds) or number + 1 >= most:
            break
    if last is None:
        return None
    scale = min(1.0, _LONGEST_SIDE / max(last.width, last.height))
    width, height = (max(2, round(side * scale)) for side in (last.width, last.height))
    frame: NDArray[np.uint8] = last.to_ndarray(format="rgb24", width=width, height=height)
    return frame


def sound_of(data: bytes, *, seconds: float) -> NDArray[np.int16]:
    """Return a sound's beginning: 48 kHz, left and right, of shape (round(seconds * 48000), 2), silent after its end.

    Parameters
    ----------
    data
        A file with sound in it.
    seconds
        How much is wanted; more than ten seconds of the sound are never played.

    Raises
    ------
    InvalidRequest
        It holds no sound, or is damaged.
    """
    import numpy as np

    wanted = round(seconds * RATE)
    played = np.zeros((wanted, 2), np.int16)
    most, done = min(wanted, round(VOICE_SECONDS * RATE)), 0
    with _opened(data, _SOUND, "sound") as container:
        import av

        if not container.streams.audio:
            raise InvalidRequest("the file holds no sound")
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
        for frame in container.decode(container.streams.audio[0]):
            for part in resampler.resample(frame):
                samples = part.to_ndarray().reshape(-1, 2)[: most - done]
                played[done : done + len(samples)] = samples
                done += len(samples)
            if done >= most:
                break
    if not done:
        raise InvalidRequest("the file holds no sound")
    return played


@contextmanager
def _opened(data: bytes, options: dict[str, str], kind: str) -> Iterator[Any]:
    """Open a file of bytes with FFmpeg, which reads no other file and no network; one error for all that is wrong."""
    check_library("av")
    import av

    problem = ""
    with tempfile.TemporaryDirectory(prefix="vidu-nb-") as folder:
        path = Path(folder) / "reference"
        path.write_bytes(data)
        try:
            with av.open(str(path), options=options) as container:
                yield container
        except InvalidRequest:
            raise
        except (av.FFmpegError, OSError, ValueError, IndexError) as error:
            problem = getattr(error, "strerror", None) or type(error).__name__
    if problem:
        raise InvalidRequest(f"the {kind} can't be read ({problem}): pass another file")
