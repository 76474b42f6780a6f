"""Put the weights of a finished training run into the package, with the named voices.

    python benchmarks/ship_weights.py --data ../shared/data --run runs/shipped

Writes ``cloner.npz``, its graphs for onnxruntime, ``voices.npz``, ``SHA256SUMS`` and ``curves.png`` into
``tinyclone/weights``. A named voice is one voiceprint of up to 40 training recordings of its speaker. The six
readers are the three women and three men of LibriSpeech whose recordings aligned best with their texts.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from pathlib import Path

# Graphs are exported from TensorFlow.
os.environ["KERAS_BACKEND"] = "tensorflow"

import matplotlib.pyplot as plt
import numpy as np
from train_weights import STAGES, corpora, stage_folder

from tinyclone.durations import load_alignments
from tinyclone.features import Features, prepare
from tinyclone.onnx_export import save_graphs
from tinyclone.pretrained import load_cloner, save_cloner
from tinyclone.shipped import shipped_folder, write_checksums
from tinyclone.voice import Voice, save_voices

SOURCES = {
    "kathleen": "Kathleen reading CMU Arctic prompts (CC0), a woman from the United States",
    "lj": "Linda Johnson in LJ Speech 1.1 (public domain), a woman from the United States",
}
CONSENT = "The speaker recorded this for the public and gave it a licence that allows any use."
RECORDINGS = 40
READERS_OF_EACH_SEX = 3


def sex_of_readers(data: Path) -> dict[str, str]:
    """Return 'F' or 'M' for each reader id of LibriSpeech."""
    lines = (data / "LibriSpeech" / "SPEAKERS.TXT").read_text(encoding="utf-8").splitlines()
    rows = [line.split("|") for line in lines if not line.startswith(";")]
    return {row[0].strip(): row[1].strip() for row in rows}


def chosen_readers(features: list[Features], scores: dict, sex: dict[str, str]) -> dict[str, str]:
    """Return the speakers of the best aligned readers, each with the name of the voice."""
    best = sorted(
        (one for one in features if one.corpus == "librispeech" and (one.id, one.speaker) in scores),
        key=lambda one: -scores[one.id, one.speaker].score,
    )
    chosen: dict[str, str] = {}
    counts: dict[str, int] = defaultdict(int)
    for one in best:
        number = one.speaker.removeprefix("librispeech-")
        if counts[sex[number]] < READERS_OF_EACH_SEX:
            counts[sex[number]] += 1
            chosen[one.speaker] = f"reader-{number}"
    return chosen


def draw_curves(logs: list[Path], picture: Path) -> None:
    """Draw the mel error of training and held-out clips over the epochs of a run's stages."""
    rows = [row for log in logs for row in csv.DictReader(log.read_text().splitlines())]
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for column, label in (("mel_mae", "training clips"), ("val_mel_mae", "held-out clips")):
        axes.plot(range(1, len(rows) + 1), [float(row[column]) for row in rows], label=label)
    axes.set(xlabel="epoch of 250 steps", ylabel="mel MAE (normalised)", ylim=(0.2, 0.5))
    axes.legend()
    figure.savefig(picture, dpi=100)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the corpora")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    arguments = parser.parse_args()

    features: list[Features] = []
    for clips, _, _ in corpora(arguments.data)[:3]:
        features += prepare(clips, arguments.run / "features")
    folder = shipped_folder()
    folder.mkdir(exist_ok=True)
    stages = [one for one in (stage_folder(arguments.run, name) for name in STAGES) if one.is_dir()]
    save_cloner(folder / "cloner.npz", load_cloner(stages[-1] / "cloner.npz"))
    write_checksums(folder)  # without them, the file would be refused
    cloner = load_cloner(folder / "cloner.npz")
    save_graphs(cloner, folder / "cloner_graphs.npz")
    sex = sex_of_readers(arguments.data)
    names = {name: name for name in SOURCES}
    names |= chosen_readers(features, load_alignments(arguments.run / "alignments.npz").alignments, sex)
    voices = []
    for speaker, name in names.items():
        clips = [one.mel for one in features if one.speaker == speaker and len(one.mel) > 125]
        step = max(1, len(clips) // RECORDINGS)
        voiceprint = cloner.voiceprint(np.concatenate(clips[::step]))
        reader = name.removeprefix("reader-")
        person = "a woman" if sex.get(reader) == "F" else "a man"
        source = SOURCES.get(name, f"Reader {reader} of LibriSpeech train-clean-100 (CC BY 4.0), {person}")
        voices.append(
            Voice(name, voiceprint, consent=CONSENT, source=source, cloner_fingerprint=cloner.fingerprint)
        )
        print(f"{name}: {len(clips[::step])} recordings, {source}")
    save_voices(folder / "voices.npz", voices)
    write_checksums(folder)
    draw_curves([stage / "log.csv" for stage in stages], folder / "curves.png")
    print(f"{sum(path.stat().st_size for path in folder.glob('*.npz')) / 1e6:.1f} MB in {folder}")


if __name__ == "__main__":
    main()
