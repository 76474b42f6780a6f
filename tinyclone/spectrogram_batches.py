"""Sentences to training batches with a linear spectrogram beside the mel, and silence after it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tinyclone.config import AudioConfig
from tinyclone.mel import stft
from tinyclone.paper_batches import SentenceBatches, require_fitting_cuts
from tinyclone.papers.one_voice import Sentence


class SpectrogramBatches(SentenceBatches):
    """Batches of `SentenceBatches` with a third target: ``linear`` (B, F, bins), natural log.

    Parameters
    ----------
    sentences, steps, clips, seed
        See `tinyclone.paper_batches.PaperBatches`.
    reduction_factor : int
        Frames of a decoder step; padded lengths are a multiple of it.
    silent_steps : int
        Decoder steps of silence that there is room for after each sentence.
    cut_frames : int, optional
        A linear spectrogram has so many frames of its sentence, from a random one on; all unless stated.
    audio : AudioConfig
        Window, hop and floor of the spectrograms.

    Raises
    ------
    CorpusError
        If there are no sentences, or one is shorter than a cut.

    Notes
    -----
    Wang et al. 2017, section 3.4: a decoder that is never told what comes after a sentence does not know
    when to stop. The second CBHG looks at a frame's surroundings alone: a cut teaches it as much as a
    sentence, in a fraction of the time. With cuts there is one more input, ``cut`` (B, cut_frames) int32, the
    numbers of the frames.

    Lesson: lessons/papers/tacotron.ipynb
    """

    def __init__(
        self,
        sentences: Sequence[Sentence],
        *,
        steps: int,
        reduction_factor: int,
        silent_steps: int,
        cut_frames: int | None = None,
        clips: int = 16,
        seed: int = 0,
        audio: AudioConfig = AudioConfig(),
    ) -> None:
        super().__init__(sentences, steps=steps, clips=clips, frames_multiple=reduction_factor, seed=seed)
        self.audio, self.more_frames, self.cut_frames = audio, reduction_factor * silent_steps, cut_frames
        if cut_frames is not None:
            require_fitting_cuts(self.sentences, cut_frames)
        # Half precision keeps them to 0.01 and in half the memory.
        self._linear = {id(one): log_magnitude(one, audio=audio).astype(np.float16) for one in self.sentences}

    @property
    def fingerprint(self) -> str:
        """As of all batches, and with how spectrograms are made."""
        whole = f"{super().fingerprint}{self.audio}{self.more_frames}|{self.cut_frames}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def batch_of(self, rows: list[Sentence], chance: np.random.Generator) -> tuple[dict, dict]:
        """Pad the sentences, and their linear spectrograms, with silence, and cut the latter."""
        inputs, targets = super().batch_of(rows, chance)
        silence, more = np.log(self.audio.log_floor), [(0, 0), (0, self.more_frames), (0, 0)]
        mel = np.pad(targets["mel"], more, constant_values=silence)  # (B, F, M)
        linear = np.full((*mel.shape[:2], 1 + self.audio.n_fft // 2), silence, np.float32)  # (B, F, bins)
        for row, one in enumerate(rows):
            linear[row, : len(one.mel)] = self._linear[id(one)]
        if "places" in inputs:
            inputs["places"] = np.pad(inputs["places"], more[:2], mode="edge")  # (B, F)
        if self.cut_frames is not None:
            last_starts = [len(one.mel) + self.more_frames - self.cut_frames for one in rows]
            cut = chance.integers(np.array(last_starts) + 1)[:, None] + np.arange(self.cut_frames)
            inputs["cut"] = cut.astype(np.int32)  # (B, N)
            linear = np.take_along_axis(linear, cut[:, :, None], axis=1)  # (B, N, bins)
        return {**inputs, "mel": mel}, {**targets, "mel": mel, "linear": linear}


def log_magnitude(sentence: Sentence, *, audio: AudioConfig = AudioConfig()) -> np.ndarray:
    """Return the natural log of a sentence's linear spectrogram, one row for each frame of its mel.

    Returns
    -------
    np.ndarray, shape (F, 1 + n_fft // 2), float32, at least log(log_floor)

    Notes
    -----
    Lesson: lessons/papers/tacotron.ipynb
    """
    magnitude = np.abs(stft(sentence.wav, config=audio))[: len(sentence.mel)]  # (F, bins)
    return np.log(np.maximum(magnitude, np.float32(audio.log_floor)))
