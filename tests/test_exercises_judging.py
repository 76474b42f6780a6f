"""What all checkers share: turning what a learner's function returns into numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tinyclone.exercises.judging import Wrong, as_array, as_numbers


@pytest.mark.parametrize("answer", [3, [1, 2.5], (True, False), np.float32(2), np.arange(3), np.eye(2)])
def test_numbers_become_floats(answer):
    array = as_array(answer, name="f")
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, np.asarray(answer))


def test_a_tensor_is_an_answer_too():
    import keras

    assert as_array(keras.ops.ones((2, 3)), name="f").sum() == 6


@pytest.mark.parametrize("answer", ["many", None, {1: 2}, [[1], [2, 3]], [None, 1], ["1", "2"], object()])
def test_anything_else_is_refused_by_name(answer):
    with pytest.raises(Wrong, match="f returned an object of type .*; expected an array of numbers"):
        as_array(answer, name="f")


def test_complex_numbers_are_called_so():
    with pytest.raises(Wrong, match="f returned complex numbers; expected real ones"):
        as_array([1j, 2], name="f")


@pytest.mark.parametrize("answer", [1, 1.0, np.float32(1), np.array([[1]]), [1]])
def test_one_number_may_come_in_any_shape(answer):
    found = as_numbers(answer)
    assert (found.shape, found.dtype, float(found)) == ((), np.float64, 1.0)


@pytest.mark.parametrize("answer", [[1, 2], (1, 2.0), np.array([1, 2], np.int8)])
def test_several_numbers(answer):
    np.testing.assert_array_equal(as_numbers(answer, shape=(2,)), [1.0, 2.0])


@pytest.mark.parametrize(
    "answer, hint",
    [
        ([1, 2, 3], r"f returned numbers of the shape \(3,\); expected 2 numbers"),
        (1.0, "expected 2 numbers"),
        ([[1, 2]], r"of the shape \(1, 2\)"),
        ([1, np.inf], "divided by zero"),
        ([1, None], "of type list"),
    ],
)
def test_other_numbers_are_refused(answer, hint):
    with pytest.raises(Wrong, match=hint):
        as_numbers(answer, shape=(2,), name="f")
