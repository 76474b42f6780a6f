"""Turning a mel into sound, as far as no network is involved: the source, and the sum of what is let through.

`tinyclone.vocoder.Vocoder` runs the networks with Keras, `tinyclone.onnx_models.OnnxVocoder` with
onnxruntime. Shapes in comments: F frames, M mel bands, L looks, K frequency bins of a look.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from tinyclone.config import VocoderConfig
from tinyclone.errors import AudioError
from tinyclone.excitation import measured_contour
from tinyclone.mel import checked_mel
from tinyclone.pulses import pitch_from_scores, shaped_sound, sound_source


class WaveSpeaker:
    """What every runner of the vocoder's networks can do. A runner has a `config` and two networks.

    Notes
    -----
    Lesson: lessons/07_neural_vocoder.ipynb
    """

    config: VocoderConfig
    # Keras compiles each shape anew: mels are padded so that few shapes come up.
    frame_step: int = 128

    @abstractmethod
    def shape_sound(
        self, mel: np.ndarray, log_pitch: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the gains of pulses, real and imaginary, and of noise. (F, M), (F,), (F, 1) -> (L, K)"""

    @abstractmethod
    def score_pitch(self, mel: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return what `tinyclone.pulses.pitch_from_scores` reads. (F, M), (F, 1) -> (F, classes + 1)"""

    def read_pitch(self, mel: np.ndarray) -> np.ndarray:
        """Read the pitch off a natural-log mel. (F, M) -> (F,) in Hz, 0 where unvoiced"""
        padded, mask = self._padded(self._checked(mel))
        return pitch_from_scores(self.score_pitch(padded, mask)[: len(mel)])

    def speak(self, mel: np.ndarray, *, pitch_hz: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
        """Turn a mel into sound.

        Parameters
        ----------
        mel : np.ndarray [shape=(F, n_mels)]
            Natural-log mel, as `tinyclone.mel.log_mel` makes it; F of at least 2.
        pitch_hz : np.ndarray [shape=(F,)], optional
            Pitch of each frame, 0 where unvoiced; read off the mel if not given.
        seed : int
            Decides the noise: the same seed gives the same wave.

        Returns
        -------
        np.ndarray [shape=((F - 1) * hop_length,), float32 in [-1, 1]]

        Raises
        ------
        AudioError
            If the mel has another shape, or holds NaN or infinite values.

        Notes
        -----
        Lesson: lessons/07_neural_vocoder.ipynb
        """
        config, mel = self.config, self._checked(mel)
        pitch_hz = self.read_pitch(mel) if pitch_hz is None else np.asarray(pitch_hz, np.float32)
        if pitch_hz.shape != (len(mel),):
            raise AudioError(
                f"The pitch has the shape {pitch_hz.shape}; expected ({len(mel)},), one value for each "
                "frame of the mel."
            )
        contour = measured_contour(pitch_hz, log_pitch_if_none=config.pitch_mean)
        source = sound_source(contour, config=config.audio, random=np.random.default_rng(seed))
        padded, mask = self._padded(mel)
        log_pitch = np.full(len(mask), config.pitch_mean, np.float32)
        log_pitch[: len(mel)] = contour
        n_looks = len(mel) * config.looks_per_frame
        gains = tuple(one[:n_looks] for one in self.shape_sound(padded, log_pitch, mask))
        wav = shaped_sound(source, gains, config=config.look)
        return np.clip(wav[: (len(mel) - 1) * config.audio.hop_length], -1.0, 1.0)

    def _checked(self, mel: np.ndarray) -> np.ndarray:
        otherwise = "use a vocoder of the config that it was made with"
        return checked_mel(mel, n_mels=self.config.audio.n_mels, fewest_frames=2, otherwise=otherwise)

    def _padded(self, mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add frames up to the next multiple of `frame_step`; return the mask (F, 1) too."""
        mask = np.arange(-(-len(mel) // self.frame_step) * self.frame_step)[:, None] < len(mel)
        padded = np.full((len(mask), mel.shape[1]), self.config.mel_mean, np.float32)
        padded[: len(mel)] = mel
        return padded, mask.astype(np.float32)
