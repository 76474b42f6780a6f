"""The checkers of lesson 6 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused_with

from tinyclone.exercises import check_fewest_iterations, check_improve, check_spectral_convergence
from tinyclone.griffin_lim import griffin_lim, spectral_convergence
from tinyclone.mel import istft, stft

norm = np.linalg.norm


nonsense = pytest.mark.parametrize(
    "wrong, hint",
    [
        *NONSENSE,
        (lambda magnitude, *_: stft(magnitude), "refused by tinyclone"),
    ],
)


def reached(wav):
    return np.abs(stft(wav))


class TestSpectralConvergence:
    @pytest.mark.parametrize(
        "right",
        [
            lambda magnitude, wav: norm(reached(wav) - magnitude) / norm(magnitude),
            lambda magnitude, wav: np.sqrt(((reached(wav) - magnitude) ** 2).sum() / (magnitude**2).sum()),
            lambda magnitude, wav: np.array([norm(magnitude - reached(wav)) / norm(magnitude)]),
            lambda magnitude, wav: np.float32(spectral_convergence(magnitude, wav)),
        ],
    )
    def test_a_right_answer(self, capsys, right):
        assert check_spectral_convergence(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 5 and "Solved: spectral_convergence." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda m, wav: norm(stft(wav) - m) / norm(m), "spectrum is complex"),
            (lambda m, wav: norm(reached(wav) - m) / norm(reached(wav)), "not of those that were reached"),
            (lambda m, wav: (norm(reached(wav) - m) / norm(m)) ** 2, "its square"),
            (lambda m, wav: norm(reached(wav) - m), "grows with the loudness"),
            (lambda m, wav: abs(norm(reached(wav)) - norm(m)) / norm(m), "difference of two norms"),
            (lambda m, wav: np.abs(reached(wav) - m).sum() / m.sum(), "sums of absolute values"),
            (lambda m, wav: norm(reached(wav) - m, 2) / norm(m, 2), "ord=2"),
            (lambda m, wav: norm(reached(wav) ** 2 - m**2) / norm(m**2), "Those are powers"),
            (lambda m, wav: 20 * np.log10(norm(reached(wav) - m) / norm(m)), "in dB"),
            (lambda m, wav: 100 * norm(reached(wav) - m) / norm(m), "in per cent"),
            (lambda m, wav: np.abs(reached(wav) - m).mean(), "a mean difference"),
            (lambda m, wav: norm(reached(wav)) / norm(m), "Subtract the wanted"),
            (lambda m, wav: 0.5, "returned 0.5; expected 0.6"),
            (lambda m, wav: float("nan"), "returned nan; expected"),
            (lambda m, wav: np.abs(reached(wav) - m), "an array of the shape (24, 513)"),
            (lambda m, wav: stft(wav)[0, 1], "a complex number came back"),
            (lambda m, wav: "0.5", "an object of type str came back; expected a number"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_spectral_convergence(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_spectral_convergence(wrong) is False
        assert refused_with(hint, capsys)


def phase_of(wav):
    return np.exp(1j * np.angle(stft(wav)))


def with_division(magnitude, wav):
    spectrum = stft(wav)
    return istft(magnitude * spectrum / (np.abs(spectrum) + 1e-12))


def dividing_by_zero(magnitude, wav):
    spectrum = stft(wav)
    with np.errstate(all="ignore"):
        return istft(magnitude * spectrum / np.abs(spectrum))


class TestImprove:
    @pytest.mark.parametrize("right", [lambda m, wav: istft(m * phase_of(wav)), with_division])
    def test_a_right_answer(self, capsys, right):
        assert check_improve(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 3 and "Solved: improve." in printed

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda m, wav: wav, "the wave that came in"),
            (lambda m, wav: istft(stft(wav)), "the wave that came in"),
            (lambda m, wav: istft(m.astype(complex)), "phases are 0"),
            (lambda m, wav: istft(m * phase_of(wav).conj()), "the wrong sign"),
            (lambda m, wav: istft(m * stft(wav)), "magnitudes of the wave are still in it"),
            (lambda m, wav: istft((m * phase_of(wav)).real + 0j), "a real part was taken"),
            (lambda m, wav: istft(m * np.angle(stft(wav)) + 0j), "a phase is an angle"),
            (lambda m, wav: istft(m * phase_of(istft(m * phase_of(wav)))), "two iterations"),
            (lambda m, wav: m * phase_of(wav), "a spectrum of the shape (24, 513)"),
            (lambda m, wav: istft(m * phase_of(wav), length=len(wav) + 256), "as long as the one given"),
            (lambda m, wav: istft(m * phase_of(wav)) + 0j, "the samples are complex"),
            (dividing_by_zero, "0 / 0 is NaN"),
            (lambda m, wav: griffin_lim(m, n_iter=1), "it is another wave"),
            (lambda m, wav: list(wav), "of type list; expected ndarray"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_improve(wrong) is False
        assert refused_with(hint, capsys)

    def test_a_function_that_spoils_what_it_gets_does_not_spoil_the_next_trial(self):
        def spoiling(magnitude, wav):
            answer = istft(magnitude * phase_of(wav))
            magnitude *= 0
            wav *= 0
            return answer

        assert check_improve(spoiling)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_improve(wrong) is False
        assert refused_with(hint, capsys)


def error_with(magnitude, n_iter):
    return spectral_convergence(magnitude, griffin_lim(magnitude, n_iter=n_iter))


def fewest_iterations(magnitude, goal, most):
    for n_iter in range(most):
        if error_with(magnitude, n_iter) <= goal:
            return n_iter
    return most


def begins_at_one(magnitude, goal, most):
    return max(1, fewest_iterations(magnitude, goal, most))


def gives_up_with(answer):
    def function(magnitude, goal, most):
        found = fewest_iterations(magnitude, goal, most)
        return found if error_with(magnitude, found) <= goal else answer

    return function


class TestFewestIterations:
    @pytest.mark.parametrize("right", [fewest_iterations, lambda *a: np.int64(fewest_iterations(*a))])
    def test_a_right_answer(self, capsys, right):
        assert check_fewest_iterations(right) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: fewest_iterations." in printed
        assert printed.count("the most: none is enough") == 1

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda m, goal, most: fewest_iterations(m, goal, most) - 1, "is too large"),
            (lambda m, goal, most: min(most, fewest_iterations(m, goal, most) + 1), "fewer are enough"),
            (lambda m, goal, most: most, "fewer are enough"),
            (begins_at_one, "Begin to count at 0"),
            (gives_up_with(0), "Then return `most`"),
            (gives_up_with(-1), "expected a number from 0 to"),
            (gives_up_with(None), "returned nothing"),
            (lambda m, goal, most: error_with(m, most), "of type float came back; expected a whole number"),
            (lambda m, goal, most: 1000, "expected a number from 0 to"),
            (lambda m, goal, most: np.arange(3), "an array of the shape (3,)"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_fewest_iterations(wrong) is False
        assert refused_with(hint, capsys)

    @nonsense
    def test_nonsense(self, capsys, wrong, hint):
        assert check_fewest_iterations(wrong) is False
        assert refused_with(hint, capsys)
