"""Checkpoints: everything that a run needs to go on, written so that a kill at any moment does no harm."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from tinyclone.array_files import replace_file
from tinyclone.errors import CheckpointError
from tinyclone.pretrained import save_cloner

# What h5py and Keras raise when a file is not whole.
DAMAGED = (OSError, ValueError, KeyError, RuntimeError, TypeError)


@contextmanager
def averaged_weights(trainer: keras.Model) -> Iterator[None]:
    """Give a model the averages of its weights, as long as the block lasts, if its optimizer keeps any.

    Polyak & Juditsky 1992: the mean of the last steps lies nearer to the minimum than any of them.
    """
    raw = [np.array(variable) for variable in trainer.trainable_variables]
    trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
    for variable in trainer.trainable_variables:
        # A copy: on JAX, the model and the optimizer share the average, and a step may free the model's.
        variable.assign(np.array(variable))
    try:
        yield
    finally:
        for variable, value in zip(trainer.trainable_variables, raw, strict=True):
            variable.assign(value)


class AveragedValidation(keras.callbacks.Callback):
    """Score the averaged weights on held-out data, since they are the ones that are exported."""

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Put the averages in."""
        self._block = averaged_weights(self.model)
        self._block.__enter__()

    def on_test_end(self, logs: dict | None = None) -> None:
        """Put the weights of the last step back."""
        self._block.__exit__(None, None, None)


class Checkpoints(keras.callbacks.Callback):
    """After each epoch, write everything that a run needs to go on.

    The weights and the optimizer go to ``epoch-N.weights.h5``, under a temporary name first;
    ``state.json`` then names the file, so that a kill at any moment leaves a whole checkpoint. The last
    two are kept. ``cloner.npz`` is the model for `tinyclone.pretrained.load_cloner`.

    Parameters
    ----------
    run : Path
        Folder of the run.
    identity : dict
        What must be equal for a run to be resumed: configs, speakers, seed, steps.

    Notes
    -----
    Lesson: lessons/05_gpu_training.ipynb
    """

    kept = 2

    def __init__(self, run: Path, identity: dict) -> None:
        super().__init__()
        self.run, self.identity = run, json.loads(json.dumps(identity))
        self._state = run / "state.json"

    def resume(self, trainer: keras.Model) -> int:
        """Load the newest checkpoint into a built trainer and return the number of finished epochs.

        Raises
        ------
        CheckpointError
            If the folder holds a run of another identity (the message names the differences), or a
            damaged checkpoint (it names the earlier one).
        """
        if not self._state.exists():
            return 0
        state = read_state(self.run)
        require_same(
            state["identity"],
            self.identity,
            what=f"The run in {self.run} was started",
            advice="Choose another folder for this run, or start it with the same values to resume it.",
        )
        files = [one for one in _files_of(state) if (self.run / one["weights"]).exists()]
        if not files:
            raise CheckpointError(
                f"{self._state} names {state['weights']}, but the file is not there. Put it back, or delete "
                "state.json to begin anew."
            )
        newest = self.run / files[0]["weights"]
        try:
            if "sha256" in files[0] and hashlib.sha256(newest.read_bytes()).hexdigest() != files[0]["sha256"]:
                raise ValueError("its checksum differs")
            trainer.load_weights(newest)
        except DAMAGED as error:
            earlier = f"go on from {files[1]['weights']}" if len(files) > 1 else "begin anew"
            raise CheckpointError(
                f"The checkpoint {newest} ({newest.stat().st_size} bytes) is damaged or truncated "
                f"({str(error)[:80]}). Delete it and run the same command again to {earlier}."
            ) from error
        return files[0]["epochs"]

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Let the dropout of an epoch depend on the seed and the epoch alone, as the batches do."""
        states = [one for one in self.model.variables if one.path.endswith("seed_generator_state")]
        for number, state in enumerate(states):
            state.assign([self.identity["seed"], 1000 * epoch + number])

    def export(self) -> None:
        """Write the model alone, as it is used."""
        save_cloner(self.run / "cloner.npz", self.model.cloner)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the checkpoint of this epoch and remove those before the last two."""
        name = f"epoch-{epoch + 1}.weights.h5"
        earlier = _files_of(read_state(self.run)) if self._state.exists() else []
        try:
            content = _weights_file(self.model)
            replace_file(self.run / name, content)
            with averaged_weights(self.model):
                self.export()
            new = {"epochs": epoch + 1, "weights": name, "sha256": hashlib.sha256(content).hexdigest()}
            files = [new, *(one for one in earlier if one["epochs"] <= epoch)][: self.kept]
            state = {**new, "earlier": files[1:], "identity": self.identity}
            replace_file(self._state, json.dumps(state).encode())
        except (OSError, CheckpointError) as error:
            last = f"{earlier[0]['weights']} is whole" if earlier else "there is none before it"
            raise CheckpointError(
                f"The checkpoint {name} cannot be written to {self.run}: {str(error)[:200]} Of the run, "
                f"{last}. Make room for three such files, then run the same command again to go on."
            ) from error
        keep = {one["weights"] for one in files}
        for old in self.run.glob("*epoch-*.weights.h5*"):  # with what a killed run left half written
            if old.name not in keep:
                old.unlink()


def _weights_file(model: keras.Model) -> bytes:
    """Return what `save_weights` writes.

    It is written to the local disk first and comes into the run's folder in one piece: the library behind
    it needs more of a file system than a mounted network drive is, and dies on a full disk.
    """
    variables = [*model.variables, *model.optimizer.variables]
    size = 2 * sum(int(np.prod(one.shape)) * 4 for one in variables)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < size:
        raise CheckpointError(f"{folder} has {free / 1e6:.0f} MB left, {size / 1e6:.0f} MB are needed.")
    with tempfile.TemporaryDirectory(prefix="tinyclone-") as local:
        path = Path(local) / "checkpoint.weights.h5"
        model.save_weights(path)
        return path.read_bytes()


def read_state(run: Path) -> dict:
    """Read what ``state.json`` says of a run; `CheckpointError` if it is damaged."""
    try:
        state = json.loads((run / "state.json").read_text(encoding="utf-8"))
        state["epochs"], state["weights"], state["identity"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{run / 'state.json'} cannot be read ({type(error).__name__}): it says which checkpoint is the "
            f"last. The checkpoints of {run} can still be given as initial weights of a new run."
        ) from error
    return state


def require_same(saved: Mapping, now: Mapping, *, what: str, advice: str) -> None:
    """Raise `CheckpointError` that names each difference; what was not noted then is not compared."""
    differences = list(_differences(saved, json.loads(json.dumps(now))))
    if differences:
        raise CheckpointError(f"{what} with {'; '.join(differences)}. {advice}")


def _differences(saved: Mapping, now: Mapping, *, inside: str = "") -> Iterator[str]:
    for name in now:
        if name not in saved or saved[name] == now[name]:
            continue
        if isinstance(now[name], dict) and isinstance(saved[name], dict):
            yield from _differences(saved[name], now[name], inside=f"{inside}{name}.")
        else:
            yield f"{inside}{name} = {_short(saved[name])} (now {_short(now[name])})"


def _files_of(state: Mapping) -> list[dict]:
    return [state, *state.get("earlier", [])]


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else shown[:57] + "..."
