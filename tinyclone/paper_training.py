"""Training the models of the papers, and their weights in one file each."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tinyclone.array_files import read_arrays
from tinyclone.checkpoints import Checkpoints
from tinyclone.errors import CheckpointError
from tinyclone.fitting import Batches, fit_or_go_on, require_writable, steps_of_epoch
from tinyclone.model_weights import assign_weights, save_model
from tinyclone.pretrained import load_once, read_config

PAPERS = {"wavenet": "WaveNet", "tacotron": "Tacotron", "tacotron2": "Tacotron2", "melnet": "MelNet"}


def load_paper(name: str, path: str | Path | None = None) -> keras.Model:
    """Load a model of a paper; without a path, the small one that comes with the package.

    Parameters
    ----------
    name : {"wavenet", "tacotron", "tacotron2", "melnet"}
    path : str or Path, optional
        A file of `save_paper`. A ``SHA256SUMS`` beside it that names it must agree with it.

    Returns
    -------
    keras.Model
        It stays in memory: the second call with the same file returns the same object.

    Raises
    ------
    CheckpointError
        If there is no such paper, or the file is missing, damaged, differs from its checksum, or holds
        another model.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    audio = _classes(name)[1]().audio
    return load_once(path, name=f"papers/{name}.npz", read=_reader(name), audio=audio)


def save_paper(
    path: str | Path, model: keras.Model, *, card: Mapping[str, Any] | None = None, dtype: str = "float16"
) -> Path:
    """Save the weights and the config of a paper's model in one ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : str or Path
    model : keras.Model
        One of `PAPERS`.
    card : mapping, optional
        What JSON can hold and a later reader should know: corpus, minutes, measured quality.
    dtype : {"float16", "float32"}

    Returns
    -------
    Path

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    header = {"paper": name_of(model), "config": model.config.to_dict()}
    return save_model(path, model, header=header, card=card, dtype=dtype)


def name_of(model: keras.Model) -> str:
    """Return which of `PAPERS` a model is of."""
    for name, kind in PAPERS.items():
        if type(model).__name__ == kind:
            return name
    raise CheckpointError(
        f"{type(model).__name__} is no model of a paper. Give one of {list(PAPERS.values())}."
    )


class PaperCheckpoints(Checkpoints):
    """After each epoch, write what a run needs to go on, and ``model.npz`` for `load_paper`."""

    def export(self) -> None:
        """Write the model alone."""
        save_paper(self.run / "model.npz", self.model)


def train_paper(
    run: str | Path,
    model: keras.Model,
    batches: Batches,
    *,
    epochs: int,
    validation: Batches | None = None,
    learning_rate: float = 1e-3,
    warmup_steps: int = 100,
    ema_momentum: float | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Train a model, or go on where an earlier call with the same arguments was stopped.

    Parameters
    ----------
    run : str or Path
        Folder for checkpoints and ``log.csv``; an unfinished run in it is resumed.
    model : keras.Model
        One of `PAPERS`, with the weights to start from. It is changed.
    batches : Batches
        As many as steps are to be taken.
    epochs : int
        Checkpoints to write; the learning rate falls to zero along a cosine over all of them.
    validation : Batches, optional
        Held-out data, scored after each epoch.
    learning_rate : float
        Of Adam at its highest, after `warmup_steps` steps.
    ema_momentum : float in (0, 1), optional
        Keep a running average of the weights for validation and ``model.npz``.
    callbacks : sequence of keras callbacks

    Returns
    -------
    keras.Model
        The same model, trained.

    Raises
    ------
    CheckpointError
        If the folder holds a run of another model or other data, or a damaged checkpoint.
    TrainingError
        If the loss is no number any more; the message names the sentences.

    Notes
    -----
    Lesson: lessons/papers/wavenet.ipynb
    """
    run = Path(run)
    require_writable(run)
    steps_of_epoch(batches, epochs)
    identity = {
        "paper": name_of(model),
        "model": model.config.to_dict(),
        "seed": batches.seed,
        "steps": batches.steps,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "warmup_steps": warmup_steps,
        "ema_momentum": ema_momentum,
        "data": batches.fingerprint,
    }
    model({name: value[:1] for name, value in batches[0][0].items()})
    fit_or_go_on(
        model,
        batches,
        checkpoints=PaperCheckpoints(run, identity),
        epochs=epochs,
        validation=validation,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        ema_momentum=ema_momentum,
        callbacks=callbacks,
    )
    return model


def _classes(name: str) -> tuple[type[keras.Model], type]:
    """Return the class of a paper's model and of its config."""
    if name not in PAPERS:
        raise CheckpointError(f"There is no model of a paper {name!r}. Choose one of {', '.join(PAPERS)}.")
    module = importlib.import_module(f"tinyclone.papers.{name}")
    return getattr(module, PAPERS[name]), getattr(module, f"{PAPERS[name]}Config")


@functools.cache
def _reader(name: str) -> Any:
    """Return the function that reads a file of this paper: always the same one, as `load_once` needs."""

    def read(path: Path) -> keras.Model:
        arrays, header = read_arrays(path)
        if header.get("paper") != name:
            found = header.get("paper", "no model of a paper")
            raise CheckpointError(
                f"{path} holds {found!r}, expected {name!r}. "
                f"Give a file that save_paper wrote of {PAPERS[name]}."
            )
        kind, config = _classes(name)
        model = kind(read_config(config, header, "config", path=path)).build_all()
        assign_weights(model, arrays, path=path)
        return model

    return read
