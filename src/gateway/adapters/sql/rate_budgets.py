"""Rate budgets in a table that every process shares."""

import time
from typing import Any, Final

from sqlalchemy import bindparam, delete, literal, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import rate_budgets
from gateway.adapters.sql.types import INTEGER
from gateway.application.ports.rate_budgets import ChangeOfBudget, RateBudgets

FORGET_EVERY_NS: Final = 10_000_000_000
FORGET_MAX: Final = 1_000
"""A process forgets so many full buckets at a time."""

_full: Final[dict[str, Any]] = {"scope": bindparam("new_scope"), "full_at": literal(0, INTEGER)}
_unchanged: Final = {"full_at": rate_budgets.c.full_at}
# Processes on several machines have one clock in common, the database's. SQLite serves one machine.
_now: Final = literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) * 1000", INTEGER)
LOCK: Final = {
    POSTGRES: postgresql.insert(rate_budgets)
    .values(_full)
    .on_conflict_do_update(index_elements=["scope"], set_=_unchanged)
    .returning(rate_budgets.c.full_at, _now),
    SQLITE: sqlite.insert(rate_budgets)
    .values(_full)
    .on_conflict_do_update(index_elements=["scope"], set_=_unchanged)
    .returning(rate_budgets.c.full_at, literal(0, INTEGER)),
}
STORE: Final = (
    update(rate_budgets)
    .where(rate_budgets.c.scope == bindparam("changed_scope"))
    .values(full_at=bindparam("new_full_at", type_=INTEGER))
)
_some_full: Final = (
    select(rate_budgets.c.scope)
    .where(rate_budgets.c.full_at < bindparam("before", type_=INTEGER))
    .order_by(rate_budgets.c.full_at)
    .limit(FORGET_MAX)
)
FORGET: Final = {
    POSTGRES: delete(rate_budgets).where(rate_budgets.c.scope.in_(_some_full.with_for_update(skip_locked=True))),
    SQLITE: delete(rate_budgets).where(rate_budgets.c.scope.in_(_some_full)),
}


class SqlRateBudgets(RateBudgets):
    """See the port. A process that changes buckets also deletes some full ones now and then."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._forget_at = 0

    @override
    async def update(self, scope: str, change: ChangeOfBudget) -> None:
        dialect = self._transactions.dialect_name

        async def work(transaction: DatabaseTransaction) -> None:
            [[full_at, now]] = await transaction.rows(LOCK[dialect], {"new_scope": scope})
            if dialect == SQLITE:
                now = time.time_ns()
            values = {"changed_scope": scope, "new_full_at": change(full_at, now)}
            await transaction.change(STORE, values)
            if time.monotonic_ns() >= self._forget_at:
                self._forget_at = time.monotonic_ns() + FORGET_EVERY_NS
                await transaction.change(FORGET[dialect], {"before": now})

        await self._transactions.write(work)
