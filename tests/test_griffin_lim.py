"""Griffin-Lim reaches what librosa's reaches, from the same seed the same wave."""

from __future__ import annotations

import inspect
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.signal

from tinyclone.audio import load_audio, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.griffin_lim import griffin_lim, mel_to_wav, spectral_convergence
from tinyclone.mel import istft, log_mel, mel_to_magnitude, stft

# librosa 1.0 renamed the argument.
SEED_NAME = "rng" if "rng" in inspect.signature(librosa.griffinlim).parameters else "random_state"


class SamePhases(np.random.Generator):
    """Hands librosa, frequency first, the random numbers that `griffin_lim` draws time first."""

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.default_rng(seed).bit_generator)

    def random(self, size: tuple[int, int], **_: object) -> np.ndarray:
        return super().random(size[::-1], dtype=np.float32).T


def speech_like(*, sec: float = 1.5) -> np.ndarray:
    """A gliding voice through the resonances of three vowels, with breath and pauses."""
    rng = np.random.default_rng(0)
    time_sec = np.arange(round(sec * 16000)) / 16000
    pitch_hz = 120.0 + 30.0 * np.sin(2.0 * np.pi * 0.9 * time_sec)
    pulses = np.diff(np.floor(np.cumsum(pitch_hz) / 16000), prepend=0.0)
    source = pulses + 0.02 * rng.standard_normal(len(pulses))
    vowels = []
    for third, resonances_hz in zip(
        np.array_split(source, 3), [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240)], strict=True
    ):
        for resonance_hz in resonances_hz:
            radius, angle = np.exp(-np.pi * 90.0 / 16000), 2.0 * np.pi * resonance_hz / 16000
            third = scipy.signal.lfilter([1.0], [1.0, -2.0 * radius * np.cos(angle), radius**2], third)
        vowels.append(third / np.abs(third).max())
    wav = 0.5 * np.concatenate(vowels) * (np.sin(2.0 * np.pi * 2.0 * time_sec) > -0.8)
    return wav.astype(np.float32)


def librosa_griffin_lim(magnitude: np.ndarray, *, n_iter: int, seed: int) -> np.ndarray:
    same_start = {SEED_NAME: SamePhases(seed)}
    return librosa.griffinlim(
        S=magnitude.T, n_iter=n_iter, hop_length=256, momentum=0.99, init="random", **same_start
    )


@pytest.mark.parametrize("n_iter", [1, 8, 32])
@pytest.mark.parametrize("of_mel", [False, True])
def test_converges_as_librosa_does(n_iter: int, of_mel: bool) -> None:
    wav = speech_like()
    magnitude = mel_to_magnitude(log_mel(wav)) if of_mel else np.abs(stft(wav))
    ours, theirs = [], []
    for seed in range(3):
        ours.append(spectral_convergence(magnitude, griffin_lim(magnitude, n_iter=n_iter, seed=seed)))
        theirs.append(
            spectral_convergence(magnitude, librosa_griffin_lim(magnitude, n_iter=n_iter, seed=seed))
        )
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.02)


def test_converges_as_librosa_does_on_real_speech(shared_data: Path) -> None:
    recordings = sorted((shared_data / "kathleen" / "wavs").glob("*.opus"))[:3]
    if not recordings:
        pytest.skip("the recordings of kathleen are not on this machine")
    for recording in recordings:
        magnitude = mel_to_magnitude(log_mel(trim_silence(load_audio(recording))))
        ours = spectral_convergence(magnitude, griffin_lim(magnitude))
        theirs = spectral_convergence(magnitude, librosa_griffin_lim(magnitude, n_iter=32, seed=0))
        assert ours == pytest.approx(theirs, rel=0.02)


def test_the_first_iterations_are_librosas_sample_by_sample() -> None:
    magnitude = np.abs(stft(speech_like()))
    for n_iter in [0, 1, 3]:
        ours = griffin_lim(magnitude, n_iter=n_iter, seed=5)
        np.testing.assert_allclose(ours, librosa_griffin_lim(magnitude, n_iter=n_iter, seed=5), atol=1e-4)


def test_another_config() -> None:
    config = AudioConfig(n_fft=512, hop_length=100)  # the hop does not divide the window
    magnitude = np.abs(stft(speech_like(), config=config))
    theirs = librosa.griffinlim(
        S=magnitude.T, n_iter=16, hop_length=100, momentum=0.99, **{SEED_NAME: SamePhases(0)}
    )
    ours = spectral_convergence(magnitude, griffin_lim(magnitude, config=config, n_iter=16), config=config)
    assert ours == pytest.approx(spectral_convergence(magnitude, theirs, config=config), rel=0.02)


def test_more_iterations_and_momentum_converge_further() -> None:
    magnitude = np.abs(stft(speech_like()))

    def reached(**settings: float) -> float:
        return spectral_convergence(magnitude, griffin_lim(magnitude, **settings))

    assert reached(n_iter=0) > reached(n_iter=4) > reached(n_iter=32) > reached(n_iter=100)
    assert reached(n_iter=32, momentum=0.99) < reached(n_iter=32, momentum=0.0)


def test_seed_decides_the_wave_and_the_input_is_untouched() -> None:
    magnitude = np.abs(stft(speech_like()))
    before = magnitude.copy()
    first, again, other = (griffin_lim(magnitude, n_iter=4, seed=seed) for seed in [1, 1, 2])
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    np.testing.assert_array_equal(magnitude, before)


def test_length_and_type() -> None:
    for n_frames in [2, 3, 50]:
        wav = griffin_lim(np.full((n_frames, 513), 0.1), n_iter=2)
        assert wav.shape == ((n_frames - 1) * 256,) and wav.dtype == np.float32
        assert np.isfinite(wav).all()


def test_silence_stays_silent() -> None:
    assert np.abs(griffin_lim(np.zeros((10, 513)), n_iter=4)).max() == 0.0
    assert np.abs(mel_to_wav(np.full((10, 80), np.log(1e-5)), n_iter=4)).max() < 1e-4


def test_mel_to_wav_has_the_mel_that_it_was_given() -> None:
    mel = log_mel(speech_like())
    wav = mel_to_wav(mel)
    assert wav.shape == ((len(mel) - 1) * 256,) and np.abs(wav).max() <= 1.0
    audible = mel > np.log(1e-3)
    assert np.mean(np.abs(log_mel(wav) - mel)[audible]) < 0.15
    assert np.abs(mel_to_wav(mel + 9.0, n_iter=1)).max() == 1.0


def test_spectral_convergence_by_hand() -> None:
    wav = speech_like()
    magnitude = np.abs(stft(wav))
    assert spectral_convergence(magnitude, wav) == 0.0
    assert spectral_convergence(magnitude, np.zeros_like(wav)) == pytest.approx(1.0)
    assert spectral_convergence(magnitude, 1.5 * wav) == pytest.approx(0.5, rel=1e-5)
    assert spectral_convergence(magnitude, istft(stft(wav), length=len(wav))) < 1e-6


def test_spectral_convergence_refuses() -> None:
    with pytest.raises(AudioError, match=r"5 frames; expected 10.*2304 samples"):
        spectral_convergence(np.ones((10, 513)), np.zeros(1024))
    with pytest.raises(AudioError, match="all 0"):
        spectral_convergence(np.zeros((10, 513)), np.zeros(2304))


@pytest.mark.parametrize(
    ("magnitude", "message"),
    [
        (np.ones((513, 10)), r"shape \(513, 10\); expected \(frames, 513\)"),
        (np.ones((1, 513)), "at least 2 frames"),
        (np.ones(513), "shape"),
        (-np.ones((3, 513)), "negative"),
        (np.full((3, 513), np.nan), "NaN"),
    ],
)
def test_griffin_lim_refuses(magnitude: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        griffin_lim(magnitude)


def test_settings_below_zero_are_refused() -> None:
    for settings in [{"n_iter": -1}, {"momentum": -0.5}]:
        with pytest.raises(ValueError, match="below 0"):
            griffin_lim(np.ones((3, 513)), **settings)
