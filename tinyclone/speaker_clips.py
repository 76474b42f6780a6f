"""The recordings of one speaker, made ready to learn from: chosen, held out and aligned."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from tinyclone.alignment import align_corpus
from tinyclone.config import AudioConfig
from tinyclone.corpora import load_corpus, split_by_text
from tinyclone.durations import Alignment, load_alignments, save_alignments
from tinyclone.errors import CorpusError
from tinyclone.features import Features, prepare
from tinyclone.layouts import fold_text, is_unknown_speaker

LEAST_MINUTES, ENOUGH_MINUTES = 2.0, 5.0
HELD_OUT_SHARES = (0.1, 0.2, 0.3)  # the first that holds out enough
FEWEST_HELD_OUT = 3
# On minutes of speech the aligner's classifier learns wrong transcripts by heart: only good scores count.
LOWEST_SCORE = 1.0
CLIPS_AT_ONCE = 128


def speech_of_one_speaker(
    folder: Path, cache: Path, *, minutes: float, config: AudioConfig = AudioConfig()
) -> list[Features]:
    """Return the features of a folder's first clips, at most so many minutes.

    Raises
    ------
    CorpusError
        If the clips are of several speakers, or hold less than two minutes of usable speech.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    clips = load_corpus(folder)
    if all(is_unknown_speaker(clip) for clip in clips):
        clips = [replace(clip, speaker=folder.resolve().name) for clip in clips]
    speakers = sorted({clip.speaker for clip in clips})
    if len(speakers) > 1:
        raise CorpusError(
            f"{folder} holds clips of {len(speakers)} speakers ({', '.join(speakers[:5])}"
            f"{', ...' if len(speakers) > 5 else ''}), but fine-tuning adapts to one. "
            "Give a folder with the clips of one."
        )
    features: list[Features] = []
    most, n_frames = minutes * 60 * config.frames_per_sec, 0
    for first in range(0, len(clips), CLIPS_AT_ONCE):
        for one in prepare(clips[first : first + CLIPS_AT_ONCE], cache, config=config):
            if n_frames + len(one.mel) <= most:
                features.append(one)
                n_frames += len(one.mel)
        if n_frames >= 0.95 * most:
            break
    found = n_frames / 60 / config.frames_per_sec
    advice = f"At least {LEAST_MINUTES:g} are needed, 5 to 20 are best"
    if found < LEAST_MINUTES:
        limit = f" within the limit of {minutes:g}" if len(features) < len(clips) and minutes < 3 else ""
        raise CorpusError(
            f"{folder} holds {found:.1f} minutes of usable speech{limit}. {advice}; with less, clone the "
            "voice from one recording: tinyclone clone --voice RECORDING."
        )
    if found < ENOUGH_MINUTES:
        warnings.warn(f"{folder} holds {found:.1f} minutes of usable speech. {advice}.", stacklevel=3)
    return features


def hold_out(features: list[Features], folder: Path) -> tuple[list[Features], list[Features]]:
    """Hold out a tenth of the texts, or more where that would be too few to measure with."""
    for share in HELD_OUT_SHARES:
        training, held_out = split_by_text(features, held_out_fraction=share, salt="finetune")
        n_texts = len({fold_text(one.text) for one in held_out})
        if n_texts >= FEWEST_HELD_OUT:
            break
    require_enough_held_out(n_texts, folder)
    return training, held_out


def require_enough_held_out(n_texts: int, folder: Path) -> None:
    """Raise `CorpusError` if so few sentences say nothing about the others."""
    if n_texts < FEWEST_HELD_OUT:
        raise CorpusError(
            f"Only {n_texts} sentences of {folder} can be held out to measure with, at least "
            f"{FEWEST_HELD_OUT} are needed. Cut long recordings into sentences, or record more."
        )


def align_speaker(
    file: Path, features: list[Features], others: list[Features], *, folder: Path
) -> dict[tuple[str, str], Alignment]:
    """Align the speaker's clips, together with others from which the aligner learns what phones are."""
    if not file.exists():
        save_alignments(file, align_corpus([*features, *others], lowest_score=LOWEST_SCORE))
    result = load_alignments(file)
    aligned = [one for one in features if (one.id, one.speaker) in result.alignments]
    if len(aligned) < len(features) / 2:
        reasons = [result.rejected.get((one.id, one.speaker)) for one in features]
        file.unlink()
        raise CorpusError(
            f"Only {len(aligned)} of {len(features)} clips of {folder} sound like their texts; the first "
            f"reason: {next(filter(None, reasons))}. Check that each text stands with its own recording and "
            "is in English."
        )
    return result.alignments
