"""Checkers for lesson 6."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, call, judge, kind_of
from tinyclone.griffin_lim import griffin_lim, spectral_convergence
from tinyclone.mel import istft, stft

HOP_LENGTH = 256
MOST_ITERATIONS = 16


def check_spectral_convergence(measure: Callable[[np.ndarray, np.ndarray], float] | None) -> bool:
    """Check a function that measures how far a wave's magnitudes are from those wanted.

    Parameters
    ----------
    measure : callable
        ``measure(magnitude, wav)`` returns the norm of the difference of the magnitudes over the norm
        of `magnitude`, shape (F, 513).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    return judge("spectral_convergence", lambda: _try_measure(measure))


def check_improve(improve: Callable[[np.ndarray, np.ndarray], np.ndarray] | None) -> bool:
    """Check a function that does one iteration of Griffin and Lim's algorithm, from wave to wave.

    Parameters
    ----------
    improve : callable
        ``improve(magnitude, wav)`` returns the wave, shape ((F - 1) * 256,), that is closest to the
        spectrum with these magnitudes, shape (F, 513), and with the phases of `wav`.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    return judge("improve", lambda: _try_improve(improve))


def check_fewest_iterations(fewest_iterations: Callable[[np.ndarray, float, int], int] | None) -> bool:
    """Check a function that finds how many iterations a given error needs.

    Parameters
    ----------
    fewest_iterations : callable
        ``fewest_iterations(magnitude, goal, most)`` returns the smallest `n_iter` with which
        `tinyclone.griffin_lim.griffin_lim`, otherwise as it comes, reaches a spectral convergence of
        `goal` or less; `most` if no smaller number does.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/06_griffin_lim.ipynb
    """
    return judge("fewest_iterations", lambda: _try_fewest_iterations(fewest_iterations))


def _made_up_voice(*, n_frames: int = 24) -> np.ndarray:
    """Harmonics of a gliding pitch, each softer than the one below, and a little breath."""
    n_samples = (n_frames - 1) * HOP_LENGTH
    turns = np.cumsum(np.linspace(110.0, 150.0, n_samples)) / 16000
    harmonics = sum(np.cos(2.0 * np.pi * number * turns + number) / number for number in range(1, 20))
    breath = np.random.default_rng(0).standard_normal(n_samples)
    return (0.1 * harmonics + 0.005 * breath).astype(np.float32)


def _try_measure(measure: Any) -> list[str]:
    wav = _made_up_voice()
    magnitude = np.abs(stft(wav))
    trials = [
        ("random phases", griffin_lim(magnitude, n_iter=0)),
        ("eight iterations later", griffin_lim(magnitude, n_iter=8)),
        ("the wave that the magnitudes came from", wav),
        ("the same wave, half as loud", wav / 2),
        ("silence", np.zeros_like(wav)),
    ]
    passed = []
    for what, trial in trials:
        found = _number(call(measure, magnitude.copy(), trial.copy(), expected=object))
        right = spectral_convergence(magnitude, trial)
        if not np.isclose(found, right, rtol=1e-3, atol=1e-5):
            hint = _which_measure(found, magnitude, stft(trial))
            raise Wrong(f"for {what} it returned {found:.4g}; expected {right:.4g}. {hint}")
        passed.append(f"{what}: {right:.3f}")
    return passed


def _number(answer: Any, *, kind: type = Real) -> float:
    """Return the answer as a number, or say what it is instead."""
    if isinstance(answer, np.ndarray) and answer.size == 1:
        answer = answer.reshape(-1)[0]
    if isinstance(answer, np.ndarray):
        raise Wrong(f"an array of the shape {answer.shape} came back; expected one number.")
    if isinstance(answer, (complex, np.complexfloating)):
        raise Wrong("a complex number came back; compare magnitudes, which `np.abs` makes.")
    if not isinstance(answer, kind):
        expected = "a whole number" if kind is Integral else "a number"
        raise Wrong(f"{kind_of(answer)} came back; expected {expected}.")
    return answer if kind is Integral else float(answer)


def _which_measure(found: float, wanted: np.ndarray, spectrum: np.ndarray) -> str:
    """Recognise another way to compare magnitudes by its value."""
    norm, reached = np.linalg.norm, np.abs(spectrum)
    ratio = norm(reached - wanted) / norm(wanted)
    with np.errstate(all="ignore"):
        mistakes = [
            (
                norm(spectrum - wanted) / norm(wanted),
                "Compare magnitudes: the wave's spectrum is complex.",
            ),
            (
                norm(reached - wanted) / norm(reached),
                "Divide by the norm of the magnitudes that are wanted, not of those that were reached.",
            ),
            (ratio**2, "That is its square: a norm is the root of the sum of squares."),
            (norm(reached - wanted), "It grows with the loudness: divide by a norm."),
            (
                abs(norm(reached) - norm(wanted)) / norm(wanted),
                "That is the difference of two norms; expected the norm of the difference.",
            ),
            (
                np.abs(reached - wanted).sum() / wanted.sum(),
                "Those are sums of absolute values; a norm squares, adds up and takes the root.",
            ),
            (
                norm(reached - wanted, 2) / norm(wanted, 2),
                "With `ord=2` a matrix has another norm. Leave it out to square and add up all numbers.",
            ),
            (norm(reached**2 - wanted**2) / norm(wanted**2), "Those are powers; compare magnitudes."),
            (20.0 * np.log10(ratio), "That is in dB; expected the ratio itself."),
            (100.0 * ratio, "That is in per cent; expected the ratio itself."),
            (np.abs(reached - wanted).mean(), "That is a mean difference; expected a ratio of two norms."),
            (norm(reached) / norm(wanted), "Subtract the wanted magnitudes first."),
        ]
    for value, hint in mistakes:
        if np.isclose(found, value, rtol=1e-3, equal_nan=True):
            return hint
    return "Which two norms are divided, and of what?"


def _try_improve(improve: Any) -> list[str]:
    wav = _made_up_voice()
    magnitude = np.abs(stft(wav))
    start = griffin_lim(magnitude, n_iter=0, seed=1)
    # Six frames of digital silence, in which a spectrum divided by its magnitude is 0 / 0.
    gap = slice(8 * HOP_LENGTH, 18 * HOP_LENGTH)
    with_gap, start_with_gap = wav.copy(), start.copy()
    with_gap[gap] = start_with_gap[gap] = 0.0
    trials = [
        ("one iteration from random phases", magnitude, start),
        ("a wave that is right already stays as it is", magnitude, wav),
        ("a wave with a stretch of silence", np.abs(stft(with_gap)), start_with_gap),
    ]
    return [_try_one_iteration(improve, *trial) for trial in trials]


def _try_one_iteration(improve: Any, what: str, magnitude: np.ndarray, wav: np.ndarray) -> str:
    answer = call(improve, magnitude.copy(), wav.copy(), expected=np.ndarray)
    if answer.ndim == 2:
        raise Wrong(f"a spectrum of the shape {answer.shape} came back; `istft` makes the wave of it.")
    if answer.shape != wav.shape:
        raise Wrong(f"the wave has the shape {answer.shape}; expected {wav.shape}, as long as the one given.")
    if not np.issubdtype(answer.dtype, np.floating):
        raise Wrong(f"the samples are {answer.dtype}; expected real numbers with a fraction.")
    if not np.isfinite(answer).all():
        raise Wrong(
            f"for {what} there are NaN or infinite samples. In silence the magnitude is 0, and 0 / 0 is NaN: "
            "take the phase in a way that does not divide, or divide by a little more than the magnitude."
        )
    right = _one_iteration(magnitude, wav)
    if not _same(answer, right):
        raise Wrong(f"for {what}: {_which_iteration(answer, magnitude, wav)}")
    before, after = (spectral_convergence(magnitude, one) for one in (wav, right))
    return f"{what}: error {before:.3f}, then {after:.3f}"


def _one_iteration(magnitude: np.ndarray, wav: np.ndarray) -> np.ndarray:
    return istft(magnitude * np.exp(1j * np.angle(stft(wav))))


def _same(answer: np.ndarray, right: np.ndarray) -> bool:
    return np.abs(answer - right).max() <= 1e-3 * np.abs(right).max()


def _which_iteration(answer: np.ndarray, magnitude: np.ndarray, wav: np.ndarray) -> str:
    """Recognise a usual mistake by the wave that it makes."""
    spectrum = stft(wav)
    phase = np.angle(spectrum)
    mistakes = [
        (wav, "it is the wave that came in. Keep its phases, and take the magnitudes that are wanted."),
        (istft(magnitude + 0j), "all its phases are 0. The phases of the wave's own spectrum belong there."),
        (istft(magnitude * np.exp(-1j * phase)), "the phases have the wrong sign."),
        (
            istft(magnitude * spectrum),
            "the magnitudes of the wave are still in it. Only its phases are to be kept.",
        ),
        (istft(magnitude * np.cos(phase) + 0j), "a real part was taken: the spectrum has to stay complex."),
        (istft(magnitude * phase + 0j), "a phase is an angle. `np.exp(1j * angle)` points that way."),
        (_one_iteration(magnitude, _one_iteration(magnitude, wav)), "that was two iterations. Do one."),
    ]
    for wrong, hint in mistakes:
        if _same(answer, wrong):
            return hint
    return "it is another wave. Which magnitudes and which phases has the spectrum that it is made of?"


def _try_fewest_iterations(fewest_iterations: Any) -> list[str]:
    magnitude = np.abs(stft(_made_up_voice()))
    errors = [
        spectral_convergence(magnitude, griffin_lim(magnitude, n_iter=n_iter))
        for n_iter in range(MOST_ITERATIONS + 1)
    ]
    # Each goal lies half-way between two errors, so that rounding decides nothing.
    goals = [(errors[n_iter - 1] + errors[n_iter]) / 2 for n_iter in (5, 11)]
    goals += [1.1 * errors[0], 0.5 * min(errors)]
    return [_try_one_goal(fewest_iterations, goal, errors) for goal in goals]


def _try_one_goal(fewest_iterations: Any, goal: float, errors: list[float]) -> str:
    most = len(errors) - 1
    magnitude = np.abs(stft(_made_up_voice()))
    answer = _number(call(fewest_iterations, magnitude, goal, most, expected=object), kind=Integral)
    right = next((n_iter for n_iter, error in enumerate(errors) if error <= goal), most)
    asked = f"for a goal of {goal:.3f} and at most {most} iterations it returned {answer}"
    if not 0 <= answer <= most:
        raise Wrong(f"{asked}; expected a number from 0 to {most}.")
    if answer == right:
        reached = f"error {errors[answer]:.3f}" if errors[answer] <= goal else "the most: none is enough"
        return f"goal {goal:.3f}: {answer} iterations, {reached}"
    if min(errors) > goal:
        raise Wrong(f"{asked}, but no number reaches that goal. Then return `most`.")
    if errors[answer] > goal:
        raise Wrong(
            f"{asked}, whose error of {errors[answer]:.3f} is too large. "
            "Is the error measured of the wave with just that many iterations?"
        )
    if right == 0:
        raise Wrong(f"{asked}, but random phases alone reach the goal. Begin to count at 0.")
    raise Wrong(f"{asked}, but fewer are enough. Stop at the first number that reaches the goal.")
