"""How much speech, and how much training, gives which quality?

    python benchmarks/data_size.py --data ../shared/data --features runs/shipped

Trains the model with 5, 20 and 80 minutes of speech and with all there is, the same number of steps each,
and then with all of it by the preset `laptop`, looking at the model several times on the way. Writes
data_size.md, data_size.json and data_size.png. Every stage leaves its result in --work: run it again after an
interruption. On two idle cores the four runs and their judging take about 30 minutes, the preset 25 more.

Linda Johnson's recordings are left out of everything, so that finetune_speaker.py can adapt to her.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # measures this checkout, even when another tinyclone is installed

import bench  # noqa: E402
import data_size_report  # noqa: E402
import heldout  # noqa: E402
import keras  # noqa: E402
import report  # noqa: E402
import systems  # noqa: E402
from train_weights import CORPUS_WEIGHTS, corpora  # noqa: E402

from tinyclone.alignment import align_corpus  # noqa: E402
from tinyclone.array_files import replace_file  # noqa: E402
from tinyclone.batching import BatchSequence  # noqa: E402
from tinyclone.config import ClonerConfig  # noqa: E402
from tinyclone.durations import load_alignments, save_alignments  # noqa: E402
from tinyclone.features import Features, prepare  # noqa: E402
from tinyclone.presets import PRESETS, Preset  # noqa: E402
from tinyclone.training import train_cloner  # noqa: E402

EXCLUDED = "lj"
MINUTES = (5, 20, 80, None)  # None is all
EPOCHS, STEPS_PER_EPOCH = 5, 200
POINTS = (1, 2, 4, 7, 10, 15)  # epochs of the preset `laptop` after which the model is judged
SENTENCES, SENTENCES_OF_A_READER = 30, 1
TINY = ClonerConfig(
    text_channels=16, reference_channels=16, variance_channels=16, decoder_channels=16, decoder_dilations=(1,)
)


@dataclass(frozen=True)
class Corpus:
    """Aligned speech: what can be trained on, and what is held out for the mel error."""

    training: list[Features]
    held_out: list[Features]
    alignments: dict

    def of_minutes(self, minutes: float | None) -> tuple[list[Features], float]:
        """Return the clips whose hashes come first, with their perturbed copies, and their minutes.

        Fewer minutes are a part of more, and hold each corpus in the same proportion.
        """
        real = real_speakers(self.training)
        order = sorted(real, key=lambda one: hashlib.sha256(f"{one.speaker}|{one.id}".encode()).digest())
        chosen, found = set(), 0.0
        for one in order:
            if minutes is not None and found >= minutes:
                break
            chosen.add((one.id, one.speaker))
            found += len(one.mel) / 62.5 / 60
        return [one for one in self.training if (one.id, one.speaker.split("@")[0]) in chosen], found


class Snapshots(keras.callbacks.Callback):
    """Keep a copy of the exported weights after some epochs, and the minutes of training until then."""

    def __init__(self, run: Path, *, epochs: Sequence[int]) -> None:
        super().__init__()
        self.run, self.epochs, self.file = run, epochs, run / "points.json"
        self.points = json.loads(self.file.read_text()) if self.file.exists() else []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the clock; the export of the epoch before lies in the run's folder now."""
        if epoch in self.epochs:
            shutil.copyfile(self.run / "cloner.npz", self.run / f"cloner-{epoch}.npz")
        self.points = self.points[:epoch]
        self.start_sec = time.perf_counter()

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Training is over for this epoch: what follows is not counted."""
        self.epoch_sec = time.perf_counter() - self.start_sec

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Note the minutes."""
        before = self.points[-1] if self.points else 0.0
        self.points.append(before + self.epoch_sec / 60)
        replace_file(self.file, json.dumps(self.points).encode())


def main() -> None:
    """Run what is not there yet, and write the results."""
    options = parse(__doc__, out="data_size")
    corpus, held_out = load_corpus_without(EXCLUDED, options), judged_speech(options, names=("kathleen",))
    quality = result(options, "recordings", lambda: judged("human", held_out, None, options))
    rows = []
    for minutes in MINUTES:
        name = f"{minutes or 'all'}-minutes"
        rows.append(result(options, name, partial(train_part, corpus, minutes, held_out, options)))
        write(options, rows, [], quality)
    points = train_laptop(corpus, held_out, options)
    write(options, rows, points, quality)
    print(f"Written: {options.out}.md, .json and .png")


def parse(description: str, *, out: str) -> argparse.Namespace:
    """Read the options that both benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    add, data = parser.add_argument, ROOT.parent / "shared" / "data"
    add("--data", type=Path, default=data, help="folder with the corpora (default: ../shared/data)")
    add("--work", type=Path, help="folder for the runs (default: runs/data_size)")
    add("--features", type=Path, help="run of train_weights.py whose features and alignments are used")
    add("--out", type=Path, default=ROOT / "benchmarks" / out, help="results, without suffix")
    bench.add_judges_options(parser)
    add("--fast", action="store_true", help="a tiny model for a few steps: only to see that it runs")
    options = parser.parse_args()
    options.work = options.work or ROOT / "runs" / ("data_size_fast" if options.fast else "data_size")
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def load_corpus_without(speaker: str, options: argparse.Namespace) -> Corpus:
    """Return all speech of the shipped recipe but that of one speaker, aligned."""
    folder = options.features or options.work
    training, held_out = [], []
    for train_clips, held_out_clips, copies in corpora(options.data):
        if train_clips[0].speaker == speaker:
            continue
        if options.fast:
            train_clips, held_out_clips, copies = train_clips[:16], held_out_clips[:4], 0
        training += prepare(train_clips, folder / "features", pseudo_speakers=copies)
        held_out += prepare(held_out_clips, folder / "features")
    # Aligned once, with all speech: how well the model learns is the question here, not the aligner.
    file = folder / "alignments.npz"
    if not file.exists():
        rounds = {"classifier_rounds": 0} if options.fast else {}
        save_alignments(file, align_corpus(training + held_out, **rounds))
    return Corpus(training, held_out, load_alignments(file).alignments)


def judged_speech(options: argparse.Namespace, *, names: Sequence[str]) -> heldout.HeldOut:
    """Return what the judges hear: sentences of named voices, and a few of each unseen reader."""
    held_out = heldout.prepare(options.data, options.work / "held_out", limit=None)
    count, readers = (3, 2) if options.fast else (SENTENCES, None)
    named = [
        replace(voice, sentences=voice.sentences[:count], recordings=voice.recordings[:count])
        for voice in held_out.named
        if voice.name in names
    ]
    unseen = [
        replace(one, sentences=one.sentences[:SENTENCES_OF_A_READER]) for one in held_out.unseen[:readers]
    ]
    return replace(held_out, named=named, unseen=unseen)


def preset(options: argparse.Namespace) -> Preset:
    """Return the preset `laptop`, or its caricature."""
    laptop = PRESETS["laptop"]
    if options.fast:
        return replace(laptop, config=TINY, epochs=2, steps_per_epoch=2, warmup_steps=1)
    return laptop


def short_preset(options: argparse.Namespace) -> Preset:
    """Return the preset `laptop` with as many steps as every comparison has."""
    recipe = preset(options)
    return recipe if options.fast else replace(recipe, epochs=EPOCHS, steps_per_epoch=STEPS_PER_EPOCH)


def real_speakers(features: list[Features]) -> list[Features]:
    """Leave out the clips that were played faster or slower."""
    return [one for one in features if "@" not in one.speaker]


def train(
    run: Path,
    features: list[Features],
    corpus: Corpus,
    recipe: Preset,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[float]:
    """Train by a recipe, or go on; return the held-out mel error after each epoch."""
    data = {"config": recipe.config, "buckets": recipe.buckets}
    speakers = sorted({one.speaker for one in features})
    validation = {"steps": 12, "seed": 1, "speakers": speakers}
    train_cloner(
        run,
        BatchSequence(
            features,
            corpus.alignments,
            steps=recipe.steps,
            weights=CORPUS_WEIGHTS,
            max_seconds=recipe.max_seconds,
            **data,
        ),
        config=recipe.config,
        epochs=recipe.epochs,
        validation=BatchSequence(corpus.held_out, corpus.alignments, **validation, **data),
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
        ema_momentum=recipe.ema_momentum,
        callbacks=callbacks,
    )
    return held_out_errors(run)


def held_out_errors(run: Path) -> list[float]:
    """Return the held-out mel error of a run after each epoch."""
    with open(run / "log.csv", encoding="utf-8", newline="") as file:
        return [float(row["val_mel_mae"]) for row in csv.DictReader(file)]


def train_part(
    corpus: Corpus, minutes: float | None, held_out: heldout.HeldOut, options: argparse.Namespace
) -> dict:
    """Train with so many minutes of speech and judge the last weights."""
    features, found = corpus.of_minutes(minutes)
    run, recipe = options.work / f"{minutes or 'all'}-minutes", short_preset(options)
    print(f"{found:.0f} minutes of speech, {len({one.speaker for one in features})} voices with copies")
    mel_mae = train(run, features, corpus, recipe)[-1]
    scores = judged("ours", held_out, run / "cloner.npz", options)
    return {"minutes": found, "clips": len(features), "steps": recipe.steps, "mel_mae": mel_mae, **scores}


def train_laptop(corpus: Corpus, held_out: heldout.HeldOut | None, options: argparse.Namespace) -> list[dict]:
    """Train by the preset `laptop`; judge it on the way, unless nothing is held out for that."""
    run, recipe = laptop_run(options), preset(options)
    points = [epoch for epoch in POINTS if epoch < recipe.epochs] + [recipe.epochs]
    features, found = corpus.of_minutes(None)
    errors = train(run, features, corpus, recipe, callbacks=[Snapshots(run, epochs=points)])
    minutes = json.loads((run / "points.json").read_text())
    shutil.copyfile(run / "cloner.npz", run / f"cloner-{recipe.epochs}.npz")
    if held_out is None:
        return []

    def judge(epoch: int) -> dict:
        scores = judged("ours", held_out, run / f"cloner-{epoch}.npz", options)
        steps, trained = epoch * recipe.steps_per_epoch, minutes[epoch - 1]
        row = {"epoch": epoch, "steps": steps, "training_minutes": trained, "minutes": found}
        return {**row, "mel_mae": errors[epoch - 1], **scores}

    return [result(options, f"laptop-{epoch}", lambda epoch=epoch: judge(epoch)) for epoch in points]


def laptop_run(options: argparse.Namespace) -> Path:
    """Return the folder of the run with the preset `laptop`, whose weights have never heard `EXCLUDED`."""
    return options.work / "laptop"


def judged(
    system: str,
    held_out: heldout.HeldOut,
    weights: Path | None,
    options: argparse.Namespace,
    *,
    tag: str = "",
) -> dict[str, dict]:
    """Let a system speak and have it judged; return a row for each voice. Sounds are kept under the tag."""
    work = options.work / "spoken" / (tag or (weights.parent.name + weights.stem if weights else system))
    work.mkdir(parents=True, exist_ok=True)
    utterances = systems.collect(system, held_out, systems.Settings(work=work, weights=weights))
    left_out: list[str] = []
    scores = bench.judge(utterances, work, options, left_out, judges=("words", "voice"))
    for line in left_out:
        print(line)
    wanted = (
        "n",
        "wer",
        "wer_low",
        "wer_high",
        "cosine",
        "cosine_other_speakers",
        "nearest_is_right",
        "mcd_db",
    )
    rows = report.rows_of(list(zip(utterances, scores, strict=True)))
    return {row["voice"]: {name: row.get(name) for name in wanted} for row in rows}


def result(options: argparse.Namespace, name: str, make: Callable[[], dict]) -> dict:
    """Return the result of a stage, made only if no earlier run has left it."""
    file = options.work / "results" / f"{name}.json"
    if not file.exists():
        made = make()
        file.parent.mkdir(exist_ok=True)
        replace_file(file, json.dumps(made, indent=1).encode())
    return json.loads(file.read_text(encoding="utf-8"))


def write(options: argparse.Namespace, rows: list[dict], points: list[dict], recordings: dict) -> None:
    """Write all that is known."""
    results = {"recordings": recordings, "data": rows, "laptop": points}
    replace_file(options.out.with_suffix(".json"), (json.dumps(results, indent=1) + "\n").encode())
    replace_file(options.out.with_suffix(".md"), data_size_report.markdown(rows, points, recordings).encode())
    if points:
        data_size_report.draw(rows, points, recordings, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
