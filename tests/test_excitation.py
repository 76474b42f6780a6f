"""Harmonics: the comb of a pulse train against a real one, and pitch contours drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tinyclone.config import AudioConfig
from tinyclone.excitation import (
    TABLE_SIZE,
    harmonics_table,
    measured_contour,
    predicted_contour,
    table_rows,
)
from tinyclone.mel import log_mel, mel_filterbank


def pulse_train(pitch_hz: float, *, seconds: float = 1.0) -> np.ndarray:
    """Add cosines up to 8 kHz: a pulse train without the jitter of whole samples."""
    time_sec = np.arange(int(16000 * seconds)) / 16000
    return sum(
        np.cos(2 * np.pi * pitch_hz * number * time_sec) for number in range(1, int(7900 / pitch_hz))
    ).astype(np.float32)


@pytest.mark.parametrize("pitch_hz", [90.0, 140.0, 200.0, 310.0])
def test_harmonics_are_those_of_a_pulse_train(pitch_hz):
    mel = log_mel(0.1 * pulse_train(pitch_hz) / np.sqrt(8000 / pitch_hz))
    expected = mel[20:40].mean(axis=0) - np.log(mel_filterbank(AudioConfig()).sum(axis=1))
    table = harmonics_table()[table_rows(np.log(pitch_hz))]
    # Where no harmonic falls into a band, the table has its floor and the sum of cosines its own.
    heard = (table > -1.5) & (np.arange(80) > 3) & (np.arange(80) < 78)
    assert heard.sum() > 15
    offset = np.median(expected[heard] - table[heard])
    assert np.median(np.abs(expected[heard] - offset - table[heard])) < 0.12
    assert np.corrcoef(expected[heard], table[heard])[0, 1] > 0.9


def test_a_band_on_a_harmonic_is_high_and_one_between_is_low():
    filters = mel_filterbank(AudioConfig())
    centres_hz = (filters @ (np.arange(513) * 15.625)) / filters.sum(axis=1)
    row = harmonics_table()[table_rows(np.log(250.0))]
    on = [int(np.argmin(np.abs(centres_hz - 250 * number))) for number in (1, 2, 3)]
    between = [int(np.argmin(np.abs(centres_hz - 250 * (number + 0.5)))) for number in (1, 2, 3)]
    assert (row[on] > 0.8).all() and (row[between] == -2).all()
    assert np.abs(row[70:]).max() < 0.5, "wide bands cannot tell harmonics apart"


def test_the_table_is_even_in_log_pitch_and_cannot_be_written():
    rows = table_rows(np.log(np.array([60.0, np.sqrt(60 * 550), 550.0, 5.0, 9000.0])))
    assert rows.tolist() == [0, TABLE_SIZE // 2, TABLE_SIZE - 1, 0, TABLE_SIZE - 1]
    assert rows.dtype == np.int32
    with pytest.raises(ValueError):
        harmonics_table()[0, 0] = 1


def test_measured_pitch_runs_straight_through_unvoiced_frames():
    contour = measured_contour(np.array([0, 100.0, 0, 0, 400.0, 0]), log_pitch_if_none=5.0)
    expected = np.log([100, 100, 100 * 4 ** (1 / 3), 100 * 4 ** (2 / 3), 400, 400])
    np.testing.assert_allclose(contour, expected, rtol=1e-6)
    assert (measured_contour(np.zeros(4), log_pitch_if_none=5.0) == 5.0).all()


def test_predicted_pitch_runs_from_middle_to_middle_of_voiced_tokens():
    contour = predicted_contour(
        np.array([1.0, 9.0, 2.0, 7.0]),
        np.array([0.9, 0.4, 0.5, 1.0]),
        np.array([3, 2, 3, 0]),
        log_pitch_if_none=5.0,
    )
    np.testing.assert_allclose(contour, [1, 1, 1.2, 1.4, 1.6, 1.8, 2, 2], rtol=1e-6)
    silent = predicted_contour(np.ones(2), np.zeros(2), np.array([1, 2]), log_pitch_if_none=5.0)
    assert silent.tolist() == [5, 5, 5]
