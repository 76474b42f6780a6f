"""The trials of lesson 5 for batches: each clip once, room for all, little padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, as_array, call, kind_of

MOST_PADDING = 0.08
# As many times the batches that would hold all frames without padding: more are a waste of steps.
MOST_BATCHES = 1.3


def try_make_batches(make_batches: Any) -> list[str]:
    """Try a function that makes batches; return what passed, or raise `Wrong` with a hint."""
    random = np.random.default_rng(1)
    trials = [
        ("sentences", random.normal(214, 45, 300).clip(90, 400), 3072),
        (
            "short ones and a few of a minute",
            np.append(random.normal(180, 40, 280).clip(80, 330), random.uniform(900, 3700, 20)),
            4096,
        ),
        ("a long one that fills a batch alone", np.append(random.uniform(100, 200, 60), 1024), 1024),
        ("one clip", np.array([150.0]), 1000),
    ]
    passed = []
    for what, lengths, most_frames in trials:
        lengths = lengths.astype(int)
        answer = call(make_batches, lengths.copy(), most_frames, expected=object)
        batches = _read_batches(answer, n_clips=len(lengths))
        padding = _judge_batches(what, batches, lengths, most_frames=most_frames)
        passed.append(f"{what}: {len(lengths)} clips in {len(batches)} batches, {padding:.1%} padding")
    return passed


def _read_batches(answer: Any, *, n_clips: int) -> list[np.ndarray]:
    """Return each batch as an array of clip numbers, or say what the answer is instead."""
    if isinstance(answer, (str, Mapping)):
        raise Wrong(f"make_batches returned {kind_of(answer)}; expected a list of lists of clip numbers.")
    try:
        batches = [as_array(batch, name="make_batches") for batch in answer]
    except TypeError as error:
        raise Wrong(
            f"make_batches returned {kind_of(answer)}; expected a list of lists of clip numbers."
        ) from error
    if any(batch.ndim != 1 for batch in batches):
        raise Wrong(
            "make_batches returned one list of numbers; expected a list of lists, one for each batch."
        )
    batches = [batch for batch in batches if len(batch)]
    numbers = np.concatenate([*batches, np.zeros(0)])
    if not np.isfinite(numbers).all() or (numbers != numbers.astype(int)).any():
        raise Wrong("a batch holds numbers that are not whole. Put the clips' places in `lengths` there.")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n_clips):
        number = numbers.max() if numbers.max() >= n_clips else numbers.min()
        raise Wrong(
            f"a batch holds the number {number:g}, but the clips are 0 to {n_clips - 1}. Put their places "
            "there, not their lengths."
        )
    return [batch.astype(int) for batch in batches]


def _judge_batches(
    what: str, batches: Sequence[np.ndarray], lengths: np.ndarray, *, most_frames: int
) -> float:
    """Return the share of padding, or say what is wrong with the batches."""
    times = np.bincount(np.concatenate([*batches, np.zeros(0, int)]), minlength=len(lengths))
    if (times == 0).any():
        lost = np.flatnonzero(times == 0)
        hint = " Is the last batch, which is not full, put in as well?" if len(lost) < len(lengths) else ""
        raise Wrong(f"{what}: {len(lost)} clips are in no batch, such as clip {lost[0]}.{hint}")
    if (times > 1).any():
        raise Wrong(f"{what}: clip {np.flatnonzero(times > 1)[0]} is in more than one batch.")
    padded = np.array([len(batch) * lengths[batch].max() for batch in batches])
    if padded.max() > most_frames:
        batch = batches[int(padded.argmax())]
        counted = lengths[batch].sum()
        hint = (
            f" Its clips alone have {counted}, but each takes the room of the longest."
            if counted <= most_frames
            else ""
        )
        raise Wrong(
            f"{what}: a batch of {len(batch)} clips, the longest of {lengths[batch].max()} frames, takes "
            f"{padded.max()}; at most {most_frames} were allowed.{hint}"
        )
    padding = float(1 - lengths.sum() / padded.sum())
    fewest = -(-int(lengths.sum()) // most_frames)
    if len(batches) > 2 + MOST_BATCHES * fewest and padding <= MOST_PADDING:
        raise Wrong(
            f"{what}: {len(batches)} batches, "
            f"where {fewest} would hold all frames. Fill each as far as it goes."
        )
    if padding > MOST_PADDING:
        in_order = all((np.diff(lengths[batch]) >= 0).all() for batch in batches)
        hint = (
            "Each batch is sorted, but is it made of neighbours in length?"
            if in_order and len(batches) > 1
            else "Which clips should share a batch?"
        )
        raise Wrong(
            f"{what}: {padding:.0%} of the frames are padding, {MOST_PADDING:.0%} are allowed. {hint}"
        )
    return padding
