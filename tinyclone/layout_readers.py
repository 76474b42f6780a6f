"""The folder layouts that corpora come in: one reader for each, and how to tell them apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tinyclone.errors import CorpusError
from tinyclone.layouts import (
    LICENCES,
    UNKNOWN_LICENCE,
    AudioFiles,
    Clip,
    Row,
    Skipped,
    files_below,
    lines_of,
    read_lines,
    speaker_name,
    usable,
)
from tinyclone.transcript_tables import tab_rows, table_rows

LAYOUTS = (
    "metadata.csv with lines `id|text` or `id|text|normalised text`, and the audio in wavs/, beside it or in "
    "sub-folders (LJ Speech, your own recordings); comma, semicolon and tab separate as well",
    "the same with a first line that names its columns, such as `clip|speaker|text` (many speakers)",
    "the same with a speakers.csv (tinyvoices)",
    "one .txt beside each audio file, in the folder or in a sub-folder for each speaker",
    "<speaker>/<chapter>/*.flac with *.trans.txt beside them (LibriSpeech)",
    "validated.tsv and clips/, or the folder above that has one such folder for each language (Common Voice)",
    "wav48_silence_trimmed/ and txt/ (VCTK 0.92)",
)
VCTK_AUDIO = "wav48_silence_trimmed"
# Folders that hold all clips, not those of one speaker.
AUDIO_FOLDERS = ("wavs", "audio", "clips")
# Texts that lie beside recordings and are not their words.
NO_TRANSCRIPTS = ("readme", "license", "licence", "notes", "metadata")

Reader = Callable[[Path, Skipped], Iterator[Clip]]


def reader_of(folder: Path) -> Reader:
    """Return the function that reads a folder of this layout; `CorpusError` if it is none of `LAYOUTS`."""
    reader = _known_reader(folder)
    if reader is not None:
        return reader
    looked_for = "\n".join(f"  - {layout}" for layout in LAYOUTS)
    inside = [child.name for child in sorted(folder.iterdir()) if child.is_dir() and _known_reader(child)]
    advice = (
        f"Its folder {inside[0]!r} is like one of these: give the path of that folder."
        if inside
        else "Arrange the folder like one of these; the first is the simplest for your own recordings."
    )
    raise CorpusError(
        f"No corpus layout that tinyclone knows in {folder}. It looked for:\n{looked_for}\n{advice}"
    )


def _known_reader(folder: Path) -> Reader | None:
    if (folder / "metadata.csv").is_file():
        return _read_tinyvoices if _speaker_licences(folder) else _read_table
    if _language_folders(folder):
        return _read_common_voice
    if _vctk_folder(folder):
        return _read_vctk
    if _transcripts(folder):
        return _read_librispeech
    if files_below(folder).keys() & files_below(folder, suffixes=(".txt",)).keys():
        return _read_pairs
    return None


def _read_table(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    corpus = folder_name = folder.resolve().name
    if folder_name.startswith("speechocean762"):
        corpus = "speechocean762"
    audio = AudioFiles(files_below(folder), folder=folder)
    for row, path in usable(table_rows(folder / "metadata.csv", audio, skipped), audio, skipped):
        if row.speaker is not None:
            speaker = speaker_name(row.speaker, corpus=corpus, clip_id=row.name)
            yield Clip(row.name, speaker, row.text, path, corpus, LICENCES.get(corpus, UNKNOWN_LICENCE))
        elif re.fullmatch(r"LJ\d{3}-\d{4}", row.name):
            yield Clip(row.name, "lj", row.text, path, "ljspeech", LICENCES["ljspeech"])
        else:
            yield Clip(row.name, corpus, row.text, path, corpus, LICENCES.get(corpus, UNKNOWN_LICENCE))


def _read_tinyvoices(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    licences = _speaker_licences(folder)
    audio = AudioFiles(files_below(folder), folder=folder)
    for row, path in usable(table_rows(folder / "metadata.csv", audio, skipped), audio, skipped):
        speaker = row.name.rpartition("-")[0]
        if speaker not in licences:
            raise CorpusError(
                f"{folder / 'speakers.csv'} has no line for {speaker!r}, the speaker of clip {row.name!r}. "
                f"It has {sorted(licences)}. Add the line, or name clips `<speaker>-<number>`."
            )
        yield Clip(row.name, speaker, row.text, path, "tinyvoices", licences[speaker])


def _speaker_licences(folder: Path) -> dict[str, str]:
    """Return the licence of each speaker in speakers.csv, or nothing if there is no such table."""
    file = folder / "speakers.csv"
    lines = [line for _, line in read_lines(file)] if file.is_file() else []
    rows = [[field.strip() for field in line.split("|")] for line in lines]
    if not rows or not {"speaker", "licence"} <= set(rows[0]):
        return {}
    named = [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]
    return {row["speaker"]: row["licence"] for row in named if len(row) == len(rows[0])}


def _read_pairs(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    corpus = folder.resolve().name
    paths, texts = files_below(folder), files_below(folder, suffixes=(".txt",))
    audio = AudioFiles(paths, folder=folder)
    names = sorted({*paths, *(key for key in texts if key.rpartition("/")[2].lower() not in NO_TRANSCRIPTS)})
    rows = _rows_of_files(names, texts, skipped)
    for row, path in usable(rows, audio, skipped):
        folders = [part for part in row.name.split("/")[:-1] if part not in AUDIO_FOLDERS]
        speaker = f"{corpus}-{folders[0]}" if folders else corpus
        yield Clip(row.name, speaker, row.text, path, corpus, UNKNOWN_LICENCE)


def _rows_of_files(names: list[str], texts: dict[str, str], skipped: Skipped) -> Iterator[Row]:
    """Return a row for each name that has a text file of its own; note the others in `skipped`."""
    for name in names:
        if name not in texts:
            skipped.setdefault("transcript missing", []).append(name)
            continue
        try:
            yield Row(name, " ".join(line for _, line in lines_of(Path(texts[name]))))
        except CorpusError:
            skipped.setdefault("transcript cannot be read as UTF-8", []).append(name)


def _read_vctk(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    folder = _vctk_folder(folder) or folder
    texts = files_below(folder / "txt", suffixes=(".txt",), most_subfolders=1)
    recordings: dict[str, str] = {}
    for name, path in sorted(files_below(folder / VCTK_AUDIO, most_subfolders=1).items(), reverse=True):
        # In falling order, so that where there are two microphones the first one is what remains.
        recordings[re.sub("_mic[12]$", "", name)] = path
    names = sorted(name for name in {*recordings, *texts} if "/" in name)
    with_texts = {name.partition("/")[0] for name in texts}
    without = [name for name in names if name.partition("/")[0] not in with_texts]
    if without:
        skipped["speaker without transcripts"] = without
    rows = _rows_of_files([name for name in names if name.partition("/")[0] in with_texts], texts, skipped)
    for row, path in usable(rows, AudioFiles(recordings, folder=folder), skipped):
        speaker, _, name = row.name.partition("/")
        yield Clip(name, f"vctk-{speaker}", row.text, path, "vctk", LICENCES["vctk"])


def _vctk_folder(folder: Path) -> Path | None:
    audio = [folder / VCTK_AUDIO, *sorted(folder.glob(f"*/{VCTK_AUDIO}"))]
    return next((place.parent for place in audio if (place.parent / "txt").is_dir() and place.is_dir()), None)


def _read_librispeech(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    for transcript in _transcripts(folder):
        audio = AudioFiles(files_below(transcript.parent, most_subfolders=0), folder=transcript.parent)
        rows = (Row(*line.partition(" ")[::2]) for _, line in lines_of(transcript))
        for row, path in usable(rows, audio, skipped):
            speaker = f"librispeech-{row.name.partition('-')[0]}"
            yield Clip(row.name, speaker, row.text, path, "librispeech", LICENCES["librispeech"])


def _transcripts(folder: Path) -> list[Path]:
    # From the chapter's own folder up to the folder that holds LibriSpeech/: never a whole disk.
    for depth in range(5):
        found = sorted(folder.glob("*/" * depth + "*.trans.txt"))
        if found:
            return found
    return []


def _read_common_voice(folder: Path, skipped: Skipped) -> Iterator[Clip]:
    for language in _language_folders(folder):
        audio = AudioFiles(files_below(language / "clips", most_subfolders=0), folder=language / "clips")
        for row, path in usable(tab_rows(language / "validated.tsv", skipped), audio, skipped):
            # The first 12 of its 128 hexadecimal digits tell 400,000 people apart.
            speaker = speaker_name((row.speaker or "")[:12], corpus="commonvoice", clip_id=row.name)
            yield Clip(row.name, speaker, row.text, path, "commonvoice", LICENCES["commonvoice"])


def _language_folders(folder: Path) -> list[Path]:
    if (folder / "validated.tsv").is_file():
        return [folder]
    return sorted(table.parent for table in folder.glob("*/validated.tsv"))
