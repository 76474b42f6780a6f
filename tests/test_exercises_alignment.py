"""The checkers of lesson 3 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused

from tinyclone.alignment import best_path
from tinyclone.exercises import alignment, check_durations_of, check_fill_table, check_find_wrong_text


@pytest.mark.parametrize("check", [check_durations_of, check_fill_table, check_find_wrong_text])
@pytest.mark.parametrize("wrong, hint", NONSENSE)
def test_nonsense_gets_a_hint_and_no_error(check, wrong, hint, capsys):
    refused(check, wrong, hint, capsys)


@pytest.mark.parametrize("check", [check_durations_of, check_fill_table])
@pytest.mark.parametrize(
    "wrong, hint",
    [
        (lambda *_: "many", "expected an array of numbers"),
        (lambda *_: {1: 2}, "expected an array of numbers"),
        (lambda *_: [[1], [2, 3]], "expected an array of numbers"),
        (lambda *_: 5, "the shape is ()"),
        (lambda *_: [], ""),
        (lambda *_: np.zeros((2, 2, 2)), "the shape is (2, 2, 2)"),
    ],
)
def test_strange_arrays_get_a_hint(check, wrong, hint, capsys):
    refused(check, wrong, hint, capsys)


def durations_of(path, n_tokens):
    return np.bincount(path, minlength=n_tokens)


class TestDurationsOf:
    def test_right_answers(self, capsys):
        assert check_durations_of(durations_of) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: durations_of." in printed
        assert check_durations_of(lambda path, n: [list(path).count(token) for token in range(n)])

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda path, n: np.unique(path, return_counts=True)[1], "keeps its place, with 0 frames"),
            (lambda path, n: np.bincount(path), "2 of 4 durations are there"),
            (lambda path, n: np.cumsum(durations_of(path, n)), "the distance of two borders"),
            (lambda path, n: np.searchsorted(path, np.arange(n)), "the distance of two borders"),
            (lambda path, n: 16 * durations_of(path, n), "these are times"),
            (lambda path, n: 0.016 * durations_of(path, n), "these are times"),
            (lambda path, n: path, "one number for each frame"),
            (lambda path, n: durations_of(path[:-1], n), "add up to 5, but the path has 6"),
            (lambda path, n: np.roll(durations_of(path, n), 1), "token 0 got 3 frames"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_durations_of, wrong, hint, capsys)

    def test_a_function_that_spoils_its_path_is_still_judged_by_its_answer(self):
        def spoiling(path, n_tokens):
            answer = durations_of(path, n_tokens)
            path[:] = 0
            return answer

        assert check_durations_of(spoiling)


def fill_table(scores, optional, *, skips=True, start=True, nothing=-np.inf):
    n_frames, n_states = scores.shape
    best = np.full(scores.shape, nothing)
    best[0, 0] = scores[0, 0]
    if optional[0] and start:
        best[0, 1] = scores[0, 1]
    for frame in range(1, n_frames):
        for state in range(n_states):
            before = best[frame - 1]
            ways = [before[state]]
            if state >= 1:
                ways.append(before[state - 1])
            if skips and state >= 2 and optional[state - 1]:
                ways.append(before[state - 2])
            best[frame, state] = max(ways) + scores[frame, state]
    return best


def with_mistake(**changes):
    return lambda scores, optional: alignment._table(scores, **{"optional": optional, **changes})


class TestFillTable:
    def test_a_right_answer(self, capsys):
        assert check_fill_table(fill_table) is True
        assert capsys.readouterr().out.count("OK") == 4

    @pytest.mark.parametrize("seed", range(20))
    def test_the_reference_ends_on_the_total_of_the_best_path(self, seed):
        random = np.random.default_rng(seed)
        optional = np.array([False, True, False, False, True, False])
        scores = random.normal(size=(9, 6)).astype(np.float32)
        table = alignment._table(scores, optional)
        path = best_path(scores, optional, np.ones(6, bool))
        assert table[-1, -1] == pytest.approx(scores[np.arange(9), path].sum(), abs=1e-4)

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda scores, optional: fill_table(scores, optional, skips=False), "never passes by a state"),
            (lambda scores, optional: fill_table(scores, optional, start=False), "state 0 is optional"),
            (lambda scores, optional: fill_table(scores, optional, nothing=0.0), "needs -inf there"),
            (lambda scores, optional: fill_table(scores, optional).T, "frames come first"),
            (lambda scores, optional: fill_table(scores, optional)[-1], "the shape is (4,)"),
            (lambda scores, optional: fill_table(scores, ~optional, start=False), "passes by any state"),
            (lambda scores, optional: np.where(np.isfinite(fill_table(scores, optional)), 0, np.nan), "NaN"),
            (lambda scores, optional: fill_table(scores + 1, optional), "Nothing lies before it"),
            (with_mistake(asked=0), "The one passed by is the one before"),
            (with_mistake(asked=-2), "The one passed by lies between"),
            (with_mistake(same_frame=True), "came from the same frame"),
            (with_mistake(together=np.logaddexp.reduce), "Only the best of them counts"),
            (with_mistake(together=min), "The best has the highest total"),
            (with_mistake(adds_score=False), "the score of the cell is missing"),
            (lambda scores, optional: scores, "no path can be in state 1 in the first frame"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_fill_table, wrong, hint, capsys)

    def test_the_first_wrong_cell_is_named(self, capsys):
        def slightly_wrong(scores, optional):
            table = fill_table(scores, optional)
            table[3, 2] += 1
            return table

        refused(check_fill_table, slightly_wrong, "the first wrong cell is frame 3, state 2", capsys)


def path_score(scores):
    n_frames, n_states = scores.shape
    path = best_path(scores, np.zeros(n_states, bool), np.ones(n_states, bool))
    return scores[np.arange(n_frames), path].mean()


class TestFindWrongText:
    def test_a_right_answer(self, capsys):
        assert check_find_wrong_text(lambda clips: min(clips, key=lambda name: path_score(clips[name])))
        assert capsys.readouterr().out.count("OK") == 3

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda clips: max(clips, key=lambda name: path_score(clips[name])), "A wrong text gives a low"),
            (
                lambda clips: min(clips, key=lambda name: path_score(clips[name]) * len(clips[name])),
                "Divide by their number",
            ),
            (
                lambda clips: min(clips, key=lambda name: clips[name].max(axis=1).mean()),
                "if every frame may choose its own token",
            ),
            (lambda clips: min(clips, key=lambda name: clips[name].mean()), "over its whole grid"),
            (lambda clips: "zoe", "expected one of the names: ada, ben"),
            (lambda clips: min(path_score(scores) for scores in clips.values()), "expected str"),
            (lambda clips: 0, "of type int; expected str"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_find_wrong_text, wrong, hint, capsys)

    def test_every_constant_answer_is_refused(self, capsys):
        for name in ("ada", "ben", "cleo", "dev", "eve", "long"):
            assert check_find_wrong_text(lambda clips, name=name: name) is False
