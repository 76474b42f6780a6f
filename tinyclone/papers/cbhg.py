"""CBHG: a bank of convolutions, highway layers and a GRU that runs both ways. Tacotron has two of them."""

from __future__ import annotations

import keras
from keras import layers, ops


class CBHG(layers.Layer):
    """1-D convolution bank, highway network, bidirectional GRU: reads a sequence on all scales.

    Parameters
    ----------
    n_channels : int
        Of the input; a residual connection leads around the convolutions.
    widest_kernel, bank_channels : int
        One convolution for each width from 1 to `widest_kernel`: unigrams, bigrams and so on.
    projection_channels : int
        Between the two convolutions that follow the bank.
    highway_layers : int
    cells : int
        Of the GRU in each direction; the output has twice as many channels.

    Notes
    -----
    Wang et al. 2017, section 3.1 and figure 2.

    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(
        self,
        n_channels: int,
        *,
        widest_kernel: int,
        bank_channels: int,
        projection_channels: int,
        highway_layers: int,
        cells: int,
    ) -> None:
        super().__init__()

        def convolution(channels: int, width: int) -> tuple[layers.Layer, layers.Layer]:
            convolve = layers.Conv1D(channels, width, padding="same", use_bias=False)
            return convolve, layers.BatchNormalization(momentum=0.95)

        self.bank = [convolution(bank_channels, 1 + width) for width in range(widest_kernel)]
        self.pool = layers.MaxPooling1D(2, strides=1, padding="same")
        self.projections = [convolution(projection_channels, 3), convolution(n_channels, 3)]
        self.narrow = layers.Dense(cells)
        self.candidates = [layers.Dense(cells, activation="relu") for _ in range(highway_layers)]
        # Gates that are nearly shut at first let a deep stack learn: Srivastava et al. 2015, section 2.2.
        shut = keras.initializers.Constant(-1.0)
        self.gates = [
            layers.Dense(cells, activation="sigmoid", bias_initializer=shut) for _ in range(highway_layers)
        ]
        self.recurrent = layers.Bidirectional(layers.GRU(cells, return_sequences=True))

    def call(self, x, mask, training=False):
        """Read a sequence, (B, T, n_channels) -> (B, T, 2 * cells); `mask` (B, T) is False on padding."""
        real = ops.expand_dims(ops.cast(mask, x.dtype), -1)  # (B, T, 1)

        def normalised(convolution, y):
            return convolution[1](convolution[0](y * real), training=training, mask=mask)

        bank = [ops.relu(normalised(one, x)) for one in self.bank]
        y = self.pool(ops.concatenate(bank, axis=-1) * real)  # (B, T, widest_kernel * bank_channels)
        y = ops.relu(normalised(self.projections[0], y))  # (B, T, projection_channels)
        y = self.narrow(x + normalised(self.projections[1], y))  # (B, T, cells)
        for candidate, gate in zip(self.candidates, self.gates):
            y = gate(y) * candidate(y) + (1 - gate(y)) * y
        return self.recurrent(y, mask=mask, training=training)  # (B, T, 2 * cells)
