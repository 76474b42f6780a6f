"""Tacotron: characters go in, a spectrogram comes out, and nobody says which belongs to which.

An encoder (`CBHG`) reads the characters. A decoder makes several frames of mel a step; before each step it
looks at the characters whose content suits what it is about to say. A second `CBHG` turns the mel into a
linear spectrogram, and Griffin-Lim makes sound of it. Shapes in comments: B sentences, T characters, D
decoder steps, R frames a step, F = D * R frames, N of a cut, M mel bands, K bins of a spectrum, C channels.
"""

from __future__ import annotations

import functools
from math import ceil

import keras
import numpy as np
from keras import layers, ops

from tinyclone.papers.attention_decoding import (
    Prenet,
    Spoken,
    compiled,
    follow_teacher,
    padded_to_multiple,
    run_freely,
    run_padded,
)
from tinyclone.papers.cbhg import CBHG
from tinyclone.papers.characters import N_CHARACTERS, decode_characters, encode_characters
from tinyclone.papers.guided_attention import CLOSE_TO_THE_END, guiding_loss
from tinyclone.papers.tacotron_config import TacotronConfig
from tinyclone.papers.teaching import Teacher, cut_of

LOSSES = ("mel_error", "linear_error", "guided_attention")
SILENT_LOG_MEL = -10.0  # recorded speech lies above, padding at -11.5


class Tacotron(keras.Model):
    """The whole model: `call` has a teacher, `speak` has not.

    Parameters
    ----------
    config : TacotronConfig
        The sizes.

    Notes
    -----
    Wang et al. 2017. As in reproductions of it, padding gets no attention, and the attention's GRU is given
    the last context beside the prenet's output, which the paper leaves open.

    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(self, config: TacotronConfig = TacotronConfig()) -> None:
        super().__init__()
        self.config = config
        n_mels, n_bins = config.audio.n_mels, 1 + config.audio.n_fft // 2
        # Keras's own start, 0.05 at most, is so faint that the place of a letter drowns which one it is.
        apart = keras.initializers.RandomNormal(stddev=1.0)
        self.embedding = layers.Embedding(N_CHARACTERS, config.embedding, embeddings_initializer=apart)
        self.encoder_prenet = Prenet(config.prenet, dropout=config.dropout)
        self.encoder = CBHG(
            config.prenet[-1],
            widest_kernel=config.widest_kernel,
            bank_channels=config.bank_channels,
            projection_channels=config.bank_channels,
            highway_layers=config.highway_layers,
            cells=config.encoder_cells,
        )
        self.key = layers.Dense(config.attention_units, use_bias=False)
        self.query = layers.Dense(config.attention_units)
        self.score = layers.Dense(1, use_bias=False)
        self.prenet = Prenet(config.prenet, dropout=config.dropout)
        self.teacher = Teacher(teacher_dropout=config.teacher_dropout, hears_itself=config.hears_itself)
        self.attention_cell = layers.GRUCell(config.attention_cells)
        self.decoder_input = layers.Dense(config.decoder_cells)
        self.decoder_cells = [layers.GRUCell(config.decoder_cells) for _ in range(2)]
        self.frames_of_step = layers.Dense(config.reduction_factor * n_mels)
        self.post = CBHG(
            n_mels,
            widest_kernel=config.post_widest_kernel,
            bank_channels=config.post_channels,
            projection_channels=2 * config.post_channels,
            highway_layers=config.highway_layers,
            cells=config.post_cells,
        )
        self.to_linear = layers.Dense(n_bins)
        self.parts = {name: keras.metrics.Mean(name=name) for name in LOSSES}

    def build(self, shapes=None) -> None:
        """Make the weights of what runs inside of the loop; Keras builds the rest when it is called."""
        config, memory = self.config, 2 * self.config.encoder_cells
        self.query.build((None, config.attention_cells))
        self.score.build((None, None, config.attention_units))
        self.attention_cell.build((None, config.prenet[-1] + memory))
        self.decoder_input.build((None, config.attention_cells + memory))
        for cell in self.decoder_cells:
            cell.build((None, config.decoder_cells))
        self.frames_of_step.build((None, config.decoder_cells))
        self.built = True

    def build_all(self) -> Tacotron:
        """Create every weight by one call on zeros and return the model, ready to load weights."""
        n_frames = 2 * self.config.reduction_factor
        mel = np.zeros((1, n_frames, self.config.audio.n_mels), np.float32)
        self({"characters": np.ones((1, 4), np.int32), "mel": mel, "frames": np.array([n_frames], np.int32)})
        return self

    def call(self, inputs, training=False):
        """Predict every frame of recorded sentences, each step told the recorded frame before it.

        Parameters
        ----------
        inputs : dict
            ``characters`` (B, T), 0 on padding; ``mel`` (B, F, M), natural log, silent on padding, F a
            multiple of `reduction_factor`; ``frames`` (B,), the true lengths; maybe ``cut``: see `cut_of`.

        Returns
        -------
        dict
            ``mel`` (B, F, M) and ``linear`` (B, N, K), normalised logs; ``alignment`` (B, D, T).

        Raises
        ------
        ValueError
            If the mels have another number of bands, or of frames.
        """
        config, mel = self.config, inputs["mel"]
        self._require_mel(mel.shape)
        memory, mask = self.encode(inputs["characters"], training=training)
        last = mel[:, config.reduction_factor - 1 :: config.reduction_factor]  # (B, D, M), of each step
        told = (last[:, :-1] - config.mel_mean) / config.mel_std
        told = ops.pad(told, [[0, 0], [1, 0], [0, 0]])  # (B, D, M), the first one is <GO>
        step = functools.partial(self.step, memory, self.key(memory), mask)

        def decode(told):
            return follow_teacher(step, self.first_state(memory), self.prenet(told, training=training))

        if training:
            told = self.teacher(told, decode=decode)
        outputs = decode(told)
        made = ops.reshape(outputs["frames"], ops.shape(mel))  # (B, F, M)
        mask = cut_of(self.audible(inputs["frames"], ops.shape(mel)[1]), inputs)  # (B, N)
        linear = self.linear_of(cut_of(made, inputs), mask, training=training)
        return {"mel": made, "linear": linear, "alignment": outputs["alignment"]}

    def encode(self, characters, training=False):
        """Return the memory (B, T, 2 * encoder_cells) of characters (B, T), and its mask (B, T)."""
        mask = ops.not_equal(characters, 0)
        x = self.encoder_prenet(self.embedding(characters), training=training)  # (B, T, C)
        return self.encoder(x, mask, training=training), mask

    def first_state(self, memory) -> list:
        """Return three GRUs at rest and a context of nothing."""
        batch, config = ops.shape(memory)[0], self.config
        sizes = [config.attention_cells, *[config.decoder_cells] * 2, 2 * config.encoder_cells]
        return [ops.zeros((batch, size)) for size in sizes]

    def step(self, memory, keys, mask, state, told):
        """Make the frames of one step.

        Parameters
        ----------
        memory, mask : tensor
            What `encode` returned.
        keys : tensor, shape (B, T, attention_units)
            ``self.key(memory)``, the same at every step.
        state : list of tensor
            See `first_state`.
        told : tensor, shape (B, prenet[-1])
            What the prenet made of the last frame.

        Returns
        -------
        state : list of tensor
        outputs : dict
            ``frames`` (B, R * M), normalised, and ``alignment`` (B, T).
        """
        attention_state, *decoder_states, context = state
        query, _ = self.attention_cell(ops.concatenate([told, context], axis=-1), [attention_state])
        alignment = self.attend(query, keys, mask)  # (B, T)
        context = ops.sum(ops.expand_dims(alignment, -1) * memory, axis=1)  # (B, 2 * encoder_cells)
        x = self.decoder_input(ops.concatenate([query, context], axis=-1))  # (B, decoder_cells)
        following = [query]
        for cell, decoder_state in zip(self.decoder_cells, decoder_states):
            y, _ = cell(x, [decoder_state])
            x = x + y
            following.append(y)
        return [*following, context], {"frames": self.frames_of_step(x), "alignment": alignment}

    def attend(self, query, keys, mask):
        """Content-based attention: compare a query (B, Q) with all keys (B, T, C) -> (B, T), summing to 1."""
        sums = ops.tanh(keys + ops.expand_dims(self.query(query), 1))  # (B, T, C)
        scores = ops.squeeze(self.score(sums), -1)  # (B, T)
        return ops.softmax(ops.where(mask, scores, -1e9), axis=-1)

    def linear_of(self, mel, mask, training=False):
        """Return a linear spectrogram (B, F, K) of mels (B, F, M), both normalised; `mask` is (B, F)."""
        return self.to_linear(self.post(mel, mask, training=training))

    def audible(self, frames, n_frames):
        """Return (B, F), True on frames that count: whole steps, with the silent ones after the sentence."""
        ends = self.steps_of(frames) * self.config.reduction_factor
        return ops.arange(n_frames, dtype="int32")[None] < ops.expand_dims(ends, 1)

    def steps_of(self, frames):
        """Return how many decoder steps sentences of so many frames take, with the silent ones."""
        return (frames - 1) // self.config.reduction_factor + 1 + self.config.silent_steps

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the mean absolute errors of both spectrograms, and what guides the attention."""
        config = self.config
        audible = ops.cast(self.audible(x["frames"], ops.shape(y["mel"])[1]), "float32")  # (B, F)
        real = {"mel": audible, "linear": cut_of(audible, x)}
        targets = {
            "mel": (y["mel"] - config.mel_mean) / config.mel_std,
            "linear": (y["linear"] - config.linear_mean) / config.linear_std,
        }
        losses = {
            f"{name}_error": ops.sum(ops.mean(ops.abs(target - y_pred[name]), axis=-1) * real[name])
            / ops.sum(real[name])
            for name, target in targets.items()
        }
        steps = ops.minimum(self.steps_of(x["frames"]), ops.shape(y_pred["alignment"])[1])
        losses["guided_attention"] = guiding_loss(
            y_pred["alignment"], x, steps, reduction_factor=config.reduction_factor
        )
        for name, loss in losses.items():
            self.parts[name].update_state(loss)
        guidance = config.guided_attention_weight * losses["guided_attention"]
        return losses["mel_error"] + losses["linear_error"] + guidance

    def speak(self, text: str, *, seed: int | None = 0, max_steps: int | None = None) -> Spoken:
        """Say any English text.

        It stops after a step whose frames are all silent while it looks at the end of the text: the paper
        has no other sign than the silence that it learned to make after each sentence.

        Parameters
        ----------
        text : str
        seed : int, optional
            Of the prenet's dropout, which stays on; with None it is off.
        max_steps : int > 0, optional
            Where it is stopped; `longest_frames_per_character` frames for each character unless stated.

        Returns
        -------
        Spoken
            With linear magnitudes; ``stopped`` is False where it had to be stopped.

        Raises
        ------
        TextError
            If nothing in the text can be spoken.
        """
        config, ids = self.config, encode_characters(text)
        n_mels, n_characters = config.audio.n_mels, len(ids)
        if max_steps is None:
            max_steps = ceil(config.longest_frames_per_character * n_characters / config.reduction_factor)
        if max_steps < 1:
            raise ValueError(f"max_steps = {max_steps}: expected at least 1.")
        memory, mask = compiled(self, "encode")({"characters": padded_to_multiple(ids[None], 32)})
        known = {"memory": memory, "mask": mask, "keys": ops.convert_to_numpy(self.key(memory))}
        step = compiled(self, "step")

        def is_last(outputs: dict[str, np.ndarray]) -> bool:
            levels = outputs["frames"].reshape(-1, n_mels).mean(axis=1) * config.mel_std + config.mel_mean
            at_end = outputs["alignment"].argmax() >= n_characters - 1 - CLOSE_TO_THE_END
            return bool(at_end and levels.max() < SILENT_LOG_MEL)

        outputs, stopped = run_freely(
            lambda state, told: step({**known, "state": state, "told": told}),
            self.first_state(memory),
            prenet=self.prenet,
            first_frame=np.zeros((1, n_mels), np.float32),
            next_frame=lambda outputs: outputs["frames"][:, -n_mels:],
            is_last=is_last,
            max_steps=max_steps,
            seed=seed,
        )
        made = outputs["frames"].reshape(1, -1, n_mels)  # (1, F, M)
        linear = run_padded(compiled(self, "linear_of"), mel=made, mask=np.ones(made.shape[:2], bool))
        return Spoken(
            text=decode_characters(ids),
            mel=made[0] * config.mel_std + config.mel_mean,
            alignment=outputs["alignment"][:, :n_characters],
            stopped=stopped,
            audio=config.audio,
            log_magnitude=linear * config.linear_std + config.linear_mean,
            sharpening=config.sharpening,
        )

    def _require_mel(self, shape) -> None:
        n_mels, n_frames = self.config.audio.n_mels, self.config.reduction_factor
        if shape[-1] != n_mels or (shape[1] is not None and shape[1] % n_frames):
            raise ValueError(
                f"The mels have the shape {tuple(shape)}; expected (sentences, frames, {n_mels}), and frames "
                f"a multiple of {n_frames}. SpectrogramBatches pads them so."
            )
