"""Checkers for the lesson on WaveNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_numbers, call, judge

SAMPLE_RATE_HZ = 16000


def check_layers_needed(layers_needed: Callable[[float, int], int] | None) -> bool:
    """Check a function that says how many layers with dilations 1, 2, 4, ... it takes to hear far enough.

    Parameters
    ----------
    layers_needed : callable
        ``layers_needed(milliseconds, kernel_size)`` returns the smallest number of layers, each with twice
        the dilation of the one before, whose receptive field holds so many milliseconds at 16 kHz.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    return judge("layers_needed", lambda: _try_layers_needed(layers_needed))


def check_remembering_step(step: Callable[..., np.ndarray] | None) -> bool:
    """Check a function that does one step of a dilated convolution with a memory.

    Parameters
    ----------
    step : callable
        ``step(ring, n, x, kernel, dilation)`` writes the input `x`, shape (C,), of step `n` into `ring`,
        shape (R, C), in which step m lies in row ``m % R``; it returns the convolution's output at this
        step, shape (D,). `kernel` has the shape (kernel_size, C, D), the oldest tap first. The ring holds
        zeros at the start, and R is larger than ``(kernel_size - 1) * dilation``.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    return judge("remembering_step", lambda: _try_remembering_step(step))


def check_bits_per_sample(bits: Callable[[np.ndarray, np.ndarray], float] | None) -> bool:
    """Check a function that says how surprising samples were, in bits.

    Parameters
    ----------
    bits : callable
        ``bits(scores, numbers)`` returns the mean of ``-log2(probability)`` of the levels `numbers`, shape
        (N,), where the probabilities are the softmax of `scores`, shape (N, levels).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    return judge("bits_per_sample", lambda: _try_bits_per_sample(bits))


# --- how many layers


def _receptive_field(n_layers: int, kernel_size: int) -> int:
    return 1 + (kernel_size - 1) * (2**n_layers - 1)


def _try_layers_needed(layers_needed: Any) -> list[str]:
    trials = [(8.0, 2), (8.0, 3), (300.0, 2), (64.0, 2), (64.0625, 2), (0.0625, 3), (1000.0, 5)]
    passed = []
    for milliseconds, kernel_size in trials:
        answer = call(layers_needed, milliseconds, kernel_size, expected=object)
        found = float(as_numbers(answer, name="layers_needed"))
        samples = milliseconds * SAMPLE_RATE_HZ / 1000
        right = next(n for n in range(99) if _receptive_field(n, kernel_size) >= samples)
        what = f"{milliseconds:g} ms with a kernel of {kernel_size}"
        if found != right:
            hint = _why_not(found, samples, kernel_size, right)
            raise Wrong(f"{what}: {found:g}; expected {right}. {hint}")
        passed.append(f"{what}: {right} layers, {_receptive_field(right, kernel_size)} samples")
    return passed


def _why_not(found: float, samples: float, kernel_size: int, right: int) -> str:
    if found != round(found) or found < 0:
        return "Return a whole number: half a layer cannot be built."
    if found < right:
        reach = _receptive_field(int(found), kernel_size)
        return f"{found:g} layers hear {reach} samples, and {samples:g} are wanted."
    if kernel_size != 2 and found == next(n for n in range(99) if _receptive_field(n, 2) >= samples):
        return "That is right for a kernel of 2: a layer adds (kernel_size - 1) * dilation samples."
    if _receptive_field(int(found) - 1, kernel_size) == samples:
        return f"{found - 1:g} layers hear exactly {samples:g} samples; that is enough."
    return "Fewer are enough. The receptive field is 1 more than the sum of what the layers add."


# --- one step with a memory


def _try_remembering_step(step: Any) -> list[str]:
    random = np.random.default_rng(0)
    passed = []
    for kernel_size, dilation, rows in [(2, 1, 2), (3, 4, 9), (3, 4, 16), (5, 3, 13)]:
        kernel = random.normal(size=(kernel_size, 3, 4))
        inputs, ring = random.normal(size=(40, 3)), np.zeros((rows, 3))
        for n, x in enumerate(inputs):
            answer = call(step, ring, n, x.copy(), kernel.copy(), dilation, expected=object)
            found = as_numbers(answer, shape=(4,), name="remembering_step")
            if not np.allclose(found, _convolved(inputs, n, kernel, dilation), atol=1e-6):
                hint = _which_step(found, inputs, n, kernel, dilation, rows)
                what = f"kernel {kernel_size}, dilation {dilation}, {rows} rows, step {n}"
                raise Wrong(f"{what}: wrong output. {hint}")
        passed.append(f"kernel {kernel_size}, dilation {dilation}, {rows} rows: 40 steps")
    return passed


def _convolved(inputs: np.ndarray, n: int, kernel: np.ndarray, dilation: int) -> np.ndarray:
    """Return a causal convolution's output at one step."""
    back = [n - (len(kernel) - 1 - tap) * dilation for tap in range(len(kernel))]
    return sum(inputs[one] @ kernel[tap] for tap, one in enumerate(back) if one >= 0)


def _which_step(
    found: np.ndarray, inputs: np.ndarray, n: int, kernel: np.ndarray, dilation: int, rows: int
) -> str:
    """Recognise another step by its value."""
    without_now = np.concatenate([kernel[:-1], np.zeros_like(kernel[:1])])
    mistakes = [
        (_convolved(inputs, n, kernel[::-1], dilation), "The oldest tap comes first: kernel[-1] is for now."),
        (_convolved(inputs, n, kernel, 1), "The taps lie `dilation` steps apart."),
        (_convolved(inputs, n, without_now, dilation), "Write `x` into the ring before you read from it."),
    ]
    for value, hint in mistakes:
        if np.allclose(found, value, atol=1e-6):
            return hint
    if n >= rows:
        return "The steps before the ring first came round were right: step m lies in row m % len(ring)."
    return "Add up ring[(n - back) % len(ring)] @ kernel[tap], where back is 0 for the last tap."


# --- surprise in bits


def _try_bits_per_sample(bits: Any) -> list[str]:
    random = np.random.default_rng(0)
    numbers = random.integers(0, 256, 50)
    sure = np.zeros((50, 256))
    sure[np.arange(50), numbers] = 900.0
    trials = [
        ("no idea at all", np.zeros((50, 256)), numbers),
        ("some idea", random.normal(0, 3, size=(50, 256)), numbers),
        ("16 levels", random.normal(0, 1, size=(20, 16)), random.integers(0, 16, 20)),
        ("very sure, and right", sure, numbers),
        ("scores far from 0", random.normal(0, 2, size=(50, 256)) + 2000, numbers),
    ]
    passed = []
    for what, scores, drawn in trials:
        answer = call(bits, scores.copy(), drawn.copy(), expected=object)
        try:
            found = float(as_numbers(answer, name="bits_per_sample"))
        except Wrong as hint:
            if "NaN" in str(hint):
                raise Wrong(
                    f"{what}: NaN or infinity. exp of a large score overflows: take the largest score of "
                    "each sample away first; that changes no probability."
                ) from hint
            raise
        right = _bits(scores, drawn)
        if not np.isclose(found, right, rtol=1e-4, atol=1e-6):
            hint = _which_bits(found, scores, drawn)
            raise Wrong(f"{what}: {found:.4g}; expected {right:.4g}. {hint}")
        passed.append(f"{what}: {abs(right):.2f} bits")
    return passed


def _bits(scores: np.ndarray, numbers: np.ndarray) -> float:
    return float(np.mean(-_log_likely(scores)[np.arange(len(numbers)), numbers] / np.log(2)))


def _log_likely(scores: np.ndarray) -> np.ndarray:
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def _which_bits(found: float, scores: np.ndarray, numbers: np.ndarray) -> str:
    """Recognise another measure by its value."""
    right, log_likely = _bits(scores, numbers), _log_likely(scores)
    chosen = log_likely[np.arange(len(numbers)), numbers]
    mistakes = [
        (right * np.log(2), "That is in nats: divide by ln 2, or use log2."),
        (-right, "The sign: a probability below 1 has a negative logarithm."),
        (right * len(numbers), "That is the sum; expected the mean over the samples."),
        (-np.log2(np.exp(chosen).mean()), "First the logarithm of each, then the mean."),
        (
            -(np.exp(log_likely) * log_likely).sum(axis=1).mean() / np.log(2),
            "That is the surprise to expect over all levels; use the level that each sample has.",
        ),
    ]
    for value, hint in mistakes:
        if np.isclose(found, value, rtol=1e-4, atol=1e-9):
            return hint
    return "Take each row's softmax, pick the probability of its level, and average -log2 of them."
