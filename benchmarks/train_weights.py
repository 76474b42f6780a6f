"""Train the weights that come with tinyclone, from the recordings to the checkpoint.

Run a stage again after an interruption: it goes on where it stopped. Each stage starts from the one before.

    python benchmarks/train_weights.py --data ../shared/data --run runs/shipped    # the first, `base`
    python benchmarks/train_weights.py --run runs/shipped --stage clear            # for clear words
    python benchmarks/train_weights.py --run runs/shipped --stage sharp            # with a discriminator
    python benchmarks/train_weights.py --run runs/shipped --stage sharper          # which counts for more
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

from tinyclone.alignment import align_corpus
from tinyclone.batching import BatchSequence
from tinyclone.cloner import ClonerConfig
from tinyclone.corpora import Clip, load_corpus, split_by_speaker, split_by_text
from tinyclone.durations import Alignment, load_alignments, save_alignments
from tinyclone.features import Features, prepare
from tinyclone.text import word_symbols
from tinyclone.training import Auditions, train_cloner

# The single speakers must be clear, the readers give many good voices, the learners of English
# (whose words are often mispronounced) only more voices.
CORPUS_WEIGHTS = {"kathleen": 1.0, "ljspeech": 2.0, "librispeech": 2.0, "speechocean762": 0.6}
# The later stages are for clear words: few learners, few perturbed copies.
CLEAR_WEIGHTS = {**CORPUS_WEIGHTS, "speechocean762": 0.25}
STEPS_OF_AN_EPOCH = 250
CLIPS_OF_EACH_LEARNER = 8


@dataclass(frozen=True)
class Stage:
    """A training of its own: what it starts from, and how long and from what it learns."""

    before: str | None
    epochs: int
    learning_rate: float
    seed: int
    weights: dict[str, float] = field(default_factory=lambda: CLEAR_WEIGHTS)
    pseudo_speaker_weight: float = 0.25
    trainer_options: dict = field(default_factory=dict)


STAGES = {
    "base": Stage(None, 38, 1e-3, seed=0, weights=CORPUS_WEIGHTS, pseudo_speaker_weight=0.5),
    "clear": Stage("base", 24, 5e-4, seed=1),
    "sharp": Stage("clear", 5, 3e-4, seed=2, trainer_options={"adversarial_weight": 0.25}),
    "sharper": Stage("sharp", 8, 3e-4, seed=3, trainer_options={"adversarial_weight": 0.5}),
}
AUDITION_TEXTS = (
    "The quick answer is that nobody knew where the boat had gone.",
    "Would you like seven cups of tea, or is one enough?",
)


def corpora(data: Path) -> list[tuple[list[Clip], list[Clip], int]]:
    """Return for each corpus the training clips, the held-out clips and the copies for pseudo-speakers."""
    parts = []
    for name in ("kathleen", "lj16k"):
        clips = load_corpus(data / name)
        parts.append((*split_by_text(clips, held_out_fraction=0.06, salt="tinyclone"), 0))
    readers = load_corpus(data / "LibriSpeech")
    parts.append((*split_by_speaker(readers, held_out_fraction=0.1, salt="tinyclone"), 2))
    learners = defaultdict(list)
    for clip in load_corpus(data / "speechocean762-adults"):
        learners[clip.speaker].append(clip)
    parts.append(([clip for clips in learners.values() for clip in clips[:CLIPS_OF_EACH_LEARNER]], [], 1))
    return parts


def still_aligned(
    alignments: dict[tuple[str, str], Alignment], features: Sequence[Features]
) -> dict[tuple[str, str], Alignment]:
    """Leave out clips with words that the text front end has since learned to read in another way."""
    n_tokens = {(one.id, one.speaker): len(word_symbols(one.words)) for one in features}
    return {key: one for key, one in alignments.items() if len(one.durations) == n_tokens.get(key)}


def stage_folder(run: Path, stage: str) -> Path:
    """Return where a stage of a run leaves its checkpoints."""
    return run if stage == "base" else run / stage


def main() -> None:
    """Run a stage of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the corpora")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--stage", choices=STAGES, default="base", help="part of the recipe")
    parser.add_argument("--epochs", type=int, help=f"epochs of {STEPS_OF_AN_EPOCH} steps")
    arguments = parser.parse_args()
    stage = STAGES[arguments.stage]
    epochs = arguments.epochs or stage.epochs

    training, held_out = [], []
    for train_clips, held_out_clips, copies in corpora(arguments.data):
        training += prepare(train_clips, arguments.run / "features", pseudo_speakers=copies)
        held_out += prepare(held_out_clips, arguments.run / "features")
    alignment_file = arguments.run / "alignments.npz"
    if not alignment_file.exists():
        save_alignments(alignment_file, align_corpus(training + held_out))
    aligned = still_aligned(load_alignments(alignment_file).alignments, training + held_out)
    print(f"{len(aligned)} of {len(training + held_out)} clips are aligned")

    config = ClonerConfig()
    speakers = sorted({one.speaker for one in training})
    batches = BatchSequence(
        training,
        aligned,
        config=config,
        speakers=speakers,
        steps=epochs * STEPS_OF_AN_EPOCH,
        weights=stage.weights,
        pseudo_speaker_weight=stage.pseudo_speaker_weight,
        seed=stage.seed,
    )
    validation = BatchSequence(held_out, aligned, config=config, speakers=speakers, steps=12, seed=1)
    minutes, held_out_minutes = batches.seconds / 60, validation.seconds / 60
    print(f"{len(speakers)} voices, {minutes:.0f} minutes; {held_out_minutes:.0f} minutes held out")
    references = {one.corpus: one.mel[:600] for one in held_out}
    auditions = Auditions(arguments.run / "auditions", references=references, texts=AUDITION_TEXTS, every=5)
    train_cloner(
        stage_folder(arguments.run, arguments.stage),
        batches,
        config=config,
        epochs=epochs,
        validation=validation,
        initial_weights=stage.before and stage_folder(arguments.run, stage.before) / "cloner.npz",
        learning_rate=stage.learning_rate,
        callbacks=[auditions],
        trainer_options=stage.trainer_options,
    )


if __name__ == "__main__":
    main()
