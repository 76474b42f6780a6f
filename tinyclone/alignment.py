"""Who says what when: the frames of each token, learned from the recordings and their texts alone.

The method is Viterbi training. Start from a rough guess (the speech frames shared out evenly), learn
what each phone sounds like under the guess, find the best path under what was learned, and go on
until few frames change. First a Gaussian for each phone, then a small convolutional network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from tinyclone.durations import Alignment, CorpusAlignment
from tinyclone.features import Features
from tinyclone.phone_models import (
    LETTER_CLASSES,
    ConvolutionScorer,
    GaussianScorer,
    cepstra,
    level,
    phone_class,
)
from tinyclone.text import Word, word_symbols

CLIPS_AT_ONCE = 128


@numba.njit(cache=True)
def best_path(scores: np.ndarray, optional: np.ndarray, repeatable: np.ndarray) -> np.ndarray:
    """Find the best monotonic path through a chain of states by the Viterbi algorithm.

    Parameters
    ----------
    scores : np.ndarray [shape=(F, S), float32]
        Log probability of each frame under each state.
    optional : np.ndarray [shape=(S,), bool]
        States that the path may pass by.
    repeatable : np.ndarray [shape=(S,), bool]
        States in which the path may stay for more than one frame.

    Returns
    -------
    np.ndarray [shape=(F,), int64]
        The state of each frame; all -1 where the frames are too few for the states.

    Notes
    -----
    Rabiner, "A tutorial on hidden Markov models", 1989, equations 33-35.

    Lesson: lessons/03_alignment.ipynb
    """
    n_frames, n_states = scores.shape
    best = np.full(n_states, -np.inf)
    origin = np.full((n_frames, n_states), -1, dtype=np.int32)
    for state in range(n_states):
        best[state] = scores[0, state]
        if not optional[state]:
            break
    for frame in range(1, n_frames):
        previous = best.copy()
        for state in range(n_states):
            top, source = -np.inf, -1
            if repeatable[state]:
                top, source = previous[state], state
            before = state - 1
            while before >= 0:
                if previous[before] > top:
                    top, source = previous[before], before
                if not optional[before]:
                    break
                before -= 1
            best[state] = top + scores[frame, state]
            origin[frame, state] = source
    last = n_states - 1
    state = last
    while optional[last] and last > 0:
        last -= 1
        if best[last] > best[state]:
            state = last
    path = np.full(n_frames, -1, dtype=np.int64)
    if best[state] == -np.inf:
        return path
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = state
        state = origin[frame, state]
    return path


@dataclass(frozen=True)
class _States:
    """The chain of states of one clip: which phone class and which token each stands for."""

    classes: np.ndarray
    tokens: np.ndarray
    optional: np.ndarray
    repeatable: np.ndarray
    n_tokens: int


def _states(words: Sequence[Word]) -> _States:
    """Lay out the states of a text: two for a phone (two frames at least), one for letters and pauses."""
    symbols = word_symbols(words)
    classes, tokens, optional, repeatable = [], [], [], []
    for token, symbol in enumerate(symbols):
        pause = phone_class(symbol) == 0
        letter = symbol in LETTER_CLASSES
        for part in range(1 if pause or letter else 2):
            classes.append(phone_class(symbol))
            tokens.append(token)
            optional.append(pause)
            repeatable.append(pause or letter or part == 1)
    return _States(
        np.array(classes), np.array(tokens), np.array(optional), np.array(repeatable), len(symbols)
    )


def align_clip(frame_scores: np.ndarray, words: Sequence[Word]) -> Alignment | None:
    """Give each frame of a clip to a token.

    Parameters
    ----------
    frame_scores : np.ndarray [shape=(F, 40), float32]
        Log probability of each frame under each of `PHONE_CLASSES`.
    words : sequence of Word
        The text.

    Returns
    -------
    Alignment or None
        None where the clip has fewer frames than its text needs.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    states = _states(words)
    path = best_path(
        np.ascontiguousarray(frame_scores[:, states.classes], np.float32), states.optional, states.repeatable
    )
    if path[0] < 0:
        return None
    durations = np.bincount(states.tokens[path], minlength=states.n_tokens).astype(np.int32)
    return Alignment(durations, float(frame_scores[np.arange(len(path)), states.classes[path]].mean()))


def flat_start(mel: np.ndarray, words: Sequence[Word]) -> np.ndarray:
    """Guess the class of each frame: quiet frames are pauses, the others are shared out evenly.

    Returns
    -------
    np.ndarray [shape=(F,), int64]
        Indices into `PHONE_CLASSES`.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    energy = mel.astype(np.float32).mean(axis=1)
    quiet, loud = np.percentile(energy, [5, 95])
    speech = np.flatnonzero(energy > quiet + 0.35 * (loud - quiet))
    classes = np.zeros(len(mel), np.int64)
    phones = [index for index in (phone_class(symbol) for symbol in word_symbols(words)) if index]
    classes[speech] = [phones[position] for position in np.arange(len(speech)) * len(phones) // len(speech)]
    return classes


def align_corpus(
    features: Sequence[Features],
    *,
    gaussian_rounds: int = 6,
    classifier_rounds: int = 3,
    classifier_steps: int = 400,
    lowest_score: float = 0.25,
    seed: int = 0,
    most_frames: int | None = None,
) -> CorpusAlignment:
    """Align every clip of a corpus, learning from that corpus alone.

    Parameters
    ----------
    features : sequence of Features
        The corpus, at least some minutes of speech.
    gaussian_rounds, classifier_rounds : int
        Rounds of learning and re-aligning with each kind of model.
    classifier_steps : int
        Training steps in the first of the classifier's rounds; later rounds take half.
    lowest_score : float
        Clips whose mean score is lower are rejected: a wrong transcript, or noise.
    seed : int
        Of the classifier's weights and windows.
    most_frames : int, optional
        Learn from so many frames at most, of clips from all over the corpus, and align the others with
        what was learned: memory then stays bounded. An hour takes about 200 MB.

    Returns
    -------
    CorpusAlignment
        Alignments and rejections by (clip id, speaker), and in ``changed`` the share of frames that
        moved in each round.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    result = CorpusAlignment()
    usable: dict[int, tuple[str, str]] = {}
    n_frames = 0
    for place, one in enumerate(features):
        states = _states(one.words)
        if (~states.optional).sum() > len(one.mel):
            needs = f"{(~states.optional).sum()} frames that its text needs"
            result.rejected[one.id, one.speaker] = f"{len(one.mel)} frames are fewer than the {needs}"
        else:
            usable[place] = one.id, one.speaker
            n_frames += len(one.mel)
    if not usable:
        return result
    every = 1 if most_frames is None else max(1, -(-n_frames // most_frames))
    taught = list(usable)[::every]
    lesson = [features[place] for place in taught]
    labels = [flat_start(one.mel, one.words) for one in lesson]
    frames = [cepstra(one.mel) for one in lesson]
    scorer, look = GaussianScorer(), cepstra
    for number in range(gaussian_rounds):
        scorer.fit(frames, labels)
        alignments, labels = _realign(lesson, scorer.score(frames), labels, result, f"round {number + 1}")
    if classifier_rounds:
        scorer, look = ConvolutionScorer(n_mels=lesson[0].mel.shape[1], seed=seed), level
        frames = [level(one.mel) for one in lesson]
    for number in range(classifier_rounds):
        scorer.fit(frames, labels, steps=classifier_steps if number == 0 else classifier_steps // 2)
        name = f"classifier round {number + 1}"
        alignments, labels = _realign(lesson, scorer.score(frames), labels, result, name)
    aligned = dict(zip(taught, alignments))
    others = [place for place in usable if place not in aligned]
    for start in range(0, len(others), CLIPS_AT_ONCE):
        places = others[start : start + CLIPS_AT_ONCE]
        clips = [features[place] for place in places]
        scores = scorer.score([look(one.mel) for one in clips])
        aligned |= {place: align_clip(score, one.words) for place, one, score in zip(places, clips, scores)}
    for place, key in usable.items():
        alignment = aligned[place]
        if classifier_rounds and alignment.score < lowest_score:
            reason = f"score {alignment.score:.2f} is below {lowest_score}: wrong text or noise?"
            result.rejected[key] = reason
        else:
            result.alignments[key] = alignment
    return result


def _realign(
    usable: Sequence[Features],
    scores: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    result: CorpusAlignment,
    name: str,
) -> tuple[list[Alignment], list[np.ndarray]]:
    """Find every clip's best path, note how many frames changed class, and return the new classes."""
    alignments = [align_clip(score, one.words) for score, one in zip(scores, usable)]
    new_labels = [
        np.repeat([phone_class(symbol) for symbol in word_symbols(one.words)], alignment.durations)
        for one, alignment in zip(usable, alignments)
    ]
    changed = np.mean(np.concatenate(new_labels) != np.concatenate(labels))
    result.changed.append(float(changed))
    print(f"{name}: {changed:.1%} of the frames changed")
    return alignments, new_labels
