"""The checkers of the paper MelNet know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused_with

from tinyclone.exercises import check_finds_leak, check_between_frames_nats, check_tier_of

nonsense = pytest.mark.parametrize("wrong, hint", NONSENSE)


def tier_of(frame, band):
    if frame % 2:
        return 5
    if band % 2:
        return 4
    if frame % 4:
        return 3
    return 2 if band % 4 else 1


def without_dividing(frame, band):
    if frame % 2:
        return 5
    return 4 if band % 2 else 3 if frame % 2 else 2 if band % 2 else 1


class TestTierOf:
    @pytest.mark.parametrize("right", [tier_of, lambda frame, band: np.float32(tier_of(frame, band))])
    def test_a_right_answer(self, capsys, right):
        assert check_tier_of(right) is True
        printed = capsys.readouterr().out
        assert "tier 5: 32 of 64" in printed and "Solved: tier_of." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda frame, band: tier_of(band, frame), "exchanged"),
            (lambda frame, band: 6 - tier_of(frame, band), "the coarsest one"),
            (lambda frame, band: tier_of(frame, band) - 1, "counted from 1"),
            (lambda frame, band: 1, "the same tier"),
            (without_dividing, "divide before you split again"),
            (lambda frame, band: 1 + (frame + band) % 5, "Begin with tier 5"),
            (lambda frame, band: 0.5, "expected"),
            (lambda frame, band: "five", "expected an array of numbers"),
            (lambda frame, band: [1, 2], "expected one number"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_tier_of(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_tier_of(wrong) is False
        assert refused_with(hint, capsys)


def distances(mel):
    even = mel[::2]
    return mel[1::2][: len(even) - 1] - (even[:-1] + even[1:]) / 2


def nats(known, new, *, changed=distances, axis=0, of_width=np.log):
    changes, heard = changed(known), changed(new)
    mean, std = changes.mean(axis=axis), changes.std(axis=axis)
    return np.mean(0.5 * ((heard - mean) / std) ** 2 + of_width(std) + 0.5 * np.log(2 * np.pi))


def steps(mel):
    return np.diff(mel, axis=0)


def all_frames(mel):
    return mel[1:-1] - (mel[:-2] + mel[2:]) / 2


def with_variance(known, new):
    changes, heard = distances(known), distances(new)
    mean, std = changes.mean(axis=0), changes.var(axis=0)
    return np.mean(0.5 * ((heard - mean) / std) ** 2 + np.log(std) + 0.5 * np.log(2 * np.pi))


class TestBetweenFramesNats:
    @pytest.mark.parametrize("right", [nats, lambda known, new: [float(nats(known, new))]])
    def test_a_right_answer(self, capsys, right):
        assert check_between_frames_nats(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 2 and "Solved: between_frames_nats." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda known, new: -nats(known, new), "a minus is missing"),
            (lambda known, new: nats(known, new) / np.log(2), "Those are bits"),
            (lambda known, new: nats(known, new) * distances(new).size, "That is the sum"),
            (lambda known, new: nats(known, new) - 0.5 * np.log(2 * np.pi), "with 2 pi is missing"),
            (lambda known, new: nats(known, new, changed=lambda mel: mel), "Those are the values;"),
            (lambda known, new: nats(known, new, changed=steps), "frame before alone"),
            (lambda known, new: nats(known, new, changed=all_frames), "expected the odd ones"),
            (lambda known, new: nats(new, new), "must not know"),
            (lambda known, new: nats(known, new, axis=None), "one for each"),
            (with_variance, "variance"),
            (
                lambda known, new: nats(known, new, of_width=np.zeros_like) - 0.5 * np.log(2 * np.pi),
                "logarithm of the width is missing",
            ),
            (lambda known, new: 3.0, "Which logarithm"),
            (lambda known, new: np.nan, "NaN"),
            (lambda known, new: np.zeros(3), "expected one number"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_between_frames_nats(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_between_frames_nats(wrong) is False
        assert refused_with(hint, capsys)


def finds_leak(predict, x, *, places=None, until=1, frames_only=False):
    before = predict(x).reshape(-1)
    for place in range(x.size) if places is None else places:
        changed = x.copy()
        changed.flat[place] += 1
        end = place + until
        start = (place // x.shape[1]) * x.shape[1] if frames_only else 0
        if not np.array_equal(predict(changed).reshape(-1)[start:end], before[start:end]):
            return True
    return False


def anything_changes(predict, x):
    return not np.array_equal(predict(x), predict(x + 1))


class TestFindsLeak:
    @pytest.mark.parametrize("right", [finds_leak, lambda predict, x: np.array([finds_leak(predict, x)])])
    def test_a_right_answer(self, capsys, right):
        assert check_finds_leak(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 8 and "Solved: finds_leak." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (anything_changes, "up to the changed one"),
            (lambda predict, x: True, "an honest model was accused"),
            (lambda predict, x: False, "a leak was missed"),
            (lambda predict, x: finds_leak(predict, x, until=0), "with that element"),
            (lambda predict, x: finds_leak(predict, x, frames_only=True), "those of other frames"),
            (lambda predict, x: finds_leak(predict, x, places=range(15)), "also the last one"),
            (lambda predict, x: 0.5, "expected True or False"),
            (lambda predict, x: [True, False], "expected True or False"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_finds_leak(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_finds_leak(wrong) is False
        assert refused_with(hint, capsys)
