"""Spectra inside a network: the transforms of `tinyclone.mel` in ``keras.ops``, with gradients.

Shapes in comments: B clips, N samples, L looks (frames of a spectrum), K frequency bins, M mel bands.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from keras import ops

from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.mel import hann_window, mel_filterbank

TINY = 1e-9


def hops_in_window(config: AudioConfig) -> int:
    """Return how many hops a window spans; `AudioError` unless it is a whole number."""
    if config.n_fft % config.hop_length:
        raise AudioError(
            f"The window of {config.n_fft} samples is not a multiple of the hop of {config.hop_length}. "
            "Choose an n_fft that is: frames are then cut and added up by reshaping."
        )
    return config.n_fft // config.hop_length


def stft(wav, *, config: AudioConfig, centred: bool = True):
    """Short-time Fourier transform of a batch of waves.

    Parameters
    ----------
    wav : tensor [shape=(B, N), float32]
        N a multiple of the hop length.
    config : AudioConfig
        Window and hop.
    centred : bool
        Whether look l is centred at sample l * hop_length, with zeros around the wave, as in
        `tinyclone.mel.stft`; else it starts there and only whole windows count.

    Returns
    -------
    (tensor, tensor) [shape=(B, L, K)]
        Real and imaginary part; L = 1 + N / hop_length if centred, hops_in_window - 1 less if not.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    n_hops, hop_length = hops_in_window(config), config.hop_length
    if centred:
        wav = ops.pad(wav, [[0, 0], [config.n_fft // 2, config.n_fft // 2]])
    shape = ops.shape(wav)
    hops = ops.reshape(wav, (shape[0], shape[1] // hop_length, hop_length))
    n_looks = shape[1] // hop_length - n_hops + 1
    frames = ops.concatenate([hops[:, hop : hop + n_looks] for hop in range(n_hops)], axis=-1)
    return ops.rfft(frames * hann_window(config))


def istft(real, imaginary, mask, *, config: AudioConfig):
    """Return the waves whose short-time Fourier transforms are closest to spectra.

    Parameters
    ----------
    real, imaginary : tensor [shape=(B, L, K), float32]
        Of the spectra.
    mask : tensor [shape=(B, L, 1), float32]
        0 for the looks that are padding: the wave is that of the others alone.
    config : AudioConfig
        Window and hop.

    Returns
    -------
    tensor [shape=(B, (L - 1) * hop_length), float32]
        As `tinyclone.mel.istft`.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    window = hann_window(config)
    frames = ops.irfft((real * mask, imaginary * mask), fft_length=config.n_fft) * window  # (B, L, n_fft)
    squares = ops.ones_like(frames[:, :, :1]) * mask * np.square(window)
    weight = _overlap_add(squares, config=config)
    wav = _overlap_add(frames, config=config) / ops.where(weight > TINY, weight, 1.0)
    margin = config.n_fft // 2
    return wav[:, margin : margin + (ops.shape(real)[1] - 1) * config.hop_length]


def _overlap_add(frames, *, config: AudioConfig):
    """Add frames up, each one hop after the one before. (B, L, n_fft) -> (B, (L + n_hops - 1) * hop)"""
    n_hops, shape = hops_in_window(config), ops.shape(frames)
    pieces = ops.reshape(frames, (shape[0], shape[1], n_hops, config.hop_length))
    total = sum(
        ops.pad(pieces[:, :, hop], [[0, 0], [hop, n_hops - 1 - hop], [0, 0]]) for hop in range(n_hops)
    )
    return ops.reshape(total, (shape[0], (shape[1] + n_hops - 1) * config.hop_length))


def magnitude(wav, *, config: AudioConfig, centred: bool = False):
    """Return the magnitudes (B, L, K) of waves (B, N), with a gradient where they are 0."""
    real, imaginary = stft(wav, config=config, centred=centred)
    return ops.sqrt(ops.square(real) + ops.square(imaginary) + TINY)


def log_mel_of(magnitudes, *, config: AudioConfig):
    """Return natural-log mels (B, L, M) of magnitudes (B, L, K), as `tinyclone.mel.log_mel`."""
    return ops.log(ops.maximum(ops.matmul(magnitudes, mel_filterbank(config).T), config.log_floor))


@lru_cache(maxsize=8)
def band_to_bin(config: AudioConfig, n_bins: int) -> np.ndarray:
    """Return the weights that draw straight lines from the centres of mel bands through all bins.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    filters = mel_filterbank(config)  # (M, bins of the mel's own window)
    bins_hz = np.linspace(0, config.sample_rate_hz / 2, filters.shape[1])
    centres_hz = filters @ bins_hz / np.maximum(filters.sum(axis=1), 1e-9)
    wanted_hz = np.linspace(0, config.sample_rate_hz / 2, n_bins)
    lines = [np.interp(wanted_hz, centres_hz, one) for one in np.eye(config.n_mels)]
    return np.array(lines, np.float32)  # (M, n_bins)


@lru_cache(maxsize=8)
def minimum_phase(n_fft: int) -> np.ndarray:
    """Return the matrix (K, K) that turns log magnitudes into the phases of the fastest filter with them.

    Of all filters with these magnitudes, it lets most of the energy through first: its cepstrum has no
    negative times, so magnitude and phase are tied.

    Notes
    -----
    Oppenheim & Schafer, "Discrete-Time Signal Processing", section 12.1.

    Lesson: lessons/07_neural_vocoder.ipynb
    """
    cepstra = np.fft.irfft(np.eye(1 + n_fft // 2), n=n_fft)  # (K, n_fft), even in time
    folded = np.zeros_like(cepstra)
    folded[:, 1 : n_fft // 2] = 2 * cepstra[:, 1 : n_fft // 2]
    return np.fft.rfft(folded).imag.astype(np.float32)
