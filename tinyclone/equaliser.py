"""The last touch of a voice: its own average spectrum and its own contrast, band by band.

A model trained with MAE and MSE speaks with the mean of all that it could say: formants are flattened,
and an unseen voice sounds through the nearest voices that training held. Both show in the statistics
of the mel, so both can be mended there: each band gets the reference's mean and standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage

# Many different phones each, so that their statistics are those of the voice, not of a sentence.
SENTENCES = (
    "The large brown dog chased a yellow bird through the garden.",
    "She sells nine fresh oranges for a few coins each morning.",
    "Why would you choose to measure both of those boxes again?",
    "My father thought the weather was rather cold in Europe.",
)
SMOOTHING_BANDS = 0.5
MOST_CONTRAST = 1.8


def equaliser(spoken: Sequence[np.ndarray], reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the scale and the offset of each band that bring what the model says to a recording.

    Parameters
    ----------
    spoken : sequence of np.ndarray [shape=(F, n_mels)]
        Natural-log mels that the model made with this voice, of several sentences.
    reference : np.ndarray [shape=(R, n_mels)]
        Natural-log mel of the recording.

    Returns
    -------
    scale, offset : np.ndarray [shape=(n_mels,), float32]
        ``scale * mel + offset`` has the mean and, as far as a scale between 1 and 1.8 goes, the
        standard deviation of the recording, both smoothed over neighbouring bands.

    Notes
    -----
    The variance is Toda & Tokuda's "global variance", 2007, here restored after the fact.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    said = np.concatenate([speech_frames(mel) for mel in spoken])
    heard = speech_frames(np.asarray(reference, np.float32))
    contrast = _smooth(heard.std(axis=0) / np.maximum(said.std(axis=0), 0.1))
    scale = np.clip(contrast, 1.0, MOST_CONTRAST)
    mean = said.mean(axis=0)
    offset = mean + _smooth(heard.mean(axis=0) - mean) - scale * mean
    return scale.astype(np.float32), offset.astype(np.float32)


def speech_frames(mel: np.ndarray) -> np.ndarray:
    """Return the frames that are neither pauses nor breath: the louder part of the range. (F, M) -> (S, M)

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    energy = mel.mean(axis=1)
    quiet, loud = np.percentile(energy, [5, 95])
    return mel[energy >= quiet + 0.4 * (loud - quiet)]


def _smooth(bands: np.ndarray) -> np.ndarray:
    return scipy.ndimage.gaussian_filter1d(bands, SMOOTHING_BANDS, mode="nearest")
