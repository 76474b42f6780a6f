"""The checkers of the lesson on Tacotron know a right answer, and say of a wrong one what is amiss."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused

from tinyclone.exercises import check_frames_of_characters, check_stopping_step, check_told_frames


def told_frames(mel, n):
    return np.concatenate([np.zeros((1, 80)), mel[n - 1 :: n]])[:-1]


def frames_of_characters(alignment, n):
    return n * np.bincount(alignment.argmax(axis=1), minlength=alignment.shape[1])


def stopping_step(levels, alignment):
    ends = (levels < -10) & (alignment.argmax(axis=1) >= alignment.shape[1] - 3)
    return int(np.argmax(ends)) if ends.any() else -1


def one_by_one(levels, alignment):
    for step, (level, looks) in enumerate(zip(levels, alignment)):
        if level < -10 and np.argmax(looks) >= len(looks) - 3:
            return step
    return -1


@pytest.mark.parametrize(
    "check, right, name",
    [
        (check_told_frames, told_frames, "told_frames"),
        (check_told_frames, lambda mel, n: told_frames(mel, n).tolist(), "told_frames"),
        (check_frames_of_characters, frames_of_characters, "frames_of_characters"),
        (check_frames_of_characters, lambda a, n: list(frames_of_characters(a, n)), "frames_of_characters"),
        (check_stopping_step, stopping_step, "stopping_step"),
        (check_stopping_step, one_by_one, "stopping_step"),
    ],
)
def test_a_right_answer(capsys, check, right, name):
    assert check(right) is True
    printed = capsys.readouterr().out
    assert printed.count("OK") >= 3 and f"Solved: {name}." in printed


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda mel, n: mel[n - 1 :: n], "its own last frame"),
        (lambda mel, n: mel[::n], "its own first frame"),
        (lambda mel, n: np.concatenate([np.zeros((1, 80)), mel[::n][:-1]]), "fresher"),
        (lambda mel, n: np.concatenate([mel[:1], mel[n - 1 : -1 : n]])[: len(mel) // n], "give it zeros"),
        (lambda mel, n: np.concatenate([np.zeros((1, 80)), mel])[: len(mel) // n], "go on in steps of n"),
        (lambda mel, n: mel, "one row a step"),
        (lambda mel, n: told_frames(mel, n).T, "one row a step"),
        (lambda mel, n: told_frames(mel, n) + 1, "row 0"),
    ],
)
def test_other_frames_get_their_hint(capsys, wrong, hint):
    refused(check_told_frames, wrong, hint, capsys)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda a, n: np.bincount(a.argmax(axis=1), minlength=a.shape[1]), "those are steps"),
        (lambda a, n: np.bincount(a.argmax(axis=1)) * n, "8 numbers"),
        (lambda a, n: a.sum(axis=0), "those are steps"),
        (lambda a, n: 1.0 * n * a.sum(axis=0), "sums of weights"),
        (lambda a, n: n * (a.max(axis=0) > 0.5), "in several steps"),
        (lambda a, n: frames_of_characters(a, n)[::-1] + 1, "frames in all"),
    ],
)
def test_other_durations_get_their_hint(capsys, wrong, hint):
    refused(check_frames_of_characters, wrong, hint, capsys)


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda levels, a: int(np.argmax(levels < -10)), "does it look at the end"),
        (lambda levels, a: int(np.argmax(a.argmax(axis=1) >= a.shape[1] - 3)), "is it silent"),
        (
            lambda levels, a: int(np.argmax((levels < -10) & (a.argmax(axis=1) >= a.shape[1] - 3))),
            "`argmax` of nothing but False is 0",
        ),
        (lambda levels, a: stopping_step(levels, a) % len(levels), "Return -1"),
        (lambda levels, a: stopping_step(levels, a) + 1, "counted from 0"),
        (lambda levels, a: 19 if stopping_step(levels, a) >= 0 else -1, "the last such step"),
        (lambda levels, a: stopping_step(levels + 1.2, a), "Both have to hold"),
    ],
)
def test_other_stops_get_their_hint(capsys, wrong, hint):
    refused(check_stopping_step, wrong, hint, capsys)


@pytest.mark.parametrize("check", [check_told_frames, check_frames_of_characters, check_stopping_step])
@pytest.mark.parametrize("wrong, hint", NONSENSE)
def test_nonsense(capsys, check, wrong, hint):
    refused(check, wrong, hint, capsys)
