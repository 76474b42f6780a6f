"""Stand-ins for the shipped model: one without a network, and a tiny real one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from tinyclone import pretrained
from tinyclone.config import AudioConfig

VOICEPRINT_SIZE = 8


class Prediction(NamedTuple):
    mel: np.ndarray
    durations: np.ndarray
    pitch_hz: np.ndarray
    energy: np.ndarray
    contour_hz: np.ndarray


class FakeCloner:
    """Speaks each token for four frames, as noise whose bands depend on the token and on the voice."""

    fingerprint = "fake"

    def __init__(self, *, log_level: float = -3.0) -> None:
        self.config = SimpleNamespace(audio=AudioConfig(), voiceprint_length=VOICEPRINT_SIZE)
        self.log_level = log_level
        self.calls: list[dict] = []

    def voiceprint(self, reference_mel: np.ndarray) -> np.ndarray:
        assert reference_mel.ndim == 2 and reference_mel.shape[1] == self.config.audio.n_mels
        return reference_mel.mean(axis=0)[:VOICEPRINT_SIZE]

    def predict_mel(self, tokens, voiceprint, *, speed=1.0, pitch_shift_semitones=0.0) -> Prediction:
        self.calls.append({"tokens": tokens, "speed": speed, "pitch_shift": pitch_shift_semitones})
        durations = np.full(len(tokens), round(4 / speed), np.int64)
        bands = np.arange(self.config.audio.n_mels)
        frames = np.repeat(np.asarray(tokens), durations)[:, None]
        mel = self.log_level + np.sin(frames + bands / 8 + voiceprint[0])
        nothing, contour_hz = np.zeros(len(tokens)), np.full(len(mel), 120.0)
        return Prediction(mel.astype(np.float32), durations, nothing, nothing, contour_hz)


def tiny_config():
    """The sizes of a model that builds in a second."""
    return pretrained.import_cloner_module().ClonerConfig(
        text_channels=16,
        reference_channels=16,
        variance_channels=16,
        decoder_channels=16,
        voiceprint_size=VOICEPRINT_SIZE,
        decoder_dilations=(1,),
    )


def tiny_cloner(*, seed: int = 0):
    """A real model with random weights; halved, so that it babbles neither for minutes nor too loud."""
    module = pretrained.import_cloner_module()
    import keras

    keras.utils.set_random_seed(seed)
    cloner = module.Cloner(tiny_config()).build_all()
    for variable in cloner.weights:
        variable.assign(variable * 0.5)
    return cloner


def speech_like(sec: float, *, sample_rate_hz: int = 16000, level: float = 0.15) -> np.ndarray:
    """A vowel-like buzz at 120 Hz, louder and softer four times a second."""
    time_sec = np.arange(round(sec * sample_rate_hz)) / sample_rate_hz
    harmonics = sum(np.sin(2 * np.pi * 120 * k * time_sec) / k for k in range(1, 30))
    return (level * harmonics * (1 + 0.3 * np.sin(2 * np.pi * 4 * time_sec))).astype(np.float32)
