"""Written English to spoken English: characters, abbreviations, numbers and signs become words."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache

from tinyclone import abbreviations, number_words
from tinyclone.errors import TextError

# Letters of European languages that Unicode does not take apart into a letter and an accent.
_LETTERS = dict(
    zip("ßæÆøØłŁđĐðÐþÞœŒıħĦ", "ss ae Ae o O l L d D d D th Th oe Oe i h H".split(), strict=True)
)
_APOSTROPHES = dict.fromkeys("’‘‛ʼʻ′`ʹ", "'")
_SILENT = dict.fromkeys("\"“”„‟«»‹›″¿¡*_", " ")
_DASHES = {**dict.fromkeys("–—―", " - "), **dict.fromkeys("‐‑‒−﹣", "-")}
_BRACKETS = dict.fromkeys("()[]{}", ",")
_SIGNS = {
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "§": " section ", "•": ", ",
    "·": " ", "⁄": "/", "。": ". ", "、": ", ",
}  # fmt: skip
# Unicode's compatibility form would turn x² into x2 and an acute accent into a space.
_BEFORE_COMPATIBILITY = str.maketrans(
    {"²": " squared ", "³": " cubed ", "℃": "°C", "℉": "°F", "´": "'", "™": " ", "®": " ", "©": " "}
)
_SIGN_WORDS = {
    "&": "and", "@": "at", "+": "plus", "=": "equals", "#": "number", "%": "percent", "/": "",
    "$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "₹": "rupees", "¢": "cents", "°": "degrees",
}  # fmt: skip
_CHARACTERS = {**_LETTERS, **_APOSTROPHES, **_SILENT, **_DASHES, **_BRACKETS, **_SIGNS}
_READABLE = frozenset(" \t\n\r\f\v'!#$%&+,-./:;=?@€£¥₹¢°" + string.digits + string.ascii_letters)

_STRENGTH = {mark: strength for strength, mark in enumerate(",-:;.!?")}


def normalise(text: str) -> str:
    """Write a text the way it is spoken.

    Parameters
    ----------
    text : str
        English text. Quote marks, ``*``, ``_`` and the signs of trade marks and copyright are not
        spoken; characters that cannot be read are left out (`unknown_characters` names them).

    Returns
    -------
    str
        Lower-case words of ``a-z'`` parted by single spaces, and the marks ``, . ? ! ; : -``. Empty
        if the text has no word. A normalised text normalises to itself.

    Notes
    -----
    Of marks that follow one another only the strongest stays. A hyphen inside a word becomes a
    space; a dash between words stays. A text of more than three words that is all in capitals is
    read as ordinary words, not letter by letter.

    The letter A is written "ay" where it is spelled out, since the word "a" sounds otherwise.

    Lesson: lessons/01_text_encoding.ipynb
    """
    text = _plain_characters(text)[0]
    # An empty line ends a heading or a paragraph as a full stop does.
    text = re.sub(r"\s+", lambda space: " . " if space[0].count("\n") > 1 else " ", text)
    text = abbreviations.read_roman_numerals(text)
    shouted = not re.search("[a-z]", text)
    if shouted and len(re.findall("[A-Z']+", text)) > 3:
        text = re.sub(r"[A-Z][A-Z']+", lambda word: word[0].capitalize(), text)
    text = _read_addresses(text)
    text = abbreviations.read_abbreviations(text)
    text = number_words.read_numbers(text)
    text = _read_signs(text)
    text = abbreviations.read_capitals(text, shouted=shouted)
    return _tidy(text.lower())


def unknown_characters(text: str) -> list[str]:
    """Return the characters that `normalise` leaves out because it cannot read them.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        Each character once, in the order of their first appearance.

    Notes
    -----
    Lesson: lessons/01_text_encoding.ipynb
    """
    return _plain_characters(text)[1]


def _plain_characters(text: str) -> tuple[str, list[str]]:
    """Bring a text to ASCII: return it and the characters that have no place there."""
    if not isinstance(text, str):
        raise TextError(f"The text is of the type {type(text).__name__}, expected a str: pass text.")
    text = re.sub(r"(?<=\d)[–‒](?=\d)", "-", text)
    text = re.sub(r"(\d?) ?([¼½¾⅐-⅞])", _spread_fraction, text)
    plain: list[str] = []
    unknown: dict[str, None] = {}
    for character in unicodedata.normalize("NFKC", text.translate(_BEFORE_COMPATIBILITY)):
        readable = _plain_character(character)
        if readable is None:
            unknown[character] = None
            readable = " "
        plain.append(readable)
    return "".join(plain), list(unknown)


@lru_cache(maxsize=10_000)
def _plain_character(character: str) -> str | None:
    """Return what stands for one character in ASCII, or None where nothing does."""
    if character in _READABLE:
        return character
    if character in _CHARACTERS:
        return _CHARACTERS[character]
    if unicodedata.category(character) in ("Cf", "Mn", "Me", "Zs", "Zl", "Zp"):
        return " " if character.isspace() else ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    letter = unicodedata.normalize("NFKD", character)[0]
    return letter if letter in _READABLE else None


def _spread_fraction(found: re.Match[str]) -> str:
    """Write "2½" as "2 1/2", which Unicode's own rule would make "21/2"."""
    return f"{found[1]} {unicodedata.normalize('NFKD', found[2]).replace('⁄', '/')}"


def _read_addresses(text: str) -> str:
    """Spell the signs of web and mail addresses."""
    text = re.sub(r"\bhttps?://", "", text, flags=re.IGNORECASE)
    address = re.compile(
        r"(?<![\w.@-])(?:[\w.+-]{1,64}@)?(?:[\w-]{1,63}\.){1,5}(?:com|org|net|edu|gov|io|uk|de|fr|eu)\b"
        r"(/[\w./%-]*)?(?:[?#][\w=&%+;-]+)?",
        flags=re.IGNORECASE,
    )
    return address.sub(_read_address, text)


def _read_address(found: re.Match[str]) -> str:
    """Read one address aloud, without its query and a full stop that ends the sentence."""
    spoken = re.sub(r"[?#].*", "", found[0].lower())
    sentence_end = "." if spoken.endswith(".") else ""
    spoken = spoken.rstrip("/.")
    spoken = re.sub(r"^www\.", "w w w dot ", spoken)
    for sign, word in {".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore"}.items():
        spoken = spoken.replace(sign, f" {word} ")
    return f" {spoken}{sentence_end} "


def _read_signs(text: str) -> str:
    """Read the signs that stand for words."""
    for sign, word in _SIGN_WORDS.items():
        text = text.replace(sign, f" {word} ")
    return text


def _tidy(text: str) -> str:
    """Keep one space or mark between words, the strongest of several, and none before the first."""
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)
    text = re.sub(r"(?<!\S)'n'(?!\S)", "and", text)
    text = re.sub(r"(?<![a-z])'+|'+(?![a-z])|(?<=')'+", "", text)
    text = re.sub(r"[^a-z',.?!;:-]+", " ", text)
    text = re.sub(r"\s*[,.?!;:-][\s,.?!;:-]*", _strongest_mark, text)
    return re.sub(r"^[\s,.?!;:-]+", "", text).strip()


def _strongest_mark(found: re.Match[str]) -> str:
    """Return the strongest of a run of marks, with the space that belongs to it."""
    mark = max((character for character in found[0] if character in _STRENGTH), key=_STRENGTH.__getitem__)
    return " - " if mark == "-" else f"{mark} "
