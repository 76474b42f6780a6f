"""The parts of the benchmarks that need neither judges nor weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import heldout  # noqa: E402
import report  # noqa: E402
from spoken_words import spoken_words  # noqa: E402
from utterances import Utterance  # noqa: E402


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "In 1938, 3,205 paid -- £7.",
            "in nineteen thirty eight three thousand two hundred five paid seven pounds",
        ),
        ("Chapter 34", "chapter thirty four"),
        ("two hundred and six", "two hundred six"),
        ("1900 or 1906", "nineteen hundred or nineteen oh six"),
        ("the 22nd, the 40th, the 3rd", "the twenty second the fortieth the third"),
        ("2.5% of 12", "two point five percent of twelve"),
        ("Don’t; “e.g.”, Mr. Café", "dont for example mister cafe"),
        ("Today everyone may be grey-haired", "to day every one may be gray haired"),
        ("...", ""),
    ],
)
def test_both_sides_become_the_words_that_are_heard(text, words):
    assert " ".join(spoken_words(text)) == words


def test_british_and_american_spellings_meet_unless_told_otherwise():
    british, american = "the travelled colour of organising honour", "the traveled color of organizing honor"
    assert spoken_words(british) == spoken_words(american)
    assert spoken_words(british, one_spelling=False) == british.split()


def test_long_sentences_end_at_a_clause():
    text = " ".join(["word"] * 20) + ", " + " ".join(["more"] * 4) + "; " + " ".join(["end"] * 9)
    assert heldout.cut_at_clause(text) == " ".join(["word"] * 20) + ", more more more more."
    assert heldout.cut_at_clause("As short as it is, nothing is cut.") == "As short as it is, nothing is cut."


def test_texts_too_short_or_too_long_are_not_spoken():
    endless = " ".join(["word"] * 40)
    fits = "Just long enough here."
    assert heldout.speakable(["Too short here.", fits, endless, fits]) == [fits]


@pytest.mark.parametrize(
    "clip_sec, reference_sec, rest_sec", [(2, 2, 0), (6, 6, 0), (12, 8, 4), (30, 10, 20)]
)
def test_a_reference_leaves_enough_to_judge_the_voice_by(clip_sec, reference_sec, rest_sec):
    reference, rest = heldout.cut_reference(np.zeros(clip_sec * 16000, np.float32))
    assert (len(reference), len(rest)) == (reference_sec * 16000, rest_sec * 16000)


def test_rows_pool_errors_and_count_the_nearest_voice():
    def said(own: list[float], others: list[float], errors: int, words: int) -> tuple[Utterance, dict]:
        utterance = Utterance(
            "ours",
            "unseen",
            "text",
            Path("a.wav"),
            [Path("r.wav")] * len(own),
            [Path("o.wav")] * len(others),
            synthesis_sec=0.5,
            duration_sec=5.0,
        )
        return utterance, {"errors": errors, "words": words, "cosines": own + others, "mos": 3.0}

    (row,) = report.rows_of([said([0.8, 0.6], [0.5, 0.1], 1, 4), said([0.5], [0.6, 0.2], 1, 16)])
    assert (row["n"], row["wer"], row["cosine"]) == (2, 0.1, pytest.approx(0.6))
    assert row["cosine_other_speakers"] == pytest.approx(0.35)
    assert (row["nearest_is_right"], row["real_time_factor"]) == (0.5, 0.1)
    page = report.markdown(
        {
            "rows": [row],
            "waiting_sec": {},
            "left_out": ["a reason"],
            "footprints": {"ours": {"cold_sec": 2.5, "n_bytes": 9_400_000, "parameters": None}},
            "settings": {
                "cores": 2,
                "machine": "any",
                "python": "3.11",
                "load": 0.0,
                "weights": "some",
                "date": "today",
            },
        }
    )
    assert "10.0 %" in page and "| 2.50 s | 9.4 MB |  |" in page
    assert "| `tinyclone clone`, cold |  | ≤ 3 s | 2.5 s | met |" in page


def test_the_picture_shows_what_was_measured_and_stands_without_the_rest(tmp_path):
    from matplotlib import image

    results = json.loads((REPOSITORY / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    report._plot(results, tmp_path / "all.png")
    bare = dict.fromkeys(("mos", "cosine", "cosine_other_speakers")) | {"system": "flite", "voice": "its own"}
    bare |= dict.fromkeys(("wer", "wer_low", "wer_high"), 0.1)
    report._plot({"rows": [bare], "footprints": {}}, tmp_path / "bare.png")
    heights = [image.imread(tmp_path / f"{name}.png").shape[0] for name in ("bare", "all")]
    assert heights[1] - heights[0] == 36 * (len(results["rows"]) - 1)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["flite", "espeak-ng"])
def test_a_program_is_as_large_as_the_models_that_it_names(name, tmp_path, monkeypatch):
    import other_programs

    for number, part in enumerate(other_programs.MODELS[name], start=1):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).write_bytes(bytes(number))
    libraries = "".join(f"\t{part}.so.1 => {tmp_path / part} (0x1)\n" for part in other_programs.MODELS[name])
    said = libraries if name == "flite" else f"1.51  Data at: {tmp_path}\n"
    monkeypatch.setattr(other_programs, "_said_by", lambda *command: said)
    assert other_programs.bytes_of_models(name, name) == (6 if name == "flite" else 21)
    (tmp_path / other_programs.MODELS[name][-1]).unlink()
    assert other_programs.bytes_of_models(name, name) is None
    monkeypatch.setattr(other_programs, "_said_by", lambda *command: "")
    assert other_programs.bytes_of_models(name, name) is None


@pytest.mark.slow
def test_a_cloner_that_is_told_the_truth_speaks_as_long_and_as_high_as_the_recording(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())  # the script would choose for all tests
    from fake_cloner import tiny_cloner
    from made_corpus import made_corpus
    from where_it_is_lost import CASES, InformedCloner, Truth

    from tinyclone.text import encode_symbols, word_symbols

    features, alignments = made_corpus()
    one = features[0]
    durations = alignments[one.id, one.speaker].durations
    truth, cloner = Truth(one, durations, recording=None), tiny_cloner()
    tokens = np.asarray(encode_symbols(word_symbols(one.words)))
    voiceprint = np.concatenate([np.zeros(cloner.config.voiceprint_size), np.ones(80), np.zeros(80)])
    said = {
        case.title: InformedCloner(cloner, case, truth).predict_mel(tokens, voiceprint)
        for case in CASES
        if not case.mel
    }
    long_enough = np.where(durations > 0, np.maximum(durations, 2), said["durations"].durations)
    np.testing.assert_array_equal(said["durations"].durations, long_enough)
    assert not np.array_equal(said["nothing: the clone"].durations, long_enough)
    pitch_hz = one.pitch_hz[one.pitch_hz > 0].astype(np.float32)
    told = said["pitch and voicing"].pitch_hz
    assert pitch_hz.min() * 0.99 <= told[told > 0].min() and told.max() <= pitch_hz.max() * 1.01
    assert len(truth.contour_hz(50)) == 50 and truth.contour_hz(50).min() > 0


def test_systems_are_laid_side_by_side_without_judges(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    import papers

    systems = "recording,griffin-lim,tacotron-copy"
    options = ["--systems", systems, "--limit", "2", "--judges", str(tmp_path / "none")]
    monkeypatch.setattr(sys, "argv", ["papers.py", *options, "--out", str(tmp_path / "papers")])
    papers.main()
    text = (tmp_path / "papers.md").read_text()
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")][1:]
    titles = [
        "the recording (flite)",
        "Griffin-Lim copy of it",
        "copy by Tacotron's second CBHG, Griffin-Lim",
    ]
    assert [row[1].strip() for row in rows] == titles
    assert rows[0][4].strip() == "" and all(0 < float(row[4]) < 5 for row in rows[1:])
    assert "The same 2 held-out sentences" in text and "Left out: all scores" in text


def test_what_is_not_measured_anew_stays_in_the_table(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    from papers import merged

    before = [
        {"system": "wavenet", "n": 60, "wer": 0.2, "real_time_factor": 3.0},
        {"system": "recording", "n": 60, "wer": 0.1, "real_time_factor": None},
    ]
    only_times = {"system": "wavenet", "n": 5, "wer": None, "real_time_factor": 0.5}
    judged = {"system": "tacotron", "n": 60, "wer": 0.3, "real_time_factor": 0.1}
    recording, wavenet, tacotron = merged(before, [only_times, judged])
    assert wavenet == {"system": "wavenet", "n": 60, "wer": 0.2, "real_time_factor": 0.5}
    assert (recording, tacotron) == (before[1], judged)


def test_an_unknown_system_is_named(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    import papers

    monkeypatch.setattr(sys, "argv", ["papers.py", "--systems", "recording,wavenet3"])
    with pytest.raises(SystemExit):
        papers.parse()
    assert "there is no wavenet3" in capsys.readouterr().err


def test_coarse_mels_are_every_second_or_fourth_value_and_lines_run_through_them(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    from melnet_words import coarse_mel, with_straight_lines

    from tinyclone.papers.melnet import MelNet

    melnet = MelNet()
    mel = np.arange(14 * 32, dtype=np.float32).reshape(14, 32)  # a plane: straight lines know all of it
    np.testing.assert_array_equal(coarse_mel(mel, melnet, 4), mel[:12:2, ::2])
    np.testing.assert_array_equal(coarse_mel(mel, melnet, 2), mel[:12:4, ::4])
    filled = with_straight_lines(coarse_mel(mel, melnet, 2), 32)
    assert filled.shape == (12, 32)
    np.testing.assert_allclose(filled[:9, :29], mel[:9, :29], rtol=1e-5)
    np.testing.assert_array_equal(filled[9:, 29:], np.full((3, 3), mel[8, 28]))


def test_dropout_of_prenets_is_refused_where_there_are_none(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    import train_papers

    monkeypatch.setattr(sys, "argv", ["train_papers.py", "wavenet", "--run", "none", "--dropout", "0.1"])
    with pytest.raises(SystemExit):
        train_papers.main()
    assert "wavenet has no prenets" in capsys.readouterr().err
    made = [train_papers.RECIPES[name]() for name in ("tacotron", "tacotron2")]
    assert [one.dropout for one in made] == ["dropout", "prenet_dropout"]
    config = made[0].make([], dropout=0.1).config
    assert config.dropout == 0.1 and config.teacher_dropout == 0.5


def test_the_lesson_shows_the_table_that_was_measured():
    lesson = REPOSITORY / "lessons" / "papers" / "00_side_by_side.ipynb"
    if not lesson.exists():
        pytest.skip("the lesson is still to come")
    text = (REPOSITORY / "benchmarks" / "papers.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    shown = "\n".join(cell.source for cell in nbformat.read(lesson, as_version=4).cells)
    assert len(rows) > 8 and [row for row in rows if row not in shown] == []
