"""The same program on TensorFlow and on JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# What runs once need not run fast: with these, JAX compiles it in two thirds of the time.
QUICKLY_COMPILED = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def assert_backends_agree(program: str, folder: Path) -> None:
    """Run a program once on each backend and compare the arrays that it saves.

    In the program, ``{tests}`` is the folder of the tests and ``{out}`` the file to save to; its last word
    on standard output names the backend. Arrays whose names begin with "step" say by how much plain gradient
    descent moved the weights: Adam's first step is the gradient's sign, and of a gradient that is nearly
    zero no two processors agree on the sign.
    """
    pytest.importorskip("jax", reason="the extra 'test' brings JAX where it can be installed")
    results = {}
    for backend in ("tensorflow", "jax"):
        out = folder / f"{backend}.npz"
        code = program.format(tests=str(Path(__file__).parent), out=str(out))
        environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": QUICKLY_COMPILED}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 and done.stdout.split()[-1] == backend, done.stderr[-3000:]
        results[backend] = np.load(out)
    expected, got = results["tensorflow"], results["jax"]
    steps = [name for name in got.files if name.startswith("step")]
    whole_step = np.sqrt(sum(np.sum(np.square(expected[name], dtype=np.float64)) for name in steps))
    assert whole_step > 0
    for name in got.files:
        if name in steps:
            difference = np.linalg.norm(expected[name] - got[name])
            assert difference <= 1e-2 * np.linalg.norm(expected[name]) + 1e-4 * whole_step, name
        else:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-3, atol=2e-4, err_msg=name)
