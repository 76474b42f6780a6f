"""The two encoders of the cloner: what is said, and who says it.

Only ``keras`` and ``keras.ops``. Shapes in comments: B clips, T tokens, R reference frames, C channels,
V numbers in a voiceprint, M mel bands, L steps of any kind.
"""

from __future__ import annotations

from keras import layers, ops

from tinyclone.config import ClonerConfig


class ConvolutionBlock(layers.Layer):
    """A residual convolution that a mask keeps from seeing padding and a voiceprint may steer."""

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int,
        dilation: int = 1,
        dropout: float = 0.0,
        steered: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = layers.Conv1D(channels, kernel_size, padding="same", dilation_rate=dilation)
        self.normalisation = layers.LayerNormalization()
        self.dropout = layers.Dropout(dropout)
        self.voice = layers.Dense(channels, use_bias=False) if steered else None

    def call(self, x, mask, voiceprint=None, training=False):
        """Return x plus what the convolution adds. x (B, L, C), mask (B, L, 1), voiceprint (B, V)."""
        h = self.convolution(x * mask)  # (B, L, C)
        if self.voice is not None:
            h = h + ops.expand_dims(self.voice(voiceprint), 1)
        h = self.dropout(self.normalisation(ops.relu(h)), training=training)
        return x + h


class TextEncoder(layers.Layer):
    """Tokens to states that know their neighbours and their sentence.

    Notes
    -----
    The encoder of Tacotron 2 (Shen et al. 2018, section 2.2), with residual connections.

    Lesson: lessons/04_model_building.ipynb
    """

    def __init__(self, config: ClonerConfig) -> None:
        super().__init__()
        channels = config.text_channels
        self.embedding = layers.Embedding(config.n_symbols, channels)
        self.blocks = [
            ConvolutionBlock(channels, kernel_size=config.kernel_size, dropout=config.dropout)
            for _ in range(3)
        ]
        self.recurrence = layers.Bidirectional(layers.LSTM(channels // 2, return_sequences=True))

    def build(self, *shapes) -> None:
        """Make the table of the embedding; Keras builds the other layers when they are called."""
        self.embedding.build()

    def call(self, tokens, training=False):
        """Return the states (B, T, C) of tokens (B, T); id 0 is padding."""
        mask = ops.not_equal(tokens, 0)  # (B, T)
        keep = ops.cast(ops.expand_dims(mask, -1), self.compute_dtype)  # (B, T, 1)
        # One-hot times table: a gather's sparse gradient would make TensorFlow's Adam take another step.
        chosen = ops.one_hot(tokens, self.embedding.input_dim, dtype=self.compute_dtype)
        x = ops.matmul(chosen, self.embedding.embeddings)  # (B, T, C)
        for block in self.blocks:
            x = block(x, keep, training=training)
        return (x + self.recurrence(x * keep, mask=mask)) * keep


class ReferenceEncoder(layers.Layer):
    """A few seconds of mel to a voiceprint: who speaks, not what is said.

    Notes
    -----
    Attentive statistics pooling: Okabe et al. 2018, equations 3-6.

    Lesson: lessons/04_model_building.ipynb
    """

    def __init__(self, config: ClonerConfig) -> None:
        super().__init__()
        channels = config.reference_channels
        self.convolutions = [
            layers.Conv1D(channels, config.kernel_size, strides=stride, padding="same")
            for stride in (1, 2, 2)
        ]
        self.normalisations = [layers.LayerNormalization() for _ in self.convolutions]
        self.dropout = layers.Dropout(config.dropout)
        self.attention = layers.Dense(1)
        self.voiceprint = layers.Dense(config.voiceprint_size)
        self.output_normalisation = layers.LayerNormalization(center=False, scale=False)

    def call(self, reference, training=False):
        """Return the voiceprints (B, V) of normalised reference mels (B, R, M)."""
        x = reference
        for convolution, normalisation in zip(self.convolutions, self.normalisations):
            x = self.dropout(normalisation(ops.relu(convolution(x))), training=training)  # (B, R/4, C)
        weight = ops.softmax(self.attention(x), axis=1)  # (B, R/4, 1)
        mean = ops.sum(weight * x, axis=1)  # (B, C)
        variance = ops.sum(weight * ops.square(x - ops.expand_dims(mean, 1)), axis=1)
        pooled = ops.concatenate([mean, ops.sqrt(variance + 1e-5)], axis=-1)  # (B, 2C)
        return self.output_normalisation(self.voiceprint(pooled))
