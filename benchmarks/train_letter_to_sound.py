"""Train the network that sounds out words which the dictionary lacks, and measure it on words it never saw.

    python benchmarks/train_letter_to_sound.py --run runs/letter_to_sound           # train, measure
    python benchmarks/train_letter_to_sound.py --run runs/letter_to_sound --ship    # and put it into use

Run it again after an interruption: it goes on where it stopped. Words are held out by families, so that no
inflection of a held-out word is learned. Writes ``letter_to_sound.md`` and ``.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from tqdm import tqdm

from tinyclone.letter_to_sound import LetterToSound
from tinyclone.letter_to_sound_training import (
    LetterBatches,
    LetterReader,
    dictionary_words,
    phone_errors,
    split_words,
    usual_chunks,
)
from tinyclone.pronunciation import all_pronunciations, dictionary
from tinyclone.shipped import shipped_folder, write_checksums
from tinyclone.spelling_alignment import align_spellings

HERE = Path(__file__).resolve().parent
# Words that no dictionary of 1993 has, and names: to be read by whoever reads the table.
EXAMPLES = "covid zendaya quidditch brexit vlogging emojis chatbot wakanda voldemort tinyclone".split()


def train(run: Path, *, epochs: int, batch: int, learning_rate: float) -> LetterToSound:
    """Train on the families of the training part, or go on."""
    words = dictionary_words(dictionary())
    split = split_words(words)
    aligned = align_spellings({word: words[word] for word in split["training"]})
    chunks = usual_chunks(aligned)
    held_out = align_spellings({word: words[word] for word in split["validation"]})
    batches = LetterBatches(aligned, chunks=chunks, size=batch, forget=0.1)
    validation = LetterBatches(held_out, chunks=chunks, size=batch)
    keras.utils.set_random_seed(0)
    reader = LetterReader(chunks).build_all()
    print(f"{len(aligned)} words, {len(batches.wanted)} letters, {reader.count_params()} parameters")
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 100, steps - 200, warmup_target=learning_rate, warmup_steps=200, alpha=0.01
    )
    reader.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    reader.fit(
        batches,
        validation_data=validation,
        epochs=epochs,
        verbose=2 if os.environ.get("CI") else "auto",
        callbacks=[keras.callbacks.BackupAndRestore(str(run / "unfinished"))],
    )
    return reader.to_numpy()


def measure(network: LetterToSound) -> dict:
    """Score the network on the test words, and find out how fast it is and what it makes of new words."""
    words = dictionary_words(dictionary())
    test = split_words(words)["test"]
    pronunciations = all_pronunciations()
    listed = {word: pronunciations[word] for word in tqdm(test, desc="test words")}
    start = time.perf_counter()
    result = phone_errors(network, listed)
    result["milliseconds_a_word"] = 1000 * (time.perf_counter() - start) / len(test)
    first_only = phone_errors(network, {word: [words[word]] for word in test})
    result["phone_error_rate_first_only"] = first_only["phone_error_rate"]
    names = [word for word in test if word.endswith(("s", "'s"))]
    result["plurals"] = phone_errors(network, {word: listed[word] for word in names})
    result["parameters"] = int(sum(array.size for array in network.weights.values()))
    result["examples"] = {word: " ".join(network.sound_out(word)) for word in EXAMPLES}
    return result


def report(result: dict) -> str:
    """Return the page about the network."""
    lines = [
        "# Words that the dictionary lacks",
        "",
        f"A network of {result['parameters']:,} parameters ({result['megabytes']:.2f} MB) sounds out words "
        "from their letters. It learned from the CMU Pronouncing Dictionary; the test words and all their "
        "inflections were kept from it. Of several pronunciations in the dictionary, the closest counts.",
        "",
        f"| held-out words (n {result['n_words']:,}) | errors |",
        "|---|---|",
        f"| phones, without stress | {result['phone_error_rate']:.2%} |",
        f"| phones, without stress, first pronunciation only | {result['phone_error_rate_first_only']:.2%} |",
        f"| phones with their stress | {result['phone_and_stress_error_rate']:.2%} |",
        f"| words with any wrong phone | {result['word_error_rate']:.1%} |",
        f"| phones of words in -s (n {result['plurals']['n_words']:,}) | "
        f"{result['plurals']['phone_error_rate']:.2%} |",
        "",
        f"{result['milliseconds_a_word']:.1f} ms a word on {result['machine']}.",
        "",
        "| new word | said |",
        "|---|---|",
        *(f"| {word} | {said} |" for word, said in result["examples"].items()),
        "",
        "    python benchmarks/train_letter_to_sound.py --run runs/letter_to_sound",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--ship", action="store_true", help="put the network into the package")
    arguments = parser.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    weights = arguments.run / "letter_to_sound.npz"
    if not weights.exists():
        train(
            arguments.run,
            epochs=arguments.epochs,
            batch=arguments.batch,
            learning_rate=arguments.learning_rate,
        ).save(weights, card={"corpora": "CMU Pronouncing Dictionary", "licences": "BSD 2-clause"})
    result = measure(LetterToSound.load(weights))
    result["megabytes"] = weights.stat().st_size / 1e6
    result["machine"] = f"{os.cpu_count()} cores, {platform.machine()}"
    (HERE / "letter_to_sound.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "letter_to_sound.md").write_text(report(result))
    print(report(result))
    if arguments.ship:
        target = shipped_folder() / weights.name
        target.write_bytes(weights.read_bytes())
        write_checksums(shipped_folder())


if __name__ == "__main__":
    main()
