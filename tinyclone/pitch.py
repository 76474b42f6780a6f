"""Pitch: how many times a second the voice's folds open, frame by frame."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage

from tinyclone.config import AudioConfig

# So many frames fit into a processor core's own cache.
FRAMES_AT_ONCE = 64


def pitch_track(
    wav: np.ndarray,
    *,
    config: AudioConfig = AudioConfig(),
    fmin_hz: float = 65.0,
    fmax_hz: float = 500.0,
    voicing_threshold: float = 0.5,
) -> np.ndarray:
    """Follow the fundamental frequency by autocorrelation.

    A voiced sound repeats itself after one period, so its autocorrelation has a peak there. The peak
    is divided by the window's own autocorrelation, which would otherwise favour short periods, and
    a small bonus for the shorter of two equal periods avoids octave errors.

    Parameters
    ----------
    wav : np.ndarray [shape=(N,), float32 in [-1, 1]]
        The sound.
    config : AudioConfig
        Frames fall where `tinyclone.mel.log_mel` puts them.
    fmin_hz, fmax_hz : float
        Range of the search.
    voicing_threshold : float in (0, 1)
        Height of the normalised peak above which a frame counts as voiced.

    Returns
    -------
    np.ndarray [shape=(F,), float32]
        Fundamental frequency in Hz for each of the F = 1 + N // hop_length frames, 0 where unvoiced.

    Notes
    -----
    Boersma, "Accurate short-term analysis of the fundamental frequency", 1993, equation 9.

    Lesson: lessons/02_mel_extraction.ipynb
    """
    window_length = config.n_fft
    padded = np.pad(np.asarray(wav, np.float32), window_length // 2)
    n_frames = 1 + len(wav) // config.hop_length
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_length)[:: config.hop_length][:n_frames]
    window = np.hanning(window_length).astype(np.float32)
    shortest = int(config.sample_rate_hz / fmax_hz)
    longest = min(int(config.sample_rate_hz / fmin_hz), window_length // 2)
    window_correlation = np.maximum(_autocorrelation(window[None], longest), 1e-6)
    bonus = (0.03 * np.log2(np.arange(shortest, longest) / shortest)).astype(np.float32)
    power, peak, period = (np.empty(n_frames, np.float32) for _ in range(3))
    for start in range(0, n_frames, FRAMES_AT_ONCE):
        some = slice(start, start + FRAMES_AT_ONCE)
        centred = frames[some] - frames[some].mean(axis=1, keepdims=True)
        correlation = _autocorrelation(centred * window, longest) / window_correlation  # (some, longest)
        power[some] = correlation[:, 0]
        heights = correlation[:, shortest:] / np.maximum(correlation[:, :1], 1e-9)
        best = np.argmax(heights - bonus, axis=1)
        peak[some] = heights[np.arange(len(best)), best]
        period[some] = shortest + best + _parabolic_offset(heights, best)
    loud = power > 1e-4 * max(float(np.max(power)), 1e-9)
    voiced = (peak > voicing_threshold) & loud
    return _without_islands(np.where(voiced, config.sample_rate_hz / period, 0.0)).astype(np.float32)


def _autocorrelation(frames: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the linear autocorrelation of each row, lags 0 to n_lags - 1. (F, W) -> (F, n_lags)"""
    # Padded so far that the lags asked for do not meet the row's other end.
    length = scipy.fft.next_fast_len(frames.shape[1] + n_lags, real=True)
    spectrum = scipy.fft.rfft(frames, n=length, axis=1)
    power = spectrum.real**2
    power += spectrum.imag**2
    return scipy.fft.irfft(power, n=length, axis=1)[:, :n_lags]


def _parabolic_offset(heights: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Return where between the samples each peak lies, in samples within [-0.5, 0.5]. (F, L), (F,) -> (F,)"""
    inside = np.clip(best, 1, heights.shape[1] - 2)
    rows = np.arange(len(heights))
    left, middle, right = (heights[rows, inside + step] for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    offset = np.where(np.abs(curvature) > 1e-9, 0.5 * (left - right) / np.minimum(curvature, -1e-9), 0.0)
    return np.where(inside == best, np.clip(offset, -0.5, 0.5), 0.0)


def _without_islands(pitch_hz: np.ndarray) -> np.ndarray:
    """Drop voiced runs of one frame and values an octave away from their neighbours."""
    voiced = scipy.ndimage.binary_opening(pitch_hz > 0, structure=np.ones(2))
    padded = np.pad(np.where(voiced, pitch_hz, np.inf), 3, constant_values=np.inf)
    # The median of each voiced frame's seven neighbours, of those that are voiced: sorted, they come first.
    neighbours = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 7)[voiced], axis=1)
    rows, count = np.arange(len(neighbours)), np.isfinite(neighbours).sum(axis=1)
    middle = np.zeros_like(pitch_hz)
    middle[voiced] = (neighbours[rows, (count - 1) // 2] + neighbours[rows, count // 2]) / 2
    wrong = voiced & (np.abs(np.log2(np.maximum(pitch_hz, 1.0) / np.maximum(middle, 1.0))) > 0.4)
    return np.where(wrong, middle, np.where(voiced, pitch_hz, 0.0))
