"""What each part of the cloner's training brings: the same short training without it.

    python benchmarks/ablate_training.py --data ../shared/data --features runs/shipped

Trains the preset `laptop` for 1,000 steps, once as it is and once without each part, and lets the judges hear
the result. Writes ablate_training.md and ablate_training.json. Every case leaves its result in --work: run it
again after an interruption. On two idle cores a case takes about 8 minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from unittest.mock import patch

import data_size
import heldout
import report

from tinyclone import cloner, framing
from tinyclone.array_files import replace_file
from tinyclone.features import Features


@dataclass(frozen=True)
class Case:
    """One row: what is left out of the training, or of the model, while it is trained and heard.

    Parameters
    ----------
    title : str
    features : callable
        Chooses what is trained on.
    recipe : mapping
        Changes of the preset.
    taken_out : callable
        A context in which a part of the code is missing.
    trained_as : str, optional
        The case whose weights are heard, if nothing is trained.
    """

    title: str
    features: Callable[[list[Features]], list[Features]] = list
    recipe: dict[str, object] = field(default_factory=dict)
    taken_out: Callable[[], AbstractContextManager] = nullcontext
    trained_as: str | None = None


def not_steered(*sizes: int, steered: bool = False, **settings) -> cloner.ConvolutionBlock:
    """Make a block of the decoder that is not told the voice."""
    return cloner_block(*sizes, **settings)


def first_crop(mel, *, length: int):
    """Return one look at a reference in place of all."""
    return framing.reference_crops(mel, length=length)[:1]


cloner_block = cloner.ConvolutionBlock
CASES = {
    "whole": Case("nothing"),
    "pseudo-speakers": Case("pseudo-speakers: every clip faster or slower", features=data_size.real_speakers),
    "speaker-loss": Case(
        "the loss of a classifier of speakers",
        taken_out=partial(patch, "tinyclone.trainer.SPEAKER_LOSS_WEIGHT", 0.0),
    ),
    "steering": Case(
        "the voiceprint in every layer of the decoder, and not only before the first",
        taken_out=partial(patch, "tinyclone.cloner.ConvolutionBlock", not_steered),
    ),
    "ema": Case("the average of the weights over some 200 steps", recipe={"ema_momentum": None}),
    "one-look": Case(
        "more than one look of 3 s at the reference",
        taken_out=partial(patch, "tinyclone.mel_speaker.reference_crops", first_crop),
        trained_as="whole",
    ),
}


def main() -> None:
    """Run the cases that are not there yet, and write the table."""
    options = data_size.parse(__doc__, out="ablate_training")
    corpus = data_size.load_corpus_without(data_size.EXCLUDED, options)
    held_out = data_size.judged_speech(options, names=("kathleen",))
    rows = []
    # In two steps a model learns nothing, and a look less can make its mels too loud to be heard.
    names = [name for name, case in CASES.items() if not (options.fast and case.trained_as)]
    for name in names:
        make = partial(run_case, name, corpus, held_out, options)
        rows.append(data_size.result(options, f"without-{name}", make))
        write(options, rows)
    print(markdown(rows))


def run_case(
    name: str, corpus: data_size.Corpus, held_out: heldout.HeldOut, options: argparse.Namespace
) -> dict:
    """Train without a part, and judge the last weights without it."""
    case = CASES[name]
    trained_as = case.trained_as or name
    run = options.work / f"without-{trained_as}"
    recipe = replace(data_size.short_preset(options), **case.recipe)
    with case.taken_out():
        if case.trained_as is None:
            features = case.features(corpus.training)
            data_size.train(run, features, corpus, recipe)
        scores = data_size.judged("ours", held_out, run / "cloner.npz", options, tag=name)
    mel_mae = data_size.held_out_errors(run)[-1]
    return {"left_out": case.title, "mel_mae": mel_mae, "steps": recipe.steps, **scores}


def write(options: argparse.Namespace, rows: list[dict]) -> None:
    """Write what is known."""
    replace_file(options.out.with_suffix(".json"), (json.dumps(rows, indent=1) + "\n").encode())
    replace_file(options.out.with_suffix(".md"), markdown(rows).encode())


def markdown(rows: list[dict]) -> str:
    """Return the table."""
    voices = ("kathleen", "unseen")
    lines = [
        "# What each part of the training brings",
        "",
        "Made by `python benchmarks/ablate_training.py`; do not edit. The preset `laptop` for "
        f"{rows[0]['steps']:,} steps, without one part in each row, heard by the vocoder. *Mel error* is "
        "the mean absolute error of normalised log mels of held-out recordings with true durations; words "
        "are judged by Whisper tiny.en, with the 95 % interval; similarity is the cosine of Resemblyzer. "
        "*Unseen* are readers of whom training heard nothing, cloned from 10 seconds or less, and *nearest* "
        "is how often a clone is nearer to its reader than to every other held-out one.",
        "",
        "| left out | held-out mel error | word errors, kathleen | unseen | similarity, kathleen | unseen | "
        "nearest |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [row["left_out"], f"{row['mel_mae']:.3f}"]
        cells += [report.word_errors(row.get(voice, {})) for voice in voices]
        cells += [report.number(row.get(voice, {}).get("cosine"), 3) for voice in voices]
        cells.append(report.percent(row.get("unseen", {}).get("nearest_is_right")))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
