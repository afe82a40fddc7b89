"""RefreshTokens: each is exchanged once for a new one."""

from datetime import datetime, timedelta

from gateway.application.access.limits import AccessLimits
from gateway.application.access.refresh_token_format import (
    hash_of,
    new_secret,
    sealed,
    secret_of,
    unknown_refresh_token,
)
from gateway.application.access.revocations import Revocations
from gateway.application.errors import TokenExpired, TokenRevoked
from gateway.application.ports.sessions import RotationResult, SessionId, Sessions, StoredToken, Successor, TokenStatus
from gateway.application.ports.users import Users
from gateway.domain.errors import UserDisabled
from gateway.domain.immutable import immutable
from gateway.domain.user import User, UserId


@immutable
class Exchanged:
    """The session of a refresh token that was exchanged, and the secret of the next token."""

    session_id: SessionId
    user_id: UserId
    secret: bytes


class RefreshTokens:
    """The refresh tokens of all sessions."""

    def __init__(self, sessions: Sessions, users: Users, limits: AccessLimits, revocations: Revocations) -> None:
        self._sessions = sessions
        self._users = users
        self._limits = limits
        self._revocations = revocations

    def stored(self, secret: bytes, now: datetime) -> StoredToken:
        """A new token as it is stored."""
        expires_at = now + timedelta(seconds=self._limits.session_seconds)
        return StoredToken(token_hash=hash_of(secret), expires_at=expires_at)

    async def exchange(self, refresh_token: str, now: datetime) -> Exchanged:
        """Use a refresh token.

        Raises:
            InvalidInput, TokenInvalid, TokenExpired, TokenRevoked, UserDisabled: As `Access.refresh`.
        """
        secret = secret_of(refresh_token)
        next_secret = new_secret()
        successor = Successor(token=self.stored(next_secret, now), sealed=sealed(next_secret, by=secret))
        rotation = await self._sessions.rotate(hash_of(secret), successor, now=now)
        match rotation.status:
            case TokenStatus.ROTATED:
                pass
            case TokenStatus.USED:
                next_secret = await self._same_successor(rotation, secret, now)
            case TokenStatus.REVOKED:
                await self._refuse_revoked(rotation)
            case TokenStatus.EXPIRED:
                raise TokenExpired("This refresh token has expired.")
            case TokenStatus.UNKNOWN:
                raise unknown_refresh_token()
        if rotation.session_id is None or rotation.user_id is None:
            raise unknown_refresh_token()
        return Exchanged(session_id=rotation.session_id, user_id=rotation.user_id, secret=next_secret)

    async def _refuse_revoked(self, rotation: RotationResult) -> None:
        """The sessions of a disabled user have ended: the holder of one of their tokens is told why."""
        found = None if rotation.user_id is None else await self._users.by_id(rotation.user_id)
        if found is not None:
            must_not_be_disabled(found.user)
        raise TokenRevoked("This session has ended.")

    async def _same_successor(self, rotation: RotationResult, secret: bytes, now: datetime) -> bytes:
        """The secret that a used refresh token was exchanged for, if its response may have been lost.

        A token that was itself given out twice is not exchanged twice: then two hold it, and one of them is a thief.
        """
        grace = timedelta(seconds=self._limits.refresh_grace_seconds)
        # A use in the future was noted by a server whose clock is ahead, or was: no further than clocks may differ.
        earliest = -timedelta(seconds=self._limits.leeway_seconds)
        in_time = rotation.used_at is not None and earliest <= now - rotation.used_at <= grace
        may_be_lost = in_time and not rotation.successor_used and not rotation.repeated
        if may_be_lost and rotation.sealed is not None and await self._sessions.repeat(hash_of(secret), now=now):
            return sealed(rotation.sealed, by=secret)
        if rotation.session_id is not None:
            await self._sessions.revoke(rotation.session_id, now=now)
            self._revocations.invalidate()
        raise TokenRevoked("This refresh token was used before: its session has ended.")


def must_not_be_disabled(user: User) -> None:
    """Check that a user whose password or token is right may come in.

    Raises:
        UserDisabled: An operator has disabled them.
    """
    if user.disabled_at is not None:
        raise UserDisabled("An operator has disabled this user.")
