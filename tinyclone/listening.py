"""A blind listening test: sounds in random order without their names, and what the marks say."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import comb

import numpy as np

from tinyclone.audio import normalise_loudness
from tinyclone.confidence import OPINION_MAX, OPINION_MIN, Estimate, mean_opinion_score
from tinyclone.config import AudioConfig

# ITU-T Recommendation P.800, annex B: the five-point scale of listening quality.
MEANINGS = {1: "bad", 2: "poor", 3: "fair", 4: "good", 5: "excellent"}


class BlindTest:
    """Sounds of several systems, shuffled, nameless and equally loud.

    Parameters
    ----------
    sounds : mapping from str to sequence of np.ndarray [shape=(N,), float32]
        For each system its waves, two at least. Let every system say the same sentences in the same
        order: then marks can be compared pair by pair.
    seed : int, optional
        Of the order. Leave it out, so that nobody can know the order before.
    config : AudioConfig
        Its sample rate is that of the waves.

    Attributes
    ----------
    order : list of (str, int)
        For each sound that is played, its system and its place among the system's waves. Do not look
        before you have given your marks.

    Raises
    ------
    ValueError
        When there is no system, or one has fewer than two sounds.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """

    def __init__(
        self,
        sounds: Mapping[str, Sequence[np.ndarray]],
        *,
        seed: int | None = None,
        config: AudioConfig = AudioConfig(),
    ) -> None:
        counts = {name: len(waves) for name, waves in sounds.items()}
        if not counts or min(counts.values()) < 2:
            raise ValueError(
                f"Got {counts or 'no'} sounds; expected at least two of each system, for one mark does not "
                "say how far marks differ. Add sentences."
            )
        self.config = config
        # A louder sound gets better marks, whoever speaks.
        self._waves = {
            name: [normalise_loudness(wav, config=config) for wav in waves] for name, waves in sounds.items()
        }
        self.order = [(name, place) for name, count in counts.items() for place in range(count)]
        random.Random(seed).shuffle(self.order)

    def __len__(self) -> int:
        return len(self.order)

    @property
    def systems(self) -> list[str]:
        """Names of the systems, in the order in which they were given."""
        return list(self._waves)

    def sound(self, number: int) -> np.ndarray:
        """Return the wave of the sound that is played as number 0, 1, 2, ...; float32 at one loudness."""
        name, place = self.order[number]
        return self._waves[name][place]

    def marks_of(self, marks: Sequence[float]) -> dict[str, np.ndarray]:
        """Sort the marks back: for each system those of its sounds, in the order of its sentences.

        Parameters
        ----------
        marks : sequence of float
            One for each sound, 1 (bad) to 5 (excellent), in the order in which they were played.

        Raises
        ------
        ValueError
            When there are more or fewer marks than sounds, or one is outside 1 to 5.
        """
        given = np.asarray(marks, dtype=float)
        if given.shape != (len(self),):
            raise ValueError(
                f"Got marks of shape {given.shape} for {len(self)} sounds; expected one mark for each, in "
                "the order in which they were played."
            )
        for mark in marks:
            require_mark(mark)
        sorted_back = {name: np.zeros(len(waves)) for name, waves in self._waves.items()}
        for (name, place), mark in zip(self.order, given, strict=True):
            sorted_back[name][place] = mark
        return sorted_back

    def results(self, marks: Sequence[float], *, confidence: float = 0.95) -> dict[str, Estimate]:
        """Return the mean opinion score of each system with its confidence interval.

        Parameters
        ----------
        marks : sequence of float
            As in `marks_of`.
        confidence : float
            Between 0 and 1.

        Raises
        ------
        ValueError
            As in `marks_of`.
        """
        return {
            name: mean_opinion_score(own, confidence=confidence) for name, own in self.marks_of(marks).items()
        }

    def table(self, marks: Sequence[float]) -> str:
        """Return the results for people, the best system first."""
        found = self.results(marks)
        width = max(map(len, found))
        lines = [f"{'':<{width}}  marks  mean  95% interval"]
        for name, one in sorted(found.items(), key=lambda item: -item[1].value):
            n = len(self._waves[name])
            lines.append(f"{name:<{width}}  {n:5d}  {one.value:4.2f}  {one.low:.2f} to {one.high:.2f}")
        return "\n".join(lines)


def require_mark(mark: float) -> float:
    """Return the mark, or raise `ValueError` if it is not on the scale from 1 to 5.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    if not OPINION_MIN <= mark <= OPINION_MAX:
        scale = ", ".join(f"{value} {meaning}" for value, meaning in MEANINGS.items())
        raise ValueError(f"A mark is {mark!r}; expected one from 1 to 5: {scale}.")
    return mark


def guessing_probability(n_right: int, n_trials: int, *, chance: float = 0.5) -> float:
    """Return how likely it is that somebody who only guesses is right at least so often.

    Parameters
    ----------
    n_right, n_trials : int
        Right answers, and questions asked; 0 <= n_right <= n_trials.
    chance : float
        Of guessing one answer right: 1/2 in an ABX test.

    Returns
    -------
    float
        Between 0 and 1. Below 0.05 one usually says that a difference was heard.

    Raises
    ------
    ValueError
        When the numbers are not in range.

    Notes
    -----
    It is the upper tail of the binomial distribution.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    if not (0 <= n_right <= n_trials and 0 <= chance <= 1):
        raise ValueError(
            f"Got {n_right!r} right of {n_trials!r} with a chance of {chance!r}; expected from 0 to all "
            "right answers, and a chance from 0 to 1."
        )
    ways = (
        comb(n_trials, right) * chance**right * (1 - chance) ** (n_trials - right)
        for right in range(n_right, n_trials + 1)
    )
    return float(min(1.0, sum(ways)))
