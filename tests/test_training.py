"""Training: losses by hand, checkpoints that resume to the same weights, and refusals."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_corpus import SMALL, made_corpus
from power_cut import PowerCut, power_cut_at

from tinyclone.errors import CheckpointError, TinycloneError, TrainingError

TESTS = Path(__file__).resolve().parent
TWO_SHAPES = ((64, 40, 3), (96, 60, 2))


def made_batches(*, steps: int = 12, **settings):
    from tinyclone.batching import BatchSequence

    features, alignments = made_corpus()
    arguments = {"config": SMALL, "speakers": ["ann", "ben"], **settings}
    return BatchSequence(features, alignments, steps=steps, **arguments)


def train(run, *, batches=None, **changes):
    from tinyclone.training import train_cloner

    arguments = {"config": SMALL, "epochs": 3, "warmup_steps": 2, **changes}
    return train_cloner(run, batches or made_batches(), **arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of three epochs that nothing disturbed: its folder, to be copied or read, and its model."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, train(folder)


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 7])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(finished, tmp_path, step):
    _, whole = finished
    with pytest.raises(PowerCut):
        train(tmp_path / "cut", callbacks=[power_cut_at(step)])
    resumed = train(tmp_path / "cut")
    pairs = zip(whole.weights, resumed.weights)
    differences = [np.abs(np.asarray(one) - np.asarray(other)).ravel() for one, other in pairs]
    # Where a gradient is nearly zero, the last bit of a sum decides the sign of Adam's step.
    assert np.mean(np.concatenate(differences) < 1e-5) > 0.999
    with open(tmp_path / "cut" / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


def test_a_finished_run_is_not_trained_again(finished, tmp_path):
    folder, first = finished
    run = shutil.copytree(folder, tmp_path / "run")
    written = (run / "state.json").stat().st_mtime_ns
    second = train(run)
    assert (run / "state.json").stat().st_mtime_ns == written
    for expected, got in zip(first.weights, second.weights):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


@pytest.mark.slow
def test_a_run_of_another_config_is_refused_and_named(finished, tmp_path):
    run = shutil.copytree(finished[0], tmp_path / "run")
    with pytest.raises(CheckpointError, match="model.dropout = 0.1 .now 0.3."):
        train(run, config=dataclasses.replace(SMALL, dropout=0.3))
    with pytest.raises(CheckpointError, match="epochs = 3 .now 9."):
        train(run, epochs=9)


@pytest.mark.slow
def test_auditions_speak_held_out_sentences(tmp_path):
    from tinyclone.audio import load_audio
    from tinyclone.training import Auditions

    reference = np.full((70, 80), -5.0, np.float32)
    auditions = Auditions(tmp_path / "heard", references={"ann": reference}, texts=["Hello."], every=2)
    train(tmp_path / "run", callbacks=[auditions])
    assert [path.name for path in (tmp_path / "heard").iterdir()] == ["epoch-002_ann_0.wav"]
    assert len(load_audio(tmp_path / "heard" / "epoch-002_ann_0.wav")) > 0


@pytest.mark.gpu
def test_on_a_gpu_training_in_mixed_precision_uses_it(tmp_path):
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("where memory is counted, on TensorFlow")
    import tensorflow

    class Policies(keras.callbacks.Callback):
        seen: list[str] = []

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append(self.model.cloner.compute_dtype)

    assert tensorflow.config.list_physical_devices("GPU"), "tinyclone doctor says how to mend it"
    tensorflow.config.experimental.reset_memory_stats("GPU:0")
    before = tensorflow.config.experimental.get_memory_info("GPU:0")["current"]
    cloner = train(tmp_path, callbacks=[Policies()], mixed_precision=True)
    used = tensorflow.config.experimental.get_memory_info("GPU:0")["peak"] - before
    assert set(Policies.seen) == {"float16"} and len(Policies.seen) == 12
    assert all("GPU" in weight.value.device for weight in cloner.weights)
    # The weights in single precision and Adam's two averages of them, and what is computed on the way.
    assert used > 3 * 4 * cloner.count_params()


# --- killed


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    import h5py

    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return arrays


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no SIGKILL on this system")
def test_a_run_killed_at_random_moments_ends_with_the_same_weights_averages_and_rows(tmp_path):
    done = subprocess.run(
        [sys.executable, str(TESTS / "killed_training.py"), str(tmp_path), "3", "1"],
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ends = done.stdout.splitlines()[-1].split()
    assert ends[0] == ends[-1] == "0" and "-9" in ends[1:-1] and set(ends) == {"0", "-9"}
    whole, cut = (arrays_of(tmp_path / name / "epoch-6.weights.h5") for name in ("whole", "cut"))
    assert set(whole) == set(cut) and len(whole) > 100
    for name in whole:
        np.testing.assert_array_equal(cut[name], whole[name], err_msg=name)
    assert any("average" in name for name in whole) or len(whole) > 200
    exports = [np.load(tmp_path / name / "cloner.npz") for name in ("whole", "cut")]
    for name in exports[0].files:
        np.testing.assert_array_equal(exports[0][name], exports[1][name], err_msg=name)
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1] and logs[0].count("\n") == 7


# --- averages, starts and precision


@pytest.mark.slow
def test_averaged_weights_are_exported_returned_and_kept_over_a_restart(tmp_path):
    from tinyclone.pretrained import load_cloner

    trained = train(tmp_path, ema_momentum=0.8, validation=made_batches(steps=2))
    again = train(tmp_path, ema_momentum=0.8, validation=made_batches(steps=2))
    exported = load_cloner(tmp_path / "cloner.npz")
    last = arrays_of(tmp_path / "epoch-3.weights.h5")
    for one, other, saved in zip(trained.weights, again.weights, exported.weights):
        np.testing.assert_allclose(np.asarray(other), np.asarray(one), atol=1e-6)
        np.testing.assert_allclose(np.asarray(saved), np.asarray(one), atol=2e-3)
    means = [np.asarray(one) for one in trained.trainable_weights]
    raw = [value for value in last.values() if value.shape == means[0].shape]
    assert all(np.abs(value - means[0]).max() > 0 for value in raw[:1])
    with open(tmp_path / "log.csv", newline="") as file:
        assert all(float(row["val_loss"]) > 0 for row in csv.DictReader(file))


@pytest.mark.slow
def test_a_run_starts_from_an_exported_model_or_from_a_checkpoint(finished, tmp_path):
    folder, first = finished
    for name, weights in (("npz", "cloner.npz"), ("h5", "epoch-3.weights.h5")):
        second = train(tmp_path / name, initial_weights=folder / weights, learning_rate=1e-9)
        for expected, got in zip(first.weights, second.weights):
            np.testing.assert_allclose(np.asarray(got), np.asarray(expected), atol=2e-3)


@pytest.mark.slow
def test_a_start_that_does_not_fit_is_refused_and_named(finished, tmp_path):
    other = dataclasses.replace(SMALL, decoder_channels=24)
    for weights in ("cloner.npz", "epoch-3.weights.h5"):
        with pytest.raises(CheckpointError, match="was made with .*decoder_channels = 16 .now 24."):
            train(tmp_path / "second", config=other, initial_weights=finished[0] / weights)
    with pytest.raises(CheckpointError, match="There is no file .*nothing.npz to start from"):
        train(tmp_path / "second", initial_weights=tmp_path / "nothing.npz")
    (tmp_path / "bad.weights.h5").write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match="do not fit this model or are damaged"):
        train(tmp_path / "second", initial_weights=tmp_path / "bad.weights.h5")


@pytest.mark.slow
def test_half_precision_trains_and_leaves_the_global_policy_as_it_was(tmp_path):
    import keras

    cloner = train(tmp_path, mixed_precision=True, ema_momentum=0.9)
    assert keras.config.dtype_policy().name == "float32"
    assert {str(one.dtype) for one in cloner.trainable_weights} == {"float32"}
    assert cloner.decoder.entry.compute_dtype == "float32"
    with open(tmp_path / "log.csv", newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_the_global_policy_comes_back_after_an_error():
    import keras

    from tinyclone.training import mixed_policy

    with pytest.raises(PowerCut), mixed_policy():
        assert keras.config.dtype_policy().name in ("mixed_float16", "mixed_bfloat16")
        raise PowerCut
    assert keras.config.dtype_policy().name == "float32"


# --- bad input


@pytest.mark.slow
def test_a_broken_clip_stops_the_training_by_its_name_and_the_checkpoint_before_is_good(tmp_path):
    import keras

    batches = made_batches(steps=40)
    clip = next(one for one in batches.features if (one.id, one.speaker) == ("We like tea.", "ben"))

    class Break(keras.callbacks.Callback):
        """Spoil a clip after the first epoch; batches that were made before stay as they are."""

        def on_epoch_end(self, epoch, logs=None):
            clip.mel[10, 3] = np.nan

    with pytest.raises(TrainingError, match=r"not finite: We like tea. .ben.. Take them out"):
        train(tmp_path, batches=batches, epochs=10, callbacks=[Break()])
    kept = sorted(tmp_path.glob("epoch-*.weights.h5"))
    assert 1 <= len(kept) <= 2
    assert all(np.isfinite(value).all() for path in kept for value in arrays_of(path).values())


def test_a_folder_that_cannot_be_written_in_is_refused_before_anything_is_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written in .*Choose another"):
        train(tmp_path / "file" / "run")
    if Path("/proc/self").is_dir():
        with pytest.raises(CheckpointError, match="cannot be written in"):
            train(Path("/proc/self"))


@pytest.mark.parametrize("epochs", [0, 13])
def test_epochs_that_no_steps_fill_are_refused(tmp_path, epochs):
    with pytest.raises(TrainingError, match=f"{epochs} epochs of 12 steps: expected 1 to 12"):
        train(tmp_path, epochs=epochs)


def test_an_unknown_strategy_is_refused(tmp_path):
    with pytest.raises(TinycloneError, match="'telepathy'"):
        train(tmp_path, strategy="telepathy")


# --- the input pipeline


def test_the_pipeline_gives_the_batches_in_order_whatever_their_shapes():
    from tinyclone.fitting import input_pipeline

    # The first batches have one shape, later ones another: a signature of the first alone would refuse them.
    batches = made_batches(steps=30, buckets=TWO_SHAPES, first_step=4)
    sizes = [len(batches[index][1]["speaker"]) for index in range(26)]
    assert set(sizes) == {2, 3}
    made = list(input_pipeline(batches))
    assert [len(targets["speaker"]) for _, targets in made] == sizes
    for (inputs, targets), expected in zip(made, (batches[index] for index in range(26))):
        for got, wanted in ((inputs, expected[0]), (targets, expected[1])):
            assert set(got) == set(wanted)
            for name in wanted:
                np.testing.assert_array_equal(np.asarray(got[name]), wanted[name])
                assert np.asarray(got[name]).dtype == wanted[name].dtype


def test_batches_are_made_ahead_and_no_further_than_a_few():
    from tinyclone.fitting import BATCHES_AHEAD, _made_ahead

    class Slow(list):
        asked = 0

        def __getitem__(self, index):
            self.asked = max(self.asked, index)
            return super().__getitem__(index)

    numbers = Slow(range(100))
    taken = _made_ahead(numbers)
    assert [next(taken), next(taken)] == [0, 1]
    taken.close()
    assert 1 < numbers.asked <= BATCHES_AHEAD + 2
    assert list(_made_ahead(Slow(range(30)))) == list(range(30))


def test_an_error_in_a_batch_reaches_the_training():
    from tinyclone.fitting import _made_ahead

    with pytest.raises(ZeroDivisionError):
        list(_made_ahead(type("Bad", (list,), {"__getitem__": lambda self, index: 1 // 0})([1, 2])))


def test_losses_by_hand():
    from tinyclone.cloner import Cloner
    from tinyclone.trainer import SPEAKER_LOSS_WEIGHT, VARIANCE_LOSS_WEIGHTS, ClonerTrainer

    trainer = ClonerTrainer(Cloner(SMALL), n_speakers=2)
    x = {"frame_mask": np.array([[1, 1, 0]], np.float32), "tokens": np.array([[5, 6, 0]])}
    y = {
        "mel": np.zeros((1, 3, 4), np.float32),
        "variances": np.zeros((1, 3, 4), np.float32),
        "variance_weights": np.ones((1, 3, 4), np.float32),
        "speaker": np.array([1]),
    }
    predicted = {
        "mel": np.full((1, 3, 4), 2.0, np.float32),
        "variances": np.array([[[1.0, 3, 0, 2], [1, 3, 0, 2], [9, 9, 9, 9]]], np.float32),
        "speaker": np.zeros((1, 2), np.float32),
    }
    variances = np.dot(VARIANCE_LOSS_WEIGHTS, [1, 9, np.log(2), 4])
    expected = 2 + 4 + variances + SPEAKER_LOSS_WEIGHT * np.log(2)
    assert float(trainer.compute_loss(x, y, predicted)) == pytest.approx(expected, rel=1e-5)
    y["speaker"] = np.array([-1])
    expected -= SPEAKER_LOSS_WEIGHT * np.log(2)
    assert float(trainer.compute_loss(x, y, predicted)) == pytest.approx(expected, rel=1e-5)
