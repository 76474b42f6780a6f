"""The critic of mels: what learns from which loss, and that it can tell the two apart."""

from __future__ import annotations

import numpy as np
import pytest


def made_mels(*, seed: int = 0):
    random = np.random.default_rng(seed)
    real = random.normal(size=(4, 32, 80)).astype(np.float32)
    smooth = np.repeat(real.mean(axis=1, keepdims=True), 32, axis=1)
    return real, smooth, np.zeros_like(real)


def gradients(loss_name: str):
    """Return the gradients of one loss for the made mel and for the critic's weights."""
    import tensorflow as tf

    from tinyclone.discriminator import Discriminator
    from tinyclone.trainer import adversarial_losses

    real, smooth, harmonics = made_mels()
    critic = Discriminator()
    critic(real, harmonics)
    made = tf.Variable(smooth)
    with tf.GradientTape() as tape:
        loss = adversarial_losses(critic, real, made * 1.0, harmonics)[loss_name]
    weights = [variable.value for variable in critic.trainable_variables]
    of_made, *of_critic = tape.gradient(loss, [made, *weights])
    return of_made, of_critic


def is_nothing(gradient) -> bool:
    return gradient is None or not np.any(np.asarray(gradient))


def test_the_critics_loss_does_not_reach_the_model():
    of_made, of_critic = gradients("critic")
    assert is_nothing(of_made)
    assert not any(is_nothing(one) for one in of_critic)


def test_the_models_losses_do_not_reach_the_critic():
    for name in ("deceived", "features"):
        of_made, of_critic = gradients(name)
        assert not is_nothing(of_made), name
        assert all(is_nothing(one) for one in of_critic), name


def test_losses_by_hand():
    from tinyclone.trainer import adversarial_losses

    def critic(mel, harmonics, frozen=False):
        return mel[:, :1, :1] * 2, [mel, 3 * mel]

    real, made = np.full((1, 2, 2), 1.0, np.float32), np.full((1, 2, 2), 0.25, np.float32)
    losses = adversarial_losses(critic, real, made, real)
    assert float(losses["critic"]) == (2 - 1) ** 2 + 0.5**2
    assert float(losses["deceived"]) == (0.5 - 1) ** 2
    np.testing.assert_allclose(float(losses["features"]), 0.75, rtol=1e-5)


@pytest.mark.slow
def test_a_step_trains_critic_and_cloner_and_the_critic_learns():
    import dataclasses

    import keras
    from made_corpus import SMALL, made_corpus

    from tinyclone.batching import BatchSequence
    from tinyclone.cloner import Cloner
    from tinyclone.trainer import ClonerTrainer

    keras.utils.set_random_seed(0)
    config = dataclasses.replace(SMALL, dropout=0.0)
    features, alignments = made_corpus()
    batches = BatchSequence(features, alignments, config=config, speakers=["ann", "ben"], steps=1)
    trainer = ClonerTrainer(Cloner(config), n_speakers=2, adversarial_weight=0.1)
    inputs, targets = batches[0]
    trainer(inputs)
    assert len(trainer.discriminator.trainable_variables) == 10
    trainer.compile(optimizer=keras.optimizers.Adam(1e-3))
    learning = trainer.discriminator.trainable_variables + trainer.cloner.decoder.envelope.trainable_variables
    before = [np.asarray(variable) for variable in learning]
    first = trainer.train_on_batch(inputs, targets, return_dict=True)
    after = [np.asarray(variable) for variable in learning]
    assert all(np.any(one != other) for one, other in zip(before, after))
    for _ in range(15):
        trainer.reset_metrics()
        last = trainer.train_on_batch(inputs, targets, return_dict=True)
    assert last["critic"] < first["critic"]
    assert np.isfinite(last["loss"])
