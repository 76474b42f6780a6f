"""Batches hold what the clips hold, in the promised shapes and shares, and the same at every run."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpus import SMALL, made_corpus
from test_examples import LONG_TEXT, numbered_clip

from tinyclone.batching import BUCKETS, SHORTEST_REFERENCE, BatchSequence
from tinyclone.durations import Alignment
from tinyclone.errors import CorpusError
from tinyclone.examples import token_prosody
from tinyclone.features import Features
from tinyclone.text import END, START, decode, encode_symbols, word_symbols


def batches_of(clips: list[tuple[Features, Alignment]], **settings) -> BatchSequence:
    alignments = {(one.id, one.speaker): alignment for one, alignment in clips}
    arguments = {"config": SMALL, "speakers": ["ann", "ben"], "steps": 4, **settings}
    return BatchSequence([one for one, _ in clips], alignments, **arguments)


def numbers_in(mel: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which clip and which frames a row's normalised mel holds."""
    values = mel[mask > 0] * SMALL.mel_std + SMALL.mel_mean
    return np.unique(values[:, 0].round().astype(int)), values[:, 1].round().astype(int)


# --- batches


def mixed_clips() -> list[tuple[Features, Alignment]]:
    """Three clips of ann, a long one of ben, who has no other, and two perturbed copies."""
    clips = [
        numbered_clip(number, text=text)
        for number, text in enumerate(("The cat sat.", "Dogs run.", "We eat."))
    ]
    clips.append(numbered_clip(3, text=LONG_TEXT, speaker="ben", seed=0))
    return clips + [numbered_clip(number, speaker="ann@0.900", frames_per_token=5) for number in (4, 5)]


def assert_same_batch(got, expected) -> None:
    for part, other in zip(got, expected):
        assert set(part) == set(other)
        for name in part:
            np.testing.assert_array_equal(part[name], other[name], err_msg=name)


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    first, second = batches_of(mixed_clips()), batches_of(mixed_clips())
    expected = [first[index] for index in range(8)]
    for index in (2, 0, 7, 3, 1):
        assert_same_batch(second[index], expected[index])
    other_seed = batches_of(mixed_clips(), seed=1)
    batches = expected + [other_seed[index] for index in range(8)]
    assert len({inputs["reference"].tobytes() for inputs, _ in batches}) == 16


def test_a_resumed_run_meets_the_batches_of_an_uninterrupted_one():
    whole, resumed = batches_of(mixed_clips(), steps=8), batches_of(mixed_clips(), steps=8, first_step=5)
    assert len(whole) == 8 and len(resumed) == 3
    for index in range(3):
        assert_same_batch(resumed[index], whole[5 + index])


def test_every_row_is_a_piece_of_one_clip_in_the_shape_of_its_bucket():
    clips = mixed_clips()
    batches = batches_of(clips, steps=30)
    shapes = {(size, frames, tokens) for frames, tokens, size in BUCKETS}
    met = set()
    for index in range(len(batches)):
        inputs, targets = batches[index]
        size, frames, _ = targets["mel"].shape
        met.add((size, frames, inputs["tokens"].shape[1]))
        assert inputs["reference"].shape == (size, SMALL.reference_frames, 80)
        for row in range(size):
            (clip,), numbers = numbers_in(targets["mel"][row], inputs["frame_mask"][row])
            np.testing.assert_array_equal(np.diff(numbers), 1)
            one = clips[clip][0]
            assert targets["speaker"][row] == {"ann": 0, "ben": 1}.get(one.speaker, -1)
            durations = np.expm1(targets["variances"][row][:, 0]).round().astype(int)
            assert durations.sum() == len(numbers) == inputs["frame_mask"][row].sum()
            n_tokens = int((inputs["tokens"][row] > 0).sum())
            spoken = inputs["tokens"][row][:n_tokens]
            symbols = decode(spoken)
            assert symbols[0] == START and symbols[-1] == END
            whole = " ".join(word_symbols(one.words)[1:-1])
            assert " ".join(symbols[1:-1]) in whole
            np.testing.assert_array_equal(
                inputs["frame_tokens"][row][: len(numbers)],
                np.repeat(np.arange(n_tokens), durations[:n_tokens]),
            )
    assert met <= shapes and len(met) > 1


def test_padding_is_zero_everywhere():
    inputs, targets = batches_of(mixed_clips()[:3])[0]
    for row in range(len(targets["mel"])):
        n_frames = int(inputs["frame_mask"][row].sum())
        n_tokens = int((inputs["tokens"][row] > 0).sum())
        assert 0 < n_frames < 192 and 0 < n_tokens < 72
        for values in (
            targets["mel"],
            inputs["frame_mask"],
            inputs["frame_tokens"],
            inputs["frame_positions"],
        ):
            assert not values[row][n_frames:].any()
        for values in (
            inputs["tokens"], inputs["prosody"], targets["variances"], targets["variance_weights"]
        ):  # fmt: skip
            assert not values[row][n_tokens:].any()
        assert targets["variance_weights"][row][:n_tokens, 0].all()


def test_targets_are_the_prosody_of_the_piece_and_weigh_what_can_be_heard():
    features, alignments = made_corpus(speakers=("ann",))
    batches = BatchSequence(features, alignments, config=SMALL, speakers=["ann"], steps=1)
    inputs, targets = batches[0]
    for row in range(len(targets["mel"])):
        tokens = inputs["tokens"][row][inputs["tokens"][row] > 0]
        one = next(one for one in features if len(word_symbols(one.words)) == len(tokens)
                   and (encode_symbols(word_symbols(one.words)) == tokens).all())  # fmt: skip
        durations = alignments[one.id, "ann"].durations
        prosody = token_prosody(
            one.mel.astype(np.float32), one.pitch_hz.astype(np.float32), durations, config=SMALL
        )
        n_tokens, voicing, spoken = len(tokens), prosody[:, 1], durations > 0
        np.testing.assert_allclose(targets["variances"][row][:n_tokens, 0], np.log1p(durations), rtol=1e-5)
        np.testing.assert_allclose(targets["variances"][row][:n_tokens, 1:], prosody, atol=1e-4)
        weights = targets["variance_weights"][row][:n_tokens]
        np.testing.assert_allclose(
            weights, np.stack([np.ones(n_tokens), voicing, spoken, spoken], axis=1), atol=1e-5
        )
        np.testing.assert_allclose(inputs["prosody"][row][:n_tokens, 0], prosody[:, 0] * voicing, atol=1e-5)
        np.testing.assert_allclose(inputs["prosody"][row][:n_tokens, 1:], prosody[:, 1:], atol=1e-5)


def test_a_reference_is_another_clip_of_the_speaker_or_other_frames_of_the_same():
    clips = mixed_clips()
    batches = batches_of(clips, steps=40)
    from_the_same_clip = 0
    for index in range(len(batches)):
        inputs, targets = batches[index]
        for row, reference in enumerate(inputs["reference"]):
            (clip,), numbers = numbers_in(targets["mel"][row], inputs["frame_mask"][row])
            (source,) = np.unique(reference[:, 0].astype(int))
            assert clips[source][0].speaker == clips[clip][0].speaker
            if source == clip:
                from_the_same_clip += 1
                assert not set(reference[:, 1].astype(int)) & set(numbers)
                np.testing.assert_array_equal(np.diff(reference[:, 1]), 1)
            else:
                assert clips[clip][0].speaker != "ben"
    assert from_the_same_clip > 20


def test_a_short_source_is_repeated_to_the_length_of_a_reference():
    clips = [numbered_clip(number, text="The cat.", frames_per_token=3) for number in (0, 1)]
    inputs, _ = batches_of(clips)[0]
    frames = len(clips[0][0].mel)
    assert frames < SMALL.reference_frames
    for reference in inputs["reference"]:
        steps = np.diff(reference[:, 1])
        assert set(steps) == {1, 1 - frames}


def test_clips_without_a_reference_or_an_alignment_are_left_out():
    lonely = numbered_clip(0, speaker="ben")
    assert len(lonely[0].mel) < 2 * SHORTEST_REFERENCE
    pair = [numbered_clip(number) for number in (1, 2, 3)]
    batches = batches_of([lonely, *pair])
    assert "ben" not in {batches.features[one.clip].speaker for one in batches.examples()}
    with pytest.raises(CorpusError, match="None of 1 clips can be trained on"):
        batches_of([lonely])
    with pytest.raises(CorpusError, match="each needs an alignment"):
        BatchSequence([one for one, _ in pair], {}, config=SMALL, speakers=["ann"], steps=1)


def test_every_clip_of_a_speaker_with_several_is_used():
    batches = batches_of([numbered_clip(number) for number in (0, 1, 2)])
    assert {one.clip for one in batches.examples()} == {0, 1, 2}


def test_seconds_count_the_speech_of_all_pieces():
    clips = mixed_clips()[3:4]
    assert batches_of(clips).seconds == pytest.approx(len(clips[0][0].mel) * 256 / 16000)


def test_speakers_are_numbered_in_order_unless_told_otherwise():
    batches = batches_of(mixed_clips(), speakers=None)
    assert batches.speaker_number == {"ann": 0, "ann@0.900": 1, "ben": 2}


def test_clips_longer_than_allowed_are_left_out():
    clips = [numbered_clip(number) for number in range(3)]
    clips += [numbered_clip(number, text=LONG_TEXT, seed=number) for number in (3, 4)]
    longest_sec = len(clips[0][0].mel) / 62.5
    batches = batches_of(clips, max_seconds=longest_sec)
    assert {one.clip for one in batches.examples()} == {0, 1, 2}
    with pytest.raises(CorpusError, match="None of 5 clips"):
        batches_of(clips, max_seconds=longest_sec - 0.01)


def test_other_buckets_give_other_shapes():
    batches = batches_of(mixed_clips(), buckets=((64, 40, 3), (128, 60, 2)), steps=20)
    shapes = {batches[index][1]["mel"].shape[:2] for index in range(20)}
    assert shapes == {(3, 64), (2, 128)}
    assert all(one.end - one.start <= 128 and one.n_tokens <= 60 for one in batches.examples())


def test_the_pieces_of_many_clips_stay_small_in_memory():
    class Counted(list):
        """A list that counts how often a clip is asked for by number."""

        asked = 0

        def __getitem__(self, index):
            self.asked += 1
            return super().__getitem__(index)

    clips = [numbered_clip(number % 9, seed=number, text=LONG_TEXT) for number in range(30)]
    clips = [(Features(**{**vars(one), "id": str(place)}), other) for place, (one, other) in enumerate(clips)]
    features = Counted(one for one, _ in clips)
    alignments = {(one.id, one.speaker): alignment for one, alignment in clips}
    batches = BatchSequence(features, alignments, config=SMALL, speakers=["ann"], steps=1)
    assert features.asked == 0
    pieces = sum(map(len, batches.buckets))
    assert pieces > 30 and sum(bucket.nbytes for bucket in batches.buckets) == 24 * pieces


def test_the_fingerprint_tells_data_and_choices_apart():
    same = batches_of(mixed_clips()).fingerprint
    assert batches_of(mixed_clips(), first_step=3).fingerprint == same
    others = [
        batches_of(mixed_clips()[:-1]),
        batches_of(mixed_clips(), seed=1),
        batches_of(mixed_clips(), pseudo_speaker_weight=0.1),
        batches_of(mixed_clips(), buckets=((64, 40, 3), (128, 60, 2))),
    ]
    assert len({same, *(one.fingerprint for one in others)}) == 5


def test_the_clips_of_a_step_are_named_and_the_broken_among_them():
    clips = mixed_clips()
    clips[1][0].mel[0, 40] = np.nan
    batches = batches_of(clips, steps=30)
    found = set()
    for step in range(30):
        inputs, targets = batches[step]
        names, broken = batches.clips_of_step(step)
        numbers = {numbers_in(mel, mask)[0][0] for mel, mask in zip(targets["mel"], inputs["frame_mask"])}
        assert names == sorted(f"clip {number} ({clips[number][0].speaker})" for number in numbers)
        found |= set(broken)
    assert found == {"clip 1 (ann)"}


# --- how often what is drawn


def drawn_share(batches: BatchSequence, *, draws: int) -> np.ndarray:
    """Return how often each clip is drawn, as a share of all draws."""
    counts = np.zeros(len(batches.features))
    for index in range(draws):
        inputs, targets = batches[index]
        clips = np.round(targets["mel"][:, 0, 0] * SMALL.mel_std + SMALL.mel_mean).astype(int)
        np.add.at(counts, clips, 1)
    return counts / counts.sum()


def test_clips_are_drawn_as_their_weights_ask():
    kinds = [("ann", "clear"), ("ben", "noisy"), ("ann@0.900", "clear")]
    clips = [
        numbered_clip(2 * kind + number, speaker=speaker, corpus=corpus, text=LONG_TEXT, seed=number)
        for kind, (speaker, corpus) in enumerate(kinds)
        for number in range(2)
    ]
    batches = batches_of(clips, weights={"clear": 3.0}, pseudo_speaker_weight=0.5)
    weight = np.zeros(6)
    for piece in batches.examples():
        weight[piece.clip] += (3.0, 1.0, 1.5)[piece.clip // 2]
    share = drawn_share(batches, draws=150)
    np.testing.assert_allclose(share, weight / weight.sum(), atol=0.03)


def test_a_long_piece_is_drawn_as_often_as_a_short_one():
    texts = ["The cat sat."] * 3 + [LONG_TEXT[:90]] * 3
    clips = [numbered_clip(number, text=text, frames_per_token=5) for number, text in enumerate(texts)]
    batches = batches_of(clips)
    pieces = np.bincount([one.clip for one in batches.examples()], minlength=6)
    assert sum(len(bucket) > 0 for bucket in batches.buckets) > 1
    np.testing.assert_allclose(drawn_share(batches, draws=150), pieces / pieces.sum(), atol=0.035)


def test_a_corpus_of_weight_zero_is_never_drawn():
    clips = [numbered_clip(number, corpus=corpus) for number, corpus in enumerate(["a", "b", "a", "b", "a"])]
    share = drawn_share(batches_of(clips, weights={"b": 0.0}), draws=10)
    assert share[1] == share[3] == 0 and share[2] > 0
