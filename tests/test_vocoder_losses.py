"""Losses of waves: zero for equals, by hand where that can be; critics that judge and stay frozen."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import made_wav

from tinyclone.config import AudioConfig


def made_waves():
    real = made_wav(np.full(16, 150.0))[None]
    random = np.random.default_rng(0)
    return real, (0.02 * random.normal(size=real.shape)).astype(np.float32)


def test_equal_waves_lose_nothing_and_a_turned_one_hardly_anything():
    from tinyclone.vocoder_losses import spectral_losses

    real, noise = made_waves()
    assert {float(loss) for loss in spectral_losses(real, real).values()} == {0.0}
    # Phases are not compared: upside down, it sounds the same.
    assert max(float(loss) for loss in spectral_losses(-real, real).values()) < 1e-5
    assert all(float(loss) > 0.3 for loss in spectral_losses(noise, real).values())


def test_a_wave_of_half_the_size_loses_what_it_should():
    from tinyclone.vocoder_losses import spectral_losses

    real = 0.3 * np.random.default_rng(0).normal(size=(2, 8192)).astype(np.float32)
    losses = spectral_losses(real / 2, real)
    assert float(losses["convergence"]) == pytest.approx(0.5, abs=1e-3)
    assert float(losses["log_magnitude"]) == pytest.approx(np.log(2), abs=5e-3)
    assert float(losses["mel"]) == pytest.approx(np.log(2), abs=5e-3)


@pytest.mark.parametrize("window", [128, 1024])
def test_a_critic_judges_patches(window):
    from tinyclone.vocoder_losses import SpectrumCritic

    wav = np.zeros((2, 8192), np.float32)
    verdict, seen = SpectrumCritic(window)(wav)
    looks = 1 + (8192 - window) // (window // 4)
    assert verdict.shape == (2, -(-looks // 8), window // 16, 1)
    assert [one.shape[-1] for one in seen] == [12, 24, 32, 32]


def gradients(loss_name: str):
    """Return the gradients of one loss for the made wave and for the critic's weights."""
    import tensorflow as tf

    from tinyclone.trainer import adversarial_losses
    from tinyclone.vocoder_losses import SpectrumCritic

    real, noise = made_waves()
    critic = SpectrumCritic(512)
    critic(real)
    made = tf.Variable(noise)
    with tf.GradientTape() as tape:
        loss = adversarial_losses(critic, real, made * 1.0, None)[loss_name]
    weights = [variable.value for variable in critic.trainable_variables]
    of_made, *of_critic = tape.gradient(loss, [made, *weights])
    return of_made, of_critic


def is_nothing(gradient) -> bool:
    return gradient is None or not np.any(np.asarray(gradient))


def test_the_critics_loss_does_not_reach_the_vocoder():
    of_made, of_critic = gradients("critic")
    assert is_nothing(of_made)
    assert len(of_critic) == 10 and not any(is_nothing(one) for one in of_critic)


@pytest.mark.parametrize("name", ["deceived", "features"])
def test_the_vocoders_losses_do_not_reach_the_critic(name):
    of_made, of_critic = gradients(name)
    assert not is_nothing(of_made)
    assert all(is_nothing(one) for one in of_critic)


def test_the_spectral_losses_reach_every_weight_of_the_vocoder_but_those_that_read_pitch():
    import tensorflow as tf
    from made_recordings import made_recordings, small_vocoder, small_vocoder_config

    from tinyclone.vocoder_batches import VocoderBatches
    from tinyclone.vocoder_losses import spectral_losses

    vocoder = small_vocoder()
    batches = VocoderBatches(made_recordings(), config=small_vocoder_config(), steps=1, clips=2, frames=33)
    inputs, targets = batches[0]
    with tf.GradientTape() as tape:
        losses = spectral_losses(vocoder(inputs)["wav"], targets["wav"], config=AudioConfig())
        total = losses["convergence"] + losses["log_magnitude"] + losses["mel"]
    variables = vocoder.trainable_variables
    found = tape.gradient(total, [variable.value for variable in variables])
    readers = {id(variable) for variable in vocoder.pitch_reader.trainable_variables}
    for variable, gradient in zip(variables, found):
        assert is_nothing(gradient) == (id(variable) in readers), variable.path
        assert gradient is None or np.isfinite(np.asarray(gradient)).all()
