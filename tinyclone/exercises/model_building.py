"""Checkers for lesson 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, call, judge, kind_of
from tinyclone.exercises.model_mistakes import (
    field_of,
    pooled,
    regulated,
    why_not_field,
    why_not_frames,
    why_not_mask,
    why_not_pooled,
)

# (what, kernel sizes, strides, dilations)
STACKS = (
    ("one convolution", (5,), (1,), (1,)),
    ("the text encoder's three", (5, 5, 5), (1, 1, 1), (1, 1, 1)),
    ("the decoder's six, with gaps", (5,) * 6, (1,) * 6, (1, 2, 4, 1, 2, 4)),
    ("kernels of several sizes", (3, 7, 5), (1, 1, 1), (2, 1, 3)),
    ("kernels and strides of several sizes", (5, 3, 3), (2, 1, 3), (1, 1, 1)),
    ("the reference encoder's three, with strides", (5, 5, 5), (1, 2, 2), (1, 1, 1)),
    ("strides and gaps", (3, 5, 3), (2, 3, 1), (1, 2, 2)),
)


def check_repeat_states(
    repeat_states: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None,
) -> bool:
    """Check a length regulator that works on several clips at a time.

    Parameters
    ----------
    repeat_states : callable
        ``repeat_states(states, durations)`` takes states, shape (B, T, C), and whole numbers of frames,
        shape (B, T), and returns ``frames`` of shape (B, F, C), each state as often as its duration says
        and zeros behind the end of a clip, and ``mask`` of shape (B, F), 1 where there is a frame; F is
        the number of frames of the longest clip.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    return judge("repeat_states", lambda: _try_repeat_states(repeat_states))


def check_pool(pool: Callable[[np.ndarray, np.ndarray], np.ndarray] | None) -> bool:
    """Check a function that pools the frames of several references and is deaf to padding.

    Parameters
    ----------
    pool : callable
        ``pool(frames, mask)`` takes frames, shape (B, R, C), and a mask, shape (B, R), 1 where a frame is
        real and 0 where it is padding, and returns shape (B, 2C): of each channel the mean over the real
        frames of its clip, then of each channel their standard deviation.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    return judge("pool", lambda: _try_pool(pool))


def check_receptive_field(
    receptive_field: Callable[[Sequence[int], Sequence[int], Sequence[int]], int] | None,
) -> bool:
    """Check a function that counts how much of the input one output of stacked convolutions sees.

    Parameters
    ----------
    receptive_field : callable
        ``receptive_field(kernel_sizes, strides, dilations)`` takes one number for each layer, the first
        layer first, and returns a whole number of input steps.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    return judge("receptive_field", lambda: [_try_stack(receptive_field, *stack) for stack in STACKS])


# --- the length regulator


def _try_repeat_states(repeat_states: Any) -> list[str]:
    random = np.random.default_rng(0)
    trials = [
        ("one clip", [[2, 1, 3]]),
        ("a token without frames", [[2, 0, 3, 1]]),
        ("two clips of different lengths", [[1, 2, 1, 1], [3, 2, 4, 2]]),
        ("three clips, the longest first", [[9, 3, 5], [2, 0, 1], [4, 4, 1]]),
    ]
    passed = []
    for what, durations in trials:
        durations = np.array(durations)
        states = random.normal(size=(*durations.shape, 4)).round(2)
        answer = call(repeat_states, states.copy(), durations.copy(), expected=object)
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise Wrong(f"{what}: it returned {_described(answer)}; expected two things: frames, mask.")
        frames, mask = (as_array(one, name="repeat_states") for one in answer)
        right, right_mask = regulated(states, durations)
        if frames.shape != right.shape or not np.allclose(frames, right, atol=1e-4):
            raise Wrong(f"{what}: {why_not_frames(frames, states=states, durations=durations)}")
        if mask.shape != right_mask.shape or not np.array_equal(mask, right_mask):
            raise Wrong(f"{what}: {why_not_mask(mask, right_mask)}")
        passed.append(f"{what}: {durations.sum(axis=1).tolist()} frames")
    return passed


# --- pooling


def _try_pool(pool: Any) -> list[str]:
    random = np.random.default_rng(1)
    trials = [
        ("two references without padding", [7, 7], 7),
        ("a short one beside a long one", [3, 9], 9),
        ("the same with more padding", [3, 9], 14),
        ("a reference of one frame", [1, 6, 4], 6),
    ]
    passed = []
    for what, lengths, n_frames in trials:
        frames = random.normal(2.0, 1.5, size=(len(lengths), n_frames, 3)).round(2)
        mask = (np.arange(n_frames) < np.array(lengths)[:, None]).astype(float)
        # Padding is whatever was in memory: here something loud.
        frames[mask == 0] = 50.0
        answer = as_array(call(pool, frames.copy(), mask.copy(), expected=object), name="pool")
        right = pooled(frames, mask)
        # A little may be added under the root, to keep its gradient finite.
        if answer.shape != right.shape or not np.allclose(answer, right, atol=5e-3):
            raise Wrong(f"{what}: {why_not_pooled(answer, frames=frames, mask=mask)}")
        passed.append(f"{what}: {lengths} frames of {n_frames}")
    return passed


# --- how much of the input one output sees


def _try_stack(
    receptive_field: Any,
    what: str,
    kernel_sizes: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> str:
    answer = call(receptive_field, list(kernel_sizes), list(strides), list(dilations), expected=object)
    if isinstance(answer, bool) or not isinstance(answer, Real):
        raise Wrong(f"{what}: it returned {kind_of(answer)}; expected a whole number of input steps.")
    right = field_of(kernel_sizes, strides, dilations)
    layers = f"kernels {kernel_sizes}, strides {strides}, dilations {dilations}"
    if answer != right:
        hint = why_not_field(float(answer), right, kernel_sizes, strides, dilations)
        raise Wrong(f"{what} ({layers}): {answer:g} is not it. {hint}")
    return f"{what}: {right}"


def _described(answer: Any) -> str:
    return f"{len(answer)} things" if isinstance(answer, (tuple, list)) else kind_of(answer)
