"""Which letter of a sentence is heard when: what attention is shown, where a diagonal is not enough."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyclone.alignment import align_corpus
from tinyclone.durations import load_alignments, save_alignments
from tinyclone.errors import CorpusError
from tinyclone.papers.one_voice import Sentence
from tinyclone.text import Word, parse, speakable

SPEAKER = "one voice"


def place_letters(
    sentences: Sequence[Sentence], *, kept_in: str | Path | None = None, classifier_rounds: int = 3
) -> list[Sentence]:
    """Find in every sentence which character each frame belongs to, by the aligner of lesson 3.

    Parameters
    ----------
    sentences : sequence of Sentence
        At least some minutes of one voice; 68 minutes take 75 seconds on two cores.
    kept_in : str or Path, optional
        File for the alignment, read if it is there: a run that goes on then learns from the same places.
    classifier_rounds : int
        See `tinyclone.alignment.align_corpus`; 0 for a rough alignment in a second.

    Returns
    -------
    list of Sentence
        With `places`; fewer where some did not align.

    Raises
    ------
    CorpusError
        If the file holds the alignment of other sentences.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    clips = [_Clip(str(number), parse(one.text), one.mel) for number, one in enumerate(sentences)]
    if kept_in is not None and Path(kept_in).exists():
        result = load_alignments(Path(kept_in))
    else:
        result = align_corpus(clips, classifier_rounds=classifier_rounds)
        if kept_in is not None:
            save_alignments(Path(kept_in), result)
    found = [result.alignments.get((clip.id, clip.speaker)) for clip in clips]
    placed = []
    for one, alignment in zip(sentences, found):
        if alignment is not None:
            if alignment.durations.sum() != len(one.mel):
                raise CorpusError(
                    f"{kept_in} gives {alignment.durations.sum()} frames to {one.text!r}, which has "
                    f"{len(one.mel)}: it is of other sentences. Delete it, or give another run folder."
                )
            placed.append(replace(one, places=places_of_frames(one.text, alignment.durations)))
    return placed


def places_of_frames(text: str, durations: np.ndarray) -> np.ndarray:
    """Return which character each frame belongs to.

    The phones of a word are laid out evenly over its letters, so that a place in the middle of a word is
    about a letter wrong; pauses belong to what is written between words, and the silence after the sentence
    to the end mark.

    Parameters
    ----------
    text : str
    durations : np.ndarray, shape (tokens,), int
        Frames of each token of `tinyclone.text.encode`.

    Returns
    -------
    np.ndarray, shape (F,), float32
        In [0, T - 1], never falling; T counts the end mark.

    Raises
    ------
    ValueError
        If there are more or fewer durations than tokens.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    written, spans = speakable(text), [(0.0, 0.0)]  # of the silence before the sentence
    for word, found in zip(parse(text), re.finditer(r"[a-z']+", written)):
        edges = np.linspace(found.start(), found.end(), len(word.symbols) + 1) - 0.5
        spans.extend(zip(edges[:-1], edges[1:]))
        if word.boundary:
            gap = re.compile(r"[^a-z']*").match(written, found.end())
            spans.append((found.end() - 0.5, gap.end() - 0.5))
    spans.append((len(written), len(written)))
    if len(spans) != len(durations):
        raise ValueError(
            f"{text!r} has {len(spans)} tokens, got {len(durations)} durations. Align this very text."
        )
    places = [
        start + (end - start) * (np.arange(n_frames) + 0.5) / n_frames
        for (start, end), n_frames in zip(spans, durations)
        if n_frames
    ]
    return np.clip(np.concatenate(places), 0, len(written)).astype(np.float32)


@dataclass(frozen=True)
class _Clip:
    """What `align_corpus` asks for."""

    id: str
    words: list[Word]
    mel: np.ndarray
    speaker: str = SPEAKER
