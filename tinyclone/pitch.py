"""Pitch: how many times a second the voice's folds open, frame by frame."""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage

from tinyclone.config import AudioConfig


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
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    correlation = _autocorrelation(frames) / np.maximum(_autocorrelation(window[None]), 1e-6)
    power = correlation[:, :1]
    shortest = int(config.sample_rate_hz / fmax_hz)
    longest = min(int(config.sample_rate_hz / fmin_hz), window_length // 2)
    lags = np.arange(shortest, longest)
    heights = correlation[:, shortest:longest] / np.maximum(power, 1e-9)
    best = np.argmax(heights - 0.03 * np.log2(lags / shortest), axis=1)
    peak = np.take_along_axis(heights, best[:, None], axis=1)[:, 0]
    loud = power[:, 0] > 1e-4 * max(float(np.max(power)), 1e-9)
    voiced = (peak > voicing_threshold) & loud
    pitch_hz = config.sample_rate_hz / (shortest + best + _parabolic_offset(heights, best))
    return _without_islands(np.where(voiced, pitch_hz, 0.0)).astype(np.float32)


def _autocorrelation(frames: np.ndarray) -> np.ndarray:
    """Return the linear autocorrelation of each row, lags 0 to half a window. (F, W) -> (F, W // 2)"""
    length = frames.shape[1]
    spectrum = scipy.fft.rfft(frames, n=2 * length, axis=1)
    return scipy.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : length // 2]


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
    filled = np.where(voiced, pitch_hz, np.nan)
    padded = np.pad(filled, 3, constant_values=np.nan)
    neighbours = np.lib.stride_tricks.sliding_window_view(padded, 7)
    middle = np.zeros_like(pitch_hz)
    middle[voiced] = np.nanmedian(neighbours[voiced], axis=1)
    wrong = voiced & (np.abs(np.log2(np.maximum(pitch_hz, 1.0) / np.maximum(middle, 1.0))) > 0.4)
    return np.where(wrong, middle, np.where(voiced, pitch_hz, 0.0))
