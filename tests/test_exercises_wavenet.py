"""The checkers of the lesson on WaveNet know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused_with

from tinyclone.exercises import check_bits_per_sample, check_layers_needed, check_remembering_step


@pytest.mark.parametrize("check", [check_layers_needed, check_remembering_step, check_bits_per_sample])
@pytest.mark.parametrize("wrong, hint", [*NONSENSE, (lambda *_: "many", "of type str")])
def test_nonsense_is_refused(check, wrong, hint, capsys):
    assert check(wrong) is False
    assert refused_with(hint, capsys)


# ------------------------------------------------------------------------------------------------ layers


def layers_needed(milliseconds, kernel_size):
    reach, n_layers = 1, 0
    while reach < 16 * milliseconds:
        reach += (kernel_size - 1) * 2**n_layers
        n_layers += 1
    return n_layers


def by_logarithm(milliseconds, kernel_size):
    return np.ceil(np.log2((16 * milliseconds - 1) / (kernel_size - 1) + 1))


@pytest.mark.parametrize("right", [layers_needed, by_logarithm])
def test_layers_are_counted(right, capsys):
    assert check_layers_needed(right) is True
    assert "300 ms with a kernel of 2: 13 layers" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda milliseconds, kernel_size: np.log2(16 * milliseconds), "half a layer"),
        (lambda milliseconds, kernel_size: layers_needed(milliseconds, kernel_size) - 1, "are wanted"),
        (lambda milliseconds, kernel_size: layers_needed(milliseconds, 2), "right for a kernel of 2"),
        (lambda milliseconds, kernel_size: layers_needed(milliseconds + 0.001, kernel_size), "exactly 128"),
        (lambda milliseconds, kernel_size: layers_needed(milliseconds, kernel_size) + 2, "Fewer are enough"),
        (lambda milliseconds, kernel_size: -1, "whole number"),
    ],
)
def test_wrong_numbers_of_layers_get_a_hint(wrong, hint, capsys):
    assert check_layers_needed(wrong) is False
    assert refused_with(hint, capsys)


# ------------------------------------------------------------------------------------------------ memory


def step(ring, n, x, kernel, dilation):
    ring[n % len(ring)] = x
    return read(ring, n, kernel, dilation)


def read(ring, n, kernel, dilation):
    back = [(len(kernel) - 1 - tap) * dilation for tap in range(len(kernel))]
    return sum(ring[(n - one) % len(ring)] @ kernel[tap] for tap, one in enumerate(back))


def reads_before_it_writes(ring, n, x, kernel, dilation):
    total = read(ring, n, kernel, dilation)
    ring[n % len(ring)] = x
    return total


def test_a_step_remembers(capsys):
    assert check_remembering_step(step) is True
    assert "kernel 3, dilation 4, 9 rows: 40 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda ring, n, x, kernel, dilation: step(ring, n, x, kernel[::-1], dilation), "oldest tap"),
        (lambda ring, n, x, kernel, dilation: step(ring, n, x, kernel, 1), "`dilation` steps apart"),
        (lambda ring, n, x, kernel, dilation: np.zeros(4), "before you read"),
        (reads_before_it_writes, "before you read"),
        (lambda ring, n, x, kernel, dilation: step(ring, min(n, 12), x, kernel, dilation), "came round"),
        (lambda ring, n, x, kernel, dilation: 2 * step(ring, n, x, kernel, dilation), "Add up"),
        (lambda ring, n, x, kernel, dilation: x, "expected 4 numbers"),
    ],
)
def test_wrong_steps_get_a_hint(wrong, hint, capsys):
    assert check_remembering_step(wrong) is False
    assert refused_with(hint, capsys)


# -------------------------------------------------------------------------------------------------- bits


def log_likely(scores):
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def bits(scores, numbers):
    return -np.mean(log_likely(scores)[np.arange(len(numbers)), numbers]) / np.log(2)


def of_large_scores(scores, numbers):
    likely = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return -np.mean(np.log2(likely[np.arange(len(numbers)), numbers]))


def expected_bits(scores, numbers):
    return -np.mean((np.exp(log_likely(scores)) * log_likely(scores)).sum(axis=1)) / np.log(2)


def mean_first(scores, numbers):
    return -np.log2(np.mean(np.exp(log_likely(scores))[np.arange(len(numbers)), numbers]))


def test_bits_are_counted(capsys):
    assert check_bits_per_sample(bits) is True
    assert "no idea at all: 8.00 bits" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda scores, numbers: bits(scores, numbers) * np.log(2), "in nats"),
        (lambda scores, numbers: -bits(scores, numbers), "The sign"),
        (lambda scores, numbers: bits(scores, numbers) * len(numbers), "That is the sum"),
        (mean_first, "First the logarithm"),
        (expected_bits, "use the level that each sample has"),
        (lambda scores, numbers: bits(scores, numbers) + 1, "each row's softmax"),
        (lambda scores, numbers: scores, "expected one number"),
    ],
)
def test_wrong_bits_get_a_hint(wrong, hint, capsys):
    assert check_bits_per_sample(wrong) is False
    assert refused_with(hint, capsys)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_overflow_gets_a_hint(capsys):
    assert check_bits_per_sample(of_large_scores) is False
    assert refused_with("overflows", capsys)
