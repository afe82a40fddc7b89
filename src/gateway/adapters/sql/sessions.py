"""Sessions and their refresh tokens in two tables."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, exists, insert, select, update
from typing_extensions import override

from gateway.adapters.sql.audit_log import append_audit
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.tables.access import refresh_tokens, sessions, users
from gateway.adapters.sql.types import BYTES, MOMENT, Found
from gateway.application.ports.sessions import RotationResult, SessionId, Sessions, StoredToken, Successor, TokenStatus
from gateway.domain.audit import AuditRecord
from gateway.domain.user import UserId

_now: Final = bindparam("now", type_=MOMENT)
_presented_hash: Final = bindparam("presented_hash", type_=BYTES)

START: Final = insert(sessions).values(
    id=bindparam("session_id"), user_id=bindparam("user_id"), created_at=_now, network=bindparam("network")
)
# The lock lasts until the session is committed: a new password, or an operator who disables the user, comes before it,
# and is seen, or after it, and ends it.
LOCK_PASSWORD: Final = (
    select(users.c.id)
    .where(
        users.c.id == bindparam("user_id"),
        users.c.password_hash == bindparam("password_hash"),
        users.c.disabled_at.is_(None),
    )
    .with_for_update(read=True)
)
STORE_TOKEN: Final = insert(refresh_tokens).values(
    token_hash=bindparam("token_hash"), session_id=bindparam("session_id"), expires_at=bindparam("expires_at")
)

# One statement that looks and takes: of any number of calls with one token, one finds it unused.
USE_TOKEN: Final = (
    update(refresh_tokens)
    .where(
        refresh_tokens.c.token_hash == _presented_hash,
        refresh_tokens.c.used_at.is_(None),
        refresh_tokens.c.expires_at > _now,
        exists().where(sessions.c.id == refresh_tokens.c.session_id, sessions.c.revoked_at.is_(None)),
    )
    .values(
        used_at=_now, successor_hash=bindparam("new_hash", type_=BYTES), sealed=bindparam("new_sealed", type_=BYTES)
    )
)

_successors: Final = refresh_tokens.alias("successors")
FIND_TOKEN: Final = (
    select(
        refresh_tokens.c.session_id,
        sessions.c.user_id,
        sessions.c.revoked_at,
        refresh_tokens.c.used_at,
        refresh_tokens.c.sealed,
        refresh_tokens.c.repeated_at,
        _successors.c.used_at.label("successor_used_at"),
    )
    .join(sessions, sessions.c.id == refresh_tokens.c.session_id)
    .outerjoin(_successors, _successors.c.token_hash == refresh_tokens.c.successor_hash)
    .where(refresh_tokens.c.token_hash == _presented_hash)
)

_used: Final = refresh_tokens.alias("used")
REPEAT: Final = (
    update(refresh_tokens)
    .where(
        refresh_tokens.c.token_hash
        == select(_used.c.successor_hash).where(_used.c.token_hash == _presented_hash).scalar_subquery(),
        refresh_tokens.c.used_at.is_(None),
    )
    .values(repeated_at=_now)
)

_revoke: Final = update(sessions).where(sessions.c.revoked_at.is_(None)).values(revoked_at=_now)
REVOKE: Final = _revoke.where(sessions.c.id == bindparam("session_id"))
REVOKE_USER: Final = _revoke.where(sessions.c.user_id == bindparam("owner_id"))
REVOKE_TOKEN: Final = _revoke.where(
    sessions.c.user_id == bindparam("owner_id"),
    sessions.c.id
    == select(refresh_tokens.c.session_id).where(refresh_tokens.c.token_hash == _presented_hash).scalar_subquery(),
)
REVOKED_SINCE: Final = select(sessions.c.id).where(sessions.c.revoked_at >= bindparam("since", type_=MOMENT))


class SqlSessions(Sessions):
    """See the port."""

    def __init__(self, transactions: ShortTransactions) -> None:
        self._transactions = transactions

    @override
    async def start(
        self,
        session_id: SessionId,
        user_id: UserId,
        token: StoredToken,
        *,
        password_hash: str,
        network: str,
        now: datetime,
        audit: AuditRecord | None = None,
    ) -> bool:
        new = {"session_id": session_id, "user_id": user_id, "network": network, "now": now}

        async def work(transaction: DatabaseTransaction) -> bool:
            user = {"user_id": user_id, "password_hash": password_hash}
            if not await transaction.rows(LOCK_PASSWORD, user):
                return False
            await transaction.change(START, new)
            await _store(transaction, session_id, token)
            await append_audit(transaction, audit)
            return True

        return await self._transactions.write(work)

    @override
    async def rotate(self, token_hash: bytes, successor: Successor, *, now: datetime) -> RotationResult:
        use = {
            "presented_hash": token_hash,
            "now": now,
            "new_hash": successor.token.token_hash,
            "new_sealed": successor.sealed,
        }

        async def work(transaction: DatabaseTransaction) -> RotationResult:
            rotated = await transaction.change(USE_TOKEN, use) == 1
            found = await transaction.rows(FIND_TOKEN, {"presented_hash": token_hash})
            if not found:
                return RotationResult(status=TokenStatus.UNKNOWN)
            if rotated:
                await _store(transaction, found[0].session_id, successor.token)
            return _rotation_result(found[0], rotated=rotated)

        return await self._transactions.write(work)

    @override
    async def repeat(self, token_hash: bytes, *, now: datetime) -> bool:
        return await self._transactions.change(REPEAT, {"presented_hash": token_hash, "now": now}) == 1

    @override
    async def revoke(self, session_id: SessionId, *, now: datetime) -> None:
        await self._transactions.change(REVOKE, {"session_id": session_id, "now": now})

    @override
    async def revoke_token(self, token_hash: bytes, user_id: UserId, *, now: datetime) -> None:
        await self._transactions.change(REVOKE_TOKEN, {"presented_hash": token_hash, "owner_id": user_id, "now": now})

    @override
    async def revoke_user(self, user_id: UserId, *, now: datetime) -> None:
        await self._transactions.change(REVOKE_USER, {"owner_id": user_id, "now": now})

    @override
    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        return {row[0] for row in await self._transactions.read(REVOKED_SINCE, {"since": since})}


async def _store(transaction: DatabaseTransaction, session_id: SessionId, token: StoredToken) -> None:
    values = {"token_hash": token.token_hash, "session_id": session_id, "expires_at": token.expires_at}
    await transaction.change(STORE_TOKEN, values)


def _rotation_result(row: Found, *, rotated: bool) -> RotationResult:
    if rotated:
        status = TokenStatus.ROTATED
    elif row.revoked_at is not None:
        status = TokenStatus.REVOKED
    elif row.used_at is not None:
        status = TokenStatus.USED
    else:
        # It was not taken, although it is neither used nor of a session that has ended: its time is over.
        status = TokenStatus.EXPIRED
    return RotationResult(
        status=status,
        session_id=row.session_id,
        user_id=row.user_id,
        used_at=row.used_at,
        sealed=row.sealed,
        successor_used=row.successor_used_at is not None,
        repeated=row.repeated_at is not None,
    )
