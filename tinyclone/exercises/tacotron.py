"""Checkers for the lesson on Tacotron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, as_numbers, call, judge

N_MELS = 80
SILENT = -10.0


def check_told_frames(told_frames: Callable[[np.ndarray, int], np.ndarray] | None) -> bool:
    """Check a function that says which frames a decoder is told that makes several frames a step.

    Parameters
    ----------
    told_frames : callable
        ``told_frames(mel, n)`` returns, for a mel of shape (F, 80) and n frames a step (F is a multiple of
        n), what each step is told: zeros at the first one, then the last frame of the step before;
        shape (F / n, 80).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    return judge("told_frames", lambda: _try_told_frames(told_frames))


def check_frames_of_characters(
    frames_of_characters: Callable[[np.ndarray, int], np.ndarray] | None,
) -> bool:
    """Check a function that reads durations off an alignment.

    Parameters
    ----------
    frames_of_characters : callable
        ``frames_of_characters(alignment, n)`` returns how many frames each character got, shape (T,): a step
        of n frames counts for the character that it looks at most. `alignment` has the shape (D, T).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    return judge("frames_of_characters", lambda: _try_frames_of_characters(frames_of_characters))


def check_stopping_step(stopping_step: Callable[[np.ndarray, np.ndarray], int] | None) -> bool:
    """Check a function that says after which step a decoder stops.

    Parameters
    ----------
    stopping_step : callable
        ``stopping_step(levels, alignment)`` returns the first step, counted from 0, that is silent (its level
        lies below -10) and looks most at one of the last three characters; -1 if there is none. `levels`
        has the shape (D,), `alignment` (D, T).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    return judge("stopping_step", lambda: _try_stopping_step(stopping_step))


# --- what a step is told


def _try_told_frames(told_frames: Any) -> list[str]:
    passed = []
    for n_frames, n in ((12, 4), (10, 5), (6, 1), (4, 4)):
        mel = np.arange(1.0, n_frames * N_MELS + 1).reshape(n_frames, N_MELS).astype(np.float32)
        answer = as_array(call(told_frames, mel.copy(), n, expected=object), name="told_frames")
        right = _told(mel, n)
        what = f"{n_frames} frames, {n} a step"
        if answer.shape != right.shape:
            raise Wrong(f"{what}: the shape is {answer.shape}; expected {right.shape}, one row a step.")
        if not np.allclose(answer, right):
            raise Wrong(f"{what}: {_why_not_told(answer, mel=mel, n=n)}")
        passed.append(f"{what}: {len(right)} rows, the first of zeros")
    return passed


def _why_not_told(answer: np.ndarray, *, mel: np.ndarray, n: int) -> str:
    go = np.zeros((1, N_MELS))
    mistakes = [
        (
            mel[n - 1 :: n],
            "each step is told its own last frame, which it has yet to make. Shift by one step.",
        ),
        (mel[::n], "each step is told its own first frame, which it has yet to make."),
        (
            np.concatenate([go, mel[::n][:-1]]),
            "that is the first frame of the step before; the last one is fresher.",
        ),
        (
            np.concatenate([mel[:1], mel[n - 1 : -1 : n]])[: len(answer)],
            "the first step is told a frame; nothing has been said yet, so give it zeros.",
        ),
        (
            np.concatenate([go, mel])[: len(answer)],
            "those are the first frames of all; go on in steps of n.",
        ),
    ]
    for wrong, hint in mistakes:
        if wrong.shape == answer.shape and np.allclose(answer, wrong):
            return hint
    row = int(np.flatnonzero(~np.isclose(answer, _told(mel, n)).all(axis=1))[0])
    return f"row {row} is not what step {row} is told. Which frame was the last before it?"


def _told(mel: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([np.zeros((1, N_MELS)), mel[n - 1 : -1 : n]])[: len(mel) // n]


# --- durations


def _try_frames_of_characters(frames_of_characters: Any) -> list[str]:
    passed = []
    for what, alignment, n in _alignments():
        answer = as_numbers(
            call(frames_of_characters, alignment.copy(), n, expected=object),
            shape=(alignment.shape[1],),
            name="frames_of_characters",
        )
        right = n * np.bincount(alignment.argmax(axis=1), minlength=alignment.shape[1])
        if not np.array_equal(answer, right):
            raise Wrong(f"{what}: {_why_not_frames(answer, alignment=alignment, n=n)}")
        passed.append(f"{what}: {int(right.sum())} frames in all")
    return passed


def _alignments() -> list[tuple[str, np.ndarray, int]]:
    """Return made-up alignments: sharp, blurred, and one that leaves characters out."""
    chance = np.random.default_rng(0)
    sharp = np.repeat(np.eye(7), 2, axis=0)
    blurred = 0.6 * np.repeat(np.eye(9), 3, axis=0) + 0.4 * chance.dirichlet(np.ones(9), size=27)
    skipping = np.eye(8)[[0, 0, 1, 4, 4, 4, 5]]
    return [("a sharp alignment", sharp, 4), ("a blurred one", blurred, 5), ("a skip", skipping, 2)]


def _why_not_frames(answer: np.ndarray, *, alignment: np.ndarray, n: int) -> str:
    looked_at = alignment.argmax(axis=1)
    steps = np.bincount(looked_at, minlength=alignment.shape[1])
    mistakes = [
        (steps, "those are steps; each of them makes n frames."),
        (n * alignment.sum(axis=0), "those are sums of weights; a step counts for one character, whole."),
        (alignment.sum(axis=0), "those are sums of weights; a step counts for one character, whole."),
        (n * (steps > 0), "a character that is looked at in several steps gets the frames of all of them."),
        (
            n * np.bincount(alignment.argmax(axis=0), minlength=len(steps))[: len(steps)],
            "the largest weight was looked for along the steps; look for it along the characters.",
        ),
    ]
    for wrong, hint in mistakes:
        if np.shape(wrong) == answer.shape and np.allclose(answer, wrong):
            return hint
    return f"{answer.sum():g} frames in all, expected {n * len(alignment)}; or they went to other characters."


# --- stopping


def _try_stopping_step(stopping_step: Any) -> list[str]:
    passed = []
    for what, levels, alignment, right in _endings():
        answer = int(
            as_numbers(
                call(stopping_step, levels.copy(), alignment.copy(), expected=object), name="stopping_step"
            )
        )
        if answer != right:
            hint = _why_not_stopped(answer, levels=levels, alignment=alignment)
            raise Wrong(f"{what}: it returned {answer}, expected {right}. {hint}")
        passed.append(f"{what}: {right}")
    return passed


def _endings() -> list[tuple[str, np.ndarray, np.ndarray, int]]:
    n_steps, n_characters = 20, 10
    diagonal = np.eye(n_characters)[np.arange(n_steps) // 2]
    speech = np.full(n_steps, -5.0)
    pause, ending, soft = speech.copy(), speech.copy(), speech.copy()
    pause[[0, 7, 8, 17, 18, 19]] = -11.0
    ending[16:] = -11.4
    soft[15:] = [-9.0, -9.9, -9.9, -11.0, -9.0]
    lost = np.eye(n_characters)[np.minimum(np.arange(n_steps) // 2, 4)]
    return [
        ("silence at the end", ending, diagonal, 16),
        ("silence at the beginning and a pause in the middle", pause, diagonal, 17),
        ("a soft ending", soft, diagonal, 18),
        ("it never falls silent", speech, diagonal, -1),
        ("it falls silent, but looks at the middle", ending, lost, -1),
    ]


def _why_not_stopped(answer: int, *, levels: np.ndarray, alignment: np.ndarray) -> str:
    silent = np.flatnonzero(levels < SILENT)
    at_end = np.flatnonzero(alignment.argmax(axis=1) >= alignment.shape[1] - 3)
    both = np.intersect1d(silent, at_end)
    if answer == 0 and not len(both):
        return "`argmax` of nothing but False is 0: ask first whether there is such a step."
    if len(both) and answer == both[-1]:
        return "That is the last such step; it stops at the first."
    if len(silent) and answer == silent[0]:
        return "It is silent there, but does it look at the end?"
    if len(at_end) and answer == at_end[0]:
        return "It looks at the end there, but is it silent?"
    if answer in (len(levels), len(levels) - 1):
        return "Return -1 where there is no such step."
    if len(both) and answer == both[0] + 1:
        return "Steps are counted from 0."
    return "Both have to hold at the same step: silent, and one of the last three characters looked at most."
