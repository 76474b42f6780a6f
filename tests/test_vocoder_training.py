"""Training the vocoder: losses, learning one clip by heart, checkpoints that resume, and refusals."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from made_recordings import made_recordings, small_vocoder, small_vocoder_config
from power_cut import PowerCut, power_cut_at

from tinyclone.errors import CheckpointError, TrainingError
from tinyclone.pulses import class_of_pitch

pytestmark = pytest.mark.slow


def made_batches(*, steps: int = 6, **changes):
    from tinyclone.vocoder_batches import VocoderBatches

    arguments = {"config": small_vocoder_config(), "steps": steps, "clips": 2, "frames": 33, **changes}
    return VocoderBatches(made_recordings(), **arguments)


def train(run, *, batches=None, **changes):
    from tinyclone.vocoder_training import train_vocoder

    arguments = {"config": small_vocoder_config(), "epochs": 3, "warmup_steps": 2, **changes}
    return train_vocoder(run, batches or made_batches(), **arguments)


def test_pitch_losses_by_hand():
    from tinyclone.vocoder_training import pitch_losses

    pitch_hz = np.array([[150.0, 0.0, 220.0]], np.float32)
    flat = np.zeros((1, 3, 65), np.float32)
    losses = pitch_losses(pitch_hz, flat)
    assert float(losses["pitch"]) == pytest.approx(np.log(64), rel=1e-5)
    assert float(losses["voicing"]) == pytest.approx(np.log(2), rel=1e-5)
    place = class_of_pitch(pitch_hz, n_classes=64)[..., None]
    right = np.concatenate([-0.5 * (np.arange(64) - place) ** 2, [[[9.0], [-9.0], [9.0]]]], axis=-1)
    losses = pitch_losses(pitch_hz, right.astype(np.float32))
    assert float(losses["pitch"]) == pytest.approx(0.5 * np.log(2 * np.pi * np.e), rel=1e-3)
    assert float(losses["voicing"]) < 2e-4
    right[0, 1, :64] = 100 * np.random.default_rng(0).normal(size=64)  # unvoiced: nothing to know
    again = pitch_losses(pitch_hz, right.astype(np.float32))
    assert float(again["pitch"]) == pytest.approx(float(losses["pitch"]), rel=1e-5)


def test_it_learns_a_clip_by_heart():
    import keras

    from tinyclone.pulses import pitch_from_scores
    from tinyclone.vocoder import Vocoder
    from tinyclone.vocoder_training import VocoderTrainer

    keras.utils.set_random_seed(0)
    vocoder = Vocoder(small_vocoder_config(channels=32, hidden_channels=64))
    trainer = VocoderTrainer(vocoder)
    trainer.compile(optimizer=keras.optimizers.Adam(5e-3, clipnorm=1.0))
    inputs, targets = made_batches(weights={"other": 0.0})[0]
    first = trainer.train_on_batch(inputs, targets, return_dict=True)
    for _ in range(80):
        trainer.reset_metrics()
        last = trainer.train_on_batch(inputs, targets, return_dict=True)
    assert last["convergence"] < 0.6 * first["convergence"]
    assert last["log_magnitude"] < 0.6 * first["log_magnitude"]
    assert last["mel"] < 0.3 * first["mel"]
    # It has learned to read the pitch too, and speaks without being told.
    heard = pitch_from_scores(np.asarray(vocoder(inputs)["pitch_scores"])[0])
    known = targets["pitch_hz"][0]
    assert ((heard > 0) == (known > 0)).mean() > 0.9
    voiced = (heard > 0) & (known > 0)
    np.testing.assert_allclose(heard[voiced], known[voiced], rtol=0.05)


def test_with_critics_a_step_trains_both_and_the_critics_learn():
    import keras

    from tinyclone.vocoder_training import VocoderTrainer

    keras.utils.set_random_seed(0)
    trainer = VocoderTrainer(small_vocoder(), adversarial_weight=0.3)
    inputs, targets = made_batches()[0]
    trainer(inputs)
    assert sum(len(critic.trainable_variables) for critic in trainer.critics) == 30
    trainer.compile(optimizer=keras.optimizers.Adam(1e-3))
    before = [np.asarray(variable) for variable in trainer.trainable_variables]
    first = trainer.train_on_batch(inputs, targets, return_dict=True)
    after = [np.asarray(variable) for variable in trainer.trainable_variables]
    assert all(np.any(one != other) for one, other in zip(before, after))
    for _ in range(10):
        trainer.reset_metrics()
        last = trainer.train_on_batch(inputs, targets, return_dict=True)
    assert last["critic"] < first["critic"] and np.isfinite(last["loss"])


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole = train(tmp_path / "whole", adversarial_weight=0.1)
    with pytest.raises(PowerCut):
        train(tmp_path / "cut", adversarial_weight=0.1, callbacks=[power_cut_at(5)])
    resumed = train(tmp_path / "cut", adversarial_weight=0.1)
    pairs = zip(whole.weights, resumed.weights)
    differences = [np.abs(np.asarray(one) - np.asarray(other)).ravel() for one, other in pairs]
    # Where a gradient is nearly zero, the last bit of a sum decides the sign of Adam's step of up to 1e-3.
    assert np.mean(np.concatenate(differences)) < 3e-5
    with open(tmp_path / "cut" / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


def test_a_run_leaves_a_vocoder_and_is_not_trained_again(tmp_path):
    from tinyclone.vocoder_weights import load_vocoder

    first = train(tmp_path, ema_momentum=0.5)
    loaded = load_vocoder(tmp_path / "vocoder.npz")
    assert not (tmp_path / "cloner.npz").exists()
    for expected, got in zip(first.weights, loaded.weights):
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-3, atol=1e-6)
    written = (tmp_path / "state.json").stat().st_mtime_ns
    second = train(tmp_path, ema_momentum=0.5)
    assert (tmp_path / "state.json").stat().st_mtime_ns == written
    for expected, got in zip(first.weights, second.weights):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_a_run_of_another_config_or_other_data_is_refused_and_named(tmp_path):
    train(tmp_path, epochs=1)
    with pytest.raises(CheckpointError, match=r"model.n_blocks = 1 \(now 2\)"):
        train(tmp_path, epochs=1, config=small_vocoder_config(n_blocks=2))
    with pytest.raises(CheckpointError, match="data = "):
        train(tmp_path, epochs=1, batches=made_batches(clips=3))
    with pytest.raises(CheckpointError, match=r"adversarial_weight = 0.0 \(now 0.5\)"):
        train(tmp_path, epochs=1, adversarial_weight=0.5)
    with pytest.raises(TrainingError, match="7 epochs of 6 steps"):
        train(tmp_path, epochs=7)


def test_a_stage_starts_from_the_weights_of_the_one_before(tmp_path):
    from tinyclone.vocoder_training import VocoderTrainer, _start_from
    from tinyclone.vocoder_weights import load_vocoder

    train(tmp_path / "one", epochs=1)
    one = tmp_path / "one" / "vocoder.npz"
    still = {"epochs": 1, "learning_rate": 0.0, "adversarial_weight": 0.2}
    two = train(tmp_path / "two", initial_weights=one, **still)
    for expected, got in zip(load_vocoder(one).weights, two.weights):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    with_critics = next((tmp_path / "two").glob("*.weights.h5"))
    third = VocoderTrainer(small_vocoder(), adversarial_weight=0.2)
    third(made_batches()[0][0])
    _start_from(third, with_critics)
    for expected, got in zip(two.weights, third.vocoder.weights):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    without_critics = VocoderTrainer(small_vocoder())
    without_critics(made_batches()[0][0])
    _start_from(without_critics, with_critics)
    for expected, got in zip(two.weights, without_critics.vocoder.weights):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    with pytest.raises(CheckpointError, match="do not fit this model or are damaged"):
        train(tmp_path / "four", initial_weights=next((tmp_path / "one").glob("*.weights.h5")), **still)
    with pytest.raises(CheckpointError, match=r"model.channels|channels = 16 \(now 24\)"):
        train(tmp_path / "five", initial_weights=one, epochs=1, config=small_vocoder_config(channels=24))
    with pytest.raises(CheckpointError, match="There is no file"):
        train(tmp_path / "six", initial_weights=tmp_path / "none.npz", epochs=1)


def test_auditions_speak_held_out_mels(tmp_path):
    from tinyclone.audio import load_audio
    from tinyclone.vocoder_training import CopySynthesis

    mels = {"ann/1": np.full((40, 80), -6.0, np.float32)}
    auditions = CopySynthesis(tmp_path / "heard", mels=mels, every=2)
    train(tmp_path / "run", callbacks=[auditions], validation=made_batches(steps=1, seed=5))
    assert [path.name for path in (tmp_path / "heard").iterdir()] == ["epoch-002_ann-1.wav"]
    assert len(load_audio(tmp_path / "heard" / "epoch-002_ann-1.wav")) == 39 * 256
    with open(tmp_path / "run" / "log.csv", newline="") as file:
        assert all(float(row["val_mel"]) > 0 for row in csv.DictReader(file))


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_clips(tmp_path):
    batches = made_batches()
    batches.recordings.pitch_hz[:] = np.nan
    with pytest.raises(TrainingError, match=r"ann|ben"):
        train(tmp_path, batches=batches)
