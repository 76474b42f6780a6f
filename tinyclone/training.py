"""Training the cloner with `fit`: schedule, input pipeline, precision, and going on after an interruption."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from tinyclone.batching import BatchSequence
from tinyclone.callbacks import Auditions, LossTable, NanGuard
from tinyclone.checkpoints import DAMAGED, AveragedValidation, Checkpoints, read_state, require_same
from tinyclone.cloner import Cloner, ClonerConfig
from tinyclone.distribution import chief_folder, distributed, replicas, share_batches, training_scope
from tinyclone.errors import CheckpointError, TrainingError
from tinyclone.pretrained import load_cloner
from tinyclone.trainer import ClonerTrainer

__all__ = ["Auditions", "Checkpoints", "input_pipeline", "mixed_policy", "require_writable", "train_cloner"]

BATCHES_AHEAD = 8


def train_cloner(
    run: Path,
    batches: BatchSequence,
    *,
    config: ClonerConfig,
    epochs: int,
    validation: BatchSequence | None = None,
    initial_weights: Path | None = None,
    learning_rate: float = 1e-3,
    warmup_steps: int = 200,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    ema_momentum: float | None = None,
    mixed_precision: bool = False,
    strategy: str = "none",
    trainer_options: dict | None = None,
) -> Cloner:
    """Train a cloner, or go on where an earlier call with the same arguments was stopped.

    Parameters
    ----------
    run : Path
        Folder for checkpoints and ``log.csv``; an unfinished run in it is resumed.
    batches : BatchSequence
        The training data, all of it: as many batches as steps are to be taken.
    config : ClonerConfig
        Sizes of the model.
    epochs : int
        Checkpoints to write, evenly over all batches; the learning rate falls to zero along a cosine.
    validation : BatchSequence, optional
        Held-out data, scored after each epoch with true durations.
    initial_weights : Path, optional
        Weights to start from: a ``.weights.h5`` of an earlier run with the same config and speakers, or
        a ``.npz`` of `tinyclone.pretrained.save_cloner` with the same config.
    learning_rate : float
        Of Adam at its highest, after `warmup_steps` steps.
    callbacks : sequence of keras callbacks
        Auditions, TensorBoard, and what else you like.
    ema_momentum : float in (0, 1), optional
        Keep a running average of the weights, of which each step replaces a share of one minus this.
        Validation, auditions and ``cloner.npz`` then use the average.
    mixed_precision : bool
        Multiply in half precision, see `mixed_policy`; weights stay in single precision.
    strategy : {"none", "mirrored", "multiworker"}
        See `tinyclone.distribution.training_scope`.
    trainer_options : dict, optional
        Keyword arguments of `ClonerTrainer`.

    Returns
    -------
    Cloner

    Raises
    ------
    CheckpointError
        If the folder holds a run of another configuration or a damaged checkpoint, or a checkpoint
        cannot be written; an earlier one is then kept.
    TrainingError
        If the loss is no number any more; the message names the clips.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    require_writable(run)
    if not 0 < epochs <= batches.steps:
        raise TrainingError(
            f"{epochs} epochs of {batches.steps} steps: expected 1 to {batches.steps} epochs."
        )
    steps_per_epoch = batches.steps // epochs
    identity = {
        "model": config.to_dict(),
        "speakers": list(batches.speaker_number),
        "seed": batches.seed,
        "steps": batches.steps,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "warmup_steps": warmup_steps,
        "ema_momentum": ema_momentum,
        "mixed_precision": mixed_precision,
        "trainer": trainer_options or {},
        "data": batches.fingerprint,
    }
    with (
        mixed_policy(mixed_precision),
        training_scope(strategy) as scope,
        chief_folder(run, strategy) as own_folder,
    ):
        keras.utils.set_random_seed(batches.seed)
        trainer_class = distributed(ClonerTrainer, scope)
        trainer = trainer_class(
            Cloner(config), n_speakers=len(batches.speaker_number), **(trainer_options or {})
        )
        trainer({name: value[:1] for name, value in batches[0][0].items()})
        if initial_weights is not None:
            # Before compiling: the earlier run's optimizer stays behind.
            _start_from(trainer, Path(initial_weights), identity)
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=learning_rate / 100,
            decay_steps=max(1, batches.steps - warmup_steps),
            warmup_target=learning_rate,
            warmup_steps=warmup_steps,
            alpha=0.01,
        )
        # A replica clips its own share of the gradient.
        averaging = {} if ema_momentum is None else {"use_ema": True, "ema_momentum": ema_momentum}
        trainer.compile(
            optimizer=keras.optimizers.Adam(schedule, clipnorm=1.0 / replicas(), **averaging),
        )
        trainer.optimizer.build(trainer.trainable_variables)
        finished = Checkpoints(run, identity).resume(trainer)
        if finished < epochs:
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
                    LossTable(own_folder / "log.csv"),
                    Checkpoints(own_folder, identity),
                ],
            )
        else:
            trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    if not mixed_precision and scope is None:
        return trainer.cloner
    plain = Cloner(config).build_all()
    plain.set_weights(trainer.cloner.get_weights())
    return plain


def input_pipeline(batches: BatchSequence, strategy: Any = None, *, again: bool = False) -> Any:
    """Make batches in the background, in order, while the model trains on those before.

    Parameters
    ----------
    batches : BatchSequence
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


def _made_ahead(batches: BatchSequence) -> Iterator:
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


@contextmanager
def mixed_policy(wanted: bool = True) -> Iterator[None]:
    """Let the models made in the block compute in half precision; then restore the global policy.

    On TensorFlow float16 with a scaled loss, which every NVIDIA card since 2018 is fast at; on JAX
    bfloat16, for which its processors are made.

    Notes
    -----
    Micikevicius et al. 2018, "Mixed Precision Training", section 3.

    Lesson: lessons/05_gpu_training.ipynb
    """
    before = keras.config.dtype_policy()
    if wanted:
        on_tensorflow = keras.backend.backend() == "tensorflow"
        keras.config.set_dtype_policy("mixed_float16" if on_tensorflow else "mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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


def _start_from(trainer: ClonerTrainer, weights: Path, identity: dict) -> None:
    """Load the weights of an earlier training into a built trainer, or say what is different."""
    advice = "Start from weights of the same sizes, or train with the config of those."
    if not weights.is_file():
        raise CheckpointError(f"There is no file {weights} to start from. Give a .weights.h5 or a .npz file.")
    if weights.suffix == ".npz":
        cloner = load_cloner(weights, audio=trainer.cloner.config.audio)
        require_same(cloner.config.to_dict(), identity["model"], what=f"{weights} was made", advice=advice)
        trainer.cloner.set_weights(cloner.get_weights())
        return
    if (weights.parent / "state.json").is_file():
        then = read_state(weights.parent)["identity"]
        sizes = {name: identity[name] for name in ("model", "speakers")}
        require_same(then, sizes, what=f"{weights} was made", advice=advice)
    try:
        trainer.load_weights(weights)
    except DAMAGED as error:
        raise CheckpointError(
            f"The weights {weights} ({weights.stat().st_size} bytes) do not fit this model or are damaged "
            f"({str(error)[:120]}). {advice}"
        ) from error
