"""How surprised MelNet is by new sentences, tier by tier, beside simple Gaussians: nats for an element.

    python datasets/make_one_voice.py --out runs/new --skip 1500 --sentences 46
    python benchmarks/melnet_likelihood.py --new runs/new

The sentences are those of tinyvoices that were held out, and those of --new. The table that it prints
stands in tinyclone/weights/papers/MELNET_CARD.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tinyclone.corpora import load_corpus
from tinyclone.paper_batches import padded_batch
from tinyclone.paper_training import load_paper
from tinyclone.papers.multiscale import tiers_of
from tinyclone.papers.one_voice import Sentence, read_one_voice, read_sentences

CLIPS_AT_ONCE = 10
BOOTSTRAPS = 2000


def main() -> None:
    """Score, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--new", type=Path, help="folder with more sentences that nothing was trained on")
    parser.add_argument("--corpus", type=Path, help="what the Gaussians learn from beside tinyvoices")
    parser.add_argument("--model", type=Path, help="instead of the one that comes with the package")
    options = parser.parse_args()
    melnet = load_paper("melnet", options.model)
    config = melnet.config
    training, sentences = read_one_voice(options.corpus, config=config.audio)
    if options.new is not None:
        sentences = [*sentences, *read_sentences(load_corpus(options.new), config=config.audio)]
    multiple = config.frames_multiple
    mels = [one.mel[: len(one.mel) // multiple * multiple] for one in sentences]
    smallest_std = config.smallest_std * config.mel_std
    rows = {name: [nats(mel) for mel in mels] for name, nats in gaussians(training, smallest_std).items()}
    longest = max(len(one.mel) for one in sentences)
    for name, with_text in (("MelNet, without the text", False), ("MelNet", True)):
        rows[name] = surprises(melnet, sentences, longest, with_text=with_text)
        rows[name] = [one[: len(mel)] for one, mel in zip(rows[name], mels)]
    print(f"{len(mels)} sentences, {sum(mel.size for mel in mels):,} elements\n")
    print("| nats for an element |", *(f"tier {1 + tier} |" for tier in range(config.n_tiers)), "all |")
    print("|---" + "|--:" * (config.n_tiers + 1) + "|")
    for name, nats in rows.items():
        print(line_of(name, nats, config.n_tiers))


def gaussians(training: Sequence[Sentence], smallest_std: float) -> dict[str, Callable]:
    """Fit the simple models: each band for itself, and each band from the frame before it."""
    seen = np.concatenate([one.mel for one in training])  # (F, M)
    mean, std = seen.mean(axis=0), np.maximum(seen.std(axis=0), smallest_std)
    before = np.concatenate([one.mel[:-1] for one in training])
    now = np.concatenate([one.mel[1:] for one in training])
    factor = ((before - before.mean(axis=0)) * (now - now.mean(axis=0))).mean(axis=0) / before.var(axis=0)
    constant = now.mean(axis=0) - factor * before.mean(axis=0)
    step = np.maximum((now - factor * before - constant).std(axis=0), smallest_std)

    def each_band(mel: np.ndarray) -> np.ndarray:
        return gaussian_nats(mel - mean, std)

    def frame_before(mel: np.ndarray) -> np.ndarray:
        rest = gaussian_nats(mel[1:] - factor * mel[:-1] - constant, step)
        return np.vstack([each_band(mel[:1]), rest])

    return {"a Gaussian for each band": each_band, "a Gaussian around the frame before": frame_before}


def gaussian_nats(distance: np.ndarray, std: np.ndarray) -> np.ndarray:
    """How surprising distances from the mean are."""
    return 0.5 * (distance / std) ** 2 + np.log(std) + 0.5 * np.log(2 * np.pi)


def surprises(melnet, sentences: Sequence[Sentence], longest: int, *, with_text: bool) -> list[np.ndarray]:
    """Return MelNet's surprise at each element of each sentence."""
    found = []
    for start in range(0, len(sentences), CLIPS_AT_ONCE):
        inputs, _ = padded_batch(sentences[start : start + CLIPS_AT_ONCE], n_frames=longest, n_characters=128)
        if not with_text:
            inputs["characters"][:] = 0
        found += list(melnet.surprise(inputs))
    return found


def line_of(name: str, nats: list[np.ndarray], n_tiers: int) -> str:
    """Write a line of the table: means over all elements, and a bootstrap over sentences for the last."""
    split = [tiers_of(one[None], n_tiers) for one in nats]
    means = [np.mean(np.concatenate([one[tier].ravel() for one in split])) for tier in range(n_tiers)]
    sums, sizes = np.array([one.sum() for one in nats]), np.array([one.size for one in nats])
    chosen = np.random.default_rng(0).integers(len(nats), size=(BOOTSTRAPS, len(nats)))
    low, high = np.quantile(sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1), (0.025, 0.975))
    cells = [*(f"{mean:.2f}" for mean in means), f"{sums.sum() / sizes.sum():.2f} ({low:.2f}-{high:.2f})"]
    return "| " + " | ".join([name, *cells]) + " |"


if __name__ == "__main__":
    main()
