"""What the tests of all checkers share: answers that are none, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

# Each with a part of the hint that it gets.
NONSENSE = [
    (None, "wants the function itself"),
    (3, "an object of type int"),
    (lambda *_: None, "returned nothing"),
    (lambda *_: ..., "returned nothing"),
    (lambda: 1, "raised TypeError"),
    (lambda *_: 1 / 0, "raised ZeroDivisionError"),
]


def refused_with(hint: str, capsys: pytest.CaptureFixture[str]) -> bool:
    """Return whether nothing but a refusal with this hint was printed."""
    printed = capsys.readouterr().out
    return printed.startswith("Not yet: ") and hint in printed and "Solved" not in printed


def refused(check: Callable[[Any], bool], wrong: Any, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Assert that a checker refuses an answer with this hint."""
    assert check(wrong) is False
    printed = capsys.readouterr().out
    assert printed.startswith("Not yet: ") and hint in printed, printed
    assert "Solved" not in printed
