"""Checkers for lesson 5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, call, judge
from tinyclone.exercises.training_batches import try_make_batches
from tinyclone.exercises.training_logs import try_best_step


def check_learning_rate(learning_rate: Callable[[int, float, int, int], float] | None) -> bool:
    """Check a schedule that warms up along a line and then falls along half a cosine.

    Parameters
    ----------
    learning_rate : callable
        ``learning_rate(step, peak, warmup_steps, n_steps)`` returns a hundredth of `peak` at step 0,
        `peak` at `warmup_steps`, and a hundredth of it from `n_steps` on: straight up and, along half a
        cosine, down.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    return judge("learning_rate", lambda: _try_learning_rate(learning_rate))


def check_make_batches(make_batches: Callable[[np.ndarray, int], list[list[int]]] | None) -> bool:
    """Check a function that puts clips of about the same length into a batch.

    Parameters
    ----------
    make_batches : callable
        ``make_batches(lengths, most_frames)`` returns lists of clip numbers, each clip in one of them. A
        batch holds at most `most_frames`, padding included: its clips times its longest one. At most 8 %
        of all frames are padding.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    return judge("make_batches", lambda: try_make_batches(make_batches))


def check_best_step(best_step: Callable[[list[dict[str, str]], int], int] | None) -> bool:
    """Check a function that reads from a log after how many steps the held-out error was lowest.

    Parameters
    ----------
    best_step : callable
        ``best_step(rows, steps_per_epoch)`` returns the steps taken when ``val_mel_mae`` was lowest.
        `rows` is what `csv.DictReader` makes of a ``log.csv``: one dictionary of texts for each epoch,
        which count from 0; a cell is empty where nothing was measured.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    return judge("best_step", lambda: try_best_step(best_step))


def _try_learning_rate(learning_rate: Any) -> list[str]:
    trials = [
        ("the preset laptop", 1e-3, 200, 3000),
        ("a fine-tuning", 3e-4, 50, 1200),
        ("a short run", 2e-3, 10, 40),
    ]
    passed = []
    for what, peak, warmup_steps, n_steps in trials:
        plan = (peak, warmup_steps, n_steps)
        middle = (warmup_steps + n_steps) // 2
        steps = [0, warmup_steps // 2, warmup_steps, middle, n_steps - 1, n_steps, 2 * n_steps]
        for step in steps:
            answer = _one_rate(learning_rate, step, plan)
            if not np.isclose(answer, _rate(step, *plan), rtol=1e-3, atol=peak * 1e-5):
                raise Wrong(f"{what}: {_why_not_rate(learning_rate, steps, plan, at=step)}")
        passed.append(f"{what}: {peak / 100:g} up to {peak:g} at step {warmup_steps}, down at {n_steps}")
    return passed


def _one_rate(learning_rate: Any, step: int, plan: tuple[float, int, int]) -> float:
    answer = as_array(call(learning_rate, step, *plan, expected=object), name="learning_rate")
    if answer.size != 1:
        raise Wrong(f"learning_rate returned {answer.size} numbers; expected one, for the one step.")
    return float(answer.ravel()[0])


def _rate(
    step: int,
    peak: float,
    warmup_steps: int,
    n_steps: int,
    *,
    warms_up: bool = True,
    first_share: float = 0.01,
    last_share: float = 0.01,
    starts_at_0: bool = False,
    half_waves: float = 1.0,
    straight: bool = False,
    until: float = 1.0,
) -> float:
    """Return the learning rate; the keywords make a usual mistake each."""
    if step < warmup_steps and warms_up:
        return peak * (first_share + (1 - first_share) * step / warmup_steps)
    before = 0 if starts_at_0 else warmup_steps
    done = min(until, max(0, step - before) / (n_steps - before))
    left = 1 - done if straight else 0.5 * (1 + np.cos(np.pi * half_waves * done))
    return peak * (last_share + (1 - last_share) * left)


def _why_not_rate(learning_rate: Any, steps: Sequence[int], plan: tuple[float, int, int], *, at: int) -> str:
    """Compare with what usual mistakes give."""
    peak, _, n_steps = plan
    answers = np.array([_one_rate(learning_rate, step, plan) for step in steps])
    if np.isnan(answers).any():
        return "there are NaN among the answers."
    if np.allclose(answers, answers[0]):
        return f"it is {answers[0]:g} at every step. It has to rise and then to fall."
    mistakes = {
        "it stays at the peak until `warmup_steps`. It has to rise to there": {"warms_up": False},
        "there is no warm-up: from step 0 on it falls. Before `warmup_steps` it has to rise": {
            "warms_up": False,
            "starts_at_0": True,
        },
        "it begins at 0. The first step is to be taken with a hundredth of the peak": {"first_share": 0.0},
        "it falls to 0. The lowest it gets is a hundredth of the peak": {"last_share": 0.0},
        "it begins at 0 and ends at 0. Both are to be a hundredth of the peak": {
            "first_share": 0.0,
            "last_share": 0.0,
        },
        "it jumps at the end of the warm-up. Count the cosine's steps from there, not from 0": {
            "starts_at_0": True
        },
        "it falls and rises again. Half a wave is enough: the cosine from 0 to pi": {"half_waves": 2.0},
        "it falls along a quarter of a wave. The cosine goes on to pi, where it is -1": {"half_waves": 0.5},
        "it falls too little: np.cos wants radians, where half a wave is pi": {"half_waves": 1 / np.pi},
        "it falls along a straight line; half a cosine was asked for": {"straight": True},
        "it rises again after `n_steps`. The share that is done is never more than 1": {"until": np.inf},
    }
    for hint, changes in mistakes.items():
        wrong = np.array([_rate(step, *plan, **changes) for step in steps])
        if np.allclose(answers, wrong, rtol=1e-3, atol=peak * 1e-5):
            return f"{hint}."
    if at > n_steps:
        return f"step {at} is after the end, {n_steps}: there it stays at a hundredth of the peak."
    where = "rising" if at < plan[1] else "at the peak" if at == plan[1] else "falling"
    return f"at step {at}, where it is {where}, you have {answers[list(steps).index(at)]:.3g}."
