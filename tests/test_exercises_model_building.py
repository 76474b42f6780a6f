"""The checkers of lesson 4 know a right answer, and say of a wrong one what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
from verdicts import NONSENSE, refused

from tinyclone.exercises import check_pool, check_receptive_field, check_repeat_states
from tinyclone.exercises.model_building import STACKS
from tinyclone.exercises.model_mistakes import field_of


@pytest.mark.parametrize("check", [check_repeat_states, check_pool, check_receptive_field])
@pytest.mark.parametrize("wrong, hint", NONSENSE)
def test_nonsense_gets_a_hint_and_no_error(check, wrong, hint, capsys):
    refused(check, wrong, hint, capsys)


def repeat_states(states, durations):
    longest = durations.sum(axis=1).max()
    frames = np.zeros((len(states), longest, states.shape[2]))
    mask = np.zeros((len(states), longest))
    for clip, (one, lengths) in enumerate(zip(states, durations)):
        repeated = np.repeat(one, lengths, axis=0)
        frames[clip, : len(repeated)], mask[clip, : len(repeated)] = repeated, 1
    return frames, mask


def in_front(states, durations):
    frames, mask = repeat_states(states, durations)
    spaces = (1 - mask).sum(axis=1).astype(int)
    rolled = [np.roll(one, space, axis=0) for one, space in zip(frames, spaces)]
    return np.stack(rolled), np.stack([np.roll(one, space) for one, space in zip(mask, spaces)])


def round_and_round(states, durations):
    frames, mask = repeat_states(states, durations)
    around = np.stack([np.resize(one, frames.shape[1:]) for one in states])
    return around * mask[..., None], mask


def last_state_goes_on(states, durations):
    frames, mask = repeat_states(states, durations)
    return np.where(mask[..., None] > 0, frames, states[:, -1:]), mask


def all_together(states, durations):
    frames, mask = repeat_states(states, durations)
    more = durations.sum() - frames.shape[1]
    return np.pad(frames, ((0, 0), (0, more), (0, 0))), np.pad(mask, ((0, 0), (0, more)))


class TestRepeatStates:
    def test_right_answers(self, capsys):
        assert check_repeat_states(repeat_states) is True
        printed = capsys.readouterr().out
        assert printed.count("OK") == 4 and "Solved: repeat_states." in printed

    def test_a_list_of_tensors_and_a_mask_of_bools_are_right_too(self):
        import keras

        def with_keras(states, durations):
            frames, mask = repeat_states(states, durations)
            return [keras.ops.convert_to_tensor(frames), mask.astype(bool)]

        assert check_repeat_states(with_keras)

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda s, d: repeat_states(s, d)[0], "expected two things: frames, mask"),
            (lambda s, d: (*repeat_states(s, d), 1), "3 things; expected two"),
            (lambda s, d: repeat_states(s, d)[::-1], "frames come first"),
            (lambda s, d: (s, "mask"), "expected an array of numbers"),
            (lambda s, d: (np.repeat(s[0], d[0], axis=0), 1), "Each keeps a row of its own"),
            (lambda s, d: (repeat_states(s, d)[0].swapaxes(1, 2), 1), "time comes before channels"),
            (
                lambda s, d: [one[:, : d.sum(axis=1).min()] for one in repeat_states(s, d)],
                "The longest decides",
            ),
            (all_together, "the frames of all clips together"),
            (lambda s, d: repeat_states(s, np.maximum(d, 1)), "token of 0 frames got one"),
            (lambda s, d: repeat_states(s, d + 1), "once too often"),
            (lambda s, d: repeat_states(s, d * 2), "the frames have the shape (1, 12, 4)"),
            (round_and_round, "go round and round"),
            (in_front, "the padding is in front"),
            (last_state_goes_on, "there should be zeros"),
            (lambda s, d: repeat_states(s[:, ::-1], d), "has not the state of its token"),
            (lambda s, d: (repeat_states(s, d)[0], 1 - repeat_states(s, d)[1]), "upside down"),
            (lambda s, d: (repeat_states(s, d)[0], repeat_states(s, d)[1][..., None]), "one number for each"),
            (lambda s, d: (repeat_states(s, d)[0], 2 * repeat_states(s, d)[1]), "more than 0 and 1"),
            (
                lambda s, d: (repeat_states(s, d)[0], np.ones_like(repeat_states(s, d)[1])),
                "the mask is 1 everywhere",
            ),
            (lambda s, d: (repeat_states(s, d)[0], d), "the mask has the shape"),
            (lambda s, d: (repeat_states(s, d)[0], np.eye(1, d.sum())), "the clips have [1] frames"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_repeat_states, wrong, hint, capsys)

    def test_a_function_that_spoils_its_inputs_is_still_judged_by_its_answer(self):
        def spoiling(states, durations):
            answer = repeat_states(states, durations)
            states[:], durations[:] = 0, 1
            return answer

        assert check_repeat_states(spoiling)


def pool(frames, mask, *, centre=True, count=None, power=2.0, root=0.5, tiny=0.0):
    keep = mask[..., None]
    n = keep.sum(axis=1) if count is None else count
    mean = (frames * keep).sum(axis=1) / n
    far = np.abs(frames - mean[:, None]) ** power
    deviation = ((far * keep).sum(axis=1) / (keep.sum(axis=1) if centre else frames.shape[1]) + tiny) ** root
    return np.concatenate([mean, deviation], axis=1)


def halves(change):
    def wrong(frames, mask):
        means, deviations = np.split(pool(frames, mask), 2, axis=1)
        return np.concatenate(change(frames, mask, means, deviations), axis=1)

    return wrong


class TestPool:
    def test_right_answers(self, capsys):
        assert check_pool(pool) is True
        assert capsys.readouterr().out.count("OK") == 4
        assert check_pool(lambda frames, mask: pool(frames, mask, tiny=1e-5)), "as the package does it"
        assert check_pool(lambda frames, mask: pool(frames, mask.astype(bool)).tolist())

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (lambda x, m: pool(x, m)[:, :3], "half is missing"),
            (lambda x, m: pool(x, m)[:, None], "one axis too many"),
            (lambda x, m: pool(x, m).T, "a row for each reference"),
            (lambda x, m: "all", "expected an array of numbers"),
            (lambda x, m: np.full((len(x), 6), np.nan), "or the root of a number below 0"),
            (halves(lambda x, m, mean, std: [std, mean]), "Means first"),
            (lambda x, m: pool(x, np.ones_like(m)), "the mask has no effect on the means"),
            (lambda x, m: pool(x, m, count=x.shape[1]), "divided by all frames"),
            (halves(lambda x, m, mean, std: [mean * m.sum(axis=1)[:, None], std]), "these are sums"),
            (halves(lambda x, m, mean, std: [mean + 1, std]), "the means are wrong"),
            (lambda x, m: pool(x, m, root=1.0), "holds variances"),
            (lambda x, m: pool(x, m, power=1.0, root=1.0), "the mean distance"),
            (lambda x, m: pool(x, m, centre=False), "the squares are divided by all frames"),
            (halves(lambda x, m, mean, std: [mean, x.std(axis=1)]), "padding is counted into the standard"),
            (
                halves(
                    lambda x, m, mean, std: [
                        mean,
                        np.sqrt(
                            ((x * m[..., None] - mean[:, None]) ** 2).sum(axis=1) / m.sum(axis=1)[:, None]
                        ),
                    ]
                ),
                "mask the squares",
            ),
            (
                halves(
                    lambda x, m, mean, std: [
                        mean,
                        std * np.sqrt(m.sum(axis=1) / np.maximum(m.sum(axis=1) - 1, 1))[:, None],
                    ]
                ),
                "one less than the number",
            ),
            (halves(lambda x, m, mean, std: [mean, std + 1]), "the root of the mean square of what"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_pool, wrong, hint, capsys)

    def test_a_mask_that_is_upside_down_is_recognised_where_there_is_padding(self, capsys):
        def upside_down(frames, mask):
            keep = mask if mask.all() else 1 - mask
            mean = (frames * keep[..., None]).sum(axis=1) / np.maximum(keep.sum(axis=1), 1)[:, None]
            deviation = np.split(pool(frames, mask), 2, axis=1)[1]
            return np.concatenate([mean, deviation], axis=1)

        refused(check_pool, upside_down, "the mask is upside down", capsys)

        def without_care(frames, mask):
            with np.errstate(invalid="ignore"):
                return pool(frames, mask if mask.all() else 1 - mask)

        refused(check_pool, without_care, "Is the mask the right way up", capsys)


def receptive_field(kernel_sizes, strides, dilations):
    seen, apart = 1, 1
    for kernel_size, stride, dilation in zip(kernel_sizes, strides, dilations):
        seen, apart = seen + (kernel_size - 1) * dilation * apart, apart * stride
    return seen


class TestReceptiveField:
    def test_right_answers(self, capsys):
        assert check_receptive_field(receptive_field) is True
        assert capsys.readouterr().out.count("OK") == 7
        assert check_receptive_field(lambda *layers: np.int64(receptive_field(*layers)))

    @pytest.mark.parametrize("what, kernel_sizes, strides, dilations", STACKS)
    def test_the_reference_counts_what_reaches_the_output_of_keras(
        self, what, kernel_sizes, strides, dilations
    ):
        import keras

        steps = 400
        x = keras.Input((steps, 1))
        y = x
        for kernel_size, stride, dilation in zip(kernel_sizes, strides, dilations):
            # Keras cannot do both at once: dilate, then keep every stride-th step.
            y = keras.layers.Conv1D(
                1, kernel_size, padding="same", dilation_rate=dilation, kernel_initializer="ones"
            )(y)
            y = y[:, ::stride]
        model = keras.Model(x, y)
        signals = np.eye(steps, dtype=np.float32)[..., None]
        middle = model.predict(signals, verbose=0)[:, y.shape[1] // 2, 0]
        reached = np.flatnonzero(middle)
        assert 1 + reached.max() - reached.min() == field_of(kernel_sizes, strides, dilations)

    @pytest.mark.parametrize(
        "wrong, hint",
        [
            (
                lambda k, s, d: receptive_field(k, [1] * len(k), [1] * len(k)),
                "more steps than it has weights",
            ),
            (lambda k, s, d: receptive_field(k, [1] * len(k), d), "all later layers apart"),
            (lambda k, s, d: receptive_field(k, s, [1] * len(k)), "more steps than it has weights"),
            (lambda k, s, d: receptive_field(k, s, d) - 1, "is seen, too"),
            (lambda k, s, d: receptive_field(k, s, d) + 1, "once too often"),
            (lambda k, s, d: receptive_field(k, s, d) // 2, "one side only"),
            (lambda k, s, d: receptive_field(k[::-1], s[::-1], d[::-1]), "The first layer comes first"),
            (lambda k, s, d: field_of(k, s, d, stride_first=True), "own stride"),
            (lambda k, s, d: sum(k), "share a step"),
            (lambda k, s, d: int(np.prod(k)), "not multiplied"),
            (lambda k, s, d: 0, "how many input steps each layer adds"),
            (lambda k, s, d: True, "expected a whole number"),
            (lambda k, s, d: "57", "expected a whole number"),
            (lambda k, s, d: float("nan"), "nan is not it"),
        ],
    )
    def test_a_wrong_answer_gets_its_hint(self, wrong, hint, capsys):
        refused(check_receptive_field, wrong, hint, capsys)
