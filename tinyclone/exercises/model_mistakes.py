"""What right answers to the exercises of lesson 4 are, and what usual mistakes give instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# --- the length regulator


def regulated(states: np.ndarray, durations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Repeat each state by its duration. (B, T, C), (B, T) -> (B, F, C), (B, F)"""
    clips = [np.repeat(one, lengths, axis=0) for one, lengths in zip(states, durations)]
    longest = max(map(len, clips))
    frames = np.stack([np.pad(clip, ((0, longest - len(clip)), (0, 0))) for clip in clips])
    return frames, np.stack([np.arange(longest) < len(clip) for clip in clips]).astype(float)


def why_not_frames(frames: np.ndarray, *, states: np.ndarray, durations: np.ndarray) -> str:
    """Compare with what usual mistakes give."""
    right, mask = regulated(states, durations)
    shortest = int(durations.sum(axis=1).min())
    if frames.shape == mask.shape:
        return f"the frames have the shape {frames.shape}, which is that of the mask: frames come first."
    if frames.ndim == 2 and len(frames) == durations.sum():
        return "all clips became one long one. Each keeps a row of its own."
    if frames.shape == (len(right), right.shape[2], right.shape[1]) and right.shape[1] != right.shape[2]:
        return f"the frames have the shape {frames.shape}; time comes before channels: {right.shape}."
    if frames.ndim == 3 and frames.shape[1] == shortest != right.shape[1]:
        return f"the longer clips were cut to {shortest} frames. The longest decides: {right.shape}."
    if len(right) > 1 and frames.shape == (len(right), durations.sum(), right.shape[2]):
        return f"there is room for the frames of all clips together; the longest needs {right.shape[1]}."
    once = np.maximum(durations, 1)
    if (durations == 0).any() and _same(frames, regulated(states, once)[0]):
        return "a token of 0 frames got one. It lasts no time at all, so no frame has its state."
    if _same(frames, regulated(states, durations + 1)[0]):
        return "each state is there once too often: a duration counts all its frames."
    if frames.shape != right.shape:
        return f"the frames have the shape {frames.shape}; expected {right.shape}."
    around = np.stack([np.resize(one, right.shape[1:]) for one in states])
    if _same(frames * mask[..., None], around * mask[..., None]):
        return "the states go round and round. Each is said as long as it lasts, then comes the next."
    shifted = [np.roll(one, int((1 - real).sum()), axis=0) for one, real in zip(right, mask)]
    if _same(frames, np.stack(shifted)):
        return "the padding is in front of the clips; it belongs behind them."
    if _same(frames * mask[..., None], right):
        return "behind the end of the shorter clips something is left; there should be zeros."
    clip, frame = np.argwhere(np.abs(frames - right).max(axis=2) > 1e-4)[0]
    return f"clip {clip}, frame {frame} has not the state of its token. Which token is spoken there?"


def why_not_mask(mask: np.ndarray, right: np.ndarray) -> str:
    """Say what is wrong with a mask."""
    if mask.shape == (*right.shape, 1):
        return f"the mask has the shape {mask.shape}; expected {right.shape}, one number for each frame."
    if mask.shape != right.shape:
        return f"the mask has the shape {mask.shape}; expected {right.shape}."
    if np.array_equal(mask, 1 - right):
        return "the mask is upside down: 1 stands for a frame, 0 for padding."
    if not np.isin(mask, (0, 1)).all():
        return "the mask holds more than 0 and 1."
    if mask.all():
        return "the mask is 1 everywhere, so padding would count as speech."
    found, wanted = (one.sum(axis=1).astype(int).tolist() for one in (mask, right))
    return f"by the mask the clips have {found} frames; expected {wanted}."


# --- pooling


def pooled(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return means and standard deviations of the real frames. (B, R, C), (B, R) -> (B, 2C)"""
    means, deviations = _statistics(frames, mask)
    return np.concatenate([means, deviations], axis=1)


def _statistics(frames: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real = [one[keep > 0] for one, keep in zip(frames, mask)]
    return np.array([one.mean(axis=0) for one in real]), np.array([one.std(axis=0) for one in real])


def why_not_pooled(answer: np.ndarray, *, frames: np.ndarray, mask: np.ndarray) -> str:
    """Compare with what usual mistakes give."""
    n_clips, _, n_channels = frames.shape
    means, deviations = _statistics(frames, mask)
    if np.isnan(answer).any():
        return (
            "there are NaN: a division by 0, or the root of a number below 0. Is the mask the right way up?"
        )
    if _same(answer, means) or _same(answer, deviations):
        return f"half is missing: expected {n_channels} means and {n_channels} standard deviations."
    if answer.shape == (n_clips, 1, 2 * n_channels):
        return f"the shape is {answer.shape}: one axis too many. Expected {(n_clips, 2 * n_channels)}."
    if answer.shape != (n_clips, 2 * n_channels):
        return (
            f"the shape is {answer.shape}; expected {(n_clips, 2 * n_channels)}: a row for each reference, "
            "its means first, then its standard deviations."
        )
    silent = frames * mask[..., None]
    everything = np.ones_like(mask)
    first, second = answer[:, :n_channels], answer[:, n_channels:]
    if _same(first, deviations) and _same(second, means):
        return "the standard deviations stand first. Means first, please."
    if not _same(first, means):
        if _same(first, _statistics(frames, everything)[0]):
            return "padding is counted in: the mask has no effect on the means."
        if _same(first, _statistics(silent, everything)[0]):
            return "padding is silenced, but the sum is divided by all frames. How many are real?"
        if _same(first, silent.sum(axis=1)):
            return "these are sums. A mean divides by the number of real frames."
        padding = 1 - mask[..., None]
        if _same(first, (frames * padding).sum(axis=1) / np.maximum(padding.sum(axis=1), 1)):
            return "the mask is upside down: 1 stands for a frame, 0 for padding."
        return "the means are wrong. Take one reference without padding and compare with its mean(axis=0)."
    variances = deviations**2
    if _same(second, variances):
        return "the second half holds variances. A standard deviation is the root of one."
    if _same(second, frames.std(axis=1)):
        return "the means are right, but padding is counted into the standard deviations."
    counts, centred = mask.sum(axis=1)[:, None], frames - means[:, None]
    if _same(second, np.sqrt(((silent - means[:, None]) ** 2).sum(axis=1) / counts)):
        return "silenced padding still differs from the mean: mask the squares, not the frames."
    if _same(second, np.sqrt((centred**2 * mask[..., None]).mean(axis=1))):
        return "the means are right, but the squares are divided by all frames. How many are real?"
    if _same(second, np.sqrt((centred**2 * mask[..., None]).sum(axis=1) / np.maximum(counts - 1, 1))):
        return "the squares are divided by one less than the number of real frames. Here, divide by all."
    if _same(second, (np.abs(centred) * mask[..., None]).sum(axis=1) / counts):
        return (
            "the second half is the mean distance. A standard deviation squares first, the root comes last."
        )
    return "the means are right, the standard deviations are not: the root of the mean square of what?"


# --- how much of the input one output sees


def field_of(
    kernel_sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    *,
    stride_first: bool = False,
) -> int:
    """Count from the first layer on. A usual mistake: `stride_first` widens a layer by its own stride."""
    seen, apart = 1, 1  # apart: the distance in the input of two neighbours
    for kernel_size, stride, dilation in zip(kernel_sizes, strides, dilations):
        seen += (kernel_size - 1) * dilation * apart * (stride if stride_first else 1)
        apart *= stride
    return seen


def why_not_field(
    answer: float, right: int, kernel_sizes: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> str:
    """Compare with what usual mistakes give."""
    ones = [1] * len(kernel_sizes)
    own_stride = field_of(kernel_sizes, strides, dilations, stride_first=True)
    mistakes = {
        field_of(kernel_sizes, ones, dilations): "A stride moves the neighbours of all later layers apart.",
        field_of(
            kernel_sizes, strides, ones
        ): "With a gap, a kernel reaches over more steps than it has weights.",
        right - 1: "The step itself is seen, too.",
        right + 1: "The step itself is counted once too often.",
        own_stride: "A layer's own stride does not widen what it sees; it only moves those after it apart.",
        field_of(
            kernel_sizes[::-1], strides[::-1], dilations[::-1]
        ): "The first layer comes first in the lists.",
        sum(
            kernel_sizes
        ): "Kernels that follow each other share a step: the second adds one less than its size.",
        int(np.prod(kernel_sizes)): "Sizes are not multiplied: how many steps does a second kernel add?",
        right // 2: "That is one side only.",
    }
    return mistakes.get(answer, "Add up, from the first layer on, how many input steps each layer adds.")


def _same(answer: np.ndarray, other: np.ndarray) -> bool:
    return answer.shape == other.shape and np.allclose(answer, other, rtol=1e-3, atol=1e-3)
