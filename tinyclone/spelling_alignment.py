"""Which letter of a word makes which of its phones: Viterbi training on a pronouncing dictionary."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit

from tinyclone.letter_to_sound import LETTERS

# A letter is silent, or makes one phone or two: the x of "box", the u of "music".
MOST_PHONES = 2
N_ROUNDS = 8
# Added to every count, so that a rare pair keeps a chance.
SMOOTHING = 0.01
# Before anything is known, letters with two phones and without any are held for the exception.
EXCEPTION = 0.05


def align_spellings(phones_of: Mapping[str, tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    """Share the phones of every word out over its letters.

    Parameters
    ----------
    phones_of : mapping from word to its phones
        Words of the letters a-z and the apostrophe; stress is not looked at.

    Returns
    -------
    dict from word to list of tuples
        For each letter the phones that it makes, none to two. Words with more than two phones for
        each letter are left out.

    Notes
    -----
    The hard form of the expectation-maximisation in Jiampojamarn et al. 2007, "Applying many-to-many
    alignments and hidden Markov models to letter-to-phoneme conversion", section 2.

    Lesson: lessons/01_text_encoding.ipynb
    """
    bare = {word: [one.rstrip("012") for one in phones] for word, phones in phones_of.items()}
    names = sorted({one for phones in bare.values() for one in phones})
    number = {name: index + 1 for index, name in enumerate(names)}  # 0 is no phone
    words = [word for word in bare if 0 < len(bare[word]) <= MOST_PHONES * len(word)]
    letters = [np.array([LETTERS.index(letter) for letter in word]) for word in words]
    phones = [np.array([number[one] for one in bare[word]]) for word in words]
    cost = _first_costs(letters, phones, n_phones=len(names))
    for _ in range(N_ROUNDS):
        shares = [_cheapest_shares(spelled, spoken, cost) for spelled, spoken in zip(letters, phones)]
        cost = _costs(_counts(letters, phones, shares, n_phones=len(names)))
    aligned = {}
    for word, share in zip(words, shares):
        ends = np.cumsum(share)
        aligned[word] = [tuple(phones_of[word][end - count : end]) for end, count in zip(ends, share)]
    return aligned


def _first_costs(letters, phones, *, n_phones: int) -> np.ndarray:
    """Expect of each pair of letter and phone what they have in common if words are read at an even pace."""
    counts = np.zeros((len(LETTERS), n_phones + 1, n_phones + 1))
    for spelled, spoken in zip(letters, phones):
        nearest = np.round(np.linspace(0, len(spoken) - 1, len(spelled))).astype(int)
        np.add.at(counts, (spelled, spoken[nearest], 0), 1.0)
    # A letter that no word has would have no chances at all.
    chance = counts[:, :, :1] / np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1)
    counts = EXCEPTION * chance * chance.transpose(0, 2, 1)
    counts[:, :, :1] = chance
    counts[:, 0, 0] = EXCEPTION
    return _costs(counts)


def _counts(letters, phones, shares, *, n_phones: int) -> np.ndarray:
    counts = np.zeros((len(LETTERS), n_phones + 1, n_phones + 1))
    for spelled, spoken, share in zip(letters, phones, shares):
        starts = np.cumsum(share) - share
        padded = np.append(spoken, [0, 0])
        first = np.where(share > 0, padded[starts], 0)
        second = np.where(share > 1, padded[starts + 1], 0)
        np.add.at(counts, (spelled, first, second), 1.0)
    return counts


def _costs(counts: np.ndarray) -> np.ndarray:
    """Negative log chances of phones, given the letter. (letters, phones + 1, phones + 1)"""
    smooth = counts + SMOOTHING * (1 + counts.sum(axis=(1, 2), keepdims=True)) / counts[0].size
    return -np.log(smooth / smooth.sum(axis=(1, 2), keepdims=True))


@njit(cache=True)
def _cheapest_shares(letters: np.ndarray, phones: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Return how many phones each letter makes at the lowest total cost."""
    n_letters, n_phones = len(letters), len(phones)
    best = np.full((n_letters + 1, n_phones + 1), np.inf)
    taken = np.zeros((n_letters + 1, n_phones + 1), np.int64)
    best[0, 0] = 0.0
    for letter in range(1, n_letters + 1):
        for end in range(n_phones + 1):
            for count in range(min(end, 2) + 1):
                first = phones[end - count] if count > 0 else 0
                second = phones[end - 1] if count > 1 else 0
                total = best[letter - 1, end - count] + cost[letters[letter - 1], first, second]
                if total < best[letter, end]:
                    best[letter, end] = total
                    taken[letter, end] = count
    shares = np.zeros(n_letters, np.int64)
    end = n_phones
    for letter in range(n_letters, 0, -1):
        shares[letter - 1] = taken[letter, end]
        end -= taken[letter, end]
    return shares
