"""What films cost: `python -m benchmarks.films`.

Ratios of medians, rounds interleaved, so that a busy machine slows all sides down alike:

(a) six clips of five seconds in 1080p with sound, joined: packets copied, against decoding and encoding the same
    pictures as a short script does, and against the ffmpeg program's concat with copied packets, which
    fades and levels nothing; then seconds and memory in a process of its own;
(b) a film of six scenes previewed, against its scenes' previews one after another, and its draft against both.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av

import vidu_nb as vidu
from benchmarks.report import rounds, timed, verdict
from vidu_nb import samples
from vidu_nb.films.joining.plan import Part, plan_joined
from vidu_nb.films.joining.write import write_joined

ROUNDS = 5
PREVIEW_ROUNDS = 3
PROMPTS = [
    "An astronaut smiles, slow push in.",
    "Pan left over the table.",
    "The camera rises, then holds.",
    "She walks away. Cut to the cup.",
    "Zoom out from the face.",
    "It ends in the dark.",
]
ALONE = """
import sys, time
from pathlib import Path
from vidu_nb.films.joining.plan import Part, plan_joined
from vidu_nb.films.joining.write import write_joined
import vidu_nb.films.joining.own_sound
parts = [Part(Path(one)) for one in sys.argv[2:]]
begin, worked = time.perf_counter(), time.process_time()
write_joined(plan_joined(parts), Path(sys.argv[1]), {})
took = f"{time.perf_counter() - begin} {time.process_time() - worked}"
with open("/proc/self/status") as status:
    print(took, next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def film_of(prompts: list[str]) -> vidu.Film:
    """A film with the pictures that the package brings."""
    return vidu.Film(prompts, references=samples.sample_references(), aspect_ratio="16:9", music="film")


def join(clips: list[Path], target: Path, **how) -> None:
    """The clips joined as films are."""
    write_joined(plan_joined([Part(one) for one in clips], **how), target, {})


def encode_all(clips: list[Path], target: Path) -> None:
    """The same pictures and sound, decoded and encoded."""
    with av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 1920, 1080, "yuv420p"
        audio = out.add_stream("aac", rate=48_000, layout="stereo")
        shown = heard = 0
        for clip in clips:
            with av.open(str(clip)) as source:
                for frame in source.decode():
                    if isinstance(frame, av.VideoFrame):
                        frame.pts, frame.pict_type, shown = shown, 0, shown + 1
                        frame.time_base = Fraction(1, 24)
                        out.mux(video.encode(frame))
                    else:
                        frame.pts, heard = heard, heard + frame.samples
                        out.mux(audio.encode(frame))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def concat(clips: list[Path], target: Path) -> None:
    """The ffmpeg program, copying pictures and sound."""
    listing = target.with_suffix(".txt")
    listing.write_text("".join(f"file '{one}'\n" for one in clips))
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-y",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        str(listing),
        "-c",
        "copy",
        str(target),
    ]
    subprocess.run(command, check=True)


def joining(folder: Path) -> None:
    """(a)."""
    client = vidu.Client.preview(archive=folder / "clips")
    film = film_of(PROMPTS)
    clips = [client.generate(film.request(index)).path for index in range(len(film))]
    target = folder / "joined.mp4"
    works = {"copy": (join, clips, target), "encode": (encode_all, clips, folder / "encoded.mp4")}
    if shutil.which("ffmpeg"):
        works["concat"] = (concat, clips, folder / "concat.mp4")
    for work in works.values():
        timed(*work)  # imports and caches
    took = rounds(ROUNDS, **works)
    print(
        f"six clips of 5 s in 1080p joined by copying ({took['copy']:.2f} s), medians of {ROUNDS} interleaved rounds:"
    )
    verdict("of decoding and encoding the same", took["copy"] / took["encode"], 0.1)
    if "concat" in took:
        print(f"  the ffmpeg program's concat, which leaves the sound as it is: {took['concat']:.2f} s")
    command = [sys.executable, "-c", ALONE, str(target), *map(str, clips)]
    alone = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(ROUNDS)]
    wall, worked, _ = (min(float(run[place]) for run in alone) for place in range(3))
    verdict(f"seconds in a process of its own, of which it works {worked:.2f}", wall, 0.5)
    verdict("its peak in megabytes", max(int(kilobytes) for *_, kilobytes in alone) / 1024, 150)


def previewing(folder: Path) -> None:
    """(b)."""
    film, walls = film_of(PROMPTS), {}
    whole = film.preview(quality="draft", client=None)  # imports and caches
    assert whole.info.duration == 30
    for number in range(PREVIEW_ROUNDS):
        for quality in ("full", "draft"):
            client = vidu.Client.preview(quality=quality, archive=folder / f"{quality}-scenes-{number}")
            requests = [film.request(index) for index in range(len(film))]
            walls.setdefault(f"{quality} scenes", []).append(timed(lambda: [client.generate(one) for one in requests]))  # noqa: B023
            together = vidu.Client.preview(quality=quality, archive=folder / f"{quality}-film-{number}")
            walls.setdefault(quality, []).append(timed(lambda: film.preview(client=together)))  # noqa: B023
    took = {name: statistics.median(values) for name, values in walls.items()}
    print(f"a film of six scenes previewed ({took['full']:.1f} s), medians of {PREVIEW_ROUNDS} interleaved rounds:")
    verdict("of its scenes' previews one after another", took["full"] / took["full scenes"], 1.1)
    verdict("a draft, of its scenes' drafts one after another", took["draft"] / took["draft scenes"], 1.1)
    verdict("a draft, of the full preview", took["draft"] / took["full"], 0.4)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VIDU_NB_ARCHIVE"] = str(Path(folder) / "archive")
        joining(Path(folder))
        previewing(Path(folder))


if __name__ == "__main__":
    main()
