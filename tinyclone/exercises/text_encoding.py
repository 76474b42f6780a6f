"""Checkers for lesson 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyclone.exercises.judging import Wrong, call, judge, kind_of
from tinyclone.number_words import cardinal
from tinyclone.pronunciation import pronounce
from tinyclone.text import SYMBOLS, encode, normalise

MONEY_CASES = ("$45", "$1", "$600", "$3.50", "$2.05", "$1.01", "$0.99", "$20.00")
PAD_CASES = (
    ("two sentences, the longer one last", ("Yes.", "No, thank you.")),
    ("three, the longest one first", ("The kettle began to sing.", "Hello there.", "Why?")),
    ("two of the same length", ("Cat.", "Dog.")),
    ("one alone", ("Who is it?",)),
)
# Every group has an ending of its own: hissing, voiceless, and voiced consonants or vowels.
PLURAL_CASES = (
    *("cat", "map", "book", "cliff", "month"),
    *("leg", "river", "song", "bee", "hive", "dollar"),
    *("bus", "rose", "wish", "garage", "church", "judge"),
)


def check_say_money(say_money: Callable[[str], str] | None) -> bool:
    """Check a function that writes an amount of dollars as it is read aloud.

    Parameters
    ----------
    say_money : callable
        ``say_money("$3.50")`` returns "three dollars and fifty cents", as `tinyclone.text.normalise` does.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    return judge("say_money", lambda: [_try_amount(say_money, written) for written in MONEY_CASES])


def check_pad_batch(
    pad_batch: Callable[[list[np.ndarray]], tuple[np.ndarray, np.ndarray]] | None,
) -> bool:
    """Check a function that puts sentences of several lengths into one array, with a mask.

    Parameters
    ----------
    pad_batch : callable
        ``pad_batch(sentences)`` takes a list of token arrays of shape (T_b,) and returns ``tokens`` of
        shape (B, T), whole numbers with 0 behind the end of each sentence, and ``mask`` of the same
        shape, True where there is a token; T is the length of the longest sentence.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    return judge("pad_batch", lambda: [_try_batch(pad_batch, *case) for case in PAD_CASES])


def check_say_plural(say_plural: Callable[[tuple[str, ...]], Sequence[str]] | None) -> bool:
    """Check a function that says the plural of a word whose phones it is given.

    Parameters
    ----------
    say_plural : callable
        ``say_plural(("K", "AE1", "T"))`` returns the phones of "cats", a tuple or list. The last phone
        decides which ending is heard.

    Returns
    -------
    bool
        Whether all trials passed; what was right or wrong is printed.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    return judge("say_plural", lambda: [_try_plural(say_plural, word) for word in PLURAL_CASES])


def _try_amount(say_money: Any, written: str) -> str:
    answer = call(say_money, written, expected=str)
    right = normalise(written)
    if answer != right:
        raise Wrong(f"{written!r} became {answer!r}. {_why_not_said(answer, right, written)}")
    return f"{written}: {right}"


def _why_not_said(answer: str, right: str, written: str) -> str:
    whole, _, cents = written[1:].partition(".")
    words = answer.split()
    found = set(words)
    if "$" in answer or re.search(r"\d", answer):
        return "Digits and signs are left in it: only words can be spoken."
    if " ".join(re.findall("[a-z]+", answer.lower())) == right:
        return "The words are right: write them in lower case, with a single space between them and no marks."
    if "point" in found:
        return "Money is not read as a decimal: the two digits after the point count cents."
    if not cents and "cent" in " ".join(words):
        return "Nothing is said of cents in it: only a point in the amount brings them."
    if "zero" in found:
        return "Nobody says zero of something: leave out the part, dollars or cents, of which there is none."
    if "dollar" not in " ".join(words) and int(whole):
        return "The name of the money is missing."
    for name, amount in (("dollar", int(whole)), ("cent", int(cents or 0))):
        if amount == 1 and name + "s" in found:
            return f"Of one {name} there is no plural."
        if amount > 1 and name in found:
            return f"{amount} is more than one: then it is a plural, {name}s."
    if cents == "05" and "fifty" in found:
        return "In .05 the zero comes first: what number is that?"
    if answer.startswith("dollar"):
        return "The sign is written before the number, but the word is spoken after it."
    if " and " in right and right.replace(" and ", " ") == answer:
        return "A word is missing between dollars and cents."
    if " and " not in right and answer.replace(" and ", " ") == right:
        return "There is one 'and' too many: it only joins dollars to cents."
    if int(cents or 0) and "cent" not in " ".join(words):
        return "The cents are missing."
    for amount in (int(whole), int(cents or 0)):
        if amount and cardinal(amount) not in answer:
            return f"How is the number {amount} read? `say_number` knows."
    return "Which words does a person say, and in which order?"


def _try_batch(pad_batch: Any, what: str, texts: tuple[str, ...]) -> str:
    sentences = [encode(text) for text in texts]
    answer = call(pad_batch, [one.copy() for one in sentences], expected=tuple)
    if len(answer) != 2:
        raise Wrong(f"pad_batch returned {len(answer)} things; expected two: tokens, mask.")
    tokens, mask = (_as_array(one, name) for one, name in zip(answer, ("tokens", "mask")))
    _check_shape(tokens, "tokens", sentences, what)
    _check_shape(mask, "mask", sentences, what)
    if not np.issubdtype(tokens.dtype, np.integer):
        raise Wrong(
            f"the tokens are {tokens.dtype}: they number rows of a table, so whole numbers are needed."
        )
    wanted, present = np.zeros(tokens.shape, np.int64), np.zeros(tokens.shape, bool)
    for row, one in enumerate(sentences):
        wanted[row, : len(one)], present[row, : len(one)] = one, True
    if not np.array_equal(tokens, wanted):
        raise Wrong(f"{what}: {_why_not_padded(tokens, wanted, present, sentences)}")
    if not np.array_equal(mask, present):
        raise Wrong(f"{what}: {_why_not_masked(mask, present)}")
    return what


def _as_array(value: Any, name: str) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise Wrong(f"the {name} are {kind_of(value)}; expected a NumPy array.")
    if value.dtype == object or not (np.issubdtype(value.dtype, np.number) or value.dtype == bool):
        raise Wrong(f"the {name} are an array of {value.dtype}, not of numbers: are all rows equally long?")
    return value


def _check_shape(array: np.ndarray, name: str, sentences: list[np.ndarray], what: str) -> None:
    lengths = [len(one) for one in sentences]
    right = (len(sentences), max(lengths))
    found = f"{what}: the {name} have the shape {array.shape}; expected {right}."
    if array.shape == right:
        return
    if array.shape == right[::-1]:
        raise Wrong(f"{found} One row for each sentence: turn it round.")
    if array.ndim == 2 and array.shape[1] == min(lengths):
        raise Wrong(f"{found} The longer sentences were cut: make room for the longest.")
    if array.ndim == 2 and array.shape[1] > right[1]:
        raise Wrong(f"{found} More padding than the longest sentence needs is work for nothing.")
    raise Wrong(f"{found} One row for each sentence, as long as the longest of them.")


def _why_not_padded(
    tokens: np.ndarray, wanted: np.ndarray, present: np.ndarray, sentences: list[np.ndarray]
) -> str:
    if not np.array_equal(tokens[present], wanted[present]):
        if all(np.array_equal(row[len(row) - len(one) :], one) for row, one in zip(tokens, sentences)):
            return "the padding is in front of the sentences; it belongs behind them."
        return "a token of a sentence is lost or changed. Copy each sentence to the start of its row."
    filling = sorted(set(tokens[~present].tolist()) - {0})
    meant = f", which is {SYMBOLS[filling[0]]!r}" if 0 <= filling[0] < len(SYMBOLS) else ""
    return f"the rows are filled up with {filling[0]}{meant}. Padding has an id of its own, 0."


def _why_not_masked(mask: np.ndarray, present: np.ndarray) -> str:
    if np.array_equal(mask, ~present):
        return "the mask is upside down: True stands for a token, False for padding."
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        return "the mask holds more than True and False."
    if mask.all():
        return "the mask is True everywhere, so padding would count as speech."
    found, right = (one.astype(int).sum(axis=1).tolist() for one in (mask, present))
    return f"by the mask the rows have {found} tokens; expected {right}."


def _try_plural(say_plural: Any, word: str) -> str:
    stem = pronounce(word)
    answer = call(say_plural, stem, expected=object)
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        raise Wrong(f"it returned {kind_of(answer)}; expected a tuple of phones, such as {stem}.")
    strange = [phone for phone in answer if not isinstance(phone, str)]
    if strange:
        raise Wrong(f"among the phones is {kind_of(strange[0])}. Join two tuples with +.")
    said, ending = tuple(answer), _ending_of(stem)
    if said != (*stem, *ending):
        raise Wrong(f"for {word!r} it says {' '.join(said)!r}. {_why_not_plural(said, stem, ending)}")
    return f"{word}: {' '.join(said)}"


def _ending_of(stem: tuple[str, ...]) -> tuple[str, ...]:
    if stem[-1] in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH0", "Z")
    return ("S",) if stem[-1] in ("P", "T", "K", "F", "TH") else ("Z",)


def _why_not_plural(said: tuple[str, ...], stem: tuple[str, ...], ending: tuple[str, ...]) -> str:
    last = stem[-1]
    if said == ending:
        return "That is the ending alone: return the whole word."
    if said[: len(stem)] != stem:
        return "The phones of the word itself stay as they are, and the ending comes after them."
    added = said[len(stem) :]
    strange = [phone for phone in added if phone not in SYMBOLS]
    if strange:
        return f"There is no symbol {strange[0]!r}: a vowel carries its stress, and here that is 0."
    if not added:
        return "Nothing was added."
    if len(ending) == 2:
        if added == ("AH0", "Z"):
            return "That is heard, too, and the dictionary has both. Here, write the vowel as IH0."
        if len(added) == 1:
            return f"Try to say it: {last} hisses already, so a short vowel parts it from the ending."
        return "The vowel is a short, unstressed one, and after a vowel the ending is voiced."
    if len(added) > 1:
        return f"{last} does not hiss, so no vowel is needed before the ending."
    if added == ("S",):
        return f"The throat hums in {last}, and it goes on humming in the ending."
    if added == ("Z",):
        return f"The throat does not hum in {last}, and it does not begin to in the ending."
    return "The ending is one of S, Z and IH0 Z."
