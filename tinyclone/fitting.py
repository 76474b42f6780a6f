"""Training that may be interrupted: one schedule, checkpoints, and going on from them. For any trainer."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import keras

from tinyclone.callbacks import LossTable, NanGuard
from tinyclone.checkpoints import DAMAGED, AveragedValidation, Checkpoints
from tinyclone.distribution import replicas, share_batches
from tinyclone.errors import CheckpointError, TrainingError

BATCHES_AHEAD = 8


class Batches(Protocol):
    """What can be trained on: batch n is the same at every run, and a resumed run begins at `first_step`."""

    steps: int
    seed: int
    first_step: int

    @property
    def fingerprint(self) -> str:
        """Digits that change with anything that decides what is in the batches."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[dict, dict]: ...


def steps_of_epoch(batches: Batches, epochs: int) -> int:
    """Share all batches out over epochs; `TrainingError` if there are fewer than one for each."""
    if not 0 < epochs <= batches.steps:
        raise TrainingError(
            f"{epochs} epochs of {batches.steps} steps: expected 1 to {batches.steps} epochs."
        )
    return batches.steps // epochs


def fit_or_go_on(
    trainer: keras.Model,
    batches: Batches,
    *,
    checkpoints: Checkpoints,
    epochs: int,
    validation: Batches | None = None,
    learning_rate: float,
    warmup_steps: int,
    ema_momentum: float | None = None,
    beta_1: float = 0.9,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    scope: Any = None,
    own_folder: Path | None = None,
) -> None:
    """Compile a built trainer, resume what its folder holds, and train it to the end.

    Parameters
    ----------
    trainer : keras.Model
        Built, not compiled, with the weights to start from.
    batches : Batches
        As many as steps are to be taken.
    checkpoints : Checkpoints
        Of the run's folder, with everything that decides the outcome as identity.
    epochs : int
        Checkpoints to write.
    validation : Batches, optional
        Scored after each epoch.
    learning_rate : float
        Of Adam at its highest, after `warmup_steps` steps; it falls to zero along a cosine.
    ema_momentum : float in (0, 1), optional
        Keep a running average of the weights.
    beta_1 : float in [0, 1)
        Adam's memory of gradients.
    callbacks : sequence of keras callbacks
    scope : tf.distribute.Strategy, optional
        What `tinyclone.distribution.training_scope` yields.
    own_folder : Path, optional
        Where this process writes, if it is not the run's folder: see `tinyclone.distribution.chief_folder`.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    steps_per_epoch = steps_of_epoch(batches, epochs)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 100,
        decay_steps=max(1, batches.steps - warmup_steps),
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
        alpha=0.01,
    )
    averaging = {} if ema_momentum is None else {"use_ema": True, "ema_momentum": ema_momentum}
    # A replica clips its own share of the gradient.
    adam = keras.optimizers.Adam(schedule, beta_1=beta_1, clipnorm=1.0 / replicas(), **averaging)
    trainer.compile(optimizer=adam)
    adam.build(trainer.trainable_variables)
    finished = checkpoints.resume(trainer)
    if finished == epochs:
        adam.finalize_variable_values(trainer.trainable_variables)
        return
    folder = own_folder or checkpoints.run
    batches.first_step = finished * steps_per_epoch
    trainer.fit(
        input_pipeline(batches, scope),
        epochs=epochs,
        initial_epoch=finished,
        steps_per_epoch=steps_per_epoch,
        validation_data=None if validation is None else input_pipeline(validation, scope, again=True),
        validation_steps=None if validation is None else len(validation),
        shuffle=False,
        verbose=2 if os.environ.get("CI") else "auto",
        callbacks=[
            NanGuard(batches, steps_per_epoch=steps_per_epoch),
            *([] if ema_momentum is None else [AveragedValidation()]),
            *callbacks,
            LossTable(folder / "log.csv"),
            type(checkpoints)(folder, checkpoints.identity),
        ],
    )


def load_start(trainer: keras.Model, weights: Path, *, advice: str) -> None:
    """Load a ``.weights.h5`` into a built trainer; `CheckpointError` with advice if it does not fit."""
    try:
        trainer.load_weights(weights)
    except DAMAGED as error:
        raise CheckpointError(
            f"The weights {weights} ({weights.stat().st_size} bytes) do not fit this model or are damaged "
            f"({str(error)[:120]}). {advice}"
        ) from error


def require_start(weights: Path) -> None:
    """Raise `CheckpointError` unless there is a file to start from."""
    if not weights.is_file():
        raise CheckpointError(f"There is no file {weights} to start from. Give a .weights.h5 or a .npz file.")


def input_pipeline(batches: Batches, strategy: Any = None, *, again: bool = False) -> Any:
    """Make batches in the background, in order, while the model trains on those before.

    Parameters
    ----------
    batches : Batches
        From its ``first_step`` on.
    strategy : tf.distribute.Strategy, optional
        What `tinyclone.distribution.training_scope` yields.
    again : bool
        Whether `fit` goes through the batches many times, as it does with held-out data.

    Returns
    -------
    tf.data.Dataset where Keras runs on TensorFlow; elsewhere a generator, or `batches` themselves

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if strategy is not None:
        return share_batches(batches, strategy)
    if keras.backend.backend() != "tensorflow":
        return batches if again else _made_ahead(batches)
    import tensorflow

    # Clips, frames and tokens differ between buckets, channels do not.
    signature = tuple(
        {
            name: tensorflow.TensorSpec((None, None)[: value.ndim] + value.shape[2:], value.dtype)
            for name, value in part.items()
        }
        for part in batches[0]
    )
    dataset = tensorflow.data.Dataset.from_generator(
        lambda: (batches[index] for index in range(len(batches))), output_signature=signature
    )
    counted = dataset.apply(tensorflow.data.experimental.assert_cardinality(len(batches)))
    return counted.prefetch(BATCHES_AHEAD)


def _made_ahead(batches: Batches) -> Iterator:
    """Yield every batch; one thread makes a few of them ahead."""
    waiting: deque = deque()
    maker = ThreadPoolExecutor(1)
    try:
        for index in range(len(batches)):
            waiting.append(maker.submit(batches.__getitem__, index))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        maker.shutdown(wait=False, cancel_futures=True)


def require_writable(run: Path) -> None:
    """Make the folder of a run, or raise `CheckpointError` if nothing can be written there."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run):
            pass
    except OSError as error:
        raise CheckpointError(
            f"The folder {run} of the run cannot be written in ({error.strerror}). Choose another one."
        ) from error
