"""The checkers of lesson 8 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from verdicts import NONSENSE, refused_with

from tinyclone.evaluation import mean_opinion_score, paired_difference
from tinyclone.exercises import check_mean_with_interval, check_rescaled_similarity, check_which_is_better

nonsense = pytest.mark.parametrize(
    "wrong, hint",
    [
        *NONSENSE,
        (lambda *_: [["x"], "y"], "returned"),
        (lambda *_: {}, "of type dict"),
    ],
)


def interval(marks, *, quantile=None, ddof=1, root=True, df=None, probability=0.975):
    n = len(marks)
    t = quantile or stats.t.ppf(probability, n - 1 if df is None else df(n))
    reach = t * np.std(marks, ddof=ddof) / (np.sqrt(n) if root else 1)
    return np.mean(marks), np.mean(marks) - reach, np.mean(marks) + reach


class TestMeanWithInterval:
    @pytest.mark.parametrize(
        "right",
        [
            mean_opinion_score,
            interval,
            lambda marks: np.array(interval(marks)),
            lambda marks: list(interval(marks)),
        ],
    )
    def test_a_right_answer(self, capsys, right):
        assert check_mean_with_interval(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: mean_with_interval." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda marks: interval(marks, quantile=1.96), "1.96 is for very many marks. For few"),
            (lambda marks: interval(marks, ddof=0), "divides by n - 1"),
            (lambda marks: interval(marks, quantile=1.96, ddof=0), "and `std` needs"),
            (lambda marks: interval(marks, root=False), "how far marks spread"),
            (lambda marks: interval(marks, quantile=1.0, root=False), "the standard deviation of the marks"),
            (lambda marks: interval(marks, quantile=1.0), "one standard error"),
            (lambda marks: interval(marks, probability=0.95), "With the quantile 0.95"),
            (lambda marks: interval(marks, df=lambda n: n), "degrees of freedom are not n"),
            (lambda marks: np.clip(interval(marks), 1, 5), "cut off at 1 and 5"),
            (lambda marks: np.array(interval(marks))[[1, 0, 2]], "their order is: mean, low, high"),
            (lambda marks: np.array(interval(marks))[[0, 2, 1]], "The lower end comes before"),
            (lambda marks: interval(marks)[1:], "the mean is missing"),
            (
                lambda marks: (np.mean(marks), interval(marks)[2] - np.mean(marks)),
                "half of the interval's width",
            ),
            (lambda marks: (1.0, 2.0), "two numbers came back"),
            (lambda marks: (np.median(marks), *interval(marks)[1:]), "That is the median"),
            (lambda marks: (0, 0, 0), "should be the mean"),
            (lambda marks: (np.mean(marks), 1.0, 5.0), "equally far from the mean"),
            (lambda marks: (np.mean(marks), np.mean(marks) - 9, np.mean(marks) + 9), "reaches 9.000 to each"),
            (lambda marks: np.mean(marks), "expected 3 numbers"),
            (lambda marks: ("a", "b", "c"), "of type tuple"),
            (lambda marks: (np.nan, 1, 2), "NaN"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_mean_with_interval(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_mean_with_interval(wrong) is False
        assert refused_with(hint, capsys)


def decide(low: float, high: float) -> str:
    return "a" if low > 0 else "b" if high < 0 else "undecided"


def paired(a, b):
    return decide(*paired_difference(a, b)[1:])


def by_test(a, b):
    with np.errstate(all="ignore"):
        result = stats.ttest_rel(a, b)
    return "undecided" if not result.pvalue < 0.05 else "a" if result.statistic > 0 else "b"


def by_overlap(a, b):
    one, two = mean_opinion_score(a), mean_opinion_score(b)
    return "a" if one.low > two.high else "b" if two.low > one.high else "undecided"


def by_normal(a, b):
    difference = np.subtract(a, b)
    reach = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
    return decide(difference.mean() - reach, difference.mean() + reach)


class TestWhichIsBetter:
    @pytest.mark.filterwarnings("ignore:Precision loss")
    @pytest.mark.parametrize("right", [paired, by_test])
    def test_a_right_answer(self, capsys, right):
        assert check_which_is_better(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 6 and "Solved: which_is_better." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (by_overlap, "Look at one sentence after the other"),
            (lambda a, b: "a" if np.mean(a) > np.mean(b) else "b", "Other sentences might turn it round"),
            (by_normal, "1.96 is too small"),
            (lambda a, b: paired(b, a), "other way round"),
            (lambda a, b: paired(a, b) if np.std(np.subtract(a, b)) else "undecided", "has no width"),
            (lambda a, b: paired(a, b) if a != b else "a", "No difference at all"),
            (lambda a, b: "undecided", "Look at one sentence after the other"),
            (lambda a, b: "A", 'expected "a", "b" or'),
            (lambda a, b: 0.7, "of type float; expected str"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_which_is_better(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_which_is_better(wrong) is False
        assert refused_with(hint, capsys)


def scale(clone, same, other, *, mean=np.mean):
    return (mean(clone) - mean(other)) / (mean(same) - mean(other))


class TestRescaledSimilarity:
    @pytest.mark.parametrize(
        "right", [scale, lambda *lists: np.array([scale(*lists)]), lambda *lists: np.float32(scale(*lists))]
    )
    def test_a_right_answer(self, capsys, right):
        assert check_rescaled_similarity(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: rescaled_similarity." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda c, s, o: np.mean(c), "not yet rescaled"),
            (lambda c, s, o: 1 - scale(c, s, o), "upside down"),
            (lambda c, s, o: np.clip(scale(c, s, o), 0, 1), "cut off"),
            (lambda c, s, o: abs(scale(c, s, o)), "drop the sign"),
            (lambda c, s, o: np.mean(c) / np.mean(s), "The other speakers do not count"),
            (lambda c, s, o: (np.mean(c) - np.mean(o)) / np.mean(s), "try it with clone = same"),
            (lambda c, s, o: np.mean(c) - np.mean(o), "the whole way"),
            (lambda c, s, o: (np.mean(c) - np.mean(o)) / (1 - np.mean(o)), "a cosine of 1"),
            (lambda c, s, o: (np.mean(c) - np.mean(o)) / (max(s) - np.mean(o)), "not the best"),
            (lambda c, s, o: (np.mean(c) - max(o)) / (np.mean(s) - max(o)), "not the most alike"),
            (lambda c, s, o: (np.mean(c) - min(o)) / (max(s) - min(o)), "not extremes"),
            (lambda c, s, o: scale(c, s, o, mean=np.median), "medians"),
            (lambda c, s, o: 100 * scale(c, s, o), "in per cent"),
            (lambda c, s, o: 12.5, "Which mean should come out as 0"),
            (lambda c, s, o: [0.5, 0.6], "expected one number"),
            (lambda c, s, o: "0.5", "of type str"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_rescaled_similarity(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_rescaled_similarity(wrong) is False
        assert refused_with(hint, capsys)
