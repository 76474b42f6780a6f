#!/usr/bin/env python3
"""Make an hour of one clear voice: what the models of lessons/papers learn from.

flite's voice `rms`, the one of tinyvoices that is understood best, speaks sentences that a small grammar
makes (one_voice_sentences.py). They are treated as those of tinyvoices are. Run it again after an
interruption: clips that are there stay. With more sentences, those of a smaller corpus come first.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from make_tinyvoices import SPEAKERS, make_clip
from one_voice_sentences import make_sentences
from tqdm import tqdm

from tinyclone.array_files import replace_file
from tinyclone.errors import TinycloneError

EXAMPLES = """examples:
  python datasets/make_one_voice.py --out runs/one_voice                  1,500 sentences, about 70 minutes
  python datasets/make_one_voice.py --out runs/other --voice slt          another voice of flite
  python datasets/make_one_voice.py --out runs/new --skip 1500 --sentences 46     sentences to measure with
"""
SHORTEST_SEC = 1.0
VOICES = {speaker.name: speaker for speaker in SPEAKERS}


def main() -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--voice", choices=sorted(VOICES), default="rms", help="default: rms")
    parser.add_argument("--sentences", type=int, default=1500, metavar="N", help="default: 1500")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="begin after the first N")
    arguments = parser.parse_args()
    if not 1 <= arguments.sentences <= 20_000:
        parser.error(f"--sentences is {arguments.sentences}, expected 1 to 20000")
    if arguments.skip < 0:
        parser.error(f"--skip is {arguments.skip}, expected 0 or more")
    engine = VOICES[arguments.voice].engine
    if shutil.which(engine) is None:
        print(f"{engine} not found. On Debian or Ubuntu: sudo apt-get install {engine}", file=sys.stderr)
        return 2
    try:
        make_corpus(arguments.out, voice=arguments.voice, count=arguments.sentences, skip=arguments.skip)
    except (TinycloneError, OSError, subprocess.CalledProcessError) as error:
        print(f"The corpus is not complete: {error}. Run the same command again to go on.", file=sys.stderr)
        return 2
    return 0


def make_corpus(folder: Path, *, voice: str, count: int, skip: int = 0) -> None:
    """Write the clips and, when all are there, ``metadata.csv`` in LJ Speech's layout."""
    wavs = folder / "wavs"
    wavs.mkdir(parents=True, exist_ok=True)
    sentences = make_sentences(skip + count)[skip:]
    files = [wavs / f"{voice}-made-{number:05d}.ogg" for number in range(skip + 1, skip + count + 1)]
    missing = [(file, text) for file, text in zip(files, sentences) if not file.exists()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(lambda one: make_clip(*one, VOICES[voice], shortest_sec=SHORTEST_SEC), missing)
        seconds = sum(tqdm(made, total=len(missing), unit="clip"))
    rows = [f"{file.stem}|{text}|{text}\n" for file, text in zip(files, sentences)]
    replace_file(folder / "metadata.csv", "".join(rows).encode())
    print(f"{count} clips of {voice} in {folder}; {len(missing)} new, {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    sys.exit(main())
