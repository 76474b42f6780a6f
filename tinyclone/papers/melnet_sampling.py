"""MelNet one element at a time, in NumPy.

Every element needs the one drawn before it, so nothing can be done at once. Steps that small cost a framework
more to start than to compute: here they are NumPy, which makes them also a second, independent way to compute
what `MelNet.call` does; a test holds the two together. Shapes in comments: T frames, M bands, C channels, N
characters, K bumps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from keras import ops

from tinyclone.papers.window_attention import NARROWEST, WIDEST

Choose = Callable[[np.ndarray, int, int], float]


class Affine:
    """A dense layer's weights."""

    def __init__(self, layer) -> None:
        self.kernel, self.bias = (ops.convert_to_numpy(one) for one in layer.weights)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.kernel + self.bias


class Recurrence:
    """A gated recurrent layer's weights, one step at a time.

    Notes
    -----
    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", section 2.3, with the
    reset gate behind the recurrent product, as Keras has it.
    """

    def __init__(self, layer) -> None:
        self.kernel, self.recurrent, bias = (ops.convert_to_numpy(one) for one in layer.weights[:3])
        self.bias, self.recurrent_bias = bias
        self.channels = len(self.recurrent)

    def step(self, x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Go one step. (..., C), (..., H) -> (..., H)"""
        return self.step_of(x @ self.kernel + self.bias, hidden)

    def step_of(self, read: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Go one step, with the input's share computed already. (..., 3 * H), (..., H) -> (..., H)"""
        size, before = self.channels, hidden @ self.recurrent + self.recurrent_bias
        gates = logistic(read[..., : 2 * size] + before[..., : 2 * size])
        keep, reset = gates[..., :size], gates[..., size:]
        candidate = np.tanh(read[..., 2 * size :] + reset * before[..., 2 * size :])
        return keep * hidden + (1 - keep) * candidate

    def run(self, x: np.ndarray) -> np.ndarray:
        """Go through the first axis. (steps, ..., C) -> (steps, ..., H)"""
        read = x @ self.kernel + self.bias
        hidden = np.zeros((*x.shape[1:-1], self.channels), np.float32)
        result = np.empty((*x.shape[:-1], self.channels), np.float32)
        for step in range(len(x)):
            result[step] = hidden = self.step_of(read[step], hidden)
        return result


class StackSampler:
    """One `DelayedLayer`, frame by frame."""

    def __init__(self, layer, n_bands: int) -> None:
        self.up, self.down, self.later = (Recurrence(one) for one in (layer.up, layer.down, layer.later))
        self.join_time, self.join_frequency = Affine(layer.join_time), Affine(layer.join_frequency)
        self.within_frame = Recurrence(layer.within_frame)
        self.remembered = np.zeros((n_bands, self.later.channels), np.float32)
        self.frame_by_frame = None
        if layer.frame_by_frame is not None:
            self.frame_by_frame = Recurrence(layer.frame_by_frame)
            self.join_centre = Affine(layer.join_centre)
            self.centre = np.zeros(self.frame_by_frame.channels, np.float32)

    def next_frame(self, in_time: np.ndarray) -> np.ndarray:
        """Run the time-delayed stack for one more frame. (M, C) -> (M, C)"""
        self.remembered = self.later.step(in_time, self.remembered)
        seen = [self.up.run(in_time), self.down.run(in_time[::-1])[::-1], self.remembered]
        return in_time + self.join_time(np.concatenate(seen, axis=-1))

    def next_centre(self, centre: np.ndarray) -> np.ndarray:
        """Run the centralised stack for one more frame. (C,) -> (C,)"""
        self.centre = self.frame_by_frame.step(centre, self.centre)
        return centre + self.join_centre(self.centre)


class WindowSampler:
    """`WindowAttention`, frame by frame."""

    def __init__(self, attention, memory: np.ndarray) -> None:
        self.cell, self.steer = Recurrence(attention.cell), Affine(attention.steer)
        self.memory, self.log_pace = memory, attention.log_pace  # (N, C)
        self.hidden, self.context = np.zeros(attention.channels, np.float32), np.zeros(memory.shape[1])
        self.place = np.zeros(attention.bumps)
        self.edges = np.arange(len(memory) + 1)[:, None] - 0.5
        self.looked_at: list[np.ndarray] = []

    def next_frame(self, centre: np.ndarray) -> np.ndarray:
        """Look at the text once more. (C,) -> (C,)"""
        self.hidden = self.cell.step(np.concatenate([centre, self.context]), self.hidden)
        move, width, share = np.split(self.steer(self.hidden), 3)  # (K,) each
        self.place = self.place + np.exp(np.clip(move + self.log_pace, NARROWEST, WIDEST))
        weights = np.exp(share - share.max())
        below = logistic((self.edges - self.place) / np.exp(np.clip(width, NARROWEST, WIDEST)))  # (N + 1, K)
        below = below @ (weights / weights.sum())  # (N + 1,)
        self.looked_at.append(below[1:] - below[:-1])
        self.context = self.looked_at[-1] @ self.memory
        return centre + self.context

    def left_the_text(self, n_characters: int) -> bool:
        """Whether most of the window lies behind the last character but one."""
        before_the_last = float(self.looked_at[-1][: n_characters - 1].sum())
        return before_the_last < 0.5 and self.place.max() > n_characters / 2


class TierSampler:
    """One `Tier`, element by element.

    Parameters
    ----------
    tier : Tier
    memory : np.ndarray, shape (N, C), optional
        The text, as `read_text` reads it, for the first tier.
    coarser : np.ndarray, shape (T, M), optional
        What all tiers before this one drew, for the others.
    """

    def __init__(
        self, tier, *, memory: np.ndarray | None = None, coarser: np.ndarray | None = None
    ) -> None:
        self.seen = None if coarser is None else read_coarser(tier, coarser)  # (T, M, C)
        self.enter_time, self.enter_frequency = Affine(tier.enter_time), Affine(tier.enter_frequency)
        table = ops.convert_to_numpy(tier.band_embedding.weights[0])  # (M, 2 * C)
        self.n_bands, (self.of_time, self.of_frequency) = len(table), np.split(table, 2, axis=1)
        self.stacks = [StackSampler(one, self.n_bands) for one in tier.stacks]
        self.exit = Affine(tier.exit)
        self.window = None
        if memory is not None:
            self.enter_centre, self.window = Affine(tier.enter_centre), WindowSampler(tier.attention, memory)

    def sample(self, n_frames: int, choose: Choose, *, n_characters: int = 0) -> np.ndarray:
        """Draw frame by frame, from the lowest band to the highest.

        Parameters
        ----------
        n_frames : int
        choose : callable
            Gets the raw mixture of an element, its frame and its band, and returns its value.
        n_characters : int
            If it is not 0, stop once so many characters were read.

        Returns
        -------
        np.ndarray, shape (n_frames or fewer, M), float32
        """
        x = np.zeros((n_frames + 1, self.n_bands), np.float32)  # the first frame has silence before it
        for frame in range(n_frames):
            contexts = self.next_frame(x[frame - 1] if frame else x[-1], frame)
            self.draw_frame(x[frame], contexts, choose, frame)
            if n_characters and self.window.left_the_text(n_characters):
                return x[: frame + 1]
        return x[:n_frames]

    def next_frame(self, before: np.ndarray, frame: int) -> list[np.ndarray]:
        """Return what each layer knows before a frame begins. (M,) -> list of (M, C)"""
        known = before[:, None]  # (M, 1)
        if self.seen is not None:
            known = np.concatenate([known, self.seen[frame]], axis=1)  # (M, 1 + C)
        in_time = self.enter_time(known) + self.of_time  # (M, C)
        centre = None if self.window is None else self.enter_centre(before)
        contexts = []
        for number, stack in enumerate(self.stacks):
            if centre is not None and number == len(self.stacks) // 2:
                centre = self.window.next_frame(centre)
            in_time = stack.next_frame(in_time)
            contexts.append(in_time)
            if centre is not None:
                centre = stack.next_centre(centre)
                contexts[-1] = in_time + centre
        return contexts

    def draw_frame(self, row: np.ndarray, contexts: list[np.ndarray], choose: Choose, frame: int) -> None:
        """Fill a frame with values. (M,)"""
        hidden = [np.zeros(one.within_frame.channels, np.float32) for one in self.stacks]
        below = np.zeros(1, np.float32)
        for band in range(self.n_bands):
            known = below if self.seen is None else np.concatenate([below, self.seen[frame, band]])
            in_frequency = self.enter_frequency(known) + self.of_frequency[band]  # (C,)
            for number, stack in enumerate(self.stacks):
                everything = in_frequency + contexts[number][band]
                hidden[number] = stack.within_frame.step(everything, hidden[number])
                in_frequency = in_frequency + stack.join_frequency(hidden[number])
            row[band] = choose(self.exit(in_frequency), frame, band)
            below = row[band : band + 1]


def read_text(reader, characters: np.ndarray) -> np.ndarray:
    """Run a `TextReader` on one text. (N,) int -> (N, C)"""
    x = ops.convert_to_numpy(reader.embedding.weights[0])[characters]  # (N, C)
    forwards, backwards = Recurrence(reader.forwards), Recurrence(reader.backwards)
    seen = [x, forwards.run(x), backwards.run(x[::-1])[::-1]]
    return Affine(reader.join)(np.concatenate(seen, axis=-1)) * (characters != 0)[:, None]


def read_coarser(tier, coarser: np.ndarray) -> np.ndarray:
    """Run a tier's features on one coarser spectrogram, normalised. (T, M) -> (T, M, C)"""
    of_time, _ = np.split(ops.convert_to_numpy(tier.band_embedding.weights[0]), 2, axis=1)
    x = Affine(tier.enter_features)(coarser[..., None]) + of_time  # (T, M, C)
    layer, bands_first = tier.features, x.swapaxes(0, 1)
    seen = [
        Recurrence(layer.up).run(bands_first).swapaxes(0, 1),
        Recurrence(layer.down).run(bands_first[::-1])[::-1].swapaxes(0, 1),
        Recurrence(layer.later).run(x),
        Recurrence(layer.earlier).run(x[::-1])[::-1],
    ]
    return x + Affine(layer.join)(np.concatenate(seen, axis=-1))


def logistic(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)
