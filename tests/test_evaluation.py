"""Measures of speech, against values worked by hand, brute force and SciPy."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from scipy import fft, stats

from tinyclone.evaluation import (
    EditCounts,
    bootstrap_word_error_rate,
    character_error_rate,
    cosine_similarity,
    dynamic_time_warping,
    edit_counts,
    log_f0_rmse,
    marks_needed,
    mean_opinion_score,
    mel_cepstral_distortion,
    mel_cepstrum,
    paired_difference,
    student_t_quantile,
    word_error_rate,
)


def random_mel(frames: int, *, seed: int, n_mels: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(-4.0, 2.0, size=(frames, n_mels))


class TestEditCounts:
    def test_by_hand(self):
        counts = edit_counts("the cat sat on the mat".split(), "the cat sit on mat now".split())
        assert counts == EditCounts(hits=4, substitutions=1, deletions=1, insertions=1)
        assert (counts.errors, counts.length, counts.rate) == (3, 6, 0.5)

    @pytest.mark.parametrize(
        "reference, hypothesis, expected",
        [
            ("", "", EditCounts()),
            ("abc", "", EditCounts(deletions=3)),
            ("", "ab", EditCounts(insertions=2)),
            ("abc", "abc", EditCounts(hits=3)),
            ("abc", "xyz", EditCounts(substitutions=3)),
            ("kitten", "sitting", EditCounts(hits=4, substitutions=2, insertions=1)),
        ],
    )
    def test_known_pairs(self, reference, hypothesis, expected):
        assert edit_counts(reference, hypothesis) == expected

    def test_every_short_pair_against_recursion(self):
        @cache
        def fewest(said: str, heard: str) -> tuple[int, int]:
            """Fewest errors, and the fewest substitutions among the ways with so many."""
            if not said or not heard:
                return len(said) + len(heard), 0
            swap = int(said[0] != heard[0])
            ways = [(fewest(said[1:], heard[1:]), swap, swap)]
            ways += [(fewest(said[1:], heard), 1, 0), (fewest(said, heard[1:]), 1, 0)]
            return min((rest[0] + error, rest[1] + swapped) for rest, error, swapped in ways)

        tuples = (letters for length in range(5) for letters in itertools.product("ab", repeat=length))
        strings = ["".join(letters) for letters in tuples]
        for said, heard in itertools.product(strings, repeat=2):
            counts = edit_counts(said, heard)
            assert (counts.errors, counts.substitutions) == fewest(said, heard), (said, heard)
            assert counts.length == len(said)
            assert counts.hits + counts.substitutions + counts.insertions == len(heard)


class TestErrorRates:
    def test_errors_are_pooled_over_words(self):
        # 1 error in 1 word and 1 in 9: 2 in 10, although the mean of the two rates is 5/9.
        rate = word_error_rate(
            ["yes", "one two three four five six seven eight nine"],
            ["no", "one two three four five six seven eight mine"],
        )
        assert rate == pytest.approx(0.2)

    def test_insertions_can_exceed_one(self):
        assert word_error_rate("hello", "oh hello there you") == 3.0

    def test_characters_count_one_space(self):
        assert character_error_rate("a  cat", "a cat") == 0.0
        assert character_error_rate("a cat", "a bat") == pytest.approx(1 / 5)

    def test_different_numbers_are_refused(self):
        with pytest.raises(ValueError, match="2 references and 1 hypotheses"):
            word_error_rate(["a", "b"], ["a"])

    def test_empty_reference_is_refused(self):
        with pytest.raises(ValueError, match="reference is empty"):
            word_error_rate("", "something")


class TestBootstrap:
    def test_same_rate_everywhere_has_no_spread(self):
        assert bootstrap_word_error_rate([1, 2, 3], [10, 20, 30]) == pytest.approx((0.1, 0.1, 0.1))

    def test_against_all_resamples(self):
        errors, words = np.array([0, 3, 1]), np.array([4, 5, 6])
        rates = []
        for drawn in itertools.product(range(3), repeat=3):
            rates.append(errors[list(drawn)].sum() / words[list(drawn)].sum())
        value, low, high = bootstrap_word_error_rate(errors, words, confidence=0.8, n_resamples=40000)
        assert value == pytest.approx(4 / 15)
        # inverted_cdf returns one of the rates; the interpolated quantile lies between its neighbours.
        ordered = np.unique(rates)
        for got, probability in ((low, 0.1), (high, 0.9)):
            exact = np.quantile(rates, probability, method="inverted_cdf")
            step = np.searchsorted(ordered, exact)
            assert ordered[max(step - 1, 0)] <= got <= ordered[min(step + 1, len(ordered) - 1)]

    def test_seed_and_confidence(self):
        errors, words = [0, 1, 5, 0, 2, 0], [8, 9, 7, 12, 10, 6]
        wide = bootstrap_word_error_rate(errors, words, confidence=0.99)
        narrow = bootstrap_word_error_rate(errors, words, confidence=0.5)
        assert wide == bootstrap_word_error_rate(errors, words, confidence=0.99)
        assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high

    @pytest.mark.parametrize("errors, words", [([1], [1, 2]), ([], []), ([0], [0])])
    def test_unusable_counts_are_refused(self, errors, words):
        with pytest.raises(ValueError, match="equally long lists and at least one word"):
            bootstrap_word_error_rate(errors, words)

    def test_confidence_in_percent_is_refused(self):
        with pytest.raises(ValueError, match="95.*between 0 and 1"):
            bootstrap_word_error_rate([1], [2], confidence=95)


class TestMelCepstrum:
    def test_recovers_a_cosine(self):
        bands = np.arange(12)
        mel = 3.0 + 0.7 * np.cos(np.pi * 2 * (bands + 0.5) / 12)
        np.testing.assert_allclose(mel_cepstrum(mel[None], n_coefficients=4), [[0, 0.7, 0, 0]], atol=1e-12)

    def test_is_scipys_transform_scaled_to_amplitudes(self):
        mel = random_mel(5, seed=1)
        expected = fft.dct(mel, type=2, norm="ortho", axis=1)[:, 1:9] * np.sqrt(2 / 12)
        np.testing.assert_allclose(mel_cepstrum(mel, n_coefficients=8), expected, atol=1e-12)

    @pytest.mark.parametrize("n_coefficients", [0, 12])
    def test_too_many_coefficients_are_refused(self, n_coefficients):
        with pytest.raises(ValueError, match="1 to bands - 1"):
            mel_cepstrum(random_mel(2, seed=0), n_coefficients=n_coefficients)


class TestDynamicTimeWarping:
    def test_by_hand(self):
        cost = np.abs(np.array([1.0, 3.0, 4.0])[:, None] - np.array([1.0, 1.0, 3.0, 4.0]))
        rows, columns = dynamic_time_warping(cost)
        assert list(zip(rows, columns, strict=True)) == [(0, 0), (0, 1), (1, 2), (2, 3)]

    def test_against_every_path(self):
        def cheapest(cost: np.ndarray, i: int = 0, j: int = 0) -> float:
            if (i, j) == (cost.shape[0] - 1, cost.shape[1] - 1):
                return cost[i, j]
            steps = [(i + 1, j), (i, j + 1), (i + 1, j + 1)]
            inside = [step for step in steps if step[0] < cost.shape[0] and step[1] < cost.shape[1]]
            return cost[i, j] + min(cheapest(cost, *step) for step in inside)

        random = np.random.default_rng(3)
        for shape in [(1, 1), (1, 4), (4, 1), (3, 5), (5, 5), (6, 4)]:
            cost = random.uniform(size=shape)
            rows, columns = dynamic_time_warping(cost)
            assert (rows[0], columns[0], rows[-1], columns[-1]) == (0, 0, shape[0] - 1, shape[1] - 1)
            steps = set(zip(np.diff(rows), np.diff(columns), strict=True))
            assert steps <= {(0, 1), (1, 0), (1, 1)}
            assert cost[rows, columns].sum() == pytest.approx(cheapest(cost))

    @pytest.mark.parametrize("cost", [np.zeros((0, 3)), np.zeros(3), np.array([[1.0, np.nan]])])
    def test_unusable_costs_are_refused(self, cost):
        with pytest.raises(ValueError, match="expected finite values of shape"):
            dynamic_time_warping(cost)


class TestMelCepstralDistortion:
    def test_one_coefficient_by_hand(self):
        bands = np.arange(12)
        flat = np.full((4, 12), -3.0)
        tilted = flat + 0.5 * np.cos(np.pi * (bands + 0.5) / 12)
        # 10 / ln 10 * sqrt(2 * 0.5 ** 2) = 4.3429 * 0.7071
        assert mel_cepstral_distortion(flat, tilted, n_coefficients=3) == pytest.approx(3.0709, abs=1e-4)

    def test_all_coefficients_give_the_spectral_difference_in_db(self):
        mel, other = random_mel(6, seed=4), random_mel(6, seed=5)
        difference_db = 20 / np.log(10) * (mel - other)
        difference_db -= difference_db.mean(axis=1, keepdims=True)  # the zeroth cosine: loudness
        expected = np.sqrt((difference_db**2).mean(axis=1)).mean()
        got = mel_cepstral_distortion(mel, other, n_coefficients=11, align=False)
        assert got == pytest.approx(expected, rel=1e-12)

    def test_loudness_and_speed_do_not_count(self):
        mel = random_mel(9, seed=6)
        other = np.repeat(mel, [1, 2, 1, 3, 1, 1, 2, 1, 2], axis=0) + 1.7
        assert mel_cepstral_distortion(mel, other, n_coefficients=8) == pytest.approx(0.0, abs=1e-6)

    def test_is_symmetric(self):
        mel, other = random_mel(7, seed=7, n_mels=80), random_mel(11, seed=8, n_mels=80)
        assert mel_cepstral_distortion(mel, other) == pytest.approx(mel_cepstral_distortion(other, mel))

    def test_other_shapes_are_refused(self):
        with pytest.raises(ValueError, match="same number of bands"):
            mel_cepstral_distortion(random_mel(3, seed=0), random_mel(3, seed=0, n_mels=10), n_coefficients=5)
        with pytest.raises(ValueError, match="align=False"):
            mel_cepstral_distortion(random_mel(3, seed=0), random_mel(4, seed=0), align=False)


class TestPitch:
    def test_a_semitone(self):
        pitch_hz = np.array([100.0, 0.0, 120.0, 200.0])
        assert log_f0_rmse(pitch_hz, pitch_hz * 2 ** (1 / 12)) == pytest.approx(np.log(2) / 12)

    def test_only_frames_voiced_in_both_count(self):
        assert log_f0_rmse([100.0, 0.0, 150.0, np.nan], [200.0, 90.0, 0.0, 80.0]) == pytest.approx(np.log(2))

    def test_root_of_the_mean_of_squares(self):
        assert log_f0_rmse([100.0, 100.0], [100.0, 100.0 * np.e]) == pytest.approx(np.sqrt(0.5))

    def test_unusable_curves_are_refused(self):
        with pytest.raises(ValueError, match="equally long"):
            log_f0_rmse([100.0], [100.0, 100.0])
        with pytest.raises(ValueError, match="voiced in both"):
            log_f0_rmse([100.0, 0.0], [0.0, 100.0])


class TestCosineSimilarity:
    @pytest.mark.parametrize(
        "other, expected", [([3, 4], 1.0), ([-6, -8], -1.0), ([4, -3], 0.0), ([1, 0], 0.6)]
    )
    def test_by_hand(self, other, expected):
        assert cosine_similarity([3, 4], other) == pytest.approx(expected, abs=1e-12)

    def test_never_leaves_its_range(self):
        vector = np.full(7, 0.1, np.float32)
        assert cosine_similarity(vector, vector) <= 1.0

    def test_unusable_vectors_are_refused(self):
        with pytest.raises(ValueError, match="all zero"):
            cosine_similarity([0, 0], [1, 2])
        with pytest.raises(ValueError, match="same length"):
            cosine_similarity([1, 2, 3], [1, 2])


class TestMeanOpinionScore:
    def test_by_hand(self):
        # mean 3.5, s = 1.2910, s / sqrt(4) = 0.6455, t(0.975, 3) = 3.1824
        assert mean_opinion_score([2, 3, 4, 5]) == pytest.approx((3.5, 1.4457, 5.5543), abs=1e-4)

    def test_against_scipy(self):
        marks = np.random.default_rng(0).integers(1, 6, size=57)
        low, high = stats.t.interval(0.9, len(marks) - 1, loc=marks.mean(), scale=stats.sem(marks))
        assert mean_opinion_score(marks, confidence=0.9) == pytest.approx((marks.mean(), low, high), rel=1e-9)

    @pytest.mark.parametrize("degrees_of_freedom", [1, 2, 3, 4, 5, 10, 31, 100, 999])
    @pytest.mark.parametrize("probability", [0.025, 0.4, 0.5, 0.9, 0.975, 0.999])
    def test_quantiles_against_scipy(self, degrees_of_freedom, probability):
        expected = stats.t.ppf(probability, degrees_of_freedom)
        got = student_t_quantile(probability, degrees_of_freedom=degrees_of_freedom)
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)

    def test_equal_marks_have_no_spread(self):
        assert mean_opinion_score([4, 4, 4]) == (4.0, 4.0, 4.0)

    @pytest.mark.parametrize(
        "marks, message",
        [([3], "at least two"), ([1, 6], "from 1 to 6"), ([2, float("nan")], "expected 1 to 5")],
    )
    def test_unusable_marks_are_refused(self, marks, message):
        with pytest.raises(ValueError, match=message):
            mean_opinion_score(marks)


class TestPairedDifference:
    def test_against_scipy(self):
        random = np.random.default_rng(0)
        marks, others = random.integers(1, 6, size=20), random.integers(1, 6, size=20)
        found = paired_difference(marks, others, confidence=0.9)
        interval = stats.ttest_rel(marks, others).confidence_interval(0.9)
        assert found == pytest.approx(((marks - others).mean(), interval.low, interval.high), rel=1e-9)

    def test_what_both_marks_share_falls_out(self):
        sentences = np.array([0.0, 1.0, 2.0, 0.0, 1.0])
        found = paired_difference(2 + sentences, [1.5, 2.5, 3.0, 1.0, 2.5])
        alone = paired_difference([2, 2, 2, 2, 2], [1.5, 1.5, 1.0, 1.0, 1.5])
        assert found == pytest.approx(alone)

    @pytest.mark.parametrize(
        "marks, others, message",
        [
            ([1, 2], [1, 2, 3], "equally long"),
            ([1], [2], "at least two"),
            ([1, 2], [1, float("nan")], "not a number"),
        ],
    )
    def test_unusable_pairs_are_refused(self, marks, others, message):
        with pytest.raises(ValueError, match=message):
            paired_difference(marks, others)


class TestMarksNeeded:
    @pytest.mark.parametrize("reach", [0.05, 0.2, 0.5, 3.0])
    @pytest.mark.parametrize("standard_deviation", [0.4, 1.0])
    def test_so_many_are_enough_and_one_less_is_not(self, reach, standard_deviation):
        def half_width(n: int) -> float:
            return stats.t.ppf(0.975, n - 1) * standard_deviation / np.sqrt(n)

        n = marks_needed(reach, standard_deviation=standard_deviation)
        assert half_width(n) <= reach
        assert n == 2 or half_width(n - 1) > reach

    def test_equal_marks_need_two(self):
        assert marks_needed(0.1, standard_deviation=0) == 2

    @pytest.mark.parametrize("reach, deviation", [(0, 1), (-1, 1), (0.1, -1), (float("nan"), 1)])
    def test_impossible_wishes(self, reach, deviation):
        with pytest.raises(ValueError, match="positive reach"):
            marks_needed(reach, standard_deviation=deviation)
