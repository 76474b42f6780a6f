"""Training: losses by hand, checkpoints that resume to the same weights, and refusals."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from made_corpus import SMALL, made_corpus

from tinyclone.errors import CheckpointError


def made_batches(*, steps: int = 12):
    from tinyclone.batching import BatchSequence

    features, alignments = made_corpus()
    return BatchSequence(features, alignments, config=SMALL, speakers=["ann", "ben"], steps=steps)


def train(run, **changes):
    from tinyclone.training import train_cloner

    arguments = {"config": SMALL, "epochs": 3, "warmup_steps": 2, **changes}
    return train_cloner(run, made_batches(), **arguments)


class PowerCut(Exception):
    """Stands for anything that ends a training."""


def power_cut_at(step: int):
    import keras

    class Cut(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.seen = getattr(self, "seen", 0) + 1
            if self.seen == step:
                raise PowerCut

    return Cut()


@pytest.mark.parametrize("step", [2, 7])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, step):
    whole = train(tmp_path / "whole")
    with pytest.raises(PowerCut):
        train(tmp_path / "cut", callbacks=[power_cut_at(step)])
    resumed = train(tmp_path / "cut")
    pairs = zip(whole.weights, resumed.weights)
    differences = [np.abs(np.asarray(one) - np.asarray(other)).ravel() for one, other in pairs]
    # Where a gradient is nearly zero, the last bit of a sum decides the sign of Adam's step.
    assert np.mean(np.concatenate(differences) < 1e-5) > 0.999
    with open(tmp_path / "cut" / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = train(tmp_path)
    written = (tmp_path / "state.json").stat().st_mtime_ns
    second = train(tmp_path)
    assert (tmp_path / "state.json").stat().st_mtime_ns == written
    for expected, got in zip(first.weights, second.weights):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_a_run_of_another_config_is_refused_and_named(tmp_path):
    train(tmp_path, epochs=1)
    with pytest.raises(CheckpointError, match="model = .*now"):
        train(tmp_path, epochs=1, config=dataclasses.replace(SMALL, dropout=0.3))
    with pytest.raises(CheckpointError, match="epochs = 1 .now 9."):
        train(tmp_path, epochs=9)


def test_auditions_speak_held_out_sentences(tmp_path):
    from tinyclone.audio import load_audio
    from tinyclone.training import Auditions

    reference = np.full((70, 80), -5.0, np.float32)
    auditions = Auditions(tmp_path / "heard", references={"ann": reference}, texts=["Hello."], every=2)
    train(tmp_path / "run", callbacks=[auditions])
    assert [path.name for path in (tmp_path / "heard").iterdir()] == ["epoch-002_ann_0.wav"]
    assert len(load_audio(tmp_path / "heard" / "epoch-002_ann_0.wav")) > 0


def test_losses_by_hand():
    from tinyclone.cloner import Cloner
    from tinyclone.training import SPEAKER_LOSS_WEIGHT, VARIANCE_LOSS_WEIGHTS, ClonerTrainer

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
