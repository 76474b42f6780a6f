"""Examples cover their clips, spelled words keep their frames, prosody is what the frames say."""

from __future__ import annotations

import numpy as np
import pytest
from made_corpus import SMALL

from tinyclone.config import ClonerConfig
from tinyclone.durations import Alignment
from tinyclone.errors import CorpusError
from tinyclone.examples import cut_examples, token_prosody, words_of
from tinyclone.features import Features
from tinyclone.text import PAUSES, Word, parse, word_symbols

LONG_TEXT = (
    "The old boat, which nobody had seen for years, came home. Who was at the wheel? We never knew, and " * 3
)


def numbered_clip(
    number: int,
    *,
    text: str = "The cat sat.",
    speaker: str = "ann",
    corpus: str = "made",
    frames_per_token: int = 4,
    seed: int | None = None,
) -> tuple[Features, Alignment]:
    """Return a clip whose mel says in bands 0 and 1 which clip and which frame it is."""
    words = tuple(parse(text))
    symbols = word_symbols(words)
    durations = np.full(len(symbols), frames_per_token)
    if seed is not None:
        random = np.random.default_rng(seed)
        durations = np.array([random.integers(0 if symbol in PAUSES else 2, 12) for symbol in symbols])
    mel = np.zeros((durations.sum(), 80), np.float16)
    mel[:, 0], mel[:, 1] = number, np.arange(len(mel))
    pitch_hz = np.full(len(mel), 150, np.float16)
    features = Features(f"clip {number}", speaker, corpus, text, words, mel, pitch_hz)
    return features, Alignment(durations.astype(np.int32), 1.0)


# --- cutting


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("max_frames", [90, 200, 416, 100_000])
def test_pieces_cover_the_clip_and_none_is_too_long(seed, max_frames):
    one, alignment = numbered_clip(0, text=LONG_TEXT, seed=seed)
    pieces = cut_examples(0, one, alignment, max_frames=max_frames)
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == len(one.mel)
    fetched = [words_of(piece, one, alignment) for piece in pieces]
    assert sum((words for words, _, _ in fetched), ()) == one.words
    assert fetched[0][2][0] == alignment.durations[0] and fetched[-1][2][1] == alignment.durations[-1]
    assert len(pieces) == 1 if max_frames > len(one.mel) else len(pieces) > len(one.mel) / max_frames
    for piece, (words, word_durations, edges) in zip(pieces, fetched):
        assert 0 < piece.end - piece.start <= max_frames
        durations = np.concatenate(word_durations)
        assert durations.sum() + sum(edges) == piece.end - piece.start
        assert len(durations) + 2 == piece.n_tokens == len(word_symbols(words))
    inner = [duration for _, durations, _ in fetched for word in durations for duration in word]
    np.testing.assert_array_equal(inner, alignment.durations[1:-1])


def test_a_cut_falls_in_the_longest_pause_of_the_second_half():
    words = tuple(Word(letter, ("AH0",), True, " ") for letter in "abcdefgh")
    pauses = [9, 1, 2, 7, 3, 1, 1, 1]
    durations = [0, *(frames for pause in pauses for frames in (10, pause)), 0]
    one = Features("clip", "ann", "made", "", words, np.zeros((sum(durations), 80)), np.zeros(sum(durations)))
    alignment = Alignment(np.array(durations), 1.0)
    pieces = cut_examples(3, one, alignment, max_frames=75)
    # 75 frames hold the words a to e; of the pauses after c, d and e, the one after d is the longest.
    texts = ["".join(word.spelling for word in words_of(piece, one, alignment)[0]) for piece in pieces]
    assert texts == ["abcd", "efgh"]
    assert [(piece.start, piece.end) for piece in pieces] == [(0, 59), (59, 105)]
    assert {piece.clip for piece in pieces} == {3}


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_word_that_is_too_long_is_left_out_and_the_others_keep_their_frames(place):
    one, alignment = numbered_clip(0, text="we saw two cats eat fish")
    ends = 1 + np.cumsum([len(word.symbols) + bool(word.boundary) for word in one.words])
    durations = alignment.durations.copy()
    durations[ends[place] - 2] += 500
    grown = Features(
        **{**vars(one), "mel": np.zeros((durations.sum(), 80)), "pitch_hz": np.zeros(durations.sum())}
    )
    pieces = cut_examples(0, grown, Alignment(durations, 1.0), max_frames=100)
    kept = [word.spelling for piece in pieces for word in one.words[piece.first_word : piece.end_word]]
    assert kept == [word.spelling for index, word in enumerate(one.words) if index != place]
    frame_ends = np.cumsum(durations)
    for piece in pieces:
        first = piece.first_word
        before = 0 if first == 0 else ends[first - 1] - 1
        start = 0 if first == 0 else frame_ends[before]
        assert piece.start == start and piece.end - piece.start <= 100


def test_a_piece_is_six_numbers():
    one, alignment = numbered_clip(0, text=LONG_TEXT, seed=3)
    for piece in cut_examples(5, one, alignment, max_frames=100):
        assert [type(value) for value in vars(piece).values()] == [int] * 6


def test_an_alignment_of_other_features_is_refused():
    one, alignment = numbered_clip(7)
    longer = Features(**{**vars(one), "mel": np.zeros((len(one.mel) + 1, 80))})
    with pytest.raises(CorpusError, match=f"clip 7 has .* but its features have .* {len(one.mel) + 1}"):
        cut_examples(0, longer, alignment, max_frames=400)
    other_text = Features(**{**vars(one), "words": tuple(parse("The cats sat."))})
    with pytest.raises(CorpusError, match="align the corpus again"):
        cut_examples(0, other_text, alignment, max_frames=400)


# --- prosody


def test_token_prosody_by_hand():
    config = ClonerConfig(mel_mean=-5.0, mel_std=2.0, pitch_mean=float(np.log(100)), pitch_std=0.5)
    mel = np.repeat([[-5.0], [-5.0], [-1.0], [-3.0], [-9.0]], 80, axis=1)
    pitch_hz = np.array([100.0, 200.0, 0.0, 400.0, 0.0])
    prosody = token_prosody(mel, pitch_hz, np.array([2, 0, 2, 1]), config=config)
    expected = [
        [np.log(2) / 2 / 0.5, 1.0, 0.0],
        [0.0, 0.0, 0.0],
        [np.log(4) / 0.5, 0.5, 1.5],
        [0.0, 0.0, -2.0],
    ]
    assert prosody.dtype == np.float32
    np.testing.assert_allclose(prosody, expected, atol=1e-6)


def test_token_prosody_equals_a_loop_over_tokens():
    random = np.random.default_rng(0)
    durations = random.integers(0, 8, 60)
    frames = durations.sum()
    mel, pitch_hz = (
        random.normal(-5, 2, (frames, 80)),
        random.choice([0.0, 1.0], frames) * random.uniform(80, 300, frames),
    )
    prosody = token_prosody(mel, pitch_hz, durations, config=SMALL)
    end = 0
    for token, duration in enumerate(durations):
        part, pitches = mel[end : end + duration], pitch_hz[end : end + duration]
        end += duration
        voiced = pitches[pitches > 0]
        expected = [
            np.mean((np.log(voiced) - SMALL.pitch_mean) / SMALL.pitch_std) if len(voiced) else 0,
            len(voiced) / duration if duration else 0,
            np.mean((part - SMALL.mel_mean) / SMALL.mel_std) if duration else 0,
        ]
        np.testing.assert_allclose(prosody[token], expected, atol=1e-5)
