"""Attention that knows where it has looked: Chorowski et al. 2015, in the form of Tacotron 2.

Shapes in comments: B sentences, T characters, C channels, A attention units, U units of the decoder.
"""

from __future__ import annotations

from keras import layers, ops


class LocationSensitiveAttention(layers.Layer):
    """Which characters to look at, from what is to be said next and from where it looked before.

    Notes
    -----
    Chorowski et al. 2015, "Attention-based models for speech recognition", equations 8 and 9, with the sum
    of all attention before in place of the last one's: Shen et al. 2018, section 2.2.

    Lesson: lessons/papers/tacotron2.ipynb
    """

    def __init__(self, units: int, *, n_filters: int, n_taps: int) -> None:
        super().__init__()
        self.units, self.n_filters, self.n_taps = units, n_filters, n_taps
        self.query = layers.Dense(units)
        self.key = layers.Dense(units, use_bias=False)
        self.score = layers.Dense(1, use_bias=False)

    def build(self, memory_shape, query_size: int) -> None:
        """Make all weights, so that a loop over steps makes none."""
        self.query.build((None, query_size))
        self.key.build(memory_shape)
        self.score.build((None, None, self.units))
        if self.n_filters:
            self.filters = self.add_weight(shape=(self.n_taps, self.n_filters), name="filters")
            self.from_filters = self.add_weight(shape=(self.n_filters, self.units), name="from_filters")
        self.built = True

    def location_features(self, looked_at):
        """Return (B, T, A): what the filters find in the sum of all attention so far, (B, T)."""
        n_characters = ops.shape(looked_at)[1]
        padded = ops.pad(looked_at, [[0, 0], [self.n_taps // 2, self.n_taps - 1 - self.n_taps // 2]])
        # Written out: a convolution of one channel is several times slower on JAX's processor backend.
        windows = [padded[:, tap : tap + n_characters] for tap in range(self.n_taps)]
        # A filter and a dense layer after it are two matrices, and their product is one.
        return ops.matmul(ops.stack(windows, axis=-1), ops.matmul(self.filters, self.from_filters))

    def look(self, memory, keys, hidden, query, looked_at):
        """Look once at the characters.

        Parameters
        ----------
        memory, keys : tensor, shape (B, T, C) and (B, T, A)
            What the encoder says of each character, and what is compared of it.
        hidden : tensor, shape (B, T)
            Added to the energies: very low where a character must not be looked at.
        query : tensor, shape (B, U)
        looked_at : tensor, shape (B, T)
            Sum of all attention so far.

        Returns
        -------
        context : tensor, shape (B, C)
        attention : tensor, shape (B, T), in [0, 1]
        """
        seen = keys + self.query(query)[:, None, :]  # (B, T, A)
        if self.n_filters:
            seen = seen + self.location_features(looked_at)
        energy = self.score(ops.tanh(seen))[..., 0] + hidden  # (B, T)
        attention = ops.softmax(energy, axis=-1)
        return ops.matmul(attention[:, None, :], memory)[:, 0], attention  # (B, C), (B, T)
