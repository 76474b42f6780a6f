"""What a trained MelNet can do: speak, dream, refine a coarse spectrogram, and say how surprised it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from keras import ops

from tinyclone.config import AudioConfig
from tinyclone.errors import AudioError
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.papers.characters import encode_characters
from tinyclone.papers.gaussian_mixtures import draw
from tinyclone.papers.melnet_sampling import TierSampler, read_text
from tinyclone.papers.multiscale import axis_of, interleave, spectrogram_of

# Natural-log mels of speech at full scale stay below this; a drawn value beyond it would lead to worse ones.
LOUDEST = 3.0


class Drawn(NamedTuple):
    """A spectrogram that MelNet drew.

    Parameters
    ----------
    mel : np.ndarray, shape (F, n_mels), float32
        Natural logarithm.
    alignment : np.ndarray, shape (T, N)
        How much each character counted at each frame of the first tier; N is 0 without a text.
    finished : bool
        Whether the text was read to its end.
    audio : AudioConfig

    Notes
    -----
    Lesson: lessons/papers/melnet.ipynb
    """

    mel: np.ndarray
    alignment: np.ndarray
    finished: bool
    audio: AudioConfig

    def to_wav(self, *, n_iter: int = 60) -> np.ndarray:
        """Make a wave of it with Griffin-Lim. -> (N,)"""
        return mel_to_wav(self.mel, config=self.audio, n_iter=n_iter)


class MelNetSpeaking:
    """The part of `tinyclone.papers.melnet.MelNet` that uses what it learned."""

    def speak(
        self, text: str, *, temperature: float = 1.0, max_seconds: float = 8.0, seed: int = 0
    ) -> Drawn:
        """Draw the spectrogram of a text.

        Parameters
        ----------
        text : str
        temperature : float >= 0
            See `tinyclone.papers.gaussian_mixtures.draw`.
        max_seconds : float > 0
            Stop here if the end of the text is not reached.
        seed : int

        Returns
        -------
        Drawn

        Raises
        ------
        TextError
            If nothing in the text can be spoken.
        ValueError
            If the temperature is below 0.

        Notes
        -----
        Lesson: lessons/papers/melnet.ipynb
        """
        characters = encode_characters(text)  # (N,)
        n_frames = max(1, round(max_seconds * self.config.audio.frames_per_sec / self.config.frames_multiple))
        first = TierSampler(self.tiers[0], memory=read_text(self.reader, characters))
        chance = np.random.default_rng(seed)
        x = first.sample(n_frames, self._choice(temperature, chance), n_characters=len(characters))
        mel = self._refined(x, 2, temperature, chance)
        alignment = np.array(first.window.looked_at)
        return Drawn(mel, alignment, first.window.left_the_text(len(characters)), self.config.audio)

    def dream(self, seconds: float, *, temperature: float = 1.0, seed: int = 0) -> Drawn:
        """Draw a spectrogram of no text at all.

        Parameters
        ----------
        seconds : float > 0
        temperature : float >= 0
        seed : int

        Returns
        -------
        Drawn

        Notes
        -----
        Lesson: lessons/papers/melnet.ipynb
        """
        n_frames = max(1, round(seconds * self.config.audio.frames_per_sec / self.config.frames_multiple))
        first = TierSampler(self.tiers[0], memory=read_text(self.reader, np.zeros(1, np.int32)))
        chance = np.random.default_rng(seed)
        x = first.sample(n_frames, self._choice(temperature, chance))
        mel = self._refined(x, 2, temperature, chance)
        return Drawn(mel, np.zeros((n_frames, 0)), True, self.config.audio)

    def refine(
        self, coarse: np.ndarray, *, tier: int = 2, temperature: float = 1.0, seed: int = 0
    ) -> np.ndarray:
        """Draw what is missing between the frames and bands of a coarse spectrogram.

        Parameters
        ----------
        coarse : np.ndarray, shape (T, M)
            Natural-log mel of all tiers before `tier`: for tier 2 every fourth frame and band, if there are
            five tiers.
        tier : int
            The first tier to draw.
        temperature : float >= 0
        seed : int

        Returns
        -------
        np.ndarray, shape (F, n_mels), float32

        Raises
        ------
        ValueError
            If there is no such tier, or the temperature is below 0.
        AudioError
            If the spectrogram has another number of bands, no frames, or values that are not finite.

        Notes
        -----
        Lesson: lessons/papers/melnet.ipynb
        """
        if not 2 <= tier <= self.config.n_tiers:
            raise ValueError(f"There is no tier {tier} to begin with. Choose 2 to {self.config.n_tiers}.")
        coarse, n_bands = np.asarray(coarse, np.float32), self.tiers[tier - 1].n_bands
        if coarse.ndim != 2 or coarse.shape[1] != n_bands or not len(coarse):
            raise AudioError(
                f"The coarse spectrogram has the shape {coarse.shape}; expected (frames, {n_bands}) for "
                f"tier {tier}."
            )
        if not np.isfinite(coarse).all():
            raise AudioError("The coarse spectrogram holds NaN or infinite values.")
        return self._refined(self.normalised(coarse), tier, temperature, np.random.default_rng(seed))

    def surprise(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """How surprising each element of real spectrograms is, given those drawn before it.

        Parameters
        ----------
        inputs : dict
            As `tinyclone.paper_batches.padded_batch` makes them; `MelNet.call` says what they mean.

        Returns
        -------
        np.ndarray, shape (B, F, n_mels)
            Negative log-likelihood in nats, of natural-log mels; NaN on padding.

        Notes
        -----
        Lesson: lessons/papers/melnet.ipynb
        """
        missing = -inputs["mel"].shape[1] % self.config.frames_multiple
        mel = np.pad(inputs["mel"], ((0, 0), (0, missing), (0, 0)), mode="edge")
        padded = {"characters": inputs["characters"], "mel": mel, "frames": inputs["frames"]}
        tiers = [one for one, _ in self.surprises(padded, self.predict_on_batch(padded))]
        whole = ops.convert_to_numpy(spectrogram_of(tiers))[:, : mel.shape[1] - missing]  # (B, F, M)
        real = np.arange(whole.shape[1]) < inputs["frames"][:, None]  # (B, F)
        return np.where(real[..., None], whole, np.nan)

    def _choice(self, temperature: float, chance: np.random.Generator):
        """Return a function that draws an element: see `TierSampler.sample`."""
        if temperature < 0:
            raise ValueError(f"Got a temperature of {temperature}; expected 0 or more.")
        config = self.config
        lowest, highest = (float(self.normalised(one)) for one in (np.log(config.audio.log_floor), LOUDEST))

        def choose(raw: np.ndarray, frame: int, band: int) -> float:
            value = draw(raw, smallest_std=config.smallest_std, temperature=temperature, chance=chance)
            return min(max(value, lowest), highest)

        return choose

    def _refined(
        self, x: np.ndarray, tier: int, temperature: float, chance: np.random.Generator
    ) -> np.ndarray:
        """Draw the tiers from one on. (T, M), normalised -> (F, n_mels), natural log"""
        for number in range(tier, self.config.n_tiers + 1):
            sampler = TierSampler(self.tiers[number - 1], coarser=x)
            finer = sampler.sample(len(x), self._choice(temperature, chance))
            x = ops.convert_to_numpy(interleave(x[None], finer[None], axis_of(number)))[0]
        return x * self.config.mel_std + self.config.mel_mean
