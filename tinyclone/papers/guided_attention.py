"""Attention that is helped to find its way, and a measure of whether it does. For both Tacotrons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from keras import ops

CLOSE_TO_THE_END = 2


def guided_attention_loss(alignment, decoder_steps, characters, *, width: float = 0.2):
    """Punish attention for being far from the diagonal.

    Parameters
    ----------
    alignment : tensor, shape (B, D, T), in [0, 1]
        What each decoder step attends to.
    decoder_steps, characters : tensor, shape (B,), int
        How much of D and T is not padding.
    width : float > 0
        How far from the diagonal attention may go, as a share of the sentence: at this distance the
        punishment is 39 % of the largest.

    Returns
    -------
    tensor, shape ()
        Mean over the real decoder steps, in [0, 1].

    Notes
    -----
    Tachibana et al. 2018, "Efficiently trainable text-to-speech system based on deep convolutional networks
    with guided attention", section 4.1: the weight of an element is
    ``1 - exp(-(n / N - t / T)**2 / (2 g**2))``, with g = 0.2.

    Lesson: lessons/papers/tacotron.ipynb
    """
    _, most_steps, most_characters = ops.shape(alignment)
    step = ops.arange(most_steps, dtype="float32")[None, :, None]
    character = ops.arange(most_characters, dtype="float32")[None, None, :]
    n_steps = ops.cast(decoder_steps, "float32")[:, None, None]
    n_characters = ops.cast(characters, "float32")[:, None, None]
    distance = character / n_characters - step / n_steps  # (B, D, T)
    punishment = 1 - ops.exp(-ops.square(distance) / (2 * width**2))
    real = ops.cast(step < n_steps, "float32")  # (B, D, 1); padded characters get no attention anyway
    return ops.sum(alignment * punishment * real) / ops.sum(n_steps)


def placed_attention_loss(alignment, places, decoder_steps, *, width: float = 1.5):
    """Punish attention for being far from the letter that is heard.

    A diagonal can be drawn by a clock, without a look at the letters. This one cannot: it waits where a
    sound is long and leaps where letters are silent.

    Parameters
    ----------
    alignment : tensor, shape (B, D, T), in [0, 1]
        What each decoder step attends to.
    places : tensor, shape (B, D)
        The character that each step should attend to, see `tinyclone.papers.letter_places`.
    decoder_steps : tensor, shape (B,), int
        How much of D is not padding.
    width : float > 0
        How many characters away still counts as near, the standard deviation of a bell.

    Returns
    -------
    tensor, shape ()
        Mean negative log of the attention near the place, over the real decoder steps; at least 0.

    Notes
    -----
    Zhu et al. 2019, "Pre-alignment guided attention for improving training efficiency and model stability in
    end-to-end speech synthesis": attention learns from a forced aligner. The form of the loss is ours.

    Lesson: lessons/papers/tacotron.ipynb
    """
    _, most_steps, most_characters = ops.shape(alignment)
    distance = ops.arange(most_characters, dtype="float32") - ops.expand_dims(places, -1)  # (B, D, T)
    near = ops.sum(alignment * ops.exp(-ops.square(distance) / (2 * width**2)), axis=-1)  # (B, D)
    real = ops.arange(most_steps, dtype="int32")[None] < ops.cast(decoder_steps, "int32")[:, None]
    real = ops.cast(real, "float32")
    return -ops.sum(real * ops.log(near + 1e-6)) / ops.sum(real)


def guiding_loss(alignment, inputs, decoder_steps, *, reduction_factor: int):
    """Return `placed_attention_loss` where a batch has places of letters, and else `guided_attention_loss`.

    Parameters
    ----------
    alignment, decoder_steps : tensor
        See there.
    inputs : dict
        ``characters`` (B, T), 0 where padded, and ``places`` (B, F) if there are any.
    reduction_factor : int
        Frames of a decoder step.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    if "places" in inputs:
        middles = inputs["places"][:, reduction_factor // 2 :: reduction_factor]  # (B, D)
        return placed_attention_loss(alignment, middles, decoder_steps)
    n_characters = ops.sum(ops.cast(ops.not_equal(inputs["characters"], 0), "int32"), axis=1)  # (B,)
    return guided_attention_loss(alignment, decoder_steps, n_characters)


class AlignmentReport(NamedTuple):
    """What an alignment looks like, in four numbers.

    Parameters
    ----------
    focus : float in [0, 1]
        Mean of each step's largest weight: near 1 where the model looks at one character at a time.
    coverage : float in [0, 1]
        Share of characters that at least one step looks at, itself or a direct neighbour of it; skipped
        words lower it.
    backward_steps : float in [0, 1]
        Share of steps that go back by more than one character; repetitions raise it.
    at_end : bool
        Whether the last step looks at one of the last characters.
    """

    focus: float
    coverage: float
    backward_steps: float
    at_end: bool

    @property
    def is_diagonal(self) -> bool:
        """Whether the text was read from its beginning to its end, once."""
        return self.focus > 0.4 and self.coverage > 0.9 and self.backward_steps < 0.05 and self.at_end


def alignment_report(alignment: np.ndarray) -> AlignmentReport:
    """Measure an alignment without padding.

    Parameters
    ----------
    alignment : np.ndarray, shape (D, T), in [0, 1]

    Returns
    -------
    AlignmentReport

    Raises
    ------
    ValueError
        If it is not a matrix with at least one row and one column.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    alignment = np.asarray(alignment, np.float64)
    if alignment.ndim != 2 or 0 in alignment.shape:
        raise ValueError(f"An alignment has the shape (decoder steps, characters), got {alignment.shape}.")
    looked_at = alignment.argmax(axis=1)  # (D,)
    n_characters = alignment.shape[1]
    nearest = np.abs(np.arange(n_characters)[:, None] - looked_at[None, :]).min(axis=1)
    return AlignmentReport(
        focus=float(alignment.max(axis=1).mean()),
        coverage=float((nearest <= 1).mean()),
        backward_steps=float((np.diff(looked_at) < -1).mean()) if len(looked_at) > 1 else 0.0,
        at_end=bool(looked_at[-1] >= n_characters - 1 - CLOSE_TO_THE_END),
    )
