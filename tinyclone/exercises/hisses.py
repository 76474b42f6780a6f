"""Clips in which something hisses, and when: an exercise of lesson 2 looks for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyclone.audio import load_audio
from tinyclone.corpora import tinyvoices

RATE_HZ = 16000
REAL_CLIP = "rms-030"
# Measured by eye on a spectrogram: SH of "she", S of "keeps", the end of CH of "watch".
REAL_HISSES_SEC = ((0.05, 0.22), (0.69, 0.85), (1.36, 1.5))


@dataclass(frozen=True)
class HissingClip:
    """A clip, and from when to when it hisses."""

    what: str
    wav: np.ndarray
    hisses_sec: tuple[tuple[float, float], ...]


def hissing_clips() -> list[HissingClip]:
    """Return clips made of vowels, pauses and one hiss, and the start of a recording."""
    random = np.random.default_rng(1)
    noise = hiss(0.15, random=random)
    soft_pause = 2e-4 * hiss(0.4, random=random) / 0.05
    made = [
        ("a hiss after a vowel", [vowel(0.4), pause(0.1), noise, pause(0.2)], 2),
        ("a soft hiss before a loud vowel", [pause(0.1), 0.3 * noise, 2.0 * vowel(0.5)], 1),
        (
            "a soft hiss after a loud, bright vowel",
            [2.5 * vowel(0.3, up_to_hz=7500), pause(0.2), 0.1 * noise],
            2,
        ),
        ("a hiss, and a pause with soft noise", [0.4 * vowel(0.2), soft_pause, vowel(0.3), 0.5 * noise], 3),
    ]
    clips = [_joined(what, pieces, place, random=random) for what, pieces, place in made]
    path = next(clip.path for clip in tinyvoices() if clip.id == REAL_CLIP)
    return [*clips, HissingClip("a recording", load_audio(path)[: int(1.55 * RATE_HZ)], REAL_HISSES_SEC)]


def _joined(what: str, pieces: list[np.ndarray], place: int, *, random: np.random.Generator) -> HissingClip:
    ends_sec = np.cumsum([0] + [len(piece) for piece in pieces]) / RATE_HZ
    wav = np.concatenate(pieces)
    wav = (wav + 1e-5 * random.standard_normal(len(wav))).astype(np.float32)
    return HissingClip(what, wav, ((float(ends_sec[place]), float(ends_sec[place + 1])),))


def vowel(seconds: float, *, up_to_hz: float = 3500.0, pitch_hz: float = 120.0) -> np.ndarray:
    """Return a buzz with two formants whose harmonics end at a frequency."""
    time_sec = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    wav = np.zeros(len(time_sec))
    for frequency_hz in np.arange(pitch_hz, up_to_hz, pitch_hz):
        formants = sum(
            1.0 / (1.0 + ((frequency_hz - centre_hz) / 150.0) ** 2) for centre_hz in (600.0, 1200.0)
        )
        wav += (formants + 0.03) * np.sin(2 * np.pi * frequency_hz * time_sec)
    return 0.1 * wav / np.sqrt(np.mean(wav**2))


def hiss(seconds: float, *, random: np.random.Generator) -> np.ndarray:
    """Return noise that has nothing below 4 kHz."""
    n_samples = round(RATE_HZ * seconds)
    spectrum = np.fft.rfft(random.standard_normal(n_samples))
    spectrum[: round(4000 * seconds)] = 0.0
    wav = np.fft.irfft(spectrum, n=n_samples)
    return 0.05 * wav / np.sqrt(np.mean(wav**2))


def pause(seconds: float) -> np.ndarray:
    """Return digital silence."""
    return np.zeros(round(RATE_HZ * seconds))
