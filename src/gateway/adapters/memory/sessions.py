"""Sessions in dictionaries."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime

from typing_extensions import override

from gateway.adapters.memory.database import MemoryDatabase
from gateway.adapters.memory.session_records import MemorySession, MemoryToken
from gateway.application.ports.housekeeping import Deleted
from gateway.application.ports.sessions import RotationResult, SessionId, Sessions, StoredToken, Successor, TokenStatus
from gateway.domain.audit import AuditRecord
from gateway.domain.user import UserId


class MemorySessions(Sessions):
    """See the port. No method awaits anything, so each is one step."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._sessions = database.sessions
        self._tokens = database.refresh_tokens

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
        user = self._database.users.get(user_id)
        if user is None or user.password_hash != password_hash or user.user.disabled_at is not None:
            return False
        self._sessions[session_id] = MemorySession(user_id, network)
        self._tokens[token.token_hash] = MemoryToken(session_id, token.expires_at)
        self._database.append_audit(audit)
        return True

    @override
    async def rotate(self, token_hash: bytes, successor: Successor, *, now: datetime) -> RotationResult:
        token = self._tokens.get(token_hash)
        if token is None:
            return RotationResult(status=TokenStatus.UNKNOWN)
        session = self._sessions[token.session_id]
        if session.revoked_at is not None:
            status = TokenStatus.REVOKED
        elif token.used_at is not None:
            status = TokenStatus.USED
        elif token.expires_at <= now:
            status = TokenStatus.EXPIRED
        else:
            status = TokenStatus.ROTATED
            token.used_at, token.successor = now, successor
            self._tokens[successor.token.token_hash] = MemoryToken(token.session_id, successor.token.expires_at)
        next_token = None if token.successor is None else self._tokens.get(token.successor.token.token_hash)
        return RotationResult(
            status=status,
            session_id=token.session_id,
            user_id=session.user_id,
            used_at=token.used_at,
            sealed=None if token.successor is None else token.successor.sealed,
            successor_used=next_token is not None and next_token.used_at is not None,
            repeated=token.repeated,
        )

    @override
    async def repeat(self, token_hash: bytes, *, now: datetime) -> bool:
        token = self._tokens.get(token_hash)
        following = None if token is None or token.successor is None else token.successor.token.token_hash
        next_token = None if following is None else self._tokens.get(following)
        if next_token is None or next_token.used_at is not None:
            return False
        next_token.repeated = True
        return True

    @override
    async def revoke(self, session_id: SessionId, *, now: datetime) -> None:
        session = self._sessions.get(session_id)
        if session is not None and session.revoked_at is None:
            session.revoked_at = now

    @override
    async def revoke_token(self, token_hash: bytes, user_id: UserId, *, now: datetime) -> None:
        token = self._tokens.get(token_hash)
        if token is not None and self._sessions[token.session_id].user_id == user_id:
            await self.revoke(token.session_id, now=now)

    @override
    async def revoke_user(self, user_id: UserId, *, now: datetime) -> None:
        for session_id, session in self._sessions.items():
            if session.user_id == user_id:
                await self.revoke(session_id, now=now)

    @override
    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        return {
            session_id
            for session_id, session in self._sessions.items()
            if session.revoked_at is not None and session.revoked_at >= since
        }

    def knows(self, user_id: UserId, network: str) -> bool:
        """Whether a session of the user has begun from this network."""
        return any(each.user_id == user_id and each.network == network for each in self._sessions.values())

    def delete_ended(self, before: datetime, limit: int) -> Deleted:
        """As `Housekeeping.delete_sessions`."""
        living = {
            each.session_id for each in self._tokens.values() if each.used_at is None and each.expires_at >= before
        }
        ended = [
            session_id
            for session_id, session in self._sessions.items()
            if session_id not in living or (session.revoked_at is not None and session.revoked_at < before)
        ]
        chosen = set(ended[:limit])
        tokens = [token_hash for token_hash, token in self._tokens.items() if token.session_id in chosen]
        used = [token_hash for token_hash in tokens if self._tokens[token_hash].used_at is not None]
        if len(used) > limit:
            self._delete_tokens(used[:limit])
            return Deleted(count=limit, is_last=False)
        self._delete_tokens(tokens)
        for session_id in chosen:
            del self._sessions[session_id]
        return Deleted(count=len(chosen) + len(tokens), is_last=len(ended) <= limit)

    def _delete_tokens(self, token_hashes: Iterable[bytes]) -> None:
        for token_hash in token_hashes:
            del self._tokens[token_hash]
