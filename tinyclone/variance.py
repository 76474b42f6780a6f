"""What a text leaves open: how long, how high, how voiced and how loud each token is spoken.

Only ``keras`` and ``keras.ops``. Shapes in comments: B clips, T tokens, C channels, V numbers in a
voiceprint, L steps of any kind.
"""

from __future__ import annotations

from keras import layers, ops

from tinyclone.config import ClonerConfig
from tinyclone.encoders import ConvolutionBlock

VARIANCES = ("log_duration", "pitch", "voicing", "energy")


class VarianceAdaptor(layers.Layer):
    """What the text leaves open, predicted for each token: duration, pitch, voicing and energy.

    Notes
    -----
    Ren et al. 2021, "FastSpeech 2", section 2.3, with one network for all four.

    Lesson: lessons/04_model_building.ipynb
    """

    def __init__(self, config: ClonerConfig) -> None:
        super().__init__()
        self.entry = layers.Dense(config.variance_channels)
        self.blocks = [
            ConvolutionBlock(config.variance_channels, kernel_size=3, dropout=2 * config.dropout)
            for _ in range(2)
        ]
        self.values = layers.Dense(len(VARIANCES))
        self.prosody = layers.Dense(config.text_channels)

    def build(self, *shapes) -> None:
        """Build the layer that only `add` calls; Keras builds the others when they are called."""
        self.prosody.build((None, None, 3))

    def call(self, states, mask, voiceprint, training=False):
        """Return the values of `VARIANCES` (B, T, 4) from states (B, T, C) and voiceprints (B, V)."""
        x = self.entry(beside(states, voiceprint))
        for block in self.blocks:
            x = block(x, mask, training=training)
        return self.values(x)

    def add(self, states, prosody):
        """Return states (B, T, C) that know their pitch, voicing and energy (B, T, 3)."""
        return states + self.prosody(prosody)


def beside(frames, voiceprint):
    """Write the voiceprint beside every step. (B, L, C), (B, V) -> (B, L, C + V)"""
    steps = ops.shape(frames)[1]
    return ops.concatenate([frames, ops.repeat(ops.expand_dims(voiceprint, 1), steps, axis=1)], axis=-1)
