"""Attention that only walks forward: a window slides over the text. For the first tier of MelNet."""

from __future__ import annotations

import math

from keras import layers, ops

from tinyclone.papers.delayed_stacks import dense, embedding, recurrent, turned_over

# Logarithms of steps and widths stay within these, for training to survive its first minutes.
NARROWEST, WIDEST = -4.0, 2.0


class TextReader(layers.Layer):
    """Characters, and what stands before and after each of them.

    Parameters
    ----------
    n_characters : int
        Rows of the embedding; number 0 is padding.
    channels : int

    Notes
    -----
    Vasquez & Lewis 2019, section 4.5.

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(self, n_characters: int, channels: int) -> None:
        super().__init__()
        self.embedding = embedding(n_characters, channels)
        self.forwards, self.backwards = recurrent(channels, channels), recurrent(channels, channels)
        self.join = dense(3 * channels, channels)

    def call(self, characters):
        """Read a text. (B, N) int -> (B, N, C), zeros on padding"""
        real = ops.cast(ops.not_equal(characters, 0), "float32")  # (B, N)
        lengths = ops.sum(ops.cast(real, "int32"), axis=1)  # (B,)
        x = self.embedding(characters)  # (B, N, C)
        backwards = turned_over(self.backwards(turned_over(x, lengths)), lengths)
        return self.join(ops.concatenate([x, self.forwards(x), backwards], axis=-1)) * real[..., None]


class WindowAttention(layers.Layer):
    """A recurrent layer that looks at the text through a window, a mixture of logistic bumps.

    Parameters
    ----------
    channels : int
    bumps : int
        Of the mixture.
    characters_per_step : float > 0
        How far the window moves in a step before anything is learned.

    Notes
    -----
    Graves 2013, "Generating sequences with recurrent neural networks", section 5.1, with the discretised
    logistic bumps of Vasquez & Lewis 2019, section 4.5.

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(self, channels: int, *, bumps: int, characters_per_step: float) -> None:
        super().__init__()
        self.bumps, self.channels = bumps, channels
        self.cell = layers.GRUCell(channels)
        self.cell.build((None, 2 * channels))
        # Small at first: all bumps then walk at the given pace, side by side.
        self.steer = dense(channels, 3 * bumps, scale=0.05)
        self.log_pace = math.log(characters_per_step)

    def call(self, frames, memory):
        """Look at the text while reading frames.

        Parameters
        ----------
        frames : tensor, shape (B, T, C)
            At step i, anything of the frames before i.
        memory : tensor, shape (B, N, C)
            The text, zeros on padding.

        Returns
        -------
        contexts : tensor, shape (B, T, C)
            What was seen at each step.
        alignment : tensor, shape (B, T, N)
            How much each character counted; a step's sum is below 1 where the window leaves the text.
        """
        nothing = frames[:, 0, :1] * 0  # (B, 1)
        start = (
            ops.repeat(nothing, self.channels, axis=1),  # what the recurrent layer remembers
            ops.repeat(nothing, self.bumps, axis=1),  # where the bumps stand
            memory[:, 0] * 0,  # what was seen
            memory[:, :, 0] * 0,  # what was looked at
        )

        def step(carry, frame):
            hidden, place, context, _ = carry
            hidden, _ = self.cell(ops.concatenate([frame, context], axis=-1), hidden)
            place, weights = self.look(hidden, place, ops.shape(memory)[1])
            context = ops.sum(weights[:, :, None] * memory, axis=1)  # (B, C)
            carry = (hidden, place, context, weights)
            return carry, carry

        _, (_, _, contexts, alignment) = ops.scan(step, start, ops.transpose(frames, (1, 0, 2)))
        return ops.transpose(contexts, (1, 0, 2)), ops.transpose(alignment, (1, 0, 2))

    def look(self, hidden, place, n_characters: int):
        """Move the window and say how much it shows of each character. -> (B, K), (B, N)"""
        move, width, share = ops.split(self.steer(hidden), 3, axis=-1)  # (B, K) each
        place = place + ops.exp(ops.clip(move + self.log_pace, NARROWEST, WIDEST))
        width = ops.exp(ops.clip(width, NARROWEST, WIDEST))
        edges = ops.cast(ops.arange(n_characters + 1, dtype="int32"), "float32") - 0.5  # (N + 1,)
        edges = edges[None, :, None]  # (1, N + 1, 1)
        below = ops.sigmoid((edges - place[:, None]) / width[:, None])  # (B, N + 1, K)
        below = ops.sum(ops.softmax(share, axis=-1)[:, None] * below, axis=-1)  # (B, N + 1)
        return place, below[:, 1:] - below[:, :-1]
