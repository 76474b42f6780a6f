"""From a magnitude spectrogram to a wave: find phases that agree with one another."""

from __future__ import annotations

import numpy as np
import scipy.fft

from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.mel import frame, hann_window, mel_to_magnitude, overlap_add, squared_windows, stft

TINY = np.float32(1e-20)


def griffin_lim(
    magnitude: np.ndarray,
    *,
    config: AudioConfig = AudioConfig(),
    n_iter: int = 32,
    momentum: float = 0.99,
    seed: int = 0,
) -> np.ndarray:
    """Reconstruct a wave from magnitudes alone with the fast Griffin-Lim algorithm.

    It starts from random phases. Each iteration makes a wave of the spectrum and a spectrum of that
    wave, runs a little beyond it in the direction of the last change, and keeps the phases but not
    the magnitudes.

    Parameters
    ----------
    magnitude : np.ndarray, shape (F, 1 + n_fft // 2), non-negative
        F of at least 2; magnitudes, neither powers nor logarithms.
    config : AudioConfig
    n_iter : int
        Iterations, 0 or more; beyond 32 the ear gains little.
    momentum : float
        How far to run beyond, 0 (the algorithm of 1984) or more; over 1 it may diverge.
    seed : int
        Decides the random phases: the same seed gives the same wave.

    Returns
    -------
    np.ndarray, shape ((F - 1) * hop_length,), float32

    Raises
    ------
    AudioError
        If the magnitudes have another shape, or are negative, NaN or infinite.

    Notes
    -----
    Source: N. Perraudin, P. Balazs and P. Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013,
    algorithm 2.
    Lesson: lessons/06_griffin_lim.ipynb
    """
    magnitude = _as_magnitude(magnitude, config=config)
    if n_iter < 0 or momentum < 0:
        raise ValueError(f"Got n_iter={n_iter} and momentum={momentum}; expected neither below 0.")
    turns = np.random.default_rng(seed).random(magnitude.shape, dtype=np.float32)  # (F, bins)
    spectrum = magnitude * np.exp(np.complex64(2j * np.pi) * turns)
    window = hann_window(config)
    margin, n_padded = config.n_fft // 2, config.n_fft + (len(magnitude) - 1) * config.hop_length
    # One division for all iterations; zeros keep the wave from growing into the padding.
    weights = np.zeros(n_padded, np.float32)
    weights[margin : n_padded - margin] = (
        1.0 / squared_windows(len(magnitude), config=config)[margin : n_padded - margin]
    )
    # Running momentum beyond c_n along c_n - c_(n-1), up to a factor that only the phases outlive.
    lookback = np.float32(momentum / (1.0 + momentum))
    previous: np.ndarray | None = None
    for _ in range(n_iter):
        wav = _closest_wave(spectrum, window=window, weights=weights, config=config)
        consistent = scipy.fft.rfft(frame(wav, config=config) * window, overwrite_x=True)  # (F, bins)
        spectrum = consistent.copy() if previous is None else consistent - lookback * previous
        spectrum *= magnitude / (np.abs(spectrum) + TINY)
        previous = consistent
    return _closest_wave(spectrum, window=window, weights=weights, config=config)[margin : n_padded - margin]


def mel_to_wav(
    mel: np.ndarray, *, config: AudioConfig = AudioConfig(), n_iter: int = 32, seed: int = 0
) -> np.ndarray:
    """Turn a log-mel-spectrogram into sound: pseudo-inverse filterbank, then fast Griffin-Lim.

    Parameters
    ----------
    mel : np.ndarray, shape (F, n_mels)
        As `tinyclone.mel.log_mel` makes it, F of at least 2.
    config : AudioConfig
        The one that the mel was made with.
    n_iter : int
    seed : int
        Decides the random phases.

    Returns
    -------
    np.ndarray, shape ((F - 1) * hop_length,), float32 in [-1, 1]

    Raises
    ------
    AudioError
        If the mel has another shape, or holds NaN or infinite values.

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    wav = griffin_lim(mel_to_magnitude(mel, config=config), config=config, n_iter=n_iter, seed=seed)
    return np.clip(wav, -1.0, 1.0)


def spectral_convergence(
    magnitude: np.ndarray, wav: np.ndarray, *, config: AudioConfig = AudioConfig()
) -> float:
    """Measure how far a wave's magnitudes are from those that it should have.

    Parameters
    ----------
    magnitude : np.ndarray, shape (F, 1 + n_fft // 2), non-negative
    wav : np.ndarray, shape ((F - 1) * hop_length,) or up to a hop longer
    config : AudioConfig

    Returns
    -------
    float
        Norm of ``abs(stft(wav)) - magnitude`` over the norm of `magnitude`: 0 is perfect, 1 is as bad
        as silence.

    Raises
    ------
    AudioError
        If the shapes do not belong together, or the magnitudes are all 0.

    Notes
    -----
    Source: N. Sturmel and L. Daudet, "Signal reconstruction from STFT magnitude: a state of the art",
    DAFx 2011; there in dB.
    Lesson: lessons/06_griffin_lim.ipynb
    """
    magnitude = _as_magnitude(magnitude, config=config)
    reached = np.abs(stft(wav, config=config))  # (F, bins)
    if len(reached) != len(magnitude):
        raise AudioError(
            f"The wave of {len(wav)} samples has {len(reached)} frames; expected {len(magnitude)} as in the "
            f"magnitudes. Cut it to {(len(magnitude) - 1) * config.hop_length} samples."
        )
    size = float(np.linalg.norm(magnitude))
    if size == 0.0:
        raise AudioError("The magnitudes are all 0; expected sound, there is nothing to compare with.")
    return float(np.linalg.norm(reached - magnitude)) / size


def _closest_wave(
    spectrum: np.ndarray, *, window: np.ndarray, weights: np.ndarray, config: AudioConfig
) -> np.ndarray:
    """As `tinyclone.mel.istft`, but with its padding and a division done beforehand; spoils `spectrum`."""
    frames = scipy.fft.irfft(spectrum, n=config.n_fft, overwrite_x=True)  # (F, n_fft)
    frames *= window
    return overlap_add(frames, config=config)[: len(weights)] * weights


def _as_magnitude(magnitude: np.ndarray, *, config: AudioConfig) -> np.ndarray:
    magnitude = np.asarray(magnitude, np.float32)
    n_bins = 1 + config.n_fft // 2
    if magnitude.ndim != 2 or magnitude.shape[1] != n_bins or len(magnitude) < 2:
        raise AudioError(
            f"The magnitudes have the shape {magnitude.shape}; expected (frames, {n_bins}), time first, "
            "of at least 2 frames. Transpose them, or pass the config that they were made with."
        )
    if not np.isfinite(magnitude).all() or magnitude.min() < 0.0:
        raise AudioError(
            "The magnitudes hold negative, NaN or infinite values; expected absolute values. "
            "Logarithms need np.exp, a complex spectrum np.abs."
        )
    return magnitude
