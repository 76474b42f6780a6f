"""Text to tokens: normalise, look up each word's phones, number them, and back again."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tinyclone.errors import TextError
from tinyclone.letter_to_sound import sound_out
from tinyclone.normalisation import normalise, unknown_characters
from tinyclone.pronunciation import pronounce

__all__ = [
    "PAUSES",
    "SYMBOLS",
    "UnknownCharacterWarning",
    "Word",
    "decode",
    "encode",
    "encode_symbols",
    "normalise",
    "parse",
    "pronounce",
    "split_sentences",
    "unknown_characters",
]

PADDING, START, END, BOUNDARY = "_", "^", "$", " "
PUNCTUATION = (",", ".", "?", "!", ";", ":", "-")
CONSONANTS = tuple("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())
VOWELS = tuple("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz'")

# An index in this table is what trained weights know a sound by: never reorder, never insert.
SYMBOLS: tuple[str, ...] = (
    (PADDING, START, END, BOUNDARY)
    + PUNCTUATION
    + CONSONANTS
    + tuple(f"{vowel}{stress}" for vowel in VOWELS for stress in range(3))
    + LETTERS
)
PAUSES: frozenset[str] = frozenset((START, END, BOUNDARY) + PUNCTUATION)

_ID_OF_SYMBOL = {symbol: index for index, symbol in enumerate(SYMBOLS)}


class UnknownCharacterWarning(UserWarning):
    """Some characters of a text cannot be read and were left out."""


@dataclass(frozen=True)
class Word:
    """One spoken word and what follows it.

    Parameters
    ----------
    spelling : str
        The word in lower case, as normalised.
    symbols : tuple of str
        ARPAbet phones with stress, from the dictionary, or guessed from the letters where it lacks the word.
    known : bool
        Whether the dictionary has the word.
    boundary : str
        ``" "``, a punctuation symbol, or ``""`` for a last word that nothing follows.
    """

    spelling: str
    symbols: tuple[str, ...]
    known: bool
    boundary: str


def parse(text: str) -> list[Word]:
    """Turn a text into words with their phones and the boundaries between them.

    Parameters
    ----------
    text : str
        English text of any length.

    Returns
    -------
    list of Word
        At least one word.

    Raises
    ------
    TextError
        If nothing in the text can be spoken.

    Warns
    -----
    UnknownCharacterWarning
        If characters were left out; the message names them.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    pieces = re.findall(r"[a-z']+|[,.?!;:-]", speakable(text))
    words = []
    for index, piece in enumerate(pieces):
        if piece in PUNCTUATION:
            continue
        following = pieces[index + 1] if index + 1 < len(pieces) else ""
        phones = pronounce(piece)
        words.append(
            Word(
                spelling=piece,
                symbols=sound_out(piece) if phones is None else phones,
                known=phones is not None,
                boundary=following if following in ("", *PUNCTUATION) else BOUNDARY,
            )
        )
    return words


def encode(text: str) -> np.ndarray:
    """Turn a text into the token ids that the model reads.

    Parameters
    ----------
    text : str
        English text of any length.

    Returns
    -------
    np.ndarray [shape=(T,), int32, 0 <= id < 107]
        ``^``, each word's symbols and its boundary, ``$``.

    Raises
    ------
    TextError
        If nothing in the text can be spoken.

    Warns
    -----
    UnknownCharacterWarning
        If characters were left out; the message names them.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    return encode_symbols(word_symbols(parse(text)))


def word_symbols(words: Iterable[Word]) -> list[str]:
    """Return the symbols of parsed words: ``^``, each word's symbols and its boundary, ``$``.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    symbols = [START]
    for word in words:
        symbols.extend(word.symbols)
        if word.boundary:
            symbols.append(word.boundary)
    return [*symbols, END]


def encode_symbols(symbols: list[str]) -> np.ndarray:
    """Return the ids of `symbols`, shape (T,) int32; a symbol outside `SYMBOLS` is a `TextError`.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    unknown = sorted({repr(symbol) for symbol in symbols if symbol not in _ID_OF_SYMBOL})
    if unknown:
        raise TextError(
            f"No token stands for {', '.join(unknown)}; expected entries of tinyclone.text.SYMBOLS, "
            "such as 'HH' or 'AH0'. Use encode() for ordinary text."
        )
    return np.array([_ID_OF_SYMBOL[symbol] for symbol in symbols], dtype=np.int32)


def decode(ids: np.ndarray | list[int]) -> list[str]:
    """Return the symbols of token ids, shape (T,); an id outside the table is a `TextError`.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    numbers = [int(number) for number in ids]
    unknown = sorted({number for number in numbers if not 0 <= number < len(SYMBOLS)})
    if unknown:
        raise TextError(
            f"Got the token ids {unknown}, expected 0 to {len(SYMBOLS) - 1}. "
            "Pass ids made by encode() of the same version of tinyclone."
        )
    return [SYMBOLS[number] for number in numbers]


def split_sentences(text: str, *, max_characters: int = 200) -> list[str]:
    """Cut a text into normalised pieces that are short enough to be spoken in one go.

    Pieces end at sentence ends; a sentence that is too long is cut at other punctuation, then at
    spaces, and a word longer than a whole piece is cut inside.

    Parameters
    ----------
    text : str
        English text of any length.
    max_characters : int
        Longest piece, in characters of normalised text, at least 1.

    Returns
    -------
    list of str
        Normalised text: ``encode`` reads each piece as it would have read it inside the whole.

    Raises
    ------
    TextError
        If nothing in the text can be spoken, or `max_characters` is less than 1.

    Warns
    -----
    UnknownCharacterWarning
        If characters were left out; the message names them.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    if max_characters < 1:
        raise TextError(f"max_characters is {max_characters}, expected at least 1, such as 200.")
    sentences = re.split(r"(?<=[.?!])\s+", speakable(text))
    pieces = [piece for sentence in sentences for piece in _cut(sentence, max_characters)]
    # A cut can leave a punctuation mark on its own, which nobody can speak.
    return [piece for piece in pieces if re.search("[a-z]", piece)]


def _cut(sentence: str, max_characters: int) -> list[str]:
    """Cut one sentence at its best break until no piece is longer than `max_characters`."""
    pieces = []
    while len(sentence) > max_characters:
        window = sentence[: max_characters + 1]
        breaks = [found.end() for found in re.finditer(r"[,;:](?= )|(?<= )-(?= )", window)]
        length = breaks[-1] if breaks else window.rfind(" ")
        length = length if length > 0 else max_characters
        pieces.append(sentence[:length].rstrip())
        sentence = sentence[length:].lstrip()
    return [*pieces, sentence]


def speakable(text: str) -> str:
    """Normalise a text that must not be empty.

    Parameters
    ----------
    text : str
        English text.

    Returns
    -------
    str
        As `tinyclone.normalisation.normalise` writes it.

    Raises
    ------
    TextError
        If nothing in the text can be spoken.

    Warns
    -----
    UnknownCharacterWarning
        If characters were left out; the message names them.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    normalised = normalise(text)
    unknown = unknown_characters(text)
    names = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in unknown[:10])
    names += f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
    if not re.search("[a-z]", normalised):
        shown = text if len(text) <= 40 else text[:40] + "…"
        cause = f" These characters cannot be read: {names}." if unknown else ""
        raise TextError(
            f"Nothing in the text {shown!r} can be spoken.{cause} "
            "Expected English words or numbers in Latin letters: write some."
        )
    if unknown:
        warnings.warn(
            f"Left out characters that cannot be read: {names}. Write them as words to hear them.",
            UnknownCharacterWarning,
            stacklevel=3,
        )
    return normalised
