"""From judged utterances to rows, and from rows to results.md, results.json and results.png."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from systems import TITLES
from utterances import Utterance

from tinyclone.evaluation import bootstrap_word_error_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# (what, voices, key of a row, goal, unit): what this project wants to reach.
NAMED, ALL = ("kathleen", "lj"), ("kathleen", "lj", "unseen")
GOALS = (
    ("predicted mark, vocoder copies of recordings", "copy", ALL, "mos", 3.8, ""),
    ("predicted mark, the two named voices", "ours", NAMED, "mos", 3.4, ""),
    ("word error rate, the two named voices", "ours", NAMED, "wer", 0.04, "%"),
    ("word error rate, unseen voices", "ours", ("unseen",), "wer", 0.07, "%"),
    ("cosine to recordings of the two named voices", "ours", NAMED, "cosine", 0.82, ""),
    ("cosine to the reference, unseen voices", "ours", ("unseen",), "cosine", 0.70, ""),
    ("real-time factor, warm", "ours", ALL, "real_time_factor", 0.03, ""),
)
OWN_COLOUR, OTHER_COLOUR = "#0072b2", "#d55e00"
IMPORT_GOAL_SEC = 0.5
COLD_GOAL_SEC = 3.0


def rows_of(judged: list[tuple[Utterance, dict]]) -> list[dict]:
    """Sum up the utterances of each system and voice, and of all named voices of a system together."""
    groups: dict[tuple[str, str], list[tuple[Utterance, dict]]] = {}
    for utterance, score in judged:
        groups.setdefault((utterance.system, utterance.voice), []).append((utterance, score))
    return [_row(system, voice, group) for (system, voice), group in groups.items()]


def _row(system: str, voice: str, group: list[tuple[Utterance, dict]]) -> dict:
    scored = [score for _, score in group if score.get("words")]
    voices = [_similarity(utterance, score) for utterance, score in group if score.get("cosines")]
    spoken = [utterance for utterance, _ in group if utterance.synthesis_sec is not None]
    row = {
        "system": system,
        "voice": voice,
        "n": len(group),
        "errors": [score["errors"] for score in scored],
        "words": [score["words"] for score in scored],
        "cosine": _mean(own for own, _, _ in voices),
        "cosine_other_speakers": _mean(other for _, other, _ in voices),
        "nearest_is_right": _mean(right for _, _, right in voices),
        "n_cosine": len(voices),
        "mos": _mean(score["mos"] for _, score in group if "mos" in score),
        "mcd_db": _mean(utterance.mcd_db for utterance, _ in group if utterance.mcd_db is not None),
        "synthesis_sec": sum(utterance.synthesis_sec or 0.0 for utterance in spoken),
        "duration_sec": sum(utterance.duration_sec for utterance in spoken),
    }
    return _with_rates(row)


def _with_rates(row: dict) -> dict:
    if row["words"]:
        wer, low, high = bootstrap_word_error_rate(row["errors"], row["words"])
        row = {**row, "wer": wer, "wer_low": low, "wer_high": high}
    if row["duration_sec"] and row["synthesis_sec"]:
        row = {**row, "real_time_factor": row["synthesis_sec"] / row["duration_sec"]}
    return row


def _similarity(utterance: Utterance, score: dict) -> tuple[float, float | None, float | None]:
    """Cosine to the own speaker's recordings, to other speakers', and whether the own is the nearest."""
    own = float(np.mean(score["cosines"][: len(utterance.references)]))
    others = score["cosines"][len(utterance.references) :]
    return (own, float(np.mean(others)), float(own > max(others))) if others else (own, None, None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def word_errors(row: dict) -> str:
    """Write word errors with their interval; nothing where nobody has listened."""
    if row.get("wer") is None:
        return ""
    return f"{100 * row['wer']:.1f} % ({100 * row['wer_low']:.1f}-{100 * row['wer_high']:.1f})"


def number(value: float | None, digits: int) -> str:
    """Write a number; nothing where it was not measured."""
    return "" if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """Write a share as percent; nothing where it was not measured."""
    return "" if share is None else f"{100 * share:.0f} %"


def pooled(rows: list[dict], voices: tuple[str, ...], *, system: str = "ours") -> dict | None:
    """Put the rows of several voices of one system together."""
    chosen = [row for row in rows if row["system"] == system and row["voice"] in voices]
    if not chosen:
        return None
    together = {"n": sum(row["n"] for row in chosen)}
    for key in ("errors", "words"):
        together[key] = [count for row in chosen for count in row[key]]
    for key in ("synthesis_sec", "duration_sec"):
        together[key] = sum(row[key] for row in chosen)
    for key in ("cosine", "mos"):
        together[key] = _mean(row[key] for row in chosen)
    return _with_rates(together)


def markdown(results: dict) -> str:
    """Write the tables for people."""
    rows, settings = results["rows"], results["settings"]
    lines = ["# Benchmark", "", "Made by `make bench`; do not edit. " + _how(settings), ""]
    lines += ["## Goals", "", *_goal_lines(results), "", "## Side by side", ""]
    lines += [
        "| system | voice | n | word errors (95 %) | predicted mark | cosine | nearest voice right | "
        "distortion | real-time factor |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row_line(row) for row in rows]
    lines += ["", *_legend(rows), "", "## Size and start", "", *_footprint_lines(results["footprints"])]
    if results["left_out"]:
        lines += ["", "## Left out", "", *(f"- {reason}" for reason in results["left_out"])]
    return "\n".join(lines) + "\n"


def _how(settings: dict) -> str:
    return (
        f"Measured on {settings['cores']} processor cores ({settings['machine']}, Python "
        f"{settings['python']}, load {settings['load']:.1f} before the start), weights "
        f"{settings['weights']}, {settings['date']}. Sentences and unseen speakers were held out of training."
    )


def _goal_lines(results: dict) -> list[str]:
    lines = ["| what | n | goal | measured | |", "|---|--:|--:|--:|---|"]
    for what, system, voices, key, goal, unit in GOALS:
        row = pooled(results["rows"], voices, system=system) or {}
        value, more_is_better = row.get(key), key in ("cosine", "mos")
        met = value is not None and (value >= goal if more_is_better else value <= goal)
        sign, factor, digits = ("≥" if more_is_better else "≤"), (100 if unit else 1), (1 if unit else 3)
        measured = None if value is None else f"{value * factor:.{digits}f}{unit and ' '}{unit}"
        wanted = f"{sign} {goal * factor:g}{unit and ' '}{unit}"
        lines.append(_goal_line(what, row.get("n"), wanted, measured, met))
    seconds = results["waiting_sec"].get("import tinyclone")
    met = seconds is not None and seconds <= IMPORT_GOAL_SEC
    measured = None if seconds is None else f"{seconds:.2f} s"
    lines.append(_goal_line("`import tinyclone`", None, f"≤ {IMPORT_GOAL_SEC} s", measured, met))
    seconds = results["footprints"].get("ours", {}).get("cold_sec")
    met = seconds is not None and seconds <= COLD_GOAL_SEC
    measured = None if seconds is None else f"{seconds:.1f} s"
    lines.append(_goal_line("`tinyclone clone`, cold", None, f"≤ {COLD_GOAL_SEC:g} s", measured, met))
    return lines


def _footprint_lines(footprints: dict[str, dict]) -> list[str]:
    """Write the table of what each system asks of a machine."""
    lines = ["| system | cold start to the end of one sentence | on disk | parameters |", "|---|--:|--:|--:|"]
    for name, one in footprints.items():
        size = "" if one["n_bytes"] is None else f"{one['n_bytes'] / 1e6:.1f} MB"
        parameters = "" if one["parameters"] is None else f"{one['parameters'] / 1e6:.2f} M"
        lines.append(f"| {TITLES[name]} | {number(one['cold_sec'], 2)} s | {size} | {parameters} |")
    lines += ["", "Disk: models and dictionaries, without Python and the libraries that run them."]
    return lines


def _goal_line(what: str, n: int | None, goal: str, value: str | None, met: bool) -> str:
    verdict = "not measured" if value is None else "met" if met else "**missed**"
    return f"| {what} | {n or ''} | {goal} | {value or ''} | {verdict} |"


def _row_line(row: dict) -> str:
    cells = [TITLES[row["system"]], row["voice"], row["n"], word_errors(row)]
    cells += [
        number(row["mos"], 2),
        number(row["cosine"], 2),
        percent(row["nearest_is_right"]),
    ]
    cells += [
        "" if row["mcd_db"] is None else f"{row['mcd_db']:.1f} dB",
        number(row.get("real_time_factor"), 3),
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _legend(rows: list[dict]) -> list[str]:
    baselines = [
        f"{row['voice']} {row['cosine']:.2f} and {row['cosine_other_speakers']:.2f}"
        for row in rows
        if row["system"] == "human" and row["cosine_other_speakers"] is not None
    ]
    lines = [
        "- *word errors*: Whisper tiny.en against the text, numbers and spellings in one form, pooled "
        "over the words of all clips, at most 100 % a clip; the interval is a bootstrap over clips.",
        "- *predicted mark*: distillmos, 1 to 5; a guess of what listeners would say.",
        "- *cosine*: Resemblyzer, to other recordings of the named voice, or to the reference (≤ 10 s) of "
        "the unseen one. *nearest voice right*: nearer to its own than to every other held-out reader's.",
        "- *distortion*: mel-cepstral, to the recording of the same sentence where there is one.",
        "- *real-time factor*: seconds of work for a second of speech, warm; other programs start anew.",
    ]
    if baselines:
        lines.append(f"- The cosine of two recordings of one speaker and of two: {'; '.join(baselines)}.")
    return lines


def write_all(results: dict, out: Path) -> None:
    """Write the three files; each appears whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    _replace(out / "results.json", json.dumps(results, indent=1).encode())
    _replace(out / "results.md", markdown(results).encode())
    if any("wer" in row for row in results["rows"]):
        _plot(results, out / "results.png")


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _plot(results: dict, path: Path) -> None:
    """Draw a column of dots for each thing measured; every row is a system that speaks with a voice."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    rows = [row for row in results["rows"] if "wer" in row][::-1]
    names = [f"{TITLES[row['system']]}, {row['voice']}" for row in rows]
    sizes = {name: one["n_bytes"] for name, one in results["footprints"].items()}
    megabytes = [sizes[row["system"]] / 1e6 if sizes.get(row["system"]) else None for row in rows]
    figure, (words, marks, voices, speed, disk) = plt.subplots(
        1, 5, figsize=(17, 0.36 * len(rows) + 1.6), sharey=True, layout="constrained"
    )
    rates = np.array([[row["wer"], row["wer_low"], row["wer_high"]] for row in rows]) * 100
    reach = abs(rates[:, 1:] - rates[:, :1]).T
    words.errorbar(rates[:, 0], names, xerr=reach, fmt="o", capsize=3, color=OWN_COLOUR)
    words.set(xlabel="word errors in %, 95 % interval\n(less is better)", xlim=(0, None))
    _dots(marks, names, [row["mos"] for row in rows])
    marks.set(xlabel="predicted mark, 1 to 5\n(more is better)")
    _dots(voices, names, [row["cosine"] for row in rows], label="to the own speaker")
    others = [row["cosine_other_speakers"] for row in rows]
    _dots(voices, names, others, marker="x", color=OTHER_COLOUR, label="to other speakers")
    voices.set(xlabel="Resemblyzer cosine\n(the further apart, the better)")
    voices.legend(loc="lower right")
    _dots(speed, names, [row.get("real_time_factor") for row in rows])
    speed.set(xlabel="real-time factor, warm\n(less is better)", xscale="log")
    _dots(disk, names, megabytes)
    disk.set(xlabel="models on disk in MB, where known\n(less is better)", xscale="log")
    for axes in (speed, disk):
        axes.xaxis.set(
            major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter=NullFormatter()
        )
    for axes in (words, marks, voices, speed, disk):
        axes.grid(alpha=0.3)
    temporary = path.with_name(f".{path.stem}.part.png")
    figure.savefig(temporary, dpi=100)
    plt.close(figure)
    os.replace(temporary, path)


def _dots(axes: Axes, names: list[str], values: list[float | None], **style: str) -> None:
    """Draw the values that are known, each in the row of its name."""
    known = [np.nan if value is None else value for value in values]
    axes.plot(known, names, **{"marker": "o", "linestyle": "", "color": OWN_COLOUR, **style})
