"""The models of the papers side by side: the same new sentences by each of them, by the cloner, as recorded.

    python datasets/make_one_voice.py --out runs/new --skip 1500 --sentences 46
    python benchmarks/papers.py --new runs/new
    python benchmarks/papers.py --new runs/new --systems tacotron --keep     # one row of it anew

The voice is `rms` of tinyvoices; the sentences are those of it that were held out, and those of --new.
Without the judges (benchmarks/install_judges.sh) only sizes and times are measured. Writes papers.md and
papers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bench
import numpy as np
import report
import timing
from tqdm import tqdm
from utterances import Utterance

from tinyclone import Voice, clone, mel_to_wav, normalise
from tinyclone.array_files import replace_file
from tinyclone.audio import normalise_loudness, save_audio
from tinyclone.config import AudioConfig
from tinyclone.corpora import demo_reference, load_corpus, tinyvoices
from tinyclone.paper_training import load_paper
from tinyclone.papers.attention_decoding import Spoken, compiled, run_padded
from tinyclone.papers.one_voice import CLEAREST_VOICE, Sentence, read_one_voice, read_sentences
from tinyclone.pretrained import read_card
from tinyclone.shipped import shipped_folder
from tinyclone.vocoder_weights import load_wave_speaker

CONSENT = "The tinyclone project made this recording with flite, for anyone to clone."
# What MODEL_CARD.md and VOCODER_CARD.md say of training on two cores, all steps together.
CLONER_MINUTES, VOCODER_MINUTES = 241, 75
REFERENCES = 3
TABLE_HEAD = (
    "| system | parameters | training minutes | real-time factor | word errors (95 %) | predicted mark | "
    "cosine | mark in the paper, not comparable |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
)
LEGEND = (
    "- *training minutes*: on two processor cores, other work beside it.",
    "- *real-time factor*: seconds of work for a second of speech, one sentence at a time, warm.",
    "- *word errors*: Whisper tiny.en, pooled over all words; the interval is a bootstrap over sentences.",
    "- *predicted mark*: distillmos, 1 to 5; a guess of what listeners would say of it.",
    "- *cosine*: Resemblyzer, to three other recordings of the voice. The cloner heard one recording of it.",
    "- *mark in the paper*: mean opinion scores of other voices by other listeners. WaveNet: van den Oord et "
    "al. 2016, table 1; Tacotron: Wang et al. 2017, table 2; Tacotron 2: Shen et al. 2018, table 1. MelNet "
    "(Vasquez & Lewis 2019) reports which samples listeners preferred, not marks, and is measured by its "
    "likelihood in [its card](../tinyclone/weights/papers/MELNET_CARD.md).",
)


@dataclass(frozen=True)
class System:
    """One row of the table.

    Parameters
    ----------
    title : str
    start : callable
        Loads what is needed, and returns what makes a wave of a sentence.
    weights : tuple of str
        Files in the package's folder of weights.
    minutes : float, optional
        Training on two cores, where no card says it.
    reported : str
        Mean opinion score in the paper, of another voice, other data and other listeners.
    """

    title: str
    start: Callable[[], Callable[[Sentence], np.ndarray]]
    weights: tuple[str, ...] = ()
    minutes: float | None = None
    reported: str = ""


def recording() -> Callable[[Sentence], np.ndarray]:
    """The recording itself."""
    return lambda sentence: sentence.wav


def griffin_lim_copy() -> Callable[[Sentence], np.ndarray]:
    """The recording's mel, inverted."""
    return lambda sentence: mel_to_wav(sentence.mel)


def vocoder_copy() -> Callable[[Sentence], np.ndarray]:
    """The recording's mel, by the vocoder of lesson 7."""
    vocoder = load_wave_speaker()
    return lambda sentence: vocoder.speak(sentence.mel)


def wavenet_copy() -> Callable[[Sentence], np.ndarray]:
    """The recording's mel, sample by sample."""
    wavenet = load_paper("wavenet")
    return lambda sentence: wavenet.speak(sentence.mel)


def tacotron_copy() -> Callable[[Sentence], np.ndarray]:
    """The recording's mel, through Tacotron's second CBHG and Griffin-Lim."""
    model = load_paper("tacotron")
    config = model.config

    def speak(sentence: Sentence) -> np.ndarray:
        mel = ((sentence.mel - config.mel_mean) / config.mel_std)[None]
        linear = run_padded(compiled(model, "linear_of"), mel=mel, mask=np.ones(mel.shape[:2], bool))
        magnitude = linear * config.linear_std + config.linear_mean
        nowhere = np.zeros((1, 1), np.float32)
        said = Spoken(sentence.text, sentence.mel, nowhere, True, config.audio, magnitude, config.sharpening)
        return said.to_wav()

    return speak


def tacotron() -> Callable[[Sentence], np.ndarray]:
    """The text, through attention and a linear spectrogram."""
    model = load_paper("tacotron")
    return lambda sentence: model.speak(sentence.text).to_wav()


def by_vocoder(name: str) -> Callable[[], Callable[[Sentence], np.ndarray]]:
    """The text, through the mel of a Tacotron, by the vocoder of lesson 7."""

    def start() -> Callable[[Sentence], np.ndarray]:
        model, vocoder = load_paper(name), load_wave_speaker()
        return lambda sentence: vocoder.speak(model.speak(sentence.text).mel)

    return start


def cloner(vocoder: str | None) -> Callable[[], Callable[[Sentence], np.ndarray]]:
    """The text, by the model of the course, which knows this voice from one recording."""

    def start() -> Callable[[Sentence], np.ndarray]:
        voice = Voice.from_recording(demo_reference(), consent=CONSENT)
        return lambda sentence: clone(sentence.text, voice, vocoder=vocoder).wav

    return start


SYSTEMS = {
    "recording": System("the recording (flite)", recording),
    "griffin-lim": System("Griffin-Lim copy of it", griffin_lim_copy),
    "vocoder": System("copy by the vocoder of lesson 7", vocoder_copy, ("vocoder.npz",), VOCODER_MINUTES),
    "wavenet": System("WaveNet copy of it", wavenet_copy, ("papers/wavenet.npz",), reported="4.21"),
    "tacotron-copy": System(
        "copy by Tacotron's second CBHG, Griffin-Lim", tacotron_copy, ("papers/tacotron.npz",)
    ),
    "tacotron": System("Tacotron, Griffin-Lim", tacotron, ("papers/tacotron.npz",), reported="3.82"),
    "tacotron-vocoder": System(
        "Tacotron's mel, vocoder of lesson 7",
        by_vocoder("tacotron"),
        ("papers/tacotron.npz", "vocoder.npz"),
    ),
    "tacotron2": System(
        "Tacotron 2, vocoder of lesson 7",
        by_vocoder("tacotron2"),
        ("papers/tacotron2.npz", "vocoder.npz"),
        reported="4.53",
    ),
    "cloner-gl": System("cloner, Griffin-Lim", cloner("griffin-lim"), ("cloner.npz",), CLONER_MINUTES),
    "cloner": System(
        "cloner, vocoder of lesson 7",
        cloner(None),
        ("cloner.npz", "vocoder.npz"),
        CLONER_MINUTES + VOCODER_MINUTES,
    ),
}


def main() -> None:
    """Speak, have it judged, and write the table."""
    options = parse()
    sentences = held_out_sentences(options.new)[: options.limit]
    names = options.systems.split(",") if options.systems else list(SYSTEMS)
    left_out: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        utterances = [said for name in names for said in spoken(name, sentences, work)]
        scores = bench.judge(utterances, work, options, left_out)
    rows = report.rows_of(list(zip(utterances, scores, strict=True)))
    kept = ("system", "n", "wer", "wer_low", "wer_high", "mos", "cosine", "real_time_factor")
    results = [{**{name: row.get(name) for name in kept}, **size_of(row["system"])} for row in rows]
    if options.keep:
        results = merged(json.loads(options.out.with_suffix(".json").read_text()), results)
        left_out = []
    replace_file(options.out.with_suffix(".json"), (json.dumps(results, indent=1) + "\n").encode())
    replace_file(options.out.with_suffix(".md"), markdown(results, left_out).encode())
    print(markdown(results, left_out))


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--new", type=Path, help="folder with more sentences that nothing was trained on")
    add("--systems", help=f"some of {','.join(SYSTEMS)}; all by default")
    add("--limit", type=int, help="at most so many sentences")
    add("--keep", action="store_true", help="keep what the last table has and this run does not measure")
    add("--out", type=Path, default=bench.ROOT / "benchmarks" / "papers", help="without suffix")
    bench.add_judges_options(parser)
    options = parser.parse_args()
    unknown = set((options.systems or "recording").split(",")) - set(SYSTEMS)
    if unknown:
        parser.error(f"--systems: there is no {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    return options


def held_out_sentences(new: Path | None) -> list[Sentence]:
    """Return the held-out sentences of tinyvoices, then the new ones."""
    held_out = read_one_voice()[1]
    return held_out if new is None else [*held_out, *read_sentences(load_corpus(new))]


def spoken(name: str, sentences: Sequence[Sentence], work: Path) -> Iterator[Utterance]:
    """Let a system speak every sentence; the first one twice, for what is compiled at its first call."""
    config, system = AudioConfig(), SYSTEMS[name]
    speak = system.start()
    speak(sentences[0])
    clips = [one for one in tinyvoices() if one.speaker == CLEAREST_VOICE]
    for number, sentence in enumerate(tqdm(sentences, desc=system.title, unit="clip", mininterval=2.0)):
        begun = time.perf_counter()
        wav = speak(sentence)
        seconds = time.perf_counter() - begun
        path = work / f"{name}-{number}.wav"
        wav = normalise_loudness(wav, config=config)
        save_audio(path, wav, sample_rate_hz=config.sample_rate_hz)
        others = [one.path for one in clips if normalise(one.text) != sentence.text]
        said = Utterance(name, "", sentence.text, path, others[number % 7 :: 7][:REFERENCES])
        said.synthesis_sec = None if name == "recording" else seconds
        said.duration_sec = len(wav) / config.sample_rate_hz
        yield said


def merged(before: list[dict], now: list[dict]) -> list[dict]:
    """Return the rows of both tables in the order of `SYSTEMS`; what was not measured now stays as it was.

    A run without judges says nothing of how many sentences were judged.
    """
    rows = {row["system"]: row for row in before}
    for row in now:
        known = rows.get(row["system"], {})
        judged = row["wer"] is not None or not known
        measured = {name: value for name, value in row.items() if value is not None}
        if not judged:
            del measured["n"]
        rows[row["system"]] = {**row, **known, **measured}
    return [rows[name] for name in SYSTEMS if name in rows]


def size_of(name: str) -> dict[str, float | None]:
    """Return a system's parameters and the minutes of its training."""
    system = SYSTEMS[name]
    paths = [shipped_folder() / one for one in system.weights]
    minutes = system.minutes
    if minutes is None and paths:
        minutes = read_card(paths[0])["minutes"] + (VOCODER_MINUTES if len(paths) > 1 else 0)
    return {"parameters": sum(map(timing.parameters_of, paths)) or None, "minutes": minutes}


def markdown(results: list[dict], left_out: list[str]) -> str:
    """Write the table for people."""
    lines = [
        "# The papers side by side",
        "",
        f"Made by `python benchmarks/papers.py`; do not edit. The same {results[0]['n']} held-out sentences "
        "by each system, in flite's voice `rms`, which is also what the recordings are: no person speaks "
        "here. Two processor cores.",
        "",
        *TABLE_HEAD,
        *map(_line, results),
        "",
        *LEGEND,
        *(f"- Left out: {reason}" for reason in left_out),
    ]
    return "\n".join(lines) + "\n"


def _line(row: dict) -> str:
    system = SYSTEMS[row["system"]]
    cells = [
        system.title,
        "" if row["parameters"] is None else f"{row['parameters'] / 1e6:.2f} M",
        "" if row["minutes"] is None else f"{row['minutes']:.0f}",
        report.number(row["real_time_factor"], 3),
        report.word_errors(row),
        report.number(row["mos"], 2),
        report.number(row["cosine"], 2),
        system.reported,
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
