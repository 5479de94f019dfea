"""Clips to be joined, and what is in the joined one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidu_nb.films.joining.plan import Part, plan_joined
from vidu_nb.films.joining.write import write_joined

RATE = 48_000


def make(
    path,
    *,
    frames=24,
    fps=24,
    size=(128, 96),
    codec="libx264",
    bframes=2,
    times=None,
    shade=0,
    sound=None,
    sound_codec="aac",
    sound_rate=RATE,
    sound_at=0.0,
    turned=0,
    container=None,
    colours=None,
):
    """Make a clip of moving bars.

    `sound` is float32 of shape (channels, count), which begins at `sound_at` seconds; `times` are the frames' own, in
    seconds; `turned` are degrees by which players turn it.
    """
    with av.open(str(path), "w", format=container) as out:
        options = {"preset": "ultrafast", "crf": "12", "bf": str(bframes)} if codec == "libx264" else {}
        video = out.add_stream(codec, rate=fps, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        if times is not None:
            video.codec_context.time_base = video.time_base = Fraction(1, 1000)
        if colours:
            video.codec_context.colorspace = video.codec_context.color_primaries = colours
            video.codec_context.color_trc = colours
        if turned:
            video.set_display_rotation(turned)
        audio = None
        if sound is not None:
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(sound)]
            options = {"aac_coder": "fast"} if sound_codec == "aac" else {}
            audio = out.add_stream(sound_codec, rate=sound_rate, layout=layout, bit_rate=192_000, options=options)
        out.start_encoding()
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(bars(number, size, shade), "rgb24")
            frame.pts = number if times is None else round(times[number] * 1000)
            frame.time_base = 1 / Fraction(fps) if times is None else Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            heard = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound, np.float32), "fltp", audio.layout.name)
            heard.sample_rate, heard.pts = sound_rate, round(sound_at * sound_rate)
            heard.time_base = Fraction(1, sound_rate)
            for part in resample(heard, audio):
                out.mux(audio.encode(part))
            out.mux(audio.encode(None))
    return Path(path)


def resample(frame, stream):
    """The frame in the format that an encoder takes."""
    resampler = av.AudioResampler(stream.codec_context.format.name, frame.layout.name, frame.sample_rate)
    return [*resampler.resample(frame), *resampler.resample(None)]


def bars(number, size, shade=0):
    """A picture of bars that go to the right."""
    x = np.arange(size[0]) + 3 * number
    row = np.stack([x * 2 % 256, (x // 8 * 40 + shade) % 256, np.full_like(x, shade)], -1).astype(np.uint8)
    return np.repeat(row[None], size[1], 0)


def tone(hertz, seconds, *, rate=RATE, level=0.4, channels=2):
    """A tone of a clip's length."""
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[None], channels, 0).astype(np.float32)


def joined(target, *paths, titles=(), tags=None, **how):
    """Join clips; the plan, which says what was done."""
    titles = titles or [""] * len(paths)
    plan = plan_joined([Part(path, title) for path, title in zip(paths, titles, strict=True)], **how)
    write_joined(plan, target, tags or {})
    return plan


def frames_of(path):
    """Every decoded frame, as its planes."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(container.streams.video[0])]


def times_of(path):
    """When each frame is seen, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(container.streams.video[0])]


def sound_of(path):
    """What is heard, at 48 kHz, (2, count), from the first moment of the picture on; None without a stream."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler("fltp", "stereo", RATE)
        found = [part for frame in container.decode(container.streams.audio[0]) for part in resampler.resample(frame)]
        found += resampler.resample(None)
        start = round(float(found[0].pts * found[0].time_base) * RATE)
        return np.concatenate([np.zeros((2, start), np.float32), *(part.to_ndarray() for part in found)], 1)


def chapters_of(path):
    """Chapters as (start, end, title), exactly, in seconds."""
    with av.open(str(path)) as container:
        return [
            (one["start"] * one["time_base"], one["end"] * one["time_base"], one["metadata"]["title"])
            for one in container.chapters()
        ]


def largest_step(sound):
    """The largest step from a sample to the next."""
    return float(np.abs(np.diff(sound)).max())


def longest_silence(sound, *, below=0.001):
    """The longest run of samples that are softer than -60 dB, in seconds."""
    quiet = np.abs(sound).max(axis=0) < below
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet, [0]])))
    return float((edges[1::2] - edges[::2]).max(initial=0)) / RATE
