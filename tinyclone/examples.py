"""Aligned clips to training examples: cut at pauses, words spelled out, prosody of each token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyclone.config import ClonerConfig
from tinyclone.durations import Alignment
from tinyclone.errors import CorpusError
from tinyclone.feature_shards import Features, Outline
from tinyclone.text import Word


@dataclass(frozen=True)
class Example:
    """A piece of a clip, cut between two words: six numbers, so that millions fit into memory.

    Parameters
    ----------
    clip : int
        Index of the clip in the list that the examples were made from.
    first_word, end_word : int
        Its words are ``features.words[first_word:end_word]``; see `words_of`.
    start, end : int
        Its frames in the clip.
    n_tokens : int
        Tokens of the piece, the start and the end included.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    clip: int
    first_word: int
    end_word: int
    start: int
    end: int
    n_tokens: int


def words_of(
    example: Example, features: Features, alignment: Alignment
) -> tuple[tuple[Word, ...], list[np.ndarray], tuple[int, int]]:
    """Fetch what an example leaves out.

    Parameters
    ----------
    example : Example
        From `cut_examples`.
    features, alignment : Features, Alignment
        Of its clip.

    Returns
    -------
    words : tuple of Word
    word_durations : list of np.ndarray
        Frames of each word's symbols and, last, of its boundary where it has one.
    edges : (int, int)
        Frames of silence before the first word and after the last.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    words = features.words[example.first_word : example.end_word]
    start = 1 + sum(_n_symbols(word) for word in features.words[: example.first_word])
    word_durations = []
    for word in words:
        word_durations.append(alignment.durations[start : start + _n_symbols(word)])
        start += _n_symbols(word)
    first, last = example.first_word == 0, example.end_word == len(features.words)
    edges = (int(alignment.durations[0]) if first else 0, int(alignment.durations[-1]) if last else 0)
    return words, word_durations, edges


def cut_examples(
    clip: int, features: Features | Outline, alignment: Alignment, *, max_frames: int
) -> list[Example]:
    """Cut a clip into pieces of at most `max_frames`, each cut in the longest pause of its second half.

    Parameters
    ----------
    clip : int
        The clip's index, kept in the examples.
    features, alignment : Features or Outline, Alignment
        The clip; its arrays are not looked at.
    max_frames : int
        Longest piece; a single word that is longer is left out.

    Returns
    -------
    list of Example

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    counts = [_n_symbols(word) for word in features.words]
    tokens = 2 + sum(counts)
    frames = features.n_frames if isinstance(features, Outline) else len(features.mel)
    if len(alignment.durations) != tokens or alignment.durations.sum() != frames:
        raise CorpusError(
            f"The alignment of clip {features.id} has {len(alignment.durations)} tokens and "
            f"{alignment.durations.sum()} frames, but its features have {tokens} and {frames}. "
            "They were made from different features: align the corpus again."
        )
    ends = 1 + np.cumsum(counts)
    summed = np.concatenate([[0], np.cumsum(alignment.durations)])
    lengths = summed[ends] - summed[ends - counts]
    has_boundary = np.array([bool(word.boundary) for word in features.words])
    pauses = np.where(has_boundary, alignment.durations[ends - 1], 0)
    lead, tail = int(alignment.durations[0]), int(alignment.durations[-1])
    examples: list[Example] = []
    first, start = 0, 0
    while first < len(counts):
        edge = lead if first == 0 else 0
        after = first + int(np.searchsorted(np.cumsum(lengths[first:]), max_frames - edge - tail, "right"))
        if after == first:
            start += edge + int(lengths[first])
            first += 1
            continue
        if after < len(counts):
            middle = first + (after - first) // 2
            after = middle + int(np.argmax(pauses[middle:after])) + 1
        last_edge = tail if after == len(counts) else 0
        end = start + edge + int(lengths[first:after].sum()) + last_edge
        examples.append(Example(clip, first, after, start, end, 2 + sum(counts[first:after])))
        first, start = after, end
    return examples


def _n_symbols(word: Word) -> int:
    """Tokens of a word and of its boundary."""
    return len(word.symbols) + bool(word.boundary)


def token_prosody(
    mel: np.ndarray, pitch_hz: np.ndarray, durations: np.ndarray, *, config: ClonerConfig
) -> np.ndarray:
    """Average pitch, voicing and energy over the frames of each token.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels)]
        Natural-log mel.
    pitch_hz : np.ndarray [shape=(F,)]
        0 where unvoiced.
    durations : np.ndarray [shape=(T,), int]
        Frames of each token.
    config : ClonerConfig
        Normalisation.

    Returns
    -------
    np.ndarray [shape=(T, 3), float32]
        Normalised log pitch (0 where no frame is voiced), share of voiced frames in [0, 1],
        normalised energy; zeros for tokens without frames.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    edges = np.concatenate([[0], np.cumsum(durations)])

    def token_sums(values: np.ndarray) -> np.ndarray:
        return np.diff(np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])[edges])

    voiced = pitch_hz > 0
    log_pitch = np.where(voiced, np.log(np.maximum(pitch_hz, 1.0)) - config.pitch_mean, 0) / config.pitch_std
    voiced_frames, frames = token_sums(voiced), np.maximum(durations, 1)
    energy = token_sums((mel.mean(axis=1) - config.mel_mean) / config.mel_std) / frames
    pitch = token_sums(log_pitch) / np.maximum(voiced_frames, 1)
    return np.stack([pitch, voiced_frames / frames, energy], axis=1).astype(np.float32)
