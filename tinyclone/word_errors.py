"""Counting what was misheard: the fewest edits from what was said to what was understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class EditCounts:
    """How one sequence becomes another: what was kept, swapped, left out and put in."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Edits in all."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """Length of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors per reference item: 0 is perfect, and insertions can bring it above 1."""
        if self.length == 0:
            raise ValueError("The reference is empty, so it has no error rate. Leave such clips out.")
        return self.errors / self.length

    def __add__(self, other: EditCounts) -> EditCounts:
        return EditCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def edit_counts(reference: Sequence[str], hypothesis: Sequence[str]) -> EditCounts:
    """Count the fewest edits that turn `reference` into `hypothesis`.

    Parameters
    ----------
    reference, hypothesis : sequence of str
        Items are compared whole: pass lists of words, or strings to compare characters.

    Returns
    -------
    EditCounts
        Of the shortest ways, the one that keeps most: deleting and inserting goes before substituting.

    Notes
    -----
    Source: Wagner and Fischer 1974, "The string-to-string correction problem", algorithms X and Y.

    Lesson: lessons/08_your_own_voice.ipynb
    """
    # One edit outweighs all substitutions there can be, so that these only decide between equals.
    edit, swap = len(reference) + 1, len(reference) + 2
    cost = [[edit * j for j in range(len(hypothesis) + 1)]]  # cost[i][j]: first i items into first j items
    for wanted in reference:
        above, row = cost[-1], [cost[-1][0] + edit]
        for j, got in enumerate(hypothesis):
            row.append(min(above[j] + (0 if wanted == got else swap), above[j + 1] + edit, row[j] + edit))
        cost.append(row)
    return _walk_back(cost, reference, hypothesis, edit=edit)


def _walk_back(
    cost: list[list[int]], reference: Sequence[str], hypothesis: Sequence[str], *, edit: int
) -> EditCounts:
    i, j = len(reference), len(hypothesis)
    hits = substitutions = deletions = insertions = 0
    while i or j:
        if i and cost[i][j] == cost[i - 1][j] + edit:
            deletions, i = deletions + 1, i - 1
        elif j and cost[i][j] == cost[i][j - 1] + edit:
            insertions, j = insertions + 1, j - 1
        else:
            i, j = i - 1, j - 1
            hits += reference[i] == hypothesis[j]
            substitutions += reference[i] != hypothesis[j]
    return EditCounts(hits, substitutions, deletions, insertions)


def word_error_rate(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> float:
    """Return the errors of all transcripts over the words of all references.

    Parameters
    ----------
    references : str or sequence of str
        What should have been said, one text a clip.
    hypotheses : str or sequence of str
        What was understood, in the same order. Bring both into one spelling first: words are compared
        as they are.

    Returns
    -------
    float
        At least 0; 0.05 is one word in twenty. Errors are pooled, so a long clip counts for more.

    Raises
    ------
    ValueError
        When the two differ in number, or the references have no word.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    pairs = _paired(references, hypotheses)
    return sum((edit_counts(said.split(), heard.split()) for said, heard in pairs), EditCounts()).rate


def character_error_rate(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> float:
    """Return the errors of all transcripts over the characters of all references.

    Parameters
    ----------
    references, hypotheses : str or sequence of str
        As for `word_error_rate`; runs of white space count as one space.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        When the two differ in number, or the references have no character.

    Notes
    -----
    Lesson: lessons/08_your_own_voice.ipynb
    """
    pairs = [
        (" ".join(said.split()), " ".join(heard.split())) for said, heard in _paired(references, hypotheses)
    ]
    return sum((edit_counts(said, heard) for said, heard in pairs), EditCounts()).rate


def _paired(references: str | Sequence[str], hypotheses: str | Sequence[str]) -> list[tuple[str, str]]:
    said = [references] if isinstance(references, str) else list(references)
    heard = [hypotheses] if isinstance(hypotheses, str) else list(hypotheses)
    if len(said) != len(heard):
        raise ValueError(
            f"There are {len(said)} references and {len(heard)} hypotheses; expected one hypothesis "
            'for each reference. Pass "" for a clip in which nothing was understood.'
        )
    return list(zip(said, heard, strict=True))
