"""Text as characters, the way that Tacotron and Tacotron 2 read it."""

from __future__ import annotations

import numpy as np

from tinyclone.errors import TextError
from tinyclone.text import speakable

PADDING, END = "_", "~"
SYMBOLS = (PADDING, *"abcdefghijklmnopqrstuvwxyz'", " ", *",.;:?!-", END)
N_CHARACTERS = len(SYMBOLS)
_ID_OF = {symbol: number for number, symbol in enumerate(SYMBOLS)}


def encode_characters(text: str) -> np.ndarray:
    """Turn any English text into the numbers of its characters.

    Parameters
    ----------
    text : str
        `tinyclone.normalisation.normalise` reads it first: numbers and abbreviations become words.

    Returns
    -------
    np.ndarray, shape (T,), int32
        In [1, N_CHARACTERS); the last is the end mark. 0 is left to padding.

    Raises
    ------
    TextError
        If nothing in the text can be spoken.

    Notes
    -----
    Shen et al. 2018 (Tacotron 2), section 2.2; the end mark as in most reproductions of Wang et al. 2017.

    Lesson: lessons/papers/tacotron.ipynb
    """
    return np.array([_ID_OF[one] for one in (*speakable(text), END)], np.int32)


def decode_characters(ids: np.ndarray | list[int]) -> str:
    """Turn the numbers of `encode_characters` back into text; padding and the end mark are left out.

    Raises
    ------
    TextError
        If a number stands for no character.

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    unknown = sorted({int(one) for one in ids} - set(range(N_CHARACTERS)))
    if unknown:
        raise TextError(f"No character has the number {unknown[0]}. Expected 0 to {N_CHARACTERS - 1}.")
    return "".join(SYMBOLS[one] for one in ids if SYMBOLS[one] not in (PADDING, END))
