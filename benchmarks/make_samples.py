"""Speak the sentences that the model card lets you hear.

    python benchmarks/make_samples.py                 # writes benchmarks/samples/*.ogg, in some seconds

Each is spoken with the neural vocoder and once more with Griffin-Lim. The last one is a clone of the made
voice that comes with the package, from one recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from tinyclone.corpora import demo_reference
from tinyclone.synthesis import GRIFFIN_LIM, clone
from tinyclone.voice import Voice

HERE = Path(__file__).resolve().parent
CONSENT = "This voice was made by a program, flite, and belongs to nobody."
CLONE = "clone"
SAMPLES = {
    "kathleen": "The tide comes in twice a day, whatever we say about it.",
    "lj": "Nobody had told the gardener that the roses were made of paper.",
    "reader-226": "At a quarter past nine, the last of the visitors went home.",
    "reader-8226": "If you can read this sentence, thank a teacher!",
    CLONE: "Have you ever heard yourself say something that you never said?",
}


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "samples", help="folder for the files")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tqdm(SAMPLES.items(), desc="samples"):
        made_voice = name == CLONE
        voice = Voice.from_recording(demo_reference(), consent=CONSENT) if made_voice else Voice.named(name)
        clone(text, voice).save(folder / f"{name}.ogg")
        clone(text, voice, vocoder=GRIFFIN_LIM).save(folder / f"{name}_griffin_lim.ogg")


if __name__ == "__main__":
    main()
