"""The checkers of lesson 5 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from verdicts import NONSENSE, refused

from tinyclone.exercises import check_best_step, check_learning_rate, check_make_batches, training

REPOSITORY = Path(__file__).resolve().parent.parent
CHECKERS = [check_learning_rate, check_make_batches, check_best_step]
ODD = [
    *NONSENSE,
    (lambda *_: object(), "an object of type object; expected"),
    (lambda *_: {1: 2}, "an object of type dict; expected"),
    (lambda *_: "many", "an object of type str; expected"),
]


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize("wrong, hint", ODD)
def test_nonsense_gets_a_hint_and_no_error(check, wrong, hint, capsys):
    refused(check, wrong, hint, capsys)


@pytest.mark.parametrize("check", [check_learning_rate, check_best_step])
@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda *_: [1, 2], "returned 2 numbers; expected one"),
        (lambda *_: [], "returned 0 numbers; expected one"),
        (lambda *_: float("nan"), ""),
        (lambda *_: -1, ""),
    ],
)
def test_strange_numbers_get_a_hint(check, wrong, hint, capsys):
    refused(check, wrong, hint, capsys)


def learning_rate(step, peak, warmup_steps, n_steps):
    if step < warmup_steps:
        share = step / warmup_steps
    else:
        done = min(1, (step - warmup_steps) / (n_steps - warmup_steps))
        share = 0.5 * (1 + np.cos(np.pi * done))
    return peak * (0.01 + 0.99 * share)


def with_mistake(**changes):
    return lambda *plan: training._rate(*plan, **changes)


class TestLearningRate:
    def test_a_right_answer(self, capsys):
        assert check_learning_rate(learning_rate) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 3 and "Solved: learning_rate." in printed

    @pytest.mark.parametrize("plan", [(1e-3, 200, 3000), (3e-4, 50, 1200)])
    def test_the_reference_is_what_training_uses(self, plan):
        import keras

        peak, warmup_steps, n_steps = plan
        schedule = keras.optimizers.schedules.CosineDecay(
            peak / 100, n_steps - warmup_steps, alpha=0.01, warmup_target=peak, warmup_steps=warmup_steps
        )
        for step in (0, 7, warmup_steps, 500, n_steps - 1, n_steps, 2 * n_steps):
            assert float(schedule(step)) == pytest.approx(training._rate(step, *plan), rel=1e-4)

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (with_mistake(warms_up=False), "stays at the peak until"),
            (with_mistake(warms_up=False, starts_at_0=True), "there is no warm-up"),
            (with_mistake(first_share=0.0), "it begins at 0. The first"),
            (with_mistake(last_share=0.0), "it falls to 0"),
            (with_mistake(first_share=0.0, last_share=0.0), "begins at 0 and ends at 0"),
            (with_mistake(starts_at_0=True), "jumps at the end of the warm-up"),
            (with_mistake(half_waves=2.0), "falls and rises again"),
            (with_mistake(half_waves=0.5), "a quarter of a wave"),
            (with_mistake(half_waves=1 / np.pi), "np.cos wants radians"),
            (with_mistake(straight=True), "half a cosine was asked for"),
            (with_mistake(until=np.inf), "it rises again after `n_steps`"),
            (lambda step, peak, warmup_steps, n_steps: peak, "at every step"),
            (lambda *plan: 100 * learning_rate(*plan), "at step 0, where it is rising"),
            (lambda step, *plan: learning_rate(step, *plan) + (step == plan[1]) * 1e-4, "at the peak"),
            (lambda step, *plan: learning_rate(step, *plan) * (1 + (step > plan[2])), "after the end"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_learning_rate, wrong, hint, capsys)

    def test_a_function_that_fails_later_gets_a_hint(self, capsys):
        def fails_at_the_end(step, peak, warmup_steps, n_steps):
            return 1 / (n_steps - step)

        refused(check_learning_rate, fails_at_the_end, "raised ZeroDivisionError", capsys)


def make_batches(lengths, most_frames, *, order=np.argsort, room=None, keep_last=True):
    room = room or (lambda clips: len(clips) * lengths[clips].max())
    batches, batch = [], []
    for clip in order(lengths):
        if batch and room([*batch, clip]) > most_frames:
            batches.append(batch)
            batch = []
        batch.append(clip)
    return [*batches, batch] if keep_last else batches


class TestMakeBatches:
    @pytest.mark.parametrize("order", [np.argsort, lambda lengths: np.argsort(-lengths)])
    def test_right_answers(self, order, capsys):
        assert check_make_batches(lambda *given: make_batches(*given, order=order)) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: make_batches." in printed

    def test_other_containers_are_fine(self):
        assert check_make_batches(lambda *given: tuple(np.array(one) for one in make_batches(*given)))
        assert check_make_batches(lambda *given: [[], *make_batches(*given)])
        assert check_make_batches(lambda *given: make_batches(*given)[::-1])

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda *given: make_batches(*given, order=lambda one: range(len(one))), "are padding, 8% are"),
            (lambda *given: make_batches(*given, keep_last=False), "which is not full"),
            (lambda lengths, most: [range(len(lengths))], "at most 3072 were allowed"),
            (
                lambda lengths, most: make_batches(lengths, most, room=lambda clips: lengths[clips].sum()),
                "each takes the room of the longest",
            ),
            (lambda lengths, most: [[clip] for clip in range(len(lengths))], "Fill each as far as it goes"),
            (lambda *given: [*make_batches(*given), [0]], "clip 0 is in more than one batch"),
            (lambda lengths, most: np.argsort(lengths), "expected a list of lists"),
            (lambda lengths, most: 5, "expected a list of lists"),
            (lambda lengths, most: [], "300 clips are in no batch"),
            (lambda lengths, most: [[0.5, 1]], "numbers that are not whole"),
            (lambda lengths, most: [[float("nan")]], "numbers that are not whole"),
            (lambda lengths, most: [["a"]], "expected an array of numbers"),
            (lambda lengths, most: [None], "expected an array of numbers"),
            (lambda lengths, most: [[[0]]], "expected a list of lists"),
            (lambda lengths, most: [[-1]], "holds the number -1, but the clips are 0 to 299"),
            (lambda lengths, most: [lengths], "their places there, not their lengths"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_make_batches, wrong, hint, capsys)

    def test_sorting_inside_of_batches_is_not_enough(self, capsys):
        def sorted_inside(lengths, most_frames):
            batches = make_batches(lengths, most_frames, order=lambda one: range(len(one)))
            return [sorted(batch, key=lambda clip: lengths[clip]) for batch in batches]

        refused(check_make_batches, sorted_inside, "is it made of neighbours in length?", capsys)

    def test_a_function_that_spoils_its_lengths_is_still_judged_by_its_answer(self):
        def spoiling(lengths, most_frames):
            answer = make_batches(lengths, most_frames)
            lengths[:] = 1
            return answer

        assert check_make_batches(spoiling)


def best_step(rows, steps_per_epoch, *, column="val_mel_mae", choose=min, later=1):
    measured = [row for row in rows if row[column]]
    best = choose(measured, key=lambda row: float(row[column]))
    return (int(best["epoch"]) + later) * steps_per_epoch


class TestBestStep:
    def test_right_answers(self, capsys):
        assert check_best_step(best_step) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 5 and "Solved: best_step." in printed
        assert check_best_step(lambda *given: np.array(float(best_step(*given))))

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda *given: best_step(*given, later=0), "epochs count from 0"),
            (lambda *given: best_step(*given, column="mel_mae"), "on the *training* clips"),
            (lambda *given: best_step(*given, column="val_loss"), "on the *training* clips"),
            (lambda *given: best_step(*given, choose=max), "there the error is highest"),
            (lambda rows, steps: best_step(rows, 1), "counts epochs or rows"),
            (lambda rows, steps: best_step(rows, 1, later=0), "counts epochs or rows"),
            (lambda rows, steps: min(float(row["val_mel_mae"]) for row in rows), "the lowest error itself"),
            (lambda rows, steps: len(rows) * steps, "or the log ends"),
            (lambda rows, steps: 7, ""),
            (
                lambda rows, steps: (int(min(rows, key=lambda row: row["val_mel_mae"])["epoch"]) + 1) * steps,
                "where nothing was measured",
            ),
            (
                lambda rows, steps: (
                    (
                        int(
                            min(
                                [one for one in rows if one["val_mel_mae"]],
                                key=lambda one: one["val_mel_mae"],
                            )["epoch"]
                        )
                        + 1
                    )
                    * steps
                ),
                "it seems to compare texts",
            ),
            (
                lambda rows, steps: (
                    (
                        min((float(one["val_mel_mae"] or "inf"), place) for place, one in enumerate(rows))[1]
                        + 1
                    )
                    * steps
                ),
                "stands in the column `epoch`",
            ),
            (lambda rows, steps: min(float(row["val_mel_mae"]) for row in rows) * 0 + 25, ""),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_best_step, wrong, hint, capsys)

    def test_a_number_that_cannot_be_read_is_named(self, capsys):
        def careless(rows, steps):
            errors = [float(row["val_mel_mae"]) for row in rows]
            return (errors.index(min(errors)) + 1) * steps

        refused(check_best_step, careless, "raised ValueError", capsys)


class TestNumbersOfTheLesson:
    def test_the_curve_to_expect_is_that_of_the_benchmark(self):
        lesson = (REPOSITORY / "lessons" / "05_gpu_training.ipynb").read_text(encoding="utf-8")
        (curve,) = re.findall(r'\\"194 minutes, held out\\": \\"([0-9. ]+)\\"', lesson)
        errors = [float(error) for error in curve.split()]
        benchmark = json.loads((REPOSITORY / "benchmarks" / "data_size.json").read_text(encoding="utf-8"))
        assert len(errors) == benchmark["laptop"][-1]["epoch"]
        for point in benchmark["laptop"]:
            assert errors[point["epoch"] - 1] == pytest.approx(point["mel_mae"], abs=6e-4)
        (curve,) = re.findall(r'\\"5 minutes, held out\\": \\"([0-9. ]+)\\"', lesson)
        assert float(curve.split()[-1]) == pytest.approx(benchmark["data"][0]["mel_mae"], abs=6e-4)
