"""The mel-spectrogram equals librosa's, and its parts what the mathematics says."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest

from tinyclone.audio import load_audio
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.mel import (
    frame,
    hann_window,
    istft,
    log_mel,
    mel_filterbank,
    mel_to_magnitude,
    overlap_add,
    squared_windows,
    stft,
)

CONFIGS = [
    AudioConfig(),
    AudioConfig(sample_rate_hz=22050, n_fft=1024, hop_length=256, fmin_hz=0.0, fmax_hz=8000.0),
    AudioConfig(sample_rate_hz=8000, n_fft=512, hop_length=100, n_mels=40, fmin_hz=80.0, fmax_hz=3800.0),
]


def chirp_in_noise(*, n_samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / 16000
    level = 10.0 ** rng.uniform(-4.0, -0.5, 1 + n_samples // 2000).repeat(2000)[:n_samples]
    chirp = np.sin(2.0 * np.pi * (100.0 * time + 1500.0 * time**2))
    return (level * (0.7 * chirp + 0.1 * rng.standard_normal(n_samples))).astype(np.float32)


def librosa_log_mel(wav: np.ndarray, *, config: AudioConfig) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
        y=wav,
        sr=config.sample_rate_hz,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        power=1.0,
        n_mels=config.n_mels,
        fmin=config.fmin_hz,
        fmax=config.fmax_hz,
    )
    return np.log(np.maximum(mel, config.log_floor)).T


@pytest.mark.parametrize("config", CONFIGS)
def test_filterbank_equals_librosa(config: AudioConfig) -> None:
    expected = librosa.filters.mel(
        sr=config.sample_rate_hz,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin_hz,
        fmax=config.fmax_hz,
    )
    np.testing.assert_allclose(mel_filterbank(config), expected, rtol=1e-5, atol=1e-8)
    assert mel_filterbank(config).dtype == np.float32


def test_filters_have_unit_area_and_known_centres() -> None:
    filters = mel_filterbank()
    bin_hz = 16000 / 1024
    np.testing.assert_allclose(filters[30:].sum(axis=1) * bin_hz, 1.0, atol=0.02)
    highest_mel = 15.0 + 27.0 * np.log(8.0) / np.log(6.4)  # 8000 Hz
    below_1000_hz = np.arange(1, 26) * highest_mel / 81 * 200.0 / 3.0
    np.testing.assert_allclose(filters.argmax(axis=1)[:25] * bin_hz, below_1000_hz, atol=bin_hz / 2 + 1e-6)


def test_filterbank_is_cached_and_cannot_be_changed() -> None:
    assert mel_filterbank(AudioConfig()) is mel_filterbank(AudioConfig())
    with pytest.raises(ValueError, match="read-only"):
        mel_filterbank()[0, 0] = 1.0


@pytest.mark.filterwarnings("ignore:n_fft.*is too large:UserWarning")
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("n_samples", [1, 255, 256, 5000, 48000])
def test_log_mel_equals_librosa(config: AudioConfig, n_samples: int) -> None:
    wav = chirp_in_noise(n_samples=n_samples)
    # In double precision: librosa's single precision is itself off by more where a frame is soft.
    expected = librosa_log_mel(wav.astype(np.float64), config=config)
    mel = log_mel(wav, config=config)
    assert mel.shape == (1 + n_samples // config.hop_length, config.n_mels) and mel.dtype == np.float32
    np.testing.assert_allclose(mel, expected, atol=1e-5, rtol=0)


def test_log_mel_of_real_speech_equals_librosa(shared_data: Path) -> None:
    recordings = sorted((shared_data / "kathleen" / "wavs").glob("*.opus"))[:3]
    if not recordings:
        pytest.skip("the recordings of kathleen are not on this machine")
    for recording in recordings:
        wav = load_audio(recording)
        expected = librosa_log_mel(wav, config=AudioConfig())
        np.testing.assert_allclose(log_mel(wav), expected, atol=1e-5, rtol=0)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(1000)), np.full((4, 80), np.log(1e-5)), rtol=1e-6)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    time_sec = np.arange(16000) / 16000
    for frequency_hz in [250.0, 1000.0, 4000.0]:
        mel = log_mel(0.5 * np.sin(2.0 * np.pi * frequency_hz * time_sec))
        nearest_bin = round(frequency_hz * 1024 / 16000)
        assert mel[30].argmax() == mel_filterbank()[:, nearest_bin].argmax()


def test_long_waves_are_cut_in_blocks_without_a_seam() -> None:
    wav = chirp_in_noise(n_samples=2100 * 256)
    mel = log_mel(wav)
    around_the_seam = log_mel(wav[2000 * 256 :])
    np.testing.assert_allclose(mel[2005:2090], around_the_seam[5:90], atol=1e-5)


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (np.zeros(0), "empty"),
        (np.zeros((10, 2)), "shape"),
        (np.array([np.nan] * 600), "NaN"),
        (np.zeros(600, np.int16), "int16"),
    ],
)
def test_log_mel_refuses(wav: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        log_mel(wav)


@pytest.mark.parametrize("config", CONFIGS)
def test_stft_and_istft_equal_librosa(config: AudioConfig) -> None:
    wav = chirp_in_noise(n_samples=20000)
    spectrum = stft(wav, config=config)
    expected = librosa.stft(y=wav, n_fft=config.n_fft, hop_length=config.hop_length)
    assert spectrum.dtype == np.complex64 and spectrum.shape == expected.T.shape
    np.testing.assert_allclose(spectrum, expected.T, atol=1e-4)
    changed = spectrum * np.random.default_rng(0).random(spectrum.shape, dtype=np.float32)
    back = librosa.istft(stft_matrix=changed.T, hop_length=config.hop_length)
    np.testing.assert_allclose(istft(changed, config=config), back, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_istft_undoes_stft(config: AudioConfig) -> None:
    wav = chirp_in_noise(n_samples=20011)
    back = istft(stft(wav, config=config), config=config, length=len(wav))
    np.testing.assert_allclose(back, wav, atol=2e-6)


def test_istft_length() -> None:
    spectrum = stft(chirp_in_noise(n_samples=2560))
    assert istft(spectrum).shape == (2560,)
    assert istft(spectrum, length=100).shape == (100,)
    assert istft(spectrum, length=9000).shape == (9000,)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(8, 2), (8, 3), (6, 6), (4, 5)])
def test_overlap_add_against_a_loop(n_fft: int, hop_length: int) -> None:
    config = AudioConfig(n_fft=n_fft, hop_length=hop_length)
    frames = np.random.default_rng(0).standard_normal((5, n_fft))
    added = overlap_add(frames, config=config)
    expected = np.zeros_like(added)
    for index, values in enumerate(frames):
        expected[index * hop_length : index * hop_length + n_fft] += values
    np.testing.assert_allclose(added, expected)


def test_windows_and_frames() -> None:
    config = AudioConfig(n_fft=4, hop_length=2)
    np.testing.assert_allclose(hann_window(config), [0.0, 0.5, 1.0, 0.5], atol=1e-7)
    frames = frame(np.arange(9.0), config=config)
    np.testing.assert_array_equal(frames, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]])
    np.testing.assert_allclose(squared_windows(2, config=config), [1, 0.25, 1, 0.5, 1, 0.25], atol=1e-7)


def test_mel_to_magnitude_keeps_the_mels() -> None:
    mel = log_mel(chirp_in_noise(n_samples=32000))
    magnitude = mel_to_magnitude(mel)
    assert magnitude.shape == (len(mel), 513) and magnitude.dtype == np.float32
    assert magnitude.min() == np.float32(1e-5)
    again = np.log(np.maximum(magnitude @ mel_filterbank().T, 1e-5))
    assert np.mean(np.abs(again - mel)) < 0.1


def test_mel_to_magnitude_is_the_least_squares_answer_where_none_is_negative() -> None:
    flat = np.full((3, 80), np.log(0.02), np.float32)
    expected = np.linalg.lstsq(mel_filterbank().astype(np.float64), np.full(80, 0.02), rcond=None)[0]
    for magnitude in mel_to_magnitude(flat):
        np.testing.assert_allclose(magnitude, np.maximum(expected, 1e-5), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("mel", "message"),
    [
        (np.zeros((80, 7)), r"shape \(80, 7\); expected \(frames, 80\)"),
        (np.zeros(80), "shape"),
        (np.full((7, 80), np.nan), "NaN"),
    ],
)
def test_mel_to_magnitude_refuses(mel: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        mel_to_magnitude(mel)
