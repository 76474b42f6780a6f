"""Aligned clips to training batches: cut at pauses, give each a reference, fill fixed shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tinyclone.alignment import Alignment
from tinyclone.config import ClonerConfig
from tinyclone.errors import CorpusError
from tinyclone.features import Features
from tinyclone.framing import frame_layout
from tinyclone.text import END, START, Word, encode_symbols

# (frames, tokens, clips in a batch): about 3,000 frames each, so that every step costs the same.
BUCKETS = ((192, 72, 16), (288, 104, 11), (416, 144, 8))
SHORTEST_REFERENCE = 64
TARGETS = ("mel", "variances", "variance_weights", "speaker")


@dataclass(frozen=True)
class Example:
    """A piece of a clip, cut between two words.

    Parameters
    ----------
    clip : int
        Index of the clip in the list that the examples were made from.
    words : tuple of Word
        Its words.
    word_durations : tuple of np.ndarray
        Frames of each word's symbols and, last, of its boundary where it has one.
    edges : (int, int)
        Frames of silence before the first word and after the last.
    start, end : int
        Its frames in the clip.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    clip: int
    words: tuple[Word, ...]
    word_durations: tuple[np.ndarray, ...]
    edges: tuple[int, int]
    start: int
    end: int

    @property
    def n_tokens(self) -> int:
        """Tokens of the piece, the start and the end included."""
        return 2 + sum(len(durations) for durations in self.word_durations)


def cut_examples(clip: int, features: Features, alignment: Alignment, *, max_frames: int) -> list[Example]:
    """Cut a clip into pieces of at most `max_frames`, each cut in the longest pause of its second half.

    Parameters
    ----------
    clip : int
        The clip's index, kept in the examples.
    features, alignment : Features, Alignment
        The clip.
    max_frames : int
        Longest piece; a single word that is longer is left out.

    Returns
    -------
    list of Example

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    counts = [len(word.symbols) + bool(word.boundary) for word in features.words]
    tokens, frames = 2 + sum(counts), len(features.mel)
    if len(alignment.durations) != tokens or alignment.durations.sum() != frames:
        raise CorpusError(
            f"The alignment of clip {features.id} has {len(alignment.durations)} tokens and "
            f"{alignment.durations.sum()} frames, but its features have {tokens} and {frames}. "
            "They were made from different features: align the corpus again."
        )
    ends = 1 + np.cumsum(counts)
    per_word = [alignment.durations[end - count : end] for end, count in zip(ends, counts)]
    lengths = [int(durations.sum()) for durations in per_word]
    pauses = [int(durations[-1]) if word.boundary else 0 for word, durations in zip(features.words, per_word)]
    lead, tail = int(alignment.durations[0]), int(alignment.durations[-1])
    examples: list[Example] = []
    first, start = 0, 0
    while first < len(per_word):
        edge = lead if first == 0 else 0
        after = first + int(np.searchsorted(np.cumsum(lengths[first:]), max_frames - edge - tail, "right"))
        if after == first:
            start += edge + lengths[first]
            first += 1
            continue
        if after < len(per_word):
            middle = first + (after - first) // 2
            after = middle + int(np.argmax(pauses[middle:after])) + 1
        last_edge = tail if after == len(per_word) else 0
        end = start + edge + sum(lengths[first:after]) + last_edge
        words, durations = tuple(features.words[first:after]), tuple(per_word[first:after])
        examples.append(Example(clip, words, durations, (edge, last_edge), start, end))
        first, start = after, end
    return examples


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
        for clip, one in enumerate(features):
            alignment = alignments.get((one.id, one.speaker))
            if alignment is None:
                continue
            self.clips_of_speaker[one.speaker].append(clip)
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


def token_prosody(
    mel: np.ndarray, pitch_hz: np.ndarray, durations: np.ndarray, *, config: ClonerConfig
) -> np.ndarray:
    """Average pitch, voicing and energy over the frames of each token.

    Parameters
    ----------
    mel : np.ndarray [shape=(F, n_mels)]
        Natural-log mel.
    pitch_hz : np.ndarray [shape=(F,)]
        0 where unvoiced.
    durations : np.ndarray [shape=(T,), int]
        Frames of each token.
    config : ClonerConfig
        Normalisation.

    Returns
    -------
    np.ndarray [shape=(T, 3), float32]
        Normalised log pitch (0 where no frame is voiced), share of voiced frames in [0, 1],
        normalised energy; zeros for tokens without frames.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    edges = np.concatenate([[0], np.cumsum(durations)])

    def token_sums(values: np.ndarray) -> np.ndarray:
        return np.diff(np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])[edges])

    voiced = pitch_hz > 0
    log_pitch = np.where(voiced, np.log(np.maximum(pitch_hz, 1.0)) - config.pitch_mean, 0) / config.pitch_std
    voiced_frames, frames = token_sums(voiced), np.maximum(durations, 1)
    energy = token_sums((mel.mean(axis=1) - config.mel_mean) / config.mel_std) / frames
    pitch = token_sums(log_pitch) / np.maximum(voiced_frames, 1)
    return np.stack([pitch, voiced_frames / frames, energy], axis=1).astype(np.float32)


def spell(word: Word, durations: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Give a word as letters that share its frames evenly, or unchanged if it has too few frames.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """
    n_symbols = len(word.symbols)
    letters, total = tuple(word.spelling), int(durations[:n_symbols].sum())
    if not word.known or total < len(letters):
        return word.symbols, durations
    edges = np.arange(len(letters) + 1) * total // len(letters)
    return letters, np.concatenate([np.diff(edges), durations[n_symbols:]])


def _pad(values: np.ndarray, length: int) -> np.ndarray:
    """Add zeros at the end. (T, ...) -> (length, ...), float32"""
    padded = np.zeros((length, *values.shape[1:]), np.float32)
    padded[: len(values)] = values
    return padded
