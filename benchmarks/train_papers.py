"""Train the small model of a paper that comes with tinyclone, from the sentences to the checkpoint.

Run it again after an interruption: it goes on where it stopped.

    python datasets/make_one_voice.py --out runs/one_voice
    python benchmarks/train_papers.py wavenet --corpus runs/one_voice --run runs/papers/wavenet
    python benchmarks/train_papers.py tacotron --corpus runs/one_voice --run runs/papers/tacotron
    python benchmarks/train_papers.py tacotron2 --corpus runs/one_voice --run runs/papers/tacotron2
    python benchmarks/train_papers.py melnet --corpus runs/one_voice --run runs/papers/melnet

The corpus can be any that tinyclone.corpora reads, of one speaker: LJ Speech on a GPU, for example. Without
--corpus, a minute and a half of tinyvoices is all there is.
"""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from tinyclone.array_files import read_arrays
from tinyclone.config import AudioConfig
from tinyclone.fitting import Batches
from tinyclone.model_weights import assign_weights
from tinyclone.paper_training import train_paper
from tinyclone.papers.letter_places import place_letters
from tinyclone.papers.one_voice import Sentence, read_one_voice


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Parameters
    ----------
    make : callable
        Makes the model of training sentences (which may decide how mels are normalised), and of sizes by
        their names in its config, in place of the recipe's.
    batches : callable
        Makes batches of sentences, a number of steps and a seed.
    epochs, steps_of_an_epoch : int
        Checkpoints, and the steps between them.
    settings : dict
        What else `train_paper` is given.
    audio : AudioConfig
        How the mels of the sentences are made.
    placed : bool
        Whether attention is shown where the letters are.
    dropout : str, optional
        The name of the prenets' dropout in the config, for --dropout.
    """

    make: Callable[..., keras.Model]
    batches: Callable[..., Batches]
    epochs: int
    steps_of_an_epoch: int = 250
    settings: dict[str, Any] = field(default_factory=dict)
    audio: AudioConfig = AudioConfig()
    placed: bool = False
    dropout: str | None = None


def wavenet() -> Recipe:
    """An eighth of a second of each of four sentences at a step."""
    from tinyclone.paper_batches import WaveBatches
    from tinyclone.papers.wavenet import WaveNet

    return Recipe(
        make=lambda training: WaveNet(),
        batches=functools.partial(WaveBatches, clips=4, frames=8),
        epochs=20,
        settings={"learning_rate": 3e-3, "ema_momentum": 0.995},
    )


def tacotron() -> Recipe:
    """Sixteen sentences at a step, a second of each for the second CBHG; attention is shown the letters."""
    from tinyclone.papers.tacotron import Tacotron, TacotronConfig
    from tinyclone.spectrogram_batches import SpectrogramBatches

    sizes = TacotronConfig(teacher_dropout=0.5, hears_itself=0.5)
    shape = {"reduction_factor": sizes.reduction_factor, "silent_steps": sizes.silent_steps}
    return Recipe(
        make=lambda training, **others: Tacotron(replace(sizes, **others)),
        batches=functools.partial(SpectrogramBatches, clips=16, cut_frames=64, **shape),
        epochs=80,
        settings={"learning_rate": 2e-3},
        placed=True,
        dropout="dropout",
    )


def tacotron2() -> Recipe:
    """Sixteen sentences at a step; attention is shown the letters, and half of the frames are withheld."""
    from tinyclone.paper_batches import SentenceBatches
    from tinyclone.papers.tacotron2 import Tacotron2, Tacotron2Config

    def make(training: Sequence[Sentence], **sizes) -> Tacotron2:
        values = np.concatenate([one.mel for one in training])  # (F, M)
        scale = {"mel_mean": float(values.mean()), "mel_std": float(values.std())}
        config = Tacotron2Config(teacher_dropout=0.5, hears_itself=0.5, guided_weight=0.5, **scale)
        return Tacotron2(replace(config, **sizes))

    reduction_factor = Tacotron2Config().reduction_factor
    return Recipe(
        make=make,
        batches=functools.partial(SentenceBatches, clips=16, frames_multiple=reduction_factor),
        epochs=60,
        settings={"learning_rate": 2e-3},
        placed=True,
        dropout="prenet_dropout",
    )


def melnet() -> Recipe:
    """Sixteen sentences for the first tier at a step, and a cut of each for the others."""
    from tinyclone.melnet_batches import MelNetBatches
    from tinyclone.papers.melnet import MelNet, MelNetConfig

    sizes = MelNetConfig()
    return Recipe(
        make=lambda training: MelNet(sizes),
        batches=functools.partial(MelNetBatches, clips=16, frames_multiple=sizes.frames_multiple),
        epochs=7,
        steps_of_an_epoch=100,
        settings={"learning_rate": 2e-3},
        audio=sizes.audio,
    )


# Each recipe is a function, so that only the model that is trained is imported.
RECIPES: dict[str, Callable[[], Recipe]] = {
    "wavenet": wavenet,
    "tacotron": tacotron,
    "tacotron2": tacotron2,
    "melnet": melnet,
}


def main() -> None:
    """Run one recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paper", choices=list(RECIPES))
    parser.add_argument("--corpus", type=Path, help="sentences of one voice beside those of tinyvoices")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--start", type=Path, help="model.npz of an earlier run to begin with, not at random")
    parser.add_argument("--dropout", type=float, help="of a Tacotron's prenets, instead of the paper's 0.5")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    arguments = parser.parse_args()

    recipe = RECIPES[arguments.paper]()
    sizes, settings = {}, dict(recipe.settings)
    if arguments.dropout is not None:
        if recipe.dropout is None:
            parser.error(f"--dropout: {arguments.paper} has no prenets; leave it out.")
        sizes[recipe.dropout] = arguments.dropout
    if arguments.learning_rate is not None:
        settings["learning_rate"] = arguments.learning_rate
    epochs = arguments.epochs or recipe.epochs
    keras.utils.set_random_seed(0)
    training, held_out = read_one_voice(arguments.corpus, config=recipe.audio)
    if recipe.placed:
        arguments.run.mkdir(parents=True, exist_ok=True)
        training = place_letters(training, kept_in=arguments.run / "alignment.npz")
    model = recipe.make(training, **sizes)
    if arguments.start:
        assign_weights(model.build_all(), read_arrays(arguments.start)[0], path=arguments.start)
    train_paper(
        arguments.run,
        model,
        recipe.batches(training, steps=epochs * recipe.steps_of_an_epoch, seed=0),
        epochs=epochs,
        validation=recipe.batches(held_out, steps=4, seed=1),
        **settings,
    )
    print(f"{arguments.run / 'model.npz'}: {model.count_params():,} weights")


if __name__ == "__main__":
    main()
