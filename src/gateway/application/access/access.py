"""Access: registration, login, sessions and the check of access tokens."""

import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.application.access.addresses import network_of
from gateway.application.access.authentication import Authentication
from gateway.application.access.caller import Caller, check_caller
from gateway.application.access.hashing_places import Purpose
from gateway.application.access.limits import AccessLimits
from gateway.application.access.login_look_ups import LoginLookUps
from gateway.application.access.password_checks import WRONG, PasswordChecks
from gateway.application.access.passwords import check_new_password, check_typed_password
from gateway.application.access.refresh_token_format import (
    hash_of,
    new_secret,
    refresh_token_of,
    sealed,
    secret_of,
    unknown_refresh_token,
)
from gateway.application.access.revocations import Revocations
from gateway.application.access.spellings import spellings_of
from gateway.application.access.throttle import Throttle
from gateway.application.commands.register import Register, Registered
from gateway.application.emails import canonical_email
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.event_loop import OneEventLoop
from gateway.application.errors import InvalidCredentials, TokenExpired, TokenRevoked
from gateway.application.ports.clock import Clock
from gateway.application.ports.identifiers import Identifiers
from gateway.application.ports.login_failures import LoginFailures
from gateway.application.ports.passwords import PasswordHasher
from gateway.application.ports.sessions import RotationResult, SessionId, Sessions, StoredToken, Successor, TokenStatus
from gateway.application.ports.tokens import AccessTokens
from gateway.application.ports.users import Credentials, Users
from gateway.domain.checks import check_id, check_text
from gateway.domain.errors import UserNotFound
from gateway.domain.immutable import immutable
from gateway.domain.limits import ADDRESS_LENGTH_MAX, EMAIL_LENGTH_MAX
from gateway.domain.money import currency_code
from gateway.domain.user import Role, User, UserId, check_profile

LOGIN_CHECKS_MAX: Final = 2
"""How often a login checks the password at most, if the stored hash is replaced meanwhile."""


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
    _checks: PasswordChecks = field(init=False, repr=False, compare=False)
    _look_ups: LoginLookUps = field(init=False, repr=False, compare=False)
    _revocations: Revocations = field(init=False, repr=False, compare=False)
    _authentication: Authentication = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        throttle = Throttle(self.login_failures, self.clock, self.limits)
        self._checks = PasswordChecks(self.passwords, throttle, self.limits)
        self._look_ups = LoginLookUps(self.users, self.login_failures)
        self._revocations = Revocations(self.sessions, self.limits, token_lifetime_seconds=self.tokens.lifetime_seconds)
        self._authentication = Authentication(self.tokens, self._revocations, self.clock, self.loop)

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
            password_hash=await self._checks.hashed(password),
            role=role,
            name=name,
            currency=code,
        )
        return await self.executor.execute(command)

    async def log_in(self, *, email: str, password: str, address: str) -> SignedIn:
        """Start a session.

        `address` is the network address of the client. Failures are counted by it, and a user who has logged in from
        there before does not wait for the failures of others.

        Raises:
            InvalidInput: An argument has a wrong type, is too long, or holds characters that cannot be stored.
            InvalidCredentials: There is no such user, or the password is wrong; both take the same time.
            RateLimited, Overloaded: Too many attempts have failed before this one, or wait to be checked.
        """
        self.loop.check()
        check_text("email", email, EMAIL_LENGTH_MAX, length_min=0)
        check_typed_password("password", password)
        check_text("address", address, ADDRESS_LENGTH_MAX)
        spellings, network = spellings_of(email), network_of(address)
        for _ in range(LOGIN_CHECKS_MAX):
            found, password_hash = await self._checked(spellings, password, network)
            session_id = SessionId(self.identifiers("ses"))
            secret = new_secret()
            now = self.clock()
            token = self._stored(secret, now)
            # The password may have been changed while this one was checked: then it is checked once more.
            if await self.sessions.start(
                session_id, found.user.id, token, password_hash=password_hash, network=network, now=now
            ):
                return self._signed_in(found.user, session_id, secret, now)
        raise InvalidCredentials(WRONG)

    async def _checked(self, spellings: Sequence[str], password: str, network: str) -> tuple[Credentials, str]:
        """The user whose password it is, and the hash that is stored after the check."""
        login = await self._look_ups.look_up(spellings, network)
        check = await self._checks.check_login(login, password)
        found = login.found
        if found is None:
            raise InvalidCredentials(WRONG)
        if not check.outdated:
            return found, found.password_hash
        new_hash = await self._checks.hashed(password, Purpose.KNOWN_LOGIN, line=network)
        replaced = await self.users.replace_password_hash(found.user.id, old=found.password_hash, new=new_hash)
        return found, new_hash if replaced else found.password_hash

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Exchange a refresh token for a new pair of tokens. It can be used once.

        A second use revokes the session, since one of the two users is a thief (RFC 9700, 4.14.2). Exception: within
        the grace time, and before its successor is used, it gives the same successor again, as the response of the
        first use may have been lost. A successor that was given twice is not repeated in turn: two holders of a token
        who follow each other within the grace time are noticed at their second exchange.

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
        if caller.session_id is not None:
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
        await self._checks.check_current(found.user.email, found.password_hash, current)
        new_hash = await self._checks.hashed(new, line=found.user.email)
        if not await self.users.replace_password_hash(caller.user_id, old=found.password_hash, new=new_hash):
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

    def authenticate(self, access_token: str) -> Coroutine[Any, Any, Caller]:
        """The user whom an access token was issued to. Reads the storage at most every `revocations_seconds_max`.

        Raises:
            TokenInvalid: The gateway did not issue it.
            TokenExpired: It has expired.
            TokenRevoked: Its session was revoked. Every process notices within `revocations_seconds_max`.
        """
        return self._authentication.authenticate(access_token)

    def caller_at_once(self, access_token: str) -> Caller | None:
        """The caller of a token that `authenticate` has accepted and would accept now, without reading the storage.

        `None` says nothing against a token: ask `authenticate`.
        """
        return self._authentication.caller_at_once(access_token)

    async def _same_successor(self, rotation: RotationResult, secret: bytes, now: datetime) -> bytes:
        """The secret that a used refresh token was exchanged for, if its response may have been lost.

        A token that was itself given out twice is not exchanged twice: then two hold it, and one of them is a thief.
        """
        grace = timedelta(seconds=self.limits.refresh_grace_seconds)
        # A use in the future was noted by a server whose clock is ahead, or was: no further than clocks may differ.
        earliest = -timedelta(seconds=self.limits.leeway_seconds)
        in_time = rotation.used_at is not None and earliest <= now - rotation.used_at <= grace
        may_be_lost = in_time and not rotation.successor_used and not rotation.repeated
        if may_be_lost and rotation.sealed is not None and await self.sessions.repeat(hash_of(secret), now=now):
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
