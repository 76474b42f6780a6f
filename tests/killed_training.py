"""Train a tiny cloner once undisturbed, and once killed at random moments until it is finished.

    python tests/killed_training.py FOLDER KILLS SEED

Every training is a process of its own, forked before TensorFlow computes anything, so that TensorFlow is
imported once. Prints what ended each of them: 0, or -9 for SIGKILL.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow
from made_corpus import SMALL, made_corpus

from tinyclone.batching import BatchSequence
from tinyclone.training import train_cloner


class Killer(keras.callbacks.Callback):
    """Kill this process some time after the first step, whatever it is doing then."""

    def __init__(self, after_sec: float | None, clock: Path) -> None:
        super().__init__()
        self.after_sec, self.clock, self.start_sec = after_sec, clock, None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.start_sec is None:
            self.start_sec = time.monotonic()
            if self.after_sec is not None:
                threading.Timer(self.after_sec, os.kill, (os.getpid(), signal.SIGKILL)).start()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.after_sec is None and self.start_sec is not None:
            self.clock.write_text(str(time.monotonic() - self.start_sec))


def train(run: Path, *, after_sec: float | None = None) -> None:
    """Train to the end, or as far as it gets."""
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    features, alignments = made_corpus()
    batches = BatchSequence(features, alignments, config=SMALL, speakers=["ann", "ben"], steps=12)
    train_cloner(
        run,
        batches,
        config=SMALL,
        epochs=6,
        warmup_steps=2,
        ema_momentum=0.8,
        callbacks=[Killer(after_sec, run / "seconds")],
    )


def in_a_process(run: Path, *, after_sec: float | None = None) -> int:
    """Return how the training ended."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            train(run, after_sec=after_sec)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main() -> None:
    """Run them all."""
    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    moments = random.Random(int(sys.argv[3]))
    ends = [in_a_process(folder / "whole")]
    whole_sec = float((folder / "whole" / "seconds").read_text())
    for _ in range(kills):
        ends.append(in_a_process(folder / "cut", after_sec=moments.uniform(0, whole_sec / kills)))
    ends.append(in_a_process(folder / "cut"))
    print(*ends)


if __name__ == "__main__":
    main()
