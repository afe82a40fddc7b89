"""Who may ask: users, sessions, failed logins, budgets of requests, API keys."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from gateway import ApiKey, ApiKeyId, AuditRecord, SessionId, UserId
from gateway.ports import (
    ChangeOfBudget,
    ChangeOfFailures,
    Credentials,
    EndedSessions,
    Failures,
    KeyAtUse,
    RotationResult,
    StoredToken,
    Successor,
    TokenStatus,
    UserAtLogin,
)
from lmdb_storage.auditing import append
from lmdb_storage.database import Database, first
from lmdb_storage.records import API_KEYS, LOGIN_FAILURES, SESSIONS, TOKENS, USERS, FailuresOf, Session, Token
from lmdb_storage.tables import Txn, moment, name
from lmdb_storage.unit_of_work import end_sessions

BUCKETS_MAX = 10_000
"""With so many buckets, those that are full are forgotten."""


class LmdbUsers:
    """The port `Users`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def at_login(self, asked: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], UserAtLogin]:
        """As the port says."""
        found: dict[tuple[str, str], UserAtLogin] = {}
        with self._database.snapshot() as txn:
            for email, network in asked:
                credentials = USERS.one(txn, "email", name(email))
                if credentials is not None:
                    known = SESSIONS.has(txn, "network", name(credentials.user.id, network))
                    found[email, network] = UserAtLogin(credentials=credentials, known=known)
        return found

    async def by_id(self, user_id: UserId) -> Credentials | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return USERS.get(txn, user_id)

    async def disabled_since(self, since: datetime) -> AbstractSet[UserId]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return {each.user.id for each in USERS.since(txn, "disabled", moment(since))}

    async def replace_password_hash(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        """As the port says."""

        def change(txn: Txn) -> bool:
            found = USERS.get(txn, user_id)
            if found is None or found.password_hash != old:
                return False
            USERS.put(txn, replace(found, password_hash=new))
            if sessions_end_at is not None:
                end_sessions(txn, EndedSessions(user_id=user_id, at=sessions_end_at))
            append(txn, audit)
            return True

        return await self._database.write(change)

    async def replace_email(
        self,
        user_id: UserId,
        *,
        old: str,
        new: str,
        sessions_end_at: datetime | None = None,
        audit: AuditRecord | None = None,
    ) -> bool:
        """As the port says."""

        def change(txn: Txn) -> bool:
            found = USERS.get(txn, user_id)
            if found is None or found.user.email != old or USERS.one(txn, "email", name(new)) is not None:
                return False
            USERS.put(txn, replace(found, user=replace(found.user, email=new)))
            if sessions_end_at is not None:
                end_sessions(txn, EndedSessions(user_id=user_id, at=sessions_end_at))
            append(txn, audit)
            return True

        return await self._database.write(change)


class LmdbSessions:
    """The port `Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self,
        session_id: SessionId,
        user_id: UserId,
        token: StoredToken,
        *,
        password_hash: str,
        network: str,
        now: datetime,  # noqa: ARG002 - the port has it, for storages that keep when sessions began.
        audit: AuditRecord | None = None,
    ) -> bool:
        """As the port says."""

        def change(txn: Txn) -> bool:
            found = USERS.get(txn, user_id)
            if found is None or found.password_hash != password_hash or found.user.disabled_at is not None:
                return False
            SESSIONS.add(txn, Session(session_id, user_id, network, token.expires_at))
            TOKENS.add(txn, Token(token.token_hash, session_id, token.expires_at))
            append(txn, audit)
            return True

        return await self._database.write(change)

    async def rotate(self, token_hash: bytes, successor: Successor, *, now: datetime) -> RotationResult:
        """As the port says."""
        return await self._database.write(lambda txn: rotate(txn, token_hash, successor, now))

    async def repeat(self, token_hash: bytes, *, now: datetime) -> bool:  # noqa: ARG002 - as above.
        """As the port says."""

        def change(txn: Txn) -> bool:
            following = following_token(txn, TOKENS.get(txn, token_hash))
            if following is None or following.used_at is not None:
                return False
            following.repeated = True
            TOKENS.put(txn, following)
            return True

        return await self._database.write(change)

    async def revoke(self, session_id: SessionId, *, now: datetime) -> None:
        """As the port says."""
        await self._database.write(lambda txn: revoke(txn, session_id, now))

    async def revoke_token(self, token_hash: bytes, user_id: UserId, *, now: datetime) -> None:
        """As the port says."""

        def change(txn: Txn) -> None:
            token = TOKENS.get(txn, token_hash)
            session = None if token is None else SESSIONS.get(txn, token.session_id)
            if session is not None and session.user_id == user_id:
                revoke(txn, session.id, now)

        await self._database.write(change)

    async def revoke_user(self, user_id: UserId, *, now: datetime) -> None:
        """As the port says."""
        await self._database.write(lambda txn: end_sessions(txn, EndedSessions(user_id=user_id, at=now)))

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return {each.id for each in SESSIONS.since(txn, "revoked", moment(since))}


def revoke(txn: Txn, session_id: SessionId, now: datetime) -> None:
    """End a session, unless it has ended."""
    session = SESSIONS.get(txn, session_id)
    if session is not None and session.revoked_at is None:
        session.revoked_at = now
        SESSIONS.put(txn, session)


def rotate(txn: Txn, token_hash: bytes, successor: Successor, now: datetime) -> RotationResult:
    """Use a refresh token, if it is good."""
    token = TOKENS.get(txn, token_hash)
    session = None if token is None else SESSIONS.get(txn, token.session_id)
    if token is None or session is None:
        return RotationResult(status=TokenStatus.UNKNOWN)
    status = status_of(token, session, now)
    if status is TokenStatus.ROTATED:
        token.used_at, token.successor = now, successor
        TOKENS.put(txn, token)
        TOKENS.add(txn, Token(successor.token.token_hash, session.id, successor.token.expires_at))
        session.expires_at = successor.token.expires_at
        SESSIONS.put(txn, session)
    following = following_token(txn, token)
    return RotationResult(
        status=status,
        session_id=session.id,
        user_id=session.user_id,
        used_at=token.used_at,
        sealed=None if token.successor is None else token.successor.sealed,
        successor_used=following is not None and following.used_at is not None,
        repeated=token.repeated,
    )


def status_of(token: Token, session: Session, now: datetime) -> TokenStatus:
    """What a token is when it is exchanged. `ROTATED`: it may be."""
    if session.revoked_at is not None:
        return TokenStatus.REVOKED
    if token.used_at is not None:
        return TokenStatus.USED
    return TokenStatus.EXPIRED if token.expires_at <= now else TokenStatus.ROTATED


def following_token(txn: Txn, token: Token | None) -> Token | None:
    """The token that a token was exchanged for."""
    return None if token is None or token.successor is None else TOKENS.get(txn, token.successor.token.token_hash)


class LmdbLoginFailures:
    """The port `LoginFailures`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, scopes: Collection[str]) -> Mapping[str, Failures]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return failures_of(txn, scopes)

    async def update(self, scopes: Collection[str], change: ChangeOfFailures) -> None:
        """As the port says."""

        def write(txn: Txn) -> None:
            for scope, failures in change(failures_of(txn, scopes)).items():
                if failures is not None:
                    LOGIN_FAILURES.put(txn, FailuresOf(scope, failures))
                else:
                    for found in LOGIN_FAILURES.found(txn, [name(scope)]):
                        LOGIN_FAILURES.delete(txn, found)

        await self._database.write(write)


def failures_of(txn: Txn, scopes: Collection[str]) -> Mapping[str, Failures]:
    """The failures of the scopes that have any."""
    found = LOGIN_FAILURES.found(txn, (name(scope) for scope in scopes))
    return {each.scope: each.failures for each in found}


class MemoryBudgets:
    """The port `RateBudgets`. All who share the budgets are in this process, so they are not on disk."""

    def __init__(self, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic = monotonic
        self._full_at: dict[str, int] = {}
        self._forget_at = BUCKETS_MAX

    async def update(self, scope: str, change: ChangeOfBudget) -> None:
        """As the port says. Nothing is awaited, so it is one step."""
        now = self._monotonic()
        self._full_at[scope] = change(self._full_at.get(scope, 0), now)
        if len(self._full_at) >= self._forget_at:
            self._full_at = {each: full_at for each, full_at in self._full_at.items() if full_at > now}
            self._forget_at = max(2 * len(self._full_at), BUCKETS_MAX)


class LmdbApiKeys:
    """The port `StoredApiKeys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key(self, key_id: ApiKeyId) -> ApiKey | None:
        """As the port says."""
        with self._database.snapshot() as txn:
            return API_KEYS.get(txn, key_id)

    async def keys(self, owner_id: UserId | None, *, before: ApiKeyId | None, limit: int) -> list[ApiKey]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return first(newest_keys(txn, owner_id, before), limit)

    async def at_use(self, key_ids: Collection[ApiKeyId]) -> Mapping[ApiKeyId, KeyAtUse]:
        """As the port says."""
        found: dict[ApiKeyId, KeyAtUse] = {}
        with self._database.snapshot() as txn:
            for key in API_KEYS.found(txn, key_ids):
                owner = USERS.get(txn, key.owner_id)
                if owner is not None and owner.user.role is key.owner_role:
                    found[key.id] = KeyAtUse(key=key, owner_is_disabled=owner.user.disabled_at is not None)
        return found

    async def ended_since(self, since: datetime, *, now: datetime) -> AbstractSet[ApiKeyId]:
        """As the port says."""
        with self._database.snapshot() as txn:
            return {
                key.id
                for key in API_KEYS.since(txn, "ended", moment(since))
                if (key.revoked_at is not None and key.revoked_at >= since)
                or (key.expires_at is not None and since <= key.expires_at <= now)
            }

    async def note_uses(self, uses: Mapping[ApiKeyId, datetime]) -> None:
        """As the port says."""

        def write(txn: Txn) -> None:
            for key in API_KEYS.found(txn, uses):
                if key.last_used_at is None or key.last_used_at < uses[key.id]:
                    API_KEYS.put(txn, replace(key, last_used_at=uses[key.id]))

        await self._database.write(write)


def newest_keys(txn: Txn, owner_id: UserId | None, before: ApiKeyId | None) -> Iterator[ApiKey]:
    """The keys of an owner, or all, newest first."""
    if owner_id is None:
        return API_KEYS.newest(txn, before)
    return API_KEYS.newest_of(txn, "owner", name(owner_id), before)
