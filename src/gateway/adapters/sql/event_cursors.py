"""Cursors of the feed in a table."""

from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.webhooks import event_cursors
from gateway.adapters.sql.types import INTEGER
from gateway.application.ports.event_cursors import EventCursors

POSITION: Final = select(event_cursors.c.position).where(event_cursors.c.name == bindparam("name"))
_first: Final[dict[str, Any]] = {"name": bindparam("name"), "position": bindparam("to", type_=INTEGER)}
FIRST_MOVE: Final = {
    POSTGRES: postgresql.insert(event_cursors).values(_first).on_conflict_do_nothing(),
    SQLITE: sqlite.insert(event_cursors).values(_first).on_conflict_do_nothing(),
}
MOVE: Final = (
    update(event_cursors)
    .where(
        event_cursors.c.name == bindparam("of"),
        event_cursors.c.position == bindparam("expected", type_=INTEGER),
    )
    .values(position=bindparam("to", type_=INTEGER))
)


class SqlEventCursors(EventCursors):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._first_move = FIRST_MOVE[transactions.dialect_name]

    @override
    async def position(self, name: str) -> int | None:
        rows = await self._transactions.read(POSITION, {"name": name})
        return rows[0][0] if rows else None

    @override
    async def move(self, name: str, *, expected: int | None, to: int) -> bool:
        if expected is None:
            return await self._transactions.change(self._first_move, {"name": name, "to": to}) == 1
        return await self._transactions.change(MOVE, {"of": name, "expected": expected, "to": to}) == 1
