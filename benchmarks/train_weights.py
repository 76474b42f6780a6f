"""Train the weights that come with tinyclone, from the recordings to the checkpoint.

Run it again after an interruption: features, alignment and training all go on where they stopped.

    python benchmarks/train_weights.py --data ../shared/data --run runs/shipped
    python benchmarks/train_weights.py --run runs/shipped --polish --epochs 7   # then: clear speech
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

from tinyclone.alignment import align_corpus
from tinyclone.batching import BatchSequence
from tinyclone.cloner import ClonerConfig
from tinyclone.corpora import Clip, load_corpus, split_by_speaker, split_by_text
from tinyclone.durations import load_alignments, save_alignments
from tinyclone.features import prepare
from tinyclone.training import Auditions, train_cloner

# The single speakers must be clear, the readers give many good voices, the learners of English
# (whose words are often mispronounced) only more voices.
CORPUS_WEIGHTS = {"kathleen": 1.0, "ljspeech": 2.0, "librispeech": 2.0, "speechocean762": 0.6}
# The last steps are for clear words: hardly any learners, few perturbed copies.
POLISH_WEIGHTS = {"kathleen": 1.0, "ljspeech": 2.0, "librispeech": 2.0, "speechocean762": 0.1}
POLISH_PSEUDO_SPEAKER_WEIGHT = 0.15
CLIPS_OF_EACH_LEARNER = 8
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


def main() -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the corpora")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--epochs", type=int, default=38, help="epochs of --steps steps")
    parser.add_argument("--polish", action="store_true", help="go on from a finished run, into RUN/polished")
    parser.add_argument("--steps", type=int, default=250, help="steps in an epoch")
    arguments = parser.parse_args()

    training, held_out = [], []
    for train_clips, held_out_clips, copies in corpora(arguments.data):
        training += prepare(train_clips, arguments.run / "features", pseudo_speakers=copies)
        held_out += prepare(held_out_clips, arguments.run / "features")
    alignment_file = arguments.run / "alignments.npz"
    if not alignment_file.exists():
        save_alignments(alignment_file, align_corpus(training + held_out))
    aligned = load_alignments(alignment_file)
    print(f"{len(aligned.alignments)} clips are aligned, {len(aligned.rejected)} rejected")

    config = ClonerConfig()
    speakers = sorted({one.speaker for one in training})
    batches = BatchSequence(
        training,
        aligned.alignments,
        config=config,
        speakers=speakers,
        steps=arguments.epochs * arguments.steps,
        weights=POLISH_WEIGHTS if arguments.polish else CORPUS_WEIGHTS,
        pseudo_speaker_weight=POLISH_PSEUDO_SPEAKER_WEIGHT if arguments.polish else 0.5,
        seed=int(arguments.polish),
    )
    validation = BatchSequence(
        held_out, aligned.alignments, config=config, speakers=speakers, steps=12, spelled_share=0.0, seed=1
    )
    minutes, held_out_minutes = batches.seconds / 60, validation.seconds / 60
    print(f"{len(speakers)} voices, {minutes:.0f} minutes; {held_out_minutes:.0f} minutes held out")
    references = {one.corpus: one.mel[:600] for one in held_out}
    auditions = Auditions(arguments.run / "auditions", references=references, texts=AUDITION_TEXTS, every=5)
    stage = {"learning_rate": 1e-3}
    if arguments.polish:
        state = json.loads((arguments.run / "state.json").read_text())
        stage = {"learning_rate": 3e-4, "initial_weights": arguments.run / state["weights"]}
    train_cloner(
        arguments.run / "polished" if arguments.polish else arguments.run,
        batches,
        config=config,
        epochs=arguments.epochs,
        validation=validation,
        callbacks=[auditions],
        **stage,
    )


if __name__ == "__main__":
    main()
