"""How a word sounds that no dictionary has: a small network reads its letters from the last to the first.

The network is three matrix products, done here in NumPy, so that reading text never loads Keras. How it is
trained is in `tinyclone.letter_to_sound_training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from tinyclone.array_files import read_arrays, write_arrays
from tinyclone.errors import CheckpointError, TextError
from tinyclone.shipped import shipped_file

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
# Letters that the network sees on each side of the one that it reads, and phones that it has said before.
LETTERS_AROUND = 8
CHUNKS_BEFORE = 8
BEAM_WIDTH = 4
LONGEST_WORD = 40
BEYOND = len(LETTERS)  # the number of a letter outside of the word
WEIGHT_NAMES = ("letter_table", "chunk_table", "hidden_1", "bias_1", "hidden_2", "bias_2", "output", "bias_3")


@dataclass(frozen=True, eq=False)
class LetterToSound:
    """The network that guesses pronunciations.

    Parameters
    ----------
    chunks : tuple of tuples of str
        What a letter can make: none, one or two phones, vowels with stress.
    weights : dict from the names in `WEIGHT_NAMES` to np.ndarray

    Notes
    -----
    A window of letters that moves over the word: Sejnowski & Rosenberg 1987, "Parallel networks that learn
    to pronounce English text". Here the network also hears what it has said so far, and several
    readings are followed at once.

    Lesson: lessons/01_text_encoding.ipynb
    """

    chunks: tuple[tuple[str, ...], ...]
    weights: dict[str, np.ndarray]

    def sound_out(self, word: str, *, beam_width: int = BEAM_WIDTH) -> tuple[str, ...]:
        """Guess the phones of one word.

        Parameters
        ----------
        word : str
            Letters a-z and apostrophes.
        beam_width : int >= 1
            Readings that are followed at once.

        Returns
        -------
        tuple of str
            ARPAbet phones with stress.

        Raises
        ------
        TextError
            If the word is empty or has other characters.
        """
        windows = letter_windows(word)
        nothing = len(self.chunks)
        readings, costs = np.full((1, CHUNKS_BEFORE), nothing), np.zeros(1)
        for window in windows[::-1]:
            before = readings[:, : -CHUNKS_BEFORE - 1 : -1]
            scores = self.log_chances(np.repeat(window[None], len(readings), axis=0), before)
            totals = (costs[:, None] - scores).ravel()
            best = np.argsort(totals, kind="stable")[:beam_width]
            reading, chunk = np.divmod(best, nothing)
            readings = np.concatenate([readings[reading], chunk[:, None]], axis=1)
            costs = totals[best]
        said = [self.phones_of(reading[CHUNKS_BEFORE:]) for reading in readings]
        # A word that a network leaves silent would be lost from the sentence.
        return next((phones for phones in said if phones), ("AH0",))

    def phones_of(self, reading: np.ndarray) -> tuple[str, ...]:
        """Return the phones of chunk numbers, given from the last letter to the first."""
        return tuple(phone for chunk in reading[::-1] for phone in self.chunks[chunk])

    def log_chances(self, windows: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Return the log chance of every chunk.

        Parameters
        ----------
        windows : np.ndarray [shape=(n, 2 * LETTERS_AROUND + 1), int]
            Numbers of letters; the middle one is read.
        before : np.ndarray [shape=(n, CHUNKS_BEFORE), int]
            Numbers of the chunks that letters to the right make, the nearest first.

        Returns
        -------
        np.ndarray [shape=(n, len(chunks)), float32]
        """
        w = self.weights
        seen, said = w["letter_table"][windows], w["chunk_table"][before]  # (n, 17, E), (n, 8, D)
        x = np.concatenate([seen.reshape(len(seen), -1), said.reshape(len(said), -1)], axis=1)
        x = np.maximum(x @ w["hidden_1"] + w["bias_1"], 0)
        x = np.maximum(x @ w["hidden_2"] + w["bias_2"], 0)
        scores = x @ w["output"] + w["bias_3"]
        scores = scores - scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def save(self, path: str | Path, *, card: dict | None = None) -> Path:
        """Write the network to one ``.npz`` file in half precision, whole or not at all."""
        arrays = {name: self.weights[name].astype(np.float16) for name in WEIGHT_NAMES}
        header = {"chunks": [" ".join(chunk) for chunk in self.chunks], "card": card or {}}
        return write_arrays(path, arrays, header=header)

    @classmethod
    def load(cls, path: str | Path) -> LetterToSound:
        """Read what `save` wrote; `CheckpointError` if the file is another one or damaged."""
        arrays, header = read_arrays(path)
        missing = [name for name in WEIGHT_NAMES if name not in arrays]
        if missing or "chunks" not in header:
            raise CheckpointError(
                f"{path} has no {', '.join(missing) or 'chunks'}: it is not a letter-to-sound network of "
                "this version. Use the file that came with tinyclone, or train it again."
            )
        chunks = tuple(tuple(chunk.split()) for chunk in header["chunks"])
        return cls(chunks, {name: arrays[name].astype(np.float32) for name in WEIGHT_NAMES})


@lru_cache(maxsize=50_000)
def sound_out(word: str) -> tuple[str, ...]:
    """Return the phones that the shipped network guesses for one word.

    Parameters
    ----------
    word : str
        Letters a-z and apostrophes. What is longer than any word is read in pieces.

    Returns
    -------
    tuple of str
        ARPAbet phones, vowels with their stress (0 none, 1 primary, 2 secondary); one or more.

    Raises
    ------
    TextError
        If the word is empty or has other characters.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    network = shipped_letter_to_sound()
    pieces = [word[start : start + LONGEST_WORD] for start in range(0, max(1, len(word)), LONGEST_WORD)]
    said = {piece: network.sound_out(piece) for piece in set(pieces)}
    return tuple(phone for piece in pieces for phone in said[piece])


@lru_cache(maxsize=1)
def shipped_letter_to_sound() -> LetterToSound:
    """Return the network that comes with the package."""
    return LetterToSound.load(shipped_file("letter_to_sound.npz"))


def letter_windows(word: str) -> np.ndarray:
    """Return the numbers of the letters around every letter, (len(word), 2 * LETTERS_AROUND + 1).

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    strange = sorted(set(word) - set(LETTERS))
    if not word or strange:
        raise TextError(
            f"Got the word {word!r}, but one or more of the letters a-z and the apostrophe were expected. "
            "Normalise the text first."
        )
    numbers = [LETTERS.index(letter) for letter in word]
    padded = np.pad(numbers, LETTERS_AROUND, constant_values=BEYOND)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * LETTERS_AROUND + 1)
