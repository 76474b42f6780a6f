"""The checkers of lesson 1 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest

from tinyclone.exercises import check_pad_batch, check_say_money, check_say_plural, text_encoding
from tinyclone.normalisation import normalise
from tinyclone.number_words import cardinal
from tinyclone.pronunciation import pronounce


def say_money(amount):
    whole, _, cents = amount.strip("$").partition(".")
    parts = []
    for number, name in ((int(whole), "dollar"), (int(cents or 0), "cent")):
        if number:
            parts.append(f"{cardinal(number)} {name}{'s' if number > 1 else ''}")
    return " and ".join(parts)


def changed(old, new):
    """Return a `say_money` with one mistake in it."""
    return lambda amount: say_money(amount).replace(old, new)


def with_zeros(amount):
    whole, _, cents = amount.strip("$").partition(".")
    return f"{cardinal(int(whole))} dollar{'s' * (whole != '1')}" + (
        f" and {cardinal(int(cents))} cent{'s' * (cents != '01')}" if cents else ""
    )


class TestSayMoney:
    def test_a_right_answer(self, capsys):
        assert check_say_money(say_money) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == len(text_encoding.MONEY_CASES)
        assert "Solved: say_money." in printed

    def test_the_package_itself_is_right(self):
        assert check_say_money(normalise)

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (changed("forty", "fourty"), "How is the number 45 read"),
            (changed("fifty", "five"), "How is the number 50 read"),
            (changed("forty five", "forty-five"), "no marks"),
            (lambda amount: say_money(amount).capitalize(), "in lower case"),
            (changed("one dollar", "one dollars"), "Of one dollar there is no plural"),
            (changed("one cent", "one cents"), "Of one cent there is no plural"),
            (changed("dollars", "dollar"), "45 is more than one"),
            (changed("fifty cents", "fifty cent"), "50 is more than one"),
            (changed(" dollars", ""), "The name of the money is missing"),
            (changed(" and ", " "), "A word is missing between dollars and cents"),
            (changed("forty ", "forty and "), "one 'and' too many"),
            (changed("two dollars and five", "two dollars and fifty"), "the zero comes first"),
            (with_zeros, "Nobody says zero"),
            (lambda amount: say_money(amount) + " and zero cents", "Nothing is said of cents"),
            (lambda amount: say_money(amount).partition(" and ")[0], "The cents are missing"),
            (lambda amount: "dollars " + say_money(amount).replace(" dollars", ""), "spoken after it"),
            (lambda amount: "three point five zero dollars", "not read as a decimal"),
            (lambda amount: amount + " dollars", "Digits and signs are left"),
            (lambda amount: say_money(f"${int(amount[1:])}"), "raised ValueError"),
            (lambda amount: "forty five lovely dollars", "Which words does a person say"),
            (lambda amount: 45, "an object of type int; expected str"),
            (lambda amount: None, "returned nothing"),
            (lambda amount: ..., "returned nothing"),
            (lambda: "forty five dollars", "raised TypeError"),
            (None, "wants the function itself"),
            ("forty five dollars", "wants the function itself"),
        ],
    )  # fmt: skip
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_say_money(wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed
        assert "Solved" not in printed


def pad_batch(sentences):
    tokens = np.zeros((len(sentences), max(map(len, sentences))), np.int32)
    for row, sentence in zip(tokens, sentences):
        row[: len(sentence)] = sentence
    return tokens, tokens != 0


def padded_to(sentences, length, *, filling=0, in_front=False):
    rows = []
    for one in sentences:
        missing = max(0, length - len(one))
        rows.append(np.pad(one[:length], (missing, 0) if in_front else (0, missing), constant_values=filling))
    tokens = np.stack(rows)
    return tokens, tokens != filling


class TestPadBatch:
    def test_a_right_answer(self, capsys):
        assert check_pad_batch(pad_batch) is True
        assert capsys.readouterr().out.count("OK") == len(text_encoding.PAD_CASES)

    def test_a_mask_of_zeros_and_ones_and_wide_tokens_are_right_too(self):
        assert check_pad_batch(lambda sentences: (pad_batch(sentences)[0].astype(np.int64),
                                                  pad_batch(sentences)[1].astype(np.float32)))  # fmt: skip

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (lambda s: padded_to(s, max(map(len, s)), in_front=True), "in front of the sentences"),
            (lambda s: padded_to(s, max(map(len, s)), filling=3), "filled up with 3, which is ' '"),
            (lambda s: padded_to(s, max(map(len, s)), filling=-1), "filled up with -1. Padding"),
            (lambda s: padded_to(s, min(map(len, s))), "were cut"),
            (lambda s: padded_to(s, 64), "work for nothing"),
            (lambda s: (pad_batch(s)[0], ~pad_batch(s)[1]), "upside down"),
            (lambda s: (pad_batch(s)[0], np.ones_like(pad_batch(s)[1])), "True everywhere"),
            (lambda s: (pad_batch(s)[0], pad_batch(s)[0]), "more than True and False"),
            (lambda s: (pad_batch(s)[0], pad_batch(s)[0] > 1), "by the mask the rows have"),
            (lambda s: (pad_batch(s)[0].astype(float), pad_batch(s)[1]), "whole numbers are needed"),
            (lambda s: (pad_batch(s)[0] + 1, pad_batch(s)[1]), "lost or changed"),
            (lambda s: (pad_batch(s)[0].T, pad_batch(s)[1].T), "turn it round"),
            (lambda s: (pad_batch(s)[0], pad_batch(s)[1][0]), "the mask have the shape"),
            (lambda s: (pad_batch(s)[0].tolist(), pad_batch(s)[1]), "expected a NumPy array"),
            (lambda s: (np.array(s, dtype=object), s), "equally long"),
            (lambda s: pad_batch(s)[0], "an object of type ndarray; expected tuple"),
            (lambda s: (*pad_batch(s), 0), "returned 3 things"),
            (lambda s: (None, None), "expected a NumPy array"),
            (lambda s: np.array(s), "raised ValueError"),
            (lambda s: None, "returned nothing"),
            (None, "wants the function itself"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_pad_batch(wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed

    def test_a_function_that_spoils_what_it_gets_is_judged_by_what_it_returns(self):
        def spoiling(sentences):
            answer = pad_batch(sentences)
            for one in sentences:
                one[:] = 0
            return answer

        assert check_pad_batch(spoiling)


def say_plural(phones, *, hisses=("S", "Z", "SH", "ZH", "CH", "JH"), voiceless=("P", "T", "K", "F", "TH")):
    if phones[-1] in hisses:
        return (*phones, "IH0", "Z")
    return (*phones, "S" if phones[-1] in voiceless else "Z")


class TestSayPlural:
    def test_a_right_answer(self, capsys):
        assert check_say_plural(say_plural) is True
        assert capsys.readouterr().out.count("OK") == len(text_encoding.PLURAL_CASES)
        assert check_say_plural(lambda phones: list(say_plural(phones)))

    def test_every_word_is_in_the_dictionary_and_its_plural_agrees(self):
        for word in text_encoding.PLURAL_CASES:
            plural = word + ("es" if word[-2:] in ("us", "sh", "ch") else "s")
            assert say_plural(pronounce(word)) == pronounce(plural)

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (lambda p: (*p, "Z"), "does not hum in T"),
            (lambda p: (*p, "S"), "hums in G"),
            (lambda p: say_plural(p, hisses=()), "hisses already"),
            (lambda p: say_plural(p, hisses=("S", "Z", "SH", "CH", "JH")), "ZH hisses already"),
            (lambda p: say_plural(p, voiceless=("P", "T", "K", "F")), "does not hum in TH"),
            (lambda p: say_plural(p, voiceless=("P", "T", "K", "F", "TH", "V")), "hums in V"),
            (lambda p: (*p, "IH0", "Z"), "T does not hiss"),
            (lambda p: tuple("AH0" if x == "IH0" else x for x in say_plural(p)), "write the vowel as IH0"),
            (lambda p: tuple("IH" if x == "IH0" else x for x in say_plural(p)), "There is no symbol 'IH'"),
            (lambda p: tuple("IH1" if x == "IH0" else x for x in say_plural(p)), "short, unstressed"),
            (lambda p: (*p, "s"), "The ending is one of"),
            (lambda p: (*p, "T"), "The ending is one of"),
            (lambda p: say_plural(p)[len(p) :], "the ending alone"),
            (lambda p: (*p[:-1], "S"), "stay as they are"),
            (lambda p: p, "Nothing was added"),
            (lambda p: (*p, ("S",)), "among the phones is an object of type tuple"),
            (lambda p: " ".join(say_plural(p)), "an object of type str; expected a tuple"),
            (lambda p: 3, "an object of type int; expected a tuple"),
            (lambda p: None, "returned nothing"),
            (lambda p: p + "S", "raised TypeError"),
            (None, "wants the function itself"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, capsys, wrong, hint):
        assert check_say_plural(wrong) is False
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ") and hint in printed
        assert "Solved" not in printed
