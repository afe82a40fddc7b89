"""Failed logins, counted in a table that every process shares."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import login_failures
from gateway.adapters.sql.types import MOMENT
from gateway.application.ports.login_failures import Failures, LoginFailures

OF: Final = select(login_failures).where(login_failures.c.scope.in_(bindparam("scopes", expanding=True)))
CLEAR: Final = delete(login_failures).where(login_failures.c.scope == bindparam("scope"))

_now: Final = bindparam("now", type_=MOMENT)
_forget_before: Final = bindparam("forget_before", type_=MOMENT)
_first: Final[dict[str, Any]] = {"scope": bindparam("scope"), "count": 1, "last_at": _now}
_another: Final = {
    "count": case((login_failures.c.last_at < _forget_before, 1), else_=login_failures.c.count + 1),
    "last_at": _now,
}
ADD: Final = {
    # One statement, so that of two failures at the same time neither is lost.
    POSTGRES: postgresql.insert(login_failures)
    .values(_first)
    .on_conflict_do_update(index_elements=["scope"], set_=_another),
    SQLITE: sqlite.insert(login_failures).values(_first).on_conflict_do_update(index_elements=["scope"], set_=_another),
}


class SqlLoginFailures(LoginFailures):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        rows = await self._transactions.read(OF, {"scopes": list(scopes)})
        return {scope: Failures(count=count, last_at=last_at) for scope, count, last_at in rows}

    @override
    async def add(self, scopes: Collection[str], *, now: datetime, forget_before: datetime) -> None:
        statement = ADD[self._transactions.dialect_name]

        async def work(transaction: DatabaseTransaction) -> None:
            # In one order for everybody: two logins with the same scopes must not wait for each other.
            for scope in sorted(set(scopes)):
                await transaction.change(statement, {"scope": scope, "now": now, "forget_before": forget_before})

        await self._transactions.write(work)

    @override
    async def clear(self, scope: str) -> None:
        await self._transactions.change(CLEAR, {"scope": scope})
