"""What the usual mistakes make of a log-mel-spectrogram, so that a checker of lesson 2 can name them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.mel import frame, hann_window, mel_filterbank

MEL_TOLERANCE = 2e-3
DB_PER_NEPER = 20.0 / np.log(10.0)


def why_other_values(mel: np.ndarray, expected: np.ndarray, wav: np.ndarray, config: AudioConfig) -> str:
    """Name the usual mistake that gives exactly these values, or say where they differ most."""
    if not np.isfinite(mel).all():
        return (
            "your mel holds -inf or NaN, as of the logarithm of 0: there is no floor. See `config.log_floor`."
        )
    for mistaken, hint in _usual_mistakes(expected, wav, config):
        if np.allclose(mel, mistaken, rtol=1e-3, atol=MEL_TOLERANCE):
            return hint
    offset = mel - expected
    if np.std(offset) < 1e-2:
        factor = float(np.exp(np.clip(np.median(offset), -50, 50)))
        return f"every magnitude is {factor:.3g} times what was expected. What scales the wave or the frames?"
    slope = float(np.polyfit(expected.ravel(), mel.ravel(), 1)[0])
    if slope > 0.9 * DB_PER_NEPER and np.corrcoef(expected.ravel(), mel.ravel())[0, 1] > 0.99:
        return "your mel is in dB, the natural logarithm was expected."
    worst = np.unravel_index(np.abs(offset).argmax(), offset.shape)
    return (
        f"frame {worst[0]}, band {worst[1]} is {mel[worst]:.3f}, but {expected[worst]:.3f} was expected. "
        "Compare each step with the lesson's: padding, window, magnitude, filterbank, floor, logarithm."
    )


def _usual_mistakes(
    expected: np.ndarray, wav: np.ndarray, config: AudioConfig
) -> Iterator[tuple[np.ndarray, str]]:
    """Yield what each usual mistake makes of a wave, and its hint."""
    linear = _linear_mel(wav, config)
    floored = np.maximum(linear, config.log_floor)
    power = _linear_mel(wav, config, exponent=2.0)
    floored_power = np.maximum(power, config.log_floor)
    in_db = "your mel is in dB, the natural logarithm was expected."
    powers = "your mel has power instead of magnitude: do not square what np.abs returns."
    yield DB_PER_NEPER * expected, in_db
    yield 10.0 * np.log10(floored_power), in_db
    yield 10.0 * np.log10(floored), in_db
    yield 10.0 * np.log10(np.maximum(power, 1e-10)), in_db
    yield np.log(floored_power), powers
    yield np.log(np.maximum(power, config.log_floor**2)), powers
    yield 2.0 * expected, powers
    yield expected / np.log(10.0), "your logarithm has base 10, the natural one was expected: np.log."
    yield expected / np.log(2.0), "your logarithm has base 2, the natural one was expected: np.log."
    yield linear, "the logarithm is missing."
    yield floored, "the logarithm is missing."
    yield np.log1p(linear), "log1p adds 1 before the logarithm, and hides all that is soft. Use np.log."
    yield (
        np.log(linear + config.log_floor),
        "the floor was added to every value. Only what is smaller is raised to it: np.maximum.",
    )
    yield (
        np.maximum(np.log(np.maximum(linear, 1e-30)), config.log_floor),
        "the floor came after the logarithm: it is a smallest magnitude, not a smallest logarithm.",
    )
    flat = np.ones(config.n_fft)
    yield _log(_linear_mel(wav, config, window=flat), config), "the window is missing: multiply every frame."
    yield (
        _log(_linear_mel(wav, config, window=np.hanning(config.n_fft)), config),
        "np.hanning is zero at both ends. The periodic window divides by n_fft, not by n_fft - 1.",
    )
    if len(wav) > config.n_fft // 2:
        yield (
            _log(_linear_mel(wav, config, padding="reflect"), config),
            "the wave was padded with its own reflection, zeros were expected.",
        )
    yield (
        _log(_linear_mel(wav, config, padded_before=0), config),
        "frames are not centred: pad half a window of zeros before the wave, too.",
    )
    filters = mel_filterbank(config)
    yield (
        _log(_linear_mel(wav, config, filters=filters / filters.max(axis=1, keepdims=True)), config),
        "your filters all have the height 1. Each should have the area 1.",
    )


def _linear_mel(
    wav: np.ndarray,
    config: AudioConfig,
    *,
    exponent: float = 1.0,
    window: np.ndarray | None = None,
    padding: str = "constant",
    padded_before: int | None = None,
    filters: np.ndarray | None = None,
) -> np.ndarray:
    half = config.n_fft // 2
    before = half if padded_before is None else padded_before
    padded = np.pad(wav.astype(np.float64), (before, 2 * half - before), mode=padding)
    window = hann_window(config, np.float64) if window is None else window
    magnitude = np.abs(np.fft.rfft(frame(padded, config=config) * window))
    return magnitude**exponent @ (mel_filterbank(config) if filters is None else filters).T


def _log(linear: np.ndarray, config: AudioConfig) -> np.ndarray:
    return np.log(np.maximum(linear, config.log_floor))
