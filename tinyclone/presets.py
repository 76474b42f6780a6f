"""Two recipes of training that fit a machine each: a laptop's processor, and one graphics card."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyclone.config import ClonerConfig
from tinyclone.errors import TinycloneError

# (frames, tokens, clips in a batch): every bucket holds about as many frames, so every step costs the same.
Buckets = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Preset:
    """Every choice of a training that depends on the machine.

    Parameters
    ----------
    name : str
        What ``tinyclone train --preset`` calls it.
    purpose : str
        One line for people.
    buckets : tuple of (frames, tokens, clips)
        Shapes of a batch; a piece of a clip goes into the first that holds it.
    epochs, steps_per_epoch : int
        A checkpoint is written after every epoch.
    learning_rate : float
        At its highest.
    warmup_steps : int
        Steps until then.
    pseudo_speakers : int
        Perturbed copies of each clip, see `tinyclone.features.pseudo_speaker_rates`.
    max_seconds : float
        Longer clips are left out: their transcripts are wrong more often.
    ema_momentum : float or None
        Of the averaged weights that are exported; None exports the last ones.
    mixed_precision : bool
        Whether matrices are multiplied in half precision.
    config : ClonerConfig
        Sizes of the model.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    name: str
    purpose: str
    buckets: Buckets
    epochs: int
    steps_per_epoch: int
    learning_rate: float
    warmup_steps: int
    pseudo_speakers: int
    max_seconds: float
    ema_momentum: float | None
    mixed_precision: bool
    config: ClonerConfig = field(default_factory=ClonerConfig)

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.epochs * self.steps_per_epoch


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="laptop",
            purpose="two cores and no graphics card: the shipped model's sizes, about 20 minutes",
            buckets=((192, 72, 16), (288, 104, 11), (416, 144, 8)),
            epochs=15,
            steps_per_epoch=200,
            learning_rate=1e-3,
            warmup_steps=200,
            pseudo_speakers=1,
            max_seconds=20.0,
            ema_momentum=0.995,
            mixed_precision=False,
        ),
        Preset(
            name="gpu",
            purpose="one graphics card of 12 GB or more: ten times the frames in a batch, a wider model",
            # Multiples of eight: what tensor cores and up to eight cards share out evenly.
            buckets=((192, 72, 168), (288, 104, 112), (416, 144, 80), (640, 216, 48)),
            epochs=60,
            steps_per_epoch=500,
            learning_rate=1e-3,
            warmup_steps=1000,
            pseudo_speakers=2,
            max_seconds=20.0,
            ema_momentum=0.999,
            mixed_precision=True,
            config=ClonerConfig(
                text_channels=256, reference_channels=256, variance_channels=256, decoder_channels=384
            ),
        ),
    )
}


def preset_named(name: str) -> Preset:
    """Return a preset; `TinycloneError` names those that exist if it is none of them."""
    if name not in PRESETS:
        known = "; ".join(f"{one.name} ({one.purpose})" for one in PRESETS.values())
        raise TinycloneError(f"There is no preset {name!r}. The presets are {known}.")
    return PRESETS[name]
