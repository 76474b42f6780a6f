"""Checkers for lesson 8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyclone.confidence import mean_opinion_score, paired_difference, student_t_quantile
from tinyclone.exercises.judging import Wrong, as_numbers, call, judge

MARKS = (
    ("five marks", [3, 4, 4, 5, 3]),
    ("two marks that differ a lot", [2, 5]),
    ("thirty marks", [3, 4, 2, 5, 3, 3, 4, 4, 2, 3] * 3),
    ("marks that all agree", [4, 4, 4, 4]),
)
# What is the case, the marks of a and of b sentence by sentence, and what the usual wrong answer overlooks.
PAIRS = (
    (
        "a is better on most sentences, and some sentences get better marks than others",
        [5, 4, 2, 3, 5, 2, 4, 3],
        [4, 3, 2, 2, 4, 1, 3, 3],
        "The sentences differ more than the systems do. Look at one sentence after the other: what is left?",
    ),
    (
        "a has the higher mean, by luck",
        [3, 5, 2, 4, 3, 4],
        [4, 3, 3, 2, 4, 3],
        "Other sentences might turn it round: does the interval of the differences hold 0?",
    ),
    (
        "b is better",
        [2, 3, 1, 2, 3, 2, 2],
        [3, 4, 3, 2, 4, 3, 3],
        "Which system gets the higher marks?",
    ),
    (
        "four sentences, and a leads",
        [4, 5, 3, 4],
        [3, 3, 3, 3],
        "With so few pairs 1.96 is too small: the t-distribution knows how few they are.",
    ),
    (
        "b is exactly one mark better each time",
        [3, 1, 4, 2],
        [4, 2, 5, 3],
        "All differences are the same, so the interval has no width, and 0 is not in it.",
    ),
    (
        "the same marks for both",
        [3, 4, 2, 5],
        [3, 4, 2, 5],
        "No difference at all: 0 lies in its interval, even if that has no width.",
    ),
)
COSINES = (
    ("a clone half-way", [0.70, 0.74], [0.88, 0.90, 0.92], [0.50, 0.52, 0.54, 0.60]),
    ("a clone as alike as the speaker's own recordings", [0.80, 0.90], [0.85, 0.85], [0.40, 0.50]),
    ("a clone that is less alike than other speakers", [0.10, 0.20], [0.95, 0.97], [0.15, 0.35, 0.25]),
    ("another judge, whose cosines are all negative", [-0.5], [-0.1, -0.3], [-0.6, -0.8, -0.9]),
)


def check_mean_with_interval(
    mean_with_interval: Callable[[Sequence[float]], tuple[float, float, float]] | None,
) -> bool:
    """Check a function that returns a mean opinion score and the ends of its 95 % confidence interval.

    Parameters
    ----------
    mean_with_interval : callable
        ``mean_with_interval(marks)`` returns the mean of a list of marks, and the lower and the upper end
        of its 95 % interval by Student's t-distribution, not cut off at 1 and 5.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    return judge("mean_with_interval", lambda: _try_mean_with_interval(mean_with_interval))


def check_which_is_better(which_is_better: Callable[[list[float], list[float]], str] | None) -> bool:
    """Check a function that decides between two systems, of which the same sentences were marked.

    Parameters
    ----------
    which_is_better : callable
        ``which_is_better(marks_a, marks_b)`` returns ``"a"`` or ``"b"`` if the 95 % interval of the mean
        of the differences lies on one side of 0, or else ``"undecided"``.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    return judge("which_is_better", lambda: _try_which_is_better(which_is_better))


def check_rescaled_similarity(
    rescaled_similarity: Callable[[list[float], list[float], list[float]], float] | None,
) -> bool:
    """Check a function that puts cosines on a scale from other speakers, 0, to the same speaker, 1.

    Parameters
    ----------
    rescaled_similarity : callable
        ``rescaled_similarity(clone, same, other)`` returns where the mean cosine of the clones lies
        between the mean of other speakers, 0, and that of the same speaker, 1; it may be outside.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    return judge("rescaled_similarity", lambda: _try_rescaled_similarity(rescaled_similarity))


def _try_mean_with_interval(mean_with_interval: Any) -> list[str]:
    name, passed = "mean_with_interval", []
    for what, marks in MARKS:
        answer = call(mean_with_interval, list(marks), expected=object)
        right = np.array(mean_opinion_score(marks))
        if isinstance(answer, (tuple, list, np.ndarray)) and len(answer) == 2:
            raise Wrong(_which_two(as_numbers(answer, shape=(2,), name=name), right))
        found = as_numbers(answer, shape=(3,), name=name)
        if not np.allclose(found, right, atol=1e-6):
            shown = ", ".join(f"{value:.3f}" for value in found)
            hint = _which_interval(found, np.asarray(marks, float))
            raise Wrong(f"for {what} it returned {shown}. {hint}")
        passed.append(f"{what}: {right[0]:.2f}, from {right[1]:.2f} to {right[2]:.2f}")
    return passed


def _which_two(found: np.ndarray, right: np.ndarray) -> str:
    """Recognise two numbers that are not the three that were asked for."""
    mean, low, high = right
    if np.allclose(found, [low, high]):
        return "the two ends are right, and the mean is missing. Return three numbers: mean, low, high."
    if np.allclose(found, [mean, mean - low]):
        return "the mean and half of the interval's width came back. Where does the interval begin and end?"
    return "two numbers came back; expected three: mean, low, high."


def _which_interval(found: np.ndarray, marks: np.ndarray) -> str:
    """Recognise an interval that was computed in another way."""
    n, mean, deviation = len(marks), marks.mean(), marks.std(ddof=1)
    quantile = student_t_quantile(0.975, degrees_of_freedom=n - 1)
    reach = quantile * deviation / np.sqrt(n)
    if np.isclose(found[1], mean) and np.allclose(np.sort(found), [mean - reach, mean, mean + reach]):
        return "The three numbers are right, but their order is: mean, low, high."
    if not np.isclose(found[0], mean):
        median = " That is the median." if np.isclose(found[0], np.median(marks)) else ""
        return f"The first number should be the mean of the marks.{median}"
    middle = (found[1] + found[2]) / 2
    if np.allclose(found[1:], np.clip([mean - reach, mean + reach], 1, 5)):
        return "It was cut off at 1 and 5: leave it as it is, for it says that the marks are too few."
    if not np.isclose(middle, mean):
        return "Both ends should be equally far from the mean."
    half = (found[2] - found[1]) / 2
    mistakes = (
        (-reach, "The lower end comes before the upper one."),
        (1.96 * deviation / np.sqrt(n), "1.96 is for very many marks. For few, the t-distribution has more."),
        (reach * np.sqrt((n - 1) / n), "The standard deviation of a sample divides by n - 1: `ddof=1`."),
        (1.96 * marks.std() / np.sqrt(n), "1.96 is for very many marks, and `std` needs `ddof=1`."),
        (quantile * deviation, "That is how far marks spread. Their mean is surer: by which factor?"),
        (deviation, "That is the standard deviation of the marks; the interval is of their mean."),
        (deviation / np.sqrt(n), "That is one standard error to each side: about two thirds, not 95 %."),
        (reach / np.sqrt(n), "It was divided by n; the standard error divides by another function of n."),
        (
            student_t_quantile(0.95, degrees_of_freedom=n - 1) * deviation / np.sqrt(n),
            "With the quantile 0.95, 5 % lie above and another 5 % below. Which one leaves 5 % in all?",
        ),
        (
            student_t_quantile(0.975, degrees_of_freedom=n) * deviation / np.sqrt(n),
            "The degrees of freedom are not n: one was spent on the mean.",
        ),
        (2 * reach, "It is twice as wide as it should be."),
        (reach / 2, "It is half as wide as it should be."),
    )
    for value, hint in mistakes:
        if np.isclose(half, value):
            return hint
    return f"The interval reaches {half:.3f} to each side; it should be {reach:.3f}."


def _try_which_is_better(which_is_better: Any) -> list[str]:
    passed = []
    for what, marks_a, marks_b, hint in PAIRS:
        answer = call(which_is_better, list(marks_a), list(marks_b), expected=str)
        if answer not in ("a", "b", "undecided"):
            raise Wrong(f'it returned {answer!r}; expected "a", "b" or "undecided".')
        right = _decision(marks_a, marks_b)
        if answer != right:
            turned = {answer, right} == {"a", "b"}
            hint = "It is the other way round: higher marks are better." if turned else hint
            raise Wrong(f"when {what}, {marks_a} and {marks_b}, it returned {answer!r}. {hint}")
        passed.append(f"{what}: {right}")
    return passed


def _decision(marks_a: Sequence[float], marks_b: Sequence[float]) -> str:
    _, low, high = paired_difference(marks_a, marks_b)
    return "a" if low > 0 else "b" if high < 0 else "undecided"


def _try_rescaled_similarity(rescaled_similarity: Any) -> list[str]:
    passed = []
    for what, clone, same, other in COSINES:
        answer = call(rescaled_similarity, list(clone), list(same), list(other), expected=object)
        found = float(as_numbers(answer, name="rescaled_similarity"))
        right = _rescaled(np.mean(clone), np.mean(same), np.mean(other))
        if not np.isclose(found, right, atol=1e-6):
            hint = _which_scale(found, *(np.asarray(one) for one in (clone, same, other)))
            raise Wrong(f"for {what} it returned {found:.3f}. {hint}")
        passed.append(f"{what}: {right:.2f}")
    return passed


def _rescaled(clone: float, same: float, other: float) -> float:
    return float((clone - other) / (same - other))


def _which_scale(found: float, clone: np.ndarray, same: np.ndarray, other: np.ndarray) -> str:
    """Recognise another scale by the value that it gives."""
    c, s, o = clone.mean(), same.mean(), other.mean()
    right = _rescaled(c, s, o)
    mistakes = (
        (c, "That is the mean cosine of the clones, not yet rescaled."),
        (1 - right, "It is upside down: 0 belongs to the other speakers, 1 to the same."),
        (float(np.clip(right, 0, 1)), "It was cut off: a clone may lie outside of 0 and 1."),
        (abs(right), "Do not drop the sign: below 0 is less alike than other speakers are."),
        (c / s, "The other speakers do not count in it, but the scale begins with them."),
        ((c - o) / s, "The same speaker should come out as 1: try it with clone = same."),
        (c - o, "That is how far above the other speakers. What is the whole way, up to the same speaker?"),
        (_rescaled(c, 1.0, o), "Not even the speaker's own recordings reach a cosine of 1."),
        (_rescaled(c, same.max(), o), "Of the same speaker the mean counts, not the best."),
        (_rescaled(c, same.max(), other.min()), "Take means, not extremes: one odd clip moves those."),
        (_rescaled(c, s, other.max()), "Of the other speakers the mean counts, not the most alike."),
        (
            _rescaled(np.median(clone), np.median(same), np.median(other)),
            "Those are medians; expected means.",
        ),
        (100 * right, "That is in per cent; expected a number with 1 for the same speaker."),
    )
    for value, hint in mistakes:
        if np.isclose(found, value, atol=1e-6):
            return hint
    return "Which mean should come out as 0, and which as 1?"
