"""The weights of a Keras model as named arrays, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyclone.array_files import write_arrays
from tinyclone.errors import CheckpointError

if TYPE_CHECKING:
    import keras

FLOAT16_LARGEST = 6.0e4


def save_model(
    path: str | Path,
    model: keras.Model,
    *,
    header: Mapping[str, Any],
    card: Mapping[str, Any] | None,
    dtype: str,
) -> Path:
    """Write a model's weights, a header, their fingerprint and a card in one file, whole or not at all."""
    if not model.built:
        model.build_all()
    arrays = weight_arrays(model, dtype=dtype)
    whole_header = {**header, "fingerprint": fingerprint_of(arrays), "card": dict(card or {})}
    return write_arrays(path, arrays, header=whole_header)


def weight_arrays(model: keras.Model, *, dtype: str) -> dict[str, np.ndarray]:
    """Return every weight of a built model under its number and path."""
    return {
        f"{index:03d}:{variable.path}": _shrink(np.asarray(variable), dtype=dtype)
        for index, variable in enumerate(model.weights)
    }


def assign_weights(model: keras.Model, arrays: Mapping[str, np.ndarray], *, path: Path) -> None:
    """Give a built model the weights of `weight_arrays`; `CheckpointError` if they do not fit."""
    variables, names = list(model.weights), sorted(arrays)
    if len(names) != len(variables):
        raise CheckpointError(
            f"{path} holds {len(names)} arrays, but its config makes a model of {len(variables)}. "
            "Use the version of tinyclone that wrote it, or train again."
        )
    for name, variable in zip(names, variables, strict=True):
        # Keras numbers its layers per process (dense, dense_1), so only the last part of a path is stable.
        same_name = name.rsplit("/", 1)[-1].split(":")[-1] == variable.path.rsplit("/", 1)[-1]
        if not same_name or arrays[name].shape != tuple(variable.shape):
            raise CheckpointError(
                f"{path} holds {name} {arrays[name].shape} where the model has {variable.path} "
                f"{tuple(variable.shape)}. Use the version of tinyclone that wrote it, or train again."
            )
    for name, variable in zip(names, variables, strict=True):
        variable.assign(arrays[name].astype(str(variable.dtype)))


def _shrink(values: np.ndarray, *, dtype: str) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.floating):
        return values
    if not np.isfinite(values).all():
        raise CheckpointError("The model holds NaN or infinite weights: train it again from an earlier save.")
    too_large = dtype == "float16" and np.abs(values).max(initial=0.0) > FLOAT16_LARGEST
    return values.astype("float32" if too_large else dtype)


def fingerprint_of(arrays: Mapping[str, np.ndarray]) -> str:
    """Return sixteen digits that change with any weight."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()[:16]
