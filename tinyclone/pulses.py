"""Pitch to the sound that a vocoder shapes into speech: the pulses of the voice's folds, and breath."""

from __future__ import annotations

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.excitation import HIGHEST_HZ, LOWEST_HZ
from tinyclone.mel import istft, stft

# The highest harmonic, in shares of the sample rate: a half cannot be told from its mirror image.
HIGHEST_SHARE = 0.495
# The dearest leap from one frame to the next, in shares of the range of pitch; farther ones do not exist.
LONGEST_LEAP = 1 / 16
LEAP_COST = 60.0
NEIGHBOURS = 2


def pulse_train(
    log_pitch: np.ndarray, *, config: AudioConfig = AudioConfig(), start_turn: float = 0.0
) -> np.ndarray:
    """Draw a row of pulses: the sum of all harmonics of a pitch that the sample rate can hold.

    Parameters
    ----------
    log_pitch : np.ndarray [shape=(F,)]
        Natural log of the pitch in Hz of each frame; straight lines are drawn between frames.
    config : AudioConfig
    start_turn : float in [0, 1)
        Where in its period the train begins.

    Returns
    -------
    np.ndarray [shape=(F * hop_length,), float32]
        Of power 1 at any pitch, as white noise of variance 1 is.

    Notes
    -----
    The sum of cosines in closed form is the Dirichlet kernel.

    Lesson: lessons/07_neural_vocoder.ipynb
    """
    frame = np.arange(len(log_pitch) * config.hop_length) / config.hop_length
    pitch_hz = np.exp(np.interp(frame, np.arange(len(log_pitch)), np.asarray(log_pitch, np.float64)))
    # Turns are counted in double precision: after a minute, single precision would be out of tune.
    turns = start_turn + np.cumsum(pitch_hz / config.sample_rate_hz)
    phase = (2 * np.pi * (turns % 1.0)).astype(np.float32)
    harmonics = np.floor(HIGHEST_SHARE * config.sample_rate_hz / pitch_hz).astype(np.float32)
    half = np.sin(phase / 2)
    at_pulse = np.abs(half) < 1e-4
    between = np.sin((harmonics + 0.5) * phase) / (2 * np.where(at_pulse, 1, half)) - 0.5
    return np.where(at_pulse, harmonics, between) * np.sqrt(2 / harmonics)


def sound_source(
    log_pitch: np.ndarray, *, config: AudioConfig = AudioConfig(), random: np.random.Generator
) -> np.ndarray:
    """Return the pulses of a pitch and white noise. (F,) -> (F * hop_length, 2), float32, each of power 1

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    pulses = pulse_train(log_pitch, config=config, start_turn=random.random())
    return np.stack([pulses, random.standard_normal(len(pulses), dtype=np.float32)], axis=1)


def shaped_sound(
    source: np.ndarray, gains: tuple[np.ndarray, np.ndarray, np.ndarray], *, config: AudioConfig
) -> np.ndarray:
    """Let a source through the gains of `tinyclone.vocoder.Vocoder.gains`.

    Parameters
    ----------
    source : np.ndarray [shape=(N, 2), float32]
        Pulses and noise; N of L hops.
    gains : three np.ndarray [shape=(L, 1 + n_fft // 2)]
        Real and imaginary part for the spectrum of the pulses, and a magnitude for that of the noise.
    config : AudioConfig
        Window and hop of the gains.

    Returns
    -------
    np.ndarray [shape=((L - 1) * hop_length,), float32]

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    real, imaginary, of_noise = gains
    pulses, noise = (stft(one, config=config)[: len(real)] for one in np.ascontiguousarray(source.T))
    return istft(pulses * (real + 1j * imaginary) + noise * of_noise, config=config)


def pitch_classes_hz(n_classes: int) -> np.ndarray:
    """Return the pitch in Hz of each class, evenly spaced in log pitch, shape (n_classes,)."""
    return np.exp(np.linspace(np.log(LOWEST_HZ), np.log(HIGHEST_HZ), n_classes))


def class_of_pitch(pitch_hz: np.ndarray, *, n_classes: int) -> np.ndarray:
    """Return where each pitch lies among the classes, a fraction in [0, n_classes - 1]; 0 for 0 Hz."""
    share = np.log(np.maximum(pitch_hz, LOWEST_HZ) / LOWEST_HZ) / np.log(HIGHEST_HZ / LOWEST_HZ)
    return np.clip(share, 0, 1) * (n_classes - 1)


def pitch_from_scores(scores: np.ndarray) -> np.ndarray:
    """Follow the pitch that a network sees in a mel.

    Viterbi's algorithm finds the path with the highest scores that does not leap; the mean over the
    nearest classes, weighted by their probability, then says where between two classes it runs.

    Parameters
    ----------
    scores : np.ndarray [shape=(F, n_classes + 1)]
        A score for each class of pitch and, last, the log odds that the frame is voiced.

    Returns
    -------
    np.ndarray [shape=(F,), float32]
        Pitch in Hz, 0 where unvoiced.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    scores, voicing = np.asarray(scores[:, :-1], np.float64), scores[:, -1]
    n_frames, n_classes = scores.shape
    scores = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)  # log probabilities
    path = _best_path(scores * (voicing > 0)[:, None])
    near = path[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)  # (F, 5)
    inside = (near >= 0) & (near < n_classes)
    near = np.clip(near, 0, n_classes - 1)
    weight = np.exp(np.take_along_axis(scores, near, axis=1) - scores[np.arange(n_frames), path][:, None])
    weight *= inside
    log_hz = np.log(pitch_classes_hz(n_classes))[near]
    pitch_hz = np.exp((weight * log_hz).sum(axis=1) / weight.sum(axis=1))
    return np.where(voicing > 0, pitch_hz, 0.0).astype(np.float32)


def _best_path(scores: np.ndarray) -> np.ndarray:
    """Return the class of each frame on the path with the highest sum of scores less its leaps."""
    n_frames, n_classes = scores.shape
    reach = max(1, round(LONGEST_LEAP * n_classes))
    leaps = np.arange(-reach, reach + 1)
    cost = LEAP_COST * np.abs(leaps) / n_classes
    every = np.arange(n_classes)
    best, came_from = scores[0].copy(), np.zeros((n_frames, n_classes), np.int32)
    for frame in range(1, n_frames):
        padded = np.pad(best, reach, constant_values=-np.inf)
        reached = np.lib.stride_tricks.sliding_window_view(padded, len(leaps)) - cost  # (classes, leaps)
        choice = reached.argmax(axis=1)
        came_from[frame] = every + leaps[choice]
        best = reached[every, choice] + scores[frame]
    path = np.empty(n_frames, np.int32)
    path[-1] = best.argmax()
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path
