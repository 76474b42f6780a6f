"""Tables of file names and words as people have them: any separator, quotes, a header or none."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyclone.errors import CorpusError
from tinyclone.layouts import AudioFiles, Row, Skipped, fold_text, lines_of, read_lines

SEPARATORS = ("|", "\t", ";", ",")
# What columns are called, in small letters. Where a table has several of a kind, the earlier name counts.
COLUMN_NAMES = {
    "audio file": ("path", "file", "filename", "file_name", "audio_file", "audio", "wav", "clip", "id"),
    "text": ("normalised_text", "normalized_text", "text", "transcript", "transcription", "sentence"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id", "reader"),
}
MALFORMED = "malformed line"
MOST_LINES_OF_A_RECORD = 10


@dataclass(frozen=True)
class _Record:
    """One line of a table, or several where a quoted field holds line breaks."""

    number: int
    line: str
    fields: list[str]
    well_quoted: bool = True


@dataclass(frozen=True)
class _Columns:
    """Where the name, the text (the best first) and the speaker stand among `width` columns."""

    name: int
    texts: list[int]
    speaker: int | None
    width: int


def table_rows(file: Path, audio: AudioFiles, skipped: Skipped) -> Iterator[Row]:
    """Return the rows of a table whose separator and columns are found out by looking.

    Without a header the columns are the name of the audio file, the text and, where there is a third,
    the text with numbers written out. A line that does not fit is noted in `skipped`.

    Raises
    ------
    CorpusError
        If the file cannot be read, or its header lacks a column.
    """
    lines = read_lines(file)
    separator = _separator_of([line for _, line in lines[:100]])
    records = list(_records(lines, separator))
    columns = None
    if records and _is_header(records[0].fields) and records[0].fields[0] not in audio:
        columns = _columns_of(file, records.pop(0).fields)
    has_spoken_text = separator in "|\t" or _repeats_its_text(records)
    for record in records:
        if columns is not None:
            row, expected = _headed_row(record, columns, separator), f"{columns.width} as in its first line"
        else:
            row = _unheaded_row(record, separator, has_spoken_text)
            expected = f"`id{separator}text` or `id{separator}text{separator}normalised text`"
        if row is None:
            _leave_out(file, record, expected, skipped)
        else:
            yield row


def tab_rows(file: Path, skipped: Skipped) -> Iterator[Row]:
    """Return the rows of a tab-separated table with a header one at a time: there may be millions."""
    columns = None
    for number, line in lines_of(file):
        record = _Record(number, line, [_unquoted(field) for field in line.split("\t")])
        if columns is None:
            columns = _columns_of(file, record.fields)
            continue
        row = _headed_row(record, columns, "\t")
        if row is None:
            _leave_out(file, record, f"{columns.width} as in its first line", skipped)
        else:
            yield row


def _separator_of(lines: list[str]) -> str:
    for separator in SEPARATORS if lines else ():
        names = set(_column_names(lines[0].split(separator)))
        if names & set(COLUMN_NAMES["audio file"]) and names & set(COLUMN_NAMES["text"]):
            return separator
    for separator in SEPARATORS:
        if 2 * sum(separator in line for line in lines) >= len(lines):
            return separator
    return "|"


def _records(lines: list[tuple[int, str]], separator: str) -> Iterator[_Record]:
    place = 0
    while place < len(lines):
        number, line = lines[place]
        n_lines = 1
        if separator == "|":  # quotes in LJ Speech are part of the text
            yield _Record(number, line, line.split(separator))
        elif separator == "\t":
            yield _Record(number, line, [_unquoted(field) for field in line.split(separator)])
        else:
            candidates = [line for _, line in lines[place : place + MOST_LINES_OF_A_RECORD]]
            fields, n_lines = _quoted_fields(candidates, separator)
            if fields:
                yield _Record(number, "\n".join(candidates[:n_lines]), fields)
            else:
                n_lines = 1
                yield _Record(number, line, line.split(separator), well_quoted=False)
        place += n_lines


def _quoted_fields(lines: list[str], separator: str) -> tuple[list[str], int]:
    """Return the fields of the record that starts at the first line, and how many lines it takes."""
    for n_lines in range(1, len(lines) + 1):
        try:
            return next(csv.reader(["\n".join(lines[:n_lines])], delimiter=separator, strict=True)), n_lines
        except csv.Error as error:
            if "unexpected end" not in str(error):
                break
    return [], 0


def _is_header(fields: list[str]) -> bool:
    return not {*COLUMN_NAMES["audio file"], *COLUMN_NAMES["text"]}.isdisjoint(_column_names(fields))


def _column_names(fields: list[str]) -> list[str]:
    return [_unquoted(field).strip().lower().replace(" ", "_") for field in fields]


def _columns_of(file: Path, fields: list[str]) -> _Columns:
    names = _column_names(fields)
    places = {
        kind: [names.index(name) for name in wanted if name in names] for kind, wanted in COLUMN_NAMES.items()
    }
    for kind in ("audio file", "text"):
        if not places[kind]:
            raise CorpusError(
                f"The first line of {file} names the columns {names}, and none of them is the {kind}. "
                f"Expected one that is called {' or '.join(COLUMN_NAMES[kind])}. Add it or rename yours."
            )
    speaker = places["speaker"][0] if places["speaker"] else None
    return _Columns(places["audio file"][0], places["text"], speaker, len(names))


def _headed_row(record: _Record, columns: _Columns, separator: str) -> Row | None:
    fields, last = record.fields, columns.width - 1
    if len(fields) > columns.width and separator in ";," and last in columns.texts:
        # Commas in a text that nobody put in quotes.
        fields = [*fields[:last], separator.join(fields[last:])]
    needed = max(columns.name, *columns.texts, columns.speaker or 0)
    if not needed < len(fields) <= columns.width:
        return None
    text = next((fields[place] for place in columns.texts if fields[place].strip()), "")
    speaker = None if columns.speaker is None else fields[columns.speaker]
    return Row(fields[columns.name].strip(), text, speaker)


def _unheaded_row(record: _Record, separator: str, has_spoken_text: bool) -> Row | None:
    name, *texts = record.fields
    if separator in ";," and len(texts) > 1:
        is_quoted = record.well_quoted and f'{separator}"' in record.line
        if not (len(texts) == 2 and (is_quoted or has_spoken_text)):
            texts = [_unquoted(separator.join(texts))]
    if len(texts) not in (1, 2):
        return None
    written, spoken = texts[0], texts[-1]
    return Row(name.strip(), spoken if spoken.strip() else written)


def _repeats_its_text(records: list[_Record]) -> bool:
    """Return whether the third field is the second once more: most sentences have no numbers to write out."""
    if not records or any(len(record.fields) != 3 for record in records):
        return False
    n_same = sum(fold_text(record.fields[1]) == fold_text(record.fields[2]) for record in records)
    return 2 * n_same >= len(records)


def _unquoted(field: str) -> str:
    """Return a field without the quotes around it, if that is what its quotes are."""
    if '"' not in field:
        return field
    whole = re.fullmatch(r'\s*"((?:[^"]|"")*)"\s*', field)
    return whole[1].replace('""', '"') if whole else field


def _leave_out(file: Path, record: _Record, expected: str, skipped: Skipped) -> None:
    found = f"{len(record.fields)} fields, expected {expected}: {record.line[:60]!r}"
    skipped.setdefault(MALFORMED, []).append(f"Line {record.number} of {file.name} has {found}")
