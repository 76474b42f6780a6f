"""How close speech comes to one speaker: heard by the model's own encoder, by phone models, by distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from tinyclone.callbacks import alignment_score
from tinyclone.cloner import Cloner
from tinyclone.durations import Alignment
from tinyclone.evaluation import cosine_similarity, mel_cepstral_distortion
from tinyclone.features import Features
from tinyclone.framing import reference_crops
from tinyclone.mel import log_mel
from tinyclone.phone_models import GaussianScorer, cepstra, phone_class
from tinyclone.synthesis import Speech
from tinyclone.text import word_symbols


@dataclass(frozen=True)
class Quality:
    """How well sentences are spoken, on average.

    Parameters
    ----------
    similarity : float in [-1, 1]
        Cosine of the voiceprints of what is heard and of the speaker's recordings of other sentences.
    phones : float in [0, 1]
        Share of frames that sound most like the phone they were made for, to Gaussians that learned from
        recordings. Recordings themselves reach about a half.
    distortion_db : float
        Mel cepstral distortion to the speaker's recording of the same sentence.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    similarity: float
    phones: float
    distortion_db: float


class Heard(NamedTuple):
    """One spoken sentence: its mel (F, n_mels), and the symbols that its frames were made for."""

    mel: np.ndarray
    durations: np.ndarray
    symbols: Sequence[str]


def as_heard(speech: Speech, cloner: Cloner) -> Heard:
    """Return what comes out of the loudspeaker: the mel of the sound, not the one it was made from."""
    mel = log_mel(speech.wav, config=cloner.config.audio)
    return Heard(mel, speech.durations, speech.tokens)


class SpeakerJudge:
    """Compares speech with held-out recordings of one speaker.

    Parameters
    ----------
    listener : Cloner
        Its reference encoder makes all voiceprints. Use one and the same to compare two models: each
        finds itself most alike.
    recordings : sequence of Features
        What the phone models learn from, some minutes.
    alignments : mapping from (clip id, speaker) to Alignment
        Of the recordings; those without are left out.
    held_out : sequence of Features
        The speaker's recordings of the sentences that are spoken, two at least.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    def __init__(
        self,
        listener: Cloner,
        *,
        recordings: Sequence[Features],
        alignments: Mapping[tuple[str, str], Alignment],
        held_out: Sequence[Features],
    ) -> None:
        self.listener, self.held_out = listener, held_out
        frames, labels = [], []
        for one in recordings:
            if (alignment := alignments.get((one.id, one.speaker))) is not None:
                classes = [phone_class(symbol) for symbol in word_symbols(one.words)]
                frames.append(cepstra(one.mel))
                labels.append(np.repeat(classes, alignment.durations))
        self.scorer = GaussianScorer()
        self.scorer.fit(frames, labels)
        self.prints = [self._print(one.mel) for one in held_out]

    def quality(self, spoken: Sequence[Heard]) -> Quality:
        """Judge the held-out sentences, spoken in their order."""
        targets = [self._target(without=index) for index in range(len(spoken))]
        pairs = list(zip(spoken, self.held_out, targets, strict=True))
        return Quality(
            similarity=_mean(cosine_similarity(self._print(said.mel), target) for said, _, target in pairs),
            phones=_mean(alignment_score(self.scorer, *said) for said in spoken),
            distortion_db=_mean(mel_cepstral_distortion(one.mel, said.mel) for said, one, _ in pairs),
        )

    def similarity(self, mels: Sequence[np.ndarray]) -> float:
        """Return how alike other recordings are to the speaker, on average."""
        target = self._target()
        return _mean(cosine_similarity(self._print(mel), target) for mel in mels)

    def _target(self, *, without: int | None = None) -> np.ndarray:
        """Average the voiceprints of the held-out recordings, but not that of the same sentence."""
        return np.mean([one for index, one in enumerate(self.prints) if index != without], axis=0)

    def _print(self, mel: np.ndarray) -> np.ndarray:
        config = self.listener.config
        crops = reference_crops(mel, length=config.reference_frames)
        looks = self.listener.reference_encoder((crops - config.mel_mean) / config.mel_std)
        return keras.ops.convert_to_numpy(looks).mean(axis=0)


def _mean(values) -> float:
    return float(np.mean(list(values)))
