#!/usr/bin/env python3
"""Make tinyvoices: 8 synthetic voices that each speak the same 40 sentences.

Nothing here was recorded from a person: Debian's flite and espeak-ng speak sentences that were written
for this corpus, and the result is brought to 16 kHz, one loudness and Ogg Vorbis. Two runs with the same
versions of flite, espeak-ng and libsndfile give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from tinyclone.audio import load_audio, normalise_loudness, save_audio, trim_silence
from tinyclone.config import AudioConfig
from tinyclone.errors import TinycloneError

EXAMPLES = """examples:
  python datasets/make_tinyvoices.py                            make the corpus again, where it is
  python datasets/make_tinyvoices.py --out /tmp/tinyvoices      make it elsewhere
  python datasets/make_tinyvoices.py --first 2 --out /tmp/try   only two sentences of each voice
"""
MIN_SEC, MAX_SEC = 2.0, 5.0
MAX_TAKES = 5
FLITE_LICENCE = "speech: CC0; voice: CMU flite licence (permissive)"
ESPEAK_LICENCE = "speech: CC0; engine: eSpeak NG, GPL-3.0-or-later"

# Written for this corpus; all 39 phones of English occur.
SENTENCES = """\
The kettle began to sing long before the toast was ready.
Who left a bright yellow umbrella on the back seat of the bus?
We counted 27 geese flying low above the quiet harbor.
A good engine makes even a long journey feel much shorter.
Did anyone measure the garage door before the truck arrived?
Her famous oyster soup won the first prize in 1984.
The boys shouted with joy beside the noisy fountain.
Please push the wooden chair closer to the bookshelf.
Is the museum usually open until half past 6?
Thick fog was hiding both ends of the old stone bridge.
My brother paid $12 for a basket of ripe cherries.
Strange weather paints the evening sky in orange and violet.
Why does the moon look so large behind the bare trees?
Zebras and giraffes share the cool shade without arguing.
The train to the coast leaves at 7:45 from platform two.
Fresh bread should cool for an hour before you slice it.
Our teacher drew a huge map of Asia with blue chalk.
Could we borrow your ladder again on Thursday morning?
Nine tiny turtles crawled slowly toward the foaming waves.
About 40% of the children walk to school each day.
Jump over that puddle, or your new shoes will get soaked!
The judge at the county fair enjoyed a spoon of ginger jam.
Where did the young violin player learn such a cheerful tune?
The 3rd chapter explains how clouds and thunder are formed.
A cold storm howled all night across the southern valley.
I would rather have a warm bath than another quick shower.
That television show about whales was a pleasure to watch.
Several foxes vanished behind the frozen hedge at dawn.
What should I do if nobody answers the telephone tonight?
She keeps her watch, her keys, and her coins in a leather pouch.
The village library owns 600 books about birds and bees.
Dr. Moore spoke calmly about the new vaccine.
How much water does a thirsty camel need in one week?
Put the sugar, the flour, and the soft butter in a bowl.
Look, the green parrot is wearing a tiny woolen hat!
Each human voice is different, and every ear knows it.
The pilot followed the river for 2.5 miles.
Do owls really turn their heads all the way around?
After the rain, a sweet smell of earth filled the garden.
Thank you for listening so patiently, and have a wonderful evening.
"""
# What the engines are given, so that all of them read the same words.
SPOKEN = {
    "27": "twenty seven",
    "1984.": "nineteen eighty four.",
    "6?": "six?",
    "$12": "twelve dollars",
    "7:45": "seven forty five",
    "40%": "forty percent",
    "3rd": "third",
    "600": "six hundred",
    "Dr.": "Doctor",
    "2.5": "two point five",
}


@dataclass(frozen=True)
class Speaker:
    """One voice of the corpus and the command that makes it speak; {text} and {wav} are filled in.

    `repeatable` is whether a sentence always comes out the same. Of some 1,200 takes of one sentence by
    espeak-ng with its variant f5 one differed from all the others (of 600 with address-space randomisation
    switched off none did); of 240 by flite none did.
    """

    name: str
    engine: str
    voice: str
    gender: str
    licence: str
    command: tuple[str, ...]
    repeatable: bool = False


def _flite(name: str, gender: str) -> Speaker:
    command = ("flite", "-voice", name, "-t", "{text}", "-o", "{wav}")
    return Speaker(name, "flite", name, gender, FLITE_LICENCE, command, repeatable=True)


def _espeak(name: str, voice: str, gender: str) -> Speaker:
    command = ("espeak-ng", "-v", voice, "-s", "150", "-w", "{wav}", "{text}")
    return Speaker(name, "espeak-ng", voice, gender, ESPEAK_LICENCE, command)


# Chosen among 26 for being understood best and for sounding least alike.
SPEAKERS = (
    _flite("slt", "f"),
    _flite("rms", "m"),
    _flite("awb", "m"),
    _flite("kal16", "m"),
    _espeak("f5", "en-us+f5", "f"),
    _espeak("steph", "en-us+steph", "f"),
    _espeak("m8", "en-gb-x-rp+m8", "m"),
    _espeak("klatt4", "en-us+klatt4", "m"),
)


def main() -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent / "tinyvoices"
    parser.add_argument("--out", type=Path, default=here, metavar="FOLDER", help=f"default: {here}")
    parser.add_argument("--first", type=int, default=40, metavar="N", help="only the first N sentences")
    arguments = parser.parse_args()
    if not 1 <= arguments.first <= 40:
        parser.error(f"--first is {arguments.first}, expected 1 to 40")
    missing = [engine for engine in ("flite", "espeak-ng") if shutil.which(engine) is None]
    if missing:
        print(
            f"{' and '.join(missing)} not found. On Debian or Ubuntu: sudo apt-get install flite espeak-ng\n"
            "On macOS: brew install flite espeak-ng",
            file=sys.stderr,
        )
        return 2
    try:
        make_corpus(arguments.out, first=arguments.first)
    except (TinycloneError, OSError, subprocess.CalledProcessError) as error:
        print(f"tinyvoices was not made: {error}", file=sys.stderr)
        return 2
    return 0


def sentence_pairs() -> list[tuple[str, str]]:
    """Return each sentence as written and as spoken, where numbers and abbreviations are words."""
    return [
        (written, " ".join(SPOKEN.get(word, word) for word in written.split()))
        for written in SENTENCES.splitlines()
    ]


def make_corpus(folder: Path, *, first: int) -> None:
    """Write all clips of the first so many sentences, their metadata and their checksums to `folder`."""
    wavs = folder / "wavs"
    wavs.mkdir(parents=True, exist_ok=True)
    rows, checksums, total_sec = [], [], 0.0
    sentences = sentence_pairs()[:first]
    with tqdm(total=len(SPEAKERS) * len(sentences), unit="clip") as progress:
        for speaker in SPEAKERS:
            for number, (written, spoken) in enumerate(sentences, start=1):
                clip_id = f"{speaker.name}-{number:03d}"
                progress.set_description(clip_id)
                file = wavs / f"{clip_id}.ogg"
                total_sec += make_clip(file, spoken, speaker)
                rows.append(f"{clip_id}|{written}|{spoken}")
                checksums.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  wavs/{file.name}")
                progress.update()
    speakers = [f"{s.name}|{s.engine}|{s.voice}|{s.gender}|{s.licence}" for s in SPEAKERS]
    for name, lines in (
        ("metadata.csv", rows),
        ("speakers.csv", ["speaker|engine|voice|gender|licence", *speakers]),
    ):
        written = _write_lines(folder / name, lines)
        checksums.append(f"{hashlib.sha256(written).hexdigest()}  {name}")
    _write_lines(folder / "SHA256SUMS", checksums)
    megabytes = sum(file.stat().st_size for file in wavs.iterdir()) / 1e6
    print(f"{len(rows)} clips, {total_sec / 60:.1f} minutes, {megabytes:.1f} MB in {folder}")


def make_clip(file: Path, text: str, speaker: Speaker, *, shortest_sec: float = MIN_SEC) -> float:
    """Let one voice speak one sentence into an Ogg file; return its length in seconds."""
    config = AudioConfig()
    with tempfile.TemporaryDirectory() as scratch:
        wav = load_audio(_spoken(text, speaker, Path(scratch)), config=config)  # (N,)
    wav = normalise_loudness(trim_silence(wav, config=config), config=config)
    duration_sec = len(wav) / config.sample_rate_hz
    if not shortest_sec <= duration_sec <= MAX_SEC:
        raise TinycloneError(
            f"{file.name} lasts {duration_sec:.2f} s, expected {shortest_sec:g} to {MAX_SEC:g} s. "
            f"Change the sentence or the speed of {speaker.name}: {text!r}"
        )
    save_audio(file, wav, sample_rate_hz=config.sample_rate_hz)
    # libsndfile gives each Ogg stream a random number; one from the name makes the bytes repeatable.
    serial_number = int.from_bytes(hashlib.sha256(file.name.encode()).digest()[:4], "little")
    _replace_bytes(file, _renumber_ogg(file.read_bytes(), serial_number))
    return duration_sec


def _spoken(text: str, speaker: Speaker, scratch: Path) -> Path:
    """Let a voice speak into a file; if it may vary, take the first take that comes a second time."""
    takes: set[bytes] = set()
    wav = scratch / "spoken.wav"
    command = [part.format(text=text, wav=wav) for part in speaker.command]
    for _ in range(MAX_TAKES):
        subprocess.run(command, check=True, capture_output=True)
        take = wav.read_bytes()
        if speaker.repeatable or take in takes:
            return wav
        takes.add(take)
    raise TinycloneError(
        f"{speaker.engine} spoke {text!r} as {speaker.name} in {MAX_TAKES} ways, expected two takes that are "
        f"the same. Reinstall {speaker.engine}, or use another version."
    )


def _renumber_ogg(ogg: bytes, serial_number: int) -> bytes:
    """Give every page of an Ogg stream another serial number and the checksum that goes with it.

    The page header is described in RFC 3533, section 6.
    """
    pages = bytearray(ogg)
    start = 0
    while start < len(pages):
        n_segments = pages[start + 26]
        stop = start + 27 + n_segments + sum(pages[start + 27 : start + 27 + n_segments])
        pages[start + 14 : start + 18] = serial_number.to_bytes(4, "little")
        pages[start + 22 : start + 26] = bytes(4)
        pages[start + 22 : start + 26] = _ogg_checksum(pages[start:stop]).to_bytes(4, "little")
        start = stop
    return bytes(pages)


def _ogg_checksum(page: bytes) -> int:
    checksum = 0
    for byte in page:
        checksum = ((checksum << 8) & 0xFFFFFFFF) ^ _CHECKSUM_TABLE[(checksum >> 24) ^ byte]
    return checksum


def _checksum_of_byte(byte: int) -> int:
    checksum = byte << 24
    for _ in range(8):
        checksum = (checksum << 1) ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    return checksum


_CHECKSUM_TABLE = [_checksum_of_byte(byte) for byte in range(256)]


def _write_lines(file: Path, lines: list[str]) -> bytes:
    written = ("\n".join(lines) + "\n").encode("utf-8")
    _replace_bytes(file, written)
    return written


def _replace_bytes(file: Path, content: bytes) -> None:
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_bytes(content)
    os.replace(unfinished, file)


if __name__ == "__main__":
    sys.exit(main())
