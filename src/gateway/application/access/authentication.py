"""Authentication: whose access token or API key it is, and whether it has ended."""

from typing import Final

from gateway.application.access.api_key_authentication import ApiKeyAuthentication
from gateway.application.access.api_key_format import PREFIX, ApiKeyFormat
from gateway.application.access.caller import Caller
from gateway.application.access.limits import AccessLimits
from gateway.application.access.revocations import Revocations
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import TokenExpired, TokenInvalid, TokenRevoked
from gateway.application.ports.api_keys import StoredApiKeys
from gateway.application.ports.clock import Clock
from gateway.application.ports.sessions import SessionId, Sessions
from gateway.application.ports.tokens import AccessTokens
from gateway.domain.checks import wrong_type
from gateway.domain.errors import Refusal
from gateway.domain.user import Role, UserId

ROLES: Final = {role.value: role for role in Role}
KNOWN_MAX: Final = 10_000
"""How many tokens are remembered with their callers. The oldest leaves first."""


class Authentication:
    """The check of access tokens and API keys.

    Args:
        tokens: Verifies the signatures and times of tokens.
        sessions: Tell which sessions have ended.
        api_keys: The keys, and which have ended.
        key_format: How keys are written here.
        limits: How old the list of what has ended may be.
        clock: The time at which a token or a key must be valid.
        loop: The event loop of the gateway.
    """

    def __init__(
        self,
        *,
        tokens: AccessTokens,
        sessions: Sessions,
        api_keys: StoredApiKeys,
        key_format: ApiKeyFormat,
        limits: AccessLimits,
        clock: Clock,
        loop: OneEventLoop,
    ) -> None:
        lifetime = tokens.lifetime_seconds
        self._tokens = tokens
        self._revocations = Revocations(sessions, limits, token_lifetime_seconds=lifetime)
        self._keys = ApiKeyAuthentication(api_keys, self._revocations, key_format, known_seconds=lifetime)
        self._revocations.keys_ended = self._keys.ended_since
        self._clock = clock
        self._loop = loop
        self._known: dict[str, Caller] = {}

    async def authenticate(self, access_token: str) -> Caller:
        """As `Access.authenticate`."""
        self._loop.check()
        if type(access_token) is not str:
            raise wrong_type("access_token", "text", access_token)
        now = self._clock()
        if access_token.startswith(PREFIX):
            if not self._revocations.is_fresh(now):
                await self._revocations.renew(now)
            return await self._keys.authenticate(access_token, now)
        try:
            claims = self._tokens.verify(access_token, now=now)
        except TokenExpired as expired:  # The adapter knows more exactly why, and clients need not.
            raise TokenExpired("The access token has expired.") from expired
        except TokenInvalid as invalid:
            raise TokenInvalid("The access token is not valid.") from invalid
        if not self._revocations.is_fresh(now):
            await self._revocations.renew(now)
        session_id, _, _ = claims.token_id.partition(".")
        if session_id in self._revocations.session_ids:
            raise TokenRevoked("This session has ended.")
        role = ROLES.get(claims.role)
        if role is None:
            raise TokenInvalid("The access token is of a role that this gateway does not know.")
        caller = Caller(user_id=UserId(claims.subject), role=role, session_id=SessionId(session_id))
        if access_token not in self._known:
            self._remember(access_token, caller)
        return caller

    def caller_at_once(self, access_token: str) -> Caller | None:
        """The caller of a token that `authenticate` has accepted and would accept now, without reading the storage.

        `None` says nothing against a token: ask `authenticate`.
        """
        caller = self._known.get(access_token)
        now = self._clock()
        if caller is None and access_token.startswith(PREFIX):
            return self._keys.caller_at_once(access_token, now) if self._revocations.is_fresh(now) else None
        if caller is None or not self._revocations.is_fresh(now) or caller.session_id in self._revocations.session_ids:
            return None
        try:
            self._tokens.verify(access_token, now=now)
        except Refusal:
            del self._known[access_token]
            return None
        return caller

    def renew_endings(self) -> None:
        """As `Access.renew_endings`."""
        self._revocations.invalidate()

    async def close(self) -> None:
        """As `Access.close`."""
        await self._keys.uses.close()

    def _remember(self, access_token: str, caller: Caller) -> None:
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[access_token] = caller
