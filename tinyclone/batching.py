"""Examples to training batches: give each a reference and fill fixed shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tinyclone.config import ClonerConfig
from tinyclone.durations import Alignment
from tinyclone.errors import CorpusError
from tinyclone.examples import Example, cut_examples, spell, token_prosody
from tinyclone.features import Features
from tinyclone.framing import frame_layout
from tinyclone.text import END, START, encode_symbols

# (frames, tokens, clips in a batch): about 3,000 frames each, so that every step costs the same.
BUCKETS = ((192, 72, 16), (288, 104, 11), (416, 144, 8))
SHORTEST_REFERENCE = 64
TARGETS = ("mel", "variances", "variance_weights", "speaker")


class BatchSequence(keras.utils.PyDataset):
    """Batches for `tinyclone.training.ClonerTrainer.fit`, the same at every run.

    Batch n depends on the seed and on n alone, so a resumed training meets the batches that an
    uninterrupted one would have met.

    Parameters
    ----------
    features : sequence of Features
        The clips.
    alignments : mapping from (clip id, speaker) to Alignment
        Clips without an alignment are left out.
    config : ClonerConfig
        Sizes and normalisation.
    speakers : sequence of str
        Numbering of the speakers; clips of others get the number -1.
    steps : int
        Batches in all.
    weights : mapping from corpus name to float, optional
        How often clips of a corpus are drawn, 1 by default.
    pseudo_speaker_weight : float
        How often a perturbed copy of a clip is drawn, compared with the clip itself.
    spelled_share : float in [0, 1]
        Share of known words that are given as letters, so that the model learns to read them.
    seed : int
        Of every choice.
    first_step : int
        The batch to begin with: where a resumed run goes on.

    Raises
    ------
    CorpusError
        If no clip is left.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(
        self,
        features: Sequence[Features],
        alignments: Mapping[tuple[str, str], Alignment],
        *,
        config: ClonerConfig,
        speakers: Sequence[str],
        steps: int,
        weights: Mapping[str, float] | None = None,
        pseudo_speaker_weight: float = 0.5,
        spelled_share: float = 0.08,
        seed: int = 0,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.features, self.config = features, config
        self.speaker_number = {speaker: number for number, speaker in enumerate(speakers)}
        self.steps, self.seed, self.first_step = steps, seed, first_step
        self.spelled_share = spelled_share
        self.clips_of_speaker: dict[str, list[int]] = defaultdict(list)
        self.buckets: list[list[Example]] = [[] for _ in BUCKETS]
        aligned = [clip for clip, one in enumerate(features) if (one.id, one.speaker) in alignments]
        for clip in aligned:
            self.clips_of_speaker[features[clip].speaker].append(clip)
        for clip in aligned:
            one = features[clip]
            alignment = alignments[one.id, one.speaker]
            for example in cut_examples(clip, one, alignment, max_frames=BUCKETS[-1][0]):
                self._put_in_bucket(example)
        if not any(self.buckets):
            raise CorpusError(
                f"None of {len(features)} clips can be trained on: each needs an alignment, and a second "
                f"clip of its speaker or {SHORTEST_REFERENCE} frames beside it as a reference. Add clips."
            )

        def weight_of(example: Example) -> float:
            one = features[example.clip]
            return (weights or {}).get(one.corpus, 1.0) * (pseudo_speaker_weight if "@" in one.speaker else 1)

        weight = [np.array([weight_of(example) for example in bucket]) for bucket in self.buckets]
        # A bucket is drawn as often as its share of clips, counted in batches, asks for.
        batches = np.array([one.sum() / size for one, (_, _, size) in zip(weight, BUCKETS)])
        self.bucket_probability = batches / batches.sum()
        self.example_probability = [one / max(one.sum(), 1e-9) for one in weight]

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __getitem__(self, index: int):
        random = np.random.default_rng((self.seed, self.first_step + index))
        bucket = random.choice(len(BUCKETS), p=self.bucket_probability)
        frames, tokens, size = BUCKETS[bucket]
        chosen = random.choice(len(self.buckets[bucket]), size, p=self.example_probability[bucket])
        rows = [self._row(self.buckets[bucket][one], frames, tokens, random) for one in chosen]
        inputs = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        targets = {name: inputs.pop(name) for name in TARGETS}
        return inputs, targets

    @property
    def seconds(self) -> float:
        """Speech in all examples, in seconds."""
        frames = sum(example.end - example.start for bucket in self.buckets for example in bucket)
        return frames / self.config.audio.frames_per_sec

    def _put_in_bucket(self, example: Example) -> None:
        for bucket, (frames, tokens, _) in zip(self.buckets, BUCKETS):
            if example.end - example.start <= frames and example.n_tokens <= tokens:
                if self._has_reference(example):
                    bucket.append(example)
                return

    def _has_reference(self, example: Example) -> bool:
        """Whether another clip of the speaker, or enough of this one beside the example, is there."""
        one = self.features[example.clip]
        beside = max(example.start, len(one.mel) - example.end)
        return beside >= SHORTEST_REFERENCE or len(self.clips_of_speaker[one.speaker]) > 1

    def _reference(self, example: Example, random: np.random.Generator) -> np.ndarray:
        """Choose 3 s of another clip of the speaker or, where there is none, of the rest of this clip."""
        others = self.clips_of_speaker[self.features[example.clip].speaker]
        if len(others) > 1:
            position = others.index(example.clip)
            other = others[(position + random.integers(1, len(others))) % len(others)]
            source = self.features[other].mel
        else:
            mel = self.features[example.clip].mel
            source = max(mel[: example.start], mel[example.end :], key=len)
        length = self.config.reference_frames
        if len(source) < length:
            source = np.tile(source, (-(-length // len(source)), 1))
        start = random.integers(0, len(source) - length + 1)
        return source[start : start + length].astype(np.float32)

    def _row(
        self, example: Example, n_frames: int, n_tokens: int, random: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Fill the fixed shapes of one row of a batch."""
        one, config = self.features[example.clip], self.config
        symbols, durations = self._tokens(example, random, room=n_tokens - example.n_tokens)
        mel = one.mel[example.start : example.end].astype(np.float32)
        pitch_hz = one.pitch_hz[example.start : example.end].astype(np.float32)
        prosody = token_prosody(mel, pitch_hz, durations, config=config)
        spoken = durations > 0
        targets = np.column_stack([np.log1p(durations), prosody])
        target_weights = np.column_stack([np.ones(len(durations)), prosody[:, 1], spoken, spoken])
        voiced_prosody = prosody * np.column_stack([prosody[:, 1], spoken, spoken])
        padded_mel = np.zeros((n_frames, mel.shape[1]), np.float32)
        padded_mel[: len(mel)] = (mel - config.mel_mean) / config.mel_std
        return {
            "tokens": _pad(encode_symbols(symbols), n_tokens).astype(np.int32),
            "prosody": _pad(voiced_prosody, n_tokens),
            "reference": self._reference(example, random),
            **frame_layout(durations, n_frames=n_frames),
            "mel": padded_mel,
            "variances": _pad(targets, n_tokens),
            "variance_weights": _pad(target_weights, n_tokens),
            "speaker": np.int32(self.speaker_number.get(one.speaker, -1)),
        }

    def _tokens(
        self, example: Example, random: np.random.Generator, *, room: int
    ) -> tuple[list[str], np.ndarray]:
        """Return symbols and durations of an example, a few of its words given as letters."""
        symbols, durations = [START], [example.edges[0]]
        for word, word_durations in zip(example.words, example.word_durations):
            word_symbols = word.symbols
            growth = len(word.spelling) - len(word.symbols)
            if random.random() < self.spelled_share and growth <= room:
                word_symbols, word_durations = spell(word, word_durations)
                room -= len(word_symbols) - len(word.symbols)
            symbols.extend([*word_symbols, word.boundary] if word.boundary else word_symbols)
            durations.extend(word_durations)
        return [*symbols, END], np.array([*durations, example.edges[1]])


def _pad(values: np.ndarray, length: int) -> np.ndarray:
    """Add zeros at the end. (T, ...) -> (length, ...), float32"""
    padded = np.zeros((length, *values.shape[1:]), np.float32)
    padded[: len(values)] = values
    return padded
