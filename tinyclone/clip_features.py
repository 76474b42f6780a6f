"""One clip to its features: words, mel and pitch; and which recordings are no use."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tinyclone import text as text_front_end
from tinyclone.audio import load_audio, normalise_loudness, resample, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip
from tinyclone.errors import AudioError
from tinyclone.feature_shards import Features
from tinyclone.mel import log_mel
from tinyclone.pitch import pitch_track

QUIETEST_PEAK = 1e-3


def extract(
    clip: Clip,
    *,
    config: AudioConfig = AudioConfig(),
    rate: float = 1.0,
    min_seconds: float = 0.3,
    max_seconds: float = 30.0,
) -> Features:
    """Compute the features of one clip.

    Parameters
    ----------
    clip : Clip
        The clip; its audio is read here.
    config : AudioConfig
        Rate, window and mel bands.
    rate : float
        Played this much faster, pitch and formants raised with it: above 1 a smaller speaker, below
        1 a larger one. A cheap way to more voices than a corpus has.
    min_seconds, max_seconds : float
        Shortest sound, after silence is trimmed, and longest recording, before. Of a longer one no
        more than that is read into memory.

    Raises
    ------
    AudioError, TextError
        When the recording or its text cannot be used.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    words = tuple(text_front_end.parse(clip.text))
    wav = usable_sound(clip.path, config=config, min_seconds=min_seconds, max_seconds=max_seconds)
    if rate != 1.0:
        wav = resample(wav, from_hz=round(config.sample_rate_hz * rate), to_hz=config.sample_rate_hz)
    wav = normalise_loudness(wav, config=config)
    speaker = clip.speaker if rate == 1.0 else f"{clip.speaker}@{rate:.3f}"
    return Features(
        id=clip.id,
        speaker=speaker,
        corpus=clip.corpus,
        text=clip.text,
        words=words,
        mel=log_mel(wav, config=config).astype(np.float16),
        pitch_hz=pitch_track(wav, config=config).astype(np.float16),
    )


def usable_sound(
    path: Path, *, config: AudioConfig = AudioConfig(), min_seconds: float, max_seconds: float
) -> np.ndarray:
    """Read a recording and trim its silence, shape (N,) float32; `AudioError` where it cannot be used.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    # A moment more than is allowed, to see whether there is more: hours are never read into memory.
    wav = load_audio(path, config=config, max_sec=max_seconds + 0.1)
    return trim_usable(wav, path=path, config=config, min_seconds=min_seconds, max_seconds=max_seconds)


def trim_usable(
    wav: np.ndarray, *, path: Path, config: AudioConfig, min_seconds: float, max_seconds: float
) -> np.ndarray:
    """Trim the silence of a wave that was read from `path`; `AudioError` where it cannot be used.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if len(wav) > max_seconds * config.sample_rate_hz:
        raise AudioError(
            f"{path} is longer than {max_seconds:g} s. Cut it at pauses, or allow more with max_seconds."
        )
    peak = float(np.abs(wav).max())
    if peak < QUIETEST_PEAK:
        raise AudioError(
            f"{path} is silent: its loudest sample is {peak:.1g} of full scale, expected at least "
            f"{QUIETEST_PEAK}. Record it again, or take it out of the corpus."
        )
    wav = trim_silence(wav, config=config)
    if len(wav) < min_seconds * config.sample_rate_hz:
        raise AudioError(
            f"{path} is shorter than {min_seconds:g} s: without the silence around it "
            f"{len(wav) / config.sample_rate_hz:.2f} s are left. Record more, or take it out of the corpus."
        )
    return wav


def short_reason(message: str, path: Path) -> str:
    """Return what is the matter with a clip in a few words, the same for all clips that have it.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    reason = message.removeprefix(str(path)).strip()
    if reason.startswith("Nothing in the text"):
        return "holds no text that can be spoken"
    return reason.split(":")[0].split(";")[0].split(". ")[0]


def pseudo_speaker_rates(speaker: str, *, copies: int) -> list[float]:
    """Return the playing rates that make `copies` other voices of a speaker, chosen by hash.

    They alternate between larger speakers (0.84 to 0.94) and smaller ones (1.07 to 1.19).

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    digest = hashlib.sha256(speaker.encode()).digest()
    rates = []
    for copy in range(copies):
        position = digest[copy % len(digest)] / 255
        low, high = (0.84, 0.94) if copy % 2 == 0 else (1.07, 1.19)
        rates.append(round(low + position * (high - low), 3))
    return rates
