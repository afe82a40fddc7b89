"""Failed logins, counted in a table that every process shares."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ARRAY, any_, bindparam, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import login_failures
from gateway.adapters.sql.types import INTEGER, MOMENT, TEXT
from gateway.application.ports.login_failures import ChangeOfFailures, Failures, LoginFailures

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a scope without failures had its last one."""

_scope: Final = login_failures.c.scope
OF: Final = {
    POSTGRES: select(login_failures).where(_scope == any_(bindparam("scopes", type_=ARRAY(TEXT)))),
    SQLITE: select(login_failures).where(_scope.in_(bindparam("scopes", expanding=True))),
}

_none: Final[dict[str, Any]] = {
    "scope": bindparam("new_scope"),
    "count": literal(0),
    "last_at": bindparam("epoch", type_=MOMENT),
}
_unchanged: Final = {"count": login_failures.c.count}
_columns: Final = (login_failures.c.count, login_failures.c.last_at)
LOCK: Final = {
    # A row that is not there cannot be locked: it is made, and deleted again in the same transaction if it stays empty.
    POSTGRES: postgresql.insert(login_failures)
    .values(_none)
    .on_conflict_do_update(index_elements=["scope"], set_=_unchanged)
    .returning(*_columns),
    SQLITE: sqlite.insert(login_failures)
    .values(_none)
    .on_conflict_do_update(index_elements=["scope"], set_=_unchanged)
    .returning(*_columns),
}
_one: Final = _scope == bindparam("changed_scope")
STORE: Final = (
    update(login_failures)
    .where(_one)
    .values(count=bindparam("new_count", type_=INTEGER), last_at=bindparam("new_last_at", type_=MOMENT))
)
FORGET: Final = delete(login_failures).where(_one)


class SqlLoginFailures(LoginFailures):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        rows = await self._transactions.read(OF[self._transactions.dialect_name], {"scopes": list(scopes)})
        return {scope: Failures(count=count, last_at=last_at) for scope, count, last_at in rows}

    @override
    async def update(self, scopes: Collection[str], change: ChangeOfFailures) -> None:
        lock = LOCK[self._transactions.dialect_name]

        async def work(transaction: DatabaseTransaction) -> None:
            found: dict[str, Failures] = {}
            # In one order for everybody: two logins with the same scopes must not wait for each other.
            for scope in sorted(set(scopes)):
                [[count, last_at]] = await transaction.rows(lock, {"new_scope": scope, "epoch": EPOCH})
                found[scope] = Failures(count=count, last_at=last_at)
            changed = change({scope: failures for scope, failures in found.items() if failures.count})
            kept = {scope: failures for scope, failures in {**found, **changed}.items() if failures and failures.count}
            stored = [
                {"changed_scope": scope, "new_count": failures.count, "new_last_at": failures.last_at}
                for scope, failures in kept.items()
                if failures != found[scope]
            ]
            forgotten = [{"changed_scope": scope} for scope in found if scope not in kept]
            if stored:
                await transaction.change(STORE, stored)
            if forgotten:
                await transaction.change(FORGET, forgotten)

        await self._transactions.write(work)
