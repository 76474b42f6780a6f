"""What all checkers share: a call that may go wrong, and a verdict with a hint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyclone.errors import TinycloneError


class Wrong(Exception):
    """An answer that is not right yet; the message is the hint."""


def judge(name: str, trial: Callable[[], list[str]]) -> bool:
    """Print what a trial found, and return whether it passed."""
    try:
        passed = trial()
    except Wrong as hint:
        print(f"Not yet: {hint}")
        return False
    print("\n".join(f"OK  {line}" for line in passed))
    print(f"Solved: {name}.")
    return True


def call(function: Any, *arguments: Any, expected: type) -> Any:
    """Call a learner's function; say what came instead of the type that was expected."""
    if not callable(function):
        raise Wrong(f"the checker got {kind_of(function)}, but wants the function itself, without brackets.")
    name = getattr(function, "__name__", "your function")
    try:
        answer = function(*arguments)
    except TinycloneError as error:
        raise Wrong(f"{name} was refused by tinyclone: {error}") from error
    except Exception as error:
        raise Wrong(f"{name} raised {type(error).__name__}: {error}") from error
    if answer is None or answer is Ellipsis:
        raise Wrong(f"{name} returned nothing. Write its body, and end it with `return`.")
    if not isinstance(answer, expected):
        raise Wrong(f"{name} returned {kind_of(answer)}; expected {expected.__name__}.")
    return answer


def as_array(value: Any, *, name: str) -> np.ndarray:
    """Turn an answer, also a tensor of Keras, into an array of floats; say what it is if that fails."""
    try:
        return np.asarray(value, np.float64)
    except Exception as error:
        raise Wrong(f"{name} returned {kind_of(value)}; expected an array of numbers.") from error


def kind_of(value: Any) -> str:
    """Say of what type a value is."""
    return f"an object of type {type(value).__name__}"
