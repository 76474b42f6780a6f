"""Training the network that sounds out words, on a pronouncing dictionary."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
from keras import layers, ops

from tinyclone.errors import TrainingError
from tinyclone.letter_to_sound import (
    BEYOND,
    CHUNKS_BEFORE,
    LETTERS_AROUND,
    WEIGHT_NAMES,
    LetterToSound,
    letter_windows,
)
from tinyclone.word_errors import edit_counts

# Chunks that fewer letters make are oddities of single words.
FEWEST_USES = 10
TEST_SHARE, VALIDATION_SHARE = 0.05, 0.01
# An ending, and what may stand in its place in the word that it was added to.
INFLECTIONS = (
    ("'s", ("",)), ("s'", ("", "s")), ("'", ("",)), ("s", ("",)), ("es", ("",)), ("ies", ("y",)),
    ("ed", ("", "e")), ("d", ("",)), ("ied", ("y",)), ("ing", ("", "e")), ("in'", ("", "e", "ing")),
    ("er", ("", "e")), ("ier", ("y",)), ("r", ("",)), ("est", ("", "e")), ("iest", ("y",)),
    ("ly", ("", "le")), ("ily", ("y",)), ("ness", ("",)), ("iness", ("y",)), ("less", ("",)),
)  # fmt: skip


def word_families(words: Iterable[str]) -> dict[str, str]:
    """Name the family of each word: the shortest word that it is an inflection of.

    Parameters
    ----------
    words : iterable of str

    Returns
    -------
    dict from word to str

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    known = set(words)
    root: dict[str, str] = {}
    for word in sorted(known, key=lambda one: (len(one), one)):
        root[word] = next((root[stem] for stem in _stems(word) if stem in root), word)
    return root


def _stems(word: str) -> list[str]:
    """Return what a word may be an inflection of, shorter words only, the shortest first."""
    stems = set()
    for ending, replacements in INFLECTIONS:
        if not word.endswith(ending) or len(word) - len(ending) < 2:
            continue
        start = word[: -len(ending)]
        stems |= {start + replacement for replacement in replacements}
        if start[-1] == start[-2] and ending[0] in "ei":  # run, running
            stems.add(start[:-1])
    return sorted((stem for stem in stems if 2 <= len(stem) < len(word)), key=lambda one: (len(one), one))


def split_words(words: Iterable[str]) -> dict[str, list[str]]:
    """Split words into "training", "validation" and "test", whole families at a time, by hash.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    split: dict[str, list[str]] = {"training": [], "validation": [], "test": []}
    for word, family in sorted(word_families(words).items()):
        place = int(hashlib.sha256(family.encode()).hexdigest()[:8], 16) / 16**8
        held_out = "test" if place < TEST_SHARE else "validation"
        split[held_out if place < TEST_SHARE + VALIDATION_SHARE else "training"].append(word)
    return split


def usual_chunks(aligned: Mapping[str, Sequence[tuple[str, ...]]]) -> tuple[tuple[str, ...], ...]:
    """Return what letters make often enough to be learned, sorted.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    uses = Counter(chunk for chunks in aligned.values() for chunk in chunks)
    return tuple(sorted(chunk for chunk, count in uses.items() if count >= FEWEST_USES))


class LetterBatches(keras.utils.PyDataset):
    """Letters of many words in random order: their windows, what was said before, and the right chunk.

    Parameters
    ----------
    aligned : mapping from word to its chunks
        From `tinyclone.spelling_alignment.align_spellings`; words with unusual chunks are left out.
    chunks : tuple of tuples
        From `usual_chunks`.
    size : int
        Letters of a batch.
    forget : float in [0, 1]
        Share of batch rows whose earlier chunks are hidden from some place on, so that the network does not
        lean on them too much.
    seed : int

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """

    def __init__(self, aligned, *, chunks, size: int = 1024, forget: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        number = {chunk: index for index, chunk in enumerate(chunks)}
        usable = {word: ones for word, ones in aligned.items() if all(one in number for one in ones)}
        if not usable:
            raise TrainingError("No word can be trained on. Give aligned words with usual chunks.")
        self.size, self.forget, self.nothing = size, forget, len(chunks)
        self.random = np.random.default_rng(seed)
        windows, before, wanted = [], [], []
        for word, ones in usable.items():
            numbers = np.array([number[one] for one in ones])
            padded = np.append(numbers, np.full(CHUNKS_BEFORE, self.nothing))
            windows.append(letter_windows(word))
            before.append(np.lib.stride_tricks.sliding_window_view(padded[1:], CHUNKS_BEFORE))
            wanted.append(numbers)
        self.windows = np.concatenate(windows).astype(np.int8)
        self.before = np.concatenate(before).astype(np.int16)
        self.wanted = np.concatenate(wanted).astype(np.int16)
        self.order = self.random.permutation(len(self.wanted))

    def __len__(self) -> int:
        return max(1, len(self.wanted) // self.size)

    def __getitem__(self, index: int):
        rows = self.order[index * self.size : (index + 1) * self.size]
        before = self.before[rows].astype(np.int32)
        if self.forget:
            kept = np.where(
                self.random.random(len(rows)) < self.forget,
                self.random.integers(0, CHUNKS_BEFORE, len(rows)),
                CHUNKS_BEFORE,
            )
            before[np.arange(CHUNKS_BEFORE) >= kept[:, None]] = self.nothing
        return (self.windows[rows].astype(np.int32), before), self.wanted[rows].astype(np.int32)

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self.order = self.random.permutation(len(self.wanted))


class LetterReader(keras.Model):
    """`tinyclone.letter_to_sound.LetterToSound` as a Keras model that can be trained.

    Parameters
    ----------
    chunks : tuple of tuples
        From `usual_chunks`.
    letter_size, chunk_size, hidden_1, hidden_2 : int
        Numbers that describe a letter and a chunk, and units of the hidden layers.
    dropout : float in [0, 1]

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """

    def __init__(
        self,
        chunks: tuple[tuple[str, ...], ...],
        *,
        letter_size: int = 24,
        chunk_size: int = 16,
        hidden_1: int = 448,
        hidden_2: int = 320,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.chunks = chunks
        self.letter_table = layers.Embedding(BEYOND + 1, letter_size)
        self.chunk_table = layers.Embedding(len(chunks) + 1, chunk_size)
        self.hidden_1 = layers.Dense(hidden_1, activation="relu")
        self.hidden_2 = layers.Dense(hidden_2, activation="relu")
        self.dropout = layers.Dropout(dropout)
        self.scores = layers.Dense(len(chunks))

    def call(self, inputs, training=False):
        """Return scores (B, chunks) of windows (B, 2 * LETTERS_AROUND + 1) and chunks (B, CHUNKS_BEFORE)."""
        windows, before = inputs
        seen, said = self.letter_table(windows), self.chunk_table(before)
        flat = [ops.reshape(one, (-1, one.shape[1] * one.shape[2])) for one in (seen, said)]
        x = self.hidden_1(self.dropout(ops.concatenate(flat, axis=-1), training=training))
        x = self.hidden_2(self.dropout(x, training=training))
        return self.scores(self.dropout(x, training=training))

    def build_all(self) -> LetterReader:
        """Create every weight and return the model."""
        self((np.zeros((1, 2 * LETTERS_AROUND + 1), np.int32), np.zeros((1, CHUNKS_BEFORE), np.int32)))
        return self

    def to_numpy(self) -> LetterToSound:
        """Return the network as the package uses it."""
        arrays = [ops.convert_to_numpy(variable) for variable in self.weights]
        tables, rest = arrays[:2], arrays[2:]
        return LetterToSound(self.chunks, dict(zip(WEIGHT_NAMES, tables + rest, strict=True)))


def phone_errors(network: LetterToSound, pronunciations: Mapping[str, Sequence[tuple[str, ...]]]) -> dict:
    """Compare what the network says with a dictionary.

    Parameters
    ----------
    network : LetterToSound
    pronunciations : mapping from word to its pronunciations
        Where a word has several, the closest counts.

    Returns
    -------
    dict
        ``phone_error_rate``, edits over phones of the dictionary, without stress;
        ``phone_and_stress_error_rate``, with it; ``word_error_rate``, of words with any wrong phone;
        ``n_words``.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    edits, stressed_edits, n_phones, wrong = 0, 0, 0, 0
    for word, right in pronunciations.items():
        said = network.sound_out(word)
        bare = [one.rstrip("012") for one in said]
        distances = [edit_counts([one.rstrip("012") for one in phones], bare).errors for phones in right]
        closest = int(np.argmin(distances))
        edits += distances[closest]
        n_phones += len(right[closest])
        wrong += distances[closest] > 0
        stressed_edits += min(edit_counts(phones, said).errors for phones in right)
    return {
        "phone_error_rate": edits / n_phones,
        "phone_and_stress_error_rate": stressed_edits / n_phones,
        "word_error_rate": wrong / len(pronunciations),
        "n_words": len(pronunciations),
    }


def dictionary_words(phones_of: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the words of a pronouncing dictionary that are spelled with letters alone.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    return {word: tuple(said.split()) for word, said in phones_of.items() if re.fullmatch("[a-z']+", word)}
