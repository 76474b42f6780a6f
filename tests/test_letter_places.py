"""Attention is shown where the letters are: places by hand, in batches, in both losses; withheld frames."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from tinyclone.errors import CorpusError
from tinyclone.paper_batches import SentenceBatches, padded_batch
from tinyclone.papers.guided_attention import placed_attention_loss
from tinyclone.papers.letter_places import place_letters, places_of_frames
from tinyclone.papers.one_voice import Sentence, read_one_voice
from tinyclone.papers.teaching import Teacher
from tinyclone.spectrogram_batches import SpectrogramBatches
from tinyclone.text import encode


def placed_sentences() -> list[Sentence]:
    chance = np.random.default_rng(0)
    made = []
    for n_frames in (20, 31, 26):
        mel = chance.normal(size=(n_frames, 80)).astype(np.float32) - 5
        places = np.linspace(0, 3, n_frames, dtype=np.float32)
        made.append(Sentence("abc.", np.zeros(n_frames * 256, np.float32), mel, places))
    return made


def test_phones_lie_evenly_over_the_letters_of_their_word_and_pauses_between_words():
    # ^ DH AH0 (space) K AE1 T , S AE1 T . $   over   the cat, sat.
    durations = np.array([2, 2, 1, 1, 1, 2, 0, 2, 1, 1, 1, 0, 2])
    places = places_of_frames("The cat, sat.", durations)
    expected = [0, 0, -0.125, 0.625, 1.75, 3, 4, 4.75, 5.25, 7, 8, 9, 10, 11, 13, 13]
    np.testing.assert_allclose(places, np.clip(expected, 0, None), atol=1e-6)
    assert places.dtype == np.float32


@pytest.mark.parametrize("text", ["Dr. Zoë's 2 cats?", "well - no", "rain; and snow: both!", "twenty-one"])
def test_every_text_has_a_place_for_every_token(text):
    durations = np.full(len(encode(text)), 2)
    places = places_of_frames(text, durations)
    assert len(places) == durations.sum() and np.all(np.diff(places) >= 0) and places[0] == 0


def test_durations_of_another_text_are_refused():
    with pytest.raises(ValueError, match="'a cat' has 7 tokens, got 3 durations"):
        places_of_frames("a cat", np.ones(3, int))


def test_real_speech_is_placed_and_the_places_are_kept(tmp_path, monkeypatch):
    sentences = read_one_voice()[0]
    kept = tmp_path / "alignment.npz"
    placed = place_letters(sentences, kept_in=kept, classifier_rounds=0)
    assert len(placed) > 0.8 * len(sentences)
    for one in placed:
        assert len(one.places) == len(one.mel) and np.all(np.diff(one.places) >= 0)
        assert one.places[-1] >= len(one.text) - 3
        # The aligner finds pauses and long sounds: it is no straight line.
        line = np.linspace(0, len(one.text), len(one.mel))
        assert 0.5 < np.abs(one.places - line).max() < 12

    monkeypatch.setattr("tinyclone.papers.letter_places.align_corpus", None)
    for one, again in zip(placed, place_letters(sentences, kept_in=kept)):
        np.testing.assert_array_equal(one.places, again.places)
    with pytest.raises(CorpusError, match="of other sentences"):
        place_letters(sentences[1:], kept_in=kept)


def test_batches_carry_places_and_stay_at_the_last_one():
    sentences = placed_sentences()
    inputs, _ = padded_batch(sentences, n_frames=40)
    for places, one in zip(inputs["places"], sentences):
        np.testing.assert_array_equal(places[: len(one.mel)], one.places)
        assert np.all(places[len(one.mel) :] == 3)
    without = [dataclasses.replace(one, places=None) for one in sentences]
    assert "places" not in padded_batch(without)[0]
    assert "places" not in padded_batch([*sentences, without[0]])[0]

    spectrograms = SpectrogramBatches(sentences, steps=1, clips=2, reduction_factor=4, silent_steps=2)
    inputs, _ = spectrograms[0]
    assert inputs["places"].shape == inputs["mel"].shape[:2] and np.all(inputs["places"][:, -1] == 3)


def test_other_places_are_other_data():
    sentences = placed_sentences()
    shifted = [dataclasses.replace(one, places=one.places + 0.5) for one in sentences]
    without = [dataclasses.replace(one, places=None) for one in sentences]
    prints = {SentenceBatches(rows, steps=1).fingerprint for rows in (sentences, shifted, without)}
    assert len(prints) == 3


def test_attention_at_the_place_costs_nothing_and_far_away_much():
    places = np.array([[0.0, 1.0, 1.0, 2.0], [0.0, 2.0, 9.0, 9.0]], np.float32)
    steps, at_place = np.array([4, 2]), np.zeros((2, 4, 3), np.float32)
    for row, step in np.ndindex(2, 4):
        at_place[row, step, min(int(places[row, step]), 2)] = 1
    assert float(placed_attention_loss(at_place, places, steps)) == pytest.approx(0, abs=1e-5)

    one_away = np.roll(at_place[:1, :1], 1, axis=-1)
    loss = placed_attention_loss(one_away, places[:1, :1], np.array([1]), width=0.5)
    assert float(loss) == pytest.approx(1 / (2 * 0.5**2), rel=1e-3)

    even = np.full((1, 4, 3), 1 / 3, np.float32)
    bell = np.exp(-((np.arange(3) - places[0][:, None]) ** 2) / (2 * 1.5**2))
    by_hand = -np.log(bell.mean(axis=1)).mean()
    assert float(placed_attention_loss(even, places[:1], steps[:1])) == pytest.approx(by_hand, rel=1e-4)


def test_the_teacher_withholds_whole_frames_and_changes_none():
    keras.utils.set_random_seed(0)
    recorded = np.random.default_rng(0).normal(size=(8, 50, 3)).astype(np.float32)
    teacher = Teacher(teacher_dropout=0.5, hears_itself=0.0)
    told = np.asarray(teacher(recorded, decode=None))
    hidden = np.all(told == 0, axis=-1)
    np.testing.assert_array_equal(told[~hidden], recorded[~hidden])
    assert 0.4 < hidden.mean() < 0.6


def test_in_some_sentences_a_decoder_hears_what_it_made_the_step_before():
    keras.utils.set_random_seed(0)
    recorded = np.random.default_rng(0).normal(size=(40, 6, 3)).astype(np.float32)
    own = 10 + np.arange(40 * 6 * 3, dtype=np.float32).reshape(40, 6, 3)
    teacher = Teacher(teacher_dropout=0.0, hears_itself=0.5)
    told = np.asarray(teacher(recorded, decode=lambda told: {"frames": np.concatenate([-own, own], axis=-1)}))
    before = np.pad(own[:, :-1], ((0, 0), (1, 0), (0, 0)))
    from_itself = np.array([np.array_equal(*pair) for pair in zip(told, before)])
    assert 0.25 < from_itself.mean() < 0.75
    np.testing.assert_array_equal(told[~from_itself], recorded[~from_itself])


def loss_with_places(model, places, sentences) -> float:
    batches = SpectrogramBatches(sentences, steps=1, clips=3, reduction_factor=2, silent_steps=1)
    inputs, targets = batches.batch_of(sentences, np.random.default_rng(0))
    outputs = model(inputs)
    placed = {**inputs, "places": places(inputs["places"])}
    return float(model.compute_loss(x=placed, y=targets, y_pred=outputs))


@pytest.mark.parametrize("name", ["tacotron", "tacotron2"])
def test_both_tacotrons_learn_from_places_and_withhold_frames_in_training_alone(name):
    import importlib

    module = importlib.import_module(f"tinyclone.papers.{name}")
    kind = {"tacotron": "Tacotron", "tacotron2": "Tacotron2"}[name]
    quiet = {"dropout": 0.0} if name == "tacotron" else {"prenet_dropout": 0.0}
    config = getattr(module, f"{kind}Config")(
        reduction_factor=2, teacher_dropout=0.9, hears_itself=0.5, **quiet
    )
    keras.utils.set_random_seed(0)
    model, sentences = getattr(module, kind)(config).build_all(), placed_sentences()

    # Attention that knows nothing yet is nearer to a place in the middle than to one far off.
    near = loss_with_places(model, lambda places: 0 * places + 2, sentences)
    far = loss_with_places(model, lambda places: 0 * places + 30, sentences)
    assert far > near + 1

    inputs, _ = padded_batch(sentences, n_frames=32)
    first, again = (np.asarray(model(inputs)["mel" if name == "tacotron" else "after"]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    taught = np.asarray(model(inputs, training=True)["mel" if name == "tacotron" else "before"])
    assert not np.allclose(first, taught, atol=1e-3)
