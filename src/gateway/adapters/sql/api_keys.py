"""Look-ups of API keys, and the times of their uses."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, and_, any_, bindparam, or_, select, union_all, update
from typing_extensions import override

from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.api_keys import to_api_key
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import api_keys, users
from gateway.adapters.sql.types import MOMENT, TEXT
from gateway.application.ports.api_keys import KeyAtUse, StoredApiKeys
from gateway.domain.api_key import ApiKey, ApiKeyId
from gateway.domain.user import UserId

_table: Final = api_keys.c

KEY: Final = select(api_keys).where(_table.id == bindparam("id"))

_IS_AMONG: Final = {
    POSTGRES: _table.id == any_(bindparam("ids", type_=ARRAY(TEXT))),
    SQLITE: _table.id.in_(bindparam("ids", expanding=True)),
}
AT_USE: Final = {
    dialect: select(api_keys, users.c.disabled_at)
    .join(users, and_(users.c.id == _table.owner_id, users.c.role == _table.owner_role))
    .where(is_among)
    for dialect, is_among in _IS_AMONG.items()
}
_since: Final = bindparam("since", type_=MOMENT)
# Two statements in one, each with an index of its own.
ENDED_SINCE: Final = union_all(
    select(_table.id).where(_table.revoked_at >= _since),
    select(_table.id).where(
        _table.replaced_by.is_not(None),
        _table.expires_at >= _since,
        _table.expires_at <= bindparam("now", type_=MOMENT),
    ),
)
NOTE_USE: Final = (
    update(api_keys)
    .where(
        _table.id == bindparam("key_id"),
        or_(_table.last_used_at.is_(None), _table.last_used_at < bindparam("used_at", type_=MOMENT)),
    )
    .values(last_used_at=bindparam("used_at", type_=MOMENT))
)


class SqlApiKeys(StoredApiKeys):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions
        self._at_use = AT_USE[transactions.dialect_name]

    @override
    async def key(self, key_id: ApiKeyId) -> ApiKey | None:
        rows = await self._transactions.read(KEY, {"id": key_id})
        return to_api_key(rows[0]) if rows else None

    @override
    async def keys(self, owner_id: UserId | None, *, before: ApiKeyId | None, limit: int) -> Sequence[ApiKey]:
        statement = select(api_keys).order_by(_table.id.desc()).limit(limit)
        if owner_id is not None:
            statement = statement.where(_table.owner_id == owner_id)
        if before is not None:
            statement = statement.where(_table.id < before)
        return [to_api_key(row) for row in await self._transactions.read(statement)]

    @override
    async def at_use(self, key_ids: Collection[ApiKeyId]) -> Mapping[ApiKeyId, KeyAtUse]:
        found: dict[ApiKeyId, KeyAtUse] = {}
        for row in await self._transactions.read(self._at_use, {"ids": list(key_ids)}):
            key = to_api_key(row)
            found[key.id] = KeyAtUse(key=key, owner_is_disabled=row.disabled_at is not None)
        return found

    @override
    async def ended_since(self, since: datetime, *, now: datetime) -> AbstractSet[ApiKeyId]:
        return {row[0] for row in await self._transactions.read(ENDED_SINCE, {"since": since, "now": now})}

    @override
    async def note_uses(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        """In the order of ids: processes that note uses of the same keys do not wait for each other in a circle."""
        rows = [{"key_id": key_id, "used_at": at} for key_id, at in sorted(uses.items())]
        if not rows:
            return

        async def work(transaction: DatabaseTransaction) -> None:
            await transaction.change(NOTE_USE, rows)

        await self._transactions.write(work)
