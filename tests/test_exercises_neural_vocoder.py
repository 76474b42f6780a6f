"""The checkers of lesson 7 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused_with

from tinyclone.exercises import check_log_magnitude_loss, check_mend, check_pulse_places

LOWEST = np.log(1e-5)


nonsense = pytest.mark.parametrize(
    "wrong, hint",
    [
        *NONSENSE,
        (lambda *_: "sound", "of type str; expected an array of numbers"),
        (lambda *_: [[1], [2, 3]], "of type list; expected an array of numbers"),
        (lambda *_: [1j], "complex"),
    ],
)


def turns_of(pitch_hz):
    return np.cumsum(pitch_hz / 16000)


def passes(turns):
    return np.flatnonzero(np.diff(np.floor(turns), prepend=0) > 0)


def one_by_one(pitch_hz):
    turns, places = 0.0, []
    for sample, hz in enumerate(pitch_hz):
        turns += hz / 16000
        if turns >= 1:
            places.append(sample)
            turns -= 1
    return places


def whole_periods(pitch_hz):
    place, places = 0, []
    while place < len(pitch_hz):
        if pitch_hz[place] == 0:
            place += 1
            continue
        place += round(16000 / pitch_hz[place])
        places.append(place)
    return np.array([one for one in places if one < len(pitch_hz)], int)


def through_the_pause(pitch_hz):
    voiced = np.flatnonzero(pitch_hz > 0)
    if len(voiced) == 0:
        return np.array([], int)
    return passes(turns_of(np.interp(np.arange(len(pitch_hz)), voiced, pitch_hz[voiced])))


def as_train(pitch_hz):
    train = np.zeros(len(pitch_hz))
    train[passes(turns_of(pitch_hz))] = 1
    return train


def dividing_by_zero(pitch_hz):
    with np.errstate(all="ignore"):
        period = 16000 / pitch_hz[:: len(pitch_hz) // 4]
    return np.round(np.cumsum(period) / 100) if np.isfinite(period).all() else period


def pulse_in_silence(pitch_hz):
    return passes(turns_of(pitch_hz)) if pitch_hz.max() > 0 else np.array([100])


class TestPulsePlaces:
    @pytest.mark.parametrize(
        "right",
        [
            lambda hz: passes(turns_of(hz)),
            lambda hz: np.flatnonzero(np.diff(np.floor(turns_of(hz))) > 0),  # one sample early
            lambda hz: passes(turns_of(hz)).astype(float),
            one_by_one,
        ],
    )
    def test_a_right_answer(self, capsys, right):
        assert check_pulse_places(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: pulse_places." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda hz: passes(hz * np.arange(len(hz)) / 16000), "the pitch times the time"),
            (lambda hz: passes(2 * np.pi * turns_of(hz)), "phases are in radians"),
            (lambda hz: passes(2 * turns_of(hz)), "twice as many"),
            (lambda hz: passes(np.cumsum(hz) * 256 / 16000), "not for each frame"),
            (lambda hz: np.flatnonzero(np.diff(np.round(turns_of(hz)), prepend=0) > 0), "np.round"),
            (lambda hz: np.append(0, passes(turns_of(hz))), "it does not pass it"),
            (whole_periods, "rounded to whole samples"),
            (through_the_pause, "in the pause"),
            (as_train, "one number for each sample"),
            (lambda hz: passes(turns_of(hz)) / 16000, "fractions"),
            (lambda hz: passes(turns_of(hz))[::-1], "do not ascend"),
            (lambda hz: passes(turns_of(hz)) + len(hz), "outside of the 8000 samples"),
            (lambda hz: passes(turns_of(hz))[:, None], "expected one row"),
            (lambda hz: passes(turns_of(hz))[:-1], "expected 75"),
            (lambda hz: passes(turns_of(hz)) + 20, "pulse 0 is at sample"),
            (lambda hz: [], "no pulse came back"),
            (lambda hz: np.arange(50, len(hz), 107), "pulse"),
            (dividing_by_zero, ""),
            (pulse_in_silence, "0 all the time"),
            (lambda hz: np.full(3, np.nan), "NaN"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_pulse_places(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_pulse_places(wrong) is False
        assert refused_with(hint, capsys)


def log(magnitude):
    return np.log(magnitude + 1e-4)


def without_floor(made, real):
    with np.errstate(all="ignore"):
        return np.mean(np.abs(np.log(made) - np.log(real)))


class TestLogMagnitudeLoss:
    @pytest.mark.parametrize(
        "right",
        [
            lambda made, real: np.mean(np.abs(log(made) - log(real))),
            lambda made, real: np.abs(np.log((real + 1e-4) / (made + 1e-4))).mean(),
            lambda made, real: np.float32(np.mean(np.abs(log(made) - log(real)))),
            lambda made, real: [np.mean(np.abs(log(made) - log(real)))],
        ],
    )
    def test_a_right_answer(self, capsys, right):
        assert check_log_magnitude_loss(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: log_magnitude_loss." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (without_floor, "log(0) is minus infinity"),
            (lambda m, r: np.mean(log(m) - log(r)), "cancel out"),
            (lambda m, r: abs(np.mean(log(m) - log(r))), "cancel out"),
            (lambda m, r: np.abs(log(m) - log(r)).sum(), "That is the sum"),
            (lambda m, r: np.sqrt(np.mean((log(m) - log(r)) ** 2)), "root of the mean square"),
            (lambda m, r: np.mean((log(m) - log(r)) ** 2), "Those are squares"),
            (lambda m, r: np.mean(np.abs(np.log10((m + 1e-4) / (r + 1e-4)))), "log10"),
            (lambda m, r: 20 * np.mean(np.abs(np.log10((m + 1e-4) / (r + 1e-4)))), "in dB"),
            (lambda m, r: np.mean(np.abs(m - r)), "logarithms are missing"),
            (lambda m, r: np.mean(np.abs(np.log1p(m) - np.log1p(r))), "np.log1p"),
            (lambda m, r: np.mean(np.log(np.abs(m - r) + 1e-4)), "log of a difference"),
            (
                lambda m, r: np.mean(np.abs(np.log(np.maximum(m, 1e-4)) - np.log(np.maximum(r, 1e-4)))),
                "instead of raising them",
            ),
            (lambda m, r: np.abs(log(m) - log(r)), "array of the shape (20, 129)"),
            (lambda m, r: 0.7, "Which mean, of which difference?"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_log_magnitude_loss(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_log_magnitude_loss(wrong) is False
        assert refused_with(hint, capsys)


def mend(
    mel, *, shape=True, db=lambda mel: mel * np.log(10) / 20, none=lambda m: np.log(np.maximum(m, 1e-5))
):
    if shape and mel.shape[1] != 80:
        mel = mel.T
    if mel.min() >= 0:
        return none(mel)
    if mel.min() < LOWEST - 0.1:
        return db(mel)
    return mel


def log_of_zero(mel):
    with np.errstate(all="ignore"):
        return np.log(mel)


class TestMend:
    @pytest.mark.parametrize("right", [mend, lambda mel: mend(mel).astype(np.float64).copy()])
    def test_a_right_answer(self, capsys, right):
        assert check_mend(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 5 and "Solved: mend." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda mel: mel, "expected (41, 80), time first"),
            (lambda mel: mend(mel, shape=False), "expected (41, 80), time first"),
            (lambda mel: mend(mel).T, "expected (41, 80), time first"),
            (lambda mel: mend(mel)[:20], "expected (41, 80)"),
            (lambda mel: mend(mel, db=lambda one: one), "Look at its lowest value"),
            (lambda mel: mend(mel, db=lambda one: one / 10 * np.log(10)), "10 dB in power"),
            (lambda mel: mend(mel, db=lambda one: one / 20), "log10; expected the natural"),
            (lambda mel: mend(mel, db=lambda one: np.maximum(one, LOWEST)), "convert them"),
            (lambda mel: mend(mel, none=lambda one: one), "Look at its lowest value"),
            (lambda mel: mend(mel, none=log_of_zero), "needs the floor"),
            (lambda mel: mend(mel, none=lambda one: np.log(one + 1e-5)), "0.00001 was added"),
            (lambda mel: mend(mel, none=lambda one: np.log10(np.maximum(one, 1e-5))), "that is log10"),
            (lambda mel: mend(mel, none=lambda one: 2 * np.log(np.maximum(one, 1e-5))), "logs of powers"),
            (lambda mel: mend(mel) + 1, "it was right, but it was changed"),
            (lambda mel: mend(mel, db=lambda one: one / 7), "What does the lowest value give away?"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_mend(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_mend(wrong) is False
        assert refused_with(hint, capsys)
