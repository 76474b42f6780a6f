"""A report has the right numbers, and every kind of bad clip is named with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from made_clips import RATE_HZ, tone, write_clip
from matplotlib.figure import Figure

from tinyclone import inspection
from tinyclone.commands_corpora import inspect_command
from tinyclone.corpus_report import ClipReport, CorpusReport
from tinyclone.errors import CorpusError, TinycloneError
from tinyclone.inspection import inspect_corpus
from tinyclone.plots import plot_report, save_figure

HOSTILE = {
    "html": "is a text file",
    "zero": "is empty (0 bytes)",
    "short": "is shorter than 0.3 s",
    "long": "is longer than 30 s",
    "nan": "holds NaN or infinite samples",
    "silent": "is silent",
    "noise": "cannot be decoded as audio",
    "cut": "is truncated",
    "wordless": "holds no text that can be spoken",
    "folder": "audio file missing",
}


def metadata(folder: Path, rows: dict[str, str]) -> Path:
    (folder / "metadata.csv").write_text("".join(f"{name}|{text}\n" for name, text in rows.items()))
    return folder


@pytest.fixture
def good(tmp_path) -> Path:
    """Three clips of 1, 2 and 4 s at three rates, of which one is stereo and one clipped."""
    folder = tmp_path / "good"
    wavs = folder / "wavs"
    wavs.mkdir(parents=True)
    for name, seconds, rate_hz in (("one", 1, 16000), ("two", 2, 96000), ("four", 4, 22050)):
        wav = 0.5 * np.sin(2 * np.pi * 200 * np.arange(seconds * rate_hz) / rate_hz)
        if name == "two":
            wav = np.stack([wav, wav], axis=1)
        if name == "four":
            wav = np.clip(4 * wav, -1, 1)
        soundfile.write(wavs / f"{name}.wav", wav, rate_hz)
    return metadata(
        folder,
        {
            "one": "A cat.",
            "two": "The brzk cat, the brzk 中 dog.",
            "four": "One two three four xqzt.",
            "gone": "A dog.",
        },
    )


@pytest.fixture
def hostile(tmp_path) -> Path:
    """One good clip, and each kind of bad one."""
    wavs = tmp_path / "hostile" / "wavs"
    wavs.mkdir(parents=True)
    whole = write_clip(wavs, "fine", tone(pitch_hz=150)).path.read_bytes()
    (wavs / "html.wav").write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20)
    (wavs / "zero.wav").write_bytes(b"")
    write_clip(wavs, "short", tone(pitch_hz=150, seconds=0.1))
    write_clip(wavs, "long", tone(pitch_hz=150, seconds=40))
    soundfile.write(wavs / "nan.wav", np.full(RATE_HZ, np.nan), RATE_HZ, subtype="FLOAT")
    write_clip(wavs, "silent", np.zeros(RATE_HZ))
    (wavs / "noise.wav").write_bytes(bytes(range(256)) * 50)
    (wavs / "cut.wav").write_bytes(whole[: len(whole) // 2])
    write_clip(wavs, "wordless", tone(pitch_hz=150))
    (wavs / "folder.wav").mkdir()
    texts = dict.fromkeys(("fine", *HOSTILE), "A cat.") | {"wordless": "Привет, мир."}
    return metadata(wavs.parent, texts)


def test_the_numbers_are_those_of_the_recordings(good):
    report = inspect_corpus(good)
    one, two, four = report.clips
    assert [clip.seconds for clip in report.clips] == [1.0, 2.0, 4.0]
    assert [clip.rate_hz for clip in report.clips] == [16000, 96000, 22050]
    assert [clip.channels for clip in report.clips] == [1, 2, 1]
    # A sine of amplitude 0.5 has the power 1/8.
    for clip in (one, two):
        assert abs(clip.loudness_db - 10 * np.log10(0.125)) < 0.1
        assert abs(clip.peak - 0.5) < 0.01 and not clip.clipped
    assert four.peak == 1.0 and four.clipped and four.loudness_db > -1.5
    assert [clip.n_words for clip in report.clips] == [2, 6, 5]
    assert two.unknown_words == ("brzk", "brzk") and four.unknown_words == ("xqzt",)
    assert two.unknown_characters == ("中",) and one.unknown_characters == ()
    assert report.left_out == {"audio file missing": ["gone"]}
    assert report.speaker_minutes == {"good": pytest.approx(7 / 60)}
    assert one.words_a_second == 2.0


def test_the_table_says_it_all(good):
    table = str(inspect_corpus(good))
    for words in (
        "4, of them usable 3",
        "0.1 minutes",
        "1.00 to 4.00, median 2.00",
        "16000 Hz (1)",
        "96000 Hz stereo (1)",
        "1 clips are clipped",
        "13, 1.2 to 3.0, median 2.0 a second",
        "3 words (23.1%): brzk (2), xqzt (1)",
        "in 1 places: '中' (U+4E2D) (1)",
        "1 audio file missing: gone",
    ):
        assert words in table, table


def test_every_bad_clip_is_left_out_with_its_reason(hostile):
    report = inspect_corpus(hostile)
    assert [clip.id for clip in report.usable] == ["fine"]
    assert report.left_out == {reason: [name] for name, reason in HOSTILE.items()}
    assert {clip.id for clip in report.clips} == {"fine", *HOSTILE} - {"folder"}
    for clip in report.clips:
        assert (clip.reason == "") == (clip.message == "") == (clip.id == "fine")
    assert "zero.wav" in next(clip.message for clip in report.clips if clip.id == "zero")
    for reason in HOSTILE.values():
        assert reason in str(report)


def test_what_a_library_makes_of_a_file_is_reported(good, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("unheard of")

    monkeypatch.setattr(inspection, "load_audio", failing)
    report = inspect_corpus(good)
    assert report.usable == [] and {clip.reason for clip in report.clips} == {
        "RuntimeError while it was read"
    }
    assert "usable 0" in str(report)


def test_a_limit_takes_clips_from_all_over_the_corpus(tmp_path):
    (tmp_path / "wavs").mkdir()
    for number in range(11):
        write_clip(tmp_path / "wavs", f"{number:02d}", tone(pitch_hz=150, seconds=0.4))
    metadata(tmp_path, {f"{number:02d}": "A cat." for number in range(11)})
    report = inspect_corpus(tmp_path, limit=3)
    assert [clip.id for clip in report.clips] == ["00", "05", "10"]
    assert "3 of 11 clips were read" in str(report)
    assert len(inspect_corpus(tmp_path, limit=100).clips) == 11


def test_several_workers_report_what_one_does(hostile, monkeypatch):
    monkeypatch.setattr(inspection, "CLIPS_IN_A_JOB", 3)
    monkeypatch.setattr(inspection, "CLIPS_WORTH_A_PROCESS", 1)
    assert inspect_corpus(hostile, workers=2) == inspect_corpus(hostile, workers=1)


def test_no_corpus_is_an_error(tmp_path):
    with pytest.raises(CorpusError):
        inspect_corpus(tmp_path / "nowhere")


# --- the picture


def made_report(n_clips: int) -> CorpusReport:
    clips = [
        ClipReport(
            f"clip {number}", f"speaker {number % 4}", seconds=2.0 + number, loudness_db=-20.0 - number,
            n_words=6, rate_hz=16000, channels=1, peak=0.5,
        )
        for number in range(n_clips)
    ]  # fmt: skip
    return CorpusReport("made", [*clips, ClipReport("bad", "ann", reason="is silent")], {})


def test_the_histograms_hold_every_usable_clip():
    figure = plot_report(made_report(12), figure=Figure())
    heights = [sum(bar.get_height() for bar in axis.patches) for axis in figure.axes]
    assert heights == [12, 12, 4, 12]
    assert [axis.get_ylabel() for axis in figure.axes] == ["clips", "clips", "speakers", "clips"]


def test_a_corpus_without_a_usable_clip_is_drawn_too(tmp_path):
    save_figure(tmp_path / "empty.png", plot_report(made_report(0), figure=Figure()))
    assert (tmp_path / "empty.png").read_bytes()[:4] == b"\x89PNG"


# --- the command


def test_the_command_prints_the_table_and_writes_what_is_asked_for(good, tmp_path):
    picture, table = tmp_path / "report.png", tmp_path / "report.json"
    done = CliRunner().invoke(inspect_command, [str(good), "--plot", str(picture), "--json", str(table)])
    assert done.exit_code == 0, done.output
    assert "4, of them usable 3" in done.output
    assert picture.read_bytes()[:4] == b"\x89PNG"
    report = json.loads(table.read_text())
    assert [clip["seconds"] for clip in report["clips"]] == [1.0, 2.0, 4.0]
    assert report["left_out"] == {"audio file missing": ["gone"]}


def test_the_command_refuses_what_it_cannot_do_before_it_reads(good, tmp_path, monkeypatch):
    monkeypatch.setattr(inspection, "inspect_corpus", None)
    for arguments, words in (
        (["--plot", str(tmp_path / "report.docx")], "png"),
        (["--plot", str(tmp_path / "nowhere" / "report.png")], "folder"),
        (["--json", str(tmp_path / "nowhere" / "report.json")], "no folder"),
    ):
        done = CliRunner().invoke(inspect_command, [str(good), *arguments])
        assert isinstance(done.exception, TinycloneError) and words in str(done.exception)
    assert CliRunner().invoke(inspect_command, []).exit_code == 2
    assert CliRunner().invoke(inspect_command, [str(good), "--limit", "0"]).exit_code == 2


def test_the_command_says_what_is_no_corpus(tmp_path):
    done = CliRunner().invoke(inspect_command, [str(tmp_path / "nowhere")])
    assert isinstance(done.exception, CorpusError)


def test_real_fragments_are_read(shared_data):
    english = inspect_corpus(shared_data / "CommonVoice" / "en")
    assert len(english.usable) == 3 and {clip.rate_hz for clip in english.clips} == {48000}
    japanese = inspect_corpus(shared_data / "CommonVoice" / "ja")
    assert list(japanese.left_out) == ["holds no text that can be spoken"]
    lj_speech = inspect_corpus(shared_data / "LJSpeech-1.1", limit=3)
    assert len(lj_speech.clips) == 3 and len(lj_speech.unlisted["audio file missing"]) == 13_084
