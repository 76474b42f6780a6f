"""What minutes of one speaker add to weights that have never heard them.

    python benchmarks/finetune_speaker.py --data ../shared/data --features runs/shipped

The start is the model that data_size.py trains by the preset `laptop`, without Linda Johnson; it is trained
here if it is not there. `tinyclone finetune` then adapts it to 15 minutes of her, and the judges hear both
speak sentences that neither has seen. Writes finetune_speaker.md and finetune_speaker.json. Every stage
leaves its result in --work: run it again after an interruption.
"""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import data_size
import heldout
import report

from tinyclone.array_files import replace_file
from tinyclone.corpora import load_corpus, split_by_text
from tinyclone.finetuning import finetune

SPEAKER, FOLDER = data_size.EXCLUDED, "lj16k"
CONSENT = "Linda Johnson recorded this for LibriVox and gave it to the public domain."
MINUTES = 15.0


def main() -> None:
    """Run what is not there yet, and write the results."""
    options = data_size.parse(__doc__, out="finetune_speaker")
    start = data_size.laptop_run(options) / "cloner.npz"
    if not (start.parent / f"cloner-{data_size.preset(options).epochs}.npz").exists():
        data_size.train_laptop(data_size.load_corpus_without(SPEAKER, options), None, options)
    run = options.work / f"finetuned-{SPEAKER}"
    adapted = data_size.result(options, f"finetuned-{SPEAKER}", lambda: adapt(run, start, options))
    held_out = replace(data_size.judged_speech(options, names=(SPEAKER,)), unseen=[])
    judged = {
        name: data_size.result(
            options, f"{SPEAKER}-{name}", partial(data_size.judged, system, held_out, weights, options)
        )[SPEAKER]
        for name, system, weights in (
            ("before", "ours", start),
            ("after", "ours", run / "cloner.npz"),
            ("recordings", "human", None),
        )
    }
    results = {"speaker": SPEAKER, "finetune": adapted, "judged": judged}
    replace_file(options.out.with_suffix(".json"), (json.dumps(results, indent=1) + "\n").encode())
    replace_file(options.out.with_suffix(".md"), markdown(results).encode())
    print(f"Written: {options.out}.md and .json")


def adapt(run: Path, start: Path, options: Namespace) -> dict:
    """Fine-tune on recordings whose texts the judges will not use, and note how long it took."""
    folder = training_folder(options.data / FOLDER, options.work / SPEAKER)
    limits = {"minutes": 2.5, "steps": 4} if options.fast else {"minutes": MINUTES}
    began = time.perf_counter()
    made = finetune(folder, run, consent=CONSENT, initial=start, **limits)
    seconds = time.perf_counter() - began
    print(made.table())
    values = {**asdict(made), "wall_minutes": seconds / 60}
    return {name: value for name, value in values.items() if not isinstance(value, Path)}


def training_folder(corpus: Path, folder: Path) -> Path:
    """Make a corpus folder that holds only the speaker's training texts; the sounds stay where they are."""
    clips, _ = split_by_text(load_corpus(corpus), held_out_fraction=heldout.HELD_OUT_TEXTS, salt=heldout.SALT)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "wavs").exists():
        (folder / "wavs").symlink_to((corpus / "wavs").resolve(), target_is_directory=True)
    lines = [f"{clip.id}|{clip.text}|{clip.text}\n" for clip in clips]
    replace_file(folder / "metadata.csv", "".join(lines).encode())
    return folder


def markdown(results: dict) -> str:
    """Return the tables."""
    made, judged = results["finetune"], results["judged"]
    lines = [
        "# What fine-tuning buys\n",
        f"\n`{results['speaker']}`, whom the starting weights have never heard: {made['minutes']:.1f} ",
        f"minutes of speech, {made['wall_minutes']:.0f} minutes on this machine with alignment and ",
        "measuring.\n\n",
        "| sentences unseen by both, judged from outside | n | word errors (Whisper tiny.en) | similarity ",
        "(Resemblyzer) | to other speakers | nearest is right | mel cepstral distortion |\n",
        "|---|---|---|---|---|---|---|\n",
        *(f"| {name} | {row['n']} | {_judged(row)} |\n" for name, row in judged.items()),
        "\n`tinyclone finetune` itself, on sentences that it held out:\n\n",
        "| | similarity (voiceprint) | phones recognised | mel cepstral distortion |\n|---|---|---|---|\n",
    ]
    for name in ("before", "after", "recordings"):
        row = made[name]
        cells = f"{row['similarity']:.3f} | {row['phones']:.0%} | {row['distortion_db']:.1f} dB"
        lines.append(f"| {'copied recordings' if name == 'recordings' else name} | {cells} |\n")
    lines.append(f"| other voices | {made['other_voices']:.3f} | | |\n")
    return "".join(lines)


def _judged(row: dict) -> str:
    similarities = [report.number(row.get(name), 3) for name in ("cosine", "cosine_other_speakers")]
    nearest, distortion = report.percent(row.get("nearest_is_right")), report.number(row.get("mcd_db"), 1)
    return " | ".join([report.word_errors(row), *similarities, nearest, distortion])


if __name__ == "__main__":
    main()
