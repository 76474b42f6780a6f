"""Tables of names and words in every dialect that people write give the same rows, and nothing crashes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tinyclone.errors import CorpusError
from tinyclone.layouts import AudioFiles, Row, Skipped
from tinyclone.transcript_tables import MALFORMED, tab_rows, table_rows


def rows_of(folder: Path, table: str | bytes, *, audio: tuple[str, ...] = ()) -> tuple[list[Row], Skipped]:
    """Return the rows of a table and what was left out; the corpus has these audio files."""
    file = folder / "metadata.csv"
    file.write_bytes(table if isinstance(table, bytes) else table.encode())
    skipped: Skipped = {}
    files = AudioFiles({name: f"{name}.wav" for name in audio}, folder=folder)
    return list(table_rows(file, files, skipped)), skipped


@pytest.mark.parametrize("separator", ["|", "\t", ";", ","])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_any_separator_line_ending_and_byte_order_mark(
    tmp_path: Path, separator: str, ending: str, start: bytes
) -> None:
    lines = ["a.wav_One.", "my clip_Zwei Äpfel!", "", "c_Three?"]
    table = ending.join(line.replace("_", separator) for line in lines)
    rows, skipped = rows_of(tmp_path, start + table.encode())
    assert rows == [Row("a.wav", "One."), Row("my clip", "Zwei Äpfel!"), Row("c", "Three?")]
    assert skipped == {}


@pytest.mark.parametrize("separator", ["|", "\t", ";", ","])
def test_columns_are_found_by_their_names_in_any_order(tmp_path: Path, separator: str) -> None:
    lines = ["Speaker ID_age_Transcription_File Name", "anna_31_Hello there._a.wav", "_40_Hi._b.wav"]
    rows, skipped = rows_of(tmp_path, "\n".join(line.replace("_", separator, 3) for line in lines))
    # "Speaker ID" and "File Name" are names of columns with a space; only separators were replaced.
    assert rows == [Row("a.wav", "Hello there.", "anna"), Row("b.wav", "Hi.", "")]
    assert skipped == {}


def test_the_written_out_text_is_taken_where_there_is_one(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, "id,text,normalized_text\na,At 6.,At six.\nb,Only this.,\n")
    assert [row.text for row in rows] == ["At six.", "Only this."]
    rows, _ = rows_of(tmp_path, "a|At 6.|At six.\nb|Only this.|\n")
    assert [row.text for row in rows] == ["At six.", "Only this."]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('a,"Hello, you"', "Hello, you"),
        ("a,Hello, you", "Hello, you"),
        ('a, "Hello, you"', "Hello, you"),
        ("a,Hello, you, and you", "Hello, you, and you"),
        ('a,"She said ""no"", twice"', 'She said "no", twice'),
        ('a,He said "no", and left', 'He said "no", and left'),
        ('a,"Stop," he said, and left', '"Stop," he said, and left'),
        ('a,"At 6, or 7","At six, or seven"', "At six, or seven"),
        ('"a",Hello', "Hello"),
        ('a,"Hello', '"Hello'),
        ('a,"Hello, you', '"Hello, you'),
    ],
)
def test_commas_and_quotes_in_a_text_without_a_header(tmp_path: Path, line: str, text: str) -> None:
    rows, skipped = rows_of(tmp_path, line)
    assert rows == [Row("a", text)]
    assert skipped == {}


def test_three_columns_without_quotes_are_known_by_texts_that_repeat(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, "a,Dr No.,Doctor No.\nb,Hello.,Hello.\nc,Bye!,Bye!\n")
    assert [row.text for row in rows] == ["Doctor No.", "Hello.", "Bye!"]
    rows, _ = rows_of(tmp_path, "a,Yes, sir.\nb,Hello, you.\nc,Bye, bye.\nd,Oh, well.\n")
    assert [row.text for row in rows] == ["Yes, sir.", "Hello, you.", "Bye, bye.", "Oh, well."]


def test_a_text_in_the_last_column_may_hold_commas_without_quotes(tmp_path: Path) -> None:
    rows, skipped = rows_of(tmp_path, "file,speaker,text\na,anna,Well, well, well.\nb,bert,Oh.\n")
    assert rows == [Row("a", "Well, well, well.", "anna"), Row("b", "Oh.", "bert")]
    assert skipped == {}
    _, skipped = rows_of(tmp_path, "file,text,speaker\na,Well, well.,anna\n")
    assert skipped[MALFORMED] == [
        "Line 2 of metadata.csv has 4 fields, expected 3 as in its first line: 'a,Well, well.,anna'"
    ]


def test_a_quoted_field_may_hold_line_breaks_but_an_open_quote_never_swallows_the_table(
    tmp_path: Path,
) -> None:
    rows, _ = rows_of(tmp_path, 'a,"One\ntwo, three"\nb,Four.\n')
    assert [(row.name, row.text.split()) for row in rows] == [
        ("a", ["One", "two,", "three"]),
        ("b", ["Four."]),
    ]
    table = 'a,"Never closed\n' + "".join(f"b{number},Text {number}.\n" for number in range(500))
    rows, skipped = rows_of(tmp_path, table)
    assert len(rows) == 501 and rows[0] == Row("a", '"Never closed') and rows[500].text == "Text 499."
    assert skipped == {}


def test_quotes_between_bars_are_part_of_the_text_and_between_tabs_are_not(tmp_path: Path) -> None:
    assert rows_of(tmp_path, 'a|"Oh."')[0] == [Row("a", '"Oh."')]
    assert rows_of(tmp_path, 'a\t"Oh, ""no""."')[0] == [Row("a", 'Oh, "no".')]
    assert rows_of(tmp_path, 'a\t"Oh," she said, "no."')[0] == [Row("a", '"Oh," she said, "no."')]


def test_a_first_clip_that_is_called_like_a_column_is_a_clip(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "audio|Text\nb|Two.", audio=("audio", "b"))[0] == [
        Row("audio", "Text"), Row("b", "Two."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "names", "missing", "expected"),
    [
        ("clip|words\na|One.\n", ["clip", "words"], "text", "transcription"),
        ("recording,text\na,One.\n", ["recording", "text"], "audio file", "filename"),
        ("file;speaker\na;anna\n", ["file", "speaker"], "text", "sentence"),
    ],
)
def test_a_header_that_lacks_a_column_says_what_it_has_and_what_was_expected(
    tmp_path: Path, table: str, names: list[str], missing: str, expected: str
) -> None:
    with pytest.raises(CorpusError) as caught:
        rows_of(tmp_path, table)
    found, advice = str(caught.value).split(". Expected one")
    assert found.endswith(f"metadata.csv names the columns {names}, and none of them is the {missing}")
    assert expected in advice


def test_lines_that_do_not_fit_are_left_out_with_their_number(tmp_path: Path) -> None:
    rows, skipped = rows_of(tmp_path, "a|One.\nnothing\n\nb|1|2|3\nc|Three.\n")
    assert [row.name for row in rows] == ["a", "c"]
    assert [message.partition(":")[0] for message in skipped[MALFORMED]] == [
        "Line 2 of metadata.csv has 1 fields, expected `id|text` or `id|text|normalised text`",
        "Line 4 of metadata.csv has 4 fields, expected `id|text` or `id|text|normalised text`",
    ]


def test_a_table_with_tabs_needs_no_more_than_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "validated.tsv"
    file.write_text("path\tsentence\tage\nb.mp3\tHi.\nc.mp3\tHo.\t30\td\n\nd.mp3\n")
    skipped: Skipped = {}
    assert list(tab_rows(file, skipped)) == [Row("b.mp3", "Hi.")]
    assert [message[:6] for message in skipped[MALFORMED]] == ["Line 3", "Line 5"]


def test_no_table_whatsoever_raises_anything_but_a_corpus_error(tmp_path: Path) -> None:
    dice = random.Random(3)
    pieces = [
        "a",
        "b.wav",
        "One.",
        '"',
        '""',
        ",",
        ";",
        "|",
        "\t",
        "\n",
        "\r\n",
        " ",
        "é",
        "\x00",
        "../x",
        "text",
        "id",
    ]
    n_errors = 0
    for _ in range(1500):
        table = "".join(dice.choices(pieces, k=dice.randrange(30))).encode()
        if dice.random() < 0.1:
            table += b"\xff\xfe"
        try:
            rows, _ = rows_of(tmp_path, table, audio=("a", "b"))
            assert all(isinstance(row.text, str) for row in rows)
        except CorpusError:
            n_errors += 1
    assert 100 < n_errors < 1400
