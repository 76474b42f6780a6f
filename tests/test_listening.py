"""The blind test hides what it should, and gives each mark back to whom it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tinyclone.audio import normalise_loudness
from tinyclone.confidence import mean_opinion_score
from tinyclone.listening import MEANINGS, BlindTest, guessing_probability, require_mark


def tone(frequency_hz: float, *, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * frequency_hz * np.arange(8000) / 16000)).astype(np.float32)


SOUNDS = {
    "soft": [tone(100.0 + 10 * place, level=0.01) for place in range(5)],
    "loud": [tone(200.0 + 10 * place, level=0.9) for place in range(5)],
    "few": [tone(300.0), tone(310.0)],
}


@pytest.fixture
def test() -> BlindTest:
    return BlindTest(SOUNDS, seed=0)


def marks_by(test: BlindTest, wanted: dict[str, list[float]]) -> list[float]:
    return [wanted[name][place] for name, place in test.order]


class TestOrder:
    def test_every_sound_is_played_once(self, test):
        assert len(test) == 12
        assert sorted(test.order) == sorted(
            (name, place) for name in SOUNDS for place in range(len(SOUNDS[name]))
        )
        assert test.systems == ["soft", "loud", "few"]

    def test_the_order_is_mixed_and_follows_the_seed(self, test):
        assert test.order != sorted(test.order)
        assert BlindTest(SOUNDS, seed=0).order == test.order
        assert BlindTest(SOUNDS, seed=1).order != test.order

    def test_without_a_seed_nobody_knows_it(self):
        orders = {tuple(BlindTest(SOUNDS).order) for _ in range(5)}
        assert len(orders) > 1

    def test_the_sound_is_the_one_of_its_place_and_as_loud_as_all(self, test):
        for number, (name, place) in enumerate(test.order):
            np.testing.assert_array_equal(test.sound(number), normalise_loudness(SOUNDS[name][place]))
        power = [float(np.mean(test.sound(number) ** 2)) for number in range(len(test))]
        assert max(power) < 1.01 * min(power)

    @pytest.mark.parametrize("sounds", [{}, {"one": [tone(100.0)]}, {"two": [tone(1.0)] * 2, "none": []}])
    def test_too_few_sounds_are_refused(self, sounds):
        with pytest.raises(ValueError, match="at least two of each system"):
            BlindTest(sounds)


class TestMarks:
    WANTED = {"soft": [1, 2, 3, 4, 5], "loud": [3, 3, 4, 4, 4], "few": [2, 1]}

    def test_each_mark_comes_back_to_its_sentence(self, test):
        found = test.marks_of(marks_by(test, self.WANTED))
        assert {name: list(marks) for name, marks in found.items()} == self.WANTED

    def test_results_are_those_of_the_marks_of_each_system(self, test):
        found = test.results(marks_by(test, self.WANTED), confidence=0.9)
        assert found == {
            name: mean_opinion_score(marks, confidence=0.9) for name, marks in self.WANTED.items()
        }

    def test_the_table_has_the_best_first(self, test):
        lines = test.table(marks_by(test, self.WANTED)).splitlines()
        assert [line.split()[0] for line in lines[1:]] == ["loud", "soft", "few"]
        assert lines[1].split()[1:3] == ["5", "3.60"]

    @pytest.mark.parametrize("marks", [[], [3] * 11, [3] * 13, [[3] * 12]])
    def test_one_mark_for_each_sound(self, test, marks):
        with pytest.raises(ValueError, match="expected one mark for each"):
            test.results(marks)

    @pytest.mark.parametrize("wrong", [0, 6, -1, float("nan")])
    def test_marks_off_the_scale(self, test, wrong):
        with pytest.raises(ValueError, match="from 1 to 5: 1 bad"):
            test.results([3] * 11 + [wrong])
        with pytest.raises(ValueError):
            require_mark(wrong)

    def test_the_scale_has_five_words(self):
        assert list(MEANINGS) == [1, 2, 3, 4, 5]
        assert [require_mark(mark) for mark in MEANINGS] == list(MEANINGS)


class TestGuessing:
    @pytest.mark.parametrize(
        "n_right, n_trials, chance", [(8, 10, 0.5), (3, 12, 0.125), (0, 5, 0.5), (7, 7, 0.5)]
    )
    def test_against_scipy(self, n_right, n_trials, chance):
        expected = stats.binom.sf(n_right - 1, n_trials, chance)
        assert guessing_probability(n_right, n_trials, chance=chance) == pytest.approx(expected, rel=1e-9)

    def test_by_hand(self):
        assert guessing_probability(2, 3) == 0.5
        assert guessing_probability(3, 3) == 0.125

    @pytest.mark.parametrize("n_right, n_trials, chance", [(4, 3, 0.5), (-1, 3, 0.5), (1, 3, 1.5)])
    def test_impossible_numbers(self, n_right, n_trials, chance):
        with pytest.raises(ValueError, match="expected from 0 to all"):
            guessing_probability(n_right, n_trials, chance=chance)
