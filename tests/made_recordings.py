"""Made recordings whose pitch is known, and a vocoder that is small enough for tests."""

from __future__ import annotations

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.pulses import pulse_train
from tinyclone.recordings import FULL_SCALE, Recordings

HOP = AudioConfig().hop_length


def made_wav(pitch_hz: np.ndarray, *, level: float = 0.05) -> np.ndarray:
    """A buzz through a dull filter where the pitch is above 0, a hiss where it is not."""
    random = np.random.default_rng(1)
    voiced = np.repeat(pitch_hz > 0, HOP)
    pulses = pulse_train(np.log(np.where(pitch_hz > 0, pitch_hz, 100.0)))
    dull = np.convolve(pulses, np.exp(-np.arange(64) / 6), mode="full")[: len(pulses)]
    hiss = 0.3 * random.standard_normal(len(pulses))
    return (level * np.where(voiced, dull, hiss)).astype(np.float32)


def made_recordings(*, frames: tuple[int, ...] = (90, 70, 30)) -> Recordings:
    """Clips named by their numbers, of the speakers ann and ben in turn, with steady pitches."""
    pitches = []
    for clip, n_frames in enumerate(frames):
        pitch_hz = np.full(n_frames, 110.0 + 45 * clip)
        pitch_hz[: n_frames // 5] = 0
        pitches.append(pitch_hz)
    samples = np.concatenate([made_wav(one) for one in pitches])
    return Recordings(
        keys=tuple((str(clip), ("ann", "ben")[clip % 2]) for clip in range(len(frames))),
        corpora=tuple(("made", "other")[clip % 2] for clip in range(len(frames))),
        starts=np.cumsum([0, *frames]),
        samples=np.round(samples * FULL_SCALE).astype(np.int16),
        pitch_hz=np.concatenate(pitches).astype(np.float16),
    )


def small_vocoder_config(**changes):
    """The sizes of a vocoder that builds in a second."""
    from tinyclone.config import VocoderConfig

    sizes = {"channels": 16, "hidden_channels": 32, "n_blocks": 1}
    sizes |= {"pitch_channels": 16, "n_pitch_blocks": 1, "pitch_classes": 64}
    return VocoderConfig(**{**sizes, **changes})


def small_vocoder(*, seed: int = 0, **changes):
    """A real vocoder with random weights, some of them large enough to matter."""
    import keras

    from tinyclone.vocoder import Vocoder

    keras.utils.set_random_seed(seed)
    vocoder = Vocoder(small_vocoder_config(**changes)).build_all()
    random = np.random.default_rng(seed)
    for reader in (vocoder.shape_reader, vocoder.pitch_reader):
        reader.exit.kernel.assign(random.normal(size=reader.exit.kernel.shape) * 0.1)
    return vocoder
