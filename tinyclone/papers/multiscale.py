"""One spectrogram as tiers, from coarse to fine, and back."""

from __future__ import annotations

from keras import ops

TIME, FREQUENCY = 1, 2


def axis_of(tier: int) -> int:
    """Return the axis that a tier doubles: even tiers frequency, odd ones time."""
    return FREQUENCY if tier % 2 == 0 else TIME


def bands_of_tier(tier: int, *, n_tiers: int, n_mels: int) -> int:
    """Return how many bands a tier has."""
    return n_mels // 2 ** sum(axis_of(one) == FREQUENCY for one in range(max(tier, 2), n_tiers + 1))


def split(x, axis: int):
    """Take the even and the odd frames, or bands, apart.

    Parameters
    ----------
    x : tensor, shape (B, T, M)
    axis : {1, 2}
        1 splits frames, 2 bands; there must be an even number of them.

    Returns
    -------
    even, odd : tensor, shape (B, T / 2, M) or (B, T, M / 2)

    Notes
    -----
    Vasquez & Lewis 2019, equation 24.

    Lesson: lessons/papers/melnet.ipynb
    """
    return (x[:, ::2], x[:, 1::2]) if axis == TIME else (x[:, :, ::2], x[:, :, 1::2])


def interleave(even, odd, axis: int):
    """Undo `split`.

    Notes
    -----
    Vasquez & Lewis 2019, equation 25.

    Lesson: lessons/papers/melnet.ipynb
    """
    n_clips, n_frames, n_bands = ops.shape(even)
    doubled = (n_clips, 2 * n_frames, n_bands) if axis == TIME else (n_clips, n_frames, 2 * n_bands)
    return ops.reshape(ops.stack([even, odd], axis=axis + 1), doubled)


def tiers_of(x, n_tiers: int) -> list:
    """Split a spectrogram into tiers, the first one first. (B, F, M) -> list of (B, T, M of the tier)"""
    tiers = []
    for tier in range(n_tiers, 1, -1):
        x, finer = split(x, axis_of(tier))
        tiers.append(finer)
    return [x, *reversed(tiers)]


def spectrogram_of(tiers: list):
    """Undo `tiers_of`; of the first tiers alone, return the coarser spectrogram that they make."""
    x = tiers[0]
    for tier, finer in enumerate(tiers[1:], start=2):
        x = interleave(x, finer, axis_of(tier))
    return x


def frames_of_tiers(n_frames, n_tiers: int) -> list[tuple]:
    """Say how many frames of each tier are real, and of the spectrogram that it refines.

    Parameters
    ----------
    n_frames : tensor, shape (B,), int
        Real frames of whole spectrograms.
    n_tiers : int

    Returns
    -------
    list of (frames of the tier, frames of what the tiers before it make)
        The first tier refines nothing; its entry says the same twice.
    """
    pairs = []
    for tier in range(n_tiers, 1, -1):
        in_time = axis_of(tier) == TIME
        finer, n_frames = (n_frames // 2, (n_frames + 1) // 2) if in_time else (n_frames, n_frames)
        pairs.append((finer, n_frames))
    return [(n_frames, n_frames), *reversed(pairs)]
