"""Tacotron 2: characters go in, a mel comes out, frame after frame, until the model itself says stop.

Shen et al. 2018, "Natural TTS synthesis by conditioning WaveNet on mel spectrogram predictions". Only
``keras`` and ``keras.ops``: the same file runs on TensorFlow and JAX. Shapes in comments: B sentences,
T characters, F frames, M mel bands, D decoder steps (F = D * r, with r frames a step), C channels,
A attention units, U units of the decoder.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from tinyclone.papers.attention_decoding import (
    Prenet,
    Spoken,
    compiled,
    padded_to_multiple,
    run_freely,
    run_padded,
)
from tinyclone.papers.character_encoder import CharacterEncoder, Convolutions
from tinyclone.papers.characters import encode_characters
from tinyclone.papers.guided_attention import guiding_loss
from tinyclone.papers.tacotron2_config import Tacotron2Config
from tinyclone.papers.tacotron2_decoder import UNSEEN, Decoder
from tinyclone.papers.teaching import Teacher
from tinyclone.text import speakable


class Tacotron2(keras.Model):
    """The whole model: `call` with a teacher, for training; `speak` without.

    Parameters
    ----------
    config : Tacotron2Config
        The sizes.

    Notes
    -----
    Shen et al. 2018, section 2 and figure 1. Its WaveNet, which makes a wave of the mel, is
    `tinyclone.papers.wavenet`; the vocoder of lesson 7 is faster.

    Lesson: lessons/papers/tacotron2.ipynb
    """

    def __init__(self, config: Tacotron2Config = Tacotron2Config()) -> None:
        super().__init__()
        self.config = config
        self.encoder = CharacterEncoder(
            config.n_characters,
            channels=[config.encoder_channels] * config.encoder_layers,
            kernel=config.encoder_kernel,
            units=config.encoder_units,
            dropout=config.convolution_dropout,
        )
        self.prenet = Prenet([config.prenet_units] * 2, dropout=config.prenet_dropout)
        self.teacher = Teacher(teacher_dropout=config.teacher_dropout, hears_itself=config.hears_itself)
        self.decoder = Decoder(config)
        channels = [config.postnet_channels] * (config.postnet_layers - 1)
        settings = {"kernel": config.postnet_kernel, "dropout": config.convolution_dropout}
        self.postnet = Convolutions(channels, activation="tanh", **settings)
        self.correction = layers.Conv1D(config.audio.n_mels, config.postnet_kernel, padding="same")
        names = ("mel_before", "mel_after", "stop", "guided")
        self.parts = {name: keras.metrics.Mean(name=name) for name in names}

    def build_all(self) -> Tacotron2:
        """Create every weight by one call on zeros and return the model, ready to load weights."""
        mel = np.zeros((1, 2 * self.config.reduction_factor, self.config.audio.n_mels), np.float32)
        self({"characters": np.ones((1, 3), np.int32), "mel": mel, "frames": np.array([len(mel[0])])})
        return self

    def call(self, inputs, training=False):
        """Make a mel while a teacher says after each step what the frames should have been.

        Parameters
        ----------
        inputs : dict
            ``characters`` (B, T) int, 0 where padded; ``mel`` (B, F, M), natural log; ``frames`` (B,), how
            many of F are no padding.

        Returns
        -------
        dict
            ``before`` and ``after`` the postnet (B, F, M), natural log; ``stop`` (B, D), a logit;
            ``attention`` (B, D, T).

        Raises
        ------
        ValueError
            If F is no multiple of the reduction factor.
        """
        characters, n_per_step = inputs["characters"], self.config.reduction_factor
        n_frames = inputs["mel"].shape[1]
        if n_frames is not None and n_frames % n_per_step:
            raise ValueError(
                f"The batch has {n_frames} frames, which make no whole steps. Pad them: "
                f"SentenceBatches(..., frames_multiple={n_per_step})."
            )
        mel = self._normalised(inputs["mel"])  # (B, F, M)
        teacher = mel[:, n_per_step - 1 :: n_per_step]  # (B, D, M), the last frame of each step
        shifted = ops.pad(teacher, [[0, 0], [1, 0], [0, 0]])[:, :-1]  # (B, D, M)
        memory = self.encoder(characters, training=training)  # (B, T, C)
        real = ops.not_equal(characters, 0)  # (B, T)

        def decode(told):
            return self.decoder(memory, real, self.prenet(told, training=True))

        if training:
            shifted = self.teacher(shifted, decode=decode)
        outputs = decode(shifted)
        before = ops.reshape(outputs["frames"], ops.shape(mel))  # (B, D, r * M) -> (B, F, M)
        after = self.improve(before, self._real_frames(inputs), training=training)  # (B, F, M)
        return {
            "before": self._natural(before),
            "after": self._natural(after),
            "stop": outputs["stop"],
            "attention": outputs["attention"],
        }

    def encode(self, characters):
        """Return the memory (B, T, C) of characters (B, T) and its keys (B, T, A)."""
        memory = self.encoder(characters)
        return memory, self.decoder.attention.key(memory)

    def step(self, **tensors):
        """Take one step of the decoder, see `Decoder.step`."""
        return self.decoder.step(**tensors)

    def reader_of(self, ids: np.ndarray, window: int | None = None) -> tuple[Callable, list]:
        """Return the function that takes one step without a teacher, for `run_freely`, and the first state.

        Parameters
        ----------
        ids : np.ndarray, shape (T,)
        window : int, optional
            Attention may only move so many characters ahead of where it looked last, and one back.
        """
        characters = padded_to_multiple(ids[None], 32)  # (1, T)
        memory, keys = compiled(self, "encode")({"characters": characters})
        padding = np.where(characters, 0, UNSEEN).astype(np.float32)  # (1, T)
        step = compiled(self, "step")

        def take(state, told):
            hidden = padding
            if window is not None:
                ahead = np.arange(hidden.shape[1]) - np.argmax(state[5])
                hidden = hidden + np.where((ahead > window) | (ahead < -1), np.float32(UNSEEN), 0)
            known = {"memory": memory, "keys": keys, "hidden": hidden}
            return step({**known, "state": state, "told": told})

        return take, self.decoder.begin(memory)

    def improve(self, mel, mask, training=False):
        """Add to a normalised mel what the postnet finds missing. (B, F, M), (B, F, 1) -> (B, F, M)"""
        return mel + self.correction(self.postnet(mel, mask, training=training))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the sum of all losses and note each of them; padding has no part in it."""
        config, mask = self.config, self._real_frames(x)  # (B, F, 1)
        n_values = ops.sum(mask) * config.audio.n_mels * config.mel_std**2
        losses = {
            f"mel_{name}": ops.sum(mask * ops.square(y_pred[name] - y["mel"])) / n_values
            for name in ("before", "after")
        }
        steps, place = self._steps(x), ops.arange(ops.shape(y_pred["stop"])[1])[None, :]
        real, last = (ops.cast(one, "float32") for one in (place < steps, ops.equal(place, steps - 1)))
        logit = y_pred["stop"]  # (B, D)
        surprise = config.stop_weight * last * ops.softplus(-logit) + (real - last) * ops.softplus(logit)
        losses["stop"] = ops.sum(surprise) / ops.sum(real)
        losses["guided"] = guiding_loss(
            y_pred["attention"], x, steps[:, 0], reduction_factor=config.reduction_factor
        )
        for name, loss in losses.items():
            self.parts[name].update_state(loss)
        return sum(losses.values()) + (config.guided_weight - 1) * losses["guided"]

    def _steps(self, inputs):
        """Return how many decoder steps are no padding, (B, 1)."""
        n_per_step = self.config.reduction_factor
        return (ops.cast(inputs["frames"], "int32")[:, None] + n_per_step - 1) // n_per_step

    def _real_frames(self, inputs):
        """Return 1 for every frame of a real decoder step, else 0, (B, F, 1)."""
        place = ops.arange(ops.shape(inputs["mel"])[1])[None, :]
        return ops.cast(place < self._steps(inputs) * self.config.reduction_factor, "float32")[..., None]

    def _normalised(self, mel):
        return (mel - self.config.mel_mean) / self.config.mel_std

    def _natural(self, mel):
        return mel * self.config.mel_std + self.config.mel_mean

    def speak(
        self,
        text: str,
        *,
        seed: int | None = 0,
        stop_at: float = 0.5,
        longest_sec: float = 12.0,
        window: int | None = None,
        patience: int | None = 12,
    ) -> Spoken:
        """Say a text without a teacher: each step is given what the step before has made.

        Parameters
        ----------
        text : str
            Any English text.
        seed : int, optional
            Of the prenet's dropout, which stays on; without one, it is off.
        stop_at : float in [0, 1]
            Probability to stop at which it does.
        longest_sec : float > 0
            Where it has to stop.
        window : int > 0, optional
            Attention may only move so many characters ahead at once, and one back.
        patience : int > 0, optional
            It stops, too, when it has looked at the end mark for so many steps. The paper has no such rule.

        Returns
        -------
        Spoken

        Raises
        ------
        TextError
            If nothing in the text can be spoken.
        ValueError
            If a setting is out of its range.

        Notes
        -----
        Lesson: lessons/papers/tacotron2.ipynb
        """
        config = self.config
        max_steps = int(longest_sec * config.audio.frames_per_sec / config.reduction_factor)
        if max_steps < 1 or any(one is not None and one < 1 for one in (window, patience)):
            raise ValueError(
                f"longest_sec = {longest_sec}, window = {window}, patience = {patience}: expected at least "
                "one decoder step, and 1 or more or None."
            )
        ids = encode_characters(text)  # (T,)
        n_mels, n_characters, steps_at_end = config.audio.n_mels, len(ids), 0

        def is_last(outputs):
            nonlocal steps_at_end
            at_end = outputs["attention"].argmax() == n_characters - 1
            steps_at_end = steps_at_end + 1 if at_end else 0
            tired = patience is not None and steps_at_end >= patience
            return tired or 1 / (1 + np.exp(-outputs["stop"])) >= stop_at

        outputs, stopped = run_freely(
            *self.reader_of(ids, window),
            prenet=self.prenet,
            first_frame=np.zeros((1, n_mels), np.float32),
            next_frame=lambda outputs: outputs["frames"][:, -n_mels:],
            is_last=is_last,
            max_steps=max_steps,
            seed=seed,
        )
        before = outputs["frames"].reshape(1, -1, n_mels)  # (1, F, M)
        mask = np.ones((1, before.shape[1], 1), np.float32)
        mel = self._natural(run_padded(compiled(self, "improve"), mel=before, mask=mask))
        attention = outputs["attention"][:, :n_characters]
        return Spoken(speakable(text), mel, attention, stopped, config.audio)
