"""The cloning model: tokens and a reference mel go in, the mel of that voice saying them comes out.

Text encoder, reference encoder, variance adaptor, concatenation on every frame, convolutional decoder.
Only ``keras`` and ``keras.ops``: the same file runs on TensorFlow and JAX. Shapes in comments: B clips,
T tokens, F frames, R reference frames, C channels, V numbers in a voiceprint, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from keras import layers, ops

from tinyclone.config import ClonerConfig
from tinyclone.encoders import ConvolutionBlock, ReferenceEncoder, TextEncoder
from tinyclone.equaliser import SENTENCES, equaliser
from tinyclone.excitation import harmonics_table, predicted_contour, table_rows
from tinyclone.framing import frame_layout, reference_crops
from tinyclone.text import PAUSES, SYMBOLS, encode
from tinyclone.variance import VarianceAdaptor, beside

TOKEN_STEP = 64
FRAME_STEP = 128
# Squared error makes the network predict the mean of the log; the mean of a log-normal duration is longer
# by half its variance, which on held-out clips was 0.19.
DURATION_CORRECTION = np.exp(0.19 / 2)
SHORTEST_PHONE_FRAMES = 2
# Four seconds: an untrained network predicts anything, and its speech must still fit into memory.
LONGEST_TOKEN_FRAMES = 250


@dataclass(frozen=True)
class Prediction:
    """What the model says about one sentence.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels), float32]
        Natural-log mel.
    durations : np.ndarray [shape=(T,), int32]
        Frames of each token; their sum is F.
    pitch_hz : np.ndarray [shape=(T,), float32]
        Pitch of each token, 0 where it is rather unvoiced.
    energy : np.ndarray [shape=(T,), float32]
        Mean log mel of each token.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    mel: np.ndarray
    durations: np.ndarray
    pitch_hz: np.ndarray
    energy: np.ndarray


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


class Cloner(keras.Model):
    """The whole model. `predict_mel` and `voiceprint` are what synthesis uses; `call` is for training.

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

    def voiceprint(self, reference_mel: np.ndarray) -> np.ndarray:
        """Describe the voice of a recording.

        Parameters
        ----------
        reference_mel : np.ndarray [shape=(R, n_mels), float32]
            Natural-log mel of 1 s or more; 3 to 15 s are best.

        Returns
        -------
        np.ndarray [shape=(V + 2 * n_mels,), float32]
            What the reference encoder says, the mean over overlapping looks of ``reference_frames``
            frames; then the scale and the offset of each band, see `tinyclone.equaliser`.
        """
        crops = reference_crops(reference_mel, length=self.config.reference_frames)
        looks = self.reference_encoder(self._normalise(ops.convert_to_tensor(crops)))
        n_mels = self.config.audio.n_mels
        level = [np.ones(n_mels), np.zeros(n_mels)]
        encoded = ops.convert_to_numpy(looks).mean(axis=0)
        unequalised = np.concatenate([encoded, *level])
        spoken = [self.predict_mel(encode(sentence), unequalised).mel for sentence in SENTENCES]
        return np.concatenate([encoded, *equaliser(spoken, reference_mel)]).astype(np.float32)

    def predict_mel(
        self,
        tokens: np.ndarray,
        voiceprint: np.ndarray,
        *,
        speed: float = 1.0,
        pitch_shift_semitones: float = 0.0,
    ) -> Prediction:
        """Speak one sentence.

        Parameters
        ----------
        tokens : np.ndarray [shape=(T,), int]
            From `tinyclone.text.encode`.
        voiceprint : np.ndarray [shape=(V + 2 * n_mels,), float32]
            From `voiceprint`.
        speed : float > 0
            2 speaks twice as fast.
        pitch_shift_semitones : float
            Added to the predicted pitch; 12 is an octave.

        Returns
        -------
        Prediction
        """
        config, n_tokens = self.config, len(tokens)
        bands = config.voiceprint_size + config.audio.n_mels * np.arange(2)
        encoded, scale, offset = np.split(np.asarray(voiceprint, np.float32), bands)
        padded = np.zeros((1, _round_up(n_tokens, TOKEN_STEP)), np.int32)
        padded[0, :n_tokens] = tokens
        states, variances = self._reader.predict_on_batch((padded, encoded[None]))
        log_duration, pitch, voicing, energy = variances[0, :n_tokens].T
        pause = np.isin(np.asarray(SYMBOLS)[tokens], list(PAUSES))
        log_duration = np.clip(log_duration, 0, np.log1p(LONGEST_TOKEN_FRAMES))
        frames = np.expm1(log_duration) * DURATION_CORRECTION / speed
        shortest = max(1, round(SHORTEST_PHONE_FRAMES / speed))
        durations = np.round(np.where(pause, frames, np.maximum(frames, shortest))).astype(np.int32)
        if not durations.any():
            durations[:] = 1
        pitch = pitch + pitch_shift_semitones * np.log(2) / 12 / config.pitch_std
        voiced_share = 1 / (1 + np.exp(-voicing))
        prosody = np.zeros((1, padded.shape[1], 3), np.float32)
        prosody[0, :n_tokens] = np.stack([pitch * voiced_share, voiced_share, energy], axis=1)
        states = self.variance_adaptor.add(ops.convert_to_tensor(states), ops.convert_to_tensor(prosody))
        layout = frame_layout(durations, n_frames=_round_up(int(durations.sum()), FRAME_STEP))
        log_pitch = pitch * config.pitch_std + config.pitch_mean
        contour = predicted_contour(log_pitch, voiced_share, durations, log_pitch_if_none=config.pitch_mean)
        layout["pitch_row"] = np.zeros(len(layout["frame_mask"]), np.int32)
        layout["pitch_row"][: len(contour)] = table_rows(contour)
        inputs = {name: ops.convert_to_tensor(value[None]) for name, value in layout.items()}
        voice = ops.convert_to_tensor(encoded[None])
        mel = ops.convert_to_numpy(self._speak(states, voice, inputs))[0, : durations.sum()]
        quietest = np.log(np.float32(config.audio.log_floor))
        return Prediction(
            mel=np.maximum(scale * (mel * config.mel_std + config.mel_mean) + offset, quietest),
            durations=durations,
            pitch_hz=np.where(voiced_share > 0.5, np.exp(log_pitch), 0).astype(np.float32),
            energy=(energy * config.mel_std + config.mel_mean).astype(np.float32),
        )


def _round_up(number: int, step: int) -> int:
    return max(step, -(-number // step) * step)
