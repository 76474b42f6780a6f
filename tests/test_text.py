"""Text to tokens: what is read aloud, which phones and ids that gives, and what is refused."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tinyclone.errors import TextError
from tinyclone.letter_to_sound import sound_out
from tinyclone.number_words import year
from tinyclone.text import (
    LETTERS,
    PAUSES,
    SYMBOLS,
    UnknownCharacterWarning,
    Word,
    decode,
    encode,
    encode_symbols,
    normalise,
    parse,
    pronounce,
    split_sentences,
    unknown_characters,
)

SPOKEN = {
    # Characters
    "Hello there.": "hello there.",
    "café, naïve Ærøskøbing straße": "cafe, naive aeroskobing strasse",
    "ｆｕｌｌ ｗｉｄｔｈ！": "full width!",
    "“Quoted” ‘words’ don’t": "quoted words don't",
    "'I said \"no,\" he said.'": "i said no, he said.",
    "the dogs' bowls, rock 'n' roll": "the dogs bowls, rock and roll",
    # Punctuation
    "well—I never – you know -- really - yes": "well - i never - you know - really - yes",
    "a well-known mother-in-law": "a well known mother in law",
    "wait... what?!?! No…": "wait. what? no.",
    "Stop!!! Now,; go:.": "stop! now; go.",
    "He (the king) left [soon].": "he, the king, left, soon.",
    "...and then\tit\nended": "and then it ended",
    "Title\n\nNext line": "title. next line",
    # Numbers
    "1,234,567 and 0": "one million two hundred thirty four thousand five hundred sixty seven and zero",
    "3.14 or .5": "three point one four or zero point five",
    "-5 degrees, pages 10–15": "minus five degrees, pages ten to fifteen",
    "007": "zero zero seven",
    "1234567890123456": "one two three four five six seven eight nine zero one two three four five six",
    "version 1.2.3": "version one point two point three",
    "١٢٣": "one hundred twenty three",
    "the 3rd, 21st and 101st": "the third, twenty first and one hundred first",
    "a 10-year-old on COVID-19": "a ten year old on covid nineteen",
    "call 555-1234": "call five five five one two three four",
    # Years and dates
    "in 1987 and 2005": "in nineteen eighty seven and two thousand five",
    "in 1066 and 2024": "in ten sixty six and twenty twenty four",
    "the 1900s, 1980s and '60s": "the nineteen hundreds, nineteen eighties and sixties",
    "1914-1918": "nineteen fourteen to nineteen eighteen",
    "May 5, 1905; Jan. 3rd": "may fifth, nineteen oh five; january third",
    "2024-05-06 and Dec. 1999": "may sixth twenty twenty four and december nineteen ninety nine",
    # Money and percent
    "Dr. Hughes paid $45 in 1987.": "doctor hughes paid forty five dollars in nineteen eighty seven.",
    "$3.50, $1 and $0.99": "three dollars and fifty cents, one dollar and ninety nine cents",
    "£2m, £1.01, 45 €": "two million pounds, one pound and one penny, forty five euros",
    "$1.5 billion at 3.5 %": "one point five billion dollars at three point five percent",
    # Times
    "3:45 or 9:05": "three forty five or nine oh five",
    "10:00 pm, 10:00 a.m., 5 a.m.": "ten p m, ten ay m, five ay m.",
    "at 4:00 or 13:00": "at four o'clock or thirteen hundred",
    "We met at 3:45 p.m. He left.": "we met at three forty five p m. he left.",
    "won 3:1": "won three to one",
    # Fractions and measures
    "½, 2½, ¾ and 2/3": "one half, two and a half, three quarters and two thirds",
    "1 1/2 of 24/7": "one and a half of twenty four seven",
    "5 km, 1 kg, 60 mph, 20°C": "five kilometers, one kilogram, sixty miles per hour, twenty degrees celsius",
    "wait 5 ms. Then go": "wait five milliseconds. then go",
    "5 m² and x³": "five meters squared and x cubed",
    # Abbreviations
    "Mr. and Mrs Smith vs. Prof. Jones": "mister and missus smith versus professor jones",
    "Tom Jones, Jr. of Ford Co. Ltd.": "tom jones, junior of ford company limited.",
    "Gen. Lee, Capt. Cook, Lt. Col. Ames": "general lee, captain cook, lieutenant colonel ames",
    "Sgt. Lake, Rev. Brown, Hon. Maj. Tom": "sergeant lake, reverend brown, honorable major tom",
    "St. Paul lives in Baker St. now": "saint paul lives in baker street now",
    "fruit, e.g. figs, i.e. these, etc. They": "fruit, for example, figs, that is, these, et cetera. they",
    "No. 5 said no. See p. 12": "number five said no. see page twelve",
    # Capitals
    "NASA and the FBI": "nasa and the f b i",
    "the U.S. Army, in the U.S. He": "the u s army, in the u s. he",
    "CDs from the UK's TV": "c d's from the u k's t v",
    "John F. Kennedy, A. Smith": "john f kennedy, ay smith",
    "Tell US, not us": "tell u s, not us",
    "CHAPTER ONE MISTER QUILTER TOLD US": "chapter one mister quilter told us",
    "TELL US": "tell us",
    "MR. QUILP MET DR. XYLO THERE": "mister quilp met doctor xylo there",
    "A4, B2B and MP3": "ay four, b two b and m p three",
    "Henry VIII, Chapter IV, World War II": "henry the eighth, chapter four, world war two",
    # Signs and addresses
    "R&D + salt = #5 @ home": "r and d plus salt equals number five at home",
    "me@example.com": "me at example dot com",
    "see https://www.example.com/a-b?q=1. Yes": "see w w w dot example dot com slash a dash b. yes",
}


@pytest.mark.parametrize(("written", "spoken"), SPOKEN.items(), ids=lambda value: value[:20])
def test_normalise_writes_what_is_spoken(written: str, spoken: str) -> None:
    assert normalise(written) == spoken


@pytest.mark.parametrize("spoken", SPOKEN.values(), ids=lambda value: value[:20])
def test_normalised_text_normalises_to_itself(spoken: str) -> None:
    assert re.fullmatch(r"[a-z' ,.?!;:-]+", spoken)
    assert normalise(spoken) == spoken


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1000, "one thousand"),
        (1001, "one thousand one"),
        (1010, "ten ten"),
        (1100, "eleven hundred"),
        (1999, "nineteen ninety nine"),
        (2000, "two thousand"),
        (2009, "two thousand nine"),
        (2010, "twenty ten"),
    ],
)
def test_years(number: int, words: str) -> None:
    assert year(number) == words


def test_symbol_table_is_frozen() -> None:
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 107
    assert SYMBOLS[:11] == ("_", "^", "$", " ", ",", ".", "?", "!", ";", ":", "-")
    assert (SYMBOLS[11], SYMBOLS[34], SYMBOLS[35], SYMBOLS[79]) == ("B", "ZH", "AA0", "UW2")
    assert SYMBOLS[80:] == tuple("abcdefghijklmnopqrstuvwxyz'")
    digest = hashlib.sha256("|".join(SYMBOLS).encode()).hexdigest()
    assert digest == "6fb2dbcb131baa5ca137ce831ff4f8d944d21f2bc55b52d78b33f2f92cd0042f"


def test_pauses_are_the_symbols_without_sound() -> None:
    assert PAUSES == set(SYMBOLS[1:11])


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # ^ HH AH0 L OW1 ' ' DH EH1 R . $
        ("Hello there.", [1, 17, 41, 20, 69, 3, 14, 54, 25, 5, 2]),
        # ^ K AE1 T S ? $
        ("Cats?", [1, 19, 39, 28, 26, 6, 2]),
        # ^ EH1 F ' ' B IY1 ' ' AY1 $
        ("FBI", [1, 54, 15, 3, 11, 66, 3, 51, 2]),
        # ^ EY1 M ! $
        ("a.m.!", [1, 60, 3, 54, 21, 7, 2]),
    ],
)
def test_encode_gives_exact_ids(text: str, ids: list[int]) -> None:
    tokens = encode(text)
    assert tokens.dtype == np.int32
    assert tokens.tolist() == ids


@pytest.mark.parametrize("text", SPOKEN)
def test_decode_undoes_encode(text: str) -> None:
    tokens = encode(text)
    symbols = decode(tokens)
    assert symbols[0] == "^" and symbols[-1] == "$" and "_" not in symbols
    np.testing.assert_array_equal(encode_symbols(symbols), tokens)


def test_every_symbol_survives_the_round_trip() -> None:
    assert encode_symbols(list(SYMBOLS)).tolist() == list(range(107))
    assert decode(range(107)) == list(SYMBOLS)


def test_parse_keeps_spelling_phones_and_boundary() -> None:
    assert parse("The zyx, oh no") == [
        Word("the", ("DH", "AH0"), True, " "),
        Word("zyx", sound_out("zyx"), False, ","),
        Word("oh", ("OW1",), True, " "),
        Word("no", ("N", "OW1"), True, ""),
    ]


def test_boundary_is_a_dash_between_words() -> None:
    assert [word.boundary for word in parse("well — yes!")] == ["-", "!"]


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("tinyvoice", None),
        ("goin", "G OY1 N"),
        ("blog's", "B L AO1 G Z"),
        ("tomcat's", "T AA1 M K AE2 T S"),
        ("gatepost's", None),
        ("roach's", "R OW1 CH IH0 Z"),
        ("flavour", "F L EY1 V ER0"),
        ("organised", "AO1 R G AH0 N AY2 Z D"),
        ("wonderingly", "W AH1 N D ER0 IH0 NG L IY0"),
    ],
)
def test_pronounce(word: str, phones: str | None) -> None:
    assert pronounce(word) == (None if phones is None else tuple(phones.split()))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("   \n", "spoken"),
        ("?!... -- ,", "spoken"),
        ("😀🎉", "U+1F600"),
        ("Привет, мир", "U+041F"),
        ("漢字" * 1000, "U+6F22"),
        ("\ud800", "U+D800"),
    ],
)
def test_text_without_a_word_is_refused(text: str, named: str) -> None:
    for read in (parse, encode, split_sentences):
        with pytest.raises(TextError, match=re.escape(named)) as caught:
            read(text)
        assert len(str(caught.value)) < 600


def test_text_must_be_a_string() -> None:
    with pytest.raises(TextError, match="NoneType"):
        encode(None)


def test_unknown_characters_are_named_in_order_and_warned_of() -> None:
    assert unknown_characters("a Ж b 😀 c Ж ~ é “q” 👩‍👧") == ["Ж", "😀", "~", "👩", "👧"]
    with pytest.warns(UnknownCharacterWarning, match=r"'Ж' \(U\+0416\), '😀' \(U\+1F600\)"):
        tokens = encode("hello Ж😀")
    np.testing.assert_array_equal(tokens, encode("hello"))


def test_readable_text_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in SPOKEN:
            encode(text)
            assert unknown_characters(text) == []


def test_unknown_symbol_and_id_are_refused() -> None:
    with pytest.raises(TextError, match="'AA'"):
        encode_symbols(["AA"])
    for wrong in (-1, 107):
        with pytest.raises(TextError, match=f"{wrong}.*expected 0 to 106"):
            decode([1, wrong])


def test_word_that_the_dictionary_lacks_is_sounded_out() -> None:
    word = parse("Quidditch!")[0]
    assert (word.spelling, word.known, word.boundary) == ("quidditch", False, "!")
    assert word.symbols == sound_out("quidditch") and word.symbols[0] == "K"
    assert set(word.symbols) <= set(SYMBOLS) - PAUSES - set(LETTERS)


def test_word_of_300_letters_is_sounded_out_in_pieces() -> None:
    assert parse("zuck" * 75)[0].symbols == sound_out("zuck" * 10) * 7 + sound_out("zuck" * 5)


@pytest.mark.parametrize(
    "unit", ["the brown fox. ", "a", "9", "1,000", "A.", "$1 ", " ", "\n", "'", "-", "x@", "1.", "é", "("]
)
def test_20_000_characters_are_read(unit: str) -> None:
    text = (unit * 20_000)[:20_000] + " end"
    assert parse(text)[-1].spelling == "end"


def test_split_sentences_ends_pieces_at_sentences() -> None:
    text = "Dr. Hughes came at 3.15 p.m. He paid $45! Why? Nobody, it seems, knows"
    assert split_sentences(text) == [
        "doctor hughes came at three point one five p m.",
        "he paid forty five dollars!",
        "why?",
        "nobody, it seems, knows",
    ]


def test_split_sentences_prefers_clauses_then_spaces_then_cuts() -> None:
    assert split_sentences("one, two three four", max_characters=9) == ["one,", "two three", "four"]
    assert split_sentences("one - two three", max_characters=9) == ["one -", "two three"]
    assert split_sentences("q" * 300 + ".", max_characters=200) == ["q" * 200, "q" * 100 + "."]
    assert split_sentences("q" * 200 + ".") == ["q" * 200]


@pytest.mark.parametrize("max_characters", [1, 2, 7, 40, 200])
def test_split_sentences_loses_no_letter_and_keeps_the_limit(max_characters: int) -> None:
    text = "Well - I never, he said; not in 1987... " * 20 + "x" * 300 + " I don't know!"
    pieces = split_sentences(text, max_characters=max_characters)
    assert max(map(len, pieces)) <= max_characters
    assert re.sub("[^a-z]", "", "".join(pieces)) == re.sub("[^a-z]", "", normalise(text))
    assert all(parse(piece) for piece in pieces)


def test_split_sentences_encodes_as_the_whole_text() -> None:
    text = "First, Mr. Fox ran. Then the FBI came: why? " * 30
    pieces = split_sentences(text, max_characters=30)
    words = [word.symbols for piece in pieces for word in parse(piece)]
    assert words == [word.symbols for word in parse(text)]


def test_split_sentences_refuses_a_limit_below_one() -> None:
    with pytest.raises(TextError, match="max_characters is 0"):
        split_sentences("hello", max_characters=0)


def test_text_does_not_load_keras() -> None:
    code = (
        "import sys, tinyclone.text; tinyclone.text.encode('Hello 45.');"
        "print({'keras', 'tensorflow', 'jax', 'torch', 'matplotlib', 'librosa'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
