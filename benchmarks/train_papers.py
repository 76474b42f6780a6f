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
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from tinyclone.fitting import Batches
from tinyclone.paper_training import train_paper
from tinyclone.papers.one_voice import Sentence, read_one_voice


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Parameters
    ----------
    make : callable
        Makes the model of training sentences (which may decide how mels are normalised).
    batches : callable
        Makes batches of sentences, a number of steps and a seed.
    epochs, steps_of_an_epoch : int
        Checkpoints, and the steps between them.
    settings : dict
        What else `train_paper` is given.
    """

    make: Callable[[Sequence[Sentence]], keras.Model]
    batches: Callable[..., Batches]
    epochs: int
    steps_of_an_epoch: int = 250
    settings: dict[str, Any] = field(default_factory=dict)


# Each recipe is a function, so that only the model that is trained is imported.
RECIPES: dict[str, Callable[[], Recipe]] = {}


def main() -> None:
    """Run one recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("paper", choices=list(RECIPES))
    parser.add_argument("--corpus", type=Path, help="sentences of one voice beside those of tinyvoices")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    arguments = parser.parse_args()

    recipe = RECIPES[arguments.paper]()
    epochs = arguments.epochs or recipe.epochs
    keras.utils.set_random_seed(0)
    training, held_out = read_one_voice(arguments.corpus)
    model = recipe.make(training)
    train_paper(
        arguments.run,
        model,
        recipe.batches(training, steps=epochs * recipe.steps_of_an_epoch, seed=0),
        epochs=epochs,
        validation=recipe.batches(held_out, steps=4, seed=1),
        **recipe.settings,
    )
    print(f"{arguments.run / 'model.npz'}: {model.count_params():,} weights")


if __name__ == "__main__":
    main()
