"""From tokens to frames and from a recording to looks at it: the cloner's index work, in NumPy."""

from __future__ import annotations

import numpy as np


def frame_layout(durations: np.ndarray, *, n_frames: int) -> dict[str, np.ndarray]:
    """Lay tokens out over frames.

    Parameters
    ----------
    durations : np.ndarray [shape=(T,), int]
        Frames of each token.
    n_frames : int
        Length to pad to, at least ``durations.sum()``.

    Returns
    -------
    dict
        ``frame_tokens`` (F,) int32, the token of each frame; ``frame_positions`` (F, 3) float32, the
        place within the token from 0 to 1 and, in tenths, the frames since its start and until its
        end; ``frame_mask`` (F,) float32, 0 on padding.

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    total = int(durations.sum())
    token = np.repeat(np.arange(len(durations)), durations)
    starts = np.cumsum(durations) - durations
    since_start = np.arange(total) - starts[token]
    until_end = durations[token] - 1 - since_start
    frame_tokens = np.zeros(n_frames, np.int32)
    frame_tokens[:total] = token
    positions = np.zeros((n_frames, 3), np.float32)
    positions[:total] = np.stack(
        [(since_start + 0.5) / durations[token], since_start / 10, until_end / 10], axis=1
    )
    frame_mask = (np.arange(n_frames) < total).astype(np.float32)
    return {"frame_tokens": frame_tokens, "frame_positions": positions, "frame_mask": frame_mask}


def reference_crops(mel: np.ndarray, *, length: int) -> np.ndarray:
    """Cut a mel into half-overlapping crops; one that is too short is repeated. (R, M) -> (N, length, M)

    Notes
    -----
    Lesson: lessons/04_model_building.ipynb
    """
    mel = np.asarray(mel, np.float32)
    if len(mel) < length:
        mel = np.tile(mel, (-(-length // len(mel)), 1))[:length]
    n_crops = 1 + -(-(len(mel) - length) * 2 // length)
    starts = np.linspace(0, len(mel) - length, n_crops).round().astype(int)
    return np.stack([mel[start : start + length] for start in starts])
