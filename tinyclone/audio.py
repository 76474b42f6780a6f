"""Recordings in and out: load, resample, trim, bring to one loudness, check, save."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.sound_files import read_samples, write_samples

LOUDEST_SAMPLE = 0.99
SAVED_FORMATS = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}


def load_audio(
    path: str | os.PathLike[str], *, config: AudioConfig = AudioConfig(), max_sec: float | None = None
) -> np.ndarray:
    """Read a recording of any usual kind as one channel at the config's sample rate.

    Parameters
    ----------
    path : str or path
        WAV, FLAC, Ogg Vorbis, Opus, MP3 or whatever else libsndfile reads; any rate, any channel count.
    config : AudioConfig
        Names the sample rate of the result.
    max_sec : float, optional
        Read only so many seconds from the start.

    Returns
    -------
    wav : np.ndarray, shape (N,), float32 in [-1, 1]
        Channels are averaged; a float file that goes beyond full scale is scaled down to it.

    Raises
    ------
    AudioError
        If the file is missing, a folder, unreadable, empty, truncated, not audio, or holds NaN or
        infinite samples.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    path = Path(path)
    samples, rate_hz = read_samples(path, max_sec=max_sec)  # (N, channels)
    if not np.isfinite(samples).all():
        raise AudioError(
            f"{path} holds NaN or infinite samples; expected numbers in [-1, 1]. "
            "Export it again from the program that made it."
        )
    wav = samples.mean(axis=1)
    wav = wav / max(1.0, float(np.abs(wav).max()))
    wav = resample(wav, from_hz=rate_hz, to_hz=config.sample_rate_hz)
    if len(wav) == 0:
        raise AudioError(f"{path} is shorter than one sample at {config.sample_rate_hz} Hz. Record more.")
    # The resampling filter rings a little beyond full scale next to loud samples.
    return np.clip(wav, -1.0, 1.0)


def resample(wav: np.ndarray, *, from_hz: int, to_hz: int) -> np.ndarray:
    """Change the sample rate with the SoX resampler at high quality.

    Parameters
    ----------
    wav : np.ndarray, shape (N,)
    from_hz, to_hz : int
        Samples per second before and after.

    Returns
    -------
    np.ndarray, shape (about N * to_hz / from_hz,), float32

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    wav = as_wave(wav)
    if from_hz == to_hz:
        return wav
    return soxr.resample(wav, from_hz, to_hz, quality="HQ")


def trim_silence(
    wav: np.ndarray,
    *,
    config: AudioConfig = AudioConfig(),
    threshold_db: float = -40.0,
    margin_sec: float = 0.05,
) -> np.ndarray:
    """Cut the quiet from both ends.

    Parameters
    ----------
    wav : np.ndarray, shape (N,)
    config : AudioConfig
        Its hop length is the frame in which loudness is measured.
    threshold_db : float
        Frames below this, relative to the loudest frame, are quiet.
    margin_sec : float
        So much is kept before the first and after the last frame that is not quiet: soft consonants
        live there.

    Returns
    -------
    np.ndarray, shape (M,), M <= N, float32
        A wave that is silent throughout is returned whole.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    wav = as_wave(wav)
    loud = np.flatnonzero(active_frames(wav, config=config, threshold_db=threshold_db))
    if len(loud) == 0:
        return wav
    margin = round(margin_sec * config.sample_rate_hz)
    start = max(0, int(loud[0]) * config.hop_length - margin)
    stop = min(len(wav), (int(loud[-1]) + 1) * config.hop_length + margin)
    return wav[start:stop]


def normalise_loudness(
    wav: np.ndarray, *, config: AudioConfig = AudioConfig(), target_db: float = -23.0
) -> np.ndarray:
    """Bring the speech in a wave to one loudness.

    The loudness is the root mean square over the active frames, those within 30 dB of the loudest
    one, so that pauses do not count.

    Parameters
    ----------
    wav : np.ndarray, shape (N,)
    config : AudioConfig
        Its hop length is the frame in which loudness is measured.
    target_db : float
        Loudness to reach, in dB relative to full scale (an RMS of 1).

    Returns
    -------
    np.ndarray, shape (N,), float32
        No sample exceeds 0.99: a wave with high peaks stays softer than the target. Silence is
        returned as it is.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    wav = as_wave(wav)
    active = active_frames(wav, config=config, threshold_db=-30.0)
    if not active.any():
        return wav
    rms = np.sqrt(np.mean(_frame_rms(wav, config=config)[active] ** 2))
    peak = float(np.abs(wav).max())
    return wav * np.float32(min(10.0 ** (target_db / 20.0) / rms, LOUDEST_SAMPLE / peak))


def save_audio(path: str | os.PathLike[str], wav: np.ndarray, *, sample_rate_hz: int = 16000) -> Path:
    """Save a wave; an existing file is only replaced once the new one is complete.

    Parameters
    ----------
    path : str or path
        The suffix chooses the format: ``.wav`` and ``.flac`` (16 bit) or ``.ogg`` (Vorbis).
    wav : np.ndarray, shape (N,), in [-1, 1]
        Samples beyond full scale are clipped to it.
    sample_rate_hz : int

    Returns
    -------
    Path
        Where the file is.

    Raises
    ------
    AudioError
        If the suffix is another, the folder does not exist or cannot be written, or the wave is empty
        or not finite.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    path = Path(path)
    wav = np.clip(as_wave(wav), -1.0, 1.0)
    if path.suffix.lower() not in SAVED_FORMATS:
        raise AudioError(
            f"Cannot save {path}: the suffix is {path.suffix!r}; expected one of {', '.join(SAVED_FORMATS)}."
        )
    if path.is_dir():
        raise AudioError(f"Cannot save {path}: it is a folder. Name a file in it.")
    if not path.parent.is_dir():
        raise AudioError(f"Cannot save {path}: the folder {path.parent} does not exist. Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise AudioError(
            f"Cannot save {path}: you may not write to the folder {path.parent}. Choose another folder."
        )
    container, subtype = SAVED_FORMATS[path.suffix.lower()]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        write_samples(unfinished, wav, rate_hz=sample_rate_hz, container=container, subtype=subtype)
        os.replace(unfinished, path)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(
            f"Cannot save {path}: {error}. Choose a folder on a disk with space left."
        ) from error
    finally:
        if os.path.lexists(unfinished):
            unfinished.unlink()
    return path


def as_wave(wav: np.ndarray) -> np.ndarray:
    """Return `wav` as float32 of shape (N,), or raise `AudioError` that says what it is instead.

    Parameters
    ----------
    wav : array-like, shape (N,), floating point
        Integer samples are refused: their full scale cannot be known.

    Returns
    -------
    np.ndarray, shape (N,), float32
        The array itself where it already is float32.

    Raises
    ------
    AudioError
        If it has another shape, holds integers, is empty, or holds NaN or infinite samples.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    wav = np.asarray(wav)
    if wav.ndim != 1:
        raise AudioError(
            f"The wave has the shape {wav.shape}; expected one channel, (N,). Average the channels first."
        )
    if not np.issubdtype(wav.dtype, np.floating):
        raise AudioError(
            f"The wave holds {wav.dtype} samples; expected floating point in [-1, 1]. "
            "Divide 16-bit integers by 32768."
        )
    if len(wav) == 0:
        raise AudioError("The wave is empty; expected at least one sample. Record or load something first.")
    if not np.isfinite(wav).all():
        raise AudioError(
            "The wave holds NaN or infinite samples; expected numbers in [-1, 1]. "
            "Look for a division by zero where it was made."
        )
    return wav.astype(np.float32, copy=False)


def _frame_rms(wav: np.ndarray, *, config: AudioConfig) -> np.ndarray:
    """Root mean square of each hop, the last one padded with zeros: (ceil(N / hop_length),)."""
    n_frames = -(-len(wav) // config.hop_length)
    padded = np.zeros(n_frames * config.hop_length, np.float32)
    padded[: len(wav)] = wav
    return np.sqrt(np.mean(padded.reshape(n_frames, config.hop_length) ** 2, axis=1, dtype=np.float64))


def active_frames(wav: np.ndarray, *, config: AudioConfig, threshold_db: float) -> np.ndarray:
    """Return which hops are louder than `threshold_db` relative to the loudest, (frames,) bool.

    Notes
    -----
    Lesson: lessons/02_mel_extraction.ipynb
    """
    rms = _frame_rms(wav, config=config)
    return (rms >= rms.max() * 10.0 ** (threshold_db / 20.0)) & (rms > 0.0)
