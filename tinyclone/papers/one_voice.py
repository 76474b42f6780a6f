"""Sentences of one voice, as wave and mel: what every paper's model here learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinyclone.audio import load_audio
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip, load_corpus, split_by_text, tinyvoices
from tinyclone.errors import CorpusError
from tinyclone.mel import log_mel
from tinyclone.normalisation import normalise

CLEAREST_VOICE = "rms"
HELD_OUT_FRACTION = 0.2
SPLIT = "papers"


@dataclass(frozen=True)
class Sentence:
    """One sentence and how it was spoken.

    Parameters
    ----------
    text : str
        As spoken: numbers and abbreviations are words.
    wav : np.ndarray, shape (N,), float32, in [-1, 1]
        Whole frames: N is ``F * hop_length``.
    mel : np.ndarray, shape (F, n_mels), float32
        Natural logarithm.
    places : np.ndarray, shape (F,), float32, optional
        Which character each frame belongs to, see `tinyclone.papers.letter_places.place_letters`.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """

    text: str
    wav: np.ndarray
    mel: np.ndarray
    places: np.ndarray | None = None


def read_one_voice(
    folder: str | Path | None = None, *, voice: str = CLEAREST_VOICE, config: AudioConfig = AudioConfig()
) -> tuple[list[Sentence], list[Sentence]]:
    """Read the sentences of one voice and split them by text.

    Parameters
    ----------
    folder : str or Path, optional
        More training sentences of the same voice: what ``datasets/make_one_voice.py`` makes, or any corpus
        that `tinyclone.corpora.load_corpus` reads.
    voice : str
        One of tinyvoices' speakers.
    config : AudioConfig
        How the mels are made.

    Returns
    -------
    training, held_out : list of Sentence
        A fifth of the forty sentences of tinyvoices is held out, always the same ones.

    Raises
    ------
    CorpusError
        If there is no such voice or no such folder.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    clips = [clip for clip in tinyvoices() if clip.speaker == voice]
    if not clips:
        known = ", ".join(sorted({clip.speaker for clip in tinyvoices()}))
        raise CorpusError(f"tinyvoices has no voice {voice!r}. Choose one of {known}.")
    training, held_out = split_by_text(clips, held_out_fraction=HELD_OUT_FRACTION, salt=SPLIT)
    if folder is not None:
        training = [*training, *load_corpus(folder)]
    sentences = read_sentences([*training, *held_out], config=config, progress=folder is not None)
    return sentences[: len(training)], sentences[len(training) :]


def read_sentences(
    clips: Sequence[Clip], *, config: AudioConfig = AudioConfig(), progress: bool = True
) -> list[Sentence]:
    """Read clips as sentences, with a bar that shows the progress.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    return [_read(clip, config) for clip in tqdm(clips, unit="clip", disable=not progress)]


def _read(clip: Clip, config: AudioConfig) -> Sentence:
    wav = load_audio(clip.path, config=config)  # (N,)
    n_frames = len(wav) // config.hop_length
    return Sentence(
        text=normalise(clip.text),
        wav=wav[: n_frames * config.hop_length],
        mel=log_mel(wav, config=config)[:n_frames],  # (F, n_mels)
    )
