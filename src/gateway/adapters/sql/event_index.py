"""The index of events: which parties, objects and types the blocks of the feed have (docs/decisions/0026)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import bindparam, text

from gateway.adapters.sql.event_keys import filter_of
from gateway.adapters.sql.event_statements import READ_KEYS
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.types import BYTES, INTEGER, MOMENT, Found
from gateway.application.ports.unit_of_work import StorageReadOnly

BLOCK_EVENTS: Final = 128
"""Events in a block. A search reads whole blocks; the index has a row for each."""

INDEXED_UNTIL: Final = text("SELECT last_position FROM event_index ORDER BY first_position DESC LIMIT 1")

ADD_BLOCK: Final = text(
    """
    INSERT INTO event_index (first_position, last_position, first_created_at, last_created_at, keys)
    SELECT :first_position, :last_position, :first_created_at, :last_created_at, :keys
    WHERE coalesce((SELECT last_position FROM event_index ORDER BY first_position DESC LIMIT 1), 0)
        = :first_position - 1
    ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("first_position", type_=INTEGER),
    bindparam("last_position", type_=INTEGER),
    bindparam("first_created_at", type_=MOMENT),
    bindparam("last_created_at", type_=MOMENT),
    bindparam("keys", type_=BYTES),
)
"""Add the next block, unless another process has added it."""


class EventIndex:
    """A row for each block of events that have positions, in order and without gaps between blocks.

    Nothing is written for a payment: blocks are added later, by the worker and by searches.
    """

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._read_keys = READ_KEYS[transactions.dialect_name]

    async def end(self) -> int:
        """The position of the last event in the index; 0 for none."""
        rows = await self._transactions.read(INDEXED_UNTIL)
        return rows[0][0] if rows else 0

    async def extend(self, after: int, *, blocks_max: int) -> int:
        """Index the next full blocks after `after`, the present end. Returns the end that the index then has."""
        limit = blocks_max * BLOCK_EVENTS
        rows = await self._transactions.read(self._read_keys, {"after": after, "limit": limit})
        blocks: list[dict[str, object]] = []
        for first in range(0, len(rows) - BLOCK_EVENTS + 1, BLOCK_EVENTS):
            block = rows[first : first + BLOCK_EVENTS]
            blocks.append(_block(after, block))
            after = block[-1].position
        if not blocks:
            return after

        async def add(transaction: DatabaseTransaction) -> None:
            await transaction.change(ADD_BLOCK, blocks)

        # A standby searches what its primary has indexed.
        with suppress(StorageReadOnly):
            await self._transactions.write(add)
        return await self.end()


def _block(after: int, rows: Sequence[Found]) -> dict[str, object]:
    """The row of a block, which begins right behind the block before it."""
    moments = [row.created_at for row in rows]
    keys = {key for row in rows for key in (row.type, row.object_id, row.customer_id, row.merchant_id) if key}
    return {
        "first_position": after + 1,
        "last_position": rows[-1].position,
        "first_created_at": min(moments),
        "last_created_at": max(moments),
        "keys": filter_of(keys | {f"{row.type.partition('.')[0]}.*" for row in rows}),
    }
