"""Spectra in keras.ops: equal to those of NumPy, with padding that is not heard and gradients that flow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tinyclone import mel
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError

CONFIGS = [AudioConfig(), AudioConfig(n_fft=512, hop_length=128), AudioConfig(n_fft=256, hop_length=128)]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_transform_is_that_of_numpy(config):
    from tinyclone.spectra import stft

    wav = noise(2, 20 * config.hop_length)
    real, imaginary = stft(wav, config=config)
    for clip in range(2):
        expected = mel.stft(wav[clip], config=config)
        np.testing.assert_allclose(np.asarray(real)[clip], expected.real, atol=1e-3)
        np.testing.assert_allclose(np.asarray(imaginary)[clip], expected.imag, atol=1e-3)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_inverse_is_that_of_numpy_for_any_spectrum(config):
    from tinyclone.spectra import istft

    real, imaginary = noise(2, 17, 1 + config.n_fft // 2), noise(2, 17, 1 + config.n_fft // 2, seed=1)
    wav = np.asarray(istft(real, imaginary, np.ones((2, 17, 1), np.float32), config=config))
    assert wav.shape == (2, 16 * config.hop_length)
    for clip in range(2):
        expected = mel.istft(real[clip] + 1j * imaginary[clip], config=config)
        np.testing.assert_allclose(wav[clip], expected, atol=1e-4)


def test_padding_is_not_heard():
    from tinyclone.spectra import istft

    config = CONFIGS[1]
    real, imaginary = noise(1, 30, 257), noise(1, 30, 257, seed=1)
    mask = (np.arange(30) < 19).astype(np.float32)[None, :, None]
    padded = np.asarray(istft(real, imaginary, mask, config=config))
    alone = np.asarray(istft(real[:, :19], imaginary[:, :19], mask[:, :19], config=config))
    np.testing.assert_allclose(padded[:, : alone.shape[1]], alone, atol=1e-6)


def test_log_mels_are_those_of_numpy():
    from tinyclone.spectra import log_mel_of, magnitude

    config, wav = AudioConfig(), 0.1 * noise(1, 40 * 256)
    got = np.asarray(log_mel_of(magnitude(wav, config=config, centred=True), config=config))[0]
    np.testing.assert_allclose(got, mel.log_mel(wav[0], config=config), atol=2e-3)


def test_silence_has_a_gradient():
    import tensorflow as tf

    from tinyclone.spectra import magnitude

    wav = tf.Variable(np.zeros((1, 4096), np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.math.log(magnitude(wav * 1.0, config=AudioConfig()) + 1e-4))
    assert np.isfinite(np.asarray(tape.gradient(total, wav))).all()


def test_windows_of_broken_hops_are_refused():
    from tinyclone.spectra import stft

    config = dataclasses.replace(AudioConfig(), n_fft=1000)
    with pytest.raises(AudioError, match="1000 samples is not a multiple of the hop of 256"):
        stft(noise(1, 4096), config=config)


def test_between_bands_lines_are_drawn():
    from tinyclone.spectra import band_to_bin

    weights = band_to_bin(AudioConfig(), n_bins=257)
    assert weights.shape == (80, 257)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, atol=1e-6)
    assert ((weights > 0).sum(axis=0) <= 2).all()
    # A flat spectrum stays flat, and a tilted mel falls with frequency.
    falling = -np.arange(80) @ weights
    assert (np.diff(falling) <= 1e-4).all()


def test_phase_follows_from_magnitude_as_in_a_filter_without_delay():
    from tinyclone.spectra import minimum_phase

    pole = 0.9  # y[n] = x[n] + 0.9 y[n - 1] is stable and as fast as its magnitudes allow
    frequency = np.exp(-2j * np.pi * np.arange(257) / 512)
    response = 1 / (1 - pole * frequency)
    phase = np.log(np.abs(response)) @ minimum_phase(512)
    np.testing.assert_allclose(phase, np.angle(response), atol=1e-4)
    np.testing.assert_allclose(np.ones(257) @ minimum_phase(512), 0, atol=1e-5)
