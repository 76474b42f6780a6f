"""The cloning model: tokens and a reference mel go in, the mel of that voice saying them comes out.

Text encoder, reference encoder, variance adaptor, concatenation on every frame, convolutional decoder.
Only ``keras`` and ``keras.ops``: the same file runs on TensorFlow and JAX. Shapes in comments: B clips,
T tokens, F frames, R reference frames, C channels, V numbers in a voiceprint, M mel bands.
"""

from __future__ import annotations

from functools import cached_property

import keras
import numpy as np
from keras import layers, ops

from tinyclone.config import ClonerConfig
from tinyclone.encoders import ConvolutionBlock, ReferenceEncoder, TextEncoder
from tinyclone.excitation import harmonics_table
from tinyclone.mel_speaker import MelSpeaker
from tinyclone.variance import VarianceAdaptor, beside


class MelDecoder(layers.Layer):
    """States, voiceprint, position and harmonics on every frame to mels, by dilated convolutions.

    Where the harmonics stand follows from the pitch, so they are drawn beforehand and the network says
    how strongly each band shows them: left to itself, a network that averages draws none.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    def __init__(self, config: ClonerConfig) -> None:
        super().__init__()
        self.entry = layers.Dense(config.decoder_channels)
        self.blocks = [
            ConvolutionBlock(
                config.decoder_channels,
                kernel_size=config.kernel_size,
                dilation=dilation,
                dropout=config.dropout / 2,
                steered=True,
            )
            for dilation in config.decoder_dilations
        ]
        self.envelope = layers.Dense(config.audio.n_mels)
        self.depth = layers.Dense(config.audio.n_mels)
        self.harmonics = harmonics_table(config.audio)

    def call(self, frame_states, positions, pitch_row, mask, voiceprint, training=False):
        """Return normalised mels (B, F, M) from states (B, F, C), positions (B, F, 3), pitch rows (B, F)."""
        table = ops.convert_to_tensor(self.harmonics, dtype=self.compute_dtype)
        harmonics = ops.take(table, pitch_row, axis=0)  # (B, F, M)
        x = self.entry(beside(ops.concatenate([frame_states, positions, harmonics], axis=-1), voiceprint))
        for block in self.blocks:
            x = block(x, mask, voiceprint, training=training)
        return (self.envelope(x) + self.depth(x) * harmonics) * mask


class _Reader(keras.Model):
    """The half of the model that works on tokens, as a model of its own that Keras can compile.

    Step by step from Python, the BiLSTM alone takes a tenth of the time that its sentence lasts.
    """

    def __init__(self, text_encoder: TextEncoder, variance_adaptor: VarianceAdaptor) -> None:
        super().__init__(name="reader")
        self.text_encoder, self.variance_adaptor = text_encoder, variance_adaptor
        self.compile(jit_compile=False)

    def call(self, inputs, training=False):
        """Return states (B, T, C) and variances (B, T, 4) of tokens (B, T) and voiceprints (B, V)."""
        return _read(self, *inputs, training=training)


def _read(model: Cloner | _Reader, tokens, voiceprint, training=False):
    states = model.text_encoder(tokens, training=training)  # (B, T, C)
    mask = ops.cast(ops.expand_dims(ops.not_equal(tokens, 0), -1), "float32")
    return states, model.variance_adaptor(states, mask, voiceprint, training=training)


class Cloner(keras.Model, MelSpeaker):
    """The whole model. `call` is for training; what synthesis uses stands in `MelSpeaker`.

    Parameters
    ----------
    config : ClonerConfig
        The sizes.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    def __init__(self, config: ClonerConfig = ClonerConfig()) -> None:
        super().__init__()
        self.config = config
        self.text_encoder = TextEncoder(config)
        self.reference_encoder = ReferenceEncoder(config)
        self.variance_adaptor = VarianceAdaptor(config)
        self.decoder = MelDecoder(config)

    def build_all(self) -> Cloner:
        """Create every weight by one call on zeros and return the model, ready to load weights."""
        self(
            {
                "tokens": np.ones((1, 8), np.int32),
                "frame_tokens": np.zeros((1, 16), np.int32),
                "frame_positions": np.zeros((1, 16, 3), np.float32),
                "frame_mask": np.ones((1, 16), np.float32),
                "pitch_row": np.zeros((1, 16), np.int32),
                "prosody": np.zeros((1, 8, 3), np.float32),
                "reference": np.zeros((1, 16, self.config.audio.n_mels), np.float32),
            }
        )
        return self

    def call(self, inputs, training=False):
        """Run the road with true durations, pitch and energy.

        Parameters
        ----------
        inputs : dict
            ``tokens`` (B, T) int; ``frame_tokens`` (B, F) int, the token of each frame;
            ``frame_positions`` (B, F, 3), see `frame_layout`; ``frame_mask`` (B, F), 0 on padding;
            ``pitch_row`` (B, F) int, see `tinyclone.excitation.table_rows`;
            ``prosody`` (B, T, 3), normalised pitch, share of voiced frames, normalised energy;
            ``reference`` (B, R, M), natural-log mel of another clip of the speaker.

        Returns
        -------
        dict
            ``mel`` (B, F, M) normalised; ``variances`` (B, T, 4); ``voiceprint`` (B, V).
        """
        voiceprint = self.reference_encoder(self._normalise(inputs["reference"]), training=training)
        states, variances = _read(self, inputs["tokens"], voiceprint, training=training)
        states = self.variance_adaptor.add(states, inputs["prosody"])
        mel = self._speak(states, voiceprint, inputs, training=training)
        outputs = {"mel": mel, "variances": variances, "voiceprint": voiceprint}
        # Losses add up many small numbers, for which half precision is too coarse.
        return {name: ops.cast(value, "float32") for name, value in outputs.items()}

    @cached_property
    def _reader(self) -> _Reader:
        return _Reader(self.text_encoder, self.variance_adaptor)

    def _speak(self, states, voiceprint, inputs, training=False):
        # The length regulator: each frame takes the state of its token.
        frames = ops.take_along_axis(states, ops.expand_dims(inputs["frame_tokens"], -1), axis=1)  # (B, F, C)
        mask = ops.expand_dims(inputs["frame_mask"], -1)
        steer = (inputs["frame_positions"], inputs["pitch_row"], mask, voiceprint)
        return self.decoder(frames, *steer, training=training)

    def _normalise(self, mel):
        return (mel - self.config.mel_mean) / self.config.mel_std

    def hear_looks(self, looks: np.ndarray) -> np.ndarray:
        """Return what the reference encoder says of natural-log mels. (n, R, M) -> (n, V)"""
        return ops.convert_to_numpy(self.reference_encoder(self._normalise(ops.convert_to_tensor(looks))))

    def read_tokens(self, tokens: np.ndarray, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return states (T, C) and variances (T, 4) of padded tokens (T,) and an encoded voice (V,)."""
        states, variances = self._reader.predict_on_batch((tokens[None], encoded[None]))
        return states[0], variances[0]

    def draw_mel(
        self,
        states: np.ndarray,
        prosody: np.ndarray,
        encoded: np.ndarray,
        layout: dict[str, np.ndarray],
    ) -> np.ndarray:
        """Return the normalised mel (F, M) of states (T, C), prosody (T, 3), a voice (V,) and a layout."""
        inputs = {name: ops.convert_to_tensor(value[None]) for name, value in layout.items()}
        known, voice = (ops.convert_to_tensor(one[None]) for one in (prosody, encoded))
        told = self.variance_adaptor.add(ops.convert_to_tensor(states[None]), known)
        return ops.convert_to_numpy(self._speak(told, voice, inputs))[0]
