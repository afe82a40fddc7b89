"""Second factors in their table."""

from typing import Any, Final

from sqlalchemy import bindparam, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from typing_extensions import override

from gateway.adapters.sql.audit_log import append_audit
from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import second_factors
from gateway.adapters.sql.types import Found
from gateway.application.ports.second_factors import ChangeOfFactor, SecondFactors
from gateway.domain.second_factor import SecondFactor
from gateway.domain.user import UserId

OF: Final = select(second_factors).where(second_factors.c.user_id == bindparam("of_user"))
_columns: Final = [column for column in second_factors.c if not column.primary_key]
_none: Final[dict[str, Any]] = {
    "user_id": bindparam("new_user"),
    "last_step": literal(0),
    "recovery_hashes": literal(""),
}
_unchanged: Final = {"secret": second_factors.c.secret}
# A row that is not there cannot be locked: it is made, and deleted again in the same transaction if it stays empty.
LOCK: Final = {
    POSTGRES: postgresql.insert(second_factors)
    .values(_none)
    .on_conflict_do_update(index_elements=["user_id"], set_=_unchanged)
    .returning(*second_factors.c),
    SQLITE: sqlite.insert(second_factors)
    .values(_none)
    .on_conflict_do_update(index_elements=["user_id"], set_=_unchanged)
    .returning(*second_factors.c),
}
_of_user: Final = second_factors.c.user_id == bindparam("changed_user")
STORE: Final = (
    update(second_factors)
    .where(_of_user)
    .values({column: bindparam(f"new_{column.name}", type_=column.type) for column in _columns})
)
FORGET: Final = delete(second_factors).where(_of_user)


class SqlSecondFactors(SecondFactors):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def of(self, user_id: UserId) -> SecondFactor | None:
        rows = await self._transactions.read(OF, {"of_user": user_id})
        return _to_factor(rows[0]) if rows else None

    @override
    async def change(self, user_id: UserId, change: ChangeOfFactor) -> SecondFactor | None:
        lock = LOCK[self._transactions.dialect_name]

        async def work(transaction: DatabaseTransaction) -> SecondFactor | None:
            [row] = await transaction.rows(lock, {"new_user": user_id})
            factor, audit = change(_to_factor(row))
            if factor is None:
                await transaction.change(FORGET, {"changed_user": user_id})
            else:
                await transaction.change(STORE, {"changed_user": user_id, **_values(factor)})
            await append_audit(transaction, audit)
            return factor

        return await self._transactions.write(work)


def _values(factor: SecondFactor) -> dict[str, Any]:
    return {
        "new_secret": factor.secret,
        "new_created_at": factor.created_at,
        "new_confirmed_at": factor.confirmed_at,
        "new_last_step": factor.last_step,
        "new_recovery_hashes": " ".join(each.hex() for each in factor.recovery_hashes),
    }


def _to_factor(row: Found) -> SecondFactor | None:
    """The second factor of a row; `None` for a row that was made to be locked."""
    user_id, secret, created_at, confirmed_at, last_step, recovery_hashes = row
    if secret is None:
        return None
    return SecondFactor(
        user_id=user_id,
        secret=secret,
        created_at=created_at,
        confirmed_at=confirmed_at,
        last_step=last_step,
        recovery_hashes=tuple(bytes.fromhex(each) for each in recovery_hashes.split()),
    )
