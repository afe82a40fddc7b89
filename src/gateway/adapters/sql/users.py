"""Users in their table. New ones are written by the unit of work."""

from typing import Final

from sqlalchemy import bindparam, select, update
from typing_extensions import override

from gateway.adapters.sql.rows.users import to_credentials
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.access import users
from gateway.application.ports.users import Credentials, Users
from gateway.domain.user import UserId

BY_EMAIL: Final = select(users).where(users.c.email == bindparam("email"))
BY_ID: Final = select(users).where(users.c.id == bindparam("id"))
REPLACE_PASSWORD_HASH: Final = (
    update(users)
    .where(users.c.id == bindparam("user_id"), users.c.password_hash == bindparam("old"))
    .values(password_hash=bindparam("new"))
)


class SqlUsers(Users):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def by_email(self, email: str) -> Credentials | None:
        rows = await self._transactions.read(BY_EMAIL, {"email": email})
        return to_credentials(rows[0]) if rows else None

    @override
    async def by_id(self, user_id: UserId) -> Credentials | None:
        rows = await self._transactions.read(BY_ID, {"id": user_id})
        return to_credentials(rows[0]) if rows else None

    @override
    async def replace_password_hash(self, user_id: UserId, *, old: str, new: str) -> bool:
        return await self._transactions.change(REPLACE_PASSWORD_HASH, {"user_id": user_id, "old": old, "new": new}) == 1
