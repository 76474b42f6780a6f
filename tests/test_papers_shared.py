"""What the papers share: characters, guided attention, sentences of one voice and their batches."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyclone.errors import CheckpointError, CorpusError, TextError
from tinyclone.papers.characters import N_CHARACTERS, SYMBOLS, decode_characters, encode_characters
from tinyclone.papers.one_voice import Sentence, read_one_voice

HOP = 256


def made_sentences(*frames: int) -> list[Sentence]:
    chance = np.random.default_rng(0)
    return [
        Sentence(
            text="ab " * (n_frames // 10) + "c.",
            wav=chance.normal(size=n_frames * HOP).astype(np.float32) * 0.1,
            mel=chance.normal(size=(n_frames, 80)).astype(np.float32) - 5,
        )
        for n_frames in frames
    ]


def test_characters_have_these_numbers():
    ids = encode_characters("Dr. Zoë's 2 cats?")
    assert decode_characters(ids) == "doctor zoe's two cats?"
    assert ids.dtype == np.int32
    assert ids[:6].tolist() == [4, 15, 3, 20, 15, 18]
    assert ids[-1] == N_CHARACTERS - 1
    assert SYMBOLS[ids[6]] == " " and SYMBOLS[ids[-2]] == "?"
    assert len(SYMBOLS) == len(set(SYMBOLS)) == N_CHARACTERS


def test_padding_is_not_read_back():
    assert decode_characters([1, 2, N_CHARACTERS - 1, 0, 0]) == "ab"


@pytest.mark.parametrize("text", ["", "...", "東京"])
def test_a_text_without_a_word_is_refused(text):
    with pytest.raises(TextError, match="can be spoken"):
        encode_characters(text)


def test_an_unknown_number_is_refused():
    with pytest.raises(TextError, match="number 99"):
        decode_characters([1, 99])


def test_one_voice_is_split_by_text_and_cut_to_whole_frames():
    training, held_out = read_one_voice()
    assert (len(training), len(held_out)) == (26, 14)
    assert not {one.text for one in training} & {one.text for one in held_out}
    assert held_out[0].text == "who left a bright yellow umbrella on the back seat of the bus?"
    for one in held_out:
        assert len(one.wav) == HOP * len(one.mel) and one.mel.shape[1] == 80


def test_an_unknown_voice_is_refused_with_those_that_there_are():
    with pytest.raises(CorpusError, match="no voice 'bob'.*rms"):
        read_one_voice(voice="bob")


def test_guided_attention_punishes_what_is_far_from_the_diagonal():
    from tinyclone.papers.guided_attention import guided_attention_loss

    diagonal = np.eye(20, dtype=np.float32)[None]
    lengths = np.array([20]), np.array([20])
    assert float(guided_attention_loss(diagonal, *lengths)) == 0
    turned = float(guided_attention_loss(diagonal[:, ::-1], *lengths))
    expected = np.mean([1 - np.exp(-(((19 - 2 * step) / 20) ** 2) / 0.08) for step in range(20)])
    np.testing.assert_allclose(turned, expected, rtol=1e-5)


def test_guided_attention_does_not_hear_padding():
    from tinyclone.papers.guided_attention import guided_attention_loss

    chance = np.random.default_rng(0)
    alignment = chance.random((2, 12, 9)).astype(np.float32)
    alone = guided_attention_loss(alignment, np.array([12, 12]), np.array([9, 9]))
    padded = np.pad(alignment, ((0, 0), (0, 5), (0, 3)))
    padded[:, 12:, :4] = 0.7
    with_padding = guided_attention_loss(padded, np.array([12, 12]), np.array([9, 9]))
    np.testing.assert_allclose(float(alone), float(with_padding), rtol=1e-5)


def test_a_report_tells_a_diagonal_from_skips_repeats_and_blur():
    from tinyclone.papers.guided_attention import alignment_report

    diagonal = np.repeat(np.eye(30), 2, axis=0)
    assert alignment_report(diagonal) == (1.0, 1.0, 0.0, True)
    assert alignment_report(diagonal).is_diagonal
    skipping = alignment_report(np.delete(diagonal, np.s_[20:40], axis=0))
    assert skipping.coverage < 0.8 and not skipping.is_diagonal
    repeating = alignment_report(np.concatenate([diagonal[:40], diagonal[10:40], diagonal[10:]]))
    assert repeating.backward_steps == pytest.approx(2 / 119)
    blurred = alignment_report(np.full((60, 30), 1 / 30))
    assert blurred.focus < 0.1 and not blurred.at_end and not blurred.is_diagonal
    assert not alignment_report(diagonal[:40]).is_diagonal


def test_a_report_of_no_matrix_is_refused():
    from tinyclone.papers.guided_attention import alignment_report

    with pytest.raises(ValueError, match=r"got \(3,\)"):
        alignment_report(np.zeros(3))


def test_batches_are_the_same_at_every_run_and_resume_where_they_stopped():
    from tinyclone.paper_batches import SentenceBatches

    sentences = made_sentences(30, 40, 50, 60, 70)
    batches, again = (SentenceBatches(sentences, steps=6, clips=2, frames_multiple=4) for _ in range(2))
    again.first_step = 4
    assert (len(batches), len(again)) == (6, 2)
    for name, value in batches[4][0].items():
        np.testing.assert_array_equal(value, again[0][0][name])
    assert batches.fingerprint == again.fingerprint
    assert batches.fingerprint != SentenceBatches(sentences[:4], steps=6, clips=2).fingerprint


def test_sentences_are_padded_with_silence_to_few_shapes():
    from tinyclone.paper_batches import SentenceBatches

    batches = SentenceBatches(made_sentences(30, 41, 50, 60, 71), steps=30, clips=2, frames_multiple=4)
    shapes = set()
    for inputs, targets in (batches[index] for index in range(len(batches))):
        shapes.add((inputs["mel"].shape[1], inputs["characters"].shape[1]))
        for mel, frames, ids in zip(targets["mel"], inputs["frames"], inputs["characters"]):
            assert np.all(mel[frames:] == np.float32(np.log(1e-5))) and np.all(mel[: frames - 1] > -11)
            assert np.count_nonzero(ids == N_CHARACTERS - 1) == 1
    assert len(shapes) == 3 and all(n_frames % 4 == 0 for n_frames, _ in shapes)


def test_a_cut_of_a_wave_lies_under_its_mel():
    from tinyclone.paper_batches import WaveBatches

    sentences = made_sentences(40, 20)
    inputs, targets = WaveBatches(sentences, steps=1, clips=3, frames=8)[0]
    assert inputs["wav"].shape == (3, 8 * HOP) and inputs["mel"].shape == (3, 8, 80)
    np.testing.assert_array_equal(inputs["wav"], targets["wav"])
    for wav, mel in zip(inputs["wav"], inputs["mel"]):
        places = [
            (one, start)
            for one in sentences
            for start in range(len(one.mel) - 7)
            if np.array_equal(one.mel[start : start + 8], mel)
        ]
        assert len(places) == 1
        one, start = places[0]
        np.testing.assert_array_equal(one.wav[start * HOP : (start + 8) * HOP], wav)


def test_no_sentences_or_too_short_ones_are_refused():
    from tinyclone.paper_batches import SentenceBatches, WaveBatches

    with pytest.raises(CorpusError, match="no sentences"):
        SentenceBatches([], steps=1)
    with pytest.raises(CorpusError, match="90 frames"):
        WaveBatches(made_sentences(40), steps=1, frames=90)


def test_a_broken_sentence_is_named():
    from tinyclone.paper_batches import WaveBatches

    sentences = made_sentences(40)
    sentences[0].wav[3] = np.nan
    assert WaveBatches(sentences, steps=1).clips_of_step(0)[1] == [sentences[0].text]


def test_a_paper_that_is_not_there_is_refused():
    from tinyclone.paper_training import load_paper

    with pytest.raises(CheckpointError, match="'wavenet2'.*melnet"):
        load_paper("wavenet2")


@pytest.fixture
def datasets_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "datasets"))


def test_the_grammar_makes_the_same_readable_sentences(datasets_on_path):
    from one_voice_sentences import make_sentences

    from tinyclone.pronunciation import pronounce

    sentences = make_sentences(300)
    assert sentences[:50] == make_sentences(50)
    assert len(set(sentences)) == 300
    words = {word.strip(".,?!") for one in sentences for word in one.split()}
    assert [word for word in words if pronounce(word.lower()) is None] == []
    assert not any(f" a {vowel}" in one for one in sentences for vowel in "aeio")


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_one_voice_is_made_goes_on_and_can_be_read(datasets_on_path, monkeypatch, tmp_path, capsys):
    from make_one_voice import main

    def make(*options):
        monkeypatch.setattr(sys, "argv", ["make_one_voice.py", "--out", str(tmp_path), *options])
        return main()

    assert make("--skip", "2", "--sentences", "2") == 0
    (tmp_path / "wavs" / "rms-made-00004.ogg").unlink()
    assert make("--skip", "2", "--sentences", "2") == 0
    assert "2 clips of rms" in capsys.readouterr().out.splitlines()[-1]
    training, held_out = read_one_voice(tmp_path)
    assert (len(training), len(held_out)) == (28, 14)
    assert [one.text.split()[-1] for one in training[26:]] == ["office.", "sea."]


@pytest.mark.parametrize("options", [("--sentences", "0"), ("--skip", "-1"), ("--voice", "bob")])
def test_one_voice_refuses_what_cannot_be(datasets_on_path, monkeypatch, tmp_path, options):
    from make_one_voice import main

    monkeypatch.setattr(sys, "argv", ["make_one_voice.py", "--out", str(tmp_path), *options])
    with pytest.raises(SystemExit):
        main()
