"""The same program on TensorFlow and on JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def assert_backends_agree(program: str, folder: Path, *, share_of_weights: float) -> None:
    """Run a program once on each backend and compare the arrays that it saves.

    In the program, ``{tests}`` is the folder of the tests and ``{out}`` the file to save to; its last word
    on standard output names the backend. Arrays whose names begin with "weight" are trained weights.
    """
    pytest.importorskip("jax", reason="the extra 'test' brings JAX where it can be installed")
    results = {}
    for backend in ("tensorflow", "jax"):
        out = folder / f"{backend}.npz"
        code = program.format(tests=str(Path(__file__).parent), out=str(out))
        environment = {**os.environ, "KERAS_BACKEND": backend}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 and done.stdout.split()[-1] == backend, done.stderr[-3000:]
        results[backend] = np.load(out)
    for name in results["jax"].files:
        # Adam's first step is the sign of the gradient: where that is nearly zero, backends may differ.
        expected, got = results["tensorflow"][name], results["jax"][name]
        if name.startswith("weight"):
            assert np.mean(np.abs(expected - got) < 2e-5) > share_of_weights, name
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-4, err_msg=name)
