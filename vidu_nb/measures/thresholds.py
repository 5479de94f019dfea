"""What measured differences mean: thresholds, a verdict on the pictures, one on the sound, and the reason for each.

Pure: figures in, words out.
"""

from __future__ import annotations

from typing import Literal

from .differences import Pictures, Sound

PicturesVerdict = Literal["same bytes", "same pictures", "alike", "different"]
SoundVerdict = Literal["same", "alike", "different", "none"]

#: Every frame must reach both. Where viewers' grade "reasonable" begins: Zinner, Hohlfeld, Abboud and Hossfeld, "Impact
#: of frame rate and resolution on objective QoE metrics", QoMEX 2010.
MIN_SSIM = 0.88
MIN_PSNR_DB = 27.4
#: What two sounds share carries at least as much power as what the second has besides.
MIN_SDR_DB = 0.0
#: Sound that runs this early beside its picture begins to be noticed: Recommendation ITU-R BT.1359-1.
MAX_SOUND_LAG_MS = 45.0
MAX_SOUND_CUT_MS = 100.0  # encoders pad a sound by up to two AAC frames of 23 ms at either end


def judge_pictures(pictures: Pictures) -> PicturesVerdict:
    """Judge two clips whose bytes differ."""
    if pictures.identical:
        return "same pictures"
    return "different" if _difference(pictures) else "alike"


def judge_sound(sound: Sound) -> SoundVerdict:
    """Judge two clips' sounds."""
    if not any(sound.present):
        return "none"
    if sound.identical:
        return "same"
    return "different" if _sound_difference(sound) else "alike"


def why_pictures(verdict: PicturesVerdict, pictures: Pictures) -> str:
    """Return the reason for a verdict on pictures, with its figures."""
    match verdict:
        case "same bytes":
            return "the files' SHA-256 sums are equal"
        case "same pictures":
            return f"all {pictures.frames[0]} decoded frames are equal, the files' bytes are not"
        case "alike":
            return (
                f"every frame's SSIM is at least {min(pictures.ssim):.3f} (threshold {MIN_SSIM}) "
                f"and its PSNR {min(pictures.psnr_db):.1f} dB (threshold {MIN_PSNR_DB})"
            )
        case "different":
            return _difference(pictures)


def why_sound(sound: Sound) -> str:
    """Return the reason for the verdict on sounds, with its figures."""
    match judge_sound(sound):
        case "none":
            return "neither has sound"
        case "same":
            return "the sound is equal"
        case "alike":
            return f"the sound is alike, {sound.sdr_db:.1f} dB above what differs (threshold {MIN_SDR_DB:g})"
        case "different":
            return f"the sound differs: {_sound_difference(sound)}"


def decisive_frame(pictures: Pictures) -> int:
    """Return the frame that a verdict rests on, from 0: of the lowest SSIM, or PSNR where only that is too low."""
    frames = range(len(pictures.ssim))
    by_psnr = min(pictures.ssim) >= MIN_SSIM and min(pictures.psnr_db) < MIN_PSNR_DB
    first, second = (pictures.psnr_db, pictures.ssim) if by_psnr else (pictures.ssim, pictures.psnr_db)
    return min(frames, key=lambda i: (first[i], second[i]))


def _difference(pictures: Pictures) -> str:
    """Say what keeps pictures from being alike; empty where nothing does."""
    if pictures.obstacle:
        return pictures.obstacle
    first, second = pictures.frames
    if first != second:
        return f"one has {first} frames, the other {second}{_shared(pictures)}"
    if pictures.lag:
        return f"{_shift(pictures)}; shifted back they differ by {pictures.lag_rms:.1f} of 255 grey levels"
    if below := _frames_below(pictures):
        at = decisive_frame(pictures)
        return (
            f"{below} of {first} frames are too far apart, frame {at} most: SSIM {pictures.ssim[at]:.3f} "
            f"(threshold {MIN_SSIM}), PSNR {pictures.psnr_db[at]:.1f} dB (threshold {MIN_PSNR_DB})"
        )
    return ""


def _frames_below(pictures: Pictures) -> int:
    """Count the frames that miss a threshold."""
    figures = zip(pictures.ssim, pictures.psnr_db, strict=True)
    return sum(ssim < MIN_SSIM or psnr < MIN_PSNR_DB for ssim, psnr in figures)


def _shift(pictures: Pictures) -> str:
    frames = abs(pictures.lag)
    return f"the second runs {frames} frame{'s' * (frames > 1)} {'late' if pictures.lag > 0 else 'early'}"


def _shared(pictures: Pictures) -> str:
    """Say how the frames compare that both clips have."""
    if pictures.lag:
        return f", and {_shift(pictures)}"
    if pictures.ssim and not _frames_below(pictures):
        return f"; the {len(pictures.ssim)} that both have are alike"
    return ""


def _sound_difference(sound: Sound) -> str:
    if not all(sound.present):
        return f"only the {'first' if sound.present[0] else 'second'} has any"
    first, second = sound.seconds
    if sound.sdr_db < MIN_SDR_DB:
        return f"what they share is {-sound.sdr_db:.1f} dB weaker than what differs"
    if abs(first - second) * 1000 > MAX_SOUND_CUT_MS:
        return f"one is {first:.2f} s long, the other {second:.2f} s"
    if abs(sound.lag_ms) > MAX_SOUND_LAG_MS:
        return f"the second runs {abs(sound.lag_ms):.0f} ms {'late' if sound.lag_ms > 0 else 'early'}"
    return ""
