"""Batches of the vocoder: the same at every run, mels in step with waves, and mels of a cloner."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpus import SMALL, made_corpus
from made_recordings import HOP, made_recordings, small_vocoder_config

from tinyclone.config import AudioConfig
from tinyclone.errors import CorpusError
from tinyclone.mel import log_mel


def made_batches(**changes):
    from tinyclone.vocoder_batches import VocoderBatches

    arguments = {"config": small_vocoder_config(), "steps": 6, "clips": 4, "frames": 33, **changes}
    return VocoderBatches(made_recordings(), **arguments)


def test_shapes():
    inputs, targets = made_batches()[0]
    shapes = {name: value.shape for name, value in {**inputs, **targets}.items()}
    assert shapes == {
        "mel": (4, 33, 80),
        "mask": (4, 33),
        "log_pitch": (4, 33),
        "source": (4, 33 * HOP, 2),
        "wav": (4, 32 * HOP),
        "pitch_hz": (4, 33),
    }
    assert {value.dtype for value in {**inputs, **targets}.values()} == {np.dtype(np.float32)}


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    whole, resumed, other = made_batches(), made_batches(first_step=4), made_batches(seed=1)
    assert len(whole) == 6 and len(resumed) == 2
    for expected, got in zip(whole[4], resumed[0]):
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name])
    assert np.abs(whole[0][1]["wav"] - whole[1][1]["wav"]).max() > 1e-3
    assert np.abs(whole[0][1]["wav"] - other[0][1]["wav"]).max() > 1e-3


def test_mels_and_pitches_are_those_of_their_waves():
    batches = made_batches()
    inputs, targets = batches[0]
    for row in range(4):
        wav, mel = targets["wav"][row], inputs["mel"][row]
        # At the ends, the mel sees sound beyond the cut.
        np.testing.assert_allclose(log_mel(wav)[2:-2], mel[2:-2], atol=1e-3)
        voiced = targets["pitch_hz"][row] > 0
        log_pitch = inputs["log_pitch"][row]
        np.testing.assert_allclose(np.exp(log_pitch[voiced]), targets["pitch_hz"][row][voiced], rtol=1e-3)


def test_a_cut_at_the_end_of_a_clip_sees_what_the_whole_clip_sees():
    batches = made_batches()
    whole = log_mel(batches.recordings.wav(0, hop_length=HOP))
    for start in (0, 20, 90 - 33):
        wav, mel = batches._cut(0, start)
        np.testing.assert_allclose(mel, whole[start : start + 33], atol=1e-5)
        expected = batches.recordings.wav(0, hop_length=HOP)[start * HOP : (start + 32) * HOP]
        np.testing.assert_array_equal(wav, expected)


def test_loudness_differs_between_rows_and_mels_know_it():
    peaks = np.concatenate([np.abs(made_batches()[step][1]["wav"]).max(axis=1) for step in range(6)])
    assert peaks.max() > 1.5 * peaks.min()
    assert all(
        (batch["mel"] >= np.log(AudioConfig().log_floor) - 1e-6).all() for batch, _ in [made_batches()[0]]
    )


def test_weights_and_lengths_decide_what_is_drawn():
    names = {name for step in range(6) for name in made_batches().clips_of_step(step)[0]}
    assert names == {"0 (ann)", "1 (ben)"}  # the third is too short
    names = {name for step in range(6) for name in made_batches(weights={"made": 0.0}).clips_of_step(step)[0]}
    assert names == {"1 (ben)"}


def test_no_clip_that_is_long_enough_is_an_error():
    with pytest.raises(CorpusError, match="None of 3 recordings has the 91 frames"):
        made_batches(frames=91)
    with pytest.raises(CorpusError, match="above 0"):
        made_batches(weights={"made": 0.0, "other": 0.0})


def test_the_fingerprint_tells_data_apart():
    same = made_batches().fingerprint
    assert made_batches(first_step=3).fingerprint == same
    for changes in ({"seed": 1}, {"clips": 3}, {"frames": 30}, {"weights": {"made": 0.5}}):
        assert made_batches(**changes).fingerprint != same
    mel = {("0", "ann"): np.zeros((91, 80), np.float16)}
    assert made_batches(predicted=mel, predicted_share=0.5).fingerprint != same


def test_predicted_mels_are_given_in_step_and_as_often_as_asked():
    frames = np.arange(91, dtype=np.float16)[:, None] / 16 - 8
    predicted = {("0", "ann"): np.repeat(frames, 80, axis=1)}
    predicted["0", "ann"][60:] = np.nan
    batches = made_batches(predicted=predicted, predicted_share=1.0, weights={"other": 0.0}, clips=16)
    true = made_batches(weights={"other": 0.0}, clips=16)
    n_given = 0
    for (inputs, _), (others, targets) in zip((batches[0], batches[1]), (true[0], true[1])):
        for given, expected, wav in zip(inputs["mel"], others["mel"], targets["wav"]):
            slope = np.diff(given[:, 0])
            if np.abs(slope - 1 / 16).max() < 1e-3:
                n_given += 1
                start = round(float((given[0, 0] - _gain(expected, wav, batches)) + 8) * 16)
                assert 0 <= start <= 60 - 33
            else:
                np.testing.assert_array_equal(given, expected)
    assert 5 < n_given < 32


def _gain(mel, wav, batches) -> float:
    """Return the natural log of the loudness that a row was given."""
    samples = batches.recordings.wav(0, hop_length=HOP)
    places = [start for start in range(90 - 32) if _fits(samples[start * HOP :][: len(wav)], wav)]
    assert len(places) >= 1
    part = samples[places[0] * HOP :][: len(wav)]
    return float(np.log(np.linalg.norm(wav) / np.linalg.norm(part)))


def _fits(part, wav) -> bool:
    return len(part) == len(wav) and np.dot(part, wav) > 0.9999 * np.linalg.norm(part) * np.linalg.norm(wav)


def test_a_cloner_predicts_every_frame_of_a_clip_that_fits(monkeypatch):
    from tinyclone.batching import BatchSequence
    from tinyclone.cloner import Cloner
    from tinyclone.vocoder_batches import predicted_mels

    reference = np.random.default_rng(0).normal(-5, 1, size=(64, 80)).astype(np.float32)
    monkeypatch.setattr(BatchSequence, "_reference", lambda *_: reference)
    features, alignments = made_corpus()
    alignments.pop((features[0].id, features[0].speaker))
    cloner = Cloner(SMALL).build_all()
    mels = predicted_mels(cloner, features, alignments)
    assert set(mels) == set(alignments)
    shapes = ((80, 40, 1),)
    lone = BatchSequence(features, alignments, config=SMALL, steps=1, buckets=shapes)
    for example in lone.examples():
        one = features[example.clip]
        row = lone._row(example, 80, 40, np.random.default_rng(0))
        inputs = {name: value[None] for name, value in row.items()}
        expected = np.asarray(cloner(inputs)["mel"])[0, : len(one.mel)] * SMALL.mel_std + SMALL.mel_mean
        got = mels[one.id, one.speaker]
        assert got.shape == one.mel.shape and got.dtype == np.float16
        np.testing.assert_allclose(got, expected, atol=0.01)
