"""From corpora to training data: two parts without a common sentence, aligned once, and what they lend."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpus import made_corpus

from tinyclone import training_data
from tinyclone.durations import Alignment, CorpusAlignment, load_alignments
from tinyclone.errors import CorpusError
from tinyclone.feature_store import FeatureStore
from tinyclone.layouts import Clip
from tinyclone.training_data import TrainingData, align_once, describe_rejected, gather


@pytest.fixture
def aligner(monkeypatch):
    """Stand in for the aligner, with the true alignments, and count its calls."""
    calls = []

    def align(features, *, most_frames):
        calls.append((len(features), most_frames))
        known = made_corpus()[1]
        return CorpusAlignment({(one.id, one.speaker): known[one.id, one.speaker] for one in features})

    monkeypatch.setattr(training_data, "align_corpus", align)
    return calls


@pytest.fixture
def preparer(monkeypatch):
    """Stand in for the features, made from the clips' ids and speakers."""
    calls = []

    def prepare(clips, cache, *, pseudo_speakers=0, **limits):
        calls.append((len(clips), cache.name, pseudo_speakers, limits["max_seconds"]))
        known = {(one.id, one.speaker): one for one in made_corpus()[0]}
        return FeatureStore([[known[clip.id, clip.speaker] for clip in clips]])

    monkeypatch.setattr(training_data, "prepare", prepare)
    return calls


def clips_of(speaker: str, tmp_path) -> list[Clip]:
    features, _ = made_corpus(speakers=("ann", "ben"))
    return [
        Clip(one.id, one.speaker, one.text, tmp_path / "x.wav", "made", "CC0")
        for one in features
        if one.speaker == speaker
    ]


def test_no_sentence_is_in_both_parts_and_only_training_gets_copies(tmp_path, aligner, preparer):
    corpora = [clips_of("ann", tmp_path), clips_of("ben", tmp_path)]
    data = gather(corpora, tmp_path, held_out_fraction=0.5, pseudo_speakers=2, max_seconds=9.0)
    training, held_out = ({one.text for one in part} for part in (data.training, data.held_out))
    assert not training & held_out and len(training | held_out) == 4
    assert len(data.training) + len(data.held_out) == 8
    assert [call[1:] for call in preparer] == [("features", 2, 9.0), ("features", 0, 9.0)] * 2
    assert aligner == [(8, training_data.HOURS_TO_LEARN_ALIGNMENT * 3600 * 62.5)]
    assert set(data.aligned.alignments) == {(one.id, one.speaker) for one in data.training + data.held_out}


def test_alignments_are_made_once_for_the_same_clips_and_anew_for_others(tmp_path, aligner, preparer):
    ann, ben = clips_of("ann", tmp_path), clips_of("ben", tmp_path)
    said = []
    for corpora in ([ann], [ann], [ann, ben]):
        gather(corpora, tmp_path, held_out_fraction=0.5, cache=tmp_path / "cache", say=said.append)
    assert [clips for clips, _ in aligner] == [4, 8]
    assert len(said) == 1 and "belongs to other clips" in said[0]
    assert {call[1] for call in preparer} == {"cache"}
    assert len(load_alignments(tmp_path / "alignments.npz").alignments) == 8


def test_alignments_of_other_features_are_made_again(tmp_path, aligner):
    features, alignments = made_corpus(speakers=("ann",))
    store = FeatureStore([features])
    align_once(store, tmp_path / "alignments.npz")
    first = features[0]
    longer = first.__class__(**{**vars(first), "mel": np.zeros((len(first.mel) + 1, 80), np.float16)})
    align_once(FeatureStore([[longer, *features[1:]]]), tmp_path / "alignments.npz", say=lambda text: None)
    assert len(aligner) == 2


def test_clips_that_cannot_be_used_are_an_error_with_the_reason(tmp_path, monkeypatch, aligner):
    store = FeatureStore()
    store.reasons["too long"] = 4
    monkeypatch.setattr(training_data, "prepare", lambda *_, **__: store)
    with pytest.raises(CorpusError, match=r"Not one of 4 clips can be trained on"):
        gather([clips_of("ann", tmp_path)], tmp_path)


def test_no_clip_that_fits_its_text_is_an_error_and_leaves_no_file(tmp_path, monkeypatch):
    nothing = CorpusAlignment(rejected={("a", "ann"): "score 0.01 is below 0.25"})
    monkeypatch.setattr(training_data, "align_corpus", lambda *_, **__: nothing)
    with pytest.raises(CorpusError, match=r"Not one of 4 clips fits its text \(score 0.01 is below 0.25\)"):
        align_once(FeatureStore([made_corpus(speakers=("ann",))[0]]), tmp_path / "alignments.npz")
    assert list(tmp_path.iterdir()) == []


def data_of_made_corpus() -> TrainingData:
    features, alignments = made_corpus()
    return TrainingData(FeatureStore(), FeatureStore([features]), CorpusAlignment(alignments), 0)


def test_auditions_take_held_out_sentences_and_voices(monkeypatch):
    monkeypatch.setattr(training_data, "SHORTEST_REFERENCE_SEC", 0.5)
    monkeypatch.setattr(training_data, "SHORTEST_TEXT", 3)
    references, texts = data_of_made_corpus().auditions(voices=2, texts=3)
    assert list(references) == ["ann", "ben"] and texts == ["The cat sat.", "Dogs run far.", "We like tea."]
    np.testing.assert_array_equal(references["ann"], made_corpus()[0][0].mel.astype(np.float32))


def test_the_scorer_knows_the_phones_of_the_held_out_part():
    from tinyclone.callbacks import alignment_score
    from tinyclone.text import word_symbols

    data = data_of_made_corpus()
    scorer = data.scorer()
    one = data.held_out[0]
    durations = data.aligned.alignments[one.id, one.speaker].durations
    assert alignment_score(scorer, one.mel, durations, word_symbols(one.words)) > 0.5
    empty = TrainingData(FeatureStore(), FeatureStore(), CorpusAlignment(), 0)
    assert empty.scorer() is None


def test_rejected_clips_are_listed_and_many_counted():
    rejected = [((f"clip{number}", "ann"), "noise") for number in range(7)]
    lines = describe_rejected(rejected, most=3).splitlines()
    assert lines == [*(f"  clip{number} (ann): noise" for number in range(3)), "  and 4 more"]
    assert describe_rejected(rejected[:2]).count("\n") == 1


def test_a_learned_aligner_aligns_the_clips_it_did_not_learn_from(monkeypatch):
    from tinyclone import alignment

    features, known = made_corpus()
    monkeypatch.setattr(alignment, "CLIPS_AT_ONCE", 3)
    rounds = {"gaussian_rounds": 3, "classifier_rounds": 0}
    frames = sum(len(one.mel) for one in features)
    learned = {}
    for name, most_frames in (("all", None), ("all too", frames), ("half", -(-frames // 2))):
        learned[name] = alignment.align_corpus(features, most_frames=most_frames, **rounds).alignments
        assert list(learned[name]) == [(one.id, one.speaker) for one in features]
        for one in features:
            found: Alignment = learned[name][one.id, one.speaker]
            assert found.durations.sum() == len(one.mel)
    for key in known:
        np.testing.assert_array_equal(learned["all"][key].durations, learned["all too"][key].durations)
