"""Corpora in the layouts of Common Voice, VCTK and people's own folders become clips, however hostile."""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tinyclone.corpora import (
    Clip,
    CorpusWarning,
    list_clips,
    load_corpus,
    split_by_speaker,
    split_by_text,
    tinyvoices_folder,
)
from tinyclone.errors import CorpusError
from tinyclone.layouts import UNKNOWN_LICENCE

DATASETS = Path(__file__).resolve().parent.parent / "datasets"
ANNA, BERT = "0123456789abcdef" * 8, "fedcba9876543210" * 8
COMMON_VOICE_COLUMNS = "client_id path sentence up_votes down_votes age gender accents locale segment"


def touch(folder: Path, *names: str) -> Path:
    """Make files that hold nothing: listing must not open them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def write(folder: Path, texts: dict[str, str | bytes]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def make_language(folder: Path, rows: list[str], *, columns: str = COMMON_VOICE_COLUMNS) -> Path:
    """Lay out one language of Common Voice; a row is as in the table, with `_` for a tab."""
    lines = [columns.replace(" ", "\t"), *(row.replace("_", "\t") for row in rows)]
    touch(folder / "clips", "c1.mp3", "c2.mp3", "c3.mp3", "c4.mp3", "c5.mp3", "c6.mp3")
    return write(folder, {"validated.tsv": "".join(f"{line}\n" for line in lines)})


# --- Common Voice


def test_common_voice_takes_the_speaker_from_client_id(tmp_path: Path) -> None:
    rows = [
        f"{ANNA}_c1.mp3_Hello there._2_0____en_",
        f"{BERT}_c2.mp3_Bye._2_0____en_",
        f"{ANNA}_c3.mp3_Yes._2_0____en_",
    ]
    listing = list_clips(make_language(tmp_path / "en", rows))
    folder = tmp_path / "en" / "clips"
    assert listing.clips == [
        Clip("c1", "commonvoice-0123456789ab", "Hello there.", folder / "c1.mp3", "commonvoice", "CC0"),
        Clip("c2", "commonvoice-fedcba987654", "Bye.", folder / "c2.mp3", "commonvoice", "CC0"),
        Clip("c3", "commonvoice-0123456789ab", "Yes.", folder / "c3.mp3", "commonvoice", "CC0"),
    ]
    assert listing.skipped == {} and listing.notes == ()


def test_clips_without_a_client_id_are_each_a_speaker_of_their_own_and_it_is_said(tmp_path: Path) -> None:
    folder = make_language(tmp_path / "en", ["_c1.mp3_One._2", f"{ANNA}_c2.mp3_Two._2", " _c3.mp3_Three._2"])
    listing = list_clips(folder)
    assert [clip.speaker for clip in listing.clips] == [
        "commonvoice-unknown-c1", "commonvoice-0123456789ab", "commonvoice-unknown-c3",
    ]  # fmt: skip
    assert listing.skipped == {}
    assert listing.notes == ("2 clips do not say who speaks, so each counts as a speaker of its own",)
    with pytest.warns(CorpusWarning, match="3 clips listed; 2 clips do not say who speaks"):
        load_corpus(folder)


@pytest.mark.parametrize(
    "columns",
    [
        "client_id path sentence",
        "client_id path sentence accent",
        "client_id path sentence sentence_id variant",
    ],
)
def test_common_voice_of_any_release_with_any_further_columns(tmp_path: Path, columns: str) -> None:
    (only,) = load_corpus(make_language(tmp_path, [f"{ANNA}_c1_Hi."], columns=columns))
    assert (only.id, only.speaker) == ("c1", "commonvoice-0123456789ab")
    (only,) = load_corpus(
        make_language(tmp_path, [f"Hi._us_c1.mp3_{ANNA}"], columns="sentence accent path client_id")
    )
    assert (only.id, only.speaker, only.text) == ("c1", "commonvoice-0123456789ab", "Hi.")
    with pytest.warns(CorpusWarning, match="1 clips do not say"):
        (only,) = load_corpus(make_language(tmp_path, ["c1.mp3_Hi."], columns="path sentence"))
    assert only.speaker == "commonvoice-unknown-c1"


@pytest.mark.parametrize(
    ("columns", "missing"), [("client_id path", "text"), ("client_id sentence", "audio file")]
)
def test_common_voice_without_a_column_says_which(tmp_path: Path, columns: str, missing: str) -> None:
    with pytest.raises(CorpusError) as caught:
        load_corpus(make_language(tmp_path, [f"{ANNA}_c1.mp3"], columns=columns))
    assert f"names the columns {columns.split()}, and none of them is the {missing}" in str(caught.value)


def test_hostile_lines_of_common_voice_are_left_out_with_their_reason(tmp_path: Path) -> None:
    rows = [
        f'{ANNA}_c1.mp3_"Unbalanced he said.',
        f'{ANNA}_c2.mp3_"""Good-bye,"" said the boy."',
        f"{ANNA}_c1.mp3_Twice.",
        f"{ANNA}_c3.mp3_ ",
        f"{ANNA}_../../../evil.mp3_Out.",
        f"{ANNA}_gone.mp3_Missing.",
        "no tabs",
        f"{ANNA}_c4.mp3_too_many_fields_1_2_3_4_5_6_7_8_9",
        f"{BERT}_c5.mp3_" + "Very long " * 20_000,
    ]
    listing = list_clips(make_language(tmp_path / "en", rows))
    assert [(clip.id, clip.text[:30]) for clip in listing.clips] == [
        ("c1", '"Unbalanced he said.'), ("c2", '"Good-bye," said the boy.'),
        ("c5", "Very long Very long Very long "),
    ]  # fmt: skip
    assert {reason: len(names) for reason, names in listing.skipped.items()} == {
        "id given twice": 1,
        "empty transcript": 1,
        "audio file outside the corpus folder": 1,
        "audio file missing": 1,
        "malformed line": 2,
    }
    assert listing.skipped["audio file outside the corpus folder"] == ["../../../evil.mp3"]
    assert listing.skipped["malformed line"][0].startswith(
        "Line 8 of validated.tsv has 1 fields, expected 10"
    )


def test_common_voice_with_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    folder = make_language(tmp_path / "en", [f"{ANNA}_c1.mp3_Hi.", f"{BERT}_c2.mp3_Ho."])
    table = (folder / "validated.tsv").read_bytes()
    (folder / "validated.tsv").write_bytes(b"\xef\xbb\xbf" + table.replace(b"\n", b"\r\n"))
    assert [(clip.id, clip.text) for clip in load_corpus(folder)] == [("c1", "Hi."), ("c2", "Ho.")]


def test_a_release_of_common_voice_is_read_with_all_its_languages(tmp_path: Path) -> None:
    release = tmp_path / "cv-corpus-27.0-2026-09-11"
    make_language(release / "en", [f"{ANNA}_c1.mp3_Hello."])
    make_language(release / "de", [f"{BERT}_c2.mp3_Grüß Gott."])
    assert [(clip.id, clip.text) for clip in load_corpus(release)] == [("c2", "Grüß Gott."), ("c1", "Hello.")]
    assert [clip.id for clip in load_corpus(release / "en")] == ["c1"]


# --- VCTK


def make_vctk(folder: Path) -> Path:
    audio = ["p225/p225_001_mic1", "p225/p225_001_mic2", "p225/p225_002_mic2", "p225/p225_004_mic1"]
    audio += [
        "p280/p280_001_mic1",
        "p315/p315_001_mic1",
        "p315/p315_002_mic1",
        "s5/s5_001_mic2",
        "s5/s5_001_mic1",
    ]
    touch(
        folder / "wav48_silence_trimmed",
        *(f"{name}.flac" for name in audio),
        "p225/log.txt",
        "stray_mic1.flac",
    )
    texts = {
        "p225/p225_001": "Please call Stella.\n",
        "p225/p225_002": "\tAsk her.\r\n",
        "p225/p225_003": "Lost.",
    }
    texts |= {"p280/p280_001": "Please call Stella.", "s5/s5_001": "\n"}
    return write(folder / "txt", {f"{name}.txt": text for name, text in texts.items()}).parent


@pytest.mark.parametrize("start", ["", "VCTK-Corpus-0.92"])
def test_vctk_prefers_the_first_microphone_and_says_what_it_leaves_out(tmp_path: Path, start: str) -> None:
    make_vctk(tmp_path / "VCTK-Corpus-0.92")
    listing = list_clips(tmp_path / start)
    assert [(clip.id, clip.speaker, clip.text, clip.path.name) for clip in listing.clips] == [
        ("p225_001", "vctk-p225", "Please call Stella.", "p225_001_mic1.flac"),
        ("p225_002", "vctk-p225", "Ask her.", "p225_002_mic2.flac"),
        ("p280_001", "vctk-p280", "Please call Stella.", "p280_001_mic1.flac"),
    ]
    assert listing.skipped == {
        "speaker without transcripts": ["p315/p315_001", "p315/p315_002"],
        "audio file missing": ["p225/p225_003"],
        "transcript missing": ["p225/p225_004"],
        "empty transcript": ["s5/s5_001"],
    }
    assert {(clip.corpus, clip.licence) for clip in listing.clips} == {("vctk", "CC BY 4.0")}


# --- your own folder


@pytest.mark.parametrize("separator", ["|", ",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("place", ["wavs", "", "recordings/monday"], ids=["wavs", "beside", "sub-folder"])
@pytest.mark.parametrize("named", ["a", "a.ogg", "path"])
def test_your_own_folder_in_every_shape(
    tmp_path: Path, separator: str, header: bool, place: str, named: str
) -> None:
    folder = touch(tmp_path / "my voice", *(str(Path(place) / f"{name}.ogg") for name in "ab"))
    names = [
        {"a": name, "a.ogg": f"{name}.ogg", "path": str(Path(place) / f"{name}.ogg")}[named] for name in "ab"
    ]
    rows = [["file", "text"]] * header + [[names[0], "One."], [names[1], "Zwei!"]]
    write(folder, {"metadata.csv": "\r\n".join(separator.join(row) for row in rows)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clips = load_corpus(folder)
    assert [(clip.text, clip.path.name) for clip in clips] == [("One.", "a.ogg"), ("Zwei!", "b.ogg")]
    assert {(clip.speaker, clip.corpus, clip.licence) for clip in clips} == {
        ("my voice", "my voice", UNKNOWN_LICENCE)
    }


def test_a_speaker_column_makes_speakers_and_an_empty_one_a_nameless_speaker(tmp_path: Path) -> None:
    folder = touch(tmp_path / "choir", "wavs/a.wav", "wavs/b.mp3", "wavs/c.opus", "wavs/d.flac")
    table = 'speaker,file,text\nZoë,a.wav,"Hello, you."\nBert,b.mp3,Hi.\n,c.opus,Who?\nZoë,d.flac,Bye.\n'
    write(folder, {"metadata.csv": table})
    listing = list_clips(folder)
    assert [clip.speaker for clip in listing.clips] == [
        "choir-Zoë",
        "choir-Bert",
        "choir-unknown-c",
        "choir-Zoë",
    ]
    assert listing.notes and listing.notes[0].startswith("1 clips do not say")


def test_two_speakers_may_have_a_file_of_the_same_name(tmp_path: Path) -> None:
    folder = touch(tmp_path / "c", "anna/1.wav", "bert/1.wav")
    write(
        folder,
        {"metadata.csv": "file;speaker;text\nanna/1.wav;anna;One.\nbert/1.wav;bert;Eins.\n1.wav;x;Which?\n"},
    )
    listing = list_clips(folder)
    assert [(clip.id, clip.speaker) for clip in listing.clips] == [("anna/1", "c-anna"), ("bert/1", "c-bert")]
    assert listing.skipped == {"audio file in more than one folder": ["1.wav"]}


def test_names_that_point_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "evil.wav", "c/wavs/good.wav")
    table = f"../evil.wav|One.\nwavs/../../evil|Two.\n{tmp_path.resolve()}/evil.wav|Three.\ngood.wav|Four.\n"
    write(tmp_path / "c", {"metadata.csv": table})
    listing = list_clips(tmp_path / "c")
    assert [clip.text for clip in listing.clips] == ["Four."]
    assert len(listing.skipped["audio file outside the corpus folder"]) == 3


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_with_spaces_and_accents_in_whatever_way_they_are_stored(tmp_path: Path, form: str) -> None:
    folder = touch(
        tmp_path / "c", f"wavs/{unicodedata.normalize(form, 'Mein Café 1')}.wav", "wavs/日本 語.wav"
    )
    write(folder, {"metadata.csv": "Mein Café 1.wav|Guten Tag.\n日本 語|Hello.\n"})
    assert [(clip.id, clip.path.is_file()) for clip in load_corpus(folder)] == [
        ("Mein Café 1", True),
        ("日本 語", True),
    ]


def test_a_text_beside_each_clip(tmp_path: Path) -> None:
    folder = touch(tmp_path / "me", "b.wav", "a 1.mp3", "no words.ogg", "mute.wav", "latin.wav", "audio.flac")
    texts = {
        "b.txt": "\ufeffHello\r\nthere.\r\n",
        "a 1.TXT": "Hi.",
        "mute.txt": " \n",
        "latin.txt": b"caf\xe9",
    }
    texts |= {"gone.txt": "Nobody.", "README.txt": "My recordings.", "audio.txt": "Called like a folder."}
    listing = list_clips(write(folder, texts))
    assert [(clip.id, clip.speaker, clip.text) for clip in listing.clips] == [
        ("a 1", "me", "Hi."),
        ("audio", "me", "Called like a folder."),
        ("b", "me", "Hello there."),
    ]
    assert listing.skipped == {
        "transcript missing": ["no words"],
        "empty transcript": ["mute"],
        "transcript cannot be read as UTF-8": ["latin"],
        "audio file missing": ["gone"],
    }


def test_sub_folders_of_clips_with_texts_are_speakers_but_wavs_is_not(
    tmp_path: Path,
) -> None:
    for name in ("anna/1", "anna/monday/2", "bert/1", "wavs/3"):
        write(tmp_path / "us", {f"{name}.txt": f"Text of {name}.", f"{name}.wav": ""})
    assert {clip.id: clip.speaker for clip in load_corpus(tmp_path / "us")} == {
        "anna/1": "us-anna", "anna/monday/2": "us-anna", "bert/1": "us-bert", "3": "us",
    }  # fmt: skip


# --- all layouts


def test_a_parent_folder_is_told_which_of_its_folders_to_give(tmp_path: Path) -> None:
    touch(tmp_path, "data/empty/x.doc", "data/mine/wavs/a.wav")
    write(tmp_path / "data" / "mine", {"metadata.csv": "a|One."})
    with pytest.raises(CorpusError, match="Its folder 'mine' is like one of these"):
        load_corpus(tmp_path / "data")


def make_all(folder: Path) -> list[Path]:
    make_language(folder / "cv", [f"{ANNA}_c1.mp3_Hello."])
    make_vctk(folder / "vctk")
    write(folder / "pairs", {"a.wav": "", "a.txt": "Hello."})
    write(folder / "libri/1/2", {"1-2.trans.txt": "1-2-3 HELLO\n", "1-2-3.flac": ""})
    write(folder / "own", {"metadata.csv": "a|Hello.", "a.wav": ""})
    return [folder / name for name in ("cv", "vctk", "pairs", "libri", "own")]


def test_no_audio_file_is_opened_to_list_a_corpus(tmp_path: Path) -> None:
    opened: list[str] = []
    watching = True

    def note(event: str, arguments: tuple) -> None:
        if watching and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(note)  # it cannot be taken off again, only made deaf
    folders = [*make_all(tmp_path), tinyvoices_folder()]
    opened.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clips = [clip for folder in folders for clip in load_corpus(folder)]
    watching = False
    assert len(clips) == 320 + 3 + 4
    assert any(name.endswith("validated.tsv") for name in opened)
    assert not [name for name in opened if name.endswith((".wav", ".flac", ".ogg", ".mp3"))]


def test_ids_are_unique_in_each_corpus_and_paths_exist(tmp_path: Path) -> None:
    for folder in make_all(tmp_path):
        clips = list_clips(folder).clips
        assert len({(clip.corpus, clip.id) for clip in clips}) == len(clips)
        assert all(clip.path.is_file() and clip.text and clip.speaker for clip in clips)


def test_bad_sound_is_no_matter_of_the_list(tmp_path: Path) -> None:
    folder = touch(tmp_path / "c", "wavs/empty.wav")
    write(
        folder,
        {
            "wavs/page.wav": "<html>404</html>",
            "metadata.csv": "empty|No sound.\npage|A page.\nshort|Tick.\nlong|Too long.\n",
        },
    )
    for name, seconds in [("short", 0.1), ("long", 40.0)]:
        soundfile.write(folder / "wavs" / f"{name}.wav", np.zeros(int(16000 * seconds)), 16000)
    assert [clip.id for clip in load_corpus(folder)] == ["empty", "page", "short", "long"]


def test_a_mixture_of_corpora_splits_by_text_and_by_speaker(tmp_path: Path) -> None:
    make_vctk(tmp_path / "vctk")
    rows = [f"{number:064x}_c{number % 6 + 1}.mp3_Sentence {number}." for number in range(6)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clips = load_corpus(tmp_path / "vctk") + load_corpus(make_language(tmp_path / "en", rows))
    for fraction in (0.3, 0.6):
        train, held_out = split_by_text(clips, held_out_fraction=fraction)
        assert not {clip.text for clip in train} & {clip.text for clip in held_out}
        train, held_out = split_by_speaker(clips, held_out_fraction=fraction)
        assert not {clip.speaker for clip in train} & {clip.speaker for clip in held_out}


# --- real fragments beside the checkout


@pytest.mark.parametrize(
    ("folder", "ids", "text"),
    [
        ("CommonVoice/en", ["22058264", "22058266", "22058267"], "Fire fox"),
        ("CommonVoice/ja", ["24511055"], "球が"),
        ("CommonVoice", ["22058264", "22058266", "22058267", "24511055"], "six"),
    ],
)
def test_real_common_voice(shared_data: Path, folder: str, ids: list[str], text: str) -> None:
    listing = list_clips(shared_data / folder)
    assert [clip.id.rpartition("_")[2] for clip in listing.clips] == ids
    assert len({clip.speaker for clip in listing.clips}) == len(ids)
    assert any(text in clip.text for clip in listing.clips)
    assert all(clip.path.suffix == ".mp3" and clip.path.is_file() for clip in listing.clips)
    assert listing.skipped == {} and f"{len(ids)} clips do not say who speaks" in listing.notes[0]


def test_real_lj_speech_lists_what_is_missing(shared_data: Path) -> None:
    listing = list_clips(shared_data / "LJSpeech-1.1")
    assert (len(listing.clips), {clip.speaker for clip in listing.clips}) == (16, {"lj"})
    assert {reason: len(names) for reason, names in listing.skipped.items()} == {"audio file missing": 13084}


# --- the data cards


CARDS = {
    "LJSpeech": "ljspeech",
    "LibriSpeech": "librispeech",
    "CommonVoice": "common-voice",
    "VCTK": "vctk",
    "YourOwn": None,
}


@pytest.mark.parametrize("name", CARDS)
def test_every_data_card_is_linked_and_complete(name: str) -> None:
    card = (DATASETS / f"{name}.md").read_text(encoding="utf-8")
    assert f"({name}.md)" in (DATASETS / "README.md").read_text(encoding="utf-8")
    for heading in ("Get it", "Layout", "Good for", "Consent"):
        assert f"\n## {heading}" in card, heading
    for row in ("speakers", "hours", "size", "licence"):
        assert re.search(rf"^\|.*\b{row}\b", card, flags=re.MULTILINE), row
    if CARDS[name]:
        assert f"tinyclone fetch {CARDS[name]}" in card and "## Cite" in card
