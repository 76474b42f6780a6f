"""Training batches for MelNet: whole sentences for the first tier, short cuts of them for the finer ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tinyclone.paper_batches import SentenceBatches, require_fitting_cuts
from tinyclone.papers.one_voice import Sentence


class MelNetBatches(SentenceBatches):
    """Sentences in two fixed shapes, some without their text, and a cut of each.

    The first tier needs whole sentences, to learn where in the text it is. The others look at their
    surroundings: a cut teaches them as much as a sentence, in a fraction of the time.

    Parameters
    ----------
    sentences, steps, clips, seed
        See `tinyclone.paper_batches.PaperBatches`.
    cut_frames : int
        Frames of a cut; a multiple of `frames_multiple`.
    without_text : float in [0, 1]
        Share of the sentences that come without a text, so that the model can also speak without one.
    frames_multiple : int
        Padded lengths are a multiple of it.

    Raises
    ------
    CorpusError
        If there are no sentences, or one is shorter than a cut.

    Notes
    -----
    Beside the inputs of `SentenceBatches`: ``cut`` (B, cut_frames, n_mels).

    Lesson: lessons/papers/melnet.ipynb
    """

    def __init__(
        self,
        sentences: Sequence[Sentence],
        *,
        steps: int,
        clips: int = 16,
        cut_frames: int = 48,
        without_text: float = 0.15,
        frames_multiple: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__(sentences, steps=steps, clips=clips, frames_multiple=frames_multiple, seed=seed)
        self.cut_frames, self.without_text = cut_frames, without_text
        require_fitting_cuts(self.sentences, cut_frames, multiple=frames_multiple)
        # Each shape is compiled on its own, and so many recurrent layers take minutes: two shapes, not three.
        short, rest = self.buckets[:2], self.buckets[2:]
        self.buckets = [sum(short, []), *rest]
        self.shapes = [tuple(map(max, zip(*self.shapes[:2]))), *self.shapes[2:]]

    @property
    def fingerprint(self) -> str:
        """As of all batches, and with their cuts."""
        own = f"{super().fingerprint}|{self.cut_frames}|{self.without_text}"
        return hashlib.sha256(own.encode()).hexdigest()[:16]

    def batch_of(self, rows: list[Sentence], chance: np.random.Generator) -> tuple[dict, dict]:
        """Pad the sentences, take some texts away, and cut each sentence at a random frame."""
        inputs, targets = super().batch_of(rows, chance)
        starts = [int(chance.integers(len(one.mel) - self.cut_frames + 1)) for one in rows]
        cuts = [one.mel[start : start + self.cut_frames] for one, start in zip(rows, starts)]
        inputs["characters"][chance.random(len(rows)) < self.without_text] = 0
        return {**inputs, "cut": np.stack(cuts)}, targets
