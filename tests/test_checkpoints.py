"""Checkpoints are whole or refused: other runs, damaged files, full disks, and averaged weights."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tinyclone import checkpoints as checkpoints_module
from tinyclone.checkpoints import AveragedValidation, Checkpoints, averaged_weights, read_state, require_same
from tinyclone.errors import CheckpointError

IDENTITY = {"model": {"channels": 4, "audio": {"hop": 256}}, "seed": 0, "steps": 6}


class OneLayer(keras.Model):
    """A model with the attribute that a checkpoint exports."""

    def __init__(self) -> None:
        super().__init__()
        self.cloner = keras.layers.Dense(3)

    def call(self, inputs):
        return self.cloner(inputs)


def export(path: Path, layer: keras.layers.Dense) -> None:
    np.savez(path, *layer.get_weights())


@pytest.fixture(autouse=True)
def no_export(monkeypatch):
    """Write the weights of the layer where a real run writes a cloner."""
    monkeypatch.setattr(checkpoints_module, "save_cloner", export)


def trainer(*, ema: bool = False) -> OneLayer:
    keras.utils.set_random_seed(0)
    model = OneLayer()
    model(np.zeros((1, 2), np.float32))
    averaging = {"use_ema": True, "ema_momentum": 0.5} if ema else {}
    model.compile(optimizer=keras.optimizers.Adam(0.1, **averaging), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def fit(run: Path, model: OneLayer, *, epochs: int = 3, ema_callbacks=(), **settings):
    checkpoints = Checkpoints(run, {**IDENTITY, **settings})
    finished = checkpoints.resume(model)
    inputs = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    arguments = {"batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(
        inputs,
        inputs @ np.ones((2, 3), np.float32),
        epochs=epochs,
        initial_epoch=finished,
        callbacks=[*ema_callbacks, checkpoints],
        validation_data=(inputs, inputs @ np.ones((2, 3), np.float32)),
        **arguments,
    )
    return model


@pytest.fixture
def run(tmp_path):
    fit(tmp_path, trainer())
    return tmp_path


def names(run: Path) -> list[str]:
    return sorted(path.name for path in run.glob("*epoch-*"))


def test_the_last_two_are_kept_and_the_state_names_them(run):
    assert names(run) == ["epoch-2.weights.h5", "epoch-3.weights.h5"]
    state = read_state(run)
    assert (state["epochs"], state["weights"]) == (3, "epoch-3.weights.h5")
    assert [one["weights"] for one in state["earlier"]] == ["epoch-2.weights.h5"]
    assert state["identity"] == IDENTITY
    assert sorted(path.name for path in run.iterdir()) == ["cloner.npz", *names(run), "state.json"]


def test_each_difference_is_named_with_its_place(run):
    other = {"model": {"channels": 8, "audio": {"hop": 200}}, "seed": 1}
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(run, {**IDENTITY, **other}).resume(trainer())
    message = str(caught.value)
    for part in ("model.channels = 4 (now 8)", "model.audio.hop = 256 (now 200)", "seed = 0 (now 1)"):
        assert part in message
    assert "steps" not in message and "Choose another folder" in message


def test_what_an_older_version_did_not_note_is_not_compared():
    require_same({"seed": 1}, {"seed": 1, "data": "abc"}, what="A run was started", advice="")


@pytest.mark.parametrize("damage", ["truncated", "one byte", "other file", "empty"])
def test_a_damaged_checkpoint_names_the_earlier_one_which_then_goes_on(run, damage):
    newest = run / "epoch-3.weights.h5"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 255
    contents = {"truncated": content[: len(content) // 2], "one byte": content, "other file": b"<html>"}
    newest.write_bytes(contents.get(damage, b""))
    with pytest.raises(CheckpointError, match=r"epoch-3.weights.h5 .* bytes. is damaged.* epoch-2.weights"):
        Checkpoints(run, IDENTITY).resume(trainer())
    newest.unlink()
    assert Checkpoints(run, IDENTITY).resume(trainer()) == 2


def test_without_an_earlier_one_the_advice_is_to_begin_anew(tmp_path):
    fit(tmp_path, trainer(), epochs=1)
    (tmp_path / "epoch-1.weights.h5").write_bytes(b"")
    with pytest.raises(CheckpointError, match="Delete it and run the same command again to begin anew"):
        Checkpoints(tmp_path, IDENTITY).resume(trainer())
    (tmp_path / "epoch-1.weights.h5").unlink()
    with pytest.raises(CheckpointError, match="names epoch-1.weights.h5, but the file is not there"):
        Checkpoints(tmp_path, IDENTITY).resume(trainer())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"epochs": 3}'])
def test_a_damaged_state_is_an_error_and_no_fresh_start(run, content):
    (run / "state.json").write_text(content)
    with pytest.raises(CheckpointError, match="state.json cannot be read"):
        Checkpoints(run, IDENTITY).resume(trainer())


def test_a_state_of_the_first_version_is_resumed(run):
    state = read_state(run)
    (run / "state.json").write_text(
        json.dumps({name: state[name] for name in ("epochs", "weights", "identity")})
    )
    assert Checkpoints(run, IDENTITY).resume(trainer()) == 3


@pytest.fixture
def full_disk(monkeypatch):
    """Return a callback after whose epoch no file may grow beyond a few bytes, as on a full disk."""
    whole = checkpoints_module.replace_file

    def limited(path: Path, content: bytes) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            whole(path, content)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    class FullDisk(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                monkeypatch.setattr(checkpoints_module, "replace_file", limited)

    yield FullDisk()


def test_a_full_disk_leaves_the_checkpoints_before(tmp_path, full_disk, monkeypatch):
    with pytest.raises(CheckpointError, match="epoch-3.weights.h5 cannot be written.*Cannot write") as caught:
        fit(tmp_path, trainer(), ema_callbacks=[full_disk])
    assert "epoch-2.weights.h5 is whole" in str(caught.value)
    assert names(tmp_path) == ["epoch-1.weights.h5", "epoch-2.weights.h5"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    monkeypatch.undo()
    monkeypatch.setattr(checkpoints_module, "save_cloner", export)
    resumed = fit(tmp_path, trainer())
    (tmp_path / "whole").mkdir()
    whole = fit(tmp_path / "whole", trainer())
    for expected, got in zip(whole.get_weights(), resumed.get_weights()):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_too_little_room_is_noticed_before_it_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(CheckpointError, match="0 MB left.* Of the run, there is none before it"):
        fit(tmp_path, trainer())
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_half_written_is_removed(run):
    (run / ".epoch-4.weights.h5.x7").write_bytes(b"half")
    (run / "epoch-9.weights.h5").write_bytes(b"of another state")
    fit(run, trainer(), epochs=4)
    assert names(run) == ["epoch-3.weights.h5", "epoch-4.weights.h5"]


# --- averaged weights


def test_averages_follow_the_formula_and_the_weights_come_back():
    model = trainer(ema=True)
    history = []
    expected = None
    inputs, targets = np.ones((4, 2), np.float32), np.ones((4, 3), np.float32)
    for _ in range(4):
        model.train_on_batch(inputs, targets)
        history.append([np.array(one) for one in model.trainable_variables])
        now = history[-1]
        expected = now if expected is None else [0.5 * a + 0.5 * b for a, b in zip(expected, now)]
    with averaged_weights(model):
        for got, mean in zip(model.get_weights(), expected):
            np.testing.assert_allclose(got, mean, atol=1e-6)
    for got, last in zip(model.get_weights(), history[-1]):
        np.testing.assert_array_equal(got, last)


def test_without_averages_nothing_changes():
    model = trainer()
    before = model.get_weights()
    with averaged_weights(model):
        for got, expected in zip(model.get_weights(), before):
            np.testing.assert_array_equal(got, expected)


def test_the_export_holds_averages_and_the_checkpoint_the_last_weights(tmp_path):
    class Noted(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.last = self.model.get_weights()
            self.logs = logs
            with averaged_weights(self.model):
                self.mean = self.model.get_weights()

    noted = Noted()
    model = fit(tmp_path, trainer(ema=True), ema_callbacks=[AveragedValidation(), noted])
    exported = list(np.load(tmp_path / "cloner.npz").values())
    resumed = trainer(ema=True)
    Checkpoints(tmp_path, IDENTITY).resume(resumed)
    for got, mean, last, final in zip(exported, noted.mean, noted.last, model.get_weights()):
        np.testing.assert_allclose(got, mean, atol=1e-7)
        np.testing.assert_array_equal(final, mean)
        assert np.abs(mean - last).max() > 1e-3
    for got, last in zip(resumed.get_weights(), noted.last):
        np.testing.assert_array_equal(got, last)
    inputs = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    error = inputs @ noted.mean[0] + noted.mean[1] - inputs @ np.ones((2, 3))
    assert noted.logs["val_loss"] == pytest.approx(np.mean(error**2), rel=1e-4)
