"""The checkers of the lesson on Tacotron 2 know a right answer, and say of a wrong one what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused

from tinyclone.exercises import check_look_in_window, check_name_failure, check_stop_loss

nonsense = pytest.mark.parametrize("wrong, hint", NONSENSE)


def stop_loss(chance, weight):
    right = np.append(1 - chance[:-1], chance[-1])
    return -np.mean(np.append(np.ones(len(chance) - 1), weight) * np.log(right))


def look_in_window(energies, place, window):
    far = np.arange(len(energies)) - place
    hidden = np.where((far < -1) | (far > window), -np.inf, energies)
    weights = np.exp(hidden - hidden.max())
    return weights / weights.sum()


def name_failure(alignment, stopped):
    place = alignment.argmax(axis=1)
    if not stopped:
        return "never stops"
    if (np.maximum.accumulate(place) - place).max() > 3:
        return "repeats"
    return "skips" if np.diff(place).max() > 4 else "fine"


@pytest.mark.parametrize(
    "check, right, trials",
    [
        (check_stop_loss, stop_loss, 5),
        (check_look_in_window, look_in_window, 5),
        (check_name_failure, name_failure, 8),
    ],
)
def test_a_right_answer(capsys, check, right, trials):
    assert check(right) is True
    printed = capsys.readouterr().out
    assert printed.count("OK") == trials and f"Solved: {right.__name__}." in printed


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda chance, weight: -stop_loss(chance, weight), "sign"),
        (lambda chance, weight: stop_loss(chance, 1.0), "counts `weight` times"),
        (lambda chance, weight: stop_loss(chance, weight) * len(chance), "the sum; expected the mean"),
        (
            lambda chance, weight: stop_loss(chance, weight) * len(chance) / (len(chance) - 1 + weight),
            "not by the sum of the weights",
        ),
        (lambda chance, weight: stop_loss(1 - chance, weight), "turned around"),
        (lambda chance, weight: -weight * np.log(chance[-1]) / len(chance), "steps before the last"),
        (lambda chance, weight: stop_loss(chance, weight) / np.log(2), "in bits"),
        (lambda chance, weight: 3.3, "at each step"),
        (lambda chance, weight: chance, "expected one number"),
    ],
)
def test_a_wrong_stop_loss(capsys, wrong, hint):
    refused(check_stop_loss, wrong, hint, capsys)


def cut_after(energies, place, window):
    everywhere = np.exp(energies - energies.max())
    return np.where(look_in_window(energies, place, window) > 0, everywhere / everywhere.sum(), 0)


def zeros_for_hidden(energies, place, window):
    weights = np.exp(np.where(look_in_window(energies, place, window) > 0, energies, 0))
    return weights / weights.sum()


def not_finite(energies, place, window):
    with np.errstate(all="ignore"):
        inside = look_in_window(energies, place, window) > 0
        weights = np.where(inside, np.exp(energies), 0)
        return weights / weights.sum()


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda energies, place, window: look_in_window(energies, place, 99 + place), "looks at characters"),
        (lambda energies, place, window: look_in_window(energies, 5, 99), "looks at characters 4 to 19"),
        (lambda energies, place, window: look_in_window(energies, place, window - 1), "expected 8 to 12"),
        (lambda energies, place, window: np.exp(energies) / np.exp(energies).sum(), "over all characters"),
        (cut_after, "Hide characters before the softmax"),
        (zeros_for_hidden, "exp(0) is 1"),
        (not_finite, "NaN or infinite"),
        (lambda energies, place, window: energies[:3], "expected (20,)"),
        (lambda energies, place, window: 2 * look_in_window(energies, place, window), "sum to 2.000"),
    ],
)
def test_a_wrong_window(capsys, wrong, hint):
    refused(check_look_in_window, wrong, hint, capsys)


def only_neighbours(alignment, stopped):
    place = alignment.argmax(axis=1)
    if not stopped:
        return "never stops"
    return "repeats" if np.diff(place).min() < -3 else "skips" if np.diff(place).max() > 4 else "fine"


def skips_first(alignment, stopped):
    answer = name_failure(alignment, stopped)
    return "skips" if stopped and np.diff(alignment.argmax(axis=1)).max() > 4 else answer


@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda alignment, stopped: "fine", "np.diff"),
        (lambda alignment, stopped: "skips", "up to 3 back, up to 4 on"),
        (lambda alignment, stopped: "broken", "expected one of fine, skips, repeats, never stops"),
        (lambda alignment, stopped: name_failure(alignment, True), "`stopped` first"),
        (only_neighbours, "np.maximum.accumulate"),
        (skips_first, "repeats before skips"),
        (lambda alignment, stopped: 3, "of type int; expected str"),
    ],
)
def test_a_wrong_name(capsys, wrong, hint):
    refused(check_name_failure, wrong, hint, capsys)


@nonsense
@pytest.mark.parametrize("check", [check_stop_loss, check_look_in_window, check_name_failure])
def test_nonsense_is_refused(capsys, check, wrong, hint):
    refused(check, wrong, hint, capsys)
