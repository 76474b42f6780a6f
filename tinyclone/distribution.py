"""Training on several GPUs or machines: the strategies of `tf.distribute`, made to fit `keras.Model.fit`.

Every replica takes an equal share of the rows of every batch, so that a step is the step that one replica
would take with the whole batch. Two places of Keras 3 do not know what TensorFlow's strategies need; see
`distributed`.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyclone.errors import TrainingError

if TYPE_CHECKING:
    import numpy as np

STRATEGIES = ("none", "mirrored", "multiworker")
EXAMPLE = (
    '\'{"cluster": {"worker": ["10.0.0.1:12345", "10.0.0.2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}\''
)


@contextmanager
def training_scope(strategy: str = "none") -> Iterator[Any]:
    """Enter the scope in which a model must be made, compiled and fitted.

    Parameters
    ----------
    strategy : {"none", "mirrored", "multiworker"}
        ``mirrored`` uses all GPUs of this machine. ``multiworker`` uses all machines that the environment
        variable ``TF_CONFIG`` names; start the same program on each of them, with its own ``index``. It
        must be entered before TensorFlow computes anything, and waits for all machines.

    Yields
    ------
    tf.distribute.Strategy or None
        None for ``none``.

    Raises
    ------
    TrainingError
        If the name is unknown, Keras does not run on TensorFlow, ``TF_CONFIG`` is missing or wrong, or
        TensorFlow has already been used.

    Notes
    -----
    https://www.tensorflow.org/guide/distributed_training says what a strategy is and how ``TF_CONFIG``
    is written.

    Lesson: lessons/05_gpu_training.ipynb
    """
    chosen = _strategy(strategy, os.environ.get("TF_CONFIG") if strategy == "multiworker" else None)
    with chosen.scope() if chosen is not None else nullcontext():
        yield chosen


@functools.cache
def _strategy(name: str, tf_config: str | None) -> Any:
    """Make a strategy once: the collective operations of TensorFlow can only be set up once."""
    if name not in STRATEGIES:
        raise TrainingError(f"The strategy is {name!r}, expected one of {', '.join(STRATEGIES)}.")
    if name == "none":
        return None
    alone = name == "mirrored" or len(read_cluster(tf_config)[0]) == 1
    import keras

    if keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"The strategy {name!r} belongs to TensorFlow, but Keras runs on {keras.backend.backend()}. "
            "Set KERAS_BACKEND=tensorflow, or train with --strategy none."
        )
    import tensorflow

    if alone:
        return tensorflow.distribute.MirroredStrategy()
    try:
        return tensorflow.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise TrainingError(
            "TensorFlow has computed something before the workers were joined, which it does not allow. "
            "Enter training_scope('multiworker') first: before a model is made or speech is aligned."
        ) from error


def read_cluster(tf_config: str | None) -> tuple[list[str], str, int]:
    """Read ``TF_CONFIG``: the addresses of all workers, and the type and the index of this one.

    Parameters
    ----------
    tf_config : str or None
        The environment variable's value.

    Raises
    ------
    TrainingError
        If it is missing, is not JSON, or names no workers or none that is this process.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if not tf_config:
        raise TrainingError(
            "The environment variable TF_CONFIG is not set; it tells each machine who takes part. "
            f"Set it on each with its own index, such as TF_CONFIG={EXAMPLE}"
        )
    try:
        config = json.loads(tf_config)
    except json.JSONDecodeError as error:
        raise TrainingError(f"TF_CONFIG is not JSON: {tf_config[:80]!r}. Write {EXAMPLE}") from error
    config = config if isinstance(config, dict) else {}
    cluster, task = config.get("cluster"), config.get("task")
    workers = cluster.get("worker") if isinstance(cluster, dict) else None
    if not isinstance(workers, list) or not workers or not all(isinstance(one, str) for one in workers):
        raise TrainingError(f"TF_CONFIG names no list of workers: {tf_config[:80]!r}. Write {EXAMPLE}")
    type_, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    addresses = cluster.get(type_) if type_ in ("chief", "worker") else None
    if not addresses or not isinstance(index, int) or not 0 <= index < len(addresses):
        raise TrainingError(
            f"The task of TF_CONFIG is {task!r}, expected one of the cluster: type 'worker' and index 0 to "
            f"{len(workers) - 1}. Each machine has its own index."
        )
    return [*cluster.get("chief", []), *workers], type_, index


def is_chief() -> bool:
    """Return whether this process keeps the checkpoints: the chief, the first worker, or the only process."""
    tf_config = os.environ.get("TF_CONFIG")
    if not tf_config:
        return True
    workers, type_, index = read_cluster(tf_config)
    has_chief = len(workers) > len(json.loads(tf_config)["cluster"]["worker"])
    return type_ == "chief" or (index == 0 and not has_chief)


@contextmanager
def chief_folder(run: Path, strategy: str) -> Iterator[Path]:
    """Return `run` to the chief, and to other workers a folder that is removed again.

    Reading a distributed variable may need every worker, so all of them save; only one copy is wanted.
    A run is resumed from what lies in `run`: all machines must see that folder.
    """
    if strategy != "multiworker" or is_chief():
        yield run
        return
    with tempfile.TemporaryDirectory(prefix="tinyclone-worker-") as folder:
        yield Path(folder)


def replicas() -> int:
    """Return how many copies of the model share a step in the current scope: 1 outside of any."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow

    return tensorflow.distribute.get_strategy().num_replicas_in_sync


def replica_mean(value: Any) -> Any:
    """Return the mean of a number over all replicas; the number itself where there is one.

    A mean over a batch that lies on several replicas is the mean of ``sum / replica_mean(weight)``: the
    replicas' own means would count a padded frame here more than a spoken one there.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if replicas() == 1:
        return value
    import tensorflow

    replica = tensorflow.distribute.get_replica_context()
    return value if replica is None else replica.all_reduce(tensorflow.distribute.ReduceOp.MEAN, value)


def share_batches(batches: Sequence, strategy: Any) -> Any:
    """Give each replica its rows of every batch, over and over.

    Parameters
    ----------
    batches : sequence of (inputs, targets)
        Two dictionaries of arrays each whose first axis are the clips; the same on every machine.
    strategy : tf.distribute.Strategy or None
        What `training_scope` yields.

    Returns
    -------
    tf.distribute.DistributedDataset, or `batches` where `strategy` is None
        Endless: `fit` must be told ``steps_per_epoch`` and ``validation_steps``.

    Raises
    ------
    TrainingError
        If a batch has fewer clips than there are replicas.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if strategy is None:
        return batches
    import tensorflow

    everywhere = strategy.num_replicas_in_sync

    def dataset_of_worker(context: Any) -> Any:
        here = everywhere // context.num_input_pipelines
        first = context.input_pipeline_id * here

        def shares() -> Iterator[tuple[dict, dict]]:
            while True:
                for number in range(len(batches)):
                    inputs, targets = batches[number]
                    for replica in range(first, first + here):
                        yield _rows(inputs, replica, everywhere), _rows(targets, replica, everywhere)

        signature = tuple(
            {name: tensorflow.TensorSpec(_loose_shape(value), value.dtype) for name, value in part.items()}
            for part in batches[0]
        )
        dataset = tensorflow.data.Dataset.from_generator(shares, output_signature=signature)
        return dataset.prefetch(tensorflow.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(dataset_of_worker)


def _rows(arrays: dict[str, np.ndarray], replica: int, everywhere: int) -> dict[str, np.ndarray]:
    """Return the rows of one replica out of `everywhere`; the first ones get one more where they differ."""
    import numpy as np

    n_clips = len(next(iter(arrays.values())))
    if n_clips < everywhere:
        raise TrainingError(
            f"A batch holds {n_clips} clips, too few for {everywhere} replicas. Use fewer, or larger batches."
        )
    return {name: np.array_split(value, everywhere)[replica] for name, value in arrays.items()}


def _loose_shape(value: np.ndarray) -> tuple[int | None, ...]:
    """Leave open what differs between buckets: clips, frames and tokens, but not channels."""
    return (None, None)[: value.ndim] + value.shape[2:]


def distributed(trainer_class: type, strategy: Any) -> type:
    """Return the class of a trainer that `fit` can train under a strategy; the class itself without one.

    Its loss is the replica's share of the whole batch's loss: `tf.distribute` adds gradients up. Keras 3
    (seen in 3.15) cannot build a model from batches of dictionaries that lie on several replicas, so the
    model must be built before. With several workers it averages what a step returns over a first axis,
    which numbers do not have: they get one.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    if strategy is None:
        return trainer_class

    import tensorflow

    joined = isinstance(strategy, tensorflow.distribute.MultiWorkerMirroredStrategy)

    def with_axis(logs: dict) -> dict:
        return {name: value[None] for name, value in logs.items()} if joined else logs

    class DistributedTrainer(trainer_class):
        def compute_loss(self, *args: Any, **options: Any) -> Any:
            return super().compute_loss(*args, **options) / strategy.num_replicas_in_sync

        def train_step(self, data: Any) -> dict:
            return with_axis(super().train_step(data))

        def test_step(self, data: Any) -> dict:
            return with_axis(super().test_step(data))

        def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
            """Do nothing: the model is built."""

    DistributedTrainer.__name__ = trainer_class.__name__
    return DistributedTrainer
