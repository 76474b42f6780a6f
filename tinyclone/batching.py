"""Examples to training batches: give each a reference and fill fixed shapes."""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields

import keras
import numpy as np

from tinyclone.config import ClonerConfig
from tinyclone.durations import Alignment
from tinyclone.errors import CorpusError
from tinyclone.examples import Example, cut_examples, token_prosody, words_of
from tinyclone.excitation import measured_contour, table_rows
from tinyclone.feature_store import Features, FeatureStore, Outline
from tinyclone.framing import frame_layout
from tinyclone.presets import PRESETS, Buckets
from tinyclone.text import encode_symbols, word_symbols

BUCKETS = PRESETS["laptop"].buckets
SHORTEST_REFERENCE = 64
TARGETS = ("mel", "variances", "variance_weights", "speaker")


class BatchSequence(keras.utils.PyDataset):
    """Batches for `tinyclone.trainer.ClonerTrainer.fit`, the same at every run.

    Batch n depends on the seed and on n alone, so a resumed training meets the batches that an
    uninterrupted one would have met. Of each piece of a clip only six numbers are kept in memory: words,
    mel and pitch are fetched when a batch is made.

    Parameters
    ----------
    features : sequence of Features
        The clips.
    alignments : mapping from (clip id, speaker) to Alignment
        Clips without an alignment are left out.
    config : ClonerConfig
        Sizes and normalisation.
    speakers : sequence of str, optional
        Numbering of the speakers; clips of others get the number -1. By default all speakers of
        `features` in order.
    steps : int
        Batches in all.
    weights : mapping from corpus name to float, optional
        How often clips of a corpus are drawn, 1 by default.
    pseudo_speaker_weight : float
        How often a perturbed copy of a clip is drawn, compared with the clip itself.
    seed : int
        Of every choice.
    first_step : int
        The batch to begin with: where a resumed run goes on.
    buckets : sequence of (frames, tokens, clips)
        Shapes of a batch, from short to long: a piece goes into the first that holds it.
    max_seconds : float, optional
        Longer clips are left out.

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
        speakers: Sequence[str] | None = None,
        steps: int,
        weights: Mapping[str, float] | None = None,
        pseudo_speaker_weight: float = 0.5,
        seed: int = 0,
        first_step: int = 0,
        buckets: Buckets = BUCKETS,
        max_seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.features, self.alignments, self.config = features, alignments, config
        self.steps, self.seed, self.first_step = steps, seed, first_step
        self.shapes = tuple(buckets)
        limit = np.inf if max_seconds is None else max_seconds * config.audio.frames_per_sec
        pieces, groups = self._cut(limit)
        if speakers is None:
            speakers = sorted({speaker for speaker, _ in groups})
        self.speaker_number = {speaker: number for number, speaker in enumerate(speakers)}
        self.buckets = self._sorted_into_buckets(pieces)
        if not any(map(len, self.buckets)):
            raise CorpusError(
                f"None of {len(features)} clips can be trained on: each needs an alignment, and a second "
                f"clip of its speaker or {SHORTEST_REFERENCE} frames beside it as a reference. Add clips."
            )

        def weight_of(speaker: str, corpus: str) -> float:
            return (weights or {}).get(corpus, 1.0) * (pseudo_speaker_weight if "@" in speaker else 1)

        weight_of_group = np.array([weight_of(*group) for group in groups])
        weight = [weight_of_group[self.group_of_clip[bucket[:, 0]]] for bucket in self.buckets]
        # A bucket is drawn as often as its share of clips, counted in batches, asks for.
        batches = np.array([one.sum() / size for one, (_, _, size) in zip(weight, self.shapes)])
        self.bucket_probability = batches / batches.sum()
        self.example_distribution = [_distribution(one) for one in weight]

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __getitem__(self, index: int):
        random, examples, frames, tokens = self._draw(self.first_step + index)
        rows = [self._row(example, frames, tokens, random) for example in examples]
        inputs = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        targets = {name: inputs.pop(name) for name in TARGETS}
        return inputs, targets

    def examples(self) -> Iterator[Example]:
        """Yield every piece that can be drawn."""
        for bucket in self.buckets:
            for row in bucket:
                yield Example(*row.tolist())

    def clips_of_step(self, step: int) -> tuple[list[str], list[str]]:
        """Return the names of the clips in a batch, and of those that brought values that are not finite.

        A row's reference comes from another clip of its speaker, so all of these are looked at.
        """
        random, examples, frames, tokens = self._draw(step)
        clips, suspects = set(), set()
        for example in examples:
            row = self._row(example, frames, tokens, random)
            clips.add(example.clip)
            if not all(np.isfinite(value).all() for value in row.values()):
                suspects.update(self.clips_of_speaker[self.features[example.clip].speaker].tolist())
        broken = {clip for clip in suspects if not np.isfinite(self.features[clip].mel).all()}
        return self._names(clips), self._names(broken)

    def _names(self, clips: set[int]) -> list[str]:
        return sorted(f"{self.features[clip].id} ({self.features[clip].speaker})" for clip in clips)

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that change with anything that decides what is in the batches."""
        digest = hashlib.sha256(repr((self.seed, self.shapes)).encode())
        for part in (*self.buckets, *self.example_distribution, self.group_of_clip):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]

    @property
    def seconds(self) -> float:
        """Speech in all examples, in seconds."""
        frames = sum(int((bucket[:, 4] - bucket[:, 3]).sum()) for bucket in self.buckets)
        return frames / self.config.audio.frames_per_sec

    def _cut(self, most_frames: float) -> tuple[np.ndarray, list[tuple[str, str]]]:
        """Cut all clips that are aligned and not too long, and list them by speaker, without reading mels.

        Returns the pieces as rows of the fields of `Example`, and the (speaker, corpus) of each group.
        """
        pieces = array("i")
        groups: dict[tuple[str, str], int] = {}
        clips_of_speaker: dict[str, array] = defaultdict(lambda: array("i"))
        self.group_of_clip = np.full(len(self.features), -1, np.int32)
        self.frames_of_clip = np.zeros(len(self.features), np.int32)
        for clip, one in enumerate(outlines(self.features)):
            group = groups.setdefault((one.speaker, one.corpus), len(groups))
            alignment = self.alignments.get((one.id, one.speaker))
            if alignment is None or one.n_frames > most_frames:
                continue
            self.group_of_clip[clip], self.frames_of_clip[clip] = group, one.n_frames
            clips_of_speaker[one.speaker].append(clip)
            for example in cut_examples(clip, one, alignment, max_frames=self.shapes[-1][0]):
                pieces.extend(astuple(example))
        self.clips_of_speaker = {name: np.array(clips) for name, clips in clips_of_speaker.items()}
        return np.array(pieces, np.int32).reshape(-1, len(fields(Example))), list(groups)

    def _sorted_into_buckets(self, pieces: np.ndarray) -> list[np.ndarray]:
        """Give each piece that has a reference to the first bucket that holds it.

        A reference is another clip of the speaker, or enough of this one beside the piece.
        """
        clip, _, _, start, end, n_tokens = pieces.T
        clips_of_group = np.zeros(self.group_of_clip.max(initial=0) + 1, np.int64)
        for clips in self.clips_of_speaker.values():
            clips_of_group[self.group_of_clip[clips]] = len(clips)
        beside = np.maximum(start, self.frames_of_clip[clip] - end)
        free = (beside >= SHORTEST_REFERENCE) | (clips_of_group[self.group_of_clip[clip]] > 1)
        buckets = []
        for frames, tokens, _ in self.shapes:
            fits = (end - start <= frames) & (n_tokens <= tokens)
            buckets.append(pieces[free & fits])
            free &= ~fits
        return buckets

    def _draw(self, step: int) -> tuple[np.random.Generator, list[Example], int, int]:
        """Choose the pieces of a batch and the frames and tokens that its rows have room for."""
        random = np.random.default_rng((self.seed, step))
        bucket = random.choice(len(self.shapes), p=self.bucket_probability)
        frames, tokens, size = self.shapes[bucket]
        chosen = self.example_distribution[bucket].searchsorted(random.random(size), side="right")
        return random, [Example(*row) for row in self.buckets[bucket][chosen].tolist()], frames, tokens

    def _reference(self, example: Example, random: np.random.Generator) -> np.ndarray:
        """Choose 3 s of another clip of the speaker or, where there is none, of the rest of this clip."""
        others = self.clips_of_speaker[self.features[example.clip].speaker]
        if len(others) > 1:
            position = np.searchsorted(others, example.clip)
            other = others[(position + random.integers(1, len(others))) % len(others)]
            source = self.features[int(other)].mel
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
        symbols, durations = self._tokens(example, one)
        mel = one.mel[example.start : example.end].astype(np.float32)
        pitch_hz = one.pitch_hz[example.start : example.end].astype(np.float32)
        prosody = token_prosody(mel, pitch_hz, durations, config=config)
        spoken = durations > 0
        targets = np.column_stack([np.log1p(durations), prosody])
        target_weights = np.column_stack([np.ones(len(durations)), prosody[:, 1], spoken, spoken])
        contour = measured_contour(pitch_hz, log_pitch_if_none=config.pitch_mean)
        voiced_prosody = prosody * np.column_stack([prosody[:, 1], spoken, spoken])
        padded_mel = np.zeros((n_frames, mel.shape[1]), np.float32)
        padded_mel[: len(mel)] = (mel - config.mel_mean) / config.mel_std
        return {
            "tokens": _pad(encode_symbols(symbols), n_tokens).astype(np.int32),
            "prosody": _pad(voiced_prosody, n_tokens),
            "reference": self._reference(example, random),
            **frame_layout(durations, n_frames=n_frames),
            "pitch_row": _pad(table_rows(contour), n_frames).astype(np.int32),
            "mel": padded_mel,
            "variances": _pad(targets, n_tokens),
            "variance_weights": _pad(target_weights, n_tokens),
            "speaker": np.int32(self.speaker_number.get(one.speaker, -1)),
        }

    def _tokens(self, example: Example, one: Features) -> tuple[list[str], np.ndarray]:
        """Return symbols and durations of an example."""
        words, durations_of_words, edges = words_of(example, one, self.alignments[one.id, one.speaker])
        return word_symbols(words), np.concatenate([[edges[0]], *durations_of_words, [edges[1]]])


def _pad(values: np.ndarray, length: int) -> np.ndarray:
    """Add zeros at the end. (T, ...) -> (length, ...), float32"""
    padded = np.zeros((length, *values.shape[1:]), np.float32)
    padded[: len(values)] = values
    return padded


def outlines(features: Sequence[Features]) -> Iterator[Outline]:
    """Yield all of each clip but its arrays, which a store on disk then need not read."""
    if isinstance(features, FeatureStore):
        yield from features.outlines()
    else:
        for one in features:
            yield Outline(one.id, one.speaker, one.corpus, one.text, one.words, len(one.mel))


def _distribution(weight: np.ndarray) -> np.ndarray:
    """Sum up weights to a distribution function from which to draw. (N,) -> (N,), 1 at its end"""
    summed = np.cumsum(weight / max(weight.sum(), 1e-9))
    return summed / summed[-1] if weight.any() else summed
