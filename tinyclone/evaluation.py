"""How well a voice speaks: word errors, spectral and pitch distance, similarity, listening tests."""

from __future__ import annotations

import numpy as np

from tinyclone.confidence import (
    Estimate,
    bootstrap_word_error_rate,
    marks_needed,
    mean_opinion_score,
    paired_difference,
    student_t_quantile,
)
from tinyclone.word_errors import EditCounts, character_error_rate, edit_counts, word_error_rate

__all__ = [
    "EditCounts",
    "Estimate",
    "bootstrap_word_error_rate",
    "character_error_rate",
    "cosine_similarity",
    "dynamic_time_warping",
    "edit_counts",
    "log_f0_rmse",
    "marks_needed",
    "mean_opinion_score",
    "mel_cepstral_distortion",
    "mel_cepstrum",
    "paired_difference",
    "student_t_quantile",
    "word_error_rate",
]


def mel_cepstrum(mel: np.ndarray, *, n_coefficients: int = 13) -> np.ndarray:
    """Describe the shape of each frame's spectrum by a few cosines.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels)]
        Log-mel-spectrogram, natural logarithm of magnitudes.
    n_coefficients : int
        How many cosines, 1 to ``n_mels - 1``. The zeroth, the loudness, is not among them.

    Returns
    -------
    np.ndarray [shape=(F, n_coefficients)]
        ``c[d]`` such that ``mel = c[0] + sum over d of c[d] * cos(pi * d * (band + 1/2) / n_mels)``.

    Notes
    -----
    Source: Davis and Mermelstein 1980, equation 1, scaled to amplitudes.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    mel = np.asarray(mel, dtype=float)
    if mel.ndim != 2 or not 1 <= n_coefficients < mel.shape[1]:
        raise ValueError(
            f"Got a mel of shape {mel.shape} and {n_coefficients} coefficients; expected (frames, mel "
            "bands) and 1 to bands - 1 coefficients. Transpose a mel whose first axis is the bands."
        )
    n_mels = mel.shape[1]
    angles = np.pi * np.outer(np.arange(n_mels) + 0.5, np.arange(1, n_coefficients + 1)) / n_mels
    return mel @ (2 / n_mels * np.cos(angles))  # (F, n_coefficients)


def dynamic_time_warping(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the cheapest way to walk two recordings in step, neither ever going back.

    Parameters
    ----------
    cost : np.ndarray [shape=(F, G)]
        Distance of each frame of the one to each frame of the other.

    Returns
    -------
    rows, columns : np.ndarray [shape=(P,), int]
        The pairs of frames on the path, from (0, 0) to (F - 1, G - 1).

    Raises
    ------
    ValueError
        When `cost` is not two-dimensional, is empty, or holds values that are not finite.

    Notes
    -----
    Source: Sakoe and Chiba 1978, equation 9 with steps (1, 0), (0, 1), (1, 1) of equal weight.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    cost = np.asarray(cost, dtype=float)
    if cost.ndim != 2 or cost.size == 0 or not np.isfinite(cost).all():
        raise ValueError(
            f"Got a cost of shape {cost.shape}; expected finite values of shape (frames, frames), "
            "at least (1, 1). Look for an empty recording or NaN in it."
        )
    n_rows, n_columns = cost.shape
    total = np.full((n_rows + 1, n_columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(n_rows + n_columns - 1):  # cells of an anti-diagonal do not need each other
        i = np.arange(max(0, diagonal - n_columns + 1), min(diagonal, n_rows - 1) + 1)
        j = diagonal - i
        before = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j])
        total[i + 1, j + 1] = cost[i, j] + before
    return _cheapest_path(total)


def _cheapest_path(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i, j)]
    while (i, j) != (1, 1):
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda cell: total[cell])
        path.append((i, j))
    rows, columns = np.array(path[::-1]).T - 1
    return rows, columns


def mel_cepstral_distortion(
    reference_mel: np.ndarray, mel: np.ndarray, *, n_coefficients: int = 13, align: bool = True
) -> float:
    """Return how far two recordings of one sentence lie apart in timbre, in decibels.

    Parameters
    ----------
    reference_mel, mel : np.ndarray [shape=(F, n_mels)] and [shape=(G, n_mels)]
        Log-mel-spectrograms, natural logarithm of magnitudes, of the same configuration.
    n_coefficients : int
        Cosines compared. More see finer detail and give a larger distance: only compare equal ones.
    align : bool
        Warp the time axes onto each other first. Without it both need the same number of frames.

    Returns
    -------
    float
        Mean over the frame pairs, in dB; 0 is the same. Loudness does not count.

    Raises
    ------
    ValueError
        When the bands differ, or the frames do and `align` is off.

    Notes
    -----
    Source: Kubichek 1993, "Mel-cepstral distance measure for objective speech quality assessment",
    equation 1. With all cosines it is the root-mean-square difference over the bands in dB.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    if np.shape(reference_mel)[1:] != np.shape(mel)[1:] or not (align or len(reference_mel) == len(mel)):
        raise ValueError(
            f"Got mels of shapes {np.shape(reference_mel)} and {np.shape(mel)}; expected the same number "
            "of bands, and with align=False of frames too. Compute both with one AudioConfig."
        )
    reference = mel_cepstrum(reference_mel, n_coefficients=n_coefficients)
    other = mel_cepstrum(mel, n_coefficients=n_coefficients)
    if align:
        rows, columns = dynamic_time_warping(_euclidean(reference, other))
        reference, other = reference[rows], other[columns]
    squared = np.sum((reference - other) ** 2, axis=1)
    return float(10 / np.log(10) * np.mean(np.sqrt(2 * squared)))


def _euclidean(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    squares = np.sum(points**2, axis=1)[:, None] + np.sum(others**2, axis=1)
    return np.sqrt(np.maximum(squares - 2 * points @ others.T, 0.0))


def log_f0_rmse(reference_hz: np.ndarray, other_hz: np.ndarray) -> float:
    """Return how far two pitch curves lie apart.

    Parameters
    ----------
    reference_hz, other_hz : np.ndarray [shape=(F,)]
        Pitch of each frame in Hz; 0 or NaN where there is none. Curves of two lengths are first brought
        to one with the path of `dynamic_time_warping`.

    Returns
    -------
    float
        Root-mean-square difference of natural logarithms over the frames that are voiced in both.
        A semitone everywhere gives 0.0578.

    Raises
    ------
    ValueError
        When the lengths differ, or no frame is voiced in both.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    reference_hz, other_hz = np.asarray(reference_hz, dtype=float), np.asarray(other_hz, dtype=float)
    if reference_hz.shape != other_hz.shape or reference_hz.ndim != 1:
        raise ValueError(
            f"Got pitch curves of shapes {reference_hz.shape} and {other_hz.shape}; expected two equally "
            "long ones. Index both with the path of dynamic_time_warping first."
        )
    voiced = (reference_hz > 0) & (other_hz > 0)
    if not voiced.any():
        raise ValueError(
            "No frame is voiced in both pitch curves, so they cannot be compared; expected Hz where "
            "there is a voice and 0 where there is none. Check the pitch range of the tracker."
        )
    difference = np.log(reference_hz[voiced]) - np.log(other_hz[voiced])
    return float(np.sqrt(np.mean(difference**2)))


def cosine_similarity(voiceprint: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine of the angle between two voiceprints.

    Parameters
    ----------
    voiceprint, other : np.ndarray [shape=(V,)]
        Two vectors from the same encoder.

    Returns
    -------
    float
        -1 to 1; 1 is the same direction. What counts as alike depends on the encoder: report what two
        clips of one speaker and of two speakers reach beside it.

    Raises
    ------
    ValueError
        When the shapes differ, or a vector has no direction because it is all zero.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    voiceprint, other = np.asarray(voiceprint, dtype=float), np.asarray(other, dtype=float)
    if voiceprint.shape != other.shape or voiceprint.ndim != 1:
        raise ValueError(
            f"Got vectors of shapes {voiceprint.shape} and {other.shape}; expected two of the same "
            "length. Compute both with the same encoder."
        )
    lengths = np.linalg.norm(voiceprint) * np.linalg.norm(other)
    if not lengths > 0:
        raise ValueError(
            "A vector is all zero or not a number, so it points nowhere; expected a voiceprint. "
            "Check that the recording it came from is not silent."
        )
    return float(np.clip(voiceprint @ other / lengths, -1.0, 1.0))
