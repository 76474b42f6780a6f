"""Checkers for lesson 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinyclone.alignment import best_path
from tinyclone.config import AudioConfig
from tinyclone.exercises.judging import Wrong, as_array, call, judge


def check_durations_of(durations_of: Callable[[np.ndarray, int], np.ndarray] | None) -> bool:
    """Check a function that turns a path into durations.

    Parameters
    ----------
    durations_of : callable
        ``durations_of(path, n_tokens)`` returns how many frames of `path`, shape (F,), lie in each of the
        tokens 0 to ``n_tokens - 1``, shape (n_tokens,): 0 where the path passes a token by.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    return judge("durations_of", lambda: _try_durations_of(durations_of))


def check_fill_table(fill_table: Callable[[np.ndarray, np.ndarray], np.ndarray] | None) -> bool:
    """Check a function that fills the table of the best totals where some states may be passed by.

    Parameters
    ----------
    fill_table : callable
        ``fill_table(scores, optional)`` returns, for each frame and state, the highest total of a path
        that ends there, shape (F, S), and -inf where no path can be. `scores` has shape (F, S); the path
        may pass by a state where `optional`, shape (S,), is True. No two neighbours are optional.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    return judge("fill_table", lambda: _try_fill_table(fill_table))


def check_find_wrong_text(find_wrong_text: Callable[[dict[str, np.ndarray]], str] | None) -> bool:
    """Check a function that finds the clip whose text is not what is said.

    Parameters
    ----------
    find_wrong_text : callable
        ``find_wrong_text(clips)`` returns the name of the clip whose best path has the lowest score per
        frame. `clips` is a dictionary from name to scores, shape (F, S): frames, tokens of the text.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    return judge("find_wrong_text", lambda: _try_find_wrong_text(find_wrong_text))


# --- a path into durations


def _try_durations_of(durations_of: Any) -> list[str]:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 9, size=40)
    trials = [
        ("every token is visited", [0, 0, 1, 2, 2, 2], 3),
        ("a token is passed by", [0, 0, 2, 2, 2, 3], 4),
        ("the last two tokens are passed by", [0, 0, 0, 1], 4),
        ("forty tokens", np.repeat(np.arange(40), lengths), 40),
    ]
    passed = []
    for what, path, n_tokens in trials:
        path = np.asarray(path, np.int64)
        right = np.array([(path == token).sum() for token in range(n_tokens)])
        answer = as_array(call(durations_of, path.copy(), n_tokens, expected=object), name="durations_of")
        if answer.shape != right.shape or not np.array_equal(answer, right):
            raise Wrong(f"{what}: {_why_not_durations(answer, path=path, right=right)}")
        passed.append(f"{what}: the sum is {int(answer.sum())}, the number of frames")
    return passed


def _why_not_durations(answer: np.ndarray, *, path: np.ndarray, right: np.ndarray) -> str:
    """Compare with what usual mistakes give."""
    n_tokens, visited = len(right), right[right > 0]
    if answer.ndim == 1 and len(answer) < n_tokens and np.array_equal(answer, right[: len(answer)]):
        return f"{len(answer)} of {n_tokens} durations are there. A token at the end may be passed by, too."
    if answer.shape == visited.shape and np.array_equal(answer, visited):
        return (
            f"{n_tokens} tokens need {n_tokens} durations, but there are {len(answer)}. A token that is "
            "passed by keeps its place, with 0 frames."
        )
    if answer.shape == path.shape and len(path) != n_tokens:
        return "there is one number for each frame. Expected one for each token: how often it is in the path."
    if answer.shape != right.shape:
        return f"the shape is {answer.shape}; expected ({n_tokens},), one number of frames for each token."
    if np.array_equal(answer, np.cumsum(right)) or np.array_equal(answer, np.cumsum(right) - right):
        return "these are the places of the borders. A duration is the distance of two borders."
    hop_ms = 1000 / AudioConfig().frames_per_sec
    if np.allclose(answer, right * hop_ms) or np.allclose(answer, right * hop_ms / 1000):
        return "these are times. Expected the number of frames, which is what a model can repeat."
    if answer.sum() != len(path):
        return f"the durations add up to {answer.sum():g}, but the path has {len(path)} frames."
    token = int(np.flatnonzero(answer != right)[0])
    return f"token {token} got {answer[token]:g} frames. How often does {token} occur in the path?"


# --- the table of best totals


def _try_fill_table(fill_table: Any) -> list[str]:
    random = np.random.default_rng(3)
    trials = [
        ("no state is optional", 6, [False] * 4),
        ("state 2 is optional", 7, [False, False, True, False, False]),
        ("states 0 and 2 are optional", 9, [True, False, True, False, False]),
        ("more states than frames", 3, [False, False, True, False, False]),
    ]
    passed = []
    for what, n_frames, optional in trials:
        optional = np.array(optional)
        scores = random.normal(-3, 2, size=(n_frames, len(optional))).round(1)
        answer = call(fill_table, scores.copy(), optional.copy(), expected=object)
        answer = as_array(answer, name="fill_table")
        right = _table(scores, optional)
        if answer.shape != right.shape or not _same(answer, right):
            raise Wrong(f"{what}: {_why_not_table(answer, scores=scores, optional=optional)}")
        passed.append(f"{what}: all {right.size} cells")
    return passed


def _same(answer: np.ndarray, other: np.ndarray) -> bool:
    return np.allclose(answer, other, rtol=1e-4, atol=1e-4)


def _table(
    scores: np.ndarray,
    optional: np.ndarray,
    *,
    asked: int = -1,
    together: Callable[[list[float]], float] = max,
    same_frame: bool = False,
    adds_score: bool = True,
) -> np.ndarray:
    """Fill the table; the keywords make a usual mistake each.

    `asked` is where, seen from a state, it is looked up whether a state may be passed by.
    """
    n_frames, n_states = scores.shape
    best = np.full((n_frames, n_states), -np.inf)
    best[0, 0] = scores[0, 0]
    if optional[0] and n_states > 1:
        best[0, 1] = scores[0, 1]
    for frame in range(1, n_frames):
        for state in range(n_states):
            sources = [best[frame - 1, state]]
            if state > 0:
                sources.append(best[frame if same_frame else frame - 1, state - 1])
            if state > 1 and optional[state + asked]:
                sources.append(best[frame - 1, state - 2])
            best[frame, state] = together(sources) + adds_score * scores[frame, state]
    return best


def _why_not_table(answer: np.ndarray, *, scores: np.ndarray, optional: np.ndarray) -> str:
    """Compare with what usual mistakes give."""
    right = _table(scores, optional)
    n_frames, n_states = right.shape
    if answer.shape == right.T.shape and n_frames != n_states:
        return f"the shape is {answer.shape}; frames come first: expected {right.shape}."
    if answer.shape != right.shape:
        return f"the shape is {answer.shape}; expected {right.shape}, as `scores` has it."
    if np.isnan(answer).any():
        return "there are NaN in the table. Start it with np.full(scores.shape, -np.inf)."
    none, every = np.zeros_like(optional), np.append(optional[0], np.ones(n_states - 1, bool))
    mistakes = {
        "the path never passes by a state. An optional one lets it come from two before": {"optional": none},
        "the path passes by any state. It may do so only where `optional` is True": {"optional": every},
        "you ask whether the state itself is optional. The one passed by is the one before": {"asked": 0},
        "you ask whether the state two before is optional. The one passed by lies between": {"asked": -2},
        "a path came from the same frame. It can only come from the frame before": {"same_frame": True},
        "ways into a cell were added up. Only the best of them counts": {"together": np.logaddexp.reduce},
        "the worst way into a cell was taken. The best has the highest total": {"together": min},
        "the score of the cell is missing: add it to the best total before": {"adds_score": False},
    }
    for hint, changes in mistakes.items():
        wrong = _table(scores, **{"optional": optional, **changes})
        if not _same(wrong, right) and _same(answer, wrong):
            return f"{hint}."
    if not _same(answer[0], right[0]):
        return _why_not_first_frame(answer[0], right[0], optional=optional)
    reachable = np.isfinite(right)
    if np.isfinite(answer[~reachable]).any():
        frame, state = np.argwhere(~reachable & np.isfinite(answer))[0]
        return f"no path can be in state {state} as early as frame {frame}: the table needs -inf there."
    frame, state = np.argwhere(~np.isclose(answer, right, rtol=1e-4, atol=1e-4))[0]
    return (
        f"the first wrong cell is frame {frame}, state {state}: you have {answer[frame, state]:.1f}. From "
        "which cells of the frame before can a path come there?"
    )


def _why_not_first_frame(answer: np.ndarray, right: np.ndarray, *, optional: np.ndarray) -> str:
    if optional[0] and not np.isfinite(answer[1]):
        return "in the first frame the path may be in state 1, for state 0 is optional and can be passed by."
    if np.isfinite(answer[~np.isfinite(right)]).any():
        state = int(np.flatnonzero(np.isfinite(answer) & ~np.isfinite(right))[0])
        return f"no path can be in state {state} in the first frame: the table needs -inf there."
    return "the first frame is wrong. Nothing lies before it, so a cell there holds its own score."


# --- the clip whose text is wrong


def _try_find_wrong_text(find_wrong_text: Any) -> list[str]:
    random = np.random.default_rng(5)
    right = {name: _grid(random, n_tokens=n) for name, n in (("ada", 7), ("ben", 8), ("cleo", 7))}
    # High scores all over the grid, but no token that stands out.
    vague = _grid(random, n_tokens=7, base=-6.0, clear=0.0)
    mixed_up = _grid(random, n_tokens=9, clear=8.0)[:, random.permutation(9)]
    trials = [
        ("a text of other words", {**right, "dev": vague}, "dev"),
        (
            "beside a clip ten times as long",
            {"long": _grid(random, n_tokens=80), **right, "dev": vague},
            "dev",
        ),
        ("the right words in another order", {**right, "eve": mixed_up}, "eve"),
    ]
    return [_try_one_corpus(find_wrong_text, *trial) for trial in trials]


def _grid(
    random: np.random.Generator, *, n_tokens: int, base: float = -8.0, clear: float = 6.0
) -> np.ndarray:
    """Make the scores of a clip: `clear` is how much the right token of a frame stands out."""
    truth = np.repeat(np.arange(n_tokens), random.integers(2, 6, size=n_tokens))
    scores = random.normal(base, 1, size=(len(truth), n_tokens))
    scores[np.arange(len(truth)), truth] += clear
    return scores.astype(np.float32)


def _path_scores(scores: np.ndarray) -> np.ndarray:
    """Return the score of each frame on the best path. (F, S) -> (F,)"""
    n_frames, n_states = scores.shape
    path = best_path(scores, np.zeros(n_states, bool), np.ones(n_states, bool))
    return scores[np.arange(n_frames), path]


def _try_one_corpus(find_wrong_text: Any, what: str, clips: Mapping[str, np.ndarray], right: str) -> str:
    copies = {name: scores.copy() for name, scores in clips.items()}
    answer = call(find_wrong_text, copies, expected=str)
    if answer not in clips:
        raise Wrong(f"it returned {answer!r}; expected one of the names: {', '.join(clips)}.")
    if answer == right:
        return what
    marks = {name: _path_scores(scores) for name, scores in clips.items()}
    if answer == max(marks, key=lambda name: marks[name].mean()):
        hint = "which has the best score of all. A wrong text gives a low one"
    elif answer == min(marks, key=lambda name: marks[name].sum()):
        hint = "which has the lowest sum because it has the most frames. Divide by their number"
    elif answer == min(clips, key=lambda name: clips[name].max(axis=1).mean()):
        hint = "which is right if every frame may choose its own token. Only frames on a path keep the order"
    elif answer == min(clips, key=lambda name: clips[name].mean()):
        hint = "which has the lowest mean over its whole grid. Only the cells on the path count"
    else:
        hint = "but another one's best path has a lower mean score"
    raise Wrong(f"{what}: it chose {answer!r}, {hint}.")
