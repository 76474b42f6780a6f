"""Numbers as they are read aloud: dates, times, money, measures, years, fractions, ordinals."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion",
           "tn": "trillion"}  # fmt: skip
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "m": ("meter", "meters"), "ft": ("foot", "feet"),
    "kg": ("kilogram", "kilograms"), "mg": ("milligram", "milligrams"), "g": ("gram", "grams"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"), "l": ("liter", "liters"), "L": ("liter", "liters"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "Hz": ("hertz", "hertz"), "dB": ("decibel", "decibels"),
    "kB": ("kilobyte", "kilobytes"), "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "ms": ("millisecond", "milliseconds"), "sec": ("second", "seconds"), "min": ("minute", "minutes"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "kW": ("kilowatt", "kilowatts"),
    "°C": ("degree celsius", "degrees celsius"), "°F": ("degree fahrenheit", "degrees fahrenheit"),
    "°": ("degree", "degrees"),
}  # fmt: skip
_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_MONTH_PATTERN = "|".join(f"{name}|{name[:3]}\\.|{name[:4]}\\." for name in _MONTHS)
_NUMBER = r"\d{1,3}(?:,\d{3}){1,12}(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_LONGEST_SPOKEN_DIGITS = 15


@lru_cache(maxsize=4096)
def cardinal(number: int) -> str:
    """Return a whole number in words: 123 is "one hundred twenty three"."""
    return _plain_words(num2words(number))


@lru_cache(maxsize=4096)
def ordinal(number: int) -> str:
    """Return a whole number's rank in words: 21 is "twenty first"."""
    return _plain_words(num2words(number, to="ordinal"))


def _plain_words(words: str) -> str:
    return re.sub(r"[ ,-]+", " ", words.replace(" and ", " "))


def year(number: int) -> str:
    """Return a year in words: 1987 is "nineteen eighty seven", 2005 "two thousand five"."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(numerals: str) -> str:
    """Return numerals one by one: "407" is "four zero seven"."""
    return " ".join(cardinal(int(numeral)) for numeral in numerals if numeral.isdigit())


def number(numerals: str, *, may_be_year: bool = False) -> str:
    """Return a number as written in words.

    Parameters
    ----------
    numerals : str
        Digits with commas between thousands and a decimal point, such as "1,234.5".
    may_be_year : bool
        Whether four digits from 1000 to 2099 without a comma are read as a year.

    Returns
    -------
    str
        Words; more than 15 digits, or a leading zero, are read digit by digit.
    """
    whole, _, decimals = numerals.replace(",", "").partition(".")
    if may_be_year and not decimals and re.fullmatch(r"1\d{3}|20\d\d", numerals):
        return year(int(whole))
    if len(whole) > _LONGEST_SPOKEN_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        words = digits(whole)
    else:
        words = cardinal(int(whole or "0"))
    return f"{words} point {digits(decimals)}" if decimals else words


def read_numbers(text: str) -> str:
    """Replace every number of a plain text, with the signs that belong to it, by words."""
    for pattern, read in _READERS:
        text = pattern.sub(read, text)
    return text


def _read_iso_date(found: re.Match[str]) -> str:
    month, day = int(found[2]), int(found[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return f"{number(found[1], may_be_year=True)} {number(found[2])} {number(found[3])}"
    return f"{_MONTHS[month - 1]} {ordinal(day)} {number(found[1], may_be_year=True)}"


def _read_month_day(found: re.Match[str]) -> str:
    name = next(month for month in _MONTHS if month.startswith(found[1].rstrip(".")[:3]))
    return f"{name} {ordinal(int(found[2]))}"


def _read_month(found: re.Match[str]) -> str:
    return next(month for month in _MONTHS if month.startswith(found[1][:3]))


def _read_time(found: re.Match[str]) -> str:
    hours, minutes, half_of_day = int(found[1]), int(found[2]), found[3]
    if hours > 24 or minutes > 59:
        return f"{number(found[1])} {number(found[2])}" + found[0][len(found[1] + found[2]) + 1 :]
    if minutes:
        words = f"{cardinal(hours)} {'oh ' if minutes < 10 else ''}{cardinal(minutes)}"
    elif half_of_day:
        words = cardinal(hours)
    else:
        words = f"{cardinal(hours)} o'clock" if hours < 13 else f"{cardinal(hours)} hundred"
    return f"{words} {_half_of_day(half_of_day)}" if half_of_day else words


def _half_of_day(written: str) -> str:
    return "ay m" if written[0] in "aA" else "p m"


def _read_money(found: re.Match[str]) -> str:
    amount, scale = found["amount"], found["scale"]
    one, many, small_one, small_many = _CURRENCIES[found["sign"]]
    if scale:
        return f"{number(amount)} {_SCALES.get(scale.lower(), scale.lower())} {many}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if len(decimals) != 2:
        return f"{number(amount)} {one if amount == '1' else many}"
    parts = []
    if int(whole or "0"):
        parts.append(f"{number(whole)} {one if int(whole) == 1 else many}")
    if int(decimals) or not parts:
        parts.append(f"{cardinal(int(decimals))} {small_one if int(decimals) == 1 else small_many}")
    return " and ".join(parts)


def _read_decade(found: re.Match[str]) -> str:
    words = year(int(found[1])) if len(found[1]) == 4 else cardinal(int(found[1]))
    return words[:-1] + "ies" if words.endswith("y") else words + ("es" if words.endswith("x") else "s")


def _read_fraction(found: re.Match[str]) -> str:
    whole, above, below = found[1], int(found[2]), int(found[3])
    if not 0 < above < below <= 100:
        return f"{whole or ''} {number(found[2])} {number(found[3])}"
    name = {2: "half", 4: "quarter"}.get(below) or ordinal(below)
    if above > 1:
        name += "s"
    if not whole:
        return f"{cardinal(above)} {name}"
    return f"{number(whole.strip())} and {'a' if above == 1 else cardinal(above)} {name}"


def _read_unit(found: re.Match[str]) -> str:
    one, many = _UNITS[found[2]]
    return f"{number(found[1])} {one if found[1] == '1' else many}"


def _read_plain(found: re.Match[str]) -> str:
    return f" {number(found[0], may_be_year=True)} "


_HALF = r"(?i:(ay|a|p)\.?\s?m\b)"
_UNIT_PATTERN = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_READERS = [
    (re.compile(pattern), read)
    for pattern, read in (
        # Long runs of digits first: the patterns below would go over them again and again.
        (r"(?<![\d.])(?:\d{16,}(?:\.\d+)?|\d+\.\d{16,})", lambda found: number(found[0])),
        (r"(?<![\d.])\d{1,15}(?:\.\d{1,15}){2,}", lambda f: " point ".join(map(number, f[0].split(".")))),
        (r"(?<=\d)-(?=[A-Za-z])|(?<=[A-Za-z])-(?=\d)", " "),
        (r"(?<![\d-])(\d{4})-(\d\d)-(\d\d)(?![\d-])", _read_iso_date),
        (r"(?<![\d-])(?:\d{3}[-. ])?\d{3}-\d{4}(?![\d-])", lambda found: digits(found[0])),
        (rf"\b({_MONTH_PATTERN})\s(\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.,]\d|%)", _read_month_day),
        (r"\b(Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\.(?=\s\d{4}\b)", _read_month),
        (rf"(?<![\d:])(\d{{1,2}}):(\d\d)(?![\d:])(?:\s{{0,2}}{_HALF})?", _read_time),
        (rf"(?<![\d.,])(\d{{1,2}})\s{{0,2}}{_HALF}", lambda f: f"{number(f[1])} {_half_of_day(f[2])}"),
        (r"(?<=\d):(?=\d)", " to "),
        (
            rf"(?:US|A|C)?(?P<sign>[$£€¥₹])\s?(?P<amount>{_NUMBER})"
            r"(?:\s?(?P<scale>(?i:thousand|million|billion|trillion|bn|mn|tn|[kmb]))\b)?",
            _read_money,
        ),
        (rf"(?P<amount>{_NUMBER})\s?(?P<sign>[€£])(?P<scale>)", _read_money),
        (r"(?<![\d.,])'?(\d{3}0|[2-9]0)'?s\b", _read_decade),
        (r"(?<![\d.,])(\d{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)\b", lambda found: ordinal(int(found[1]))),
        (r"(?<![\d./])(\d+\s)?(\d{1,3})/(\d{1,3})(?![\d/])", _read_fraction),
        (r"(?<=\d)\s?-\s?(?=\d)", " to "),
        (r"(?<![\w-])-(?=\.?\d)", "minus "),
        (rf"({_NUMBER})\s?%", lambda found: f"{number(found[1])} percent"),
        (rf"({_NUMBER})[ -]?({_UNIT_PATTERN})(?![\w'])", _read_unit),
        (r"\bA(?=\d)", "ay "),
        (_NUMBER, _read_plain),
    )
]
