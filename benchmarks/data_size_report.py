"""The table and the picture of data_size.py."""

from __future__ import annotations

import os
from pathlib import Path

import report


def markdown(rows: list[dict], points: list[dict], recordings: dict) -> str:
    """Return the two tables."""
    head = "held-out mel error | word errors, kathleen | word errors, unseen | similarity, kathleen | "
    head += "similarity, unseen |\n|---|---|---|---|---|---|\n"
    human = f"| recordings | 0 {_scores(recordings)}\n"
    steps = f"{rows[0]['steps']:,}" if rows else "the same number of"
    lines = [
        "# What data buys\n",
        f"\nThe same {steps} steps with more and more speech. Mel error: mean absolute error of normalised ",
        "log mels with true durations. Words: Whisper tiny.en, with the 95 % interval. Similarity: cosine ",
        "of Resemblyzer. `unseen` are readers of whom training heard nothing, cloned from 10 seconds or ",
        "less. The alignment was learned from all speech; perturbed copies do not count as minutes.\n\n",
        f"| minutes of speech | {head}",
        *(f"| {row['minutes']:.0f} | {row['mel_mae']:.3f} {_scores(row)}\n" for row in rows),
        human,
    ]
    if points:
        lines += [
            "\n# What training buys\n",
            f"\nThe preset `laptop` with {points[0]['minutes']:.0f} minutes of speech on this machine.\n\n",
            f"| minutes of training (steps) | {head}",
            *(
                f"| {row['training_minutes']:.0f} ({row['steps']:,}) | {row['mel_mae']:.3f} {_scores(row)}\n"
                for row in points
            ),
            human,
        ]
    return "".join(lines)


def _scores(row: dict) -> str:
    voices = [row.get(voice, {}) for voice in ("kathleen", "unseen")]
    words = ["" if one.get("wer") is None else f"{report.word_errors(one)}, n {one['n']}" for one in voices]
    return f"| {' | '.join(words + [report.number(one.get('cosine'), 3) for one in voices])} |"


def draw(rows: list[dict], points: list[dict], recordings: dict, picture: Path) -> None:
    """Draw the quality over minutes of speech, and over minutes of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    sides = ((rows, "minutes", "minutes of speech"), (points, "training_minutes", "minutes of training"))
    for line, (series, key, label) in zip(axes, sides):
        across = [row[key] for row in series]
        line[0].plot(across, [row["mel_mae"] for row in series], "o-")
        line[0].set(ylabel="held-out mel error", xlabel=label, xscale="log")
        for axis, name, what in ((line[1], "wer", "word error rate"), (line[2], "cosine", "similarity")):
            for color, voice in (("C0", "kathleen"), ("C1", "unseen")):
                heights = [row.get(voice, {}).get(name) for row in series]
                if None not in heights:
                    axis.plot(across, heights, "o-", color=color, label=voice)
                if (best := recordings.get(voice, {}).get(name)) is not None:
                    axis.axhline(best, color=color, linestyle=":", label=f"{voice}, recordings")
            axis.set(ylabel=what, xlabel=label, xscale="log")
        for axis in line:
            axis.set_xticks(across, [f"{minutes:.0f}" for minutes in across])
            axis.set_xticks([], minor=True)
        line[1].legend(fontsize="small")
    temporary = picture.with_suffix(".unfinished.png")
    figure.savefig(temporary, dpi=100)
    plt.close(figure)
    os.replace(temporary, picture)
