"""Drawing a WaveNet's samples one after the other, without doing anything twice.

Each layer keeps what it heard in a ring: the next sample costs one step of every layer, however far back the
network looks. Compiled by numba, because a hundred small products for each sample would wait for Python.
Shapes in comments: F frames, K layers, C residual channels, S skip channels, H hidden channels, L levels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from keras import ops

if TYPE_CHECKING:
    from tinyclone.papers.wavenet import WaveNet


class NetworkWeights(NamedTuple):
    """The weights of a `tinyclone.papers.wavenet.WaveNet` as arrays, float32; layers are stacked.

    Parameters
    ----------
    dilations : np.ndarray, shape (K,), int64
    first, first_bias : np.ndarray, shape (C,)
    taps : np.ndarray, shape (K, kernel_size, C, 2C)
        The oldest tap first.
    residual, residual_bias : np.ndarray, shape (K - 1, C, C) and (K - 1, C)
        The last layer hands nothing on.
    skip, skip_bias : np.ndarray, shape (K, C, S) and (S,)
        The bias is the sum over all layers.
    hidden, hidden_bias : np.ndarray, shape (S, H) and (H,)
    scores, scores_bias : np.ndarray, shape (H, L) and (L,)

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """

    dilations: np.ndarray
    first: np.ndarray
    first_bias: np.ndarray
    taps: np.ndarray
    residual: np.ndarray
    residual_bias: np.ndarray
    skip: np.ndarray
    skip_bias: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    scores: np.ndarray
    scores_bias: np.ndarray


def weights_of(wavenet: WaveNet) -> NetworkWeights:
    """Return the weights that every sample needs, layers stacked; what reads the mel is not among them.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    layers = wavenet.gated
    return NetworkWeights(
        dilations=np.array(wavenet.config.dilations),
        first=_array(wavenet.first.kernel)[0],
        first_bias=_array(wavenet.first.bias),
        taps=np.stack([_array(one.convolution.kernel) for one in layers]),
        residual=np.stack([_array(one.residual.kernel) for one in layers[:-1]]),
        residual_bias=np.stack([_array(one.residual.bias) for one in layers[:-1]]),
        skip=np.stack([_array(one.skip.kernel) for one in layers]),
        skip_bias=sum(_array(one.skip.bias) for one in layers),
        hidden=_array(wavenet.hidden.kernel),
        hidden_bias=_array(wavenet.hidden.bias),
        scores=_array(wavenet.scores.kernel),
        scores_bias=_array(wavenet.scores.bias),
    )


def _array(variable: Any) -> np.ndarray:
    """Copy a variable: JAX's arrays may not be written to, and numba would compile anew for them."""
    return np.array(ops.convert_to_numpy(variable), np.float32)


def draw_samples(
    weights: NetworkWeights, said: np.ndarray, chances: np.ndarray, *, temperature: float
) -> np.ndarray:
    """Draw samples one after the other.

    Parameters
    ----------
    weights : NetworkWeights
    said : np.ndarray, shape (F + 1, K, 2C), float32
        What the mel says to each layer at each frame; the bias of the convolution is part of it.
    chances : np.ndarray, shape (N,), in [0, 1)
        One random number for each sample. N is a multiple of F.
    temperature : float > 0
        Scores are divided by it: below 1, what is likely becomes likelier.

    Returns
    -------
    np.ndarray, shape (N,), int64
        Numbers of levels, in [0, L).

    Notes
    -----
    Paine et al. 2016, "Fast Wavenet generation algorithm": each layer's queue of earlier inputs.

    Lesson: lessons/papers/wavenet.ipynb
    """
    hop_length = len(chances) // (len(said) - 1)
    return _draw(*weights, said, chances.astype(np.float64), hop_length, float(temperature))


def choose(scores: np.ndarray, chance: float, *, temperature: float = 1.0) -> int:
    """Draw the number of a level: the first at which the probabilities so far exceed a random number.

    Parameters
    ----------
    scores : np.ndarray, shape (L,)
    chance : float in [0, 1)
    temperature : float > 0

    Returns
    -------
    int
        In [0, L).

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    return int(_choose(np.asarray(scores, np.float64), float(chance), float(temperature)))


@numba.njit(cache=True)
def _choose(scores: np.ndarray, chance: float, temperature: float) -> int:
    likely = np.exp((scores - scores.max()) / temperature)
    wanted, so_far = chance * likely.sum(), 0.0
    for level in range(len(scores)):
        so_far += likely[level]
        if so_far > wanted:
            return level
    return len(scores) - 1


@numba.njit(cache=True)
def _add_product(total: np.ndarray, x: np.ndarray, matrix: np.ndarray) -> None:
    """Add ``x @ matrix`` to `total`, row by row: that is how the matrix lies in memory."""
    for row in range(matrix.shape[0]):
        factor, one = x[row], matrix[row]
        for column in range(len(total)):
            total[column] += factor * one[column]


@numba.njit(cache=True)
def _draw(
    dilations,
    first,
    first_bias,
    taps,
    residual,
    residual_bias,
    skip,
    skip_bias,
    hidden,
    hidden_bias,
    scores,
    scores_bias,
    said,
    chances,
    hop_length,
    temperature,
):
    n_layers, n_taps, n_channels = taps.shape[:3]
    reach = (n_taps - 1) * dilations.max() + 1
    rings = np.zeros((n_layers, reach, n_channels), np.float32)  # each layer's inputs; step n's at n % reach
    gates = np.zeros(2 * n_channels, np.float32)
    passed = np.zeros(n_channels, np.float32)
    top_level = len(scores_bias) - 1
    numbers = np.zeros(len(chances), np.int64)
    heard = np.float32(0.0)  # before the first sample lies what the network pads with
    for n in range(len(chances)):
        frame, share = n // hop_length, np.float32((n % hop_length) / hop_length)
        x = first_bias + heard * first  # (C,)
        total = skip_bias.copy()  # (S,)
        for layer in range(n_layers):
            rings[layer, n % reach] = x
            now, following = said[frame, layer], said[frame + 1, layer]
            for channel in range(2 * n_channels):
                gates[channel] = now[channel] + (following[channel] - now[channel]) * share
            for tap in range(n_taps):
                back = (n_taps - 1 - tap) * dilations[layer]
                if back <= n:
                    _add_product(gates, rings[layer, (n - back) % reach], taps[layer, tap])
            for channel in range(n_channels):
                opened = np.float32(1.0) / (np.float32(1.0) + np.exp(-gates[n_channels + channel]))
                passed[channel] = np.tanh(gates[channel]) * opened
            _add_product(total, passed, skip[layer])
            if layer < n_layers - 1:
                x = x + residual_bias[layer]
                _add_product(x, passed, residual[layer])
        for channel in range(len(total)):
            total[channel] = max(total[channel], np.float32(0.0))
        inner = hidden_bias.copy()  # (H,)
        _add_product(inner, total, hidden)
        for channel in range(len(inner)):
            inner[channel] = max(inner[channel], np.float32(0.0))
        likely = scores_bias.copy()  # (L,)
        _add_product(likely, inner, scores)
        numbers[n] = _choose(likely.astype(np.float64), chances[n], temperature)
        heard = np.float32(2 * numbers[n] / top_level - 1)
    return numbers
