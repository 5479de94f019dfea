"""How far two clips' pictures and sounds differ, in figures; what that means is for `reproduction` to judge.

FFmpeg's own filters do the pictures' arithmetic, in one pass over both files.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ViduError
from ..media import VideoInfo, decode, probe

MAX_LAG = 12  # frames; half a second of what the model makes
RATE = 44_100  # Hz, to which both sounds are brought
_THUMB = 96  # px; small enough to smooth coding noise away, large enough to see a slow push by one frame
_LAG_GAIN = 2.0  # an error that a shift at least halves comes from the shift, not from the coding
_LAG_RMS = 8.0  # grey levels of 255, 30 dB: shifted back, the frames must be of one scene
_VISIBLE = 1.0  # grey levels squared; below it a still picture's noise would decide

Path_ = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Pictures:
    """How far the pictures of two clips differ, frame by frame in the order that they are stored in.

    Attributes
    ----------
    ssim : tuple of float
        Structural similarity of each pair of frames, at most 1 (equal), over Y, U and V weighted by their areas; empty
        where the frames can't be compared.
    psnr_db : tuple of float
        Peak signal-to-noise ratio of each pair in dB; infinite for equal frames.
    frames : tuple of int
        How many frames each clip has.
    lag : int
        Frames by which the second clip runs late (negative: early), 0 where no shift explains the difference.
    lag_rms : float
        Grey levels of 255 by which small copies of the frames still differ, once shifted back by `lag`.
    identical : bool
        Every decoded sample of every frame is equal, as deep and as fine as it is stored; sizes and pixel formats are,
        too. False for the rare formats whose samples PyAV can't lay out, such as 4:4:4 of 10 bits.
    obstacle : str
        Why frames can't be compared; empty where they can.
    """

    ssim: tuple[float, ...]
    psnr_db: tuple[float, ...]
    frames: tuple[int, int]
    lag: int = 0
    lag_rms: float = 0.0
    identical: bool = False
    obstacle: str = ""

    def flipped(self) -> Pictures:
        """Exchange first and second; SSIM and PSNR are symmetric."""
        return replace(self, frames=self.frames[::-1], lag=-self.lag)


@dataclass(frozen=True, slots=True)
class Sound:
    """How far the sounds of two clips differ.

    Attributes
    ----------
    present : tuple of bool
        Which of the two has sound.
    identical : bool
        Every decoded sample is equal.
    sdr_db : float
        Scale-invariant signal-to-distortion ratio in dB, infinite for equal sounds: how much stronger what the two
        share is than what the second has besides.
    lag_ms : float
        Milliseconds by which the second sound runs late.
    seconds : tuple of float
        How long each is.
    """

    present: tuple[bool, bool]
    identical: bool = False
    sdr_db: float = -math.inf
    lag_ms: float = 0.0
    seconds: tuple[float, float] = (0.0, 0.0)

    def flipped(self) -> Sound:
        """Exchange first and second."""
        return replace(self, present=self.present[::-1], lag_ms=-self.lag_ms or 0.0, seconds=self.seconds[::-1])


def compare_pictures(first: Path_, second: Path_) -> Pictures:
    """Decode two clips side by side and measure each pair of frames.

    SSIM after Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13(4), 2004, as FFmpeg's `ssim` filter does it (8x8 blocks); PSNR
    by FFmpeg's `psnr`; both see frames as 8-bit 4:2:0. Of two sizes the larger is brought to the smaller.

    Raises
    ------
    ViduError
        A file is missing, can't be decoded, or holds no picture.
    """
    a, b = probe(first), probe(second)
    if obstacle := _obstacle(a, b):
        return Pictures((), (), (a.frames, b.frames), obstacle=obstacle)
    meter = _Meter(min(a.width, b.width), min(a.height, b.height))
    thumbs: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    identical = True
    for pair in zip_longest(decode(first), decode(second)):
        for frame, small in zip(pair, thumbs, strict=True):
            if frame is not None:
                small.append(_thumb(frame))
        identical = identical and _are_equal(*pair)
        if None not in pair:
            meter.push(*pair)
    for path, small in zip((first, second), thumbs, strict=True):
        if not small:
            raise ViduError(f"{Path(path).name} holds no picture", remedy="Make or fetch the clip again.")
    ssim, psnr = meter.finish()
    lag, rms = _find_lag(np.stack(thumbs[0]), np.stack(thumbs[1]))
    return Pictures(ssim, psnr, (len(thumbs[0]), len(thumbs[1])), lag, rms, identical)


def equal_pictures(path: Path_) -> Pictures:
    """Return what `compare_pictures` gives for a file and itself, without decoding it."""
    frames = probe(path).frames
    return Pictures((1.0,) * frames, (math.inf,) * frames, (frames, frames), identical=True)


def compare_sound(first: Path_, second: Path_) -> Sound:
    """Decode two clips' sounds and measure what they share.

    SI-SDR after Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019, at the shift
    within half a second that fits best.

    Raises
    ------
    ViduError
        A file is missing or can't be decoded.
    """
    a, b = _samples(first), _samples(second)
    present = a is not None, b is not None
    if a is None or b is None:
        return Sound(present, identical=present == (False, False))
    seconds = (a.shape[1] / RATE, b.shape[1] / RATE)
    if np.array_equal(a, b):
        return Sound(present, identical=True, sdr_db=math.inf, seconds=seconds)
    sdr, lag = _sdr(a.mean(axis=0, dtype=np.float64), b.mean(axis=0, dtype=np.float64))
    return Sound(present, sdr_db=sdr, lag_ms=1000 * lag / RATE, seconds=seconds)


def equal_sound(path: Path_) -> Sound:
    """Return what `compare_sound` gives for a file and itself, without decoding it."""
    info = probe(path)
    if info.audio_codec is None:
        return Sound((False, False), identical=True)
    return Sound((True, True), identical=True, sdr_db=math.inf, seconds=(info.duration, info.duration))


class _Meter:
    """FFmpeg's psnr and ssim over pairs of frames: both write their figures into the first frame's metadata."""

    def __init__(self, width: int, height: int) -> None:
        import av

        self.width, self.height, self.pairs = width, height, 0
        self.figures: list[dict[str, str]] = []
        graph = self.graph = av.filter.Graph()  # its filters die with it
        form = {"width": width, "height": height, "format": av.VideoFormat("yuv420p"), "time_base": Fraction(1, 1000)}
        self.ends = graph.add_buffer(**form), graph.add_buffer(**form)  # type: ignore[arg-type]
        fork, psnr, ssim, self.sink = (graph.add(name) for name in ("split", "psnr", "ssim", "buffersink"))
        self.ends[0].link_to(psnr, 0, 0)
        self.ends[1].link_to(fork)
        fork.link_to(psnr, 0, 1)
        fork.link_to(ssim, 1, 1)
        psnr.link_to(ssim, 0, 0)
        ssim.link_to(self.sink)
        graph.configure()

    def push(self, *pair: Any) -> None:
        for frame, end in zip(pair, self.ends, strict=True):
            plain = frame.reformat(width=self.width, height=self.height, format="yuv420p", interpolation="AREA")
            # The filters pair frames by their times, and the two files may count theirs differently.
            plain.pts, plain.time_base = self.pairs, Fraction(1, 1000)
            end.push(plain)
        self.pairs += 1
        self._pull()

    def finish(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        for end in self.ends:
            end.push(None)
        self._pull()
        ssim = tuple(float(one["lavfi.ssim.All"]) for one in self.figures)
        return ssim, tuple(float(one["lavfi.psnr.psnr_avg"]) for one in self.figures)

    def _pull(self) -> None:
        import av

        while len(self.figures) < self.pairs:
            try:
                self.figures.append(dict(self.sink.pull().metadata))
            except (av.BlockingIOError, av.EOFError):
                return


def _are_equal(one: Any, other: Any) -> bool:
    """Compare two frames' samples as they are stored: 8-bit 4:2:0 may hide a difference."""
    if one is None or other is None or one.format.name != other.format.name:
        return False
    try:
        return np.array_equal(one.to_ndarray(), other.to_ndarray())
    except ValueError:  # a format that PyAV can't lay out
        return False


def _obstacle(a: VideoInfo, b: VideoInfo) -> str:
    if abs(a.width * b.height / (a.height * b.width) - 1) > 0.02:
        return f"one is {a.width}x{a.height} pixels, the other {b.width}x{b.height}"
    if abs(a.fps - b.fps) > 0.01 * max(a.fps, b.fps):
        return f"one has {a.fps:g} frames a second, the other {b.fps:g}"
    return ""


def _thumb(frame: Any) -> np.ndarray:
    small: np.ndarray = frame.reformat(width=_THUMB, height=_THUMB, format="gray", interpolation="AREA").to_ndarray()
    return small.astype(np.float32)


def _find_lag(a: np.ndarray, b: np.ndarray) -> tuple[int, float]:
    """Return (frames that `b` runs late, RMS difference then) over grey thumbs of shape (frames, side, side)."""
    reach = min(MAX_LAG, min(len(a), len(b)) // 2)
    errors = {lag: _error(a, b, lag) for lag in range(-reach, reach + 1)}
    best = min(errors, key=lambda lag: (errors[lag], abs(lag)))
    explains = errors[0] > _LAG_GAIN * errors[best] and errors[0] - errors[best] > _VISIBLE
    lag = best if explains and errors[best] < _LAG_RMS**2 else 0
    return lag, round(math.sqrt(errors[lag]), 3)


def _error(a: np.ndarray, b: np.ndarray, lag: int) -> float:
    a, b = a[max(0, -lag) :], b[max(0, lag) :]
    shared = min(len(a), len(b))
    return float(np.square(a[:shared] - b[:shared]).mean())


def _samples(path: Path_) -> np.ndarray | None:
    """Decode float samples of shape (2, n) at `RATE`; None for a file without sound."""
    import av

    if probe(path).audio_codec is None:
        return None
    to_float = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
    parts: list[np.ndarray] = [np.zeros((2, 0), np.float32)]
    for frame in (*decode(path, sound=True), None):
        parts += [part.to_ndarray() for part in to_float.resample(frame)]
    return np.concatenate(parts, axis=1)


def _sdr(a: np.ndarray, b: np.ndarray) -> tuple[float, int]:
    """Return (SI-SDR in dB, samples that `b` runs late) of two mono sounds."""
    reach = min(RATE // 2, min(len(a), len(b)) // 2)
    size = 1 << (len(a) + len(b)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    lags = np.arange(-reach, reach + 1)
    lag = int(lags[np.argmax(correlation[lags])])
    a, b = a[max(0, -lag) :], b[max(0, lag) :]
    shared = min(len(a), len(b))
    a, b = a[:shared], b[:shared]
    if not a.any() or not b.any():
        return (math.inf if np.array_equal(a, b) else -math.inf), 0
    target = (a @ b) / (a @ a) * a
    rest = np.square(b - target).sum()
    return (10 * math.log10(max(target @ target, 1e-12) / rest) if rest else math.inf), lag
