"""Tones in files, with words to them, for tests of what reads recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tinyclone.corpora import Clip

RATE_HZ = 16000


def tone(*, pitch_hz: float, seconds: float = 0.6) -> np.ndarray:
    phase = 2 * np.pi * pitch_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 8))


def write_clip(
    folder: Path, name: str, wav: np.ndarray, *, text: str = "A cat.", speaker: str = "ann"
) -> Clip:
    path = folder / f"{name}.wav"
    soundfile.write(path, wav, RATE_HZ)
    return Clip(id=name, speaker=speaker, text=text, path=path, corpus="made", licence="CC0")
