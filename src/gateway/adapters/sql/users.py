"""Users in their table. New ones are written by the unit of work."""

import json
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, Executable, bindparam, column, exists, func, select, update
from typing_extensions import override

from gateway.adapters.sql.audit_log import append_audit
from gateway.adapters.sql.engine import POSTGRES, SQLITE
from gateway.adapters.sql.rows.users import to_credentials
from gateway.adapters.sql.sessions import REVOKE_USER
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import sessions, users
from gateway.adapters.sql.types import MOMENT, TEXT
from gateway.application.ports.users import Credentials, UserAtLogin, Users
from gateway.domain.audit import AuditRecord
from gateway.domain.user import UserId

_arrays: Final = func.unnest(bindparam("emails", type_=ARRAY(TEXT)), bindparam("networks", type_=ARRAY(TEXT)))
_rows: Final = _arrays.table_valued(column("email", TEXT), column("network", TEXT)).render_derived(name="asked")
_objects: Final = func.json_each(bindparam("asked", type_=TEXT)).table_valued(column("value", TEXT), name="asked")
_ASKED: Final = {
    POSTGRES: (_rows, _rows.c.email, _rows.c.network),
    SQLITE: (
        _objects,
        func.json_extract(_objects.c.value, "$[0]", type_=TEXT),
        func.json_extract(_objects.c.value, "$[1]", type_=TEXT),
    ),
}
# The limit keeps the planner from reading all sessions in place of looking up one for each row.
AT_LOGIN: Final = {
    dialect: select(
        email,
        network,
        select(sessions.c.id)
        .where(sessions.c.user_id == users.c.id, sessions.c.network == network)
        .limit(1)
        .correlate(users, asked)
        .scalar_subquery(),
        *users.c,
    ).select_from(asked.join(users, users.c.email == email))
    for dialect, (asked, email, network) in _ASKED.items()
}
BY_ID: Final = select(users).where(users.c.id == bindparam("id"))
DISABLED_SINCE: Final = select(users.c.id).where(users.c.disabled_at >= bindparam("since", type_=MOMENT))
REPLACE_PASSWORD_HASH: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"), users.c.password_hash == bindparam("old"))
    .values(password_hash=bindparam("new"))
)
_others = users.alias("others")
REPLACE_EMAIL: Final = (
    update(users)
    .where(
        users.c.id == bindparam("user_id"),
        users.c.email == bindparam("old"),
        ~exists().where(_others.c.email == bindparam("new")),
    )
    .values(email=bindparam("new"))
)


class SqlUsers(Users):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def at_login(self, asked: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], UserAtLogin]:
        pairs = list(asked)
        parameters = (
            {"emails": [email for email, _ in pairs], "networks": [network for _, network in pairs]}
            if self._transactions.dialect_name == POSTGRES
            else {"asked": json.dumps(pairs)}
        )
        rows = await self._transactions.read(AT_LOGIN[self._transactions.dialect_name], parameters)
        return {
            (email, network): UserAtLogin(credentials=to_credentials(user), known=session_id is not None)
            for email, network, session_id, *user in rows
        }

    @override
    async def by_id(self, user_id: UserId) -> Credentials | None:
        rows = await self._transactions.read(BY_ID, {"id": user_id})
        return to_credentials(rows[0]) if rows else None

    @override
    async def disabled_since(self, since: datetime) -> AbstractSet[UserId]:
        return {row[0] for row in await self._transactions.read(DISABLED_SINCE, {"since": since})}

    @override
    async def replace_password_hash(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        given = {"user_id": user_id, "old": old, "new": new}
        return await self._replace(REPLACE_PASSWORD_HASH, given, sessions_end_at, audit)

    @override
    async def replace_email(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        # Where two users get one address at once, the second one is run again (`KeyTaken`), and finds it.
        given = {"user_id": user_id, "old": old, "new": new}
        return await self._replace(REPLACE_EMAIL, given, sessions_end_at, audit)

    async def _replace(
        self, statement: Executable, given: dict[str, str], sessions_end_at: datetime | None, audit: AuditRecord | None
    ) -> bool:
        async def work(transaction: DatabaseTransaction) -> bool:
            if await transaction.change(statement, given) != 1:
                return False
            if sessions_end_at is not None:
                await transaction.change(REVOKE_USER, {"owner_id": given["user_id"], "now": sessions_end_at})
            await append_audit(transaction, audit)
            return True

        return await self._transactions.write(work)
