"""The network of the vocoder: it reads mels frame by frame and sees some frames around each.

Only ``keras`` and ``keras.ops``. Shapes in comments: B clips, F frames, M mel bands, C channels.
"""

from __future__ import annotations

import keras
from keras import layers, ops


class ConvNeXtBlock(layers.Layer):
    """A residual block: each channel looks at its neighbours in time, each frame at all its channels.

    Notes
    -----
    Liu et al. 2022, "A ConvNet for the 2020s", figure 4; for mels: Siuzdak 2023, "Vocos", section 3.2.

    Lesson: lessons/07_neural_vocoder.ipynb
    """

    def __init__(self, channels: int, hidden_channels: int, *, kernel_size: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.normalisation = layers.LayerNormalization()
        self.widen = layers.Dense(hidden_channels)
        self.narrow = layers.Dense(channels)

    def build(self, x_shape, mask_shape=None) -> None:
        """Make the taps of each channel; Keras builds the other layers when they are called."""
        spread = keras.initializers.RandomNormal(stddev=self.kernel_size**-0.5)
        self.taps = self.add_weight(shape=(self.kernel_size, x_shape[-1]), initializer=spread, name="taps")

    def call(self, x, mask):
        """Return x plus what the block adds. x (B, F, C), mask (B, F, 1)."""
        # Written out as sums: a depthwise convolution is several times slower on JAX's processor backend.
        side, n_frames = self.kernel_size // 2, ops.shape(x)[1]
        padded = ops.pad(x * mask, [[0, 0], [side, self.kernel_size - 1 - side], [0, 0]])
        h = sum(padded[:, tap : tap + n_frames] * self.taps[tap] for tap in range(self.kernel_size))
        h = self.widen(self.normalisation(h))  # (B, F, hidden)
        return x + self.narrow(ops.silu(h))


class MelReader(layers.Layer):
    """A convolution, some ConvNeXt blocks, and one row of numbers for each frame."""

    def __init__(
        self, n_outputs: int, *, channels: int, hidden_channels: int, n_blocks: int, kernel_size: int
    ) -> None:
        super().__init__()
        self.entry = layers.Conv1D(channels, kernel_size, padding="same")
        self.blocks = [
            ConvNeXtBlock(channels, hidden_channels, kernel_size=kernel_size) for _ in range(n_blocks)
        ]
        self.normalisation = layers.LayerNormalization()
        self.exit = layers.Dense(n_outputs, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01))

    def call(self, x, mask):
        """Return (B, F, n_outputs) of x (B, F, M); frames whose mask (B, F, 1) is 0 are not seen."""
        x = self.entry(x * mask)
        for block in self.blocks:
            x = block(x, mask)
        return self.exit(self.normalisation(x))
