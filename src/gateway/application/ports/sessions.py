"""Sessions: families of refresh tokens, each good for one use."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import Enum, auto
from typing import NewType, Protocol

from gateway.domain.audit import AuditRecord
from gateway.domain.immutable import immutable
from gateway.domain.user import UserId

SessionId = NewType("SessionId", str)


@immutable
class StoredToken:
    """A refresh token as it is kept: by its SHA-256 alone."""

    token_hash: bytes
    expires_at: datetime


@immutable
class Successor:
    """What a refresh token is exchanged for.

    `sealed` is the successor's secret, which only the holder of the predecessor can open. It lets an exchange whose
    answer was lost be repeated within the grace time, with the same result.
    """

    token: StoredToken
    sealed: bytes


class TokenStatus(Enum):
    """What a refresh token is when it is exchanged."""

    ROTATED = auto()  # It was good, and is now used: its successor is stored.
    USED = auto()  # It had been used before; nothing was changed.
    REVOKED = auto()  # Its session has ended.
    EXPIRED = auto()
    UNKNOWN = auto()


@immutable
class RotationResult:
    """The result of exchanging a refresh token. For an unknown token, everything but `status` has its default.

    For a token that was used before: `used_at` is the time of that use, `sealed` the sealed secret of its successor,
    and `successor_used` whether the successor has been used. `repeated` tells whether this token itself was given out
    more than once.
    """

    status: TokenStatus
    session_id: SessionId | None = None
    user_id: UserId | None = None
    used_at: datetime | None = None
    sealed: bytes | None = None
    successor_used: bool = False
    repeated: bool = False


class Sessions(Protocol):
    """Each method is a short transaction of its own. All raise `StorageUnavailable` when the storage is away."""

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
        """Begin a session with its first refresh token. `network` is where the user logs in from.

        `audit` is written with the session.

        Returns:
            Whether it began. It does not if `password_hash` is no longer the hash of the user's password, or the user
            is disabled. If that happens at the same time, either no session begins, or it has begun before.
        """
        ...

    async def rotate(self, token_hash: bytes, successor: Successor, *, now: datetime) -> RotationResult:
        """Use a refresh token and store its successor, in one step.

        Of any number of concurrent calls with one token, exactly one finds it `ROTATED`; the others find it `USED`.
        """
        ...

    async def repeat(self, token_hash: bytes, *, now: datetime) -> bool:
        """Record that the successor of a used token is given out once more.

        Returns:
            Whether it may be: there is a successor, and it was not used. Its later uses tell that it was `repeated`.
        """
        ...

    async def revoke(self, session_id: SessionId, *, now: datetime) -> None:
        """End a session. One that has ended stays as it is."""
        ...

    async def revoke_token(self, token_hash: bytes, user_id: UserId, *, now: datetime) -> None:
        """End the session of a refresh token, if it is this user's. An unknown token changes nothing."""
        ...

    async def revoke_user(self, user_id: UserId, *, now: datetime) -> None:
        """End every session of a user."""
        ...

    async def revoked_since(self, since: datetime) -> AbstractSet[SessionId]:
        """The sessions that were ended at or after `since`."""
        ...
