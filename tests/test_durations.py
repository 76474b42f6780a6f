"""Alignments come back from disk as they were, or the reader says what is wrong with the file."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tinyclone.durations import Alignment, CorpusAlignment, load_alignments, save_alignments
from tinyclone.errors import CheckpointError


def assert_same(got: CorpusAlignment, expected: CorpusAlignment) -> None:
    assert list(got.alignments) == list(expected.alignments)
    for key, alignment in expected.alignments.items():
        np.testing.assert_array_equal(got.alignments[key].durations, alignment.durations)
        assert got.alignments[key].durations.dtype == np.int32
        assert got.alignments[key].score == alignment.score
    assert got.rejected == expected.rejected and got.changed == expected.changed


@pytest.mark.parametrize("clips", [0, 1, 3])
def test_alignments_come_back_from_disk_as_they_were(tmp_path, clips):
    random = np.random.default_rng(0)
    result = CorpusAlignment(
        alignments={
            (f"clip {number}", "ann@0.900"): Alignment(
                random.integers(0, 9, 5 + number, np.int32), random.random()
            )
            for number in range(clips)
        },
        rejected={("bad", 'Zoë "Z"'): "score 0.10 is below 0.25"},
        changed=[0.5, 0.25],
    )
    path = tmp_path / "alignments.npz"
    save_alignments(path, result)
    assert_same(load_alignments(path), result)
    assert [file.name for file in tmp_path.iterdir()] == ["alignments.npz"]


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "alignments.npz"
    old = CorpusAlignment(changed=[0.5])
    save_alignments(path, old)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_alignments(path, CorpusAlignment(changed=[0.1]))
    assert_same(load_alignments(path), old)
    assert [file.name for file in tmp_path.iterdir()] == ["alignments.npz"]


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "alignments.npz"
    result = CorpusAlignment({("clip", "ann"): Alignment(np.arange(500, dtype=np.int32), 1.5)})
    save_alignments(path, result)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated"):
        load_alignments(path)
