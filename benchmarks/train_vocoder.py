"""Train the vocoder that comes with tinyclone, from the recordings to the checkpoint.

Run a stage again after an interruption: it goes on where it stopped. Each stage starts from the one before.

    python benchmarks/train_vocoder.py --run runs/vocoder --stage stft
    python benchmarks/train_vocoder.py --run runs/vocoder --stage adversarial
    python benchmarks/train_vocoder.py --run runs/vocoder --stage matched --features runs/shipped

The last stage hears mels that the shipped cloner, or --cloner, makes of the training clips with their true
durations. It needs the features and the alignment of `train_weights.py`, or makes them.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from train_weights import CORPUS_WEIGHTS, corpora, still_aligned

from tinyclone.alignment import align_corpus
from tinyclone.config import VocoderConfig
from tinyclone.corpora import Clip
from tinyclone.durations import load_alignments, save_alignments
from tinyclone.features import prepare
from tinyclone.mel import log_mel
from tinyclone.pretrained import load_cloner
from tinyclone.recordings import Recordings, read_recordings
from tinyclone.vocoder_batches import VocoderBatches, predicted_mels
from tinyclone.vocoder_training import CopySynthesis, train_vocoder

# Steps of an epoch are 250. Critics cost more than the rest of a step: fewer of them go further.
STAGES = {
    "stft": {"epochs": 24, "learning_rate": 1e-3},
    "adversarial": {"epochs": 16, "learning_rate": 3e-4, "adversarial_weight": 0.3, "ema_momentum": 0.995},
    "matched": {"epochs": 4, "learning_rate": 1e-4, "adversarial_weight": 0.3, "ema_momentum": 0.995},
}
BEFORE = {"adversarial": "stft", "matched": "adversarial"}
STEPS_OF_AN_EPOCH = 250
PREDICTED_SHARE = 0.6
AUDITION_FRAMES = 300


def held_out_mels(recordings: Recordings, *, each: int = 2) -> dict[str, np.ndarray]:
    """Return mels of the first held-out recordings of every corpus, by name."""
    mels, counts = {}, dict.fromkeys(recordings.corpora, 0)
    for clip, (key, corpus) in enumerate(zip(recordings.keys, recordings.corpora)):
        if counts[corpus] < each and recordings.frames(clip) > AUDITION_FRAMES // 2:
            counts[corpus] += 1
            end = min(recordings.frames(clip), AUDITION_FRAMES)
            mels["_".join(key)] = log_mel(recordings.wav(clip, hop_length=256, end_frame=end))
    return mels


def mels_of_cloner(clips: Sequence[tuple[list[Clip], int]], *, run: Path, cloner: Path | None) -> dict:
    """Return the teacher-forced mels of all clips that are aligned."""
    features: list = []
    for part, copies in clips:
        prepared = prepare(part, run / "features", pseudo_speakers=copies)
        features += [one for one in prepared if "@" not in one.speaker]
    alignment_file = run / "alignments.npz"
    if not alignment_file.exists():
        save_alignments(alignment_file, align_corpus(features))
    aligned = still_aligned(load_alignments(alignment_file).alignments, features)
    print(f"{len(aligned)} of {len(features)} clips are aligned")
    return predicted_mels(load_cloner(cloner), features, aligned)


def earlier_weights(run: Path, stage: str) -> Path | None:
    """Return the weights that a stage starts from: with the critics, where the stage before had some."""
    if stage not in BEFORE:
        return None
    before = run / BEFORE[stage]
    if stage == "adversarial":
        return before / "vocoder.npz"
    return before / json.loads((before / "state.json").read_text())["weights"]


def main() -> None:
    """Run one stage of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the corpora")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; each stage has its own")
    parser.add_argument("--stage", choices=list(STAGES), required=True)
    parser.add_argument("--epochs", type=int, help="epochs of 250 steps, instead of the recipe's")
    parser.add_argument("--features", type=Path, help="run of train_weights.py, for the stage 'matched'")
    parser.add_argument("--cloner", type=Path, help="weights of the cloner; the shipped ones by default")
    arguments = parser.parse_args()

    parts = corpora(arguments.data)
    training = [clip for clips, _, _ in parts for clip in clips]
    held_out = [clip for _, clips, _ in parts for clip in clips]
    recordings = read_recordings(training, arguments.run / "recordings")
    unheard = read_recordings(held_out, arguments.run / "recordings")
    stage = dict(STAGES[arguments.stage])
    if arguments.epochs is not None:
        stage["epochs"] = arguments.epochs
    predicted = {}
    if arguments.stage == "matched":
        clips = [(part, copies) for part, _, copies in parts]
        predicted = mels_of_cloner(clips, run=arguments.features or arguments.run, cloner=arguments.cloner)
    config = VocoderConfig()
    batches = VocoderBatches(
        recordings,
        config=config,
        steps=stage["epochs"] * STEPS_OF_AN_EPOCH,
        weights=CORPUS_WEIGHTS,
        predicted=predicted,
        predicted_share=PREDICTED_SHARE if predicted else 0.0,
        seed=list(STAGES).index(arguments.stage),
    )
    validation = VocoderBatches(unheard, config=config, steps=12, seed=1)
    print(f"{batches.seconds / 60:.0f} minutes; {validation.seconds / 60:.0f} minutes held out")
    folder = arguments.run / arguments.stage
    train_vocoder(
        folder,
        batches,
        config=config,
        validation=validation,
        initial_weights=earlier_weights(arguments.run, arguments.stage),
        callbacks=[CopySynthesis(folder / "auditions", mels=held_out_mels(unheard), every=4)],
        **stage,
    )


if __name__ == "__main__":
    main()
