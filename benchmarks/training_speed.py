"""How fast the laptop preset trains on TensorFlow and on JAX, and whether making batches ever holds it up.

    python benchmarks/training_speed.py            # a quarter of an hour on two quiet cores
    python benchmarks/training_speed.py --fast     # a few steps, to see that it works

The input pipeline is compared with one batch that is given again and again: blocks of steps on one and on
the other take turns in one process, on batches of one shape. Writes ``training_speed.md`` and ``.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BACKENDS = ("tensorflow", "jax")
# Steps of a block that are not timed: the first batch has to be made before there is any to wait with.
UNTIMED = 3


def flat_alignments(features) -> dict:
    """Share the frames of each clip out evenly: what is said when does not matter to speed."""
    import numpy as np

    from tinyclone.durations import Alignment
    from tinyclone.text import word_symbols

    alignments = {}
    for one in features:
        edges = np.linspace(0, len(one.mel), len(word_symbols(one.words)) + 1).round().astype(np.int32)
        alignments[one.id, one.speaker] = Alignment(np.diff(edges), 1.0)
    return alignments


def step_seconds(trainer, source, *, steps: int) -> list[float]:
    """Train for some steps and return what each took, but for the first few."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(time.perf_counter())

    clock = Clock()
    clock.ends = []
    trainer.fit(source, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[clock])
    return [end - start for start, end in zip(clock.ends[UNTIMED - 1 :], clock.ends[UNTIMED:])]


def measure(cache: Path, *, rounds: int, steps: int) -> dict:
    """Return the seconds of a step on this process' backend."""
    import keras

    from tinyclone.batching import BatchSequence
    from tinyclone.cloner import Cloner
    from tinyclone.corpora import tinyvoices
    from tinyclone.features import prepare
    from tinyclone.fitting import input_pipeline
    from tinyclone.presets import PRESETS
    from tinyclone.trainer import ClonerTrainer

    preset = PRESETS["laptop"]
    features = prepare(tinyvoices(), cache)
    alignments = flat_alignments(features)

    class OneBatch(BatchSequence):
        """The first batch, again and again."""

        def __getitem__(self, index):
            if not hasattr(self, "batch"):
                self.batch = super().__getitem__(0)
            return self.batch

    made = {"config": preset.config, "steps": steps}
    one_shape = {**made, "buckets": (preset.buckets[1],)}
    kinds = {
        "pipeline": BatchSequence(features, alignments, **one_shape),
        "one batch": OneBatch(features, alignments, **one_shape),
        "all shapes": BatchSequence(features, alignments, buckets=preset.buckets, **made),
    }
    trainer = ClonerTrainer(Cloner(preset.config), n_speakers=len(kinds["pipeline"].speaker_number))
    trainer(kinds["pipeline"][0][0])
    trainer.compile(optimizer=keras.optimizers.Adam(1e-4, clipnorm=1.0))
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, batches in kinds.items():
            timed = step_seconds(trainer, input_pipeline(batches), steps=steps)
            # In the first round graphs are compiled.
            seconds[name] += timed if number else []
    made_ms = []
    for index in range(steps):
        start = time.perf_counter()
        kinds["all shapes"][index]
        made_ms.append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "timed_steps": len(seconds["pipeline"]),
        "step_sec": medians,
        "pipeline_over_one_batch": medians["pipeline"] / medians["one batch"],
        "steps_per_sec": 1 / medians["all shapes"],
        "minutes_of_the_preset": preset.steps * medians["all shapes"] / 60,
        "batch_made_in_ms": statistics.median(made_ms),
    }


def report(results: list[dict], *, machine: str, fast: bool) -> str:
    """Return the table."""
    lines = [
        "# Speed of training",
        "",
        f"The `laptop` preset on {machine}; medians, by `benchmarks/training_speed.py`."
        + (" A fast run of a few steps: the numbers only show that it works." if fast else ""),
        "",
        "| backend | steps/s | minutes for the preset | batches made, s/step | one batch again, s/step |"
        " ratio | making a batch |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        lines.append(
            f"| {one['backend']} | {one['steps_per_sec']:.2f} | {one['minutes_of_the_preset']:.0f} | "
            f"{one['step_sec']['pipeline']:.3f} | {one['step_sec']['one batch']:.3f} | "
            f"{one['pipeline_over_one_batch']:.3f} | {one['batch_made_in_ms']:.1f} ms |"
        )
    lines += ["", "A ratio below 1.05 means that the input pipeline is not the bottleneck.", ""]
    return "\n".join(lines)


def main() -> None:
    """Measure both backends, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=HERE.parent / "cache" / "tinyvoices", help="features")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the results")
    parser.add_argument("--fast", action="store_true", help="one short round")
    parser.add_argument("--backend", choices=BACKENDS, help="measure this one here and print JSON")
    arguments = parser.parse_args()
    size = {"rounds": 1, "steps": 8} if arguments.fast else {"rounds": 5, "steps": 30}
    if arguments.backend:
        print(json.dumps(measure(arguments.cache, **size)))
        return
    results = []
    for backend in BACKENDS:
        command = [sys.executable, __file__, "--backend", backend, "--cache", str(arguments.cache)]
        done = subprocess.run(
            [*command, *(["--fast"] if arguments.fast else [])],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        results.append(json.loads(done.stdout.splitlines()[-1]))
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    arguments.out.mkdir(parents=True, exist_ok=True)
    contents = {"machine": machine, "fast": arguments.fast, "results": results}
    (arguments.out / "training_speed.json").write_text(json.dumps(contents, indent=1) + "\n")
    table = report(results, machine=machine, fast=arguments.fast)
    (arguments.out / "training_speed.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
