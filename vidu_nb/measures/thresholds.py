"""What measured differences mean: thresholds, a word for the pictures, one for the sound, and the reason in a sentence.

Pure: figures in, words out.
"""

from __future__ import annotations

from typing import Literal

from .differences import Pictures, Sound

Word = Literal["same bytes", "same pictures", "alike", "different"]
SoundWord = Literal["same", "alike", "different", "none"]

#: Every frame must reach both. Where viewers' grade "reasonable" begins: Zinner, Hohlfeld, Abboud and Hossfeld, "Impact
#: of frame rate and resolution on objective QoE metrics", QoMEX 2010.
MIN_SSIM = 0.88
MIN_PSNR_DB = 27.4
#: What two sounds share carries at least as much power as what the second has besides.
MIN_SDR_DB = 0.0
#: Sound that runs this early beside its picture begins to be noticed: Recommendation ITU-R BT.1359-1.
MAX_SOUND_LAG_MS = 45.0
MAX_SOUND_CUT_MS = 100.0  # encoders pad a sound by up to two AAC frames of 23 ms at either end


def judge_pictures(pictures: Pictures) -> Word:
    """The verdict on two clips whose bytes differ."""
    if pictures.identical:
        return "same pictures"
    return "different" if _difference(pictures) else "alike"


def judge_sound(sound: Sound) -> SoundWord:
    """The verdict on two clips' sounds."""
    if not any(sound.present):
        return "none"
    if sound.identical:
        return "same"
    return "different" if _sound_difference(sound) else "alike"


def why_pictures(word: Word, pictures: Pictures) -> str:
    """The reason of a verdict on pictures, with its figures."""
    if word == "same bytes":
        return "the files' SHA-256 sums are equal"
    if word == "same pictures":
        return f"all {pictures.frames[0]} decoded frames are equal, the files' bytes are not"
    if word == "different":
        return _difference(pictures)
    return (
        f"every frame's SSIM is at least {min(pictures.ssim):.3f} ({MIN_SSIM} is asked) "
        f"and its PSNR {min(pictures.psnr_db):.1f} dB ({MIN_PSNR_DB} is asked)"
    )


def why_sound(sound: Sound) -> str:
    """The reason of a verdict on sounds, with its figures."""
    word = judge_sound(sound)
    if word == "none":
        return "neither has sound"
    if word == "same":
        return "the sound is equal"
    if word == "different":
        return f"the sound differs: {_sound_difference(sound)}"
    return f"the sound is alike, {sound.sdr_db:.1f} dB above what differs ({MIN_SDR_DB:g} is asked)"


def decisive_frame(pictures: Pictures) -> int:
    """The frame that a verdict rests on, from 0: the lowest SSIM, or the lowest PSNR where only that is too low."""
    frames = range(len(pictures.ssim))
    by_psnr = min(pictures.ssim) >= MIN_SSIM and min(pictures.psnr_db) < MIN_PSNR_DB
    first, second = (pictures.psnr_db, pictures.ssim) if by_psnr else (pictures.ssim, pictures.psnr_db)
    return min(frames, key=lambda i: (first[i], second[i]))


def _difference(pictures: Pictures) -> str:
    """What keeps pictures from being alike; empty where nothing does."""
    if pictures.obstacle:
        return pictures.obstacle
    first, second = pictures.frames
    if first != second:
        return f"one has {first} frames, the other {second}{_shared(pictures)}"
    if pictures.lag:
        return f"{_shift(pictures)}; shifted back they differ by {pictures.lag_rms:.1f} of 255 grey levels"
    at = decisive_frame(pictures)
    if pictures.ssim[at] < MIN_SSIM or min(pictures.psnr_db) < MIN_PSNR_DB:
        below = sum(
            ssim < MIN_SSIM or psnr < MIN_PSNR_DB for ssim, psnr in zip(pictures.ssim, pictures.psnr_db, strict=True)
        )
        return (
            f"{below} of {first} frames are too far apart, frame {at} most: SSIM {pictures.ssim[at]:.3f} "
            f"({MIN_SSIM} is asked), PSNR {pictures.psnr_db[at]:.1f} dB ({MIN_PSNR_DB} is asked)"
        )
    return ""


def _shift(pictures: Pictures) -> str:
    frames = abs(pictures.lag)
    return f"the second runs {frames} frame{'s' * (frames > 1)} {'late' if pictures.lag > 0 else 'early'}"


def _shared(pictures: Pictures) -> str:
    """What is left of the likeness where one clip is shorter."""
    if pictures.lag:
        return f", and {_shift(pictures)}"
    if pictures.ssim and min(pictures.ssim) >= MIN_SSIM and min(pictures.psnr_db) >= MIN_PSNR_DB:
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
