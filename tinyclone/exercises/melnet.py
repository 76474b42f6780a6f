"""Checkers for the paper MelNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, as_numbers, call, judge

N_TIERS = 5
LOG_TWO_PI = float(np.log(2 * np.pi))


def check_tier_of(tier_of: Callable[[int, int], int] | None) -> bool:
    """Check a function that says in which tier an element is drawn.

    Parameters
    ----------
    tier_of : callable
        ``tier_of(frame, band)`` returns the number of the tier, 1 to 5, that draws this element of a
        spectrogram in five tiers. Even tiers double the bands, odd ones the frames.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """
    return judge("tier_of", lambda: _try_tier_of(tier_of))


def check_between_frames_nats(nats: Callable[[np.ndarray, np.ndarray], float] | None) -> bool:
    """Check the likelihood of a model that draws straight lines between frames.

    Parameters
    ----------
    nats : callable
        ``nats(known, new)`` takes every odd frame that has a frame on both sides, and how far it lies from
        the mean of these two. It fits a Gaussian to these distances in the mel `known`, one mean and one
        standard deviation for each band, and returns the mean negative log-likelihood, in nats, of those
        in the mel `new`. Mels have the shape (F, M).

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """
    return judge("between_frames_nats", lambda: _try_nats(nats))


def check_finds_leak(finds_leak: Callable[[Callable, np.ndarray], bool] | None) -> bool:
    """Check a function that finds out whether a model sees what it should predict.

    Parameters
    ----------
    finds_leak : callable
        ``finds_leak(predict, x)`` returns whether ``predict``, which makes of a spectrogram (T, M) one
        prediction for each element, uses for any of them the element itself or a later one. Elements are
        drawn frame by frame, in each frame from band 0 upwards.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """
    return judge("finds_leak", lambda: _try_finds_leak(finds_leak))


# --- tiers


def _right_tier(frame: int, band: int) -> int:
    for tier in range(N_TIERS, 1, -1):
        place = band if tier % 2 == 0 else frame
        if place % 2:
            return tier
        frame, band = (frame, band // 2) if tier % 2 == 0 else (frame // 2, band)
    return 1


def _try_tier_of(tier_of: Any) -> list[str]:
    found = np.empty((8, 8), int)
    for frame, band in np.ndindex(found.shape):
        answer = as_numbers(call(tier_of, int(frame), int(band), expected=object), name="tier_of")
        found[frame, band] = answer if float(answer).is_integer() else -1
    right = np.array([[_right_tier(frame, band) for band in range(8)] for frame in range(8)])
    if np.array_equal(found, right):
        return [f"tier {tier}: {np.sum(right == tier)} of 64 elements" for tier in range(1, N_TIERS + 1)]
    frame, band = (int(one) for one in np.argwhere(found != right)[0])
    where = f"frame {frame}, band {band}: got {found[frame, band]}, expected {right[frame, band]}."
    raise Wrong(f"{where} {_which_tiers(found, right)}")


def _which_tiers(found: np.ndarray, right: np.ndarray) -> str:
    """Recognise a usual mistake by what it gives."""
    if np.array_equal(found, right.T):
        return "Frames and bands are exchanged: tier 5 doubles the frames."
    if np.array_equal(found, N_TIERS + 1 - right):
        return "Tier 1 is the coarsest one."
    if np.array_equal(found, right - 1):
        return "Tiers are counted from 1."
    if len(np.unique(found)) == 1:
        return "Every element got the same tier."
    if np.array_equal(found == N_TIERS, right == N_TIERS):
        return "Tier 5 is right. What is left has half as many frames: divide before you split again."
    return "Begin with tier 5, which has every second frame, beginning with frame 1."


# --- the baseline


def _try_nats(nats: Any) -> list[str]:
    passed = []
    for name, known, new in _made_up_mels():
        found = float(as_numbers(call(nats, known.copy(), new.copy(), expected=object), name="nats"))
        right = _nats_of(known, new)
        if not np.isclose(found, right, rtol=1e-3, atol=1e-3):
            hint = _which_nats(found, known, new)
            raise Wrong(f"for {name} it returned {found:.3f}; expected {right:.3f}. {hint}")
        passed.append(f"{name}: {right:.3f} nats")
    return passed


def _made_up_mels() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    chance = np.random.default_rng(0)
    for name, spread in (("a calm voice", 0.2), ("a lively voice", 1.5)):
        steps = chance.normal(0.05, spread, size=(240, 4)) * np.array([0.5, 1.0, 1.5, 3.0])
        walk = np.cumsum(steps, axis=0) - 6
        yield name, walk[:160], walk[160:] + 1


def _distances(mel: np.ndarray) -> np.ndarray:
    """Return how far odd frames lie from the mean of their neighbours."""
    even = mel[::2]
    return mel[1::2][: len(even) - 1] - (even[:-1] + even[1:]) / 2


def _nats_of(known: np.ndarray, new: np.ndarray) -> float:
    return _gaussian_nats(_distances(known), _distances(new))


def _gaussian_nats(seen: np.ndarray, heard: np.ndarray) -> float:
    """Fit a Gaussian to each column of some values, and return the mean surprise of others."""
    mean, std = seen.mean(axis=0), seen.std(axis=0)
    return float(np.mean(0.5 * ((heard - mean) / std) ** 2 + np.log(std) + 0.5 * LOG_TWO_PI))


def _which_nats(found: float, known: np.ndarray, new: np.ndarray) -> str:
    """Recognise a usual mistake by the number that it gives."""
    changes, heard = _distances(known), _distances(new)
    mean, std, right = changes.mean(axis=0), changes.std(axis=0), _nats_of(known, new)
    distance = np.mean(0.5 * ((heard - mean) / std) ** 2)
    one_std = changes.std()
    shared = np.mean(0.5 * ((heard - changes.mean()) / one_std) ** 2 + np.log(one_std) + 0.5 * LOG_TWO_PI)
    squared = np.mean(0.5 * ((heard - mean) / std**2) ** 2 + np.log(std**2) + 0.5 * LOG_TWO_PI)
    mistakes = [
        (-right, "That is the log-likelihood; a minus is missing."),
        (right / np.log(2), "Those are bits; expected nats, with the natural logarithm."),
        (right * heard.size, "That is the sum; expected the mean."),
        (distance, "That is only the distance: the logarithm of the width is missing."),
        (right - 0.5 * LOG_TWO_PI, "The constant with 2 pi is missing."),
        (_gaussian_nats(known, new), "Those are the values; expected their distances from the mean."),
        (_gaussian_nats(np.diff(known, axis=0), np.diff(new, axis=0)), "That is the frame before alone."),
        (
            _gaussian_nats(*(one[1:-1] - (one[:-2] + one[2:]) / 2 for one in (known, new))),
            "Those are all frames; expected the odd ones: 1, 3, 5 and so on.",
        ),
        (_nats_of(new, new), "The Gaussian was fitted to `new`, which it must not know."),
        (shared, "One Gaussian for all bands; expected one for each."),
        (squared, "The variance stands where the standard deviation belongs."),
    ]
    return next(
        (hint for value, hint in mistakes if np.isclose(found, value, rtol=1e-3, atol=1e-3)),
        "Which logarithm, of which Gaussian?",
    )


# --- leaks


def _try_finds_leak(finds_leak: Any) -> list[str]:
    x = np.random.default_rng(1).normal(size=(4, 5))
    passed = []
    for name, predict, leaks in _suspects():
        answer = call(finds_leak, predict, x.copy(), expected=object)
        verdict = as_array(answer, name="finds_leak")
        if verdict.size != 1 or verdict.reshape(()) not in (0, 1):
            raise Wrong(f"finds_leak returned {answer!r}; expected True or False.")
        if bool(verdict.reshape(())) != leaks:
            kind = "a leak was missed" if leaks else "an honest model was accused"
            raise Wrong(f"{kind}: {name}. {_WHY[name]}")
        passed.append(f"{name}: {'found' if leaks else 'acquitted'}")
    return passed


def _earlier_mean(x: np.ndarray) -> np.ndarray:
    """Mean of all elements that were drawn before each one; 0 for the first."""
    flat = x.reshape(-1)
    sums = np.concatenate([[0], np.cumsum(flat)[:-1]])
    return (sums / np.maximum(np.arange(flat.size), 1)).reshape(x.shape)


def _suspects() -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray], bool]]:
    def above_in_frame_before(x: np.ndarray) -> np.ndarray:
        return np.pad(x, ((1, 0), (0, 1)))[:-1, 1:] ** 2

    def last_element(x: np.ndarray) -> np.ndarray:
        leaking = _earlier_mean(x)
        leaking[-1, -1] += 0.01 * x[-1, -1]
        return leaking

    yield "it sees all earlier elements", _earlier_mean, False
    yield "it sees the band above in the frame before", above_in_frame_before, False
    yield "it sees the element itself", lambda x: _earlier_mean(x) + 1e-3 * x, True
    yield "it sees the next band", lambda x: np.roll(x, -1, axis=1) ** 2, True
    yield "it sees the next frame", lambda x: np.tanh(np.roll(x, -1, axis=0)), True
    yield "it sees the mean of the spectrogram", lambda x: _earlier_mean(x) + x.mean(), True
    yield "only the last element sees itself", last_element, True
    yield "it only ever says 0", np.zeros_like, False


_WHY = {
    "it sees all earlier elements": "Compare only what must not change: elements up to the changed one.",
    "it sees the band above in the frame before": "A higher band of an earlier frame is an earlier element.",
    "it sees the element itself": "What is said of an element must not change with that element.",
    "it sees the next band": "Change one element after the other, not a whole frame.",
    "it sees the next frame": "Look at all elements before the changed one, also those of other frames.",
    "it sees the mean of the spectrogram": "The mean holds what comes later, too.",
    "only the last element sees itself": "Try every element, also the last one; small changes count.",
    "it only ever says 0": "What never changes uses nothing.",
}
