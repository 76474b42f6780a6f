"""Sentences of one voice to training batches: whole sentences for the Tacotrons, short cuts for WaveNet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import keras
import numpy as np

from tinyclone.errors import CorpusError
from tinyclone.papers.characters import encode_characters
from tinyclone.papers.one_voice import Sentence

BUCKET_ENDS = (0.4, 0.8, 1.0)  # shares of the sentences, from short to long
CHARACTERS_MULTIPLE = 8
SILENCE = np.log(1e-5)


class PaperBatches(keras.utils.PyDataset):
    """Batches that are the same at every run: batch n depends on the seed and on n alone.

    Parameters
    ----------
    sentences : sequence of Sentence
    steps : int
        Batches in all.
    clips : int
        Rows of a batch.
    seed : int
        Of every choice.

    Raises
    ------
    CorpusError
        If there are no sentences.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """

    def __init__(self, sentences: Sequence[Sentence], *, steps: int, clips: int, seed: int = 0) -> None:
        super().__init__()
        if not sentences:
            raise CorpusError("There are no sentences to train on. Give those of read_one_voice.")
        self.sentences, self.steps, self.clips, self.seed = list(sentences), steps, clips, seed
        self.first_step = 0

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __getitem__(self, index: int) -> tuple[dict, dict]:
        chance = np.random.default_rng((self.seed, self.first_step + index))
        return self.batch_of(self.draw(chance), chance)

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that change with anything that decides what is in the batches."""
        digest = hashlib.sha256(repr((type(self).__name__, self.clips, self.seed)).encode())
        for one in self.sentences:
            digest.update(f"{one.text}|{one.mel.shape}|".encode())
        return digest.hexdigest()[:16]

    def clips_of_step(self, step: int) -> tuple[list[str], list[str]]:
        """Return the sentences in a batch, and those that brought values that are not finite."""
        rows = self.draw(np.random.default_rng((self.seed, step)))
        bad = [one.text for one in rows if not (np.isfinite(one.mel).all() and np.isfinite(one.wav).all())]
        return sorted({one.text for one in rows}), sorted(set(bad))

    def draw(self, chance: np.random.Generator) -> list[Sentence]:
        """Choose the sentences of one batch."""
        raise NotImplementedError

    def batch_of(self, rows: list[Sentence], chance: np.random.Generator) -> tuple[dict, dict]:
        """Return inputs and targets of these sentences."""
        raise NotImplementedError


class SentenceBatches(PaperBatches):
    """Whole sentences of about the same length, as characters and mels, in three fixed shapes.

    Parameters
    ----------
    sentences, steps, clips, seed
        See `PaperBatches`.
    frames_multiple : int
        Padded lengths are a multiple of it: the reduction factor.

    Notes
    -----
    Inputs are ``characters`` (B, T) int32, 0 where padded, ``mel`` (B, F, n_mels), silent where padded, and
    ``frames`` (B,) int32, the true lengths; also ``places`` (B, F), if all sentences have them. Targets are
    ``mel`` and ``frames`` again.

    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(
        self,
        sentences: Sequence[Sentence],
        *,
        steps: int,
        clips: int = 16,
        frames_multiple: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(sentences, steps=steps, clips=clips, seed=seed)
        by_length = sorted(self.sentences, key=lambda one: len(one.mel))
        ends = [round(len(by_length) * share) for share in BUCKET_ENDS]
        groups = [by_length[start:end] for start, end in zip([0, *ends], ends)]
        self.buckets = [group for group in groups if group]
        self.shapes = [_shape_of(bucket, frames_multiple) for bucket in self.buckets]

    @property
    def fingerprint(self) -> str:
        """As of all batches, and with their shapes and the places of letters."""
        digest = hashlib.sha256(f"{super().fingerprint}{self.shapes}".encode())
        for one in self.sentences:
            digest.update(b"" if one.places is None else one.places.tobytes())
        return digest.hexdigest()[:16]

    def draw(self, chance: np.random.Generator) -> list[Sentence]:
        """Choose a bucket, as often as it has sentences, and some of it; none twice if there are enough."""
        sizes = np.array([len(bucket) for bucket in self.buckets])
        bucket = self.buckets[chance.choice(len(sizes), p=sizes / sizes.sum())]
        chosen = chance.choice(len(bucket), size=self.clips, replace=len(bucket) < self.clips)
        return [bucket[one] for one in chosen]

    def batch_of(self, rows: list[Sentence], chance: np.random.Generator) -> tuple[dict, dict]:
        """Pad the sentences to the shape of the smallest bucket that holds them."""
        shape = next(shape for shape in self.shapes if all(_fits(one, shape) for one in rows))
        return padded_batch(rows, n_frames=shape[0], n_characters=shape[1])


def padded_batch(
    rows: Sequence[Sentence], *, n_frames: int | None = None, n_characters: int | None = None
) -> tuple[dict, dict]:
    """Return inputs and targets of `SentenceBatches` for these sentences, padded to the longest or more.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    longest_frames, longest_text = _shape_of(rows, 1, characters_multiple=1)
    n_frames, n_characters = n_frames or longest_frames, n_characters or longest_text
    characters = np.zeros((len(rows), n_characters), np.int32)
    mel = np.full((len(rows), n_frames, rows[0].mel.shape[1]), SILENCE, np.float32)
    for row, one in enumerate(rows):
        ids = encode_characters(one.text)
        characters[row, : len(ids)] = ids
        mel[row, : len(one.mel)] = one.mel
    frames = np.array([len(one.mel) for one in rows], np.int32)
    inputs = {"characters": characters, "mel": mel, "frames": frames}
    if all(one.places is not None for one in rows):
        padded = [np.pad(one.places, (0, n_frames - len(one.places)), mode="edge") for one in rows]
        inputs["places"] = np.stack(padded)  # (B, F)
    return inputs, {"mel": mel, "frames": frames}


class WaveBatches(PaperBatches):
    """Short cuts of waves with their mels.

    Parameters
    ----------
    sentences, steps, clips, seed
        See `PaperBatches`.
    frames : int
        Mel frames of a cut.

    Raises
    ------
    CorpusError
        If no sentence is as long as a cut.

    Notes
    -----
    Inputs are ``wav`` (B, frames * hop_length) and ``mel`` (B, frames, n_mels); the target is ``wav``.

    Lesson: lessons/papers/wavenet.ipynb
    """

    def __init__(
        self, sentences: Sequence[Sentence], *, steps: int, clips: int = 8, frames: int = 16, seed: int = 0
    ) -> None:
        long_enough = [one for one in sentences if len(one.mel) >= frames]
        if sentences and not long_enough:
            raise CorpusError(f"No sentence has the {frames} frames of a cut. Make cuts shorter.")
        super().__init__(long_enough, steps=steps, clips=clips, seed=seed)
        self.frames = frames
        length = np.array([len(one.mel) for one in self.sentences], np.float64)
        self.probability = length / length.sum()

    @property
    def fingerprint(self) -> str:
        """As of all batches, and with the length of the cuts."""
        return hashlib.sha256(f"{super().fingerprint}{self.frames}".encode()).hexdigest()[:16]

    def draw(self, chance: np.random.Generator) -> list[Sentence]:
        """Choose sentences, long ones more often."""
        chosen = chance.choice(len(self.sentences), size=self.clips, p=self.probability)
        return [self.sentences[one] for one in chosen]

    def batch_of(self, rows: list[Sentence], chance: np.random.Generator) -> tuple[dict, dict]:
        """Cut each sentence at a random frame."""
        hop_length = len(rows[0].wav) // len(rows[0].mel)
        starts = [int(chance.integers(len(one.mel) - self.frames + 1)) for one in rows]
        mel = np.stack([one.mel[start : start + self.frames] for one, start in zip(rows, starts)])
        wav = np.stack(
            [
                one.wav[start * hop_length : (start + self.frames) * hop_length]
                for one, start in zip(rows, starts)
            ]
        )
        return {"wav": wav, "mel": mel}, {"wav": wav}


def require_fitting_cuts(sentences: Sequence[Sentence], cut_frames: int, *, multiple: int = 1) -> None:
    """Refuse cuts that are longer than a sentence.

    Parameters
    ----------
    sentences : sequence of Sentence
    cut_frames : int
        Frames of a cut.
    multiple : int
        What they must be a multiple of.

    Raises
    ------
    CorpusError
        If a sentence is shorter than a cut, or a cut has no frames or no multiple of them.

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """
    shortest = min(len(one.mel) for one in sentences)
    if not 0 < cut_frames <= shortest or cut_frames % multiple:
        more = f", and a multiple of {multiple}" if multiple > 1 else ""
        raise CorpusError(
            f"Got cuts of {cut_frames} frames and a sentence of {shortest}; expected cuts that fit into "
            f"every sentence{more}. Cut shorter, or leave it out."
        )


def _shape_of(
    rows: Sequence[Sentence], frames_multiple: int, *, characters_multiple: int = CHARACTERS_MULTIPLE
) -> tuple[int, int]:
    """Return frames and characters that hold every one of these sentences."""
    n_frames = max(len(one.mel) for one in rows)
    n_characters = max(len(encode_characters(one.text)) for one in rows)
    return _rounded_up(n_frames, frames_multiple), _rounded_up(n_characters, characters_multiple)


def _fits(sentence: Sentence, shape: tuple[int, int]) -> bool:
    return len(sentence.mel) <= shape[0] and len(encode_characters(sentence.text)) <= shape[1]


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
