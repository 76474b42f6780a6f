"""Training the cloner with `fit`: what decides the outcome, precision, and weights to start from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

from tinyclone.batching import BatchSequence
from tinyclone.callbacks import Auditions
from tinyclone.checkpoints import Checkpoints, read_state, require_same
from tinyclone.cloner import Cloner, ClonerConfig
from tinyclone.distribution import chief_folder, distributed, training_scope
from tinyclone.fitting import fit_or_go_on, load_start, require_start, require_writable, steps_of_epoch
from tinyclone.pretrained import load_cloner
from tinyclone.trainer import ClonerTrainer

__all__ = ["Auditions", "Checkpoints", "mixed_policy", "train_cloner"]


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
    steps_of_epoch(batches, epochs)
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
        fit_or_go_on(
            trainer,
            batches,
            checkpoints=Checkpoints(run, identity),
            epochs=epochs,
            validation=validation,
            learning_rate=learning_rate,
            warmup_steps=warmup_steps,
            ema_momentum=ema_momentum,
            callbacks=callbacks,
            scope=scope,
            own_folder=own_folder,
        )
    if not mixed_precision and scope is None:
        return trainer.cloner
    plain = Cloner(config).build_all()
    plain.set_weights(trainer.cloner.get_weights())
    return plain


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


def _start_from(trainer: ClonerTrainer, weights: Path, identity: dict) -> None:
    """Load the weights of an earlier training into a built trainer, or say what is different."""
    advice = "Start from weights of the same sizes, or train with the config of those."
    require_start(weights)
    if weights.suffix == ".npz":
        cloner = load_cloner(weights, audio=trainer.cloner.config.audio)
        require_same(cloner.config.to_dict(), identity["model"], what=f"{weights} was made", advice=advice)
        trainer.cloner.set_weights(cloner.get_weights())
        return
    if (weights.parent / "state.json").is_file():
        then = read_state(weights.parent)["identity"]
        sizes = {name: identity[name] for name in ("model", "speakers")}
        require_same(then, sizes, what=f"{weights} was made", advice=advice)
    load_start(trainer, weights, advice=advice)
