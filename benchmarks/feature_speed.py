"""How fast clips become features, beside a plain loop of librosa, and what large corpora would cost.

    python benchmarks/feature_speed.py            # about 15 minutes on 2 cores
    python benchmarks/feature_speed.py --fast     # a minute, to see that it works

Writes ``feature_speed.json``, ``.md`` and ``.png`` beside itself. Every time is the median of repeats in
which the things compared take turns, so that another load on the machine meets all of them.
"""

from __future__ import annotations

import os

# One thread each, here and in the workers: a core is compared with a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import argparse
import contextlib
import io
import json
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import librosa
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import soundfile

from tinyclone.audio import load_audio
from tinyclone.config import AudioConfig
from tinyclone.corpora import Clip, tinyvoices
from tinyclone.features import extract, prepare
from tinyclone.mel import log_mel
from tinyclone.pitch import pitch_track
from tinyclone.worker_processes import available_cores

CONFIG = AudioConfig()
# (hours of recordings, clips)
LARGE_CORPORA = {"LJ Speech": (24.0, 13_100), "LibriSpeech, all 960 hours of training": (960.0, 281_241)}
GOALS = {"one core": 1.0, "two workers": 1.7}


def librosa_mel(wav: np.ndarray) -> np.ndarray:
    """Return what the plain loop makes of a wave."""
    return librosa.feature.melspectrogram(
        y=wav,
        sr=CONFIG.sample_rate_hz,
        n_fft=CONFIG.n_fft,
        hop_length=CONFIG.hop_length,
        n_mels=CONFIG.n_mels,
        fmax=CONFIG.fmax_hz,
        power=1.0,
    )


def taking_turns(systems: dict[str, Callable[[], object]], *, repeats: int) -> dict[str, list[float]]:
    """Time every system `repeats` times, one after the other in each round; return their seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for number in range(repeats + 1):
        for name, run in systems.items():
            start = time.perf_counter()
            run()
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def compare_one_core(clips: Sequence[Clip], folder: Path, *, repeats: int) -> dict:
    """Time extraction and librosa's loop on the same waves in memory and on the same files."""
    wavs = [load_audio(clip.path, config=CONFIG) for clip in clips]
    sound_sec = sum(map(len, wavs)) / CONFIG.sample_rate_hz
    files = []
    for clip, wav in zip(clips, wavs):
        path = folder / f"{clip.id}.wav"
        soundfile.write(path, wav, CONFIG.sample_rate_hz)
        files.append(replace(clip, path=path))
    systems = {
        "memory: librosa.feature.melspectrogram": lambda: [librosa_mel(wav) for wav in wavs],
        "memory: tinyclone log_mel": lambda: [log_mel(wav, config=CONFIG) for wav in wavs],
        "memory: tinyclone log_mel and pitch_track": lambda: [
            (log_mel(wav, config=CONFIG), pitch_track(wav, config=CONFIG)) for wav in wavs
        ],
        "files: librosa.load and melspectrogram": lambda: [
            librosa_mel(librosa.load(path=clip.path, sr=CONFIG.sample_rate_hz)[0]) for clip in files
        ],
        "files: tinyclone load_audio and log_mel": lambda: [
            log_mel(load_audio(clip.path, config=CONFIG), config=CONFIG) for clip in files
        ],
        "files: tinyclone extract (words, trim, loudness, mel, pitch)": lambda: [
            extract(clip, config=CONFIG) for clip in files
        ],
    }
    seconds = taking_turns(systems, repeats=repeats)
    medians = {name: statistics.median(values) for name, values in seconds.items()}

    def faster(ours: str, theirs: str) -> float:
        return round(statistics.median(np.divide(seconds[theirs], seconds[ours])), 2)

    memory, file = (
        next(name for name in systems if name.startswith(f"{place}: lib")) for place in ("memory", "files")
    )
    return {
        "clips": len(clips),
        "sound_sec": round(sound_sec, 1),
        "repeats": repeats,
        "ms_for_a_second_of_sound": {name: round(1000 * one / sound_sec, 3) for name, one in medians.items()},
        "times_as_fast_as_librosa": {
            name: faster(name, memory if name.startswith("memory") else file)
            for name in systems
            if "tinyclone" in name
        },
    }


def time_prepare(clips: Sequence[Clip], folder: Path, *, workers: int) -> dict:
    """Prepare clips into an empty cache; return seconds, bytes and seconds of sound."""
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        store = prepare(clips, cache, config=CONFIG, workers=workers)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "bytes": sum(path.stat().st_size for path in cache.glob("*.npz")),
        "sound_sec": store.n_frames / CONFIG.frames_per_sec,
        "clips": len(store),
    }


def repeated(clips: Sequence[Clip], times: int) -> list[Clip]:
    """Return the clips so many times over, each time under other ids."""
    return [replace(clip, id=f"{clip.id}-{turn}") for turn in range(times) for clip in clips]


def compare_workers(clips: Sequence[Clip], folder: Path, *, repeats: int) -> dict:
    """Time `prepare` with one worker and with two on the same clips, start of the processes included."""
    seconds = taking_turns(
        {
            str(workers): lambda workers=workers: time_prepare(clips, folder, workers=workers)
            for workers in (1, 2)
        },
        repeats=repeats,
    )
    return {
        "clips": len(clips),
        "repeats": repeats,
        "seconds": {workers: round(statistics.median(values), 2) for workers, values in seconds.items()},
        "times_as_fast_with_two": round(statistics.median(np.divide(seconds["1"], seconds["2"])), 2),
    }


def measure_growth(clips: Sequence[Clip], folder: Path, *, times: Sequence[int], repeats: int) -> dict:
    """Prepare the corpus once, four times and 16 times over; fit a line and follow it to large corpora."""
    workers = available_cores()
    rounds = [
        [time_prepare(repeated(clips, one), folder, workers=workers) for one in times] for _ in range(repeats)
    ]
    runs = []
    for place, one in enumerate(times):
        run = rounds[0][place] | {"times": one}
        run["seconds"] = round(statistics.median(turn[place]["seconds"] for turn in rounds), 3)
        runs.append(run)
    sound, seconds, size = (np.array([run[key] for run in runs]) for key in ("sound_sec", "seconds", "bytes"))
    slope, start = np.polyfit(sound, seconds, 1)
    size_slope, size_start = np.polyfit(sound, size, 1)
    fitted = start + slope * sound
    spread = float(np.sum((seconds - seconds.mean()) ** 2))
    return {
        "workers": workers,
        "runs": runs,
        "start_sec": round(float(start), 3),
        "sec_for_a_second_of_sound": float(slope),
        "bytes_for_a_second_of_sound": round(float(size_slope), 1),
        "r_squared": round(1 - float(np.sum((seconds - fitted) ** 2)) / spread, 5) if spread else 1.0,
        "largest_departure_from_the_line": round(float(np.max(np.abs(seconds / fitted - 1))), 3),
        "sound_sec_a_second": round(float(1 / slope), 1),
        "clips_a_second": round(float(runs[-1]["clips"] / (seconds[-1] - start)), 1),
        "extrapolated": {
            name: {
                "hours": hours,
                "clips": n_clips,
                "minutes_to_prepare": round((start + slope * hours * 3600) / 60, 1),
                "gigabytes": round((size_start + size_slope * hours * 3600) / 1e9, 2),
            }
            for name, (hours, n_clips) in LARGE_CORPORA.items()
        },
    }


def write_report(results: dict, folder: Path) -> None:
    """Write the results as JSON, as a table and as a picture."""
    one_core, workers, growth = results["one_core"], results["workers"], results["growth"]
    ours = one_core["times_as_fast_as_librosa"]
    lines = [
        "# Speed of feature extraction",
        "",
        f"Made by `python benchmarks/feature_speed.py{' --fast' if results['fast'] else ''}`; do not edit. "
        f"Measured on {results['cores']} processor cores ({results['machine']}), load {results['load']} "
        "before the start. Medians of repeats in which the systems take turns.",
        "",
        f"## One core, {one_core['clips']} clips ({one_core['sound_sec']} s), {one_core['repeats']} repeats",
        "",
        "| what | ms for a second of sound | times as fast as librosa's loop |",
        "|---|--:|--:|",
    ]
    for name, value in one_core["ms_for_a_second_of_sound"].items():
        lines.append(f"| {name} | {value:.2f} | {f'{ours[name]:.2f}' if name in ours else ''} |")
    lines += [
        "",
        "*memory* is of waves that are loaded already; *files* reads 16-bit WAV files of 16 kHz. librosa's "
        "loop makes mels only; `extract` also reads the text, trims, sets the loudness and follows the "
        "pitch.",
        "",
        f"## One worker and two, {workers['clips']} clips, {workers['repeats']} repeats",
        "",
        f"One worker {workers['seconds']['1']} s, two {workers['seconds']['2']} s: "
        f"{workers['times_as_fast_with_two']} times as fast, the start of the processes included.",
        "",
        f"## Cost against size, {growth['workers']} workers",
        "",
        "| tinyvoices | clips | minutes of sound | seconds | MB |",
        "|--:|--:|--:|--:|--:|",
    ]
    for run in growth["runs"]:
        minutes, megabytes = run["sound_sec"] / 60, run["bytes"] / 1e6
        lines.append(
            f"| {run['times']}× | {run['clips']:,} | {minutes:.1f} | {run['seconds']:.1f} | {megabytes:.1f} |"
        )
    lines += [
        "",
        f"A line fits with R² = {growth['r_squared']}, no run further than "
        f"{growth['largest_departure_from_the_line']:.1%} from it: {growth['start_sec']:.1f} s to start, "
        f"then {growth['sound_sec_a_second']:,.0f} seconds of sound or {growth['clips_a_second']:.0f} clips "
        f"a second and {growth['bytes_for_a_second_of_sound'] / 1000:.1f} kB for a second of sound.",
        "",
        "| by that line | hours | clips | minutes to prepare | GB |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, one in growth["extrapolated"].items():
        cost = f"{one['minutes_to_prepare']:.0f} | {one['gigabytes']:.1f}"
        lines.append(f"| {name} | {one['hours']:g} | {one['clips']:,} | {cost} |")
    lines += [
        "",
        "tinyvoices is Ogg Vorbis; FLAC, as in LibriSpeech, is decoded faster, MP3 more slowly.",
        "",
    ]
    (folder / "feature_speed.md").write_text("\n".join(lines), encoding="utf-8")
    (folder / "feature_speed.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(results, folder / "feature_speed.png")


def draw(results: dict, picture: Path) -> None:
    """Draw the seconds of each run with the line, and the bars of one core."""
    growth, one_core = results["growth"], results["one_core"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained")
    minutes = np.array([run["sound_sec"] / 60 for run in growth["runs"]])
    left.plot(minutes, [run["seconds"] for run in growth["runs"]], "o", label="measured")
    line = np.linspace(0, minutes.max())
    left.plot(
        line, growth["start_sec"] + growth["sec_for_a_second_of_sound"] * 60 * line, label="straight line"
    )
    left.set(xlabel="minutes of sound", ylabel="seconds to prepare")
    left.legend()
    values = one_core["ms_for_a_second_of_sound"]
    right.barh(
        list(values), list(values.values()), color=["C1" if "librosa" in name else "C0" for name in values]
    )
    right.invert_yaxis()
    right.set(xlabel="ms for a second of sound, one core")
    figure.savefig(picture, dpi=100)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--fast", action="store_true", help="few clips and repeats: only to see that it works"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write to"
    )
    arguments = parser.parse_args()
    fast = arguments.fast
    clips = tinyvoices()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = clips[::16] if fast else clips[::2]
        results = {
            "fast": fast,
            "cores": available_cores(),
            "machine": platform.machine(),
            "load": round(load, 1),
            "goals": GOALS,
            "one_core": compare_one_core(few, folder, repeats=2 if fast else 9),
            "workers": compare_workers(
                clips if fast else repeated(clips, 4), folder, repeats=1 if fast else 5
            ),
            "growth": measure_growth(
                clips[:: 16 if fast else 1], folder, times=(1, 4, 16), repeats=1 if fast else 3
            ),
        }
    write_report(results, arguments.out)
    print((arguments.out / "feature_speed.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
