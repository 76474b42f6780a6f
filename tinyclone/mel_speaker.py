"""Speaking a sentence, as far as no network is involved: durations to frames, pitch to harmonics.

`tinyclone.cloner.Cloner` runs the networks with Keras, `tinyclone.onnx_models.OnnxCloner` with onnxruntime.
Shapes in comments: T tokens, F frames, R reference frames, C channels, V numbers in a voiceprint, M bands.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from tinyclone.config import ClonerConfig
from tinyclone.equaliser import SENTENCES, equaliser
from tinyclone.excitation import predicted_contour, table_rows
from tinyclone.framing import frame_layout, reference_crops
from tinyclone.text import PAUSES, SYMBOLS, encode

# Squared error makes the network predict the mean of the log; the mean of a log-normal duration is longer
# by half its variance, which on held-out clips was 0.19.
DURATION_CORRECTION = np.exp(0.19 / 2)
SHORTEST_PHONE_FRAMES = 2
# Four seconds: an untrained network predicts anything, and its speech must still fit into memory.
LONGEST_TOKEN_FRAMES = 250


@dataclass(frozen=True)
class Prediction:
    """What the model says about one sentence.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels), float32]
        Natural-log mel.
    durations : np.ndarray [shape=(T,), int32]
        Frames of each token; their sum is F.
    pitch_hz : np.ndarray [shape=(T,), float32]
        Pitch of each token, 0 where it is rather unvoiced.
    energy : np.ndarray [shape=(T,), float32]
        Mean log mel of each token.
    contour_hz : np.ndarray [shape=(F,), float32]
        Pitch of each frame, with straight lines through what is unvoiced; the mel's harmonics follow it.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    mel: np.ndarray
    durations: np.ndarray
    pitch_hz: np.ndarray
    energy: np.ndarray
    contour_hz: np.ndarray


class MelSpeaker:
    """What every runner of the cloner's networks can do. A runner has a `config` and three networks.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """

    config: ClonerConfig
    fingerprint: str = ""
    # Keras compiles each shape anew: sentences are padded so that few shapes come up.
    token_step: int = 64
    frame_step: int = 128

    @abstractmethod
    def hear_looks(self, looks: np.ndarray) -> np.ndarray:
        """Return what the reference encoder says of natural-log mels. (n, R, M) -> (n, V)"""

    @abstractmethod
    def read_tokens(self, tokens: np.ndarray, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return states (T, C) and variances (T, 4) of padded tokens (T,) and an encoded voice (V,)."""

    @abstractmethod
    def draw_mel(
        self,
        states: np.ndarray,
        prosody: np.ndarray,
        encoded: np.ndarray,
        layout: dict[str, np.ndarray],
    ) -> np.ndarray:
        """Return the normalised mel (F, M) of states (T, C), prosody (T, 3), a voice (V,) and a layout.

        The layout is that of `tinyclone.framing.frame_layout`, with ``pitch_row`` (F,).
        """

    def voiceprint(self, reference_mel: np.ndarray) -> np.ndarray:
        """Describe the voice of a recording.

        Parameters
        ----------
        reference_mel : np.ndarray [shape=(R, n_mels), float32]
            Natural-log mel of 1 s or more; 3 to 15 s are best.

        Returns
        -------
        np.ndarray [shape=(V + 2 * n_mels,), float32]
            What the reference encoder says, the mean over overlapping looks of ``reference_frames``
            frames; then the scale and the offset of each band, see `tinyclone.equaliser`.
        """
        crops = reference_crops(reference_mel, length=self.config.reference_frames)
        n_mels = self.config.audio.n_mels
        level = [np.ones(n_mels), np.zeros(n_mels)]
        encoded = self.hear_looks(crops).mean(axis=0)
        unequalised = np.concatenate([encoded, *level])
        spoken = [self.predict_mel(encode(sentence), unequalised).mel for sentence in SENTENCES]
        return np.concatenate([encoded, *equaliser(spoken, reference_mel)]).astype(np.float32)

    def predict_mel(
        self,
        tokens: np.ndarray,
        voiceprint: np.ndarray,
        *,
        speed: float = 1.0,
        pitch_shift_semitones: float = 0.0,
    ) -> Prediction:
        """Speak one sentence.

        Parameters
        ----------
        tokens : np.ndarray [shape=(T,), int]
            From `tinyclone.text.encode`.
        voiceprint : np.ndarray [shape=(V + 2 * n_mels,), float32]
            From `voiceprint`.
        speed : float > 0
            2 speaks twice as fast.
        pitch_shift_semitones : float
            Added to the predicted pitch; 12 is an octave.

        Returns
        -------
        Prediction
        """
        config, n_tokens = self.config, len(tokens)
        bands = config.voiceprint_size + config.audio.n_mels * np.arange(2)
        encoded, scale, offset = np.split(np.asarray(voiceprint, np.float32), bands)
        padded = np.zeros(_round_up(n_tokens, self.token_step), np.int32)
        padded[:n_tokens] = tokens
        states, variances = self.read_tokens(padded, encoded)
        log_duration, pitch, voicing, energy = variances[:n_tokens].T
        pause = np.isin(np.asarray(SYMBOLS)[tokens], list(PAUSES))
        log_duration = np.clip(log_duration, 0, np.log1p(LONGEST_TOKEN_FRAMES))
        frames = np.expm1(log_duration) * DURATION_CORRECTION / speed
        shortest = max(1, round(SHORTEST_PHONE_FRAMES / speed))
        durations = np.round(np.where(pause, frames, np.maximum(frames, shortest))).astype(np.int32)
        if not durations.any():
            durations[:] = 1
        pitch = pitch + pitch_shift_semitones * np.log(2) / 12 / config.pitch_std
        voiced_share = 1 / (1 + np.exp(-voicing))
        prosody = np.zeros((len(padded), 3), np.float32)
        prosody[:n_tokens] = np.stack([pitch * voiced_share, voiced_share, energy], axis=1)
        layout = frame_layout(durations, n_frames=_round_up(int(durations.sum()), self.frame_step))
        log_pitch = pitch * config.pitch_std + config.pitch_mean
        contour = predicted_contour(log_pitch, voiced_share, durations, log_pitch_if_none=config.pitch_mean)
        layout["pitch_row"] = np.zeros(len(layout["frame_mask"]), np.int32)
        layout["pitch_row"][: len(contour)] = table_rows(contour)
        mel = self.draw_mel(states, prosody, encoded, layout)[: durations.sum()]
        quietest = np.log(np.float32(config.audio.log_floor))
        return Prediction(
            mel=np.maximum(scale * (mel * config.mel_std + config.mel_mean) + offset, quietest),
            durations=durations,
            pitch_hz=np.where(voiced_share > 0.5, np.exp(log_pitch), 0).astype(np.float32),
            energy=(energy * config.mel_std + config.mel_mean).astype(np.float32),
            contour_hz=np.exp(contour),
        )


def _round_up(number: int, step: int) -> int:
    return max(step, -(-number // step) * step)
