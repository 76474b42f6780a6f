"""How sure a measured value is: intervals for word error rates and for listening tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

OPINION_MIN, OPINION_MAX = 1.0, 5.0


class Estimate(NamedTuple):
    """A measured value with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def bootstrap_word_error_rate(
    errors: Sequence[int],
    words: Sequence[int],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Say how far a pooled word error rate would move with another choice of clips.

    Parameters
    ----------
    errors, words : sequence of int
        Errors and reference words of each clip, same order, not negative.
    confidence : float
        Share of the resampled rates that the interval holds, between 0 and 1.
    n_resamples : int
        How many sets of clips are drawn, with replacement.
    seed : int
        The same seed draws the same sets.

    Returns
    -------
    Estimate
        The pooled rate and the percentile interval.

    Raises
    ------
    ValueError
        When the two differ in length, hold no word, or `confidence` is not between 0 and 1.

    Notes
    -----
    Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation", section 2: clips are drawn, not words, because the errors of a clip come together.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    _require_confidence(confidence)
    errors, words = np.asarray(errors, dtype=float), np.asarray(words, dtype=float)
    if errors.shape != words.shape or errors.ndim != 1 or words.sum() <= 0:
        raise ValueError(
            f"Got errors of shape {errors.shape} and words of shape {words.shape} with {words.sum():g} "
            "words in all; expected two equally long lists and at least one word. Leave empty clips out."
        )
    drawn = np.random.default_rng(seed).integers(len(words), size=(n_resamples, len(words)))
    drawn_errors, drawn_words = errors[drawn].sum(axis=1), words[drawn].sum(axis=1)
    rates = drawn_errors[drawn_words > 0] / drawn_words[drawn_words > 0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(rates, [tail, 1 - tail])
    return Estimate(float(errors.sum() / words.sum()), float(low), float(high))


def mean_opinion_score(scores: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """Average the marks of a listening test and say how sure the average is.

    Parameters
    ----------
    scores : sequence of float
        One mark for each listener and clip, 1 (bad) to 5 (excellent). At least two.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Estimate
        The mean and the ends of its confidence interval by Student's t-distribution.

    Raises
    ------
    ValueError
        With fewer than two marks, or one outside 1 to 5.

    Notes
    -----
    Source: ITU-T Recommendation P.800, annex B (the scale); Student 1908, "The probable error of a
    mean" (the interval). The interval takes the marks as independent: average each listener's first
    when they heard many clips.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    _require_confidence(confidence)
    marks = np.asarray(scores, dtype=float)
    if marks.ndim != 1 or len(marks) < 2:
        raise ValueError(
            f"Got marks of shape {marks.shape}; expected a list of at least two. One mark says nothing "
            "about how far listeners differ: ask more of them."
        )
    if not np.all((marks >= OPINION_MIN) & (marks <= OPINION_MAX)):
        raise ValueError(
            f"Got marks from {marks.min():g} to {marks.max():g}; expected {OPINION_MIN:g} to "
            f"{OPINION_MAX:g}. Leave out missing marks and scale others first."
        )
    return _mean_with_interval(marks, confidence=confidence)


def paired_difference(
    marks: Sequence[float], others: Sequence[float], *, confidence: float = 0.95
) -> Estimate:
    """Say by how much one system is marked better than another on the same sentences.

    Parameters
    ----------
    marks, others : sequence of float
        Marks of the two systems, pair by pair: of the same sentence, by the same listener. Two pairs at
        least.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    Estimate
        The mean of the differences and the ends of its confidence interval. If 0 lies outside, the
        systems differ.

    Raises
    ------
    ValueError
        When the two differ in number, have fewer than two marks, or hold one that is not finite.

    Notes
    -----
    Source: Student 1908, "The probable error of a mean", first illustration. The differences are taken
    as independent; what a sentence or a listener adds to both marks of a pair falls out.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    _require_confidence(confidence)
    marks, others = np.asarray(marks, dtype=float), np.asarray(others, dtype=float)
    if marks.shape != others.shape or marks.ndim != 1 or len(marks) < 2:
        raise ValueError(
            f"Got marks of shapes {marks.shape} and {others.shape}; expected two equally long lists of at "
            "least two, pair by pair. Leave out a sentence that only one system was marked for."
        )
    if not np.isfinite(marks - others).all():
        raise ValueError("A mark is not a number. Leave out the pairs in which one is missing.")
    return _mean_with_interval(marks - others, confidence=confidence)


def marks_needed(reach: float, *, standard_deviation: float, confidence: float = 0.95) -> int:
    """Return how many marks bring the interval of their mean down to plus or minus `reach`.

    Parameters
    ----------
    reach : float > 0
        Half of the interval's width.
    standard_deviation : float >= 0
        Of the marks, with n - 1 in the denominator; about 0.7 to 1.1 in a test with marks from 1 to 5.
    confidence : float
        Between 0 and 1.

    Returns
    -------
    int
        At least 2.

    Raises
    ------
    ValueError
        When `reach` is not positive or `standard_deviation` is negative.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    _require_confidence(confidence)
    if not (reach > 0 and standard_deviation >= 0):
        raise ValueError(
            f"Got the reach {reach!r} and the standard deviation {standard_deviation!r}; expected a "
            "positive reach and a standard deviation that is not negative."
        )

    def enough(n: int) -> bool:
        return _reach(standard_deviation, n, confidence=confidence) <= reach

    high = 2
    while not enough(high):
        high *= 2
    low = high // 2  # too few, or 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _mean_with_interval(values: np.ndarray, *, confidence: float) -> Estimate:
    mean = float(values.mean())
    reach = _reach(float(values.std(ddof=1)), len(values), confidence=confidence)
    return Estimate(mean, mean - reach, mean + reach)


def _reach(standard_deviation: float, n: int, *, confidence: float) -> float:
    """Half of the width of the interval of a mean of n values."""
    quantile = student_t_quantile(0.5 + confidence / 2, degrees_of_freedom=n - 1)
    return float(quantile * standard_deviation / np.sqrt(n))


def student_t_quantile(probability: float, *, degrees_of_freedom: int) -> float:
    """Return the value below which Student's t falls with a probability.

    Parameters
    ----------
    probability : float
        Between 0 and 1.
    degrees_of_freedom : int
        At least 1: the number of marks less one.

    Returns
    -------
    float
        1.96 for 0.975 and many degrees of freedom, 12.7 for one.

    Notes
    -----
    Source: Abramowitz and Stegun 1964, equations 26.7.3 and 26.7.4, inverted by bisection over the
    angle ``arctan(t / sqrt(degrees_of_freedom))``.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    _require_confidence(probability)
    low, high = -np.pi / 2, np.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        below = (1 + _within(middle, degrees_of_freedom)) / 2
        low, high = (middle, high) if below < probability else (low, middle)
    return float(np.tan((low + high) / 2) * np.sqrt(degrees_of_freedom))


def _within(angle: float, degrees_of_freedom: int) -> float:
    """Probability of |t| <= tan(angle) sqrt(degrees of freedom), negative for a negative angle."""
    sine, cosine = np.sin(angle), np.cos(angle)
    if degrees_of_freedom % 2 == 0:
        evens = np.arange(2, degrees_of_freedom, 2)
        return sine * (1 + np.sum(np.cumprod((evens - 1) / evens * cosine**2)))
    if degrees_of_freedom == 1:
        return 2 / np.pi * angle
    odds = np.arange(3, degrees_of_freedom, 2)
    series = cosine * (1 + np.sum(np.cumprod((odds - 1) / odds * cosine**2)))
    return 2 / np.pi * (angle + sine * series)


def _require_confidence(value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"Got the probability {value!r}; expected a number between 0 and 1, such as 0.95.")
