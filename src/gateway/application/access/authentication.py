"""Authentication: whose access token or API key it is, and whether it has ended."""

from datetime import datetime
from typing import Final

from gateway.application.access.acting import Acting
from gateway.application.access.api_key_authentication import ApiKeyAuthentication
from gateway.application.access.api_key_format import PREFIX
from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.revocations import Revocations
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import TokenExpired, TokenInvalid, TokenRevoked
from gateway.application.ports.clock import Clock
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.tokens import AccessClaims, AccessTokens
from gateway.domain.checks import check_id, wrong_type
from gateway.domain.errors import Refusal, UserDisabled
from gateway.domain.user import Role, UserId

ROLES: Final = {role.value: role for role in Role}
KNOWN_MAX: Final = 10_000
"""How many tokens are remembered with their callers. The oldest leaves first."""


class Authentication:
    """The check of access tokens and API keys.

    Args:
        tokens: Verifies the signatures and times of tokens.
        revocations: The sessions and keys that have ended, and disabled users.
        keys: Checks API keys.
        acting: Checks members of merchants.
        clock: The time at which a token or a key must be valid.
        loop: The event loop of the gateway.
    """

    def __init__(
        self,
        tokens: AccessTokens,
        revocations: Revocations,
        keys: ApiKeyAuthentication,
        acting: Acting,
        clock: Clock,
        loop: OneEventLoop,
    ) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._keys = keys
        self._acting = acting
        self._clock = clock
        self._loop = loop
        self._known: dict[str, Caller] = {}

    async def authenticate(self, access_token: str) -> Caller:
        """As `Access.authenticate`."""
        self._loop.check()
        if type(access_token) is not str:
            raise wrong_type("access_token", "text", access_token)
        now = self._clock()
        claims = None if access_token.startswith(PREFIX) else self._claims(access_token, now)
        if not self._revocations.is_fresh(now):
            await self._revocations.renew(now)
        if claims is None:
            return await self._keys.authenticate(access_token, now)
        if claims.subject in self._revocations.disabled:
            raise UserDisabled("An operator has disabled this user.")
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

    async def act_for(self, caller: Caller, merchant_id: UserId) -> Caller:
        """The caller as a member of a merchant: what they ask for is the merchant's, as far as their role reaches.

        Every process notices a change of the member within `revocations_seconds_max`.

        Raises:
            NotAMember: They are no member of it, or use an API key: a key acts for its owner alone.
            UserDisabled: An operator has disabled the merchant.
        """
        self._loop.check()
        check_caller(caller)
        check_id("merchant_id", merchant_id)
        now = self._clock()
        if not self._revocations.is_fresh(now):
            await self._revocations.renew(now)
        return await self._acting.act_for(caller, merchant_id, now)

    def renew_endings(self) -> None:
        """As `Access.renew_endings`."""
        self._revocations.invalidate()

    async def close(self) -> None:
        """As `Access.close`."""
        await self._keys.uses.close()

    def _claims(self, access_token: str, now: datetime) -> AccessClaims:
        try:
            return self._tokens.verify(access_token, now=now)
        except TokenExpired as expired:  # The adapter knows more exactly why, and clients need not.
            raise TokenExpired("The access token has expired.") from expired
        except TokenInvalid as invalid:
            raise TokenInvalid("The access token is not valid.") from invalid

    def _remember(self, access_token: str, caller: Caller) -> None:
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[access_token] = caller
