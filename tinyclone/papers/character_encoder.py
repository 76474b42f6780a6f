"""Characters to what is known of each of them, for Tacotron 2; and convolutions that padding does not reach.

Shapes in comments: B sentences, T characters or frames, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops


class Convolutions(layers.Layer):
    """Convolutions along time, each normalised; padding stays zero, so that it changes nothing."""

    def __init__(self, channels: Sequence[int], *, kernel: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.convolutions = [layers.Conv1D(one, kernel, padding="same", use_bias=False) for one in channels]
        self.normalisations = [layers.LayerNormalization() for _ in channels]
        self.activation = keras.activations.get(activation)
        self.dropout = layers.Dropout(dropout)

    def call(self, x, mask, training=False):
        """Return (B, T, channels) of x (B, T, C); the mask (B, T, 1) is 0 on padding."""
        for convolution, normalisation in zip(self.convolutions, self.normalisations):
            x = self.activation(normalisation(convolution(x * mask)))  # (B, T, channels)
            x = self.dropout(x, training=training)
        return x * mask


class CharacterEncoder(layers.Layer):
    """Each character, with what stands around it: convolutions first, then an LSTM in both directions.

    Notes
    -----
    Shen et al. 2018, section 2.2.
    """

    def __init__(
        self, n_characters: int, *, channels: Sequence[int], kernel: int, units: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = layers.Embedding(n_characters, channels[0])
        self.convolutions = Convolutions(channels, kernel=kernel, activation="relu", dropout=dropout)
        self.reader = layers.Bidirectional(layers.LSTM(units, return_sequences=True))

    def call(self, characters, training=False):
        """Return (B, T, 2 * units) of characters (B, T), 0 where padded."""
        real = ops.not_equal(characters, 0)  # (B, T)
        x = self.embedding(characters)  # (B, T, C)
        mask = ops.cast(real, x.dtype)[..., None]  # (B, T, 1)
        x = self.convolutions(x, mask, training=training)
        return self.reader(x, mask=real, training=training) * mask  # (B, T, 2 * units)
