"""Lists whose filters have no index of their own: a look-up goes through what an index finds, within a bound."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, Table, select, union_all

from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.types import Found

ROWS_FIRST: Final = 500
"""How many rows the first step looks at: enough for a page if one of five matches."""
ROWS_PER_STEP: Final = 5_000
"""How many rows each later step looks at. There is one at least."""
LOOK_SECONDS_MAX: Final = 0.02
"""After this time a look-up takes no further step."""
UNORDERED_ROWS_MAX: Final = 1_000
"""How many rows are sorted that an index does not have in the order of ids."""

Conditions = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of rows, merged. For each range, an index finds the rows in the order of their ids."""

    ranges: Sequence[Conditions]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What is wanted, and where it may be found.

    Attributes:
        table: The rows of the list.
        id_column: Their order; descending.
        ways: Each has all rows that may match. The one that gets furthest back in the same time is used.
        unordered: Conditions that an index finds in another order; all rows that may match. Used if they are few.
        ids: Conditions on ids: the time of the list.
        matching: The conditions that choose among the rows of a way, for their columns. None: all match.
        whole: Makes the statement that is sent of the statement that finds rows of `table`. The first column is the id.
        rows_per_step: How many rows each step but the first looks at.
    """

    table: Table
    id_column: ColumnElement[str]
    ways: Sequence[Ranges]
    unordered: Conditions | None
    ids: Conditions
    matching: Callable[[FromClause], Conditions]
    whole: Callable[[Select[Any]], Select[Any]]
    rows_per_step: int


@dataclass(slots=True)
class _Progress:
    """How far a look-up has come on one way.

    Attributes:
        looked_until: All rows down to this id were looked at.
        is_over: Enough was found, or there is nothing more.
    """

    way: Ranges
    looked_until: str | None
    rows: list[Found] = field(default_factory=list[Found])
    found: int = 0
    is_over: bool = False

    def add(self, rows: Sequence[Found]) -> str | None:
        """Add rows of the next records, and return the id of the last one."""
        ids = dict.fromkeys(row[0] for row in rows)
        self.rows.extend(rows)
        self.found += len(ids)
        return next(reversed(ids), None)


@dataclass(frozen=True, slots=True)
class BoundedList:
    """One look-up."""

    transactions: ShortTransactions
    query: ListQuery
    limit: int

    async def before(self, before: str | None) -> tuple[list[Found], str | None]:
        """The rows of the newest records before an id, and the id at which the look-up ended early."""
        ends_at = time.monotonic() + LOOK_SECONDS_MAX
        if self.query.unordered is not None:
            few = await self._of_few(self.query.unordered, before)
            if few is not None:
                return few, None
        started: list[_Progress] = []
        for way in self.query.ways:
            progress = _Progress(way, before)
            await self._step(progress, ROWS_FIRST)
            if progress.is_over:
                return progress.rows, None
            started.append(progress)
        furthest = min(started, key=lambda each: each.looked_until or "")
        while True:
            await self._step(furthest, self.query.rows_per_step)
            if furthest.is_over:
                return furthest.rows, None
            if time.monotonic() >= ends_at:
                return furthest.rows, furthest.looked_until

    async def _step(self, progress: _Progress, count: int) -> None:
        """Look at the next `count` rows of a way."""
        wanted = self.limit - progress.found
        older = self._older(progress.looked_until)
        looked = self._looked(progress.way, older, count)
        matching = self.query.matching(looked)
        if not matching:
            looked = self._looked(progress.way, older, wanted)
        last = progress.add(await self._read(looked, matching, wanted))
        if progress.found == self.limit or not matching:
            progress.is_over = True
            return
        ends = await self.transactions.read(self._end(progress.way, older, count))
        if not ends:
            progress.is_over = True
            return
        # A row that was committed between the two statements moves the end up by a row, which may have been found.
        progress.looked_until = ends[0][0] if last is None else min(ends[0][0], last)

    async def _of_few(self, conditions: Conditions, before: str | None) -> list[Found] | None:
        """As many as are wanted, sorted; `None` if too many would have to be sorted."""
        table = self.query.table
        beyond = select(self.query.id_column).where(*conditions).offset(UNORDERED_ROWS_MAX).limit(1)
        if await self.transactions.read(beyond):
            return None
        # Twice as many, for those that are committed meanwhile.
        looked = select(table).where(*conditions).limit(2 * UNORDERED_ROWS_MAX).subquery("looked")
        older = [] if before is None else [looked.c[self.query.id_column.key or ""] < before]
        return list(await self._read(looked, [*older, *self.query.matching(looked)], self.limit))

    async def _read(self, looked: Subquery, matching: Conditions, limit: int) -> Sequence[Found]:
        order = looked.c[self.query.id_column.key or ""].desc()
        found = select(looked).where(*matching).order_by(order).limit(limit)
        return await self.transactions.read(self.query.whole(found))

    def _older(self, before: str | None) -> Conditions:
        return self.query.ids if before is None else [*self.query.ids, self.query.id_column < before]

    def _looked(self, way: Ranges, older: Conditions, count: int) -> Subquery:
        """The newest `count` rows of a way. The limit keeps planners from looking for matching rows elsewhere."""
        table, id_column = self.query.table, self.query.id_column
        parts = [
            select(table).where(*conditions, *older).order_by(id_column.desc()).limit(count)
            for conditions in way.ranges
        ]
        return _merged(parts, id_column).limit(count).subquery("looked")

    def _end(self, way: Ranges, older: Conditions, count: int) -> Select[Any]:
        """The id of the row number `count` of a way: the last one that was looked at."""
        id_column = self.query.id_column
        parts = [
            select(id_column).where(*conditions, *older).order_by(id_column.desc()).limit(count)
            for conditions in way.ranges
        ]
        return _merged(parts, id_column).offset(count - 1).limit(1)


def _merged(parts: Sequence[Select[Any]], id_column: ColumnElement[str]) -> Select[Any]:
    """The rows of all parts in the order of their ids, which each part has already."""
    if len(parts) == 1:
        return parts[0]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery("merged")
    return select(merged).order_by(merged.c[id_column.key or ""].desc())
