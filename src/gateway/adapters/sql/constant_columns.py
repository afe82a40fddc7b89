"""Constant columns: which columns of the rows of a batch are all alike, and so travel once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

Constant = frozenset[int]
"""The positions of columns that have one value in all rows."""


class ConstantColumns:
    """The columns that were constant in all batches so far.

    Most columns of most batches are alike: one status, one currency, one time, no description. As single values they
    cost a tenth of what arrays cost asyncpg, which asks of each element whether it is an array itself. A column that
    was once seen to differ is an array from then on: there are never more statements than columns, soon no new ones.
    """

    def __init__(self) -> None:
        self._alike: dict[str, Constant] = {}

    def of(self, name: str, columns: Sequence[Sequence[Any]]) -> Constant:
        """The positions of the columns that had one value per batch in every batch so far, without column 0.

        One row by itself is alike in all of them, and tells nothing about others.
        """
        if len(columns[0]) == 1:
            return _all_but_first(len(columns))
        before = self._alike.get(name)
        candidates = _all_but_first(len(columns)) if before is None else before
        now = frozenset(position for position in candidates if _are_alike(columns[position]))
        if before is not None and before == now:
            return before  # Not `now`: a set knows its hash once it was asked for it.
        self._alike[name] = now
        return now


@cache
def _all_but_first(count: int) -> Constant:
    return frozenset(range(1, count))


def _are_alike(values: Sequence[Any]) -> bool:
    return values.count(values[0]) == len(values)
