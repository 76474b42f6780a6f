"""Pitch to harmonics: what the voice's folds alone would draw into a mel, before the mouth shapes it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.mel import mel_filterbank

LOWEST_HZ, HIGHEST_HZ = 60.0, 550.0
# Neighbours in the table are 0.4 % apart: the tenth harmonic of 200 Hz moves by half a frequency bin.
TABLE_SIZE = 512
DEEPEST = -2.0


@lru_cache(maxsize=4)
def harmonics_table(config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Return the harmonics of `TABLE_SIZE` pitches, evenly spaced in log pitch.

    A steady voice is a row of pulses, and its spectrum a comb: one copy of the window's own spectrum
    at every multiple of the pitch. Summed into mel bands and divided by its mean, the logarithm is
    positive on a harmonic, negative between two, and 0 where bands are too wide to tell them apart.

    Parameters
    ----------
    config : AudioConfig
        Window and mel bands.

    Returns
    -------
    np.ndarray [shape=(TABLE_SIZE, n_mels), float32, >= -2]
        Natural log of a band's magnitude over the mean; read-only.

    Notes
    -----
    The source of the source-filter model: Fant 1960, "Acoustic Theory of Speech Production".

    Lesson: lessons/04_model_building.ipynb
    """
    frequencies = np.arange(1 + config.n_fft // 2) * config.sample_rate_hz / config.n_fft
    pitches = np.exp(np.linspace(np.log(LOWEST_HZ), np.log(HIGHEST_HZ), TABLE_SIZE))[:, None]
    harmonic = np.maximum(np.round(frequencies / pitches), 1) * pitches
    bins_away = (frequencies - harmonic) * config.n_fft / config.sample_rate_hz
    comb = _hann_spectrum(bins_away)
    bands = comb @ mel_filterbank(config).T
    flat = comb.mean(axis=1, keepdims=True) * mel_filterbank(config).sum(axis=1)
    table = np.log(np.maximum(bands / np.maximum(flat, 1e-12), np.exp(DEEPEST))).astype(np.float32)
    table.setflags(write=False)
    return table


def table_rows(log_pitch: np.ndarray) -> np.ndarray:
    """Return the row of `harmonics_table` for each natural log of a pitch in Hz, as int32.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    low, high = np.log(LOWEST_HZ), np.log(HIGHEST_HZ)
    place = (np.asarray(log_pitch) - low) / (high - low) * (TABLE_SIZE - 1)
    return np.clip(np.round(place), 0, TABLE_SIZE - 1).astype(np.int32)


def measured_contour(pitch_hz: np.ndarray, *, log_pitch_if_none: float) -> np.ndarray:
    """Draw straight lines through the unvoiced parts of a measured pitch.

    Parameters
    ----------
    pitch_hz : np.ndarray [shape=(F,)]
        0 where unvoiced.
    log_pitch_if_none : float
        Used where nothing is voiced.

    Returns
    -------
    np.ndarray [shape=(F,), float32]
        Natural log of the pitch in Hz of every frame.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    voiced = np.flatnonzero(pitch_hz > 0)
    heights = np.log(np.asarray(pitch_hz, np.float32)[voiced])
    return _lines_through(voiced, heights, len(pitch_hz), log_pitch_if_none)


def predicted_contour(
    log_pitch: np.ndarray, voiced_share: np.ndarray, durations: np.ndarray, *, log_pitch_if_none: float
) -> np.ndarray:
    """Draw straight lines from the middle of one voiced token to the middle of the next.

    Parameters
    ----------
    log_pitch : np.ndarray [shape=(T,)]
        Natural log of the pitch in Hz of each token.
    voiced_share : np.ndarray [shape=(T,)]
        In [0, 1]; tokens below a half are passed over.
    durations : np.ndarray [shape=(T,), int]
        Frames of each token.
    log_pitch_if_none : float
        Used where nothing is voiced.

    Returns
    -------
    np.ndarray [shape=(F,), float32]
        Natural log of the pitch in Hz of every frame.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    middles = np.cumsum(durations) - (durations + 1) / 2
    voiced = (voiced_share >= 0.5) & (durations > 0)
    return _lines_through(middles[voiced], log_pitch[voiced], int(durations.sum()), log_pitch_if_none)


def _lines_through(frames: np.ndarray, heights: np.ndarray, n_frames: int, if_none: float) -> np.ndarray:
    if len(frames) == 0:
        return np.full(n_frames, if_none, np.float32)
    return np.interp(np.arange(n_frames), frames, heights).astype(np.float32)


def _hann_spectrum(bins: np.ndarray) -> np.ndarray:
    """Return the magnitude of a Hann window's spectrum so many bins from its peak; 1 at 0, 0 beyond 2."""
    inside = np.abs(bins) < 2
    near = np.where(inside, np.abs(bins), 0.0)
    # sinc(x) / (1 - x²) is 0/0 at one bin, where its value is a half.
    at_one = np.abs(near - 1) < 1e-6
    safe = np.where(at_one, 0.0, near)
    lobe = np.where(at_one, 0.5, np.abs(np.sinc(safe) / (1 - safe**2)))
    return np.where(inside, lobe, 0.0)
