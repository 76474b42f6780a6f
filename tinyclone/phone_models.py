"""What each phone sounds like: two models that score every frame under every phone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
import scipy.special
from tqdm import tqdm

from tinyclone.text import PAUSES

PHONE_CLASSES = (
    "pause", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW",
    "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
LETTER_CLASSES = dict(
    a="AE", b="B", c="K", d="D", e="EH", f="F", g="G", h="HH", i="IH", j="JH", k="K", l="L", m="M", n="N",
    o="AA", p="P", q="K", r="R", s="S", t="T", u="AH", v="V", w="W", x="K", y="IY", z="Z",
)  # fmt: skip
N_CEPSTRA = 14


def phone_class(symbol: str) -> int:
    """Return the acoustic class of a token: its phone without stress, a letter's usual sound, or pause.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    if symbol in PAUSES or symbol == "'":
        return 0
    return PHONE_CLASSES.index(LETTER_CLASSES.get(symbol, symbol.rstrip("012")))


def cepstra(mel: np.ndarray) -> np.ndarray:
    """Return 14 mel-frequency cepstra with two orders of differences, each of mean 0 and variance 1.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels)]
        Natural-log mel.

    Returns
    -------
    np.ndarray [shape=(F, 42), float32]

    Notes
    -----
    Davis & Mermelstein 1980; Furui 1986 for the differences.

    Lesson: lessons/03_alignment.ipynb
    """
    static = scipy.fft.dct(mel.astype(np.float32), norm="ortho", axis=1)[:, :N_CEPSTRA]
    slope = _slope(static)
    stacked = np.concatenate([static, slope, _slope(slope)], axis=1)
    return (stacked - stacked.mean(axis=0)) / (stacked.std(axis=0) + 1e-3)


def _slope(values: np.ndarray) -> np.ndarray:
    """Return the slope of a straight line through five frames. (F, C) -> (F, C)"""
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    frames = len(values)
    return sum(step * (padded[2 + step : 2 + step + frames]) for step in (-2, -1, 1, 2)) / 10


def level(mel: np.ndarray) -> np.ndarray:
    """Bring a mel to zero mean in each band and unit scale over all. (F, n_mels) -> (F, n_mels)

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    level = mel.astype(np.float32) - mel.astype(np.float32).mean(axis=0)
    return level / (level.std() + 1e-3)


class GaussianScorer:
    """One diagonal Gaussian for each phone class, fitted to labelled frames.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """

    def fit(self, frames: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> None:
        """Estimate mean and variance of each class. frames: (F, 42) each, labels: (F,) each."""
        stacked, label = np.concatenate(frames), np.concatenate(labels)
        indicator = np.eye(len(PHONE_CLASSES), dtype=np.float32)[label]  # (N, 40)
        # A few frames of the average keep a class that is rare, or missing, from collapsing.
        prior = 20.0
        count = indicator.sum(axis=0)[:, None] + prior
        self.mean = (indicator.T @ stacked + prior * stacked.mean(axis=0)) / count
        second = (indicator.T @ stacked**2 + prior * (stacked**2).mean(axis=0)) / count
        self.variance = np.maximum(second - self.mean**2, 0.05)

    def score(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the log likelihood of each frame under each class. (F, 42) -> (F, 40)"""
        precision = 1 / self.variance
        constant = -0.5 * (np.log(2 * np.pi * self.variance) + self.mean**2 * precision).sum(axis=1)
        return [(-0.5 * one**2 @ precision.T + one @ (self.mean * precision).T + constant) for one in frames]


class ConvolutionScorer:
    """A convolutional phone classifier; its scores are log posterior minus a share of the log prior.

    Dividing by the prior keeps frequent phones from swallowing rare ones (Bourlard & Morgan 1994).

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """

    window = 256
    context = 24
    batch_size = 32
    # The learning rate falls from one epoch to the next.
    steps_per_epoch = 10
    prior_weight = 0.7

    def __init__(self, *, n_mels: int, channels: int = 128, seed: int = 0) -> None:
        import keras
        from keras import layers

        keras.utils.set_random_seed(seed)
        self.random = np.random.default_rng(seed)
        self.model = keras.Sequential([layers.Input((None, n_mels))])
        for dilation in (1, 2, 4):
            self.model.add(layers.Conv1D(channels, 5, padding="same", dilation_rate=dilation))
            self.model.add(layers.LayerNormalization())
            self.model.add(layers.Activation("relu"))
            self.model.add(layers.Dropout(0.1))
        self.model.add(layers.Dense(len(PHONE_CLASSES)))
        self.model.compile(
            optimizer=keras.optimizers.Adam(1e-3, clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

    def fit(self, frames: Sequence[np.ndarray], labels: Sequence[np.ndarray], *, steps: int) -> None:
        """Train on random windows of labelled clips. frames: (F, n_mels) each, labels: (F,) each."""
        from keras.callbacks import LambdaCallback, LearningRateScheduler

        stream, label = np.concatenate(frames), np.concatenate(labels)
        window = min(self.window, len(stream))
        counts = np.bincount(label, minlength=len(PHONE_CLASSES)) + 1.0
        self.log_prior = np.log(counts / counts.sum()).astype(np.float32)
        epochs = max(1, round(steps / self.steps_per_epoch))
        starts = self.random.integers(0, len(stream) - window + 1, (steps, self.batch_size))
        indices = (one[:, None] + np.arange(window) for one in starts)
        with tqdm(total=steps, desc="phone classifier", unit="step", leave=False) as progress:
            self.model.fit(
                ((stream[index], label[index]) for index in indices),
                epochs=epochs,
                steps_per_epoch=steps // epochs,
                shuffle=False,
                verbose=0,
                callbacks=[
                    LearningRateScheduler(lambda epoch: 1e-3 * (1 - 0.9 * epoch / epochs)),
                    LambdaCallback(on_epoch_end=lambda *_: progress.update(steps // epochs)),
                ],
            )

    def score(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the score of each frame under each class. (F, n_mels) -> (F, 40)"""
        gap = np.zeros((self.context, frames[0].shape[1]), np.float32)
        stream = np.concatenate([part for one in frames for part in (gap, one)] + [gap])
        chunk = 1024
        n_chunks = -(-len(stream) // chunk)
        n_chunks += -n_chunks % self.batch_size
        padded = np.zeros((n_chunks * chunk + 2 * self.context, stream.shape[1]), np.float32)
        padded[self.context : self.context + len(stream)] = stream
        scores = np.empty((n_chunks * chunk, len(PHONE_CLASSES)), np.float32)
        for first in range(0, n_chunks, self.batch_size):
            starts = np.arange(first, first + self.batch_size) * chunk
            batch = padded[starts[:, None] + np.arange(chunk + 2 * self.context)]
            logits = np.asarray(self.model.predict_on_batch(batch))[:, self.context : -self.context]
            scores[starts[0] : starts[-1] + chunk] = logits.reshape(-1, logits.shape[-1])
        scores -= scipy.special.logsumexp(scores, axis=1, keepdims=True)
        scores -= self.prior_weight * self.log_prior
        ends = np.cumsum([len(one) + self.context for one in frames])
        return [scores[end - len(one) : end] for end, one in zip(ends, frames)]
