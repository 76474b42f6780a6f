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
    mean, standard_error = marks.mean(), marks.std(ddof=1) / np.sqrt(len(marks))
    reach = student_t_quantile(0.5 + confidence / 2, degrees_of_freedom=len(marks) - 1) * standard_error
    return Estimate(float(mean), float(mean - reach), float(mean + reach))


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
