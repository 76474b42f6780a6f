"""Samples as a few whole numbers: quieter ones in finer steps, as the ear hears."""

from __future__ import annotations

import numpy as np
from keras import ops
from scipy.signal import lfilter


def mu_law_encode(wav, *, levels: int = 256):
    """Turn samples into the nearest of a few levels, which lie closer together where the wave is small.

    Parameters
    ----------
    wav : array or tensor, any shape, in [-1, 1]
        What lies beyond is clipped.
    levels : int

    Returns
    -------
    tensor of the same shape, int32, in [0, levels)

    Notes
    -----
    Van den Oord et al. 2016, section 2.2: ``sign(x) ln(1 + mu |x|) / ln(1 + mu)``, with mu = levels - 1.

    Lesson: lessons/papers/wavenet.ipynb
    """
    mu = levels - 1
    wav = ops.clip(ops.cast(wav, "float32"), -1.0, 1.0)
    companded = ops.sign(wav) * ops.log1p(mu * ops.abs(wav)) / np.log1p(mu)
    return ops.cast(ops.floor((companded + 1) / 2 * mu + 0.5), "int32")


def mu_law_decode(numbers: np.ndarray, *, levels: int = 256) -> np.ndarray:
    """Turn the numbers of `mu_law_encode` back into samples, float32 in [-1, 1].

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    mu = levels - 1
    companded = 2 * np.asarray(numbers) / mu - 1
    return (np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(mu)) / mu).astype(np.float32)


def lower_high_frequencies(raised: np.ndarray, *, emphasis: float) -> np.ndarray:
    """Undo ``raised[n] = wav[n] - emphasis * wav[n - 1]``.

    Parameters
    ----------
    raised : np.ndarray, shape (N,)
    emphasis : float in [0, 1)

    Returns
    -------
    np.ndarray, shape (N,), float32 in [-1, 1]

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    wav = lfilter([1.0], [1.0, -emphasis], np.asarray(raised, np.float64))
    return np.clip(wav, -1.0, 1.0).astype(np.float32)
