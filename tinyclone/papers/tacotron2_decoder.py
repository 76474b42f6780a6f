"""The decoder of Tacotron 2: what comes next, and where to read.

Shapes in comments: B sentences, T characters, M mel bands, D decoder steps, r frames a step, C channels, A
attention units, U units of the decoder.
"""

from __future__ import annotations

import functools

from keras import layers, ops

from tinyclone.papers.attention_decoding import follow_teacher
from tinyclone.papers.location_attention import LocationSensitiveAttention
from tinyclone.papers.tacotron2_config import Tacotron2Config

UNSEEN = -1e9


class Decoder(layers.Layer):
    """Two LSTM layers that say what comes next, and attention that says where to read.

    Notes
    -----
    Shen et al. 2018, section 2.2: the last frame and what was read last go into the LSTM layers; what they
    say decides what is read now; both together become the next frames and the probability to stop.

    Lesson: lessons/papers/tacotron2.ipynb
    """

    def __init__(self, config: Tacotron2Config) -> None:
        super().__init__()
        self.config = config
        self.cells = [layers.LSTMCell(config.decoder_units) for _ in range(2)]
        self.attention = LocationSensitiveAttention(
            config.attention_units, n_filters=config.location_filters, n_taps=config.location_kernel
        )
        self.frames = layers.Dense(config.reduction_factor * config.audio.n_mels)
        self.stop = layers.Dense(1)

    def build(self, memory_shape, *other_shapes) -> None:
        """Make all weights, so that a loop over steps makes none."""
        units, read = self.config.decoder_units, memory_shape[-1]
        self.cells[0].build((None, self.config.prenet_units + read))
        self.cells[1].build((None, units))
        self.attention.build(memory_shape, units)
        self.frames.build((None, units + read))
        self.stop.build((None, units + read))
        self.built = True

    def call(self, memory, real, read):
        """Take all steps with a teacher; read (B, D, prenet_units) is what the prenet made of his frames."""
        hidden = UNSEEN * (1 - ops.cast(real, memory.dtype))  # (B, T)
        step = functools.partial(self.step, memory, self.attention.key(memory), hidden)
        return follow_teacher(step, self.begin(memory), read)

    def begin(self, memory):
        """Return the state before the first step: both LSTM layers', context, attention and its sum."""
        units = [ops.zeros((ops.shape(memory)[0], self.config.decoder_units)) for _ in range(4)]  # (B, U)
        return [*units, *(ops.zeros_like(one) for one in (memory[:, 0], memory[..., 0], memory[..., 0]))]

    def step(self, memory, keys, hidden, state, told):
        """Take one step.

        Parameters
        ----------
        memory : tensor, shape (B, T, C)
            What the encoder made of the text.
        keys : tensor, shape (B, T, A)
            ``self.attention.key(memory)``, the same at every step.
        hidden : tensor, shape (B, T)
            Added to the energies of attention: `UNSEEN` where it must not look.
        state : list of tensor
            See `begin`.
        told : tensor, shape (B, prenet_units)
            What the prenet made of the last frame.

        Returns
        -------
        state : list of tensor
        outputs : dict
            ``frames`` (B, r * M), normalised; ``stop`` (B,), a logit; ``attention`` (B, T).
        """
        h1, c1, h2, c2, context, attention, looked_at = state
        h1, (_, c1) = self.cells[0](ops.concatenate([told, context], axis=-1), [h1, c1])  # (B, U)
        h2, (_, c2) = self.cells[1](h1, [h2, c2])  # (B, U)
        context, attention = self.attention.look(memory, keys, hidden, h2, looked_at)
        said = ops.concatenate([h2, context], axis=-1)  # (B, U + C)
        outputs = {"frames": self.frames(said), "stop": self.stop(said)[:, 0], "attention": attention}
        return [h1, c1, h2, c2, context, attention, looked_at + attention], outputs
