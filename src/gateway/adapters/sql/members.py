"""Look-ups of members of merchants."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select
from typing_extensions import override

from gateway.adapters.sql.rows.members import MEMBER_COLUMNS, to_member
from gateway.adapters.sql.rows.users import to_user
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.tables.access import users
from gateway.adapters.sql.tables.members import members
from gateway.adapters.sql.types import MOMENT, Found
from gateway.application.ports.members import MemberAtUse, StoredMembers
from gateway.domain.member import Member, MemberId
from gateway.domain.user import UserId

_table: Final = members.c
_stays: Final = _table.removed_at.is_(None)

MEMBER: Final = select(members).where(_table.id == bindparam("id"), _stays)
INVITATION: Final = select(members).where(_table.token_hash == bindparam("token_hash"), _stays)
_WITH_MERCHANT: Final = select(members, users).join(users, users.c.id == _table.merchant_id).where(_stays)
MEMBERSHIP: Final = _WITH_MERCHANT.where(
    _table.user_id == bindparam("user_id"), _table.merchant_id == bindparam("merchant_id")
)
CHANGED_SINCE: Final = select(_table.id, _table.sequence).where(_table.changed_at >= bindparam("since", type_=MOMENT))


class SqlMembers(StoredMembers):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def member(self, member_id: MemberId) -> Member | None:
        rows = await self._transactions.read(MEMBER, {"id": member_id})
        return to_member(rows[0]) if rows else None

    @override
    async def members(self, merchant_id: UserId, *, before: MemberId | None, limit: int) -> Sequence[Member]:
        statement = select(members).where(_table.merchant_id == merchant_id, _stays)
        if before is not None:
            statement = statement.where(_table.id < before)
        rows = await self._transactions.read(statement.order_by(_table.id.desc()).limit(limit))
        return [to_member(row) for row in rows]

    @override
    async def memberships(self, user_id: UserId, *, before: MemberId | None, limit: int) -> Sequence[MemberAtUse]:
        statement = _WITH_MERCHANT.where(_table.user_id == user_id)
        if before is not None:
            statement = statement.where(_table.id < before)
        rows = await self._transactions.read(statement.order_by(_table.id.desc()).limit(limit))
        return [_at_use(row) for row in rows]

    @override
    async def membership(self, user_id: UserId, merchant_id: UserId) -> MemberAtUse | None:
        rows = await self._transactions.read(MEMBERSHIP, {"user_id": user_id, "merchant_id": merchant_id})
        return _at_use(rows[0]) if rows else None

    @override
    async def invitation(self, token_hash: bytes) -> Member | None:
        rows = await self._transactions.read(INVITATION, {"token_hash": token_hash})
        return to_member(rows[0]) if rows else None

    @override
    async def changed_since(self, since: datetime) -> Mapping[MemberId, int]:
        rows = await self._transactions.read(CHANGED_SINCE, {"since": since})
        return {row[0]: row[1] for row in rows}


def _at_use(row: Found | Sequence[Any]) -> MemberAtUse:
    return MemberAtUse(member=to_member(row[:MEMBER_COLUMNS]), merchant=to_user(row[MEMBER_COLUMNS:]))
