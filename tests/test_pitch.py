"""The pitch track finds known pitches, in any timbre and at any loudness, and nothing where there is none."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from tinyclone.audio import load_audio
from tinyclone.config import AudioConfig
from tinyclone.corpora import tinyvoices_folder
from tinyclone.pitch import _without_islands, pitch_track

RATE_HZ = 16000
HOP = AudioConfig().hop_length


def sawtooth(pitch_hz: np.ndarray | float, *, seconds: float = 0.5, first_harmonic: int = 1) -> np.ndarray:
    """Return harmonics up to 5 kHz with amplitude 1/k; a glide where `pitch_hz` is a curve of N samples."""
    curve = np.broadcast_to(np.asarray(pitch_hz, float), round(seconds * RATE_HZ))
    phase = 2 * np.pi * np.cumsum(curve) / RATE_HZ
    harmonics = range(first_harmonic, int(5000 / curve.max()) + 1)
    return (0.3 * sum(np.sin(k * phase) / k for k in harmonics)).astype(np.float32)


def inside(track: np.ndarray) -> np.ndarray:
    """Leave out the frames whose window reaches beyond the sound."""
    return track[3:-3]


@pytest.mark.parametrize("pitch_hz", [68.0, 85.0, 123.4, 180.0, 261.6, 349.2, 480.0])
@pytest.mark.parametrize("timbre", ["sine", "sawtooth", "without its fundamental"])
def test_a_steady_tone_has_its_pitch_in_every_frame(pitch_hz, timbre):
    if timbre == "sine":
        wav = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(8000) / RATE_HZ).astype(np.float32)
    else:
        wav = sawtooth(pitch_hz, first_harmonic=1 if timbre == "sawtooth" else 2)
    np.testing.assert_allclose(inside(pitch_track(wav)), pitch_hz, rtol=0.02)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(90.0, 200.0), (400.0, 160.0)])
def test_a_glide_is_followed(from_hz, to_hz):
    curve = np.geomspace(from_hz, to_hz, 2 * RATE_HZ)
    track = pitch_track(sawtooth(curve, seconds=2.0))
    expected = curve[np.minimum(np.arange(len(track)) * HOP, len(curve) - 1)]
    np.testing.assert_allclose(inside(track), inside(expected), rtol=0.02)


def test_a_tone_in_noise_keeps_its_pitch():
    wav = sawtooth(150.0)
    noise = np.random.default_rng(0).standard_normal(len(wav)).astype(np.float32)
    track = inside(pitch_track(wav + noise * wav.std() * 10 ** (-10 / 20)))
    np.testing.assert_allclose(track, 150.0, rtol=0.02)


@pytest.mark.parametrize("n_samples", [0, 1, 255, 256, 1000, 16000])
def test_silence_of_any_length_is_unvoiced_and_has_the_frames_of_a_mel(n_samples):
    track = pitch_track(np.zeros(n_samples, np.float32))
    assert track.dtype == np.float32
    np.testing.assert_array_equal(track, np.zeros(1 + n_samples // HOP))


def test_noise_is_unvoiced():
    noise = 0.1 * np.random.default_rng(1).standard_normal(5 * RATE_HZ).astype(np.float32)
    assert np.mean(pitch_track(noise) > 0) < 0.01


def test_a_constant_offset_is_not_a_pitch_and_does_not_change_one():
    wav = sawtooth(200.0)
    np.testing.assert_array_equal(inside(pitch_track(np.full(8000, 0.5, np.float32))), 0.0)
    np.testing.assert_allclose(inside(pitch_track(wav + 0.2)), inside(pitch_track(wav)), rtol=1e-3)


@pytest.mark.parametrize("gain", [0.003, 0.1, 2.0])
def test_loudness_does_not_change_the_pitch(gain):
    wav = np.concatenate(
        [sawtooth(110.0), np.zeros(4000, np.float32), sawtooth(np.geomspace(200, 300, 8000))]
    )
    np.testing.assert_allclose(pitch_track(gain * wav), pitch_track(wav), rtol=1e-4)


def test_a_shift_by_whole_frames_shifts_the_track():
    wav = sawtooth(np.geomspace(120, 240, 8000))
    later = pitch_track(np.concatenate([np.zeros(7 * HOP, np.float32), wav]))
    np.testing.assert_allclose(inside(later[7:]), inside(pitch_track(wav)), rtol=1e-4)


def test_only_the_voiced_part_of_a_sound_is_voiced():
    hiss = 0.1 * np.random.default_rng(2).standard_normal(8192).astype(np.float32)
    track = pitch_track(
        np.concatenate([hiss, sawtooth(140.0, seconds=8192 / RATE_HZ), np.zeros(8192, np.float32)])
    )
    voiced = np.flatnonzero(track)
    start, end = voiced[0], voiced[-1] + 1
    assert abs(start - 32) <= 2 and abs(end - 64) <= 2
    assert (track[start:end] > 0).all()


def test_the_search_stays_in_its_range():
    curve = np.geomspace(40.0, 900.0, 3 * RATE_HZ)
    wav = sawtooth(curve, seconds=3.0)
    for range_hz in ({}, {"fmin_hz": 100.0, "fmax_hz": 250.0}):
        track = pitch_track(wav, **range_hz)
        found = track[track > 0]
        assert range_hz.get("fmin_hz", 65.0) <= found.min() and found.max() <= range_hz.get("fmax_hz", 500.0)


def test_another_config_gives_another_frame_grid_and_the_same_pitch():
    config = AudioConfig(sample_rate_hz=22050, hop_length=200)
    wav = np.sin(2 * np.pi * 150 * np.arange(22050) / 22050).astype(np.float32)
    track = pitch_track(wav, config=config)
    assert len(track) == 1 + 22050 // 200
    np.testing.assert_allclose(inside(track), 150.0, rtol=0.02)


def test_single_frames_are_dropped_and_octave_jumps_mended():
    track = np.array([0, 0, 120, 0, 0, 100, 101, 202, 103, 104, 0, 99, 100, 0], float)
    mended = [0, 0, 0, 0, 0, 100, 101, 103, 103, 104, 0, 99, 100, 0]
    np.testing.assert_allclose(_without_islands(track), mended)
    np.testing.assert_array_equal(_without_islands(np.array([90.0, 90.0])), [90.0, 90.0])
    np.testing.assert_array_equal(_without_islands(np.array([90.0])), [0.0])


@pytest.mark.parametrize("clip", ["slt-001", "rms-001"])
def test_on_speech_it_agrees_with_yin(clip):
    wav = load_audio(tinyvoices_folder() / "wavs" / f"{clip}.ogg")
    track = pitch_track(wav)
    yin = librosa.yin(y=wav, fmin=65, fmax=500, sr=RATE_HZ, frame_length=1024, hop_length=HOP)
    voiced = track > 0
    assert 0.4 < voiced.mean() < 0.95
    difference = np.abs(np.log2(track[voiced] / yin[: len(track)][voiced]))
    assert np.median(difference) < 0.02 and np.mean(difference < 0.1) > 0.9
