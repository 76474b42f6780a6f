"""From corpora to what training takes: features of two parts, one to learn and one to listen to, aligned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyclone.alignment import align_corpus
from tinyclone.batching import outlines
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip, split_by_text
from tinyclone.durations import CorpusAlignment, load_alignments, save_alignments
from tinyclone.errors import CorpusError
from tinyclone.feature_store import FeatureStore
from tinyclone.features import prepare
from tinyclone.layouts import fold_text
from tinyclone.phone_models import GaussianScorer, cepstra, phone_class
from tinyclone.text import word_symbols

SALT = "tinyclone"
FEWEST_HELD_OUT = 4
# The aligner learns from no more speech than this, whatever the size of the corpora.
HOURS_TO_LEARN_ALIGNMENT = 10
CLIPS_TO_LEARN_LISTENING = 200
SHORTEST_REFERENCE_SEC = 3.0
SHORTEST_TEXT, LONGEST_TEXT = 20, 120


@dataclass(frozen=True)
class TrainingData:
    """What `gather` makes of corpora.

    Parameters
    ----------
    training, held_out : FeatureStore
        No sentence is in both.
    aligned : CorpusAlignment
        Of all of them.
    skipped : int
        Clips that could not be read or are too long.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    training: FeatureStore
    held_out: FeatureStore
    aligned: CorpusAlignment
    skipped: int

    def auditions(self, *, voices: int = 2, texts: int = 2) -> tuple[dict[str, np.ndarray], list[str]]:
        """Return reference mels of some held-out voices and some held-out sentences, the same each time."""
        references: dict[str, np.ndarray] = {}
        sentences: dict[str, None] = {}
        shortest = SHORTEST_REFERENCE_SEC * AudioConfig().frames_per_sec
        for place, one in enumerate(outlines(self.held_out)):
            if len(sentences) < texts and SHORTEST_TEXT <= len(one.text) <= LONGEST_TEXT:
                sentences[one.text] = None
            if one.speaker not in references and one.n_frames >= shortest and len(references) < voices:
                references[one.speaker] = self.held_out[place].mel.astype(np.float32)
        return references, list(sentences)

    def scorer(self) -> GaussianScorer | None:
        """Return Gaussians that know how phones sound in some of the held-out recordings."""
        frames, labels = [], []
        for one in self.held_out:
            alignment = self.aligned.alignments.get((one.id, one.speaker))
            if alignment is not None:
                classes = [phone_class(symbol) for symbol in word_symbols(one.words)]
                frames.append(cepstra(one.mel))
                labels.append(np.repeat(classes, alignment.durations))
            if len(frames) == CLIPS_TO_LEARN_LISTENING:
                break
        if not frames:
            return None
        scorer = GaussianScorer()
        scorer.fit(frames, labels)
        return scorer


def gather(
    corpora: Sequence[Sequence[Clip]],
    run: Path,
    *,
    cache: Path | None = None,
    held_out_fraction: float = 0.05,
    pseudo_speakers: int = 0,
    max_seconds: float = 20.0,
    config: AudioConfig = AudioConfig(),
    say: Callable[[str], object] = print,
) -> TrainingData:
    """Split, prepare and align corpora; what an earlier call has finished is not done again.

    Parameters
    ----------
    corpora : sequence of sequences of Clip
        What `tinyclone.corpora.load_corpus` gives for each corpus.
    run : Path
        Folder of the run: ``alignments.npz`` goes there and, without `cache`, ``features``.
    cache : Path, optional
        Where features are kept; several runs may share it.
    held_out_fraction : float in (0, 1)
        Share of the sentences that training does not get. Of a small corpus it is more: about four
        sentences, since a clip is judged by a voice that another clip of its speaker gives.
    pseudo_speakers : int
        Perturbed copies of each clip of the training part.
    max_seconds : float
        Longer clips are left out.
    config : AudioConfig
    say : callable
        Is told what happens.

    Returns
    -------
    TrainingData

    Raises
    ------
    CorpusError
        If no clip can be used.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    cache = run / "features" if cache is None else cache
    training, held_out = FeatureStore(), FeatureStore()
    for clips in corpora:
        n_sentences = len({fold_text(clip.text) for clip in clips})
        fraction = max(held_out_fraction, min(0.5, FEWEST_HELD_OUT / max(n_sentences, 1)))
        parts = split_by_text(list(clips), held_out_fraction=fraction, salt=SALT)
        limits = {"config": config, "max_seconds": max_seconds}
        training += prepare(parts[0], cache, pseudo_speakers=pseudo_speakers, **limits)
        held_out += prepare(parts[1], cache, **limits)
    if not len(training):
        reasons = ", ".join(f"{count} {reason}" for reason, count in training.reasons.most_common())
        raise CorpusError(
            f"Not one of {sum(map(len, corpora))} clips can be trained on ({reasons or 'all are held out'}). "
            "Look at them with `tinyclone inspect`."
        )
    aligned = align_once(training + held_out, run / "alignments.npz", say=say)
    return TrainingData(training, held_out, aligned, len(training.skipped) + len(held_out.skipped))


def align_once(
    features: FeatureStore, path: Path, *, say: Callable[[str], object] = print
) -> CorpusAlignment:
    """Align clips, or read the file of an earlier call if it is about the same clips.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if path.exists():
        aligned = load_alignments(path)
        if _covers(aligned, features):
            return aligned
        say(f"{path} belongs to other clips: they are aligned again.")
    frames = round(HOURS_TO_LEARN_ALIGNMENT * 3600 * AudioConfig().frames_per_sec)
    aligned = align_corpus(features, most_frames=frames)
    if not aligned.alignments:
        reason = next(iter(aligned.rejected.values()), "there are no clips")
        raise CorpusError(
            f"Not one of {len(features)} clips fits its text ({reason}). Check that the texts belong to "
            "the recordings; some minutes of speech are needed to learn from."
        )
    save_alignments(path, aligned)
    return aligned


def _covers(aligned: CorpusAlignment, features: FeatureStore) -> bool:
    """Whether each clip is aligned, frame for frame, or was rejected."""
    for one in outlines(features):
        alignment = aligned.alignments.get((one.id, one.speaker))
        if alignment is None and (one.id, one.speaker) not in aligned.rejected:
            return False
        if alignment is not None and int(alignment.durations.sum()) != one.n_frames:
            return False
    return True


def describe_rejected(rejected: Iterable[tuple[tuple[str, str], str]], *, most: int = 5) -> str:
    """Return the first of the clips that did not align, with their reasons, a line each."""
    lines = [f"  {clip} ({speaker}): {reason}" for (clip, speaker), reason in rejected]
    more = [f"  and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])
