"""What can be understood of MelNet: copies, coarse mels that it refines, and what it draws from a text.

    python benchmarks/melnet_words.py

The sentences are those of tinyvoices that were held out; all sounds but the recording are Griffin-Lim's. The
table that it prints stands in tinyclone/weights/papers/MELNET_CARD.md. Without the judges
(benchmarks/install_judges.sh) it has no numbers. Some six minutes on a slow core.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bench
import numpy as np
import report
from tqdm import tqdm
from utterances import Utterance

from tinyclone.audio import normalise_loudness, save_audio
from tinyclone.griffin_lim import mel_to_wav
from tinyclone.mel import log_mel
from tinyclone.paper_training import load_paper
from tinyclone.papers.multiscale import spectrogram_of, tiers_of
from tinyclone.papers.one_voice import Sentence, read_one_voice

TEMPERATURE = 0.8


def main() -> None:
    """Draw, have it judged, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--model", type=Path, help="instead of the one that comes with the package")
    add("--limit", type=int, help="at most so many sentences")
    bench.add_judges_options(parser)
    options = parser.parse_args()
    melnet = load_paper("melnet", options.model)
    sentences = read_one_voice(config=melnet.config.audio)[1][: options.limit]
    left_out: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        utterances = list(drawn(sounds_of(melnet), sentences, Path(folder)))
        scores = bench.judge(utterances, Path(folder), options, left_out)
    rows = report.rows_of(list(zip(utterances, scores, strict=True)))
    print(*left_out, "| | word errors | predicted mark |", "|---|--:|--:|", *map(line_of, rows), sep="\n")


def sounds_of(melnet) -> dict[str, Callable[[Sentence], np.ndarray]]:
    """Return what is heard: by its name, what makes a wave of a sentence."""
    audio, n_tiers = melnet.config.audio, melnet.config.n_tiers

    def copy(sentence: Sentence) -> np.ndarray:
        return mel_to_wav(sentence.mel, config=audio)

    def refined(tier: int) -> Callable[[Sentence], np.ndarray]:
        return lambda one: mel_to_wav(
            melnet.refine(coarse_mel(one.mel, melnet, tier), tier=tier, temperature=TEMPERATURE), config=audio
        )

    def straight_lines(sentence: Sentence) -> np.ndarray:
        coarse = coarse_mel(sentence.mel, melnet, tier=2)
        return mel_to_wav(with_straight_lines(coarse, audio.n_mels), config=audio)

    return {
        "the recording (flite)": lambda one: one.wav,
        "copy, 80 bands": lambda one: mel_to_wav(log_mel(one.wav)),
        f"copy, {audio.n_mels} bands": copy,
        f"every second frame and band real, tiers 4 to {n_tiers} drawn": refined(4),
        f"every fourth frame and band real, tiers 2 to {n_tiers} drawn": refined(2),
        "the same, straight lines instead": straight_lines,
        f"from the text, temperature {TEMPERATURE}": lambda one: melnet.speak(
            one.text, temperature=TEMPERATURE
        ).to_wav(),
    }


def coarse_mel(mel: np.ndarray, melnet, tier: int) -> np.ndarray:
    """Return what the tiers before one make of a mel. (F, n_mels) -> (T, M)"""
    whole = len(mel) // melnet.config.frames_multiple * melnet.config.frames_multiple
    return np.asarray(spectrogram_of(tiers_of(mel[None, :whole], melnet.config.n_tiers)[: tier - 1]))[0]


def with_straight_lines(coarse: np.ndarray, n_mels: int) -> np.ndarray:
    """Fill what is missing between frames and bands that stand evenly; the last ones are held."""
    every = n_mels // coarse.shape[1]

    def longer(line: np.ndarray) -> np.ndarray:
        return np.interp(np.arange(every * len(line)), every * np.arange(len(line)), line)

    for axis in (0, 1):
        coarse = np.apply_along_axis(longer, axis, coarse)
    return coarse.astype(np.float32)


def drawn(
    sounds: dict[str, Callable[[Sentence], np.ndarray]], sentences: Sequence[Sentence], work: Path
) -> Iterator[Utterance]:
    """Make every sound of every sentence."""
    for number, (name, sound) in enumerate(sounds.items()):
        for place, sentence in enumerate(tqdm(sentences, desc=name, unit="clip", mininterval=2.0)):
            path = work / f"{number}-{place}.wav"
            save_audio(path, normalise_loudness(sound(sentence)))
            yield Utterance(name, "", sentence.text, path)


def line_of(row: dict) -> str:
    """Write a line of the table."""
    return f"| {row['system']} | {report.word_errors(row)} | {report.number(row['mos'], 2)} |"


if __name__ == "__main__":
    main()
