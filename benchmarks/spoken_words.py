"""Texts and transcripts brought into the words that they sound as, so that they can be compared."""

from __future__ import annotations

import re
import unicodedata

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = ". . twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "st": "saint",
    "etc": "et cetera",
    "ok": "okay",
    "vs": "versus",
}
SIGNS = {"%": " percent ", "&": " and ", "+": " plus ", "=": " equals "}
# British spellings by their ends, and the common words that follow no rule.
SPELLING_RULES = (
    (r"(?<=[a-z]{3})ise(d|s|r|rs)?$", r"ize\1"),
    (r"(?<=[a-z]{3})ising$", "izing"),
    (r"(?<=[a-z]{3})isation(s?)$", r"ization\1"),
    (r"(?<=[a-z]{2})lled$", "led"),
    (r"(?<=[a-z]{2})lling$", "ling"),
    (r"(?<=[a-z]{2})ller(s?)$", r"ler\1"),
    (r"^((?:col|hon|fav|lab|neighb|harb|vig|hum|rum|splend|behavi|parl|arm|sav)o)u(r)", r"\1\2"),
)
SPELLINGS = {
    "grey": "gray",
    "centre": "center",
    "theatre": "theater",
    "metre": "meter",
    "litre": "liter",
    "fibre": "fiber",
    "sombre": "somber",
    "defence": "defense",
    "offence": "offense",
    "licence": "license",
    "plough": "plow",
    "draught": "draft",
    "cheque": "check",
    "tyre": "tire",
    "mould": "mold",
    "jewellery": "jewelry",
    "programme": "program",
    "towards": "toward",
    "storey": "story",
    "goodbye": "good bye",
    "anyone": "any one",
    "everyone": "every one",
    "someone": "some one",
    "today": "to day",
    "tomorrow": "to morrow",
    "tonight": "to night",
    "cannot": "can not",
    "forever": "for ever",
    "maybe": "may be",
    "alright": "all right",
}


def number_words(digits: str) -> str:
    """Spell a whole number: 1938 as a year, other numbers by size, long ones digit by digit."""
    number = int(digits)
    if len(digits) == 4 and 1100 <= number < 2000:
        century, rest = number_words(digits[:2]), number % 100
        return f"{century} {'oh ' if 0 < rest < 10 else ''}{number_words(str(rest)) if rest else 'hundred'}"
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")
    for size, name in SCALES:
        if size <= number < 1000 * size:
            words = f"{number_words(str(number // size))} {name}"
            return f"{words} {number_words(str(number % size))}" if number % size else words
    return " ".join(ONES[int(digit)] for digit in digits)


def ordinal_words(digits: str) -> str:
    """Spell 1st, 22nd or 40th."""
    *before, last = number_words(digits).split()
    last = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*before, last])


def spoken_words(text: str, *, one_spelling: bool = True) -> list[str]:
    """Bring a text or a transcript into the words that it sounds as.

    Parameters
    ----------
    text : str
    one_spelling : bool
        Write British and American spellings, and words written both together and apart, in one way.
    """
    text = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    text = "".join(character for character in text if not unicodedata.combining(character))
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"\$(\d+(?:\.\d+)?)", r"\1 dollars", text)
    text = re.sub(r"£(\d+(?:\.\d+)?)", r"\1 pounds", text)
    for sign, word in SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda found: ordinal_words(found[1]), text)
    text = re.sub(r"(?<=\d)\.(?=\d)", " point ", text)
    text = re.sub(r"\d+", lambda found: f" {number_words(found[0])} ", text)
    words = re.sub(r"[^a-z ]", " ", text.replace("'", "")).split()
    words = " ".join(ABBREVIATIONS.get(word, word) for word in words)
    words = re.sub(r"\be g\b", "for example", re.sub(r"\bi e\b", "that is", words))
    words = re.sub(r"\b(hundred|thousand) and\b", r"\1", words).split()
    return " ".join(_american(word) for word in words).split() if one_spelling else words


def _american(word: str) -> str:
    for pattern, replacement in SPELLING_RULES:
        word = re.sub(pattern, replacement, word)
    return SPELLINGS.get(word, word)
