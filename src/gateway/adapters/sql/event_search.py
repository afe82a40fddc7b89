"""Searches of the event feed: blocks of the index that may have a matching event are read, others are passed over."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.adapters.sql.event_keys import bits_of
from gateway.adapters.sql.event_statements import blocks_between, events_between
from gateway.adapters.sql.rows.events import to_feed_event
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.application.ports.events import EventFilter, FeedEvent, FoundEvents

SEARCH_SECONDS_MAX: Final = 0.02
"""After this time a search takes no further step."""
INDEXED_STEP: Final = 1_000_000
"""How many positions one statement looks up in the index: some 8,000 rows of a filter each."""
BLOCKS_PER_STEP_MAX: Final = 32
"""How many blocks are read in one statement. A search begins with one, and doubles their number."""
UNINDEXED_STEP: Final = 2_048
"""How many positions behind the end of the index one statement reads."""


@dataclass(slots=True)
class EventSearch:
    """One search, step by step.

    Attributes:
        indexed_until: The last position in the index.
        newest: The last position of the feed.
    """

    transactions: ShortTransactions
    where: EventFilter
    limit: int
    indexed_until: int
    newest: int
    _found: list[FeedEvent] = field(default_factory=list[FeedEvent])
    _blocks: int = 1
    _parameters: dict[str, Any] = field(init=False)
    _bits: dict[str, int] = field(init=False)
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._parameters = parameters_of(self.where)
        keys = [self.where.customer_id, self.where.merchant_id, self.where.object_id, self.where.type]
        bits = [bit for key in keys if key is not None and key != "*" for bit in bits_of(key)]
        self._bits = {f"bit_{number}": bit for number, bit in enumerate(bits)}
        self._ends_at = time.monotonic() + SEARCH_SECONDS_MAX

    async def ascending(self, after: int) -> FoundEvents:
        """The first matching events behind a position."""
        position = after
        while position < self.newest:
            if position < self.indexed_until:
                highest = min(position + INDEXED_STEP, self.indexed_until)
                searched = await self._in_index(position + 1, highest, descending=False)
            else:
                highest = min(position + UNINDEXED_STEP, self.newest)
                searched = await self._read(position + 1, highest, descending=False)
            position = highest if searched is None else searched
            if self._is_over():
                break
        return FoundEvents(events=self._found, position=position, has_more=position < self.newest)

    async def descending(self, before: int, oldest: int) -> FoundEvents:
        """The last matching events before a position; `oldest` is the first position that there may be."""
        position = min(before, self.newest + 1)
        while position > oldest:
            highest = position - 1
            if highest > self.indexed_until:
                lowest = max(position - UNINDEXED_STEP, self.indexed_until + 1, oldest)
                searched = await self._read(lowest, highest, descending=True)
            else:
                lowest = max(position - INDEXED_STEP, oldest)
                searched = await self._in_index(lowest, highest, descending=True)
            position = lowest if searched is None else searched
            if self._is_over():
                break
        return FoundEvents(events=self._found, position=position, has_more=position > oldest)

    def _is_over(self) -> bool:
        return len(self._found) == self.limit or time.monotonic() >= self._ends_at

    async def _in_index(self, lowest: int, highest: int, *, descending: bool) -> int | None:
        """Read the first blocks of a range that may have matching events. Returns as `_read`."""
        statement = blocks_between(frozenset(self._parameters), len(self._bits), descending=descending)
        step = {**self._parameters, **self._bits, "lowest": lowest, "highest": highest, "limit": self._blocks}
        blocks = await self.transactions.read(statement, step)
        if not blocks:
            return None
        searched = None
        if len(blocks) == self._blocks:
            searched = max(lowest, blocks[-1][0]) if descending else min(highest, blocks[-1][1])
        self._blocks = min(2 * self._blocks, BLOCKS_PER_STEP_MAX)
        last = await self._read(lowest, highest, descending=descending, blocks=[block[0] for block in blocks])
        return searched if last is None else last

    async def _read(
        self, lowest: int, highest: int, *, descending: bool, blocks: list[int] | None = None
    ) -> int | None:
        """Add the matching events of a range. Returns the position that was searched last, `None` for all of them."""
        statement = events_between(
            self.transactions.dialect_name,
            frozenset(self._parameters),
            descending=descending,
            in_blocks=blocks is not None,
        )
        limit = self.limit - len(self._found)
        step = {**self._parameters, "lowest": lowest, "highest": highest, "limit": limit}
        rows = await self.transactions.read(statement, step if blocks is None else {**step, "blocks": blocks})
        self._found.extend(map(to_feed_event, rows))
        return rows[-1][0] if len(rows) == limit else None


def parameters_of(where: EventFilter) -> dict[str, Any]:
    """The parameters of statements for a filter: those that limit."""
    given: dict[str, Any] = {
        "customer_id": where.customer_id,
        "merchant_id": where.merchant_id,
        "types": None if where.type in {None, "*"} else sorted(each.value for each in where.types),
        "object_id": where.object_id,
        "created_after": where.created_after,
        "created_before": where.created_before,
    }
    return {name: found for name, found in given.items() if found is not None}
