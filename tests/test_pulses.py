"""The sound source: pulses by hand, their power and pitch, and the path of the pitch by brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tinyclone.config import AudioConfig
from tinyclone.mel import stft
from tinyclone.pitch import pitch_track
from tinyclone.pulses import (
    LEAP_COST,
    _best_path,
    class_of_pitch,
    pitch_classes_hz,
    pitch_from_scores,
    pulse_train,
    shaped_sound,
    sound_source,
)


@pytest.mark.parametrize("pitch_hz", [61.0, 200.0, 432.1])
def test_a_pulse_train_is_the_sum_of_its_harmonics(pitch_hz):
    train = pulse_train(np.full(20, np.log(pitch_hz)), start_turn=0.3)
    turns = 0.3 + pitch_hz / 16000 * (1 + np.arange(20 * 256))
    numbers = 1 + np.arange(int(7920 / pitch_hz))
    expected = np.cos(2 * np.pi * numbers[:, None] * turns).sum(axis=0) * np.sqrt(2 / len(numbers))
    np.testing.assert_allclose(train, expected, atol=2e-2)
    assert np.sqrt(np.mean((train - expected) ** 2)) < 2e-3


def test_its_loudness_does_not_depend_on_the_pitch():
    for pitch_hz in (70.0, 150.0, 400.0):
        assert np.mean(pulse_train(np.full(100, np.log(pitch_hz))) ** 2) == pytest.approx(1.0, rel=0.03)


def test_it_has_the_pitch_that_was_asked_for():
    wanted = np.exp(np.linspace(np.log(110), np.log(220), 80))
    heard = pitch_track(0.1 * pulse_train(np.log(wanted)).astype(np.float32))[4:76]
    voiced = heard > 0
    assert voiced.mean() > 0.8
    np.testing.assert_allclose(heard[voiced], wanted[4:76][voiced], rtol=0.02)


def test_a_long_train_stays_in_tune():
    train = pulse_train(np.full(62 * 60 * 5, np.log(200.0)))
    start = len(train) - 16000
    turns = 200 / 16000 * (1 + np.arange(start, len(train)))
    numbers = np.arange(1, 40)[:, None]
    expected = np.cos(2 * np.pi * numbers * turns).sum(axis=0) * np.sqrt(2 / 39)
    assert np.corrcoef(train[start:], expected)[0, 1] > 0.9999


def test_the_source_follows_from_the_seed():
    contour = np.full(10, 5.0)
    one, same, other = (sound_source(contour, random=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert one.shape == (2560, 2) and np.abs(one - other).max() > 0.1


def test_gains_of_one_let_the_source_through():
    config = AudioConfig(n_fft=512, hop_length=128)
    source = sound_source(np.full(12, 5.0), random=np.random.default_rng(0)).astype(np.float32)
    n_looks = 24
    ones, zeros = np.ones((n_looks, 257), np.float32), np.zeros((n_looks, 257), np.float32)
    heard = shaped_sound(source, (ones, zeros, zeros), config=config)
    assert heard.shape == (23 * 128,)
    np.testing.assert_allclose(heard, source[: 23 * 128, 0], atol=1e-4)
    heard = shaped_sound(source, (zeros, zeros, ones), config=config)
    np.testing.assert_allclose(heard, source[: 23 * 128, 1], atol=1e-4)
    turned = shaped_sound(source, (zeros, ones, zeros), config=config)
    np.testing.assert_allclose(
        np.abs(stft(turned, config=config))[4:-4],
        np.abs(stft(source[: 23 * 128, 0], config=config))[4:-4],
        atol=0.02 * np.abs(stft(turned, config=config)).max(),
    )


def test_classes_and_pitches_are_inverse():
    hz = pitch_classes_hz(64)
    np.testing.assert_allclose(class_of_pitch(hz, n_classes=64), np.arange(64), atol=1e-9)
    assert class_of_pitch(np.array([0.0, 9999.0]), n_classes=64).tolist() == [0, 63]


def test_the_path_is_the_best_of_all_paths():
    random = np.random.default_rng(3)
    for _ in range(20):
        scores = random.normal(size=(5, 4)) * 8

        def total(path, scores=scores):
            leaps = np.abs(np.diff(path))
            if leaps.max() > 1:  # a sixteenth of four classes, at least one
                return -np.inf
            return scores[np.arange(5), list(path)].sum() - LEAP_COST / 4 * leaps.sum()

        assert tuple(_best_path(scores)) == max(product(range(4), repeat=5), key=total)


def test_the_pitch_runs_between_two_classes_and_does_not_jump_an_octave():
    n_classes = 256
    wanted = np.exp(np.linspace(np.log(150.3), np.log(180.7), 40))
    place = class_of_pitch(wanted, n_classes=n_classes)[:, None]
    scores = -0.5 * (np.arange(n_classes) - place) ** 2
    scores[20, 10:20] += 3000  # one frame is mistaken
    odds = np.where(np.arange(40) < 35, 4.0, -4.0)
    heard = pitch_from_scores(np.column_stack([scores, odds]))
    frames = [frame for frame in range(35) if frame != 20]
    np.testing.assert_allclose(heard[frames], wanted[frames], rtol=0.003)
    assert (heard[35:] == 0).all()
