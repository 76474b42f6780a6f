"""Abbreviations, initials, acronyms and Roman numerals as they are read aloud."""

from __future__ import annotations

import re

from tinyclone.number_words import ordinal
from tinyclone.pronunciation import dictionary

# Read only before a name, so that "Gen." at the end of a sentence is left alone.
_TITLES = {
    "Col": "colonel", "Gen": "general", "Capt": "captain", "Sgt": "sergeant", "Lt": "lieutenant",
    "Maj": "major", "Rev": "reverend", "Hon": "honorable", "Gov": "governor", "Sen": "senator",
    "Rep": "representative", "Pres": "president", "St": "saint", "Mt": "mount", "Ft": "fort",
}  # fmt: skip
_ALWAYS = {
    "mr": "mister", "mrs": "missus", "ms": "ms", "dr": "doctor", "prof": "professor",
    "messrs": "messieurs", "mss": "manuscripts", "vs": "versus", "approx": "approximately",
    "dept": "department", "govt": "government", "cf": "compare",
}  # fmt: skip
# These may end a sentence, and then their full stop does so too.
_FINAL = {
    "etc": "et cetera", "jr": "junior", "sr": "senior", "co": "company", "ltd": "limited",
    "inc": "incorporated", "corp": "corporation", "bros": "brothers", "st": "street",
    "ave": "avenue", "blvd": "boulevard", "rd": "road",
}  # fmt: skip
_BEFORE_NUMBER = {
    "No": "number", "Nos": "numbers", "p": "page", "P": "page", "pp": "pages", "Vol": "volume",
    "vol": "volume", "Fig": "figure", "fig": "figure", "Ch": "chapter", "ch": "chapter",
}  # fmt: skip
_OPENERS = (
    "He|She|It|They|We|You|I|The|A|An|This|That|These|Those|There|Then|But|And|So|In|On|At|If|When|"
    "While|What|Who|Why|How|No|Yes|His|Her|Their|Our|My|Your|Its|As|For|After|Before|However|Is|Are"
)
_ENDS_SENTENCE = rf"(?=[\s']*$|[\s']{{1,3}}(?:{_OPENERS})\b)"

_KINGS = (
    "Henry|Edward|George|William|Richard|James|Charles|Louis|Elizabeth|Mary|Philip|Francis|Frederick|"
    "Peter|Catherine|Nicholas|Alexander|Napoleon|Pius|Paul|Benedict|Leo|Gregory|Urban|Innocent|Clement"
)
_PARTS = "Chapter|Part|Volume|Act|Scene|Section|Article|War"
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}

# Acronyms whose letters the dictionary knows as another word.
_SPELLED = frozenset(("US", "UK", "EU", "UN", "AI", "ID", "LA", "DC", "PM", "CEO", "PR"))


def read_roman_numerals(text: str) -> str:
    """Read "Henry VIII", "Chapter IV" and "World War II"."""
    text = re.sub(
        rf"\b((?:{_KINGS}))\s+([IVX]{{2,6}}|[VX](?!\.\s+[A-Z]))\b",
        lambda found: f"{found[1]} the {ordinal(_roman_value(found[2]))}",
        text,
    )
    return re.sub(
        rf"\b({_PARTS}|{_PARTS.upper()})\s+([IVXL]{{2,8}}|[VX]|(?<=hapter )I|(?<=HAPTER )I|(?<=War )I)\b",
        lambda found: f"{found[1]} {_roman_value(found[2])}",
        text,
    )


def _roman_value(numeral: str) -> int:
    """Return the value of a Roman numeral: a smaller digit before a larger one is taken away."""
    values = [_ROMAN[digit] for digit in numeral]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def read_abbreviations(text: str) -> str:
    """Write abbreviations out."""
    text = re.sub(r"\be\.\s?g\.,?", "for example,", text, flags=re.IGNORECASE)
    text = re.sub(r"\bi\.\s?e\.,?", "that is,", text, flags=re.IGNORECASE)
    text = re.sub(r"\bPh\.?\s?D\b\.?", "p h d", text)
    text = re.sub(
        rf"\b({'|'.join(_BEFORE_NUMBER)})\.\s?(?=\d)", lambda found: _BEFORE_NUMBER[found[1]] + " ", text
    )
    text = re.sub(r"\b(Mr|Mrs|Ms|Dr|Prof)(?=\s+[A-Z])", lambda found: _ALWAYS[found[1].lower()], text)
    text = re.sub(
        rf"\b({'|'.join(_TITLES)})\.(?=\s+[A-Z])(?!\s+(?:{_OPENERS})\b)",
        lambda found: _TITLES[found[1]],
        text,
    )
    text = re.sub(
        rf"(?<!\d )\b({'|'.join(_ALWAYS)})\.",  # "5 ms." is a measure
        lambda found: _ALWAYS[found[1].lower()],
        text,
        flags=re.IGNORECASE,
    )
    for ending, mark in ((_ENDS_SENTENCE, "."), ("", "")):
        text = re.sub(
            rf"\b((?i:etc)|{'|'.join(word.capitalize() for word in _FINAL if word != 'etc')})\.{ending}",
            lambda found, mark=mark: _FINAL[found[1].lower()] + mark,
            text,
        )
        text = re.sub(
            rf"\b((?:[A-Za-z]\.){{2,10}}){ending}",
            lambda found, mark=mark: " " + _spell(found[1]) + mark,
            text,
        )
        text = re.sub(
            rf"(?<![\w'])([A-HJ-Z])\.{ending or '(?=,| ?[A-Z])'}",
            lambda found, mark=mark: f"{_spell(found[1])}{mark} ",
            text,
        )
    return text


def _spell(letters: str) -> str:
    """Spell letters as words; a lone A is written so that it sounds as the letter does."""
    names = [letter.lower() for letter in letters if letter.isalpha()]
    return " ".join("ay" if name == "a" else name for name in names)


def read_capitals(text: str, *, shouted: bool) -> str:
    """Spell acronyms that are no word of the dictionary, and such as "US" unless the text is `shouted`."""

    def read(found: re.Match[str]) -> str:
        acronym, plural = found[1], "'s" if found[2] else ""
        letters = _spell(acronym)
        phones_of = dictionary()
        as_word = re.sub(r"\d", "", phones_of.get(acronym.lower(), ""))
        as_letters = re.sub(r"\d", "", " ".join(phones_of[name] for name in letters.split()))
        if (acronym in _SPELLED and not shouted) or as_word in ("", as_letters):
            return f" {letters}{plural} "
        return acronym.lower() + plural

    return re.sub(r"(?<![A-Za-z'])([A-Z]{2,4})('?s)?(?![A-Za-z'])", read, text)
