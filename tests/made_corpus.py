"""A made corpus of a few clips whose mels follow from their tokens, for tests of models."""

from __future__ import annotations

import numpy as np

from tinyclone.alignment import Alignment
from tinyclone.config import ClonerConfig
from tinyclone.features import Features
from tinyclone.text import PAUSES, encode_symbols, parse, word_symbols

SENTENCES = ("The cat sat.", "Dogs run far.", "We like tea.", "Rain fell here.")

SMALL = ClonerConfig(
    text_channels=16,
    reference_channels=16,
    variance_channels=16,
    decoder_channels=16,
    voiceprint_size=8,
    reference_frames=64,
    decoder_dilations=(1, 2),
)


def made_corpus(*, speakers: tuple[str, ...] = ("ann", "ben")) -> tuple[list[Features], dict]:
    """Return features and alignments in which each token has its own spectrum and each speaker a tilt."""
    random = np.random.default_rng(0)
    spectra = random.normal(size=(107, 80))
    features, alignments = [], {}
    for number, speaker in enumerate(speakers):
        tilt = np.linspace(-1, 1, 80) * (number - 0.5)
        for sentence in SENTENCES:
            words = tuple(parse(sentence))
            symbols = word_symbols(words)
            ids = encode_symbols(symbols)
            frames = [2 if symbol in PAUSES else 5 + place % 4 for place, symbol in enumerate(symbols)]
            durations = np.array(frames)
            mel = (np.repeat(spectra[ids], durations, axis=0) + tilt) * 2.1 - 5.4
            pitch_hz = np.where(np.arange(len(mel)) % 5, 120.0 * (number + 1), 0.0)
            one = Features(
                id=sentence, speaker=speaker, corpus="made", text=sentence, words=words,
                mel=mel.astype(np.float16), pitch_hz=pitch_hz.astype(np.float16),
            )  # fmt: skip
            features.append(one)
            alignments[one.id, one.speaker] = Alignment(durations.astype(np.int32), 1.0)
    return features, alignments
