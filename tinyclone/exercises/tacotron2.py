"""Checkers for the lesson on Tacotron 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, as_numbers, call, judge

FAILURES = ("fine", "skips", "repeats", "never stops")
STOP_WEIGHT = 8.0


def check_stop_loss(stop_loss: Callable[[np.ndarray, float], float] | None) -> bool:
    """Check a function that says how wrong the chances to stop of one sentence are.

    Parameters
    ----------
    stop_loss : callable
        ``stop_loss(chance, weight)`` returns the mean over all steps of the negative natural logarithm of
        what should have been: to go on, and at the last step to stop, which counts `weight` times. `chance`
        has the shape (D,) and lies strictly between 0 and 1.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/tacotron2.ipynb
    """
    return judge("stop_loss", lambda: _try_stop_loss(stop_loss))


def check_look_in_window(look_in_window: Callable[[np.ndarray, int, int], np.ndarray] | None) -> bool:
    """Check a function that lets attention look only near the place where it looked last.

    Parameters
    ----------
    look_in_window : callable
        ``look_in_window(energies, place, window)`` returns the attention, shape (T,), of energies (T,): the
        softmax over the characters from ``place - 1`` to ``place + window``, both included, and 0 elsewhere.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/tacotron2.ipynb
    """
    return judge("look_in_window", lambda: _try_look_in_window(look_in_window))


def check_name_failure(name_failure: Callable[[np.ndarray, bool], str] | None) -> bool:
    """Check a function that says of an alignment what went wrong.

    Parameters
    ----------
    name_failure : callable
        ``name_failure(alignment, stopped)`` returns "never stops" if it did not stop; else "repeats" if the
        character that is looked at most lies more than 3 before that of some earlier step; else "skips" if
        from one step to the next it moves on by more than 4; else "fine". `alignment` has the shape (D, T).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/tacotron2.ipynb
    """
    return judge("name_failure", lambda: _try_name_failure(name_failure))


# --- the loss of the stop token


def _try_stop_loss(stop_loss: Any) -> list[str]:
    trials = [
        ("sure and right", np.array([0.01, 0.01, 0.02, 0.97]), STOP_WEIGHT),
        ("half and half", np.full(10, 0.5), STOP_WEIGHT),
        ("too early", np.array([0.1, 0.2, 0.9, 0.9, 0.6]), STOP_WEIGHT),
        ("without a weight", np.array([0.05, 0.3, 0.2]), 1.0),
        ("one step", np.array([0.4]), 5.0),
    ]
    passed = []
    for what, chance, weight in trials:
        answer = call(stop_loss, chance.copy(), weight, expected=object)
        found = float(as_numbers(answer, name="stop_loss"))
        right = _stop_loss(chance, weight)
        if not np.isclose(found, right, rtol=1e-4, atol=1e-7):
            raise Wrong(
                f"{what}: it returned {found:.4g}; expected {right:.4g}. {_which_loss(found, chance, weight)}"
            )
        passed.append(f"{what}: {right:.3f}")
    return passed


def _stop_loss(chance: np.ndarray, weight: float) -> float:
    return float(-(np.log(1 - chance[:-1]).sum() + weight * np.log(chance[-1])) / len(chance))


def _which_loss(found: float, chance: np.ndarray, weight: float) -> str:
    """Recognise a usual mistake by its value."""
    last, before = np.log(chance[-1]), np.log(1 - chance[:-1])
    mistakes = [
        (-_stop_loss(chance, weight), "The sign is wrong: logarithms of chances are negative."),
        (_stop_loss(chance, 1.0), "The last step counts `weight` times."),
        (_stop_loss(chance, weight) * len(chance), "That is the sum; expected the mean over all steps."),
        (
            -(before.sum() + weight * last) / (len(before) + weight),
            "Divide by the number of steps, not by the sum of the weights.",
        ),
        (-(weight * before.sum() + last) / len(chance), "The weight belongs to the last step."),
        (
            -(np.log(chance[:-1]).sum() + weight * np.log(1 - chance[-1])) / len(chance),
            "That is turned around: before the last step, to go on is right, which has 1 - chance.",
        ),
        (-weight * last / len(chance), "The steps before the last count too: they should go on."),
        (_stop_loss(chance, weight) / np.log(2), "That is in bits; expected the natural logarithm."),
    ]
    for value, hint in mistakes:
        if np.isclose(found, value, rtol=1e-4, atol=1e-9):
            return hint
    return "What is the chance of what should have been, at each step?"


# --- a window


def _try_look_in_window(look_in_window: Any) -> list[str]:
    chance = np.random.default_rng(0)
    trials = [
        ("in the middle", chance.normal(size=20) * 3, 9, 3),
        ("at the first character", chance.normal(size=12) * 3, 0, 2),
        ("near the end", chance.normal(size=12) * 3, 10, 4),
        ("at the last character", chance.normal(size=9), 8, 1),
        ("large energies", 1000 + chance.normal(size=15), 6, 3),
    ]
    passed = []
    for what, energies, place, window in trials:
        given = call(look_in_window, energies.copy(), place, window, expected=object)
        answer, right = as_array(given, name="look_in_window"), _look_in_window(energies, place, window)
        if answer.shape != right.shape:
            raise Wrong(
                f"{what}: the shape is {answer.shape}; expected {right.shape}, one for each character."
            )
        if not np.allclose(answer, right, atol=1e-5):
            hint = _why_not_in_window(answer, energies=energies, place=place, window=window)
            raise Wrong(f"{what}: {hint}")
        passed.append(f"{what}: {np.count_nonzero(right)} of {len(right)} characters")
    return passed


def _softmax(energies: np.ndarray) -> np.ndarray:
    weights = np.exp(energies - energies.max())
    return weights / weights.sum()


def _look_in_window(energies: np.ndarray, place: int, window: int) -> np.ndarray:
    seen, attention = slice(max(0, place - 1), place + window + 1), np.zeros(len(energies))
    attention[seen] = _softmax(energies[seen])
    return attention


def _why_not_in_window(answer: np.ndarray, *, energies: np.ndarray, place: int, window: int) -> str:
    """Compare with what usual mistakes give."""
    if not np.isfinite(answer).all():
        return "there are NaN or infinite values. Subtract the largest energy before `np.exp`."
    right = _look_in_window(energies, place, window)
    if np.allclose(answer, _softmax(energies), atol=1e-5):
        return "that is the softmax over all characters."
    if np.allclose(answer, np.where(right > 0, _softmax(energies), 0), atol=1e-5):
        return "the weights do not sum to 1. Hide characters before the softmax, not after it."
    if np.allclose(answer, _softmax(np.where(right > 0, energies, 0.0)), atol=1e-5):
        return "an energy of 0 is not hidden: exp(0) is 1. Use -inf, or a very low number."
    seen, expected = (np.flatnonzero(one > 1e-9) for one in (answer, right))
    if len(seen) and not np.array_equal(seen, expected):
        return (
            f"at place {place} with a window of {window} it looks at characters {seen[0]} to {seen[-1]}; "
            f"expected {expected[0]} to {expected[-1]}."
        )
    return (
        f"the weights sum to {answer.sum():.3f} and their largest is {answer.max():.3f}; expected 1 and "
        + (f"{right.max():.3f}.")
    )


# --- what went wrong


def _path(*stretches: tuple[int, int, int]) -> np.ndarray:
    """Return a sharp alignment over 30 characters that walks from one to another in so many steps."""
    places = np.concatenate([np.linspace(start, end, n) for start, end, n in stretches])
    distance = np.arange(30)[None, :] - np.round(places)[:, None]
    weights = np.exp(-np.square(distance))
    return weights / weights.sum(axis=1, keepdims=True)


def _try_name_failure(name_failure: Any) -> list[str]:
    trials = [
        ("from the beginning to the end", _path((0, 29, 60)), True, "fine"),
        ("a glance back by two", _path((0, 14, 30), (12, 29, 35)), True, "fine"),
        ("a leap over a word", _path((0, 10, 20), (19, 29, 20)), True, "skips"),
        ("a phrase twice", _path((0, 20, 40), (8, 29, 42)), True, "repeats"),
        ("a slow walk back", _path((0, 20, 40), (20, 10, 20), (10, 29, 40)), True, "repeats"),
        ("the end, again and again", _path((0, 29, 60), (29, 29, 60)), False, "never stops"),
        ("a loop without an end", _path((0, 20, 40), (5, 20, 40), (5, 20, 40)), False, "never stops"),
        ("a phrase twice, then a leap", _path((0, 15, 30), (5, 15, 20), (24, 29, 10)), True, "repeats"),
    ]
    passed = []
    for what, alignment, stopped, right in trials:
        answer = call(name_failure, alignment.copy(), stopped, expected=str)
        if answer not in FAILURES:
            raise Wrong(f"{what}: it returned {answer!r}; expected one of {', '.join(FAILURES)}.")
        if answer != right:
            raise Wrong(
                f"{what}: it returned {answer!r}; expected {right!r}. {_why_not_named(answer, right)}"
            )
        passed.append(f"{what}: {right}")
    return passed


def _why_not_named(answer: str, right: str) -> str:
    if right == "never stops":
        return "Look at `stopped` first."
    if right == "repeats" and answer == "fine":
        return "Compare with the furthest place of all steps before (`np.maximum.accumulate`)."
    if right == "repeats":
        return "Ask for repeats before skips."
    if right == "skips":
        return "How far does `argmax` move from one step to the next (`np.diff`)?"
    return "A little back or forth is no failure: up to 3 back, up to 4 on."
