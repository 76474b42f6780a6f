"""Mixtures of Gaussians: how likely a value is under one, and values drawn from one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from keras import ops

LOG_ROOT_OF_TWO_PI = 0.5 * math.log(2 * math.pi)


class Mixture(NamedTuple):
    """What a mixture of K Gaussians is made of, for every element of a spectrogram.

    Parameters
    ----------
    means : tensor, shape (..., K)
    stds : tensor, shape (..., K), positive
    log_weights : tensor, shape (..., K)
        Natural logarithms of weights that add up to 1.

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """

    means: object
    stds: object
    log_weights: object


def read_mixture(raw, *, smallest_std: float) -> Mixture:
    """Turn what a network says, any numbers, into a mixture.

    Parameters
    ----------
    raw : tensor, shape (..., 3 * K)
        Means, logarithms of what the standard deviations exceed `smallest_std` by, and logits of weights.
    smallest_std : float > 0
        Where all recordings hold the very same value, such as a silence at the floor of the logarithm, a
        Gaussian could become ever narrower and its density infinite. This bounds it.

    Returns
    -------
    Mixture

    Notes
    -----
    Vasquez & Lewis 2019, equations 2 to 5; the bound is ours.

    Lesson: lessons/papers/melnet.ipynb
    """
    means, log_stds, logits = ops.split(raw, 3, axis=-1)  # (..., K) each
    return Mixture(means, smallest_std + ops.exp(log_stds), ops.log_softmax(logits, axis=-1))


def negative_log_likelihood(value, mixture: Mixture):
    """How surprising values are.

    Parameters
    ----------
    value : tensor, shape (...)
    mixture : Mixture

    Returns
    -------
    tensor, shape (...)
        Nats. A density can be above 1, so this can be below 0.

    Notes
    -----
    Vasquez & Lewis 2019, equation 2.

    Lesson: lessons/papers/melnet.ipynb
    """
    distance = (ops.expand_dims(value, -1) - mixture.means) / mixture.stds  # (..., K)
    log_densities = -0.5 * ops.square(distance) - ops.log(mixture.stds) - LOG_ROOT_OF_TWO_PI
    return -ops.logsumexp(mixture.log_weights + log_densities, axis=-1)  # (...)


def draw(raw: np.ndarray, *, smallest_std: float, temperature: float, chance: np.random.Generator) -> float:
    """Draw one value from a mixture.

    Parameters
    ----------
    raw : np.ndarray, shape (3 * K,)
        As `read_mixture` reads it.
    smallest_std : float > 0
    temperature : float >= 0
        1 draws from the mixture. Below 1, weights become more extreme and Gaussians narrower; 0 gives the
        mean of the heaviest Gaussian.
    chance : np.random.Generator

    Returns
    -------
    float

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """
    means, log_stds, logits = np.split(raw, 3)
    if temperature == 0:
        return float(means[logits.argmax()])
    # The largest of logits with Gumbel noise is each one as often as softmax says.
    chosen = (logits / temperature + chance.gumbel(size=len(logits))).argmax()
    std = smallest_std + math.exp(log_stds[chosen])
    return float(means[chosen] + temperature * std * chance.standard_normal())
