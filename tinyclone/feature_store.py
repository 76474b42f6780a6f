"""The features of any number of clips as one sequence, read from disk clip by clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from tinyclone.feature_shards import OPEN_SHARDS, Features, Outline, Shard, open_shard

__all__ = ["OPEN_SHARDS", "FeatureStore", "Features", "Outline"]


class FeatureStore(Sequence[Features]):
    """The features of any number of clips, as a sequence that reads a clip when it is asked for.

    Stores, and lists of `Features`, are joined with ``+``. An index gives `Features`, a slice a list.
    In memory lie a few bytes for each shard; `OPEN_SHARDS` files at most are open, over all stores.

    Parameters
    ----------
    parts : iterable of Path or of sequences of Features
        Shards on disk, or features that are in memory already.

    Attributes
    ----------
    skipped : dict from (clip id, speaker) to str
        The clips that could not be used, each with the whole message that says why.
    reasons : Counter of str
        How many clips there were for each reason, in a few words.
    n_frames : int
        Frames of all clips.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    def __init__(self, parts: Iterable[Path | Sequence[Features]] = ()) -> None:
        self._parts = list(parts)
        self.skipped: dict[tuple[str, str], str] = {}
        self.reasons: Counter[str] = Counter()
        self.n_frames = 0
        lengths = []
        for part in self._parts:
            if isinstance(part, Path):
                shard = Shard(part)
                for name, speaker, reason, message in shard.skipped:
                    self.skipped[name, speaker] = message
                    self.reasons[reason] += 1
                self.n_frames += shard.n_frames
                lengths.append(len(shard))
            else:
                self.n_frames += sum(len(one.mel) for one in part)
                lengths.append(len(part))
        self._ends = np.cumsum(lengths, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, index: int) -> Features: ...
    @overload
    def __getitem__(self, index: slice) -> list[Features]: ...
    def __getitem__(self, index: int | slice) -> Features | list[Features]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        part, row = self._place(index)
        return open_shard(part).features(row) if isinstance(part, Path) else part[row]

    def outline(self, index: int) -> Outline:
        """Return all of a clip but its arrays, which are not read."""
        part, row = self._place(index)
        if isinstance(part, Path):
            return open_shard(part).outline(row)
        one = part[row]
        return Outline(one.id, one.speaker, one.corpus, one.text, one.words, len(one.mel))

    def outlines(self) -> Iterator[Outline]:
        """Yield the outline of every clip in order."""
        return (self.outline(index) for index in range(len(self)))

    def __add__(self, other: Sequence[Features]) -> FeatureStore:
        return _joined(self, other) if isinstance(other, Sequence) else NotImplemented

    def __radd__(self, other: Sequence[Features]) -> FeatureStore:
        return _joined(other, self) if isinstance(other, Sequence) else NotImplemented

    def _place(self, index: int) -> tuple[Path | Sequence[Features], int]:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"There is no clip {index}: the store holds {len(self)}.")
        part = int(np.searchsorted(self._ends, position, side="right"))
        return self._parts[part], position - (int(self._ends[part - 1]) if part else 0)


def _joined(first: Sequence[Features], second: Sequence[Features]) -> FeatureStore:
    stores = [one if isinstance(one, FeatureStore) else FeatureStore([list(one)]) for one in (first, second)]
    joined = FeatureStore()
    joined._parts = [part for store in stores for part in store._parts]
    joined._ends = np.concatenate([stores[0]._ends, len(stores[0]) + stores[1]._ends])
    joined.skipped = stores[0].skipped | stores[1].skipped
    joined.reasons = stores[0].reasons + stores[1].reasons
    joined.n_frames = stores[0].n_frames + stores[1].n_frames
    return joined
