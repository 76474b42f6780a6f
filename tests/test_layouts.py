"""What the layouts share: lines of text, audio files by the names people give them, usable rows."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tinyclone.errors import CorpusError
from tinyclone.layouts import (
    MOST_SUBFOLDERS,
    AudioFiles,
    Clip,
    LeftOut,
    Row,
    Skipped,
    files_below,
    is_unknown_speaker,
    lines_of,
    speaker_name,
    usable,
    without_suffix,
)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def reason(audio: AudioFiles, name: str) -> str:
    with pytest.raises(LeftOut) as caught:
        audio.locate(name)
    return str(caught.value)


def test_files_are_found_at_any_depth_up_to_the_limit_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.wav",
        "x/b.FLAC",
        "x/y/z/u/c.ogg",
        "1/2/3/4/5/deep.wav",
        ".git/d.wav",
        "x/._e.wav",
        "f.txt",
    )
    assert sorted(files_below(tmp_path)) == ["a", "x/b", "x/y/z/u/c"]
    assert sorted(files_below(tmp_path, most_subfolders=0)) == ["a"]
    assert files_below(tmp_path / "nowhere") == {}


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.wav").touch()
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "wavs").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (corpus / "round").symlink_to(corpus, target_is_directory=True)
    found = files_below(corpus)
    assert found["wavs/a"] == str(corpus / "wavs" / "a.wav")
    assert max(name.count("/") for name in found) <= MOST_SUBFOLDERS


def test_the_earlier_format_wins_wherever_it_stands_in_the_alphabet(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp3", "a.wav", "a.flac", "b.ogg", "b.flac")
    assert {Path(path).name for path in files_below(tmp_path).values()} == {"a.wav", "b.flac"}


@pytest.mark.parametrize("form_on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("form_in_table", ["NFC", "NFD"])
def test_accents_may_be_stored_in_either_way(tmp_path: Path, form_on_disk: str, form_in_table: str) -> None:
    stored = unicodedata.normalize(form_on_disk, "Zoë/café 1")
    touch(tmp_path, f"{stored}.wav")
    audio = AudioFiles(files_below(tmp_path), folder=tmp_path)
    name, path = audio.locate(unicodedata.normalize(form_in_table, "Zoë/café 1.wav"))
    assert name == unicodedata.normalize("NFC", "Zoë/café 1")
    assert path.is_file()


def test_a_name_leads_to_its_file_from_the_folder_from_wavs_or_by_itself(tmp_path: Path) -> None:
    touch(tmp_path, "wavs/a.wav", "wavs/anna/b.wav", "top.wav", "raw/c.wav", "raw/a.wav")
    audio = AudioFiles(files_below(tmp_path), folder=tmp_path)
    found = {
        "a": "wavs/a.wav", "a.wav": "wavs/a.wav", "a.flac": "wavs/a.wav", "wavs/a.wav": "wavs/a.wav",
        "./wavs/a": "wavs/a.wav", "wavs\\a.wav": "wavs/a.wav", "wavs/../raw/c": "raw/c.wav",
        "anna/b": "wavs/anna/b.wav", "b": "wavs/anna/b.wav", "top": "top.wav", "raw/a.wav": "raw/a.wav",
        str(tmp_path.resolve() / "wavs" / "a.wav"): "wavs/a.wav",
    }  # fmt: skip
    for name, file in found.items():
        assert audio.locate(name)[1] == tmp_path / file, name
        assert name in audio
    assert audio.locate("wavs/a.wav")[0] == audio.locate("a")[0] == "a"
    assert audio.locate("b")[0] == "anna/b"
    # With wavs/ there, nothing else is searched: "c" may have been sorted out.
    assert reason(audio, "c") == "audio file missing" and "c" not in audio


def test_without_wavs_a_bare_name_is_searched_and_must_be_the_only_one(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.wav", "one/b.wav", "two/a.wav")
    audio = AudioFiles(files_below(tmp_path), folder=tmp_path)
    assert audio.locate("b") == ("one/b", tmp_path / "one" / "b.wav")
    assert reason(audio, "a") == "audio file in more than one folder"
    assert audio.locate("two/a")[0] == "two/a"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "../evil.wav",
        "wavs/../../evil",
        "..",
        "/etc/evil.wav",
        "C:\\evil.wav",
        "..\\evil",
        "c:evil",
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "evil.wav", "corpus/wavs/evil.wav")
    folder = tmp_path / "corpus"
    audio = AudioFiles(files_below(folder), folder=folder)
    assert reason(audio, name) == "audio file outside the corpus folder"
    assert reason(audio, str(tmp_path.resolve() / "evil.wav")) == "audio file outside the corpus folder"


@pytest.mark.parametrize("name", ["", " ", ".", "/", "wavs", "\x00", "a/", "a" * 5000])
def test_strange_names_are_missing_or_outside_and_nothing_else(tmp_path: Path, name: str) -> None:
    audio = AudioFiles(files_below(touch(tmp_path, "wavs/b.wav")), folder=tmp_path)
    assert reason(audio, name) in {"audio file missing", "audio file outside the corpus folder"}


def test_usable_rows_keep_their_order_and_the_others_their_reason(tmp_path: Path) -> None:
    audio = AudioFiles(
        files_below(touch(tmp_path, "wavs/a.wav", "wavs/b.wav", "wavs/c.wav")), folder=tmp_path
    )
    rows = [
        Row("b.wav", "  Two \n words "), Row("x", "Text."), Row("a", "ALL CAPITALS", "anna"),
        Row("wavs/b", "Again."),
        Row("c", " ...\u200b!"), Row("../c", "Out."), Row("c", "Ja, 日本語"),
    ]  # fmt: skip
    skipped: Skipped = {}
    found = [(row.name, row.text, row.speaker, path.name) for row, path in usable(rows, audio, skipped)]
    assert found == [
        ("b", "Two words", None, "b.wav"), ("a", "all capitals", "anna", "a.wav"),
        ("c", "Ja, 日本語", None, "c.wav"),
    ]  # fmt: skip
    assert skipped == {
        "audio file missing": ["x"],
        "id given twice": ["wavs/b"],
        "empty transcript": ["c"],
        "audio file outside the corpus folder": ["../c"],
    }


def test_a_nameless_speaker_is_another_one_in_each_clip() -> None:
    named = speaker_name(" Anna \t B ", corpus="c", clip_id="1")
    unnamed = [speaker_name(label, corpus="c", clip_id="1") for label in ("", None, "  ")]
    assert named == "c-Anna B" and unnamed == ["c-unknown-1"] * 3
    clips = [Clip("1", speaker, "Text.", Path("1.wav"), "c", "CC0") for speaker in (named, "c-unknown-1")]
    assert [is_unknown_speaker(clip) for clip in clips] == [False, True]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"one\ntwo", [(1, "one"), (2, "two")]),
        (b"\xef\xbb\xbfone\r\n\r\n \r\nfour\r\n", [(1, "one"), (4, "four")]),
        (b"one\rtwo\r", [(1, "one"), (2, "two")]),
        ("a\u2028b\x0bc\x85d\n".encode(), [(1, "a\u2028b\x0bc\x85d")]),
        ("x\n\ufeffy".encode(), [(1, "x"), (2, "\ufeffy")]),
        (b"", []),
    ],
    ids=["unix", "windows with a mark", "old mac", "rare separators", "a mark inside", "empty"],
)
def test_lines_are_those_that_an_editor_numbers(tmp_path: Path, content: bytes, lines: list) -> None:
    (tmp_path / "text").write_bytes(content)
    assert list(lines_of(tmp_path / "text")) == lines


def test_a_byte_that_is_not_utf8_is_told_by_its_place_in_the_file(tmp_path: Path) -> None:
    content = "Ä line\n" * 5000 + "caf"
    (tmp_path / "text").write_bytes(content.encode() + b"\xe9\nmore")
    with pytest.raises(CorpusError, match=rf"not UTF-8 \(byte {len(content.encode())}\)"):
        list(lines_of(tmp_path / "text"))


def test_only_suffixes_of_audio_are_taken_off() -> None:
    names = {"a.wav": "a", " a.MP3 ": "a", "v1.2": "v1.2", "a.wav.flac": "a.wav", ".wav": "", "a": "a"}
    assert {name: without_suffix(name) for name in names} == names
