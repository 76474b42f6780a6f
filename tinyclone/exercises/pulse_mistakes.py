"""Usual mistakes when the openings of the vocal folds are counted, told by the pulses that they give."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE_HZ = 16000
HOP_LENGTH = 256


def places_passed(turns: np.ndarray) -> np.ndarray:
    """Return where a number of turns passes a whole number."""
    return np.flatnonzero(np.diff(np.floor(turns), prepend=0.0) > 0)


def why_not_places(answer: np.ndarray, *, pitch_hz: np.ndarray, right: np.ndarray) -> str:
    """Compare with what usual mistakes give."""
    n_samples = len(pitch_hz)
    if answer.shape == (n_samples,) and np.isin(answer, [0.0, 1.0]).all():
        return "one number for each sample came back. Expected the numbers of the samples that have a pulse."
    if answer.ndim != 1:
        return f"the shape is {answer.shape}; expected one row of sample numbers."
    if not np.isfinite(answer).all():
        return "there are NaN or infinite values: where the pitch is 0, a period has no length."
    if len(right) == 0:
        return f"{len(answer)} pulses came back, but the pitch is 0 all the time. Expected an empty array."
    if len(answer) == 0:
        return "no pulse came back."
    if np.abs(answer - np.round(answer)).max() > 1e-9:
        return "there are fractions. Expected whole numbers: the samples, not seconds or periods."
    if (np.diff(answer) <= 0).any():
        return "the places do not ascend."
    if answer.min() < 0 or answer.max() >= n_samples:
        return f"there is a place outside of the {n_samples} samples."
    if pitch_hz.min() == 0 and (pitch_hz[np.maximum(answer.astype(int) - 1, 0)] == 0).sum() > 1:
        return "there are pulses in the pause, where the pitch is 0."
    return _which_count(answer, pitch_hz=pitch_hz, right=right)


def _which_count(answer: np.ndarray, *, pitch_hz: np.ndarray, right: np.ndarray) -> str:
    """Recognise a way to count periods by the pulses that it gives."""
    time_sec = np.arange(len(pitch_hz)) / SAMPLE_RATE_HZ
    turns = np.cumsum(pitch_hz / SAMPLE_RATE_HZ)
    rounded = _whole_periods(pitch_hz)
    mistakes = [
        (
            places_passed(pitch_hz * time_sec),
            "that is the pitch times the time. When the pitch changes, it rewrites the past: add up what "
            "each sample brings.",
        ),
        (
            places_passed(2 * np.pi * turns),
            "2 pi times as many pulses: phases are in radians, but here whole turns count.",
        ),
        (places_passed(2 * turns), "twice as many pulses: there is one in a period."),
        (
            places_passed(np.cumsum(pitch_hz) / (SAMPLE_RATE_HZ / HOP_LENGTH)),
            "the pitch is given for each sample, not for each frame.",
        ),
        (
            places_passed(turns + 0.5),
            "the pulses come half a period early: `np.round` turns up at a half, `np.floor` at a whole.",
        ),
        (
            np.append(0, right),
            "a pulse at sample 0 is too many: the count starts at 0 there, it does not pass it.",
        ),
        (
            rounded,
            "each period was rounded to whole samples, and the errors add up. Count fractions of periods.",
        ),
    ]
    for wrong, hint in mistakes:
        if answer.shape == wrong.shape and np.abs(answer - wrong).max(initial=0) <= 1:
            return hint
    if len(answer) != len(right):
        return f"{len(answer)} pulses came back; expected {len(right)}, the number of whole periods."
    first = int(np.flatnonzero(np.abs(answer - right) > 1)[0])
    return f"pulse {first} is at sample {answer[first]:.0f}. How many periods have passed until then?"


def _whole_periods(pitch_hz: np.ndarray) -> np.ndarray:
    """Step from pulse to pulse by the period there, rounded to whole samples."""
    sample, places = 0, []
    while sample < len(pitch_hz):
        if pitch_hz[sample] > 0:
            sample += max(1, round(SAMPLE_RATE_HZ / pitch_hz[sample]))
            places.append(sample)
        else:
            sample += 1
    return np.array([one for one in places if one < len(pitch_hz)], int)
