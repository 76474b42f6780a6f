"""Checkers for lesson 7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, call, judge
from tinyclone.exercises.pulse_mistakes import SAMPLE_RATE_HZ, places_passed, why_not_places
from tinyclone.mel import log_mel

HOP_LENGTH = 256
QUIET = 1e-4
DB_OF_ONE_NEPER = 20 / np.log(10)
LOWEST = float(np.log(1e-5))


def check_pulse_places(pulse_places: Callable[[np.ndarray], np.ndarray] | None) -> bool:
    """Check a function that says at which samples the vocal folds open.

    Parameters
    ----------
    pulse_places : callable
        ``pulse_places(pitch_hz)`` returns the samples, ascending whole numbers, at which the number of
        periods since the start passes a whole number. `pitch_hz` is the pitch at each sample of 16 kHz,
        shape (N,), 0 where unvoiced.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    return judge("pulse_places", lambda: _try_pulse_places(pulse_places))


def check_log_magnitude_loss(loss: Callable[[np.ndarray, np.ndarray], float] | None) -> bool:
    """Check a function that compares magnitudes as the ear does, in steps of equal ratio.

    Parameters
    ----------
    loss : callable
        ``loss(made, real)`` returns the mean, over all values, of the absolute difference of the natural
        logs of two spectrograms of magnitudes, shape (F, K), each with 0.0001 added.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    return judge("log_magnitude_loss", lambda: _try_log_magnitude_loss(loss))


def check_mend(mend: Callable[[np.ndarray], np.ndarray] | None) -> bool:
    """Check a function that turns mels of other makers into what tinyclone's vocoders read.

    Parameters
    ----------
    mend : callable
        ``mend(mel)`` returns a natural-log mel, shape (F, 80), of one that may be right already, or
        frequency first, or in dB, or without a logarithm.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """
    return judge("mend", lambda: _try_mend(mend))


# --- where the folds open


def _try_pulse_places(pulse_places: Any) -> list[str]:
    rising = np.linspace(90.3, 240.7, 8000)
    with_pause = np.full(9000, 131.3)
    with_pause[2900:5100] = 0.0
    trials = [
        ("a steady 150.7 Hz", np.full(8000, 150.7)),
        ("a pitch that rises from 90 to 240 Hz", rising),
        ("a pause in the middle", with_pause),
        ("no voice at all", np.zeros(4000)),
    ]
    passed = []
    for what, pitch_hz in trials:
        answer = as_array(call(pulse_places, pitch_hz.copy(), expected=object), name="pulse_places")
        right = places_passed(np.cumsum(pitch_hz / SAMPLE_RATE_HZ))
        # The count may include the sample itself or not: a shift of one sample is not heard.
        if answer.shape != right.shape or np.abs(answer - right).max(initial=0) > 1:
            raise Wrong(f"{what}: {why_not_places(answer, pitch_hz=pitch_hz, right=right)}")
        passed.append(f"{what}: {len(right)} pulses")
    return passed


# --- the loss of logarithms


def _try_log_magnitude_loss(loss: Any) -> list[str]:
    random = np.random.default_rng(0)
    real = np.exp(random.normal(-2.0, 2.5, size=(20, 129)))
    real[:4] = 0.0  # digital silence
    trials = [
        ("the same", real),
        ("half as loud", real / 2),
        ("silence", np.zeros_like(real)),
        ("another sound", np.exp(random.normal(-3.0, 2.0, size=real.shape))),
    ]
    passed = []
    for what, made in trials:
        found = as_array(call(loss, made.copy(), real.copy(), expected=object), name="log_magnitude_loss")
        if found.size != 1:
            raise Wrong(f"an array of the shape {found.shape} came back; expected one number, the mean.")
        right = _log_magnitude_loss(made, real)
        value = float(found.reshape(-1)[0])
        if not np.isclose(value, right, rtol=1e-4, atol=1e-6):
            hint = _which_loss(value, made, real)
            raise Wrong(f"for {what} it returned {value:.4g}; expected {right:.4g}. {hint}")
        passed.append(f"{what}: {right:.3f}")
    return passed


def _log_magnitude_loss(made: np.ndarray, real: np.ndarray) -> float:
    return float(np.mean(np.abs(np.log(made + QUIET) - np.log(real + QUIET))))


def _which_loss(found: float, made: np.ndarray, real: np.ndarray) -> str:
    """Recognise another way to compare magnitudes by its value."""
    difference = np.log(made + QUIET) - np.log(real + QUIET)
    size = np.abs(difference)
    with np.errstate(all="ignore"):
        mistakes = [
            (
                np.mean(difference),
                "Differences up and down cancel out: take absolute values before the mean.",
            ),
            (abs(np.mean(difference)), "Differences cancel out: take absolute values before the mean."),
            (size.sum(), "That is the sum; expected the mean."),
            (np.sqrt(np.mean(size**2)), "That is the root of the mean square; expected the mean size."),
            (np.mean(size**2), "Those are squares; expected absolute values."),
            (np.mean(size) / np.log(10), "That is with log10; expected the natural logarithm."),
            (np.mean(size) * DB_OF_ONE_NEPER, "That is in dB; expected natural logs."),
            (np.mean(np.abs(made - real)), "The logarithms are missing."),
            (np.mean(np.abs(np.log1p(made) - np.log1p(real))), "`np.log1p` adds 1; expected 0.0001."),
            (
                np.mean(np.log(np.abs(made - real) + QUIET)),
                "That is the log of a difference; expected the difference of logs.",
            ),
            (
                np.mean(np.abs(np.log(np.maximum(made, QUIET)) - np.log(np.maximum(real, QUIET)))),
                "Add 0.0001 to the magnitudes instead of raising them to it.",
            ),
        ]
    if not np.isfinite(found):
        return "log(0) is minus infinity: add 0.0001 to both magnitudes first."
    for value, hint in mistakes:
        if np.isclose(found, value, rtol=1e-4, atol=1e-9):
            return hint
    return "Which mean, of which difference?"


# --- mels of other makers


def _try_mend(mend: Any) -> list[str]:
    mel = _made_up_mel()
    trials = [
        ("a mel that is right already", mel),
        ("frequency first", mel.T),
        ("in dB", mel * DB_OF_ONE_NEPER),
        ("without a logarithm", np.where(mel <= LOWEST + 1e-4, 0.0, np.exp(mel))),
        ("frequency first and in dB", mel.T * DB_OF_ONE_NEPER),
    ]
    passed = []
    for what, given in trials:
        given = given.astype(np.float32)
        answer = as_array(call(mend, given.copy(), expected=object), name="mend")
        if answer.shape != mel.shape or not np.allclose(answer, mel, atol=2e-3):
            raise Wrong(f"{what}: {_why_not_mended(answer, given=given, mel=mel)}")
        passed.append(f"{what}: {given.shape}, {given.min():.1f} to {given.max():.1f}")
    return passed


def _made_up_mel() -> np.ndarray:
    """Log-mel of a vowel between two silences."""
    n_samples = 40 * HOP_LENGTH
    turns = np.cumsum(np.linspace(110.0, 150.0, n_samples)) / SAMPLE_RATE_HZ
    wav = sum(np.cos(2.0 * np.pi * number * turns + number) / number for number in range(1, 20))
    wav = 0.1 * wav
    wav[: n_samples // 5] = wav[-n_samples // 5 :] = 0.0
    return log_mel(wav.astype(np.float32))


def _why_not_mended(answer: np.ndarray, *, given: np.ndarray, mel: np.ndarray) -> str:
    """Compare with what usual mistakes give."""
    if answer.shape == mel.T.shape:
        return f"the shape is {answer.shape}; expected {mel.shape}, time first."
    if answer.shape != mel.shape:
        return f"the shape is {answer.shape}; expected {mel.shape}."
    if not np.isfinite(answer).all():
        return "there are NaN or infinite values. The log of 0 needs the floor of 0.00001 below it."
    turned = given if given.shape == mel.shape else given.T
    with np.errstate(all="ignore"):
        mistakes = [
            (turned, "it is as it came. Look at its lowest value."),
            (
                turned / 10 * np.log(10),
                "a factor of ten is 20 dB in magnitude, 10 dB in power.",
            ),
            (turned / 20, "that is log10; expected the natural logarithm."),
            (
                np.maximum(turned, LOWEST),
                "dB were raised to the floor of another logarithm: convert them.",
            ),
            (np.log10(np.maximum(turned, 1e-5)), "that is log10; expected the natural logarithm."),
            (
                np.log(np.maximum(turned, 1e-5) ** 2),
                "those are logs of powers; expected logs of magnitudes.",
            ),
            (
                np.log(turned + 1e-5),
                "0.00001 was added; expected what is below it raised to it.",
            ),
        ]
    for wrong, hint in mistakes:
        if np.allclose(answer, wrong, atol=2e-3) and not np.allclose(wrong, mel, atol=2e-3):
            return hint
    if np.allclose(turned, mel, atol=2e-3):
        return "it was right, but it was changed."
    where = f"it lies between {answer.min():.1f} and {answer.max():.1f}"
    return f"{where}; expected {mel.min():.1f} to {mel.max():.1f}. What does the lowest value give away?"
