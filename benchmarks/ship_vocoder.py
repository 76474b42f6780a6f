"""Put the vocoder of a finished training run into the package.

    python benchmarks/ship_vocoder.py --run runs/vocoder

Writes ``vocoder.npz``, its graphs for onnxruntime, ``SHA256SUMS`` and ``vocoder_curves.png`` into
``tinyclone/weights``. The last stage of the run that has weights is taken.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

# Graphs are exported from TensorFlow.
os.environ["KERAS_BACKEND"] = "tensorflow"

import matplotlib.pyplot as plt
from train_vocoder import STAGES, STEPS_OF_AN_EPOCH

from tinyclone.onnx_export import save_graphs
from tinyclone.shipped import shipped_folder, write_checksums
from tinyclone.vocoder_weights import load_vocoder, save_vocoder


def draw_curves(logs: dict[str, Path], picture: Path) -> None:
    """Draw the spectral losses of training and held-out recordings over the epochs of all stages."""
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    epoch = 0
    for stage, log in logs.items():
        rows = list(csv.DictReader(log.read_text().splitlines()))
        epochs = range(epoch + 1, epoch + len(rows) + 1)
        for column, style in (("log_magnitude", "-"), ("val_log_magnitude", "--")):
            label = f"{stage}, {'held-out' if style == '--' else 'training'} recordings"
            axes.plot(epochs, [float(row[column]) for row in rows], style, label=label)
        epoch += len(rows)
    axes.set(xlabel=f"epoch of {STEPS_OF_AN_EPOCH} steps", ylabel="log magnitude error")
    axes.legend(fontsize=8)
    figure.savefig(picture, dpi=100)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    arguments = parser.parse_args()
    stages = [stage for stage in STAGES if (arguments.run / stage / "vocoder.npz").is_file()]
    if not stages:
        parser.error(f"--run {arguments.run}: no stage has a vocoder.npz; train_vocoder.py makes one")
    folder = shipped_folder()
    vocoder = load_vocoder(arguments.run / stages[-1] / "vocoder.npz")
    save_vocoder(folder / "vocoder.npz", vocoder, card={"stages": stages})
    save_graphs(vocoder, folder / "vocoder_graphs.npz")
    write_checksums(folder)
    draw_curves({stage: arguments.run / stage / "log.csv" for stage in stages}, folder / "vocoder_curves.png")
    print(f"{sum(path.stat().st_size for path in folder.glob('*.npz')) / 1e6:.1f} MB in {folder}")


if __name__ == "__main__":
    main()
