"""What decoders with attention share: a prenet, the loop over steps with a teacher and without, the result.

For both Tacotrons. Shapes in comments: B sentences, D decoder steps, C channels, F frames, T characters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tinyclone.config import AudioConfig
from tinyclone.griffin_lim import griffin_lim, mel_to_wav
from tinyclone.papers.guided_attention import AlignmentReport, alignment_report

# A step takes a state (a list of tensors) and what the prenet made of the last frame, (B, C), and returns the
# next state and a dictionary of outputs, each (B, ...).
Step = Callable


class Prenet(layers.Layer):
    """Small dense layers with much dropout, between the last frame and the decoder.

    Without them the decoder copies the frame that it is given and never asks the text.

    Parameters
    ----------
    sizes : sequence of int
        Channels of each layer.
    dropout : float in [0, 1)
        Share of values that are dropped after each layer.

    Notes
    -----
    Wang et al. 2017 (Tacotron), section 3.2 and table 1; Shen et al. 2018 (Tacotron 2), section 2.2.

    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(self, sizes: Sequence[int], *, dropout: float, **settings) -> None:
        super().__init__(**settings)
        self.sizes, self.rate = tuple(sizes), dropout
        self.denses = [layers.Dense(size, activation="relu") for size in sizes]
        self.dropouts = [layers.Dropout(dropout) for _ in sizes]

    def build(self, shape) -> None:
        """Make the weights of every layer."""
        for dense, n_channels in zip(self.denses, (shape[-1], *self.sizes)):
            dense.build((None, n_channels))
        self.built = True

    def call(self, frames, training=False):
        """Read frames, (..., C) -> (..., sizes[-1]); for training, all steps at once."""
        for dense, dropout in zip(self.denses, self.dropouts):
            frames = dropout(dense(frames), training=training)
        return frames

    def with_masks(self, frame, masks):
        """Read one frame, (B, C) -> (B, sizes[-1]), with dropout that was drawn before, see `draw_masks`."""
        for dense, mask in zip(self.denses, masks):
            frame = dense(frame) * mask
        return frame

    def draw_masks(self, n_steps: int, *, seed: int | None) -> list[np.ndarray]:
        """Draw dropout for synthesis, the same on every backend; without a seed, nothing is dropped.

        Returns
        -------
        list of np.ndarray, shape (n_steps, sizes[layer])
            0 or ``1 / (1 - dropout)``; all 1 without a seed.
        """
        if seed is None:
            return [np.ones((n_steps, size), np.float32) for size in self.sizes]
        chance = np.random.default_rng(seed)
        return [
            ((chance.random((n_steps, size)) >= self.rate) / (1 - self.rate)).astype(np.float32)
            for size in self.sizes
        ]


class Compiled(keras.Model):
    """One method of a model as a compiled function of arrays: some twenty times as fast for small steps.

    Parameters
    ----------
    model : keras.Model
        Built.
    method : str
        Its name. It takes tensors by their names, and returns a tensor or a structure of some.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(self, model: keras.Model, method: str) -> None:
        super().__init__()
        self.model, self.method, self.built = model, method, True
        # On TensorFlow, a graph serves any shape, while XLA would compile for each again.
        self.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")

    def call(self, inputs):
        """Run the method on a dictionary of tensors."""
        return getattr(self.model, self.method)(**inputs)


def compiled(model: keras.Model, method: str) -> Callable[[dict], Any]:
    """Return a function that runs a method of a model on a dictionary of arrays, see `Compiled`.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    # Beside what Keras tracks and saves: it would take the parts for layers of the model.
    parts = model.__dict__.setdefault("__compiled__", {})
    if method not in parts:
        parts[method] = Compiled(model, method)
    return parts[method].predict_on_batch


def padded_to_multiple(array: np.ndarray, multiple: int) -> np.ndarray:
    """Add zeros along the second axis, so that compiled functions meet few lengths; (B, T, ...)."""
    more = -array.shape[1] % multiple
    return np.pad(array, [(0, 0), (0, more), *[(0, 0)] * (array.ndim - 2)])


def run_padded(run: Callable[[dict], Any], **arrays: np.ndarray) -> np.ndarray:
    """Run a compiled function over arrays (1, F, ...), padded so that it meets few lengths -> (F, ...)."""
    n_frames = len(next(iter(arrays.values()))[0])
    return run({name: padded_to_multiple(one, 64) for name, one in arrays.items()})[0, :n_frames]


def follow_teacher(step: Step, state: list, inputs) -> dict:
    """Run a decoder over inputs that are all known, one step after the other, with gradients.

    Parameters
    ----------
    step : callable
        ``step(state, inputs_of_one_step) -> (state, outputs)``; see above. It may draw nothing at random.
    state : list of tensor, shape (B, ...)
    inputs : tensor, shape (B, D, C)
        What the prenet made of the recorded frames.

    Returns
    -------
    dict of tensor, shape (B, D, ...)
        The outputs of all steps.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    # On TensorFlow, ops.scan keeps only what is shaped like the state: so the outputs become a part of it.
    blank = {name: ops.zeros_like(one) for name, one in step(state, inputs[:, 0])[1].items()}

    def step_and_keep(before, inputs_of_step):
        after = step(before[0], inputs_of_step)
        return after, after

    _, (_, outputs) = ops.scan(step_and_keep, (state, blank), ops.swapaxes(inputs, 0, 1))  # each (D, B, ...)
    return {name: ops.swapaxes(one, 0, 1) for name, one in outputs.items()}


def run_freely(
    step: Step,
    state: list,
    *,
    prenet: Prenet,
    first_frame,
    next_frame: Callable,
    is_last: Callable[[dict], bool],
    max_steps: int,
    seed: int | None = 0,
) -> tuple[dict[str, np.ndarray], bool]:
    """Run a decoder on what it says itself, for one sentence, until it stops or has to.

    Parameters
    ----------
    step : callable
        As for `follow_teacher`.
    state : list of tensor, shape (1, ...)
    prenet : Prenet
    first_frame : tensor, shape (1, C)
        What the first step is given as the last frame.
    next_frame : callable
        Takes a step's outputs and returns the frame that the next step is given, (1, C).
    is_last : callable
        Takes a step's outputs as arrays without their first axis; whether the model stops after it.
    max_steps : int > 0
        Where it has to.
    seed : int, optional
        Of the prenet's dropout; without one, nothing is dropped.

    Returns
    -------
    outputs : dict of np.ndarray, shape (D, ...)
    stopped : bool
        Whether it stopped by itself.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    masks, steps = prenet.draw_masks(max_steps, seed=seed), []
    frame, stopped = first_frame, False
    read = compiled(prenet, "with_masks")
    while not stopped and len(steps) < max_steps:
        inputs = read({"frame": frame, "masks": [mask[len(steps)][None] for mask in masks]})
        state, outputs = step(state, inputs)
        frame = next_frame(outputs)
        steps.append({name: ops.convert_to_numpy(one)[0] for name, one in outputs.items()})
        stopped = bool(is_last(steps[-1]))
    return {name: np.stack([one[name] for one in steps]) for name in steps[0]}, stopped


@dataclass(frozen=True)
class Spoken:
    """What a Tacotron made of a text.

    Parameters
    ----------
    text : str
        As it was read: numbers and abbreviations are words.
    mel : np.ndarray, shape (F, n_mels), float32
        Natural logarithm.
    alignment : np.ndarray, shape (D, T), in [0, 1]
        What each decoder step looked at; the last character is the end mark.
    stopped : bool
        Whether it stopped by itself, and not at the longest length that was allowed.
    audio : AudioConfig
        Of the mel.
    log_magnitude : np.ndarray, shape (F, bins), optional
        Natural log of a linear spectrogram, if the model made one.
    sharpening : float
        The power that magnitudes are raised to before Griffin-Lim.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """

    text: str
    mel: np.ndarray
    alignment: np.ndarray
    stopped: bool
    audio: AudioConfig
    log_magnitude: np.ndarray | None = None
    sharpening: float = 1.0

    @property
    def report(self) -> AlignmentReport:
        """Whether the text was read from its beginning to its end, once."""
        return alignment_report(self.alignment)

    def to_wav(self, *, n_iter: int = 60, seed: int = 0) -> np.ndarray:
        """Return the wave by Griffin-Lim, of the linear spectrogram if there is one, (N,), in [-1, 1]."""
        settings = {"config": self.audio, "n_iter": n_iter, "seed": seed}
        if self.log_magnitude is None:
            return mel_to_wav(self.mel, **settings)
        wav = griffin_lim(np.exp(self.sharpening * self.log_magnitude), **settings)
        return np.clip(wav * _loudness(self.log_magnitude, self.sharpening), -1.0, 1.0)


def _loudness(log_magnitude: np.ndarray, sharpening: float) -> float:
    """Return what makes sharpened magnitudes as loud as they were."""
    energy, sharpened = (np.exp(2.0 * power * log_magnitude).sum() for power in (1.0, sharpening))
    return float(np.sqrt(energy / sharpened))
