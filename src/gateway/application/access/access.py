"""Access: registration, login, sessions and the check of access tokens."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.limits import AccessLimits
from gateway.application.access.passwords import (
    check_new_password,
    check_typed_password,
    hash_password,
    verify_password,
)
from gateway.application.access.refresh_token_format import (
    hash_of,
    new_secret,
    refresh_token_of,
    sealed,
    secret_of,
    unknown_refresh_token,
)
from gateway.application.access.revocations import Revocations
from gateway.application.access.throttle import Throttle
from gateway.application.commands.register import Register, Registered
from gateway.application.emails import canonical_email
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import InvalidCredentials, InvalidInput, TokenExpired, TokenInvalid, TokenRevoked
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.login_failures import LoginFailures
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.sessions import RotationResult, SessionId, Sessions, StoredToken, Successor, TokenStatus
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.users import Users
from gateway.domain.checks import check_id, check_text, wrong_type
from gateway.domain.errors import UserNotFound
from gateway.domain.immutable import immutable
from gateway.domain.limits import ADDRESS_LENGTH_MAX, EMAIL_LENGTH_MAX
from gateway.domain.money import currency_code
from gateway.domain.user import Role, User, UserId, check_profile, normal_email

ROLES: Final = {role.value: role for role in Role}


@immutable
class SignedIn:
    """A session's tokens: a short-lived access token, and a refresh token that can be used once."""

    user: User
    access_token: str = field(repr=False)
    expires_in_seconds: int
    refresh_token: str = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Access:
    """Users and their sessions. Each method runs short transactions of its own."""

    executor: CommandExecutor
    users: Users
    sessions: Sessions
    login_failures: LoginFailures
    passwords: PasswordHasher
    tokens: AccessTokens
    clock: Clock
    identifiers: Identifiers
    limits: AccessLimits = field(default_factory=AccessLimits)
    loop: OneEventLoop = field(default_factory=OneEventLoop, repr=False, compare=False)
    _throttle: Throttle = field(init=False, repr=False, compare=False)
    _revocations: Revocations = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._throttle = Throttle(self.login_failures, self.clock, self.limits)
        self._revocations = Revocations(self.sessions, self.limits, token_lifetime_seconds=self.tokens.lifetime_seconds)

    async def register(
        self, *, email: str, password: str, role: Role, name: str | None = None, currency: str = "USD"
    ) -> Registered:
        """Create a user, with one account in `currency` (operators get none).

        Raises:
            InvalidInput: The e-mail address, the password, the role or the name is not valid.
            UnknownCurrency: `currency` is not one of ISO 4217.
            EmailTaken: Another user has this address.
        """
        self.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        email = canonical_email(email)
        check_new_password(password)
        check_profile(role, name)
        code = currency_code(currency)
        command = Register(
            user_id=UserId(self.identifiers("usr")),
            email=email,
            password_hash=await hash_password(self.passwords, password),
            role=role,
            name=name,
            currency=code,
        )
        return await self.executor.execute(command)

    async def log_in(self, *, email: str, password: str, address: str) -> SignedIn:
        """Start a session. `address` is the network address of the client, which only counts failures.

        Raises:
            InvalidInput: An argument has a wrong type, is too long, or holds characters that cannot be stored.
            InvalidCredentials: There is no such user, or the password is wrong; both take the same time.
            RateLimited: Too many attempts have failed before this one.
        """
        self.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        check_typed_password("password", password)
        check_text("address", address, ADDRESS_LENGTH_MAX)
        email = await self._stored_spelling(email)
        async with self._throttle.attempt(email, address) as count_failure:
            found = await self.users.by_email(email)
            stored_hash = None if found is None else found.password_hash
            check = await verify_password(self.passwords, stored_hash, password)
            if found is None or not check.matches:
                await count_failure()
                raise InvalidCredentials("The e-mail address or the password is wrong.")
            await self._throttle.clear(email)
        if check.outdated:
            new_hash = await hash_password(self.passwords, password)
            await self.users.replace_password_hash(found.user.id, old=found.password_hash, new=new_hash)
        session_id = SessionId(self.identifiers("ses"))
        secret = new_secret()
        now = self.clock()
        await self.sessions.start(session_id, found.user.id, self._stored(secret, now), now=now)
        return self._signed_in(found.user, session_id, secret, now)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Exchange a refresh token for a new pair of tokens. It can be used once.

        A second use revokes the session, since one of the two users is a thief (RFC 9700, 4.14.2). Exception: within
        the grace time, and before its successor is used, it gives the same successor again, as the response of the
        first use may have been lost.

        Raises:
            InvalidInput: It is not a text, or too long.
            TokenInvalid: The gateway did not issue it.
            TokenExpired: It has expired.
            TokenRevoked: Its session was revoked, perhaps by this second use.
        """
        self.loop.check()
        secret = secret_of(refresh_token)
        now = self.clock()
        next_secret = new_secret()
        successor = Successor(token=self._stored(next_secret, now), sealed=sealed(next_secret, by=secret))
        rotation = await self.sessions.rotate(hash_of(secret), successor, now=now)
        match rotation.status:
            case TokenStatus.ROTATED:
                pass
            case TokenStatus.USED:
                next_secret = await self._same_successor(rotation, secret, now)
            case TokenStatus.REVOKED:
                raise TokenRevoked("This session has ended.")
            case TokenStatus.EXPIRED:
                raise TokenExpired("This refresh token has expired.")
            case TokenStatus.UNKNOWN:
                raise unknown_refresh_token()
        if rotation.session_id is None or rotation.user_id is None:
            raise unknown_refresh_token()
        return self._signed_in(await self.user(rotation.user_id), rotation.session_id, next_secret, now)

    async def log_out(self, caller: Caller, refresh_token: str) -> None:
        """Revoke the session of a refresh token, and the session of the caller.

        Raises:
            InvalidInput: `refresh_token` is not a text, or too long.
            TokenInvalid: It does not have the form of a refresh token.
        """
        self.loop.check()
        check_caller(caller)
        secret = secret_of(refresh_token)
        now = self.clock()
        await self.sessions.revoke_token(hash_of(secret), caller.user_id, now=now)
        await self.sessions.revoke(caller.session_id, now=now)
        self._revocations.invalidate()

    async def change_password(self, caller: Caller, *, current: str, new: str) -> None:
        """Change the caller's password, and revoke all their sessions.

        Raises:
            InvalidCredentials: `current` is not their password.
            InvalidInput: `new` may not be chosen.
            RateLimited: Too many attempts have failed before this one.
        """
        self.loop.check()
        check_caller(caller)
        check_typed_password("current", current)
        check_new_password(new, field="new")
        found = await self.users.by_id(caller.user_id)
        if found is None:
            raise UserNotFound("There is no such user.")
        async with self._throttle.attempt(found.user.email) as count_failure:
            check = await verify_password(self.passwords, found.password_hash, current)
            replaced = check.matches and await self.users.replace_password_hash(
                caller.user_id, old=found.password_hash, new=await hash_password(self.passwords, new)
            )
            if not replaced:
                await count_failure()
                raise InvalidCredentials("The current password is wrong.")
        await self.sessions.revoke_user(caller.user_id, now=self.clock())
        self._revocations.invalidate()

    async def user(self, user_id: UserId) -> User:
        """The user with this id.

        Raises:
            UserNotFound: There is none.
        """
        self.loop.check()
        check_id("user_id", user_id)
        found = await self.users.by_id(user_id)
        if found is None:
            raise UserNotFound("There is no such user.")
        return found.user

    async def authenticate(self, access_token: str) -> Caller:
        """The user whom an access token was issued to. Reads the storage at most every `revocations_seconds_max`.

        Raises:
            TokenInvalid: The gateway did not issue it.
            TokenExpired: It has expired.
            TokenRevoked: Its session was revoked. Every process notices within `revocations_seconds_max`.
        """
        self.loop.check()
        if type(access_token) is not str:
            raise wrong_type("access_token", "text", access_token)
        now = self.clock()
        try:
            claims = self.tokens.verify(access_token, now=now)
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
        return Caller(user_id=UserId(claims.subject), role=role, session_id=SessionId(session_id))

    async def _stored_spelling(self, email: str) -> str:
        """The spelling that the user of an address is stored under: the canonical spelling, or an earlier version's.

        Earlier versions stored other spellings (`gateway migrate` lists them). Such users log in with the
        stored spelling only.
        """
        typed = normal_email(email)
        try:
            canonical = canonical_email(email)
        except InvalidInput:
            return typed
        if typed != canonical and await self.users.by_email(typed) is not None:
            return typed
        return canonical

    async def _same_successor(self, rotation: RotationResult, secret: bytes, now: datetime) -> bytes:
        """The secret that a used refresh token was exchanged for, if its response may have been lost."""
        grace = timedelta(seconds=self.limits.refresh_grace_seconds)
        may_be_lost = rotation.used_at is not None and now - rotation.used_at <= grace and not rotation.successor_used
        if may_be_lost and rotation.sealed is not None:
            return sealed(rotation.sealed, by=secret)
        if rotation.session_id is not None:
            await self.sessions.revoke(rotation.session_id, now=now)
            self._revocations.invalidate()
        raise TokenRevoked("This refresh token was used before: its session has ended.")

    def _stored(self, secret: bytes, now: datetime) -> StoredToken:
        return StoredToken(token_hash=hash_of(secret), expires_at=now + timedelta(seconds=self.limits.session_seconds))

    def _signed_in(self, user: User, session_id: SessionId, secret: bytes, now: datetime) -> SignedIn:
        access_token = self.tokens.issue(
            subject=user.id, role=user.role.value, token_id=f"{session_id}.{secrets.token_hex(8)}", now=now
        )
        return SignedIn(
            user=user,
            access_token=access_token,
            expires_in_seconds=self.tokens.lifetime_seconds,
            refresh_token=refresh_token_of(secret),
        )
