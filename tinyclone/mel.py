"""From a wave to its log-mel-spectrogram, and back from mels to magnitudes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft

from tinyclone.audio import as_wave
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError

# So many frames fit into a processor core's own cache.
FRAMES_AT_ONCE = 64


@lru_cache(maxsize=8)
def mel_filterbank(config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Triangular filters that sum the bins of a spectrum into mel bands.

    Each filter rises from the centre of the band below to its own and falls to the centre of the band
    above; centres are equally spaced on the Slaney mel scale. Each triangle has the area 1 over
    frequency in Hz, so that white noise is flat in mels.

    Parameters
    ----------
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape (n_mels, 1 + n_fft // 2), float32, non-negative, read-only

    Notes
    -----
    Source: M. Slaney, "Auditory Toolbox, version 2", Interval Research report 1998-010.
    Lesson: lessons/02_mel_extraction.ipynb
    """
    lowest, highest = _hz_to_mel(np.array([config.fmin_hz, config.fmax_hz]))
    edges_hz = _mel_to_hz(np.linspace(lowest, highest, config.n_mels + 2))  # (n_mels + 2,)
    bins_hz = np.fft.rfftfreq(config.n_fft, d=1.0 / config.sample_rate_hz)  # (bins,)
    below, centre, above = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - below) / (centre - below)  # (n_mels, bins)
    falling = (above - bins_hz) / (above - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = (triangles * 2.0 / (above - below)).astype(np.float32)
    filters.setflags(write=False)
    return filters


def log_mel(wav: np.ndarray, *, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Turn a wave into the log-mel-spectrogram that every model here reads and predicts.

    It is ``log(max(filterbank @ abs(STFT), log_floor))``, natural logarithm, magnitudes not powers.

    Parameters
    ----------
    wav : np.ndarray, shape (N,), in [-1, 1]
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape (F, n_mels), float32, at least log(log_floor)
        F = 1 + N // hop_length; frame f is centred at sample f * hop_length.

    Raises
    ------
    AudioError
        If the wave is not one channel of finite floating-point samples.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    # Double precision: in single, rounding noise of loud bins shows in the logarithm of soft ones.
    padded = np.pad(as_wave(wav).astype(np.float64), config.n_fft // 2)
    frames = frame(padded, config=config)  # (F, n_fft)
    window, filters = hann_window(config, np.float64), mel_filterbank(config).T
    mel = np.empty((len(frames), config.n_mels), np.float32)
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        some = slice(start, start + FRAMES_AT_ONCE)
        spectrum = scipy.fft.rfft(frames[some] * window, overwrite_x=True)  # (some, bins)
        power = spectrum.real**2
        power += spectrum.imag**2
        # From here on everything is positive, so that single precision loses nothing.
        mel[some] = np.sqrt(power.astype(np.float32)) @ filters
    return np.log(np.maximum(mel, np.float32(config.log_floor), out=mel), out=mel)


def mel_to_magnitude(mel: np.ndarray, *, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Estimate the magnitude spectrogram that a log-mel came from.

    The filterbank's pseudo-inverse gives the smallest spectrum that has these mels; what it makes
    negative is raised to the floor.

    Parameters
    ----------
    mel : np.ndarray, shape (F, n_mels)
        Natural logarithm of mel magnitudes.
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape (F, 1 + n_fft // 2), float32, at least log_floor

    Raises
    ------
    AudioError
        If the mel has another number of bands or holds NaN or infinite values.

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    mel = checked_mel(mel, n_mels=config.n_mels, otherwise="pass the config that it was made with")
    return np.maximum(np.exp(mel) @ _inverse_filterbank(config), np.float32(config.log_floor))


def checked_mel(mel: np.ndarray, *, n_mels: int, otherwise: str, fewest_frames: int = 0) -> np.ndarray:
    """Return a mel as float32; raise AudioError if it is none that can be used.

    `otherwise` is what to do where it is not only to be transposed.
    """
    mel, at_least = np.asarray(mel, np.float32), ("", ", one frame or more", ", two frames or more")
    if mel.ndim != 2 or mel.shape[1] != n_mels or len(mel) < fewest_frames:
        raise AudioError(
            f"The mel has the shape {mel.shape}; expected (frames, {n_mels}), time first"
            f"{at_least[fewest_frames]}. Transpose it, or {otherwise}."
        )
    if not np.isfinite(mel).all():
        raise AudioError("The mel holds NaN or infinite values; expected logarithms of magnitudes.")
    return mel


def stft(wav: np.ndarray, *, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Short-time Fourier transform with a Hann window, the wave padded with zeros at both ends.

    Parameters
    ----------
    wav : np.ndarray, shape (N,)
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape (F, 1 + n_fft // 2), complex64
        F = 1 + N // hop_length; frame f is centred at sample f * hop_length.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    padded = np.pad(as_wave(wav), config.n_fft // 2)
    return scipy.fft.rfft(frame(padded, config=config) * hann_window(config))


def istft(
    spectrum: np.ndarray, *, config: AudioConfig = AudioConfig(), length: int | None = None
) -> np.ndarray:
    """Return the wave whose short-time Fourier transform is closest to a spectrum.

    Each frame is transformed back, windowed once more and added where it belongs; the sum is divided
    by the squared windows that met there.

    Parameters
    ----------
    spectrum : np.ndarray, shape (F, 1 + n_fft // 2), complex
    config : AudioConfig
    length : int, optional
        Samples to return; (F - 1) * hop_length unless stated. Up to n_fft // 2 more can be asked for.

    Returns
    -------
    np.ndarray, shape (length,), float32

    Notes
    -----
    Source: D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform",
    IEEE Transactions on Acoustics, Speech and Signal Processing 32 (1984), equation 6.
    Lesson: lessons/06_griffin_lim.ipynb
    """
    length = (len(spectrum) - 1) * config.hop_length if length is None else length
    frames = scipy.fft.irfft(spectrum, n=config.n_fft).astype(np.float32, copy=False)  # (F, n_fft)
    padded = overlap_add(frames * hann_window(config), config=config)
    padded /= squared_windows(len(frames), config=config)
    wav = padded[config.n_fft // 2 : config.n_fft // 2 + length]
    return np.pad(wav, (0, length - len(wav)))


def overlap_add(frames: np.ndarray, *, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Add frames up, each one hop after the one before.

    Parameters
    ----------
    frames : np.ndarray, shape (F, n_fft)
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape (ceil(n_fft / hop_length) * hop_length + (F - 1) * hop_length,)

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    hop_length, n_frames = config.hop_length, len(frames)
    hops_in_frame = -(-config.n_fft // hop_length)
    total = np.zeros((n_frames - 1 + hops_in_frame, hop_length), frames.dtype)
    for hop in range(hops_in_frame):
        piece = frames[:, hop * hop_length : (hop + 1) * hop_length]  # (F, hop_length) or narrower
        total[hop : hop + n_frames, : piece.shape[1]] += piece
    return total.reshape(-1)


def squared_windows(n_frames: int, *, config: AudioConfig = AudioConfig()) -> np.ndarray:
    """Sum of the squared windows at each sample of `overlap_add`'s result, 1 where no window reaches.

    Parameters
    ----------
    n_frames : int
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape as `overlap_add`'s result, float32, positive

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    squares = np.broadcast_to(hann_window(config) ** 2, (n_frames, config.n_fft))
    total = overlap_add(squares, config=config)
    # A window's own ends are almost zero: dividing by them would blow rounding noise up.
    return np.where(total > np.finfo(np.float32).tiny, total, np.float32(1.0))


def frame(padded: np.ndarray, *, config: AudioConfig) -> np.ndarray:
    """Cut a wave into overlapping frames, one every hop, without copying a sample.

    Parameters
    ----------
    padded : np.ndarray, shape (M,), M of at least n_fft
    config : AudioConfig

    Returns
    -------
    np.ndarray, shape (1 + (M - n_fft) // hop_length, n_fft), a read-only view

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    return np.lib.stride_tricks.sliding_window_view(padded, config.n_fft)[:: config.hop_length]


@lru_cache(maxsize=8)
def hann_window(config: AudioConfig, dtype: type[np.floating] = np.float32) -> np.ndarray:
    """One raised cosine, periodic: its last sample is not zero, the next window's first is.

    Parameters
    ----------
    config : AudioConfig
    dtype : floating type

    Returns
    -------
    np.ndarray, shape (n_fft,), in [0, 1], read-only

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(config.n_fft) / config.n_fft)
    window = window.astype(dtype)
    window.setflags(write=False)
    return window


@lru_cache(maxsize=8)
def _inverse_filterbank(config: AudioConfig) -> np.ndarray:
    """Pseudo-inverse of the filterbank, transposed to multiply time-major mels: (n_mels, bins)."""
    return np.linalg.pinv(mel_filterbank(config).astype(np.float64)).T.astype(np.float32)


# Slaney's scale: 3 mels per 200 Hz up to 1000 Hz (mel 15), then 27 mels for each factor of 6.4.
def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, logarithmic)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    logarithmic = 1000.0 * 6.4 ** ((np.maximum(mel, 15.0) - 15.0) / 27.0)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, logarithmic)
