"""What alignment finds: the frames of each token of each clip, in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinyclone.array_files import read_arrays, write_arrays


@dataclass(frozen=True)
class Alignment:
    """The frames of each token of one clip.

    Parameters
    ----------
    durations : np.ndarray [shape=(T,), int32, >= 0]
        Frames of each token in order; their sum is the clip's number of frames. Pauses may have none.
    score : float
        Mean log score of a frame under its token: above 1 for clean speech, below 0.25 hardly a match.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """

    durations: np.ndarray
    score: float


@dataclass
class CorpusAlignment:
    """The alignments of a corpus, and the clips that did not align with the reason.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """

    alignments: dict[tuple[str, str], Alignment] = field(default_factory=dict)
    rejected: dict[tuple[str, str], str] = field(default_factory=dict)
    changed: list[float] = field(default_factory=list)


def save_alignments(path: Path, result: CorpusAlignment) -> None:
    """Write the alignments of a corpus to one ``.npz`` file, whole or not at all.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    keys = list(result.alignments)
    index = {
        "keys": keys,
        "lengths": [len(result.alignments[key].durations) for key in keys],
        "scores": [result.alignments[key].score for key in keys],
        "rejected": [[*key, reason] for key, reason in result.rejected.items()],
        "changed": result.changed,
    }
    durations = [result.alignments[key].durations for key in keys]
    stacked = np.concatenate(durations) if durations else np.zeros(0, np.int32)
    write_arrays(path, {"durations": stacked}, header=index)


def load_alignments(path: Path) -> CorpusAlignment:
    """Read what `save_alignments` wrote.

    Notes
    -----
    Lesson: lessons/03_alignment.ipynb
    """
    arrays, index = read_arrays(path)
    parts = np.split(arrays["durations"], np.cumsum(index["lengths"])[:-1])
    return CorpusAlignment(
        alignments={
            (clip, speaker): Alignment(part, score)
            for (clip, speaker), part, score in zip(index["keys"], parts, index["scores"])
        },
        rejected={(clip, speaker): reason for clip, speaker, reason in index["rejected"]},
        changed=index["changed"],
    )
