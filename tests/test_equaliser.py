"""The equaliser against means and deviations that are known."""

from __future__ import annotations

import numpy as np
import pytest

from tinyclone.equaliser import MOST_CONTRAST, equaliser, speech_frames


def made_mel(mean: np.ndarray, deviation: float, *, frames: int = 4000, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(frames, len(mean)))
    return (mean + deviation * noise).astype(np.float32)


@pytest.mark.parametrize("contrast", [1.0, 1.4])
def test_it_gives_a_mel_the_mean_and_the_contrast_of_another(contrast):
    mean = np.linspace(-4, -7, 80)
    said, heard = made_mel(np.full(80, -5.0), 0.8), made_mel(mean, 0.8 * contrast, seed=1)
    scale, offset = equaliser([said[:2000], said[2000:]], heard)
    np.testing.assert_allclose(scale, contrast, atol=0.06)
    after = speech_frames(said) * scale + offset
    # The smoothing rounds the spectrum off at its two ends.
    np.testing.assert_allclose(after.mean(axis=0)[6:-6], speech_frames(heard).mean(axis=0)[6:-6], atol=0.1)


def test_contrast_is_raised_within_bounds_and_never_lowered():
    flat, sharp = made_mel(np.full(80, -5.0), 0.1), made_mel(np.full(80, -5.0), 2.0)
    np.testing.assert_allclose(equaliser([flat], sharp)[0], MOST_CONTRAST)
    np.testing.assert_allclose(equaliser([sharp], flat)[0], 1.0)


def test_a_recording_without_any_change_is_survived():
    scale, offset = equaliser([made_mel(np.full(80, -5.0), 0.5)], np.full((100, 80), -6.0))
    assert np.isfinite(scale).all() and np.isfinite(offset).all()


def test_pauses_do_not_count():
    speech, silence = np.full((60, 80), -4.0), np.full((40, 80), -11.5)
    np.testing.assert_array_equal(speech_frames(np.concatenate([silence, speech])), speech)
