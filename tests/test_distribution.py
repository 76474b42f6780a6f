"""Strategies: what TF_CONFIG must say, rows shared out, and two processes that train as one would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tinyclone import distribution
from tinyclone.distribution import (
    chief_folder,
    distributed,
    is_chief,
    read_cluster,
    replica_mean,
    replicas,
    share_batches,
    training_scope,
)
from tinyclone.errors import TrainingError

HERE = Path(__file__).resolve().parent
# Sums in another order, and where a gradient is nearly zero, its last bit decides the sign of Adam's step.
TOLERANCE = 1e-4
WORKERS = ["127.0.0.1:2001", "127.0.0.1:2002"]
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute belongs to TensorFlow"
)


def tf_config(index: int = 0, *, workers: list[str] = WORKERS, type_: str = "worker", **others) -> str:
    cluster = {"worker": workers, **others}
    return json.dumps({"cluster": cluster, "task": {"type": type_, "index": index}})


def test_without_a_strategy_nothing_changes():
    with training_scope("none") as strategy:
        assert strategy is None
        assert replicas() == 1
        assert replica_mean(3.0) == 3.0
    batches = [({"tokens": np.zeros((4, 2))}, {})]
    assert share_batches(batches, None) is batches
    assert distributed(dict, None) is dict


def test_an_unknown_strategy_is_refused_and_the_known_are_named():
    with pytest.raises(TrainingError, match="'tpu', expected one of none, mirrored, multiworker"):
        with training_scope("tpu"):
            pass


def test_multiworker_without_tf_config_says_what_to_set(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(TrainingError, match="TF_CONFIG is not set.*each with its own index.*cluster"):
        with training_scope("multiworker"):
            pass


@pytest.mark.parametrize(
    "value, message",
    [
        ("worker 0", "TF_CONFIG is not JSON: 'worker 0'"),
        ("[]", "names no list of workers"),
        ('{"cluster": {}, "task": {"type": "worker", "index": 0}}', "names no list of workers"),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', "no list of workers"),
        ('{"cluster": {"worker": []}}', "names no list of workers"),
        (json.dumps({"cluster": {"worker": WORKERS}}), "The task of TF_CONFIG is None.*index 0 to 1"),
        (tf_config(2), "index 0 to 1"),
        (tf_config(-1), "index 0 to 1"),
        (tf_config(0, type_="ps"), "type 'worker'"),
        (tf_config(0, type_="chief"), "type 'worker'"),
    ],
)
def test_a_wrong_tf_config_is_refused_before_tensorflow_waits(monkeypatch, value, message):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(TrainingError, match=message):
        with training_scope("multiworker"):
            pass


def test_a_cluster_is_read():
    assert read_cluster(tf_config(1)) == (WORKERS, "worker", 1)
    assert read_cluster(tf_config(0, type_="chief", chief=["a:1"])) == (["a:1", *WORKERS], "chief", 0)


@pytest.mark.parametrize(
    "value, expected",
    [
        (None, True),
        (tf_config(0), True),
        (tf_config(1), False),
        (tf_config(0, chief=["127.0.0.1:2000"]), False),
        (tf_config(0, type_="chief", chief=["127.0.0.1:2000"]), True),
    ],
)
def test_one_process_is_the_chief(monkeypatch, value, expected):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value:
        monkeypatch.setenv("TF_CONFIG", value)
    assert is_chief() is expected


def test_only_the_chief_writes_into_the_run(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", tf_config(1))
    with chief_folder(tmp_path, "multiworker") as folder:
        assert folder != tmp_path
        (folder / "cloner.npz").write_bytes(b"thrown away")
    assert not folder.exists()
    # TF_CONFIG may be left over from another training.
    with chief_folder(tmp_path, "none") as folder:
        assert folder == tmp_path
    monkeypatch.setenv("TF_CONFIG", tf_config(0))
    with chief_folder(tmp_path, "multiworker") as folder:
        assert folder == tmp_path


def test_a_strategy_of_tensorflow_needs_tensorflow(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    distribution._strategy.cache_clear()
    with pytest.raises(TrainingError, match="'mirrored' belongs to TensorFlow, but Keras runs on jax"):
        with training_scope("mirrored"):
            pass
    assert replicas() == 1


def test_rows_are_shared_out_once_and_in_order():
    rows = {"tokens": np.arange(11), "mel": np.arange(22).reshape(11, 2)}
    shares = [distribution._rows(rows, replica, 3) for replica in range(3)]
    assert [len(share["tokens"]) for share in shares] == [4, 4, 3]
    for name, value in rows.items():
        np.testing.assert_array_equal(np.concatenate([share[name] for share in shares]), value)


def test_a_batch_smaller_than_the_replicas_is_refused():
    with pytest.raises(TrainingError, match="2 clips, too few for 3 replicas"):
        distribution._rows({"tokens": np.arange(2)}, 0, 3)


@on_tensorflow
def test_workers_are_joined_before_tensorflow_computes():
    code = (
        "import tensorflow as tf, tinyclone.distribution as d; tf.zeros(1) + 1\n"
        "try:\n    d.training_scope('multiworker').__enter__()\n"
        "except d.TrainingError as error:\n    print(error)"
    )
    environment = {**os.environ, "TF_CONFIG": tf_config(0, workers=[free_address(), free_address()])}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=True)
    assert "Enter training_scope('multiworker') first" in run.stdout


def free_address() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def start(strategy: str, run: Path, **environment: str) -> subprocess.Popen:
    variables = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    return subprocess.Popen(
        [sys.executable, str(HERE / "two_workers.py"), strategy, str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**variables, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow", **environment},
    )


def result_of(process: subprocess.Popen) -> dict:
    out, errors = process.communicate(timeout=3000)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict:
    """What one process says of the training."""
    return result_of(start("none", tmp_path_factory.mktemp("alone")))


@on_tensorflow
@pytest.mark.slow
def test_two_workers_train_as_one_process_does(alone, tmp_path):
    workers = [free_address(), free_address()]
    processes = [
        start("multiworker", tmp_path / "shared", TF_CONFIG=tf_config(index, workers=workers))
        for index in range(2)
    ]
    first, second = (result_of(process) for process in processes)
    # All workers see one and the same training.
    assert first == second
    assert len(first["epochs"]) == len(alone["epochs"]) == 2
    for ours, expected in zip(first["epochs"], alone["epochs"]):
        assert set(ours) == set(expected)
        for name, value in expected.items():
            assert ours[name] == pytest.approx(value, rel=TOLERANCE), name
    assert first["size_of_weights"] == pytest.approx(alone["size_of_weights"], rel=1e-5)
    written = {path.name for path in (tmp_path / "shared").iterdir()}
    assert {"cloner.npz", "state.json", "log.csv", "epoch-2.weights.h5"} <= written
    assert len((tmp_path / "shared" / "log.csv").read_text().splitlines()) == 3


@on_tensorflow
@pytest.mark.slow
def test_two_replicas_of_one_process_train_as_one_does(alone, tmp_path):
    """Two processors in place of two graphics cards."""
    code = (
        "import runpy, sys, tensorflow as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "halves = [tf.config.LogicalDeviceConfiguration()] * 2\n"
        "tf.config.set_logical_device_configuration(cpu, halves)\n"
        "mirrored = tf.distribute.MirroredStrategy\n"
        "tf.distribute.MirroredStrategy = lambda: mirrored(['CPU:0', 'CPU:1'])\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "import json, pathlib, two_workers\n"
        f"print(json.dumps(two_workers.train('mirrored', pathlib.Path({str(tmp_path / 'two')!r}))))"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", code]
    two = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=3000, check=False)
    assert two.returncode == 0, two.stderr[-3000:]
    ours = json.loads(two.stdout.strip().splitlines()[-1])
    for one, other in zip(ours["epochs"], alone["epochs"], strict=True):
        for name, value in other.items():
            assert one[name] == pytest.approx(value, rel=TOLERANCE), name
