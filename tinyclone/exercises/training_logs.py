"""The trials of lesson 5 for logs: after how many steps was the held-out error lowest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinyclone.exercises.judging import Wrong, as_array, call


def try_best_step(best_step: Any) -> list[str]:
    """Try a function that reads logs; return what passed, or raise `Wrong` with a hint."""
    falling = [1.034, 0.655, 0.403, 0.331, 0.312, 0.303, 0.298, 0.294]
    turning = [0.98, 0.61, 0.44, 0.37, 0.355, 0.361, 0.372, 0.39]
    trials = [
        ("still falling at the end", _rows(falling), 200),
        ("learned by heart after the fifth epoch", _rows(turning), 50),
        ("scored after every other epoch only", _rows(turning, empty=(0, 2, 4, 6)), 100),
        ("a log whose first rows are lost", _rows(turning, first_epoch=6), 25),
        ("a number written with an exponent", _rows([0.31, 0.2, 0.097, 0.11], exponent_at=2), 500),
    ]
    return [_try_one_log(best_step, *trial) for trial in trials]


def _rows(
    errors: Sequence[float],
    *,
    empty: Sequence[int] = (),
    first_epoch: int = 0,
    exponent_at: int | None = None,
) -> list[dict[str, str]]:
    """Write a log: training's own error falls all the time, and so does the held-out loss but for its end."""
    rows = []
    for place, error in enumerate(errors):
        written = f"{error:.2e}" if place == exponent_at else str(error)
        rows.append(
            {
                "epoch": str(first_epoch + place),
                "loss": str(round(5 / (1 + place), 3)),
                "mel_mae": str(round(0.9 / (1 + place), 3)),
                "val_loss": "" if place in empty else str(round(4 / (2 + place), 3)),
                "val_mel_mae": "" if place in empty else written,
            }
        )
    return rows


def _lowest(rows: Sequence[Mapping[str, str]], column: str) -> int:
    """Return the place of the row with the lowest number in a column."""
    return min(
        (place for place, row in enumerate(rows) if row[column]), key=lambda place: float(rows[place][column])
    )


def _try_one_log(best_step: Any, what: str, rows: list[dict[str, str]], steps_per_epoch: int) -> str:
    answer = as_array(
        call(best_step, [dict(row) for row in rows], steps_per_epoch, expected=object), name="best_step"
    )
    if answer.size != 1:
        raise Wrong(f"best_step returned {answer.size} numbers; expected one, the number of steps.")
    step = float(answer.ravel()[0])
    best = _lowest(rows, "val_mel_mae")
    right = (int(rows[best]["epoch"]) + 1) * steps_per_epoch
    if step == right:
        return f"{what}: step {right}"
    raise Wrong(f"{what}: {_why_not_step(step, rows, steps_per_epoch, best=best)}")


def _why_not_step(step: float, rows: Sequence[Mapping[str, str]], steps_per_epoch: int, *, best: int) -> str:
    """Compare with what usual mistakes give."""

    def steps_of(place: int) -> int:
        return (int(rows[place]["epoch"]) + 1) * steps_per_epoch

    measured = [place for place, row in enumerate(rows) if row["val_mel_mae"]]
    if step == int(rows[best]["epoch"]) * steps_per_epoch:
        return (
            f"it says {step:g}. That is where the best epoch begins: epochs count from 0, and the error is "
            "measured at an epoch's end."
        )
    if step in (best, best + 1, int(rows[best]["epoch"]), int(rows[best]["epoch"]) + 1):
        return f"it says {step:g}, which counts epochs or rows. Expected are steps."
    if step == float(rows[best]["val_mel_mae"]):
        return "it returned the lowest error itself. Expected is after how many steps it was measured."
    if step == (best + 1) * steps_per_epoch:
        return "it counts the rows. How far training was stands in the column `epoch`."
    mistakes = [
        (
            min(measured, key=lambda place: rows[place]["val_mel_mae"]),
            "it seems to compare texts, for which '0.2' comes before '9e-2'. Turn them into numbers",
        ),
        (
            max(measured, key=lambda place: float(rows[place]["val_mel_mae"])),
            "there the error is highest. The lowest is the best",
        ),
        (
            _lowest(rows, "mel_mae"),
            "there the error on the *training* clips is lowest, or the log ends. Look at `val_mel_mae`",
        ),
        (_lowest(rows, "val_loss"), "there `val_loss` is lowest. Look at `val_mel_mae`"),
    ]
    for place, hint in mistakes:
        if step == steps_of(place) and place != best:
            return f"it says {step:g}: {hint}."
    empty = [place for place in range(len(rows)) if place not in measured]
    if step in [steps_of(place) for place in empty]:
        return f"it says {step:g}, where nothing was measured. Leave out rows whose cell is empty."
    return (
        f"it says {step:g}. After which epoch is `val_mel_mae` lowest, and how many steps were taken by then?"
    )
