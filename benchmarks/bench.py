"""Measure tinyclone on held-out speech, side by side with recordings and other programs.

Writes results.md, results.json and results.png. What is not on this machine is left out, with a word on
how to get it. The judges live in an environment of their own: benchmarks/install_judges.sh makes it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # measures this checkout, even when another tinyclone is installed

import heldout  # noqa: E402
import report  # noqa: E402
import systems  # noqa: E402
import timing  # noqa: E402
from utterances import Footprint, Missing, Settings, Utterance  # noqa: E402

FAST_LIMIT = 9
EXAMPLES = """examples:
  python benchmarks/bench.py
  python benchmarks/bench.py --fast --out /tmp/bench
  python benchmarks/bench.py --weights run/cloner.npz --only ours --limit 20 --out /tmp/bench
"""


def main() -> None:
    options = parse()
    cores = use_cores(options.cores)
    settings_load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with work_folder(options.audio) as work:
        held_out = heldout.prepare(options.data, work, limit=options.limit)
        settings = Settings(work, options.weights, options.voices, options.vocoder)
        utterances, left_out = speak(options.only, held_out, settings)
        waiting_sec = {"import tinyclone": timing.import_sec()}
        if "ours" in options.only and not options.limit:
            measure_ours(held_out, settings)
        scores = judge(utterances, work, options, left_out)
        if options.audio:
            save_clips(utterances, scores, work / "clips.json")
    results = {
        "settings": {
            "cores": cores,
            "machine": platform.machine(),
            "python": platform.python_version(),
            "load": settings_load,
            "weights": options.weights.name if options.weights else "of the package",
            "date": date.today().isoformat(),
            "limit": options.limit,
        },
        "rows": report.rows_of(list(zip(utterances, scores, strict=True))),
        "waiting_sec": waiting_sec,
        "footprints": {name: asdict(one) for name, one in settings.footprints.items()},
        "left_out": [*held_out.left_out, *left_out],
    }
    if options.keep:
        keep_others(results, options.out / "results.json", options.only)
    results["rows"].sort(key=lambda row: list(systems.SYSTEMS).index(row["system"]))
    report.write_all(results, options.out)
    print("\n" + report.markdown(results))
    print(f"Written: {options.out / 'results.md'}, results.json and results.png")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        default=ROOT.parent / "shared" / "data",
        help="folder with the corpora: kathleen/, lj16k/ and LibriSpeech/ (default: ../shared/data)",
    )
    add("--out", type=Path, default=ROOT / "benchmarks", help="folder for the results (default: benchmarks)")
    add("--weights", type=Path, help="measure these weights instead of the package's")
    add("--vocoder", type=Path, help="measure this vocoder instead of the package's")
    add("--voices", type=Path, help="named voices for --weights (default: made from training recordings)")
    add(
        "--only",
        type=systems_list,
        default=list(systems.SYSTEMS),
        metavar="SYSTEM[,SYSTEM]",
        help=f"of {', '.join(systems.SYSTEMS)} (default: all)",
    )
    add("--limit", type=int, help="at most so many clips a voice; leaves out the cold start")
    add("--fast", action="store_true", help=f"the same as --limit {FAST_LIMIT}")
    add("--keep", action="store_true", help="keep the rows of systems not measured now, from --out")
    add("--audio", type=Path, help="keep what was spoken, and each clip's scores, in this folder")
    add_judges_options(parser)
    add("--strict-spelling", action="store_true", help="count British for American spelling as an error")
    options = parser.parse_args()
    if options.fast and not options.limit:
        options.limit = FAST_LIMIT
    for name in ("weights", "vocoder"):
        path = getattr(options, name)
        if path and not path.is_file():
            parser.error(f"--{name} {path}: there is no such file")
    return options


def add_judges_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `judge` reads, without the strict spelling, which only this program offers."""
    judges = ROOT / ".venv-judges" / "bin" / "python"
    add = parser.add_argument
    add("--judges", type=Path, default=judges, help="Python that has the judges (default: .venv-judges)")
    add("--cores", type=int, default=2, help="processor cores to use (default 2)")
    parser.set_defaults(strict_spelling=False)


def systems_list(names: str) -> list[str]:
    chosen = names.split(",")
    unknown = [name for name in chosen if name not in systems.SYSTEMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown} is not among {', '.join(systems.SYSTEMS)}")
    return chosen


def use_cores(count: int) -> int:
    """Keep this process and its children on a few cores, where the operating system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    return len(os.sched_getaffinity(0))


@contextlib.contextmanager
def work_folder(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="tinyclone-bench-") as folder:
            yield Path(folder)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()


def speak(
    names: list[str], held_out: heldout.HeldOut, settings: Settings
) -> tuple[list[Utterance], list[str]]:
    """Let every system speak; return what it said, and why others did not."""
    utterances, left_out = [], []
    for name in names:
        try:
            utterances += systems.collect(name, held_out, settings)
        except Missing as missing:
            left_out.append(f"{systems.TITLES[name]}: {missing}")
    return utterances, left_out


def measure_ours(held_out: heldout.HeldOut, settings: Settings) -> None:
    """Measure what tinyclone itself asks of a machine, the start in fresh processes."""
    with contextlib.suppress(Missing):
        voices = systems.named_voices(held_out, settings, systems.load_weights(settings))
        path = next(iter(voices.values())).save(settings.work / "voice.npz")
        files = timing.files_of_ours(weights=settings.weights, vocoder=settings.vocoder)
        for name, vocoder in (("ours", settings.vocoder), ("ours-gl", "griffin-lim")):
            chosen = [one for one in files if name == "ours" or not one.name.startswith("vocoder")]
            settings.footprints[name] = Footprint(
                timing.first_sentence_sec(weights=settings.weights, vocoder=vocoder, voice=path),
                sum(one.stat().st_size for one in chosen),
                sum(timing.parameters_of(one) for one in chosen),
            )


def judge(
    utterances: list[Utterance],
    work: Path,
    options: argparse.Namespace,
    left_out: list[str],
    *,
    judges: Sequence[str] = (),
) -> list[dict]:
    """Have all utterances scored by some judges, or all; without their environment every score is empty."""
    if not options.judges.is_file():
        left_out.append("all scores: make the judges' environment with benchmarks/install_judges.sh")
        return [{} for _ in utterances]
    items = [item_of(said) for said in utterances]
    items_path, scores_path = work / "items.json", work / "scores.json"
    items_path.write_text(json.dumps(items), encoding="utf-8")
    command = [str(options.judges), str(ROOT / "benchmarks" / "judge.py"), str(items_path), str(scores_path)]
    command += ["--threads", str(options.cores)] + ["--exact-spelling"] * options.strict_spelling
    command += ["--judges", *judges] if judges else []
    subprocess.run(command, check=True)
    return json.loads(scores_path.read_text(encoding="utf-8"))


def item_of(said: Utterance) -> dict:
    """Say what the judges shall do with an utterance."""
    compared = [*said.references, *said.others] if said.references else []
    return {
        "tag": f"{said.system} {said.voice}",
        "wav": str(said.wav_path),
        "text": said.text,
        "reference_wavs": [str(path) for path in compared],
        "voice_wav": str(said.voice_wav_path) if said.voice_wav_path else None,
    }


def save_clips(utterances: list[Utterance], scores: list[dict], path: Path) -> None:
    """Write one line of scores for each clip, to find out where it goes wrong."""
    clips = []
    for said, score in zip(utterances, scores, strict=True):
        own = score.get("cosines", [])[: len(said.references)]
        clips.append({**score, "text": said.text, "cosines": own, "mcd_db": said.mcd_db})
    path.write_text(json.dumps(clips, indent=1), encoding="utf-8")


def keep_others(results: dict, path: Path, measured: list[str]) -> None:
    """Add what an earlier run found about the systems that were not measured now."""
    if not path.is_file():
        return
    earlier = json.loads(path.read_text(encoding="utf-8"))
    results["rows"] = [row for row in earlier["rows"] if row["system"] not in measured] + results["rows"]
    results["footprints"] = {**earlier.get("footprints", {}), **results["footprints"]}


if __name__ == "__main__":
    main()
