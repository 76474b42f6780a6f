"""Whether a recording is good enough to clone a voice from, and which part of it to use."""

from __future__ import annotations

import warnings

import numpy as np

from tinyclone.audio import active_frames, as_wave, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError

FULL_SCALE = 0.999


def check_reference(
    wav: np.ndarray, *, config: AudioConfig = AudioConfig(), min_sec: float = 1.0, max_sec: float = 30.0
) -> np.ndarray:
    """Return the usable part of a recording whose voice is to be cloned, or say why there is none.

    Parameters
    ----------
    wav : np.ndarray, shape (N,), in [-1, 1]
        A recording at the config's sample rate; 3 to 15 s of one speaker are best.
    config : AudioConfig
    min_sec : float
        Seconds that must be louder than -40 dB relative to the loudest frame.
    max_sec : float
        Of a longer recording only so many seconds are kept, those with the most speech, with a warning.

    Returns
    -------
    np.ndarray, shape (M,), float32
        The wave without the silence at its ends.

    Raises
    ------
    AudioError
        If the wave is not one channel of finite numbers in [-1, 1], silent, clipped (more than 1 % of
        the samples at full scale) or has too little speech.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    wav = as_wave(wav)
    _require_speech_level(wav)
    wav = trim_silence(wav, config=config)
    clipped = float(np.mean(np.abs(wav) >= FULL_SCALE))
    if clipped > 0.01:
        raise AudioError(
            f"The reference is clipped: {clipped:.1%} of its samples are at full scale; expected at most "
            "1 %. Record again with the microphone's level turned down."
        )
    active = active_frames(wav, config=config, threshold_db=-40.0)
    speech_sec = float(active.sum()) / config.frames_per_sec
    if speech_sec < min_sec:
        raise AudioError(
            f"The reference holds {speech_sec:.2f} s of speech; expected at least {min_sec:g} s, "
            "and 3 to 15 s are best. Record a few sentences."
        )
    if len(wav) <= max_sec * config.sample_rate_hz:
        return wav
    warnings.warn(
        f"The reference is {len(wav) / config.sample_rate_hz:.0f} s long; only the {max_sec:g} s with the "
        "most speech are used. 3 to 15 s are enough.",
        stacklevel=2,
    )
    n_frames = int(max_sec * config.frames_per_sec)
    speech_before = np.concatenate([[0], np.cumsum(active)])
    start = int(np.argmax(speech_before[n_frames:] - speech_before[:-n_frames])) * config.hop_length
    return wav[start : start + n_frames * config.hop_length]


def _require_speech_level(wav: np.ndarray) -> None:
    """Refuse a wave that is silent or whose samples are not scaled to [-1, 1]."""
    peak = float(np.abs(wav).max())
    if peak < 1e-3:
        raise AudioError(
            f"The reference is silent: its loudest sample is {peak:.1g} of full scale; expected at least "
            "0.001. Check that the microphone was on, and record again."
        )
    if peak > 2.0:
        raise AudioError(
            f"The reference has samples up to {peak:g}; expected [-1, 1]. Divide 16-bit samples by 32768."
        )
