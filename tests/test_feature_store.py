"""What a store gives back is what was written, wherever it lies, and no more is held than asked for."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tinyclone import feature_shards
from tinyclone.errors import CorpusError
from tinyclone.feature_shards import OPEN_SHARDS, Shard, open_shard, write_shard
from tinyclone.feature_store import Features, FeatureStore
from tinyclone.text import Word, parse


def made_features(number: int, *, n_frames: int = 7) -> Features:
    random = np.random.default_rng(number)
    return Features(
        id=f"clip {number} é",
        speaker="ann" if number % 2 else "ben@1.105",
        corpus="made",
        text=f"A cat, {number} x.",
        words=(Word("a", ("AH0",), True, " "), Word("xq'", ("x", "q", "'"), False, ""), *parse("The cat.")),
        mel=random.normal(size=(n_frames, 80)).astype(np.float16),
        pitch_hz=random.uniform(0, 300, n_frames).astype(np.float16),
    )


def write(path: Path, features: list[Features], skipped: list = ()) -> Path:
    write_shard(path, features, skipped=skipped, clips=[("name", "identity")], settings={"hop_length": 256})
    return path


@pytest.fixture
def lengths() -> list[int]:
    return [3, 0, 1, 4]


@pytest.fixture
def store(tmp_path, lengths) -> FeatureStore:
    """Eight clips in four shards, of which one is empty."""
    open_shard.cache_clear()
    paths, first = [], 0
    for number, length in enumerate(lengths):
        clips = [made_features(place, n_frames=5 + place) for place in range(first, first + length)]
        skipped = [("bad", "cho", "is silent", f"bad.wav is silent: {number}")] if number == 1 else []
        paths.append(write(tmp_path / f"{number}.npz", clips, skipped))
        first += length
    return FeatureStore(paths)


def assert_same(one: Features, other: Features) -> None:
    np.testing.assert_array_equal(one.mel, other.mel)
    np.testing.assert_array_equal(one.pitch_hz, other.pitch_hz)
    assert one.mel.dtype == one.pitch_hz.dtype == np.float16
    for name in ("id", "speaker", "corpus", "text", "words"):
        assert getattr(one, name) == getattr(other, name)


def test_a_store_is_the_sequence_of_what_was_written(store):
    assert len(store) == 8
    expected = [made_features(number, n_frames=5 + number) for number in range(8)]
    for number, one in enumerate(store):
        assert_same(one, expected[number])
        assert_same(store[number - 8], expected[number])
    assert store.n_frames == sum(len(one.mel) for one in expected)
    for index in (8, -9):
        with pytest.raises(IndexError, match="holds 8"):
            store[index]
    assert store.skipped == {("bad", "cho"): "bad.wav is silent: 1"} and store.reasons == {"is silent": 1}


@pytest.mark.parametrize("piece", [slice(2, 6), slice(None), slice(7, 1, -2), slice(-3, None), slice(5, 5)])
def test_a_slice_is_a_list(store, piece):
    got, expected = store[piece], list(store)[piece]
    assert isinstance(got, list) and len(got) == len(expected)
    for one, other in zip(got, expected):
        assert_same(one, other)


def test_stores_and_lists_are_joined(store):
    extra = [made_features(number) for number in (20, 21)]
    for joined, expected in (
        (store + extra, [*store, *extra]),
        (extra + store, [*extra, *store]),
        (store + store, [*store, *store]),
        (FeatureStore() + store + extra + store, [*store, *extra, *store]),
    ):
        assert isinstance(joined, FeatureStore) and len(joined) == len(expected)
        for one, other in zip(joined, expected):
            assert_same(one, other)
        assert joined.n_frames == sum(len(one.mel) for one in expected)
    joined = store
    joined += extra
    assert len(joined) == 10 and len(store) == 8
    into = []
    into += store
    into += store
    # A list that a store is added to becomes a store: nothing is read.
    assert isinstance(into, FeatureStore) and len(into) == 16
    assert sum((store for _ in range(3)), FeatureStore())[17].id == store[1].id


def test_outlines_are_the_clips_without_arrays(store):
    both = store + [made_features(30)]
    for outline, one in zip(both.outlines(), both, strict=True):
        assert outline.n_frames == len(one.mel)
        assert (outline.id, outline.speaker, outline.corpus) == (one.id, one.speaker, one.corpus)
        assert (outline.text, outline.words) == (one.text, one.words)


def test_an_outline_reads_no_mel(store, monkeypatch):
    read = []
    original = Shard._read

    def noted(self, name, *place):
        read.append(name)
        return original(self, name, *place)

    monkeypatch.setattr(Shard, "_read", noted)
    list(store.outlines())
    assert "entries" in read and not {"mel", "pitch_hz"} & set(read)


def test_a_shard_is_an_ordinary_npz(store, tmp_path):
    with np.load(tmp_path / "3.npz") as arrays:
        mels = np.concatenate([one.mel for one in store[4:]])
        np.testing.assert_array_equal(arrays["mel"].reshape(-1, 80), mels)


def test_a_store_can_be_sent_to_another_process(store):
    assert_same(pickle.loads(pickle.dumps(store))[5], store[5])


def test_threads_may_read_at_the_same_time(store, monkeypatch):
    expected = list(store)
    order = np.random.default_rng(0).integers(0, 8, 400).tolist()
    with ThreadPoolExecutor(8) as threads:
        for index, one in zip(order, threads.map(store.__getitem__, order)):
            assert_same(one, expected[index])


@pytest.mark.parametrize("damage", ["missing", "empty", "half", "last byte gone", "text", "other npz"])
def test_what_is_no_shard_is_refused(tmp_path, damage):
    path = write(tmp_path / "one.npz", [made_features(0)])
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "other npz":
        np.savez(path, mel=np.zeros((3, 80)), index=np.array("{}"))
    else:
        path.write_bytes(
            {
                "empty": b"",
                "half": content[: len(content) // 2],
                "last byte gone": content[:-1],
                "text": b"?",
            }[damage]
        )
    with pytest.raises(CorpusError, match=r"one.npz cannot be read as features.*tinyclone prepare"):
        FeatureStore([path])


def test_a_failed_write_keeps_the_old_shard(tmp_path, monkeypatch):
    path = write(tmp_path / "one.npz", [made_features(0)])

    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ValueError, match="No space left"):
        write(path, [made_features(1)])
    assert list(tmp_path.iterdir()) == [path]
    assert_same(Shard(path).features(0), made_features(0))


# --- bounds


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the files in /proc")
def test_of_many_shards_few_are_open(tmp_path, monkeypatch):
    open_shard.cache_clear()
    paths = [write(tmp_path / f"{number}.npz", [made_features(number)]) for number in range(3 * OPEN_SHARDS)]
    before = open_files()
    store = FeatureStore(paths)
    assert open_files() == before
    kept = [*store, *store]
    assert open_files() - before == open_shard.cache_info().currsize == OPEN_SHARDS
    assert_same(kept[-1], made_features(3 * OPEN_SHARDS - 1))
    open_shard.cache_clear()
    gc.collect()
    assert open_files() == before


def test_memory_does_not_grow_with_the_corpus(tmp_path):
    peaks, n_bytes = [], []
    for n_shards in (10, 80):
        folder = tmp_path / str(n_shards)
        folder.mkdir()
        features = [made_features(number, n_frames=400) for number in range(8)]
        paths = [write(folder / f"{number}.npz", features) for number in range(n_shards)]
        del features
        open_shard.cache_clear()
        tracemalloc.start()
        store = FeatureStore(paths)
        assert sum(len(one.mel) for one in store) == store.n_frames == n_shards * 8 * 400
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        n_bytes.append(sum(path.stat().st_size for path in paths))
    assert n_bytes[1] > 40e6
    # 64 open shards keep their small indices; nothing keeps a mel.
    assert peaks[1] < 3e6 and peaks[1] - peaks[0] < 2e6


def test_the_limit_of_open_shards_is_small_enough_for_every_system():
    assert feature_shards.OPEN_SHARDS <= 128
